"""Fields of a study's records: what the data dictionary says, and which may leave ingestion."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pniflow.errors import InputError, listing, nearest
from pniflow.raw.text_tables import RawTable, read_raw

if TYPE_CHECKING:
    import pandas as pd

# Column of the dictionary as downloaded -> as the programming interface calls it.
_COLUMNS = {
    "Variable / Field Name": "field_name",
    "Form Name": "form_name",
    "Field Type": "field_type",
    "Field Label": "field_label",
    "Choices, Calculations, OR Slider Labels": "select_choices_or_calculations",
    "Text Validation Type OR Show Slider Number": "text_validation_type_or_show_slider_number",
    "Text Validation Min": "text_validation_min",
    "Text Validation Max": "text_validation_max",
    "Identifier?": "identifier",
}
_CODED = {"radio", "dropdown", "checkbox", "yesno", "truefalse"}
_WITHOUT_DATA = {"descriptive"}
_PERSONAL = re.compile(
    r"\bname\b|phone|e-?mail|address|date of birth|birth ?date|\bdob\b|social security|\bssn\b|\bmrn\b"
    r"|medical record|insurance|zip ?code|post ?(al )?code|\binitials\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Field:
    """One field: its type, coded choices, validation and whether it identifies a person."""

    name: str
    kind: str = "plain"
    form: str = ""
    label: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    validation: str = ""
    low: float = -np.inf
    high: float = np.inf
    identifier: bool = False

    @property
    def refusal(self) -> str:
        """Say why the field may not leave ingestion; blank when it may."""
        if self.identifier:
            return "is flagged as an identifier in the data dictionary"
        if self.kind == "notes":
            return "holds free text"
        if self.kind in ("file", "signature", *_WITHOUT_DATA):
            return "holds no data (a file or a heading)"
        if self.is_date:
            return "holds dates"
        numeric = self.validation in ("", "integer", "time") or self.validation.startswith("number")
        if self.kind == "text" and not numeric:
            return f"holds text of the kind '{self.validation}'"
        words = f"{self.name.replace('_', ' ')} {self.label}"
        if self.kind in ("text", "plain") and _PERSONAL.search(words):
            return "identifies a person by its name or label"
        return ""

    @property
    def is_date(self) -> bool:
        """True for a field validated as a date."""
        return self.kind == "text" and self.validation.startswith("date")


def read_dictionary(path: Path, name: str) -> dict[str, Field]:
    """Read a REDCap data dictionary, as downloaded or as the programming interface gives it, in its order.

    Returns
    -------
    dict
        Field name -> Field; a checkbox is expanded to one field per choice (`meds___1`), as in exports.
    """
    table = read_raw(path, name)
    known = [_COLUMNS.get(column, column) for column in table.header]
    needed = [short for short in _COLUMNS.values() if short not in known]
    if needed:
        raise InputError(
            f"{name}: this is not a REDCap data dictionary; the column '{needed[0]}' is missing (download "
            "it again under Data Dictionary, as CSV)."
        )
    rows = table.columns({short: known.index(short) for short in _COLUMNS.values()})
    fields: dict[str, Field] = {}
    for place, cells in zip(rows.index, rows.to_numpy(dtype=object), strict=True):
        for one in _fields_of(dict(zip(rows.columns, cells, strict=True))):
            if one.name in fields:
                raise InputError(
                    f"{name}: row {place} defines the field '{one.name}' a second time; keep one."
                )
            fields[one.name] = one
    if not fields:
        raise InputError(f"{name}: the data dictionary has no fields.")
    return fields


def _fields_of(row: Mapping[str, str]) -> list[Field]:
    name, kind = row["field_name"], row["field_type"]
    choices: dict[str, str] = {}
    if kind in ("radio", "dropdown", "checkbox"):
        choices = parse_choices(row["select_choices_or_calculations"])
    elif kind == "yesno":
        choices = {"1": "Yes", "0": "No"}
    elif kind == "truefalse":
        choices = {"1": "True", "0": "False"}
    base = Field(
        name=name,
        kind=kind,
        form=row["form_name"],
        label=row["field_label"],
        choices=choices,
        validation=row["text_validation_type_or_show_slider_number"] if kind == "text" else "",
        low=_limit(row["text_validation_min"], -np.inf),
        high=_limit(row["text_validation_max"], np.inf),
        identifier=row["identifier"].lower() == "y",
    )
    if kind != "checkbox":
        return [base]
    expanded = []
    for code, label in choices.items():
        one = replace(
            base, name=f"{name}___{code.lower().replace('-', '_')}", label=f"{base.label} (choice={label})"
        )
        expanded.append(replace(one, choices={"1": "Checked", "0": "Unchecked"}))
    return expanded


def parse_choices(text: str) -> dict[str, str]:
    """Parse 'code, label | code, label': split at '|', then at the first comma."""
    pairs = (part.partition(",") for part in text.split("|") if part.strip())
    return {code.strip(): label.strip() for code, _, label in pairs}


def _limit(text: str, absent: float) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return absent


def check_export(header: RawTable, fields: Mapping[str, Field], dictionary: str) -> None:
    """Refuse an export with columns that the dictionary does not know: it is of another project state."""
    forms = {one.form for one in fields.values()}
    system = {f"{form}_{ending}" for form in forms for ending in ("complete", "timestamp", "return_code")}
    system |= {"redcap_survey_identifier"}
    unknown = [
        name
        for name in header.header
        if name not in fields
        and name not in system
        and not name.startswith("redcap_")
        and not _of_missing(name, fields)
    ]
    if unknown:
        raise InputError(
            f"{header.name}: the data dictionary {dictionary} does not know the columns {listing(unknown)}; "
            "export records and dictionary again on the same day."
        )


def _of_missing(name: str, fields: Mapping[str, Field]) -> bool:
    """True for the column of a checkbox's missing-data code (`meds____99`), which is no choice."""
    return any(
        one.kind == "checkbox" and name.startswith(one.name.split("___")[0] + "___")
        for one in fields.values()
    )


def require_allowed(names: Mapping[str, str], fields: Mapping[str, Field], source: str) -> None:
    """Refuse a named field that is absent from the dictionary or may not leave ingestion.

    Parameters
    ----------
    names : dict
        Field name -> where study.yaml names it.
    """
    absent = [name for name in names if name not in fields]
    if absent:
        more = f" ({len(absent)} such fields: {listing(absent)})" if len(absent) > 1 else ""
        raise InputError(
            f"study.yaml: {names[absent[0]]} names the field '{absent[0]}', which {source} does not "
            f"have{nearest(absent[0], fields)}{more}."
        )
    for name, key in names.items():
        if fields[name].refusal:
            raise InputError(
                f"study.yaml: {key} names the field '{name}', which {fields[name].refusal}; it never leaves "
                "ingestion, so name another field or remove the key."
            )


def outside(values: NDArray[np.float64], cells: pd.Series, one: Field) -> NDArray[np.bool_]:
    """True where a value is not among the field's codes, or not within the limits the dictionary gives."""
    wrong = (values < one.low) | (values > one.high)
    if one.kind in _CODED and one.choices:
        wrong |= ((cells != "") & ~cells.isin(list(one.choices))).to_numpy(dtype=bool)
    if one.validation == "integer":
        wrong |= np.isfinite(values) & (values % 1 != 0)
    return wrong
