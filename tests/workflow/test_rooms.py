"""The rooms of the library: imports run downwards, files are short, and each rule has its test by name."""

from __future__ import annotations

import ast
import graphlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pniflow.cli import COMMANDS, function_of
from pniflow.figures.gallery import FIGURES
from workflow.runs import BIN, ROOT

LIBRARY = ROOT / "workflow/pniflow"
# From the ground to the top: a room imports from those before it.
ROOMS = (
    *("errors", "files", "modalities", "resources", "contracts", "config", "tables"),
    "mixed",
    "raw",
    *("questionnaires", "assays", "expression", "study", "imaging"),
    "cohort",
    *("models", "maps", "genes"),
    "text",
    *("figures", "report"),
    *("plan", "cli"),
    *("demo", "new_study"),
)
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(LIBRARY.rglob("*.py"))}


def room_of(path: Path) -> str:
    """Return the room of a module: its folder, or its own name at the top."""
    return path.relative_to(LIBRARY).with_suffix("").parts[0]


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the modules that a module imports anywhere in it, pniflow's without that word."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.removeprefix("pniflow.") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name their module in full"
            module = str(node.module)
            whole = [alias.name for alias in node.names] if module == "pniflow" else [module]
            yield from (name.removeprefix("pniflow.") for name in whole)


def imports_of(room: str) -> set[str]:
    """Return what the modules of a room import, other packages' modules too."""
    return {name for path, tree in TREES.items() if room_of(path) == room for name in imported(tree)}


def test_every_room_has_its_place() -> None:
    assert {room_of(path) for path in TREES} == {"__init__", *ROOMS}


@pytest.mark.parametrize("place", range(len(ROOMS)), ids=ROOMS)
def test_imports_run_downwards(place: int) -> None:
    names = imports_of(ROOMS[place])
    assert names
    assert {name for name in names if name.partition(".")[0] in ROOMS[place + 1 :]} == set()


def test_no_module_leads_back_to_itself() -> None:
    names = {path: ".".join(path.relative_to(LIBRARY).with_suffix("").parts) for path in TREES}
    known = set(names.values())
    leads = {
        names[path]: {
            found
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module
            for one in ("", *(f".{alias.name}" for alias in node.names))
            if (found := f"{node.module}{one}".removeprefix("pniflow.")) in known
        }
        for path, tree in TREES.items()
    }
    assert sum(map(len, leads.values())) > 400
    list(graphlib.TopologicalSorter(leads).static_order())  # raises where there is a circle


def test_the_engine_imports_nothing_of_pniflow() -> None:
    """It stands on numpy and scipy; threadpoolctl keeps the order of their sums."""
    others = {name.partition(".")[0] for name in imports_of("mixed")} - sys.stdlib_module_names
    assert others == {"mixed", "numpy", "scipy", "threadpoolctl"}


def test_the_library_never_schedules() -> None:
    assert {name for room in ROOMS for name in imports_of(room) if name.startswith("snakemake")} == set()


def test_figures_and_report_read_tables_and_fit_nothing() -> None:
    """The report knows the plan of analyses as it is written, which says what a term is called."""
    fitting, plan = ("cohort", "models", "maps", "genes", "mixed"), {"models.specification", "models.terms"}
    for room, known in (("figures", set()), ("report", plan)):
        assert {name for name in imports_of(room) if name.startswith(fitting)} <= known, room


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function without its docstring."""
    lines, first = node.end_lineno - node.lineno + 1, node.body[0]
    return lines - (first.end_lineno - first.lineno + 1 if ast.get_docstring(node) else 0)


def test_files_and_functions_are_short() -> None:
    for path in [*TREES, *(ROOT / "workflow").rglob("*.smk")]:
        count = len(path.read_text(encoding="utf-8").splitlines())
        assert count <= (200 if path.suffix == ".smk" else 450), path
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert length(node) <= 70, (path, node.name)


def test_few_functions_decide_much() -> None:
    """At most six functions have a cyclomatic complexity above ten."""
    options = ("--isolated", "--no-cache", "--select", "C901", "--config", "lint.mccabe.max-complexity=10")
    words = [BIN / "ruff", "check", *options, "--output-format", "concise", LIBRARY]
    run = subprocess.run(words, capture_output=True, text=True)
    assert run.returncode in (0, 1), run.stderr
    assert run.stdout.count("C901") <= 6, run.stdout


def test_the_report_takes_its_tables_together() -> None:
    assert len(inspect.signature(function_of("render-report")).parameters) <= 12


def rules() -> list[str]:
    """Return the names of all rules: those written, and those that the gallery gives rise to."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "workflow/rules").glob("*.smk"))]
    written = re.findall(r"^\s*(?:rule|checkpoint) (\w+):", "\n".join(texts), flags=re.M)
    return [*written, *(f"plot_{name}" for name in FIGURES)]


NAMES = [command.replace("-", "_") for command in COMMANDS]


def test_every_rule_is_a_command() -> None:
    assert len(rules()) > 35
    assert set(rules()) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_command_a_function_a_file_and_a_test_have_one_name(name: str) -> None:
    function = function_of(name.replace("_", "-"))
    assert function.__name__ == function.__module__.rpartition(".")[2] == name
    tests = ast.parse((ROOT / f"tests/unit/test_{name}.py").read_text(encoding="utf-8")).body
    assert [one for one in tests if isinstance(one, ast.FunctionDef) and one.name.startswith("test_")]


def test_a_test_file_is_named_after_what_it_tests() -> None:
    """After a module (so a command), or a room and what of it; a room within a room has its own name."""
    modules = {path.stem for path in TREES}
    rooms = tuple(f"{path.parent.name}_" for path in TREES if path.parent != LIBRARY)
    names = [path.stem.removeprefix("test_") for path in (ROOT / "tests/unit").glob("test_*.py")]
    assert [name for name in names if name not in modules and not name.startswith(rooms)] == []
