"""Both engines against the textbooks' n x n formulas, on designs that no stored case has."""

from __future__ import annotations

import mixed_reference as reference
import numpy as np
import pytest
from scipy import optimize
from threadpoolctl import threadpool_limits

from mixed_fits import lmm, random_intercept, term


@pytest.fixture(autouse=True)
def one_thread():
    """The reference's small matrices are slower with two."""
    with threadpool_limits(1):
        yield


SINGLE = ("estimate", "se_reml", "se_kr", "df_kr")


def study(seed, people=14, visits=4, missing=0.25, ratio=1.0):
    """People with up to four visits, some with one: session, age, and a covariate with both parts."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), visits)
    visit = np.tile(np.arange(visits), people)
    keep = rng.random(len(person)) > missing
    person, visit = person[keep], visit[keep]
    n = len(person)
    x = np.column_stack([np.ones(n), visit > 0, rng.normal(45, 11, people)[person], rng.normal(size=n)])
    y = x @ [5.0, -1.0, 0.1, 0.5] + np.sqrt(ratio) * rng.normal(size=people)[person] + rng.normal(size=n)
    return x, person, visit, y


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ratio", [0.3, 20.0])
def test_one_intercept_equals_the_textbook_at_its_variances(seed, ratio):
    x, person, _, y = study(seed, ratio=ratio)
    rows = np.vstack([np.eye(4), [0, 1, 0, -1]])
    sets = [np.eye(4)[1:], np.array([[0, 1, 0, 0], [0, 0, 0, 1.0]])]
    fit = random_intercept(x, person, y, contrasts=rows, joint=sets)
    gamma = [fit.person_variance[0], fit.sigma2[0]]
    g = reference.structures([person])
    expected = reference.kenward_roger(x, y, g, gamma, rows)
    for name in SINGLE:
        np.testing.assert_allclose(getattr(fit, name)[:, 0], expected[name], rtol=1e-9, atol=1e-11)
    v = gamma[0] * g[0] + gamma[1] * g[1]
    assert fit.reml_loglik[0] == pytest.approx(-reference.deviance(x, y, v) / 2, rel=1e-12)
    for test, rows_ in zip(fit.joint, sets, strict=True):
        f, df, p = reference.kenward_roger_f(expected, rows_)
        np.testing.assert_allclose([test.f_kr[0], test.df_kr[0], test.p_kr[0]], [f, df, p], rtol=1e-8)
    if not fit.singular[0]:
        theta = np.sqrt([gamma[0] / gamma[1], gamma[1]])
        df = reference.satterthwaite(x, y, lambda t: t[1] ** 2 * (t[0] ** 2 * g[0] + g[1]), theta, rows)
        np.testing.assert_allclose(fit.df_satterthwaite[:, 0], df, rtol=1e-5)
    else:
        np.testing.assert_allclose(fit.df_satterthwaite[:, 0], len(y) - 4, rtol=1e-12)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_no_variance_has_a_larger_likelihood(seed, reml):
    x, person, _, y = study(seed, ratio=0.2)
    fit = random_intercept(x, person, y)
    g = reference.structures([person])

    def value(log_ratio):
        return -reference.profile_loglik(x, y, np.exp(log_ratio) * g[0] + g[1], reml)

    grid = np.linspace(-14, 5, 39)
    start = grid[int(np.argmin([value(point) for point in grid]))]
    best = optimize.minimize_scalar(
        value, bounds=(start - 1, start + 1), method="bounded", options={"xatol": 1e-9}
    )
    found = (fit.reml_loglik if reml else fit.ml_loglik)[0]
    assert found == pytest.approx(-best.fun, abs=1e-6)
    assert found >= -best.fun - 1e-10


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["nested", "crossed", "slope", "slope and site"])
def test_general_model_equals_the_textbook_at_its_variances(seed, kind):
    x, person, visit, y = study(seed, people=16, missing=0.15)
    rng = np.random.default_rng(100 + seed)
    slopes = None
    if kind == "nested":
        x, person, visit, y = (np.repeat(part, 2, axis=0) for part in (x, person, visit, y))
        y = y + rng.normal(size=len(y))
        groups = [person * 10 + visit, person]
    elif kind == "crossed":
        site = rng.integers(0, 5, len(y))
        y = y + 2 * rng.normal(size=5)[site]
        groups = [person, site]
    else:
        slopes = [visit.astype(float)]
        x = np.column_stack([x, visit])
        y = y + visit * rng.normal(size=16)[person]
        groups = [person] if kind == "slope" else [person, person % 3]
    terms = [
        term(f"g{i}", labels, slopes[0] if slopes and i == 0 else None) for i, labels in enumerate(groups)
    ]
    p = x.shape[1]
    sets = [np.eye(p)[1:3], np.eye(p)[[1, 3]]]
    fit = lmm(x, y, terms, joint=sets)
    g = reference.structures(groups, slopes)
    gamma = [c[a, b] for c in fit.covariances for a in range(len(c)) for b in range(a + 1)] + [fit.sigma2]
    expected = reference.kenward_roger(x, y, g, gamma, np.eye(p))
    for name in SINGLE:
        np.testing.assert_allclose(getattr(fit, name), expected[name], rtol=1e-7, atol=1e-9)
    for test, rows in zip(fit.joint, sets, strict=True):
        f, df, p_value = reference.kenward_roger_f(expected, rows)
        np.testing.assert_allclose([test.f_kr[0], test.df_kr[0], test.p_kr[0]], [f, df, p_value], rtol=1e-6)
    v = sum(c * part for c, part in zip(gamma, g, strict=True))
    assert fit.reml_loglik == pytest.approx(-reference.deviance(x, y, v) / 2, rel=1e-11)
    assert_no_better(x, y, g, fit)
    if not fit.singular:
        size = [len(c) for c in fit.covariances]
        theta = np.concatenate([lower(np.linalg.cholesky(c / fit.sigma2)) for c in fit.covariances])

        def v_of(t):
            return t[-1] ** 2 * sum(
                c * part for c, part in zip([*relative(t[:-1], size), 1.0], g, strict=True)
            )

        df = reference.satterthwaite(x, y, v_of, np.append(theta, np.sqrt(fit.sigma2)), np.eye(p))
        np.testing.assert_allclose(fit.df_satterthwaite, df, rtol=1e-5)


def lower(matrix):
    return matrix[np.tril_indices(len(matrix))]


def relative(theta, size):
    """Elements of the relative covariances from their Cholesky factors."""
    out, start = [], 0
    for k in size:
        factor = np.zeros((k, k))
        factor[np.tril_indices(k)] = theta[start : start + k * (k + 1) // 2]
        start += k * (k + 1) // 2
        out += list(lower(factor @ factor.T))
    return out


def assert_no_better(x, y, g, fit):
    """A search from other starting points finds no larger likelihood."""
    size = [len(c) for c in fit.covariances]

    def value(theta):
        elements = [*relative(theta, size), 1.0]
        return -reference.profile_loglik(x, y, sum(c * part for c, part in zip(elements, g, strict=True)))

    for start in (0.3, 2.0):
        theta = np.concatenate([lower(start * np.eye(k)) for k in size])
        found = optimize.minimize(value, theta, method="BFGS")
        assert fit.reml_loglik >= -found.fun - 1e-7


@pytest.mark.parametrize("seed", range(4))
def test_both_engines_agree(seed):
    x, person, _, y = study(seed, ratio=0.5)
    one = random_intercept(x, person, y, joint=[np.eye(4)[1:]])
    two = lmm(x, y, [term("person", person)], joint=[np.eye(4)[1:]])
    for name in (*SINGLE, "df_satterthwaite", "p_kr", "p_satterthwaite"):
        np.testing.assert_allclose(getattr(one, name)[:, 0], getattr(two, name), rtol=1e-7)
    for name in ("f_satterthwaite", "df_satterthwaite", "f_kr", "df_kr"):
        np.testing.assert_allclose(getattr(one.joint[0], name), getattr(two.joint[0], name), rtol=1e-7)
    np.testing.assert_allclose(one.reml_loglik[0], two.reml_loglik, rtol=1e-12)
    np.testing.assert_allclose(one.ml_loglik[0], two.ml_loglik, rtol=1e-12)
    assert one.singular[0] == two.singular
