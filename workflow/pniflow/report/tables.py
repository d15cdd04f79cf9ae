"""Tables of the report, made from the tables of the run: what stands here can be looked up there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pniflow import words
from pniflow.report import parts
from pniflow.report.answers import Context, sign_words, tally, unit_words
from pniflow.report.parts import Number, Row, Table, Text

if TYPE_CHECKING:
    import pandas as pd

Rows = Sequence[Mapping[str, Any]]


def estimates_table(rows: Rows, context: Context, caption: Text) -> Table:
    """Table of tested rows: estimate, interval, p, adjusted p, effect size, n."""
    columns = ["Measure", "Estimate", "95 % interval", "p", "Adjusted p", "Effect size", "n", "Rows"]
    lines = []
    for row in rows:
        term = words.term_of(row["term"], len(context.sessions))
        head: list[str | Number] = [row_name(row, term)]
        if term.of and term.kind == "change":
            head.append(f", {context.sessions.get(term.of, term.of)}")
        remarks = [unit_words(row, term, context).strip(), sign_words(row["outcome"], term.of)]
        size: Text = [parts.shown(row, "effect_size", 2)] if words.given(row["effect_size"]) else [words.NONE]
        lines.append(
            Row(
                head,
                [
                    [parts.estimate(row)]
                    if term.kind != "joint"
                    else ["F = ", parts.shown(row, "statistic", 2)],
                    parts.interval(row) if words.given(row["conf_low"]) else [words.NONE],
                    [parts.p_number(row)],
                    [parts.p_number(row, "p_adjusted")],
                    size,
                    [_count(row, "n_participants")],
                    [_count(row, "n_observations")],
                ],
                row["key"],
                "; ".join(remark for remark in remarks if remark),
            )
        )
    return Table(caption, columns, lines, range(7))


def row_name(row: Mapping[str, Any], term: words.Term) -> str:
    """Return an estimate's name: its outcome, and for a slope its predictor and kind."""
    name = words.label(row["outcome"]).long
    if term.kind in ("change", "joint"):
        return name
    if term.kind == "level":
        return f"{name}, mean"
    if term.kind == "difference":
        return f"{name}, slope between minus slope within persons"
    return f"{name} on {words.inside(words.label(term.of).long)}, {term.kind}"


def reading_note(rows: Rows) -> Text:
    """Return how the tables of estimates are read, with the effect sizes they hold."""
    kinds = [str(row["effect_size_kind"]) for row in rows if words.given(row["effect_size_kind"])]
    note = "n: persons in the model; rows: observations in the model. A dash stands where there is no number."
    if kinds:
        named = [
            kind.replace(kind.split(" (")[0], words.effect_kind(kind), 1) for kind in dict.fromkeys(kinds)
        ]
        note = f"Effect size: {'; '.join(named)}. {note}"
    return [note]


def glance_table(families: Mapping[str, Rows], context: Context) -> Table:
    """Each prespecified question in one line: role, number of tests, in how many a difference was shown."""
    lines = []
    for family, rows in families.items():
        clear, count = tally(rows, context.alpha)
        role = str(rows[0]["role"] or "further")
        lines.append(
            Row([words.question(family, rows, len(context.sessions))], [[role], [str(clear)], [str(count)]])
        )
    return Table(["The questions at a glance."], ["Question", "Role", "Shown in", "of tests"], lines, [1, 2])


def _count(row: Mapping[str, Any], column: str, table: str = "estimates") -> Number:
    return Number(str(int(row[column])), row["key"], column, table)


def all_estimates(rows: Rows) -> Table:
    """Every coefficient of every model, as it stands in estimates.tsv."""
    columns = [
        *("Model / outcome / term", "Estimate", "SE", "df", "t or F", "p", "Adjusted p"),
        *("95 % interval", "n", "Rows", "ICC", "Family", "Remark"),
    ]
    lines = []
    for row in rows:
        decimals = parts.digits(row)
        cells: list[Text] = [
            [parts.estimate(row)],
            [parts.shown(row, "std_error", decimals)],
            [parts.shown(row, "df", 1)],
            [parts.shown(row, "statistic", 2)],
            [parts.p_number(row)],
            [parts.p_number(row, "p_adjusted")],
            parts.interval(row) if words.given(row["conf_low"]) else [words.NONE],
            [_count(row, "n_participants")],
            [_count(row, "n_observations")],
            [parts.shown(row, "icc", 2)],
            [f"{row['family']} ({row['role']})" if words.given(row["family"]) else ""],
            [str(row["note"]) if words.given(row["note"]) else ""],
        ]
        lines.append(Row([row["key"]], cells, row["key"]))
    caption = ["Every coefficient, as in estimates.tsv; the first column is its key."]
    return Table(caption, columns, lines, range(10))


def flow_table(flow: pd.DataFrame, sessions: Mapping[str, str]) -> Table:
    """Participants by branch and session: assessed = excluded + usable; then who is complete."""
    counts = {(row["branch"], row["session_id"] or "", row["step"]): row for row in words.records(flow)}
    lines: list[Row] = []
    for branch in dict.fromkeys(branch for branch, _, _ in counts):
        if branch == "all":
            continue
        lines.append(Row([BRANCHES.get(branch, branch)], [], group=True))
        for session, label in sessions.items():
            steps = ("assessed", "excluded", "usable")
            cells = [_flow_number(counts.get((branch, session, step))) for step in steps]
            lines.append(Row([label], cells))
        complete = counts.get((branch, "", "complete"))
        if complete is not None and len(sessions) > 1:
            lines.append(Row(["at every session"], [[""], [""], _flow_number(complete)]))
    caption = ["Participants by branch and session: assessed = excluded + usable."]
    return Table(caption, ["Session", "Assessed", "Excluded", "Usable"], lines, [0, 1, 2])


