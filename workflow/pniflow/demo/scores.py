"""The measures of a simulated study, scored here from the simulator's own tables.

Written apart from the pipeline's stages and sharing nothing with them, so that each can test the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pniflow.demo.observe import answered
from pniflow.demo.scenario import DETECTION_LIMIT, facets, genes, regions

if TYPE_CHECKING:
    from pniflow.demo.simulation import Study

FLOOR = 0.125  # counts per million
GROUPS = {  # measure without its side -> names in the file without their side
    "aparc_a2009s.anterior_insula.{}.thickness": ("S_circular_insula_ant", "G_insular_short"),
    "aparc_a2009s.posterior_insula.{}.thickness": ("G_Ins_lg_and_S_cent_ins",),
    "neuromorphometrics.hippocampus.{}.gm_volume": ("Hippocampus",),
    "neuromorphometrics.amygdala.{}.gm_volume": ("Amygdala",),
    "neuromorphometrics.thalamus.{}.gm_volume": ("Thalamus Proper",),
    "neuromorphometrics.anterior_cingulate.{}.gm_volume": ("ACgG anterior cingulate gyrus",),
    "neuromorphometrics.mid_cingulate.{}.gm_volume": ("MCgG middle cingulate gyrus",),
}
WEIGHTS = {"inflammatory": 1, "interferon": -1, "antibody": -1}
SCORED = (*WEIGHTS, "reference")


def _scored(items: np.ndarray, kind: str) -> np.ndarray:
    """Score mean or sum where at least half is answered, missing items as the person's mean."""
    given = np.isfinite(items)
    count = given.sum(axis=2)
    mean = np.where(given, items, 0).sum(axis=2) / np.maximum(count, 1)
    return np.where(2 * count >= items.shape[2], mean * (items.shape[2] if kind == "sum" else 1), np.nan)


def questionnaire_scores(answers: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return every scale, participants x sessions."""
    totals = ("pss10", "gad7", "phq9", "mfis", "ucla_loneliness_v3", "mhc_sf")
    result = {name: _scored(answered(answers, name), "sum") for name in totals}
    parts = [f.name for f in facets() if f.instrument == "mfis"] + ["mhc_sf_hedonic"]
    result |= {name: _scored(answered(answers, name), "sum") for name in parts}
    result["mhc_sf_eudaimonic"] = _scored(answered(answers, "mhc_sf_social", "mhc_sf_psychological"), "sum")
    return result | {
        f.name: _scored(answered(answers, f.name), "mean") for f in facets() if f.instrument == "maia2"
    }


def log_cortisol(concentration: np.ndarray) -> np.ndarray:
    """Return natural logarithms, half the detection limit standing for what is below it."""
    return np.log(np.where(concentration < DETECTION_LIMIT, DETECTION_LIMIT / 2, concentration))


def normalized(counts: np.ndarray, library: np.ndarray, component: np.ndarray) -> np.ndarray:
    """Return log2 counts per million over the mean of the reference genes, times its grand mean, floored."""
    per_million = 1e6 * counts / library[..., None]
    reference = per_million[..., component == "reference"].mean(axis=2, keepdims=True)
    return np.asarray(np.log2(np.maximum(per_million * np.nanmean(reference) / reference, FLOOR)))


def ctra_scores(
    log2: np.ndarray, component: np.ndarray, scale: tuple[np.ndarray, np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """Return CTRA (higher = more adverse) and its components (higher = more expression), mean z over genes.

    Parameters
    ----------
    log2 : ndarray
        Normalized expression (participants, sessions, genes).
    scale : tuple of ndarray, optional
        Mean and SD of each gene; over all samples given (ddof 1) by default.
    """
    mean, sd = gene_scale(log2) if scale is None else scale
    usable = np.isin(component, list(WEIGHTS)) & (sd > 1e-12)
    z = (log2 - mean) / np.where(usable, sd, 1.0)
    weight = np.array([WEIGHTS.get(str(name), 0) for name in component]) * usable
    parts = {name: z[..., usable & (component == name)].mean(axis=2) for name in WEIGHTS}
    return {"ctra": (z * weight)[..., usable].mean(axis=2), **parts}


def gene_scale(log2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each gene's mean and SD over all samples."""
    flat = log2.reshape(-1, log2.shape[-1])
    flat = flat[np.isfinite(flat).all(axis=1)]
    return flat.mean(axis=0), flat.std(axis=0, ddof=1)


def group_members() -> dict[str, np.ndarray]:
    """Return for each region measure with a side the rows of the region table it is made of."""
    table, members = regions(), {}
    for pattern, names in GROUPS.items():
        atlas, _, _, metric = pattern.split(".")
        for side in ("left", "right"):
            prefix = side[0] if metric == "thickness" else f"{side.capitalize()} "
            wanted = np.isin(table["name"], [prefix + name for name in names])
            members[pattern.format(side)] = np.flatnonzero((table["atlas"] == atlas) & wanted)
    return members


def imaging_measures(study: Study) -> dict[str, np.ndarray]:
    """Return region groups (thickness weighted by template vertices), asymmetry, globals and quality."""
    brains, result = study.brains, dict(study.brains.tissue)
    for name, rows in group_members().items():
        metric = name.rsplit(".", 1)[1]
        values = brains.sizes[metric][..., np.searchsorted(brains.keep, rows)]
        vertices = regions()["vertices"][rows]
        weight = vertices / vertices.sum() if metric == "thickness" else np.ones(len(rows))
        result[name] = values @ weight
    for pattern in (name for name in GROUPS if name.endswith("thickness")):
        left, right, difference = (pattern.format(side) for side in ("left", "right", "left_minus_right"))
        result[difference] = result[left] - result[right]
    result["tiv"] = result["csf"] + result["gm"] + result["wm"]
    result |= {"siqr": brains.marks["SIQR"], "iqr": brains.marks["IQR"]}
    result["mean_thickness"] = brains.mean_thickness
    scanned = study.presence.scanned
    compared = scanned & (scanned.sum(axis=1, keepdims=True) > 1)  # a person's only scan: another pipeline
    result = {name: np.where(compared, values, np.nan) for name, values in result.items()}
    return result | {"lesion_volume": np.where(scanned, brains.lesion_volume, np.nan)}


def measures(study: Study, scale: tuple[np.ndarray, np.ndarray] | None = None) -> dict[str, np.ndarray]:
    """Return every measure of a study, participants x sessions, NaN where missing."""
    component = genes()["component"][study.genes]
    return {
        **questionnaire_scores(study.answers),
        "log_hair_cortisol": log_cortisol(study.cortisol),
        **ctra_scores(normalized(study.counts, study.library, component), component, scale),
        **imaging_measures(study),
    }
