"""Figures: one function draws and describes each (caption, alternative text, n, keys of the estimates)."""

from __future__ import annotations

import importlib
from typing import Any

_PLACES = {
    "plot_associations": "associations",
    "plot_ctra_components": "components",
    "plot_ctra_heatmap": "ctra_heatmap",
    "plot_flow": "flow",
    "plot_gene_forest": "gene_forest",
    "plot_influence": "influence",
    "plot_paired_change": "paired_change",
    "plot_power": "power",
    "plot_quality": "quality",
    "plot_regions": "regions",
    "plot_samples": "samples",
    "plot_slopes": "slopes",
    "plot_specification_curve": "specification",
    "plot_standardized_change": "standardized_change",
    "plot_surface": "vertex_maps",
    "plot_windows": "windows",
}

__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    """Import a figure's function when it is asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
