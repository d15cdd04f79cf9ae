"""Label files and reports: one table whatever the order, shape and company of the numbers."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cat12_files as made
from pniflow.contracts import read_table
from pniflow.errors import InputError
from pniflow.imaging.cat12 import document
from pniflow.imaging.cat12.parse_cat12 import parse_cat12
from pniflow.imaging.cat12.report_xml import Report, globals_of, grade, percent, quality_of

ON_ONE_PATH = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
PARTS = ("ids", "names", "version", "comments", "data")


TABLES = ("regions", "globals", "quality")


def parse(folder: Path, wanted: tuple[str, ...] = TABLES, **options: bool) -> dict[str, pd.DataFrame]:
    out = folder.parent / f"{folder.name}_out"
    paths = {"regions": out / "r.parquet", "globals": out / "g.tsv", "quality": out / "q.tsv"}
    parse_cat12([folder], **paths, **options)
    return {name: read_table(path, name) for name, path in paths.items() if name in wanted}


def regions_of(folder: Path, *atlases: str, kind: str = "catROIs") -> pd.DataFrame:
    made.write(folder, {f"{kind}_a.xml": made.document(*atlases)})
    return parse(folder, ("regions",))["regions"]


@ON_ONE_PATH
@given(
    order=st.permutations(PARTS),
    shape=st.sampled_from(["row", "column"]),
    places=st.permutations(range(4)),
    values=st.lists(st.floats(0, 9.99) | st.just(math.nan), min_size=4, max_size=4),
    extra=st.booleans(),
)
def test_order_shape_and_company_change_nothing(
    tmp_path: Path, order: list[str], shape: str, places: list[int], values: list[float], extra: bool
) -> None:
    """The parts of an atlas in any order, rows or columns, either side first, NaN, other atlases beside
    it.
    """
    plain = made.atlas("aparc_a2009s", made.INSULA, {"thickness": values})
    shuffled = made.atlas(
        "aparc_a2009s",
        [made.INSULA[place] for place in places],
        {"thickness": [values[place] for place in places]},
        shape=shape,
        order=tuple(order),
    )
    other = made.atlas("my_atlas", ["lX"], {"thickness": [1.0]})
    expected = regions_of(tmp_path / "plain", plain)
    found = regions_of(tmp_path / "shuffled", *([other, shuffled] if extra else [shuffled]))
    found = found[found["atlas"] == "aparc_a2009s"].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected)
    by_name = dict(zip(made.INSULA, values, strict=True))
    for row in found.itertuples():
        assert row.value == by_name[row.source_name] or (
            math.isnan(row.value) and math.isnan(by_name[row.source_name])
        )


@ON_ONE_PATH
@given(
    numbers=st.lists(
        st.lists(st.floats(0, 9.99) | st.just(math.nan), min_size=4, max_size=4), min_size=3, max_size=3
    ),
    shapes=st.lists(st.sampled_from(["row", "column"]), min_size=3, max_size=3),
    versions=st.lists(st.sampled_from(["1232", "2041"]), min_size=3, max_size=3),
)
def test_files_of_one_layout_keep_their_own_numbers(
    tmp_path: Path, numbers: list[list[float]], shapes: list[str], versions: list[str]
) -> None:
    """What label files share is parsed once: three read together are the three read alone."""
    texts = {
        f"catROIs_{stem}.xml": made.document(
            made.atlas("aparc_a2009s", made.INSULA, {"thickness": values}, shape=shape, version=version)
        )
        for stem, values, shape, version in zip("abc", numbers, shapes, versions, strict=True)
    }
    together = parse(made.write(tmp_path / "all", texts), ("regions",))["regions"]
    alone = [
        parse(made.write(tmp_path / name, {name: text}), ("regions",))["regions"]
        for name, text in texts.items()
    ]
    pd.testing.assert_frame_equal(together, pd.concat(alone, ignore_index=True))
    assert together["cat_version"].drop_duplicates().tolist() == [f"r{v}" for v in dict.fromkeys(versions)]


@ON_ONE_PATH
@given(measures=st.sets(st.sampled_from(["Vgm", "Vwm", "Vcsf", "Vwmh"]), min_size=1), order=st.randoms())
def test_a_missing_measure_leaves_the_others_as_they_are(tmp_path: Path, measures: set[str], order) -> None:
    names = ["Left Hippocampus", "Right Hippocampus"]
    tags = sorted(measures)
    order.shuffle(tags)
    data = {tag: [float(len(tag)), 2.0] for tag in tags}
    found = regions_of(tmp_path / "some", made.atlas("neuromorphometrics", names, data), kind="catROI")
    assert sorted(found["metric"].unique()) == sorted(
        {"Vgm": "gm_volume", "Vwm": "wm_volume", "Vcsf": "csf_volume", "Vwmh": "wmh_volume"}[tag]
        for tag in tags
    )
    assert len(found) == 2 * len(tags)
    left = found[found["source_name"] == "Left Hippocampus"]
    assert list(left["value"]) == [float(len(tag)) for tag in sorted(tags, key=lambda tag: left_metric(tag))]


def left_metric(tag: str) -> str:
    return {"Vgm": "gm_volume", "Vwm": "wm_volume", "Vcsf": "csf_volume", "Vwmh": "wmh_volume"}[tag]


@pytest.mark.parametrize(
    ("kind", "atlas", "name", "region", "side"),
    [
        ("catROIs", "aparc_DK40", "llingual", "lingual", "left"),
        ("catROIs", "aparc_DK40", "rrostralmiddlefrontal", "rostralmiddlefrontal", "right"),
        ("catROIs", "aparc_HCP_MMP1", "l10r", "10r", "left"),
        ("catROIs", "aparc_HCP_MMP1", "r10r", "10r", "right"),
        ("catROI", "neuromorphometrics", "lAntIns", "anterior_insula", "left"),
        ("catROI", "neuromorphometrics", "Right AIns anterior insula", "anterior_insula", "right"),
        ("catROI", "neuromorphometrics", "3rd Ventricle", "3rd_ventricle", "midline"),
        ("catROI", "neuromorphometrics", "l3thVen", "3rd_ventricle", "left"),
        ("catROI", "neuromorphometrics", "rVenVen", "ventral_dc", "right"),
        ("catROI", "hammers", "TL hippocampus R", "hippocampus", "right"),
        ("catROI", "hammers", "insula anterior short gyrus L", "insula_anterior_short_gyrus", "left"),
        ("catROI", "hammers", "lIns", "insula", "left"),
        ("catROI", "lpba40", "bBst", "brainstem", "both"),
        ("catROI", "ibsr", "b4thVen", "4th_ventricle", "both"),
        ("catROI", "cobra", "rHCA1_2_3_Strat", "hippocampus_ca1_ca2_ca3_subiculum_stratum", "right"),
        ("catROI", "suit", "Vermis VI", "vermis_vi", "midline"),
        ("catROI", "aal3", "RapheD", "raphe_nucleus_dorsal", "midline"),
    ],
)
def test_names_and_sides_of_each_generation(
    tmp_path: Path, kind: str, atlas: str, name: str, region: str, side: str
) -> None:
    tag = "thickness" if kind == "catROIs" else "Vgm"
    row = regions_of(tmp_path / "one", made.atlas(atlas, [name], {tag: [1.5]}), kind=kind).iloc[0]
    assert (row["region"], row["hemisphere"], row["source_name"], row["value"]) == (region, side, name, 1.5)


def test_unknown_names_pass_through_and_are_flagged(tmp_path: Path) -> None:
    names = ["lNewRegion", "rNewRegion", "Left new area", "new area R", "right_thing", "lowercase"]
    made.write(
        tmp_path / "new", {"catROI_a.xml": made.document(made.atlas("mine", names, {"Vgm": [1.0] * 6}))}
    )
    tables = parse(tmp_path / "new")
    sides = dict(zip(tables["regions"]["source_name"], tables["regions"]["hemisphere"], strict=True))
    assert sides == {
        "lNewRegion": "left", "rNewRegion": "right", "Left new area": "left", "new area R": "right",
        "right_thing": "right", "lowercase": "both",
    }  # fmt: skip
    assert "mine: 6 region names are in no table" in tables["quality"]["flags"].iloc[0]


def test_regions_that_cat12_could_not_name_are_named_by_id(tmp_path: Path) -> None:
    """ROI001 stands where CAT12 found no table; ids 1 to 14 are all of the thalamus atlas."""
    names = [f"ROI{number:03d}" for number in range(1, 15)]
    found = regions_of(tmp_path / "ids", made.atlas("thalamus", names, {"Vgm": [1.0] * 14}), kind="catROI")
    assert set(found["source_name"]) >= {"lPulvinar", "rPulvinar"}
    assert (found["hemisphere"] == "left").sum() == 7
    partial = regions_of(
        tmp_path / "part", made.atlas("thalamus", names[:3], {"Vgm": [1.0] * 3}), kind="catROI"
    )
    assert set(partial["source_name"]) == set(names[:3])


@pytest.mark.parametrize(
    ("tissue", "further", "wmh"),
    [
        ("[250 600 500 1.5]", "", 1.5),
        ("[250;600;500;1.5]", "<WMH_abs>0.25</WMH_abs>", 0.25),
        ("[250 600 500 0 0]", "<vol_abs_WMH>1.25</vol_abs_WMH>", 1.25),
        ("[250 600 500]", "", math.nan),
    ],
)
def test_hyperintensities_in_every_schema(tmp_path: Path, tissue: str, further: str, wmh: float) -> None:
    text = made.report(tissue=tissue).replace("</subjectmeasures>", f"{further}</subjectmeasures>")
    made.write(tmp_path / "scan", {"report/cat_a.xml": text})
    row = parse(tmp_path / "scan")["globals"].iloc[0]
    assert (row["csf"], row["gm"], row["wm"]) == (250, 600, 500)
    assert row["wmh"] == wmh or (math.isnan(row["wmh"]) and math.isnan(wmh))


@pytest.mark.parametrize(
    ("software", "version"),
    [
        ("<version_cat>1247</version_cat>", "r1247"),
        ("<version_cat>12.8.1</version_cat><revision_cat>2040</revision_cat>", "12.8.1 r2040"),
        ("<revision_cat>3250</revision_cat><version_cat>26.0.rc3</version_cat>", "26.0.rc3 r3250"),
    ],
)
def test_versions(tmp_path: Path, software: str, version: str) -> None:
    made.write(tmp_path / "scan", {"cat_a.xml": made.report(software=software)})
    assert parse(tmp_path / "scan")["globals"]["cat_version"].iloc[0] == version


@pytest.mark.parametrize(
    ("mark", "letter", "points"),
    [
        (0.5, "A+", 100.0),
        (1.0, "A", 95.0),
        (2.0, "B", 85.0),
        (2.714, "C+", 77.86),
        (3.0, "C", 75.0),
        (4.0, "D", 65.0),
        (5.0, "E", 55.0),
        (6.0, "F", 45.0),
        (10.5, "F", 0.0),
    ],
)
def test_grade_and_percent_of_a_mark(mark: float, letter: str, points: float) -> None:
    assert grade(mark) == letter
    assert percent(mark) == pytest.approx(points, abs=1e-9)


FAILED = made.document(
    "<error><item>CAT:cat_main:TIV</item><item>Could not read /home/jane.doe/study/T1.nii, too"
    " dark</item></error>"
)


def test_a_run_that_cat12_gave_up_is_failed_and_yields_no_numbers(tmp_path: Path) -> None:
    """Also where label files of an earlier run are still there; the reason keeps no path of a person."""
    made.write(tmp_path / "runs", made.good_scan("a") | made.good_scan("b") | {"report/cat_a.xml": FAILED})
    tables = parse(tmp_path / "runs")
    quality = tables["quality"].set_index("scan")
    assert list(quality["status"]) == ["failed", "ok"]
    assert quality.loc["a", "reason"] == (
        "report/cat_a.xml: CAT12 stopped: CAT:cat_main:TIV Could not read T1.nii, too dark"
    )
    assert set(tables["regions"]["scan"]) == set(tables["globals"]["scan"]) == {"b"}


@pytest.mark.parametrize(
    "text",
    [
        made.document("<software><version_cat>1</version_cat></software>"),
        made.report(tiv="0"),
        made.report(tiv="NaN"),
    ],
)
def test_a_report_without_volumes_is_a_failed_run(tmp_path: Path, text: str) -> None:
    made.write(tmp_path / "runs", {"cat_a.xml": text})
    quality = parse(tmp_path / "runs")["quality"]
    assert list(quality["status"]) == ["failed"]
    assert "no total intracranial volume" in quality["reason"].iloc[0]


def test_a_scan_without_report_is_ok_with_blank_quality(tmp_path: Path) -> None:
    files = made.good_scan("a")
    made.write(tmp_path / "runs", {name: text for name, text in files.items() if "report" not in name})
    tables = parse(tmp_path / "runs")
    assert list(tables["quality"]["status"]) == ["ok"]
    assert tables["quality"][["iqr", "siqr", "iqr_percent", "iqr_grade"]].isna().all(axis=None)
    assert tables["globals"].empty
    assert len(tables["regions"]) == 6


def test_statistics_other_than_the_mean_are_their_own_metric(tmp_path: Path) -> None:
    data = {"mean_thickness": [2.5], "std_thickness": [0.5], "my_measure": [-7.0]}
    found = regions_of(tmp_path / "std", made.atlas("aparc_DK40", ["linsula"], data)).set_index("metric")
    assert found["value"].to_dict() == {"thickness": 2.5, "thickness_std": 0.5, "my_measure": -7.0}
    assert found["unit"].to_dict() == {"thickness": "mm", "thickness_std": "mm", "my_measure": "unknown"}


def test_one_scan_twice_the_same_bytes(tmp_path: Path) -> None:
    made.write(tmp_path / "runs", made.good_scan("a") | made.good_scan("b"))
    parse(tmp_path / "runs")
    first = {path.name: path.read_bytes() for path in (tmp_path / "runs_out").iterdir()}
    parse(tmp_path / "runs")
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "runs_out").iterdir()}


def test_a_thickness_without_its_unit_of_ten_is_refused_and_zero_is_not(tmp_path: Path) -> None:
    found = regions_of(tmp_path / "zero", made.atlas("aparc_DK40", ["linsula"], {"thickness": [0.0]}))
    assert found["value"].iloc[0] == 0
    with pytest.raises(InputError, match=r"aparc_DK40/thickness of linsula is 25 mm; at most 10 is possible"):
        regions_of(tmp_path / "tens", made.atlas("aparc_DK40", ["linsula"], {"thickness": [25.0]}))


def old(names: list[str], **columns: list[float]) -> str:
    head = "".join(f"<td>{name}</td>" for name in ("ROIid", "ROIabbr", *columns))
    rows = [
        f"<td>{number}</td><td>{name}</td>"
        + "".join(f"<td>{columns[tag][number - 1]!r}</td>" for tag in columns)
        for number, name in enumerate(names, start=1)
    ]
    return "".join(f"<tr>{row}</tr>" for row in (head, *rows))


@pytest.mark.parametrize("nested", [False, True])
def test_the_tables_of_2015_are_read_like_todays_lists(tmp_path: Path, nested: bool) -> None:
    names, gm, csf = ["lHip", "rHip"], [2.5, 2.75], [0.5, math.nan]
    today = made.atlas("hammers", names, {"Vgm": gm, "Vcsf": csf}, version="")
    expected = regions_of(tmp_path / "today", today, kind="catROI")
    table = old(names, Vgm=gm, Vcsf=csf)
    if nested:
        table = f"<Vgm>{old(names, Vgm=gm)}</Vgm><Vcsf>{old(names, Vcsf=csf)}</Vcsf>"
    then = f"<ROI><hammers>{table}</hammers></ROI>"
    pd.testing.assert_frame_equal(regions_of(tmp_path / "then", then, kind="catROI"), expected)


def test_old_tables_with_rows_of_other_lengths_are_refused(tmp_path: Path) -> None:
    table = old(["lHip"], Vgm=[1.0]).replace("</tr>", "</tr><tr><td>2</td></tr>", 1)
    with pytest.raises(
        InputError, match=r"catROI_a.xml: hammers: row 2 has another number of cells than the header"
    ):
        regions_of(tmp_path / "bad", f"<ROI><hammers>{table}</hammers></ROI>", kind="catROI")


def test_quirks_of_cat12_are_flagged_and_not_corrected(tmp_path: Path) -> None:
    text = made.report().replace("</subjectmeasures>", "<surf_TSA>900</surf_TSA></subjectmeasures>")
    made.write(tmp_path / "scan", {"cat_a.xml": text})
    tables = parse(tmp_path / "scan")
    flags = tables["quality"]["flags"].iloc[0]
    assert "white matter hyperintensities are counted to grey matter (WMHC 2)" in flags
    assert "surf_TSA is twice the left surface area" in flags
    assert tables["globals"]["gm"].iloc[0] == 600
    made.write(tmp_path / "sum", {"cat_a.xml": made.report(tiv="2000")})
    assert "do not add up" in parse(tmp_path / "sum")["quality"]["flags"].iloc[0]


def test_a_measure_in_both_label_files_is_refused(tmp_path: Path) -> None:
    same = made.document(made.atlas("x", ["lA"], {"thickness": [1.0]}))
    made.write(tmp_path / "two", {"catROI_a.xml": same, "catROIs_a.xml": same})
    with pytest.raises(InputError, match=r"catROIs_a.xml: x/thickness stands in catROI_a.xml as well"):
        parse(tmp_path / "two")


@ON_ONE_PATH
@given(order=st.permutations(range(5)))
def test_the_order_of_a_reports_elements_changes_nothing(order: list[int]) -> None:
    """CAT12 writes subjectmeasures as the fifth element, CAT26 as the seventh."""
    text = made.report(further="<catlog><item>done</item></catlog>\n")
    head, body = text.split("<S>\n")
    parts = [f"{part}\n" for part in body.removesuffix("</S>\n").splitlines()]
    assert len(parts) == 5
    shuffled = "".join(parts[place] for place in order)
    expected, found = (
        Report(document.parse(content.encode(), "cat_a.xml"), "cat_a.xml")
        for content in (text, f"{head}<S>\n{shuffled}</S>\n")
    )
    assert repr(globals_of(found)) == repr(globals_of(expected))
    assert repr(quality_of(found)) == repr(quality_of(expected))
    assert globals_of(found)["gm"] == 600
