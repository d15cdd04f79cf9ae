"""What names and dates say of sessions: their order, which words mean the same, and what is left open."""

from __future__ import annotations

import pytest

from pniflow.new_study.occasions import (
    AFTER,
    BEFORE,
    LATER,
    When,
    guess_day,
    occasions,
    ordered,
    united,
    when,
)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("baseline", When(BEFORE)),
        ("Eingangsfragebogen", When(BEFORE)),
        ("after_course", When(AFTER)),
        ("Nachbefragung", When(AFTER)),
        ("Katamnese", When(LATER)),
        ("followUp", When(LATER)),
        ("week_8", When(days=56)),
        ("8 Wochen", When(days=56)),
        ("W8", When(days=56)),
        ("nach 8 Wochen", When(days=56)),
        ("vierwochen", When(days=28)),
        ("T2", When(place=("", 2))),
        ("zweite Befragung", When(place=("", 2))),
        ("second_survey", When(place=("", 2))),
        ("T2_Woche8", When(days=56, place=("", 2))),
        ("dose 1", When(place=("dose", 1))),
        ("pressure", When()),
        ("clinic", When()),
    ],
)
def test_a_name_says_a_stage_days_or_a_place(word: str, told: When) -> None:
    assert when(word) == told


@pytest.mark.parametrize(
    "words",
    [
        ["baseline", "after_course", "six_months"],
        ["T1", "second", "T3"],
        ["intake", "closing"],
        ["baseline", "week_8"],
        ["T0", "T1", "final visit", "FU1", "FU2"],
        ["screening", "baseline", "mid", "post", "3mfu"],
        ["vorher", "nachher", "Nachsorge"],
    ],
)
def test_names_that_tell_are_ordered_whatever_their_order_was(words: list[str]) -> None:
    assert ordered(words[::-1]) == (words, [])


@pytest.mark.parametrize(
    ("words", "open_"),
    [
        (["clinic", "home"], ["clinic", "home"]),
        (["pre", "week 4", "post"], ["week 4", "post"]),
        (["survey", "second survey"], ["survey", "second survey"]),
        (["pre", "post", "T3"], ["T3", "post"]),
        (["dose 1", "visit 1"], ["dose 1", "visit 1"]),
    ],
)
def test_names_that_do_not_tell_are_left_open(words: list[str], open_: list[str]) -> None:
    assert ordered(words)[1] == open_


def test_dates_order_what_names_do_not() -> None:
    dates = {"visited": {"clinic": {"a": "2024-05-01", "b": "2024-05-02"}, "home": {"a": "2024-03-01"}}}
    told = occasions([["clinic", "home"]], {}, dates)
    assert told.names == {"home": "ses-pre", "clinic": "ses-post"}
    assert told.settled


@pytest.mark.parametrize(
    ("words", "home"),
    [
        (["baseline", "week 8"], {"baseline": {"a": "2024-05-01"}, "week 8": {"a": "2024-03-01"}}),
        (["clinic", "home"], {"clinic": {"a": "2024-05-01", "b": "2024-01-01"},
                              "home": {"a": "2024-03-01", "b": "2024-03-01"}}),
    ],
)  # fmt: skip
def test_dates_that_contradict_names_or_each_other_settle_nothing(
    words: list[str], home: dict[str, dict[str, str]]
) -> None:
    told = occasions([words], {}, {"visited": home})
    assert set(told.unsettled) == set(words)
    assert not told.settled
    assert "ses-pre" not in told.labels


@pytest.mark.parametrize(
    ("vocabularies", "pairs"),
    [
        ([["T1", "T2"], ["vorher", "nachher"]], {"vorher": "T1", "nachher": "T2"}),
        ([["baseline", "week 8"], ["pre", "post"]], {"pre": "baseline", "post": "week 8"}),
        ([["T0", "T1"], ["ses-1", "ses-2"]], {"ses-1": "T0", "ses-2": "T1"}),
        ([["T1", "T2"], ["t1"]], {"t1": "T1"}),
        ([["T1", "T2"], ["T3", "T4"]], {"T3": "T3", "T4": "T4"}),
        ([["T1"], ["T2"]], {"T2": "T2"}),
        ([["T1", "T2", "T3"], ["pre", "post"]], {"pre": "pre", "post": "post"}),
    ],
)
def test_words_of_several_files_mean_one_session_only_where_they_can(
    vocabularies: list[list[str]], pairs: dict[str, str]
) -> None:
    assert pairs.items() <= united(vocabularies).items()


def test_sessions_bear_the_names_that_scans_have() -> None:
    told = occasions([["T1", "T2"]], {"ses-1": "ses-1", "ses-2": "ses-2"}, {})
    assert list(told.labels) == ["ses-1", "ses-2"]
    assert told.names["T1"] == "ses-1"


@pytest.mark.parametrize(
    ("label", "day"),
    [("baseline", 0), ("week 8", 56), ("day 14", 14), ("3-month follow-up", None), ("post", None)],
)
def test_the_study_day_is_guessed_only_from_the_beginning(label: str, day: int | None) -> None:
    assert guess_day(label) == day
