"""Outcomes with reasons, the course, included and not included, exposures: four people, counted by hand."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from called import call
from four_people import STUDY, TABLES, write_study
from pniflow.cohort.assemble_cohort import assemble_cohort
from pniflow.cohort.exclusions import of_scales
from pniflow.cohort.roster import Roster, without_excluded
from pniflow.cohort.summaries import flow
from pniflow.contracts import read_table
from pniflow.files import read_json

COVARIATES = """
  completed_course: {field: done, coding: {"0": "no", "1": "yes"}}
  reason_not_completed: {field: why, coding: {"1": "time", "2": "illness"}}
  sessions_attended: {field: att, unit: sessions}
  relapses: {field: rel}
exposures:
  recent_steroid: {field: st, coding: {"0": "no", "1": "yes"}}
  draw_time: {field: dt, unit: h, flag: {above: 10}}
  season: {field: se, coding: {"1": "summer", "2": "winter"}}
"""


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four, with attendance (A 8, B 6, C blank, D 1), relapses (0, 2, 1, blank) and exposures."""
    old = '  completed_course: {field: done, coding: {"0": "no", "1": "yes"}}\n'
    assert old in STUDY
    added = {
        "participants": [
            "reason_not_completed sessions_attended relapses",
            ". 8 0",
            ". 6 2",
            ". . 1",
            "time 1 .",
        ],
        "sessions": [
            "recent_steroid draw_time draw_time_flag season",
            "no 8.5 no summer",
            "yes 11 yes winter",
            "no 9 no summer",
            ". . . .",
            "no 9.5 no summer",
            "no 12 yes winter",
            "yes 8 no summer",
        ],
    }
    tables = {
        name: "\n".join(f"{row} {more}" for row, more in zip(TABLES[name].splitlines(), further, strict=True))
        for name, further in added.items()
    }
    paths = write_study(tmp_path_factory.mktemp("took_part"), STUDY.replace(old, COVARIATES[1:]), **tables)
    call(assemble_cohort, **paths)
    return paths["out"]


def status(folder: Path, measure: str) -> dict[str, int]:
    table = read_table(folder / "outcomes.tsv", "outcomes")
    rows = table[table["measure"] == measure]
    return dict(zip(rows["status"], rows["n"], strict=True))


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        # A complete; B answered 4 of 10 items after, C none; D's second session does not exist.
        ("pss10", {"complete": 1, "score not computable": 1, "not answered": 1, "session not recorded": 1}),
        # A complete; B below the limit at the first; C's hair has no number; D no hair.
        ("log_hair_cortisol", {"complete": 1, "no usable value": 1, "not collected": 2}),
        # A complete; B's first sample without genes, C's first not in the matrix; D no blood.
        ("ctra", {"complete": 1, "score not computable": 1, "sample not scored": 1, "not collected": 1}),
        # A complete; B's second scan too poor; C's first failed; D no scan.
        ("tiv", {"complete": 1, "quality below threshold": 1, "failed scan": 1, "not collected": 1}),
        # A's first scan has no SIQR at all.
        ("siqr", {"complete": 0, "no usable value": 1, "quality below threshold": 1, "failed scan": 1,
                  "not collected": 1}),
        ("lesion_volume", {"complete": 1, "not collected": 3}),
        # B's second draw time is blank; D has no second session.
        ("draw_time", {"complete": 2, "not collected": 1, "session not recorded": 1}),
    ],
)  # fmt: skip
def test_each_outcome_says_why_people_are_not_in_it(
    cohort: Path, measure: str, expected: dict[str, int]
) -> None:
    assert status(cohort, measure) == expected


def test_the_cases_of_every_outcome_add_up_to_the_enrolled(cohort: Path) -> None:
    table = read_table(cohort / "outcomes.tsv", "outcomes")
    assert (table.groupby("measure")["n"].sum() == 4).all()
    measures = read_table(cohort / "measures.parquet", "measures")
    assert set(table["measure"]) == set(measures["measure"])


