"""Who took part in what, and why not: the course, the cases of each outcome, included and not included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

from pniflow.cohort.roster import PLACE, Roster
from pniflow.modalities import DOMAINS, MODALITIES

# Covariates that tell of the course, where study.yaml declares them under these names.
COURSE = {
    "completed_course": "completed the course; completing the course is not completing the assessment",
    "reason_not_completed": "reason for not completing the course",
    "sessions_attended": "sessions of the course attended",
    "home_practice": "practice at home",
    "adverse_events": "adverse events",
    "relapses": "relapses",
}
_ITEMS = {one.branch: [one.item] for one in MODALITIES if one.item}
BRANCH_OF = {name: one.branch for name, one in DOMAINS.items()} | {"exposure": "all"}
UNRECORDED, UNCOLLECTED, UNUSABLE = "session not recorded", "not collected", "no usable value"


def course(participants: pd.DataFrame, units: Mapping[str, str]) -> pd.DataFrame:
    """Describe attendance, home practice, adverse events, relapses; what no column holds is not recorded."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for item, note in COURSE.items():
        about = {"item": item, "recorded": item in participants, "unit": units.get(item), "note": note}
        if item not in participants:
            rows.append({**about, "note": f"{note}: not recorded"})
            continue
        values = participants[item]
        given = values.dropna()
        about["missing"] = len(values) - len(given)
        if pd.api.types.is_numeric_dtype(values):
            spread = {"mean": given.mean(), "sd": given.std(), "median": given.median()}
            ends = {
                "minimum": given.min(),
                "maximum": given.max(),
                "total": given.sum() if len(given) else None,
            }
            rows.append({**about, "n": len(given), **spread, **ends, "n_any": int((given > 0).sum())})
        else:
            counts = given.value_counts().sort_index()
            rows += [{**about, "level": level, "n": int(n)} for level, n in counts.items()] or [
                {**about, "n": 0}
            ]
    names = ["item", "level", "recorded", "unit", "n", "missing", "n_any"]
    numbers = ["mean", "sd", "minimum", "median", "maximum", "total"]
    frame = pd.DataFrame(rows).reindex(columns=[*names, *numbers, "note"])
    return frame.astype(
        {**dict.fromkeys(["n", "missing", "n_any"], "Int64"), **dict.fromkeys(numbers, "float64")}
    )


