"""One room opens raw files: in the demo's run, and where each command of a study with more reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from workflow.runs import raw_opened

GATE = "pniflow.raw.gate"


@pytest.mark.xdist_group("demo")
def test_no_other_module_than_the_gate_opens_a_raw_file(demo: Path) -> None:
    opened = raw_opened(demo / "opened.txt", demo / "results/raw")
    writers = opened.pop("simulate-study")
    assert GATE not in writers
    readers = {"ingest-study", "ingest-expression", "index-cat12", "parse-cat12", "ingest-lesions"}
    assert readers <= opened.keys()
    assert {command: modules - {GATE} for command, modules in opened.items() if modules - {GATE}} == {}
