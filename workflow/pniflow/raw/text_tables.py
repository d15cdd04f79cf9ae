"""Reading a lab's own tables: every cell as text, whatever program saved them.

Comma, semicolon and tab; UTF-8 with or without a byte order mark, UTF-16, Windows-1252; the further header
lines of survey tools; decimal commas. Letters are composed (NFC), so that what a Mac wrote equals what others
wrote. Only the columns asked for are ever decoded into a table: what is not named does not enter.
"""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pniflow.errors import InputError, listing, nearest, shown
from pniflow.raw import gate
from pniflow.raw.number_marks import plain_numbers

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_DELIMITERS = (",", ";", "\t")
_SEPARATOR = re.compile(r"\"?sep=([,;\t|])\"?[,;\t|]*\n", re.IGNORECASE)
# What a file that is no table begins with, whatever its name says.
_OTHERS = {
    r"%PDF-": "a PDF document",
    r"\{\\rtf": "a text document (RTF)",
    r"<(!doctype\s+)?html": "a web page (HTML)",
    r"<(\?xml|odm)\b": "an XML document",
    r"[\[{]\s*[\[{\"]": "a JSON document",
}


def inside(data: Path, name: str, key: str) -> Path:
    """Return a file of the data folder; refuse a name that is absolute or leaves the folder.

    Parameters
    ----------
    data : Path
        The data folder.
    name : str
        File name as study.yaml gives it, relative to the folder.
    key : str
        Where study.yaml gives it, for the sentence.
    """
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or (len(name) > 1 and name[1] == ":"):
        raise InputError(
            f"study.yaml: {key} is '{name}'; a name relative to the data folder and inside it was expected."
        )
    pure = PurePosixPath(file_of(str(pure)))
    path = on_disk(data / pure)
    if not os.path.exists(path):
        if os.path.islink(path):
            raise InputError(
                f"{name[:80]}: a link that leads nowhere ({key} in study.yaml); fetch what it leads to."
            )
        near = nearest(pure.name, names_beside(path))
        raise InputError(
            f"{name[:80]}: there is no such file in the data folder{near}; correct {key} in study.yaml."
        )
    return path


def on_disk(path: Path) -> Path:
    """Return a path as the disk spells it: a Mac decomposes the letters of the names it writes."""
    if os.path.exists(path) or path.parent == path:
        return path
    parent = on_disk(path.parent)
    plain = unicodedata.normalize("NFC", path.name)
    same = (name for name in names_beside(parent / path.name) if unicodedata.normalize("NFC", name) == plain)
    return parent / next(same, path.name)


def file_of(name: str) -> str:
    """Return the file of a name in study.yaml: book.xlsx for book.xlsx#sheet."""
    return re.sub(r"(\.xls[xm])#.*", r"\1", name, flags=re.IGNORECASE)


def sheet_of(name: str) -> str:
    """Return the sheet that a name in study.yaml asks for; blank for the first."""
    return name[len(file_of(name)) + 1 :]


def names_beside(path: Path) -> list[str]:
    """Return what the folder of a file holds, for a sentence about a misspelt name."""
    return sorted(os.listdir(path.parent)) if os.path.isdir(path.parent) else []


