"""A first study.yaml for an export: what it guesses, what it says it could not guess,
and that the workflow plans with it.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
import yaml

from pniflow.config import read_study
from pniflow.errors import InputError
from pniflow.new_study import new_study
from pniflow.study.ingest_study import ingest_study
from study_files import field, items, read_rows, small_redcap, text_of, write_dictionary, write_rows


def drafted(folder: Path, **more: Path) -> dict:
    """Draft a study for the folder's export."""
    out = folder / "mine"
    new_study(export=folder / "export.csv", dictionary=folder / "dictionary.csv", out=out, **more)
    return read_study(out / "study.yaml")


def test_a_small_export_is_recognized_and_ingests_as_drafted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = small_redcap(tmp_path)
    rows = read_rows(tmp_path / "export.csv")
    rows[0]["pss10_2"] = "-99"
    write_rows(tmp_path / "export.csv", rows)
    study = drafted(tmp_path)
    assert study["sessions"] == {
        "ses-pre": {"label": "baseline", "day": 0},
        "ses-post": {"label": "week 8", "day": 56},
    }
    assert study["redcap"]["events"] == expected["redcap"]["events"]
    assert study["redcap"]["id"] == "record_id"
    assert study["redcap"]["missing_codes"] == {"-99": "not stated"}
    assert study["instruments"]["pss10"]["fields"] == "pss10_{item}"
    assert study["covariates"]["age"] == {"field": "age", "unit": "years"}
    assert study["covariates"]["arm"]["coding"] == {"NA": "north_america", "None": "no_group", "1": "europe"}
    config = yaml.safe_load((tmp_path / "mine/config.yaml").read_text())
    assert config == {"data": "..", "questionnaires": {"instruments": ["pss10"]}}
    ingest_study(study=tmp_path / "mine/study.yaml", data=tmp_path, out=tmp_path / "out")
    assert len(pd.read_parquet(tmp_path / "out/responses.parquet")) == 60
    said = capsys.readouterr().out
    assert "snakemake -n --configfile" in said
    assert "Erika" not in said + (tmp_path / "mine/study.yaml").read_text()


def test_every_guess_has_a_comment(tmp_path: Path) -> None:
    small_redcap(tmp_path)
    drafted(tmp_path)
    lines = (tmp_path / "mine/study.yaml").read_text().splitlines()
    for key in ("  ses-pre", "  id", "  events", "  missing_codes", "covariates", "  pss10"):
        assert "# guess" in next(line for line in lines if line.startswith(f"{key}:")), key


