"""The mixed-model engine beside its peers, on one machine in one run; ratios carry to other machines.

Every fit is REML with standard errors, Satterthwaite and Kenward-Roger df and p of all coefficients. Peers:
statsmodels MixedLM (z only), glmm (Satterthwaite; in the environment .venv-peers that `make bench` makes
from benchmarks/peers.txt), lmerTest with pbkrtest (where R has them), nilearn's permuted_ols, and one matrix
product over the same data. Seconds are processor seconds of one thread; ours and a peer's are taken in turn,
and the fastest of each counts, because other work on a machine slows both.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow"))

from pniflow.mixed import MixedModel, sign_flip

PEOPLE = 23
PEERS = Path(__file__).resolve().parent.parent / ".venv-peers" / "bin" / "python"
GATES = {"statsmodels MixedLM": 5000, "glmm": 300, "lmerTest + pbkrtest": 10_000}
LMERTEST = """
suppressMessages({library(lmerTest); library(pbkrtest)})
d <- read.csv("data.csv"); columns <- grep("^y", names(d), value = TRUE)
for (name in c(columns[1], columns)) {  # the first once more, to warm up
  if (name == columns[1]) began <- sum(proc.time()[1:2])
  m <- lmer(reformulate("session + age + stress + (1 | person)", name), d)
  invisible(coef(summary(m))); invisible(coef(summary(m, ddf = "Kenward-Roger")))
}
cat((sum(proc.time()[1:2]) - began) / length(columns))
"""
GLMM = """
import time, numpy as np, glmm
rows = np.genfromtxt("data.csv", delimiter=",", names=True)
data = {name: rows[name] for name in ("session", "age", "stress")} | {"person": rows["person"].astype(str)}
columns = [name for name in rows.dtype.names if name.startswith("y")]
for name in [columns[0], *columns]:  # the first once more, to warm up
    if name == columns[0]:
        began = time.process_time()
    glmm.fit(data | {"y": rows[name]}, "y ~ session + age + stress + (1 | person)")
print((time.process_time() - began) / len(columns))
"""


def best(function: Callable[[], object], times: int) -> float:
    """Seconds of the fastest of some runs."""
    seconds = []
    for _ in range(times):
        with threadpool_limits(1):
            began = time.process_time()
            function()
            seconds.append(time.process_time() - began)
    return min(seconds)


def study(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """23 people, two sessions: session, age, a covariate measured at both; and who is who."""
    person = np.repeat(np.arange(PEOPLE), 2)
    stress = rng.normal(20, 4, 46) + rng.normal(0, 4, PEOPLE)[person]
    design = np.column_stack(
        [np.ones(46), np.tile([0.0, 1.0], PEOPLE), rng.normal(45, 11, PEOPLE)[person], stress]
    )
    return design, person


def outcomes(
    rng: np.random.Generator, person: np.ndarray, count: int, dtype: type = np.float64
) -> np.ndarray:
    """Outcomes with an ICC of one half."""
    shared = rng.standard_normal((person.max() + 1, count), dtype=np.float32)
    return (rng.standard_normal((len(person), count), dtype=np.float32) + shared[person]).astype(dtype)


def fit(prepared: MixedModel, block: np.ndarray, tested: np.ndarray | None = None) -> None:
    """Estimates and both tests of the last term."""
    done = prepared.fit(block, None if tested is None else {"tested": tested})
    _ = done.tests("kenward_roger"), done.tests("satterthwaite")


def statsmodels_seconds(design: np.ndarray, person: np.ndarray, y: np.ndarray) -> float:
    """Seconds per outcome of statsmodels."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return best(lambda: [MixedLM(one, design, person).fit() for one in y.T], 1) / y.shape[1]


def script_seconds(command: list[str], script: str, folder: Path) -> float | None:
    """Seconds per outcome that a peer's own script prints; None where it fails."""
    Path(folder, "script").write_text(script)
    own = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    answer = subprocess.run(
        [*command, "script"], cwd=folder, capture_output=True, text=True, check=False, env=own
    )
    return float(answer.stdout) if answer.returncode == 0 else None


