"""How far single participants move the main estimates, and who they are."""

from __future__ import annotations

import pytest

import made_results as made
from drawn_figures import sensitivity
from pniflow import words
from pniflow.figures.plot_influence import choose_rows

pytestmark = [pytest.mark.xdist_group("figures"), pytest.mark.filterwarnings("error")]


def test_shifts_are_in_standard_errors_and_name_the_person_of_the_larger_one():
    rows = words.estimate_rows(made.estimates())
    shown = choose_rows(rows, words.records(sensitivity()))
    assert [row["key"] for row in shown] == [
        "change_biology/ctra/session", "ctra_on_pss10/ctra/pss10_within", "ctra_on_pss10/ctra/pss10_between",
    ]  # fmt: skip
    for row in shown:
        assert row["shift"] == pytest.approx((-0.5, 0.8), rel=1e-9)
        assert row["who"] == "sub-011"
    # p is .81, .0004 and .7 with everybody, and .06 without one.
    assert [row["fragile"] for row in shown] == [False, True, False]


def test_main_estimates_are_shown(drawn):
    assert drawn[1]["influence"]["keys"] == [
        "change_biology/ctra/session", "ctra_on_pss10/ctra/pss10_within", "ctra_on_pss10/ctra/pss10_between",
    ]  # fmt: skip
