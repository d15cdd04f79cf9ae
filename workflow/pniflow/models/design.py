"""From tidy tables to numeric arrays: rows of an analysis, columns of its terms, splitting and centring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pniflow.errors import InputError, listing
from pniflow.models.specification import SESSION, TIME, Model, Term
from pniflow.models.study_data import Cohort, Variable

INTERCEPT = "(intercept)"
_CONSTANT = 1e-12  # a spread below this share of the largest value is none


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
    """

    X: NDArray[np.float64]
    columns: tuple[str, ...]
    person: NDArray[np.intp]
    rows: NDArray[np.intp]
    terms: Mapping[str, tuple[int, ...]]
    kinds: Mapping[str, str]
    people: int
    with_pairs: int


def complete_rows(model: Model, variables: Mapping[str, Variable]) -> NDArray[np.bool_]:
    """Return which of the cohort's rows have every term of the model (the outcome is asked elsewhere)."""
    size = len(next(iter(variables.values())).values)
    complete = np.ones(size, dtype=bool)
    for name in dict.fromkeys([*model.variables, *_time(model)]):
        complete &= ~np.isnan(variables[name].values)
    return complete


def _time(model: Model) -> list[str]:
    return [TIME] if any(TIME in term.variables for term in model.terms) else []


def variables_of(model: Model, cohort: Cohort) -> dict[str, Variable]:
    """Return the variables that the model's terms need, by name."""
    return {name: cohort.variable(name) for name in [SESSION, *_time(model), *model.variables]}


