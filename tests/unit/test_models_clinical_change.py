"""Reliable and minimal important change, expected regression to the mean: from published values only."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models_data import fitted, one_model, row, study, wide


def with_reference(**values):
    document = one_model(["pss10"], ["session"], test={"a_family": ["session"]})
    document["references"] = {
        "pss10": {"sd": 6.0, "retest_r": 0.8, "source": "Somebody 2001, table 2", **values}
    }
    return document


def rounded_study() -> tuple[pd.DataFrame, pd.DataFrame]:
    measures, participants = study(drop={"pss10": [(3, "ses-post")]})
    stress = measures["measure"] == "pss10"
    measures.loc[stress, "value"] = (6 * measures.loc[stress, "value"]).round()
    return measures, participants


def test_reliable_change_by_jacobson_and_truax(tmp_path):
    measures, participants = rounded_study()
    diagnostics = fitted(tmp_path, measures, participants, with_reference())["diagnostics"]
    pairs = wide(measures, "pss10").dropna()
    index = (pairs["ses-post"] - pairs["ses-pre"]) / (6.0 * np.sqrt(2 * (1 - 0.8)))
    counts = {
        "reliable change: lower": (index <= -1.96).sum(),
        "reliable change: higher": (index >= 1.96).sum(),
        "reliable change: neither": (index.abs() < 1.96).sum(),
    }
    assert counts["reliable change: higher"] > 0
    for quantity, count in counts.items():
        found = row(diagnostics, table="reliable_change", quantity=quantity)
        assert found["value"] == count
        assert "Somebody 2001" in found["note"] and "of 22 with both sessions" in found["note"]


def test_expected_regression_to_the_mean_stands_beside_the_observed_change(tmp_path):
    measures, participants = rounded_study()
    diagnostics = fitted(tmp_path, measures, participants, with_reference(mean=20.0))["diagnostics"]
    pairs = wide(measures, "pss10").dropna()
    expected = (1 - 0.8) * (20.0 - pairs["ses-pre"].mean())
    observed = (pairs["ses-post"] - pairs["ses-pre"]).mean()
    values = diagnostics.query("table == 'regression_to_mean'").set_index("quantity")["value"]
    assert values["expected_change"] == pytest.approx(expected)
    assert values["observed_change"] == pytest.approx(observed)
    assert values["beyond_expected"] == pytest.approx(observed - expected)


def test_without_a_reference_mean_nothing_is_expected(tmp_path):
    diagnostics = fitted(tmp_path, *rounded_study(), with_reference())["diagnostics"]
    assert "regression_to_mean" not in set(diagnostics["table"])


def test_minimal_important_change_is_the_instruments_published_one(tmp_path):
    """GAD-7: 4 points (key file); a change of exactly 4 counts."""
    measures, participants = study(measures=("gad7",), people=6)
    post = measures["session_id"] == "ses-post"
    measures.loc[~post, "value"] = 10.0
    measures.loc[post, "value"] = [6.0, 5.0, 7.0, 10.0, 14.0, 13.0]
    document = one_model(["gad7"], ["session"])
    diagnostics = fitted(tmp_path, measures, participants, document)["diagnostics"]
    counts = diagnostics.query("table == 'reliable_change'").set_index("quantity")["value"]
    assert dict(counts) == {
        "minimal important change: lower": 2,
        "minimal important change: higher": 1,
        "minimal important change: neither": 3,
    }
