"""Real studies are ingested as they are: a REDCap export with events and arms, a BIDS data set of MBSR+."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import pandas as pd
import pytest

from pniflow.errors import InputError
from pniflow.new_study.new_study import new_study
from pniflow.study.ingest_study import ingest_study
from study_files import read_rows, text_of, write_study

pytestmark = pytest.mark.real

EVENTS = {
    "enrollment_arm_1": "ses-enrolment",
    "dose_1_arm_1": None,
    "visit_1_arm_1": "ses-visit1",
    "dose_2_arm_1": None,
    "visit_2_arm_1": "ses-visit2",
    "final_visit_arm_1": "ses-final",
    "enrollment_arm_2": "ses-enrolment",
    "deadline_to_opt_ou_arm_2": None,
    "first_dose_arm_2": None,
    "first_visit_arm_2": "ses-visit1",
    "final_visit_arm_2": "ses-final",
    "deadline_to_return_arm_2": None,
}
COVARIATES = {
    "age": {"field": "age", "unit": "years"},
    "sex": {"field": "sex", "coding": {"0": "female", "1": "male"}},
    "bmi": {"field": "bmi", "unit": "kg/m2"},
    "arm": {"field": "redcap_arm", "coding": {"1": "drug_a", "2": "drug_b"}},
    "lexapro": {"field": "meds___1", "coding": {"0": "no", "1": "yes"}},
}


def redcap(folder: Path, data: Path, **sections: object) -> Path:
    """Ingest the genuine export; return the folder of the tables."""
    sessions = {name: {} for name in ("ses-enrolment", "ses-visit1", "ses-visit2", "ses-final")}
    rules = {"export": "data.csv", "dictionary": "dictionary.csv", "id": "study_id", "events": EVENTS}
    described = {"sessions": sessions, "redcap": rules, "covariates": COVARIATES} | sections
    path = write_study(folder / "study.yaml", **described)
    ingest_study(study=path, data=data / "redcap" / "longitudinal", out=folder / "out")
    return folder / "out"


def test_the_genuine_redcap_export_with_events_and_arms(real_data: Path, tmp_path: Path) -> None:
    out = redcap(tmp_path, real_data)
    assert (out / "participants.tsv").read_text().splitlines() == [
        "participant_id\tage\tsex\tbmi\tarm\tlexapro",
        "100\t31.0\tmale\t31.3\tdrug_a\tno",
        "220\t4.0\tfemale\t27.1\tdrug_a\tyes",
        "304\t9.0\tfemale\t22.2\tdrug_b\tyes",
    ]
    pairs = [line.split("\t")[:2] for line in (out / "sessions.tsv").read_text().splitlines()[1:]]
    four = ["ses-enrolment", "ses-visit1", "ses-visit2", "ses-final"]
    expected = [[person, name] for person in ("100", "220") for name in four]
    assert pairs == expected + [["304", name] for name in four if name != "ses-visit2"]


def test_no_name_telephone_address_or_date_of_the_genuine_export_leaves(
    real_data: Path, tmp_path: Path
) -> None:
    out = redcap(tmp_path, real_data)
    with open(real_data / "redcap/longitudinal/data.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    personal = [
        "first_name",
        "last_name",
        "telephone_1",
        "email",
        "dob",
        "comments",
        "date_enrolled",
        "vob14",
    ]
    words = {row[name] for row in rows for name in personal} - {""}
    assert len(words) > 12
    for path in out.iterdir():
        content = path.read_bytes()
        assert not [word for word in words if word.encode() in content]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("first_name", "flagged as an identifier"),
        ("next_of_kin_contact_name", "identifies a person by its name or label"),
        ("comments", "holds free text"),
        ("creat_4", "holds dates"),
        ("patient_document", "holds no data"),
        ("ec_phone", "holds text of the kind 'phone'"),
    ],
)
def test_personal_fields_of_the_genuine_dictionary_are_refused(
    real_data: Path, tmp_path: Path, name: str, why: str
) -> None:
    with pytest.raises(InputError, match=why):
        redcap(tmp_path, real_data, covariates={"x": {"field": name}})


def test_sessions_and_completeness_of_the_mbsr_trial(real_data: Path, tmp_path: Path) -> None:
    """147 people, 348 sessions; flow as counted from the data set's own list of paths."""
    path = write_study(
        tmp_path / "study.yaml",
        sessions={"ses-01": {}, "ses-02": {}, "ses-03": {}},
        bids={"folder": ".", "paths": "sessions_from_git_tree.txt"},
        covariates={
            "sex": {"field": "sex", "coding": {"female": "female", "male": "male"}},
            "course": {"field": "group", "coding": {"MBSR+": "mbsr", "SMH": "stress_management"}},
        },
    )
    ingest_study(study=path, data=real_data / "bids" / "ds005016", out=tmp_path / "out")
    people = pd.read_csv(tmp_path / "out/participants.tsv", sep="\t", keep_default_na=False)
    sessions = pd.read_csv(tmp_path / "out/sessions.tsv", sep="\t")
    assert (len(people), len(sessions)) == (147, 348)
    assert people["course"].value_counts().to_dict() == {"": 57, "mbsr": 46, "stress_management": 44}
    came = defaultdict(set)
    for row in sessions.itertuples():
        came[row.participant_id].add(row.session_id.removeprefix("ses-"))
    patterns = [" ".join(sorted(names)) for names in came.values()]
    assert {pattern: patterns.count(pattern) for pattern in set(patterns)} == {
        "01 02 03": 93,
        "01": 39,
        "01 03": 10,
        "01 02": 4,
        "02 03": 1,
    }


