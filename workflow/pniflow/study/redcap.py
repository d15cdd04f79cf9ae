"""A REDCap export: raw codes or labels; with events and arms, repeating, or classic and wide."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.errors import InputError, listing
from pniflow.study.dates import date_fields, with_study_days
from pniflow.study.fields import Field, check_export, read_dictionary, require_allowed
from pniflow.study.rawtables import RawTable, inside, read_raw
from pniflow.study.records import Records, affixes_of, wide_columns

if TYPE_CHECKING:
    import pandas as pd

EVENT, REPEAT, INSTANCE = "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance"
_SYSTEM = {
    "Event Name": EVENT,
    "Repeat Instrument": REPEAT,
    "Repeat Instance": INSTANCE,
    "Data Access Group": "redcap_data_access_group",
    "Survey Identifier": "redcap_survey_identifier",
}
_FORM_LABELS = ("Complete?", "Survey Timestamp")
ARM = "redcap_arm"


def read_redcap(
    study: Mapping[str, Any], data: Path, wanted: Mapping[str, str], partial: bool = False
) -> Records:
    """Read the named fields of an export.

    Parameters
    ----------
    study : dict
        The checked study.yaml.
    data : Path
        The data folder.
    wanted : dict
        Field name -> where study.yaml names it: the allow-list.
    partial : bool
        True where other tables may hold some of the fields.

    Returns
    -------
    Records
        One row per record and event (and repeat), the participant's id as text, the session blank for events
        without one, and the wanted fields' raw codes.
    """
    rules = study["redcap"]
    fields = read_dictionary(inside(data, rules["dictionary"], "redcap.dictionary"), rules["dictionary"])
    table = read_raw(inside(data, rules["export"], "redcap.export"), rules["export"])
    labelled = is_labelled(table.header, fields)
    if labelled:
        table = replace(table, header=tuple(names_of_labels(table.header, fields, table.name)))
    check_export(table, fields, rules["dictionary"])
    fields = _with_id(fields, rules["id"], bool(study["pseudonymize"]), rules["dictionary"])
    fields["redcap_data_access_group"] = Field("redcap_data_access_group", "radio", label="Data access group")
    dates, sessions = date_fields(study), affixes_of(rules)
    wide = wide_columns(dates | dict(wanted), sessions, fields, table.name)
    flat = {name: wanted[base] for name, (base, _) in wide.items() if base in wanted and base != ARM}
    if partial:
        flat = {name: key for name, key in flat.items() if name in fields}
    require_allowed(flat, fields, f"the data dictionary {rules['dictionary']}")
    days = {name: dates[base] for name, (base, _) in wide.items() if base in dates}
    _require_dates(days, fields, rules["dictionary"])
    flat |= days
    absent = [name for name in flat if name not in table.header]
    if absent:
        raise InputError(
            f"{table.name}: the fields {listing(absent)} ({flat[absent[0]]} in study.yaml) stand in the "
            "data dictionary but not in the export; export them too."
        )
    frame = _frame(table, rules["id"], flat)
    for name in flat:
        frame[name] = _codes(frame[name], fields[name], table.name, labelled)
    records = _placed(frame, study, table, fields, ARM in wanted)
    if sessions:
        records = records.from_wide(wide, sessions)
    records = records.without_missing_codes(rules["missing_codes"])
    return with_study_days(records, study) if "dates" in rules else records


def _require_dates(names: Mapping[str, str], fields: Mapping[str, Field], source: str) -> None:
    for name, key in names.items():
        if name not in fields or not fields[name].is_date:
            raise InputError(
                f"study.yaml: {key} is the field '{name}', which is no date by the data dictionary "
                f"{source}; name a field with a date validation."
            )


def _with_id(fields: dict[str, Field], name: str, pseudonymize: bool, source: str) -> dict[str, Field]:
    if name not in fields:
        raise InputError(
            f"{source}: there is no field '{name}' (redcap.id in study.yaml); the first is "
            f"'{next(iter(fields))}'."
        )
    if fields[name].identifier and not pseudonymize:
        raise InputError(
            f"study.yaml: redcap.id is the field '{name}', which is flagged as an identifier in the data "
            "dictionary; set pseudonymize to true, or name a field with a study number."
        )
    return dict(fields)


def _frame(table: RawTable, key: str, wanted: Iterable[str]) -> pd.DataFrame:
    names = {name: table.position(name, "wanted") for name in wanted}
    names |= {key: table.position(key, "redcap.id")}
    names |= {name: table.header.index(name) for name in (EVENT, REPEAT, INSTANCE) if name in table.header}
    frame = table.columns(names)
    if frame.empty:
        raise InputError(f"{table.name}: the export has no records.")
    blank = frame[key] == ""
    if blank.any():
        raise InputError(f"{table.name}: row {blank.idxmax()} has no {key}; every record needs one.")
    return frame


def is_labelled(header: Iterable[str], fields: Mapping[str, Field]) -> bool:
    """True when a header holds field labels instead of field names."""
    names = list(header)
    return sum(name in fields for name in names) < sum(
        name in {one.label for one in fields.values()} for name in names
    )


def names_of_labels(header: Iterable[str], fields: Mapping[str, Field], source: str) -> list[str]:
    """Translate a label export's header; labels may repeat, so they are matched in the dictionary's order.

    Raises
    ------
    InputError
        A label is not of the dictionary, or several fields share it and not all of them were exported.
    """
    labels = [_plain(label) for label in header]
    expected = _expected_labels(fields)
    counts = Counter(label for _, label in expected)
    names, place = [], 0
    for label in labels:
        if label in _SYSTEM:
            names.append(_SYSTEM[label])
            continue
        found = next((at for at in range(place, len(expected)) if expected[at][1] == label), None)
        several = label not in _FORM_LABELS and 1 < counts[label] != labels.count(label)
        if found is None or several:
            why = (
                f"is shared by {counts[label]} fields"
                if several
                else "is not the next field in the data dictionary"
            )
            raise InputError(
                f"{source}: this is an export with labels, and its column '{label[:60]}' {why}; export raw "
                "codes, or all fields with the dictionary of the same day."
            )
        names.append(expected[found][0])
        place = found + 1
    return names


def _expected_labels(fields: Mapping[str, Field]) -> list[tuple[str, str]]:
    """Return (name, label) of every column that a full label export has, in order."""
    expected: list[tuple[str, str]] = []
    form = None
    for one in fields.values():
        if form is not None and one.form != form:
            expected.append((f"{form}_complete", "Complete?"))
        if one.form != form:
            expected.append((f"{one.form}_timestamp", "Survey Timestamp"))
        form = one.form
        if one.kind != "descriptive":
            expected.append((one.name, _plain(one.label)))
    return [*expected, (f"{form}_complete", "Complete?")]


def _plain(label: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", label).split())


def _codes(cells: pd.Series, one: Field, source: str, labelled: bool) -> pd.Series:
    """Translate choice labels into codes; what is neither stays, and is judged later.

    In an export of raw codes a cell may still hold a label (re-entered by hand); there a code is a code
    first.
    """
    if not one.choices or (not labelled and bool(cells.isin(["", *one.choices]).all())):
        return cells
    back = {_plain(label): code for code, label in reversed(list(one.choices.items()))}
    if labelled and len(back) < len(one.choices):
        raise InputError(f"{source}: two choices of the field '{one.name}' share a label; export raw codes.")
    codes = {} if labelled else {code: code for code in one.choices}
    return cells.map(lambda cell: codes.get(cell) or back.get(_plain(cell), cell)).astype("str")


def unique_event_name(label: str) -> str:
    """Return REDCap's unique name of an event: 'Opt out of study (Arm 2: B)' -> opt_out_of_study_arm_2."""
    match = re.fullmatch(r"(.*?)\s*\(Arm (\d+)(?::.*)?\)", label)
    event, arm = match.groups() if match else (label, "1")
    return re.sub(r"[^a-z0-9]+", "_", event.lower()).strip("_")[:18].strip("_") + f"_arm_{arm}"