def test_the_course_is_described_and_what_is_absent_is_not_recorded(cohort: Path) -> None:
    """Attendance 8, 6, 1: mean 5, SD by hand sqrt((9 + 1 + 16) / 2); relapses 0, 2, 1: two with any."""
    table = read_table(cohort / "course.tsv", "course")
    rows = {(row["item"], row["level"]): row for row in table.fillna({"level": ""}).to_dict("records")}
    attended = rows["sessions_attended", ""]
    assert (attended["n"], attended["missing"], attended["n_any"], attended["total"]) == (3, 1, 3, 15)
    assert (attended["mean"], attended["median"], attended["minimum"], attended["maximum"]) == (5, 6, 1, 8)
    assert attended["sd"] == pytest.approx(13**0.5, rel=1e-12)
    relapses = rows["relapses", ""]
    assert (relapses["n"], relapses["missing"], relapses["n_any"], relapses["total"]) == (3, 1, 2, 3)
    assert (rows["completed_course", "yes"]["n"], rows["completed_course", "no"]["n"]) == (3, 1)
    assert (rows["reason_not_completed", "time"]["n"], rows["reason_not_completed", "time"]["missing"]) == (
        1,
        3,
    )
    for absent in ("home_practice", "adverse_events"):
        assert pd.isna(rows[absent, ""]["n"]) and "not recorded" in rows[absent, ""]["note"]
    assert table.groupby("item")["recorded"].first().to_dict() == {
        "completed_course": True,
        "reason_not_completed": True,
        "sessions_attended": True,
        "home_practice": False,
        "adverse_events": False,
        "relapses": True,
    }


def test_included_are_described_beside_the_others(cohort: Path) -> None:
    """Questionnaires: A has PSS-10 twice, C has PSS-10 before and MFIS after: A and C are included.

    Age: A 40, C blank against B 50, D 60. PSS-10 before: 20, 16 (mean 18, variance 8) against 24, 30 (27,
    18): the difference is -9 over sqrt(13). B-cell depletion: 2 of 2 against 0 of 2, without spread.
    """
    table = read_table(cohort / "inclusion.tsv", "inclusion").fillna({"level": ""})
    assert set(table["branch"]) == {"questionnaires", "assays", "expression", "imaging", "lesions"}
    rows = table[table["branch"] == "questionnaires"].set_index(["variable", "level"])
    age = rows.loc[("age", "")]
    assert (age["n_included"], age["n_others"]) == (1, 2)
    assert (age["mean_included"], age["mean_others"]) == (40, 55)
    assert pd.isna(age["standardized_difference"])
    pss = rows.loc[("pss10", "")]
    assert (pss["session_id"], pss["n_included"], pss["mean_included"], pss["mean_others"]) == (
        "ses-pre",
        2,
        18,
        27,
    )
    assert pss["sd_included"] == pytest.approx(8**0.5, rel=1e-12)
    assert pss["standardized_difference"] == pytest.approx(-9 / 13**0.5, rel=1e-12)
    depleted = rows.loc[("b_cell_depletion", "yes")]
    assert (depleted["mean_included"], depleted["mean_others"]) == (1, 0)
    assert pd.isna(depleted["standardized_difference"]) and pd.isna(depleted["sd_included"])


def test_shares_are_compared_with_their_own_spread(cohort: Path) -> None:
    """Imaging: A against B, C, D. Completed the course: 1 against 2/3; sqrt((0 + 2/9) / 2) = 1/3, so 1."""
    table = read_table(cohort / "inclusion.tsv", "inclusion")
    row = table[
        (table["branch"] == "imaging") & (table["variable"] == "completed_course") & (table["level"] == "yes")
    ].iloc[0]
    assert row["mean_others"] == pytest.approx(2 / 3, rel=1e-12)
    assert row["standardized_difference"] == pytest.approx(1, rel=1e-12)


def test_a_branch_that_everybody_is_in_is_not_contrasted(tmp_path: Path) -> None:
    people = "participant_id\n        A"
    study = STUDY[: STUDY.index("covariates:")] + STUDY[STUDY.index("instruments:") : STUDY.index("assays:")]
    only = dict.fromkeys(["assays", "samples", "ctra", "scans", "quality", "globals", "lesions"])
    scales = "\n".join(TABLES["scales"].splitlines()[:3])
    sessions = "\n".join(TABLES["sessions"].splitlines()[:3])
    paths = write_study(
        tmp_path / "one", study, participants=people, scales=scales, sessions=sessions, **only
    )
    call(assemble_cohort, **paths)
    assert read_table(paths["out"] / "inclusion.tsv", "inclusion").empty
    assert status(paths["out"], "pss10") == {"complete": 1}


