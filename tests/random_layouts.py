"""Layouts in which a lab may hold a study (`random_studies`): sheets, and how study.yaml describes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from random_studies import (
    AFTER,
    BEFORE,
    CODED,
    FREE,
    STORED,
    TABLE_CODES,
    VALUES,
    Block,
    Cell,
    Coding,
    Column,
    Row,
    Sheet,
    Study,
)

ENDINGS = (".csv", ".csv", ".csv", ".csv", ".tsv", ".tsv", ".txt", ".csv.gz", ".xlsx")
Blocks = Sequence[Block]
Own = dict[str, Coding]  # a table's own coding of instruments


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


# -- Tables -------------------------------------------------------------------------------------------------


def new_sheet(study: Study, key: str, rules: dict[str, Any]) -> Sheet:
    """Begin a file, with its name and column of the participant said in study.yaml."""
    number, ending = len(study.sheets), study.one(ENDINGS)
    file = study.one([f"survey{number}", f"Fragebogen {number}", f"größe_{number}", f"d/{number}"]) + ending
    rules["file"] = file + study.one(["", "#Data"]) * (ending == ".xlsx")
    sheet = Sheet(rules["file"], key)
    if study.chance(0.8):
        rules["id"] = sheet.id = study.one(["pid", "Code", "ID", "Teilnehmer", "subject"])
    if study.chance(0.6):
        codes = study.mixed(TABLE_CODES)[: study.number(1, 3)]
        sheet.missing = rules["missing_codes"] = {code: TABLE_CODES[code] for code in codes}
    study.sheets.append(sheet)
    return sheet


def new_table(study: Study, blocks: Blocks) -> tuple[Sheet, dict[str, Any], Own]:
    """Begin a file under tables, which may have codings of its own."""
    tables = study.sections.setdefault("tables", [])
    rules: dict[str, Any] = {}
    tables.append(rules)
    sheet = new_sheet(study, f"tables.{len(tables) - 1}", rules)
    asked = [one for one in blocks if one.section == "instruments"]
    own = {one.name: study.special(one) for one in asked if study.chance(0.25)}
    if own:
        rules["instruments"] = {name: coding.said for name, coding in own.items()}
    return sheet, rules, own


def ask(study: Study, sheet: Sheet, blocks: Blocks, session: str, own: Own,
        affix: tuple[str, str] = ("", ""), rule: str = "") -> None:  # fmt: skip
    """Give a sheet the columns of what is asked at a session."""
    for block in blocks:
        coding = study.coding_of(block, session, own)
        codes = [str(code - coding.offset) for code in range(block.low, block.high + 1)]
        choices = list(block.levels) if block.section == "exposures" else codes
        for one in coding.fields:
            sheet.add(Column(f"{affix[0]}{one}{affix[1]}", one, rule, choices))


def answer(study: Study, sheet: Sheet, row: Row, blocks: Blocks, session: str, own: Own,
           affix: tuple[str, str] = ("", ""), rule: str = "") -> None:  # fmt: skip
    """Write a person's answers at a session into a row."""
    for block in blocks:
        coding = study.coding_of(block, session, own)
        if sheet.key == "redcap":
            coding = replace(coding, words=[], pointed=False)
        study.sit(sheet, row, block, coding, session, affix, rule)


def session_values(study: Study) -> dict[str, str]:
    """Draw how sessions are called in a table: session -> value; their own names in a third of tables."""
    if study.chance(0.35):
        bare = study.chance(0.5)
        return {one: one.removeprefix("ses-") if bare else one for one in study.sessions}
    shapes = study.one(VALUES)
    if len(shapes) == len(study.sessions) or study.chance(0.2):
        shapes = VALUES[1]
        return dict(zip(study.sessions, shapes, strict=False))
    shape = study.one(VALUES[0])
    return {one: shape.format(number) for number, one in enumerate(study.sessions, 1)}


def said_codes(study: Study, values: dict[str, str], rules: dict[str, Any]) -> str:
    """Say in study.yaml what a table calls sessions; return the value of a wave that is left out, if any."""
    if all(one.removeprefix("ses-") == value.removeprefix("ses-") for one, value in values.items()):
        return ""
    rules["session_codes"] = {value: one for one, value in values.items()}
    if not study.chance(0.3):
        return ""
    rules["session_codes"]["later"] = None
    return "later"


