"""qPCR threshold cycles in a table with a row per well, as instruments export them.

QuantStudio writes several tables into one text, each under the name of its section; Bio-Rad's CFX writes one,
in the language and with the decimal mark of its computer. A well's task or content tells which wells hold no
person's sample.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pniflow import files
from pniflow.errors import InputError, shown
from pniflow.expression.matrix import MISSING, Block
from pniflow.raw import gate

if TYPE_CHECKING:
    import pandas as pd

# Names of columns, the English before the German: an English "Probe" is the reporter's.
COLUMNS = {
    "sample": (r"sample([ _.]?(name|id))?", r"probe(n?[ _.-]?(name|id|bezeichnung))?"),
    "target": (
        r"(target|detector|gene|assay)([ _.]?(name|id))?",
        r"(ziel(gen|sequenz)?|detektor|gen)([ _.-]?name)?",
    ),
    "cycle": (r"c[tqт]([ _.-]?(value|wert))?|cp",),
}
FURTHER = {
    "task": (r"task|content|sample[ _.]?type", r"inhalt|aufgabe|proben?[ _.-]?typ"),
    "omit": (r"omit(ted)?|excluded?", r"(weg|aus)gelassen|ausgeschlossen"),
}
# Tasks and contents of wells of no person: without template or transcriptase, standards, controls.
CONTROL = re.compile(
    r"(?i)(ntc|nrt|nac|ntd|rt-|-rt|no[ -](template|rt|amplification)|std|standard|blank|blind|leer|water|h2o|"
    r"wasser|(blocked )?ipc|(pos|neg)(\b|i|[. _-]?(ctrl|kontr|contr))).*"
)
OMITTED = {"true": True, "yes": True, "wahr": True, "ja": True, "1": True, "x": True}
KEPT = dict.fromkeys(("", "false", "no", "falsch", "nein", "0"), False)
_SECTION = re.compile(r"\[([^\[\]]+)\][\t,; ]*")


class Wells(NamedTuple):
    """Cycles of a plate: samples and block (targets x samples), and how many wells were left out."""

    samples: list[str]
    block: Block
    controls: int
    omitted: int

    def said(self) -> str:
        """Say what the file is and what was left out of it."""
        left = [(self.controls, "of controls or standards"), (self.omitted, "omitted by the user")]
        words = [f"{count} {what}" for count, what in left if count]
        return "qPCR, a row per well" + (f" (wells left out: {', '.join(words)})" if words else "")


class _Table(NamedTuple):
    """A table of a text: its section, header's line, delimiter, number of columns, place of each role."""

    section: str
    line: int
    delimiter: str
    width: int
    place: dict[str, int]


def read_wells(path: Path) -> Wells | None:
    """Read a text with a row per well; None where no table has columns for sample, target and cycle.

    Wells of one sample and target are averaged; undetermined ones are missing. Wells of controls and
    standards (column Task or Content) and those that the user omitted are left out.

    Returns
    -------
    Wells
        Samples and targets in order of first appearance.

    Raises
    ------
    InputError
        A row is cut off, a cycle is neither a number nor Undetermined, Omit is neither true nor false, or no
        well holds a person's sample.
    """
    import pandas as pd

    lines = gate.read_text(path, str(path)).split("\n")
    tables = list(_tables(lines))
    if not tables:
        return None
    # What was measured; other sections of a QuantStudio text say it again.
    section = next((one.section for one in tables if one.section.lower() == "results"), tables[0].section)
    rows = [row for one in tables if one.section == section for row in _rows(path, lines, one)]
    wells = pd.DataFrame(rows, columns=[*COLUMNS, *FURTHER], dtype="str")
    wells = wells[(wells["target"] != "") & ((wells["sample"] != "") | (wells["task"] != ""))]
    omitted = wells["omit"].str.lower().map(OMITTED | KEPT)
    if omitted.isna().any():
        cell = wells["omit"][omitted.isna()].iloc[0]
        raise InputError(f"{path}: Omit of a well is {shown(cell)}; true or false was expected: correct it.")
    control = wells["task"].str.fullmatch(CONTROL)
    people = ~control & (wells["sample"] != "")
    if not people.any():
        raise InputError(
            f"{path}: no well names a sample that is no control; name the samples and export the plate again."
        )
    left_out = people & omitted.astype(bool)
    samples, targets = (list(dict.fromkeys(wells.loc[people, role])) for role in ("sample", "target"))
    used = wells[people & ~left_out]
    table = used.assign(cycle=_cycles(path, used)).groupby(["target", "sample"])["cycle"].mean().unstack()
    block = Block(targets, table.reindex(index=targets, columns=samples).to_numpy(dtype=float))
    return Wells(samples, block, int(control.sum()), int(left_out.sum()))


def _tables(lines: list[str]) -> Iterator[_Table]:
    """Find the tables of a text that have a row per well."""
    section = ""
    for number, line in enumerate(lines):
        if found := _SECTION.fullmatch(line.strip()):
            section = found[1].strip()
            continue
        for delimiter in "\t,;":
            names = [cell.strip(' "\r') for cell in line.split(delimiter)]
            place = {role: _place(names, patterns) for role, patterns in (COLUMNS | FURTHER).items()}
            if min(place[role] for role in COLUMNS) >= 0:
                yield _Table(section, number, delimiter, len(names), place)
                break


def _place(names: list[str], patterns: tuple[str, ...]) -> int:
    fits = (
        place
        for pattern in patterns
        for place, name in enumerate(names)
        if re.fullmatch(pattern, name, re.IGNORECASE)
    )
    return next(fits, -1)


def _rows(path: Path, lines: list[str], table: _Table) -> Iterator[list[str]]:
    """Yield the cells of a table's wells by role; below a blank line stand a footer's names and values."""
    below = False
    for number, line in enumerate(lines[table.line + 1 :], table.line + 2):
        if _SECTION.fullmatch(line.strip()):
            return
        cells = [cell.strip() for cell in next(files.cells([line.rstrip("\r")], table.delimiter, path), [])]
        filled = sum(map(bool, cells))
        below |= not filled
        if filled == 0 or (below and filled <= 2):
            continue
        if len(cells) <= max(table.place.values()) or any(cells[table.width :]):
            raise InputError(
                f"{path}: the file is damaged (line {number} has {len(cells)} fields where {table.width} were"
                " expected); export the plate again."
            )
        yield [cells[place] if place >= 0 else "" for place in table.place.values()]


def _cycles(path: Path, wells: pd.DataFrame) -> pd.Series:
    """Return cycles as numbers; a comma among digits is a decimal comma, as no cycle is above a hundred."""
    import pandas as pd

    missing = wells["cycle"].isin(MISSING)
    cycle = pd.to_numeric(
        wells["cycle"].mask(missing).str.replace(r"^(\d+),(\d+)$", r"\1.\2", regex=True), errors="coerce"
    )
    if (bad := cycle.isna() & ~missing).any():
        row = wells[bad].iloc[0]
        raise InputError(
            f"{path}: sample {shown(row['sample'])}, target {shown(row['target'])} has the cycle"
            f" {shown(row['cycle'])}; a number or Undetermined was expected."
        )
    return cycle
