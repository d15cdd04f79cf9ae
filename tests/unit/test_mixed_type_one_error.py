"""Type-I error: the stored draws keep the bounds that the page claims, and fresh draws agree with them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def bench():
    """The script that makes numbers and page."""
    path = ROOT / "benchmarks" / "bench_type_one_error.py"
    spec = importlib.util.spec_from_file_location("bench_type_one_error", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_page_is_made_of_the_stored_numbers(bench):
    """Nobody edited one without the other."""
    assert bench.page(bench.read_numbers()) == bench.PAGE.read_text(encoding="utf-8")


def test_kenward_roger_keeps_its_level(bench):
    """Session and within slope within .045 and .055, an unsplit covariate within .043 and .057."""
    rows = bench.read_numbers()
    assert all(one["draws"] >= 100_000 for one in rows)
    kr = {"alpha": 0.05, "method": "kenward_roger"}
    split = bench.shares(rows, term=("session", "within"), **kr)
    unsplit = bench.shares(rows, term="unsplit", **kr)
    assert len(split) == 24 and min(split) >= 0.9 and max(split) <= 1.1
    assert len(unsplit) == 12 and min(unsplit) >= 0.86 and max(unsplit) <= 1.14
    assert max(bench.shares(rows, term="between", **kr)) <= 1.1  # never liberal; conservative at ICC .2


def test_kenward_roger_keeps_its_level_far_out(bench):
    """Complete pairs at .0001, a million draws: .7 to 1.3 of the level, the between slope at most that."""
    rows = bench.read_numbers()
    far = {"alpha": 0.0001, "method": "kenward_roger", "visits": "complete"}
    steady = bench.shares(rows, term=("session", "within"), **far)
    assert len(steady) == 12 and min(steady) >= 0.7 and max(steady) <= 1.3
    assert max(bench.shares(rows, term="between", **far)) <= 1.3
    assert min(bench.shares(rows, alpha=0.0001, method="z", visits="complete")) > 4


def test_sign_flips_keep_their_level(bench):
    """At .05 and, with complete pairs, at .0001."""
    rows = bench.read_numbers()
    assert all(0.98 <= one <= 1.02 for one in bench.shares(rows, alpha=0.05, method="sign_flip"))
    assert all(
        0.7 <= one <= 1.3 for one in bench.shares(rows, alpha=0.0001, method="sign_flip", visits="complete")
    )


def test_fresh_draws_agree_with_the_stored_ones(bench, monkeypatch):
    """20,000 new draws of one cell: every method within four Monte-Carlo errors of its stored share."""
    monkeypatch.setattr(bench, "DESIGNS", 40)
    monkeypatch.setattr(bench, "COLUMNS", 500)
    stored = {
        (one["term"], one["method"]): one["share"]
        for one in bench.read_numbers()
        if (one["n"], one["icc"], one["alpha"]) == (17, "0.5", 0.05) and one["visits"].startswith("4")
    }
    compared = 0
    for term, method, alpha, counts in bench.rejections(17, 4, 0.5, seed=99):
        if alpha == 0.05:
            fresh = bench.row(17, "", 0.5, (term, method, alpha, counts))
            assert float(fresh["share"]) == pytest.approx(
                stored[term, method], abs=4 * float(fresh["mc_error"])
            )
            compared += 1
    assert compared == 12
