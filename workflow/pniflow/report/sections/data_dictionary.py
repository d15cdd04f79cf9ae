"""The data dictionary of the run."""

from __future__ import annotations

from typing import Any

from pniflow.report.blocks import Fold, Row, Table, Text
from pniflow.report.run_results import Results
from pniflow.text import numbers


def data_dictionary(results: Results) -> list[Any]:
    """What every column of every table of the run means."""
    lines: list[Row] = []
    name = ""
    for row in results.rows_of("dictionary"):
        if row["table"] != name:
            name = row["table"]
            lines.append(Row([name], [], group=True))
        unit = numbers.unit_shown(row["unit"] or "")
        cells: list[Text] = [[row["description"] or ""], [row["type"] or ""], [unit], [row["levels"] or ""]]
        lines.append(Row([row["column"]], cells))
    if not lines:
        return []
    table_of = Table(
        ["The columns of every table of this run."], ["Column", "Meaning", "Type", "Unit", "Levels"], lines
    )
    return [Fold(["Every column of every table"], [table_of], "dictionary.tsv")]
