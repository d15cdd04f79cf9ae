"""Figures: one function draws and describes each (caption, alternative text, n, keys of the estimates)."""

from pniflow.figures.associations import plot_associations
from pniflow.figures.components import plot_ctra_components
from pniflow.figures.ctra_heatmap import plot_ctra_heatmap
from pniflow.figures.flow import plot_flow
from pniflow.figures.gene_forest import plot_gene_forest
from pniflow.figures.influence import plot_influence
from pniflow.figures.paired_change import plot_paired_change
from pniflow.figures.power import plot_power
from pniflow.figures.quality import plot_quality
from pniflow.figures.regions import plot_regions
from pniflow.figures.samples import plot_samples
from pniflow.figures.slopes import plot_slopes
from pniflow.figures.specification import plot_specification_curve
from pniflow.figures.standardized_change import plot_standardized_change
from pniflow.figures.vertex_maps import plot_surface
from pniflow.figures.windows import plot_windows

__all__ = [
    "plot_associations",
    "plot_ctra_components",
    "plot_ctra_heatmap",
    "plot_flow",
    "plot_gene_forest",
    "plot_influence",
    "plot_paired_change",
    "plot_power",
    "plot_quality",
    "plot_regions",
    "plot_samples",
    "plot_slopes",
    "plot_specification_curve",
    "plot_standardized_change",
    "plot_surface",
    "plot_windows",
]
