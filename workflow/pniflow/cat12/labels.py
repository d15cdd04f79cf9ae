"""Label files: `catROI_*` (volumes) and `catROIs_*` (surfaces), atlas by atlas, everything found by tag and
name.
"""

from __future__ import annotations

import collections
import functools
import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np

from pniflow.cat12.atlases import ids_to_names, metric
from pniflow.cat12.document import items, many_numbers, numbers
from pniflow.cat12.old_labels import modern
from pniflow.errors import InputError, listing


@dataclass(frozen=True)
class AtlasValues:
    """One atlas of one label file.

    Attributes
    ----------
    atlas : str
        Named as in the file.
    names : tuple of str, length n
        Regions as in the file.
    version : str
        Revision that wrote the values, `r1232`; blank where the file has none.
    values : dict of str to ndarray, shape (n,)
        Values by CAT12's tag (Vgm, thickness).
    notes : tuple of str
        What was odd.
    """

    atlas: str
    names: tuple[str, ...]
    version: str
    values: dict[str, np.ndarray]
    notes: tuple[str, ...] = ()


class NameLists:
    """Region-name lists already seen in a run: most of a label file's bytes, and the same in every file."""

    def __init__(self) -> None:
        self.blocks: dict[bytes, Element] = {}
        self.names: dict[int, tuple[str, ...]] = {}
        self.counts: dict[str, tuple[int, ...]] = {}

    def of(self, element: Element) -> tuple[str, ...]:
        """Return the names of a `<names>` element; one that is kept in `blocks` is read once."""
        found = self.names.get(id(element))
        if found is None:
            found = tuple(items(element))
            if any(element is kept for kept in self.blocks.values()):
                self.names[id(element)] = found
        return found

    def ids(self, element: Element | None, source: str, place: str) -> tuple[int, ...]:
        """Return the ids of an `<ids>` element; the same text is read once."""
        text = "" if element is None else element.text or ""
        found = self.counts.get(text)
        if found is None:
            found = tuple(int(number) for number in numbers(text, source, place) if number == number)
            self.counts[text] = found
        return found


def read_labels(root: Element, source: str, lists: NameLists) -> list[AtlasValues]:
    """Read all atlases of a label file.

    Parameters
    ----------
    root : Element
        The file's root `S`.
    source : str
        Its name, for sentences.
    lists : NameLists
        Shared by the files of a run.

    Raises
    ------
    InputError
        Lists of different lengths, a value that is no number or out of its range, a region or atlas given
        twice.
    """
    root = modern(root, source)
    held = [
        element for element in root if element.find("names") is not None or element.find("data") is not None
    ]
    texts: dict[str, str | None] = {}
    for element in held:
        for child in element.findall("data/*"):
            place = f"{element.tag}/{child.tag}"
            if place in texts:
                again = sum(other.tag == element.tag for other in held) > 1
                what = f"the atlas {element.tag}" if again else place
                raise InputError(f"{source}: {what} stands twice in the file; keep one.")
            texts[place] = child.text
    vectors = many_numbers(texts, source)
    atlases = [_atlas(element, vectors, source, lists) for element in held]
    if not atlases:
        raise InputError(
            f"{source}: the file holds no atlas with names and data; run CAT12's ROI estimation again."
        )
    return atlases


def _atlas(element: Element, vectors: dict[str, np.ndarray], source: str, lists: NameLists) -> AtlasValues:
    atlas = element.tag
    held = element.find("names")
    names = lists.of(held) if held is not None else ()
    data = element.find("data")
    ids = lists.ids(element.find("ids"), source, f"{atlas}/ids")
    if ids and len(ids) != len(names):
        raise InputError(f"{source}: {atlas} has {len(ids)} ids for {len(names)} names.")
    values = {}
    notes = []
    for child in data if data is not None else ():
        vector = vectors[f"{atlas}/{child.tag}"]
        if not len(vector):
            notes.append(f"{atlas}/{child.tag} is empty")
            continue
        if len(vector) != len(names):
            raise InputError(
                f"{source}: {atlas}/{child.tag} has {len(vector)} values for {len(names)} names."
            )
        in_range(vector, child.tag, names, f"{source}: {atlas}/{child.tag}")
        values[child.tag] = vector
    names, note, twice = _named(atlas, ids, names)
    if note:
        notes.append(note)
    if twice:
        raise InputError(f"{source}: {atlas} has the region {twice} twice; a name may stand once.")
    version = (element.findtext("version") or "").strip()
    return AtlasValues(atlas, names, f"r{version}" if version.isdigit() else version, values, tuple(notes))


@functools.lru_cache(maxsize=256)
def _named(atlas: str, ids: tuple[int, ...], names: tuple[str, ...]) -> tuple[tuple[str, ...], str, str]:
    """Return names, by id where CAT12 wrote none, what to say about it, and names that stand twice."""
    note = ""
    if any(re.fullmatch(r"(RID|ROI)\d+", name) for name in names):
        names, note = ids_to_names(atlas, ids, names)
    twice = sorted(name for name, count in collections.Counter(names).items() if count > 1)
    return names, note, listing(twice, 3)


def in_range(vector: np.ndarray, tag: str, names: tuple[str, ...], place: str) -> None:
    """Refuse values that a measure cannot have (`resources/atlases/metrics.tsv`): negative volumes, 25 mm of
    cortex.
    """
    rule = metric(tag)
    for limit, beyond, word in (
        (rule.minimum, np.less, "at least"),
        (rule.maximum, np.greater, "at most"),
    ):
        if limit is not None and beyond(vector, limit).any():
            first = int(np.flatnonzero(beyond(vector, limit))[0])
            raise InputError(
                f"{place} of {names[first]} is {vector[first]:g} {rule.unit}; {word} {limit:g} is"
                " possible, so the file"
                " is damaged or the segmentation failed."
            )
