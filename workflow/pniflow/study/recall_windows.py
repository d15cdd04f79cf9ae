"""The time that each measure looks back on, laid against the days of the intervention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.questionnaires.keys import read_key

if TYPE_CHECKING:
    import pandas as pd

DAYS_PER_MONTH = 365.25 / 12


def recall_windows(study: Mapping[str, Any]) -> pd.DataFrame:
    """Return the days that each measure of the study looks back on at each session.

    Parameters
    ----------
    study : dict
        The checked study.yaml.

    Returns
    -------
    DataFrame
        Contract windows: measure, session_id, from_day, to_day (study days), overlap_days (with the
        intervention) and overlap_share (of the window; blank for a moment). Measures without a stated window
        and sessions without a day have blank days.

    Notes
    -----
    A hair segment of L cm with U cm left on the scalp looks back from U to U + L months at 1 cm per month.
    """
    import pandas as pd

    first, last = intervention_days(study)
    rows = []
    for measure, (near, far) in look_back(study).items():
        for session, about in study["sessions"].items():
            day = float(about.get("day", np.nan))
            begin, end = day - far, day - near
            overlap = (
                max(0.0, min(end, last) - max(begin, first)) if np.isfinite([begin, last]).all() else np.nan
            )
            share = overlap / (end - begin) if end > begin else np.nan
            rows.append((measure, session, begin, end, overlap, share))
    columns = ["measure", "session_id", "from_day", "to_day", "overlap_days", "overlap_share"]
    return pd.DataFrame(rows, columns=columns).round(
        {"from_day": 1, "to_day": 1, "overlap_days": 1, "overlap_share": 3}
    )


def intervention_days(study: Mapping[str, Any]) -> tuple[float, float]:
    """Return the first and last day of the intervention: as declared, else of sessions one and two."""
    if "intervention_days" in study:
        first, last = study["intervention_days"]
        return float(first), float(last)
    days = [float(about.get("day", np.nan)) for about in study["sessions"].values()]
    return days[0], days[1] if len(days) > 1 else np.nan


def look_back(study: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Return from how many to how many days before its session each measure looks back."""
    found: dict[str, tuple[float, float]] = {}
    for name in study["instruments"]:
        recall = read_key(name).document["recall_days"]
        found[name] = (0.0, np.nan if recall is None else float(recall))
    for name, rule in study["assays"].items():
        window = rule.get("window", {})
        measure = name if rule["log"] == "none" else f"log_{name}"
        if "length_cm" in window:
            month = DAYS_PER_MONTH / window["growth_cm_per_month"]
            near = window["unsampled_cm"] * month
            found[measure] = (near, near + window["length_cm"] * month)
        else:
            found[measure] = (0.0, float(window.get("days", np.nan)))
    if "expression" in study:
        found["ctra"] = (0.0, 0.0)
    return found
