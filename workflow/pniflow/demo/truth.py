"""What each prespecified model converges to: fitted on the simulator's own measures of a large population.

The terms make their columns as they do for a study; the fit is written apart from `pniflow.mixed`: a
random-intercept likelihood from sums of squares.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.demo import population, scores
from pniflow.demo.observe import INSULA
from pniflow.demo.scenario import DETECTION_LIMIT, Design, facets, genes
from pniflow.demo.simulation import Study, simulate
from pniflow.models.specification import BETWEEN_MINUS_WITHIN, read_models
from pniflow.models.study_data import PERSON_MEAN, SESSION, Variable
from pniflow.models.terms import Sample, parts_of

if TYPE_CHECKING:
    from pniflow.models.specification import Model


def population_of(design: Design, participants: int, seed: int) -> Study:
    """Simulate many people of the same design, with the genes and regions that the scores need."""
    needed = np.flatnonzero(np.isin(genes()["component"], scores.SCORED))
    regions = np.unique(np.concatenate(list(scores.group_members().values())))
    return simulate(replace(design, participants=participants, seed=seed), needed, regions)


def true_estimates(
    study: Study, models: Path, scale: tuple[np.ndarray, np.ndarray] | None = None
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Fit every model of models.yaml on a simulated population.

    Parameters
    ----------
    scale : tuple of ndarray, optional
        Mean and SD of each gene for the z values of CTRA; the population's own by default.

    Returns
    -------
    estimates : list of dict
        model, outcome, term, value, monte_carlo_error (robust to the model being wrong).
    d_z : dict
        Mean over SD of the change from the first to the second session, by measure.
    """
    measured = scores.measures(study, scale)
    estimates = [row for model in read_models(models).models for row in _fitted(model, measured, study)]
    change = {name: values[:, 1] - values[:, 0] for name, values in measured.items()}
    spread = {name: np.nanstd(values, ddof=1) for name, values in change.items()}
    return estimates, {
        name: _short(np.nanmean(change[name]) / sd) for name, sd in spread.items() if sd > 1e-9
    }


def _fitted(model: Model, measured: dict[str, np.ndarray], study: Study) -> list[dict[str, Any]]:
    """Fit one model to each of its outcomes; none where it asks for what is not simulated."""
    sources = {name.removesuffix(PERSON_MEAN) for name in model.variables} - vars(study.people).keys()
    if model.requires or model.timed or not {*model.outcomes, *sources} <= measured.keys():
        return []
    person, session = np.indices((study.design.participants, study.design.sessions)).reshape(2, -1)
    variables = {name: _variable(name, measured, study) for name in model.variables}
    variables[SESSION] = Variable(session.astype(float), study.design.session_ids)
    rows = []
    for outcome in model.outcomes:
        response = measured[outcome].ravel()
        complete = np.isfinite([response, *(one.values for one in variables.values())]).all(axis=0)
        kept = np.flatnonzero(complete)
        _, people = np.unique(person[kept], return_inverse=True)
        parts = parts_of(model.terms, Sample(variables, kept, people, session[kept]))
        columns = {name: values for part in parts.values() for name, values in part.columns.items()}
        design = np.column_stack(list(columns.values()))
        estimate, influence = fit_random_intercept(response[kept], design, people)
        contrasts = dict(zip(columns, np.eye(len(columns)), strict=True))
        if BETWEEN_MINUS_WITHIN in model.contrasts:
            within, between = model.halves[0]
            contrasts[BETWEEN_MINUS_WITHIN] = contrasts[between] - contrasts[within]
        for term, c in contrasts.items():
            row = {"model": model.name, "outcome": outcome, "term": term, "value": _short(c @ estimate)}
            rows.append(row | {"monte_carlo_error": _short(np.linalg.norm(influence @ c))})
    return rows


def _short(value: float | np.floating) -> float:
    """Keep ten digits: the ones behind them may differ between processors."""
    return float(f"{value:.10g}")


