"""Guesses at what an export holds, for a first study.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pniflow import resources
from pniflow.errors import InputError
from pniflow.questionnaires.keys import Key, read_key
from pniflow.study.fields import Field
from pniflow.study.rawtables import RawTable, numbers
from pniflow.study.redcap import EVENT, unique_event_name

# Covariate -> what its field is called.
_COVARIATES = {
    "age": r"^(age|alter)(_|$)",
    "sex": r"^(sex|gender|geschlecht)(_|$)",
    "bmi": r"^bmi(_|$)|body_mass",
    "edss": r"(^|_)edss(_|$)",
    "b_cell_depletion": r"b_?cell|anti_?cd20|ocreliz|rituxi",
    "education": r"^educ|^bildung",
    "smoking": r"^smok|tobacco|^rauch",
    "site": r"^(site|centre|center)(_|$)",
    "arm": r"^(arm|group|gruppe|condition|randomi[sz]ation)(_|$)",
    "completed_course": r"complete[d]?_(course|program|study)|(course|program|study)_complete[d]?",
}
_UNITS = {"age": "years", "bmi": "kg/m2"}
_ABSENT = re.compile(
    r"refus|unknown|don.?t know|not (asked|applicable|recorded|known)|missing|no answer|n/?a\b", re.I
)


@dataclass
class Found:
    """An instrument recognized in a dictionary.

    Attributes
    ----------
    instrument : str
    fields : list of str
        Its fields in the order of its items; in a wide export those of its first session.
    named : str or list of str
        What study.yaml says: their common name with {item}, without what tells sessions apart.
    affixes : list of (str, str)
        In a wide export the beginning and ending that tell sessions apart.
    offset : int
        What brings the dictionary's codes to the instrument's range.
    open : list of str
        What could not be guessed.
    """

    instrument: str
    fields: list[str]
    named: str | list[str]
    affixes: list[tuple[str, str]] = field(default_factory=list)
    offset: int = 0
    comment: str = "guess"
    open: list[str] = field(default_factory=list)


def guess_instruments(fields: Mapping[str, Field]) -> list[Found]:
    """Recognize instruments by the beginnings of field names and the number of fields.

    Returns
    -------
    list of Found
        One per instrument, in the dictionary's order; of a wide export, the first session's fields.
    """
    keys = _keys()
    place = {name: at for at, name in enumerate(fields)}
    asked = [name for name, one in fields.items() if one.kind in ("radio", "dropdown", "text", "slider")]
    groups = _item_groups(asked)
    found: dict[str, Found] = {}
    taken: set[str] = set()
    for group in sorted(groups, key=lambda group: min(place[name] for name in groups[group].values())):
        items = groups[group]
        key = _key_for(group.stem, items, keys)
        if key is None or taken & set(items.values()):
            continue
        ordered = [items[item] for item in range(1, key.items + 1)]
        taken |= set(ordered)
        one = found.setdefault(key.name, _described(key, group, ordered, fields))
        if any(group.affix):
            one.affixes.append(group.affix)
    for key in (key for key in keys if key.document["totals_only"]):
        named = [name for name in fields if _word(name) in key.document["field_names"]]
        if named:
            found[key.name] = Found(key.name, named[:1], named[0])
    return list(found.values())


@resources.cached
def _keys() -> list[Key]:
    return [read_key(path.stem) for path in resources.files("instruments")]


def _word(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


class Group(NamedTuple):
    """Field names that differ in one number: what tells the session, and what stands about the number."""

    before: str
    stem: str
    close: str
    after: str

    @property
    def affix(self) -> tuple[str, str]:
        """What tells the session."""
        return self.before, self.after


SESSION = r"t\d+|pre|post|baseline|bl|fu\d*|follow_?up\d*|week_?\d+|vor|nach"
_TAIL = r"(\d+)(\]?)((?:_[A-Za-z]\w*)?)"


def _item_groups(names: Iterable[str]) -> dict[Group, dict[int, str]]:
    """Group field names that differ in one number: group -> item -> name."""
    groups: dict[Group, dict[int, str]] = {}
    for name in names:
        before = re.match(rf"(?:{SESSION})[_.]", name, re.IGNORECASE)
        for start in {"", before[0] if before else ""}:
            shapes = (rf"(.*?){_TAIL}", rf"(.*[^\d]){_TAIL}")
            rest = name.removeprefix(start)
            for stem, item, close, after in {
                match.groups() for shape in shapes if (match := re.fullmatch(shape, rest))
            }:
                groups.setdefault(Group(start, stem, close, after), {}).setdefault(int(item), name)
    return groups


def _key_for(stem: str, items: Mapping[int, str], keys: Sequence[Key]) -> Key | None:
    """Return the instrument whose name the fields begin with and whose items they are, 1 to n."""
    # LimeSurvey writes PSS[SQ001], others PSS item 1.
    bare = re.sub(r"[\W_]+(item|question|frage|q)[\W_]*$", "", stem.split("[")[0], flags=re.IGNORECASE)
    word = _word(bare)
    for key in keys:
        if word in (*key.document["field_names"], key.name.replace("_", "")) and set(items) == set(
            range(1, key.items + 1)
        ):
            return key
    return None


def _described(key: Key, group: Group, ordered: list[str], fields: Mapping[str, Field]) -> Found:
    named: str | list[str] = [name[len(group.before) : len(name) - len(group.after)] for name in ordered]
    for width, place in ((1, "{item}"), (2, "{item:02}"), (3, "{item:03}")):
        if named == [f"{group.stem}{item:0{width}}{group.close}" for item in range(1, key.items + 1)]:
            named = f"{group.stem}{place}{group.close}"
    one = Found(key.name, ordered, named)
    codes = [int(code) for code in fields[ordered[0]].choices if re.fullmatch(r"\d", code)]
    if codes and max(codes) - min(codes) != key.high - key.low:
        given = f"{min(codes)} to {max(codes)}"
        one.open.append(
            f"{key.name} goes from {key.low:g} to {key.high:g}, but its fields are coded {given}."
        )
    elif codes and min(codes) != key.low:
        one.offset = int(key.low) - min(codes)
        one.comment = f"guess: codes begin at {min(codes)}, the instrument at {key.low:g}"
    if key.document["response_codings"]:
        ways = ", ".join(key.document["response_codings"])
        one.open.append(f"how the responses to {key.name} are coded; add response_coding ({ways}).")
    return one


def guess_affixes(found: Sequence[Found]) -> list[tuple[str, str]]:
    """Return the beginnings and endings by which a wide export tells its sessions, in the fields' order."""
    return list(dict.fromkeys(affix for one in found for affix in one.affixes))


