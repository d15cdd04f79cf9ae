"""A name is a word: whatever a folder or file is called, no command takes it for something else."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from pniflow.errors import InputError
from pniflow.files import read_yaml
from pniflow.plan import folder_digest, read_plan, word
from workflow.runs import ROOT, in_clone, said

NASTY = 'it\'s "a" $(touch PWN) `touch PWN` ü ñ;&|>#*?[a]~ %s !x'
SHELLS = {
    path.stem: "".join(re.findall(r"^ +shell:\n(?:^ {8,}.*\n|^\n)+", path.read_text(), flags=re.M))
    for path in sorted((ROOT / "workflow/rules").glob("*.smk"))
}


def test_every_path_in_a_command_is_quoted() -> None:
    places = [
        found for text in SHELLS.values() for found in re.findall(r"\{(?:input|output|log)[^{}]*\}", text)
    ]
    assert len(places) > 80
    assert [place for place in places if not place.endswith(":q}")] == []
    assert "{params.out}" not in "".join(SHELLS.values())


@pytest.mark.parametrize(
    "name",
    [
        *(
            "my study",
            "it's",
            'a"b',
            "a$(touch PWN)b",
            "a`touch PWN`b",
            "ü ñ",
            "#x",
            "~x",
            "a;b&c|d>e",
            "*?[c]",
        ),
        *("a\\b", "%s!h", "line\nbreak", "a=b:c@d", "$HOME", "{x}", "a{b", "<x>", "<X y>", "-rf", "{{x}}"),
    ],
)
def test_a_folder_is_one_word_or_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("study", "data", "resources"):
        config = tmp_path / (name if place == "study" else "plain") / "config.yaml"
        shutil.copytree(ROOT / "config", config.parent, dirs_exist_ok=True)
        given = {} if place == "study" else {place: name}
        (config.parent / name).mkdir(exist_ok=True)
        config.write_text(yaml.safe_dump(given))
        monkeypatch.chdir(tmp_path if place == "study" else config.parent)
        try:
            plan = read_plan([config], {})
        except InputError as error:
            assert re.search(r"[{}]|<x>|^-", name)
            assert "config.yaml: the folder of the" in str(error) and "rename it" in str(error)
            continue
        for path in (plan.study_file, plan.data_folder, *plan.raw.values()):
            assert shlex.split(word(path).format()) == [path]


def test_commands_of_a_plan_can_be_pasted(tmp_path: Path) -> None:
    """Bash gives every command of every branch its words as they were meant, and runs nothing in them."""
    folder = tmp_path / NASTY
    shutil.copytree(ROOT / "config", folder)
    study = yaml.safe_load((folder / "study.yaml").read_text())
    study["redcap"]["export"] = f"{NASTY}.csv"
    study["expression"]["matrix"] = f"{NASTY}/{NASTY}.tsv"
    study["cat12"] |= {"folder": f"mri {NASTY}", "surfaces": {}, "voxels": {}}
    study |= {"freesurfer": {"folder": f"fs {NASTY}"}, "images": {"folder": f"bids {NASTY}"}}
    (folder / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    (folder / "config.yaml").write_text(yaml.safe_dump({"data": NASTY, "resources": f"own {NASTY}"}))
    (folder / f"own {NASTY}").mkdir()
    out = tmp_path / "out"
    plan = in_clone("-n", "-p", "--configfile", folder / "config.yaml", directory=out)
    assert plan.returncode == 0, said(plan)
    commands = re.findall(r"^(?:Shell command:)? +(pniflow .+)$", said(plan), flags=re.M)
    assert len(commands) > 20
    for command in commands:
        *_, log = shlex.split(command)
        (out / log).parent.mkdir(parents=True, exist_ok=True)
    script = "pniflow() { printf '%s\\n' \"$@\"; }\n" + "\n".join(commands)
    pasted = subprocess.run(["bash", "-c", script], cwd=out, capture_output=True, text=True, check=True)
    words = set(pasted.stdout.splitlines())
    raw = f"../{NASTY}/{NASTY}"
    assert {f"../{NASTY}/study.yaml", f"../{NASTY}/models.yaml", f"../{NASTY}/own {NASTY}", raw} <= words
    assert {
        f"{raw}/{NASTY}/{NASTY}.tsv",
        *(f"{raw}/{kind} {NASTY}" for kind in ("mri", "fs", "bids")),
    } <= words
    assert not list(tmp_path.rglob("PWN"))


def test_a_study_with_nasty_names_runs(tmp_path: Path) -> None:
    folder = tmp_path / NASTY
    (folder / NASTY).mkdir(parents=True)
    study = {
        "title": "A course",
        "sessions": {"ses-pre": {}, "ses-post": {}},
        "participants": {"file": f"{NASTY}/{NASTY}.csv", "id": "id"},
        "covariates": {name: {"field": "age"} for name in ("age", "bmi", "b_cell_depletion")},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    (folder / "config.yaml").write_text("{}\n")
    (folder / NASTY / f"{NASTY}.csv").write_text("id,age\nA,40\nB,50\n")
    target = "results/study/participants.tsv"
    out = tmp_path / f"out {NASTY}"
    run = in_clone("--cores", "1", target, "--configfile", folder / "config.yaml", directory=out)
    assert run.returncode == 0, said(run)
    assert [line.split("\t")[0] for line in (out / target).read_text().splitlines()] == [
        "participant_id",
        "A",
        "B",
    ]
    assert not list(tmp_path.rglob("PWN"))


@pytest.mark.parametrize(
    ("config", "study", "sentence"),
    [
        (
            "cat12: {batches: 1, batches: 2}\n",
            "",
            "config.yaml: line 1 gives the key 'batches' a second time",
        ),
        ("data: &a .\nresources: *a\n", "", "config.yaml: line 2 has an alias"),
        ("__use_yte__: true\n", "", "config.yaml: the file has the unknown key '__use_yte__'"),
        ("data: !!bool maybe\n", "", "config.yaml: the file holds a word that is not what its tag"),
        ("data: !!timestamp x\n", "", "config.yaml: the file holds a word that is not what its tag"),
        ("data: 2024-13-45\n", "", "config.yaml: the file holds a date or number that cannot be"),
        ("data: !!python/name:os.system\n", "", "config.yaml: line 1 is not YAML"),
        ("data: 2024-01-01\n", "", "config.yaml: the key 'data' is '2024-01-01'; text was expected"),
        ('data: "a\\0b"\n', "", "config.yaml: the folder of the data is 'a\\x00b'; a name"),
        ("x" * 1_000 + ": 1\n", "", "config.yaml: the file has the unknown key 'xxx"),
        (f"data: {'x' * 5000}\n", "", "config.yaml: the folder of the data is 'xxx"),
        ("{}\n", f"tables: [{{file: {'x' * 5000}}}]\n", "study.yaml: tables.0 is 'xxx"),
        ("{}\n", 'tables: [{file: "a\\0b"}]\n', "study.yaml: tables.0 is 'a\\x00b'; a name"),
        ("{}\n", "covariates: {age: {field: a}, age: {field: b}}\n", "the key 'age' a second time"),
        (None, "", "config.yaml: there is no such file"),
    ],
)
def test_what_no_file_of_a_study_may_hold_is_one_sentence(
    config: str | None, study: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if config is not None:
        (tmp_path / "config.yaml").write_text(config)
    (tmp_path / "study.yaml").write_text("title: t\nsessions: {ses-pre: {}, ses-post: {}}\n" + study)
    with pytest.raises(InputError) as caught:
        read_plan([tmp_path / "config.yaml"], {})
    assert sentence in str(caught.value) and "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_each_config_adds_to_the_one_before_it_and_the_command_line_to_all(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("title: t\nsessions: {ses-pre: {}, ses-post: {}}\n")
    files = [tmp_path / "one.yaml", tmp_path / "config.yaml"]
    files[0].write_text("cat12: {batches: 3, minimum_quality: 70}\nmaps: {permutations: 50}\n")
    files[1].write_text("cat12: {batches: 4}\n")
    config = read_plan(files, {"maps": {"permutations": 99}}).config
    assert config["cat12"]["batches"] == 4 and config["cat12"]["minimum_quality"] == 70
    assert config["maps"]["permutations"] == 99
    files[0].write_text("maps: {permutations: 50, permutations: 60}\n")
    with pytest.raises(InputError, match=r"one\.yaml: line 1 gives the key 'permutations' a second time"):
        read_plan(files, {})


def test_models_that_cannot_be_read_are_not_replaced_by_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("title: t\nsessions: {ses-pre: {}, ses-post: {}}\n")
    (tmp_path / "config.yaml").write_text("{}\n")
    (tmp_path / "models.yaml").symlink_to("nowhere.yaml")
    with pytest.raises(InputError, match=r"models\.yaml: there is no such file"):
        read_plan([tmp_path / "config.yaml"], {})


def test_a_link_that_leads_nowhere_is_a_file_like_others(tmp_path: Path) -> None:
    """As DataLad leaves for what it did not fetch; fetched, it counts as new."""
    (tmp_path / "bids/sub-1").mkdir(parents=True)
    (tmp_path / "bids/sub-1/a.nii.gz").symlink_to("../../annex/a")
    (tmp_path / "bids/sub-1/loop").symlink_to("loop")
    before = folder_digest(str(tmp_path / "bids"))
    (tmp_path / "annex").mkdir()
    (tmp_path / "annex/a").write_text("image")
    assert folder_digest(str(tmp_path / "bids")) != before


def test_a_pipe_in_place_of_a_study_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "study.yaml")
    with pytest.raises(InputError, match=r"study\.yaml: this is a pipe or a device"):
        read_yaml(tmp_path / "study.yaml")
