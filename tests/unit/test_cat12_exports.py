"""CAT12's own tables: ROI_*.csv and TIV.txt, either decimal sign, for labs that kept nothing else."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import cat12_files as made
from pniflow.contracts import read_table
from pniflow.errors import InputError
from pniflow.imaging.cat12.index_cat12 import index_cat12
from pniflow.imaging.cat12.parse_cat12 import parse_cat12

POINT = "names,lHip,rHip\nsub-1_ses-pre_T1w,2.1100,2.2360\nsub-1_ses-post_T1w,NaN,NaN\n"
COMMA = POINT.replace(",", ";").replace(".", ",")
TAB = "Name\tlHip\trHip\t\nsub-1_ses-pre_T1w\t2.1100\t2.2360\t\nsub-1_ses-post_T1w\tNaN\tNaN\t\n"


def parse(folder: Path) -> dict[str, pd.DataFrame]:
    out = folder.parent / f"{folder.name}_out"
    paths = {"regions": out / "r.parquet", "globals": out / "g.tsv", "quality": out / "q.tsv"}
    parse_cat12([folder], **paths)
    return {name: read_table(path, name) for name, path in paths.items()}


@pytest.mark.parametrize("text", [POINT, COMMA, TAB], ids=["point", "comma", "tab"])
@pytest.mark.parametrize("name", ["ROI_hammers_Vgm.csv", "ROI_catROI_hammers_Vgm.csv"])
def test_region_tables_of_every_version_and_locale(tmp_path: Path, text: str, name: str) -> None:
    made.write(tmp_path / "tables", {name: text})
    tables = parse(tmp_path / "tables")
    regions = tables["regions"].set_index(["session_id", "source_name"])
    assert regions.loc[("ses-pre", "lHip"), ["value", "hemisphere", "region", "metric", "unit"]].tolist() == [
        2.11, "left", "hippocampus", "gm_volume", "ml",
    ]  # fmt: skip
    assert regions.loc[("ses-pre", "rHip"), "value"] == 2.236
    assert regions.loc["ses-post", "value"].isna().all()
    assert set(regions["participant_id"]) == {"sub-1"}
    assert tables["quality"]["flags"].str.contains(f"from CAT12's own tables: {name}").all()
    assert list(tables["quality"]["status"]) == ["ok", "ok"]


@pytest.mark.parametrize(
    ("name", "atlas", "metric"),
    [
        ("ROI_aparc_DK40_thickness.csv", "aparc_DK40", "thickness"),
        ("ROI_catROIs_aparc_HCP_MMP1_thickness.csv", "aparc_HCP_MMP1", "thickness"),
        ("ROI_catROIs_aparc_a2009s_std_thickness.csv", "aparc_a2009s", "thickness_std"),
    ],
)
def test_surface_tables_have_atlases_with_underscores(
    tmp_path: Path, name: str, atlas: str, metric: str
) -> None:
    made.write(tmp_path / "tables", {name: "names,linsula\na,3.5\n"})
    row = parse(tmp_path / "tables")["regions"].iloc[0]
    assert (row["atlas"], row["metric"], row["hemisphere"], row["region"]) == (
        atlas,
        metric,
        "left",
        "insula",
    )


def test_label_files_go_before_tables(tmp_path: Path) -> None:
    files = made.good_scan("a") | {
        "ROI_neuromorphometrics_Vgm.csv": "names,Left Hippocampus\na,9.9999\nb,3.0\n"
    }
    made.write(tmp_path / "both", files)
    regions = parse(tmp_path / "both")["regions"]
    volumes = regions[regions["metric"] == "gm_volume"]
    assert dict(zip(volumes["scan"] + " " + volumes["source_name"], volumes["value"], strict=True)) == {
        "a Left Hippocampus": 3.25, "a Right Hippocampus": 3.5, "b Left Hippocampus": 3.0,
    }  # fmt: skip


def test_intracranial_volumes_with_names(tmp_path: Path) -> None:
    """The order in TIV.txt is TIV, GM, WM, CSF, WMH."""
    made.write(
        tmp_path / "one", {"TIV.txt": "/data/report/cat_a.xml\t1400.50\t650.25\t500.00\t250.00\t0.25\n"}
    )
    row = parse(tmp_path / "one")["globals"].iloc[0]
    assert row[["scan", "tiv", "gm", "wm", "csf", "wmh"]].tolist() == [
        "a",
        1400.5,
        650.25,
        500.0,
        250.0,
        0.25,
    ]
    made.write(tmp_path / "two", {"TIV.txt": "a\t1400,50\nb\t1300,00\n"})
    assert parse(tmp_path / "two")["globals"]["tiv"].tolist() == [1400.5, 1300.0]


def test_intracranial_volumes_without_names_are_never_joined_by_their_order(tmp_path: Path) -> None:
    made.write(tmp_path / "some", {"TIV.txt": "1400.50\n", "ROI_hammers_Vgm.csv": "names,lHip\na,2.0\n"})
    tables = parse(tmp_path / "some")
    assert tables["globals"].empty
    assert len(tables["regions"]) == 1


def test_tables_go_through_the_index(tmp_path: Path) -> None:
    made.write(tmp_path / "cat12" / "tables", {"ROI_hammers_Vgm.csv": POINT})
    study = tmp_path / "study.yaml"
    study.write_text(
        "title: t\nsessions: {ses-pre: {}, ses-post: {}}\ncat12: {folder: cat12, lesion_handling: none}\n"
    )
    index_cat12(folder=tmp_path / "cat12", study=study, batches=1, scans=tmp_path / "scans.tsv")
    scans = read_table(tmp_path / "scans.tsv", "scans")
    assert set(scans["exports"]) == {"tables/ROI_hammers_Vgm.csv"}
    paths = {"regions": tmp_path / "r.parquet", "globals": tmp_path / "g.tsv", "quality": tmp_path / "q.tsv"}
    parse_cat12([tmp_path / "cat12"], scans=tmp_path / "scans.tsv", **paths)
    regions = read_table(paths["regions"], "regions")
    assert len(regions) == 4
    assert set(regions["source"]) == {"tables/ROI_hammers_Vgm.csv"}


def test_another_table_of_such_a_name_is_passed_over_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made.write(tmp_path / "cat12", made.good_scan("a") | {"ROI_list_final.csv": "subject,region\na,insula\n"})
    made.write(tmp_path / "cat12", {"label/ROI_hammers_a.json": "{}"})
    assert list(parse(tmp_path / "cat12")["quality"]["scan"]) == ["a"]
    said = capsys.readouterr().err
    assert "ROI_list_final.csv: the first column is not 'names'" in said
    assert "Not read, for they are T1Prep's: ROI_hammers_a.json." in said
    made.write(tmp_path / "alone", {"ROI_list_final.csv": "subject,region\na,insula\n"})
    with pytest.raises(InputError, match="there are no CAT12 files"):
        parse(tmp_path / "alone")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ROI_my_summary.csv", "name,mean,comment\nhippocampus,3,good\n"),
        ("ROI_hammers_Vgm.csv", "names,lHip\na,2.0,3.0\n"),
        ("ROI_hammers_Vgm.csv", ""),
        ("TIV.txt", "a\t1400.5\t3\n"),
    ],
)
def test_a_table_that_no_scan_needs_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    good = made.good_scan("a")
    made.write(tmp_path / "cat12", good | {name: text})
    tables = parse(tmp_path / "cat12")
    made.write(tmp_path / "without", good)
    pd.testing.assert_frame_equal(tables["regions"], parse(tmp_path / "without")["regions"])
    assert f"{name}: " in (said := capsys.readouterr().err) and "No scan needs this table" in said


def test_a_blank_cell_of_a_table_is_missing(tmp_path: Path) -> None:
    made.write(tmp_path / "gaps", {"ROI_hammers_Vgm.csv": "names,lHip,rHip\na,,\nb,3.1,\n"})
    values = parse(tmp_path / "gaps")["regions"].set_index(["scan", "source_name"])["value"]
    assert values.dropna().to_dict() == {("b", "lHip"): 3.1}
    made.write(tmp_path / "header", {"TIV.txt": "name\tTIV\tWM\tGM\tCSF\tWMH\na\t1400\t500\t650\t249\t1\n"})
    assert parse(tmp_path / "header")["globals"].iloc[0][["tiv", "gm", "wm"]].tolist() == [1400, 650, 500]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("names,lHip\na,2.0,3.0\n", "row 2 has 3 cells, the header 2"),
        ("names,lHip\na,two\n", "row 2 holds 'two', which is not a number"),
        ("names,lHip\na,-1.0\n", "row 2, hammers/Vgm of lHip is -1 ml"),
        ("names,lHip\na,1.0\na,1.0\n", "row 3 repeats the scan a"),
        ("names,lHip,lHip\na,1.0,1.0\n", "the header repeats lHip"),
        ("names,lHip\na,1\r.5\n", "row 2 holds '1 .5'|row 3 has 1 cells"),
        ('names,lHip\na,"1.0\n' + "x" * 200_000, "this is not a table .field larger than"),
        ("", "the file is empty"),
    ],
    ids=["wide", "text", "negative", "repeated scan", "repeated name", "line end", "endless field", "empty"],
)
def test_tables_that_are_refused(tmp_path: Path, text: str, says: str) -> None:
    made.write(tmp_path / "bad", {"ROI_hammers_Vgm.csv": text})
    with pytest.raises(InputError, match=f"ROI_hammers_Vgm.csv: {says}"):
        parse(tmp_path / "bad")
