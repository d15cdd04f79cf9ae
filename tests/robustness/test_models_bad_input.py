"""Bad models, measures and covariates end in one sentence that names file and place, and write nothing."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from models_data import fitted, one_model, study, written
from pniflow.errors import InputError


def sentence(tmp_path, models, measures=None, participants=None) -> str:
    """Fit, expect one sentence, and nothing written."""
    data = study()
    with pytest.raises(InputError) as caught:
        fitted(
            tmp_path,
            data[0] if measures is None else measures,
            data[1] if participants is None else participants,
            models,
        )
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text
    assert not list(tmp_path.glob("*.tsv")) or {path.name for path in tmp_path.glob("*.tsv")} == {
        "participants.tsv"
    }
    return text


def reason(tmp_path, fixed, measures, participants) -> str:
    """Fit one model; expect its rows without numbers, each with the same reason, which is returned."""
    tables = fitted(tmp_path, measures, participants, broken(fixed=fixed))
    rows = tables["estimates"]
    assert set(rows["model"]) == {"a_model"} and "session" in set(rows["term"])
    numbers = ["estimate", "std_error", "df", "statistic", "p_value", "p_adjusted", "conf_low", "effect_size"]
    assert rows[numbers].isna().all(axis=None)
    (text,) = set(rows["note"])
    assert text.startswith("not estimable: ")
    sizes = tables["diagnostics"].query("table == 'families'").set_index("quantity")["value"]
    assert (sizes["m_planned"], sizes["m_estimable"]) == (1, 0)
    return str(text)


def broken(**changes):
    document = one_model(["pss10"], ["session"], test={"a_family": ["session"]})
    document["models"][0].update(changes)
    return document


PAIRS = (["session", "age"], ["age", "session"])


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (broken(outcomes=["pss11"]), ["a_model", "'pss11'", "not a measure", "pss10"]),
        (broken(outcomes=["pss10_totl"]), ["'pss10_totl'", "not a measure"]),
        (
            broken(fixed=["session", "agee"]),
            ["a_model", "'agee'", "neither a measure nor a covariate", "age"],
        ),
        (broken(fixed=["session", {"split": "stress"}], test={}), ["'stress'", "neither a measure"]),
        (broken(fixed=["session + age"]), ["a_model", "'session + age'", "formula strings are not read"]),
        (broken(fixed=["session", {"split": "pss10 * age"}]), ["'pss10 * age'", "formula"]),
        (broken(outcomes=["pss10 ~ session"]), ["'pss10 ~ session'", "formula"]),
        (broken(fixed="session"), ["a_model.fixed' is 'session'", "[session]"]),
        (broken(formula="pss10 ~ session"), ["a_model", "formula", "list its terms under `fixed`"]),
        (broken(outcomes=["__import__('os').system('true')"]), ["not a name"]),
        (broken(fixed=["session", {"splt": "pss10"}]), ["splt", "split"]),
        (
            broken(fixed=["session", {"variable": "b_cell_depletion", "reference": "maybe"}]),
            ["'maybe'", "no, yes"],
        ),
        (broken(fixed=["session", "session"]), ["'session' twice"]),
        (broken(fixed=["age"], test={"a_family": ["age"]}), ["no session term", "without_session"]),
        (broken(fixed=["session", {"interaction": ["session", "age"]}]), ["interaction", "'age'"]),
        (broken(test={"a_family": ["pss10_within"]}), ["`test`", "'pss10_within'", "session"]),
        (broken(test={"other": ["session"]}), ["family 'other'", "families"]),
        (broken(sensitivity=["completer"]), ["completer", "completers"]),
        (broken(contrasts=[{"name": "between_minus_within", "family": "none"}]), ["one split term"]),
        (broken(name="a_model_{word}"), ["{word}", "for_each"]),
        (broken(random=[{"intercept": "site"}]), ["site", "participant"]),
        (broken(random=[]), ["no intercept per participant", "23 participants have several sessions"]),
        (broken(outcomes=[]), ["outcomes"]),
        (
            broken(fixed=["session", {"split": "b_cell_depletion"}]),
            ["'b_cell_depletion'", "levels no, yes", "number"],
        ),
        (broken(fixed=["session", {"variable": "age", "reference": "40"}]), ["'age'", "'40'", "numeric"]),
        (broken(fixed=[{"polynomial": "time", "degree": 2}], test={}), ["`time`", "days", "ses-"]),
        (broken(fixed=["session", {"polynomial": "age"}]), ["polynomial of 'age'", "degree: 2"]),
        (
            broken(fixed=["session", "age", *({"interaction": x} for x in PAIRS)], test={}),
            ["'session:age' twice"],
        ),
        (broken(fixed=["session", "tiv"]), ["each session's TIV", "`tiv_person_mean`"]),
        (broken(fixed=["session", {"split": "tiv"}]), ["each session's TIV", "`tiv_person_mean`"]),
        (
            broken(fixed=[{"variable": "session", "reference": "ses-post"}]),
            ["reference of its own", "defaults.session.reference"],
        ),
        (broken(outcomes=["pss10_person_mean"]), ["'pss10_person_mean'", "not a measure"]),
        (broken(subgroups=["session"]), ["subgroup 'session'", "categorical"]),
        (broken(subgroups=["sex"]), ["subgroup 'sex'", "categorical"]),
        (broken(subgroups=["age"]), ["subgroup 'age'", "categorical"]),
        (
            broken(outcomes=[{"group": "hippocampus", "atlas": "neuromorphometrics"}]),
            ["lacks the key 'metric'"],
        ),
        (broken(outcomes=[{"grp": "hippocampus"}]), ["grp"]),
        (broken(fixed=["session", {"variable": "age", "centre": "median"}]), ["centre", "'median'"]),
        (broken(fixed=["session", {"split": "gad7", "scale": "sd"}]), ["scale", "one of split"]),
        (
            {**broken(), "families": {"a_family": {"role": "primary"}}},
            ["'families.a_family' lacks the key 'adjust'", "one of bh, holm, none"],
        ),
        ({"version": 2, "families": {"f": {"role": "primary", "adjust": "bh"}}, "models": []}, ["models"]),
        *(
            (
                broken() | {"families": {"a_family": {"role": "primary", "adjust": "bh", "expect": value}}},
                ["'families.a_family.expect'", f"'{value}'", "null was expected"],
            )
            for value in ("none", "positive", 0, False)
        ),
        ("- a\n- b\n", ["a mapping"]),
        ("version: 1\nversion: 1\n", ["line 2", "second time"]),
        ("a: [1\n", ["YAML"]),
    ],
)
def test_bad_models_file(tmp_path, document, words):
    text = sentence(tmp_path, document)
    assert text.startswith(str(tmp_path / "models.yaml"))
    for word in words:
        assert word in text, text


def test_model_name_given_twice(tmp_path):
    document = broken()
    document["models"].append(dict(document["models"][0]))
    assert "'a_model' is given twice" in sentence(tmp_path, document)


def test_names_that_for_each_makes_equal(tmp_path):
    document = broken(for_each={"word": ["pss10", "gad7"]})
    assert "'a_model' is given twice" in sentence(tmp_path, document)


def test_unknown_reference_session(tmp_path):
    document = broken()
    document["defaults"]["session"]["reference"] = "ses-baseline"
    text = sentence(tmp_path, document)
    assert "'ses-baseline'" in text and "ses-post" in text


def test_no_reference_session(tmp_path):
    """By name ses-post comes before ses-pre: a change must not turn its sign unasked."""
    document = broken()
    del document["defaults"]
    text = sentence(tmp_path, document)
    assert "does not say" in text and "ses-post, ses-pre" in text and "defaults.session.reference" in text


def test_reference_numbers_of_an_unknown_measure(tmp_path):
    document = broken()
    document["references"] = {"pss1": {"retest_r": 0.8, "sd": 6, "source": "a source"}}
    text = sentence(tmp_path, document)
    assert "`references`" in text and "'pss1'" in text and "pss10" in text


def test_unknown_metric_of_a_known_region(tmp_path):
    left = "aparc_a2009s.anterior_insula.left"
    measures, participants = study(measures=(f"{left}.thickness",))
    place = {"group": "anterior_insula", "atlas": "aparc_a2009s", "metric": "thick", "hemisphere": "left"}
    text = sentence(tmp_path, broken(outcomes=[place]), measures, participants)
    assert f"'{left}.thick'" in text and f"{left}.thickness" in text


def test_constant_term(tmp_path):
    measures, participants = study()
    participants["site"] = "one"
    text = reason(tmp_path, ["session", "site"], measures, participants)
    assert "'site' is constant over the complete rows (46)" in text


def test_split_predictor_that_does_not_vary_within_people(tmp_path):
    measures, participants = study()
    fixed = measures["measure"] == "gad7"
    measures.loc[fixed, "value"] = measures[fixed].groupby("participant_id")["value"].transform("first")
    text = reason(tmp_path, ["session", {"split": "gad7"}], measures, participants)
    assert "'gad7_within' is constant" in text and "within participants" in text


def test_covariate_split_where_a_visit_is_missing(tmp_path):
    """Means of the sessions differ then, though nothing varies within a participant."""
    measures, participants = study(drop={"pss10": [(0, "ses-post"), (3, "ses-pre")]})
    text = reason(tmp_path, ["session", {"split": "age"}], measures, participants)
    assert "'age_within' is constant" in text and "within participants" in text


def test_more_terms_than_people(tmp_path):
    measures, participants = study(people=4, measures=("pss10", "gad7", "phq9", "ctra"))
    fixed = ["session", {"split": "gad7"}, {"split": "phq9"}]
    text = reason(tmp_path, fixed, measures, participants)
    assert "6 terms with 6 coefficients, and 4 participants with 8 complete rows" in text


def test_outcome_without_pairs(tmp_path):
    measures, participants = study()
    measures = measures[(measures["measure"] != "pss10") | (measures["session_id"] == "ses-pre")]
    assert "no participant with two sessions" in reason(tmp_path, ["session"], measures, participants)


def test_a_scale_of_one_participant_and_a_product_that_does_not_vary(tmp_path):
    measures, participants = study(people=1, sessions=("ses-pre", "ses-post", "ses-fu"))
    scaled = ["session", {"variable": "gad7", "scale": "sd"}]
    assert "'gad7' have no SD" in reason(tmp_path / "a", scaled, measures, participants)
    measures, participants = study()
    participants["site"] = np.where(participants["b_cell_depletion"] == "yes", "a", "b")
    product = ["session", "b_cell_depletion", "site", {"interaction": ["b_cell_depletion", "site"]}]
    assert "is constant" in reason(tmp_path / "b", product, measures, participants)


def test_what_one_model_lacks_costs_no_other(tmp_path):
    measures, participants = study()
    participants["site"] = "one"
    document = broken()
    document["models"].append({**document["models"][0], "name": "by_site", "fixed": ["session", "site"]})
    alone = fitted(tmp_path / "alone", measures, participants, broken())["estimates"]
    both = fitted(tmp_path / "both", measures, participants, document)
    unchanged = both["estimates"].query("model == 'a_model'").drop(columns="p_adjusted")
    pd.testing.assert_frame_equal(unchanged, alone.drop(columns="p_adjusted"), check_dtype=False)
    sizes = both["diagnostics"].query("table == 'families'").set_index("quantity")["value"]
    assert (sizes["m_planned"], sizes["m_estimable"]) == (2, 1)


def test_a_reference_level_that_nobody_of_the_sample_has(tmp_path):
    """The session is estimated all the same; the levels are compared with nobody."""
    measures, participants = study()
    participants["site"] = np.resize(["s0", "s1", "s2"], len(participants))
    seen = participants.loc[participants["site"] != "s2", "participant_id"]
    measures = measures[measures["participant_id"].isin(seen)]
    document = broken(fixed=["session", {"variable": "site", "reference": "s2"}])
    rows = fitted(tmp_path, measures, participants, document)["estimates"].set_index("term")
    lost = rows.loc[["site", "site[s0]", "site[s1]"]]
    assert lost["note"].str.contains("the reference level 's2' of site has no rows here").all()
    assert np.isfinite(rows.loc["session", "p_value"]) and "'s2'" not in str(rows.loc["session", "note"])


def test_empty_measures(tmp_path):
    measures, participants = study()
    assert "no rows" in sentence(tmp_path, broken(), measures.iloc[:0], participants)


def test_participant_without_covariates_row(tmp_path):
    measures, participants = study()
    text = sentence(tmp_path, broken(), measures, participants.iloc[1:])
    assert "sub-01" in text and "participants table" in text


def test_infinite_value(tmp_path):
    measures, participants = study()
    measures.loc[0, "value"] = np.inf
    text = sentence(tmp_path, broken(), measures, participants)
    assert "measures.parquet: row 2, column 'value' is 'inf'" in text


def test_absent_branch_is_left_out_and_listed(tmp_path):
    """No questionnaire at all is a study without that branch; a wrong name is an error."""
    measures, participants = study(measures=("ctra", "log_hair_cortisol"))
    document = broken(outcomes=["ctra"])
    document["models"] += [
        {
            "name": "change_pss10",
            "outcomes": ["pss10"],
            "fixed": ["session"],
            "test": {"a_family": ["session"]},
        },
        {"name": "ctra_on_pss10", "outcomes": ["ctra"], "fixed": ["session", {"split": "pss10"}]},
        {
            "name": "insula",
            "outcomes": [
                {
                    "group": "anterior_insula",
                    "atlas": "aparc_a2009s",
                    "metric": "thickness",
                    "hemisphere": "left",
                }
            ],
            "fixed": ["session"],
        },
    ]
    tables = fitted(tmp_path, measures, participants, document)
    assert set(tables["estimates"]["model"]) == {"a_model"}
    left_out = tables["diagnostics"].query("table == 'models_left_out'").set_index("model")["note"]
    assert set(left_out.index) == {"change_pss10", "ctra_on_pss10", "insula"}
    assert "no questionnaire data" in left_out["change_pss10"]
    assert "no imaging data" in left_out["insula"]
    # a branch that is absent is not planned: m is 1
    families = tables["diagnostics"].query("table == 'families'").set_index("quantity")["value"]
    assert families["m_planned"] == 1


def test_instrument_that_the_study_did_not_ask_is_left_out(tmp_path):
    measures, participants = study(measures=("pss10", "gad7"))
    tables = fitted(tmp_path, measures, participants, broken(outcomes=["pss10", "phq9"]))
    assert set(tables["estimates"]["outcome"]) == {"pss10"}
    left_out = tables["diagnostics"].query("table == 'models_left_out'").iloc[0]
    assert (left_out["model"], left_out["outcome"]) == ("a_model", "phq9")


def test_command_prints_one_sentence_and_exits_with_1(tmp_path):
    paths = written(tmp_path, *study(), broken(outcomes=["pss11"]))
    options = [part for name, path in paths.items() for part in (f"--{name}", str(path))]
    out = tmp_path / "estimates.tsv"
    ran = subprocess.run(
        [sys.executable, "-m", "pniflow.cli", "fit-models", *options, "--estimates", str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1 and ran.stdout == ""
    assert ran.stderr.count("\n") == 1 and "Traceback" not in ran.stderr
    assert not out.exists()


def test_missing_values_are_never_zero(tmp_path):
    """A blank value and an absent row are the same thing."""
    measures, participants = study()
    blank = measures.copy()
    blank.loc[[3, 30], "value"] = np.nan
    absent = measures.drop(index=[3, 30])
    tables = [
        fitted(tmp_path / name, table, participants, broken())["estimates"]
        for name, table in (("blank", blank), ("absent", absent))
    ]
    pd.testing.assert_frame_equal(*tables)
