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
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pniflow.errors import InputError, listing
from pniflow.expression.genes import gene_map, symbols
from pniflow.expression.ingest import read_levels
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
        none. Without it counts and TPM get reference_genes, log2 values none.
    mean : str
        How a sample's reference genes are averaged; on log2 values always on the log2 scale (geometric).
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
    housekeeping genes (nanoString), else to library size. This is said on stderr and in the report.

    Raises
    ------
    InputError
        The table is no levels, or a sample's reference genes are all zero.
    """
    if floor <= 0:
        raise InputError(
            f"normalize-expression: --floor is {floor}; a level above zero was expected, as its logarithm"
            " is taken."
        )
    table = read_levels(levels)
    unit = str(table["unit"].iloc[0])
    asked = method or ("none" if unit == "log2" else "reference_genes")
    factor, facts = _factors(table, unit, asked, mean, scale, str(levels))
    names = [gene for gene in gene_map().genes if gene in table.columns]
    values = table[names].to_numpy(dtype=float).T
    if unit == "log2":
        result, floored = values + np.log2(factor), np.zeros(values.shape, dtype=bool)
    else:
        result, floored = floored_log2(values * factor, floor)
    write_table(_frame(names, list(table["sample_id"]), result), out)
    facts |= {
        "unit": unit,
        "floor": None if unit == "log2" else floor,
        "floored_share": float(floored.mean()),
        "floored_share_by_gene": dict(zip(names, floored.mean(axis=1).tolist(), strict=True)),
        "samples": len(table),
    }
    if facts["note"]:
        print(facts["note"], file=sys.stderr)
    if report is not None:
        write_json(report, facts)


def floored_log2(values: np.ndarray, floor: float) -> tuple[np.ndarray, np.ndarray]:
    """Raise values to the floor and take log2; return also which values were raised (or equal it)."""
    return np.log2(np.maximum(values, floor)), values <= floor


def _frame(genes: list[str], samples: list[str], values: np.ndarray) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(values, columns=samples)
    frame.insert(0, "gene", genes)
    return frame


def _factors(
    table: pd.DataFrame, unit: str, method: str, mean: str, scale: str, source: str
) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the factor of each sample's levels, and what was done."""
    ones = np.ones(len(table))
    library = 1e6 / table["library_size"].to_numpy(dtype=float) if unit == "counts" else ones
    references = [gene for gene in symbols("reference11") if gene in table.columns]
    facts: dict[str, Any] = {
        "method_asked": method,
        "method": method,
        "mean": None,
        "scale": None,
        "references_found": references,
        "references_missing": [gene for gene in symbols("reference11") if gene not in references],
        "note": None,
    }
    if method == "none":
        return ones, facts
    if method == "cpm":
        return library, facts
    if len(references) >= MINIMUM_REFERENCES:
        level = _reference_level(table[references].to_numpy(dtype=float), unit, mean) * library
        if facts["references_missing"]:
            facts["note"] = (
                f"{source}: of the 11 reference genes {listing(facts['references_missing'])} is missing;"
                f" the mean of the other {len(references)} is used."
            )
    else:
        why = (
            f"{source}: {len(references)} of the 11 reference genes were found and at least"
            f" {MINIMUM_REFERENCES} are needed;"
        )
        if table["housekeeping"].isna().any():
            facts |= {
                "method": "none" if unit == "log2" else "cpm",
                "note": f"{why} library size is used instead.",
            }
            if unit == "log2":
                facts["note"] = f"{why} the log2 values are left as they are."
            return library, facts
        facts |= {
            "method": "housekeeping",
            "note": f"{why} the panel's own housekeeping genes are used instead.",
        }
        level, mean = table["housekeeping"].to_numpy(dtype=float) * library, "geometric"
    empty = [sample for sample, value in zip(table["sample_id"], level, strict=True) if not value > 0]
    if empty:
        raise InputError(
            f"{source}: the reference genes of sample {listing(empty)} are zero; leave the sample out, or"
            " use --method cpm."
        )
    facts |= {"mean": "geometric" if unit == "log2" else mean, "scale": scale}
    if scale == "grand_mean":
        return library * np.exp2(
            np.log2(level).mean()
        ) / level if unit == "log2" else library * level.mean() / level, facts
    return (ones if unit == "log2" else library * 1e6) / level, facts


def _reference_level(values: np.ndarray, unit: str, mean: str) -> np.ndarray:
    """Average the reference genes of each sample (samples x genes), on the linear scale."""
    if unit == "log2":
        return np.exp2(values.mean(axis=1))
    if mean == "geometric":
        with np.errstate(divide="ignore"):
            return np.exp(np.log(values).mean(axis=1))
    return values.mean(axis=1)
