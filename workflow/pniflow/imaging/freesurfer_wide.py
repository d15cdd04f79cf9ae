"""FreeSurfer's wide tables, a row per person and a column per region: aseg- and aparcstats2table."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pniflow import files
from pniflow.errors import InputError, repeated
from pniflow.raw import gate

ENDINGS = (".csv", ".tsv", ".txt", ".dat", ".table")
# The first cell of the table: `Measure:volume`, `lh.aparc.a2009s.thickness`.
_FIRST = re.compile(
    r"Measure:volume|(?P<side>lh|rh)\.(?P<atlas>aparc(?:\.[\w.]+?)?)\.(?P<measure>thickness|volume|area)"
)
_SIGNS = "\t,; "


class Wide(NamedTuple):
    """A cell of a wide table. Of aseg the region is named as in aseg.stats; side and measure are blank."""

    subject: str
    atlas: str
    region: str
    side: str
    measure: str
    cell: str


def is_wide(path: Path) -> bool:
    """Tell a wide table by its ending and its first cell."""
    return path.name.endswith(ENDINGS) and _FIRST.fullmatch(_first_cell(head(path))) is not None


def head(path: Path) -> str:
    """Return how a file begins; nothing for what cannot be read as a file, which no table needs to be."""
    return (
        gate.read_head(path, 4096, path.name).decode("utf-8-sig", errors="replace") if path.is_file() else ""
    )


def read_wide(text: str, source: str) -> Iterator[Wide]:
    """Yield the cells of a wide table; blank cells are missing.

    Of an aparc table the columns of regions, mean thickness and surface area are taken; brain and
    intracranial volume stand in the table of aseg.

    Raises
    ------
    InputError
        Rows of another length than the header, a column or person given twice.
    """
    named = _FIRST.fullmatch(_first_cell(text))
    assert named is not None
    sign = next((sign for sign in _SIGNS if sign in text.partition("\n")[0]), "\t")
    rows = [row for row in files.cells(io.StringIO(text, newline=None), sign, source) if any(row)]
    header = [name.strip() for name in rows[0]]
    people = [_subject(row[0]) for row in rows[1:]]
    for what, names in (("column", header), ("person", people)):
        twice = repeated(filter(None, names))
        if twice:
            raise InputError(f"{source}: the {what} {twice[0]} stands twice; keep one.")
    for number, (row, subject) in enumerate(zip(rows[1:], people, strict=True), start=2):
        if len(row) != len(header):
            raise InputError(f"{source}: row {number} has {len(row)} cells, the header {len(header)}.")
        for name, cell in zip(header[1:], row[1:], strict=True):
            region = _region(name, named)
            if region and cell.strip():
                yield Wide(
                    subject, named["atlas"] or "aseg", region, named["side"] or "", named["measure"] or "",
                    cell.strip(),
                )  # fmt: skip


def _first_cell(text: str) -> str:
    return re.split(rf"[{_SIGNS}\r\n]", text, maxsplit=1)[0].strip('"')


def _subject(cell: str) -> str:
    """Return the person's folder, also where the table was made of paths (`--inputs`)."""
    return PurePosixPath(cell.strip().replace("\\", "/").partition("/stats/")[0]).name


def _region(name: str, named: re.Match[str]) -> str:
    if not named["side"]:
        return name
    found = re.fullmatch(rf"{named['side']}_(.+)_{named['measure']}", name)
    return found[1] if found else ""
