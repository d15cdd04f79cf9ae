"""Where a study's records come from: a REDCap export, plain tables, a BIDS tree.
Each gives the named fields as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pniflow.errors import InputError, listing
from pniflow.study.belonging import named, sessions_of
from pniflow.study.fields import Field, require_allowed
from pniflow.study.rawtables import inside, read_raw
from pniflow.study.records import Records

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Sources:
    """All records of a study.

    Attributes
    ----------
    records : tuple of Records
        In the order REDCap or participants table, further tables, BIDS; a field is in the first that has it.
    registers : bool
        True where one of them lists the participants, so that an unknown id elsewhere is a mistake.
    """

    records: tuple[Records, ...]
    registers: bool

    def holding(self, name: str) -> Records:
        """Return the records that hold a field."""
        return next(one for one in self.records if name in one.cells)


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
    left = dict(wanted)
    elsewhere = study["tables"] or "bids" in study

    def take(one: Records) -> None:
        found.append(one)
        for name in one.cells:
            left.pop(str(name), None)

    if "redcap" in study:
        take(read_redcap(study, data, left, partial=bool(elsewhere)))
    if "participants" in study:
        take(
            read_plain(
                study["participants"] | {"session": None, "session_codes": {}},
                study,
                data,
                left,
                "participants",
            )
        )
    for number, rules in enumerate(study["tables"]):
        take(read_plain(rules, study, data, left, f"tables.{number}"))
    if "bids" in study:
        for one in read_bids(study, data, left):
            take(one)
    if not found and "expression" in study:
        # Without a register the sample sheet is the only place for covariates.
        found.append(_sample_sheet(study, data, left))
        for name in found[-1].cells:
            left.pop(str(name), None)
    if left:
        name, key = next(iter(left.items()))
        where = listing([one.source for one in found]) or "any file"
        more = f" (so do {len(left) - 1} more: {listing(list(left)[1:])})" if len(left) > 1 else ""
        raise InputError(f"study.yaml: {key} names the field '{name}', which is not in {where}{more}.")
    return Sources(tuple(found), any(key in study for key in ("redcap", "participants", "bids")))


def read_plain(
    rules: Mapping[str, Any], study: Mapping[str, Any], data: Path, wanted: Mapping[str, str], key: str
) -> Records:
    """Read the named columns of a table with a row per participant, or per participant and session."""
    table = read_raw(inside(data, rules["file"], f"{key}.file"), rules["file"])
    own = {name: place for name, place in wanted.items() if name in table.header}
    require_allowed(own, {name: Field(name) for name in own}, rules["file"])
    positions = {"\0id": table.position(rules["id"], f"{key}.id")}
    if rules["session"] is not None:
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
        only = next(iter(study["sessions"])) if len(study["sessions"]) == 1 else ""
        session = participant.map(lambda _: only).astype("str")
    records = Records(
        source=table.name,
        participant=participant,
        session=session,
        event=session.map(lambda _: "").astype("str"),
        cells=frame,
        fields={name: Field(name) for name in own},
        anonymous=bool(study["pseudonymize"]),
    )
    records.refuse_duplicates(session)
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


def renamed(one: Records, ids: Mapping[str, str]) -> Records:
    """Replace participants' ids."""
    return replace(one, participant=one.participant.map(dict(ids)).astype("str"))