@dataclass(frozen=True)
class RawTable:
    """A table as it was saved: its header and, on demand, columns of text.

    Attributes
    ----------
    name : str
        File name for sentences.
    header : tuple of str
        Column names, trimmed, as they stand (they may repeat in a label export), up to the last one.
    decimal : str
        The mark that decimals have where files are delimited as this one is; `.?` where that tells little
        (tabs, a sheet).
    first_row : int
        Row in the file of the first row below the header.
    """

    name: str
    header: tuple[str, ...]
    _cells: pa.Table
    decimal: str = "."
    first_row: int = 2

    def __len__(self) -> int:
        return int(self._cells.num_rows)

    def columns(self, positions: dict[str, int]) -> pd.DataFrame:
        """Return columns as trimmed text, indexed by row in the file (header: row 1), without blank rows.

        Parameters
        ----------
        positions : dict
            New column name -> position in the header.
        """
        import pandas as pd
        import pyarrow.compute as pc

        arrays = {
            name: pc.utf8_trim_whitespace(self._cells.column(place)) for name, place in positions.items()
        }
        frame = pd.DataFrame(
            {name: pd.Series(array.to_pandas(), dtype="str") for name, array in arrays.items()}
        )
        frame.index = pd.RangeIndex(self.first_row, self.first_row + len(self))
        return frame[~self._blank_rows()]

    def frame(self) -> pd.DataFrame:
        """Return all columns by their names; blank cells are missing."""
        named = {column: self.position(column, "the header") for column in filter(None, self.header)}
        return self.columns(named).replace("", None)

    def position(self, column: str, key: str) -> int:
        """Return the place of a column; refuse one that is absent or stands twice."""
        places = [place for place, name in enumerate(self.header) if name == column]
        if not places:
            raise InputError(
                f"{self.name}: there is no column {shown(column)}{nearest(column, self.header)} ({key} in "
                f"study.yaml); columns are {listing(self.header, 20)}."
            )
        if len(places) > 1:
            raise InputError(
                f"{self.name}: the column {shown(column)} stands {len(places)} times in the header; keep one."
            )
        return places[0]

    def named(self, further: dict[str, str]) -> pa.Table:
        """Return all columns under their names, each once, and further ones with one value in all rows."""
        import pyarrow as pa

        rows = self._cells.filter(pa.array(~self._blank_rows()))
        columns = {name: rows.column(place) for place, name in enumerate(self.header)}
        return pa.table({**{name: [value] * len(rows) for name, value in further.items()}, **columns})

    def without(self, names: Container[str]) -> RawTable:
        """Return the table without some columns, whose memory is given back."""
        kept = [place for place, name in enumerate(self.header) if name not in names]
        header = tuple(self.header[place] for place in kept)
        return replace(self, header=header, _cells=self._cells.select(kept))

    def differing(self, first: int, second: int) -> list[str]:
        """Return the names (or numbers) of all columns in which two rows of the file differ."""
        one, other = (self._line(row - self.first_row) for row in (first, second))
        names = [*self.header, *[""] * (len(one) - len(self.header))]
        return [
            name or f"column {place}"
            for place, (name, cell, against) in enumerate(zip(names, one, other, strict=True), 1)
            if cell != against
        ]

    def _line(self, number: int) -> list[str]:
        return [column[number].as_py().strip() for column in self._cells.columns]

    def _blank_rows(self) -> NDArray[np.bool_]:
        import pyarrow.compute as pc

        blank = np.ones(len(self), dtype=bool)
        for column in self._cells.columns[: len(self.header)]:
            if not blank.any():
                break
            blank &= pc.equal(pc.utf8_trim_whitespace(column), "").to_numpy()
        return blank


