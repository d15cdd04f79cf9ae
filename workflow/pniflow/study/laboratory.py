"""Tables of the laboratory: the sheet of blood samples and the values of assays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pniflow.errors import InputError, listing, shown
from pniflow.raw.text_tables import inside, numbers, read_raw
from pniflow.study.covariates import DOUBTFUL, customary_codes, is_code
from pniflow.study.fields import Field
from pniflow.study.layouts import Layout, read_rows
from pniflow.study.records import Records

if TYPE_CHECKING:
    import pandas as pd

_LIMITS = ("", "LOD", "LOQ", "LLOD", "LLOQ")  # what may stand behind '<' in place of the limit itself


def read_sheets(study: Mapping[str, Any], data: Path) -> dict[str, Records]:
    """Read the sample sheet and the assays' tables: `expression` and `assays.<name>` -> its records."""
    sheets = {}
    if "expression" in study:
        rules = study["expression"]
        further = _further(rules["columns"]["further"], "expression.columns.further")
        names = [*(one for one in ("sample", "batch") if one in rules["columns"])]
        wanted = {rules["columns"][one]: f"expression.columns.{one}" for one in names}
        wanted |= {column: f"expression.columns.further.{name}" for name, column in further.items()}
        sheets["expression"] = _sheet("expression", rules | {"file": rules["samples"]}, wanted, study, data)
    for name, rule in study["assays"].items():
        key = f"assays.{name}"
        names = [one for one in ("value", "batch") if one in rule["columns"]]
        wanted = {rule["columns"][one]: f"{key}.columns.{one}" for one in names}
        sheets[key] = _sheet(key, rule, wanted, study, data)
    return sheets


def _sheet(
    key: str, rule: Mapping[str, Any], wanted: Mapping[str, str], study: Mapping[str, Any], data: Path
) -> Records:
    layout = Layout(
        file=rule["file"],
        key=key,
        id=rule["columns"]["participant"],
        session=rule["columns"]["session"],
        codes=rule["session_codes"],
        missing=rule.get("missing_codes"),
        repeats=True,
        laboratory=True,
    )
    return read_rows(layout, read_raw(inside(data, rule["file"], f"{key}.file"), rule["file"]), study, wanted)


def samples_of(sheets: Mapping[str, Records], study: Mapping[str, Any]) -> pd.DataFrame:
    """Return the blood samples.

    Further columns that the study names stand behind; a sample it excludes has the reason in the column
    `excluded`, and so has one of a person, row or wave that it leaves out.
    """
    import pandas as pd

    names = ["sample_id", "participant_id", "session_id", "batch"]
    if "expression" not in sheets:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in names})
    rules, records = study["expression"], sheets["expression"]
    further = rules["columns"]["further"]
    _refuse_dates(records.cells, further, records.source)
    frame = _sample_rows(records.participant, records.session, records.cells, rules["columns"])
    reasons = frame["sample_id"].map(dict(rules["exclude"]))
    left = [
        _sample_rows(one.participant, one.session, one.cells, rules["columns"]).assign(excluded=one.reason)
        for one in records.aside
    ]
    frame = pd.concat([frame.assign(excluded=reasons), *left]).sort_index()
    _refuse_samples(frame, rules, records.source)
    frame[names[1:]] = frame[names[1:]].where(frame[names[1:]] != "")
    frame[list(further)] = frame[list(further)].where(frame[list(further)] != "")
    if not rules["exclude"] and frame["excluded"].isna().all():
        frame = frame.drop(columns="excluded")
    return frame.reset_index(drop=True)


def _sample_rows(
    participant: pd.Series, session: pd.Series, cells: pd.DataFrame, columns: Mapping[str, Any]
) -> pd.DataFrame:
    import pandas as pd

    frame = {"sample_id": cells[columns["sample"]], "participant_id": participant, "session_id": session}
    frame["batch"] = cells[columns["batch"]] if "batch" in columns else session.map(lambda _: "")
    frame |= {name: cells[column] for name, column in columns["further"].items()}
    return pd.DataFrame(frame, dtype="str")


def _refuse_samples(frame: pd.DataFrame, rules: Mapping[str, Any], source: str) -> None:
    """Refuse a sample without a name, one that stands twice, and an exclusion of one that does not exist."""
    blank = frame["sample_id"] == ""
    if blank.any():
        raise InputError(
            f"{source}: row {blank.idxmax()}, column '{rules['columns']['sample']}' is blank; every sample "
            "needs a name."
        )
    again = frame["sample_id"].duplicated()
    if again.any():
        raise InputError(
            f"{source}: row {again.idxmax()} repeats the sample {shown(frame['sample_id'][again].iloc[0])}; "
            "each stands once."
        )
    unknown = sorted(set(rules["exclude"]) - set(frame["sample_id"]))
    if unknown:
        raise InputError(
            f"study.yaml: expression.exclude names the sample {listing(unknown)}, which {source} does not "
            "have; correct its name."
        )


_DATE = r"\d{4}[-./]\d\d?[-./]\d\d?.*|\d\d?[-./]\d\d?[-./]\d{2,4}.*"
_OWN = ("sample_id", "participant_id", "session_id", "batch", "excluded")


