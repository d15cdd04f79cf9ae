"""Real blood: four laboratories' data from their own files to scores, and known biology in them."""

from __future__ import annotations

import csv
import gzip

import numpy as np
import pandas as pd
import pytest

from expression_files import column_of
from pniflow.cli import main
from pniflow.contracts import read_table
from pniflow.errors import InputError
from pniflow.expression.assess_samples import assess_samples
from pniflow.expression.ingest_expression import ingest_expression, read_levels
from pniflow.expression.normalize_expression import normalize_expression
from pniflow.expression.score_ctra import score_ctra

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def files(real_data):
    return real_data / "expression"


def score(folder, expression, **options):
    score_ctra(expression=expression, scores=folder / "scores.tsv", genes=folder / "genes.tsv", **options)
    return (
        read_table(folder / "scores.tsv", "ctra_scores").set_index("sample_id"),
        read_table(folder / "genes.tsv", "ctra_genes").set_index("gene"),
    )


def from_matrix(path, unit, folder, **options):
    ingest_expression(
        matrix=path, unit=unit, out=folder / "levels.parquet", genes=folder / "match.tsv", **options
    )
    normalize_expression(levels=folder / "levels.parquet", out=folder / "normalized.parquet")
    return score(folder, folder / "normalized.parquet")


def read_plain(path, short_header=False):
    """Read a matrix with Python alone."""
    with gzip.open(path, "rt") as stream:
        rows = list(csv.reader(stream, delimiter="\t"))
    header = rows[0] if short_header else rows[0][1:]
    return pd.DataFrame([row[1:] for row in rows[1:]], [row[0] for row in rows[1:]], header, dtype=float)


def recomputed(table, names=None):
    """Score log2 values (genes x samples) by the definition, with pandas alone."""
    rows = [
        (gene, part, -1.0 if part != "inflammatory" else 1.0)
        for gene, part in zip(column_of("ctra53"), column_of("ctra53", "component"), strict=True)
    ]
    kept = [row for row in rows if row[0] in table.index and table.loc[row[0]].nunique() > 1]
    level = table.loc[[gene for gene, _, _ in kept]]
    z = level.sub(level.mean(axis=1), axis=0).div(level.std(axis=1, ddof=1), axis=0)
    weight = [w for _, _, w in kept]
    result = {"ctra_mean_z": z.mul(weight, axis=0).mean(), "ctra_mean_log2": level.mul(weight, axis=0).mean()}
    for part in ("inflammatory", "interferon", "antibody"):
        result[part] = z[[p == part for _, p, _ in kept]].mean()
    return result


FORMER = {"IGJ": "JCHAIN", "IL8": "CXCL8", "IGLL3": "IGLL3P", "IFIT1L": "IFIT1B", "C15orf24": "EMC7"}


def test_gse127530_from_counts_to_scores_with_all_genes(files, tmp_path):
    path = files / "gse127530/fixed_combinedCounts.txt.gz"
    scores, genes = from_matrix(path, "counts", tmp_path)
    raw = read_plain(path, short_header=True).rename(index=FORMER)
    cpm = raw / raw.sum() * 1e6
    reference = cpm.loc[column_of("reference11")].mean()
    log2 = np.log2(np.maximum(cpm * reference.mean() / reference, 0.125))
    assert list(scores.index) == list(raw.columns)
    assert set(genes["status"]) == {"used"}
    assert set(scores["genes_used"]) == {53}
    for name, wanted in recomputed(log2).items():
        np.testing.assert_allclose(scores[name], wanted, atol=1e-12, err_msg=name)
    whole = 19 * scores["inflammatory"] - 31 * scores["interferon"] - 3 * scores["antibody"]
    np.testing.assert_allclose(scores["ctra_mean_z"], whole / 53, atol=1e-14)


