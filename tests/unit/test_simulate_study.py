"""The raw files have the form of REDCap's, a sequencer's, CAT12's own; same seed, same bytes."""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import yaml

from pniflow import config
from pniflow.contracts import read_table
from pniflow.demo.scenario import Design
from pniflow.demo.simulate_study import simulate_study
from pniflow.demo.write_study import study_description, write_study
from pniflow.errors import InputError
from pniflow.resources import find


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "raw"
    simulate_study(out=folder, truth_participants=500)
    return folder


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not(raw: Path, tmp_path: Path) -> None:
    simulate_study(out=tmp_path / "again", truth_participants=500)
    assert digests(tmp_path / "again") == digests(raw)
    simulate_study(out=tmp_path / "again", seed=7, truth_participants=0)
    changed = digests(tmp_path / "again")
    assert changed["redcap/export.csv"] != digests(raw)["redcap/export.csv"]
    assert changed["rna/counts.tsv.gz"] != digests(raw)["rna/counts.tsv.gz"]


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="other than a simulated study"):
        simulate_study(out=tmp_path, participants=4, truth_participants=0)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_population_too_small_for_a_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--truth-participants is 3; 0 or at least 100 was expected"):
        simulate_study(out=tmp_path / "raw", truth_participants=3)
    assert not (tmp_path / "raw").exists()


def test_description_and_configuration_are_valid_and_the_demo_s_own(raw: Path, root: Path) -> None:
    shown = yaml.safe_load((root / "config" / "study.yaml").read_text())
    assert yaml.safe_load((raw / "study.yaml").read_text()) == shown == study_description(Design())
    config.read_study(raw / "study.yaml")
    own = config.checked(yaml.safe_load((raw / "config.yaml").read_text()), "config", "config.yaml")
    demo = config.checked(
        yaml.safe_load((root / "config" / "config.yaml").read_text()), "config", "config.yaml"
    )
    assert own["simulate"] is None and own["data"] == "."
    assert {key: value for key, value in own.items() if key != "simulate"} == {
        key: value for key, value in demo.items() if key != "simulate"
    }
    assert (raw / "models.yaml").read_bytes() == (root / "config" / "models.yaml").read_bytes()


def test_redcap_export_has_one_row_per_record_and_event_and_both_kinds_of_gaps(raw: Path) -> None:
    header, *rows = rows_of(raw / "redcap" / "export.csv")
    assert header[:2] == ["record_id", "redcap_event_name"]
    events = [row[1] for row in rows]
    assert events.count("baseline_arm_1") == 23 and events.count("week_8_arm_1") == 21
    assert len({tuple(row[:2]) for row in rows}) == len(rows)
    items = [
        k for k, name in enumerate(header) if re.fullmatch(r"(pss10|gad7|phq9|mfis|ucla|mhc|maia2)_\d+", name)
    ]
    assert len(items) == 10 + 7 + 9 + 21 + 20 + 14 + 37
    cells = [row[k] for row in rows for k in items]
    assert 0 < cells.count("") < 0.02 * len(cells) and 0 < cells.count("-99") < 0.02 * len(cells)
    assert {cell for cell in cells if cell not in ("", "-99")} == set("012345")


def test_dictionary_describes_every_field_without_wording(raw: Path) -> None:
    header, *rows = rows_of(raw / "redcap" / "dictionary.csv")
    described = [row[0] for row in rows]
    exported = rows_of(raw / "redcap" / "export.csv")[0]
    assert [
        name for name in exported if not name.endswith("_complete") and name != "redcap_event_name"
    ] == described
    assert len(header) == 18 and {len(row) for row in rows} == {18}
    labels = [row[4] for row in rows if row[1] != "demographics"]
    assert all(re.fullmatch(r"Placeholder for item \d+", label) for label in labels)
    stress = next(row for row in rows if row[0] == "pss10_4")
    assert stress[5] == "0, Answer 0 | 1, Answer 1 | 2, Answer 2 | 3, Answer 3 | 4, Answer 4"


