"""Maximum likelihood of variance components, on the boundary too.

The covariance T of each term is F F' with F free, so that the boundary (a variance of zero, a correlation
of one) is an ordinary smooth minimum of the deviance; Newton steps with exact derivatives find it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from pniflow.mixed.crossproducts import Crossproducts
from pniflow.mixed.inference import Array
from pniflow.mixed.variance_components import Evaluation, evaluate

_ZERO = 1e-8  # a variance this small, in `scales`, is zero


def scales(data: Crossproducts) -> list[float]:
    """For each term the relative variance at which a level's mean is as uncertain as its random effect."""
    near, far = np.einsum("kqq->kq", data.ztz), np.diag(data.utu)[None]
    used = [(far if block.far else near)[:, block.columns] for block in data.blocks]
    return [float(1 / part[part > 0].mean()) for part in used]


def fit_components(data: Crossproducts, reml: bool = True) -> tuple[list[Array], Evaluation]:
    """Find the covariances with the smallest deviance.

    Returns
    -------
    factors : list of (k, rank) arrays
        T = F F' of each term; fewer columns than rows where the fit is singular.
    evaluation : Evaluation
        The model there.
    """
    unit = scales(data)
    factors = _start(data, unit, reml)
    for _ in range(8):
        factors, at = _newton(data, factors, reml)
        factors = [_reduced(part, scale) for part, scale in zip(factors, unit, strict=True)]
        at = evaluate(data, [part @ part.T for part in factors], reml)
        outward = [_descent(data, i, part, at, unit[i]) for i, part in enumerate(factors)]
        if not any(step.any() for step in outward):
            break
        factors = [_square(part) + step for part, step in zip(factors, outward, strict=True)]
    return factors, at


def _start(data: Crossproducts, unit: Sequence[float], reml: bool) -> list[Array]:
    """The best of a coarse grid of variances."""
    levels = (0.03, 1.0, 30.0)
    if len(unit) <= 3:
        choices = list(itertools.product(levels, repeat=len(unit)))
    else:
        choices = [(level,) * len(unit) for level in levels]
    candidates = [
        [
            np.sqrt(scale * level) * np.eye(block.width)
            for scale, level, block in zip(unit, choice, data.blocks, strict=True)
        ]
        for choice in choices
    ]
    deviances = [evaluate(data, [part @ part.T for part in factors], reml).deviance for factors in candidates]
    return candidates[int(np.argmin(deviances))]


def _newton(data: Crossproducts, factors: list[Array], reml: bool) -> tuple[list[Array], Evaluation]:
    """Minimize the deviance over the factors by Newton steps, made descent steps where it is not convex."""
    at = evaluate(data, [part @ part.T for part in factors], reml)
    best = np.inf
    for _ in range(200):
        jacobian, curvature = chain(data, factors, at.gradient)
        gradient = jacobian.T @ at.gradient
        values, vectors = np.linalg.eigh(jacobian.T @ at.hessian @ jacobian + curvature)
        size = np.maximum(np.abs(values), 1e-9 * np.abs(values).max())
        pull = vectors.T @ gradient
        decrement = float(np.sum(pull**2 / size))
        if decrement < 1e-26 or (decrement < 1e-14 and decrement >= best):
            break
        best = min(best, decrement)
        length = np.sqrt(sum(float(np.sum(part * part)) for part in factors))
        step = -vectors @ (pull / size)
        step *= min(1.0, (length + 1e-3) / np.linalg.norm(step))
        for _ in range(40):
            moved = _unflatten(factors, step)
            trial = evaluate(data, [part @ part.T for part in moved], reml)
            if trial.deviance < at.deviance or (decrement < 1e-8 and trial.deviance < at.deviance + 1e-6):
                break
            step = step / 2
        factors, at = moved, trial
    return factors, at


def chain(data: Crossproducts, factors: Sequence[Array], gradient: Array) -> tuple[Array, Array]:
    """Jacobian of the elements of T in the entries of the factors, and the gradient's share of the curvature.

    Returns
    -------
    jacobian : (d, m) array
    curvature : (m, m) array
        Sum over elements of gradient times second derivative.
    """
    starts = np.cumsum([0, *(part.size for part in factors)])
    jacobian = np.zeros((len(data.directions), starts[-1]))
    curvature = np.zeros((starts[-1], starts[-1]))
    for i, (term, element) in enumerate(data.directions):
        part = factors[term]
        own = slice(starts[term], starts[term + 1])
        weight = element / np.count_nonzero(element)
        # With E symmetric and of unit sum, element = sum(E * F F'); its derivatives are 2 E F and 2 E (x) I.
        jacobian[i, own] = (2 * weight @ part).ravel()
        curvature[own, own] += 2 * gradient[i] * np.kron(weight, np.eye(part.shape[1]))
    return jacobian, curvature


def _unflatten(factors: Sequence[Array], step: Array) -> list[Array]:
    stops = np.cumsum([part.size for part in factors])[:-1]
    return [
        part + move.reshape(part.shape) for part, move in zip(factors, np.split(step, stops), strict=True)
    ]


def _reduced(factor: Array, scale: float) -> Array:
    """The same covariance with zero variances left out."""
    left, size, _ = np.linalg.svd(factor)
    keep = size**2 > _ZERO * scale
    return np.asarray(left[:, : len(size)][:, keep] * size[keep])


def _square(factor: Array) -> Array:
    return np.pad(factor, ((0, 0), (0, factor.shape[0] - factor.shape[1])))


def _descent(data: Crossproducts, term: int, factor: Array, at: Evaluation, scale: float) -> Array:
    """A small step off the boundary, if the deviance falls there; else zeros."""
    step = np.zeros((len(factor), len(factor)))
    missing = len(factor) - factor.shape[1]
    if missing == 0:
        return step
    slope = sum(
        value * element / np.count_nonzero(element)
        for value, (owner, element) in zip(at.gradient, data.directions, strict=True)
        if owner == term
    )
    left = np.linalg.svd(_square(factor))[0][:, factor.shape[1] :]
    values, vectors = np.linalg.eigh(left.T @ slope @ left)
    if values[0] * scale < -1e-6:
        step[:, -1] = np.sqrt(1e-3 * scale) * (left @ vectors[:, 0])
    return step
