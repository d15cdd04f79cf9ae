"""Inputs as people have them, with what must come out: cases of closed issues, and the quick guards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from workflow.runs import ROOT

CLOSED = ["issue-A"]
# `guard-whole-run` is left out: the demo's own tests are whole runs.
GUARDS = ["guard-expression", "guard-imaging", "guard-refusals", "guard-statistics", "guard-tables"]


@pytest.mark.parametrize("kinds", [*([issue] for issue in CLOSED), GUARDS], ids=" ".join)
def test_the_cases_hold(cases: Path, kinds: list[str]) -> None:
    command = [sys.executable, cases / "check.py", "--clone", ROOT, "--only", *kinds]
    run = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert run.returncode == 0, run.stdout + run.stderr
