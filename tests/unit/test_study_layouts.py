"""Several files, waves and codings side by side: each is read by its own rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pniflow.errors import InputError
from pniflow.study.ingest_study import ingest_study
from study_files import field, text_of, write_dictionary, write_study

PSS4 = {"pss4": {"fields": "pss_{item}"}}
ITEMS = [f"pss_{item}" for item in range(1, 5)]


def ingested(folder: Path, **sections: Any) -> dict[str, pd.DataFrame]:
    """Ingest a folder's study; its tables."""
    path = write_study(folder / "study.yaml", **sections)
    ingest_study(study=path, data=folder, out=folder / "out")
    tables = {
        name: pd.read_csv(folder / f"out/{name}.tsv", sep="\t", dtype=str, keep_default_na=False)
        for name in ("participants", "sessions", "samples", "account")
    }
    return tables | {"responses": pd.read_parquet(folder / "out/responses.parquet")}


def words(tables: dict[str, pd.DataFrame]) -> dict[tuple[str, str], str]:
    """Answers of each participant-session as a word of digits."""
    table = tables["responses"].sort_values("item", kind="stable")
    cells = table["value"].map(lambda value: "." if pd.isna(value) else f"{value:g}")
    return cells.groupby([table["participant_id"], table["session_id"]]).agg("".join).to_dict()


def reasons(tables: dict[str, pd.DataFrame]) -> dict[tuple[str, int], str]:
    """Why a person's item has no value."""
    table = tables["responses"].dropna(subset="missing_reason")
    keys = zip(table["participant_id"], table["item"], strict=True)
    return dict(zip(keys, table["missing_reason"], strict=True))


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


def test_codes_of_a_table_keep_their_reason_beside_those_of_its_coding(tmp_path: Path) -> None:
    write(tmp_path / "t1.csv", "id," + ",".join(ITEMS), "01,-99,9,0,1", "02,0,1,2,3")
    own = {"pss4": {"missing_codes": {"9": "unclear"}}}
    table = {"file": "t1.csv", "id": "id", "session": "ses-pre", "missing_codes": {"-99": "refused"}}
    tables = ingested(tmp_path, tables=[table | {"instruments": own}], instruments=PSS4)
    assert reasons(tables) == {("01", 1): "refused", ("01", 2): "unclear"}


def test_an_answer_has_no_reason_why_it_is_missing(tmp_path: Path) -> None:
    """One table has a code, another the answer."""
    write(tmp_path / "t1.csv", "id," + ",".join(ITEMS), "01,-99,-99,0,1")
    write(tmp_path / "later.csv", "id," + ",".join(ITEMS), "01,2,,,")
    rules = {"id": "id", "session": "ses-pre", "missing_codes": {"-99": "refused"}}
    files = [{"file": name} | rules for name in ("t1.csv", "later.csv")]
    tables = ingested(tmp_path, tables=files, instruments=PSS4)
    assert words(tables) == {("01", "ses-pre"): "2.01"}
    assert reasons(tables) == {("01", 2): "refused"}


def test_each_file_has_its_own_mark_of_decimals(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "id;bmi", "01;22,5")
    write(tmp_path / "b.csv", "id,bmi", "02,31.5")
    files = [{"file": name, "id": "id", "session": None} for name in ("a.csv", "b.csv")]
    tables = ingested(tmp_path, tables=files, covariates={"bmi": {"field": "bmi"}})
    assert tables["participants"]["bmi"].tolist() == ["22.5", "31.5"]


def test_a_number_that_one_of_several_files_leaves_open_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "id;steps", "01;1.250", "02;900")
    write(tmp_path / "b.csv", "id,steps", "03,31.5")
    files = [{"file": name, "id": "id", "session": None} for name in ("a.csv", "b.csv")]
    with pytest.raises(InputError, match=r"a.csv: column 'steps', row 2 is '1.250', which can be read as"):
        ingested(tmp_path, tables=files, covariates={"steps": {"field": "steps"}})


@pytest.mark.parametrize(("ending", "where"), [("", "without beginning or ending"), ("_t1", "with '_t1'")])
@pytest.mark.parametrize("own", [{}, {"pss4": {"fields": "pss_{item}"}}])
def test_an_item_missing_among_the_columns_of_a_session_is_refused(
    tmp_path: Path, ending: str, where: str, own: dict[str, Any]
) -> None:
    """Whether the table has its own names of the items, or an ending in the columns of its first session."""
    header = ["id", *(f"{name}{ending}" for name in [*ITEMS[:3], "PSS_4"]), *(f"{name}_t2" for name in ITEMS)]
    write(tmp_path / "wide.csv", ",".join(header), "01,0,1,2,3,0,1,2,3")
    wide = {"file": "wide.csv", "id": "id", "session": None, "instruments": own}
    wide["suffixes"] = {ending: "ses-pre", "_t2": "ses-post"}
    with pytest.raises(InputError, match=f"there are other items of .* {where}, .* 'pss_4{ending}'"):
        ingested(tmp_path, tables=[wide], instruments=PSS4)