def affix_keys(sessions: Mapping[tuple[str, str], str]) -> dict[str, dict[str, str]]:
    """Return the keys `prefixes` and `suffixes` of study.yaml, where there are such, for affix -> session."""
    keys = {
        key: {affix[place]: session for affix, session in sessions.items() if affix[place]}
        for place, key in enumerate(("prefixes", "suffixes"))
    }
    return {key: named for key, named in keys.items() if named}


def guess_sessions(
    table: RawTable, items: Sequence[str], affixes: Sequence[tuple[str, str]]
) -> tuple[dict[str, str], dict[str, str | None]]:
    """Guess the sessions from the events at which items were answered, in the export's order.

    Returns
    -------
    sessions : dict
        Session -> its label.
    events : dict
        Event -> session, or None for an event without items; empty for an export without events.
    """
    if EVENT not in table.header:
        labels = [word_of(affix) for affix in affixes] or ["only session"]
        return dict(zip(session_names(labels), labels, strict=True)), {}
    present = {name: table.header.index(name) for name in items if name in table.header}
    frame = table.columns({EVENT: table.header.index(EVENT)} | present)
    names = {
        label: unique_event_name(label) if "(" in label or " " in label else label
        for label in frame[EVENT].unique()
    }
    answered = (frame[list(present)] != "").any(axis=1) if present else frame[EVENT] != ""
    asked = set(frame[EVENT][answered])
    words = list(
        dict.fromkeys(re.sub(r"_arm_\d+$", "", unique) for label, unique in names.items() if label in asked)
    )
    sessions = dict(zip(words, session_names(words), strict=True))
    events = {
        unique: sessions.get(re.sub(r"_arm_\d+$", "", unique)) if label in asked else None
        for label, unique in names.items()
    }
    return {session: word.replace("_", " ") for word, session in sessions.items()}, events


def word_of(affix: tuple[str, str]) -> str:
    """Return the session's own word in a beginning or ending: T1 of T1_."""
    return "".join(affix).strip("_.")


