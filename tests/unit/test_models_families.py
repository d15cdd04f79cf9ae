"""Families of tests: who enters, what m is, and that nothing else moves an adjusted p."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from models_data import fitted, one_model, study
from pniflow.contracts import read_table
from pniflow.report.interpretation import is_control
from pniflow.text.estimates import estimates_of


def two_families(**first):
    document = one_model(
        ["pss10", "gad7"],
        ["session"],
        name="change",
        families={
            "change": {"role": "primary", "adjust": "bh"},
            "slopes": {"role": "secondary", "adjust": "holm"},
        },
        test={"change": ["session"]},
        **first,
    )
    document["models"].append(
        {
            "name": "ctra_on_{predictor}",
            "for_each": {"predictor": ["pss10", "gad7"]},
            "outcomes": ["ctra"],
            "fixed": ["session", {"split": "predictor"}, "age"],
            "test": {"slopes": ["predictor_within"]},
        }
    )
    return document


def test_only_tested_terms_are_adjusted_within_their_family(tmp_path):
    tables = fitted(tmp_path, *study(), two_families())
    estimates = tables["estimates"]
    tested = estimates[estimates["family"].notna()]
    assert list(tested["family"]) == ["change", "change", "slopes", "slopes"]
    assert set(tested["role"]) == {"primary", "secondary"}
    for family, method in (("change", "fdr_bh"), ("slopes", "holm")):
        here = tested[tested["family"] == family]
        expected = multipletests(here["p_value"], method=method)[1]
        np.testing.assert_allclose(here["p_adjusted"], expected, rtol=1e-12)
    assert estimates.loc[estimates["family"].isna(), ["p_adjusted", "role"]].isna().all(axis=None)
    sizes = tables["diagnostics"].query("table == 'families' and quantity == 'm_planned'")
    assert dict(zip(sizes["family"], sizes["value"], strict=True)) == {"change": 2, "slopes": 2}


def test_outcome_that_cannot_be_estimated_counts_in_m(tmp_path):
    """Anxiety has two pairs, but their stress is not known: planned, not estimable, m stays 2."""
    measures, participants = study(measures=("pss10", "gad7", "ctra", "phq9"))
    early = (measures["measure"] == "gad7") & (measures["participant_id"] > "sub-02")
    measures = measures[~(early & (measures["session_id"] == "ses-post"))]
    gone = (measures["measure"] == "pss10") & measures["participant_id"].isin(["sub-01", "sub-02"])
    measures = measures[~gone]
    document = one_model(
        ["gad7", "ctra"], ["session", {"split": "pss10"}], test={"a_family": ["pss10_within"]}
    )
    tables = fitted(tmp_path, measures, participants, document)
    rows = tables["estimates"].query("term == 'pss10_within'").set_index("outcome")
    assert rows.loc["gad7", "note"] == "not estimable: too few pairs"
    assert rows.loc["gad7", ["estimate", "p_value", "p_adjusted"]].isna().all()
    assert rows.loc["ctra", "p_adjusted"] == pytest.approx(min(1, 2 * rows.loc["ctra", "p_value"]), rel=1e-12)
    sizes = tables["diagnostics"].query("table == 'families'").set_index("quantity")["value"]
    assert (sizes["m_planned"], sizes["m_estimable"]) == (2, 1)


@pytest.mark.parametrize(
    ("family", "control"),
    [
        ("{role: exploratory, adjust: none, expect: null}", True),
        ('{role: exploratory, adjust: none, expect: "null"}', True),
        ("{role: exploratory, adjust: none, expect: }", True),
        ("{role: exploratory, adjust: none, note: expected null}", False),
        ("{role: exploratory, adjust: none, note: not expected null a priori}", False),
        ("{role: exploratory, adjust: none, note: a negative control}", False),
    ],
)
def test_a_family_is_a_negative_control_where_it_expects_null_whatever_its_note_says(
    tmp_path, family, control
):
    text = (
        "version: 1\ndefaults: {session: {reference: ses-pre}}\n"
        f"families:\n  f: {family}\n  g: {{role: primary, adjust: bh}}\n"
        "models:\n  - {name: m, outcomes: [pss10], fixed: [session, age], test: {f: [session], g: [age]}}\n"
    )
    fitted(tmp_path, *study(), text)
    rows = {row.term: row for row in estimates_of(read_table(tmp_path / "estimates.tsv", "estimates"))}
    assert {term: is_control(row) for term, row in rows.items()} == {
        "(intercept)": False, "session": control, "age": False,
    }  # fmt: skip


def test_what_a_note_of_the_plan_says_changes_no_number(tmp_path):
    tables = []
    for place, note in enumerate(
        (None, "F test of 2 coefficients; singular: compare paired; bound 3; adjustment holm; without sub-01")
    ):
        family = {"role": "primary", "adjust": "bh", **({"note": note} if note else {})}
        further = {"sensitivity": ["leave_one_out"], "equivalence": {"bound": 1, "unit": "outcome"}}
        document = one_model(
            ["pss10"], ["session"], test={"f": ["session"]}, families={"f": family}, **further
        )
        tables.append(fitted(tmp_path / str(place), *study(), document))
    for name, plain in tables[0].items():
        noted = tables[1][name]
        pd.testing.assert_frame_equal(plain.drop(columns="note"), noted.drop(columns="note"))
    said = tables[1]["estimates"].set_index("term")
    assert said.loc["session", "note"].endswith("without sub-01")
    assert said["df_numerator"].isna().all()


@pytest.mark.parametrize("name", ["sub-{:02}", "{:03}", "P-{}", "p{:03}"])
def test_results_name_people_by_their_row_and_never_by_their_id(tmp_path, name):
    """The row is that of the participants' table, whatever its order."""
    measures, participants = study(people=12)
    ids = {one: name.format(place + 1) for place, one in enumerate(participants["participant_id"])}
    measures["participant_id"] = measures["participant_id"].map(ids)
    participants["participant_id"] = participants["participant_id"].map(ids)
    document = one_model(
        ["ctra"], ["session"], test={"a_family": ["session"]}, sensitivity=["leave_one_out", "completers"]
    )
    tables = fitted(tmp_path / "plain", measures, participants, document)
    turned = fitted(tmp_path / "turned", measures, participants.iloc[::-1], document)
    for key in ("sensitivity", "diagnostics"):
        numbers = tables[key]["participant_number"]
        assert numbers.notna().sum() >= 2
        assert (turned[key]["participant_number"].dropna() == 13 - numbers.dropna()).all()
    for table in tables.values():
        cells = table.select_dtypes(exclude="number").fillna("").astype(str).to_numpy().ravel()
        held = [(cell, one) for cell in cells for one in ids.values() if re.search(rf"\b{one}\b", cell)]
        assert held == []


