"""How much an estimate hangs on single participants, on the variance model, on the distribution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pniflow.errors import InputError
from pniflow.models.analysis import Fit, contrasts_of, fit_columns, joined
from pniflow.models.design import Cohort, build, variables_of
from pniflow.models.results import Row
from pniflow.models.structure import Plan

Array = NDArray[np.float64]


class LeaveOneOut:
    """A fit repeated without each participant: rows, splitting and centring anew each time.

    Attributes
    ----------
    who : (people,) list of str
    estimate, std_error, df, p_value : (people, terms, outcomes) float
        NaN where a term could not be estimated without that participant.
    """

    def __init__(self, fit: Fit, cohort: Cohort, plan: Plan, terms: Sequence[str]) -> None:
        design, model = fit.design, fit.model
        variables = variables_of(model, cohort)
        self.terms = [term for term in terms if term in fit.rows]
        shape = (design.people, len(self.terms), len(fit.outcomes))
        self.estimate, self.std_error, self.df, self.statistic, self.p_value = (
            np.full(shape, np.nan) for _ in range(5)
        )
        self.who: list[str] = []
        for one in range(design.people):
            rest = design.person != one
            self.who.append(cohort.participants[cohort.person[design.rows[~rest][0]]])
            try:
                left = build(model, variables, cohort, design.rows[rest], plan.centred)
            except InputError:
                continue
            names, hypotheses = contrasts_of(model, left)
            here = [names.index(term) for term in self.terms if term in names]
            there = [index for index, term in enumerate(self.terms) if term in names]
            tests = fit_columns(
                left, fit.values[rest], [hypotheses[index] for index in here], model.random, plan.inference
            )
            self.estimate[one, there] = tests.estimate
            self.std_error[one, there] = tests.std_error
            self.df[one, there] = tests.df
            self.statistic[one, there] = tests.statistic
            self.p_value[one, there] = tests.p_value


def leave_one_out_rows(
    loo: LeaveOneOut, fit: Fit, base: Mapping[tuple[str, str], Row], plan: Plan
) -> list[Row]:
    """Return the fits without the participant who makes the estimate lowest, highest, the p-value largest.

    Parameters
    ----------
    base : mapping of (outcome, term) to row
        The prespecified rows.
    """
    from scipy.special import stdtrit

    rows = []
    for column, outcome in enumerate(fit.outcomes):
        for index, term in enumerate(loo.terms):
            estimates, p_values = loo.estimate[:, index, column], loo.p_value[:, index, column]
            if np.isnan(p_values).all():
                continue
            lost = int(np.isnan(p_values).sum())
            several = f"without each of {lost} participants it is not estimable" if lost else None
            ends = {"leave_one_out_largest_p": int(np.nanargmax(p_values))}
            if not np.isnan(estimates).all():
                ends = {
                    "leave_one_out_lowest": int(np.nanargmin(estimates)),
                    "leave_one_out_highest": int(np.nanargmax(estimates)),
                    **ends,
                }
            for variant, one in ends.items():
                at = (one, index, column)
                reach = float(stdtrit(loo.df[at], 1 - plan.alpha / 2)) * loo.std_error[at]
                rows.append(
                    {
                        **base[outcome, term],
                        "variant": variant,
                        "estimate": loo.estimate[at],
                        "std_error": loo.std_error[at],
                        "df": loo.df[at],
                        "statistic": loo.statistic[at],
                        "p_value": loo.p_value[at],
                        "p_adjusted": np.nan,
                        "conf_low": loo.estimate[at] - reach,
                        "conf_high": loo.estimate[at] + reach,
                        "effect_size": np.nan,
                        "effect_size_kind": None,
                        "n_participants": fit.design.people - 1,
                        "n_observations": len(fit.design.rows) - int((fit.design.person == one).sum()),
                        "icc": np.nan,
                        "singular": None,
                        "note": joined(f"without {loo.who[one]}", several),
                    }
                )
    return rows


def largest_shift(loo: LeaveOneOut, fit: Fit, outcome: str, term: str) -> tuple[float, str] | None:
    """Return the largest change of an estimate by leaving a participant out, in its standard errors, and who.

    Signed as the estimate moves when the participant is left out (DFBETAS with the full fit's standard
    error).
    """
    column, index = fit.outcomes.index(outcome), loo.terms.index(term)
    row = fit.rows.index(term)
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = (loo.estimate[:, index, column] - fit.tests.estimate[row, column]) / fit.tests.std_error[
            row, column
        ]
    if np.isnan(shift).all():
        return None
    one = int(np.nanargmax(np.abs(shift)))
    return float(shift[one]), loo.who[one]
