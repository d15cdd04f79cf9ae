"""Key files: against their schema, against the facts written out by hand, without any wording."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from instrument_facts import FACTS, numbers
from pniflow.errors import InputError
from pniflow.new_study.questionnaires import Found, guess_instruments
from pniflow.questionnaires.keys import read_key
from pniflow.questionnaires.score_questionnaires import score_questionnaires
from pniflow.resources import searched
from pniflow.study.fields import Field
from pniflow.study.ingest_study import ingest_study

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "resources" / "instruments").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_key_file_is_valid_and_equals_the_facts(path: Path) -> None:
    key = read_key(path.stem)
    if key.document["totals_only"]:
        assert key.items == 1
        return
    count, low, high, turned, scales = FACTS[path.stem]
    assert (key.items, key.low, key.high) == (count, low, high)
    assert [item + 1 for item in range(count) if key.reversed[item]] == sorted(numbers(turned))
    ours = {
        scale.name: (
            [[int(item) + 1 for item in part] for part in scale.parts],
            scale.score.removesuffix("_of_scales") + (f" x{scale.times:g}" if scale.times != 1 else ""),
        )
        for scale in key.scales
    }
    assert ours == {
        name: ([numbers(part) for part in items.split("|")], how) for name, (items, how) in scales.items()
    }
    for scale in key.scales:
        assert sorted(scale.items) == sorted(np.concatenate(scale.parts))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_verified_key_names_two_sources(path: Path) -> None:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    keys = [one for one in document["sources"] if re.search("key|items", one["for"])]
    assert len(keys) >= {"verified": 2, "one source": 1, "unverified": 0}[document["evidence"]]
    if document["evidence"] != "verified":
        assert document["evidence_note"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_cut_offs_and_important_changes_lie_within_the_scale(path: Path) -> None:
    key = read_key(path.stem)
    for scale in key.scales:
        factor = scale.times * (len(scale.items) if scale.score == "sum" else 1)
        for rule in key.document["cut_offs"]:
            if rule["scale"] == scale.name:
                assert key.low * factor < rule["at_least"] <= key.high * factor
        for rule in key.document["minimal_important_change"]:
            if rule["scale"] == scale.name:
                assert rule["points"] < (key.high - key.low) * factor
    named = {
        rule["scale"] for part in ("cut_offs", "minimal_important_change") for rule in key.document[part]
    }
    assert named <= {scale.name for scale in key.scales}


PAGE = (ROOT / "docs/questionnaires.md").read_text(encoding="utf-8")


def test_the_page_lists_every_key_with_its_range_and_scales() -> None:
    rows = [re.split(r" *\| *", line)[1:-1] for line in PAGE.splitlines() if line.startswith("| `")]
    assert [row[0].strip("`") for row in rows] == [path.stem for path in FILES]
    for name, title, answers, scales in rows:
        key = read_key(name.strip("`"))
        assert title == key.document["title"]
        asked = f"{key.items}, {key.low:g} to {key.high:g}"
        assert answers == ("finished total" if key.document["totals_only"] else asked)
        listed = [word.strip("`") for word in scales.split(", ")]
        assert [key.name + word if word.startswith("_") else word for word in listed] == [
            scale.name for scale in key.scales
        ]


def test_the_key_of_ones_own_on_the_page_scores_as_the_page_says(tmp_path: Path) -> None:
    frames = re.findall(r"^```\w+\n# (\S+)\n(.*?)^```$", PAGE, flags=re.M | re.S)
    for place, text in frames:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(text)
    study, results = tmp_path / "mystudy", tmp_path / "results/questionnaires"
    config = yaml.safe_load((study / "config.yaml").read_text())
    with searched(study / config["resources"]):
        ingest_study(study=study / "study.yaml", data=study, out=tmp_path / "out")
        score_questionnaires(
            responses=tmp_path / "out/responses.parquet",
            instruments=config["questionnaires"]["instruments"],
            scales=tmp_path / "scales.tsv",
        )
    said = pd.read_csv(results / "scales.tsv", sep="\t")
    ours = pd.read_csv(tmp_path / "scales.tsv", sep="\t")[list(said)]
    keys = ["participant_id", "session_id", "scale"]
    pd.testing.assert_frame_equal(
        ours.sort_values(keys, ignore_index=True).round(4), said.sort_values(keys, ignore_index=True)
    )


ITEMS = {path.stem: FACTS[path.stem][0] for path in FILES if path.stem in FACTS}


def guessed(stem: str, count: int) -> list[Found]:
    """What new-study makes of fields stem_1, stem_2, ..."""
    names = [f"{stem}_{item}" for item in range(1, count + 1)]
    return guess_instruments({name: Field(name, "text") for name in names})


@pytest.mark.parametrize("name", ITEMS)
def test_new_study_recognizes_a_questionnaire_by_its_fields_or_asks_which_form_it_is(name: str) -> None:
    (own,) = guessed(name, ITEMS[name])
    assert (own.instrument, own.named) == (name, f"{name}_{{item}}")
    for stem in read_key(name).document["field_names"]:
        (one,) = guessed(stem, ITEMS[name])
        assert one.instrument == name or any(name in question for question in one.open), stem


@pytest.mark.parametrize(
    ("stem", "count", "instrument"),
    [
        ("maas", 15, "maas"),
        ("SCS", 26, "scs"),
        ("scs", 12, "scs_sf"),
        ("scs_sf", 12, "scs_sf"),
        ("dass", 21, "dass21"),
        ("cesd", 20, "ces_d"),
        ("who5", 5, "who5"),
        ("who_5", 5, "who5"),
        ("isi", 7, "isi"),
        ("ffmq", 39, "ffmq39"),
        ("promis_fatigue_8a", 8, "promis_fatigue_8a"),
        ("promis_sleep", 8, "promis_sleep_disturbance_8a"),
    ],
)
def test_the_number_of_items_tells_forms_of_one_name_apart(stem: str, count: int, instrument: str) -> None:
    assert [one.instrument for one in guessed(stem, count)] == [instrument]
    assert not [question for one in guessed(stem, count) for question in one.open if "which form" in question]
    assert guessed(stem, count - 1) == []


def test_components_of_the_psqi_are_recognized_and_its_19_answers_are_not() -> None:
    (one,) = guess_instruments({f"psqi_c{part}": Field(f"psqi_c{part}", "text") for part in range(1, 8)})
    assert (one.instrument, one.named) == ("psqi", "psqi_c{item}")
    assert guessed("psqi", 19) == guessed("psqi", 9) == []


def test_forms_that_differ_in_nothing_that_fields_show_are_a_question() -> None:
    (one,) = guessed("panas", 20)
    assert one.open == [
        "which form of panas it is; names and number of its fields are also those of panas_german."
    ]
    (other,) = guessed("promis_depression", 8)
    assert "also those of promis_depression_8b" in other.open[0]
    assert guessed("panas_german", 20)[0].open == guessed("promis_depression_8b", 8)[0].open == []


SUM = {"items": "all", "score": "sum", "higher_is": "worse"}


def own(folder: Path, **changes: object) -> Path:
    """A key file of one's own, with changes."""
    document = {
        "name": "mine",
        "title": "Mine",
        "items": 3,
        "range": [0, 2],
        "scales": {"mine": SUM},
        "missing": {"minimum_share": 1, "published": False, "note": "all items"},
        "recall_days": 7,
        "evidence": "unverified",
        "sources": [{"for": "key", "cite": "us"}],
        "licence": "ours",
    }
    (folder / "instruments").mkdir(parents=True, exist_ok=True)
    (folder / "instruments" / "mine.yaml").write_text(yaml.safe_dump(document | changes))
    return folder


def test_a_key_file_of_the_users_own_folder_is_found(tmp_path: Path) -> None:
    with searched(own(tmp_path)):
        assert read_key("mine").items == 3


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"reversed": [4]}, "reversed names item 4, but the instrument has 3 items"),
        ({"scales": {"mine_a": SUM | {"items": [1, 9]}}}, r"scales.mine_a names item 9"),
        ({"scales": {"other": SUM}}, "'other' should be called mine"),
        (
            {"scales": {"mine": SUM | {"score": "mean_of_scales"}}},
            r"scales.mine is the mean of the other scales",
        ),
        ({"scales": {"mine": SUM | {"times": 0}}}, r"scales.mine.times"),
        ({"range": [4, 0]}, "the smallest response comes first"),
        ({"name": "yours"}, "'mine' was expected, as the file is called"),
        ({"missing": {"minimum_share": 0, "published": False, "note": ""}}, "missing.minimum_share"),
        ({"wording": ["How often"]}, "unknown key 'wording'"),
    ],
)
def test_a_contradiction_in_a_key_file_is_one_sentence(tmp_path: Path, changes: dict, sentence: str) -> None:
    with searched(own(tmp_path, **changes)), pytest.raises(InputError, match=sentence):
        read_key("mine")
