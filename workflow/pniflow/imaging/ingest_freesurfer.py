"""FreeSurfer's tables beside CAT12: aseg and aparc statistics, hippocampal subfields with head, body and
tail.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pniflow import contracts, files
from pniflow.config import read_study
from pniflow.errors import InputError, listing
from pniflow.imaging.freesurfer_wide import head, is_wide, read_wide
from pniflow.imaging.naming import by_pattern, entities, unjoined
from pniflow.raw import gate

_STATS = re.compile(r"(?:(?P<side>lh|rh)\.)?(?P<atlas>aseg|aparc(?:\.[\w.]+?)?)\.stats")
# `lh.hippoSfVolumes-T1.v10.txt` (FreeSurfer 6), `lh.hippoSfVolumes-T1.long.v21.txt` (7, longitudinal),
# `lh.amygNucVolumes-T1.v21.txt`, `lh.hippoSfVolumes-T1-T2.v21.txt` (another analysis than that of T1 alone)
_SUBFIELDS = re.compile(
    r"(?P<side>lh|rh)\.(?P<atlas>hippoSf|amygNuc)Volumes(?:-(?P<analysis>[\w-]+))?(?P<long>\.long)?"
    r"\.(?P<version>v\d+)\.txt"
)
# The same numbers in the folder `stats` (FreeSurfer 7): `hipposubfields.lh.T1.long.v21.stats`
_SUBFIELD_STATS = re.compile(
    r"(?P<atlas>hipposubfields|amygdalar-nuclei)\.(?P<side>lh|rh)\.(?P<analysis>[\w-]+)(?P<long>\.long)?"
    r"\.(?P<version>v\d+)\.stats"
)
_TWINS = {"hipposubfields": "hippoSf", "amygdalar-nuclei": "amygNuc"}
_ATLASES = {"hippoSf": "freesurfer_subfields", "amygNuc": "freesurfer_amygdala"}
LONGITUDINAL = "_long"
"""Ends the name of an atlas whose numbers the longitudinal stream made; they are never mixed with others."""

_SIDES = {"lh": "left", "rh": "right", "Left": "left", "Right": "right", "left": "left", "right": "right"}
_APARC = {
    "ThickAvg": ("thickness", "mm", 1.0),
    "GrayVol": ("gm_volume", "ml", 1000.0),
    "SurfArea": ("area", "mm2", 1.0),
}
_ASEG = {"Volume_mm3": ("volume", "ml", 1000.0)}
# Of the lines "# Measure" and their columns in wide tables: those of a hemisphere, and what is no volume.
_CORTEX = {"MeanThickness": ("thickness", "mm"), "WhiteSurfArea": ("area", "mm2")}
_NO_VOLUME = re.compile(r".*-to-eTIV|.*SurfaceHoles")
_WIDE = {"volume": "GrayVol", "thickness": "ThickAvg", "area": "SurfArea"}
_PARTS = {
    "Whole_hippocampus": "hippocampus",
    "Whole_hippocampal_head": "hippocampal_head",
    "Whole_hippocampal_body": "hippocampal_body",
    "Hippocampal_tail": "hippocampal_tail",
    "Whole_amygdala": "amygdala",
}
_TABLE = ("subfield", "volume_mm^3", "subject", "hemisphere")


class Number(NamedTuple):
    """One number of a table of FreeSurfer; `analysis` is what must be alike to compare: version, images."""

    subject: str
    atlas: str
    region: str
    source_name: str
    hemisphere: str
    metric: str
    value: float
    unit: str
    analysis: str = ""
    wide: bool = False


def ingest_freesurfer(*, folder: Path, study: Path | None = None, regions: Path) -> None:
    """Read FreeSurfer's statistics and hippocampal subfields into the table that CAT12's regions have.

    Found by name anywhere below the folder: aseg.stats, lh./rh.aparc*.stats, lh./rh.hippoSfVolumes*.txt and
    amygNucVolumes*.txt (volumes in mm3, written as ml), where they are absent hipposubfields.*.stats and
    amygdalar-nuclei.*.stats, CSV tables of subfields with the columns subfield, volume_mm^3, subject,
    hemisphere, and wide tables of asegstats2table and aparcstats2table, of which a number counts only where
    no statistics file holds it. Of the lines above the regions the volumes of aseg and a hemisphere's mean
    thickness and surface area are taken. Atlases are named freesurfer_<name>, with _long at the end where
    the longitudinal stream made the numbers (a folder <time point>.long.<template>, for subfields a file
    with .long in its name), so that the two are never mixed; numbers are FreeSurfer's and never comparable
    to CAT12's. Of several analyses of one scan's subfields that of T1 alone is kept. Within-person
    templates and fsaverage are left out. Participant and session are those of BIDS names in the time
    point's folder, else of `freesurfer.pattern`; the session else `freesurfer.session`.

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
        given twice, no scan that could be joined to a participant and session.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = [
        number._asdict() | {"source": source}
        for path, source in _walk(folder)
        for number in _numbers(path, source)
    ]
    held = {_key(row) for row in rows if not row["wide"]}
    rows = [row for row in rows if not row["wide"] or _key(row) not in held]
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
    table = pd.DataFrame(_one_analysis(kept)).drop(columns="wide")
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


