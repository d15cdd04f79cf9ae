"""Which scans a folder holds, and whose they are; batches; lesions; what must not be mixed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

import cat12_files as made
from pniflow.errors import InputError
from pniflow.files import read_table
from pniflow.imaging.cat12.gather_cat12 import gather_cat12
from pniflow.imaging.cat12.index_cat12 import index_cat12
from pniflow.imaging.cat12.parse_cat12 import parse_cat12
from pniflow.imaging.comparability import mixed_versions
from pniflow.imaging.ingest_lesions import ingest_lesions

STUDY = """
title: test
sessions: {{ses-pre: {{}}, ses-post: {{}}}}
cat12: {{folder: cat12, lesion_handling: none{more}}}
"""


def study(folder: Path, more: str = "") -> Path:
    path = folder / "study.yaml"
    path.write_text(STUDY.format(more=f", {more}" if more else ""))
    return path


def index(folder: Path, more: str = "", batches: int = 1) -> pd.DataFrame:
    index_cat12(
        folder=folder / "cat12", study=study(folder, more), batches=batches, scans=folder / "scans.tsv"
    )
    return read_table(folder / "scans.tsv", "scans").set_index("scan")


def longitudinal(first: str, *others: str) -> dict[str, str]:
    """Return what the longitudinal pipeline writes for one person, file names only."""
    files: dict[str, str] = {}
    for stem in (first, *others):
        files |= made.good_scan(f"r{stem}")
    average = {
        f"report/cat_avg_{first}.xml": made.report(),
        f"label/catROIs_avg_{first}.xml": made.document(),
    }
    items = "".join(f"<item>/home/someone/{stem}.nii,1</item>" for stem in (first, *others))
    listed = made.document(f"<parameter><subj><mov>{items}</mov></subj></parameter>")
    return files | average | {f"report/catlong_{first}.xml": listed}


LAYOUTS = {
    "subfolders": "cat12/{kind}/{name}",
    "flat": "cat12/{name}",
    "bids derivatives": "cat12/CAT12.8.1_2040/sub-1/anat/{name}",
    "beside the images": "cat12/sub-1/ses-x/{kind}/{name}",
}


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_files_are_found_in_every_layout(tmp_path: Path, layout: str) -> None:
    files = longitudinal("sub-1_ses-pre_T1w", "sub-1_ses-post_T1w")
    for name, text in files.items():
        kind, _, base = name.partition("/")
        made.write(tmp_path, {LAYOUTS[layout].format(kind=kind, name=base): text})
    scans = index(tmp_path)
    assert sorted(scans.index) == [
        "avg_sub-1_ses-pre_T1w", "rsub-1_ses-post_T1w", "rsub-1_ses-pre_T1w"
    ]  # fmt: skip
    points = scans[~scans["average"]]
    assert points["longitudinal"].all()
    assert points["session_id"].to_dict() == {
        "rsub-1_ses-pre_T1w": "ses-pre",
        "rsub-1_ses-post_T1w": "ses-post",
    }
    assert set(points["participant_id"]) == {"sub-1"}
    assert points["batch"].notna().all()
    assert scans.loc["avg_sub-1_ses-pre_T1w", ["session_id", "batch"]].isna().all()


def test_averages_are_no_time_points(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made.write(tmp_path / "cat12", longitudinal("sub-1_ses-pre_T1w", "sub-1_ses-post_T1w"))
    index(tmp_path)
    assert "2 scans, 1 averages left out, 2 longitudinal, 0 not matched" in capsys.readouterr().err
    parse_cat12(
        [tmp_path / "cat12"],
        scans=tmp_path / "scans.tsv",
        regions=tmp_path / "r.parquet",
        globals=tmp_path / "g.tsv",
        quality=tmp_path / "q.tsv",
    )
    assert not read_table(tmp_path / "r.parquet", "regions")["scan"].str.startswith("avg_").any()
    assert list(read_table(tmp_path / "g.tsv", "globals")["longitudinal"]) == [True, True]


def test_time_points_that_have_no_bids_names_are_ordered_by_catlong(tmp_path: Path) -> None:
    """The second time point is listed second, whatever its name says; a pattern names the person."""
    made.write(tmp_path / "cat12", longitudinal("P7_zz", "P7_aa"))
    scans = index(tmp_path, 'pattern: "{participant}_*"')
    assert scans.loc["rP7_zz", ["participant_id", "session_id"]].tolist() == ["P7", "ses-pre"]
    assert scans.loc["rP7_aa", ["participant_id", "session_id"]].tolist() == ["P7", "ses-post"]
    assert scans.loc["rP7_zz", "longitudinal"]
    without = index(tmp_path)
    assert set(without.loc[~without["average"], "participant_id"]) == {"P7"}


def test_a_list_without_all_sessions_does_not_say_which_are_absent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """P7 missed the first of three visits; by its list alone the second would be taken for the first."""
    made.write(tmp_path / "cat12", longitudinal("P7_b", "P7_c") | longitudinal("P8_x", "P8_y", "P8_z"))
    (tmp_path / "study.yaml").write_text(
        "title: t\nsessions: {ses-a: {}, ses-b: {}, ses-c: {}}\n"
        "cat12: {folder: cat12, lesion_handling: none, pattern: '{participant}_*'}\n"
    )
    out = {"study": tmp_path / "study.yaml", "batches": 1, "scans": tmp_path / "scans.tsv"}
    index_cat12(folder=tmp_path / "cat12", **out)
    sessions = read_table(tmp_path / "scans.tsv", "scans").set_index("scan")["session_id"]
    assert sessions.dropna().to_dict() == {"rP8_x": "ses-a", "rP8_y": "ses-b", "rP8_z": "ses-c"}
    assert "2 not matched (rP7_b, rP7_c)" in capsys.readouterr().err
    text = (tmp_path / "study.yaml").read_text().replace("_*", "_{session}")
    (tmp_path / "study.yaml").write_text(text)
    index_cat12(folder=tmp_path / "cat12", **out)  # x, y, z are no sessions of the study, so the list counts
    sessions = read_table(tmp_path / "scans.tsv", "scans").set_index("scan")["session_id"]
    assert sessions[["rP7_b", "rP7_c", "rP8_x"]].tolist() == ["ses-b", "ses-c", "ses-a"]
    made.write(tmp_path / "cat12", longitudinal("P9_b", "P9_a", "P9_c"))
    with pytest.raises(
        InputError, match=r"rP9_a is number 2 in CAT12's list of time points .ses-b., but its name says ses-a"
    ):
        index_cat12(folder=tmp_path / "cat12", **out)


def test_a_list_of_time_points_without_xml_is_read_from_its_mat(tmp_path: Path) -> None:
    files = longitudinal("P7_zz", "P7_aa")
    del files["report/catlong_P7_zz.xml"]
    made.write(tmp_path / "cat12", files)
    images = np.array(["/home/someone/P7_zz.nii,1", "/home/someone/P7_aa.nii,1"], object)
    held = {"parameter": {"subj": {"mov": images}, "longmodel": 2.0}}
    savemat(tmp_path / "cat12" / "report" / "catlong_P7_zz.mat", {"S": held})
    points = index(tmp_path)
    points = points[~points["average"]]
    assert points["session_id"].to_dict() == {"rP7_aa": "ses-post", "rP7_zz": "ses-pre"}
    assert set(points["longitudinal_model"]) == {"ageing"}


def test_a_damaged_list_of_time_points_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = longitudinal("sub-1_ses-pre_T1w", "sub-1_ses-post_T1w")
    made.write(tmp_path / "cat12", files | {"report/catlong_sub-1_ses-pre_T1w.xml": "no"})
    assert index(tmp_path)["session_id"].dropna().tolist() == ["ses-post", "ses-pre"]
    assert "catlong_sub-1_ses-pre_T1w.xml: line 1" in capsys.readouterr().err


def test_a_pattern_names_participant_and_session(tmp_path: Path) -> None:
    made.write(
        tmp_path / "cat12", made.good_scan("IXI002-Guys-0828-T1_pre") | made.good_scan("IXI003-HH-1-T1_post")
    )
    scans = index(tmp_path, 'pattern: "IXI{participant}-*-T1_{session}"')
    assert scans["participant_id"].tolist() == ["002", "003"]
    assert scans["session_id"].tolist() == ["ses-pre", "ses-post"]
    assert not scans["longitudinal"].any()


def test_a_table_of_scans_goes_before_names(tmp_path: Path) -> None:
    made.write(
        tmp_path / "cat12", made.good_scan("sub-1_ses-pre_T1w") | made.good_scan("sub-1_ses-pre_run-2_T1w")
    )
    with pytest.raises(
        InputError, match=r"sub-1 has the scans sub-1_ses-pre_T1w, sub-1_ses-pre_run-2_T1w in ses-pre"
    ):
        index(tmp_path)
    (tmp_path / "mine.tsv").write_text(
        "scan\tparticipant_id\tsession_id\nsub-1_ses-pre_run-2_T1w\tsub-9\tses-post\n"
    )
    scans = index(tmp_path, "scans: mine.tsv")
    assert scans.loc["sub-1_ses-pre_run-2_T1w", ["participant_id", "session_id", "batch"]].tolist() == [
        "sub-9", "ses-post", 1
    ]  # fmt: skip
    assert scans.loc["sub-1_ses-pre_T1w", ["participant_id", "session_id", "batch"]].isna().all()
    (tmp_path / "mine.tsv").write_text("scan\tparticipant_id\tsession_id\nother\tsub-9\tses-post\n")
    with pytest.raises(InputError, match=r"mine.tsv: the scan 'other' has no CAT12 files"):
        index(tmp_path, "scans: mine.tsv")


def test_a_leading_r_is_the_pipelines_only_with_a_sign_of_it(tmp_path: Path) -> None:
    made.write(tmp_path / "cat12", made.good_scan("robert_pre") | made.good_scan("anna_pre"))
    pattern = 'pattern: "{participant}_{session}"'
    assert not index(tmp_path, pattern)["longitudinal"].any()
    made.write(tmp_path / "cat12", {"anna_pre.nii": "", "robert_pre.nii": ""})
    assert not index(tmp_path, pattern)["longitudinal"].any()
    made.write(tmp_path / "cat12", made.good_scan("rzoe_pre") | {"zoe_pre.nii": ""})
    scans = index(tmp_path, pattern)
    assert scans["longitudinal"].to_dict() == {"anna_pre": False, "robert_pre": False, "rzoe_pre": True}
    assert scans.loc["rzoe_pre", "participant_id"] == "zoe"


def test_a_map_of_grey_matter_alone_is_no_sign_of_the_longitudinal_pipeline(tmp_path: Path) -> None:
    """mwp1ritter_pre is the map of ritter_pre, cross-sectional; only the ageing model writes mwmwp1."""
    made.write(tmp_path / "cat12", made.good_scan("ritter_pre") | made.good_scan("anna_pre"))
    made.write(tmp_path / "cat12" / "mri", {"mwp1ritter_pre.nii": "", "mwp1anna_pre.nii": ""})
    pattern = 'pattern: "{participant}_{session}"'
    scans = index(tmp_path, pattern)
    assert scans["participant_id"].to_dict() == {"anna_pre": "anna", "ritter_pre": "ritter"}
    assert not scans["longitudinal"].any()
    assert scans["longitudinal_model"].isna().all()
    made.write(tmp_path / "cat12", made.good_scan("rzoe_pre") | {"mri/s6mwmwp1rzoe_pre.nii": ""})
    scans = index(tmp_path, pattern)
    assert scans.loc["rzoe_pre", ["participant_id", "longitudinal_model"]].tolist() == ["zoe", "ageing"]
    assert scans.loc["ritter_pre", "participant_id"] == "ritter"


@pytest.mark.parametrize("sign", ["catlong", "avg"])
def test_later_time_points_beside_cross_sectional_scans_are_longitudinal(tmp_path: Path, sign: str) -> None:
    """Only the first time point's name stands in catlong's and the average's; P9 came once."""
    files = {name: text for name, text in longitudinal("P7_pre", "P7_post").items()
             if sign in name or not re.search("catlong|avg", name)}  # fmt: skip
    made.write(tmp_path / "cat12", files | made.good_scan("P9_pre"))
    scans = index(tmp_path, 'pattern: "{participant}_{session}"')
    points = scans[~scans["average"]]
    assert points["longitudinal"].to_dict() == {"P9_pre": False, "rP7_post": True, "rP7_pre": True}
    assert points["participant_id"].to_dict() == {"P9_pre": "P9", "rP7_post": "P7", "rP7_pre": "P7"}


