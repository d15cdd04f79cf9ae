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
from typing import TYPE_CHECKING

import numpy as np

from pniflow.errors import InputError
from pniflow.files import read_table, write_table
from pniflow.models import branches
from pniflow.models.analysis import contrasts_of, design_groups, fit_columns
from pniflow.models.cohort import read_cohort
from pniflow.models.design import Design
from pniflow.models.inference import Array, one_blas_thread
from pniflow.models.permutation import sign_flip
from pniflow.models.random_intercept import RandomIntercept, RandomInterceptFit
from pniflow.models.results import Row, frame_of
from pniflow.models.structure import SESSION, Model, Plan, read_models

if TYPE_CHECKING:
    from pniflow.models.cohort import Cohort

_POWER = 0.8  # of the detectable effect
_FLIPS = 999
_SD, _PER_SD = "SD of the outcome", "SD of the outcome per SD of the term"


def check_design(
    *, measures: Path, participants: Path, models: Path, design: Path, resources: Path | None = None
) -> None:
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
    resources : Path, optional
        Your own resources folder, for names of your own instruments and atlases.

    Raises
    ------
    InputError
        Bad input, in one sentence; nothing is written then.
    """
    plan = read_models(models)
    cohort = read_cohort(
        read_table(measures, "measures"),
        read_table(participants, "participants"),
        plan.reference,
        plan.days,
        str(measures),
    )
    with one_blas_thread():
        chosen, _ = branches.planned(plan, cohort, resources)
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
            names, hypotheses = contrasts_of(model, design)
            families = {name: model.test.get(name) or model.contrasts.get(name) for name in names}
            tested = {
                name: rows for name, rows in zip(names, hypotheses, strict=True) if families[name] is not None
            }
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
    effects = [0.0, *declared["effects"]]
    for icc in declared["icc"] if one.random else [None]:
        outcomes = null_outcomes(one.person, icc or 0.0, declared["draws"], declared["seed"])
        fit = None
        if one.random:
            single = [rows for rows in one.tested.values() if len(rows) == 1]
            fit = RandomIntercept(one.X, one.person).fit(
                outcomes, contrasts=np.vstack([np.zeros((0, one.X.shape[1])), *single])
            )
        place = 0
        for term, rows in one.tested.items():
            if len(rows) > 1:
                shares = {
                    plan.inference if one.random else "ols_t": _joint(one, rows, outcomes, effects, plan)
                }
                found = {method: (values, np.nan) for method, values in shares.items()}
                unit = _unit(one, _direction(one, rows))[1]
            else:
                own = None if fit is None else _reaches(fit, place, plan)
                place += fit is not None
                size, unit = _unit(one, rows[0])
                reaches = own or _least_squares(one, rows, outcomes, plan)
                found = {
                    method: power_of(estimate, reach, np.array(effects) * size, size)
                    for method, (estimate, reach) in reaches.items()
                }
                if one.design.columns[1:] == (SESSION,) and term == SESSION and one.random:
                    found |= _paired(one, outcomes, effects, plan)
            yield from _rows(one, term, icc, effects, unit, found, plan, fit)


def null_outcomes(person: np.ndarray, icc: float, draws: int, seed: int) -> Array:
    """Return (n, draws) normal outcomes of unit variance, of which `icc` is between persons."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((int(person.max()) + 1, draws))
    own = rng.standard_normal((len(person), draws))
    values: Array = np.sqrt(icc) * shared[person] + np.sqrt(1 - icc) * own
    return values


def power_of(estimate: Array, reach: Array, shifts: Array, size: float) -> tuple[Array, float]:
    """Return the share of draws that reject at each shift, and the effect found in 80 % of draws.

    Parameters
    ----------
    estimate, reach : (draws,) arrays
        Estimates without an effect; how far from zero an estimate must lie to be significant.
    shifts : (effects,) array
        What each effect adds to the estimates.
    size : float
        What an effect of one adds.
    """
    hit = np.abs(estimate + shifts[:, None]) > reach
    return hit.mean(axis=1), float(np.quantile(reach - estimate, _POWER, method="inverted_cdf") / size)


