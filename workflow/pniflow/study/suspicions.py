"""What would be lost or misread in silence: refused, with the key that says what is meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pniflow.errors import InputError, listing
from pniflow.questionnaires.keys import Key
from pniflow.raw.text_tables import RawTable, numbers
from pniflow.study.codings import Coding, answer_of, codings_of
from pniflow.study.covariates import CODES
from pniflow.study.records import UNNAMED, Records

if TYPE_CHECKING:
    import pandas as pd

# Qualtrics: column -> values of rows that no participant answered (previews, tests, spam).
_NOBODY = {
    "Status": ("1", "2", "8", "9", "17", "Survey Preview", "Survey Test", "Spam", "Spam Preview"),
    "DistributionChannel": ("preview", "test"),
}
# What stands behind the name of an item that was recoded, reversed or timed.
_DERIVED = frozenset(
    ("r", "rev", "reversed", "rec", "recoded", "inv", "raw", "score", "text", "label", "rt", "time", "num")
)
_QUALTRICS = {"StartDate", "EndDate", "RecordedDate", "Finished", "Progress", "ResponseId"}


def refuse_previews(table: RawTable, kept: pd.Series) -> None:
    """Refuse rows of a Qualtrics export that are previews or tests, unless a rule excludes them.

    Parameters
    ----------
    kept : Series of bool, shape (n,)
        Rows that no rule excludes, indexed by row in the file.
    """
    if len(_QUALTRICS & set(table.header)) < 2:
        return
    for column, values in _NOBODY.items():
        if column in table.header:
            cells = table.columns({"cell": table.position(column, "exclude")})["cell"]
            hit = cells.isin(values) & kept.reindex(cells.index, fill_value=False)
            if hit.any():
                value = cells[hit].iloc[0]
                raise InputError(
                    f"{table.name}: {int(hit.sum())} rows are previews or tests of the survey (row "
                    f"{hit.idxmax()}, column '{column}' is '{value}'); leave them out in study.yaml: "
                    f"exclude: [{{column: {column}, values: ['{value}'], reason: preview}}]."
                )


def _parts(name: str) -> tuple[str, ...]:
    """Return the words and numbers of a name: GAD1 and gad_01 are ('gad', '1')."""
    return tuple(part.lstrip("0") or part[:1] for part in re.findall(r"[^\W\d_]+|\d+", name.casefold()))


def look_alikes(columns: Iterable[str], fields: Sequence[str]) -> list[dict[int, str]]:
    """Return groups of columns that look like most of an instrument's items under other names.

    Columns of which more are numbered on than the instrument has items are another questionnaire's.

    Parameters
    ----------
    columns : iterable of str
        Columns that nothing else reads.
    fields : sequence of str
        The items' fields.

    Returns
    -------
    list of dict
        Place of the item -> column.
    """
    items = {_parts(name): place for place, name in enumerate(fields)}
    beyond = [str(int(part) + 1) if part.isdigit() else part for part in _parts(fields[-1])]
    items.setdefault(tuple(beyond), len(fields))
    length = {len(parts) for parts in items}
    found: dict[tuple[tuple[str, ...], tuple[str, ...]], dict[int, str]] = {}
    for name in columns:
        parts = _parts(name)
        for size in length:
            for start in range(len(parts) - size + 1):
                item = items.get(parts[start : start + size])
                if item is not None:
                    rest = parts[:start], parts[start + size :]
                    found.setdefault(rest, {}).setdefault(item, name)
    half = max(1, len(fields) // 2)
    return [
        group
        for (_, after), group in found.items()
        if len(group) > half and len(fields) not in group and not _DERIVED.intersection(after[-1:])
    ]


def lost_waves(
    records: Sequence[Records],
    answered: pd.DataFrame,
    study: Mapping[str, Any],
    key: Key,
    keys: Mapping[str, Key],
) -> list[str]:
    """Refuse columns with answers that look like those an instrument lacks, and say which files have none.

    Parameters
    ----------
    answered : DataFrame
        Participant and session of everybody with an answer to the instrument.
    """
    name = key.name
    given = set(zip(answered["participant"].to_numpy(), answered["session"].to_numpy(), strict=True))
    met = set(answered["session"].unique())
    lost = [at for at in study["sessions"] if at not in met]
    silent: dict[str, set[str]] = {}
    for one in map(_with_unnamed, records):
        free = [column for column in one.header if column and column not in one.columns]
        if len(free) <= key.items // 2 or (name in one.own and one.own[name] is None):
            continue
        for _, coding in (pair for pair in codings_of(study, keys, one.own, one.key) if pair[0] == name):
            for like in look_alikes(free, coding.fields):
                if _would_fill(one, like, coding, key, given, study):
                    own = one.key.startswith("tables.")
                    place = f"{one.key}.instruments.{name}" if own else f"instruments.{name}"
                    raise InputError(
                        f"{one.source}: people without answers to {name} have some in the columns "
                        f"{listing(list(like.values()), 3)}, which look like its items; name them as "
                        f"{place}.fields, or what stands before or behind the items' names under prefixes "
                        "or suffixes (null where they are not meant)."
                    )
        for at in [at for at in study["sessions"] if (one.session == at).any()]:
            if not any((who, at) in given for who in one.participant[one.session == at]):
                silent.setdefault(one.source, set()).add(at)
    notes = []
    if given:
        for source, sessions in silent.items():
            at = listing([at for at in study["sessions"] if at in sessions])
            notes.append(
                f"{source}: nobody with a row at {at} has answers to {name}; if it was asked, say where its "
                "items are (fields)."
            )
        if set(lost) - set().union(*silent.values()):
            notes.append(f"{name}: no file has answers at {listing(lost)}.")
    return notes


def _with_unnamed(one: Records) -> Records:
    """Return the records with the rows of a table of which study.yaml names no column."""
    import pandas as pd

    aside = [left for left in one.aside if left.rule == UNNAMED]
    if not aside:
        return one
    return replace(
        one,
        participant=pd.concat([left.participant for left in aside]),
        session=pd.concat([left.session for left in aside]),
        cells=pd.concat([left.cells for left in aside]),
    )


def _missing_codes(key: str, study: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the missing codes of the file at a key of study.yaml (tables.0)."""
    section, _, number = key.partition(".")
    rules = study[section][int(number)] if number else study[section]
    codes: Mapping[str, str] = rules.get("missing_codes", {})
    return codes


