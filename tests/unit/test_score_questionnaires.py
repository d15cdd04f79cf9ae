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
        mirrored = [low + high - inner if item in numbers(turned) else inner for item in numbers(items)]
        expected = sum(mirrored) / (len(mirrored) if how == "mean" else 1)
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
    totals |= {"ffmq15_describing": (3, 15), "maia_noticing": (0, 5)}
    for scale, (smallest, largest) in totals.items():
        instrument = max((name for name in INSTRUMENTS if scale.startswith(name)), key=len)
        _, low, high, turned, _ = FACTS[instrument]
        least = [high if item in numbers(turned) else low for item in range(1, FACTS[instrument][0] + 1)]
        most = [low + high - response for response in least]
        assert scored(instrument, [least, most])[scale] == [smallest, largest]


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
