"""What is wrong in a lab's tables is said in one sentence that names the place; nothing is left behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pniflow.errors import InputError
from pniflow.study.ingest_study import ingest_study
from study_files import field, items, read_rows, small_redcap, write_dictionary, write_rows, write_study


def refused(folder: Path, study: dict[str, Any]) -> str:
    """Ingest a study that must be refused: one sentence, no output."""
    path = write_study(folder / "study.yaml", **study)
    with pytest.raises(InputError) as caught:
        ingest_study(study=path, data=folder, out=folder / "out")
    assert not (folder / "out").exists()
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


def changed(folder: Path, row: int, **cells: str) -> None:
    """Change cells of the export."""
    rows = read_rows(folder / "export.csv")
    rows[row] |= cells
    write_rows(folder / "export.csv", rows)


def test_a_value_outside_the_range(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    changed(tmp_path, 3, pss10_7="7")
    sentence = refused(tmp_path, study)
    assert "pss10 go from 0 to 4, but participant 002 ses-post item 7 = 7;" in sentence


def test_more_than_ten_values_outside_the_range(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    for row in range(2):
        changed(tmp_path, row, **{f"pss10_{item}": "8" for item in range(1, 9)})
    sentence = refused(tmp_path, study)
    assert sentence.count("= 8") == 10
    assert "and 6 more" in sentence


@pytest.mark.parametrize("code", ["-77", "NA", "UNK"])
def test_an_undeclared_code_in_a_numeric_field(tmp_path: Path, code: str) -> None:
    study = small_redcap(tmp_path)
    changed(tmp_path, 2, age=code)
    sentence = refused(tmp_path, study)
    assert f"'{code}' for participant 002 ses-pre" in sentence
    assert "'age'" in sentence


def test_an_undeclared_code_in_an_item(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    changed(tmp_path, 0, pss10_3="-88")
    assert "participant 001 ses-pre item 3 = -88" in refused(tmp_path, study)


def test_an_item_missing_from_the_export(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    rows = [
        {name: cell for name, cell in row.items() if name != "pss10_6"}
        for row in read_rows(tmp_path / "export.csv")
    ]
    write_rows(tmp_path / "export.csv", rows)
    assert "fields pss10_6 (instruments.pss10 in study.yaml)" in refused(tmp_path, study)


def test_an_item_missing_from_the_dictionary(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    study["instruments"] = {"pss10": {"fields": "pss_{item}"}}
    sentence = refused(tmp_path, study)
    assert "names the field 'pss_1'" in sentence
    assert "10 such fields" in sentence


def test_duplicate_rows(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    rows = read_rows(tmp_path / "export.csv")
    write_rows(tmp_path / "export.csv", [*rows, rows[1]])
    assert "rows 3 and 8 are both participant 001 at week_8_arm_1; the rows are the same" in refused(
        tmp_path, study
    )


def test_two_participants_with_one_id(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    changed(tmp_path, 2, record_id="001")
    changed(tmp_path, 3, record_id="001")
    sentence = refused(tmp_path, study)
    assert (
        "rows 2 and 4 are both participant 001 at baseline_arm_1; they differ: two participants share one id"
        in sentence
    )


def test_an_event_that_is_not_mapped(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    changed(tmp_path, 3, redcap_event_name="month_6_arm_1")
    assert "does not map the event 'month_6_arm_1' (rows: 1)" in refused(tmp_path, study)


def test_an_event_mapped_to_an_unknown_session(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    study["redcap"]["events"]["week_8_arm_1"] = "ses-later"
    assert "'ses-later'" in refused(tmp_path, study)


def test_a_dictionary_that_does_not_match_the_export(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    rows = [row | {"new_field": "1", "hads_1": "2"} for row in read_rows(tmp_path / "export.csv")]
    write_rows(tmp_path / "export.csv", rows)
    assert "does not know the columns new_field, hads_1" in refused(tmp_path, study)


def test_a_file_that_is_no_dictionary(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    study["redcap"]["dictionary"] = "export.csv"
    assert "this is not a REDCap data dictionary; the column 'field_name' is missing" in refused(
        tmp_path, study
    )


def test_a_session_before_enrolment_is_named_without_its_dates(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    study["redcap"]["dates"] = {"visit": "visit_date", "enrolment": "enrolled"}
    fields = [
        field("record_id"),
        field("visit_date", validation="date_ymd"),
        field("enrolled", validation="date_mdy"),
    ]
    write_dictionary(tmp_path / "dictionary.csv", [*fields, *items("pss10", 10, 0, 4)])
    names = ["record_id", "redcap_event_name", "visit_date", *(f"pss10_{item}" for item in range(1, 11))]
    rows = [
        {name: row[name] for name in names} | {"enrolled": ""} for row in read_rows(tmp_path / "export.csv")
    ]
    for row in rows[::2]:
        row["enrolled"] = "2024-02-20"
    rows[4]["enrolled"] = "2024-03-02"
    write_rows(tmp_path / "export.csv", rows)
    sentence = refused(tmp_path, study | {"covariates": {}})
    assert "lies before the enrolment ('enrolled') for participant 003 ses-pre;" in sentence
    assert "2024" not in sentence


def test_a_date_in_another_form_is_refused_and_not_repeated(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    study["redcap"]["dates"] = {"visit": "visit_date"}
    changed(tmp_path, 1, visit_date="26.04.2024")
    sentence = refused(tmp_path, study)
    assert "'visit_date' is no date like 2024-03-01 for participant 001 ses-post" in sentence
    assert "26.04" not in sentence


def test_items_of_one_instrument_coded_from_0_and_from_1(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    mixed = [*items("pss10", 10, 0, 4)[:6], *items("pss10", 10, 1, 5)[6:]]
    write_dictionary(tmp_path / "dictionary.csv", [field("record_id"), *mixed])
    keep = ["record_id", "redcap_event_name", *(f"pss10_{item}" for item in range(1, 11))]
    rows = read_rows(tmp_path / "export.csv")
    write_rows(tmp_path / "export.csv", [{key: row[key] for key in keep} for row in rows])
    sentence = refused(tmp_path, study | {"covariates": {}})
    assert "coded differently in the data dictionary (0 to 4 for pss10_1" in sentence
    assert "1 to 5 for pss10_7, pss10_8, pss10_9, pss10_10" in sentence


def test_items_coded_from_1_where_the_instrument_begins_at_0(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    write_dictionary(tmp_path / "dictionary.csv", [field("record_id"), *items("pss10", 10, 1, 5)])
    keep = ["record_id", "redcap_event_name", *(f"pss10_{item}" for item in range(1, 11))]
    rows = read_rows(tmp_path / "export.csv")
    write_rows(tmp_path / "export.csv", [{key: row[key] for key in keep} for row in rows])
    sentence = refused(tmp_path, study | {"covariates": {}})
    assert "from 1 to 5, but the instrument goes from 0 to 4; set instruments.pss10.offset to -1" in sentence


def test_a_code_without_a_level(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    del study["covariates"]["group"]["coding"]["None"]
    sentence = refused(tmp_path, study)
    assert (
        "the field 'group' has the code 'None' for participant 002 ses-pre; codes in covariates.group.coding"
        in sentence
    )


def test_a_covariate_outside_the_dictionarys_limits_unless_a_range_is_given(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    changed(tmp_path, 0, age="17")
    assert "has '17' for participant 001 ses-pre; expected were 18 to 120" in refused(tmp_path, study)
    study["covariates"]["age"]["range"] = [12, 100]
    path = write_study(tmp_path / "study.yaml", **study)
    ingest_study(study=path, data=tmp_path, out=tmp_path / "out")
    assert "001\t17.0" in (tmp_path / "out/participants.tsv").read_text()


def test_two_values_of_a_time_constant_field(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    changed(tmp_path, 1, age="41")
    assert "'age' has two different values for participant 001 ses-post" in refused(tmp_path, study)


def test_an_unknown_participant_in_the_laboratorys_table_with_a_suggestion(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    (tmp_path / "hair.csv").write_text("id,session,value\n001,ses-pre,3\n2,ses-pre,4\n")
    columns = {"participant": "id", "session": "session", "value": "value"}
    study["assays"] = {"hair_cortisol": {"file": "hair.csv", "unit": "pg/mg", "columns": columns}}
    assert (
        "hair.csv: row 3 is of participant '2', who is not among the study's records (is it '002'?)"
        in refused(tmp_path, study)
    )


def test_a_session_that_the_study_does_not_have_in_the_laboratorys_table(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    (tmp_path / "hair.csv").write_text("id,session,value\n001,T1,3\n002,T2,4\n")
    columns = {"participant": "id", "session": "session", "value": "value"}
    study["assays"] = {"hair_cortisol": {"file": "hair.csv", "unit": "pg/mg", "columns": columns}}
    assert "row 2 is of the session 'T1', 'T2' (rows: 2)" in refused(tmp_path, study)


@pytest.mark.parametrize("value", ["abc", "-3", "<"])
def test_a_laboratory_value_that_is_no_number(tmp_path: Path, value: str) -> None:
    study = small_redcap(tmp_path)
    (tmp_path / "hair.csv").write_text(f"id,session,value\n001,ses-pre,{value}\n")
    columns = {"participant": "id", "session": "session", "value": "value"}
    study["assays"] = {"hair_cortisol": {"file": "hair.csv", "unit": "pg/mg", "columns": columns}}
    assert "hair.csv: the column 'value' (assays.hair_cortisol)" in refused(tmp_path, study)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    study["redcap"]["export"] = "exports.csv"
    assert refused(tmp_path, study).startswith("exports.csv: there is no such file in the data folder")


def test_an_id_that_is_blank(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    changed(tmp_path, 2, record_id="")
    assert "row 4 has no record_id" in refused(tmp_path, study)


def test_the_command_prints_the_sentence_alone(tmp_path: Path, root: Path) -> None:
    study = small_redcap(tmp_path)
    changed(tmp_path, 3, pss10_7="7")
    path = write_study(tmp_path / "study.yaml", **study)
    command = [
        sys.executable,
        "-m",
        "pniflow.cli",
        "ingest-study",
        "--study",
        str(path),
        "--data",
        str(tmp_path),
    ]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(root / "workflow"), "PATH": ""},
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("export.csv: responses to pss10 go from 0 to 4")


@given(content=st.binary(max_size=300))
def test_any_bytes_as_export_are_read_or_refused_in_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any"
    folder.mkdir(exist_ok=True)
    study = small_redcap(folder)
    (folder / "export.csv").write_bytes(content)
    path = write_study(folder / "study.yaml", **study)
    with pytest.raises(InputError):
        ingest_study(study=path, data=folder, out=folder / "out")


@given(
    cell=st.text(max_size=20),
    column=st.sampled_from(["pss10_1", "age", "group", "record_id", "redcap_event_name"]),
)
def test_any_text_in_a_cell_is_ingested_or_refused_in_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, cell: str, column: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "cell"
    folder.mkdir(exist_ok=True)
    study = small_redcap(folder)
    rows = read_rows(folder / "export.csv")
    rows[0][column] = cell
    write_rows(folder / "export.csv", rows, encoding="utf-8")
    path = write_study(folder / "study.yaml", **study)
    try:
        ingest_study(study=path, data=folder, out=folder / "out")
    except InputError as error:
        assert str(error).endswith(".")


def test_a_column_of_names_taken_for_sessions_is_not_repeated(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    names = ["Anna", "Bert", "Carla", "Dora", "Emil", "Fritz", "Gerda", "Hans"]
    rows = "".join(f"001,{name},3\n" for name in names)
    (tmp_path / "hair.csv").write_text(f"id,session,value\n{rows}")
    columns = {"participant": "id", "session": "session", "value": "value"}
    study["assays"] = {"hair_cortisol": {"file": "hair.csv", "unit": "pg/mg", "columns": columns}}
    sentence = refused(tmp_path, study)
    assert "(rows: 8)" in sentence
    assert not [name for name in names if name in sentence]
