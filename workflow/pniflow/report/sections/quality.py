"""Quality of the data, what was left out and what is worth a second look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pniflow.report import interpretation
from pniflow.report.blocks import Fold, Listing, Number, Paragraph, Row, Table, Text
from pniflow.report.estimate_tables import row_name
from pniflow.report.listed_tables import listed
from pniflow.report.run_results import Results, TableRow
from pniflow.text import labels, numbers, wording

if TYPE_CHECKING:
    import pandas as pd


def quality(results: Results) -> list[Any]:
    """Quality and exclusions, with the alarms last."""
    return [
        *results.figures_at("quality"),
        *account(results),
        *_exclusions(results),
        *samples(results),
        *prorated(results),
        *reliability(results),
        *_alarms(results),
    ]


_FATES = {
    "cells": "Cells read",
    "stored": "stored",
    "blank": "blank",
    "missing_code": "missing by a code",
    "left_out": "left out by a rule",
}


def account(results: Results) -> list[Any]:
    """What became of every cell of the study's tables, file by file, and what rules leave out."""
    table = results.filled("account")
    if table is None or table["file"].isna().all():
        return []
    fields = table[table["field"].notna()]
    parts = [f"{count} {word.lower()}" for word, count in zip(_FATES.values(), _sums(fields), strict=True)]
    said = (
        "The study's tables hold every cell of the fields that study.yaml names: "
        f"{parts[0]} = {' + '.join(parts[1:])}."
    )
    lines = []
    for file in dict.fromkeys(table["file"].dropna()):
        rows = table[(table["file"] == file) & table["field"].isna()]
        counts = [int(rows["cells"].sum()), *_sums(fields[fields["file"] == file])]
        lines.append(
            Row([file], [[_tallied(count, f"{file}/{place}")] for place, count in enumerate(counts)])
        )
    files = Table(
        ["What became of the cells of each file."],
        ["File", "Rows", *_FATES.values()],
        lines,
        [*range(1, 2 + len(_FATES))],
    )
    return [Paragraph([said]), Fold(["The files one by one"], [files]), *_rules(table)]


def _sums(rows: pd.DataFrame) -> list[int]:
    return [int(rows[name].sum()) for name in _FATES]


def _tallied(count: int, key: str) -> Number:
    return Number(str(count), key, "cells", "account")


def _rules(table: pd.DataFrame) -> list[Table]:
    """What rules of study.yaml leave out: people, rows of files, and cells."""
    left = table[table["left_out"] > 0]
    lines = []
    for (rule, reason), rows in left.groupby(["rule", "reason"], sort=False):
        people, whole = rows["file"].isna(), rows["field"].isna()
        counts = [rows["left_out"][at].sum() for at in (people, whole & ~people, ~whole)]
        cells: list[Text] = [[_tallied(int(n), f"{rule}/{at}")] for at, n in enumerate(counts)]
        lines.append(Row([str(rule)], [[str(reason)], *cells]))
    head = ["Rule of study.yaml", "Reason", "People", "Rows", "Cells"]
    return [Table(["What the study leaves out."], head, lines, [2, 3, 4])] if lines else []


def _exclusions(results: Results) -> list[Any]:
    blocks: list[Any] = []
    exclusions = results.filled("exclusions")
    if exclusions is not None:
        caption = "Everything that was collected and left out, with the rule and the reason."
        one_by_one = _second_look(results, "exclusions", caption, "Rule")
        blocks += [_exclusion_counts(exclusions), Fold(["The exclusions one by one"], [one_by_one])]
    elif "exclusions" in results.tables:
        blocks.append(Paragraph(["Nothing that was collected was left out."]))
    if results.filled("flags") is not None:
        caption = "Used, but worth a second look; nothing here was left out."
        blocks.append(_second_look(results, "flags", caption, "Flag"))
    return blocks


