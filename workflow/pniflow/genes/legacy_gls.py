"""The field's habitual regression over genes: least squares with a variance per gene and one correlation.

Rows are person x gene, the response is the signed expression, correlation within a person is compound
symmetric, the variance is free for each gene (nlme: gls(y ~ gene + x, correlation = corCompSymm(form = ~ 1 |
id), weights = varIdent(form = ~ 1 | gene), method = "ML")). On real data its p-values are wrong: about half
of all tests of no effect fall below .05, because one correlation stands for the block structure of real
expression, and the mean over genes is replaced by a contrast that weights genes by their fitted precision. It
is here to be compared with.

With complete data all persons share one covariance V of the G genes, and with gene intercepts the slopes are
those of ordinary least squares of c'y on x, c = V⁻¹1 / 1'V⁻¹1; their covariance is (X'X)⁻¹ / 1'V⁻¹1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pniflow.mixed import one_blas_thread


class LegacyFit(NamedTuple):
    """Slopes, standard errors as nlme scales them, residual df, correlation, log-likelihood, parameters."""

    estimate: np.ndarray
    std_error: np.ndarray
    df: int
    correlation: float
    log_likelihood: float
    parameters: np.ndarray

    @property
    def statistic(self) -> np.ndarray:
        """Estimate over standard error."""
        return np.asarray(self.estimate / self.std_error)


def fit_legacy(
    y: np.ndarray, x: np.ndarray, start: np.ndarray | None = None, tolerance: float = 1e-14
) -> LegacyFit:
    """Fit by maximum likelihood.

    Parameters
    ----------
    y : array, persons x genes
        Signed expression, complete.
    x : array, persons x predictors
        Without intercept.
    start : array, optional
        Parameters of a near fit.
    tolerance : float
        Relative change of the deviance at which the search ends.

    Raises
    ------
    ValueError
        Fewer persons than predictors and one, or values are missing.
    """
    from scipy import optimize

    n, genes = y.shape
    if n <= x.shape[1] + 1 or genes < 2 or not (np.isfinite(y).all() and np.isfinite(x).all()):
        raise ValueError(
            "complete data of more persons than predictors, and two genes or more, were expected"
        )
    y, x = y - y.mean(axis=0), x - x.mean(axis=0)
    inverse = np.linalg.inv(x.T @ x)
    slopes = inverse @ (x.T @ y)
    products = y.T @ y / n, x.T @ y / n, x.T @ x / n
    if start is None:
        start = np.append(np.log(np.sqrt(np.diag(products[0]))), 0.0)
    options = {"maxiter": 2000, "ftol": tolerance, "gtol": 1e-9}
    with one_blas_thread():
        found = optimize.minimize(
            _deviance, start, (products, slopes), jac=True, method="L-BFGS-B", options=options
        )
    weights, precision, correlation = _contrast(found.x)
    estimate = slopes @ weights
    df = n * genes - genes - x.shape[1]
    error = np.sqrt(np.diag(inverse) / precision * n * genes / df)
    likelihood = -0.5 * n * (found.fun + genes * np.log(2 * np.pi))
    return LegacyFit(estimate, error, df, correlation, likelihood, found.x)


def _correlation(value: float, genes: int) -> tuple[float, float]:
    """Map a free number to a correlation between -1/(G-1) and 1, with its derivative."""
    lowest = -1 / (genes - 1)
    share = 1 / (1 + np.exp(-value))
    return lowest + (1 - lowest) * share, (1 - lowest) * share * (1 - share)


def _inverse_weights(correlation: float, genes: int) -> tuple[float, float]:
    """R⁻¹ = a I - b 11' of compound symmetry."""
    a = 1 / (1 - correlation)
    return a, a * correlation / (1 + (genes - 1) * correlation)