def _would_fill(
    one: Records, like: Mapping[int, str], coding: Coding, key: Key, given: set[tuple[str, str]],
    study: Mapping[str, Any],
) -> bool:  # fmt: skip
    """True where columns hold what could be answers, mostly of people who lack them: no copy of others."""
    import pandas as pd

    if one.table is None:
        return False
    places = {name: one.table.header.index(name) for name in like.values()}
    cells = one.table.columns(places).reindex(one.participant.index.unique(), fill_value="")
    filled = cells[(cells != "").sum(axis=1) > len(like) // 2]
    codes = {*coding.missing, *_missing_codes(one.key, study)}
    codes |= {f"{code}.0" for code in codes} | {""}
    texts = {answer_of(text) for text in np.unique(filled.to_numpy(dtype=str)) if text not in codes}
    unsaid = pd.Series(sorted(texts - {*coding.codes}), dtype="str")
    values, words = numbers(unsaid, one.decimal)
    whole = values[np.isfinite(values)]
    odd = (whole < key.low - 1) | (whole > key.high + 1) | (whole % 1 != 0)
    if not texts or words.sum() > key.high - key.low + 1 or (odd & ~np.isin(whole, CODES)).any():
        return False
    first = ~one.participant.index.duplicated()
    who = one.participant[first].reindex(filled.index)
    session = one.session.groupby(level=0).agg(set).reindex(filled.index)
    lost = set(study["sessions"]) - {at for _, at in given}
    lacking = sum(
        any((name, at) not in given for at in (study["sessions"] if "" in known else known | lost))
        for name, known in zip(who, session, strict=True)
    )
    if 2 * lacking <= len(filled):
        return False
    return not any(
        (one.cells.loc[rows, [coding.fields[place] for place in like]].to_numpy()
         == filled.reindex(one.cells.index[rows]).to_numpy()).mean() > 0.9
        for rows in [one.participant.index.isin(filled.index) & (one.session == at).to_numpy()
                     for at in ("", *study["sessions"])]
        if rows.any() and set(coding.fields) <= set(one.cells)
    )  # fmt: skip


@dataclass(frozen=True)
class _Wave:
    """One table at one session: how many answers, how many of them the lowest, from how many people."""

    records: Records
    answers: int
    low: int
    lowest: float
    people: int
    said: bool


def refuse_shifted(
    groups: Sequence[tuple[Records, NDArray[np.float64], bool]], key: Key, several: bool
) -> list[str]:
    """Refuse a wave without the lowest answer, where it is common in the others: it may be coded from 1.

    Of few answers, and of two files of one session (patients, controls), it is said only.

    Parameters
    ----------
    groups : sequence of (Records, ndarray of shape (n, items), bool)
        Each table's rows with their values; True where study.yaml says how they are coded there.
    several : bool
        True where several tables hold the instrument.

    Returns
    -------
    list of str
        What is to be said.
    """
    waves: dict[tuple[int, str], _Wave] = {}
    for number, (one, values, said) in enumerate(groups):
        for session in one.session.unique():
            rows = (one.session == session).to_numpy()
            answers = values[rows]
            answers = answers[np.isfinite(answers)]
            if len(answers):
                low = int((answers == key.low).sum())
                waves[number, session] = _Wave(one, len(answers), low, answers.min(), int(rows.sum()), said)
    notes = []
    for (number, session), wave in waves.items():
        one, given = wave.records, wave.answers
        rest = {place: other for place, other in waves.items() if place != (number, session)}
        later = [other for place, other in rest.items() if place[1] != session]
        alone = several and all(place[0] != number for place in rest)
        place = f"{one.key}.instruments.{key.name}" if alone else f"instruments.{key.name}.sessions.{session}"
        for others in filter(None, (later, list(rest.values()))):
            usual = sum(other.low for other in others) / sum(other.answers for other in others)
            if wave.said or wave.low or usual < 0.2 or usual * given < 3:
                continue
            sentence = (
                f"{one.source}: none of {given} answers to {key.name} at {session} is {key.low:g}, but "
                f"{usual:.0%} of the others are; if these are coded from {wave.lowest:g}, set "
                f"{place}.offset to {key.low - wave.lowest:g}, else to 0."
            )
            if others is later and usual * given >= 6 and wave.people >= 3:
                raise InputError(sentence)
            notes.append(sentence)
            break
    return notes
