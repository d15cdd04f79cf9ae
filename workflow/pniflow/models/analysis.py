"""One structured model fitted to all of its outcomes: result rows as plain mappings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pniflow.errors import InputError
from pniflow.models import effect_sizes
from pniflow.models.design import Cohort, Design, build, complete_rows, variables_of
from pniflow.models.inference import NOT_ESTIMABLE, independent_columns, two_sided_p, upper_p
from pniflow.models.random_intercept import random_intercept
from pniflow.models.structure import BETWEEN_MINUS_WITHIN, SESSION, Model, Plan

Array = NDArray[np.float64]

COMPARE_PAIRED = "singular: compare paired"
TOO_FEW = "not estimable: too few pairs"
ATTENUATED = "attenuated where person means rest on few sessions"
POOLED = "the published kind of analysis: mixes within and between"


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
        within, between = next(term.rows for term in model.terms if term.kind == "split")
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
    stacked = np.vstack([hypotheses[index] for index in single])
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
        notes[index] = [_joined(note, row_notes.get(index, "")) for note in fit.note]
    return Tests(estimate, error, df, statistic, p_value, fit.icc, fit.singular, notes)


def _least_squares(design: Design, values: Array, hypotheses: Sequence[Array]) -> Tests:
    """Ordinary least squares with t and F on n - rank df, for studies with one session."""
    columns = independent_columns(design.X, design.columns)
    kept = columns.kept
    inverse = np.linalg.inv(design.X[:, kept].T @ design.X[:, kept])
    coefficients = np.linalg.lstsq(design.X[:, kept], values, rcond=None)[0]
    residual = values - design.X[:, kept] @ coefficients
    df_residual = len(values) - len(kept)
    shape = (len(hypotheses), values.shape[1])
    estimate, error, df, statistic, p_value = (np.full(shape, np.nan) for _ in range(5))
    notes = [[columns.note] * shape[1] for _ in hypotheses]
    total = np.einsum("ij,ij->j", values - values.mean(axis=0), values - values.mean(axis=0))
    squares = np.einsum("ij,ij->j", residual, residual)
    perfect = squares <= 1e-20 * np.maximum(total, 1e-300)
    constant = total <= 1e-24 * np.einsum("ij,ij->j", values, values)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (
            np.where(perfect | constant, np.nan, squares / df_residual)
            if df_residual > 0
            else np.nan * squares
        )
        for index, rows in enumerate(hypotheses):
            if not columns.estimable(rows).all():
                notes[index] = [_joined(note, NOT_ESTIMABLE) for note in notes[index]]
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
            notes[index][column] = _joined(notes[index][column], word)
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


def _joined(*notes: str | None) -> str:
    return "; ".join(dict.fromkeys(note for note in notes if note))


def fit_groups(
    model: Model, cohort: Cohort, plan: Plan, keep: NDArray[np.bool_] | None = None
) -> tuple[list[Fit], dict[str, tuple[str, int, int]]]:
    """Fit a model to its outcomes; those with the same rows are fitted at once.

    Parameters
    ----------
    keep : (rows,) bool, optional
        Rows of the cohort that may enter.

    Returns
    -------
    fits : list of Fit
    unfitted : mapping of str to (note, participants, rows)
        Outcomes that leave too little to fit.
    """
    variables = variables_of(model, cohort)
    complete = complete_rows(model, variables)
    if keep is not None:
        complete &= keep
    groups: dict[bytes, list[str]] = {}
    unfitted: dict[str, tuple[str, int, int]] = {}
    for outcome in model.outcomes:
        given = ~np.isnan(cohort.measures[outcome]) & complete
        people = np.unique(cohort.person[given])
        if model.random and given.sum() - len(people) < 2:
            unfitted[outcome] = (TOO_FEW, len(people), int(given.sum()))
        elif not given.any():
            unfitted[outcome] = ("not estimable: no complete rows", 0, 0)
        else:
            groups.setdefault(given.tobytes(), []).append(outcome)
    fits = []
    for mask, outcomes in groups.items():
        rows = np.flatnonzero(np.frombuffer(mask, dtype=bool))
        design = build(model, variables, cohort, rows, plan.centred)
        fits.append(
            fit_design(
                model, design, {name: cohort.measures[name][rows] for name in outcomes}, plan.inference
            )
        )
    return fits, unfitted


def fit_design(model: Model, design: Design, outcomes: Mapping[str, Array], inference: str) -> Fit:
    """Fit outcomes, given on the design's rows."""
    values = np.column_stack(list(outcomes.values()))
    names, hypotheses = contrasts_of(model, design)
    tests = fit_columns(design, values, hypotheses, model.random, inference)
    return Fit(model, design, tuple(outcomes), values, tuple(names), tests)


