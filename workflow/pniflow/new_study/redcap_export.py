"""What a REDCap export holds: its questionnaires, and which events, endings or instances are the sessions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pniflow.errors import listing
from pniflow.new_study import draft as drafting
from pniflow.new_study.covariates import guess_covariates, guess_missing_codes
from pniflow.new_study.draft import Draft
from pniflow.new_study.occasions import Occasions
from pniflow.new_study.people import guess_exclusions
from pniflow.new_study.questionnaires import (
    Found,
    affix_keys,
    bare_ending,
    columns_of,
    guess_affixes,
    guess_instruments,
    not_recognized,
    word_of,
)
from pniflow.raw.text_tables import RawTable
from pniflow.study.fields import Field
from pniflow.study.redcap import EVENT, INSTANCE, REPEAT, is_labelled, names_of_labels, unique_event_name

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class Export:
    """A REDCap export as guessed.

    Attributes
    ----------
    table : RawTable
        With field names as its header.
    fields : dict
        Its data dictionary.
    names : (str, str)
        Of the export and the dictionary, for study.yaml.
    id : str
    found : list of Found
    affixes : list of (str, str)
        In a wide export what tells the sessions.
    events : dict
        Event -> word of its session, None without items; empty for an export without events.
    repeats : dict
        Repeating instrument or event -> instance (or event -> instance) -> word of its session; None where
        that could not be guessed.
    vocabularies : list of list of str
        The words of events, of endings, of instances.
    dates : dict
        Field -> word -> record -> date.
    people, arms : list of str
    exclude : list of dict
    open : list of str
        What could not be guessed.
    """

    table: RawTable
    fields: Mapping[str, Field]
    names: tuple[str, str]
    id: str
    found: list[Found]
    affixes: list[tuple[str, str]]
    events: dict[str, str | None] = field(default_factory=dict)
    repeats: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    vocabularies: list[list[str]] = field(default_factory=list)
    dates: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    people: list[str] = field(default_factory=list)
    arms: list[str] = field(default_factory=list)
    exclude: list[dict[str, Any]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    @property
    def origin(self) -> dict[str, str]:
        """No session has a file of its own."""
        return {}

    @property
    def items(self) -> set[str]:
        """Names of the items' fields."""
        return {column for one in self.found for column in columns_of(one)}

    def draft(self, draft: Draft, told: Occasions) -> list[str]:
        """Draft the section of the export and what comes from it; return the covariates that vary."""
        draft.add(0, "redcap")
        draft.add(2, "export", self.names[0])
        draft.add(2, "dictionary", self.names[1])
        draft.add(2, "id", self.id, "guess: the first field of the dictionary")
        affixes = {affix: told.names[word_of(affix)] for affix in self.affixes if not self.events}
        if self.events:
            draft.add(2, "events", comment="guess: null is an event without items of a questionnaire")
            for event, word in self.events.items():
                draft.add(4, event, None if word is None else told.names[word])
        for key, named in affix_keys(affixes).items():
            draft.add(2, key, named, "guess: beginnings or endings of field names")
        if self.repeats:
            draft.add(2, "repeats", comment="guess: instances in order; null is not guessed")
        for name, places in self.repeats.items():
            draft.add(4, name, None if places is None else _named(places, told))
        codes = guess_missing_codes(self.table, self.fields)
        draft.add(2, "missing_codes", codes, "guess: codes found; say why each is missing")
        visits = [
            one
            for one, words in self.dates.items()
            if one in self.fields and set(words) >= set(told.labels.values())
        ]
        if visits:
            draft.lines.append(
                f"  # dates: {{visit: {visits[0]}}}  # take the # away for the study day of each visit"
            )
        draft.lines.append("")
        names = drafting.covariates(draft, self.fields, self.items, self.arms)
        drafting.instruments(draft, self.found, affixes)
        if self.fields[self.id].identifier:
            draft.add(
                0, "pseudonymize", True, "the id is flagged as an identifier, so participants get new ids"
            )
        if not self.found:
            draft.open.append(
                "no questionnaire was recognized by its field names; add yours under instruments."
            )
        draft.open += self.open
        fields_of = {name: rule["field"] for name, rule in guess_covariates(self.fields).items()}
        there = {
            one: self.table.header.index(one)
            for one in fields_of.values()
            if self.table.header.count(one) == 1
        }
        frame = self.table.columns(there)
        varying = {one for one in there if frame[one][frame[one] != ""].nunique() > 1}
        return [name for name in names if fields_of[name] in varying]


def guess_export(table: RawTable, fields: Mapping[str, Field], name: str, dictionary: str) -> Export:
    """Guess what an export holds.

    Parameters
    ----------
    table : RawTable
        The export, codes or labels.
    fields : dict
        Its data dictionary.
    name, dictionary : str
        The files' names for study.yaml.
    """
    if is_labelled(table.header, fields):
        table = replace(table, header=tuple(names_of_labels(table.header, fields, table.name)))
    found = guess_instruments(fields)
    result = Export(table, fields, (name, dictionary), next(iter(fields)), found, guess_affixes(found))
    dated = [one for one in fields if fields[one].is_date] + [
        one for one in table.header if one.endswith("_timestamp")
    ]
    system = [EVENT, REPEAT, INSTANCE]
    wanted = dict.fromkeys([*system, result.id, *dated, *sorted(result.items)])
    frame = table.columns({one: table.header.index(one) for one in wanted if one in table.header})
    if EVENT in frame:
        frame[EVENT] = frame[EVENT].map(
            {
                one: unique_event_name(one) if "(" in one or " " in one else one
                for one in frame[EVENT].unique()
            }
        )
    if result.id in frame:
        result.people = list(frame[result.id])
        result.exclude, _ = guess_exclusions(frame[[result.id]], name, result.id)
    words = _words(result, frame)
    for one in dated if result.id in frame else ():
        if one in frame:
            given = frame[one].str.fullmatch(r"\d{4}-\d\d-\d\d.*") & (words != "")
            for row in frame.index[given]:
                by_word = result.dates.setdefault(one, {}).setdefault(words[row], {})
                by_word.setdefault(frame[result.id][row], frame[one][row][:10])
    coded = [one.name for one in fields.values() if one.kind in ("radio", "dropdown", "slider")]
    result.open += not_recognized(coded, found)
    return result


