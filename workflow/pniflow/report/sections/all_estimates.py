"""Every coefficient of every model, as it stands in estimates.tsv."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pniflow.report import blocks
from pniflow.report.blocks import Fold, Paragraph, Row, Table, Text
from pniflow.report.run_results import Results
from pniflow.text.estimates import Estimate


def all_estimates(results: Results) -> list[Any]:
    """Return the estimates in full, folded."""
    if not results.rows:
        return []
    text = (
        "Each estimate in this report is a row of estimates.tsv, here in full; pniflow trace KEY says"
        " where it comes from, as does a click on it on the page."
    )
    return [
        Paragraph([text]),
        Fold(["Every coefficient of every model"], [_table(results.rows)], "estimates.tsv"),
    ]


def _table(rows: Sequence[Estimate]) -> Table:
    columns = [
        *("Model / outcome / term", "Estimate", "SE", "df", "t or F", "p", "Adjusted p"),
        *("95 % interval", "n", "Rows", "ICC", "Family", "Remark"),
    ]
    lines = []
    for row in rows:
        several: Text = [blocks.shown(row, "df_numerator", 0), ", "] if row.df_numerator else []
        cells: list[Text] = [
            [blocks.estimate(row)],
            [blocks.shown(row, "std_error", blocks.digits(row))],
            [*several, blocks.shown(row, "df", 1)],
            ["F = " if several else "", blocks.shown(row, "statistic", 2)],
            [blocks.p_number(row)],
            [blocks.p_number(row, "p_adjusted")],
            blocks.interval(row),
            [blocks.count(row)],
            [blocks.count(row, "n_observations")],
            [blocks.shown(row, "icc", 2)],
            [f"{row.family} ({row.role})" if row.family is not None else ""],
            [row.note or ""],
        ]
        lines.append(Row([row.key], cells, row.key))
    caption = ["Every coefficient, as in estimates.tsv; the first column is its key."]
    return Table(caption, columns, lines, range(10))
