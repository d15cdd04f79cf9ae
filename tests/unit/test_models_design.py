"""From structured terms to columns: coding, centring, scaling, products, powers, splitting, imaging rules."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from models_data import fitted, one_model, row, study, wide
from pniflow.models.design import build, variables_of
from pniflow.models.specification import Model, read_models
from pniflow.models.study_data import read_cohort
from pniflow.models.terms import Interaction, MainEffect, Split


def columns(terms, measures, participants, days=None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the design of some terms as a table, and the place of each row."""
    cohort = read_cohort(measures, participants, "ses-pre", days)
    model = Model("a_model", ("ctra",), tuple(terms))
    rows = np.flatnonzero(~np.isnan(cohort.measures["ctra"]))
    design = build(model, variables_of(model, cohort), cohort, rows)
    place = pd.DataFrame(
        {
            "participant_id": np.array(cohort.participants)[cohort.person[rows]],
            "session_id": np.array(cohort.sessions)[cohort.session[rows]],
        }
    )
    return pd.DataFrame(design.X, columns=list(design.columns)), place


def test_session_is_later_minus_reference():
    measures, participants = study(people=5)
    design, place = columns([MainEffect("session")], measures, participants)
    assert list(design.columns) == ["(intercept)", "session"]
    assert (design["session"] == (place["session_id"] == "ses-post")).all()


def test_numeric_covariates_are_centred_on_participants_not_rows():
    measures, participants = study(people=5, drop={"ctra": [(0, "ses-post"), (1, "ses-post")]})
    design, place = columns([MainEffect("age")], measures, participants)
    age = participants.set_index("participant_id")["age"]
    expected = place["participant_id"].map(age) - age.mean()
    np.testing.assert_allclose(design["age"], expected, rtol=1e-12)


def test_own_centre_and_scale():
    measures, participants = study(people=6)
    terms = [MainEffect("age", centre=45.0, scale=10.0), MainEffect("bmi", scale="sd")]
    design, place = columns(terms, measures, participants)
    people = participants.set_index("participant_id")
    np.testing.assert_allclose(design["age"], (place["participant_id"].map(people["age"]) - 45) / 10)
    standard = (people["bmi"] - people["bmi"].mean()) / people["bmi"].std(ddof=1)
    np.testing.assert_allclose(design["bmi"], place["participant_id"].map(standard), rtol=1e-12)


def test_two_levels_are_yes_minus_no_and_a_reference_can_be_named():
    measures, participants = study(people=6)
    depleted = participants.set_index("participant_id")["b_cell_depletion"]
    plain, place = columns([MainEffect("b_cell_depletion")], measures, participants)
    assert (plain["b_cell_depletion"] == (place["participant_id"].map(depleted) == "yes")).all()
    turned, _ = columns([MainEffect("b_cell_depletion", reference="yes")], measures, participants)
    assert (turned["b_cell_depletion"] == 1 - plain["b_cell_depletion"]).all()


def test_more_levels_have_a_column_each_but_the_reference():
    measures, participants = study(people=6)
    participants["site"] = ["b", "a", "c", "a", "b", "c"]
    design, place = columns([MainEffect("site")], measures, participants)
    assert list(design.columns) == ["(intercept)", "site[b]", "site[c]"]
    site = place["participant_id"].map(participants.set_index("participant_id")["site"])
    assert (design["site[c]"] == (site == "c")).all()


