"""Lesion load: LST-AI's table of each scan, or one table of any other tool."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pniflow import contracts
from pniflow.config import read_study
from pniflow.errors import InputError, listing, shown
from pniflow.imaging.naming import by_pattern, entities, say_misplaced
from pniflow.imaging.ranges import require_possible
from pniflow.raw.text_tables import RawTable, numbers, read_raw

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_COLUMNS = ("Num_Lesions", "Num_Vox", "Lesion_Volume")
_MOST = 1e6  # lesions of a scan that could be counted
_UNITS = {"ml": 1.0, "mm3": 1000.0}
# What LST puts before the name of an image: map, threshold, algorithm, corrected for bias, registered.
_BEFORE = re.compile(r"^b?ples_(?:\d+(?:\.\d+)?_)?l[gp]a_(?:rm|mr|m)?(?=[^_])")


def ingest_lesions(*, folder: Path, study: Path | None = None, lesions: Path) -> None:
    """Read the lesion volume and count of each scan, from LST-AI's lesion_stats.csv files or from one table.

    LST-AI writes mm3; the table holds ml.

    Parameters
    ----------
    folder : Path
        Folder with files that end in lesion_stats.csv, participant and session in their names as in BIDS; or
        a table of any other tool (CSV, TSV, spreadsheet) with a row per scan, which a column may tell by the
        image's name (FileName of LST), or with a row per participant and a column per session.
    study : Path, optional
        study.yaml: whose files are whose names are not those of BIDS (`lesions.pattern`, `lesions.session`),
        and what the columns of such a table are (`lesions.columns`, `lesions.unit`); without it
        participant_id, session_id, lesion_volume (ml) and, if known, lesion_count.
    lesions : Path
        Table to write (contract `lesions`).

    Raises
    ------
    InputError
        No such files, a table without rows, a name without sub- and ses-, two files of one session, a missing
        column, a session that the study does not have, a value that is no number or negative.
    """
    if folder.is_file() or folder.suffix == ".tsv":
        contracts.write_table(_of_table(folder, study), lesions, "lesions")
        return
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder.")
    section = read_study(study).get("lesions", {}) if study else {}
    contracts.write_table(_of_folder(folder, section), lesions, "lesions")


def _of_folder(folder: Path, section: Mapping[str, Any]) -> pd.DataFrame:
    """Read the tables of LST-AI below a folder."""
    import pandas as pd

    names = sorted(
        Path(place, name)
        for place, _, found in os.walk(folder)
        for name in found
        if name.endswith("lesion_stats.csv") and "annotated" not in name
    )
    if not names:
        raise InputError(
            f"{folder}: there is no lesion_stats.csv of LST-AI in this folder; a table of another tool"
            " (LST_tlv of LST) is named under lesions.file."
        )
    rows: list[tuple[Any, ...]] = []
    for path in names:
        rows.append(_of_lst_ai(read_raw(path, path.relative_to(folder).as_posix()), section))
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
    return table.astype({"lesion_count": "Int64"})


def _whose(source: str, section: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return participant and session of a file or image by its name, without what tools put around it."""
    folders, _, name = source.rpartition("/")
    name = _BEFORE.sub("", re.sub(r"_?lesion_stats\.csv$|\.nii(\.gz)?$", "", name))
    participant, session = entities("/".join(filter(None, [folders, name])))
    person, visit = by_pattern(section.get("pattern"), name)
    return participant or person, session or visit or section.get("session")


