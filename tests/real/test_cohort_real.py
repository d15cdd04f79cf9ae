"""Participant flow of a real mindfulness trial (ds005016): 147 people, 348 sessions, 54 people incomplete."""

from __future__ import annotations

from pathlib import Path

import pytest

from called import call
from pniflow.cohort.assemble_cohort import assemble_cohort
from pniflow.contracts import read_table
from pniflow.study.ingest_study import ingest_study

STUDY = """
title: MBSR+ trial (ds005016)
sessions: {ses-01: {}, ses-02: {}, ses-03: {}}
bids: {folder: ds005016, paths: ds005016/sessions_from_git_tree.txt}
covariates:
  sex: {field: sex, coding: {female: female, male: male}}
  group: {field: group, coding: {MBSR+: MBSR+, SMH: SMH}}
"""


@pytest.mark.real
def test_flow_of_a_real_trial(real_data: Path, tmp_path: Path) -> None:
    """The counts were taken from the tree's list of sessions by hand."""
    (tmp_path / "study.yaml").write_text(STUDY)
    ingest_study(study=tmp_path / "study.yaml", data=real_data / "bids", out=tmp_path / "study")
    call(
        assemble_cohort,
        study=tmp_path / "study.yaml",
        participants=tmp_path / "study/participants.tsv",
        sessions=tmp_path / "study/sessions.tsv",
        out=tmp_path / "cohort",
    )
    flow = read_table(tmp_path / "cohort/flow.tsv", "flow")
    assert flow.loc[flow["step"] == "enrolled", "n"].tolist() == [147]
    assert flow.loc[flow["step"] == "complete", "n"].tolist() == [93]
    assert flow.loc[flow["step"] == "recorded", "n"].sum() == 348
    sets = flow[flow["step"] == "set of sessions"]
    assert dict(zip(sets["session_id"].fillna("none"), sets["n"], strict=True)) == {
        "ses-01+ses-02+ses-03": 93,
        "ses-01": 39,
        "ses-01+ses-03": 10,
        "ses-01+ses-02": 4,
        "ses-02+ses-03": 1,
    }
    table = read_table(tmp_path / "cohort/table1.tsv", "table1").set_index(["measure", "level"])
    assert table.loc[[("sex", "female"), ("sex", "male")], "n"].tolist() == [128, 18]
    assert table.loc[("sex", "male"), "missing"] == 1
    assert table.loc[[("group", "MBSR+"), ("group", "SMH")], "n"].tolist() == [46, 44]
    assert table.loc[("group", "SMH"), "missing"] == 57
