"""A sheet of an .xlsx file as text, with what a hostile file could do refused."""

from __future__ import annotations

import datetime
import re
import unicodedata
import zipfile
from pathlib import Path
from typing import Any

from pniflow.errors import InputError, listing, nearest
from pniflow.raw.gate import open_zip

_MOST_CELLS = 50_000_000  # of a sheet, blank ones counted
_LAST_ROW = 1 << 20  # that a sheet can have
# Of a formula that gives blank text a program notes that it gives text.
_UNCALCULATED = re.compile(
    rb'<c r="([A-Z]{1,3}[0-9]+)"(?![^>]*t="str")[^>]*><f[^>]*(?:/>|>[^<]*</f>)(?:<v ?/>|<v></v>)?</c>'
)
# Text of a number that, were it text, could be read as 1250.
_DOUBLE = re.compile(r"-?[1-9][0-9]{0,2}[.][0-9]{3}")


def read_sheet(path: Path, name: str, sheet: str = "") -> list[list[str]]:
    """Read a sheet: values as they are stored, whole numbers without a point, dates as YYYY-MM-DD.

    Parameters
    ----------
    path, name : Path, str
        The workbook, and its name for sentences.
    sheet : str, optional
        Name of the sheet; without it the first.

    Returns
    -------
    list of list of str
        Columns, the header line first; trimmed later, blank where a cell is empty.

    Raises
    ------
    InputError
        The file is no workbook (`gate.open_zip`), its sheet is absent, or further sheets have the columns of
        the first, so that one of them must be chosen.
    """
    import warnings

    import openpyxl

    content = open_zip(path, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(content, read_only=True, data_only=True, keep_links=False)
            for one in book.worksheets:
                # The dimension that a sheet claims may be too small for its rows, or larger by far.
                one.reset_dimensions()
            chosen = _chosen({one.title: one for one in book.worksheets}, sheet, name)
            rows = _rows(chosen, name)
            _mark_uncalculated(rows, zipfile.ZipFile(content).read(chosen._worksheet_path))
            book.close()
    except InputError:
        raise
    except Exception:  # openpyxl has no error of its own: a damaged workbook meets whatever it leads to
        raise InputError(
            f"{name}: this is not a readable .xlsx workbook; save the sheet as CSV and name that file."
        ) from None
    width = max(map(len, rows), default=0)
    return [[row[place] if place < len(row) else "" for row in rows] for place in range(width)]


def _rows(sheet: Any, name: str) -> list[list[str]]:
    """Return the rows of a sheet as text, without blank cells and rows at the end."""
    rows: list[list[str]] = []
    width = filled = 0
    for row in sheet.iter_rows(values_only=True):
        rows.append([_text(cell) for cell in row])
        while rows[-1] and not rows[-1][-1]:
            rows[-1].pop()
        if rows[-1]:
            width, filled = max(width, len(rows[-1])), len(rows)
        if len(rows) > _LAST_ROW or filled * width > _MOST_CELLS:
            raise InputError(
                f"{name}: the sheet goes to row {len(rows)} and column {width}, which is more than is read; "
                "delete what stands far below or right of the table."
            )
    return rows[:filled]


def _mark_uncalculated(rows: list[list[str]], sheet: bytes) -> None:
    """Write into cells of formulas that no program has calculated that they are not blank."""
    from openpyxl.utils.cell import coordinate_to_tuple

    for found in _UNCALCULATED.finditer(sheet):
        row, column = coordinate_to_tuple(found[1].decode())
        if row <= len(rows) and any(rows[row - 1]):
            rows[row - 1] += [""] * (column - len(rows[row - 1]))
            rows[row - 1][column - 1] = "#not calculated"


def _chosen(sheets: dict[str, Any], wanted: str, name: str) -> Any:
    """Return the sheet that is wanted; were the first just taken, others like it would be lost in silence."""
    if wanted and wanted not in sheets:
        raise InputError(
            f"{name}: there is no sheet '{wanted}'{nearest(wanted, sheets)}; sheets are "
            f"{listing(list(sheets))}."
        )
    first, *others = sheets.values()
    if wanted:
        return sheets[wanted]
    head = _header(first)
    again = [one.title for one in others if any(head) and _header(one) == head]
    if again:
        raise InputError(
            f"{name}: the sheets {listing([first.title, *again])} have the same columns; name the one that "
            f"is meant ({name}#{first.title}), each of them as a table of its own if all are."
        )
    return first


def _header(sheet: Any) -> list[str]:
    return [_text(cell).strip() for cell in next(sheet.iter_rows(max_row=1, values_only=True), ())]


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, float):
        return f"{cell!r}0" if _DOUBLE.fullmatch(repr(cell)) else repr(cell)
    if isinstance(cell, datetime.datetime):
        return cell.date().isoformat() if cell.time() == datetime.time() else cell.isoformat(sep=" ")
    return unicodedata.normalize("NFC", str(cell))
