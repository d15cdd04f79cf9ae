"""Rows of the results tables with their types: an estimate, and the same under another choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from pniflow.text.labels import known
from pniflow.text.numbers import records
from pniflow.text.wording import TestedTerm, term_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Estimate:
    """A row of `estimates` by its contract; what is blank there is None.

    Attributes
    ----------
    key : str
        model/outcome/term.
    tested : TestedTerm
        What its term compares: over several sessions it is joint where the row has an F.
    table, row_key : str
        The table it stands in, and its key there.
    decisive_p : float or None
        By what a difference is shown or not: the adjusted p where the plan adjusts.
    """

    table: ClassVar[str] = "estimates"

    model: str
    family: str | None
    role: str | None
    expected_null: bool | None
    outcome: str
    term: str
    estimate: float | None
    std_error: float | None
    df_numerator: int | None
    df: float | None
    statistic: float | None
    p_value: float | None
    p_adjusted: float | None
    conf_low: float | None
    conf_high: float | None
    effect_size: float | None
    effect_size_kind: str | None
    n_participants: int
    n_observations: int
    n_pairs: int | None
    icc: float | None
    singular: bool | None
    method: str
    note: str | None

    @cached_property
    def key(self) -> str:
        """The key of the row."""
        return f"{self.model}/{self.outcome}/{self.term}"

    @property
    def estimated(self) -> bool:
        """Whether anything could be estimated: a coefficient, or an F alone."""
        return self.estimate is not None or self.statistic is not None

    @cached_property
    def tested(self) -> TestedTerm:
        """The row's term taken apart."""
        return term_of(self.term, 3 if self.df_numerator else 2)

    @property
    def row_key(self) -> str:
        """The key of the row in its table."""
        return self.key

    @property
    def decisive_p(self) -> float | None:
        """The adjusted p, else p."""
        return self.p_value if self.p_adjusted is None else self.p_adjusted


@dataclass(frozen=True)
class Variant(Estimate):
    """A row of `sensitivity` by its contract."""

    table: ClassVar[str] = "sensitivity"

    variant: str
    choices: str | None
    bound: float | None
    bound_sd: float | None
    bound_session: str | None
    participant_number: int | None

    @property
    def row_key(self) -> str:
        """The key of the row in its table."""
        return f"{self.key}/{self.variant}"


def estimates_of(frame: pd.DataFrame) -> list[Estimate]:
    """Return the rows of `estimates` in the table's order."""
    return [Estimate(**row) for row in records(frame)]


def variants_of(frame: pd.DataFrame) -> list[Variant]:
    """Return the rows of `sensitivity` in the table's order."""
    return [Variant(**row) for row in records(frame)]


def coefficients(rows: Sequence[Estimate], sessions: Sequence[str]) -> dict[str, list[Estimate]]:
    """Return the key of each F test -> the rows of its coefficients, sessions in order of time."""

    def place(row: Estimate) -> int:
        return sessions.index(row.tested.of) if row.tested.of in sessions else 0

    return {
        row.key: sorted((one for one in rows if one.key.startswith(f"{row.key}[")), key=place)
        for row in rows
        if row.df_numerator
    }


def question(family: str, rows: Sequence[Estimate]) -> str:
    """Return the question a family of tests asks: the known one if that is what it tests, else its name."""
    row = known("families").get(family)
    if row and {one.tested.kind for one in rows} <= set(row["kinds"].split()):
        return row["question"]
    text = family.replace("_", " ")
    return f"{text[:1].upper()}{text[1:]}"
