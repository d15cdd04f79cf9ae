"""FreeSurfer's tables beside CAT12, and the head of the hippocampus."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cat12_files as made
from called import call
from pniflow.cohort.observations import of_freesurfer
from pniflow.contracts import read_table, write_table
from pniflow.errors import InputError
from pniflow.imaging.atlases import region_groups
from pniflow.imaging.ingest_freesurfer import ingest_freesurfer
from pniflow.models.fit_models import fit_models
from pniflow.text import labels

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
    assert groups["freesurfer_subfields_long.hippocampal_head.right.volume"] == pytest.approx(1.8)
    assert groups["freesurfer_subfields_long.hippocampal_tail.left.volume"] == pytest.approx(0.5505)
    asymmetry = groups["freesurfer_subfields_long.hippocampal_head.left_minus_right.volume"]
    assert asymmetry == pytest.approx((1.7 - 1.8) / 3.5)


def study(folder: Path, section: str) -> Path:
    path = folder / "study.yaml"
    path.write_text(f"title: t\nsessions: {{ses-pre: {{}}, ses-post: {{}}}}\nfreesurfer: {section}\n")
    return path


def test_longitudinal_and_cross_sectional_numbers_are_two_atlases_and_templates_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The three folders of the longitudinal stream: time point, template, time point in the template."""
    made.write(tmp_path / "fs", {
        "sub-1_ses-pre/stats/aseg.stats": ASEG,
        "sub-1_ses-pre/mri/lh.hippoSfVolumes-T1.v21.txt": SUBFIELDS.format("1600.0"),
        "sub-1/stats/aseg.stats": ASEG.replace("4200.0", "4201.0"),
        "sub-1_ses-pre.long.sub-1/stats/aseg.stats": ASEG.replace("4200.0", "4202.0"),
        "sub-1_ses-pre.long.sub-1/mri/lh.hippoSfVolumes-T1.long.v21.txt": SUBFIELDS.format("1700.0"),
        "fsaverage/stats/aseg.stats": ASEG,
    })  # fmt: skip
    table = read(tmp_path / "fs")
    assert set(table["participant_id"] + table["session_id"]) == {"sub-1ses-pre"}
    found = table.set_index(["atlas", "source_name"])["value"]
    assert found["freesurfer_aseg", "Left-Hippocampus"] == 4.2
    assert found["freesurfer_aseg_long", "Left-Hippocampus"] == pytest.approx(4.202)
    assert found["freesurfer_subfields", "lh.Whole_hippocampal_head"] == pytest.approx(1.6)
    assert found["freesurfer_subfields_long", "lh.Whole_hippocampal_head"] == pytest.approx(1.7)
    assert len(found) == 2 * 4 + 2 * 4
    assert "2 folders of FreeSurfer, 2 templates left out, 0 not matched" in capsys.readouterr().err


def test_of_several_analyses_that_of_t1_alone_is_kept_and_two_versions_are_refused(tmp_path: Path) -> None:
    files = {
        "sub-1_ses-pre/mri/lh.hippoSfVolumes-T1.v21.txt": SUBFIELDS.format("1600.0"),
        "sub-1_ses-pre/mri/lh.hippoSfVolumes-T1-T2.v21.txt": SUBFIELDS.format("1500.0"),
    }
    made.write(tmp_path / "fs", files)
    table = read(tmp_path / "fs").set_index("region")
    assert table.loc["hippocampal_head", ["value", "cat_version"]].tolist() == [1.6, "T1 v21"]
    made.write(
        tmp_path / "fs", {"sub-1_ses-pre/mri/lh.hippoSfVolumes-T1.v22.txt": SUBFIELDS.format("1650.0")}
    )
    with pytest.raises(
        InputError, match=r"v22.txt: lh.Hippocampal_tail of sub-1_ses-pre stands in .*v21.txt"
    ):
        read(tmp_path / "fs")


STATS = """# ColHeaders  Index SegId NVoxels Volume_mm3 StructName
  1 226 0 550.5 Hippocampal_tail
  2 231 0 {} Whole_hippocampal_head
"""


