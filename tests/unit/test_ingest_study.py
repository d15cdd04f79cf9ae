"""Plain tables, spreadsheets, BIDS trees and sample sheets become the same study tables as a REDCap
export.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from pniflow.errors import InputError
from pniflow.study.ingest_study import ingest_study
from study_files import write_study

GAD7 = {"gad7": {"fields": "gad_{item}"}}
HEADER = ["id", "visit", *(f"gad_{item}" for item in range(1, 8))]


def ingested(folder: Path, **sections: Any) -> dict[str, pd.DataFrame]:
    """Ingest a folder's study; the tables as text."""
    path = write_study(folder / "study.yaml", **sections)
    ingest_study(study=path, data=folder, out=folder / "out")
    names = ("participants", "sessions", "samples", "assays")
    tables = {
        name: pd.read_csv(folder / f"out/{name}.tsv", sep="\t", dtype=str, keep_default_na=False)
        for name in names
    }
    return tables | {"responses": pd.read_parquet(folder / "out/responses.parquet")}


def values(tables: dict[str, pd.DataFrame]) -> dict[tuple[str, str], str]:
    """Responses of each participant-session as a word of digits, a point where missing."""
    table = tables["responses"].sort_values(["participant_id", "session_id", "item"], kind="stable")
    cells = table["value"].map(lambda value: "." if pd.isna(value) else f"{value:g}")
    return cells.groupby([table["participant_id"], table["session_id"]]).agg("".join).to_dict()


def plain(folder: Path) -> dict[str, Any]:
    """A participants table and a table of responses."""
    (folder / "people.csv").write_text("code,age,country\n01,30,NA\n02,40,None\n03,,DE\n")
    rows = ["01,T1," + ",".join("0123012"), "01,T2," + ",".join("1111111"), "02,T1,3,,3,99,3,3,3"]
    (folder / "gad.csv").write_text("\n".join([",".join(HEADER), *rows, ""]))
    return {
        "participants": {"file": "people.csv", "id": "code"},
        "tables": [
            {
                "file": "gad.csv",
                "id": "id",
                "session": "visit",
                "session_codes": {"T1": "ses-pre", "T2": "ses-post"},
                "missing_codes": {"99": "refused"},
            }
        ],
        "covariates": {
            "age": {"field": "age"},
            "country": {"field": "country", "coding": {"NA": "namibia", "None": "none", "DE": "germany"}},
        },
        "instruments": GAD7,
    }


def test_plain_tables(tmp_path: Path) -> None:
    tables = ingested(tmp_path, **plain(tmp_path))
    assert tables["participants"].to_numpy().tolist() == [
        ["01", "30.0", "namibia"],
        ["02", "40.0", "none"],
        ["03", "", "germany"],
    ]
    assert values(tables) == {
        ("01", "ses-pre"): "0123012",
        ("01", "ses-post"): "1111111",
        ("02", "ses-pre"): "3.3.333",
    }
    reasons = tables["responses"]["missing_reason"].dropna()
    assert reasons.tolist() == ["refused"]
    assert tables["sessions"][["participant_id", "session_id"]].to_numpy().tolist() == [
        ["01", "ses-pre"],
        ["01", "ses-post"],
        ["02", "ses-pre"],
    ]


def test_a_workbook_is_the_same_as_the_text_table(tmp_path: Path) -> None:
    study = plain(tmp_path)
    before = ingested(tmp_path, **study)
    book = openpyxl.Workbook()
    for line in (tmp_path / "gad.csv").read_text().splitlines():
        cells = line.split(",")
        book.active.append([cells[0], cells[1], *(int(c) if c.isdigit() else c or None for c in cells[2:])])
    book.save(tmp_path / "gad.xlsx")
    study["tables"][0]["file"] = "gad.xlsx"
    after = ingested(tmp_path, **study)
    for name, table in before.items():
        pd.testing.assert_frame_equal(after[name], table)


def test_responses_in_words_are_mapped_by_the_studys_codes(tmp_path: Path) -> None:
    study = plain(tmp_path)
    words = {"0": "not at all", "1": "several days", "2": "more than half", "3": "nearly every day"}
    lines = (tmp_path / "gad.csv").read_text().splitlines()
    spelled = [
        ",".join([*line.split(",")[:2], *(words.get(c, c) for c in line.split(",")[2:])])
        for line in lines[1:]
    ]
    (tmp_path / "gad.csv").write_text("\n".join([lines[0], *spelled, ""]))
    with pytest.raises(
        InputError, match="responses to gad7 are numbers, but not for participant 01 ses-pre item 1"
    ):
        ingested(tmp_path, **study)
    study["instruments"] = {
        "gad7": {"fields": "gad_{item}", "codes": {word: int(code) for code, word in words.items()}}
    }
    assert values(ingested(tmp_path, **study))["01", "ses-pre"] == "0123012"


