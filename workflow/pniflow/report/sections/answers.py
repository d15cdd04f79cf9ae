"""The answers, first: each prespecified question in one plain sentence, and what the study does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from pniflow.modalities import DOMAINS
from pniflow.report import blocks as parts
from pniflow.report import estimate_tables, interpretation
from pniflow.report.blocks import Fold, Heading, Listing, Paragraph, Row, Table, Text
from pniflow.report.interpretation import Context
from pniflow.report.run_results import Results
from pniflow.text import numbers
from pniflow.text.estimates import Estimate, question

_FEW = 8  # results that are named in the first sentences


def answers(results: Results) -> list[Any]:
    """Return the answers, most important first, exploratory ones folded."""
    blocks: list[Any] = []
    grouped = interpretation.families(results.rows)
    if not grouped:
        return [Paragraph(["No question was prespecified that the data of this study can answer."])]
    blocks.append(Paragraph(_lead(results, grouped), "lead"))
    absent = absent_branches(results)
    if absent:
        blocks.append(Paragraph([absent]))
    blocks.append(_glance_table(grouped, results.context))
    note = (
        "“Shown” means that the p-value, adjusted within its family of tests where the plan says so, is below"
        f" {numbers.number(results.context.alpha, 2)}. Where something was not shown, the interval says which"
        " differences remain possible."
    )
    blocks.append(Paragraph([note], "note"))
    leads = any(rows[0].role in ("primary", "secondary") for rows in grouped.values())
    for folded, some in groupby(grouped.items(), lambda one: leads and one[1][0].role == "exploratory"):
        inner = [one for family, rows in some for one in _family_blocks(family, rows, results.context)]
        blocks += [Fold(["Exploratory questions"], inner)] if folded else inner
    return blocks


def _glance_table(families: Mapping[str, Sequence[Estimate]], context: Context) -> Table:
    """Each prespecified question in one line: role, number of tests, in how many a difference was shown."""
    lines = []
    lost = any(interpretation.not_estimable(rows) for rows in families.values())
    for family, rows in families.items():
        clear, count = interpretation.tally(rows, context.alpha)
        key = f"{rows[0].role or ''}/{family}"
        cells: list[Text] = [[parts.tallied(clear, key, "shown")], [parts.tallied(count, key, "tests")]]
        cells += [_lost(rows, key)] if lost else []
        lines.append(Row([question(family, rows)], [[rows[0].role or "further"], *cells]))
    columns = ["Question", "Role", "Shown in", "of tests", *(["Not estimable"] if lost else [])]
    return Table(["The questions at a glance."], columns, lines, range(1, len(columns) - 1))


def _lost(rows: Sequence[Estimate], key: str, lead: str = "") -> Text:
    """Return how many of the tests could not be made; after some words, where there are any."""
    count = interpretation.not_estimable(rows)
    number = parts.tallied(count, key, "not_estimable")
    return ([lead, number] if count else []) if lead else [number]


def _lead(results: Results, grouped: Mapping[str, Sequence[Estimate]]) -> Text:
    """Return the result in a sentence for each leading role: counted, and named where it is short enough."""
    context = results.context
    text: list[Any] = []
    first = next(iter(grouped.values()))[0].role
    for role in dict.fromkeys((first, "secondary")):
        rows = [row for some in grouped.values() if some[0].role == role for row in some]
        if not rows:
            continue
        found: dict[str, list[Estimate]] = {}
        for row in rows:
            found.setdefault(interpretation.verdict(row, context.alpha), []).append(row)
        shown, others, lost = (
            found.get(one, []) for one in (interpretation.SHOWN, interpretation.UNCLEAR, interpretation.NONE)
        )
        key = f"{role or ''}/"
        text += [f"{_capital(role or 'prespecified')} question{'s' if len(rows) > 1 else ''}: shown in "]
        text += [parts.tallied(len(shown), key, "shown"), " of ", parts.tallied(len(rows), key, "tests")]
        text += [f" ({_named(shown, context)})"] if 0 < len(shown) <= _FEW else []
        text += [f"; not shown: {_named(others, context)}"] if 0 < len(others) <= _FEW else []
        text += _lost(rows, key, "; not estimable in ")
        text += [f" ({_named(lost, context)})"] if 0 < len(lost) <= _FEW else []
        text += [". "]
    if any("CTRA" in part for part in text if isinstance(part, str)):
        text += ["Higher CTRA = more adverse."]
    return text


def _named(rows: Sequence[Estimate], context: Context) -> str:
    """Return tested rows by name, those of the same result together."""
    named: dict[str, list[str]] = {}
    for row in rows:
        named.setdefault(_result(row, context), []).append(numbers.inside(estimate_tables.row_name(row)))
    # A slope's name holds a comma.
    return "; ".join(
        result + (", " if "slope" not in result and result else "; ").join(dict.fromkeys(names))
        for result, names in named.items()
    )


def _result(row: Estimate, context: Context) -> str:
    """Return what was found of a row in a few words, "" where its name says all."""
    term, higher = row.tested, (row.estimate or 0) > 0
    found = interpretation.verdict(row, context.alpha)
    shown = found == interpretation.SHOWN
    if found == interpretation.NONE:
        return "the difference between the sessions in " if term.kind in ("change", "joint") else ""
    first, later = context.compared(row.outcome, term.of if term.kind == "change" else "")
    if term.kind == "joint":
        signs = {(one.estimate or 0) > 0 for one in context.coefficients.get(row.key, ())}
        if not shown or len(signs) != 1:
            return f"{'differences' if shown else 'a difference'} between the sessions in "
        return (
            f"{'higher' if signs.pop() else 'lower'} at each later session than {interpretation.at(first)}: "
        )
    if term.kind == "change":
        if not shown:
            return (
                f"a difference between {interpretation.quoted(first)} and {interpretation.quoted(later)} in "
            )
        return f"{'higher' if higher else 'lower'} {interpretation.at(later)}: "
    if row.df_numerator or not shown:
        return ""
    what = "mean" if term.kind == "level" else "slope"
    return f"{'positive' if higher else 'negative'} {what} of "


def _family_blocks(family: str, rows: Sequence[Estimate], context: Context) -> list[Any]:
    clear, count = interpretation.tally(rows, context.alpha)
    known = [row for row in rows if row.p_adjusted is not None]
    adjusted = any(row.p_adjusted != row.p_value for row in known) or len(known) == 1
    how = f", {'' if adjusted else 'not '}adjusted{' within the family' if adjusted else ''}" if known else ""
    key = f"{rows[0].role or ''}/{family}"
    note: Text = [
        f"{_capital(rows[0].role or 'further')} family {family}: ",
        parts.tallied(count, key, "tests"),
        f" test{'' if count == 1 else 's'}{how}; shown in ",
        parts.tallied(clear, key, "shown"),
        *_lost(rows, key, "; not estimable in "),
        ".",
    ]
    return [
        Heading(question(family, rows)),
        Paragraph(note, "note"),
        Listing(
            [
                interpretation.answer(row if adjusted else replace(row, p_adjusted=None), context)
                for row in rows
            ]
        ),
    ]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def absent_branches(results: Results) -> str:
    """Return one sentence that names the branches the study does not have; "" where it has all."""
    there = set(results.domains.values())
    absent = [one.phrase for domain, one in DOMAINS.items() if domain not in there]
    if not absent or not there:
        return ""
    listed = absent[0] if len(absent) == 1 else f"{', '.join(absent[:-1])} and no {absent[-1]}"
    return f"This study has no {listed}; nothing is reported on {'it' if len(absent) == 1 else 'them'}."
