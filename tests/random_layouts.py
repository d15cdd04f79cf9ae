"""Layouts in which a lab may hold a study (`random_studies`): sheets, and how study.yaml describes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from random_sheets import CODED, STORED, Cell, Column, Sheet
from random_studies import Study
from random_tables import (
    PLAIN,
    Blocks,
    Layout,
    answer,
    ask,
    decoys,
    fail_screening,
    fill_wide,
    new_sheet,
    previews,
    register,
    said_codes,
    session_values,
)


def random_study(rng: np.random.Generator) -> Study:
    """Draw a study and lay it out: a main layout, tables beside it, the laboratory's."""
    name = list(LAYOUTS)[int(rng.integers(len(LAYOUTS)))]
    study = Study(rng, "sub-" if name == "BIDS" else "")
    blocks, covariates = study.mixed(study.blocks), study.mixed(study.covariates)
    beside = blocks[: study.number(0, len(blocks) - 1)] if study.chance(0.2) else []
    if name in ("wide", "long", "a file a session") and study.chance(0.6):
        register(study, covariates)
        covariates = []
    LAYOUTS[name](study, blocks[len(beside) :], covariates)
    if beside:
        PLAIN[study.one(list(PLAIN))](study, beside, [])
    known = [one for one in study.people if one in {*study.members(), *study.named, *study.failed}]
    for number in range(study.one([0, 0, 0, 1])):
        assay(study, known, f"crp{number}")
    if study.chance(0.3):
        samples(study, known)
    fail_screening(study)
    for sheet in study.sheets:
        decoys(study, sheet)
    return study


# -- REDCap -------------------------------------------------------------------------------------------------


def new_export(study: Study) -> tuple[Sheet, dict[str, Any]]:
    """Begin a REDCap export."""
    rules: dict[str, Any] = {}
    study.sections["redcap"] = rules
    sheet = new_sheet(study, "redcap", rules)
    sheet.file = rules["export"] = rules.pop("file")
    if sheet.file.partition("#")[0].endswith(".xlsx"):
        sheet.file = rules["export"] = "export.csv"
    sheet.id = rules["id"] = study.one(["record_id", "study_code"])
    rules["dictionary"] = "dictionary.csv"
    return sheet, rules


def redcap_wide(study: Study, blocks: Blocks, covariates: Sequence[str]) -> None:
    """Lay out a classic project with fields for each session."""
    sheet, rules = new_export(study)
    fill_wide(study, sheet, rules, blocks, covariates, {})
    previews(study, sheet, [], {})


def redcap_events(study: Study, blocks: Blocks, covariates: Sequence[str]) -> None:
    """Lay out a longitudinal project: a row a record and event; one event may be of no session."""
    sheet, rules = new_export(study)
    sheet.session = "redcap_event_name"
    shape = study.one(["visit_{}_arm_1", "week_{}_arm_2", "t{}_arm_1"])
    events: dict[str, str | None] = {shape.format(n): one for n, one in enumerate(study.sessions, 1)}
    first = next(iter(events))
    if study.chance(0.5):
        events["screening_arm_" + shape[-1]] = None
        first = study.one([first, list(events)[-1]])
    elif covariates and study.chance(0.5):
        study.covariates[covariates[0]]["from"] = study.one([first, study.sessions[0]])
    rules["events"] = events
    for session in study.sessions:
        ask(study, sheet, blocks, session, {})
    for person, event in study.mixed((one, at) for one in study.people for at in events):
        if event != first and study.is_absent(person):
            continue
        row, session = study.row(sheet, person), events[event]
        row.cells[sheet.session] = Cell(event)
        taken = [one for one in covariates if event == first or "from" in study.covariates[one]]
        at = {event, session} & {study.covariates[one].get("from", "") for one in taken}
        study.tell(row, sheet, taken, next(iter(at), event))
        rule = "" if session else f"redcap.events.{event}"
        answer(study, sheet, row, blocks, session or study.sessions[0], {}, rule=rule)
    previews(study, sheet, blocks, {})


