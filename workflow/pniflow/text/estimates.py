"""Rows of the results tables with their types: an estimate, and the same under another choice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

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
    """

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

    @cached_property
    def tested(self) -> TestedTerm:
        """The row's term taken apart."""
        return term_of(self.term, 3 if self.df_numerator else 2)


@dataclass(frozen=True)
class Variant(Estimate):
    """A row of `sensitivity` by its contract."""

    variant: str
    choices: str | None
    bound: float | None
    bound_sd: float | None
    bound_session: str | None
    participant_number: int | None


def estimates_of(frame: pd.DataFrame) -> list[Estimate]:
    """Return the rows of `estimates` in the table's order."""
    return [Estimate(**row) for row in records(frame)]


def variants_of(frame: pd.DataFrame) -> list[Variant]:
    """Return the rows of `sensitivity` in the table's order."""
    return [Variant(**row) for row in records(frame)]
