"""Checks of scoring that catch real mistakes: an item not reversed, codes that begin at 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pniflow.questionnaires.keys import Key, Scale
from pniflow.questionnaires.response_matrices import Responses, reverse

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 10  # complete rows below which correlations say nothing


def check_instrument(answers: Responses, key: Key) -> pd.DataFrame:
    """Check every scale of an instrument at every session.

    Parameters
    ----------
    answers : Responses
        Item responses as coded.
    key : Key
        The instrument.

    Returns
    -------
    DataFrame
        One row per scale and session (item blank: alpha, omega) and one per item (contract reliability).
    """
    import pandas as pd

    keyed = reverse(answers.values, key)
    unused = _note_on_range(answers.values, key)
    rows: list[dict[str, object]] = []
    for scale in key.scales:
        for session in dict.fromkeys(answers.session):
            at = answers.session == session
            whole, *items = _check_scale(keyed[at], answers.values[at], scale, key, str(session))
            rows += [whole | {"note": unused}, *items]
    return pd.DataFrame(rows)


def _check_scale(
    keyed: NDArray[np.float64], raw: NDArray[np.float64], scale: Scale, key: Key, session: str
) -> list[dict[str, object]]:
    part = keyed[:, scale.items]
    part = part[np.isfinite(part).all(axis=1)]
    count = len(scale.items)
    enough = len(part) >= FEWEST and count > 1
    rest = item_rest(part) if enough else np.full(count, np.nan)
    weights = first_component(part) if enough else np.full(count, np.nan)
    given = raw[:, scale.items]
    about = {
        "scale": scale.name,
        "session_id": session,
        "n": len(part),
        "range_low": key.low,
        "range_high": key.high,
    }
    whole = {
        "item": None,
        "alpha": alpha(part) if enough else np.nan,
        "omega": omega(part) if enough and count > 2 else np.nan,
        "lowest": _extreme(np.fmin, given),
        "highest": _extreme(np.fmax, given),
    }
    rows: list[dict[str, object]] = [about | whole]
    for place, item in enumerate(scale.items):
        own = given[:, place]
        row = {
            "item": int(item) + 1,
            "item_rest": rest[place],
            "first_component": weights[place],
            "lowest": _extreme(np.fmin, own),
            "highest": _extreme(np.fmax, own),
            "note": _note_on_item(rest[place], weights[place], len(part), bool(key.reversed[item])),
        }
        rows.append(about | row)
    return rows


def _extreme(function: np.ufunc, values: NDArray[np.float64]) -> float:
    return float(function.reduce(values.ravel())) if values.size else np.nan


def _note_on_range(values: NDArray[np.float64], key: Key) -> str | None:
    """Say when nobody uses the smallest code although somebody uses the largest: codes may begin at 1."""
    answered = np.isfinite(values).sum()
    if answered >= FEWEST * values.shape[1] and np.nanmin(values) > key.low and np.nanmax(values) == key.high:
        return f"nobody used the code {key.low:g}: check that codes begin there"
    return None


def _note_on_item(rest: float, weight: float, n: int, reversed_in_key: bool) -> str | None:
    """Say when an item runs against its scale by more than one standard error of a correlation of zero."""
    if rest < -1 / np.sqrt(max(n, 1)) and weight < 0:
        done = "is reversed by the key" if reversed_in_key else "is not reversed by the key"
        return f"runs against the rest of the scale; it {done}: check its coding"
    return None


def alpha(part: NDArray[np.float64]) -> float:
    """Cronbach's alpha.

    Parameters
    ----------
    part : ndarray, shape (n, items)
        Complete responses after reversal.

    Returns
    -------
    float
        NaN where the total does not vary.
    """
    count = part.shape[1]
    total = part.sum(axis=1).var(ddof=1)
    return float(count / (count - 1) * (1 - part.var(axis=0, ddof=1).sum() / total)) if total > 0 else np.nan


def item_rest(part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlate each item with the sum of the others; NaN where one of them does not vary."""
    rest = part.sum(axis=1, keepdims=True) - part
    own, other = part - part.mean(axis=0), rest - rest.mean(axis=0)
    size = np.sqrt((own**2).sum(axis=0) * (other**2).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(size > 1e-12, (own * other).sum(axis=0) / size, np.nan)


def first_component(part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of the items on the first principal component of their correlations, most of them positive."""
    varies = part.std(axis=0) > 0
    weights = np.full(part.shape[1], np.nan)
    if varies.sum() < 2:
        return weights
    vector = np.linalg.eigh(np.corrcoef(part[:, varies], rowvar=False))[1][:, -1]
    weights[varies] = vector * (1.0 if vector.sum() >= 0 else -1.0)
    return weights


def omega(part: NDArray[np.float64], steps: int = 500, tolerance: float = 1e-8) -> float:
    """McDonald's omega (total) of one common factor, by iterated principal axes on the covariances.

    Parameters
    ----------
    part : ndarray, shape (n, items)
        Complete responses after reversal.

    Returns
    -------
    float
        NaN where an item does not vary or the factor does not converge to an admissible solution.
    """
    deviation = part.std(axis=0, ddof=1)
    if (deviation == 0).any():
        return np.nan
    correlation: NDArray[np.float64] = np.atleast_2d(np.corrcoef(part, rowvar=False))
    reduced = correlation.copy()
    shared = 1 - 1 / np.diag(np.linalg.pinv(correlation))
    for _ in range(steps):
        np.fill_diagonal(reduced, shared)
        values, vectors = np.linalg.eigh(reduced)
        loading = vectors[:, -1] * np.sqrt(max(values[-1], 0.0))
        change, shared = np.abs(loading**2 - shared).max(), loading**2
        if change < tolerance:
            break
    if shared.max() > 1:
        return np.nan
    common = float((deviation * loading).sum()) ** 2
    return common / (common + float((deviation**2 * (1 - shared)).sum()))