def test_one_based_codes_padded_numbers_and_an_unknown_questionnaire(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    padded = items("GAD", 7, 1, 4)
    for number, row in enumerate(padded, 1):
        row["Variable / Field Name"] = f"gad7_{number:02}"
    fields = [field("id"), *padded, *items("qol", 5, 0, 4)]
    write_dictionary(tmp_path / "dictionary.csv", fields)
    names = [row["Variable / Field Name"] for row in fields]
    (tmp_path / "export.csv").write_text(text_of(names, [["1", *"1234123", *"01234"]]))
    study = drafted(tmp_path)
    assert study["instruments"] == {
        "gad7": {
            "fields": "gad7_{item:02}",
            "offset": -1,
        }
    }
    assert "no field looks like the age" in capsys.readouterr().out


def test_a_wide_export_gets_its_suffixes(tmp_path: Path) -> None:
    fields = [field("record_id"), field("age", validation="integer")]
    for place in ("t1", "t2"):
        fields += [
            row | {"Variable / Field Name": f"phq9_{n}_{place}"}
            for n, row in enumerate(items("x", 9, 0, 3), 1)
        ]
    write_dictionary(tmp_path / "dictionary.csv", fields)
    names = [row["Variable / Field Name"] for row in fields]
    (tmp_path / "export.csv").write_text(text_of(names, [["1", "30", *"012301230", *"111111111"]]))
    study = drafted(tmp_path)
    assert study["redcap"]["suffixes"] == {"_t1": "ses-pre", "_t2": "ses-post"}
    assert study["instruments"]["phq9"]["fields"] == "phq9_{item}"
    ingest_study(study=tmp_path / "mine/study.yaml", data=tmp_path, out=tmp_path / "out")
    values = pd.read_parquet(tmp_path / "out/responses.parquet")["value"].tolist()
    assert values == [0, 1, 2, 3, 0, 1, 2, 3, 0] + [1] * 9


@pytest.mark.parametrize(
    ("cells", "unit"), [("5\t0\t12", "counts"), ("5.5\t0\t1200.1", "tpm"), ("5.5\t-1\t12.1", "log2")]
)
def test_the_unit_of_a_matrix_is_guessed_from_its_numbers(tmp_path: Path, cells: str, unit: str) -> None:
    small_redcap(tmp_path)
    text = f"gene\tsub-01_ses-pre\tb\tc\nIL6\t{cells}\n"
    (tmp_path / "m.tsv.gz").write_bytes(gzip.compress(text.encode()))
    study = drafted(tmp_path, matrix=tmp_path / "m.tsv.gz")
    assert study["expression"]["unit"] == unit
    assert study["expression"]["samples"] == "mine/samples.tsv"
    assert (tmp_path / "mine/samples.tsv").read_text().splitlines()[1:] == [
        "sub-01_ses-pre\tsub-01\tses-pre\t",
        "b\t\t\t",
        "c\t\t\t",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "# Program:featureCounts\nGeneid\tChr\tLength\tbam/a_pre.bam\tbam/b.bam\nIL6\t7\t12\t5\t0\n",
        '"";"a_pre";"b"\n"IL6";5;0\n',
        "sample,IL6,IL1B,TNF\na_pre,5,0,1\nb,0,1,1\n",
    ],
)
def test_samples_are_those_that_ingestion_reads(tmp_path: Path, text: str) -> None:
    (tmp_path / "m.txt").write_text(text)
    new_study(matrix=tmp_path / "m.txt", out=tmp_path / "mine")
    sheet = (tmp_path / "mine/samples.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in sheet[1:]] == ["a_pre", "b"]
    assert read_study(tmp_path / "mine/study.yaml")["expression"]["unit"] == "counts"


def test_an_existing_study_is_not_overwritten(tmp_path: Path) -> None:
    small_redcap(tmp_path)
    drafted(tmp_path)
    with pytest.raises(InputError, match="it is not overwritten"):
        drafted(tmp_path)


def test_a_folder_of_scans_without_bids_names_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_redcap(tmp_path)
    (tmp_path / "cat12/report").mkdir(parents=True)
    (tmp_path / "cat12/report/cat_IXI002-T1.xml").write_text("<S/>")
    study = drafted(tmp_path, cat12=tmp_path / "cat12")
    assert study["cat12"] == {
        "folder": "cat12",
        "scans": None,
        "pattern": None,
        "session": None,
        "lesion_handling": "not recorded",
    }
    assert "scans are not named as in BIDS" in capsys.readouterr().out


def test_snakemake_plans_the_drafted_study(tmp_path: Path, root: Path) -> None:
    small_redcap(tmp_path)
    drafted(tmp_path)
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "--snakefile", str(root / "Snakefile")]
    places = ["--configfile", str(tmp_path / "mine/config.yaml"), "--directory", str(tmp_path / "run")]
    done = subprocess.run([*command, *places], capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


ITEMS = [f"PSS_{item}" for item in range(1, 11)]
PRE, POST = "4321012344", "0000111122"


def spelled(folder: Path, layout: str) -> list[Path]:
    """Write one and the same study as different programs would; the paths of its tables."""
    rows = [("01", "T1", PRE), ("01", "T2", POST), ("02", "T1", POST)]
    texts = {
        "people.csv": text_of(["Code", "Alter", "Ocrelizumab"], [["01", 30, "ja"], ["02", 40, "nein"]], ";")
    }
    if layout == "long":
        texts["gad.csv"] = text_of(["Proband", "Zeitpunkt", *ITEMS], ([p, t, *a] for p, t, a in rows))
    elif layout == "a file per session":
        names = [f"PSS[SQ{item:03}]" for item in range(1, 11)]
        for session in ("T1", "T2"):
            mine = [[p, "a text", *a] for p, t, a in rows if t == session]
            texts[f"survey {session}.csv"] = text_of(["id", "remark", *names], mine)
    else:
        shape = {"endings": "{name}_{end}", "beginnings": "{end}_{name}"}[layout]
        wide = [shape.format(name=name, end=end) for end in ("T1", "T2") for name in ITEMS]
        texts["wide.csv"] = text_of(["id", *wide], [["01", *PRE, *POST], ["02", *POST, *[""] * 10]])
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts]


@pytest.mark.parametrize("layout", ["long", "a file per session", "endings", "beginnings"])
def test_plain_tables_are_drafted_so_that_they_ingest(tmp_path: Path, layout: str) -> None:
    paths = spelled(tmp_path, layout)
    hair = [["01", "T1", "<0,5"], ["01", "T2", "4,2"], ["02", "T1", "7,5"]]
    (tmp_path / "Haar.csv").write_text(text_of(["Proband", "Zeit", "Cortisol (pg/mg)"], hair, ";"))
    out = tmp_path / "mine"
    new_study(tables=paths, assays=[tmp_path / "Haar.csv"], out=out)
    study = read_study(out / "study.yaml")
    assert list(study["sessions"]) == ["ses-pre", "ses-post"]
    assert study["assays"]["hair_cortisol"]["unit"] == "pg/mg"
    assert yaml.safe_load((out / "config.yaml").read_text())["questionnaires"] == {"instruments": ["pss10"]}
    ingest_study(study=out / "study.yaml", data=tmp_path, out=tmp_path / "out")
    answers = pd.read_parquet(tmp_path / "out/responses.parquet").sort_values(["participant_id", "item"])
    words = answers["value"].map("{:g}".format).groupby([answers["participant_id"], answers["session_id"]])
    assert words.agg("".join).to_dict() == {
        ("01", "ses-pre"): PRE,
        ("01", "ses-post"): POST,
        ("02", "ses-pre"): POST,
    }
    people = pd.read_csv(tmp_path / "out/participants.tsv", sep="\t", dtype=str)
    assert people[["age", "b_cell_depletion"]].to_numpy().tolist() == [["30.0", "yes"], ["40.0", "no"]]
    values = pd.read_csv(tmp_path / "out/assays.tsv", sep="\t")
    assert values["below_limit"].tolist() == [True, False, False]


