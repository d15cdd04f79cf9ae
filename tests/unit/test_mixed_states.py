"""A fit that cannot be trusted says so in words, and gives no number."""

from __future__ import annotations

import numpy as np
import pytest

from mixed_fits import lmm, random_intercept, term

PERSON = np.repeat(np.arange(23), 2)
SESSION = np.tile([0.0, 1.0], 23)
DESIGN = np.column_stack([np.ones(46), SESSION])
INFERENCE = ("se_reml", "se_kr", "df_satterthwaite", "df_kr", "p_kr", "p_satterthwaite")


def noise(seed=0, count=1):
    return np.random.default_rng(seed).standard_normal((46, count))


def fit_both(design, groups, y, **options):
    """The same model by both engines, as (values, note) of the one outcome."""
    one = random_intercept(design, groups, y, **options)
    two = lmm(design, y, [term("person", groups)], **options)
    names = ("estimate", *INFERENCE)
    return (
        ({name: getattr(one, name)[:, 0] for name in names}, one.note[0], one.sigma2[0]),
        ({name: getattr(two, name) for name in names}, two.note, two.sigma2),
    )


def test_singular_pairs_follow_pbkrtest_and_lmertest():
    """Pairs that differ more than chance: KR keeps the 22 df of the pairs, Satterthwaite takes 44."""
    y = noise()[:, 0]
    y[1::2] = -y[::2] + 0.1 * noise(1)[::2, 0]
    for values, note, sigma2 in fit_both(DESIGN, PERSON, y):
        assert note == "singular: variance at zero"
        residual = y - np.where(SESSION, y[1::2].mean(), y[::2].mean())
        assert sigma2 == pytest.approx(residual @ residual / 44, rel=1e-12)
        assert values["df_satterthwaite"] == pytest.approx([44, 44], rel=1e-9)
        assert values["df_kr"][1] == pytest.approx(22, rel=1e-9)
        assert values["se_reml"][1] == pytest.approx(np.sqrt(2 / 23 * sigma2), rel=1e-9)


def test_constant_outcome_has_no_numbers():
    for values, note, sigma2 in fit_both(DESIGN, PERSON, np.full(46, 0.1)):
        assert note == "constant outcome"
        assert np.isnan(sigma2)
        assert all(np.isnan(value).all() for value in values.values())


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e9])
def test_perfect_fit_has_estimates_and_no_inference(offset, scale):
    y = offset * scale + scale * (3 + 0.7 * SESSION)
    for values, note, sigma2 in fit_both(DESIGN, PERSON, y):
        assert note == "perfect fit: no residual variance"
        assert np.isnan(sigma2)
        assert values["estimate"][1] == pytest.approx(0.7 * scale, rel=1e-6)
        assert all(np.isnan(values[name]).all() for name in INFERENCE)


def test_same_change_in_everyone_is_a_perfect_fit():
    y = np.random.default_rng(4).normal(20, 5, 23)[PERSON] - 1.25 * SESSION
    for values, note, _ in fit_both(DESIGN, PERSON, y):
        assert note == "perfect fit: no residual variance"
        assert values["estimate"] == pytest.approx([y[::2].mean(), -1.25], rel=1e-8)
        assert all(np.isnan(values[name]).all() for name in INFERENCE)


def test_small_but_real_noise_is_not_a_perfect_fit():
    """Head size in mm3, repeated within 0.01 %."""
    y = np.random.default_rng(4).normal(1.5e6, 1e5, 23)[PERSON] + SESSION + 10 * noise()[:, 0]
    difference = y[1::2] - y[::2]
    for values, note, _ in fit_both(DESIGN, PERSON, y):
        assert note == ""
        assert values["se_kr"][1] == pytest.approx(difference.std(ddof=1) / np.sqrt(23), rel=1e-7)


def test_missing_values_spoil_only_their_outcome():
    y = noise(count=3) + 2 * np.random.default_rng(9).standard_normal((23, 3))[PERSON]
    clean = random_intercept(DESIGN, PERSON, y)
    y[5, 1] = np.nan
    fit = random_intercept(DESIGN, PERSON, y)
    assert fit.note.tolist() == ["", "not estimable: the outcome has missing or infinite values", ""]
    assert np.isnan(fit.estimate[:, 1]).all() and np.isnan(fit.sigma2[1])
    np.testing.assert_array_equal(fit.se_kr[:, [0, 2]], clean.se_kr[:, [0, 2]])


