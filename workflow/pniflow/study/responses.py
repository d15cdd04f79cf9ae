"""Item responses: from the fields of the records to one row per item, in the instrument's own coding."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pniflow.errors import InputError, listing
from pniflow.questionnaires.keys import Key, recoded
from pniflow.questionnaires.response_matrices import refuse_out_of_range, reverse
from pniflow.questionnaires.score_questionnaires import score_scale
from pniflow.study.rawtables import numbers
from pniflow.study.records import Records
from pniflow.study.sources import Sources

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("participant_id", "session_id", "instrument", "item", "value", "missing_reason")


def item_fields(rule: Mapping[str, Any], key: Key) -> list[str]:
    """Return the names of an instrument's item fields, in the order of its items."""
    given = rule["fields"]
    if isinstance(given, list):
        names = [str(name) for name in given]
    elif place := re.search(r"\{item(?::0([1-9]))?\}", given):
        width = int(place[1] or 1)
        names = [given.replace(place[0], f"{item:0{width}}") for item in range(1, key.items + 1)]
    else:
        names = [given]
    if len(names) != key.items:
        raise InputError(
            f"study.yaml: instruments.{key.name}.fields gives {len(names)} fields, but the "
            f"instrument has {key.items} items; "
            "write {item} for the item's number ({item:02} for 01, 02, ...), or list one field per item."
        )
    return names


def responses_of(sources: Sources, study: Mapping[str, Any], keys: Mapping[str, Key]) -> pd.DataFrame:
    """Return all item responses, one row per item and participant-session, ordered by instrument.

    Parameters
    ----------
    sources : Sources
        The study's records.
    study : dict
        The checked study.yaml.
    keys : dict
        Instrument -> its key.

    Raises
    ------
    InputError
        A response is no number, outside the instrument's range, or its coding is not the instrument's.
    """
    import pandas as pd

    parts = []
    for name, rule in study["instruments"].items():
        fields = item_fields(rule, keys[name])
        refuse_incomplete(sources, fields, name)
        holder = sources.holding(*fields)
        total = [rule["total"]] if "total" in rule and rule["total"] in holder.cells else []
        records = holder.per_session(list(dict.fromkeys([*fields, *total])))
        require_coding(records, fields, rule, keys[name])
        values = item_values(records, fields, rule, keys[name])
        if total:
            compare_total(values, records, total[0], keys[name])
        parts.append(_long(values, records, fields, keys[name], study))
    if not parts:
        return pd.DataFrame({column: pd.Series(dtype="str") for column in COLUMNS})
    return pd.concat(parts, ignore_index=True)


def refuse_incomplete(sources: Sources, fields: list[str], name: str) -> None:
    """Refuse a table with some of an instrument's items: the others would pass for not answered."""
    for one in sources.records:
        absent = [field for field in fields if field not in one.cells]
        if absent and len(absent) < len(fields):
            raise InputError(
                f"{one.source}: the table has items of instruments.{name}, but not {listing(absent)}; "
                "correct the column's name, or put all of its items into one table."
            )


def item_values(
    records: Records, fields: list[str], rule: Mapping[str, Any], key: Key
) -> NDArray[np.float64]:
    """Return responses as a matrix in the instrument's coding.

    Returns
    -------
    ndarray, shape (participant-sessions, items)
        NaN where not answered.
    """
    codes = {str(text): str(number) for text, number in rule.get("codes", {}).items()}
    values = np.full((len(records.participant), len(fields)), np.nan)
    wrong: list[tuple[int, int]] = []
    for place, name in enumerate(fields):
        text = records.cells[name]
        values[:, place], bad = numbers(
            text.map(lambda cell: codes.get(cell, cell)).astype("str") if codes else text
        )
        wrong += [(int(row), place) for row in np.flatnonzero(bad)]
    if wrong:
        cells = [
            f"{records.where(row)} item {place + 1}{_shown(records, fields[place], row)}"
            for row, place in wrong
        ]
        raise InputError(
            f"{records.source}: responses to {key.name} are numbers, but not for {listing(cells)}; declare "
            f"the code under missing_codes, or words under instruments.{key.name}.codes."
        )
    values += rule["offset"]
    bad_rows = np.isfinite(values) & ((values < key.low) | (values > key.high) | (values % 1 != 0))
    who = [records.where(row) if hit else "" for row, hit in enumerate(bad_rows.any(axis=1))]
    refuse_out_of_range(values, key, records.source, who)
    return recoded(values, key, rule.get("response_coding"), f"instruments.{key.name}")


