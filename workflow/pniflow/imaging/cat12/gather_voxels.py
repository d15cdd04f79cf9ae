"""Grey-matter images of all scans in one array, over the voxels that are grey matter in the mean of them."""

from __future__ import annotations

import gzip
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow import contracts, files
from pniflow.errors import InputError, listing
from pniflow.imaging.cat12.gather_surfaces import (
    is_copy,
    say_blank,
    say_flags,
    shared_stems,
    usable_scans,
    walk,
)
from pniflow.imaging.naming import home
from pniflow.imaging.nifti import header_of
from pniflow.imaging.ranges import VOXEL, MapCheck
from pniflow.raw import gate

if TYPE_CHECKING:
    import nibabel
    import pandas as pd

MAXIMUM_VOXELS = 2**26
"""The most voxels of an image that is read; CAT12's have some two million."""

_FWHM = 2 * np.sqrt(2 * np.log(2))  # of a Gaussian with a standard deviation of one
_ENDINGS = (".nii", ".nii.gz")
_TISSUE = re.compile(r"m0?wp[123]$")  # CAT12's modulated images of a tissue


def gather_voxels(
    *,
    folder: Path,
    scans: Path,
    voxels: Path,
    index: Path,
    mask: Path,
    prefix: str = "smwp1",
    smoothing: float = 0.0,
    threshold: float = 0.1,
    quality: Path | None = None,
) -> None:
    """Read the normalized grey-matter images of all scans into one array, masked by their mean.

    Parameters
    ----------
    folder : Path
        Folder with CAT12's outputs.
    scans : Path
        Table of scans (contract `scans`); scans without a batch are left out.
    voxels : Path
        Array to write, .npy, float32: a row per scan, a column per voxel of the mask (in C order).
    index : Path
        Table to write (contract `surfaces`): the scan of each row.
    mask : Path
        Image to write, .nii.gz: voxels whose mean over all scans is above the threshold.
    prefix : str
        What stands before the scan in the files' names (smwp1: smoothed, modulated, normalized grey matter).
    smoothing : float
        Full width at half maximum in mm of a Gaussian to smooth by; 0 for images that are smooth already.
    threshold : float
        Of the mean.
    quality : Path, optional
        Quality of the scans (contract `quality`); scans that failed in CAT12 are left out.

    Raises
    ------
    InputError
        A scan without its image, an image that is damaged or on another grid, no voxel above the threshold.
    """
    import pandas as pd

    table = usable_scans(contracts.read_table(scans, "scans"), quality)
    if table.empty:
        raise InputError(f"{scans}: no scan of the table is to be read.")
    paths = images_of(folder, table, prefix)
    grid, total = None, np.zeros(())
    look, flags = look_at(prefix), []
    blank: dict[str, int] = {}
    for scan, path in zip(table["scan"], paths, strict=True):
        image = open_image(path, folder)
        grid = image if grid is None else grid
        check_grid(image, grid, path, paths[0], folder)
        with np.errstate(all="ignore"):
            values = image_values(image, path, folder)
            flags.append(look.flags(values, path.relative_to(folder).as_posix()))
            total = total + _smoothed(values, image, smoothing)
        blank[scan] = int(np.isnan(values).sum())
    assert grid is not None
    with np.errstate(invalid="ignore"):
        inside = total / len(paths) > threshold
    if not inside.any():
        raise InputError(
            f"{folder}: no voxel of the images {prefix}* has a mean above {threshold:g}; lower the threshold,"
            " or name other images."
        )
    count = int(inside.sum())
    with files.atomic_path(voxels) as temporary:
        array = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float32, shape=(len(paths), count))
        for row, path in enumerate(paths):
            image = open_image(path, folder)
            array[row] = _smoothed(image_values(image, path, folder), image, smoothing)[inside]
        array.flush()
    _write_mask(mask, inside, grid.affine)
    rows = table[["scan", "participant_id", "session_id"]].reset_index(drop=True)
    rows = rows.assign(
        hemisphere="both",
        start=np.arange(len(paths)) * count,
        vertices=count,
        source=[path.relative_to(folder).as_posix() for path in paths],
        flags=flags,
    )
    contracts.write_table(pd.DataFrame(rows), index, "surfaces")
    say_flags(list(rows["source"]), flags)
    print(f"{len(paths)} scans, {count} voxels with a mean above {threshold:g}.", file=sys.stderr)
    say_blank(blank, "voxels")


