"""One structured model fitted to all of its outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pniflow.mixed import Fit, MixedModel, Tests
from pniflow.models.design import Design, build, complete_rows, variables_of
from pniflow.models.specification import BETWEEN_MINUS_WITHIN, Model, Plan
from pniflow.models.study_data import Cohort
from pniflow.models.terms import NotEstimable

Array = NDArray[np.float64]

NO_ROWS, NO_PAIRS, TOO_FEW = (
    f"not estimable: {reason}"
    for reason in ("no complete rows", "no participant with two sessions", "too few pairs")
)


@dataclass(frozen=True)
class ModelFit:
    """A model fitted to outcomes that have the same rows, with the tests of its result rows."""

    model: Model
    design: Design
    outcomes: tuple[str, ...]
    values: Array  # (n, outcomes)
    fit: Fit
    tests: Tests

    @property
    def rows(self) -> tuple[str, ...]:
        """The names of the result rows."""
        return self.tests.terms


def contrasts_of(model: Model, design: Design) -> dict[str, Array]:
    """Return the result rows of a design and, for each, its L of L b = 0: one row for t, several for F."""
    identity = np.eye(len(design.columns))
    found: dict[str, Array] = {}
    for term, columns in design.terms.items():
        found[term] = identity[list(columns)]
        if len(columns) > 1:
            found |= {design.columns[column]: identity[[column]] for column in columns}
    if BETWEEN_MINUS_WITHIN in model.contrasts:
        within, between = model.halves[0]
        found[BETWEEN_MINUS_WITHIN] = (
            identity[list(design.terms[between])] - identity[list(design.terms[within])]
        )
    return found


def mixed_model(design: Design, random: bool) -> MixedModel:
    """Return a design's model: an intercept per person, or least squares."""
    return MixedModel(design.X, {"person": design.person} if random else None, names=design.columns)


def joined(*notes: str | None) -> str:
    return "; ".join(dict.fromkeys(note for note in notes if note))


def fit_groups(
    model: Model,
    cohort: Cohort,
    plan: Plan,
    keep: NDArray[np.bool_] | None = None,
    completers: bool = False,
) -> tuple[list[ModelFit], dict[str, tuple[str, int, int]]]:
    """Fit a model to its outcomes; those with the same rows are fitted at once.

    Parameters
    ----------
    keep, completers : optional
        As for `design_groups`.

    Returns
    -------
    fits : list of ModelFit
    unfitted : mapping of str to (note, participants, rows)
        Outcomes that cannot be fitted, with the reason.
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
        there = ~np.isnan(cohort.measures[outcome])
        given = there & complete
        if completers:
            visits = np.bincount(cohort.person[given], minlength=len(cohort.participants))
            given &= (visits == len(np.unique(cohort.session[given])))[cohort.person]
        rows, people = int(given.sum()), len(np.unique(cohort.person[given]))
        if not rows:
            unfitted[outcome] = (NO_ROWS, 0, 0)
        elif model.random and rows - people < 2:
            single = there.sum() == len(np.unique(cohort.person[there]))
            unfitted[outcome] = (NO_PAIRS if single else TOO_FEW, people, rows)
        else:
            groups.setdefault(given.tobytes(), []).append(outcome)
    designs = []
    for mask, outcomes in groups.items():
        here = np.flatnonzero(np.frombuffer(mask, dtype=bool))
        try:
            designs.append((build(model, variables, cohort, here, plan.centred), outcomes))
        except NotEstimable as reason:
            people = len(np.unique(cohort.person[here]))
            unfitted |= dict.fromkeys(outcomes, (f"not estimable: {reason}", people, len(here)))
    return designs, unfitted


def fit_design(model: Model, design: Design, outcomes: Mapping[str, Array], inference: str) -> ModelFit:
    """Fit outcomes, given on the design's rows."""
    values = np.column_stack(list(outcomes.values()))
    fit = mixed_model(design, model.random).fit(values, contrasts_of(model, design))
    return ModelFit(model, design, tuple(outcomes), values, fit, fit.tests(inference))
