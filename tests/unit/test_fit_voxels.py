"""Models at every voxel, TFCE on the volume, NIfTI that others open."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import tfce
from scipy import ndimage, stats

import map_studies as made
from pniflow.contracts import read_table
from pniflow.maps.familywise import Space, enhancer
from pniflow.maps.fit_voxels import fit_voxels, neighbours, voxel_places


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
    files = made.volumes(tmp_path, effect=-0.2)
    fit_voxels(**files, permutations=199)
    peaks = read_table(files["peaks"], "peaks")
    first = peaks.iloc[0]
    assert first["p_fwe"] == first["p_tfce"] == 1 / 200
    assert first["estimate"] == pytest.approx(-0.2, abs=0.06)
    place = (np.linalg.inv(made.AFFINE) @ [first["x"], first["y"], first["z"], 1])[:3]
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
    files = made.volumes(tmp_path)
    fit_voxels(**files, permutations=99)
    inside = np.asarray(nibabel.load(files["mask"]).dataobj) > 0
    array = np.load(files["voxels"]).astype(float)
    test = stats.ttest_1samp(array[1::2] - array[0::2], 0)
    intents = {"estimate": 1001, "t": 3, "logp": 24, "logp_fwe": 24, "logp_tfce": 24}
    for name, intent in intents.items():
        found = nibabel.load(files["maps"] / f"{name}.change.session.nii.gz")
        assert (found.shape, found.get_data_dtype()) == (made.SHAPE, np.float32)
        np.testing.assert_array_equal(found.affine, made.AFFINE)
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
    here = made.AFFINE.copy()
    here[:3, 3] = position[0]
    places = voxel_places(inside, here)
    assert (places.region.tolist(), places.position.tolist()) == (
        ["Left Hippocampus"],
        [position[0].tolist()],
    )
