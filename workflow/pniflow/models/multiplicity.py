"""Adjustment of p-values within declared families; m counts planned tests, estimable or not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_METHODS = {"bh": "fdr_bh", "holm": "holm"}


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
    """
    from statsmodels.stats.multitest import multipletests

    raw = np.asarray(p_values, dtype=float)
    if method == "none" or not len(raw):
        return raw.copy()
    made = ~np.isnan(raw)
    adjusted = multipletests(np.where(made, raw, 1.0), method=_METHODS[method])[1]
    return np.where(made, adjusted, np.nan)
