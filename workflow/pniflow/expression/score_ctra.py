"""CTRA: the score of each blood sample, its parts, and how much hangs on each gene.

The sign is the same everywhere: scores named `ctra...` are higher when the profile is more adverse (more
inflammatory, less interferon and antibody expression); parts named inflammatory, interferon and antibody are
higher when expression is.
Scores are computed once over all samples; a model of a subset takes them as they are.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from pniflow.contracts import read_table, write_table
from pniflow.errors import InputError, listing
from pniflow.expression import composite
from pniflow.expression.genes import COMPONENTS, GeneSet, read_gene_set, symbols
from pniflow.expression.log2_table import Expression, read_expression, rows_of
from pniflow.expression.people import TREATMENTS, read_people, read_visits
from pniflow.expression.units import floors
from pniflow.files import read_text

if TYPE_CHECKING:
    import pandas as pd

FILTERS = {
    "low_expression": "low_expression_filter",
    "low_variance": "variance_filter",
    "near_floor": "without_near_floor",
}
FEW_GENES = 0.75  # of 53: fewer than 40


def score_ctra(
    *,
    expression: Path,
    scores: Path,
    genes: Path,
    gene_set: str = "ctra53",
    variant: Literal["mean_z", "mean_log2", "balanced"] = "mean_z",
    samples: Path | None = None,
    baseline: str | None = None,
    participants: Path | None = None,
    sessions: Path | None = None,
    exclude: list[str] | None = None,
    normalization: Path | None = None,
    floor: float = -3.0,
    minimum_log2: float = 0.0,
    minimum_sd: float = 0.5,
    maximum_floored: float = 0.2,
    parts: bool = False,
) -> None:
    """Score the conserved transcriptional response to adversity (CTRA) of each blood sample.

    Parameters
    ----------
    expression : path
        Normalized log2 expression (.tsv or .parquet): first column the gene, then one column per sample.
    scores : path
        One row per sample (contract ctra_scores).
    genes : path
        One row per gene of the set (contract ctra_genes).
    gene_set : str
        Name of a gene set in resources/genes.
    variant : str
        Which variant the column `ctra` is: mean_z, mean_log2 or balanced.
    samples : path, optional
        Table of samples (contract samples), for z against the baseline.
    baseline : str, optional
        Session whose samples give mean and standard deviation for the sensitivity ctra_baseline_z; of fewer
        than two samples there is none, and the note says so.
    participants : path, optional
        Table of participants: where B-cell depletion or interferon treatment is recorded (b_cell_depletion,
        interferon_treated), the note says which score is without the affected component.
    sessions : path, optional
        Table of sessions, where such a treatment is recorded as an exposure of the session.
    exclude : list of str, optional
        Samples that are not scored and do not count in z, as they failed quality control.
    normalization : path, optional
        JSON that normalize-expression reports, for its floor.
    floor : float
        Without it, the log2 value that is the floor of the normalization (default: log2 of 0.125); values
        equal to it count as floored, and those at the one lowest value that many share, as log2(x + 1) has.
    minimum_log2 : float
        Sensitivity ctra_low_expression_filter leaves out genes with a lower mean.
    minimum_sd : float
        Sensitivity ctra_variance_filter leaves out genes with a lower standard deviation over all samples.
    maximum_floored : float
        Sensitivity ctra_without_near_floor leaves out genes that are at the floor in a larger share of
        samples.
    parts : bool
        Give the parts that have genes, and no score, where a component has no gene at all; without it such a
        table is refused.

    Raises
    ------
    InputError
        The table is not as described, has fewer than two samples, or lacks all genes of a component.
    """
    chosen = read_gene_set(gene_set)
    table = _without(read_expression(expression), exclude or [], expression)
    if len(table.samples) < 2:
        raise InputError(f"{expression}: the table has one sample; z values need at least two.")
    component, weight = np.array(chosen.components), np.array(chosen.weights)
    if variant == "balanced" and len(set(component == "inflammatory")) == 1:
        raise InputError(
            f"score-ctra: the balanced score sets inflammatory genes against others, and {chosen.name} has"
            " not both; use the variant mean_z."
        )
    values = rows_of(chosen, table)
    status = np.where(
        np.isnan(values).all(axis=1), "absent", np.where(composite.constant(values), "constant", "used")
    ).astype(object)
    used = status == "used"
    lacking = _lacking(chosen, used, parts, expression)
    z = composite.z_scores(values)
    columns = _scores(values, z, used, component, weight, lacking, variant)
    known = None if normalization is None else _floor(normalization)
    floored = values == (floor if known is None else known)
    if known is None or np.isnan(known):
        with np.errstate(invalid="ignore"):
            floored |= values <= floors(table.values)
    columns["floored_share"] = composite.mean_over_genes(np.where(np.isnan(values), np.nan, floored), used)
    filters = _filters(values, floored, minimum_log2, minimum_sd, maximum_floored)
    for name, out in {
        **filters,
        **{f"ctra_without_{part}": component == part for part in COMPONENTS[1:]},
    }.items():
        columns[name] = _blank_if(
            bool(lacking) and name in filters, composite.mean_over_genes(z, used & ~out, weight)
        )
    reference = _baseline(table, samples, baseline)
    thin = reference is not None and reference.sum() < 2
    if reference is not None and not thin:
        again = composite.z_scores(values, reference)
        columns["ctra_baseline_z"] = _blank_if(bool(lacking), composite.mean_over_genes(again, used, weight))
    columns |= {
        f"log2_{gene}": table.values[table.genes.index(gene)]
        for gene in symbols("leukocyte8")
        if gene in table.genes
    }
    remarks = [f"fewer than two samples of {baseline}: no z against them"] if thin else []
    note = _note(int(used.sum()), chosen, lacking, remarks + _treated(participants, sessions), expression)
    write_table(_frame({"sample_id": table.samples, **columns, "note": note}), scores, "ctra_scores")
    write_table(_gene_table(chosen, table, values, z, status, floored, filters), genes, "ctra_genes")


def _lacking(chosen: GeneSet, used: np.ndarray, parts: bool, source: Path) -> list[str]:
    """Return the components without any gene; without `parts` such a table is refused."""
    component = np.array(chosen.components)
    lacking = [part for part in dict.fromkeys(chosen.components) if not used[component == part].any()]
    if lacking and not (parts and used.any()):
        names = [
            gene for gene, part in zip(chosen.genes, chosen.components, strict=True) if part == lacking[0]
        ]
        raise InputError(
            f"{source}: the {lacking[0]} component has none of its genes ({listing(names)}), so"
            f" {chosen.name} cannot be scored; --parts (expression.ctra.parts in config.yaml) gives the"
            " components that are there, --gene-set inflammatory19 or interferon31 scores one of them."
        )
    return lacking


def _scores(
    values: np.ndarray,
    z: np.ndarray,
    used: np.ndarray,
    component: np.ndarray,
    weight: np.ndarray,
    lacking: list[str],
    variant: str,
) -> dict[str, np.ndarray]:
    """Return the variants and the parts."""
    blank = np.full(values.shape[1], np.nan)
    parts = {part: composite.mean_over_genes(z, used & (component == part)) for part in COMPONENTS}
    inflammatory, other = used & (component == "inflammatory"), used & (component != "inflammatory")
    variants = {
        "ctra_mean_z": composite.mean_over_genes(z, used, weight),
        "ctra_mean_log2": composite.mean_over_genes(composite.filled(values), used, weight),
        "ctra_balanced": composite.mean_over_genes(z, inflammatory) - composite.mean_over_genes(z, other),
    }
    # A sample that lacks every value of a component of the set has no score either.
    for part in dict.fromkeys(component):
        gone = np.isnan(parts[part]) | bool(lacking)
        variants = {name: np.where(gone, blank, score) for name, score in variants.items()}
    count = (~np.isnan(z[used])).sum(axis=0)
    missing = len(component) - count
    return {
        "ctra": variants[f"ctra_{variant}"],
        **variants,
        **parts,
        "genes_used": count,
        "genes_missing": missing,
    }


def _filters(
    values: np.ndarray, floored: np.ndarray, minimum_log2: float, minimum_sd: float, maximum_floored: float
) -> dict[str, np.ndarray]:
    """Tell for each sensitivity which genes it leaves out."""
    mean, deviation = _moments(values)
    with np.errstate(invalid="ignore"):
        return {
            "ctra_low_expression_filter": mean < minimum_log2,
            "ctra_variance_filter": deviation < minimum_sd,
            "ctra_without_near_floor": floored.mean(axis=1) > maximum_floored,
        }


def _floor(normalization: Path) -> float:
    """Return the log2 value that is the floor; nan where values were not floored."""
    import json

    floor = json.loads(read_text(normalization)).get("floor")
    return float("nan") if floor is None else float(np.log2(floor))


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each gene's mean and standard deviation (ddof 1) over samples."""
    count = (~np.isnan(values)).sum(axis=1).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.nansum(values, axis=1) / count
        return mean, np.sqrt(np.nansum((values - mean[:, None]) ** 2, axis=1) / (count - 1))


