"""Twelve real people, three CAT12 generations: every number, name and side against another reading of the
same files.

The other reading is made here, with a tree parser and regular expressions, and shares no code with pniflow.
"""

from __future__ import annotations

import csv
import math
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest

import cat12_files as made
from pniflow.contracts import read_table
from pniflow.errors import InputError
from pniflow.imaging.atlases import region_groups, require_group
from pniflow.imaging.cat12.index_cat12 import index_cat12
from pniflow.imaging.cat12.overlays import read_curv
from pniflow.imaging.cat12.parse_cat12 import parse_cat12
from pniflow.imaging.ingest_freesurfer import ingest_freesurfer

METRIC = {
    "Vgm": ("gm_volume", "ml"),
    "Vwm": ("wm_volume", "ml"),
    "Vcsf": ("csf_volume", "ml"),
    "thickness": ("thickness", "mm"),
}
Key = tuple[str, str, str, str]


@pytest.fixture(scope="module")
def ixi(real_data: Path) -> Path:
    return real_data / "cat12" / "ixi"


@pytest.fixture(scope="module")
def tables(ixi: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """The twelve as pniflow reads them."""
    out = tmp_path_factory.mktemp("ixi")
    paths = {"regions": out / "r.parquet", "globals": out / "g.tsv", "quality": out / "q.tsv"}
    parse_cat12([ixi], **paths)
    return {name: read_table(path, name) for name, path in paths.items()}


def read_again(ixi: Path) -> dict[Key, tuple[str, float, str]]:
    """Scan, atlas, name, tag -> text of the number, its value, file."""
    found = {}
    for path in sorted(ixi.glob("label/catROI*_*.xml")):
        scan = re.sub(r"^catROIs?_|\.xml$", "", path.name)
        for atlas in ElementTree.parse(path).getroot():  # noqa: S314 (own files)
            names = [item.text or "" for item in atlas.findall("names/item")]
            for data in atlas.findall("data/*"):
                words = re.findall(r"[^\[\];\s]+", data.text or "")
                assert len(words) == len(names)
                for name, word in zip(names, words, strict=True):
                    source = path.relative_to(ixi).as_posix()
                    found[scan, atlas.tag, name, data.tag] = (word, float(word), source)
    return found


def test_every_number_of_the_label_files_is_there_once_and_equal(
    ixi: Path, tables: dict[str, pd.DataFrame]
) -> None:
    again = read_again(ixi)
    regions = tables["regions"]
    tags = {metric: tag for tag, (metric, _) in METRIC.items()}
    read = {
        (row.scan, row.atlas, row.source_name, tags.get(row.metric, row.metric)): (row.value, row.source)
        for row in regions.itertuples()
    }
    assert len(read) == len(regions) == len(again)
    assert set(read) == set(again)
    for key, (word, value, source) in again.items():
        mine, mine_source = read[key]
        assert mine_source == source
        assert (math.isnan(mine) and word == "NaN") or mine == value, key


def test_units_and_metrics_are_those_of_the_tags(tables: dict[str, pd.DataFrame]) -> None:
    regions = tables["regions"]
    for metric, unit in METRIC.values():
        assert set(regions.loc[regions["metric"] == metric, "unit"]) == {unit}
    assert set(regions["metric"]) == {
        "gyrification",
        "Tgm",
        "Twm",
        "Tcsf",
        *(metric for metric, _ in METRIC.values()),
    }


def test_sides_are_those_of_cat12s_own_tables(real_data: Path, tables: dict[str, pd.DataFrame]) -> None:
    """By CAT12's full names (Left Anterior Insula) for volumes, by the annotation's hemisphere for
    surfaces.
    """
    sides: dict[tuple[str, str], str] = {}
    words = {"Left": "left", "Right": "right", "Bothside": "both"}
    for path in (real_data / "cat12" / "atlases" / "volume_r1278").glob("*.csv"):
        with open(path, encoding="utf-8") as stream:
            for row in csv.DictReader(stream, delimiter=";"):
                sides[path.stem, row["ROIabbr"]] = words.get(row["ROIname"].split()[0], "")
    for path in (real_data / "cat12" / "atlases" / "surface_32k").glob("aparc*.tsv"):
        with open(path, encoding="utf-8") as stream:
            for row in csv.DictReader(stream, delimiter="\t"):
                sides[path.stem.removesuffix(".freesurfer"), row["catROIs_name"]] = {
                    "l": "left",
                    "r": "right",
                }[row["hemi"]]
    named = tables["regions"][["atlas", "source_name", "hemisphere"]].drop_duplicates()
    assert len(named) == 68 + 56 + 142 + 72 + 362 + 152
    for row in named.itertuples():
        assert sides[row.atlas, row.source_name] == row.hemisphere, (row.atlas, row.source_name)


def test_regions_without_a_value_are_the_medial_wall(tables: dict[str, pd.DataFrame]) -> None:
    regions = tables["regions"]
    thickness = regions[(regions["metric"] == "thickness") & regions["value"].isna()]
    assert set(thickness["source_name"]) == {
        "runknown", "lcorpuscallosum", "rcorpuscallosum", "l???", "r???", "lMedial_wall", "rMedial_wall"
    }  # fmt: skip


def test_whole_brain_numbers_equal_the_reports_text(ixi: Path, tables: dict[str, pd.DataFrame]) -> None:
    globals_ = tables["globals"].set_index("scan")
    assert len(globals_) == 3
    for path in ixi.glob("report/cat_*.xml"):
        row = globals_.loc[path.stem.removeprefix("cat_")]
        text = path.read_text()
        measures = text[text.index("<subjectmeasures>") : text.index("</subjectmeasures>")]
        csf, gm, wm, wmh = map(float, re.search(r"<vol_abs_CGW>\[([^\]]*)\]", measures)[1].split())
        assert (row["csf"], row["gm"], row["wm"], row["wmh"]) == (csf, gm, wm, wmh)
        assert row["tiv"] == float(re.search(r"<vol_TIV>([^<]*)<", measures)[1])
        assert row["tiv"] == pytest.approx(csf + gm + wm + wmh, rel=5e-7)  # CAT12 adds in single precision
        assert row["cat_version"] == "r" + re.search(r"<version_cat>([^<]*)<", text)[1]
        thickness = re.search(r"<dist_thickness>\s*<item>\[(\S+) ", measures)
        assert (thickness and float(thickness[1]) == row["mean_thickness"]) or math.isnan(
            row["mean_thickness"]
        )


def test_quality_marks_percent_and_grade(tables: dict[str, pd.DataFrame]) -> None:
    """Marks as in the reports; IQR is the eighth-power mean of NCR and res_RMS; grades by CAT12's own
    table.
    """
    quality = tables["quality"].set_index("scan")
    assert list(quality["status"]) == ["ok"] * 12
    assert quality["iqr"].notna().sum() == 3
    first = quality.loc["IXI002-Guys-0828-T1"]
    assert first["iqr"] == 1.97196481973482
    assert first["iqr"] == pytest.approx(
        ((first["ncr"] ** 8 + first["res_rms"] ** 8) / 2) ** (1 / 8), rel=1e-6
    )
    assert first["iqr_percent"] == pytest.approx(85.2803518, abs=1e-6)
    assert first["iqr_grade"] == "B"


def test_cat26_report(real_data: Path, tmp_path: Path) -> None:
    """CAT26 moves settings, adds SIQR, keeps hyperintensities in an element of their own; its log says 77.86
    % (C+).
    """
    paths = {"regions": tmp_path / "r.parquet", "globals": tmp_path / "g.tsv", "quality": tmp_path / "q.tsv"}
    parse_cat12([real_data / "cat12" / "cat26"], **paths)
    row = read_table(paths["globals"], "globals").iloc[0]
    assert (row["participant_id"], row["session_id"]) == ("sub-01", "ses-test")
    assert (row["csf"], row["gm"], row["wm"]) == (271.314705177025, 510.463023261735, 383.999106869807)
    assert (row["wmh"], row["tiv"], row["stroke_lesion"]) == (1.29576823628825, 1165.77683530857, 0)
    assert (row["cat_version"], row["wmh_handling"], row["lesion_handling"]) == ("26.0.rc3 r3250", "2", "0")
    quality = read_table(paths["quality"], "quality").iloc[0]
    assert round(quality["siqr_percent"], 2) == 77.86
    assert quality["siqr_grade"] == "C+"
    assert quality["siqr"] == 2.71403323597252
    assert quality["iqr"] == 2.32883660894526
    log = (real_data / "cat12" / "cat26" / "catlog_sub-01_ses-test_T1w.txt").read_text()
    assert "77.86% (C+)" in log


def test_no_path_of_whoever_ran_cat12_reaches_a_table(tables: dict[str, pd.DataFrame]) -> None:
    for table in tables.values():
        for column in table.columns:
            if table[column].dtype == "str":
                assert not table[column].str.contains("/Users|gaser", na=False).any(), column


ANTERIOR = {
    "neuromorphometrics": ["lAntIns", "rAntIns"],
    "aparc_a2009s": [
        "lS_circular_insula_ant",
        "lG_insular_short",
        "rS_circular_insula_ant",
        "rG_insular_short",
    ],
}


def test_the_anterior_insula_by_hand(ixi: Path, tables: dict[str, pd.DataFrame]) -> None:
    """Volume as it stands; thickness weighted by the vertices of the 32k annotation (145, 178 left; 159, 143
    right).
    """
    again = read_again(ixi)
    groups = region_groups(tables["regions"]).set_index(["scan", "measure"])["value"]
    for scan in tables["quality"]["scan"]:

        def number(atlas: str, name: str, tag: str, scan: str = scan) -> float:
            return again[scan, atlas, name, tag][1]

        left, right = (number("neuromorphometrics", name, "Vgm") for name in ANTERIOR["neuromorphometrics"])
        assert groups[scan, "neuromorphometrics.anterior_insula.left.gm_volume"] == left
        assert groups[scan, "neuromorphometrics.anterior_insula.right.gm_volume"] == right
        asymmetry = groups[scan, "neuromorphometrics.anterior_insula.left_minus_right.gm_volume"]
        assert asymmetry == pytest.approx((left - right) / (left + right), rel=1e-12)
        a, b, c, d = (number("aparc_a2009s", name, "thickness") for name in ANTERIOR["aparc_a2009s"])
        left, right = (145 * a + 178 * b) / 323, (159 * c + 143 * d) / 302
        assert groups[scan, "aparc_a2009s.anterior_insula.left.thickness"] == pytest.approx(left, rel=1e-12)
        assert groups[scan, "aparc_a2009s.anterior_insula.right.thickness"] == pytest.approx(right, rel=1e-12)
        difference = groups[scan, "aparc_a2009s.anterior_insula.left_minus_right.thickness"]
        assert difference == pytest.approx(left - right, abs=1e-12)
    assert not any("DK40.anterior_insula" in measure for _, measure in groups.index)


def test_dk40_has_no_anterior_insula(tables: dict[str, pd.DataFrame]) -> None:
    with pytest.raises(
        InputError, match="aparc_DK40 has no anterior_insula, it has the insula as one region"
    ):
        region_groups(tables["regions"], ["aparc_DK40.anterior_insula"])
    require_group("aparc_DK40", "insula")


def test_mirrored_sides_flip_the_signs_and_nothing_else(tables: dict[str, pd.DataFrame]) -> None:
    regions = tables["regions"]
    regions = regions[regions["metric"] == "gm_volume"]
    mirrored = regions.assign(
        hemisphere=regions["hemisphere"].map(lambda side: {"left": "right", "right": "left"}.get(side, side))
    )
    here, there = (
        region_groups(frame).set_index(["scan", "measure"])["value"] for frame in (regions, mirrored)
    )
    assert len(here)
    for (scan, measure), value in here.items():
        if "left_minus_right" in measure:
            assert there[scan, measure] == -value
        else:
            side, other = ("left", "right") if ".left." in measure else ("right", "left")
            assert there[scan, measure.replace(f".{side}.", f".{other}.")] == value


def test_mat_twins_give_what_the_xml_gives_to_the_printed_precision(ixi: Path, tmp_path: Path) -> None:
    """The XML holds 15 digits of the doubles that the .mat holds whole."""
    found = {}
    for ending in ("xml", "mat"):
        folder = tmp_path / ending
        for mat in ixi.glob("*/*.mat"):
            place = folder / mat.parent.name / mat.name
            place.parent.mkdir(parents=True, exist_ok=True)
            (place.with_suffix(f".{ending}")).write_bytes(mat.with_suffix(f".{ending}").read_bytes())
        paths = {name: tmp_path / f"{ending}_{name}.tsv" for name in ("globals", "quality")}
        paths["regions"] = tmp_path / f"{ending}.parquet"
        parse_cat12([folder], **paths)
        found[ending] = {name: read_table(path, name) for name, path in paths.items()}
    assert len(found["mat"]["regions"]) == len(found["xml"]["regions"]) == 2 * (408 + 112 + 568 + 2 * 586)
    for name, table in found["mat"].items():
        twin = found["xml"][name]
        for column in table.columns:
            if table[column].dtype == "float64":
                printed = table[column].map("{:.15g}".format)
                assert list(printed) == list(twin[column].map("{:.15g}".format)), (name, column)
            elif column != "source":
                pd.testing.assert_series_equal(table[column], twin[column])
    assert found["mat"]["regions"]["source"].str.endswith(".mat").all()


def test_native_thickness_has_the_mean_that_cat12_reports(
    ixi: Path, tmp_path: Path, tables: dict[str, pd.DataFrame]
) -> None:
    """CAT12 wrote mean and standard deviation over both hemispheres into the report of IXI016."""
    scan = "IXI016-Guys-0697-T1"
    sides = [read_curv(ixi / "surf" / f"{side}.thickness.{scan}", side) for side in ("lh", "rh")]
    for side, read in zip(("lh", "rh"), sides, strict=True):
        np.testing.assert_array_equal(
            read, nibabel.freesurfer.read_morph_data(ixi / "surf" / f"{side}.thickness.{scan}")
        )
    both = np.concatenate(sides).astype(float)
    row = tables["globals"].set_index("scan").loc[scan]
    assert both.mean() == pytest.approx(row["mean_thickness"], rel=1e-13)
    assert both.std(ddof=1) == pytest.approx(row["sd_thickness"], rel=1e-9)


def test_whole_trees_of_real_runs_are_indexed(real_data: Path, tmp_path: Path) -> None:
    """File lists of a cross-sectional run and of a longitudinal one (ageing model), first scan and second."""
    layouts = real_data / "cat12" / "layouts"
    lists = {
        "P7_pre": "check_neededfiles_long_baseline.txt",
        "P7_post": "check_neededfiles_long_followup.txt",
        "P8_pre": "check_neededfiles.txt",
    }
    content = {"cat": made.report(), "label": made.document(made.atlas("x", ["lA"], {"thickness": [1.0]}))}
    for stem, name in lists.items():
        for line in (layouts / name).read_text().split():
            path = tmp_path / "cat12" / stem / line.lstrip("/").replace("PROBANDENID", stem)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content["label" if "/label/" in line else "cat"])
    study = tmp_path / "study.yaml"
    study.write_text(
        "title: t\nsessions: {ses-pre: {}, ses-post: {}}\n"
        "cat12: {folder: cat12, lesion_handling: none, pattern: '{participant}_{session}'}\n"
    )
    index_cat12(folder=tmp_path / "cat12", study=study, batches=1, scans=tmp_path / "scans.tsv")
    scans = read_table(tmp_path / "scans.tsv", "scans").set_index("scan")
    assert sorted(scans.index) == ["P8_pre", "avg_P7_pre", "rP7_post", "rP7_pre"]
    assert scans["average"].to_dict() == dict.fromkeys(scans.index, False) | {"avg_P7_pre": True}
    points = scans[~scans["average"]]
    assert points["longitudinal"].to_dict() == {"P8_pre": False, "rP7_post": True, "rP7_pre": True}
    assert (points["participant_id"] + points["session_id"]).to_dict() == {
        "P8_pre": "P8ses-pre", "rP7_post": "P7ses-post", "rP7_pre": "P7ses-pre",
    }  # fmt: skip
    assert points["longitudinal_model"].fillna("").to_dict() == {
        "P8_pre": "", "rP7_post": "ageing", "rP7_pre": "ageing",
    }  # fmt: skip
    assert points.loc["rP7_pre", "report"] == "P7_pre/report/cat_rP7_pre.xml"  # the .mat twin lies beside it


