"""Sensitivity analyses: how far each prespecified estimate moves, and which answers hang on one choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pniflow.report import blocks as parts
from pniflow.report.blocks import Fold, Listing, Number, Paragraph, Row, Table, Text
from pniflow.report.estimate_tables import row_name
from pniflow.report.interpretation import SHOWN, Context, sign_words, verdict
from pniflow.report.listed_tables import as_it_stands
from pniflow.report.run_results import Results, TableRow
from pniflow.text import labels, numbers, wording
from pniflow.text.estimates import Estimate, Variant

_OWN = ("kenward_roger", "satterthwaite", "ols_t")  # inference of the prespecified analysis
FIRMNESS = {  # what is counted over the sensitivity analyses
    "tested": "tested estimates that have some",
    "shown": "those of them that were shown",
    "firm": "those shown that stay below the level in every one",
}


def sensitivity(results: Results) -> list[Any]:
    """How far estimates move, with the figures, and what the design can show."""
    tested = [row for row in results.tested if results.variants.get(row.key)]
    moved = [*results.figures_at("robustness"), *_blocks(tested, results)] if tested else []
    return [*moved, *results.figures_at("design"), *design(results)]


def _blocks(tested: Sequence[Estimate], results: Results) -> list[Any]:
    variants, context = results.variants, results.context
    blocks: list[Any] = [Paragraph(_firmness(tested, variants, context.alpha))]
    fragile = [row for row in tested if _fragile(row, variants[row.key], context.alpha)]
    if fragile:
        text = "Shown answers that do not stay below the level in every sensitivity analysis:"
        items = [("", _where(row, variants[row.key], context)) for row in fragile]
        blocks += [Paragraph([text]), Listing(items)]
    every = [one for some in variants.values() for one in some]
    bounds = [("", _equivalence(one, context)) for one in every if one.variant == "equivalence"]
    if bounds:
        blocks += [Paragraph(["Equivalence, where a bound was declared beforehand:"]), Listing(bounds)]
    leading = [row for row in tested if row.role in ("primary", "secondary")]
    rest = [row for row in tested if row.role not in ("primary", "secondary")]
    for some, which in ((leading, "Primary and secondary"), (rest, "Exploratory")):
        caption = f"{which} estimates over their sensitivity analyses."
        table = summary_table(some, variants, caption, context)
        if table.rows:
            folded = some is rest and leading
            blocks.append(Fold(["Exploratory estimates"], [table]) if folded else table)
    title = "Every sensitivity analysis of every estimate"
    return [*blocks, Fold([title], [_full_table(every, context)], "sensitivity.tsv")]


def _comparable(variant: str) -> bool:
    """Tell whether a variant's estimate has the scale of the prespecified one."""
    known = labels.known("variants").get(variant)
    return known is None or (known["scale"] == "same" and known["test"] == "yes")


def _tests(variants: Sequence[Variant]) -> list[Variant]:
    """Return the variants that test the same hypothesis (an equivalence test does not)."""
    known = labels.known("variants")
    return [
        one for one in variants if one.p_value is not None and known.get(one.variant, {}).get("test") != "no"
    ]


def _below(tests: Sequence[Variant], alpha: float) -> int:
    """Count the tests with p below the level."""
    return sum(one.p_value is not None and one.p_value < alpha for one in tests)


def _fragile(row: Estimate, variants: Sequence[Variant], alpha: float) -> bool:
    tests = _tests(variants)
    return verdict(row, alpha) == SHOWN and _below(tests, alpha) < len(tests)


def firmness(
    rows: Sequence[Estimate], variants: Mapping[str, Sequence[Variant]], alpha: float
) -> dict[str, list[tuple[str, str]]]:
    """Return what is counted over the sensitivity analyses: of which tested estimates, key by key.

    Returns
    -------
    dict
        Name in `FIRMNESS` -> pairs of key and how many p are below the level.
    """
    found: dict[str, list[tuple[str, str]]] = {name: [] for name in FIRMNESS}
    for row in rows:
        tests = _tests(variants.get(row.key, ()))
        if row.family is None or not variants.get(row.key):
            continue
        clear = verdict(row, alpha) == SHOWN
        below = _below(tests, alpha)
        kinds = [
            "tested",
            *(["shown"] if clear else []),
            *(["firm"] if clear and below == len(tests) else []),
        ]
        for kind in kinds:
            found[kind].append((row.key, f"p below {numbers.number(alpha, 2)} in {below} of {len(tests)}"))
    return found


def _firmness(tested: Sequence[Estimate], variants: Mapping[str, Sequence[Variant]], alpha: float) -> Text:
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


def _where(row: Estimate, variants: Sequence[Variant], context: Context) -> Text:
    failing = [one for one in _tests(variants) if not _below([one], context.alpha)]
    largest = [one for one in failing if one.variant == "leave_one_out_largest_p"]
    others = [one for one in failing if one.participant_number is None]
    named = [[f"{labels.variant(one.variant)} (", *parts.p_clause(one), ")"] for one in [*largest, *others]]
    return [f"{row_name(row)}: ", *parts.joined(named, "; "), "."]