def test_subfields_are_read_from_stats_where_the_text_file_is_gone(tmp_path: Path) -> None:
    """Both files hold the same numbers; the text file goes before, stats alone will do."""
    made.write(tmp_path / "fs", {
        "sub-1_ses-pre.long.sub-1/stats/hipposubfields.lh.T1.long.v21.stats": STATS.format("1700.0"),
        "sub-1_ses-pre.long.sub-1/stats/hipposubfields.rh.T1.long.v21.stats": STATS.format("9.0"),
        "sub-1_ses-pre.long.sub-1/mri/rh.hippoSfVolumes-T1.long.v21.txt": SUBFIELDS.format("1800.0"),
    })  # fmt: skip
    table = read(tmp_path / "fs")
    heads = table[table["region"] == "hippocampal_head"].set_index("hemisphere")
    assert heads["value"].to_dict() == {"left": 1.7, "right": 1.8}
    assert set(heads["atlas"] + heads["cat_version"]) == {"freesurfer_subfields_longT1 v21"}
    assert set(heads["scan"]) == {"sub-1_ses-pre.long.sub-1"}


def test_a_pattern_tells_whose_a_folder_is(tmp_path: Path) -> None:
    made.write(tmp_path / "fs", {
        "P7_pre.long.P7_base/stats/aseg.stats": ASEG,
        "P7_base/stats/aseg.stats": ASEG,
        "pilot/stats/aseg.stats": ASEG,
    })  # fmt: skip
    out = tmp_path / "fs.parquet"
    ingest_freesurfer(
        folder=tmp_path / "fs",
        study=study(tmp_path, "{folder: fs, pattern: '{participant}_{session}'}"),
        regions=out,
    )
    whose = read_table(out, "regions")[["scan", "participant_id", "session_id"]].drop_duplicates()
    assert whose.fillna("").to_numpy().tolist() == [
        ["P7_pre.long.P7_base", "P7", "ses-pre"],
        ["pilot", "", ""],
    ]
    with pytest.raises(InputError, match=r"none of the 2 folders .* could be joined .*freesurfer.pattern"):
        ingest_freesurfer(
            folder=tmp_path / "fs",
            study=study(tmp_path, "{folder: fs, pattern: 'S{participant}'}"),
            regions=out,
        )


def test_a_subjects_folder_below_the_person_is_the_persons(tmp_path: Path) -> None:
    """What the subject's own name does not tell, the folders above it do."""
    places = ["sub-1/ses-pre", "sub-1/ses-post", "sub-2/ses-pre/freesurfer", "sub-3/ses-pre.long.base"]
    files = {f"{place}/stats/aseg.stats": ASEG for place in [*places, "sub-3/base"]}
    made.write(tmp_path / "fs", files | {"sub-1/ses-pre/mri/lh.hippoSfVolumes-T1.v21.txt": "CA1 520.0\n"})
    whose = read(tmp_path / "fs")[["scan", "participant_id", "session_id"]].drop_duplicates()
    assert whose.to_numpy().tolist() == [
        ["sub-1_ses-post", "sub-1", "ses-post"],
        ["sub-1_ses-pre", "sub-1", "ses-pre"],
        ["sub-2_ses-pre_freesurfer", "sub-2", "ses-pre"],
        ["sub-3_ses-pre.long.base", "sub-3", "ses-pre"],
    ]
    made.write(tmp_path / "fs", {"sub-1/sub-2_ses-pre/stats/aseg.stats": ASEG})
    with pytest.raises(
        InputError, match=r"sub-1/sub-2_ses-pre: the name says sub-2, but a folder says sub-1"
    ):
        read(tmp_path / "fs")


