"""Which scans a folder holds, and whose they are: by file name, wherever the files lie."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pniflow import contracts
from pniflow.config import read_study
from pniflow.errors import InputError, listing
from pniflow.imaging.cat12.exports import is_export, is_foreign, replaces, stems
from pniflow.imaging.naming import Place, by_pattern, entities, first_word, time_points
from pniflow.raw import gate
from pniflow.raw.text_tables import read_raw

_NAME = re.compile(r"(?P<kind>catlong|catROIs|catROI|cat)_(?P<stem>.+)\.(?P<ending>xml|mat)")
_COLUMN = {"cat": "report", "catROI": "label_volume", "catROIs": "label_surface"}
# Modulated grey matter: `mwp1r` is written by the plasticity model, `mwmwp1r` by the ageing model.
_MODEL_FILE = re.compile(r"(?:s\d*)?(?P<kind>mwmwp1|mwp1)(?P<stem>r.+)\.nii(?:\.gz)?")


@dataclass
class Scan:
    """A scan: what one run of CAT12 on one image wrote.

    Attributes
    ----------
    stem : str
        File stem after `cat_`, `catROI_`, `catROIs_`.
    paths, sources : dict of str to Path, str
        report, label_volume, label_surface -> file, and its name relative to the folder that was given.
    exports : dict of str to Path
        CAT12's own tables that hold the scan, by that name; used for what the scan has no file of.
    """

    stem: str
    paths: dict[str, Path] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    participant: str | None = None
    session: str | None = None
    longitudinal: bool = False
    longitudinal_model: str = ""
    exports: dict[str, Path] = field(default_factory=dict)

    @property
    def average(self) -> bool:
        """Whether this is the within-person average of the longitudinal pipeline, which is never a time
        point.
        """
        return self.stem.startswith("avg_")


@dataclass
class Found:
    """What a search found: scans by stem, lists of time points, and what tells longitudinal runs.

    `order` is what the lists of time points say of each image.
    """

    scans: dict[str, Scan] = field(default_factory=dict)
    time_points: list[Path] = field(default_factory=list)
    order: dict[str, Place] = field(default_factory=dict)
    models: dict[str, set[str]] = field(default_factory=dict)
    images: set[str] = field(default_factory=set)
    copies: list[str] = field(default_factory=list)
    exports: dict[str, Path] = field(default_factory=dict)
    t1prep: list[str] = field(default_factory=list)


def index_cat12(*, folder: Path, study: Path, batches: int, scans: Path) -> None:
    """List the scans of a CAT12 output folder, joined to participants and sessions.

    Files are found by name in any layout. A scan's participant and session are taken from, in this order,
    the scans table of study.yaml (`cat12.scans`), BIDS names (sub-, ses-), CAT12's own list of a person's
    time points (catlong; the session where it has all of the study's) together with the pattern, the pattern
    (`cat12.pattern`) and `cat12.session`.

    Parameters
    ----------
    folder : Path
        Folder with CAT12's outputs.
    study : Path
        study.yaml.
    batches : int
        Number of parsing jobs that the scans are divided among.
    scans : Path
        Table of scans to write (contract `scans`).

    Raises
    ------
    InputError
        No scans, none that could be matched, a session that the study does not have or that a name and the
        list of time points say differently, two scans of one session, two different files of one name.
    """
    import numpy as np
    import pandas as pd

    description = read_study(study)
    section = description.get("cat12", {})
    found = find_scans([folder])
    if not found.scans:
        raise InputError(
            f"{folder}: there are no CAT12 files (cat_*.xml, catROI_*.xml, catROIs_*.xml) in this folder."
        )
    sessions = list(description["sessions"])
    points = [scan for scan in found.scans.values() if not scan.average]
    for scan in found.scans.values():
        scan.participant = entities(_named(scan))[0]
    used = _match(points, found, section, sessions, folder, study)
    _check(points, used, sessions, folder, study)
    share = np.array_split(np.array(used, dtype=object), batches)
    batch = {stem: number for number, part in enumerate(share, start=1) for stem in part}
    rows = [_row(scan) | {"batch": batch.get(stem, pd.NA)} for stem, scan in found.scans.items()]
    contracts.write_table(pd.DataFrame(rows).astype({"batch": "Int64"}), scans, "scans")
    _say(points, found)


def find_scans(paths: Sequence[Path]) -> Found:
    """Find CAT12's files below folders, or take files as given, and group them by scan.

    Where an XML file and its .mat twin lie side by side the XML is taken. Folders of CAT12's error reports
    (`err`) and hidden folders are passed over.

    Raises
    ------
    InputError
        A path does not exist, a given file is not named as CAT12 names its files, or two files of one name
        differ.
    """
    found, linked = Found(), list[str]()
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: there is no such file or folder.")
        if not path.is_file():
            linked += _take_folder(found, path)
        elif _NAME.fullmatch(path.name) or is_export(path.name):
            _take(found, path, path.name)
        else:
            raise InputError(
                f"{path.name}: this is no CAT12 file name; cat_*.xml, catROI_*.xml or catROIs_*.xml"
                " (or .mat) was expected."
            )
    if linked:
        print(f"Links to other folders are not followed: {listing(linked)}.", file=sys.stderr)
    if found.t1prep:
        print(f"Not read, for they are T1Prep's: {listing(found.t1prep)}.", file=sys.stderr)
    _take_exports(found)
    found.order = time_points(found.time_points)
    longitudinal = longitudinal_stems(found)
    for stem, scan in found.scans.items():
        scan.longitudinal = stem in longitudinal
        scan.longitudinal_model = longitudinal_model(stem, found) if scan.longitudinal else ""
    found.scans = dict(sorted(found.scans.items()))
    return found


def _take_folder(found: Found, path: Path) -> list[str]:
    """Take the files below a folder; return the names of folders that are links, which are not followed."""
    linked = list[str]()
    for place, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if name != "err" and not name.startswith("."))
        linked += [name for name in folders if Path(place, name).is_symlink()]
        for name in sorted(names):
            if _NAME.fullmatch(name) or name.endswith((".nii", ".nii.gz")) or is_export(name):
                file = Path(place, name)
                _take(found, file, file.relative_to(path).as_posix())
            elif name.startswith("ROI_") and name.endswith(".json"):
                found.t1prep.append(name)
    return linked


def _take(found: Found, path: Path, source: str) -> None:
    name = _NAME.fullmatch(path.name)
    model = _MODEL_FILE.fullmatch(path.name)
    if model:
        found.models.setdefault(model["stem"], set()).add(model["kind"])
    elif name and name["kind"] == "catlong":
        found.time_points.append(path)
    elif name:
        scan = found.scans.setdefault(name["stem"], Scan(name["stem"]))
        column = _COLUMN[name["kind"]]
        other = scan.paths.get(column)
        if other is not None and other.suffix == path.suffix:
            same = entities(source) == entities(scan.sources[column])
            if not same or not gate.is_same(other, path):
                raise InputError(
                    f"{source}: a different file of this name is in {scan.sources[column]}; a scan needs a"
                    " name of its own, so rename it or keep one of the two."
                )
            found.copies.append(source)
        elif other is None or path.suffix == ".xml":
            scan.paths[column] = path
            scan.sources[column] = source
    elif is_export(path.name):
        found.exports[source] = path
    elif path.name.endswith((".nii", ".nii.gz")):
        found.images.add(path.name.removesuffix(".gz").removesuffix(".nii"))


def _take_exports(found: Found) -> None:
    """Take the scans that CAT12's own tables hold; a table that cannot be read stops where a scan needs it.

    Raises
    ------
    InputError
        A damaged table, and a scan without the file in whose place it would stand.
    """
    damaged: list[tuple[str | None, InputError]] = []
    for source, path in found.exports.items():
        try:
            if is_foreign(path, source):
                print(
                    f"{source}: the first column is not 'names', so it is no table of CAT12.", file=sys.stderr
                )
                continue
            for stem in stems(path, source):
                found.scans.setdefault(stem, Scan(stem)).exports[source] = path
        except InputError as error:
            damaged.append((replaces(path.name), error))
    points = [scan for scan in found.scans.values() if not scan.average]
    for kind, sentence in damaged:
        if not points or (kind and any(kind not in scan.paths for scan in points)):
            raise sentence
        print(f"{sentence} No scan needs this table, so it is not read.", file=sys.stderr)


def longitudinal_stems(found: Found) -> set[str]:
    """Return the scans of the longitudinal pipeline: averages, and those with the leading r that it writes.

    An image's own name may start with r. The r is the pipeline's when the name without it is a BIDS name, is
    an image in the folder, or begins with the same word as an image that the pipeline is known to have read:
    one with an average, in a list of time points, or with a map of the ageing model. It is also where any
    such sign exists, or maps of a leading r, and every scan starts with r and is no image by that name.
    """
    points = {stem for stem in found.scans if not stem.startswith("avg_")}
    read = {stem.removeprefix("avg_") for stem in found.scans.keys() - points} | set(found.order)
    read |= {path.stem.removeprefix("catlong_") for path in found.time_points}
    read |= {stem[1:] for stem, kinds in found.models.items() if "mwmwp1" in kinds}
    if (read or found.models) and all(stem.startswith("r") and stem not in found.images for stem in points):
        return set(found.scans)
    people = {first_word(stem) for stem in read}
    prefixed = {
        stem
        for stem in points
        if stem.startswith("r")
        and (stem[1:].startswith("sub-") or stem[1:] in found.images or first_word(stem[1:]) in people)
    }
    return prefixed | (found.scans.keys() - points)


def longitudinal_model(stem: str, found: Found) -> str:
    """Return the longitudinal model by the modulated grey-matter files beside a scan; blank where none are
    kept.
    """
    kinds = found.models.get(stem, set())
    names = {frozenset({"mwp1"}): "plasticity", frozenset({"mwmwp1"}): "ageing"}
    return "both" if len(kinds) == 2 else names.get(frozenset(kinds), "")


def _named(scan: Scan) -> str:
    """Return the name that tells whose scan this is: a file's, or where there is none the one in CAT12's
    tables.
    """
    return next(iter(scan.sources.values()), scan.stem)


def _row(scan: Scan) -> dict[str, Any]:
    return {
        "scan": scan.stem,
        "participant_id": scan.participant,
        "session_id": scan.session,
        **{column: scan.sources.get(column) for column in _COLUMN.values()},
        "longitudinal": scan.longitudinal,
        "average": scan.average,
        "longitudinal_model": scan.longitudinal_model,
        "exports": "|".join(scan.exports) or None,
    }


def _match(
    points: list[Scan], found: Found, section: dict[str, Any], sessions: list[str], folder: Path, study: Path
) -> list[str]:
    """Give each time point its participant and session; return the stems of those that the study uses."""
    pattern = section.get("pattern")
    listed = _listed(section, folder, set(found.scans), study)
    for scan in points:
        bare = scan.stem[1:] if scan.longitudinal and scan.stem.startswith("r") else scan.stem
        at = found.order.get(bare, Place())
        # The list says it; by file names the developmental model looks like plasticity.
        scan.longitudinal_model = at.model or scan.longitudinal_model
        if listed is not None:
            meant = scan.stem if scan.stem in listed or bare in found.scans else bare
            scan.participant, scan.session = listed.get(meant, (None, None))
            continue
        scan.participant, scan.session = entities(_named(scan))
        person, visit = by_pattern(pattern, bare)
        scan.participant = scan.participant or person or (None if pattern else at.person)
        scan.session = scan.session or _session(scan.stem, at, visit, sessions, folder)
        if scan.participant:
            scan.session = scan.session or section.get("session")
    return [scan.stem for scan in points if listed is None or scan.participant]


def _session(stem: str, place: Place, named: str | None, sessions: list[str], folder: Path) -> str | None:
    """Return the session by the order of time points, else by the pattern.

    A list of fewer images than the study has sessions does not say which are absent, so it decides nothing.
    """
    ordered = sessions[place.place] if place.points == len(sessions) else None
    if ordered and named in sessions and ordered != named:
        raise InputError(
            f"{folder}: the scan {stem} is number {place.place + 1} in CAT12's list of time points"
            f" ({ordered}), but its name says {named}; list the scans in a table (cat12.scans)."
        )
    return ordered or named


def _listed(
    section: dict[str, Any], folder: Path, known: set[str], study: Path
) -> dict[str, tuple[str, str]] | None:
    """Read the study's scans table, if there is one: scan -> participant, session."""
    name = section.get("scans")
    if not name:
        return None
    inside = PurePosixPath(section["folder"])
    data = folder
    for part in reversed([part for part in inside.parts if part != "."]):
        data = data.parent if unicodedata.normalize("NFC", data.name) == part else data
    path = data / name
    table = read_raw(path, str(path)).frame()
    for column in ("scan", "participant_id", "session_id"):
        if column not in table.columns:
            raise InputError(
                f"{path}: column '{column}' is missing; a scans table has scan, participant_id, session_id."
            )
    stems = table["scan"].fillna("").str.replace(r"^cat(ROIs?)?_|\.(xml|mat)$", "", regex=True)
    absent = [stem for stem in stems if stem not in known and f"r{stem}" not in known]
    if absent:
        raise InputError(
            f"{path}: the scan '{absent[0]}' has no CAT12 files in {folder}; correct its name or take its"
            f" row out ({study}, cat12.scans)."
        )
    whose = (table[column].str.normalize("NFC") for column in ("participant_id", "session_id"))
    rows = zip(stems, *whose, strict=True)
    return {
        stem: (participant, session) for stem, participant, session in rows if isinstance(participant, str)
    }


def _check(points: list[Scan], used: list[str], sessions: list[str], folder: Path, study: Path) -> None:
    whose = [scan for scan in points if scan.stem in set(used) and scan.participant and scan.session]
    if not whose:
        first = points[0].stem if points else "averages only"
        raise InputError(
            f"{folder}: none of the {len(points)} scans (first: {first}) could be joined to a participant"
            f" and session; give cat12.scans or cat12.pattern (and cat12.session) in {study}."
        )
    for scan in whose:
        if scan.session not in sessions:
            raise InputError(
                f"{folder}: the scan {scan.stem} is of the session '{scan.session}', which is not among"
                f" the sessions of {study} ({listing(sessions)}); add it there, or list the scans to use"
                " in a table (cat12.scans)."
            )
    groups: dict[tuple[str | None, str | None], list[str]] = {}
    for scan in whose:
        groups.setdefault((scan.participant, scan.session), []).append(scan.stem)
    for (participant, session), names in groups.items():
        if len(names) > 1:
            raise InputError(
                f"{folder}: participant {participant} has the scans {listing(names)} in {session}; list"
                f" the one to use in a table of scans (cat12.scans in {study})."
            )


def _say(points: list[Scan], found: Found) -> None:
    """Tell on standard error what was found; the workflow keeps it in the rule's log."""
    lost = [scan.stem for scan in points if not (scan.participant and scan.session)]
    bare = sum("report" not in scan.paths for scan in points)
    print(
        f"{len(points)} scans, {len(found.scans) - len(points)} averages left out,"
        f" {sum(scan.longitudinal for scan in points)} longitudinal,"
        f" {len(lost)} not matched{f' ({listing(lost)})' if lost else ''}, {len(found.copies)} copies,"
        f" {bare} without a report.",
        file=sys.stderr,
    )
