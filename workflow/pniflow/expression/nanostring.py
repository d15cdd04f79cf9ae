"""Counts of nanoString's panels: an instrument's file of a lane (RCC), and tables of several."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pniflow import files
from pniflow.errors import InputError
from pniflow.expression.formats import Quantified, is_number, sample_name
from pniflow.expression.matrix import first_lines

HOUSEKEEPING = "Housekeeping"


def read_rcc(path: Path) -> Quantified:
    """Read a lane's file: counts of the endogenous and housekeeping probes of <Code_Summary>.

    Raises
    ------
    InputError
        The file has no complete <Code_Summary>, or a probe has no count.
    """
    lines = first_lines(path, 100_000)
    try:
        first, last = lines.index("<Code_Summary>"), lines.index("</Code_Summary>")
    except ValueError:
        raise InputError(f"{path}: the RCC file has no complete <Code_Summary>; export it again.") from None
    return _probes(path, [line.split(",") for line in lines[first + 2 : last] if line], 3)


def _probes(path: Path, rows: list[list[str]], column: int) -> Quantified:
    """Take one sample's column of rows CodeClass, Name, Accession, counts..."""
    genes = [row for row in rows if row[0] == HOUSEKEEPING or row[0].startswith("Endogenous")]
    bad = next((row for row in genes if len(row) <= column or not is_number(row[column])), None)
    if bad is not None or not genes:
        raise InputError(
            f"{path}: probe '{bad[1][:80] if bad and bad[1:] else ''}' has no count; a number was expected."
        )
    labels = np.array([row[1] for row in genes], dtype=object)
    values = np.array([float(row[column]) for row in genes])
    return Quantified(labels, values, tuple(row[1] for row in genes if row[0] == HOUSEKEEPING))


def read_rcc_export(path: Path) -> tuple[list[str], list[Quantified]]:
    """Read the table of RCC files that the collector tool exports; return samples and their counts."""
    rows = [row for row in files.cells(first_lines(path, 100_000, None), ",", path) if row]
    named = {place: sample_name(Path(cell)) for place, cell in enumerate(rows[0]) if place > 2 and cell}
    if not named:
        raise InputError(f"{path}: the first line names no sample's file; export the table again.")
    probes = [row for row in rows if row[0] == HOUSEKEEPING or row[0].startswith("Endogenous")]
    return list(named.values()), [_probes(path, probes, place) for place in named]