def test_sensitivity_and_covariates_change_no_m_and_no_adjusted_p(tmp_path):
    measures, participants = study(seed=8)
    words = ["completers", "leave_one_out", "without_b_cell_depleted"]
    plain = fitted(tmp_path / "plain", measures, participants, two_families())
    varied = fitted(tmp_path / "varied", measures, participants, two_families(sensitivity=words))
    pd.testing.assert_frame_equal(plain["estimates"], varied["estimates"])
    assert len(plain["sensitivity"]) == 0 and len(varied["sensitivity"]) > 0
    assert varied["sensitivity"]["p_adjusted"].isna().all()
    with_covariate = two_families()
    with_covariate["models"][1]["fixed"].append("bmi")
    more = fitted(tmp_path / "more", measures, participants, with_covariate)
    for name in ("plain", "more"):
        sizes = {"plain": plain, "more": more}[name]["diagnostics"].query("table == 'families'")
        assert list(sizes["value"]) == [2, 2, 2, 2]
    change = plain["estimates"].query("model == 'change'")
    pd.testing.assert_frame_equal(change, more["estimates"].query("model == 'change'"))


def test_estimates_do_not_depend_on_the_other_outcomes_or_on_the_order_of_rows(tmp_path):
    measures, participants = study(
        measures=("pss10", "gad7", "phq9", "ctra"), drop={"gad7": [(3, "ses-post")]}
    )
    models = one_model(["pss10", "gad7", "phq9"], ["session", {"split": "ctra"}, "bmi"])
    together = fitted(tmp_path / "together", measures, participants, models)["estimates"]
    for outcome in ("pss10", "gad7", "phq9"):
        alone = one_model([outcome], ["session", {"split": "ctra"}, "bmi"])
        found = fitted(tmp_path / outcome, measures, participants, alone)["estimates"]
        expected = together[together["outcome"] == outcome].reset_index(drop=True)
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
    shuffled = measures.sample(frac=1, random_state=4)
    people = participants.sample(frac=1, random_state=5)
    again = fitted(tmp_path / "shuffled", shuffled, people, models)["estimates"]
    pd.testing.assert_frame_equal(again, together, check_exact=True)


def test_the_same_bytes_on_a_rerun(tmp_path):
    measures, participants = study()
    document = two_families(sensitivity=["completers", "leave_one_out", "sign_flip", "cr2"])
    for name in ("one", "two"):
        fitted(tmp_path / name, measures, participants, document)
    for table in ("estimates", "sensitivity", "diagnostics"):
        first, second = ((tmp_path / name / f"{table}.tsv").read_bytes() for name in ("one", "two"))
        assert first == second


def test_least_squares_does_not_depend_on_the_other_outcomes(tmp_path):
    measures, participants = study(sessions=("ses-pre",), measures=("pss10", "gad7", "phq9", "ctra"))
    options = {"random": [], "test": {"a_family": ["ctra"]}}
    together = fitted(
        tmp_path / "together",
        measures,
        participants,
        one_model(["pss10", "gad7", "phq9"], ["ctra"], **options),
    )["estimates"]
    alone = fitted(tmp_path / "alone", measures, participants, one_model(["gad7"], ["ctra"], **options))
    columns = [name for name in together.columns if name != "p_adjusted"]
    expected = together[together["outcome"] == "gad7"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone["estimates"][columns], expected[columns], check_exact=True)