def images_of(folder: Path, table: pd.DataFrame, prefix: str, key: str = "cat12.voxels.prefix") -> list[Path]:
    """Return the image of each scan of a table of scans, wherever it lies below the folder."""
    scans, shared = list(table["scan"]), shared_stems(table)
    wanted = {f"{prefix}{scan}{ending}": scan for scan in scans for ending in _ENDINGS}
    placed = {(at, f"{prefix}{stem}{end}"): scan for (at, stem), scan in shared.items() for end in _ENDINGS}
    found: dict[str, Path] = {}
    for path in walk(folder):
        scan = wanted.get(path.name)
        if scan is None and placed:
            scan = placed.get((home(path.relative_to(folder).as_posix()), path.name))
        if scan is not None and not is_copy(path, found.setdefault(scan, path)):
            raise InputError(f"{folder}: the image of scan {scan} is there twice ({prefix}*); keep one.")
    absent = [scan for scan in scans if scan not in found]
    if absent:
        raise InputError(
            f"{folder}: {len(absent)} of {len(scans)} scans have no image {prefix}<scan>.nii or .nii.gz"
            f" ({listing(absent, 3)}); correct {key}, or make the images in CAT12."
        )
    return [found[scan] for scan in scans]


def open_image(path: Path, folder: Path) -> nibabel.Nifti1Image:
    """Read an image's file and its header; its numbers stay as they are."""
    import nibabel

    source = path.relative_to(folder).as_posix()
    content = gate.read_unpacked(path, source)
    damaged = InputError(f"{source}: this is no NIfTI-1 image, or its header is damaged.")
    if header_of(content, source)["vox_offset"] > len(content):
        raise damaged
    try:
        image: nibabel.Nifti1Image = nibabel.Nifti1Image.from_bytes(content)
    except (OSError, ValueError, nibabel.spatialimages.HeaderDataError,
            nibabel.wrapstruct.WrapStructError, nibabel.filebasedimages.ImageFileError):  # fmt: skip
        raise damaged from None
    shape = image.shape
    if len(shape) != 3 or min(shape) < 1 or np.prod(shape, dtype=float) > MAXIMUM_VOXELS:
        raise InputError(
            f"{source}: the image has {' x '.join(map(str, shape))} voxels; three dimensions with at most"
            f" {MAXIMUM_VOXELS} voxels were expected."
        )
    if image.get_data_dtype().kind not in "fiu":
        raise InputError(f"{source}: the image holds {image.get_data_dtype()}; numbers were expected.")
    return image


def check_grid(
    image: nibabel.Nifti1Image, grid: nibabel.Nifti1Image, path: Path, first: Path, folder: Path
) -> None:
    same = image.shape == grid.shape and np.allclose(image.affine, grid.affine, atol=1e-3)
    if not same:
        raise InputError(
            f"{path.relative_to(folder).as_posix()}: the image has {' x '.join(map(str, image.shape))} voxels"
            f" and another grid than {first.relative_to(folder).as_posix()}"
            f" ({' x '.join(map(str, grid.shape))}); normalize all scans alike."
        )


def look_at(prefix: str) -> MapCheck:
    """Return what looks at the values of images with a prefix: a tissue of CAT12, or anything."""
    return MapCheck(VOXEL if _TISSUE.search(prefix) else prefix, "voxels")


def image_values(image: nibabel.Nifti1Image, path: Path, folder: Path) -> np.ndarray:
    """Read an image's values.

    Raises
    ------
    InputError
        The file is cut off, or holds an infinite value.
    """
    source = path.relative_to(folder).as_posix()
    try:
        with np.errstate(all="ignore"):
            values = np.asarray(image.dataobj, dtype=np.float32)
    except (OSError, ValueError):
        raise InputError(f"{source}: the image is cut off or damaged.") from None
    if np.isinf(values).any() or np.isnan(values).all():
        what = "an infinite value" if np.isinf(values).any() else "no number"
        raise InputError(f"{source}: the image holds {what}; make it again in CAT12.")
    return values


def _smoothed(values: np.ndarray, image: nibabel.Nifti1Image, smoothing: float) -> np.ndarray:
    if smoothing <= 0:
        return values
    from scipy.ndimage import gaussian_filter

    size = np.sqrt(np.square(image.affine[:3, :3]).sum(axis=0))
    return np.asarray(gaussian_filter(values, smoothing / _FWHM / size, mode="constant"))


def _write_mask(path: Path, inside: np.ndarray, affine: np.ndarray) -> None:
    import nibabel

    image: Any = nibabel.Nifti1Image(inside.astype(np.uint8), affine)
    image.header.set_xyzt_units("mm")
    files.write_bytes(path, gzip.compress(image.to_bytes(), compresslevel=6, mtime=0))