def test_split_by_hand():
    """Session means off over the rows, then the person's mean and the rest; 0 within for a single session."""
    measures = pd.DataFrame(
        [
            *[("a", "ses-pre", "pss10", 20.0), ("a", "ses-post", "pss10", 14.0)],
            *[("b", "ses-pre", "pss10", 26.0), ("b", "ses-post", "pss10", 16.0)],
            *[("c", "ses-pre", "pss10", 11.0)],
            *[("d", "ses-pre", "pss10", 90.0)],
            *[(who, "ses-pre", "ctra", 1.0 + i) for i, who in enumerate("abc")],
            *[(who, "ses-post", "ctra", 2.0 + i * i) for i, who in enumerate("ab")],
        ],
        columns=["participant_id", "session_id", "measure", "value"],
    ).assign(unit="", domain="questionnaire")
    participants = pd.DataFrame({"participant_id": list("abcd")})
    design, place = columns([Split("pss10")], measures, participants)
    # d has no CTRA and does not count: session means 19 and 15
    table = design.set_index([place["participant_id"], place["session_id"]])
    between = {"a": (1 + -1) / 2, "b": (7 + 1) / 2, "c": -8.0}
    within = {"a": (1.0, -1.0), "b": (3.0, -3.0)}
    for who, mean in between.items():
        assert (table.loc[who, "pss10_between"] == mean).all()
    for who, (pre, post) in within.items():
        assert table.loc[(who, "ses-pre"), "pss10_within"] == pre
        assert table.loc[(who, "ses-post"), "pss10_within"] == post
    assert table.loc[("c", "ses-pre"), "pss10_within"] == 0


def test_interaction_is_the_product_of_the_columns():
    measures, participants = study(people=6)
    participants["site"] = ["b", "a", "c", "a", "b", "c"]
    terms = [
        MainEffect("session"),
        MainEffect("site"),
        Interaction(("session", "site")),
    ]
    design, _ = columns(terms, measures, participants)
    assert list(design.columns[-2:]) == ["session:site[b]", "session:site[c]"]
    assert (design["session:site[c]"] == design["session"] * design["site[c]"]).all()


def test_change_that_differs_between_groups(tmp_path):
    """The session x group interaction of complete pairs is the difference of the groups' mean changes."""
    measures, participants = study(seed=3)
    document = one_model(
        ["pss10"],
        ["session", "b_cell_depletion", {"interaction": ["session", "b_cell_depletion"]}],
        test={"a_family": ["session:b_cell_depletion"]},
    )
    estimates = fitted(tmp_path, measures, participants, document)["estimates"]
    pairs = wide(measures, "pss10")
    change = pairs["ses-post"] - pairs["ses-pre"]
    treated = (participants.set_index("participant_id")["b_cell_depletion"] == "yes").astype(float)
    ols = sm.OLS(change, sm.add_constant(treated)).fit()
    found = row(estimates, term="session:b_cell_depletion")
    assert found["estimate"] == pytest.approx(ols.params["b_cell_depletion"], rel=1e-8)
    assert found["p_value"] == pytest.approx(ols.pvalues["b_cell_depletion"], rel=1e-8)
    assert found["p_adjusted"] == found["p_value"]


def test_polynomial_time(tmp_path):
    sessions = ("ses-pre", "ses-post", "ses-fu", "ses-late")
    measures, participants = study(people=12, sessions=sessions)
    document = one_model(["pss10"], [{"polynomial": "time", "degree": 2}], test={"a_family": ["time"]})
    document["defaults"]["session"]["days"] = {
        "ses-pre": 0,
        "ses-post": 56,
        "ses-fu": 112,
        "ses-late": 224,
    }
    estimates = fitted(tmp_path, measures, participants, document)["estimates"]
    assert list(estimates["term"]) == ["(intercept)", "time", "time[1]", "time[2]"]
    # balanced: the coefficients are those of least squares on the session means
    days = np.array([0, 56, 112, 224.0])
    curve = np.polyfit(days - days.mean(), wide(measures, "pss10", sessions).mean(), 2)
    assert row(estimates, term="time[2]")["estimate"] == pytest.approx(curve[0], rel=1e-8)
    assert row(estimates, term="time[1]")["estimate"] == pytest.approx(curve[1], rel=1e-8)


