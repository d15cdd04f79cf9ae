"""What quantifiers leave in their folders, by version and option: the same levels, or a sentence."""

from __future__ import annotations

import numpy as np
import pytest

from expression_files import column_of, counts
from pniflow.errors import InputError
from pniflow.expression.genes import gene_map, identify
from pniflow.expression.ingest_expression import ingest_expression, read_levels

SAMPLES = ["A1", "A2", "B1"]
GENES, VALUES = counts(len(SAMPLES), others=20)
ENSEMBL = dict(zip(column_of("gene_map"), column_of("gene_map", "ensembl_gene_id"), strict=True))
IDS = [ENSEMBL.get(gene) or f"ENSG9{n:010d}" for n, gene in enumerate(GENES)]
TRANSCRIPTS = [f"ENST{n:011d}.2" for n in range(len(GENES))]
GENCODE = [
    f"{transcript}|{gene}.3|OTTHUMG1|-|{name}-201|{name}|3576|protein_coding|"
    for transcript, gene, name in zip(TRANSCRIPTS, IDS, GENES, strict=True)
]
SALMON = "Name\tLength\tEffectiveLength\tTPM\tNumReads\n"
KALLISTO = "target_id\tlength\teff_length\test_counts\ttpm\n"
RSEM = "gene_id\ttranscript_id(s)\tlength\teffective_length\texpected_count\tTPM\tFPKM\n"
ISOFORMS = "transcript_id\tgene_id\tlength\teffective_length\texpected_count\tTPM\tFPKM\tIsoPct\n"


def put(folder, name, make):
    """Write a file per sample; `name` holds {}."""
    for place, sample in enumerate(SAMPLES):
        path = folder / "rna" / name.format(sample)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(make(VALUES[:, place]))
    return folder / "rna"


def quantified(names, header=SALMON):
    def make(values):
        return header + "".join(
            f"{name}\t900\t700\t{value}\t{value}\n" for name, value in zip(names, values, strict=True)
        )

    return make


def levels(folder, **options):
    ingest_expression(quantifications=[folder / "rna"], unit="counts", out=folder / "l.parquet", **options)
    return read_levels(folder / "l.parquet")


def assert_the_files_counts(found):
    assert list(found["sample_id"]) == SAMPLES
    for gene in column_of("gene_map"):
        assert list(found[gene]) == list(VALUES[GENES.index(gene)]), gene
    np.testing.assert_array_equal(found["library_size"], VALUES.sum(axis=0))
    np.testing.assert_array_equal(found["detected_genes"], (VALUES > 0).sum(axis=0))


def test_salmons_own_genes_need_no_table(tmp_path):
    put(tmp_path, "{}/quant.genes.sf", quantified(IDS))
    found = levels(tmp_path)
    assert_the_files_counts(found)
    assert set(found["format"]) == {"salmon, genes"}


def test_gencodes_names_of_transcripts_hold_their_genes(tmp_path):
    put(tmp_path, "{}/abundance.tsv", quantified(GENCODE, KALLISTO))
    found = levels(tmp_path)
    assert_the_files_counts(found)
    assert set(found["format"]) == {"kallisto, transcripts summed to the genes in their names"}


def test_a_number_among_several_parts_of_a_name_is_no_entrez_id():
    """3576, here a transcript's length, is also CXCL8."""
    labels = ["ENST1.2|ENSG00000000419.12|OTT|-|DPM1-201|DPM1|3576|protein_coding|", "IL8|3576", "?|3576"]
    assert [match and match.gene for match in identify(labels, gene_map())] == [None, "CXCL8", "CXCL8"]


@pytest.mark.parametrize("names", [TRANSCRIPTS, GENCODE, [name[:-2] for name in TRANSCRIPTS]])
def test_a_table_of_transcripts_fits_whatever_the_files_add_or_leave_out(tmp_path, names):
    put(tmp_path, "{}/quant.sf", quantified(names))
    pairs = [f"{transcript},{gene}.7\n" for transcript, gene in zip(TRANSCRIPTS, IDS, strict=True)]
    (tmp_path / "t.csv").write_text("TXNAME,GENEID\n" + "".join(pairs))
    found = levels(tmp_path, tx2gene=tmp_path / "t.csv")
    assert_the_files_counts(found)
    assert set(found["format"]) == {"salmon, transcripts summed to genes"}