def _placed(
    frame: pd.DataFrame,
    study: Mapping[str, Any],
    table: RawTable,
    fields: Mapping[str, Field],
    with_arm: bool,
) -> Records:
    """Give every row its session, by its event or its repeat instance."""
    import pandas as pd

    rules = study["redcap"]
    events = _events(frame, rules, table.name)
    session = events.map({name: target or "" for name, target in rules["events"].items()}).astype("str")
    if EVENT not in frame:
        only = next(iter(study["sessions"])) if len(study["sessions"]) == 1 else ""
        session = pd.Series(only, index=frame.index, dtype="str")
    session = _repeated(session, frame, rules, table.name)
    records = Records(
        source=table.name,
        participant=frame[rules["id"]],
        session=session,
        event=events,
        cells=frame.reindex(columns=[name for name in frame if name in fields and name != rules["id"]]),
        fields=dict(fields),
        header=table.header,
        anonymous=bool(study["pseudonymize"]),
    )
    if with_arm:
        arm = events.str.extract(r"_arm_(\d+)$")[0].fillna("").astype("str")
        records = replace(
            records, cells=records.cells.assign(**{ARM: arm}), fields={**fields, ARM: Field(ARM)}
        )
    repeat = frame[REPEAT].where(frame[REPEAT] != "", "-") + frame[INSTANCE] if REPEAT in frame else None
    records.refuse_duplicates(events if repeat is None else events + "/" + repeat)
    return records


