"""What must not be mixed within a person or a study: versions, pipelines, thickness definitions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pniflow.errors import listing

if TYPE_CHECKING:
    import pandas as pd


def thickness_definition(cat_version: str) -> str:
    """Return how a version defines cortical thickness, by its revision or version.

    Projection-based (PBT) up to 12.6, FreeSurfer-like distance in 12.7 to 12.9, projection-based again in
    CAT26; blank where the version cannot be told.
    """
    version = re.match(r"(\d+)\.(\d+)", cat_version)
    if version:
        major, minor = int(version[1]), int(version[2])
        return "FreeSurfer-like distance" if major == 12 and minor >= 7 else "projection-based"
    revision = re.fullmatch(r"r(\d+)", cat_version)
    if not revision:
        return ""
    # 12.7 began at r1615 and 12.9 ended before r3000.
    return "FreeSurfer-like distance" if 1615 <= int(revision[1]) < 3000 else "projection-based"


def mixed_versions(globals: pd.DataFrame, regions: pd.DataFrame | None = None) -> list[str]:
    """Say what is mixed among scans that are to be compared.

    Parameters
    ----------
    globals : DataFrame
        Contract `globals`; used: cat_version, and `longitudinal`, `longitudinal_model`,
        `wmh_handling`, `lesion_handling`, `voxel_size`, `spm_version` where present.
    regions : DataFrame, optional
        Contract `regions`; adds the versions that wrote each atlas, for scans that have no report.

    Returns
    -------
    list of str
        One sentence per thing that is mixed, naming the scans of each kind; empty when all is alike.
    """
    sentences = []
    for column, what in (
        ("cat_version", "CAT12 versions"),
        ("longitudinal_model", "longitudinal models"),
        ("wmh_handling", "settings for white matter hyperintensities (WMHC)"),
        ("lesion_handling", "settings for stroke lesions (SLC)"),
        ("voxel_size", "voxel sizes"),
        ("spm_version", "SPM versions"),
    ):
        if column in globals.columns:
            sentences += _mixed(globals["scan"], globals[column], what)
    if "longitudinal" in globals.columns:
        kinds = globals["longitudinal"].map({True: "longitudinal", False: "cross-sectional"})
        sentences += _mixed(
            globals["scan"], kinds, "runs of the longitudinal and the cross-sectional pipeline"
        )
    definitions = globals["cat_version"].fillna("").map(thickness_definition)
    sentences += _mixed(
        globals["scan"], definitions.where(definitions != ""), "definitions of cortical thickness"
    )
    if regions is not None and len(regions):
        for atlas, rows in (
            regions[["scan", "atlas", "cat_version"]].drop_duplicates().groupby("atlas", observed=True)
        ):
            sentences += _mixed(
                rows["scan"], rows["cat_version"], f"revisions that wrote the values of {atlas}"
            )
    return sentences


def mixed_images(protocol: pd.DataFrame) -> list[str]:
    """Say what is mixed among the scanners that measured T1w images: model, field strength, software.

    Parameters
    ----------
    protocol : DataFrame
        Contract `protocol`, of the images that are to be compared.

    Returns
    -------
    list of str
        One sentence per thing that is mixed, naming the images of each kind; empty when all is alike or not
        known.
    """
    t1w = protocol[protocol["suffix"] == "T1w"]
    scanner = t1w["manufacturer"].fillna("") + " " + t1w["scanner_model"].fillna("")
    kinds = {
        "scanners": scanner.str.strip().replace("", None),
        "field strengths (T)": t1w["field_strength"],
        "versions of the scanner's software": t1w["software"],
    }
    return [words for what, values in kinds.items() for words in _mixed(t1w["source"], values, what)]


def _mixed(scans: pd.Series, values: pd.Series, what: str) -> list[str]:
    kinds = {value: list(group) for value, group in scans.groupby(values.astype("str").where(values.notna()))}
    if len(kinds) < 2:
        return []
    named = "; ".join(f"{value}: {listing(sorted(group), 5)}" for value, group in sorted(kinds.items()))
    return [f"The scans mix {what} ({named})."]
