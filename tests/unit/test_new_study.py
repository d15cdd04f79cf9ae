"""A first study.yaml for an export: what it guesses, what it says it could not guess,
and that the workflow plans with it.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
import yaml

from pniflow.config import read_study
from pniflow.contracts import read_table
from pniflow.demo.simulate_study import simulate_study
from pniflow.errors import InputError
from pniflow.imaging.cat12.index_cat12 import index_cat12
from pniflow.models.specification import read_models
from pniflow.new_study.covariates import levels as levels_of
from pniflow.new_study.new_study import new_study
from pniflow.plan import Plan, read_plan
from pniflow.study.ingest_study import ingest_study
from study_files import HEADER, field, items, read_rows, small_redcap, text_of, write_dictionary, write_rows


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
            "sessions": {},
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
    ("cells", "unit"),
    [
        ("5\t0\t12", "counts"),
        ("1000000.5\t999999.5\t999999.1", "tpm"),
        ("5.5\t-1\t12.1", "log2"),
        ("25.5\t18.25\t33.1", "ct"),
    ],
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


GAD = [f"gad_{item}" for item in range(1, 8)]


def wave(path: Path, people: Sequence[str], answer: int = 1, names: Sequence[str] = GAD) -> Path:
    """Write a file of one wave: everybody gives one answer to the last item and 0 to the others."""
    path.write_text(text_of(["id", *names], ([person, *[0] * 6, answer] for person in people)))
    return path


def totals(folder: Path) -> dict[tuple[str, str], float]:
    """Ingest a drafted study; the sum of each person's answers at each session."""
    ingest_study(study=folder / "mine/study.yaml", data=folder, out=folder / "out")
    answers = pd.read_parquet(folder / "out/responses.parquet")
    return answers.groupby(["participant_id", "session_id"])["value"].sum().to_dict()


def planned(config: Path) -> Plan:
    """Plan a drafted study, which also checks its models."""
    return read_plan([config], {})


def events(folder: Path, names: Sequence[str], dates: Sequence[str] = ("", "")) -> None:
    """Write a REDCap export whose first row is of the first of two events."""
    small_redcap(folder)
    rows = read_rows(folder / "export.csv")
    for at, row in enumerate(rows):
        row["redcap_event_name"], row["visit_date"] = names[at % 2], dates[at % 2]
    write_rows(folder / "export.csv", rows)


def test_the_order_of_rows_is_not_the_order_of_sessions(tmp_path: Path) -> None:
    events(tmp_path, ["week_8_arm_1", "baseline_arm_1"])
    study = drafted(tmp_path)
    assert list(study["sessions"].items()) == [
        ("ses-pre", {"label": "baseline", "day": 0}),
        ("ses-post", {"label": "week 8", "day": 56}),
    ]
    assert study["redcap"]["events"] == {"week_8_arm_1": "ses-post", "baseline_arm_1": "ses-pre"}


def test_dates_of_visits_order_events_whose_names_do_not_tell(tmp_path: Path) -> None:
    events(tmp_path, ["clinic_arm_1", "home_arm_1"], ["2024-05-01", "2024-03-01"])
    assert drafted(tmp_path)["redcap"]["events"] == {"clinic_arm_1": "ses-post", "home_arm_1": "ses-pre"}


def test_events_that_nothing_orders_are_asked_for_and_do_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events(tmp_path, ["clinic_arm_1", "home_arm_1"])
    with pytest.raises(InputError, match=r"'sessions.ses-clinic.day' of clinic is left open \(null\)"):
        drafted(tmp_path)
    assert "Not guessed: which session is first and which follow, of clinic, home;" in capsys.readouterr().out
    assert read_models(tmp_path / "mine/models.yaml").reference is None


def test_arms_of_an_export_are_offered_as_a_covariate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events(tmp_path, ["baseline_arm_1", "week_8_arm_1"])
    rows = [
        {name: cell for name, cell in row.items() if name != "group"}
        for row in read_rows(tmp_path / "export.csv")
    ]
    for row in rows[:2]:
        row["redcap_event_name"] = row["redcap_event_name"].replace("arm_1", "arm_2")
    write_rows(tmp_path / "export.csv", rows)
    fields = [row for row in read_rows(tmp_path / "dictionary.csv") if row[HEADER[0]] != "group"]
    write_dictionary(tmp_path / "dictionary.csv", fields)
    drafted(tmp_path)
    text = (tmp_path / "mine/study.yaml").read_text()
    offered = '  # arm: {field: redcap_arm, coding: {"1": arm_1, "2": arm_2}}'
    assert offered in text
    (tmp_path / "mine/study.yaml").write_text(text.replace("  # arm:", "  arm:"))
    assert len(totals(tmp_path)) == 6
    assert "whether the arms 1, 2" in capsys.readouterr().out


