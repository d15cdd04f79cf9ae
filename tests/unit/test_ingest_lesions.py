"""Lesion volumes of LST-AI's files or of a lab's own table, in millilitres."""

from __future__ import annotations

from pathlib import Path

import pytest

import cat12_files as made
from pniflow.contracts import read_table
from pniflow.errors import InputError
from pniflow.imaging.ingest_lesions import ingest_lesions

LESIONS = "Num_Lesions,Num_Vox,Lesion_Volume\n{}\n"


def test_lesion_volumes_are_millilitres(tmp_path: Path) -> None:
    regional = "Region,Num_Lesions,Num_Vox,Lesion_Volume\nPeriventricular,0,0,0\n"
    made.write(
        tmp_path / "lst",
        {
            "sub-2_ses-pre_lesion_stats.csv": LESIONS.format("12,3400,3400.5"),
            "sub-1/ses-post/lesion_stats.csv": LESIONS.format("0,0,0.0"),
            "sub-1/ses-post/annotated_lesion_stats.csv": regional,
        },
    )
    ingest_lesions(folder=tmp_path / "lst", lesions=tmp_path / "lesions.tsv")
    table = read_table(tmp_path / "lesions.tsv", "lesions")
    assert table.values.tolist() == [["sub-1", "ses-post", 0.0, 0], ["sub-2", "ses-pre", 3.4005, 12]]


def test_lesion_volumes_of_a_study_with_one_session(tmp_path: Path) -> None:
    made.write(tmp_path / "lst", {"sub-2/lesion_stats.csv": LESIONS.format("12,3400,3400.5")})
    text = "title: t\nsessions: {ses-pre: {}}\nlesions: {folder: lst, session: ses-pre}\n"
    (tmp_path / "study.yaml").write_text(text)
    ingest_lesions(folder=tmp_path / "lst", study=tmp_path / "study.yaml", lesions=tmp_path / "lesions.tsv")
    table = read_table(tmp_path / "lesions.tsv", "lesions")
    assert table[["participant_id", "session_id", "lesion_count"]].to_numpy().tolist() == [
        ["sub-2", "ses-pre", 12]
    ]


def test_lesion_volumes_of_another_tool_come_as_one_table(tmp_path: Path) -> None:
    (tmp_path / "mine.tsv").write_text("participant_id\tsession_id\tlesion_volume\nsub-1\tses-pre\t3.5\n")
    ingest_lesions(folder=tmp_path / "mine.tsv", lesions=tmp_path / "lesions.tsv")
    assert read_table(tmp_path / "lesions.tsv", "lesions")["lesion_volume"].tolist() == [3.5]
    (tmp_path / "mine.tsv").write_text("participant_id\tsession_id\tlesion_volume\nsub-1\tses-pre\t-3.5\n")
    with pytest.raises(InputError, match=r"mine.tsv: row 2, column 'lesion_volume' is '-3.5'; at least 0"):
        ingest_lesions(folder=tmp_path / "mine.tsv", lesions=tmp_path / "lesions.tsv")


LESION_STUDY = """title: t
sessions: {ses-pre: {}, ses-post: {}}
lesions:
  file: mine.csv
  columns: {participant: id, session: visit, volume: TLV, count: n}
  unit: mm3
  session_codes: {"1": ses-pre, "2": ses-post}
"""


def of_their_table(folder: Path, text: str, study: str = LESION_STUDY) -> list[list[object]]:
    (folder / "study.yaml").write_text(study)
    (folder / "mine.csv").write_text(text)
    ingest_lesions(folder=folder / "mine.csv", study=folder / "study.yaml", lesions=folder / "lesions.tsv")
    table = read_table(folder / "lesions.tsv", "lesions").astype(object)
    return table.where(table.notna(), None).to_numpy().tolist()


def test_lesion_volumes_of_a_table_as_the_study_names_its_columns(tmp_path: Path) -> None:
    """A semicolon, decimal commas, cubic millimetres, the lab's own session codes; blank stays missing."""
    text = "visit;id;n;TLV\n2;B;3;1500,5\n1;B;;250\n1;A;0;\n"
    assert of_their_table(tmp_path, text) == [
        ["A", "ses-pre", None, 0], ["B", "ses-post", 1.5005, 3], ["B", "ses-pre", 0.25, None],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("visit,id,TLV\n1,A,2\n", r"mine.csv: there is no column 'n' .lesions.columns.count in study.yaml."),
        ("visit,id,n,TLV\n3,A,1,2\n", r"mine.csv: row 2 is of the session '3'"),
        ("visit,id,n,TLV\n1,A,1,-2\n", r"row 2, column 'TLV' is '-2'; a number, zero or more"),
        ("visit,id,n,TLV\n1,A,1,2\n2,A,1.5,2\n", r"row 3, column 'n' is '1.5'; a whole number"),
        ("visit,id,n,TLV\n1,A,1,many\n", r"row 2, column 'TLV' is 'many'"),
        ("visit,id,n,TLV\n", r"mine.csv: the table has no rows below its header"),
        ("visit,id,n,TLV\n1,A,1,2\n1,A,1,2\n", r"row 3 repeats participant A in ses-pre"),
    ],
)
def test_lesion_tables_of_a_study_that_are_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        of_their_table(tmp_path, text)
    assert not (tmp_path / "lesions.tsv").exists()


