"""Write envs/pniflow.yaml from requirements.lock: what the commands import, at the locked versions.

Run as `python envs/pin.py`; a test compares the two files.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Not on conda-forge; only pip can leave out its dependencies, as bootstrap.sh does.
LEFT_OUT = {"t1prep"}
# Not on conda-forge, or something else by that name.
BY_PIP = {"rnanorm", "tfce", "typst"}


def environment() -> str:
    """Return the conda environment file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[<>=]", name)[0] for name in project["dependencies"]} - LEFT_OUT
    locked = {}
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        match = re.match(r"([a-z0-9-]+)==(\S+)", line)
        if match:
            locked.setdefault(match[1], match[2])
    pins = "".join(f"  - {name}={locked[name]}\n" for name in sorted(wanted - BY_PIP))
    by_pip = "".join(f"      - {name}=={locked[name]}\n" for name in sorted(wanted & BY_PIP))
    return (
        "# Made by envs/pin.py from requirements.lock, for `snakemake --software-deployment-method conda`.\n"
        "# The locked pip environment that bootstrap.sh makes is the tested one.\n"
        f"channels:\n  - conda-forge\n  - nodefaults\ndependencies:\n  - python=3.11\n{pins}"
        f"  - pip\n  - pip:\n{by_pip}"
    )


if __name__ == "__main__":
    (ROOT / "envs" / "pniflow.yaml").write_text(environment())
