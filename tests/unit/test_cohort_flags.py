"""Flags: what is used and deserves a second look."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from pniflow.cohort import exclusions, flags
from pniflow.cohort.roster import Roster

PEOPLE = [f"p{n:02}" for n in range(12)]


def roster(sessions: list[str]) -> Roster:
    grid = pd.MultiIndex.from_product([PEOPLE, sessions], names=["participant_id", "session_id"])
    return Roster(pd.DataFrame({"participant_id": PEOPLE}), grid.to_frame(index=False), sessions)


def long(values: np.ndarray, measure: str, unit: str, sessions: list[str]) -> pd.DataFrame:
    """Values (people x sessions) as measures, in an order of no meaning."""
    frame = roster(sessions).sessions.assign(
        value=values.ravel(), measure=measure, unit=unit, domain="imaging"
    )
    return frame.iloc[np.random.default_rng(1).permutation(len(frame))]


def test_what_the_scores_note_says_is_a_flag_of_the_study() -> None:
    note = "39 of the 53 genes of ctra53 used; b cell depletion in the cohort: see ctra_without_antibody"
    samples = pd.DataFrame({"sample_id": ["a", "b", "c"], "note": [note, note, None]})
    flagged = flags.of_scores(samples)
    assert flagged[["item", "rule", "reason"]].to_numpy().tolist() == [
        ["CTRA score", "score with a note", note]
    ]
    assert flags.of_scores(samples.assign(note=None)).empty


def test_one_odd_change_among_twelve_is_flagged_with_its_robust_z() -> None:
    """Eleven changes of -5 to 5 per mille and one of 20 percent: median and spread by numpy."""
    before = np.linspace(2.4, 2.9, 12)
    share = np.append(np.linspace(-0.005, 0.005, 11), 0.2)
    after = before * (1 + share)
    table = long(np.column_stack([before, after]), "mean_thickness", "mm", ["ses-pre", "ses-post"])
    flagged = flags.of_changes(flags.changes(table, roster(["ses-pre", "ses-post"])))
    change = 100 * (after - before) / ((after + before) / 2)
    spread = 1.4826 * np.median(np.abs(change - np.median(change)))
    assert flagged["participant_id"].tolist() == ["p11"]
    row = flagged.iloc[0]
    assert (row["session_id"], row["item"]) == ("ses-post", "measure mean_thickness")
    assert row["value"] == pytest.approx((change[11] - np.median(change)) / spread, rel=1e-9)
    assert row["reason"].startswith("changed by +18.2 % since ses-pre; robust z +")


def test_a_change_of_a_difference_is_taken_as_it_is() -> None:
    """left - right may be zero or negative, where a percentage means nothing."""
    before, after = np.zeros(12), np.append(np.linspace(-0.01, 0.01, 11), -1.0)
    name = "aparc_a2009s.anterior_insula.left_minus_right.thickness"
    table = long(np.column_stack([before, after]), name, "mm", ["ses-pre", "ses-post"])
    flagged = flags.of_changes(flags.changes(table, roster(["ses-pre", "ses-post"])))
    assert flagged["participant_id"].tolist() == ["p11"]
    assert "changed by -1 mm since ses-pre" in flagged["reason"].iloc[0]


def test_a_change_beyond_published_retest_differences_is_flagged_however_few_the_people() -> None:
    """Mean absolute difference of 2 %: standard deviation 2.5066 %, five of them 12.533 %."""
    assert math.isclose(5 * 2 * math.sqrt(math.pi / 2), 12.5331, rel_tol=1e-5)
    before = np.full(12, 4.0)
    change = np.array([12.5, 12.6, -12.6, *[0.0] * 9]) / 100  # of the mean of the two
    after = before * (2 + change) / (2 - change)
    sessions = ["ses-pre", "ses-post"]
    grid = np.column_stack([before, after])
    name = "freesurfer_aseg_long.hippocampus.left.volume"
    flagged = flags.of_retest(flags.changes(long(grid, name, "ml", sessions), roster(sessions)))
    assert sorted(flagged["participant_id"]) == ["p01", "p02"]
    assert set(flagged["rule"]) == {"change beyond retest"}
    reasons = flagged.set_index("participant_id")["reason"]
    assert reasons["p01"].startswith("changed by +12.6 % since ses-pre; between two scans of one person")
    assert "2.5 % (Multisite hippocampal subfields" in reasons["p01"]
    for unknown in ("neuromorphometrics.hippocampus.left.gm_volume", "gm"):
        steps = flags.changes(long(grid, unknown, "ml", sessions), roster(sessions))
        assert flags.of_retest(steps).empty


def test_changes_are_compared_between_the_same_two_sessions() -> None:
    """Everybody grows by a tenth in the second interval: nobody is odd."""
    sessions = ["ses-a", "ses-b", "ses-c"]
    first = np.linspace(600, 700, 12)
    second = first * (1 + np.linspace(-0.01, 0.01, 12))
    table = long(np.column_stack([first, second, second * 1.1 + np.arange(12)]), "gm", "ml", sessions)
    assert flags.of_changes(flags.changes(table, roster(sessions))).empty


def test_few_people_or_no_spread_flag_nobody() -> None:
    sessions = ["ses-pre", "ses-post"]
    values = np.column_stack([np.full(12, 600.0), np.append(np.full(11, 600.0), 900)])
    table = long(values, "gm", "ml", sessions)
    assert flags.of_changes(flags.changes(table, roster(sessions))).empty
    few = long(np.column_stack([np.linspace(600, 700, 12)] * 2) * [1, 1.01], "gm", "ml", sessions)
    few = few.assign(value=few["value"].where(few["participant_id"] != "p06", 9000))
    assert flags.of_changes(flags.changes(few[few["participant_id"] > "p05"], roster(sessions))).empty


def test_a_letter_grade_between_scans_of_a_person_is_flagged() -> None:
    sessions = ["ses-pre", "ses-post"]
    scans = roster(sessions).sessions.assign(
        scan=[f"s{n}" for n in range(24)], siqr_percent=85.0, iqr_percent=90.0
    )
    scans.loc[1, "siqr_percent"] = 75.0
    scans.loc[3, "siqr_percent"] = 75.1
    scans.loc[[4, 5], "siqr_percent"] = np.nan
    scans.loc[5, "iqr_percent"] = 70.0
    flagged = flags.of_ratings(scans.iloc[::-1], roster(sessions))
    assert flagged["item"].tolist() == ["scan s1", "scan s5"]
    assert flagged["value"].tolist() == [-10, -20]
    assert flagged["reason"].iloc[0] == "rating -10.0 percent points against the scan before"


@pytest.mark.parametrize(
    ("batches", "tied"),
    [
        (["1", "2", "1", "2"], True),
        (["1", "1", "2", "2"], False),
        (["1", "2", "1", None], True),
        (["1", "1", "1", "1"], False),
        (["1", "2", "3", "2"], True),
        (["1", "2", "3", "4"], False),
        ([None, None, None, None], False),
    ],
)
def test_batches_that_hold_one_session_each_are_flagged(batches: list[str | None], tied: bool) -> None:
    samples = pd.DataFrame(
        {
            "participant_id": ["p1", "p1", "p2", "p2"],
            "session_id": ["ses-pre", "ses-post", "ses-pre", "ses-post"],
            "batch": batches,
        }
    )
    flagged = flags.of_batches(samples, "blood samples", pd.DataFrame({"participant_id": ["p1", "p2"]}))
    assert len(flagged) == int(tied)


def plated(counts: list[list[int]]) -> pd.DataFrame:
    """Samples of people at two sessions (columns) on batches (rows)."""
    cells = [
        (f"b{b}", f"ses-{s}") for b, row in enumerate(counts) for s, n in enumerate(row) for _ in range(n)
    ]
    samples = pd.DataFrame(cells, columns=["batch", "session_id"])
    return samples.assign(participant_id=[f"p{n:02}" for n in samples.groupby("session_id").cumcount()])


@pytest.mark.parametrize(
    ("counts", "tied"),
    [
        ([[16, 4], [4, 16]], True),
        ([[10, 10], [10, 10]], False),
        ([[11, 9], [9, 11]], False),
        ([[10, 1], [5, 7], [5, 12]], True),
        ([[3, 2], [2, 3]], False),
    ],
)
def test_batches_that_go_together_with_sessions_in_part_are_flagged(
    counts: list[list[int]], tied: bool
) -> None:
    samples = plated(counts)
    people = pd.DataFrame({"participant_id": sorted(set(samples["participant_id"]))})
    flagged = flags.of_batches(samples, "blood samples", people)
    assert flagged["rule"].tolist() == ["batch tied to session"] * tied
    if counts == [[16, 4], [4, 16]]:
        # Chi-squared of 14.4 is 0.36 of 40 samples; less 1/39, over 1 - 1/39.
        assert flagged["value"].tolist() == [pytest.approx(math.sqrt((0.36 - 1 / 39) / (1 - 1 / 39)))]
        assert flagged["reason"].iloc[0].startswith("2 batches and session go together (Cramér's V 0.59;")


def test_batches_of_one_arm_are_flagged_by_people_not_by_samples() -> None:
    """Both samples of a person lie on one batch, and count once."""
    people = pd.DataFrame({"participant_id": [f"p{n:02}" for n in range(20)], "age": 40.0 + np.arange(20)})
    samples = pd.concat(
        [people[["participant_id"]].assign(session_id=name) for name in ("ses-pre", "ses-post")]
    )
    number = samples["participant_id"].str[1:].astype(int)
    samples["batch"] = np.where(number < 10, "A", "B")
    alternating = people.assign(arm=["course", "waiting"] * 10)
    assert flags.of_batches(samples, "blood samples", alternating).empty
    # 7 of 10 on one batch, 3 of 10 on the other: chi-squared of 20 people is 3.2, of 40 samples 6.4.
    arms = ["course"] * 7 + ["waiting"] * 3 + ["course"] * 3 + ["waiting"] * 7
    assert flags.of_batches(samples, "blood samples", people.assign(arm=arms)).empty
    apart = people.assign(arm=["course"] * 10 + ["waiting"] * 10)
    flagged = flags.of_batches(samples, "log_crp", apart)
    assert flagged[["item", "rule", "value"]].to_numpy().tolist() == [
        ["batches of log_crp, arm", "batch tied to group", 1.0]
    ]
    assert flagged["reason"].iloc[0] == "each of 2 batches holds samples of one arm only"


def test_duplicates_that_vary_are_flagged_where_used_and_listed_where_left_blank() -> None:
    """Values 1 and 2: mean 1.5, sd 0.7071, so 47.1 %."""
    scores = pd.DataFrame(
        {
            "participant_id": ["p00", "p01", "p02", "p03"],
            "session_id": "ses-pre",
            "measure": "log_hair_cortisol",
            "value": [0.4, 0.5, None, None],
            "below_limit": False,
            "cv_percent": [100 * math.sqrt(0.5) / 1.5, 19.9, 47.1, None],
        }
    )
    flagged = flags.of_assays(scores)
    assert flagged["participant_id"].tolist() == ["p00"]
    assert flagged["reason"].tolist() == ["duplicates vary by 47 % (coefficient of variation)"]
    lost = exclusions.of_assays(scores)
    assert lost["participant_id"].tolist() == ["p02"]
    assert lost["reason"].tolist() == ["duplicates vary by 47 % (coefficient of variation)"]
