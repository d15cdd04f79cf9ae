"""Main estimates under every choice, in standard deviations."""

from __future__ import annotations

import numpy as np
import pytest

import made_results as made
from drawn_figures import sensitivity
from pniflow.figures.plot_specification_curve import (
    choices_of,
    choose_curves,
    names_of,
)
from pniflow.text.estimates import estimates_of, variants_of

pytestmark = [pytest.mark.xdist_group("figures"), pytest.mark.filterwarnings("error")]


def test_choices_are_what_differs_from_the_prespecified_analysis():
    assert choices_of("ctra_balanced") == ("ctra_balanced",)
    assert choices_of(None) == ()
    assert choices_of("completers + ctra_balanced") == ("completers", "ctra_balanced")


def test_specifications_are_sorted_in_standard_deviations_of_their_own_score():
    spread = {"ctra": 0.5, "ctra_balanced": 2.0, "ctra_mean_log2": 1.0, "pss10": 4.0}
    curves = choose_curves(estimates_of(made.estimates()), variants_of(sensitivity()), spread)
    assert [curve.row.tested.kind for curve in curves] == ["change", "within", "between"]
    change, within, _ = curves
    own, error = -0.0123, 0.05
    by_hand = {
        (): own / 0.5,
        ("completers",): (own + 0.1 * error) / 0.5,
        ("ctra_balanced",): (own + error) / 2,
        ("ctra_mean_log2",): (own - error) / 1,
    }
    assert change.choices == sorted(by_hand, key=by_hand.__getitem__)
    assert change.values[:, 0] == pytest.approx(sorted(by_hand.values()), rel=1e-12)
    assert within.values[within.choices.index(()), 0] == pytest.approx(-0.034 * 4 / 0.5, rel=1e-12)
    assert names_of(change) == ["", "ctra_mean_log2", "ctra_balanced", "completers"]


def test_a_score_without_a_spread_is_not_drawn_beside_the_others():
    curves = choose_curves(
        estimates_of(made.estimates()), variants_of(sensitivity()), {"ctra": 0.5, "pss10": 4.0}
    )
    for curve in curves:
        assert np.isfinite(curve.values).all()


def test_main_estimates_are_shown(drawn):
    assert drawn[1]["specification_curve"]["keys"] == [
        "change_biology/ctra/session", "ctra_on_pss10/ctra/pss10_within", "ctra_on_pss10/ctra/pss10_between",
    ]  # fmt: skip
