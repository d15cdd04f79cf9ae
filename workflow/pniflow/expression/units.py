"""What the numbers of a file can be: one judgement, for a declared unit and for a guessed one.

Counts are whole, or estimates with fractions; TPM and counts per million sum to a million in each sample,
or to less where rows were left out; an array's intensities have no zero; log2 values and cycles are small.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

UNITS = ("counts", "tpm", "cpm", "intensity", "log2", "ct")
PER_MILLION = ("tpm", "cpm")
SUMMED = (
    "counts",
    *PER_MILLION,
)  # rows of one gene add up; of others one is taken
LINEAR = (*SUMMED, "intensity")
LARGEST_LOG2 = 40.0
LARGEST_CYCLE = 50.0
MILLION, SLACK = 1e6, 0.05
TRANSCRIPTOME = 1000  # rows; among so many TPM one is far above any log2 value
PANEL = 20  # rows; so many levels are not all as near to each other as cycles are
# Means over genes; of samples amplified before, cycles can be as low as log2 values are.
LARGEST_MEAN_LOG2, LEAST_MEAN_CYCLE, LEAST_CYCLE = 15.0, 17.0, 5.0
LARGEST_LEVEL = 16.0  # of an array's log2 values; a panel with larger ones may hold cycles
PILE, PILED = 0.01, 3  # share and number of values that are at one lowest value by no chance
_LOOKS = {
    "counts": "counts",
    "tpm": "TPM or counts per million, which sum to a million",
    "intensity": "the intensities of an array, of which none is zero",
    "log2": "log2 values",
    "ct": "threshold cycles",
}


def offence(values: np.ndarray, unit: str) -> tuple[np.ndarray, str] | None:
    """Find values that are not of a unit, each by itself.

    Parameters
    ----------
    values : array
        Some rows of a matrix; nan is missing.
    unit : str
        One of UNITS.

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
        return (bad, f"threshold cycles lie between 0 and {LARGEST_CYCLE:.0f}") if bad.any() else None
    if not values.size:
        return None
    lowest, highest = values.min(), values.max()
    if np.isnan(lowest):
        return np.isnan(values), f"{unit} have no missing cells; zero is 0"
    if lowest < 0 and unit == "intensity":
        return values < 0, (
            "an intensity is not negative: export it without background subtraction, or declare the unit log2"
            " if these are log2 values"
        )
    if lowest < 0:
        return values < 0, f"{unit} are not negative; declare the unit log2 if these are log2 values"
    if np.isinf(highest):
        return np.isinf(values), f"{unit} are finite"
    return None


class Evidence:
    """What the numbers of a file show of their unit, added up block by block.

    Attributes
    ----------
    rows : int
    given : int array, samples
        Values that are there.
    total, least, most : arrays, samples
        Of these; infinite least and most of a sample without any.
    whole : bool
        Whether all are whole numbers.
    """

    def __init__(self, samples: int) -> None:
        self.rows, self.whole = 0, True
        self.given, self.total = np.zeros(samples, dtype=np.int64), np.zeros(samples)
        self.least, self.most = np.full(samples, np.inf), np.full(samples, -np.inf)

    def add(self, values: np.ndarray) -> np.ndarray:
        """Add some rows (rows x samples; nan is missing); return their maxima."""
        self.rows += len(values)
        total = values.sum(axis=0)
        lowest, highest, given = values, values, len(values)
        if not np.isfinite(total).all():
            there = np.isfinite(values)
            given, values = there.sum(axis=0), np.where(there, values, 0)
            total = values.sum(axis=0)
            lowest, highest = np.where(there, values, np.inf), np.where(there, values, -np.inf)
        self.given += given
        self.total += total
        most = np.asarray(highest.max(axis=0, initial=-np.inf))
        self.least = np.minimum(self.least, lowest.min(axis=0, initial=np.inf))
        self.most = np.maximum(self.most, most)
        self.whole = self.whole and bool((np.floor(values) == values).all())
        return most

    def look(self) -> str | None:
        """Return the unit that the numbers look like (tpm for cpm, too); None where they tell none."""
        if not self.given.any():
            return None
        least, most = self.least.min(), self.most.max()
        if least < 0:
            return "log2" if most <= LARGEST_LOG2 else None
        if self.whole:
            return "counts"
        if most <= LARGEST_CYCLE:
            mean = self.total[self.given > 0] / self.given[self.given > 0]
            if least >= LEAST_CYCLE and mean.min() > LEAST_MEAN_CYCLE:
                return "ct"
            small = most <= LARGEST_LEVEL or self.rows > TRANSCRIPTOME
            return "log2" if small and mean.max() < LARGEST_MEAN_LOG2 else None
        if (np.abs(self.total / MILLION - 1) <= SLACK).all():
            return "tpm"
        if self.rows > TRANSCRIPTOME and self.total.min() > MILLION * (1 + SLACK):
            return "intensity" if least > 0 else "counts"
        return None