def test_items_may_have_other_names_in_every_table_and_session(tmp_path: Path) -> None:
    """The names that hold elsewhere are then nowhere."""
    names = {"ses-pre": "a_{item}", "ses-post": "b_{item}"}
    for session, shape in names.items():
        header = [shape.replace("{item}", str(item)) for item in range(1, 5)]
        write(tmp_path / f"{session}.csv", "id," + ",".join(header), "01,0,1,2,3")
    files = [
        {"file": f"{at}.csv", "id": "id", "session": at, "instruments": {"pss4": {"fields": shape}}}
        for at, shape in names.items()
    ]
    rule = {"pss4": {"fields": "pss_{item}", "sessions": {"ses-post": {"fields": "later_{item}"}}}}
    tables = ingested(tmp_path, tables=files, instruments=rule)
    assert words(tables) == {("01", "ses-pre"): "0123", ("01", "ses-post"): "0123"}


def test_a_lost_wave_is_known_by_answers_in_words(tmp_path: Path) -> None:
    answers = ["1 - Never", "never", "OFTEN", "2: often"]
    write(tmp_path / "t1.csv", "id," + ",".join(ITEMS), "01,never,often,never,often")
    write(tmp_path / "t2.csv", "id," + ",".join(f"{name}_t2x" for name in ITEMS), "01," + ",".join(answers))
    files = [
        {"file": "t1.csv", "id": "id", "session": "ses-pre"},
        {"file": "t2.csv", "id": "id", "session": "ses-post", "missing_codes": {"k. A.": "refused"}},
    ]
    rule = {"pss4": {"fields": "pss_{item}", "codes": {"never": 1, "often": 2}}}
    with pytest.raises(InputError, match=r"t2.csv: people without answers to pss4 have some in the columns"):
        ingested(tmp_path, tables=files, instruments=rule)


# -- What rules leave out ------------------------------------------------------------------------------------


FAILED = {"column": "screening", "values": ["failed"], "whole_person": True, "reason": "not eligible"}


def test_somebody_left_out_of_a_wide_table_has_each_cell_in_the_account_once(tmp_path: Path) -> None:
    header = ["id", "age", "screening", *(f"{name}_{at}" for at in ("t1", "t2") for name in ITEMS)]
    write(tmp_path / "wide.csv", ",".join(header), "01,40,,0,1,2,3,0,1,2,3", "02,50,,0,1,2,3,0,1,2,3")
    write(tmp_path / "visits.csv", "id,screening", "01,failed", "02,passed")
    people = {"file": "wide.csv", "id": "id", "suffixes": {"_t1": "ses-pre", "_t2": "ses-post"}}
    files = [{"file": "visits.csv", "id": "id", "session": None}]
    rules = [FAILED | {"file": "visits.csv"}]
    tables = ingested(
        tmp_path, participants=people, tables=files, exclude=rules, instruments=PSS4,
        covariates={"age": {"field": "age"}},
    )  # fmt: skip
    assert {who for who, _ in words(tables)} == {"02"}
    account = tables["account"].set_index(["file", "field", "rule"])["left_out"].astype(int)
    left = account.loc[("wide.csv", slice(None), "exclude.0")].groupby("field").sum().to_dict()
    assert left == {"": 1, "age": 1} | dict.fromkeys(ITEMS, 2)


def test_somebody_left_out_of_a_bids_tree_may_have_rows_in_all_its_tables(tmp_path: Path) -> None:
    """An id under exclude stands with its prefix or without, in files that have it or not."""
    write(tmp_path / "tree/participants.tsv", "participant_id\tscreening", "sub-1\t", "2\tfailed", "sub-3\t")
    rows = [f"{who}\tpre\t0\t1\t2\t3" for who in ("1", "sub-2", "3")]
    write(tmp_path / "tree/phenotype/pss4.tsv", "\t".join(["participant_id", "session_id", *ITEMS]), *rows)
    write(tmp_path / "age.csv", "id,age", "sub-1,40", "sub-2,50", "sub-3,60")
    tables = ingested(
        tmp_path, bids={"folder": "tree"}, tables=[{"file": "age.csv", "id": "id", "session": None}],
        exclude=[FAILED, {"participants": ["sub-3"], "reason": "withdrew"}], instruments=PSS4,
        covariates={"age": {"field": "age"}},
    )  # fmt: skip
    assert tables["participants"].to_numpy().tolist() == [["sub-1", "40.0"]]
    assert words(tables) == {("sub-1", "ses-pre"): "0123"}