def _equivalence(one: Variant, context: Context) -> Text:
    verb = "shown" if _below([one], context.alpha) else "not shown"
    note = wording.remark(one.note, context.sessions)
    return [f"{row_name(one)}: {verb} (", *parts.p_clause(one), f"); {note}."]


def summary_table(
    rows: Sequence[Estimate], variants: Mapping[str, Sequence[Variant]], caption: str, context: Context
) -> Table:
    """For each tested estimate: lowest and highest variant on its scale, same signs, p below the level."""
    lines = []
    for row in rows:
        others = [one for one in variants[row.key] if one.estimate is not None]
        tests = _tests(others)
        if not tests or row.estimate is None:
            continue
        same_scale = [one for one in others if _comparable(one.variant)]
        ends: list[Text] = [[numbers.NONE], [numbers.NONE]]
        if same_scale:
            found = [some(same_scale, key=lambda one: one.estimate or 0) for some in (min, max)]
            decimals = parts.digits(row)
            ends = [
                [parts.shown(one, "estimate", decimals), f" ({labels.variant(one.variant)})"] for one in found
            ]
        same = sum(((one.estimate or 0) > 0) == (row.estimate > 0) for one in tests)
        cells: list[Text] = [
            [parts.estimate(row)],
            *ends,
            [_tally(row, same, "same_sign"), " of ", _tally(row, len(tests), "tests")],
            [_tally(row, _below(tests, context.alpha), "below"), " of ", _tally(row, len(tests), "tests")],
        ]
        lines.append(Row([row_name(row)], cells, row.key, sign_words(row.outcome, row.tested.of)))
    columns = ["Measure", "Prespecified", "Lowest", "Highest", "Same sign", "p below .05"]
    note = "Lowest and highest keep the scale; other scores of the CTRA count for sign and p only."
    return Table([caption], columns, lines, [0, 3, 4], [note])


def _tally(row: Estimate, count: int, column: str) -> Number:
    return Number(str(count), f"{row.key}/", column, "sensitivity")


def _full_table(every: Sequence[Variant], context: Context) -> Table:
    """Every sensitivity analysis, as in sensitivity.tsv."""
    lines = []
    for one in every:
        cells: list[Text] = [
            [labels.variant(one.variant)],
            [parts.estimate(one)],
            parts.interval(one),
            [parts.p_number(one)],
            [parts.count(one)],
            [wording.remark(one.note, context.sessions)],
        ]
        lines.append(Row([one.key], cells, remark=sign_words(one.outcome, one.tested.of)))
    columns = ["Model / outcome / term", "Analysis", "Estimate", "Interval", "p", "n", "Remark"]
    return Table(["Every sensitivity analysis, as in sensitivity.tsv."], columns, lines, [1, 2, 3, 4])


def design(results: Results) -> list[Any]:
    """Errors and power of the prespecified tests in this design, found by simulation."""
    own = [row for row in results.rows_of("design") if row["method"] in _OWN]
    if not own:
        return []
    effects = sorted({row["effect"] for row in own if row["effect"]})
    grouped: dict[tuple[Any, ...], dict[float, TableRow]] = {}
    for row in own:
        place = (row["outcomes"], row["term"], row["icc"], row["effect_unit"])
        grouped.setdefault(place, {})[row["effect"]] = row
    lines = []
    for (outcomes, term, _, unit), found in grouped.items():
        one = found.get(0.0) or next(iter(found.values()))
        cells: list[Text] = [[wording.predictor(str(term), results.sessions)]]
        cells += [[as_it_stands(one, name)] for name in ("n_participants", "icc")]
        for effect in (0.0, *effects):
            cells.append([found[effect].number("rejection", 3) if effect in found else numbers.NONE])
        cells += [[as_it_stands(one, "detectable_80")], [unit]]
        lines.append(Row([_outcomes(outcomes)], cells))
    caption = [
        "What this design can show: share of simulated outcomes in which the prespecified test rejects,"
        " without an effect (type-I error) and at declared effects (power); not adjusted for the family."
    ]
    power = [f"power at {numbers.number(effect, 2)}" for effect in effects]
    columns = ["Outcomes", "Term", "n", "ICC", "type-I error", *power, "found in 80 %", "effect in"]
    block = Table(caption, columns, lines, range(1, len(columns) - 2))
    return [Fold(["Type-I error and power of each prespecified test"], [block])]


def _outcomes(names: str) -> str:
    label_texts = list(dict.fromkeys(labels.label(name).short for name in str(names).split()))
    more = f" and {len(label_texts) - 2} more" if len(label_texts) > 2 else ""
    return "; ".join(label_texts[:2]) + more
