"""From what the sequencing core delivered to levels by gene and sample."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from pniflow.contracts import read_table, write_table
from pniflow.errors import InputError, listing, repeated
from pniflow.expression import formats, nanostring
from pniflow.expression.genes import gene_map, match_table
from pniflow.expression.levels import Accumulator
from pniflow.expression.matrix import Block, read_blocks, read_layout, samples_of, transposed
from pniflow.expression.qpcr import read_wells
from pniflow.expression.transcripts import by_gene
from pniflow.expression.units import LARGEST_LOG2, LINEAR

if TYPE_CHECKING:
    import pandas as pd

Format = Literal[
    "auto", "matrix", "samples_in_rows", "star", "gdc", "htseq", "salmon", "kallisto", "rsem", "rcc",
    "rcc_export",
]  # fmt: skip


def ingest_expression(
    *,
    matrix: Path | None = None,
    quantifications: list[Path] | None = None,
    unit: Literal["counts", "tpm", "cpm", "intensity", "log2", "ct"],
    samples: Path | None = None,
    out: Path,
    genes: Path | None = None,
    whole: Path | None = None,
    format: Format = "auto",
    strand: Literal["auto", "unstranded", "forward", "reverse"] = "auto",
    tx2gene: Path | None = None,
    housekeeping: list[str] | None = None,
    allow_mangled: bool = False,
) -> None:
    """Read expression levels of the genes that are needed, whatever their names in the lab's file.

    Parameters
    ----------
    matrix : path
        A matrix of genes by samples in either orientation, plain or gzip, separated by tab, comma, semicolon
        or blank, or the first sheet of a workbook (.xlsx); a featureCounts table, a GEO series matrix, a
        GenomeStudio probe profile, a nanoString collector export, a table of qPCR Ct values; or a folder of
        files of one sample each.
    quantifications : list of paths
        Files of one sample each, their folder, or a pattern (rna/*/quant.sf): STAR ReadsPerGene, htseq-count,
        salmon, kallisto, RSEM, DRAGEN, GDC's STAR counts, featureCounts, nanoString RCC. Of a folder of
        nf-core/rnaseq the merged table of the unit is read.
    unit : str
        What the numbers are: counts (estimates with fractions too), tpm, cpm (counts per million), intensity
        (of an array, not logarithmic), log2, or ct (qPCR threshold cycles). Numbers that cannot be of the
        unit are refused; of an unlikely unit the levels and stderr tell.
    samples : path, optional
        Table of samples (contract samples). Its samples and the file's must be the same; names that differ
        only as R's make.names would change them are matched. A sample with a reason in the column `excluded`
        is left out.
    out : path
        The levels (contract levels).
    genes : path, optional
        How each gene was found (contract gene_match).
    whole : path, optional
        All rows of the file (.parquet), for normalization by tmm or quantile.
    format : str
        The files' format; auto reads it from their content, and matrix its orientation from the names.
    strand : str
        Column of STAR's files; auto infers it from all of them and says so in the levels (of GDC's files it
        is the unstranded one).
    tx2gene : path, optional
        Table of transcript and gene, for salmon and kallisto; in any order of columns, with row numbers or
        without.
    housekeeping : list of str, optional
        Row names of the panel's own reference genes (qPCR); nanoString files name theirs.
    allow_mangled : bool
        Go on where a spreadsheet has turned gene names into dates; such rows only count in the library size.

    Raises
    ------
    InputError
        The file is of no known format, its values are not in the unit, a sample is empty, or the samples do
        not fit the table.
    """
    if (matrix is None) == (not quantifications):
        raise InputError("ingest-expression: give either --matrix or --quantifications.")
    paths = formats.expand(quantifications or [matrix], unit, tx2gene is not None)  # type: ignore[list-item]
    sheet = None if samples is None else read_table(samples, "samples")
    excluded = [] if sheet is None or "excluded" not in sheet else _excluded(sheet)
    wanted = Wanted(unit, housekeeping or [], excluded, whole is not None)
    if len(paths) > 1:
        paths = [path for path in paths if wanted.counts(formats.sample_name(path))] or paths[:1]
    form = _format(paths, format)
    if form == "samples_in_rows" or (form == "matrix" and len(paths) == 1):
        gathered, said = _from_matrix(paths[0], wanted, form == "samples_in_rows")
    else:
        gathered, said = _from_samples(paths, form, wanted, strand, tx2gene)
    remarks = gathered.finish(allow_mangled)
    ids = gathered.samples
    source = matrix or paths[0]
    if remarks:
        print(f"{source}: {'; '.join(remarks)}.", file=sys.stderr)
        said = "; ".join([said, *remarks])
    if samples is not None and sheet is not None:
        expected = [sample for sample in sheet["sample_id"] if sample not in set(excluded)]
        ids = match_samples(ids, expected, source, samples)
    write_table(gathered.table(ids, said), out, "levels")
    if whole is not None:
        write_table(gathered.whole_table(ids), whole)
    if genes is not None:
        table = match_table(gathered.labels, gathered.matches, gathered.known)
        write_table(table, genes, "gene_match")


class Wanted(NamedTuple):
    """What is to be gathered: unit, the panel's own reference genes, samples to leave out, all rows."""

    unit: str
    housekeeping: list[str]
    excluded: list[str]
    whole: bool

    def counts(self, label: str) -> bool:
        """Tell whether a sample is not left out."""
        return make_name(label) not in map(make_name, self.excluded)

    def accumulator(self, source: Path, samples: list[str], estimated: bool = False) -> Accumulator:
        """Return an empty accumulator for all samples but those left out."""
        kept = np.array([self.counts(label) for label in samples], dtype=bool)
        if not kept.any():
            raise InputError(f"{source}: the study excludes all samples; keep at least one.")
        chosen = None if kept.all() else kept
        return Accumulator(
            source, samples, self.unit, gene_map(), self.housekeeping, estimated, chosen, self.whole
        )


def _excluded(sheet: pd.DataFrame) -> list[str]:
    return list(sheet["sample_id"][sheet["excluded"].notna()])


def _format(paths: Sequence[Path], asked: str) -> str:
    """Return the one format of the files, as asked or as their content shows."""
    if asked != "auto":
        return asked
    found = {path: formats.detect(path) for path in paths}
    kinds = sorted(set(found.values()))
    if kinds == ["soft"]:
        raise InputError(
            f"{paths[0]}: this is a GEO SOFT record of single samples with the platform's probes; give the"
            " series matrix with gene symbols in the first column (or the lab's gene matrix)."
        )
    if len(kinds) > 1:
        examples = [f"{path.name} ({kind})" for path, kind in found.items() if kinds.index(kind) < 2]
        raise InputError(
            f"{paths[0].parent}: the files are of several formats ({listing(examples, 4)}); give the files"
            " of one format, or a pattern that fits only these (rna/*/quant.sf)."
        )
    return kinds[0]


