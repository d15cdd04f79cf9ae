"""Effect sizes: hand values, the exact small-sample factor, and intervals that cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from models_data import fitted, one_model, row, study, wide
from pniflow.mixed.effect_sizes import hedges_factor, noncentrality_limits, paired_effects


def test_hedges_factor_is_the_exact_one():
    # J(df) = Gamma(df/2) / (sqrt(df/2) Gamma((df-1)/2)); at 22 df close to 1 - 3/(4 df - 1) = 0.96552
    assert hedges_factor(22) == pytest.approx(math.gamma(11) / (math.sqrt(11) * math.gamma(10.5)), rel=1e-13)
    assert hedges_factor(22) == pytest.approx(1 - 3 / 87, abs=1e-4)


def test_hand_values():
    """Five pairs worked out by hand: change 2, SDs sqrt(2.5) and sqrt(8.5), SD of the changes sqrt(2)."""
    before = np.array([[1.0], [2], [3], [4], [5]])
    after = np.array([[2.0], [4], [4], [6], [9]])
    effects = paired_effects(before, after)
    j = math.gamma(2) / (math.sqrt(2) * math.gamma(1.5))
    change = 2.0
    sd1, sd2 = math.sqrt(2.5), math.sqrt(7.0)
    sd_change = math.sqrt(((1 - 2) ** 2 + 0 + (1 - 2) ** 2 + 0 + (4 - 2) ** 2) / 4)
    r = 4.0 / (sd1 * sd2)  # covariance: sum of (-2, -1, 0, 1, 2) * (-3, -1, -1, 1, 4) is 16, over 4
    assert effects.change[0] == pytest.approx(change)
    assert effects.r[0] == pytest.approx(r)
    assert effects.sd_difference[0] == pytest.approx(sd_change)
    assert effects.g_av[0] == pytest.approx(j * change / ((sd1 + sd2) / 2), rel=1e-12)
    assert effects.g_rm[0] == pytest.approx(j * change / sd_change * math.sqrt(2 * (1 - r)), rel=1e-12)
    assert effects.baseline_d[0] == pytest.approx(change / sd1, rel=1e-12)


def test_noncentrality_limits_agree_with_scipys_noncentral_t():
    statistic = np.array([-12.0, -3.2, 0.0, 0.7, 5.5, 15.0])
    for df in (2, 5, 22, 200):
        low, high = noncentrality_limits(statistic, df)
        np.testing.assert_allclose(stats.nct.sf(statistic, df, low), 0.025, rtol=1e-6)
        np.testing.assert_allclose(stats.nct.cdf(statistic, df, high), 0.025, rtol=1e-6)


def test_no_spread_and_too_few_pairs_give_no_number():
    flat = paired_effects(np.ones((5, 1)), np.full((5, 1), 2.0))
    assert np.isnan(flat.g_av[0]) and np.isnan(flat.g_rm[0])
    two = paired_effects(np.array([[1.0], [2.0]]), np.array([[2.0], [5.0]]))
    assert np.isnan(two.g_av[0])


@pytest.mark.parametrize("n", [17, 23])
@pytest.mark.parametrize("d", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("r", [0.3, 0.7])
def test_intervals_cover(n, d, r):
    """5,000 draws of pairs with SD 1: both parameters are d; the 95 % intervals hold it in 93 to 97 %."""
    rng = np.random.default_rng([n, int(10 * d), int(10 * r)])
    first = rng.standard_normal((n, 5000))
    second = d + r * first + math.sqrt(1 - r * r) * rng.standard_normal((n, 5000))
    effects = paired_effects(first, second)
    for low, high in (effects.g_av_interval, effects.g_rm_interval):
        assert 0.93 <= np.mean((low <= d) & (d <= high)) <= 0.97


def test_change_model_reports_g_av_of_complete_pairs(tmp_path):
    measures, participants = study(drop={"pss10": [(0, "ses-post")]})
    tables = fitted(tmp_path, measures, participants, one_model(["pss10"], ["session"]))
    pairs = wide(measures, "pss10").dropna()
    change = (pairs["ses-post"] - pairs["ses-pre"]).mean()
    expected = hedges_factor(21) * change / pairs.std(ddof=1).mean()
    found = row(tables["estimates"], term="session")
    assert found["effect_size"] == pytest.approx(expected, rel=1e-10)
    assert found["effect_size_kind"].startswith("hedges_g_av")
    detail = row(tables["diagnostics"], table="effect_sizes", quantity="g_av")
    assert detail["value"] == pytest.approx(expected, rel=1e-10)
    assert detail["conf_low"] < expected < detail["conf_high"] and "standardizer" in detail["note"]
    raw = row(tables["diagnostics"], table="effect_sizes", quantity="mean_change")
    paired = stats.ttest_rel(pairs["ses-post"], pairs["ses-pre"]).confidence_interval()
    assert (raw["conf_low"], raw["conf_high"]) == pytest.approx((paired.low, paired.high), rel=1e-10)


def test_standardized_slope_does_not_depend_on_units(tmp_path):
    measures, participants = study()
    document = one_model(["ctra"], ["session", {"split": "pss10"}])
    plain = fitted(tmp_path / "plain", measures, participants, document)["estimates"]
    scaled = measures.copy()
    scaled.loc[scaled["measure"] == "pss10", "value"] *= 40
    scaled.loc[scaled["measure"] == "ctra", "value"] *= 0.01
    other = fitted(tmp_path / "scaled", scaled, participants, document)["estimates"]
    for term in ("pss10_within", "pss10_between"):
        first, second = row(plain, term=term), row(other, term=term)
        assert second["effect_size"] == pytest.approx(first["effect_size"], rel=1e-8)
        assert second["estimate"] == pytest.approx(first["estimate"] * 0.01 / 40, rel=1e-8)
        assert first["effect_size_kind"].startswith("standardized_slope")


def test_session_beside_a_split_predictor_says_what_it_is(tmp_path):
    """Its interval holds the sample's mean change of the predictor fixed; the change model's does not."""
    measures, participants = study(seed=3)
    document = one_model(["ctra"], ["session", {"split": "pss10"}], test={"a_family": ["pss10_within"]})
    notes = fitted(tmp_path, measures, participants, document)["estimates"].set_index("term")["note"]
    assert "the mean change stands in the change model" in notes["session"]
    assert "the mean change stands in the change model" not in notes["pss10_within"]
