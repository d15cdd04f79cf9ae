"""Laboratory values to analysed measures: duplicates, detection limit, log scale."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pniflow import config, contracts
from pniflow.errors import InputError, listing

if TYPE_CHECKING:
    import pandas as pd

_LOGARITHMS = {"natural": np.log, "log2": np.log2, "log10": np.log10}
_UNITS = {"natural": "ln {}", "log2": "log2 {}", "log10": "log10 {}", "none": "{}"}

_COLUMNS = ("measure", "value", "unit", "below_limit", "limit", "cv_percent", "replicates")


def score_assays(*, assays: Path, study: Path, scores: Path) -> None:
    """Bring laboratory values to the scale on which they are analysed.

    Parameters
    ----------
    assays : Path
        Laboratory values (contract assays).
    study : Path
        The study's description (study.yaml), with each assay's detection limit, substitution and scale.
    scores : Path
        Analysed measures to write (contract assay_scores).

    Raises
    ------
    InputError
        An assay is not described, a value is zero where its logarithm is wanted, or batch and session
        coincide.
    """
    import pandas as pd

    described = config.read_study(study)["assays"]
    table = contracts.read_table(assays, "assays")
    unknown = sorted(set(table["assay"]) - set(described))
    if unknown:
        raise InputError(f"{study}: assays does not describe '{unknown[0]}', which {assays} holds.")
    parts = [
        score_assay(table[(table["assay"] == name).to_numpy(dtype=bool)], name, rule, str(assays))
        for name, rule in described.items()
    ]
    empty = pd.DataFrame(
        {column: pd.Series(dtype="str") for column in ("participant_id", "session_id", *_COLUMNS)}
    )
    contracts.write_table(pd.concat(parts, ignore_index=True) if parts else empty, scores, "assay_scores")


def score_assay(rows: pd.DataFrame, name: str, rule: Mapping[str, Any], source: str) -> pd.DataFrame:
    """Score one assay: substitute below the limit, average duplicates, take the logarithm.

    Parameters
    ----------
    rows : DataFrame
        The assay's rows (contract assays).
    rule : dict
        Its entry in study.yaml.

    Returns
    -------
    DataFrame
        One row per participant-session (contract assay_scores). Duplicates' coefficient of variation is of
        the values as measured; it is blank for one value or where one lies below the limit.
    """
    if rows.empty:
        raise InputError(f"{source}: there are no values of the assay '{name}' that study.yaml describes.")
    refuse_confounded(rows, name, rule, source)
    raw = rows["value"].to_numpy(dtype=float)
    below = rows["below_limit"].to_numpy(dtype=bool)
    limit = rows["detection_limit"].to_numpy(dtype=float)
    if rule["log"] != "none":
        refuse_zero(rows[((raw <= 0) & ~below) | (limit <= 0)], name, source)
    keys = ["participant_id", "session_id"]
    grouped = (
        rows[keys]
        .assign(value=substituted(raw, limit, below, rule["below_limit_as"]), limit=limit)
        .assign(measured=np.where(below, np.nan, raw), below=below)
        .groupby(keys, sort=False)
    )
    result = grouped.agg(
        value=("value", "mean"),
        mean=("measured", "mean"),
        deviation=("measured", "std"),
        measured=("measured", "count"),
        rows=("measured", "size"),
        below=("below", "any"),
        limit=("limit", "max"),
        replicates=("value", "count"),
    ).reset_index()
    # Duplicates vary by what was measured in all of them; a value is below the limit where none was measured.
    complete = (result["measured"] > 1) & (result["measured"] == result["rows"])
    result["cv_percent"] = (100 * result["deviation"] / result["mean"]).where(complete)
    result["below_limit"] = result["below"] & (result["measured"] == 0)
    if rule["maximum_cv"] is not None:
        result["value"] = result["value"].where(~(result["cv_percent"] > rule["maximum_cv"]))
    if rule["log"] != "none":
        result[["value", "limit"]] = _LOGARITHMS[rule["log"]](result[["value", "limit"]])
    result["unit"] = _UNITS[rule["log"]].format(rule["unit"])
    result["measure"] = name if rule["log"] == "none" else f"log_{name}"
    if "batch" not in rows or rows["batch"].isna().all():
        return result[[*keys, *_COLUMNS]]
    # Duplicates of one sample may stand on two plates.
    plates = rows.groupby(keys, sort=False)["batch"].agg(
        lambda cells: " and ".join(sorted(set(cells.dropna())))
    )
    result["batch"] = plates.where(plates != "", None).to_numpy(dtype=object)
    return result[[*keys, *_COLUMNS, "batch"]]


def substituted(
    values: NDArray[np.float64], limit: NDArray[np.float64], below: NDArray[np.bool_], how: str
) -> NDArray[np.float64]:
    """Put the stated number in place of values below the detection limit.

    Parameters
    ----------
    values, limit : ndarray, shape (n,)
        In the assay's unit.
    below : ndarray of bool, shape (n,)
    how : str
        half_limit, limit_over_sqrt2 or missing.
    """
    factor = {"half_limit": 0.5, "limit_over_sqrt2": 1 / np.sqrt(2), "missing": np.nan}[how]
    return np.where(below, limit * factor, values)


def refuse_zero(rows: pd.DataFrame, name: str, source: str) -> None:
    """Refuse values of zero: they have no logarithm, and among duplicates they would halve the mean."""
    if len(rows):
        people = (rows["participant_id"] + " " + rows["session_id"]).tolist()
        raise InputError(
            f"{source}: {name} is 0 for {listing(people)}, which has no logarithm; declare the "
            f"detection_limit under assays.{name} in study.yaml."
        )


def refuse_confounded(rows: pd.DataFrame, name: str, rule: Mapping[str, Any], source: str) -> None:
    """Refuse plates that each hold one session only: then a change may be the plates' difference."""
    if rule["batch_by_session"] or "batch" not in rows or rows["batch"].isna().all():
        return
    given = rows[rows["batch"].notna()]
    sessions = given.groupby("batch")["session_id"].nunique()
    if given["session_id"].nunique() > 1 and (sessions == 1).all():
        raise InputError(
            f"{source}: every batch of {name} holds one session only ({listing(list(sessions.index))}), so "
            f"a change could be a difference of batches; set assays.{name}.batch_by_session to true in "
            "study.yaml to accept this."
        )
