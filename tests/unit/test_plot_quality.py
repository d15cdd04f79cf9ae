"""Which measures each participant has, with and without scans."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import made_results as made
from drawn_figures import draw
from pniflow.contracts import write_table
from pniflow.figures.plot_quality import shares

pytestmark = pytest.mark.xdist_group("figures")


def test_shares_of_a_branchs_measures_by_hand():
    frame = pd.DataFrame(
        [
            ("p1", "ses-pre", "pss10", 1.0, "questionnaire"),
            ("p1", "ses-pre", "mfis", np.nan, "questionnaire"),
            ("p2", "ses-pre", "mfis", 2.0, "questionnaire"),
            ("p2", "ses-pre", "pss10", 2.0, "questionnaire"),
            ("p2", "ses-post", "tiv", 1500.0, "imaging"),
        ],
        columns=["participant_id", "session_id", "measure", "value", "domain"],
    )
    share = shares(frame, ["p1", "p2", "p3"], ["ses-pre", "ses-post"], ["questionnaire", "imaging"])
    assert share.tolist() == [[[0.5, 0], [0, 0]], [[1, 0], [0, 1]], [[0, 0], [0, 0]]]


def test_the_quality_figure_is_drawn_with_and_without_scans(tmp_path):
    frame = made.measures(6)
    marks = frame[frame["measure"] == "pss10"].assign(
        measure="siqr", unit="mark", domain="imaging", value=2.5
    )
    study = made.write_study(tmp_path)
    write_table(
        pd.DataFrame({"participant_id": made.people(6)}), tmp_path / "participants.tsv", "participants"
    )
    for name, table in (
        ("with", pd.concat([frame, marks])),
        ("without", frame[frame["domain"] != "imaging"]),
    ):
        write_table(table, tmp_path / f"{name}.parquet", "measures")
        tables = {"measures": tmp_path / f"{name}.parquet", "participants": tmp_path / "participants.tsv"}
        about = draw("quality", tmp_path, study=study, **tables)
        assert about["n"] == 6
        assert ("quality mark of 10 scans" in about["caption"]) == (name == "with")
        assert ("scans" in about["title"]) == (name == "with")
        assert "Questionnaires before: 6, after: 4" in about["alt"]
