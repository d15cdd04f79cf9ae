"""The demo study: complete, repeatable, and what the dry run prints is what ran."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from workflow.runs import BIN, ROOT, hashes, in_clone, said

pytestmark = pytest.mark.xdist_group("demo")


def test_demo_ends_in_estimates_and_a_report(demo: Path) -> None:
    estimates = pd.read_csv(demo / "results/models/estimates.tsv", sep="\t")
    report = (demo / "results/report/report.html").read_text()
    assert len(estimates) > 100
    assert not estimates.duplicated(["model", "outcome", "term"]).any()
    assert "simulated" in report.lower()


def test_a_run_ends_with_the_headline(demo: Path) -> None:
    printed = (demo / "printed.txt").read_text()
    assert re.search(r"^Stress \(PSS-10\): change +−\d", printed, flags=re.M)
    assert "\nReport: results/report/report.html\n" in printed


def test_second_run_has_nothing_to_do(demo: Path) -> None:
    run = in_clone("--cores", "2", directory=demo)
    assert run.returncode == 0
    assert "Nothing to be done" in said(run)


def test_commands_of_the_dry_run_give_the_same_bytes(demo: Path, tmp_path: Path) -> None:
    """Every command that `snakemake -n -p` prints can be run by hand, and gives what the workflow gave."""
    wanted = hashes(demo / "results")
    shutil.copytree(demo, tmp_path / "by_hand", ignore=shutil.ignore_patterns("raw", ".snakemake"))
    directory = tmp_path / "by_hand"
    plan = in_clone("-n", "-p", "--forceall", directory=directory)
    commands = re.findall(r"^\s*(?:Shell command: )?(pniflow .+)$", said(plan), flags=re.M)
    assert len(commands) == len(list((demo / "benchmarks").rglob("*.jsonl")))
    shutil.rmtree(directory / "results")
    environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "workflow")}
    for command in commands:
        done = subprocess.run(
            command, shell=True, cwd=directory, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, (command, done.stderr)
    assert hashes(directory / "results") == wanted


def test_the_commands_are_the_same_for_any_number_of_cores(demo: Path, tmp_path: Path) -> None:
    """Run by hand, one after the other, they gave the bytes of a run on all cores."""
    plans = [in_clone("-n", "-p", "--cores", cores, directory=tmp_path) for cores in ("1", "8")]
    one, many = (sorted(re.findall(r"pniflow .+", said(plan))) for plan in plans)
    assert len(one) == len(list((demo / "benchmarks").rglob("*.jsonl")))
    assert one == many


def test_no_table_of_the_models_names_a_participant(demo: Path) -> None:
    ids = pd.read_csv(demo / "results/cohort/participants.tsv", sep="\t")["participant_id"].tolist()
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, ids))})\b")
    files = [path for path in (demo / "results/models").rglob("*") if path.suffix in (".tsv", ".json")]
    assert len(files) >= 6
    assert [path.name for path in files if pattern.search(path.read_text(encoding="utf-8"))] == []


def test_outputs_hold_no_path_of_this_machine(demo: Path) -> None:
    places = [str(demo).encode(), str(ROOT).encode(), str(Path.home()).encode() + b"/"]
    files = [path for folder in ("results", "logs") for path in (demo / folder).rglob("*") if path.is_file()]
    assert files
    assert [str(path) for path in files if any(place in path.read_bytes() for place in places)] == []
