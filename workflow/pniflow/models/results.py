"""Fits as rows of the results tables, with effect sizes and the remarks a reader needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pniflow.errors import InputError
from pniflow.mixed import G_AV, SLOPE, paired_effects, sd_of_columns, two_sided_p
from pniflow.models.analysis import ModelFit, fit_groups, joined
from pniflow.models.design import Design
from pniflow.models.specification import Model, Plan
from pniflow.models.study_data import SESSION, Cohort

if TYPE_CHECKING:
    import pandas as pd

Array: TypeAlias = NDArray[np.float64]
Row: TypeAlias = dict[str, Any]

COMPARE_PAIRED = "singular: compare paired"
ATTENUATED = "attenuated where person means rest on few sessions"
SESSION_BESIDE_SPLIT = (
    "at this sample's mean change of the split predictor, whose sampling error the interval leaves out; "
    "the mean change stands in the change model"
)
POOLED = "the published kind of analysis: mixes within and between"


def result_rows(model: Model, cohort: Cohort, plan: Plan) -> tuple[list[Row], list[ModelFit]]:
    """Fit a prespecified model.

    Returns
    -------
    rows : list of mapping
        Of the estimates table, in the order of the model's outcomes and terms.
    fits : list of ModelFit

    Raises
    ------
    InputError
        A term of another type than its data, a level that is unknown, several rows of a person without an
        intercept per participant; the sentence names the model.
    """
    try:
        fits, unfitted = fit_groups(model, cohort, plan)
    except InputError as error:
        raise InputError(f"{plan.source}: model '{model.name}': {error}.") from None
    return all_rows(model, cohort, plan, fits, unfitted), fits


def all_rows(
    model: Model,
    cohort: Cohort,
    plan: Plan,
    fits: Sequence[ModelFit],
    unfitted: Mapping[str, tuple[str, int, int]],
) -> list[Row]:
    """Return the result rows of a model's fits and of its outcomes that could not be fitted."""
    by_outcome: dict[str, list[Row]] = {}
    for fit in fits:
        sizes = standardized(fit, cohort)
        for column, outcome in enumerate(fit.outcomes):
            by_outcome[outcome] = fit_rows(fit, column, sizes, plan)
    for outcome, (note, people, rows) in unfitted.items():
        by_outcome[outcome] = [
            row_of(model, plan, outcome, term, n_participants=people, n_observations=rows, note=note)
            for term in ["(intercept)", *(row for term in model.terms for row in term.rows), *model.contrasts]
        ]
    return [row for outcome in model.outcomes for row in by_outcome[outcome]]


def fit_rows(fit: ModelFit, column: int, sizes: Mapping[str, tuple[Array, str]], plan: Plan) -> list[Row]:
    """Return the result rows of one outcome of a fit, given all effect sizes of the fit."""
    from scipy.special import stdtrit

    tests, model, design = fit.tests, fit.model, fit.design
    quantile = stdtrit(tests.df[:, column], 1 - plan.alpha / 2)
    rows = []
    for index, term in enumerate(fit.rows):
        estimate, error = tests.estimate[index, column], tests.std_error[index, column]
        values, kind = sizes.get(term, (None, None))
        size = np.nan if values is None else float(values[column])
        several = int(tests.df_numerator[index])
        note = tests.note(index, column)
        if fit.fit.singular[column] and term == SESSION and is_change(model) and len(design.columns) == 2:
            note = COMPARE_PAIRED  # such a fit has nothing else to say: two columns, and they were fitted
        rows.append(
            row_of(
                model,
                plan,
                fit.outcomes[column],
                term,
                estimate=estimate,
                std_error=error,
                df_numerator=several if several > 1 else None,
                df=tests.df[index, column],
                statistic=tests.statistic[index, column],
                p_value=tests.p_value[index, column],
                conf_low=estimate - quantile[index] * error,
                conf_high=estimate + quantile[index] * error,
                effect_size=size,
                effect_size_kind=kind if np.isfinite(size) else None,
                n_participants=design.people,
                n_observations=len(design.rows),
                n_pairs=design.with_pairs,
                icc=fit.fit.icc[column],
                singular=bool(fit.fit.singular[column]) if model.random else None,
                note=joined(note, *remarks(model, design, term)),
            )
        )
    return rows


def is_change(model: Model) -> bool:
    """Tell whether a model has the session alone: its term is the change."""
    return [term.name for term in model.terms] == [SESSION]


def remarks(model: Model, design: Design, term: str) -> list[str]:
    """Return what a reader of this row must know about it."""
    kind = design.kinds.get(term)
    coefficients = len(design.terms.get(term, ()))
    words = [f"F test of {coefficients} coefficients"] if coefficients > 1 else []
    words += [remark for name, remark in design.remarks.items() if term in (name, *_levels(design, name))]
    if "within" in design.kinds.values() and term.split("[")[0] == SESSION:
        words.append(SESSION_BESIDE_SPLIT)
    if kind == "within":
        words.append(f"within: {design.with_pairs} participants with more than one session")
    if kind == "between":
        words.append(f"between: {design.people} participants, {design.with_pairs} with more than one session")
        if model.random:
            words.append(ATTENUATED)
    if kind in ("between", "within") or term in model.test:
        count = between_columns(design)
        if count > design.people / 5:
            words.append(f"{count} between-person terms for {design.people} participants")
    if kind == "numeric" and model.random and _varies_within(design, term) and term in model.test:
        words.append(POOLED)
    return words


