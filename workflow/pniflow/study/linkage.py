"""Whose rows these are: the participant and session of each row of a table, checked."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pniflow.errors import InputError, listing, nearest, shown
from pniflow.raw.text_tables import RawTable

if TYPE_CHECKING:
    import pandas as pd


def named(ids: pd.Series, table: RawTable, column: str, anonymous: bool = False) -> pd.Series:
    """Refuse a row without a participant, and ids that say who somebody is.

    Parameters
    ----------
    ids : Series of str, shape (n,)
        Indexed by row in the file.
    anonymous : bool
        True where ids are to be replaced, so that they may say it.
    """
    blank = ids == ""
    if blank.any():
        raise InputError(
            f"{table.name}: row {blank.idxmax()}, column '{column}' is blank; every row needs a participant."
        )
    long = ids.str.len() > _LONGEST
    if long.any():
        raise InputError(
            f"{table.name}: row {long.idxmax()}, column '{column}' holds a text of {ids.str.len().max()} "
            "letters in place of a participant's id; correct it, or name another column."
        )
    if not anonymous:
        _refuse_persons(ids, table.name, column)
    return ids


_LONGEST = 200  # letters of an id
_EMAIL = re.compile(r"[^@\s]@[^@\s]+\.\w")
_NUMBER = re.compile(r"(?:\+|00)?[\d ()/.-]{7,}")  # telephone, record number, date of birth
_WORD = re.compile(r"[^\W\d_]{2,}")


def _refuse_persons(ids: pd.Series, source: str, column: str) -> None:
    distinct = ids.drop_duplicates()
    shapes = {
        "an e-mail address": distinct[distinct.str.contains(_EMAIL)],
        "a name": distinct[_names(distinct)],
    }
    for what, hit in shapes.items():
        if len(hit):
            heading = " (or delete the row, if it is a second header line)" if len(hit) == 1 else ""
            raise InputError(
                f"{source}: row {hit.index[0]}, column '{column}' (the participant's id) looks like {what} "
                f"(participants: {len(hit)}), which must not stand in results; name a column with study "
                f"codes, or set pseudonymize: true in study.yaml{heading}."
            )


def may_be_numbers(ids: pd.Series, source: str) -> str:
    """Say that ids may be telephone or record numbers or dates of birth; blank where none is."""
    bare = ids.str.removeprefix("sub-")
    numbered = bare[bare.str.fullmatch(_NUMBER) & (bare.str.count(r"\d") >= 7)]
    if numbered.empty:
        return ""
    return (
        f"{source}: the participants' ids (row {numbered.index[0]}) may be telephone or record numbers or "
        "dates, which stand in every result; if so, set pseudonymize: true in study.yaml."
    )


def _names(ids: pd.Series) -> list[bool]:
    """True for words that are no label: labels differ in their numbers only, or share their words."""
    several = ids.str.contains(r"[\s,;]")
    if not several.any():
        return [False] * len(ids)
    words = [set(_WORD.findall(one)) if more else set() for one, more in zip(ids, several, strict=True)]
    usual = Counter(word for one in words for word in one)
    common = {word for word, count in usual.items() if count > max(1, len(words) / 5)}
    labels = [re.sub(r"\d+", "#", one) for one in ids]
    again = Counter(labels)
    return [
        again[label] == 1 and len(one - common) > ("#" in label)
        for one, label in zip(words, labels, strict=True)
    ]


def near(name: str) -> str:
    """Return an id without what people write differently: zeros, case, blanks, composed letters."""
    return _spaced(name).replace(" ", "")


def _spaced(name: str) -> str:
    """Return `near` with the blanks between numbers, which may tell them apart: 1 11 is not 11 1."""
    text = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    text = re.sub(r"\d+", lambda digits: digits[0].lstrip("0") or "0", text)
    return re.sub(r"(?<!\d) | (?!\d)", "", text)


def _same(one: str, other: str) -> bool:
    one, other = _spaced(one), _spaced(other)
    return one == other or (" " in one) != (" " in other)


def refuse_near(ids: Iterable[tuple[pd.Series, str]], anonymous: bool) -> None:
    """Refuse ids that differ by zeros, case, blanks or composed letters only: they would be two people.

    Parameters
    ----------
    ids : iterable of (Series of str, str)
        The participants of a file's rows, indexed by row in the file, and the file.
    anonymous : bool
        True where sentences must not name participants.
    """
    met: dict[str, dict[str, str]] = {}
    seen: set[str] = set()
    for column, source in ids:
        for row, name in column.drop_duplicates().items():
            if name in seen:
                continue
            seen.add(name)
            others = met.setdefault(near(name), {})
            known = next((one for one in others if one != name and _same(one, name)), None)
            where = others.get(known or "")
            others.setdefault(name, source)
            if known is None:
                continue
            pair = "two ids" if anonymous else f"{shown(known)} ({where}) and {shown(name)}"
            raise InputError(
                f"{source}: row {row}: {pair} differ by zeros, capital letters, blanks or the form of "
                "their letters only, and would be two people; write the id alike in all tables."
            )


def meanings_of(codes: Mapping[str, str | None], study: Mapping[str, Any]) -> dict[str, str]:
    """Return value of a session column -> session, blank for a wave that is left out."""
    names = {name.removeprefix("ses-"): name for name in study["sessions"]}
    own = {name: name for name in study["sessions"]} | names
    return {code: target or "" for code, target in (codes or own).items()}


def sessions_of(
    values: pd.Series, codes: Mapping[str, str | None], study: Mapping[str, Any], source: str, key: str
) -> pd.Series:
    """Translate a table's session values into the study's sessions; one that is not mapped is refused.

    Parameters
    ----------
    values : Series of str
        Indexed by row in the file.
    codes : dict
        Value -> session, or None for a wave that is left out; where empty, values are the sessions' own
        names.

    Returns
    -------
    Series of str
        Blank for a wave that is left out.
    """
    known = meanings_of(codes, study)
    require_sessions(codes.values(), study, key)
    result = values.map(known)
    lost = result.isna()
    if lost.any():
        distinct = sorted(set(values[lost]))
        # Many different values are no sessions: a column of names must not end in a log.
        names = (
            listing([shown(value, 40) for value in distinct])
            if len(distinct) <= 6
            else "one that is not repeated here"
        )
        wanted = listing(list(codes) or list(study["sessions"]), 20)
        raise InputError(
            f"{source}: row {lost.idxmax()} is of the session {names} (rows: {int(lost.sum())}); expected "
            f"was one of {wanted}, so correct the table or map the value under {key} in study.yaml."
        )
    return result.astype("str")


def require_sessions(names: Iterable[str | None], study: Mapping[str, Any], key: str) -> None:
    """Refuse a session that the study does not declare."""
    for name in names:
        if name and name not in study["sessions"]:
            raise InputError(
                f"study.yaml: {key} maps to the session '{name}'; known sessions are "
                f"{listing(list(study['sessions']), 20)}."
            )


def require_known(ids: pd.Series, register: Iterable[str], source: str, anonymous: bool) -> None:
    """Refuse participants that the register lacks; suggest an id that differs by case or zeros."""
    known = list(register)
    if set(ids.unique()) <= set(known):
        return
    lost = ids[~ids.isin(known)]
    first = lost.iloc[0]
    if anonymous:
        raise InputError(
            f"{source}: row {lost.index[0]} is of a participant who is not among the study's records "
            f"({len(lost)} such rows)."
        )
    alike = next((one for one in known if near(one) == near(first)), None)
    close = f" (is it {shown(alike)}?)" if alike else nearest(first, known)
    more = f"; so are {len(set(lost)) - 1} more participants" if len(set(lost)) > 1 else ""
    raise InputError(
        f"{source}: row {lost.index[0]} is of participant {shown(first)}, who is not among the study's "
        f"records{close}{more}."
    )
