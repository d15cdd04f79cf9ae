"""Type-I error of each test at the sizes of a small study, over random designs: numbers and their page.

    python benchmarks/bench_type_one_error.py           # simulate everything, write the numbers and the page
    python benchmarks/bench_type_one_error.py --page    # the page from the stored numbers

Outcomes are normal with a person's own intercept and no effect of anything. The values of predictor and age
are drawn anew for each of many designs, so that the claim is over designs too; the error of a rejection share
is taken from its spread over designs (for sign flips over sets of flips).
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow"))

from pniflow.mixed import MixedModel, sign_flip

HERE = Path(__file__).resolve().parent
NUMBERS, PAGE = HERE / "type_one_error.csv", HERE.parent / "docs" / "type_one_error.md"
DESIGNS, COLUMNS = 1000, 1000  # draws of a cell are their product
FLIPS = 9999
PEOPLE, ICCS, ALPHAS = (23, 17), (0.2, 0.5, 0.8), (0.05, 0.0001)
MISSING = {"complete": 0, "4 without the second visit": 4}
PREDICTOR_ICC = 0.6
METHODS = ("z", "satterthwaite", "kenward_roger", "sign_flip")
TERMS = {
    "session": "y ~ session",
    "within": "y ~ session + within + between + age",
    "between": "y ~ session + within + between + age",
    "unsplit": "y ~ session + predictor + age",
}


def designs(rng: np.random.Generator, people: int, missing: int) -> tuple[np.ndarray, dict[str, Any]]:
    """One random design: who is who, and the matrix of each model with the positions of its tested terms."""
    person = np.concatenate([np.arange(people), np.arange(people - missing)])
    session = np.repeat([0.0, 1.0], [people, people - missing])
    size = np.bincount(person)
    age = rng.standard_normal(people)[person]
    shared = rng.standard_normal(people)[person]
    x = np.sqrt(PREDICTOR_ICC) * shared + np.sqrt(1 - PREDICTOR_ICC) * rng.standard_normal(len(person))
    visit = session.astype(int)
    centred = x - (np.bincount(visit, x) / np.bincount(visit))[visit]
    between = (np.bincount(person, centred) / size)[person]
    within = np.where(size[person] > 1, centred - between, 0.0)
    ones = np.ones(len(person))
    return person, {
        "change": (np.column_stack([ones, session]), {"session": 1}),
        "split": (np.column_stack([ones, session, within, between, age]), {"within": 2, "between": 3}),
        "unsplit": (np.column_stack([ones, session, x, age]), {"unsplit": 2}),
    }


def rejections(
    people: int, missing: int, icc: float, seed: int
) -> Iterator[tuple[str, str, float, np.ndarray]]:
    """Yield (term, method, alpha, counts by design): all, rejected, interior, rejected of the interior."""
    from scipy.special import erfc

    rng = np.random.default_rng(seed)
    counts: dict[tuple[str, str, float], list[tuple[int, int, int, int]]] = {}
    for _ in range(DESIGNS):
        person, models = designs(rng, people, missing)
        y = np.sqrt(icc) * rng.standard_normal((people, COLUMNS))[person]
        y += np.sqrt(1 - icc) * rng.standard_normal((len(person), COLUMNS))
        for matrix, tested in models.values():
            contrasts = {term: np.eye(matrix.shape[1])[place] for term, place in tested.items()}
            fit = MixedModel(matrix, {"person": person}).fit(y, contrasts)
            satterthwaite = fit.tests("satterthwaite")
            interior = ~fit.singular
            p_values = {
                "z": erfc(np.abs(satterthwaite.statistic) / np.sqrt(2)),
                "satterthwaite": satterthwaite.p_value,
                "kenward_roger": fit.tests("kenward_roger").p_value,
            }
            for place, term in enumerate(tested):
                for method, p in p_values.items():
                    for alpha in ALPHAS:
                        hit = p[place] < alpha
                        cell = (COLUMNS, int(hit.sum()), int(interior.sum()), int((hit & interior).sum()))
                        counts.setdefault((term, method, alpha), []).append(cell)
    for key, cells in counts.items():
        yield *key, np.array(cells)


def flip_rejections(people: int, missing: int, seed: int) -> Iterator[tuple[str, str, float, np.ndarray]]:
    """The same of sign flips of complete pairs' differences, whose size and so the ICC does not matter."""
    rng = np.random.default_rng(seed)
    counts: dict[float, list[tuple[int, int, int, int]]] = {alpha: [] for alpha in ALPHAS}
    sets = 100
    width = DESIGNS * COLUMNS // sets
    for number in range(sets):
        change = rng.standard_normal((people - missing, width))
        tests = sign_flip(change, flips=FLIPS, seed=seed + 1 + number, exact=False)
        for alpha in ALPHAS:
            hit = int((tests.p_value <= alpha).sum())
            counts[alpha].append((width, hit, width, hit))
    for alpha, cells in counts.items():
        yield "session", "sign_flip", alpha, np.array(cells)


