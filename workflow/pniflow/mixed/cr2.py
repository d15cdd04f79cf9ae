"""CR2 cluster-robust tests of a model with one random intercept: bias-reduced sandwich with Satterthwaite df.

Source: Bell & McCaffrey 2002, Survey Methodology 28:169; Pustejovsky & Tipton 2018, J Bus Econ Stat
36:672; checked against the R package clubSandwich (`coef_test`, `vcov = "CR2"`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pniflow.mixed.inference import Array, independent_columns, one_blas_thread
from pniflow.mixed.student import two_sided_p

_RANK = 1e-11  # eigenvalues of an adjustment below this share are directions that the design explains


@dataclass(frozen=True)
class RobustTests:
    """Robust tests by contrast: (q,) arrays. NaN where not estimable.

    Attributes
    ----------
    alone : (q,) array of bool
        Contrasts that could not be estimated without one of the groups: in that direction its residuals are
        zero whatever the errors, so the standard error says nothing of it.
    """

    estimate: Array
    std_error: Array
    df: Array
    statistic: Array
    p_value: Array
    alone: NDArray[np.bool_]


def cr2_tests(
    design: Array, groups: Any, outcome: Array, ratio: float, *, contrasts: Array | None = None
) -> RobustTests:
    """Test coefficients with CR2 standard errors, one cluster per group.

    Parameters
    ----------
    design : (n, p) array
    groups : n labels
    outcome : (n,) array
    ratio : float
        Person over residual variance, as fitted (`person_variance / sigma2`); zero for least squares.
    contrasts : (q, p) array, optional
        The coefficients themselves where absent.

    Returns
    -------
    RobustTests
    """
    design, y = np.asarray(design, dtype=np.float64), np.asarray(outcome, dtype=np.float64)
    tested = np.eye(design.shape[1]) if contrasts is None else np.atleast_2d(contrasts)
    columns = independent_columns(design)
    known = columns.estimable(tested)
    results, alone = np.full((3, len(tested)), np.nan), np.zeros(len(tested), dtype=bool)
    if np.isfinite(y).all() and np.isfinite(ratio):
        with one_blas_thread():
            alone[known] = _resting_on_one(design[:, columns.kept], groups, tested[known][:, columns.kept])
            results[:, known] = _sandwich(
                design[:, columns.kept], groups, y, ratio, tested[known][:, columns.kept]
            )
    estimate, std_error, df = results
    statistic = estimate / std_error
    return RobustTests(estimate, std_error, df, statistic, two_sided_p(statistic, df), alone)


def _resting_on_one(x: Array, groups: Any, rows: Array) -> NDArray[np.bool_]:
    """Tell which estimable contrasts no longer are one without some group."""
    basis, factor = np.linalg.qr(x)
    group = np.unique(groups, return_inverse=True)[1]
    shares = np.zeros((group.max() + 1, x.shape[1], x.shape[1]))
    np.add.at(shares, group, basis[:, :, None] * basis[:, None, :])
    values, vectors = np.linalg.eigh(shares)
    own = vectors.transpose(0, 2, 1)[values > 1 - _RANK**0.5]  # directions that one group alone informs
    reach = np.abs(np.linalg.solve(factor.T, rows.T).T @ own.T)
    scale = np.linalg.norm(np.linalg.solve(factor.T, rows.T), axis=0)[:, None]
    return np.asarray((reach > _RANK**0.5 * scale).any(axis=1))


def _sandwich(x: Array, groups: Any, y: Array, ratio: float, rows: Array) -> Array:
    """Estimates, standard errors and df of estimable contrasts."""
    basis, factor = np.linalg.qr(x)
    rows = np.linalg.solve(factor.T, rows.T).T
    group = np.unique(groups, return_inverse=True)[1]
    members = [np.flatnonzero(group == g) for g in range(group.max() + 1)]
    covariances = [np.eye(len(own)) + ratio for own in members]
    weighted = [np.linalg.solve(v, basis[own]) for v, own in zip(covariances, members, strict=True)]
    inverse = np.linalg.inv(sum(w.T @ basis[own] for w, own in zip(weighted, members, strict=True)))
    start = basis.T @ y
    residual = y - basis @ start
    shift = inverse @ sum(w.T @ residual[own] for w, own in zip(weighted, members, strict=True))
    residual -= basis @ shift
    if np.linalg.norm(residual) <= max(1e-10 * np.ptp(y), 1e-14 * np.linalg.norm(y)):
        return np.full((3, len(rows)), np.nan)  # a perfect fit has no residuals to learn from

    leverage = rows @ inverse
    own_terms, through, scores = [], [], []
    for own, v, w in zip(members, covariances, weighted, strict=True):
        q = basis[own]
        adjusted = _adjustment(v, v - q @ inverse @ q.T).T @ w @ leverage.T  # (n_g, q)
        scores.append(adjusted.T @ residual[own])
        own_terms.append(np.einsum("nq,nm,mq->q", adjusted, v, adjusted))
        through.append(adjusted.T @ q)
    across = np.einsum("gqp,ps,hqs->qgh", through, inverse, through)
    gram = np.einsum("gq,gh->qgh", own_terms, np.eye(len(members))) - across
    df = np.einsum("qgg->q", gram) ** 2 / np.einsum("qgh,qgh->q", gram, gram)
    return np.stack([rows @ (start + shift), np.sqrt(np.sum(np.square(scores), axis=0)), df])


def _adjustment(v: Array, residual: Array) -> Array:
    """The A that makes the variance of A times the residuals v: D' (D residual D')^(-1/2) D with D'D = v."""
    d = np.linalg.cholesky(v).T
    values, vectors = np.linalg.eigh(d @ residual @ d.T)
    used = values > _RANK * values[-1]
    power = np.where(used, 1 / np.sqrt(np.where(used, values, 1.0)), 0.0)
    return np.asarray(d.T @ (vectors * power) @ vectors.T @ d)
