"""A cohort of four people, small enough to count by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from called import call
from four_people import STUDY, TABLES, write_study
from pniflow.cohort.assemble_cohort import assemble_cohort
from pniflow.contracts import contract, read_table
from pniflow.errors import InputError


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The assembled four."""
    paths = write_study(tmp_path_factory.mktemp("cohort"))
    call(assemble_cohort, **paths)
    return paths["out"]


def values(folder: Path, measure: str, table: str = "measures") -> dict[tuple[str, str], float | None]:
    frame = read_table(folder / f"{table}.parquet", table)
    rows = frame[frame["measure"] == measure]
    return {
        (who, when): None if value != value else value
        for who, when, value in zip(rows["participant_id"], rows["session_id"], rows["value"], strict=True)
    }


def count(folder: Path, step: str, branch: str, session: str | None = None) -> int | None:
    flow = read_table(folder / "flow.tsv", "flow")
    here = flow["session_id"].isna() if session is None else flow["session_id"] == session
    rows = flow[(flow["step"] == step) & (flow["branch"] == branch) & here]
    assert len(rows) <= 1
    if rows.empty:
        return 0
    return None if rows["n"].isna().iloc[0] else int(rows["n"].iloc[0])


def test_measures_hold_each_number_once_with_its_unit(cohort: Path) -> None:
    assert values(cohort, "pss10") == {
        ("A", "ses-pre"): 20, ("A", "ses-post"): 10, ("B", "ses-pre"): 24, ("B", "ses-post"): None,
        ("C", "ses-pre"): 16, ("C", "ses-post"): None, ("D", "ses-pre"): 30,
    }  # fmt: skip
    assert values(cohort, "ctra") == {("A", "ses-pre"): 0.5, ("A", "ses-post"): -0.5, ("B", "ses-pre"): None}
    assert values(cohort, "log2_CD3D") == {
        ("A", "ses-pre"): 8.5,
        ("A", "ses-post"): 8.25,
        ("B", "ses-pre"): None,
    }
    assert values(cohort, "lesion_volume") == {("A", "ses-pre"): 3.5, ("A", "ses-post"): 3.75}
    frame = (
        read_table(cohort / "measures.parquet", "measures").drop_duplicates("measure").set_index("measure")
    )
    assert frame.loc["log_hair_cortisol", ["unit", "domain"]].tolist() == ["ln(pg/mg)", "assay"]
    assert frame.loc["tiv", ["unit", "domain"]].tolist() == ["ml", "imaging"]
    assert frame.loc["mean_thickness", "unit"] == "mm"
    assert frame.loc["ctra", ["unit", "domain"]].tolist() == ["mean z", "expression"]
    assert frame.loc["ctra_mean_log2", "unit"] == frame.loc["log2_CD3D", "unit"] == "log2"
    assert frame.loc["pss10", "domain"] == "questionnaire"
    assert not {"genes_used", "genes_missing", "floored_share"} & set(frame.index)


def test_scans_below_the_threshold_leave_measures_but_stay_at_hand(cohort: Path) -> None:
    """B's second scan has SIQR 55 %; A's first has no SIQR, so its IQR of 85 % decides."""
    assert values(cohort, "tiv") == {("A", "ses-pre"): 1401, ("A", "ses-post"): 1400, ("B", "ses-pre"): 1502}
    assert values(cohort, "siqr") == {("A", "ses-post"): 2.5, ("B", "ses-pre"): 2}
    assert values(cohort, "iqr") == {("A", "ses-pre"): 2, ("A", "ses-post"): 2.25, ("B", "ses-pre"): 2}
    assert values(cohort, "tiv", "excluded_measures") == {("B", "ses-post"): 1500}
    assert values(cohort, "wmh") == {}


