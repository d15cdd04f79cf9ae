"""The truth is what the models converge to: its fit agrees with lme4, its numbers with plain regressions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pniflow.demo import scores, truth
from pniflow.demo.scenario import Design
from pniflow.demo.simulation import Study

MANY = 6_000
Rows = dict[tuple[str, str, str], dict[str, float]]


@pytest.fixture(scope="module")
def study() -> Study:
    return truth.population_of(Design(missingness=0.0), MANY, 21)


@pytest.fixture(scope="module")
def rows(study: Study, root: Path) -> Rows:
    estimates, _ = truth.true_estimates(study, root / "config" / "models.yaml")
    return {(row["model"], row["outcome"], row["term"]): row for row in estimates}


def slopes(y: np.ndarray, *x: np.ndarray) -> np.ndarray:
    """Ordinary least squares with an intercept; the slopes."""
    return np.linalg.lstsq(np.column_stack([np.ones(len(y)), *x]), y, rcond=None)[0][1:]


@pytest.mark.parametrize("case", ["sleepstudy_ri_unbal", "prepost23_missing", "prepost23_tv", "orthodont"])
def test_fit_agrees_with_lme4(case: str, oracle: Path) -> None:
    expected = json.loads((oracle / "lmm" / f"{case}.json").read_text())
    lines = [line.split(",") for line in (oracle / "lmm" / f"{case}.mm.csv").read_text().splitlines()]
    table = dict(zip([name.strip('"') for name in lines[0]], zip(*lines[1:], strict=True), strict=True))
    y = np.array(table["y"], float)
    columns = [np.array(table[name], float) for name in sorted(table) if name.startswith("x")]
    x = np.column_stack([np.ones(len(y)), *columns])
    estimate, _ = truth.fit_random_intercept(y, x, np.array(table["g1"]))
    assert np.max(np.abs(estimate - expected["beta"]) / expected["se"]) < 1e-5


def test_change_is_the_mean_of_differences(study: Study, rows: Rows) -> None:
    found = scores.measures(study)
    for model, outcome in [("change_pro", "pss10"), ("change_biology", "ctra"), ("change_mri_volume", "gm")]:
        difference = found[outcome][:, 1] - found[outcome][:, 0]
        row = rows[(model, outcome, "session")]
        assert row["value"] == pytest.approx(difference.mean(), rel=1e-8)
        assert row["monte_carlo_error"] == pytest.approx(difference.std() / np.sqrt(MANY), rel=1e-6)


def test_within_slope_is_change_on_change_and_between_slope_is_means_on_means(
    study: Study, rows: Rows
) -> None:
    found, people = scores.measures(study), study.people
    for name in ("pss10", "ucla_loneliness_v3", "log_hair_cortisol"):
        change = [found[key][:, 1] - found[key][:, 0] for key in ("ctra", name)]
        expected = slopes(*change)[0]
        assert rows[(f"ctra_on_{name}", "ctra", f"{name}_within")]["value"] == pytest.approx(
            expected, rel=1e-8
        )
        mean = [found[key].mean(axis=1) for key in ("ctra", name)]
        expected = slopes(*mean, people.age, people.bmi, people.b_cell_depletion)[0]
        assert rows[(f"ctra_on_{name}", "ctra", f"{name}_between")]["value"] == pytest.approx(
            expected, rel=1e-8
        )


def test_no_change_of_ctra_with_a_within_slope_needs_the_opposite_session_coefficient(
    study: Study, rows: Rows
) -> None:
    found = scores.measures(study)
    stress, ctra = found["pss10"], found["ctra"]
    deviation = stress - stress.mean(axis=1, keepdims=True)  # not centred at each session
    session = np.tile([0.0, 1.0], (MANY, 1))
    centred = [values - values.mean(axis=1, keepdims=True) for values in (ctra, session)]
    b_session, b_within = slopes(centred[0].ravel(), centred[1].ravel(), deviation.ravel())
    entry = next(row for row in truth.zero_change(list(rows.values())) if row["predictor"] == "pss10")
    assert entry["within_slope"] == pytest.approx(b_within, rel=1e-8)
    assert entry["session_coefficient_uncentred"] == pytest.approx(b_session, rel=1e-6)
    assert b_session == pytest.approx(-b_within * entry["mean_change"], abs=4 * 0.7 / np.sqrt(MANY))
    assert abs(b_session) > 0.2


def test_errors_are_those_of_repeated_populations(root: Path) -> None:
    many = [
        truth.true_estimates(truth.population_of(Design(), 400, seed), root / "config" / "models.yaml")[0]
        for seed in range(12)
    ]
    values = np.array([[row["value"] for row in rows] for rows in many])
    errors = np.array([[row["monte_carlo_error"] for row in rows] for rows in many])
    ratio = values.std(axis=0, ddof=1) / errors.mean(axis=0)
    assert np.sqrt(np.mean(ratio**2)) == pytest.approx(1, abs=0.12)


def test_truth_covers_every_model_whose_measures_the_study_has(rows: Rows, root: Path) -> None:
    from pniflow.models.specification import read_models

    models = {model.name for model in read_models(root / "config" / "models.yaml").models}
    assert models - {model for model, _, _ in rows} == {"change_hippocampal_head"}
