"""Tables as surveys and spreadsheets give them: a file per session, columns per session, several sheets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from pniflow.errors import InputError
from pniflow.study.ingest_study import ingest_study
from study_files import field, items, text_of, write_dictionary, write_study

ITEMS = [f"gad_{item}" for item in range(1, 8)]
CODES = {"T1": "ses-pre", "T2": "ses-post"}
PRE, POST = "0123012", "1111111"


def ingested(folder: Path, **sections: Any) -> tuple[dict[tuple[str, str], str], pd.DataFrame]:
    """Responses of each participant-session as a word of digits, and the participants."""
    sections = {"instruments": {"gad7": {"fields": "gad_{item}"}}} | sections
    ingest_study(study=write_study(folder / "study.yaml", **sections), data=folder, out=folder / "out")
    table = pd.read_parquet(folder / "out/responses.parquet").sort_values(["participant_id", "item"])
    cells = table["value"].map(lambda value: "." if pd.isna(value) else f"{value:g}")
    words = cells.groupby([table["participant_id"], table["session_id"]]).agg("".join).to_dict()
    return words, pd.read_csv(folder / "out/participants.tsv", sep="\t", dtype=str, keep_default_na=False)


def survey(session: str, answers: str, names: list[str] = ITEMS) -> str:
    return text_of(["id", "visit", *names], [["01", session, *answers]])


def table(name: str, **more: Any) -> dict[str, Any]:
    return {"file": name, "id": "id", "session": "visit", "session_codes": CODES} | more


def test_a_survey_with_a_file_for_each_session_gives_the_answers_of_all(tmp_path: Path) -> None:
    (tmp_path / "t1.csv").write_text(survey("T1", PRE))
    (tmp_path / "t2.csv").write_text(survey("T2", POST))
    words, _ = ingested(tmp_path, tables=[table("t1.csv"), table("t2.csv", missing_codes={"-9": "refused"})])
    assert words == {("01", "ses-pre"): PRE, ("01", "ses-post"): POST}


def test_two_files_that_answer_one_session_differently_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t1.csv").write_text(survey("T1", PRE))
    (tmp_path / "again.csv").write_text(survey("T1", POST))
    with pytest.raises(InputError, match=r"t1.csv, again.csv: the field 'gad_1' has two different values"):
        ingested(tmp_path, tables=[table("t1.csv"), table("again.csv")])


def test_a_misspelt_item_in_the_second_file_does_not_pass_for_not_answered(tmp_path: Path) -> None:
    (tmp_path / "t1.csv").write_text(survey("T1", PRE))
    (tmp_path / "t2.csv").write_text(survey("T2", POST, [*ITEMS[:6], "gda_7"]))
    with pytest.raises(InputError, match=r"t2.csv: the table has items of .*gad7, but not gad_7; correct"):
        ingested(tmp_path, tables=[table("t1.csv"), table("t2.csv")])


@pytest.mark.parametrize("key", ["suffixes", "prefixes"])
@pytest.mark.parametrize("section", ["participants", "tables"])
def test_columns_per_session_become_rows(tmp_path: Path, key: str, section: str) -> None:
    ends = (
        {"_T1": "ses-pre", "_T2": "ses-post"} if key == "suffixes" else {"T1_": "ses-pre", "T2_": "ses-post"}
    )
    wide = [name + end if key == "suffixes" else end + name for end in ends for name in ITEMS]
    rows = [["01", "30", *PRE, *POST], ["02", "40", *PRE, *[""] * 7]]
    (tmp_path / "wide.csv").write_text(text_of(["id", "age_T1", *wide], rows))
    rules: Any = {"file": "wide.csv", "id": "id", key: ends}
    rules = [rules | {"session": None}] if section == "tables" else rules
    words, people = ingested(tmp_path, **{section: rules}, covariates={"age": {"field": "age_T1"}})
    assert words == {("01", "ses-pre"): PRE, ("01", "ses-post"): POST, ("02", "ses-pre"): PRE}
    assert people["age"].tolist() == ["30.0", "40.0"]


def test_a_misspelt_column_of_one_session_is_named(tmp_path: Path) -> None:
    wide = [f"{name}_T1" for name in ITEMS] + [f"{name}_T2" for name in ITEMS[:6]] + ["gad7_T2"]
    (tmp_path / "wide.csv").write_text(text_of(["id", *wide], [["01", *PRE, *POST]]))
    with pytest.raises(
        InputError, match=r"wide.csv: .* instruments.gad7 with '_T2', but no column 'gad_7_T2'"
    ):
        rules = {"file": "wide.csv", "id": "id", "suffixes": {"_T1": "ses-pre", "_T2": "ses-post"}}
        ingested(tmp_path, participants=rules)


def test_a_covariate_of_a_wide_redcap_export_may_be_named_with_its_ending(tmp_path: Path) -> None:
    fields = [field("record_id"), field("age_pre", validation="integer"), *items("gad7", 7, 0, 3)]
    for number, row in enumerate(fields[2:], 1):
        row["Variable / Field Name"] = f"gad_{number}_pre"
    write_dictionary(tmp_path / "dictionary.csv", fields)
    names = [row["Variable / Field Name"] for row in fields]
    (tmp_path / "export.csv").write_text(text_of(names, [["01", "33", *PRE]]))
    redcap = {"export": "export.csv", "dictionary": "dictionary.csv", "suffixes": {"_pre": "ses-pre"}}
    words, people = ingested(tmp_path, redcap=redcap, covariates={"age": {"field": "age_pre"}})
    assert words == {("01", "ses-pre"): PRE}
    assert people["age"].tolist() == ["33.0"]


def test_numbers_with_leading_zeros(tmp_path: Path) -> None:
    names = [f"GAD[SQ{item:03}]" for item in range(1, 8)]
    (tmp_path / "t1.csv").write_text(survey("T1", PRE, names))
    instruments = {"gad7": {"fields": "GAD[SQ{item:03}]"}}
    assert ingested(tmp_path, tables=[table("t1.csv")], instruments=instruments)[0]["01", "ses-pre"] == PRE


def workbook(path: Path, heads: dict[str, list[str]]) -> None:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, head in heads.items():
        sheet = book.create_sheet(name)
        sheet.append(head)
        sheet.append(["01", name, *map(int, PRE if name == "T1" else POST)])
    book.save(path)


def test_sheets_alike_are_read_by_name_and_never_the_first_alone(tmp_path: Path) -> None:
    workbook(tmp_path / "b.xlsx", {"T1": ["id", "visit", *ITEMS], "T2": ["id", "visit", *ITEMS], "codes": []})
    with pytest.raises(InputError, match=r"b.xlsx: the sheets T1, T2 have the same columns; .*b.xlsx#T1"):
        ingested(tmp_path, tables=[table("b.xlsx")])
    words, _ = ingested(tmp_path, tables=[table("b.xlsx#T1"), table("b.xlsx#T2")])
    assert words == {("01", "ses-pre"): PRE, ("01", "ses-post"): POST}
    with pytest.raises(
        InputError, match=r"there is no sheet 't2' \(is it 'T2'\?\); sheets are T1, T2, codes"
    ):
        ingested(tmp_path, tables=[table("b.xlsx#t2")])


def test_the_two_lines_that_qualtrics_puts_below_the_header_are_no_rows(tmp_path: Path) -> None:
    lines = survey("T1", PRE).splitlines()
    lines[1:1] = [
        ",".join(f'"Question, {n}"' for n in range(9)),
        ",".join('"{""ImportId"":""QID1""}"' for _ in range(9)),
    ]
    (tmp_path / "t1.csv").write_text("\n".join(lines))
    assert ingested(tmp_path, tables=[table("t1.csv")])[0] == {("01", "ses-pre"): PRE}


def people(folder: Path, column: str, values: list[str]) -> dict[str, Any]:
    rows = [[f"{number:02}", value] for number, value in enumerate(values, 1)]
    (folder / "people.csv").write_text(text_of(["id", column], rows))
    return {"participants": {"file": "people.csv", "id": "id"}, "instruments": {}}


@pytest.mark.parametrize("value", ["999", "-99", "1980"])
def test_an_age_that_nobody_has_is_not_the_oldest_group(tmp_path: Path, value: str) -> None:
    study = people(tmp_path, "age", ["30", value])
    with pytest.raises(InputError, match=f"has '{value}' for participant 02 .* expected were 0 to 120"):
        ingested(tmp_path, **study, covariates={"age": {"field": "age"}})


@pytest.mark.parametrize("value", ["-99", "999", "-9"])
def test_a_customary_missing_code_that_nobody_declared_is_no_number(tmp_path: Path, value: str) -> None:
    study = people(tmp_path, "bmi", ["22.5", "30.1", value])
    with pytest.raises(InputError, match=f"has '{value}' for participant 03"):
        ingested(tmp_path, **study, covariates={"bmi": {"field": "bmi"}})
    study["participants"]["missing_codes"] = {value: "refused"}
    assert ingested(tmp_path, **study, covariates={"bmi": {"field": "bmi"}})[1]["bmi"].tolist()[2] == ""


def test_such_a_number_among_its_like_or_within_a_stated_range_is_one(tmp_path: Path) -> None:
    study = people(tmp_path, "minutes", ["600", "999", "1200"])
    minutes = {"home_practice": {"field": "minutes"}}
    assert ingested(tmp_path, **study, covariates=minutes)[1]["home_practice"].tolist()[1] == "999.0"
    study = people(tmp_path, "minutes", ["6", "999", "12"])
    minutes["home_practice"]["range"] = [0, 5000]
    assert ingested(tmp_path, **study, covariates=minutes)[1]["home_practice"].tolist()[1] == "999.0"


def test_a_misspelt_field_or_file_is_named_with_the_one_that_is_meant(tmp_path: Path) -> None:
    study = people(tmp_path, "Alter", ["30"])
    with pytest.raises(InputError, match=r"not in people.csv \(is it 'Alter'\?\)"):
        ingested(tmp_path, **study, covariates={"age": {"field": "alter"}})
    study["participants"]["file"] = "People.csv"
    with pytest.raises(InputError, match=r"no such file in the data folder \(is it 'people.csv'\?\)"):
        ingested(tmp_path, **study)


def test_hair_of_somebody_whom_no_table_knows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t1.csv").write_text(survey("T1", PRE))
    (tmp_path / "hair.csv").write_text(text_of(["id", "visit", "pg"], [["01", "T1", 3], ["1", "T2", 2]]))
    columns = {"participant": "id", "session": "visit", "value": "pg"}
    assay = {"file": "hair.csv", "columns": columns, "session_codes": CODES, "unit": "pg/mg"}
    with pytest.raises(InputError, match=r"hair.csv: row 3 is of participant '1', .* \(is it '01'\?\)"):
        ingested(tmp_path, tables=[table("t1.csv")], assays={"hair_cortisol": assay})
