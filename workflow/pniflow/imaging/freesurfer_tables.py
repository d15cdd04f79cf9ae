"""FreeSurfer's tables of many people or of one, told by what they hold: the names of regions.

asegstats2table and aparcstats2table (people in rows or in columns), the tables of quantifyHAsubregions and
its like, SynthSeg, SAMSEG and mri_sclimbic_seg, a row per subfield, or a list of names and volumes; whatever
program saved them last.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from pniflow.errors import InputError, repeated, shown
from pniflow.imaging.freesurfer_regions import (
    SIDES,
    Region,
    are_regions,
    most_common,
    parted,
    regions_of,
    unknown,
)
from pniflow.raw import gate
from pniflow.raw.text_tables import RawTable, numbers, read_raw

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".csv", ".tsv", ".txt", ".dat", ".table")
LONG = ("subfield", "volume_mm^3", "subject", "hemisphere")
"""Columns of a table with a row per subfield."""

_HEAD = 1 << 16
# The first cell of aparcstats2table (`lh.aparc.a2009s.thickness`), the columns below any first cell, and
# what asegstats2table writes before its measure.
_APARC = re.compile(r"(?P<side>lh|rh)\.(?P<atlas>aparc(?:\.[\w.]+?)?)\.(?P<measure>thickness|volume|area)")
_APARC_COLUMN = re.compile(r"(?P<side>lh|rh)_(?P<region>.+)_(?P<measure>thickness|volume|area)")
_ASEG = re.compile(r"Measure[:.](?P<measure>\w+)")
_PEOPLE = {"subject", "subjectid", "case", "timepoint"}
# Numbers that mri_sclimbic_seg and SynthSeg write under the names of their volumes.
_NO_VOLUMES = re.compile(r"z-?scores|confidences|posteriors?\b|(?:^|[._-])qc(?:[._-]|$)", re.IGNORECASE)
NO_VOLUME = re.compile(r".*-to-eTIV|.*SurfaceHoles")
"""Names among those of volumes that are none."""
_MISSING = ("NA", "NaN", "nan", "N/A", "NULL")
_CORTEX = {"MeanThickness", "WhiteSurfArea"}
_REPEATED = {"BrainSegVolNotVent", "eTIV"}  # columns of aparc tables that stand in the table of aseg as well


class Cell(NamedTuple):
    """A number of a table as it stands: mm3 for volumes, mm for thickness, mm2 for areas."""

    subject: str
    region: Region
    source_name: str
    side: str
    measure: str
    value: float
    analysis: str = ""


def kind_of(path: Path, source: str) -> str:
    """Tell a table by its head: `subfields`, `aparc`, `volumes`, `list`; blank for any other file."""
    if not (path.is_file() and path.name.endswith(ENDINGS)) or _NO_VOLUMES.search(path.name):
        return ""
    try:
        text = gate.decoded(gate.read_head(path, _HEAD, source), source).lstrip("\ufeff")
    except InputError:
        return ""
    lines = text.splitlines()[:200]
    if lines and re.match(r'"?sep=', lines[0]):
        lines = lines[1:]
    return _kind([_cells(line) for line in lines if line.strip()])


def atlases_of(path: Path, source: str, kind: str) -> set[str]:
    """Return the atlases that the header of a damaged table names."""
    text = gate.decoded(gate.read_head(path, _HEAD, source), source)
    rows = [_cells(line) for line in text.splitlines() if line.strip()]
    if kind == "aparc":
        first = _APARC.fullmatch(rows[0][0])
        return {f"freesurfer_{(first['atlas'] if first else _atlas_of_columns(rows[0])).replace('.', '_')}"}
    names = {name for row in (rows[0], [row[0] for row in rows]) for name in row if name}
    return {region.atlas for region in regions_of(tuple(sorted(names))).values()}


def _kind(rows: list[list[str]]) -> str:
    if not rows:
        return ""
    header, column = rows[0], [row[0] for row in rows]
    measure = _ASEG.fullmatch(header[0])
    if set(LONG) <= set(header):
        return "subfields"
    if measure and measure["measure"] != "volume":
        return ""
    if _APARC.fullmatch(header[0]) or any(_are_cortex(names) for names in (header[1:], column[1:])):
        return "aparc"
    if not _is_people(header[0]) and all(len(row) == 2 for row in rows) and are_regions(column):
        return "list"
    return "volumes" if measure or are_regions(header[1:]) or are_regions(column[1:]) else ""


def _cells(line: str) -> list[str]:
    """Split the line of a head, whatever sign parts its cells."""
    sign = max("\t,;", key=line.count)
    if sign not in line:
        return [cell.strip('"') for cell in line.split()]
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=sign), [""])]
    except csv.Error:
        return [""]


def _are_cortex(names: Sequence[str]) -> bool:
    """Tell whether more than half of the names are of one measure of the cortex and one parcellation."""
    found = sum(bool(_APARC_COLUMN.fullmatch(name)) for name in names)
    return 2 * found > len(names) and bool(_atlas_of_columns(names))


def _atlas_of_columns(names: Sequence[str]) -> str:
    """Return the parcellation that regions of the cortex tell; blank where they may be of two."""
    held = {found["region"] for name in names if (found := _APARC_COLUMN.fullmatch(name))}
    if any(re.match("[GS]_", region) for region in held):
        return "aparc.a2009s"
    return "aparc" if held & {"bankssts", "frontalpole", "temporalpole"} else ""


def read_table(path: Path, source: str, kind: str, whole: str) -> Iterator[Cell]:
    """Yield the numbers of a table that `kind_of` knows; blank cells and NA are missing.

    Of an aparc table the columns of regions, mean thickness and surface area are taken; volumes of the whole
    brain stand in the table of aseg.

    Parameters
    ----------
    path : Path
        Table.
    source : str
        Its name in sentences.
    kind : str
        What `kind_of` said.
    whole : str
        Whose numbers they are where the table does not say it: the folder's person.

    Raises
    ------
    InputError
        Rows of another length than the header, a column or person given twice, a value that is no number or
        negative, subfields whose side nothing tells.
    """
    raw = read_raw(path, source, blanks=True)
    if kind == "subfields":
        yield from _subfields(raw)
        return
    frame = raw.columns({str(place): place for place in range(len(raw.header))})
    rows = [[name.strip('"') for name in raw.header], *frame.to_numpy().tolist()]
    place = next((n for n, name in enumerate(rows[0]) if _is_people(name)), 0)
    rows = [[row[place], *row[place + 1 :]] for row in rows]
    aparc = _APARC.fullmatch(rows[0][0])
    if _across(rows, kind):
        rows = [list(row) for row in zip(*rows, strict=True)]
    people = [_subject(row[0]) for row in rows[1:]]
    if len(people) == 1 and PurePosixPath(source).parts[1:-1][-1:] in (("mri",), ("stats",)):
        people = [whole]  # SynthSeg writes the image's name there: norm, T1
    for what, names in (("column", rows[0][1:]), ("person", people)):
        if twice := repeated(filter(None, names)):
            raise InputError(f"{source}: the {what} {twice[0]} stands twice; keep one.")
    if not all(people):
        raise InputError(f"{source}: row {people.index('') + 2} names no person; name it, or delete the row.")
    if not people:
        raise InputError(f"{source}: the table has no rows; a row per person was expected.")
    cells = [row[1:] for row in rows[1:]]
    table = _Table(source, rows[0][1:], people, cells, _mark(cells))
    if kind == "aparc":
        yield from _aparc(table, aparc)
    else:
        yield from _volumes(table, side_of(path.name), bool(_ASEG.fullmatch(rows[0][0])))


class _Table(NamedTuple):
    source: str
    names: list[str]
    people: list[str]
    cells: list[list[str]]
    decimal: str

    def column(self, place: int, name: str) -> Iterator[tuple[str, float]]:
        """Yield whose the numbers of a column are, and the numbers; without the missing ones."""
        values = _values([row[place] for row in self.cells], self.source, name, self.decimal)
        return ((who, value) for who, value in zip(self.people, values, strict=True) if value == value)


def _is_people(name: str) -> bool:
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    return plain in _PEOPLE or bool(_ASEG.fullmatch(name) or _APARC.fullmatch(name))


def _across(rows: list[list[str]], kind: str) -> bool:
    """Tell whether the people are the columns."""
    header, column = rows[0][1:], [row[0] for row in rows[1:]]
    if kind == "aparc":
        told = [sum(bool(_APARC_COLUMN.fullmatch(name)) for name in names) for names in (header, column)]
        return told[1] > told[0]
    found = [len(regions_of(tuple(filter(None, names)))) for names in (header, column)]
    return found[1] > found[0]


def _subject(cell: str) -> str:
    """Return the person's folder, also where the table was made of paths (`--inputs`)."""
    return PurePosixPath(cell.strip().replace("\\", "/").partition("/stats/")[0]).name


