"""Tables of the report, made from the tables of the run: what stands here can be looked up there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pniflow.modalities import BRANCHES
from pniflow.report import blocks
from pniflow.report.blocks import Number, Row, Table, Text
from pniflow.report.interpretation import Context, sign_words, tally, unit_words
from pniflow.text import labels, numbers, wording

if TYPE_CHECKING:
    import pandas as pd

Rows = Sequence[Mapping[str, Any]]


def estimates_table(rows: Rows, context: Context, caption: Text) -> Table:
    """Table of tested rows, at least one: estimate, interval, p, adjusted p, effect size, n."""
    columns = ["Measure", "Estimate", "95 % interval", "p", "Adjusted p", "Effect size", "n", "Rows"]
    signs = [sign_words(row["outcome"], wording.row_term(row).of) for row in rows]
    shared = signs[0] if len(set(signs)) == 1 else ""  # said once, above the rows
    lines = [Row([shared[:1].upper() + shared[1:]], [], group=True)] if shared else []
    for row, sign in zip(rows, signs, strict=True):
        term = wording.row_term(row)
        head = row_name(row, term)
        if term.kind == "change" and len(context.sessions) > 2:
            head += ", {1} minus {0}".format(*context.compared(row["outcome"], term.of))
        remarks = [unit_words(row, term, context).strip(), "" if shared else sign]
        lines.append(_estimate(row, head, "; ".join(remark for remark in remarks if remark)))
        for one in context.coefficients.get(row["key"], ()):
            lines.append(_estimate(one, f"{head}, {wording.predictor(one['term'], context.sessions)}"))
    return Table(caption, columns, lines, range(7))


def _estimate(row: Mapping[str, Any], head: str, remark: str = "") -> Row:
    cells: list[Text] = [
        blocks.f_test(row) if row["df_numerator"] else [blocks.estimate(row)],
        blocks.interval(row) if numbers.given(row["conf_low"]) else [numbers.NONE],
        [blocks.p_number(row)],
        [blocks.p_number(row, "p_adjusted")],
        [blocks.shown(row, "effect_size", 2)],
        [blocks.count(row)],
        [blocks.count(row, "n_observations")],
    ]
    return Row([head], cells, row["key"], remark)


def row_name(row: Mapping[str, Any], term: wording.TestedTerm) -> str:
    """Return an estimate's name: its outcome, and for a slope its predictor and kind."""
    name = labels.label(row["outcome"]).long
    if term.kind in ("change", "joint"):
        return name
    if term.kind == "level":
        return f"{name}, mean"
    if term.kind == "difference":
        return f"{name}, slope between minus slope within persons"
    return f"{name} on {numbers.inside(labels.label(term.of).long)}, {term.kind}"


def reading_note(rows: Rows, context: Context) -> Text:
    """Return how the tables of estimates are read, with the effect sizes they hold."""
    held = [one for row in rows for one in (row, *context.coefficients.get(row["key"], ()))]
    kinds = [str(one["effect_size_kind"]) for one in held if numbers.given(one["effect_size_kind"])]
    note = "n: persons in the model; rows: observations in the model. A dash stands where there is no number."
    if kinds:
        named = [
            kind.replace(kind.split(" (")[0], numbers.effect_kind(kind), 1) for kind in dict.fromkeys(kinds)
        ]
        note = f"Effect size: {'; '.join(named)}. {note}"
    return [note]


def glance_table(families: Mapping[str, Rows], context: Context) -> Table:
    """Each prespecified question in one line: role, number of tests, in how many a difference was shown."""
    lines = []
    for family, rows in families.items():
        clear, count = tally(rows, context.alpha)
        role = str(rows[0]["role"] or "further")
        key = f"{rows[0]['role'] or ''}/{family}"
        counts = [[blocks.tallied(clear, key, "shown")], [blocks.tallied(count, key, "tests")]]
        lines.append(Row([wording.question(family, rows)], [[role], *counts]))
    return Table(["The questions at a glance."], ["Question", "Role", "Shown in", "of tests"], lines, [1, 2])


