"""Files of one sample each, as quantifiers and instruments write them, recognised by their content."""

from __future__ import annotations

import glob
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pniflow import files
from pniflow.errors import InputError, listing, repeated
from pniflow.expression.opened import as_text, first_lines
from pniflow.raw import gate

if TYPE_CHECKING:
    import pandas as pd

# What the program's header line begins with, and the column of each unit. RSEM's isoforms bear their genes.
HEADERS: dict[str, tuple[str | tuple[str, ...], dict[str, str]]] = {
    "salmon": ("Name\tLength\tEffectiveLength\tTPM\tNumReads", {"tpm": "TPM", "counts": "NumReads"}),
    "kallisto": ("target_id\tlength\teff_length\test_counts\ttpm", {"tpm": "tpm", "counts": "est_counts"}),
    "rsem": (
        ("gene_id\ttranscript_id(s)\tlength", "transcript_id\tgene_id\tlength"),
        {"tpm": "TPM", "counts": "expected_count"},
    ),
    "gdc": ("gene_id\tgene_name\tgene_type\tunstranded", {"tpm": "tpm_unstranded", "counts": "unstranded"}),
}
GDC_STRANDS = {"unstranded": "unstranded", "forward": "stranded_first", "reverse": "stranded_second"}
BY_TRANSCRIPT = ("salmon", "kallisto")
# What programs call the file of results; beside it they leave logs, binaries and summaries.
RESULTS = re.compile(
    r"(?i)(\.rcc|quant(\.genes)?\.sf|abundance\.tsv|ReadsPerGene\.out\.tab|\.genes\.results"
    r"|star_gene_counts\.tsv)(\.gz)?$"
)
# Salmon and DRAGEN can write both; and nf-core/rnaseq one table of all samples.
OF_GENES = re.compile(r"(?i)quant\.genes\.sf(\.gz)?$")
MERGED = r"(?i)(\w+\.)?merged\.gene_{unit}\.tsv(\.gz)?"
# Ends of file names that say nothing about the sample; a folder per sample names it where nothing is left.
SUFFIXES = re.compile(
    r"(?i)[._-]*(\.gz|\.txt|\.tsv|\.tab|\.csv|\.sf|\.rcc|\.out|ReadsPerGene|abundance|quant|\.genes|"
    r"\.rna_seq|augmented_star_gene_counts|\.isoforms|\.results|\.counts?|\.featureCounts|\.htseq)$"
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
        salmon, kallisto, rsem, gdc, star, htseq, rcc, rcc_export, soft, or matrix for any other table.
    """
    head = gate.read_head(path, 4, str(path))
    if head == b"\x89HDF":
        raise InputError(f"{path}: this is HDF5; give abundance.tsv, which kallisto writes beside it.")
    if head == b"PK\3\4":
        return "matrix"
    lines = first_lines(path, 60)
    if not lines:
        raise InputError(f"{path}: the file is empty.")
    for name, (headers, _) in HEADERS.items():
        if lines[lines[0].startswith("# gene-model") and len(lines) > 1].startswith(headers):
            return name
    if lines[0].startswith("N_unmapped\t"):
        return "star"
    if lines[0].strip() == "<Header>":
        return "rcc"
    bare = [line.replace('"', "") for line in lines]
    if bare[0].startswith("File Name,") and any(line.startswith("Gene RLF,") for line in bare):
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
    return re.fullmatch(r"[-+]?([0-9]+\.?|[0-9]*\.[0-9]+)([eE][-+]?[0-9]+)?", cell) is not None


def expand(paths: Sequence[Path], unit: str = "counts", by_table: bool = False) -> list[Path]:
    """Replace patterns by what fits them, and a folder by the files in it and below, in order of name.

    Of a folder of nf-core/rnaseq its merged table of the unit counts; of one with files that are named as a
    program names its results only these, and of a sample's genes and transcripts the genes, unless a table
    of transcripts is given.

    Raises
    ------
    InputError
        Nothing fits, the folder has no files, or several merged tables.
    """
    found: list[Path] = []
    for path in [one for given in paths for one in _matching(given)]:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(item for item in path.rglob("*") if item.is_file() and not item.name.startswith("."))
        if not inside:
            raise InputError(f"{path}: the folder has no files.")
        merged = [item for item in inside if re.fullmatch(MERGED.format(unit=unit), item.name)]
        if len(merged) > 1:
            names = [str(item.relative_to(path)) for item in merged]
            raise InputError(f"{path}: the folder has several merged tables ({listing(names)}); name one.")
        results = [item for item in inside if RESULTS.search(item.name)]
        genes = {item.parent for item in results if OF_GENES.search(item.name)}
        results = [
            item
            for item in results
            if item.parent not in genes or bool(OF_GENES.search(item.name)) is not by_table
        ]
        found += merged or results or [item for item in inside if not item.name.endswith(".summary")]
    if not found:
        raise InputError(
            f"{listing(list(paths))}: there is nothing but summaries; give the tables of counts."
        )
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
        As `detect` returns it; for STAR's and GDC's with the strand: star:reverse.
    unit : str
        counts or tpm.

    Raises
    ------
    InputError
        The format has no such unit, the file is not of the format, or names a gene twice.
    """
    form, _, strand = form.partition(":")
    if form == "rcc":
        _only(path, "nanoString RCC", unit, ("counts",))
        return _read_rcc(path)
    if form in HEADERS:
        column = HEADERS[form][1].get(unit)
        if column is None:
            raise InputError(f"{path}: {form} gives tpm and counts; the unit {unit} was declared.")
        if form == "gdc" and unit == "counts":
            column = GDC_STRANDS[strand]
        frame = read_rows(path, sep="\t", header=0, comment="#" if form == "gdc" else None)
        if column not in frame:
            raise InputError(
                f"{path}: there is no column {column}, which {form} writes; make the file again."
            )
        require_once(path, list(frame.iloc[:, 0]))
        if form == "gdc":
            frame = frame[~frame["gene_id"].str.startswith("N_")]
        if form != "rsem":
            return _quantified(path, frame.iloc[:, 0], frame[column])
        sample = _quantified(path, frame["gene_id"], frame[column])
        return sample if frame["gene_id"].is_unique else summed(sample.labels, sample.values)
    _only(path, {"star": "STAR ReadsPerGene", "htseq": "htseq-count"}[form], unit, ("counts",))
    frame = _star_rows(path) if form == "star" else read_rows(path, sep="\t", header=None)
    if form == "htseq" and not str(frame.iloc[0, -1]).isdigit():
        frame = frame.iloc[1:]
    require_once(path, list(frame.iloc[:, 0]))
    return _quantified(path, frame.iloc[:, 0], frame.iloc[:, STRANDS[strand] if form == "star" else -1])


def require_once(path: Path, labels: Sequence[str]) -> None:
    """Refuse a sample's file that names a gene or transcript twice, as no program writes it."""
    if len(set(labels)) < len(labels):
        raise InputError(
            f"{path}: {listing(repeated(labels), 3)} is listed twice in this one sample's file, which no"
            " program writes; it may have been appended to itself, so fetch it again."
        )


def _only(path: Path, program: str, unit: str, units: tuple[str, ...]) -> None:
    if unit not in units:
        raise InputError(f"{path}: {program} gives {' and '.join(units)}; the unit {unit} was declared.")


def read_rows(path: Path, **options: object) -> pd.DataFrame:
    """Read a table as text."""
    import pandas as pd

    content = io.BytesIO(as_text(path) or gate.read_unpacked(path, str(path)))
    try:
        table: pd.DataFrame = pd.read_csv(content, dtype=str, keep_default_na=False, **options)  # type: ignore[call-overload]
        return table
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: the file is damaged ({' '.join(str(error).split())}); fetch it again."
        ) from None


