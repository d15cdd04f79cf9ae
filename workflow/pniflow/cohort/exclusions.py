"""Exclusions: every collected thing that gives no number, with the rule and the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

from pniflow.cohort.roster import PLACE

COLUMNS = [*PLACE, "item", "rule", "reason"]


def of_scales(scales: pd.DataFrame) -> pd.DataFrame:
    """Scales without a score although the person answered something at the session.

    A scale of which nobody answered anything at a session was not asked there: it is not collected.
    """
    answered = scales.groupby(PLACE)["items_answered"].transform("sum") > 0
    asked = scales.groupby(["session_id", "scale"])["items_answered"].transform("sum") > 0
    lost = scales[scales["score"].isna() & answered & asked]
    none = lost["items_answered"] == 0
    counts = (
        lost["items_answered"].astype("str") + " of " + lost["items_total"].astype("str") + " items answered"
    )
    return lost.assign(
        item="scale " + lost["scale"],
        rule=none.map({True: "not answered", False: "score not computable"}),
        reason=counts,
    )[COLUMNS]


def of_assays(assays: pd.DataFrame) -> pd.DataFrame:
    """Laboratory values that were measured and give no number."""
    lost = assays[assays["value"].isna() & (assays["below_limit"] | assays["cv_percent"].notna())]
    varied = lost["cv_percent"].map("duplicates vary by {:.0f} % (coefficient of variation)".format)
    below = "below the limit of detection, which the study treats as missing"
    reason = varied.where(~lost["below_limit"], below)
    return lost.assign(item="assay " + lost["measure"], rule="no usable value", reason=reason)[COLUMNS]


def of_samples(samples: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Blood samples without a CTRA score."""
    joined = samples.merge(scores, on="sample_id", how="left", indicator=True)
    absent = joined["_merge"] == "left_only"
    lost = joined[absent | joined["ctra"].isna()]
    words = (
        lost["genes_used"].astype("str")
        + " genes of the set usable, "
        + lost["genes_missing"].astype("str")
        + " missing"
    )
    excluded = lost.reindex(columns=["excluded"])["excluded"]
    if "note" in lost:
        words = words.where(lost["note"].isna(), words + "; " + lost["note"].astype("str"))
    return lost.assign(
        item="sample " + lost["sample_id"],
        rule=absent[lost.index].map({True: "sample not scored", False: "score not computable"}),
        reason=words.mask(absent[lost.index], "the sample has no column in the expression matrix").mask(
            excluded.notna(), "excluded by the study: " + excluded.astype("str")
        ),
    )[COLUMNS]


def of_scans(scans: pd.DataFrame, kind: str = "scan") -> pd.DataFrame:
    """Scans (or FreeSurfer's folders) that a rule leaves out."""
    lost = scans.dropna(subset=["rule"])
    return lost.assign(item=f"{kind} " + lost["scan"])[COLUMNS]


def of_thickness(scans: pd.DataFrame) -> pd.DataFrame:
    """Cortical thickness of scans whose versions define it differently."""
    versions = scans["cat_version"].fillna("not recorded").astype("str")
    reason = "versions of CAT12 that define thickness differently are not compared; this is " + versions
    return scans.assign(
        item="thickness of scan " + scans["scan"], rule="thickness not comparable", reason=reason
    )[COLUMNS]


def of_silence(
    assessed: pd.DataFrame, usable: pd.DataFrame, listed: pd.DataFrame, branch: str
) -> pd.DataFrame:
    """Participant-sessions of a branch that were assessed and have neither a number nor an exclusion yet."""
    import pandas as pd

    explained = pd.MultiIndex.from_frame(pd.concat([usable[PLACE], listed[PLACE]]))
    lost = assessed[~pd.MultiIndex.from_frame(assessed[PLACE]).isin(explained)]
    reason = "collected, but none of its numbers is a measure"
    return lost.assign(item=branch, rule="no usable value", reason=reason)[COLUMNS]
