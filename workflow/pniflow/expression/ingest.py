"""From what the sequencing core delivered to levels by gene and sample."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from pniflow.errors import InputError, listing
from pniflow.expression.genes import gene_map, match_table
from pniflow.expression.levels import Accumulator
from pniflow.expression.matrix import Block, Layout, read_blocks, read_layout, samples_of
from pniflow.files import read_table, write_table

if TYPE_CHECKING:
    import pandas as pd


def ingest_expression(
    *,
    matrix: Path | None = None,
    quantifications: list[Path] | None = None,
    unit: Literal["counts", "tpm", "log2"],
    samples: Path | None = None,
    out: Path,
    genes: Path | None = None,
    allow_mangled: bool = False,
) -> None:
    """Read expression levels of the genes that are needed, whatever their names in the lab's file.

    Parameters
    ----------
    matrix : path
        A matrix of genes by samples, in either orientation, plain or gzip, separated by tab, comma,
        semicolon or blank.
    quantifications : list of paths
        One file per sample.
    unit : str
        What the numbers are: counts, tpm or log2.
    samples : path, optional
        Table of samples (contract samples). Its samples and the file's must be the same; names that differ
        only as R's make.names would change them are matched.
    out : path
        The levels (contract levels).
    genes : path, optional
        How each gene was found (contract gene_match).
    allow_mangled : bool
        Go on where a spreadsheet has turned gene names into dates; such rows only count in the library size.

    Raises
    ------
    InputError
        The file is no matrix, its values are not in the unit, a sample is empty, or the samples do not fit
        the table.
    """
    if (matrix is None) == (not quantifications):
        raise InputError("ingest-expression: give either --matrix or --quantifications.")
    assert matrix is not None
    gathered, form = _from_matrix(matrix, unit)
    gathered.finish(allow_mangled)
    ids = gathered.samples
    if samples is not None:
        ids = match_samples(
            gathered.samples, list(read_table(samples, "samples")["sample_id"]), matrix, samples
        )
    write_table(gathered.table(ids, form), out, "levels")
    if genes is not None:
        write_table(match_table(gathered.labels, gathered.matches, gathered.known), genes, "gene_match")


def _from_matrix(path: Path, unit: str) -> tuple[Accumulator, str]:
    layout = read_layout(path)
    if layout.genes_are_rows:
        gathered = Accumulator(path, samples_of(layout), unit, gene_map())
        for block in read_blocks(layout):
            gathered.add(block, layout.entrez)
        return gathered, "matrix"
    block, samples = _transposed(layout)
    gathered = Accumulator(path, samples, unit, gene_map())
    gathered.add(block)
    return gathered, "matrix, samples in rows"


def _transposed(layout: Layout) -> tuple[Block, list[str]]:
    """Read a matrix with samples in rows whole, and turn it."""
    blocks = list(read_blocks(layout))
    samples = [label for block in blocks for label in block.labels]
    repeated = (
        sorted({label for label in samples if samples.count(label) > 1})
        if len(set(samples)) < len(samples)
        else []
    )
    if repeated:
        raise InputError(
            f"{layout.path}: the sample {listing(repeated)} has more than one row; each sample has one."
        )
    values = np.concatenate([block.values for block in blocks]).T
    return Block([layout.columns[column] for column in layout.values], values), samples


def make_name(label: str) -> str:
    """Return a label as R's make.names would: other characters become '.', an invalid start gets an 'X'."""
    name = re.sub(r"[^A-Za-z0-9._]", ".", label)
    return name if re.match(r"[A-Za-z]|\.(?![0-9])", name) else f"X{name}"


def match_samples(labels: Sequence[str], expected: Sequence[str], source: Path, sheet: Path) -> list[str]:
    """Match the labels of a matrix with the sample table.

    Parameters
    ----------
    labels : sequence of str
        Samples as in the matrix.
    expected : sequence of str
        `sample_id` of the sample table.

    Returns
    -------
    list of str
        For each label the `sample_id`: the same text, else the only one that make.names makes equal.

    Raises
    ------
    InputError
        A sample of the matrix is not in the table, or the reverse.
    """
    exact = set(expected)
    by_name: dict[str, list[str]] = {}
    for sample in expected:
        by_name.setdefault(make_name(sample), []).append(sample)
    ids, unmatched = [], []
    for label in labels:
        candidates = [label] if label in exact else by_name.get(make_name(label), [])
        if len(candidates) == 1:
            ids.append(candidates[0])
        else:
            unmatched.append(label)
    if unmatched:
        raise InputError(
            f"{source}: sample {listing(unmatched)} is not in {sheet}; add its row to the sample table or"
            " take its column out."
        )
    absent = sorted(exact - set(ids))
    if absent:
        raise InputError(
            f"{sheet}: sample {listing(absent)} has no column in {source}; take its row out of the sample"
            " table or add the column."
        )
    if len(set(ids)) < len(ids):
        twice = sorted({sample for sample in ids if ids.count(sample) > 1})
        raise InputError(
            f"{source}: two columns fit the sample {listing(twice)} of {sheet}; name them apart."
        )
    return ids


def read_levels(path: Path) -> pd.DataFrame:
    """Read levels; the gene columns are float64."""
    table = read_table(path, "levels")
    known = [gene for gene in gene_map().genes if gene in table.columns]
    return table.astype(dict.fromkeys(known, "float64"))
