"""Normalization that needs all rows of the lab's file: trimmed mean of M-values, and quantiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pniflow.contracts import read_table
from pniflow.errors import InputError

UNITS = {
    "cpm": ("counts", "tpm", "cpm"),
    "tmm": ("counts",),
    "quantile": ("counts", "tpm", "cpm", "intensity", "log2"),
    "positive_controls": ("counts",),
}


def read_whole(whole: Path | None, samples: list[str], method: str, unit: str, source: Path) -> np.ndarray:
    """Read all rows (rows x samples) where the method needs them; without rows where it does not.

    Raises
    ------
    InputError
        The method does not fit the unit, or the rows are not given, or are of other samples.
    """
    if unit not in UNITS.get(method, (unit,)):
        raise InputError(
            f"{source}: normalization by {method} needs {' or '.join(UNITS[method])}; the unit is {unit}, so"
            " use another method."
        )
    if method not in ("tmm", "quantile"):
        return np.empty((0, len(samples)))
    if whole is None:
        raise InputError(
            f"normalize-expression: {method} needs --whole, all rows of the lab's file (ingest-expression"
            " --whole)."
        )
    table = read_table(whole)
    if list(table.columns[1:]) != samples:
        raise InputError(f"{whole}: the samples are not those of {source}; make both from the same file.")
    values = table.iloc[:, 1:].to_numpy(dtype=float)
    return np.asarray(values[~np.isnan(values).any(axis=1)])


def tmm_factors(counts: np.ndarray) -> np.ndarray:
    """Return what counts per million are multiplied by: one over edgeR's normalization factor.

    Parameters
    ----------
    counts : array, rows x samples

    References
    ----------
    Robinson & Oshlack 2010, Genome Biology 11:R25; computed by rnanorm, which agrees with edgeR.
    """
    from rnanorm import TMM

    return np.asarray(1 / TMM().fit(counts.T).get_norm_factors(counts.T))


def to_mean_distribution(values: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Give each value the mean, over samples, of the quantile at its rank in its own sample.

    Ties take the quantile at their average rank, as limma's normalizeQuantiles does with ties.

    Parameters
    ----------
    values : array, genes x samples
        To be normalized; not every one need be in `whole` (ids of one gene are summed).
    whole : array, rows x samples
        All rows, complete.

    References
    ----------
    Bolstad et al. 2003, Bioinformatics 19:185.
    """
    ordered = np.sort(whole, axis=0)
    mean, places = ordered.mean(axis=1), np.arange(len(ordered))
    result = np.empty(values.shape)
    for sample, column in enumerate(ordered.T):
        column = np.ascontiguousarray(column)
        below = np.searchsorted(column, values[:, sample], side="left")
        rank = (below + np.searchsorted(column, values[:, sample], side="right") - 1) / 2
        result[:, sample] = np.where(np.isnan(values[:, sample]), np.nan, np.interp(rank, places, mean))
    return result
