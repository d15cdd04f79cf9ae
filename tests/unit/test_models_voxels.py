"""Grey-matter images in one array, models at every voxel, TFCE on the volume, NIfTI that others open."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import pytest
import tfce
from scipy import ndimage, stats

import map_studies as made
from pniflow.errors import InputError
from pniflow.files import read_table, write_table
from pniflow.imaging.cat12.gather_voxels import gather_voxels
from pniflow.maps.familywise import Space, enhancer
from pniflow.maps.fit_voxels import fit_voxels, neighbours, voxel_places

SHAPE = (9, 10, 8)
# 3 mm voxels around the left hippocampus of MNI space; the first axis runs from right to left, as CAT12's.
AFFINE = np.array([[-3.0, 0, 0, -14], [0, 3, 0, -36], [0, 0, 3, -26], [0, 0, 0, 1]])
CHANGE = made.change(surface=None, voxels="gm_volume")
del CHANGE["surface"]


def scans(folder: Path, *stems: str) -> Path:
    table = pd.DataFrame({"scan": list(stems)})
    for column in ("report", "label_volume", "label_surface"):
        table[column] = None
    table = table.assign(longitudinal=False, average=False, batch=1)
    table["participant_id"] = [stem.split("_")[0] for stem in stems]
    table["session_id"] = [stem.split("_")[1] for stem in stems]
    write_table(table, folder / "scans.tsv", "scans")
    return folder / "scans.tsv"


def image(path: Path, values: np.ndarray, affine: np.ndarray = AFFINE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values.astype(np.float32), affine), path)


def study(folder: Path, people: int = 12, effect: float = 0.0) -> dict[str, Path]:
    """Write images in which a corner is no grey matter and a block of 3 x 3 x 3 voxels changes."""
    files = made.tables(folder, people, [CHANGE], width=1)
    rng = np.random.default_rng(2)
    stems = []
    for number in range(people):
        person = 0.5 + rng.normal(0, 0.05, SHAPE)
        for session in made.SESSIONS:
            values = person + ndimage.gaussian_filter(rng.normal(0, 0.05, SHAPE), 0.7)
            values[3:6, 3:6, 3:6] += effect * (session == "ses-post")
            values[:2, :2, :] *= 0.01
            stems.append(f"sub-{number + 1:02d}_{session}")
            image(folder / f"cat12/mri/smwp1{stems[-1]}.nii{'.gz' if number % 2 else ''}", values)
    gathered = {
        "voxels": folder / "voxels.npy",
        "index": folder / "voxels.tsv",
        "mask": folder / "mask.nii.gz",
    }
    gather_voxels(folder=folder / "cat12", scans=scans(folder, *stems), **gathered)
    kept = ("measures", "participants", "exclusions", "models", "maps", "peaks", "clusters")
    return gathered | {name: files[name] for name in kept}


def test_images_are_gathered_where_their_mean_is_grey_matter(tmp_path: Path) -> None:
    files = study(tmp_path, 4)
    mask = nibabel.load(files["mask"])
    expected = np.ones(SHAPE, dtype=bool)
    expected[:2, :2, :] = False
    np.testing.assert_array_equal(np.asarray(mask.dataobj), expected)
    np.testing.assert_array_equal(mask.affine, AFFINE)
    array = np.load(files["voxels"])
    assert (array.dtype, array.shape) == (np.float32, (8, expected.sum()))
    first = nibabel.load(tmp_path / "cat12/mri/smwp1sub-01_ses-pre.nii").get_fdata(dtype=np.float32)
    np.testing.assert_array_equal(array[0], first[expected])
    again = {name: files[name].read_bytes() for name in ("voxels", "index", "mask")}
    gather_voxels(folder=tmp_path / "cat12", scans=tmp_path / "scans.tsv",
                  **{name: files[name] for name in again})  # fmt: skip
    assert {name: files[name].read_bytes() for name in again} == again


def test_smoothing_is_a_gaussian_of_that_width(tmp_path: Path) -> None:
    """A point spreads to half its height at half the full width: 6 mm are two voxels of 3 mm."""
    values = np.zeros((15, 15, 15))
    values[7, 7, 7] = 100.0
    image(tmp_path / "cat12/mwp1sub-1_ses-a.nii", values)
    out = {"voxels": tmp_path / "v.npy", "index": tmp_path / "v.tsv", "mask": tmp_path / "m.nii.gz"}
    listed = scans(tmp_path, "sub-1_ses-a")
    gather_voxels(
        folder=tmp_path / "cat12", scans=listed, prefix="mwp1", smoothing=6.0, threshold=1e-6, **out
    )
    inside = np.asarray(nibabel.load(out["mask"]).dataobj) > 0
    smooth = np.zeros(inside.shape)
    smooth[inside] = np.load(out["voxels"])[0]
    assert smooth[7, 7, 8] / smooth[7, 7, 7] == pytest.approx(0.5, abs=1e-4)
    assert smooth.sum() == pytest.approx(100, rel=1e-3)


def test_enhancement_over_the_mask_is_the_packages_on_the_volume() -> None:
    """26 neighbours, E = 0.5, H = 2, as the package's own volumes and CAT12's toolbox have it."""
    rng = np.random.default_rng(1)
    volume = ndimage.gaussian_filter(rng.normal(size=(12, 13, 11)), 1) * 5
    inside = rng.uniform(size=volume.shape) < 0.8
    masked = np.where(inside, volume, 0.0)
    expected = tfce.tfce(masked, connectivity=26, E=0.5, H=2.0)
    space = Space(neighbours(inside), 0.5)
    found = enhancer(space, np.ones(int(inside.sum()), dtype=bool))(masked[inside][:, None])[:, 0]
    np.testing.assert_allclose(found, expected[inside], rtol=2e-6)


def test_a_changed_block_is_found_in_place(tmp_path: Path) -> None:
    files = study(tmp_path, effect=-0.2)
    fit_voxels(**files, permutations=199)
    peaks = read_table(files["peaks"], "peaks")
    first = peaks.iloc[0]
    assert first["p_fwe"] == first["p_tfce"] == 1 / 200
    assert first["estimate"] == pytest.approx(-0.2, abs=0.06)
    place = (np.linalg.inv(AFFINE) @ [first["x"], first["y"], first["z"], 1])[:3]
    np.testing.assert_allclose(place, np.rint(place), atol=1e-9)
    assert (place >= 3).all()
    assert (place < 6).all()
    clusters = read_table(files["clusters"], "clusters")
    own = clusters[clusters["correction"] == "max_t"].iloc[0]
    assert own["direction"] == "decrease"
    assert own["size"] >= 20
    assert own["extent"] == pytest.approx(27.0 * own["size"])  # 3 mm voxels
    assert own["extent_unit"] == "mm3"
    assert set(peaks["hemisphere"]) == {"both"}


def test_maps_are_nifti_on_the_grid_of_the_images(tmp_path: Path) -> None:
    files = study(tmp_path)
    fit_voxels(**files, permutations=99)
    inside = np.asarray(nibabel.load(files["mask"]).dataobj) > 0
    array = np.load(files["voxels"]).astype(float)
    test = stats.ttest_1samp(array[1::2] - array[0::2], 0)
    intents = {"estimate": 1001, "t": 3, "logp": 24, "logp_fwe": 24, "logp_tfce": 24}
    for name, intent in intents.items():
        found = nibabel.load(files["maps"] / f"{name}.change.session.nii.gz")
        assert (found.shape, found.get_data_dtype()) == (SHAPE, np.float32)
        np.testing.assert_array_equal(found.affine, AFFINE)
        assert int(found.header["intent_code"]) == intent
        values = found.get_fdata()
        np.testing.assert_array_equal(np.isfinite(values), inside)
        if name == "t":
            assert np.isclose(values[inside], test.statistic, rtol=1e-5).mean() > 0.9  # but singular fits
    before = {path.name: path.read_bytes() for path in files["maps"].iterdir()}
    fit_voxels(**files, permutations=99, block=50)
    assert {path.name: path.read_bytes() for path in files["maps"].iterdir()} == before


def test_regions_are_those_of_the_atlas_at_these_places() -> None:
    """Places of MNI space that lie in the middle of large structures, the left at negative x."""
    position = np.array([[-26.0, -22, -14], [26, -22, -14], [-12, -18, 8], [0, 200, 0]])
    inside = np.ones((1, 1, 1), dtype=bool)
    from pniflow.imaging.cat12.template import volume_regions

    assert volume_regions(position).tolist() == [
        "Left Hippocampus", "Right Hippocampus", "Left Thalamus Proper", ""
    ]  # fmt: skip
    here = AFFINE.copy()
    here[:3, 3] = position[0]
    places = voxel_places(inside, here)
    assert (places.region.tolist(), places.position.tolist()) == (
        ["Left Hippocampus"],
        [position[0].tolist()],
    )


def test_bad_images_are_one_sentence(tmp_path: Path) -> None:
    good = np.full(SHAPE, 0.5)
    stems = ("sub-1_ses-a", "sub-1_ses-b")
    out = {"voxels": tmp_path / "v.npy", "index": tmp_path / "v.tsv", "mask": tmp_path / "m.nii.gz"}

    def gather(**options: Any) -> None:
        gather_voxels(folder=tmp_path / "cat12", scans=scans(tmp_path, *stems), **out, **options)

    image(tmp_path / "cat12/smwp1sub-1_ses-a.nii", good)
    with pytest.raises(
        InputError, match=r"1 of 2 scans have no image smwp1<scan>.nii or .nii.gz \(sub-1_ses-b\)"
    ):
        gather()
    other = tmp_path / "cat12/smwp1sub-1_ses-b.nii"
    image(other, good[1:])
    with pytest.raises(InputError, match=r"the image has 8 x 10 x 8 voxels and another grid than smwp1sub-1"):
        gather()
    image(other, good, AFFINE + np.eye(4)[3] * 2)
    with pytest.raises(InputError, match=r"another grid than"):
        gather()
    image(other, np.stack([good, good], axis=-1))
    with pytest.raises(InputError, match=r"9 x 10 x 8 x 2 voxels; three dimensions"):
        gather()
    image(other, good)
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
    other.unlink()
    image(other, good)
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
