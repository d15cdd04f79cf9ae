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


LEFT = "Measure:volume\tHippocampal_tail\tCA1-head\tWhole_hippocampus\nsub-1_ses-a\t500.5\t301.0\t3300.25\n"
ACROSS = "\n".join(map("\t".join, zip(*(line.split("\t") for line in LEFT.splitlines()), strict=True))) + "\n"


@pytest.mark.parametrize(
    "content",
    [
        LEFT.encode(),
        ACROSS.encode(),
        LEFT.encode("utf-8-sig"),
        LEFT.encode("utf-16"),
        LEFT.replace("\t", ",").encode(),
        LEFT.replace(".", ",").replace("\t", ";").encode("utf-8-sig"),
        LEFT.replace("\t", "  ").encode(),
        LEFT.replace("\t", '" "').replace("\n", '"\n"').join('""').removesuffix('""').encode(),
        LEFT.replace(":", ".").replace("CA1-head", "CA1.head").encode(),
        LEFT.replace("Measure:volume", '""\tsubject').replace("sub-1", "0\tsub-1").encode(),
    ],
    ids=["tabs", "across", "mark", "utf-16", "commas", "semicolons", "blanks", "quotes", "R", "numbered"],
)
def test_a_left_table_of_subfields_is_of_the_left_subfields(tmp_path: Path, content: bytes) -> None:
    """asegstats2table --statsfile hipposubfields.lh.T1.v21.stats, as programs save it again."""
    made.write(tmp_path / "fs", {"lh_hipposubfields.csv": content})
    table = read(tmp_path / "fs")
    assert set(table["atlas"] + table["hemisphere"] + table["scan"]) == {
        "freesurfer_subfieldsleftsub-1_ses-a"
    }
    values = table.set_index("region")["value"].to_dict()
    assert values == {"hippocampal_tail": 0.5005, "CA1-head": 0.301, "hippocampus": 3.30025}


