"""Inputs as people have them, with what must come out: cases of closed issues, and the quick guards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from workflow.runs import ROOT

CLOSED = ["issue-A"]
# Kinds of the study's tables. Whole runs and plans are left out: the demo's tests and test_paths.py are such.
TABLES = [
    "bids-participants-per-session",
    "draft-event-order",
    "draft-loses-a-wave",
    "file-form",
    "guard-tables",
    "ids-that-identify",
    "long-cell-in-sentence",
    "near-equal-ids",
    "record-in-two-arms",
    "repeating-form-not-mapped",
    "row-number-as-person",
    "rows-said-to-be-the-same",
    "rows-that-are-nobody",
    "rows-without-session",
    "sentinel-in-assay",
    "thousands-separator",
    "two-header-lines",
    "wave-left-out",
    "wave-with-other-codes",
    "wave-with-other-item-names",
    "xlsx-stale-dimension",
]
GUARDS = ["guard-expression", "guard-imaging", "guard-refusals", "guard-statistics"]


@pytest.mark.parametrize("kinds", [CLOSED, TABLES, GUARDS], ids=["closed", "tables", "guards"])
def test_the_cases_hold(cases: Path, kinds: list[str]) -> None:
    command = [sys.executable, cases / "check.py", "--clone", ROOT, "--only", *kinds]
    run = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert run.returncode == 0, run.stdout + run.stderr
