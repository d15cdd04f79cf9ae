"""Fixtures shared by all tests: real data, oracle and outside programs, each present, skipped or required."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from workflow.runs import in_clone, said

ROOT = Path(__file__).resolve().parent.parent
LONG = os.environ.get("PNIFLOW_LONG") == "1"
"""Many random cases, new ones in each run (`make test-long`); else few, the same in every run."""

settings.register_profile("counts", max_examples=2000 if LONG else 20, derandomize=not LONG, deadline=None)
settings.load_profile("counts")


def lacking(part: str, why: str) -> None:
    """Skip, saying why; fail where PNIFLOW_REQUIRE names the part."""
    if part in os.environ.get("PNIFLOW_REQUIRE", "").split(","):
        pytest.fail(f"PNIFLOW_REQUIRE names '{part}', but {why}")
    pytest.skip(f"{part}: {why}")


def _folder(part: str, variable: str) -> Path:
    path = os.environ.get(variable)
    if not path or not Path(path).is_dir():
        lacking(part, f"{variable} names no folder")
    return Path(str(path))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real data that nobody here wrote."""
    return _folder("real", "PNIFLOW_REAL_DATA")


@pytest.fixture(scope="session")
def oracle() -> Path:
    """Folder of mixed-model fits by lme4, lmerTest, pbkrtest and clubSandwich."""
    return _folder("oracle", "PNIFLOW_ORACLE")


@pytest.fixture(scope="session")
def cases() -> Path:
    """Folder of cases: inputs as people have them, with what must come out."""
    return _folder("cases", "PNIFLOW_CASES")


@pytest.fixture(scope="session")
def root() -> Path:
    """The clone."""
    return ROOT


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory in which the demo study ran, raw files to report."""
    directory = tmp_path_factory.mktemp("demo")
    run = in_clone("--cores", "2", directory=directory, opened=directory / "opened.txt")
    assert run.returncode == 0, said(run)
    (directory / "printed.txt").write_text(run.stdout)
    return directory


@pytest.fixture(scope="session")
def drawn() -> tuple[Path, dict[str, dict]]:
    """Folder of figures drawn from made-up results, and what is said of each."""
    from drawn_figures import drawn_once

    folder, about = drawn_once()
    return Path(folder.name), about


@pytest.fixture(scope="session")
def run(drawn: tuple[Path, dict[str, dict]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Arguments of a report on made-up results, with figures and tables."""
    from report_pages import tables

    folder, names = drawn[0], ("paired_change", "ctra_heatmap", "associations", "regions")
    return {
        "study": folder / "study.yaml",
        "estimates": folder / "estimates.tsv",
        "measures": folder / "measures.parquet",
        "genes": folder / "genes.tsv",
        "published": ["reference_study"],
        "figures": [folder / f"{name}.json" for name in names],
        **tables(tmp_path_factory.mktemp("run")),
    }


@pytest.fixture(scope="session")
def page(run: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The page of that report."""
    from called import call
    from pniflow.report.render_report import render_report
    from report_pages import Page

    out = tmp_path_factory.mktemp("page") / "report.html"
    call(render_report, **run, out=out)
    return Page(out.read_text(encoding="utf-8"))