def test_everything_left_out_is_listed_with_rule_and_reason(cohort: Path) -> None:
    frame = read_table(cohort / "exclusions.tsv", "exclusions").fillna("")
    assert frame.values.tolist() == [
        ["A", "ses-pre", "scan avg_sub-A", "average scan", "the within-person average is not a time point"],
        ["B", "ses-pre", "assay log_hair_cortisol", "no usable value",
         "below the limit of detection, which the study treats as missing"],
        ["B", "ses-pre", "sample S3", "score not computable",
         "0 genes of the set usable, 53 missing; no_genes"],
        ["B", "ses-post", "scale pss10", "score not computable", "4 of 10 items answered"],
        ["B", "ses-post", "scan rsub-B_post", "quality below threshold", "SIQR 55.0 % is below 60 %"],
        ["C", "ses-pre", "sample S4", "sample not scored",
         "the sample has no column in the expression matrix"],
        ["C", "ses-pre", "scan rsub-C_pre", "failed scan", "CAT12_stopped_in_segmentation"],
        ["C", "ses-post", "scale pss10", "not answered", "0 of 10 items answered"],
        ["", "", "scan stray", "unmatched scan",
         "the name could not be matched to a participant and session"],
    ]  # fmt: skip


def test_flow_counts_people_by_hand(cohort: Path) -> None:
    assert count(cohort, "enrolled", "all") == 4
    assert count(cohort, "course completed", "all") == 3
    assert count(cohort, "course not completed", "all") == 1
    assert count(cohort, "course completion not recorded", "all") == 0
    assert [count(cohort, "recorded", "all", session) for session in ("ses-pre", "ses-post")] == [4, 3]
    assert [count(cohort, "assessed", "questionnaires", s) for s in ("ses-pre", "ses-post")] == [4, 3]
    assert [count(cohort, "usable", "questionnaires", s) for s in ("ses-pre", "ses-post")] == [4, 2]
    assert [count(cohort, "assessed", "assays", s) for s in ("ses-pre", "ses-post")] == [2, 1]
    assert [count(cohort, "usable", "assays", s) for s in ("ses-pre", "ses-post")] == [1, 1]
    assert [count(cohort, "assessed", "expression", s) for s in ("ses-pre", "ses-post")] == [3, 1]
    assert [count(cohort, "usable", "expression", s) for s in ("ses-pre", "ses-post")] == [1, 1]
    assert [count(cohort, "assessed", "imaging", s) for s in ("ses-pre", "ses-post")] == [3, 2]
    assert [count(cohort, "excluded", "imaging", s) for s in ("ses-pre", "ses-post")] == [1, 1]
    assert [count(cohort, "usable", "imaging", s) for s in ("ses-pre", "ses-post")] == [2, 1]
    complete = {branch: count(cohort, "complete", branch) for branch in
                ("all", "questionnaires", "assays", "expression", "imaging", "lesions")}  # fmt: skip
    assert complete == {
        "all": 3,
        "questionnaires": 2,
        "assays": 1,
        "expression": 1,
        "imaging": 1,
        "lesions": 1,
    }


def test_flow_adds_up(cohort: Path) -> None:
    flow = read_table(cohort / "flow.tsv", "flow")
    counted = flow.pivot_table(index=["branch", "session_id"], columns="step", values="n", aggfunc="sum")
    steps = counted.dropna(subset=["assessed"])
    assert (steps["assessed"] == steps["excluded"] + steps["usable"]).all()
    assert len(steps) == 10
    sets = flow[flow["step"] == "set of sessions"].groupby("branch")["n"].sum()
    assert sets.to_dict() == dict.fromkeys(
        ["all", "questionnaires", "assays", "expression", "imaging", "lesions"], 4
    )


def test_table_1_describes_without_testing(cohort: Path) -> None:
    """PSS before: 20, 24, 16, 30 (mean 22.5, SD by hand 35.67^0.5); after: 10 alone. Pairs: A only."""
    table = read_table(cohort / "table1.tsv", "table1")
    pss = table[table["measure"] == "pss10"].set_index("session_id")
    assert pss.index.tolist() == ["ses-pre", "ses-post"]
    assert pss["n"].tolist() == [4, 1]
    assert pss["missing"].tolist() == [0, 3]
    assert pss["n_complete"].tolist() == [1, 1]
    assert pss["mean"].tolist() == [22.5, 10]
    assert pss["sd"].iloc[0] == pytest.approx((6.25 + 2.25 + 42.25 + 56.25) ** 0.5 / 3**0.5, rel=1e-12)
    assert pd.isna(pss["sd"].iloc[1])
    age = table[table["measure"] == "age"].iloc[0]
    assert (age["n"], age["missing"], age["mean"], age["sd"], age["unit"]) == (3, 1, 50, 10, "years")
    depleted = table[(table["measure"] == "b_cell_depletion")].set_index("level")
    assert depleted["n"].to_dict() == {"no": 2, "yes": 2}
    assert depleted["percent"].to_dict() == {"no": 50, "yes": 50}
    assert not {"p_value", "p_adjusted"} & set(table.columns)


