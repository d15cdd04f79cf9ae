"""Reading a matrix of expression values in blocks of rows, so that memory does not grow with the file.

The shape of the file is read from its content: gzip or not, delimiter, R's short header (one field fewer
than the rows), comment lines, columns that annotate genes, and whether genes are rows or columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pniflow.errors import InputError, listing, repeated
from pniflow.expression.genes import gene_map, identify
from pniflow.expression.opened import as_text, first_lines, opened
from pniflow.raw import gate

if TYPE_CHECKING:
    import numpy as np

# Columns that describe the gene and are no sample, as featureCounts, RSEM, biomaRt and lab exports name them.
ANNOTATION = re.compile(
    r"(?i)chr(om(osome)?)?|start|end|strand|(gene|transcript|effective)?[_. ]?length|width|locus|description|"
    r"(gene[_. ]?)?(bio)?type|(gene[_. ]?)?(symbol|name)|entrez([_. ]?gene)?([_. ]?id)?|"
    r"(gene|transcript|probe)[_. ]?ids?|exon[_. ]?count"
)
SYMBOLS = re.compile(r"(?i)((external_|hgnc_)?gene[_. ]?)?(symbol|name)|hgnc")
# Headers of a first column of numbers that are identifiers, and of one that only numbers the rows.
IDS = re.compile(r"(?i).*(entrez|ncbi|gene[_. ]?id).*")
NUMBERING = re.compile(r"(?i)(unnamed.*|x|v1|index|id|row.*|no|nr|#)?")
# GenomeStudio's columns of a sample: the signal, and others beside it.
_SIGNAL = re.compile(r"(?i)[._ -]?AVG_Signal\b[._ -]?")
BESIDE = re.compile(
    r"(?i)(.*[._ -])?(detection[._ -]?p[._ -]?val(ue)?|bead_stderr|avg_nbeads)([._]\d+)?"
    r"|baseMean|log2FoldChange|lfcSE|stat|p_?value|padj|logFC|logCPM|FDR"  # DESeq2's and edgeR's of a test
)
# The three matrices of tximport in one table, as write.csv joins them.
_TXIMPORT = re.compile(r"(abundance|counts|length)\.(.+)")
# Columns of people where samples are rows, in capitals; symbols are in capitals, too (C1orf43 has its orf).
PERSONAL = re.compile(
    r"(?i)(id|subjid|age|crp|hscrp|sex|gender|male|female|white|black|asian|race|bmi|arm|group|time|visit|session|day|"
    r"week|batch|plate|rin|ses|income|educ\w*|smok\w*|alcohol|illness)"
)
_GENE = re.compile(r"[A-Z][A-Z0-9]+(orf\d+[A-Z0-9]*)?([-.@_/|][A-Za-z0-9.]+)*|C[0-9XY]+orf\d+[A-Z0-9]*")
BLOCK_BYTES = 8 << 20  # or more, so that a block of a wide matrix has many rows
BLOCK_ROWS_BYTES = 2000  # per column
MINIMUM_HEADER_GENES = 3
MINIMUM_HEADER_ENTREZ = 30  # of headers that are numbers, as samples' names can be, too


class Layout(NamedTuple):
    """How a matrix is laid out.

    `others` are columns of numbers that are no genes, where samples are rows; `content` holds a file that is
    no UTF-8 text as such.
    """

    path: Path
    skip: int
    delimiter: str
    columns: tuple[str, ...]
    label: int
    values: tuple[int, ...]
    genes_are_rows: bool
    entrez: bool
    others: tuple[str, ...] = ()
    content: bytes | None = None


class Block(NamedTuple):
    """Some rows of a matrix: labels of the rows, and values (rows x samples)."""

    labels: list[str]
    values: np.ndarray


def read_layout(path: Path, samples_are_rows: bool = False, unit: str = "counts") -> Layout:
    """Find out how a matrix is laid out.

    Parameters
    ----------
    samples_are_rows : bool
        Whether that is known; else it is read from the names.
    unit : str
        The unit that is wanted of a table of tximport, which has counts and TPM side by side.

    Raises
    ------
    InputError
        The file is absent, empty, not text, has no rows, no sample columns, or rows that do not fit the
        header.
    """
    content = as_text(path)
    lines = first_lines(path, content=content)
    if lines and lines[0].startswith("!"):
        lines = _from_series_matrix(path)
    if signals := [number for number, line in enumerate(lines) if _SIGNAL.search(line)]:
        lines = [line if number >= signals[0] else "" for number, line in enumerate(lines)]
    skip = next((n for n, line in enumerate(lines) if line.strip() and line[0] not in "#!"), None)
    if skip is not None and lines[0].startswith("#1.2"):
        skip += 1  # GCT writes the numbers of rows and columns first
    if skip is None or skip + 1 >= len(lines):
        raise InputError(f"{path}: the file holds no table; a header line and rows were expected.")
    delimiter = _delimiter(lines[skip:])
    header = _fields(lines[skip], delimiter)
    rows = [_fields(line, delimiter) for line in lines[skip + 1 :] if line and line[0] != "!"]
    if not rows:
        raise InputError(
            f"{path}: the table has no rows; for sequencing GEO keeps the counts in supplementary files: give"
            " that matrix."
        )
    width = len(rows[0])
    if len(header) == width - 1:
        # R writes no name for the column of genes; other programs end the rows, and only these, with a tab.
        header = [*header, ""] if not any(row[-1] for row in rows) else ["", *header]
    if len(header) != width or width < 2:
        raise InputError(
            f"{path}: line {skip + 2} has {width} fields and the header has {len(header)}; a header with"
            " as many fields, or with one fewer (as R writes it), and at least one sample were expected."
        )
    ragged = next((number for number, row in enumerate(rows) if len(row) != width), None)
    if ragged is not None:
        raise InputError(
            f"{path}: line {skip + 2 + ragged} has {len(rows[ragged])} fields where {width} were expected;"
            " correct the line."
        )
    _has_header(path, header)
    genes_are_rows, entrez = _orientation(header, rows)
    genes_are_rows &= not samples_are_rows
    label, values, numbered = _roles(path, header, rows, genes_are_rows)
    entrez |= numbered
    others = () if genes_are_rows else _no_genes(header, values, entrez)
    values = tuple(column for column in values if column not in others)
    names = tuple(header[column] for column in others)
    parts = {column: _TXIMPORT.fullmatch(header[column]) for column in values}
    if len({part[1] if part else "" for part in parts.values()} & {"abundance", "counts", "length"}) == 3:
        wanted = "abundance" if unit == "tpm" else "counts"
        values = tuple(column for column, part in parts.items() if part and part[1] == wanted)
        header = [part[2] if (part := parts.get(column)) else name for column, name in enumerate(header)]
    layout = Layout(
        path, skip, delimiter, tuple(header), label, values, genes_are_rows, entrez, names, content
    )
    _unique(path, samples_of(layout) if genes_are_rows else [])
    return layout


def _has_header(path: Path, header: list[str]) -> None:
    """Refuse a file that begins with the values of a gene, as htseq-count writes several samples."""
    (first,) = identify(header[:1], gene_map())
    if (first or header[0].startswith("ENSG")) and all(map(_is_number, header[1:])):
        raise InputError(
            f"{path}: the first line holds the values of '{header[0]}'; a header line that names the samples"
            " was expected."
        )


def _orientation(header: list[str], rows: list[list[str]]) -> tuple[bool, bool]:
    """Tell whether genes are rows, and whether the header's numbers are Entrez ids."""
    numbers = all(name.isdigit() for name in header[1:])
    least = MINIMUM_HEADER_ENTREZ if numbers else MINIMUM_HEADER_GENES
    above = _genes_among(header[1:], numbers)
    # Samples can bear names of genes (CD4, CD14, CD19: sorted cells).
    return above < least or _genes_among([row[0] for row in rows], False) >= above, numbers and above >= least


