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
        {name: _covariate(about, "Covariate") for name, about in study["covariates"].items()}
    )
    for name, about in study["exposures"].items():
        tables["sessions"]["Columns"][name] = _covariate(about, "Exposure")
        if "flag" in about:
            tables["sessions"]["Columns"][f"{name}_flag"] = _flag(name, about["flag"])
    kinds = measures.drop_duplicates("measure").sort_values("measure")
    tables["measures"]["Columns"]["measure"]["Levels"] = {
        row.measure: f"{row.domain}, {row.unit if isinstance(row.unit, str) else 'no unit'}"
        for row in kinds.itertuples()
    }
    return tables


def dictionary_table(words: Mapping[str, Any]) -> pd.DataFrame:
    """Return the dictionary as a table: a row per table and column."""
    import pandas as pd

    rows = [
        (
            table,
            column,
            about["Description"],
            about["Type"],
            about.get("Units"),
            "; ".join(f"{level}: {meaning}" for level, meaning in about.get("Levels", {}).items()) or None,
        )
        for table, content in words.items()
        for column, about in content["Columns"].items()
    ]
    return pd.DataFrame(rows, columns=["table", "column", "description", "type", "unit", "levels"])


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


def _covariate(about: Mapping[str, Any], kind: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "Description": f"{kind}, field {about['field']} of the records.",
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


def _flag(name: str, rule: Mapping[str, Any]) -> dict[str, Any]:
    words = [
        f"{key} {', '.join(map(str, value)) if key == 'levels' else value}" for key, value in rule.items()
    ]
    levels = {"yes": " or ".join(words), "no": "none of these"}
    return {"Description": f"Flag of {name} by the rule in study.yaml.", "Type": "string", "Levels": levels}
