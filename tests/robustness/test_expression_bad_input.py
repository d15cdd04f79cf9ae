"""Bad expression input ends in one sentence that names file and place, exit 1, and no output."""

from __future__ import annotations

import numpy as np
import pytest

from expression_files import column_of, counts, write_matrix, write_samples
from pniflow.cli import main

SAMPLES = ["A1", "A2", "B1", "B2"]


@pytest.fixture
def matrix(tmp_path):
    genes, values = counts(len(SAMPLES), others=20)
    return tmp_path, genes, values.astype(object)


def assert_refused(capsys, command, folder, expected, **options):
    outputs = {
        "ingest-expression": ["out", "genes"],
        "normalize-expression": ["out"],
        "score-ctra": ["scores", "genes"],
    }
    paths = {name: folder / f"result_{name}.tsv" for name in outputs[command]}
    words = [command]
    for name, value in {**options, **paths}.items():
        words += [f"--{name.replace('_', '-')}", *map(str, value if isinstance(value, list) else [value])]
    assert main(words) == 1
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    assert said.endswith(".")
    for part in expected:
        assert part in said, said
    assert not any(path.exists() for path in paths.values())


def assert_ingest_refused(capsys, folder, path, *expected, unit="counts", **options):
    assert_refused(capsys, "ingest-expression", folder, expected, matrix=path, unit=unit, **options)


def test_negative_counts(matrix, capsys):
    folder, genes, values = matrix
    values[genes.index("IL6"), 2] = -4
    path = write_matrix(folder / "m.tsv", genes, SAMPLES, values)
    assert_ingest_refused(capsys, folder, path, "m.tsv", "'IL6'", "'B1'", "-4", "not negative")


def test_tpm_declared_as_counts(matrix, capsys):
    folder, genes, values = matrix
    path = write_matrix(folder / "m.tsv", genes, SAMPLES, values / values.astype(float).sum(axis=0) * 1e6)
    assert_ingest_refused(
        capsys, folder, path, "each sample sums to a million", "declare the unit tpm or cpm"
    )


@pytest.mark.parametrize("unit", ["tpm", "cpm"])
def test_estimated_counts_declared_per_million(matrix, capsys, unit):
    folder, genes, values = matrix
    path = write_matrix(folder / "m.tsv", genes, SAMPLES, values * 97.25)
    assert_ingest_refused(capsys, folder, path, f"{unit} to a million at most", "unit counts", unit=unit)


def test_an_intensity_below_its_background(matrix, capsys):
    folder, genes, values = matrix
    values[5, 1] = -12
    path = write_matrix(folder / "m.tsv", genes, SAMPLES, values)
    expected = f"'{genes[5]}'", "'A2'", "-12", "without background subtraction"
    assert_ingest_refused(capsys, folder, path, *expected, unit="intensity")


def test_a_cycle_above_fifty(matrix, capsys):
    folder, genes, values = matrix
    cycles = np.where(values > 0, 30.5, 30.25)
    cycles[5, 1] = 50.5
    path = write_matrix(folder / "m.tsv", genes, SAMPLES, cycles)
    assert_ingest_refused(capsys, folder, path, f"'{genes[5]}'", "'A2'", "between 0 and 50", unit="ct")


def test_log2_declared_as_counts(matrix, capsys):
    folder, genes, values = matrix
    logged = np.log2(values.astype(float) + 1)
    path = write_matrix(folder / "m.tsv", genes, SAMPLES, logged)
    assert_ingest_refused(capsys, folder, path, "whole numbers", "look like log2", "declare the unit log2")


def test_counts_declared_as_log2(matrix, capsys):
    folder, genes, values = matrix
    path = write_matrix(folder / "m.tsv", genes, SAMPLES, values)
    assert_ingest_refused(capsys, folder, path, "log2 values lie within", unit="log2")


def test_counts_declared_as_tpm(matrix, capsys):
    folder, genes, values = matrix
    path = write_matrix(folder / "m.tsv", genes, SAMPLES, values * 1000)
    assert_ingest_refused(capsys, folder, path, "whole numbers", "declare the unit counts", unit="tpm")


