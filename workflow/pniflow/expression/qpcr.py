"""qPCR threshold cycles in a table with a row per well, as instruments export them."""

from __future__ import annotations

import re
from pathlib import Path

from pniflow.errors import InputError
from pniflow.expression.formats import read_rows
from pniflow.expression.matrix import MISSING, Block
from pniflow.expression.opened import first_lines

COLUMNS = {
    "sample": re.compile(r"(?i)sample([ _.]?(name|id))?"),
    "target": re.compile(r"(?i)(target|detector|gene|assay)([ _.]?(name|id))?"),
    "cycle": re.compile(r"(?i)c[tqт]|ct[ _.]?value|cp"),
}


def _header(path: Path) -> tuple[int, str, dict[str, int]]:
    """Find the header line (instruments write a preamble), the delimiter, and the three columns."""
    for number, line in enumerate(first_lines(path)):
        for delimiter in "\t,;":
            fields = [field.strip(' "') for field in line.split(delimiter)]
            found = {
                role: next((place for place, field in enumerate(fields) if pattern.fullmatch(field)), -1)
                for role, pattern in COLUMNS.items()
            }
            if min(found.values()) >= 0:
                return number, delimiter, found
    return -1, "", {}


def is_long_table(path: Path) -> bool:
    """Tell whether a file has a row per well: columns for sample, target and cycle."""
    return _header(path)[0] >= 0


def read_long_table(path: Path) -> tuple[list[str], Block]:
    """Read a table with a row per well.

    Wells of one sample and target are averaged; undetermined ones are missing.

    Returns
    -------
    samples : list of str
        In order of first appearance.
    block : Block
        Cycles, targets x samples.

    Raises
    ------
    InputError
        A cycle is neither a number nor Undetermined.
    """
    import pandas as pd

    number, delimiter, place = _header(path)
    frame = read_rows(path, sep=delimiter, skiprows=number)
    wells = pd.DataFrame({role: frame.iloc[:, column].str.strip() for role, column in place.items()})
    wells = wells[(wells["sample"] != "") & (wells["target"] != "")]
    cycle = pd.to_numeric(wells["cycle"].mask(wells["cycle"].isin(MISSING)), errors="coerce")
    bad = cycle.isna() & ~wells["cycle"].isin(MISSING)
    if bad.any():
        row = int(bad.to_numpy().argmax())
        raise InputError(
            f"{path}: sample '{wells['sample'].iloc[row]}', target '{wells['target'].iloc[row]}' has the"
            f" cycle '{wells['cycle'].iloc[row]}'; a number or Undetermined was expected."
        )
    table = wells.assign(cycle=cycle).groupby(["target", "sample"], sort=False)["cycle"].mean().unstack()
    samples = list(dict.fromkeys(wells["sample"]))
    return samples, Block(list(table.index), table[samples].to_numpy(dtype=float))