def guess_day(label: str) -> int | None:
    """Guess the study day of an event from its name: baseline, day 14, week 8."""
    label = label.lower()
    if re.search(r"baseline|\bpre\b|enrol", label):
        return 0
    match = re.search(r"\b(day|week)s? ?(\d+)\b|\b(\d+) ?(day|week)s?\b", label)
    if match is None:
        return None
    return int(match[2] or match[3]) * {"day": 1, "week": 7}[match[1] or match[4]]


def session_names(words: Sequence[str]) -> list[str]:
    """Name sessions as in BIDS; the first is ses-pre, of two the other is ses-post."""
    if len(words) <= 2:
        return ["ses-pre", "ses-post"][: len(words)]
    names = [
        "pre",
        *(re.sub(r"[^a-z0-9]", "", word.lower()) or f"s{at}" for at, word in enumerate(words[1:], 2)),
    ]
    return [f"ses-{name}" if names.index(name) == at else f"ses-{name}{at}" for at, name in enumerate(names)]


def guess_covariates(fields: Mapping[str, Field]) -> dict[str, dict[str, Any]]:
    """Guess covariates by the names of fields that may leave ingestion."""
    found: dict[str, dict[str, Any]] = {}
    for name, shape in _COVARIATES.items():
        for one in fields.values():
            if one.refusal or one.kind == "checkbox" or not re.search(shape, one.name.lower()):
                continue
            rule: dict[str, Any] = {"field": one.name}
            choices = {code: label for code, label in one.choices.items() if not _ABSENT.search(label)}
            if choices:
                rule["coding"] = {code: _level(label, code) for code, label in choices.items()}
            elif name in _UNITS:
                rule["unit"] = _UNITS[name]
            found[name] = rule
            break
    return found


def _level(label: str, code: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")[:30].strip("_") or code


def guess_missing_codes(table: RawTable, fields: Mapping[str, Field]) -> dict[str, str]:
    """Guess missing codes: choices that say so, and negative codes in items and validated numbers."""
    found: dict[str, str] = {}
    for one in fields.values():
        for code, label in one.choices.items():
            if one.kind in ("radio", "dropdown") and code.startswith("-") and _ABSENT.search(label):
                found.setdefault(code, label.lower())
    checked = [
        one.name
        for one in fields.values()
        if one.name in table.header
        and (one.kind in ("radio", "dropdown") or one.validation in ("integer", "number"))
    ]
    frame = table.columns({name: table.header.index(name) for name in checked})
    for name in checked:
        values, _ = numbers(frame[name])
        for value in np.unique(values[values < 0]):
            text = f"{value:g}"
            if text not in fields[name].choices:
                found.setdefault(text, "not stated")
    return dict(sorted(found.items()))


def guess_unit(matrix: Path) -> tuple[str, list[str]]:
    """Guess what a matrix holds from its numbers; return the unit and the samples' names."""
    from pniflow.expression.matrix import read_blocks, read_layout, samples_of

    layout = read_layout(matrix)
    blocks = read_blocks(layout)
    first = next(blocks)
    values = first.values[np.isfinite(first.values)]
    if not len(values):
        raise InputError(f"{matrix.name}: the matrix has no values.")
    whole = (values % 1 == 0).all() and (values >= 0).all()
    unit = "counts" if whole else "log2" if values.max() < 30 else "tpm"
    if layout.genes_are_rows:
        return unit, samples_of(layout)
    return unit, [label for block in (first, *blocks) for label in block.labels]


def guess_samples(samples: Sequence[str]) -> list[tuple[str, str, str, str]]:
    """Draft the sample sheet: names as in BIDS are taken apart, others are left to be filled in."""
    rows = []
    for name in samples:
        match = re.search(r"(sub-[A-Za-z0-9]+)[_.](ses-[A-Za-z0-9]+)", name)
        rows.append((name, match[1] if match else "", match[2] if match else "", ""))
    return rows


def scan_sessions(folder: Path | None) -> list[str]:
    """Return the sessions that the names of CAT12's files give, as in BIDS."""
    if folder is None:
        return []
    named = (
        re.search(r"sub-[A-Za-z0-9]+_(ses-[A-Za-z0-9]+)", path.name) for path in folder.rglob("cat*.xml")
    )
    return sorted({match[1] for match in named if match})
