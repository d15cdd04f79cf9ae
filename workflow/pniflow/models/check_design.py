"""What this study's design can find: type-I error and power of its prespecified tests, by simulation.

Nothing observed in an outcome enters: who was seen when, the covariates and the predictors stay as they are,
outcomes are drawn with a declared ICC, and effects are declared. An effect on a tested coefficient shifts
its estimate and changes neither variances nor standard errors (REML leaves X b out), so one fit of the null
draws gives the power at every effect.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from pniflow.contracts import write_table
from pniflow.errors import InputError
from pniflow.mixed import NOT_ESTIMABLE, Fit, MixedModel, one_blas_thread, sign_flip
from pniflow.models import planning
from pniflow.models.analysis import Array, contrasts_of, design_groups, mixed_model
from pniflow.models.design import Design
from pniflow.models.results import Row, frame_of
from pniflow.models.specification import Model, Plan, read_models
from pniflow.models.study_data import SESSION, cohort_of

if TYPE_CHECKING:
    from pniflow.models.study_data import Cohort

_POWER = 0.8  # of the detectable effect
_FLIPS = 999
_NUMBERS = 4_000_000  # simulated at once
Found: TypeAlias = dict[tuple[str, str], tuple[Array, Array]]  # (term, method) -> hits, needed effects
_SD, _PER_SD = "SD of the outcome", "SD of the outcome per SD of the term"


def check_design(*, measures: Path, participants: Path, models: Path, design: Path) -> None:
    """Simulate type-I error and power of the prespecified tests with the study's people, visits, covariates.

    Parameters
    ----------
    measures : Path
        Tidy measures (contract measures).
    participants : Path
        Covariates of the participants (contract participants).
    models : Path
        Structured models (models.yaml); `design_checks` declares effects, ICC, draws and seed.
    design : Path
        Written: share of draws in which each test rejects (contract design_checks).

    Raises
    ------
    InputError
        Bad input, in one sentence; nothing is written then.
    """
    plan = read_models(models)
    cohort = cohort_of(measures, participants, plan.reference, plan.days)
    with one_blas_thread():
        chosen, _ = planning.planned(plan, cohort)
        rows = [
            {"design": number, **row}
            for number, one in enumerate(representatives(chosen, cohort, plan), start=1)
            for row in checked(one, plan)
        ]
    write_table(frame_of(rows, "design_checks"), design, "design_checks")


@dataclass
class Representative:
    """One design and everything that is tested in it.

    Attributes
    ----------
    X, person : (n, p), (n,) arrays
        Rows in an order that does not depend on the participants' names.
    tested : mapping of str to (r, p) array
        Term or contrast -> its hypothesis.
    """

    design: Design
    random: bool
    X: Array
    person: np.ndarray
    tested: dict[str, Array] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    families: dict[str, list[str]] = field(default_factory=dict)  # by tested term


def representatives(models: Sequence[Model], cohort: Cohort, plan: Plan) -> list[Representative]:
    """Return the designs of all tested terms; outcomes and models that share one are put together."""
    found: dict[tuple[object, ...], Representative] = {}
    for model in models:
        try:
            groups, _ = design_groups(model, cohort, plan)
        except InputError as error:
            raise InputError(f"{plan.source}: model '{model.name}': {error}.") from None
        for design, outcomes in groups:
            contrasts = contrasts_of(model, design)
            families = {name: model.test.get(name) or model.contrasts.get(name) for name in contrasts}
            tested = {name: rows for name, rows in contrasts.items() if families[name] is not None}
            if not tested:
                continue
            X, person = _arranged(design)
            key = (X.tobytes(), person.tobytes(), design.columns, model.random)
            one = found.setdefault(key, Representative(design, model.random, X, person))
            one.tested |= tested
            one.models += [model.name] if model.name not in one.models else []
            one.outcomes += [name for name in outcomes if name not in one.outcomes]
            for name in tested:
                known = one.families.setdefault(name, [])
                known += [str(families[name])] if families[name] not in known else []
    return list(found.values())


def _arranged(design: Design) -> tuple[Array, np.ndarray]:
    """Return the design with its participants in the order of their rows' values, and who is who."""
    order = np.lexsort([*design.X.T[::-1], design.person])
    matrix, person = design.X[order] + 0.0, design.person[order]
    blocks = sorted(
        np.split(matrix, np.flatnonzero(np.diff(person)) + 1), key=lambda rows: (len(rows), rows.tolist())
    )
    return np.concatenate(blocks), np.repeat(np.arange(len(blocks)), [len(rows) for rows in blocks])


