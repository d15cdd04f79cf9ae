"""Laboratory values: detection limit, duplicates, logarithm, batches; expected values by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pniflow.assays.score_assays import score_assays
from pniflow.errors import InputError
from pniflow.study.ingest_study import ingest_study
from study_files import write_study

COLUMNS = {"participant": "id", "session": "visit", "value": "pg_mg"}


def scored(folder: Path, text: str, **rule: Any) -> pd.DataFrame:
    """Ingest and score one assay from the text of its table."""
    (folder / "hair.csv").write_text(text, encoding="utf-8")
    columns = COLUMNS | rule.pop("columns", {})
    rules = {
        "hair_cortisol": {"file": "hair.csv", "columns": columns, "unit": "pg/mg", "detection_limit": 0.5}
        | rule
    }
    study = write_study(folder / "study.yaml", assays=rules)
    ingest_study(study=study, data=folder, out=folder)
    score_assays(assays=folder / "assays.tsv", study=study, scores=folder / "scores.tsv")
    table = pd.read_csv(folder / "scores.tsv", sep="\t", dtype={"participant_id": str})
    return table.set_index(["participant_id", "session_id"])


def test_values_become_natural_logarithms_with_their_unit(tmp_path: Path) -> None:
    table = scored(tmp_path, "id,visit,pg_mg\n01,ses-pre,4.2\n01,ses-post,7.9\n")
    assert table["value"].tolist() == pytest.approx([math.log(4.2), math.log(7.9)], rel=1e-15)
    assert set(table["measure"]) == {"log_hair_cortisol"}
    assert set(table["unit"]) == {"ln pg/mg"}
    assert not table["below_limit"].any()


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("half_limit", math.log(0.25)),
        ("limit_over_sqrt2", math.log(0.5 / math.sqrt(2))),
        ("missing", math.nan),
    ],
)
@pytest.mark.parametrize("cell", ["0.31", "<0.5", "< 0.5", "<LOD", "0,31", "0"])
def test_a_value_below_the_limit_is_substituted_and_counted(
    tmp_path: Path, how: str, expected: float, cell: str
) -> None:
    text = f"id;visit;pg_mg\n01;ses-pre;{cell}\n02;ses-pre;2\n"
    table = scored(tmp_path, text, below_limit_as=how)
    assert table.loc[("01", "ses-pre"), "value"] == pytest.approx(expected, nan_ok=True, rel=1e-14)
    assert table["below_limit"].tolist() == [True, False]
    raw = pd.read_csv(tmp_path / "assays.tsv", sep="\t")
    assert raw["below_limit"].sum() == 1


def test_a_value_at_the_limit_is_measured(tmp_path: Path) -> None:
    table = scored(tmp_path, "id,visit,pg_mg\n01,ses-pre,0.5\n")
    assert table["value"].tolist() == pytest.approx([math.log(0.5)])
    assert not table["below_limit"].any()


@pytest.mark.parametrize(
    ("log", "expected", "measure"),
    [
        ("log2", 3, "log_hair_cortisol"),
        ("log10", math.log10(8), "log_hair_cortisol"),
        ("none", 8, "hair_cortisol"),
    ],
)
def test_other_scales(tmp_path: Path, log: str, expected: float, measure: str) -> None:
    table = scored(tmp_path, "id,visit,pg_mg\n01,ses-pre,8\n", log=log)
    assert table["value"].tolist() == pytest.approx([expected])
    assert table["measure"].tolist() == [measure]


def test_duplicates_are_averaged_before_the_logarithm_with_their_cv(tmp_path: Path) -> None:
    table = scored(tmp_path, "id,visit,pg_mg\n01,ses-pre,4\n01,ses-pre,6\n02,ses-pre,3\n02,ses-pre,0.2\n")
    assert table.loc[("01", "ses-pre"), "value"] == pytest.approx(math.log(5))
    assert table.loc[("01", "ses-pre"), "cv_percent"] == pytest.approx(100 * math.sqrt(2) / 5)
    assert table.loc[("02", "ses-pre"), "value"] == pytest.approx(math.log((3 + 0.25) / 2))
    assert math.isnan(table.loc[("02", "ses-pre"), "cv_percent"])
    assert table["replicates"].tolist() == [2, 2]


def test_duplicates_that_vary_by_more_than_declared_are_blank(tmp_path: Path) -> None:
    table = scored(
        tmp_path, "id,visit,pg_mg\n01,ses-pre,4\n01,ses-pre,6\n02,ses-pre,5\n02,ses-pre,5.2\n", maximum_cv=15
    )
    assert math.isnan(table.loc[("01", "ses-pre"), "value"])
    assert table.loc[("02", "ses-pre"), "value"] == pytest.approx(math.log(5.1))


def test_a_blank_or_missing_code_stays_missing(tmp_path: Path) -> None:
    text = "id,visit,pg_mg\n01,ses-pre,\n02,ses-pre,QNS\n03,ses-pre,2\n"
    table = scored(tmp_path, text, missing_codes={"QNS": "too little hair"})
    assert table["value"].isna().tolist() == [True, True, False]
    assert not table["below_limit"].any()


def test_a_zero_without_a_detection_limit_has_no_logarithm(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="hair_cortisol is 0 for 01 ses-pre, which has no logarithm"):
        scored(tmp_path, "id,visit,pg_mg\n01,ses-pre,0\n", detection_limit=None)


def test_plates_that_each_hold_one_session_are_refused_unless_declared(tmp_path: Path) -> None:
    text = "id,visit,pg_mg,plate\n01,ses-pre,4,A\n02,ses-pre,5,A\n01,ses-post,6,B\n02,ses-post,7,C\n"
    columns = {"columns": {"batch": "plate"}}
    with pytest.raises(InputError, match=r"every batch of hair_cortisol holds one session only \(A, B, C\)"):
        scored(tmp_path, text, **columns)
    assert len(scored(tmp_path, text, batch_by_session=True, columns={"batch": "plate"})) == 4
    table = scored(tmp_path, text.replace("B", "A"), columns={"batch": "plate"})
    assert table["batch"].tolist() == ["A", "A", "A", "C"]


def test_the_same_table_takes_crp_beside_cortisol(tmp_path: Path) -> None:
    (tmp_path / "lab.csv").write_text("id,visit,pg_mg,crp\n01,ses-pre,4,<0.2\n01,ses-post,5,1.5\n")
    crp = {
        "file": "lab.csv",
        "columns": COLUMNS | {"value": "crp"},
        "unit": "mg/l",
        "detection_limit": 0.2,
        "log": "log2",
    }
    hair = {"file": "lab.csv", "columns": COLUMNS, "unit": "pg/mg"}
    study = write_study(tmp_path / "study.yaml", assays={"hair_cortisol": hair, "crp": crp})
    ingest_study(study=study, data=tmp_path, out=tmp_path)
    score_assays(assays=tmp_path / "assays.tsv", study=study, scores=tmp_path / "scores.tsv")
    table = pd.read_csv(tmp_path / "scores.tsv", sep="\t").set_index(["measure", "session_id"])["value"]
    assert table["log_crp", "ses-pre"] == pytest.approx(math.log2(0.1))
    assert table["log_crp", "ses-post"] == pytest.approx(math.log2(1.5))
    assert table["log_hair_cortisol", "ses-post"] == pytest.approx(math.log(5))


@given(st.lists(st.floats(0.01, 1000), min_size=1, max_size=8))
def test_any_values_are_counted_below_the_limit_as_by_hand(
    tmp_path_factory: pytest.TempPathFactory, values: list[float]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "assay"
    folder.mkdir(exist_ok=True)
    lines = [f"{number:02},ses-pre,{value!r}" for number, value in enumerate(values)]
    table = scored(folder, "\n".join(["id,visit,pg_mg", *lines, ""]))
    expected = [math.log(0.25 if value < 0.5 else value) for value in values]
    assert table["value"].tolist() == pytest.approx(expected, abs=1e-12)
    assert int(table["below_limit"].sum()) == sum(value < 0.5 for value in values)


def test_the_limit_stands_on_the_analysed_scale_for_a_censored_model(tmp_path: Path) -> None:
    table = scored(tmp_path, "id,visit,pg_mg\n01,ses-pre,<0.2\n02,ses-pre,3\n")
    assert table["limit"].tolist() == pytest.approx([math.log(0.2), math.log(0.5)])


def test_a_blank_duplicate_does_not_hide_that_the_other_lies_below_the_limit(tmp_path: Path) -> None:
    table = scored(tmp_path, "id,visit,pg_mg\n01,ses-pre,<0.5\n01,ses-pre,\n02,ses-pre,<0.5\n02,ses-pre,4\n")
    assert table["below_limit"].tolist() == [True, False]
    assert table["replicates"].tolist() == [1, 2]


def test_a_zero_among_duplicates_is_refused_and_does_not_halve_their_mean(tmp_path: Path) -> None:
    text = "id,visit,pg_mg\n01,ses-pre,4\n01,ses-pre,0\n02,ses-pre,3\n"
    with pytest.raises(InputError, match="hair_cortisol is 0 for 01 ses-pre, which has no logarithm"):
        scored(tmp_path, text, detection_limit=None)


def test_a_word_among_decimal_commas_is_the_only_cell_named(tmp_path: Path) -> None:
    text = "id;visit;pg_mg\n01;ses-pre;4,2\n02;ses-pre;n.d.\n"
    with pytest.raises(InputError, match=r"has row 3 'n.d.'; numbers, '<limit' or blank were expected"):
        scored(tmp_path, text)
