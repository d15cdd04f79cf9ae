"""One list of the tables that cross a stage: where each lies, its contract, who writes and who reads it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Table:
    """A table of a run.

    Attributes
    ----------
    name : str
        As the report and the plan call it.
    path : str
        Where it lies, below the results.
    rule : str
        The rule that writes it.
    contract : str
        Its contract in `workflow/schemas`, where its name is another.
    option : str
        Its option on the command line, where its name is another.
    modality : str
        Without this modality a study has no such table; blank: every study has it.
    about : str
        What it holds, where it has no contract.
    """

    name: str
    path: str
    rule: str
    contract: str = ""
    option: str = ""
    modality: str = ""
    about: str = ""

    @property
    def flag(self) -> str:
        """Its option with the dashes."""
        return "--" + (self.option or self.name).replace("_", "-")

    @property
    def schema(self) -> str:
        """The name of its contract."""
        return self.contract or self.name

    def described(self) -> str:
        """Return what it holds, by its contract."""
        from pniflow.contracts import contract

        return self.about or str(contract(self.schema)["description"])


TABLES = {
    table.name: table
    for table in (
        Table("samples", "study/samples.tsv", "ingest_study", modality="expression"),
        Table("windows", "study/windows.tsv", "ingest_study"),
        Table("scales", "questionnaires/scales.tsv", "score_questionnaires", modality="questionnaires"),
        Table(
            "reliability", "questionnaires/reliability.tsv", "score_questionnaires", modality="questionnaires"
        ),
        Table("assays", "assays/assay_scores.tsv", "score_assays", "assay_scores", modality="assays"),
        Table(
            "expression",
            "expression/normalized.parquet",
            "normalize_expression",
            modality="expression",
            about="Log2 expression, a row per gene and a column per sample.",
        ),
        Table(
            "normalization",
            "expression/normalization.json",
            "normalize_expression",
            modality="expression",
            about="What normalize-expression did, as JSON.",
        ),
        Table("ctra", "expression/ctra_scores.tsv", "score_ctra", "ctra_scores", modality="expression"),
        Table("ctra_genes", "expression/ctra_genes.tsv", "score_ctra", option="genes", modality="expression"),
        Table("sample_quality", "expression/sample_quality.tsv", "assess_samples", modality="expression"),
        Table("scans", "cat12/scans.tsv", "index_cat12", modality="cat12"),
        Table("regions", "cat12/regions.parquet", "gather_cat12", modality="cat12"),
        Table("globals", "cat12/globals.tsv", "gather_cat12", modality="cat12"),
        Table("quality", "cat12/quality.tsv", "gather_cat12", modality="cat12"),
        Table(
            "freesurfer", "cat12/freesurfer.parquet", "ingest_freesurfer", "regions", modality="freesurfer"
        ),
        Table("protocol", "cat12/protocol.tsv", "ingest_protocol", modality="images"),
        Table("lesions", "cat12/lesions.tsv", "ingest_lesions", modality="lesions"),
        Table("measures", "cohort/measures.parquet", "assemble_cohort"),
        Table("excluded", "cohort/excluded_measures.parquet", "assemble_cohort", "excluded_measures"),
        Table("participants", "cohort/participants.tsv", "assemble_cohort"),
        Table("flow", "cohort/flow.tsv", "assemble_cohort"),
        Table("exclusions", "cohort/exclusions.tsv", "assemble_cohort"),
        Table("flags", "cohort/flags.tsv", "assemble_cohort"),
        Table("course", "cohort/course.tsv", "assemble_cohort"),
        Table("inclusion", "cohort/inclusion.tsv", "assemble_cohort"),
        Table("table1", "cohort/table1.tsv", "assemble_cohort"),
        Table("dictionary", "cohort/dictionary.tsv", "assemble_cohort"),
        Table("estimates", "models/estimates.tsv", "fit_models"),
        Table("sensitivity", "models/sensitivity.tsv", "fit_models"),
        Table("diagnostics", "models/diagnostics.tsv", "fit_models"),
        Table("design", "models/design.tsv", "check_design", "design_checks"),
        Table("over_genes", "models/over_genes.tsv", "fit_over_genes", modality="expression"),
        Table("gene_estimates", "models/gene_estimates.tsv", "fit_over_genes", modality="expression"),
        Table("maps", "models/surfaces/maps", "fit_surface", modality="surfaces", about="Maps, a folder."),
        Table("peaks", "models/surfaces/peaks.tsv", "fit_surface", modality="surfaces"),
        Table("clusters", "models/surfaces/clusters.tsv", "fit_surface", modality="surfaces"),
        Table("voxel_peaks", "models/voxels/peaks.tsv", "fit_voxels", "peaks", modality="voxels"),
        Table("voxel_clusters", "models/voxels/clusters.tsv", "fit_voxels", "clusters", modality="voxels"),
    )
}

# What commands with a parameter `tables` read: what they cannot do without, then what a study may lack.
READS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "assemble_cohort": (
        (),
        (
            *("scales", "assays", "samples", "ctra", "scans", "regions", "globals", "quality"),
            *("freesurfer", "protocol", "lesions"),
        ),
    ),
    "fit_models": (("measures", "participants"), ("excluded", "scales", "assays", "samples")),
    "render_report": (
        ("estimates",),
        (
            *("sensitivity", "diagnostics", "measures", "participants", "flow", "exclusions", "table1"),
            *("ctra_genes", "normalization", "globals", "quality", "course", "inclusion", "flags"),
            *("reliability", "dictionary", "windows", "scales", "sample_quality", "over_genes"),
            *("gene_estimates", "design", "peaks", "clusters", "voxel_peaks", "voxel_clusters"),
            *("freesurfer", "protocol"),
        ),
    ),
}


def read_by(command: str, modalities: Iterable[str]) -> dict[str, str]:
    """Return what a command reads in a study of these modalities: name -> path below the results."""
    needed, further = READS[command]
    held = {"", *modalities}
    return {name: TABLES[name].path for name in (*needed, *further) if TABLES[name].modality in held}


def read(path: Path, name: str) -> Any:
    """Read a table of the run by its contract, a document as it is."""
    from pniflow.contracts import read_table
    from pniflow.files import read_json

    return read_json(path) if path.suffix == ".json" else read_table(path, TABLES[name].schema)