def test_noise_in_one_sessions_tiv_moves_no_thickness_estimate(tmp_path, root):
    """Of the shipped models those of thickness have no TIV; those of volume have the person's mean."""
    plan = read_models(root / "config" / "models.yaml")
    for model in plan.models:
        metrics = {name.rsplit(".", 1)[-1] for name in model.outcomes if "." in name}
        tiv = "tiv_person_mean" in model.variables
        assert "tiv" not in model.variables
        assert tiv == (model.name == "limbic_volume_on_ctra"), model.name
        assert not tiv or metrics == {"gm_volume"}
    thickness = [f"aparc_a2009s.anterior_insula.{side}.thickness" for side in ("left", "right")]
    measures, participants = study(measures=("tiv", "ctra", *thickness))
    noisy = measures.copy()
    here = (noisy["measure"] == "tiv") & (noisy["session_id"] == "ses-post")
    noisy.loc[here, "value"] += np.random.default_rng(1).normal(0, 50, here.sum())
    shipped = root / "config" / "models.yaml"
    quiet, loud = (
        fitted(tmp_path / name, table, participants, shipped)["estimates"]
        for name, table in (("quiet", measures), ("loud", noisy))
    )
    same = quiet["outcome"] != "tiv"
    assert same.sum() > 20
    pd.testing.assert_frame_equal(quiet[same], loud[same], check_exact=True)


def test_shipped_models_expand(root):
    """From the file as written: 16 split, 6 pooled CTRA models, names and tests filled in."""
    plan = read_models(root / "config" / "models.yaml")
    names = [model.name for model in plan.models]
    assert len(names) == len(set(names)) == 36
    split = [
        model for model in plan.models if model.name.startswith("ctra_on_") and "pooled" not in model.name
    ]
    assert len(split) == 16
    stress = next(model for model in plan.models if model.name == "ctra_on_pss10")
    assert stress.test == {"pss10_within": "ctra_within", "pss10_between": "ctra_between"}
    assert dict(stress.contrasts) == {"between_minus_within": None}
    limbic = next(model for model in plan.models if model.name == "change_mri_volume")
    assert limbic.outcomes[0] == "neuromorphometrics.hippocampus.left.gm_volume"
    assert len(limbic.outcomes) == 11 and limbic.outcomes[-1] == "gm"


def test_rank_deficient_design_names_the_column(tmp_path):
    measures, participants = study()
    participants["age_in_months"] = participants["age"] * 12
    document = one_model(
        ["pss10"], ["session", "age", "age_in_months"], test={"a_family": ["session", "age_in_months"]}
    )
    estimates = fitted(tmp_path, measures, participants, document)["estimates"]
    lost = row(estimates, term="age_in_months")
    assert np.isnan(lost["estimate"]) and "not estimable" in lost["note"]
    assert "age_in_months is a combination of age" in row(estimates, term="session")["note"]
    assert row(estimates, term="session")["p_adjusted"] == pytest.approx(
        min(1, 2 * row(estimates, term="session")["p_value"])
    )


def test_constant_outcome_gives_no_silly_number(tmp_path):
    measures, participants = study()
    measures.loc[measures["measure"] == "gad7", "value"] = 3.0
    estimates = fitted(tmp_path, measures, participants, one_model(["gad7", "pss10"], ["session"]))[
        "estimates"
    ]
    flat = estimates[estimates["outcome"] == "gad7"]
    assert flat["note"].str.contains("constant outcome").all()
    assert flat[["std_error", "p_value", "effect_size"]].isna().all(axis=None)
    assert row(estimates, outcome="pss10", term="session")["p_value"] > 0


def test_for_each_reaches_a_tested_interaction(tmp_path):
    document = one_model(
        ["ctra"],
        ["session", {"split": "x"}, "age", {"interaction": ["x_within", "age"]}],
        name="ctra_on_{x}",
        for_each={"x": ["pss10"]},
        test={"a_family": ["x_within:age"]},
    )
    estimates = fitted(tmp_path, *study(), document)["estimates"]
    assert list(estimates.query("family == 'a_family'")["term"]) == ["pss10_within:age"]
