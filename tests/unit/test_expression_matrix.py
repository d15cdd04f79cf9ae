"""Matrices as spreadsheets, R, pandas and repositories really write them: the same levels, or a sentence."""

from __future__ import annotations

import io

import numpy as np
import openpyxl
import pytest

from expression_files import column_of, counts, write_matrix
from pniflow.errors import InputError
from pniflow.expression.ingest_expression import ingest_expression, read_levels

SAMPLES = ["A1", "A2", "B1"]
GENES, VALUES = counts(len(SAMPLES), others=20)
ENSEMBL = dict(zip(column_of("gene_map"), column_of("gene_map", "ensembl_gene_id"), strict=True))
IDS = [ENSEMBL.get(gene) or f"ENSG9{n:010d}" for n, gene in enumerate(GENES)]
ENTREZ = dict(zip(column_of("gene_map"), column_of("gene_map", "entrez_gene_id"), strict=True))


def table(header, rows, delimiter="\t", tail=""):
    return "".join(delimiter.join(map(str, row)) + tail + "\n" for row in [header, *rows])


def rows_of(*columns, values=VALUES):
    return [[*labels, *row] for labels, row in zip(zip(*columns, strict=True), values.tolist(), strict=True)]


def levels(folder, text, unit="counts"):
    path = folder / "m.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    ingest_expression(matrix=path, unit=unit, out=folder / "l.parquet")
    return read_levels(folder / "l.parquet")


def workbook(header, rows):
    book = openpyxl.Workbook()
    book.active.append(["Table S1. Counts of reads"])
    for row in [header, *rows]:
        book.active.append(row)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def people(first, last=()):
    """Samples in rows, with what else is known of them before and behind the genes."""
    rows = [
        [sample, *(51.5 for _ in first), *column, *("" for _ in last)]
        for sample, column in zip(SAMPLES, VALUES.T.tolist(), strict=True)
    ]
    return table(["id", *first, *GENES, *last], rows, ",")


SIGNALS = [
    f"{sample}.{name}" for sample in SAMPLES for name in ("AVG_Signal", "Detection Pval", "BEAD_STDERR")
]
INDEX = np.arange(3000, 3000 + 3 * len(GENES), 3)  # filtered rows of a data frame; some are Entrez ids
ODD = {
    "a spreadsheet's empty columns": table(["gene", *SAMPLES], rows_of(GENES), ",", ",,"),
    "a spreadsheet's empty rows": table(["gene", *SAMPLES], rows_of(GENES), ",") + ",,,\n,,,\n",
    "rows, not the header, that end with a tab": table(
        ["symbol", *SAMPLES], rows_of(GENES), tail="\t"
    ).replace("B1\t\n", "B1\n"),
    "padded names of genes": table(["gene", *SAMPLES], rows_of([f" {gene} " for gene in GENES]), ","),
    "a filtered data frame": table(["", "gene", *SAMPLES], rows_of(INDEX, GENES), ","),
    "genes in the last column": table(
        [*SAMPLES, "gene"], [[*row[1:], row[0]] for row in rows_of(GENES)], ","
    ),
    "GCT": f"#1.2\n{len(GENES)}\t{len(SAMPLES)}\n"
    + table(["Name", "Description", *SAMPLES], rows_of(GENES, ["na"] * len(GENES))),
    "nf-core/rnaseq": table(["gene_id", "gene_name", *SAMPLES], rows_of(IDS, GENES)),
    "tximport": table(
        [
            "",
            *(f"{kind}.{sample}" for kind in ("abundance", "counts", "length") for sample in SAMPLES),
            "countsFromAbundance",
        ],
        [
            [gene, *(value / 2 for value in values), *values, *(900 for _ in values), "no"]
            for gene, *values in rows_of(IDS)
        ],
        ",",
    ),
    "counts beside DESeq2's test": table(
        ["gene", "baseMean", "log2FoldChange", "lfcSE", "stat", "pvalue", "padj", *SAMPLES],
        rows_of(GENES, *([cell] * len(GENES) for cell in (90.5, -0.25, 0.5, -0.5, 0.75, "NA"))),
        ",",
    ),
    "symbols and Ensembl ids in one": table(
        ["gene", *SAMPLES], rows_of([f"{gene}_{name}.7" for gene, name in zip(GENES, IDS, strict=True)])
    ),
    "a workbook with a title": workbook(["gene", *SAMPLES], rows_of(GENES)),
    "UTF-16": table(["gene", *SAMPLES], rows_of(GENES)).encode("utf-16"),
    "Windows-1252": table(["gene", "Größe", *SAMPLES], rows_of(GENES, ["µ"] * len(GENES))).encode("cp1252"),
    "GenomeStudio": "Illumina Inc. GenomeStudio version 1.9.0\n[Sample Probe Profile]\n"
    + table(
        ["PROBE_ID", "SYMBOL", *SIGNALS],
        [
            [f"ILMN_{row}", gene, *(cell for value in values for cell in (value, 0.01, 3.5))]
            for row, (gene, *values) in enumerate(rows_of(GENES))
        ],
    ),
    "a GEO series of Illumina": table(
        ["ID_REF", *(name for sample in SAMPLES for name in (sample, "Detection Pval"))],
        [[gene, *(cell for value in values for cell in (value, 0.01))] for gene, *values in rows_of(GENES)],
    ),
    "people's age and body mass before the genes": people(["age", "BMI", "zhedonia"]),
    "numbered people": table(
        ["", "id", "age", *GENES],
        [
            [row, sample, 51, *column]
            for row, (sample, column) in enumerate(zip(SAMPLES, VALUES.T, strict=True), 1)
        ],
        ",",
    ),
    "transcripts beside their genes": table(
        ["tx", "gene_id", *SAMPLES],
        rows_of([f"ENST{n}" for n in range(len(GENES))], IDS),
    ),
    "and behind them": people(["male"], ["arm", "time to visit"]),
    "totals, spike-ins and lines of counters": table(["gene", *SAMPLES], rows_of(GENES))
    + "".join(
        f"{name}\t9000\t{VALUES[:, 1].sum()}\t9\n"
        for name in ("Total", "Unassigned_NoFeatures", "N_noFeature", "__ambiguous", "ERCC-00002", "SIRV101")
    ),
    "htseq-count before 0.6": table(["gene", *SAMPLES], rows_of(GENES))
    + "".join(f"{name}\t9\t9\t9\n" for name in ("no_feature", "ambiguous", "alignment_not_unique")),
}