def _levels(design: Design, term: str) -> list[str]:
    return [design.columns[column] for column in design.terms[term]]


def between_columns(design: Design) -> int:
    """Count the columns, without the intercept, that do not vary within persons."""
    return sum(not column_varies(design, column) for column in range(1, design.X.shape[1]))


def _varies_within(design: Design, term: str) -> bool:
    return any(column_varies(design, column) for column in design.terms[term])


def column_varies(design: Design, column: int) -> bool:
    """Tell whether a column of the design differs between rows of one person."""
    values = design.X[:, column]
    first = np.zeros(design.people)
    first[design.person[::-1]] = values[::-1]
    return bool(np.any(values != first[design.person]))


def row_of(model: Model, plan: Plan, outcome: str, term: str, **values: Any) -> Row:
    family = model.test.get(term) or model.contrasts.get(term)
    declared = plan.families[family] if family else None
    note = joined(values.pop("note", None), declared.note if declared else None)
    return {
        "model": model.name,
        "family": family,
        "role": declared.role if declared else None,
        "expected_null": declared.expected_null if declared else None,
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


def standardized(fit: ModelFit, cohort: Cohort) -> dict[str, tuple[Array, str]]:
    """Return effect sizes and kind by result row: g_av of a change, standardized slopes of numeric terms.

    Returns
    -------
    mapping of str to ((outcomes,) float, str)
        NaN where there is none.
    """
    design = fit.design
    if is_change(fit.model):
        return {
            change.term: (paired_effects(change.before, change.after).g_av, G_AV)
            for change in changes_of(fit, cohort)
        }
    sizes = {}
    spread = sd_of_columns(fit.values)
    spread[spread == 0] = np.nan
    for term, columns in design.terms.items():
        if design.kinds[term] in ("numeric", "within", "between") and len(columns) == 1:
            slopes = fit.tests.estimate[fit.rows.index(term)]
            sizes[term] = (slopes * design.X[:, columns[0]].std(ddof=1) / spread, SLOPE)
    return sizes


@dataclass(frozen=True)
class Change:
    """Complete pairs of one later session with the first: (pairs, outcomes) values of the same people."""

    term: str  # result row
    first: str
    later: str
    before: Array
    after: Array


def changes_of(fit: ModelFit, cohort: Cohort) -> list[Change]:
    """Return the change to each later session of a model with the session alone, else none."""
    session = cohort.session[fit.design.rows]
    first, *others = np.unique(session)
    changes = []
    for code in others if is_change(fit.model) else ():
        at = np.full((2, fit.design.people), -1)
        for number, one in enumerate((first, code)):
            here = np.flatnonzero(session == one)
            at[number, fit.design.person[here]] = here
        before, after = fit.values[at[:, (at >= 0).all(axis=0)]]
        term = SESSION if len(others) == 1 else f"{SESSION}[{cohort.sessions[code]}]"
        changes.append(Change(term, cohort.sessions[first], cohort.sessions[code], before, after))
    return changes


def variant_row(base: Row, variant: str, **values: Any) -> Row:
    """Return a sensitivity row: the prespecified row's place, the variant's numbers, blank otherwise."""
    blank = dict.fromkeys(
        (
            "estimate",
            "std_error",
            "df",
            "statistic",
            "p_value",
            "p_adjusted",
            "conf_low",
            "conf_high",
            "effect_size",
        ),
        np.nan,
    )
    none = {"effect_size_kind": None, "icc": np.nan, "singular": None, "note": None}
    return {**base, **blank, **none, "variant": variant, **values}


def interval(estimate: float, std_error: float, df: float, alpha: float) -> dict[str, float]:
    """Return the t interval of level 1 - alpha."""
    from scipy.special import stdtrit

    reach = float(stdtrit(df, 1 - alpha / 2)) * std_error
    return {"conf_low": estimate - reach, "conf_high": estimate + reach}


def tested(estimate: float, std_error: float, df: float) -> dict[str, float]:
    """Return t and its two-sided p."""
    statistic = estimate / std_error
    return {"statistic": statistic, "p_value": float(two_sided_p(np.array(statistic), np.array(df)))}


def frame_of(rows: Sequence[Row], contract: str) -> pd.DataFrame:
    """Return result rows as a table with the contract's columns; text blank where there is none."""
    import pandas as pd

    from pniflow import contracts

    fields = contracts.contract(contract)["fields"]
    dtypes = {"string": "str", "number": "float64", "integer": "Int64", "boolean": "boolean"}
    columns = {
        field["name"]: pd.Series([row.get(field["name"]) for row in rows], dtype=dtypes[field["type"]])
        for field in fields
    }
    return pd.DataFrame(columns)
