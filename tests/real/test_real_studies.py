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
    quality = pd.read_csv(results / "expression/sample_quality.tsv", sep="\t")
    assert len(quality) == 45
    assert quality["profile_correlation"].min() > 0.95
    table = pd.read_csv(results / "models/over_genes.tsv", sep="\t")
    assert set(table["n_genes"]) == {53}
    assert table.groupby("analysis")["term"].count().to_dict() == dict.fromkeys(
        ["composite", "legacy_gls", "nested_gene_model", "per_gene_bootstrap"], 8
    )
    assert table.query("analysis == 'legacy_gls'")["p_permutation"].between(0, 1).all()
    genes = pd.read_csv(results / "models/gene_estimates.tsv", sep="\t")
    assert len(genes) == 53 * 8
    estimates = pd.read_csv(results / "models/estimates.tsv", sep="\t")
    assert set(estimates["outcome"]) == {"ctra", "inflammatory", "interferon", "antibody"}
    joint = estimates.query("term == 'session'")
    assert (joint["n_participants"] == 5).all()
    assert joint["p_value"].between(0, 1).all()
    assert not (results / "cat12").exists()
    assert (results / "report/report.html").stat().st_size > 10_000


def test_a_nanostring_folder_gives_its_parts_and_no_full_score(real_data: Path, tmp_path: Path) -> None:
    """Six RCC files: the run stops by naming the absent component; with `parts` two parts stand."""
    files = sorted((real_data / "expression/nanostring").glob("*.RCC"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data/rcc").symlink_to(files[0].parent)
    rows = [f"{file.stem}\tp{n // 2}\t{('ses-pre', 'ses-post')[n % 2]}\n" for n, file in enumerate(files)]
    (tmp_path / "data/sheet.tsv").write_text("sample\twho\twhen\n" + "".join(rows))
    (tmp_path / "study.yaml").write_text(
        "title: panel\nsessions: {ses-pre: {}, ses-post: {}}\nexpression: {quantifications: rcc,"
        " unit: counts, samples: sheet.tsv, columns: {sample: sample, participant: who, session: when}}\n"
    )
    for parts in (False, True):
        config = f"data: data\nexpression: {{ctra: {{parts: {str(parts).lower()}}}}}\n"
        (tmp_path / "config.yaml").write_text(config)
        words = [
            "results/expression/ctra_scores.tsv",
            "--cores",
            "2",
            "--configfile",
            tmp_path / "config.yaml",
        ]
        run = in_clone(*words, directory=tmp_path)
        assert (run.returncode == 0) == parts, said(run)
        if not parts:
            assert "the antibody component has none of its genes (JCHAIN, IGLL1, IGLL3P)" in said(run)
    scores = pd.read_csv(tmp_path / "results/expression/ctra_scores.tsv", sep="\t")
    assert scores["ctra"].isna().all() and scores["antibody"].isna().all()
    assert scores[["inflammatory", "interferon"]].notna().all(axis=None)


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
