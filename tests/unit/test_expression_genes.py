"""Which row is which gene: current and former symbols, Ensembl and Entrez ids, nothing unsure."""

from __future__ import annotations

import csv
import itertools

import pytest

from pniflow.errors import InputError
from pniflow.expression.genes import gene_map, identify, match_table, read_gene_set, symbols
from pniflow.resources import searched


def recognised(label, entrez=False):
    match = identify([label], gene_map(), entrez)[0]
    return None if match is None else (match.gene, match.kind)


@pytest.mark.parametrize(
    ("label", "gene", "kind"),
    [
        ("CXCL8", "CXCL8", "symbol"),
        ("IL8", "CXCL8", "former symbol"),
        ("IGJ", "JCHAIN", "former symbol"),
        ("IGLL3", "IGLL3P", "former symbol"),
        ("IFIT1L", "IFIT1B", "former symbol"),
        ("C15orf24", "EMC7", "former symbol"),
        ("C1ORF43", "C1orf43", "symbol"),
        ("ENSG00000169429", "CXCL8", "ensembl"),
        ("ENSG00000169429.11", "CXCL8", "ensembl"),
        ("ENSG00000169429.11_CXCL8", "CXCL8", "ensembl"),
        ("ENSG00000228321", "TNF", "alternative ensembl"),
        ("CXCL8|3576", "CXCL8", "entrez"),
        ("ENSG00000232810.4|TNF", "TNF", "ensembl"),
    ],
)
def test_a_gene_is_recognised_by_each_of_its_identifiers(label, gene, kind):
    assert recognised(label) == (gene, kind)


@pytest.mark.parametrize(
    "label",
    [
        "AP-1",  # FOS, FOSB, JUN, JUNB and JUND
        "HGF",  # an alias of IL6, and the hepatocyte growth factor
        "p100",  # NFKB2 and OAS3
        "COX2",  # PTGS2 and MT-CO2
        "RAB7",  # RAB7A and RAB7B
        "FCGR3",  # FCGR3A and FCGR3B
        "Il6",  # the mouse's
        "Tnf",
        "ENSG00000169428",
        "ENSMUSG00000025746",
        "3576",  # a number is an Entrez id only where all labels are
        "IL6|TNF",  # parts that disagree
        "",
    ],
)
def test_a_name_that_is_not_sure_is_no_match(label):
    assert recognised(label) is None


def test_numbers_are_entrez_ids_where_the_file_uses_them():
    assert recognised("3576", entrez=True) == ("CXCL8", "entrez")


def test_no_identifier_of_the_map_belongs_to_two_genes(root):
    with open(root / "resources/genes/gene_map.tsv", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    owner = {}
    for row in rows:
        lists = (row["former_symbols"], row["alternative_ensembl_ids"])
        for name in {
            row["gene"],
            row["ensembl_gene_id"],
            row["entrez_gene_id"],
            *itertools.chain(*(c.split("|") for c in lists)),
        }:
            if name:
                assert owner.setdefault(name, row["gene"]) == row["gene"]
    unsafe = {name for row in rows for name in row["ambiguous_names"].split("|") if name}
    assert not unsafe & set(owner)


def test_every_resource_row_has_a_source(root):
    for path in (root / "resources/genes").glob("*.tsv"):
        with open(path, encoding="utf-8") as stream:
            assert all(row["source"] for row in csv.DictReader(stream, delimiter="\t")), path.name


def test_ctra53_is_nineteen_inflammatory_thirty_one_interferon_and_three_antibody_genes():
    chosen = read_gene_set("ctra53")
    count = {part: chosen.components.count(part) for part in set(chosen.components)}
    assert count == {"inflammatory": 19, "interferon": 31, "antibody": 3}
    assert all(
        w == (1 if part == "inflammatory" else -1)
        for part, w in zip(chosen.components, chosen.weights, strict=True)
    )
    assert {"JCHAIN", "IGLL1", "IGLL3P"} == {
        g for g, part in zip(chosen.genes, chosen.components, strict=True) if part == "antibody"
    }


def test_smaller_sets_are_parts_of_ctra53_with_the_same_weights():
    full = dict(zip(read_gene_set("ctra53").genes, read_gene_set("ctra53").weights, strict=True))
    for name, size in (("ctra12_core", 12), ("inflammatory19", 19), ("interferon31", 31)):
        chosen = read_gene_set(name)
        assert len(chosen.genes) == size
        assert all(full[gene] == weight for gene, weight in zip(chosen.genes, chosen.weights, strict=True))


def test_eleven_reference_and_eight_leukocyte_genes_are_in_the_map():
    assert len(symbols("reference11")) == 11
    assert len(symbols("leukocyte8")) == 8
    assert set(symbols("reference11") + symbols("leukocyte8")) <= set(gene_map().genes)


def test_each_genes_match_is_written_down():
    labels = ["CXCL8", "IL8", "IGJ", "AP-1", "ENSG00000232810.4", "ENSG00000228321.1", "nothing"]
    table = match_table(labels, identify(labels, gene_map()), gene_map()).set_index("gene")
    row = table.loc["CXCL8"]
    assert (row.status, row.identifiers, row.rows) == ("found", "CXCL8|IL8", 2)
    assert tuple(table.loc["JCHAIN", ["status", "matched_by", "identifiers"]]) == (
        "renamed",
        "former symbol",
        "IGJ",
    )
    assert tuple(table.loc["TNF", ["status", "identifiers", "rows"]]) == (
        "found",
        "ENSG00000232810.4|ENSG00000228321.1",
        2,
    )
    assert all(table.loc[["FOS", "FOSB", "JUN", "JUNB", "JUND"], "status"] == "ambiguous")
    assert tuple(table.loc["IL6", ["status", "rows"]]) == ("absent", 0)


def test_a_users_gene_set_needs_genes_of_the_map(tmp_path):
    (tmp_path / "genes").mkdir()
    (tmp_path / "genes/mine.tsv").write_text(
        "gene\tcomponent\tweight\tsource\nGAPDH\tinflammatory\t1\there\n"
    )
    with pytest.raises(InputError, match="GAPDH is not a current symbol"), searched(tmp_path):
        read_gene_set("mine")
