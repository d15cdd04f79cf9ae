"""Guesses at what plain tables hold (a survey, a laboratory's list), for a first study.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.errors import InputError, listing
from pniflow.questionnaires.keys import read_key
from pniflow.study.covariates import CODES
from pniflow.study.fields import Field
from pniflow.study.guesses import SESSION, Found, affix_keys, guess_affixes, guess_instruments, word_of
from pniflow.study.rawtables import RawTable, file_of, numbers, read_raw
from pniflow.study.records import PLAIN

if TYPE_CHECKING:
    import pandas as pd

# What the column of the participant is called; `id` comes last, since a survey numbers its answers so.
_NUMBER = r"([_ .-]?(id|nr|no|number|code))?"
_IDS = (
    rf"(participant|subject|proband\w*|person|patient|pseudonym|record|vp|sub){_NUMBER}",
    r"(study|participant)?[_ .-]?(code|pid)",
    r"id|token|nr",
)
_SESSIONS = rf"(session|visite?|time([_ -]?point)?|wave|event|phase|zeit|(mess)?zeitpunkt|welle|mzp){_NUMBER}"
_MISSING = {*map(str, CODES), "99"}
_YES_NO = {"0": "no", "1": "yes", "ja": "yes", "nein": "no"}
_UNIT = re.compile(r"[\[(]([^\])]+)[\])]|\b([pnuµm]?(?:g|mol|IU|U)/(?:mg|g|[mdu]?l|L))\b")


@dataclass
class Guessed:
    """A plain table as guessed.

    Attributes
    ----------
    name : str
        File name for study.yaml.
    id : str
        Column of the participant.
    session : str
        Column of the session; blank without one.
    words : list of str
        The table's own words for sessions, in order of time.
    affixes : list of (str, str)
        In a wide table what tells the sessions, in the order of `words`.
    found : list of Found
        Questionnaires.
    fields : dict
        Further columns, with coded choices where they have few values.
    missing : list of str
        Codes for missing answers.
    once : bool
        True where every participant has one row.
    """

    name: str
    id: str
    session: str
    words: list[str]
    affixes: list[tuple[str, str]]
    found: list[Found]
    fields: dict[str, Field]
    missing: list[str]
    once: bool

    def session_keys(self, sessions: Mapping[str, str]) -> dict[str, Any]:
        """Return what study.yaml says of the sessions.

        Parameters
        ----------
        sessions : dict
            Word of this table -> session.
        """
        if self.session:
            return {"session": self.session, "session_codes": {word: sessions[word] for word in self.words}}
        keys = affix_keys({affix: sessions[word_of(affix)] for affix in self.affixes})
        whole = sessions[self.words[0]] if self.words and not self.affixes else None
        return {"session": whole, **keys}


def guess_table(path: Path, name: str) -> Guessed:
    """Guess what the columns of a table are."""
    table = read_raw(Path(file_of(str(path))), path.name)
    frame = _frame(table)
    key = _id_column(frame, table.name)
    session = _session_column(frame, key)
    others = [column for column in map(str, frame) if column not in (key, session)]
    fields = {column: _field(column, frame[column]) for column in others}
    found = guess_instruments(
        {column: replace(one, choices={}, kind="text") for column, one in fields.items()}
    )
    missing: dict[str, None] = {}
    for one in found:
        missing |= dict.fromkeys(_look_at_answers(one, frame))
    affixes = guess_affixes(found)
    once = not frame[key].duplicated().any()
    if session:
        words = in_time({value for value in frame[session] if value})
    elif affixes:
        words = in_time({word_of(affix) for affix in affixes})
    else:
        told = re.search(rf"(?:^|[_ .-])({SESSION})(?=$|[_ .-])", path.name.split(".")[0], re.IGNORECASE)
        words = [told[1]] if told and found else []
    items = {column for one in found for column in _columns_of(one)}
    return Guessed(
        name=name,
        id=key,
        session=session,
        words=words,
        affixes=affixes,
        found=found,
        fields={column: one for column, one in fields.items() if column not in items},
        missing=sorted(missing),
        once=once,
    )


def guess_assays(path: Path, name: str) -> tuple[Guessed, dict[str, dict[str, Any]], list[str]]:
    """Guess which columns of a laboratory's list are values.

    Returns
    -------
    table : Guessed
    assays : dict
        Name -> file, columns and unit; the sessions are the table's.
    open : list of str
        What could not be guessed.
    """
    table = guess_table(path, name)
    frame = _frame(read_raw(Path(file_of(str(path))), path.name))
    if not table.session:
        raise InputError(
            f"{path.name}: no column looks like the session (columns are {listing(list(frame), 20)}); add "
            "one, with a row for every participant and session."
        )
    assays: dict[str, dict[str, Any]] = {}
    unsaid = []
    for column in table.fields:
        values, _ = numbers(frame[column].str.removeprefix("<").str.strip())
        if np.isfinite(values).sum() < len(values) / 2 or re.search(
            r"batch|plate|replic|dupli", column, re.I
        ):
            continue
        unit = _UNIT.search(column)
        word = re.sub(r"[^a-z0-9]+", "_", _UNIT.sub("", column).lower()).strip("_")
        hair = re.search(r"hair|haar", f"{name} {column}", re.IGNORECASE)
        word = "hair_cortisol" if "cortisol" in word and hair else re.sub(r"^(?=\d)", "x", word) or "value"
        columns = {"participant": table.id, "session": table.session, "value": column}
        assays[word] = {
            "file": name,
            "columns": columns,
            "unit": (unit[1] or unit[2]) if unit else "not recorded",
        }
        if unit is None:
            unsaid.append(
                f"the unit of {word}; write it at assays.{word}.unit, and its detection_limit if known."
            )
    if not assays:
        unsaid.append(f"which column of {name} holds the values; add an entry under assays.")
    return table, assays, unsaid


def in_time(words: set[str]) -> list[str]:
    """Order words for sessions: those before, then by number, after, follow-up."""
    return sorted(words, key=lambda word: (*_time(word), word))


def _time(word: str) -> tuple[int, int]:
    number = re.search(r"\d+", word)
    stage = 0
    for place, shape in (
        (-1, r"pr[eä]|base|\bbl|vor|before|screen|enrol"),
        (1, r"post|nach|after|end"),
        (2, r"f(u|ollow)|kata"),
    ):
        stage = place if re.search(shape, word, re.IGNORECASE) else stage
    return stage, int(number[0]) if number else 0


def _frame(table: RawTable) -> pd.DataFrame:
    once = {name: place for place, name in enumerate(table.header) if name and table.header.count(name) == 1}
    return table.columns(once)


def _id_column(frame: pd.DataFrame, name: str) -> str:
    for shape in _IDS:
        for column in map(str, frame):
            if re.fullmatch(shape, column, re.IGNORECASE):
                return column
    raise InputError(
        f"{name}: no column looks like the participant's (columns are {listing(list(frame), 20)}); call it "
        "participant_id in a copy of the table."
    )


def _session_column(frame: pd.DataFrame, key: str) -> str:
    def few(column: str) -> bool:
        return 0 < frame[column][frame[column] != ""].nunique() <= 12

    for column in map(str, frame):
        if column != key and re.fullmatch(_SESSIONS, column, re.IGNORECASE) and few(column):
            return column
    for column in map(str, frame):
        if column != key and few(column):
            given = frame[column][frame[column] != ""]
            if given.str.fullmatch(rf"(?:ses-)?(?:{SESSION})", case=False).all():
                return column
    return ""


def _field(name: str, cells: pd.Series) -> Field:
    distinct = sorted(set(cells) - {""} - _MISSING)
    values, _ = numbers(cells)
    words = 0 < len(distinct) <= 6 and (np.isnan(values).all() or set(distinct) <= {"0", "1", "2"})
    choices = {}
    if words:
        binary = {text.lower() for text in distinct} <= set(_YES_NO)
        choices = {text: _YES_NO[text.lower()] if binary else text for text in distinct}
    return Field(name, "radio" if choices else "plain", choices=choices)


def _columns_of(one: Found) -> set[str]:
    """Return the columns of a questionnaire's items, of all sessions."""
    affixes = one.affixes or [PLAIN]
    before, after = affixes[0]
    bare = [name[len(before) : len(name) - len(after)] for name in one.fields]
    return {f"{start}{name}{end}" for start, end in affixes for name in bare}


def _look_at_answers(one: Found, frame: pd.DataFrame) -> list[str]:
    """Set the offset where answers begin at 1; return the codes that are no answers."""
    import pandas as pd

    key = read_key(one.instrument)
    columns = [column for column in map(str, frame) if column in _columns_of(one)]
    cells = pd.concat([frame[column] for column in columns])
    codes = sorted(_MISSING & set(cells))
    values, wrong = numbers(cells[~cells.isin(codes)])
    given = values[np.isfinite(values)]
    if wrong.any():
        one.open.append(
            f"which numbers the answers to {one.instrument} are; write them at "
            f"instruments.{one.instrument}.codes."
        )
    elif len(given) and given.max() == key.high + 1 and given.min() >= key.low + 1:
        one.offset = -1
        one.comment = (
            f"guess: answers go from {given.min():g} to {given.max():g}, the instrument to {key.high:g}"
        )
    return codes