def register(study: Study, covariates: Sequence[str]) -> None:
    """List everybody with their covariates in a participants table."""
    rules = study.sections["participants"] = {}
    sheet = new_sheet(study, "participants", rules)
    for person in study.mixed(study.people):
        study.tell(study.row(sheet, person), sheet, covariates)
    previews(study, sheet, [], {})


def wide(study: Study, blocks: Blocks, covariates: Sequence[str]) -> None:
    """Lay out a row a person, with columns for each session."""
    if "participants" in study.sections or study.chance(0.5):
        sheet, rules, own = new_table(study, blocks)
        rules["session"] = None
    else:
        rules, own = study.sections.setdefault("participants", {}), {}
        sheet = new_sheet(study, "participants", rules)
    fill_wide(study, sheet, rules, blocks, covariates, own)
    refill(study, sheet, rules)
    previews(study, sheet, [], own)


def fill_wide(study: Study, sheet: Sheet, rules: dict[str, Any], blocks: Blocks,
              covariates: Sequence[str], own: Own) -> None:  # fmt: skip
    """Write columns per session, told apart by what stands behind or before the fields' names."""
    key, shape = study.one([("suffixes", study.one(AFTER)), ("prefixes", study.one(BEFORE))])
    texts = {one: shape.format(number) for number, one in enumerate(study.sessions, 1)}
    if key == "suffixes" and study.chance(0.2):
        texts[study.sessions[0]] = ""
    waves: list[tuple[str, str]] = list(texts.items())
    if study.chance(0.3):
        waves.append(("", shape.format(9)))
    rules[key] = {text: session or None for session, text in waves}
    places = []
    for session, text in waves:
        affix = ("", text) if key == "suffixes" else (text, "")
        rule = "" if session else f"{sheet.key}.{key}.{text}"
        ask(study, sheet, blocks, session, own, affix, rule)
        places.append((session, affix, rule))
    for person in study.mixed(study.people):
        row = study.row(sheet, person)
        study.tell(row, sheet, covariates)
        for session, affix, rule in places:
            if not study.is_absent(person):
                answer(study, sheet, row, blocks, session, own, affix, rule)


def long(study: Study, blocks: Blocks, covariates: Sequence[str]) -> None:
    """Lay out a row a person and session; the people of two sites may stand in two files."""
    sites = [study.people]
    if study.chance(0.25):
        sites = [study.people[::2], study.people[1::2]]
    if len(sites) == 1 and covariates and study.chance(0.3):
        study.covariates[covariates[0]]["from"] = study.sessions[0]
    for people in sites:
        sheet, rules, own = new_table(study, blocks)
        for session in study.sessions:
            ask(study, sheet, blocks, session, own)
        values, left = name_sessions(study, sheet, rules)
        for person, session in study.mixed((one, at) for one in people for at in study.sessions):
            if study.is_absent(person):
                continue
            row = study.row(sheet, person)
            if sheet.session:
                row.cells[sheet.session] = Cell(values[session])
            study.tell(row, sheet, covariates, session)
            answer(study, sheet, row, blocks, session, own)
        for person in people[: study.number(1, 3)] if left else []:
            row = study.row(sheet, person, f"{sheet.key}.session_codes.{left}")
            row.cells[sheet.session] = Cell(left)
            answer(study, sheet, row, blocks, study.sessions[-1], own)
        refill(study, sheet, rules)
        previews(study, sheet, blocks, own)


def name_sessions(study: Study, sheet: Sheet, rules: dict[str, Any]) -> tuple[dict[str, str], str]:
    """Give a table its column of sessions: values by session, and that of a wave that is left out."""
    if len(study.sessions) == 1 and study.chance(0.5):
        return {study.sessions[0]: ""}, ""
    sheet.session = study.one(["session_id", "visit", "Zeitpunkt", "wave"])
    if sheet.session != "session_id":
        rules["session"] = sheet.session
    values = session_values(study)
    return values, said_codes(study, values, rules)


