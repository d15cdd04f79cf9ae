"""Estimates at every voxel of grey matter, as slices and seen through (nilearn)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.errors import InputError
from pniflow.figures import map_words, style
from pniflow.figures.map_words import Tested
from pniflow.imaging.cat12.template import plain_word

if TYPE_CHECKING:
    import nibabel
    import pandas as pd
    from matplotlib.figure import Figure


def plot_voxels(about: Mapping[str, Any], voxel_maps: Path, voxel_peaks: pd.DataFrame) -> style.Drawn | str:
    """Draw the estimates of voxel models on slices through the largest statistic, and in a glass brain.

    Maps are those in the folder that fit-voxels wrote.

    Raises
    ------
    InputError
        A map is absent.
    """
    tests = map_words.tests_of(voxel_peaks)
    if not tests:
        return "No model of grey-matter images could be fitted in this study."
    shown = [_read(voxel_maps, rows) for rows in tests[: map_words.MOST]]
    people = [int(test.first["n_participants"]) for test, _ in shown]
    words = _words([test for test, _ in shown], people, len(tests), about)
    return style.Drawn(_draw(shown, about), *words, n=max(people), keys=[test.key for test, _ in shown])


def _read(maps: Path, rows: Sequence[Mapping[str, Any]]) -> tuple[Tested, nibabel.Nifti1Image]:
    """Read one test's maps, and the image of its estimates."""
    import nibabel

    def image(name: str) -> Any:
        file = maps / f"{name}.{rows[0]['model']}.{plain_word(rows[0]['term'])}.nii.gz"
        return nibabel.load(file) if file.is_file() else None

    estimate = image("estimate")
    if estimate is None:
        raise InputError(
            f"{maps}: there is no map estimate.{rows[0]['model']}.{plain_word(rows[0]['term'])}.nii.gz; run "
            "fit-voxels again."
        )
    logs = {name: {"volume": _values(one)} for name in map_words.CORRECTIONS if (one := image(name))}
    return Tested.of(rows, {"volume": _values(estimate)}, logs), estimate


def _values(image: nibabel.Nifti1Image) -> np.ndarray:
    return np.asarray(image.dataobj, dtype=float)


def _image(values: np.ndarray, like: nibabel.Nifti1Image) -> nibabel.Nifti1Image:
    """Return an image with 0 outside of the mask."""
    import nibabel

    return nibabel.Nifti1Image(np.nan_to_num(values).astype(np.float32), like.affine)


def _draw(tests: Sequence[tuple[Tested, nibabel.Nifti1Image]], about: Mapping[str, Any]) -> Figure:
    import matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from nilearn.plotting import plot_glass_brain, plot_stat_map

    height = 78.0 * len(tests) + 4
    drawn = style.new_figure(style.ONE_COLUMN, height)
    for number, (test, estimate) in enumerate(tests):
        top, part = 1 - number * 78.0 / height, 1 / height
        look = {"cmap": style.DIVERGING, "vmax": test.limit, "colorbar": False, "annotate": False}
        where = [test.first[axis] for axis in "xyz"]
        slices = drawn.add_axes((0.02, top - 37 * part, 0.96, 27 * part))
        display = plot_stat_map(
            _image(test.values["volume"], estimate), cut_coords=where, figure=drawn, axes=slices,
            black_bg=False, draw_cross=False, **look,
        )  # fmt: skip
        outlined = test.outlined["volume"]
        if outlined.any():
            edge = _image(outlined, estimate)
            display.add_contours(edge, levels=[0.5], colors="black", linewidths=0.7)
        display.annotate(size=style.SMALLEST, scalebar=False)
        glass = drawn.add_axes((0.02, top - 64 * part, 0.96, 26 * part))
        seen = _image(np.where(outlined, test.values["volume"], 0.0), estimate)
        through = plot_glass_brain(
            seen if outlined.any() else None, figure=drawn, axes=glass, plot_abs=False, black_bg=False,
            threshold=1e-12, **look,
        )  # fmt: skip
        through.annotate(size=style.SMALLEST, positions=False, scalebar=False)
        bar = drawn.colorbar(
            ScalarMappable(Normalize(-test.limit, test.limit), matplotlib.colormaps[style.DIVERGING]),
            cax=drawn.add_axes((0.2, top - 68 * part, 0.6, 1.5 * part)),
            orientation="horizontal",
            extend="both",
        )
        bar.set_label(map_words.scale(test.first, about))
        bar.outline.set_linewidth(0.4)
        heading = style.wrapped(map_words.heading(test, about), 78)
        drawn.text(0.5, top - 3 * part, heading, size=7, weight="bold", ha="center", va="top")
    return drawn


def _words(
    tests: Sequence[Tested], people: Sequence[int], fitted: int, about: Mapping[str, Any]
) -> tuple[str, str]:
    """Return the caption and the alternative text."""
    correction = next((test.correction for test in tests if test.correction), "")
    caption = (
        "Estimates at every voxel of grey matter, in slices through the largest statistic (coordinates in mm;"
        " left is left) over the MNI152 template that nilearn ships. Colours are not thresholded; the scale"
        " ends where 0.5 % of the voxels lie beyond it."
    )
    if correction:
        caption += (
            " Black outlines, and the glass brain below, hold voxels whose family-wise p over the whole mask,"
            f" by permutation of persons ({correction}), is below .05; where there are none it is empty."
        )
    closing, said = map_words.closing(tests, people, fitted, about, "voxels")
    return f"{caption} {closing}", f"Slices of grey matter and a glass brain. {said}"
