"""The stages' tables as measures: one row per number observed on a participant at a session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

from pniflow.cohort.roster import PLACE

COLUMNS = [*PLACE, "measure", "value", "unit", "domain"]
COMPONENTS = ["inflammatory", "interferon", "antibody"]
GLOBAL_UNITS = {"tiv": "ml", "gm": "ml", "wm": "ml", "csf": "ml", "wmh": "ml", "mean_thickness": "mm"}
MARKS = ["siqr", "iqr"]
YES_NO = {"yes": 1.0, "no": 0.0}


def of_scales(scales: pd.DataFrame) -> pd.DataFrame:
    """Questionnaire scores as measures."""
    named = scales.rename(columns={"scale": "measure", "score": "value"})
    return named.assign(unit="points", domain="questionnaire")[COLUMNS]


def of_assays(assays: pd.DataFrame) -> pd.DataFrame:
    """Laboratory measures."""
    return assays.assign(domain="assay")[COLUMNS]


def of_ctra(scores: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """CTRA scores (all variants), their components and marker genes as measures."""
    located = scores.merge(samples[["sample_id", *PLACE]], on="sample_id", how="inner", validate="1:1")
    names = [name for name in scores.columns if name.startswith(("ctra", "log2_")) or name in COMPONENTS]
    long = _long(located, names)
    return long.assign(unit=long["measure"].map(_ctra_units(scores)), domain="expression")[COLUMNS]


def _ctra_units(scores: pd.DataFrame) -> dict[str, str]:
    units = {
        name: "log2" if name.startswith("log2_") or name.endswith("_log2") else "mean z"
        for name in scores.columns
    }
    if "ctra_mean_log2" in scores and scores["ctra"].equals(scores["ctra_mean_log2"]):
        units["ctra"] = "log2"
    return units


def of_scans(scans: pd.DataFrame, regions: pd.DataFrame | None, globals: pd.DataFrame | None) -> pd.DataFrame:
    """Numbers of scans, one per participant-session: region groups, whole-brain numbers, quality marks.

    Parameters
    ----------
    scans : DataFrame
        scan, participant_id, session_id, siqr, iqr.
    regions, globals : DataFrame, optional
        As CAT12's files say.
    """
    import pandas as pd

    place = scans[["scan", *PLACE]]
    parts = [_long(scans, MARKS).dropna(subset=["value"]).assign(unit="mark")]
    if globals is not None:
        columns = [name for name in GLOBAL_UNITS if name in globals]
        here = globals.drop(columns=PLACE, errors="ignore").merge(place, on="scan", validate="1:1")
        long = _long(here, columns).dropna(subset=["value"])
        parts.append(long.assign(unit=long["measure"].map(GLOBAL_UNITS)))
    if regions is not None and len(scans):
        from pniflow.imaging.atlases import region_groups

        here = regions.drop(columns=PLACE).merge(place, on="scan", validate="m:1")
        parts.append(region_groups(here).drop(columns="scan"))
    return pd.concat(parts, ignore_index=True).assign(domain="imaging")[COLUMNS]


def of_labels(scans: pd.DataFrame, regions: pd.DataFrame) -> pd.DataFrame:
    """Grey matter of the scans by the regions of the study's own label image."""
    from pniflow.imaging.atlases import region_measures

    here = regions.drop(columns=PLACE).merge(scans[["scan", *PLACE]], on="scan", validate="m:1")
    return region_measures(here).assign(domain="imaging")[COLUMNS]


def of_freesurfer(regions: pd.DataFrame) -> pd.DataFrame:
    """Region groups of FreeSurfer's tables as measures, and its intracranial volume (freesurfer_etiv)."""
    import pandas as pd

    from pniflow.imaging.atlases import region_groups

    head = regions[regions["region"] == "eTIV"]
    head = head.assign(measure=head["atlas"].astype("str").str.replace("_aseg", "_etiv"))
    return pd.concat([region_groups(regions), head]).assign(domain="imaging")[COLUMNS]


def of_exposures(sessions: pd.DataFrame, exposures: Mapping[str, Any]) -> pd.DataFrame:
    """Exposures of a session as measures: numbers as they are, yes and no (and flags) as 1 and 0.

    An exposure with other levels is a measure by its flag only; its levels stay in sessions.tsv.
    """
    columns: dict[str, pd.Series] = {}
    units: dict[str, str | None] = {}
    for name, about in exposures.items():
        if "coding" not in about:
            columns[name], units[name] = sessions[name], about.get("unit")
        elif set(about["coding"].values()) <= set(YES_NO):
            columns[name], units[name] = sessions[name].map(YES_NO), "1 = yes"
        flag = f"{name}_flag"
        if flag in sessions:
            columns[flag], units[flag] = sessions[flag].map(YES_NO), "1 = yes"
    long = _long(sessions[PLACE].assign(**columns), list(columns))
    return long.assign(unit=long["measure"].map(units), domain="exposure")[COLUMNS]


def of_lesions(lesions: pd.DataFrame) -> pd.DataFrame:
    """Lesion load as measures."""
    long = _long(lesions, ["lesion_volume", "lesion_count"])
    return long.assign(
        unit=long["measure"].map({"lesion_volume": "ml", "lesion_count": "lesions"}), domain="imaging"
    )[COLUMNS]


def _long(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    values = frame[[*PLACE, *names]].astype(dict.fromkeys(names, "float64"))
    return values.melt(PLACE, names, var_name="measure", value_name="value")
