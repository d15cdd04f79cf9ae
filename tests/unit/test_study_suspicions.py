"""What looks lost, misread or like somebody's name is refused or said; what only resembles it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pniflow.errors import LONGEST, InputError
from pniflow.study.ingest_study import ingest_study
from study_files import text_of, write_study

ITEMS = [f"gad_{item}" for item in range(1, 8)]
GAD7 = {"gad7": {"fields": "gad_{item}"}}
CAPITALS = [name.upper().replace("_", "") for name in ITEMS]
PRE, POST = "2313212", "0101020"


def wave(
    folder: Path, session: str, names: list[str], people: dict[str, str], place: str = ""
) -> dict[str, Any]:
    """A file of one session: participant -> answers, a letter an answer."""
    file = f"{session}{place}.csv"
    (folder / file).write_text(text_of(["id", *names], [[who, *words] for who, words in people.items()]))
    return {"file": file, "id": "id", "session": session}


def ingested(folder: Path, tables: list[dict[str, Any]], **more: Any) -> dict[tuple[str, str], str]:
    """Answers of each participant-session as a word of digits."""
    study = write_study(folder / "study.yaml", **{"tables": tables, "instruments": GAD7} | more)
    ingest_study(study=study, data=folder, out=folder / "out")
    answers = pd.read_parquet(folder / "out/responses.parquet")
    cells = answers["value"].map(lambda value: "." if pd.isna(value) else f"{value:g}")
    return dict(cells.groupby([answers["participant_id"], answers["session_id"]]).agg("".join))


@pytest.mark.parametrize(
    "names",
    [
        ["Erika Mustermann", "Max Mustermann", "Hans Mustermann"],
        ["Klein F", "Mustermann M"],
        ["Mustermann Max 1970-01-02", "Klein Eva 1980-01-02"],
    ],
)
def test_names_are_no_ids_of_families_too(tmp_path: Path, names: list[str]) -> None:
    pre = wave(tmp_path, "ses-pre", ITEMS, dict.fromkeys(names, PRE))
    with pytest.raises(InputError, match="looks like a name"):
        ingested(tmp_path, [pre])
    assert len(ingested(tmp_path, [pre], pseudonymize=True)) == len(names)


@pytest.mark.parametrize(
    "ids",
    [
        ["Patient MS 01", "Patient MS 02"],
        ["MS patient 1", "MS patient 2", "Healthy control 1", "Healthy control 2"],
        ["Patient A", "Patient B"],
        ["1 11", "11 1"],
    ],
)
def test_labels_of_groups_and_places_are_ids(tmp_path: Path, ids: list[str]) -> None:
    pre = wave(tmp_path, "ses-pre", ITEMS, dict.fromkeys(ids, PRE))
    assert set(ingested(tmp_path, [pre])) == {(name, "ses-pre") for name in ids}


@pytest.mark.parametrize("other", ["121", "A 1", "a01"])
def test_ids_that_differ_in_zeros_case_or_a_blank_are_one_person(tmp_path: Path, other: str) -> None:
    pre = wave(tmp_path, "ses-pre", ITEMS, {"A1": PRE, "12 1": PRE})
    post = wave(tmp_path, "ses-post", ITEMS, {other: POST})
    with pytest.raises(InputError, match="would be two people"):
        ingested(tmp_path, [pre, post])


def test_numbers_as_ids_are_said_once_and_only_beside_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pre = wave(tmp_path, "ses-pre", ITEMS, {"01711234567": PRE})
    ingested(tmp_path, [pre, wave(tmp_path, "ses-post", ITEMS, {"01711234567": POST})])
    assert capsys.readouterr().err.count("telephone") == 1
    with pytest.raises(InputError, match=r"9|range"):
        ingested(tmp_path, [pre, wave(tmp_path, "ses-post", ITEMS, {"01711234567": "9999999"})])
    assert capsys.readouterr().err == ""


def test_items_of_one_place_under_other_names_are_refused_where_another_place_has_them(
    tmp_path: Path,
) -> None:
    tables = [
        wave(tmp_path, "ses-pre", ITEMS, dict.fromkeys(["a1", "b1"], PRE)),
        wave(tmp_path, "ses-post", ITEMS, {"a1": POST}, "a"),
        wave(tmp_path, "ses-post", CAPITALS, {"b1": POST}, "b"),
    ]
    with pytest.raises(InputError, match=r"ses-postb.csv: people without answers to gad7.*GAD1"):
        ingested(tmp_path, tables)
    tables[2]["instruments"] = {"gad7": {"fields": CAPITALS}}
    assert ingested(tmp_path, tables)["b1", "ses-post"] == POST


def test_a_wave_of_quite_other_names_is_said_with_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = [f"anxiety{letter}" for letter in "abcdefg"]
    tables = [wave(tmp_path, "ses-pre", ITEMS, {"a1": PRE}), wave(tmp_path, "ses-post", other, {"a1": POST})]
    ingested(tmp_path, tables)
    assert "ses-post.csv: nobody with a row at ses-post has answers to gad7" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "answers"),
    [
        ([f"{name}_r" for name in ITEMS], list(PRE)),  # a copy
        ([f"{name}_time" for name in ITEMS], ["3.4", "2.2", "1.1", "9.9", "8.8", "7.7", "1.3"]),
        ([f"{name}_t2" for name in ITEMS], [""] * 7),  # not asked yet
        ([f"sleep_{name}" for name in [*ITEMS, "gad_8"]], list("12312312")),  # another questionnaire
    ],
)
def test_what_resembles_items_of_a_later_session_and_is_none_is_no_lost_wave(
    tmp_path: Path, names: list[str], answers: list[str]
) -> None:
    rows = [["a1", *PRE, *answers], ["a2", *PRE, *answers]]
    (tmp_path / "pre.csv").write_text(text_of(["id", *ITEMS, *names], rows))
    words = ingested(tmp_path, [{"file": "pre.csv", "id": "id", "session": "ses-pre"}])
    assert words == {("a1", "ses-pre"): PRE, ("a2", "ses-pre"): PRE}


def test_of_one_person_who_got_better_it_is_only_said_that_no_answer_is_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = [wave(tmp_path, "ses-pre", ITEMS, {"a1": PRE}), wave(tmp_path, "ses-post", ITEMS, {"a1": POST})]
    assert ingested(tmp_path, tables)["a1", "ses-pre"] == PRE
    assert "tables.0.instruments.gad7.offset to -1" in capsys.readouterr().err


def test_the_coding_of_one_session_of_a_file_is_said_of_that_session(tmp_path: Path) -> None:
    rows = [[f"p{n}", at, *words] for at, words in (("ses-pre", PRE), ("ses-post", POST)) for n in range(9)]
    (tmp_path / "visits.csv").write_text(text_of(["id", "session_id", *ITEMS], rows))
    table = {"file": "visits.csv", "id": "id"}
    with pytest.raises(InputError, match=r"set instruments.gad7.sessions.ses-pre.offset to -1, else to 0"):
        ingested(tmp_path, [table])
    coding = GAD7["gad7"] | {"sessions": {"ses-pre": {"offset": -1}}}
    words = ingested(tmp_path, [table], instruments={"gad7": coding})
    assert words["p0", "ses-pre"] == "1202101"
    assert words["p0", "ses-post"] == POST


def test_a_file_of_another_place_coded_from_1_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = wave(tmp_path, "ses-pre", ITEMS, {f"a{n}": POST for n in range(5)}, "a")
    second = wave(tmp_path, "ses-pre", ITEMS, {f"b{n}": PRE for n in range(5)}, "b")
    assert len(ingested(tmp_path, [first, second])) == 10
    assert "ses-preb.csv: none of 35 answers" in capsys.readouterr().err


def assay(folder: Path, values: list[str], session: str = "visit") -> dict[str, Any]:
    rows = [[f"p{n}", "ses-pre", value] for n, value in enumerate(values)]
    (folder / "il6.csv").write_text(text_of(["id", "visit", "il6"], rows))
    columns = {"participant": "id", "session": session, "value": "il6"}
    return {"il6": {"file": "il6.csv", "unit": "pg/ml", "columns": columns}}


@pytest.mark.parametrize("value", ["99", "888", "999.9"])
def test_a_value_that_may_stand_for_missing_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    ingested(tmp_path, [], assays=assay(tmp_path, ["1.5", value, "3.1"]), instruments={})
    assert f"row 3 ({value}), above all other values" in capsys.readouterr().err
    ingested(tmp_path, [], assays=assay(tmp_path, ["1.5", value, "1003.1"]), instruments={})
    assert capsys.readouterr().err == ""


def test_an_assay_may_be_of_one_session_as_a_whole(tmp_path: Path) -> None:
    ingested(tmp_path, [], assays=assay(tmp_path, ["1.5"], "ses-post"), instruments={})
    table = pd.read_csv(tmp_path / "out/assays.tsv", sep="\t")
    assert table[["participant_id", "session_id", "value"]].to_numpy().tolist() == [["p0", "ses-post", 1.5]]


def test_a_sample_of_a_wave_that_is_left_out_belongs_to_no_session(tmp_path: Path) -> None:
    (tmp_path / "samples.csv").write_text("s,id,visit\na,p1,T1\nb,p1,T0\n")
    columns = {"sample": "s", "participant": "id", "session": "visit"}
    expression = {"matrix": "m.tsv", "unit": "tpm", "samples": "samples.csv", "columns": columns}
    expression["session_codes"] = {"T0": None, "T1": "ses-pre"}
    ingested(tmp_path, [], expression=expression, instruments={})
    assert len(pd.read_csv(tmp_path / "out/sessions.tsv", sep="\t")) == 1


def test_a_sentence_about_a_header_of_questions_has_an_end(tmp_path: Path) -> None:
    (tmp_path / "pre.csv").write_text(text_of([f"{n} {'how often ' * 12}" for n in range(30)], [["1"] * 30]))
    with pytest.raises(InputError, match="no column 'id'") as refused:
        ingested(tmp_path, [{"file": "pre.csv", "id": "id", "session": "ses-pre"}])
    assert len(str(refused.value)) <= LONGEST


def test_a_long_text_is_no_id_and_a_link_that_leads_nowhere_no_misspelt_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a text of 300 letters in place of a participant's id"):
        ingested(tmp_path, [wave(tmp_path, "ses-pre", ITEMS, {"p" * 300: PRE})])
    (tmp_path / "later.csv").symlink_to("nowhere.csv")
    with pytest.raises(InputError, match=r"later.csv: a link that leads nowhere .*; fetch"):
        ingested(tmp_path, [{"file": "later.csv", "id": "id", "session": "ses-pre"}])
