"""The CTRA score equals its definition, recomputed here with numpy from the gene set's file."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expression_files import column_of, write_samples
from pniflow.contracts import read_table
from pniflow.expression.composite import constant, mean_over_genes, z_scores
from pniflow.expression.score_ctra import score_ctra
from pniflow.resources import shipped

GENES = column_of("gene_map")


def gene_set_rows(name="ctra53"):
    with open(shipped("resources") / "genes" / f"{name}.tsv", encoding="utf-8") as stream:
        return [
            (row["gene"], row["component"], float(row["weight"]))
            for row in csv.DictReader(stream, delimiter="\t")
        ]


def expression(samples=8, seed=3):
    rng = np.random.default_rng(seed)
    values = rng.normal(5, 1, (len(GENES), samples)) * rng.uniform(0.2, 2, (len(GENES), 1))
    return pd.DataFrame(values, index=GENES, columns=[f"s{n}" for n in range(samples)])


def score(table, folder, suffix=".tsv", **options):
    path = folder / f"expression{suffix}"
    frame = table.rename_axis("gene").reset_index()
    if suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, sep="\t", index=False)
    score_ctra(expression=path, scores=folder / "scores.tsv", genes=folder / "genes.tsv", **options)
    return (
        read_table(folder / "scores.tsv", "ctra_scores").set_index("sample_id"),
        read_table(folder / "genes.tsv", "ctra_genes").set_index("gene"),
    )


def z_of(rows):
    return rows.sub(rows.mean(axis=1), axis=0).div(rows.std(axis=1, ddof=1), axis=0)


@pytest.mark.parametrize("suffix", [".tsv", ".parquet"])
def test_each_variant_and_part_is_as_defined(tmp_path, suffix):
    table = expression()
    scores, _ = score(table, tmp_path, suffix)
    rows = gene_set_rows()
    names, weight = [gene for gene, _, _ in rows], np.array([w for _, _, w in rows])
    part = np.array([component for _, component, _ in rows])
    z = z_of(table.loc[names]).to_numpy()
    wanted = {
        "ctra_mean_z": (weight[:, None] * z).mean(axis=0),
        "ctra_mean_log2": (weight[:, None] * table.loc[names].to_numpy()).mean(axis=0),
        "ctra_balanced": z[part == "inflammatory"].mean(axis=0) - z[part != "inflammatory"].mean(axis=0),
        **{name: z[part == name].mean(axis=0) for name in ("inflammatory", "interferon", "antibody")},
        "ctra_without_antibody": (weight[:, None] * z)[part != "antibody"].mean(axis=0),
        "ctra_without_interferon": (weight[:, None] * z)[part != "interferon"].mean(axis=0),
    }
    for name, values in wanted.items():
        np.testing.assert_allclose(scores[name], values, atol=1e-12, err_msg=name)
    np.testing.assert_array_equal(scores["ctra"], scores["ctra_mean_z"])
    assert set(scores["genes_used"]) == {53}
    assert set(scores["genes_missing"]) == {0}


def test_the_parts_make_up_the_score(tmp_path):
    table = expression().drop(index=["IL6", "MX1", "IGLL1"])
    scores, _ = score(table, tmp_path)
    whole = (18 * scores["inflammatory"] - 30 * scores["interferon"] - 2 * scores["antibody"]) / scores[
        "genes_used"
    ]
    np.testing.assert_allclose(scores["ctra_mean_z"], whole.astype(float), atol=1e-14)
    assert set(scores["genes_used"]) == {50}
    assert set(scores["genes_missing"]) == {3}


def test_higher_is_more_adverse(tmp_path):
    table = expression()
    rows = gene_set_rows()
    before, _ = score(table, tmp_path)
    for gene, component, _ in rows:
        if component == "inflammatory":
            table.loc[gene, "s0"] += 5
        else:
            table.loc[gene, "s0"] -= 5
    after, _ = score(table, tmp_path)
    for name in ("ctra", "ctra_mean_log2", "ctra_balanced"):
        assert after.loc["s0", name] > before.loc["s0", name]
    assert after.loc["s0", "inflammatory"] > before.loc["s0", "inflammatory"]
    assert after.loc["s0", "interferon"] < before.loc["s0", "interferon"]
    assert after.loc["s0", "antibody"] < before.loc["s0", "antibody"]


@pytest.mark.parametrize("variant", ["mean_z", "mean_log2", "balanced"])
def test_ctra_is_the_variant_that_is_named(tmp_path, variant):
    scores, _ = score(expression(), tmp_path, variant=variant)
    np.testing.assert_array_equal(scores["ctra"], scores[f"ctra_{variant}"])


def test_former_symbols_score_alike(tmp_path):
    table = expression()
    plain, _ = score(table, tmp_path)
    renamed, genes = score(
        table.rename({"CXCL8": "IL8", "JCHAIN": "IGJ", "IFIT1B": "IFIT1L", "TNF": "ENSG00000232810.3"}),
        tmp_path,
    )
    pd.testing.assert_frame_equal(plain, renamed)
    assert genes.loc["JCHAIN", "identifier"] == "IGJ"


def test_a_constant_gene_is_listed_and_left_out(tmp_path):
    table = expression()
    table.loc["IL6"] = 4.25
    scores, genes = score(table, tmp_path)
    without, _ = score(expression().drop(index="IL6"), tmp_path)
    assert genes.loc["IL6", "status"] == "constant"
    np.testing.assert_allclose(scores["ctra_mean_z"], without["ctra_mean_z"], atol=1e-14)
    assert set(scores["genes_used"]) == {52}


def test_an_absent_gene_is_listed(tmp_path):
    _, genes = score(expression().drop(index="IFITM4P"), tmp_path)
    assert genes.loc["IFITM4P", "status"] == "absent"
    assert np.isnan(genes.loc["IFITM4P", "mean_log2"])
    assert list(genes.index) == [gene for gene, _, _ in gene_set_rows()]


def test_fewer_than_forty_genes_is_a_warning_in_the_table(tmp_path, capsys):
    rows = [gene for gene, part, _ in gene_set_rows() if part == "interferon"]
    scores, _ = score(expression().drop(index=rows[:13]), tmp_path)
    assert set(scores["note"].dropna()) == set()
    scores, _ = score(expression().drop(index=rows[:14]), tmp_path)
    assert set(scores["note"]) == {"39 of the 53 genes of ctra53 used"}
    assert "39 of the 53 genes" in capsys.readouterr().err


def test_a_missing_value_leaves_its_gene_out_of_that_sample_only(tmp_path):
    table = expression()
    table.loc["TNF", "s2"] = np.nan
    scores, _ = score(table, tmp_path)
    z = z_of(table.loc[[gene for gene, _, _ in gene_set_rows()]])
    weight = np.array([w for _, _, w in gene_set_rows()])
    np.testing.assert_allclose(scores["ctra"], np.nanmean(z.to_numpy() * weight[:, None], axis=0), atol=1e-12)
    assert scores["genes_used"].tolist() == [53, 53, 52, 53, 53, 53, 53, 53]
    # Levels differ between genes: without TNF's the mean of s2 would be one of other genes.
    level = table.loc[z.index].T.fillna(table.loc["TNF"].mean()).T
    np.testing.assert_allclose(scores["ctra_mean_log2"], (level.T * weight).mean(axis=1), atol=1e-12)


def test_the_influence_of_a_gene_is_that_of_leaving_it_out(tmp_path):
    table = expression()
    scores, genes = score(table, tmp_path)
    for gene in ("CXCL8", "IFI27", "JCHAIN"):
        without, _ = score(table.drop(index=gene), tmp_path)
        change = (without["ctra_mean_z"] - scores["ctra_mean_z"]).abs().max()
        assert genes.loc[gene, "influence"] == pytest.approx(change, abs=1e-12)
        r = np.corrcoef(without["ctra_mean_z"], scores["ctra_mean_z"])[0, 1]
        assert genes.loc[gene, "correlation_without"] == pytest.approx(r, abs=1e-12)


def test_filters_leave_out_the_genes_they_list(tmp_path):
    table = expression()
    rows = gene_set_rows()
    names = [gene for gene, _, _ in rows]
    table.loc["IFNB1"] = np.where(np.arange(8) < 2, -3.0, [-2, -2, -1, -2, -2.5, -2, -2, -1])
    table.loc["IL1A"] = np.where(np.arange(8) < 1, -3.0, 0.5)
    table.loc["IRF2"] = 6 + np.array([0, 0.01, 0.02, 0, 0, 0.01, 0, 0])
    scores, genes = score(table, tmp_path)
    level = table.loc[names]
    expected = {
        "low_expression": [gene for gene in names if level.loc[gene].mean() < 0],
        "low_variance": [gene for gene in names if level.loc[gene].std(ddof=1) < 0.5],
        "near_floor": ["IFNB1"],
    }
    weight = pd.Series([w for _, _, w in rows], names)
    z = z_of(level)
    for column, name in (
        ("low_expression", "ctra_low_expression_filter"),
        ("low_variance", "ctra_variance_filter"),
        ("near_floor", "ctra_without_near_floor"),
    ):
        assert list(genes.index[genes[column].astype(bool)]) == expected[column]
        kept = [gene for gene in names if gene not in expected[column]]
        np.testing.assert_allclose(scores[name], z.loc[kept].mul(weight[kept], axis=0).mean(), atol=1e-12)
    assert "IRF2" in expected["low_variance"]
    assert genes.loc["IFNB1", "floored_share"] == 0.25
    assert scores["floored_share"].tolist() == [2 / 53, 1 / 53, 0, 0, 0, 0, 0, 0]


def test_z_against_the_baseline_takes_its_mean_and_deviation_from_the_first_session(tmp_path):
    table = expression()
    sheet = write_samples(tmp_path / "samples.tsv", list(table.columns))
    scores, _ = score(table, tmp_path, samples=sheet, baseline="ses-pre")
    rows = gene_set_rows()
    level = table.loc[[gene for gene, _, _ in rows]]
    first = level[["s0", "s2", "s4", "s6"]]
    z = level.sub(first.mean(axis=1), axis=0).div(first.std(axis=1, ddof=1), axis=0)
    wanted = z.mul([w for _, _, w in rows], axis=0).mean()
    np.testing.assert_allclose(scores["ctra_baseline_z"], wanted, atol=1e-12)


def test_fewer_than_two_baseline_samples_give_no_z_against_them_and_it_is_said(tmp_path, capsys):
    table = expression()
    sheet = write_samples(tmp_path / "samples.tsv", list(table.columns))
    scores, _ = score(table, tmp_path, samples=sheet, baseline="ses-later")
    assert "ctra_baseline_z" not in scores
    assert scores["note"].eq("fewer than two samples of ses-later: no z against them").all()
    assert "fewer than two samples of ses-later" in capsys.readouterr().err


def test_parts_are_given_and_no_score_where_a_component_has_no_gene(tmp_path):
    table = expression().drop(index=["JCHAIN", "IGLL1", "IGLL3P"])
    full, _ = score(expression(), tmp_path)
    scores, _ = score(table, tmp_path, parts=True)
    np.testing.assert_allclose(scores["inflammatory"], full["inflammatory"], atol=1e-14)
    np.testing.assert_allclose(scores["interferon"], full["interferon"], atol=1e-14)
    assert scores[["ctra", "ctra_mean_z", "ctra_mean_log2", "ctra_balanced", "antibody"]].isna().all().all()
    assert set(scores["note"]) == {"no antibody gene: no score"}


def test_the_inflammatory_set_alone_is_scored_as_its_part(tmp_path):
    full, _ = score(expression(), tmp_path)
    alone, _ = score(expression(), tmp_path, gene_set="inflammatory19")
    np.testing.assert_allclose(alone["ctra"], full["inflammatory"], atol=1e-14)
    interferon, _ = score(expression(), tmp_path, gene_set="interferon31")
    np.testing.assert_allclose(interferon["ctra"], -full["interferon"], atol=1e-14)
    assert interferon["antibody"].isna().all()


def test_leukocyte_markers_are_carried_as_they_are(tmp_path):
    table = expression()
    scores, _ = score(table, tmp_path)
    for gene in column_of("leukocyte8"):
        np.testing.assert_allclose(scores[f"log2_{gene}"], table.loc[gene], rtol=1e-15)


def test_scores_are_the_same_bytes_on_a_rerun(tmp_path):
    score(expression(), tmp_path)
    first = (tmp_path / "scores.tsv").read_bytes(), (tmp_path / "genes.tsv").read_bytes()
    score(expression(), tmp_path)
    assert first == ((tmp_path / "scores.tsv").read_bytes(), (tmp_path / "genes.tsv").read_bytes())


@given(st.integers(0, 2**32 - 1), st.floats(-20, 20), st.floats(0.05, 30), st.integers(2, 9))
def test_a_genes_scale_and_level_do_not_matter_to_z(seed, shift, factor, samples):
    values = np.random.default_rng(seed).normal(size=(5, samples))
    moved = values.copy()
    moved[2] = moved[2] * factor + shift
    np.testing.assert_allclose(z_scores(moved), z_scores(values), atol=1e-9)


def test_z_has_mean_zero_and_standard_deviation_one_and_a_constant_gene_has_none():
    values = np.random.default_rng(0).normal(3, 2, (4, 7))
    values[1] = 0.1
    z = z_scores(values)
    np.testing.assert_allclose(z[[0, 2, 3]].mean(axis=1), 0, atol=1e-15)
    np.testing.assert_allclose(z[[0, 2, 3]].std(axis=1, ddof=1), 1, atol=1e-15)
    assert np.isnan(z[1]).all()
    assert constant(values).tolist() == [False, True, False, False]
    assert np.isnan(mean_over_genes(values, np.zeros(4, dtype=bool))).all()


def test_an_excluded_sample_is_not_scored_and_does_not_count_in_z(tmp_path):
    table = expression()
    scores, _ = score(table, tmp_path, exclude=["s3", "s5"])
    alone, _ = score(table.drop(columns=["s3", "s5"]), tmp_path)
    pd.testing.assert_frame_equal(scores, alone)


def test_treatment_that_changes_a_component_is_noted(tmp_path):
    people = tmp_path / "participants.tsv"
    people.write_text("participant_id\tb_cell_depletion\tinterferon_treated\nsub-0\tyes\tno\nsub-1\tno\tno\n")
    scores, _ = score(expression(), tmp_path, participants=people)
    assert set(scores["note"]) == {"b cell depletion in the cohort: see ctra_without_antibody"}


def test_treatment_recorded_as_an_exposure_of_the_session_is_noted(tmp_path):
    (tmp_path / "sessions.tsv").write_text(
        "participant_id\tsession_id\tday\tinterferon_treated\nsub-0\tses-a\t0\tno\nsub-0\tses-b\t60\tyes\n"
    )
    scores, _ = score(expression(), tmp_path, sessions=tmp_path / "sessions.tsv")
    assert set(scores["note"]) == {"interferon treated in the cohort: see ctra_without_interferon"}


def test_the_floor_is_that_of_the_normalization(tmp_path):
    table = expression()
    table.loc["IFNB1", ["s0", "s1"]] = -2.0
    table.loc["IL1A", "s0"] = -3.0
    (tmp_path / "n.json").write_text('{"floor": 0.25}')
    _, genes = score(table, tmp_path, normalization=tmp_path / "n.json")
    assert genes["floored_share"].to_dict()["IFNB1"] == 0.25
    assert genes.loc["IL1A", "floored_share"] == 0
    (tmp_path / "n.json").write_text('{"floor": null}')
    scores, _ = score(table, tmp_path, normalization=tmp_path / "n.json")
    assert (scores["floored_share"] == 0).all()