def file_a_session(study: Study, blocks: Blocks, covariates: Sequence[str]) -> None:
    """Lay out a file of each session, a row a person."""
    for number, session in enumerate(study.sessions):
        sheet, rules, own = new_table(study, blocks)
        rules["session"] = session
        ask(study, sheet, blocks, session, own)
        for person in study.mixed(study.people):
            if study.is_absent(person):
                continue
            row = study.row(sheet, person)
            study.tell(row, sheet, covariates if number == 0 else covariates[:1])
            answer(study, sheet, row, blocks, session, own)
        refill(study, sheet, rules)
        previews(study, sheet, blocks, own)


def refill(study: Study, sheet: Sheet, rules: dict[str, Any]) -> None:
    """Let somebody fill a form twice, of which study.yaml keeps one."""
    if not study.chance(0.3):
        return
    rules["keep"] = keep = study.one(["first", "last", "most_complete"])
    fields = {one.name for one in sheet.columns if one.field}
    for row in study.mixed(sheet.rows)[:2]:
        filled = [name for name, cell in row.cells.items() if name in fields and cell.text]
        if not study.counts(row) or (keep == "most_complete" and not filled):
            continue
        cells = {name: cell for name, cell in row.cells.items() if name not in fields}
        some = study.mixed(filled)[: study.number(0, max(len(filled) - 1, 0))]
        again = Row(row.person, cells | {name: row.cells[name] for name in some}, f"{sheet.key}.keep")
        place = sheet.rows.index(row)
        before = keep == "last" or (keep == "most_complete" and study.chance(0.5))
        at = study.number(0, place) if before else study.number(place + 1, len(sheet.rows))
        sheet.rows.insert(at, again)


def previews(study: Study, sheet: Sheet, blocks: Blocks, own: Own) -> None:
    """Put rows that are nobody's answers (tests, previews) among the others, told by a column."""
    if not study.chance(0.25):
        return
    column = f"{study.one(['Status', 'kind', 'consent'])}{len(study.sheets)}"
    rule = {"column": column, "values": ["test", "0"]}
    if study.chance(0.4):
        rule["file"] = sheet.file
    name = study.exclude(rule)
    sheet.add(Column(column))
    for row in sheet.rows:
        row.cells[column] = Cell(study.one(["real", "1", ""]))
    for _ in range(study.number(1, 3)):
        person = study.one([*study.outsiders, study.people[-1], ""])
        row = Row(person, {column: Cell(study.one(["test", "0"]))}, name)
        row.cells |= {sheet.session: Cell("nowhere")} if sheet.session else {}
        answer(study, sheet, row, blocks, study.sessions[0], own)
        row.rule = study.named.get(person, name)
        sheet.rows.insert(study.number(0, len(sheet.rows)), row)


def fail_screening(study: Study) -> None:
    """Write into some row of those who failed screening that they did."""
    for person, rule in study.failed.items():
        told = [
            (one, row) for one in study.sheets for row in one.rows if row.person == person and not row.rule
        ]
        sheet = study.one(told)[0]
        sheet.add(Column("screening"))
        for row in sheet.rows:
            row.cells["screening"] = Cell(study.one(["", "passed", "1"]))
        own = [row for one, row in told if one is sheet]
        for row in study.mixed(own)[: study.number(1, len(own))]:
            row.cells["screening"] = Cell(study.one(["failed", "9"]))
            row.rule = rule


def decoys(study: Study, sheet: Sheet) -> None:
    """Give a sheet columns that nobody asks for, some by the names of items that are not meant there."""
    for name in study.mixed(FREE)[: study.number(0, 3)]:
        if sheet.key != "redcap":
            sheet.add(Column(name))
    if not sheet.key.startswith("tables.") or not study.chance(0.2):
        return
    rules = study.sections["tables"][int(sheet.key.split(".")[1])]
    fields = {one.field for one in sheet.columns}
    for block in study.blocks:
        every = [block.usual, *block.special.values()]
        if block.section == "instruments" and not fields & {name for one in every for name in one.fields}:
            if block.name in rules.get("instruments", {}):
                continue
            rules.setdefault("instruments", {})[block.name] = None
            for name in block.usual.fields:
                sheet.add(Column(name))


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


PLAIN: dict[str, Callable[[Study, Blocks, Sequence[str]], None]] = {
    "wide": wide,
    "long": long,
    "a file a session": file_a_session,
}
LAYOUTS = PLAIN | {
    "REDCap, wide": redcap_wide,
    "REDCap, events": redcap_events,
    "REDCap, repeating": redcap_repeats,
    "BIDS": bids,
}
