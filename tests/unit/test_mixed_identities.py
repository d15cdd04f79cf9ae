"""What must hold exactly: paired t, split models, composites; units, order, blocks, threads."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from threadpoolctl import threadpool_limits

from mixed_fits import Numbers, lmm, random_intercept, term
from pniflow.mixed import MixedModel

PEOPLE = 23
PERSON = np.repeat(np.arange(PEOPLE), 2)
SESSION = np.tile([0.0, 1.0], PEOPLE)
VALUES = ("estimate", "se_reml", "se_kr", "df_satterthwaite", "df_kr", "p_kr", "p_satterthwaite")
VARIANCES = ("sigma2", "person_variance", "reml_loglik", "note")


def outcomes(seed, count, icc=0.6):
    rng = np.random.default_rng(seed)
    shared = np.sqrt(icc / (1 - icc)) * rng.standard_normal((PEOPLE, count))
    return shared[PERSON] + rng.standard_normal((2 * PEOPLE, count)) + 0.4 * SESSION[:, None]


def covariates(seed=7):
    """Intercept, session, age, and a covariate that varies in both ways."""
    rng = np.random.default_rng(seed)
    stress = rng.normal(20, 5, 2 * PEOPLE) + rng.normal(0, 4, PEOPLE)[PERSON]
    return np.column_stack([np.ones(2 * PEOPLE), SESSION, rng.normal(45, 11, PEOPLE)[PERSON], stress])


def everything(fit):
    return {name: getattr(fit, name) for name in (*VALUES, *VARIANCES)}


def assert_same_bytes(one, two):
    for name, value in everything(one).items():
        np.testing.assert_array_equal(value, everything(two)[name], err_msg=name)


def interior(fit):
    assert (~fit.singular).mean() > 0.5
    return ~fit.singular


def test_session_of_complete_pairs_is_the_paired_t_test():
    y = outcomes(1, 300)
    fit = random_intercept(np.column_stack([np.ones(46), SESSION]), PERSON, y)
    some = interior(fit)
    difference = y[1::2] - y[::2]
    test = stats.ttest_rel(y[1::2], y[::2])
    se = difference.std(axis=0, ddof=1) / np.sqrt(PEOPLE)
    for name, expected in (("estimate", difference.mean(axis=0)), ("se_kr", se), ("se_reml", se)):
        np.testing.assert_allclose(getattr(fit, name)[1, some], expected[some], rtol=1e-8)
    for way in ("kr", "satterthwaite"):
        np.testing.assert_allclose(getattr(fit, f"df_{way}")[1, some], PEOPLE - 1, rtol=1e-8)
        np.testing.assert_allclose(getattr(fit, f"p_{way}")[1, some], test.pvalue[some], rtol=1e-8)


def least_squares(x, y):
    """Estimates, standard errors and p of ordinary least squares."""
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ x.T @ y
    df = len(x) - x.shape[1]
    se = np.sqrt(np.diag(inverse)[:, None] * ((y - x @ beta) ** 2).sum(axis=0) / df)
    return beta, se, df, 2 * stats.t.sf(np.abs(beta / se), df)


def test_split_model_is_least_squares_of_differences_and_of_person_means():
    y, stress = outcomes(2, 200), covariates()[:, 3]
    stress = stress - np.array([stress[::2].mean(), stress[1::2].mean()])[SESSION.astype(int)]
    between = ((stress[::2] + stress[1::2]) / 2)[PERSON]
    within = stress - between
    age = covariates()[:, 2]
    fit = random_intercept(np.column_stack([np.ones(46), SESSION, within, between, age]), PERSON, y)
    some = interior(fit)
    change = np.column_stack([np.ones(PEOPLE), within[1::2] - within[::2]])
    means = np.column_stack([np.ones(PEOPLE), between[::2], age[::2]])
    for row, x, z, k in (
        (1, change, y[1::2] - y[::2], 0),
        (2, change, y[1::2] - y[::2], 1),
        (3, means, (y[1::2] + y[::2]) / 2, 1),
        (4, means, (y[1::2] + y[::2]) / 2, 2),
    ):
        beta, se, df, p = least_squares(x, z)
        np.testing.assert_allclose(fit.estimate[row, some], beta[k, some], rtol=1e-8)
        np.testing.assert_allclose(fit.se_kr[row, some], se[k, some], rtol=1e-8)
        np.testing.assert_allclose(fit.df_kr[row, some], df, rtol=1e-8)
        np.testing.assert_allclose(fit.p_kr[row, some], p[k, some], rtol=1e-7)


def test_nested_gene_model_is_the_model_of_composites():
    """Complete genes: gene + session, person and sample intercepts, equals the sample means' model."""
    rng = np.random.default_rng(5)
    genes, samples = 11, 2 * PEOPLE
    gene = np.tile(np.arange(genes), samples)
    sample = np.repeat(np.arange(samples), genes)
    person, session = PERSON[sample], SESSION[sample]
    y = rng.normal(8, 1, genes)[gene] + rng.normal(size=PEOPLE)[person] + rng.normal(size=samples)[sample]
    y += 0.5 * rng.normal(size=len(y)) - 0.2 * session
    design = np.column_stack([np.ones(len(y)), *(gene == k for k in range(1, genes)), session])
    nested = lmm(design, y, [term("sample", sample), term("person", person)])
    composite = y.reshape(samples, genes).mean(axis=1)
    paired = random_intercept(np.column_stack([np.ones(46), SESSION]), PERSON, composite)
    assert not nested.singular
    for name in VALUES:
        np.testing.assert_allclose(getattr(nested, name)[-1], getattr(paired, name)[1, 0], rtol=1e-8)


