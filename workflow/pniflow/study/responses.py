"""Item responses: from the fields of the records to one row per item, in the instrument's own coding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pniflow.errors import InputError, listing
from pniflow.questionnaires.keys import Key, recoded
from pniflow.questionnaires.response_matrices import refuse_out_of_range, reverse
from pniflow.questionnaires.score_questionnaires import score_scale
from pniflow.raw.text_tables import numbers
from pniflow.study.codings import Coding, coding_of, number_of
from pniflow.study.covariates import is_code
from pniflow.study.records import Records
from pniflow.study.sources import Sources
from pniflow.study.suspicions import lost_waves, refuse_shifted

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("participant_id", "session_id", "instrument", "item", "value", "missing_reason")


def responses_of(
    sources: Sources, study: Mapping[str, Any], keys: Mapping[str, Key], notes: list[str]
) -> pd.DataFrame:
    """Return all item responses, one row per item and participant-session, ordered by instrument.

    Parameters
    ----------
    sources : Sources
        The study's records.
    study : dict
        The checked study.yaml.
    keys : dict
        Instrument -> its key.
    notes : list of str
        What is to be said without being wrong is added to it.

    Raises
    ------
    InputError
        A response is no number, outside the instrument's range, or its coding is not the instrument's; a
        session is not known, or is answered twice and differently.
    """
    import pandas as pd

    parts = []
    for name, rule in study["instruments"].items():
        answers = [
            _answers(rows, coding, rule, keys[name]) for rows, coding in sittings(sources, study, keys[name])
        ]
        waves = [(one.records, one.values, one.said) for one in answers]
        notes += refuse_shifted(waves, keys[name], len({one.records.source for one in answers}) > 1)
        if answers:
            parts.append(_long(_united(answers), keys[name], study))
        answered = [
            pd.DataFrame({"participant": one.records.participant, "session": one.records.session})[
                np.isfinite(one.values).any(axis=1)
            ]
            for one in answers
        ]
        nobody = pd.DataFrame({"participant": [], "session": []})
        notes += lost_waves(sources.records, pd.concat([nobody, *answered]), study, keys[name], keys)
    if not parts:
        return pd.DataFrame({column: pd.Series(dtype="str") for column in COLUMNS})
    # By column, so that all responses do not stand in memory twice.
    columns = {name: pd.concat([part.pop(name) for part in parts], ignore_index=True) for name in COLUMNS}
    return pd.DataFrame(columns, copy=False)


def sittings(sources: Sources, study: Mapping[str, Any], key: Key) -> Iterator[tuple[Records, Coding]]:
    """Yield the records with an instrument's items and how they stand there, by table and coding.

    Raises
    ------
    InputError
        A table has some of the items, values stand on rows without a session, or no table has the items.
    """
    rule = study["instruments"][key.name]
    found = False
    for one in sources.records:
        own = one.own.get(key.name, {})
        if own is None:
            continue
        sessions = [name for name in rule["sessions"] if (one.session == name).any()]
        usual = coding_of(rule, key, "", own, one.key)
        others = ~one.session.isin(sessions).to_numpy()
        groups = [(others, usual)] if others.any() or not sessions else []
        groups += [((one.session == name).to_numpy(), coding_of(rule, key, name, own, one.key))
                   for name in sessions]  # fmt: skip
        for rows, coding in groups:
            absent = [name for name in coding.fields if name not in one.cells]
            if len(absent) == len(coding.fields):
                continue
            if absent:
                raise InputError(
                    f"{one.source}: the table has items of {coding.place}, but not {listing(absent)}; "
                    "correct the column's name, or put all of its items into one table."
                )
            found = True
            fields = list(dict.fromkeys(coding.fields))
            total = [name for name in (rule.get("total"),) if name in one.cells and name not in fields]
            part = one.only([*fields, *total])
            part.at(rows).require_session(fields, coding.place)
            placed = part.at(rows & (one.session != "").to_numpy())
            if len(placed.participant):
                yield placed, coding
    if not found:
        raise InputError(
            f"study.yaml: instruments.{key.name} has its items in no table; correct the fields, or remove "
            "the instrument."
        )


@dataclass(frozen=True)
class _Answers:
    """Answers of one table to one instrument: values and reasons, shape (n, items)."""

    records: Records
    coding: Coding
    values: NDArray[np.float64]
    reasons: NDArray[np.object_]

    @property
    def said(self) -> bool:
        """True where codes are known: by the data dictionary, or said in study.yaml for this table."""
        choices = any(self.records.fields[name].choices for name in self.coding.fields)
        return choices or self.coding.own


def _answers(records: Records, coding: Coding, rule: Mapping[str, Any], key: Key) -> _Answers:
    if coding.missing:
        records = records.without_missing_codes(coding.missing)
    require_coding(records, coding, key)
    values = item_values(records, coding, key)
    total = rule.get("total")
    if total in records.cells:
        compare_total(values, records, str(total), key)
    reasons = np.full(values.shape, None, dtype=object)
    for place, name in enumerate(coding.fields):
        if name in records.reasons:
            why, words = records.reasons[name].factorize()
            reasons[:, place] = np.array([*(word or None for word in words), None], dtype=object)[why]
    return _Answers(records, coding, values, reasons)


def _united(parts: list[_Answers]) -> tuple[pd.DataFrame, NDArray[np.float64], NDArray[np.object_]]:
    """Unite the tables' answers: one row per participant-session; two different answers are refused."""
    import pandas as pd

    places = pd.DataFrame({
        "participant": pd.concat([one.records.participant for one in parts]).to_numpy(),
        "session": pd.concat([one.records.session for one in parts]).to_numpy(),
    })  # fmt: skip
    values = np.concatenate([one.values for one in parts])
    reasons = np.concatenate([one.reasons for one in parts])
    if not places.duplicated().any():
        return places, values, reasons
    order = places.groupby(["participant", "session"], sort=False).ngroup().to_numpy()
    united = np.full((order.max() + 1, values.shape[1]), np.nan)
    said = np.full(united.shape, None, dtype=object)
    whole: NDArray[Any]
    cells: NDArray[Any]
    for whole, cells in ((united, values), (said, reasons)):
        given = np.isfinite(values) if cells is values else reasons.astype(bool)
        # Written backwards, so that what stands first stays.
        row, item = (place[::-1] for place in np.nonzero(given))
        whole[order[row], item] = cells[row, item]
    said[np.isfinite(united)] = None
    differs = np.isfinite(values) & (values != united[order])
    if differs.any():
        _refuse_different(parts, differs)
    return places[~places.duplicated()].reset_index(drop=True), united, said