def test_participants_keep_their_covariates_and_missing_stays_missing(cohort: Path) -> None:
    text = (cohort / "participants.tsv").read_text()
    assert text.splitlines()[1:4] == ["A\t40.0\tyes\tyes", "B\t50.0\tno\tyes", "C\t\tyes\tyes"]


def test_dictionary_describes_every_column_of_every_output(cohort: Path) -> None:
    described = json.loads((cohort / "dictionary.json").read_text())
    for path in sorted(cohort.iterdir()):
        if path.suffix in (".tsv", ".parquet"):
            columns = described[path.stem]["Columns"]
            assert list(read_table(path).columns) == [
                name for name in columns if name in read_table(path).columns
            ]
            assert all(columns[name]["Description"] for name in columns)
    covariates = described["participants"]["Columns"]
    assert covariates["age"]["Units"] == "years"
    assert covariates["b_cell_depletion"]["Levels"] == {"no": "code 0", "yes": "code 1"}
    assert described["measures"]["Columns"]["measure"]["Levels"]["pss10"] == "questionnaire, points"
    assert described["flow"]["Columns"]["session_id"]["Levels"] == {"ses-pre": "before", "ses-post": "after"}


def test_the_guide_names_every_output_and_every_rule(cohort: Path, root: Path) -> None:
    guide = (root / "docs/guide.md").read_text()
    assert [path.name for path in sorted(cohort.iterdir()) if path.name not in guide] == []
    rules = next(field for field in contract("exclusions")["fields"] if field["name"] == "rule")
    assert [rule for rule in rules["constraints"]["enum"] if f"| {rule} |" not in guide] == []


def test_outputs_are_in_order_of_participant_time_and_measure_whatever_the_order_of_the_inputs(
    cohort: Path, tmp_path: Path
) -> None:
    turned = {}
    for name, text in TABLES.items():
        head, *rows = text.splitlines()
        turned[name] = "\n".join([head, *rows[::-1]])
    paths = write_study(tmp_path / "turned", **turned)
    call(assemble_cohort, **paths)
    for path in sorted(cohort.iterdir()):
        assert (paths["out"] / path.name).read_bytes() == path.read_bytes(), path.name
    frame = read_table(cohort / "measures.parquet")
    assert frame["session_id"].drop_duplicates().tolist() == ["ses-pre", "ses-post"]
    assert frame["participant_id"].is_monotonic_increasing
    first = frame[(frame["participant_id"] == "A") & (frame["session_id"] == "ses-pre")]["measure"]
    assert first.is_monotonic_increasing


REGION = "{0}.long {1} {2} {3} {4} lh.{4} left volume {5} ml {6} {0}/mri/lh.txt"


def freesurfer_rows(*rows: tuple[object, ...]) -> str:
    head = "scan participant_id session_id atlas region source_name"
    head += " hemisphere metric value unit cat_version source"
    return "\n".join([head, *(REGION.format(*row) for row in rows)])


HEADS = [
    ("A1", "A", "ses-pre", "freesurfer_subfields_long", "hippocampal_head", 1.5, "T1_v21"),
    ("A2", "A", "ses-post", "freesurfer_subfields_long", "hippocampal_head", 1.25, "T1_v21"),
    ("B2", "B", "ses-post", "freesurfer_subfields_long", "hippocampal_head", 1.75, "T1_v21"),
    ("x", ".", ".", "freesurfer_subfields_long", "hippocampal_head", 9, "T1_v21"),
]


