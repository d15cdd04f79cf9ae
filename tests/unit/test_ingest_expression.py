"""A lab's file, in whatever shape, becomes the same levels."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from expression_files import column_of, counts, write_matrix, write_samples
from pniflow.expression.formats import sample_name
from pniflow.expression.ingest_expression import ingest_expression, make_name, match_samples, read_levels
from pniflow.expression.matrix import sample_labels

SAMPLES = ["A1", "A2", "B1", "B2", "C1", "C2"]


@pytest.fixture
def made(tmp_path):
    genes, values = counts(len(SAMPLES))
    return tmp_path, genes, values


def ingest(path, out, unit="counts", **options):
    ingest_expression(matrix=path, unit=unit, out=out, **options)
    return read_levels(out)


def expected(genes, values):
    rows = [genes.index(gene) for gene in column_of("gene_map")]
    return values[rows].T


def test_levels_are_the_counts_of_the_files_rows(made):
    folder, genes, values = made
    levels = ingest(write_matrix(folder / "m.tsv", genes, SAMPLES, values), folder / "levels.tsv")
    assert list(levels["sample_id"]) == SAMPLES
    assert set(levels["unit"]) == {"counts"}
    np.testing.assert_array_equal(levels[column_of("gene_map")], expected(genes, values))
    np.testing.assert_array_equal(levels["library_size"], values.sum(axis=0))
    np.testing.assert_array_equal(levels["detected_genes"], (values > 0).sum(axis=0))
    assert list(levels["top_gene"]) == [genes[row] for row in values.argmax(axis=0)]
    np.testing.assert_allclose(levels["top_gene_share"], values.max(axis=0) / values.sum(axis=0), rtol=1e-15)


@pytest.mark.parametrize(
    "shape", ["csv", "semicolon", "blanks", "r_header", "gzip", "transposed", "quoted", "crlf"]
)
def test_the_files_shape_does_not_matter(made, shape):
    folder, genes, values = made
    plain = ingest(write_matrix(folder / "m.tsv", genes, SAMPLES, values), folder / "a.parquet")
    path = folder / "other.txt"
    delimiter = {"csv": ",", "semicolon": ";", "blanks": " ", "quoted": ","}.get(shape, "\t")
    names = [f'"{name}"' for name in SAMPLES] if shape == "quoted" else SAMPLES
    rows = [f'"{gene}"' for gene in genes] if shape == "quoted" else genes
    corner = {"r_header": None, "quoted": '""'}.get(shape, "gene")
    write_matrix(path, rows, names, values, delimiter, corner, transposed=shape == "transposed")
    if shape == "gzip":
        path.write_bytes(gzip.compress(path.read_bytes()))
    if shape == "crlf":
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    other = ingest(path, folder / "b.parquet")
    pd.testing.assert_frame_equal(plain.drop(columns="format"), other.drop(columns="format"))


def test_featurecounts_annotation_columns_and_bam_paths_are_no_samples(made):
    folder, genes, values = made
    header = [
        "Geneid",
        "Chr",
        "Start",
        "End",
        "Strand",
        "Length",
        *(f"/data/run/{s}.Aligned.sortedByCoord.out.bam" for s in SAMPLES),
    ]
    rows = [
        [gene, "1;1", "11;20", "15;30", "+;+", "15", *map(str, row)]
        for gene, row in zip(genes, values.tolist(), strict=True)
    ]
    text = "# Program:featureCounts v2.0.3\n" + "".join("\t".join(row) + "\n" for row in [header, *rows])
    (folder / "fc.txt").write_text(text)
    levels = ingest(folder / "fc.txt", folder / "levels.tsv")
    assert list(levels["label"]) == SAMPLES
    np.testing.assert_array_equal(levels[column_of("gene_map")], expected(genes, values))


def test_a_geo_series_matrix_is_read_between_its_marks(made):
    folder, genes, _ = made
    log2 = np.round(np.random.default_rng(1).normal(8, 2, (len(genes), 6)), 4)
    table = write_matrix(
        folder / "t.tsv",
        [f'"{gene}"' for gene in genes],
        [f'"GSM{n}"' for n in range(6)],
        log2,
        corner='"ID_REF"',
    )
    text = (
        '!Series_title\t"Blood"\n!Sample_title\t"a"\t"b"\n\n!series_matrix_table_begin\n' + table.read_text()
    )
    (folder / "series.txt").write_text(text + "!series_matrix_table_end\n")
    levels = ingest(folder / "series.txt", folder / "levels.tsv", unit="log2")
    assert list(levels["label"]) == [f"GSM{n}" for n in range(6)]
    np.testing.assert_array_equal(levels[column_of("gene_map")], expected(genes, log2))
    assert levels["library_size"].isna().all()


def test_counts_of_several_identifiers_of_one_gene_are_summed(tmp_path):
    genes = ["CXCL8", "IL8", "ENSG00000169429.4", "TNF", "IL6", "IGJ"]
    values = np.array([[1, 2], [10, 20], [100, 200], [5, 6], [7, 8], [9, 9]])
    levels = ingest(write_matrix(tmp_path / "m.csv", genes, ["a", "b"], values, ","), tmp_path / "levels.tsv")
    assert list(levels["CXCL8"]) == [111, 222]
    assert list(levels["JCHAIN"]) == [9, 9]
    assert list(levels["library_size"]) == [132, 245]


def test_of_several_log2_rows_of_one_gene_the_highest_is_taken(tmp_path):
    values = np.array([[4.0, 5.0], [7.5, 7.0], [1.0, 2.0]])
    path = write_matrix(tmp_path / "m.tsv", ["IL6", "IL6", "TNF"], ["a", "b"], values)
    assert list(ingest(path, tmp_path / "levels.tsv", unit="log2")["IL6"]) == [7.5, 7.0]


def test_a_missing_log2_value_stays_missing(tmp_path):
    (tmp_path / "m.tsv").write_text("gene\ta\tb\nIL6\t4.5\tNA\nTNF\t\t3\n")
    levels = ingest(tmp_path / "m.tsv", tmp_path / "levels.parquet", unit="log2")
    assert levels["IL6"].isna().tolist() == [False, True]
    assert levels["TNF"].isna().tolist() == [True, False]


def test_profile_correlation_is_with_the_mean_of_the_other_samples(made):
    folder, genes, values = made
    levels = ingest(write_matrix(folder / "m.tsv", genes, SAMPLES, values), folder / "levels.tsv")
    logged = np.log2(values[values.mean(axis=1) >= 1] + 1)
    for n, r in enumerate(levels["profile_correlation"]):
        others = np.delete(logged, n, axis=1).mean(axis=1)
        assert r == pytest.approx(np.corrcoef(logged[:, n], others)[0, 1], abs=1e-10)


def test_blocks_change_nothing(made, monkeypatch):
    folder, genes, values = made
    path = write_matrix(folder / "m.tsv", genes, SAMPLES, values)
    whole = ingest(path, folder / "a.tsv")
    monkeypatch.setattr("pniflow.expression.matrix.BLOCK_BYTES", 1000)
    monkeypatch.setattr("pniflow.expression.matrix.BLOCK_ROWS_BYTES", 1)
    parts = ingest(path, folder / "b.tsv")
    pd.testing.assert_frame_equal(whole, parts, rtol=1e-12)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("S17-D1-3hr_S6", "S17.D1.3hr_S6"),
        ("1a", "X1a"),
        (".5x", "X.5x"),
        (".x", ".x"),
        ("a b/c", "a.b.c"),
        ("_x", "X_x"),
    ],
)
def test_make_names_is_rs(label, name):
    assert make_name(label) == name


def test_labels_that_differ_as_make_names_would_are_matched(tmp_path):
    ids = match_samples(["S1-D1", "2-x", "plain"], ["plain", "X2.x", "S1.D1"], tmp_path / "m", tmp_path / "s")
    assert ids == ["S1.D1", "X2.x", "plain"]


def test_levels_bear_the_sample_tables_names(made):
    folder, genes, values = made
    path = write_matrix(folder / "m.tsv", genes, [f"{s}-x" for s in SAMPLES], values)
    sheet = write_samples(folder / "samples.tsv", [f"{s}.x" for s in SAMPLES])
    levels = ingest(path, folder / "levels.tsv", samples=sheet)
    assert list(levels["sample_id"]) == [f"{s}.x" for s in SAMPLES]
    assert list(levels["label"]) == [f"{s}-x" for s in SAMPLES]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("run/S1/quant.sf", "S1"),
        ("run/S1/abundance.tsv.gz", "S1"),
        ("S1ReadsPerGene.out.tab.gz", "S1"),
        ("S1_ReadsPerGene.out.tab", "S1"),
        ("S1.genes.results", "S1"),
        ("S1.htseq.counts.txt", "S1"),
        ("S1.RCC", "S1"),
        ("S1.quant.sf.gz", "S1"),
    ],
)
def test_a_samples_name_is_its_files_or_its_folders(tmp_path, path, name):
    assert sample_name(tmp_path / path) == name


@pytest.mark.parametrize(
    ("columns", "labels"),
    [
        (["/home/x/S1.bam", "S2.v2.bam"], ["S1", "S2.v2"]),
        (["S1/pre", "S1/post"], ["S1/pre", "S1/post"]),
        (["b/S1Aligned.sortedByCoord.out.bam", "b/S2_sorted.bam"], ["S1", "S2"]),
        (["S1.markdup.sorted.bam", r"C:\bam\S2.bam"], ["S1", "S2"]),
        (["run/S1/accepted_hits.bam", "run/S2/accepted_hits.bam"], ["S1", "S2"]),
    ],
)
def test_paths_of_alignment_files_are_samples_labels(columns, labels):
    assert sample_labels(columns) == labels


def quantifications(folder, texts):
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text)
    return folder


STAR = "N_unmapped\t9\t9\t9\nN_multimapping\t9\t9\t9\nN_noFeature\t9\t9\t9\nN_ambiguous\t9\t9\t9\n"


@pytest.mark.parametrize(
    ("rows", "column", "said"),
    [
        (
            "IL6\t100\t97\t3\nTNF\t50\t49\t1\n",
            1,
            "star, forward (inferred: 97% of stranded reads are forward)",
        ),
        (
            "IL6\t100\t3\t97\nTNF\t50\t1\t49\n",
            2,
            "star, reverse (inferred: 3% of stranded reads are forward)",
        ),
        (
            "IL6\t100\t51\t49\nTNF\t50\t24\t26\n",
            0,
            "star, unstranded (inferred: 50% of stranded reads are forward)",
        ),
    ],
)
def test_stars_strand_is_inferred_and_said(tmp_path, rows, column, said):
    folder = quantifications(
        tmp_path / "star", {"aReadsPerGene.out.tab": STAR + rows, "bReadsPerGene.out.tab": STAR + rows}
    )
    levels = ingest(folder, tmp_path / "levels.tsv")
    assert list(levels["sample_id"]) == ["a", "b"]
    assert set(levels["format"]) == {said}
    wanted = [[int(line.split("\t")[column + 1]) for line in rows.splitlines()]] * 2
    np.testing.assert_array_equal(levels[["IL6", "TNF"]], wanted)
    np.testing.assert_array_equal(levels["library_size"], np.sum(wanted, axis=1))


def test_stars_strand_can_be_stated(tmp_path):
    folder = quantifications(tmp_path / "star", {"aReadsPerGene.out.tab": STAR + "IL6\t100\t97\t3\n"})
    assert list(ingest(folder, tmp_path / "l.tsv", strand="reverse")["IL6"]) == [3]


def test_htseq_summary_lines_are_no_genes(tmp_path):
    text = "ENSG00000136244.3\t5\nENSG00000232810\t7\n__no_feature\t1000\n__ambiguous\t10\n"
    folder = quantifications(tmp_path / "htseq", {"a.counts.txt": text, "b.counts.txt": text})
    levels = ingest(folder, tmp_path / "l.tsv")
    assert list(levels["library_size"]) == [12, 12]
    assert levels["IL6"].tolist() == [5, 5]
    assert levels["detected_genes"].tolist() == [2, 2]


def test_transcripts_are_summed_to_genes(tmp_path):
    header = "Name\tLength\tEffectiveLength\tTPM\tNumReads\n"
    rows = {
        "S1": "t1.2\t9\t9\t1.5\t10.25\nt2\t9\t9\t2.5\t20\nt3\t9\t9\t4\t30\n",
        "S2": "t1.2\t9\t9\t0\t0\nt2\t9\t9\t1\t2\nt3\t9\t9\t3\t4\n",
    }
    paths = []
    for sample, text in rows.items():
        (tmp_path / sample).mkdir()
        paths.append(tmp_path / sample / "quant.sf")
        paths[-1].write_text(header + text)
    (tmp_path / "tx2gene.csv").write_text("TXNAME,GENEID\nt1,ENSG00000136244\nt2,ENSG00000136244\nt3,TNF\n")
    for unit, il6 in (("tpm", [4.0, 1.0]), ("counts", [30.25, 2.0])):
        ingest_expression(
            quantifications=paths, unit=unit, tx2gene=tmp_path / "tx2gene.csv", out=tmp_path / "l.tsv"
        )
        levels = read_levels(tmp_path / "l.tsv")
        assert list(levels["sample_id"]) == ["S1", "S2"]
        assert list(levels["IL6"]) == il6
        assert levels["detected_genes"].tolist() == [2, 2]


RCC = """<Header>
FileVersion,1.7
</Header>
<Sample_Attributes>
ID,x
</Sample_Attributes>
<Code_Summary>
CodeClass,Name,Accession,Count
Endogenous,IL6,NM_1,{}
Endogenous,IL8,NM_2,{}
Housekeeping,GAPDH,NM_3,400
Housekeeping,TBP,NM_4,100
Negative,NEG_A,E1,7
Positive,POS_A,E2,20000
</Code_Summary>
"""


def test_nanostring_controls_are_no_genes_and_its_housekeeping_genes_are_averaged(tmp_path):
    folder = quantifications(
        tmp_path / "rcc", {"a.RCC": RCC.format(10, 20), "b.RCC": RCC.format(30, 40), "note.txt": "x"}
    )
    levels = ingest(folder, tmp_path / "l.tsv")
    assert levels[["IL6", "CXCL8"]].to_numpy().tolist() == [[10, 20], [30, 40]]
    assert list(levels["library_size"]) == [530, 570]
    np.testing.assert_allclose(levels["housekeeping"], 200, rtol=1e-14)


EXPORT = (
    "File Name,,,{}\nGene RLF,,,x,x\n\nEndogenous,IL6,NM_1,{}\n{}"
    "Endogenous,IL8,NM_2,{}\nHousekeeping,GAPDH,NM_3,4,9\n"
)


def test_exports_of_the_collector_are_read_to_their_end_and_side_by_side(tmp_path):
    """As of hundreds of samples, one export is above 4 MB."""
    long = f"Negative,NEG,{'N' * 100_000},7,7\n" * 45
    files = {"a.csv": EXPORT.format("s1.RCC,s2.RCC", "1,2", long, "3,4")}
    files |= {"b.csv": EXPORT.format("s3.RCC,s4.RCC", "5,6", "", "7,8")}
    levels = ingest(quantifications(tmp_path / "rcc", files), tmp_path / "l.tsv")
    assert list(levels["sample_id"]) == ["s1", "s2", "s3", "s4"]
    assert levels[["IL6", "CXCL8"]].to_numpy().T.tolist() == [[1, 2, 5, 6], [3, 4, 7, 8]]
    np.testing.assert_allclose(levels["housekeeping"], [4, 9, 4, 9], rtol=1e-14)


def test_qpcr_wells_are_averaged_and_undetermined_is_missing(tmp_path):
    wells = "1,s1,IL6,30\n2,s1,IL6,31\n3,s1,GAPDH,20\n4,s2,IL6,Undetermined\n5,s2,GAPDH,21\n"
    text = "Experiment,x\nWell,Sample Name,Target Name,CT\n" + wells
    (tmp_path / "ct.csv").write_text(text)
    levels = ingest(tmp_path / "ct.csv", tmp_path / "l.tsv", unit="ct", housekeeping=["GAPDH"])
    assert levels["IL6"].iloc[0] == -30.5
    assert np.isnan(levels["IL6"].iloc[1])
    assert list(levels["housekeeping"]) == [-20, -21]


def test_levels_are_the_same_bytes_on_a_rerun(made):
    folder, genes, values = made
    path = write_matrix(folder / "m.tsv", genes, SAMPLES, values)
    for name in ("a.parquet", "b.parquet"):
        ingest(path, folder / name, genes=folder / f"{name}.tsv")
    assert (folder / "a.parquet").read_bytes() == (folder / "b.parquet").read_bytes()
    assert (folder / "a.parquet.tsv").read_bytes() == (folder / "b.parquet.tsv").read_bytes()


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("ensembl\tgene_name\ta\tb", ["ENSG00000136244.9\tIL6\t4\t5", "ENSG00000232810\tTNF\t6\t7"]),
        ("locus\tgene_name\ta\tb", ["L1\tIL6\t4\t5", "L2\tTNF\t6\t7"]),
        (
            "\tsymbol\tdescription\ta\tb",
            ["1\tIL6\tinterleukin 6\t4\t5", "2\tTNF\ttumor necrosis factor\t6\t7"],
        ),
        ("entrez\tlength\ta\tb", ["3569\t1201\t4\t5", "7124\t1678\t6\t7"]),
        ("gene_id\tgene_type\ta\tb", ["ENSG00000136244.9|IL6\tprotein_coding\t4\t5", "TNF|7124\tx\t6\t7"]),
    ],
)
def test_columns_that_describe_the_genes_are_no_samples(tmp_path, header, rows):
    (tmp_path / "m.tsv").write_text("\n".join([header, *rows]) + "\n")
    levels = ingest(tmp_path / "m.tsv", tmp_path / "l.tsv")
    assert list(levels["sample_id"]) == ["a", "b"]
    assert levels[["IL6", "TNF"]].to_numpy().tolist() == [[4, 6], [5, 7]]
    assert levels["library_size"].tolist() == [10, 12]
