"""Running the workflow as a user would, and looking at what it left."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(sys.executable).parent
KNOWLEDGE = (f"{ROOT}/resources/", f"{ROOT}/workflow/schemas/")


def snakemake(
    *words: str | Path, cwd: Path = ROOT, opened: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run snakemake; neither raises nor prints. What the jobs open is added to the file `opened`."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SLURM_")}
    if opened:
        listener = Path(__file__).parent / "listening" / "bash_env"
        environment |= {"BASH_ENV": str(listener), "PNIFLOW_OPENED": str(opened)}
    command = [str(BIN / "snakemake"), *map(str, words)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=900)


def in_clone(
    *words: str | Path, directory: Path, opened: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the clone's workflow with results in a directory."""
    return snakemake("--directory", directory, *words, opened=opened)


def knowledge_opened(opened: Path) -> dict[str, set[str]]:
    """Return rule -> the files of resources and schemas that its jobs opened."""
    found: dict[str, set[str]] = {}
    for line in opened.read_text().splitlines():
        command, path, _ = line.split("\t")
        if path.startswith(KNOWLEDGE):
            found.setdefault(command.replace("-", "_"), set()).add(path)
    found.pop("summarize_results", None)  # the last words of a run are no job
    return found


def raw_opened(opened: Path, data: Path) -> dict[str, set[str]]:
    """Return command -> the modules of pniflow that opened files of a data folder."""
    found: dict[str, set[str]] = {}
    for line in opened.read_text().splitlines():
        command, path, module = line.split("\t")
        if path.startswith(f"{data.resolve()}/"):
            found.setdefault(command, set()).add(module)
    return found


def knowledge_named(*words: str | Path, directory: Path) -> dict[str, set[str]]:
    """Return rule -> the files of knowledge among its inputs, of what a directory's run made."""
    table = in_clone("--detailed-summary", *words, directory=directory)
    named: dict[str, set[str]] = {}
    for line in table.stdout.splitlines():
        cells = line.split("\t")
        if len(cells) > 4 and cells[0] != "output_file":
            paths = {str((directory / path).resolve()) for path in cells[4].split(",")}
            named.setdefault(cells[2], set()).update(path for path in paths if path.startswith(KNOWLEDGE))
    return named


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