def test_a_blank_count_is_not_zero(matrix, capsys):
    folder, genes, values = matrix
    values[3, 3] = ""
    path = write_matrix(folder / "m.tsv", genes, SAMPLES, values)
    assert_ingest_refused(capsys, folder, path, f"'{genes[3]}'", "'B2'", "blank", "no missing cells")


def test_a_word_among_the_counts(matrix, capsys):
    folder, genes, values = matrix
    values[3, 3] = "many"
    path = write_matrix(folder / "m.tsv", genes, SAMPLES, values)
    assert_ingest_refused(capsys, folder, path, "line 5", "'B2'", "'many'")


def test_a_word_far_down_is_found_by_line_and_column(tmp_path, capsys):
    genes, values = counts(len(SAMPLES), others=400)
    values = values.astype(object)
    values[390, 3] = "many"
    path = write_matrix(tmp_path / "m.tsv", genes, SAMPLES, values)
    assert_ingest_refused(capsys, tmp_path, path, "line 392", "'B2'", "'many'")


def test_a_short_line_far_down_is_found(tmp_path, capsys):
    genes, values = counts(len(SAMPLES), others=400)
    path = write_matrix(tmp_path / "m.tsv", genes, SAMPLES, values)
    path.write_text(path.read_text() + "LAST\t1\t2\n")
    assert_ingest_refused(capsys, tmp_path, path, f"line {len(genes) + 2}", "3 fields where 5")


def test_duplicated_sample_ids(matrix, capsys):
    folder, genes, values = matrix
    path = write_matrix(folder / "m.tsv", genes, ["A1", "A2", "A1", "B2"], values)
    assert_ingest_refused(capsys, folder, path, "sample A1 more than once")


def test_duplicated_sample_rows(matrix, capsys):
    folder, genes, values = matrix
    path = write_matrix(folder / "m.tsv", genes, ["A1", "A2", "A1", "B2"], values, transposed=True)
    assert_ingest_refused(capsys, folder, path, "m.tsv", "repeat")


def test_a_sample_without_metadata(matrix, capsys):
    folder, genes, values = matrix
    path = write_matrix(folder / "m.tsv", genes, SAMPLES, values)
    sheet = write_samples(folder / "samples.tsv", SAMPLES[:3])
    assert_ingest_refused(capsys, folder, path, "m.tsv", "sample B2 is not in", "samples.tsv", samples=sheet)


def test_metadata_without_a_sample(matrix, capsys):
    folder, genes, values = matrix
    path = write_matrix(folder / "m.tsv", genes, SAMPLES, values)
    sheet = write_samples(folder / "samples.tsv", [*SAMPLES, "C1"])
    assert_ingest_refused(capsys, folder, path, "sample C1 has no column in", "samples.tsv", samples=sheet)


def test_two_columns_that_fit_one_sample(matrix, capsys):
    folder, genes, values = matrix
    path = write_matrix(folder / "m.tsv", genes, ["A-1", "A.1", "B1", "B2"], values)
    sheet = write_samples(folder / "samples.tsv", ["A.1", "B1", "B2"])
    assert_ingest_refused(capsys, folder, path, "A.1", "more than one column", samples=sheet)


def test_an_all_zero_sample(matrix, capsys):
    folder, genes, values = matrix
    values[:, 1] = 0
    path = write_matrix(folder / "m.tsv", genes, SAMPLES, values)
    assert_ingest_refused(capsys, folder, path, "sample A2 is zero for all genes")


def test_symbols_that_a_spreadsheet_made_dates(matrix, capsys):
    folder, genes, values = matrix
    genes = [*genes[:-2], "1-Mar", "Sep-02"]
    path = write_matrix(folder / "m.tsv", genes, SAMPLES, values)
    assert_ingest_refused(capsys, folder, path, "1-Mar, Sep-02 are dates", "--allow-mangled")
    assert (
        main(
            [
                "ingest-expression",
                "--matrix",
                str(path),
                "--unit",
                "counts",
                "--allow-mangled",
                "--out",
                str(folder / "l.tsv"),
            ]
        )
        == 0
    )


