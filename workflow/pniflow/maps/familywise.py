"""Family-wise p-values over a whole map, by permuting persons the same way for all of its elements.

p of the largest statistic (max-T), and p of the largest value after threshold-free cluster enhancement, which
the `tfce` package computes without steps.

Sources: Westfall & Young 1993 (max-T); Smith & Nichols 2009, NeuroImage 44:83 (TFCE; E = 0.5, H = 2 in
volumes, E = 1, H = 2 on surfaces); Winkler et al. 2014, NeuroImage 92:381 (permutation).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pniflow.mixed import Shuffles, one_blas_thread, person_permutations, sign_flips, t_of, tests_of
from pniflow.models import results
from pniflow.models.design import Design
from pniflow.models.sensitivity import resampling
from pniflow.models.study_data import SESSION

Array = NDArray[np.float64]

_ENHANCED = 16  # maps enhanced at once
_LARGEST_T = 1e6  # stands for an infinite t, so that its enhancement is finite
_TIE = 1e-5  # enhanced maps are single precision


@dataclass(frozen=True)
class Space:
    """What the elements of a map are to each other.

    Attributes
    ----------
    neighbours : sparse matrix (V, V) or None
        Which elements touch; None where the mesh is not known (then no clusters and no TFCE).
    extent_power : float
        E of TFCE.
    """

    neighbours: Any
    extent_power: float


@dataclass(frozen=True)
class Exchange:
    """What of the persons may be exchanged under the null hypothesis of a term.

    Attributes
    ----------
    of : str
        `differences`, `means`, or empty where nothing can be.
    tested : (persons,) array
        The term there; without variation it is the session's change, and signs are flipped.
    nuisance : (persons, k) array
    words : str
        Where nothing can be: why.
    level : int or None
        Of more than two sessions: the column of the one whose difference from the reference is meant.
    """

    of: str
    tested: Array
    nuisance: Array
    words: str = ""
    level: int | None = None

    @property
    def key(self) -> tuple[str, int | None]:
        """What outcomes are reduced by: terms with the same key are tested on the same numbers."""
        return self.of, self.level

    def reduced(self, design: Design, values: Array) -> Array:
        """Return the outcomes' differences or means, (persons, elements), from those of all rows."""
        return _reduced(design, values, self.of == "differences", self.level)[1]


def _reduced(design: Design, values: Array, differences: bool, level: int | None) -> tuple[Array, Array]:
    if level is not None:
        # Rows of the reference session and of this one: the columns of all others are zero.
        here = design.X[:, design.terms[SESSION]].sum(axis=1) == design.X[:, level]
        design = replace(design, X=design.X[here], person=design.person[here], rows=design.rows[here])
        values = values[here]
    return (resampling.differences_of if differences else resampling.means_of)(design, values)[:2]


def exchange_of(design: Design, column: int, random: bool, sessions: int) -> Exchange:
    """Return how the term of a column is tested by permutation.

    What differs between persons alone is tested by permuting their means; what varies within them, by their
    differences: flipped in sign for the change of a model without other terms within persons, else permuted.
    Of more than two sessions each is compared with the reference, by the people who have both.
    """
    none = np.empty((len(design.rows), 0))
    nothing = Exchange("", np.empty(0), np.empty((0, 0)))
    varies = random and results.column_varies(design, column)
    level = column if varies and sessions > 2 and column in design.terms.get(SESSION, ()) else None
    if varies and sessions != 2 and level is None:
        return replace(nothing, words="not permuted: more than two sessions")
    reduced = _reduced(design, none, varies, level)[0]
    used = resampling.used_columns(reduced)
    rest = np.flatnonzero(used & (np.arange(len(used)) != column))
    if not used[column] or len(reduced) <= len(rest) + 1:
        return replace(nothing, words="not permuted: too few participants")
    tested, nuisance = reduced[:, column], reduced[:, rest]
    flips = varies and np.ptp(tested) <= 1e-9 * np.abs(tested).max()
    if flips and len(rest):
        return replace(nothing, words="not permuted: the change beside other terms within persons")
    if not flips and not len(rest):
        nuisance = np.ones((len(tested), 1))
    return Exchange("differences" if varies else "means", tested, nuisance, level=level)


def shuffles_of(
    way: Exchange, outcomes: Array | None, permutations: int
) -> tuple[Shuffles | None, tuple[str, str]]:
    """Return the shuffles of a term's outcomes, how they were made, and a remark."""
    if outcomes is None or not way.of:
        return None, ("", way.words)
    people = len(outcomes)
    if way.nuisance.shape[1] == 0:
        exact = people < 40 and 2 ** (people - 1) <= permutations + 1
        # In the direction of the term, which the reference session may turn.
        outcomes = outcomes * np.sign(way.tested)[:, None]
        flips = sign_flips(outcomes, flips=permutations, seed=resampling.SEED, exact=exact)
        kind = "all" if flips.exact else "random"
        return flips, (f"sign-flip of {people} complete pairs, {flips.count} {kind} flips,", "")
    made = person_permutations(
        way.tested, way.nuisance, outcomes, permutations=permutations, seed=resampling.SEED
    )
    what = "differences" if way.of == "differences" else "means"
    words = f"permutation of {people} participants' {what} (Freedman-Lane), {made.count} shuffles,"
    covariates = way.nuisance.shape[1] > 1
    return made, (words, "permutation with covariates approximate" if covariates else "")


def familywise(shuffles: Shuffles, space: Space, usable: NDArray[np.bool_], threads: int) -> Array:
    """Return t, p of the largest t, and p of the largest enhanced t, (3, usable elements)."""
    tests = tests_of(shuffles)
    result = np.stack([tests.statistic, tests.p_max, np.full(len(tests.p_max), np.nan)])
    if space.neighbours is not None:
        result[2] = enhanced_p(shuffles, enhancer(space, usable, threads))
    return result


def enhancer(space: Space, usable: NDArray[np.bool_], threads: int = 1) -> Callable[[Array], NDArray[Any]]:
    """Return TFCE of maps (usable elements, maps); an element that is not usable is no neighbour."""
    from tfce import tfce

    own = space.neighbours[usable][:, usable].tocsr()
    adjacency = (own.indptr, own.indices)

    def enhance(maps: Array) -> NDArray[Any]:
        return np.asarray(
            tfce(maps, adjacency=adjacency, E=space.extent_power, H=2.0, two_sided=True, n_jobs=threads)
        )

    return enhance


def enhanced_p(shuffles: Shuffles, enhance: Callable[[Array], NDArray[Any]]) -> Array:
    """Return p of the largest enhanced statistic, by element."""
    largest = np.empty(shuffles.count)
    observed, start = np.empty(0), 0
    with one_blas_thread():
        for block in shuffles.blocks(slice(None), _ENHANCED):
            t = np.clip(t_of(block, shuffles.df), -_LARGEST_T, _LARGEST_T)
            t[:, ~shuffles.testable] = 0.0
            size = np.abs(enhance(np.ascontiguousarray(t.T))).astype(float)
            observed = size[:, 0] if start == 0 else observed  # the first shuffle is none
            largest[start : start + len(block)] = size.max(axis=0)
            start += len(block)
    above = shuffles.count - np.searchsorted(np.sort(largest), observed * (1 - _TIE), side="left")
    return np.where(shuffles.testable, above / shuffles.count, np.nan)
