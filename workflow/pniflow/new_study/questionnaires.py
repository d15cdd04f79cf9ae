"""Questionnaires recognized by the names of their items, and what looks like items and was not recognized."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pniflow import resources
from pniflow.errors import listing
from pniflow.questionnaires.keys import Key, read_key
from pniflow.study.fields import Field


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
    affix : (str, str)
        Beginning and ending of `fields` that tell the session.
    affixes : list of (str, str)
        In a wide export the beginnings and endings that tell sessions apart.
    bare : bool
        Whether its items stand without any beside those with an ending.
    otherwise : dict
        Beginning and ending -> names of the items there, where they are not `named`.
    offset : int
        What brings the dictionary's codes to the instrument's range.
    lowest : bool
        Whether somebody gave the lowest answer of the instrument.
    open : list of str
        What could not be guessed.
    """

    instrument: str
    fields: list[str]
    named: str | list[str]
    affix: tuple[str, str] = ("", "")
    affixes: list[tuple[str, str]] = field(default_factory=list)
    bare: bool = False
    otherwise: dict[tuple[str, str], str | list[str]] = field(default_factory=dict)
    offset: int = 0
    lowest: bool = True
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
        fitting = _keys_for(group.stem, items, keys)
        if not fitting or taken & set(items.values()):
            continue
        key = fitting[0]
        ordered = [items[item] for item in range(1, key.items + 1)]
        taken |= set(ordered)
        described = _described(fitting, group, ordered, fields)
        one = found.setdefault(key.name, described)
        if any(group.affix):
            one.affixes.append(group.affix)
        one.bare = bool(one.affixes) and (one.bare or not any(one.affix) or not any(group.affix))
        if described.named != one.named:
            one.otherwise[group.affix] = described.named
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
_TAIL = r"(\d+)(\]?)((?:[_. -][A-Za-z]\w*|[tT]\d)?)"


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


def _keys_for(stem: str, items: Mapping[int, str], keys: Sequence[Key]) -> list[Key]:
    """Return the instruments whose name the fields begin with and whose items they are, 1 to n."""
    word = _bare(stem)
    return [
        key
        for key in keys
        if word in (*key.document["field_names"], key.name.replace("_", ""))
        and set(items) == set(range(1, key.items + 1))
    ]


def _bare(stem: str) -> str:
    """Return the word that items begin with; LimeSurvey writes PSS[SQ001], others PSS item 1."""
    return _word(re.sub(r"[\W_]+(item|question|frage|q)[\W_]*$", "", stem.split("[")[0], flags=re.IGNORECASE))


def _described(
    fitting: Sequence[Key], group: Group, ordered: list[str], fields: Mapping[str, Field]
) -> Found:
    key, *others = fitting
    named: str | list[str] = [name[len(group.before) : len(name) - len(group.after)] for name in ordered]
    for width, place in ((1, "{item}"), (2, "{item:02}"), (3, "{item:03}")):
        if named == [f"{group.stem}{item:0{width}}{group.close}" for item in range(1, key.items + 1)]:
            named = f"{group.stem}{place}{group.close}"
    one = Found(key.name, ordered, named, group.affix)
    if others:
        forms = listing([other.name for other in others])
        one.open.append(
            f"which form of {key.name} it is; names and number of its fields are also those of {forms}."
        )
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


def bare_ending(found: Sequence[Found], name: str) -> list[str]:
    """Return a sentence for questionnaires whose items stand without an ending beside those with one."""
    return [
        f"of which session {one.fields[0]} to {one.fields[-1]} of {name} are, while others end in "
        f"'{one.affixes[0][0] or one.affixes[0][1]}'; give their columns an "
        "ending too (_T1) in a copy, and map it."
        for one in found
        if one.bare
    ]


def word_of(affix: tuple[str, str]) -> str:
    """Return the session's own word in a beginning or ending: T1 of T1_."""
    return "".join(affix).strip("_. -")


def affix_keys(sessions: Mapping[tuple[str, str], str]) -> dict[str, dict[str, str]]:
    """Return the keys `prefixes` and `suffixes` of study.yaml, where there are such, for affix -> session."""
    keys = {
        key: {affix[place]: session for affix, session in sessions.items() if affix[place]}
        for place, key in enumerate(("prefixes", "suffixes"))
    }
    return {key: named for key, named in keys.items() if named}


def columns_of(one: Found) -> set[str]:
    """Return the columns of a questionnaire's items, of all sessions."""
    before, after = one.affix
    bare = [name[len(before) : len(name) - len(after)] for name in one.fields]
    columns = {f"{start}{name}{end}" for start, end in one.affixes for name in bare}
    for (start, end), named in one.otherwise.items():
        own = (
            [named.format(item=item) for item in range(1, len(bare) + 1)] if isinstance(named, str) else named
        )
        columns |= {f"{start}{name}{end}" for name in own}
    return columns | set(one.fields)


def not_recognized(names: Sequence[str], found: Sequence[Found]) -> list[str]:
    """Return a sentence for each group of numbered columns that no questionnaire was recognized in.

    Parameters
    ----------
    names : list of str
        Columns that may hold answers.
    found : list of Found
    """
    taken = {column for one in found for column in columns_of(one)}
    groups: dict[tuple[str, str], list[str]] = {}
    for name in names:
        match = re.fullmatch(r"(.*?)(\d+)(\D*)", name) or re.fullmatch(r"(.*\D)(\d+)(.*)", name)
        if match and name not in taken:
            wide = re.fullmatch(rf"(.*?){_TAIL}", name)
            stem, tail = (wide[1], wide[4]) if wide else (match[1], match[3])
            groups.setdefault((stem, tail), []).append(name)
    sentences = []
    for (stem, _), columns in groups.items():
        if len(columns) < 3:
            continue
        like = [
            key for key in _keys() if _bare(stem) in (*key.document["field_names"], key.name.replace("_", ""))
        ]
        hint = " or ".join(f"{key.name} has {key.items} items" for key in like)
        sentences.append(
            f"what {columns[0]} to {columns[-1]} are ({len(columns)} columns"
            + (f"; {hint}" if hint else "")
            + "); name them under instruments, with a key of your own if none fits (docs/questionnaires.md)."
        )
    return sentences