def read_raw(path: Path, name: str | None = None, *, blanks: bool = False) -> RawTable:
    """Read a CSV or TSV file (optionally .gz), or a sheet of an .xlsx file (`name` says which), as text.

    Parameters
    ----------
    path : Path
        File.
    name : str, optional
        Its name for sentences, with the sheet.
    blanks : bool
        Runs of blanks part the cells where no comma, semicolon or tab stands in the header.

    Raises
    ------
    InputError
        The file is empty, binary or ragged; the sentence names the row and never repeats a cell.
    """
    import pyarrow as pa

    name = name or path.name
    decimal, before = ".?", 0
    sheet = path.suffix.lower() in (".xlsx", ".xlsm")
    if sheet:
        from pniflow.raw.spreadsheet import read_sheet

        columns = read_sheet(path, name, sheet_of(name))
        cells = pa.table({str(place): pa.array(column, pa.string()) for place, column in enumerate(columns)})
    else:
        text = _decoded(path, name)
        delimiter = _delimiter(text.split("\n", 1)[0], path)
        if blanks and delimiter not in text.split("\n", 1)[0]:
            text, delimiter = "\n".join("\t".join(line.split()) for line in text.split("\n")), "\t"
        if told := _SEPARATOR.match(text):
            text, delimiter, before = text[told.end() :], told[1], 1
        decimal = {";": ",", "\t": ".?"}.get(delimiter, ".")
        cells = _parsed(text, delimiter, name, before)
    lines = [[column[row].as_py().strip() for column in cells.columns] for row in range(min(3, len(cells)))]
    if not lines or not any(lines[0]):
        what = "sheet" if sheet else "file"
        raise InputError(
            f"{name}: the {what} is empty or begins with a blank line; a header and rows were expected."
        )
    titles, height = _titles(lines)
    width = max(place for place, title in enumerate(titles, 1) if title)
    table = RawTable(name, tuple(titles[:width]), cells.slice(height), decimal, before + height + 1)
    if sheet and any(any(cell.as_py() for cell in column) for column in table._cells.columns[width:]):
        raise InputError(
            f"{name}: the sheet has cells right of its header, row 1; delete a title above the header, and "
            "give every column a name."
        )
    return table


# Columns of Qualtrics that hold dates, what it writes below some columns, and below all of them.
_DATED = ("StartDate", "EndDate", "RecordedDate")
_DESCRIBED = {
    ("V1", "ResponseID"),
    ("StartDate", "Start Date"),
    ("EndDate", "End Date"),
    ("RecordedDate", "Recorded Date"),
    ("Status", "Response Type"),
    ("ResponseId", "Response ID"),
}
_IMPORT = '{"ImportId":'
_ANSWER = ("Response", "Open-Ended Response")


def _titles(lines: Sequence[Sequence[str]]) -> tuple[list[str], int]:
    """Return the columns' names and the number of header lines.

    Qualtrics describes its columns in one or two more lines. SurveyMonkey names a question once, and below it
    what each of its columns holds: such a column is called by the second line, with the question before it
    where several questions have such a column.

    Parameters
    ----------
    lines : sequence of sequence of str
        The first lines of the file, at most three.
    """
    first = list(lines[0])
    for number, line in enumerate(lines[1:], 2):
        if any(line) and all(cell.startswith(_IMPORT) for cell in line if cell):
            return first, number
    second = lines[1] if len(lines) > 1 else [""] * len(first)
    dates = [below for name, below in zip(first, second, strict=True) if name in _DATED]
    words = all(dates) and not re.search(r"\d", "".join(dates)) and len({*dates}) == len(dates) > 1
    if words or not _DESCRIBED.isdisjoint(zip(first, second, strict=True)):
        return first, 2
    respondent = first[0].lower().replace("_", " ") == "respondent id"
    unnamed = any(below and not name for name, below in zip(first, second, strict=True))
    told = all(re.search(r"[^\W\d_]", below) for below in second if below)
    if not first[0] or second[0] or not any(second) or not (respondent or (unnamed and told)):
        return first, 1
    questions: list[str] = []
    parts: list[str] = []
    for place, (name, below) in enumerate(zip(first, second, strict=True)):
        questions.append(name or (questions[-1] if below else ""))
        alone = name and (place + 1 == len(first) or first[place + 1] or not second[place + 1])
        parts.append("" if alone or (name and below in _ANSWER) else below)
    counts = Counter(part or question for question, part in zip(questions, parts, strict=True))
    return [
        f"{question} - {part}" if part and counts[part] > 1 else part or question
        for question, part in zip(questions, parts, strict=True)
    ], 2


