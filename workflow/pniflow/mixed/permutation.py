"""Permutation tests of a family of outcomes: p of each, and p of the largest statistic (max-T).

The person is the unit, and one flip or permutation serves all outcomes, so that their correlation is
kept. Each outcome's t is a monotone function of a correlation, which one matrix product gives for many
permutations at once.

Sources: Westfall & Young 1993 (max-T); Freedman & Lane 1983, J Bus Econ Stat 1:292; Winkler et al. 2014,
NeuroImage 92:381.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pniflow.mixed.inference import Array, one_blas_thread

_TIE = 1e-9  # statistics closer than this are equal: sums in another order, or equal data
_EXACT = 2e9  # multiplications up to which all sign flips are tried
_SHUFFLES, _OUTCOMES = 250, 256  # worked on at once, in cache; counts of one block fit in a byte
_FLIPS = 4096  # where all are tried


@dataclass(frozen=True)
class PermutationTests:
    """Two-sided permutation tests by outcome.

    Attributes
    ----------
    statistic : (P,) array
        The observed t.
    p_value : (P,) array
        Of each outcome alone; NaN where it cannot be tested.
    p_max : (P,) array
        Of the largest statistic among all outcomes (family-wise error).
    permutations : int
        How many were tried, the identity included.
    exact : bool
        Whether these were all there are.
    """

    statistic: Array
    p_value: Array
    p_max: Array
    permutations: int
    exact: bool


@dataclass(frozen=True)
class Shuffles:
    """What flips or permutations of persons make of each outcome's correlation with the tested predictor.

    Attributes
    ----------
    observed : (P,) array
        The correlation as it is.
    blocks : callable
        Some columns and a number of rows -> their correlations in blocks of at most that many shuffles, the
        first of which is none.
    count : int
        Shuffles, the identity included.
    df : (P,) array
        Of the t that belongs to a correlation.
    testable : (P,) array of bool
    exact : bool
        Whether these are all there are.
    """

    observed: Array
    blocks: Callable[[slice, int], Iterator[Array]]
    count: int
    df: np.ndarray
    testable: np.ndarray
    exact: bool


def sign_flip(
    differences: Array, *, flips: int = 10_000, seed: int, exact: bool | None = None
) -> PermutationTests:
    """Test that differences are symmetric about zero, by flipping whole persons' signs.

    Parameters
    ----------
    differences : (pairs,) or (pairs, P) array
        Later minus earlier session, one column per outcome; NaN where a person lacks the pair.
    flips : int
        Random flips, where not all are tried.
    seed : int
        Of the random flips.
    exact : bool, optional
        Try all flips. Where absent: if that is at most about a second's work.

    Returns
    -------
    PermutationTests
    """
    return tests_of(sign_flips(differences, flips=flips, seed=seed, exact=exact))


def sign_flips(differences: Array, *, flips: int = 10_000, seed: int, exact: bool | None = None) -> Shuffles:
    """Return the flips of `sign_flip`, for a use of one's own; parameters as there."""
    d = _columns(differences)
    pairs = np.isfinite(d).sum(axis=0)
    d = np.where(np.isfinite(d), d, 0.0)
    size = np.sqrt(np.einsum("ip,ip->p", d, d))
    testable = (size > 0) & (pairs > 1)
    unit = d / np.where(testable, size * np.sqrt(np.maximum(pairs, 1)), 1.0)  # signed sums are correlations
    people = len(d)
    if exact is None:
        exact = people < 40 and 2.0 ** (people - 1) * people * d.shape[1] <= _EXACT
    if exact:
        # The overall sign changes no two-sided statistic, so the first person keeps theirs.
        def blocks(columns: slice, most: int) -> Iterator[Array]:
            low = min(people - 1, most.bit_length() - 1)
            tables = [_signs(np.arange(2**bits), bits) for bits in (low, people - 1 - low)]
            part = unit[:, columns]
            sums = tables[0] @ part[1 : 1 + low] + part[0]
            for rest in tables[1] @ part[1 + low :]:
                yield sums + rest

        count = 2 ** (people - 1)
    else:
        drawn = 1.0 - 2.0 * np.random.default_rng(seed).integers(0, 2, size=(flips, people))
        signs = np.vstack([np.ones(people), drawn])

        def blocks(columns: slice, most: int) -> Iterator[Array]:
            step = min(most, _SHUFFLES)
            for start in range(0, len(signs), step):
                yield signs[start : start + step] @ unit[:, columns]

        count = flips + 1
    return Shuffles(unit.sum(axis=0), blocks, count, pairs - 1, testable, exact)


def freedman_lane(
    tested: Array, nuisance: Array, outcomes: Array, *, permutations: int = 10_000, seed: int
) -> PermutationTests:
    """Test one predictor of least squares by permuting persons' residuals off the other predictors.

    With an intercept alone as nuisance this permutes the predictor itself and is exact; with covariates it is
    approximate.

    Parameters
    ----------
    tested : (n,) array
        One value per person (a person's difference or mean).
    nuisance : (n, k) array
        Intercept and covariates.
    outcomes : (n,) or (n, P) array
        A column with a missing value is not tested.
    permutations : int
    seed : int

    Returns
    -------
    PermutationTests
    """
    return tests_of(person_permutations(tested, nuisance, outcomes, permutations=permutations, seed=seed))


