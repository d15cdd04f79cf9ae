"""Lesion load: LST-AI's table of each scan."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

from pniflow import contracts, files
from pniflow.cat12.index import entities
from pniflow.errors import InputError, listing

_COLUMNS = ("Num_Lesions", "Num_Vox", "Lesion_Volume")


def ingest_lesions(*, folder: Path, lesions: Path) -> None:
    """Read the lesion volume and count of each scan, from LST-AI's lesion_stats.csv files or from one table.

    LST-AI writes mm3; the table holds ml.

    Parameters
    ----------
    folder : Path
        Folder with files that end in lesion_stats.csv, participant and session in their names as in BIDS; or
        a .tsv of any other tool with participant_id, session_id, lesion_volume (ml), lesion_count if known.
    lesions : Path
        Table to write (contract `lesions`).

    Raises
    ------
    InputError
        No such files, a name without sub- and ses-, two files of one session, a missing column, a value that
        is no number.
    """
    import pandas as pd

    if folder.suffix == ".tsv":
        table = files.read_table(folder)
        table = table if "lesion_count" in table else table.assign(lesion_count=None)
        files.write_table(contracts.checked(table, "lesions", str(folder)), lesions, "lesions")
        return
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder.")
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
        if not participant or not session:
            raise InputError(
                f"{source}: the name holds no participant and session; sub-XX and ses-YY were expected in it."
            )
        volume, count = _read(path, source)
        rows.append((participant, session, volume, count, source))
    table = pd.DataFrame(
        rows, columns=["participant_id", "session_id", "lesion_volume", "lesion_count", "source"]
    )
    again = table[table.duplicated(["participant_id", "session_id"], keep=False)]
    if len(again):
        raise InputError(
            f"{folder}: {listing(list(again['source'][:2]))} are of one participant and session; keep one."
        )
    table = table.drop(columns="source").sort_values(["participant_id", "session_id"])
    files.write_table(table, lesions, "lesions")


def _read(path: Path, source: str) -> tuple[float, int]:
    """Return volume (ml) and count; the table is one row for the whole brain."""
    rows = list(csv.DictReader(io.StringIO(files.read_text(path))))
    if len(rows) != 1:
        raise InputError(
            f"{source}: the table has {len(rows)} rows; LST-AI writes one row for the whole brain."
        )
    for column in _COLUMNS:
        if column not in rows[0]:
            raise InputError(f"{source}: column '{column}' is missing; LST-AI writes {', '.join(_COLUMNS)}.")
    values = {}
    for column in _COLUMNS:
        try:
            values[column] = float(rows[0][column])
        except (TypeError, ValueError):
            raise InputError(f"{source}: {column} is '{rows[0][column]}'; a number was expected.") from None
        if not 0 <= values[column] < float("inf"):
            raise InputError(f"{source}: {column} is {values[column]:g}; zero or more was expected.")
    if values["Num_Lesions"] % 1:
        raise InputError(f"{source}: Num_Lesions is {values['Num_Lesions']:g}; a whole number was expected.")
    return values["Lesion_Volume"] / 1000, int(values["Num_Lesions"])
