"""Counts and descriptive statistics of the cohort: participant flow and Table 1. No tests here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

from pniflow.cohort.roster import PLACE, Roster

COURSE = "completed_course"  # covariate that says whether the participant completed the intervention
Row = tuple[str, str, "str | None", "int | None", str]  # step, branch, session_id, n, note
COLUMNS = ["step", "branch", "session_id", "n", "note"]
YES = {
    "yes": True,
    "no": False,
    "1": True,
    "0": False,
    "1.0": True,
    "0.0": False,
    "True": True,
    "False": False,
}


def flow(
    roster: Roster,
    assessed: Mapping[str, pd.DataFrame],
    usable: Mapping[str, pd.DataFrame],
    notes: Mapping[str, str],
    account: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Count participants at each step.

    Parameters
    ----------
    roster : Roster
    assessed, usable : mapping of branch to DataFrame
        Distinct participant_id, session_id: where anything was collected, and where a number can be used.
    notes : mapping of branch to str
        What to say of a branch; stands at its `complete`.
    account : DataFrame, optional
        What became of the cells of the study's tables (contract account).

    Returns
    -------
    DataFrame
        step, branch, session_id, n, note, rule.
    """
    import pandas as pd

    rows: list[Row] = [("enrolled", "all", None, len(roster.participants), "participants in the records")]
    rows += _course(roster.participants)
    recorded = roster.sessions["session_id"].value_counts()
    rows += [
        ("recorded", "all", s, int(recorded.get(s, 0)), "the records know the session") for s in roster.order
    ]
    rows += _sets(roster, roster.sessions, "all", "recorded at exactly these sessions")
    for branch, seen in assessed.items():
        used = usable[branch]
        collected, kept = (frame["session_id"].value_counts() for frame in (seen, used))
        for session in roster.order:
            n, k = int(collected.get(session, 0)), int(kept.get(session, 0))
            rows += [
                ("assessed", branch, session, n, "anything was collected"),
                ("excluded", branch, session, n - k, "collected, no usable value; see exclusions.tsv"),
                ("usable", branch, session, k, "at least one usable value"),
            ]
        rows += _sets(roster, used, branch, "usable at exactly these sessions", notes.get(branch, ""))
    table = pd.DataFrame(rows, columns=COLUMNS).astype({"n": "Int64"}).assign(rule=None)
    if account is None:
        return table
    return pd.concat([table[:1], _left_out(account), table[1:]], ignore_index=True)


def _left_out(account: pd.DataFrame) -> pd.DataFrame:
    """Count the people and the rows of files that rules of study.yaml leave out, by rule."""
    whole = account[account["field"].isna() & (account["left_out"] > 0)]
    people = whole["file"].isna()
    step = people.map({True: "people left out", False: "rows left out"})
    counts = whole.assign(step=step, note=whole["reason"]).groupby(["step", "rule", "note"], sort=False)
    table = counts["left_out"].sum().rename("n").reset_index().assign(branch="all", session_id=None)
    return table.sort_values("step", kind="stable").astype({"n": "Int64"})[[*COLUMNS, "rule"]]


def _course(participants: pd.DataFrame) -> list[Row]:
    note = f"covariate {COURSE}; completing the course is not completing the assessment"
    if COURSE not in participants:
        return [("course completed", "all", None, None, "not recorded")]
    known = participants[COURSE].astype("str").map(YES)
    return [
        ("course completed", "all", None, int((known == True).sum()), note),  # noqa: E712 (three-valued)
        ("course not completed", "all", None, int((known == False).sum()), note),  # noqa: E712
        ("course completion not recorded", "all", None, int(known.isna().sum()), note),
    ]


def _sets(roster: Roster, frame: pd.DataFrame, branch: str, note: str, about: str = "") -> list[Row]:
    """Count the participants by the exact set of their sessions; complete first, no session last."""
    import numpy as np

    ids = roster.participants["participant_id"]
    grid = np.column_stack(
        [ids.isin(frame.loc[frame["session_id"] == session, "participant_id"]) for session in roster.order]
    )
    rows: list[Row] = [
        (
            "complete",
            branch,
            None,
            int(grid.all(axis=1).sum()),
            "; ".join(filter(None, ["at every session", about])),
        )
    ]
    sets, counts = np.unique(grid, axis=0, return_counts=True)
    for members, n in list(zip(sets, counts, strict=True))[::-1]:
        name = "+".join(session for session, member in zip(roster.order, members, strict=True) if member)
        rows.append(("set of sessions", branch, name or None, int(n), note if name else "at no session"))
    return rows


def table1(roster: Roster, measures: pd.DataFrame, units: Mapping[str, str]) -> pd.DataFrame:
    """Describe covariates and measures.

    Parameters
    ----------
    roster : Roster
    measures : DataFrame
        As in the contract.
    units : mapping
        Unit of a covariate, where declared.

    Returns
    -------
    DataFrame
        As in the contract table1: characteristics in the order declared, then measures by domain and name.
    """
    import pandas as pd

    parts = [
        _characteristic(roster.participants[name], name, units.get(name))
        for name in roster.participants.columns[1:]
    ]
    parts.append(_by_session(roster, measures))
    columns = [
        "measure",
        "domain",
        "unit",
        "session_id",
        "level",
        "n",
        "missing",
        "n_complete",
        "mean",
        "sd",
        "percent",
    ]
    whole = pd.concat([part.reindex(columns=columns).astype(object) for part in parts], ignore_index=True)
    counts = ["n", "missing", "n_complete"]
    return whole.astype(
        {**dict.fromkeys(["mean", "sd", "percent"], "float64"), **dict.fromkeys(counts, "Int64")}
    )


def _characteristic(values: pd.Series, name: str, unit: str | None) -> pd.DataFrame:
    import pandas as pd

    given = values.dropna()
    about = {"measure": name, "domain": "characteristic", "unit": unit, "missing": len(values) - len(given)}
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return pd.DataFrame([{**about, "n": len(given), "mean": given.mean(), "sd": given.std()}])
    counts = given.astype("str").value_counts().sort_index()
    rows = [{**about, "level": level, "n": n, "percent": 100 * n / len(given)} for level, n in counts.items()]
    return pd.DataFrame(rows or [{**about, "n": 0}])


def _by_session(roster: Roster, measures: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    given = measures.dropna(subset=["value"])
    sessions = given.groupby(["measure", "participant_id"])["session_id"].nunique() == len(roster.order)
    complete = sessions.groupby(level="measure").sum()
    about = measures.drop_duplicates("measure")[["measure", "domain", "unit"]].sort_values(
        ["domain", "measure"]
    )
    stats = given.groupby(["measure", "session_id"])["value"].agg(n="size", mean="mean", sd="std")
    grid = about.merge(pd.DataFrame({"session_id": roster.order}), how="cross")
    table = grid.join(stats, on=["measure", "session_id"])
    n = table["n"].fillna(0).astype("int64")
    return table.assign(
        n=n,
        missing=len(roster.participants) - n,
        n_complete=table["measure"].map(complete).fillna(0).astype("int64"),
    )


def places(frame: pd.DataFrame, roster: Roster) -> pd.DataFrame:
    """Distinct participant-sessions of a table, in order."""
    return roster.sort(frame[PLACE].drop_duplicates())
