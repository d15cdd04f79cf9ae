"""What the commands of maps share: their array and its index are read, models fitted, tables written."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pniflow.contracts import read_table, write_table
from pniflow.errors import InputError
from pniflow.maps import fit_maps, peaks
from pniflow.maps.familywise import Space
from pniflow.maps.fit_maps import MapTest
from pniflow.models.results import frame_of
from pniflow.models.specification import Plan
from pniflow.models.study_data import cohort_of

if TYPE_CHECKING:
    import pandas as pd


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
    return np.asarray(values)


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
    cohort = cohort_of(measures, participants, plan.reference, plan.days)
    outcome = f"{over}.{measure}"
    cohort, unused = fit_maps.map_cohort(cohort, index, read_table(exclusions, "exclusions"), outcome)
    if unused:
        print(f"{unused} scans belong to no session of the cohort and are not used.", file=sys.stderr)
    tests, left_out = fit_maps.fit_maps(plan, over, measure, cohort, values, space, **options)
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
