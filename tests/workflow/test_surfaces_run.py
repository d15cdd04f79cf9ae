"""A small study with surfaces and images as CAT12 writes them, from files to maps, tables and report."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import yaml

import cat12_files as made
from pniflow.contracts import read_table
from pniflow.imaging.cat12 import template
from workflow.runs import in_clone, knowledge_named, knowledge_opened, said

pytestmark = pytest.mark.xdist_group("surfaces")  # one worker runs the study once

N = template.VERTICES["32k"]
PEOPLE = 12
SESSIONS = ("ses-pre", "ses-post")
LABELS = {"image": "seeds.nii", "table": "seeds.tsv", "atlas": "seeds"}
STUDY = {
    "title": "Surfaces of a few",
    "simulated": True,
    "sessions": {"ses-pre": {"label": "before"}, "ses-post": {"label": "after"}},
    "cat12": {"folder": "cat12", "lesion_handling": "none", "surfaces": {}, "voxels": {}, "labels": LABELS},
}
MODELS = {
    "version": 1,
    "defaults": {"session": {"reference": "ses-pre"}},
    "families": {
        "volume": {"role": "primary", "adjust": "bh"},
        "surface": {"role": "primary", "adjust": "max_t"},
    },
    "models": [
        {"name": "change", "outcomes": ["tiv", "seeds.Seed.both.gm_volume"], "fixed": ["session"],
         "test": {"volume": ["session"]}},
        {"name": "loss", "voxels": "gm_volume", "fixed": ["session"], "test": {"surface": ["session"]}},
        {"name": "thinning", "surface": "thickness", "fixed": ["session"], "test": {"surface": ["session"]}},
    ],
}  # fmt: skip


MADE = [
    "results/models/estimates.tsv",
    "results/models/voxels/peaks.tsv",
    "results/figures/surface.json",
    "results/figures/voxels.json",
]


def overlay(folder: Path, stem: str, values: np.ndarray, triangles: np.ndarray) -> None:
    """Write thickness resampled to 32k: points, triangles and values of both sides in one .dat file."""
    name = f"s12.mesh.thickness.resampled_32k.{stem}"
    arrays = [
        ("POINTSET", "FLOAT32", np.zeros((2 * N, 3), "<f4")),
        ("TRIANGLE", "INT32", triangles.astype("<i4")),
        ("NONE", "FLOAT32", values.astype("<f4")),
    ]
    text, content = "", b""
    for intent, kind, array in arrays:
        dims = " ".join(f'Dim{place}="{size}"' for place, size in enumerate(array.shape))
        text += (
            f'<DataArray Intent="NIFTI_INTENT_{intent}" DataType="NIFTI_TYPE_{kind}"'
            f' Encoding="ExternalFileBinary" ArrayIndexingOrder="RowMajorOrder"'
            f' Dimensionality="{array.ndim}" {dims} Endian="LittleEndian"'
            f' ExternalFileName="{name}.dat" ExternalFileOffset="{len(content)}"><Data></Data></DataArray>'
        )
        content += array.tobytes()
    doctype = '<!DOCTYPE GIFTI SYSTEM "http://www.nitrc.org/frs/download.php/115/gifti.dtd">'
    document = f'<?xml version="1.0" encoding="UTF-8"?>{doctype}<GIFTI Version="1.0">{text}</GIFTI>'
    made.write(folder, {f"surf/{name}.gii": document, f"surf/{name}.dat": content})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the study: 12 people, of whom the left anterior insula gets thinner by 0.4 mm."""
    place = tmp_path_factory.mktemp("surfaces")
    rng = np.random.default_rng(5)
    triangles = template.both_triangles()
    labels, names = template.annotation("left", "aparc_a2009s")
    insula = np.concatenate(
        [np.isin(labels, [names.index("S_circular_insula_ant")]), np.zeros(N, dtype=bool)]
    )
    for number in range(PEOPLE):
        person = 2.5 + rng.normal(0, 0.2, 2 * N)
        for session in SESSIONS:
            stem = f"sub-{number + 1:02d}_{session}_T1w"
            files = made.good_scan(stem)
            files[f"report/cat_{stem}.xml"] = made.report(tiv=f"{1400 + 10 * number + rng.normal():.1f}")
            made.write(place / "cat12", files)
            values = person + rng.normal(0, 0.1, 2 * N) - 0.4 * insula * (session == "ses-post")
            overlay(place / "cat12", stem, values, triangles)
            grey = nibabel.Nifti1Image(rng.uniform(0.2, 0.8, (8, 9, 7)).astype(np.float32), np.eye(4) * 3)
            (place / "cat12/mri").mkdir(exist_ok=True)
            for prefix in ("smwp1", "mwp1"):
                nibabel.save(grey, place / f"cat12/mri/{prefix}{stem}.nii")
    seeds = np.zeros((8, 9, 7), dtype=np.int16)
    seeds[2:4, 3:5, 1:4] = 5
    nibabel.save(nibabel.Nifti1Image(seeds, np.eye(4) * 3), place / "seeds.nii")
    (place / "seeds.tsv").write_text("label\tregion\themisphere\n5\tSeed\tboth\n")
    for name, document in (("study", STUDY), ("models", MODELS), ("config", {"maps": {"permutations": 40}})):
        (place / f"{name}.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    run = in_clone(
        *MADE,
        "--cores",
        "2",
        "--configfile",
        place / "config.yaml",
        directory=place,
        opened=place / "opened.txt",
    )
    assert run.returncode == 0, said(run)
    return place / "results"