def repeated(folder: Path, events: Sequence[str], instances: Sequence[int]) -> None:
    """Write an export in which the form of the PSS-10 repeats, in its events or without any."""
    fields = [field("record_id"), *({**row, "Form Name": "stress"} for row in items("pss10", 10, 0, 4))]
    write_dictionary(folder / "dictionary.csv", fields)
    keys = [
        "record_id",
        *(["redcap_event_name"] if events[0] else []),
        "redcap_repeat_instrument",
        "redcap_repeat_instance",
    ]
    rows = [
        ["1", *([event] if event else []), "stress", instance, *[instance] * 10]
        for event in events
        for instance in instances
    ]
    (folder / "export.csv").write_text(
        text_of([*keys, *(row["Variable / Field Name"] for row in fields[1:])], rows)
    )


def test_instances_of_a_repeating_form_are_sessions_in_order(tmp_path: Path) -> None:
    repeated(tmp_path, [""], [2, 1])
    assert drafted(tmp_path)["redcap"]["repeats"] == {"stress": {"1": "ses-pre", "2": "ses-post"}}
    assert totals(tmp_path) == {("1", "ses-pre"): 10, ("1", "ses-post"): 20}


def test_instances_that_are_no_sessions_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repeated(tmp_path, ["baseline_arm_1", "week_8_arm_1"], [1, 2])
    with pytest.raises(InputError, match=r"'redcap.repeats.stress' is left open"):
        drafted(tmp_path)
    assert (
        "which session each instance of stress is (instances 1, 2, in several events"
        in capsys.readouterr().out
    )


SURVEY = ["id", "submitdate", "lastpage", "token", *GAD]


def test_a_number_of_answers_is_not_a_person(tmp_path: Path) -> None:
    for name, people in (("T1", ["ann", "ben"]), ("T2", ["ben", "ann"])):
        answers = {"ann": 1, "ben": 2 if name == "T1" else 3}
        rows = [[n, "2024-01-01", 3, who, *[0] * 6, answers[who]] for n, who in enumerate(people, 1)]
        (tmp_path / f"survey_{name}.csv").write_text(text_of(SURVEY, rows))
    new_study(tables=[tmp_path / "survey_T1.csv", tmp_path / "survey_T2.csv"], out=tmp_path / "mine")
    assert totals(tmp_path) == {
        ("ann", "ses-pre"): 1,
        ("ann", "ses-post"): 1,
        ("ben", "ses-pre"): 2,
        ("ben", "ses-post"): 3,
    }


@pytest.mark.parametrize("numbers", [("1", "2", "3"), ("12", "9", "31")])
def test_where_only_answers_are_numbered_the_person_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], numbers: tuple[str, ...]
) -> None:
    for name in ("T1", "T2"):
        rows = [[number, "2024-01-01", 3, "", *[1] * 7] for number in numbers]
        (tmp_path / f"survey_{name}.csv").write_text(text_of(SURVEY, rows))
    new_study(tables=[tmp_path / "survey_T1.csv", tmp_path / "survey_T2.csv"], out=tmp_path / "mine")
    assert (
        "which column of survey_T1.csv is the participant; 'id' only counts the rows"
        in capsys.readouterr().out
    )
    with pytest.raises(
        InputError, match=r"'tables.0.id' of survey_T1.csv is left open .* identifies the participant"
    ):
        read_study(tmp_path / "mine/study.yaml")


