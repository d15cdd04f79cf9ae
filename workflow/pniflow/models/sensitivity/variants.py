"""All variants of one model: the words of its sensitivity list, its equivalence test, its subgroups."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pniflow.models.analysis import ModelFit
from pniflow.models.results import Row
from pniflow.models.sensitivity import resampling, robustness
from pniflow.models.sensitivity.refits import (
    WORDS,
    NotPossible,
    Sources,
    cells_of,
    refit,
    specification_rows,
    subgroup_rows,
    without_implausible,
)
from pniflow.models.specification import Family, Model, Plan
from pniflow.models.study_data import SESSION, Cohort


@dataclass(frozen=True)
class Prespecified:
    """A model as prespecified and fitted, with what its variants need.

    Attributes
    ----------
    base : mapping of (outcome, term) to row
        Rows of the estimates table.
    """

    model: Model
    fits: Sequence[ModelFit]
    base: Mapping[tuple[str, str], Row]
    cohort: Cohort
    plan: Plan
    sources: Sources


def of_model(analysis: Prespecified) -> tuple[list[Row], list[Row]]:
    """Return the sensitivity rows of a model and the diagnostics that come with them.

    Returns
    -------
    varied : list of mapping
        Rows of the sensitivity table. A variant is no further test: p_adjusted stays blank, but for max-T.
    remarks : list of mapping
        Rows of the diagnostics table: influence, and the words that the data do not allow, with the reason.
    """
    model, cohort, plan = analysis.model, analysis.cohort, analysis.plan
    varied: list[Row] = []
    remarks: list[Row] = []
    notes: list[Row]
    for fit in analysis.fits:
        varied += robustness.equivalence_rows(fit, cohort, analysis.base, plan)
    needs = _NEEDS if analysis.fits else dict.fromkeys(_OF_FITS | _NEEDS, "no outcome could be estimated")
    if model.equivalence and not varied:
        remarks.append(_not_possible(model, "equivalence", needs["equivalence"]))
    paired = resampling.paired_rows(analysis.fits, cohort, analysis.base, plan)
    varied += [row for row in paired if row["variant"] not in model.sensitivity]
    for word in model.sensitivity:
        try:
            if word in WORDS:
                rows, notes = refit(word, model, cohort, plan, analysis.sources), []
            else:
                rows, notes = _OF_FITS[word](analysis)
            if not rows:
                raise NotPossible(needs.get(word, "no outcome or tested term of the model allows it"))
            varied += sorted(rows, key=lambda row: _place(model, row["outcome"]))
            remarks += notes
        except NotPossible as reason:
            remarks.append(_not_possible(model, word, str(reason)))
    with contextlib.suppress(NotPossible):  # what is left is too little
        varied += without_implausible(model, cohort, plan, analysis.sources)
    rows, lacking = subgroup_rows(model, cohort, plan)
    varied += rows
    remarks += [_not_possible(model, word, reason) for word, reason in lacking]
    return varied, remarks


_CHANGE = "it tests the change between two sessions, in a model with the session alone"
_NEEDS = {
    "equivalence": _CHANGE,
    "sign_flip": _CHANGE,
    "delta_adjusted": f"{_CHANGE}, of questionnaires",
    "cr2": "it tests one coefficient, not several at once",
    "permute_differences": "it tests within slopes of split predictors",
    "permute_means": "it tests between slopes of split predictors",
}


def _place(model: Model, outcome: str) -> int:
    """Return an outcome's place in the model: rows must not depend on which were fitted at once."""
    return model.outcomes.index(outcome) if outcome in model.outcomes else len(model.outcomes)


def _not_possible(model: Model, word: str, reason: str) -> Row:
    return {"table": "sensitivity_not_possible", "model": model.name, "quantity": word, "note": reason}


def _leave_one_out(analysis: Prespecified) -> tuple[list[Row], list[Row]]:
    model, varied, remarks = analysis.model, [], []
    for fit in analysis.fits:
        loo = robustness.LeaveOneOut(fit, analysis.cohort, analysis.plan, model.tested)
        varied += robustness.leave_one_out_rows(loo, fit, analysis.base, analysis.plan)
        for outcome in fit.outcomes:
            for term in loo.terms:
                shift = robustness.largest_shift(loo, fit, outcome, term)
                if shift is not None:
                    remarks.append(
                        {
                            "table": "influence",
                            "model": model.name,
                            "outcome": outcome,
                            "term": term,
                            "quantity": "largest_shift",
                            "value": shift[0],
                            "participant_number": shift[1],
                            "note": f"in standard errors, without participant {shift[1]}",
                        }
                    )
    return varied, remarks


