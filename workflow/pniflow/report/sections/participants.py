"""Who took part: the flow, Table 1, the course, what measures look back on, and who is complete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pniflow.modalities import BRANCHES
from pniflow.report.blocks import TO, Fold, Number, Paragraph, Row, Table, Text
from pniflow.report.interpretation import sign_words
from pniflow.report.run_results import Results, TableRow
from pniflow.study.recall_windows import intervention_days
from pniflow.text import labels, numbers

_ITEMS = {
    "completed_course": "completed the course",
    "reason_not_completed": "reason for not completing",
    "sessions_attended": "sessions attended",
    "home_practice": "practice at home",
    "adverse_events": "adverse events",
    "relapses": "relapses",
}


def participants(results: Results) -> list[Any]:
    """Participants and what they took part in; nothing is tested."""
    return [
        *_flow(results),
        *_table1(results),
        *course(results),
        *(results.figures_at("windows") if "windows" in results.tables else ()),
        *windows(results),
        *inclusion(results),
    ]


def _flow(results: Results) -> list[Any]:
    """How many were enrolled, the figure, and every count of the flow, row by row."""
    rows = results.rows_of("flow")
    if not rows:
        return []
    blocks: list[Any] = []
    enrolled = next((row for row in rows if row["step"] == "enrolled"), None)
    if enrolled and numbers.given(enrolled["n"]):
        said = f" {'person was' if enrolled['n'] == 1 else 'persons were'} enrolled."
        blocks.append(Paragraph([Number(str(int(enrolled["n"])), "enrolled/all/", "n", "flow"), said]))
    lines: list[Row] = []
    branch = ""
    for row in rows:
        if row["branch"] != branch:
            branch = row["branch"]
            lines.append(Row([BRANCHES.get(branch, "Study" if branch == "all" else branch)], [], group=True))
        names = [results.sessions.get(name, name) for name in (row["session_id"] or "").split("+") if name]
        where = " and ".join(names) if names else ("no session" if row["step"] == "set of sessions" else "")
        n: Text = [row.number("n")] if numbers.given(row["n"]) else ["not recorded"]
        lines.append(Row([row["step"]], [[where], n, [row["note"] or ""]]))
    caption = ["Every count. Over the sets of sessions of a branch, the counts add up to the enrolled."]
    table = Table(caption, ["Step", "Session", "Participants", "What the count means"], lines, [1])
    return [*blocks, *results.figures_at("participants"), Fold(["Every count of the flow"], [table])]


def _table1(results: Results) -> list[Any]:
    """Paired Table 1: characteristics, then mean and SD of each modelled measure at each session."""
    rows, sessions = results.rows_of("table1"), results.sessions
    if not rows:
        return []
    modelled = {name for row in results.rows for name in (row.outcome, row.tested.of)}
    described = [row for row in rows if row["domain"] == "characteristic"]
    lines = [Row(["Characteristics"], [], group=True)] if described else []
    named = ""
    for row in described:
        lines.append(_characteristic(row, len(sessions), first=row["measure"] != named))
        named = row["measure"]
    by_measure: dict[str, dict[str, TableRow]] = {}
    for row in rows:
        if row["domain"] != "characteristic" and row["measure"] in modelled:
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
    return [Table(caption, columns, lines, range(len(columns) - 1), [f"{note}."])]


def _characteristic(row: TableRow, sessions: int, *, first: bool) -> Row:
    """Return a covariate, or a level of it; how many it lacks stands beside the first level."""
    name, level = labels.label(row["measure"]).long, row["level"]
    value: Text
    if level is None:
        head, value = _with_unit(name, row["unit"]), _mean_sd(row, _sd_decimals(row))
        complete: Text = [row.number("n")]
    else:
        head, complete = f"{name}: {level}", [""]
        value = [row.number("n"), " (", row.number("percent"), f"{numbers.NBSP}%)"]
    missing: Text = [row.number("missing")] if first else [""]
    return Row([head], [value, *[[""]] * (sessions - 1), complete, missing])


def _at_sessions(measure: str, per: Mapping[str, TableRow], sessions: Mapping[str, str]) -> Row:
    """Return a measure with its mean and SD at each session, and how many have it."""
    first = next(iter(per.values()))
    decimals = max(_sd_decimals(row) for row in per.values())
    cells, missing = [], []
    for name in sessions:
        cells.append(_mean_sd(per[name], decimals) if name in per else [numbers.NONE])
        missing += [" / ", per[name].number("missing") if name in per else numbers.NONE]
    complete = [first.number("n_complete")]
    sign = sign_words(measure, "") if labels.sign_note(measure) else ""
    head = _with_unit(labels.label(measure).long, first["unit"])
    return Row([head], [*cells, complete, missing[1:]], remark=sign)


def _with_unit(name: str, unit: str | None) -> str:
    return f"{name}, {numbers.unit_shown(unit)}" if unit else name


def _sd_decimals(row: TableRow) -> int:
    return max(1, numbers.decimals_for(row["sd"])) if numbers.given(row["sd"]) else 1


def _mean_sd(row: TableRow, decimals: int) -> list[str | Number]:
    if not numbers.given(row["mean"]):
        return [numbers.NONE]
    return [row.number("mean", decimals), " (", row.number("sd", decimals), ")"]


def course(results: Results) -> list[Any]:
    """Dose and safety of the intervention; what was not recorded is named in one sentence."""
    rows = results.rows_of("course")
    lines = []
    for row in (row for row in rows if row["recorded"]):
        name = _ITEMS.get(row["item"], row["item"]) + (f": {row['level']}" if row["level"] else "")
        spread: Text = [numbers.NONE]
        if numbers.given(row["mean"]):
            mean, sd = (row.number(column, 1) for column in ("mean", "sd"))
            low, high = (row.number(column, 1) for column in ("minimum", "maximum"))
            spread = [mean, " (", sd, "), ", low, " to ", high]
        some = [row.number("n_any")] if numbers.given(row["n_any"]) else [numbers.NONE]
        lines.append(Row([name], [[row.number("n")], some, spread]))
    blocks: list[Any] = []
    if lines:
        columns, note = (
            ["The course", "Persons", "Above zero", "Mean (SD), range"],
            "Persons: of whom it is known.",
        )
        if all(row.cells[1:] == [[numbers.NONE], [numbers.NONE]] for row in lines):
            columns, lines = columns[:2], [Row(row.head, row.cells[:1]) for row in lines]
        else:
            note += " Above zero: of these, persons with more than none."
        caption: Text = ["Dose and safety of the course, as recorded."]
        blocks.append(Table(caption, columns, lines, range(len(columns) - 1), [note]))
    lost = [_ITEMS.get(row["item"], row["item"]) for row in rows if not row["recorded"]]
    if lost:
        blocks.append(Paragraph([f"Not recorded in this study: {', '.join(dict.fromkeys(lost))}."], "note"))
    return blocks


def windows(results: Results) -> list[Any]:
    """Study days that each measure looks back on at each session, against the intervention."""
    sessions = results.sessions
    by_measure: dict[str, dict[str, TableRow]] = {}
    for row in results.rows_of("windows"):
        by_measure.setdefault(row["measure"], {})[row["session_id"]] = row
    lines = [
        Row(
            [labels.instrument(measure)],
            [_window(per[session]) if session in per else [numbers.NONE] for session in sessions],
        )
        for measure, per in by_measure.items()
    ]
    if not lines:
        return []
    first, last = (numbers.number(day, _day_decimals(day)) for day in intervention_days(results.study))
    during = f" (day {first} to {last})" if numbers.NONE not in (first, last) else ""
    caption = [f"Study days that each measure looks back on, against those of the intervention{during}."]
    return [Table(caption, ["Measure", *sessions.values()], lines)]


def _window(row: TableRow) -> Text:
    """Return the window of a measure at a session in words."""
    begin, end, overlap = (
        row.number(column, _day_decimals(row[column])) for column in ("from_day", "to_day", "overlap_days")
    )
    if not numbers.given(row["from_day"]):
        return ["no window stated" if numbers.given(row["to_day"]) else "no window or no day stated"]
    if row["from_day"] == row["to_day"]:
        return ["day ", end, ", a moment"]
    days: list[str | Number] = ["days ", begin, TO, end, ", "]
    if not numbers.given(row["overlap_days"]):
        return [*days, "days of the intervention not stated"]
    if row["overlap_share"] >= 1:
        return [*days, "wholly in the intervention (", overlap, " days)"]
    if not row["overlap_days"]:
        return [*days, "outside the intervention"]
    share = row.number("overlap_share", 2)
    return [*days, "partly in the intervention (", overlap, " days, share ", share, ")"]


def _day_decimals(day: Any) -> int:
    return 0 if not numbers.given(day) or float(day).is_integer() else 1


def inclusion(results: Results) -> list[Any]:
    """Covariates of those with complete data against the others, branch by branch."""
    lines: list[Row] = []
    branch = ""
    for row in results.rows_of("inclusion"):
        if row["domain"] != "characteristic":
            continue
        if row["branch"] != branch:
            branch = row["branch"]
            lines.append(Row([BRANCHES.get(branch, branch)], [], group=True))
        name = labels.label(row["variable"]).long + (f": {row['level']}" if row["level"] else "")
        decimals = 2 if row["level"] else 1
        cells: list[Text] = []
        for side in ("included", "others"):
            cells.append([row.number(f"mean_{side}", decimals), " (n = ", row.number(f"n_{side}"), ")"])
        cells.append([row.number("standardized_difference", 2)])
        lines.append(Row([name], cells))
    if not lines:
        return []
    columns = ["Covariate", "Complete: mean or share", "Others: mean or share", "Standardized difference"]
    caption = ["Persons with data at every session of a branch against the others; descriptive."]
    return [Fold(["Who is complete, and who is not"], [Table(caption, columns, lines, [0, 1, 2])])]
