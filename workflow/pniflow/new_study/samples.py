"""Blood samples: what a matrix holds, and whose its samples are by a sheet or by their names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pniflow.errors import InputError, listing
from pniflow.new_study.occasions import When, when
from pniflow.new_study.people import guess_person
from pniflow.new_study.tables import field_of, frame_of, guess_session_column
from pniflow.raw.text_tables import file_of, read_raw
from pniflow.study.fields import Field

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = {"sample": "sample_id", "participant": "participant_id", "session": "session_id", "batch": "batch"}


@dataclass
class Sheet:
    """A sample sheet as guessed.

    Attributes
    ----------
    name : str
        File name for study.yaml.
    columns : dict
        As in study.yaml; None where a column could not be guessed.
    words : dict
        Value of the session column (of several, joined by '-') -> what it means.
    fields : dict
        Further columns with one value for each participant that is not everybody's.
    rows : list of tuple of str
        Of a sheet that is to be written: sample, participant, word of the session, batch.
    open : list of str
        What could not be guessed.
    """

    name: str
    columns: dict[str, Any]
    words: dict[str, str] = field(default_factory=dict)
    fields: dict[str, Field] = field(default_factory=dict)
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def placed(self, path: Path, data: Path) -> Sheet:
        """Return the sheet with its name in the data folder, where it is to be written to a path."""
        unsaid = [sentence.replace("{sheet}", str(path)) for sentence in self.open]
        name = path.resolve().relative_to(data).as_posix() if self.rows else self.name
        return replace(self, name=name, open=unsaid)

    def lines(self, names: Mapping[str, str], sessions: Sequence[str]) -> list[str]:
        """Return the lines of a sheet that is to be written, with the study's names of the sessions."""
        only = sessions[0] if len(sessions) == 1 else ""
        rows = [
            (one, who, names.get(word, only if who else ""), batch) for one, who, word, batch in self.rows
        ]
        return ["\t".join(row) for row in [tuple(_COLUMNS.values()), *rows]]


_LARGEST_PLATE = 16 << 20  # bytes; a table with a row per well is small


def guess_unit(matrix: Path) -> tuple[str | None, list[str]]:
    """Guess what a matrix holds from all its numbers; return the unit (or None) and the samples' names."""
    from pniflow.expression.levels import genes_of
    from pniflow.expression.matrix import read_blocks, read_layout, samples_of, transposed
    from pniflow.expression.qpcr import read_wells
    from pniflow.expression.units import Evidence

    plate = matrix.stat().st_size <= _LARGEST_PLATE and matrix.suffix != ".xlsx"
    if plate and (wells := read_wells(matrix)) is not None:
        return "ct", wells.samples
    layout = read_layout(matrix)
    if layout.genes_are_rows:
        blocks, samples = read_blocks(layout), samples_of(layout)
    else:
        block, samples = transposed(layout)
        blocks = iter([block])
    evidence = Evidence(len(samples))
    for block in blocks:
        evidence.add(genes_of(block)[0].values)
    if not evidence.given.any():
        raise InputError(f"{matrix.name}: the matrix has no values.")
    return evidence.look(), samples


def find_sheet(tables: Mapping[Path, str], samples: Sequence[str]) -> Path | None:
    """Return the table that lists exactly the samples of the matrix in one of its columns."""
    for path in tables:
        if _sample_column(frame_of(read_raw(Path(file_of(str(path))), path.name)), samples):
            return path
    return None


def _sample_column(frame: pd.DataFrame, samples: Sequence[str]) -> str:
    """Return the column that lists the samples, as they are or as R changes names; blank without one."""
    from pniflow.expression.ingest_expression import make_name

    wanted = sorted(map(make_name, samples))
    return next((column for column in map(str, frame) if sorted(map(make_name, frame[column])) == wanted), "")


