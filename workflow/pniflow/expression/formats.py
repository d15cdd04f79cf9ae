"""Files of one sample each, as quantifiers and instruments write them, recognised by their content."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pniflow.errors import InputError, listing
from pniflow.expression.matrix import first_lines, open_text

if TYPE_CHECKING:
    import pandas as pd

# What the program's header line begins with, and the column of each unit.
HEADERS = {
    "salmon": ("Name\tLength\tEffectiveLength\tTPM\tNumReads", {"tpm": "TPM", "counts": "NumReads"}),
    "kallisto": ("target_id\tlength\teff_length\test_counts\ttpm", {"tpm": "tpm", "counts": "est_counts"}),
    "rsem": ("gene_id\ttranscript_id(s)\tlength", {"tpm": "TPM", "counts": "expected_count"}),
}
BY_TRANSCRIPT = ("salmon", "kallisto")
ESTIMATES = (*HEADERS,)
# Ends of file names that say nothing about the sample; a folder per sample names it where nothing is left.
SUFFIXES = re.compile(
    r"(?i)[._-]*(\.gz|\.txt|\.tsv|\.tab|\.csv|\.sf|\.rcc|\.out|ReadsPerGene|abundance|quant|\.genes|\.results|"
    r"\.counts?|\.htseq)$"
)
STRANDS = {"unstranded": 1, "forward": 2, "reverse": 3}
HOUSEKEEPING = "Housekeeping"


class Quantified(NamedTuple):
    """One sample: labels of its rows, their values, and (nanoString) which labels are housekeeping genes."""

    labels: np.ndarray
    values: np.ndarray
    housekeeping: tuple[str, ...] = ()


def detect(path: Path) -> str:
    """Tell a file's format from its content.

    Returns
    -------
    str
        salmon, kallisto, rsem, star, htseq, rcc, rcc_export, soft, or matrix for any other table.
    """
    lines = first_lines(path, 60)
    if not lines:
        raise InputError(f"{path}: the file is empty.")
    for name, (header, _) in HEADERS.items():
        if lines[0].startswith(header):
            return name
    if lines[0].startswith("N_unmapped\t"):
        return "star"
    if lines[0].strip() == "<Header>":
        return "rcc"
    if lines[0].startswith("File Name,") and any(line.startswith("Gene RLF,") for line in lines):
        return "rcc_export"
    if lines[0].startswith("^"):
        return "soft"
    rows = [line.split("\t") for line in lines]
    widths = {len(row) for row in rows}
    headed = re.fullmatch(r"(?i)(read_?)?counts?", rows[0][-1]) is not None and len(rows) > 1
    if len(widths) == 1 and max(widths) >= 2 and all(_only_last_is_count(row) for row in rows[headed:]):
        return "htseq"
    return "matrix"


def _only_last_is_count(row: list[str]) -> bool:
    return row[-1].isdigit() and not any(_number(cell) for cell in row[:-1])


def _number(cell: str) -> bool:
    return re.fullmatch(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?", cell) is not None


def expand(paths: Sequence[Path]) -> list[Path]:
    """Replace patterns by what fits them, and a folder by the files in it and below, in order of name.

    Of a folder with RCC files only these count.
    """
    found: list[Path] = []
    for path in [one for given in paths for one in _matching(given)]:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(item for item in path.rglob("*") if item.is_file() and not item.name.startswith("."))
        counts = [item for item in inside if item.name.lower().removesuffix(".gz").endswith(".rcc")]
        if not inside:
            raise InputError(f"{path}: the folder has no files.")
        found += counts or inside
    return found


def _matching(path: Path) -> list[Path]:
    """Return the files and folders that fit a pattern; a name without wildcard stands for itself."""
    if path.exists() or not set("*?[") & set(str(path)):
        return [path]
    matching = sorted(Path(name) for name in glob.glob(str(path)))
    if not matching:
        raise InputError(f"{path}: no file fits this pattern; correct it.")
    return matching


def sample_name(path: Path) -> str:
    """Return the sample's name: the file's without what programs add; its folder's where nothing is left."""
    name = path.name
    while (shorter := SUFFIXES.sub("", name)) != name:
        name = shorter
    return name or path.parent.name


