"""Who is in the study and at which sessions: the one list that every other table is checked against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pniflow.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

PLACE = ["participant_id", "session_id"]


@dataclass(frozen=True)
class Roster:
    """Participants with their covariates, and the participant-sessions that the records know.

    Attributes
    ----------
    participants : DataFrame
        participant_id and covariates, sorted by participant.
    sessions : DataFrame
        participant_id, session_id (and day), sorted by participant and time.
    order : list of str
        The study's sessions in order of time.
    """

    participants: pd.DataFrame
    sessions: pd.DataFrame
    order: list[str]

    def sort(self, frame: pd.DataFrame, *further: str) -> pd.DataFrame:
        """Sort a table by participant, session in order of time, and further columns."""
        rank = frame["session_id"].map({session: place for place, session in enumerate(self.order)})
        keys = ["participant_id", "_rank", *further]
        ordered = frame.assign(_rank=rank).sort_values(keys, kind="stable", na_position="last")
        return ordered.drop(columns="_rank").reset_index(drop=True)


def enrol(
    study: Mapping[str, Any],
    participants: pd.DataFrame,
    sessions: pd.DataFrame,
    located: Mapping[Path, pd.DataFrame],
    names: tuple[Path, Path],
) -> Roster:
    """Make the roster and check that every row of every table belongs to it.

    A study with records (REDCap export, participants table, BIDS tree) has named its people, and an export or
    tree its sessions too: a row about anyone or any session else is an error. Without records the people are
    those of the samples and scans.

    Parameters
    ----------
    study : mapping
        The study description.
    participants, sessions : DataFrame
        As ingested; either may be empty where the study has no records.
    located : mapping of path to DataFrame
        Tables with participant_id and session_id, in file order.
    names : pair of paths
        Where participants and sessions were read, for the sentence.

    Raises
    ------
    InputError
        A table names a session that study.yaml lacks, or a participant or session that the records lack.
    """
    import pandas as pd

    order = list(study["sessions"])
    everywhere = {names[1]: sessions, **located}
    for path, frame in everywhere.items():
        expected = f"study.yaml has the sessions {', '.join(order)}; correct the one or the other"
        _refuse(~frame["session_id"].isin(order), frame, path, expected)
    if not {"redcap", "participants", "bids"} & set(study):
        ids = pd.concat([frame["participant_id"] for frame in everywhere.values()])
        fresh = ids[~ids.isin(participants["participant_id"])].drop_duplicates()
        participants = pd.concat([participants, fresh.to_frame("participant_id")], ignore_index=True)
    for path, frame in everywhere.items():
        expected = (
            f"{names[0].name} does not know this participant; add it there, correct the row, or leave the "
            "person out (exclude in study.yaml)"
        )
        _refuse(~frame["participant_id"].isin(participants["participant_id"]), frame, path, expected)
    if not {"redcap", "bids"} & set(study):
        rows = [frame[PLACE] for frame in located.values()]
        sessions = pd.concat([sessions, *rows], ignore_index=True).drop_duplicates(PLACE)
    known = pd.MultiIndex.from_frame(sessions[PLACE])
    for path, frame in located.items():
        strange = pd.Series(~pd.MultiIndex.from_frame(frame[PLACE]).isin(known), index=frame.index)
        expected = f"{names[1].name} does not know that session of theirs; add it there or correct the row"
        _refuse(strange, frame, path, expected)
    roster = Roster(participants.sort_values("participant_id", ignore_index=True), sessions, order)
    return Roster(roster.participants, roster.sort(sessions), order)


def without_excluded(table: pd.DataFrame, people: pd.DataFrame, study: Mapping[str, Any]) -> pd.DataFrame:
    """Leave out the rows of people whom study.yaml excludes, and samples of a wave that it leaves out.

    The study's own tables have lost them at ingestion; scans and samples stand in files of their own.

    Parameters
    ----------
    table : DataFrame
        Any table; one without participants stays as it is.
    people : DataFrame
        The study's participants, as ingested.
    study : mapping
        The study description.
    """
    if "participant_id" not in table:
        return table
    rules = study["exclude"]
    named = {name.removeprefix("sub-") for rule in rules for name in rule.get("participants", [])}
    stranger = ~table["participant_id"].isin(people["participant_id"]) & table["participant_id"].notna()
    gone = stranger & table["participant_id"].str.removeprefix("sub-").isin(named)
    if "excluded" in table:
        gone |= table["excluded"].notna() & (stranger | table["session_id"].isna())
    return table[~gone]


def with_numbers(table: pd.DataFrame, declared: Mapping[str, Any], path: Path) -> pd.DataFrame:
    """Cast covariates (or exposures) declared without levels to numbers, and check the levels of the others.

    Raises
    ------
    InputError
        A declared name has no column, a cell is not a number, or not a declared level.
    """
    import pandas as pd

    cast = {}
    for name, about in declared.items():
        if name not in table:
            raise InputError(f"{path}: '{name}' of study.yaml has no column; ingest the study again.")
        given = table[name]
        levels = list(dict.fromkeys(about.get("coding", {}).values()))
        values: pd.Series
        if levels:
            values = given.astype("str").where(given.isin(levels))
        else:
            values = pd.to_numeric(given, errors="coerce").astype("float64")
        bad = given.notna() & values.isna()
        if bad.any():
            row = int(bad.to_numpy().argmax())
            expected = f"one of {', '.join(levels)}" if levels else "a number"
            what = f"row {row + 2}, column '{name}' is '{given.iloc[row]}'"
            raise InputError(f"{path}: {what}; {expected} was expected.")
        cast[name] = values
    return table.assign(**cast)


def _refuse(bad: pd.Series, frame: pd.DataFrame, path: Path, expected: str) -> None:
    if bad.any():
        row = frame.index[bad.to_numpy()][0]  # tables keep their file's row numbers as index
        who, when = frame.loc[row, PLACE]
        more = f" ({int(bad.sum()) - 1} more such rows)" if bad.sum() > 1 else ""
        raise InputError(
            f"{path}: row {row + 2} is about participant {who} at session {when}, but {expected}{more}."
        )
