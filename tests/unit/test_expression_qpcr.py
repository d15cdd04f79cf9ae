"""Plates as qPCR instruments export them: a person's wells count, and nothing else does."""

from __future__ import annotations

import numpy as np
import pytest

from pniflow.errors import InputError
from pniflow.expression.ingest_expression import ingest_expression, read_levels

SETUP = "[Sample Setup]\nWell\tSample Name\tSample Color\tTarget Name\tTask\n" + "".join(
    f'{well}\ts{well % 2}\t"RGB(1,2,3)"\tIL6\tUNKNOWN\n' for well in range(400)
)
RESULTS = "[Results]\nWell\tOmit\tSample Name\tTarget Name\tTask\tCT\tCt Mean\n"
WELLS = [
    "1\tfalse\ts1\tIL6\tUNKNOWN\t30.5\t30",
    "2\tfalse\ts1\tIL6\tUNKNOWN\t31.5\t30",
    "3\ttrue\ts1\tIL6\tUNKNOWN\t45.5\t30",
    "4\tfalse\ts1\tGAPDH\tUNKNOWN\t20\t20",
    "5\tfalse\ts2\tIL6\tUNKNOWN\tUndetermined\t",
    "6\tfalse\ts2\tGAPDH\tUNKNOWN\t21.25\t21",
    "7\tfalse\twater\tIL6\tNTC\t39\t39",
    "8\tfalse\tdilution 1\tIL6\tSTANDARD\t15\t15",
    "9\tfalse\t\tGAPDH\tNTC\tUndetermined\t",
]
FOOTER = "\nAnalysis Type\tSingleplex\nReference Sample\ts1\n"
PLATE = "* Comment = none\n\n" + SETUP + "\n" + RESULTS + "\n".join(WELLS) + "\n" + FOOTER


def levels(folder, content, name="plate.txt"):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    ingest_expression(matrix=folder / name, unit="ct", housekeeping=["GAPDH"], out=folder / "levels.parquet")
    return read_levels(folder / "levels.parquet").set_index("sample_id")


def assert_the_plates_cycles(found):
    """Cycles are held with their sign turned."""
    assert list(found.index) == ["s1", "s2"]
    assert found.loc["s1", "IL6"] == -31
    assert np.isnan(found.loc["s2", "IL6"])
    assert list(found["housekeeping"]) == [-20, -21.25]


def test_of_all_sections_the_results_are_read_without_controls_and_omitted_wells(tmp_path):
    found = levels(tmp_path, PLATE)
    assert_the_plates_cycles(found)
    left = "3 of controls or standards, 1 omitted by the user"
    assert set(found["format"]) == {f"qPCR, a row per well (wells left out: {left})"}


def test_sections_stand_in_any_order(tmp_path):
    results = RESULTS + "\n".join(WELLS) + "\n" + FOOTER
    again = "[RQ Result]\nSample Name\tTarget Name\tCt\ns1\tIL6\t11\n"
    assert_the_plates_cycles(levels(tmp_path, again + results + SETUP))


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8-sig", "utf-16", "utf-16-le"])
def test_an_export_is_read_in_any_encoding(tmp_path, encoding):
    assert_the_plates_cycles(levels(tmp_path, PLATE.replace("none", "5 µl für Müller").encode(encoding)))


CFX = {
    "english": "Well,Fluor,Target,Content,Sample,Cq\n",
    "german": "Vertiefung;Fluor;Ziel;Inhalt;Probe;Cq\n",
}


@pytest.mark.parametrize("language", CFX)
def test_bio_rad_in_english_and_german(tmp_path, language):
    rows = [
        *(
            "A01,SYBR,IL6,Unkn-1,s1,30.500",
            "A02,SYBR,IL6,Unkn-1,s1,31.500",
            "A03,SYBR,GAPDH,Unkn-1,s1,20.000",
        ),
        *("B01,SYBR,IL6,Unkn-2,s2,NaN", "B03,SYBR,GAPDH,Unkn-2,s2,21.250"),
        *(
            "H11,SYBR,IL6,NTC,NTC,38.2",
            "H12,SYBR,IL6,Std-1,1e6,15.1",
            "H10,SYBR,IL6,Neg Ctrl,blood bank,33.1",
        ),
    ]
    text = "\r\n".join(rows) + "\r\n"
    if language == "german":
        text = text.replace(",", ";").replace(".", ",").replace("Unkn", "Unbk")
    assert_the_plates_cycles(levels(tmp_path, CFX[language] + text, "Quantification Cq Results.csv"))


def test_a_sample_whose_wells_were_all_omitted_is_missing_not_gone(tmp_path):
    text = PLATE.replace("5\tfalse", "5\tTRUE").replace("6\tfalse", "6\tTrue")
    found = levels(tmp_path, text.replace("4\tfalse\ts1\tGAPDH", "4\tfalse\ts1\tTNF"))
    assert list(found.index) == ["s1", "s2"]
    assert found.loc["s2", ["IL6", "TNF"]].isna().all()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("1\tfalse", "1\tperhaps", "Omit of a well is 'perhaps'; true or false"),
        ("30.5\t30", "30.5x\t30", "sample 's1', target 'IL6' has the cycle '30.5x'"),
        ("UNKNOWN", "NTC", "no well names a sample that is no control"),
    ],
)
def test_a_well_that_cannot_be_is_refused(tmp_path, old, new, said):
    with pytest.raises(InputError, match=said):
        levels(tmp_path, RESULTS + "\n".join(WELLS).replace(old, new) + "\n")
