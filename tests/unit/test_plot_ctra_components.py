"""The score and its components take the change that was tested."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import made_results as made
from pniflow.figures.plot_ctra_components import changes_of
from pniflow.text.estimates import estimates_of

pytestmark = [pytest.mark.xdist_group("figures"), pytest.mark.filterwarnings("error")]


def test_components_take_the_change_of_the_first_model_that_tests_it():
    rows = [
        made.row("a", "f", "ctra", "session", 0.1, 0.1),
        made.row("b", "f", "ctra", "session", 0.2, 0.1),
        made.row("a", None, "interferon", "session", 0.1, 0.1),
        made.row("a", "f", "antibody", "session", np.nan, np.nan, statistic=None),
        made.row("a", "f", "pss10", "session", 0.1, 0.1),
    ]
    found = changes_of(estimates_of(pd.DataFrame(rows)))
    assert {name: [row.key for row in some] for name, some in found.items()} == {"ctra": ["a/ctra/session"]}


def test_the_change_of_the_score_stands_above_its_parts(drawn):
    about = drawn[1]["ctra_components"]
    assert about["keys"] == ["change_biology/ctra/session"]
    assert "higher = more expression" in about["caption"]