def test_a_table_of_scans_tells_the_two_runs_of_one_image_apart(tmp_path: Path) -> None:
    made.write(tmp_path / "cat12", made.good_scan("sub-1_ses-pre_T1w") | made.good_scan("rsub-1_ses-pre_T1w"))
    for name in ("sub-1_ses-pre_T1w", "rsub-1_ses-pre_T1w"):
        (tmp_path / "mine.tsv").write_text(f"scan\tparticipant_id\tsession_id\n{name}\tsub-1\tses-pre\n")
        assert index(tmp_path, "scans: mine.tsv")["batch"].dropna().index.tolist() == [name]


def test_one_file_in_the_folders_of_two_people_is_no_copy(tmp_path: Path) -> None:
    for person in ("1", "2"):
        made.write(tmp_path / "cat12" / f"sub-{person}" / "ses-pre", made.good_scan("T1"))
    with pytest.raises(
        InputError, match=r"sub-2/ses-pre/.*: a different file of this name is in sub-1/ses-pre/"
    ):
        index(tmp_path)


def test_the_longitudinal_model_is_told_by_the_modulated_maps(tmp_path: Path) -> None:
    made.write(tmp_path / "cat12", longitudinal("sub-1_ses-pre_T1w", "sub-1_ses-post_T1w"))
    made.write(tmp_path / "cat12" / "mri", {"mwp1rsub-1_ses-pre_T1w.nii": ""})
    made.write(
        tmp_path / "cat12" / "mri", {"mwmwp1rsub-1_ses-post_T1w.nii": "", "mwp1rsub-1_ses-post_T1w.nii": ""}
    )
    scans = index(tmp_path)
    assert scans.loc["rsub-1_ses-pre_T1w", "longitudinal_model"] == "plasticity"
    assert scans.loc["rsub-1_ses-post_T1w", "longitudinal_model"] == "both"


