"""The files of a random study, as programs save them."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl

from random_sheets import Cell, Row, Sheet
from random_studies import JUNK, Study
from study_files import field, write_dictionary, write_study


def write(study: Study, folder: Path) -> Path:
    """Write a study's files as some program saves them; return its study.yaml."""
    for sheet in study.sheets:
        columns = [sheet.id, *filter(None, [sheet.session]), *(one.name for one in sheet.columns)]
        columns = study.mixed(dict.fromkeys(columns))
        comma = study.chance(0.2)
        path = folder / sheet.file.partition("#")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        if sheet.file.endswith("sub-*_sessions.tsv"):
            columns.remove(sheet.id)
            for person in {row.person for row in sheet.rows}:
                own = path.parent / person / f"{person}_sessions.tsv"
                own.parent.mkdir(exist_ok=True)
                rows = [lined(study, sheet, row, columns) for row in sheet.rows if row.person == person]
                own.write_bytes(saved(study, [columns, *rows], "\t", comma))
            continue
        rows = [lined(study, sheet, row, columns) for row in sheet.rows]
        if path.suffix == ".xlsx":
            write_workbook(study, path, sheet, [columns, *rows])
        else:
            delimiter = "\t" if ".tsv" in path.name else study.one(",;\t" if path.suffix == ".txt" else ",,;")
            content = saved(study, [columns, *rows], delimiter, comma and delimiter == "\t")
            path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)
        if sheet.key == "redcap":
            write_dictionary(folder / "dictionary.csv", dictionary(study, sheet, columns))
    return write_study(folder / "study.yaml", **study.sections)


def lined(study: Study, sheet: Sheet, row: Row, columns: Sequence[str]) -> list[Cell]:
    """Return a row's cells in the order of the columns; what nobody asks for holds anything."""
    free = {one.name for one in sheet.columns if not one.field and not one.name.startswith("redcap_")}
    person = row.person
    if sheet.key == "bids" and study.chance(0.5):
        person = person.removeprefix("sub-")
    cells = {name: Cell(study.one(JUNK)) for name in free} | row.cells | {sheet.id: Cell(person)}
    return [cells.get(name, Cell()) for name in columns]


def saved(study: Study, lines: Sequence[Sequence[Any]], delimiter: str, comma: bool = False) -> bytes:
    """Return delimited text as some program writes it."""
    mark = "," if delimiter == ";" or comma else "."
    quoting = study.one([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    ending = study.one(["\n", "\r\n"])
    pad = " " * study.chance(0.1)
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator=ending, quoting=quoting)
    writer.writerow(lines[0])
    for line in lines[1:]:
        writer.writerow(
            pad + (cell.text.replace(".", mark) if cell.decimal else cell.text) + pad for cell in line
        )
    if study.chance(0.15):
        writer.writerows([[""] * len(lines[0])] * 2)
    text = buffer.getvalue()
    encoding = study.one(["utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252"])
    return text.encode(encoding)


def write_workbook(study: Study, path: Path, sheet: Sheet, lines: Sequence[Sequence[Any]]) -> None:
    """Write a workbook: numbers as numbers, the table on its first sheet or on the one that is named."""
    book = openpyxl.Workbook(write_only=True)
    if "#" in sheet.file:
        book.create_sheet("Read me").append(["About this file"])
    page = book.create_sheet("Data")
    page.append(list(lines[0]))
    for line in lines[1:]:
        page.append([number_of(cell) for cell in line])
    book.save(path)


def number_of(cell: Cell) -> str | float | None:
    """Return a cell as a spreadsheet holds it."""
    plain = cell.text.isdigit() and (cell.text == "0" or cell.text[0] != "0")
    if cell.decimal or plain:
        try:
            return float(cell.text) if "." in cell.text else int(cell.text)
        except ValueError:
            return cell.text
    return cell.text or None


def dictionary(study: Study, sheet: Sheet, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the data dictionary of an export: radio buttons, numbers, free text."""
    known = {one.name: one for one in sheet.columns}
    shared = {name for block in study.blocks for one in block.special.values() for name in one.fields
              if name in block.usual.fields}  # fmt: skip
    fields = [field(sheet.id)]
    for name in columns:
        if name.startswith("redcap_") or name == sheet.id:
            continue
        one = known[name]
        if one.choices and not (one.field in shared and name == one.field):
            codes = " | ".join(f"{code}, Answer {code}" for code in one.choices)
            fields.append(field(name, "radio", choices=codes))
        else:
            fields.append(field(name, "notes" if not one.field else "text"))
    return fields
