"""One random intercept, many outcomes at once: exact REML with Satterthwaite and Kenward-Roger inference.

    y = X b + u[group] + e,    var(e) = s2,    var(u) = lambda s2

`reduction` turns an outcome into a handful of numbers, whatever the number of observations; `reml` is
elementwise over outcomes, with the outcome as the last axis. No BLAS runs on outcomes, so an outcome's bytes
do not depend on its neighbours, the block size, or threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pniflow.mixed.inference import CONSTANT, MISSING, PERFECT, SINGULAR, Array
from pniflow.mixed.reduction import ReducedDesign, reduce_design, summarize
from pniflow.mixed.reml import Variance, infer, ml_loglik, solve_ratio

_NOTES = ("", SINGULAR, PERFECT, CONSTANT, MISSING)
_ORDINARY, _SINGULAR, _PERFECT, _CONSTANT, _MISSING = range(5)
_LARGE = 1e12  # lambda that stands for no residual variance


class RandomIntercept:
    """A design reduced once, to be fitted to any number of outcomes.

    Parameters
    ----------
    design : (n, p) array
        Dependent columns are allowed: what they leave undetermined is NaN.
    groups : n labels
    names : p names of columns
    """

    def __init__(self, design: Array, groups: Any, names: Sequence[str]) -> None:
        self.design = reduce_design(design, groups, names)
        self.columns = self.design.columns

    def solve(self, outcomes: Array) -> InterceptSolution:
        """Fit every column of the (n, P) outcomes, of any real dtype; computed in float64."""
        return InterceptSolution(self.design, outcomes)


@dataclass(frozen=True)
class _Block:
    """Some outcomes, reduced and fitted; the first `count` of the columns are outcomes."""

    fixed: Array
    rest: Array
    squares: Array
    within: Array
    ratio: Array
    variance: Variance
    state: NDArray[np.int_]
    count: int

    @classmethod
    def of(cls, design: ReducedDesign, outcomes: Array) -> _Block:
        """Reduce outcomes and find each one's lambda (`ratio`)."""
        count = outcomes.shape[1]
        data = summarize(design, outcomes, -(-count // 8) * 8)
        state = np.select(
            [data.missing, data.constant, data.perfect], [_MISSING, _CONSTANT, _PERFECT], _ORDINARY
        )
        # Outcomes that cannot be fitted get harmless sums of squares, so that the arithmetic stays finite.
        squares = np.where(state == _ORDINARY, data.squares, design.nu)
        within = np.where(state == _ORDINARY, data.within, float(design.df_within))
        ratio = solve_ratio(squares, within, design.d, design.nu, design.df_residual)
        state[(state == _ORDINARY) & (ratio == 0)] = _SINGULAR
        ratio[state == _PERFECT] = _LARGE
        return cls(
            fixed=data.fixed + design.ones[:, None] * data.origin,
            rest=data.rest,
            squares=squares,
            within=within,
            ratio=ratio,
            variance=Variance.of(design, squares, within, ratio),
            state=state,
            count=count,
        )

    @property
    def scalars(self) -> Array:
        """Residual variance, variance between groups, REML log-likelihood: (3, w) array."""
        sigma2 = self.variance.sigma2
        return np.stack([sigma2, self.ratio * sigma2, self.variance.loglik])


class InterceptSolution:
    """The outcomes fitted; see `result.Solution`.

    At zero variance between groups the df of Satterthwaite are n - rank (as lmerTest), those of Kenward and
    Roger their own (as pbkrtest). A perfect fit has estimates and nothing else.
    """

    def __init__(self, design: ReducedDesign, outcomes: Array) -> None:
        self.design = design
        state = np.zeros(outcomes.shape[1], dtype=np.int8)
        scalars = np.full((3, len(state)), np.nan)
        self._blocks: list[tuple[slice, _Block]] = []
        for start in () if design.unfit else range(0, len(state), design.width):
            with np.errstate(all="ignore"):
                block = _Block.of(design, outcomes[:, start : start + design.width])
            here = slice(start, start + block.count)
            self._blocks.append((here, block))
            state[here] = block.state[: block.count]
            scalars[:, here] = block.scalars[:, : block.count]
        scalars[:, state >= _PERFECT] = np.nan
        self.sigma2, between, self.reml_loglik = scalars
        self.covariances = [between[:, None, None]]
        self.singular = state == _SINGULAR
        words = ["; ".join(filter(None, (design.columns.note, design.unfit, note))) for note in _NOTES]
        self.note = np.array(words, dtype=object)[state]

    def ml_loglik(self) -> Array:
        """Return the largest ML log-likelihoods."""
        found = np.full(len(self.sigma2), np.nan)
        for here, block in self._blocks:
            with np.errstate(all="ignore"):
                found[here] = ml_loglik(self.design, block.squares, block.within)[: block.count]
        return np.where(np.isnan(self.sigma2), np.nan, found)

    def infer(self, rows: Array, sets: Sequence[Array]) -> tuple[Array, Array]:
        """Test contrasts, as in `result.Solution`."""
        turn, count = self.design.to_coefficients, len(self.sigma2)
        rows, sets = rows @ turn, [part @ turn for part in sets]
        single = np.full((5, len(rows), count), np.nan)
        joint = np.full((len(sets), 4, count), np.nan)
        for here, block in self._blocks:
            with np.errstate(all="ignore"):
                tests, f_tests = infer(
                    self.design, block.fixed, block.rest, block.ratio, block.variance, rows, sets
                )
            nothing, perfect = block.state >= _CONSTANT, block.state == _PERFECT
            tests[:, :, nothing] = tests[1:, :, perfect] = np.nan
            f_tests[..., nothing | perfect] = np.nan
            single[..., here], joint[..., here] = tests[..., : block.count], f_tests[..., : block.count]
        return single, joint
