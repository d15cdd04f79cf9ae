"""Brain structure: measures of MRI, and the maps' peaks and clusters."""

from __future__ import annotations

from typing import Any

from pniflow.report import estimate_tables
from pniflow.report.blocks import Heading, Paragraph
from pniflow.report.listed_tables import listed, terms
from pniflow.report.run_results import Results
from pniflow.text import labels

_MAPS = {
    "clusters": "Clusters of vertices, over the cortical surface.",
    "peaks": "Peaks of the maps over the cortical surface.",
    "voxel_clusters": "Clusters of voxels, in the volume.",
    "voxel_peaks": "Peaks of the maps in the volume.",
}


def mri(results: Results) -> list[Any]:
    """Brain structure."""
    kinds = ("change", "joint", "within", "between", "difference", "pooled", "level")
    rows = results.of_kinds(*kinds, imaging=True)
    found = maps(results)
    found = [Heading("Peaks and clusters of the maps", "mri-maps"), *found] if found else []
    if not rows:
        return found
    return [
        *results.figures_at("regions"),
        *estimate_tables.by_family(rows, results.context, "Family"),
        *results.figures_at("maps"),
        *found,
    ]


def maps(results: Results) -> list[Any]:
    """Peaks and clusters of the maps over the cortical surface and voxel by voxel."""
    note = "x, y and z: mm to the right, to the front and up, in the template's space."
    blocks: list[Any] = []
    for name, caption in _MAPS.items():
        table = results.tables.get(name)
        if table is not None and len(table):
            said = {"term": terms(results.sessions), "outcome": lambda outcome: labels.label(outcome).long}
            placed = name in ("peaks", "voxel_peaks") and table["x"].notna().any()
            blocks.append(listed(table, name, caption, note if placed else "", said))
        elif table is not None:
            where = "in the volume" if name.startswith("voxel") else "over the cortical surface"
            blocks.append(Paragraph([f"{caption.split(' ')[0]} {where}: none."]))
    return blocks
