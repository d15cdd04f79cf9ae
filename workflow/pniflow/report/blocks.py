"""What a report is made of, whatever it is written as: sections of paragraphs, tables, figures and lists.

Text stands as it is and is escaped where it is written. A number that comes from a table
carries the key of its row, so that it can be traced and checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pniflow.text import numbers
from pniflow.text.estimates import Estimate


@dataclass(frozen=True)
class Number:
    """A number as it is shown.

    Attributes
    ----------
    text : str
        As written.
    key : str
        Row it comes from: model/outcome/term for estimates.
    field : str
        Column of that row.
    table : str
        estimates, sensitivity, table1, flow, ...
    """

    text: str
    key: str
    field: str
    table: str = "estimates"
    target = ""


@dataclass(frozen=True)
class Link:
    """Words that lead somewhere: to an anchor of the report (`#methods`) or to a source on the web."""

    text: str
    target: str


Text = Sequence["str | Number | Link"]
BANNER = "Simulated data. The numbers here are made up; no statement about people follows from them."
TO = f"{numbers.NBSP}to{numbers.NBSP}"  # keeps an interval on one line of a table


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: Text
    style: str = ""
    kind: str = "paragraph"


@dataclass(frozen=True)
class Listing:
    """A list of sentences, each with the mark of its verdict ("shown", "unclear", "none", "")."""

    items: Sequence[tuple[str, Text]]
    kind: str = "list"
    anchors: Sequence[str] = ()


@dataclass(frozen=True)
class Row:
    """A row of a table: its head with a remark, then its cells; `trace` is the key of the estimate shown."""

    head: Text
    cells: Sequence[Text]
    trace: str = ""
    remark: str = ""
    group: bool = False  # a line over several rows, without cells


@dataclass(frozen=True)
class Table:
    """A table with caption; `numeric` are the columns (counted without the head) that hold numbers."""

    caption: Text
    columns: Sequence[str]
    rows: Sequence[Row]
    numeric: Sequence[int] = ()
    note: Text = ()
    kind: str = "table"


@dataclass(frozen=True)
class Picture:
    """A figure: the SVG's bytes and size, alternative text, caption and the keys of the estimates shown."""

    name: str
    title: str
    svg: bytes
    alt: str
    caption: Text
    keys: Sequence[str]
    width: float = 482.0  # points
    height: float = 600.0
    kind: str = "figure"

    @property
    def narrow(self) -> bool:
        """Whether it is one column of a journal wide."""
        return self.width < 340.0


@dataclass(frozen=True)
class Fold:
    """Blocks that a reader opens when wanted; printed open, unless they stand in a file of that name."""

    summary: Text
    blocks: Sequence[Any]
    file: str = ""
    kind: str = "fold"


@dataclass(frozen=True)
class Trace:
    """Where a number comes from: shown when the number is clicked."""

    anchor: str
    title: str
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    text: str
    anchor: str = ""
    kind: str = "heading"


@dataclass(frozen=True)
class Section:
    """A section with its anchor."""

    anchor: str
    title: str
    blocks: Sequence[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Document:
    """A report, whatever it is written as: its title and subtitle, whether the data are made up, its text."""

    title: str
    subtitle: str
    simulated: bool
    sections: Sequence[Section]


def shown(row: Estimate, column: str, decimals: int) -> Number:
    """Return a number of an estimate's row."""
    return Number(numbers.number(getattr(row, column), decimals), row.row_key, column, row.table)


def estimate(row: Estimate) -> Number:
    """Return the estimate with two digits of its standard error."""
    return shown(row, "estimate", digits(row))


def interval(row: Estimate, between: str = TO) -> list[str | Number]:
    """Return the confidence interval, a dash where there is none."""
    if not numbers.given(row.conf_low):
        return [numbers.NONE]
    return [shown(row, "conf_low", digits(row)), between, shown(row, "conf_high", digits(row))]


def digits(row: Estimate) -> int:
    """Return the decimals of a row's estimate and interval: an end of the interval is never shown as zero."""
    return numbers.decimals_for(row.std_error, row.conf_low, row.conf_high)


def p_number(row: Estimate, column: str = "p_value") -> Number:
    """Return a p-value as it stands in a table."""
    return Number(numbers.p_value(getattr(row, column)), row.row_key, column, row.table)


def p_clause(row: Estimate, column: str = "p_value", symbol: str = "p") -> list[str | Number]:
    """Return "p = .049" with the number marked."""
    number = p_number(row, column)
    sign = "" if number.text[0] in "<>" else f"={numbers.NBSP}"
    return [f"{symbol}{numbers.NBSP}{sign}", number]


def count(row: Estimate, column: str = "n_participants") -> Number:
    """Return a count of an estimate's row."""
    return Number(str(int(getattr(row, column))), row.row_key, column, row.table)


def tallied(found: int, family: str, column: str) -> Number:
    """Return a count over the tests of a family ("primary/pro_change"), or of a role ("primary/")."""
    return Number(str(found), family, column, "families")


def f_test(row: Estimate) -> list[str | Number]:
    """Return "F(2, 40.3) = 5.12" with its numbers marked."""
    return [
        "F(",
        shown(row, "df_numerator", 0),
        f",{numbers.NBSP}",
        shown(row, "df", 1),
        f"){numbers.NBSP}={numbers.NBSP}",
        shown(row, "statistic", 2),
    ]


def joined(texts: Iterable[Text], between: str = ", ", last: str = "") -> list[str | Number | Link]:
    """Return texts as one, with something between them, and something else before the last."""
    parts: list[str | Number | Link] = []
    some = list(texts)
    for place, text in enumerate(some):
        mark = last if last and place == len(some) - 1 else between
        parts += [mark, *text] if place else text
    return parts


def plain(text: Text) -> str:
    """Return a text without its marks."""
    return "".join(part if isinstance(part, str) else part.text for part in text)
