"""One random intercept, many outcomes: exact REML with Satterthwaite and Kenward-Roger inference.

    fit = random_intercept(design, groups, outcomes, names=..., contrasts=..., joint=...)
    fit.estimate, fit.se_kr, fit.df_kr, fit.t_kr, fit.p_kr, ...       # (contrasts, outcomes)
    fit.sigma2, fit.person_variance, fit.icc, fit.singular, fit.note  # (outcomes,)

    prepared = RandomIntercept(design, groups, names)                 # for blocks of outcomes: prepare once,
    prepared.fit(block, contrasts=...)                                # then fit each block

Model of each outcome: y = X b + u[group] + e, var(e) = s2, var(u) = lambda s2. `reduction` turns an outcome
into a handful of numbers, whatever the number of observations; `reml` is elementwise over outcomes, with
the outcome as the last axis. No BLAS runs on outcomes, so an outcome's bytes do not depend on its
neighbours, the block size, or threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pniflow.mixed.inference import CONSTANT, MISSING, NOT_ESTIMABLE, PERFECT, SINGULAR, Array, FTest
from pniflow.mixed.reduction import ReducedDesign, reduce_design, summarize
from pniflow.mixed.reml import infer, ml_loglik, solve_ratio
from pniflow.mixed.student import two_sided_p

_NOTES = ("", SINGULAR, PERFECT, CONSTANT, MISSING)
_ORDINARY, _SINGULAR, _PERFECT, _CONSTANT, _MISSING = range(5)
_LARGE = 1e12  # lambda that stands for no residual variance


def random_intercept(
    design: Array,
    groups: Any,
    outcomes: Array,
    *,
    names: Sequence[str] | None = None,
    contrasts: Array | None = None,
    joint: Sequence[Array] = (),
    ml: bool = False,
) -> RandomInterceptFit:
    """Fit y = X b + u[group] + e by REML to every outcome, with Satterthwaite and Kenward-Roger tests.

    Parameters
    ----------
    design : (n, p) array
        X with its intercept column. Dependent columns are allowed: what they leave undetermined is NaN.
    groups : n labels
        The participant of each row.
    outcomes : (n,) or (n, P) array
        One column per outcome, any real dtype; computed in float64. A missing value makes the column NaN.
    names : p names, optional
        Of the design's columns, for notes.
    contrasts : (q, p) array, optional
        One tested combination of coefficients per row; the coefficients themselves where absent.
    joint : list of (r, p) arrays, optional
        Hypotheses L b = 0 tested by F; the rows of each L must be independent.
    ml : bool
        Also maximize the ML likelihood, for comparing models that differ in fixed effects.

    Returns
    -------
    RandomInterceptFit

    Raises
    ------
    ValueError
        Shapes disagree, or the design is not finite.
    """
    return RandomIntercept(design, groups, names).fit(outcomes, contrasts=contrasts, joint=joint, ml=ml)


@dataclass(frozen=True)
class RandomInterceptFit:
    """Estimates of all outcomes. What is not estimable is NaN and has its words in the notes.

    Attributes
    ----------
    estimate, se_reml, se_kr, df_satterthwaite, df_kr : (q, P) arrays
        One row per contrast. At zero person variance df_satterthwaite is n - rank (as lmerTest), df_kr is
        Kenward and Roger's (as pbkrtest). A perfect fit has estimates and nothing else.
    sigma2, person_variance : (P,) arrays
        Residual and random-intercept variance.
    reml_loglik, ml_loglik : (P,) arrays
        Log-likelihoods at their maxima, as lme4 counts them; ml_loglik is NaN unless asked for.
    state : (P,) array of int8
        0 ordinary, 1 singular, 2 perfect fit, 3 constant outcome, 4 missing values.
    joint : list of FTest
    design_note : str
        What holds for every outcome: dependent columns, too few groups.
    contrast_note : list of q str
        "not estimable" for contrasts that the design does not determine.
    """

    estimate: Array
    se_reml: Array
    se_kr: Array
    df_satterthwaite: Array
    df_kr: Array
    sigma2: Array
    person_variance: Array
    reml_loglik: Array
    ml_loglik: Array
    state: np.ndarray
    joint: list[FTest]
    design_note: str
    contrast_note: list[str]

    @property
    def singular(self) -> np.ndarray:
        """Whether the person variance is zero, by outcome."""
        return self.state == _SINGULAR

    @property
    def icc(self) -> Array:
        """Share of the person variance, by outcome."""
        return self.person_variance / (self.person_variance + self.sigma2)

    @property
    def note(self) -> np.ndarray:
        """Words for each outcome; empty for an ordinary fit."""
        words = ["; ".join(filter(None, (self.design_note, note))) for note in _NOTES]
        return np.array(words, dtype=object)[self.state]

    @cached_property
    def t_satterthwaite(self) -> Array:
        """Estimate over its REML standard error."""
        return self.estimate / self.se_reml

    @cached_property
    def t_kr(self) -> Array:
        """Estimate over its Kenward-Roger standard error."""
        return self.estimate / self.se_kr

    @cached_property
    def p_satterthwaite(self) -> Array:
        """Two-sided p with Satterthwaite's df."""
        return two_sided_p(self.t_satterthwaite, self.df_satterthwaite)

    @cached_property
    def p_kr(self) -> Array:
        """Two-sided p with Kenward and Roger's standard error and df."""
        return two_sided_p(self.t_kr, self.df_kr)


