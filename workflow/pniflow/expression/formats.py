"""Files of one sample each, as quantifiers and instruments write them, recognised by their content."""

from __future__ import annotations

import glob
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

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
    if rcc_columns(lines).samples:
        return "rcc_export"
    if lines[0].startswith("^"):
        return "soft"
    rows = [line.split("\t") for line in lines]
    widths = {len(row) for row in rows}
    headed = re.fullmatch(r"(?i)(read_?)?counts?", rows[0][-1]) is not None and len(rows) > 1
    if len(widths) == 1 and max(widths) >= 2 and all(_only_last_is_count(row) for row in rows[headed:]):
        return "htseq"
    return "matrix"


class RccColumns(NamedTuple):
    """Where a table of nanoString lanes has its header, the probes' class and name, and the first sample."""

    header: int
    delimiter: str
    kind: int
    name: int
    samples: int


def rcc_columns(lines: Sequence[str]) -> RccColumns:
    """Find the columns of a table of nanoString lanes; `samples` is 0 where the lines are none.

    The collector tool's first line names the files, above the lanes' attributes and the probes' class, name
    and accession. nSolver heads its columns, and writes the samples behind those that describe the probes.
    """
    bare = [line.replace('"', "").rstrip("\r") for line in lines[:60]]
    if bare and bare[0].startswith("File Name,") and any(line.startswith("Gene RLF,") for line in bare):
        return RccColumns(0, ",", 0, 1, 3)
    for number, line in enumerate(bare):
        for delimiter in ",\t;":
            cells = [cell.strip() for cell in line.split(delimiter)]
            kind, name = (
                next((place for place, cell in enumerate(cells) if pattern.fullmatch(cell)), -1)
                for pattern in (_PROBE_CLASS, _PROBE_NAME)
            )
            below = [row.split(delimiter) for row in bare[number + 1 :]]
            if min(kind, name) >= 0 and any(
                len(row) > kind and _PROBE_KIND.match(row[kind].strip()) for row in below
            ):
                described = [place for place, cell in enumerate(cells) if _DESCRIBED.fullmatch(cell)]
                return RccColumns(number, delimiter, kind, name, max(kind, name, *described) + 1)
    return RccColumns(0, ",", 0, 1, 0)


_PROBE_CLASS = re.compile(r"(?i)(code|probe)?[ ._]?class([ ._]?name)?")
_PROBE_NAME = re.compile(r"(?i)((probe|gene|target)[ ._]?)?name")
_PROBE_KIND = re.compile(r"Endogenous|Housekeeping|Positive|Negative")
# What nSolver writes of a probe.
_DESCRIBED = re.compile(
    r"(?i)accession.*|annotations?|nsid|(probe|target)[ ._]?(id|label)|analyte.*|species.*|control[ ._]?type|"
    r".*above[ ._]threshold.*|(codeset|rlf|gene[ ._]rlf).*"
)


def _only_last_is_count(row: list[str]) -> bool:
    return row[-1].isdigit() and not any(is_number(cell) for cell in row[:-1])


def is_number(cell: str) -> bool:
    """Tell whether a cell is a decimal number."""
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
    require_unit(path, {"star": "STAR ReadsPerGene", "htseq": "htseq-count"}[form], unit, ("counts",))
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


def require_unit(path: Path, program: str, unit: str, units: tuple[str, ...]) -> None:
    """Refuse a unit that a program does not write."""
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
