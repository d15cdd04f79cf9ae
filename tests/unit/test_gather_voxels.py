"""Grey-matter images in one array, within a mask, smoothed."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

import map_studies as made
from pniflow.errors import InputError
from pniflow.imaging.cat12.gather_voxels import gather_voxels


def test_images_are_gathered_where_their_mean_is_grey_matter(tmp_path: Path) -> None:
    files = made.volumes(tmp_path, 4)
    mask = nibabel.load(files["mask"])
    expected = np.ones(made.SHAPE, dtype=bool)
    expected[:2, :2, :] = False
    np.testing.assert_array_equal(np.asarray(mask.dataobj), expected)
    np.testing.assert_array_equal(mask.affine, made.AFFINE)
    array = np.load(files["voxels"])
    assert (array.dtype, array.shape) == (np.float32, (8, expected.sum()))
    first = nibabel.load(tmp_path / "cat12/mri/smwp1sub-01_ses-pre.nii").get_fdata(dtype=np.float32)
    np.testing.assert_array_equal(array[0], first[expected])
    again = {name: files[name].read_bytes() for name in ("voxels", "index", "mask")}
    gather_voxels(folder=tmp_path / "cat12", scans=tmp_path / "scans.tsv",
                  **{name: files[name] for name in again})  # fmt: skip
    assert {name: files[name].read_bytes() for name in again} == again


def test_a_scan_without_values_where_others_have_them_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = np.full(made.SHAPE, 0.5)
    made.image(tmp_path / "cat12/smwp1sub-1_ses-a.nii", good)
    made.image(tmp_path / "cat12/smwp1sub-1_ses-b.nii", np.where(np.arange(8) == 3, np.nan, good))
    out = {"voxels": tmp_path / "v.npy", "index": tmp_path / "v.tsv", "mask": tmp_path / "m.nii.gz"}
    listed = made.scans(tmp_path, "sub-1_ses-a", "sub-1_ses-b")
    gather_voxels(folder=tmp_path / "cat12", scans=listed, **out)
    assert "1 of 2 scans have more voxels without a value (NaN)" in (said := capsys.readouterr().err)
    assert "sub-1_ses-b (" in said


def test_smoothing_is_a_gaussian_of_that_width(tmp_path: Path) -> None:
    """A point spreads to half its height at half the full width: 6 mm are two voxels of 3 mm."""
    values = np.zeros((15, 15, 15))
    values[7, 7, 7] = 100.0
    made.image(tmp_path / "cat12/mwp1sub-1_ses-a.nii", values)
    out = {"voxels": tmp_path / "v.npy", "index": tmp_path / "v.tsv", "mask": tmp_path / "m.nii.gz"}
    listed = made.scans(tmp_path, "sub-1_ses-a")
    gather_voxels(
        folder=tmp_path / "cat12", scans=listed, prefix="mwp1", smoothing=6.0, threshold=1e-6, **out
    )
    inside = np.asarray(nibabel.load(out["mask"]).dataobj) > 0
    smooth = np.zeros(inside.shape)
    smooth[inside] = np.load(out["voxels"])[0]
    assert smooth[7, 7, 8] / smooth[7, 7, 7] == pytest.approx(0.5, abs=1e-4)
    assert smooth.sum() == pytest.approx(100, rel=1e-3)


def test_bad_images_are_one_sentence(tmp_path: Path) -> None:
    good = np.full(made.SHAPE, 0.5)
    stems = ("sub-1_ses-a", "sub-1_ses-b")
    out = {"voxels": tmp_path / "v.npy", "index": tmp_path / "v.tsv", "mask": tmp_path / "m.nii.gz"}

    def gather(**options: Any) -> None:
        gather_voxels(folder=tmp_path / "cat12", scans=made.scans(tmp_path, *stems), **out, **options)

    made.image(tmp_path / "cat12/smwp1sub-1_ses-a.nii", good)
    with pytest.raises(
        InputError, match=r"1 of 2 scans have no image smwp1<scan>.nii or .nii.gz \(sub-1_ses-b\)"
    ):
        gather()
    other = tmp_path / "cat12/smwp1sub-1_ses-b.nii"
    made.image(other, good[1:])
    with pytest.raises(InputError, match=r"the image has 8 x 10 x 8 voxels and another grid than smwp1sub-1"):
        gather()
    made.image(other, good, made.AFFINE + np.eye(4)[3] * 2)
    with pytest.raises(InputError, match=r"another grid than"):
        gather()
    made.image(other, np.stack([good, good], axis=-1))
    with pytest.raises(InputError, match=r"9 x 10 x 8 x 2 voxels; three dimensions"):
        gather()
    made.image(other, good)
    other.write_bytes(other.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"smwp1sub-1_ses-b.nii: the image is cut off or damaged"):
        gather()
    other.write_bytes(b"no image")
    with pytest.raises(InputError, match=r"this is no NIfTI-1 image, or its header is damaged"):
        gather()
    header = nibabel.Nifti1Header()
    header.set_data_shape((30000, 30000, 30000))
    other.write_bytes(header.binaryblock + bytes(4))
    with pytest.raises(InputError, match=r"30000 x 30000 x 30000 voxels; three dimensions with at most"):
        gather()
    made.image(other, good)
    content = other.read_bytes()
    header = nibabel.Nifti1Header(content[:348])
    for offset in (np.inf, np.nan, -1, 1e30):
        header["vox_offset"] = offset
        other.write_bytes(header.binaryblock + content[348:])
        with pytest.raises(InputError, match=r"this is no NIfTI-1 image, or its header is damaged"):
            gather()
    claimed = np.array([1, 2**31 - 16, 6], dtype=np.int32).tobytes()  # an extension of 2 GB
    header["vox_offset"] = 2**31
    other.write_bytes(header.binaryblock + claimed + bytes(232))
    with pytest.raises(InputError, match=r"this is no NIfTI-1 image, or its header is damaged"):
        gather()
    made.image(other, np.where(np.arange(8) == 3, np.inf, good))
    with pytest.raises(InputError, match=r"smwp1sub-1_ses-b.nii: the image holds an infinite value"):
        gather()
    made.image(other, good)
    packed = tmp_path / "cat12/surf/smwp1sub-1_ses-b.nii.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(other.read_bytes()))
    with pytest.raises(InputError, match=r"the image of scan sub-1_ses-b is there twice"):
        gather()
    packed.unlink()
    (packed.parent / other.name).write_bytes(other.read_bytes())  # a copy is passed over
    with pytest.raises(InputError, match=r"no voxel of the images smwp1\* has a mean above 0.9"):
        gather(threshold=0.9)
    assert not out["voxels"].exists()
