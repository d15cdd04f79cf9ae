"""Item responses as matrices: a row per participant and session, in range, reversed where the key says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pniflow.errors import InputError, listing
from pniflow.questionnaires.keys import Key

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Responses:
    """One instrument's responses: a matrix with a row per participant-session.

    Attributes
    ----------
    participant, session : ndarray of str, shape (n,)
    values : ndarray, shape (n, items)
        NaN where not answered.
    """

    participant: NDArray[np.object_]
    session: NDArray[np.object_]
    values: NDArray[np.float64]

    def where(self, row: int) -> str:
        """Name the row at a position."""
        return f"participant {self.participant[row]} {self.session[row]}"


def matrices_of(table: pd.DataFrame, keys: Sequence[Key], source: str) -> list[Responses]:
    """Arrange the rows of a responses table as one matrix per instrument.

    Raises
    ------
    InputError
        No row is of an instrument, an item is not one of its items, or a value is outside its range.
    """
    import pandas as pd

    people, persons = pd.factorize(table["participant_id"])
    times, sessions = pd.factorize(table["session_id"])
    forms, names = pd.factorize(table["instrument"])
    item, value = table["item"].to_numpy(dtype=np.intp), table["value"].to_numpy(dtype=float)
    found = []
    for key in keys:
        place = names.get_loc(key.name) if key.name in names else len(names)
        rows = np.flatnonzero(forms == place)
        if not len(rows):
            raise InputError(
                f"{source}: there are no responses to {key.name}; name it under instruments in study.yaml, "
                "or do not score it."
            )
        if item[rows].max() > key.items:
            raise InputError(
                f"{source}: there is an item {item[rows].max()} of {key.name}, which has {key.items} items."
            )
        number, occasion = pd.factorize(people[rows].astype(np.int64) * len(sessions) + times[rows])
        values = np.full((len(occasion), key.items), np.nan)
        values[number, item[rows] - 1] = value[rows]
        participant = persons[occasion // len(sessions)].to_numpy(dtype=object)
        session = sessions[occasion % len(sessions)].to_numpy(dtype=object)
        one = Responses(participant, session, values)
        refuse_out_of_range(values, key, source, one.where)
        found.append(one)
    return found


def _wrong(values: NDArray[np.float64], key: Key) -> NDArray[np.bool_]:
    wrong = (values < key.low) | (values > key.high)
    if key.document["integer"]:
        wrong |= np.isfinite(values) & (values % 1 != 0)
    return wrong


def refuse_out_of_range(
    values: NDArray[np.float64], key: Key, source: str, who: Callable[[int], str]
) -> None:
    """Refuse responses outside the instrument's range, naming up to ten cells.

    Parameters
    ----------
    values : ndarray, shape (n, items)
    who : callable
        From a row to how a sentence calls it.
    """
    wrong = np.argwhere(_wrong(values, key))
    if not len(wrong):
        return
    cells = [f"{who(int(row))} item {item + 1} = {values[row, item]:g}" for row, item in wrong]
    shift = np.nanmin(values) - key.low
    shifted = shift != 0 and shift == np.nanmax(values) - key.high
    hint = f"; all codes lie {shift:+g} off, so offset: {-shift:g} may be meant" if shifted else ""
    raise InputError(
        f"{source}: responses to {key.name} go from {key.low:g} to {key.high:g}, but {listing(cells)}; "
        f"correct them or declare the code as a missing code{hint}."
    )


def reverse(values: NDArray[np.float64], key: Key) -> NDArray[np.float64]:
    """Mirror reversed items about the middle of the instrument's range, never the observed one.

    Parameters
    ----------
    values : ndarray, shape (n, items)
    """
    return np.where(key.reversed, key.low + key.high - values, values)