def _flow_number(row: Mapping[str, Any] | None) -> Text:
    if row is None or not words.given(row["n"]):
        return [words.NONE]
    key = f"{row['step']}/{row['branch']}/{row['session_id'] or ''}"
    return [Number(str(int(row["n"])), key, "n", "flow")]


def flow_steps(flow: pd.DataFrame, sessions: Mapping[str, str]) -> Table:
    """Every count of the flow, row by row."""
    lines: list[Row] = []
    branch = ""
    for row in words.records(flow):
        if row["branch"] != branch:
            branch = row["branch"]
            lines.append(Row([BRANCHES.get(branch, branch)], [], group=True))
        names = [sessions.get(name, name) for name in str(row["session_id"] or "").split("+") if name]
        where = " and ".join(names) if names else ("no session" if row["step"] == "set of sessions" else "")
        n: Text = _flow_number(row) if words.given(row["n"]) else ["not recorded"]
        lines.append(Row([row["step"]], [[where], n, [row["note"] or ""]]))
    caption = ["Every count. Over the sets of sessions of a branch, the counts add up to the enrolled."]
    return Table(caption, ["Step", "Session", "Participants", "What the count means"], lines, [1])


BRANCHES = {
    "all": "Study",
    "questionnaires": "Questionnaires",
    "assays": "Assays",
    "expression": "Blood gene expression",
    "imaging": "MRI",
    "freesurfer": "MRI, FreeSurfer",
    "lesions": "Lesions",
}


def paired_table(table1: pd.DataFrame, sessions: Mapping[str, str], measures: Sequence[str]) -> Table:
    """Paired Table 1: characteristics, then mean and SD of each measure at each session."""
    rows = words.records(table1)
    described = [row for row in rows if row["domain"] == "characteristic"]
    lines = [Row(["Characteristics: mean (SD), or n (%)"], [], group=True)] if described else []
    for row in described:
        name = words.label(row["measure"]).long
        unit = f" ({words.unit_shown(row['unit'])})" if row["unit"] else ""
        head = f"{name}{unit}" if row["level"] is None else f"{name}: {row['level']}"
        key = f"{row['measure']}//{row['level'] or ''}"
        value: Text
        if row["level"] is not None:
            value = [_from(row, "n", key, 0), " (", _from(row, "percent", key, 0), " %)"]
        else:
            value = _mean_sd(row, key, _sd_decimals(row))
        lines.append(
            Row(
                [head],
                [
                    value,
                    *[[""]] * (len(sessions) - 1),
                    [_from(row, "n", key, 0)],
                    [_from(row, "missing", key, 0)],
                ],
            )
        )
    by_measure: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        if row["domain"] != "characteristic" and row["measure"] in measures:
            by_measure.setdefault(row["measure"], {})[row["session_id"]] = row
    domain = ""
    for measure, per in by_measure.items():
        first = next(iter(per.values()))
        if first["domain"] != domain:
            domain = first["domain"]
            lines.append(Row([domain.capitalize()], [], group=True))
        unit = f" ({words.unit_shown(first['unit'])})" if first["unit"] else ""
        decimals = max(_sd_decimals(row) for row in per.values())
        cells = [
            _mean_sd(per[name], f"{measure}/{name}/", decimals) if name in per else [words.NONE]
            for name in sessions
        ]
        key = f"{measure}/{first['session_id']}/"
        missing = sum(int(row["missing"]) for row in per.values())
        complete = [_from(first, "n_complete", key, 0)]
        lines.append(Row([words.label(measure).long + unit], [*cells, complete, [str(missing)]]))
    columns = ["Measure", *(f"{label}: mean (SD)" for label in sessions.values()), "Complete", "Missing"]
    return Table(
        ["Characteristics and measures at each session: mean (SD), or n (%)."],
        columns,
        lines,
        range(len(columns) - 1),
        [
            "Complete: persons with a value at every session. Missing: enrolled persons without a value, over"
            " sessions."
        ],
    )


def _from(row: Mapping[str, Any], column: str, key: str, decimals: int) -> Number:
    return Number(words.number(row[column], decimals), key, column, "table1")


def _sd_decimals(row: Mapping[str, Any]) -> int:
    return max(1, words.decimals_for(row["sd"])) if words.given(row["sd"]) else 1


def _mean_sd(row: Mapping[str, Any], key: str, decimals: int) -> list[str | Number]:
    if not words.given(row["mean"]):
        return [words.NONE]
    mean = Number(words.number(row["mean"], decimals), key, "mean", "table1")
    return [mean, " (", Number(words.number(row["sd"], decimals), key, "sd", "table1"), ")"]


def exclusions_table(exclusions: pd.DataFrame, sessions: Mapping[str, str]) -> Table:
    """What was left out, row by row."""
    lines = [
        Row(
            [row["item"]],
            [
                [row["participant_id"] or ""],
                [sessions.get(row["session_id"], "")],
                [row["rule"]],
                [row["reason"]],
            ],
        )
        for row in words.records(exclusions)
    ]
    return Table(
        ["Everything that was collected and left out, with the rule and the reason."],
        ["What", "Participant", "Session", "Rule", "Reason"],
        lines,
    )


def exclusion_counts(exclusions: pd.DataFrame) -> Table:
    """How often each rule left something out; the counts add up to the list."""
    pairs = [(str(rule), str(item).split(" ")[0]) for rule, item in exclusions[["rule", "item"]].to_numpy()]
    lines = [Row([rule], [[kind], [str(count)]]) for (rule, kind), count in sorted(Counter(pairs).items())]
    lines.append(Row(["all"], [[""], [str(len(exclusions))]]))
    return Table(["How much each rule left out."], ["Rule", "What", "Count"], lines, [1])
