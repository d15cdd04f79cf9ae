"""Region groups as data: every atlas that outlines the anterior insula finds it, on its side, in every
generation.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pniflow.contracts import read_table
from pniflow.errors import InputError
from pniflow.imaging.atlases import region, region_groups, require_group
from pniflow.resources import find

INSULA = ["lS_circular_insula_ant", "rS_circular_insula_ant", "lG_insular_short", "rG_insular_short"]
COLUMNS = [
    "participant_id",
    "session_id",
    "scan",
    "atlas",
    "region",
    "source_name",
    "hemisphere",
    "metric",
    "value",
]


def table(root: Path, name: str) -> list[dict[str, str]]:
    with open(root / "resources" / "atlases" / f"{name}.tsv", encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def rows(atlas: str, values: dict[str, float], metric: str, scan: str = "s") -> pd.DataFrame:
    """Make regions rows from names as they stand in a file."""
    made = []
    for name, value in values.items():
        meant = region(atlas, name, metric == "thickness")
        made.append(("p", "ses-a", scan, atlas, meant.name, name, meant.hemisphere, metric, value))
    return pd.DataFrame(made, columns=COLUMNS)


ANTERIOR = {
    "neuromorphometrics old": (
        "neuromorphometrics",
        {"lAntIns": 4.0, "rAntIns": 5.0, "lPosIns": 2.0},
        (4.0, 5.0),
    ),
    "neuromorphometrics new": (
        "neuromorphometrics",
        {"Right AIns anterior insula": 5.0, "Left AIns anterior insula": 4.0},
        (4.0, 5.0),
    ),
    "hammers new": (
        "hammers",
        {
            "insula anterior short gyrus L": 1.0,
            "insula anterior short gyrus R": 2.0,
            "insula anterior inferior cortex L": 0.25,
            "insula anterior inferior cortex R": 0.5,
        },
        (1.25, 2.5),
    ),
    "julichbrain": (
        "julichbrain",
        {"lId6": 1.0, "lId7": 2.0, "lIa": 4.0, "rId6": 8.0, "rId7": 16.0, "rIa": 32.0},
        (7.0, 56.0),
    ),
}


@pytest.mark.parametrize("case", list(ANTERIOR))
def test_anterior_insula_volume_is_the_sum_of_its_parts(case: str) -> None:
    atlas, values, (left, right) = ANTERIOR[case]
    groups = region_groups(rows(atlas, values, "gm_volume")).set_index("measure")
    assert groups.loc[f"{atlas}.anterior_insula.left.gm_volume", ["value", "unit"]].tolist() == [left, "ml"]
    assert groups.loc[f"{atlas}.anterior_insula.right.gm_volume", "value"] == right
    difference = groups.loc[f"{atlas}.anterior_insula.left_minus_right.gm_volume"]
    assert difference["value"] == pytest.approx((left - right) / (left + right), rel=1e-15)
    assert difference["unit"] == "1"


def test_anterior_insula_thickness_of_hcp_is_weighted_by_template_vertices() -> None:
    """AAIC 100 and 95 vertices, AVI 108 and 125, MI 134 and 110 on the left and right of the 32k
    annotation.
    """
    values = {"lAAIC": 4.0, "lAVI": 3.0, "lMI": 5.0, "rAAIC": 4.5, "rAVI": 3.5, "rMI": 5.5}
    groups = region_groups(rows("aparc_HCP_MMP1", values, "thickness")).set_index("measure")["value"]
    left = np.average([4.0, 3.0, 5.0], weights=[100, 108, 134])
    right = np.average([4.5, 3.5, 5.5], weights=[95, 125, 110])
    assert groups["aparc_HCP_MMP1.anterior_insula.left.thickness"] == pytest.approx(left, rel=1e-15)
    assert groups["aparc_HCP_MMP1.anterior_insula.right.thickness"] == pytest.approx(right, rel=1e-15)
    assert groups["aparc_HCP_MMP1.anterior_insula.left_minus_right.thickness"] == pytest.approx(left - right)


def test_anterior_insula_thickness_of_a2009s_is_weighted_by_template_vertices() -> None:
    """Anterior circular sulcus 145 and 159, short insular gyri 178 and 143 vertices of the 32k annotation."""
    values = dict(zip(INSULA, [3.5, 3.25, 5.0, 4.75], strict=True))
    groups = region_groups(rows("aparc_a2009s", values, "thickness")).set_index("measure")["value"]
    left = np.average([3.5, 5.0], weights=[145, 178])
    right = np.average([3.25, 4.75], weights=[159, 143])
    name = "aparc_a2009s.anterior_insula.{}.thickness"
    assert groups[name.format("left")] == pytest.approx(left, rel=1e-15)
    assert groups[name.format("right")] == pytest.approx(right, rel=1e-15)
    assert groups[name.format("left_minus_right")] == pytest.approx(left - right)


@pytest.mark.parametrize("values", [{"lAAIC": 4.0, "lAVI": 3.0}, {"lAAIC": 4.0, "lAVI": 3.0, "lMI": np.nan}])
def test_a_group_with_a_part_missing_is_missing(values: dict[str, float]) -> None:
    right = {"rAAIC": 4.5, "rAVI": 3.5, "rMI": 5.5}
    groups = region_groups(rows("aparc_HCP_MMP1", values | right, "thickness")).set_index("measure")["value"]
    assert np.isnan(groups["aparc_HCP_MMP1.anterior_insula.left.thickness"])
    assert np.isnan(groups["aparc_HCP_MMP1.anterior_insula.left_minus_right.thickness"])
    assert not np.isnan(groups["aparc_HCP_MMP1.anterior_insula.right.thickness"])


def test_a_side_that_no_file_holds_is_no_measure() -> None:
    groups = region_groups(rows("lpba40", {"lIns": 6.0}, "gm_volume"))
    assert groups["measure"].tolist() == ["lpba40.insula.left.gm_volume"]


def test_old_and_new_hammers_have_one_insula_each() -> None:
    """The old table has the whole; the new has six parts, which add up to it."""
    parts = [
        "anterior short gyrus",
        "middle short gyrus",
        "posterior short gyrus",
        "anterior inferior cortex",
    ]
    new = {
        f"insula {part} {side}": 1.0
        for part in [*parts, "anterior long gyrus", "posterior long gyrus"]
        for side in "LR"
    }
    both = pd.concat(
        [
            rows("hammers", new, "gm_volume", "new"),
            rows("hammers", {"lIns": 8.0, "rIns": 9.0}, "gm_volume", "old"),
        ]
    )
    groups = region_groups(both).set_index(["scan", "measure"])["value"]
    assert groups["new", "hammers.insula.left.gm_volume"] == 6.0
    assert groups["old", "hammers.insula.left.gm_volume"] == 8.0
    assert ("old", "hammers.anterior_insula.left.gm_volume") not in groups.index


@pytest.mark.parametrize("atlas", ["aparc_DK40", "lpba40", "aal3", "mori"])
def test_an_undivided_insula_has_no_anterior_part(atlas: str) -> None:
    with pytest.raises(
        InputError, match=f"{atlas} has no anterior_insula, it has the insula as one region; use"
    ):
        require_group(atlas, "anterior_insula")


def test_unknown_groups_and_atlases_are_refused_by_name() -> None:
    with pytest.raises(InputError, match="there is no group 'insla'; known are amygdala"):
        require_group("aparc_a2009s", "insla")
    with pytest.raises(InputError, match="the atlas nothing has no hippocampus"):
        require_group("nothing", "hippocampus")


def test_every_group_names_regions_that_its_atlas_has_on_both_sides(root: Path) -> None:
    groups = table(root, "groups")
    parts = {"anterior_insula", "posterior_insula", "insula", "anterior_cingulate", "mid_cingulate"}
    assert {row["group"] for row in groups} == parts | {
        "hippocampus", "amygdala", "thalamus", "hippocampal_head", "hippocampal_body", "hippocampal_tail"
    }  # fmt: skip
    for row in groups:
        if row["atlas"].startswith("freesurfer_"):
            continue  # FreeSurfer names its regions itself
        named = table(root, row["atlas"])
        for side in ("left", "right"):
            held = [one for one in named if one["region"] == row["region"] and one["hemisphere"] == side]
            assert held, row
            if row["metric"] == "thickness":
                assert {one["vertices"] for one in held} == {row[f"weight_{side}"]}


def test_a_name_means_one_region_in_an_atlas(root: Path) -> None:
    """The join is by name alone, so no name may mean two things over the generations."""
    for path in sorted((root / "resources" / "atlases").glob("*.tsv")):
        if path.stem in ("groups", "metrics", "ranges", "test_retest"):
            continue
        meant: dict[str, tuple[str, str]] = {}
        for row in table(root, path.stem):
            assert row["region"] and row["hemisphere"] in ("left", "right", "both", "midline"), row
            assert meant.setdefault(row["source_name"], (row["region"], row["hemisphere"])) == (
                row["region"], row["hemisphere"]
            ), (path.stem, row)  # fmt: skip


def test_no_two_names_of_a_generation_are_one_region(root: Path) -> None:
    for path in sorted((root / "resources" / "atlases").glob("*.tsv")):
        if path.stem in ("groups", "metrics", "ranges", "test_retest"):
            continue
        seen: set[tuple[str, str, str]] = set()
        for row in table(root, path.stem):
            for generation in row["generation"].split():
                key = (generation, row["region"], row["hemisphere"])
                assert key not in seen, (path.stem, key)
                seen.add(key)


def test_left_and_right_mirror_each_other_in_every_table(root: Path) -> None:
    for path in sorted((root / "resources" / "atlases").glob("*.tsv")):
        if path.stem in ("groups", "metrics", "ranges", "test_retest") or path.stem.startswith("Schaefer"):
            continue  # Schaefer's parcels differ between the hemispheres
        sides: dict[str, dict[str, set[str]]] = {}
        for row in table(root, path.stem):
            for generation in row["generation"].split():
                sides.setdefault(generation, {}).setdefault(row["hemisphere"], set()).add(row["region"])
        for generation, regions in sides.items():
            left, right = regions.get("left", set()), regions.get("right", set())
            assert left == right, (path.stem, generation, left ^ right)


STRUCTURES = {
    # What the second list of names in CAT12's own tables says of a short name (ROIoname, ROIbasename).
    ("anatomy", "lPar"): ("thalamus_parietal", "thalamus", ""),  # Thal: Parietal
    ("anatomy", "rMot"): ("thalamus_motor_and_premotor", "thalamus", ""),  # Thal: Motor & Thal: Premotor
    ("anatomy", "lSupFro"): ("superior_occipito_frontal_fascicle", "white matter", ""),
    ("anatomy", "rLatBod"): ("lateral_geniculate_body", "thalamus", ""),
    ("mori", "lOcc"): ("inferior_fronto_occipital_fasciculus", "white matter", ""),
    ("mori", "rTemGy"): ("inferior_temporal_gyrus", "cortex", "temporal"),
    ("mori", "lSupCbePed"): ("superior_cerebellar_peduncle", "white matter", ""),
    ("aal", "lAntCin"): ("anterior_cingulum", "cortex", "cingulate"),  # Cingulum-Ant, grey matter in AAL
    ("aal", "rSupMot"): ("supplementary_motor_area", "cortex", "frontal"),  # Supp-Motor-Area
    ("cobra", "lStriatum"): ("striatum", "subcortical grey matter", ""),
    ("neuromorphometrics", "Left OFuG occipital fusiform gyrus"): (
        "occipital_fusiform_gyrus", "cortex", "occipital",
    ),
    ("neuromorphometrics", "Optic Chiasm"): ("optic_chiasm", "white matter", ""),
    ("anatomy3", "lInsula_Ig1"): ("ig1", "cortex", "insula"),
    ("aparc_DK40", "rparsopercularis"): ("parsopercularis", "cortex", "frontal"),
    ("aparc_a2009s", "lG_and_S_cingul-Ant"): ("G_and_S_cingul-Ant", "cortex", "cingulate"),
    ("aparc_HCP_MMP1", "rAVI"): ("AVI", "cortex", "insula"),
    ("Schaefer2018_100Parcels_17Networks_order", "lSalVentAttnA_Ins_1"): (
        "SalVentAttnA_Ins_1", "cortex", "SalVentAttnA",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("atlas", "name"), list(STRUCTURES))
def test_structure_and_lobe_are_those_of_the_region(atlas: str, name: str) -> None:
    rows = read_table(find("atlases", atlas)).fillna("").set_index("source_name")
    assert tuple(rows.loc[name, ["region", "structure", "lobe"]]) == STRUCTURES[atlas, name]


LOBES = {"frontal", "parietal", "temporal", "occipital", "cingulate", "insula"}
BOUNDARIES = {  # over two lobes, or wholes of several
    "aparc_a2009s": {
        "Lat_Fis-post", "S_central", "S_cingul-Marginalis", "S_collat_transv_post", "S_parieto_occipital",
        "G_and_S_subcentral",
    },
    "aparc_HCP_MMP1": {"5m", "5mv", "FST", "Pir", "ProS", "RI", "TPOJ2"},
    "mori": {"cuneus_and_precuneus"},
    "julichbrain": {
        "frontal_to_occipital_gapmap", "frontal_to_temporal_gapmap", "temporal_to_parietal_gapmap",
    },
    "ibsr": {"cerebral_cortex"},
}  # fmt: skip


@pytest.mark.parametrize(
    "atlas",
    ["aal", "aal3", "anatomy", "anatomy3", "aparc_DK40", "aparc_HCP_MMP1", "aparc_a2009s", "hammers", "ibsr",
     "julichbrain", "lpba40", "mori", "neuromorphometrics"],
)  # fmt: skip
def test_every_cortical_region_has_a_lobe_the_same_on_both_sides(atlas: str) -> None:
    rows = read_table(find("atlases", atlas)).fillna("")
    cortex = rows[rows["structure"] == "cortex"]
    assert set(cortex.loc[cortex["lobe"] == "", "region"]) == BOUNDARIES.get(atlas, set())
    assert set(cortex["lobe"]) - {""} <= LOBES
    assert (rows.groupby("region")[["structure", "lobe"]].nunique() == 1).all(axis=None)
