"""Scores of questionnaires against an independent recomputation, one person at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instrument_facts import FACTS, numbers, score
from pniflow.errors import InputError
from pniflow.questionnaires import score_questionnaires
from pniflow.questionnaires.keys import read_key
from pniflow.questionnaires.scoring import Responses, score_instrument

INSTRUMENTS = sorted(FACTS)


KEYS = {name: read_key(name) for name in INSTRUMENTS}


def scored(instrument: str, people: list[list[int | None]]) -> pd.DataFrame:
    """Score people with pniflow: rows are people, columns are scales."""
    values = np.array([[np.nan if cell is None else cell for cell in row] for row in people], dtype=float)
    names = np.array([f"{number}" for number in range(len(people))], dtype=object)
    answers = Responses(names, np.full(len(people), "ses-pre", dtype=object), values)
    table = score_instrument(answers, KEYS[instrument])
    scales = list(dict.fromkeys(table["scale"]))
    return pd.DataFrame(table["score"].to_numpy().reshape(len(scales), len(people)).T, columns=scales)


def assert_agrees(instrument: str, people: list[list[int | None]]) -> None:
    """Every score of every person is the one computed by hand."""
    ours = scored(instrument, people)
    for row, responses in zip(ours.to_dict("records"), people, strict=True):
        expected = score(instrument, responses)
        assert set(row) == set(expected)
        for scale, value in expected.items():
            if value is None:
                assert np.isnan(row[scale]), scale
            else:
                assert row[scale] == pytest.approx(value, abs=1e-12), scale


@st.composite
def people_of(draw: st.DrawFn, instrument: str) -> list[list[int | None]]:
    count, low, high, _, _ = FACTS[instrument]
    response = st.one_of(st.none(), st.integers(low, high))
    return draw(st.lists(st.lists(response, min_size=count, max_size=count), min_size=1, max_size=4))


@pytest.mark.parametrize("instrument", INSTRUMENTS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_responses_score_as_by_hand(instrument: str, data: st.DataObject) -> None:
    assert_agrees(instrument, data.draw(people_of(instrument)))


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
    assert scored(instrument, [[None] * count]).isna().all(axis=None)


@pytest.mark.parametrize("instrument", [name for name in INSTRUMENTS if FACTS[name][3]])
def test_a_reversed_item_mirrors_about_the_middle_of_the_range_not_of_what_was_observed(
    instrument: str,
) -> None:
    count, low, high, turned, scales = FACTS[instrument]
    inner = low + 1
    ours = scored(instrument, [[inner] * count, [inner] * count])
    for scale, (items, how) in scales.items():
        mirrored = [low + high - inner if item in numbers(turned) else inner for item in numbers(items)]
        expected = sum(mirrored) / (len(mirrored) if how == "mean" else 1)
        assert ours[scale].tolist() == pytest.approx([expected, expected])


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
    totals |= {"mhc_sf_psychological": (0, 30), "maia2_trusting": (0, 5)}
    for scale, (smallest, largest) in totals.items():
        instrument = max((name for name in INSTRUMENTS if scale.startswith(name)), key=len)
        _, low, high, turned, _ = FACTS[instrument]
        least = [high if item in numbers(turned) else low for item in range(1, FACTS[instrument][0] + 1)]
        most = [low + high - response for response in least]
        assert scored(instrument, [least, most])[scale].tolist() == [smallest, largest]


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
