"""What plain tables hold (a survey, a laboratory's list): people, sessions, questionnaires."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.errors import InputError, listing
from pniflow.new_study.occasions import When, when
from pniflow.new_study.people import counts_rows, guess_exclusions, guess_person, is_survey, left_out
from pniflow.new_study.questionnaires import (
    SESSION,
    Found,
    affix_keys,
    bare_ending,
    columns_of,
    guess_affixes,
    guess_instruments,
    not_recognized,
    word_of,
)
from pniflow.questionnaires.keys import read_key
from pniflow.raw.text_tables import RawTable, file_of, numbers, read_raw, sheet_of
from pniflow.study.covariates import CODES
from pniflow.study.fields import Field

if TYPE_CHECKING:
    import pandas as pd

_NUMBER = r"([_ .-]?(id|nr|no|number|code|name))?"
_SESSIONS = (
    rf"(session|visite?|time([_ -]?point)?|wave|event|phase|zeit|(mess|erhebungs)?zeitpunkt|welle|mzp"
    rf"|occasion|assessment|erhebung|messung|befragung|termin|tp){_NUMBER}"
)
_COUNTED = re.compile(r"(?!.*(?:birth|geburt)).*?(day|tag|week|woche|month|monat)s?", re.IGNORECASE)
_MISSING = {*map(str, CODES), "99"}
_YES_NO = {"0": "no", "1": "yes", "ja": "yes", "nein": "no"}
_UNIT = re.compile(r"[\[(]([^\])]+)[\])]|\b([pnuµm]?(?:g|mol|IU|U)/(?:mg|g|[mdu]?l|L))\b")
# Words of file names that tell a version as often as a session.
_VERSION = re.compile(r"\b(final|complete[d]?|last|letzte|end)\b", re.IGNORECASE)


@dataclass
class Guessed:
    """A plain table as guessed.

    Attributes
    ----------
    name : str
        File name for study.yaml.
    id : str
        Column of the participant; blank where it could not be guessed.
    session : str
        Column of the session; blank without one.
    words : dict
        The table's own words for sessions -> what they mean (a day's number -> day 7).
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
    people : list of str
        Ids, a row each.
    dates : dict
        Column -> word (blank without) -> participant -> date.
    exclude : list of dict
        Rows that are of nobody.
    open : list of str
        What could not be guessed; {place} stands for the table's place in study.yaml.
    counting : str
        Column that only counts the rows, where there is no other for the participant.
    numbered : list of str
        Its cells.
    varying : set of str
        Columns with more than one value.
    """

    name: str
    id: str
    session: str
    words: dict[str, str]
    affixes: list[tuple[str, str]]
    found: list[Found]
    fields: dict[str, Field]
    missing: list[str]
    once: bool
    people: list[str]
    dates: dict[str, dict[str, dict[str, str]]]
    exclude: list[dict[str, Any]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    counting: str = ""
    numbered: list[str] = field(default_factory=list)
    varying: set[str] = field(default_factory=set)

    @property
    def affix_words(self) -> dict[tuple[str, str], str]:
        """Beginning and ending of columns -> word of the session."""
        return {affix: word_of(affix) for affix in self.affixes}

    def session_keys(self, sessions: Mapping[str, str]) -> dict[str, Any]:
        """Return what study.yaml says of the sessions.

        Parameters
        ----------
        sessions : dict
            What a word of this table means -> session.
        """
        if self.session:
            codes = {word: sessions[meaning] for word, meaning in self.words.items()}
            return {"session": self.session, "session_codes": codes}
        keys = affix_keys({affix: sessions[word] for affix, word in self.affix_words.items()})
        whole = next((sessions[meaning] for meaning in self.words.values()), None)
        return {"session": None if self.affixes else whole, **keys}


def guess_table(path: Path, name: str, alone: bool = True) -> Guessed:
    """Guess what the columns of a table are; `alone` tells that it is the only file."""
    table = read_raw(Path(file_of(str(path))), path.name)
    frame = frame_of(table)
    key, counting = guess_person(frame, alone)
    if not key and not counting:
        raise InputError(
            f"{table.name}: no column looks like the participant's (columns are {listing(list(frame), 20)}); "
            "call it participant_id in a copy of the table."
        )
    exclude, unsaid = guess_exclusions(frame, name, key)
    frame = left_out(frame, exclude, key)
    session, words = guess_session_column(frame, key)
    if session and key and len(words) > 1 and counts_rows(frame[key], is_survey(frame)):
        key, counting = "", key  # each row has a number of its own, and each person several rows
    others = [column for column in map(str, frame) if column not in (key or counting, session)]
    fields = {column: field_of(column, frame[column]) for column in others}
    found = guess_instruments(
        {column: replace(one, choices={}, kind="text") for column, one in fields.items()}
    )
    missing: dict[str, None] = {}
    for one in found:
        missing |= dict.fromkeys(_look_at_answers(one, frame))
    affixes = guess_affixes(found)
    if affixes and not session:
        bare = ["first"] if any(one.bare for one in found) else []
        words = {word: word for word in (*bare, *map(word_of, affixes))}
        unsaid += bare_ending(found, name)
    items = {column for one in found for column in columns_of(one)}
    rest = {column: one for column, one in fields.items() if column not in items}
    result = Guessed(
        name=name,
        id=key,
        session=session,
        words=words,
        affixes=affixes if not session else [],
        found=found,
        fields=rest,
        missing=sorted(missing),
        once=not key or not frame[key].duplicated().any(),
        people=list(frame[key]) if key else [],
        dates=_dates(frame, key, session, words),
        exclude=exclude,
        open=unsaid + not_recognized([column for column in rest if _answers(frame[column])], found),
        counting=counting,
        numbered=list(frame[counting]) if counting else [],
        varying={column for column in rest if frame[column][frame[column] != ""].nunique() > 1},
    )
    _see_repeated(result, frame)
    return result


def guess_assays(
    path: Path, name: str, alone: bool = True
) -> tuple[Guessed, dict[str, dict[str, Any]], list[str]]:
    """Guess which columns of a laboratory's list are values.

    Returns
    -------
    table : Guessed
    assays : dict
        Name -> file, columns and unit; the sessions are the table's.
    open : list of str
        What could not be guessed.
    """
    table = guess_table(path, name, alone)
    frame = frame_of(read_raw(Path(file_of(str(path))), path.name))
    if not table.session:
        raise InputError(
            f"{path.name}: no column looks like the session (columns are {listing(list(frame), 20)}); add "
            "one, with a row for every participant and session."
        )
    assays: dict[str, dict[str, Any]] = {}
    place = "assays.NAME.columns.participant"
    unsaid = [table.open[0].replace("{place}.id", place)] if not table.id else []
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
        columns = {"participant": table.id or None, "session": table.session, "value": column}
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


def place_waves(tables: Sequence[Guessed]) -> list[list[str]]:
    """Give files of one session each their word, from what their names say or do not share.

    Returns
    -------
    list of list of str
        The words of tables that ask the same; of a file that stands alone and whose name tells nothing, none.
    """
    groups: list[list[Guessed]] = []
    for table in tables:
        mine = [group for group in groups if _asked(table) & {name for one in group for name in _asked(one)}]
        groups = [group for group in groups if group not in mine]
        groups.append([*(one for group in mine for one in group), table])
    for group in groups:
        waves = [
            table for table in group if table.found and table.once and not (table.session or table.affixes)
        ]
        parts = [re.findall(r"[^\W_]+", _stem(table.name)) for table in waves]
        shared = {part for part in parts[0] if all(part in own for own in parts)} if len(waves) > 1 else set()
        for table, own in zip(waves, parts, strict=True):
            word = " ".join(part for part in own if part not in shared) or " ".join(own)
            if len(waves) == 1:
                told = re.search(rf"(?:^|[_ .-])({SESSION})(?=$|[_ .-])", _stem(table.name), re.IGNORECASE)
                stated = _VERSION.sub("", word)
                word = told[1] if told else stated.strip() if when(stated) != When() else ""
            table.words = {word: word} if word else {}
            table.dates = {column: {word: of[""]} for column, of in table.dates.items() if "" in of}
    return [list(dict.fromkeys(word for table in group for word in table.words.values())) for group in groups]


def _asked(table: Guessed) -> set[str]:
    return {one.instrument for one in table.found}


def _stem(name: str) -> str:
    path = Path(file_of(name))
    return f"{path.with_name(path.name.split('.')[0]).as_posix()} {sheet_of(name)}".strip()


def frame_of(table: RawTable) -> pd.DataFrame:
    """Return the columns of a table whose names stand once."""
    once = {name: place for place, name in enumerate(table.header) if name and table.header.count(name) == 1}
    return table.columns(once)


def guess_session_column(frame: pd.DataFrame, key: str) -> tuple[str, dict[str, str]]:
    """Guess the column that tells the session: by its name, or by values that all say a time.

    Returns
    -------
    column : str
        Blank without one.
    words : dict
        Its values -> what they mean.
    """
    few = {}
    for column in map(str, frame):
        given = [value for value in dict.fromkeys(frame[column]) if value]
        if column != key and 0 < len(given) <= 12:
            few[column] = given
    several = bool(key) and frame[key].duplicated().any()
    for column, given in few.items():
        if re.fullmatch(_SESSIONS, column, re.IGNORECASE):
            return column, {value: value for value in given}
    for column, given in few.items():
        if all(re.fullmatch(rf"(?:ses-)?(?:{SESSION})", value, re.IGNORECASE) for value in given):
            return column, {value: value for value in given}
    for column, given in few.items() if several else ():
        unique = not frame.duplicated([key, column]).any()
        if unique and (counted := _COUNTED.fullmatch(column)) and all(value.isdigit() for value in given):
            return column, {value: f"{counted[1].lower()} {value}" for value in given}
        told = [when(value) for value in given]
        clear = len(given) > 1 and When() not in told and len(set(told)) == len(told)
        if unique and clear and not any(value.isdigit() for value in given):
            return column, {value: value for value in given}
    return "", {}


def _see_repeated(table: Guessed, frame: pd.DataFrame) -> None:
    """Say where a person has several rows that nothing tells apart."""
    if not table.id:
        others = [column for column in map(str, frame) if column != table.counting]
        table.open.insert(
            0,
            f"which column of {table.name} is the participant; '{table.counting}' only counts the rows "
            f"(columns are {listing(others, 12)}), so write one that names the same person in every "
            "file at {place}.id.",
        )
        return
    keys = [table.id, table.session] if table.session else [table.id]
    again = int(frame.duplicated(keys).sum())
    if again and (table.session or is_survey(frame)):
        where = "participant and session" if table.session else "participant"
        table.open.append(
            f"which row of {table.name} counts where a {where} has several ({again} more rows); write first, "
            "last or most_complete at {place}.keep, or name its column with the session."
        )
    elif again:
        table.open.append(
            f"which column of {table.name} tells the session; participants have several rows, so name it at "
            "{place}.session, and its values at {place}.session_codes."
        )


def _dates(
    frame: pd.DataFrame, key: str, session: str, words: Mapping[str, str]
) -> dict[str, dict[str, dict[str, str]]]:
    """Return the dates of a table's rows: column -> word -> participant -> date (YYYY-MM-DD)."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for column in map(str, frame) if key else ():
        given = frame[column][frame[column] != ""]
        iso = given.str.extract(r"^(\d{4})-(\d\d)-(\d\d)(?:[ T].*)?$")
        german = given.str.extract(r"^(\d\d)\.(\d\d)\.(\d{4})(?:[ T].*)?$")[[2, 1, 0]].set_axis(
            [0, 1, 2], axis=1
        )
        dates = (iso if iso.notna().any(axis=None) else german).dropna().agg("-".join, axis=1)
        if not len(given) or len(dates) < len(given):
            continue
        told = frame[session].map(dict(words)).fillna("") if session else frame[key].map(lambda _: "")
        for word, person, date in zip(told[dates.index], frame[key][dates.index], dates, strict=True):
            found.setdefault(column, {}).setdefault(word, {})[person] = date
    return found


