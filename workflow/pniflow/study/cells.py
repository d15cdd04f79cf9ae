"""The account of the study's tables: every cell that was read, and where in the tables it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pniflow.questionnaires.keys import Key
from pniflow.raw.account import Line, account_table, require_balance
from pniflow.study.codings import coding_of
from pniflow.study.dates import DAY, since
from pniflow.study.records import Records
from pniflow.study.sources import Sources

if TYPE_CHECKING:
    import pandas as pd


def account_of(
    sources: Sources,
    sheets: Mapping[str, Records],
    study: Mapping[str, Any],
    keys: Mapping[str, Key],
    tables: Mapping[str, pd.DataFrame],
    unread: Sequence[Line] = (),
) -> pd.DataFrame:
    """Look every cell that was read up in the tables that were made of them.

    Parameters
    ----------
    sources : Sources
    sheets : dict of str to Records
        The laboratory's tables.
    study : dict
        The checked study.yaml.
    keys : dict
        Instrument -> its key.
    tables : dict of str to DataFrame
        Participants, sessions, samples, responses and assays.
    unread : sequence of Line, optional
        Files of the study's folders that nothing reads.

    Returns
    -------
    DataFrame
        As in the contract account.

    Raises
    ------
    InputError
        A cell with text is in none of the tables, and no rule leaves it out.
    """
    lines: list[Line] = []
    remedies = {}
    stages = _Stages(study, keys, tables)
    for one in sources.records:
        lines += [*_rows(one), *_lines(one, stages.fates_of(one)), *_dates(one)]
        remedies[one.source] = one.remedy
    for key, one in sheets.items():
        fates = {name: _Fate.of(one, np.array(one.cells[name] != "")) for name in map(str, one.cells)}
        section, _, assay = key.partition(".")
        if section == "assays":
            fates[study[section][assay]["columns"]["value"]].stored &= stages.has_assay(one, assay)
        lines += [*_rows(one), *_lines(one, fates)]
    require_balance(lines, _counts([*sources.records, *sheets.values()]), remedies)
    return account_table([*lines, *unread, *_people(sources, sheets, tables["participants"])])


def _counts(records: Iterable[Records]) -> dict[tuple[str, str], int]:
    """Return (file, field) -> cells, as they were counted when the file was read."""
    counts: dict[tuple[str, str], int] = {}
    for one in records:
        for name, (cells, _) in one.counts.items():
            place = (one.source, _shown(name))
            counts[place] = counts.get(place, 0) + cells
    return counts


@dataclass
class _Fate:
    """What became of a field's cells: stored, missing by a code, left out by a rule; shape (n,)."""

    stored: NDArray[np.bool_]
    missing: NDArray[np.bool_]
    rule: NDArray[np.object_]

    @classmethod
    def of(cls, one: Records, stored: NDArray[np.bool_] | None = None) -> _Fate:
        """Begin with what is stored (nothing), and the rules by which rows have no session."""
        n = len(one.participant)
        rule = np.full(n, "", dtype=object) if one.ruled is None else np.array(one.ruled, dtype=object)
        return cls(np.zeros(n, dtype=bool) if stored is None else stored, np.zeros(n, dtype=bool), rule)


@dataclass(frozen=True)
class _Stages:
    """What study.yaml makes of fields, and the tables that were made."""

    study: Mapping[str, Any]
    keys: Mapping[str, Key]
    tables: Mapping[str, pd.DataFrame]

    def fates_of(self, one: Records) -> dict[str, _Fate]:
        """Return what became of the cells of each field of a file."""
        fates = {str(name): _Fate.of(one) for name in one.cells}
        people = self.tables["participants"]
        for name, about in self.study["covariates"].items():
            if about["field"] in fates:
                fate = fates[about["field"]]
                at = np.array(one.participant.isin(people["participant_id"][people[name].notna()]))
                if "from" in about:
                    here = ((one.event == about["from"]) | (one.session == about["from"])).to_numpy()
                    fate.rule = np.where(here, "", f"covariates.{name}.from").astype(object)
                    at &= here
                fate.stored |= at
        for name, column in self._of_sessions():
            if name in fates:
                sessions = self.tables["sessions"]
                fates[name].stored |= _place(one, sessions[sessions[column].notna()]) >= 0
        for name in self.study["instruments"]:
            self._answered(one, name, fates)
        return fates

    def _of_sessions(self) -> Iterator[tuple[str, str]]:
        """Yield (field, column) of what is stored by session."""
        yield DAY, "day"
        for name, about in self.study["exposures"].items():
            yield about.get("field", since(name)), name

    @cached_property
    def _responses(self) -> dict[str, tuple[pd.DataFrame, NDArray[np.bool_]]]:
        """Instrument -> its participant-sessions, shape (n,), and which items are answered, (n, items)."""
        table = self.tables["responses"]
        given = np.isfinite(table["value"].to_numpy())
        # An instrument's items stand together, in their order.
        first = np.flatnonzero(table["item"].to_numpy() == 1)
        rows = table[["participant_id", "session_id", "instrument"]].iloc[first]
        found = {}
        for name in self.study["instruments"]:
            at = (rows["instrument"] == name).to_numpy()
            found[name] = rows[at], given[first[at][:, None] + np.arange(self.keys[name].items)]
        return found

    def _answered(self, one: Records, name: str, fates: Mapping[str, _Fate]) -> None:
        """Mark the items of an instrument that are among the responses."""
        rule, own = self.study["instruments"][name], one.own.get(name, {})
        total = rule.get("total")
        if total in fates:
            # The total of the export is recomputed and compared, not stored.
            here = fates[total].rule == ""
            fates[total].rule = np.where(here, f"instruments.{name}.total", fates[total].rule)
        if own is None:
            return
        codings = {
            session: coding_of(rule, self.keys[name], session, own, one.key)
            for session in ("", *rule["sessions"])
        }
        codings = {session: coding for session, coding in codings.items() if set(coding.fields) <= set(fates)}
        if not codings:
            return
        sittings, values = self._responses[name]
        place = _place(one, sittings)
        for session, coding in codings.items():
            at = one.session == session if session else ~one.session.isin(list(rule["sessions"]))
            here = at.to_numpy() & (place >= 0)
            coded = one.only(list(dict.fromkeys(coding.fields))).without_missing_codes(coding.missing)
            for item, column in enumerate(coding.fields):
                fates[column].stored[here] |= values[place[here], item]
                if coding.missing:
                    fates[column].missing |= at.to_numpy() & (coded.cells[column] == "").to_numpy()

    def has_assay(self, one: Records, name: str) -> NDArray[np.bool_]:
        """Return the rows with a value (or the limit that it is below) among the assays."""
        table = self.tables["assays"]
        given = table[(table["assay"] == name) & (table["value"].notna() | table["below_limit"])]
        return _place(one, given) >= 0


