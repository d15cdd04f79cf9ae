"""A study's prespecified models: read, fitted, adjusted, written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pniflow import resources
from pniflow.contracts import write_table
from pniflow.mixed import adjust, one_blas_thread
from pniflow.models import clinical_change, planning, results
from pniflow.models import diagnostics as diagnosis
from pniflow.models.results import Row, frame_of
from pniflow.models.sensitivity import variants
from pniflow.models.sensitivity.refits import Sources
from pniflow.models.specification import Plan, read_models
from pniflow.models.study_data import read_cohort
from pniflow.tables import read


def fit_models(
    *,
    tables: Mapping[str, Path],
    models: Path,
    estimates: Path,
    sensitivity: Path | None = None,
    diagnostics: Path | None = None,
) -> None:
    """Fit the prespecified models of a study and adjust their tests within families.

    Parameters
    ----------
    tables : mapping of str to Path
        By the names of `pniflow.tables`: measures and participants; and what some sensitivity analyses need:
        excluded (qc_failed_included), scales (half_rule_off), samples (batch), assays (cortisol_censored).
    models : Path
        Structured models (models.yaml).
    estimates : Path
        Written: the prespecified analysis (contract estimates).
    sensitivity : Path, optional
        Written: its variants (contract sensitivity).
    diagnostics : Path, optional
        Written: what was left out, family sizes, effect sizes, residuals, influence (contract diagnostics).

    Raises
    ------
    InputError
        Bad input, in one sentence; nothing is written then.
    """
    plan = read_models(models)
    sources = Sources(**{name: read(path, name) for name, path in tables.items()})
    source = str(tables["measures"])
    cohort = read_cohort(sources.measures, sources.participants, plan.reference, plan.days, source)
    rows: list[Row] = []
    varied: list[Row] = []
    details: list[Row] = []
    with one_blas_thread():
        chosen, left_out = planning.planned(plan, cohort)
        analyses = []
        for model in chosen:
            own, fits = results.result_rows(model, cohort, plan)
            base = {(row["outcome"], row["term"]): row for row in own}
            analyses.append(variants.Prespecified(model, fits, base, cohort, plan, sources))
            rows += own
        adjust_families(rows, plan)
        if sensitivity or diagnostics:
            varied, details = _beside(analyses, rows, plan)
    write_table(frame_of(rows, "estimates"), estimates, "estimates")
    if sensitivity:
        write_table(frame_of(varied, "sensitivity"), sensitivity, "sensitivity")
    if diagnostics:
        details = [*diagnosis.left_out_rows(left_out), *diagnosis.family_rows(rows, plan), *details]
        if mine := resources.own():
            details.append({"table": "resources", "quantity": os.path.relpath(mine)})
        write_table(frame_of(details, "diagnostics"), diagnostics, "diagnostics")


def _beside(
    analyses: Sequence[variants.Prespecified], rows: Sequence[Row], plan: Plan
) -> tuple[list[Row], list[Row]]:
    """Return the rows of the sensitivity table and of the diagnostics table."""
    varied: list[Row] = []
    details: list[Row] = []
    for family in plan.families.values():
        more, remarks = variants.of_family(family, analyses, rows)
        varied += more
        details += remarks
    for analysis in analyses:
        details += diagnosis.row_counts(analysis.model, analysis.cohort)
        for fit in analysis.fits:
            details += diagnosis.effect_size_rows(fit, analysis.cohort)
            details += diagnosis.residual_rows(fit, analysis.cohort)
            details += clinical_change.reference_rows(fit, analysis.cohort, plan)
        more, remarks = variants.of_model(analysis)
        varied += more
        details += remarks
    return varied, details


def adjust_families(rows: Sequence[Row], plan: Plan) -> dict[str, int]:
    """Fill in p_adjusted of the tested rows; return m of each family."""
    sizes = {}
    for name, family in plan.families.items():
        tested = [row for row in rows if row["family"] == name]
        p_values = [float(row.get("p_value", float("nan"))) for row in tested]
        for row, adjusted in zip(tested, adjust(p_values, family.adjust), strict=True):
            row["p_adjusted"] = adjusted
        if tested:
            sizes[name] = len(tested)
    return sizes