@pytest.mark.parametrize("rows", [slice(None), np.delete(np.arange(46), [4, 17, 30, 41])])
@pytest.mark.parametrize("icc", [0.2, 0.6, 0.999])
class TestNothingButTheDataMatters:
    def data(self, rows, icc):
        return covariates()[rows], PERSON[rows], outcomes(3, 150, icc)[rows]

    def test_order_of_rows(self, rows, icc):
        x, person, y = self.data(rows, icc)
        order = np.random.default_rng(0).permutation(len(x))
        assert_same_bytes(random_intercept(x, person, y), random_intercept(x[order], person[order], y[order]))

    def test_order_of_outcomes(self, rows, icc):
        x, person, y = self.data(rows, icc)
        order = np.random.default_rng(0).permutation(y.shape[1])
        fit, other = random_intercept(x, person, y), random_intercept(x, person, y[:, order])
        for name, value in everything(fit).items():
            np.testing.assert_array_equal(value[..., order], everything(other)[name])

    def test_order_of_covariates(self, rows, icc):
        x, person, y = self.data(rows, icc)
        order = [2, 0, 3, 1]
        fit, other = random_intercept(x, person, y), random_intercept(x[:, order], person, y)
        assert np.max(np.abs(other.estimate - fit.estimate[order]) / other.se_kr) < 1e-12
        for name in VALUES[1:]:
            np.testing.assert_allclose(getattr(other, name), getattr(fit, name)[order], rtol=1e-12)

    @pytest.mark.parametrize("width", [1, 7, 64])
    def test_size_of_blocks(self, rows, icc, width):
        x, person, y = self.data(rows, icc)
        prepared, whole = MixedModel(x, {"person": person}), random_intercept(x, person, y)
        parts = [everything(Numbers(prepared.fit(y[:, k : k + width]))) for k in range(0, y.shape[1], width)]
        for name, value in everything(whole).items():
            np.testing.assert_array_equal(np.concatenate([part[name] for part in parts], axis=-1), value)

    def test_many_outcomes_beside_it(self, rows, icc):
        x, person, _ = self.data(rows, icc)
        y = outcomes(3, 9000, icc)[rows]
        whole, few = random_intercept(x, person, y), random_intercept(x, person, y[:, 8100:8300])
        for name, value in everything(few).items():
            np.testing.assert_array_equal(value, everything(whole)[name][..., 8100:8300])

    def test_threads_and_memory_layout(self, rows, icc):
        x, person, y = self.data(rows, icc)
        fits = []
        for threads, order in ((1, "C"), (2, "F")):
            with threadpool_limits(threads):
                fits.append(random_intercept(x, person, np.asarray(y, order=order)))
        assert_same_bytes(*fits)

    @pytest.mark.parametrize("factor", [2.0**20, 2.0**-20])
    def test_unit_of_outcome(self, rows, icc, factor):
        x, person, y = self.data(rows, icc)
        fit, other = random_intercept(x, person, y), random_intercept(x, person, y * factor)
        for name in VALUES[:3]:
            np.testing.assert_allclose(getattr(other, name), getattr(fit, name) * factor, rtol=1e-12)
        for name in VALUES[3:]:
            np.testing.assert_allclose(getattr(other, name), getattr(fit, name), rtol=1e-12)

    def test_offset_of_outcome(self, rows, icc):
        x, person, y = self.data(rows, icc)
        fit, other = random_intercept(x, person, y), random_intercept(x, person, y + 1e6)
        offset = np.array([1e6, 0, 0, 0])[:, None]
        assert np.max(np.abs(other.estimate - fit.estimate - offset) / fit.se_kr) < 1e-8
        np.testing.assert_array_equal(other.note, fit.note)
        for name in VALUES[1:5]:
            np.testing.assert_allclose(getattr(other, name), getattr(fit, name), rtol=1e-8)


