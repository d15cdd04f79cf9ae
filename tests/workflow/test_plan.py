"""The plan that a dry run shows: complete, small, quick, and only of the branches that a study has."""

from __future__ import annotations

import re
import resource
import shutil
from pathlib import Path

import pytest
import yaml

from pniflow.errors import InputError
from pniflow.plan import read_plan
from workflow.runs import ROOT, in_clone, said, snakemake

RULES = {path.stem: path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk"))}


def jobs(text: str) -> dict[str, int]:
    """Read the job table of a dry run."""
    table = text.split("Job stats:")[1].split("total")[0]
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, flags=re.M)}


def test_demo_plans_without_data_in_few_jobs(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = in_clone("-n", directory=tmp_path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert run.returncode == 0, said(run)
    plan = jobs(run.stdout)
    assert len(plan) >= 8
    assert sum(plan.values()) <= 60
    assert list(tmp_path.glob("results/*")) == []
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"dry run: {seconds:.2f} s CPU")


def test_both_front_doors_show_the_same_plan(tmp_path: Path) -> None:
    one = in_clone("-n", "-p", directory=tmp_path)
    two = in_clone("-n", "-p", "--snakefile", ROOT / "workflow/Snakefile", directory=tmp_path)
    commands = [sorted(re.findall(r"pniflow .+", said(run))) for run in (one, two)]
    assert len(commands[0]) > 8
    assert commands[0] == commands[1]


def bodies(name: str) -> dict[str, str]:
    """Return the rules of a file as written: name -> body; the figures' rule is made in a loop."""
    parts = re.split(r"^\s*rule\b *(\w*):", RULES[name], flags=re.M)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize("name", [name for name in RULES if name != "common"])
def test_every_rule_says_what_it_does_and_keeps_records(name: str) -> None:
    assert bodies(name)
    for rule, body in bodies(name).items():
        for directive in ("message:", "log:", "benchmark:", "conda:", "code=code_digest("):
            assert directive in body, (name, rule, directive)
        command = rule.replace("_", "-") if rule else "{{params.command}}"
        assert re.search(rf'f"{{PNIFLOW}} {re.escape(command)}[" {{]', body)


def test_rules_only_wire() -> None:
    for name, text in RULES.items():
        assert "lambda" not in text, name
        assert "pandas" not in text, name
        assert "run:" not in re.findall(r"^\s+run:", text, flags=re.M), name


@pytest.mark.parametrize(
    ("left_out", "gone"),
    [
        ("cat12", {"index_cat12", "parse_cat12", "gather_cat12", "plot_regions"}),
        (
            "expression",
            {
                "ingest_expression",
                "normalize_expression",
                "assess_samples",
                "score_ctra",
                "fit_over_genes",
                "plot_samples",
                "plot_ctra_components",
                "plot_ctra_heatmap",
                "plot_gene_forest",
            },
        ),
        ("lesions", {"ingest_lesions"}),
    ],
)
def test_an_absent_branch_shortens_the_plan(left_out: str, gone: set[str], tmp_path: Path) -> None:
    """A study without a branch, run inside the clone, plans none of its rules: the demo is not merged in."""
    study = yaml.safe_load((ROOT / "config/study.yaml").read_text())
    del study[left_out]
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    full = jobs(in_clone("-n", directory=tmp_path).stdout)
    run = in_clone("-n", "--configfile", tmp_path / "config.yaml", directory=tmp_path)
    assert run.returncode == 0, said(run)
    assert set(full) - set(jobs(run.stdout)) == gone


def test_a_real_study_plans_without_its_data(tmp_path: Path) -> None:
    """One sees every command of a study without its raw files; running it says which file is absent."""
    shutil.copytree(ROOT / "config", tmp_path / "study")
    (tmp_path / "study/config.yaml").write_text("questionnaires: {instruments: [pss10]}\n")
    config = tmp_path / "study/config.yaml"
    plan = in_clone("-n", "-p", "--configfile", config, directory=tmp_path)
    assert plan.returncode == 0, said(plan)
    assert "ingest_study" in jobs(plan.stdout)
    assert "simulate_study" not in jobs(plan.stdout)
    run = in_clone("--cores", "1", "--configfile", config, directory=tmp_path)
    assert run.returncode == 1
    assert "study.yaml: redcap.export names 'study/redcap/export.csv', which does not exist" in said(run)
    assert not (tmp_path / "results").exists()


WRONG = [
    ("config.yaml", "cat12:", "cat21:", "has the unknown key 'cat21'"),
    ("config.yaml", "batches: 2", "batches: 2\n  batches: 3", "gives the key 'batches' a second time"),
    (
        "config.yaml",
        "batches: 2",
        "batches: two",
        "the key 'cat12.batches' is 'two'; a whole number was expected",
    ),
    (
        "config.yaml",
        "variant: mean_z",
        "variant: mean",
        "one of mean_z, mean_log2, balanced was expected",
    ),
    (
        "config.yaml",
        "published: [reference_study]",
        "published: [refrence_study]",
        "report.published: there is no 'refrence_study'",
    ),
    (
        "study.yaml",
        "week_8_arm_1: ses-post",
        "week_8_arm_1: ses-after",
        "the session 'ses-after', which is not",
    ),
    (
        "study.yaml",
        "folder: cat12",
        "folder: ../cat12",
        "a name relative to the data folder, without '..'",
    ),
    ("study.yaml", "folder: cat12", "folder: <script>", "without words in angle brackets was expected"),
    ("study.yaml", "folder: cat12", "folder: 'scans {1}'", "a name without braces and"),
    ("study.yaml", "title:", "titel:", "has the unknown key 'titel'"),
    ("study.yaml", "pss10: {fields", "pss: {fields", "instruments lacks 'pss10'"),
    (
        "models.yaml",
        "{reference: ses-pre}",
        "{reference: ses-0}",
        "one of the sessions of study.yaml was",
    ),
    ("study.yaml", "b_cell_depletion: {", "rituximab: {", "has the term 'b_cell_depletion', which is no"),
    ("models.yaml", "fixed: [session]", "fixed: [session + age]", "formula strings are not read"),
    ("models.yaml", "test: {pro_change: [session]}", "test: {change: [session]}", "the family 'change'"),
    ("models.yaml", "split: predictor}, age", "split: predictor}, agee", "there is age; declare it"),
]


def wrong_study(file: str, old: str, new: str, folder: Path) -> Path:
    """Write the demo's study with something wrong in one file; return its config.yaml."""
    for name in ("config.yaml", "study.yaml", "models.yaml"):
        text = (ROOT / "config" / name).read_text()
        if name == file:
            assert old in text
            text = text.replace(old, new)
        (folder / name).write_text(text)
    return folder / "config.yaml"


@pytest.mark.parametrize(("file", "old", "new", "sentence"), WRONG)
def test_a_wrong_config_is_one_sentence(file: str, old: str, new: str, sentence: str, tmp_path: Path) -> None:
    config = wrong_study(file, old, new, tmp_path)
    with pytest.raises(InputError) as caught:
        read_plan([config], {})
    text = str(caught.value)
    assert "\n" not in text
    assert sentence in text
    assert file in text


@pytest.mark.parametrize(("file", "old", "new", "sentence"), {wrong[0]: wrong for wrong in WRONG}.values())
def test_snakemake_ends_with_the_sentence_alone(
    file: str, old: str, new: str, sentence: str, tmp_path: Path
) -> None:
    run = in_clone("-n", "--configfile", wrong_study(file, old, new, tmp_path), directory=tmp_path)
    assert run.returncode == 1
    lines = [line for line in run.stderr.splitlines() if line.strip() and "profile" not in line]
    assert len(lines) == 1, run.stderr
    assert sentence in lines[0]
    assert file in lines[0]


def test_slurm_profile_repeats_the_default_one() -> None:
    default, slurm = (
        yaml.safe_load((ROOT / f"profiles/{name}/profile.yaml").read_text()) for name in ("default", "slurm")
    )
    assert {key: slurm[key] for key in default} == default
    assert slurm["slurm-status-command"] == "squeue"


def test_on_a_cluster_every_job_goes_with_others() -> None:
    """A rule without a group would stand between the groups' jobs, which no plan allows."""
    alone = {rule for name in RULES for rule, body in bodies(name).items() if "group:" not in body}
    assert alone == {"simulate_study"}


def test_slurm_plan_needs_no_slurm(tmp_path: Path) -> None:
    run = in_clone("-n", "--workflow-profile", ROOT / "profiles/slurm", directory=tmp_path)
    assert run.returncode == 0, said(run)


def test_snakemake_finds_nothing_to_complain_about() -> None:
    run = snakemake("--lint")
    assert run.returncode == 0, said(run)
