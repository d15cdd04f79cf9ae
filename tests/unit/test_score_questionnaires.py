"""Scores agree with another implementation: BioPsyKit 0.14.0 (pss, phq, hads), run on the responses made
here.

It was also run on 2,000 random respondents each, without a difference. It sums missing items as zero, so only
complete responses are compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from instrument_facts import FACTS, numbers, score
from pniflow.errors import InputError
from pniflow.questionnaires.keys import read_key, recoded
from pniflow.questionnaires.response_matrices import Responses, reverse
from pniflow.questionnaires.score_questionnaires import score_instrument, score_questionnaires, score_scale

BIOPSYKIT = {
    "pss10": [18, 24, 20, 16, 22, 18, 24, 20],
    "pss10_helplessness": [6, 19, 12, 10, 13, 6, 19, 12],
    "pss10_self_efficacy": [12, 5, 8, 6, 9, 12, 5, 8],
    "phq9": [19, 15, 19, 15, 19, 15, 19, 15],
    "hads_anxiety": [16, 16, 16, 16, 16, 16, 16, 16],
    "hads_depression": [10, 13, 8, 11, 10, 13, 8, 11],
}


@pytest.mark.parametrize(("name", "coding"), [("pss10", None), ("phq9", None), ("hads", "agreement")])
def test_scores_are_those_of_biopsykit(name: str, coding: str | None) -> None:
    key = read_key(name)
    spread = int(key.high - key.low) + 1
    people, items = np.arange(1, 9)[:, None], np.arange(1, key.items + 1)
    responses = key.low + (7 * people + 3 * items + people * items**2) % spread
    keyed = reverse(recoded(responses.astype(float), key, coding, name), key)
    ours = {scale.name: score_scale(keyed, scale, key.minimum_share)[0].tolist() for scale in key.scales}
    assert ours == {scale: BIOPSYKIT[scale] for scale in ours}


INSTRUMENTS = sorted(FACTS)
KEYS = {name: read_key(name) for name in INSTRUMENTS}


def scored(instrument: str, people: list[list[int | None]]) -> dict[str, list[float]]:
    """Score people with pniflow: scale -> one score per person."""
    key = KEYS[instrument]
    values = np.array([[np.nan if cell is None else cell for cell in row] for row in people], dtype=float)
    keyed = reverse(values, key)
    return {scale.name: score_scale(keyed, scale, key.minimum_share)[0].tolist() for scale in key.scales}


def assert_agrees(instrument: str, people: list[list[int | None]]) -> None:
    """Every score of every person is the one computed by hand."""
    ours = scored(instrument, people)
    for place, responses in enumerate(people):
        expected = score(instrument, responses)
        assert set(ours) == set(expected)
        for scale, value in expected.items():
            wanted = np.nan if value is None else value
            assert ours[scale][place] == pytest.approx(wanted, abs=1e-12, nan_ok=True), scale


@pytest.mark.parametrize("instrument", INSTRUMENTS)
@given(data=st.data())
def test_any_responses_score_as_by_hand(instrument: str, data: st.DataObject) -> None:
    count, low, high, _, _ = FACTS[instrument]
    # One below the range stands for an item that was not answered.
    cells = data.draw(arrays(np.int8, (2, count), elements=st.integers(low - 1, high)))
    assert_agrees(instrument, [[None if cell < low else int(cell) for cell in row] for row in cells])


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_each_item_alone_at_both_ends_of_the_range_scores_as_by_hand(instrument: str) -> None:
    count, low, high, _, _ = FACTS[instrument]
    middle = [(low + high) // 2] * count
    people = [[*middle[:item], end, *middle[item + 1 :]] for item in range(count) for end in (low, high)]
    assert_agrees(instrument, people)


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_from_no_item_to_all_items_missing(instrument: str) -> None:
    count, low, high, _, _ = FACTS[instrument]
    full = [low + item % (high - low + 1) for item in range(count)]
    first: list[list[int | None]] = [[None] * absent + full[absent:] for absent in range(count + 1)]
    last: list[list[int | None]] = [full[: count - absent] + [None] * absent for absent in range(count + 1)]
    assert_agrees(instrument, first + last)
    assert all(np.isnan(values).all() for values in scored(instrument, [[None] * count]).values())


@pytest.mark.parametrize("instrument", [name for name in INSTRUMENTS if FACTS[name][3]])
def test_a_reversed_item_mirrors_about_the_middle_of_its_range_not_of_what_was_observed(
    instrument: str,
) -> None:
    count, low, high, turned, scales = FACTS[instrument]
    inner = low + 1
    ours = scored(instrument, [[inner] * count, [inner] * count])
    for scale, (items, how) in scales.items():
        parts = [
            [low + high - inner if item in numbers(turned) else inner for item in numbers(part)]
            for part in items.split("|")
        ]
        expected = sum(sum(part) / (len(part) if how == "mean" else 1) for part in parts) / len(parts)
        assert ours[scale] == pytest.approx([expected, expected])


def test_published_ranges_of_the_totals() -> None:
    totals = {"pss10": (0, 40), "gad7": (0, 21), "phq9": (0, 27), "ucla_loneliness_v3": (20, 80)}
    totals |= {
        "mfis": (0, 84),
        "mfis_physical": (0, 36),
        "mfis_cognitive": (0, 40),
        "mfis_psychosocial": (0, 8),
    }
    totals |= {
        "mhc_sf": (0, 70),
        "mhc_sf_hedonic": (0, 15),
        "mhc_sf_eudaimonic": (0, 55),
        "mhc_sf_social": (0, 25),
    }
    totals |= {"mhc_sf_psychological": (0, 30), "maia2_trusting": (0, 5), "pss4": (0, 16), "pss14": (0, 56)}
    totals |= {
        "hads_anxiety": (0, 21),
        "hads_depression": (0, 21),
        "mfis5": (0, 20),
        "fss": (1, 7),
        "wemwbs": (14, 70),
    }
    totals |= {
        "stai_state": (20, 80),
        "stai_trait": (20, 80),
        "ffmq39_observing": (8, 40),
        "ffmq39_nonreactivity": (7, 35),
    }
    totals |= {"ffmq15_describing": (3, 15), "maia_noticing": (0, 5), "ffmq39": (39, 195)}
    totals |= {"maas": (1, 6), "scs": (1, 5), "scs_reduced_isolation": (1, 5), "scs_sf": (1, 5)}
    totals |= {"dass21_depression": (0, 42), "dass21_anxiety": (0, 42), "dass21_stress": (0, 42)}
    totals |= {"panas_positive": (10, 50), "panas_negative": (10, 50), "panas_german_negative": (10, 50)}
    totals |= {"ces_d": (0, 60), "who5": (0, 25), "who5_percent": (0, 100), "isi": (0, 28), "psqi": (0, 21)}
    totals |= {name: (8, 40) for name in INSTRUMENTS if name.startswith("promis")}
    for scale, (smallest, largest) in totals.items():
        instrument = max((name for name in INSTRUMENTS if scale.startswith(name)), key=len)
        _, low, high, turned, _ = FACTS[instrument]
        least = [high if item in numbers(turned) else low for item in range(1, FACTS[instrument][0] + 1)]
        most = [low + high - response for response in least]
        assert scored(instrument, [least, most])[scale] == [smallest, largest]


# People of whom every scale was added up with pencil and paper: instrument, answers, scores.
BY_HAND: list[tuple[str, str, dict[str, float]]] = [
    ("maas", "1 2 3 4 5 6 1 2 3 4 5 6 1 2 3", {"maas": 3.2}),  # 48 over 15
    (
        "scs",
        "5 1 2 3 4 5 1 2 3 4 5 1 2 3 4 5 1 2 3 4 5 1 2 3 4 5",
        {
            "scs_self_kindness": 3.0,  # items 5 12 19 23 26: 4 1 3 2 5
            "scs_reduced_self_judgment": 1.6,  # 1 8 11 16 21: 5 2 5 5 5, mean 4.4, from 6
            "scs_common_humanity": 2.75,  # 3 7 10 15: 2 1 4 4
            "scs_reduced_isolation": 3.25,  # 4 13 18 25: 3 2 2 4, mean 2.75, from 6
            "scs_mindfulness": 2.0,  # 9 14 17 22: 3 3 1 1
            "scs_reduced_over_identification": 2.75,  # 2 6 20 24: 1 5 4 3, mean 3.25, from 6
            "scs": 15.35 / 6,  # and not the mean of all 26 items, 66 over 26
        },
    ),
    ("scs_sf", "1 2 3 4 5 1 2 3 4 5 1 2", {"scs_sf": 39 / 12}),  # 18 and, turned around, 21
    (
        "dass21",
        "0 1 2 3 0 1 2 3 0 1 2 3 0 1 2 3 0 1 2 3 1",
        {"dass21_depression": 14, "dass21_anxiety": 26, "dass21_stress": 22},  # 7, 13 and 11, times 2
    ),
    (
        "panas",
        "5 1 4 2 3 1 2 1 4 5 1 3 2 4 1 5 2 1 3 2",
        {"panas_positive": 38, "panas_negative": 14},
    ),
    (
        "panas_german",
        "5 1 4 4 1 3 2 1 1 4 5 1 3 2 4 1 5 2 1 3",
        {"panas_german_positive": 39, "panas_german_negative": 14},
    ),
    ("ces_d", "0 1 2 3 0 1 2 3 0 1 2 3 0 1 2 3 0 1 2 3", {"ces_d": 18}),  # 30 - 4 x 3
    ("who5", "3 2 4 1 3", {"who5": 13, "who5_percent": 52}),
    ("isi", "2 3 1 4 2 3 2", {"isi": 17}),
    ("psqi", "1 2 0 1 1 0 2", {"psqi": 7}),
    ("promis_depression_8a", "1 2 3 4 5 1 2 3", {"promis_depression_8a": 21}),
    ("promis_depression_8b", "5 4 3 2 1 5 4 3", {"promis_depression_8b": 27}),
    ("promis_anxiety_8a", "2 2 3 3 1 1 4 5", {"promis_anxiety_8a": 21}),
    ("promis_fatigue_8a", "4 4 5 3 4 2 5 3", {"promis_fatigue_8a": 30}),
    ("promis_pain_interference_8a", "1 1 2 1 3 1 1 2", {"promis_pain_interference_8a": 12}),
    ("promis_sleep_disturbance_8a", "4 5 3 2 3 2 1 4", {"promis_sleep_disturbance_8a": 24}),
    ("ffmq39", " ".join(["3"] * 38 + ["1"]), {"ffmq39": 119, "ffmq39_nonjudging": 26}),  # item 39 is reversed
]


@pytest.mark.parametrize(("instrument", "answers", "expected"), BY_HAND, ids=[one[0] for one in BY_HAND])
def test_a_person_scored_by_hand(instrument: str, answers: str, expected: dict[str, float]) -> None:
    ours = scored(instrument, [[int(answer) for answer in answers.split()]])
    assert {scale: ours[scale][0] for scale in expected} == pytest.approx(expected, abs=1e-12)


def test_the_items_that_promis_prints_from_5_to_1_are_turned_around_where_coded_by_position() -> None:
    key = read_key("promis_sleep_disturbance_8a")
    best = np.array([[5.0, 5, 1, 1, 1, 1, 1, 5]])  # slept very well, by the place of the answers
    assert recoded(best, key, "position", key.name).tolist() == [[1] * 8]
    printed = np.array([[1.0] * 8])
    assert recoded(printed, key, "severity", key.name).tolist() == printed.tolist()
    with pytest.raises(InputError, match=r"response_coding is missing; expected was severity, position"):
        recoded(printed, key, None, f"instruments.{key.name}")


@pytest.mark.parametrize(("name", "largest"), [("bdi2", 63), ("cd_risc", 100), ("promis_fatigue_t", 71.3)])
def test_an_instrument_of_which_only_the_total_is_accepted_passes_it_on(name: str, largest: float) -> None:
    answers = Responses(
        np.array(["1", "2"], dtype=object),
        np.array(["ses-pre"] * 2, dtype=object),
        np.array([[largest], [np.nan]]),
    )
    table = score_instrument(answers, read_key(name))
    assert table["scale"].tolist() == [name, name]
    assert table["score"].iloc[0] == largest
    assert np.isnan(table["score"].iloc[1])


# Points of the answers of HADS: those of the items listed here run from 3 to 0, the others from 0 to 3.
HADS_FROM_THREE = {1, 3, 5, 6, 8, 10, 11, 13}


@given(st.lists(st.integers(0, 3), min_size=14, max_size=14))
def test_hads_by_position_of_the_answer_is_hads_by_its_printed_points(positions: list[int]) -> None:
    key = read_key("hads")
    printed = [3 - place if item in HADS_FROM_THREE else place for item, place in enumerate(positions, 1)]
    assert recoded(np.array([positions], dtype=float), key, "position", "hads").tolist() == [printed]
    assert recoded(np.array([printed], dtype=float), key, "severity", "hads").tolist() == [printed]


def responses_file(path: Path, rows: list[tuple[str, str, str, int, float]]) -> Path:
    columns = ["participant_id", "session_id", "instrument", "item", "value"]
    pd.DataFrame(rows, columns=columns).to_parquet(path)
    return path


def test_counts_and_prorated_flag_of_the_scales_table(tmp_path: Path) -> None:
    answers = [3, 2, None, 1, 0, 2, None]
    rows = [
        ("1", "ses-pre", "gad7", item, np.nan if value is None else value)
        for item, value in enumerate(answers, 1)
    ]
    rows += [("1", "ses-post", "gad7", item, np.nan) for item in range(1, 8)]
    score_questionnaires(
        responses=responses_file(tmp_path / "r.parquet", rows),
        instruments=["gad7"],
        scales=tmp_path / "s.tsv",
    )
    assert (tmp_path / "s.tsv").read_text().splitlines() == [
        "participant_id\tsession_id\tscale\tscore\titems_answered\titems_total\tprorated",
        "1\tses-pre\tgad7\t11.2\t5\t7\tTrue",  # 8 over 5 items, times 7
        "1\tses-post\tgad7\t\t0\t7\tFalse",
    ]


def test_rows_in_any_order_score_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = [
        (person, session, "phq9", item, float(rng.integers(0, 4)))
        for person in ("a", "b", "c")
        for session in ("ses-pre", "ses-post")
        for item in range(1, 10)
    ]
    tables = []
    for order in (np.arange(len(rows)), rng.permutation(len(rows))):
        path = responses_file(tmp_path / "r.parquet", [rows[place] for place in order])
        score_questionnaires(responses=path, instruments=["phq9"], scales=tmp_path / "s.tsv")
        table = pd.read_csv(tmp_path / "s.tsv", sep="\t").set_index(["participant_id", "session_id"])["score"]
        tables.append(table.sort_index())
    pd.testing.assert_series_equal(*tables)


def test_an_out_of_range_response_is_named_with_its_place_value_and_range(tmp_path: Path) -> None:
    rows = [("007", "ses-post", "gad7", item, 4.0 if item == 3 else 1.0) for item in range(1, 8)]
    path = responses_file(tmp_path / "r.parquet", rows)
    with pytest.raises(InputError, match=r"gad7 go from 0 to 3, but participant 007 ses-post item 3 = 4;"):
        score_questionnaires(responses=path, instruments=["gad7"], scales=tmp_path / "s.tsv")
    assert not (tmp_path / "s.tsv").exists()


def test_at_most_ten_offending_cells_are_listed(tmp_path: Path) -> None:
    rows = [(f"{person:02}", "ses-pre", "gad7", item, 9.0) for person in range(3) for item in range(1, 8)]
    path = responses_file(tmp_path / "r.parquet", rows)
    with pytest.raises(InputError, match=r"and 11 more") as caught:
        score_questionnaires(responses=path, instruments=["gad7"], scales=tmp_path / "s.tsv")
    assert str(caught.value).count("= 9") == 10


def test_codes_that_begin_at_one_are_recognized(tmp_path: Path) -> None:
    rows = [("1", "ses-pre", "gad7", item, 1.0 + (item % 4)) for item in range(1, 8)]
    path = responses_file(tmp_path / "r.parquet", rows)
    with pytest.raises(InputError, match=r"offset: -1 may be meant"):
        score_questionnaires(responses=path, instruments=["gad7"], scales=tmp_path / "s.tsv")


def test_an_instrument_without_responses_is_refused(tmp_path: Path) -> None:
    path = responses_file(tmp_path / "r.parquet", [("1", "ses-pre", "gad7", 1, 1.0)])
    with pytest.raises(InputError, match="no responses to phq9"):
        score_questionnaires(responses=path, instruments=["phq9"], scales=tmp_path / "s.tsv")