def result_rows(
    model: Model, cohort: Cohort, plan: Plan, keep: NDArray[np.bool_] | None = None, prespecified: bool = True
) -> list[dict[str, Any]]:
    """Fit a model and return its rows of the estimates table, in the order of its outcomes and terms.

    Raises
    ------
    InputError
        An outcome without pairs, a term that is constant, more terms than people; the sentence names model
        and outcome.
    """
    where = f"{plan.source}: model '{model.name}'"
    if prespecified:
        _check_pairs(model, cohort, where)
    try:
        fits, unfitted = fit_groups(model, cohort, plan, keep)
    except InputError as error:
        raise InputError(f"{where}: {error}.") from None
    by_outcome: dict[str, list[dict[str, Any]]] = {}
    for fit in fits:
        for column, outcome in enumerate(fit.outcomes):
            by_outcome[outcome] = fit_rows(fit, column, cohort, plan)
    for outcome, (note, people, rows) in unfitted.items():
        by_outcome[outcome] = [
            _row(model, plan, outcome, term, n_participants=people, n_observations=rows, note=note)
            for term in ["(intercept)", *(row for term in model.terms for row in term.rows), *model.contrasts]
        ]
    return [row for outcome in model.outcomes for row in by_outcome[outcome]]


def _check_pairs(model: Model, cohort: Cohort, where: str) -> None:
    for outcome in model.outcomes if model.random else ():
        given = ~np.isnan(cohort.measures[outcome])
        if given.sum() == len(np.unique(cohort.person[given])):
            raise InputError(
                f"{where}: outcome '{outcome}' has no participant with two sessions, so an intercept "
                "per participant cannot be fitted; leave the outcome out or, for a study with one session, give the model `random: []`."
            )


def fit_rows(fit: Fit, column: int, cohort: Cohort, plan: Plan) -> list[dict[str, Any]]:
    """Return the result rows of one outcome of a fit."""
    from scipy.special import stdtrit

    tests, model, design = fit.tests, fit.model, fit.design
    sizes = standardized(fit, column, cohort)
    quantile = stdtrit(tests.df[:, column], 1 - plan.alpha / 2)
    rows = []
    for index, term in enumerate(fit.rows):
        estimate, error = tests.estimate[index, column], tests.std_error[index, column]
        size, kind = sizes.get(term, (np.nan, None))
        note = tests.notes[index][column]
        if tests.singular[column] and term == SESSION and is_change(model) and len(design.columns) == 2:
            note = _joined(
                *(COMPARE_PAIRED if word.startswith("singular") else word for word in note.split("; "))
            )
        rows.append(
            _row(
                model,
                plan,
                fit.outcomes[column],
                term,
                estimate=estimate,
                std_error=error,
                df=tests.df[index, column],
                statistic=tests.statistic[index, column],
                p_value=tests.p_value[index, column],
                conf_low=estimate - quantile[index] * error,
                conf_high=estimate + quantile[index] * error,
                effect_size=size,
                effect_size_kind=kind if np.isfinite(size) else None,
                n_participants=design.people,
                n_observations=len(design.rows),
                icc=tests.icc[column],
                singular=bool(tests.singular[column]) if model.random else None,
                note=_joined(note, *_remarks(model, design, term)),
            )
        )
    return rows


