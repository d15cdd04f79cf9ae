"""Write the locks (all dependencies resolved once, divided by use) and the conda environment.

Run as `python envs/lock.py`, with uv on PATH; words after it go to `uv pip compile` (`--upgrade`). A package
stands in the lock of the first use that needs it: a use is installed with its lock and those before it.
A test compares envs/pniflow.yaml with run.lock.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
USES = ("run", "cluster", "development")
# Not on conda-forge; only pip can leave out its dependencies, as bootstrap.sh does.
LEFT_OUT = {"t1prep"}
# Not on conda-forge, or something else by that name.
BY_PIP = {"rnanorm", "tfce", "typst"}


def lock_of(use: str) -> Path:
    """Return the lock of a use."""
    return ROOT / "envs" / f"{use}.lock"


def pins(lock: str) -> list[str]:
    """Return the pins of a lock, each with its marker and hashes."""
    return re.split(r"\n(?=[a-z0-9])", lock.strip())


def name_of(pin: str) -> str:
    """Return the name of the pinned package."""
    return pin.split("==")[0]


def resolve(uses: tuple[str, ...], known: str, words: list[str]) -> str:
    """Resolve uses for every platform and Python from 3.11 on; versions that are known stay."""
    groups = [word for use in uses for word in ("--group", use)]
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder) / "lock"
        lock.write_text(known)
        command = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
        command += ["--generate-hashes", "--no-emit-index-url", "--no-emit-find-links"]
        command += ["--no-header", "--no-annotate", "pyproject.toml", *groups, "--output-file", str(lock)]
        subprocess.run([*command, *words], cwd=ROOT, check=True)
        return lock.read_text()


def write_locks(words: list[str]) -> None:
    """Write the lock of each use."""
    known = "".join(lock_of(use).read_text() for use in USES if lock_of(use).exists())
    whole = resolve(USES, known, words)
    left = pins(whole)
    for count, use in enumerate(USES, 1):
        wanted = {name_of(pin) for pin in pins(resolve(USES[:count], whole, []))}
        lock_of(use).write_text("".join(f"{pin}\n" for pin in left if name_of(pin) in wanted))
        left = [pin for pin in left if name_of(pin) not in wanted]


def environment() -> str:
    """Return the conda environment file: what the commands import, at the locked versions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[<>=]", name)[0] for name in project["dependencies"]} - LEFT_OUT
    locked: dict[str, str] = {}
    for pin in pins(lock_of("run").read_text()):
        locked.setdefault(name_of(pin), re.split(r"==|\s", pin)[1])
    named = "".join(f"  - {name}={locked[name]}\n" for name in sorted(wanted - BY_PIP))
    by_pip = "".join(f"      - {name}=={locked[name]}\n" for name in sorted(wanted & BY_PIP))
    return (
        "# Made by envs/lock.py from run.lock, for `snakemake --software-deployment-method conda`.\n"
        "# The locked pip environment that bootstrap.sh makes is the tested one.\n"
        f"channels:\n  - conda-forge\n  - nodefaults\ndependencies:\n  - python=3.11\n{named}"
        f"  - pip\n  - pip:\n{by_pip}"
    )


if __name__ == "__main__":
    write_locks(sys.argv[1:])
    (ROOT / "envs" / "pniflow.yaml").write_text(environment())