def test_cross_sectional_subfields_are_not_taken_for_longitudinal_ones(root: Path, tmp_path: Path) -> None:
    """The shipped model of the hippocampal head is left out, with its reason; the others go on."""
    random = np.random.default_rng(1)
    names = ["freesurfer_subfields.hippocampal_head.left.volume", "gm"]
    rows = [
        (f"p{person}", visit, name, random.normal(10, 1), "ml", "imaging")
        for person in range(8)
        for visit in ("ses-pre", "ses-post")
        for name in names
    ]
    columns = ["participant_id", "session_id", "measure", "value", "unit", "domain"]
    write_table(pd.DataFrame(rows, columns=columns), tmp_path / "m.parquet", "measures")
    write_table(
        pd.DataFrame({"participant_id": [f"p{n}" for n in range(8)]}), tmp_path / "p.tsv", "participants"
    )
    tables = {"measures": tmp_path / "m.parquet", "participants": tmp_path / "p.tsv"}
    estimates = tmp_path / "estimates.tsv"
    models = tmp_path / "models.yaml"
    text = (root / "config" / "models.yaml").read_text()
    models.write_text(
        text[: text.index("models:\n")]
        + """models:
  - name: change_hippocampal_head
    requires: hippocampal_subfields
    outcomes: [freesurfer_subfields_long.hippocampal_head.left.volume]
    fixed: [session]
    test: {hippocampal_head_change: [session]}
  - name: change_gm
    outcomes: [gm]
    fixed: [session]
    test: {mri_change: [session]}
"""
    )
    diagnostics = tmp_path / "diagnostics.tsv"
    call(fit_models, **tables, models=models, estimates=estimates, diagnostics=diagnostics)
    assert set(read_table(estimates, "estimates")["model"]) == {"change_gm"}
    told = read_table(diagnostics, "diagnostics")
    told = told[told["table"] == "models_left_out"].set_index("model")["note"]
    assert told.to_dict() == {
        "change_hippocampal_head": (
            "the study's hippocampal subfields (freesurfer_subfields) hold none of its outcomes"
        )
    }


WHOLE = """# Measure BrainSeg, BrainSegVol, Brain Segmentation Volume, 1200000.000000, mm^3
# Measure lhCortex, lhCortexVol, Left hemisphere cortical gray matter volume, 250000.5, mm^3
# Measure BrainSegVol-to-eTIV, BrainSegVol-to-eTIV, Ratio of BrainSegVol to eTIV, 0.76, unitless
# Measure lhSurfaceHoles, lhSurfaceHoles, Number of defect holes in lh surfaces, 12, unitless
# Measure EstimatedTotalIntraCranialVol, eTIV, Estimated Total Intracranial Volume, 1580123.4, mm^3
"""
WIDE_ASEG = (
    "Measure:volume\tLeft-Hippocampus\tBrain-Stem\tlhCortexVol\tlhSurfaceHoles\tBrainSegVol-to-eTIV"
    "\tEstimatedTotalIntraCranialVol\n{}\t4200.0\t21000.0\t250000.5\t12\t0.76\t1580123.4\n"
)
WIDE_THICKNESS = (
    "lh.aparc.a2009s.thickness,lh_G_insular_short_thickness,lh_MeanThickness_thickness,BrainSegVolNotVent,eTIV\n"
    "sub-1_ses-pre,3.812,2.51,1200000.0,1580123.4\nsub-2_ses-pre,,2.4,1200000.0,1580123.4\n"
)


def test_volumes_of_the_whole_brain_stand_above_the_regions(tmp_path: Path) -> None:
    made.write(tmp_path / "fs", {"sub-1_ses-pre/stats/aseg.stats": WHOLE + ASEG})
    table = read(tmp_path / "fs").set_index("source_name")
    assert table.loc["eTIV", ["region", "hemisphere", "value", "unit"]].tolist() == [
        "eTIV", "both", 1580.1234, "ml",
    ]  # fmt: skip
    assert table.loc["lhCortexVol", ["region", "hemisphere", "value"]].tolist() == [
        "CortexVol",
        "left",
        250.0005,
    ]
    assert not {"BrainSegVol-to-eTIV", "lhSurfaceHoles"} & set(table.index)
    measures = of_freesurfer(read(tmp_path / "fs")).set_index("measure")
    assert measures.loc["freesurfer_etiv", ["value", "unit"]].tolist() == [1580.1234, "ml"]
    assert labels.label("freesurfer_etiv").long == "Estimated total intracranial volume"


