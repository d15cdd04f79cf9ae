"""Two real studies through the whole workflow: blood without MRI, and MRI without blood."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from workflow.runs import in_clone, said

HERE = Path(__file__).parent


def run_study(name: str, data: Path, directory: Path) -> Path:
    """Run a study of this folder on real data; return its results."""
    shutil.copytree(HERE / name, directory / "study")
    config = directory / "study/config.yaml"
    config.write_text(config.read_text() + f"data: {data}\n")
    run = in_clone("--cores", "2", "--configfile", config, directory=directory)
    assert run.returncode == 0, said(run)
    return directory / "results"


def test_blood_without_mri(real_data: Path, tmp_path: Path) -> None:
    """GSE127530: 45 samples of 5 people give a score each, from 53 of 53 genes, and a report."""
    results = run_study("gse127530", real_data / "expression/gse127530", tmp_path)
    scores = pd.read_csv(results / "expression/ctra_scores.tsv", sep="\t")
    assert len(scores) == 45
    assert set(scores["genes_used"]) == {53}
    estimates = pd.read_csv(results / "models/estimates.tsv", sep="\t")
    assert set(estimates["outcome"]) == {"ctra", "inflammatory", "interferon", "antibody"}
    joint = estimates.query("term == 'session'")
    assert (joint["n_participants"] == 5).all()
    assert joint["p_value"].between(0, 1).all()
    assert not (results / "cat12").exists()
    assert (results / "report/report.html").stat().st_size > 10_000


def test_mri_without_blood(real_data: Path, tmp_path: Path) -> None:
    """IXI: 12 people of mixed CAT12 revisions, one scan each; OLS tests the asymmetry against zero."""
    results = run_study("ixi", real_data / "cat12", tmp_path)
    measures = pd.read_parquet(results / "cohort/measures.parquet")
    name = "aparc_a2009s.anterior_insula.{}.thickness"
    sides = {
        side: measures[measures["measure"] == name.format(side)]["value"]
        for side in ("left", "right", "left_minus_right")
    }
    assert [len(values) for values in sides.values()] == [12, 12, 12]
    difference = sides["left_minus_right"].to_numpy()
    assert abs(difference - (sides["left"].to_numpy() - sides["right"].to_numpy())).max() < 1e-12
    estimates = pd.read_csv(results / "models/estimates.tsv", sep="\t").set_index(
        ["model", "outcome", "term"]
    )
    row = estimates.loc[("insula_asymmetry", name.format("left_minus_right"), "(intercept)")]
    assert abs(row["estimate"] - difference.mean()) < 1e-12
    assert abs(row["std_error"] - difference.std(ddof=1) / 12**0.5) < 1e-12
    assert row["df"] == 11
    assert not (results / "expression").exists()
    assert (results / "report/report.html").stat().st_size > 10_000
