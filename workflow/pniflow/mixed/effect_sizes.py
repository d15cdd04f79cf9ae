"""Effect sizes with their standardizer named, and their intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

G_AV = "hedges_g_av (mean of the two sessions' SDs, complete pairs)"
SLOPE = "standardized_slope (SD of term and of outcome over the analysis rows)"


@dataclass(frozen=True)
class PairedEffects:
    """Standardized change of complete pairs, one value per outcome.

    Attributes
    ----------
    change : mean difference, later minus earlier, with its t interval
    g_av : change / mean of the two SDs, with Hedges' small-sample factor
    g_rm : change / SD of the differences * sqrt(2 (1 - r)), with Hedges' factor
    baseline_d : change / SD at the earlier session
    intervals : mapping-like pairs (low, high) for g_av and g_rm, from the noncentral t distribution
    """

    pairs: int
    change: Array
    change_interval: tuple[Array, Array]
    sd_baseline: Array
    sd_follow_up: Array
    sd_difference: Array
    r: Array
    g_av: Array
    g_av_interval: tuple[Array, Array]
    g_rm: Array
    g_rm_interval: tuple[Array, Array]
    baseline_d: Array


def hedges_factor(df: float) -> float:
    """Return Hedges' exact factor J(df) = Gamma(df/2) / (sqrt(df/2) Gamma((df-1)/2))."""
    from scipy.special import gammaln

    return float(np.exp(gammaln(df / 2) - gammaln((df - 1) / 2)) / np.sqrt(df / 2))


def paired_effects(before: Array, after: Array, level: float = 0.95) -> PairedEffects:
    """Standardized change of complete pairs.

    Parameters
    ----------
    before, after : (pairs, outcomes) float
        Values of the same participants.
    level : float
        Of the intervals: limits of the noncentrality of the paired t, put on the scale of g (Algina &
        Keselman 2003, Educ Psychol Meas 63:537). Effects as in Lakens 2013, Front Psychol 4:863; the factor
        has n - 1 df.

    Returns
    -------
    PairedEffects
        NaN where there are fewer than three pairs or no spread.
    """
    from scipy.special import stdtrit

    n = len(before)
    difference = after - before
    with np.errstate(divide="ignore", invalid="ignore"):
        sd1, sd2, sd = (sd_of_columns(values) for values in (before, after, difference))
        change = _by_column(difference).mean(axis=1) if n else np.full(before.shape[1], np.nan)
        covariance = (sd1**2 + sd2**2 - sd**2) / 2
        r = covariance / (sd1 * sd2)
        average = (sd1 + sd2) / 2
        factor = hedges_factor(n - 1) if n > 2 else np.nan
        usable = (sd > 0) & (average > 0)
        reach = stdtrit(max(n - 1, 1), (1 + level) / 2) * sd / np.sqrt(max(n, 1))
        shrink = np.sqrt(np.maximum(2 * (1 - r), 0.0))
        statistic = np.where(usable, change / (sd / np.sqrt(n)), np.nan)
        low, high = noncentrality_limits(statistic, n - 1, level)
        scale_av = sd / average / np.sqrt(n)
        scale_rm = shrink / np.sqrt(n)
        return PairedEffects(
            pairs=n,
            change=change,
            change_interval=(change - reach, change + reach),
            sd_baseline=sd1,
            sd_follow_up=sd2,
            sd_difference=sd,
            r=r,
            g_av=np.where(usable, factor * change / average, np.nan),
            g_av_interval=(low * scale_av, high * scale_av),
            g_rm=np.where(usable, factor * change / sd * shrink, np.nan),
            g_rm_interval=(low * scale_rm, high * scale_rm),
            baseline_d=np.where(sd1 > 0, change / sd1, np.nan),
        )


def sd_of_columns(values: Array) -> Array:
    """Return the SD (n - 1) of each column; NaN for fewer than two rows."""
    return _by_column(values).std(axis=1, ddof=1) if len(values) > 1 else np.full(values.shape[1], np.nan)


def _by_column(values: Array) -> Array:
    """Return columns as contiguous rows, so that a column's sum does not depend on its neighbours."""
    return np.ascontiguousarray(values.T)


def noncentrality_limits(statistic: Array, df: float, level: float = 0.95) -> tuple[Array, Array]:
    """Return the noncentralities at which an observed t is the upper and the lower tail's limit.

    Parameters
    ----------
    statistic : (k,) float
    df : float

    Returns
    -------
    low, high : (k,) float
        P(T >= t | low) = P(T <= t | high) = (1 - level) / 2; NaN where t is.
    """
    tail = (1 - level) / 2
    finite = np.isfinite(statistic) & (df > 0)
    t = np.where(finite, statistic, 0.0)
    return (
        np.where(finite, _noncentrality(t, df, 1 - tail), np.nan),
        np.where(finite, _noncentrality(t, df, tail), np.nan),
    )


def _noncentrality(t: Array, df: float, share: float) -> Array:
    """Solve P(T <= t | noncentrality) = share by secants; on the normal scale it is nearly a line."""
    from scipy.special import nctdtr, ndtri

    def miss(shift: Array) -> Array:
        return np.asarray(ndtri(np.clip(nctdtr(df, shift, t), 1e-15, 1 - 1e-15)) - ndtri(share))

    spread = np.sqrt(1 + t * t / (2 * df))
    before = t - ndtri(share) * spread
    now = before + 0.01 * spread
    gap_before, gap = miss(before), miss(now)
    for _ in range(20):
        slope = np.where(now != before, (gap - gap_before) / np.where(now != before, now - before, 1.0), -1.0)
        step = np.clip(gap / np.where(slope < 0, slope, -1.0), -spread, spread)
        before, gap_before = now, gap
        now = now - step
        if (np.abs(step) <= 1e-12 * (1 + np.abs(now))).all():
            break
        gap = miss(now)
    return np.asarray(now)
