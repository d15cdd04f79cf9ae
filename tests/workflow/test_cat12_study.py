"""A study with MRI alone, of labs that kept only tables: CAT12's own exports, FreeSurfer's longitudinal
subfields, raw images, a table of lesion volumes.
"""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest

import cat12_files as made
from workflow.runs import in_clone, knowledge_named, knowledge_opened, said

pytestmark = pytest.mark.xdist_group("cat12")  # one worker runs the study once

STUDY = """title: Tables of the brain
sessions: {ses-pre: {day: 0}, ses-post: {day: 56}}
cat12: {folder: cat12, lesion_handling: none}
freesurfer: {folder: freesurfer}
images: {folder: bids}
lesions:
  file: lesions.csv
  columns: {participant: id, session: visit, volume: TLV}
  unit: mm3
"""
PEOPLE = [f"sub-{number}" for number in range(1, 9)]
VISITS = ["ses-pre", "ses-post"]
PLACES = [(person, visit) for person in PEOPLE for visit in VISITS]


def brain() -> dict[str, np.ndarray]:
    """Return made-up numbers, people x visits: hippocampal heads (mm3), insula (mm, semicolons and decimal
    commas in the file), intracranial volume (ml), lesions (mm3).
    """
    random = np.random.default_rng(5)
    person = {"head": 1700, "insula": 3.5, "tiv": 1400, "lesion": 2500}
    return {
        name: (mean * (1 + random.normal(0, 0.05, (8, 1)) + random.normal(0, 0.01, (8, 2)))).round(4)
        for name, mean in person.items()
    }


def write_raw(folder: Path, numbers: dict[str, np.ndarray]) -> None:
    """Write the lab's files."""
    values = {name: dict(zip(PLACES, grid.ravel(), strict=True)) for name, grid in numbers.items()}
    names = [f"r{person}_{visit}_T1w" for person, visit in PLACES]
    regions = [f"{side}{name}" for side in "lr" for name in ("S_circular_insula_ant", "G_insular_short")]
    insula = [";".join(["names", *regions])]
    volumes = []
    for name, place in zip(names, PLACES, strict=True):
        cell = f"{values['insula'][place]:.4f}".replace(".", ",")
        insula.append(";".join([name, *[cell] * 4]))
        volumes.append(f"cat_{name}.xml\t{values['tiv'][place]:.4f}\t600\t500\t300\t1")
    files: dict[str, str | bytes] = {
        "cat12/ROI_aparc_a2009s_thickness.csv": "\n".join(insula) + "\n",
        "cat12/TIV.txt": "\n".join(volumes) + "\n",
        "lesions.csv": "id,visit,TLV\n"
        + "".join(f"{person},{visit},{values['lesion'][person, visit]}\n" for person, visit in PLACES),
    }
    for person, visit in PLACES:
        for side in ("lh", "rh"):
            place = f"freesurfer/{person}_{visit}.long.{person}/mri/{side}.hippoSfVolumes-T1.long.v21.txt"
            head = values["head"][person, visit] + (0 if side == "lh" else 100)
            files[place] = f"Hippocampal_tail 500.5\nWhole_hippocampal_head {head}\nWhole_hippocampus 3400\n"
        image = nibabel.Nifti1Image(np.zeros((2, 2, 2), dtype=np.int16), np.eye(4))
        name = f"bids/{person}/{visit}/anat/{person}_{visit}_T1w"
        files[f"{name}.nii"] = image.to_bytes()
        echo = 0.004 if (person, visit) == ("sub-3", "ses-post") else 0.003
        files[f"{name}.json"] = json.dumps({"EchoTime": echo, "ManufacturersModelName": "Prisma"})
    made.write(folder, files)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    """The study's results, and the numbers in its files."""
    folder = tmp_path_factory.mktemp("tables_of_the_brain")
    numbers = brain()
    write_raw(folder / "data", numbers)
    (folder / "study.yaml").write_text(STUDY)
    (folder / "config.yaml").write_text("data: data\ncat12: {batches: 1}\n")
    done = in_clone(
        "--cores", "2", "--configfile", folder / "config.yaml", directory=folder, opened=folder / "opened.txt"
    )
    assert done.returncode == 0, said(done)
    return folder / "results", numbers


def grid(results: Path, measure: str) -> np.ndarray:
    table = pd.read_parquet(results / "cohort/measures.parquet")
    wide = table[table["measure"] == measure].pivot(
        index="participant_id", columns="session_id", values="value"
    )
    return wide.loc[PEOPLE, VISITS].to_numpy()


def test_every_table_reaches_the_measures(run: tuple[Path, dict[str, np.ndarray]]) -> None:
    results, numbers = run
    head = "freesurfer_subfields_long.hippocampal_head.{}.volume"
    np.testing.assert_allclose(grid(results, head.format("left")), numbers["head"] / 1000, rtol=1e-12)
    np.testing.assert_allclose(grid(results, head.format("right")), numbers["head"] / 1000 + 0.1, rtol=1e-12)
    insula = grid(results, "aparc_a2009s.anterior_insula.left.thickness")
    np.testing.assert_allclose(insula, numbers["insula"], rtol=1e-12)
    np.testing.assert_allclose(grid(results, "tiv"), numbers["tiv"], rtol=1e-12)
    np.testing.assert_allclose(grid(results, "lesion_volume"), numbers["lesion"] / 1000, rtol=1e-12)


def test_the_head_of_the_hippocampus_is_modelled_with_the_shipped_model(
    run: tuple[Path, dict[str, np.ndarray]],
) -> None:
    """Two visits of everybody: the mixed model's session coefficient and t are those of the paired t-test."""
    results, numbers = run
    estimates = pd.read_csv(results / "models/estimates.tsv", sep="\t")
    rows = estimates[(estimates["model"] == "change_hippocampal_head") & (estimates["term"] == "session")]
    assert len(rows) == 2
    change = (numbers["head"][:, 1] - numbers["head"][:, 0]) / 1000
    error = change.std(ddof=1) / 8**0.5
    for row in rows.itertuples():
        assert row.estimate == pytest.approx(change.mean(), rel=1e-9)
        assert row.std_error == pytest.approx(error, rel=1e-6)
        assert row.df == pytest.approx(7, rel=1e-6)


def test_a_changed_protocol_is_flagged_and_the_page_is_made(run: tuple[Path, dict[str, np.ndarray]]) -> None:
    results, _ = run
    flags = pd.read_csv(results / "cohort/flags.tsv", sep="\t")
    image = flags[flags["item"] == "image sub-3/ses-post/anat/sub-3_ses-post_T1w.nii"]
    assert set(image["rule"]) == {"image changes between sessions", "image unlike the others"}
    assert image["reason"].str.startswith("echo_time 0.004 differs from").all()
    assert (results / "report/report.html").stat().st_size > 10_000


def test_jobs_open_only_the_knowledge_that_their_rules_name(run: tuple[Path, dict[str, np.ndarray]]) -> None:
    """The shipped plan has outcomes that this study lacks, so its names are looked up here."""
    folder = run[0].parent
    opened = knowledge_opened(folder / "opened.txt")
    named = knowledge_named("--configfile", folder / "config.yaml", directory=folder)
    assert {rule: files for rule in named if (files := opened.get(rule, set()) - named[rule])} == {}
    assert {"instruments", "atlases"} <= {Path(path).parent.name for path in opened["check_design"]}