def person_permutations(
    tested: Array, nuisance: Array, outcomes: Array, *, permutations: int = 10_000, seed: int
) -> Shuffles:
    """Return the permutations of `freedman_lane`, for a use of one's own; parameters as there."""
    y = _columns(outcomes)
    complete = np.isfinite(y).all(axis=0)
    with one_blas_thread():
        basis = _orthonormal(np.asarray(nuisance, dtype=np.float64).reshape(len(y), -1))
        x, size = _off(basis, np.asarray(tested, dtype=np.float64)[:, None])
        unit, length = _off(basis, np.where(complete, y, 0.0))
    df = len(y) - basis.shape[1] - 1
    testable = complete & (length > 0) & (size[0] > 0) & (df > 0)
    rows = np.column_stack([x, basis])
    orders = _orders(len(y), permutations, seed)

    def blocks(columns: slice, most: int) -> Iterator[Array]:
        step = min(most, _SHUFFLES)
        for start in range(0, len(orders), step):
            picked = rows[orders[start : start + step]]
            products = np.moveaxis(picked, 2, 0).reshape(-1, len(y)) @ unit[:, columns]
            products = products.reshape(rows.shape[1], -1, products.shape[1])
            left = 1.0 - np.einsum("kbp,kbp->bp", products[1:], products[1:])
            yield products[0] / np.sqrt(np.maximum(left, _TIE))

    observed = (x * unit).sum(axis=0)
    return Shuffles(observed, blocks, len(orders), np.full(y.shape[1], df), testable, exact=False)


@lru_cache(maxsize=4)
def _orders(people: int, permutations: int, seed: int) -> NDArray[np.intp]:
    """Return the identity and random orders of people, a row each."""
    generator = np.random.default_rng(seed)
    drawn = [generator.permutation(people) for _ in range(permutations)]
    return np.array([np.arange(people), *drawn])


def tests_of(shuffles: Shuffles) -> PermutationTests:
    """Count how often a shuffle's correlation is as large as the observed one."""
    observed, count, df, testable = shuffles.observed, shuffles.count, shuffles.df, shuffles.testable
    statistic = t_of(observed, df)
    same_df = len(np.unique(df[testable])) <= 1  # then correlations rank as t does
    level = np.where(testable, np.abs(observed if same_df else statistic), -1.0)
    level -= _TIE * np.maximum(np.abs(level), 1e-300)
    reached = np.zeros(len(level), dtype=np.int64)
    largest = np.full(count, -np.inf)
    with one_blas_thread():
        for first in range(0, len(level), _OUTCOMES):
            columns, start = slice(first, first + _OUTCOMES), 0
            for block in shuffles.blocks(columns, _FLIPS):
                value = block if same_df else t_of(block, df[columns])
                np.abs(value, out=value)
                if not testable[columns].all():
                    value[:, ~testable[columns]] = -np.inf
                reached[columns] += _count(value >= level[columns])
                own = slice(start, start + len(value))
                np.maximum(largest[own], value.max(axis=1), out=largest[own])
                start += len(value)
    above = count - np.searchsorted(np.sort(largest), level, side="left")
    return PermutationTests(
        statistic=np.where(testable, statistic, np.nan),
        p_value=np.where(testable, reached / count, np.nan),
        p_max=np.where(testable, above / count, np.nan),
        permutations=count,
        exact=shuffles.exact,
    )


def _count(reached: np.ndarray) -> np.ndarray:
    """How many rows are true, by column."""
    dtype = np.uint8 if len(reached) <= 255 else np.int64
    return np.asarray(np.add.reduce(reached.view(np.uint8), axis=0, dtype=dtype))


def t_of(correlation: Array, df: np.ndarray) -> Array:
    """The t statistic of a correlation; infinite where all is explained."""
    with np.errstate(divide="ignore"):
        left: Array = np.sqrt(np.maximum(1.0 - correlation * correlation, 0.0))
        t: Array = correlation * np.sqrt(np.maximum(df, 0).astype(np.float64)) / left
    return t


def _signs(codes: np.ndarray, bits: int) -> Array:
    """Plus and minus ones from the bits of each code; code 0 is all plus."""
    return np.where((codes[:, None] >> np.arange(bits)) & 1, -1.0, 1.0)


def _columns(values: Array) -> Array:
    values = np.asarray(values, dtype=np.float64)
    return values[:, None] if values.ndim == 1 else values


def _orthonormal(columns: Array) -> Array:
    left, size, _ = np.linalg.svd(columns, full_matrices=False)
    return left[:, size > 1e-10 * size.max(initial=0.0)]


def _off(basis: Array, columns: Array) -> tuple[Array, Array]:
    """Columns off a basis, scaled to unit length, and their lengths (zero where only rounding is left)."""
    rest = columns - basis @ (basis.T @ columns)
    rest -= basis @ (basis.T @ rest)
    length = np.linalg.norm(rest, axis=0)
    length[length <= 1e-12 * np.linalg.norm(columns, axis=0)] = 0.0
    return rest / np.where(length > 0, length, 1.0), length