def _blank_if(condition: bool, score: np.ndarray) -> np.ndarray:
    return np.full(len(score), np.nan) if condition else score


def _baseline(table: Expression, samples: Path | None, session: str | None) -> np.ndarray | None:
    """Tell which samples are of the baseline session."""
    if session is None:
        return None
    if samples is None:
        raise InputError(
            "score-ctra: --baseline needs --samples, the table that says which sample is of which session."
        )
    sheet = read_table(samples, "samples").set_index("sample_id")["session_id"]
    return np.array([sheet.get(sample) == session for sample in table.samples])


def _without(table: Expression, exclude: list[str], source: Path) -> Expression:
    """Take samples out."""
    unknown = [sample for sample in exclude if sample not in table.samples]
    if unknown:
        raise InputError(f"{source}: there is no sample {listing(unknown)} to exclude; correct its name.")
    kept = [place for place, sample in enumerate(table.samples) if sample not in exclude]
    return table._replace(samples=[table.samples[place] for place in kept], values=table.values[:, kept])


def _treated(participants: Path | None, sessions: Path | None) -> list[str]:
    """Say which treatments of the cohort change a component."""
    tables = read_people(participants), read_visits(sessions)
    return [
        f"{name.replace('_', ' ')} in the cohort: see ctra_without_{part}"
        for name, part in TREATMENTS.items()
        if any(name in table and (table[name] == "yes").any() for table in tables)
    ]


