"""A damaged study ends in one sentence on the terminal, a failed run, and no output of the step it failed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from workflow.runs import in_clone, said

pytestmark = pytest.mark.xdist_group("demo")


def edit(name: str, change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    """Return a damage: the lines of a file, changed."""

    def damage(raw: Path) -> None:
        path = raw / name
        path.write_text("".join(change(path.read_text().splitlines(keepends=True))))

    return damage


def break_a_label_file(raw: Path) -> None:
    next(path for path in sorted((raw / "cat12").rglob("catROI_r*.xml"))).write_text("scanner says no\n")


CASES = {
    "an export without rows": (
        edit("redcap/export.csv", lambda lines: lines[:1]),
        "ingest_study",
        r"export\.csv: .*no records",
    ),
    "an empty export": (edit("redcap/export.csv", lambda lines: []), "ingest_study", r"export\.csv: .*empty"),
    "an item missing from the export": (
        edit("redcap/export.csv", lambda lines: [lines[0].replace("gad7_3", "gad_3"), *lines[1:]]),
        "ingest_study",
        r"export\.csv: .*gad_3",
    ),
    "a participant-session given twice": (
        edit("redcap/export.csv", lambda lines: [*lines, lines[1]]),
        "ingest_study",
        r"export\.csv: .*row",
    ),
    "a session that the study does not have": (
        edit(
            "assays/hair_cortisol.csv", lambda lines: [line.replace("ses-post", "ses-late") for line in lines]
        ),
        "ingest_study",
        r"hair_cortisol\.csv: .*ses-late",
    ),
    "a CAT12 file that is not XML": (break_a_label_file, "parse_cat12", r"catROI_r.*\.xml"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_damaged_study_ends_in_one_sentence(case: str, demo: Path, tmp_path: Path) -> None:
    damage, rule, sentence = CASES[case]
    shutil.copytree(demo / "results/raw", tmp_path / "raw")
    damage(tmp_path / "raw")
    run = in_clone(
        "--cores", "2", "--configfile", tmp_path / "raw/config.yaml", "--until", rule, directory=tmp_path
    )
    assert run.returncode == 1
    logs = [*(tmp_path / "logs").glob(f"{rule}.log"), *sorted((tmp_path / "logs" / rule).glob("*.log"))]
    log = next(path for path in logs if path.read_text().strip())
    spoken = log.read_text().strip()
    assert "\n" not in spoken
    assert re.search(sentence, spoken), spoken
    assert spoken in said(run)
    left = {path.name for path in (tmp_path / "results").rglob("*") if path.is_file()}
    gone = {"ingest_study": {"participants.tsv", "responses.parquet"}, "parse_cat12": {"quality.tsv"}}
    if rule == "ingest_study":
        assert not left & gone[rule]
    else:
        broken = log.stem
        assert not list((tmp_path / "results/cat12/batches" / broken).glob("*.*"))
