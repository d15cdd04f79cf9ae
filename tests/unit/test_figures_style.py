"""What all figures share."""

from __future__ import annotations

import pytest
from scipy import stats

from pniflow.figures import style

pytestmark = pytest.mark.xdist_group("figures")


def test_the_quantile_of_t_is_scipys():
    for df in (1, 2, 3, 4, 19, 22, 499, 1000):
        assert style.t_quantile(df) == pytest.approx(stats.t.ppf(0.975, df), rel=1e-12)
