"""What must not be mixed within a person or a study: versions, pipelines, thickness definitions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from pniflow.errors import listing

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["version", "pipeline", "scanner", "thickness_definition"]
"""What may be mixed where a study says so: version with settings and voxel size, pipeline (cross-sectional,
longitudinal and its model), scanner with field strength and software, definition of cortical thickness.
"""

_SETTINGS: tuple[tuple[Kind, str, str], ...] = (
    ("version", "cat_version", "CAT12 versions"),
    ("pipeline", "longitudinal_model", "longitudinal models"),
    ("version", "wmh_handling", "settings for white matter hyperintensities (WMHC)"),
    ("version", "lesion_handling", "settings for stroke lesions (SLC)"),
    ("version", "voxel_size", "voxel sizes"),
    ("version", "spm_version", "SPM versions"),
)
_FIELDS = (0.055, 0.2, 0.35, 0.5, 1.0, 1.5, 3.0, 4.7, 7.0, 9.4, 10.5, 11.7)  # T, of scanners that are sold
_OF_NOMINAL = 0.05


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


def mixtures(
    globals: pd.DataFrame, regions: pd.DataFrame | None = None, protocol: pd.DataFrame | None = None
) -> dict[Kind, list[str]]:
    """Say what is mixed among scans that are to be compared, by what would have to be allowed.

    Parameters
    ----------
    globals : DataFrame
        Contract `globals`; used: cat_version, and `longitudinal`, `longitudinal_model`,
        `wmh_handling`, `lesion_handling`, `voxel_size`, `spm_version` where present.
    regions : DataFrame, optional
        Contract `regions`; adds the versions that wrote each atlas, for scans that have no report.
    protocol : DataFrame, optional
        Contract `protocol`, of the images that are to be compared: scanner, field strength and software of
        T1w images, however they are spelled.

    Returns
    -------
    dict of str to list of str
        Kind (version, pipeline, scanner, thickness_definition) -> one sentence per thing that is mixed,
        naming the scans of each kind; empty when all is alike or not known.
    """
    found: dict[Kind, list[str]] = {}
    scans = globals["scan"]
    for kind, column, what in _SETTINGS:
        if column in globals.columns:
            found.setdefault(kind, []).extend(_mixed(scans, globals[column], what))
    if "longitudinal" in globals.columns:
        runs = globals["longitudinal"].map({True: "longitudinal", False: "cross-sectional"})
        found.setdefault("pipeline", []).extend(
            _mixed(scans, runs, "runs of the longitudinal and the cross-sectional pipeline")
        )
    definitions = globals["cat_version"].fillna("").map(thickness_definition)
    found["thickness_definition"] = _mixed(
        scans, definitions.where(definitions != ""), "definitions of cortical thickness"
    )
    if regions is not None and len(regions):
        written = regions[["scan", "atlas", "cat_version"]].drop_duplicates()
        for atlas, rows in written.groupby("atlas", observed=True):
            what = f"revisions that wrote the values of {atlas}"
            found["version"] += _mixed(rows["scan"], rows["cat_version"], what)
    if protocol is not None:
        found["scanner"] = _mixed_images(protocol)
    return {kind: sentences for kind, sentences in found.items() if sentences}


def _mixed_images(protocol: pd.DataFrame) -> list[str]:
    t1w = one_spelling(protocol[protocol["suffix"] == "T1w"])
    model = t1w["manufacturer"].fillna("") + " " + t1w["scanner_model"].fillna("")
    kinds = {
        "scanners": model.str.strip().replace("", None),
        "field strengths (T)": t1w["field_strength"],
        "versions of the scanner's software": t1w["software"],
    }
    return [words for what, values in kinds.items() for words in _mixed(t1w["source"], values, what)]


def one_spelling(protocol: pd.DataFrame) -> pd.DataFrame:
    """Write each scanner, and its field strength, in one way: SIEMENS as Siemens, 2.89362 T as 3 T.

    Parameters
    ----------
    protocol : DataFrame
        Contract `protocol`. Of spellings that mean the same, the first stands for all.
    """
    same = protocol.copy()
    for column, letters in _SPELLED.items():
        words = protocol[column].dropna().astype("str")
        meant = words.map(letters)
        first = dict(zip(meant[::-1], words[::-1], strict=True))
        same[column] = meant.map(first).reindex(protocol.index)
    field = protocol["field_strength"].astype(float)
    same["field_strength"] = field.map(_nominal, na_action="ignore")
    return same


def _maker(name: str) -> str:
    """Return the manufacturer's first word: SIEMENS, Siemens Healthineers and Siemens are one."""
    first = re.search(r"[^\W_]+", name.casefold().replace("general electric", "ge"))
    return first[0] if first else ""


def _letters(name: str) -> str:
    """Return the letters and digits of a name, without words of a family (MAGNETOM, syngo MR)."""
    return re.sub(r"[\W_]+", "", re.sub(r"(?i)magnetom|syngo[\W_]*mr", "", name).casefold())


def _nominal(field: float) -> float:
    """Return the field strength that is meant: the scanner's frequency gives 2.89362 T for 3 T."""
    nearest = min(_FIELDS, key=lambda nominal: abs(field / nominal - 1))
    return nearest if abs(field / nearest - 1) < _OF_NOMINAL else field


_SPELLED: dict[str, Callable[[str], str]] = {
    "manufacturer": _maker,
    "scanner_model": _letters,
    "software": _letters,
}


def _mixed(scans: pd.Series, values: pd.Series, what: str) -> list[str]:
    kinds = {value: list(group) for value, group in scans.groupby(values.astype("str").where(values.notna()))}
    if len(kinds) < 2:
        return []
    named = "; ".join(f"{value}: {listing(sorted(group), 5)}" for value, group in sorted(kinds.items()))
    return [f"The scans mix {what} ({named})."]
