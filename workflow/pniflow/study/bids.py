"""The tables of a BIDS tree (participants, sessions, phenotype), or a list of its paths."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pniflow.errors import InputError
from pniflow.files import read_text
from pniflow.study.fields import Field, require_allowed
from pniflow.study.linkage import named, require_known, sessions_of
from pniflow.study.rawtables import RawTable, inside, read_raw
from pniflow.study.records import Records

if TYPE_CHECKING:
    import pandas as pd

_MISSING = {"n/a": "not available"}
_PLACE = re.compile(r"(?:^|/)(sub-[A-Za-z0-9]+)(?:/|_)(ses-[A-Za-z0-9]+)(?:/|_|$)")


def read_bids(study: Mapping[str, Any], data: Path, wanted: Mapping[str, str]) -> list[Records]:
    """Read a BIDS tree's tables.

    Parameters
    ----------
    study : dict
        The checked study.yaml.
    data : Path
        The data folder.
    wanted : dict
        Field name -> where study.yaml names it: the allow-list.

    Returns
    -------
    list of Records
        participants.tsv first (the register), then the sessions, then the phenotype tables that hold a
        wanted field. Participants keep the names they have in the tree (sub-01).
    """
    rules = study["bids"]
    folder = rules["folder"]
    root = inside(data, folder, "bids.folder")
    found = [
        _table(root / "participants.tsv", f"{folder}/participants.tsv", study, wanted, with_sessions=False)
    ]
    register = set(found[0].participant)
    if rules["paths"] is not None:
        path = inside(data, rules["paths"], "bids.paths")
        found.append(_from_paths(read_text(path).splitlines(), rules["paths"], study))
    else:
        found += _session_tables(root, folder, study, wanted)
    for path in sorted((root / "phenotype").glob("*.tsv")):
        one = _table(path, f"{folder}/phenotype/{path.name}", study, wanted, with_sessions=True)
        if len(one.cells.columns):
            found.append(one)
    for one in found[1:]:
        require_known(one.participant, register, one.source, one.anonymous)
    return found


def _table(
    path: Path, name: str, study: Mapping[str, Any], wanted: Mapping[str, str], with_sessions: bool
) -> Records:
    """Read a table with participant_id and, where it has one, session_id."""
    if not path.is_file():
        raise InputError(
            f"{name}: there is no such file; a BIDS tree has it, so check bids.folder in study.yaml."
        )
    table = read_raw(path, name)
    own = {column: key for column, key in wanted.items() if column in table.header}
    require_allowed(own, {column: Field(column) for column in own}, name)
    positions = {"\0id": table.position("participant_id", "bids")}
    if with_sessions and "session_id" in table.header:
        positions["\0session"] = table.position("session_id", "bids")
    frame = table.columns(positions | {column: table.position(column, key) for column, key in own.items()})
    ids = named(frame.pop("\0id"), table, "participant_id")
    return _records(ids, frame, study, table)


def _records(ids: pd.Series, frame: pd.DataFrame, study: Mapping[str, Any], table: RawTable) -> Records:
    ids = _with_prefix(ids, "sub-")
    blank = ids.map(lambda _: "").astype("str")
    session = blank
    if "\0session" in frame:
        session = _sessions(frame.pop("\0session"), study, table.name)
    fields = {str(column): Field(str(column)) for column in frame}
    one = Records(table.name, ids, session, blank, frame, fields, bool(study["pseudonymize"]))
    one.refuse_duplicates(session)
    return one.without_missing_codes(_MISSING)


def _with_prefix(values: pd.Series, prefix: str) -> pd.Series:
    return values.map(lambda value: value if value.startswith(prefix) else f"{prefix}{value}").astype("str")


def _sessions(values: pd.Series, study: Mapping[str, Any], source: str) -> pd.Series:
    codes = study["bids"]["session_codes"]
    return sessions_of(
        values if codes else _with_prefix(values, "ses-"), codes, study, source, "bids.session_codes"
    )


def _session_tables(
    root: Path, folder: str, study: Mapping[str, Any], wanted: Mapping[str, str]
) -> list[Records]:
    """Read every sub-*/sub-*_sessions.tsv; where a tree has none, its folders sub-*/ses-* say it."""
    import pandas as pd

    paths = sorted(root.glob("sub-*/sub-*_sessions.tsv"))
    if not paths:
        places = sorted(
            path.relative_to(root).as_posix() for path in root.glob("sub-*/ses-*") if path.is_dir()
        )
        return [_from_paths(places, folder, study)] if places else []
    parts = []
    for path in paths:
        table = read_raw(path, f"{folder}/{path.parent.name}/{path.name}")
        own = {
            column: table.position(column, key) for column, key in wanted.items() if column in table.header
        }
        require_allowed({c: wanted[c] for c in own}, {c: Field(c) for c in own}, table.name)
        frame = table.columns({"\0session": table.position("session_id", "bids")} | own)
        frame["\0id"] = path.parent.name
        parts.append(frame)
    joined = pd.concat(parts, ignore_index=True).fillna("").astype("str")
    joined.index = joined.index + 2
    header = RawTable(f"{folder}/sub-*_sessions.tsv", tuple(joined.columns), None)
    return [_records(joined.pop("\0id"), joined, study, header)]


def _from_paths(paths: Iterable[str], source: str, study: Mapping[str, Any]) -> Records:
    """Take participants and sessions from paths like sub-01/ses-pre/anat; others are left aside."""
    import pandas as pd

    rows = [
        (line, match.groups()) for line, path in enumerate(paths, 1) if (match := _PLACE.search(path.strip()))
    ]
    if not rows:
        raise InputError(
            f"{source}: no line is a path like sub-01/ses-pre; list the tree's folders, one a line."
        )
    index = pd.Index([line for line, _ in rows])
    participant = pd.Series([place[0] for _, place in rows], index=index, dtype="str")
    raw = pd.Series([place[1] for _, place in rows], index=index, dtype="str")
    first = ~pd.DataFrame({"participant": participant, "session": raw}).duplicated()
    participant, raw = participant[first], raw[first]
    codes = study["bids"]["session_codes"]
    if codes and not set(raw) <= set(codes):
        codes = {f"ses-{code.removeprefix('ses-')}": target for code, target in codes.items()}
    session = sessions_of(raw, codes, study, source, "bids.session_codes")
    blank = participant.map(lambda _: "").astype("str")
    cells = pd.DataFrame(index=participant.index)
    return Records(source, participant, session, blank, cells, {}, bool(study["pseudonymize"]))
