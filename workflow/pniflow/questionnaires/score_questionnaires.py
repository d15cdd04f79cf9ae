"""Item responses to scale scores: reversed by the instrument's range, missing never zero."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pniflow import contracts
from pniflow.questionnaires.keys import Key, Scale, read_key
from pniflow.questionnaires.reliability import check_instrument
from pniflow.questionnaires.response_matrices import Responses, matrices_of, reverse

if TYPE_CHECKING:
    import pandas as pd


def score_questionnaires(
    *,
    responses: Path,
    instruments: list[str],
    scales: Path,
    reliability: Path | None = None,
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

    Raises
    ------
    InputError
        An instrument has no responses, or a response is outside the instrument's range; up to ten cells are
        named.
    """
    keys = [read_key(name) for name in dict.fromkeys(instruments)]
    table = contracts.read_table(responses, "responses")
    scored, checks = [], []
    for key, answers in zip(keys, matrices_of(table, keys, str(responses)), strict=True):
        scored.append(score_instrument(answers, key))
        if reliability is not None:
            checks.append(check_instrument(answers, key))
    contracts.write_table(_joined(scored, "scales"), scales, "scales")
    if reliability is not None:
        contracts.write_table(_joined(checks, "reliability"), reliability, "reliability")


def _joined(parts: list[pd.DataFrame], contract: str) -> pd.DataFrame:
    import pandas as pd

    from pniflow.contracts import contract as contract_of

    if parts:
        return pd.concat(parts, ignore_index=True)
    return pd.DataFrame({field["name"]: [] for field in contract_of(contract)["fields"]}, dtype="str")


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


def score_scale(
    keyed: NDArray[np.float64], scale: Scale, minimum_share: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Score one scale.

    Parameters
    ----------
    keyed : ndarray, shape (n, items)
        Responses after reversal, NaN where missing.
    minimum_share : float
        Share of the scale's items that must be answered, in a mean of scales of each scale's; the rest then
        counts as the person's mean of the scale.

    Returns
    -------
    score : ndarray, shape (n,)
        NaN where too few items were answered.
    answered : ndarray of int, shape (n,)
    """
    given = np.isfinite(keyed)
    score, enough = np.zeros(len(keyed)), np.ones(len(keyed), dtype=bool)
    for items in scale.parts:
        answered = given[:, items].sum(axis=1)
        enough &= answered >= math.ceil(minimum_share * len(items) - 1e-9)
        weight = scale.times * (len(items) if scale.score == "sum" else 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            score += np.nansum(keyed[:, items], axis=1) * weight / answered
    return np.where(enough, score / len(scale.parts), np.nan), given[:, scale.items].sum(axis=1)