def is_change(model: Model) -> bool:
    """Tell whether a model has the session alone: its term is the change."""
    return [term.name for term in model.terms] == [SESSION]


def _remarks(model: Model, design: Design, term: str) -> list[str]:
    """Return what a reader of this row must know about it."""
    kind = design.kinds.get(term)
    words = []
    if kind == "within":
        words.append(f"within: {design.with_pairs} participants with more than one session")
    if kind == "between":
        words.append(f"between: {design.people} participants, {design.with_pairs} with more than one session")
        if model.random:
            words.append(ATTENUATED)
    if kind in ("between", "within"):
        count = between_columns(design)
        if count > design.people / 5:
            words.append(f"{count} between-person terms for {design.people} participants")
    if kind == "numeric" and model.random and _varies_within(design, term) and term in model.test:
        words.append(POOLED)
    return words


def between_columns(design: Design) -> int:
    """Count the columns, without the intercept, that do not vary within persons."""
    return sum(not _column_varies(design, column) for column in range(1, design.X.shape[1]))


def _varies_within(design: Design, term: str) -> bool:
    return any(_column_varies(design, column) for column in design.terms[term])


def _column_varies(design: Design, column: int) -> bool:
    values = design.X[:, column]
    first = np.zeros(design.people)
    first[design.person[::-1]] = values[::-1]
    return bool(np.any(values != first[design.person]))


def _row(model: Model, plan: Plan, outcome: str, term: str, **values: Any) -> dict[str, Any]:
    family = model.test.get(term) or model.contrasts.get(term)
    declared = plan.families[family] if family else None
    note = _joined(values.pop("note", None), declared.note if declared else None)
    return {
        "model": model.name,
        "family": family,
        "role": declared.role if declared else None,
        "outcome": outcome,
        "term": term,
        "p_adjusted": np.nan,
        "singular": None,
        "method": method_name(model, plan),
        **values,
        "note": note or None,
    }


def method_name(model: Model, plan: Plan) -> str:
    """Return estimator and inference in words."""
    if not model.random:
        return "OLS, t"
    return "REML, Kenward-Roger" if plan.inference == "kenward_roger" else "REML, Satterthwaite"


def standardized(fit: Fit, column: int, cohort: Cohort) -> dict[str, tuple[float, str]]:
    """Return effect size and kind by result row: g_av of a change, standardized slopes of numeric terms."""
    design = fit.design
    if is_change(fit.model):
        effects = change_effects(fit, cohort)
        return {} if effects is None else {SESSION: (float(effects.g_av[column]), effect_sizes.G_AV)}
    sizes = {}
    spread = fit.values[:, column].std(ddof=1)
    for term, columns in design.terms.items():
        if design.kinds[term] in ("numeric", "within", "between") and len(columns) == 1 and spread > 0:
            slope = fit.tests.estimate[fit.rows.index(term), column]
            sizes[term] = (float(slope * design.X[:, columns[0]].std(ddof=1) / spread), effect_sizes.SLOPE)
    return sizes


def change_effects(fit: Fit, cohort: Cohort) -> effect_sizes.PairedEffects | None:
    """Return the standardized change of all outcomes of a two-session model, else None."""
    sessions = np.unique(cohort.session[fit.design.rows])
    if len(sessions) != 2 or SESSION not in fit.design.terms:
        return None
    before, after = pairs_of(fit, cohort)
    return effect_sizes.paired_effects(before, after)


def pairs_of(fit: Fit, cohort: Cohort) -> tuple[Array, Array]:
    """Return the outcomes of complete pairs, (pairs, outcomes) each: first session, second session."""
    session = cohort.session[fit.design.rows]
    sessions = np.unique(session)
    at = np.full((2, fit.design.people), -1)
    for number, code in enumerate(sessions[:2]):
        here = np.flatnonzero(session == code)
        at[number, fit.design.person[here]] = here
    both = (at >= 0).all(axis=0)
    return fit.values[at[0, both]], fit.values[at[1, both]]
