"""The flow of participants counts what its table counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import made_results as made
from drawn_figures import draw, stamped
from pniflow.contracts import write_table

pytestmark = pytest.mark.xdist_group("figures")


def test_the_flow_figure_counts_what_the_flow_table_counts(tmp_path):
    rows = [
        ("enrolled", "all", None, 9),
        ("assessed", "imaging", "ses-pre", 8),
        ("excluded", "imaging", "ses-pre", 2),
        ("usable", "imaging", "ses-pre", 6),
        ("assessed", "imaging", "ses-post", 5),
        ("excluded", "imaging", "ses-post", 0),
        ("usable", "imaging", "ses-post", 5),
        ("complete", "imaging", None, 4),
    ]
    frame = pd.DataFrame(rows, columns=["step", "branch", "session_id", "n"]).assign(note=None)
    write_table(frame, tmp_path / "flow.tsv", "flow")
    study = made.write_study(tmp_path)
    about = draw("flow", tmp_path, flow=tmp_path / "flow.tsv", study=study)
    assert about["n"] == 9
    counted = "MRI usable of assessed, before: 6 of 8, after: 5 of 5, every session: 4"
    assert about["alt"] == f"Flow diagram. Enrolled: 9. {counted}."
    assert stamped(tmp_path / "a.png")


def test_people_whom_the_study_leaves_out_are_counted_apart_from_the_enrolled(tmp_path):
    rows = [
        ("enrolled", "all", None, 9, None),
        ("people left out", "all", None, 2, "exclude.0"),
        ("people left out", "all", None, 1, "exclude.1"),
        ("rows left out", "all", None, 4, "exclude.2"),
        ("complete", "imaging", None, 4, None),
    ]
    frame = pd.DataFrame(rows, columns=["step", "branch", "session_id", "n", "rule"]).assign(note="x")
    columns = ["step", "branch", "session_id", "n", "note", "rule"]
    write_table(frame[columns], tmp_path / "flow.tsv", "flow")
    about = draw("flow", tmp_path, flow=tmp_path / "flow.tsv", study=made.write_study(tmp_path))
    assert about["n"] == 9
    assert "Enrolled: 9, left out by the study before: 3." in about["alt"]
    assert "not among the enrolled" in about["caption"]


def test_the_flow_of_six_sessions_fits_one_column(tmp_path):
    sessions = {f"ses-{place}": {"label": f"month {place}"} for place in range(1, 7)}
    rows = [("enrolled", "all", None, 500), ("complete", "imaging", None, 400)]
    for session in sessions:
        rows += [(step, "imaging", session, 500 - loss) for step, loss in (("assessed", 0), ("usable", 20))]
    frame = pd.DataFrame(rows, columns=["step", "branch", "session_id", "n"]).assign(note=None)
    write_table(frame, tmp_path / "flow.tsv", "flow")
    study = made.write_study(tmp_path, sessions=sessions)
    about = draw("flow", tmp_path, flow=tmp_path / "flow.tsv", study=study)
    picture = np.asarray(Image.open(tmp_path / "a.png").convert("L"))
    assert picture.shape[1] == int(89 / 25.4 * 300)
    edges = (picture[0], picture[-1], picture[:, 0], picture[:, -1])
    assert all((edge > 250).all() for edge in edges)
    assert "usable of assessed" in about["caption"]