def _shown(records: Records, field: str, row: int) -> str:
    cell = records.cells[field].iloc[row]
    known = records.fields[field].choices or len(cell) <= 5
    return f" = '{cell}'" if known else " (text that is not repeated here)"


def require_coding(records: Records, fields: list[str], rule: Mapping[str, Any], key: Key) -> None:
    """Compare the dictionary's choices with the instrument's range, the same for every item."""
    spans: dict[tuple[float, float], list[str]] = {}
    for name in fields:
        codes = [float(code) for code in records.fields[name].choices if _plain_number(code)]
        inside = [code for code in codes if abs(code) < 20] or codes
        if records.fields[name].choices and inside:
            spans.setdefault((min(inside), max(inside)), []).append(name)
    if len(spans) > 1:
        words = "; ".join(
            f"{low:g} to {high:g} for {listing(names, 5)}" for (low, high), names in spans.items()
        )
        raise InputError(
            f"study.yaml: the items of instruments.{key.name} are coded differently in the data dictionary "
            f"({words}); recode them in the export so that all items have one coding."
        )
    for low, high in spans:
        shift = key.low - low
        if low + rule["offset"] < key.low or high + rule["offset"] > key.high:
            fits = high + shift == key.high
            advice = (
                f"set instruments.{key.name}.offset to {shift:g}"
                if fits
                else "check that it is this instrument"
            )
            raise InputError(
                f"study.yaml: the data dictionary codes the items of instruments.{key.name} from {low:g} to "
                f"{high:g}, but the instrument goes from {key.low:g} to {key.high:g}; {advice}."
            )


def _plain_number(text: str) -> bool:
    return text.lstrip("+-").replace(".", "", 1).isdigit()


def compare_total(values: NDArray[np.float64], records: Records, field: str, key: Key) -> None:
    """Compare the total that REDCap calculated with the total recomputed, where every item was answered."""
    scale = next((scale for scale in key.scales if scale.name == key.name), None)
    if scale is None:
        raise InputError(
            f"study.yaml: instruments.{key.name}.total is given, but {key.name} has no total score."
        )
    ours, answered = score_scale(reverse(values, key), scale, key.minimum_share)
    theirs, _ = records.numeric(field)
    differs = (answered == len(scale.items)) & np.isfinite(theirs) & ~(np.abs(ours - theirs) < 0.005)
    if differs.any():
        rows = np.flatnonzero(differs)
        cells = [f"{records.where(int(row))} {theirs[row]:g} (here {ours[row]:g})" for row in rows]
        raise InputError(
            f"{records.source}: the calculated field '{field}' is not the total of {key.name} for "
            f"{listing(cells)}; correct the calculation or the fields, or remove "
            f"instruments.{key.name}.total."
        )


def _long(
    values: NDArray[np.float64], records: Records, fields: list[str], key: Key, study: Mapping[str, Any]
) -> pd.DataFrame:
    import pandas as pd

    places = {name: place for place, name in enumerate(study["sessions"])}
    keys = pd.DataFrame(
        {"participant": records.participant.to_numpy(), "place": records.session.map(places).to_numpy()}
    )
    order = keys.sort_values(["participant", "place"], kind="stable").index.to_numpy()
    count = values.shape[1]
    repeated = np.repeat(order, count)
    reasons = pd.Series(pd.NA, index=range(len(repeated)), dtype="str")
    for place, name in enumerate(fields):
        if name in records.reasons:
            given = records.reasons[name].iloc[order].reset_index(drop=True)
            reasons.iloc[place::count] = given.where(given != "").to_numpy()
    return pd.DataFrame(
        {
            "participant_id": records.participant.iloc[repeated].reset_index(drop=True),
            "session_id": records.session.iloc[repeated].reset_index(drop=True),
            "instrument": pd.Series([key.name], dtype="str")
            .iloc[np.zeros(len(repeated), dtype=int)]
            .reset_index(drop=True),
            "item": np.tile(np.arange(1, count + 1), len(order)),
            "value": values[order].ravel(),
            "missing_reason": reasons,
        }
    )