def test_rank_deficiency_names_columns_and_keeps_what_is_estimable():
    rng = np.random.default_rng(3)
    age, y = rng.normal(45, 11, 23)[PERSON], noise()[:, 0] + rng.normal(size=23)[PERSON]
    design = np.column_stack([DESIGN, age, 2 * age - 3, np.zeros(46)])
    names = ["(intercept)", "session", "age", "birth", "empty"]
    sound = random_intercept(np.column_stack([DESIGN, age]), PERSON, y)
    for values, note, _ in fit_both(design, PERSON, y, names=names):
        assert "birth is a combination of (intercept), age" in note and "empty is zero" in note
        assert np.isnan(values["estimate"]).tolist() == [True, False, True, True, True]
        for name in ("estimate", *INFERENCE):
            assert values[name][1] == pytest.approx(getattr(sound, name)[1, 0], rel=1e-9)


def test_rank_deficient_contrast_that_is_estimable_is_estimated():
    """With a dummy for each of three arms and an intercept, arm differences are estimable, arms are not."""
    arm = np.arange(23) % 3
    design = np.column_stack([np.ones(46), *((arm == k)[PERSON] for k in range(3))]).astype(float)
    y = noise(2)[:, 0] + np.random.default_rng(5).normal(size=23)[PERSON]
    rows = np.array([[0, 1, -1, 0], [0, 1, 0, 0]], dtype=float)
    fit = random_intercept(design, PERSON, y, contrasts=rows)
    means = [y[arm[PERSON] == k].mean() for k in range(3)]
    assert fit.estimate[0, 0] == pytest.approx(means[0] - means[1], rel=1e-9)
    assert np.isnan(fit.estimate[1, 0])
    assert fit.contrast_note == ["", "not estimable"]


@pytest.mark.parametrize(
    ("design", "groups", "words"),
    [
        (DESIGN, np.arange(46), "too few repeated observations"),
        (DESIGN, np.zeros(46), "too few groups"),
        (DESIGN[:4], np.array([0, 0, 1, 2]), "too few repeated observations"),
        (np.column_stack([np.eye(23)[PERSON], SESSION]), PERSON, "too few groups"),
    ],
)
def test_groups_that_cannot_tell_the_variances_apart(design, groups, words):
    for values, note, _ in fit_both(design, groups, noise()[: len(design), 0]):
        assert words in note
        assert all(np.isnan(value).all() for value in values.values())


def test_slope_that_two_sessions_cannot_carry_is_refused():
    fit = lmm(DESIGN, noise()[:, 0], [term("person", PERSON, SESSION)])
    assert "not estimable" in fit.note
    assert np.isnan(fit.estimate).all() and np.isnan(fit.se_kr).all()


def test_two_factors_with_the_same_groups_are_refused():
    terms = [term("person", PERSON), term("twin", PERSON + 100)]
    fit = lmm(DESIGN, noise()[:, 0] + np.random.default_rng(1).normal(size=23)[PERSON], terms)
    assert "person" in fit.note and "twin" in fit.note and "not estimable" in fit.note
    assert np.isnan(fit.estimate).all()


def test_correlation_of_one_is_singular_and_still_tested():
    """Slopes that are a fixed multiple of the intercepts, but for noise that happens to be too even."""
    rng = np.random.default_rng(8)
    person, visit = np.repeat(np.arange(18), 4), np.tile(np.arange(4.0), 18)
    height = rng.normal(size=18)[person]
    noise = rng.normal(size=72)
    within = np.column_stack([np.ones(4), np.arange(4.0)])
    for k in range(
        18
    ):  # no person's noise has a level or a slope of its own, so variances come out below zero
        own = person == k
        noise[own] -= within @ np.linalg.lstsq(within, noise[own], rcond=None)[0]
    y = height * (2 + visit) + noise
    fit = lmm(np.column_stack([np.ones(72), visit]), y, [term("person", person, visit)])
    variance = fit.covariances[0]
    assert fit.singular and fit.note == "singular: variance at zero or correlation at one"
    assert variance[0, 1] ** 2 == pytest.approx(variance[0, 0] * variance[1, 1], rel=1e-9)
    assert np.isfinite(fit.p_kr).all() and np.isfinite(fit.p_satterthwaite).all()


def test_hypothesis_that_is_not_estimable_has_no_f():
    design = np.column_stack([DESIGN, SESSION])
    fit = random_intercept(design, PERSON, noise(), joint=[np.eye(3)[1:]])
    assert np.isnan(fit.joint[0].f_kr).all() and np.isnan(fit.joint[0].p_satterthwaite).all()