def row(
    people: int, pattern: str, icc: float | str, cell: tuple[str, str, float, np.ndarray]
) -> dict[str, Any]:
    """One row of the numbers."""
    term, method, alpha, counts = cell
    share = counts[:, 1] / counts[:, 0]
    total = counts.sum(axis=0)
    return {
        "n": people,
        "visits": pattern,
        "icc": icc,
        "term": term,
        "method": method,
        "alpha": alpha,
        "draws": total[0],
        "rejected": total[1],
        "share": round(total[1] / total[0], 7),
        "mc_error": f"{share.std(ddof=1) / np.sqrt(len(share)):.2g}",
        "interior": total[2],
        "rejected_interior": total[3],
    }


def simulate() -> list[dict[str, Any]]:
    """All cells."""
    rows = []
    for people in PEOPLE:
        for pattern, missing in MISSING.items():
            for icc in ICCS:
                seed = 1000 * people + 100 * missing + int(10 * icc)
                found = rejections(people, missing, icc, seed)
                rows += [row(people, pattern, icc, cell) for cell in found]
                print(f"n = {people}, {pattern}, ICC {icc}: simulated", flush=True)
            found = flip_rejections(people, missing, 10**6 + 1000 * people + missing)
            rows += [row(people, pattern, "any", cell) for cell in found]
    return rows


INTRODUCTION = """# Type-I error of each test

How often a test at level alpha rejects where there is nothing to find, at the sizes of a small study.
Outcomes are normal with an intercept per person (the ICC is its share) and without any effect. {draws}
draws a cell: {columns} outcomes on each of {designs} designs, whose predictor (ICC {predictor_icc}) and
age are drawn anew, so that the numbers are about designs too; the Monte-Carlo error (after ±) is taken
over designs. Written by `benchmarks/bench_type_one_error.py`; the numbers are in
`benchmarks/type_one_error.csv`.

- z: the estimate over its REML standard error, against the normal distribution (the usual shortcut).
- Terms: session alone; within and between, the two halves of a split predictor, beside session and age;
  unsplit, the same predictor as it is, beside session and age.
- Missing visits: four people have the first visit only.
- Sign flips use the differences of complete pairs (19 and 13 people with missing visits), {flips} random
  flips; their result does not depend on the ICC.
"""

READING = """## What holds

- **Kenward-Roger at .05.** Session and within slope: {near_low} to {near_high}, everywhere within the
  bounds [.045, .055]. The unsplit covariate: {unsplit_low} to {unsplit_high} (bounds [.043, .057]). z
  rejects {z_low} to {z_high} times as often as it should, Satterthwaite up to {satterthwaite_high} for
  an unsplit covariate.
- **The between slope is conservative where the ICC is low** ({between_low} at its lowest, ICC .2 and 17
  people; below .045 in {between_outside}). There the person variance is estimated as zero in up to
  {singular} of the draws, so the variance of person means is held at or above what the differences say:
  too large rather than too small. lme4 with
  pbkrtest does the same: over 60 such draws, 17 of them singular, its p-values are ours to 1e-8.
- **Kenward-Roger at .0001, complete pairs** (1,000,000 draws; the Monte-Carlo error is about 0.1 of the
  level). Session and within slope: {tail_low} to {tail_high} times the level (bounds 0.7 and 1.3). The
  between slope reaches its level at ICC .8 and falls below it at lower ICCs ({between_tail_low} to
  {between_tail_high}): a rejection so far out needs an unusually small variance of person means, and
  that is what an estimate of zero takes away. z rejects {z_tail_low} to {z_tail_high} times the level.
- **Of interior fits alone**, which equal least squares of differences and of person means, whose tests
  are exact: choosing draws by the estimated person variance chooses small differences and large
  variances of means, so at ICC .2 the within slope rejects {chosen_within} and the between slope
  {chosen_between} times the level. From ICC .5 on the within slope keeps {chosen_within_high}.
- **Sign flips**: {flip_low} to {flip_high} at .05; at .0001 {flip_tail} times the level with complete
  pairs. With 13 pairs the smallest possible p is 2^-12 = .00024, so they cannot reach .0001.
"""


def read_numbers() -> list[dict[str, Any]]:
    """The stored numbers."""
    with NUMBERS.open(newline="") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    for one in rows:
        one.update(
            {name: int(one[name]) for name in ("n", "draws", "rejected", "interior", "rejected_interior")}
        )
        one.update({name: float(one[name]) for name in ("alpha", "share", "mc_error")})
    return rows


def shares(rows: Sequence[dict[str, Any]], **wanted: Any) -> list[float]:
    """Rejection over level of the cells wanted, smallest first; a tuple means any of these."""
    chosen = [
        one
        for one in rows
        if all(one[key] in (value if isinstance(value, tuple) else (value,)) for key, value in wanted.items())
    ]
    return sorted(one["share"] / one["alpha"] for one in chosen)