def checked(one: Representative, plan: Plan) -> Iterator[Row]:
    """Yield the rows of one design."""
    declared = plan.design_checks
    for icc in declared["icc"] if one.random else [None]:
        rng = np.random.default_rng(declared["seed"])
        parts = []
        for start in range(0, declared["draws"], portion := max(100, _NUMBERS // len(one.X))):
            count = min(portion, declared["draws"] - start)
            parts.append(_simulated(one, null_outcomes(one.person, icc or 0.0, count, rng), plan))
        singular = np.concatenate([part for _, part in parts]).mean() if one.random else np.nan
        for term, method in parts[0][0]:
            hits = np.concatenate([found[term, method][0] for found, _ in parts], axis=1)
            needed = np.concatenate([found[term, method][1] for found, _ in parts])
            own = {"icc": np.nan if icc is None else icc, "singular": singular}
            yield from _rows(one, term, method, hits, needed, own, plan)


def null_outcomes(person: np.ndarray, icc: float, draws: int, rng: np.random.Generator) -> Array:
    """Return (n, draws) normal outcomes of unit variance, of which `icc` is between persons."""
    shared = rng.standard_normal((int(person.max()) + 1, draws))
    own = rng.standard_normal((len(person), draws))
    values: Array = np.sqrt(icc) * shared[person] + np.sqrt(1 - icc) * own
    return values


def _simulated(one: Representative, outcomes: Array, plan: Plan) -> tuple[Found, np.ndarray]:
    """Return hits and needed effects of every test on some draws, and which draws are singular."""
    found: Found = {}
    effects = np.array([0.0, *plan.design_checks["effects"]])
    single = {term: rows for term, rows in one.tested.items() if len(rows) == 1}
    engine = mixed_model(replace(one.design, X=one.X, person=one.person), one.random)
    fit = engine.fit(outcomes, single) if single else None
    reaches = _reaches(fit, one.random, plan) if fit else {}
    for place, (term, rows) in enumerate(single.items()):
        size = _unit(one, rows[0])[0]
        for method, (estimate, reach) in reaches.items():
            found[term, method] = shifted(estimate[place], reach[place], effects, size)
        if one.design.columns[1:] == (SESSION,) and term == SESSION and one.random:
            found |= _paired(one, outcomes, effects, plan)
    for term, rows in one.tested.items():
        if len(rows) > 1:
            hits = _joint(one, engine, rows, outcomes, effects, plan)
            found[term, plan.inference if one.random else "ols_t"] = hits, np.full(hits.shape[1], np.nan)
    return found, fit.singular if fit else np.full(outcomes.shape[1], np.nan)


def shifted(estimate: Array, reach: Array, effects: Array, size: float) -> tuple[Array, Array]:
    """Return which draws reject at each effect, and from which effect on each does so with its sign.

    Parameters
    ----------
    estimate, reach : (draws,) arrays
        Estimates without an effect; how far from zero an estimate must lie to be significant.
    effects : (effects,) array
    size : float
        What an effect of one adds to the estimates.

    Returns
    -------
    hits : (effects, draws) array
        1 and 0; NaN where the test could not be made.
    needed : (draws,) array
    """
    hits = np.abs(estimate + size * effects[:, None]) > reach
    return np.where(np.isnan(reach), np.nan, hits), (reach - estimate) / size


def detectable(needed: Array) -> float:
    """Return the effect from which on 80 % of draws reject; NaN if that is not known of every draw."""
    return float(np.quantile(needed, _POWER, method="inverted_cdf"))


def _reaches(fit: Fit, random: bool, plan: Plan) -> dict[str, tuple[Array, Array]]:
    """Return estimates and reach by the plan's inference, and by the usual z; (terms, draws) each."""
    from scipy.special import ndtri, stdtrit

    share, tests = 1 - plan.alpha / 2, fit.tests(plan.inference)
    return {
        plan.inference if random else "ols_t": (tests.estimate, stdtrit(tests.df, share) * tests.std_error),
        "wald_z": (tests.estimate, ndtri(share) * fit.tests("satterthwaite").std_error),
    }


def _joint(
    one: Representative, engine: MixedModel, rows: Array, outcomes: Array, effects: Array, plan: Plan
) -> Array:
    """Return which draws' F test rejects, at each effect."""
    direction = _direction(one, rows)
    step = (one.X @ direction * _unit(one, direction)[0])[:, None]
    hits = []
    for effect in effects:
        p_values = engine.fit(outcomes + effect * step, {"all": rows}).tests(plan.inference).p_value[0]
        hits.append(np.where(np.isnan(p_values), np.nan, p_values < plan.alpha))
    return np.array(hits)


def _paired(one: Representative, outcomes: Array, effects: Array, plan: Plan) -> Found:
    """Return the paired t and the sign-flip test of complete pairs' differences."""
    from scipy.special import stdtrit

    later = one.X[:, 1] == 1
    both = np.intersect1d(one.person[later], one.person[~later])
    change = outcomes[later & np.isin(one.person, both)] - outcomes[~later & np.isin(one.person, both)]
    pairs, draws = change.shape
    if pairs < 2:
        return {}
    error = change.std(axis=0, ddof=1) / np.sqrt(pairs)
    reach = stdtrit(pairs - 1, 1 - plan.alpha / 2) * error
    all_effects = np.concatenate([change + effect for effect in effects], axis=1)
    flipped = sign_flip(all_effects, flips=_FLIPS, seed=plan.design_checks["seed"])
    hits = (flipped.p_value <= plan.alpha).reshape(len(effects), -1).astype(float)
    return {
        (SESSION, "paired_t"): shifted(change.mean(axis=0), reach, effects, 1.0),
        (SESSION, "sign_flip"): (hits, np.full(draws, np.nan)),
    }


def _direction(one: Representative, rows: Array) -> Array:
    """Return coefficients of an effect of one: levels in equal steps to the last, else the first column."""
    columns = np.flatnonzero(rows.any(axis=0))
    coefficients = np.zeros(one.X.shape[1])
    if np.isin(one.X[:, columns], (0.0, 1.0)).all():
        coefficients[columns] = np.arange(1, len(columns) + 1) / len(columns)
    else:
        coefficients[columns[0]] = 1.0
    return coefficients


def _unit(one: Representative, row: Array) -> tuple[float, str]:
    """Return what an effect of one adds to a coefficient, and its unit: per SD unless columns are 0 and 1."""
    columns = one.X[:, row > 0]
    if np.isin(columns, (0.0, 1.0)).all():
        return 1.0, _SD
    return 1.0 / float(columns[:, 0].std(ddof=1)), _PER_SD


def _rows(
    one: Representative,
    term: str,
    method: str,
    hits: Array,
    needed: Array,
    own: Mapping[str, float],
    plan: Plan,
) -> Iterator[Row]:
    """Yield a row for each effect."""
    rows = one.tested[term]
    draws = hits.shape[1]
    made = ~np.isnan(hits).all()
    for effect, hit in zip([0.0, *plan.design_checks["effects"]], hits, strict=True):
        share = float(np.nansum(hit)) / draws if made else np.nan
        yield {
            "models": " ".join(one.models),
            "outcomes": " ".join(one.outcomes),
            "families": " ".join(one.families[term]),
            "term": term,
            "n_participants": one.design.people,
            "n_pairs": one.design.with_pairs,
            "n_observations": len(one.X),
            **own,
            "effect": effect,
            "effect_unit": _unit(one, rows[0] if len(rows) == 1 else _direction(one, rows))[1],
            "method": method,
            "draws": draws,
            "alpha": plan.alpha,
            "rejection": share,
            "mc_error": np.sqrt(share * (1 - share) / draws),
            "detectable_80": detectable(needed),
            "note": _NOTES.get(method) if made else NOT_ESTIMABLE,
        }


_NOTES = {
    "wald_z": "the usual shortcut: estimate over its REML standard error against the normal distribution",
    "paired_t": "complete pairs alone",
    "sign_flip": f"complete pairs alone; {_FLIPS} flips",
}
