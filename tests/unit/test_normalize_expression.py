"""Reference-gene normalization equals the formula, worked out here with numpy."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from expression_files import column_of, counts, write_matrix
from pniflow.errors import InputError
from pniflow.expression.distribution import to_mean_distribution
from pniflow.expression.ingest_expression import ingest_expression
from pniflow.expression.normalize_expression import normalize_expression

SAMPLES = ["A1", "A2", "B1", "B2", "C1"]


def made(folder, drop=(), unit="counts", scale=1.0, seed=7, **options):
    genes, values = counts(len(SAMPLES), seed)
    rows = [n for n, gene in enumerate(genes) if gene not in drop]
    genes, values = [genes[n] for n in rows], values[rows] * scale
    if unit == "log2":
        values = np.log2(values + 1.5)
    path = write_matrix(folder / "m.tsv", genes, SAMPLES, values.astype(int) if unit == "counts" else values)
    ingest_expression(matrix=path, unit=unit, out=folder / "levels.tsv", **options)
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


def test_an_undetermined_reference_gene_names_its_sample(tmp_path):
    (tmp_path / "ct.tsv").write_text("gene\ts1\ts2\nIL6\t30\t28\nGAPDH\t20\tUndetermined\n")
    ingest_expression(
        matrix=tmp_path / "ct.tsv", unit="ct", housekeeping=["GAPDH"], out=tmp_path / "levels.tsv"
    )
    with pytest.raises(InputError, match="housekeeping genes have a blank in sample s2"):
        normalized(tmp_path)


def trimmed_mean_factors(counts):
    """Work out edgeR's normalization factors (calcNormFactors, TMM) one sample after another.

    M and A of Robinson & Oshlack 2010; 30 % of M and 5 % of A trimmed at each end; weights are the inverse
    asymptotic variances; the reference is the sample whose upper quartile is nearest to the mean; the
    geometric mean of the factors is one.
    """
    counts = counts[(counts > 0).any(axis=1)]
    size = counts.sum(axis=0)
    quartile = np.array([np.percentile(column, 75) for column in counts.T]) / size
    quartile /= np.exp(np.log(quartile).mean())
    reference = counts[:, np.argmin(np.abs(quartile - quartile.mean()))]
    factors = []
    for column, total in zip(counts.T, size, strict=True):
        both = (column > 0) & (reference > 0)
        x, r = column[both] / total, reference[both] / reference.sum()
        m, a = np.log2(x / r), (np.log2(x) + np.log2(r)) / 2
        variance = (total - column[both]) / total / column[both]
        variance = variance + (reference.sum() - reference[both]) / reference.sum() / reference[both]
        n = len(m)
        low_m, low_a = np.floor(n * 0.3) + 1, np.floor(n * 0.05) + 1
        rank_m, rank_a = stats.rankdata(m), stats.rankdata(a)
        kept = (rank_m >= low_m) & (rank_m <= n + 1 - low_m) & (rank_a >= low_a) & (rank_a <= n + 1 - low_a)
        factors.append(2 ** (np.sum(m[kept] / variance[kept]) / np.sum(1 / variance[kept])))
    return np.array(factors) / np.exp(np.log(factors).mean())


def test_tmm_is_counts_per_million_of_the_effective_library(tmp_path):
    raw = made(tmp_path, whole=tmp_path / "whole.parquet")
    table, facts = normalized(tmp_path, method="tmm", whole=tmp_path / "whole.parquet")
    factor = trimmed_mean_factors(raw.to_numpy(dtype=float))
    assert np.ptp(factor) > 0.01
    wanted = np.log2(np.maximum(raw / (raw.sum() * factor) * 1e6, 0.125)).loc[table.index]
    np.testing.assert_allclose(table, wanted, rtol=1e-10)
    np.testing.assert_allclose(list(facts["scale_factors"].values()), 1 / factor, rtol=1e-10)
    assert facts["method"] == "tmm"


def test_quantiles_give_every_sample_the_same_distribution(tmp_path):
    raw = made(tmp_path, whole=tmp_path / "whole.parquet")
    table, facts = normalized(tmp_path, method="quantile", whole=tmp_path / "whole.parquet")
    cpm = raw / raw.sum() * 1e6
    mean = np.sort(cpm.to_numpy(), axis=0).mean(axis=1)
    rank = cpm.apply(lambda column: stats.rankdata(column) - 1)
    wanted = rank.apply(lambda column: np.interp(column, np.arange(len(mean)), mean))
    np.testing.assert_allclose(table, np.log2(np.maximum(wanted, 0.125)).loc[table.index], rtol=1e-12)
    assert facts["scale_factors"] is None
    assert facts["floor"] == 0.125


def test_quantile_normalization_of_the_textbook_table():
    """Bolstad's procedure on the usual example of four genes and three samples; two tied values of the
    second sample take the mean of the two quantiles that they share."""
    values = np.array([[5, 4, 3], [2, 1, 4], [3, 4, 6], [4, 2, 8]], dtype=float)
    wanted = [[17 / 3, 31 / 6, 2], [2, 2, 3], [3, 31 / 6, 14 / 3], [14 / 3, 3, 17 / 3]]
    np.testing.assert_allclose(to_mean_distribution(values, values), wanted, rtol=1e-14)


def test_quantiles_of_log2_values(tmp_path):
    raw = made(tmp_path, unit="log2", whole=tmp_path / "whole.parquet")
    table, facts = normalized(tmp_path, method="quantile", whole=tmp_path / "whole.parquet")
    mean = np.sort(raw.to_numpy(), axis=0).mean(axis=1)
    wanted = raw.apply(lambda column: np.interp(stats.rankdata(column) - 1, np.arange(len(mean)), mean))
    np.testing.assert_allclose(table, wanted.loc[table.index], rtol=1e-12)
    assert facts["floor"] is None


@pytest.mark.parametrize(
    ("unit", "method", "sentence"),
    [
        ("tpm", "tmm", "tmm needs counts; the unit is tpm"),
        ("log2", "tmm", "tmm needs counts; the unit is log2"),
        ("log2", "cpm", "cpm needs counts or tpm or cpm; the unit is log2"),
        ("counts", "tmm", "needs --whole"),
        ("counts", "quantile", "needs --whole"),
    ],
)
def test_a_method_that_does_not_fit_is_one_sentence(tmp_path, unit, method, sentence):
    made(tmp_path, unit=unit)
    with pytest.raises(InputError, match=sentence):
        normalized(tmp_path, method=method)


def test_rows_of_other_samples_are_refused(tmp_path):
    made(tmp_path, whole=tmp_path / "whole.parquet")
    whole = pd.read_parquet(tmp_path / "whole.parquet")
    whole.rename(columns={"A1": "Z1"}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(InputError, match="the samples are not those of"):
        normalized(tmp_path, method="tmm", whole=tmp_path / "other.parquet")


def test_scale_factors_and_floored_shares_of_samples_are_reported(tmp_path):
    raw = made(tmp_path)
    table, facts = normalized(tmp_path, floor=2000.0)
    cpm = raw / raw.sum() * 1e6
    reference = cpm.loc[column_of("reference11")].mean()
    np.testing.assert_allclose(
        list(facts["scale_factors"].values()), reference.mean() / reference, rtol=1e-12
    )
    at_floor = (table == np.log2(2000)).mean()
    assert 0 < at_floor.mean() < 1
    assert facts["floored_share_by_sample"] == at_floor.to_dict()
    assert facts["shifts"] is None


def test_shifts_of_log2_values_are_reported(tmp_path):
    raw = made(tmp_path, unit="log2")
    _, facts = normalized(tmp_path, method="reference_genes")
    reference = raw.loc[column_of("reference11")].mean()
    np.testing.assert_allclose(list(facts["shifts"].values()), reference.mean() - reference, atol=1e-13)
    assert facts["scale_factors"] is None
