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


def with_study_days(records: Records, rules: Mapping[str, str], study: Mapping[str, Any]) -> Records:
    """Replace the dates of visits by days since each participant's first session.

    Parameters
    ----------
    records : Records
        They hold the fields with dates.
    rules : dict
        `visit` and, optionally, `enrolment`: names of these fields.
    study : dict
        The checked study.yaml; the first session's `day` (0 unless declared) is the day of that visit.

    Raises
    ------
    InputError
        A cell is no date (YYYY-MM-DD), or a session lies before the participant's enrolment. No date is
        repeated.
    """
    visits = _dates(records, rules["visit"])
    if "enrolment" in rules:
        _refuse_before_enrolment(records, visits, rules["enrolment"])
    first = next(iter(study["sessions"]))
    origin = _of_participant(records, np.where(records.session == first, visits, np.datetime64("NaT", "D")))
    days = (visits - origin).astype("timedelta64[D]").astype(float)
    days[np.isnat(visits - origin)] = np.nan
    days += study["sessions"][first].get("day", 0)
    text = [f"{day:g}" if np.isfinite(day) else "" for day in days]
    kept = [name for name in records.cells if name not in rules.values()]
    cells = records.cells[kept].assign(**{DAY: text}).astype({DAY: "str"})
    return replace(records, cells=cells, fields={**records.fields, DAY: Field(DAY)})


def _dates(records: Records, name: str) -> NDArray[np.datetime64]:
    import pandas as pd

    text = records.cells[name].where(records.cells[name] != "[not completed]", "").str.slice(0, 10)
    given = text.where(text.str.fullmatch(r"\d{4}-\d{2}-\d{2}").astype(bool))
    dates = pd.to_datetime(given, format="%Y-%m-%d", errors="coerce").to_numpy().astype("datetime64[D]")
    wrong = np.flatnonzero((records.cells[name] != "").to_numpy() & np.isnat(dates) & (text != "").to_numpy())
    if len(wrong):
        words = ", ".join(records.where(int(row)) for row in wrong[:10])
        more = f" and {len(wrong) - 10} more" if len(wrong) > 10 else ""
        raise InputError(
            f"{records.source}: the field '{name}' is no date like 2024-03-01 for {words}{more}; "
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


def _refuse_before_enrolment(records: Records, visits: NDArray[np.datetime64], name: str) -> None:
    early = visits < _of_participant(records, _dates(records, name))
    rows = np.flatnonzero(early & (records.session != "").to_numpy())
    if len(rows):
        words = ", ".join(records.where(int(row)) for row in rows[:10])
        more = f" and {len(rows) - 10} more" if len(rows) > 10 else ""
        raise InputError(
            f"{records.source}: the session lies before the enrolment ('{name}') for {words}{more}; "
            "correct one of the dates."
        )