@pytest.mark.parametrize("sign", ["\t", ",", ";", " "])
@pytest.mark.parametrize("person", ["sub-1_ses-pre", "/data/sub-1_ses-pre/stats/aseg.stats"])
def test_a_wide_table_says_what_the_statistics_files_say(tmp_path: Path, sign: str, person: str) -> None:
    """A table of another name and sign; numbers of a person's own files go before it."""
    text = WIDE_ASEG.format(person).replace("\t", sign)
    made.write(tmp_path / "fs", {"aseg.vol.table": text})
    wide = read(tmp_path / "fs").drop(columns=["source", "cat_version"])
    made.write(tmp_path / "stats", {"sub-1_ses-pre/stats/aseg.stats": WHOLE + ASEG})
    stats = read(tmp_path / "stats")
    both = wide.merge(stats, how="left", indicator=True)
    assert (len(wide), set(both["_merge"])) == (4, {"both"})
    made.write(tmp_path / "stats", {"aseg.vol.table": text.replace("4200.0", "9.0")})
    pd.testing.assert_frame_equal(read(tmp_path / "stats"), stats)


def test_a_wide_table_of_thickness(tmp_path: Path) -> None:
    made.write(tmp_path / "fs", {"tables/lh_thick.csv": WIDE_THICKNESS})
    columns = ["scan", "atlas", "region", "hemisphere", "metric", "value", "unit"]
    assert read(tmp_path / "fs")[columns].to_numpy().tolist() == [
        ["sub-1_ses-pre", "freesurfer_aparc_a2009s", "G_insular_short", "left", "thickness", 3.812, "mm"],
        ["sub-1_ses-pre", "freesurfer_aparc_a2009s", "MeanThickness", "left", "thickness", 2.51, "mm"],
        ["sub-2_ses-pre", "freesurfer_aparc_a2009s", "MeanThickness", "left", "thickness", 2.4, "mm"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("s/stats/aseg.stats", ASEG.replace("# ColHeaders", "# Columns"), "'# ColHeaders' is missing"),
        ("s/stats/aseg.stats", ASEG.replace("StructName", "Name"), "column 'StructName' is missing"),
        ("s/stats/aseg.stats", ASEG.replace("4200.0", "big"), "Left-Hippocampus is 'big'; a number"),
        ("s/stats/aseg.stats", ASEG.replace("4200.0", "-1"), "Left-Hippocampus is -1; zero or more"),
        ("s/stats/aseg.stats", ASEG.replace("  60.0\n", "\n", 1), "has 5 cells, the header 6"),
        ("s/mri/lh.hippoSfVolumes-T1.v10.txt", "CA1 2 3\n", "is not a name and a volume"),
        (
            "s/stats/hipposubfields.lh.T1.v21.stats",
            "1 2 3 4\n",
            "is not of index, id, voxels, volume and name",
        ),
        ("s/none.txt", "", "there are no tables of FreeSurfer"),
        ("aseg.txt", WIDE_ASEG.format("a").replace("4200.0\t", ""), "row 2 has 6 cells, the header 7"),
        ("aseg.txt", WIDE_ASEG.format("a").replace("4200.0", "big"), "Left-Hippocampus is 'big'"),
        (
            "aseg.txt",
            WIDE_ASEG.format("a").replace("Brain-Stem", "Left-Hippocampus"),
            "Left-Hippocampus stands twice",
        ),
        ("aseg.txt", WIDE_ASEG.format("a") + "a\t1\t1\t1\t1\t1\t1\n", "the person a stands twice"),
        (
            "s/subfields.csv",
            "subfield,volume_mm^3,subject,hemisphere\nCA1,34.5,bert,left\nCA3,678.9,bert",
            "a row of bert has another number of cells than the header",
        ),
        (
            "s/subfields.csv",
            'subfield,volume_mm^3,subject,hemisphere\nCA1,34.5,bert,"left\n' + "x\n" * 70_000,
            "s/subfields.csv: this is not a table .field larger than",
        ),
    ],
)
def test_damaged_tables_are_refused(tmp_path: Path, name: str, text: str, says: str) -> None:
    made.write(tmp_path / "fs", {name: text})
    with pytest.raises(InputError, match=says):
        read(tmp_path / "fs")
