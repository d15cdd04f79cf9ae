"""The command that fits the models of a surface measure at every vertex of both hemispheres."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pniflow.cat12.template import HALVES, VERTICES, annotation, hemisphere, map_name, vertex_areas
from pniflow.errors import InputError
from pniflow.files import read_table, write_table
from pniflow.models import map_files, maps, peaks
from pniflow.models.cohort import read_cohort
from pniflow.models.familywise import Space
from pniflow.models.maps import BLOCK, MapTest
from pniflow.models.results import frame_of
from pniflow.models.structure import Plan, read_models

if TYPE_CHECKING:
    import pandas as pd

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
    resources: Path | None = None,
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
    resources : Path, optional
        Your own resources folder.

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
        permutations=permutations, threads=threads, block=block, resources=resources,
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


def fitted(
    plan: Plan,
    over: str,
    measure: str,
    cohort_tables: tuple[Path, Path, Path],
    index: pd.DataFrame,
    values: NDArray[np.float32],
    space: Space,
    **options: Any,
) -> list[MapTest]:
    """Read the cohort, fit the models of a kind of map, and say on stderr what was done.

    Parameters
    ----------
    cohort_tables : measures, participants, exclusions
    index : DataFrame
        `scan`, `participant_id`, `session_id`, `place` in the array.
    options
        As for `maps.fit_maps`.
    """
    measures, participants, exclusions = cohort_tables
    cohort = read_cohort(
        read_table(measures, "measures"),
        read_table(participants, "participants"),
        plan.reference,
        plan.days,
        str(measures),
    )
    outcome = f"{over}.{measure}"
    cohort, unused = maps.map_cohort(cohort, index, read_table(exclusions, "exclusions"), outcome)
    if unused:
        print(f"{unused} scans belong to no session of the cohort and are not used.", file=sys.stderr)
    tests, left_out = maps.fit_maps(plan, over, measure, cohort, values, space, **options)
    for reason in left_out:
        print(f"Left out: {reason}.", file=sys.stderr)
    if not tests:
        print(f"{plan.source} has no model of {over} {measure} that this study allows.", file=sys.stderr)
    for test in tests:
        print(_summary(test), file=sys.stderr)
    return tests


def write_tables(
    tests: Sequence[MapTest], places: peaks.Places, space: Space, plan: Plan, peaks_file: Path, clusters: Path
) -> None:
    """Write the peaks and the clusters of all tests."""
    peak_rows, cluster_rows = peaks.tables(tests, places, space, plan.alpha)
    write_table(frame_of(peak_rows, "peaks"), peaks_file, "peaks")
    write_table(frame_of(cluster_rows, "clusters"), clusters, "clusters")


def _summary(test: MapTest) -> str:
    smallest = [f"{name} {np.nanmin(p):.3g}" for name, p in (("p_fwe", test.p_fwe), ("p_tfce", test.p_tfce))
                if np.isfinite(p).any()]  # fmt: skip
    row = test.row
    return (
        f"{test.key}: {row['n_observations']} scans of {row['n_participants']} participants, "
        f"{row['elements']} vertices or voxels; smallest {' and '.join(smallest) or 'p: not permuted'}."
    )


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


def read_array(path: Path, command: str) -> NDArray[np.float32]:
    """Open an array of maps, a row per scan; values are read when they are used."""
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: this is not a readable array (.npy) of {command}.") from error
    if values.ndim != 2 or values.dtype != np.float32:
        raise InputError(
            f"{path}: the array has the shape {' x '.join(map(str, values.shape))}; one row per scan was "
            "expected (resampled surfaces of both hemispheres, not native ones)."
        )
    return values


def map_index(index: pd.DataFrame, values: NDArray[np.float32], source: Path) -> pd.DataFrame:
    """Return one row per scan with its place in the array."""
    first = index.drop_duplicates("scan")
    place = first["start"].astype(int) // values.shape[1]
    if (
        len(first) != len(values)
        or (place >= len(values)).any()
        or (index["start"] % (values.shape[1] // 2)).any()
    ):
        raise InputError(
            f"{source}: the table lists {len(first)} scans, the array has {len(values)} rows of "
            f"{values.shape[1]} values; gather them again."
        )
    return first.assign(place=place)


def _neighbours(path: Path, size: int) -> Any:
    """Return which vertices share an edge; None where the mesh is not known."""
    from scipy.sparse import coo_matrix

    triangles = np.load(path, allow_pickle=False)
    if not len(triangles):
        return None
    if triangles.min() < 0 or triangles.max() >= size:
        raise InputError(f"{path}: the mesh has {triangles.max() + 1} vertices, the surfaces {size}.")
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    joined = coo_matrix((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    matrix = joined.tocsr()
    matrix.data[:] = 1
    return matrix