def test_the_longitudinal_model_is_told_by_the_list_of_time_points(tmp_path: Path) -> None:
    files = longitudinal("P7_t1", "P7_t2")
    name = "report/catlong_P7_t1.xml"
    files[name] = files[name].replace("</subj>", "</subj><longmodel>0</longmodel>")
    made.write(tmp_path / "cat12", files)
    made.write(tmp_path / "cat12" / "mri", {"mwp1rP7_t1.nii": "", "mwp1rP7_t2.nii": ""})
    scans = index(tmp_path)
    points = scans[~scans["average"]]
    assert set(points["longitudinal_model"]) == {"developmental"}
    assert set(points["participant_id"]) == {"P7"}


def test_links_to_other_folders_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made.write(tmp_path / "cat12" / "sub-1", made.good_scan("sub-1_ses-pre_T1w"))
    made.write(tmp_path / "elsewhere", made.good_scan("sub-2_ses-pre_T1w"))
    (tmp_path / "cat12" / "sub-2").symlink_to(tmp_path / "elsewhere")
    assert index(tmp_path).index.tolist() == ["sub-1_ses-pre_T1w"]
    assert "Links to other folders are not followed: sub-2." in capsys.readouterr().err


def test_unmatched_scans_stay_in_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made.write(tmp_path / "cat12", made.good_scan("sub-1_ses-pre_T1w") | made.good_scan("phantom"))
    scans = index(tmp_path)
    assert scans.loc["phantom", ["participant_id", "session_id"]].isna().all()
    assert "1 not matched (phantom)" in capsys.readouterr().err


