"""Every cell of a study's tables is stored, blank, missing by a code, left out by a rule, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pniflow.errors import InputError
from pniflow.raw.account import Line, require_balance
from pniflow.study.ingest_study import ingest_study
from study_files import field, items, text_of, write_dictionary, write_study

ITEMS = [f"gad_{item}" for item in range(1, 8)]
CODES = {"T1": "ses-pre", "T2": "ses-post"}
GAD7 = {"gad7": {"fields": "gad_{item}"}}
ROWS = [
    ["01", "T1", *"0123012"],
    ["02", "T1", *"1010101"],
    ["01", "T2", *"1111111"],
    ["02", "T2", *"2222222"],
]


def table(name: str, **more: Any) -> dict[str, Any]:
    return {"file": name, "id": "id", "session": "visit", "session_codes": CODES} | more


def write_table(path: Path, rows: list[list[str]], names: list[str] = ITEMS, **more: list[str]) -> None:
    """A table of answers; further columns by name."""
    further = list(more.values())
    lines = [[*row, *(column[at] for column in further)] for at, row in enumerate(rows)]
    path.write_text(text_of(["id", "visit", *names, *more], lines), encoding="utf-8")


def ingested(folder: Path, **sections: Any) -> tuple[dict[tuple[str, str], str], pd.DataFrame]:
    """Answers of each participant-session as a word of digits, and the account, which balances."""
    sections = {"instruments": GAD7} | sections
    ingest_study(study=write_study(folder / "study.yaml", **sections), data=folder, out=folder / "out")
    answers = pd.read_parquet(folder / "out/responses.parquet").sort_values(["participant_id", "item"])
    cells = answers["value"].map(lambda value: "." if pd.isna(value) else f"{value:g}")
    words = cells.groupby([answers["participant_id"], answers["session_id"]]).agg("".join).to_dict()
    account = pd.read_csv(folder / "out/account.tsv", sep="\t", keep_default_na=False)
    fates = account[["stored", "blank", "missing_code", "left_out"]].sum(axis=1)
    assert (account["cells"] == fates).all()
    return words, account


def of(account: pd.DataFrame, name: str = "gad_1", session: str = "ses-pre") -> dict[str, int]:
    """The account of a field at a session, its lines together."""
    rows = account[(account["field"] == name) & (account["session"] == session)]
    return dict(rows[["cells", "stored", "blank", "missing_code", "left_out"]].sum())


def test_cells_are_stored_blank_or_missing_by_a_code(tmp_path: Path) -> None:
    write_table(
        tmp_path / "visits.csv", [["01", "T1", "", *"123012"], ["02", "T1", "-9", *"010101"], *ROWS[2:]]
    )
    words, account = ingested(tmp_path, tables=[table("visits.csv", missing_codes={"-9": "refused"})])
    assert words["01", "ses-pre"] == ".123012" and words["02", "ses-post"] == "2222222"
    assert of(account) == {"cells": 2, "stored": 0, "blank": 1, "missing_code": 1, "left_out": 0}
    assert of(account, "gad_2") == {"cells": 2, "stored": 2, "blank": 0, "missing_code": 0, "left_out": 0}
    assert account[account["field"] == ""][["file", "cells"]].to_numpy().tolist() == [
        ["visits.csv", 4],
        ["", 2],
    ]


def test_people_are_left_out_with_a_reason_wherever_they_stand(tmp_path: Path) -> None:
    write_table(tmp_path / "visits.csv", ROWS)
    (tmp_path / "hair.csv").write_text("id,visit,value\n01,T1,3\n02,T1,4\n")
    columns = {"participant": "id", "session": "visit", "value": "value"}
    assays = {
        "hair_cortisol": {"file": "hair.csv", "unit": "pg/mg", "columns": columns, "session_codes": CODES}
    }
    rule = {"participants": ["02"], "reason": "screening failure"}
    words, account = ingested(tmp_path, tables=[table("visits.csv")], assays=assays, exclude=[rule])
    assert set(words) == {("01", "ses-pre"), ("01", "ses-post")}
    assert of(account) == {"cells": 2, "stored": 1, "blank": 0, "missing_code": 0, "left_out": 1}
    assert of(account, "value")["left_out"] == 1
    people = account[account["file"] == ""][["cells", "left_out", "rule", "reason"]].to_numpy().tolist()
    assert people == [[1, 0, "", ""], [1, 1, "exclude.0", "screening failure"]]


@pytest.mark.parametrize(
    ("whole", "left"), [(False, {("02", "ses-pre")}), (True, {("02", "ses-pre"), ("02", "ses-post")})]
)
def test_rows_are_left_out_by_the_value_of_a_column(
    tmp_path: Path, whole: bool, left: set[tuple[str, str]]
) -> None:
    write_table(tmp_path / "visits.csv", ROWS, status=["0", "1", "0", "0"])
    rule = {"column": "status", "values": ["1"], "reason": "test record", "whole_person": whole}
    words, account = ingested(tmp_path, tables=[table("visits.csv")], exclude=[rule])
    everything = {(who, at) for who in ("01", "02") for at in ("ses-pre", "ses-post")}
    assert set(words) == everything - left
    assert account.loc[account["field"] == "", "left_out"].sum() == len(left) + whole
    assert b"status" not in (tmp_path / "out/account.tsv").read_bytes()


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"participants": ["03"]}, "exclude.0 leaves out participant '03', of whom no file has a row"),
        ({"column": "Status", "values": ["1"]}, r"names the column 'Status', which visits.csv does not have"),
        (
            {"column": "id", "values": ["1"], "file": "other.csv"},
            "names the file 'other.csv', which study.yaml",
        ),
    ],
)
def test_a_rule_that_nothing_can_meet_is_refused(tmp_path: Path, rule: dict[str, Any], says: str) -> None:
    write_table(tmp_path / "visits.csv", ROWS)
    with pytest.raises(InputError, match=says):
        ingested(tmp_path, tables=[table("visits.csv")], exclude=[{"reason": "not enrolled", **rule}])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("keep", "stays"), [("first", "0123012"), ("last", "33333.."), ("most_complete", "0123012")]
)
def test_of_a_form_filled_twice_the_row_stays_that_the_study_says(
    tmp_path: Path, keep: str, stays: str
) -> None:
    rows = [*ROWS, ["01", "T1", *"33333", "", ""]]
    write_table(tmp_path / "visits.csv", rows)
    words, account = ingested(tmp_path, tables=[table("visits.csv", keep=keep)])
    assert words["01", "ses-pre"] == stays
    assert of(account)["left_out"] == 1 and of(account, "gad_7")["left_out"] == 1
    left = account[(account["field"] == "") & (account["left_out"] > 0)]
    assert left[["left_out", "rule"]].to_numpy().tolist() == [[1, "tables.0.keep"]]
    with pytest.raises(InputError, match=r"rows 2 and 6 are both participant 01 at ses-pre.*tables.0.keep"):
        ingested(tmp_path, tables=[table("visits.csv")])


def test_a_wave_is_left_out_on_purpose_and_counted(tmp_path: Path) -> None:
    write_table(tmp_path / "visits.csv", [["01", "S0", *"3333333"], *ROWS])
    with pytest.raises(InputError, match="row 2 is of the session 'S0'"):
        ingested(tmp_path, tables=[table("visits.csv")])
    words, account = ingested(tmp_path, tables=[table("visits.csv", session_codes={**CODES, "S0": None})])
    assert words["01", "ses-pre"] == "0123012" and len(words) == 4
    assert set(account["rule"]) == {"", "tables.0.session_codes.S0"}
    assert of(account, session="")["left_out"] == 1


def test_columns_of_a_wave_are_left_out_on_purpose(tmp_path: Path) -> None:
    names = [f"{item}_{wave}" for wave in ("a", "b", "c") for item in ITEMS]
    (tmp_path / "wide.csv").write_text(text_of(["id", *names], [["01", *"0123012", *"1111111", *"3333333"]]))
    wide = {"file": "wide.csv", "id": "id", "session": None}
    suffixes = {"_a": "ses-pre", "_b": "ses-post", "_c": None}
    words, account = ingested(tmp_path, tables=[{**wide, "suffixes": suffixes}])
    assert words == {("01", "ses-pre"): "0123012", ("01", "ses-post"): "1111111"}
    assert of(account, session="") == {"cells": 1, "stored": 0, "blank": 0, "missing_code": 0, "left_out": 1}


def test_a_wave_with_names_and_codes_of_its_own(tmp_path: Path) -> None:
    write_table(tmp_path / "t1.csv", [["01", "T1", *"1234123"]], [f"GAD{item}" for item in range(1, 8)])
    write_table(tmp_path / "t2.csv", ROWS[2:])
    own = {"gad7": {"fields": "GAD{item}", "offset": -1, "missing_codes": {"4": "refused"}}}
    tables = [table("t1.csv", instruments=own), table("t2.csv")]
    words, account = ingested(tmp_path, tables=tables)
    assert words == {
        ("01", "ses-pre"): "012.012",
        ("01", "ses-post"): "1111111",
        ("02", "ses-post"): "2222222",
    }
    assert of(account, "GAD4") == {"cells": 1, "stored": 0, "blank": 0, "missing_code": 1, "left_out": 0}


def test_a_session_coded_otherwise_in_the_same_table(tmp_path: Path) -> None:
    write_table(tmp_path / "visits.csv", [["01", "T1", *"1234123"], *ROWS[2:]])
    rule = {"gad7": {"fields": "gad_{item}", "sessions": {"ses-pre": {"offset": -1}}}}
    words, _ = ingested(tmp_path, tables=[table("visits.csv")], instruments=rule)
    assert words["01", "ses-pre"] == "0123012" and words["01", "ses-post"] == "1111111"


def test_a_wave_in_which_nobody_chose_the_lowest_answer_is_asked_about(tmp_path: Path) -> None:
    rows = [[f"{who:02}", "T1", *"1232121"] for who in range(6)] + [
        [f"{who:02}", "T2", *"0010101"] for who in range(6)
    ]
    write_table(tmp_path / "visits.csv", rows)
    with pytest.raises(
        InputError, match=r"none of 42 answers to gad7 at ses-pre is 0, .*offset to -1, else to 0"
    ):
        ingested(tmp_path, tables=[table("visits.csv")])
    said = {"gad7": {"fields": "gad_{item}", "sessions": {"ses-pre": {"offset": 0}}}}
    words, _ = ingested(tmp_path, tables=[table("visits.csv")], instruments=said)
    assert words["00", "ses-pre"] == "1232121"


def test_a_wave_whose_items_have_other_names_is_no_wave_without_answers(tmp_path: Path) -> None:
    write_table(tmp_path / "t1.csv", ROWS[:2])
    write_table(tmp_path / "t2.csv", ROWS[2:], [f"GAD{item}" for item in range(1, 8)])
    with pytest.raises(
        InputError, match=r"t2.csv: people without answers to gad7 have some in the columns GAD1"
    ):
        ingested(tmp_path, tables=[table("t1.csv"), table("t2.csv")])
    words, _ = ingested(tmp_path, tables=[table("t1.csv"), table("t2.csv", instruments={"gad7": None})])
    assert set(words) == {("01", "ses-pre"), ("02", "ses-pre")}


def test_answers_on_rows_of_which_nothing_says_the_session_are_refused(tmp_path: Path) -> None:
    write_table(tmp_path / "visits.csv", ROWS[:2])
    with pytest.raises(InputError, match=r"visits.csv: 14 values of instruments.gad7 .*tables.0.session"):
        ingested(tmp_path, tables=[{"file": "visits.csv", "id": "id", "session": None}])
    sessions = {"ses-pre": {"label": "before"}}
    words, _ = ingested(
        tmp_path, tables=[{"file": "visits.csv", "id": "id", "session": None}], sessions=sessions
    )
    assert set(words) == {("01", "ses-pre"), ("02", "ses-pre")}


@pytest.mark.parametrize("pair", [("001", "1"), ("A1", "a1"), ("P 7", "P7"), ("M\u00fc1", "MU\u0308 1")])
def test_ids_that_differ_in_how_they_are_written_are_not_two_people(
    tmp_path: Path, pair: tuple[str, str]
) -> None:
    write_table(tmp_path / "visits.csv", [[pair[0], *ROWS[0][1:]], [pair[1], *ROWS[2][1:]]])
    with pytest.raises(InputError, match=r"row 3: .* would be two people"):
        ingested(tmp_path, tables=[table("visits.csv")])


@pytest.mark.parametrize(
    ("name", "what"), [("anna@example.org", "an e-mail address"), ("Mustermann, Max", "a name")]
)
def test_an_id_that_says_who_somebody_is_is_refused(tmp_path: Path, name: str, what: str) -> None:
    write_table(tmp_path / "visits.csv", [[name, *ROWS[0][1:]], ["02", *ROWS[0][1:]]])
    with pytest.raises(InputError, match=f"looks like {what}.*pseudonymize") as refused:
        ingested(tmp_path, tables=[table("visits.csv")])
    assert name not in str(refused.value)


def test_ids_of_words_that_most_ids_have_are_no_names(tmp_path: Path) -> None:
    rows = [[f"MS Patient {who}", *ROWS[0][1:]] for who in range(1, 5)]
    write_table(tmp_path / "visits.csv", rows)
    words, _ = ingested(tmp_path, tables=[table("visits.csv")])
    assert len(words) == 4


def test_ids_that_may_be_record_numbers_are_warned_of_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(tmp_path / "visits.csv", [["30714455", *ROWS[0][1:]], ["30714456", *ROWS[0][1:]]])
    ingested(tmp_path, tables=[table("visits.csv")])
    warned = capsys.readouterr().err
    assert warned.count("pseudonymize") == 1 and "30714455" not in warned


def test_answers_in_words_of_any_case_and_with_a_leading_number(tmp_path: Path) -> None:
    answers = ["1 - Several days", "NOT  at all", "several days", "3", "0 = not at all", "1", "2"]
    write_table(tmp_path / "visits.csv", [["01", "T1", *answers], ROWS[2]])
    rule = {"gad7": {"fields": "gad_{item}", "codes": {"Not at all": 0, "several days": 1}}}
    words, _ = ingested(tmp_path, tables=[table("visits.csv")], instruments=rule)
    assert words["01", "ses-pre"] == "1013012"


def test_a_form_repeated_within_events_takes_its_session_from_event_and_instance(tmp_path: Path) -> None:
    names = ["record_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance"]
    rows = [
        ["1", "visit_arm_1", "anxiety", "1", *"0123012"],
        ["1", "visit_arm_1", "anxiety", "2", *"1111111"],
        ["1", "late_arm_1", "anxiety", "1", *"3333333"],
    ]
    (tmp_path / "export.csv").write_text(text_of([*names, *ITEMS], rows))
    fields = [field("record_id"), *({**one, "Form Name": "anxiety"} for one in items("gad", 7, 0, 3))]
    write_dictionary(tmp_path / "dictionary.csv", fields)
    redcap = {
        "export": "export.csv",
        "dictionary": "dictionary.csv",
        "events": {"visit_arm_1": None, "late_arm_1": None},
    }
    within = {"visit_arm_1": {"1": "ses-pre", "2": "ses-post"}, "late_arm_1": {"1": None}}
    words, account = ingested(tmp_path, redcap=redcap | {"repeats": {"anxiety": within}})
    assert words == {("1", "ses-pre"): "0123012", ("1", "ses-post"): "1111111"}
    assert "redcap.repeats.anxiety.late_arm_1.1" in set(account["rule"])
    with pytest.raises(InputError, match=r"instance 2 of anxiety, which redcap.repeats.anxiety.visit_arm_1"):
        ingested(
            tmp_path, redcap=redcap | {"repeats": {"anxiety": {**within, "visit_arm_1": {"1": "ses-pre"}}}}
        )


def test_an_assay_does_not_take_999_for_a_value(tmp_path: Path) -> None:
    (tmp_path / "hair.csv").write_text("id,visit,value\n01,T1,3.5\n02,T1,999\n")
    columns = {"participant": "id", "session": "visit", "value": "value"}
    rule = {"file": "hair.csv", "unit": "pg/mg", "columns": columns, "session_codes": CODES}
    with pytest.raises(InputError, match=r"row 3 \(999\), which labs write for missing.*missing_codes"):
        ingested(tmp_path, assays={"hair_cortisol": rule}, instruments={})
    ingested(tmp_path, assays={"hair_cortisol": rule | {"range": [0, 2000]}}, instruments={})
    values = pd.read_csv(tmp_path / "out/assays.tsv", sep="\t")["value"].tolist()
    assert values == [3.5, 999]


def test_a_cell_that_went_nowhere_stops_the_account() -> None:
    with pytest.raises(
        InputError, match=r"visits.csv: of 4 cells of the field 'x' at ses-pre 1 are in none.*name it"
    ):
        require_balance([Line("visits.csv", "x", "ses-pre", 4, 2, 1)], {}, {"visits.csv": "name it"})
    whole = Line("visits.csv", "x", "ses-pre", 4, stored=4)
    with pytest.raises(InputError, match="5 cells of the field 'x' were read, and 4 are accounted for"):
        require_balance([whole], {("visits.csv", "x"): 5}, {})
    require_balance([whole], {("visits.csv", "x"): 4}, {})


def test_a_table_of_a_bids_tree_that_nothing_reads_stands_in_the_account(tmp_path: Path) -> None:
    folder = tmp_path / "bids/phenotype"
    folder.mkdir(parents=True)
    (tmp_path / "bids/participants.tsv").write_text("participant_id\nsub-01\n")
    rows = [["sub-01", "ses-pre", *"0123012"], ["sub-01", "ses-post", *"1111111"]]
    (folder / "gad7.tsv").write_text(text_of(["participant_id", "session_id", *ITEMS], rows, "\t"))
    (folder / "diary.tsv").write_text("participant_id\tsession_id\tmood\nsub-01\tses-pre\t3\n")
    (folder / "late.csv").write_text("participant_id,mood\nsub-01,3\n")
    words, account = ingested(tmp_path, bids={"folder": "bids"})
    assert words == {("sub-01", "ses-pre"): "0123012", ("sub-01", "ses-post"): "1111111"}
    lost = account[(account["file"] != "") & (account["rule"] != "")][["file", "cells", "left_out", "rule"]]
    assert lost.to_numpy().tolist() == [
        ["bids/phenotype/diary.tsv", 1, 1, "no field named"],
        ["bids/phenotype/late.csv", 0, 0, "not read"],
    ]


def test_columns_without_an_ending_may_be_those_of_a_session_too(tmp_path: Path) -> None:
    names = [*ITEMS, *(f"{item}_fu" for item in ITEMS)]
    (tmp_path / "wide.csv").write_text(text_of(["id", *names], [["01", *"0123012", *"1111111"]]))
    wide = {"file": "wide.csv", "id": "id", "session": None, "suffixes": {"": "ses-pre", "_fu": "ses-post"}}
    words, account = ingested(tmp_path, tables=[wide])
    assert words == {("01", "ses-pre"): "0123012", ("01", "ses-post"): "1111111"}
    assert of(account)["cells"] == of(account, session="ses-post")["cells"] == 1
    with pytest.raises(InputError, match=r"wide.csv: people without answers to gad7 .*gad_1_fu"):
        ingested(tmp_path, tables=[{"file": "wide.csv", "id": "id", "session": "ses-pre"}])


def test_items_that_were_recoded_are_no_other_wave(tmp_path: Path) -> None:
    names = [*ITEMS, *(f"{item}_r" for item in ITEMS)]
    (tmp_path / "pre.csv").write_text(text_of(["id", *names], [["01", *"0123012", *"3210321"]]))
    words, _ = ingested(tmp_path, tables=[{"file": "pre.csv", "id": "id", "session": "ses-pre"}])
    assert words == {("01", "ses-pre"): "0123012"}
