"""Contracts of the tables that cross a stage: Table Schema files in `workflow/schemas/*.table.yaml`.

A contract lists the fields in order (name, type, description, constraints), the primary key, and whether
further columns may follow (`fieldsMatch: superset`, as for declared covariates). Types: string, number,
integer, boolean.
"""

from __future__ import annotations

import functools
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.errors import InputError, listing, repeated
from pniflow.files import atomic_path, cells, read_text
from pniflow.modalities import BRANCHES
from pniflow.resources import read_schema

if TYPE_CHECKING:
    import pandas as pd


BRANCHES_HERE = "<branches>"


@functools.cache
def contract(name: str) -> dict[str, Any]:
    """Return the contract of a table by name; where it lists `<branches>`, those of all modalities."""
    found = read_schema(f"{name}.table.yaml")
    for field in found["fields"]:
        listed = field.get("constraints", {}).get("enum", [])
        if BRANCHES_HERE in listed:
            field["constraints"]["enum"] = [*(one for one in listed if one != BRANCHES_HERE), *BRANCHES]
    return found


def field_names(name: str) -> list[str]:
    """Return the columns of a contract, in order."""
    return [field["name"] for field in contract(name)["fields"]]


def write_table(frame: pd.DataFrame, path: Path | str, contract: str | None = None) -> None:
    """Write a table as .tsv or .parquet, atomically, after checking it against its contract.

    Parameters
    ----------
    frame : DataFrame
        The table. Its index is not written.
    path : path
        Ends in .tsv or .parquet. In .tsv missing is blank, floats are written so that they read back exactly.
    contract : str, optional
        Name of a contract in `workflow/schemas/`.
    """
    path = Path(path)
    if contract:
        frame = checked(frame, contract, str(path))
    with atomic_path(path) as temporary:
        if path.suffix == ".parquet":
            frame.to_parquet(temporary, index=False, compression="zstd")
        elif path.suffix == ".tsv":
            frame.to_csv(temporary, sep="\t", index=False, na_rep="", lineterminator="\n")
        else:
            raise InputError(f"{path}: tables are written as .tsv or .parquet; give one of these endings.")


def read_table(path: Path | str, contract: str | None = None) -> pd.DataFrame:
    """Read a .tsv or .parquet table and cast it to its contract.

    Without a contract every .tsv cell is text ("NA" stays "NA"), blank is missing.

    Raises
    ------
    InputError
        The file is absent, empty, ragged or against its contract; the sentence names row and column.
    """
    import pandas as pd

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file.")
    try:
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
        elif path.suffix == ".tsv":
            frame = _read_tsv(path)
        else:
            raise InputError(f"{path}: tables are .tsv or .parquet; convert the file or correct its ending.")
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: this is not a readable {path.suffix[1:]} table ({reason}).") from None
    return checked(frame, contract, str(path)) if contract else frame


def _read_tsv(path: Path) -> pd.DataFrame:
    """Read every cell of a .tsv as text; ragged rows and repeated columns are refused, never shifted."""
    import pandas as pd

    rows = cells(io.StringIO(read_text(path), newline=""), "\t", path)
    header = next(rows, [])
    if not any(header):
        raise InputError(f"{path}: the file is empty; a header line and rows were expected.")
    if again := repeated(header):
        raise InputError(f"{path}: column '{again[0]}' stands twice in the header; keep one.")
    try:
        # The default engine shifts rows that are too long and fills up short ones; pyarrow refuses both.
        return pd.read_csv(
            path,
            sep="\t",
            dtype="str",
            keep_default_na=False,
            na_values=[""],
            encoding="utf-8",
            engine="pyarrow",
        )
    except pd.errors.ParserError:
        ragged = ((place, row) for place, row in enumerate(rows, 2) if row and len(row) != len(header))
        place, row = next(ragged, (1, header))
        raise InputError(
            f"{path}: row {place} has {len(row)} cells where the header has {len(header)}; the file is "
            "cut off, or a text holds a tab or a quote; write it again."
        ) from None