def test_a_table_of_subfields_needs_a_side_and_both_sides_are_no_contradiction(tmp_path: Path) -> None:
    made.write(tmp_path / "fs", {"hippo.lh.txt": LEFT, "hippo.rh.txt": LEFT})
    assert sorted(read(tmp_path / "fs")["hemisphere"]) == ["left"] * 3 + ["right"] * 3
    made.write(tmp_path / "fs", {"subfields.txt": LEFT})
    with pytest.raises(InputError, match=r"subfields.txt: neither .* which hemisphere .* put lh or rh into"):
        read(tmp_path / "fs")
    made.write(tmp_path / "fs", {"subfields.txt": "", "lh.again.txt": LEFT})
    with pytest.raises(
        InputError, match=r"again.txt: lh.Hippocampal_tail of sub-1_ses-a stands in hippo.lh.txt as well"
    ):
        read(tmp_path / "fs")


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("Subject left_CA1-head left_Whole_hippocampus right_CA1-head\nsub-1_ses-a 5.5 30 6\n",
         ["subfields CA1-head left 5.5", "subfields CA1-head right 6.0", "subfields hippocampus left 30.0"]),
        ("Subject left_Lateral-nucleus right_Whole_amygdala\nsub-1_ses-a 5.5 30\n",
         ["amygdala Lateral-nucleus left 5.5", "amygdala amygdala right 30.0"]),
        ("Subject Left-AV Right-MV(Re) Left-L-Sg Right-Whole_thalamus\nsub-1_ses-a 5.5 30 6 70\n",
         ["thalamus AV left 5.5", "thalamus L-Sg left 6.0", "thalamus MV(Re) right 30.0",
          "thalamus thalamus right 70.0"]),
        ("Subject Medulla Pons Whole_brainstem\nsub-1_ses-a 5.5 30 60\n",
         ["brainstem Medulla both 5.5", "brainstem Pons both 30.0", "brainstem brainstem both 60.0"]),
        ("subject,total intracranial,left hippocampus,right ventral DC,ctx-lh-insula\n"
         "sub-1_ses-a,90,5.5,4,3\n",
         ["synthseg ctx-insula left 3.0", "synthseg hippocampus left 5.5",
          "synthseg total intracranial both 90.0",
          "synthseg ventral DC right 4.0"]),
        ("case,Left-Nucleus-Accumbens,Right-Fornix,eTIV\nsub-1_ses-a,5.5,30,900\n",
         ["aseg eTIV both 900.0", "sclimbic Fornix right 30.0", "sclimbic Nucleus-Accumbens left 5.5"]),
        ("Measure:volume\tLeft-Hippocampus\tIntra-Cranial\tSkull\nsub-1_ses-a\t5.5\t90\t8\n",
         ["samseg Hippocampus left 5.5", "samseg Intra-Cranial both 90.0", "samseg Skull both 8.0"]),
        ("Measure:volume\twm-lh-insula\tRight-UnsegmentedWhiteMatter\teTIV\nsub-1_ses-a\t5.5\t90\t900\n",
         ["aseg eTIV both 900.0", "wmparc UnsegmentedWhiteMatter right 90.0", "wmparc insula left 5.5"]),
        ("Measure:volume,Left-Hippocampus,ctx-rh-insula,ctx-rh-lingual\nsub-1_ses-a,5.5,30,8\n",
         ["aseg Hippocampus left 5.5", "aseg ctx-insula right 30.0", "aseg ctx-lingual right 8.0"]),
        ("subject,left anterior-inferior,whole left\nsub-1_ses-a,5.5,30\n",
         ["hypothalamus anterior-inferior left 5.5", "hypothalamus hypothalamus left 30.0"]),
        ("bilateral.thickness,lh_insula_thickness,lh_frontalpole_thickness,BrainSegVolNotVent\n"
         "sub-1_ses-a,3,2,9\n",
         ["aparc frontalpole left 2000.0", "aparc insula left 3000.0"]),
    ],
    ids=lambda value: value[0].split()[0] if isinstance(value, list) else "",
)  # fmt: skip
def test_a_table_is_of_the_segmentation_whose_regions_it_names(
    tmp_path: Path, text: str, held: list[str]
) -> None:
    made.write(tmp_path / "fs", {"mine.txt": text})
    table = read(tmp_path / "fs")
    atlas = table["atlas"].str.removeprefix("freesurfer_")
    rows = atlas + " " + table["region"] + " " + table["hemisphere"] + " "
    assert sorted(rows + (table["value"] * 1000).astype("str")) == held
    assert set(table["scan"]) == {"sub-1_ses-a"}


def test_volumes_of_the_whole_brain_may_stand_in_several_tables(tmp_path: Path) -> None:
    wmparc = "Measure:volume\twm-lh-insula\tEstimatedTotalIntraCranialVol\nsub-1_ses-pre\t90.5\t{}\n"
    files = {"aseg.txt": WIDE_ASEG.format("sub-1_ses-pre"), "wmparc.txt": wmparc.format("1580123.4")}
    made.write(tmp_path / "fs", files)
    table = read(tmp_path / "fs").set_index("source_name")
    assert table.loc["eTIV", ["atlas", "value"]].tolist() == ["freesurfer_aseg", 1580.1234]
    assert table.loc["wm-lh-insula", ["atlas", "region", "hemisphere", "metric"]].tolist() == [
        "freesurfer_wmparc", "insula", "left", "wm_volume",
    ]  # fmt: skip
    made.write(tmp_path / "fs", {"wmparc.txt": wmparc.format("1480123.4")})
    with pytest.raises(
        InputError, match=r"wmparc.txt: eTIV of sub-1_ses-pre is 1480.12 ml, but 1580.12 ml in"
    ):
        read(tmp_path / "fs")


SAMSEG = "# Measure Left-Caudate, 3500.0, mm^3\n# Measure Skull, 9.0, mm^3\n"


