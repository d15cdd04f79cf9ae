"""Design checks: rejection shares are those of refitted shifted outcomes, and nothing observed enters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from mixed_fits import random_intercept
from models_data import checks, one_model, study
from pniflow.errors import InputError
from pniflow.models.check_design import detectable, null_outcomes, shifted

SPLIT = ["session", {"split": "pss10"}, "age"]
TESTED = {"test": {"a_family": ["pss10_within", "pss10_between"]}}


def test_power_is_the_share_of_refits_of_shifted_outcomes_that_reject(tmp_path):
    """An effect added to the outcomes themselves, fitted anew, gives the shares that the shift gives."""
    measures, people = study(people=12, drop={"ctra": [(3, "ses-post")]})
    table = checks(tmp_path, measures, people, one_model(["ctra"], SPLIT, **TESTED), effects=[0.4], icc=[0.3])
    wide = measures.pivot(index=["participant_id", "session_id"], columns="measure", values="value")
    wide = wide.reset_index().dropna(subset=["ctra", "pss10"])
    session = (wide["session_id"] == "ses-post").to_numpy(float)
    person = pd.factorize(wide["participant_id"])[0]
    centred = wide["pss10"] - wide.groupby("session_id")["pss10"].transform("mean")
    between = centred.groupby(wide["participant_id"]).transform("mean").to_numpy()
    single = wide.groupby("participant_id")["ctra"].transform("size").to_numpy() == 1
    within = np.where(single, 0.0, centred.to_numpy() - between)
    age = wide["participant_id"].map(people.set_index("participant_id")["age"]).to_numpy()
    design = np.column_stack([np.ones(len(wide)), session, within, between, age])
    for term, column in (("pss10_within", 2), ("pss10_between", 3)):
        draws = null_outcomes(
            person, 0.3, 20_000, np.random.default_rng(5)
        )  # other draws: shares agree within their error
        shifted = draws + 0.4 * (design[:, column] / design[:, column].std(ddof=1))[:, None]
        rejected = (random_intercept(design, person, shifted).p_kr[column] < 0.05).mean()
        own = table[(table["term"] == term) & (table["effect"] == 0.4) & (table["method"] == "kenward_roger")]
        assert own["rejection"].item() == pytest.approx(rejected, abs=4 * own["mc_error"].item())
        assert own["n_observations"].item() == 23 and own["n_pairs"].item() == 11


def test_power_of_a_paired_change_is_that_of_the_noncentral_t(tmp_path):
    """Complete pairs: power and the effect found in 80 % of draws are known exactly."""
    models = one_model(["pss10", "gad7"], ["session"], test={"a_family": ["session"]})
    table = checks(tmp_path, *study(people=14), models, effects=[0.3, 0.6], icc=[0.5], draws=20_000)
    assert set(table["outcomes"]) == {"pss10 gad7"}

    def power(effect: float) -> float:
        shift, edge = effect / np.sqrt(2 * 0.5 / 14), stats.t.ppf(0.975, 13)
        return float(stats.nct.sf(edge, 13, shift) + stats.nct.cdf(-edge, 13, shift))

    paired = table[table["method"] == "paired_t"]
    for row in paired.itertuples():
        assert row.rejection == pytest.approx(0.05 if row.effect == 0 else power(row.effect), abs=0.011)
        assert row.mc_error == pytest.approx(np.sqrt(row.rejection * (1 - row.rejection) / 20_000))
    smallest = optimize.brentq(lambda effect: power(effect) - 0.8, 0.1, 2)
    assert paired["detectable_80"].iloc[0] == pytest.approx(smallest, abs=0.015)
    kept = table[table["method"].isin(["kenward_roger", "sign_flip"])]
    assert (kept[kept["effect"] == 0]["rejection"] < 0.056).all()
    assert table[(table["method"] == "wald_z") & (table["effect"] == 0)]["rejection"].item() > 0.06


def test_observed_outcomes_do_not_enter(tmp_path):
    """Only which outcomes are there matters, not their values, nor the participants' names and order."""
    measures, people = study(drop={"ctra": [(2, "ses-pre")]})
    models = one_model(["ctra"], SPLIT, **TESTED)
    first = checks(tmp_path / "a", measures, people, models)
    other = measures.copy()
    other.loc[other["measure"] == "ctra", "value"] *= -7.5
    names = {name: f"sub-{99 - number}" for number, name in enumerate(people["participant_id"])}
    other["participant_id"] = other["participant_id"].map(names)
    people = people.assign(participant_id=people["participant_id"].map(names))
    second = checks(tmp_path / "b", other.iloc[::-1], people, models)
    exact = ["term", "n_participants", "n_observations", "effect", "method"]
    pd.testing.assert_frame_equal(first[exact], second[exact])
    assert np.abs(first["rejection"] - second["rejection"]).max() <= 1 / 400  # a draw on the edge


