"""FreeSurfer's tables beside CAT12: aseg and aparc statistics, hippocampal subfields with head, body and
tail.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pniflow import files
from pniflow.cat12.index import entities
from pniflow.errors import InputError

_STATS = re.compile(r"(?:(?P<side>lh|rh)\.)?(?P<atlas>aseg|aparc(?:\.[\w.]+?)?)\.stats")
# `lh.hippoSfVolumes-T1.v10.txt` (FreeSurfer 6), `lh.hippoSfVolumes.long.v22.txt`,
# `lh.amygNucVolumes-T1.v21.txt`
_SUBFIELDS = re.compile(r"(?P<side>lh|rh)\.(?P<atlas>hippoSf|amygNuc)Volumes[-\w.]*\.txt")
_ATLASES = {"hippoSf": "freesurfer_hippocampus", "amygNuc": "freesurfer_amygdala"}
_SIDES = {"lh": "left", "rh": "right", "Left": "left", "Right": "right", "left": "left", "right": "right"}
_APARC = {
    "ThickAvg": ("thickness", "mm", 1.0),
    "GrayVol": ("gm_volume", "ml", 1000.0),
    "SurfArea": ("area", "mm2", 1.0),
}
_ASEG = {"Volume_mm3": ("volume", "ml", 1000.0)}
_PARTS = {
    "Whole_hippocampus": "hippocampus",
    "Whole_hippocampal_head": "hippocampal_head",
    "Whole_hippocampal_body": "hippocampal_body",
    "Hippocampal_tail": "hippocampal_tail",
    "Whole_amygdala": "amygdala",
}
_TABLE = ("subfield", "volume_mm^3", "subject", "hemisphere")


class Number(NamedTuple):
    """One number of a table of FreeSurfer."""

    subject: str
    atlas: str
    region: str
    source_name: str
    hemisphere: str
    metric: str
    value: float
    unit: str


def ingest_freesurfer(*, folder: Path, regions: Path) -> None:
    """Read FreeSurfer's statistics and hippocampal subfields into the table that CAT12's regions have.

    Found by name anywhere below the folder: aseg.stats, lh./rh.aparc*.stats, lh./rh.hippoSfVolumes*.txt and
    amygNucVolumes*.txt (volumes in mm3, written as ml), and CSV tables of subfields with the columns
    subfield, volume_mm^3, subject, hemisphere. Atlases are named freesurfer_<name>; numbers are FreeSurfer's
    and never comparable to CAT12's. Participant and session are those of BIDS names in the subject's folder,
    else the subject is the participant.

    Parameters
    ----------
    folder : Path
        A subjects folder, or any folder with such files.
    regions : Path
        Table to write (contract `regions`).

    Raises
    ------
    InputError
        No such files, a table without its header or columns, a value that is no number or negative, a number
        given twice.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for path, source in _walk(folder):
        for number in _numbers(path, source):
            participant, session = entities(number.subject)
            whose = {"participant_id": participant or number.subject, "session_id": session}
            rows.append(number._asdict() | whose | {"source": source})
    if not rows:
        raise InputError(
            f"{folder}: there are no tables of FreeSurfer (aseg.stats, lh.aparc.stats, subfields) here."
        )
    table = pd.DataFrame(rows).rename(columns={"subject": "scan"}).assign(cat_version=None)
    order = ["scan", "atlas", "metric", "source_name"]
    files.write_table(table.sort_values(order, kind="stable"), regions, "regions")


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
                or (name.endswith(".csv") and _is_subfields(path))
            ):
                yield path, path.relative_to(folder).as_posix()


def _numbers(path: Path, source: str) -> Iterator[Number]:
    text = files.read_text(path)
    stats, subfields = _STATS.fullmatch(path.name), _SUBFIELDS.fullmatch(path.name)
    if stats:
        atlas = f"freesurfer_{stats['atlas'].replace('.', '_')}"
        yield from _stats(text, source, atlas, _SIDES.get(stats["side"] or "", ""), path)
    elif subfields:
        subject = path.parent.parent.name if path.parent.name == "mri" else path.parent.name
        for line in text.splitlines():
            name, _, volume = line.strip().partition(" ")
            if not volume or " " in volume:
                raise InputError(f"{source}: the line '{line[:40]}' is not a name and a volume.")
            yield _subfield(
                subject, _ATLASES[subfields["atlas"]], name, volume, _SIDES[subfields["side"]], source
            )
    else:
        for row in _one_analysis(list(csv.DictReader(io.StringIO(text)))):
            side = _SIDES.get(row["hemisphere"], "")
            if not side:
                raise InputError(
                    f"{source}: the hemisphere '{row['hemisphere'][:20]}' is neither left nor right."
                )
            yield _subfield(
                row["subject"], "freesurfer_hippocampus", row["subfield"], row["volume_mm^3"], side, source
            )


def _stats(text: str, source: str, atlas: str, side: str, path: Path) -> Iterator[Number]:
    """Read a statistics file by the columns that its header names."""
    header = re.search(r"^# ColHeaders\s+(.+)$", text, re.MULTILINE)
    if not header:
        raise InputError(
            f"{source}: the line '# ColHeaders' is missing; this is no statistics file of FreeSurfer."
        )
    columns = header[1].split()
    named = re.search(r"^# subjectname\s+(\S+)", text, re.MULTILINE)
    subject = (
        path.parent.parent.name if path.parent.name == "stats" else (named[1] if named else path.parent.name)
    )
    kinds = _APARC if side else _ASEG
    for column in ("StructName", *kinds):
        if column not in columns:
            raise InputError(f"{source}: column '{column}' is missing in '# ColHeaders'.")
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        cells = line.split()
        if len(cells) != len(columns):
            raise InputError(
                f"{source}: the row '{line[:40]}' has {len(cells)} cells, the header {len(columns)}."
            )
        row = dict(zip(columns, cells, strict=True))
        region, where = row["StructName"], side
        if not side:
            word, _, rest = region.partition("-")
            where = _SIDES.get(word, "both")
            region = rest if word in _SIDES else region
        source_name = f"{side[:1]}h.{row['StructName']}" if side else row["StructName"]
        for column, (metric, unit, divisor) in kinds.items():
            value = _value(row[column], source, row["StructName"]) / divisor
            yield Number(subject, atlas, region, source_name, where, metric, value, unit)


def _subfield(subject: str, atlas: str, name: str, volume: str, side: str, source: str) -> Number:
    region = _PARTS.get(name, name)
    return Number(
        subject,
        atlas,
        region,
        f"{side[:1]}h.{name}",
        side,
        "volume",
        _value(volume, source, name) / 1000,
        "ml",
    )


def _one_analysis(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Keep the T1 analysis where a table holds several of one subject; T1 and T2 together is another
    measure.
    """
    modes = {row.get("segmentation_mode") for row in rows}
    return [row for row in rows if row.get("segmentation_mode") == "T1"] if len(modes) > 1 else rows


def _is_subfields(path: Path) -> bool:
    with open(path, encoding="utf-8", errors="replace") as stream:
        return set(_TABLE) <= set(stream.readline().strip().split(","))


def _value(cell: str, source: str, name: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise InputError(f"{source}: {name} is '{cell[:40]}'; a number was expected.") from None
    if not 0 <= value < np.inf:
        raise InputError(f"{source}: {name} is {cell[:40]}; zero or more was expected.")
    return value
