"""All variants of one model: each word of its sensitivity list, its equivalence test, its subgroups."""

from __future__ import annotations

from collections.abc import Sequence

from pniflow.models import robustness
from pniflow.models.analysis import Fit
from pniflow.models.design import Cohort
from pniflow.models.results import Row
from pniflow.models.sensitivity import WORDS, NotPossible, Sources, refit
from pniflow.models.structure import Model, Plan


def of_model(
    model: Model, rows: Sequence[Row], fits: Sequence[Fit], cohort: Cohort, plan: Plan, sources: Sources
) -> tuple[list[Row], list[Row]]:
    """Return the sensitivity rows of a model and the diagnostics that come with them.

    Parameters
    ----------
    rows, fits
        The prespecified analysis.

    Returns
    -------
    varied : list of mapping
        Rows of the sensitivity table. None has a p_adjusted: a variant is no further test.
    remarks : list of mapping
        Rows of the diagnostics table: influence, and the words that the data do not allow, with the reason.
    """
    varied: list[Row] = []
    remarks: list[Row] = []
    base = {(row["outcome"], row["term"]): row for row in rows}
    for word in model.sensitivity:
        try:
            if word == "leave_one_out":
                more, notes = _leave_one_out(model, fits, cohort, plan, base)
                varied += more
                remarks += notes
            elif word in WORDS:
                varied += refit(word, model, cohort, plan, sources)
            else:
                raise NotPossible("not available")
        except NotPossible as reason:
            remarks.append(
                {
                    "table": "sensitivity_not_possible",
                    "model": model.name,
                    "quantity": word,
                    "note": str(reason),
                }
            )
    return varied, remarks


def _leave_one_out(
    model: Model, fits: Sequence[Fit], cohort: Cohort, plan: Plan, base: dict[tuple[str, str], Row]
) -> tuple[list[Row], list[Row]]:
    varied, remarks = [], []
    for fit in fits:
        loo = robustness.LeaveOneOut(fit, cohort, plan, list(model.test))
        varied += robustness.leave_one_out_rows(loo, fit, base, plan)
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
                            "note": f"in standard errors, without {shift[1]}",
                        }
                    )
    return varied, remarks
