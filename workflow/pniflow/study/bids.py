"""The tables of a BIDS tree (participants, sessions, phenotype), or a list of its paths."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.errors import InputError
from pniflow.raw import gate
from pniflow.raw.account import Line
from pniflow.raw.text_tables import RawTable, inside, read_raw
from pniflow.study.layouts import Layout, read_rows
from pniflow.study.linkage import sessions_of
from pniflow.study.records import UNNAMED, Records

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
        participants.tsv first (the register; a row per participant, or per participant and session), then the
        sessions, then the phenotype tables. Participants keep the names they have in the tree (sub-01).
    """
    rules = study["bids"]
    folder = rules["folder"]
    root = inside(data, folder, "bids.folder")
    found = [_table(root / "participants.tsv", f"{folder}/participants.tsv", study, wanted)]
    if rules["paths"] is not None:
        path = inside(data, rules["paths"], "bids.paths")
        found.append(_from_paths(gate.read_text(path, rules["paths"]).splitlines(), rules["paths"], study))
    else:
        found += _session_tables(root, folder, study, wanted)
    for path in sorted((root / "phenotype").glob("*.tsv")):
        one = _table(path, f"{folder}/phenotype/{path.name}", study, wanted)
        if not len(one.cells.columns):
            everybody = np.ones(len(one.participant), dtype=bool)
            one = one.without(everybody, UNNAMED, "study.yaml names none of its columns")
        found.append(one)
    return found


def unread_files(study: Mapping[str, Any], data: Path) -> list[Line]:
    """Return the files of a BIDS tree that could hold answers and that nothing reads, for the account."""
    if "bids" not in study:
        return []
    folder = study["bids"]["folder"]
    root = inside(data, folder, "bids.folder")
    read = {"participants.tsv", "sessions.tsv"}
    found = [path for path in root.glob("*.[ct]sv") if path.name not in read]
    found += [path for path in (root / "phenotype").rglob("*") if path.is_file() and path.suffix != ".json"
              and not (path.parent.name == "phenotype" and path.suffix == ".tsv")]  # fmt: skip
    reason = "BIDS has tables of answers as phenotype/*.tsv"
    names = sorted(path.relative_to(root).as_posix() for path in found)
    return [Line(f"{folder}/{name}", "", "", 0, rule="not read", reason=reason) for name in names]


def _table(path: Path, name: str, study: Mapping[str, Any], wanted: Mapping[str, str]) -> Records:
    """Read a table with participant_id and, where it has one, session_id."""
    if not path.is_file():
        raise InputError(
            f"{name}: there is no such file; a BIDS tree has it, so check bids.folder in study.yaml."
        )
    return _rows(read_raw(path, name), study, wanted)


def _rows(table: RawTable, study: Mapping[str, Any], wanted: Mapping[str, str]) -> Records:
    layout = Layout(
        file=table.name,
        key="bids",
        id="participant_id",
        session="session_id" if "session_id" in table.header else None,
        codes=study["bids"]["session_codes"],
        missing=_MISSING,
        participants=lambda ids: _with_prefix(ids, "sub-"),
        sessions=lambda values: _with_prefix(values, "ses-"),
    )
    return read_rows(layout, table, study, wanted)


def _with_prefix(values: pd.Series, prefix: str) -> pd.Series:
    return values.map(lambda value: value if value.startswith(prefix) else f"{prefix}{value}").astype("str")


def _session_tables(
    root: Path, folder: str, study: Mapping[str, Any], wanted: Mapping[str, str]
) -> list[Records]:
    """Read sessions.tsv and every sub-*_sessions.tsv; where there is none, the folders sub-*/ses-* say it."""
    found = []
    whole = root / "sessions.tsv"
    if whole.is_file():
        found.append(_table(whole, f"{folder}/{whole.name}", study, wanted))
    paths = sorted(root.glob("sub-*/sub-*_sessions.tsv"))
    if not paths and not found:
        places = sorted(
            path.relative_to(root).as_posix() for path in root.glob("sub-*/ses-*") if path.is_dir()
        )
        return [_from_paths(places, folder, study)] if places else []
    if paths:
        found.append(_rows(_joined(paths, folder), study, wanted))
    return found


def _joined(paths: Iterable[Path], folder: str) -> RawTable:
    """Read every person's table of sessions as one, with the person named by the folder."""
    import pyarrow as pa

    parts = []
    for path in paths:
        table = read_raw(path, f"{folder}/{path.parent.name}/{path.name}")
        table.position("session_id", "bids")
        parts.append(table.named({"participant_id": path.parent.name}))
    joined = pa.concat_tables(parts, promote_options="default")
    blank = [pa.compute.fill_null(column, "") for column in joined.columns]
    header = tuple(joined.column_names)
    return RawTable(
        f"{folder}/sub-*_sessions.tsv", header, pa.table(blank, names=[str(n) for n in range(len(header))])
    )


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
    records = Records(
        source=source,
        participant=participant,
        session=session,
        event=blank,
        cells=pd.DataFrame(index=participant.index),
        fields={},
        anonymous=bool(study["pseudonymize"]),
        key="bids",
        counts={"": (len(participant), len(participant))},
    )
    return records.at((session != "").to_numpy())
