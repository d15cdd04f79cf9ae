"""The house in order: generated files in step, no name of a machine, and machines that set themselves up."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from workflow.runs import ROOT

sys.path.insert(0, str(ROOT / "envs"))


def tracked() -> list[Path]:
    """Return the files that git tracks; in an archive or without git, those that .gitignore does not name."""
    if shutil.which("git") and (ROOT / ".git").exists():
        listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
        if listing.returncode == 0:
            return [ROOT / name for name in listing.stdout.splitlines() if (ROOT / name).is_file()]
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()]
    return [
        path
        for path in ROOT.rglob("*")
        if path.is_file()
        and not any(fnmatch(part, name) for part in path.relative_to(ROOT).parts for name in ignored)
    ]


def test_without_git_the_same_files_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    found = tracked()
    assert len(found) > 300
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert set(found) <= set(tracked())


def dependencies() -> dict[str, set[str]]:
    """Return the names that pyproject.toml asks for: the library's, and those of each use."""
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = {"library": asked["project"]["dependencies"], **asked["dependency-groups"]}
    return {use: {re.split(r"[<>=\[]", word)[0].lower() for word in words} for use, words in groups.items()}


def test_conda_environment_has_the_locked_versions() -> None:
    import lock as locks

    assert (ROOT / "envs/pniflow.yaml").read_text() == locks.environment()
    *pins, by_pip = yaml.safe_load(locks.environment())["dependencies"]
    pins = [one for one in [*pins, *by_pip["pip"]] if one not in ("python=3.11", "pip")]
    lock = locks.lock_of("run").read_text()
    assert len(pins) >= 12
    assert [pin for pin in pins if pin.replace("==", "=").replace("=", "==") not in lock] == []


def test_config_readme_is_in_step_with_the_schemas() -> None:
    from pniflow.config import describe

    assert (ROOT / "config/README.md").read_text() == describe()


def test_locks_are_hashed_and_name_no_host() -> None:
    text = "".join(path.read_text() for path in sorted((ROOT / "envs").glob("*.lock")))
    pins = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert len(pins) > 80
    assert [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin] == []
    assert "://" not in text


def test_each_package_stands_in_the_lock_of_one_use() -> None:
    import lock as locks

    held = {
        use: {locks.name_of(pin) for pin in locks.pins(locks.lock_of(use).read_text())} for use in locks.USES
    }
    assert sorted(path.stem for path in (ROOT / "envs").glob("*.lock")) == sorted(held)
    assert sum(map(len, held.values())) == len(set.union(*held.values()))
    asked = dependencies()
    asked["run"] |= asked.pop("library")
    assert [use for use, names in asked.items() if not names <= held[use]] == []


def test_the_library_imports_what_it_depends_on_and_nothing_else() -> None:
    """What `make demo` installs is all that a command may import."""
    imported: set[str] = set()
    for path in (ROOT / "workflow/pniflow").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                imported.add(str(node.module).partition(".")[0])
    packages = metadata.packages_distributions()
    owners = {packages[name][0].lower() for name in imported - sys.stdlib_module_names - {"pniflow"}}
    # its files are read, it is never imported
    assert owners | {"t1prep"} == dependencies()["library"]


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
    clone, programs, calls = tmp_path / "clone", tmp_path / "programs", tmp_path / "calls"
    clone.mkdir()
    programs.mkdir()
    for name in ("bootstrap.sh", "pyproject.toml"):
        shutil.copy(ROOT / name, clone)
    shutil.copytree(ROOT / "envs", clone / "envs")
    for name in ("sh", "cat", "cksum", "rm", "mkdir", "dirname", "chmod", "cp", "find"):
        os.symlink(str(shutil.which(name)), programs / name)
    make = 'mkdir -p "$1/bin"; cp "$0" "$1/bin/python"'
    # what pip would bring of t1prep: a mesh that is read, and a volume that is not
    surfaces = clone / ".venv/lib/python3/site-packages/t1prep/data"
    install = f'mkdir -p "{surfaces}"; : >"{surfaces}/lh.central.freesurfer.gii"; : >"{surfaces}/csf.nii.gz"'
    python = f"""#!/bin/sh
echo "python $*" >>"{calls}"
case "$1 $2" in
  "-c import ensurepip") {"exit 0" if "venv" in tools else "exit 1"};;
  "-c import virtualenv") {"exit 0" if "virtualenv" in tools else "exit 1"};;
  "-m venv") shift 2; {make};;
  "-m virtualenv") shift 3; {make};;
  "-m pip") {install};;
esac
"""
    (programs / "python3").write_text(python)
    if "uv" in tools:
        (programs / "uv").write_text(
            f'#!/bin/sh\necho "uv $*" >>"{calls}"\n'
            f'[ "$1" = venv ] && mkdir -p "$5/bin" && cp "{programs}/python3" "$5/bin/python"\n'
            f'[ "$1" = pip ] && {{ {install}; }}\nexit 0\n'
        )
    for path in programs.iterdir():
        if not path.is_symlink():
            path.chmod(0o755)

    def bootstrap(*uses: str) -> subprocess.CompletedProcess[str]:
        command = ["sh", str(clone / "bootstrap.sh"), *uses]
        return subprocess.run(command, env={"PATH": str(programs)}, capture_output=True, text=True)

    run = bootstrap()
    if not tools:
        assert run.returncode == 1
        assert len(run.stderr.splitlines()) == 1
        assert "apt install python3-venv" in run.stderr
        assert not (clone / ".venv").exists()
        return
    assert run.returncode == 0, run.stderr
    installer = "uv pip" if "uv" in tools else "python -m pip"
    said = calls.read_text()
    assert f"{installer} install --quiet" in said
    assert "--require-hashes" in said
    assert installed(said) == ["run"]
    assert [path.name for path in surfaces.iterdir()] == ["lh.central.freesurfer.gii"]
    assert bootstrap().returncode == 0
    assert calls.read_text() == said
    # a later use adds its own lock, and an earlier one finds all it needs
    assert bootstrap("cluster", "development").returncode == 0
    assert installed(calls.read_text().removeprefix(said)) == ["cluster", "development"]
    said = calls.read_text()
    assert bootstrap().returncode == bootstrap("cluster").returncode == 0
    assert calls.read_text() == said
    with (clone / "envs/development.lock").open("a") as lock:
        lock.write("\n")
    assert bootstrap("cluster", "development").returncode == 0
    assert installed(calls.read_text().removeprefix(said)) == ["development"]
    shutil.rmtree(clone / ".venv/bin")
    assert bootstrap("cluster").returncode == 0
    assert installed(calls.read_text())[-2:] == ["run", "cluster"]


def installed(calls: str) -> list[str]:
    """Return the uses whose locks were installed, in order."""
    return re.findall(r"-r envs/(\w+)\.lock", calls)
