"""The arithmetic of the CTRA score, over arrays of genes x samples."""

from __future__ import annotations

import numpy as np


def z_scores(values: np.ndarray, reference: np.ndarray | None = None) -> np.ndarray:
    """Standardize each gene over samples.

    Parameters
    ----------
    values : array, genes x samples
        Log2 expression; nan is missing.
    reference : bool array, samples, optional
        Samples that give mean and standard deviation (ddof 1); all without it.

    Returns
    -------
    array, genes x samples
        nan where missing, and throughout for a gene without variation in the reference.
    """
    basis = values if reference is None else values[:, reference]
    count = (~np.isnan(basis)).sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.nansum(basis, axis=1, keepdims=True) / count
        deviation = np.sqrt(np.nansum((basis - mean) ** 2, axis=1, keepdims=True) / (count - 1))
        return np.where(constant(basis)[:, None], np.nan, (values - mean) / deviation)


def constant(values: np.ndarray) -> np.ndarray:
    """Tell which genes have no variation over samples, or fewer than two values."""
    given = ~np.isnan(values)
    highest = np.where(given, values, -np.inf).max(axis=1, initial=-np.inf)
    lowest = np.where(given, values, np.inf).min(axis=1, initial=np.inf)
    return np.asarray((given.sum(axis=1) < 2) | (highest == lowest))


def mean_over_genes(values: np.ndarray, genes: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Average genes (times weights) for each sample; a missing value is left out.

    A sample without any value gets nan.
    """
    chosen = values[genes] if weights is None else values[genes] * weights[genes, None]
    count = (~np.isnan(chosen)).sum(axis=0)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nansum(chosen, axis=0) / np.where(count, count, np.nan))


def filled(values: np.ndarray) -> np.ndarray:
    """Put each gene's mean where it is missing, so that a mean of levels is one of the same genes."""
    count = (~np.isnan(values)).sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.isnan(values), np.nansum(values, axis=1, keepdims=True) / count, values)


def without_each_gene(z: np.ndarray, genes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the mean-z score with each gene in turn left out (genes chosen x samples)."""
    terms = z[genes] * weights[genes, None]
    total = np.nansum(terms, axis=0)
    count = (~np.isnan(terms)).sum(axis=0)
    rest = count - ~np.isnan(terms)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(rest > 0, (total - np.nan_to_num(terms)) / rest, np.nan)


def correlation_with(rows: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Correlate each row with a vector over samples; nan where either has no variation."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    other = vector - vector.mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(
            np.clip(
                np.einsum("gs,s->g", centred, other) / np.sqrt((centred**2).sum(axis=1) * (other**2).sum()),
                -1,
                1,
            )
        )
