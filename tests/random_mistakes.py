"""What goes wrong in a lab's files: each changes a random study, and says which files have the mistake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from random_sheets import STORED, Cell, Row, Sheet
from random_studies import Study

Found = list[str]  # the files; none where a study has nothing that could go wrong so


def counting(study: Study, *keys: str) -> list[tuple[Sheet, Row]]:
    """Return the rows that count, of sheets under some keys of study.yaml, in random order."""
    return study.mixed(
        (sheet, row)
        for sheet in study.sheets
        for row in sheet.rows
        if study.counts(row) and sheet.key.split(".")[0] in keys
    )


def of_another_wave(study: Study) -> Found:
    """A row is of a session that nobody declared."""
    for sheet, row in counting(study, "tables", "redcap", "bids", "assays"):
        if sheet.session:
            row.cells[sheet.session] = Cell("wave_77_arm_1")
            return [sheet.file]
    return []


def without_session(study: Study) -> Found:
    """The session of a row is blank."""
    for sheet, row in counting(study, "tables", "redcap", "bids", "assays"):
        if sheet.session:
            row.cells[sheet.session] = Cell()
            return [sheet.file]
    return []


def column_of_session_not_named(study: Study) -> Found:
    """study.yaml names no column of the session, though rows have one."""
    for sheet, row in counting(study, "tables"):
        given = any(row.cells.get(name, Cell()).fate == STORED for name in study.items_of(sheet))
        if sheet.session and given and len(study.sessions) > 1:
            study.sections["tables"][int(sheet.key.split(".")[1])]["session"] = None
            return [sheet.file]
    return []


def filled_twice(study: Study) -> Found:
    """Somebody filled a form twice, and nothing says which one stays."""
    for sheet, row in counting(study, "tables", "redcap", "bids", "participants"):
        if "keep" not in study.rules(sheet):
            sheet.rows.insert(study.number(0, len(sheet.rows)), replace(row, cells=dict(row.cells)))
            return [sheet.file]
    return []


def answered_differently(study: Study) -> Found:
    """A second table has another answer of one person at one session."""
    for sheet, row in counting(study, "tables"):
        names = [one for one in study.items_of(sheet) if row.cells.get(one, Cell()).fate == STORED]
        columns = {name: {row.cells.get(name, Cell()) for row in sheet.rows} for name in names}
        for name, cells in columns.items():
            other = [one for one in cells if one.fate == STORED and not one.text[:1].isalpha()
                     and row.cells[name].text.isdigit() and one.text.isdigit()
                     and one.text != row.cells[name].text]  # fmt: skip
            if other:
                again = replace(sheet, file="again.csv", key=f"tables.{len(study.sections['tables'])}")
                again.rows = [replace(row, cells=row.cells | {name: other[0]})]
                study.sections["tables"].append(study.rules(sheet) | {"file": again.file})
                study.sheets.append(again)
                return [sheet.file, again.file]
    return []


def id_written_otherwise(study: Study) -> Found:
    """An id stands with other zeros or capital letters in one row."""
    rows = counting(study, "tables", "redcap", "bids", "assays")
    for _, row in rows:
        prefix, bare = ("sub-", row.person[4:]) if row.person.startswith("sub-") else ("", row.person)
        forms = {bare.upper(), bare.lower(), f"0{bare}" if bare[0].isdigit() else bare} - {bare}
        if forms and sum(other.person == row.person for _, other in rows) > 1:
            row.person = prefix + study.one(sorted(forms))
            return [sheet.file for sheet in study.sheets]
    return []


def of_nobody(study: Study) -> Found:
    """A row is of somebody whom the list of participants lacks."""
    for sheet, row in counting(study, "tables", "bids", "assays", "expression"):
        first = study.sheets[0].key.split(".")[0]
        if sheet is not study.sheets[0] and first in ("participants", "redcap", "bids"):
            row.person = study.outsiders[0]
            return [sheet.file]
    return []


def item_with_another_name(study: Study) -> Found:
    """One item of a questionnaire is misspelt."""
    for sheet, _ in counting(study, "tables", "redcap", "bids", "participants"):
        for name in study.mixed(study.items_of(sheet))[:1]:
            column = next(one for one in sheet.columns if one.name == name)
            column.name = f"{name}_new"
            for row in sheet.rows:
                row.cells[column.name] = row.cells.pop(name, Cell())
            return [sheet.file, "dictionary.csv"]
    return []


def wave_with_other_names(study: Study) -> Found:
    """All items of a session's file have another ending."""
    sessions = [study.rules(one).get("session") for one in study.sheets]
    for sheet, _ in counting(study, "tables"):
        session, names = study.rules(sheet).get("session"), study.items_of(sheet)
        if session not in study.sessions or sessions.count(session) > 1 or len(study.sessions) < 2:
            continue
        for column in (one for one in sheet.columns if one.name in names):
            for row in sheet.rows:
                row.cells[f"{column.name}_t2x"] = row.cells.pop(column.name, Cell())
            column.name += "_t2x"
        return [sheet.file] if names else []
    return []


def no_answer_of_the_questionnaire(study: Study) -> Found:
    """A cell holds a number outside the questionnaire's range, or a text."""
    for sheet, row in counting(study, "tables", "redcap", "bids", "participants"):
        for name in study.mixed(study.items_of(sheet)):
            if row.cells.get(name, Cell()).fate == STORED:
                row.cells[name] = Cell(study.one(["17", "-3", "rather often", "1.5", "inf"]), STORED)
                return [sheet.file]
    return []


def instance_not_mapped(study: Study) -> Found:
    """A repeating form was filled once more than study.yaml says."""
    for sheet, row in counting(study, "redcap"):
        if row.cells.get("redcap_repeat_instance", Cell()).text:
            row.cells["redcap_repeat_instance"] = Cell("7")
            return [sheet.file]
    return []


MISTAKES: list[Callable[[Study], Found]] = [
    of_another_wave,
    without_session,
    column_of_session_not_named,
    filled_twice,
    answered_differently,
    id_written_otherwise,
    of_nobody,
    item_with_another_name,
    wave_with_other_names,
    no_answer_of_the_questionnaire,
    instance_not_mapped,
]