def read_quantification(path: Path, form: str, unit: str) -> Quantified:
    """Read one sample's file.

    Parameters
    ----------
    form : str
        As `detect` returns it; for STAR with the strand: star:reverse.
    unit : str
        counts or tpm.

    Raises
    ------
    InputError
        The format has no such unit, or the file is not of the format.
    """
    form, _, strand = form.partition(":")
    if form == "rcc":
        _only(path, "nanoString RCC", unit, ("counts",))
        return _read_rcc(path)
    if form in HEADERS:
        column = HEADERS[form][1].get(unit)
        if column is None:
            raise InputError(f"{path}: {form} gives tpm and counts; the unit {unit} was declared.")
        frame = _read(path, sep="\t", header=0)
        return _quantified(path, frame.iloc[:, 0], frame[column])
    _only(path, {"star": "STAR ReadsPerGene", "htseq": "htseq-count"}[form], unit, ("counts",))
    frame = _read(path, sep="\t", header=None)
    if form == "htseq" and not str(frame.iloc[0, -1]).isdigit():
        frame = frame.iloc[1:]
    return _quantified(path, frame.iloc[:, 0], frame.iloc[:, STRANDS[strand] if form == "star" else -1])


def _only(path: Path, program: str, unit: str, units: tuple[str, ...]) -> None:
    if unit not in units:
        raise InputError(f"{path}: {program} gives {' and '.join(units)}; the unit {unit} was declared.")


def _read(path: Path, **options: object) -> pd.DataFrame:
    import pandas as pd

    try:
        with open_text(path) as stream:
            return pd.read_csv(stream, dtype=str, keep_default_na=False, **options)  # type: ignore[call-overload]
    except (pd.errors.ParserError, pd.errors.EmptyDataError, EOFError, OSError) as error:
        raise InputError(
            f"{path}: the file is damaged ({' '.join(str(error).split())}); fetch it again."
        ) from None


def _quantified(path: Path, labels: pd.Series, cells: pd.Series) -> Quantified:
    import pandas as pd

    values = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=float)
    if np.isnan(values).any():
        row = int(np.isnan(values).argmax())
        raise InputError(
            f"{path}: '{labels.iloc[row]}' has the value '{cells.iloc[row]}'; a number was expected."
        )
    return Quantified(labels.to_numpy(dtype=object), values)


def star_strand(paths: Sequence[Path]) -> tuple[str, float]:
    """Infer the library's strandedness from STAR's columns.

    Returns
    -------
    strand : str
        unstranded, forward or reverse.
    share : float
        Share of the forward column among forward and reverse, over all samples.

    Raises
    ------
    InputError
        The share is neither near one half nor near an end.
    """
    totals = np.zeros(4)
    for path in paths:
        frame = _read(path, sep="\t", header=None)
        genes = frame[~frame[0].str.startswith("N_")]
        totals[1:] += [float(genes[column].astype(float).sum()) for column in (1, 2, 3)]
    both = totals[2] + totals[3]
    share = totals[2] / both if both else float("nan")
    for strand, low, high in (("forward", 0.8, 1.0), ("unstranded", 0.35, 0.65), ("reverse", 0.0, 0.2)):
        if low <= share <= high:
            return strand, share
    raise InputError(
        f"{paths[0]}: {share:.0%} of the reads are in STAR's forward column, which fits neither a stranded"
        " nor an unstranded library; say which with --strand."
    )


