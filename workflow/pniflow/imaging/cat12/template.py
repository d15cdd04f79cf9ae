"""CAT12's template: 32k surfaces with their atlases, and volume atlases, read from the t1prep package."""

from __future__ import annotations

import functools
import importlib.util
import re
from pathlib import Path

import numpy as np

from pniflow.resources import cached, rows

VERTICES = {"32k": 32492, "164k": 163842}
"""Vertices of one hemisphere of the resampled meshes."""

HALVES = {"left": "lh", "right": "rh"}


def folder() -> Path:
    """Return the data folder of the t1prep package, which carries the template.

    The package is found and not imported: importing it wants libraries that its files do not need.
    """
    spec = importlib.util.find_spec("t1prep")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("t1prep, which carries CAT12's template surfaces, is not installed")
    return Path(spec.submodule_search_locations[0]) / "data"


def known_atlas(atlas: str) -> bool:
    """Return True for an atlas of which the 32k annotation is at hand."""
    return bool(_annotations().get(atlas))


@cached
def _annotations() -> dict[str, str]:
    """Return atlas -> its annotation in the template, blank for those it has none of."""
    return {row["atlas"]: row["annotation"] for row in rows("labels", "atlases")}


def hemisphere(side: str, kind: str = "central") -> tuple[np.ndarray, np.ndarray]:
    """Read one hemisphere of the 32k mesh.

    Parameters
    ----------
    side : str
        `left` or `right`.
    kind : str
        `central` or `inflated`.

    Returns
    -------
    vertices : array (32492, 3)
        Millimetres; x to the right, y to the front, z up.
    triangles : array (64980, 3)
        Indices of vertices, from 0.
    """
    vertices, triangles = _arrays(f"{HALVES[side]}.{kind}.freesurfer.gii")
    return vertices.astype(float), triangles.astype(np.int32)


def sulci(side: str) -> np.ndarray:
    """Return which vertices of the 32k mesh lie in the depth of the folds."""
    return _arrays(f"{HALVES[side]}.mc.freesurfer.gii")[0] < 0


def medial_wall(side: str) -> np.ndarray:
    """Return which vertices of the 32k mesh are medial wall (region 0 of the DK40 atlas)."""
    from pniflow.imaging.cat12.overlays import read_curv

    name = f"{HALVES[side]}.mask"
    return np.asarray(read_curv(folder() / "templates_surfaces_32k" / name, name) == 0)


def both_triangles() -> np.ndarray:
    """Return the triangles of both hemispheres, the right one's vertices counted on after the left's."""
    left, right = (hemisphere(side)[1] for side in HALVES)
    return np.concatenate([left, right + VERTICES["32k"]])


@functools.cache
def annotation(side: str, atlas: str) -> tuple[np.ndarray, list[str]]:
    """Read an atlas on the 32k mesh.

    Returns
    -------
    labels : array (32492,)
        Index into names; -1 without a region.
    names : list of str
        Region names as in the annotation.
    """
    from nibabel.freesurfer.io import read_annot

    name = f"{HALVES[side]}.{_annotations()[atlas]}.annot"
    labels, _, names = read_annot(folder() / "atlases_surfaces_32k" / name)
    return labels, [one.decode("utf-8") for one in names]


def vertex_areas(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return each vertex's area in mm2: a third of that of the triangles around it."""
    corner = vertices[triangles]
    normals = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    area = np.linalg.norm(normals, axis=1) / 6
    return np.bincount(triangles.ravel(), np.repeat(area, 3), minlength=len(vertices))


def volume_regions(position: np.ndarray) -> np.ndarray:
    """Return the neuromorphometrics region at each place in MNI space; blank outside.

    Parameters
    ----------
    position : array (n, 3)
        In mm, as CAT12's normalized images have it (MNI152NLin2009cAsym since 12.8).

    Returns
    -------
    array (n,) of str
    """
    import nibabel

    templates = folder() / "templates_MNI152NLin2009cAsym"
    image = nibabel.Nifti1Image.from_filename(templates / "Neuromorphometrics.nii.gz")
    labels = np.asarray(image.dataobj)
    lines = (templates / "Neuromorphometrics.csv").read_text(encoding="utf-8").splitlines()[1:]
    names = np.full(int(labels.max()) + 1, "", dtype=object)
    for number, name in (line.split(";")[:2] for line in lines if line):
        if int(number) < len(names):
            names[int(number)] = name
    back = np.linalg.inv(image.affine)
    place = np.rint(position @ back[:3, :3].T + back[:3, 3]).astype(int)
    known = ((place >= 0) & (place < labels.shape)).all(axis=1)
    result = np.full(len(position), "", dtype=object)
    result[known] = names[labels[tuple(place[known].T)]]
    return result


def map_name(half: str, name: str, mesh: str, model: str, term: str) -> str:
    """Return the file name of a map of one hemisphere, in the manner of CAT12's own files.

    Parameters
    ----------
    half : str
        lh or rh.
    name, model, term : str
        What the map shows, of which model and term.
    mesh : str
        32k or 164k.
    """
    resampled = "resampled_32k" if mesh == "32k" else "resampled"
    return f"{half}.{name}.{resampled}.{model}.{plain_word(term)}.func.gii"


def plain_word(term: str) -> str:
    """Return a term's name as a part of a file name."""
    return re.sub(r"\W+", "_", term).strip("_")


def _arrays(name: str) -> list[np.ndarray]:
    from nibabel.gifti.gifti import GiftiImage

    image = GiftiImage.from_filename(folder() / "templates_surfaces_32k" / name)
    return [np.asarray(part.data) for part in image.darrays]