def test_dictionary_has_the_columns_of_a_genuine_one(raw: Path, real_data: Path) -> None:
    genuine = rows_of(real_data / "redcap" / "longitudinal" / "dictionary.csv")[0]
    assert rows_of(raw / "redcap" / "dictionary.csv")[0] == genuine


def test_counts_hold_every_gene_of_the_scores_under_symbols_of_mixed_age(raw: Path) -> None:
    lines = gzip.decompress((raw / "rna" / "counts.tsv.gz").read_bytes()).decode().splitlines()
    table = [line.split("\t") for line in lines]
    symbols = {row[0] for row in table[1:]}
    assert len(symbols) == len(table) - 1 >= 2_000
    assert {"IL8", "IGJ", "IFIT1B", "IGLL3P"} <= symbols and not {"CXCL8", "JCHAIN"} & symbols
    for name, count in (("ctra53", 53), ("reference11", 11), ("leukocyte8", 8)):
        wanted = read_table(find("genes", name))
        assert len(wanted) == count
        old = {"CXCL8": "IL8", "JCHAIN": "IGJ"}
        assert {old.get(gene, gene) for gene in wanted["gene"]} <= symbols
    counts = np.array([row[1:] for row in table[1:]], dtype=np.int64)
    reads = counts.sum(axis=0)
    assert reads.min() > 5e6 and reads.max() < 20e6 and 8e6 < np.median(reads) < 12e6
    male = counts[[row[0] for row in table[1:]].index("RPS4Y1")]
    female = counts[[row[0] for row in table[1:]].index("XIST")]
    assert male.max() <= 2 and female.min() > 100


def test_samples_are_matched_by_name_and_not_by_position(raw: Path) -> None:
    samples = read_table(raw / "rna" / "samples.tsv")
    header = (
        gzip.decompress((raw / "rna" / "counts.tsv.gz").read_bytes()).decode().split("\n", 1)[0].split("\t")
    )
    assert header[1:] == samples["sample_id"].tolist()
    assert samples["participant_id"].tolist() != sorted(samples["participant_id"])
    assert samples.groupby("participant_id")["batch"].nunique().max() == 1


def scans(raw: Path) -> list[Path]:
    return sorted(path for path in (raw / "cat12").rglob("*.xml"))


def test_scans_of_the_longitudinal_pipeline_are_named_as_cat12_names_them(raw: Path) -> None:
    names = [path.name for path in scans(raw)]
    assert sum(bool(re.match(r"catROI_rsub-\d+_ses-(pre|post)_T1w\.xml$", name)) for name in names) == 2 * 17
    for prefix in ("cat_avg_", "catROIs_avg_", "catlong_"):
        assert sum(name.startswith(f"{prefix}sub-") for name in names) == 17
    beside = {
        path.parent.parent.parent.name for path in scans(raw) if "avg" in path.name or "catlong" in path.name
    }
    assert beside == {"ses-pre"}
    assert sum(bool(re.match(r"cat_sub-", name)) for name in names) == 5  # one scan only: no r


def test_no_scan_names_a_machine_or_a_user(raw: Path) -> None:
    for path in scans(raw):
        text = path.read_text()
        assert not re.search(r"(>|\s)(/|[A-Z]:\\)\w", text), path.name
        assert "<!" not in text


