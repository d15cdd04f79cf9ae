"""What stands behind the estimates: what was left out, family sizes, rows, effect sizes, residuals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pniflow.mixed import paired_effects
from pniflow.models.analysis import ModelFit
from pniflow.models.design import complete_rows, variables_of
from pniflow.models.results import Change, Row, changes_of
from pniflow.models.specification import Model, Plan
from pniflow.models.study_data import Cohort

Array = NDArray[np.float64]


def left_out_rows(left_out: Sequence[Mapping[str, str]]) -> list[Row]:
    """Return the models and outcomes that the study cannot have, with the reason."""
    return [
        {
            "table": "models_left_out",
            "model": one["model"],
            "outcome": one["outcome"] or None,
            "lacking_data": one["data"] or None,
            "lacking_measure": one["measure"] or None,
            "note": one["reason"],
        }
        for one in left_out
    ]


def family_rows(rows: Sequence[Row], plan: Plan) -> list[Row]:
    """Return m of each family: planned tests, of which some may not be estimable."""
    result = []
    for name, family in plan.families.items():
        tested = [row for row in rows if row["family"] == name]
        if tested:
            made = sum(not np.isnan(row.get("p_value", np.nan)) for row in tested)
            words = f"{family.role}; adjustment {family.adjust}" + (f"; {family.note}" if family.note else "")
            result += [
                {
                    "table": "families",
                    "family": name,
                    "adjust": family.adjust,
                    "quantity": "m_planned",
                    "value": len(tested),
                    "note": words,
                },
                {"table": "families", "family": name, "quantity": "m_estimable", "value": made},
            ]
    return result


def row_counts(model: Model, cohort: Cohort) -> list[Row]:
    """Return for each outcome how many rows it has, how many were used, and which terms the others lack."""
    variables = variables_of(model, cohort)
    complete = complete_rows(model, variables)
    result = []
    for outcome in model.outcomes:
        given = ~np.isnan(cohort.measures[outcome])
        counts = {"rows_with_outcome": given.sum(), "rows_used": (given & complete).sum()}
        for name in model.variables:
            lacking = (given & np.isnan(variables[name].values)).sum()
            if lacking:
                counts[f"rows_lacking {name}"] = lacking
        result += [
            {
                "table": "rows",
                "model": model.name,
                "outcome": outcome,
                "quantity": name,
                "value": float(count),
            }
            for name, count in counts.items()
        ]
    return result


def effect_size_rows(fit: ModelFit, cohort: Cohort) -> list[Row]:
    """Return the change of complete pairs, raw and standardized, of each outcome of a change model."""
    rows = []
    for change in changes_of(fit, cohort):
        quantities = _effect_sizes(change)
        rows += [
            {
                "table": "effect_sizes",
                "model": fit.model.name,
                "outcome": outcome,
                "term": change.term,
                "quantity": name,
                "value": values[column],
                "conf_low": interval[0][column] if interval else np.nan,
                "conf_high": interval[1][column] if interval else np.nan,
                "note": note,
            }
            for column, outcome in enumerate(fit.outcomes)
            for name, (values, interval, note) in quantities.items()
        ]
    return rows


def _effect_sizes(change: Change) -> dict[str, tuple[Array, tuple[Array, Array] | None, str | None]]:
    """Return quantity -> values by outcome, their interval, a note."""
    effects = paired_effects(change.before, change.after)
    first, later = change.first, change.later
    return {
        "pairs": (
            np.full(change.before.shape[1], effects.pairs),
            None,
            f"participants with {first} and {later}",
        ),
        "mean_change": (effects.change, effects.change_interval, f"{later} minus {first}, complete pairs"),
        f"sd_{first}": (effects.sd_baseline, None, None),
        f"sd_{later}": (effects.sd_follow_up, None, None),
        "sd_change": (effects.sd_difference, None, None),
        "correlation": (effects.r, None, "between the sessions"),
        "g_av": (
            effects.g_av,
            effects.g_av_interval,
            "standardizer: mean of the two sessions' SDs; Hedges' factor, n - 1 df",
        ),
        "g_rm": (
            effects.g_rm,
            effects.g_rm_interval,
            "standardizer: SD of the change / sqrt(2 (1 - r)); Hedges' factor, n - 1 df",
        ),
        "d_baseline": (effects.baseline_d, None, f"standardizer: SD at {first} of the complete pairs"),
    }


def residual_rows(fit: ModelFit, cohort: Cohort) -> list[Row]:
    """Return shape and largest of the conditional residuals (outcome - fixed part - predicted intercept)."""
    rows = []
    for column, outcome in enumerate(fit.outcomes):
        residual = _conditional(fit, column)
        spread = np.sqrt(np.square(residual).mean())
        if not spread > 0:
            continue
        standard = residual / spread
        worst = int(np.argmax(np.abs(standard)))
        row = fit.design.rows[worst]
        who = cohort.numbers[cohort.person[row]]
        quantities: dict[str, tuple[float, int | None]] = {
            "skewness": (float((standard**3).mean()), None),
            "excess_kurtosis": (float((standard**4).mean()) - 3, None),
            "largest_standardized": (float(standard[worst]), who),
        }
        where = f"participant {who} at {cohort.sessions[cohort.session[row]]}"
        rows += [
            {
                "table": "residuals",
                "model": fit.model.name,
                "outcome": outcome,
                "quantity": name,
                "value": value,
                "participant_number": number,
                "note": where if number else None,
            }
            for name, (value, number) in quantities.items()
        ]
    return rows


def _conditional(fit: ModelFit, column: int) -> Array:
    """Residuals off the fixed part and the best linear unbiased predictions of the intercepts, centred."""
    design = fit.design
    coefficients = fit.tests.estimate[[fit.rows.index(name) for name in design.columns], column]
    residual = fit.values[:, column] - design.X @ coefficients
    if fit.model.random:
        size, total = np.bincount(design.person), np.bincount(design.person, residual)
        share = fit.fit.icc[column]
        ratio = share / (1 - share) if share < 1 else np.inf
        residual = (
            residual - (total * ratio / (1 + ratio * size) if ratio < np.inf else total / size)[design.person]
        )
    return np.asarray(residual - residual.mean())