def _contrast(parameters: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Return the weights c of the genes, the precision 1'V⁻¹1, and the correlation."""
    genes = len(parameters) - 1
    correlation, _ = _correlation(parameters[-1], genes)
    a, b = _inverse_weights(correlation, genes)
    u = np.exp(-parameters[:-1])
    row = u * (a * u - b * u.sum())
    return row / row.sum(), float(row.sum()), correlation


def _deviance(
    parameters: np.ndarray, products: tuple[np.ndarray, np.ndarray, np.ndarray], slopes: np.ndarray
) -> tuple[float, np.ndarray]:
    """-2 log-likelihood per person without its constant, slopes profiled out, and its gradient.

    At the best slopes the gradient is that with slopes held fixed.
    """
    yy, xy, xx = products
    genes = len(parameters) - 1
    correlation, slope = _correlation(parameters[-1], genes)
    a, b = _inverse_weights(correlation, genes)
    u = np.exp(-parameters[:-1])
    weights, _, _ = _contrast(parameters)
    beta = slopes @ weights
    fitted = np.outer(np.ones(genes), beta @ xy)
    residual = yy - fitted - fitted.T + beta @ xx @ beta
    scaled = residual * np.outer(u, u)
    trace, total, rows = np.trace(scaled), scaled.sum(), scaled.sum(axis=1)
    larger = 1 + (genes - 1) * correlation
    value = (
        2 * parameters[:-1].sum()
        + (genes - 1) * np.log1p(-correlation)
        + np.log(larger)
        + a * trace
        - b * total
    )
    by_deviation = 2 - 2 * (a * np.diag(scaled) - b * rows)
    da = a**2
    db = da * correlation / larger + a * (1 / larger - correlation * (genes - 1) / larger**2)
    by_correlation = -(genes - 1) * a + (genes - 1) / larger + da * trace - db * total
    return float(value), np.append(by_deviation, by_correlation * slope)


def permutation_p(
    y: np.ndarray, x: np.ndarray, column: int, permutations: int, seed: int, people: np.ndarray
) -> tuple[float, str]:
    """Two-sided Freedman-Lane p of one predictor: residual profiles of samples are exchanged as wholes.

    A predictor that varies within people (session) is tested by exchange within each person; one that does
    not (age) by exchange of whole people among those with as many samples.

    Parameters
    ----------
    y, x : arrays
        As for `fit_legacy`; a person's rows in the order of sessions.
    column : int
        The predictor.
    permutations : int
        The observed order counts besides.
    seed : int
        Seed of the random numbers.
    people : array, samples
        Who each row is of.

    Returns
    -------
    float, str
        The p, and what was exchanged.
    """
    generator = np.random.default_rng(seed)
    full = fit_legacy(y, x)
    others = np.delete(x, column, axis=1)
    intercept = np.column_stack([np.ones(len(y)), others])
    fitted = intercept @ np.linalg.lstsq(intercept, y, rcond=None)[0]
    residual = y - fitted
    observed = abs(full.statistic[column])
    blocks = [np.flatnonzero(people == person) for person in dict.fromkeys(people)]
    within = any(np.ptp(x[rows, column]) > 0 for rows in blocks)
    reached = 1
    for _ in range(permutations):
        order = exchanged(blocks, within, generator)
        again = fit_legacy(fitted + residual[order], x, full.parameters, 1e-10)
        reached += abs(again.statistic[column]) >= observed
    return reached / (permutations + 1), "a person's samples" if within else "people"


def exchanged(blocks: list[np.ndarray], within: bool, generator: np.random.Generator) -> np.ndarray:
    """Return an order of rows: shuffled within blocks, or blocks of one size exchanged."""
    order = np.empty(sum(map(len, blocks)), dtype=int)
    if within:
        for rows in blocks:
            order[rows] = generator.permutation(rows)
        return order
    for size in {len(rows): None for rows in blocks}:
        alike = [rows for rows in blocks if len(rows) == size]
        for rows, place in zip(alike, generator.permutation(len(alike)), strict=True):
            order[rows] = alike[place]
    return order
