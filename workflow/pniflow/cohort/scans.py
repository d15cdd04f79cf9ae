"""Scans: matched to participant and session, compared, gated on quality; what is left out gets its rule."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pniflow.errors import InputError, listing

if TYPE_CHECKING:
    import pandas as pd

from pniflow.cohort.roster import PLACE

GATE = "quality below threshold"


def scan_list(tables: dict[Path, pd.DataFrame]) -> pd.DataFrame:
    """Join what the tables say about each scan into one row per scan.

    Parameters
    ----------
    tables : mapping of path to DataFrame
        scans, quality, globals, regions as far as they exist; each has `scan` and some of participant_id,
        session_id, average, status, reason, iqr, siqr, iqr_percent, siqr_percent, cat_version.

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

    about = ["average", "status", "reason", "iqr", "siqr", "iqr_percent", "siqr_percent", "cat_version"]
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
    percent = ["iqr", "siqr", "iqr_percent", "siqr_percent"]
    return first.astype(dict.fromkeys(percent, "float64")).assign(
        average=first["average"].fillna(False).astype(bool), status=first["status"].fillna("ok")
    )


def versions(scans: pd.DataFrame, allow_mixed: bool, path: Path) -> str:
    """Refuse scans of different CAT12 versions unless allowed; return the words that say which there are.

    Raises
    ------
    InputError
        More than one version, and `allow_mixed` is False; the sentence names one scan of each.
    """
    known = scans.dropna(subset=["cat_version"]).sort_values(["cat_version", "scan"])
    counts = known.groupby("cat_version")["scan"].agg(["size", "first"])
    if len(counts) > 1 and not allow_mixed:
        named = [f"{version} ({row['first']})" for version, row in counts.iterrows()]
        raise InputError(
            f"{path}: the scans come from {len(counts)} versions of CAT12 ({listing(named)}); "
            "process all of them with one version, or set cat12.allow_mixed_versions to true in config.yaml."
        )
    said = ", ".join(f"{version} (n = {row['size']})" for version, row in counts.iterrows())
    mixed = "MIXED, accepted by cat12.allow_mixed_versions: " if len(counts) > 1 else ""
    return f"CAT12 {mixed}{said}" if said else "CAT12 version not recorded"


def sorted_out(scans: pd.DataFrame, minimum_quality: float) -> pd.DataFrame:
    """Give each scan the rule that leaves it out, and the reason; blank for a scan that is used.

    The rating is SIQR in percent or, where the report has none, IQR in percent. A scan without is used.
    """
    import numpy as np
    import pandas as pd

    rating = scans["siqr_percent"].fillna(scans["iqr_percent"])
    name = np.where(scans["siqr_percent"].notna(), "SIQR", "IQR")
    unmatched = scans[PLACE].isna().any(axis=1)
    rules = [
        ("average scan", scans["average"], "the within-person average is not a time point"),
        ("unmatched scan", unmatched, "the name could not be matched to a participant and session"),
        ("failed scan", scans["status"] == "failed", scans["reason"].fillna("CAT12 reported a failure")),
        (
            GATE,
            rating < minimum_quality,
            pd.Series(name, index=scans.index)
            + rating.map(" {:.1f} % is below ".format)
            + f"{minimum_quality:g} %",
        ),
    ]
    rule = pd.Series(None, index=scans.index, dtype="str")
    reason = rule.copy()
    for word, holds, why in rules:
        fresh = holds & rule.isna()
        rule = rule.mask(fresh, word)
        reason = reason.mask(fresh, why)
    return scans.assign(rule=rule, reason=reason)
