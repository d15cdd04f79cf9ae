"""Running the workflow as a user would, and looking at what it left."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(sys.executable).parent


def snakemake(*words: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run snakemake; neither raises nor prints."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SLURM_")}
    command = [str(BIN / "snakemake"), *map(str, words)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=900)


def in_clone(*words: str | Path, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run the clone's workflow with results in a directory."""
    return snakemake("--directory", directory, *words)


def hashes(results: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, by relative name."""
    return {
        str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(results.rglob("*"))
        if path.is_file() and path.name != ".snakemake_timestamp"
    }


def said(run: subprocess.CompletedProcess[str]) -> str:
    """Return all that a run printed."""
    return run.stdout + run.stderr