def test_freesurfers_numbers_join_and_share_the_gate_of_the_image(tmp_path: Path) -> None:
    """B's second image is rated 55 % by CAT12: FreeSurfer's number is left out too, and kept."""
    paths = write_study(tmp_path / "fs", freesurfer=freesurfer_rows(*HEADS))
    call(assemble_cohort, **paths)
    head = "freesurfer_subfields_long.hippocampal_head.left.volume"
    assert values(paths["out"], head) == {("A", "ses-pre"): 1.5, ("A", "ses-post"): 1.25}
    assert values(paths["out"], head, "excluded_measures") == {("B", "ses-post"): 1.75}
    exclusions = read_table(paths["out"] / "exclusions.tsv", "exclusions").fillna("")
    mine = exclusions[exclusions["item"].str.startswith("freesurfer")]
    assert mine.to_numpy().tolist() == [
        ["B", "ses-post", "freesurfer B2.long", "quality below threshold", "SIQR 55.0 % is below 60 %"],
        ["", "", "freesurfer x.long", "unmatched scan",
         "the name could not be matched to a participant and session"],
    ]  # fmt: skip
    steps = ("assessed", "excluded", "usable")
    assert [count(paths["out"], step, "freesurfer", "ses-post") for step in steps] == [2, 1, 1]
    outcomes = read_table(paths["out"] / "outcomes.tsv", "outcomes").set_index(["measure", "status"])["n"]
    assert outcomes[head].to_dict() == {"complete": 1, "not collected": 3}


def test_freesurfers_versions_are_not_mixed_and_two_folders_of_one_scan_are_refused(tmp_path: Path) -> None:
    other = ("A2", "A", "ses-post", "freesurfer_subfields_long", "hippocampal_head", 1.25, "T1_v22")
    paths = write_study(tmp_path / "fs", freesurfer=freesurfer_rows(HEADS[0], other))
    with pytest.raises(
        InputError, match=r"mix .* of freesurfer_subfields_long .T1_v21: A1.long; T1_v22: A2.long"
    ):
        call(assemble_cohort, **paths)
    call(assemble_cohort, **paths, allow_mixed_versions=True)
    flow = read_table(paths["out"] / "flow.tsv", "flow")
    assert flow[flow["branch"] == "freesurfer"]["note"].str.contains("MIXED, accepted").any()
    twice = ("A9", *HEADS[0][1:])
    paths = write_study(tmp_path / "fs", freesurfer=freesurfer_rows(HEADS[0], twice))
    with pytest.raises(InputError, match=r"participant A has 2 folders of FreeSurfer at session ses-pre"):
        call(assemble_cohort, **paths)


PROTOCOL = """participant_id session_id suffix voxel_x voxel_y voxel_z orientation handedness \
repetition_time echo_time inversion_time flip_angle field_strength manufacturer scanner_model software \
receive_coil header_texts source within_person in_study
        A ses-pre T1w 1 1 1 RAS right 2.3 0.003 . . 3 Siemens Prisma VE11C . . A_pre . .
        A ses-post T1w 1 1 1 RAS right 2.3 0.003 . . 3 Siemens Prisma {} . . A_post {} .
        A ses-post FLAIR 1 1 1 RAS right 2.3 0.003 . . 3 Siemens Skyra VE11C . . A_flair . larger_voxels
        C ses-post T1w 1 1 1 RAS right 2.3 0.003 . . 1.5 GE Other old . . C_post . ."""


def test_images_measured_in_another_way_are_flagged(tmp_path: Path) -> None:
    """C's second image was not processed, so its scanner is compared with nothing; FLAIR is no T1w."""
    paths = write_study(tmp_path / "same", protocol=PROTOCOL.format("VE11C", "echo_time_differs"))
    call(assemble_cohort, **paths)
    flags = read_table(paths["out"] / "flags.tsv", "flags")
    mine = flags[flags["item"].str.startswith("image ")]
    assert mine[["session_id", "item", "rule", "reason"]].to_numpy().tolist() == [
        ["ses-post", "image A_flair", "image unlike the others", "larger_voxels"],
        ["ses-post", "image A_post", "image changes between sessions", "echo_time_differs"],
    ]


