"""Plain tables in which a lab may hold a random study: wide, long, a file a session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from random_sheets import Block, Cell, Coding, Column, Row, Sheet
from random_studies import AFTER, BEFORE, FREE, TABLE_CODES, VALUES, Study

ENDINGS = (".csv", ".csv", ".csv", ".csv", ".tsv", ".tsv", ".txt", ".csv.gz", ".xlsx")
Blocks = Sequence[Block]
Layout = Callable[[Study, Blocks, Sequence[str]], None]
Own = dict[str, Coding]  # a table's own coding of instruments


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


PLAIN: dict[str, Layout] = {"wide": wide, "long": long, "a file a session": file_a_session}
