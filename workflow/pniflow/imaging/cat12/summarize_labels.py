"""Grey matter of all scans by the regions of a label image of one's own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow import contracts
from pniflow.errors import InputError, listing, shown
from pniflow.imaging.atlases import region
from pniflow.imaging.cat12.gather_surfaces import say_flags, usable_scans
from pniflow.imaging.cat12.gather_voxels import check_grid, image_values, images_of, look_at, open_image
from pniflow.imaging.cat12.template import plain_word
from pniflow.imaging.ranges import refuse_impossible
from pniflow.raw.text_tables import read_raw

if TYPE_CHECKING:
    import nibabel
    import pandas as pd

SIDES = ("left", "right", "both", "midline")


def summarize_labels(
    *,
    folder: Path,
    scans: Path,
    image: Path,
    table: Path,
    atlas: str,
    regions: Path,
    prefix: str = "mwp1",
    quality: Path | None = None,
) -> None:
    """Sum the modulated grey-matter images of all scans over the regions of a label image (nilearn).

    Parameters
    ----------
    folder : Path
        Folder with CAT12's outputs.
    scans : Path
        Table of scans (contract `scans`); scans without a batch are left out.
    image : Path
        Label image, NIfTI: a whole number in each voxel, 0 outside; in the space of the images, on any grid
        (brought to theirs by the nearest voxel).
    table : Path
        Its regions: columns `label`, `region` and, where names do not say the side, `hemisphere` (left,
        right, both, midline). Labels that it does not name are left out, and counted.
    atlas : str
        How the label image is called in names of measures.
    regions : Path
        Table to write (contract `regions`): gm_volume of each scan and region in ml, which is the sum of
        the image times the volume of a voxel.
    prefix : str
        What stands before the scan in the images' names: mwp1 or mwmwp1 (modulated, not smoothed).
    quality : Path, optional
        Quality of the scans (contract `quality`); scans that failed in CAT12 are left out.

    Raises
    ------
    InputError
        A scan without its image, an image that is damaged or on another grid than the others; a label image
        that holds no whole numbers, or a region of the table that has no voxel within the images.
    """
    from nilearn.maskers import NiftiLabelsMasker

    listed = usable_scans(contracts.read_table(scans, "scans"), quality)
    if listed.empty:
        raise InputError(f"{scans}: no scan of the table is to be read.")
    named = _regions(table, atlas)
    paths = images_of(folder, listed, prefix, "cat12.labels.prefix")
    first = open_image(paths[0], folder)
    labels = _on_grid(image, first, named)
    masker = NiftiLabelsMasker(labels, strategy="sum", resampling_target=None, standardize=None)
    masker.fit()
    voxel = abs(float(np.linalg.det(first.affine[:3, :3]))) / 1000  # ml
    sums = []
    look, flags = look_at(prefix), []
    for path in paths:
        opened = open_image(path, folder)
        check_grid(opened, first, path, paths[0], folder)
        values = image_values(opened, path, folder)
        flags.append(look.flags(values, path.relative_to(folder).as_posix()))
        values = np.nan_to_num(values)
        sums.append(np.asarray(masker.transform(type(opened)(values, opened.affine)), dtype=float).ravel())
    sources = [path.relative_to(folder).as_posix() for path in paths]
    of_scans = listed[["scan", "participant_id", "session_id"]].assign(source=sources)
    found = of_scans.merge(named.drop(columns="label"), how="cross")
    found = found.assign(
        value=np.concatenate(sums) * voxel, atlas=atlas, metric="gm_volume", unit="ml", cat_version=None
    )
    refuse_impossible(found)
    contracts.write_table(found, regions, "regions")
    say_flags(sources, flags)
    print(f"{len(paths)} scans, {len(named)} regions of {atlas}.", file=sys.stderr)


def _regions(table: Path, atlas: str) -> pd.DataFrame:
    """Return label, source_name, region and hemisphere of each region, in the order of labels."""
    import pandas as pd

    raw = read_raw(table)
    absent = [name for name in ("label", "region") if name not in raw.header]
    if absent:
        raise InputError(
            f"{table.name}: the table of a label image needs the columns label and region, and lacks "
            f"{listing(absent)}."
        )
    held = [name for name in ("label", "region", "hemisphere") if name in raw.header]
    cells = raw.columns({name: raw.position(name, "cat12.labels.table") for name in held})
    rows: dict[int, dict[str, Any]] = {}
    for number, row in zip(cells.index, cells.to_dict("records"), strict=True):
        place = f"{table.name}: row {number}"
        if not row["label"].isdecimal() or int(row["label"]) == 0:
            raise InputError(
                f"{place}, column 'label' is {shown(row['label'])}; a whole number above 0 was expected."
            )
        label = int(row["label"])
        if label in rows:
            raise InputError(f"{place} gives the label {label} a second time; each may stand once.")
        known = region(atlas, row["region"], False)
        side = row.get("hemisphere") or known.hemisphere
        if side not in SIDES or not plain_word(known.name):
            raise InputError(
                f"{place} has the region {shown(row['region'])} and the side {shown(side)}; a name, and one "
                f"of {listing(SIDES)} were expected."
            )
        name = plain_word(row["region"] if row.get("hemisphere") else known.name)
        rows[label] = {"label": label, "source_name": str(label), "region": name, "hemisphere": side}
    found = pd.DataFrame(list(rows.values()), columns=["label", "source_name", "region", "hemisphere"])
    again = found[found.duplicated(["region", "hemisphere"])]
    if len(again):
        one = again.iloc[0]
        raise InputError(
            f"{table.name}: two labels are the region {shown(one['region'])} of the side {one['hemisphere']};"
            " give each its own name."
        )
    if found.empty:
        raise InputError(f"{table.name}: the table has no rows; name the regions of the label image.")
    return found.sort_values("label", ignore_index=True)


def _on_grid(path: Path, images: nibabel.Nifti1Image, named: pd.DataFrame) -> nibabel.Nifti1Image:
    """Bring the label image to the images' grid by the nearest voxel, with the labels of the table alone."""
    import nibabel
    from nilearn.image import resample_to_img

    labels = open_image(path, path.parent)
    values = image_values(labels, path, path.parent)
    if np.isnan(values).any() or (values % 1 != 0).any() or (values < 0).any():
        raise InputError(
            f"{path.name}: the label image holds values that are no whole numbers from 0; give labels, not "
            "probabilities."
        )
    whole = nibabel.Nifti1Image(values.astype(np.int32), labels.affine)
    moved = resample_to_img(whole, images, interpolation="nearest", copy_header=True, force_resample=True)
    here = np.asarray(moved.dataobj).astype(np.int32)
    inside = set(np.unique(here).tolist())
    lost = named.loc[~named["label"].isin(inside), "label"].tolist()
    if lost:
        raise InputError(
            f"{path.name}: the labels {listing([str(one) for one in lost])} of its table have no voxel in the"
            " images; give a label image in their space, or take the regions out of the table."
        )
    others = inside - {0} - set(named["label"])
    if others:
        print(
            f"{path.name}: {len(others)} labels that its table does not name are left out.", file=sys.stderr
        )
    here[~np.isin(here, named["label"].to_numpy())] = 0
    return nibabel.Nifti1Image(here, images.affine)
