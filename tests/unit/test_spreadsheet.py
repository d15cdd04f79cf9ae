"""Sheets of workbooks are read whole, and hostile workbooks are one sentence."""

from __future__ import annotations

import re
import time
import zipfile
from pathlib import Path

import openpyxl
import pytest

from pniflow.errors import InputError
from pniflow.raw.text_tables import RawTable, read_raw

SHEET = "xl/worksheets/sheet1.xml"


def workbook(path: Path, *rows: list[object]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def rewritten(path: Path, pattern: str, by: str) -> Path:
    """Change the XML of the sheet."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[SHEET] = re.sub(pattern, by, members[SHEET].decode()).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def cells_of(table: RawTable) -> list[list[str]]:
    return table.columns({str(place): place for place in range(len(table.header))}).to_numpy().tolist()


PEOPLE = [["id", "age"], ["p1", 31], ["p2", 42], ["p3", 53]]


@pytest.mark.parametrize("claimed", ["A1:B2", "A1:A1", "A1:XFD1048576", "B2:C3"])
def test_every_row_is_read_whatever_dimension_the_sheet_claims(tmp_path: Path, claimed: str) -> None:
    path = rewritten(
        workbook(tmp_path / "t.xlsx", *PEOPLE), 'dimension ref="[^"]*"', f'dimension ref="{claimed}"'
    )
    before = time.process_time()
    assert cells_of(read_raw(path)) == [["p1", "31"], ["p2", "42"], ["p3", "53"]]
    assert time.process_time() - before < 5


def test_a_dimension_too_small_hides_no_second_sheet_of_the_same_columns(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["id", "age"])
    book.create_sheet("T2").append(["id", "age"])
    book.save(tmp_path / "t.xlsx")
    rewritten(tmp_path / "t.xlsx", 'dimension ref="[^"]*"', 'dimension ref="A1:A1"')
    with pytest.raises(InputError, match="the sheets Sheet, T2 have the same columns"):
        read_raw(tmp_path / "t.xlsx")


def test_numbers_of_a_workbook_are_numbers_and_its_text_may_be_read_in_two_ways(tmp_path: Path) -> None:
    from pniflow.raw.text_tables import numbers

    table = read_raw(workbook(tmp_path / "t.xlsx", ["a", "b"], [1.125, "1,250"], [950, "950"]))
    frame = table.columns({"a": 0, "b": 1})
    assert numbers(frame["a"], table.decimal, "t.xlsx: column 'a'")[0].tolist() == [1.125, 950]
    with pytest.raises(
        InputError, match=r"column 'b', row 2 is '1,250', which can be read as 1250 or as 1.25"
    ):
        numbers(frame["b"], table.decimal, "t.xlsx: column 'b'")


def test_header_lines_of_survey_tools_are_known_in_workbooks_too(tmp_path: Path) -> None:
    table = read_raw(
        workbook(
            tmp_path / "t.xlsx",
            ["Respondent ID", "Your code", "How often", None, None],
            [None, "Open-Ended Response", "item one", "item two", "item three"],
            [11, "A1", 3, 2, 1],
        )
    )
    assert table.header == ("Respondent ID", "Your code", "item one", "item two", "item three")
    assert table.columns({"item": 4})["item"].to_dict() == {3: "1"}


def test_a_formula_that_nobody_calculated_is_not_blank(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", ["id", "sum"], ["p1", "=1+2"], ["p2", '=IF(1,"",3)'], [None, "=1+2"])
    assert cells_of(read_raw(path)) == [["p1", "#not calculated"], ["p2", "#not calculated"]]
    rewritten(path, '<c r="B3"><f>([^<]*)</f><v */?>(</v>)?', r'<c r="B3" t="str"><f>\1</f><v></v>')
    rewritten(path, '<c r="B2"><f>([^<]*)</f><v */?>(</v>)?', r'<c r="B2"><f>\1</f><v>3</v>')
    assert cells_of(read_raw(path)) == [["p1", "3"], ["p2", ""]]


def test_a_cell_right_of_the_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cells right of its header"):
        read_raw(workbook(tmp_path / "t.xlsx", ["Our study"], ["id", "age"], ["p1", 31]))


@pytest.mark.parametrize("blank", ["", "   "])
def test_an_empty_sheet_is_one_sentence(tmp_path: Path, blank: str) -> None:
    with pytest.raises(InputError, match=r"t.xlsx: the sheet is empty or begins with a blank line"):
        read_raw(workbook(tmp_path / "t.xlsx", [blank or None]))


@pytest.mark.parametrize(
    ("pattern", "by"),
    [
        ("<sheetData>", f"<!--{'x' * 40_000_000}--><sheetData>"),
        ("<sheetData>", f"<!--{'< ' * 1_000_000}--><sheetData>"),
        ("<sheetData>", f'<sheetData a="{"x" * 4_000_000}">'),
        ("^", '<!DOCTYPE a [<!ENTITY b "c">]>'),
        ("<sheetData>", f"<sheetData>{'<a>' * 200_000}"),
        ("</sheetData>", '<row r="999999999"><c r="A999999999"><v>1</v></c></row></sheetData>'),
        ("</sheetData>", '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'),
        ("</sheetData>", ""),
        ('r="A2"', 'r="2A"'),
        ("<v>31</v>", "<v>x31</v>"),
    ],
    ids=[
        "comment of 40 MB",
        "comment of tags",
        "tag of 4 MB",
        "entities",
        "200,000 deep",
        "row beyond any sheet",
        "cell in the last corner",
        "not closed",
        "cell nowhere",
        "number that is none",
    ],
)
def test_a_damaged_or_hostile_workbook_is_one_sentence_soon(tmp_path: Path, pattern: str, by: str) -> None:
    path = rewritten(workbook(tmp_path / "t.xlsx", *PEOPLE), pattern, by)
    before = time.process_time()
    with pytest.raises(InputError, match=r"^t.xlsx: ") as caught:
        read_raw(path)
    assert len(str(caught.value)) < 300
    assert time.process_time() - before < 10
