"""Left-censored outcomes: a normal model with an intercept per person; of some only the limit is known.

Tobin 1958 (Econometrica 26:24) with a random intercept, by maximum likelihood; the person's intercept is
integrated out by adaptive Gauss-Hermite quadrature (Pinheiro & Bates 1995, J Comput Graph Stat 4:12).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_NODES = 61


@dataclass(frozen=True)
class CensoredFit:
    """Maximum-likelihood fit.

    Attributes
    ----------
    estimate, std_error : (p,) float
        Standard errors from the observed information of coefficients and log standard deviations together.
    sd_person, sd_residual, loglik : float
    """

    estimate: Array
    std_error: Array
    sd_person: float
    sd_residual: float
    loglik: float


def fit_censored(
    design: Array, person: NDArray[np.intp], values: Array, below: NDArray[np.bool_], start: Array
) -> CensoredFit:
    """Fit y = X b + u[person] + e with some y known only to lie below the value given.

    Parameters
    ----------
    design : (n, p) float
    person : (n,) int
        Codes 0..people-1.
    values : (n,) float
        The outcome; the limit where `below`.
    below : (n,) bool
    start : (p + 2,) float
        Coefficients, log SD of the intercepts, log SD of the residuals.

    Raises
    ------
    ValueError
        The likelihood has no interior maximum.
    """
    from scipy.optimize import minimize

    def objective(parameters: Array) -> float:
        return -log_likelihood(parameters, design, person, values, below)

    found = minimize(objective, start, method="BFGS", options={"gtol": 1e-6})
    information = _hessian(objective, found.x)
    if not np.isfinite(information).all() or np.linalg.eigvalsh(information).min() <= 0:
        raise ValueError("the likelihood has no interior maximum (the person variance may be zero)")
    p = design.shape[1]
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    return CensoredFit(
        found.x[:p], errors[:p], float(np.exp(found.x[p])), float(np.exp(found.x[p + 1])), -float(found.fun)
    )


def log_likelihood(
    parameters: Array, design: Array, person: NDArray[np.intp], values: Array, below: NDArray[np.bool_]
) -> float:
    """Return the log-likelihood at coefficients, log SD of the intercepts and log SD of the residuals."""
    p = design.shape[1]
    sd_person, sd = np.exp(parameters[p:])
    rest = values - design @ parameters[:p]
    nodes, weights = _quadrature()
    # the nodes of each person follow the normal distribution of the intercept given the measured values
    measured = np.bincount(person, ~below)
    precision = 1 / sd_person**2 + measured / sd**2
    centre = np.bincount(person, np.where(below, 0.0, rest)) / sd**2 / precision
    shift = centre[:, None] + nodes / np.sqrt(precision)[:, None]
    terms = _log_density(rest[:, None] - shift[person], sd, below)
    inside = np.zeros(shift.shape)
    np.add.at(inside, person, terms)
    inside += -0.5 * (shift / sd_person) ** 2 - np.log(sd_person) - 0.5 * np.log(precision)[:, None]
    inside += 0.5 * nodes**2 + np.log(weights) - 0.5 * np.log(2 * np.pi)
    top = inside.max(axis=1)
    return float((top + np.log(np.exp(inside - top[:, None]).sum(axis=1))).sum())


@cache
def _quadrature() -> tuple[Array, Array]:
    """Return nodes and weights."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    return nodes, weights


def _log_density(deviation: Array, sd: float, below: NDArray[np.bool_]) -> Array:
    from scipy.special import log_ndtr

    scaled = deviation / sd
    exact = -0.5 * scaled**2 - np.log(sd) - 0.5 * np.log(2 * np.pi)
    return np.asarray(np.where(below[:, None], log_ndtr(scaled), exact))


def _hessian(objective: Callable[[Array], float], at: Array) -> Array:
    """Second differences about a point, with steps of 1e-4 of each parameter (or of 1)."""
    k = len(at)
    step = 1e-4 * np.maximum(1.0, np.abs(at))
    steps = np.diag(step)
    result = np.empty((k, k))
    for i in range(k):
        for j in range(i, k):
            corners = [
                sign * objective(at + a * steps[i] + b * steps[j])
                for a, b, sign in ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
            ]
            result[i, j] = result[j, i] = sum(corners) / (4 * step[i] * step[j])
    return result
