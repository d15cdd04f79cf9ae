"""What is recorded of the people that bears on their blood: sex, and treatments that change a component."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pniflow.errors import InputError
from pniflow.files import read_table

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


def read_people(path: Path) -> pd.DataFrame:
    """Read the participants by `participant_id`: sex is female, male or blank, treatments yes, no or blank.

    Raises
    ------
    InputError
        Sex is a number, or a treatment neither yes nor no.
    """
    people = read_table(path, "participants").set_index("participant_id")
    if "sex" in people:
        _refuse(people["sex"], people["sex"].map(_number), path, "female or male")
        people["sex"] = people["sex"].map(lambda cell: SEXES.get(str(cell)[:1].lower()))
    for name in TREATMENTS.keys() & set(people):
        plain = people[name].map(_plain).map(_YES_NO)
        _refuse(people[name], people[name].notna() & plain.isna(), path, "yes or no")
        people[name] = plain
    return people


def _plain(cell: object) -> str:
    return str(cell).strip().lower().removesuffix(".0")


def _number(cell: object) -> bool:
    return _plain(cell).isdigit()


def _refuse(column: pd.Series, bad: pd.Series, path: Path, expected: str) -> None:
    if bad.any():
        raise InputError(
            f"{path}: {column.name} of {column[bad].index[0]} is '{column[bad].iloc[0]}'; {expected} was"
            " expected: give the coding in study.yaml."
        )
