"""The demo study, run once for all tests that look at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from workflow.runs import in_clone, said


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory in which the demo study ran, raw files to report."""
    directory = tmp_path_factory.mktemp("demo")
    run = in_clone("--cores", "2", directory=directory)
    assert run.returncode == 0, said(run)
    return directory
