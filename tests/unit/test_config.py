"""config.yaml and study.yaml: what is wrong is one sentence with its key, what is left out gets a default."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pniflow import config
from pniflow.errors import InputError, listing

STUDY = """
title: Four people
sessions: {ses-pre: {}, ses-post: {}}
redcap: {export: e.csv, dictionary: d.csv, events: {a: ses-pre, b: ses-post}}
covariates:
  age: {field: age}
  group: {field: grp, coding: {"0": "no", "1": "yes"}}
cat12: {folder: cat12, lesion_handling: none}
"""


def refused(folder: Path, text: str) -> str:
    path = folder / "study.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        config.read_study(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ") and said.endswith(".") and "\n" not in said
    return said.removeprefix(f"{path}: ")


@pytest.mark.parametrize("part", ["freesurfer", "images", "lesions"])
def test_the_session_of_a_folder_is_one_of_the_study(tmp_path: Path, part: str) -> None:
    said = refused(tmp_path, f"{STUDY}{part}: {{folder: x, session: ses-prre}}\n")
    assert said.startswith(f"{part}.session is the session 'ses-prre', which is not among the sessions")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "title: Four people",
            "titel: Four people",
            "the file has the unknown key 'titel' (is it 'title'?); known keys are title,",
        ),
        ("title: Four people\n", "", "the file lacks the key 'title'; add it"),
        (
            "title: Four people",
            "title: 4",
            "the key 'title' is '4'; text was expected (it is read as a number: put",
        ),
        ("title: Four people", "title: ''", "the key 'title' is ''; at least 1 characters were expected."),
        (
            "{ses-pre: {}, ses-post: {}}",
            "[ses-pre]",
            "the key 'sessions' is '['ses-pre']'; a mapping (key: value) was",
        ),
        ("{ses-pre: {}, ses-post: {}}", "{}", "the key 'sessions' is '{}'; at least 1 keys were expected."),
        (
            "ses-pre: {}",
            "ses-pre: {day: soon}",
            "the key 'sessions.ses-pre.day' is 'soon'; a number was expected.",
        ),
        (
            "ses-pre: {}",
            "ses-pre: {day: .inf}",
            "the key 'sessions.ses-pre.day' is 'inf'; a finite number was expected.",
        ),
        (
            "b: ses-post",
            "b: ses-late",
            "redcap.events.b is the session 'ses-late', which is not among the sessions",
        ),
        (
            '"0": "no"',
            '0: "no"',
            "the key 'covariates.group.coding.0' is read as a number; put '0' in quotes.",
        ),
        (
            '"0": "no"',
            '"0": no',
            "the key 'covariates.group.coding.0' is 'False'; text was expected (it is read as true",
        ),
        (
            "lesion_handling: none",
            "lesion_handling: some",
            "the key 'cat12.lesion_handling' is 'some'; text such as 'none' or 'filled with LST' or",
        ),
        (
            "lesion_handling: none",
            "lesion_handling: filled",
            "the key 'cat12.lesion_handling' is 'filled'; text such as 'none' or 'filled with LST' or",
        ),
        ("age:", "Age:", "a key in 'covariates' is 'Age'; text such as 'b_cell_depletion' was expected."),
        ("age: {field: age}", "age: {}", "the key 'covariates.age' lacks the key 'field'; add it"),
        (
            "age: {field: age}",
            "age: {field: 2024-01-02}",
            "the key 'covariates.age.field' is '2024-01-02'; text was",
        ),
    ],
)
def test_a_wrong_study_is_one_sentence_with_its_key(old: str, new: str, says: str, tmp_path: Path) -> None:
    assert old in STUDY
    assert refused(tmp_path, STUDY.replace(old, new, 1)).startswith(says)


@pytest.mark.parametrize("text", ["", "[]", "just words", "42"])
def test_a_file_that_is_no_mapping(text: str, tmp_path: Path) -> None:
    said = refused(tmp_path, text)
    assert "a mapping (key: value) was expected" in said or "lacks the key 'title'" in said


def test_an_unknown_key_deep_inside_is_named_with_the_known_ones(tmp_path: Path) -> None:
    said = refused(tmp_path, STUDY.replace("folder: cat12", "folder: cat12, colour: red"))
    assert said.startswith("the key 'cat12' has the unknown key 'colour'; known keys are folder, scans,")


def test_a_long_value_is_cut_in_the_sentence(tmp_path: Path) -> None:
    said = refused(tmp_path, STUDY.replace("lesion_handling: none", f"lesion_handling: {'x' * 500}"))
    assert len(said) < 250 and "…" in said


def test_defaults_are_filled_in_and_the_order_of_sessions_kept(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(STUDY.replace("{ses-pre: {}, ses-post: {}}", "{ses-z: {}, ses-pre: {}, ses-post: {}}"))
    study = config.read_study(path)
    assert list(study["sessions"]) == ["ses-z", "ses-pre", "ses-post"]
    assert study["simulated"] is False
    assert study["redcap"]["id"] == "record_id"
    assert study["instruments"] == {}
    assert "expression" not in study


def test_every_default_of_a_schema_passes_the_schema() -> None:
    empty = config.checked({}, "config", "config.yaml")
    assert config.checked(empty, "config", "config.yaml") == empty
    assert empty["cat12"]["minimum_quality"] == 60
    assert empty["expression"]["ctra"] == {"gene_set": "ctra53", "variant": "mean_z", "parts": False}


def test_the_shipped_configs_are_valid(root: Path) -> None:
    assert config.read_study(root / "config/study.yaml")["title"]
    given = yaml.safe_load((root / "config/config.yaml").read_text())
    assert config.checked(given, "config", "config.yaml")["simulate"]["participants"] == 23


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"questionaires": {}},
            "the file has the unknown key 'questionaires' (is it 'questionnaires'?); known keys are data,",
        ),
        ({"cat12": {"batches": 0}}, "the key 'cat12.batches' is '0'; at least 1 was expected."),
        ({"cat12": {"batches": True}}, "the key 'cat12.batches' is 'True'; a whole number was expected."),
        (
            {"cat12": {"minimum_quality": float("nan")}},
            "the key 'cat12.minimum_quality' is 'nan'; a finite number",
        ),
        (
            {"cat12": {"minimum_quality": 101}},
            "the key 'cat12.minimum_quality' is '101'; at most 100 was expected.",
        ),
        (
            {"expression": {"ctra": {"variant": "mean"}}},
            "the key 'expression.ctra.variant' is 'mean' (is it 'mean_z'?); one of mean_z,",
        ),
        (
            {"questionnaires": {"instruments": ["pss10", "pss10"]}},
            "the key 'questionnaires.instruments' is '['pss10', 'pss10']'; each entry may stand once.",
        ),
        (
            {"questionnaires": {"instruments": ["../x"]}},
            "the key 'questionnaires.instruments.0' is '../x'; text of the",
        ),
    ],
)
def test_a_wrong_config_is_one_sentence_with_its_key(given: dict, says: str) -> None:
    with pytest.raises(InputError) as caught:
        config.checked(given, "config", "config.yaml")
    assert str(caught.value).startswith(f"config.yaml: {says}")


def test_a_list_in_a_sentence_says_how_many_more_there_are() -> None:
    assert listing([1, 2, 3]) == "1, 2, 3"
    assert listing(range(12)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"


def test_sessions_stand_in_order_of_time(tmp_path: Path) -> None:
    text = "title: A\nsessions: {ses-pre: {day: 0}, ses-mid: {}, ses-post: {day: -5}}\n"
    assert refused(tmp_path, text).startswith(
        "sessions stand in order of time, but ses-post (day -5) stands behind"
    )
