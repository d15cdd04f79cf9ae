"""The answers, first: each prespecified question in one plain sentence, and what the study does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pniflow import words
from pniflow.report import answers, tables
from pniflow.report.answers import Context
from pniflow.report.parts import Fold, Heading, Listing, Paragraph, Text
from pniflow.report.results import Results

_BRANCHES = {
    "questionnaire": "questionnaires",
    "assay": "laboratory assays",
    "expression": "blood gene expression",
    "imaging": "MRI",
}


def answers_section(results: Results) -> list[Any]:
    """Return the answers, most important first, exploratory ones folded."""
    blocks: list[Any] = []
    grouped = answers.families(results.rows)
    if not grouped:
        return [Paragraph(["No question was prespecified that the data of this study can answer."])]
    alpha = results.context.alpha
    blocks.append(Paragraph(_lead(results, grouped), "lead"))
    absent = absent_branches(results)
    if absent:
        blocks.append(Paragraph([absent]))
    blocks.append(tables.glance_table(grouped, results.context))
    blocks.append(
        Paragraph(
            [
                "“Shown” means that the p-value, adjusted within its family of tests where the plan says so,"
                " is below"
                f" {words.number(alpha, 2)}. Where something was not shown, the interval says which"
                " differences remain"
                " possible."
            ],
            "note",
        )
    )
    last = ""
    for family, rows in grouped.items():
        role = rows[0]["role"] or "further"
        leads = any(some[0]["role"] in ("primary", "secondary") for some in grouped.values())
        if leads and role == "exploratory" and last != "exploratory":
            rest = [name for name, some in grouped.items() if some[0]["role"] == "exploratory"]
            inner: list[Any] = []
            for name in rest:
                inner += _family_blocks(name, grouped[name], results.context)
            blocks.append(
                Fold(
                    [f"Exploratory questions ({words.plural(len(rest), 'family', 'families')} of tests)"],
                    inner,
                )
            )
            last = role
        elif role != "exploratory" or not leads:
            blocks += _family_blocks(family, rows, results.context)
            last = role
    return blocks


def _lead(results: Results, grouped: Mapping[str, Sequence[Mapping[str, Any]]]) -> Text:
    """Return the result in one or two sentences: the first role's families, counted."""
    alpha = results.context.alpha
    first = next(iter(grouped.values()))[0]["role"]
    rows = [row for some in grouped.values() if some[0]["role"] == first for row in some]
    clear, count = answers.tally(rows, alpha)
    text = (
        f"{_capital(first or 'prespecified')} question{'s' if count > 1 else ''}: shown in {clear} of {count}"
    )
    if 0 < clear <= 8:
        found = [row for row in rows if answers.verdict(row, alpha) == answers.SHOWN]
        text += f" ({_named(found, results.context)})"
    others = [row for some in grouped.values() if some[0]["role"] == "secondary" != first for row in some]
    text += "."
    if others:
        clear, count = answers.tally(others, alpha)
        text += f" Secondary questions: shown in {clear} of {count}."
    return [text]


def _named(rows: Sequence[Mapping[str, Any]], context: Context) -> str:
    """Return what was shown by name: of two sessions, what was lower and what was higher at the later one."""
    labels = list(context.sessions.values())
    named: dict[str, list[str]] = {}
    for row in rows:
        term = words.term_of(row["term"], len(labels))
        direction = ""
        if term.kind == "change" and len(labels) == 2:
            direction = f"{'higher' if row['estimate'] > 0 else 'lower'} {answers.at(labels[1])}: "
        named.setdefault(direction, []).append(words.inside(tables.row_name(row, term)))
    return "; ".join(direction + ", ".join(dict.fromkeys(names)) for direction, names in named.items())


def _family_blocks(family: str, rows: Sequence[Mapping[str, Any]], context: Context) -> list[Any]:
    clear, count = answers.tally(rows, context.alpha)
    known = [row for row in rows if words.given(row["p_adjusted"])]
    adjusted = any(row["p_adjusted"] != row["p_value"] for row in known) or len(known) == 1
    how = "adjusted within the family" if adjusted else "not adjusted"
    role = _capital(rows[0]["role"] or "further")
    note = f"{role} family {family}: {words.plural(count, 'test')}, {how}; shown in {clear}."
    return [
        Heading(words.question(family, rows, len(context.sessions))),
        Paragraph([note], "note"),
        Listing([answers.answer(row, context) for row in rows]),
    ]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def absent_branches(results: Results) -> str:
    """Return one sentence that names the branches the study does not have; "" where it has all."""
    there = set(results.domains.values())
    absent = [name for domain, name in _BRANCHES.items() if domain not in there]
    if not absent or not there:
        return ""
    listed = absent[0] if len(absent) == 1 else f"{', '.join(absent[:-1])} and no {absent[-1]}"
    return f"This study has no {listed}; nothing is reported on {'it' if len(absent) == 1 else 'them'}."
