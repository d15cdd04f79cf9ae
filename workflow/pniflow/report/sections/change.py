"""Change between the sessions."""

from __future__ import annotations

from typing import Any

from pniflow.report import estimate_tables
from pniflow.report.interpretation import families
from pniflow.report.run_results import Results, is_ctra


def change(results: Results) -> list[Any]:
    """Differences between the sessions; a family of nothing but the CTRA stands with it."""
    rows = results.of_kinds("change", "joint")
    elsewhere = {name for name, some in families(rows).items() if all(is_ctra(row) for row in some)}
    rows = [row for row in rows if row.family not in elsewhere]
    if not rows:
        return []
    first, *later = results.sessions.values()
    order = f"{later[0]} minus {first}" if len(later) == 1 else f"each session minus {first}"
    tables = estimate_tables.by_family(rows, results.context, f"Differences ({order}); family")
    return [*results.figures_at("change"), *tables]