def _place(one: Records, table: pd.DataFrame) -> NDArray[np.intp]:
    """Return each row's place among the participant-sessions of a table; -1 where it is not among them."""
    import pandas as pd

    people, sessions = (pd.Index(table[name].unique()) for name in ("participant_id", "session_id"))

    def number(participant: pd.Series, session: pd.Series) -> NDArray[np.intp]:
        who, when = people.get_indexer(participant), sessions.get_indexer(session)
        return np.where((who >= 0) & (when >= 0), who * len(sessions) + when, -1)

    # The last one is the place of rows that are not among them.
    place = np.full(len(people) * len(sessions) + 1, -1)
    place[number(table["participant_id"], table["session_id"])[::-1]] = np.arange(len(table))[::-1]
    return place[number(one.participant, one.session)]


def _lines(one: Records, fates: Mapping[str, _Fate]) -> Iterator[Line]:
    """Yield the lines of each field: a line for each session, and one for each rule."""
    place, sessions = one.session.factorize()
    asides = [(left, Counter(left.session)) for left in one.aside]
    for name, fate in fates.items():
        exists = one.exists(name)
        given = (one.cells[name] != "").to_numpy()
        missing = fate.missing & given & ~fate.stored
        if name in one.reasons:
            missing |= one.reasons[name].notna().to_numpy() & ~given
        stored = given & fate.stored
        rest = given & ~stored & ~missing
        ruled = exists & (np.where(rest, fate.rule, "") != "") if rest.any() else rest
        plain = exists & ~ruled
        counts = [
            np.bincount(place[hit], minlength=len(sessions))
            for hit in (exists, plain, plain & stored, plain & ~given & ~missing, plain & missing)
        ]
        for number, at in enumerate(map(str, sessions)):
            there, cells, kept, blank, coded = (int(count[number]) for count in counts)
            if not there:
                continue
            yield Line(one.source, _shown(name), at, cells, stored=kept, blank=blank, missing_code=coded)
            for by, n in Counter(fate.rule[ruled & (place == number)] if ruled.any() else ()).items():
                yield Line(one.source, _shown(name), at, n, left_out=n, rule=str(by), reason=_why(str(by)))
        for left, rows in asides:
            if name in left.cells:
                for session, n in rows.items():
                    blank, out = (0, n) if left.rule else (n, 0)
                    yield Line(one.source, _shown(name), session, n, blank=blank, left_out=out,
                               rule=left.rule, reason=left.reason)  # fmt: skip


def _why(rule: str) -> str:
    if rule.endswith(".from"):
        return "taken from one event or session"
    return "recomputed and compared" if rule.endswith(".total") else "an event without measures"


def _shown(name: str) -> str:
    """Return the name of a field; days that were made of a date by what they are."""
    return "study day" if name == DAY else name.replace("\0since ", "days since ")


def _dates(one: Records) -> Iterator[Line]:
    """Yield the lines of fields with dates, of which only days are stored."""
    for name, (cells, given) in one.counts.items():
        if name and name not in one.cells and DAY in one.cells:
            yield Line(one.source, name, "", cells, blank=cells - given, left_out=given, rule="redcap.dates",
                       reason="only days leave ingestion")  # fmt: skip


def _rows(one: Records) -> Iterator[Line]:
    """Yield the lines of a file's rows."""
    rows = one.counts[""][0]
    left: dict[str, int] = {}
    why: dict[str, str] = {}
    for aside in one.aside:
        if aside.rows and aside.rule:
            left[aside.rule] = left.get(aside.rule, 0) + len(aside.participant)
            why[aside.rule] = aside.reason
    kept = rows - sum(left.values())
    yield Line(one.source, "", "", kept, stored=kept)
    for rule, n in left.items():
        yield Line(one.source, "", "", n, left_out=n, rule=rule, reason=why[rule])


def _people(sources: Sources, sheets: Mapping[str, Records], participants: pd.DataFrame) -> Iterator[Line]:
    """Yield the lines of people: who is in the study, and whom rules leave out."""
    known = set(participants["participant_id"])
    left: dict[str, tuple[str, str]] = {}
    for one in (*sources.records, *sheets.values()):
        for aside in one.aside:
            if aside.rule.startswith("exclude."):
                left |= {name: (aside.rule, aside.reason) for name in aside.participant if name not in known}
    yield Line("", "", "", len(known), stored=len(known))
    for rule, reason in dict.fromkeys(left.values()):
        n = sum(place == (rule, reason) for place in left.values())
        yield Line("", "", "", n, left_out=n, rule=rule, reason=reason)
