"""Tables of tested estimates, as several sections show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pniflow.report import blocks, interpretation
from pniflow.report.blocks import Paragraph, Row, Table, Text
from pniflow.report.interpretation import Context, families, sign_words, unit_words
from pniflow.report.run_results import asked
from pniflow.text import labels, numbers, wording
from pniflow.text.estimates import Estimate


def by_family(rows: Sequence[Estimate], context: Context, lead: str) -> list[Any]:
    """Return how the tables are read, and a table of each family; `lead` stands before a family's name."""
    tables = [
        estimates_table(some, context, [f"{asked(family, some)} {lead} {family}, {some[0].role}."])
        for family, some in families(rows).items()
    ]
    return [Paragraph(_reading_note(rows, context), "note"), *tables]


def estimates_table(rows: Sequence[Estimate], context: Context, caption: Text) -> Table:
    """Table of tested rows, at least one: estimate, interval, p, adjusted p, effect size, n."""
    columns = ["Measure", "Estimate", "95 % interval", "p", "Adjusted p", "Effect size", "n", "Rows"]
    signs = [sign_words(row.outcome, row.tested.of) for row in rows]
    shared = signs[0] if len(set(signs)) == 1 else ""  # said once, above the rows
    lines = [Row([shared[:1].upper() + shared[1:]], [], group=True)] if shared else []
    for row, sign in zip(rows, signs, strict=True):
        head = row_name(row)
        lost = interpretation.verdict(row, context.alpha) == interpretation.NONE
        if row.tested.kind == "change" and len(context.sessions) > 2 and not lost:
            head += ", {1} minus {0}".format(*context.compared(row.outcome, row.tested.of))
        remarks = [unit_words(row, row.tested, context).strip(), "" if shared else sign]
        remarks += [interpretation.reason(row)] if lost else []
        lines.append(_estimate(row, head, "; ".join(remark for remark in remarks if remark)))
        for one in context.coefficients.get(row.key, ()):
            lines.append(_estimate(one, f"{head}, {wording.predictor(one.term, context.sessions)}"))
    return Table(caption, columns, lines, range(7))


def _estimate(row: Estimate, head: str, remark: str = "") -> Row:
    cells: list[Text] = [
        blocks.f_test(row) if row.df_numerator else [blocks.estimate(row)],
        blocks.interval(row),
        [blocks.p_number(row)],
        [blocks.p_number(row, "p_adjusted")],
        [blocks.shown(row, "effect_size", 2)],
        [blocks.count(row)],
        [blocks.count(row, "n_observations")],
    ]
    return Row([head], cells, row.key, remark)


def row_name(row: Estimate) -> str:
    """Return an estimate's name: its outcome, and for a slope its predictor and kind."""
    name, term = labels.label(row.outcome).long, row.tested
    if term.kind in ("change", "joint"):
        return name
    if term.kind == "level":
        return f"{name}, mean"
    if term.kind == "difference":
        return f"{name}, slope between minus slope within persons"
    return f"{name} on {numbers.inside(labels.label(term.of).long)}, {term.kind}"


def _reading_note(rows: Sequence[Estimate], context: Context) -> Text:
    """Return how the tables of estimates are read, with the effect sizes they hold."""
    held = [one for row in rows for one in (row, *context.coefficients.get(row.key, ()))]
    kinds = dict.fromkeys(one.effect_size_kind for one in held if one.effect_size_kind is not None)
    note = "n: persons in the model; rows: observations in the model. A dash stands where there is no number."
    if kinds:
        named = [kind.replace(kind.split(" (")[0], numbers.effect_kind(kind), 1) for kind in kinds]
        note = f"Effect size: {'; '.join(named)}. {note}"
    return [note]
