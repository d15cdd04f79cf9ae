"""A lab's own files through the workflow: one file per sample, a sample left out, all rows kept for TMM."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from expression_files import counts
from workflow.runs import in_clone, said

SAMPLES = ["A1", "A2", "B1", "B2", "C1", "C2"]


def salmon_study(folder: Path) -> tuple[list[str], np.ndarray]:
    """Write salmon's folders, two transcripts a gene, the table of transcripts, and the study's files."""
    genes, values = counts(len(SAMPLES))
    values = values * 10
    first = values // 3
    header = "Name\tLength\tEffectiveLength\tTPM\tNumReads\n"
    for place, sample in enumerate(SAMPLES):
        rows = [
            f"T{number}.{part}\t900\t700\t0\t{reads}\n"
            for number in range(len(genes))
            for part, reads in enumerate((first[number, place], (values - first)[number, place]))
        ]
        (folder / "data/rna" / sample).mkdir(parents=True)
        text = (
            header + "".join(rows) if sample != "C2" else "cut off"
        )  # the file of the failed library is damaged
        (folder / "data/rna" / sample / "quant.sf").write_text(text)
        (folder / "data/rna" / sample / "cmd_info.json").write_text("{}")
    lines = [f"T{number}.{part},{gene}\n" for number, gene in enumerate(genes) for part in (0, 1)]
    (folder / "data/tx2gene.csv").write_text("tx,gene\n" + "".join(lines))
    rows = [
        f"{name},{name[0]},ses-{'pre' if name[1] == '1' else 'post'},{7 + n / 10}\n"
        for n, name in enumerate(SAMPLES)
    ]
    (folder / "data/sheet.csv").write_text("lib,who,when,RIN\n" + "".join(rows))
    study = {
        "title": "six libraries",
        "sessions": {"ses-pre": {}, "ses-post": {}},
        "expression": {
            "quantifications": ["rna/*/quant.sf"],
            "tx2gene": "tx2gene.csv",
            "unit": "counts",
            "samples": "sheet.csv",
            "columns": {"sample": "lib", "participant": "who", "session": "when", "further": {"rin": "RIN"}},
            "exclude": {"C2": "library failed"},
        },
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    (folder / "config.yaml").write_text("data: data\nexpression: {normalization: {method: tmm}}\n")
    return genes, values


def test_salmons_files_by_pattern_a_sample_excluded_and_tmm(tmp_path: Path) -> None:
    genes, values = salmon_study(tmp_path)
    names = ("expression/ctra_scores.tsv", "expression/sample_quality.tsv", "cohort/exclusions.tsv")
    targets = [f"results/{name}" for name in names]
    run = in_clone(*targets, "--cores", "2", "--configfile", tmp_path / "config.yaml", directory=tmp_path)
    assert run.returncode == 0, said(run)
    results = tmp_path / "results"
    levels = pd.read_parquet(results / "expression/levels.parquet").set_index("sample_id")
    assert list(levels.index) == SAMPLES[:5]
    assert set(levels["format"]) == {"salmon, transcripts summed to genes"}
    for gene in ("IL6", "JCHAIN", "MX1"):
        assert list(levels[gene]) == list(values[genes.index(gene), :5])
    facts = json.loads((results / "expression/normalization.json").read_text())
    assert facts["method"] == "tmm"
    factors = np.array(list(facts["scale_factors"].values()))
    assert abs(np.log(factors).mean()) < 1e-12  # of edgeR's factors the geometric mean is one
    scores = pd.read_csv(results / "expression/ctra_scores.tsv", sep="\t")
    assert list(scores["sample_id"]) == SAMPLES[:5]
    assert scores["ctra_baseline_z"].notna().all()
    quality = pd.read_csv(results / "expression/sample_quality.tsv", sep="\t").set_index("sample_id")
    assert quality.loc["C2", "excluded"] == "library failed"
    assert quality["rin"].to_dict() == {name: 7 + n / 10 for n, name in enumerate(SAMPLES)}
    exclusions = pd.read_csv(results / "cohort/exclusions.tsv", sep="\t")
    row = exclusions[exclusions["item"] == "sample C2"].iloc[0]
    assert (row["rule"], row["reason"]) == ("sample not scored", "excluded by the study: library failed")