def _from_matrix(path: Path, wanted: Wanted, samples_are_rows: bool) -> tuple[Accumulator, str]:
    """Read a matrix block by block."""
    if wanted.unit == "ct" and (wells := read_wells(path)) is not None:
        gathered = wanted.accumulator(path, wells.samples)
        gathered.add(wells.block)
        return gathered, wells.said()
    layout = read_layout(path, samples_are_rows, wanted.unit)
    if layout.genes_are_rows:
        gathered = wanted.accumulator(path, samples_of(layout))
        for block in read_blocks(layout):
            gathered.add(block, layout.entrez)
        return gathered, "matrix"
    block, samples = transposed(layout)
    _once(path, samples, "row")
    gathered = wanted.accumulator(path, samples)
    gathered.add(block, layout.entrez)
    left = f" (left out as no genes: {listing(layout.others, 5)})" if layout.others else ""
    return gathered, f"matrix, samples in rows{left}"


def _once(path: Path, samples: list[str], what: str) -> None:
    if twice := repeated(samples):
        raise InputError(f"{path}: sample {listing(twice)} has more than one {what}; each sample has one.")


def _from_samples(
    paths: Sequence[Path], form: str, wanted: Wanted, strand: str, tx2gene: Path | None
) -> tuple[Accumulator, str]:
    """Read files of one sample each."""
    said = form
    if form == "star":
        share = ""
        if strand == "auto":
            strand, forward = formats.star_strand(paths)
            share = f" (inferred: {forward:.0%} of stranded reads are forward)"
        said = f"star, {strand}{share}"
        form = f"star:{strand}"
    elif form == "gdc":
        form = f"gdc:{'unstranded' if strand == 'auto' else strand}"
    source = paths[0] if len(paths) == 1 else paths[0].parent
    if form in ("rcc", "rcc_export"):
        return _from_lanes(paths, form, wanted)
    if form == "matrix":
        names, quantified = _tables(paths, wanted.unit)
    else:
        names = [formats.sample_name(path) for path in paths]
        quantified = [formats.read_quantification(path, form, wanted.unit) for path in paths]
    _once(paths[0].parent, names, "file")
    if form in formats.BY_TRANSCRIPT:
        quantified, how = by_gene(quantified, paths, tx2gene)
        said = f"{form}, {how}"
    labels, values = formats.stack(quantified, source)
    wanted = wanted._replace(housekeeping=wanted.housekeeping or list(quantified[0].housekeeping))
    gathered = wanted.accumulator(source, names, estimated=form in formats.HEADERS)
    gathered.add(Block(labels, values))
    return gathered, said