@pytest.mark.parametrize("name", ODD)
def test_the_levels_are_those_of_the_plain_matrix(tmp_path, name):
    found = levels(tmp_path, ODD[name])
    assert list(found["label"]) == SAMPLES
    for gene in column_of("gene_map"):
        assert list(found[gene]) == list(VALUES[GENES.index(gene)]), gene
    assert list(found["library_size"]) == list(VALUES.sum(axis=0))


def test_tximports_abundances_are_its_tpm(tmp_path):
    found = levels(tmp_path, ODD["tximport"], "tpm")
    assert list(found["label"]) == SAMPLES
    assert list(found["TNF"]) == list(VALUES[GENES.index("TNF")] / 2)


def test_totals_spike_ins_and_columns_of_people_are_said(tmp_path):
    (said,) = set(levels(tmp_path, ODD["totals, spike-ins and lines of counters"])["format"])
    assert said == "matrix; left out as no genes: Total, spike-ins (2)"
    (said,) = set(levels(tmp_path, ODD["people's age and body mass before the genes"])["format"])
    assert said == "matrix, samples in rows (left out as no genes: age, BMI, zhedonia)"


@pytest.mark.parametrize("again", ["TNF.1", "TNF-2", "TNF_1"])
def test_names_that_were_made_unique_are_of_one_gene(tmp_path, again):
    """Only beside the plain name: DELTA.1 is a name of its own."""
    text = table(["gene", *SAMPLES], rows_of(GENES)) + f"{again}\t1\t20\t300\nIFNB1-AS.1\t1\t1\t1\n"
    found = levels(tmp_path, text)
    assert list(found["TNF"] - VALUES[GENES.index("TNF")]) == [1, 20, 300]
    assert list(found["library_size"]) == list(np.add(VALUES.sum(axis=0), [2, 21, 301]))
    assert list(found["IFNB1"]) == list(VALUES[GENES.index("IFNB1")])


def test_ercc1_is_a_gene_and_no_spike_in(tmp_path):
    found = levels(tmp_path, table(["gene", *SAMPLES], rows_of(GENES)) + "ERCC1\t1\t1\t1\n")
    assert list(found["library_size"]) == list(VALUES.sum(axis=0) + 1)


def test_samples_named_as_cells_do_not_turn_the_matrix(tmp_path):
    found = levels(tmp_path, table(["", "CD4", "CD14", "CD19"], rows_of(GENES)))
    assert list(found["label"]) == ["CD4", "CD14", "CD19"]