def _genes_among(labels: list[str], entrez: bool) -> int:
    return sum(match is not None for match in identify(labels, gene_map(), entrez))


def _no_genes(header: list[str], values: tuple[int, ...], entrez: bool) -> tuple[int, ...]:
    """Return the first and the last columns of numbers that are not named as genes are: age, bmi.

    Between genes a name in another style is a gene, too (U3, snoU13, 7SK).
    """
    if entrez:
        return tuple(column for column in values if not header[column].isdigit())
    genes = [
        column
        for column in values
        if _GENE.fullmatch(header[column]) and not PERSONAL.fullmatch(header[column])
    ]
    return tuple(column for column in values if genes and not genes[0] <= column <= genes[-1])


def _from_series_matrix(path: Path) -> list[str]:
    """Return the lines of a GEO series matrix up to the first rows of its table."""
    lines = first_lines(path, 10_000, 64 << 20)
    begin = next((n for n, line in enumerate(lines) if line.startswith("!series_matrix_table_begin")), None)
    if begin is None:
        raise InputError(
            f"{path}: the GEO file has no line !series_matrix_table_begin; give the series matrix."
        )
    return [line if n > begin else "!" for n, line in enumerate(lines[: begin + 100])]


def _delimiter(lines: list[str]) -> str:
    """Return the delimiter that cuts the first rows into the most fields: the header's number or one more."""

    def fit(mark: str) -> tuple[bool, int]:
        header, width = len(_fields(lines[0], mark)), min(len(_fields(row, mark)) for row in lines[1:3])
        return header in (width, width - 1) and width > 1, width

    return max("\t,; ", key=fit)


