"""What a number of the brain can be: the impossible is refused, the implausible is kept and flagged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pniflow import resources
from pniflow.cohort import flags
from pniflow.errors import InputError
from pniflow.imaging.ranges import VOXEL, MapCheck, range_of, range_of_measure, require_possible

ROWS = resources.rows("atlases", "ranges", "quantity")


def test_every_range_has_a_source_and_what_is_usual_is_possible() -> None:
    for row in ROWS:
        rule = range_of(row["quantity"])
        assert row["source"]
        assert rule.minimum <= max(rule.usual_from, rule.minimum) <= min(rule.usual_to, rule.maximum)


@pytest.mark.parametrize(
    ("value", "quantity", "words"),
    [
        (34000.0, "lesion_volume", r"34000 ml; at most 1000 .*in mm3, it is 34 ml: correct the unit"),
        (1.5e6, "tiv", r"1.5e\+06 ml; at most 10000 .*in mm3, it is 1500 ml"),
        (-0.5, "gm_volume", "-0.5 ml; at least 0 is possible"),
        (-2.0, "lesion_count", "-2; at least 0 is possible"),
        (np.inf, "thickness", "inf mm; a finite number was expected"),
        (np.inf, "no such quantity", "inf.*; a finite number was expected"),
    ],
)
def test_the_impossible_is_refused_and_a_slip_of_units_is_named(value, quantity, words) -> None:
    with pytest.raises(InputError, match=f"a.csv is {words}"):
        require_possible(value, quantity, "a.csv")


def test_lesions_of_multiple_sclerosis_an_insula_and_missing_values_are_usual() -> None:
    for quantity, values in (("lesion_volume", [0.0, 34.0, 120.0]), ("thickness", [1.4, 5.7, np.nan])):
        rule = range_of(quantity)
        assert not rule.impossible(values).any() and not rule.implausible(values).any()
    assert not range_of_measure("a.insula.left_minus_right.thickness").implausible(-0.4)


def test_a_map_is_refused_where_a_value_cannot_be_or_none_is_there() -> None:
    good = np.linspace(0, 1, 9, dtype=np.float32)
    for values, quantity, words in (
        (good - 1, VOXEL, "8 of 9 voxels have impossible values, one -1; at least -0.01"),
        (good * np.float32(1e38), VOXEL, "8 of 9 voxels have impossible values"),
        (good * 255, VOXEL, r"possible \(if it is in 255ths, it is 1: correct"),
        (good * 0, VOXEL, "all 9 voxels are zero"),
        (good * np.nan, VOXEL, "all 9 voxels are zero or not a number"),
        (good + np.inf, "any", "the image holds an infinite value"),
        (good - 3, "thickness of a vertex", "9 of 9 voxels have impossible values, one -2 mm"),
    ):
        with pytest.raises(InputError, match=words):
            MapCheck(quantity, "voxels").flags(values, "a.nii")


def test_a_map_is_flagged_where_it_is_unusual_or_another_scans() -> None:
    look = MapCheck(VOXEL, "voxels")
    good = np.linspace(0, 1, 9, dtype=np.float32)
    assert look.flags(good, "a.nii") == ""
    assert look.flags(good.copy(), "b.nii") == "the same values as a.nii"
    assert look.flags(good * 8, "c.nii") == "3 voxels are beyond the usual -0.01 to 5"
    assert look.flags(good * 0 + 1, "d.nii") == "all voxels have the value 1"
    assert MapCheck("a measure of one's own", "vertices").flags(good * -99, "e.gii") == ""


def _measures(rows: list[tuple[str, str, str, float]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["participant_id", "session_id", "measure", "value"])
    return table.assign(unit="ml", domain="imaging")


def test_an_implausible_measure_is_flagged_with_its_place() -> None:
    table = _measures([("A", "ses-a", "tiv", 1500.0), ("B", "ses-b", "lesion_volume", 340.0)])
    (flag,) = flags.of_values(table).to_dict("records")
    assert (flag["participant_id"], flag["session_id"]) == ("B", "ses-b")
    assert flag["item"] == "measure lesion_volume" and flag["rule"] == "implausible value"
    assert "if it is in mm3, it is 0.34 ml" in flag["reason"]


def test_one_scan_under_two_names_is_flagged_and_two_healthy_people_without_lesions_are_not() -> None:
    volumes = {"tiv": 1500.125, "gm": 610.5, "wm": 502.25, "lesion_volume": 0.0, "lesion_count": 0.0}
    rows = [(who, "ses-a", name, value) for who in "AB" for name, value in volumes.items()]
    rows += [("C", "ses-a", name, value + 1) for name, value in volumes.items()]
    (flag,) = flags.of_copies(_measures(rows)).to_dict("records")
    assert flag["participant_id"] == "B" and "equal those of A ses-a" in flag["reason"]


def test_a_table_of_ones_own_changes_a_range(tmp_path: Path) -> None:
    (tmp_path / "atlases").mkdir()
    (tmp_path / "atlases/ranges.tsv").write_text("quantity\tunit\tmaximum\tsource\ntiv\tml\t1\tmine\n")
    with resources.searched(tmp_path), pytest.raises(InputError, match="at most 1 is possible"):
        require_possible(2.0, "tiv", "a")
    require_possible(1500.0, "tiv", "a")
