"""What is recorded of the people that bears on their blood: sex, and treatments that change a component."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pniflow.contracts import read_table
from pniflow.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

# Recorded treatment -> the component it changes, whatever the person's stress.
TREATMENTS = {
    "b_cell_depletion": "antibody",
    "interferon_treated": "interferon",
    "interferon_beta": "interferon",
}
SEXES = {"f": "female", "w": "female", "m": "male"}
_YES_NO = {"yes": "yes", "true": "yes", "1": "yes", "no": "no", "false": "no", "0": "no"}


def read_people(path: Path | None) -> pd.DataFrame:
    """Read the participants by `participant_id`: sex is female, male or blank, treatments yes, no or blank.

    Raises
    ------
    InputError
        Sex is a number, or a treatment neither yes nor no.
    """
    import pandas as pd

    if path is None:
        return pd.DataFrame()
    people = read_table(path, "participants").set_index("participant_id")
    if "sex" in people:
        _refuse(
            people["sex"], people["sex"].map(_number), path, "female or male was expected: give the coding"
        )
        people["sex"] = people["sex"].map(lambda cell: SEXES.get(str(cell)[:1].lower()))
    return _treatments(people, path, "give the coding")


def read_visits(path: Path | None) -> pd.DataFrame:
    """Read treatments that are recorded session by session, by `participant_id` and `session_id`.

    A treatment that is a number (days since an infusion) counts by its flag.

    Raises
    ------
    InputError
        A treatment is neither yes nor no and has no flag.
    """
    import pandas as pd

    if path is None:
        return pd.DataFrame()
    visits = read_table(path, "sessions").set_index(["participant_id", "session_id"])
    flagged = {f"{name}_flag": name for name in TREATMENTS if f"{name}_flag" in visits}
    visits = visits.drop(columns=list(flagged.values())).rename(columns=flagged)
    return _treatments(visits, path, "give a coding or a flag")


def of_samples(column: str, sheet: pd.DataFrame, people: pd.DataFrame, visits: pd.DataFrame) -> pd.Series:
    """Return what is recorded of each sample: at its session, else of its person; blank without a record."""
    import pandas as pd

    found = pd.Series([None] * len(sheet), index=sheet.index, dtype=object)
    if column in visits:
        place = pd.MultiIndex.from_frame(sheet[["participant_id", "session_id"]])
        found = pd.Series(
            visits[column].reindex(place).to_numpy(dtype=object), index=sheet.index, dtype=object
        )
    if column in people:
        found = found.where(found.notna(), sheet["participant_id"].map(people[column]))
    return found


def _treatments(table: pd.DataFrame, path: Path, ask: str) -> pd.DataFrame:
    """Bring the treatments of a table to yes and no."""
    for name in TREATMENTS.keys() & set(table):
        plain = table[name].map(_plain).map(_YES_NO)
        _refuse(table[name], table[name].notna() & plain.isna(), path, f"yes or no was expected: {ask}")
        table[name] = plain
    return table


def _plain(cell: object) -> str:
    return str(cell).strip().lower().removesuffix(".0")


def _number(cell: object) -> bool:
    return _plain(cell).isdigit()


def _refuse(column: pd.Series, bad: pd.Series, path: Path, wanted: str) -> None:
    if bad.any():
        who = column[bad].index[0]
        raise InputError(
            f"{path}: {column.name} of {' '.join(who) if isinstance(who, tuple) else who} is"
            f" '{column[bad].iloc[0]}'; {wanted} in study.yaml."
        )
