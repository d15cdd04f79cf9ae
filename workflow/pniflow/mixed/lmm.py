"""One outcome, several grouping factors (nested or crossed as labelled), random slopes: exact REML.

    fit = lmm(design, outcome, [RandomTerm("g1", labels1, slopes), RandomTerm("g2", labels2)], names=...)
    fit.estimate, fit.se_kr, fit.df_kr, fit.t_kr, fit.p_kr, ...      # by contrast
    fit.sigma2, fit.covariances, fit.reml_loglik, fit.singular, fit.note

Satterthwaite df use the observed information, as lmerTest; standard errors, df and F of Kenward and Roger
the expected information, as pbkrtest. At a singular fit the former see only directions in which the fitted
covariance can move to first order, the latter all of them, again as those packages do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pniflow.mixed.contrasts import ComponentInference, expected_information
from pniflow.mixed.crossproducts import Crossproducts, cross_products, unexplained
from pniflow.mixed.inference import (
    CONSTANT,
    FEW_GROUPS,
    FEW_REPEATS,
    MISSING,
    NOT_ESTIMABLE,
    PERFECT,
    SINGULAR,
    SINGULAR_SLOPE,
    Array,
    FTest,
    independent_columns,
    one_blas_thread,
)
from pniflow.mixed.maximum import fit_components, scales
from pniflow.mixed.student import two_sided_p
from pniflow.mixed.variance_components import evaluate

_EPS = float(np.finfo(float).eps)
_SMALL = 1e-10  # a smaller share of residual variance is lost in rounding


@dataclass(frozen=True)
class RandomTerm:
    """Random coefficients of one grouping factor: an intercept and, correlated with it, slopes.

    Attributes
    ----------
    name : str
        Name of the factor.
    labels : n labels
    slopes : (n, k - 1) array, optional
    slope_names : k - 1 names
    """

    name: str
    labels: Any
    slopes: Array | None = None
    slope_names: Sequence[str] = ()


@dataclass(frozen=True)
class LmmFit:
    """A fitted mixed model. What is not estimable is NaN and `note` says why.

    Attributes
    ----------
    estimate, se_reml, se_kr, df_satterthwaite, df_kr : (q,) arrays
        By contrast (by coefficient where none was given).
    sigma2 : float
        Residual variance.
    covariances : list of (k, k) arrays
        Of each term's random coefficients, intercept first.
    reml_loglik, ml_loglik : float
        As lme4 counts them; ml_loglik is NaN unless asked for.
    singular : bool
        Some variance is zero or some correlation one.
    joint : list of FTest
    note : str
    """

    estimate: Array
    se_reml: Array
    se_kr: Array
    df_satterthwaite: Array
    df_kr: Array
    sigma2: float
    covariances: list[Array]
    reml_loglik: float
    ml_loglik: float
    singular: bool
    joint: list[FTest] = field(default_factory=list)
    note: str = ""

    @property
    def t_satterthwaite(self) -> Array:
        """Estimate over its REML standard error."""
        return self.estimate / self.se_reml

    @property
    def t_kr(self) -> Array:
        """Estimate over its Kenward-Roger standard error."""
        return self.estimate / self.se_kr

    @property
    def p_satterthwaite(self) -> Array:
        """Two-sided p with Satterthwaite's df."""
        return two_sided_p(self.t_satterthwaite, self.df_satterthwaite)

    @property
    def p_kr(self) -> Array:
        """Two-sided p with Kenward and Roger's standard error and df."""
        return two_sided_p(self.t_kr, self.df_kr)


def lmm(
    design: Array,
    outcome: Array,
    terms: Sequence[RandomTerm],
    *,
    names: Sequence[str] | None = None,
    contrasts: Array | None = None,
    joint: Sequence[Array] = (),
    ml: bool = False,
) -> LmmFit:
    """Fit y = X b + sum of random terms + e by REML.

    Parameters
    ----------
    design : (n, p) array
        X with its intercept column. Dependent columns are allowed: what they leave undetermined is NaN.
    outcome : (n,) array
    terms : list of RandomTerm
    names, contrasts, joint, ml : optional
        As for `random_intercept`.

    Returns
    -------
    LmmFit

    Raises
    ------
    ValueError
        Shapes disagree, or the design or a slope is not finite.
    """
    design, y = np.asarray(design, dtype=np.float64), np.array(outcome, dtype=np.float64)
    if design.ndim != 2 or y.shape != (len(design),) or not np.isfinite(design).all() or not terms:
        raise ValueError(
            "The design must be a finite (n, p) array, the outcome have n values, and terms not be empty."
        )
    with one_blas_thread():
        return _fit(design, y, terms, names, contrasts, joint, ml)