def _further(columns: Mapping[str, str], place: str) -> Mapping[str, str]:
    """Return the further columns of the sample sheet; none may bear another column's name or hold persons."""
    for name, column in columns.items():
        if name in _OWN:
            raise InputError(f"study.yaml: {place} names a column '{name}', which the table of samples has.")
        if refusal := Field(column).refusal:
            raise InputError(
                f"study.yaml: {place}.{name} names the column '{column}', which {refusal}; it never leaves "
                "ingestion, so name another column or remove the key."
            )
    return columns


def _refuse_dates(cells: pd.DataFrame, further: Mapping[str, str], source: str) -> None:
    for name, column in further.items():
        dated = cells[column].str.fullmatch(_DATE)
        if dated.any():
            raise InputError(
                f"{source}: the column '{column}' (expression.columns.further.{name}) holds dates (row "
                f"{dated.idxmax()}); dates never leave ingestion, so name another column or remove the key."
            )


def _excluded(samples: pd.Series, reasons: Mapping[str, str], source: str) -> pd.Series:
    """Return the reason by sample; a sample that the sheet lacks is refused."""
    unknown = sorted(set(reasons) - set(samples))
    if unknown:
        raise InputError(
            f"study.yaml: expression.exclude names the sample {listing(unknown)}, which {source} does not "
            "have; correct its name."
        )
    return samples.map(dict(reasons))


def assays_of(sheets: Mapping[str, Records], study: Mapping[str, Any], notes: list[str]) -> pd.DataFrame:
    """Return all assays' values."""
    import pandas as pd

    parts = [_assay(name, rule, sheets[f"assays.{name}"], notes) for name, rule in study["assays"].items()]
    names = (
        "participant_id",
        "session_id",
        "assay",
        "value",
        "unit",
        "detection_limit",
        "below_limit",
        "batch",
    )
    if not parts:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in names})
    return pd.concat(parts, ignore_index=True)[list(names)]


def _assay(name: str, rule: Mapping[str, Any], records: Records, notes: list[str]) -> pd.DataFrame:
    """Read one assay; below the limit are '<0.5', '<LOD' and numbers smaller than the declared limit."""
    import pandas as pd

    key, column = f"assays.{name}", rule["columns"]["value"]
    text = records.cells[column]
    marked = text.str.startswith("<").to_numpy(dtype=bool)
    declared = rule["detection_limit"] if rule["detection_limit"] is not None else np.nan
    bare = text.str.removeprefix("<").str.strip()
    plain = marked & bare.str.upper().isin(_LIMITS).to_numpy() & np.isfinite(declared)
    values, wrong = numbers(bare.where(~plain, ""), records.decimal, f"{records.source}: column '{column}'")
    values[plain] = declared
    wrong |= marked & np.isnan(values)
    what = f"{records.source}: the column '{column}' ({key})"
    if wrong.any():
        cells = listing(
            [f"row {row} '{cell}'" if is_code(cell) else f"row {row}" for row, cell in text[wrong].items()]
        )
        raise InputError(
            f"{what} has {cells}; numbers, '<limit' or blank "
            "were expected: write a value below the limit as <0.5, or as <LOD with detection_limit in "
            "study.yaml, and declare other words under missing_codes."
        )
    if (values < 0).any():
        raise InputError(
            f"{what} is negative in {_rows(values < 0, values, text)}; declare it as a missing code."
        )
    low, high = rule.get("range", (-np.inf, np.inf))
    odd = (values < low) | (values > high) if "range" in rule else customary_codes(values)
    if odd.any():
        wanted = f"{low:g} to {high:g} was expected" if "range" in rule else "which labs write for missing"
        raise InputError(
            f"{what} is {_rows(odd, values, text)}, {wanted}; declare it under {key}.missing_codes, or "
            f"give {key}.range if it is a value."
        )
    doubtful = np.isin(values, DOUBTFUL) & (
        values > np.nanmax(np.append(values[~np.isin(values, DOUBTFUL)], 0))
    )
    if "range" not in rule and doubtful.any():
        notes.append(
            f"{what} is {_rows(doubtful, values, text)}, above all other values; if it stands for missing, "
            f"declare it under {key}.missing_codes, else give {key}.range."
        )
    batch = records.cells[rule["columns"]["batch"]] if "batch" in rule["columns"] else None
    frame = {
        "participant_id": records.participant,
        "session_id": records.session,
        "assay": name,
        "value": np.where(marked, np.nan, values),
        "unit": rule["unit"],
        "detection_limit": np.where(marked, values, declared),
        "below_limit": marked | (values < np.where(marked, values, declared)),
        "batch": None if batch is None else batch.where(batch != ""),
    }
    return pd.DataFrame(frame).reset_index(drop=True)


def _rows(hit: NDArray[np.bool_], values: NDArray[np.float64], text: pd.Series) -> str:
    """List rows of a file with their values."""
    return listing(
        [f"row {row} ({value:g})" for row, value in zip(text.index[hit], values[hit], strict=True)]
    )