PAIRS = list(zip(TRANSCRIPTS, IDS, strict=True))
TABLES = {
    "write.csv": '"","TXNAME","GENEID"\n'
    + "".join(f'"{row}","{name}","{gene}"\n' for row, (name, gene) in enumerate(PAIRS, 1)),
    "write.csv2": '"";"TXNAME";"GENEID"\n'
    + "".join(f'"{row}";"{name}";"{gene}"\n' for row, (name, gene) in enumerate(PAIRS, 1)),
    "write.table": '"TXNAME" "GENEID"\n'
    + "".join(f'"{row}" "{name}" "{gene}"\n' for row, (name, gene) in enumerate(PAIRS, 1)),
    "semicolons": "".join(f"{name};{gene}\n" for name, gene in PAIRS),
    "genes first": "gene\ttranscript\n" + "".join(f"{gene}\t{name}\n" for name, gene in PAIRS),
    "symbols first": "".join(
        f"{symbol},{gene},{name}\n" for symbol, (name, gene) in zip(GENES, PAIRS, strict=True)
    ),
    "genes first, numbered": ",gene,tx\n"
    + "".join(f"{row},{gene},{name}\n" for row, (name, gene) in enumerate(PAIRS)),
    "three columns": "".join(
        f"{name}\t{gene}\t{symbol}\n" for symbol, (name, gene) in zip(GENES, PAIRS, strict=True)
    ),
}


@pytest.mark.parametrize("layout", TABLES)
def test_a_table_of_transcripts_may_be_written_in_any_way(tmp_path, layout):
    put(tmp_path, "{}/quant.sf", quantified(TRANSCRIPTS))
    (tmp_path / "t.txt").write_text(TABLES[layout])
    assert_the_files_counts(levels(tmp_path, tx2gene=tmp_path / "t.txt"))


def test_dragens_genes_stand_for_its_transcripts(tmp_path):
    """Unless a table of transcripts is given: then its transcripts do."""
    put(tmp_path, "{}.quant.genes.sf", quantified(IDS))
    put(tmp_path, "{}.quant.sf", quantified(TRANSCRIPTS))
    assert_the_files_counts(levels(tmp_path))
    (tmp_path / "t.txt").write_text(TABLES["semicolons"])
    found = levels(tmp_path, tx2gene=tmp_path / "t.txt")
    assert_the_files_counts(found)
    assert set(found["format"]) == {"salmon, transcripts summed to genes"}


def test_gdcs_star_counts(tmp_path):
    head = (
        "gene_id gene_name gene_type unstranded stranded_first stranded_second tpm_unstranded fpkm_unstranded"
    )
    head = "# gene-model: GENCODE v36\n" + head.replace(" ", "\t") + "\nN_unmapped\t\t\t9\t9\t9\t\t\n"

    def make(values):
        return head + "".join(
            f"{gene}.5\t{name}\tprotein_coding\t{value}\t0\t{value * 2}\t{value / 8}\t1\n"
            for gene, name, value in zip(IDS, GENES, values, strict=True)
        )

    put(tmp_path, "run-{0}/{0}.rna_seq.augmented_star_gene_counts.tsv", make)
    (tmp_path / "rna/MANIFEST.txt").write_text("id\tfilename\n")
    assert_the_files_counts(levels(tmp_path))
    assert list(levels(tmp_path, strand="reverse")["IL6"]) == list(VALUES[GENES.index("IL6")] * 2)
    ingest_expression(quantifications=[tmp_path / "rna"], unit="tpm", out=tmp_path / "l.tsv")
    assert list(read_levels(tmp_path / "l.tsv")["IL6"]) == list(VALUES[GENES.index("IL6")] / 8)


