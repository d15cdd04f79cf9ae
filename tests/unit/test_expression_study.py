"""What study.yaml says of gene expression: files of one sample each, further columns, excluded samples."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest
import yaml

from expression_files import counts, write_matrix, write_samples
from pniflow.cohort import exclusions
from pniflow.contracts import read_table
from pniflow.errors import InputError
from pniflow.expression.assess_samples import assess_samples
from pniflow.expression.formats import expand
from pniflow.expression.ingest_expression import ingest_expression, read_levels
from pniflow.expression.normalize_expression import normalize_expression
from pniflow.plan import read_plan
from pniflow.study.ingest_study import ingest_study

SAMPLES = ["A1", "A2", "B1", "B2"]
SHEET = (
    "lib,who,when,rin,tube,drawn\nA1,A,ses-pre,7.1,PAX,2024-01-02\nA2,A,ses-post,,PAX,2024-03-01\n"
    "B1,B,ses-pre,2.0,EDTA,2024-01-02\nB2,B,ses-pre,8.0,PAX,2024-01-09\n"
)
COLUMNS = {"sample": "lib", "participant": "who", "session": "when"}
MATRIX = {"matrix": "m.tsv", "unit": "counts", "samples": "s.csv", "columns": COLUMNS}


def study(folder, **expression):
    """Write study.yaml, config.yaml and the sample sheet; return the folder."""
    section = {key: value for key, value in (MATRIX | expression).items() if value is not None}
    document = {"title": "t", "sessions": {"ses-pre": {}, "ses-post": {}}, "expression": section}
    (folder / "study.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    (folder / "config.yaml").write_text("{}\n")
    (folder / "s.csv").write_text(SHEET)
    (folder / "m.tsv").touch()
    return folder


def sheet_of(folder):
    ingest_study(study=folder / "study.yaml", data=folder, out=folder / "out")
    return read_table(folder / "out/samples.tsv", "samples").set_index("sample_id")


def test_further_columns_are_carried_under_the_names_the_study_gives(tmp_path):
    study(tmp_path, columns=COLUMNS | {"further": {"rin": "rin", "collection": "tube"}})
    sheet = sheet_of(tmp_path)
    assert list(sheet) == ["participant_id", "session_id", "batch", "rin", "collection"]
    assert sheet["rin"].fillna("blank").tolist() == ["7.1", "blank", "2.0", "8.0"]
    assert sheet["collection"].tolist() == ["PAX", "PAX", "EDTA", "PAX"]


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ({"columns": COLUMNS | {"further": {"drawn": "drawn"}}}, "'drawn' .* holds dates"),
        ({"columns": COLUMNS | {"further": {"batch": "tube"}}}, "'batch', which the table of samples has"),
        ({"columns": COLUMNS | {"further": {"rin": "RNA"}}}, "there is no column 'RNA'"),
        ({"columns": COLUMNS | {"further": {"who": "patient name"}}}, "identifies a person"),
        ({"exclude": {"C1": "degraded"}}, "expression.exclude names the sample C1"),
        ({"quantifications": "star"}, "needs exactly one of these keys: matrix or quantifications"),
        ({"matrix": None}, "needs exactly one of these keys: matrix or quantifications"),
    ],
)
def test_what_the_study_cannot_mean_is_one_sentence(tmp_path, expression, sentence):
    study(tmp_path, **expression)
    with pytest.raises(InputError, match=sentence):
        sheet_of(tmp_path)


def test_an_excluded_sample_keeps_its_reason(tmp_path):
    sheet = sheet_of(study(tmp_path, exclude={"B1": "RNA degraded (RIN 2.0)"}))
    assert sheet["excluded"].fillna("").tolist() == ["", "", "RNA degraded (RIN 2.0)", ""]


def measured(folder):
    """Ingest and normalize counts of four samples, of which B1 is empty and excluded."""
    genes, values = counts(len(SAMPLES))
    values = values * 40
    values[:, 2] = 0
    write_matrix(folder / "m.tsv", genes, SAMPLES, values)
    sheet_of(study(folder, exclude={"B1": "RNA degraded"}, columns=COLUMNS | {"further": {"rin": "rin"}}))
    write_matrix(folder / "m.tsv", genes, SAMPLES, values)
    samples = folder / "out/samples.tsv"
    ingest_expression(matrix=folder / "m.tsv", unit="counts", samples=samples, out=folder / "l.parquet")
    normalize_expression(levels=folder / "l.parquet", out=folder / "n.parquet")
    return genes, values


def test_an_excluded_sample_is_neither_checked_nor_counted(tmp_path):
    """B1 has no reads at all, which is refused of any sample that is used; the others are as without it."""
    genes, values = measured(tmp_path)
    kept = [0, 1, 3]
    names = [SAMPLES[n] for n in kept]
    write_matrix(tmp_path / "three.tsv", genes, names, values[:, kept])
    write_samples(tmp_path / "three_samples.tsv", names)
    ingest_expression(
        matrix=tmp_path / "three.tsv",
        unit="counts",
        samples=tmp_path / "three_samples.tsv",
        out=tmp_path / "three.parquet",
    )
    pd.testing.assert_frame_equal(
        read_levels(tmp_path / "l.parquet"), read_levels(tmp_path / "three.parquet")
    )


def test_an_excluded_sample_may_be_absent_from_the_matrix(tmp_path):
    genes, values = measured(tmp_path)
    write_matrix(tmp_path / "m.tsv", genes, ["A1", "A2", "B2"], values[:, [0, 1, 3]])
    ingest_expression(
        matrix=tmp_path / "m.tsv",
        unit="counts",
        samples=tmp_path / "out/samples.tsv",
        out=tmp_path / "l2.tsv",
    )
    assert list(read_levels(tmp_path / "l2.tsv")["sample_id"]) == ["A1", "A2", "B2"]


def test_a_study_that_excludes_all_samples_is_refused(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.counts.txt").write_text("IL6\t5\nTNF\t6\n")
    rows = "sample_id\tparticipant_id\tsession_id\tbatch\texcluded\na\tA\tses-pre\t\tx\nb\tB\tses-pre\t\tx\n"
    (tmp_path / "samples.tsv").write_text(rows)
    with pytest.raises(InputError, match="the study excludes all samples"):
        ingest_expression(
            quantifications=sorted(tmp_path.glob("*.txt")),
            unit="counts",
            samples=tmp_path / "samples.tsv",
            out=tmp_path / "l.tsv",
        )


def test_sample_quality_lists_an_excluded_sample_with_its_reason_and_carries_rin(tmp_path):
    measured(tmp_path)
    assess_samples(
        levels=tmp_path / "l.parquet",
        expression=tmp_path / "n.parquet",
        samples=tmp_path / "out/samples.tsv",
        out=tmp_path / "q.tsv",
    )
    quality = read_table(tmp_path / "q.tsv", "sample_quality").set_index("sample_id")
    assert list(quality.index) == ["A1", "A2", "B2", "B1"]
    assert quality.loc["B1", "excluded"] == "RNA degraded"
    assert np.isnan(quality.loc["B1", "library_size"])
    assert quality["rin"].fillna("").tolist() == ["7.1", "", "8.0", "2.0"]


def test_an_excluded_sample_is_listed_among_the_exclusions_by_its_reason():
    samples = pd.DataFrame(
        {
            "sample_id": ["a", "b", "c"],
            "participant_id": ["A", "B", "C"],
            "session_id": "ses-pre",
            "excluded": [None, "RNA degraded", None],
        }
    )
    scores = pd.DataFrame({"sample_id": ["a"], "ctra": [0.1], "genes_used": 53, "genes_missing": 0})
    lost = exclusions.of_samples(samples, scores)
    assert lost[["item", "rule", "reason"]].to_numpy().tolist() == [
        ["sample b", "sample not scored", "excluded by the study: RNA degraded"],
        ["sample c", "sample not scored", "the sample has no column in the expression matrix"],
    ]


def test_files_of_one_sample_each_are_found_by_folder_file_and_pattern(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / "salmon" / name).mkdir(parents=True)
        (tmp_path / "salmon" / name / "quant.sf").touch()
        (tmp_path / "salmon" / name / "log.txt").touch()
    found = expand([tmp_path / "salmon/[ab]/quant.sf", tmp_path / "salmon/c"])
    names = [path.relative_to(tmp_path / "salmon").as_posix() for path in found]
    assert names == ["a/quant.sf", "b/quant.sf", "c/quant.sf"]
    with pytest.raises(InputError, match="no file fits this pattern"):
        expand([tmp_path / "*.sf"])


@pytest.mark.parametrize(
    ("given", "certain"),
    [
        ("star", ["star"]),
        (["rna/*/quant.sf", "more/d.sf"], ["rna", "more/d.sf"]),
        (["*.genes.results"], ["."]),
    ],
)
def test_the_plan_knows_the_folders_behind_patterns(tmp_path, given, certain):
    study(tmp_path, matrix=None, quantifications=given, tx2gene="t.tsv")
    plan = read_plan([tmp_path / "config.yaml"], {})
    raw = {key: value for key, value in plan.raw.items() if key.startswith("expression.")}
    assert [key for key in raw if key.startswith("expression.quant")] == [
        f"expression.quantifications.{n}" for n in range(len(certain))
    ]
    names = [os.path.relpath(raw[f"expression.quantifications.{n}"], tmp_path) for n in range(len(certain))]
    assert names == certain
    assert raw["expression.tx2gene"].endswith("t.tsv")


def test_a_pattern_does_not_leave_the_data_folder(tmp_path):
    study(tmp_path, matrix=None, quantifications=["*/../../other"])
    with pytest.raises(InputError, match=r"expression\.quantifications\.0 is .* without '..'"):
        read_plan([tmp_path / "config.yaml"], {})
