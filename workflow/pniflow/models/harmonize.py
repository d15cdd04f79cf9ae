"""`pniflow harmonize`: ComBat for repeated scans of any table, for checking against other software.

    y = X b + scanner + u[person] + e        z = (y - X b - u) / s,  s the residual standard deviation

The mean and variance of z on each scanner are shrunk over features by empirical Bayes and taken away; what
belongs to the person and to the fixed effects stays. Source: Beer et al. 2020, NeuroImage 220:117129 (R
package longCombat), after Johnson et al. 2007, Biostatistics 8:118.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pniflow import files
from pniflow.errors import InputError, listing
from pniflow.mixed import MixedModel
from pniflow.models.fit_lmm import finite_numbers, read_any

Array = NDArray[np.float64]
ITERATIONS = 30  # as longCombat
FEWEST = 10  # scans of a scanner below which its effect is hardly known


def harmonize(
    *,
    data: Path,
    features: list[str],
    batch: str,
    group: str,
    fixed: list[str] | None = None,
    out: Path,
) -> None:
    """Take the scanners' effects out of features by ComBat for repeated scans.

    A sensitivity analysis at most: where scanners go with session or arm no method can part them, and
    p-values of harmonized features are too small (Nygaard et al. 2016, Biostatistics 17:29).

    Parameters
    ----------
    data : Path
        A table with a header line and a row per person and session: .csv, .tsv or .parquet. Blank and NA are
        missing.
    features : list of str
        Columns to harmonize, two at least.
    batch : str
        Column with the scanner.
    group : str
        Column with the person.
    fixed : list of str
        Columns with fixed effects whose effects are kept, numeric, used as given.
    out : Path
        The table with harmonized features, .csv; those of rows that lack a value are blank.

    Raises
    ------
    InputError
        The file or a column cannot be used, fewer than two scanners or features, a scanner with one row, or
        scanners that cannot be told from the fixed effects.
    """
    fixed = fixed or []
    table = read_any(Path(data))
    used = [*features, batch, group, *fixed]
    for place, name in enumerate(used):
        if name not in table.columns:
            raise InputError(
                f"{data}: there is no column '{name}'; there are {listing(list(table.columns))}."
            )
        if name in used[:place]:
            raise InputError(f"{data}: the column '{name}' is named twice; give each one role.")
    if Path(out).suffix != ".csv":
        raise InputError(f"{out}: the harmonized table is written as .csv; give this ending.")
    complete = table[used].dropna()
    counts = complete[batch].value_counts(sort=False).sort_index()
    few = counts[counts < 2]
    if len(features) < 2 or len(counts) < 2 or len(few):
        what = f"there are {len(features)} features and {len(counts)} scanners with complete rows"
        what = f"scanner {few.index[0]} has one complete row" if len(few) else what
        raise InputError(f"{data}: {what}; two of each, and two rows of each scanner, are needed at least.")
    values = np.column_stack([finite_numbers(data, complete[name]) for name in features])
    covariates = {name: finite_numbers(data, complete[name]) for name in fixed}
    scanners = complete[batch].to_numpy()
    found = long_combat(values, scanners, complete[group].to_numpy(), covariates)
    if found is None:
        raise InputError(
            f"{data}: the scanners cannot be told from the fixed effects ({listing(fixed)}), or features do"
            " not vary apart from each other; leave out what goes with the scanner."
        )
    table = table.astype(object)
    table[features] = None
    table.loc[complete.index, features] = found.harmonized
    files.write_bytes(Path(out), table.to_csv(index=False, lineterminator="\n").encode())
    rare = [str(name) for name in counts[counts < FEWEST].index]
    note = f"; fewer than {FEWEST} on {listing(rare)}" if rare else ""
    print(f"{len(complete)} of {len(table)} rows on {len(counts)} scanners{note}.", file=sys.stderr)


@dataclass(frozen=True)
class Harmonized:
    """Harmonized features and the scanners' effects on their standardized values.

    Attributes
    ----------
    harmonized : (n, p) array
    scanners : (k,) array
        Sorted; the rows of what follows.
    additive, additive_shrunken, variance_shrunken : (k, p) array
        Means of the standardized features before and after empirical Bayes; variances after it.
    """

    harmonized: Array
    scanners: NDArray[Any]
    additive: Array
    additive_shrunken: Array
    variance_shrunken: Array


def long_combat(
    values: Array, scanner: NDArray[Any], person: NDArray[Any], fixed: dict[str, Array]
) -> Harmonized | None:
    """Harmonize features of scans; a person's effect and the fixed effects are kept.

    Parameters
    ----------
    values : (n, p) array
        Features, without missing values; p is 2 at least.
    scanner, person : n labels
    fixed : mapping of str to (n,) array

    Returns
    -------
    Harmonized or None
        None where scanners cannot be told from the fixed effects, a feature does not vary, or all are one.
    """
    names, codes = np.unique(scanner, return_inverse=True)
    member = np.eye(len(names))[codes]
    count = member.sum(axis=0)[:, None]
    design = np.column_stack([np.ones(len(values)), *fixed.values(), member[:, 1:]])
    fit = MixedModel(design, {"person": person}).fit(values)
    coefficients = fit.tests().estimate
    if not (np.isfinite(coefficients).all() and (fit.sigma2 > 0).all()):
        return None
    ratio = fit.covariances["person"][:, 0, 0] / fit.sigma2
    people, whose = np.unique(person, return_inverse=True)
    belongs = np.eye(len(people))[whose]
    rest = belongs.T @ (values - design @ coefficients)
    effects = ratio * rest / (1 + ratio * belongs.sum(axis=0)[:, None])
    shift = np.vstack([np.zeros(values.shape[1]), coefficients[1 + len(fixed) :]])
    shift = shift - (count * shift).sum(axis=0) / len(values)  # zero on average over the scans
    kept = design @ coefficients + belongs @ effects - member @ shift
    spread = np.sqrt(fit.sigma2)
    standard = (values - kept) / spread
    mean = member.T @ standard / count
    variance = member.T @ (standard - member @ mean) ** 2 / (count - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        shrunken, shrunken_variance = _empirical_bayes(standard, member, mean, variance)
        harmonized = (standard - member @ shrunken) / np.sqrt(member @ shrunken_variance) * spread + kept
    if not np.isfinite(harmonized).all():
        return None
    return Harmonized(harmonized, names, mean, shrunken, shrunken_variance)


def _empirical_bayes(standard: Array, member: Array, mean: Array, variance: Array) -> tuple[Array, Array]:
    """Shrink each scanner's means and variances towards those of all features (Johnson et al. 2007)."""
    count = member.sum(axis=0)[:, None]
    centre, between = mean.mean(axis=1, keepdims=True), mean.var(axis=1, ddof=1, keepdims=True)
    middle, scatter = variance.mean(axis=1, keepdims=True), variance.var(axis=1, ddof=1, keepdims=True)
    shape = (middle**2 + 2 * scatter) / scatter
    scale = (middle**3 + middle * scatter) / scatter
    squares = variance
    for _ in range(ITERATIONS):
        shrunken = (count * between * mean + squares * centre) / (count * between + squares)
        squares = (scale + (member.T @ (standard - member @ shrunken) ** 2) / 2) / (count / 2 + shape - 1)
    return shrunken, squares
