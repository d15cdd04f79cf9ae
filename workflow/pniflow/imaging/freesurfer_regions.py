"""What the names in FreeSurfer's tables mean: segmentation, region and side, however a table spells them.

The names of each segmentation stand in `resources/atlases/freesurfer_*.tsv`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from pniflow import resources

# Of two that fit a table alike the first is taken.
ATLASES = (
    *("freesurfer_subfields", "freesurfer_amygdala", "freesurfer_aseg", "freesurfer_thalamus"),
    *("freesurfer_brainstem", "freesurfer_hypothalamus", "freesurfer_sclimbic", "freesurfer_samseg"),
    *("freesurfer_synthseg", "freesurfer_wmparc"),
)
BRAIN = "freesurfer_aseg"
"""The atlas of volumes of the whole brain, in whatever table they stand."""

SIDES = {"lh": "left", "rh": "right", "left": "left", "right": "right"}
_WORD = "lh|rh|left|right"
_BEFORE = re.compile(rf"(?:(wm|ctx)[-_. ])?({_WORD})[-_. ](.+)", re.IGNORECASE)
_BEHIND = re.compile(rf"(.+)[-_. ]({_WORD})", re.IGNORECASE)
_JOINED = re.compile(r"(lh|rh)([A-Z].*)")


class Region(NamedTuple):
    """A name of a table: its atlas and region, with the side that the name says (blank: none)."""

    atlas: str
    name: str
    side: str
    whole: bool = False
    """Whether it is a volume of the whole brain, which many tables repeat."""


class _Known(NamedTuple):
    region: str
    sides: frozenset[str]
    whole: bool


def parted(name: str) -> tuple[str, str]:
    """Return region and side of a name: `Left-Hippocampus`, `lh.CA1`, `lhCortexVol`, `wm-lh-insula`,
    `tail_right`; the side is blank where there is none.
    """
    if found := _BEFORE.fullmatch(name):
        kind = f"{found[1]}-" if found[1] else ""
        return kind + found[3], SIDES[found[2].lower()]
    if found := _JOINED.fullmatch(name):
        return found[2], SIDES[found[1]]
    if found := _BEHIND.fullmatch(name):
        return found[1], SIDES[found[2].lower()]
    return name, ""


def _plain(name: str) -> str:
    """Return a name without what programs change: R writes `X3rd.Ventricle` for 3rd-Ventricle."""
    return re.sub(r"^x(?=\d)|[^a-z0-9]", "", name.lower())


@resources.cached
def _known(atlas: str) -> dict[str, _Known]:
    """Return the regions of an atlas by their plain names without side."""
    found: dict[str, _Known] = {}
    for row in resources.rows("atlases", atlas, "source_name", "region", "hemisphere"):
        plain = _plain(parted(row["source_name"])[0])
        side = row["hemisphere"]
        before = found.get(plain)
        sides = frozenset([side]) | (before.sides if before else frozenset())
        found[plain] = _Known(row["region"], sides, row["structure"] == "whole brain")
    return found


@resources.cached
def _spelled(atlas: str) -> frozenset[str]:
    return frozenset(row["source_name"] for row in resources.rows("atlases", atlas, "source_name"))


def _fits(atlas: str, name: str) -> _Known | None:
    region, side = parted(name)
    known = _known(atlas).get(_plain(region))
    return known if known and (not side or side in known.sides) else None


@resources.cached
def regions_of(names: tuple[str, ...]) -> dict[str, Region]:
    """Return what the names of a table mean, those that are known: name -> region.

    The segmentation that knows the most names has them all, the next those that are left, so that the left
    hippocampus of SynthSeg, SAMSEG and aseg are told apart by the names beside it.
    """
    left = list(dict.fromkeys(name for name in names if name))
    found: dict[str, Region] = {}
    for name in left:
        known = _fits(BRAIN, name)
        if known and known.whole:
            found[name] = _region(BRAIN, name, known)
    while left := [name for name in left if name not in found]:
        score, atlas = max(((_score(atlas, left), atlas) for atlas in ATLASES), key=lambda one: one[0])
        if not score[0]:
            break
        found |= {name: _region(atlas, name, known) for name in left if (known := _fits(atlas, name))}
    return found


def _score(atlas: str, names: list[str]) -> tuple[int, int]:
    """Return how many names an atlas knows, and how many it spells so; parts of the cortex tell nothing,
    SynthSeg, FreeSurfer and FastSurfer all call them ctx-lh-insula.
    """
    telling = [name for name in names if not name.startswith("ctx")]
    return sum(_fits(atlas, name) is not None for name in telling), len(_spelled(atlas).intersection(telling))


def _region(atlas: str, name: str, known: _Known) -> Region:
    side = parted(name)[1] or ("both" if "both" in known.sides else "")
    return Region(atlas, known.region, side, known.whole)


def are_regions(names: Iterable[str]) -> bool:
    """Tell whether more than half of the names are regions of one or more segmentations."""
    held = tuple(name for name in names if name)
    found = regions_of(held)
    return 2 * len(found) > len(held) and not all(one.whole for one in found.values())


def most_common(regions: Iterable[Region]) -> str:
    """Return the atlas that most regions are of, those of the whole brain aside."""
    counts = Counter(region.atlas for region in regions if not region.whole)
    return counts.most_common(1)[0][0] if counts else BRAIN


def unknown(name: str, atlas: str) -> Region:
    """Return a region that no table of names has, as it stands; of aseg a name without side is of both."""
    region, side = parted(name)
    return Region(atlas, region, side or ("both" if atlas == BRAIN else ""))
