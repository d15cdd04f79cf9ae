"""Raw tables are read as text, whatever program saved them."""

from __future__ import annotations

import gzip
import unicodedata
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pniflow.errors import InputError
from pniflow.raw.text_tables import RawTable, inside, numbers, read_raw

CELLS = [["id", "Größe", "note"], ["007", "1,5", 'say "hi", then\nleave'], ["NA", "None", ""]]


def table_of(path: Path) -> list[list[str]]:
    table = read_raw(path)
    frame = table.columns({str(place): place for place in range(len(table.header))})
    return [list(table.header), *frame.to_numpy(dtype=object).tolist()]


def as_text(delimiter: str, end: str) -> str:
    quoted = [['"' + cell.replace('"', '""') + '"' for cell in row] for row in CELLS]
    return "".join(delimiter.join(row) + end for row in quoted)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiter_encoding_and_line_ends_make_no_difference(
    tmp_path: Path, delimiter: str, encoding: str, end: str
) -> None:
    (tmp_path / "t.csv").write_bytes(as_text(delimiter, end).encode(encoding))
    assert table_of(tmp_path / "t.csv") == CELLS


def test_a_gzipped_table_is_the_same_table(tmp_path: Path) -> None:
    (tmp_path / "t.tsv.gz").write_bytes(gzip.compress(as_text("\t", "\n").encode()))
    assert table_of(tmp_path / "t.tsv.gz") == CELLS


def test_the_first_sheet_of_a_workbook_is_text_with_whole_numbers_without_a_point(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in (["id", "value", "day"], ["007", 3.0, 2.5], [8, None, True], [None, None, None]):
        sheet.append(row)
    book.create_sheet("other").append(["not read"])
    book.save(tmp_path / "t.xlsx")
    assert table_of(tmp_path / "t.xlsx") == [["id", "value", "day"], ["007", "3", "2.5"], ["8", "", "1"]]


def test_rows_keep_their_number_in_the_file_and_blank_rows_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n,\n3,4\n,\n")
    frame = read_raw(tmp_path / "t.csv").columns({"a": 0})
    assert frame.index.tolist() == [2, 4]
    assert frame["a"].tolist() == ["1", "3"]


def test_a_row_without_all_its_cells_is_refused_by_its_number_and_without_its_content(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n1,2,3\nErika,5\n")
    with pytest.raises(
        InputError, match=r"t\.csv: row 3 has another number of cells than the header \(3\)"
    ) as caught:
        read_raw(tmp_path / "t.csv")
    assert "Erika" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("t.csv", b"", "the file is empty"),
        ("t.csv", b"\n1,2\n", "begins with a blank line"),
        ("t.csv", b"a,b\n\x00\x01,2\n", "not a text table"),
        ("t.xlsx", b"PK no workbook", "not a readable .xlsx workbook"),
        ("t.xls", b"\xd0\xcf", "save it as .xlsx or CSV"),
        ("t.csv.gz", b"no gzip", "cannot be read"),
    ],
)
def test_a_file_that_is_no_table_is_one_sentence(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        read_raw(tmp_path / name)


def test_a_column_that_is_absent_or_twice_in_the_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,b\n1,2,3\n")
    table = read_raw(tmp_path / "t.csv")
    with pytest.raises(InputError, match="no column 'c'"):
        table.position("c", "key")
    with pytest.raises(InputError, match="'b' stands 2 times"):
        table.position("b", "key")


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../x.csv", "a/../../x.csv", "C:\\x.csv", "a\\..\\..\\x.csv"]
)
def test_a_name_that_leaves_the_data_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="inside it was expected"):
        inside(tmp_path, name, "redcap.export")


def test_decimal_commas_are_points_only_where_the_column_has_no_points() -> None:
    values, wrong = numbers(pd.Series(["1,5", "-2", "", "3,25"], dtype="str"))
    assert values[[0, 1, 3]].tolist() == [1.5, -2, 3.25]
    assert np.isnan(values[2]) and not wrong.any()
    values, wrong = numbers(pd.Series(["1,5", "2.5"], dtype="str"))
    assert wrong.tolist() == [True, False]


@pytest.mark.parametrize(
    "text", ["NA", "nan", "inf", "-inf", "1e999", "1_000", "0x1A", "1,00.5", "٣", "1 2", "None", "--1"]
)
def test_text_that_only_looks_like_a_number_is_none(text: str) -> None:
    values, wrong = numbers(pd.Series([text, "1"], dtype="str"))
    assert wrong.tolist() == [True, False]
    assert values[1] == 1


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=20))
def test_numbers_come_back_exactly(values: list[float]) -> None:
    back, wrong = numbers(pd.Series([repr(float(value)) for value in values], dtype="str"))
    assert back.tolist() == values
    assert not wrong.any()


