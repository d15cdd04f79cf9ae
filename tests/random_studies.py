"""Random studies: what people answered, and the files in which a lab may hold it.

A `Study` plants answers while it lays out its sheets. Each planted value stands in its `truth`; each cell of
a sheet knows what must become of it: stored, blank, missing by a code, or left out by a rule of study.yaml.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from random_sheets import BLANK, CODED, STORED, Block, Cell, Coding, Column, Row, Sheet, Truth

T = TypeVar("T")
IDS = ("{:03}", "{}", "P{:02}", "MS-{:03}", "k{:02}x", "{:04}A", "ü{:02}")
QUESTIONNAIRES = {"gad7": (7, 3), "pss4": (4, 4), "mfis5": (5, 4)}  # items, and the highest answer
SESSIONS = ("ses-pre", "ses-post", "ses-fu", "ses-12m")
VALUES = (
    ("T{}", "t{}", "{}", "visit {}", "W{}", "Woche {}", "2024-0{}"),
    ("baseline", "after course", "six months", "a year"),
)
AFTER = ("_T{}", ".{}", "_t{:02}", "_w{}", " ({})", "_pr{}", "_zeit{}", "__{}")
BEFORE = ("T{}_", "t{:02}.", "w{} ", "Zeit{}_", "v{}_")
STEMS = ("anx", "gad", "q", "stress", "PSS", "phq", "mood", "fb", "Angst", "sorge", "it", "Frage", "v2x")
NAMES = ("{}_{{item}}", "{}{{item:02}}", "{}.{{item}}", "{}_{{item:03}}x", "{} {{item}}")
WORDS = (
    ("not at all", "several days", "more than half the days", "nearly every day", "always"),
    ("überhaupt nicht", "mäßig", "oft, aber nicht immer", "sehr oft", "immer; ohne Pause"),
    ("Never", "Almost never", "Sometimes", "Fairly often", "Very often"),
)
TABLE_CODES = {
    "-99": "refused",
    "-77": "not asked",
    "999": "not done",
    "k. A.": "no answer",
    "NA": "not known",
}
ITEM_CODES = {"9": "don't know", "99": "skipped", "8": "not applicable", "?": "not legible"}
JUNK = ("", "x", "1", "0,5", 'said "no", then\nleft', "a;b", "2024-01-05", "-99", "ß\tx", "NA")
FREE = ("Kommentar", "submitdate", "X1", "lastpage", "remarks_2", "Größe?", "sum", "seed", "_", "Unnamed: 0")


class Study:
    """A random study: `sections` for study.yaml, `sheets` for its files, and the `truth` about them.

    Attributes
    ----------
    named, failed : dict of str to str
        Person -> the rule that leaves them out: by their id, or because of a row of theirs.
    people, outsiders : list of str
        Everybody, and ids of nobody.
    """

    def __init__(self, rng: np.random.Generator, prefix: str = "") -> None:
        self.rng = rng
        self.truth, self.sheets = Truth(), list[Sheet]()
        stems = [f"{stem}{letter}" for letter in ("", "a", "b", "c", "d") for stem in self.mixed(STEMS)]
        self.stems = stems[::-1]
        sessions = list(SESSIONS[: self.one([1, 2, 2, 2, 3, 4])])
        self.sections: dict[str, Any] = {
            "sessions": {name: {"day": 30 * place} for place, name in enumerate(sessions)},
            "exclude": [],
        }
        self.sessions = sessions
        style, first = self.one(IDS), self.one([1, 7, 95])
        people = [f"{prefix}{style.format(number)}" for number in range(first, first + self.number(4, 8))]
        self.people = self.mixed(people)
        self.outsiders = [f"{prefix}{style.format(number)}" for number in range(first + 20, first + 23)]
        self.named, self.failed = dict[str, str](), dict[str, str]()
        if self.chance(0.3):
            who = self.people[: self.number(1, 2)]
            said = [one.removeprefix("sub-") for one in who] if self.chance(0.5) else who
            self.named = dict.fromkeys(who, self.exclude({"participants": said}))
        if self.chance(0.25):
            rule = {"column": "screening", "values": ["failed", "9"], "whole_person": True}
            self.failed = {self.people[2]: self.exclude(rule)}
        self.blocks = self._questionnaires() + self._exposures()
        self.covariates = self._covariates()
        self.facts: dict[tuple[str, str], Any] = {}

    # -- chance ---------------------------------------------------------------------------------------------

    def chance(self, share: float) -> bool:
        """Throw a coin."""
        return bool(self.rng.random() < share)

    def number(self, low: int, high: int) -> int:
        """Draw a whole number."""
        return int(self.rng.integers(low, high + 1))

    def one(self, of: Sequence[T]) -> T:
        """Draw one."""
        return of[int(self.rng.integers(len(of)))]

    def mixed(self, of: Iterable[T]) -> list[T]:
        """Return all in another order."""
        found = list(of)
        return [found[place] for place in self.rng.permutation(len(found))]

    # -- what is asked --------------------------------------------------------------------------------------

    def _questionnaires(self) -> list[Block]:
        found = []
        for name in self.mixed(QUESTIONNAIRES)[: self.one([1, 1, 1, 2, 2, 3])]:
            items, high = QUESTIONNAIRES[name]
            usual = self.coding(items, high, plain=self.chance(0.7))
            block = Block("instruments", name, 0, high, usual)
            self.sections.setdefault("instruments", {})[name] = dict(usual.said)
            if self.chance(0.3):
                for session in self.mixed(self.sessions)[: self.number(0, len(self.sessions) - 1)]:
                    block.special[session] = self.special(block)
                said = {session: one.said for session, one in block.special.items()}
                self.sections["instruments"][name]["sessions"] = said
            found.append(block)
        return found

    def coding(self, items: int, high: int, plain: bool = False) -> Coding:
        """Draw the names of items and how answers are written; `plain` as the key file counts."""
        stem, pattern = self.stems.pop(), self.one(NAMES)
        shape = pattern.format(stem)
        if self.chance(0.3):
            names = self.mixed(f"{stem}_{letter}" for letter in "abcdefghij"[:items])
            said: dict[str, Any] = {"fields": names}
        else:
            said = {"fields": shape}
            names = [
                shape.format(item=item) if ":" in shape else shape.replace("{item}", str(item))
                for item in range(1, items + 1)
            ]
        coding = Coding(names, said)
        if plain:
            return coding
        coding.offset = said["offset"] = self.one([0, 0, -1, 1])
        if self.chance(0.4) and coding.offset != 1:
            coding.words = list(self.one(WORDS)[: high + 1])
            said["codes"] = {words: place - coding.offset for place, words in enumerate(coding.words)}
        coding.pointed = self.chance(0.15)
        return coding

    def special(self, block: Block) -> Coding:
        """Draw how a questionnaire stands at one session, or in one table."""
        coding = self.coding(len(block.usual.fields), block.high)
        if self.chance(0.3) and not block.special:
            coding.fields = block.usual.fields
            del coding.said["fields"]
        if self.chance(0.5):
            code = self.one(list(ITEM_CODES))
            coding.missing = coding.said["missing_codes"] = {code: ITEM_CODES[code]}
        return coding

    def _exposures(self) -> list[Block]:
        found = []
        for name in self.mixed(("infection", "sleep_hours"))[: self.number(0, 2)]:
            column = self.stems.pop()
            rule: dict[str, Any] = {"field": column}
            levels = {}
            if name == "infection":
                levels = rule["coding"] = self.one([{"0": "no", "1": "yes"}, {"nein": "no", "ja": "yes"}])
            self.sections.setdefault("exposures", {})[name] = rule
            found.append(Block("exposures", name, 3, 11, Coding([column], {}), levels=levels))
        return found

    def _covariates(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for name in self.mixed(("age", "bmi", "sex", "smoker"))[: self.number(0, 3)]:
            found[name] = {"field": self.one([name, name.upper(), f"{name}_0", f"demo.{name}"])}
            if name == "sex":
                found[name]["coding"] = self.one([{"1": "female", "2": "male"}, {"w": "female", "m": "male"}])
            elif name == "smoker":
                found[name]["coding"] = {"TRUE": "yes", "FALSE": "no", "former": "former"}
        self.sections["covariates"] = found
        return found

    # -- who is left out ------------------------------------------------------------------------------------

    def exclude(self, rule: dict[str, Any]) -> str:
        """Add a rule under exclude and return its name."""
        rules = self.sections["exclude"]
        rules.append(rule | {"reason": f"reason {len(rules)}"})
        return f"exclude.{len(rules) - 1}"

    def row(self, sheet: Sheet, person: str, rule: str = "") -> Row:
        """Add a row to a sheet; by default it counts, unless its person is left out."""
        one = Row(person, {}, self.named.get(person, "") or rule, self.failed.get(person, ""))
        sheet.rows.append(one)
        return one

    def counts(self, row: Row) -> bool:
        """True where the row is not left out."""
        return not row.rule and not row.person_rule

    # -- cells ----------------------------------------------------------------------------------------------

    def coding_of(self, block: Block, session: str, own: dict[str, Coding]) -> Coding:
        """Return how a block stands in a table at a session; the table's own coding goes before others."""
        return own.get(block.name) or block.special.get(session) or block.usual

    def is_absent(self, person: str, share: float = 0.15) -> bool:
        """True for a session that a person missed; those who are left out and the last come always."""
        return person not in {*self.named, *self.failed, self.people[-1]} and self.chance(share)

    def sit(self, sheet: Sheet, row: Row, block: Block, coding: Coding, session: str,
            affix: tuple[str, str] = ("", ""), rule: str = "") -> None:  # fmt: skip
        """Answer a block; what counts (row and cells are not left out by a rule) becomes truth.

        Parameters
        ----------
        affix : tuple of str
            What stands before and behind the items' fields in the names of columns.
        rule : str
            By which rule the cells are left out.
        """
        names = [f"{affix[0]}{one}{affix[1]}" for one in coding.fields]
        if self.chance(0.08):
            return
        codes = coding.missing | sheet.missing
        values: dict[int, float] = {}
        for item, name in enumerate(names):
            fate = self.rng.random()
            if codes and fate < 0.06:
                code = self.one(list(codes))
                exact = self.chance(0.8) or not code.lstrip("-").isdigit()
                # A coding holds at its session only, and a row that a rule leaves out may be of none.
                known = CODED if code in sheet.missing else rule or CODED
                row.cells[name] = Cell(code if exact else f"{code}.0", known)
                if self.counts(row) and not rule and block.section == "instruments":
                    self.truth.reasons[row.person, session, block.name, item + 1] = codes[code]
            elif fate > 0.14:
                values[item] = self.number(block.low, block.high)
        if values and block.section == "instruments":
            # A wave without the lowest answer is asked about (`refuse_shifted`).
            values[self.one(list(values))] = block.low
        for item, value in values.items():
            cell, meaning = self.written(block, coding, value)
            row.cells[names[item]] = cell._replace(fate=rule or STORED)
            if not self.counts(row) or rule:
                continue
            if block.section == "instruments":
                self.truth.answers[row.person, session, block.name, item + 1] = value
            else:
                self.truth.exposures[row.person, session, block.name] = meaning

    def written(self, block: Block, coding: Coding, value: float) -> tuple[Cell, Any]:
        """Return the cell for an answer, and what it means."""
        if block.levels:
            code = self.one(list(block.levels))
            return Cell(code), block.levels[code]
        if block.section == "exposures":
            hours = value + self.one([0, 0.5, 0.25])
            return Cell(f"{hours:g}", decimal=True), hours
        code = int(value) - coding.offset
        if coding.words and self.chance(0.9):
            words = coding.words[int(value)]
            words = self.one([words, words, words.upper(), words.lower(), words.replace(" ", "  ")])
            return Cell(self.one(["{1}", "{1}", "{0} - {1}", "{0}: {1}", "{0} = {1}"]).format(code, words)), 0
        return Cell(f"{code}.0" if coding.pointed else str(code), decimal=True), 0

    def tell(self, row: Row, sheet: Sheet, names: Iterable[str], at: str = "") -> None:
        """Write a person's covariates into a row: each has one value, and may be blank on some rows.

        Parameters
        ----------
        at : str
            Session or event of the row; at others than the one from which a covariate is taken it differs.
        """
        missing = sheet.missing
        for name in names:
            rule = self.covariates[name]
            sheet.add(Column(rule["field"], rule["field"], choices=list(rule.get("coding", ()))))
            if rule.get("from", at) != at:
                other = self.as_cell(name, self.fact(name))
                row.cells[rule["field"]] = other._replace(fate=f"covariates.{name}.from")
                continue
            if (row.person, name) not in self.facts:
                fate = self.rng.random()
                self.facts[row.person, name] = "" if fate < 0.1 else "code" if fate < 0.2 else self.fact(name)
            fact = self.facts[row.person, name]
            if fact == "code":
                row.cells[rule["field"]] = Cell(self.one(list(missing)), CODED) if missing else Cell()
            elif fact and self.chance(0.9):
                row.cells[rule["field"]] = self.as_cell(name, fact)
                if self.counts(row):
                    self.truth.covariates[row.person, name] = fact

    def fact(self, name: str) -> Any:
        """Draw a covariate's value."""
        if "coding" in self.covariates[name]:
            return self.one(list(self.covariates[name]["coding"].values()))
        return float(self.number(18, 80)) if name == "age" else round(self.number(170, 400) / 10, 1)

    def as_cell(self, name: str, fact: Any) -> Cell:
        """Return a covariate's value as it is written."""
        if coding := self.covariates[name].get("coding"):
            return Cell(next(code for code, level in coding.items() if level == fact), STORED)
        return Cell(f"{fact:g}", STORED, decimal=True)

    # -- the account ----------------------------------------------------------------------------------------

    def account(self) -> dict[tuple[str, str], Counter[str]]:
        """Return (file, field) -> what must become of its cells; `?rule` of those with nothing in them.

        Of cells that are blank or have a missing code, the account may say so or name the rule.
        """
        counts: dict[tuple[str, str], Counter[str]] = {}
        for sheet in self.sheets:
            for column in (one for one in sheet.columns if one.field):
                count = counts.setdefault((sheet.file, column.field), Counter())
                for row in sheet.rows:
                    cell = row.cells.get(column.name, Cell())
                    rule = row.rule or column.rule or row.person_rule
                    if rule and cell.fate in (BLANK, CODED):
                        count[f"?{rule}"] += 1
                    else:
                        count[rule or cell.fate] += 1
        return counts

    def items_of(self, sheet: Sheet) -> list[str]:
        """Return the columns of a sheet that hold items of questionnaires, but of waves left out."""
        others = (*self.covariates.values(), *self.sections.get("exposures", {}).values())
        other = {one["field"] for one in others}
        if sheet.key.startswith(("assays", "expression")):
            return []
        return [one.name for one in sheet.columns if one.field and not one.rule and one.field not in other]

    def rules(self, sheet: Sheet) -> dict[str, Any]:
        """Return what study.yaml says of a sheet."""
        found: Any = self.sections
        for part in sheet.key.split("."):
            found = found[int(part) if part.isdigit() else part]
        return dict(found)

    def members(self) -> list[str]:
        """Return the people of whom a row counts, in order."""
        return sorted({row.person for one in self.sheets for row in one.rows if self.counts(row)})

    def rows(self) -> dict[str, Counter[str]]:
        """Return file -> rows that are stored, and those that each rule leaves out."""
        return {
            sheet.file: Counter(row.rule or row.person_rule or STORED for row in sheet.rows)
            for sheet in self.sheets
        }
