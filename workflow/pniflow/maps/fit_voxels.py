"""The command that fits the models of grey-matter images at every voxel."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pniflow.contracts import read_table
from pniflow.errors import InputError
from pniflow.imaging.cat12.template import volume_regions
from pniflow.maps import map_files, peaks
from pniflow.maps.familywise import Space
from pniflow.maps.fit_maps import BLOCK
from pniflow.maps.map_tables import fitted, map_index, read_array, write_tables
from pniflow.models.specification import read_models


def fit_voxels(
    *,
    voxels: Path,
    index: Path,
    mask: Path,
    measures: Path,
    participants: Path,
    exclusions: Path,
    models: Path,
    maps: Path,
    peaks: Path,
    clusters: Path,
    measure: str = "gm_volume",
    permutations: int = 1000,
    threads: int = 1,
    block: int = BLOCK,
) -> None:
    """Fit the models of grey-matter images at every voxel, with family-wise p over the whole mask.

    Parameters
    ----------
    voxels : Path
        Array of gather-voxels, a row per scan.
    index : Path
        The scan of each row (contract surfaces).
    mask : Path
        Image of the voxels that the array holds.
    measures, participants, exclusions : Path
        Tables of the cohort by the contract of the same name; scans that it leaves out are left out here.
    models : Path
        Structured models (models.yaml), of which those with `voxels` are fitted.
    maps : Path
        Folder to write: NIfTI by map, model and term.
    peaks : Path
        Table to write (contract peaks).
    clusters : Path
        Table to write (contract clusters).
    measure : str
        What the array holds, as `voxels` in models.yaml.
    permutations : int
        Shuffles of participants; all there are where these are fewer.
    threads, block : int
        Threads of TFCE; voxels fitted at once. No result depends on them.

    Raises
    ------
    InputError
        Bad input, in one sentence.
    """
    plan = read_models(models)
    values = read_array(voxels, "gather-voxels")
    listed = map_index(read_table(index, "surfaces"), values, index)
    image = _mask(mask, values.shape[1])
    inside = np.asarray(image.dataobj) > 0
    space = Space(neighbours(inside), extent_power=0.5)
    tests = fitted(
        plan, "voxels", measure, (measures, participants, exclusions), listed, values, space,
        permutations=permutations, threads=threads, block=block,
    )  # fmt: skip
    maps.mkdir(parents=True, exist_ok=True)
    for test in tests:
        for name, numbers in map_files.maps_of(test).items():
            file = map_files.volume_name(name, test.model.name, test.term)
            map_files.write_volume(maps / file, numbers, image, name)
    write_tables(tests, voxel_places(inside, image.affine), space, plan, peaks, clusters)


def neighbours(inside: NDArray[np.bool_]) -> Any:
    """Return which voxels of a mask share a side, an edge or a corner (26 neighbours), in C order."""
    from scipy.sparse import coo_matrix

    number = np.full(np.array(inside.shape) + 2, -1)
    core = number[1:-1, 1:-1, 1:-1]
    core[inside] = np.arange(inside.sum())
    own = core[inside]
    pairs = []
    for step in itertools.product((-1, 0, 1), repeat=3):
        if step > (0, 0, 0):
            window = tuple(
                slice(1 + one, 1 + one + size) for one, size in zip(step, inside.shape, strict=True)
            )
            other = number[window][inside]
            pairs.append(np.stack([own[other >= 0], other[other >= 0]]))
    rows, columns = np.concatenate(pairs, axis=1)
    both = np.concatenate([rows, columns]), np.concatenate([columns, rows])
    matrix = coo_matrix((np.ones(len(both[0]), dtype=np.int8), both), shape=(len(own), len(own)))
    return matrix.tocsr()


def voxel_places(inside: NDArray[np.bool_], affine: NDArray[np.float64]) -> peaks.Places:
    """Return where the voxels of a mask are, with their regions in the neuromorphometrics atlas."""
    place = np.argwhere(inside)
    position = place @ affine[:3, :3].T + affine[:3, 3]
    size = len(place)
    return peaks.Places(
        hemisphere=np.full(size, "both"),
        vertex=np.full(size, -1),
        position=position,
        region=volume_regions(position),
        extent=np.full(size, abs(np.linalg.det(affine[:3, :3]))),
        unit="mm3",
        element="voxel",
    )


def _mask(path: Path, size: int) -> Any:
    """Open the mask; it must have as many voxels as the array has columns."""
    import nibabel

    try:
        image: Any = nibabel.Nifti1Image.from_filename(path)
        count = int((np.asarray(image.dataobj) > 0).sum())
    except (OSError, EOFError, ValueError, nibabel.filebasedimages.ImageFileError):
        raise InputError(f"{path}: this is no readable mask of gather-voxels.") from None
    if count != size:
        raise InputError(f"{path}: the mask has {count} voxels, the array {size}; gather the voxels again.")
    return image
