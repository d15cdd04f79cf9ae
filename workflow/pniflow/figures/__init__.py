"""Figures: one function draws and describes each (caption, alternative text, n, keys of the estimates)."""

from pniflow.figures.associations import plot_associations
from pniflow.figures.ctra_heatmap import plot_ctra_heatmap
from pniflow.figures.paired_change import plot_paired_change
from pniflow.figures.regions import plot_regions

__all__ = ["plot_associations", "plot_ctra_heatmap", "plot_paired_change", "plot_regions"]
