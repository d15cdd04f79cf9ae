"""Small expression matrices, written as labs write them."""

from __future__ import annotations

import csv

import numpy as np

from pniflow.resources import shipped


def column_of(name, column="gene"):
    with open(shipped("resources") / "genes" / f"{name}.tsv", encoding="utf-8") as stream:
        return [row[column] for row in csv.DictReader(stream, delimiter="\t")]


def counts(samples=6, seed=7, others=200):
    """Return labels and counts: all genes of the map, and some others."""
    rng = np.random.default_rng(seed)
    genes = column_of("gene_map") + [f"OTHER{n}" for n in range(others)]
    mean = np.exp(rng.normal(5, 1.2, len(genes)))
    depth = np.exp(rng.normal(0, 0.3, samples))
    return genes, rng.poisson(np.outer(mean, depth) * np.exp(rng.normal(0, 0.3, (len(genes), samples))))


def write_matrix(path, genes, samples, values, delimiter="\t", corner="gene", transposed=False):
    rows = [[corner, *samples], *([gene, *row] for gene, row in zip(genes, values.tolist(), strict=True))]
    if transposed:
        rows = [list(row) for row in zip(*rows, strict=True)]
    if corner is None:
        rows[0] = rows[0][1:]
    path.write_text("".join(delimiter.join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    return path


def write_samples(path, samples, sessions=("ses-pre", "ses-post")):
    lines = ["sample_id\tparticipant_id\tsession_id\tbatch\n"]
    lines += [
        f"{sample}\tsub-{n // len(sessions)}\t{sessions[n % len(sessions)]}\t\n"
        for n, sample in enumerate(samples)
    ]
    path.write_text("".join(lines), encoding="utf-8")
    return path
