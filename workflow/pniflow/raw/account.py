"""The account of a stage: what became of every cell that it read, by file, field and session.

In each line cells = stored + blank + missing_code + left_out. A line without a field counts a file's rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pniflow.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Line:
    """What became of the cells of a field of a file at a session.

    Attributes
    ----------
    file, field, session : str
        The session is blank for what is of none, the field for the file's rows.
    cells, stored, blank, missing_code, left_out : int
    rule, reason : str
        By which rule of study.yaml cells are left out, and why; blank where none is.
    """

    file: str
    field: str
    session: str
    cells: int
    stored: int = 0
    blank: int = 0
    missing_code: int = 0
    left_out: int = 0
    rule: str = ""
    reason: str = ""

    @property
    def balance(self) -> int:
        """Return the cells that went nowhere."""
        return self.cells - self.stored - self.blank - self.missing_code - self.left_out


def require_balance(
    lines: Sequence[Line], counts: Mapping[tuple[str, str], int], remedies: Mapping[str, str]
) -> None:
    """Refuse an account with cells that went nowhere.

    Parameters
    ----------
    lines : sequence of Line
    counts : dict
        (file, field) -> cells, as they were counted when the file was read.
    remedies : dict
        File -> what to do about its cells.
    """
    for line in lines:
        if line.balance:
            at = f" at {line.session}" if line.session else ""
            raise InputError(
                f"{line.file}: of {line.cells} cells of the field '{line.field}'{at} {line.balance} are in "
                f"none of the study's tables; {remedies.get(line.file, 'correct the table')}."
            )
    seen: dict[tuple[str, str], int] = {}
    for line in lines:
        seen[line.file, line.field] = seen.get((line.file, line.field), 0) + line.cells
    for (file, field), cells in counts.items():
        if seen.get((file, field), 0) != cells:
            what = f"cells of the field '{field}'" if field else "rows"
            raise InputError(
                f"{file}: {cells} {what} were read, and {seen.get((file, field), 0)} are accounted for; "
                f"{remedies.get(file, 'correct the table')}."
            )


def account_table(lines: Iterable[Line]) -> pd.DataFrame:
    """Return an account as a table, in order of files as read, fields, sessions and rules."""
    import pandas as pd

    every = list(lines)
    columns = {name: [getattr(line, name) for line in every] for name in Line.__dataclass_fields__}
    return pd.DataFrame(columns).astype(
        dict.fromkeys(("cells", "stored", "blank", "missing_code", "left_out"), "int64")
    )
