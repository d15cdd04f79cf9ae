"""Associations person by person: means, deviations, pairs of slopes."""

from __future__ import annotations

import numpy as np
import pytest

import made_results as made
from pniflow.figures.plot_associations import choose_slopes
from pniflow.figures.plot_slopes import choose_pairs, deviations, person_means
from pniflow.text.estimates import estimates_of

pytestmark = [pytest.mark.xdist_group("figures"), pytest.mark.filterwarnings("error")]


def test_persons_means_rest_on_sessions_with_both_values():
    x = np.array([[1.0, 3.0], [2.0, np.nan], [np.nan, 5.0]])
    y = np.array([[10.0, 20.0], [np.nan, 30.0], [7.0, 9.0]])
    a, b = person_means(x, y)
    assert (a.tolist(), b.tolist()) == ([2.0, 5.0], [15.0, 9.0])


def test_deviations_have_no_mean_in_any_session_or_person():
    rng = np.random.default_rng(3)
    x, y = rng.normal(5, 2, (40, 3)), rng.normal(0, 1, (40, 3))
    a, b = deviations(x, y)
    for one in (a, b):
        assert np.abs(one.mean(axis=0)).max() < 1e-12
        assert np.abs(one.mean(axis=1)).max() < 1e-12
    # With two sessions a person's two deviations are mirrored: half the change off the mean change.
    a, _ = deviations(x[:, :2], y[:, :2])
    change = x[:, 1] - x[:, 0]
    assert a[:, 1] == pytest.approx((change - change.mean()) / 2, abs=1e-12)
    assert a[:, 0] == pytest.approx(-a[:, 1], abs=1e-12)


def test_a_person_with_one_session_has_no_deviation():
    a, b = deviations(np.array([[1.0, np.nan], [1.0, 2.0]]), np.array([[1.0, 4.0], [0.0, 2.0]]))
    assert a.shape == b.shape == (1, 2)


def test_pairs_are_slopes_of_the_same_association_main_families_first():
    pairs = choose_pairs(choose_slopes(estimates_of(made.estimates())))
    assert list(pairs) == [
        ("ctra", "pss10"), ("ctra", "ucla_loneliness_v3"), ("ctra", "log_hair_cortisol"),
    ]  # fmt: skip
    assert {kind for pair in pairs.values() for kind in pair} == {"within", "between"}
