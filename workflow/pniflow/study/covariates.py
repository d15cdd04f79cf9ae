"""Covariates and exposures, cast against the dictionary and the declared coding."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pniflow.errors import InputError, listing
from pniflow.study.fields import outside
from pniflow.study.records import Records

if TYPE_CHECKING:
    import pandas as pd

_CLOCK = r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?"
OLDEST = 89  # ages above are one group, as BIDS and the HIPAA safe harbour ask
CODES = (-9, -77, -88, -99, -777, -888, -999, -9999, 999, 9999)  # what labs write for missing
DOUBTFUL = (9.99, 77, 88, 99, 99.9, 99.99, 777, 888, 999, 999.9, 9998, 9999, 99999)  # may be values, too
_MISSING_WORDS = {
    "NI",
    "INV",
    "UNK",
    "NASK",
    "ASKU",
    "NAV",
    "MSK",
    "NA",
    "NAVU",
    "NP",
    "ND",
    "N/A",
    "N.A.",
    "N.D.",
    "K.A.",
    "NULL",
    "NONE",
    "NAN",
    ".",
}


def covariate_values(records: Records, name: str, rule: Mapping[str, Any]) -> pd.Series:
    """Return one value per participant: a level of the coding, or a number.

    Parameters
    ----------
    records : Records
        They hold the covariate's field.
    name : str
        The covariate, for sentences.
    rule : dict
        Its entry in study.yaml: field, coding, from, range.

    Returns
    -------
    Series
        Indexed by participant; participants without a value are not in it.
    """
    import pandas as pd

    at = rule.get("from")
    if at is not None and not ((records.event == at) | (records.session == at)).any():
        raise InputError(
            f"study.yaml: covariates.{name}.from is '{at}', but {records.source} has no such event or "
            "session."
        )
    one = records.time_constant(rule["field"], at)
    return pd.Series(
        cast(one, rule, f"covariates.{name}", name), index=one.participant.to_numpy(dtype=object)
    )


def cast(records: Records, rule: Mapping[str, Any], key: str, name: str) -> pd.Series | NDArray[Any]:
    """Cast one field to levels or numbers; up to ten cells that do not fit are named."""
    if "coding" in rule:
        return _levels(records, rule, key)
    if is_age(name, rule):
        # BIDS writes the oldest group as 89+.
        text = records.cells[rule["field"]].str.replace(r"^(?:>\s*)?(89|90)\s*\+?$", str(OLDEST), regex=True)
        records = replace(records, cells=records.cells.assign(**{rule["field"]: text}))
    values = _numbers(records, rule, key, name)
    if is_age(name, rule):
        values = np.where(values > OLDEST, OLDEST, values)
    return values


def is_age(name: str, rule: Mapping[str, Any]) -> bool:
    """True for a covariate that is an age in years."""
    return bool(re.match(r"age(_|$)", name)) and rule.get("unit", "years") in ("years", "year", "y", "a")


def _levels(records: Records, rule: Mapping[str, Any], key: str) -> NDArray[np.object_]:
    text, coding = records.cells[rule["field"]], rule["coding"]
    wrong = ((text != "") & ~text.isin(list(coding))).to_numpy(dtype=bool)
    if wrong.any():
        shown = bool(records.fields[rule["field"]].choices)
        raise InputError(
            f"{records.source}: the field '{rule['field']}' has the code "
            f"{_cells(records, text, wrong, shown)}; codes in {key}.coding of study.yaml are "
            f"{listing([repr(code) for code in coding], 20)}, so add it there or declare it missing."
        )
    return np.array([coding.get(code) for code in text], dtype=object)


def _numbers(records: Records, rule: Mapping[str, Any], key: str, name: str) -> NDArray[np.float64]:
    one = records.fields[rule["field"]]
    text = records.cells[rule["field"]]
    values, wrong = records.numeric(rule["field"])
    if wrong.any() and text.str.fullmatch(_CLOCK).where(text != "", True).all():
        values, wrong = hours(text), np.zeros(len(text), dtype=bool)
    if wrong.any():
        raise InputError(
            f"{records.source}: the field '{rule['field']}' ({key} in study.yaml) is numeric, but has "
            f"{_cells(records, text, wrong, shown=False)}; declare a missing code, or give a coding if it "
            "is categorical."
        )
    beyond = outside(values, text, one)
    low, high = rule.get("range", (one.low, one.high))
    unlimited = not np.isfinite([low, high]).any()
    if is_age(name, rule) and unlimited:
        low, high = 0, 120
    if "range" in rule or is_age(name, rule):
        beyond = (values < low) | (values > high)
    elif unlimited and "date" not in rule:
        beyond |= customary_codes(values)
    if beyond.any():
        limits = (
            f"{low:g} to {high:g}"
            if np.isfinite([low, high]).any()
            else listing(list(one.choices), 20)
            or ("whole numbers" if one.validation == "integer" else "numbers without customary missing codes")
        )
        raise InputError(
            f"{records.source}: the field '{rule['field']}' ({key} in study.yaml) has "
            f"{_cells(records, text, beyond, shown=True)}; expected were {limits}, so correct it, declare "
            "it missing, or give a range."
        )
    return values


def customary_codes(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """True for -99, 999 and the like where all other values lie elsewhere: negative, or twice as large."""
    codes = np.isin(values, CODES)
    others = values[~codes & np.isfinite(values)]
    if not len(others):
        return codes
    return np.asarray(codes & (((values < 0) & (others.min() >= 0)) | (values > 2 * others.max())))


def hours(text: pd.Series) -> NDArray[np.float64]:
    """Read times of day (8:30, 08:30:15) as hours since midnight."""
    import pandas as pd

    parts = text.str.extract(_CLOCK).apply(pd.to_numeric)
    return np.asarray(parts[0] + parts[1] / 60 + parts[2].fillna(0) / 3600, dtype=float).round(4)


def _cells(records: Records, text: pd.Series, wrong: NDArray[np.bool_], shown: bool) -> str:
    """List offending cells; text that could say who somebody is is not repeated."""
    rows = np.flatnonzero(wrong)
    words = []
    for row in rows[:10]:
        cell = text.iloc[row]
        plain = (shown and len(cell) <= 80) or is_code(cell)
        words.append(
            f"{cell!r} for {records.where(int(row))}"
            if plain
            else f"text (not repeated here) for {records.where(int(row))}"
        )
    return ", ".join(words) + (f" and {len(rows) - 10} more" if len(rows) > 10 else "")


def is_code(cell: str) -> bool:
    """True for a number or a word that programs write for missing: it says nothing about who somebody is."""
    return cell.upper() in _MISSING_WORDS or re.fullmatch(r"[<>]?\s*[+-]?[\d.,]{1,12}", cell) is not None


def flagged(values: pd.Series, rule: Mapping[str, Any]) -> pd.Series:
    """Apply an exposure's flag rule: yes, no, or blank where the exposure is missing."""
    flag = rule["flag"]
    hit = values.isin(flag.get("levels", []))
    if "below" in flag:
        hit |= values < flag["below"]
    if "above" in flag:
        hit |= values > flag["above"]
    return hit.map({True: "yes", False: "no"}).where(values.notna()).astype("str")