def outcomes(
    roster: Roster, measures: pd.DataFrame, assessed: Mapping[str, pd.DataFrame], exclusions: pd.DataFrame
) -> pd.DataFrame:
    """Count, for each measure, who is complete and why the others are not.

    A person without a value at several sessions counts once, by the first of them.

    Parameters
    ----------
    roster : Roster
    measures : DataFrame
        As in the contract.
    assessed : mapping of branch to DataFrame
        participant_id, session_id where anything was collected.
    exclusions : DataFrame
        As in the contract.

    Returns
    -------
    DataFrame
        measure, domain, status, n; the counts of a measure add up to the enrolled.
    """
    import pandas as pd

    people = pd.Index(roster.participants["participant_id"])
    words = ["complete", UNRECORDED, UNCOLLECTED, UNUSABLE, *sorted(set(exclusions["rule"]) - {UNUSABLE})]
    codes = {word: code for code, word in enumerate(words)}

    def cells(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        rows = people.get_indexer(pd.Index(frame["participant_id"]))
        return rows, pd.Index(roster.order).get_indexer(pd.Index(frame["session_id"]))

    recorded = np.full((len(people), len(roster.order)), codes[UNRECORDED])
    recorded[cells(roster.sessions)] = codes[UNCOLLECTED]
    placed = exclusions[exclusions["rule"] != "average scan"].dropna(subset=PLACE)
    kinds = placed["item"].str.partition(" ").reindex(columns=[0, 1, 2])
    named = dict(tuple(placed[kinds[0].isin(["scale", "assay"])].groupby(kinds[2])))
    parts = []
    for (domain, branch), group in _by_branch(measures):
        states = recorded.copy()
        if branch in assessed:
            states[cells(assessed[branch])] = codes[UNUSABLE]
        general = placed[kinds[0].isin(_ITEMS.get(branch, []))]
        states[cells(general)] = general["rule"].map(codes)
        for measure, rows in group.groupby("measure", sort=True):
            own = states.copy()
            if measure in named:
                own[cells(named[measure])] = named[measure]["rule"].map(codes)
            own[cells(rows.dropna(subset=["value"]))] = 0
            first = own[np.arange(len(own)), (own != 0).argmax(axis=1)]
            found, counts = np.unique(first, return_counts=True)
            counted = dict(zip(found, counts, strict=True)) if len(own) else {}
            status = [0, *(code for code in counted if code != 0)]
            parts += [(measure, domain, words[code], int(counted.get(code, 0))) for code in status]
    return pd.DataFrame(parts, columns=["measure", "domain", "status", "n"])


def _by_branch(measures: pd.DataFrame) -> Any:
    branch = measures["domain"].map(BRANCH_OF)
    for one in MODALITIES:
        if one.prefix:
            branch = branch.mask(measures["measure"].str.startswith(one.prefix), one.branch)
    return measures.assign(branch=branch).groupby(["domain", "branch"], sort=True)


def inclusion(
    roster: Roster, measures: pd.DataFrame, usable: Mapping[str, pd.DataFrame], units: Mapping[str, str]
) -> pd.DataFrame:
    """Describe those usable at every session of a branch against the others, at baseline.

    Descriptive only: the standardized difference is the difference of means (or shares) over the root of the
    mean of the two variances.

    Parameters
    ----------
    roster : Roster
    measures : DataFrame
        As in the contract.
    usable : mapping of branch to DataFrame
        participant_id, session_id where a number of the branch can be used.
    units : mapping
        Unit of a covariate, where declared.

    Returns
    -------
    DataFrame
        As in the contract inclusion; nothing for a branch that everybody is in.
    """
    import pandas as pd

    wide = _baseline(roster, measures, units)
    parts = []
    for branch, places in usable.items():
        sessions = places.groupby("participant_id")["session_id"].nunique()
        members = roster.participants["participant_id"].map(sessions).fillna(0) == len(roster.order)
        if not members.all():
            parts.append(_contrast(wide, members).assign(branch=branch))
    columns = [
        *["branch", "variable", "domain", "unit", "session_id", "level"],
        *["n_included", "mean_included", "sd_included", "n_others", "mean_others", "sd_others"],
        "standardized_difference",
    ]
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return whole.reindex(columns=columns)


def _baseline(roster: Roster, measures: pd.DataFrame, units: Mapping[str, str]) -> pd.DataFrame:
    """Return a column per variable (covariate, level as 0/1, baseline measure), named by what it is."""
    import pandas as pd

    columns: dict[tuple[Any, ...], pd.Series] = {}
    people = roster.participants.set_index("participant_id")
    for name in people.columns:
        about = (name, "characteristic", units.get(name), None)
        if pd.api.types.is_numeric_dtype(people[name]):
            columns[*about, None] = people[name]
        else:
            for level in sorted(people[name].dropna().unique()):
                columns[*about, level] = (people[name] == level).astype(float).where(people[name].notna())
    first = measures[measures["session_id"] == roster.order[0]]
    table = first.pivot(index="participant_id", columns="measure", values="value").reindex(people.index)
    for row in first.drop_duplicates("measure").sort_values(["domain", "measure"]).itertuples():
        columns[row.measure, row.domain, row.unit, roster.order[0], None] = table[row.measure]
    names = ["variable", "domain", "unit", "session_id", "level"]
    return pd.DataFrame(
        np.column_stack([values.to_numpy(float) for values in columns.values()]) if columns else None,
        columns=pd.MultiIndex.from_tuples(list(columns), names=names) if columns else None,
    )


def _contrast(wide: pd.DataFrame, members: pd.Series) -> pd.DataFrame:
    inside, outside = wide[members.to_numpy()], wide[~members.to_numpy()]
    share = wide.columns.get_level_values("level").notna() if wide.shape[1] else np.array([], dtype=bool)
    table = wide.columns.to_frame(index=False) if wide.shape[1] else wide.columns.to_frame()
    spread = []
    for word, group in (("included", inside), ("others", outside)):
        mean, sd = group.mean().to_numpy(), group.std().to_numpy()
        spread.append(np.where(share, mean * (1 - mean), sd**2))
        table[f"n_{word}"] = group.notna().sum().to_numpy()
        table[f"mean_{word}"] = mean
        table[f"sd_{word}"] = np.where(share, np.nan, sd)
    pooled = np.sqrt((spread[0] + spread[1]) / 2)
    difference = table["mean_included"] - table["mean_others"]
    table = table.assign(standardized_difference=(difference / pooled).where(pooled > 0))
    told = (table["domain"] == "characteristic") | (table[["n_included", "n_others"]] > 0).all(axis=1)
    return table[told]
