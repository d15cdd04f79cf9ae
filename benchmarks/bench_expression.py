"""From a matrix of counts to CTRA scores: time and memory, as a ratio to reading the file with pandas.

    python benchmarks/bench_expression.py [SAMPLES ...]      (default 1000 10000)

60,000 genes. Limits: 1,000 samples in 20 s and 3 GiB; 10,000 samples in 120 s and 3 GiB. They are held
against CPU time, which other work on the machine hardly changes and which is no less than the time on an idle
machine.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow"))
GENES = 60_000
LIMITS = {1_000: (20, 3), 10_000: (120, 3)}  # seconds, GiB
SCORE = """
from pathlib import Path
from pniflow.expression import ingest_expression, normalize_expression, score_ctra
folder = Path({folder!r})
ingest_expression(matrix=folder / "counts.tsv", unit="counts", out=folder / "levels.parquet")
normalize_expression(levels=folder / "levels.parquet", out=folder / "normalized.parquet")
score_ctra(expression=folder / "normalized.parquet", scores=folder / "scores.tsv", genes=folder / "genes.tsv")
"""
PANDAS = """
import pandas as pd
for block in pd.read_csv({folder!r} + "/counts.tsv", sep="\\t", index_col=0, chunksize=2000):
    block.to_numpy().sum()
"""


def write_counts(path: Path, samples: int) -> None:
    """Write negative-binomial counts; beyond a thousand samples the columns are repeated."""
    from pniflow.expression.genes import gene_map

    rng = np.random.default_rng(0)
    drawn = min(samples, 1_000)
    mean = np.exp(rng.normal(2, 2.5, GENES))
    known = gene_map().genes
    labels = [*known, *(f"ENSG9{n:010d}" for n in range(GENES - len(known)))]
    order = rng.permutation(GENES)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write("gene\t" + "\t".join(f"s{n}" for n in range(samples)) + "\n")
        for start in range(0, GENES, 2_000):
            rows = order[start : start + 2_000]
            values = rng.poisson(mean[rows, None] * rng.gamma(5, 0.2, (len(rows), drawn)))
            for row, counts in zip(rows, values.tolist(), strict=True):
                text = "\t".join(map(str, counts))
                stream.write("\t".join([labels[row], *[text] * (samples // drawn)]) + "\n")


def run(code: str) -> tuple[float, float, float]:
    """Run code in a fresh interpreter; return seconds, CPU seconds and the largest memory in GiB."""
    report = "\nimport resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    command = [sys.executable, "-c", code + report]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(ROOT / "workflow")}, capture_output=True, text=True, check=True
    )
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu, int(done.stdout.split()[-1]) / 2**20


def main(sizes: list[int]) -> int:
    """Measure each size; return 1 where a limit is passed."""
    failed = 0
    for samples in sizes:
        with tempfile.TemporaryDirectory() as folder:
            write_counts(Path(folder) / "counts.tsv", samples)
            size = (Path(folder) / "counts.tsv").stat().st_size / 2**20
            read = run(PANDAS.format(folder=folder))
            score = run(SCORE.format(folder=folder))
        limit = LIMITS.get(samples, (float("inf"), float("inf")))
        late = score[1] > limit[0] or score[2] > limit[1]
        failed |= late
        print(
            f"{GENES} genes x {samples} samples ({size:.0f} MiB): matrix to scores {score[0]:.1f} s"
            f" ({score[1]:.1f} s CPU), {score[2]:.2f} GiB; pandas reads the file in {read[0]:.1f} s"
            f" ({read[1]:.1f} s CPU), {read[2]:.2f} GiB; ratio of CPU times {score[1] / read[1]:.2f}"
            f"{' OVER THE LIMIT' if late else ''}"
        )
    return failed


if __name__ == "__main__":
    sys.exit(main([int(word) for word in sys.argv[1:]] or list(LIMITS)))