def test_exposures_are_measures_of_the_session(cohort: Path) -> None:
    measures = read_table(cohort / "measures.parquet", "measures")
    exposed = measures[measures["domain"] == "exposure"]
    assert set(exposed["measure"]) == {"recent_steroid", "draw_time", "draw_time_flag"}
    wide = exposed.pivot(index=["participant_id", "session_id"], columns="measure", values="value")
    assert wide.loc[("A", "ses-post")].to_dict() == {
        "draw_time": 11,
        "draw_time_flag": 1,
        "recent_steroid": 1,
    }
    assert wide.loc[("A", "ses-pre")].to_dict() == {
        "draw_time": 8.5,
        "draw_time_flag": 0,
        "recent_steroid": 0,
    }
    assert wide.loc[("B", "ses-post")].isna().all()
    units = exposed.drop_duplicates("measure").set_index("measure")["unit"]
    assert units.to_dict() == {"draw_time": "h", "draw_time_flag": "1 = yes", "recent_steroid": "1 = yes"}


def test_the_dictionary_as_a_table_says_the_same_as_the_json(cohort: Path) -> None:
    words = read_json(cohort / "dictionary.json")
    table = read_table(cohort / "dictionary.tsv", "dictionary")
    pairs = [(name, column) for name, content in words.items() for column in content["Columns"]]
    assert list(zip(table["table"], table["column"], strict=True)) == pairs
    rows = table.set_index(["table", "column"])
    assert rows.loc[("sessions", "draw_time"), "unit"] == "h"
    assert rows.loc[("sessions", "draw_time_flag"), "levels"] == "yes: above 10; no: none of these"
    assert rows.loc[("participants", "reason_not_completed"), "levels"] == "time: code 1; illness: code 2"


def test_a_scale_that_nobody_answered_at_a_session_is_not_asked_there_rather_than_not_answered() -> None:
    columns = ["participant_id", "session_id", "scale", "score", "items_answered", "items_total"]
    rows = [
        ("A", "ses-pre", "gad7", 3.0, 7, 7),
        ("A", "ses-pre", "pss10", None, 0, 10),
        ("B", "ses-pre", "gad7", 4.0, 7, 7),
        ("B", "ses-pre", "pss10", None, 0, 10),
        ("A", "ses-post", "gad7", None, 0, 7),
        ("A", "ses-post", "pss10", 20.0, 10, 10),
        ("B", "ses-post", "gad7", 5.0, 7, 7),
        ("B", "ses-post", "pss10", 21.0, 10, 10),
    ]
    lost = of_scales(pd.DataFrame(rows, columns=columns))
    assert lost[["participant_id", "session_id", "item"]].to_numpy().tolist() == [
        ["A", "ses-post", "scale gad7"]
    ]


def test_scans_and_samples_of_people_whom_the_study_excludes_are_not_joined() -> None:
    people = pd.DataFrame({"participant_id": ["sub-01"]})
    study = {"exclude": [{"participants": ["02"], "reason": "screening failure"}]}
    scans = pd.DataFrame({"participant_id": ["sub-01", "sub-02", "sub-03", None], "session_id": "ses-pre"})
    assert without_excluded(scans, people, study)["participant_id"].fillna("").tolist() == [
        "sub-01",
        "sub-03",
        "",
    ]
    samples = pd.DataFrame(
        {
            "participant_id": ["sub-01", "sub-01", "sub-09"],
            "session_id": ["ses-pre", None, "ses-pre"],
            "excluded": [None, "a wave that is left out", "test record"],
        }
    )
    assert without_excluded(samples, people, study).index.tolist() == [0]


def test_what_rules_leave_out_stands_in_the_flow_by_rule() -> None:
    account = pd.DataFrame(
        [
            ("a.csv", None, 5, 5, 0, None, None),
            ("a.csv", None, 2, 0, 2, "exclude.0", "preview"),
            ("b.csv", None, 1, 0, 1, "exclude.0", "preview"),
            ("a.csv", "gad_1", 2, 0, 2, "exclude.0", "preview"),
            (None, None, 5, 5, 0, None, None),
            (None, None, 1, 0, 1, "exclude.0", "preview"),
        ],
        columns=["file", "field", "cells", "stored", "left_out", "rule", "reason"],
    )
    people = pd.DataFrame({"participant_id": list("ABCDE")})
    sessions = pd.DataFrame({"participant_id": ["A"], "session_id": ["ses-pre"]})
    table = flow(Roster(people, sessions, ["ses-pre"]), {}, {}, {}, account)
    left = table[table["rule"].notna()][["step", "n", "note", "rule"]].to_numpy().tolist()
    assert left == [
        ["people left out", 1, "preview", "exclude.0"],
        ["rows left out", 3, "preview", "exclude.0"],
    ]
    assert table["step"].iloc[0] == "enrolled" and table["n"].iloc[0] == 5
