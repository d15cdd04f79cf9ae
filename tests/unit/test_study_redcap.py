"""REDCap exports: raw and labelled, longitudinal with arms, repeating, classic and wide;
only what is named leaves.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pniflow.errors import InputError
from pniflow.resources import searched
from pniflow.study.fields import Field, parse_choices
from pniflow.study.ingest_study import ingest_study
from pniflow.study.redcap import is_labelled, names_of_labels, unique_event_name
from study_files import (
    EVENTS,
    field,
    items,
    read_rows,
    small_redcap,
    text_of,
    write_dictionary,
    write_rows,
    write_study,
)

PERSONAL = (b"Erika", b"Mustermann", b"2024-03-01", b"2024-04-26", b"Eri")


def ingested(folder: Path, **sections: Any) -> dict[str, pd.DataFrame]:
    """Ingest a folder's study; all five tables as text."""
    write_study(folder / "study.yaml", **sections)
    ingest_study(study=folder / "study.yaml", data=folder, out=folder / "out")
    names = ("participants", "sessions", "samples", "assays")
    tables = {
        name: pd.read_csv(folder / f"out/{name}.tsv", sep="\t", dtype=str, keep_default_na=False)
        for name in names
    }
    return tables | {"responses": pd.read_parquet(folder / "out/responses.parquet")}


def answers(
    tables: dict[str, pd.DataFrame], person: str, session: str, instrument: str = "pss10"
) -> list[float]:
    """A person's responses in the order of the items; -1 where missing."""
    table = tables["responses"]
    rows = table[(table["participant_id"] == person) & (table["session_id"] == session)]
    rows = rows[rows["instrument"] == instrument].sort_values("item")
    return rows["value"].fillna(-1).tolist()


def test_a_longitudinal_export_becomes_the_five_tables(tmp_path: Path) -> None:
    tables = ingested(tmp_path, **small_redcap(tmp_path))
    rows = read_rows(tmp_path / "export.csv")
    assert tables["participants"].to_dict("list") == {
        "participant_id": ["001", "002", "003"],
        "age": ["40.0", "41.0", "42.0"],
        "group": ["america", "none", "europe"],
    }
    assert tables["sessions"]["session_id"].tolist() == ["ses-pre", "ses-post"] * 3
    assert tables["sessions"]["day"].tolist() == ["0.0", "56.0"] * 3
    assert answers(tables, "002", "ses-post") == [int(rows[3][f"pss10_{item}"]) for item in range(1, 11)]
    assert len(tables["samples"]) == len(tables["assays"]) == 0


def test_identifiers_free_text_dates_and_unnamed_fields_appear_in_no_byte_of_the_output(
    tmp_path: Path,
) -> None:
    ingested(tmp_path, **small_redcap(tmp_path))
    written = list((tmp_path / "out").iterdir())
    assert len(written) == 6
    for path in written:
        # Parquet may compress a word away, so its cells are searched too.
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content += pd.read_parquet(path).to_csv().encode()
        assert not [word for word in PERSONAL if word in content], path.name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("full_name", "is flagged as an identifier"),
        ("remarks", "holds free text"),
        ("visit_date", "holds dates"),
        ("phone", "holds text of the kind 'phone'"),
        ("contact", "identifies a person by its name or label"),
        ("consent", "holds no data"),
    ],
)
def test_a_named_field_that_may_not_leave_is_refused(tmp_path: Path, name: str, why: str) -> None:
    study = small_redcap(tmp_path)
    fields = [field("record_id"), field("full_name", identifier="y"), field("remarks", "notes")]
    fields += [
        field("visit_date", validation="date_ymd"),
        field("phone", validation="phone"),
        field("consent", "file"),
    ]
    fields += [field("contact", label="Next of kin: name"), *items("pss10", 10, 0, 4)]
    write_dictionary(tmp_path / "dictionary.csv", fields)
    rows = read_rows(tmp_path / "export.csv")
    keep = [f"pss10_{item}" for item in range(1, 11)] + ["record_id", "redcap_event_name"]
    write_rows(tmp_path / "export.csv", [{key: row[key] for key in keep} | {name: "x"} for row in rows])
    with pytest.raises(InputError, match=f"covariates.x names the field '{name}', which {why}"):
        ingested(tmp_path, **study | {"covariates": {"x": {"field": name}}})


