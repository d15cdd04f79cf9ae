"""Sensitivity analyses: how far each prespecified estimate moves, and which answers hang on one choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pniflow.report import blocks as parts
from pniflow.report.blocks import Fold, Listing, Number, Paragraph, Row, Table, Text
from pniflow.report.estimate_tables import row_name
from pniflow.report.interpretation import SHOWN, Context, sign_words, verdict
from pniflow.text import labels, numbers, wording

Rows = Sequence[Mapping[str, Any]]
FIRMNESS = {  # what is counted over the sensitivity analyses
    "tested": "tested estimates that have some",
    "shown": "those of them that were shown",
    "firm": "those shown that stay below the level in every one",
}


def blocks(rows: Rows, variants: Mapping[str, Rows], context: Context) -> list[Any]:
    """Return the section's blocks; empty where nothing was varied."""
    tested = [row for row in rows if numbers.given(row["family"]) and variants.get(row["key"])]
    if not tested:
        return []
    leading = [row for row in tested if row["role"] in ("primary", "secondary")]
    rest = [row for row in tested if row["role"] not in ("primary", "secondary")]
    result: list[Any] = [Paragraph(_firmness(tested, variants, context.alpha))]
    fragile = [row for row in tested if _fragile(row, variants[row["key"]], context.alpha)]
    if fragile:
        text = "Shown answers that do not stay below the level in every sensitivity analysis:"
        result.append(Paragraph([text]))
        result.append(Listing([("", _where(row, variants[row["key"]], context)) for row in fragile]))
    bounds = [one for some in variants.values() for one in some if one["variant"] == "equivalence"]
    if bounds:
        items: list[tuple[str, Text]] = [("", _equivalence(one, context)) for one in bounds]
        result += [Paragraph(["Equivalence, where a bound was declared beforehand:"]), Listing(items)]
    for some, caption in ((leading, "Primary and secondary"), (rest, "Exploratory")):
        table = summary_table(
            some, variants, f"{caption} estimates over their sensitivity analyses.", context
        )
        if table.rows:
            block = table if some is leading or not leading else Fold(["Exploratory estimates"], [table])
            result.append(block)
    every = [one for some in variants.values() for one in some]
    result.append(
        Fold(
            ["Every sensitivity analysis of every estimate"],
            [full_table(every, context)],
            "sensitivity.tsv",
        )
    )
    return result


def label(variant: str) -> str:
    """Return a sensitivity analysis in words."""
    known = labels.known("variants").get(variant)
    return known["label"] if known else variant.replace("_", " ")


def _comparable(variant: str) -> bool:
    """Tell whether a variant's estimate has the scale of the prespecified one."""
    known = labels.known("variants").get(variant)
    return known is None or (known["scale"] == "same" and known["test"] == "yes")


def _tests(rows: Rows) -> list[Mapping[str, Any]]:
    """Return the variants that test the same hypothesis (an equivalence test does not)."""
    return [
        one
        for one in rows
        if numbers.given(one["p_value"])
        and labels.known("variants").get(one["variant"], {}).get("test") != "no"
    ]


def _fragile(row: Mapping[str, Any], variants: Rows, alpha: float) -> bool:
    return verdict(row, alpha) == SHOWN and any(one["p_value"] >= alpha for one in _tests(variants))


def firmness(rows: Rows, variants: Mapping[str, Rows], alpha: float) -> dict[str, list[tuple[str, str]]]:
    """Return what is counted over the sensitivity analyses: of which tested estimates, key by key.

    Returns
    -------
    dict
        Name in `FIRMNESS` -> pairs of key and how many p are below the level.
    """
    found: dict[str, list[tuple[str, str]]] = {name: [] for name in FIRMNESS}
    for row in rows:
        tests = _tests(variants.get(row["key"], ()))
        if not numbers.given(row["family"]) or not variants.get(row["key"]):
            continue
        clear = verdict(row, alpha) == SHOWN
        below = sum(one["p_value"] < alpha for one in tests)
        kinds = [
            "tested",
            *(["shown"] if clear else []),
            *(["firm"] if clear and below == len(tests) else []),
        ]
        for kind in kinds:
            found[kind].append((row["key"], f"p below {numbers.number(alpha, 2)} in {below} of {len(tests)}"))
    return found


def _firmness(tested: Rows, variants: Mapping[str, Rows], alpha: float) -> Text:
    found = firmness(tested, variants, alpha)
    count = {name: Number(str(len(some)), name, "count", "sensitivity") for name, some in found.items()}
    return [
        "Of ",
        count["tested"],
        f" tested estimate{'' if len(found['tested']) == 1 else 's'} with sensitivity analyses, ",
        count["shown"],
        f" {'was' if len(found['shown']) == 1 else 'were'} shown; of these, ",
        count["firm"],
        f" {'has' if len(found['firm']) == 1 else 'have'} p below {numbers.number(alpha, 2)} in every one of"
        " their sensitivity analyses (these p-values are not adjusted).",
    ]