def _fields(line: str, delimiter: str) -> list[str]:
    """Cut a line into fields; quotes as write.csv sets them are taken off."""
    import csv

    limit = csv.field_size_limit(1 << 30)  # a line that is not cut at all may hold 60,000 genes
    try:
        return [field.strip() for field in next(csv.reader([line.replace("\r", " ")], delimiter=delimiter))]
    finally:
        csv.field_size_limit(limit)  # it is one for all readers


def _roles(
    path: Path, header: list[str], rows: list[list[str]], genes_are_rows: bool
) -> tuple[int, tuple[int, ...], bool]:
    """Tell label column, value columns, and whether labels of digits are Entrez ids."""
    # A column of text describes the genes; one word among numbers is a mistake that reading will find.
    text = [sum(not _is_number(row[column]) for row in rows) > len(rows) / 2 for column in range(len(header))]
    usable = [
        not words and ANNOTATION.fullmatch(name) is None and BESIDE.fullmatch(name) is None
        for words, name in zip(text, header, strict=True)
    ]
    if any(map(_SIGNAL.search, header)):
        usable = [_SIGNAL.search(name) is not None for name in header]
    # A spreadsheet's empty columns have neither name nor value.
    empty = [not name and not any(row[column] for row in rows) for column, name in enumerate(header)]
    label, entrez = (
        _label(path, header, rows, text) if genes_are_rows else (_sample_column(header, rows, text), False)
    )
    begin = 1 if label == 0 or NUMBERING.fullmatch(header[0]) else 0
    values = tuple(
        column
        for column in range(begin, len(header))
        if usable[column] and column != label and not empty[column]
    )
    if not values:
        comma = any(re.fullmatch(r"-?\d+,\d+", cell) for row in rows[:5] for cell in row)
        raise InputError(
            f"{path}: no column of numbers was found; a matrix has one column per sample"
            f"{', and decimal points, not commas' if comma else ''}."
        )
    names = [row[label] for row in rows]
    if not genes_are_rows and len(set(names)) < len(names):
        raise InputError(
            f"{path}: genes are in columns, but the first column does not name the samples (its values"
            " repeat)."
        )
    return label, values, entrez


def _sample_column(header: list[str], rows: list[list[str]], text: list[bool]) -> int:
    """Choose the column that names the samples, where these are rows.

    It is the first column; or, where that repeats or numbers the rows, the first of text that does not.
    """
    first = [row[0] for row in rows]
    if len(set(first)) == len(first) and not (NUMBERING.fullmatch(header[0]) and _counting(first)):
        return 0
    others = [column for column, words in enumerate(text) if words]
    return next((column for column in others if len({row[column] for row in rows}) == len(rows)), 0)


def _counting(cells: list[str]) -> bool:
    """Tell whether cells count the rows from 0 or 1."""
    return any(cells == [str(n) for n in range(first, first + len(cells))] for first in (0, 1))


def _label(path: Path, header: list[str], rows: list[list[str]], text: list[bool]) -> tuple[int, bool]:
    """Choose the column of gene identifiers, and tell whether its digits are Entrez ids.

    It is the first column; or, where that holds neither Ensembl ids nor Entrez ids, a column named as symbols
    are; or, where the first column numbers the rows, the first column of text; of transcripts that of genes.
    """
    first = [row[0] for row in rows]
    symbols = [column for column, name in enumerate(header) if text[column] and SYMBOLS.fullmatch(name)]
    if text[0]:
        genes = [column for column, words in enumerate(text) if words and "ENSG" in rows[0][column]]
        if genes and all(cell.startswith("ENST") and "|" not in cell for cell in first):
            return genes[0], False
        ensembl = any("ENSG" in cell for cell in first)
        return (symbols[0] if symbols and not ensembl else 0), False
    others = [*symbols, *(column for column in range(1, len(header)) if text[column])]
    digits = all(cell.isdigit() for cell in first) and not _counting(first)
    if digits and (IDS.fullmatch(header[0]) or not others):
        return 0, True
    if not others:
        raise InputError(
            f"{path}: the first column holds numbers; gene identifiers were expected there (or, with genes"
            " in columns, the samples' names)."
        )
    return others[0], False


def _is_number(cell: str) -> bool:
    if cell in MISSING:
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return True