def test_another_scanner_software_is_refused_by_naming_the_images_unless_allowed(tmp_path: Path) -> None:
    paths = write_study(tmp_path / "other", protocol=PROTOCOL.format("XA30", "software_differs"))
    with pytest.raises(
        InputError, match=r"mix versions of the scanner's software .VE11C: A_pre; XA30: A_post"
    ):
        call(assemble_cohort, **paths)
    call(assemble_cohort, **paths, allow_mixed_versions=True)
    flow = read_table(paths["out"] / "flow.tsv", "flow")
    note = flow[(flow["branch"] == "imaging") & (flow["step"] == "complete")]["note"].iloc[0]
    assert "MIXED, accepted" in note
    assert "XA30: A_post" in note


def test_a_study_without_records_takes_its_people_from_samples_and_scans(tmp_path: Path) -> None:
    """Only samples and scans: A, B, C are met there; D has neither."""
    study = STUDY.replace(
        "redcap: {export: e.csv, dictionary: d.csv, events: {a: ses-pre, b: ses-post}}\n", ""
    )
    study = study[: study.index("covariates")] + study[study.index("expression") :]
    paths = write_study(
        tmp_path / "bare", study, participants="participant_id", sessions="participant_id session_id day",
        scales=None, assays=None, lesions=None,
    )  # fmt: skip
    call(assemble_cohort, **paths)
    people = read_table(paths["out"] / "participants.tsv", "participants")
    assert people["participant_id"].tolist() == ["A", "B", "C"]
    assert count(paths["out"], "enrolled", "all") == 3
    assert count(paths["out"], "course completed", "all") is None
    assert count(paths["out"], "recorded", "all", "ses-post") == 2
    flow = read_table(paths["out"] / "flow.tsv", "flow")
    assert set(flow["branch"]) == {"all", "expression", "imaging", "lesions"} - {"lesions"}


def test_a_study_with_questionnaires_alone_is_a_cohort_too(tmp_path: Path) -> None:
    study = STUDY[: STUDY.index("assays:")]
    only = dict.fromkeys(["assays", "samples", "ctra", "scans", "quality", "globals", "lesions"])
    paths = write_study(tmp_path / "asked", study, **only)
    call(assemble_cohort, **paths)
    measures = read_table(paths["out"] / "measures.parquet", "measures")
    assert set(measures["measure"]) == {"pss10", "mfis"}
    assert read_table(paths["out"] / "excluded_measures.parquet", "excluded_measures").empty


def test_mixed_versions_are_flagged_when_allowed(tmp_path: Path) -> None:
    globals = TABLES["globals"].replace(
        "2.5 12.8.1_2042\n        rsub-B_pre", "2.5 12.9_2550\n        rsub-B_pre"
    )
    paths = write_study(tmp_path / "mixed", globals=globals)
    expected = r"mix CAT12 versions \(12.8.1_2042: .*rsub-B_pre; 12.9_2550: rsub-B_post\)"
    with pytest.raises(InputError, match=expected):
        call(assemble_cohort, **paths)
    assert not paths["out"].exists()
    call(assemble_cohort, **paths, allow_mixed_versions=True)
    flow = read_table(paths["out"] / "flow.tsv", "flow")
    note = flow.loc[(flow["step"] == "complete") & (flow["branch"] == "imaging"), "note"].item()
    assert "MIXED, accepted by cat12.allow_mixed: " in note
    assert "12.9_2550: rsub-B_post" in note
    assert "lesions before segmentation: none" in note
    assert values(paths["out"], "mean_thickness")[("A", "ses-pre")] == 2.625


