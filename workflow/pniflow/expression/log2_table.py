"""Reading a table of log2 expression: the pipeline's own, or one that an outsider gives."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from pniflow.contracts import read_table
from pniflow.errors import InputError, listing, repeated
from pniflow.expression.genes import GeneSet, gene_map, identify
from pniflow.expression.units import offence


class Expression(NamedTuple):
    """Log2 expression: values (genes x samples), and the name of each gene in the file."""

    genes: list[str]
    identifiers: list[str]
    samples: list[str]
    values: np.ndarray


def read_expression(path: Path) -> Expression:
    """Read a table of log2 expression: first column the gene, then one column per sample.

    Genes may bear any identifier of the gene map; rows that are none of its genes are passed over.

    Raises
    ------
    InputError
        A cell is not a number, a gene stands twice, or no gene is known.
    """
    import pandas as pd

    frame = read_table(path)
    if frame.shape[1] < 2:
        raise InputError(
            f"{path}: a column of genes and a column per sample were expected; the table has"
            f" {frame.shape[1]} column."
        )
    label = str(frame.columns[0])
    names = [str(cell) for cell in frame[label]]
    matches = identify(names, gene_map(), entrez=all(name.isdigit() for name in names))
    rows = [row for row, match in enumerate(matches) if match is not None]
    if not rows:
        raise InputError(
            f"{path}: the first column ('{label}') holds no known gene; one gene per row was expected."
        )
    genes = [match.gene for match in matches if match is not None]
    if twice := sorted(repeated(genes)):
        again = [names[row] for row in rows if matches[row].gene == twice[0]]  # type: ignore[union-attr]
        raise InputError(
            f"{path}: gene {twice[0]} stands in {len(again)} rows ({listing(again)}); log2 values"
            " cannot be summed, keep one."
        )
    chosen = frame.iloc[rows, 1:]
    numbers = chosen.apply(pd.to_numeric, errors="coerce")
    bad = (numbers.isna() & chosen.notna() & ~chosen.isin(["NA", "NaN", "nan"])).to_numpy() | np.isinf(
        numbers.to_numpy(dtype=float)
    )
    if bad.any():
        row, column = divmod(int(bad.argmax()), bad.shape[1])
        raise InputError(
            f"{path}: row {rows[row] + 2}, column '{chosen.columns[column]}' is"
            f" '{chosen.iloc[row, column]}'; a log2 value was expected."
        )
    values = numbers.to_numpy(dtype=float)
    if (found := offence(values, "log2")) is not None:
        row, column = divmod(int(found[0].argmax()), values.shape[1])
        raise InputError(
            f"{path}: gene '{names[rows[row]]}', sample '{chosen.columns[column]}' is"
            f" {values[row, column]:g}; log2 values lie within ±40: normalize the levels first (pniflow"
            " normalize-expression)."
        )
    return Expression(genes, [names[row] for row in rows], [str(name) for name in chosen.columns], values)


def rows_of(chosen: GeneSet, table: Expression) -> np.ndarray:
    """Return the set's genes in its order (genes x samples); an absent gene is a row of nan."""
    place = {gene: row for row, gene in enumerate(table.genes)}
    values = np.full((len(chosen.genes), len(table.samples)), np.nan)
    for row, gene in enumerate(chosen.genes):
        if gene in place:
            values[row] = table.values[place[gene]]
    return values
