"""Which scans a folder holds, and whose they are."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

import cat12_files as made
import map_studies
from cat12_files import index
from pniflow.contracts import read_table
from pniflow.errors import InputError
from pniflow.imaging import naming
from pniflow.imaging.cat12.gather_voxels import gather_voxels
from pniflow.imaging.cat12.index_cat12 import index_cat12
from pniflow.imaging.cat12.parse_cat12 import parse_cat12


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
    with pytest.raises(InputError, match=r"sub-2/ses-pre/.*: the same file is in sub-1/ses-pre/"):
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


SESSIONS = ["ses-T0", "ses-T1"]


@pytest.mark.parametrize(
    ("pattern", "name", "whose"),
    [
        ("{participant}_{session}", "MS_001_T0", ("MS_001", "ses-T0")),
        ("{participant}-{session}", "A-17-T1", ("A-17", "ses-T1")),
        ("{participant}_{session}", "011_S_0002_T0", ("011_S_0002", "ses-T0")),
        ("{participant}_{session}_mpr", "OAS1_0001_ses-T1_mpr", ("OAS1_0001", "ses-T1")),
        ("{participant}_{session}", "Mu\u0308ller_T0", ("M\u00fcller", "ses-T0")),
        ("{participant}-T1", "A-17-T1", ("A-17", None)),
        ("IXI{participant}-*-T1", "IXI002-Guys-0828-T1", ("002", None)),
        ("{participant}/{session}/*", "raw/MS_001/T1/T1w", ("MS_001", "ses-T1")),
        ("{participant}_{session}", "P7_x", ("P7", "ses-x")),
        ("S{participant}", "P7", (None, None)),
    ],
)
def test_a_pattern_splits_a_name_by_the_sessions_of_the_study(
    pattern: str, name: str, whose: tuple[str | None, str | None]
) -> None:
    assert naming.by_pattern(pattern, name, SESSIONS) == whose


def test_a_name_that_a_pattern_splits_in_two_ways_is_refused() -> None:
    with pytest.raises(InputError, match=r"MS_001_x: .* the participant could be 'MS' or 'MS_001'"):
        naming.by_pattern("{participant}_{session}", "MS_001_x", SESSIONS)


@pytest.mark.parametrize(
    ("source", "whose"),
    [
        ("sub-01/ses-1/report/cat_T1w.xml", ("sub-01", "ses-1")),
        ("sub-MS_001/ses-1/anat/sub-MS_001_ses-1_T1w.nii", ("sub-MS_001", "ses-1")),
        ("sub-MS_001/cat_sub-MS_001_T1w.xml", ("sub-MS_001", None)),
        ("cat_sub-A-17_ses-1.xml", ("sub-A-17", "ses-1")),
        ("cat_rsub-Mu\u0308ller_ses-1.xml", ("sub-M\u00fcller", "ses-1")),
        ("sub-01_T1w/cat_sub-01_T1w.xml", ("sub-01", None)),
        ("sub-01_acq-2_ses-1.xml", ("sub-01", "ses-1")),
        ("sub-1/ses-01/cat_sub-01_ses-1.xml", ("sub-01", "ses-1")),
    ],
)
def test_bids_names_and_folders_tell_whose_a_file_is(
    source: str, whose: tuple[str | None, str | None]
) -> None:
    assert naming.entities(source) == whose


def test_a_file_in_another_persons_folder_is_refused(tmp_path: Path) -> None:
    made.write(tmp_path / "cat12" / "sub-1", made.good_scan("sub-2_ses-pre"))
    with pytest.raises(
        InputError, match=r"sub-1/.*_sub-2_ses-pre.xml: the name says sub-2, but a folder says sub-1"
    ):
        index(tmp_path)
    made.write(tmp_path / "b/cat12/K02", made.good_scan("K01_pre") | made.good_scan("K02_pre"))
    with pytest.raises(InputError, match=r"K02/.*_K01_pre.xml: the name says K01, but a folder says K02"):
        index(tmp_path / "b", 'pattern: "{participant}_{session}"')


def test_a_file_in_another_sessions_folder_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made.write(tmp_path / "cat12" / "sub-1" / "ses-post", made.good_scan("sub-1_ses-pre"))
    assert index(tmp_path)["session_id"].tolist() == ["ses-pre"]
    assert "1 files lie in the folder of another session" in capsys.readouterr().err


@pytest.mark.parametrize("places", [("sub-1/ses-pre", "sub-1/ses-post"), ("K01/pre", "K01/post"),
                                    ("pre/K01", "post/K01")])  # fmt: skip
def test_scans_of_one_name_are_told_by_their_folders(tmp_path: Path, places: tuple[str, str]) -> None:
    """Each keeps its own report, label files and maps."""
    for place, tiv in zip(places, ("1400", "1410"), strict=True):
        files = made.good_scan("T1w") | {"report/cat_T1w.xml": made.report(tiv=tiv)}
        made.write(tmp_path / "cat12" / place, files)
        map_studies.image(tmp_path / "cat12" / place / "mri/smwp1T1w.nii", np.full(map_studies.SHAPE, 0.5))
    scans = index(tmp_path)
    named = [place.replace("/", "_") + "_T1w" for place in places]
    person = "sub-1" if "sub-1" in places[0] else "K01"
    assert scans.loc[named, "participant_id"].tolist() == [person, person]
    assert scans.loc[named, "session_id"].tolist() == ["ses-pre", "ses-post"]
    out = {"regions": tmp_path / "r.parquet", "globals": tmp_path / "g.tsv", "quality": tmp_path / "q.tsv"}
    parse_cat12([tmp_path / "cat12"], scans=tmp_path / "scans.tsv", **out)
    globals_ = read_table(out["globals"], "globals").set_index("session_id")["tiv"]
    assert globals_.to_dict() == {"ses-pre": 1400, "ses-post": 1410}
    maps = {"voxels": tmp_path / "v.npy", "index": tmp_path / "v.tsv", "mask": tmp_path / "m.nii.gz"}
    gather_voxels(folder=tmp_path / "cat12", scans=tmp_path / "scans.tsv", **maps)
    sources = read_table(maps["index"], "surfaces").set_index("session_id")["source"]
    assert sources["ses-pre"] == f"{places[0]}/mri/smwp1T1w.nii"


def test_what_is_missing_to_join_scans_is_said(tmp_path: Path) -> None:
    made.write(tmp_path / "cat12", made.good_scan("sub-1_T1w"))
    with pytest.raises(
        InputError, match=r"none of the 1 scans .* has a session, though participants are told"
    ):
        index(tmp_path)
    made.write(tmp_path / "b" / "cat12", made.good_scan("K01"))
    with pytest.raises(InputError, match=r"cat12.pattern 'S\{participant\}' fits no name: correct it"):
        index(tmp_path / "b", 'pattern: "S{participant}"')