def redcap_repeats(study: Study, blocks: Blocks, covariates: Sequence[str]) -> None:
    """Lay out repeating instruments, in a classic project or within events, or a repeating event."""
    sheet, rules = new_export(study)
    kind = study.one(["classic", "within events", "event"])
    forms = ["surveys", "second_form"][: study.one([1, 2])] if kind != "event" else [""]
    groups = [blocks[number :: len(forms)] for number in range(len(forms))]
    cut = study.number(1, len(study.sessions))
    parts = [study.sessions[:cut], study.sessions[cut:]] if kind == "within events" else [study.sessions]
    events = [f"e{number}_arm_1" for number, part in enumerate(parts) if part]
    if kind != "classic":
        sheet.session = "redcap_event_name"
        rules["events"] = dict.fromkeys(events) | {"start_arm_1": None}
    sheet.columns += [Column("redcap_repeat_instrument"), Column("redcap_repeat_instance")]
    if covariates or kind == "classic":
        for person in study.mixed(study.people):
            row = study.row(sheet, person)
            if sheet.session:
                row.cells[sheet.session] = Cell("start_arm_1")
            study.tell(row, sheet, covariates)
    rules["repeats"] = {}
    for form, group in zip(forms, groups, strict=True):
        for event, part in zip(events, parts, strict=False):
            repeated(study, sheet, form, event if kind != "classic" else "", part, group)
    study.rng.shuffle(sheet.rows)  # type: ignore[arg-type]


def repeated(study: Study, sheet: Sheet, form: str, event: str, sessions: Sequence[str],
             blocks: Blocks) -> None:  # fmt: skip
    """Write the instances of a form (at an event), or of an event; one instance may be of no session."""
    instances: dict[str, str | None] = {str(number): one for number, one in enumerate(sessions, 1)}
    if study.chance(0.3):
        instances["9"] = None
    repeats = study.sections["redcap"]["repeats"]
    key = f"redcap.repeats.{form or event}" + (f".{event}" if form and event else "")
    if form and event:
        repeats.setdefault(form, {})[event] = instances
    else:
        repeats[form or event] = instances
    for session in sessions:
        ask(study, sheet, blocks, session, {})
    for person in study.people:
        for instance, session in instances.items():
            if session != study.sessions[0] and study.is_absent(person):
                continue
            row = study.row(sheet, person, "" if session else f"{key}.{instance}")
            row.cells["redcap_repeat_instrument"] = Cell(form)
            row.cells["redcap_repeat_instance"] = Cell(instance)
            if event:
                row.cells[sheet.session] = Cell(event)
            answer(study, sheet, row, blocks, session or sessions[0], {})


# -- BIDS ---------------------------------------------------------------------------------------------------


def bids(study: Study, blocks: Blocks, covariates: Sequence[str]) -> None:
    """Lay out a BIDS tree: participants, sessions with exposures, a phenotype table a questionnaire."""
    rules = study.sections["bids"] = {"folder": "tree"}
    missing = {"n/a": "not available"}
    sheet = Sheet("tree/participants.tsv", "bids", missing=missing)
    study.sheets.append(sheet)
    for person in study.mixed(study.people):
        study.tell(study.row(sheet, person), sheet, covariates)
    values = session_values(study)
    left = said_codes(study, values, rules)
    exposures = [one for one in blocks if one.section == "exposures"]
    files = {f"phenotype/{one.name}.tsv": [one] for one in blocks if one.section == "instruments"}
    if exposures or study.chance(0.5):
        files[study.one(["sessions.tsv", "sub-*_sessions.tsv", "phenotype/day.tsv"])] = exposures
    for file, group in files.items():
        sheet = Sheet(f"tree/{file}", "bids", session="session_id", missing=missing)
        study.sheets.append(sheet)
        if len(study.sessions) == 1 and file.startswith("phenotype") and not left and study.chance(0.5):
            sheet.session = ""
        for session in study.sessions:
            ask(study, sheet, group, session, {})
        every = [*study.sessions, *([""] if left else [])]
        for person, session in study.mixed((one, at) for one in study.people for at in every):
            if study.is_absent(person):
                continue
            row = study.row(sheet, person, "" if session else f"bids.session_codes.{left}")
            if not group and file.startswith("phenotype"):
                row.rule = row.rule or "no field named"
            if sheet.session:
                row.cells["session_id"] = Cell(values[session] if session else left)
            answer(study, sheet, row, group, session or study.sessions[0], {})


# -- The laboratory -----------------------------------------------------------------------------------------