def test_answers_from_one_and_codes_for_missing_are_seen_in_a_table(tmp_path: Path) -> None:
    raised = [[person, *(int(a) + 1 for a in PRE)] for person in ("01", "02")]
    raised[1][3] = -99
    (tmp_path / "t.csv").write_text(text_of(["id", *ITEMS], raised))
    new_study(tables=[tmp_path / "t.csv"], out=tmp_path / "mine")
    study = read_study(tmp_path / "mine/study.yaml")
    assert study["instruments"]["pss10"]["offset"] == -1
    assert study["participants"]["missing_codes"] == {"-99": "not stated"}
    ingest_study(study=tmp_path / "mine/study.yaml", data=tmp_path, out=tmp_path / "out")
    assert pd.read_parquet(tmp_path / "out/responses.parquet")["value"].isna().sum() == 1


def test_sessions_are_named_as_the_scans_are(tmp_path: Path) -> None:
    (tmp_path / "cat12/report").mkdir(parents=True)
    for session in ("1", "2"):
        (tmp_path / f"cat12/report/cat_sub-01_ses-{session}_T1w.xml").write_text("<S/>")
    paths = spelled(tmp_path, "long")
    new_study(tables=paths, cat12=tmp_path / "cat12", out=tmp_path / "mine")
    study = read_study(tmp_path / "mine/study.yaml")
    assert study["tables"][0]["session_codes"] == {"T1": "ses-1", "T2": "ses-2"}


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "Give --export with its --dictionary, or --tables"),
        (["People.csv"], r"no such file or folder \(is it 'people.csv'\?\); correct --tables"),
        (["odd.csv"], "odd.csv: no column looks like the participant's"),
    ],
)
def test_what_cannot_be_drafted_is_one_sentence(tmp_path: Path, names: list[str], sentence: str) -> None:
    spelled(tmp_path, "long")
    (tmp_path / "odd.csv").write_text("x,y\n1,2\n")
    with pytest.raises(InputError, match=sentence):
        new_study(tables=[tmp_path / name for name in names], out=tmp_path / "mine")


def test_a_spreadsheet_with_headings_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = ["Participant ID", "Time point", *(f"PSS-10 item {item}" for item in range(1, 11))]
    rows = [["01", time, *PRE] for time in ("Week 8", "Baseline", "3-month follow-up")]
    (tmp_path / "t.csv").write_text(text_of(head, rows))
    new_study(tables=[tmp_path / "t.csv"], out=tmp_path / "my study")
    study = read_study(tmp_path / "my study/study.yaml")
    assert study["sessions"] == {
        "ses-pre": {"label": "Baseline", "day": 0},
        "ses-week8": {"label": "Week 8", "day": 56},
        "ses-3monthfollowup": {"label": "3-month follow-up"},
    }
    assert study["instruments"]["pss10"]["fields"] == "PSS-10 item {item}"
    ingest_study(study=tmp_path / "my study/study.yaml", data=tmp_path, out=tmp_path / "out")
    assert f"--directory '{tmp_path}/my study'" in capsys.readouterr().out


def test_sheets_alike_are_drafted_by_name(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "T1"
    for sheet, answers in ((book.active, PRE), (book.create_sheet("T2"), POST)):
        sheet.append(["id", "visit", *ITEMS])
        sheet.append(["01", sheet.title, *map(int, answers)])
    book.save(tmp_path / "b.xlsx")
    with pytest.raises(InputError, match=r"the sheets T1, T2 have the same columns; .* \(b.xlsx#T1\)"):
        new_study(tables=[tmp_path / "b.xlsx"], out=tmp_path / "mine")
    new_study(tables=[tmp_path / "b.xlsx#T1", tmp_path / "b.xlsx#T2"], out=tmp_path / "mine")
    ingest_study(study=tmp_path / "mine/study.yaml", data=tmp_path, out=tmp_path / "out")
    answers = pd.read_parquet(tmp_path / "out/responses.parquet").sort_values("item")
    assert answers.groupby("session_id")["value"].sum().to_dict() == {"ses-pre": 24, "ses-post": 8}