def test_that_samples_are_rows_can_be_stated(tmp_path):
    """Of a panel with two known genes the names alone do not tell."""
    (tmp_path / "q.csv").write_text("sample,IL1B,MX1,GAPDH\ns1,30,28,20\ns2,31,27,21\n")
    options = {"matrix": tmp_path / "q.csv", "unit": "ct", "housekeeping": ["GAPDH"]}
    with pytest.raises(InputError, match="no row name"):
        ingest_expression(**options, out=tmp_path / "l.tsv")
    ingest_expression(**options, out=tmp_path / "l.tsv", format="samples_in_rows")
    assert read_levels(tmp_path / "l.tsv").set_index("sample_id")["MX1"].to_dict() == {"s1": -28, "s2": -27}


def test_samples_in_rows_with_entrez_ids_as_header(tmp_path):
    labels = [ENTREZ.get(gene) or str(10**8 + n) for n, gene in enumerate(GENES)]
    path = write_matrix(tmp_path / "t.tsv", labels, SAMPLES, VALUES, transposed=True)
    ingest_expression(matrix=path, unit="counts", out=tmp_path / "l.tsv")
    found = read_levels(tmp_path / "l.tsv")
    assert list(found["sample_id"]) == SAMPLES
    assert list(found["CXCL8"]) == list(VALUES[GENES.index("CXCL8")])


def test_samples_in_rows_of_a_whole_transcriptome(tmp_path):
    """Its header is longer than what Python's csv reader takes for one field."""
    labels = [*GENES, *(f"ENSG9{n:010d}" for n in range(9000))]
    values = np.ones((len(labels), len(SAMPLES)), dtype=int)
    path = write_matrix(tmp_path / "t.tsv", labels, SAMPLES, values, transposed=True)
    assert len(path.read_text().partition("\n")[0]) > 131072
    ingest_expression(matrix=path, unit="counts", out=tmp_path / "l.tsv")
    assert set(read_levels(tmp_path / "l.tsv")["library_size"]) == {len(labels)}


def test_of_log2_rows_one_without_values_gives_way(tmp_path):
    found = levels(tmp_path, "gene\ta\tb\nIL6\tNA\tNA\nIL6\t2.5\t3.5\nIL6\tNA\tNA\n", unit="log2")
    assert list(found["IL6"]) == [2.5, 3.5]


def series_matrix(rows):
    return (
        '!Series_title\t"blood"\n!Sample_geo_accession\t"GSM1"\t"GSM2"\n!series_matrix_table_begin\n'
        f'"ID_REF"\t"GSM1"\t"GSM2"\n{rows}!series_matrix_table_end\n'
    )


PROBES = table(["", *SAMPLES], rows_of(range(12, 20012), values=np.ones((20000, 3), dtype=int)))
REFUSED = {
    "a series matrix of sequencing": (
        series_matrix(""),
        "log2",
        "the table has no rows.*supplementary files",
    ),
    "numbers of probes": (PROBES, "counts", "the numbers 12 to 20011.*no Entrez ids"),
    "no header": (table(["IL6", 1, 2], [["TNF", 3, 4]]), "counts", "first line holds the values of 'IL6'"),
    "log2 of zero": ("gene\ta\tb\nIL6\t-Inf\t3\nTNF\t1\t2\n", "log2", "'IL6', sample 'a'.*the log2 of zero"),
    "log2 as TPM": (
        table(["", *SAMPLES], rows_of([*GENES, *range(1500)], values=np.full((len(GENES) + 1500, 3), 9.5))),
        "tpm",
        "no value is above 9.5; these look like log2 values",
    ),
    "a sum by any name": (
        table(["gene", *SAMPLES], [*rows_of(GENES), ["all", *VALUES.sum(axis=0)]]),
        "counts",
        "the row 'all' is the sum of all others",
    ),
    "probes of Illumina": ("gene\ta\tb\nILMN_1651229\t7.5\t8\n", "log2", "'ILMN_1651229'.*Illumina's probes"),
    "German dates": ("gene\ta\tb\n01. Mrz\t1\t2\nIL6\t3\t4\n", "counts", "01. Mrz are dates"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_misread_is_refused(tmp_path, name):
    text, unit, sentence = REFUSED[name]
    with pytest.raises(InputError, match=sentence):
        levels(tmp_path, text, unit)