@pytest.mark.parametrize("unit", ["counts", "tpm"])
def test_of_nf_cores_folder_its_merged_table_is_read(tmp_path, unit):
    put(tmp_path, "{}/quant.sf", quantified(TRANSCRIPTS))
    for name, factor in (("counts", 1), ("tpm", 0.5), ("counts_scaled", 7)):
        rows = [[gene, symbol, *row] for gene, symbol, row in zip(IDS, GENES, VALUES * factor, strict=True)]
        text = "".join("\t".join(map(str, row)) + "\n" for row in [["gene_id", "gene_name", *SAMPLES], *rows])
        (tmp_path / f"rna/salmon.merged.gene_{name}.tsv").write_text(text)
    ingest_expression(quantifications=[tmp_path / "rna"], unit=unit, out=tmp_path / "l.tsv")
    expected = VALUES[GENES.index("IL6")] * {"counts": 1, "tpm": 0.5}[unit]
    assert list(read_levels(tmp_path / "l.tsv")["IL6"]) == list(expected)
    (tmp_path / "rna/other").mkdir()
    (tmp_path / f"rna/other/rsem.merged.gene_{unit}.tsv").write_text("gene_id\n")
    with pytest.raises(InputError, match=r"several merged tables \(other/rsem.merged"):
        ingest_expression(quantifications=[tmp_path / "rna"], unit=unit, out=tmp_path / "l.tsv")


def in_rows(form, head=""):
    def make(values):
        return head + "".join(
            form.format(name, value) + "\n" for name, value in zip(IDS, values, strict=True)
        )

    return make


TWICE = {
    "salmon": ("{}.quant.sf", quantified(IDS)),
    "kallisto": ("{}/abundance.tsv", quantified(IDS, KALLISTO)),
    "RSEM": ("{}.genes.results", in_rows("{0}\tt\t9\t9\t{1}\t1\t1", RSEM)),
    "STAR": ("{}ReadsPerGene.out.tab", in_rows("{0}\t{1}\t0\t{1}", "N_unmapped\t1\t1\t1\n")),
    "htseq-count": ("{}.counts", in_rows("{}\t{}")),
    "featureCounts": ("{}.txt", in_rows("{}\t9\t{}", "Geneid\tLength\treads\n")),
}


@pytest.mark.parametrize("program", TWICE)
def test_a_gene_twice_in_one_samples_file_is_refused_by_the_files_name(tmp_path, program):
    name, make = TWICE[program]
    put(tmp_path, name, make)
    path = tmp_path / "rna" / name.format("A2")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines, lines[-1]]))
    with pytest.raises(InputError, match=f"A2.*{IDS[-1]} is listed twice in this one sample's file"):
        levels(tmp_path)