def test_a_column_whose_name_identifies_a_person_is_refused_in_plain_tables_too(tmp_path: Path) -> None:
    study = plain(tmp_path)
    (tmp_path / "people.csv").write_text("code,phone_number\n01,5551212\n02,5551213\n")
    study["covariates"] = {"x": {"field": "phone_number"}}
    with pytest.raises(InputError, match="identifies a person by its name or label"):
        ingested(tmp_path, **study)


def test_a_participant_twice_in_the_participants_table(tmp_path: Path) -> None:
    study = plain(tmp_path)
    (tmp_path / "people.csv").write_text("code,age,country\n01,30,NA\n02,40,DE\n01,31,DE\n")
    with pytest.raises(
        InputError, match="rows 2 and 4 are both participant 01; they differ: two participants share one id"
    ):
        ingested(tmp_path, **study)


def test_a_participant_of_a_further_table_must_be_in_the_register(tmp_path: Path) -> None:
    study = plain(tmp_path)
    (tmp_path / "people.csv").write_text("code,age,country\n01,30,NA\n2,40,DE\n")
    with pytest.raises(InputError, match=r"gad.csv: row 4 is of participant '02', .* \(is it '2'\?\)"):
        ingested(tmp_path, **study)


def test_a_field_that_is_in_no_table(tmp_path: Path) -> None:
    study = plain(tmp_path)
    study["covariates"]["bmi"] = {"field": "bmi"}
    with pytest.raises(
        InputError, match=r"covariates\.bmi names the field 'bmi', which is not in people.csv, gad.csv"
    ):
        ingested(tmp_path, **study)


def bids(folder: Path) -> dict[str, Any]:
    """A BIDS tree with sessions and a phenotype table."""
    root = folder / "bids"
    (root / "phenotype").mkdir(parents=True)
    (root / "participants.tsv").write_text("participant_id\tsex\tage\nsub-01\tF\t89+\nsub-02\tn/a\t50\n")
    for person, names in (("sub-01", ("ses-pre", "ses-post")), ("sub-02", ("ses-pre",))):
        (root / person).mkdir()
        rows = "".join(f"{name}\tn/a\t{place}\n" for place, name in enumerate(names))
        (root / person / f"{person}_sessions.tsv").write_text(f"session_id\tacq_time\tinfection\n{rows}")
    cells = "\t".join(f"gad_{item}" for item in range(1, 8))
    rows = [
        "sub-01\tses-pre\t" + "\t".join("0123012"),
        "sub-02\tses-pre\t" + "\t".join("33n3333").replace("n", "n/a"),
    ]
    (root / "phenotype/gad7.tsv").write_text("\n".join([f"participant_id\tsession_id\t{cells}", *rows, ""]))
    return {
        "bids": {"folder": "bids"},
        "covariates": {
            "sex": {"field": "sex", "coding": {"F": "female", "M": "male"}},
            "age": {"field": "age", "unit": "years"},
        },
        "exposures": {
            "infection": {
                "field": "infection",
                "coding": {"0": "no", "1": "yes"},
                "flag": {"levels": ["yes"]},
            }
        },
        "instruments": GAD7,
    }


def test_a_bids_tree_with_sessions_and_phenotype(tmp_path: Path) -> None:
    tables = ingested(tmp_path, **bids(tmp_path))
    assert tables["participants"].to_numpy().tolist() == [
        ["sub-01", "female", "89.0"],
        ["sub-02", "", "50.0"],
    ]
    assert tables["sessions"].drop(columns="day").to_numpy().tolist() == [
        ["sub-01", "ses-pre", "no", "no"],
        ["sub-01", "ses-post", "yes", "yes"],
        ["sub-02", "ses-pre", "no", "no"],
    ]
    assert values(tables) == {("sub-01", "ses-pre"): "0123012", ("sub-02", "ses-pre"): "33.3333"}


@pytest.mark.parametrize("listed", [True, False])
def test_a_bids_tree_without_sessions_takes_them_from_its_folders_or_from_a_list(
    tmp_path: Path, listed: bool
) -> None:
    study = bids(tmp_path) | {"exposures": {}}
    for path in (tmp_path / "bids").glob("sub-*/*_sessions.tsv"):
        path.unlink()
    paths = [
        "sub-01/ses-pre/anat/sub-01_ses-pre_T1w.nii.gz",
        "sub-01/ses-pre/func",
        "sub-01/ses-post",
        "sub-02/ses-pre",
    ]
    if listed:
        (tmp_path / "paths.txt").write_text("dataset_description.json\n" + "\n".join(paths) + "\n")
        study["bids"]["paths"] = "paths.txt"
    else:
        for path in ("sub-01/ses-pre", "sub-01/ses-post", "sub-02/ses-pre"):
            (tmp_path / "bids" / path).mkdir()
    pairs = ingested(tmp_path, **study)["sessions"][["participant_id", "session_id"]].to_numpy().tolist()
    assert pairs == [["sub-01", "ses-pre"], ["sub-01", "ses-post"], ["sub-02", "ses-pre"]]