def test_an_absent_an_empty_and_a_binary_file(tmp_path, capsys):
    assert_ingest_refused(capsys, tmp_path, tmp_path / "absent.tsv", "absent.tsv: there is no such file")
    (tmp_path / "empty.tsv").write_text("")
    assert_ingest_refused(capsys, tmp_path, tmp_path / "empty.tsv", "empty")
    (tmp_path / "header.tsv").write_text("gene\tA1\n")
    assert_ingest_refused(capsys, tmp_path, tmp_path / "header.tsv", "header.tsv", "rows were expected")
    (tmp_path / "line.tsv").write_text("gene\tA1\tB1\nIL6\t5\r7\t3\nTNF\t4\t4\n", newline="")
    assert_ingest_refused(capsys, tmp_path, tmp_path / "line.tsv", "line 2, column 'A1' is '5 7'; a number")
    (tmp_path / "book.xlsx").write_bytes(b"PK\x03\x04\xff\xfe\x00\x81" * 50)
    assert_ingest_refused(capsys, tmp_path, tmp_path / "book.xlsx", "not a readable .xlsx workbook")
    (tmp_path / "cut.tsv.gz").write_bytes(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03abc")
    assert_ingest_refused(capsys, tmp_path, tmp_path / "cut.tsv.gz", "cut.tsv.gz")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (b"1,s1,IL6,30\n2,s1,GAPDH,20,x\n", "line 3 has 5 fields where 4 were expected"),
        (b"1,s1,IL6,30\n2,s1\n", "line 3 has 2 fields where 4 were expected"),
        (b'1,s1,IL6,30\n2,"s1,GAPDH,20\n', "line 3 has 2 fields where 4 were expected"),
    ],
)
def test_a_damaged_table_of_wells(tmp_path, capsys, rows, said):
    (tmp_path / "ct.csv").write_bytes(b"Well,Sample Name,Target Name,CT\n" + rows)
    assert_ingest_refused(capsys, tmp_path, tmp_path / "ct.csv", "the file is damaged", said, unit="ct")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["ENSMUSG00000025746", "ENSMUSG00000024401"], "Ensembl ids of the mouse"),
        (["1000_at", "1001_at"], "Affymetrix probe sets"),
        (["ENST00000258743.10", "ENST00000449264.3"], "transcripts, not genes"),
        (["Il6", "Tnf"], "human gene identifiers"),
    ],
)
def test_rows_that_are_no_human_genes(tmp_path, capsys, labels, said):
    path = write_matrix(tmp_path / "m.tsv", labels, ["a", "b"], np.array([[1, 2], [3, 4]]))
    assert_ingest_refused(capsys, tmp_path, path, said)


def test_row_numbers_are_not_taken_for_entrez_ids(tmp_path, capsys):
    numbers = [str(n + 1) for n in range(4000)]
    path = write_matrix(tmp_path / "m.tsv", numbers, ["a", "b"], np.ones((4000, 2), dtype=int))
    assert_ingest_refused(capsys, tmp_path, path, "first column holds numbers")


def test_neither_or_both_kinds_of_input(tmp_path, capsys):
    assert_refused(capsys, "ingest-expression", tmp_path, ["--matrix or --quantifications"], unit="counts")


def test_transcripts_without_their_table(tmp_path, capsys):
    (tmp_path / "quant.sf").write_text("Name\tLength\tEffectiveLength\tTPM\tNumReads\nt1\t9\t9\t1\t1\n")
    assert_ingest_refused(capsys, tmp_path, tmp_path / "quant.sf", "quant.sf", "--tx2gene", unit="tpm")


