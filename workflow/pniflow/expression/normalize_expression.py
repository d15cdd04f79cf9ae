"""From levels to log2 expression that can be compared between samples.

Reference-gene normalization follows the laboratory practice behind the CTRA literature: library size first,
then the mean of eleven stable genes (Eisenberg & Levanon 2013), a floor, log2. With x the level per million,

    y = log2(max(floor, x · s / h)),

h the sample's mean reference level. The printed recipe has s = 10⁶ and a floor of 1, on a scale where one
single read lies near 2¹⁰ and none at 2⁰: a gap of ten log2 units that is all noise. The default here is the
grand mean, s = mean of h over samples, so that values stay per million, and a floor of 0.125 per million, one
read in a library of eight million: none and one read are nearly the same, and no gene that was read at all is
lost. Apart from the floor the two scales differ by one constant, which no score of z values can see.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from pniflow.contracts import write_table
from pniflow.errors import InputError, listing
from pniflow.expression import distribution
from pniflow.expression.genes import gene_map, symbols
from pniflow.expression.ingest_expression import read_levels
from pniflow.expression.units import LINEAR, floors
from pniflow.files import write_json

if TYPE_CHECKING:
    import pandas as pd

MINIMUM_REFERENCES = 6
Method = Literal["reference_genes", "cpm", "tmm", "quantile", "positive_controls", "none"]


def normalize_expression(
    *,
    levels: Path,
    out: Path,
    method: Method | None = None,
    mean: Literal["arithmetic", "geometric"] = "arithmetic",
    scale: Literal["grand_mean", "million"] = "grand_mean",
    floor: float = 0.125,
    whole: Path | None = None,
    report: Path | None = None,
) -> None:
    """Make expression levels comparable between samples, on the log2 scale.

    Parameters
    ----------
    levels : path
        Levels (contract levels).
    out : path
        Normalized log2 expression: column `gene`, then one column per sample.
    method : str, optional
        reference_genes: by the mean of eleven stable genes; cpm: by library size (TPM and counts per million
        stay as they are); tmm: by the trimmed mean of M-values (counts); quantile: to the mean distribution
        over samples; positive_controls: nanoString's counts by the lane's positive controls, as nSolver
        does; none.
        Without it log2 values are left as they are and all others get reference_genes.
    mean : str
        How a sample's reference genes are averaged; of log2 values and cycles the mean is taken on the log2
        scale.
    scale : str
        What the reference mean is brought to: its grand mean over samples, or one million (the printed
        recipe).
    floor : float
        Lowest level per million; smaller ones are raised to it before the logarithm. Not used on log2 values.
    whole : path, optional
        All rows of the lab's file, as ingest-expression writes them; tmm and quantile need it.
    report : path, optional
        JSON of what was done: method, reference genes found and missing, scale and scale factors of the
        samples, floor, share of floored values (of log2 values those at their own lowest one).

    Notes
    -----
    With fewer than six of the eleven reference genes reference_genes gives way: to the panel's own
    housekeeping genes (nanoString, qPCR), else to library size, or for log2 values and
    intensities to none. This is said on stderr and in the report. Cycles without any reference gene
    are refused.

    Raises
    ------
    InputError
        The table is no levels, a sample's reference genes are all zero, or the method does not fit the unit.
    """
    if not floor > 0:
        raise InputError(f"normalize-expression: --floor is {floor:g}; a level above zero was expected.")
    table = read_levels(levels)
    unit = str(table["unit"].iloc[0])
    asked = method or ("none" if unit == "log2" else "reference_genes")
    reference = _reference(table, unit, mean, str(levels)) if asked == "reference_genes" else None
    used = asked if reference is None else reference.method
    all_rows = distribution.read_whole(whole, list(table["sample_id"]), used, unit, levels)
    names = [gene for gene in gene_map().genes if gene in table.columns]
    values = table[names].to_numpy(dtype=float).T
    library = table["library_size"].to_numpy(dtype=float)
    by_library = unit == "counts" and used not in ("none", "positive_controls")
    per_read = 1e6 / library if by_library else np.ones(len(table))
    level = None if reference is None else reference.level
    factors, shifts = None, None
    floored = np.zeros(values.shape, dtype=bool)
    if used == "quantile":
        result = distribution.to_mean_distribution(values * per_read, all_rows * per_read)
    elif unit in LINEAR:
        factors = (
            _lane_factors(table, str(levels))
            if used == "positive_controls"
            else _factors(used, level, library, per_read, all_rows, scale)
        )
        result = values * (per_read * factors)
    else:
        shifts = np.zeros(len(table)) if level is None else _target(level, scale) - level
        result = values + shifts
    if unit in LINEAR:
        result, floored = floored_log2(result, floor)
    else:
        with np.errstate(invalid="ignore"):
            floored = values <= floors(values)  # where the values had one before they came here
    write_table(_frame(names, list(table["sample_id"]), result), out)
    if reference is not None and reference.note:
        print(reference.note, file=sys.stderr)
    if report is not None:
        facts = _facts(table, unit, asked, reference, scale)
        by_sample = {
            "scale_factors": factors,
            "shifts": shifts,
            "floored_share_by_sample": floored.mean(axis=0),
        }
        facts |= {
            "floor": floor if unit in LINEAR else None,
            "floored_share": float(floored.mean()),
            "floored_share_by_gene": dict(zip(names, floored.mean(axis=1).tolist(), strict=True)),
        }
        facts |= {
            name: None if numbers is None else dict(zip(table["sample_id"], numbers.tolist(), strict=True))
            for name, numbers in by_sample.items()
        }
        write_json(report, facts)


def _factors(
    used: str,
    level: np.ndarray | None,
    library: np.ndarray,
    per_read: np.ndarray,
    all_rows: np.ndarray,
    scale: str,
) -> np.ndarray:
    """Return what each sample's levels per million are multiplied by."""
    if level is not None:
        million = level * per_read
        return np.asarray((million.mean() if scale == "grand_mean" else 1e6) / million)
    if used == "tmm":
        return distribution.tmm_factors(all_rows)
    return np.ones(len(library))