def _quantified(path: Path, labels: pd.Series, cells: pd.Series) -> Quantified:
    import pandas as pd

    if not len(labels):
        raise InputError(f"{path}: the table has no rows; fetch the file again.")
    values = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=float)
    if np.isnan(values).any():
        row = int(np.isnan(values).argmax())
        raise InputError(
            f"{path}: '{labels.iloc[row]}' has the value '{cells.iloc[row]}'; a number was expected."
        )
    return Quantified(labels.to_numpy(dtype=object), values)


def star_strand(paths: Sequence[Path]) -> tuple[str, float]:
    """Infer the library's strandedness from STAR's columns; all samples must agree.

    Returns
    -------
    strand : str
        unstranded, forward or reverse.
    share : float
        Share of the forward column among forward and reverse, over all samples.

    Raises
    ------
    InputError
        A sample's share is neither near one half nor near an end, or samples differ.
    """
    columns = [_strand_columns(path) for path in paths]
    kinds = [
        _strand_of(forward, reverse, path) for (forward, reverse), path in zip(columns, paths, strict=True)
    ]
    other = next((place for place, kind in enumerate(kinds) if kind != kinds[0]), None)
    if other is not None:
        raise InputError(
            f"{paths[other]}: by STAR's columns the library is {kinds[other]}, that of"
            f" {sample_name(paths[0])} is {kinds[0]}; give only samples of one kind of library, or say which"
            " column to read with --strand (strandedness in study.yaml)."
        )
    totals = np.sum(columns, axis=0)
    return kinds[0], float(totals[0] / totals.sum())


def _star_rows(path: Path) -> pd.DataFrame:
    frame = read_rows(path, sep="\t", header=None)
    if frame.shape[1] != 4:
        raise InputError(
            f"{path}: the file has {frame.shape[1]} columns; STAR writes four, gene and reads unstranded,"
            " forward and reverse: fetch the file again."
        )
    return frame


def _strand_columns(path: Path) -> tuple[float, float]:
    """Return the reads in the genes of STAR's forward and reverse columns."""
    frame = _star_rows(path)
    genes = frame[~frame[0].str.startswith("N_")]
    forward, reverse = (float(_quantified(path, genes[0], genes[n]).values.sum()) for n in (2, 3))
    return forward, reverse


def _strand_of(forward: float, reverse: float, path: Path) -> str:
    share = forward / (forward + reverse) if forward + reverse else float("nan")
    for strand, low, high in (("forward", 0.8, 1.0), ("unstranded", 0.35, 0.65), ("reverse", 0.0, 0.2)):
        if low <= share <= high:
            return strand
    raise InputError(
        f"{path}: {share:.0%} of the reads are in STAR's forward column, which fits neither a stranded"
        " nor an unstranded library; say which with --strand (strandedness in study.yaml)."
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


def summed(labels: Sequence[str] | np.ndarray, values: np.ndarray) -> Quantified:
    """Sum the rows of each label."""
    names, place = np.unique(np.array(labels, dtype=object), return_inverse=True)
    return Quantified(names, np.bincount(place, weights=values))


def stack(samples: Sequence[Quantified], source: Path) -> tuple[list[str], np.ndarray]:
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
        pd.Series(sample.values, sample.labels).groupby(level=0, sort=False).sum(skipna=False)
        for sample in samples
    ]
    frame = pd.concat(columns, axis=1)
    lacking = frame.index[frame.isna().any(axis=1)]
    if len(lacking):
        raise InputError(
            f"{source}: the samples' files do not list the same genes ({listing(list(lacking), 3)}: not in"
            " all); take samples of one annotation or panel."
        )
    return list(frame.index), frame.to_numpy()
