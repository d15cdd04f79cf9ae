"""The data dictionary: what every column of every table means, after the form of BIDS sidecars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pniflow import contracts
from pniflow.resources import shipped

if TYPE_CHECKING:
    import pandas as pd


def dictionary(study: Mapping[str, Any], measures: pd.DataFrame) -> dict[str, Any]:
    """Describe every table that has a contract, column by column.

    Parameters
    ----------
    study : mapping
        The study description: its covariates and sessions.
    measures : DataFrame
        The measures there are, with unit and domain.

    Returns
    -------
    dict
        Table -> {"Description", "Columns": column -> {Description, Type, Units, Levels} as in BIDS}.
    """
    names = sorted(path.name.removesuffix(".table.yaml") for path in shipped("schemas").glob("*.table.yaml"))
    tables = {name: _table(contracts.contract(name)) for name in names}
    sessions = {name: about.get("label", name) for name, about in study["sessions"].items()}
    for table in tables.values():
        if table["Columns"].get("session_id"):
            table["Columns"]["session_id"]["Levels"] = sessions
    tables["participants"]["Columns"].update(
        {name: _covariate(about) for name, about in study["covariates"].items()}
    )
    about = measures.drop_duplicates("measure").sort_values("measure")
    tables["measures"]["Columns"]["measure"]["Levels"] = {
        row.measure: f"{row.domain}, {row.unit if isinstance(row.unit, str) else 'no unit'}"
        for row in about.itertuples()
    }
    return tables


def _table(contract: Mapping[str, Any]) -> dict[str, Any]:
    columns = {}
    for field in contract["fields"]:
        entry = {"Description": field["description"], "Type": field["type"]}
        if "unit" in field:
            entry["Units"] = field["unit"]
        if "enum" in field.get("constraints", {}):
            entry["Levels"] = {str(level): str(level) for level in field["constraints"]["enum"]}
        columns[field["name"]] = entry
    return {"Description": contract["description"], "Columns": columns}


def _covariate(about: Mapping[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "Description": f"Covariate, field {about['field']} of the records.",
        "Type": "number",
    }
    if "unit" in about:
        entry["Units"] = about["unit"]
    if "coding" in about:
        entry |= {
            "Type": "string",
            "Levels": {level: f"code {code}" for code, level in about["coding"].items()},
        }
    return entry
