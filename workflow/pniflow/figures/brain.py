"""Regions on the cortical surface, drawn offline from CAT12's 32k surfaces and annotations (in t1prep)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.imaging.cat12.template import annotation, hemisphere, known_atlas, sulci

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PIXELS_PER_MM = 3.5  # of the surface; the hemisphere is about 150 mm long
_STEPS = 6
# Barycentric coordinates of a grid of points in a triangle, fine enough to leave no pixel empty.
_GRID = np.array([(i, j, _STEPS - i - j) for i in range(_STEPS + 1) for j in range(_STEPS + 1 - i)]) / _STEPS


@dataclass(frozen=True)
class View:
    """One side of one inflated hemisphere as pixels; it does not depend on the values shown.

    Attributes
    ----------
    region : array (height, width) of int
        Index into `names`; -1 where there is no region or no brain.
    light : array (height, width)
        Brightness of the surface, 0.6 to 1.
    fold : array (height, width) of bool
        True in the depth of the folds.
    brain : array (height, width) of bool
        True on the brain.
    names : list of str
        Region names as in the annotation.
    """

    region: np.ndarray
    light: np.ndarray
    fold: np.ndarray
    brain: np.ndarray
    names: list[str]


def annotated(atlas: str) -> bool:
    """Return True for an atlas that can be drawn."""
    return known_atlas(atlas)


def draw_brain(
    axes: Axes,
    side: str,
    atlas: str,
    values: Mapping[str, float],
    norm: Any,
    colours: Any,
    inner: bool = False,
) -> None:
    """Draw one hemisphere with some regions in the colour of their value, the rest in grey.

    Parameters
    ----------
    axes : Axes
    side : str
        `left` or `right`.
    atlas : str
        The annotation.
    values : mapping of str to float
        Region name in the annotation -> value; neighbours with the same value are outlined together.
    norm, colours : Normalize, Colormap
        How a value becomes a colour.
    inner : bool
        Show the inner (medial) side instead of the outer (lateral) one.
    """
    view = render(side, atlas, inner)
    value = np.full(len(view.names) + 1, np.nan)  # the last one is for what is no region (-1)
    for name, number in values.items():
        value[view.names.index(name)] = number
    shown = value[view.region]
    inside = np.isfinite(shown)
    picture = np.ones((*shown.shape, 4))
    picture[..., :3] = np.where(view.fold, 0.70, 0.86)[..., None]
    picture[inside] = colours(norm(shown[inside]))
    picture[..., :3] *= view.light[..., None]
    picture[rim(np.where(inside, shown, np.inf)), :3] = 0.1
    picture[..., 3] = view.brain
    axes.imshow(picture, interpolation="antialiased")
    axes.set_axis_off()


def rim(group: np.ndarray) -> np.ndarray:
    """Return the pixels at a border between two groups, on both of its sides."""
    across, down = group[:, 1:] != group[:, :-1], group[1:] != group[:-1]
    border = np.zeros(group.shape, dtype=bool)
    border[:, 1:] |= across
    border[:, :-1] |= across
    border[1:] |= down
    border[:-1] |= down
    return border


def draw_vertices(
    axes: Axes,
    side: str,
    values: np.ndarray,
    outlined: np.ndarray,
    norm: Any,
    colours: Any,
    inner: bool = False,
) -> None:
    """Draw one hemisphere with a value at every vertex of the 32k mesh, grey where there is none.

    Parameters
    ----------
    values : array (32492,)
        NaN where there is none.
    outlined : array (32492,) of bool
        Vertices with a line around them.
    axes, side, norm, colours, inner
        As for `draw_brain`.
    """
    seen = project(side, inner)
    corners = hemisphere(side, "inflated")[1][seen.triangle]
    shown = values[corners].mean(axis=-1)
    inside = seen.brain & np.isfinite(shown)
    picture = np.ones((*shown.shape, 4))
    picture[..., :3] = np.where(seen.fold, 0.70, 0.86)[..., None]
    picture[inside] = colours(norm(shown[inside]))
    picture[..., :3] *= seen.light[..., None]
    marked = inside & (outlined[corners].sum(axis=-1) > 1)
    picture[rim(marked) & seen.brain, :3] = 0.0
    picture[..., 3] = seen.brain
    axes.imshow(picture, interpolation="antialiased")
    axes.set_axis_off()


@dataclass(frozen=True)
class Projection:
    """One side of one inflated hemisphere as pixels.

    Attributes
    ----------
    triangle : array (height, width) of int
        The triangle that is seen; -1 (the last one, if used as an index) outside of the brain.
    light, fold, brain
        As in `View`.
    """

    triangle: np.ndarray
    light: np.ndarray
    fold: np.ndarray
    brain: np.ndarray


@functools.cache
def project(side: str, inner: bool = False) -> Projection:
    """Project a hemisphere on the plane, seen from one side; triangles in front cover those behind."""
    vertices, triangles = hemisphere(side, "inflated")
    outward = (1 if side == "right" else -1) * (-1 if inner else 1)
    corners = vertices[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    facing = outward * normals[:, 0] / np.maximum(np.linalg.norm(normals, axis=1), 1e-12)
    order = np.argsort(outward * corners[:, :, 0].mean(axis=1), kind="stable")
    front = order[facing[order] > 0]

    # Points of a grid in each triangle are painted from back to front: the last one in a pixel is seen.
    flat = np.stack([outward * corners[front, :, 1], -corners[front, :, 2]], axis=2)
    low = flat.min(axis=(0, 1)) - 1
    points = np.einsum("kc,tcx->tkx", _GRID, flat)
    pixel = ((points - low) * _PIXELS_PER_MM).astype(int)
    width, height = ((flat.max(axis=(0, 1)) + 1 - low) * _PIXELS_PER_MM).astype(int) + 1
    triangle = np.full((height, width), -1)
    triangle[pixel[..., 1].ravel(), pixel[..., 0].ravel()] = np.repeat(front, len(_GRID))
    fold = sulci(side)[triangles[triangle]].sum(axis=-1) > 1
    return Projection(triangle, 0.6 + 0.4 * facing[triangle], fold, triangle >= 0)


@functools.cache
def render(side: str, atlas: str, inner: bool = False) -> View:
    """Return a projected hemisphere with an atlas's regions."""
    seen = project(side, inner)
    _, triangles, _, labels, names = read_surface(side, atlas)
    corner = labels[triangles[seen.triangle]]
    region = np.where(corner[..., 1] == corner[..., 2], corner[..., 1], corner[..., 0])  # most of the three
    return View(np.where(seen.brain, region, -1), seen.light, seen.fold, seen.brain, names)


def read_surface(side: str, atlas: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Read one inflated hemisphere with an atlas's annotation.

    Returns
    -------
    vertices : array (32492, 3)
        Millimetres; x to the right, y to the front, z up.
    triangles : array (64980, 3)
        Indices of vertices.
    sulcus : array (32492,) of bool
        True in the depth of the folds.
    labels : array (32492,)
        Index into names; -1 without a region.
    names : list of str
        Region names as in the annotation.
    """
    vertices, triangles = hemisphere(side, "inflated")
    labels, names = annotation(side, atlas)
    return vertices, triangles, sulci(side), labels, names