def build(
    model: Model,
    variables: Mapping[str, Variable],
    cohort: Cohort,
    rows: NDArray[np.intp],
    centred: bool = True,
) -> Design:
    """Build the design matrix of a model over some rows of the cohort.

    Split predictors lose the mean of their session over these rows; the person's mean of that is the between
    column, the rest the within column, so a person with one session informs only the between slope. Numeric
    variables are centred on the mean over participants (of each participant's mean).

    Raises
    ------
    InputError
        A term is constant over the rows, a reference level is unknown, rows of a person stand for independent
        ones, or there are more terms (or
        coefficients that do not vary within persons) than participants. The sentence starts with the fact;
        the caller adds the place.
    """
    _, person = np.unique(cohort.person[rows], return_inverse=True)
    people = int(person.max()) + 1
    size = np.bincount(person)
    if not model.random and len(rows) > people:
        raise InputError(
            f"the model has no intercept per participant (`random: []`), but {(size > 1).sum()} participants "
            "have several sessions, whose rows are not independent; leave `random` out"
        )
    matrix: dict[str, NDArray[np.float64]] = {INTERCEPT: np.ones(len(rows))}
    terms: dict[str, tuple[str, ...]] = {INTERCEPT: (INTERCEPT,)}
    kinds = {INTERCEPT: "intercept"}
    for term in model.terms:
        if term.kind == "interaction":
            new = _products(term, terms, matrix)
            kind = "product"
        elif term.kind == "split":
            _numeric(term, variables[term.variables[0]])
            values = variables[term.variables[0]].values[rows]
            new = _split(term, values, person, size, cohort.session[rows])
            for name in new:
                kinds[name] = name.rsplit("_", 1)[1]
                terms[name] = (name,)
            matrix |= new
            continue
        else:
            variable = variables[term.variables[0]]
            kind = "numeric" if variable.levels is None else "categorical"
            new = _columns(term, variable, rows, person, size, centred)
        matrix |= new
        terms[term.name] = tuple(new)
        kinds[term.name] = kind
    _check_size(matrix, len(terms), person, size)
    names = list(matrix)
    return Design(
        X=np.column_stack(list(matrix.values())),
        columns=tuple(names),
        person=person,
        rows=rows,
        terms={name: tuple(names.index(column) for column in columns) for name, columns in terms.items()},
        kinds=kinds,
        people=people,
        with_pairs=int((size > 1).sum()),
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
        raise InputError(
            f"the model has {terms} terms with {len(matrix)} coefficients, and {people} participants with "
            f"{rows} complete rows; leave terms out of `fixed`"
        )


def _split(
    term: Term,
    values: NDArray[np.float64],
    person: NDArray[np.intp],
    size: NDArray[np.intp],
    session: NDArray[np.intp],
) -> dict[str, NDArray[np.float64]]:
    seen = np.bincount(session)
    centred = values - (np.bincount(session, values) / np.maximum(seen, 1))[session]
    between = (np.bincount(person, centred) / size)[person]
    within = np.where(size[person] > 1, centred - between, 0.0)
    scale = np.abs(centred).max()
    within_name, between_name = term.rows
    own = values - (np.bincount(person, values) / size)[person]
    if min(np.abs(within).max(), np.abs(own).max()) <= _CONSTANT * max(scale, np.abs(values).max()):
        raise InputError(
            f"the term '{within_name}' is constant: '{term.name}' does not vary within participants"
        )
    if np.ptp(between) <= _CONSTANT * max(scale, np.abs(values).max()):
        raise InputError(
            f"the term '{between_name}' is constant: '{term.name}' does not vary between participants"
        )
    return {within_name: within, between_name: between}


def _columns(
    term: Term,
    variable: Variable,
    rows: NDArray[np.intp],
    person: NDArray[np.intp],
    size: NDArray[np.intp],
    centred: bool,
) -> dict[str, NDArray[np.float64]]:
    if term.kind == "polynomial" or term.centre != "mean" or term.scale != "none":
        _numeric(term, variable)
    elif term.reference is not None and variable.levels is None:
        raise InputError(f"the term '{term.name}' has the reference '{term.reference}', but it is numeric")
    values = variable.values[rows]
    if np.ptp(values) <= _CONSTANT * np.abs(values).max():
        raise InputError(
            f"the term '{term.name}' is constant over the {len(rows)} complete rows; leave it out"
        )
    if variable.levels is not None:
        return _levels(term, values, variable.levels)
    means = np.bincount(person, values) / size
    centre = (
        (means.mean() if centred else 0.0)
        if term.centre == "mean"
        else 0.0
        if term.centre == "none"
        else term.centre
    )
    scale = 1.0 if term.scale == "none" else means.std(ddof=1) if term.scale == "sd" else term.scale
    values = (values - float(centre)) / float(scale)
    if term.kind == "polynomial":
        return {f"{term.name}[{power}]": values**power for power in range(1, term.degree + 1)}
    return {term.name: values}


def _numeric(term: Term, variable: Variable) -> None:
    if variable.levels is not None:
        raise InputError(
            f"the term '{term.name}' has the levels {listing(variable.levels)}; a number was expected "
            "where a term is split, centred, scaled or a polynomial"
        )


def _levels(term: Term, codes: NDArray[np.float64], levels: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Treatment coding: a column for each level but the reference; one column has the term's name."""
    present = [code for code in range(len(levels)) if (codes == code).any()]
    reference = present[0]
    if term.reference is not None:
        if term.reference not in levels:
            raise InputError(
                f"the term '{term.name}' has the reference '{term.reference}', which is not among its levels "
                f"({listing(levels)})"
            )
        reference = list(levels).index(term.reference)
    others = [code for code in present if code != reference]
    if len(others) == 1:
        return {term.name: (codes == others[0]).astype(float)}
    return {f"{term.name}[{levels[code]}]": (codes == code).astype(float) for code in others}


def _products(
    term: Term, terms: Mapping[str, tuple[str, ...]], matrix: Mapping[str, NDArray[np.float64]]
) -> dict[str, NDArray[np.float64]]:
    """Multiply the columns of terms that the model already has."""
    result = {"": np.ones(len(matrix[INTERCEPT]))}
    for name in term.variables:
        result = {
            f"{left}:{column}" if left else column: values * matrix[column]
            for left, values in result.items()
            for column in terms[name]
        }
    for name, values in result.items():
        if np.ptp(values) == 0:
            raise InputError(f"the term '{name}' is constant; leave it out")
    return result