def _reaches(fit: RandomInterceptFit, place: int, plan: Plan) -> dict[str, tuple[Array, Array]]:
    """Return estimates and reach by the plan's inference, and by the usual z."""
    from scipy.special import ndtri, stdtrit

    share = 1 - plan.alpha / 2
    kr = plan.inference == "kenward_roger"
    error = (fit.se_kr if kr else fit.se_reml)[place]
    df = (fit.df_kr if kr else fit.df_satterthwaite)[place]
    estimate = fit.estimate[place]
    return {
        plan.inference: (estimate, stdtrit(df, share) * error),
        "wald_z": (estimate, ndtri(share) * fit.se_reml[place]),
    }


def _least_squares(
    one: Representative, rows: Array, outcomes: Array, plan: Plan
) -> dict[str, tuple[Array, Array]]:
    """Return estimates and reach of least squares, for studies with one session."""
    from scipy.special import ndtri, stdtrit

    design = _as_design(one)
    tests = fit_columns(design, outcomes, [rows], False, plan.inference)
    share = 1 - plan.alpha / 2
    estimate, error = tests.estimate[0], tests.std_error[0]
    return {
        "ols_t": (estimate, stdtrit(tests.df[0], share) * error),
        "wald_z": (estimate, ndtri(share) * error),
    }


def _joint(one: Representative, rows: Array, outcomes: Array, effects: Sequence[float], plan: Plan) -> Array:
    """Return the share of draws whose F test rejects, at each effect."""
    direction = one.X @ _direction(one, rows)
    size = _unit(one, _direction(one, rows))[0]
    shares = []
    for effect in effects:
        tests = fit_columns(
            _as_design(one), outcomes + effect * size * direction[:, None], [rows[:1], rows], one.random,
            plan.inference,
        )  # fmt: skip
        shares.append(np.mean(tests.p_value[1] < plan.alpha))
    return np.array(shares)


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


def _as_design(one: Representative) -> Design:
    """Return the design with its rows as arranged."""
    return replace(one.design, X=one.X, person=one.person)


def _paired(
    one: Representative, outcomes: Array, effects: Sequence[float], plan: Plan
) -> dict[str, tuple[Array, float]]:
    """Return the paired t and the sign-flip test of complete pairs' differences."""
    from scipy.special import stdtrit

    later = one.X[:, 1] == 1
    both = np.intersect1d(one.person[later], one.person[~later])
    change = outcomes[later & np.isin(one.person, both)] - outcomes[~later & np.isin(one.person, both)]
    pairs = len(change)
    if pairs < 2:
        return {}
    error = change.std(axis=0, ddof=1) / np.sqrt(pairs)
    reach = stdtrit(pairs - 1, 1 - plan.alpha / 2) * error
    shifted = np.concatenate([change + effect for effect in effects], axis=1)
    flipped = sign_flip(shifted, flips=_FLIPS, seed=plan.design_checks["seed"])
    hit = (flipped.p_value <= plan.alpha).reshape(len(effects), -1)
    return {
        "paired_t": power_of(change.mean(axis=0), reach, np.array(effects), 1.0),
        "sign_flip": (hit.mean(axis=1), np.nan),
    }


def _rows(
    one: Representative,
    term: str,
    icc: float | None,
    effects: Sequence[float],
    unit: str,
    found: Mapping[str, tuple[Array, float]],
    plan: Plan,
    fit: RandomInterceptFit | None,
) -> Iterator[Row]:
    """Yield a row for each method and effect."""
    draws = plan.design_checks["draws"]
    for method, (shares, detectable) in found.items():
        for effect, share in zip(effects, shares, strict=True):
            yield {
                "models": " ".join(one.models),
                "outcomes": " ".join(one.outcomes),
                "families": " ".join(one.families[term]),
                "term": term,
                "n_participants": one.design.people,
                "n_pairs": one.design.with_pairs,
                "n_observations": len(one.X),
                "icc": np.nan if icc is None else icc,
                "effect": effect,
                "effect_unit": unit,
                "method": method,
                "draws": draws,
                "alpha": plan.alpha,
                "rejection": share,
                "mc_error": np.sqrt(share * (1 - share) / draws),
                "detectable_80": detectable,
                "singular": np.nan if fit is None else fit.singular.mean(),
                "note": _NOTES.get(method),
            }


_NOTES = {
    "wald_z": "the usual shortcut: estimate over its REML standard error against the normal distribution",
    "paired_t": "complete pairs alone",
    "sign_flip": f"complete pairs alone; {_FLIPS} flips",
}
