"""Covariates, their levels and codes for missing, guessed by the names of fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from pniflow.errors import repeated
from pniflow.raw.text_tables import RawTable, numbers
from pniflow.study.fields import Field

# Covariate -> what its field is called.
_COVARIATES = {
    "age": r"^(age|alter)(_|$)",
    "sex": r"^(sex|gender|geschlecht)(_|$)",
    "bmi": r"^bmi(_|$)|body_mass",
    "edss": r"(^|_)edss(_|$)",
    "b_cell_depletion": r"b_?cell|anti_?cd20|ocreliz|rituxi",
    "education": r"^educ|^bildung",
    "smoking": r"^smok|tobacco|^rauch",
    "site": r"^(site|centre|center)(_|$)",
    "arm": r"^(arm|group|gruppe|condition|randomi[sz]ation)(_|$)",
    "completed_course": r"complete[d]?_(course|program|study)|(course|program|study)_complete[d]?",
}
_UNITS = {"age": "years", "bmi": "kg/m2"}
_ABSENT = re.compile(
    r"refus|unknown|don.?t know|not (asked|applicable|recorded|known)|missing|no answer|n/?a\b", re.I
)


def guess_covariates(fields: Mapping[str, Field]) -> dict[str, dict[str, Any]]:
    """Guess covariates by the names of fields that may leave ingestion."""
    found: dict[str, dict[str, Any]] = {}
    for name, shape in _COVARIATES.items():
        for one in fields.values():
            if one.refusal or one.kind == "checkbox" or not re.search(shape, one.name.lower()):
                continue
            rule: dict[str, Any] = {"field": one.name}
            choices = {code: label for code, label in one.choices.items() if not _ABSENT.search(label)}
            if choices:
                rule["coding"] = levels(choices)
            elif name in _UNITS:
                rule["unit"] = _UNITS[name]
            found[name] = rule
            break
    return found


def levels(choices: Mapping[str, str]) -> dict[str, str]:
    """Return code -> level: the label's words in small letters, joined by `_`; abbreviations stay (MBSR).

    Labels that would give the same level keep their code.
    """
    shouted = all(label.isupper() or not label.isalpha() for label in choices.values())
    result = {}
    for code, label in choices.items():
        short = len(re.findall(r"[A-Z]", label)) > 1 and not (
            shouted and label.lower() in ("yes", "no", "ja", "nein")
        )
        words = re.findall(r"[A-Za-z0-9]+", label)
        kept = [
            word if short and len(word) > 1 and not word[1:].islower() else word.lower() for word in words
        ]
        result[code] = "_".join(kept)[:30].strip("_") or code
    again = repeated(list(result.values()))
    return {code: f"{level}_{code}" if level in again else level for code, level in result.items()}


def guess_missing_codes(table: RawTable, fields: Mapping[str, Field]) -> dict[str, str]:
    """Guess missing codes: choices that say so, and negative codes in items and validated numbers."""
    found: dict[str, str] = {}
    for one in fields.values():
        for code, label in one.choices.items():
            if one.kind in ("radio", "dropdown") and code.startswith("-") and _ABSENT.search(label):
                found.setdefault(code, label.lower())
    checked = [
        one.name
        for one in fields.values()
        if one.name in table.header
        and (one.kind in ("radio", "dropdown") or one.validation in ("integer", "number"))
    ]
    frame = table.columns({name: table.header.index(name) for name in checked})
    for name in checked:
        values, _ = numbers(frame[name])
        for value in np.unique(values[values < 0]):
            text = f"{value:g}"
            if text not in fields[name].choices:
                found.setdefault(text, "not stated")
    return dict(sorted(found.items()))