def test_the_list_of_a_bids_tree_says_who_is_in_the_study_and_no_table_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "tree/participants.tsv", "participant_id", "sub-1", "sub-2")
    write(tmp_path / "age.csv", "id,age", "sub-1,40")
    tables = ingested(
        tmp_path, bids={"folder": "tree"}, tables=[{"file": "age.csv", "id": "id", "session": None}],
        covariates={"age": {"field": "age"}},
    )  # fmt: skip
    assert tables["participants"].to_numpy().tolist() == [["sub-1", "40.0"], ["sub-2", ""]]


def test_samples_that_a_rule_leaves_out_make_no_session(tmp_path: Path) -> None:
    write(tmp_path / "people.csv", "participant_id,screening", "01,", "02,failed")
    write(tmp_path / "sheet.csv", "sample,who,when", "A,01,pre", "B,01,extra", "C,02,pre")
    columns = {"sample": "sample", "participant": "who", "session": "when"}
    sheet = {"matrix": "m.csv", "unit": "tpm", "samples": "sheet.csv", "columns": columns}
    codes = {"pre": "ses-pre", "extra": None}
    tables = ingested(
        tmp_path, participants={"file": "people.csv"}, exclude=[FAILED],
        expression=sheet | {"session_codes": codes},
    )  # fmt: skip
    assert tables["sessions"][["participant_id", "session_id"]].to_numpy().tolist() == [["01", "ses-pre"]]
    left = tables["samples"].set_index("sample_id")["excluded"].to_dict()
    assert left == {"A": "", "B": "a wave that is left out", "C": "not eligible"}


# -- REDCap --------------------------------------------------------------------------------------------------


def radio(name: str, low: int) -> dict[str, str]:
    return field(name, "radio", choices=" | ".join(f"{code}, Answer" for code in range(low, low + 5)))


def test_a_wave_of_a_classic_project_may_have_other_codes(tmp_path: Path) -> None:
    waves = {"_t1": 0, "_t2": 1}
    fields = [radio(f"{name}{at}", low) for at, low in waves.items() for name in ITEMS]
    write_dictionary(tmp_path / "d.csv", [field("record_id"), *fields])
    header = ["record_id", *(f"{name}{at}" for at in waves for name in ITEMS)]
    write(tmp_path / "e.csv", text_of(header, [["1", *"0123", *"1234"]]))
    redcap = {"export": "e.csv", "dictionary": "d.csv", "suffixes": {"_t1": "ses-pre", "_t2": "ses-post"}}
    shifted = {"pss4": {"fields": "pss_{item}", "sessions": {"ses-post": {"offset": -1}}}}
    tables = ingested(tmp_path, redcap=redcap, instruments=shifted)
    assert words(tables) == {("1", "ses-pre"): "0123", ("1", "ses-post"): "0123"}
    with pytest.raises(InputError, match=r"items of instruments.pss4 are coded differently.* pss_1_t2"):
        ingested(tmp_path, redcap=redcap, instruments=PSS4)


def repeating(folder: Path, rows: list[list[str]]) -> dict[str, Any]:
    """Write a form that repeats within events; its section of study.yaml."""
    fields = [field("record_id"), field("screening"), *(radio(name, 0) for name in ITEMS)]
    write_dictionary(folder / "d.csv", fields)
    system = ["redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance"]
    write(folder / "e.csv", text_of(["record_id", *system, "screening", *ITEMS], rows))
    events = {"baseline_arm_1": None, "later_arm_1": None}
    nested = {"pss": {"baseline_arm_1": {"1": "ses-pre", "2": "ses-post"}, "later_arm_1": None}}
    return {"export": "e.csv", "dictionary": "d.csv", "events": events, "repeats": nested}


def test_an_event_of_which_no_instance_is_meant_is_left_out(tmp_path: Path) -> None:
    rows = [["1", "baseline_arm_1", "pss", "2", "", *"0123"], ["1", "later_arm_1", "pss", "1", "", *"4444"]]
    tables = ingested(tmp_path, redcap=repeating(tmp_path, rows), instruments=PSS4)
    assert words(tables) == {("1", "ses-post"): "0123"}
    assert "redcap.repeats.pss.later_arm_1.1" in set(tables["account"]["rule"])


def test_nobody_needs_to_map_the_instance_of_a_row_that_does_not_count(tmp_path: Path) -> None:
    rows = [
        ["1", "baseline_arm_1", "pss", "1", "", *"0123"],
        ["2", "baseline_arm_1", "pss", "7", "failed", *"0000"],
    ]
    tables = ingested(tmp_path, redcap=repeating(tmp_path, rows), exclude=[FAILED], instruments=PSS4)
    assert words(tables) == {("1", "ses-pre"): "0123"}
