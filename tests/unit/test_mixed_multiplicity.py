"""Adjustment for the number of tests: by hand, and by statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from pniflow.mixed import adjust


def by_hand(p_values: list[float]) -> list[float]:
    """Benjamini and Hochberg 1995: smallest of p(k) m / k over the larger ones."""
    m = len(p_values)
    order = np.argsort(p_values)
    adjusted = np.empty(m)
    least = 1.0
    for rank in range(m, 0, -1):
        least = min(least, p_values[order[rank - 1]] * m / rank)
        adjusted[order[rank - 1]] = least
    return list(adjusted)


def test_benjamini_hochberg_and_holm():
    p_values = [0.01, 0.04, 0.03, 0.005, 0.8]
    assert adjust(p_values, "bh") == pytest.approx(by_hand(p_values), rel=1e-12)
    assert adjust(p_values, "bh") == pytest.approx([0.025, 0.05, 0.05, 0.025, 0.8])
    assert adjust(p_values, "holm") == pytest.approx([0.04, 0.09, 0.09, 0.025, 0.8])
    assert list(adjust(p_values, "none")) == p_values


@pytest.mark.parametrize(("method", "theirs"), [("bh", "fdr_bh"), ("holm", "holm")])
def test_adjustment_agrees_with_statsmodels_ties_and_all(method, theirs):
    rng = np.random.default_rng(7)
    for m in (1, 2, 7, 40):
        for p_values in (rng.random(m), rng.random(m) ** 6, np.round(rng.random(m), 1)):
            expected = multipletests(p_values, method=theirs)[1]
            np.testing.assert_allclose(adjust(p_values, method), expected, rtol=1e-14)


def test_test_that_could_not_be_made_counts():
    adjusted = adjust([0.01, np.nan, 0.03], "bh")
    assert adjusted[[0, 2]] == pytest.approx([0.03, 0.045])
    assert np.isnan(adjusted[1])
