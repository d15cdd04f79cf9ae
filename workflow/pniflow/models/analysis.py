"""One structured model fitted to all of its outcomes: result rows as plain mappings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pniflow.mixed.inference import NOT_ESTIMABLE, independent_columns, upper_p
from pniflow.mixed.random_intercept import random_intercept
from pniflow.mixed.student import two_sided_p
from pniflow.models.design import Design, build, complete_rows, variables_of
from pniflow.models.specification import BETWEEN_MINUS_WITHIN, Model, Plan
from pniflow.models.study_data import Cohort

Array = NDArray[np.float64]

TOO_FEW = "not estimable: too few pairs"


@dataclass(frozen=True)
class Tests:
    """Estimates of all result rows and outcomes of one design; arrays are (rows, outcomes) or (outcomes,)."""

    estimate: Array
    std_error: Array
    df: Array
    statistic: Array
    p_value: Array
    icc: Array
    singular: NDArray[np.bool_]
    notes: list[list[str]]  # by row, by outcome


@dataclass(frozen=True)
class Fit:
    """A model fitted to outcomes that have the same rows."""

    model: Model
    design: Design
    outcomes: tuple[str, ...]
    values: Array  # (n, outcomes)
    rows: tuple[str, ...]
    tests: Tests


def contrasts_of(model: Model, design: Design) -> tuple[list[str], list[Array]]:
    """Return the result rows of a design and, for each, its rows L of L b: one for a t, several for an F."""
    names: list[str] = []
    hypotheses: list[Array] = []
    identity = np.eye(len(design.columns))
    for term, columns in design.terms.items():
        names.append(term)
        hypotheses.append(identity[list(columns)])
        if len(columns) > 1:
            names += [design.columns[column] for column in columns]
            hypotheses += [identity[[column]] for column in columns]
    if BETWEEN_MINUS_WITHIN in model.contrasts:
        within, between = model.halves[0]
        names.append(BETWEEN_MINUS_WITHIN)
        hypotheses.append(identity[list(design.terms[between])] - identity[list(design.terms[within])])
    return names, hypotheses


def fit_columns(
    design: Design, values: Array, hypotheses: Sequence[Array], random: bool, inference: str
) -> Tests:
    """Fit every outcome and test every hypothesis: an intercept per person, or least squares.

    Parameters
    ----------
    values : (n, outcomes) float
    hypotheses : list of (r, p) float
        r = 1 gives an estimate and t, more an F.
    """
    single = [index for index, rows in enumerate(hypotheses) if len(rows) == 1]
    several = [index for index, rows in enumerate(hypotheses) if len(rows) > 1]
    stacked = np.vstack([np.empty((0, design.X.shape[1])), *(hypotheses[index] for index in single)])
    joint = [hypotheses[index] for index in several]
    shape = (len(hypotheses), values.shape[1])
    estimate, error, df, statistic, p_value = (np.full(shape, np.nan) for _ in range(5))
    notes = [[""] * shape[1] for _ in hypotheses]
    if not random:
        return _least_squares(design, values, hypotheses)
    fit = random_intercept(
        design.X, design.person, values, names=design.columns, contrasts=stacked, joint=joint
    )
    kr = inference == "kenward_roger"
    estimate[single] = fit.estimate
    error[single] = fit.se_kr if kr else fit.se_reml
    df[single] = fit.df_kr if kr else fit.df_satterthwaite
    statistic[single] = fit.t_kr if kr else fit.t_satterthwaite
    p_value[single] = fit.p_kr if kr else fit.p_satterthwaite
    for index, test in zip(several, fit.joint, strict=True):
        statistic[index] = test.f_kr if kr else test.f_satterthwaite
        df[index] = test.df_kr if kr else test.df_satterthwaite
        p_value[index] = test.p_kr if kr else test.p_satterthwaite
    row_notes = dict(zip(single, fit.contrast_note, strict=True))
    for index in range(shape[0]):
        notes[index] = [joined(note, row_notes.get(index, "")) for note in fit.note]
    return Tests(estimate, error, df, statistic, p_value, fit.icc, fit.singular, notes)


def _least_squares(design: Design, values: Array, hypotheses: Sequence[Array]) -> Tests:
    """Ordinary least squares with t and F on n - rank df, for studies with one session."""
    columns = independent_columns(design.X, design.columns)
    kept = columns.kept
    basis, factor = np.linalg.qr(design.X[:, kept])
    inverse = np.linalg.inv(factor.T @ factor)
    # one outcome at a time, so that its bytes do not depend on its neighbours
    outcomes = [np.ascontiguousarray(values[:, column]) for column in range(values.shape[1])]
    fitted = [basis.T @ outcome for outcome in outcomes]
    coefficients = np.stack([np.linalg.solve(factor, part) for part in fitted], axis=1)
    residuals = [outcome - basis @ part for outcome, part in zip(outcomes, fitted, strict=True)]
    df_residual = len(values) - len(kept)
    shape = (len(hypotheses), values.shape[1])
    estimate, error, df, statistic, p_value = (np.full(shape, np.nan) for _ in range(5))
    notes = [[columns.note] * shape[1] for _ in hypotheses]
    total = np.array([np.square(outcome - outcome.mean()).sum() for outcome in outcomes])
    squares = np.array([np.square(residual).sum() for residual in residuals])
    perfect = squares <= 1e-20 * np.maximum(total, 1e-300)
    constant = total <= 1e-24 * np.array([np.square(outcome).sum() for outcome in outcomes])
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (
            np.where(perfect | constant, np.nan, squares / df_residual)
            if df_residual > 0
            else np.nan * squares
        )
        for index, rows in enumerate(hypotheses):
            if not columns.estimable(rows).all():
                notes[index] = [joined(note, NOT_ESTIMABLE) for note in notes[index]]
                continue
            reduced = rows[:, kept]
            effect, spread = reduced @ coefficients, reduced @ inverse @ reduced.T
            df[index] = np.where(np.isnan(variance), np.nan, df_residual)
            if len(rows) == 1:
                estimate[index] = effect[0]
                error[index] = np.sqrt(variance * spread[0, 0])
                statistic[index] = estimate[index] / error[index]
                p_value[index] = two_sided_p(statistic[index], df[index])
            else:
                statistic[index] = (
                    np.einsum("ip,ij,jp->p", effect, np.linalg.inv(spread), effect) / variance / len(rows)
                )
                p_value[index] = upper_p(statistic[index], len(rows), df[index])
    for column in np.flatnonzero(perfect | constant | (df_residual < 1)):
        word = "constant outcome" if constant[column] else "perfect fit: no residual variance"
        word = "not estimable: no residual degrees of freedom" if df_residual < 1 else word
        for index in range(shape[0]):
            notes[index][column] = joined(notes[index][column], word)
    return Tests(
        estimate,
        error,
        df,
        statistic,
        p_value,
        np.full(shape[1], np.nan),
        np.zeros(shape[1], dtype=bool),
        notes,
    )


def joined(*notes: str | None) -> str:
    return "; ".join(dict.fromkeys(note for note in notes if note))


def fit_groups(
    model: Model,
    cohort: Cohort,
    plan: Plan,
    keep: NDArray[np.bool_] | None = None,
    completers: bool = False,
) -> tuple[list[Fit], dict[str, tuple[str, int, int]]]:
    """Fit a model to its outcomes; those with the same rows are fitted at once.

    Parameters
    ----------
    keep, completers : optional
        As for `design_groups`.

    Returns
    -------
    fits : list of Fit
    unfitted : mapping of str to (note, participants, rows)
        Outcomes that leave too little to fit.
    """
    groups, unfitted = design_groups(model, cohort, plan, keep, completers)
    fits = [
        fit_design(
            model, design, {name: cohort.measures[name][design.rows] for name in outcomes}, plan.inference
        )
        for design, outcomes in groups
    ]
    return fits, unfitted


def design_groups(
    model: Model,
    cohort: Cohort,
    plan: Plan,
    keep: NDArray[np.bool_] | None = None,
    completers: bool = False,
) -> tuple[list[tuple[Design, list[str]]], dict[str, tuple[str, int, int]]]:
    """Return the designs of a model, each with the outcomes that have its rows, and what cannot be fitted.

    Parameters
    ----------
    keep : (rows,) bool, optional
        Rows of the cohort that may enter.
    completers : bool
        Only participants with a complete row at every session that the outcome's complete rows have.
    """
    variables = variables_of(model, cohort)
    complete = complete_rows(model, variables)
    if keep is not None:
        complete &= keep
    groups: dict[bytes, list[str]] = {}
    unfitted: dict[str, tuple[str, int, int]] = {}
    for outcome in model.outcomes:
        given = ~np.isnan(cohort.measures[outcome]) & complete
        if completers:
            visits = np.bincount(cohort.person[given], minlength=len(cohort.participants))
            given &= (visits == len(np.unique(cohort.session[given])))[cohort.person]
        people = np.unique(cohort.person[given])
        if model.random and given.sum() - len(people) < 2:
            unfitted[outcome] = (TOO_FEW, len(people), int(given.sum()))
        elif not given.any():
            unfitted[outcome] = ("not estimable: no complete rows", 0, 0)
        else:
            groups.setdefault(given.tobytes(), []).append(outcome)
    designs = []
    for mask, outcomes in groups.items():
        rows = np.flatnonzero(np.frombuffer(mask, dtype=bool))
        designs.append((build(model, variables, cohort, rows, plan.centred), outcomes))
    return designs, unfitted


def fit_design(model: Model, design: Design, outcomes: Mapping[str, Array], inference: str) -> Fit:
    """Fit outcomes, given on the design's rows."""
    values = np.column_stack(list(outcomes.values()))
    names, hypotheses = contrasts_of(model, design)
    tests = fit_columns(design, values, hypotheses, model.random, inference)
    return Fit(model, design, tuple(outcomes), values, tuple(names), tests)