# As R, Python, spreadsheets and qPCR instruments write them.
MISSING = (
    "", "NA", "NaN", "nan", "NULL", "null", "N/A", "#N/A", "Undetermined", "UNDETERMINED", "No Ct", "No Cq",
)  # fmt: skip


def _unique(path: Path, labels: list[str]) -> None:
    if twice := sorted(repeated(labels)):
        raise InputError(
            f"{path}: the header names the sample {listing(twice)} more than once; each sample has one"
            " column."
        )


def samples_of(layout: Layout) -> list[str]:
    """Return the samples' labels of a matrix with genes in rows."""
    return sample_labels([_SIGNAL.sub("", layout.columns[column]) for column in layout.values])


def sample_labels(columns: Sequence[str]) -> list[str]:
    """Return alignment files, as featureCounts names its columns, without folder and ending.

    Where all files bear one name (S1/accepted_hits.bam), their folders name the samples.
    """
    if not all(map(_ALIGNED.search, columns)):
        return list(columns)
    paths = [column.replace("\\", "/") for column in columns]
    names = [_ALIGNED.sub("", path.rpartition("/")[2]) for path in paths]
    folders = [path.rpartition("/")[0].rpartition("/")[2] for path in paths]
    return folders if len(set(names)) == 1 < len(set(folders)) else names


_ALIGNED = re.compile(r"(?i)[._-]?(Aligned[\w.]*?)?([._-](sort(ed)?|markdup|dedup|rmdup))*\.(bam|sam|cram)$")


def read_blocks(layout: Layout) -> Iterator[Block]:
    """Read a matrix block by block.

    Yields
    ------
    Block
        Row labels, and float64 values of the value columns (rows x columns); a missing cell is nan.

    Raises
    ------
    InputError
        A cell is not a number or a line has too many or too few fields; the sentence names line, column and
        value.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv

    names = [f"c{column}" for column in range(len(layout.columns))]
    types = {names[column]: pa.float64() for column in layout.values}
    types[names[layout.label]] = pa.string()
    places = range(len(layout.values))
    wanted = [names[column] for column in (layout.label, *layout.values)]
    try:
        with opened(layout.path, layout.content) as stream:
            reader = pyarrow.csv.open_csv(
                stream,
                read_options=pyarrow.csv.ReadOptions(
                    column_names=names,
                    skip_rows=layout.skip + 1,
                    block_size=max(BLOCK_BYTES, BLOCK_ROWS_BYTES * len(names)),
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=layout.delimiter,
                    # The last line of a GEO series matrix.
                    invalid_row_handler=lambda row: "skip" if row.text.startswith("!") else "error",
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=types,
                    include_columns=wanted,
                    null_values=list(MISSING),
                    strings_can_be_null=False,
                ),
            )
            for batch in reader:
                columns = [batch.column(place + 1).to_numpy(zero_copy_only=False) for place in places]
                labels, values = list(map(str.strip, batch.column(0).to_pylist())), np.stack(columns, axis=1)
                if "" in labels:  # a spreadsheet's empty rows
                    kept = np.array([bool(label) for label in labels]) | ~np.isnan(values).all(axis=1)
                    labels, values = (
                        [label for label, stays in zip(labels, kept, strict=True) if stays],
                        values[kept],
                    )
                yield Block(labels, values)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise InputError(_offence(layout, str(error))) from None


def transposed(layout: Layout) -> tuple[Block, list[str]]:
    """Read a matrix with samples in rows whole, and turn it; return also the samples."""
    import numpy as np

    blocks = list(read_blocks(layout))
    samples = [label for block in blocks for label in block.labels]
    values = np.concatenate([block.values for block in blocks]).T
    return Block([layout.columns[column] for column in layout.values], values), samples


def _offence(layout: Layout, reason: str) -> str:
    """Find the first cell or line that stopped the reader, in a second, slower reading."""
    try:
        with opened(layout.path, layout.content) as stream:
            for number, raw in enumerate(gate.lines_of(stream, layout.path), start=1):
                if number <= layout.skip + 1:
                    continue
                cells = _fields(raw.decode("utf-8-sig").rstrip("\r\n"), layout.delimiter)
                if cells and len(cells) != len(layout.columns):
                    return (
                        f"{layout.path}: line {number} has {len(cells)} fields where {len(layout.columns)}"
                        " were expected; correct the line."
                    )
                for column in layout.values if cells else ():
                    if not _is_number(cells[column]):
                        return (
                            f"{layout.path}: line {number}, column '{layout.columns[column]}' is"
                            f" '{cells[column]}'; a number was expected."
                        )
    except UnicodeDecodeError:
        return f"{layout.path}: the file breaks off or is damaged; fetch it again."
    return f"{layout.path}: this is not a readable table ({' '.join(reason.split())})."
