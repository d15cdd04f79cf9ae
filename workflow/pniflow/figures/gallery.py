"""One list of the figures: what each reads and shows, which studies have it, and where the report places it.

A figure is a function `plot_<name>` in a file of its name, one row here, and its test. Its rule, its command
(`figures.style` reads its tables and writes its files) and its caption in Snakemake's report follow from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

LABELS = "labels/measures instruments/*"


@dataclass(frozen=True)
class Figure:
    """A figure of the report.

    Attributes
    ----------
    name : str
        Its function is `plot_<name>`.
    title : str
        Its title.
    reads : tuple of str
        Tables that it is drawn from (names of `pniflow.tables`).
    place : str
        Where the report shows it; figures of one place stand there in the order of this list.
    caption : str
        What it shows, for Snakemake's report; its own caption counts what it shows.
    resources : str
        Resources that it reads, as a rule's `reads` takes them: mostly what labels are made of.
    modality : str
        Without this modality a study has no such figure; blank: every study has it.
    optional : tuple of str
        Tables that its command can do without.
    """

    name: str
    title: str
    reads: tuple[str, ...]
    place: str
    caption: str
    resources: str = LABELS
    modality: str = ""
    optional: tuple[str, ...] = ()


FIGURES = {
    figure.name: figure
    for figure in (
        Figure(
            "flow",
            "Flow of participants",
            ("flow",),
            "participants",
            "Participants counted from the data: enrolled, assessed and usable in each branch at each "
            "session, and at every session. What was excluded stands in "
            "``results/cohort/exclusions.tsv``.",
            resources="",
        ),
        Figure(
            "windows",
            "What each measure looks back on",
            ("windows",),
            "windows",
            "Study days that each instrument and assay looks back on at each session, against the "
            "days of the intervention (band). Diamonds: a moment; open circles: the measure states no "
            "window. The numbers are those of ``results/study/windows.tsv``.",
        ),
        Figure(
            "quality",
            "Data of each participant",
            ("measures", "participants"),
            "quality",
            "Which measures each participant has in each branch at each session, and CAT12's quality "
            "mark of the scans (1 best, 6 worst).",
            resources="labels/measures",
        ),
        Figure(
            "samples",
            "Quality of the blood samples",
            ("sample_quality",),
            "quality",
            "Library size, detected genes, share of the most expressed gene, reference genes and "
            "profile of each blood sample, and which samples are flagged; a flag drops none.",
            resources="",
            modality="expression",
        ),
        Figure(
            "paired_change",
            "Change between the sessions",
            ("measures", "estimates"),
            "change",
            "Change of each measure from session to session: each thin line is a person, blue is the "
            "mean with its 95 % interval. Above each panel stands the estimate of the mixed model, "
            "with its interval, the p-value adjusted within its family, and the number of persons. "
            "Higher CTRA = more adverse. The numbers are those of ``results/models/estimates.tsv``.",
        ),
        Figure(
            "standardized_change",
            "Standardized change of each measure",
            ("estimates", "diagnostics"),
            "change",
            "Standardized change (Hedges' g_av) of every tested measure with its 95 % interval, "
            "family by family; blue circles point towards better, orange squares towards worse, grey "
            "diamonds where neither direction is better. Higher CTRA = more adverse.",
        ),
        Figure(
            "ctra_components",
            "CTRA score and its components",
            ("measures", "estimates"),
            "ctra",
            "The CTRA score and its three components at each session: each thin line is a person, "
            "blue is the mean with its 95 % interval. Higher CTRA = more adverse; components stand in "
            "the direction of expression. The estimates are those of "
            "``results/models/estimates.tsv``.",
            resources="labels/measures",
            modality="expression",
        ),
        Figure(
            "ctra_heatmap",
            "CTRA genes by person and session",
            ("expression", "samples", "ctra", "ctra_genes"),
            "ctra",
            "Expression of the genes of the {gene_set} score (z of log2 over all samples), genes by "
            "persons, one block per session; above, the score of each sample ({variant}); right, the "
            "mean change of each gene. Higher CTRA = more adverse: more inflammatory, less interferon "
            "and antibody gene expression.",
            resources="",
            modality="expression",
        ),
        Figure(
            "gene_forest",
            "Genes of the CTRA score, one by one",
            ("gene_estimates",),
            "ctra",
            "Estimates with 95 % intervals of the score's genes, one by one, in the direction of "
            "expression (right: more expression), coloured by component. Filled: p adjusted over the "
            "genes below .05. Exploratory; the score is the prespecified outcome. Higher CTRA = more "
            "adverse. The numbers are those of ``results/models/gene_estimates.tsv``.",
            modality="expression",
        ),
        Figure(
            "slopes",
            "Associations, person by person",
            ("measures", "estimates"),
            "associations",
            "Main associations within persons (each session's deviation from the session's and the "
            "person's own mean) and between persons (their means), with the slope of the fitted model "
            "and its 95 % interval. Higher CTRA = more adverse. The numbers are those of "
            "``results/models/estimates.tsv``.",
        ),
        Figure(
            "associations",
            "Associations within and between persons",
            ("estimates", "measures"),
            "associations",
            "Slopes of the prespecified associations with 95 % intervals, within persons (from "
            "session to session) and between persons (their means) apart; pooled slopes are the kind "
            "of analysis that was published. Filled: adjusted p below .05. Higher CTRA = more "
            "adverse.",
            optional=("measures",),
        ),
        Figure(
            "regions",
            "Brain regions by hemisphere",
            ("measures", "estimates"),
            "regions",
            "Estimates of brain region groups on the left, on the right, and left minus right, in "
            "percent of the region's mean at the first session, with 95 % intervals; below, thickness "
            "on the cortical surface. Higher CTRA = more adverse.",
            resources=f"{LABELS} labels/atlases atlases/groups",
            modality="cat12",
        ),
        Figure(
            "surface",
            "Estimates at every vertex of the cortex",
            ("maps", "peaks"),
            "maps",
            "Estimates at every vertex of the cortical surface, seen from outside and inside on each "
            "side. Black outlines hold vertices whose family-wise p (threshold-free cluster "
            "enhancement, both hemispheres together, by permutation of persons) is below .05; without "
            "an outline it is .05 or more everywhere. Higher CTRA = more adverse.",
            modality="surfaces",
        ),
        Figure(
            "voxels",
            "Estimates at every voxel of grey matter",
            ("voxel_maps", "voxel_peaks"),
            "maps",
            "Estimates at every voxel of grey matter, in slices through the largest statistic. Black "
            "outlines, and the glass brain below, hold voxels whose family-wise p (threshold-free cluster "
            "enhancement over the whole mask, by permutation of persons) is below .05; where there are "
            "none it is empty. Higher CTRA = more adverse.",
            modality="voxels",
        ),
        Figure(
            "specification_curve",
            "Main estimates under every declared choice",
            ("sensitivity", "estimates", "measures"),
            "robustness",
            "Main estimates under every declared choice, sorted, with 95 % intervals, in standard "
            "deviations of the outcome at the first session; below each, what a specification chose. "
            "Orange diamond: the prespecified analysis. Higher CTRA = more adverse. The numbers are "
            "those of ``results/models/sensitivity.tsv``.",
            resources=f"{LABELS} labels/variants",
        ),
        Figure(
            "influence",
            "Influence of single participants",
            ("sensitivity", "estimates", "participants"),
            "robustness",
            "How far each main estimate moves, in its standard errors, when any one participant is "
            "left out; the participant who moves it most stands beside it. Squares: below .05 with "
            "everybody, not below without one. The numbers are those of "
            "``results/models/sensitivity.tsv`` (variants ``leave_one_out_*``).",
            optional=("participants",),
        ),
        Figure(
            "power",
            "What this design can find",
            ("design",),
            "design",
            "Power against declared effects and type-I error of the prespecified tests, by simulation "
            "with this study's people, visits and covariates; unadjusted tests, no observed effect. "
            "The smallest effects found in 80 % of draws stand in the report's caption.",
            resources="",
        ),
    )
}


def drawn(modalities: Iterable[str]) -> list[Figure]:
    """Return the figures of a study of these modalities."""
    held = {"", *modalities}
    return [figure for figure in FIGURES.values() if figure.modality in held]
