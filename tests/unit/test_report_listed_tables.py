"""Tables beside the estimates stand in their sections, number by number; a study's own labels come first."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

import made_results as made
from called import call
from pniflow import contracts
from pniflow.contracts import write_table
from pniflow.files import write_text
from pniflow.report.blocks import Number, plain
from pniflow.report.interpretation import Context
from pniflow.report.render_report import render_report
from pniflow.report.run_results import Results
from pniflow.report.sections.ctra import over_genes
from pniflow.report.sections.mri import maps
from pniflow.report.sections.quality import samples
from pniflow.report.sections.sensitivity import design
from pniflow.resources import searched
from pniflow.text import labels, wording
from report_pages import Page

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
GENES = pd.DataFrame(
    {
        "gene": ["IL1A", "IFNB1", "MX1", "IGLL1"],
        "component": ["inflammatory", "interferon", "interferon", "antibody"],
        "weight": [1.0, -1, -1, -1],
        "status": ["used", "used", "used", "absent"],
        "near_floor": [True, True, False, None],
        "low_variance": False,
    }
)
SESSIONS = {"ses-pre": "before", "ses-post": "after", "ses-fu": "six months"}
DESIGN = pd.DataFrame(
    {
        "design": 1,
        "models": "change_pro",
        "outcomes": "pss10 gad7",
        "families": "pro_change",
        "term": "session",
        "n_participants": 21,
        "n_pairs": 20,
        "n_observations": 41,
        "icc": 0.5,
        "effect": [0.0, 0.5, 0.0],
        "effect_unit": "SD",
        "method": ["kenward_roger", "kenward_roger", "wald_z"],
        "draws": 1000,
        "alpha": 0.05,
        "rejection": [0.0512, 0.634, 0.081],
        "mc_error": 0.007,
        "detectable_80": 0.6249,
    }
)
CLUSTERS = pd.DataFrame(
    {
        "model": ["m"],
        "outcome": ["thickness"],
        "term": ["session"],
        "correction": ["tfce"],
        "hemisphere": ["left"],
        "cluster": [1],
        "size": [120],
        "extent": [85.25],
        "p_tfce": [0.0004],
        "n_participants": [20],
        "n_observations": [40],
        "elements": [20484],
    }
)


def write(folder: Path, **frames: pd.DataFrame) -> dict[str, Path]:
    for name, frame in frames.items():
        rules = {"design": "design_checks", "genes": "ctra_genes"}.get(name, name.removeprefix("voxel_"))
        for field in contracts.contract(rules)["fields"]:
            frame = frame if field["name"] in frame else frame.assign(**{field["name"]: None})
        write_table(frame, folder / f"{name}.tsv", rules)
    return {name: folder / f"{name}.tsv" for name in frames}


def run(**tables: pd.DataFrame) -> Results:
    return Results({}, [], Context(SESSIONS, {}), tables=tables)


def numbers(table) -> dict[tuple[str, str], str]:
    parts = [part for row in table.rows for cell in [row.head, *row.cells] for part in cell]
    return {(part.key, part.field): part.text for part in parts if isinstance(part, Number)}


@pytest.mark.parametrize(
    ("name", "frame", "section", "said"),
    [
        ("sample_quality", SAMPLES, "quality", "Blood samples assessed: 2; with something notable: 1."),
        ("over_genes", OVER_GENES, "ctra", "regression over genes (legacy, not for inference)"),
        ("genes", GENES, "ctra", "CTRA without genes near the floor: 2 of 3: IL1A, IFNB1."),
        ("design", DESIGN, "sensitivity", "What this design can show"),
        ("clusters", CLUSTERS, "mri", "Clusters of vertices"),
        ("peaks", pd.DataFrame({"model": pd.Series([], dtype=str)}), "mri",
         "Peaks over the cortical surface: none."),
        ("voxel_clusters", CLUSTERS, "mri", "Clusters of voxels, in the volume."),
        ("voxel_peaks", pd.DataFrame({"model": pd.Series([], dtype=str)}), "mri",
         "Peaks in the volume: none."),
    ],
)  # fmt: skip
def test_a_table_stands_in_its_section(name, frame, section, said, tmp_path):
    paths = write(tmp_path, **{name: frame})
    write_table(made.estimates(), tmp_path / "estimates.tsv", "estimates")
    write_table(made.measures(), tmp_path / "measures.parquet", "measures")
    call(
        render_report,
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
    table = over_genes(run(over_genes=OVER_GENES))[0].blocks[0]
    found = numbers(table)
    assert found["composite/pss10", "estimate"] == "−0.0123"
    assert found["composite/pss10", "p_value"] == ".0498"
    assert found["legacy_gls/pss10", "p_value"] == "<\u00a0.001"
    assert found["composite/pss10", "n_genes"] == "51"
    assert "higher CTRA = more adverse" in plain(table.note)


def test_words_of_a_table_that_only_insiders_know_are_explained():
    rows = OVER_GENES.assign(evidence="rejects 6 % of true nulls (FRED13)", p_permutation=0.04)
    table = over_genes(run(over_genes=rows))[0].blocks[0]
    assert "FRED13, FRED15: the published data GSE45330 and GSE55762" in plain(table.note)
    assert "FRED" not in plain(over_genes(run(over_genes=OVER_GENES))[0].blocks[0].note)
    assert "p (permutation)" in table.columns
    assert "Genes" in table.columns


@pytest.mark.parametrize(
    ("term", "said"),
    [
        ("session[ses-fu]", "six months minus before"),
        ("session[ses-post]", "after minus before"),
        ("session", "session"),
        ("pss10_within", "Perceived stress (PSS-10), within"),
        ("pss10", "Perceived stress (PSS-10)"),
    ],
)
def test_a_term_is_told_from_every_other(term, said):
    assert wording.predictor(term, SESSIONS) == said


def test_sessions_have_rows_of_their_own():
    rows = OVER_GENES.assign(term=["session[ses-post]", "session[ses-fu]"])
    table = over_genes(run(over_genes=rows))[0].blocks[0]
    text = [plain(cell) for row in table.rows for cell in [row.head, *row.cells]]
    assert {"after minus before", "six months minus before"} <= set(text)


def test_only_samples_with_something_notable_are_listed():
    text, table = samples(run(sample_quality=SAMPLES))
    assert plain(text.text) == "Blood samples assessed: 2; with something notable: 1."
    assert [plain(row.head) for row in table.rows] == ["S2"]
    assert numbers(table)["S2", "profile_correlation"] == "0.810"
    assert [plain(cell) for cell in table.rows[0].cells][1] == "before"


def test_a_studys_own_labels_and_keys_come_first(tmp_path):
    label_texts = (
        "measure\tlabel\tshort\tbetter\tunit\tsource\n"
        "pss10\tOur stress\tStress\tlower\tmarks\town\n"
        "ours\tOur list\tList\thigher\tmarks\town\n"
    )
    write_text(tmp_path / "labels" / "measures.tsv", label_texts)
    key = "name: ours\ntitle: Our own list\nscales: {ours_sum: {higher_is: better, title: sum of ours}}\n"
    write_text(tmp_path / "instruments" / "ours.yaml", key)
    with searched(tmp_path):
        assert labels.label("pss10").long == "Our stress"
        assert labels.label("ours").better == "higher"
        assert labels.label("ours_sum").long == "Sum of ours"
        assert labels.label("gad7").long == "Anxiety (GAD-7)"
    assert labels.label("pss10").long == "Perceived stress (PSS-10)"
    assert labels.label("ours_sum").long == "ours sum"


def test_power_stands_beside_the_error_of_the_studys_own_inference():
    (fold,) = design(run(design=DESIGN))
    (table,) = fold.blocks
    assert table.columns[4:7] == ["type-I error", "power at 0.50", "found in 80 %"]
    assert len(table.rows) == 1
    assert [plain(cell) for cell in table.rows[0].cells] == [
        "session", "21", "0.500", "0.051", "0.634", "0.625", "SD",
    ]  # fmt: skip
    assert ("1/session/0.5/0.5/kenward_roger", "rejection") in numbers(table)


def test_a_cluster_has_the_key_of_its_row():
    table = maps(run(clusters=CLUSTERS.assign(region=None)))[0]
    assert numbers(table)["m/thickness/session/tfce/1", "p_tfce"] == "<\u00a0.001"
    assert numbers(table)["m/thickness/session/tfce/1", "extent"] == "85.2"


GENES = pd.DataFrame(
    {
        "gene": ["IL6", "MX1"],
        "component": ["inflammatory", "interferon"],
        "weight": [1, -1],
        "term": "session",
        "unit": "z",
        "estimate": [0.1234567, -0.0456],
        "std_error": [0.04, 0.011],
        "p_value": [0.04996, 0.9995],
        "p_adjusted": [0.0999, 0.9995],
        "conf_low": [0.04, -0.07],
        "conf_high": [0.2, -0.02],
        "n_participants": [21, 20],
        "n_samples": [41, 40],
    }
)
PEAKS = CLUSTERS.drop(columns=["correction", "cluster", "size", "extent"]).assign(
    peak=1, estimate=0.0213, std_error=0.004, conf_low=0.013, conf_high=0.0296, p_value=0.0004, p_fwe=0.0498
)


def test_every_number_equals_its_table_at_its_shown_rounding(tmp_path):
    frames = {
        "sample_quality": SAMPLES,
        "over_genes": OVER_GENES,
        "gene_estimates": GENES,
        "design": DESIGN,
        "clusters": CLUSTERS,
        "peaks": PEAKS,
    }
    paths = write(tmp_path, **frames)
    write_table(made.estimates(), tmp_path / "estimates.tsv", "estimates")
    write_table(made.measures(), tmp_path / "measures.parquet", "measures")
    call(
        render_report,
        study=made.write_study(tmp_path),
        estimates=tmp_path / "estimates.tsv",
        measures=tmp_path / "measures.parquet",
        out=tmp_path / "report.html",
        **paths,
    )
    rows = {("sample_quality", "all"): {"sample_id": 2, "flags": 1}}
    for name, frame in frames.items():
        keys = contracts.contract({"design": "design_checks"}.get(name, name))["primaryKey"]
        for row in frame.to_dict("records"):
            rows[name, "/".join(str(row[key]) for key in keys)] = row
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    seen = set()
    for element in page.elements:
        table, text = element["at"].get("data-table"), element["text"]
        if table not in frames or text == "–":
            continue
        key, field = element["at"]["data-key"], element["at"]["data-field"]
        value = float(rows[table, key][field])
        if field.startswith("p_"):
            below, above = text[0] == "<", text[0] == ">"
            assert below == (value < 0.001)
            assert above == (value > 0.999)
            assert (value < 0.05) == (float(text.lstrip("<> \u00a0")) < 0.05)
        else:
            decimals = len(text.partition(".")[2])
            assert abs(float(text.replace("−", "-")) - value) <= 0.5 * 10.0**-decimals + 1e-12, (field, text)
        seen.add((table, field))
    assert {table for table, _ in seen} == set(frames)
    assert len(seen) >= 30
