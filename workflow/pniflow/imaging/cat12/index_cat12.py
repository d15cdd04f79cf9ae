"""Which scans a folder holds, and whose they are: by file name, wherever the files lie."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path, PurePosixPath
from typing import Any

from pniflow import contracts
from pniflow.config import read_study
from pniflow.errors import InputError, listing, shown
from pniflow.imaging.cat12.scan_files import COLUMNS, Found, Scan, find_scans
from pniflow.imaging.naming import Place, by_folders, by_pattern, entities, home, say_misplaced, unjoined
from pniflow.raw.text_tables import read_raw


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
        if scan.average:
            scan.participant = entities(scan.stem)[0] or entities(f"{home(scan.source)}/")[0]
    used = _match(points, found, section, sessions, folder, study)
    _check([scan for scan in points if scan.name in set(used)], points, section, sessions, folder, study)
    share = np.array_split(np.array(used, dtype=object), batches)
    batch = {name: number for number, part in enumerate(share, start=1) for name in part}
    rows = [_row(scan) | {"batch": batch.get(name, pd.NA)} for name, scan in found.scans.items()]
    contracts.write_table(pd.DataFrame(rows).astype({"batch": "Int64"}), scans, "scans")
    _say(points, found)


def _row(scan: Scan) -> dict[str, Any]:
    return {
        "scan": scan.name,
        "participant_id": scan.participant,
        "session_id": scan.session,
        **{column: scan.sources.get(column) for column in COLUMNS.values()},
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
        at = found.order.get(bare, Place()) if not scan.folder else Place()
        # The list says it; by file names the developmental model looks like plasticity.
        scan.longitudinal_model = at.model or scan.longitudinal_model
        if listed is not None:
            meant = scan.name if scan.name in listed or bare in found.scans else bare
            scan.participant, scan.session = listed.get(meant, (None, None))
            continue
        for source in reversed(scan.sources.values() or [scan.stem]):
            scan.participant, scan.session = entities(source)  # refused where a folder says another person
        person, visit = by_pattern(pattern, f"{home(scan.source)}/{bare}", sessions)
        _, lies = by_folders(scan.source, sessions)
        if scan.folder and not pattern:
            person, visit = by_folders(scan.source, sessions)
        scan.participant = scan.participant or person or (None if pattern else at.person)
        said = scan.session or _session(scan.stem, at, visit, sessions, folder)
        scan.session = said or (lies if scan.participant else None)
        if scan.participant:
            scan.session = scan.session or section.get("session")
    if listed is None:
        say_misplaced({scan.source: scan.session for scan in points}, sessions)
    return [scan.name for scan in points if listed is None or scan.participant]


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


def _check(
    used: list[Scan],
    points: list[Scan],
    section: dict[str, Any],
    sessions: list[str],
    folder: Path,
    study: Path,
) -> None:
    whose = [scan for scan in used if scan.participant and scan.session]
    if not whose:
        if not points:
            raise InputError(f"{folder}: there are averages only; the time points' own files are needed.")
        first = shown(points[0].source, quoted=False)
        rows = [{"participant_id": scan.participant} for scan in points]
        raise InputError(
            f"{folder}: none of the {len(points)} scans (first: {first})"
            f" {unjoined(rows, section, 'cat12')} in {study}, or list the scans in a table (cat12.scans)."
        )
    people = {scan.participant for scan in whose}
    for scan in whose if not section.get("scans") else ():
        for other in people.intersection(home(scan.source).split("/")) - {scan.participant}:
            raise InputError(
                f"{scan.source}: the name says {scan.participant}, but a folder says {other}; move or rename"
                " the file, so that both say one participant."
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
        groups.setdefault((scan.participant, scan.session), []).append(scan.name)
    for (participant, session), names in groups.items():
        if len(names) > 1:
            raise InputError(
                f"{folder}: participant {participant} has the scans {listing(names)} in {session}; list"
                f" the one to use in a table of scans (cat12.scans in {study})."
            )


def _say(points: list[Scan], found: Found) -> None:
    """Tell on standard error what was found; the workflow keeps it in the rule's log."""
    lost = [scan.name for scan in points if not (scan.participant and scan.session)]
    bare = sum("report" not in scan.paths for scan in points)
    print(
        f"{len(points)} scans, {len(found.scans) - len(points)} averages left out,"
        f" {sum(scan.longitudinal for scan in points)} longitudinal,"
        f" {len(lost)} not matched{f' ({listing(lost)})' if lost else ''}, {len(found.copies)} copies,"
        f" {bare} without a report.",
        file=sys.stderr,
    )