def test_reports_are_consistent_in_themselves(raw: Path) -> None:
    for path in (path for path in scans(raw) if path.name.startswith("cat_")):
        report = ET.parse(path).getroot()  # noqa: S314 (written by this test's own run)
        numbers = [
            float(word) for word in report.findtext("subjectmeasures/vol_abs_CGW", "").strip("[]").split()
        ]
        assert len(numbers) == 5
        assert sum(numbers) == pytest.approx(float(report.findtext("subjectmeasures/vol_TIV", "")), rel=1e-12)
        mark = {m.tag: float(m.text or "") for m in report.find("qualityratings") or []}
        if "avg" not in path.name:
            both = np.array([mark["NCR"], mark["res_RMS"]])
            assert mark["IQR"] == pytest.approx(np.mean(both**8) ** (1 / 8), rel=1e-12)
            assert mark["SIQR"] == pytest.approx(
                np.mean([*both**8, mark["res_ECR"] ** 8]) ** (1 / 8), rel=1e-12
            )
        raw_noise = float(report.findtext("qualitymeasures/NCR", ""))
        assert mark["NCR"] == pytest.approx(1 + 5 * (raw_noise - 0.0466) / (0.3949 - 0.0466), rel=1e-12)
        version = [report.findtext(f"software/{key}") for key in ("version_cat", "revision_cat")]
        assert version == ["12.8.1", "2041"]


def test_label_files_have_the_form_names_and_ids_of_genuine_ones(raw: Path, real_data: Path) -> None:
    genuine = ET.parse(real_data / "cat12" / "ixi" / "label" / "catROIs_IXI027-Guys-0710-T1.xml").getroot()  # noqa: S314
    own = ET.parse(next(path for path in scans(raw) if path.name.startswith("catROIs_r"))).getroot()  # noqa: S314
    assert own.tag == genuine.tag == "S"
    assert {atlas.tag for atlas in own} == {"aparc_DK40", "aparc_a2009s", "aparc_HCP_MMP1"}
    for atlas in own:
        real = genuine.find(atlas.tag)
        assert [part.tag for part in atlas] == [part.tag for part in real]
        assert [item.text for item in atlas.find("names")] == [item.text for item in real.find("names")]
        assert atlas.findtext("ids") == real.findtext("ids")
        values, measured = (part.findtext("data/thickness").strip("[]").split(" ") for part in (atlas, real))
        assert [value == "NaN" for value in values] == [value == "NaN" for value in measured]
    own = ET.parse(next(path for path in scans(raw) if path.name.startswith("catROI_r"))).getroot()  # noqa: S314
    for name in ("neuromorphometrics", "cobra"):
        table = (real_data / "cat12" / "atlases" / "volume_r2041" / f"{name}.csv").read_text().splitlines()
        wanted = [line.split(";")[:2] for line in table[1:]]
        atlas = own.find(name)
        assert [item.text for item in atlas.find("names")] == [row[1] for row in wanted]
        assert atlas.findtext("ids") == "[" + ";".join(row[0] for row in wanted) + "]"
        assert [part.tag for part in atlas.find("data")] == ["Vgm", "Vwm", "Vcsf"]
        assert len(atlas.findtext("data/Vgm").strip("[]").split(";")) == len(wanted)


def test_lesions_are_counted_in_voxels_of_a_cubic_millimetre(raw: Path) -> None:
    files = sorted((raw / "lst_ai").glob("*_lesion_stats.csv"))
    assert len(files) == 39
    for path in files:
        header, numbers = rows_of(path)
        assert header == ["Num_Lesions", "Num_Vox", "Lesion_Volume"]
        assert float(numbers[2]) == int(numbers[1]) and 50 < int(numbers[1]) < 100_000


def test_a_study_with_more_sessions_and_sites_is_described_and_readable(tmp_path: Path) -> None:
    write_study(Design(participants=9, sessions=3, sites=3), tmp_path / "raw", 0)
    study = config.read_study(tmp_path / "raw" / "study.yaml")
    assert list(study["sessions"]) == ["ses-pre", "ses-post", "ses-fu"]
    assert study["covariates"]["site"]["coding"] == {"1": "site 1", "2": "site 2", "3": "site 3"}
    rows = rows_of(tmp_path / "raw" / "redcap" / "export.csv")
    assert {row[rows[0].index("site")] for row in rows[1:] if row[1] == "baseline_arm_1"} == {"1", "2", "3"}
    assert "month_6_arm_1" in {row[1] for row in rows}
