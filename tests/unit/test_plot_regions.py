"""Regions by hemisphere, in percent of the first session."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import made_results as made
from pniflow.figures import brain
from pniflow.figures.plot_regions import choose_regions, in_percent, region_parts
from pniflow.text.estimates import estimates_of

pytestmark = pytest.mark.xdist_group("figures")


def test_percent_of_baseline_by_hand():
    left, right = (made.INSULA.format("anterior", side) for side in ("left", "right"))
    asymmetry = made.INSULA.format("anterior", "left_minus_right")
    rows = [
        made.row("change", "mri_change", left, "session", 0.03, 0.01),
        made.row("slope", "insula_ctra", left, "ctra_within", 0.06, 0.01),
        made.row("slope", "insula_ctra", asymmetry, "ctra_within", 0.05, 0.01),
    ]
    table = pd.DataFrame(
        {"measure": [left, left, right, right, "ctra", "ctra"], "value": [2.9, 3.1, 2.4, 2.6, 0, 1]}
    )
    shown = in_percent(choose_regions(estimates_of(pd.DataFrame(rows))), table)
    spread = np.sqrt(0.5)
    assert [one.percent[0] for one in shown] == pytest.approx(
        [100 * 0.03 / 3.0, 100 * 0.06 * spread / 3.0, 100 * 0.05 * spread / 2.75], rel=1e-12
    )
    assert shown[0].percent[1] == pytest.approx(100 * (0.03 - 2.086 * 0.01) / 3.0, rel=1e-12)


def test_a_row_that_was_not_estimable_is_not_drawn():
    rows = [made.row("m", "f", made.INSULA.format("anterior", "left"), "session", np.nan, np.nan)]
    assert choose_regions(estimates_of(pd.DataFrame(rows))) == []


def test_region_groups_are_regions_of_the_annotation():
    names = brain.render("left", "aparc_a2009s").names
    parts = region_parts("aparc_a2009s")
    assert ("anterior_insula", "thickness") in parts
    assert all(part in names for some in parts.values() for part in some)


def test_an_asymmetry_against_zero_is_drawn_and_one_side_is_not():
    rows = [
        made.row("m", "f", made.INSULA.format("anterior", side), "(intercept)", 0.1, 0.05)
        for side in ("left", "left_minus_right")
    ]
    shown = choose_regions(estimates_of(pd.DataFrame(rows)))
    assert [(row.tested.kind, region.side) for row, region in shown] == [("level", "left_minus_right")]


def test_the_estimates_that_are_drawn_are_named(drawn):
    assert drawn[1]["regions"]["keys"]
