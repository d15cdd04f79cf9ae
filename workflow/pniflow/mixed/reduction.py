"""A one-intercept design reduced to the directions in which every covariance s2 (I + lambda ZZ') is diagonal.

An outcome y is rotated, without loss, into
- fixed, p numbers: y in an orthonormal basis of the design,
- rest, K numbers: what lies between the design and the groups, one eigenvalue d of Z Z' each,
- between, one sum of squares for each group size m: group means off the design (eigenvalue m),
- within, one sum of squares: what neither design nor groups explain (eigenvalue 0).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pniflow.mixed.inference import (
    FEW_GROUPS,
    FEW_REPEATS,
    Array,
    Columns,
    independent_columns,
    one_blas_thread,
)

_ABSENT = 1e-10  # singular values of a part of an orthonormal basis below this are rounding
_EPS = float(np.finfo(float).eps)
_CACHE = 2**16  # numbers worked on at once


@dataclass(frozen=True)
class ReducedDesign:
    """What the engine keeps of a design. M group sizes, p + K reduced directions.

    Attributes
    ----------
    columns : Columns
        Which columns of the design are independent; p of them.
    order : (n,) int array
        Rows by group size, group and covariates: the order given changes no rounding.
    classes : M tuples (rows, groups, size)
    between : M arrays (b, groups)
        Orthonormal basis of the design's group means, by group size.
    within : (w, n) array
        Orthonormal basis of the design's deviations from group means.
    to_fixed, to_rest : (p, p + K), (K, p + K) arrays
        Rotate the coordinates on those bases into `fixed` and `rest`.
    to_coefficients : (p, p) array
        Coefficients of the kept columns from `fixed`.
    ones : (p,) array
        The constant one in `fixed`; zero where the design has no intercept.
    size, n_groups : (M,) arrays
    d, nu : (K + M, 1) arrays
        Eigenvalues of ZZ' off the design (K single ones, then the group sizes) and their multiplicities.
    share : (M + 1, p, p) array
        Design part in each group size, then within; they sum to the identity.
    cross : (M + 1, p, K) array
        The same between `fixed` and `rest`; they sum to zero.
    logdet : float
        Log determinant of X'X.
    df_residual, df_within : int
    unfit : str
        Why no outcome can be fitted, or empty.
    """

    columns: Columns
    order: np.ndarray
    classes: list[tuple[slice, int, int]]
    between: list[Array]
    within: Array
    to_fixed: Array
    to_rest: Array
    to_coefficients: Array
    ones: Array
    size: Array
    n_groups: Array
    d: Array
    nu: Array
    share: Array
    cross: Array
    logdet: float
    df_residual: int
    df_within: int
    unfit: str

    @property
    def width(self) -> int:
        """Outcomes worked on at once: many, for few calls; p x p matrices and group means stay in cache."""
        width = min(2**17 // len(self.to_fixed) ** 2, 2**22 // int(self.n_groups.sum()))
        return int(np.clip(width, 64, 8192)) // 8 * 8


@dataclass(frozen=True)
class Summaries:
    """Outcomes (one per column) reduced; `squares` is rest squared, then between, as `d`.

    `fixed` is that of y - origin. `constant` and `perfect` flag outcomes without variance, or without
    residual variance beyond their rounding.
    """

    origin: Array
    fixed: Array
    rest: Array
    squares: Array
    within: Array
    constant: np.ndarray
    perfect: np.ndarray
    missing: np.ndarray


def reduce_design(design: Array, groups: Any, names: Sequence[str] | None = None) -> ReducedDesign:
    """Reduce a design with one grouping factor.

    Parameters
    ----------
    design : (n, p) array
    groups : n labels
    names : p names of columns, optional

    Raises
    ------
    ValueError
        Shapes disagree or the design is not finite.
    """
    design, groups = np.asarray(design, dtype=np.float64), np.asarray(groups)
    if design.ndim != 2 or groups.shape != (len(design),) or not np.isfinite(design).all():
        raise ValueError(
            "The design must be a finite (n, p) array with one group label for each of its n rows."
        )
    group = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(group)
    order = np.lexsort([*design.T, group, sizes[group]])
    with one_blas_thread():
        columns = independent_columns(design[order], names)
        return _reduce(design[order][:, columns.kept], sizes, columns, order)


def _reduce(design: Array, sizes: np.ndarray, columns: Columns, order: np.ndarray) -> ReducedDesign:
    n, p = design.shape
    size, n_groups = np.unique(sizes, return_counts=True)
    stops = np.cumsum(size * n_groups)
    classes = [
        (slice(int(stop - g * m), int(stop)), int(g), int(m))
        for stop, g, m in zip(stops, n_groups, size, strict=True)
    ]
    basis, factor = np.linalg.qr(design)
    ones = basis.T @ np.ones(n)
    has_intercept = bool(np.abs(basis @ ones - 1).max(initial=0) < 1e-10)

    # Rotate the basis so that its within-group part is diagonal: directions that are purely between groups
    # are then exact zeros there, and stay accurate however large lambda is.
    means = [basis[rows].reshape(g, m, p).mean(axis=1) for rows, g, m in classes]
    spread = np.concatenate(
        [np.repeat(part, m, axis=0) for part, (_, _, m) in zip(means, classes, strict=True)]
    )
    left, strength, turn = np.linalg.svd(basis - spread, full_matrices=False)
    present = strength > _ABSENT
    within_part = np.diag(strength)[present]
    between, parts = [], []
    for part, (_, _, m) in zip(means, classes, strict=True):
        left_, strength_, _ = np.linalg.svd(part * np.sqrt(m), full_matrices=False)
        between.append(left_[:, strength_ > _ABSENT].T.copy())
        parts.append(between[-1] @ (part @ turn.T) * np.sqrt(m))
    reduced = np.vstack([*parts, within_part])
    owner = np.repeat(np.arange(len(parts) + 1), [*map(len, parts), len(within_part)])

    # What the reduced coordinates hold beyond the design, and the eigenvalues of Z Z' there.
    rest = np.linalg.qr(reduced, mode="complete")[0][:, p:]
    values, vectors = np.linalg.eigh(rest.T @ (np.append(size, 0)[owner][:, None] * rest))
    to_rest = (rest @ vectors).T.copy()
    multiplicity = np.append(np.ones(len(values)), n_groups - [len(part) for part in between])
    members = [owner == index for index in range(len(parts) + 1)]
    df_within = n - int(n_groups.sum()) - len(within_part)
    return ReducedDesign(
        columns=columns,
        order=order,
        classes=classes,
        between=between,
        within=left[:, present].T.copy(),
        to_fixed=reduced.T.copy(),
        to_rest=to_rest,
        to_coefficients=np.linalg.solve(factor, turn.T),
        ones=turn @ ones * has_intercept,
        size=size.astype(float),
        n_groups=n_groups.astype(float),
        d=np.append(values, size)[:, None],
        nu=multiplicity[:, None],
        share=np.array([reduced[rows].T @ reduced[rows] for rows in members]),
        cross=np.array([reduced[rows].T @ to_rest[:, rows].T for rows in members]),
        logdet=2 * float(np.log(np.abs(np.diag(factor))).sum()),
        df_residual=n - p,
        df_within=df_within,
        unfit=FEW_REPEATS if df_within < 1 else "" if multiplicity.any() else FEW_GROUPS,
    )


def summarize(design: ReducedDesign, outcomes: Array, width: int) -> Summaries:
    """Reduce a block of outcomes. No step mixes columns or depends on how many there are.

    Parameters
    ----------
    design : ReducedDesign
    outcomes : (n, w) array
        Rows in the order given to `reduce_design`.
    width : int
        At least w, a multiple of 8: the summaries have this many columns, empty ones at the end.
    """
    n, count = outcomes.shape
    origin = np.zeros(width)  # the first row stands for the level, so that a large one costs no digits
    if design.ones.any():
        origin[:count] = outcomes[design.order[0]]
    levels = [np.empty((g, width)) for _, g, _ in design.classes]
    part, spread = np.zeros((len(design.within), width)), np.zeros(width)
    for rows, y in _deviations(design, outcomes, origin, levels):
        part += _dot(design.within[:, rows], y)
        spread += np.einsum("nw,nw->w", y, y)
    within = spread - np.einsum("kw,kw->w", part, part)
    weak = within < 1e-3 * spread
    if weak.any():  # nearly all is explained: sum the residuals themselves
        exact = np.zeros(width)
        for rows, y in _deviations(design, outcomes, origin, levels):
            y -= _dot(design.within[:, rows].T, part)
            exact += np.einsum("nw,nw->w", y, y)
        within = np.where(weak, exact, within)

    mean = sum(m * level.sum(axis=0) for level, m in zip(levels, design.size, strict=True)) / n
    total = spread - n * mean * mean
    coordinates, squares = [], []
    for level, m, basis in zip(levels, design.size, design.between, strict=True):
        level *= np.sqrt(m)
        total += np.einsum("gw,gw->w", level, level)
        coordinates.append(_dot(basis, level))
        level -= _dot(basis.T, coordinates[-1])
        squares.append(np.einsum("gw,gw->w", level, level))
    reduced = np.concatenate([*coordinates, part])
    rest = _dot(design.to_rest, reduced)
    rounding = (32 * _EPS) ** 2 * (total + n * (origin + mean) ** 2)
    return Summaries(
        origin=origin,
        fixed=_dot(design.to_fixed, reduced),
        rest=rest,
        squares=np.concatenate([rest * rest, squares]),
        within=within,
        constant=total == 0,
        perfect=within <= max(design.df_within, 1) * np.maximum(1e-20 * total, rounding) / n,
        missing=np.asarray(~np.isfinite(total)),
    )


def _deviations(
    design: ReducedDesign, outcomes: Array, origin: Array, levels: list[Array]
) -> Iterator[tuple[slice, Array]]:
    """Deviations from group means, by runs of rows that fit in cache; the means are left in `levels`.

    The runs are the design's, however many outcomes there are: sums over rows keep their order.
    """
    width, count = len(origin), outcomes.shape[1]
    for (all_rows, groups, m), level in zip(design.classes, levels, strict=True):
        run = min(groups, max(1, _CACHE // (m * design.width)))
        buffer = np.zeros((run * m, width))
        for first in range(0, groups, run):
            last = min(first + run, groups)
            rows = slice(all_rows.start + first * m, all_rows.start + last * m)
            y = buffer[: (last - first) * m]
            np.subtract(outcomes[design.order[rows]], origin[:count], out=y[:, :count])
            block = y.reshape(-1, m, width)
            np.divide(np.add.reduce(block, axis=1), m, out=level[first:last])
            block -= level[first:last, None]
            yield rows, y


def _dot(matrix: Array, columns: Array) -> Array:
    """Matrix times columns, without BLAS: each column's sums run in one order, whatever stands beside it."""
    return np.asarray(np.einsum("kn,nw->kw", matrix, columns))
