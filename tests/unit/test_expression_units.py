"""What numbers are is told from a whole file: one judgement for what is declared and for what is drafted."""

from __future__ import annotations

import numpy as np
import pytest

from expression_files import counts, write_matrix
from pniflow.errors import InputError
from pniflow.expression.genes import gene_map
from pniflow.expression.ingest_expression import ingest_expression, read_levels
from pniflow.expression.levels import Accumulator
from pniflow.expression.matrix import Block
from pniflow.expression.normalize_expression import normalize_expression
from pniflow.expression.units import Evidence, floors
from pniflow.new_study.samples import guess_unit

SAMPLES = ["A1", "A2", "B1", "B2"]
GENES, PANEL = counts(len(SAMPLES), others=20)
RNG = np.random.default_rng(3)
# 1,500 genes, of which a third has no read.
READS = (
    RNG.poisson(np.exp(RNG.normal(4.5, 3, (1500, 1))) * [0.8, 1, 1.2, 1]) * (np.arange(1500) % 3 > 0)[:, None]
)
KINDS = {
    "counts": READS,
    "counts, estimated by salmon": np.where(READS, READS + 0.375, 0) * 3,
    "tpm": READS / READS.sum(axis=0) * 1e6,
    "intensity": 60 + READS * 1.25 + RNG.random(READS.shape),
    "log2": np.log2(READS + 1.0),
    "log2, of an array": RNG.uniform(2.5, 14.5, READS.shape),
    "log2, with negative values": np.log2(READS / READS.sum(axis=0) * 1e6 + 0.1),
    "log2, of a panel": RNG.uniform(3, 15.5, PANEL.shape),
    "ct": RNG.uniform(16, 38, PANEL.shape),
    "counts, of a panel": PANEL,
}
UNSURE = {
    "estimated counts of a panel": PANEL * 1.37,
    "FPKM": READS / READS.sum(axis=0) * 4e5,
    "cycles of samples amplified before, or log2 values": RNG.uniform(6, 22, PANEL.shape),
}


def written(folder, values, transposed=False):
    genes = [*GENES, *(f"OTHER{n}" for n in range(500, len(values)))][: len(values)]
    genes += [f"MORE{n}" for n in range(len(values) - len(genes))]
    return write_matrix(folder / "m.tsv", genes, SAMPLES, values, transposed=transposed)


def levels(folder, values, unit, **options):
    ingest_expression(matrix=written(folder, values), unit=unit, out=folder / "l.parquet", **options)
    return read_levels(folder / "l.parquet")


@pytest.mark.parametrize("name", KINDS)
def test_what_numbers_look_like_is_drafted_and_can_be_declared(tmp_path, name):
    unit = name.partition(",")[0]
    assert guess_unit(written(tmp_path, KINDS[name])) == (unit, SAMPLES)
    (said,) = set(levels(tmp_path, KINDS[name], unit)["format"])
    assert "unlikely" not in said


@pytest.mark.parametrize("name", UNSURE)
def test_what_numbers_do_not_tell_is_not_guessed(tmp_path, name):
    assert guess_unit(written(tmp_path, UNSURE[name])) == (None, SAMPLES)


def test_samples_in_rows_are_judged_by_sample(tmp_path):
    assert guess_unit(written(tmp_path, KINDS["tpm"], transposed=True)) == ("tpm", SAMPLES)


@pytest.mark.parametrize(
    ("name", "unit", "sentence"),
    [
        ("counts", "tpm", "all values are whole numbers and samples sum to .*declare the unit counts"),
        (
            "counts, estimated by salmon",
            "tpm",
            "'[AB][12]' sums to .*these look like counts; declare the unit counts",
        ),
        ("counts, estimated by salmon", "cpm", "and cpm to a million at most"),
        ("intensity", "tpm", "look like the intensities of an array.*declare the unit intensity"),
        ("tpm", "counts", "each sample sums to a million.*declare the unit tpm or cpm"),
        ("log2, of an array", "tpm", "look like log2 values: declare the unit log2"),
        ("log2, of an array", "intensity", "look like log2 values: declare the unit log2"),
        ("ct", "counts", "look like threshold cycles: declare the unit ct"),
        ("ct", "tpm", "look like threshold cycles: declare the unit ct"),
        ("log2, with negative values", "counts", "counts are not negative"),
        ("log2, with negative values", "ct", "threshold cycles lie between 0 and 50"),
        ("intensity", "log2", "log2 values lie within ±40"),
    ],
)
def test_a_unit_that_cannot_be_is_refused_with_what_the_numbers_look_like(name, unit, sentence):
    gathered = Accumulator("m.tsv", SAMPLES, unit, gene_map())
    with pytest.raises(InputError, match=sentence):
        gathered.add(
            Block([*GENES[:2], *(f"OTHER{n}" for n in range(2, len(KINDS[name])))], KINDS[name] * 1.0)
        )
        gathered.finish()


