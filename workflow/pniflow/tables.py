"""One list of the tables that cross a stage: where each lies, its contract, who writes and who reads it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pniflow.modalities import MODALITIES, OF_EVERY_STUDY

TABLES = {
    table.name: table for table in (*OF_EVERY_STUDY, *(table for one in MODALITIES for table in one.tables))
}
_MODALITY = {table.name: one.name for one in MODALITIES for table in one.tables}
_NEEDED = {"assemble_cohort": (), "fit_models": ("measures", "participants"), "render_report": ("estimates",)}
# What commands with a parameter `tables` read: what they cannot do without, then what a study may lack.
READS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    command: (
        needed,
        tuple(name for name, one in TABLES.items() if command in one.read_by and name not in needed),
    )
    for command, needed in _NEEDED.items()
}


def read_by(command: str, modalities: Iterable[str]) -> dict[str, str]:
    """Return what a command reads in a study of these modalities: name -> path below the results."""
    held = {"", *modalities}
    names = (*READS[command][0], *READS[command][1])
    return {name: TABLES[name].path for name in names if _MODALITY.get(name, "") in held}


def described(name: str) -> str:
    """Return what a table holds, by its contract."""
    from pniflow.contracts import contract

    return TABLES[name].about or str(contract(TABLES[name].schema)["description"])


def read(path: Path, name: str) -> Any:
    """Read a table of the run by its contract, a document as it is."""
    from pniflow.contracts import read_table
    from pniflow.files import read_json

    return read_json(path) if path.suffix == ".json" else read_table(path, TABLES[name].schema)