def _from_lanes(paths: Sequence[Path], form: str, wanted: Wanted) -> tuple[Accumulator, str]:
    """Read nanoString's lanes."""
    if form == "rcc":
        formats.require_unit(paths[0], "nanoString RCC", wanted.unit, ("counts",))
    read = nanostring.read_rcc if form == "rcc" else nanostring.read_rcc_export
    lanes = [lane for path in paths for lane in read(path)]
    names = [lane.sample for lane in lanes]
    _once(paths[0].parent, names, "file")
    source = paths[0] if len(paths) == 1 else paths[0].parent
    labels, values = formats.stack([lane.counts for lane in lanes], source)
    wanted = wanted._replace(housekeeping=wanted.housekeeping or list(lanes[0].counts.housekeeping))
    # nSolver's normalized counts are no whole numbers.
    normalized = form == "rcc_export" and bool((values % 1 != 0).any() and values.max() > LARGEST_LOG2)
    gathered = wanted.accumulator(source, names, estimated=normalized)
    gathered.add(Block(labels, values))
    gathered.further = nanostring.table(lanes, gathered.samples)
    plexed = len(names) > len({formats.sample_name(path) for path in paths}) and form == "rcc"
    said = f"{form}{', normalized' if normalized else ''}{', eight samples a lane' if plexed else ''}"
    return gathered, said


def _tables(paths: Sequence[Path], unit: str) -> tuple[list[str], list[formats.Quantified]]:
    """Read tables of one or a few samples each, as featureCounts writes them; return samples and columns.

    A sample is named by its column; by its file where all files name their column alike.
    """
    if unit not in LINEAR:
        raise InputError(
            f"{paths[0].parent}: {unit} values of several files cannot be joined; give one matrix."
        )
    names: list[str] = []
    columns: list[formats.Quantified] = []
    for path in paths:
        layout = read_layout(path)
        if not layout.genes_are_rows:
            raise InputError(f"{path}: genes are in columns; of several files genes in rows were expected.")
        blocks = list(read_blocks(layout))
        labels = np.array([label for block in blocks for label in block.labels], dtype=object)
        values = np.concatenate([block.values for block in blocks])
        if len(layout.values) == 1:
            formats.require_once(path, [label for label in labels if label.startswith("ENSG")])
        names += samples_of(layout)
        columns += [formats.Quantified(labels, column) for column in values.T]
    if len(columns) == len(paths) > len(set(names)):
        names = [formats.sample_name(path) for path in paths]
    return names, columns


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
    labels = [unicodedata.normalize("NFC", label) for label in labels]
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
    _once(source, ids, "column")
    return ids


def read_levels(path: Path) -> pd.DataFrame:
    """Read levels; the gene columns are float64."""
    table = read_table(path, "levels")
    known = [gene for gene in gene_map().genes if gene in table.columns]
    return table.astype(dict.fromkeys(known, "float64"))
