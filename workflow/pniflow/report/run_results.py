"""What the report is written from, and the choices of rows that several sections share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pniflow import contracts
from pniflow.figures.gallery import FIGURES
from pniflow.report.bibliography import Bibliography
from pniflow.report.blocks import Number, Picture
from pniflow.report.interpretation import Context
from pniflow.tables import TABLES
from pniflow.text import labels, numbers
from pniflow.text.estimates import Estimate, Variant, question

if TYPE_CHECKING:
    import pandas as pd

    from pniflow.models.specification import Plan


@dataclass(frozen=True)
class TableRow:
    """A row of a table of the run, with the key that its numbers are traced by.

    Attributes
    ----------
    table : str
        The table's name in `pniflow.tables`.
    key : str
        The row's primary key by the table's contract.
    cells : dict
        Column -> value, None where it is blank.
    """

    table: str
    key: str
    cells: Mapping[str, Any]

    def __getitem__(self, column: str) -> Any:
        """Return the value of a column."""
        return self.cells[column]

    def number(self, column: str, decimals: int = 0) -> Number:
        """Return a number of the row, a dash where there is none."""
        return Number(numbers.number(self.cells[column], decimals), self.key, column, self.table)


def rows_of(frame: pd.DataFrame, table: str) -> list[TableRow]:
    """Return the rows of a table of the run."""
    primary = contracts.contract(TABLES[table].schema)["primaryKey"]
    rows = numbers.records(frame)
    keyed = [["" if row[name] is None else str(row[name]) for name in primary if name in row] for row in rows]
    return [TableRow(table, "/".join(key), row) for key, row in zip(keyed, rows, strict=True)]


@dataclass
class Results:
    """Everything the report is written from.

    Attributes
    ----------
    study : dict
        The checked study.yaml.
    rows : list of Estimate
        The estimates.
    context : Context
        What sentences need beside a row.
    variants : dict
        Key -> its rows of the sensitivity table.
    domains : dict
        Measure -> domain, of the measures there are.
    tables : dict
        Name -> table, of those that were given (flow, exclusions, table1, diagnostics, quality, ...).
    figures : dict
        Name -> figure.
    plan : Plan, optional
        Of read_models.
    normalization : dict
        What normalize-expression reports.
    gene_set, variant : str, optional
        The CTRA score.
    published : list of str
        Files of published claims.
    bibliography : Bibliography
        Gathers what is cited.
    """

    study: Mapping[str, Any]
    rows: Sequence[Estimate]
    context: Context
    variants: Mapping[str, Sequence[Variant]] = field(default_factory=dict)
    domains: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    figures: Mapping[str, Picture] = field(default_factory=dict)
    plan: Plan | None = None
    normalization: Mapping[str, Any] = field(default_factory=dict)
    gene_set: str | None = None
    variant: str | None = None
    published: Sequence[str] = ()
    bibliography: Bibliography = field(default_factory=Bibliography)

    @property
    def sessions(self) -> Mapping[str, str]:
        """Session -> its label, in order of time."""
        return self.context.sessions

    @property
    def tested(self) -> list[Estimate]:
        """The estimates that belong to a family of tests."""
        return [row for row in self.rows if row.family is not None]

    def filled(self, name: str) -> pd.DataFrame | None:
        """Return a table that has rows; None for one that is absent or empty."""
        table = self.tables.get(name)
        return table if table is not None and len(table) else None

    def rows_of(self, name: str) -> list[TableRow]:
        """Return the rows of a table, none where it is absent."""
        return rows_of(self.tables[name], name) if name in self.tables else []

    def figures_at(self, place: str) -> list[Any]:
        """Return the figures of a place of the report that there are, in the order of the gallery."""
        return [
            self.figures[one.name]
            for one in FIGURES.values()
            if one.place == place and one.name in self.figures
        ]

    def of_kinds(self, *kinds: str, imaging: bool = False) -> list[Estimate]:
        """Return the tested estimates whose terms are of these kinds, of MRI or of all else."""
        return [
            row
            for row in self.tested
            if row.tested.kind in kinds and self._is_imaging(row.outcome) == imaging
        ]

    def _is_imaging(self, outcome: str) -> bool:
        return self.domains.get(outcome) == "imaging" or labels.region_of(outcome) is not None


def is_ctra(row: Estimate) -> bool:
    """Tell whether a row's outcome is the CTRA or a component."""
    return bool(labels.sign_note(row.outcome))


def asked(family: str, rows: Sequence[Estimate]) -> str:
    """Return the question of a family as a sentence."""
    text = question(family, rows)
    return text if text.endswith("?") else f"{text}."
