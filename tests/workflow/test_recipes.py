"""The recipes of CONTRIBUTING.md, followed to the page on a copy of the clone."""

from __future__ import annotations

import json
import random
import re
import shutil
from pathlib import Path

import pytest

from workflow.runs import ROOT, said, snakemake

pytestmark = pytest.mark.xdist_group("recipes")  # one worker runs the study once

STUDY = """
title: Three questions
sessions: {ses-pre: {day: 0}, ses-post: {day: 56}}
tables:
  - file: answers.csv
    id: id
    session: visit
    session_codes: {pre: ses-pre, post: ses-post}
instruments:
  calm3: {fields: "q{item}"}
sleep: {file: sleep.csv}
"""
MODELS = """
version: 1
families:
  change: {role: primary, adjust: bh}
defaults:
  session: {reference: ses-pre}
  random: [{intercept: participant}]
models:
  - name: change
    outcomes: [calm3, sleep_minutes]
    fixed: [session]
    test: {change: [session]}
"""

# A modality: its room, its rules, its schemas, and one row.
ROOM = {
    "workflow/pniflow/sleep/__init__.py": '"""Sleep by actigraphy."""\n',
    "workflow/pniflow/sleep/ingest_sleep.py": '''
from __future__ import annotations

from pathlib import Path

import pandas as pd

from pniflow.contracts import write_table


def ingest_sleep(*, file: Path, sleep: Path) -> None:
    """Read minutes asleep.

    Parameters
    ----------
    file : Path
        CSV with a row per person and session.
    sleep : Path
        Written (contract sleep).
    """
    write_table(pd.read_csv(file, dtype=str), sleep, "sleep")
''',
    "workflow/pniflow/sleep/branch.py": '''
from __future__ import annotations

import pandas as pd

from pniflow.cohort.branches import Branch, Gathered
from pniflow.cohort.exclusions import COLUMNS
from pniflow.cohort.roster import PLACE


def sleep(gathered: Gathered) -> Branch | None:
    """Minutes asleep as a measure."""
    if not gathered.has("sleep", "sleep"):
        return None
    table = gathered.tables["sleep"]
    about = {"measure": "sleep_minutes", "unit": "min", "domain": "sleep"}
    measures = table.rename(columns={"minutes": "value"}).assign(**about)
    return Branch(table[PLACE], measures, pd.DataFrame(columns=COLUMNS, dtype=object))
''',
    "workflow/rules/sleep.smk": """
rule ingest_sleep:
    input:
        file=raw["sleep.file"],
        knowledge=(known := reads("sleep")),
    output:
        sleep="<results>/sleep/sleep.tsv",
    params:
        code=code_digest("sleep.ingest_sleep", known),
    shell:
        f"{PNIFLOW} ingest-sleep --file {{input.file}} --sleep {{output.sleep}}"
""",
    "workflow/schemas/sleep.section.yaml": """
type: object
additionalProperties: false
required: [file]
properties: {file: {$ref: "#/$defs/file"}}
""",
    "workflow/schemas/sleep.table.yaml": """
title: sleep
description: Minutes asleep.
fields:
  - {name: participant_id, type: string, description: Participant., constraints: {required: true}}
  - {name: session_id, type: string, description: Session., constraints: {required: true}}
  - {name: minutes, type: number, unit: min, description: Minutes asleep.}
primaryKey: [participant_id, session_id]
""",
}
ROW = """\
  - name: sleep
    key: sleep
    domain: sleep
    branch: sleep
    made_by: "pniflow.sleep.branch:sleep"
    label: Sleep
    phrase: actigraphy
    raw: [sleep.file]
    measures: [sleep_minutes]
    room: pniflow.sleep
    commands: [ingest-sleep]
    tables: [{name: sleep, path: sleep/sleep.tsv, rule: ingest_sleep, read_by: [assemble_cohort]}]
"""


