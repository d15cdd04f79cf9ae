"""Sample quality: every check marks what it should, and nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from expression_files import column_of, counts, write_matrix, write_samples
from pniflow.contracts import read_table
from pniflow.errors import InputError
from pniflow.expression.assess_samples import assess_samples, concordance, robust_z
from pniflow.expression.ingest_expression import ingest_expression
from pniflow.expression.normalize_expression import normalize_expression
from pniflow.expression.people import of_samples, read_visits

PEOPLE = 10
SAMPLES = [f"s{n}" for n in range(2 * PEOPLE)]
GENOTYPE = ["ERAP2", "LILRA3", "GSTM1", "GSTT1", "HLA-DRB5", "BTNL3", "RPS26"]


def blood(seed=5):
    """Counts of women's blood: each person's genotype genes are high or low at both sessions."""
    rng = np.random.default_rng(seed)
    genes, values = counts(len(SAMPLES), seed)
    values = values * 40  # a library of millions
    table = pd.DataFrame(values, index=genes, columns=SAMPLES)
    high = np.array([[n >> bit & 1 for n in range(1, PEOPLE + 1)] for bit in (0, 1, 2, 3, 0, 1, 2)])
    table.loc[GENOTYPE] = rng.poisson(np.where(high, 400, 4).repeat(2, axis=1))
    table.loc["XIST"] = rng.poisson(500, len(SAMPLES))
    table.loc[["RPS4Y1", "DDX3Y", "KDM5D", "UTY", "EIF1AY"]] = 0
    table.loc[["CD19", "MS4A1"]] = rng.poisson(300, (2, len(SAMPLES)))
    return table


def assessed(table, folder, people=None, unit="counts"):
    path = write_matrix(folder / "m.tsv", list(table.index), SAMPLES, table.to_numpy())
    sheet = write_samples(folder / "samples.tsv", SAMPLES)
    ingest_expression(matrix=path, unit=unit, out=folder / "l.parquet", samples=sheet)
    normalize_expression(levels=folder / "l.parquet", out=folder / "n.parquet")
    options = {}
    if people is not None:
        people.to_csv(folder / "participants.tsv", sep="\t", index=False)
        options["participants"] = folder / "participants.tsv"
    assess_samples(
        levels=folder / "l.parquet",
        expression=folder / "n.parquet",
        samples=sheet,
        out=folder / "q.tsv",
        **options,
    )
    return read_table(folder / "q.tsv", "sample_quality").set_index("sample_id")


def flagged(quality, text):
    return list(quality.index[quality["flags"].fillna("").str.contains(text)])


def test_shares_and_levels_are_those_of_the_counts(tmp_path):
    table = blood()
    quality = assessed(table, tmp_path)
    size = table.sum()
    np.testing.assert_allclose(
        quality["globin_share"], table.loc[["HBA1", "HBA2", "HBB"]].sum() / size, rtol=1e-13
    )
    reference = table.loc[column_of("reference11")].mean() / size * 1e6
    np.testing.assert_allclose(quality["reference_level"], reference, rtol=1e-13)
    assert list(quality["top_gene"]) == list(table.idxmax())


def test_two_exchanged_tubes_of_women_are_seen_by_genotype_genes(tmp_path):
    table = blood()
    assert flagged(assessed(table, tmp_path), "nearer to another participant") == []
    swapped = table.copy()
    swapped[["s2", "s9"]] = table[["s9", "s2"]].to_numpy()
    quality = assessed(swapped, tmp_path)
    assert flagged(quality, "nearer to another participant") == ["s2", "s3", "s8", "s9"]
    assert quality.loc["s2", "other_participant"] == "sub-4"
    assert set(quality["sex_expressed"]) == {"female"}


def test_a_mans_blood_recorded_as_a_womans_is_marked(tmp_path):
    table = blood()
    table.loc["XIST", "s6"] = 0
    table.loc[["RPS4Y1", "DDX3Y", "KDM5D", "UTY", "EIF1AY"], "s6"] = 200
    people = pd.DataFrame(
        {
            "participant_id": [f"sub-{n}" for n in range(PEOPLE)],
            "sex": ["f", "F", "female", "w", "Female"] * 2,
        }
    )
    quality = assessed(table, tmp_path, people)
    assert flagged(quality, "sex differs from the record") == ["s6"]
    assert quality.loc["s6", "sex_expressed"] == "male"


def array(men=()):
    """Log2 intensities of women's blood and some men's: of the Y-linked genes only RPS4Y1 tells them apart.

    The others lie at the background; the probe of DDX3Y answers to DDX3X in everybody.
    """
    rng = np.random.default_rng(3)
    table = np.log2(blood() + 64)
    table.loc[["RPS4Y1", "KDM5D", "UTY", "EIF1AY"]] = rng.normal(6.9, 0.1, (4, len(SAMPLES)))
    table.loc["DDX3Y"] = rng.normal(11, 0.2, len(SAMPLES))
    table.loc["XIST"] = rng.normal(11, 0.2, len(SAMPLES))
    table.loc["XIST", list(men)] = rng.normal(7, 0.1, len(men))
    table.loc["RPS4Y1", list(men)] = rng.normal(12, 0.1, len(men))
    return table


def test_on_arrays_a_y_linked_gene_that_differs_tells_a_mans_tube(tmp_path):
    people = pd.DataFrame({"participant_id": [f"sub-{n}" for n in range(PEOPLE)], "sex": "female"})
    quality = assessed(array(["s6"]), tmp_path, people, "log2")
    assert flagged(quality, "sex") == ["s6"]
    assert quality.loc["s6", "sex_expressed"] == "male"
    assert set(quality["sex_expressed"].drop("s6")) == {"female"}


def test_on_an_array_of_one_sex_no_probe_makes_another_of_it(tmp_path):
    people = pd.DataFrame({"participant_id": [f"sub-{n}" for n in range(PEOPLE)], "sex": "female"})
    assert flagged(assessed(array(), tmp_path, people, "log2"), "sex") == []


def test_a_persons_samples_of_two_sexes_are_marked_without_a_record(tmp_path):
    assert flagged(assessed(array(["s6"]), tmp_path, unit="log2"), "between the person's samples") == [
        "s6",
        "s7",
    ]
    couple = array(["s6", "s7"])
    assert flagged(assessed(couple, tmp_path, unit="log2"), "between the person's samples") == []


def test_a_library_of_globin_is_marked_by_that_name(tmp_path):
    table = blood()
    assert flagged(assessed(table, tmp_path), "globin") == []
    table.loc["HBB", "s7"] = int(table["s7"].sum() * 4)
    table.loc["HBA1", "s8"] = int(table["s8"].sum() * 0.4)
    quality = assessed(table, tmp_path)
    assert flagged(quality, "globin above half of the library") == ["s7"]
    assert flagged(quality, "outlying share of globin") == ["s7", "s8"]


def test_b_cells_in_spite_of_depletion_are_marked(tmp_path):
    table = blood()
    table.loc[["CD19", "MS4A1"], SAMPLES[:4]] = 2
    depleted = ["yes", "yes", "yes", *["no"] * 7]
    people = pd.DataFrame(
        {"participant_id": [f"sub-{n}" for n in range(PEOPLE)], "b_cell_depletion": depleted}
    )
    quality = assessed(table, tmp_path, people)
    assert flagged(quality, "B cells in spite of depletion") == ["s4", "s5"]


def test_depletion_can_be_recorded_session_by_session(tmp_path):
    """Sub-0 was treated between the sessions; s1 lost its B cells, and s3, recorded as depleted, did not."""
    sheet = pd.DataFrame(
        {
            "participant_id": ["sub-0", "sub-0", "sub-1", "sub-2"],
            "session_id": [f"ses-{letter}" for letter in "abba"],
        }
    )
    (tmp_path / "sessions.tsv").write_text(
        "participant_id\tsession_id\tday\tb_cell_depletion\tb_cell_depletion_flag\n"
        "sub-0\tses-a\t0\t\tno\nsub-0\tses-b\t60\t20\tyes\nsub-1\tses-b\t60\t\t\n"
    )
    people = pd.DataFrame({"b_cell_depletion": ["no", "yes"]}, index=["sub-0", "sub-1"])
    found = of_samples("b_cell_depletion", sheet, people, read_visits(tmp_path / "sessions.tsv"))
    assert found.fillna("").tolist() == ["no", "yes", "yes", ""]


def test_lost_b_cells_that_nobody_recorded_are_marked(tmp_path):
    table = blood()
    table.loc[["CD19", "MS4A1"], ["s4", "s5"]] = 2
    people = pd.DataFrame({"participant_id": [f"sub-{n}" for n in range(PEOPLE)], "b_cell_depletion": False})
    quality = assessed(table, tmp_path, people)
    assert flagged(quality, "few B cells without a record of depletion") == ["s4", "s5"]
    assert set(quality["b_cell_depletion"]) == {"no"}


@pytest.mark.parametrize(
    ("column", "code", "sentence"),
    [("sex", 2, "sex of sub-0 is '2'; female or male"), ("b_cell_depletion", "OCR", "is 'OCR'; yes or no")],
)
def test_a_code_without_its_meaning_is_refused(tmp_path, column, code, sentence):
    people = pd.DataFrame({"participant_id": [f"sub-{n}" for n in range(PEOPLE)], column: code})
    with pytest.raises(InputError, match=sentence):
        assessed(blood(), tmp_path, people)


def test_an_exchange_between_two_of_few_people_is_seen():
    """Of two people at two sessions all four samples are then far from their own."""
    rng = np.random.default_rng(1)
    values = np.repeat([[0.0, 4], [5, 0], [3, 3], [1, 5]], 2, axis=1) + rng.normal(0, 0.2, (4, 4))
    labels = ["a", "b", "b", "a"]
    own, other, _, between = concordance(values, labels)
    assert ((own > other) & (own > between / 2)).all()
    own, other, _, between = concordance(values, ["a", "a", "b", "b"])
    assert not ((own > other) | (own > between / 2)).any()


def test_samples_that_are_all_alike_have_no_outlier(tmp_path):
    """Of nearly equal numbers some are far by the robust z, though they differ by a hundredth."""
    table = blood()
    alike = [gene for gene in table.index if gene not in GENOTYPE]
    table.loc[alike] = table.loc[alike, ["s0"]].to_numpy()
    table.loc["OTHER1"] = 1000
    table.loc["OTHER1", ["s0", "s1", "s2"]] = [1001, 1003, 1400]
    assert assessed(table, tmp_path)["flags"].isna().all()


def test_an_outlying_sample_is_marked_by_what_is_outlying(tmp_path):
    table = blood()
    table.loc["HBB", "s7"] = int(table["s7"].sum() * 3)
    quality = assessed(table, tmp_path)
    assert flagged(quality, "outlying share of one gene") == ["s7"]
    assert quality.loc["s7", "top_gene"] == "HBB"
    assert quality.loc["s7", "globin_share"] > 0.7


def test_further_columns_of_the_sample_table_are_not_lost(tmp_path):
    quality = assessed(blood(), tmp_path)
    assert {"participant_id", "session_id", "batch", "label", "format"} <= set(quality.columns)
    assert len(quality) == len(SAMPLES)


def test_without_recorded_sex_or_treatment_nothing_is_said_about_them(tmp_path):
    quality = assessed(blood(), tmp_path)
    assert quality[["sex_recorded", "b_cell_depletion"]].isna().all().all()
    assert flagged(quality, "sex|B cells") == []


def test_concordance_is_the_distance_to_ones_own_and_to_the_nearest_other():
    values = np.array([[0.0, 1, 10, 12, 5], [0, 1, 10, 12, 5], [0, 1, 10, 12, 5]])
    own, other, who, between = concordance(values, ["a", "a", "b", "b", "c"])
    np.testing.assert_allclose(own[:4], [1, 1, 2, 2])
    assert np.isnan(own[4])
    np.testing.assert_allclose(other, [5, 4, 5, 7, 4.5])
    assert who == ["c", "c", "c", "c", "a"]
    assert between == pytest.approx(np.mean([11, 5, 10, 4, 9.5, 5, 11.5, 7, 4.5, 6]))


def test_concordance_needs_at_least_three_genes():
    own, other, who, _ = concordance(np.ones((2, 4)), ["a", "a", "b", "b"])
    assert np.isnan(own).all()
    assert np.isnan(other).all()
    assert who == [None] * 4


def test_robust_z_is_by_median_and_mad():
    values = np.array([1.0, 2, 3, 4, 100])
    np.testing.assert_allclose(robust_z(values), 0.6745 * (values - 3) / 1)
    assert np.isnan(robust_z(np.ones(5))).all()


@pytest.mark.parametrize("unit", ["tpm", "log2"])
def test_other_units_are_assessed_by_what_they_have(tmp_path, unit):
    table = blood() / blood().sum() * 1e6 if unit == "tpm" else np.log2(blood() + 0.5)
    path = write_matrix(tmp_path / "m.tsv", list(table.index), SAMPLES, table.to_numpy())
    sheet = write_samples(tmp_path / "samples.tsv", SAMPLES)
    ingest_expression(matrix=path, unit=unit, out=tmp_path / "l.tsv", samples=sheet)
    normalize_expression(levels=tmp_path / "l.tsv", out=tmp_path / "n.tsv")
    assess_samples(
        levels=tmp_path / "l.tsv", expression=tmp_path / "n.tsv", samples=sheet, out=tmp_path / "q.tsv"
    )
    quality = read_table(tmp_path / "q.tsv", "sample_quality")
    assert quality["library_size"].isna().all()
    assert quality["top_gene_share"].notna().all() == (unit == "tpm")
    assert quality["flags"].isna().all()
    assert quality["own_distance"].notna().all()
    assert set(quality["sex_expressed"]) == {"female"}


def test_a_panels_own_housekeeping_genes_stand_for_absent_reference_genes(tmp_path):
    """Cycles are held with their sign turned, so that higher is more expression."""
    rows = "IL6\t30\t28\t31\t29\nTNF\t25\t27\t26\t26\nGAPDH\t20\t21\t20\t22\nB2M\t18\t18\t17\t19\n"
    (tmp_path / "ct.tsv").write_text("gene\ts0\ts1\ts2\ts3\n" + rows)
    sheet = write_samples(tmp_path / "samples.tsv", ["s0", "s1", "s2", "s3"])
    options = {"unit": "ct", "housekeeping": ["GAPDH", "B2M"], "samples": sheet}
    ingest_expression(matrix=tmp_path / "ct.tsv", out=tmp_path / "l.tsv", **options)
    normalize_expression(levels=tmp_path / "l.tsv", out=tmp_path / "n.tsv")
    assess_samples(
        levels=tmp_path / "l.tsv", expression=tmp_path / "n.tsv", samples=sheet, out=tmp_path / "q.tsv"
    )
    quality = read_table(tmp_path / "q.tsv", "sample_quality")
    assert list(quality["reference_level"]) == [-19, -19.5, -18.5, -20.5]