def test_statistics_files_of_other_segmentations_are_read_and_the_rest_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = "# cvs_version 7.4.1\n# ColHeaders  Index SegId NVoxels Volume_mm3 StructName\n"
    own = "sub-1_ses-pre/stats/"
    made.write(tmp_path / "fs", {
        f"{own}aseg.stats": ASEG,
        f"{own}wmparc.stats": head + "1 3035 9 5500.5 wm-lh-insula\n",
        f"{own}brainstem.v13.stats": head + "1 175 9 4600.0 Medulla\n",
        f"{own}thalamic-nuclei.rh.v13.T1.stats": head + "1 8203 9 120.0 AV\n",
        f"{own}brainvol.stats": "# Measure BrainSeg, BrainSegVol, Brain Segmentation Volume, 9.0, mm^3\n",
        f"{own}aseg+DKT.VINN.stats": head + "1 17 9 4300.0 Left-Hippocampus\n",
        f"{own}lh.curv.stats": "lh white surface curvature\n",
        "sub-1_ses-pre/mri/ThalamicNuclei.v13.T1.volumes.txt": "Left-AV 110.0\nRight-AV 121.0\n",
        "sub-1_ses-pre/scripts/recon-all.txt": "what ran",
        "samseg/sub-1_ses-pre_samseg.stats": SAMSEG,
        "empty.csv": "", "people.csv": "id,age\nP1,40\n",
        "sclimbic_zscores_all.csv": "case,Left-Fornix\nsub-1_ses-pre,-1.5\n",
    })  # fmt: skip
    table = read(tmp_path / "fs")
    table = table[table["atlas"] != "freesurfer_aseg"]
    rows = zip(table["atlas"].str[11:] + " " + table["source_name"], table["hemisphere"], table["value"],
               table["cat_version"].fillna(""), strict=True)  # fmt: skip
    assert sorted(rows) == [
        ("brainstem Medulla", "both", 4.6, "v13"),
        ("samseg Left-Caudate", "left", 3.5, ""),
        ("samseg Skull", "both", 0.009, ""),
        ("thalamus Left-AV", "left", 0.11, "T1 v13"),
        ("thalamus Right-AV", "right", 0.121, "T1 v13"),
        ("wmparc wm-lh-insula", "left", 5.5005, "7.4.1"),
    ]
    said = capsys.readouterr().err
    assert (
        "Not read, for no regions of FreeSurfer were recognized: aseg+DKT.VINN.stats, brainvol.stats,"
        " empty.csv, lh.curv.stats," in said
    )
    assert "people.csv, sclimbic_zscores_all.csv." in said and "recon-all" not in said


def test_a_damaged_table_is_passed_over_where_statistics_files_hold_its_atlas(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = WIDE_ASEG.format("sub-1_ses-pre")
    made.write(tmp_path / "fs", {"sub-1_ses-pre/stats/aseg.stats": ASEG, "aseg.txt": wide[:-20] + "\t1\t1\n"})
    assert len(read(tmp_path / "fs")) == 4
    assert "aseg.txt: row 2 has another number of cells" in capsys.readouterr().err
    made.write(tmp_path / "fs", {"lh.CA.txt": LEFT.replace("301.0", "big")})
    with pytest.raises(InputError, match=r"lh.CA.txt: CA1-head is 'big'"):
        read(tmp_path / "fs")


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
        (
            "aseg.txt",
            WIDE_ASEG.format("a").replace("4200.0\t", ""),
            r"row 2 has another number of cells than the header \(7\)",
        ),
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
            r"s/subfields.csv: row 3 has another number of cells than the header \(4\)",
        ),
        (
            "s/subfields.csv",
            'subfield,volume_mm^3,subject,hemisphere\nCA1,34.5,bert,"left\n' + "x\n" * 70_000,
            "s/subfields.csv: row 2: the hemisphere 'left",
        ),
    ],
)
def test_damaged_tables_are_refused(tmp_path: Path, name: str, text: str, says: str) -> None:
    made.write(tmp_path / "fs", {name: text})
    with pytest.raises(InputError, match=says):
        read(tmp_path / "fs")