def _walk(folder: Path) -> Iterator[tuple[Path, str]]:
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder.")
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            if (
                _STATS.fullmatch(name)
                or _SUBFIELDS.fullmatch(name)
                or (_SUBFIELD_STATS.fullmatch(name) and not _twin(path).is_file())
                or (name.endswith(".csv") and _is_subfields(path))
                or is_wide(path)
            ):
                yield path, path.relative_to(folder).as_posix()


def _twin(path: Path) -> Path:
    """Return the text file that holds the numbers of a statistics file of subfields."""
    named = _SUBFIELD_STATS.fullmatch(path.name)
    assert named is not None
    start = f"{named['side']}.{_TWINS[named['atlas']]}Volumes-{named['analysis']}"
    return path.parent.parent / "mri" / f"{start}{named['long'] or ''}.{named['version']}.txt"


def _numbers(path: Path, source: str) -> Iterator[Number]:
    text = gate.read_text(path, source)
    stats = _STATS.fullmatch(path.name)
    in_stats = _SUBFIELD_STATS.fullmatch(path.name)
    subfields = _SUBFIELDS.fullmatch(_twin(path).name if in_stats else path.name)
    if stats:
        yield from _stats(text, source, stats["atlas"], _SIDES.get(stats["side"] or "", ""), path)
    elif subfields:
        subject = _subject(path, source)
        atlas = _ATLASES[subfields["atlas"]] + (LONGITUDINAL if subfields["long"] else "")
        analysis = f"{subfields['analysis'] or 'T1'} {subfields['version']}"
        for line in text.splitlines():
            if in_stats and line.startswith("#"):
                continue
            cells = line.split()
            if len(cells) != (5 if in_stats else 2):
                what = "of index, id, voxels, volume and name" if in_stats else "a name and a volume"
                raise InputError(f"{source}: the line '{line[:40]}' is not {what}.")
            name, volume = (cells[4], cells[3]) if in_stats else cells
            yield _subfield(subject, atlas, name, volume, _SIDES[subfields["side"]], source, analysis)
    elif is_wide(path):
        yield from _of_wide(text, source)
    else:
        header, *rows = (row for row in files.cells(io.StringIO(text), ",", source) if row)
        for cells in rows:
            row = dict(zip(header, cells, strict=False))
            if len(cells) != len(header):
                raise InputError(
                    f"{source}: a row of {row.get('subject')} has another number of cells than the header."
                )
            side, subject = _SIDES.get(row["hemisphere"], ""), row["subject"]
            if not side:
                raise InputError(
                    f"{source}: the hemisphere '{row['hemisphere'][:20]}' is neither left nor right."
                )
            atlas = _named("subfields", subject)
            analysis = row.get("segmentation_mode") or ""
            yield _subfield(subject, atlas, row["subfield"], row["volume_mm^3"], side, source, analysis)


def _named(atlas: str, subject: str) -> str:
    """Return the atlas's name here: `freesurfer_aparc_a2009s_long` for aparc.a2009s of a longitudinal run."""
    return f"freesurfer_{atlas.replace('.', '_')}" + (LONGITUDINAL if ".long." in subject else "")


def _subject(path: Path, source: str) -> str:
    """Return the subject that a file is about: the folder above `stats` or `mri`, after the folders that tell
    the person where that one does not (`sub-01/ses-1/stats`: sub-01_ses-1).
    """
    inside = path.parent.name in ("mri", "stats")
    name = path.parent.parent.name if inside else path.parent.name
    above = source.split("/")[: -3 if inside else -2]
    if entities(f"{'/'.join(above)}/{name}") == entities(name):
        return name
    start = next(place for place, part in enumerate(above) if entities(part) != (None, None))
    return "_".join([*above[start:], name])


def _stats(text: str, source: str, atlas: str, side: str, path: Path) -> Iterator[Number]:
    """Read a statistics file by the columns that its header names."""
    header = re.search(r"^# ColHeaders\s+(.+)$", text, re.MULTILINE)
    if not header:
        raise InputError(
            f"{source}: the line '# ColHeaders' is missing; this is no statistics file of FreeSurfer."
        )
    columns = header[1].split()
    named = re.search(r"^# subjectname\s+(\S+)", text, re.MULTILINE)
    alone = named and path.parent.name != "stats"
    subject = named[1] if named and alone else _subject(path, source)
    atlas = _named(atlas, subject)
    version = re.search(r"^# cvs_version (?:\$Id: \S+ )?(\d[\w.]*)", text, re.MULTILINE)
    analysis = version[1] if version else ""
    for name, (cell, unit) in _measures(text).items():
        if side and name in _CORTEX:
            yield _of_cortex(subject, atlas, name, side, cell, source, analysis=analysis)
        elif not side and unit == "mm^3":
            yield _of_brain(subject, atlas, name, cell, source, analysis=analysis)
    kinds = _APARC if side else _ASEG
    for column in ("StructName", *kinds):
        if column not in columns:
            raise InputError(f"{source}: column '{column}' is missing in '# ColHeaders'.")
    for row in _rows(text, columns, source):
        region, where = (row["StructName"], side) if side else _sided(row["StructName"])
        source_name = f"{side[:1]}h.{row['StructName']}" if side else row["StructName"]
        for column, (metric, unit, divisor) in kinds.items():
            value = _value(row[column], source, row["StructName"]) / divisor
            yield Number(subject, atlas, region, source_name, where, metric, value, unit, analysis)


