"""Tables that describe and test nothing: course, recall windows, completeness, scales, flags, dictionary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pniflow.modalities import BRANCHES
from pniflow.report.blocks import TO, Fold, Number, Paragraph, Row, Table, Text
from pniflow.report.methods import instrument
from pniflow.study.recall_windows import intervention_days
from pniflow.text import labels, numbers

if TYPE_CHECKING:
    import pandas as pd

_ITEMS = {
    "completed_course": "completed the course",
    "reason_not_completed": "reason for not completing",
    "sessions_attended": "sessions attended",
    "home_practice": "practice at home",
    "adverse_events": "adverse events",
    "relapses": "relapses",
}


def _number(row: Mapping[str, Any], column: str, key: str, table: str, decimals: int = 0) -> Number:
    return Number(numbers.number(row[column], decimals), key, column, table)


def course(table: pd.DataFrame) -> list[Any]:
    """Dose and safety of the intervention; what was not recorded is named in one sentence."""
    rows = numbers.records(table)
    lines = []
    for row in (row for row in rows if row["recorded"]):
        key = f"{row['item']}/{row['level'] or ''}"
        name = _ITEMS.get(row["item"], row["item"]) + (f": {row['level']}" if row["level"] else "")
        spread: Text = [numbers.NONE]
        if numbers.given(row["mean"]):
            mean, sd = (_number(row, column, key, "course", 1) for column in ("mean", "sd"))
            low, high = (_number(row, column, key, "course", 1) for column in ("minimum", "maximum"))
            spread = [mean, " (", sd, "), ", low, " to ", high]
        some = [_number(row, "n_any", key, "course")] if numbers.given(row["n_any"]) else [numbers.NONE]
        lines.append(Row([name], [[_number(row, "n", key, "course")], some, spread]))
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


def windows(table: pd.DataFrame, study: Mapping[str, Any], sessions: Mapping[str, str]) -> list[Any]:
    """Study days that each measure looks back on at each session, against the intervention."""
    by_measure: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in numbers.records(table):
        by_measure.setdefault(row["measure"], {})[row["session_id"]] = row
    lines = [
        Row(
            [instrument(measure)],
            [_window(per[session]) if session in per else [numbers.NONE] for session in sessions],
        )
        for measure, per in by_measure.items()
    ]
    if not lines:
        return []
    first, last = (numbers.number(day, _day_decimals(day)) for day in intervention_days(study))
    during = f" (day {first} to {last})" if numbers.NONE not in (first, last) else ""
    caption = [f"Study days that each measure looks back on, against those of the intervention{during}."]
    return [Table(caption, ["Measure", *sessions.values()], lines)]


def _window(row: Mapping[str, Any]) -> Text:
    """Return the window of a measure at a session in words."""
    key = f"{row['measure']}/{row['session_id']}"
    begin, end, overlap = (
        _number(row, column, key, "windows", _day_decimals(row[column]))
        for column in ("from_day", "to_day", "overlap_days")
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
    share = _number(row, "overlap_share", key, "windows", 2)
    return [*days, "partly in the intervention (", overlap, " days, share ", share, ")"]


def _day_decimals(day: Any) -> int:
    return 0 if not numbers.given(day) or float(day).is_integer() else 1


def inclusion(table: pd.DataFrame) -> list[Any]:
    """Covariates of those with complete data against the others, branch by branch."""
    lines: list[Row] = []
    branch = ""
    for row in numbers.records(table[table["domain"] == "characteristic"]):
        if row["branch"] != branch:
            branch = row["branch"]
            lines.append(Row([BRANCHES.get(branch, branch)], [], group=True))
        key = f"{row['branch']}/{row['variable']}/{row['session_id'] or ''}/{row['level'] or ''}"
        name = labels.label(row["variable"]).long + (f": {row['level']}" if row["level"] else "")
        decimals = 2 if row["level"] else 1
        cells: list[Text] = []
        for side in ("included", "others"):
            mean = _number(row, f"mean_{side}", key, "inclusion", decimals)
            cells.append([mean, " (n = ", _number(row, f"n_{side}", key, "inclusion"), ")"])
        cells.append([_number(row, "standardized_difference", key, "inclusion", 2)])
        lines.append(Row([name], cells))
    if not lines:
        return []
    columns = ["Covariate", "Complete: mean or share", "Others: mean or share", "Standardized difference"]
    caption = ["Persons with data at every session of a branch against the others; descriptive."]
    return [Fold(["Who is complete, and who is not"], [Table(caption, columns, lines, [0, 1, 2])])]


def prorated(table: pd.DataFrame) -> list[Any]:
    """How many scores of each scale were prorated and how many could not be made; keys are scales."""
    if not len(table):
        return []
    marked = table.assign(unscored=table["score"].isna()).groupby("scale", sort=False)
    counts = marked.agg(rows=("scale", "size"), prorated=("prorated", "sum"), unscored=("unscored", "sum"))

    def cells(scale: Any, count: Mapping[Any, Any]) -> list[Number]:
        fields = {"rows": "scale", "prorated": "prorated", "unscored": "score"}
        return [Number(str(int(count[name])), scale, field, "scales") for name, field in fields.items()]

    rows, some, none = cells("all", counts.sum().to_dict())
    text: Text = ["Scale scores: ", rows, "; prorated: ", some, "; could not be scored: ", none, "."]
    lines = [
        Row([labels.label(scale).long], [[number] for number in cells(scale, count)])
        for scale, count in zip(counts.index, counts.to_dict("records"), strict=True)
    ]
    caption = [
        "Questionnaires by scale, counted over persons and sessions. Prorated: the items that were not"
        " answered count as the person's mean of the scale. Not scored: too few items were answered."
    ]
    listed = Table(caption, ["Scale", "Questionnaires", "Prorated", "Not scored"], lines, range(3))
    return [Paragraph(text), Fold(["Prorated and missing scores of each scale"], [listed])]


def reliability(table: pd.DataFrame, sessions: Mapping[str, str]) -> list[Any]:
    """Cronbach's alpha and McDonald's omega of each scale at each session, with what should be looked at."""
    by_scale: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in numbers.records(table[table["item"].isna()]):
        by_scale.setdefault(row["scale"], {})[row["session_id"]] = row
    lines = []
    for scale, per in by_scale.items():
        cells: list[Text] = []
        for session in sessions:
            if session not in per:
                cells.append([numbers.NONE])
                continue
            key = f"{scale}/{session}/"
            alpha, omega = (_number(per[session], name, key, "reliability", 2) for name in ("alpha", "omega"))
            cells.append([alpha, " / ", omega, " (n = ", _number(per[session], "n", key, "reliability"), ")"])
        notes = dict.fromkeys(str(one["note"]) for one in per.values() if numbers.given(one["note"]))
        lines.append(Row([labels.label(scale).long], [*cells, ["; ".join(notes)]]))
    if not lines:
        return []
    columns = ["Scale", *(f"{label}: α / ω (n)" for label in sessions.values()), "Remark"]
    caption = [
        "Internal consistency of each scale: Cronbach's α and McDonald's ω, of persons who answered all"
        " items."
    ]
    return [Fold(["Reliability of the scales"], [Table(caption, columns, lines, range(len(sessions)))])]


def dictionary(table: pd.DataFrame) -> list[Any]:
    """What every column of every table of the run means."""
    lines: list[Row] = []
    name = ""
    for row in numbers.records(table):
        if row["table"] != name:
            name = row["table"]
            lines.append(Row([name], [], group=True))
        unit = numbers.unit_shown(row["unit"] or "")
        cells: list[Text] = [[row["description"] or ""], [row["type"] or ""], [unit], [row["levels"] or ""]]
        lines.append(Row([row["column"]], cells))
    if not lines:
        return []
    table_of = Table(
        ["The columns of every table of this run."], ["Column", "Meaning", "Type", "Unit", "Levels"], lines
    )
    return [Fold(["Every column of every table"], [table_of], "dictionary.tsv")]