def _where(row: Mapping[str, Any], variants: Rows, context: Context) -> Text:
    term = wording.row_term(row)
    text: list[str | Number] = [f"{row_name(row, term)}: "]
    failing = [one for one in _tests(variants) if one["p_value"] >= context.alpha]
    largest = [one for one in failing if one["variant"] == "leave_one_out_largest_p"]
    others = [one for one in failing if not numbers.given(one["participant_number"])]
    for place, one in enumerate([*largest, *others]):
        text += ["; " if place else "", f"{label(one['variant'])} (p{numbers.NBSP}", *_p(one), ")"]
    return [*text, "."]


def _p(one: Mapping[str, Any]) -> list[str | Number]:
    text = numbers.p_value(one["p_value"])
    number = Number(text, _key(one), "p_value", "sensitivity")
    return [number] if text[0] in "<>" else [f"={numbers.NBSP}", number]


def _key(one: Mapping[str, Any]) -> str:
    return f"{one['key']}/{one['variant']}"


def _equivalence(one: Mapping[str, Any], context: Context) -> Text:
    term = wording.row_term(one)
    verb = "shown" if numbers.given(one["p_value"]) and one["p_value"] < context.alpha else "not shown"
    return [
        f"{row_name(one, term)}: {verb} (p{numbers.NBSP}",
        *_p(one),
        f"); {wording.remark(one['note'], context.sessions)}.",
    ]


def summary_table(rows: Rows, variants: Mapping[str, Rows], caption: str, context: Context) -> Table:
    """For each tested estimate: lowest and highest variant on its scale, same signs, p below the level."""
    lines = []
    for row in rows:
        others = [one for one in variants[row["key"]] if numbers.given(one["estimate"])]
        same_scale = [one for one in others if _comparable(one["variant"])]
        tests = _tests(others)
        if not tests or not numbers.given(row["estimate"]):
            continue
        decimals = parts.digits(row)
        ends: list[Text] = [[numbers.NONE], [numbers.NONE]]
        if same_scale:
            found = [some(same_scale, key=lambda one: one["estimate"]) for some in (min, max)]
            ends = [[_number(one, decimals), f" ({label(one['variant'])})"] for one in found]
        same = sum((one["estimate"] > 0) == (row["estimate"] > 0) for one in tests)
        below = sum(one["p_value"] < context.alpha for one in tests)
        cells: list[Text] = [
            [parts.estimate(row)],
            *ends,
            [_tally(row, same, "same_sign"), " of ", _tally(row, len(tests), "tests")],
            [_tally(row, below, "below"), " of ", _tally(row, len(tests), "tests")],
        ]
        term = wording.row_term(row)
        lines.append(Row([row_name(row, term)], cells, row["key"], sign_words(row["outcome"], term.of)))
    columns = ["Measure", "Prespecified", "Lowest", "Highest", "Same sign", "p below .05"]
    note = "Lowest and highest keep the scale; other scores of the CTRA count for sign and p only."
    return Table([caption], columns, lines, [0, 3, 4], [note])


def _number(one: Mapping[str, Any], decimals: int) -> Number:
    return Number(numbers.number(one["estimate"], decimals), _key(one), "estimate", "sensitivity")


def _tally(row: Mapping[str, Any], count: int, column: str) -> Number:
    return Number(str(count), f"{row['key']}/", column, "sensitivity")


def full_table(every: Rows, context: Context) -> Table:
    """Every sensitivity analysis, as in sensitivity.tsv."""
    lines = []
    for one in every:
        decimals = parts.digits(one)

        def number(column: str, one: Mapping[str, Any] = one, decimals: int = decimals) -> Number:
            return Number(numbers.number(one[column], decimals), _key(one), column, "sensitivity")

        interval: Text = [numbers.NONE]
        if numbers.given(one["conf_low"]):
            interval = [number("conf_low"), parts.TO, number("conf_high")]
        lines.append(
            Row(
                [one["key"]],
                [
                    [label(one["variant"])],
                    [number("estimate")],
                    interval,
                    [Number(numbers.p_value(one["p_value"]), _key(one), "p_value", "sensitivity")],
                    [Number(str(int(one["n_participants"])), _key(one), "n_participants", "sensitivity")],
                    [wording.remark(one["note"], context.sessions)],
                ],
                remark=sign_words(one["outcome"], wording.row_term(one).of),
            )
        )
    columns = ["Model / outcome / term", "Analysis", "Estimate", "Interval", "p", "n", "Remark"]
    return Table(["Every sensitivity analysis, as in sensitivity.tsv."], columns, lines, [1, 2, 3, 4])