def _lane_factors(table: pd.DataFrame, source: str) -> np.ndarray:
    """Return what nSolver multiplies nanoString's lanes by."""
    factors = table["positive_factor"] if "positive_factor" in table else table["library_size"] * np.nan
    if factors.isna().any():
        raise InputError(
            f"{source}: sample {listing(list(table['sample_id'][factors.isna()]))} has no positive controls;"
            " normalization by positive_controls needs nanoString's raw files: use another method."
        )
    return factors.to_numpy(dtype=float)


def _target(level: np.ndarray, scale: str) -> float:
    """Return what the reference level is brought to on the log2 scale."""
    return float(level.mean()) if scale == "grand_mean" else float(np.log2(1e6))


def _facts(
    table: pd.DataFrame, unit: str, asked: str, reference: Reference | None, scale: str
) -> dict[str, object]:
    """Return what the report says of the method and its reference genes."""
    by_level = reference is not None and reference.level is not None
    return {
        "unit": unit,
        "samples": len(table),
        "method_asked": asked,
        "method": asked if reference is None else reference.method,
        "references_found": [] if reference is None else reference.found,
        "references_missing": [] if reference is None else reference.missing,
        "mean": reference.mean if reference is not None and by_level else None,
        "scale": scale if by_level else None,
        "note": None if reference is None else reference.note,
    }


def floored_log2(values: np.ndarray, floor: float) -> tuple[np.ndarray, np.ndarray]:
    """Raise values to the floor and take log2; return also which values are at the floor."""
    return np.log2(np.maximum(values, floor)), values <= floor


def _frame(genes: list[str], samples: list[str], values: np.ndarray) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(values, columns=samples)
    frame.insert(0, "gene", genes)
    return frame


class Reference(NamedTuple):
    """What samples are compared by: level per sample (on the scale of the levels), and how it was made."""

    level: np.ndarray | None
    method: str
    mean: str
    found: list[str]
    missing: list[str]
    note: str | None


def _reference(table: pd.DataFrame, unit: str, mean: str, source: str) -> Reference:
    """Average the reference genes of each sample, or degrade by the stated rule."""
    eleven = symbols("reference11")
    found = [gene for gene in eleven if gene in table.columns and table[gene].notna().all()]
    missing = [gene for gene in eleven if gene not in found]
    linear = unit in LINEAR
    mean = mean if linear else "geometric"
    if len(found) >= MINIMUM_REFERENCES:
        level = mean_level(table[found].to_numpy(dtype=float), mean, linear)
        note = None
        if missing:
            note = (
                f"{source}: of the 11 reference genes {listing(missing, 11)} is missing; the mean of the"
                f" other {len(found)} is used."
            )
        _not_zero(table, level, linear, source)
        return Reference(level, "reference_genes", mean, found, missing, note)
    why = (
        f"{source}: {len(found)} of the 11 reference genes were found, at least {MINIMUM_REFERENCES} are"
        " needed;"
    )
    own = table["housekeeping"].notna()
    if own.any() and not own.all():
        raise InputError(
            f"{why} the panel's own housekeeping genes have a blank in sample"
            f" {listing(list(table['sample_id'][~own]))}: leave the sample out, or name others."
        )
    if own.all():
        level = table["housekeeping"].to_numpy(dtype=float)
        _not_zero(table, level, linear, source)
        note = f"{why} the panel's own housekeeping genes are used instead."
        return Reference(level, "housekeeping", "geometric", found, missing, note)
    if unit == "ct":
        raise InputError(f"{why} name the panel's own reference genes: ingest-expression --housekeeping.")
    if unit == "intensity":
        why = f"{why} the intensities are only put on the log2 scale."
        return Reference(None, "none", mean, found, missing, why)
    if linear:
        return Reference(None, "cpm", mean, found, missing, f"{why} library size is used instead.")
    return Reference(None, "none", mean, found, missing, f"{why} the log2 values are left as they are.")


def mean_level(values: np.ndarray, mean: str, linear: bool) -> np.ndarray:
    """Average reference genes (samples x genes): arithmetic or geometric mean; of log2 values the mean."""
    if mean == "geometric" and linear:
        with np.errstate(divide="ignore"):
            return np.asarray(np.exp(np.log(values).mean(axis=1)))
    return np.asarray(values.mean(axis=1))


def _not_zero(table: pd.DataFrame, level: np.ndarray, linear: bool, source: str) -> None:
    empty = [
        sample for sample, value in zip(table["sample_id"], level, strict=True) if linear and not value > 0
    ]
    if empty:
        raise InputError(
            f"{source}: the mean of the reference genes of sample {listing(empty)} is zero; leave the sample"
            " out, or use --mean arithmetic or --method cpm."
        )
