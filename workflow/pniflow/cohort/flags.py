"""What is used but deserves a second look: odd changes of quality or values, batches tied to sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

from pniflow import resources
from pniflow.cohort.roster import PLACE, Roster
from pniflow.imaging.ranges import implausible_measures

COLUMNS = [*PLACE, "item", "rule", "value", "reason"]
RATING_STEP = 10.0  # percent points of CAT12's rating: one letter grade
ODD = 5.0  # robust z of a change: 3.5 would mark an outlier of one measure, here there are hundreds
DUPLICATES = 20.0  # percent: the precision that ICH M10 (2022) asks of ligand-binding assays
FEWEST_ALIKE = 3  # numbers that two scans share by copying, not by chance
TIED = 0.3  # Cramér's V of a medium association (Cohen 1988)
GROUPS = 6  # levels of a covariate that is a group; more are places or dates
FEWEST = 8  # changes below which a spread says little


def of_ratings(scans: pd.DataFrame, roster: Roster) -> pd.DataFrame:
    """Flag scans whose rating differs from the person's scan before by a letter grade or more.

    Parameters
    ----------
    scans : DataFrame
        participant_id, session_id, scan, siqr_percent, iqr_percent of the scans that are used.
    """
    ordered = roster.sort(scans)
    rating = ordered["siqr_percent"].fillna(ordered["iqr_percent"])
    change = rating - rating.groupby(ordered["participant_id"]).shift()
    odd = change.abs() >= RATING_STEP
    flagged = ordered[odd].assign(value=change[odd], rule="quality changes between sessions")
    reason = flagged["value"].map("rating {:+.1f} percent points against the scan before".format)
    return flagged.assign(item="scan " + flagged["scan"], reason=reason)[COLUMNS]


def changes(measures: pd.DataFrame, roster: Roster) -> pd.DataFrame:
    """Return the changes of the brain's numbers since the person's session before.

    Returns
    -------
    DataFrame
        The measures that have a value before, with `change` (in percent of the mean of the two where
        `percent`, in the unit itself for left - right) and `before`, the session before.
    """
    brain = measures[(measures["domain"] == "imaging") & (measures["unit"] != "mark")].dropna(
        subset=["value"]
    )
    keys = ["measure", "participant_id"]
    ordered = roster.sort(brain)
    before = ordered.groupby(keys)[["session_id", "value"]].shift()
    change = ordered["value"] - before["value"]
    percent = ~ordered["measure"].str.contains("left_minus_right", regex=False)
    middle = (ordered["value"] + before["value"]).abs() / 2
    change = change.where(~percent, 100 * change / middle.where(middle > 0))
    return ordered.assign(change=change, before=before["session_id"], percent=percent).dropna(
        subset=["change"]
    )


def of_changes(pairs: pd.DataFrame) -> pd.DataFrame:
    """Flag changes beyond what the other participants' changes make plausible.

    The robust z of a change is its distance from the median change in units of 1.4826 times the median
    absolute deviation, among all changes of the measure between the same two sessions.
    """
    import pandas as pd

    group = pairs.groupby(["measure", "before", "session_id"])["change"]
    centre = group.transform("median")
    spread = (pairs["change"] - centre).abs()
    scale = 1.4826 * spread.groupby([pairs["measure"], pairs["before"], pairs["session_id"]]).transform(
        "median"
    )
    z = (pairs["change"] - centre) / scale.where((scale > 0) & (group.transform("size") >= FEWEST))
    odd = pairs.assign(z=z)[z.abs() > ODD]
    unit = np.where(odd["percent"], " %", odd["unit"].map({"mm": " mm"}).fillna(""))
    words = [
        f"changed by {step:+.3g}{unit_} since {before_}; robust z {z_:+.1f} among the participants"
        for step, unit_, before_, z_ in zip(odd["change"], unit, odd["before"], odd["z"], strict=True)
    ]
    flagged = odd.assign(item="measure " + odd["measure"], rule="implausible change", value=odd["z"])
    return flagged.assign(reason=pd.Series(words, index=odd.index, dtype="str"))[COLUMNS]


def of_retest(pairs: pd.DataFrame) -> pd.DataFrame:
    """Flag changes beyond five standard deviations of the differences between two scans of one person that
    have been published for the measure (`resources/atlases/test_retest.tsv`).

    A coefficient of variation is turned into the standard deviation of a difference by the root of 2, a mean
    absolute difference by the root of pi/2 (normal differences about zero).
    """
    import pandas as pd

    known = pd.DataFrame(resources.rows("atlases", "test_retest", "atlas", "group", "metric"))
    factor = {"coefficient_of_variation": np.sqrt(2), "mean_absolute_difference": np.sqrt(np.pi / 2)}
    known["spread"] = known["percent"].astype(float) * known["statistic"].map(factor)
    parts = pairs["measure"].str.split(".", expand=True).reindex(columns=range(4)).astype("str")
    named = pairs.assign(atlas=parts[0], group=parts[1], metric=parts[3])[pairs["percent"]]
    joined = named.merge(
        known[["atlas", "group", "metric", "spread", "source"]], on=["atlas", "group", "metric"]
    )
    odd = joined[joined["change"].abs() > ODD * joined["spread"]]
    words = [
        f"changed by {step:+.3g} % since {before}; between two scans of one person the published standard"
        f" deviation is {spread:.2g} % ({source})"
        for step, before, spread, source in zip(
            odd["change"], odd["before"], odd["spread"], odd["source"], strict=True
        )
    ]
    flagged = odd.assign(item="measure " + odd["measure"], rule="change beyond retest", value=odd["change"])
    return flagged.assign(reason=pd.Series(words, index=odd.index, dtype="str"))[COLUMNS]


def of_values(measures: pd.DataFrame) -> pd.DataFrame:
    """Flag numbers of the brain beyond what is usual (`resources/atlases/ranges.tsv`)."""
    odd = implausible_measures(measures)
    return odd.assign(item="measure " + odd["measure"], rule="implausible value")[COLUMNS]


def of_copies(measures: pd.DataFrame) -> pd.DataFrame:
    """Flag participant-sessions whose brain's numbers all equal those of another: one scan under two names.

    Numbers of one kind are compared: the whole brain's, those of an atlas; three at least, and all that
    either has.
    """
    import pandas as pd

    brain = measures[(measures["domain"] == "imaging") & (measures["unit"] != "mark")]
    brain = brain[~brain["measure"].str.startswith("lesion_")].dropna(subset=["value"])
    kind = brain["measure"].str.extract(r"^(.+?)\.", expand=False).fillna("the whole brain")
    said: dict[tuple[str, str], str] = {}
    for name, numbers in brain.groupby(kind, observed=True):
        wide = numbers.pivot(index=PLACE, columns="measure", values="value")
        wide = wide[(wide.notna() & (wide != 0)).sum(axis=1) >= FEWEST_ALIKE]
        for _, same in wide.groupby(pd.util.hash_pandas_object(wide, index=False)).groups.items():
            for who, when in same[1:]:
                of = f"all {len(wide.columns)} numbers of {name} equal those of {same[0][0]} {same[0][1]}"
                said.setdefault((who, when), f"{of}; they may be one scan under two names")
    rows = [(*place, "scan", "numbers of another scan", None, reason) for place, reason in said.items()]
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object)


def of_protocol(protocol: pd.DataFrame) -> pd.DataFrame:
    """Flag images measured in another way than the person's first one, or than the study's others."""
    import pandas as pd

    kinds = {
        "within_person": "image changes between sessions",
        "in_study": "image unlike the others",
        "header_texts": "header text could identify a person",
    }
    parts = [protocol.assign(rule=rule, reason=protocol[column]) for column, rule in kinds.items()]
    flagged = pd.concat(parts).dropna(subset=["reason"])
    return flagged.assign(item="image " + flagged["source"], value=None)[COLUMNS]


def of_assays(assays: pd.DataFrame) -> pd.DataFrame:
    """Flag laboratory values whose duplicates vary by more than an assay may (ICH M10)."""
    odd = assays[assays["value"].notna() & (assays["cv_percent"] > DUPLICATES)]
    reason = odd["cv_percent"].map("duplicates vary by {:.0f} % (coefficient of variation)".format)
    flagged = odd.assign(item="assay " + odd["measure"], rule="duplicates vary", value=odd["cv_percent"])
    return flagged.assign(reason=reason)[COLUMNS]


def of_scores(samples: pd.DataFrame) -> pd.DataFrame:
    """Flag the CTRA score where its note says something: treatments that change a component, few genes.

    Parameters
    ----------
    samples : DataFrame
        Samples that are used, with the `note` of their scores.
    """
    import pandas as pd

    notes = sorted(samples["note"].dropna().unique())
    rows = [(None, None, "CTRA score", "score with a note", None, "; ".join(notes))] if notes else []
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object)


def of_batches(rows: pd.DataFrame, what: str, people: pd.DataFrame) -> pd.DataFrame:
    """Flag batches that go together with sessions or groups, so that a difference could be the batches'.

    Parameters
    ----------
    rows : DataFrame
        participant_id, session_id, batch of each sample that is used.
    what : str
        What the samples are, for the item.
    people : DataFrame
        participant_id and covariates; those in words (arm, sex) make groups.

    Returns
    -------
    DataFrame
        A row per tie; `value` is Cramér's V without its bias (Bergsma 2013, J Korean Stat Soc 42:323).
    """
    import pandas as pd

    known = rows.dropna(subset=["batch"])
    ties = [("batch tied to session", "session", known["batch"], known["session_id"])]
    # A person's samples on one batch say once which group the batch holds.
    persons = known.drop_duplicates(["participant_id", "batch"])
    for name, column in people.set_index("participant_id").items():
        if column.dtype.kind in "OU" or isinstance(column.dtype, pd.StringDtype):
            group = persons["participant_id"].map(column)
            if group.nunique() <= GROUPS:
                ties.append(("batch tied to group", str(name), persons["batch"], group))
    found = [
        (None, None, f"batches of {what}{'' if name == 'session' else f', {name}'}", rule, *tie)
        for rule, name, batch, group in ties
        if (tie := _tie(batch, group, name)) is not None
    ]
    return pd.DataFrame(found, columns=COLUMNS, dtype=object)


def _tie(batch: pd.Series, group: pd.Series, name: str) -> tuple[float, str] | None:
    """Return how closely batches and a grouping go together, and in words; None where they do not."""
    import pandas as pd
    from scipy.stats import chi2_contingency

    counts = pd.crosstab(batch, group)
    size, (batches, groups) = int(counts.to_numpy().sum()), counts.shape
    if groups < 2 or not 1 < batches < size:
        return None
    test = chi2_contingency(counts, correction=False)
    freedom = (batches - 1) * (groups - 1)
    effect = max(0.0, test.statistic / size - freedom / (size - 1))
    most = min(k - (k - 1) ** 2 / (size - 1) for k in counts.shape) - 1
    strength = min(1.0, float(np.sqrt(effect / most))) if most > 0 else 0.0
    by_chance = test.pvalue >= 0.05
    if ((counts > 0).sum(axis=1) == 1).all() and not (by_chance and name != "session"):
        return 1.0, f"each of {batches} batches holds samples of one {name} only"
    if strength < TIED or by_chance:
        return None
    return strength, f"{batches} batches and {name} go together (Cramér's V {strength:.2f}; 1 is complete)"