def checked(frame: pd.DataFrame, name: str, source: str) -> pd.DataFrame:
    """Cast a table to its contract and check it.

    Parameters
    ----------
    frame : DataFrame
        Text as read from a file, or typed columns as computed.
    name : str
        The contract.
    source : str
        The file, for the sentence.

    Returns
    -------
    DataFrame
        Columns in the contract's order, further ones (where allowed) behind; number -> float64,
        integer -> Int64, boolean -> boolean, string -> str with missing kept missing.

    Raises
    ------
    InputError
        A column is missing or unknown, a value is of another type, out of range or missing where required, or
        a key is given twice. The sentence names row (the header is row 1) and column.
    """
    rules = contract(name)
    fields = rules["fields"]
    names = [field["name"] for field in fields]
    needed = [field["name"] for field in fields if not field.get("optional")]
    missing = [column for column in needed if column not in frame.columns]
    if missing:
        raise InputError(
            f"{source}: column '{missing[0]}' is missing; a table of {name} has the columns "
            f"{listing(needed, 40)}."
        )
    extra = [str(column) for column in frame.columns if column not in names]
    if extra and rules.get("fieldsMatch") != "superset":
        raise InputError(
            f"{source}: column '{extra[0]}' is not known; a table of {name} has the columns "
            f"{listing(names, 40)}."
        )
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise InputError(f"{source}: column '{repeated[0]}' stands twice in the header; keep one.")
    if rules.get("minRows", 0) > len(frame):
        raise InputError(f"{source}: the table has no rows; at least {rules['minRows']} expected.")
    present = [field for field in fields if field["name"] in frame.columns]
    columns = {field["name"]: _column(frame[field["name"]], field, source) for field in present}
    result = frame.assign(**columns)[[*columns, *extra]]
    key = rules.get("primaryKey")
    if key:
        _unique(result, [name for name in key if name in result], source)
    return result


_EXPECTED = {"string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false"}
_TYPES: dict[str, Any] = {"string": "str", "number": "float64", "integer": "Int64", "boolean": "boolean"}
_WORDS = {"true": True, "false": False, "True": True, "False": False, "1": True, "0": False}


def _column(values: pd.Series, field: dict[str, Any], source: str) -> pd.Series:
    import pandas as pd

    kind = field["type"]
    cast: pd.Series
    text = pd.api.types.is_string_dtype(values.dtype) or values.dtype == object
    if kind == "string":
        cast = values.astype("str").where(values.notna()) if not text else values.astype("str")
    elif kind == "boolean" and pd.api.types.is_bool_dtype(values.dtype):
        cast = values.astype("boolean")
    elif kind == "boolean":
        cast = values.astype("str").map(_WORDS).where(values.notna()).astype("boolean")
    else:
        numbers = pd.to_numeric(values, errors="coerce") if text else values
        if kind == "integer":
            numbers = numbers.where(numbers.isna() | (numbers.astype("float64") % 1 == 0))
        cast = numbers.astype(_TYPES[kind])
        if kind == "number":
            cast = cast.where(np.isfinite(cast))
    lost = values.notna() & cast.isna()
    _refuse(lost, values, field["name"], f"{_EXPECTED[kind]} was expected", source)
    _constraints(cast, field, source)
    return cast


def _constraints(values: pd.Series, field: dict[str, Any], source: str) -> None:
    rules = field.get("constraints", {})
    name = field["name"]
    given = values.notna()
    if rules.get("required"):
        _refuse(~given, values, name, "a value is required", source)
    if "enum" in rules:
        _refuse(
            given & ~values.isin(rules["enum"]),
            values,
            name,
            f"one of {listing(rules['enum'], 20)} was expected",
            source,
        )
    if "minimum" in rules:
        _refuse(
            (values < rules["minimum"]).fillna(False),
            values,
            name,
            f"at least {rules['minimum']} was expected",
            source,
        )
    if "maximum" in rules:
        _refuse(
            (values > rules["maximum"]).fillna(False),
            values,
            name,
            f"at most {rules['maximum']} was expected",
            source,
        )
    if "pattern" in rules:
        wrong = [text for text in values.dropna().unique() if not re.fullmatch(rules["pattern"], text)]
        says = rules.get("says", f"text like {rules['pattern']} was expected")
        _refuse(values.isin(wrong), values, name, says, source)


def _refuse(bad: pd.Series, values: pd.Series, column: str, expected: str, source: str) -> None:
    rows = np.flatnonzero(bad.to_numpy(dtype=bool))
    if len(rows):
        cell = values.iloc[rows[0]]
        shown = "blank" if values.isna().iloc[rows[0]] else f"'{cell}'"
        more = f" (and {len(rows) - 1} more rows)" if len(rows) > 1 else ""
        raise InputError(f"{source}: row {rows[0] + 2}, column '{column}' is {shown}; {expected}{more}.")


def _unique(frame: pd.DataFrame, key: list[str], source: str) -> None:
    import pandas as pd

    # Codes that fill their range are counted, which is much faster than hashing them.
    combined, size = np.zeros(len(frame), dtype=np.int64), 1
    for column in key:
        codes, distinct = pd.factorize(frame[column], use_na_sentinel=False)
        combined, size = combined * len(distinct) + codes, size * len(distinct)
        if size > 8 * len(frame):
            break
    else:
        if not len(frame) or np.bincount(combined).max() == 1:
            return
    again = frame.duplicated(key, keep="first").to_numpy()
    if again.any():
        row = int(again.argmax())
        values = ", ".join(f"{column} {frame[column].iloc[row]}" for column in key)
        raise InputError(f"{source}: row {row + 2} repeats {values}; each may stand once.")
