"""The demo on a real two-node Slurm gives the bytes of the local run."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import lacking
from workflow.runs import ROOT, hashes, in_clone, said

SCRIPTS = Path(__file__).parent / "slurm"

pytestmark = pytest.mark.xdist_group("demo")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Slurm of two nodes on loopback, stopped afterwards."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("slurmctld", "slurmd", "munged", "sbatch"))):
        lacking("slurm", "starting one needs root and the packages slurmctld slurmd slurm-client munge")
    state = tmp_path_factory.mktemp("slurm")
    try:
        up = subprocess.run([SCRIPTS / "up.sh", state], capture_output=True, text=True, timeout=90)
        assert up.returncode == 0, up.stderr
        yield
    finally:
        subprocess.run([SCRIPTS / "down.sh", state], check=True, timeout=60)


def test_slurm_gives_the_same_bytes(slurm: None, demo: Path, tmp_path: Path) -> None:
    run = in_clone(
        "--workflow-profile",
        ROOT / "profiles/slurm",
        "--slurm-init-seconds-before-status-checks",
        "2",
        "--default-resources",
        "slurm_partition=main",
        "runtime=10",
        "mem_mb=1500",
        "disk_mb=1000",
        directory=tmp_path,
    )
    assert run.returncode == 0, said(run)
    assert "SLURM jobid" in said(run)
    assert hashes(tmp_path / "results") == hashes(demo / "results")
