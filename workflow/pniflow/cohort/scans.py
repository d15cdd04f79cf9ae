"""Scans: matched to participant and session, compared, gated on quality; what is left out gets its rule."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pniflow.errors import InputError, listing

if TYPE_CHECKING:
    import pandas as pd

    from pniflow.imaging.comparability import Kind

from pniflow.cohort.roster import PLACE

GATE = "quality below threshold"
MIXED = "MIXED, accepted by cat12.allow_mixed: "


def scan_list(tables: dict[Path, pd.DataFrame]) -> pd.DataFrame:
    """Join what the tables say about each scan into one row per scan.

    Parameters
    ----------
    tables : mapping of path to DataFrame
        scans, quality, globals, regions as far as they exist; each has `scan` and some of participant_id,
        session_id, average, longitudinal, status, reason, iqr, siqr, iqr_percent, siqr_percent, cat_version.

    Returns
    -------
    DataFrame
        One row per scan, sorted by scan: the first value that is not missing, in the order of the tables.

    Raises
    ------
    InputError
        Two tables put one scan to different participants or sessions.
    """
    import pandas as pd

    percent = ["iqr", "siqr", "iqr_percent", "siqr_percent"]
    about = ["average", "longitudinal", "status", "reason", *percent, "cat_version"]
    parts = [
        frame.reindex(columns=["scan", *PLACE, *about])
        .drop_duplicates("scan")
        .astype(object)
        .assign(source=str(path))
        for path, frame in tables.items()
    ]
    joined = pd.concat(parts, ignore_index=True)
    for column in PLACE:
        several = joined.groupby("scan")[column].nunique() > 1
        if several.any():
            scan = several[several].index[0]
            given = joined.loc[joined["scan"] == scan].dropna(subset=[column])
            says = ", ".join(
                f"{value} in {source}" for value, source in zip(given[column], given["source"], strict=True)
            )
            raise InputError(
                f"scan {scan}: {column} differs between tables ({says}); index and parse the scans again."
            )
    first = joined.groupby("scan", sort=True).first().reset_index()  # first that is not missing, by column
    return first.astype(dict.fromkeys(percent, "float64")).assign(
        average=first["average"].fillna(False).astype(bool), status=first["status"].fillna("ok")
    )


def compared(
    scans: pd.DataFrame,
    globals: pd.DataFrame | None,
    regions: pd.DataFrame | None,
    allowed: Collection[str],
    path: Path,
    protocol: pd.DataFrame | None = None,
) -> str:
    """Refuse scans that must not be mixed (versions, pipelines, scanners) unless allowed; say what is mixed.

    Parameters
    ----------
    scans : DataFrame
        The scans that are compared: scan, cat_version, longitudinal.
    globals, regions : DataFrame, optional
        As CAT12's files say, of all scans.
    allowed : collection of str
        Kinds of mixture with which to go on and say what is mixed.
    path : path
        Where the sentence says that the scans stand.
    protocol : DataFrame, optional
        How the images were measured.

    Raises
    ------
    InputError
        Something is mixed that is not allowed; the sentence names the scans of each kind.
    """
    from pniflow.imaging.comparability import mixtures

    about = scans[["scan", "cat_version", "longitudinal"]]
    if globals is not None:  # scans without a report have no row there
        others = globals.drop(columns="longitudinal", errors="ignore")
        about = scans[["scan", "longitudinal"]].merge(others, on="scan", how="left")
    held = None if regions is None else regions[regions["scan"].isin(scans["scan"])]
    images = None if protocol is None else protocol.merge(scans[PLACE].drop_duplicates(), on=PLACE)
    mixed = accepted(mixtures(about, held, images), allowed, path)
    if mixed:
        return mixed
    known = scans["cat_version"].dropna()
    return f"CAT12 {known.iloc[0]}" if len(known) else "CAT12 version not recorded"


def refuse_other_handling(scans: pd.DataFrame, globals: pd.DataFrame, handling: str, path: Path) -> None:
    """Refuse scans whose reports contradict the study: its own lesion correction (SLC) on, or off.

    Raises
    ------
    InputError
        The study says `none` and scans were made with SLC, or `CAT12 SLC` and they were made without.
    """
    said = globals[globals["scan"].isin(scans["scan"])].reindex(columns=["scan", "lesion_handling"]).dropna()
    off = said["lesion_handling"].astype("str").str.fullmatch(r"0(\.0*)?")
    wrong = said[{"none": ~off, "CAT12 SLC": off}.get(handling, off & False)]
    if len(wrong):
        raise InputError(
            f"{path}: study.yaml says lesion_handling: {handling}, but CAT12's setting SLC is"
            f" {wrong['lesion_handling'].iloc[0]} in {listing(sorted(wrong['scan']))}; correct the wrong one."
        )


def accepted(mixed: Mapping[Kind, Sequence[str]], allowed: Collection[str], path: Path) -> str:
    """Say what is mixed, by kinds that may be; blank where nothing is.

    Scans that mix definitions of thickness are of several versions, and lose their thickness unless the
    definition may be mixed, so that the version alone decides whether they are refused.

    Raises
    ------
    InputError
        Something is mixed that is not allowed; the sentence says what to do about it.
    """
    refused = [kind for kind in mixed if kind not in allowed and kind != "thickness_definition"]
    if refused:
        count = sum(len(mixed[kind]) for kind in refused)
        more = f" ({count - 1} more such differences)" if count > 1 else ""
        raise InputError(
            f"{path}: {mixed[refused[0]][0].rstrip('.')}; compare only what was made alike, or set "
            f"cat12.allow_mixed: [{', '.join(refused)}] in config.yaml{more}."
        )
    return MIXED + " ".join(words for some in mixed.values() for words in some) if mixed else ""


def thickness_differs(scans: pd.DataFrame) -> bool:
    """True where the versions define cortical thickness differently, so that its values do not compare."""
    from pniflow.imaging.comparability import thickness_definition

    return (
        scans["cat_version"].dropna().map(thickness_definition).loc[lambda words: words != ""].nunique() > 1
    )


def sorted_out(scans: pd.DataFrame, minimum_quality: float, allowed: Collection[str]) -> pd.DataFrame:
    """Give each scan the rule that leaves it out, and the reason; blank for a scan that is used.

    The rating is SIQR in percent or, where the report has none, IQR in percent; a scan without is used. In a
    study of longitudinal runs, a person's only scan can but be a cross-sectional run: it is left out unless
    pipelines may be mixed. (Cross-sectional runs of people with several scans are refused by `compared`.)
    """
    import pandas as pd

    unmatched = scans[PLACE].isna().any(axis=1)
    sound = ~scans["average"] & ~unmatched & (scans["status"] != "failed")
    joint, single = sound & (scans["longitudinal"] == True), sound & (scans["longitudinal"] == False)  # noqa: E712
    alone = scans["participant_id"].map(scans.loc[sound, "participant_id"].value_counts()) == 1
    rating = scans["siqr_percent"].fillna(scans["iqr_percent"])
    name = scans["siqr_percent"].notna().map({True: "SIQR", False: "IQR"})
    below = name + rating.map(" {:.1f} % is below ".format) + f"{minimum_quality:g} %"
    rules = [
        ("average scan", scans["average"], "the within-person average is not a time point"),
        ("unmatched scan", unmatched, "the name could not be matched to a participant and session"),
        ("failed scan", scans["status"] == "failed", scans["reason"].fillna("CAT12 reported a failure")),
        (
            "cross-sectional run",
            single & alone & (bool(joint.any()) and "pipeline" not in allowed),
            "a person's only scan cannot go through the longitudinal pipeline; levels differ between the two",
        ),
        (GATE, rating < minimum_quality, below),
    ]
    rule = pd.Series(None, index=scans.index, dtype="str")
    reason = rule.copy()
    for word, holds, why in rules:
        fresh = holds & rule.isna()
        rule = rule.mask(fresh, word)
        reason = reason.mask(fresh, why)
    return scans.assign(rule=rule, reason=reason)