def side_of(name: str) -> str:
    """Return the side that a file's name says; blank where it says none, or both."""
    words = {SIDES[word] for word in re.split(r"[^a-z]+", name.lower()) if word in SIDES}
    return words.pop() if len(words) == 1 else ""


def placed(region: Region, name: str, side: str, source: str) -> tuple[str, str]:
    """Return the side of a region, the file's where its own name says none, and its name with that side.

    Raises
    ------
    InputError
        The file does not say it either.
    """
    if region.side:
        return region.side, "eTIV" if region.name == "eTIV" else name
    if side:
        return side, f"{side[0]}h.{name}"
    raise InputError(
        f"{source}: neither its names of regions ({region.name}) nor the file's name say of which hemisphere"
        f" these numbers ({region.atlas}) are; put lh or rh into the file's name."
    )


def _volumes(table: _Table, side: str, named: bool) -> Iterator[Cell]:
    """Yield volumes; where FreeSurfer itself named the measure, of names that no table has as well."""
    known = regions_of(tuple(filter(None, table.names)))
    atlas = most_common(known.values())
    for place, name in enumerate(table.names):
        region = known.get(name) or (unknown(name, atlas) if named and name else None)
        if region is None or NO_VOLUME.fullmatch(name):
            continue
        where, written = placed(region, name, side, table.source)
        for person, value in table.column(place, name):
            yield Cell(person, region, written, where, "volume", value)