def interior_shares(rows: Sequence[dict[str, Any]], **wanted: Any) -> list[float]:
    """The same of interior fits alone."""
    return shares([{**one, "share": one["rejected_interior"] / one["interior"]} for one in rows], **wanted)


def table(rows: Sequence[dict[str, Any]], alpha: float) -> list[str]:
    """One level as a Markdown table: shares at .05, ratios to the level below."""
    lines = ["| term | n | visits | ICC | z | Satterthwaite | Kenward-Roger | sign flips |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    cells = {
        (one["term"], one["n"], one["visits"], one["icc"], one["method"]): one
        for one in rows
        if one["alpha"] == alpha
    }
    for term in TERMS:
        for people in PEOPLE:
            for pattern in MISSING:
                for icc in ICCS:
                    keys = [
                        (term, people, pattern, "any" if method == "sign_flip" else str(icc), method)
                        for method in METHODS
                    ]
                    found = [shown(cells[key], alpha) if key in cells else "" for key in keys]
                    lines.append(f"| {term} | {people} | {pattern} | {icc} | {' | '.join(found)} |")
    return lines


def shown(cell: dict[str, Any], alpha: float) -> str:
    """A share and its Monte-Carlo error; far out as a multiple of the level."""
    if alpha == ALPHAS[0]:
        return f"{cell['share']:.4f} ± {cell['mc_error']:.4f}"
    return f"{cell['share'] / alpha:.2f} ± {cell['mc_error'] / alpha:.2f}"


def span(values: Sequence[float], decimals: int = 2) -> str:
    """Smallest and largest value in words."""
    ends = dict.fromkeys(f"{value:.{decimals}f}" for value in (min(values), max(values)))
    return " to ".join(ends)


def page(rows: Sequence[dict[str, Any]]) -> str:
    """The page, every number of it from the stored ones."""
    usual, tail = ALPHAS
    kr = {"method": "kenward_roger"}
    near = [usual * one for one in shares(rows, alpha=usual, term=("session", "within"), **kr)]
    unsplit = [usual * one for one in shares(rows, alpha=usual, term="unsplit", **kr)]
    between = [usual * one for one in shares(rows, alpha=usual, term="between", **kr)]
    z = shares(rows, alpha=usual, method="z")
    far = {"alpha": tail, "visits": "complete"}
    steady = shares(rows, term=("session", "within"), **far, **kr)
    between_tail = shares(rows, term="between", icc=("0.2", "0.5"), **far, **kr)
    z_tail = shares(rows, method="z", **far)
    flips = [usual * one for one in shares(rows, alpha=usual, method="sign_flip")]
    filled = READING.format(
        near_low=f"{min(near):.4f}",
        near_high=f"{max(near):.4f}",
        unsplit_low=f"{min(unsplit):.4f}",
        unsplit_high=f"{max(unsplit):.4f}",
        z_low=f"{min(z):.2f}",
        z_high=f"{max(z):.2f}",
        satterthwaite_high=f"{usual * max(shares(rows, alpha=usual, method='satterthwaite')):.3f}",
        between_low=f"{min(between):.4f}",
        between_outside=f"{sum(one < 0.045 for one in between)} of {len(between)} cells",
        singular=f"{100 * max(1 - one['interior'] / one['draws'] for one in rows):.0f} %",
        tail_low=f"{min(steady):.2f}",
        tail_high=f"{max(steady):.2f}",
        between_tail_low=f"{min(between_tail):.2f}",
        between_tail_high=f"{max(between_tail):.2f}",
        z_tail_low=f"{min(z_tail):.0f}",
        z_tail_high=f"{max(z_tail):.0f}",
        chosen_within=span(interior_shares(rows, term="within", icc="0.2", **far, **kr)),
        chosen_between=span(interior_shares(rows, term="between", icc="0.2", **far, **kr)),
        chosen_within_high=span(interior_shares(rows, term="within", icc=("0.5", "0.8"), **far, **kr)),
        flip_low=f"{min(flips):.4f}",
        flip_high=f"{max(flips):.4f}",
        flip_tail=span(shares(rows, method="sign_flip", **far)),
    )
    start = INTRODUCTION.format(
        draws=f"{DESIGNS * COLUMNS:,}",
        columns=f"{COLUMNS:,}",
        designs=f"{DESIGNS:,}",
        flips=f"{FLIPS:,}",
        predictor_icc=PREDICTOR_ICC,
    )
    parts = [start, filled, "## Level .05: share of draws rejected\n", "\n".join(table(rows, usual)) + "\n"]
    parts += [
        "## Level .0001: share of draws rejected, in multiples of the level\n",
        "\n".join(table(rows, tail)) + "\n",
    ]
    return "\n".join(parts)


if __name__ == "__main__":
    if "--page" not in sys.argv[1:]:
        with NUMBERS.open("w", newline="") as file:
            found = simulate()
            writer = csv.DictWriter(file, list(found[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(found)
    PAGE.write_text(page(read_numbers()), encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))