def test_numbers_that_another_table_repeats_are_people(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(text_of(["id", "age"], [[1, 30], [2, 40]]))
    visits = [[person, time, *[1] * 7] for person in (1, 2) for time in ("T1", "T2")]
    (tmp_path / "visits.csv").write_text(text_of(["id", "visit", *GAD], visits))
    new_study(tables=[tmp_path / "people.csv", tmp_path / "visits.csv"], out=tmp_path / "mine")
    assert len(totals(tmp_path)) == 4


@pytest.mark.parametrize(
    "names", [["survey_T1", "second_survey", "survey_T3"], ["Eingang", "Nachbefragung", "sechs_Monate"]]
)
def test_waves_are_placed_by_what_their_files_are_called(tmp_path: Path, names: list[str]) -> None:
    paths = [wave(tmp_path / f"{name}.csv", ["a", "b"], at) for at, name in enumerate(names)]
    new_study(tables=paths[::-1], out=tmp_path / "mine")
    sessions = list(read_study(tmp_path / "mine/study.yaml")["sessions"])
    assert totals(tmp_path) == {(who, session): at for who in "ab" for at, session in enumerate(sessions)}


def test_waves_whose_files_tell_nothing_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [wave(tmp_path / f"{name}.csv", ["a", "b"]) for name in ("alpha", "beta")]
    new_study(tables=paths, out=tmp_path / "mine")
    assert "of alpha (alpha.csv), beta (beta.csv)" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"ses-alpha.day' of alpha \(alpha.csv\) is left open"):
        read_study(tmp_path / "mine/study.yaml")


def test_a_wave_with_other_names_and_codes_says_so_in_its_table(tmp_path: Path) -> None:
    paths = [wave(tmp_path / "T1.csv", ["a"], 0), tmp_path / "T2.csv"]
    paths[1].write_text(
        text_of(["id", *(f"GAD{item}" for item in range(1, 8))], [["a", 1, 2, 3, 4, 1, 1, 1]])
    )
    new_study(tables=paths, out=tmp_path / "mine")
    own = read_study(tmp_path / "mine/study.yaml")["tables"][1]["instruments"]
    assert own == {"gad7": {"fields": "GAD{item}", "offset": -1}}


def test_columns_like_items_that_are_no_known_questionnaire_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wave(tmp_path / "a.csv", ["a", "b"], 1, [*GAD[:6], "other_1"])
    new_study(tables=[tmp_path / "a.csv"], out=tmp_path / "mine")
    assert "what gad_1 to gad_6 are (6 columns; gad7 has 7 items)" in capsys.readouterr().out


def test_items_with_and_without_an_ending_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = text_of(["id", *GAD, *(f"{name}_fu" for name in GAD)], [["a", *[1] * 14]])
    (tmp_path / "w.csv").write_text(wide)
    new_study(tables=[tmp_path / "w.csv"], out=tmp_path / "mine")
    assert (
        "of which session gad_1 to gad_7 of w.csv are, while others end in '_fu'" in capsys.readouterr().out
    )


def test_previews_and_test_records_are_left_out_and_rows_twice_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = ["StartDate", "Status", "Finished", "ExternalReference", *GAD]
    rows = [
        ["2024-01-01", status, 1, who, *[1] * 7]
        for status, who in ((0, "a"), (0, "b"), (1, "z"), (0, "a"), (0, "test1"))
    ]
    (tmp_path / "q.csv").write_text(text_of(head, rows))
    new_study(tables=[tmp_path / "q.csv"], out=tmp_path / "mine")
    assert read_study(tmp_path / "mine/study.yaml")["exclude"] == [
        {"column": "Status", "values": ["1"], "file": "q.csv", "whole_person": False}
        | {"reason": "preview or test of the survey"},
        {"participants": ["test1"], "whole_person": False, "reason": "test record"},
    ]
    said = capsys.readouterr().out
    assert "has several (1 more rows); write first, last or most_complete at tables.0.keep" in said


def matrix(folder: Path, samples: Sequence[str]) -> Path:
    """Write a matrix of three genes."""
    lines = [
        "\t".join(["gene", *samples]),
        *("\t".join([gene, *["5"] * len(samples)]) for gene in ("IL6", "TNF", "FOS")),
    ]
    (folder / "m.tsv").write_text("\n".join([*lines, ""]))
    return folder / "m.tsv"


