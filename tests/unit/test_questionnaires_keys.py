"""Key files: against their schema, against the facts written out by hand, without any wording."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from instrument_facts import FACTS, numbers
from pniflow.errors import InputError
from pniflow.questionnaires.keys import read_key
from pniflow.resources import searched

FILES = sorted((Path(__file__).resolve().parents[2] / "resources" / "instruments").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_key_file_is_valid_and_equals_the_facts(path: Path) -> None:
    key = read_key(path.stem)
    if key.document["totals_only"]:
        assert key.items == 1
        return
    count, low, high, turned, scales = FACTS[path.stem]
    assert (key.items, key.low, key.high) == (count, low, high)
    assert [item + 1 for item in range(count) if key.reversed[item]] == sorted(numbers(turned))
    ours = {scale.name: ([int(item) + 1 for item in scale.items], scale.score) for scale in key.scales}
    assert ours == {name: (numbers(items), how) for name, (items, how) in scales.items()}


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
        factor = 1 if scale.score == "mean" else len(scale.items)
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
        ({"range": [4, 0]}, "the smallest response comes first"),
        ({"name": "yours"}, "'mine' was expected, as the file is called"),
        ({"missing": {"minimum_share": 0, "published": False, "note": ""}}, "missing.minimum_share"),
        ({"wording": ["How often"]}, "unknown key 'wording'"),
    ],
)
def test_a_contradiction_in_a_key_file_is_one_sentence(tmp_path: Path, changes: dict, sentence: str) -> None:
    with searched(own(tmp_path, **changes)), pytest.raises(InputError, match=sentence):
        read_key("mine")
