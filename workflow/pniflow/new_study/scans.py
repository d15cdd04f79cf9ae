"""CAT12's folder: whose its scans are by their names, and what else of them can be analysed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pniflow.errors import InputError
from pniflow.imaging.naming import by_pattern, entities, home


@dataclass
class Scans:
    """The scans of a folder as guessed.

    Attributes
    ----------
    folder : str
        Its name for study.yaml.
    names : list of str
        Of the scans.
    sessions : list of str
        Sessions (BIDS) that names or folders tell.
    pattern : str
        Of names that are not as in BIDS; blank where none was found or needed.
    bids : bool
        True where all names tell the participant as in BIDS.
    voxels : dict
        What study.yaml says of the normalized images; empty without them.
    labels, surfaces : bool
        Whether there are tables of regions, of volumes and of surfaces.
    open : list of str
        What could not be guessed.
    """

    folder: str
    names: list[str] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    pattern: str = ""
    bids: bool = False
    voxels: dict[str, Any] = field(default_factory=dict)
    labels: bool = False
    surfaces: bool = False
    open: list[str] = field(default_factory=list)


def guess_scans(folder: Path, name: str, people: Collection[str]) -> Scans:
    """Guess whose the scans of a folder are.

    Parameters
    ----------
    folder : Path
    name : str
        Its name for study.yaml.
    people : collection of str
        Participants that other tables know.
    """
    placed: dict[str, dict[str, str]] = {}
    result = Scans(name)
    paths = sorted(path for path in folder.rglob("cat*") if path.suffix in (".xml", ".mat"))
    for path in paths:
        match = re.fullmatch(r"cat(?:(ROIs?)_|_)(.+)", path.stem)
        if match:
            result.labels |= match[1] == "ROI"
            result.surfaces |= match[1] == "ROIs"
            source = path.relative_to(folder).as_posix()
            placed.setdefault(match[2], {}).setdefault(home(source), source)
    # Of one stem in several folders each is a scan; files of a stem that is a person's own may lie anywhere.
    apart = len(placed) == 1 and len(placed[next(iter(placed))]) > 1
    found = {
        f"{at}/{stem}" if apart else stem: source
        for stem, folders in placed.items()
        for at, source in folders.items()
    }
    result.names = list(found)
    if not found:
        result.open.append(f"there are no CAT12 reports or label files (cat_*.xml, catROI_*.xml) in {name}.")
        return result
    try:
        told = [entities(place) for place in found.values()]
    except InputError as error:
        result.open.append(str(error))
        told = [(None, None)]
    result.bids = all(person for person, _ in told)
    if not result.bids:
        result.pattern = _of_folders(result.names, people) if apart else _pattern(result.names, people)
        told = [by_pattern(result.pattern, one) for one in result.names] if result.pattern else told
    result.sessions = sorted({session for _, session in told if session})
    if not result.bids and not result.pattern:
        result.open.append(
            "scans are not named as in BIDS (sub-01_ses-pre); give cat12.pattern or a table cat12.scans."
        )
    elif any(session is None for _, session in told) and result.sessions:
        result.open.append(
            f"the session of some scans in {name}, whose names hold none; give a table cat12.scans."
        )
    result.voxels = _voxels(folder, result)
    return result


def _of_folders(names: list[str], people: Collection[str]) -> str:
    """Return a pattern of folders of which one is always a known participant; blank without one."""
    rows = [name.split("/") for name in names]
    if len({len(row) for row in rows}) > 1:
        return ""
    columns = list(zip(*rows, strict=True))[:-1]
    persons = [place for place, column in enumerate(columns) if set(column) <= set(people)]
    others = [place for place, column in enumerate(columns) if place not in persons and len(set(column)) > 1]
    if len(persons) != 1 or len(others) > 1:
        return ""
    words = {persons[0]: "{participant}"} | dict.fromkeys(others, "{session}")
    return "/".join([words.get(place, "*") for place in range(min(words), len(columns))] + ["*"])


def _pattern(names: list[str], people: Collection[str]) -> str:
    """Return a pattern that finds a known participant in every name; blank without one, or for one name."""
    shapes = []
    for name in names if len(names) > 1 else ():
        mine = [one for one in people if re.search(rf"(?<![0-9]){re.escape(one)}(?![A-Za-z0-9])", name)]
        best = max(mine, key=len, default="")
        shapes.append(
            (best, re.split(r"([_.-])", name.replace(best, "{participant}", 1))) if best else ("", [""])
        )
    if not shapes or not all(person for person, _ in shapes) or len({len(parts) for _, parts in shapes}) > 1:
        return ""
    pattern = []
    for parts in zip(*(parts for _, parts in shapes), strict=True):
        several = len(set(parts))
        repeated = max(Counter(parts).values()) > 1
        pattern.append(parts[0] if several == 1 else "{session}" if repeated and several <= 12 else "*")
    text = "".join(pattern)
    if text.count("{session}") > 1 or "{participant}" not in text:
        return ""
    fits = all(by_pattern(text, name)[0] == person for name, (person, _) in zip(names, shapes, strict=True))
    return text if fits else ""


def _voxels(folder: Path, scans: Scans) -> dict[str, Any]:
    """Offer the normalized grey-matter images where every scan has one; smoothed ones first."""
    images: dict[str, set[str]] = {}
    apart = any("/" in name for name in scans.names)
    for path in folder.rglob("*mw*p1*.nii*"):
        if match := re.fullmatch(r"((?:s\d*)?mw(?:mw)?p1)(.+?)\.nii(?:\.gz)?", path.name):
            at = f"{home(path.relative_to(folder).as_posix())}/" if apart else ""
            images.setdefault(match[1], set()).add(at + match[2])
    for prefix in sorted(images, key=lambda one: (not one.startswith("s"), one)):
        if set(scans.names) <= images[prefix]:
            return {"prefix": prefix} | ({} if prefix.startswith("s") else {"smoothing": 8})
    if images:
        prefix = max(images, key=lambda one: len(images[one]))
        left = len(set(scans.names) - images[prefix])
        scans.open.append(
            f"whether to analyse the images {prefix}*; {left} scans have none, so add cat12.voxels "
            f"{{prefix: {prefix}}} when they are there."
        )
    return {}
