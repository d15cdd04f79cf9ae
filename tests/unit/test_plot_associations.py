"""Slopes within and between persons, scaled by the predictor's spread."""

from __future__ import annotations

import numpy as np
import pytest

import made_results as made
from pniflow.contracts import read_table, write_table
from pniflow.figures.plot_associations import baseline_spread, choose_slopes
from pniflow.text.estimates import estimates_of

pytestmark = pytest.mark.xdist_group("figures")


def test_slopes_are_scaled_by_the_predictors_spread_at_the_first_session(tmp_path):
    frame = made.measures()
    write_table(frame, tmp_path / "m.parquet", "measures")
    spread = baseline_spread(read_table(tmp_path / "m.parquet", "measures"), "ses-pre")
    first = frame[(frame["measure"] == "pss10") & (frame["session_id"] == "ses-pre")]["value"]
    assert spread["pss10"] == pytest.approx(np.std(first, ddof=1), rel=1e-12)


def test_only_tested_slopes_of_no_region_are_associations():
    shown = choose_slopes(estimates_of(made.estimates()))
    assert {row.outcome for row in shown} == {"ctra"}
    assert {row.tested.kind for row in shown} == {"within", "between", "pooled"}
    assert len(shown) == 9


def test_slopes_are_shown_and_covariates_are_not(drawn):
    about = drawn[1]["associations"]
    assert about["n"] == 21
    assert "ctra_on_pss10/ctra/pss10_within" in about["keys"]
    assert "ctra_on_pss10/ctra/age" not in about["keys"]
