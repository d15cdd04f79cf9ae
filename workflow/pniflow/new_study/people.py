"""Who a row is of, and which rows are of nobody: the participant's column, previews, test records."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.raw.text_tables import numbers

if TYPE_CHECKING:
    import pandas as pd

_NUMBER = r"([_ .-]?(id|nr|no|number|nummer|code))?"
# Names that say a person, best first.
_PERSON = (
    rf"(participant|subject|proband\w*|person|patient|teilnehmer\w*|pseudonym|vp|sub){_NUMBER}",
    r"token|zugangscode|access code|serial|external(data)?reference|recipient[_ ]?(id|external\w*)",
    r"kennung|chiffre",
    r"((study|participant|your|ihr|mein|pers\w+|studien)[_ .-]?)?(code|pid)(wort|[_ .-]?word)?",
)
# Names that may as well number the rows, and those of a survey's answers.
_PERHAPS = (r"(record|study|studien)" + _NUMBER, r"id|nr|no|number|nummer|index")
_ANSWER = r"(response|answer|antwort|respondent|submission|case)[_ .-]?(id|nr|no|number)?|lfdn|#"
_IN_WORDS = r"\b(code|pseudonym|kennung|teilnehmer\w*nummer|participant (id|number|code))\b"
# What programs for surveys write beside each answer.
_SURVEY = {
    *("submitdate", "lastpage", "startlanguage", "seed", "startdate", "datestamp", "ipaddr", "token"),
    *("date submitted", "last page", "start language", "date started", "date last action", "ip address"),
    *("datum abgeschickt", "letzte seite", "start-sprache", "zufallsstartwert", "datum gestartet"),
    *("zugangscode", "enddate", "recordeddate", "responseid", "response id", "ipaddress", "progress"),
    *("finished", "distributionchannel"),
    *("respondent id", "respondentid", "collector id", "collectorid", "userlanguage", "date created"),
    *("date modified", "start date", "end date", "recorded date", "timestamp", "zeitstempel", "started"),
    *("lastdata", "questnnr", "start time", "completion time", "startzeit", "fertigstellungszeit"),
}  # fmt: skip
_PREVIEWS = {"1", "2", "9", "17", "survey preview", "survey test", "preview", "spam preview"}
_TEST = r"(test|demo|dummy|beispiel|example)([\W_]*\d*)|test[\W_]+\w{1,8}"


def is_survey(frame: pd.DataFrame) -> bool:
    """Tell whether a table is a survey's export: it says when, how far or how each answer came."""
    return sum(str(column).lower() in _SURVEY for column in frame) >= 2


def guess_person(frame: pd.DataFrame, alone: bool) -> tuple[str, str]:
    """Guess the column of the participant.

    A number of rows or answers is never a person where there are other files that it would have to agree
    with.

    Parameters
    ----------
    frame : DataFrame of str
    alone : bool
        True where the table is the only file.

    Returns
    -------
    column : str
        Blank where none is one.
    counting : str
        The column that only counts the rows, where there is no other.
    """
    columns = [str(column) for column in frame if (frame[column] != "").mean() > 0.5]
    for shape in _PERSON:
        for column in columns:
            if re.fullmatch(shape, column, re.IGNORECASE):
                return column, ""
    counting, survey = "", is_survey(frame)
    for shape in (*_PERHAPS, _ANSWER):
        for column in columns:
            if not re.fullmatch(shape, column, re.IGNORECASE):
                continue
            if alone or not (shape == _ANSWER or counts_rows(frame[column], survey)):
                return column, ""
            counting = counting or column
    asked = [column for column in columns if re.search(_IN_WORDS, column, re.IGNORECASE)]
    if len(asked) == 1 and not counts_rows(frame[asked[0]], False):
        return asked[0], ""
    return "", counting


def counts_rows(cells: pd.Series, survey: bool) -> bool:
    """Tell whether numbers count the rows: 1 to n in order, or in a survey's export any without repeats.

    A number with zeros before it (01) is an id that somebody gave.
    """
    values, _ = numbers(cells)
    if cells.str.match(r"0\d").any() or len(values) < 2 or not np.isfinite(values).all():
        return False
    in_order = bool((np.diff(values) == 1).all() and values[0] in (0, 1))
    return in_order or (survey and not cells.duplicated().any())


def guess_exclusions(frame: pd.DataFrame, name: str, person: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Guess which rows are of nobody: previews of a survey, test records.

    Returns
    -------
    rules : list of dict
        Entries of `exclude` in study.yaml.
    open : list of str
        What is to be decided: answers that were not finished.
    """
    rules: list[dict[str, Any]] = []
    unsaid: list[str] = []
    lower = {str(column).lower(): str(column) for column in frame} if is_survey(frame) else {}
    for word in ("status", "distributionchannel"):
        column = lower.get(word)
        values = sorted({cell for cell in frame[column] if cell.lower() in _PREVIEWS}) if column else []
        if column and values and not rules:
            why = "preview or test of the survey"
            rules.append({"column": column, "values": values, "file": name, "reason": why})
    if column := lower.get("finished"):
        left = sorted({cell for cell in frame[column] if cell.lower() in ("0", "false")})
        rows = int(frame[column].isin(left).sum())
        if left:
            entry = f"{{column: {column}, values: [{left[0]!r}], file: {name}, reason: not finished}}"
            unsaid.append(
                f"whether answers of {name} that were not finished count ({rows}); if not, add {entry} under "
                "exclude."
            )
    if person:
        tests = sorted({cell for cell in frame[person] if re.fullmatch(_TEST, cell, re.IGNORECASE)})
        if tests:
            rules.append({"participants": tests, "reason": "test record"})
    return rules, unsaid


def left_out(frame: pd.DataFrame, rules: Iterable[dict[str, Any]], person: str) -> pd.DataFrame:
    """Return the rows that the drafted exclusions leave."""
    for rule in rules:
        frame = frame[~frame[rule.get("column", person)].isin(rule.get("values", rule.get("participants")))]
    return frame