def test_a_session_of_the_tree_that_the_study_does_not_declare(tmp_path: Path) -> None:
    study = bids(tmp_path)
    (tmp_path / "bids/sub-02/sub-02_sessions.tsv").write_text("session_id\tinfection\nses-late\t0\n")
    with pytest.raises(InputError, match="'ses-late'"):
        ingested(tmp_path, **study)


def test_a_sample_sheet_alone_gives_participants_sessions_and_covariates(tmp_path: Path) -> None:
    rows = ["lib1\tHD30\t0\tam\t51\tA", "lib2\tHD30\t7\tpm\t51\tB", "lib3\tHD31\t0\tam\t40\tA"]
    (tmp_path / "sheet.txt").write_text("\n".join(["label\tsubject\tday\ttime\tage\trun", *rows, ""]))
    (tmp_path / "m.tsv").write_text("")
    tables = ingested(
        tmp_path,
        expression={
            "matrix": "m.tsv",
            "unit": "tpm",
            "samples": "sheet.txt",
            "columns": {
                "sample": "label",
                "participant": "subject",
                "session": ["day", "time"],
                "batch": "run",
            },
            "session_codes": {"0-am": "ses-pre", "7-pm": "ses-post"},
        },
        covariates={"age": {"field": "age"}},
    )
    assert tables["participants"].to_numpy().tolist() == [["HD30", "51.0"], ["HD31", "40.0"]]
    assert tables["samples"].to_numpy().tolist() == [
        ["lib1", "HD30", "ses-pre", "A"],
        ["lib2", "HD30", "ses-post", "B"],
        ["lib3", "HD31", "ses-pre", "A"],
    ]
    assert len(tables["sessions"]) == 3


@pytest.mark.parametrize(
    ("sheet", "sentence"),
    [
        ("label,subject,day\na,1,0\na,2,0\n", "row 3 repeats the sample 'a'"),
        ("label,subject,day\na,,0\n", "row 2, column 'subject' is blank"),
        ("label,subject,day\na,1,9\n", "row 2 is of the session '9'"),
        ("label,subject\na,1\n", "no column 'day'"),
        ("label,subject,day\n", "has no rows"),
    ],
)
def test_a_sample_sheet_that_is_wrong_is_one_sentence(tmp_path: Path, sheet: str, sentence: str) -> None:
    (tmp_path / "s.csv").write_text(sheet)
    (tmp_path / "m.tsv").write_text("")
    columns = {"sample": "label", "participant": "subject", "session": "day"}
    with pytest.raises(InputError, match=sentence):
        ingested(
            tmp_path,
            expression={
                "matrix": "m.tsv",
                "unit": "tpm",
                "samples": "s.csv",
                "columns": columns,
                "session_codes": {"0": "ses-pre"},
            },
        )


def test_a_study_of_scans_only_has_empty_tables_to_be_filled_from_the_scans(tmp_path: Path) -> None:
    (tmp_path / "cat12").mkdir()
    tables = ingested(tmp_path, cat12={"folder": "cat12", "lesion_handling": "none"})
    assert {name: len(table) for name, table in tables.items()} == dict.fromkeys(tables, 0)
    assert list(tables["participants"]) == ["participant_id"]


@pytest.mark.parametrize(
    "scans", [{"cat12": {"folder": ".", "lesion_handling": "none"}}, {"lesions": {"folder": "."}}]
)
def test_pseudonyms_are_refused_where_scans_carry_the_ids(tmp_path: Path, scans: dict[str, Any]) -> None:
    study = plain(tmp_path) | {"pseudonymize": True} | scans
    with pytest.raises(InputError, match="carry participants' ids in their names"):
        ingested(tmp_path, **study)


def test_pseudonyms_are_refused_where_samples_carry_the_ids(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("sample,id,visit\n01_pre,01,ses-pre\n")
    (tmp_path / "m.tsv").write_text("")
    columns = {"sample": "sample", "participant": "id", "session": "visit"}
    expression = {"matrix": "m.tsv", "unit": "tpm", "samples": "s.csv", "columns": columns}
    with pytest.raises(InputError, match="1 sample names contain the participant's id"):
        ingested(tmp_path, **plain(tmp_path), pseudonymize=True, expression=expression)
