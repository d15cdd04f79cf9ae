"""Bad tables end in one sentence that names file, row and reason, and leave no output behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from four_people import STUDY, TABLES, write_study
from pniflow.cli import main


def refused(
    folder: Path, capsys: pytest.CaptureFixture[str], study: str = STUDY, **changed: str | None
) -> str:
    """Run the command, expect exit 1 and nothing written; return what it printed."""
    paths = write_study(folder / "study", study, **changed)
    words = [word for name, path in paths.items() for word in (f"--{name}", str(path))]
    assert main(["assemble-cohort", *words]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.endswith(".\n")
    assert "Traceback" not in said
    assert not paths["out"].exists()
    return said


def test_a_participant_whom_the_records_do_not_know(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(tmp_path, capsys, samples=TABLES["samples"].replace("S4 C", "S4 Z"))
    assert "samples.tsv: row 5 is about participant Z at session ses-pre" in said
    assert "participants.tsv does not know this participant" in said


def test_a_session_of_theirs_that_the_records_do_not_know(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(tmp_path, capsys, samples=TABLES["samples"].replace("S3 B ses-pre", "S3 D ses-post"))
    assert "samples.tsv: row 4 is about participant D at session ses-post" in said
    assert "sessions.tsv does not know that session of theirs" in said


@pytest.mark.parametrize("table", ["scales", "assays", "lesions", "quality", "globals", "scans"])
def test_every_table_is_checked_against_the_records(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(tmp_path, capsys, **{table: TABLES[table].replace("A ses-post", "Q ses-post", 1)})
    row = next(n for n, line in enumerate(TABLES[table].splitlines(), 1) if "A ses-post" in line)
    assert f"{table}.tsv: row {row} is about participant Q" in said


def test_a_session_that_study_yaml_does_not_know(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(tmp_path, capsys, assays=TABLES["assays"].replace("B ses-pre", "B ses-late"))
    assert "assays.tsv: row 4 is about participant B at session ses-late" in said
    assert "study.yaml has the sessions ses-pre, ses-post" in said


@pytest.mark.parametrize("table", ["scales", "assays", "sessions", "participants", "lesions"])
def test_a_row_given_twice(table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = TABLES[table].splitlines()
    said = refused(tmp_path, capsys, **{table: "\n".join([*lines, lines[1]])})
    assert f"{table}.tsv: row {len(lines) + 1} repeats participant_id A" in said


def test_two_scans_of_one_session_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again = "\n        rsub-A_run2 A ses-post r v s true false 1"
    said = refused(tmp_path, capsys, scans=TABLES["scans"] + again)
    assert "participant A has 2 scans at session ses-post (rsub-A_post, rsub-A_run2)" in said


def test_two_blood_samples_of_one_session_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(tmp_path, capsys, samples=TABLES["samples"] + "\n        S9 A ses-pre 1")
    assert "participant A has 2 blood samples at session ses-pre (S1, S9)" in said


def test_a_score_of_no_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(tmp_path, capsys, ctra=TABLES["ctra"].replace("S3", "S33"))
    assert "ctra.tsv: row 4 is about sample S33, which samples.tsv does not have" in said


def test_scores_without_the_samples_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "give --samples too" in refused(tmp_path, capsys, samples=None)


def test_one_scan_of_two_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(tmp_path, capsys, globals=TABLES["globals"].replace("rsub-B_pre B", "rsub-B_pre A"))
    assert "scan rsub-B_pre: participant_id differs between tables" in said


def test_versions_of_cat12_are_not_mixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(tmp_path, capsys, globals=TABLES["globals"].replace("12.8.1_2042", "12.9_2550", 1))
    assert "The scans mix CAT12 versions" in said and "rsub-A_post" in said
    assert "cat12.allow_mixed: [version]" in said


def test_a_covariate_that_is_no_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(tmp_path, capsys, participants=TABLES["participants"].replace("B 50", "B fifty"))
    assert "participants.tsv: row 3, column 'age' is 'fifty'; a number was expected" in said


def test_a_level_that_was_not_declared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(tmp_path, capsys, participants=TABLES["participants"].replace("50 no yes", "50 maybe yes"))
    assert "row 3, column 'b_cell_depletion' is 'maybe'; one of no, yes was expected" in said


def test_a_covariate_without_a_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = STUDY.replace("covariates:\n", "covariates:\n  bmi: {field: bmi}\n")
    assert "participants.tsv: 'bmi' of study.yaml has no column" in refused(tmp_path, capsys, study)


def test_a_table_with_a_column_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(tmp_path, capsys, scales=TABLES["scales"].replace(" score ", " total "))
    assert "scales.tsv: column 'score' is missing" in said


def test_a_table_that_is_empty_to_the_last_byte(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "lesions.tsv: the file is empty" in refused(tmp_path, capsys, lesions="")


def test_an_absent_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = write_study(tmp_path / "study")
    paths["scales"].unlink()
    words = [word for name, path in paths.items() for word in (f"--{name}", str(path))]
    assert main(["assemble-cohort", *words]) == 1
    assert capsys.readouterr().err == f"{paths['scales']}: there is no such file.\n"
