"""Where a study's records come from: a REDCap export, plain tables, a BIDS tree.
Each gives the named fields as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pniflow.errors import InputError, listing, nearest
from pniflow.questionnaires.keys import Key
from pniflow.raw.text_tables import inside, read_raw
from pniflow.study.affixes import affixes_of
from pniflow.study.bids import read_bids
from pniflow.study.codings import codings_of
from pniflow.study.fields import Field
from pniflow.study.layouts import Layout, read_rows
from pniflow.study.records import Records
from pniflow.study.redcap import read_redcap
from pniflow.study.rows import reasons_of

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Sources:
    """All records of a study.

    Attributes
    ----------
    records : tuple of Records
        In the order REDCap, participants table, BIDS, further tables, so that the first lists the people
        where one does; a field may lie in several of them (a table per session).
    registers : bool
        True where one of them lists the participants, so that an unknown id elsewhere is a mistake.
    """

    records: tuple[Records, ...]
    registers: bool

    def holding(self, name: str, numeric: bool = False) -> Records:
        """Return the rows of all records that hold a field, under each other.

        Parameters
        ----------
        name : str
        numeric : bool
            True where it holds numbers: each file has its own marks of decimals and thousands.
        """
        found = [one for one in self.records if name in one.cells]
        if len(found) == 1:
            return found[0]
        found = [one.only([name]) for one in found]
        return _stacked([one.with_points(name) for one in found] if numeric else found)

    def without_people(self, people: Mapping[str, str], study: Mapping[str, Any]) -> Sources:
        """Leave out all rows of some people: participant -> rule of study.yaml."""
        if not people:
            return self
        why = reasons_of(study)
        records = []
        for one in self.records:
            for rule in dict.fromkeys(people.values()):
                rows = one.participant.map(people).eq(rule).to_numpy(dtype=bool)
                one = one.without(rows, rule, why[rule])
            records.append(one)
        return replace(self, records=tuple(records))


def _stacked(found: list[Records]) -> Records:
    import pandas as pd

    fields: dict[str, Field] = {}
    for one in reversed(found):
        fields |= one.fields
    names = dict.fromkeys(str(name) for one in found for name in one.reasons)
    blank = [pd.Series("", index=one.participant.index, dtype="str") for one in found]
    ruled = [empty if one.ruled is None else one.ruled for one, empty in zip(found, blank, strict=True)]
    return Records(
        source=listing([one.source for one in found]),
        participant=pd.concat([one.participant for one in found]),
        session=pd.concat([one.session for one in found]),
        event=pd.concat([one.event for one in found]),
        cells=pd.concat([one.cells for one in found]).fillna("").astype("str"),
        fields=fields,
        anonymous=found[0].anonymous,
        reasons={
            name: pd.concat([one.reasons.get(name, empty) for one, empty in zip(found, blank, strict=True)])
            for name in names
        },
        key=found[-1].key,
        ruled=pd.concat(ruled),
    )


def wanted_fields(
    study: Mapping[str, Any], keys: Mapping[str, Key], own: Mapping[str, Any] | None = None, table: str = ""
) -> dict[str, str]:
    """Return the allow-list of a table: every field that study.yaml names -> where it names it."""
    wanted: dict[str, str] = {}
    for section in ("covariates", "exposures"):
        for name, rule in study[section].items():
            if "field" in rule:
                wanted.setdefault(rule["field"], f"{section}.{name}")
    for name, coding in codings_of(study, keys, own, table):
        for one in coding.fields:
            wanted.setdefault(one, coding.place)
        if "total" in study["instruments"][name]:
            wanted.setdefault(study["instruments"][name]["total"], f"instruments.{name}.total")
    return wanted


def read_sources(study: Mapping[str, Any], data: Path, keys: Mapping[str, Key]) -> Sources:
    """Read the named fields from all of a study's sources.

    Parameters
    ----------
    study : dict
        The checked study.yaml.
    keys : dict
        Instrument -> its key.

    Raises
    ------
    InputError
        A field is in none of the sources, or one of them is not as described.
    """
    found: list[Records] = []
    wanted = wanted_fields(study, keys)
    if "redcap" in study:
        elsewhere = study["tables"] or "participants" in study or "bids" in study
        found.append(read_redcap(study, data, wanted, partial=bool(elsewhere)))
    if "participants" in study:
        found.append(_plain(study["participants"], "participants", study, data, keys))
    if "bids" in study:
        found += read_bids(study, data, wanted)
    for number, rules in enumerate(study["tables"]):
        found.append(_plain(rules, f"tables.{number}", study, data, keys))
    if not found and "expression" in study:
        # Without a register the sample sheet is the only place for covariates.
        rules = study["expression"]
        sheet = Layout(rules["samples"], "expression", rules["columns"]["participant"], repeats=True)
        table = read_raw(inside(data, rules["samples"], "expression.samples"), rules["samples"])
        found.append(read_rows(sheet, table, study, wanted))
    _require_found(wanted, found)
    return Sources(tuple(found), any(key in study for key in ("redcap", "participants", "bids")))


def _require_found(wanted: Mapping[str, str], found: list[Records]) -> None:
    """Refuse a field that no table has; items may have other names in each of them."""
    left = {name: key for name, key in wanted.items() if not any(name in one.cells for one in found)}
    elsewhere = {name for one in found for name, own in one.own.items() if own}
    left = {name: key for name, key in left.items() if key.split(".")[1] not in elsewhere}
    if left:
        name, key = next(iter(left.items()))
        where = listing([one.source for one in found]) or "any file"
        more = f" (so do {len(left) - 1} more: {listing(list(left)[1:])})" if len(left) > 1 else ""
        near = nearest(name, [column for one in found for column in one.header])
        raise InputError(f"study.yaml: {key} names the field '{name}', which is not in {where}{near}{more}.")


def _plain(
    rules: Mapping[str, Any], key: str, study: Mapping[str, Any], data: Path, keys: Mapping[str, Key]
) -> Records:
    """Read a table that study.yaml lays out."""
    layout = Layout(
        file=rules["file"],
        key=key,
        id=rules["id"],
        session=rules.get("session"),
        codes=rules.get("session_codes", {}),
        missing=rules["missing_codes"],
        affixes=affixes_of(rules),
        keep=rules.get("keep"),
        own=rules.get("instruments", {}),
    )
    unknown = [name for name in layout.own or {} if name not in study["instruments"]]
    if unknown:
        raise InputError(
            f"study.yaml: {key}.instruments names '{unknown[0]}'{nearest(unknown[0], study['instruments'])}, "
            "which is not among instruments; add it there."
        )
    wanted = wanted_fields(study, keys, layout.own, key)
    return read_rows(
        layout, read_raw(inside(data, rules["file"], f"{key}.file"), rules["file"]), study, wanted
    )
