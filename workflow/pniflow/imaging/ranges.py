"""What a number of the brain can be, and what it usually is: `resources/atlases/ranges.tsv`.

What is impossible is refused where it is read; what is possible and unusual is kept and flagged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pniflow import resources
from pniflow.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

VERTEX = {"thickness": "thickness of a vertex", "pbt": "thickness of a vertex"}
"""Measure of a surface -> its range vertex by vertex."""
VOXEL = "modulated tissue of a voxel"


@dataclass(frozen=True)
class Range:
    """Limits of a quantity; those that are not known are infinite.

    Attributes
    ----------
    minimum, maximum : float
        What is possible.
    usual_from, usual_to : float
        What is plausible.
    slips : tuple of (str, float)
        Other units that people write the quantity in, and how many of each make one of `unit`.
    """

    unit: str = ""
    minimum: float = -np.inf
    maximum: float = np.inf
    usual_from: float = -np.inf
    usual_to: float = np.inf
    slips: tuple[tuple[str, float], ...] = ()

    def impossible(self, values: ArrayLike) -> NDArray[np.bool_]:
        """Tell which values cannot be; NaN is missing and can."""
        numbers = np.asarray(values, dtype=float)
        wrong: NDArray[np.bool_] = (numbers < self.minimum) | (numbers > self.maximum) | np.isinf(numbers)
        return wrong

    def implausible(self, values: ArrayLike) -> NDArray[np.bool_]:
        """Tell which values are beyond what is usual."""
        numbers = np.asarray(values, dtype=float)
        odd: NDArray[np.bool_] = (numbers < self.usual_from) | (numbers > self.usual_to)
        return odd

    def impossible_as(self, value: float) -> str:
        """Say what is possible instead of a value, and the unit in which it would be usual."""
        if np.isinf(value):
            return "a finite number was expected"
        word, limit = ("least", self.minimum) if value < self.minimum else ("most", self.maximum)
        return f"at {word} {limit:g} is possible{self._slip(value)}"

    def implausible_as(self, value: float) -> str:
        """Say what is usual instead of a value, and the unit in which it would be usual."""
        if value < self.usual_from:
            return f"less than the usual {self.usual_from:g} {self.unit} or more{self._slip(value)}"
        return f"more than the usual {self.usual_to:g} {self.unit} or less{self._slip(value)}"

    def _slip(self, value: float) -> str:
        for unit, divisor in self.slips:
            if self.minimum < value / divisor and not self.implausible(value / divisor):
                meant = f"{value / divisor:g} {self.unit}".removesuffix(" 1")
                return f" (if it is in {unit}, it is {meant}: correct the unit)"
        return ""


ANY = Range()


@resources.cached
def range_of(quantity: str) -> Range:
    """Return the range of a quantity; one that is in no table may be any finite number."""
    for row in resources.rows("atlases", "ranges", "quantity"):
        if row["quantity"] == quantity:
            limits = ("minimum", "maximum", "usual_from", "usual_to")
            given = {name: number(row, name) for name in limits if row[name]}
            slips = [one.rpartition(" ") for one in row["slips"].split(", ") if one]
            named = tuple((unit, number({**row, "slips": count}, "slips")) for unit, _, count in slips)
            return Range(row["unit"], **given, slips=named)
    return ANY


@resources.cached
def range_of_measure(name: str) -> Range:
    """Return the range of a measure by its name; differences between the sides may be anything."""
    parts = name.split(".")
    if "left_minus_right" in parts:
        return ANY
    return range_of("tiv" if name.endswith("_etiv") else parts[-1])


def require_possible(value: float, quantity: str, place: str) -> None:
    """Refuse a value that cannot be.

    Parameters
    ----------
    value : float
    quantity : str
        As in the table of ranges.
    place : str
        File and quantity, for the sentence.

    Raises
    ------
    InputError
        The value is beyond what is possible, or infinite.
    """
    rule = range_of(quantity)
    if rule.impossible(value):
        said = f"{value:g} {rule.unit}".removesuffix(" 1")
        raise InputError(f"{place} is {said}; {rule.impossible_as(value)}.")


def refuse_impossible(regions: pd.DataFrame) -> None:
    """Refuse a table of regions (contract `regions`) with a value that its metric cannot have.

    Raises
    ------
    InputError
        Such a value; the sentence names its file and region.
    """
    for metric, values in regions.groupby("metric", observed=True, sort=True)["value"]:
        wrong = range_of(str(metric)).impossible(values)
        if wrong.any():
            row = regions.loc[values.index[wrong][0]]
            require_possible(row["value"], str(metric), f"{row['source']}: {row['source_name']}")


def implausible_measures(measures: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of measures (contract `measures`) beyond what is usual, with `reason` in words."""
    brain = measures[measures["domain"] == "imaging"].dropna(subset=["value"])
    reasons: dict[Hashable, str] = {}
    for name, values in brain.groupby("measure", observed=True)["value"]:
        rule = range_of_measure(str(name))
        for place, value in values[rule.implausible(values)].items():
            reasons[place] = f"{value:.4g} {rule.unit}, {rule.implausible_as(value)}"
    return brain.loc[list(reasons)].assign(reason=list(reasons.values()))