@pytest.mark.parametrize(
    ("head", "times", "session", "days"),
    [
        (["tube", "Patient", "Visit"], ("before", "after"), "Visit", [0, None]),
        (["tube", "subject", "bloodDay"], (0, 28), "bloodDay", [0, 28]),
    ],
)
def test_a_table_that_lists_the_samples_is_the_sample_sheet(
    tmp_path: Path, head: list[str], times: tuple[str | int, ...], session: str, days: list[int | None]
) -> None:
    rows = [[f"S.{at}", f"p{at // 2}", times[at % 2], 30 + at // 2] for at in range(4)]
    (tmp_path / "sheet.csv").write_text(text_of([*head, "age"], rows))
    new_study(
        tables=[tmp_path / "sheet.csv"],
        matrix=matrix(tmp_path, ["S-0", "S-1", "S-2", "S-3"]),
        out=tmp_path / "mine",
    )
    study = read_study(tmp_path / "mine/study.yaml")
    assert study["expression"]["samples"] == "sheet.csv"
    assert study["expression"]["columns"] == {
        "sample": "tube",
        "participant": head[1],
        "session": session,
        "further": {},
    }
    assert [about.get("day") for about in study["sessions"].values()] == days
    assert not (tmp_path / "mine/samples.tsv").exists()
    ingest_study(study=tmp_path / "mine/study.yaml", data=tmp_path, out=tmp_path / "out")
    assert len((tmp_path / "out/sessions.tsv").read_text().splitlines()) == 5
    assert "p1\t31.0" in (tmp_path / "out/participants.tsv").read_text().splitlines()


def test_a_sample_sheet_without_a_session_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [[f"S{at}", f"p{at // 2}", 8 + at] for at in range(4)]
    (tmp_path / "sheet.csv").write_text(text_of(["tube", "subject", "rin"], rows))
    new_study(
        tables=[tmp_path / "sheet.csv"],
        matrix=matrix(tmp_path, ["S0", "S1", "S2", "S3"]),
        out=tmp_path / "mine",
    )
    assert "which column of sheet.csv tells the session of a sample" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"'expression.columns.session' is left open"):
        read_study(tmp_path / "mine/study.yaml")


def test_samples_named_by_person_and_session_fill_the_sheet(tmp_path: Path) -> None:
    new_study(matrix=matrix(tmp_path, ["P1_pre", "P1_post", "P2_pre"]), out=tmp_path / "mine")
    assert (tmp_path / "mine/samples.tsv").read_text().splitlines()[1:] == [
        "P1_pre\tP1\tses-pre\t",
        "P1_post\tP1\tses-post\t",
        "P2_pre\tP2\tses-pre\t",
    ]


@pytest.mark.parametrize("sessions", [("",), ("_visit1", "_visit2")])
def test_scans_get_a_pattern_their_session_and_their_images(
    tmp_path: Path, sessions: tuple[str, ...]
) -> None:
    for folder in ("report", "mri"):
        (tmp_path / "cat12" / folder).mkdir(parents=True)
    for person in ("a1", "b2"):
        for session in sessions:
            (tmp_path / f"cat12/report/cat_{person}{session}.xml").write_text("<S/>")
            (tmp_path / f"cat12/mri/s6mwp1{person}{session}.nii").write_text("")
    times = ["T1", "T2"][: len(sessions)]
    rows = [[person, time, *[1] * 7] for person in ("a1", "b2") for time in times]
    (tmp_path / "s.csv").write_text(text_of(["id", "visit", *GAD], rows))
    new_study(tables=[tmp_path / "s.csv"], cat12=tmp_path / "cat12", out=tmp_path / "mine")
    study = read_study(tmp_path / "mine/study.yaml")
    only = len(sessions) == 1
    assert list(study["sessions"]) == (["ses-pre"] if only else ["ses-visit1", "ses-visit2"])
    assert study["cat12"]["pattern"] == ("{participant}" if only else "{participant}_{session}")
    assert study["cat12"]["session"] == ("ses-pre" if only else None)
    assert study["cat12"]["voxels"]["prefix"] == "s6mwp1"


def test_scans_of_one_name_get_a_pattern_of_their_folders(tmp_path: Path) -> None:
    for person in ("MS_001", "MS_002"):
        for session in ("T1", "T2"):
            place = tmp_path / "cat12" / person / session
            for name in ("report/cat_T1w.xml", "mri/s6mwp1T1w.nii"):
                (place / name).parent.mkdir(parents=True)
                (place / name).write_text(f"<S>{place}</S>")
    rows = [[person, time, *[1] * 7] for person in ("MS_001", "MS_002") for time in ("T1", "T2")]
    (tmp_path / "s.csv").write_text(text_of(["id", "visit", *GAD], rows))
    new_study(tables=[tmp_path / "s.csv"], cat12=tmp_path / "cat12", out=tmp_path / "mine")
    study = read_study(tmp_path / "mine/study.yaml")
    assert study["cat12"]["pattern"] == "{participant}/{session}/*"
    assert study["cat12"]["voxels"]["prefix"] == "s6mwp1"
    index_cat12(folder=tmp_path / "cat12", study=tmp_path / "mine/study.yaml", batches=1,
                scans=tmp_path / "scans.tsv")  # fmt: skip
    scans = read_table(tmp_path / "scans.tsv", "scans")
    assert scans["participant_id"].tolist() == ["MS_001", "MS_001", "MS_002", "MS_002"]
    assert set(scans["session_id"]) == set(study["sessions"])


@pytest.mark.parametrize("times", [("T1",), ("T1", "T2"), ("T1", "T2", "T3")])
def test_the_drafted_models_are_of_what_the_study_has(tmp_path: Path, times: tuple[str, ...]) -> None:
    people = [[person, 30 + at, ["MBSR", "wait"][at % 2]] for at, person in enumerate("abcd")]
    (tmp_path / "people.csv").write_text(text_of(["id", "age", "group"], people))
    rows = [[person, time, *[1] * 7] for person in "abcd" for time in times]
    (tmp_path / "s.csv").write_text(text_of(["id", "visit", *GAD], rows))
    new_study(tables=[tmp_path / "people.csv", tmp_path / "s.csv"], out=tmp_path / "mine")
    plan = planned(tmp_path / "mine/config.yaml")
    assert plan.study["covariates"]["arm"]["coding"] == {"MBSR": "MBSR", "wait": "wait"}
    models = read_models(plan.models_file)
    assert Path(plan.models_file).resolve() == (tmp_path / "mine/models.yaml").resolve()
    tested = {model.name: model.tested for model in models.models}
    if len(times) == 1:
        assert models.reference is None
        assert not any(model.random for model in models.models)
        assert tested == {"measures": ("arm", "age")}
    else:
        assert models.reference == "ses-pre"
        assert tested == {"change_questionnaires": ("session",), "change_by_arm": ("session:arm",)}


def test_a_drafted_study_of_simulated_raw_files_is_planned_and_ingested(tmp_path: Path) -> None:
    simulate_study(out=tmp_path / "raw", participants=6, sessions=3, truth_participants=0)
    raw = tmp_path / "raw"
    new_study(
        export=raw / "redcap/export.csv",
        dictionary=raw / "redcap/dictionary.csv",
        tables=[raw / "rna/samples.tsv"],
        assays=[raw / "assays/hair_cortisol.csv"],
        matrix=raw / "rna/counts.tsv.gz",
        cat12=raw / "cat12",
        out=raw / "mine",
    )
    mine, theirs = read_study(raw / "mine/study.yaml"), read_study(raw / "study.yaml")
    assert mine["redcap"]["events"] == theirs["redcap"]["events"]
    assert list(mine["sessions"]) == list(theirs["sessions"])
    assert {one: rule["fields"] for one, rule in mine["instruments"].items()} == {
        one: rule["fields"] for one, rule in theirs["instruments"].items()
    }
    assert planned(raw / "mine/config.yaml").absent() == []
    for study in ("mine/study.yaml", "study.yaml"):
        ingest_study(study=raw / study, data=raw, out=tmp_path / study)
    for name in ("samples.tsv", "responses.parquet"):
        drafted_table, declared = (tmp_path / study / name for study in ("mine/study.yaml", "study.yaml"))
        read = pd.read_parquet if name.endswith("parquet") else lambda path: pd.read_csv(path, sep="\t")
        columns = list(read(declared).columns.drop("missing_reason", errors="ignore"))
        assert read(drafted_table)[columns].equals(read(declared)[columns])


@pytest.mark.parametrize(
    ("labels", "levels"),
    [
        (["MBSR", "Waiting list"], ["MBSR", "waiting_list"]),
        (["YES", "NO"], ["yes", "no"]),
        (["Drug A", "Drug B"], ["drug_a", "drug_b"]),
        (["No (never)", "No, never"], ["no_never_0", "no_never_1"]),
    ],
)
def test_levels_keep_their_abbreviations(labels: list[str], levels: list[str]) -> None:
    assert list(levels_of(dict(zip("01", labels, strict=True))).values()) == levels