LST = """Path,FileName,LGA,TLV,N
x,ples_lpa_mrsub-01_ses-1_FLAIR.nii,0,12.5,20
x,ples_0.3_lga_rmsub-01_ses-2_FLAIR.nii,0,13.25,21
"""


def test_the_table_of_lst_tells_both_in_the_name_of_the_image(tmp_path: Path) -> None:
    columns = "{participant: FileName, session: FileName, volume: TLV, count: N}"
    (tmp_path / "study.yaml").write_text(
        "title: t\nsessions: {ses-1: {}, ses-2: {}}\n"
        f"lesions: {{file: mine.csv, columns: {columns}, unit: ml,"
        " pattern: '{participant}_{session}_T1'}\n"
    )
    for text, person in ((LST, "sub-01"), (LST.replace("sub-01_ses-", "P7_").replace("FLAIR", "T1"), "P7")):
        (tmp_path / "mine.csv").write_text(text)
        ingest_lesions(
            folder=tmp_path / "mine.csv", study=tmp_path / "study.yaml", lesions=tmp_path / "lesions.tsv"
        )
        table = read_table(tmp_path / "lesions.tsv", "lesions")
        held = [[person, "ses-1", 12.5, 20], [person, "ses-2", 13.25, 21]]
        assert table.to_numpy().tolist() == held
    (tmp_path / "mine.csv").write_text(LST.replace("mrsub-01_ses-1", "m"))
    with pytest.raises(
        InputError, match=r"row 2, column 'FileName' is 'ples_lpa_m_FLAIR.nii', which tells no"
    ):
        ingest_lesions(
            folder=tmp_path / "mine.csv", study=tmp_path / "study.yaml", lesions=tmp_path / "lesions.tsv"
        )


WIDE = LESION_STUDY.replace(
    "{participant: id, session: visit, volume: TLV, count: n}",
    "{participant: id, volume: 'tlv_{session}', count: 'n_{session}'}",
)


def test_a_table_may_have_a_column_for_each_session(tmp_path: Path) -> None:
    text = "id,tlv_1,n_1,tlv_2,n_2\nA,1500,3,,\nB,0,0,250.5,1\n"
    assert of_their_table(tmp_path, text, WIDE) == [
        ["A", "ses-pre", 1.5, 3], ["B", "ses-post", 0.2505, 1], ["B", "ses-pre", 0, 0],
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"there is no column 'tlv_2'"):
        of_their_table(tmp_path, "id,tlv_1,n_1\nA,1,1\n", WIDE)
    with pytest.raises(InputError, match=r"lesions.columns must name the column of the session, or hold"):
        of_their_table(tmp_path, text, WIDE.replace("n_{session}", "n_1"))


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"x.csv": ""}, "there is no lesion_stats.csv"),
        ({"sub-1_lesion_stats.csv": LESIONS.format("1,1,1")}, "holds no participant and session"),
        (
            {"sub-1_ses-a_lesion_stats.csv": LESIONS.format("1,1,x")},
            "row 2, column 'Lesion_Volume' is 'x'; a number, zero or more was expected",
        ),
        (
            {"sub-1_ses-a_lesion_stats.csv": LESIONS.format("1,1,-2")},
            "row 2, column 'Lesion_Volume' is '-2'; a number, zero or more",
        ),
        ({"sub-1_ses-a_lesion_stats.csv": "A,B\n1,2\n"}, "column 'Num_Lesions' is missing"),
        ({"sub-1_ses-a_lesion_stats.csv": LESIONS.format("1,1,1\n1,1,1")}, "the table has 2 rows"),
        ({"sub-1_ses-a_lesion_stats.csv": ""}, "the file is empty"),
        (
            {"sub-1_ses-a_lesion_stats.csv": LESIONS.format('1,1,"1\n') + "x" * 140_000},
            "column 'Lesion_Volume' is '1",
        ),
        (
            {f"{x}/sub-1_ses-a_lesion_stats.csv": LESIONS.format("1,1,1") for x in "ab"},
            "are of one participant and session",
        ),
    ],
)
def test_lesion_tables_that_are_refused(tmp_path: Path, files: dict[str, str], says: str) -> None:
    made.write(tmp_path / "lst", files)
    with pytest.raises(InputError, match=says):
        ingest_lesions(folder=tmp_path / "lst", lesions=tmp_path / "lesions.tsv")
    assert not (tmp_path / "lesions.tsv").exists()
