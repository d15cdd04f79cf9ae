"""Raw tables are read as text, whatever program saved them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pniflow.errors import InputError
from pniflow.study.rawtables import RawTable, inside, numbers, read_raw

CELLS = [["id", "Größe", "note"], ["007", "1,5", 'say "hi", then\nleave'], ["NA", "None", ""]]


def table_of(path: Path) -> list[list[str]]:
    table = read_raw(path)
    frame = table.columns({str(place): place for place in range(len(table.header))})
    return [list(table.header), *frame.to_numpy(dtype=object).tolist()]


def as_text(delimiter: str, end: str) -> str:
    quoted = [['"' + cell.replace('"', '""') + '"' for cell in row] for row in CELLS]
    return "".join(delimiter.join(row) + end for row in quoted)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
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
    "text", ["NA", "nan", "inf", "-inf", "1e999", "1_000", "0x1A", "1,000.5", "٣", "1 2", "None", "--1"]
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


def test_the_line_that_tells_excel_the_separator_is_no_header(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("sep=;\na;b\n1;2\n")
    with pytest.raises(InputError, match=r"t.csv: the first line is 'sep=;', not the header; delete it"):
        read_raw(tmp_path / "t.csv")


def test_points_between_thousands_beside_decimal_commas() -> None:
    values, wrong = numbers(pd.Series(["1.234,56", "2,5", "3", ""], dtype="str"))
    np.testing.assert_equal(values, [1234.56, 2.5, 3, np.nan])
    assert not wrong.any()
    assert numbers(pd.Series(["1.234,56", "2,5", "3.5"], dtype="str"))[1].tolist() == [True, True, False]