def test_a_table_of_transcripts_of_another_annotation(tmp_path, capsys):
    (tmp_path / "quant.sf").write_text("Name\tLength\tEffectiveLength\tTPM\tNumReads\nt1\t9\t9\t1\t1\n")
    (tmp_path / "tx.csv").write_text("TXNAME,GENEID\nENST1,IL6\n")
    assert_ingest_refused(
        capsys,
        tmp_path,
        tmp_path / "quant.sf",
        "0 of 1 transcripts",
        "tx.csv",
        unit="tpm",
        tx2gene=tmp_path / "tx.csv",
    )


def test_a_unit_the_format_does_not_have(tmp_path, capsys):
    (tmp_path / "a.counts.txt").write_text("IL6\t5\nTNF\t6\n")
    assert_ingest_refused(
        capsys, tmp_path, tmp_path / "a.counts.txt", "htseq-count gives counts", "tpm", unit="tpm"
    )


def test_a_strand_that_cannot_be_inferred(tmp_path, capsys):
    text = "N_unmapped\t9\t9\t9\nIL6\t100\t70\t30\n"
    (tmp_path / "aReadsPerGene.out.tab").write_text(text)
    assert_ingest_refused(
        capsys, tmp_path, tmp_path / "aReadsPerGene.out.tab", "70% of the reads", "--strand"
    )


@pytest.mark.parametrize("strand", ["auto", "unstranded", "reverse"])
def test_a_file_of_star_that_lost_a_column(tmp_path, capsys, strand):
    path = tmp_path / "aReadsPerGene.out.tab"
    path.write_text("N_unmapped\t9\t9\nIL6\t100\t70\n")
    assert_ingest_refused(capsys, tmp_path, path, "the file has 3 columns; STAR writes four", strand=strand)


def test_a_short_row_of_probes_and_an_export_without_samples(tmp_path, capsys):
    path = tmp_path / "a.RCC"
    path.write_text("<Header>\n<Code_Summary>\nCodeClass,Name\nEndogenous\n</Code_Summary>\n")
    assert_ingest_refused(capsys, tmp_path, path, "a.RCC: probe '' has no count")
    path.write_text("File Name,,\nGene RLF,,\nEndogenous,IL6,NM_1,5\n")
    assert_ingest_refused(capsys, tmp_path, path, "a.RCC: the first line names no sample's file")


def test_files_of_several_formats(tmp_path, capsys):
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "a.quant.sf").write_text("Name\tLength\tEffectiveLength\tTPM\tNumReads\nIL6\t9\t9\t1\t1\n")
    (folder / "b.genes.results").write_text("gene_id\ttranscript_id(s)\tlength\nIL6\tt\t1\n")
    assert_ingest_refused(capsys, tmp_path, folder, "several formats", "a.quant.sf", "b.genes.results")
    path = folder / "b.genes.results"
    assert_ingest_refused(capsys, tmp_path, path, "b.genes.results", "no column expected_count")


def test_files_of_several_annotations(tmp_path, capsys):
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "a.counts.txt").write_text("IL6\t5\nTNF\t6\n")
    (folder / "b.counts.txt").write_text("IL6\t5\nMX1\t6\n")
    assert_ingest_refused(capsys, tmp_path, folder, "do not list the same genes")


def levels_file(folder, zero=()):
    genes, values = counts(len(SAMPLES), others=20)
    values[[genes.index(gene) for gene in zero], 1] = 0
    path = write_matrix(folder / "m.tsv", genes, SAMPLES, values)
    assert (
        main(
            [
                "ingest-expression",
                "--matrix",
                str(path),
                "--unit",
                "counts",
                "--out",
                str(folder / "levels.tsv"),
            ]
        )
        == 0
    )
    return folder / "levels.tsv"


def test_a_sample_without_any_reference_gene(tmp_path, capsys):
    path = levels_file(tmp_path, zero=column_of("reference11"))
    assert_refused(
        capsys,
        "normalize-expression",
        tmp_path,
        ["reference genes of sample A2 is zero", "--method cpm"],
        levels=path,
    )


def test_a_floor_that_has_no_logarithm(tmp_path, capsys):
    assert_refused(
        capsys, "normalize-expression", tmp_path, ["--floor is 0"], levels=levels_file(tmp_path), floor=0
    )


