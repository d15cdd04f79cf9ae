"""Two-sided p of a t statistic: for large arrays several times faster than the incomplete beta function.

With T = df/2 - 1/4, s = log(1 + t^2/df) and u = T s, the tail is the integral of exp(-T v) g(v) / sqrt(v)
over v > s, divided by that over v > 0, where g(v) = (sinh(v/2) / (v/2))^(-1/2) is a fast power series in v^2.
Term by term these are incomplete gamma functions, and their recurrence, taken from the last term down, leaves
erfc(sqrt(u)) and a small correction (the expansion of DiDonato & Morris 1992, ACM Trans Math Softw 18:360).
Eight terms leave a relative error below 5e-13 for df >= 14 and s < 0.7; elsewhere the incomplete beta
function itself is used.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_TERMS = 8
_WIDTH = 8192  # values worked on at once, in cache
_LEAST_DF, _MOST_S = 14.0, 0.7


def _series(terms: int) -> list[float]:
    """Coefficients of g in powers of v^2."""
    sinh = [1.0]
    for k in range(1, terms + 1):
        sinh.append(sinh[-1] / (4 * (2 * k) * (2 * k + 1)))
    g = [1.0]
    for k in range(1, terms + 1):  # the power -1/2 of a series
        g.append(sum((-0.5 * j - (k - j)) * sinh[j] * g[k - j] for j in range(1, k + 1)) / k)
    return g


_G = _series(_TERMS)
_STEPS = [(2 * k + 0.5) * (2 * k + 1.5) for k in range(_TERMS)]


def two_sided_p(statistic: Array, df: Array) -> Array:
    """Two-sided p of a t statistic, exact far into the tail. Shapes are broadcast; NaN stays NaN."""
    statistic, df = np.broadcast_arrays(
        np.asarray(statistic, dtype=np.float64), np.asarray(df, dtype=np.float64)
    )
    t, freedom = statistic.ravel(), df.ravel()
    p = np.empty(len(t))
    work = np.empty((6, min(len(t), _WIDTH)))
    with np.errstate(all="ignore"):
        for first in range(0, len(t), _WIDTH):
            part = slice(first, first + _WIDTH)
            _block(t[part], freedom[part], p[part], work)
    return p.reshape(statistic.shape)[()]


def _block(t: Array, df: Array, p: Array, work: Array) -> None:
    """Fill p for one block; `work` is room for it."""
    from scipy.special import betainc, erfc

    s, u, inverse, c, total, term = work[:, : len(t)]
    np.multiply(t, t, out=s)
    s /= df
    np.log1p(s, out=s)
    hard = ~((df >= _LEAST_DF) & (s < _MOST_S))
    np.multiply(df, 0.5, out=inverse)
    inverse -= 0.25
    np.multiply(inverse, s, out=u)
    np.multiply(inverse, inverse, out=inverse)
    np.reciprocal(inverse, out=inverse)  # 1 / T^2
    np.multiply(s, s, out=s)
    c.fill(_G[_TERMS])  # becomes the integral over v > 0
    np.add(u, 2 * _TERMS - 0.5, out=total)
    total *= c
    for k in range(_TERMS - 1, 0, -1):
        c *= inverse
        c *= _STEPS[k]
        c += _G[k]
        np.add(u, 2 * k - 0.5, out=term)
        term *= c
        total *= s
        total += term
    total *= inverse
    c *= inverse
    c *= _STEPS[0]
    c += 1.0
    total /= c
    np.negative(u, out=term)
    total *= np.exp(term, out=term)
    np.sqrt(u, out=u)
    total *= u
    total *= 1 / np.sqrt(np.pi)
    np.add(erfc(u, out=u), total, out=p)
    if hard.any():
        t, df = t[hard], df[hard]
        p[hard] = betainc(df / 2, 0.5, df / (df + t * t))
