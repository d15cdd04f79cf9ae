"""From tidy tables to numeric arrays: the rows of an analysis and the columns of its terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pniflow.errors import InputError
from pniflow.models.specification import Model
from pniflow.models.study_data import SESSION, TIME, Cohort, Variable
from pniflow.models.terms import NotEstimable, Sample, parts_of


@dataclass(frozen=True)
class Design:
    """The numeric design of one analysis.

    Attributes
    ----------
    X : (n, p) float
        Columns named `columns`, the intercept first.
    person : (n,) int
        Group codes 0..people-1.
    rows : (n,) int
        Rows of the cohort.
    terms : mapping of str to tuple of int
        Result row -> its columns; more than one where a term has several coefficients.
    kinds : mapping of str to str
        Result row -> intercept, categorical, numeric, within, between, product.
    remarks : mapping of str to str
        Term -> what a reader of its rows must know of the sample.
    """

    X: NDArray[np.float64]
    columns: tuple[str, ...]
    person: NDArray[np.intp]
    rows: NDArray[np.intp]
    terms: Mapping[str, tuple[int, ...]]
    kinds: Mapping[str, str]
    people: int
    with_pairs: int
    remarks: Mapping[str, str] = field(default_factory=dict)


def complete_rows(model: Model, variables: Mapping[str, Variable]) -> NDArray[np.bool_]:
    """Return which of the cohort's rows have every term of the model (the outcome is asked elsewhere)."""
    size = len(next(iter(variables.values())).values)
    complete = np.ones(size, dtype=bool)
    for name in (*model.variables, *([TIME] if model.timed else [])):
        complete &= ~np.isnan(variables[name].values)
    return complete


def variables_of(model: Model, cohort: Cohort) -> dict[str, Variable]:
    """Return the variables that the model's terms need, by name."""
    return {name: cohort.variable(name) for name in (SESSION, TIME, *model.variables)}


def build(
    model: Model,
    variables: Mapping[str, Variable],
    cohort: Cohort,
    rows: NDArray[np.intp],
    centred: bool = True,
) -> Design:
    """Build the design matrix of a model over some rows of the cohort, term by term.

    `centred`: numeric variables lose their mean over participants (of each participant's mean).

    Raises
    ------
    NotEstimable
        A term is constant over the rows, or there are more terms (or coefficients that do not vary within
        persons) than participants.
    InputError
        A reference level is unknown, or rows of a person stand for independent ones. The sentence starts with
        the fact; the caller adds the place.
    """
    _, person = np.unique(cohort.person[rows], return_inverse=True)
    people = int(person.max()) + 1
    size = np.bincount(person)
    if not model.random and len(rows) > people:
        raise InputError(
            f"the model has no intercept per participant (`random: []`), but {(size > 1).sum()} participants "
            "have several sessions, whose rows are not independent; leave `random` out"
        )
    parts = parts_of(model.terms, Sample(variables, rows, person, cohort.session[rows], centred))
    matrix = {name: values for part in parts.values() for name, values in part.columns.items()}
    _check_size(matrix, len(parts), person, size)
    names = list(matrix)
    return Design(
        X=np.column_stack(list(matrix.values())),
        columns=tuple(names),
        person=person,
        rows=rows,
        terms={name: tuple(names.index(column) for column in part.columns) for name, part in parts.items()},
        kinds={name: part.kind for name, part in parts.items()},
        people=people,
        with_pairs=int((size > 1).sum()),
        remarks={name: part.remark for name, part in parts.items() if part.remark},
    )


def _check_size(
    matrix: Mapping[str, NDArray[np.float64]], terms: int, person: NDArray[np.intp], size: NDArray[np.intp]
) -> None:
    """Refuse more terms than participants; several sessions may have more coefficients than that."""
    people, rows = len(size), len(person)
    columns = np.stack(list(matrix.values()))
    means = np.stack([np.bincount(person, values) / size for values in columns])
    off = np.abs(columns - means[:, person]).max(axis=1)
    between = int((off <= 1e-9 * np.abs(columns).max(axis=1)).sum())
    if terms > people or between > people or len(matrix) > rows:
        raise NotEstimable(
            f"the model has {terms} terms with {len(matrix)} coefficients, and "
            f"{people} participant{'s' * (people > 1)} with {rows} complete row{'s' * (rows > 1)}"
        )