def recipe(place: str) -> str:
    """Return what CONTRIBUTING.md says that a file is to hold."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    found = re.search(rf"^```\w+\n# {re.escape(place)}\n(.*?)^```$", text, flags=re.M | re.S)
    assert found, place
    return found[1]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Follow the recipes of a questionnaire and of a figure on a copy, and run a study of twelve people."""
    clone = tmp_path_factory.mktemp("recipes") / "clone"
    for name in ("workflow", "config", "resources", "envs", "profiles"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", clone)
    for place in ("resources/instruments/calm3.yaml", "workflow/pniflow/figures/plot_values.py"):
        (clone / place).write_text(recipe(place))
    gallery = clone / "workflow/pniflow/figures/gallery.py"
    rows, end = gallery.read_text().split("\n    )\n}\n")
    gallery.write_text(f"{rows}\n{recipe('workflow/pniflow/figures/gallery.py').rstrip()}\n    )\n}}\n{end}")
    for place, text in ROOM.items():
        (clone / place).parent.mkdir(exist_ok=True)
        (clone / place).write_text(text)
    modalities = clone / "workflow/pniflow/modalities.yaml"
    modalities.write_text(modalities.read_text().replace("\ntables:", f"\n{ROW}tables:"))
    study = clone / "study"
    study.mkdir()
    draw = random.Random(1)
    answers = [
        f"P{person:02},{visit},{draw.randint(0, 4)},{draw.randint(0, 4)},{draw.randint(0, 4)}"
        for person in range(1, 13)
        for visit in ("pre", "post")
    ]
    (study / "answers.csv").write_text("\n".join(["id,visit,q1,q2,q3", *answers]) + "\n")
    nights = [
        f"P{person:02},ses-{visit},{draw.randint(300, 480)}"
        for person in range(1, 13)
        for visit in ("pre", "post")
    ]
    (study / "sleep.csv").write_text("\n".join(["participant_id,session_id,minutes", *nights]) + "\n")
    (study / "study.yaml").write_text(STUDY)
    (study / "models.yaml").write_text(MODELS)
    (study / "config.yaml").write_text("questionnaires: {instruments: [calm3]}\n")
    done = snakemake("--cores", "2", "--configfile", "study/config.yaml", cwd=clone)
    assert done.returncode == 0, said(done)
    return clone


def test_a_questionnaire_of_the_recipe_is_scored_and_reported(run: Path) -> None:
    lines = (run / "study/answers.csv").read_text().splitlines()
    who, visit, *answers = lines[1].split(",")
    first, second, third = map(int, answers)
    scales = (run / "results/questionnaires/scales.tsv").read_text().splitlines()
    cells = next(dict(zip(scales[0].split("\t"), line.split("\t"), strict=True)) for line in scales[1:])
    assert (cells["participant_id"], cells["session_id"]) == (who, f"ses-{visit}")
    assert float(cells["score"]) == first + (4 - second) + third
    assert "change/calm3/session" in (run / "results/report/report.html").read_text(encoding="utf-8")


def test_a_figure_of_the_recipe_is_in_the_report(run: Path) -> None:
    about = json.loads((run / "results/figures/values.json").read_text())
    assert about["n"] == 12
    page = (run / "results/report/report.html").read_text(encoding="utf-8")
    assert page.count(about["alt"]) >= 1
    plan = snakemake("-n", "-p", "-F", "--configfile", "study/config.yaml", cwd=run)
    assert "pniflow plot-values --measures results/cohort/measures.parquet" in said(plan)


def test_a_modality_is_its_room_and_one_row(run: Path) -> None:
    """Measured, in the flow, tested and reported, and nothing else of the clone was edited for it."""
    flow = (run / "results/cohort/flow.tsv").read_text()
    assert re.search(r"^usable\tsleep\tses-post\t12\b", flow, flags=re.M), flow
    page = (run / "results/report/report.html").read_text(encoding="utf-8")
    assert "change/sleep_minutes/session" in page
    assert "This study has no laboratory assays, blood gene expression and no MRI" in page


def test_a_recipe_touches_no_more_files_than_it_says() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text().split("## Four recipes")[1]
    assert re.findall(r"^\*\*[^*]+\*\* \((\d) files\)", text, flags=re.M) == ["3", "3", "3", "3"]
