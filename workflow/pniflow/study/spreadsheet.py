"""A sheet of an .xlsx file as text, with what a hostile file could do refused."""

from __future__ import annotations

import datetime
import zipfile
from pathlib import Path
from typing import Any

from pniflow.errors import InputError, listing, nearest

_LARGEST = 1 << 30  # bytes that a workbook may unpack to


def read_sheet(path: Path, name: str, sheet: str = "") -> tuple[tuple[str, ...], list[list[str]]]:
    """Read a sheet: values as they are stored, whole numbers without a point, dates as YYYY-MM-DD.

    Parameters
    ----------
    path, name : Path, str
        The workbook, and its name for sentences.
    sheet : str, optional
        Name of the sheet; without it the first.

    Returns
    -------
    header : tuple of str
    columns : list of list of str
        Trimmed later; blank where a cell is empty.

    Raises
    ------
    InputError
        The file is no workbook, unpacks to more than 1 GiB, declares a document type, its sheet is absent or
        empty, or further sheets have the columns of the first, so that one of them must be chosen.
    """
    import warnings

    import openpyxl

    try:
        _require_harmless(path, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
            chosen = _chosen({one.title: one for one in book.worksheets}, sheet, name)
            rows = [[_text(cell) for cell in row] for row in chosen.iter_rows(values_only=True)]
            book.close()
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, IndexError, SyntaxError):
        raise InputError(
            f"{name}: this is not a readable .xlsx workbook; save the sheet as CSV and name that file."
        ) from None
    while rows and not any(rows[-1]):
        rows.pop()
    if not rows or not any(rows[0]):
        raise InputError(
            f"{name}: the sheet is empty or begins with a blank line; a header and rows were expected."
        )
    width = max(place for place, cell in enumerate(rows[0], 1) if cell.strip())
    if any(any(row[width:]) for row in rows):
        raise InputError(
            f"{name}: the sheet has cells right of its header, row 1; delete a title above the header, and "
            "give every column a name."
        )
    padded = [row[:width] + [""] * (width - len(row)) for row in rows]
    return tuple(cell.strip() for cell in padded[0]), [
        list(column) for column in zip(*padded[1:], strict=True)
    ] or [[] for _ in range(width)]


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
    if isinstance(cell, datetime.datetime):
        return cell.date().isoformat() if cell.time() == datetime.time() else cell.isoformat(sep=" ")
    return str(cell)


def _require_harmless(path: Path, name: str) -> None:
    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > _LARGEST:
            raise InputError(
                f"{name}: the workbook unpacks to more than 1 GiB; save the sheet as CSV and name that file."
            )
        for member in archive.namelist():
            if member.endswith((".xml", ".rels")):
                with archive.open(member) as stream:
                    head = stream.read(4096)
                if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
                    raise InputError(
                        f"{name}: {member} declares a document type, which no workbook needs; it is not read."
                    )