def test_freesurfer_tables_of_a_real_person(real_data: Path, tmp_path: Path) -> None:
    """The left hemisphere of one person in three parcellations, and a table of subfields."""
    ingest_freesurfer(folder=real_data / "freesurfer", regions=tmp_path / "fs.parquet")
    table = read_table(tmp_path / "fs.parquet", "regions")
    lines = (real_data / "freesurfer" / "lh.aparc.stats").read_text().splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    mine = table[table["atlas"] == "freesurfer_aparc"]
    whole = mine[mine["region"].isin(["MeanThickness", "WhiteSurfArea"])].set_index("region")["value"]
    assert whole.to_dict() == {"MeanThickness": 2.50461, "WhiteSurfArea": 98536.5}
    mine = mine[~mine["region"].isin(whole.index)]
    found = {(row.region, row.metric): row.value for row in mine.itertuples()}
    assert len(found) == 3 * len(rows) == 3 * 34
    for row in rows:
        assert found[row[0], "thickness"] == float(row[4])
        assert found[row[0], "gm_volume"] == pytest.approx(float(row[3]) / 1000, rel=1e-15)
        assert found[row[0], "area"] == float(row[2])
    assert set(mine["hemisphere"]) == {"left"}
    subfields = table[table["atlas"] == "freesurfer_subfields"].set_index("region")["value"]
    assert subfields["hippocampal_tail"] == pytest.approx(0.123456789, rel=1e-12)
    assert len(subfields) == 13
    text = table.astype(str).to_csv()
    assert "some-username" not in text
    assert "some-hostname" not in text