def _parsed(text: str, delimiter: str, name: str, before: int) -> pa.Table:
    """Parse delimited text; every row has as many cells as the header.

    Parameters
    ----------
    before : int
        Lines of the file that stand before the text.
    """
    import pyarrow as pa
    import pyarrow.csv

    try:
        width = len(next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), []))
    except csv.Error:
        raise InputError(f"{name}: the first line is no header of a table; export the table again.") from None
    if not width:
        return pa.table({})
    content = text.encode("utf-8")
    columns = [str(place) for place in range(width)]
    try:
        # One block, because a quoted text with line ends must not be cut at a block's border.
        return pyarrow.csv.read_csv(
            io.BytesIO(content),
            read_options=pyarrow.csv.ReadOptions(
                column_names=columns, use_threads=False, block_size=min(len(content) + (1 << 16), 2**31 - 1)
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=False
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.lib.ArrowInvalid as error:
        number = str(error).partition("Row #")[2].partition(":")[0]
        row = f"row {int(number) + before}" if number else "a row"
        raise InputError(
            f"{name}: {row} has another number of cells than the header ({width}); the file is cut off or a "
            "text is not quoted, so export it again."
        ) from None


def _decoded(path: Path, name: str) -> str:
    if path.suffix.lower() in (".xls", ".xlsb", ".ods"):
        raise InputError(
            f"{name}: this kind of spreadsheet is not read; save it as .xlsx or CSV and name that file."
        )
    text = gate.read_text(path, name).lstrip("\ufeff")
    for begin, what in _OTHERS.items():
        if re.match(rf"\s*{begin}", text, re.IGNORECASE):
            raise InputError(
                f"{name}: this is {what}, not a table; export the table as CSV and name that file."
            )
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


def _delimiter(first: str, path: Path) -> str:
    if ".tsv" in path.suffixes:
        return "\t"
    outside = "".join(first.split('"')[::2])
    return max(_DELIMITERS, key=outside.count)


def numbers(
    cells: pd.Series, decimal: str = ".", place: str = ""
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Cast text to numbers, whatever marks of decimals and thousands the column has.

    Parameters
    ----------
    cells : Series of str, shape (n,)
        Trimmed text, indexed by row in the file; blank is missing.
    decimal : str, optional
        Marks (of . and ,) that decimals have in this file or field, where the column does not show it; `.?`
        where the file tells little of it, so that 1.250 beside 950 can be read in two ways.
    place : str, optional
        File and column, to refuse a number that can be read in two ways; without it such a number is wrong.

    Returns
    -------
    values : ndarray, shape (n,)
        NaN where blank or not a number.
    wrong : ndarray of bool, shape (n,)
        True where there is text that is not a finite number.

    Raises
    ------
    InputError
        1,250 and the like, of which the column does not show whether it is 1250 or 1.25.
    """
    import pandas as pd

    # A column of responses has few distinct texts: cast each of them once.
    codes, distinct = pd.factorize(cells)
    text = [str(one) for one in distinct]
    plain = plain_numbers(text, decimal)
    # The last place answers for the code -1, which factorize gives to what is missing altogether.
    double = np.array([one is None for one in plain] + [False])[codes]
    if place and double.any():
        row = int(double.argmax())
        cell = text[codes[row]]
        whole, part = re.sub("[,.]", "", cell), re.sub("[,.]", ".", cell)
        more = f" ({int(double.sum())} such cells)" if double.sum() > 1 else ""
        long = f"{part}0".replace(".", decimal if decimal == "," else ".")
        raise InputError(
            f"{place}, row {cells.index[row]} is '{cell}', which can be read as {whole} or as "
            f"{part.rstrip('0').rstrip('.')}{more}; write whole numbers without a separator ({whole}), and "
            f"decimals with another number of digits ({long})."
        )
    numeric = np.array(pd.to_numeric(pd.Series(plain, dtype="str"), errors="coerce"), dtype=float)
    numeric[~np.isfinite(numeric)] = np.nan
    values = np.append(numeric, np.nan)[codes]
    given = np.array([one != "" for one in text] + [False])[codes]
    return values, given & np.isnan(values)
