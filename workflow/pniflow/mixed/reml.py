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

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pniflow.mixed.inference import Array, kenward_roger_scale, satterthwaite_f_df
from pniflow.mixed.reduction import ReducedDesign

_GRID = np.concatenate([[0.0], np.logspace(-4, 6, 21)])  # of lambda, in units of one over the mean eigenvalue


def solve_ratio(squares: Array, within: Array, d: Array, nu: Array, total: float) -> Array:
    """Minimize total log(within + sum(squares h)) - sum(nu log h) over lambda >= 0; h = 1/(1 + lambda d).

    A grid finds the lowest valley, safeguarded Newton steps its bottom, where
    r sum(nu q) / sum(share q^2) = total, with q = d h, share = squares / within / d and r = 1 + sum(share q).
    The left side is linear in lambda where there is one eigenvalue, and nearly so with many of one size:
    two or three steps do.

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
        return np.asarray(np.maximum((squares[0] / nu[0] * (total - nu[0]) / within - 1) / d[0], 0.0))
    share = squares / within
    x, low, high, done = _valley(share, d[:, 0], nu[:, 0], total)
    share /= d
    found, left = np.empty(len(x)), np.arange(len(x))
    for turn in range(100):
        q = 1 / (1 / d + x)
        q2 = q * q
        r = 1 + np.einsum("tw,tw->w", share, q)
        r1 = np.einsum("tw,tw->w", share, q2)
        r2 = np.einsum("tw,tw->w", share, q2 * q)
        e1, e2 = np.einsum("t,tw->w", nu[:, 0], q), np.einsum("t,tw->w", nu[:, 0], q2)
        gain = total * r1 - e1 * r
        bend = (2 * r2 * r - r1 * r1) * e1 - r1 * r * e2
        step = r1 * gain / bend
        new = x + step
        newton = (bend > 0) & (new >= low) & (new <= high)
        if turn > 5 or not (newton | done).all():
            low, high = np.where(gain > 0, x, low), np.where(gain < 0, x, high)
            new = np.where(newton, new, np.where(low > 0, np.sqrt(low * high), high / 16))
        x = np.where(done, x, new)
        done |= newton & (np.abs(step) < 1e-7 * x)
        if 3 * np.count_nonzero(done) >= len(done):  # go on with those that are not
            found[left] = x
            keep = np.flatnonzero(~done)
            if not len(keep):
                break
            keep = np.resize(keep, -(-len(keep) // 8) * 8)  # some twice: each column's sums keep their order
            left, done, share = left[keep], done[keep], share.take(keep, axis=1)
            x, low, high = x[keep], low[keep], high[keep]
    found[left] = x
    return found


def _valley(share: Array, d: Array, nu: Array, total: float) -> tuple[Array, Array, Array, np.ndarray]:
    """Lowest point of a grid, its neighbours, and where the minimum is at zero; share = squares / within."""
    scale = 1 / d.mean()
    grid = _GRID * scale
    penalty = np.exp(nu @ np.log1p(np.outer(d, grid)) / total)
    values = np.einsum("tg,tw->gw", penalty / (1 + np.outer(d, grid)), share)
    values += penalty[:, None]
    place = np.arange(len(grid), dtype=np.uint8)[:, None]
    best = ((values == values.min(axis=0)) * place).max(axis=0)  # argmin, but several times faster
    rising = nu @ d * (1 + share.sum(axis=0)) >= total * np.einsum("t,tw->w", d, share)
    low, high = np.append(0.0, grid), np.append(grid[1:], 1e25 * scale)
    return grid.take(best), low.take(best), high.take(best), (best == 0) & rising


def ml_loglik(design: ReducedDesign, squares: Array, within: Array) -> Array:
    """The largest ML log-likelihood of each outcome."""
    n = len(design.order)
    groups = np.append(np.zeros(len(design.d) - len(design.size)), design.n_groups)[:, None]
    ratio = solve_ratio(squares, within, design.d, groups, n)
    sigma2 = (within + (squares / (1 + design.d * ratio)).sum(axis=0)) / n
    return np.asarray(
        -0.5 * (n * np.log(2 * np.pi * sigma2) + n + (groups * np.log1p(design.d * ratio)).sum(axis=0))
    )


def infer(
    design: ReducedDesign,
    fixed: Array,
    rest: Array,
    ratio: Array,
    variance: Variance,
    rows: Array,
    sets: Sequence[Array],
) -> tuple[Array, Array]:
    """Estimates and tests at lambda = ratio.

    Parameters
    ----------
    design, fixed, rest : as reduced
    ratio : (w,) array
    variance : Variance
        At this ratio.
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
    """
    size = np.append(design.size, 0.0)[:, None]
    f = 1 / (1 + ratio * size)
    one_size = len(design.size) == 1  # then every part is diagonal in this basis
    share = np.einsum("cii->ci", design.share) if one_size else design.share
    total = _mix(share, f)
    matrices = _Matrices(
        inverse=1 / total if one_size else _inverse(total),
        first=_mix(share, size * f**2),
        second=_mix(share, size**2 * f**3),
    )
    if len(rest):
        pull = np.einsum("ciw,cw->iw", np.einsum("cik,kw->ciw", design.cross, rest), f)
        fixed = fixed + (
            matrices.inverse * pull if one_size else np.einsum("ijw,jw->iw", matrices.inverse, pull)
        )
    tests = np.stack([np.einsum("ri,iw->rw", rows, fixed), *_single(matrices, variance, rows)])
    f_tests = [_joint(matrices, variance, c, np.einsum("ri,iw->rw", c, fixed)) for c in sets]
    return tests, np.array(f_tests).reshape(len(sets), 4, len(ratio))


@dataclass(frozen=True)
class Variance:
    """Residual variance and the information about (lambda, log s2), e0 and k above, by outcome."""

    n: int
    sigma2: Array
    loglik: Array
    expected_mean: Array
    expected: Array
    observed_mean: Array
    observed: Array
    zero: np.ndarray

    @classmethod
    def of(cls, design: ReducedDesign, squares: Array, within: Array, ratio: Array) -> Variance:
        """Build it from sums of squares and lambda, as `solve_ratio` takes and gives them."""
        n, d, nu = design.df_residual, design.d, design.nu
        h = 1 / (1 + d * ratio)
        dh = d * h
        sigma2 = (within + (squares * h).sum(axis=0)) / n
        logdet = (nu * np.log1p(d * ratio)).sum(axis=0)
        mean = (nu * dh).sum(axis=0) / n
        tilt = (squares * h * dh).sum(axis=0) / sigma2 / n
        bend = 2 * (squares * h * dh**2).sum(axis=0) / sigma2 - (nu * dh**2).sum(axis=0)
        return cls(
            n=n,
            sigma2=sigma2,
            loglik=-0.5 * (n * np.log(2 * np.pi * sigma2) + n + logdet + design.logdet),
            expected_mean=mean,
            expected=(nu * (dh - mean) ** 2).sum(axis=0) + (n - nu.sum()) * mean**2,
            observed_mean=tilt,
            observed=bend - n * tilt**2,
            zero=ratio == 0,
        )

    def df_satterthwaite(self, slope: Array) -> Array:
        """Satterthwaite df of contrasts with d log a / d lambda = slope; n - p where lambda is zero."""
        df = self.n * self.observed / (self.n * (slope - self.observed_mean) ** 2 + self.observed)
        return np.where(self.zero, float(self.n), df)


@dataclass(frozen=True)
class _Matrices:
    """(X'WX)^-1, X'WGWX and X'WGWGWX for W = (I + lambda G)^-1, G = ZZ', X the basis.

    (p, p, w) each; (p, w) where they are diagonal.
    """

    inverse: Array
    first: Array
    second: Array

    def forms(self, c: Array, joint: bool = False) -> tuple[Array, Array, Array]:
        """c A c', c A B A c' and c A (C - B A B) A c' with A, B, C = `inverse`, `first`, `second`.

        Of each row of c with itself (q, w), or of all pairs of rows if joint (w, q, q).
        """
        a, b, b2 = self.inverse, self.first, self.second
        if a.ndim == 2:
            into, pairs = ("rsi,iw->wrs", c[:, None] * c) if joint else ("ri,iw->rw", c * c)
            first, second = a * a * b, a * a * (b2 - a * b * b)
            return np.einsum(into, pairs, a), np.einsum(into, pairs, first), np.einsum(into, pairs, second)
        forward = np.einsum("ijw,rj->riw", a, c)
        middle = np.einsum("ijw,rjw->riw", b, forward)
        back = np.einsum("ijw,rjw->riw", a, middle)
        ahead = np.einsum("ijw,rjw->riw", b2, forward)
        into = "riw,siw->wrs" if joint else "riw,riw->rw"
        return (
            np.einsum("ri,siw->wrs" if joint else "ri,riw->rw", c, forward),
            np.einsum(into, forward, middle),
            np.einsum(into, forward, ahead) - np.einsum(into, middle, back),
        )


def _single(matrices: _Matrices, variance: Variance, c: Array) -> tuple[Array, Array, Array, Array]:
    """Standard errors (REML, Kenward-Roger) and df (Satterthwaite, Kenward-Roger): (q, w) each."""
    a, first, second = matrices.forms(c)
    slope, excess = first / a, 4 * second / variance.expected
    k = variance.expected
    return (
        np.sqrt(variance.sigma2 * a),
        np.sqrt(variance.sigma2 * (a + excess)),
        variance.df_satterthwaite(slope),
        variance.n * k / (variance.n * (slope - variance.expected_mean) ** 2 + k),
    )


def _joint(matrices: _Matrices, variance: Variance, c: Array, estimate: Array) -> list[Array]:
    """Satterthwaite F and df, scaled Kenward-Roger F and df of the hypothesis that all of c is zero."""
    a, first, second = matrices.forms(c, joint=True)
    excess = 4 * second / variance.expected[:, None, None]
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
    """Sum of the (p, p) parts, or of their diagonals (p,), weighted for each outcome: (p, p, w) or (p, w)."""
    return np.asarray(np.einsum("c...,cw->...w", parts, weights))


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
