"""What values of a unit can be, and what cannot be of that unit."""

from __future__ import annotations

import numpy as np

UNITS = ("counts", "tpm", "log2", "ct")
LINEAR = ("counts", "tpm")
LARGEST_LOG2 = 40.0
LARGEST_CYCLE = 60.0


def offence(values: np.ndarray, unit: str, whole: bool) -> tuple[np.ndarray, str] | None:
    """Find values that are not of a unit.

    Parameters
    ----------
    values : array
        Some rows of a matrix; nan is missing.
    unit : str
        counts, tpm, log2 or ct.
    whole : bool
        Whether counts must be whole numbers (estimated counts need not).

    Returns
    -------
    mask : bool array, and what was expected and what to do; None where all is well.
    """
    if unit == "log2":
        if (bad := np.isneginf(values)).any():
            return (
                bad,
                "the log2 of zero is no value; leave the cell blank, or add a count before the logarithm",
            )
        bad = np.abs(values) > LARGEST_LOG2
        return (bad, "log2 values lie within ±40; declare the unit tpm or counts") if bad.any() else None
    if unit == "ct":
        bad = (values <= 0) | (values > LARGEST_CYCLE)
        return (bad, "threshold cycles lie between 0 and 60") if bad.any() else None
    if not values.size:
        return None
    lowest, highest = values.min(), values.max()
    if np.isnan(lowest):
        return np.isnan(values), f"{unit} have no missing cells; zero is 0"
    if lowest < 0:
        return values < 0, f"{unit} are not negative; declare the unit log2 if these are log2 values"
    if np.isinf(highest):
        return np.isinf(values), f"{unit} are finite"
    if whole and (fractional := fractions(values)).any():
        if highest < LARGEST_LOG2:
            return fractional, "counts are whole numbers; these look like log2 values: declare the unit log2"
        return fractional, (
            "counts are whole numbers; give the files of salmon, kallisto or RSEM themselves, round estimated"
            " counts, or, if these are TPM, declare the unit tpm"
        )
    return None


def fractions(values: np.ndarray) -> np.ndarray:
    """Tell which values are not whole."""
    return np.asarray(np.floor(values) != values)
