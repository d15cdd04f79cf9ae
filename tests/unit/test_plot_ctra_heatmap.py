"""Genes of the score by person and session, as z over all samples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import made_results as made
from pniflow.figures.plot_ctra_heatmap import standardized, used_genes

pytestmark = pytest.mark.xdist_group("figures")


def test_expression_is_shown_as_z_over_all_samples():
    levels = np.random.default_rng(1).normal(5, 2, (4, 11))
    levels[2] = 7
    z = standardized(levels)
    assert z[[0, 1, 3]] == pytest.approx(stats.zscore(levels[[0, 1, 3]], axis=1, ddof=1), rel=1e-12)
    assert (z[2] == 0).all()


def test_genes_stand_by_component_and_absent_ones_are_not_drawn(tmp_path):
    table = pd.read_csv(made.expression(tmp_path)["ctra_genes"], sep="\t")
    shown = used_genes(table)
    assert list(shown["component"].unique()) == ["inflammatory", "interferon", "antibody"]
    assert "IGLL3P" not in set(shown["gene"])
    assert len(shown) == 11


def test_persons_are_shown_and_no_estimate(drawn):
    about = drawn[1]["ctra_heatmap"]
    assert about["n"] == 23
    assert about["keys"] == []