def test_general_engine_keeps_units_order_and_offset():
    rng = np.random.default_rng(11)
    person, visit, site = np.repeat(np.arange(15), 4), np.tile(np.arange(4.0), 15), rng.integers(0, 4, 60)
    x = np.column_stack([np.ones(60), visit, rng.normal(size=60)])
    y = (
        rng.normal(size=15)[person]
        + visit * rng.normal(0, 0.4, 15)[person]
        + rng.normal(size=4)[site]
        + rng.normal(size=60)
    )

    def fit(order, outcome):
        terms = [term("person", person[order], visit[order, None]), term("site", site[order])]
        return lmm(x[order], outcome[order], terms)

    same = np.arange(60)
    one = fit(same, y)
    assert not one.singular
    shuffled = fit(rng.permutation(60), y)
    for name in VALUES:
        np.testing.assert_array_equal(getattr(shuffled, name), getattr(one, name))
    scaled, moved = fit(same, y * 2.0**20), fit(same, y + 1e6)
    for name in VALUES[:3]:
        np.testing.assert_allclose(getattr(scaled, name), getattr(one, name) * 2.0**20, rtol=1e-12)
    for name in VALUES[3:]:
        np.testing.assert_allclose(getattr(scaled, name), getattr(one, name), rtol=1e-12)
    assert np.max(np.abs(moved.estimate - one.estimate - [1e6, 0, 0]) / one.se_kr) < 1e-8
    for name in VALUES[1:5]:
        np.testing.assert_allclose(getattr(moved, name), getattr(one, name), rtol=1e-8)


def test_time_in_other_units_moves_only_the_slope():
    """Days since the first visit or years since 1900: the same model."""
    rng = np.random.default_rng(12)
    person, visit = np.repeat(np.arange(20), 3), np.tile(np.arange(3.0), 20)
    y = rng.normal(size=20)[person] + visit * rng.normal(0.3, 0.7, 20)[person] + 0.5 * rng.normal(size=60)
    one = lmm(np.column_stack([np.ones(60), visit]), y, [term("person", person, visit)])
    year = 2020 + visit / 365
    two = lmm(np.column_stack([np.ones(60), year]), y, [term("person", person, year)])
    for name in ("df_kr", "df_satterthwaite", "p_kr", "p_satterthwaite", "t_kr"):
        np.testing.assert_allclose(getattr(two, name)[1], getattr(one, name)[1], rtol=1e-6)
    np.testing.assert_allclose(two.estimate[1] / 365, one.estimate[1], rtol=1e-9)
    np.testing.assert_allclose(two.covariances[0][1, 1] / 365**2, one.covariances[0][1, 1], rtol=1e-6)