def _note(used: int, chosen: GeneSet, lacking: list[str], remarks: list[str], source: Path) -> str | None:
    """Say what a reader must know of the score; also on stderr."""
    notes = [f"no {part} gene: no score" for part in lacking]
    if used < FEW_GENES * len(chosen.genes):
        notes.append(f"{used} of the {len(chosen.genes)} genes of {chosen.name} used")
    notes += remarks
    if notes:
        print(f"{source}: {'; '.join(notes)}.", file=sys.stderr)
    return "; ".join(notes) or None


def _gene_table(
    chosen: GeneSet,
    table: Expression,
    values: np.ndarray,
    z: np.ndarray,
    status: np.ndarray,
    floored: np.ndarray,
    filters: dict[str, np.ndarray],
) -> pd.DataFrame:
    """Return one row per gene: status, level, spread, influence, and which sensitivities leave it out."""
    used, weight = status == "used", np.array(chosen.weights)
    full, without = composite.mean_over_genes(z, used, weight), composite.without_each_gene(z, used, weight)
    influence, correlation = np.full(len(used), np.nan), np.full(len(used), np.nan)
    if used.sum() > 1:
        influence[used] = np.nanmax(np.abs(without - full), axis=1)
        complete = ~np.isnan(full) & ~np.isnan(without).any(axis=0)
        correlation[used] = composite.correlation_with(without[:, complete], full[complete])
    mean, deviation = _moments(values)
    present = status != "absent"
    name = dict(zip(table.genes, table.identifiers, strict=True))
    return _frame(
        {
            "gene": list(chosen.genes),
            "component": list(chosen.components),
            "weight": weight,
            "status": status,
            "identifier": [name.get(gene) for gene in chosen.genes],
            "mean_log2": np.where(present, mean, np.nan),
            "sd_log2": np.where(present, deviation, np.nan),
            "floored_share": np.where(present, floored.mean(axis=1), np.nan),
            "influence": influence,
            "correlation_without": correlation,
        }
        | {name: _where(filters[f"ctra_{rule}"], present) for name, rule in FILTERS.items()}
    )


def _where(flags: np.ndarray, present: np.ndarray) -> list[bool | None]:
    return [bool(flag) if here else None for flag, here in zip(flags, present, strict=True)]


def _frame(columns: dict[str, object]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns)
