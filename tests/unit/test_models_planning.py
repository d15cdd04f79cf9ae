"""What a study's models need is checked against study.yaml and config.yaml, before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pniflow.errors import InputError
from pniflow.plan import Plan, read_plan

TWO = {"ses-pre": {"day": 0}, "ses-post": {"day": 56}}
STUDY: dict[str, Any] = {
    "title": "A course",
    "sessions": TWO,
    "tables": [{"file": "visits.csv"}],
    "covariates": {
        "age": {"field": "age"},
        "site": {"field": "site", "coding": {"1": "north", "2": "south"}},
    },
    "instruments": {"pss10": {"fields": "q{item}"}, "gad7": {"fields": "g{item}"}},
    "exposures": {
        "infection": {"field": "infection", "coding": {"0": "no", "1": "yes"}},
        "steroid": {"field": "dose", "coding": {"a": "none", "b": "high"}, "flag": {"levels": ["high"]}},
    },
    "assays": {
        "crp": {
            "file": "crp.csv",
            "columns": {"participant": "id", "session": "visit", "value": "crp"},
            "unit": "mg/l",
        }
    },
}
CHANGE: dict[str, Any] = {
    "name": "change",
    "outcomes": ["pss10"],
    "fixed": ["session"],
    "test": {"change": ["session"]},
}


def planned(folder: Path, study: dict[str, Any] | None = None, **models: Any) -> Plan:
    """Plan a study with one model; `defaults` and the keys of the model may be others."""
    document = {
        "version": 1,
        "defaults": models.pop("defaults", {"session": {"reference": "ses-pre"}}),
        "families": {"change": {"role": "primary", "adjust": "bh"}},
        "references": models.pop("references", {}),
        "models": [CHANGE | models],
    }
    (folder / "config.yaml").write_text("questionnaires: {instruments: [pss10]}\n")
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY | (study or {}), sort_keys=False))
    (folder / "models.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    return read_plan([folder / "config.yaml"], {})


def refused(folder: Path, study: dict[str, Any] | None = None, **models: Any) -> str:
    with pytest.raises(InputError) as caught:
        planned(folder, study, **models)
    sentence = str(caught.value)
    assert "models.yaml" in sentence and sentence.endswith(".") and "\n" not in sentence
    return sentence


def shipped(folder: Path, study: dict[str, Any]) -> str:
    """Return what is said of a study that has no models.yaml of its own."""
    (folder / "config.yaml").write_text("questionnaires: {instruments: [pss10]}\n")
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY | study, sort_keys=False))
    with pytest.raises(InputError) as caught:
        read_plan([folder / "config.yaml"], {})
    return str(caught.value)


def test_the_reference_is_a_session_of_the_study(tmp_path: Path) -> None:
    said = refused(tmp_path, {"sessions": {"ses-1": {}, "ses-2": {}}})
    assert "defaults.session.reference is 'ses-pre'" in said
    assert "(ses-1, ses-2)" in said and "correct it there" in said
    assert "no reference" in refused(tmp_path, defaults={})
    assert planned(tmp_path, {"sessions": {"ses-pre": {}, "ses-2": {}}})


def test_without_models_of_its_own_a_study_is_told_to_write_them(tmp_path: Path) -> None:
    said = shipped(tmp_path, {"sessions": {"ses-1": {}, "ses-2": {}}})
    assert "config/models.yaml" in said and "'ses-pre'" in said
    assert "write a models.yaml of your own beside config.yaml" in said and "new-study" in said
    assert "write a models.yaml of your own" in shipped(tmp_path, {"sessions": {"ses-pre": {}}})


def test_one_session_has_no_change_and_no_intercept_per_person(tmp_path: Path) -> None:
    one = {"sessions": {"ses-1": {}}}
    assert "an intercept for each participant" in refused(tmp_path, one)
    assert "the term 'session', but study.yaml has one session" in refused(tmp_path, one, random=[])
    split = {"fixed": [{"split": "log_crp"}], "test": {"change": ["log_crp_between"]}, "random": []}
    assert "the term 'log_crp', but" in refused(tmp_path, one, **split)
    level = {"fixed": ["age"], "test": {"change": ["age"]}, "random": []}
    assert planned(tmp_path, one, defaults={}, **level)
    assert planned(tmp_path, one, outcomes=["gad7"])  # it is not scored, so the model is left out


def test_time_needs_the_day_of_each_session(tmp_path: Path) -> None:
    time = {"fixed": ["time"], "test": {"change": ["time"]}}
    days = {"session": {"reference": "ses-pre", "days": {"ses-pre": 0}}}
    assert "defaults.session.days lacks 'ses-post'" in refused(tmp_path, defaults=days, **time)
    days["session"]["days"] = {"ses-pre": 0, "ses-post": 56}
    assert planned(tmp_path, defaults=days, **time)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (
            {"fixed": ["session", "agee"]},
            "has the term 'agee', which is no covariate of study.yaml; there is age",
        ),
        ({"fixed": ["session", "age_person_mean"]}, "has the term 'age_person_mean', which is no covariate"),
        (
            {"fixed": ["session", "crp"]},
            "has the term 'crp', which is no covariate of study.yaml; there is log_crp",
        ),
        ({"fixed": ["session", "log_cpr"]}, "has the term 'log_cpr', which is no covariate"),
        ({"fixed": ["session", "steroid"]}, "has the term 'steroid', which is no covariate"),
        ({"outcomes": ["pss10", "pss"]}, "names 'pss', which is not a measure of this study; there is pss10"),
        ({"fixed": ["session", {"split": "age"}]}, "splits 'age', which a participant has once"),
        (
            {"fixed": ["session", {"variable": "site", "reference": "east"}]},
            "the reference 'east', which is not among the levels of its coding in study.yaml (north, south)",
        ),
        ({"fixed": ["session", {"variable": "age", "reference": "40"}]}, "it has no coding in study.yaml"),
        ({"subgroups": ["age"]}, "has the subgroup 'age', which is no covariate with a coding"),
        ({"references": {"pss": {"sd": 1, "retest_r": 0.8, "source": "a book"}}}, "`references` names 'pss'"),
    ],
)
def test_names_and_levels_are_known_before_anything_runs(
    model: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    assert sentence in refused(tmp_path, **model)


@pytest.mark.parametrize(
    "model",
    [
        {"fixed": ["session", "age", "infection", "steroid_flag", "log_crp_person_mean"]},
        {"fixed": ["session", {"variable": "site", "reference": "south"}], "subgroups": ["site"]},
        {"outcomes": ["pss10", "gad7", "log_crp", "ctra", "tiv", "log2_IL6"]},
        {"fixed": ["session", {"split": "ctra"}, "unheard"]},  # no expression: left out with its reason
        {"outcomes": ["tiv"], "fixed": ["session", "unheard"]},
        {"requires": "imaging", "fixed": ["session", "unheard"]},
    ],
)
def test_what_a_branch_that_is_absent_would_need_stops_nothing(model: dict[str, Any], tmp_path: Path) -> None:
    assert planned(tmp_path, **model)


def test_measures_of_freesurfer_are_known(tmp_path: Path) -> None:
    images = {"freesurfer": {"folder": "fs"}}
    assert planned(tmp_path, images, fixed=["session", "freesurfer_etiv_person_mean"])
