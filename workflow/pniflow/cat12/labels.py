"""Label files: `catROI_*` (volumes) and `catROIs_*` (surfaces), atlas by atlas, everything found by tag and
name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np

from pniflow.cat12.atlases import ids_to_names, metric
from pniflow.cat12.document import items, numbers
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
    atlases = []
    for element in root:
        if element.find("names") is None and element.find("data") is None:
            continue
        atlases.append(_atlas(element, source, lists))
    repeated = {atlas.atlas for atlas in atlases if sum(other.atlas == atlas.atlas for other in atlases) > 1}
    if repeated:
        raise InputError(f"{source}: the atlas {sorted(repeated)[0]} stands twice in the file; keep one.")
    if not atlases:
        raise InputError(
            f"{source}: the file holds no atlas with names and data; run CAT12's ROI estimation again."
        )
    return atlases


def _atlas(element: Element, source: str, lists: NameLists) -> AtlasValues:
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
        vector = numbers(child.text, source, f"{atlas}/{child.tag}")
        if child.tag in values:
            raise InputError(f"{source}: {atlas}/{child.tag} stands twice; keep one.")
        if not len(vector):
            notes.append(f"{atlas}/{child.tag} is empty")
            continue
        if len(vector) != len(names):
            raise InputError(
                f"{source}: {atlas}/{child.tag} has {len(vector)} values for {len(names)} names."
            )
        _in_range(vector, child.tag, names, f"{source}: {atlas}/{child.tag}")
        values[child.tag] = vector
    if any(re.fullmatch(r"(RID|ROI)\d+", name) for name in names):
        names, note = ids_to_names(atlas, ids, names)
        notes.append(note)
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InputError(
            f"{source}: {atlas} has the region {listing(twice, 3)} twice; a name may stand once."
        )
    version = (element.findtext("version") or "").strip()
    return AtlasValues(atlas, names, f"r{version}" if version.isdigit() else version, values, tuple(notes))


def _in_range(vector: np.ndarray, tag: str, names: tuple[str, ...], place: str) -> None:
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
