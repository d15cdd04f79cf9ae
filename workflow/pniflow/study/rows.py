"""Which rows of a raw table belong to the study: what study.yaml excludes, and whose rows they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pniflow.errors import InputError, listing, nearest, shown
from pniflow.raw.text_tables import RawTable

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Aside:
    """Cells that a rule of study.yaml leaves out.

    Attributes
    ----------
    rule, reason : str
        The key of study.yaml, and why.
    participant, session : Series of str, shape (n,)
        Indexed by row in the file; the session is blank where it is not known.
    cells : DataFrame of str, shape (n, fields)
    rows : bool
        True where whole rows are left out, False for some of a row's columns.
    """

    rule: str
    reason: str
    participant: pd.Series
    session: pd.Series
    cells: pd.DataFrame
    rows: bool = True


def excluded_by(table: RawTable, file: str, ids: pd.Series, study: Mapping[str, Any]) -> pd.Series:
    """Return the rule of study.yaml that excludes each row; blank where none does.

    Parameters
    ----------
    table : RawTable
    file : str
        Its name in study.yaml.
    ids : Series of str, shape (n,)
        The participant of each row, indexed by row in the file.
    study : dict
        The checked study.yaml.

    Returns
    -------
    Series of str, shape (n,)
        `exclude.0`, the rule's place under exclude.
    """
    import pandas as pd

    found = pd.Series("", index=ids.index, dtype="str")
    for number, rule in enumerate(study["exclude"]):
        if "participants" in rule:
            # In a BIDS tree an id stands with its prefix and without it.
            named = [one.removeprefix("sub-") for one in rule["participants"]]
            hit = ids.str.removeprefix("sub-").isin(named)
        elif rule.get("file", file) == file and rule["column"] in table.header:
            place = table.position(rule["column"], f"exclude.{number}.column")
            cells = table.columns({"cell": place})["cell"].reindex(ids.index)
            hit = cells.isin(rule["values"])
        else:
            continue
        found = found.mask(hit & (found == ""), f"exclude.{number}")
    return found


def reasons_of(study: Mapping[str, Any]) -> dict[str, str]:
    """Return the rules under exclude -> why they exclude."""
    return {f"exclude.{number}": rule["reason"] for number, rule in enumerate(study["exclude"])}


def whole_people(left: Iterable[tuple[str, pd.Series]], study: Mapping[str, Any]) -> dict[str, str]:
    """Return the people who are left out as a whole -> the rule.

    Parameters
    ----------
    left : iterable of (str, Series of str)
        Rule and participants of rows that are left out.
    """
    whole = {f"exclude.{n}" for n, rule in enumerate(study["exclude"]) if rule.get("whole_person")}
    people: dict[str, str] = {}
    for rule, ids in left:
        if rule in whole:
            people = {name: rule for name in ids if name} | people
    return people


def require_met(study: Mapping[str, Any], headers: Mapping[str, Iterable[str]], people: set[str]) -> None:
    """Refuse a rule that no file can meet: a person or a column that does not exist.

    Parameters
    ----------
    headers : dict
        File -> its columns.
    people : set of str
        Everybody in the files, those who are left out too.
    """
    for number, rule in enumerate(study["exclude"]):
        key = f"study.yaml: exclude.{number}"
        if "participants" in rule:
            lost = [one for one in rule["participants"] if not {one, f"sub-{one}"} & people]
            # Of somebody who was screened out there may be scans alone.
            if lost and not {"cat12", "freesurfer", "images", "lesions"} & set(study):
                near = "" if study["pseudonymize"] else nearest(lost[0], people)
                raise InputError(
                    f"{key} leaves out participant {shown(lost[0])}, of whom no file has a row{near}; "
                    "correct the id."
                )
            continue
        files = [rule["file"]] if "file" in rule else list(headers)
        columns = [name for file in files for name in headers.get(file, ())]
        if "file" in rule and rule["file"] not in headers:
            raise InputError(
                f"{key} names the file {shown(rule['file'])}, which study.yaml does not read; files are "
                f"{listing(list(headers))}."
            )
        if rule["column"] not in columns:
            raise InputError(
                f"{key} names the column {shown(rule['column'])}, which {listing(files)} does not "
                f"have{nearest(rule['column'], columns)}; correct it."
            )
