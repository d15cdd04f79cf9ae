"""Change against published numbers: reliable change, minimal important change, regression to the mean.

Published values are the user's (models.yaml, `references`, with source) or the instruments' (resources); this
sample's own reliability is never used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pniflow import resources
from pniflow.files import read_text, read_yaml
from pniflow.models.analysis import ModelFit
from pniflow.models.results import Row, changes_of
from pniflow.models.specification import Plan
from pniflow.models.study_data import Cohort

_Z = 1.959963984540054  # 97.5 % of the normal distribution


def reference_rows(fit: ModelFit, cohort: Cohort, plan: Plan) -> list[Row]:
    """Return counts and expectations for outcomes of a change model that have published values."""
    important = minimal_changes()
    rows: list[Row] = []
    for one in changes_of(fit, cohort):
        for column, outcome in enumerate(fit.outcomes):
            change = one.after[:, column] - one.before[:, column]
            place = {"model": fit.model.name, "outcome": outcome, "term": one.term}
            found: list[Row] = []
            if outcome in plan.references:
                found += reliable_change(change, plan.references[outcome])
                found += expected_regression(one.before[:, column], change, plan.references[outcome])
            if outcome in important:
                points, source = important[outcome]
                found += _counts("reliable_change", change, points, "minimal important change", source)
            rows += [{**place, **row} for row in found]
    return rows


def reliable_change(change: NDArray[np.float64], reference: Mapping[str, Any]) -> list[Row]:
    """Count participants whose change is beyond 1.96 standard errors of a difference (Jacobson & Truax 1991).

    The standard error is sd * sqrt(2 (1 - retest_r)), both published.
    """
    bound = _Z * reference["sd"] * np.sqrt(2 * (1 - reference["retest_r"]))
    return _counts("reliable_change", change, bound, "reliable change", reference["source"])


def _counts(table: str, change: NDArray[np.float64], bound: float, what: str, source: str) -> list[Row]:
    # a change equal to the bound counts; scores are rounded, so rounding error is allowed for
    slack = 1e-9 * max(bound, 1.0)
    lower, higher = int((change <= -bound + slack).sum()), int((change >= bound - slack).sum())
    note = f"by {bound:.4g} or more, of {len(change)} with both sessions; {source}"
    return [
        {"table": table, "quantity": f"{what}: lower", "value": lower, "note": note},
        {"table": table, "quantity": f"{what}: higher", "value": higher, "note": note},
        {
            "table": table,
            "quantity": f"{what}: neither",
            "value": len(change) - lower - higher,
            "note": note,
        },
    ]


def expected_regression(
    before: NDArray[np.float64], change: NDArray[np.float64], reference: Mapping[str, Any]
) -> list[Row]:
    """Return the mean change expected from regression to the mean alone, beside the observed one.

    Expected is (1 - retest_r) (reference mean - baseline mean); change is never regressed on baseline.
    """
    if "mean" not in reference or not len(before):
        return []
    expected = (1 - reference["retest_r"]) * (reference["mean"] - before.mean())
    source = (
        f"reference mean {reference['mean']:g}, retest r {reference['retest_r']:g}; {reference['source']}"
    )
    numbers = {"expected_change": expected, "observed_change": change.mean()}
    numbers["beyond_expected"] = numbers["observed_change"] - expected
    return [
        {"table": "regression_to_mean", "quantity": name, "value": float(value), "note": source}
        for name, value in numbers.items()
    ]


@resources.cached
def minimal_changes() -> dict[str, tuple[float, str]]:
    """Return the published minimal important change of each scale that has one, with its source."""
    found: dict[str, tuple[float, str]] = {}
    for path in resources.files("instruments"):
        if "minimal_important_change" not in read_text(path):
            continue  # most instruments have none published
        document = read_yaml(path)
        for entry in document.get("minimal_important_change", []) if isinstance(document, Mapping) else []:
            found[entry["scale"]] = (float(entry["points"]), f"{entry['note']} ({entry['evidence']})")
    return found