def test_regions_of_an_own_label_image_are_measures(folder: Path) -> None:
    measures = read_table(folder / "cohort/measures.parquet", "measures").set_index("measure")
    seed = measures.loc["seeds.Seed.both.gm_volume"]
    assert len(seed) == PEOPLE * len(SESSIONS)
    assert set(seed["unit"]) == {"ml"}
    assert seed["value"].between(12 * 0.027 * 0.2, 12 * 0.027 * 0.8).all()
    estimates = read_table(folder / "models/estimates.tsv", "estimates")
    assert "seeds.Seed.both.gm_volume" in set(estimates["outcome"])


def test_the_insula_is_found_and_named(folder: Path) -> None:
    peaks = read_table(folder / "models/surfaces/peaks.tsv", "peaks")
    first = peaks.iloc[0]
    assert (first["hemisphere"], first["region"]) == ("left", "S_circular_insula_ant")
    assert first["estimate"] == pytest.approx(-0.4, abs=0.15)
    assert first["p_tfce"] == pytest.approx(1 / 41)  # the smallest of 40 random flips and none
    clusters = read_table(folder / "models/surfaces/clusters.tsv", "clusters")
    largest = clusters[clusters["correction"] == "tfce"].iloc[0]
    assert (largest["direction"], largest["extent_unit"]) == ("decrease", "mm2")
    assert largest["regions"].startswith("S_circular_insula_ant")
    vertices, _ = template.hemisphere("left")
    place = vertices[int(first["vertex"])]
    np.testing.assert_allclose(first[["x", "y", "z"]].astype(float), place, atol=0.006)


def test_the_medial_wall_is_masked_in_the_maps(folder: Path) -> None:
    for side, half in template.HALVES.items():
        image = nibabel.load(
            folder / f"models/surfaces/maps/{half}.t.resampled_32k.thinning.session.func.gii"
        )
        np.testing.assert_array_equal(np.isnan(image.darrays[0].data), template.medial_wall(side))


def test_voxels_without_an_effect_are_not_shown_to_differ(folder: Path) -> None:
    assert len(read_table(folder / "models/voxels/clusters.tsv", "clusters")) == 0
    peaks = read_table(folder / "models/voxels/peaks.tsv", "peaks")
    assert peaks[["model", "outcome", "elements"]].values.tolist() == [["loss", "gm_volume", 8 * 9 * 7]]
    assert peaks["note"].iloc[0] == "not shown to differ at any voxel: family-wise p at least 0.05"
    t = nibabel.load(folder / "models/voxels/maps/t.loss.session.nii.gz").get_fdata()
    assert np.nanmax(np.abs(t)) == pytest.approx(abs(peaks["statistic"].iloc[0]), rel=1e-6)


def test_estimates_hold_the_measures_alone(folder: Path) -> None:
    assert set(read_table(folder / "models/estimates.tsv", "estimates")["model"]) == {"change"}


def test_the_figure_shows_the_map(folder: Path) -> None:
    about = json.loads((folder / "figures/surface.json").read_text())
    assert about["keys"] == ["thinning/thickness/session"]
    assert about["n"] == PEOPLE
    assert about["simulated"]
    assert "lies in the left hemisphere (S_circular_insula_ant)." in about["alt"]
    assert "Change of cortical thickness (after minus before): by threshold-free" in about["alt"]
    assert (folder / "figures/surface.svg").stat().st_size < 3_000_000


def test_the_report_is_planned_with_the_map(folder: Path) -> None:
    plan = in_clone("-n", "-p", "--configfile", folder.parent / "config.yaml", directory=folder.parent)
    command = next(line for line in said(plan).splitlines() if "pniflow render-report" in line)
    tables = "results/models/surfaces"
    voxels = "--voxel-peaks results/models/voxels/peaks.tsv"
    for word in (f"--peaks {tables}/peaks.tsv", f"--clusters {tables}/clusters.tsv", voxels, "surface.json"):
        assert word in command


def test_jobs_open_only_the_knowledge_that_their_rules_name(folder: Path) -> None:
    place = folder.parent
    opened = knowledge_opened(place / "opened.txt")
    named = knowledge_named("--configfile", place / "config.yaml", directory=place)
    assert {"fit_surface", "fit_voxels", "plot_surface"} <= set(named)
    assert {rule: files for rule in named if (files := opened.get(rule, set()) - named[rule])} == {}