def _answers(cells: pd.Series) -> bool:
    """Tell whether cells may be answers: few different whole numbers or words."""
    return 0 < cells[cells != ""].nunique() <= 12


def field_of(name: str, cells: pd.Series) -> Field:
    """Return a column as a field, with coded choices where it has few values."""
    distinct = sorted(set(cells) - {""} - _MISSING)
    values, _ = numbers(cells)
    words = 0 < len(distinct) <= 6 and (np.isnan(values).all() or set(distinct) <= {"0", "1", "2"})
    choices = {}
    if words:
        binary = {text.lower() for text in distinct} <= set(_YES_NO)
        choices = {text: _YES_NO[text.lower()] if binary else text for text in distinct}
    return Field(name, "radio" if choices else "plain", choices=choices)


def _look_at_answers(one: Found, frame: pd.DataFrame) -> list[str]:
    """Set the offset where answers begin at 1; return the codes that are no answers."""
    import pandas as pd

    key = read_key(one.instrument)
    mine = columns_of(one)
    cells = pd.concat([frame[column] for column in map(str, frame) if column in mine])
    codes = sorted(_MISSING & set(cells))
    values, wrong = numbers(cells[~cells.isin(codes)])
    given = values[np.isfinite(values)]
    one.lowest = bool(len(given)) and bool(given.min() <= key.low)
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