def test_a_raw_table_knows_its_length(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a\n1\n2\n")
    table = read_raw(tmp_path / "t.csv")
    assert isinstance(table, RawTable)
    assert len(table) == 2


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;", "sep=;;"])
def test_the_line_that_tells_excel_the_separator_is_no_header(tmp_path: Path, line: str) -> None:
    (tmp_path / "t.csv").write_text(f"{line}\na;b, c\n1;2\n\n3;4\n")
    table = read_raw(tmp_path / "t.csv")
    assert table.header == ("a", "b, c")
    assert table.columns({"a": 0})["a"].to_dict() == {3: "1", 5: "3"}
    (tmp_path / "t.csv").write_text(f"{line}\na;b\n1;2\n3\n")
    with pytest.raises(InputError, match="row 4 has another number of cells"):
        read_raw(tmp_path / "t.csv")


def test_points_between_thousands_beside_decimal_commas() -> None:
    values, wrong = numbers(pd.Series(["1.234,56", "2,5", "3", ""], dtype="str"))
    np.testing.assert_equal(values, [1234.56, 2.5, 3, np.nan])
    assert not wrong.any()
    assert numbers(pd.Series(["1.234,56", "2,5", "3.5"], dtype="str"))[1].tolist() == [True, True, False]


def read_as(cells: list[str], decimal: str = ".") -> list[float]:
    values, wrong = numbers(
        pd.Series(cells, dtype="str", index=range(2, 2 + len(cells))), decimal, "t.csv: column 'x'"
    )
    assert not wrong.any()
    return values.tolist()


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1,234,567", "1,250", "950"], [1234567, 1250, 950]),
        (["1.234.567", "1.250", "950"], [1234567, 1250, 950]),
        (["1,234.56", "1,250", "-2,040.5"], [1234.56, 1250, -2040.5]),
        (["1.234,56", "1.250", "-2.040,5"], [1234.56, 1250, -2040.5]),
        (["5,125", "4,2", "7"], [5.125, 4.2, 7]),
        (["5.125", "0.375", "7"], [5.125, 0.375, 7]),
        (["12345,678", "5,125"], [12345.678, 5.125]),
        (["1'250", "12’345.5", "7"], [1250, 12345.5, 7]),
        (["1\u00a0250", "1\u202f234\u202f567", "1\u2009250,5"], [1250, 1234567, 1250.5]),
        ([",5", "1,25"], [0.5, 1.25]),
    ],
)
def test_marks_of_decimals_and_thousands_are_what_the_column_shows(
    cells: list[str], values: list[float], decimal: str
) -> None:
    assert read_as(cells, decimal) == values


@pytest.mark.parametrize(("cells", "decimal"), [(["950", "1.250"], ".?"), (["950", "1,250"], ",")])
def test_a_zero_that_no_program_writes_beside_hundreds_may_be_of_thousands(
    cells: list[str], decimal: str
) -> None:
    with pytest.raises(InputError, match=r"1250 or as 1.25"):
        read_as(cells, decimal)


@pytest.mark.parametrize("cells", [["950", "1.125"], ["7", "1.250"], ["950.000", "1.250"]])
def test_decimals_as_programs_write_them_stay_decimals_where_tabs_tell_nothing(cells: list[str]) -> None:
    assert read_as(cells, ".?") == [float(cell) for cell in cells]


def test_where_the_column_shows_nothing_the_delimiter_tells_the_mark_of_decimals() -> None:
    assert read_as(["5,125", "4"], ",") == [5.125, 4]
    assert read_as(["5.125", "4"], ".") == [5.125, 4]


def test_the_mark_of_the_file_is_that_of_decimals_beside_whole_numbers_too() -> None:
    assert numbers(pd.Series(["950", "1.250"], dtype="str"), ".")[0].tolist() == [950, 1.25]
    assert numbers(pd.Series(["120", "5,125"], dtype="str"), ",")[0].tolist() == [120, 5.125]