def test_thickness_is_never_compared_across_its_definitions(tmp_path: Path) -> None:
    """CAT26 defines thickness otherwise than 12.8: with mixing allowed volumes go on, thickness does not."""
    globals = TABLES["globals"].replace(
        "2.5 12.8.1_2042\n        rsub-B_pre", "2.5 26.0_3250\n        rsub-B_pre"
    )
    paths = write_study(tmp_path / "defined", globals=globals)
    call(assemble_cohort, **paths, allow_mixed_versions=True)
    assert values(paths["out"], "mean_thickness") == {}
    assert values(paths["out"], "mean_thickness", "excluded_measures") == {}
    assert values(paths["out"], "tiv")[("A", "ses-pre")] == 1401
    rows = read_table(paths["out"] / "exclusions.tsv", "exclusions")
    listed = rows.loc[rows["rule"] == "thickness not comparable", "item"].tolist()
    assert listed == [f"thickness of scan rsub-{scan}" for scan in ("A_pre", "A_post", "B_pre", "B_post")]
    call(assemble_cohort, **paths, allow_mixed=["version", "thickness_definition"])
    assert values(paths["out"], "mean_thickness")[("A", "ses-pre")] == 2.625


@pytest.mark.parametrize(
    ("handling", "slc", "says"),
    [
        ("none", "0", None),
        ("none", ".", None),
        ("CAT12 SLC", "1", None),
        ("filled with LST", "1", None),
        ("none", "1", "lesion_handling: none, but CAT12's setting SLC is 1 in rsub-A_post, rsub-A_pre"),
        ("CAT12 SLC", "0", "lesion_handling: CAT12 SLC, but CAT12's setting SLC is 0 in rsub-A_post"),
    ],
)
def test_what_reports_say_of_lesions_must_be_what_the_study_says(
    tmp_path: Path, handling: str, slc: str, says: str | None
) -> None:
    first, *rows = TABLES["globals"].splitlines()
    globals = "\n".join([f"{first} lesion_handling", *(f"{row} {slc}" for row in rows)])
    study = STUDY.replace("lesion_handling: none", f"lesion_handling: {handling}")
    paths = write_study(tmp_path / "lesions", study, globals=globals)
    if says is None:
        call(assemble_cohort, **paths)
        return
    with pytest.raises(InputError, match=says):
        call(assemble_cohort, **paths)


def test_a_persons_only_scan_does_not_mix_pipelines(tmp_path: Path) -> None:
    """B was scanned once, so only a cross-sectional run was possible; both runs of A are longitudinal."""
    gone = {name: drop(TABLES[name], "rsub-B_post") for name in ("scans", "quality", "globals")}
    gone["scans"] = gone["scans"].replace(
        "rsub-B_pre B ses-pre r v s true", "rsub-B_pre B ses-pre r v s false"
    )
    paths = write_study(tmp_path / "lone", **gone)
    call(assemble_cohort, **paths)
    assert set(values(paths["out"], "tiv")) == {("A", "ses-pre"), ("A", "ses-post")}
    assert read_table(paths["out"] / "excluded_measures.parquet").empty
    rows = read_table(paths["out"] / "exclusions.tsv", "exclusions")
    assert rows.loc[rows["rule"] == "cross-sectional run", "item"].tolist() == ["scan rsub-B_pre"]
    call(assemble_cohort, **paths, allow_mixed_versions=True)
    assert ("B", "ses-pre") not in values(paths["out"], "tiv")  # the old switch is for versions and scanners
    call(assemble_cohort, **paths, allow_mixed=["pipeline"])
    assert ("B", "ses-pre") in values(paths["out"], "tiv")
    flow = read_table(paths["out"] / "flow.tsv", "flow")
    note = flow.loc[(flow["step"] == "complete") & (flow["branch"] == "imaging"), "note"].item()
    assert "MIXED, accepted by cat12.allow_mixed: " in note
    assert "cross-sectional: rsub-B_pre; longitudinal: rsub-A_post, rsub-A_pre" in note


def drop(text: str, word: str) -> str:
    return "\n".join(line for line in text.splitlines() if word not in line)


def test_the_threshold_is_a_choice(tmp_path: Path) -> None:
    paths = write_study(tmp_path / "lenient")
    call(assemble_cohort, **paths, minimum_quality=50)
    assert values(paths["out"], "tiv")[("B", "ses-post")] == 1500
    assert read_table(paths["out"] / "excluded_measures.parquet").empty
    assert count(paths["out"], "complete", "imaging") == 2