def test_joint_tests_and_studies_with_one_session(tmp_path):
    """Three sessions are tested by F; one session by least squares."""
    sessions = ("ses-pre", "ses-post", "ses-fu")
    models = one_model(["pss10"], ["session"], test={"a_family": ["session"]})
    three = checks(tmp_path / "3", *study(sessions=sessions), models, effects=[1.5], draws=2000)
    null, strong = (three.loc[three["effect"] == effect, "rejection"].item() for effect in (0, 1.5))
    assert null == pytest.approx(0.05, abs=0.02) and strong > 0.98
    models = one_model(["pss10"], ["age"], test={"a_family": ["age"]}, random=[])
    one = checks(tmp_path / "1", *study(sessions=("ses-pre",)), models, effects=[0.5], draws=4000)
    assert one["icc"].isna().all() and set(one["method"]) == {"ols_t", "wald_z"}
    own = one[one["method"] == "ols_t"].set_index("effect")["rejection"]
    shift, edge = 0.5 * np.sqrt(22), stats.t.ppf(0.975, 21)
    assert own[0.0] == pytest.approx(0.05, abs=0.014)
    assert own[0.5] == pytest.approx(stats.nct.sf(edge, 21, shift), abs=0.03)


def test_the_detectable_effect_by_hand():
    """The fourth of five distances from estimate to significance, in units of the effect."""
    estimate, reach = np.array([0.0, 0.5, -0.5, 1.0, -1.0]), np.array([1.0, 1.0, 1.0, 1.5, 1.5])
    hits, needed = shifted(estimate, reach, np.array([0.0, 0.6]), size=2.0)
    assert list(hits.mean(axis=1)) == [0.0, 0.6]
    assert detectable(needed) == 1.5 / 2


def test_a_term_that_is_a_combination_of_others_has_no_share(tmp_path):
    """Not zero: nothing was tested."""
    measures, people = study()
    people["age_again"] = people["age"]
    fixed = ["session", "age", "age_again"]
    models = one_model(["pss10"], fixed, test={"a_family": ["session", "age_again"]})
    table = checks(tmp_path, measures, people, models)
    again = table[table["term"] == "age_again"]
    assert again[["rejection", "mc_error", "detectable_80"]].isna().all().all()
    assert set(again["note"]) == {"not estimable"}
    assert table[table["term"] == "session"]["rejection"].notna().all()


def test_many_draws_are_simulated_in_portions(tmp_path, monkeypatch):
    """A large study does not hold all draws at once; portions are draws like any other."""
    monkeypatch.setattr("pniflow.models.check_design._NUMBERS", 46 * 150)
    models = one_model(["pss10"], ["session"], test={"a_family": ["session"]})
    table = checks(tmp_path, *study(), models, effects=[0.6], draws=1000)
    own = table[(table["method"] == "kenward_roger") & (table["effect"] == 0.6)]
    shift, edge = 0.6 / np.sqrt(2 * 0.5 / 23), stats.t.ppf(0.975, 22)
    assert own["draws"].item() == 1000
    assert own["rejection"].item() == pytest.approx(stats.nct.sf(edge, 22, shift), abs=0.05)


def test_an_effect_must_be_declared_above_zero(tmp_path):
    """Zero is the type-I error and always there."""
    models = one_model(["pss10"], ["session"], test={"a_family": ["session"]})
    with pytest.raises(InputError, match="effects"):
        checks(tmp_path, *study(), models, effects=[0])