def _named(places: Mapping[str, Any], told: Occasions) -> dict[str, Any]:
    """Put the sessions in the place of their words."""
    return {
        one: _named(word, told) if isinstance(word, Mapping) else told.names[word]
        for one, word in places.items()
    }


def _words(export: Export, frame: pd.DataFrame) -> pd.Series:
    """Find the words of the sessions; return the word of each row, blank without one."""
    import pandas as pd

    items = [one for one in frame if one in export.items]
    words = pd.Series("", index=frame.index, dtype="str")
    frame = frame.assign(unit=_units(frame))
    frame["answered"] = (frame[items] != "").any(axis=1) if items else True
    single = {
        str(name)
        for name, rows in frame[frame["unit"] != ""].groupby("unit", sort=False)
        if items and rows["answered"].any() and EVENT in rows and set(rows[INSTANCE]) == {"1"}
    }
    if EVENT in frame:
        plain = frame[frame["answered"] & ((frame["unit"] == "") | frame["unit"].isin(single))]
        asked = list(dict.fromkeys(plain[EVENT]))
        meant = {one: re.sub(r"_arm_\d+$", "", one).replace("_", " ") for one in frame[EVENT].unique()}
        export.events = {one: meant[one] if one in asked else None for one in meant}
        export.vocabularies.append(list(dict.fromkeys(meant[one] for one in asked)))
        words = frame[EVENT].map({one: word or "" for one, word in export.events.items()}).astype("str")
        for name in single:
            events = frame[EVENT][frame["unit"] == name].unique()
            nested = {event: {"1": meant[event]} for event in events if event in asked}
            export.repeats[name] = {"1": meant[name]} if name in meant else nested
        _see_arms(export, frame)
    elif export.affixes:
        bare = ["first"] if any(one.bare for one in export.found) else []
        export.vocabularies.append([*bare, *map(word_of, export.affixes)])
        export.open += bare_ending(export.found, export.names[0])
    if items:
        words = _repeated(export, frame[~frame["unit"].isin(["", *single])], words)
    if further := sorted({*frame["unit"]} - {"", *export.repeats}):
        export.open.append(
            f"what repeats without items of a questionnaire is of ({listing(further)}); to read its "
            "fields, say under redcap.repeats which instance is which session."
        )
    return words


def _units(frame: pd.DataFrame) -> pd.Series:
    """Return the repeating instrument or event that each row is an instance of; blank for others."""
    import pandas as pd

    blank = pd.Series("", index=frame.index, dtype="str")
    if REPEAT not in frame or INSTANCE not in frame:
        return blank
    form = frame[REPEAT].map(lambda label: re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_"))
    event = frame.get(EVENT, blank)
    return form.where((form != "") | (frame[INSTANCE] == ""), event).astype("str")


def _see_arms(export: Export, frame: pd.DataFrame) -> None:
    """Note the arms of the events; records that stand in several are to be decided on."""
    numbers = frame[EVENT].str.extract(r"_arm_(\d+)$")[0]
    export.arms = sorted(set(numbers.dropna()))
    several = int((numbers.groupby(frame[export.id]).nunique() > 1).sum()) if export.id in frame else 0
    if several:
        export.arms = []
        export.open.append(
            f"to which arm {several} records belong that stand in several; leave out the rows of one arm "
            "under exclude (column redcap_event_name), or give two people two ids."
        )


def _repeated(export: Export, frame: pd.DataFrame, words: pd.Series) -> pd.Series:
    """Take instances 1 to n of what repeats for sessions, where they are all or as many as there are."""
    sessions = len(export.vocabularies[0]) if export.vocabularies else 0
    units = {str(name): rows for name, rows in frame.groupby("unit", sort=False) if rows["answered"].any()}
    counts = {
        name: sorted({int(one) for one in rows[INSTANCE] if one.isdigit()}) for name, rows in units.items()
    }
    most = sessions or max(map(len, counts.values()), default=0)
    taken = False
    for name, rows in units.items():
        once = EVENT not in rows or rows[EVENT].nunique() == 1
        if counts[name] == list(range(1, most + 1)) and once:
            taken = True
            export.repeats[name] = {str(one): f"instance {one}" for one in counts[name]}
            words = words.where(
                ~words.index.isin(rows.index), "instance " + rows[INSTANCE].reindex(words.index)
            )
            continue
        export.repeats[name] = None
        where = "" if once else ", in several events: instrument -> event -> instance -> session"
        export.open.append(
            f"which session each instance of {name} is (instances {listing(counts[name])}{where}); say so at "
            f"redcap.repeats.{name}."
        )
    if taken:
        export.vocabularies.append([f"instance {one}" for one in range(1, most + 1)])
    return words
