"""FreeSurfer's numbers beside CAT12: statistics of aseg, aparc and other segmentations, subfields, tables."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pniflow import contracts
from pniflow.config import read_study
from pniflow.errors import InputError, listing
from pniflow.imaging.freesurfer_files import (
    ENDING,
    FILE,
    LISTS,
    LONGITUDINAL,
    STATISTICS,
    TABLE,
    Number,
    kind_of_file,
    person_of,
    read_file,
)
from pniflow.imaging.freesurfer_tables import ENDINGS, atlases_of, kind_of, read_table
from pniflow.imaging.naming import by_pattern, entities, unjoined
from pniflow.imaging.ranges import refuse_impossible

_OWN = {"mri", "stats", "surf", "label", "scripts", "touch", "tmp", "trash", "src"}
"""Folders of a person that FreeSurfer writes, with many texts that are no tables."""
# What the measures of a table of the cortex are here: metric, unit, what to divide by.
_CORTEX = {
    "volume": ("gm_volume", "ml", 1000.0),
    "thickness": ("thickness", "mm", 1.0),
    "area": ("area", "mm2", 1.0),
}


def ingest_freesurfer(*, folder: Path, study: Path | None = None, regions: Path) -> None:
    """Read FreeSurfer's statistics, subfields and side tables into the table that CAT12's regions have.

    Read anywhere below the folder: aseg.stats, lh./rh.aparc*.stats, and by the regions that they name
    (`resources/atlases/freesurfer_*.tsv`) any other statistics file of volumes (subfields of hippocampus,
    amygdala, thalamus, brainstem and hypothalamus, wmparc, sclimbic, SAMSEG), lists of names and volumes
    (lh.hippoSfVolumes*.txt), and tables of several people: asegstats2table and aparcstats2table with people
    in rows or columns, quantifyHAsubregions and its like, SynthSeg's and mri_sclimbic_seg's volumes, a row
    per subfield with the columns subfield, volume_mm^3, subject, hemisphere. Volumes are mm3 there and
    written as ml. A number that stands in several kinds of file counts once: that of a list, else of a
    statistics file, else of a table. What looks like a table and is none of these is named on standard error.

    Atlases are named freesurfer_<name>, with _long at the end where the longitudinal stream made the numbers
    (a folder <time point>.long.<template>, for subfields a file with .long in its name), so that the two are
    never mixed; numbers are FreeSurfer's and never comparable to CAT12's. Of several analyses of one scan's
    subfields that of T1 alone is kept. Within-person templates and fsaverage are left out. Participant and
    session are those of BIDS names in the time point's folder, else of `freesurfer.pattern`; the session else
    `freesurfer.session`.

    Parameters
    ----------
    folder : Path
        A subjects folder, or any folder with such files.
    study : Path, optional
        study.yaml; without it BIDS names tell whose a folder is, else the subject is the participant.
    regions : Path
        Table to write (contract `regions`).

    Raises
    ------
    InputError
        No such files, a table without its header or columns, a value that is no number or negative, a number
        given twice, subfields of which nothing tells the side, no scan that could be joined to a participant
        and session. A damaged table is named and passed over where people's own files hold its atlas.
    """
    import pandas as pd

    rows = _settled(_read(folder))
    subjects = sorted({row["subject"] for row in rows})
    templates = {"fsaverage"}
    for subject in subjects:
        point, _, template = subject.partition(".long.")
        templates |= {template, f"{point.rpartition('_')[0]}_{template}"} if template else set()
    described = read_study(study) if study else {}
    section = described.get("freesurfer", {}) if study else None
    known = list(described.get("sessions", ()))
    whose = {subject: _whose(subject, section, known) for subject in subjects if subject not in templates}
    kept = [row | whose[row["subject"]] for row in rows if row["subject"] in whose]
    if not kept:
        raise InputError(
            f"{folder}: there are no tables of FreeSurfer (aseg.stats, lh.aparc.stats, subfields) here."
        )
    lost = [subject for subject, place in whose.items() if None in place.values()]
    if study and len(lost) == len(whose):
        raise InputError(
            f"{folder}: none of the {len(whose)} folders of FreeSurfer (first: {lost[0]})"
            f" {unjoined(whose.values(), section or {}, 'freesurfer')} in {study}."
        )
    print(
        f"{len(whose)} folders of FreeSurfer, {len(subjects) - len(whose)} templates left out,"
        f" {len(lost)} not matched{f' ({listing(lost)})' if lost else ''}.",
        file=sys.stderr,
    )
    table = pd.DataFrame(kept).drop(columns=["rank", "whole"])
    refuse_impossible(table)
    table = table.rename(columns={"subject": "scan", "analysis": "cat_version"})
    table["cat_version"] = table["cat_version"].replace("", None)
    order = ["scan", "atlas", "metric", "source_name"]
    contracts.write_table(table.sort_values(order, kind="stable"), regions, "regions")


def _whose(subject: str, section: Mapping[str, Any] | None, sessions: list[str]) -> dict[str, str | None]:
    """Return participant and session of a subject's folder (`sub-01_ses-pre.long.sub-01`).

    `section` is what study.yaml says of FreeSurfer; without a study the folder is the participant.
    """
    point = subject.partition(".long.")[0]
    participant, session = entities(point)
    if section is None:
        return {"participant_id": participant or subject, "session_id": session}
    person, visit = by_pattern(section.get("pattern"), point, sessions)
    participant = participant or person
    session = session or visit or (section.get("session") if participant else None)
    return {"participant_id": participant, "session_id": session}


def _read(folder: Path) -> list[dict[str, Any]]:
    """Return the numbers of all files; name on standard error what was not read."""
    rows: list[dict[str, Any]] = []
    damaged: list[tuple[set[str], InputError]] = []
    unread: Counter[str] = Counter()
    for path, source in _walk(folder):
        own = kind_of_file(path, source)
        kind = own or kind_of(path, source)
        if not kind:
            unread[path.name if path.name.endswith(ENDING) else source] += 1
            continue
        read = read_file if own or kind == "list" else _of_table
        try:
            rows += [number._asdict() | {"source": source} for number in read(path, source, kind)]
        except InputError as error:
            if read is read_file:
                raise
            damaged.append((atlases_of(path, source, kind), error))
    held = {row["atlas"].removesuffix(LONGITUDINAL) for row in rows if row["rank"] < TABLE}
    for atlases, sentence in damaged:
        if not atlases or not atlases <= held:
            raise sentence
        print(f"{sentence} It is passed over: people's own files hold its atlas.", file=sys.stderr)
    if unread:
        names = [f"{name} ({count} files)" if count > 1 else name for name, count in sorted(unread.items())]
        print(
            f"Not read, for no regions of FreeSurfer were recognized: {listing(names, 30)}.", file=sys.stderr
        )
    return rows


def _walk(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files that may be tables of FreeSurfer."""
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder.")
    for place, folders, names in os.walk(folder):
        folders.sort()
        within = {*Path(place).relative_to(folder).parts} & _OWN
        for name in sorted(names):
            path = Path(place, name)
            if (
                name.endswith(ENDING)
                or LISTS.fullmatch(name)
                or (name.endswith(ENDINGS) and (not within or kind_of(path, name)))
            ):
                yield path, path.relative_to(folder).as_posix()