def _rows(text: str, columns: list[str], source: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a statistics file below its header, each as column -> cell."""
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        cells = line.split()
        if len(cells) != len(columns):
            raise InputError(
                f"{source}: the row '{line[:40]}' has {len(cells)} cells, the header {len(columns)}."
            )
        yield dict(zip(columns, cells, strict=True))


def _measures(text: str) -> dict[str, tuple[str, str]]:
    """Return the lines `# Measure Field, Name, words, 1.5, mm`: name -> value and unit.

    FreeSurfer forgets a comma after some names.
    """
    lines = re.findall(r"^# Measure [^,\n]+, (\w[^\s,]*).*?([^\s,]+), (\S+)[ \t]*$", text, re.MULTILINE)
    return {name: (value, unit) for name, value, unit in lines}


def _sided(name: str) -> tuple[str, str]:
    """Return region and side of a name of aseg: `Left-Hippocampus`, `lhCortexVol`, `Brain-Stem`."""
    found = re.fullmatch(r"(Left|Right)-(.+)|(lh|rh)([A-Z].*)", name)
    return (found[2] or found[4], _SIDES[found[1] or found[3]]) if found else (name, "both")


def _of_cortex(subject: str, atlas: str, name: str, side: str, cell: str, source: str, **more: Any) -> Number:
    metric, unit = _CORTEX[name]
    value = _value(cell, source, name)
    return Number(subject, atlas, name, f"{side[:1]}h.{name}", side, metric, value, unit, **more)


def _of_brain(subject: str, atlas: str, name: str, cell: str, source: str, **more: Any) -> Number:
    name = "eTIV" if name == "EstimatedTotalIntraCranialVol" else name
    region, side = _sided(name)
    value = _value(cell, source, name) / 1000
    return Number(subject, atlas, region, name, side, "volume", value, "ml", **more)


def _of_wide(text: str, source: str) -> Iterator[Number]:
    """Read a wide table as the statistics files that it was made of; it does not say FreeSurfer's version."""
    for cell in read_wide(text, source):
        subject, region, side = cell.subject, cell.region, _SIDES.get(cell.side, "")
        atlas = _named(cell.atlas, subject)
        if not side:
            if not _NO_VOLUME.fullmatch(region):
                yield _of_brain(subject, atlas, region, cell.cell, source, wide=True)
        elif region in _CORTEX:
            yield _of_cortex(subject, atlas, region, side, cell.cell, source, wide=True)
        else:
            metric, unit, divisor = _APARC[_WIDE[cell.measure]]
            value = _value(cell.cell, source, region) / divisor
            name = f"{cell.side}.{region}"
            yield Number(subject, atlas, region, name, side, metric, value, unit, wide=True)


def _key(row: dict[str, Any]) -> tuple[str, ...]:
    return row["subject"], row["atlas"], row["source_name"], row["metric"]


def _subfield(
    subject: str, atlas: str, name: str, volume: str, side: str, source: str, analysis: str
) -> Number:
    value = _value(volume, source, name) / 1000
    source_name = f"{side[:1]}h.{name}"
    return Number(subject, atlas, _PARTS.get(name, name), source_name, side, "volume", value, "ml", analysis)


def _one_analysis(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep one analysis of each subject's atlas, that of T1 alone; T1 and T2 together is another measure.

    Raises
    ------
    InputError
        A number stands twice: in two analyses of T1, or in two files.
    """
    kinds: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        kinds.setdefault((row["subject"], row["atlas"]), set()).add(row["analysis"])
    wanted = {
        key: {kind for kind in held if re.fullmatch(r"T1( v\d+)?", kind)} for key, held in kinds.items()
    }
    kept: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows:
        if row["analysis"] not in (wanted[row["subject"], row["atlas"]] or {row["analysis"]}):
            continue
        other = kept.setdefault(_key(row), row)
        if other is not row:
            raise InputError(
                f"{row['source']}: {row['source_name']} of {row['subject']} stands in {other['source']} as"
                " well; keep one of the two."
            )
    return list(kept.values())


def _is_subfields(path: Path) -> bool:
    return set(_TABLE) <= set(head(path).partition("\n")[0].strip().split(","))


def _value(cell: str, source: str, name: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise InputError(f"{source}: {name} is '{cell[:40]}'; a number was expected.") from None
    if not 0 <= value < np.inf:
        raise InputError(f"{source}: {name} is {cell[:40]}; zero or more was expected.")
    return value
