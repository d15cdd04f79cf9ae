"""Tables beside the estimates stand in their sections, number by number; a study's own labels come first."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

import made_results as made
from pniflow import words
from pniflow.files import write_table, write_text
from pniflow.report import further, render_report
from pniflow.report.parts import Number, plain
from pniflow.resources import searched

SAMPLES = pd.DataFrame(
    {
        "sample_id": ["S1", "S2"],
        "participant_id": ["sub-001", "sub-002"],
        "session_id": "ses-pre",
        "detected_genes": [15234, 14100],
        "profile_correlation": [0.9712, 0.8104],
        "flags": [None, "low correlation with the others"],
    }
)
OVER_GENES = pd.DataFrame(
    {
        "analysis": ["composite", "legacy_gls"],
        "term": "pss10",
        "estimate": [-0.01234, -0.0111],
        "std_error": [0.0056, 0.0021],
        "df": [18.4, 40.0],
        "p_value": [0.0498, 0.0002],
        "n_participants": 21,
        "n_samples": 42,
        "n_genes": 51,
        "evidence": ["default", "legacy, not for inference"],
    }
)


def write(folder: Path, **frames: pd.DataFrame) -> dict[str, Path]:
    for name, frame in frames.items():
        rules = name if further.has_contract(name) else None
        if rules:
            from pniflow import contracts

            for field in contracts.contract(name)["fields"]:
                frame = frame if field["name"] in frame else frame.assign(**{field["name"]: None})
        write_table(frame, folder / f"{name}.tsv", rules)
    return {name: folder / f"{name}.tsv" for name in frames}


def numbers(table) -> dict[tuple[str, str], str]:
    parts = [part for row in table.rows for cell in [row.head, *row.cells] for part in cell]
    return {(part.key, part.field): part.text for part in parts if isinstance(part, Number)}


@pytest.mark.parametrize(
    ("name", "frame", "section", "said"),
    [
        ("sample_quality", SAMPLES, "quality", "Blood samples assessed: 2; with something notable: 1."),
        ("over_genes", OVER_GENES, "ctra", "regression over genes (legacy, not for inference)"),
        ("design", pd.DataFrame({"test": ["change"], "p_below_05": [0.0531], "power": [0.8125]}),
         "sensitivity", "What this design can show"),
        ("clusters", pd.DataFrame({"model": ["m"], "size_mm2": [120.5], "p_fwe": [0.0004]}),
         "mri", "Clusters of vertices"),
        ("peaks", pd.DataFrame({"model": pd.Series([], dtype=str)}), "mri",
         "Peaks over the cortical surface: none."),
    ],
)  # fmt: skip
def test_a_table_stands_in_its_section(name, frame, section, said, tmp_path):
    paths = write(tmp_path, **{name: frame})
    write_table(made.estimates(), tmp_path / "estimates.tsv", "estimates")
    write_table(made.measures(), tmp_path / "measures.parquet", "measures")
    render_report(
        study=made.write_study(tmp_path),
        estimates=tmp_path / "estimates.tsv",
        measures=tmp_path / "measures.parquet",
        out=tmp_path / "report.html",
        **paths,
    )
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    part = text.partition(f'<section id="{section}"')[2].partition("</section>")[0]
    assert said in re.sub(r"<[^>]*>", "", part)


def test_numbers_have_the_digits_of_their_error_and_the_key_of_their_row():
    table = further.over_genes(OVER_GENES)[0].blocks[0]
    found = numbers(table)
    assert found["composite/pss10", "estimate"] == "−0.0123"
    assert found["composite/pss10", "p_value"] == ".0498"
    assert found["legacy_gls/pss10", "p_value"] == "<\u00a0.001"
    assert found["composite/pss10", "n_genes"] == "51"
    assert "higher CTRA = more adverse" in plain(table.note)


def test_only_samples_with_something_notable_are_listed():
    text, table = further.samples(SAMPLES, {"ses-pre": "before"})
    assert plain(text.text) == "Blood samples assessed: 2; with something notable: 1."
    assert [plain(row.head) for row in table.rows] == ["S2"]
    assert numbers(table)["S2", "profile_correlation"] == "0.810"
    assert [plain(cell) for cell in table.rows[0].cells][1] == "before"


def test_a_studys_own_labels_and_keys_come_first(tmp_path):
    labels = (
        "measure\tlabel\tshort\tbetter\tunit\tsource\n"
        "pss10\tOur stress\tStress\tlower\tmarks\town\n"
        "ours\tOur list\tList\thigher\tmarks\town\n"
    )
    write_text(tmp_path / "labels" / "measures.tsv", labels)
    key = "name: ours\ntitle: Our own list\nscales: {ours_sum: {higher_is: better, title: sum of ours}}\n"
    write_text(tmp_path / "instruments" / "ours.yaml", key)
    with searched(tmp_path):
        assert words.label("pss10").long == "Our stress"
        assert words.label("ours").better == "higher"
        assert words.label("ours_sum").long == "Sum of ours"
        assert words.label("gad7").long == "Anxiety (GAD-7)"
    assert words.label("pss10").long == "Perceived stress (PSS-10)"
    assert words.label("ours_sum").long == "ours sum"