def test_a_copy_is_passed_over_and_a_different_file_of_that_name_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made.write(tmp_path / "cat12", made.good_scan("sub-1_ses-pre_T1w"))
    made.write(tmp_path / "cat12" / "backup", made.good_scan("sub-1_ses-pre_T1w"))
    index(tmp_path)
    assert "3 copies" in capsys.readouterr().err
    made.write(tmp_path / "cat12" / "backup", {"report/cat_sub-1_ses-pre_T1w.xml": made.report(tiv="1000")})
    with pytest.raises(
        InputError, match=r"report/cat_sub-1_ses-pre_T1w.xml: a different file of this name is in"
    ):
        index(tmp_path)


@pytest.mark.parametrize(
    ("files", "more", "says"),
    [
        ({}, "", "there are no CAT12 files"),
        (made.good_scan("a"), "", "none of the 1 scans"),
        (made.good_scan("sub-1_ses-x_T1w"), "", "the session 'ses-x', which is not among the sessions"),
    ],
)
def test_what_cannot_be_indexed_is_one_sentence(
    tmp_path: Path, files: dict[str, str], more: str, says: str
) -> None:
    made.write(tmp_path / "cat12", files | {"readme.txt": ""})
    with pytest.raises(InputError, match=says):
        index(tmp_path, more)
    assert not (tmp_path / "scans.tsv").exists()


