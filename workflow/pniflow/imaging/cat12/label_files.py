"""Label files: `catROI_*` (volumes) and `catROIs_*` (surfaces), atlas by atlas, everything found by tag and
name.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

import numpy as np

from pniflow.errors import InputError, listing, repeated
from pniflow.imaging.atlases import ids_to_names, metric
from pniflow.imaging.cat12 import document
from pniflow.imaging.cat12.old_labels import modern
from pniflow.resources import cached

# Layouts that are kept; a study has one or two for each CAT12 version.
_KEPT = 64
_MOST_VECTORS = 10_000
_OF_NUMBERS = b"0123456789+-.eE;, \tNaIinf"


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


@dataclass
class _Layout:
    """What a label file holds beside its numbers; a text `[@3]` stands for its vector 3.

    Attributes
    ----------
    atlases, names, ids, versions : list
        Of each atlas: its name, its regions, the texts of its ids and version.
    slots : list of (int, str, str)
        Of each measure: place of its atlas, tag, text of its vector.
    lengths, least, most : list of int, ndarray, ndarray, length slots
        What each vector's length must be and its values usually are.
    """

    atlases: list[str] = field(default_factory=list)
    names: list[tuple[str, ...]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    slots: list[tuple[int, str, str]] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    least: np.ndarray = field(default_factory=lambda: np.empty(0))
    most: np.ndarray = field(default_factory=lambda: np.empty(0))


class LabelReader:
    """Reads label files. Those of a study differ in their numbers alone, so the rest is parsed once."""

    def __init__(self) -> None:
        self.layouts: dict[bytes, _Layout] = {}

    def read(self, content: bytes, source: str) -> list[AtlasValues]:
        """Read all atlases of a label file.

        Parameters
        ----------
        content : bytes
            The file.
        source : str
            Its name, for sentences.

        Raises
        ------
        InputError
            Not CAT12's XML, lists of different lengths, a value that is no number or out of its range, a
            region or atlas given twice.
        """
        document.guard(content, source)
        kept, vectors = _cut(content)
        skeleton = b">[]<".join(kept)
        layout = self.layouts.get(skeleton)
        if layout is None:
            layout, vectors = self._parsed(content, kept, vectors, source)
            if vectors:
                if len(self.layouts) == _KEPT:
                    del self.layouts[next(iter(self.layouts))]
                self.layouts[skeleton] = layout
        return _filled(layout, vectors, source)

    def _parsed(
        self, content: bytes, kept: list[bytes], vectors: list[bytes], source: str
    ) -> tuple[_Layout, list[bytes]]:
        numbered = [b">[@%d]<%s" % (number, rest) for number, rest in enumerate(kept[1:])]
        try:
            root = document.parse(b"".join([kept[0], *numbered]), source)
        except InputError:
            root = document.parse(content, source)  # says the place in the file itself
        if root.find("ROI") is None:
            return _layout(root, source), vectors
        return _layout(modern(document.parse(content, source), source), source), []


def read_labels(root: Element, source: str) -> list[AtlasValues]:
    """Read all atlases of a label file that is a tree already (a .mat file's); else as `LabelReader`."""
    return _filled(_layout(modern(root, source), source), [], source)


def _cut(content: bytes) -> tuple[list[bytes], list[bytes]]:
    """Cut the vectors of numbers (`>[1;2]<`) out of a file; return what stands between them, and them.

    A file with other texts in brackets is left whole.
    """
    if b"[@" in content or content.count(b">[") > _MOST_VECTORS:
        return [content], []
    first, *parts = content.split(b">[")
    pieces = [part.partition(b"]<") for part in parts]
    if not all(closed and not vector.translate(None, _OF_NUMBERS) for vector, closed, _ in pieces):
        return [content], []
    return [first, *(rest for _, _, rest in pieces)], [vector for vector, _, _ in pieces]


def _layout(root: Element, source: str) -> _Layout:
    layout = _Layout()
    held = [
        element for element in root if element.find("names") is not None or element.find("data") is not None
    ]
    if not held:
        raise InputError(
            f"{source}: the file holds no atlas with names and data; run CAT12's ROI estimation again."
        )
    seen: set[tuple[str, str]] = set()
    for number, element in enumerate(held):
        layout.atlases.append(element.tag)
        layout.names.append(tuple(document.items(element.find("names"))))
        layout.ids.append(element.findtext("ids") or "")
        layout.versions.append((element.findtext("version") or "").strip())
        for child in element.findall("data/*"):
            if (element.tag, child.tag) in seen:
                again = layout.atlases.count(element.tag) > 1
                what = f"the atlas {element.tag}" if again else f"{element.tag}/{child.tag}"
                raise InputError(f"{source}: {what} stands twice in the file; keep one.")
            seen.add((element.tag, child.tag))
            layout.slots.append((number, child.tag, child.text or ""))
    ranges = [metric(tag).range for _, tag, _ in layout.slots]
    layout.lengths = [len(layout.names[number]) for number, _, _ in layout.slots]
    layout.least = np.array([max(one.minimum, one.usual_from) for one in ranges])
    layout.most = np.array([min(one.maximum, one.usual_to) for one in ranges])
    return layout


def _filled(layout: _Layout, vectors: list[bytes], source: str) -> list[AtlasValues]:
    """Put a file's numbers into its layout, and check them."""

    def said(text: str) -> str:
        return vectors[int(text[2:-1])].decode() if text.startswith("[@") and vectors else text

    values, ends = _all_numbers(layout, vectors, said, source)
    sound = _sound(values, ends, layout)
    notes: list[list[str]] = [[] for _ in layout.atlases]
    held: list[dict[str, np.ndarray]] = [{} for _ in layout.atlases]
    named = [
        _named(atlas, said(ids), names, source)
        for atlas, ids, names in zip(layout.atlases, layout.ids, layout.names, strict=True)
    ]
    for (number, tag, _), start, end in zip(layout.slots, ends, ends[1:], strict=False):
        place = f"{layout.atlases[number]}/{tag}"
        if start == end:
            notes[number].append(f"{place} is empty")
            continue
        if not sound:
            notes[number] += _checked(values[start:end], tag, layout.names[number], source, place)
        held[number][tag] = values[start:end]
    return [
        AtlasValues(atlas, names, _version(said(version)), own, tuple([*odd, note] if note else odd))
        for atlas, version, (names, note), own, odd in zip(
            layout.atlases, layout.versions, named, held, notes, strict=True
        )
    ]


def _all_numbers(
    layout: _Layout, vectors: list[bytes], said: Callable[[str], str], source: str
) -> tuple[np.ndarray, list[int]]:
    """Return the numbers of all measures in a row, and where each begins; the last end is added."""
    if vectors and all(text.startswith("[@") for _, _, text in layout.slots):
        together = document.many_numbers([vectors[int(text[2:-1])] for _, _, text in layout.slots])
        if together is not None:
            return together[0], together[1].tolist()
    each = [
        document.numbers(said(text), source, f"{layout.atlases[number]}/{tag}")
        for number, tag, text in layout.slots
    ]
    return np.concatenate([np.empty(0), *each]), np.cumsum([0, *map(len, each)]).tolist()


def _sound(values: np.ndarray, ends: list[int], layout: _Layout) -> bool:
    """Tell whether all vectors have their names' length and usual values; otherwise each is looked at."""
    if not layout.slots or [end - start for start, end in itertools.pairwise(ends)] != layout.lengths:
        return False
    if not all(layout.lengths):
        return False
    least, most = np.fmin.reduceat(values, ends[:-1]), np.fmax.reduceat(values, ends[:-1])
    odd = (least < layout.least) | (most > layout.most) | np.isinf(least) | np.isinf(most)
    return not odd.any()


def _checked(vector: np.ndarray, tag: str, names: tuple[str, ...], source: str, place: str) -> list[str]:
    if len(vector) != len(names):
        raise InputError(f"{source}: {place} has {len(vector)} values for {len(names)} names.")
    return in_range(vector, tag, names, source, place)


def _version(text: str) -> str:
    return f"r{text}" if text.isdigit() else text


@functools.lru_cache(maxsize=256)
def _ids(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in document.numbers(text, "", "ids") if number == number)


def _named(atlas: str, ids: str, names: tuple[str, ...], source: str) -> tuple[tuple[str, ...], str]:
    """Return names, by id where CAT12 wrote none, and what to say about it."""
    try:
        numbers = _ids(ids)
    except InputError:
        document.numbers(ids, source, f"{atlas}/ids")  # says whose they are
        raise
    if numbers and len(numbers) != len(names):
        raise InputError(f"{source}: {atlas} has {len(numbers)} ids for {len(names)} names.")
    names, note, twice = _by_id(atlas, numbers, names)
    if twice:
        raise InputError(f"{source}: {atlas} has the region {twice} twice; a name may stand once.")
    return names, note


@cached
def _by_id(atlas: str, ids: tuple[int, ...], names: tuple[str, ...]) -> tuple[tuple[str, ...], str, str]:
    note = ""
    if any(re.fullmatch(r"(RID|ROI)\d+", name) for name in names):
        names, note = ids_to_names(atlas, ids, names)
    return names, note, listing(sorted(repeated(names)), 3)


def in_range(vector: np.ndarray, tag: str, names: tuple[str, ...], source: str, place: str) -> list[str]:
    """Refuse values that a measure cannot have: negative volumes, 25 mm of cortex.

    Parameters
    ----------
    vector : ndarray, shape (n,)
    tag : str
        What they measure, CAT12's word.
    names : tuple of str, length n
        Regions.
    source, place : str
        File, and where in it they stand, for sentences.

    Returns
    -------
    list of str
        What is possible but implausible, in words.

    Raises
    ------
    InputError
        A value is beyond its range, or infinite.
    """
    rule = metric(tag)
    impossible = rule.range.impossible(vector)
    if impossible.any():
        first = int(np.flatnonzero(impossible)[0])
        raise InputError(
            f"{source}: {place} of {names[first]} is {vector[first]:g} {rule.unit};"
            f" {rule.range.impossible_as(vector[first])}, so the file is damaged or the segmentation failed."
        )
    odd = np.flatnonzero(rule.range.implausible(vector))
    if not len(odd):
        return []
    more = f" (and {len(odd) - 1} more)" if len(odd) > 1 else ""
    said = f"{place} of {names[odd[0]]} is {vector[odd[0]]:g} {rule.unit}{more}"
    return [f"{said}, {rule.range.implausible_as(vector[odd[0]])}"]
