"""Published claims on studies that config.yaml names, beside this study's estimate of the same estimand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pniflow.files import read_yaml
from pniflow.report import blocks as parts
from pniflow.report.blocks import Heading, Listing, Paragraph, Row, Table, Text
from pniflow.report.interpretation import NONE, SHOWN, Context, sign_words, unit_words, verdict
from pniflow.report.run_results import Results
from pniflow.resources import find
from pniflow.text import labels, numbers, wording
from pniflow.text.estimates import Estimate

_SIGN = {"lower": -1, "higher": 1}
_SLOPES = {"lower": "inverse", "higher": "positive"}
_NOTE = "Direction compares signs of estimates; shown: adjusted p below the level."


def claims(results: Results) -> list[Any]:
    """Return the claims of the named files of which this study has the estimand; empty where it has none."""
    blocks: list[Any] = []
    for name in results.published:
        of_one = _of_one(results.rows, results.context, name)
        if of_one and len(results.published) > 1:
            blocks.append(Heading(read_yaml(find("published", name))["title"]))
        blocks += of_one
    return blocks


def _of_one(rows: Sequence[Estimate], context: Context, name: str) -> list[Any]:
    published = read_yaml(find("published", name))
    by_key = {row.key: row for row in rows}
    lines = []
    for claim in published["claims"]:
        for key in claim["keys"]:
            row = _of_same_estimand(key, by_key, context)
            if row and row.estimate is not None:
                lines.append(_line(claim, row, context))
    if not lines:
        return []
    convention = published.get("sign_convention")
    table = Table(
        ["Published claims and this study's estimate of the same estimand."],
        ["Claim", "Source", "Published direction", "Here", "p", "Adjusted p", "n", "Same direction"],
        lines,
        [3, 4, 5],
        [f"Sign convention of the sources: {convention} {_NOTE}" if convention else _NOTE],
    )
    notes = [("", [text]) for text in published.get("contradictions", ())]
    known = [Paragraph(["Known contradictions between the sources:"]), Listing(notes)] if notes else []
    sources = [("", [f"{short}: {about['citation']}"]) for short, about in published["sources"].items()]
    return [Paragraph([published["introduction"]]), table, *known, Paragraph(["Sources:"]), Listing(sources)]


def _of_same_estimand(key: str, by_key: Mapping[str, Estimate], context: Context) -> Estimate | None:
    """Return the row of a claim's key; of more than two sessions, the second against the first."""
    row = by_key.get(key)
    if row and row.df_numerator:
        return by_key.get(f"{key}[{list(context.sessions)[1]}]")
    return row


def _line(claim: Mapping[str, str], row: Estimate, context: Context) -> Row:
    term = row.tested
    here: Text = [
        parts.estimate(row), unit_words(row, term, context), " (", *parts.interval(row), ")"
    ] if numbers.given(row.conf_low) else [parts.estimate(row)]  # fmt: skip
    what = labels.label(row.outcome).short
    direction = claim["direction"]
    if term.kind not in ("change", "joint"):
        direction = _SLOPES.get(direction, direction)
        what += f" on {numbers.inside(labels.label(term.of).short)}, {term.kind}"
    elif len(context.sessions) > 2:
        what += f", {wording.predictor(row.term, context.sessions)}"
    return Row(
        [f"{claim['claim']} ({what})"],
        [
            [claim["source"]],
            ["none reported" if direction == "none" else direction],
            here,
            [parts.p_number(row)],
            [parts.p_number(row, "p_adjusted")] if row.p_adjusted is not None else [numbers.NONE],
            [parts.count(row)],
            [_agreement(claim["direction"], row, context.alpha)],
        ],
        row.key,
        sign_words(row.outcome, term.of),
    )


def _agreement(direction: str, row: Estimate, alpha: float) -> str:
    if (found := verdict(row, alpha)) == NONE:
        return "not estimable here"
    clear = found == SHOWN
    if direction in _SIGN:
        same = (row.estimate or 0) * _SIGN[direction] > 0
        if clear:
            return "yes, shown here" if same else "no, the opposite was shown here"
        return f"{'same' if same else 'opposite'} sign, but not shown here"
    return "a difference was shown here" if clear else "not shown to differ here either"
