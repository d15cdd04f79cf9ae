"""Permutation, paired and robust tests beside the mixed models; one shuffle of persons serves all outcomes.

A session's change is tested by flipping the signs of persons' differences, a within slope by permuting their
differences, a between slope by permuting their means (approximate where there are covariates).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pniflow.mixed import NOT_ESTIMABLE, PERFECT, PermutationTests, cr2_tests, freedman_lane, sign_flip
from pniflow.models.analysis import ModelFit, joined
from pniflow.models.design import Design
from pniflow.models.results import Row, interval, is_change, tested, variant_row
from pniflow.models.specification import Plan
from pniflow.models.study_data import SESSION, Cohort

Array = NDArray[np.float64]
ALL_ALIKE = "every pair has the same change: no t"
SEED = 20240618  # of the random flips and permutations

_PERFECT_T = 1e7  # a larger t is rounding error
Base = Mapping[tuple[str, str], Row]


def differences(fits: Sequence[ModelFit], cohort: Cohort) -> dict[str, Array]:
    """Return each outcome's change by participant of two-session change models; NaN without the pair."""
    found: dict[str, Array] = {}
    for fit in fits:
        if not is_change(fit.model) or len(fit.design.columns) != 2:
            continue
        session = cohort.session[fit.design.rows]
        person = cohort.person[fit.design.rows]
        for column, outcome in enumerate(fit.outcomes):
            table = np.full((2, len(cohort.participants)), np.nan)
            table[(session > session.min()).astype(int), person] = fit.values[:, column]
            found[outcome] = table[1] - table[0]
    return {outcome: found[outcome] for fit in fits[:1] for outcome in fit.model.outcomes if outcome in found}


def paired_rows(fits: Sequence[ModelFit], cohort: Cohort, base: Base, plan: Plan) -> list[Row]:
    """Return paired t and sign-flip p of every two-session change whose fit is singular."""
    changes = differences(fits, cohort)
    beside = [
        outcome
        for outcome in changes
        if base[outcome, SESSION]["singular"] and np.isfinite(changes[outcome]).sum() > 1
    ]
    rows = []
    for outcome in beside:
        change = changes[outcome][np.isfinite(changes[outcome])]
        estimate, error = change.mean(), change.std(ddof=1) / np.sqrt(len(change))
        if error > 0:
            rows.append(
                _of_pairs(
                    base[outcome, SESSION],
                    "paired_t",
                    changes[outcome],
                    **tested(estimate, error, len(change) - 1),
                    **interval(estimate, error, len(change) - 1, plan.alpha),
                    method="paired t of complete pairs",
                    choices="paired_t",
                )
            )
    return rows + (flip_rows({outcome: changes[outcome] for outcome in beside}, base) if beside else [])


def flip_rows(changes: Mapping[str, Array], base: Base) -> list[Row]:
    """Return the sign-flip test of each change."""
    if not changes:
        return []
    flipped = _flipped(list(changes.values()))
    return [
        _of_pairs(
            base[outcome, SESSION],
            "sign_flip",
            change,
            statistic=flipped.statistic[column],
            p_value=flipped.p_value[column],
            method=_flip_method(flipped),
        )
        for column, (outcome, change) in enumerate(changes.items())
    ]


def family_flip_rows(members: Sequence[tuple[Row, Array]]) -> list[Row]:
    """Return the max-T sign-flip test of a family of changes: p_adjusted is that of the largest statistic.

    Parameters
    ----------
    members : list of (row, change)
        Prespecified row and change by participant, of each test of the family.
    """
    flipped = _flipped([change for _, change in members])
    return [
        _of_pairs(
            row,
            "sign_flip_maxt",
            change,
            statistic=flipped.statistic[column],
            p_value=flipped.p_value[column],
            p_adjusted=flipped.p_max[column],
            method=f"{_flip_method(flipped)}; p_adjusted: max-T over {len(members)} tests",
        )
        for column, (row, change) in enumerate(members)
    ]


def _flipped(changes: Sequence[Array]) -> PermutationTests:
    table = np.column_stack(changes)
    table = table[np.isfinite(table).any(axis=1)]
    return _flipped_once(table.tobytes(), table.shape[1])


@lru_cache(maxsize=4)
def _flipped_once(table: bytes, outcomes: int) -> PermutationTests:
    """Flip signs; kept, since a model's changes and those of its family are often the same."""
    return sign_flip(np.frombuffer(table).reshape(-1, outcomes), seed=SEED)


def _flip_method(flipped: PermutationTests) -> str:
    kind = "all" if flipped.exact else "random"
    return f"sign-flip of complete pairs, {flipped.permutations} {kind} flips"


def _of_pairs(row: Row, variant: str, change: Array, **values: Any) -> Row:
    pairs = change[np.isfinite(change)]
    error = pairs.std(ddof=1) / np.sqrt(len(pairs)) if len(pairs) > 1 else np.nan
    same = len(pairs) > 1 and not error > 1e-12 * np.abs(pairs).max()
    return variant_row(
        row,
        variant,
        **{
            "estimate": pairs.mean() if len(pairs) else np.nan,
            "std_error": error,
            "df": len(pairs) - 1,
            "n_participants": len(pairs),
            "n_observations": 2 * len(pairs),
            "n_pairs": len(pairs),
            **values,
            **({"std_error": np.nan, "statistic": np.nan, "note": ALL_ALIKE} if same else {}),
        },
    )