def test_free_text_in_a_field_without_validation_is_refused_and_not_repeated(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    with pytest.raises(
        InputError, match=r"'nickname' \(covariates.x in study.yaml\) is numeric, but has text"
    ) as caught:
        ingested(tmp_path, **study | {"covariates": {"x": {"field": "nickname"}}})
    assert "Eri" not in str(caught.value)


def test_declared_missing_codes_are_missing_with_their_reason_whatever_the_field(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    rows = read_rows(tmp_path / "export.csv")
    rows[0] |= {"pss10_4": "-99", "age": "-99"}
    rows[1] |= {"pss10_5": "-99.0", "pss10_6": ""}
    write_rows(tmp_path / "export.csv", rows)
    tables = ingested(tmp_path, **study)
    assert tables["participants"]["age"].tolist() == ["", "41.0", "42.0"]
    table = tables["responses"].set_index(["participant_id", "session_id", "item"])
    assert table.loc[("001", "ses-pre", 4), "missing_reason"] == "refused"
    assert table.loc[("001", "ses-post", 5), "missing_reason"] == "refused"
    assert pd.isna(table.loc[("001", "ses-post", 6), "missing_reason"])
    assert table["value"].isna().sum() == 3
    assert table["missing_reason"].notna().sum() == 2


@pytest.mark.parametrize(("encoding", "delimiter"), [("utf-8-sig", ","), ("cp1252", ";"), ("utf-8", "\t")])
def test_an_export_saved_again_by_a_spreadsheet_is_the_same_study(
    tmp_path: Path, encoding: str, delimiter: str
) -> None:
    study = small_redcap(tmp_path)
    before = ingested(tmp_path, **study)
    rows = [row | {"full_name": "Änne"} for row in read_rows(tmp_path / "export.csv")]
    write_rows(tmp_path / "export.csv", rows, encoding, delimiter)
    after = ingested(tmp_path, **study)
    for name, table in before.items():
        pd.testing.assert_frame_equal(after[name], table)


def test_a_rerun_writes_the_same_bytes(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    ingested(tmp_path, **study)
    first = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    ingested(tmp_path, **study)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == first


def test_a_label_export_is_the_same_study_as_the_raw_export(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    before = ingested(tmp_path, **study)
    rows = read_rows(tmp_path / "export.csv")
    events = {"baseline_arm_1": "Baseline (Arm 1: Course)", "week_8_arm_1": "Week 8 (Arm 1: Course)"}
    groups = {"NA": "North America", "None": "No group", "1": "Europe", "": ""}
    header = ["Event Name" if name == "redcap_event_name" else f"Label of {name}" for name in rows[0]]
    header[-1] = "Complete?"
    words = []
    for row in rows:
        cells = row | {"redcap_event_name": events[row["redcap_event_name"]], "group": groups[row["group"]]}
        cells |= {name: f"Answer {cell}" for name, cell in row.items() if name.startswith("pss10_")}
        words.append(list((cells | {"form_complete": "Complete"}).values()))
    (tmp_path / "export.csv").write_text(text_of(header, words))
    after = ingested(tmp_path, **study)
    for name, table in before.items():
        pd.testing.assert_frame_equal(after[name], table)


def test_repeated_labels_are_matched_in_the_dictionarys_order() -> None:
    fields = {
        name: Field(name, "text", form, label)
        for name, form, label in [
            ("id", "a", "ID"),
            ("h1", "a", "Height <b>(cm)</b>"),
            ("h2", "b", "Height (cm)"),
            ("w2", "b", "Weight"),
        ]
    }
    header = ["ID", "Event Name", "Height (cm)", "Complete?", "Height (cm)", "Weight", "Complete?"]
    assert is_labelled(header, fields)
    names = names_of_labels(header, fields, "x.csv")
    assert names == ["id", "redcap_event_name", "h1", "a_complete", "h2", "w2", "b_complete"]


def test_unique_event_names_are_redcaps_own() -> None:
    assert unique_event_name("Deadline to opt out of study (Arm 2: Drug B)") == "deadline_to_opt_ou_arm_2"
    assert unique_event_name("Deadline to return feedback (Arm 2: Drug B)") == "deadline_to_return_arm_2"
    assert unique_event_name("Enrollment (Arm 1: Drug A)") == "enrollment_arm_1"
    assert unique_event_name("Visit 1") == "visit_1_arm_1"


def test_choices_split_at_the_first_comma_and_blanks_are_optional() -> None:
    assert parse_choices("1, a, b | -2,c|x1 ,d") == {"1": "a, b", "-2": "c", "x1": "d"}


def test_checkboxes_arms_and_values_of_one_event(tmp_path: Path) -> None:
    fields = [
        field("record_id"),
        field("meds", "checkbox", choices="1, A | -9, B"),
        field("weight", validation="number"),
    ]
    write_dictionary(tmp_path / "dictionary.csv", fields)
    rows = [
        {
            "record_id": "1",
            "redcap_event_name": "pre_arm_1",
            "meds___1": "1",
            "meds____9": "0",
            "weight": "60,5",
        },
        {
            "record_id": "1",
            "redcap_event_name": "post_arm_1",
            "meds___1": "",
            "meds____9": "",
            "weight": "62,0",
        },
        {
            "record_id": "2",
            "redcap_event_name": "pre_arm_2",
            "meds___1": "0",
            "meds____9": "1",
            "weight": "70",
        },
    ]
    write_rows(tmp_path / "export.csv", rows)
    yes_no = {"0": "no", "1": "yes"}
    tables = ingested(
        tmp_path,
        redcap={
            "export": "export.csv",
            "dictionary": "dictionary.csv",
            "events": {"pre_arm_1": "ses-pre", "post_arm_1": "ses-post", "pre_arm_2": "ses-pre"},
        },
        covariates={
            "drug_a": {"field": "meds___1", "coding": yes_no},
            "drug_b": {"field": "meds____9", "coding": yes_no},
            "arm": {"field": "redcap_arm", "coding": {"1": "course", "2": "waiting"}},
            "weight": {"field": "weight", "from": "pre_arm_1"},
        },
    )
    assert tables["participants"].to_dict("list") == {
        "participant_id": ["1", "2"],
        "drug_a": ["yes", "no"],
        "drug_b": ["no", "yes"],
        "arm": ["course", "waiting"],
        "weight": ["60.5", ""],
    }


def test_a_repeating_instrument_takes_its_session_from_the_instance(tmp_path: Path) -> None:
    fields = [field("record_id", form="base"), field("age", form="base", validation="integer")]
    fields += [row | {"Form Name": "anxiety"} for row in items("gad7", 7, 0, 3)]
    write_dictionary(tmp_path / "dictionary.csv", fields)
    names = [
        "record_id",
        "redcap_repeat_instrument",
        "redcap_repeat_instance",
        "age",
        *(f"gad7_{i}" for i in range(1, 8)),
    ]
    rows = [
        ["1", "", "", "50", *[""] * 7],
        ["1", "anxiety", "1", "", *"0123012"],
        ["1", "anxiety", "2", "", *"1111111"],
        ["1", "anxiety", "3", "", *"2222222"],
    ]
    (tmp_path / "export.csv").write_text(text_of(names, rows))
    redcap = {"export": "export.csv", "dictionary": "dictionary.csv"}
    redcap |= {"repeats": {"anxiety": {"1": "ses-pre", "2": "ses-post", "3": None}}}
    instruments = {"gad7": {"fields": "gad7_{item}"}}
    tables = ingested(tmp_path, redcap=redcap, covariates={"age": {"field": "age"}}, instruments=instruments)
    assert answers(tables, "1", "ses-pre", "gad7") == [0, 1, 2, 3, 0, 1, 2]
    assert answers(tables, "1", "ses-post", "gad7") == [1] * 7
    assert tables["participants"]["age"].tolist() == ["50.0"]
    assert len(tables["sessions"]) == 2


def test_a_classic_wide_export_takes_its_sessions_from_the_suffixes(tmp_path: Path) -> None:
    fields = [field("record_id"), field("age", validation="integer")]
    fields += [*items("gad7_pre", 7, 0, 3), *items("gad7_post", 7, 0, 3)]
    for row in fields[2:]:
        place, item = row["Variable / Field Name"].split("_")[1:]
        row["Variable / Field Name"] = f"gad7_{item}_{place}"
    write_dictionary(tmp_path / "dictionary.csv", fields)
    names = [row["Variable / Field Name"] for row in fields]
    rows = [["01", "33", *"0123012", *"1111111"], ["02", "44", *"3333333", *[""] * 7]]
    (tmp_path / "export.csv").write_text(text_of(names, rows))
    redcap = {"export": "export.csv", "dictionary": "dictionary.csv"}
    redcap |= {"suffixes": {"_pre": "ses-pre", "_post": "ses-post"}}
    instruments = {"gad7": {"fields": "gad7_{item}"}}
    tables = ingested(tmp_path, redcap=redcap, covariates={"age": {"field": "age"}}, instruments=instruments)
    assert answers(tables, "01", "ses-post", "gad7") == [1] * 7
    assert answers(tables, "02", "ses-pre", "gad7") == [3] * 7
    pairs = tables["sessions"][["participant_id", "session_id"]].to_numpy().tolist()
    assert pairs == [["01", "ses-pre"], ["01", "ses-post"], ["02", "ses-pre"]]
    assert tables["participants"]["age"].tolist() == ["33.0", "44.0"]


def test_visit_dates_become_days_since_the_first_session_and_do_not_leave(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    study["redcap"]["dates"] = {"visit": "visit_date"}
    tables = ingested(tmp_path, **study)
    assert tables["sessions"]["day"].tolist() == ["0.0", "56.0"] * 3
    assert list(tables["sessions"]) == ["participant_id", "session_id", "day"]
    rows = read_rows(tmp_path / "export.csv")
    rows[1]["visit_date"] = "2024-05-01"
    rows[3]["visit_date"] = ""
    write_rows(tmp_path / "export.csv", rows)
    assert ingested(tmp_path, **study)["sessions"]["day"].tolist() == [
        "0.0",
        "61.0",
        "0.0",
        "",
        "0.0",
        "56.0",
    ]


def test_ages_above_89_become_89(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    rows = read_rows(tmp_path / "export.csv")
    rows[0]["age"], rows[2]["age"] = "97", "89"
    write_rows(tmp_path / "export.csv", rows)
    assert ingested(tmp_path, **study)["participants"]["age"].tolist() == ["89.0", "89.0", "42.0"]


def test_an_offset_brings_one_based_codes_to_the_instruments_range(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    dictionary = (tmp_path / "dictionary.csv").read_text()
    write_dictionary(tmp_path / "dictionary.csv", [field("record_id"), *items("pss10", 10, 1, 5)])
    names = [f"pss10_{item}" for item in range(1, 11)]
    rows = read_rows(tmp_path / "export.csv")
    shifted = [
        {"record_id": row["record_id"], "redcap_event_name": row["redcap_event_name"]}
        | {name: str(int(row[name]) + 1) for name in names}
        for row in rows
    ]
    write_rows(tmp_path / "export.csv", shifted)
    study |= {"covariates": {}, "instruments": {"pss10": {"fields": "pss10_{item}", "offset": -1}}}
    tables = ingested(tmp_path, **study)
    assert answers(tables, "001", "ses-pre") == [int(rows[0][name]) for name in names]
    assert "0, Answer 0" in dictionary


def test_the_calculated_total_is_recomputed_and_compared(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    write_dictionary(
        tmp_path / "dictionary.csv", [field("record_id"), *items("pss10", 10, 0, 4), field("total", "calc")]
    )
    names = [f"pss10_{item}" for item in range(1, 11)]
    rows = []
    for row in read_rows(tmp_path / "export.csv"):
        keyed = [
            4 - int(row[n]) if n in ("pss10_4", "pss10_5", "pss10_7", "pss10_8") else int(row[n])
            for n in names
        ]
        kept = {name: row[name] for name in ("record_id", "redcap_event_name", *names)}
        rows.append(kept | {"total": str(sum(keyed))})
    write_rows(tmp_path / "export.csv", rows)
    study |= {"covariates": {}, "instruments": {"pss10": {"fields": "pss10_{item}", "total": "total"}}}
    assert len(ingested(tmp_path, **study)["responses"]) == 60
    right = rows[3]["total"]
    rows[3]["total"] = str(int(right) + 2)
    write_rows(tmp_path / "export.csv", rows)
    with pytest.raises(
        InputError, match=rf"not the total of pss10 for participant 002 ses-post .* \(here {right}\)"
    ):
        ingested(tmp_path, **study)


def test_exposures_are_columns_of_sessions_with_their_flag(tmp_path: Path) -> None:
    fields = [field("record_id"), field("steroid", "radio", choices="0, none | 1, inhaled | 2, systemic")]
    fields += [field("days_since_infusion", validation="integer")]
    write_dictionary(tmp_path / "dictionary.csv", fields)
    rows = [
        {"record_id": "1", "redcap_event_name": e, "steroid": s, "days_since_infusion": d}
        for e, s, d in [("baseline_arm_1", "2", "12"), ("week_8_arm_1", "1", "70")]
    ]
    write_rows(tmp_path / "export.csv", rows)
    tables = ingested(
        tmp_path,
        redcap={
            "export": "export.csv",
            "dictionary": "dictionary.csv",
            "events": {"baseline_arm_1": "ses-pre", "week_8_arm_1": "ses-post"},
        },
        exposures={
            "steroid": {
                "field": "steroid",
                "coding": {"0": "none", "1": "inhaled", "2": "systemic"},
                "flag": {"levels": ["systemic"]},
            },
            "infusion": {"field": "days_since_infusion", "unit": "days", "flag": {"below": 28}},
        },
    )
    columns = ["steroid", "steroid_flag", "infusion", "infusion_flag"]
    assert tables["sessions"][columns].to_numpy().tolist() == [
        ["systemic", "yes", "12.0", "yes"],
        ["inhaled", "no", "70.0", "no"],
    ]


def test_pseudonyms_replace_ids_everywhere_and_stay_for_one_export(tmp_path: Path) -> None:
    people = [f"MRN{number:05}" for number in (90210, 4711, 815, 12345)]
    study = small_redcap(tmp_path, people) | {"pseudonymize": True}
    (tmp_path / "hair.csv").write_text(
        "".join(["id,session,value\n", *(f"{name},ses-pre,{k + 1}.5\n" for k, name in enumerate(people))])
    )
    study["assays"] = {
        "hair_cortisol": {
            "file": "hair.csv",
            "unit": "pg/mg",
            "columns": {"participant": "id", "session": "session", "value": "value"},
        }
    }
    tables = ingested(tmp_path, **study)
    assert tables["participants"]["participant_id"].tolist() == ["p001", "p002", "p003", "p004"]
    for path in (tmp_path / "out").iterdir():
        assert b"MRN" not in path.read_bytes()
    # The same person has one new id in every table: cortisol k + 1.5 goes with age 40 + k.
    ages = tables["participants"].set_index("participant_id")["age"].astype(float) - 40
    values = tables["assays"].set_index("participant_id")["value"].astype(float) - 1.5
    assert values.to_dict() == ages.to_dict()
    again = ingested(tmp_path, **study)
    pd.testing.assert_frame_equal(again["participants"], tables["participants"])


def test_an_id_flagged_as_identifier_needs_pseudonyms(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    write_dictionary(
        tmp_path / "dictionary.csv", [field("record_id", identifier="y"), *items("pss10", 10, 0, 4)]
    )
    rows = read_rows(tmp_path / "export.csv")
    keep = ["record_id", "redcap_event_name", *(f"pss10_{item}" for item in range(1, 11))]
    write_rows(tmp_path / "export.csv", [{key: row[key] for key in keep} for row in rows])
    study["covariates"] = {}
    with pytest.raises(InputError, match="set pseudonymize to true"):
        ingested(tmp_path, **study)
    assert ingested(tmp_path, **study | {"pseudonymize": True})["participants"][
        "participant_id"
    ].tolist() == ["p001", "p002", "p003"]


def test_hads_is_brought_to_severity_by_the_declared_coding_only(tmp_path: Path) -> None:
    study = small_redcap(tmp_path)
    own = tmp_path / "resources"
    (own / "instruments").mkdir(parents=True)
    (own / "instruments" / "mood.yaml").write_text(
        "{name: mood, title: Mood, items: 2, range: [0, 3], response_codings: {severity: [], position: [1]},"
        " scales: {mood: {items: all, score: sum, higher_is: worse}},"
        " missing: {minimum_share: 1, published: false, note: all}, recall_days: 7, evidence: unverified,"
        " sources: [{for: key, cite: us}], licence: ours}"
    )
    write_dictionary(tmp_path / "dictionary.csv", [field("record_id"), *items("mood", 2, 0, 3)])
    rows = [{"record_id": "1", "redcap_event_name": "baseline_arm_1", "mood_1": "0", "mood_2": "3"}]
    write_rows(tmp_path / "export.csv", rows)
    study |= {"covariates": {}, "instruments": {"mood": {"fields": "mood_{item}"}}}
    path = write_study(tmp_path / "study.yaml", **study)
    missing = r"mood.response_coding is missing; expected was severity, position"
    with searched(own), pytest.raises(InputError, match=missing):
        ingest_study(study=path, data=tmp_path, out=tmp_path / "out")
    for coding, expected in (("severity", [0, 3]), ("position", [3, 3])):
        study["instruments"]["mood"]["response_coding"] = coding
        with searched(own):
            ingest_study(study=write_study(path, **study), data=tmp_path, out=tmp_path / "out")
        assert pd.read_parquet(tmp_path / "out/responses.parquet")["value"].tolist() == expected


def test_draw_times_are_hours_and_dates_of_infusions_are_days_up_to_the_visit(tmp_path: Path) -> None:
    fields = [
        field("record_id"),
        field("visit", validation="date_ymd"),
        field("infused", validation="date_dmy"),
    ]
    fields += [field("drawn", validation="time")]
    write_dictionary(tmp_path / "dictionary.csv", fields)
    rows = [
        ["1", "baseline_arm_1", "2024-03-01", "2023-12-02", "08:30"],
        ["1", "week_8_arm_1", "2024-04-26", "2024-04-20", "9:45"],
        ["2", "baseline_arm_1", "2024-03-02", "", ""],
    ]
    (tmp_path / "export.csv").write_text(
        text_of(["record_id", "redcap_event_name", "visit", "infused", "drawn"], rows)
    )
    redcap = {
        "export": "export.csv",
        "dictionary": "dictionary.csv",
        "events": EVENTS,
        "dates": {"visit": "visit"},
    }
    exposures = {
        "draw_time": {"field": "drawn", "unit": "hours", "flag": {"above": 9}},
        "anti_cd20": {"date": "infused", "unit": "days", "flag": {"below": 28}},
    }
    table = ingested(tmp_path, redcap=redcap, exposures=exposures)["sessions"]
    assert table.drop(columns=["participant_id", "session_id"]).to_numpy().tolist() == [
        ["0.0", "8.5", "no", "90.0", "no"],
        ["56.0", "9.75", "yes", "6.0", "yes"],
        ["0.0", "", "", "", ""],
    ]
    for path in (tmp_path / "out").glob("*.tsv"):
        assert "2024" not in path.read_text()
    rows[1][3] = "2024-05-01"
    (tmp_path / "export.csv").write_text(
        text_of(["record_id", "redcap_event_name", "visit", "infused", "drawn"], rows)
    )
    with pytest.raises(
        InputError, match=r"'infused' \(exposures.anti_cd20 in study.yaml\) lies after the session"
    ) as caught:
        ingested(tmp_path, redcap=redcap, exposures=exposures)
    assert "2024" not in str(caught.value)


def test_labels_within_a_raw_export_are_mapped_but_a_code_is_a_code_first(tmp_path: Path) -> None:
    fields = [field("record_id"), field("a", "radio", choices="1, 0 | 2, 1 | 3, often")]
    write_dictionary(tmp_path / "dictionary.csv", fields)
    rows = [["1", "baseline_arm_1", "1"], ["2", "baseline_arm_1", "often"], ["3", "baseline_arm_1", "0"]]
    (tmp_path / "export.csv").write_text(text_of(["record_id", "redcap_event_name", "a"], rows))
    redcap = {"export": "export.csv", "dictionary": "dictionary.csv", "events": EVENTS}
    coding = {"1": "code_1", "2": "code_2", "3": "code_3"}
    table = ingested(tmp_path, redcap=redcap, covariates={"a": {"field": "a", "coding": coding}})[
        "participants"
    ]
    assert table["a"].tolist() == ["code_1", "code_3", "code_1"]


def test_a_repeating_event_takes_its_session_from_the_instance(tmp_path: Path) -> None:
    write_dictionary(tmp_path / "dictionary.csv", [field("record_id"), *items("gad7", 7, 0, 3)])
    names = ["record_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance"]
    names += [f"gad7_{item}" for item in range(1, 8)]
    rows = [["1", "visit_arm_1", "", "1", *"0000000"], ["1", "visit_arm_1", "", "2", *"2222222"]]
    (tmp_path / "export.csv").write_text(text_of(names, rows))
    redcap = {"export": "export.csv", "dictionary": "dictionary.csv", "events": {"visit_arm_1": None}}
    redcap |= {"repeats": {"visit_arm_1": {"1": "ses-pre", "2": "ses-post"}}}
    tables = ingested(tmp_path, redcap=redcap, instruments={"gad7": {"fields": "gad7_{item}"}})
    assert answers(tables, "1", "ses-post", "gad7") == [2] * 7


def test_two_instances_of_one_session_with_different_answers_are_refused(tmp_path: Path) -> None:
    write_dictionary(tmp_path / "dictionary.csv", [field("record_id"), *items("gad7", 7, 0, 3)])
    names = ["record_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance"]
    names += [f"gad7_{item}" for item in range(1, 8)]
    rows = [["1", "visit_arm_1", "form", "1", *"0000000"], ["1", "visit_arm_1", "form", "2", *"2222222"]]
    (tmp_path / "export.csv").write_text(text_of(names, rows))
    redcap = {"export": "export.csv", "dictionary": "dictionary.csv", "events": {"visit_arm_1": "ses-pre"}}
    with pytest.raises(InputError, match=r"'gad7_1' has two different values for participant 1 ses-pre"):
        ingested(tmp_path, redcap=redcap, instruments={"gad7": {"fields": "gad7_{item}"}})


def test_a_label_that_several_fields_share_is_refused_where_some_of_them_are_missing() -> None:
    rows = [("id", "ID"), ("h1", "Height"), ("h2", "Height")]
    fields = {name: Field(name, "text", "a", label) for name, label in rows}
    with pytest.raises(InputError, match="its column 'Height' is shared by 2 fields"):
        names_of_labels(["ID", "Height", "Complete?"], fields, "x.csv")
    with pytest.raises(InputError, match="its column 'Weight' is not the next field"):
        names_of_labels(["ID", "Weight"], fields, "x.csv")


def test_a_session_before_an_earlier_one_is_refused(tmp_path: Path) -> None:
    """8 March 2024 written as 3 August for the first visit, the second on 26 April."""
    study = small_redcap(tmp_path)
    study["redcap"]["dates"] = {"visit": "visit_date"}
    rows = read_rows(tmp_path / "export.csv")
    rows[2]["visit_date"] = "2024-08-03"
    write_rows(tmp_path / "export.csv", rows)
    with pytest.raises(
        InputError, match=r"before an earlier one \('visit_date'\) for participant 002 ses-post"
    ):
        ingested(tmp_path, **study)
