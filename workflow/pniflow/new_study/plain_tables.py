"""A study of plain tables: which lists the people, what each is of, and their sections of study.yaml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pniflow.new_study import draft as drafting
from pniflow.new_study.covariates import guess_covariates
from pniflow.new_study.draft import Draft
from pniflow.new_study.occasions import Occasions
from pniflow.new_study.questionnaires import Found
from pniflow.new_study.tables import Guessed, place_waves
from pniflow.study.fields import Field


class PlainTables:
    """The tables of a study as guessed.

    Attributes
    ----------
    tables : list of Guessed
    vocabularies : list of list of str
        Words of each table, or of files of one session each that ask the same.
    further : dict
        Columns of the sample sheet, from which covariates come where there is no other table.
    found : list of Found
        Questionnaires, as the first table has them that asks each.
    origin : dict
        Word of a session -> the file of that session.
    """

    def __init__(self, tables: Sequence[Guessed]) -> None:
        self.tables = list(tables)
        self.further: dict[str, Field] = {}
        _take_repeated_ids(self.tables)
        self.vocabularies = place_waves(self.tables)
        self.origin = {
            word: table.name
            for table in self.tables
            if not table.session and not table.affixes
            for word in table.words
        }
        several = len({word for words in self.vocabularies for word in words}) > 1
        self.register = next((table for table in self.tables if _lists_people(table, several)), None)
        self.tables.sort(key=lambda table: table is not self.register)
        self.several = several
        first: dict[str, Found] = {}
        for table in self.tables:
            for one in table.found:
                first.setdefault(one.instrument, one)
        self.found = list(first.values())
        self._settle_offsets()

    @property
    def people(self) -> list[str]:
        """All ids."""
        return [one for table in self.tables for one in table.people]

    @property
    def dates(self) -> dict[str, dict[str, dict[str, str]]]:
        """Dates of all tables: column -> word -> participant -> date."""
        seen: dict[str, dict[str, dict[str, str]]] = {}
        for table in self.tables:
            for column, words in table.dates.items():
                for word, dates in words.items():
                    seen.setdefault(column, {}).setdefault(word, {}).update(dates)
        return seen

    @property
    def exclude(self) -> list[dict[str, Any]]:
        """Rows that are of nobody."""
        return [rule for table in self.tables for rule in table.exclude]

    def draft(self, draft: Draft, told: Occasions) -> list[str]:
        """Draft the sections of the tables; return the covariates that vary."""
        register, others = self.register, [table for table in self.tables if table is not self.register]
        if register is not None:
            draft.add(0, "participants", comment="the table that lists the participants")
            keys = {
                key: value for key, value in register.session_keys(told.names).items() if key != "session"
            }
            self._table(draft, register, keys, "participants", 2)
        if others:
            draft.add(0, "tables")
        for number, table in enumerate(others):
            start = len(draft.lines)
            self._table(draft, table, table.session_keys(told.names), f"tables.{number}", 4)
            draft.lines[start] = "  - " + draft.lines[start].lstrip()
        draft.lines.append("")
        fields = {name: one for table in reversed(self.tables) for name, one in table.fields.items()}
        fields = fields or self.further
        names = drafting.covariates(draft, fields, set())
        affixes = {
            affix: told.names[word] for table in self.tables for affix, word in table.affix_words.items()
        }
        drafting.instruments(draft, self.found, affixes)
        if self.tables and not self.found:
            draft.open.append(
                "no questionnaire was recognized by its column names; add yours under instruments."
            )
        fields_of = {name: rule["field"] for name, rule in guess_covariates(fields).items()}
        varying = {column for table in self.tables for column in table.varying} | set(self.further)
        return [name for name in names if fields_of[name] in varying]

    def _table(self, draft: Draft, table: Guessed, keys: Mapping[str, Any], place: str, indent: int) -> None:
        draft.add(indent, "file", table.name)
        what = (
            "guess: the column with the participant"
            if table.id
            else "not guessed: the column with the participant"
        )
        draft.add(indent, "id", table.id or None, what)
        lost = table.found and not table.words and self.several
        for key, value in keys.items():
            draft.add(
                indent,
                key,
                value,
                "not guessed: the session of its answers" if lost and value is None else "guess",
            )
        if table.missing:
            codes = dict.fromkeys(table.missing, "not stated")
            draft.add(indent, "missing_codes", codes, "guess: codes found; say why each is missing")
        other = self._coding(table) if table is not self.register else {}
        if other:
            draft.add(indent, "instruments", other, "guess: what is other here than under instruments below")
        draft.open += [sentence.replace("{place}", place) for sentence in table.open]
        if lost and table.once:
            draft.open.append(
                f"at which session {table.name} was asked; write it at {place}.session (ses-...)."
            )
        if not table.found and table is not self.register and not guess_covariates(table.fields):
            draft.open.append(
                f"what {table.name} is for: no questionnaire and no covariate was recognized in it; name its "
                f"columns under instruments, covariates or exposures, or take {place} out."
            )

    def _coding(self, table: Guessed) -> dict[str, dict[str, Any]]:
        """Return what is other in a table's questionnaires than in the first table that asks them."""
        first = {one.instrument: one for one in self.found}
        result: dict[str, dict[str, Any]] = {}
        for one in table.found:
            other: dict[str, Any] = {} if one.named == first[one.instrument].named else {"fields": one.named}
            if one.offset != first[one.instrument].offset:
                other["offset"] = one.offset
            if other:
                result[one.instrument] = other
        return result

    def _settle_offsets(self) -> None:
        """Where answers begin at 1 in one file, they do so where nobody gave the lowest answer."""
        for name in {one.instrument for one in self.found}:
            mine = [one for table in self.tables for one in table.found if one.instrument == name]
            raised = next((one for one in mine if one.offset), None)
            for one in mine if raised else ():
                if not one.offset and not one.lowest and raised is not None:
                    one.offset, one.comment = (
                        raised.offset,
                        "guess: as in the other file of this questionnaire",
                    )


def _lists_people(table: Guessed, several: bool) -> bool:
    """Tell whether a table may list the participants: a row each, and no answers that want a session."""
    if not table.once or table.session:
        return False
    return len(table.words) > 1 if table.affixes else not table.words and not (table.found and several)


def _take_repeated_ids(tables: Sequence[Guessed]) -> None:
    """Take numbers that count the rows for ids where another table repeats them in a column of that name."""
    for table in tables:
        known = {
            one
            for other in tables
            if other.id and other.id == table.counting and not other.once
            for one in other.people
        }
        if table.counting and not table.id and known and known <= set(table.numbered):
            table.id, table.people = table.counting, list(table.numbered)
            table.open = table.open[1:]
