"""Reading a lab's own tables: every cell as text, whatever program saved them.

Comma, semicolon and tab; UTF-8 with or without a byte order mark, UTF-16, Windows-1252; decimal commas. Only
the columns asked for are ever decoded into a table: what is not named does not enter.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pniflow.errors import InputError, listing, nearest

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_DELIMITERS = (",", ";", "\t")


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
    path = data / pure
    if not path.exists():
        near = nearest(pure.name, names_beside(path))
        raise InputError(
            f"{name}: there is no such file in the data folder{near}; correct {key} in study.yaml."
        )
    return path


def file_of(name: str) -> str:
    """Return the file of a name in study.yaml: book.xlsx for book.xlsx#sheet."""
    return re.sub(r"(\.xls[xm])#.*", r"\1", name, flags=re.IGNORECASE)


def sheet_of(name: str) -> str:
    """Return the sheet that a name in study.yaml asks for; blank for the first."""
    return name[len(file_of(name)) + 1 :]


def names_beside(path: Path) -> list[str]:
    """Return what the folder of a file holds, for a sentence about a misspelt name."""
    return sorted(os.listdir(path.parent)) if path.parent.is_dir() else []


@dataclass(frozen=True)
class RawTable:
    """A table as it was saved: its header and, on demand, columns of text.

    Attributes
    ----------
    name : str
        File name for sentences.
    header : tuple of str
        Column names, trimmed, as they stand (they may repeat in a label export).
    """

    name: str
    header: tuple[str, ...]
    _cells: pa.Table

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
        frame.index = pd.RangeIndex(2, 2 + len(self))
        return frame[~self._blank_rows()]

    def position(self, column: str, key: str) -> int:
        """Return the place of a column; refuse one that is absent or stands twice."""
        places = [place for place, name in enumerate(self.header) if name == column]
        if not places:
            raise InputError(
                f"{self.name}: there is no column '{column}'{nearest(column, self.header)} ({key} in "
                f"study.yaml); columns are {listing(self.header, 20)}."
            )
        if len(places) > 1:
            raise InputError(
                f"{self.name}: the column '{column}' stands {len(places)} times in the header; keep one."
            )
        return places[0]

    def _blank_rows(self) -> NDArray[np.bool_]:
        import pyarrow.compute as pc

        blank = np.ones(len(self), dtype=bool)
        # Qualtrics describes its columns in two more lines below the header; the second of them is JSON.
        second = [column[1].as_py() for column in self._cells.columns] if len(self) > 1 else []
        described = any(second) and all(cell.startswith('{"ImportId":') for cell in second if cell)
        for column in self._cells.columns:
            if not blank.any():
                break
            blank &= pc.equal(pc.utf8_trim_whitespace(column), "").to_numpy()
        blank[:2] |= described
        return blank


def read_raw(path: Path, name: str | None = None) -> RawTable:
    """Read a CSV or TSV file (optionally .gz), or a sheet of an .xlsx file (`name` says which), as text.

    Raises
    ------
    InputError
        The file is empty, binary or ragged; the sentence names the row and never repeats a cell.
    """
    import pyarrow as pa

    name = name or path.name
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        from pniflow.study.spreadsheet import read_sheet

        header, sheet = read_sheet(path, name, sheet_of(name))
        arrays = {str(place): pa.array(column, pa.string()) for place, column in enumerate(sheet)}
        return RawTable(name, header, pa.table(arrays))
    text = _decoded(path, name)
    if re.match(r"\"?sep=.\"?\n", text):
        raise InputError(f"{name}: the first line is '{text[:5]}', not the header; delete it.")
    delimiter = _delimiter(text.split("\n", 1)[0], path)
    try:
        cells = [
            cell.strip() for cell in next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
        ]
    except csv.Error:
        raise InputError(f"{name}: the first line is no header of a table; export the table again.") from None
    if not any(cells):
        raise InputError(
            f"{name}: the file is empty or begins with a blank line; a header and rows were expected."
        )
    width = max(place for place, cell in enumerate(cells, 1) if cell)
    return RawTable(
        name, tuple(cells[:width]), _parsed(text, delimiter, len(cells), name).select(range(width))
    )