def all_estimates(rows: Rows) -> Table:
    """Every coefficient of every model, as it stands in estimates.tsv."""
    columns = [
        *("Model / outcome / term", "Estimate", "SE", "df", "t or F", "p", "Adjusted p"),
        *("95 % interval", "n", "Rows", "ICC", "Family", "Remark"),
    ]
    lines = []
    for row in rows:
        decimals = blocks.digits(row)
        several: Text = [blocks.shown(row, "df_numerator", 0), ", "] if row["df_numerator"] else []
        cells: list[Text] = [
            [blocks.estimate(row)],
            [blocks.shown(row, "std_error", decimals)],
            [*several, blocks.shown(row, "df", 1)],
            ["F = " if several else "", blocks.shown(row, "statistic", 2)],
            [blocks.p_number(row)],
            [blocks.p_number(row, "p_adjusted")],
            blocks.interval(row) if numbers.given(row["conf_low"]) else [numbers.NONE],
            [blocks.count(row)],
            [blocks.count(row, "n_observations")],
            [blocks.shown(row, "icc", 2)],
            [f"{row['family']} ({row['role']})" if numbers.given(row["family"]) else ""],
            [str(row["note"]) if numbers.given(row["note"]) else ""],
        ]
        lines.append(Row([row["key"]], cells, row["key"]))
    caption = ["Every coefficient, as in estimates.tsv; the first column is its key."]
    return Table(caption, columns, lines, range(10))


def _flow_number(row: Mapping[str, Any] | None) -> Text:
    if row is None or not numbers.given(row["n"]):
        return [numbers.NONE]
    key = f"{row['step']}/{row['branch']}/{row['session_id'] or ''}"
    return [Number(str(int(row["n"])), key, "n", "flow")]


def flow_steps(flow: pd.DataFrame, sessions: Mapping[str, str]) -> Table:
    """Every count of the flow, row by row."""
    lines: list[Row] = []
    branch = ""
    for row in numbers.records(flow):
        if row["branch"] != branch:
            branch = row["branch"]
            lines.append(Row([BRANCHES.get(branch, "Study" if branch == "all" else branch)], [], group=True))
        names = [sessions.get(name, name) for name in str(row["session_id"] or "").split("+") if name]
        where = " and ".join(names) if names else ("no session" if row["step"] == "set of sessions" else "")
        n: Text = _flow_number(row) if numbers.given(row["n"]) else ["not recorded"]
        lines.append(Row([row["step"]], [[where], n, [row["note"] or ""]]))
    caption = ["Every count. Over the sets of sessions of a branch, the counts add up to the enrolled."]
    return Table(caption, ["Step", "Session", "Participants", "What the count means"], lines, [1])


def paired_table(table1: pd.DataFrame, sessions: Mapping[str, str], measures: Sequence[str]) -> Table:
    """Paired Table 1: characteristics, then mean and SD of each measure at each session."""
    rows = numbers.records(table1)
    described = [row for row in rows if row["domain"] == "characteristic"]
    lines = [Row(["Characteristics"], [], group=True)] if described else []
    named = ""
    for row in described:
        lines.append(_characteristic(row, len(sessions), first=row["measure"] != named))
        named = row["measure"]
    by_measure: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        if row["domain"] != "characteristic" and row["measure"] in measures:
            by_measure.setdefault(row["measure"], {})[row["session_id"]] = row
    domains: dict[str, list[Row]] = {}
    for measure, per in by_measure.items():
        domain = next(iter(per.values()))["domain"]
        domains.setdefault(domain, []).append(_at_sessions(measure, per, sessions))
    for domain in sorted(domains, key=list(labels.DOMAINS).index):
        lines += [Row([labels.DOMAINS[domain]], [], group=True), *domains[domain]]
    columns = ["Measure", *(f"{label}: mean (SD)" for label in sessions.values()), "Complete", "Missing"]
    note = "Complete: persons with a value at every session. Missing: enrolled persons without a value"
    if len(sessions) > 1:
        note += f" (of a measure: {' / '.join(sessions.values())})"
    caption = ["Characteristics and measures at each session: mean (SD), or n (%)."]
    return Table(caption, columns, lines, range(len(columns) - 1), [f"{note}."])