class MapCheck:
    """Looks at the values of one map after another: surfaces or images of scans.

    Parameters
    ----------
    quantity : str
        As in the table of ranges; another may be any finite number, zero everywhere too.
    what : str
        What a map has values at, for sentences: vertices, voxels.
    """

    def __init__(self, quantity: str, what: str) -> None:
        self.rule, self.what = range_of(quantity), what
        self.seen: dict[bytes, str] = {}

    def flags(self, values: NDArray[np.float32], source: str) -> str:
        """Return what is implausible about a map, in words; blank where nothing is.

        Raises
        ------
        InputError
            A value is impossible, or none is there but zero.
        """
        ends = [one for one in (np.fmin.reduce(values, None), np.fmax.reduce(values, None)) if one == one]
        rule, known = self.rule, self.rule != ANY
        wrong = [end for end in ends if rule.impossible(end)]
        if any(map(np.isinf, wrong)):
            kind = {"voxels": "image"}.get(self.what, "surface")
            raise InputError(f"{source}: the {kind} holds an infinite value; make it again in CAT12.")
        if wrong:
            count, value = int(rule.impossible(values).sum()), float(wrong[-1])
            said = f"{value:g} {rule.unit}".removesuffix(" 1")
            raise InputError(
                f"{source}: {count} of {values.size} {self.what} have impossible values, one {said};"
                f" {rule.impossible_as(value)}, so the file is damaged or was not made by CAT12."
            )
        if known and not any(ends):
            raise InputError(
                f"{source}: all {values.size} {self.what} are zero or not a number, so the file is damaged"
                " or the segmentation failed; make it again in CAT12, or leave the scan out."
            )
        odd = int(rule.implausible(values).sum()) if rule.implausible(ends).any() else 0
        usual = f"the usual {rule.usual_from:g} to {rule.usual_to:g}"
        words = [f"{odd} {self.what} are beyond {usual}"] if odd else []
        words += [f"all {self.what} have the value {ends[0]:g}"] if len(set(ends)) == 1 else []
        first = self.seen.setdefault(hashlib.sha256(values.tobytes()).digest(), source)
        return "; ".join([*words, *([f"the same values as {first}"] if first != source else [])])


def number(row: dict[str, str], column: str) -> float:
    """Read a cell of a table of resources/atlases, which may be the user's own."""
    try:
        return float(row[column])
    except ValueError:
        named = ", ".join(filter(None, list(row.values())[:2]))
        raise InputError(
            f"resources/atlases: {column} of {named} is '{row[column]}'; a number was expected."
        ) from None