def _aparc(table: _Table, first: re.Match[str] | None) -> Iterator[Cell]:
    atlas = first["atlas"] if first else _atlas_of_columns(table.names)
    for place, name in enumerate(table.names):
        found = _APARC_COLUMN.fullmatch(name)
        if found:
            side, measure, region = found["side"], found["measure"], found["region"]
        elif first and name not in _REPEATED and name:
            side, measure, region = first["side"], first["measure"], name
        else:
            continue
        if region == "WhiteSurfArea":
            measure = "area"
        named = Region(f"freesurfer_{atlas.replace('.', '_')}", region, SIDES[side], region in _CORTEX)
        for person, value in table.column(place, name):
            yield Cell(person, named, f"{side}.{region}", SIDES[side], measure, value)


def _subfields(raw: RawTable) -> Iterator[Cell]:
    """Yield the rows of a table with a row per subfield."""
    named = {name: raw.position(name, "a table of subfields") for name in LONG}
    more = {name: raw.header.index(name) for name in ("segmentation_mode",) if name in raw.header}
    frame = raw.columns(named | more)
    known = regions_of(tuple(dict.fromkeys(frame["subfield"])))
    values = _values(list(frame["volume_mm^3"]), raw.name, "volume_mm^3", _mark([list(frame["volume_mm^3"])]))
    for number, (row, value) in enumerate(zip(frame.to_dict("records"), values, strict=True), raw.first_row):
        side = SIDES.get(row["hemisphere"].lower(), "")
        if not side:
            raise InputError(
                f"{raw.name}: row {number}: the hemisphere {shown(row['hemisphere'], 20)} is neither left nor"
                " right."
            )
        region = known.get(row["subfield"]) or Region("freesurfer_subfields", row["subfield"], "")
        if value == value:
            name = parted(row["subfield"])[0]
            analysis = row.get("segmentation_mode") or ""
            yield Cell(row["subject"], region, f"{side[:1]}h.{name}", side, "volume", value, analysis)


def _mark(rows: Sequence[Sequence[str]]) -> str:
    """Return the decimal mark of a table: FreeSurfer writes points, other programs may make them commas."""
    cells = [cell for row in rows for cell in row]
    commas = any(re.fullmatch(r"-?\d+,\d+", cell) for cell in cells)
    return "," if commas and not any(re.fullmatch(r"-?\d*\.\d+", cell) for cell in cells) else "."


def _values(cells: list[str], source: str, name: str, decimal: str) -> list[float]:
    import pandas as pd

    series: pd.Series = pd.Series(["" if cell in _MISSING else cell for cell in cells], dtype="str")
    values, wrong = numbers(series, decimal)
    if wrong.any():
        cell = shown(cells[int(wrong.argmax())], 40)
        raise InputError(f"{source}: {name} is {cell}; a number was expected.")
    if (values < 0).any():
        value = values[values < 0][0]
        raise InputError(f"{source}: {name} is {value:g}; zero or more was expected.")
    return [float(value) for value in values]