def _characteristic(row: Mapping[str, Any], sessions: int, *, first: bool) -> Row:
    """Return a covariate, or a level of it; how many it lacks stands beside the first level."""
    name, level = labels.label(row["measure"]).long, row["level"]
    key = f"{row['measure']}//{level or ''}"
    value: Text
    if level is None:
        head, value = _with_unit(name, row["unit"]), _mean_sd(row, key, _sd_decimals(row))
        complete: Text = [_from(row, "n", key, 0)]
    else:
        head, complete = f"{name}: {level}", [""]
        value = [_from(row, "n", key, 0), " (", _from(row, "percent", key, 0), f"{numbers.NBSP}%)"]
    missing: Text = [_from(row, "missing", key, 0)] if first else [""]
    return Row([head], [value, *[[""]] * (sessions - 1), complete, missing])


def _at_sessions(measure: str, per: Mapping[str, Mapping[str, Any]], sessions: Mapping[str, str]) -> Row:
    """Return a measure with its mean and SD at each session, and how many have it."""
    first = next(iter(per.values()))
    decimals = max(_sd_decimals(row) for row in per.values())
    cells, missing = [], []
    for name in sessions:
        key = f"{measure}/{name}/"
        cells.append(_mean_sd(per[name], key, decimals) if name in per else [numbers.NONE])
        missing += [" / ", _from(per[name], "missing", key, 0) if name in per else numbers.NONE]
    complete = [_from(first, "n_complete", f"{measure}/{first['session_id']}/", 0)]
    sign = sign_words(measure, "") if labels.sign_note(measure) else ""
    head = _with_unit(labels.label(measure).long, first["unit"])
    return Row([head], [*cells, complete, missing[1:]], remark=sign)


def _with_unit(name: str, unit: str | None) -> str:
    return f"{name}, {numbers.unit_shown(unit)}" if unit else name


def _from(row: Mapping[str, Any], column: str, key: str, decimals: int) -> Number:
    return Number(numbers.number(row[column], decimals), key, column, "table1")


def _sd_decimals(row: Mapping[str, Any]) -> int:
    return max(1, numbers.decimals_for(row["sd"])) if numbers.given(row["sd"]) else 1


def _mean_sd(row: Mapping[str, Any], key: str, decimals: int) -> list[str | Number]:
    if not numbers.given(row["mean"]):
        return [numbers.NONE]
    mean = Number(numbers.number(row["mean"], decimals), key, "mean", "table1")
    return [mean, " (", Number(numbers.number(row["sd"], decimals), key, "sd", "table1"), ")"]


def second_look(table: pd.DataFrame, sessions: Mapping[str, str], caption: str, rule: str) -> Table:
    """Things that a rule left out or flagged, one by one: in words, as named in the run's tables below."""
    lines = []
    for row in numbers.records(table):
        place: list[Text] = [[row["participant_id"] or ""], [sessions.get(row["session_id"], "")]]
        why: list[Text] = [[row["rule"]], [wording.remark(row["reason"], sessions)]]
        name = labels.item(row["item"])
        lines.append(Row([name], [*place, *why], remark=row["item"] if name != row["item"] else ""))
    return Table([caption], ["What", "Participant", "Session", rule, "Reason"], lines)


def exclusion_counts(exclusions: pd.DataFrame) -> Table:
    """How often each rule left something out; the counts add up to the list."""
    pairs = [(str(rule), str(item).split(" ")[0]) for rule, item in exclusions[["rule", "item"]].to_numpy()]
    lines = [
        Row([rule], [[kind], [_counted(count, f"{rule}/{kind}")]])
        for (rule, kind), count in sorted(Counter(pairs).items())
    ]
    lines.append(Row(["all"], [[""], [_counted(len(exclusions), "all/")]]))
    return Table(["How much each rule left out."], ["Rule", "What", "Count"], lines, [1])


def _counted(count: int, key: str) -> Number:
    return Number(str(count), key, "count", "exclusions")
