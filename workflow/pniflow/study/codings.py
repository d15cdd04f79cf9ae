"""How an instrument's items stand in a table: names, offset, codes; other in one table or at one session."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pniflow.errors import InputError, shown
from pniflow.questionnaires.keys import Key


@dataclass(frozen=True)
class Coding:
    """How an instrument's items stand in one table at one session.

    Attributes
    ----------
    fields : tuple of str
        The items' fields in the order of the items.
    offset : float
        Added to every code.
    codes : dict
        Response in words -> number.
    missing : dict
        Code -> reason, besides the table's own.
    response : str
        How responses are coded where the key file knows several ways; blank where it knows one.
    place : str
        Where study.yaml says it, for sentences.
    own : bool
        True where study.yaml says it for this table or session.
    """

    fields: tuple[str, ...]
    offset: float
    codes: Mapping[str, float]
    missing: Mapping[str, str]
    response: str
    place: str
    own: bool


def coding_of(rule: Mapping[str, Any], key: Key, session: str = "", own: Mapping[str, Any] | None = None,
              table: str = "") -> Coding:  # fmt: skip
    """Return how the items of an instrument stand in a table at a session.

    Parameters
    ----------
    rule : dict
        The instrument's entry in study.yaml.
    key : Key
    session : str, optional
    own : dict, optional
        The table's own entry of the instrument.
    table : str, optional
        The table's key in study.yaml (tables.0).
    """
    place = f"instruments.{key.name}"
    at_session = rule["sessions"].get(session, {})
    merged = {**rule, **at_session, **(own or {})}
    if at_session:
        place += f".sessions.{session}"
    if own:
        place = f"{table}.instruments.{key.name}"
    return Coding(
        fields=tuple(item_fields(merged, key, place)),
        offset=float(merged["offset"]),
        codes={plain(str(words)): number for words, number in merged.get("codes", {}).items()},
        missing=merged.get("missing_codes", {}),
        response=merged.get("response_coding", ""),
        place=place,
        own="offset" in at_session or "offset" in (own or {}),
    )


def item_fields(rule: Mapping[str, Any], key: Key, place: str = "") -> list[str]:
    """Return the names of an instrument's item fields, in the order of its items."""
    given = rule["fields"]
    if isinstance(given, list):
        names = [str(name) for name in given]
    elif found := re.search(r"\{item(?::0([1-9]))?\}", given):
        width = int(found[1] or 1)
        names = [given.replace(found[0], f"{item:0{width}}") for item in range(1, key.items + 1)]
    else:
        names = [given]
    if len(names) != key.items:
        raise InputError(
            f"study.yaml: {place or f'instruments.{key.name}'}.fields gives {len(names)} fields, but the "
            f"instrument has {key.items} items; "
            "write {item} for the item's number ({item:02} for 01, 02, ...), or list one field per item."
        )
    return names


def plain(words: str) -> str:
    """Return an answer in words without what people write differently: case, blanks, composed letters."""
    return " ".join(unicodedata.normalize("NFC", words).split()).casefold()


_NUMBERED = re.compile(r"([+-]?\d+)\s*(?:[-–—=:.)]\s*|\s)([^\W\d].*)", re.DOTALL)


def answer_of(cell: str) -> str:
    """Return an answer without what stands differently in other rows: a leading number, case, blanks."""
    match = _NUMBERED.fullmatch(cell)
    return plain(match[2] if match else cell)


def number_of(cell: str, coding: Coding) -> str:
    """Return the number of an answer as text: by the declared words, or as it leads the words ('1 - often').

    Raises
    ------
    InputError
        The leading number and the declared words say different numbers.
    """
    said = coding.codes.get(plain(cell))
    match = _NUMBERED.fullmatch(cell)
    if said is not None or match is None:
        return cell if said is None else f"{said:g}"
    words = coding.codes.get(plain(match[2]))
    if words is not None and float(match[1]) != words:
        raise InputError(
            f"study.yaml: {coding.place}.codes says {words:g} for an answer that the table numbers "
            f"{shown(match[1])}; correct the codes, or number the answers alike."
        )
    return match[1] if words is not None or not coding.codes else cell


def codings_of(study: Mapping[str, Any], keys: Mapping[str, Key], own: Mapping[str, Any] | None = None,
               table: str = "") -> Iterable[tuple[str, Coding]]:  # fmt: skip
    """Yield (instrument, coding) of every way in which a table may hold items."""
    own = own or {}
    for name, rule in study["instruments"].items():
        if name in own and own[name] is None:
            continue
        for session in ("", *rule["sessions"]):
            yield name, coding_of(rule, keys[name], session, own.get(name), table)
