"""What a measure looks back on, laid against eight weeks of intervention; expected days by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pniflow.config import read_study
from pniflow.study.ingest_study import ingest_study
from pniflow.study.recall_windows import recall_windows
from study_files import write_study

COLUMNS = {"participant": "id", "session": "visit", "value": "x"}


def windows(folder: Path, **sections: Any) -> pd.DataFrame:
    path = write_study(folder / "study.yaml", **sections)
    return recall_windows(read_study(path)).set_index(["measure", "session_id"])


def hair(**window: float) -> dict[str, Any]:
    return {"hair_cortisol": {"file": "h.csv", "columns": COLUMNS, "unit": "pg/mg", "window": window}}


def test_a_questionnaire_looks_back_as_its_key_file_says(tmp_path: Path) -> None:
    fields = {name: {"fields": f"{name}_{{item}}"} for name in ("pss10", "gad7", "ucla_loneliness_v3")}
    table = windows(tmp_path, instruments=fields)
    assert table.loc[("pss10", "ses-pre")].tolist() == [-30, 0, 0, 0]
    assert table.loc[("pss10", "ses-post")].tolist() == [26, 56, 30, 1]
    assert table.loc[("gad7", "ses-post")].tolist() == [42, 56, 14, 1]
    assert table.loc[("ucla_loneliness_v3", "ses-post"), ["from_day", "overlap_days"]].isna().all()


def test_three_centimetres_of_hair_reach_back_before_the_course(tmp_path: Path) -> None:
    table = windows(tmp_path, assays=hair(length_cm=3))
    month = 365.25 / 12
    begin, end, overlap, share = table.loc[("log_hair_cortisol", "ses-post")]
    assert (begin, end) == pytest.approx((56 - 3 * month, 56), abs=0.05)
    assert overlap == 56
    assert share == pytest.approx(56 / (3 * month), abs=5e-4)
    assert table.loc[("log_hair_cortisol", "ses-pre"), "overlap_days"] == 0


def test_hair_left_on_the_scalp_shifts_the_window(tmp_path: Path) -> None:
    table = windows(tmp_path, assays=hair(length_cm=1, unsampled_cm=0.5, growth_cm_per_month=1.25))
    month = 365.25 / 12 / 1.25
    begin, end, overlap, _ = table.loc[("log_hair_cortisol", "ses-post")]
    assert (begin, end) == pytest.approx((56 - 1.5 * month, 56 - 0.5 * month), abs=0.05)
    assert overlap == pytest.approx(month, abs=0.05)


def test_blood_is_a_moment_and_declared_days_of_the_intervention_count(tmp_path: Path) -> None:
    expression = {
        "matrix": "m",
        "unit": "tpm",
        "samples": "s",
        "columns": {"sample": "a", "participant": "b", "session": "c"},
    }
    table = windows(tmp_path, expression=expression, intervention_days=[7, 49], assays=hair(days=30))
    assert table.loc[("ctra", "ses-post")].tolist()[:3] == [56, 56, 0]
    assert np.isnan(table.loc[("ctra", "ses-post"), "overlap_share"])
    assert table.loc[("log_hair_cortisol", "ses-post")].tolist() == [
        26,
        56,
        23,
        pytest.approx(23 / 30, abs=5e-4),
    ]


def test_the_command_writes_the_table(tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text("id,visit,x\n1,ses-pre,3\n")
    path = write_study(tmp_path / "study.yaml", assays=hair(length_cm=3))
    ingest_study(study=path, data=tmp_path, out=tmp_path / "out", windows=tmp_path / "windows.tsv")
    lines = (tmp_path / "windows.tsv").read_text().splitlines()
    assert lines[0] == "measure\tsession_id\tfrom_day\tto_day\toverlap_days\toverlap_share"
    assert lines[2] == "log_hair_cortisol\tses-post\t-35.3\t56.0\t56.0\t0.613"