def laboratory(
    study: Study, key: str, rules: dict[str, Any], columns: dict[str, str]
) -> tuple[Sheet, dict[str, str], str]:
    """Begin a file of the laboratory: the sheet, its values of sessions and that of a wave left out."""
    sheet = new_sheet(study, key, rules)
    rules.pop("id", None)
    sheet.id, sheet.session = columns["participant"], columns["session"]
    values = session_values(study)
    return sheet, values, said_codes(study, values, rules)


def assay(study: Study, people: Sequence[str], name: str) -> None:
    """Write an assay: values, some below the limit, blank or coded; some samples measured twice."""
    columns = {"participant": "Proband", "session": "Abnahme", "value": f"{name} (pg/ml)"}
    if study.chance(0.4):
        columns["batch"] = "Platte"
    limit = study.one([None, 0.5])
    rules: dict[str, Any] = {"columns": columns, "unit": "pg/ml", "detection_limit": limit}
    study.sections.setdefault("assays", {})[name] = rules
    sheet, values, left = laboratory(study, f"assays.{name}", rules, columns)
    sheet.columns += [Column(columns[one], columns[one]) for one in ("value", "batch") if one in columns]
    every = [*study.sessions, *([""] if left else [])]
    pairs = [(one, at) for one in people for at in every]
    for person, session in study.mixed([*pairs, *pairs[::3]]):
        if study.chance(0.15):
            continue
        row = study.row(sheet, person, "" if session else f"assays.{name}.session_codes.{left}")
        row.cells[sheet.session] = Cell(values[session] if session else left)
        if "batch" in columns:
            row.cells["Platte"] = Cell(study.one(["A", "B", "2"]), STORED)
        fate, value = study.rng.random(), study.number(2, 900) / 10
        below = value < (limit or 0)
        if fate < 0.1:
            continue
        if fate < 0.2 and sheet.missing:
            row.cells[columns["value"]] = Cell(study.one(list(sheet.missing)), CODED)
            continue
        cell = Cell(f"{value:g}", STORED, decimal=True)
        if fate < 0.35:
            shape = study.one(["<{}", "< {}", *(["<LOD", "< lloq"] if limit else [])])
            cell, value, below = Cell(shape.format("0.2"), STORED, decimal=True), -1.0, True
        row.cells[columns["value"]] = cell
        if study.counts(row):
            study.truth.assays[person, session, name, value, below] += 1


def samples(study: Study, people: Sequence[str]) -> None:
    """Write the sheet of blood samples; the session may be said by two columns."""
    columns: dict[str, Any] = {"sample": "Probe", "participant": "who", "session": "when"}
    columns["further"] = {"rin": "RIN"}
    rules: dict[str, Any] = {"matrix": "m.csv", "unit": "tpm", "columns": columns}
    study.sections["expression"] = rules
    sheet, values, left = laboratory(study, "expression", rules, columns)
    rules["samples"] = rules.pop("file")
    rules.pop("missing_codes", None)
    if "session_codes" in rules and study.chance(0.4):
        columns["session"] = ["when", "day"]
        rules["session_codes"] = {f"{value}-d1": one for value, one in rules["session_codes"].items()}
        sheet.columns.append(Column("day"))
    sheet.columns += [Column("Probe", "Probe"), Column("RIN", "RIN")]
    every = [*study.sessions, *([""] if left else [])]
    for number, (person, session) in enumerate(study.mixed((one, at) for one in people for at in every)):
        if study.chance(0.2):
            continue
        value = values[session] if session else left
        said = f"{value}-d1" if isinstance(columns["session"], list) else value
        row = study.row(sheet, person, "" if session else f"expression.session_codes.{said}")
        row.cells |= {"when": Cell(value), "day": Cell("d1"), "Probe": Cell(f"X{number}", STORED)}
        row.cells["RIN"] = study.one([Cell("8.5", STORED, decimal=True), Cell()])
        reasons = {f"exclude.{n}": one["reason"] for n, one in enumerate(study.sections["exclude"])}
        reason = (
            reasons.get(row.rule, "a wave that is left out") if row.rule else reasons.get(row.person_rule, "")
        )
        study.truth.samples[f"X{number}"] = (person, session, reason)


LAYOUTS: dict[str, Layout] = PLAIN | {
    "REDCap, wide": redcap_wide,
    "REDCap, events": redcap_events,
    "REDCap, repeating": redcap_repeats,
    "BIDS": bids,
}