def _events(frame: pd.DataFrame, rules: Mapping[str, Any], source: str) -> pd.Series:
    import pandas as pd

    if EVENT not in frame:
        if rules["events"]:
            raise InputError(
                f"{source}: there is no column {EVENT}, but study.yaml maps events; remove redcap.events, "
                "and declare redcap.suffixes if the export is wide."
            )
        return pd.Series("", index=frame.index, dtype="str")
    mapped = rules["events"]
    names = {name: name if name in mapped else unique_event_name(name) for name in frame[EVENT].unique()}
    unmapped = [name for name, unique in names.items() if unique not in mapped]
    if unmapped:
        counts = frame[EVENT].value_counts()
        words = listing([f"'{name}' (rows: {counts[name]})" for name in unmapped])
        raise InputError(
            f"{source}: study.yaml does not map the event {words}; add it under redcap.events, with a "
            "session or with null."
        )
    return frame[EVENT].map(names).astype("str")


def _repeated(session: pd.Series, frame: pd.DataFrame, rules: Mapping[str, Any], source: str) -> pd.Series:
    """Give the rows of a repeating instrument (or event) the session declared for their instance."""
    if REPEAT not in frame:
        return session
    result = session.copy()
    for form, instances in rules["repeats"].items():
        rows = (frame[REPEAT].map(_form_name) == form) | _repeated_event(frame, form)
        target = frame[INSTANCE].map({str(number): name or "" for number, name in instances.items()})
        lost = rows & target.isna()
        if lost.any():
            raise InputError(
                f"{source}: row {lost.idxmax()} is instance {frame[INSTANCE][lost.idxmax()]} of {form}, "
                f"which redcap.repeats.{form} in study.yaml does not map; give it a session or null."
            )
        result = result.where(~rows, target.astype("str"))
        # An instance mapped to null is left out as a whole; it must not fall back to its event's covariates.
        frame.loc[
            np.asarray(rows & (target == "")),
            [c for c in frame if c not in (rules["id"], EVENT, REPEAT, INSTANCE)],
        ] = ""
    return result


def _form_name(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")


def _repeated_event(frame: pd.DataFrame, event: str) -> pd.Series:
    if EVENT not in frame:
        return frame[REPEAT] != frame[REPEAT]
    return (frame[EVENT] == event) & (frame[REPEAT] == "") & (frame[INSTANCE] != "")
