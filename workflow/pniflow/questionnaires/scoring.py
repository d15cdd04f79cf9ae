"""Item responses to scale scores: reversed by the instrument's range, missing never zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pniflow import files
from pniflow.errors import InputError
from pniflow.questionnaires.keys import Key, Scale, read_key

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


def score_questionnaires(
    *,
    responses: Path,
    instruments: list[str],
    scales: Path,
    reliability: Path | None = None,
    resources: Path | None = None,
) -> None:
    """Score the scales of questionnaires from item responses.

    Parameters
    ----------
    responses : Path
        Item responses (contract responses).
    instruments : list of str
        Instruments to score, each a key file in resources/instruments.
    scales : Path
        Scale scores to write (contract scales).
    reliability : Path, optional
        Checks of each scale to write (contract reliability): alpha, omega, item-rest correlations, codes
        never used.
    resources : Path, optional
        Folder with further resources, searched before what pniflow ships.

    Raises
    ------
    InputError
        An instrument has no responses, or a response is outside the instrument's range; up to ten cells are
        named.
    """
    keys = [read_key(name, resources) for name in dict.fromkeys(instruments)]
    table = files.read_table(responses, "responses")
    scored, checks = [], []
    for key, answers in zip(keys, matrices_of(table, keys, str(responses)), strict=True):
        scored.append(score_instrument(answers, key))
        if reliability is not None:
            from pniflow.questionnaires.diagnostics import check_instrument

            checks.append(check_instrument(answers, key))
    files.write_table(_joined(scored, "scales"), scales, "scales")
    if reliability is not None:
        files.write_table(_joined(checks, "reliability"), reliability, "reliability")


def _joined(parts: list[pd.DataFrame], contract: str) -> pd.DataFrame:
    import pandas as pd

    from pniflow.contracts import contract as contract_of

    if parts:
        return pd.concat(parts, ignore_index=True)
    return pd.DataFrame({field["name"]: [] for field in contract_of(contract)["fields"]}, dtype="str")


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
        bad: NDArray[np.bool_] = np.any(_wrong(values, key), axis=1)
        who = [
            f"participant {participant[row]} {session[row]}" if bad[row] else "" for row in range(len(bad))
        ]
        refuse_out_of_range(values, key, source, who)
        found.append(Responses(participant, session, values))
    return found


def _wrong(values: NDArray[np.float64], key: Key) -> NDArray[np.bool_]:
    wrong = (values < key.low) | (values > key.high)
    if key.document["integer"]:
        wrong |= np.isfinite(values) & (values % 1 != 0)
    return wrong


def refuse_out_of_range(values: NDArray[np.float64], key: Key, source: str, who: list[str]) -> None:
    """Refuse responses outside the instrument's range, naming up to ten cells.

    Parameters
    ----------
    values : ndarray, shape (n, items)
    who : list of str, length n
        How a sentence calls each row; may be empty where nothing is wrong.
    """
    wrong = np.argwhere(_wrong(values, key))
    if not len(wrong):
        return
    cells = ", ".join(f"{who[row]} item {item + 1} = {values[row, item]:g}" for row, item in wrong[:10])
    more = f" and {len(wrong) - 10} more" if len(wrong) > 10 else ""
    shift = np.nanmin(values) - key.low
    shifted = shift != 0 and shift == np.nanmax(values) - key.high
    hint = f"; all codes lie {shift:+g} off, so offset: {-shift:g} may be meant" if shifted else ""
    raise InputError(
        f"{source}: responses to {key.name} go from {key.low:g} to {key.high:g}, but {cells}{more}; correct "
        f"them or declare the code as a missing code{hint}."
    )


def score_instrument(answers: Responses, key: Key) -> pd.DataFrame:
    """Score every scale of an instrument; rows in the order scale, participant-session."""
    import pandas as pd

    keyed = reverse(answers.values, key)
    parts = []
    for scale in key.scales:
        score, answered = score_scale(keyed, scale, key.minimum_share)
        total = len(scale.items)
        parts.append(
            pd.DataFrame(
                {
                    "participant_id": answers.participant,
                    "session_id": answers.session,
                    "scale": scale.name,
                    "score": score,
                    "items_answered": answered,
                    "items_total": total,
                    "prorated": np.isfinite(score) & (answered < total),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def reverse(values: NDArray[np.float64], key: Key) -> NDArray[np.float64]:
    """Mirror reversed items about the middle of the instrument's range, never the observed one.

    Parameters
    ----------
    values : ndarray, shape (n, items)
    """
    return np.where(key.reversed, key.low + key.high - values, values)


def score_scale(
    keyed: NDArray[np.float64], scale: Scale, minimum_share: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Score one scale.

    Parameters
    ----------
    keyed : ndarray, shape (n, items)
        Responses after reversal, NaN where missing.
    minimum_share : float
        Share of the scale's items that must be answered; the rest then counts as the person's mean of the
        scale.

    Returns
    -------
    score : ndarray, shape (n,)
        NaN where too few items were answered.
    answered : ndarray of int, shape (n,)
    """
    part = keyed[:, scale.items]
    answered = np.isfinite(part).sum(axis=1)
    total = len(scale.items)
    enough = answered >= math.ceil(minimum_share * total - 1e-9)
    weight = 1 if scale.score == "mean" else total
    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.where(enough, np.nansum(part, axis=1) * weight / answered, np.nan)
    return score, answered
