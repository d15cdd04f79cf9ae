"""A REDCap export: raw codes or labels; with events and arms, repeating, or classic and wide."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pniflow.errors import InputError, listing, shown
from pniflow.raw.text_tables import RawTable, inside, read_raw
from pniflow.study.affixes import affixes_of, wide_columns
from pniflow.study.dates import date_fields, with_study_days
from pniflow.study.fields import Field, check_export, read_dictionary, require_allowed
from pniflow.study.layouts import counted, without_ruled
from pniflow.study.linkage import named, require_sessions
from pniflow.study.records import Records, translated
from pniflow.study.rows import excluded_by, reasons_of

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
        require_sessions(sessions.values(), study, "redcap.suffixes")
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
    ids, anonymous = frame[rules["id"]], bool(study["pseudonymize"])
    system = [name for name in (rules["id"], EVENT, REPEAT, INSTANCE) if name in frame]
    counts = counted(frame.drop(columns=system))
    excluded = excluded_by(table, rules["export"], ids, study)
    used = (excluded == "").to_numpy()
    _require_records(ids[used], rules["id"], table.name)
    named(ids[used], table, rules["id"], anonymous)
    events = pd.Series("", index=frame.index, dtype="str")
    events[used] = _events(frame[used], rules, table.name)
    session = translated(events, rules["events"])
    without = {name: f"redcap.events.{name}" for name, to in rules["events"].items() if not to}
    if EVENT not in frame:
        only = next(iter(study["sessions"])) if len(study["sessions"]) == 1 else ""
        session = pd.Series(only, index=frame.index, dtype="str")
    # Nobody needs to map the instance of a row that does not count.
    placed, instance, forms = _repeated(session[used], events[used], frame[used], study, table.name)
    session = placed.reindex(frame.index).fillna(session).astype("str")
    instance = instance.reindex(frame.index, fill_value="")
    records = Records(
        source=table.name,
        participant=ids,
        session=session,
        event=events,
        cells=frame.reindex(columns=[name for name in frame if name in fields and name != rules["id"]]),
        fields=dict(fields),
        header=table.header,
        anonymous=anonymous,
        key="redcap",
        table=table,
        ruled=translated(events, without),
        decimal=table.decimal,
        counts=counts,
        columns=frozenset(map(str, frame)),
        forms=forms,
    )
    if with_arm:
        records = _with_arm(records)
    # An instance mapped to null is left out as a whole; it must not fall back to its event's covariates.
    records = without_ruled(records, excluded.where(~used, instance), reasons_of(study))
    _refuse_two_arms(records, with_arm)
    repeat = pd.Series("", index=frame.index, dtype="str")
    if REPEAT in frame:
        repeat = frame[REPEAT].where(frame[REPEAT] != "", "-") + frame[INSTANCE]
    records = records.once((events + "/" + repeat).str.strip("/").reindex(records.participant.index))
    return _kept(records, frame, rules)


def _require_records(ids: pd.Series, key: str, source: str) -> None:
    blank = ids == ""
    if blank.any():
        raise InputError(f"{source}: row {blank.idxmax()} has no {key}; every record needs one.")


def _with_arm(records: Records) -> Records:
    arm = records.event.str.extract(r"_arm_(\d+)$")[0].fillna("").astype("str")
    given = int((arm != "").sum())
    return replace(
        records,
        cells=records.cells.assign(**{ARM: arm}),
        fields={**records.fields, ARM: Field(ARM)},
        counts={**records.counts, ARM: (len(arm), given)},
    )


def _refuse_two_arms(records: Records, with_arm: bool) -> None:
    """Refuse a record in two arms: two people may share its number, one in each."""
    arms = records.event.str.extract(r"_arm_(\d+)$")[0]
    several = arms.groupby(records.participant).nunique() > 1
    if with_arm or not several.any():  # as a covariate the arm is checked like any other
        return
    who = several.index[several.to_numpy()][0]
    name = "a record" if records.anonymous else f"record {shown(who, quoted=False)}"
    raise InputError(
        f"{records.source}: {name} stands in two arms ({int(several.sum())} such records), so it may be two "
        "people with one number: give them different ids, leave out the rows of one arm with exclude in "
        "study.yaml (column redcap_event_name), or declare the field redcap_arm as a covariate."
    )


def _kept(records: Records, frame: pd.DataFrame, rules: Mapping[str, Any]) -> Records:
    """Keep one of several instances of a form at a session, where study.yaml says which."""
    if "keep" not in rules or REPEAT not in frame:
        return records
    rows = records.participant.index
    # Rows without a session, and those of no repeating form, stay as they are.
    own = rows.astype(str).to_series(index=rows)
    form = records.session + "/" + frame[REPEAT].reindex(rows)
    repeated = (records.session != "") & ((frame[REPEAT] != "") | (frame[INSTANCE] != "")).reindex(rows)
    return records.once(form.where(repeated, own), rules["keep"])


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
        words = listing([f"{shown(name)} (rows: {counts[name]})" for name in unmapped])
        raise InputError(
            f"{source}: study.yaml does not map the event {words}; add it under redcap.events, with a "
            "session or with null."
        )
    return frame[EVENT].map(names).astype("str")


def _repeated(
    session: pd.Series, events: pd.Series, frame: pd.DataFrame, study: Mapping[str, Any], source: str
) -> tuple[pd.Series, pd.Series, tuple[str, ...]]:
    """Give the rows of a repeating instrument (or event) the session declared for their instance.

    Returns
    -------
    session, rule : Series of str
        The rule is not blank where an instance is left out.
    forms : tuple of str
        Repeating instruments of which nothing is declared: they keep no session.
    """
    import pandas as pd

    rule = pd.Series("", index=frame.index, dtype="str")
    if REPEAT not in frame:
        return session, rule, ()
    repeats = study["redcap"]["repeats"]
    form = frame[REPEAT].map({name: _form_name(name) for name in frame[REPEAT].unique()})
    result = session.copy()
    for name, instances in repeats.items():
        rows = (form == name) | ((events == name) & (frame[REPEAT] == "") & (frame[INSTANCE] != ""))
        nested = any(isinstance(one, Mapping) for one in instances.values())
        by_event = dict(instances) if nested else {}
        for event in by_event or [None]:
            here = rows if event is None else rows & (events == event)
            mapping = instances if event is None else by_event[event]
            key = f"redcap.repeats.{name}" + ("" if event is None else f".{event}")
            every = {str(number): to or "" for number, to in (mapping or {}).items()}
            if mapping is None:  # an event of which no instance is meant
                every = dict.fromkeys(frame[INSTANCE], "")
            target = frame[INSTANCE].map(every)
            lost = here & target.isna()
            if lost.any():
                row = lost.idxmax()
                raise InputError(
                    f"{source}: row {row} is instance {shown(frame[INSTANCE][row], 12, False)} of {name}, "
                    f"which {key} in study.yaml does not map; give it a session or null."
                )
            result = result.where(~here, target)
            rule = rule.mask(here & (target == ""), f"{key}." + frame[INSTANCE])
        unsaid = rows & ~events.isin(list(by_event)) if by_event else rows & False
        if unsaid.any():
            raise InputError(
                f"{source}: row {unsaid.idxmax()} is of {name} at {shown(events[unsaid.idxmax()])}, an event "
                f"which redcap.repeats.{name} in study.yaml does not map; add the event there."
            )
    forms = tuple(dict.fromkeys(form[(form != "") & ~form.isin(list(repeats))]))
    return result.astype("str"), rule.astype("str"), forms


def _form_name(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")
