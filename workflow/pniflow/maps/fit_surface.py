"""The command that fits the models of a surface measure at every vertex of both hemispheres."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pniflow.contracts import read_table
from pniflow.errors import InputError
from pniflow.imaging.cat12.template import HALVES, VERTICES, annotation, hemisphere, map_name, vertex_areas
from pniflow.maps import map_files, peaks
from pniflow.maps.familywise import Space
from pniflow.maps.fit_maps import BLOCK
from pniflow.maps.map_tables import fitted, map_index, read_array, write_tables
from pniflow.models.specification import read_models

ATLAS = "aparc_a2009s"
_MESHES = {2 * count: mesh for mesh, count in VERTICES.items()}


def fit_surface(
    *,
    surfaces: Path,
    index: Path,
    triangles: Path,
    measures: Path,
    participants: Path,
    exclusions: Path,
    models: Path,
    maps: Path,
    peaks: Path,
    clusters: Path,
    measure: str = "thickness",
    permutations: int = 1000,
    threads: int = 1,
    block: int = BLOCK,
) -> None:
    """Fit the models of a surface measure at every vertex, with family-wise p over both hemispheres.

    Parameters
    ----------
    surfaces : Path
        Array of gather-surfaces, a row per scan, left then right hemisphere.
    index : Path
        Where each scan stands in it (contract surfaces).
    triangles : Path
        The mesh, an array of gather-surfaces; without rows there is no TFCE and no cluster.
    measures, participants, exclusions : Path
        Tables of the cohort by the contract of the same name; scans that it leaves out are left out here.
    models : Path
        Structured models (models.yaml), of which those with `surface` are fitted.
    maps : Path
        Folder to write: GIfTI by map, model, term and hemisphere.
    peaks : Path
        Table to write (contract peaks).
    clusters : Path
        Table to write (contract clusters).
    measure : str
        What the array holds, as `surface` in models.yaml.
    permutations : int
        Shuffles of participants; all there are where these are fewer.
    threads, block : int
        Threads of TFCE; vertices fitted at once. No result depends on them.

    Raises
    ------
    InputError
        Bad input, in one sentence.
    """
    plan = read_models(models)
    values = read_array(surfaces, "gather-surfaces")
    listed = map_index(read_table(index, "surfaces"), values, index)
    space = Space(_neighbours(triangles, values.shape[1]), extent_power=1.0)
    tests = fitted(
        plan, "surface", measure, (measures, participants, exclusions), listed, values, space,
        permutations=permutations, threads=threads, block=block,
    )  # fmt: skip
    places = surface_places(values.shape[1])
    maps.mkdir(parents=True, exist_ok=True)
    half = values.shape[1] // 2
    mesh = _MESHES.get(values.shape[1], "")
    for test in tests:
        for name, numbers in map_files.maps_of(test).items():
            for side, part in zip(HALVES.values(), (numbers[:half], numbers[half:]), strict=True):
                file = map_name(side, name, mesh, test.model.name, test.term)
                map_files.write_surface(maps / file, part, side, name)
    write_tables(tests, places, space, plan, peaks, clusters)


def surface_places(size: int) -> peaks.Places:
    """Return where the vertices of both hemispheres are; positions and regions of the 32k mesh alone."""
    half = size // 2
    position, region = np.full((size, 3), np.nan), np.full(size, "", dtype=object)
    extent = np.full(size, np.nan)
    if half == VERTICES["32k"]:
        for start, side in zip((0, half), HALVES, strict=True):
            own = slice(start, start + half)
            vertices, triangles = hemisphere(side)
            position[own], extent[own] = vertices, vertex_areas(vertices, triangles)
            labels, names = annotation(side, ATLAS)
            region[own] = np.array([*names, ""], dtype=object)[labels]
    return peaks.Places(
        hemisphere=np.repeat(np.array(["left", "right"]), half),
        vertex=np.tile(np.arange(half), 2),
        position=position,
        region=region,
        extent=extent,
        unit="mm2",
        element="vertex",
    )


def _neighbours(path: Path, size: int) -> Any:
    """Return which vertices share an edge; None where the mesh is not known."""
    from scipy.sparse import csr_matrix
    from tfce import adjacency_from_faces

    triangles = np.load(path, allow_pickle=False)
    if not len(triangles):
        return None
    if triangles.min() < 0 or triangles.max() >= size:
        raise InputError(f"{path}: the mesh has {triangles.max() + 1} vertices, the surfaces {size}.")
    starts, others = adjacency_from_faces(triangles + 1, size)  # counts from 1
    return csr_matrix((np.ones(len(others), dtype=np.int8), others, starts), shape=(size, size))
