"""Analyses over genes: identities between them, and the legacy one's likelihood, worked out the long way."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from expression_files import column_of
from pniflow.cli import main
from pniflow.contracts import read_table
from pniflow.genes.legacy_gls import exchanged, fit_legacy

GENES = column_of("ctra53")
WEIGHT = np.where(np.array(column_of("ctra53", "component")) == "inflammatory", 1.0, -1.0)
PEOPLE = 14


def study(folder, between=1.0, session_sd=0.5, seed=11):
    """Write a study before and after: expression, samples, participants; return signed z, design, people."""
    rng = np.random.default_rng(seed)
    people, sessions = np.repeat(np.arange(PEOPLE), 2), np.tile(["ses-pre", "ses-post"], PEOPLE)
    age, stress = rng.normal(45, 10, PEOPLE), rng.normal(20, 5, 2 * PEOPLE)
    level = (
        between * rng.normal(size=PEOPLE)[people] + session_sd * rng.normal(size=2 * PEOPLE) + 0.05 * stress
    )
    values = rng.normal(6, 1, (53, 1)) + WEIGHT[:, None] * level + rng.normal(size=(53, 2 * PEOPLE))
    labels = [f"s{n}" for n in range(2 * PEOPLE)]
    table = pd.DataFrame(values, GENES, labels).rename_axis("gene").reset_index()
    table.to_csv(folder / "expression.tsv", sep="\t", index=False)
    names = [f"sub-{n:02d}" for n in people]
    pd.DataFrame({"sample_id": labels, "participant_id": names, "session_id": sessions, "batch": ""}).to_csv(
        folder / "samples.tsv", sep="\t", index=False
    )
    pd.DataFrame(
        {"participant_id": sorted(set(names)), "age": age, "arm": ["a", "b"] * (PEOPLE // 2)}
    ).to_csv(folder / "participants.tsv", sep="\t", index=False)
    pd.DataFrame(
        {
            "participant_id": names,
            "session_id": sessions,
            "measure": "pss10",
            "value": stress,
            "unit": "points",
        }
    ).assign(domain="questionnaire").to_csv(folder / "measures.tsv", sep="\t", index=False)
    z = (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, ddof=1, keepdims=True)
    design = np.column_stack([np.ones(2 * PEOPLE), stress, sessions == "ses-post", age[people]])
    return (WEIGHT[:, None] * z).T, design, names


def fitted(folder, *words, predictors=("pss10", "session"), covariates=("age",)):
    out = folder / "over_genes.tsv"
    command = [
        "fit-over-genes",
        "--expression",
        folder / "expression.tsv",
        "--samples",
        folder / "samples.tsv",
    ]
    command += [
        "--participants",
        folder / "participants.tsv",
        "--measures",
        folder / "measures.tsv",
        "--out",
        out,
    ]
    command += [
        "--predictors",
        *predictors,
        "--baseline",
        "ses-pre",
        "--covariates",
        *covariates,
        "--draws",
        "300",
        *words,
    ]
    assert main([str(word) for word in command]) == 0
    return read_table(out, "over_genes").set_index(["analysis", "term"])


def test_the_nested_gene_model_is_the_composite_where_genes_are_complete(tmp_path):
    study(tmp_path)
    table = fitted(tmp_path)
    for column in ("estimate", "std_error", "df", "p_value"):
        np.testing.assert_allclose(
            table.loc["nested_gene_model", column], table.loc["composite", column], rtol=1e-6
        )
    assert table["note"].isna().loc[["composite", "nested_gene_model"]].all()


def test_at_zero_person_session_variance_the_two_differ_and_it_is_said(tmp_path):
    signed, _, _ = study(tmp_path, session_sd=0.0)
    residual = np.random.default_rng(0).normal(size=signed.shape)
    residual -= residual.mean(axis=1, keepdims=True)  # no variance of sample means beyond the persons'
    people = np.repeat(np.random.default_rng(1).normal(size=PEOPLE), 2)
    values = 6 + WEIGHT[:, None] * (people[:, None] + residual).T
    labels = [f"s{n}" for n in range(2 * PEOPLE)]
    pd.DataFrame(values, GENES, labels).rename_axis("gene").reset_index().to_csv(
        tmp_path / "expression.tsv", sep="\t", index=False
    )
    table = fitted(tmp_path, "--scale", "log2")
    note = table.loc[("nested_gene_model", "session"), "note"]
    assert "person:session variance is zero, so this differs from the composite" in note


def test_the_average_of_per_gene_slopes_is_the_slope_of_the_composite(tmp_path):
    signed, design, _ = study(tmp_path)
    by_gene = np.linalg.lstsq(design, signed, rcond=None)[0]
    table = fitted(tmp_path)
    wanted = by_gene.mean(axis=1)[[1, 2]]
    np.testing.assert_allclose(table.loc["per_gene_bootstrap", "estimate"], wanted, atol=1e-12)


def test_the_bootstrap_resamples_people(tmp_path):
    signed, design, names = study(tmp_path)
    table = fitted(tmp_path, "--draws", "4000")
    rng = np.random.default_rng(99)
    rows = {name: [n for n, other in enumerate(names) if other == name] for name in names}
    drawn = []
    for _ in range(2000):
        picked = [n for name in rng.choice(sorted(rows), PEOPLE) for n in rows[name]]
        drawn.append(np.linalg.lstsq(design[picked], signed[picked].mean(axis=1), rcond=None)[0][1])
    ratio = table.loc[("per_gene_bootstrap", "pss10"), "std_error"] / np.std(drawn, ddof=1)
    assert ratio == pytest.approx(1, abs=4 / np.sqrt(2 * 2000) * np.sqrt(1.5))
    row = table.loc[("per_gene_bootstrap", "pss10")]
    assert row["p_value"] == pytest.approx(
        2 * stats.norm.sf(abs(row["estimate"] / row["std_error"])), rel=1e-12
    )


def test_each_analysis_says_what_is_known_of_it_and_legacy_only_comes_when_asked(tmp_path, capsys):
    study(tmp_path)
    assert set(fitted(tmp_path).index.get_level_values(0)) == {
        "composite",
        "nested_gene_model",
        "per_gene_bootstrap",
    }
    assert capsys.readouterr().err == ""
    table = fitted(tmp_path, "--legacy", "--permutations", "9")
    assert "not for inference" in table.loc[("legacy_gls", "pss10"), "evidence"]
    assert "takes a person's samples as independent" in table.loc[("legacy_gls", "pss10"), "note"]
    assert "about half of its tests of no effect" in capsys.readouterr().err


def test_two_categories_are_the_second_against_the_first(tmp_path):
    signed, design, _ = study(tmp_path)
    table = fitted(tmp_path, predictors=("arm",))
    arm = np.repeat(np.arange(PEOPLE) % 2, 2)
    x = np.column_stack([np.ones(2 * PEOPLE), arm, design[:, 3]])
    wanted = np.linalg.lstsq(x, signed.mean(axis=1), rcond=None)[0][1]
    assert table.loc[("per_gene_bootstrap", "arm"), "estimate"] == pytest.approx(wanted, abs=1e-12)


def test_a_category_that_all_share_is_said_and_does_not_end_the_run(tmp_path):
    study(tmp_path)
    path = tmp_path / "participants.tsv"
    people = pd.read_csv(path, sep="\t").assign(arm="no")
    people.to_csv(path, sep="\t", index=False)
    table = fitted(tmp_path, predictors=("arm",))
    assert table["estimate"].isna().all()
    assert table["note"].str.contains("samples do not tell arm").all()


def test_results_are_the_same_bytes_on_a_rerun(tmp_path):
    study(tmp_path)
    fitted(tmp_path)
    first = (tmp_path / "over_genes.tsv").read_bytes()
    fitted(tmp_path)
    assert first == (tmp_path / "over_genes.tsv").read_bytes()


def long_way(y, x):
    """Maximize the likelihood of the stacked rows with the full covariance matrix."""
    n, genes = y.shape
    rows = np.hstack([np.tile(np.eye(genes), (n, 1)), np.repeat(x, genes, axis=0)])

    def fit(parameters):
        deviation, correlation = np.exp(parameters[:-1]), np.tanh(parameters[-1]) * 0.99
        v = np.outer(deviation, deviation) * (correlation + (1 - correlation) * np.eye(genes))
        if np.linalg.eigvalsh(v)[0] <= 0:
            return np.inf, None, None
        w = np.kron(np.eye(n), np.linalg.inv(v))
        information = rows.T @ w @ rows
        beta = np.linalg.solve(information, rows.T @ w @ y.ravel())
        r = y.ravel() - rows @ beta
        loglik = -0.5 * (n * np.linalg.slogdet(v)[1] + r @ w @ r + y.size * np.log(2 * np.pi))
        return -loglik, beta, np.linalg.inv(information)

    start = np.append(np.log(y.std(axis=0)), 0.3)
    found = optimize.minimize(lambda p: fit(p)[0], start, method="BFGS", options={"gtol": 1e-7})
    loglik, beta, covariance = fit(found.x)
    scale = y.size / (y.size - rows.shape[1])
    k = x.shape[1]
    return -loglik, beta[-k:], np.sqrt(np.diag(covariance)[-k:] * scale)


def test_the_legacy_fit_is_the_maximum_of_the_full_likelihood():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(20, 2))
    y = rng.normal(size=(20, 1)) + rng.normal(size=(20, 4)) * [0.5, 1, 2, 0.8] + x @ [[0.3], [0]]
    loglik, estimate, error = long_way(y, x)
    fit = fit_legacy(y, x)
    assert fit.log_likelihood == pytest.approx(loglik, abs=1e-6)
    np.testing.assert_allclose(fit.estimate, estimate, atol=1e-4)
    np.testing.assert_allclose(fit.std_error, error, rtol=1e-4)
    assert fit.df == 80 - 6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--predictors", "nothing"], "'nothing' is neither a participant's covariate nor a measure"),
        (["--predictors", "session"], "needs --baseline, one of ses-post, ses-pre"),
        (["--predictors", "age", "--covariates", "age_again"], "'age_again' is neither"),
        (["--predictors", "participant_id"], "a number or two were expected"),
    ],
)
def test_a_term_that_cannot_be_used_is_one_sentence(tmp_path, capsys, words, said):
    study(tmp_path)
    command = [
        "fit-over-genes",
        "--expression",
        tmp_path / "expression.tsv",
        "--samples",
        tmp_path / "samples.tsv",
    ]
    command += ["--participants", tmp_path / "participants.tsv", "--out", tmp_path / "o.tsv", *words]
    assert main([str(word) for word in command]) == 1
    error = capsys.readouterr().err.strip()
    assert said in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "o.tsv").exists()


def by_gene(folder, *words, **terms):
    fitted(folder, "--genes", folder / "genes.tsv", *words, **({"predictors": ["session"]} | terms))
    return read_table(folder / "genes.tsv", "gene_estimates").set_index(["term", "gene"])


def test_each_gene_alone_is_the_paired_difference_where_everyone_has_both_sessions(tmp_path):
    signed, _, _ = study(tmp_path)
    expression = signed * WEIGHT
    change = expression[1::2] - expression[::2]
    table = by_gene(tmp_path, covariates=()).loc["session"]
    np.testing.assert_allclose(table["estimate"], change.mean(axis=0), atol=1e-12)
    ordinary = table["note"].isna().to_numpy()
    error = change.std(axis=0, ddof=1) / np.sqrt(PEOPLE)
    assert ordinary.sum() > 30
    np.testing.assert_allclose(table["std_error"][ordinary], error[ordinary], rtol=1e-8)
    p = stats.ttest_1samp(change, 0).pvalue
    np.testing.assert_allclose(table["p_value"][ordinary], p[ordinary], rtol=1e-6)
    assert list(table["component"]) == column_of("ctra53", "component")
    assert set(table["n_samples"]) == {2 * PEOPLE}


def test_the_average_over_genes_is_the_composite_where_everyone_has_both_sessions(tmp_path):
    study(tmp_path)
    genes = by_gene(tmp_path).loc["session"]
    table = read_table(tmp_path / "over_genes.tsv", "over_genes").set_index(["analysis", "term"])
    mean = (genes["estimate"] * genes["weight"].astype(float)).mean()
    assert mean == pytest.approx(table.loc[("composite", "session"), "estimate"], abs=1e-12)


def test_genes_are_adjusted_for_their_number(tmp_path):
    study(tmp_path)
    genes = by_gene(tmp_path).loc["session"]
    wanted = stats.false_discovery_control(genes["p_value"].to_numpy(dtype=float))
    np.testing.assert_allclose(genes["p_adjusted"], wanted, rtol=1e-12)
    reach = stats.t.ppf(0.975, genes["df"]) * genes["std_error"]
    np.testing.assert_allclose(genes["conf_high"], genes["estimate"] + reach, rtol=1e-9)


def test_one_sample_each_is_least_squares_gene_by_gene(tmp_path):
    _, design, _ = study(tmp_path)
    labels = [f"s{n}" for n in range(0, 2 * PEOPLE, 2)]
    whole = pd.read_csv(tmp_path / "expression.tsv", sep="\t")
    whole[["gene", *labels]].to_csv(tmp_path / "expression.tsv", sep="\t", index=False)
    table = by_gene(tmp_path, "--scale", "log2", predictors=["pss10"], covariates=()).loc["pss10"]
    log2 = whole[labels].to_numpy().T
    for gene, values in zip(GENES, log2.T, strict=True):
        wanted = stats.linregress(design[::2, 1], values)
        row = table.loc[gene]
        assert row["estimate"] == pytest.approx(wanted.slope, abs=1e-12)
        assert row["std_error"] == pytest.approx(wanted.stderr, rel=1e-9)
        assert row["p_value"] == pytest.approx(wanted.pvalue, rel=1e-9)


def test_the_permutation_p_of_repeated_samples_exchanges_within_people(tmp_path):
    """No other sign pattern reaches a strong shift at the second session: p is the smallest there is."""
    study(tmp_path)
    shifted = pd.read_csv(tmp_path / "expression.tsv", sep="\t")
    post = [f"s{n}" for n in range(1, 2 * PEOPLE, 2)]
    shifted[post] += 4 * WEIGHT[:, None]
    shifted.to_csv(tmp_path / "expression.tsv", sep="\t", index=False)
    table = fitted(tmp_path, "--legacy", "--permutations", "39", predictors=("session", "arm"))
    assert table.loc[("legacy_gls", "session"), "p_permutation"] == 1 / 40
    assert table.loc[("legacy_gls", "session"), "note"].endswith("39 permutations of a person's samples")
    assert table.loc[("legacy_gls", "arm"), "note"].endswith("39 permutations of people")
    assert table.loc[("legacy_gls", "arm"), "p_permutation"] > 1 / 40


def test_exchange_of_samples_keeps_within_people_or_whole_people():
    people = np.array(["a", "a", "b", "b", "c", "d", "d"])
    blocks = [np.array(rows) for rows in ([0, 1], [2, 3], [4], [5, 6])]
    generator = np.random.default_rng(3)
    for _ in range(50):
        assert list(people[exchanged(blocks, True, generator)]) == list(people)
        order = exchanged(blocks, False, generator)
        assert sorted(order) == list(range(7))
        assert order[4] == 4  # the only person with one sample
        assert all(order[rows[1]] == order[rows[0]] + 1 for rows in blocks if len(rows) == 2)


def test_too_few_samples_are_rows_without_estimates(tmp_path):
    study(tmp_path)
    whole = pd.read_csv(tmp_path / "expression.tsv", sep="\t")
    whole[["gene", "s0", "s1", "s2"]].to_csv(tmp_path / "expression.tsv", sep="\t", index=False)
    genes = by_gene(tmp_path, predictors=("session", "pss10"))
    assert genes["estimate"].isna().all()
    assert set(genes["note"]) == {"not fitted: 3 samples do not tell session, pss10, age apart"}
    table = read_table(tmp_path / "over_genes.tsv", "over_genes")
    assert table["p_value"].isna().all()
    assert set(table["note"]) == set(genes["note"])


def test_samples_of_one_session_have_no_term_session(tmp_path):
    study(tmp_path)
    labels = [f"s{n}" for n in range(0, 2 * PEOPLE, 2)]
    whole = pd.read_csv(tmp_path / "expression.tsv", sep="\t")
    whole[["gene", *labels]].to_csv(tmp_path / "expression.tsv", sep="\t", index=False)
    assert by_gene(tmp_path).empty
    assert read_table(tmp_path / "over_genes.tsv", "over_genes").empty