@pytest.mark.parametrize("batches", [1, 2, 5, 9])
def test_the_bytes_do_not_depend_on_the_number_of_batches(tmp_path: Path, batches: int) -> None:
    for number in range(5):
        made.write(tmp_path / "cat12", made.good_scan(f"sub-{number}_ses-pre_T1w"))
    other = made.atlas("lpba40", ["lIns", "rIns"], {"Vgm": [6.0, 6.5]})
    own = made.atlas("mine", ["lA"], {"Vwm": [1.0]})
    made.write(tmp_path / "cat12", {"label/catROI_sub-3_ses-pre_T1w.xml": made.document(other, own)})
    index(tmp_path, batches=batches)
    parts: dict[str, list[Path]] = {"regions": [], "globals": [], "quality": []}
    for batch in range(1, batches + 1):
        out = tmp_path / str(batch)
        here = {"regions": out / "r.parquet", "globals": out / "g.tsv", "quality": out / "q.tsv"}
        parse_cat12([tmp_path / "cat12"], scans=tmp_path / "scans.tsv", batch=batch, **here)
        for name, path in here.items():
            parts[name].append(path)
    gather_cat12(**parts, out=tmp_path / "all")
    single = {
        "regions": tmp_path / "one.parquet",
        "globals": tmp_path / "one.tsv",
        "quality": tmp_path / "q.tsv",
    }
    parse_cat12([tmp_path / "cat12"], scans=tmp_path / "scans.tsv", **single)
    gather_cat12(**{name: [path] for name, path in single.items()}, out=tmp_path / "again")
    for name in ("regions.parquet", "globals.tsv", "quality.tsv"):
        assert (tmp_path / "all" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert len(read_table(tmp_path / "all" / "globals.tsv", "globals")) == 5


LESIONS = "Num_Lesions,Num_Vox,Lesion_Volume\n{}\n"


def test_lesion_volumes_are_millilitres(tmp_path: Path) -> None:
    regional = "Region,Num_Lesions,Num_Vox,Lesion_Volume\nPeriventricular,0,0,0\n"
    made.write(
        tmp_path / "lst",
        {
            "sub-2_ses-pre_lesion_stats.csv": LESIONS.format("12,3400,3400.5"),
            "sub-1/ses-post/lesion_stats.csv": LESIONS.format("0,0,0.0"),
            "sub-1/ses-post/annotated_lesion_stats.csv": regional,
        },
    )
    ingest_lesions(folder=tmp_path / "lst", lesions=tmp_path / "lesions.tsv")
    table = read_table(tmp_path / "lesions.tsv", "lesions")
    assert table.values.tolist() == [["sub-1", "ses-post", 0.0, 0], ["sub-2", "ses-pre", 3.4005, 12]]


def test_lesion_volumes_of_a_study_with_one_session(tmp_path: Path) -> None:
    made.write(tmp_path / "lst", {"sub-2/lesion_stats.csv": LESIONS.format("12,3400,3400.5")})
    text = "title: t\nsessions: {ses-pre: {}}\nlesions: {folder: lst, session: ses-pre}\n"
    (tmp_path / "study.yaml").write_text(text)
    ingest_lesions(folder=tmp_path / "lst", study=tmp_path / "study.yaml", lesions=tmp_path / "lesions.tsv")
    table = read_table(tmp_path / "lesions.tsv", "lesions")
    assert table[["participant_id", "session_id", "lesion_count"]].to_numpy().tolist() == [
        ["sub-2", "ses-pre", 12]
    ]


def test_lesion_volumes_of_another_tool_come_as_one_table(tmp_path: Path) -> None:
    (tmp_path / "mine.tsv").write_text("participant_id\tsession_id\tlesion_volume\nsub-1\tses-pre\t3.5\n")
    ingest_lesions(folder=tmp_path / "mine.tsv", lesions=tmp_path / "lesions.tsv")
    assert read_table(tmp_path / "lesions.tsv", "lesions")["lesion_volume"].tolist() == [3.5]
    (tmp_path / "mine.tsv").write_text("participant_id\tsession_id\tlesion_volume\nsub-1\tses-pre\t-3.5\n")
    with pytest.raises(InputError, match=r"mine.tsv: row 2, column 'lesion_volume' is '-3.5'; at least 0"):
        ingest_lesions(folder=tmp_path / "mine.tsv", lesions=tmp_path / "lesions.tsv")


LESION_STUDY = """title: t
sessions: {ses-pre: {}, ses-post: {}}
lesions:
  file: mine.csv
  columns: {participant: id, session: visit, volume: TLV, count: n}
  unit: mm3
  session_codes: {"1": ses-pre, "2": ses-post}
"""


def of_their_table(folder: Path, text: str) -> list[list[object]]:
    (folder / "study.yaml").write_text(LESION_STUDY)
    (folder / "mine.csv").write_text(text)
    ingest_lesions(folder=folder / "mine.csv", study=folder / "study.yaml", lesions=folder / "lesions.tsv")
    table = read_table(folder / "lesions.tsv", "lesions").astype(object)
    return table.where(table.notna(), None).to_numpy().tolist()


def test_lesion_volumes_of_a_table_as_the_study_names_its_columns(tmp_path: Path) -> None:
    """A semicolon, decimal commas, cubic millimetres, the lab's own session codes; blank stays missing."""
    text = "visit;id;n;TLV\n2;B;3;1500,5\n1;B;;250\n1;A;0;\n"
    assert of_their_table(tmp_path, text) == [
        ["A", "ses-pre", None, 0], ["B", "ses-post", 1.5005, 3], ["B", "ses-pre", 0.25, None],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("visit,id,TLV\n1,A,2\n", r"mine.csv: there is no column 'n' .lesions.columns.count in study.yaml."),
        ("visit,id,n,TLV\n3,A,1,2\n", r"mine.csv: row 2 is of the session '3'"),
        ("visit,id,n,TLV\n1,A,1,-2\n", r"row 2, column 'TLV' is '-2'; a number, zero or more"),
        ("visit,id,n,TLV\n1,A,1,2\n2,A,1.5,2\n", r"row 3, column 'n' is '1.5'; a whole number"),
        ("visit,id,n,TLV\n1,A,1,many\n", r"row 2, column 'TLV' is 'many'"),
        ("visit,id,n,TLV\n1,A,1,2\n1,A,1,2\n", r"row 3 repeats participant A in ses-pre"),
    ],
)
def test_lesion_tables_of_a_study_that_are_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        of_their_table(tmp_path, text)
    assert not (tmp_path / "lesions.tsv").exists()


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"x.csv": ""}, "there is no lesion_stats.csv"),
        ({"sub-1_lesion_stats.csv": LESIONS.format("1,1,1")}, "holds no participant and session"),
        (
            {"sub-1_ses-a_lesion_stats.csv": LESIONS.format("1,1,x")},
            "Lesion_Volume is 'x'; a number was expected",
        ),
        ({"sub-1_ses-a_lesion_stats.csv": LESIONS.format("1,1,-2")}, "Lesion_Volume is -2; zero or more"),
        ({"sub-1_ses-a_lesion_stats.csv": "A,B\n1,2\n"}, "column 'Num_Lesions' is missing"),
        ({"sub-1_ses-a_lesion_stats.csv": LESIONS.format("1,1,1\n1,1,1")}, "the table has 2 rows"),
        ({"sub-1_ses-a_lesion_stats.csv": ""}, "the table has 0 rows"),
        ({"sub-1_ses-a_lesion_stats.csv": LESIONS.format('1,1,"1\n') + "x" * 140_000}, "this is not a table"),
        (
            {f"{x}/sub-1_ses-a_lesion_stats.csv": LESIONS.format("1,1,1") for x in "ab"},
            "are of one participant and session",
        ),
    ],
)
def test_lesion_tables_that_are_refused(tmp_path: Path, files: dict[str, str], says: str) -> None:
    made.write(tmp_path / "lst", files)
    with pytest.raises(InputError, match=says):
        ingest_lesions(folder=tmp_path / "lst", lesions=tmp_path / "lesions.tsv")
    assert not (tmp_path / "lesions.tsv").exists()


