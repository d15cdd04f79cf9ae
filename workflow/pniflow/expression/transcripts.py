"""From transcripts, as salmon and kallisto quantify them, to genes."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from pniflow.errors import InputError
from pniflow.expression.formats import Quantified, read_rows, summed
from pniflow.expression.genes import gene_map, identify
from pniflow.expression.opened import first_lines

# GENCODE's name of a transcript holds its gene: ENST00000456328.2|ENSG00000290825.1|...
GENCODE = re.compile(r"ENST[^|]*\|(ENSG[^|]*)\|.*")
SAID_BELOW = 0.995


def by_gene(
    samples: Sequence[Quantified], paths: Sequence[Path], tx2gene: Path | None
) -> tuple[list[Quantified], str]:
    """Sum transcripts to genes: by the table, or where the files name the genes themselves.

    Returns
    -------
    samples : list
    said : str
        What was done.

    Raises
    ------
    InputError
        The files name transcripts only and there is no table, or it is of another annotation.
    """
    if tx2gene is not None:
        table = read_tx2gene(tx2gene, [_named(label) for label in samples[0].labels])
        made = [to_genes(sample, table, path, tx2gene) for sample, path in zip(samples, paths, strict=True)]
        share = min(known for _, known in made)
        said = "transcripts summed to genes"
        said += f" ({share:.1%} of them are in the table)" if share < SAID_BELOW else ""
        return [sample for sample, _ in made], said
    labels = [str(label) for label in samples[0].labels]
    if GENCODE.fullmatch(labels[0]):
        genes = [
            [match[1] if (match := GENCODE.fullmatch(str(label))) else label for label in sample.labels]
            for sample in samples
        ]
        return [
            summed(names, sample.values) for names, sample in zip(genes, samples, strict=True)
        ], "transcripts summed to the genes in their names"
    if any(match is not None for match in identify(labels, gene_map())):
        return list(samples), "genes"
    raise InputError(
        f"{paths[0]}: these are transcripts ('{labels[0]}'); give --tx2gene, the table of transcript and gene"
        " of the annotation that was used."
    )


def read_tx2gene(path: Path, transcripts: Collection[str] = ()) -> dict[str, str]:
    """Read a table of transcript and gene, with a header or without, with or without numbers of rows.

    The transcripts are in the column that has most of those of the samples (else the first), and the genes
    in the next one to the right (else to the left). Transcripts are also known without their version.

    Parameters
    ----------
    transcripts : collection of str, optional
        Those of the samples' files.

    Raises
    ------
    InputError
        The table has fewer than two columns, or a transcript of two genes.
    """
    lines = first_lines(path, 2)
    delimiter = max("\t,; ", key=lines[-1].count) if lines else "\t"
    # R's write.table names all columns but that of the row numbers.
    width = lines[-1].count(delimiter) + 1 if lines else 1
    frame = read_rows(
        path, sep=delimiter, header=None, names=list(range(width)), skipinitialspace=True
    ).fillna("")
    wanted = {_unversioned(name) for name in transcripts}
    among = [sum(_unversioned(cell) in wanted for cell in frame[column]) for column in frame]
    place = int(np.argmax(among)) if len(among) > 1 else 0
    others = [*range(place + 1, width), *range(place)]
    others = [column for column in others if not _numbers_rows(list(frame[column]))] if place else others
    if not others:
        raise InputError(f"{path}: two columns, transcript and gene, were expected.")
    pairs = frame[[place, others[0]]].drop_duplicates()
    pairs.columns = [0, 1]
    repeated = pairs[0][pairs[0].duplicated()]
    if len(repeated):
        raise InputError(
            f"{path}: transcript '{repeated.iloc[0]}' is of two genes; give each transcript its one gene."
        )
    table = dict(zip(pairs[0], pairs[1], strict=True))
    return {_unversioned(name): gene for name, gene in table.items()} | table


def _numbers_rows(cells: list[str]) -> bool:
    """Tell whether cells number the rows below a header or without one."""
    return any(cells[1:] == [str(n) for n in range(first, first + len(cells) - 1)] for first in (0, 1, 2))


def _named(label: str) -> str:
    return str(label).partition("|")[0]


def _unversioned(name: str) -> str:
    return name.partition(".")[0]


def to_genes(
    sample: Quantified, genes_of: dict[str, str], path: Path, table: Path
) -> tuple[Quantified, float]:
    """Sum a sample's transcripts to genes; return also the share of transcripts that are in the table.

    Raises
    ------
    InputError
        Fewer than half of the transcripts are in the table: it is of another annotation.
    """
    names = [_named(label) for label in sample.labels]
    genes = [genes_of.get(name) or genes_of.get(_unversioned(name)) for name in names]
    known = sum(gene is not None for gene in genes)
    if known < len(genes) / 2:
        raise InputError(
            f"{path}: {known} of {len(genes)} transcripts are in {table} (the first is"
            f" '{sample.labels[0]}'); give the table of the annotation that the quantifier used."
        )
    named = [gene or label for gene, label in zip(genes, sample.labels, strict=True)]
    return summed(named, sample.values), known / len(genes)
