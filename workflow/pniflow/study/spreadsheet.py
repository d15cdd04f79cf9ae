"""The first sheet of an .xlsx file as text, with what a hostile file could do refused."""

from __future__ import annotations

import datetime
import zipfile
from pathlib import Path

from pniflow.errors import InputError

_LARGEST = 1 << 30  # bytes that a workbook may unpack to


def read_sheet(path: Path, name: str) -> tuple[tuple[str, ...], list[list[str]]]:
    """Read the first sheet: values as they are stored, whole numbers without a point, dates as YYYY-MM-DD.

    Returns
    -------
    header : tuple of str
    columns : list of list of str
        Trimmed later; blank where a cell is empty.

    Raises
    ------
    InputError
        The file is no workbook, unpacks to more than 1 GiB, declares a document type, or its sheet is empty.
    """
    import warnings

    import openpyxl

    try:
        _require_harmless(path, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
            rows = [[_text(cell) for cell in row] for row in book.worksheets[0].iter_rows(values_only=True)]
            book.close()
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, IndexError, SyntaxError):
        raise InputError(
            f"{name}: this is not a readable .xlsx workbook; save the sheet as CSV and name that file."
        ) from None
    while rows and not any(rows[-1]):
        rows.pop()
    if not rows or not any(rows[0]):
        raise InputError(
            f"{name}: the first sheet is empty or begins with a blank line; a header and rows were expected."
        )
    width = max(place for place, cell in enumerate(rows[0], 1) if cell.strip())
    if any(any(row[width:]) for row in rows):
        raise InputError(f"{name}: the first sheet has cells right of its header; give every column a name.")
    padded = [row[:width] + [""] * (width - len(row)) for row in rows]
    return tuple(cell.strip() for cell in padded[0]), [
        list(column) for column in zip(*padded[1:], strict=True)
    ] or [[] for _ in range(width)]


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