def _refuse_different(parts: list[_Answers], differs: NDArray[np.bool_]) -> None:
    rows = np.flatnonzero(differs.any(axis=1))
    item = int(differs[rows[0]].argmax())
    starts = np.cumsum([0, *(len(one.values) for one in parts)])
    words, field = [], ""
    for row in rows:
        at = int(np.searchsorted(starts, row, side="right")) - 1
        words.append(parts[at].records.where(int(row - starts[at])))
        field = field or parts[at].coding.fields[item]
    names = list(dict.fromkeys(one.records.source for one in parts))
    keys = list(dict.fromkeys(one.records.key for one in parts))
    raise InputError(
        f"{listing(names)}: the field '{field}' has two different values for {listing(words)}; correct the "
        f"records, say which row stays where a form was filled twice ({keys[-1]}.keep in study.yaml), or "
        "which tables hold the instrument (tables.N.instruments)."
    )


def item_values(records: Records, coding: Coding, key: Key) -> NDArray[np.float64]:
    """Return responses as a matrix in the instrument's coding.

    Returns
    -------
    ndarray, shape (participant-sessions, items)
        NaN where not answered.
    """
    values = np.full((len(records.participant), len(coding.fields)), np.nan)
    wrong: list[tuple[int, int]] = []
    for place, name in enumerate(coding.fields):
        text = records.cells[name]
        values[:, place], bad = numbers(text, records.decimal)
        if bad.any() or coding.codes:
            said = {cell: number_of(cell, coding) for cell in text.unique()}
            values[:, place], bad = numbers(text.map(said).astype("str"), records.decimal)
        wrong += [(int(row), place) for row in np.flatnonzero(bad)]
    if wrong:
        cells = [
            f"{records.where(row)} item {place + 1}{_shown(records, coding.fields[place], row)}"
            for row, place in wrong
        ]
        raise InputError(
            f"{records.source}: responses to {key.name} are numbers, but not for {listing(cells)}; declare "
            f"the code under missing_codes, or words under {coding.place}.codes."
        )
    values += coding.offset
    refuse_out_of_range(values, key, records.source, records.where)
    return recoded(values, key, coding.response or None, f"instruments.{key.name}")


def _shown(records: Records, field: str, row: int) -> str:
    cell = records.cells[field].iloc[row]
    known = cell in records.fields[field].choices or is_code(cell)
    return f" = '{cell}'" if known else " (text that is not repeated here)"


def require_coding(records: Records, coding: Coding, key: Key) -> None:
    """Compare the dictionary's choices with the instrument's range, the same for every item."""
    spans: dict[tuple[float, float], list[str]] = {}
    for one in (one for name in coding.fields for one in records.known(name)):
        codes = [float(code) for code in one.choices if _plain_number(code)]
        inside = [code for code in codes if abs(code) < 20] or codes
        if inside:
            spans.setdefault((min(inside), max(inside)), []).append(one.name)
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
        if low + coding.offset < key.low or high + coding.offset > key.high:
            fits = high + shift == key.high
            advice = f"set {coding.place}.offset to {shift:g}" if fits else "check that it is this instrument"
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
    united: tuple[pd.DataFrame, NDArray[np.float64], NDArray[np.object_]], key: Key, study: Mapping[str, Any]
) -> pd.DataFrame:
    import pandas as pd

    rows, values, reasons = united
    places = {name: place for place, name in enumerate(study["sessions"])}
    order = (
        rows.assign(place=rows["session"].map(places))
        .sort_values(["participant", "place"], kind="stable")
        .index.to_numpy()
    )
    count = values.shape[1]
    repeated = np.repeat(order, count)
    why, said = pd.factorize(reasons[order].ravel())
    return pd.DataFrame(
        {
            "participant_id": rows["participant"].iloc[repeated].reset_index(drop=True).astype("str"),
            "session_id": rows["session"].iloc[repeated].reset_index(drop=True).astype("str"),
            "instrument": pd.Series([key.name], dtype="str")
            .iloc[np.zeros(len(repeated), dtype=int)]
            .reset_index(drop=True),
            "item": np.tile(np.arange(1, count + 1), len(order)),
            "value": values[order].ravel(),
            "missing_reason": pd.Series([*said, None], dtype="str").iloc[why].reset_index(drop=True),
        }
    )
