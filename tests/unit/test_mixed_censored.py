"""Values below a limit of detection as left-censored: against numerical integration, and without any, ML."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import integrate, stats

from models_data import fitted, one_model, row, study
from pniflow.mixed.censored import fit_censored, log_likelihood


def cases(people: int = 30, share: float = 0.2):
    rng = np.random.default_rng(3)
    person = np.repeat(np.arange(people), 2)
    design = np.column_stack([np.ones(2 * people), np.tile([0.0, 1.0], people)])
    values = design @ [1.0, 0.3] + rng.normal(size=people)[person] * 0.8 + 0.6 * rng.normal(size=2 * people)
    limit = np.quantile(values, share)
    below = values < limit
    return design, person, np.where(below, limit, values), below


def by_integration(parameters, design, person, values, below) -> float:
    """Log-likelihood with each person's intercept integrated out by the trapezoid rule on a fine grid."""
    beta, (sd_person, sd) = parameters[:2], np.exp(parameters[2:])
    grid = np.linspace(-10 * sd_person, 10 * sd_person, 8001)
    mean = (design @ beta)[:, None] + grid
    exact, lower = stats.norm.logpdf(values[:, None], mean, sd), stats.norm.logcdf(values[:, None], mean, sd)
    terms = np.where(below[:, None], lower, exact)
    whole = np.array([terms[person == one].sum(axis=0) for one in np.unique(person)])
    density = np.exp(whole) * stats.norm.pdf(grid, 0, sd_person)
    return float(np.log(integrate.trapezoid(density, grid, axis=1)).sum())


def test_likelihood_agrees_with_numerical_integration():
    data = cases()
    for parameters in ([1.0, 0.3, np.log(0.8), np.log(0.6)], [0.5, -0.2, np.log(0.3), np.log(1.1)]):
        expected = by_integration(np.array(parameters), *data)
        assert log_likelihood(np.array(parameters), *data) == pytest.approx(expected, abs=1e-6)


def test_maximum_is_one():
    data = cases()
    fit = fit_censored(*data, start=np.array([1.0, 0.0, -0.5, -0.5]))
    at = np.r_[fit.estimate, np.log(fit.sd_person), np.log(fit.sd_residual)]
    assert fit.loglik == pytest.approx(by_integration(at, *data), abs=1e-5)
    for step in np.vstack([np.eye(4), -np.eye(4)]) * 0.02:
        assert by_integration(at + step, *data) < fit.loglik


def test_without_censored_values_it_is_maximum_likelihood():
    design, person, values, _ = cases()
    fit = fit_censored(design, person, values, np.zeros(60, dtype=bool), start=np.array([1.0, 0, -0.5, -0.5]))
    mixed = sm.MixedLM(values, design, person).fit(reml=False)
    np.testing.assert_allclose(fit.estimate, mixed.fe_params, atol=1e-5)
    # balanced pairs: the ML variance of the change is that of the differences, divisor n
    change = values[1::2] - values[::2]
    assert fit.std_error[1] == pytest.approx(change.std(ddof=0) / np.sqrt(30), rel=1e-3)
    assert fit.sd_residual == pytest.approx(np.sqrt(mixed.scale), rel=1e-4)


@pytest.mark.parametrize("known", [True, False])
def test_word(tmp_path, known):
    """Values are censored at the limit of detection; at the smallest value detected where none is known."""
    measures, participants = study(seed=4, measures=("log_hair_cortisol",))
    assays = measures.assign(below_limit=measures["value"].rank() <= 5).drop(columns="domain")
    smallest = measures["value"].sort_values().iloc[5]
    limit = measures["value"].sort_values().iloc[4:6].mean() if known else smallest
    if known:
        assays["limit"] = limit
    assays.to_csv(tmp_path / "assays.tsv", sep="\t", index=False)
    document = one_model(
        ["log_hair_cortisol"],
        ["session"],
        test={"a_family": ["session"]},
        sensitivity=["cortisol_censored"],
    )
    tables = fitted(tmp_path, measures, participants, document, assays=tmp_path / "assays.tsv")
    found = row(tables["sensitivity"], variant="cortisol_censored")
    table = measures.sort_values(["participant_id", "session_id"], ascending=[True, False])
    values = table["value"].to_numpy()
    design = np.column_stack([np.ones(46), np.tile([0.0, 1.0], 23)])
    fit = fit_censored(
        design,
        np.repeat(np.arange(23), 2),
        np.maximum(values, limit),
        values < limit,
        start=np.array([values.mean(), 0.0, 0.0, 0.0]),
    )
    assert found["estimate"] == pytest.approx(fit.estimate[1], abs=1e-4)
    assert found["std_error"] == pytest.approx(fit.std_error[1], rel=1e-3)
    assert f"5 values below the limit of detection, left-censored at {limit:.4g}" in found["note"]
    assert ("where unknown" in found["note"]) != known and pd.isna(found["p_adjusted"])