def _read_rcc(path: Path) -> Quantified:
    """Read a nanoString file: counts of the endogenous and housekeeping probes of <Code_Summary>."""
    lines = first_lines(path, 100_000)
    try:
        first, last = lines.index("<Code_Summary>"), lines.index("</Code_Summary>")
    except ValueError:
        raise InputError(f"{path}: the RCC file has no complete <Code_Summary>; export it again.") from None
    return _probes(path, [line.split(",") for line in lines[first + 2 : last] if line], 3)


def _probes(path: Path, rows: list[list[str]], column: int) -> Quantified:
    """Take one sample's column of rows CodeClass, Name, Accession, counts..."""
    genes = [row for row in rows if row[0] == HOUSEKEEPING or row[0].startswith("Endogenous")]
    bad = next((row for row in genes if len(row) <= column or not _number(row[column])), None)
    if bad is not None or not genes:
        raise InputError(f"{path}: probe '{bad[1] if bad else ''}' has no count; a number was expected.")
    labels = np.array([row[1] for row in genes], dtype=object)
    values = np.array([float(row[column]) for row in genes])
    return Quantified(labels, values, tuple(row[1] for row in genes if row[0] == HOUSEKEEPING))


def read_rcc_export(path: Path) -> tuple[list[str], list[Quantified]]:
    """Read the table of RCC files that the collector tool exports; return samples and their counts."""
    import csv

    rows = list(csv.reader(first_lines(path, 100_000)))
    samples = [sample_name(Path(cell)) for cell in rows[0][3:] if cell]
    probes = [row for row in rows if row[0] == HOUSEKEEPING or row[0].startswith("Endogenous")]
    return samples, [_probes(path, probes, 3 + place) for place in range(len(samples))]


def read_tx2gene(path: Path) -> dict[str, str]:
    """Read a table of transcript and gene: its first two columns, with a header or without."""
    lines = first_lines(path, 1)
    delimiter = "," if lines and "," in lines[0] else "\t"
    frame = _read(path, sep=delimiter, header=None)
    if frame.shape[1] < 2:
        raise InputError(f"{path}: two columns, transcript and gene, were expected.")
    return dict(zip(frame[0], frame[1], strict=True))


def to_genes(sample: Quantified, genes_of: dict[str, str], path: Path, table: Path) -> Quantified:
    """Sum a sample's transcripts to genes.

    Raises
    ------
    InputError
        Fewer than half of the transcripts are in the table: it is of another annotation.
    """
    genes = [genes_of.get(label) or genes_of.get(label.partition(".")[0]) for label in sample.labels]
    known = sum(gene is not None for gene in genes)
    if known < len(genes) / 2:
        raise InputError(
            f"{path}: {known} of {len(genes)} transcripts are in {table} (the first is"
            f" '{sample.labels[0]}'); give the table of the annotation that the quantifier used."
        )
    named = np.array([gene or label for gene, label in zip(genes, sample.labels, strict=True)], dtype=object)
    labels, place = np.unique(named, return_inverse=True)
    return Quantified(labels, np.bincount(place, weights=sample.values))


def stack(samples: Sequence[Quantified]) -> tuple[list[str], np.ndarray]:
    """Put samples side by side: labels, and values (rows x samples).

    Raises
    ------
    InputError
        A label is not in all files. Quantifiers write every gene of their annotation, zeros too; so the files
        are of different annotations (or panels), and what is missing in one is not zero.
    """
    import pandas as pd

    first = samples[0].labels
    if all(np.array_equal(sample.labels, first) for sample in samples):
        return list(first), np.stack([sample.values for sample in samples], axis=1)
    columns = [
        pd.Series(sample.values, sample.labels).groupby(level=0, sort=False).sum() for sample in samples
    ]
    frame = pd.concat(columns, axis=1)
    lacking = frame.index[frame.isna().any(axis=1)]
    if len(lacking):
        raise InputError(
            f"the samples' files do not list the same genes ({listing(list(lacking), 3)} is not in all);"
            " quantify all samples with one annotation."
        )
    return list(frame.index), frame.to_numpy()
