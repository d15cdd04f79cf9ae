"""Small made-up studies of maps: a mesh of two closed surfaces, values of scans, and tables around them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import yaml
from scipy import ndimage
from scipy.spatial import ConvexHull

from pniflow.contracts import write_table
from pniflow.imaging.cat12.gather_voxels import gather_voxels

SESSIONS = ("ses-pre", "ses-post")


def sphere(count: int) -> np.ndarray:
    """Return the triangles of a closed surface: points spread evenly over a sphere."""
    turn = np.arange(count) * np.pi * (3 - np.sqrt(5))
    height = 1 - 2 * (np.arange(count) + 0.5) / count
    radius = np.sqrt(1 - height**2)
    return ConvexHull(np.column_stack([radius * np.cos(turn), radius * np.sin(turn), height])).simplices


def two_hemispheres(count: int) -> np.ndarray:
    """Return the triangles of both sides, the right one's vertices after the left's."""
    return np.concatenate([sphere(count), sphere(count) + count]).astype(np.int32)


def smooth(values: np.ndarray, triangles: np.ndarray, steps: int = 3) -> np.ndarray:
    """Average each value with its neighbours', some times."""
    size = values.shape[-1]
    weights = np.eye(size)
    for one, two in ((0, 1), (1, 2), (2, 0)):
        weights[triangles[:, one], triangles[:, two]] = weights[triangles[:, two], triangles[:, one]] = 1
    weights /= weights.sum(axis=1, keepdims=True)
    return values @ np.linalg.matrix_power(weights, steps).T


def tables(
    folder: Path,
    people: int,
    models: list[dict[str, Any]],
    *,
    width: int,
    seed: int = 1,
    sessions: tuple[str, ...] = SESSIONS,
    absent: tuple[tuple[int, str], ...] = (),
    excluded: tuple[str, ...] = (),
) -> dict[str, Path]:
    """Write the cohort's tables, the index and models.yaml; return the arguments of fit_surface."""
    rng = np.random.default_rng(seed)
    names = [f"sub-{number + 1:02d}" for number in range(people)]
    level = rng.normal(size=people)
    rows, scans = [], []
    for number, name in enumerate(names):
        for session in sessions:
            score = level[number] + rng.normal()
            rows.append((name, session, "ctra", score, "z", "expression"))
            if (number, session) not in absent:
                rows.append((name, session, "tiv", 1500.0 + number, "ml", "imaging"))
                scans.append((f"{name}_{session}", name, session))
    columns = ["participant_id", "session_id", "measure", "value", "unit", "domain"]
    write_table(pd.DataFrame(rows, columns=columns), folder / "measures.parquet", "measures")
    age = np.round(rng.normal(45, 11, people), 1)
    people_table = pd.DataFrame({"participant_id": names, "age": age.astype(str)})
    people_table.to_csv(folder / "participants.tsv", sep="\t", index=False)
    left = pd.DataFrame(
        [(None, None, f"scan {scan}", "quality below threshold", "made so") for scan in excluded],
        columns=["participant_id", "session_id", "item", "rule", "reason"], dtype=object,
    )  # fmt: skip
    write_table(left, folder / "exclusions.tsv", "exclusions")
    index = pd.DataFrame(scans, columns=["scan", "participant_id", "session_id"])
    index = index.assign(
        hemisphere="both", start=np.arange(len(index)) * width, vertices=width, source="a.gii"
    )
    write_table(index, folder / "surfaces.tsv", "surfaces")
    document = {
        "version": 1,
        "defaults": {"session": {"reference": sessions[0]}},
        "families": {"of_maps": {"role": "exploratory", "adjust": "max_t"}},
        "models": models,
    }
    (folder / "models.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    return {
        "index": folder / "surfaces.tsv",
        "measures": folder / "measures.parquet",
        "participants": folder / "participants.tsv",
        "exclusions": folder / "exclusions.tsv",
        "models": folder / "models.yaml",
        "surfaces": folder / "surfaces.npy",
        "triangles": folder / "triangles.npy",
        "maps": folder / "maps",
        "peaks": folder / "peaks.tsv",
        "clusters": folder / "clusters.tsv",
    }