def test_a_table_that_lacks_transcripts_is_said(tmp_path):
    put(tmp_path, "{}/quant.sf", quantified(TRANSCRIPTS))
    pairs = [f"{transcript},{gene}\n" for transcript, gene in zip(TRANSCRIPTS, IDS, strict=True)]
    (tmp_path / "t.csv").write_text("".join(pairs[: len(pairs) * 3 // 4]))
    (said,) = set(levels(tmp_path, tx2gene=tmp_path / "t.csv")["format"])
    share = (len(pairs) * 3 // 4) / len(pairs)
    assert said == f"salmon, transcripts summed to genes ({share:.1%} of them are in the table)"


def test_a_transcript_of_two_genes_is_refused(tmp_path):
    put(tmp_path, "{}/quant.sf", quantified(TRANSCRIPTS))
    (tmp_path / "t.csv").write_text(f"{TRANSCRIPTS[0]},IL6\n{TRANSCRIPTS[0]},TNF\n")
    with pytest.raises(InputError, match=f"'{TRANSCRIPTS[0]}' is of two genes"):
        levels(tmp_path, tx2gene=tmp_path / "t.csv")


def test_rsems_isoforms_are_summed_by_the_genes_they_name(tmp_path):
    def make(values):
        halves = [(value // 2, value - value // 2) for value in values]
        rows = [
            f"{name}.{part}\t{gene}\t9\t9\t{half[part]}.00\t1\t1\t50\n"
            for name, gene, half in zip(TRANSCRIPTS, IDS, halves, strict=True)
            for part in (0, 1)
        ]
        return ISOFORMS + "".join(rows)

    put(tmp_path, "{}.isoforms.results", make)
    assert_the_files_counts(levels(tmp_path))


def test_of_a_programs_folder_its_results_count(tmp_path):
    put(tmp_path, "{}/abundance.tsv", quantified(IDS, KALLISTO))
    for sample in SAMPLES:
        (tmp_path / "rna" / sample / "abundance.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
        (tmp_path / "rna" / sample / "run_info.json").write_text("{}")
    assert_the_files_counts(levels(tmp_path))
    with pytest.raises(InputError, match="this is HDF5"):
        ingest_expression(
            quantifications=[tmp_path / "rna/A1/abundance.h5"], unit="counts", out=tmp_path / "l.tsv"
        )


@pytest.mark.parametrize("column", ["/run/{}/hits.bam", "/run/hits.bam"])
def test_featurecounts_sample_by_sample(tmp_path, column):
    """Samples are named by their columns, or by their files where all columns are named alike."""
    for place, sample in enumerate(SAMPLES):
        header = f"# Program:featureCounts v2.0.1\nGeneid\tChr\tStart\tEnd\tStrand\tLength\t{sample}.bam\n"
        header = header.replace(f"{sample}.bam", column.format(sample)) if "{}" not in column else header
        rows = [
            f"{gene}.4\tchr1;chr1\t1;5\t3;9\t+;+\t8\t{n}\n"
            for gene, n in zip(IDS, VALUES[:, place], strict=True)
        ]
        (tmp_path / "rna").mkdir(exist_ok=True)
        (tmp_path / f"rna/{sample}.featureCounts.txt").write_text(header + "".join(rows))
        (tmp_path / f"rna/{sample}.featureCounts.txt.summary").write_text(
            f"Status\t{sample}.bam\nAssigned\t9\n"
        )
    assert_the_files_counts(levels(tmp_path))


def test_star_samples_of_two_kinds_of_library_are_refused(tmp_path):
    """Read by one strand, the other kind's samples would be nearly empty."""
    head = "N_unmapped\t1\t1\t1\n"
    for place, sample in enumerate(SAMPLES):
        rows = [f"{gene}\t9\t{9 if place else 0}\t{0 if place else 9}\n" for gene in IDS]
        (tmp_path / "rna").mkdir(exist_ok=True)
        (tmp_path / f"rna/{sample}ReadsPerGene.out.tab").write_text(head + "".join(rows))
    with pytest.raises(InputError, match="library is forward, that of A1 is reverse"):
        levels(tmp_path)
    assert set(levels(tmp_path, strand="unstranded")["IL6"]) == {9}


def test_a_line_of_star_that_breaks_off_is_one_sentence(tmp_path):
    (tmp_path / "rna").mkdir()
    (tmp_path / "rna/A1ReadsPerGene.out.tab").write_text("N_unmapped\t1\t1\t1\nIL6\t5\t5\t0\nTNF\t5")
    with pytest.raises(InputError, match="'TNF' has the value ''"):
        levels(tmp_path)


def test_a_blank_name_in_a_collectors_table_moves_no_sample(tmp_path):
    """A column without a name is nobody's; those behind it keep their counts."""
    rows = "".join(
        f"Endogenous,{gene},NM_1,{one},9,{two}\n"
        for gene, (one, two) in zip(GENES, VALUES[:, :2], strict=True)
    )
    path = tmp_path / "export.csv"
    path.write_text(f"File Name,,,A1.RCC,,A2.RCC\nGene RLF,,,x,x,x\n{rows}")
    ingest_expression(matrix=path, unit="counts", out=tmp_path / "l.parquet")
    found = read_levels(tmp_path / "l.parquet").set_index("sample_id")["IL6"]
    assert found.to_dict() == dict(zip(["A1", "A2"], VALUES[GENES.index("IL6"), :2], strict=True))
