"""Associations within and between persons."""

from __future__ import annotations

from typing import Any

from pniflow.report import estimate_tables
from pniflow.report.blocks import Paragraph
from pniflow.report.run_results import Results


def associations(results: Results) -> list[Any]:
    """Slopes within and between persons."""
    rows = results.of_kinds("within", "between", "difference", "pooled", "level")
    if not rows:
        return []
    text = (
        "Within persons: does a session with more of the predictor than the person's own mean have more of"
        " the outcome?"
        " Between persons: do persons with a higher mean have more of the outcome? The two can differ in"
        " sign, so they"
        " are never mixed, except in the models named pooled, which are shown because published analyses did"
        " so."
    )
    tables = estimate_tables.by_family(rows, results.context, "Slopes; family")
    return [Paragraph([text]), *results.figures_at("associations"), *tables]
