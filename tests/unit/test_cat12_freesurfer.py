"""FreeSurfer's tables beside CAT12, and the head of the hippocampus."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import cat12_files as made
from pniflow.cat12 import ingest_freesurfer, region_groups
from pniflow.errors import InputError
from pniflow.files import read_table

ASEG = """# Title Segmentation Statistics
# subjectname x
# ColHeaders  Index SegId NVoxels Volume_mm3 StructName normMean
  1   4  100  10500.5  Left-Lateral-Ventricle  30.1
 12  17  100   4200.0  Left-Hippocampus  60.0
 27  53  100   4350.0  Right-Hippocampus  60.0
 11  16  100  21000.0  Brain-Stem  70.0
"""
SUBFIELDS = (
    "Hippocampal_tail 550.5\nCA1-head 520.0\nWhole_hippocampal_body 1200.0\nWhole_hippocampal_head {}\n"
)


def read(folder: Path) -> pd.DataFrame:
    ingest_freesurfer(folder=folder, regions=folder.parent / "fs.parquet")
    return read_table(folder.parent / "fs.parquet", "regions")


def test_aseg_volumes_are_millilitres_on_their_side(tmp_path: Path) -> None:
    made.write(tmp_path / "fs", {"sub-1_ses-pre.long.sub-1/stats/aseg.stats": ASEG})
    table = read(tmp_path / "fs").set_index("source_name")
    assert table.loc["Right-Hippocampus", ["region", "hemisphere", "value", "unit"]].tolist() == [
        "Hippocampus", "right", 4.35, "ml",
    ]  # fmt: skip
    assert table.loc["Brain-Stem", "hemisphere"] == "both"
    assert set(table["participant_id"]) == {"sub-1"}
    assert set(table["session_id"]) == {"ses-pre"}


def test_the_head_of_the_hippocampus_is_a_group_with_its_asymmetry(tmp_path: Path) -> None:
    made.write(tmp_path / "fs", {
        "sub-1_ses-pre/mri/lh.hippoSfVolumes-T1.long.v21.txt": SUBFIELDS.format("1700.0"),
        "sub-1_ses-pre/mri/rh.hippoSfVolumes-T1.long.v21.txt": SUBFIELDS.format("1800.0"),
    })  # fmt: skip
    groups = region_groups(read(tmp_path / "fs")).set_index("measure")["value"]
    assert groups["freesurfer_hippocampus.hippocampal_head.right.volume"] == pytest.approx(1.8)
    assert groups["freesurfer_hippocampus.hippocampal_tail.left.volume"] == pytest.approx(0.5505)
    asymmetry = groups["freesurfer_hippocampus.hippocampal_head.left_minus_right.volume"]
    assert asymmetry == pytest.approx((1.7 - 1.8) / 3.5)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("s/stats/aseg.stats", ASEG.replace("# ColHeaders", "# Columns"), "'# ColHeaders' is missing"),
        ("s/stats/aseg.stats", ASEG.replace("StructName", "Name"), "column 'StructName' is missing"),
        ("s/stats/aseg.stats", ASEG.replace("4200.0", "big"), "Left-Hippocampus is 'big'; a number"),
        ("s/stats/aseg.stats", ASEG.replace("4200.0", "-1"), "Left-Hippocampus is -1; zero or more"),
        ("s/stats/aseg.stats", ASEG.replace("  60.0\n", "\n", 1), "has 5 cells, the header 6"),
        ("s/mri/lh.hippoSfVolumes-T1.v10.txt", "CA1 2 3\n", "is not a name and a volume"),
        ("s/none.txt", "", "there are no tables of FreeSurfer"),
    ],
)
def test_damaged_tables_are_refused(tmp_path: Path, name: str, text: str, says: str) -> None:
    made.write(tmp_path / "fs", {name: text})
    with pytest.raises(InputError, match=says):
        read(tmp_path / "fs")