def scans(**columns: list) -> pd.DataFrame:
    n = max(map(len, columns.values()))
    base = {
        "scan": [f"s{k}" for k in range(n)],
        "participant_id": [f"p{k}" for k in range(n)],
        "cat_version": [None] * n,
    }
    return pd.DataFrame(base | columns)


def test_mixed_versions_name_the_scans() -> None:
    assert mixed_versions(scans(cat_version=["12.8.1 r2040", "12.8.1 r2040", None])) == []
    said = mixed_versions(scans(cat_version=["12.8.1 r2040", "26.0 r3300"]))
    assert said[0] == "The scans mix CAT12 versions (12.8.1 r2040: s0; 26.0 r3300: s1)."
    assert "definitions of cortical thickness (FreeSurfer-like distance: s0; projection-based: s1)" in said[1]


@pytest.mark.parametrize(
    ("column", "values", "what"),
    [
        ("longitudinal_model", ["plasticity", "ageing"], "longitudinal models .ageing: s1; plasticity: s0."),
        ("wmh_handling", ["1", "2"], "settings for white matter hyperintensities .WMHC. .1: s0; 2: s1."),
        ("lesion_handling", ["0", "1"], "settings for stroke lesions .SLC. .0: s0; 1: s1."),
        ("voxel_size", ["1", "1.5"], "voxel sizes .1: s0; 1.5: s1."),
        ("spm_version", ["7219", "7771"], "SPM versions .7219: s0; 7771: s1."),
    ],
)
def test_other_settings_that_must_be_alike_name_the_scans(column: str, values: list[str], what: str) -> None:
    assert mixed_versions(scans(**{column: [values[0], values[0], None]})) == []
    said = mixed_versions(scans(**{column: values}))
    assert len(said) == 1
    assert re.search(what, said[0])


def test_thickness_of_12_6_12_7_and_26_is_not_one_measure() -> None:
    assert len(mixed_versions(scans(cat_version=["12.7 r1720", "12.9 r2577"]))) == 1
    assert len(mixed_versions(scans(cat_version=["r1450", "12.7 r1720"]))) == 2


def test_longitudinal_and_cross_sectional_runs_do_not_mix_within_a_study() -> None:
    mixed = scans(participant_id=["a", "a", "b", "b"], longitudinal=[True, True, False, False])
    assert "mix runs of the longitudinal and the cross-sectional pipeline" in mixed_versions(mixed)[0]
    within = scans(participant_id=["a", "a"], longitudinal=[True, False])
    assert len(mixed_versions(within)) == 1
    single = scans(participant_id=["a", "a", "b"], longitudinal=[True, True, False])
    assert ".cross-sectional: s2; longitudinal: s0, s1." in re.sub(r"[()]", ".", mixed_versions(single)[0])