def compare(prepared: MixedModel, design: np.ndarray, person: np.ndarray, rounds: int = 3) -> None:
    """Our seconds per outcome at 65,000 and the peers' on 20 outcomes, in turn; the fastest of each."""
    rng = np.random.default_rng(4)
    y = outcomes(rng, person, 65_000)
    few = y[:, :20]
    r = shutil.which("Rscript")
    seconds: dict[str, float] = {}

    def note(name: str, value: float | None) -> None:
        if value is not None:
            seconds[name] = min(seconds.get(name, np.inf), value)

    with tempfile.TemporaryDirectory() as folder:
        table = np.column_stack([person, design[:, 1:], few])
        names = ["person", "session", "age", "stress", *(f"y{k}" for k in range(few.shape[1]))]
        np.savetxt(Path(folder, "data.csv"), table, delimiter=",", header=",".join(names), comments="")
        for turn in range(rounds):
            note("ours", best(lambda: fit(prepared, y), 2) / y.shape[1])
            note("statsmodels MixedLM", statsmodels_seconds(design, person, few))
            if PEERS.exists():
                note("glmm", script_seconds([str(PEERS)], GLMM, Path(folder)))
            if r and turn == 0:
                note("lmerTest + pbkrtest", script_seconds([r], LMERTEST, Path(folder)))
    ours = seconds.pop("ours")
    print(f"  {1e6 * ours:.2f} microseconds an outcome at 65,000")
    for name, value in seconds.items():
        gate = f" (at least {GATES[name]:,} wanted)" if name in GATES else ""
        print(f"  {name}: {1e3 * value:.2f} ms an outcome, {value / ours:,.0f} times ours{gate}")
    for name in GATES.keys() - seconds.keys():
        print(f"  {name}: not installed here")


def small_studies() -> None:
    """One column to a whole cortical surface, at n = 46."""
    rng = np.random.default_rng(1)
    design, person = study(rng)
    prepared = MixedModel(design, {"person": person})
    tested = np.eye(4)[[3]]
    print(f"n = 46, {PEOPLE} x 2, terms: session, age, covariate; all four coefficients tested both ways")
    for count, times in ((1, 20), (400, 20), (65_000, 3)):
        y = outcomes(rng, person, count)
        seconds = best(lambda y=y: fit(prepared, y), times)
        one = best(lambda y=y: fit(prepared, y, tested), times)
        print(f"  {count:7,} outcomes: {1e3 * seconds:9.1f} ms; one tested term {1e3 * one:9.1f} ms")
    compare(prepared, design, person)
    y = outcomes(rng, person, 327_684, np.float32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = best(lambda: fit(prepared, y, tested), 2)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    print(f"  327,684 outcomes (float32), one tested term: {seconds:.2f} s, {grown:.2f} GiB beyond the data")


def large_study(total: int = 65_000, width: int = 2048) -> None:
    """2,000 people with up to four visits, in blocks of outcomes, beside one product over the same blocks."""
    rng = np.random.default_rng(2)
    person, visit = np.repeat(np.arange(2000), 4), np.tile(np.arange(4.0), 2000)
    keep = rng.random(8000) > 0.1
    person, visit = person[keep], visit[keep]
    n = len(person)
    design = np.column_stack([np.ones(n), visit, rng.normal(45, 11, 2000)[person], rng.normal(size=n)])
    prepared = MixedModel(design, {"person": person})
    basis = np.ascontiguousarray(np.linalg.qr(design)[0].T)
    seconds = dict.fromkeys(("ours", "product", "pass"), 0.0)
    for start in range(0, total, width):
        block = outcomes(rng, person, min(width, total - start))
        seconds["ours"] += best(lambda block=block: fit(prepared, block), 1)
        seconds["product"] += best(lambda block=block: basis @ block, 2)
        seconds["pass"] += best(lambda block=block: block.sum(axis=0), 2)
    print(f"n = {n:,} (2,000 x 4, 10 % missing), {total:,} outcomes in blocks of {width:,}")
    print(
        f"  {seconds['ours']:.1f} s; a product {seconds['product']:.2f} s, a pass {seconds['pass']:.2f} s: "
        f"{seconds['ours'] / seconds['product']:.1f} products, "
        f"{seconds['ours'] / (seconds['product'] + seconds['pass']):.1f} times pass and product"
    )


def flips(count: int = 65_000, permutations: int = 1000) -> None:
    """Sign-flip max-T beside nilearn's permuted_ols."""
    from nilearn.mass_univariate import permuted_ols

    rng = np.random.default_rng(3)
    differences = rng.standard_normal((PEOPLE, count))
    ours = best(lambda: sign_flip(differences, flips=permutations, seed=1, exact=False), 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = best(
            lambda: permuted_ols(
                np.ones((PEOPLE, 1)),
                differences,
                model_intercept=False,
                n_perm=permutations,
                n_jobs=1,
                random_state=1,
            ),
            1,
        )
    print(f"sign flips, {count:,} outcomes x {permutations:,}, {PEOPLE} pairs")
    print(f"  {ours:.2f} s; nilearn permuted_ols {theirs:.1f} s: {theirs / ours:.0f} times")


if __name__ == "__main__":
    small_studies()
    large_study()
    flips()
