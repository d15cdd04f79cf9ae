"""Tables of the laboratory: the sheet of blood samples and the values of assays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.errors import InputError, listing
from pniflow.study.fields import Field
from pniflow.study.linkage import named, sessions_of
from pniflow.study.rawtables import inside, numbers, read_raw

if TYPE_CHECKING:
    import pandas as pd

_LIMITS = ("", "LOD", "LOQ", "LLOD", "LLOQ")  # what may stand behind '<' in place of the limit itself


def read_samples(study: Mapping[str, Any], data: Path) -> pd.DataFrame:
    """Read the sample sheet; `attrs['rows']` holds each sample's row in the file.

    The session may lie in several columns, whose values are joined by '-'. Further columns that the study
    names stand behind; a sample it excludes has the reason in the column `excluded`.
    """
    import pandas as pd

    if "expression" not in study:
        return pd.DataFrame(
            {name: pd.Series(dtype="str") for name in ("sample_id", "participant_id", "session_id", "batch")}
        )
    rules = study["expression"]
    columns = rules["columns"]
    table = read_raw(inside(data, rules["samples"], "expression.samples"), rules["samples"])
    several = columns["session"] if isinstance(columns["session"], list) else [columns["session"]]
    place = "expression.columns"
    positions = {"sample_id": table.position(columns["sample"], f"{place}.sample")}
    positions |= {"participant_id": table.position(columns["participant"], f"{place}.participant")}
    positions |= {
        f"\0{number}": table.position(column, f"{place}.session") for number, column in enumerate(several)
    }
    if "batch" in columns:
        positions["batch"] = table.position(columns["batch"], f"{place}.batch")
    further = _further(columns["further"], f"{place}.further")
    positions |= {name: table.position(column, f"{place}.further.{name}") for name, column in further.items()}
    frame = table.columns(positions)
    if frame.empty:
        raise InputError(f"{table.name}: the sample sheet has no rows.")
    named(frame["participant_id"], table, columns["participant"])
    blank = frame["sample_id"] == ""
    if blank.any():
        raise InputError(
            f"{table.name}: row {blank.idxmax()}, column '{columns['sample']}' is blank; every sample needs "
            "a name."
        )
    again = frame["sample_id"].duplicated()
    if again.any():
        raise InputError(
            f"{table.name}: row {again.idxmax()} repeats the sample '{frame['sample_id'][again].iloc[0]}'; "
            "each stands once."
        )
    joined = (
        frame["\0000"]
        if len(several) == 1
        else frame[[f"\0{n}" for n in range(len(several))]].agg("-".join, axis=1).astype("str")
    )
    frame["session_id"] = sessions_of(
        joined, rules["session_codes"], study, table.name, "expression.session_codes"
    )
    if "batch" not in frame:
        frame["batch"] = ""
    _refuse_dates(frame, further, table.name)
    names = ["batch", *further]
    frame[names] = frame[names].where(frame[names] != "")
    result = frame[["sample_id", "participant_id", "session_id", "batch", *further]]
    if rules["exclude"]:
        result = result.assign(excluded=_excluded(frame["sample_id"], rules["exclude"], table.name))
    rows = list(result.index)
    result = result.reset_index(drop=True)
    result.attrs["rows"] = rows
    return result


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


def _refuse_dates(frame: pd.DataFrame, further: Mapping[str, str], source: str) -> None:
    for name, column in further.items():
        dated = frame[name].str.fullmatch(_DATE)
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


def read_assays(study: Mapping[str, Any], data: Path) -> pd.DataFrame:
    """Read all assays' values; the column `row` is the row in the file."""
    import pandas as pd

    parts = [_assay(name, rule, study, data) for name, rule in study["assays"].items()]
    names = (
        "participant_id",
        "session_id",
        "assay",
        "value",
        "unit",
        "detection_limit",
        "below_limit",
        "batch",
        "row",
    )
    if not parts:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in names})
    return pd.concat(parts, ignore_index=True)[list(names)]


def _assay(name: str, rule: Mapping[str, Any], study: Mapping[str, Any], data: Path) -> pd.DataFrame:
    """Read one assay; below the limit are '<0.5', '<LOD' and numbers smaller than the declared limit."""
    columns, key = rule["columns"], f"assays.{name}"
    table = read_raw(inside(data, rule["file"], f"{key}.file"), rule["file"])
    positions = {new: table.position(columns[old], f"{key}.columns.{old}")
                 for new, old in {"participant_id": "participant", "session_id": "session", "value": "value",
                 "batch": "batch"}.items() if old in columns}  # fmt: skip
    frame = table.columns(positions)
    if frame.empty:
        raise InputError(f"{table.name}: the table has no rows.")
    named(frame["participant_id"], table, columns["participant"])
    frame["session_id"] = sessions_of(
        frame["session_id"], rule["session_codes"], study, table.name, f"{key}.session_codes"
    )
    text = frame["value"].where(~frame["value"].isin(list(rule["missing_codes"])), "")
    marked = text.str.startswith("<").to_numpy(dtype=bool)
    declared = rule["detection_limit"] if rule["detection_limit"] is not None else np.nan
    bare = text.str.removeprefix("<").str.strip()
    plain = marked & bare.str.upper().isin(_LIMITS).to_numpy() & np.isfinite(declared)
    values, wrong = numbers(bare.where(~plain, str(declared)))
    wrong |= marked & np.isnan(values)
    if wrong.any():
        cells = listing(
            [f"row {row} '{cell}'" if len(cell) <= 12 else f"row {row}" for row, cell in text[wrong].items()]
        )
        raise InputError(
            f"{table.name}: the column '{columns['value']}' ({key}) has {cells}; numbers, '<limit' or blank "
            "were expected: write a value below the limit as <0.5, or as <LOD with detection_limit in "
            "study.yaml, and declare other words under missing_codes."
        )
    negative = values < 0
    if negative.any():
        cells = listing(
            [
                f"row {row} ({value:g})"
                for row, value in zip(frame.index[negative], values[negative], strict=True)
            ]
        )
        raise InputError(
            f"{table.name}: the column '{columns['value']}' ({key}) is negative in {cells}; declare it as a "
            "missing code."
        )
    limit = np.where(marked, values, declared)
    return pd_frame(frame, name, rule["unit"], np.where(marked, np.nan, values), limit, marked)


def pd_frame(frame: pd.DataFrame, name: str, unit: str, values: Any, limit: Any, marked: Any) -> pd.DataFrame:
    """Return an assay's rows in the contract's columns."""
    batch = frame["batch"].where(frame["batch"] != "") if "batch" in frame else None
    return frame.assign(
        assay=name,
        value=values,
        unit=unit,
        detection_limit=limit,
        below_limit=marked | (values < limit),
        batch=batch,
        row=frame.index,
    ).reset_index(drop=True)
