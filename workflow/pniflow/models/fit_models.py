"""A study's prespecified models: read, fitted, adjusted, written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pniflow.files import read_table, write_table
from pniflow.models import analysis, branches, multiplicity
from pniflow.models.design import read_cohort
from pniflow.models.inference import one_blas_thread
from pniflow.models.structure import Plan, read_models

if TYPE_CHECKING:
    import pandas as pd


def fit_models(
    *,
    measures: Path,
    participants: Path,
    models: Path,
    estimates: Path,
    sensitivity: Path | None = None,
    diagnostics: Path | None = None,
    resources: Path | None = None,
) -> None:
    """Fit the prespecified models of a study and adjust their tests within families.

    Parameters
    ----------
    measures : Path
        Tidy measures (contract measures).
    participants : Path
        Covariates of the participants (contract participants).
    models : Path
        Structured models (models.yaml).
    estimates : Path
        Written: the prespecified analysis (contract estimates).
    sensitivity : Path, optional
        Written: its variants (contract sensitivity).
    diagnostics : Path, optional
        Written: what was left out, family sizes, effect sizes, residuals, influence (contract diagnostics).
    resources : Path, optional
        Your own resources folder, for names of your own instruments and atlases.

    Raises
    ------
    InputError
        Bad input, in one sentence; nothing is written then.
    """
    plan = read_models(models)
    cohort = read_cohort(
        read_table(measures, "measures"),
        read_table(participants, "participants"),
        plan.reference,
        plan.days,
        str(measures),
    )
    with one_blas_thread():
        chosen, _ = branches.planned(plan, cohort, resources)
        rows = [row for model in chosen for row in analysis.result_rows(model, cohort, plan)]
        adjust_families(rows, plan)
    write_table(frame_of(rows, "estimates"), estimates, "estimates")


def adjust_families(rows: Sequence[dict[str, Any]], plan: Plan) -> dict[str, int]:
    """Fill in p_adjusted of the tested rows; return m of each family."""
    sizes = {}
    for name, family in plan.families.items():
        tested = [row for row in rows if row["family"] == name]
        p_values = [float(row.get("p_value", float("nan"))) for row in tested]
        for row, adjusted in zip(tested, multiplicity.adjust(p_values, family.adjust), strict=True):
            row["p_adjusted"] = adjusted
        if tested:
            sizes[name] = len(tested)
    return sizes


def frame_of(rows: Sequence[Mapping[str, Any]], contract: str) -> pd.DataFrame:
    """Return result rows as a table with the contract's columns; text blank where there is none."""
    import pandas as pd

    from pniflow.contracts import contract as read_contract

    fields = read_contract(contract)["fields"]
    dtypes = {"string": "str", "number": "float64", "integer": "Int64", "boolean": "boolean"}
    columns = {
        field["name"]: pd.Series([row.get(field["name"]) for row in rows], dtype=dtypes[field["type"]])
        for field in fields
    }
    return pd.DataFrame(columns)
