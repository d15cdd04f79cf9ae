"""The house in order: generated files in step, no name of a machine, and machines that set themselves up."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from workflow.runs import ROOT

sys.path.insert(0, str(ROOT / "envs"))


def tracked() -> list[Path]:
    """Return the files that git tracks, or in an export without git all files but the environment's."""
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode == 0:
        return [ROOT / name for name in listing.stdout.splitlines() if (ROOT / name).is_file()]
    return [
        path for path in ROOT.rglob("*") if path.is_file() and not {".venv", ".snakemake"} & set(path.parts)
    ]


def test_conda_environment_has_the_locked_versions() -> None:
    import pin

    assert (ROOT / "envs/pniflow.yaml").read_text() == pin.environment()
    *pins, by_pip = yaml.safe_load(pin.environment())["dependencies"]
    pins = [one for one in [*pins, *by_pip["pip"]] if one not in ("python=3.11", "pip")]
    lock = (ROOT / "requirements.lock").read_text()
    assert len(pins) >= 12
    assert [pin for pin in pins if pin.replace("==", "=").replace("=", "==") not in lock] == []


def test_config_readme_is_in_step_with_the_schemas() -> None:
    from pniflow.config import describe

    assert (ROOT / "config/README.md").read_text() == describe()


def test_lock_is_hashed_and_names_no_host() -> None:
    text = (ROOT / "requirements.lock").read_text()
    pins = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert len(pins) > 80
    assert [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin] == []
    assert "://" not in text


def test_no_file_names_a_registry_or_a_path_of_a_machine() -> None:
    pattern = re.compile(rb"--(?:extra-)?index-url\s|https?://\S+/simple\b|(?<![\w.])/(?:work|root|farm)/")
    found = [str(path.relative_to(ROOT)) for path in tracked() if pattern.search(path.read_bytes())]
    assert [name for name in found if name != "tests/workflow/test_house.py"] == []


def test_every_command_is_a_public_documented_function() -> None:
    from pniflow.cli import COMMANDS, function_of, parser_of

    for command in COMMANDS:
        function = function_of(command)
        assert function.__doc__, command
        helps = [action.help for action in parser_of(function, command)._actions]
        assert all(helps), (command, helps)


@pytest.mark.parametrize("tools", [{"venv"}, {"uv"}, {"virtualenv"}, set()])
def test_bootstrap_works_with_what_is_there(tools: set[str], tmp_path: Path) -> None:
    """With venv, else uv, else virtualenv; with none one line says what to install, and nothing is left.

    The programs are stand-ins that record how they were called; the real installation runs this very test.
    """
    clone, programs = tmp_path / "clone", tmp_path / "programs"
    clone.mkdir()
    programs.mkdir()
    for name in ("bootstrap.sh", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, clone)
    for name in ("sh", "cat", "cksum", "rm", "mkdir", "dirname", "chmod", "cp"):
        os.symlink(str(shutil.which(name)), programs / name)
    make = 'mkdir -p "$1/bin"; cp "$0" "$1/bin/python"'
    python = f"""#!/bin/sh
echo "python $*" >>"{tmp_path}/calls"
case "$1 $2" in
  "-c import ensurepip") {"exit 0" if "venv" in tools else "exit 1"};;
  "-c import virtualenv") {"exit 0" if "virtualenv" in tools else "exit 1"};;
  "-m venv") shift 2; {make};;
  "-m virtualenv") shift 3; {make};;
esac
"""
    (programs / "python3").write_text(python)
    if "uv" in tools:
        (programs / "uv").write_text(
            f'#!/bin/sh\necho "uv $*" >>"{tmp_path}/calls"\n'
            f'[ "$1" = venv ] && mkdir -p "$5/bin" && cp "{programs}/python3" "$5/bin/python"\nexit 0\n'
        )
    for path in programs.iterdir():
        if not path.is_symlink():
            path.chmod(0o755)
    run = subprocess.run(
        ["sh", clone / "bootstrap.sh"], env={"PATH": str(programs)}, capture_output=True, text=True
    )
    calls = (tmp_path / "calls").read_text()
    if not tools:
        assert run.returncode == 1
        assert len(run.stderr.splitlines()) == 1
        assert "apt install python3-venv" in run.stderr
        assert not (clone / ".venv").exists()
        return
    assert run.returncode == 0, run.stderr
    installer = "uv pip" if "uv" in tools else "python -m pip"
    assert f"{installer} install --quiet" in calls
    assert "--require-hashes" in calls
    again = subprocess.run(
        ["sh", clone / "bootstrap.sh"], env={"PATH": str(programs)}, capture_output=True, text=True
    )
    assert again.returncode == 0
    assert (tmp_path / "calls").read_text() == calls