@pytest.mark.parametrize(
    ("name", "unit", "words"),
    [
        ("ct", "log2", "the unit log2 is unlikely; these look like threshold cycles"),
        ("log2, of a panel", "ct", "the unit ct is unlikely; these look like log2 values"),
        ("log2, of a panel", "tpm", "the unit tpm is unlikely; these look like log2 values"),
        ("intensity", "counts", "the unit counts is unlikely; these look like the intensities of an array"),
        ("counts, estimated by salmon", "counts", "counts with fractions, estimated or normalized ones"),
    ],
)
def test_an_unlikely_unit_is_taken_and_said(tmp_path, capsys, name, unit, words):
    found = levels(tmp_path, KINDS[name], unit)
    assert words in found["format"].iloc[0]
    assert words in capsys.readouterr().err
    sign = -1 if unit == "ct" else 1
    expected = sign * KINDS[name][GENES.index("IL6")]
    np.testing.assert_allclose(found["IL6"], expected)


def test_filtered_tpm_are_tpm(tmp_path):
    (said,) = set(levels(tmp_path, KINDS["tpm"][:150], "tpm")["format"])
    assert said == "matrix"


def test_of_an_arrays_probes_of_one_gene_the_highest_is_taken(tmp_path):
    values = np.array([[100.0, 200.0], [150.0, 260.0], [90.0, 80.0]])
    path = write_matrix(tmp_path / "m.tsv", ["IL6", "IL6", "TNF"], ["a", "b"], values)
    ingest_expression(matrix=path, unit="intensity", out=tmp_path / "l.tsv")
    assert list(read_levels(tmp_path / "l.tsv")["IL6"]) == [150, 260]


def test_counts_per_million_are_normalized_as_tpm_are(tmp_path):
    made = {}
    for unit in ("tpm", "cpm"):
        levels(tmp_path, KINDS["tpm"], unit)
        normalize_expression(levels=tmp_path / "l.parquet", out=tmp_path / f"{unit}.tsv")
        made[unit] = (tmp_path / f"{unit}.tsv").read_bytes()
    assert made["tpm"] == made["cpm"]


def test_a_pile_of_one_lowest_log2_value_is_its_floor():
    """Of log2(x + 1) it is one for all, of voom's values one of each sample, of an array there is none."""
    logged, depth = np.log2(PANEL * (PANEL > 60) + 1.0), np.array([0.0, -1.5, 0.25, 2.0])
    np.testing.assert_array_equal(floors(logged), np.zeros(4))
    np.testing.assert_array_equal(floors(logged + depth), depth)
    assert np.isnan(floors(KINDS["log2, of an array"])).all()
    assert np.isnan(floors(np.full((5, 4), np.nan))).all()


def test_log2_values_at_their_floor_are_reported(tmp_path, capsys):
    logged = np.log2(PANEL * (PANEL > 60) + 1.0)
    (said,) = set(levels(tmp_path, logged, "log2")["format"])
    assert "of the values are at one lowest value" in said
    normalize_expression(levels=tmp_path / "l.parquet", out=tmp_path / "n.tsv", report=tmp_path / "n.json")
    assert '"floor": null' in (tmp_path / "n.json").read_text()
    assert '"floored_share": 0.0' not in (tmp_path / "n.json").read_text()


def test_missing_values_are_no_evidence():
    evidence = Evidence(2)
    evidence.add(np.array([[20.5, np.nan], [30.25, 25.0]]))
    assert (list(evidence.given), list(evidence.total)) == ([2, 1], [50.75, 25.0])
    assert (list(evidence.least), list(evidence.most)) == ([20.5, 25.0], [30.25, 25.0])
    assert evidence.look() == "ct"