def permuted_rows(fits: Sequence[ModelFit], base: Base, kind: str) -> list[Row]:
    """Return permutation tests of slopes: `within` on persons' differences, `between` on their means."""
    variant = {"within": "permute_differences", "between": "permute_means"}[kind]
    rows = []
    for fit in fits:
        reduced, values, visits = (differences_of if kind == "within" else means_of)(fit.design, fit.values)
        used = used_columns(reduced)
        for term in (term for term in fit.model.test if fit.design.kinds.get(term) == kind):
            at = fit.design.terms[term][0]
            rest = np.flatnonzero(used & (np.arange(len(used)) != at))
            if not used[at] or len(reduced) <= len(rest) + 1:
                continue
            tests = freedman_lane(reduced[:, at], reduced[:, rest], values, seed=SEED)
            slopes = np.linalg.lstsq(reduced[:, [at, *rest]], values, rcond=None)[0][0]
            how = "with covariates approximate" if len(rest) > 1 else "exact but for the draw"
            for column, outcome in enumerate(fit.outcomes):
                statistic = tests.statistic[column]
                word = NOT_ESTIMABLE if np.isnan(statistic) else ""
                if abs(statistic) > _PERFECT_T:
                    statistic, word = np.nan, PERFECT
                rows.append(
                    variant_row(
                        base[outcome, term],
                        variant,
                        estimate=slopes[column],
                        std_error=slopes[column] / statistic,
                        df=len(reduced) - len(rest) - 1,
                        statistic=statistic,
                        p_value=tests.p_value[column],
                        n_participants=len(reduced),
                        n_observations=visits,
                        n_pairs=len(reduced) if kind == "within" else fit.design.with_pairs,
                        method=f"permutation of persons (Freedman-Lane), {tests.permutations} permutations",
                        note=joined(word, how),
                    )
                )
    return rows


def used_columns(reduced: Array) -> NDArray[np.bool_]:
    """Tell which columns of a reduced design say something: they vary, or are the (new) intercept."""
    used = np.ptp(reduced, axis=0) > 1e-9 * np.abs(reduced).max(axis=0, initial=1e-300)
    return np.asarray(used | (np.abs(reduced).min(axis=0, initial=np.inf) > 0))


def differences_of(design: Design, values: Array) -> tuple[Array, Array, int]:
    """Design and outcomes of persons with two rows, later minus earlier, and how many rows these are."""
    order = np.lexsort((design.rows, design.person))
    person = design.person[order]
    two = np.flatnonzero((person[1:] == person[:-1]) & (np.bincount(person)[person[1:]] == 2))
    first, second = order[two], order[two + 1]
    sign = np.where(design.rows[second] > design.rows[first], 1.0, -1.0)[:, None]
    return (
        sign * (design.X[second] - design.X[first]),
        sign * (values[second] - values[first]),
        2 * len(two),
    )


def means_of(design: Design, values: Array) -> tuple[Array, Array, int]:
    """Design and outcomes averaged over each person's rows, and how many rows these are."""
    size = np.bincount(design.person)[:, None]
    both = np.column_stack([design.X, values])
    total = np.zeros((design.people, both.shape[1]))
    np.add.at(total, design.person, both)
    means = total / size
    means[np.abs(means) <= 1e-12 * np.abs(both).max(axis=0)] = 0.0
    p = design.X.shape[1]
    return means[:, :p], means[:, p:], len(design.rows)


def cr2_rows(fits: Sequence[ModelFit], base: Base, plan: Plan) -> Iterator[Row]:
    """Yield CR2 cluster-robust tests of the tested terms and contrasts that have one coefficient."""
    for fit in fits:
        terms = [term for term in fit.model.tested if len(fit.fit.hypotheses.get(term, ())) == 1]
        if not terms:
            continue
        rows = np.vstack([fit.fit.hypotheses[term] for term in terms])
        estimator = "REML" if fit.model.random else "OLS"
        for column, outcome in enumerate(fit.outcomes):
            share = fit.fit.icc[column]
            ratio = share / (1 - share) if fit.model.random else 0.0
            robust = cr2_tests(fit.design.X, fit.design.person, fit.values[:, column], ratio, contrasts=rows)
            for index, term in enumerate(terms):
                estimate, error, df = robust.estimate[index], robust.std_error[index], robust.df[index]
                if robust.alone[index]:
                    yield variant_row(
                        base[outcome, term], "cr2", estimate=estimate, choices="cr2",
                        note="not estimable: it rests on one participant",
                    )  # fmt: skip
                    continue
                few = (
                    "fewer than 5 df: do not rely on it"
                    if df < 5
                    else NOT_ESTIMABLE
                    if np.isnan(error)
                    else ""
                )
                yield variant_row(
                    base[outcome, term],
                    "cr2",
                    estimate=estimate,
                    std_error=error,
                    df=df,
                    statistic=robust.statistic[index],
                    p_value=robust.p_value[index],
                    **interval(estimate, error, df, plan.alpha),
                    method=f"{estimator}, CR2 by participant, Satterthwaite",
                    choices="cr2",
                    note=joined(few) or None,
                )
