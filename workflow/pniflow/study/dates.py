"""Dates become study days as soon as they are read; no date leaves ingestion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pniflow.errors import InputError
from pniflow.study.fields import Field
from pniflow.study.records import Records

DAY = "\0day"  # no field of a dictionary can have this name


def since(exposure: str) -> str:
    """Return the name under which the days since an exposure's date are kept."""
    return f"\0since {exposure}"


def date_fields(study: Mapping[str, Any]) -> dict[str, str]:
    """Return every field with dates that study.yaml names -> where it names it.

    Raises
    ------
    InputError
        An exposure is a date, but the date of the visit is not named.
    """
    dates = study["redcap"].get("dates", {})
    named = {field: f"redcap.dates.{key}" for key, field in dates.items()}
    for name, rule in study["exposures"].items():
        if "date" in rule:
            if not dates:
                raise InputError(
                    f"study.yaml: exposures.{name}.date counts days up to the visit; name its date as "
                    "redcap.dates.visit."
                )
            named.setdefault(rule["date"], f"exposures.{name}.date")
    return named


def with_study_days(records: Records, study: Mapping[str, Any]) -> Records:
    """Replace dates of visits by days since the first session, of exposures by days up to the visit.

    Parameters
    ----------
    records : Records
        They hold the fields with dates.
    study : dict
        The checked study.yaml, with `redcap.dates` (visit and, optionally, enrolment); the first session's
        `day` (0 unless declared) is the day of that visit.

    Raises
    ------
    InputError
        A cell is no date (YYYY-MM-DD), a session lies before the participant's enrolment or an earlier
        session, or an exposure after its session. No date is repeated.
    """
    rules = study["redcap"]["dates"]
    visits = _dates(records, rules["visit"])
    if "enrolment" in rules:
        _refuse_before_enrolment(records, visits, rules["enrolment"])
    first = next(iter(study["sessions"]))
    origin = _of_participant(records, np.where(records.session == first, visits, np.datetime64("NaT", "D")))
    days = (visits - origin).astype("timedelta64[D]").astype(float)
    days[np.isnat(visits - origin)] = np.nan
    days += study["sessions"][first].get("day", 0)
    _refuse_backwards(records, days, list(study["sessions"]), rules["visit"])
    made = {DAY: days}
    for name, rule in study["exposures"].items():
        if "date" in rule:
            made[since(name)] = _days_between(records, rule["date"], visits, name)
    texts = {
        name: [f"{day:g}" if np.isfinite(day) else "" for day in values] for name, values in made.items()
    }
    dated = date_fields(study)
    kept = [name for name in records.cells if name not in dated]
    cells = records.cells[kept].assign(**texts).astype(dict.fromkeys(texts, "str"))
    return replace(records, cells=cells, fields={**records.fields, **{name: Field(name) for name in texts}})


def _days_between(
    records: Records, name: str, visits: NDArray[np.datetime64], exposure: str
) -> NDArray[np.float64]:
    gap = visits - _dates(records, name)
    days = gap.astype("timedelta64[D]").astype(float)
    days[np.isnat(gap)] = np.nan
    later = np.flatnonzero(days < 0)
    if len(later):
        raise InputError(
            f"{records.source}: the date '{name}' (exposures.{exposure} in study.yaml) lies after the "
            f"session for {records.those(later)}; correct one of the dates."
        )
    return days


def _dates(records: Records, name: str) -> NDArray[np.datetime64]:
    import pandas as pd

    text = records.cells[name].where(records.cells[name] != "[not completed]", "").str.slice(0, 10)
    given = text.where(text.str.fullmatch(r"\d{4}-\d{2}-\d{2}").astype(bool))
    dates = pd.to_datetime(given, format="%Y-%m-%d", errors="coerce").to_numpy().astype("datetime64[D]")
    wrong = np.flatnonzero((records.cells[name] != "").to_numpy() & np.isnat(dates) & (text != "").to_numpy())
    if len(wrong):
        raise InputError(
            f"{records.source}: the field '{name}' is no date like 2024-03-01 for {records.those(wrong)}; "
            "export raw dates (YYYY-MM-DD)."
        )
    return np.asarray(dates)


def _of_participant(records: Records, dates: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """Give every row its participant's earliest of the given dates."""
    import pandas as pd

    return (
        pd.Series(dates, index=records.participant.index)
        .groupby(records.participant)
        .transform("min")
        .to_numpy()
    )


def _refuse_backwards(records: Records, days: NDArray[np.float64], sessions: list[str], name: str) -> None:
    """Refuse a session before an earlier one: day and month, or two visits, may be swapped."""
    import pandas as pd

    order = {name: place for place, name in enumerate(sessions)}
    keys = {"participant": records.participant.to_numpy(), "place": records.session.map(order).to_numpy()}
    ordered = (
        pd.DataFrame(keys).assign(day=days).dropna().sort_values(["participant", "place"], kind="stable")
    )
    rows = ordered.index[ordered.groupby("participant")["day"].diff() < 0]
    if len(rows):
        raise InputError(
            f"{records.source}: the session lies before an earlier one ('{name}') for {records.those(rows)}; "
            "correct the dates (day and month may be swapped), or the order of sessions in study.yaml."
        )


def _refuse_before_enrolment(records: Records, visits: NDArray[np.datetime64], name: str) -> None:
    early = visits < _of_participant(records, _dates(records, name))
    rows = np.flatnonzero(early & (records.session != "").to_numpy())
    if len(rows):
        raise InputError(
            f"{records.source}: the session lies before the enrolment ('{name}') for {records.those(rows)}; "
            "correct one of the dates."
        )