def _fit(
    design: Array,
    y: Array,
    terms: Sequence[RandomTerm],
    names: Sequence[str] | None,
    contrasts: Array | None,
    joint: Sequence[Array],
    ml: bool,
) -> LmmFit:
    codes = [np.unique(np.asarray(term.labels), return_inverse=True)[1] for term in terms]
    order = np.lexsort([*design.T, *codes])  # so that the order given changes no rounding
    design, y, codes = design[order], y[order], [code[order] for code in codes]
    columns = independent_columns(design, names)
    tested = np.eye(design.shape[1]) if contrasts is None else np.atleast_2d(contrasts)
    hypotheses = [np.atleast_2d(rows) for rows in joint]
    known = columns.estimable(tested)
    effects, back = zip(*(_effects(term, order) for term in terms), strict=True)

    basis, factor = np.linalg.qr(design[:, columns.kept])
    projected = _Projected.of(basis, y)
    data = cross_products(basis, projected.residual / (projected.norm or 1.0), codes, effects)
    problem = _problem(basis, projected, y, codes, effects) or _confounded(data, terms)
    words = [columns.note, problem]
    if problem and problem != PERFECT:
        return _blank(len(tested), hypotheses, effects, words)
    to_basis = np.linalg.inv(factor)
    rows = tested[:, columns.kept] @ to_basis
    if problem == PERFECT:
        fit = _blank(len(tested), hypotheses, effects, words)
        shift = evaluate(data, [1e8 * np.eye(part.shape[1]) for part in effects]).shift
        fit.estimate[known] = (rows @ (projected.coordinates + projected.norm * shift))[known]
        return fit

    factors, at = fit_components(data)
    inference = ComponentInference.of(data, at, factors, projected.norm)
    coefficients = projected.coordinates + projected.norm * at.shift
    tests = np.full((5, len(tested)), np.nan)
    tests[:, known] = inference.single(rows[known], coefficients)
    logdet = 2 * np.log(np.abs(np.diag(factor))).sum()
    ml_loglik = np.nan
    if ml:
        ml_loglik = _loglik(fit_components(data, reml=False)[1].deviance, data.n, projected.norm)
    estimate, se_reml, se_kr, df_satterthwaite, df_kr = tests
    return LmmFit(
        estimate=estimate,
        se_reml=se_reml,
        se_kr=se_kr,
        df_satterthwaite=df_satterthwaite,
        df_kr=df_kr,
        sigma2=inference.sigma2,
        covariances=[
            inference.sigma2 * turn @ part @ part.T @ turn.T for turn, part in zip(back, factors, strict=True)
        ],
        reml_loglik=_loglik(at.deviance + logdet, data.n - data.p, projected.norm),
        ml_loglik=ml_loglik,
        singular=bool(_singularity(factors)),
        joint=[
            inference.joint(part[:, columns.kept] @ to_basis, coefficients)
            if columns.estimable(part).all()
            else _no_test(len(part))
            for part in hypotheses
        ],
        note="; ".join(filter(None, [*words, _singularity(factors), "" if known.all() else NOT_ESTIMABLE])),
    )


def _singularity(factors: Sequence[Array]) -> str:
    """Words for a covariance on the boundary: fewer columns in its factor than rows."""
    lost = [len(part) for part in factors if part.shape[1] < len(part)]
    return "" if not lost else SINGULAR if max(lost) == 1 else SINGULAR_SLOPE


def _loglik(deviance: float, total: int, norm: float) -> float:
    return -0.5 * (deviance + total * (np.log(2 * np.pi * norm**2 / total) + 1))


def _no_test(df: int) -> FTest:
    return FTest(df, *np.full((4, 1), np.nan))


