"""Any grouping factors (nested or crossed as labelled) and random slopes, outcome by outcome: exact REML.

    y = X b + Z_1 u_1 + Z_2 u_2 + ... + e,    var(e) = s2 I,    var(u_j) = s2 (I x T_j)

Satterthwaite df use the observed information, as lmerTest; standard errors, df and F of Kenward and Roger
the expected information, as pbkrtest. At a singular fit the former see only directions in which the fitted
covariance can move to first order, the latter all of them, again as those packages do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    PERFECT,
    SINGULAR,
    SINGULAR_SLOPE,
    Array,
    independent_columns,
    one_blas_thread,
)
from pniflow.mixed.maximum import fit_components, scales
from pniflow.mixed.variance_components import evaluate

_EPS = float(np.finfo(float).eps)
_SMALL = 1e-10  # a smaller share of residual variance is lost in rounding


@dataclass(frozen=True)
class RandomTerm:
    """Random coefficients of one grouping factor: an intercept and, correlated with it, slopes.

    Attributes
    ----------
    labels : n labels
        The factor's level of each row.
    slopes : mapping of str to (n,) array
    """

    labels: Any
    slopes: Mapping[str, Any] = field(default_factory=dict)


class RandomTerms:
    """A design with grouping factors, to be fitted to any number of outcomes.

    Parameters
    ----------
    design : (n, p) array
        Dependent columns are allowed: what they leave undetermined is NaN.
    terms : mapping of str to RandomTerm
        By the factor's name.
    names : p names of columns

    Raises
    ------
    ValueError
        A slope is not finite, does not vary, or is a combination of the others.
    """

    def __init__(self, design: Array, terms: Mapping[str, RandomTerm], names: Sequence[str]) -> None:
        codes = [np.unique(np.asarray(term.labels), return_inverse=True)[1] for term in terms.values()]
        self.order = np.lexsort([*design.T, *codes])  # so that the order given changes no rounding
        design, self.codes = design[self.order], [code[self.order] for code in codes]
        self.factors = tuple(terms)
        with one_blas_thread():
            self.columns = independent_columns(design, names)
            effects = (_effects(term, self.order) for term in terms.values())
            self.effects, self.back = zip(*effects, strict=True)
            self.basis, self.factor = np.linalg.qr(design[:, self.columns.kept])

    def solve(self, outcomes: Array) -> ComponentSolution:
        """Fit every column of the (n, P) outcomes."""
        with one_blas_thread():
            return ComponentSolution(self, [_Component(self, np.array(y, dtype=float)) for y in outcomes.T])


class _Component:
    """One outcome fitted."""

    def __init__(self, model: RandomTerms, y: Array) -> None:
        y = y[model.order]
        self.model, widths = model, [part.shape[1] for part in model.effects]
        self.sigma2 = self.reml_loglik = np.nan
        self.covariances = [np.full((k, k), np.nan) for k in widths]
        self.inference: ComponentInference | None = None
        self.singular = False
        projected = _Projected.of(model.basis, y)
        self.norm, self.coefficients = projected.norm, np.full(model.basis.shape[1], np.nan)
        residual = projected.residual / (projected.norm or 1.0)
        self.data = cross_products(model.basis, residual, model.codes, model.effects)
        problem = _problem(model.basis, projected, y, model.codes, model.effects)
        problem = problem or _confounded(self.data, model.factors)
        self.note = "; ".join(filter(None, (model.columns.note, problem)))
        if problem == PERFECT:
            shift = evaluate(self.data, [1e8 * np.eye(k) for k in widths]).shift
            self.coefficients = projected.coordinates + projected.norm * shift
        if problem:
            return
        factors, at = fit_components(self.data)
        self.inference = ComponentInference.of(self.data, at, factors, projected.norm)
        self.coefficients = projected.coordinates + projected.norm * at.shift
        self.sigma2 = self.inference.sigma2
        self.covariances = [
            self.sigma2 * turn @ part @ part.T @ turn.T
            for turn, part in zip(model.back, factors, strict=True)
        ]
        logdet = 2 * np.log(np.abs(np.diag(model.factor))).sum()
        self.reml_loglik = _loglik(at.deviance + logdet, self.data.n - self.data.p, projected.norm)
        self.singular = bool(_singularity(factors))
        self.note = "; ".join(filter(None, (self.note, _singularity(factors))))

    def ml_loglik(self) -> float:
        """Return the largest ML log-likelihood."""
        if self.inference is None:
            return np.nan
        return _loglik(fit_components(self.data, reml=False)[1].deviance, self.data.n, self.norm)

    def infer(self, rows: Array, sets: Sequence[Array]) -> tuple[Array, Array]:
        """Test contrasts of the basis: (5, q) and (J, 4) arrays."""
        if self.inference is None:
            single = np.full((5, len(rows)), np.nan)
            single[0] = rows @ self.coefficients
            return single, np.full((len(sets), 4), np.nan)
        joint = [self.inference.joint(part, self.coefficients) for part in sets]
        return np.array(self.inference.single(rows, self.coefficients)), np.reshape(joint, (len(sets), 4))


class ComponentSolution:
    """The outcomes fitted; see `result.Solution`."""

    def __init__(self, model: RandomTerms, fits: Sequence[_Component]) -> None:
        self.model, self.fits = model, fits
        self.sigma2 = np.array([fit.sigma2 for fit in fits])
        self.reml_loglik = np.array([fit.reml_loglik for fit in fits])
        parts = zip(*(fit.covariances for fit in fits), strict=True)
        self.covariances = [np.stack(part) for part in parts]
        self.singular = np.array([fit.singular for fit in fits])
        self.note = np.array([fit.note for fit in fits], dtype=object)

    def ml_loglik(self) -> Array:
        """Return the largest ML log-likelihoods."""
        with one_blas_thread():
            return np.array([fit.ml_loglik() for fit in self.fits])

    def infer(self, rows: Array, sets: Sequence[Array]) -> tuple[Array, Array]:
        """Test contrasts, as in `result.Solution`."""
        with one_blas_thread():
            turn = np.linalg.inv(self.model.factor)
            rows, sets = rows @ turn, [part @ turn for part in sets]
            found = [fit.infer(rows, sets) for fit in self.fits]
        return np.stack([one for one, _ in found], axis=-1), np.stack([one for _, one in found], axis=-1)


def _singularity(factors: Sequence[Array]) -> str:
    """Words for a covariance on the boundary: fewer columns in its factor than rows."""
    lost = [len(part) for part in factors if part.shape[1] < len(part)]
    return "" if not lost else SINGULAR if max(lost) == 1 else SINGULAR_SLOPE


def _loglik(deviance: float, total: int, norm: float) -> float:
    return float(-0.5 * (deviance + total * (np.log(2 * np.pi * norm**2 / total) + 1)))


def _effects(term: RandomTerm, order: np.ndarray) -> tuple[Array, Array]:
    """Orthonormal columns (times root n) with a random coefficient, and what turns their covariance back."""
    n = len(order)
    columns = np.ones((n, 1))
    if term.slopes:
        columns = np.column_stack([columns, *term.slopes.values()]).astype(np.float64)[order]
    if not np.isfinite(columns).all():
        raise ValueError("Columns with a random slope must be finite.")
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


def _confounded(data: Crossproducts, factors: Sequence[str]) -> str:
    """Whether the information about the variances is singular everywhere, and for which terms."""
    covariances = [
        scale * np.eye(block.width) for scale, block in zip(scales(data), data.blocks, strict=True)
    ]
    at = evaluate(data, covariances)
    plain = np.diag(evaluate(data, covariances, reml=False).trace2)
    lost = np.flatnonzero(np.diag(at.trace2) <= 1e-9 * plain)  # the design explains every level
    if len(lost):
        return f"{FEW_GROUPS} in {factors[data.directions[lost[0]][0]]}"
    information = expected_information(data, at)
    size = np.sqrt(np.diag(information))
    values, vectors = np.linalg.eigh(information / np.outer(size, size))
    if values[0] > 1e-9:
        return ""
    guilty = {
        factors[term]
        for (term, _), weight in zip(data.directions, vectors[:, 0], strict=False)
        if abs(weight) > 1e-6
    }
    return (
        f"not estimable: the variances of {', '.join(sorted(guilty))} and the residual cannot be told apart"
    )