def read_sheet(path: Path, name: str, samples: Sequence[str], people: Collection[str]) -> Sheet:
    """Guess the columns of a sample sheet.

    Parameters
    ----------
    path, name : Path, str
        The file, and its name for study.yaml.
    samples : list of str
        Of the matrix.
    people : collection of str
        Participants that other tables know.
    """
    frame = frame_of(read_raw(Path(file_of(str(path))), path.name))
    sample = _sample_column(frame, samples)
    others = frame.drop(columns=sample)
    person = next((str(c) for c in others if people and set(others[c]) <= set(people)), "")
    person = person or guess_person(others, False)[0]
    columns: dict[str, Any] = {"sample": sample, "participant": person or None, "session": None}
    sheet = Sheet(name, columns)
    if not person:
        sheet.open.append(
            f"which column of {name} is the participant (columns are {listing(list(others), 12)}); write it "
            "at expression.columns.participant."
        )
        return sheet
    single = not others[person].duplicated().any()
    constant = others.groupby(person).nunique().max() == 1
    sheet.fields = {
        str(c): field_of(str(c), others[c]) for c in constant.index[constant] if others[c].nunique() > 1
    }
    for session, words in _sessions(others, person):
        sheet.columns["session"], sheet.words = session, words
        break
    batch = next(
        (str(c) for c in others if re.search(r"batch|plate|platte|run\b|lane|chip|slide", str(c), re.I)), None
    )
    if batch:
        sheet.columns["batch"] = batch
    if not sheet.words and single:
        rows = zip(frame[sample], frame[person], frame[batch] if batch else [""] * len(frame), strict=True)
        sheet.rows = [(one, who, "", plate) for one, who, plate in rows]
        sheet.columns = dict(_COLUMNS)
    elif not sheet.words:
        sheet.open.append(
            f"which column of {name} tells the session of a sample (columns are "
            f"{listing(list(others), 12)}); write it at expression.columns.session, and its values at "
            "expression.session_codes."
        )
    return sheet


def _sessions(frame: pd.DataFrame, person: str) -> Iterator[tuple[str | list[str], dict[str, str]]]:
    """Yield the column, or the two, that tell the session so that no person has two samples at one."""
    column, words = guess_session_column(frame, person)
    if column and not frame.duplicated([person, column]).any():
        yield column, words
    few = [str(c) for c in frame if c != person and 1 < frame[c].nunique() <= 12]
    for pair in combinations(few, 2):
        told = [column in pair or _timed(one) for one in pair]
        if all(told) and not frame.duplicated([person, *pair]).any():
            joined = frame[list(pair)].agg("-".join, axis=1)
            yield list(pair), {value: value for value in dict.fromkeys(joined)}


def _timed(column: str) -> bool:
    return bool(re.search(r"time|day|hour|week|visit|session|zeit|tag|stunde|woche", column, re.IGNORECASE))


def named_samples(samples: Sequence[str]) -> Sheet:
    """Draft the sample sheet from the samples' names: as in BIDS, or a person and a session in each."""
    rows = []
    for name in samples:
        match = re.search(r"(sub-[A-Za-z0-9]+)[_.](ses-[A-Za-z0-9]+)", name)
        rows.append((name, match[1] if match else "", match[2] if match else "", ""))
    if not any(person for _, person, _, _ in rows):
        parted = [_parted(name) for name in samples]
        known = all(person and word for person, word in parted) and len(set(parted)) == len(parted)
        if known and len({word for _, word in parted}) <= 12:
            rows = [(name, person, word, "") for name, (person, word) in zip(samples, parted, strict=True)]
    words = {word: word for _, _, word, _ in rows if word}
    sheet = Sheet("", dict(_COLUMNS), words, rows=rows)
    left = sum(not person for _, person, _, _ in rows)
    if left:
        sheet.open.append(
            f"which participant and session {left} of the {len(samples)} samples are; fill in {{sheet}}."
        )
    return sheet


def _parted(name: str) -> tuple[str, str]:
    """Part a sample's name into the person and a word that tells the session: P01_T1."""
    parts = re.split(r"[_. -]", name)
    told = [part for part in parts if (at := when(part)) != When() and not (at.place and at.place[0])]
    told = [part for part in told if not part.isdigit()]
    if len(parts) < 2 or len(told) != 1:
        return "", ""
    return "_".join(part for part in parts if part is not told[0]), told[0]
