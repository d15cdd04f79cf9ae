"""Permutation p-values by brute force, and the promises of CR2 where no oracle is needed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from pniflow.mixed import cr2_tests, freedman_lane, sign_flip


def t_of(d):
    n = np.isfinite(d).sum(axis=0)
    return np.nanmean(d, axis=0) / np.nanstd(d, axis=0, ddof=1) * np.sqrt(n)


def test_exact_sign_flips_are_all_sign_flips():
    d = np.random.default_rng(0).normal(0.4, 1, (9, 4))
    every = np.array([np.abs(t_of(d * np.array(s)[:, None])) for s in itertools.product([1, -1], repeat=9)])
    seen = np.abs(t_of(d)) - 1e-9
    result = sign_flip(d, seed=1)
    assert result.exact and result.permutations == 2**8
    np.testing.assert_allclose(result.statistic, t_of(d), rtol=1e-10)
    np.testing.assert_allclose(result.p_value, (every >= seen).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(result.p_max, (every.max(axis=1)[:, None] >= seen).mean(axis=0), rtol=1e-12)


def test_ties_of_whole_numbers_count_as_reached():
    """Differences +-1: 2 (1 + 5) of the 32 flips have at least four alike, as observed."""
    result = sign_flip(np.array([1.0, 1, 1, 1, -1]), seed=1)
    assert result.p_value[0] == pytest.approx(12 / 32, rel=1e-12)


def test_same_change_in_all_pairs_has_the_smallest_exact_p():
    result = sign_flip(np.full(8, 0.3), seed=1)
    assert result.p_value[0] == pytest.approx(2 / 2**8, rel=1e-12)


def test_missing_pairs_leave_the_others():
    d = np.random.default_rng(2).normal(0.5, 1, (10, 2))
    d[3, 0] = np.nan
    result = sign_flip(d, seed=1)
    alone = sign_flip(np.delete(d[:, 0], 3), seed=1)
    np.testing.assert_allclose(result.statistic, t_of(d), rtol=1e-10)
    np.testing.assert_allclose(result.p_value[0], alone.p_value[0], rtol=1e-12)
    assert (result.p_max >= result.p_value).all()


def test_sampled_flips_are_close_to_all_of_them_and_never_zero():
    d = np.random.default_rng(3).normal(0.6, 1, (14, 3))
    every, some = sign_flip(d, seed=1, exact=True), sign_flip(d, seed=1, exact=False, flips=20_000)
    assert not some.exact and some.permutations == 20_001
    error = np.sqrt(every.p_max * (1 - every.p_max) / 20_000)
    assert (np.abs(some.p_max - every.p_max) < 5 * error + 1e-4).all()
    assert (some.p_value >= 1 / 20_001).all()
    np.testing.assert_array_equal(some.p_value, sign_flip(d, seed=1, exact=False, flips=20_000).p_value)


def test_outcomes_without_change_or_pairs_are_not_tested():
    d = np.column_stack([np.zeros(8), np.full(8, np.nan), np.random.default_rng(4).normal(size=8)])
    result = sign_flip(d, seed=1)
    assert np.isnan(result.p_value[:2]).all() and np.isnan(result.p_max[:2]).all()
    assert result.p_max[2] == result.p_value[2]


def test_a_large_family_is_worked_in_blocks():
    d = np.random.default_rng(5).normal(size=(12, 9000))
    result = sign_flip(d, seed=6, flips=300, exact=False)
    signs = np.vstack([np.ones(12), 1.0 - 2.0 * np.random.default_rng(6).integers(0, 2, size=(300, 12))])
    every = np.abs(np.array([t_of(s[:, None] * d) for s in signs]))
    np.testing.assert_allclose(result.p_value, (every >= every[0] - 1e-9).mean(axis=0), rtol=1e-12)
    largest = every.max(axis=1)[:, None]
    np.testing.assert_allclose(result.p_max, (largest >= every[0] - 1e-9).mean(axis=0), rtol=1e-12)


def test_freedman_lane_is_its_definition():
    rng = np.random.default_rng(7)
    n = 12
    x, z = rng.normal(size=n), np.column_stack([np.ones(n), rng.normal(size=n)])
    y = rng.normal(size=(n, 3)) + 0.6 * x[:, None] + z @ rng.normal(size=(2, 3))
    result = freedman_lane(x, z, y, permutations=199, seed=8)
    hat = z @ np.linalg.pinv(z)
    full = np.column_stack([x, z])
    covariance = np.linalg.inv(full.T @ full)

    def t_statistic(outcome):
        beta = covariance @ full.T @ outcome
        rest = outcome - full @ beta
        return beta[0] / np.sqrt(covariance[0, 0] * (rest**2).sum(axis=0) / (n - 3))

    generator = np.random.default_rng(8)
    residual = y - hat @ y
    every = [t_statistic(y)]
    for _ in range(199):
        # The rows of the predictors are permuted, which is the inverse permutation of the residuals.
        order = np.argsort(generator.permutation(n))
        every.append(t_statistic(hat @ y + residual[order]))
    every = np.abs(np.array(every))
    np.testing.assert_allclose(result.statistic, t_statistic(y), rtol=1e-9)
    np.testing.assert_allclose(result.p_value, (every >= every[0] - 1e-9).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(
        result.p_max, (every.max(axis=1)[:, None] >= every[0] - 1e-9).mean(axis=0), rtol=1e-12
    )


def test_cr2_of_one_row_per_cluster_is_hc2():
    """Single rows as clusters: CR2 is HC2, the squared residual over one minus its leverage."""
    rng = np.random.default_rng(9)
    x = np.column_stack([np.ones(20), rng.normal(size=20)])
    y = rng.normal(size=20)
    hat = x @ np.linalg.inv(x.T @ x) @ x.T
    bread = np.linalg.inv(x.T @ x) @ x.T
    hc2 = bread @ np.diag((y - hat @ y) ** 2 / (1 - np.diag(hat))) @ bread.T
    result = cr2_tests(x, np.arange(20), y, 0.0)
    np.testing.assert_allclose(result.std_error, np.sqrt(np.diag(hc2)), rtol=1e-10)


def test_cr2_of_a_mean_of_clusters_is_the_one_sample_t():
    """Equal clusters and an intercept: the t test of cluster means, df = clusters - 1."""
    y = np.random.default_rng(10).normal(3, 1, (15, 2))
    result = cr2_tests(np.ones((30, 1)), np.repeat(np.arange(15), 2), y.ravel(), 1.3)
    means = y.mean(axis=1)
    assert result.std_error[0] == pytest.approx(means.std(ddof=1) / np.sqrt(15), rel=1e-10)
    assert result.df[0] == pytest.approx(14, rel=1e-10)
    assert result.p_value[0] == pytest.approx(stats.ttest_1samp(means, 0).pvalue, rel=1e-8)


def test_cr2_does_not_invent_a_standard_error():
    x = np.column_stack([np.ones(10), np.tile([0.0, 1.0], 5)])
    perfect = cr2_tests(x, np.repeat(np.arange(5), 2), 1e6 + 2 * x[:, 1], 1.0)
    doubled = cr2_tests(np.column_stack([x, x[:, 1]]), np.repeat(np.arange(5), 2), np.arange(10.0) ** 2, 1.0)
    assert np.isnan(perfect.std_error).all() and np.isnan(perfect.p_value).all()
    assert np.isnan(doubled.std_error).tolist() == [False, True, True]