def change(**further: Any) -> dict[str, Any]:
    """Return a model of the change of a surface measure."""
    return {
        "name": "change", "surface": "thickness", "fixed": ["session"], "test": {"of_maps": ["session"]},
        **further,
    }  # fmt: skip


def on_ctra(**further: Any) -> dict[str, Any]:
    """Return a model of a surface measure on CTRA, split, with a covariate."""
    return {
        "name": "on_ctra", "surface": "thickness", "fixed": ["session", {"split": "ctra"}, "age"],
        "test": {"of_maps": ["ctra_within", "ctra_between"]}, **further,
    }  # fmt: skip


SIDE = 42  # vertices of a hemisphere
MESH = two_hemispheres(SIDE)


def surfaces(
    folder: Path, people: int = 12, models: list[dict[str, Any]] | None = None, *, seed: int = 1,
    effect: np.ndarray | None = None, triangles: np.ndarray = MESH, **further: Any,
) -> dict[str, Path]:  # fmt: skip
    """Write a study of maps: persons differ, sessions differ by noise and, where given, by an effect."""
    size = int(triangles.max()) + 1
    files = tables(folder, people, models or [change()], width=size, seed=seed, **further)
    index = pd.read_csv(files["index"], sep="\t")
    rng = np.random.default_rng(seed)
    person = smooth(rng.normal(size=(people, size)), triangles)
    number = index["participant_id"].str[-2:].astype(int).to_numpy() - 1
    later = (index["session_id"] == "ses-post").to_numpy().astype(float)[:, None]
    noise = smooth(rng.normal(size=(len(index), size)), triangles)
    values = 2.5 + 0.3 * person[number] + 0.1 * noise + later * (0 if effect is None else effect)
    np.save(files["surfaces"], values.astype(np.float32))
    np.save(files["triangles"], triangles)
    return files


SHAPE = (9, 10, 8)


# 3 mm voxels around the left hippocampus of MNI space; the first axis runs from right to left, as CAT12's.
AFFINE = np.array([[-3.0, 0, 0, -14], [0, 3, 0, -36], [0, 0, 3, -26], [0, 0, 0, 1]])


VOLUME_CHANGE = change(surface=None, voxels="gm_volume")
del VOLUME_CHANGE["surface"]


def scans(folder: Path, *stems: str) -> Path:
    table = pd.DataFrame({"scan": list(stems)})
    for column in ("report", "label_volume", "label_surface"):
        table[column] = None
    table = table.assign(longitudinal=False, average=False, batch=1)
    table["participant_id"] = [stem.split("_")[0] for stem in stems]
    table["session_id"] = [stem.split("_")[1] for stem in stems]
    write_table(table, folder / "scans.tsv", "scans")
    return folder / "scans.tsv"


def image(path: Path, values: np.ndarray, affine: np.ndarray = AFFINE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values.astype(np.float32), affine), path)


def volumes(folder: Path, people: int = 12, effect: float = 0.0) -> dict[str, Path]:
    """Write images in which a corner is no grey matter and a block of 3 x 3 x 3 voxels changes."""
    files = tables(folder, people, [VOLUME_CHANGE], width=1)
    rng = np.random.default_rng(2)
    stems = []
    for number in range(people):
        person = 0.5 + rng.normal(0, 0.05, SHAPE)
        for session in SESSIONS:
            values = person + ndimage.gaussian_filter(rng.normal(0, 0.05, SHAPE), 0.7)
            values[3:6, 3:6, 3:6] += effect * (session == "ses-post")
            values[:2, :2, :] *= 0.01
            stems.append(f"sub-{number + 1:02d}_{session}")
            image(folder / f"cat12/mri/smwp1{stems[-1]}.nii{'.gz' if number % 2 else ''}", values)
    gathered = {
        "voxels": folder / "voxels.npy",
        "index": folder / "voxels.tsv",
        "mask": folder / "mask.nii.gz",
    }
    gather_voxels(folder=folder / "cat12", scans=scans(folder, *stems), **gathered)
    kept = ("measures", "participants", "exclusions", "models", "maps", "peaks", "clusters")
    return gathered | {name: files[name] for name in kept}
