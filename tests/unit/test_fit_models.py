"""A structured mixed model of complete pairs is least squares of differences and of person means."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from scipy.special import gamma

from models_data import fitted, one_model, row, study, wide

SPLIT = one_model(
    ["ctra"],
    ["session", {"split": "pss10"}, "age", "b_cell_depletion"],
    test={"a_family": ["pss10_within", "pss10_between"]},
)


def differences(measures: pd.DataFrame, measure: str) -> pd.Series:
    pairs = wide(measures, measure)
    return pairs["ses-post"] - pairs["ses-pre"]


def test_change_of_complete_pairs_is_the_paired_t_test(tmp_path):
    measures, participants = study()
    tables = fitted(tmp_path, measures, participants, one_model(["pss10"], ["session"]))
    change = differences(measures, "pss10")
    paired = stats.ttest_1samp(change, 0)
    found = row(tables["estimates"], term="session")
    assert not found["singular"]
    assert found["estimate"] == pytest.approx(change.mean(), rel=1e-10)
    assert found["std_error"] == pytest.approx(change.std(ddof=1) / np.sqrt(23), rel=1e-8)
    assert found["df"] == pytest.approx(22, rel=1e-8)
    assert found["p_value"] == pytest.approx(paired.pvalue, rel=1e-8)
    interval = paired.confidence_interval()
    assert (found["conf_low"], found["conf_high"]) == pytest.approx((interval.low, interval.high), rel=1e-8)
    assert (found["n_participants"], found["n_observations"]) == (23, 46)
    assert found["method"] == "REML, Kenward-Roger"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_split_slopes_are_least_squares_of_differences_and_of_means(tmp_path, seed):
    measures, participants = study(seed=seed)
    estimates = fitted(tmp_path, measures, participants, SPLIT)["estimates"]
    assert not estimates["singular"].any(), "an interior fit was wanted"

    dx, dy = differences(measures, "pss10"), differences(measures, "ctra")
    within = sm.OLS(dy, sm.add_constant(dx.rename("x"))).fit()
    assert_same(row(estimates, term="pss10_within"), within, "x")

    x, y = wide(measures, "pss10"), wide(measures, "ctra")
    means = pd.DataFrame({"x": (x - x.mean()).mean(axis=1)})
    people = participants.set_index("participant_id")
    means["age"] = people["age"] - people["age"].mean()
    means["b_cell_depletion"] = (people["b_cell_depletion"] == "yes").astype(float)
    between = sm.OLS(y.mean(axis=1), sm.add_constant(means)).fit()
    assert_same(row(estimates, term="pss10_between"), between, "x")
    assert_same(row(estimates, term="age"), between, "age")
    assert_same(row(estimates, term="b_cell_depletion"), between, "b_cell_depletion")


def test_predictor_with_more_rows_than_the_outcome_is_split_over_the_analysis_rows(tmp_path):
    """Four people without CTRA have stress all the same; they must not shift the session means."""
    gone = [(number, session) for number in range(4) for session in ("ses-pre", "ses-post")]
    measures, participants = study(seed=5, drop={"ctra": gone})
    estimates = fitted(tmp_path, measures, participants, SPLIT)["estimates"]
    assert set(estimates["n_participants"]) == {19}

    kept = wide(measures, "ctra").index
    dx, dy = differences(measures, "pss10")[kept], differences(measures, "ctra")
    assert_same(row(estimates, term="pss10_within"), sm.OLS(dy, sm.add_constant(dx.rename("x"))).fit(), "x")
    x = wide(measures, "pss10").loc[kept]
    people = participants.set_index("participant_id").loc[kept]
    design = pd.DataFrame(
        {
            "x": (x - x.mean()).mean(axis=1),
            "age": people["age"],
            "depleted": (people["b_cell_depletion"] == "yes").astype(float),
        }
    )
    between = sm.OLS(wide(measures, "ctra").mean(axis=1), sm.add_constant(design)).fit()
    assert_same(row(estimates, term="pss10_between"), between, "x")


def test_between_minus_within_is_the_difference_with_independent_errors(tmp_path):
    measures, participants = study(seed=2)
    document = one_model(
        ["ctra"],
        ["session", {"split": "pss10"}],
        contrasts=[{"name": "between_minus_within", "family": "none"}],
    )
    estimates = fitted(tmp_path, measures, participants, document)["estimates"]
    within, between = row(estimates, term="pss10_within"), row(estimates, term="pss10_between")
    contrast = row(estimates, term="between_minus_within")
    assert contrast["estimate"] == pytest.approx(between["estimate"] - within["estimate"], rel=1e-10)
    # complete pairs: the two halves of the design are orthogonal, so their errors are independent
    expected = np.hypot(between["std_error"], within["std_error"])
    assert contrast["std_error"] == pytest.approx(expected, rel=1e-8)
    assert np.isnan(contrast["p_adjusted"]) and pd.isna(contrast["family"])


def test_one_session_study_is_ordinary_least_squares(tmp_path):
    measures, participants = study(sessions=("ses-pre",), seed=4)
    document = one_model(
        ["ctra"], ["pss10", "age", "b_cell_depletion"], random=[], test={"a_family": ["pss10"]}
    )
    estimates = fitted(tmp_path, measures, participants, document)["estimates"]
    people = participants.set_index("participant_id")
    design = pd.DataFrame(
        {
            "pss10": wide(measures, "pss10", ("ses-pre",))["ses-pre"],
            "age": people["age"],
            "b_cell_depletion": (people["b_cell_depletion"] == "yes").astype(float),
        }
    )
    design -= design[["pss10", "age"]].mean().reindex(design.columns, fill_value=0)
    model = sm.OLS(wide(measures, "ctra", ("ses-pre",))["ses-pre"], sm.add_constant(design)).fit()
    for term in design:
        assert_same(row(estimates, term=term), model, term)
    assert row(estimates, term="(intercept)")["estimate"] == pytest.approx(model.params["const"], rel=1e-10)
    assert set(estimates["method"]) == {"OLS, t"}
    assert estimates[["icc", "singular"]].isna().all(axis=None)


def test_three_sessions_are_one_joint_test_and_two_contrasts(tmp_path):
    sessions = ("ses-pre", "ses-post", "ses-fu")
    measures, participants = study(sessions=sessions, seed=6)
    document = one_model(["pss10"], ["session"], test={"a_family": ["session"]})
    document["references"] = {"pss10": {"retest_r": 0.8, "sd": 1.0, "source": "made up"}}
    tables = fitted(tmp_path, measures, participants, document)
    estimates, diagnostics = tables["estimates"], tables["diagnostics"]
    assert list(estimates["term"]) == ["(intercept)", "session", "session[ses-fu]", "session[ses-post]"]
    table = wide(measures, "pss10", sessions)
    joint = row(estimates, term="session")
    # balanced: the joint test is the repeated-measures analysis of variance
    residual = table.sub(table.mean(axis=1), axis=0).sub(table.mean(), axis=1) + table.mean().mean()
    mean_square = (residual**2).to_numpy().sum() / 44
    f = 23 * ((table.mean() - table.mean().mean()) ** 2).sum() / 2 / mean_square
    assert joint["statistic"] == pytest.approx(f, rel=1e-8)
    assert joint["df"] == pytest.approx(44, rel=1e-6)
    assert joint["p_value"] == pytest.approx(stats.f.sf(f, 2, 44), rel=1e-6)
    assert np.isnan(joint["estimate"]) and joint["p_adjusted"] == joint["p_value"]
    follow_up = row(estimates, term="session[ses-fu]")
    assert follow_up["estimate"] == pytest.approx((table["ses-fu"] - table["ses-pre"]).mean(), rel=1e-10)
    assert follow_up["std_error"] == pytest.approx(np.sqrt(2 * mean_square / 23), rel=1e-8)
    # each later session has its own effect size and counts, against the first
    for session in ("ses-post", "ses-fu"):
        term = f"session[{session}]"
        change = table[session] - table["ses-pre"]
        factor = gamma(11) / (np.sqrt(11) * gamma(10.5))
        g_av = factor * change.mean() / ((table["ses-pre"].std() + table[session].std()) / 2)
        assert row(estimates, term=term)["effect_size"] == pytest.approx(g_av, rel=1e-10)
        assert row(diagnostics, term=term, quantity="g_av")["value"] == pytest.approx(g_av, rel=1e-10)
        raw = row(diagnostics, term=term, quantity="mean_change")["value"]
        assert raw == pytest.approx(change.mean(), rel=1e-10)
        higher = row(diagnostics, term=term, quantity="reliable change: higher")["value"]
        assert higher == (change >= 1.959963984540054 * np.sqrt(0.4)).sum()


def test_people_with_one_session_are_counted_beside_both_slopes(tmp_path):
    """Both numbers of people are said beside the slopes."""
    lost = [(number, "ses-post") for number in range(3)]
    measures, participants = study(seed=3, drop={"ctra": lost})
    document = one_model(["ctra"], ["session", {"split": "pss10"}])
    estimates = fitted(tmp_path, measures, participants, document)["estimates"]
    within, between = row(estimates, term="pss10_within"), row(estimates, term="pss10_between")
    assert "within: 20 participants with more than one session" in within["note"]
    assert "between: 23 participants, 20 with more than one session" in between["note"]
    assert "attenuated" in between["note"]


def assert_same(found: pd.Series, model: sm.regression.linear_model.RegressionResultsWrapper, name: str):
    assert found["estimate"] == pytest.approx(model.params[name], rel=1e-8)
    assert found["std_error"] == pytest.approx(model.bse[name], rel=1e-8)
    assert found["df"] == pytest.approx(model.df_resid, rel=1e-8)
    assert found["p_value"] == pytest.approx(model.pvalues[name], rel=1e-8)
