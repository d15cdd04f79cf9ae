"""Adjustment of p-values within declared families; m counts planned tests, estimable or not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def adjust(p_values: Sequence[float] | NDArray[np.float64], method: str) -> NDArray[np.float64]:
    """Adjust the p-values of one family.

    Parameters
    ----------
    p_values : (m,) float
        One per planned test; NaN where the test could not be made. Such a test still counts: it stands as p =
        1.
    method : str
        `bh` (Benjamini-Hochberg), `holm`, or `none` (p as it is).

    Returns
    -------
    (m,) float
        NaN where the p-value was.

    References
    ----------
    Benjamini & Hochberg 1995, J R Stat Soc B 57:289; Holm 1979, Scand J Stat 6:65. The same numbers as
    statsmodels' `multipletests`, whose import takes longer than the models.
    """
    raw = np.asarray(p_values, dtype=float)
    if method == "none" or not len(raw):
        return raw.copy()
    made = ~np.isnan(raw)
    filled = np.where(made, raw, 1.0)
    m = len(raw)
    order = np.argsort(filled, kind="stable")
    rank = np.arange(1, m + 1)
    if method == "bh":
        stepped = np.minimum.accumulate((filled[order] * m / rank)[::-1])[::-1]
    else:
        stepped = np.maximum.accumulate(filled[order] * (m - rank + 1))
    adjusted = np.empty(m)
    adjusted[order] = np.minimum(stepped, 1.0)
    return np.where(made, adjusted, np.nan)
