"""What a random study is made of: cells, rows and columns of sheets, codings, and what must come back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

STORED, BLANK, CODED = "stored", "blank", "missing_code"


class Cell(NamedTuple):
    """A cell of a sheet.

    Attributes
    ----------
    text : str
    fate : str
        What must become of it: STORED, BLANK, CODED, or the rule of study.yaml that leaves it out.
    decimal : bool
        True for a number with the file's mark of decimals.
    """

    text: str = ""
    fate: str = BLANK
    decimal: bool = False


@dataclass
class Column:
    """A column of a sheet: its name, the field it holds (blank: nobody asks for it), and its rule.

    Attributes
    ----------
    rule : str
        The rule that leaves the whole column out.
    choices : sequence of str
        Codes in a data dictionary.
    """

    name: str
    field: str = ""
    rule: str = ""
    choices: Sequence[str] = ()


@dataclass
class Row:
    """A row of a sheet: column -> cell; the rule that leaves it out on sight, and the one for its person."""

    person: str
    cells: dict[str, Cell]
    rule: str = ""
    person_rule: str = ""


@dataclass
class Sheet:
    """A file of the study: its name and key in study.yaml, and the columns of participant and session."""

    file: str
    key: str
    id: str = "participant_id"
    session: str = ""
    columns: list[Column] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)

    def add(self, column: Column) -> None:
        """Give the sheet a column once."""
        if column.name not in [one.name for one in self.columns]:
            self.columns.append(column)


@dataclass
class Coding:
    """How a questionnaire's items stand somewhere: their fields, and what is written for an answer."""

    fields: list[str]
    said: dict[str, Any]
    offset: int = 0
    words: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    pointed: bool = False  # 2.0 for 2


@dataclass
class Block:
    """What is asked at a session: a questionnaire, or an exposure (of one item)."""

    section: str
    name: str
    low: int
    high: int
    usual: Coding
    special: dict[str, Coding] = field(default_factory=dict)
    levels: dict[str, str] = field(default_factory=dict)


@dataclass
class Truth:
    """What must come back."""

    answers: dict[tuple[str, str, str, int], float] = field(default_factory=dict)
    reasons: dict[tuple[str, str, str, int], str] = field(default_factory=dict)
    covariates: dict[tuple[str, str], Any] = field(default_factory=dict)
    exposures: dict[tuple[str, str, str], Any] = field(default_factory=dict)
    assays: Counter[tuple[str, str, str, float, bool]] = field(default_factory=Counter)
    samples: dict[str, tuple[str, str, str]] = field(default_factory=dict)