def refusal(evidence: Evidence, unit: str, samples: Sequence[str], estimated: bool) -> str | None:
    """Say why the numbers of a whole file cannot be of the declared unit.

    Parameters
    ----------
    estimated : bool
        Whether counts come from a program that estimates them (salmon, kallisto, RSEM).
    """
    total, most, look = evidence.total, evidence.most.max(initial=0), evidence.look()
    if unit in PER_MILLION and total.max(initial=0) > MILLION * (1 + SLACK):
        if evidence.whole:
            return (
                f"all values are whole numbers and samples sum to {total.max():.4g}; declare the unit counts"
            )
        advice = "declare the unit " + (look or "counts if they are estimated counts, or intensity")
        return (
            f"sample '{samples[int(total.argmax())]}' sums to {total.max():.4g}, and {unit} to a million at"
            f" most{_like(look)}; {advice}"
        )
    cycles = look == "ct" and evidence.rows >= PANEL
    small = evidence.rows > TRANSCRIPTOME or (unit == "counts" and not estimated)
    if unit in LINEAR and not evidence.whole and (cycles or (small and most < LARGEST_LOG2)):
        other = "ct" if look == "ct" else "log2"
        why = "counts are whole numbers, and " if unit == "counts" else ""
        return f"{why}no value is above {most:.4g}; these look like {_LOOKS[other]}: declare the unit {other}"
    if unit == "counts" and not estimated and look == "tpm":
        return "each sample sums to a million, as TPM and counts per million do; declare the unit tpm or cpm"
    return None


def remarks(evidence: Evidence, unit: str, estimated: bool) -> list[str]:
    """Say what is notable of the numbers of a whole file: estimated counts, and an unlikely unit."""
    look, found = evidence.look(), []
    if unit == "counts" and not evidence.whole and not estimated:
        found.append("counts with fractions, estimated or normalized ones")
    alike = (
        look == unit or {look, unit} == {*PER_MILLION} or (unit == "intensity" and evidence.least.min() > 0)
    )
    if look is not None and not alike:
        found.append(f"the unit {unit} is unlikely{_like(look)}")
    few = evidence.rows > 10 * TRANSCRIPTOME and evidence.total.min(initial=np.inf) < MILLION / 2
    if unit in PER_MILLION and few:
        found.append(f"the unit {unit} is unlikely: samples sum to {evidence.total.min():.4g}, not a million")
    return found


def _like(look: str | None) -> str:
    return f"; these look like {_LOOKS[look]}" if look else ""


def floors(values: np.ndarray) -> np.ndarray:
    """Find the floor of log2 values: the one lowest value that values share as no measured ones do.

    It is that of the table, as log2(x + 1) has it, or one of each sample, as a shift by sample makes it.

    Parameters
    ----------
    values : array, genes x samples
        nan is missing.

    Returns
    -------
    array, samples
        nan without a floor.
    """
    none = np.full(values.shape[1], np.nan)
    given = ~np.isnan(values)
    if not given.any():
        return none
    least = np.where(given, values, np.inf).min(axis=0)
    lowest, shared = least == least.min(), (values == least).sum(axis=0)
    if shared.mean() >= PILED - 1:
        return np.where(lowest | (shared > 1), least, np.nan)
    pile = (values == least.min()).sum() >= max(PILED, PILE * given.sum())
    return np.where(lowest, least, np.nan) if pile else none
