"""P-values of t: against sums in high precision, and the same bytes in any company."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest
from scipy import special

from pniflow.mixed import two_sided_p


def exact_p(t: float, df: int) -> float:
    """Two-sided p for an even df (Abramowitz & Stegun 26.7.4), in 300 digits."""
    with localcontext() as context:
        context.prec = 300
        square = Decimal(t) ** 2
        cosine2 = df / (df + square)
        term = total = Decimal(1)
        for k in range(2, df, 2):
            term *= cosine2 * (k - 1) / k
            total += term
        return float(1 - (square / (df + square)).sqrt() * total)


@pytest.mark.parametrize("df", [2, 4, 12, 14, 16, 22, 44, 200])
def test_p_agrees_with_the_exact_sum(df):
    t = np.concatenate([[0.0014], np.linspace(0.05, 12, 240), [30.0, 100.0]])
    expected = np.array([exact_p(float(one), df) for one in t])
    np.testing.assert_allclose(two_sided_p(t, np.float64(df)), expected, rtol=1e-12)
    np.testing.assert_array_equal(two_sided_p(-t, np.full(len(t), float(df))), two_sided_p(t, np.float64(df)))


def test_fractional_df_agree_with_the_incomplete_beta_function():
    rng = np.random.default_rng(1)
    df, t = rng.uniform(1, 80, 20_000), rng.standard_t(5, 20_000)
    expected = special.betainc(df / 2, 0.5, df / (df + t * t))
    np.testing.assert_allclose(two_sided_p(t, df), expected, rtol=1e-11)


def test_a_value_has_the_same_bytes_in_any_company():
    rng = np.random.default_rng(2)
    df, t = rng.uniform(5, 50, 9001), rng.standard_t(8, 9001)
    together = two_sided_p(t, df)
    for width in (1, 7, 64, 4095):
        apart = [two_sided_p(t[k : k + width], df[k : k + width]) for k in range(0, 9001, width)]
        np.testing.assert_array_equal(np.concatenate(apart), together)
    np.testing.assert_array_equal(two_sided_p(t.reshape(9001, 1), df.reshape(9001, 1))[:, 0], together)


def test_the_ends():
    p = two_sided_p(np.array([0.0, np.inf, np.nan, 2.0]), np.array([20.0, 20.0, 20.0, np.nan]))
    assert p[0] == 1.0 and p[1] == 0.0 and np.isnan(p[2:]).all()
    assert two_sided_p(np.float64(2.0), np.float64(30.0)) == pytest.approx(exact_p(2.0, 30), rel=1e-13)
