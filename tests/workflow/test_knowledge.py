"""Knowledge as inputs: a rule names what its jobs open of resources and schemas; one's own count."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml

from workflow.runs import BIN, ROOT, in_clone, knowledge_named, knowledge_opened, said

# What the rules of the demo read in other studies only, by rule.
ELSEWHERE = {
    "check_design": {"instruments", "groups"},  # where the study lacks a planned outcome
    "fit_models": {"groups"},
    "index_cat12": {"metrics", "ranges"},  # where a study has CAT12's exported tables
    "plot_gene_forest": {"instruments", "measures"},  # of predictors that are no session
    "plot_regions": {"instruments"},
}


@pytest.mark.xdist_group("demo")
def test_jobs_open_the_knowledge_that_their_rules_name_and_no_other(demo: Path) -> None:
    """Of instruments and atlases a rule names all: the data decide which of them a job opens."""
    named, opened = knowledge_named(directory=demo), knowledge_opened(demo / "opened.txt")
    assert len(named) > 30
    assert {rule: files for rule in named if (files := opened[rule] - named[rule])} == {}
    for rule, files in named.items():
        some = {Path(path).parent.name for path in opened[rule]} & {"instruments", "atlases"}
        for path in sorted(Path(one) for one in files - opened[rule]):
            kind, name = path.parent.name, path.name.split(".")[0]
            assert kind in some or {kind, name} & ELSEWHERE.get(rule, set()), (rule, path)


STUDY = """title: Stress of four people
sessions: {ses-pre: {day: 0}, ses-post: {day: 56}}
participants: {file: people.csv, id: id}
tables:
  - {file: visits.csv, id: id, session: visit, session_codes: {t0: ses-pre, t1: ses-post}}
instruments: {pss10: {fields: "pss10_{item}"}}
"""
MODELS = """version: 1
defaults: {session: {reference: ses-pre}}
families: {change: {role: primary, adjust: bh}}
models: [{name: change, outcomes: [pss10], fixed: [session], test: {change: [session]}}]
"""
MADE = ["results/models/estimates.tsv", "results/models/diagnostics.tsv"]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run a study with an instrument and a label of its own, to the estimates."""
    folder = tmp_path_factory.mktemp("own resources")
    rows = [(person, visit) for person in range(1, 7) for visit in ("t0", "t1")]
    items = range(1, 11)
    lines = [",".join(["id", "visit", *(f"pss10_{item}" for item in items)])]
    for person, visit in rows:
        answers = [(person * item + (visit == "t1")) % 4 for item in items]
        lines.append(",".join(map(str, [f"P{person}", visit, *answers])))
    (folder / "visits.csv").write_text("\n".join([*lines, ""]))
    (folder / "people.csv").write_text("id\n" + "".join(f"P{person}\n" for person in range(1, 7)))
    (folder / "study.yaml").write_text(STUDY)
    (folder / "models.yaml").write_text(MODELS)
    (folder / "config.yaml").write_text("resources: mine\nquestionnaires: {instruments: [pss10]}\n")
    for kind, name in (("instruments", "pss10.yaml"), ("labels", "measures.tsv")):
        (folder / "mine" / kind).mkdir(parents=True)
        (folder / "mine" / kind / name).write_bytes((ROOT / "resources" / kind / name).read_bytes())
    done = run(folder, *MADE)
    assert done.returncode == 0, said(done)
    return folder


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return in_clone(*words, "--cores", "2", "--configfile", folder / "config.yaml", directory=folder)


def scores(folder: Path) -> pd.Series:
    table = pd.read_csv(folder / "results/questionnaires/scales.tsv", sep="\t")
    return table.set_index(["participant_id", "session_id"])["score"]


def test_trace_prints_the_command_with_the_resources_that_it_had(study: Path) -> None:
    command = [BIN / "pniflow", "trace", "change/pss10/session", "--results", study / "results"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow")}
    told = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "command: pniflow --resources mine fit-models --measures results/cohort/" in told.stdout, told


def test_a_new_instrument_of_ones_own_reruns_what_would_read_it(study: Path) -> None:
    new = study / "mine/instruments/mine.yaml"
    new.write_bytes((ROOT / "resources/instruments/gad7.yaml").read_bytes().replace(b"gad7", b"mine"))
    try:
        plan = run(study, "-n", *MADE)
    finally:
        new.unlink()
    assert set(re.findall(r"^(\w+) +1$", plan.stdout, flags=re.M)) == {"fit_models", "total"}, said(plan)


def test_an_edited_instrument_of_ones_own_is_scored_anew(study: Path) -> None:
    """Even where the file's time is an old one, as that of an unpacked archive."""
    key = study / "mine/instruments/pss10.yaml"
    before, time = scores(study), key.stat()
    text = key.read_text()
    key.write_text(text.replace("reversed: [4, 5, 7, 8]", "reversed: [4, 5, 7]"))
    os.utime(key, ns=(time.st_atime_ns, time.st_mtime_ns))
    done = run(study, "results/questionnaires/scales.tsv")
    assert done.returncode == 0, said(done)
    visits = pd.read_csv(study / "visits.csv").replace({"visit": {"t0": "ses-pre", "t1": "ses-post"}})
    eighth = visits.set_index(["id", "visit"])["pss10_8"]
    # Unreversed, the item counts x in place of 4 - x.
    assert (scores(study) - before).to_dict() == (2 * eighth - 4).to_dict()


def test_every_command_begins_with_the_resources(tmp_path: Path) -> None:
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    (tmp_path / "a study/our own").mkdir(parents=True)
    for name in ("study", "models"):
        (tmp_path / f"a study/{name}.yaml").write_text((ROOT / f"config/{name}.yaml").read_text())
    path = tmp_path / "a study/config.yaml"
    for folder in ("our own", str(tmp_path / "a study/our own")):
        path.write_text(yaml.safe_dump(config | {"resources": folder}))
        plan = in_clone("-n", "-p", "--configfile", path, directory=tmp_path)
        commands = re.findall(r"^\s*(?:Shell command: )?(pniflow .+)$", said(plan), flags=re.M)
        assert len(commands) > 30, said(plan)
        assert [one for one in commands if not one.startswith("pniflow --resources 'a study/our own' ")] == []


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ("resources: absent", "absent: there is no such folder of resources; correct its name"),
        (
            "expression: {ctra: {gene_set: ctra35}}",
            "expression.ctra.gene_set: there is no 'ctra35'",
        ),
    ],
)
def test_resources_that_are_not_there_are_one_sentence_of_the_dry_run(
    config: str, sentence: str, tmp_path: Path
) -> None:
    for name in ("study", "models"):
        (tmp_path / f"{name}.yaml").write_text((ROOT / f"config/{name}.yaml").read_text())
    (tmp_path / "config.yaml").write_text(f"{config}\n")
    plan = in_clone("-n", "--configfile", tmp_path / "config.yaml", directory=tmp_path)
    lines = [line for line in plan.stderr.splitlines() if line.strip() and "profile" not in line]
    assert (plan.returncode, len(lines)) == (1, 1), said(plan)
    assert sentence in lines[0]
