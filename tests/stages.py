"""The stages one after the other in this process, from a study's raw files to its measures or estimates.

As a script (`python stages.py RAW WORK`) it does the same, for runs against another copy of pniflow.
"""

from __future__ import annotations

import sys
from pathlib import Path

INSTRUMENTS = ["pss10", "gad7", "phq9", "mfis", "ucla_loneliness_v3", "mhc_sf", "maia2"]


def raw_to_measures(raw: Path, work: Path) -> Path:
    """Run every stage up to the cohort with its defaults; return the cohort's folder."""
    from pniflow import cat12, cohort, expression, questionnaires, study
    from pniflow.assays.score_assays import score_assays

    description = raw / "study.yaml"
    people = {name: work / "study" / f"{name}.tsv" for name in ("participants", "sessions", "samples")}
    study.ingest_study(study=description, data=raw, out=work / "study")
    responses = work / "study" / "responses.parquet"
    scales = work / "scales.tsv"
    questionnaires.score_questionnaires(responses=responses, instruments=INSTRUMENTS, scales=scales)
    cortisol = work / "assay_scores.tsv"
    score_assays.score_assays(assays=work / "study" / "assays.tsv", study=description, scores=cortisol)
    levels, normalized, ctra = work / "levels.parquet", work / "normalized.parquet", work / "ctra.tsv"
    matrix = raw / "rna" / "counts.tsv.gz"
    expression.ingest_expression(matrix=matrix, unit="counts", samples=people["samples"], out=levels)
    expression.normalize_expression(levels=levels, out=normalized)
    expression.score_ctra(expression=normalized, scores=ctra, genes=work / "ctra_genes.tsv")
    scans, parsed = work / "scans.tsv", {name: work / f"{name}.0.tsv" for name in ("globals", "quality")}
    parsed["regions"] = work / "regions.0.parquet"
    cat12.index_cat12(folder=raw / "cat12", study=description, batches=1, scans=scans)
    cat12.parse_cat12([raw / "cat12"], scans=scans, **parsed)
    cat12.gather_cat12(**{name: [path] for name, path in parsed.items()}, out=work / "cat12")
    cat12.ingest_lesions(folder=raw / "lst_ai", lesions=work / "lesions.tsv")
    brain = {name: next((work / "cat12").glob(f"{name}.*")) for name in parsed}
    scored = {"scales": scales, "assays": cortisol, "ctra": ctra, "lesions": work / "lesions.tsv"}
    cohort.assemble_cohort(study=description, **people, **brain, **scored, out=work / "cohort")
    return work / "cohort"


def raw_to_estimates(raw: Path, work: Path) -> Path:
    """Run every stage up to the estimates; return their file."""
    from pniflow import models

    folder = raw_to_measures(raw, work)
    models.fit_models(
        measures=folder / "measures.parquet",
        participants=folder / "participants.tsv",
        models=raw / "models.yaml",
        estimates=work / "estimates.tsv",
    )
    return work / "estimates.tsv"


if __name__ == "__main__":
    raw_to_measures(Path(sys.argv[1]), Path(sys.argv[2]))