def _variable(name: str, measured: dict[str, np.ndarray], study: Study) -> Variable:
    """Return a variable on the rows participant by session."""
    if name.endswith(PERSON_MEAN):
        values = measured[name.removesuffix(PERSON_MEAN)]
        count = np.isfinite(values).sum(axis=1)
        mean = np.where(count > 0, np.nansum(values, axis=1) / np.maximum(count, 1), np.nan)
        return Variable(np.repeat(mean, study.design.sessions))
    if name in measured:
        return Variable(measured[name].ravel())
    values = getattr(study.people, name)
    levels = ("no", "yes") if values.dtype == bool else None
    return Variable(np.repeat(values.astype(float), study.design.sessions), levels)


def fit_random_intercept(y: np.ndarray, x: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit y = x b + person + error by REML.

    Returns
    -------
    estimate : ndarray
        Coefficients.
    influence : ndarray
        Each group's pull on each coefficient (groups, coefficients); the root of its sum of squares is the
        cluster-robust standard error.

    Notes
    -----
    With r the ratio of variances, V = I + r J in each group of m rows, so x'V⁻¹x = x'x − Σ r/(1 + r m) s s'
    with s the group's sum of x; only these sums enter the likelihood.
    """
    from scipy.optimize import minimize_scalar

    data = np.column_stack([x, y])
    members, group = np.unique(group, return_inverse=True)
    size = np.bincount(group)
    sums = np.column_stack([np.bincount(group, column, len(members)) for column in data.T])
    total, p = data.T @ data, x.shape[1]
    parts = {int(m): sums[size == m].T @ sums[size == m] for m in np.unique(size)}

    def weighted(ratio: float) -> np.ndarray:
        return np.asarray(total - sum(ratio / (1 + ratio * m) * part for m, part in parts.items()))

    def deviance(log_ratio: float) -> float:
        a = weighted(np.exp(log_ratio))
        residual = a[p, p] - a[p, :p] @ np.linalg.solve(a[:p, :p], a[:p, p])
        determinant = np.log1p(np.exp(log_ratio) * size).sum() + np.linalg.slogdet(a[:p, :p])[1]
        return float((len(y) - p) * np.log(max(residual, 1e-300)) + determinant)

    best = minimize_scalar(deviance, bounds=(-12, 8), method="bounded", options={"xatol": 1e-8})
    a = weighted(np.exp(best.x))
    estimate = np.linalg.solve(a[:p, :p], a[:p, p])
    residual = y - x @ estimate
    shrink = np.exp(best.x) / (1 + np.exp(best.x) * size)
    own = np.bincount(group, residual, len(members))
    gradient = np.column_stack([np.bincount(group, column * residual, len(members)) for column in x.T])
    gradient -= sums[:, :p] * (shrink * own)[:, None]
    bread = np.linalg.inv(a[:p, :p])
    return estimate, gradient @ bread


def planted(design: Design) -> dict[str, Any]:
    """Return what was planted, in the simulator's own units."""
    return {
        "facet_change_in_item_units": {
            facet.name: population.mean_change(facet, design).tolist() for facet in facets()
        },
        "ctra_state_per_latent_sd": population.slopes(design),
        "anterior_insula_mm_per_ctra_state": {
            part: {"left": design.strength * slope, "right": -design.strength * slope}
            for part, slope in INSULA.items()
        },
        "detection_limit_pg_mg": DETECTION_LIMIT,
    }


def zero_change(estimates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return, per predictor of CTRA, how a within slope goes together with no mean change of CTRA.

    Where the predictor's mean changes by Δ and its within slope is b, a model with the raw deviation from the
    person's mean has the session coefficient (change of CTRA) − b Δ; with the predictor centred at each
    session it is the change itself.
    """
    change, rows = {}, []
    for row in estimates:
        if row["model"].startswith("change_") and row["term"] == "session":
            change[row["outcome"]] = row["value"]
    for row in estimates:
        predictor = row["term"].removesuffix("_within")
        if row["outcome"] == "ctra" and predictor != row["term"] and predictor in change:
            entry = {"predictor": predictor, "within_slope": row["value"], "mean_change": change[predictor]}
            entry |= {"ctra_change": change["ctra"]}
            session = change["ctra"] - row["value"] * change[predictor]
            rows.append(entry | {"session_coefficient_uncentred": _short(session)})
    return rows
