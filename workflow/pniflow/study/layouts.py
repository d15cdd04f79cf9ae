"""How a raw table of participants is laid out, and its rows as records of the study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

from pniflow.errors import InputError
from pniflow.raw.text_tables import RawTable
from pniflow.study.affixes import Affix, wide_columns
from pniflow.study.fields import Field, require_allowed
from pniflow.study.linkage import meanings_of, named, require_sessions, sessions_of
from pniflow.study.records import LEFT_WAVE, Records, translated
from pniflow.study.rows import excluded_by, reasons_of
from pniflow.study.suspicions import refuse_previews

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Layout:
    """How a table of participants, or of participants and sessions, is laid out.

    Attributes
    ----------
    file, key : str
        Its name, and where study.yaml gives it (tables.0).
    id : str
        Column of the participant.
    session : str or list of str, optional
        Column of the session (or several, whose values are joined by '-'), or the session of all rows.
    codes : dict
        Value of that column -> session, or None for a wave that is left out.
    missing : dict
        Code -> reason.
    affixes : dict
        What tells sessions apart in names of columns (`affixes_of`).
    keep : str, optional
        Which row stays of a form that was filled twice.
    own : dict
        Instrument -> what is other in this table.
    participants, sessions : callable
        What brings the table's ids and sessions into the study's form.
    repeats : bool
        True where a participant may have several rows at a session (a sample sheet).
    laboratory : bool
        True where study.yaml names the columns under `columns`, of whatever names.
    """

    file: str
    key: str
    id: str
    session: str | list[str] | None = None
    codes: Mapping[str, str | None] | None = None
    missing: Mapping[str, str] | None = None
    affixes: Mapping[Affix, str] | None = None
    keep: str | None = None
    own: Mapping[str, Any] | None = None
    participants: Callable[[pd.Series], pd.Series] = lambda ids: ids
    sessions: Callable[[pd.Series], pd.Series] = lambda values: values
    repeats: bool = False
    laboratory: bool = False


def read_rows(
    layout: Layout, table: RawTable, study: Mapping[str, Any], wanted: Mapping[str, str]
) -> Records:
    """Read the named columns of a table with a row per participant, or per participant and session."""
    import pandas as pd

    affixes, anonymous = layout.affixes or {}, bool(study["pseudonymize"])
    wide = wide_columns(wanted, affixes, table.header, table.name)
    own = {name: wanted[base] for name, (base, _) in wide.items() if name in table.header}
    if layout.laboratory:
        own = dict(wanted)
    else:
        require_allowed(own, {name: Field(name) for name in own}, layout.file)
    at = f"{layout.key}.columns.participant" if layout.laboratory else f"{layout.key}.id"
    positions = {"\0id": table.position(layout.id, at), **_session_columns(layout, table, study)}
    frame = table.columns(positions | {name: table.position(name, place) for name, place in own.items()})
    if frame.empty:
        raise InputError(
            f"{table.name}: the table has no rows; export it again, or take it out of study.yaml."
        )
    ids = frame.pop("\0id")
    excluded = excluded_by(table, layout.file, ids, study)
    kept = (excluded == "").to_numpy()
    refuse_previews(table, excluded == "")
    named(ids[kept], table, layout.id, anonymous)
    columns = [frame.pop(name) for name in positions if name.startswith("\0session")]
    said = reduce(lambda one, other: one + "-" + other, columns) if columns else None
    session = _session_of(said, excluded == "", layout, study, table.name)
    wave = pd.Series("", index=ids.index, dtype="str")
    if said is not None:
        left = kept & (session == "").to_numpy()
        wave = wave.mask(left, f"{layout.key}.session_codes." + said)
    records = Records(
        source=table.name,
        participant=layout.participants(ids),
        session=session,
        event=pd.Series("", index=ids.index, dtype="str"),
        cells=frame,
        fields={name: Field(name) for name in own},
        anonymous=anonymous,
        header=table.header,
        key=layout.key,
        table=table,
        decimal=table.decimal,
        own=layout.own or {},
        counts=counted(frame),
        columns=frozenset([*own, layout.id]),
    )
    rules = excluded.where(~kept, wave)
    records = without_ruled(records, rules, reasons_of(study))
    if not layout.repeats:
        records = records.once(records.session, layout.keep)
    if affixes:
        require_sessions(affixes.values(), study, f"{layout.key}.suffixes")
        records = records.from_wide(wide, affixes)
    return records.without_missing_codes(layout.missing or {})


def counted(frame: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """Return field -> (cells, cells with text); the blank name counts rows."""
    given = {str(name): (len(frame), int((frame[name] != "").sum())) for name in frame}
    return {"": (len(frame), len(frame)), **given}


def without_ruled(records: Records, rules: pd.Series, reasons: Mapping[str, str]) -> Records:
    """Leave out the rows that have a rule; a rule without a reason is a wave that is left out."""
    for rule in [name for name in rules.unique() if name]:
        rows = (rules.reindex(records.participant.index) == rule).to_numpy()
        records = records.without(rows, rule, reasons.get(rule, LEFT_WAVE))
    return records


def _session_columns(layout: Layout, table: RawTable, study: Mapping[str, Any]) -> dict[str, int]:
    """Return the places of the columns that say the session; none where a session is said of all rows."""
    names = [layout.session] if isinstance(layout.session, str) else layout.session or []
    if len(names) == 1 and names[0] in study["sessions"] and names[0] not in table.header:
        return {}
    # Of the only session of a study nobody needs to write.
    if names == ["session_id"] and "session_id" not in table.header and len(study["sessions"]) == 1:
        return {}
    key = f"{layout.key}.columns.session" if layout.laboratory else f"{layout.key}.session"
    return {f"\0session{number}": table.position(name, key) for number, name in enumerate(names)}


def _session_of(
    said: pd.Series | None, kept: pd.Series, layout: Layout, study: Mapping[str, Any], source: str
) -> pd.Series:
    """Return the session of each row: the column's, that of all rows, or the only one of the study."""
    import pandas as pd

    if said is None:
        whole = (
            layout.session if isinstance(layout.session, str) and layout.session in study["sessions"] else ""
        )
        only = next(iter(study["sessions"])) if len(study["sessions"]) == 1 else whole
        # A sheet of samples read for covariates alone says no session.
        return pd.Series(
            "" if layout.session is None and layout.repeats else only, index=kept.index, dtype="str"
        )
    codes = layout.codes or {}
    values = said if codes else layout.sessions(said)
    found = sessions_of(values[kept], codes, study, source, f"{layout.key}.session_codes")
    # Nobody needs to map the session of a row that does not count.
    rest = translated(values[~kept], meanings_of(codes, study))
    both: pd.Series = pd.concat([found, rest]).reindex(said.index).astype("str")
    return both
