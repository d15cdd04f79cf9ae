"""Where a study's records come from: a REDCap export, plain tables, a BIDS tree.
Each gives the named fields as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pniflow.errors import InputError, listing, nearest
from pniflow.study.fields import Field, require_allowed
from pniflow.study.linkage import named, require_sessions, sessions_of
from pniflow.study.rawtables import inside, read_raw
from pniflow.study.records import Records, affixes_of, wide_columns


@dataclass(frozen=True)
class Sources:
    """All records of a study.

    Attributes
    ----------
    records : tuple of Records
        In the order REDCap or participants table, further tables, BIDS; a field may lie in several of them
        (a table per session).
    registers : bool
        True where one of them lists the participants, so that an unknown id elsewhere is a mistake.
    """

    records: tuple[Records, ...]
    registers: bool

    def holding(self, *names: str) -> Records:
        """Return the rows of all records that hold one of the fields, under each other."""
        found = [one for one in self.records if any(name in one.cells for name in names)]
        return found[0] if len(found) == 1 else _stacked(found)


def _stacked(found: list[Records]) -> Records:
    import pandas as pd

    fields: dict[str, Field] = {}
    for one in reversed(found):
        fields |= one.fields
    names = dict.fromkeys(str(name) for one in found for name in one.reasons)
    blank = [pd.Series("", index=one.participant.index, dtype="str") for one in found]
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
    )


def read_sources(study: Mapping[str, Any], data: Path, wanted: Mapping[str, str]) -> Sources:
    """Read the named fields from all of a study's sources.

    Parameters
    ----------
    study : dict
        The checked study.yaml.
    wanted : dict
        Field name -> where study.yaml names it: the allow-list; nothing else enters.

    Raises
    ------
    InputError
        A field is in none of the sources, or one of them is not as described.
    """
    from pniflow.study.bids import read_bids
    from pniflow.study.redcap import read_redcap

    found: list[Records] = []
    if "redcap" in study:
        elsewhere = study["tables"] or "participants" in study or "bids" in study
        found.append(read_redcap(study, data, wanted, partial=bool(elsewhere)))
    if "participants" in study:
        rules = study["participants"] | {"session": None, "session_codes": {}}
        found.append(read_plain(rules, study, data, wanted, "participants"))
    for number, rules in enumerate(study["tables"]):
        found.append(read_plain(rules, study, data, wanted, f"tables.{number}"))
    if "bids" in study:
        found += read_bids(study, data, wanted)
    if not found and "expression" in study:
        # Without a register the sample sheet is the only place for covariates.
        found.append(_sample_sheet(study, data, wanted))
    left = {name: key for name, key in wanted.items() if not any(name in one.cells for one in found)}
    if left:
        name, key = next(iter(left.items()))
        where = listing([one.source for one in found]) or "any file"
        more = f" (so do {len(left) - 1} more: {listing(list(left)[1:])})" if len(left) > 1 else ""
        near = nearest(name, [column for one in found for column in one.header])
        raise InputError(f"study.yaml: {key} names the field '{name}', which is not in {where}{near}{more}.")
    return Sources(tuple(found), any(key in study for key in ("redcap", "participants", "bids")))


def read_plain(
    rules: Mapping[str, Any], study: Mapping[str, Any], data: Path, wanted: Mapping[str, str], key: str
) -> Records:
    """Read the named columns of a table with a row per participant, or per participant and session."""
    table = read_raw(inside(data, rules["file"], f"{key}.file"), rules["file"])
    sessions = affixes_of(rules)
    wide = wide_columns(wanted, sessions, table.header, table.name)
    own = {name: wanted[base] for name, (base, _) in wide.items() if name in table.header}
    require_allowed(own, {name: Field(name) for name in own}, rules["file"])
    positions = {"\0id": table.position(rules["id"], f"{key}.id")}
    whole = rules["session"] if rules["session"] in study["sessions"] else None
    if rules["session"] is not None and (whole is None or whole in table.header):
        positions["\0session"] = table.position(rules["session"], f"{key}.session")
    frame = table.columns(positions | {name: table.position(name, place) for name, place in own.items()})
    if frame.empty:
        raise InputError(f"{table.name}: the table has no rows.")
    participant = named(frame.pop("\0id"), table, rules["id"])
    if "\0session" in frame:
        session = sessions_of(
            frame.pop("\0session"), rules["session_codes"], study, table.name, f"{key}.session_codes"
        )
    else:
        only = next(iter(study["sessions"])) if len(study["sessions"]) == 1 else whole or ""
        session = participant.map(lambda _: only).astype("str")
    records = Records(
        source=table.name,
        participant=participant,
        session=session,
        event=session.map(lambda _: "").astype("str"),
        cells=frame,
        fields={name: Field(name) for name in own},
        anonymous=bool(study["pseudonymize"]),
        header=table.header,
    )
    records.refuse_duplicates(session)
    if sessions:
        require_sessions(sessions.values(), study, f"{key}.suffixes")
        records = records.from_wide(wide, sessions)
    return records.without_missing_codes(rules["missing_codes"])


def _sample_sheet(study: Mapping[str, Any], data: Path, wanted: Mapping[str, str]) -> Records:
    """Read the named columns of the sample sheet, where no other table lists the participants."""
    rules = study["expression"]
    table = read_raw(inside(data, rules["samples"], "expression.samples"), rules["samples"])
    own = {name: place for name, place in wanted.items() if name in table.header}
    require_allowed(own, {name: Field(name) for name in own}, table.name)
    column = rules["columns"]["participant"]
    frame = table.columns(
        {"\0id": table.position(column, "expression.columns.participant")}
        | {n: table.position(n, k) for n, k in own.items()}
    )
    participant = named(frame.pop("\0id"), table, column)
    blank = participant.map(lambda _: "").astype("str")
    return Records(
        table.name,
        participant,
        blank,
        blank,
        frame,
        {name: Field(name) for name in own},
        bool(study["pseudonymize"]),
    )