def _of_table(path: Path, source: str, kind: str) -> Iterator[Number]:
    """Read a table of several people as the files that it was made of."""
    for cell in read_table(path, source, kind, person_of(path, source)):
        region = cell.region
        atlas = region.atlas + (LONGITUDINAL if ".long." in cell.subject else "")
        metric, unit, divisor = ("volume", "ml", 1000.0)
        if kind == "aparc":
            metric, unit, divisor = _CORTEX[cell.measure]
        elif region.atlas.endswith("wmparc"):
            metric = "wm_volume"
        yield Number(
            cell.subject, atlas, region.name, cell.source_name, cell.side, metric, cell.value / divisor, unit,
            cell.analysis, TABLE, region.whole,
        )  # fmt: skip


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return row["subject"], row["atlas"], row["region"], row["hemisphere"], row["metric"]


def _settled(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep each number once: of people's own files and of tables one analysis, and the first place to stand.

    Raises
    ------
    InputError
        A number stands twice in one kind of file: in two analyses of T1, or in two tables.
    """
    rows = list(rows)
    own = _one_analysis([row for row in rows if row["rank"] < TABLE])
    chosen = own + _one_analysis([row for row in rows if row["rank"] == TABLE])
    kept: dict[tuple[str, ...], dict[str, Any]] = {}
    for rank in (FILE, STATISTICS, TABLE):
        held: dict[tuple[str, ...], dict[str, Any]] = {}
        for row in chosen:
            if row["rank"] == rank and _key(row) not in kept:
                other = held.setdefault(_key(row), row)
                same = row["whole"] and other["whole"] and np.isclose(other["value"], row["value"], 1e-6)
                if other is not row and not same:
                    raise InputError(_twice(other, row))
        kept |= held
    return list(kept.values())


def _twice(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    name = f"{other['source_name']} of {other['subject']}"
    if one["source"] == other["source"]:
        return f"{one['source']}: {name} stands there twice; keep one of the two."
    if other["whole"]:
        return (
            f"{other['source']}: {name} is {other['value']:g} ml, but {one['value']:g} ml in {one['source']};"
            " they are of different runs, so keep one of the two."
        )
    return f"{other['source']}: {name} stands in {one['source']} as well; keep one of the two."


def _one_analysis(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep one analysis of each subject's atlas, that of T1 alone; T1 and T2 together is another measure."""
    kinds: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        kinds.setdefault((row["subject"], row["atlas"]), set()).add(row["analysis"])
    wanted = {
        key: {kind for kind in held if re.fullmatch(r"T1( v\d+)?", kind)} for key, held in kinds.items()
    }
    return [
        row for row in rows if row["analysis"] in (wanted[row["subject"], row["atlas"]] or {row["analysis"]})
    ]
