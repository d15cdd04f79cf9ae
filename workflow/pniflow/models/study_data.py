"""The tidy tables of a study as arrays: one row per participant and session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pniflow.contracts import read_table
from pniflow.errors import InputError, listing

if TYPE_CHECKING:
    import pandas as pd

SESSION, TIME = "session", "time"
PERSON_MEAN = "_person_mean"  # behind the name of a variable


@dataclass(frozen=True)
class Variable:
    """Values of a variable on the cohort's rows, or codes of its levels if categorical. Missing is NaN."""

    values: NDArray[np.float64]
    levels: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Cohort:
    """All measures and covariates, one row per participant and session, in the order of both names.

    Attributes
    ----------
    numbers : tuple of int
        Row of each participant in the participants' table, from 1: results name people by it, not by id.
    person, session : (rows,) int
        Codes into `participants` and `sessions`; the first session is the reference.
    measures : mapping of str to (rows,) float
        Missing is NaN.
    domains, units : mapping of str to str
        Of each measure.
    covariates : mapping of str to Variable
        Values over participants.
    days : mapping of str to float
        Study day of each session, where models.yaml gives it.
    factors : mapping of str to Variable
        Further variables on the rows (batch).
    """

    participants: tuple[str, ...]
    numbers: tuple[int, ...]
    sessions: tuple[str, ...]
    person: NDArray[np.intp]
    session: NDArray[np.intp]
    measures: Mapping[str, NDArray[np.float64]]
    domains: Mapping[str, str]
    units: Mapping[str, str]
    covariates: Mapping[str, Variable]
    days: Mapping[str, float] = field(default_factory=dict)
    factors: Mapping[str, Variable] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Tell whether a name is a measure, a covariate, a measure's person mean, the session or the time."""
        base = name.removesuffix(PERSON_MEAN)
        return (
            name in (SESSION, TIME)
            or name in self.covariates
            or name in self.factors
            or base in self.measures
        )

    def variable(self, name: str) -> Variable:
        """Return a variable on the cohort's rows."""
        if name == SESSION:
            return Variable(self.session.astype(float), self.sessions)
        if name == TIME:
            return Variable(np.array([self.days.get(one, np.nan) for one in self.sessions])[self.session])
        if name in self.factors:
            return self.factors[name]
        if name in self.measures:
            return Variable(self.measures[name])
        if name in self.covariates:
            covariate = self.covariates[name]
            return Variable(covariate.values[self.person], covariate.levels)
        values = self.measures[name.removesuffix(PERSON_MEAN)]
        return Variable(person_means(values, self.person, len(self.participants))[self.person])


def cohort_of(measures: Path, participants: Path, reference: str | None, days: Mapping[str, float]) -> Cohort:
    """Read the cohort that a plan's models are fitted to, from tables by the contract of the same name."""
    tables = read_table(measures, "measures"), read_table(participants, "participants")
    return read_cohort(*tables, reference, days, str(measures))


def read_cohort(
    measures: pd.DataFrame,
    participants: pd.DataFrame,
    reference: str | None = None,
    days: Mapping[str, float] | None = None,
    source: str = "measures",
) -> Cohort:
    """Arrange the tidy tables as arrays; the order of their rows does not matter.

    Parameters
    ----------
    measures, participants : DataFrame
        As their contracts say; further columns of `participants` are covariates. A covariate whose values are
        all numbers is numeric, any other is categorical with its levels in the order of their names.
    reference : str, optional
        Session that comes first.

    Raises
    ------
    InputError
        No rows, a participant without a row in `participants`, a reference that is not among the sessions.
    """
    import pandas as pd

    row_of = {str(name): row for row, name in enumerate(participants["participant_id"], start=1)}
    people = tuple(sorted(row_of))
    codes = {name: code for code, name in enumerate(people)}
    sessions = _sessions(measures, codes, reference, source)
    person = measures["participant_id"].map(codes).to_numpy(np.intp)
    visit = measures["session_id"].map({name: code for code, name in enumerate(sessions)}).to_numpy(np.intp)
    cells, row = np.unique(person * len(sessions) + visit, return_inverse=True)
    code, names = pd.factorize(measures["measure"], sort=True)
    matrix = np.full((len(names), len(cells)), np.nan)
    matrix[code, row] = measures["value"].to_numpy(float)
    first = measures.drop_duplicates("measure").set_index("measure")
    table = participants.set_index(participants["participant_id"].astype(str)).loc[list(people)]
    return Cohort(
        participants=people,
        numbers=tuple(row_of[name] for name in people),
        sessions=tuple(sessions),
        person=cells // len(sessions),
        session=cells % len(sessions),
        measures={str(name): matrix[k] for k, name in enumerate(names)},
        domains={str(name): str(first.at[name, "domain"]) for name in names},
        units={str(name): str(first.at[name, "unit"]) for name in names},
        covariates={
            str(name): _covariate(table[name]) for name in participants.columns if name != "participant_id"
        },
        days=dict(days or {}),
    )


def _sessions(
    measures: pd.DataFrame, people: Mapping[str, int], reference: str | None, source: str
) -> list[str]:
    """Check that there is something to fit, of known people; return the sessions, the reference first."""
    if not len(measures):
        raise InputError(
            f"{source}: the table has no rows: nothing was measured, so nothing can be fitted; describe what "
            "was (instruments, assays, expression, cat12, freesurfer, lesions) in study.yaml."
        )
    stranger = sorted(set(measures["participant_id"]) - people.keys())
    if stranger:
        raise InputError(
            f"{source}: participant '{stranger[0]}' is not in the participants table; add a row there."
        )
    sessions = sorted(set(measures["session_id"]))
    if reference is None and len(sessions) > 1:
        raise InputError(
            f"{source}: models.yaml does not say which session the others are compared with "
            f"({listing(sessions)}); give it as defaults.session.reference."
        )
    if reference is not None and reference not in sessions and len(sessions) > 1:
        raise InputError(
            f"{source}: the reference session '{reference}' of models.yaml is not among the sessions with "
            f"data ({listing(sessions)}); correct defaults.session.reference."
        )
    return sorted(sessions, key=lambda name: (name != reference, name))


def _covariate(column: pd.Series) -> Variable:
    import pandas as pd

    if pd.api.types.is_bool_dtype(column.dtype):
        column = column.map({True: "yes", False: "no"})
    numbers = pd.to_numeric(column, errors="coerce")
    if (numbers.notna() == column.notna()).all():
        return Variable(numbers.to_numpy(float, na_value=np.nan))
    levels = tuple(sorted({str(value) for value in column.dropna()}))
    values = column.map(lambda value: levels.index(str(value)), na_action="ignore")
    return Variable(values.to_numpy(float, na_value=np.nan), levels)


def person_means(values: NDArray[np.float64], person: NDArray[np.intp], people: int) -> NDArray[np.float64]:
    """Return each person's mean over the values there are; NaN for a person without any."""
    given = ~np.isnan(values)
    count = np.bincount(person[given], minlength=people)
    total = np.bincount(person[given], values[given], minlength=people)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