def _delta_adjusted(analysis: Prespecified) -> tuple[list[Row], list[Row]]:
    parts = (
        robustness.delta_adjusted_rows(fit, analysis.cohort, analysis.base, analysis.plan)
        for fit in analysis.fits
    )
    return [row for part in parts for row in part], []


def _parametric_bootstrap(analysis: Prespecified) -> tuple[list[Row], list[Row]]:
    parts = (robustness.bootstrap_rows(fit, analysis.base, analysis.plan) for fit in analysis.fits)
    return [row for part in parts for row in part], []


def _specification_curve(analysis: Prespecified) -> tuple[list[Row], list[Row]]:
    return specification_rows(analysis.model, analysis.cohort, analysis.plan, analysis.sources), []


def _cortisol_censored(analysis: Prespecified) -> tuple[list[Row], list[Row]]:
    assays = analysis.sources.assays
    if assays is None:
        raise NotPossible(
            "the assays table, which says what lies below the limit of detection, was not given"
        )
    rows = []
    for fit in analysis.fits:
        for column, outcome in enumerate(fit.outcomes):
            below = np.zeros(len(analysis.cohort.person), dtype=bool)
            limits = np.full(len(below), np.nan)
            flagged = assays[
                (assays["measure"] == outcome) & assays["below_limit"].fillna(False).astype(bool)
            ]
            places = cells_of(analysis.cohort, flagged)
            below[places[places >= 0]] = True
            if "limit" in flagged:
                limits[places[places >= 0]] = flagged["limit"].to_numpy(float)[places >= 0]
            own = fit.design.rows
            rows += robustness.censored_rows(
                fit, column, below[own], limits[own], analysis.base, analysis.plan
            )
    if not rows:
        raise NotPossible("no value of the model's outcomes lies below a limit of detection")
    return rows, []


def _sign_flip(analysis: Prespecified) -> tuple[list[Row], list[Row]]:
    return resampling.flip_rows(resampling.differences(analysis.fits, analysis.cohort), analysis.base), []


def _permute_differences(analysis: Prespecified) -> tuple[list[Row], list[Row]]:
    session = analysis.cohort.session
    two = [fit for fit in analysis.fits if len(np.unique(session[fit.design.rows])) == 2]
    if not two:
        raise NotPossible("differences are permuted between two sessions")
    return resampling.permuted_rows(two, analysis.base, "within"), []


def _permute_means(analysis: Prespecified) -> tuple[list[Row], list[Row]]:
    return resampling.permuted_rows(analysis.fits, analysis.base, "between"), []


def _cr2(analysis: Prespecified) -> tuple[list[Row], list[Row]]:
    return list(resampling.cr2_rows(analysis.fits, analysis.base, analysis.plan)), []


_OF_FITS: dict[str, Callable[[Prespecified], tuple[list[Row], list[Row]]]] = {
    "leave_one_out": _leave_one_out,
    "delta_adjusted": _delta_adjusted,
    "parametric_bootstrap": _parametric_bootstrap,
    "specification_curve": _specification_curve,
    "sign_flip": _sign_flip,
    "cr2": _cr2,
    "permute_differences": _permute_differences,
    "permute_means": _permute_means,
    "cortisol_censored": _cortisol_censored,
}


def of_family(
    family: Family, analyses: Sequence[Prespecified], rows: Sequence[Row]
) -> tuple[list[Row], list[Row]]:
    """Return the second adjustment of a family (max-T by sign-flips of changes), or why it cannot be.

    Parameters
    ----------
    rows : list of mapping
        All prespecified rows.
    """
    if family.also is None:
        return [], []
    changes = {
        (analysis.model.name, outcome): change
        for analysis in analyses
        for outcome, change in resampling.differences(analysis.fits, analysis.cohort).items()
    }
    tested = [row for row in rows if row["family"] == family.name]
    members = [
        (row, changes[row["model"], row["outcome"]])
        for row in tested
        if row["term"] == SESSION and (row["model"], row["outcome"]) in changes
    ]
    if members:
        return resampling.family_flip_rows(members), []
    reason = "the family has no change between two sessions"
    remark = {
        "table": "sensitivity_not_possible",
        "family": family.name,
        "quantity": family.also,
        "note": reason,
    }
    return [], [remark] if tested else []