def test_gse127530_symbols_of_mixed_age_are_matched_and_said(files, tmp_path):
    from_matrix(files / "gse127530/fixed_combinedCounts.txt.gz", "counts", tmp_path)
    match = read_table(tmp_path / "match.tsv", "gene_match").set_index("gene")
    assert list(match.index[match["status"] == "renamed"]) == ["JCHAIN"]
    assert match.loc["JCHAIN", "identifiers"] == "IGJ"
    assert set(match["status"]) == {"found", "renamed"}


def test_gse127530_labels_with_hyphens_meet_metadata_with_dots(files, tmp_path):
    with open(files / "gse127530/phenoData.txt", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    lines = ["sample_id\tparticipant_id\tsession_id\tbatch"]
    lines += [f"{row['Label']}\tsub-{row['Subject']}\tses-{row['Day']}{row['Time']}\t" for row in rows]
    (tmp_path / "samples.tsv").write_text("\n".join(lines) + "\n")
    from_matrix(
        files / "gse127530/fixed_combinedCounts.txt.gz", "counts", tmp_path, samples=tmp_path / "samples.tsv"
    )
    levels = read_levels(tmp_path / "levels.parquet")
    assert set(levels["sample_id"]) == {row["Label"] for row in rows}
    assert all(
        label.replace("-", ".") == sample
        for label, sample in zip(levels["label"], levels["sample_id"], strict=True)
    )


def test_hoek2015_tpm_scores_equal_an_independent_recomputation(files, tmp_path):
    path = files / "hoek2015/bulk.tsv.gz"
    scores, genes = from_matrix(path, "tpm", tmp_path)
    raw = read_plain(path).rename(index=FORMER)
    reference = raw.loc[column_of("reference11")].mean()
    log2 = np.log2(np.maximum(raw * reference.mean() / reference, 0.125))
    for name, wanted in recomputed(log2).items():
        np.testing.assert_allclose(scores[name], wanted, atol=1e-12, err_msg=name)
    assert list(genes.index[genes["status"] == "absent"]) == ["IFITM4P", "IGLL3P"]
    assert list(genes.index[genes["status"] == "constant"]) == ["IL1A"]


def test_antibody_expression_rises_seven_days_after_influenza_vaccine(files, tmp_path):
    scores, _ = from_matrix(files / "hoek2015/bulk.tsv.gz", "tpm", tmp_path)
    for person in ("HD30", "HD31"):
        assert scores.loc[f"{person}_PBMC_7", "antibody"] > scores.loc[f"{person}_PBMC_0", "antibody"]


def test_the_nanostring_panel_gives_parts_and_refuses_the_full_score(files, tmp_path, capsys):
    ingest_expression(matrix=files / "nanostring", unit="counts", out=tmp_path / "levels.tsv")
    normalize_expression(levels=tmp_path / "levels.tsv", out=tmp_path / "n.tsv")
    assert "panel's own housekeeping genes" in capsys.readouterr().err
    with pytest.raises(InputError, match="antibody component has none of its genes"):
        score(tmp_path, tmp_path / "n.tsv")
    scores, genes = score(tmp_path, tmp_path / "n.tsv", parts=True)
    assert scores["ctra"].isna().all()
    assert scores[["inflammatory", "interferon"]].notna().all().all()
    used = genes[genes["status"] == "used"]
    assert dict(used["component"].value_counts()) == {"inflammatory": 10, "interferon": 10}
    alone, _ = score(tmp_path, tmp_path / "n.tsv", gene_set="inflammatory19")
    np.testing.assert_allclose(alone["ctra"], scores["inflammatory"], atol=1e-14)


def test_nanostring_levels_are_the_files_counts(files, tmp_path):
    ingest_expression(matrix=files / "nanostring", unit="counts", out=tmp_path / "levels.tsv")
    levels = read_levels(tmp_path / "levels.tsv")
    for path, (_, row) in zip(sorted((files / "nanostring").glob("*.RCC")), levels.iterrows(), strict=True):
        probes = [
            line.split(",")
            for line in path.read_text().splitlines()
            if line.startswith(("Endogenous", "Housekeeping"))
        ]
        count = {name: float(value) for _, name, _, value in probes}
        assert row["sample_id"] == path.stem
        assert (row["CXCL8"], row["MX1"], row["TNF"]) == (count["IL8"], count["MX1"], count["TNF"])
        assert row["library_size"] == sum(count.values())


ACCEPTED = [
    ("star/ERR458837_subsamp_1ReadsPerGene.out.tab.gz", "counts", {}),
    ("htseq/Count.genes.HTseq.232902658.txt.gz", "counts", {}),
    ("rsem/ERR188021.genes.results.ensembl.gz", "tpm", {}),
    ("rsem/ERR188021.genes.results.refseq_symbol.gz", "counts", {}),
    ("rsem/ERR188297.genes.results.refseq_symbol.gz", "tpm", {}),
    ("salmon/ERR188021.quant.sf.gz", "tpm", {"tx2gene": "salmon/tx2gene.csv.gz"}),
    ("salmon/ERR188297.quant.sf.gz", "counts", {"tx2gene": "salmon/tx2gene.csv.gz"}),
    ("kallisto/ERR188021.abundance.tsv.gz", "tpm", {"tx2gene": "salmon/tx2gene.csv.gz"}),
    ("kallisto/ERR188297.abundance.tsv.gz", "tpm", {"tx2gene": "salmon/tx2gene.csv.gz"}),
]
REFUSED = {
    "affymetrix_probe_matrix/ALL_hgu95av2_rma_first12.tsv.gz": ("log2", "Affymetrix probe sets, not genes"),
    "affymetrix_probe_matrix/samples.tsv": ("counts", "human gene identifiers were expected"),
    "affymetrix_soft/GSM11805.txt.gz": ("log2", "GEO SOFT record"),
    "htseq/WTCHG_536273_229157.extra_attr.tsv.gz": ("counts", "human gene identifiers were expected"),
    "htseq/counts_with_header.head200.tsv": ("counts", "Ensembl ids of the mouse"),
    "nanostring_rcc_mini/20140604_C1-unstim_C1-unstim_01.RCC": (
        "counts",
        "no row name (the first is 'ACTG1')",
    ),
    "nanostring_rcc_mini/20140604_C3-stim_C3-stim_01.RCC": ("counts", "no row name (the first is 'ACTG1')"),
    "nanostring_rcc_mini/RCC_collector_tool_export.csv": ("counts", "no row name (the first is 'ACTG1')"),
    "nanostring_rcc_mini/NQCP_example.rlf": ("counts", "at least one sample were expected"),
    "nanostring_rcc_mini/SampleType.txt": ("counts", "no column of numbers"),
    "qpcr_ct/ct1.csv": ("ct", "first column holds numbers"),
    "qpcr_ct/ct2.csv": ("ct", "first column holds numbers"),
    "qpcr_ct/ct3.csv": ("ct", "first column holds numbers"),
    "qpcr_ct/ct4.csv": ("ct", "first column holds numbers"),
    "qpcr_ct/ct4_raw.tsv": ("ct", "first column holds numbers"),
    "salmon/samples.txt": ("tpm", "no column of numbers"),
    "salmon/tx2gene.csv.gz": ("tpm", "no column of numbers"),
}


def test_every_file_of_the_formats_is_accepted_or_refused(files):
    known = {name for name, _, _ in ACCEPTED} | set(REFUSED)
    assert {
        str(path.relative_to(files / "formats")) for path in (files / "formats").rglob("*") if path.is_file()
    } == known


@pytest.mark.parametrize(("name", "unit", "options"), ACCEPTED, ids=[name for name, _, _ in ACCEPTED])
def test_a_quantifiers_file_is_accepted(files, tmp_path, name, unit, options):
    folder = files / "formats"
    options = {key: folder / value for key, value in options.items()}
    ingest_expression(
        quantifications=[folder / name],
        unit=unit,
        out=tmp_path / "levels.tsv",
        genes=tmp_path / "match.tsv",
        **options,
    )
    match = read_table(tmp_path / "match.tsv", "gene_match").set_index("gene")["status"]
    needed = column_of("ctra53") + column_of("reference11") + column_of("leukocyte8")
    missing = {gene for gene in needed if match[gene] == "absent"}
    assert missing <= {"IGLL3P", "IFITM4P"}
    levels = read_levels(tmp_path / "levels.tsv")
    assert len(levels) == 1
    assert (
        levels["library_size"].iloc[0] == pytest.approx(1e6, rel=1e-4)
        if unit == "tpm"
        else levels["library_size"].iloc[0] > 5e4
    )


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_used_is_refused_with_a_sentence(files, tmp_path, capsys, name):
    unit, said = REFUSED[name]
    out = tmp_path / "levels.tsv"
    assert (
        main(
            [
                "ingest-expression",
                "--matrix",
                str(files / "formats" / name),
                "--unit",
                unit,
                "--out",
                str(out),
            ]
        )
        == 1
    )
    error = capsys.readouterr().err.strip()
    assert said in error
    assert name.rpartition("/")[2] in error
    assert len(error.splitlines()) == 1
    assert not out.exists()


def test_two_quantifiers_agree_on_the_same_reads(files, tmp_path):
    folder = files / "formats"
    level = {}
    for program, pattern in (("salmon", "*.sf.gz"), ("kallisto", "*.tsv.gz"), ("rsem", "*symbol.gz")):
        options = {} if program == "rsem" else {"tx2gene": folder / "salmon/tx2gene.csv.gz"}
        paths = sorted((folder / program).glob(pattern))
        ingest_expression(quantifications=paths, unit="tpm", out=tmp_path / "l.tsv", **options)
        level[program] = np.log2(read_levels(tmp_path / "l.tsv")[column_of("reference11")].to_numpy())
    for program in ("kallisto", "rsem"):
        assert np.corrcoef(level["salmon"].ravel(), level[program].ravel())[0, 1] > 0.9


def test_stars_strand_is_inferred_from_real_reads(files, tmp_path):
    path = files / "formats/star/ERR458837_subsamp_1ReadsPerGene.out.tab.gz"
    ingest_expression(quantifications=[path], unit="counts", out=tmp_path / "l.tsv")
    levels = read_levels(tmp_path / "l.tsv")
    with gzip.open(path, "rt") as stream:
        rows = [line.split("\t") for line in stream if not line.startswith("N_")]
    assert levels["library_size"].iloc[0] == sum(int(row[2]) for row in rows)
    assert levels["format"].iloc[0] == "star, forward (inferred: 95% of stranded reads are forward)"


COVARIATES = [
    "male",
    "age",
    "white",
    "bmi",
    "alcohol",
    "smoke",
    "illness",
    "cd3d",
    "cd3e",
    "cd4",
    "cd8a",
    "fcgr3a",
    "cd19",
    "ncam1",
    "cd14",
]


@pytest.fixture(scope="module")
def fred13(files):
    frame = pd.read_csv(files / "fred13/cole1_clean.txt", sep="\t")
    return frame.dropna(subset=["zhedonia", "zeudaimonia", *COVARIATES]).reset_index(drop=True)


def as_expression(frame, folder):
    genes = [column for column in frame.columns if column in column_of("ctra53", "published_symbol")]
    table = frame[genes].T.set_axis([f"p{n}" for n in range(len(frame))], axis=1)
    table.rename_axis("gene").reset_index().to_csv(folder / "fred13.tsv", sep="\t", index=False)
    return folder / "fred13.tsv"


def ols(y, x):
    """Estimates, standard errors and p-values of a regression, by numpy and scipy."""
    from scipy import stats

    beta, *_ = np.linalg.lstsq(x, y, rcond=None)
    df = len(y) - x.shape[1]
    covariance = np.linalg.inv(x.T @ x) * (np.sum((y - x @ beta) ** 2) / df)
    error = np.sqrt(np.diag(covariance))
    return beta, error, 2 * stats.t.sf(np.abs(beta / error), df)


@pytest.mark.parametrize(
    ("score_name", "wanted"),
    [
        (
            "ctra_mean_z",
            (("0.0251255", "0.08689821", "0.7735074"), ("-0.0630134", "0.09067159", "0.4898534")),
        ),
        (
            "ctra_mean_log2",
            (("0.01249744", "0.04191012", "0.7666190"), ("-0.02710147", "0.04372998", "0.5378524")),
        ),
    ],
)
def test_fred13_regressions_give_the_published_reanalysis_to_every_digit(
    fred13, tmp_path, score_name, wanted
):
    assert len(fred13) == 76
    scores, genes = score(tmp_path, as_expression(fred13, tmp_path))
    assert set(genes["status"]) == {"used"}
    x = np.column_stack([np.ones(76), fred13[["zhedonia", "zeudaimonia", *COVARIATES]]])
    beta, error, p = ols(scores[score_name].to_numpy(), x)
    for place, row in enumerate(wanted, start=1):
        for value, printed in zip((beta[place], error[place], p[place]), row, strict=True):
            decimals = len(printed.partition(".")[2])
            assert f"{value:.{decimals}f}" == printed


def phenotypes(files, exchange=()):
    with open(files / "gse127530/phenoData.txt", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    person = {row["Label"]: f"sub-{row['Subject']}" for row in rows}
    if exchange:
        first, second = exchange
        person[first], person[second] = person[second], person[first]
    lines = ["sample_id\tparticipant_id\tsession_id\tbatch"]
    return (
        "\n".join(lines + [f"{r['Label']}\t{person[r['Label']]}\tses-{r['Day']}{r['Time']}\t" for r in rows])
        + "\n"
    )


@pytest.mark.parametrize(
    "exchange", [(), ("S17.D1.3hr_S6", "S9.D2.3hr_S75")], ids=["as recorded", "two exchanged"]
)
def test_genotype_genes_tell_real_women_apart(files, tmp_path, exchange):
    sheet = tmp_path / "samples.tsv"
    sheet.write_text(phenotypes(files, exchange))
    matrix = files / "gse127530/fixed_combinedCounts.txt.gz"
    ingest_expression(matrix=matrix, unit="counts", out=tmp_path / "l.tsv", samples=sheet)
    normalize_expression(levels=tmp_path / "l.tsv", out=tmp_path / "n.tsv")
    assess_samples(
        levels=tmp_path / "l.tsv", expression=tmp_path / "n.tsv", samples=sheet, out=tmp_path / "q.tsv"
    )
    quality = read_table(tmp_path / "q.tsv", "sample_quality").set_index("sample_id")
    marked = quality.index[quality["flags"].fillna("").str.contains("nearer to another participant")]
    assert set(marked) == set(exchange)
    true_sex = {"S17": "female", "S9": "female", "S2": "male", "S21": "male", "S27": "male"}
    assert list(quality["sex_expressed"]) == [true_sex[label.split(".")[0]] for label in quality.index]


def over_genes(fred13, folder, *words, scale="z"):
    """Run the analyses over genes on FRED13, hedonia and eudaimonia standardized over the 76 people."""
    path = as_expression(fred13, folder)
    labels = [f"p{n}" for n in range(len(fred13))]
    rows = "".join(f"{label}\tsub-{label}\tses-1\t\n" for label in labels)
    (folder / "samples.tsv").write_text("sample_id\tparticipant_id\tsession_id\tbatch\n" + rows)
    people = fred13[["zhedonia", "zeudaimonia", *COVARIATES]].copy()
    for name in ("zhedonia", "zeudaimonia"):
        people[name] = (people[name] - people[name].mean()) / people[name].std(ddof=1)
    people.insert(0, "participant_id", [f"sub-{label}" for label in labels])
    people.to_csv(folder / "participants.tsv", sep="\t", index=False)
    command = ["fit-over-genes", "--expression", path, "--samples", folder / "samples.tsv", "--scale", scale]
    command += ["--participants", folder / "participants.tsv", "--out", folder / "o.tsv", *words]
    command += ["--predictors", "zhedonia", "zeudaimonia", "--covariates", *COVARIATES]
    assert main([str(word) for word in command]) == 0
    return read_table(folder / "o.tsv", "over_genes").set_index(["analysis", "term"])


def test_fred13_legacy_regression_gives_the_published_values_and_its_permutation_p_undoes_them(
    fred13, tmp_path
):
    draws = 149
    table = over_genes(fred13, tmp_path, "--legacy", "--permutations", draws)
    published = {
        "zhedonia": (0.53655, 0.17240, 3.112, 0.0019, 0.333),
        "zeudaimonia": (0.13537, 0.17658, 0.767, 0.443, 0.819),
    }
    for term, (estimate, error, statistic, p, permuted) in published.items():
        row = table.loc[("legacy_gls", term)]
        # Four significant digits: half a unit of the fourth.
        assert abs(row["estimate"] - estimate) < 5e-5
        assert abs(row["std_error"] - error) < 5e-5
        assert abs(row["statistic"] - statistic) < 5e-4
        assert abs(row["p_value"] - p) < 5e-4
        monte_carlo = np.sqrt(permuted * (1 - permuted) * (1 / draws + 1 / 902))
        assert abs(row["p_permutation"] - permuted) < 3 * monte_carlo
        assert row["note"] == f"correlation 0.847, log-likelihood -5297.93; {draws} permutations of people"


def test_fred13_composite_gives_the_published_least_squares(fred13, tmp_path):
    table = over_genes(fred13, tmp_path)
    for term, (estimate, error, p) in {
        "zhedonia": (0.0257, 0.0887, 0.7735),
        "zeudaimonia": (-0.0632, 0.0909, 0.490),
    }.items():
        row = table.loc[("composite", term)]
        assert abs(row["estimate"] - estimate) < 5e-5
        assert abs(row["std_error"] - error) < 5e-5
        assert abs(row["p_value"] - p) < 5e-4
        assert table.loc[("per_gene_bootstrap", term), "estimate"] == pytest.approx(
            row["estimate"], abs=1e-12
        )
        assert table.loc[("nested_gene_model", term), "estimate"] == pytest.approx(row["estimate"], abs=1e-9)
    log2 = over_genes(fred13, tmp_path, scale="log2")
    assert f"{log2.loc[('composite', 'zhedonia'), 'estimate']:.4f}" == "0.0128"
    assert f"{log2.loc[('composite', 'zhedonia'), 'std_error']:.4f}" == "0.0428"
    assert f"{log2.loc[('composite', 'zeudaimonia'), 'estimate']:.4f}" == "-0.0272"
    assert f"{log2.loc[('composite', 'zeudaimonia'), 'std_error']:.4f}" == "0.0438"


def test_fred13_variance_filter_keeps_the_published_eighteen_genes(fred13, tmp_path):
    scores, genes = score(tmp_path, as_expression(fred13, tmp_path))
    assert (~genes["low_variance"].astype(bool)).sum() == 18
    predictors = fred13[["zhedonia", "zeudaimonia"]]
    predictors = (predictors - predictors.mean()) / predictors.std(ddof=1)
    x = np.column_stack([np.ones(76), predictors, fred13[COVARIATES]])
    beta, error, _ = ols(scores["ctra_variance_filter"].to_numpy(), x)
    assert (f"{beta[2]:.4f}", f"{error[2]:.4f}") == ("-0.0690", "0.0998")