@pytest.mark.parametrize(
    ("cells", "decimal", "cell", "readings"),
    [
        (["950", "1,250", "2,040"], ".", "1,250", "1250 or as 1.25 (2 such cells)"),
        (["950", "1.250", "800"], ",", "1.250", "1250 or as 1.25;"),
        (["7,250", "8,104"], ".", "7,250", "7250 or as 7.25 (2 such cells)"),
        (["2.5", "-1,250"], ".", "-1,250", "-1250 or as -1.25;"),
        (["2,5", "1.250"], ",", "1.250", "1250 or as 1.25;"),
        (["", "5,125"], "", "5,125", "5125 or as 5.125;"),
    ],
)
def test_a_number_that_can_be_read_in_two_ways_is_refused_with_both(
    cells: list[str], decimal: str, cell: str, readings: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_as(cells, decimal)
    row = 2 + cells.index(cell)
    assert f"t.csv: column 'x', row {row} is '{cell}', which can be read as {readings}" in str(caught.value)
    values, wrong = numbers(pd.Series(cells, dtype="str"), decimal)
    assert wrong[row - 2] and np.isnan(values[row - 2])


@given(
    st.lists(st.integers(-10_000_000, 10_000_000), min_size=1, max_size=20),
    st.sampled_from([",", ".", "'", "\u00a0"]),
    st.sampled_from([".", ","]),
)
def test_a_separator_of_thousands_never_becomes_a_decimal_point(
    values: list[int], mark: str, decimal: str
) -> None:
    cells = pd.Series([f"{value:,}".replace(",", mark) for value in values], dtype="str")
    back, wrong = numbers(cells, decimal)
    # With the file's own mark of decimals only a number without a separator tells thousands from decimals.
    if mark != decimal or any(100 <= abs(value) < 1000 and value != 999 for value in values if value > 0):
        assert [one for one, bad in zip(back, wrong, strict=True) if not bad] == [
            value for value, bad in zip(values, wrong, strict=True) if not bad
        ]


def test_a_table_knows_the_mark_of_decimals_that_goes_with_its_delimiter(tmp_path: Path) -> None:
    for delimiter, decimal in {",": ".", ";": ",", "\t": ".?"}.items():
        (tmp_path / "t.csv").write_text(f"a{delimiter}b\n1{delimiter}2\n")
        assert read_raw(tmp_path / "t.csv").decimal == decimal


def test_rows_of_one_or_two_further_header_lines_of_qualtrics_are_no_people(tmp_path: Path) -> None:
    lines = [
        "StartDate,EndDate,ResponseId,code,Q1",
        "Start Date,End Date,Response ID,Your code,How often",
        '"{""ImportId"":""startDate""}","{""ImportId"":""endDate""}","{""ImportId"":""_recordId""}",'
        '"{""ImportId"":""QID1""}","{""ImportId"":""QID2""}"',
        "2020-02-01 10:00,2020-02-01 10:09,R_0,u01,3",
    ]
    for kept, row in (
        (lines, 4),
        (lines[:2] + lines[3:], 3),
        (lines[:1] + lines[2:], 3),
        (lines[:1] + lines[3:], 2),
    ):
        (tmp_path / "t.csv").write_text("\n".join(kept) + "\n")
        table = read_raw(tmp_path / "t.csv")
        assert table.header == ("StartDate", "EndDate", "ResponseId", "code", "Q1")
        assert table.columns({"code": 3})["code"].to_dict() == {row: "u01"}


def test_a_first_person_without_dates_is_no_header_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("StartDate,EndDate,code\nNA,NA,u01\n,,u02\n")
    assert read_raw(tmp_path / "t.csv").columns({"code": 2})["code"].tolist() == ["u01", "u02"]


def test_columns_of_surveymonkey_are_called_by_both_header_lines(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "Respondent ID,Start Date,Your code,How often,,,Which,,How old\n"
        ",,Open-Ended Response,worry,other,,Response,other,Response\n"
        "11,01/02/2020,A1,2,1,,b,c,41\n"
    )
    table = read_raw(tmp_path / "t.csv")
    names = ("Respondent ID", "Start Date", "Your code", "worry", "How often - other", "", "Which")
    assert table.header == (*names, "Which - other", "How old")
    assert table.columns({"age": 8})["age"].to_dict() == {3: "41"}


def test_a_row_without_its_first_cell_is_no_header_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,q1,q2,\n,1,2,note\n7,3,4,\n")
    table = read_raw(tmp_path / "t.csv")
    assert table.header == ("id", "q1", "q2")
    assert table.columns({"id": 0, "q2": 2}).index.tolist() == [2, 3]


def test_all_columns_are_compared_to_tell_in_what_two_rows_differ(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,,day,\n7,a,1,x\n\n7,b, 1 ,y\n")
    table = read_raw(tmp_path / "t.csv")
    assert table.differing(2, 4) == ["column 2", "column 4"]
    assert table.differing(2, 2) == []


def test_letters_that_a_mac_decomposed_are_composed(tmp_path: Path) -> None:
    apart = unicodedata.normalize("NFD", "Größe später")
    (tmp_path / f"{apart}.csv").write_text(f"id,{apart}\n1,{apart}\n", encoding="utf-8")
    path = inside(tmp_path, "Größe später.csv", "key")
    assert table_of(path) == [["id", "Größe später"], ["1", "Größe später"]]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ('<?xml version="1.0"?>\n<ODM/>\n', "an XML document"),
        ("\n<!DOCTYPE html><html></html>\n", "a web page"),
        ('[{"record_id": "1", "q1": "2"}]\n', "a JSON document"),
        ("%PDF-1.7\n", "a PDF document"),
        ("{\\rtf1 a}\n", "a text document"),
    ],
)
def test_a_document_that_bears_the_name_of_a_table_is_called_what_it_is(
    tmp_path: Path, content: str, what: str
) -> None:
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(InputError, match=f"t.csv: this is {what}.*not a table"):
        read_raw(tmp_path / "t.csv")