def _of_lst_ai(raw: RawTable, section: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the one row of a table of LST-AI, which is about the whole brain."""
    participant, session = _whose(raw.name, section)
    if not participant or not session:
        raise InputError(
            f"{raw.name}: the name holds no participant and session; sub-XX and ses-YY were expected in it"
            " (lesions.pattern in study.yaml says where else they stand, lesions.session names the only"
            " session)."
        )
    for column in _COLUMNS:
        if column not in raw.header:
            raise InputError(
                f"{raw.name}: column '{column}' is missing; LST-AI writes {', '.join(_COLUMNS)}."
            )
    frame = raw.columns({column: raw.header.index(column) for column in _COLUMNS})
    if len(frame) != 1:
        raise InputError(
            f"{raw.name}: the table has {len(frame)} rows; LST-AI writes one row for the whole brain."
        )
    count, _, volume = (
        _numbers(frame[column], raw, column, column == _COLUMNS[0], False) for column in _COLUMNS
    )
    require_possible(volume[0] / 1000, "lesion_volume", f"{raw.name}: {_COLUMNS[2]}")
    return participant, session, volume[0] / 1000, int(count[0]), raw.name


def _of_images(
    cells: pd.Series, source: str, column: str, section: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Yield participant and session of each image that a column names."""
    for row, cell in cells.items():
        participant, session = _whose(cell.replace("\\", "/"), section)
        if not participant or not session:
            raise InputError(
                f"{source}: row {row}, column '{column}' is {shown(PurePosixPath(cell).name)}, which tells no"
                " participant and session; sub-XX and ses-YY were expected in it (lesions.pattern in"
                " study.yaml says where else they stand)."
            )
        yield participant, session


def _require_rows(frame: pd.DataFrame, source: str) -> None:
    if not len(frame):
        raise InputError(f"{source}: the table has no rows below its header; export it again.")


def _of_table(path: Path, study: Path | None) -> pd.DataFrame:
    """Read one table, as the study says what its columns are."""
    import pandas as pd

    if study is None:
        table = read_raw(path, str(path)).frame()
        _require_rows(table, str(path))
        return contracts.checked(
            table if "lesion_count" in table else table.assign(lesion_count=None), "lesions", str(path)
        )
    described = read_study(study)
    section = described["lesions"]
    columns, codes = section["columns"], section["session_codes"]
    raw = read_raw(path, path.name)
    by_session = {name for name, column in columns.items() if "{session}" in column}
    if by_session != {"volume", "count"} & {*columns} and ("session" not in columns or by_session):
        raise InputError(
            f"{study}: lesions.columns must name the column of the session, or hold {{session}} in volume and"
            " count alike (tlv_{session}); give one of the two."
        )
    if by_session:
        waves = {code: session for code, session in codes.items() if session is not None}
        table = pd.concat(
            _rows(raw, {name: column.replace("{session}", code) for name, column in columns.items()},
                  described, session)
            for code, session in (waves or {name: name for name in described["sessions"]}).items()
        )  # fmt: skip
        table = table[table[["lesion_volume", "lesion_count"]].notna().any(axis=1)]
    else:
        table = _rows(raw, columns, described, None)
        table = table[table["session_id"] != ""]
    again = table[table.duplicated(["participant_id", "session_id"])]
    if len(again):
        raise InputError(
            f"{path.name}: row {again.index[0]} repeats participant {again['participant_id'].iloc[0]} in"
            f" {again['session_id'].iloc[0]}; keep one row."
        )
    table["lesion_count"] = table["lesion_count"].astype("Int64")
    return table.sort_values(["participant_id", "session_id"])


def _rows(
    raw: RawTable, columns: Mapping[str, str], study: Mapping[str, Any], session: str | None
) -> pd.DataFrame:
    """Return the rows of a table, of one session where its columns are.

    Participant and session may be one column, of the names of images.
    """
    from pniflow.study.linkage import named, require_sessions, sessions_of

    section = study["lesions"]
    frame = raw.columns({new: raw.position(old, f"lesions.columns.{new}") for new, old in columns.items()})
    _require_rows(frame, raw.name)
    if session is not None:
        require_sessions([session], study, "lesions.session_codes")
        frame["session_id"] = session
    elif columns["session"] == columns["participant"]:
        whose = list(_of_images(frame["participant"], raw.name, columns["participant"], section))
        frame["participant"] = [participant for participant, _ in whose]
        frame["session"] = [visit for _, visit in whose]
    frame["participant_id"] = named(frame["participant"], raw, columns["participant"])
    if session is None:
        frame["session_id"] = sessions_of(
            frame["session"], section["session_codes"], study, raw.name, "lesions.session_codes"
        )
    values = {
        name: _numbers(frame[name], raw, columns[name], name == "count", True)
        for name in ("volume", "count")
        if name in columns
    }
    volume = values["volume"] / _UNITS[section["unit"]]
    for row, value in zip(frame.index, volume, strict=True):
        require_possible(value, "lesion_volume", f"{raw.name}: row {row}, column '{columns['volume']}'")
    return frame[["participant_id", "session_id"]].assign(
        lesion_volume=volume, lesion_count=values.get("count")
    )


def _numbers(cells: pd.Series, raw: RawTable, column: str, whole: bool, blank: bool) -> NDArray[np.float64]:
    """Return a column's numbers, zero or more; whole ones where they count lesions.

    Parameters
    ----------
    blank : bool
        Whether a cell may be blank, and so missing.
    """
    values, wrong = numbers(cells, raw.decimal, f"{raw.name}: column '{column}'")
    wrong |= values < 0
    wrong |= whole & ((values % 1 > 0) | (values > _MOST))
    wrong |= (not blank) & (cells == "").to_numpy()
    if wrong.any():
        wanted = f"{'a whole number' if whole else 'a number'}, zero or more{', or blank' if blank else ''}"
        raise InputError(
            f"{raw.name}: row {cells.index[wrong][0]}, column '{column}' is"
            f" {shown(cells[wrong].iloc[0], 20)}; {wanted} was expected."
        )
    return values