def _parsed(text: str, delimiter: str, width: int, name: str) -> pa.Table:
    """Parse delimited text, without its header; every row has as many cells as the header."""
    import pyarrow as pa
    import pyarrow.csv

    content = text.encode("utf-8")
    columns = [str(place) for place in range(width)]
    try:
        # One block, because a quoted text with line ends must not be cut at a block's border.
        table = pyarrow.csv.read_csv(
            io.BytesIO(content),
            read_options=pyarrow.csv.ReadOptions(
                column_names=columns, use_threads=False, block_size=min(len(content) + (1 << 16), 2**31 - 1)
            ),
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.lib.ArrowInvalid as error:
        number = str(error).partition("Row #")[2].partition(":")[0]
        raise InputError(
            f"{name}: {f'row {number}' if number else 'a row'} has another number of cells than the header "
            f"({width}); the file is cut off or a text is not quoted, so export it again."
        ) from None
    return table.slice(1)


def _decoded(path: Path, name: str) -> str:
    if path.suffix.lower() in (".xls", ".xlsb", ".ods"):
        raise InputError(
            f"{name}: this kind of spreadsheet is not read; save it as .xlsx or CSV and name that file."
        )
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError):
        raise InputError(f"{name}: the file cannot be read; it may be damaged or a folder.") from None
    if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        text = content.decode("utf-16", errors="replace")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            # Excel on Windows saves "CSV" in the local code page; five bytes of it are unassigned.
            text = content.decode("cp1252", errors="replace")
    if "\x00" in text:
        raise InputError(f"{name}: this is not a text table (it holds zero bytes); save it as CSV (UTF-8).")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _delimiter(first: str, path: Path) -> str:
    if ".tsv" in path.suffixes:
        return "\t"
    outside = "".join(first.split('"')[::2])
    return max(_DELIMITERS, key=outside.count)


def numbers(cells: pd.Series) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Cast text to numbers; a decimal comma counts as a point.

    Parameters
    ----------
    cells : Series of str, shape (n,)
        Trimmed text; blank is missing.

    Returns
    -------
    values : ndarray, shape (n,)
        NaN where blank or not a number.
    wrong : ndarray of bool, shape (n,)
        True where there is text that is not a finite number.
    """
    import pandas as pd

    # A column of responses has few distinct texts: cast each of them once.
    codes, distinct = pd.factorize(cells)
    text = pd.Series(distinct, dtype="str")
    given = (text != "").to_numpy(dtype=bool)
    numberlike = text[text.str.fullmatch(r"[+-]?[\d.,]+").to_numpy(dtype=bool)]
    grouped = r"[+-]?\d{1,3}(?:\.\d{3})+,\d+"  # 1.234,56
    dotted = numberlike[numberlike.str.contains(".", regex=False).to_numpy(dtype=bool)]
    if _any(numberlike, ",") and dotted.str.fullmatch(grouped).all():
        comma = text.str.fullmatch(rf"[+-]?\d+,\d+|{grouped}")
        plain = text.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
        text = plain.where(comma, text)
    numeric = np.array(pd.to_numeric(text.where(given), errors="coerce"), dtype=float)
    numeric[~np.isfinite(numeric)] = np.nan
    # The last place answers for the code -1, which factorize gives to what is missing altogether.
    values = np.append(numeric, np.nan)[codes]
    return values, np.append(given, False)[codes] & np.isnan(values)


def _any(cells: pd.Series, character: str) -> bool:
    return bool(cells.str.contains(character, regex=False).fillna(False).any())


def places(
    frame: pd.DataFrame, columns: Sequence[str], wrong: NDArray[np.bool_], show: NDArray[np.bool_]
) -> str:
    """List up to ten offending cells of a table, row and column, with the value where it may be shown.

    Parameters
    ----------
    frame : DataFrame of str
        Indexed by row in the file.
    columns : sequence of str, length k
        The columns that were checked.
    wrong, show : ndarray of bool, shape (n, k)
        Offending cells; those whose text is a code or number and so may be repeated in a sentence.
    """
    found = np.argwhere(wrong)
    words = []
    for row, place in found[:10]:
        cell = frame[columns[place]].iloc[row]
        value = f" '{cell}'" if show[row, place] and len(cell) <= 12 else ""
        words.append(f"row {frame.index[row]} {columns[place]}{value}")
    more = f" and {len(found) - 10} more" if len(found) > 10 else ""
    return ", ".join(words) + more
