"""Reference-gene normalization equals the formula, worked out here with numpy."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from expression_files import column_of, counts, write_matrix
from pniflow.errors import InputError
from pniflow.expression import ingest_expression, normalize_expression

SAMPLES = ["A1", "A2", "B1", "B2", "C1"]


def made(folder, drop=(), unit="counts", scale=1.0, seed=7):
    genes, values = counts(len(SAMPLES), seed)
    rows = [n for n, gene in enumerate(genes) if gene not in drop]
    genes, values = [genes[n] for n in rows], values[rows] * scale
    if unit == "log2":
        values = np.log2(values + 1.5)
    path = write_matrix(folder / "m.tsv", genes, SAMPLES, values.astype(int) if unit == "counts" else values)
    ingest_expression(matrix=path, unit=unit, out=folder / "levels.tsv")
    return pd.DataFrame(values, index=genes, columns=SAMPLES)


def normalized(folder, **options):
    normalize_expression(
        levels=folder / "levels.tsv", out=folder / "n.tsv", report=folder / "n.json", **options
    )
    return (
        pd.read_csv(folder / "n.tsv", sep="\t", index_col="gene"),
        json.loads((folder / "n.json").read_text()),
    )


def test_default_is_counts_per_million_brought_to_the_grand_mean_of_the_reference_genes(tmp_path):
    raw = made(tmp_path)
    table, facts = normalized(tmp_path)
    cpm = raw / raw.sum() * 1e6
    reference = cpm.loc[column_of("reference11")].mean()
    wanted = np.log2(np.maximum(cpm * reference.mean() / reference, 0.125)).loc[table.index]
    np.testing.assert_allclose(table, wanted, rtol=1e-13)
    assert list(table.index) == column_of("gene_map")
    assert (facts["method"], facts["mean"], facts["scale"], facts["floor"]) == (
        "reference_genes",
        "arithmetic",
        "grand_mean",
        0.125,
    )
    assert facts["references_found"] == column_of("reference11")
    assert facts["floored_share"] == (wanted <= -3).to_numpy().mean()


def test_the_printed_recipe_is_a_million_over_the_mean_reference_count(tmp_path):
    raw = made(tmp_path)
    table, facts = normalized(tmp_path, scale="million", floor=1.0)
    reference = raw.loc[column_of("reference11")].mean()
    wanted = np.log2(np.maximum(1, 1e6 * raw / reference)).loc[table.index]
    np.testing.assert_allclose(table, wanted, rtol=1e-13)
    assert facts["scale"] == "million"


def test_geometric_mean_of_the_reference_genes(tmp_path):
    raw = made(tmp_path)
    table, _ = normalized(tmp_path, mean="geometric")
    cpm = raw / raw.sum() * 1e6
    reference = np.exp(np.log(cpm.loc[column_of("reference11")]).mean())
    wanted = np.log2(np.maximum(cpm * reference.mean() / reference, 0.125)).loc[table.index]
    np.testing.assert_allclose(table, wanted, rtol=1e-12)


def test_sequencing_depth_cancels(tmp_path):
    raw = made(tmp_path)
    deeper = raw.astype(int) * np.array([1, 2, 3, 4, 5])
    write_matrix(tmp_path / "m2.tsv", list(raw.index), SAMPLES, deeper.to_numpy())
    first, _ = normalized(tmp_path)
    ingest_expression(matrix=tmp_path / "m2.tsv", unit="counts", out=tmp_path / "levels.tsv")
    second, _ = normalized(tmp_path)
    np.testing.assert_allclose(first, second, atol=1e-12)


def test_cpm_and_tpm_take_no_reference_genes(tmp_path):
    raw = made(tmp_path)
    table, facts = normalized(tmp_path, method="cpm")
    np.testing.assert_allclose(
        table, np.log2(np.maximum(raw / raw.sum() * 1e6, 0.125)).loc[table.index], rtol=1e-13
    )
    assert facts["references_found"] == []
    tpm = made(tmp_path, unit="tpm", scale=0.37)
    table, _ = normalized(tmp_path, method="cpm")
    np.testing.assert_allclose(table, np.log2(np.maximum(tpm, 0.125)).loc[table.index], rtol=1e-13)


def test_log2_values_pass_through_unless_a_method_is_named(tmp_path):
    raw = made(tmp_path, unit="log2")
    table, facts = normalized(tmp_path)
    np.testing.assert_array_equal(table, raw.loc[table.index])
    assert (facts["method"], facts["floor"]) == ("none", None)
    table, _ = normalized(tmp_path, method="reference_genes")
    reference = raw.loc[column_of("reference11")].mean()
    np.testing.assert_allclose(table, (raw - reference + reference.mean()).loc[table.index], atol=1e-13)


def test_a_zero_count_stands_at_the_floor(tmp_path):
    genes, values = counts(len(SAMPLES))
    values[genes.index("IL6")] = 0
    ingest_expression(
        matrix=write_matrix(tmp_path / "m.tsv", genes, SAMPLES, values),
        unit="counts",
        out=tmp_path / "levels.tsv",
    )
    table, facts = normalized(tmp_path)
    assert list(table.loc["IL6"]) == [-3.0] * len(SAMPLES)
    assert facts["floored_share_by_gene"]["IL6"] == 1.0


def test_a_missing_reference_gene_is_said_and_the_others_are_used(tmp_path, capsys):
    raw = made(tmp_path, drop=["VCP", "GPI"])
    table, facts = normalized(tmp_path)
    cpm = raw / raw.sum() * 1e6
    reference = cpm.loc[[g for g in column_of("reference11") if g not in ("VCP", "GPI")]].mean()
    np.testing.assert_allclose(
        table, np.log2(np.maximum(cpm * reference.mean() / reference, 0.125)).loc[table.index], rtol=1e-13
    )
    assert facts["references_missing"] == ["GPI", "VCP"]
    assert "GPI, VCP is missing; the mean of the other 9 is used" in capsys.readouterr().err


def test_with_fewer_than_six_reference_genes_library_size_is_used_and_said(tmp_path, capsys):
    raw = made(tmp_path, drop=column_of("reference11")[:6])
    table, facts = normalized(tmp_path)
    np.testing.assert_allclose(
        table, np.log2(np.maximum(raw / raw.sum() * 1e6, 0.125)).loc[table.index], rtol=1e-13
    )
    assert (facts["method_asked"], facts["method"]) == ("reference_genes", "cpm")
    assert (
        "5 of the 11 reference genes were found, at least 6 are needed; library size is used"
        in capsys.readouterr().err
    )


def test_cycles_are_taken_relative_to_the_panels_own_reference_genes(tmp_path):
    (tmp_path / "ct.tsv").write_text("gene\ts1\ts2\nIL6\t30\t28\nTNF\t25\t27\nGAPDH\t20\t21\nB2M\t18\t18\n")
    ingest_expression(
        matrix=tmp_path / "ct.tsv", unit="ct", housekeeping=["GAPDH", "B2M"], out=tmp_path / "levels.tsv"
    )
    table, facts = normalized(tmp_path)
    np.testing.assert_allclose(table.loc["IL6"], [-30 + 19 - 19.25, -28 + 19.5 - 19.25], atol=1e-13)
    assert facts["method"] == "housekeeping"


def test_cycles_without_reference_genes_are_refused(tmp_path):
    (tmp_path / "ct.tsv").write_text("gene\ts1\ts2\nIL6\t30\t28\n")
    ingest_expression(matrix=tmp_path / "ct.tsv", unit="ct", out=tmp_path / "levels.tsv")
    with pytest.raises(InputError, match="name the panel's own reference genes"):
        normalized(tmp_path)
