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

from pniflow.errors import InputError, listing
from pniflow.expression.genes import gene_map, symbols
from pniflow.expression.ingest import read_levels
from pniflow.expression.units import LINEAR
from pniflow.files import write_json, write_table

if TYPE_CHECKING:
    import pandas as pd

MINIMUM_REFERENCES = 6


def normalize_expression(
    *,
    levels: Path,
    out: Path,
    method: Literal["reference_genes", "cpm", "none"] | None = None,
    mean: Literal["arithmetic", "geometric"] = "arithmetic",
    scale: Literal["grand_mean", "million"] = "grand_mean",
    floor: float = 0.125,
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
        reference_genes: by the mean of eleven stable genes; cpm: by library size (TPM stay as they are);
        none. Without it log2 values are left as they are and all others get reference_genes.
    mean : str
        How a sample's reference genes are averaged; of log2 values and cycles the mean is taken on the log2
        scale.
    scale : str
        What the reference mean is brought to: its grand mean over samples, or one million (the printed
        recipe).
    floor : float
        Lowest level per million; smaller ones are raised to it before the logarithm. Not used on log2 values.
    report : path, optional
        JSON of what was done: method, reference genes found and missing, scale, floor, share of floored
        values.

    Notes
    -----
    With fewer than six of the eleven reference genes reference_genes gives way: to the panel's own
    housekeeping genes (nanoString, qPCR), else to library size, or for log2 values to none. This is said on
    stderr and in the report. Cycles without any reference gene are refused.

    Raises
    ------
    InputError
        The table is no levels, or a sample's reference genes are all zero.
    """
    if not floor > 0:
        raise InputError(f"normalize-expression: --floor is {floor:g}; a level above zero was expected.")
    table = read_levels(levels)
    unit = str(table["unit"].iloc[0])
    asked = method or ("none" if unit == "log2" else "reference_genes")
    library = 1e6 / table["library_size"].to_numpy(dtype=float) if unit == "counts" else np.ones(len(table))
    reference = _reference(table, unit, mean, str(levels)) if asked == "reference_genes" else None
    used = asked if reference is None else reference.method
    names = [gene for gene in gene_map().genes if gene in table.columns]
    values = table[names].to_numpy(dtype=float).T
    if unit in LINEAR:
        million = values if used == "none" else values * library
        if reference is not None and reference.level is not None:
            million = by_reference(million, reference.level * library, scale)
        result, floored = floored_log2(million, floor)
    else:
        shift = np.zeros(len(table)) if reference is None or reference.level is None else reference.level
        target = shift.mean() if scale == "grand_mean" else np.log2(1e6) * (shift != 0).any()
        result, floored = values - shift + target, np.zeros(values.shape, dtype=bool)
    write_table(_frame(names, list(table["sample_id"]), result), out)
    note = None if reference is None else reference.note
    if note:
        print(note, file=sys.stderr)
    if report is not None:
        facts = {
            "unit": unit,
            "samples": len(table),
            "method_asked": asked,
            "method": used,
            "references_found": [] if reference is None else reference.found,
            "references_missing": [] if reference is None else reference.missing,
            "mean": None if reference is None or reference.level is None else reference.mean,
            "scale": None if reference is None or reference.level is None else scale,
            "floor": floor if unit in LINEAR else None,
            "floored_share": float(floored.mean()),
            "floored_share_by_gene": dict(zip(names, floored.mean(axis=1).tolist(), strict=True)),
            "note": note,
        }
        write_json(report, facts)


def by_reference(values: np.ndarray, reference: np.ndarray, scale: str) -> np.ndarray:
    """Bring each sample's reference level to the grand mean over samples, or to one million.

    Parameters
    ----------
    values : array, genes x samples
        Levels per million.
    reference : array, samples
        Mean level of the reference genes, per million.
    scale : str
        grand_mean or million.
    """
    return values * ((reference.mean() if scale == "grand_mean" else 1e6) / reference)


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
    if table["housekeeping"].notna().all():
        level = table["housekeeping"].to_numpy(dtype=float)
        _not_zero(table, level, linear, source)
        note = f"{why} the panel's own housekeeping genes are used instead."
        return Reference(level, "housekeeping", "geometric", found, missing, note)
    if unit == "ct":
        raise InputError(f"{why} name the panel's own reference genes: ingest-expression --housekeeping.")
    if linear:
        return Reference(None, "cpm", mean, found, missing, f"{why} library size is used instead.")
    return Reference(None, "none", mean, found, missing, f"{why} the log2 values are left as they are.")


def mean_level(values: np.ndarray, mean: str, linear: bool) -> np.ndarray:
    """Average reference genes (samples x genes): arithmetic or geometric mean; of log2 values the mean."""
    if mean == "geometric" and linear:
        with np.errstate(divide="ignore"):
            return np.exp(np.log(values).mean(axis=1))
    return values.mean(axis=1)


def _not_zero(table: pd.DataFrame, level: np.ndarray, linear: bool, source: str) -> None:
    empty = [
        sample for sample, value in zip(table["sample_id"], level, strict=True) if linear and not value > 0
    ]
    if empty:
        raise InputError(
            f"{source}: the reference genes of sample {listing(empty)} are zero; leave the sample out, or use"
            " --method cpm."
        )