@pytest.mark.parametrize(
    ("study", "folder", "people", "samples"),
    [("gse127530", "expression/gse127530", 5, 45), ("ixi", "cat12", 0, 0)],
)
def test_studies_without_redcap_have_the_participants_of_their_samples(
    real_data: Path, root: Path, tmp_path: Path, study: str, folder: str, people: int, samples: int
) -> None:
    ingest_study(study=root / "tests/real" / study / "study.yaml", data=real_data / folder, out=tmp_path)
    counts = [
        len((tmp_path / f"{name}.tsv").read_text().splitlines()) - 1 for name in ("participants", "samples")
    ]
    assert counts == [people, samples]
    assert len(pd.read_parquet(tmp_path / "responses.parquet")) == 0


def test_a_study_drafted_for_the_genuine_export_ingests_as_drafted(
    real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = real_data / "redcap" / "longitudinal"
    new_study(export=folder / "data.csv", dictionary=folder / "dictionary.csv", out=tmp_path)
    assert "no questionnaire was recognized" in capsys.readouterr().out
    ingest_study(study=tmp_path / "study.yaml", data=folder, out=tmp_path / "out")
    people = (tmp_path / "out/participants.tsv").read_text().splitlines()
    assert people[0] == "participant_id\tage\tsex\tbmi\tcompleted_course"
    assert people[1] == "100\t31.0\tmale\t31.3\tno"
    assert len((tmp_path / "out/sessions.tsv").read_text().splitlines()) == 19


def as_labels(folder: Path, out: Path) -> None:
    """Write the genuine export again as REDCap's label export: labels in the header and in the cells."""
    rows, fields, events, arms = (
        read_rows(folder / f"{name}.csv") for name in ("data", "dictionary", "event", "arm")
    )
    heads, answers = {"redcap_event_name": "Event Name"}, {}
    for one in fields:
        name, kind, label = (one[key] for key in ("Variable / Field Name", "Field Type", "Field Label"))
        pairs = one["Choices, Calculations, OR Slider Labels"].split(" | ")
        choices = dict(pair.split(", ", 1) for pair in pairs if ", " in pair)
        if kind == "checkbox":
            for code, text in choices.items():
                heads[f"{name}___{code}"] = f"{label} (choice={text})"
                answers[f"{name}___{code}"] = {"0": "Unchecked", "1": "Checked"}
            continue
        heads[name] = label
        answers[name] = {"radio": choices, "dropdown": choices, "yesno": {"0": "No", "1": "Yes"}}.get(
            kind, {}
        )
        heads[f"{one['Form Name']}_complete"] = "Complete?"
        answers[f"{one['Form Name']}_complete"] = {"0": "Incomplete", "1": "Unverified", "2": "Complete"}
    arm = {row["arm_num"]: row["name"] for row in arms}
    answers["redcap_event_name"] = {
        row["unique_event_name"]: f"{row['event_name']} (Arm {row['arm_num']}: {arm[row['arm_num']]})"
        for row in events
    }
    cells = [[answers.get(name, {}).get(cell, cell) for name, cell in row.items()] for row in rows]
    out.write_text(text_of([heads[name] for name in rows[0]], cells), encoding="utf-8")


def test_the_genuine_export_with_labels_is_the_same_study(real_data: Path, tmp_path: Path) -> None:
    raw = redcap(tmp_path, real_data)
    folder = tmp_path / "labels" / "redcap" / "longitudinal"
    folder.mkdir(parents=True)
    source = real_data / "redcap" / "longitudinal"
    as_labels(source, folder / "data.csv")
    (folder / "dictionary.csv").write_bytes((source / "dictionary.csv").read_bytes())
    (tmp_path / "again").mkdir()
    labelled = redcap(tmp_path / "again", tmp_path / "labels")
    for path in raw.glob("*.tsv"):
        assert (labelled / path.name).read_text() == path.read_text()