def test_levels_that_are_no_levels(tmp_path, capsys):
    (tmp_path / "x.tsv").write_text("gene\ta\nIL6\t1\n")
    assert_refused(
        capsys,
        "normalize-expression",
        tmp_path,
        ["x.tsv: column 'sample_id' is missing"],
        levels=tmp_path / "x.tsv",
    )


def table_of(folder, text):
    (folder / "n.tsv").write_text(text)
    return folder / "n.tsv"


CORE = "\n".join(
    f"{gene}\t{n}\t{n + n % 3 + 1}" for n, gene in enumerate(["IL6", "TNF", "MX1", "OAS1", "JCHAIN", "IGLL1"])
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "gene\ta\tb\n" + CORE.replace("JCHAIN", "X").replace("IGLL1", "Y"),
            "antibody component has none of its genes (JCHAIN, IGLL1, IGLL3P)",
        ),
        (
            "gene\ta\tb\n" + CORE.replace("IL6", "X").replace("TNF", "Y"),
            "inflammatory component has none of its genes",
        ),
        ("gene\ta\tb\n" + CORE + "\nIGJ\t1\t2", "gene JCHAIN stands in 2 rows (JCHAIN, IGJ)"),
        ("gene\ta\tb\n" + CORE + "\nIL1B\tx\t2", "row 8, column 'a' is 'x'"),
        ("gene\ta\tb\n" + CORE + "\nIL1B\t950\t2", "gene 'IL1B', sample 'a' is 950; log2 values lie within"),
        ("gene\ta\tb\nnone\t1\t2", "no known gene"),
        (
            "gene\ta\n" + "\n".join(line.rpartition("\t")[0] for line in CORE.splitlines()),
            "z values need at least two",
        ),
        ("gene\n" + "IL6", "a column per sample were expected"),
        ("gene\ta\tb\n" + CORE.replace("\t4\t6", "\t4\t4").replace("\t5\t8", "\t5\t5"), "antibody component"),
    ],
)
def test_an_expression_table_that_cannot_be_scored(tmp_path, capsys, text, said):
    assert_refused(capsys, "score-ctra", tmp_path, [said], expression=table_of(tmp_path, text + "\n"))


def test_a_balanced_score_of_one_side(tmp_path, capsys):
    path = table_of(tmp_path, "gene\ta\tb\n" + CORE + "\n")
    options = {"gene_set": "inflammatory19", "variant": "balanced"}
    assert_refused(
        capsys, "score-ctra", tmp_path, ["inflammatory19 has not both"], expression=path, **options
    )


def test_an_unknown_gene_set_lists_what_there_is(tmp_path, capsys):
    path = table_of(tmp_path, "gene\ta\tb\n" + CORE + "\n")
    assert_refused(
        capsys, "score-ctra", tmp_path, ["there is no 'ctra99'", "ctra53"], expression=path, gene_set="ctra99"
    )
    assert_refused(
        capsys, "score-ctra", tmp_path, ["not a resource name"], expression=path, gene_set="../ctra53"
    )


def test_a_baseline_without_the_table_of_samples(tmp_path, capsys):
    path = table_of(tmp_path, "gene\ta\tb\n" + CORE + "\n")
    assert_refused(
        capsys, "score-ctra", tmp_path, ["--baseline needs --samples"], expression=path, baseline="ses-pre"
    )


def test_an_unknown_sample_to_exclude(tmp_path, capsys):
    path = table_of(tmp_path, "gene\ta\tb\n" + CORE + "\n")
    assert_refused(capsys, "score-ctra", tmp_path, ["no sample z to exclude"], expression=path, exclude=["z"])


def test_decimal_commas(tmp_path, capsys):
    (tmp_path / "m.csv").write_text("gene;a;b\nIL6;1,5;2,5\nTNF;3,5;4,5\n")
    assert_ingest_refused(capsys, tmp_path, tmp_path / "m.csv", "decimal points, not commas", unit="tpm")
