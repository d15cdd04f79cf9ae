"""Whose rows these are: the participant and session of each row of a table, checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pniflow.errors import InputError, listing, nearest
from pniflow.study.rawtables import RawTable

if TYPE_CHECKING:
    import pandas as pd


def named(ids: pd.Series, table: RawTable, column: str) -> pd.Series:
    """Refuse a row without a participant."""
    blank = ids == ""
    if blank.any():
        raise InputError(
            f"{table.name}: row {blank.idxmax()}, column '{column}' is blank; every row needs a participant."
        )
    return ids


def sessions_of(
    values: pd.Series, codes: Mapping[str, str], study: Mapping[str, Any], source: str, key: str
) -> pd.Series:
    """Translate a table's session values into the study's sessions; one that is not mapped is refused.

    Parameters
    ----------
    values : Series of str
        Indexed by row in the file.
    codes : dict
        Value -> session; where empty, values are the sessions' own names.
    """
    known = codes or {name: name for name in study["sessions"]} | {
        name.removeprefix("ses-"): name for name in study["sessions"]
    }
    require_sessions(codes.values(), study, key)
    result = values.map(dict(known))
    lost = result.isna()
    if lost.any():
        distinct = sorted(set(values[lost]))
        # Many different values are no sessions: a column of names must not end in a log.
        names = (
            listing([f"'{value}'" for value in distinct])
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
    lost = ids[~ids.isin(known)]
    if lost.empty:
        return
    first = lost.iloc[0]
    if anonymous:
        raise InputError(
            f"{source}: row {lost.index[0]} is of a participant who is not among the study's records "
            f"({len(lost)} such rows)."
        )
    more = f"; so are {len(set(lost)) - 1} more participants" if len(set(lost)) > 1 else ""
    raise InputError(
        f"{source}: row {lost.index[0]} is of participant '{first}', who is not among the study's "
        f"records{nearest(first, known)}{more}."
    )