class RandomIntercept:
    """A design reduced once, to fit any number of blocks of outcomes. Parameters as in `random_intercept`."""

    def __init__(self, design: Array, groups: Any, names: Sequence[str] | None = None) -> None:
        self.design = reduce_design(design, groups, names)

    def fit(
        self,
        outcomes: Array,
        *,
        contrasts: Array | None = None,
        joint: Sequence[Array] = (),
        ml: bool = False,
    ) -> RandomInterceptFit:
        """Fit every column of `outcomes`; parameters as in `random_intercept`."""
        design, columns = self.design, self.design.columns
        outcomes = np.asarray(outcomes)
        outcomes = outcomes[:, None] if outcomes.ndim == 1 else outcomes
        if outcomes.ndim != 2 or len(outcomes) != len(design.order):
            raise ValueError(
                f"The outcomes must have one row for each of the design's {len(design.order)} rows."
            )
        tested = np.eye(len(columns.scale)) if contrasts is None else np.atleast_2d(contrasts)
        known = columns.estimable(tested)
        hypotheses = [np.atleast_2d(rows) for rows in joint]
        count = outcomes.shape[1]
        tests = np.full((5, len(tested), count), np.nan)
        f_tests = np.full((len(hypotheses), 4, count), np.nan)
        scalars = np.full((4, count), np.nan)
        state = np.zeros(count, dtype=np.int8)
        if not design.unfit:
            solvable = np.array([columns.estimable(rows).all() for rows in hypotheses], dtype=bool)
            turn = design.to_coefficients
            rows = tested[known][:, columns.kept] @ turn
            sets = [hypotheses[k][:, columns.kept] @ turn for k in np.flatnonzero(solvable)]
            for start in range(0, count, design.width):
                block = slice(start, min(start + design.width, count))
                fitted = _fit_block(design, outcomes[:, block], rows, sets, ml)
                tests[:, known, block], f_tests[solvable, :, block], scalars[:, block], state[block] = fitted
        estimate, se_reml, se_kr, df_satterthwaite, df_kr = tests
        sigma2, person_variance, reml_loglik, ml_best = scalars
        return RandomInterceptFit(
            estimate=estimate,
            se_reml=se_reml,
            se_kr=se_kr,
            df_satterthwaite=df_satterthwaite,
            df_kr=df_kr,
            sigma2=sigma2,
            person_variance=person_variance,
            reml_loglik=reml_loglik,
            ml_loglik=ml_best,
            state=state,
            joint=[FTest(len(rows), *values) for rows, values in zip(hypotheses, f_tests, strict=True)],
            design_note="; ".join(filter(None, (columns.note, design.unfit))),
            contrast_note=["" if one else NOT_ESTIMABLE for one in known],
        )


def _fit_block(
    design: ReducedDesign, outcomes: Array, rows: Array, sets: list[Array], ml: bool
) -> tuple[Array, Array, Array, np.ndarray]:
    """Fit one block: tests (5, q, w), F tests (J, 4, w), scalars (4, w) and states (w)."""
    count = outcomes.shape[1]
    with np.errstate(all="ignore"):
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
        tests, f_tests, scalars = infer(design, data, squares, within, ratio, rows, sets)
        if ml:
            scalars[3] = ml_loglik(design, squares, within)
    nothing, perfect = state >= _CONSTANT, state == _PERFECT
    tests[:, :, nothing] = tests[1:, :, perfect] = np.nan
    f_tests[..., nothing | perfect] = scalars[:, nothing | perfect] = np.nan
    keep = slice(0, count)
    return tests[..., keep], f_tests[..., keep], scalars[:, keep], state[keep]
