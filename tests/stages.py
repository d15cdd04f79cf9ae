"""The stages one after the other in this process, from a study's raw files to its measures or estimates.

As a script (`python stages.py RAW WORK`) it does the same, for runs against another copy of pniflow.
"""

from __future__ import annotations

import sys
from pathlib import Path

from called import call

INSTRUMENTS = ["pss10", "gad7", "phq9", "mfis", "ucla_loneliness_v3", "mhc_sf", "maia2"]


def raw_to_measures(raw: Path, work: Path) -> Path:
    """Run every stage up to the cohort with its defaults; return the cohort's folder."""
    from pniflow.assays.score_assays import score_assays
    from pniflow.cohort.assemble_cohort import assemble_cohort
    from pniflow.expression.ingest_expression import ingest_expression
    from pniflow.expression.normalize_expression import normalize_expression
    from pniflow.expression.score_ctra import score_ctra
    from pniflow.imaging.cat12.gather_cat12 import gather_cat12
    from pniflow.imaging.cat12.index_cat12 import index_cat12
    from pniflow.imaging.cat12.parse_cat12 import parse_cat12
    from pniflow.imaging.ingest_lesions import ingest_lesions
    from pniflow.questionnaires.score_questionnaires import score_questionnaires
    from pniflow.study.ingest_study import ingest_study

    description = raw / "study.yaml"
    people = {name: work / "study" / f"{name}.tsv" for name in ("participants", "sessions", "samples")}
    ingest_study(study=description, data=raw, out=work / "study")
    responses = work / "study" / "responses.parquet"
    scales = work / "scales.tsv"
    score_questionnaires(responses=responses, instruments=INSTRUMENTS, scales=scales)
    cortisol = work / "assay_scores.tsv"
    score_assays(assays=work / "study" / "assays.tsv", study=description, scores=cortisol)
    levels, normalized, ctra = work / "levels.parquet", work / "normalized.parquet", work / "ctra.tsv"
    matrix = raw / "rna" / "counts.tsv.gz"
    ingest_expression(matrix=matrix, unit="counts", samples=people["samples"], out=levels)
    normalize_expression(levels=levels, out=normalized)
    score_ctra(expression=normalized, scores=ctra, genes=work / "ctra_genes.tsv")
    scans, parsed = work / "scans.tsv", {name: work / f"{name}.0.tsv" for name in ("globals", "quality")}
    parsed["regions"] = work / "regions.0.parquet"
    index_cat12(folder=raw / "cat12", study=description, batches=1, scans=scans)
    parse_cat12([raw / "cat12"], scans=scans, **parsed)
    gather_cat12(**{name: [path] for name, path in parsed.items()}, out=work / "cat12")
    ingest_lesions(folder=raw / "lst_ai", lesions=work / "lesions.tsv")
    brain = {name: next((work / "cat12").glob(f"{name}.*")) for name in parsed}
    scored = {"scales": scales, "assays": cortisol, "ctra": ctra, "lesions": work / "lesions.tsv"}
    call(assemble_cohort, study=description, **people, **brain, **scored, out=work / "cohort")
    return work / "cohort"


def raw_to_estimates(raw: Path, work: Path) -> Path:
    """Run every stage up to the estimates; return their file."""
    from pniflow.models.fit_models import fit_models

    folder = raw_to_measures(raw, work)
    call(
        fit_models,
        measures=folder / "measures.parquet",
        participants=folder / "participants.tsv",
        models=raw / "models.yaml",
        estimates=work / "estimates.tsv",
    )
    return work / "estimates.tsv"


if __name__ == "__main__":
    raw_to_measures(Path(sys.argv[1]), Path(sys.argv[2]))
