"""REML of one variance ratio, and the inference at it, for many outcomes at once (the last axis, w).

With N = n - p, d the eigenvalues of ZZ' off the design and a(lambda) the variance of a contrast in units of
s2, both df of a single contrast are N k / (N (e - e0)^2 + k), where e = d log a / d lambda. For Kenward and
Roger e0 is the mean of d / (1 + lambda d) over the N directions and k its sum of squared deviations
(expected information); for Satterthwaite they weigh each direction by its observed share of the residual
(observed information). The textbooks' two-parameter matrices collapse to this because the scale s2 drops
out of Kenward and Roger's correction.

Sources: Kenward & Roger 1997, Biometrics 53:983; Giesbrecht & Burns 1985, Biometrics 41:477; checked
against the R packages pbkrtest and lmerTest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pniflow.models.inference import Array, kenward_roger_scale, satterthwaite_f_df
from pniflow.models.reduction import ReducedDesign, Summaries


def solve_ratio(squares: Array, within: Array, d: Array, nu: Array, total: float) -> Array:
    """Minimize total log(within + sum(squares h)) - sum(nu log h) over lambda >= 0; h = 1/(1 + lambda d).

    A grid finds the lowest valley, safeguarded Newton steps in log(lambda) its bottom.

    Parameters
    ----------
    squares : (T, w) array
    within : (w,) array, positive
    d, nu : (T, 1) arrays
        For REML the design's; for ML nu counts groups.
    total : float
        n - p for REML, n for ML.

    Returns
    -------
    (w,) array
        Exactly zero where the minimum is at the boundary.
    """
    if len(d) == 1:  # one eigenvalue, as in balanced designs: mean squares give lambda
        return np.maximum((squares[0] / nu[0] * (total - nu[0]) / within - 1) / d[0], 0.0)
    unit = 1 / d.mean()
    grid = np.concatenate([[0.0], np.logspace(-4, 6, 21)]) * unit
    penalty = np.exp((nu * np.log1p(d * grid)).sum(axis=0) / total)
    values = (np.einsum("tg,tw->gw", 1 / (1 + d * grid), squares) + within) * penalty[:, None]
    best = values.argmin(axis=0)
    rising = (nu * d).sum() * (within + squares.sum(axis=0)) >= total * (d * squares).sum(axis=0)
    zero = (best == 0) & rising
    low, high = grid[np.maximum(best - 1, 0)], np.append(grid[1:], 1e25 * unit)[best]
    x = np.where(best > 0, grid[best], grid[1] / 2)
    found = np.zeros(len(within))
    left = np.flatnonzero(~zero)  # the others are at the boundary
    done = np.zeros(len(left), dtype=bool)
    x, low, high, squares, within = x[left], low[left], high[left], squares[:, left], within[left]
    for _ in range(100):
        h = 1 / (1 + d * x)
        dh = d * h
        share = squares * h
        share /= within + share.sum(axis=0)
        share *= dh
        slope = share.sum(axis=0)
        share *= dh
        curve = nu * dh
        gradient = x * (curve.sum(axis=0) - total * slope)
        curve *= dh
        bend = total * (2 * share.sum(axis=0) - slope * slope) - curve.sum(axis=0)
        curvature = gradient + x * x * bend
        np.copyto(low, x, where=gradient < 0)
        np.copyto(high, x, where=gradient > 0)
        step = np.minimum(np.maximum(-gradient / curvature, -3), 3)
        new = x * np.exp(step)
        newton = (curvature > 0) & (new >= low) & (new <= high)
        if not newton.all():
            new = np.where(newton, new, np.where(low > 0, np.sqrt(low * high), high / 16))
        x = np.where(done, x, new)
        done |= newton & (np.abs(step) < 1e-7)
        if 3 * np.count_nonzero(done) >= len(done):  # go on with those that are not
            found[left] = x
            keep = np.flatnonzero(~done)
            if not len(keep):
                break
            left, done = left[keep], done[keep]
            x, low, high, squares, within = x[keep], low[keep], high[keep], squares[:, keep], within[keep]
    found[left] = x
    return found


def ml_loglik(design: ReducedDesign, squares: Array, within: Array) -> Array:
    """The largest ML log-likelihood of each outcome."""
    n = len(design.order)
    groups = np.append(np.zeros(len(design.d) - len(design.size)), design.n_groups)[:, None]
    ratio = solve_ratio(squares, within, design.d, groups, n)
    sigma2 = (within + (squares / (1 + design.d * ratio)).sum(axis=0)) / n
    return -0.5 * (n * np.log(2 * np.pi * sigma2) + n + (groups * np.log1p(design.d * ratio)).sum(axis=0))


def infer(
    design: ReducedDesign,
    data: Summaries,
    squares: Array,
    within: Array,
    ratio: Array,
    rows: Array,
    sets: list[Array],
) -> tuple[Array, Array, Array]:
    """Estimates and tests at lambda = ratio.

    Parameters
    ----------
    design, data : as reduced
    squares, within, ratio : as `solve_ratio` takes and gives them
    rows : (q, p) array
        Single contrasts of the reduced coefficients.
    sets : list of (r, p) arrays
        Joint hypotheses.

    Returns
    -------
    tests : (5, q, w) array
        Estimate, REML standard error, Kenward-Roger standard error, Satterthwaite df, Kenward-Roger df.
    f_tests : (J, 4, w) array
        Satterthwaite F and its df, scaled Kenward-Roger F and its df.
    scalars : (4, w) array
        Residual variance, person variance, REML log-likelihood, room for the ML one.
    """
    size = np.append(design.size, 0.0)[:, None]
    f = 1 / (1 + ratio * size)
    variance = _variance(design, squares, within, ratio)
    matrices = _Matrices(
        inverse=_inverse(_mix(design.share, f)),
        first=_mix(design.share, size * f**2),
        second=_mix(design.share, size**2 * f**3),
    )
    fixed = data.fixed + design.ones[:, None] * data.origin
    if len(data.rest):
        pull = np.einsum("ciw,cw->iw", np.einsum("cik,kw->ciw", design.cross, data.rest), f)
        fixed += np.einsum("ijw,jw->iw", matrices.inverse, pull)
    tests = np.stack([np.einsum("ri,iw->rw", rows, fixed), *_single(matrices, variance, rows)])
    f_tests = [_joint(matrices, variance, c, np.einsum("ri,iw->rw", c, fixed)) for c in sets]
    blank = np.full_like(ratio, np.nan)
    scalars = np.stack([variance.sigma2, ratio * variance.sigma2, variance.loglik, blank])
    return tests, np.array(f_tests).reshape(len(sets), 4, len(ratio)), scalars


@dataclass(frozen=True)
class _Variance:
    """Residual variance and the information about (lambda, log s2), e0 and k above, by outcome."""

    n: int
    sigma2: Array
    loglik: Array
    expected_mean: Array
    expected: Array
    observed_mean: Array
    observed: Array
    zero: np.ndarray

    def df_satterthwaite(self, slope: Array) -> Array:
        """Satterthwaite df of contrasts with d log a / d lambda = slope; n - p where lambda is zero."""
        df = self.n * self.observed / (self.n * (slope - self.observed_mean) ** 2 + self.observed)
        return np.where(self.zero, float(self.n), df)


def _variance(design: ReducedDesign, squares: Array, within: Array, ratio: Array) -> _Variance:
    n, d, nu = design.df_residual, design.d, design.nu
    h = 1 / (1 + d * ratio)
    dh = d * h
    sigma2 = (within + (squares * h).sum(axis=0)) / n
    logdet = (nu * np.log1p(d * ratio)).sum(axis=0)
    mean = (nu * dh).sum(axis=0) / n
    tilt = (squares * h * dh).sum(axis=0) / sigma2 / n
    bend = 2 * (squares * h * dh**2).sum(axis=0) / sigma2 - (nu * dh**2).sum(axis=0)
    return _Variance(
        n=n,
        sigma2=sigma2,
        loglik=-0.5 * (n * np.log(2 * np.pi * sigma2) + n + logdet + design.logdet),
        expected_mean=mean,
        expected=(nu * (dh - mean) ** 2).sum(axis=0) + (n - nu.sum()) * mean**2,
        observed_mean=tilt,
        observed=bend - n * tilt**2,
        zero=ratio == 0,
    )


@dataclass(frozen=True)
class _Matrices:
    """(X'WX)^-1, X'WGWX and X'WGWGWX for W = (I + lambda G)^-1, G = ZZ', X the basis: (p, p, w) each."""

    inverse: Array
    first: Array
    second: Array

    def pull(self, c: Array) -> tuple[Array, Array, Array]:
        """Vectors (r, p, w) for contrasts c: A c, B A c and A B A c with A = `inverse`, B = `first`."""
        forward = np.einsum("ijw,rj->riw", self.inverse, c)
        middle = np.einsum("ijw,rjw->riw", self.first, forward)
        return forward, middle, np.einsum("ijw,rjw->riw", self.inverse, middle)


def _single(matrices: _Matrices, variance: _Variance, c: Array) -> tuple[Array, Array, Array, Array]:
    """Standard errors (REML, Kenward-Roger) and df (Satterthwaite, Kenward-Roger): (q, w) each."""
    forward, middle, back = matrices.pull(c)
    a = np.einsum("ri,riw->rw", c, forward)
    slope = np.einsum("riw,riw->rw", forward, middle) / a
    second = np.einsum("riw,riw->rw", forward, np.einsum("ijw,rjw->riw", matrices.second, forward))
    excess = 4 * (second - np.einsum("riw,riw->rw", middle, back)) / variance.expected
    k = variance.expected
    return (
        np.sqrt(variance.sigma2 * a),
        np.sqrt(variance.sigma2 * (a + excess)),
        variance.df_satterthwaite(slope),
        variance.n * k / (variance.n * (slope - variance.expected_mean) ** 2 + k),
    )


def _joint(matrices: _Matrices, variance: _Variance, c: Array, estimate: Array) -> list[Array]:
    """Satterthwaite F and df, scaled Kenward-Roger F and df of the hypothesis that all of c is zero."""
    forward, middle, back = matrices.pull(c)
    a = np.einsum("ri,siw->wrs", c, forward)
    first = np.einsum("riw,siw->wrs", forward, middle)
    second = np.einsum("riw,siw->wrs", forward, np.einsum("ijw,sjw->siw", matrices.second, forward))
    excess = 4 * (second - np.einsum("riw,siw->wrs", middle, back)) / variance.expected[:, None, None]
    q, b = len(c), estimate.T[:, :, None]

    # Satterthwaite: independent contrasts, each with its own df.
    values, vectors = np.linalg.eigh(a)
    slopes = np.einsum("wrk,wrs,wsk->wk", vectors, first, vectors) / values
    squared = np.einsum("wrk,rw->wk", vectors, estimate) ** 2 / values
    f_satterthwaite = squared.mean(axis=1) / variance.sigma2
    df_satterthwaite = satterthwaite_f_df(variance.df_satterthwaite(slopes.T).T)

    # Kenward-Roger: W is twice the inverse of the expected information about (lambda, log s2).
    ratio = np.linalg.solve(a, first)
    trace, trace2 = np.einsum("wrr->w", ratio), np.einsum("wrs,wsr->w", ratio, ratio)
    mean, k, n = variance.expected_mean, variance.expected, variance.n
    a1 = 2 * ((trace - q * mean) ** 2 / k + q * q / n)
    a2 = 2 * ((trace2 - 2 * mean * trace + q * mean**2) / k + q / n)
    df_kr, scale = kenward_roger_scale(a1, a2, q)
    wald = np.einsum("wro,wro->w", b, np.linalg.solve(a + excess, b)) / variance.sigma2
    return [f_satterthwaite, df_satterthwaite, scale * wald / q, df_kr]


def _mix(parts: Array, weights: Array) -> Array:
    """Sum of the (p, p) parts, weighted for each outcome: (p, p, w)."""
    return np.einsum("cij,cw->ijw", parts, weights)


def _inverse(matrix: Array) -> Array:
    """Inverses of positive definite matrices (p, p, w), by Gauss-Jordan steps over all outcomes at once."""
    out = matrix.copy()
    for k in range(len(out)):
        pivot = 1 / out[k, k]
        row, column = out[k] * pivot, out[:, k].copy()
        out -= column[:, None] * row
        out[k], out[:, k] = row, -column * pivot
        out[k, k] = pivot
    return out
