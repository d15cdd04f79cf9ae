"""Surfaces: one array per study, its mesh, the medial wall."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest

import cat12_files as made
from cat12_files import CURV, TRIANGLES, N, gifti, values, with_mesh
from pniflow.contracts import read_table, write_table
from pniflow.errors import InputError
from pniflow.imaging.cat12.gather_surfaces import gather_surfaces


def scans(folder: Path, *stems: str) -> Path:
    table = pd.DataFrame({"scan": list(stems)})
    for column in ("report", "label_volume", "label_surface"):
        table[column] = None
    table = table.assign(
        participant_id="sub-1", session_id="ses-a", longitudinal=False, average=False, batch=1
    )
    write_table(table, folder / "scans.tsv", "scans")
    return folder / "scans.tsv"


def overlay(folder: Path, name: str, data: np.ndarray) -> None:
    """Write a resampled overlay as CAT12 does, its values in a .dat file."""
    made.write(folder, {f"surf/{name}.dat": data.astype("<f4").tobytes()})
    text = gifti(n=len(data), encoding="ExternalFileBinary", external=f"{name}.dat")
    made.write(folder, {f"surf/{name}.gii": text})


def test_resampled_surfaces_of_a_study(tmp_path: Path) -> None:
    """One mesh file for a, two hemisphere files for b; 2,772 and 2,832 vertices of the template are medial
    wall.
    """
    overlay(tmp_path / "cat12", "s12.mesh.thickness.resampled_32k.a", values(1))
    overlay(tmp_path / "cat12", "s12.lh.thickness.resampled_32k.b", values(2)[:N])
    overlay(tmp_path / "cat12", "s12.rh.thickness.resampled_32k.b", values(2)[N:])
    overlay(tmp_path / "cat12", "s15.mesh.thickness.resampled_32k.a", values(3))
    out = {"surfaces": tmp_path / "t.npy", "index": tmp_path / "t.tsv"}
    gather_surfaces(folder=tmp_path / "cat12", scans=scans(tmp_path, "a", "b"), **out)
    array = np.load(tmp_path / "t.npy", allow_pickle=False)
    assert array.dtype == np.float32
    assert array.shape == (2, 2 * N)
    wall = np.isnan(array)
    assert (wall[:, :N].sum(), wall[:, N:].sum()) == (2 * 2772, 2 * 2832)
    for row, expected in enumerate((values(1), values(2))):
        np.testing.assert_array_equal(array[row][~wall[row]], expected[~wall[row]])
    index = read_table(tmp_path / "t.tsv", "surfaces")
    assert index[["scan", "hemisphere", "start", "vertices"]].values.tolist() == [
        ["a", "both", 0, 2 * N], ["b", "left", 2 * N, N], ["b", "right", 3 * N, N],
    ]  # fmt: skip
    first = (tmp_path / "t.npy").read_bytes()
    gather_surfaces(folder=tmp_path / "cat12", scans=tmp_path / "scans.tsv", **out)
    assert (tmp_path / "t.npy").read_bytes() == first


def test_a_copy_is_passed_over_and_another_file_of_that_name_is_refused(tmp_path: Path) -> None:
    name = "s12.mesh.thickness.resampled_32k.a"
    overlay(tmp_path / "cat12", name, values(1))
    overlay(tmp_path / "cat12" / "backup", name, values(1))
    out = {"surfaces": tmp_path / "t.npy", "index": tmp_path / "t.tsv"}
    gather_surfaces(folder=tmp_path / "cat12", scans=scans(tmp_path, "a"), **out)
    assert len(read_table(tmp_path / "t.tsv", "surfaces")) == 1
    made.write(tmp_path / "cat12" / "backup", {f"surf/{name}.dat": values(2).astype("<f4").tobytes()})
    with pytest.raises(InputError, match=r"resampled_32k.a.gii is there twice"):
        gather_surfaces(folder=tmp_path / "cat12", scans=tmp_path / "scans.tsv", **out)


def test_native_surfaces_stand_one_after_another(tmp_path: Path) -> None:
    made.write(
        tmp_path / "cat12",
        {"surf/lh.thickness.a": CURV, "surf/rh.thickness.a": CURV, "surf/lh.thickness.a.gii": ""},
    )
    out = {"surfaces": tmp_path / "t.npy", "index": tmp_path / "t.tsv"}
    gather_surfaces(folder=tmp_path / "cat12", scans=scans(tmp_path, "a"), mesh="native", **out)
    np.testing.assert_array_equal(np.load(tmp_path / "t.npy"), [0, 1, 2, 3, 0, 1, 2, 3])


def test_a_scan_without_its_surface_is_named(tmp_path: Path) -> None:
    overlay(tmp_path / "cat12", "s12.mesh.thickness.resampled_32k.a", values(1))
    out = {"surfaces": tmp_path / "t.npy", "index": tmp_path / "t.tsv"}
    with pytest.raises(
        InputError, match=r"1 of 2 scans have no thickness resampled to 32k, smoothed by 12 mm \(b\)"
    ):
        gather_surfaces(folder=tmp_path / "cat12", scans=scans(tmp_path, "a", "b"), **out)
    assert not (tmp_path / "t.npy").exists()


def test_the_mesh_of_the_study_is_the_templates(tmp_path: Path) -> None:
    overlay(tmp_path / "cat12", "s12.mesh.thickness.resampled_32k.a", values(1))
    out = {name: tmp_path / f"{name}.{end}" for name, end in
           (("surfaces", "npy"), ("index", "tsv"), ("triangles", "npy"))}  # fmt: skip
    gather_surfaces(folder=tmp_path / "cat12", scans=scans(tmp_path, "a"), **out)
    spec = importlib.util.find_spec("t1prep")
    assert spec is not None
    templates = Path(spec.submodule_search_locations[0]) / "data" / "templates_surfaces_32k"
    halves = [
        nibabel.load(templates / f"{side}.central.freesurfer.gii").darrays[1].data for side in ("lh", "rh")
    ]
    np.testing.assert_array_equal(np.load(out["triangles"]), np.concatenate([halves[0], halves[1] + N]))


@pytest.mark.parametrize("halves", [False, True])
def test_the_mesh_of_164k_is_that_of_the_first_file(tmp_path: Path, halves: bool) -> None:
    """No template of that mesh is at hand, so its triangles come from CAT12's own file."""
    count, folder = 163842, tmp_path / "cat12"
    for stem in ("a", "b"):
        if halves:
            for side in ("lh", "rh"):
                name = f"s12.{side}.thickness.resampled.{stem}"
                with_mesh(folder, name, values(3, count), TRIANGLES, external=False)
        else:
            both = np.concatenate([TRIANGLES, TRIANGLES + count])
            with_mesh(
                folder, f"s12.mesh.thickness.resampled.{stem}", values(3, 2 * count), both, external=True
            )
    out = {"surfaces": tmp_path / "t.npy", "index": tmp_path / "t.tsv", "triangles": tmp_path / "mesh.npy"}
    gather_surfaces(folder=folder, scans=scans(tmp_path, "a", "b"), mesh="164k", **out)
    expected = np.concatenate([TRIANGLES, TRIANGLES + count])
    np.testing.assert_array_equal(np.load(out["triangles"]), expected)
    assert np.load(out["surfaces"]).shape == (2, 2 * count)
    assert not np.isnan(np.load(out["surfaces"])).any()


def test_failed_scans_need_no_surfaces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overlay(tmp_path / "cat12", "s12.mesh.thickness.resampled_32k.a", values(1))
    marks = dict.fromkeys(("reason", "iqr", "siqr", "ncr", "icr", "res_rms", "iqr_percent", "siqr_percent",
                           "iqr_grade", "siqr_grade"))  # fmt: skip
    table = pd.DataFrame({"scan": ["a", "b"], "status": ["ok", "failed"]}).assign(**marks)
    write_table(table, tmp_path / "quality.tsv", "quality")
    gather_surfaces(
        folder=tmp_path / "cat12", scans=scans(tmp_path, "a", "b"), quality=tmp_path / "quality.tsv",
        surfaces=tmp_path / "t.npy", index=tmp_path / "t.tsv",
    )  # fmt: skip
    assert np.load(tmp_path / "t.npy").shape == (1, 2 * N)
    assert "1 failed scans have no surfaces" in capsys.readouterr().err
