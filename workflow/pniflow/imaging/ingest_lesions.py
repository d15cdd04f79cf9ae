"""Lesion load: LST-AI's table of each scan, or one table of any other tool."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from pniflow import contracts, files
from pniflow.config import read_study
from pniflow.errors import InputError, listing
from pniflow.imaging.naming import entities, say_misplaced
from pniflow.raw import gate

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("Num_Lesions", "Num_Vox", "Lesion_Volume")
_MOST = 1e6  # lesions of a scan that could be counted
_UNITS = {"ml": 1.0, "mm3": 1000.0}


def ingest_lesions(*, folder: Path, study: Path | None = None, lesions: Path) -> None:
    """Read the lesion volume and count of each scan, from LST-AI's lesion_stats.csv files or from one table.

    LST-AI writes mm3; the table holds ml.

    Parameters
    ----------
    folder : Path
        Folder with files that end in lesion_stats.csv, participant and session in their names as in BIDS; or
        a table of any other tool (CSV, TSV, spreadsheet) with a row per scan.
    study : Path, optional
        study.yaml: the session of files whose names hold none (`lesions.session`), and what the columns of
        such a table are (`lesions.columns`, `lesions.unit`); without it participant_id, session_id,
        lesion_volume (ml) and, if known, lesion_count.
    lesions : Path
        Table to write (contract `lesions`).

    Raises
    ------
    InputError
        No such files, a name without sub- and ses-, two files of one session, a missing column, a session
        that the study does not have, a value that is no number or negative.
    """
    import pandas as pd

    if folder.is_file() or folder.suffix == ".tsv":
        contracts.write_table(_of_table(folder, study), lesions, "lesions")
        return
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder.")
    only = read_study(study).get("lesions", {}).get("session") if study else None
    names = sorted(
        Path(place, name)
        for place, _, found in os.walk(folder)
        for name in found
        if name.endswith("lesion_stats.csv") and "annotated" not in name
    )
    if not names:
        raise InputError(f"{folder}: there is no lesion_stats.csv of LST-AI in this folder.")
    rows = []
    for path in names:
        source = path.relative_to(folder).as_posix()
        participant, session = entities(source)
        session = session or only
        if not participant or not session:
            raise InputError(
                f"{source}: the name holds no participant and session; sub-XX and ses-YY were expected in it"
                " (lesions.session in study.yaml names the only session)."
            )
        volume, count = _read(path, source)
        rows.append((participant, session, volume, count, source))
    table = pd.DataFrame(
        rows, columns=["participant_id", "session_id", "lesion_volume", "lesion_count", "source"]
    )
    say_misplaced(dict(zip(table["source"], table["session_id"], strict=True)))
    again = table[table.duplicated(["participant_id", "session_id"], keep=False)]
    if len(again):
        raise InputError(
            f"{folder}: {listing(list(again['source'][:2]))} are of one participant and session; keep one."
        )
    table = table.drop(columns="source").sort_values(["participant_id", "session_id"])
    contracts.write_table(table, lesions, "lesions")


def _of_table(path: Path, study: Path | None) -> pd.DataFrame:
    """Read one table with a row per scan, as the study says what its columns are."""
    from pniflow.raw.text_tables import numbers, read_raw
    from pniflow.study.linkage import named, sessions_of

    if study is None:
        table = read_raw(path, str(path)).frame()
        return contracts.checked(
            table if "lesion_count" in table else table.assign(lesion_count=None), "lesions", str(path)
        )
    described = read_study(study)
    section = described["lesions"]
    columns = section["columns"]
    raw = read_raw(path, path.name)
    frame = raw.columns({new: raw.position(old, f"lesions.columns.{new}") for new, old in columns.items()})
    frame["participant_id"] = named(frame["participant"], raw, columns["participant"])
    frame["session_id"] = sessions_of(
        frame["session"], section["session_codes"], described, path.name, "lesions.session_codes"
    )
    values = {}
    for name in ("volume", "count"):
        if name not in columns:
            continue
        values[name], wrong = numbers(frame[name], raw.decimal, f"{path.name}: column '{columns[name]}'")
        wrong |= values[name] < 0
        wrong |= ((values[name] % 1 > 0) | (values[name] > _MOST)) & (name == "count")
        if wrong.any():
            wanted = "a whole number" if name == "count" else "a number"
            raise InputError(
                f"{path.name}: row {frame.index[wrong][0]}, column '{columns[name]}' is"
                f" '{frame[name][wrong].iloc[0][:20]}'; {wanted}, zero or more, or blank was expected."
            )
    again = frame[frame.duplicated(["participant_id", "session_id"])]
    if len(again):
        raise InputError(
            f"{path.name}: row {again.index[0]} repeats participant {again['participant_id'].iloc[0]} in"
            f" {again['session_id'].iloc[0]}; keep one row."
        )
    volume = values["volume"] / _UNITS[section["unit"]]
    table = frame[["participant_id", "session_id"]].assign(
        lesion_volume=volume, lesion_count=values.get("count")
    )
    table["lesion_count"] = table["lesion_count"].astype("Int64")
    return table.sort_values(["participant_id", "session_id"])


def _read(path: Path, source: str) -> tuple[float, int]:
    """Return volume (ml) and count; the table is one row for the whole brain."""
    rows = [row for row in files.cells(io.StringIO(gate.read_text(path, source)), ",", source) if row]
    header, body = rows[0] if rows else [], rows[1:]
    if len(body) != 1:
        raise InputError(
            f"{source}: the table has {len(body)} rows; LST-AI writes one row for the whole brain."
        )
    row = dict(zip(header, body[0], strict=False))
    for column in _COLUMNS:
        if column not in row:
            raise InputError(f"{source}: column '{column}' is missing; LST-AI writes {', '.join(_COLUMNS)}.")
    values = {}
    for column in _COLUMNS:
        try:
            values[column] = float(row[column])
        except ValueError:
            raise InputError(f"{source}: {column} is '{row[column]}'; a number was expected.") from None
        if not 0 <= values[column] < float("inf"):
            raise InputError(f"{source}: {column} is {values[column]:g}; zero or more was expected.")
    if values["Num_Lesions"] % 1 or values["Num_Lesions"] > _MOST:
        raise InputError(f"{source}: Num_Lesions is {values['Num_Lesions']:g}; a whole number was expected.")
    return values["Lesion_Volume"] / 1000, int(values["Num_Lesions"])