def _blank(count: int, hypotheses: Sequence[Array], effects: Sequence[Array], words: list[str]) -> LmmFit:
    """A fit of which nothing is known but why."""
    estimate, se_reml, se_kr, df_satterthwaite, df_kr = np.full((5, count), np.nan)
    return LmmFit(
        estimate=estimate,
        se_reml=se_reml,
        se_kr=se_kr,
        df_satterthwaite=df_satterthwaite,
        df_kr=df_kr,
        sigma2=np.nan,
        covariances=[np.full((part.shape[1], part.shape[1]), np.nan) for part in effects],
        reml_loglik=np.nan,
        ml_loglik=np.nan,
        singular=False,
        joint=[_no_test(len(part)) for part in hypotheses],
        note="; ".join(filter(None, words)),
    )


def _effects(term: RandomTerm, order: np.ndarray) -> tuple[Array, Array]:
    """Orthonormal columns (times root n) with a random coefficient, and what turns their covariance back."""
    n = len(order)
    columns = np.ones((n, 1))
    if term.slopes is not None:
        slopes = np.asarray(term.slopes, dtype=np.float64).reshape(n, -1)
        if not np.isfinite(slopes).all():
            raise ValueError("Columns with a random slope must be finite.")
        columns = np.column_stack([columns, slopes])[order]
    if independent_columns(columns).null.size:
        raise ValueError("A column with a random slope must vary and not be a combination of the others.")
    basis, factor = np.linalg.qr(columns)
    return basis * np.sqrt(n), np.linalg.inv(factor) * np.sqrt(n)


@dataclass(frozen=True)
class _Projected:
    """Outcome in the basis of the design, and off it."""

    coordinates: Array
    residual: Array
    norm: float
    total: float

    @classmethod
    def of(cls, basis: Array, y: Array) -> _Projected:
        ones = basis.T @ np.ones(len(y))
        mean = y.mean() if np.abs(basis @ ones - 1).max(initial=0) < 1e-10 else 0.0
        centred = y - mean
        coordinates = basis.T @ centred
        residual = centred - basis @ coordinates
        again = basis.T @ residual
        residual -= basis @ again
        return cls(
            coordinates + again + mean * ones,
            residual,
            float(np.linalg.norm(residual)),
            float(centred @ centred),
        )


def _problem(
    basis: Array, projected: _Projected, y: Array, codes: Sequence[np.ndarray], effects: Sequence[Array]
) -> str:
    """Why the model cannot be fitted, or empty."""
    n = len(y)
    if not np.isfinite(y).all():
        return MISSING
    if (y == y[0]).all():
        return CONSTANT
    rounding = max(1e-20 * projected.total, (32 * _EPS) ** 2 * float(y @ y))
    if projected.norm**2 <= rounding:
        return PERFECT
    left, rank = unexplained(basis, projected.residual, codes, effects)
    if rank >= n:
        return FEW_REPEATS
    if left**2 <= (n - rank) * max(rounding, _SMALL * projected.norm**2) / n:
        return PERFECT
    return ""


def _confounded(data: Crossproducts, terms: Sequence[RandomTerm]) -> str:
    """Whether the information about the variances is singular everywhere, and for which terms."""
    covariances = [
        scale * np.eye(block.width) for scale, block in zip(scales(data), data.blocks, strict=True)
    ]
    at = evaluate(data, covariances)
    plain = np.diag(evaluate(data, covariances, reml=False).trace2)
    lost = np.flatnonzero(np.diag(at.trace2) <= 1e-9 * plain)  # the design explains every level
    if len(lost):
        return f"{FEW_GROUPS} in {terms[data.directions[lost[0]][0]].name}"
    information = expected_information(data, at)
    size = np.sqrt(np.diag(information))
    values, vectors = np.linalg.eigh(information / np.outer(size, size))
    if values[0] > 1e-9:
        return ""
    guilty = {
        terms[term].name
        for (term, _), weight in zip(data.directions, vectors[:, 0], strict=False)
        if abs(weight) > 1e-6
    }
    return (
        f"not estimable: the variances of {', '.join(sorted(guilty))} and the residual cannot be told apart"
    )
