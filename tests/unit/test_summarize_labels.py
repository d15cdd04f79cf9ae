"""Grey matter by the regions of a label image: sums of voxels in ml, on the images' grid, none lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import pytest

import map_studies as made
from pniflow.cohort.observations import of_labels
from pniflow.contracts import read_table
from pniflow.errors import InputError
from pniflow.imaging.cat12.summarize_labels import summarize_labels

STEMS = ("sub-1_ses-a", "sub-1_ses-b", "sub-2_ses-a")
TABLE = "label,region,hemisphere\n1,insula,left\n2,insula,right\n7,brain stem,midline\n"


def labels() -> np.ndarray:
    values = np.zeros(made.SHAPE)
    values[:3, 2:5, 2:6], values[6:, 2:5, 2:6], values[4, 4, 4] = 1, 2, 7
    return values


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    """Write three scans and a label image of three regions."""
    rng = np.random.default_rng(3)
    for stem in STEMS:
        made.image(tmp_path / f"cat12/mri/mwp1{stem}.nii", rng.uniform(0, 1, made.SHAPE))
    made.image(tmp_path / "mine.nii.gz", labels())
    (tmp_path / "mine.csv").write_text(TABLE)
    return {
        "folder": tmp_path / "cat12",
        "scans": made.scans(tmp_path, *STEMS),
        "image": tmp_path / "mine.nii.gz",
        "table": tmp_path / "mine.csv",
        "atlas": "mine",
        "regions": tmp_path / "regions.parquet",
    }


def read(files: dict[str, Any]) -> pd.DataFrame:
    return read_table(files["regions"], "regions")


def test_a_regions_volume_is_the_sum_of_its_voxels_in_ml(files: dict[str, Any]) -> None:
    summarize_labels(**files)
    table = read(files)
    assert list(table["region"].unique()) == ["insula", "brain_stem"]
    assert set(table["unit"]) == {"ml"}
    for row in table.itertuples():
        values = np.asarray(nibabel.load(files["folder"] / row.source).dataobj, dtype=float)
        size = abs(np.linalg.det(made.AFFINE[:3, :3])) / 1000
        assert row.value == pytest.approx(values[labels() == int(row.source_name)].sum() * size, rel=1e-6)
    assert len(table) == 3 * len(STEMS)


def test_regions_and_their_asymmetry_are_measures(files: dict[str, Any]) -> None:
    summarize_labels(**files)
    table = read(files)
    measures = of_labels(table.drop_duplicates("scan"), table)
    one = measures[(measures["participant_id"] == "sub-1") & (measures["session_id"] == "ses-a")]
    value = one.set_index("measure")["value"]
    left, right = (value[f"mine.insula.{side}.gm_volume"] for side in ("left", "right"))
    assert value["mine.insula.left_minus_right.gm_volume"] == pytest.approx((left - right) / (left + right))
    assert sorted(value.index)[0] == "mine.brain_stem.midline.gm_volume"
    assert len(value) == 4


def test_labels_on_another_grid_are_brought_to_the_images_by_the_nearest_voxel(files: dict[str, Any]) -> None:
    summarize_labels(**files)
    before = read(files)["value"]
    finer = made.AFFINE.astype(float).copy()
    finer[:3, :3] /= 3
    # The first voxel's centre moves with its size.
    finer[:3, 3] = made.AFFINE[:3, 3] - made.AFFINE[:3, :3].sum(axis=1) / 3
    made.image(files["image"], np.kron(labels(), np.ones((3, 3, 3))), finer)
    summarize_labels(**files)
    np.testing.assert_array_equal(read(files)["value"], before)


def test_sides_are_read_from_names_and_labels_without_a_name_are_counted(
    files: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    files["table"].write_text("label;region\n1;Left Insula\n2;Insula R\n")
    summarize_labels(**files)
    table = read(files).drop_duplicates("source_name")
    assert table[["region", "hemisphere"]].to_numpy().tolist() == [["Insula", "left"], ["Insula", "right"]]
    assert "mine.nii.gz: 1 labels that its table does not name are left out." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("table", "image", "words"),
    [
        (TABLE + "9,thalamus,left\n", None, ["mine.nii.gz", "labels 9", "no voxel"]),
        (TABLE + "1,thalamus,left\n", None, ["mine.csv: row 5", "label 1 a second time"]),
        (TABLE + "9,insula,left\n", None, ["two labels are the region 'insula' of the side left"]),
        (TABLE.replace("7,", "0,"), None, ["row 4, column 'label' is '0'"]),
        (TABLE.replace("midline", "middle"), None, ["'middle'", "left, right, both, midline"]),
        ("number,region\n1,a\n", None, ["lacks label"]),
        ("label,region\n", None, ["mine.csv"]),
        (TABLE, labels() / 2, ["no whole numbers", "probabilities"]),
    ],
)
def test_a_wrong_label_image_or_table_is_one_sentence(
    table: str, image: np.ndarray | None, words: list[str], files: dict[str, Any]
) -> None:
    files["table"].write_text(table)
    if image is not None:
        made.image(files["image"], image)
    with pytest.raises(InputError) as caught:
        summarize_labels(**files)
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text
    for word in words:
        assert word in text
    assert not files["regions"].exists()


def test_a_scan_without_its_image_is_named(files: dict[str, Any]) -> None:
    (files["folder"] / f"mri/mwp1{STEMS[1]}.nii").unlink()
    with pytest.raises(
        InputError, match=rf"1 of 3 scans have no image mwp1.*{STEMS[1]}.*cat12.labels.prefix"
    ):
        summarize_labels(**files)
