"""What of a map goes into tables: its largest statistics and its clusters, with their regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pniflow.maps.familywise import Space
from pniflow.maps.fit_maps import MapTest
from pniflow.models.results import Row, interval

CORRECTIONS = {"tfce": "p_tfce", "max_t": "p_fwe"}
_REGIONS = 3  # named of a cluster


@dataclass(frozen=True)
class Places:
    """Where the elements of a map are.

    Attributes
    ----------
    hemisphere : (V,) array of str
        left, right, or both for voxels.
    vertex : (V,) array of int
        Number within the hemisphere; -1 for voxels.
    position : (V, 3) array
        In mm; NaN where the template is not at hand.
    region : (V,) array of str
        Blank where no region of the atlas is.
    extent : (V,) array
        Area in mm2 or volume in mm3; NaN where not known.
    unit : str
        Of the extent.
    element : str
        `vertex` or `voxel`.
    """

    hemisphere: NDArray[Any]
    vertex: NDArray[np.int_]
    position: NDArray[np.float64]
    region: NDArray[Any]
    extent: NDArray[np.float64]
    unit: str
    element: str


def tables(
    tests: Sequence[MapTest], places: Places, space: Space, alpha: float
) -> tuple[list[Row], list[Row]]:
    """Return the rows of the peaks table and of the clusters table of all tests."""
    peaks: list[Row] = []
    clusters: list[Row] = []
    for test in tests:
        labels = {word: clusters_of(getattr(test, name), test, space, alpha)
                  for word, name in CORRECTIONS.items()}  # fmt: skip
        for word, found in labels.items():
            clusters += _cluster_rows(test, word, found, places, alpha)
        peaks += _peak_rows(test, labels, places, alpha)
    return peaks, clusters


def clusters_of(p_value: NDArray[np.float64], test: MapTest, space: Space, alpha: float) -> NDArray[np.int_]:
    """Return the cluster of each element, from 0 by size; -1 outside.

    A cluster is a set of neighbours whose family-wise p is below alpha and whose effect has the same sign.
    """
    from scipy.sparse.csgraph import connected_components

    labels = np.full(len(p_value), -1)
    if space.neighbours is None:
        return labels
    count, sizes = 0, []
    for sign in (1, -1):
        inside = np.flatnonzero((p_value < alpha) & (np.sign(test.permuted) == sign))
        if len(inside):
            found, parts = connected_components(space.neighbours[inside][:, inside], directed=False)
            labels[inside] = parts + count
            sizes += np.bincount(parts, minlength=found).tolist()
            count += found
    order = np.argsort(-np.array(sizes, dtype=int), kind="stable")
    rank = np.empty(len(order) + 1, dtype=int)
    rank[order], rank[-1] = np.arange(len(order)), -1
    return np.asarray(rank[labels])


def ordering(test: MapTest) -> NDArray[np.float64]:
    """Return the size of each element's statistic: that of the permutation test, else the model's."""
    size = np.abs(test.permuted if np.isfinite(test.permuted).any() else test.statistic)
    return np.where(np.isnan(size), -1.0, size)


def _peak_rows(test: MapTest, labels: dict[str, NDArray[np.int_]], places: Places, alpha: float) -> list[Row]:
    """Return the largest statistic of each hemisphere and of each cluster, the largest first."""
    size = ordering(test)
    sides = dict.fromkeys(places.hemisphere.tolist())
    tops = {}
    for side in sides:
        inside = np.flatnonzero((places.hemisphere == side) & (size >= 0))
        if len(inside):
            tops[int(inside[np.argmax(size[inside])])] = side
    found = set(tops)
    for clusters in labels.values():
        for number in range(clusters.max() + 1):
            inside = np.flatnonzero(clusters == number)
            found.add(int(inside[np.argmax(size[inside])]))
    rows = []
    for rank, element in enumerate(sorted(found, key=lambda one: (-size[one], one)), start=1):
        own = {f"cluster_{word}": int(of[element]) + 1 if of[element] >= 0 else None
               for word, of in labels.items()}  # fmt: skip
        note = test.row["note"]
        if element in tops:
            words = _no_difference(test, places, tops[element], alpha)
            note = "; ".join(filter(None, (words, note)))
        rows.append(
            {**test.row, "peak": rank, **_at(test, element, places, alpha), **own, "note": note or None}
        )
    return rows


def _no_difference(test: MapTest, places: Places, side: str, alpha: float) -> str:
    """Say so where nothing of a hemisphere is significant; its largest statistic is listed all the same."""
    here = places.hemisphere == side
    smallest = [np.nanmin(p) for p in (test.p_fwe[here], test.p_tfce[here]) if np.isfinite(p).any()]
    if not smallest:
        return "no family-wise p"
    if min(smallest) < alpha:
        return ""
    where = "" if side == "both" else f" of the {side} hemisphere"
    return f"not shown to differ at any {places.element}{where}: family-wise p at least {alpha:g}"


def _at(test: MapTest, element: int, places: Places, alpha: float) -> Row:
    """Return the numbers of one element."""
    estimate, error, df = (float(part[element]) for part in (test.estimate, test.std_error, test.df))
    vertex = int(places.vertex[element])
    return {
        "hemisphere": str(places.hemisphere[element]),
        "vertex": vertex if vertex >= 0 else None,
        **dict(zip("xyz", (round(float(value), 2) for value in places.position[element]), strict=True)),
        "region": places.region[element] or None,
        "estimate": estimate,
        "std_error": error,
        "df": df,
        "statistic": float(test.statistic[element]),
        "p_value": float(test.p_value[element]),
        **interval(estimate, error, df, alpha),
        "permuted_statistic": float(test.permuted[element]),
        "p_fwe": float(test.p_fwe[element]),
        "p_tfce": float(test.p_tfce[element]),
        "singular": bool(test.singular[element]) if test.model.random else None,
    }


def _cluster_rows(
    test: MapTest, word: str, labels: NDArray[np.int_], places: Places, alpha: float
) -> list[Row]:
    """Return the clusters of one correction, the largest first."""
    size, rows = ordering(test), []
    for number in range(labels.max() + 1):
        inside = np.flatnonzero(labels == number)
        peak = int(inside[np.argmax(size[inside])])
        at = _at(test, peak, places, alpha)
        rows.append(
            {
                **test.row,
                "correction": word,
                "cluster": number + 1,
                **{name: at[name] for name in ("hemisphere", "vertex", "x", "y", "z", "region")},
                "direction": "increase" if test.permuted[peak] > 0 else "decrease",
                "size": len(inside),
                "extent": float(places.extent[inside].sum()),
                "extent_unit": places.unit,
                "regions": _shares(places.region[inside]),
                "estimate": at["estimate"],
                "statistic": at["statistic"],
                "p_fwe": float(np.nanmin(test.p_fwe[inside])),
                "p_tfce": float(np.nanmin(test.p_tfce[inside])) if np.isfinite(test.p_tfce).any() else np.nan,
            }
        )
    return rows


def _shares(regions: NDArray[Any]) -> str | None:
    """Return the regions that hold most of a cluster, with their shares of its elements."""
    names, counts = np.unique([name for name in regions if name], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_REGIONS]
    parts = [f"{names[one]} {100 * counts[one] / len(regions):.0f} %" for one in order]
    return "; ".join(parts) or None