def _second_look(results: Results, name: str, caption: str, rule: str) -> Table:
    """Things that a rule left out or flagged, one by one: in words, as named in the run's tables below."""
    lines = []
    for row in results.rows_of(name):
        place: list[Text] = [[row["participant_id"] or ""], [results.sessions.get(row["session_id"], "")]]
        why: list[Text] = [[row["rule"]], [wording.remark(row["reason"], results.sessions)]]
        said = labels.item(row["item"])
        lines.append(Row([said], [*place, *why], remark=row["item"] if said != row["item"] else ""))
    return Table([caption], ["What", "Participant", "Session", rule, "Reason"], lines)


def _exclusion_counts(exclusions: pd.DataFrame) -> Table:
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


def samples(results: Results) -> list[Any]:
    """How many blood samples were assessed and what was notable; nothing here was left out."""
    table = results.filled("sample_quality")
    if table is None:
        return []
    flagged = table[table["flags"].notna()]
    text: Text = [
        "Blood samples assessed: ", Number(str(len(table)), "all", "sample_id", "sample_quality"),
        "; with something notable: ", Number(str(len(flagged)), "all", "flags", "sample_quality"), ".",
    ]  # fmt: skip
    wanted = ["sample_id", "participant_id", "session_id", "detected_genes", "profile_correlation"]
    blocks: list[Any] = [Paragraph(text)]
    if len(flagged):
        said = {"session_id": lambda name: results.sessions.get(name, name)}
        columns = [name for name in [*wanted, "flags"] if name in table]
        caption = "Blood samples with something notable; a flag marks and never leaves out."
        blocks.append(listed(flagged[columns], "sample_quality", caption, "", said))
    return blocks


def prorated(results: Results) -> list[Any]:
    """How many scores of each scale were prorated and how many could not be made; keys are scales."""
    table = results.filled("scales")
    if table is None:
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


def reliability(results: Results) -> list[Any]:
    """Cronbach's alpha and McDonald's omega of each scale at each session, with what should be looked at."""
    sessions = results.sessions
    by_scale: dict[str, dict[str, TableRow]] = {}
    for row in (row for row in results.rows_of("reliability") if row["item"] is None):
        by_scale.setdefault(row["scale"], {})[row["session_id"]] = row
    lines = []
    for scale, per in by_scale.items():
        cells: list[Text] = []
        for session in sessions:
            if session not in per:
                cells.append([numbers.NONE])
                continue
            alpha, omega = (per[session].number(name, 2) for name in ("alpha", "omega"))
            cells.append([alpha, " / ", omega, " (n = ", per[session].number("n"), ")"])
        notes = dict.fromkeys(str(one["note"]) for one in per.values() if numbers.given(one["note"]))
        lines.append(Row([labels.label(scale).long], [*cells, ["; ".join(notes)]]))
    if not lines:
        return []
    columns = ["Scale", *(f"{label}: α / ω (n)" for label in sessions.values()), "Remark"]
    from pniflow.questionnaires.reliability import FEWEST

    caption = [
        "Internal consistency of each scale: Cronbach's α and McDonald's ω, of persons who answered all"
        f" items; a dash where fewer than {FEWEST} did."
    ]
    return [Fold(["Reliability of the scales"], [Table(caption, columns, lines, range(len(sessions)))])]


def _alarms(results: Results) -> list[Any]:
    """Name negative controls in which a difference was shown, and fits at the edge of what can be fitted."""
    blocks: list[Any] = []
    found = [
        interpretation.answer(row, results.context) for row in results.rows if interpretation.is_control(row)
    ]
    alarms = [one for one in found if one[0] == interpretation.SHOWN]
    if alarms:
        text = "A difference was shown in a negative control, where none is expected; look at this first:"
        blocks += [Paragraph([text]), Listing(alarms)]
    singular: list[tuple[str, Text]] = [
        ("", [f"{row_name(row)} ({row.key}): {wording.remark(row.note, results.sessions)}"])
        for row in results.tested
        if row.singular
    ]
    if singular:
        text = "Fits in which the variance between persons was estimated at zero (singular), tested terms:"
        blocks += [Paragraph([text]), Listing(singular)]
    return blocks
