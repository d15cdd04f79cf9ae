"""Surfaces: own guarded readers against nibabel's, one array per study, the medial wall, hostile files."""

from __future__ import annotations

import base64
import importlib.util
import struct
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
from nibabel.gifti import GiftiDataArray, GiftiImage

import cat12_files as made
from pniflow.errors import InputError
from pniflow.files import read_table, write_table
from pniflow.imaging.cat12.gather_surfaces import gather_surfaces
from pniflow.imaging.cat12.overlays import read_curv, read_gifti, read_triangles

N = 32492
DOCTYPE = '<!DOCTYPE GIFTI SYSTEM "http://www.nitrc.org/frs/download.php/115/gifti.dtd">'


def values(seed: int, n: int = 2 * N) -> np.ndarray:
    return np.random.default_rng(seed).uniform(1, 5, n).astype(np.float32)


def gifti(
    data: str = "",
    *,
    n: int = 5,
    encoding: str = "ASCII",
    doctype: str = DOCTYPE,
    external: str = "",
    **said: str,
) -> str:
    """Write an overlay as CAT12's GIfTI toolbox does."""
    attributes = {
        "Intent": "NIFTI_INTENT_SHAPE",
        "DataType": "NIFTI_TYPE_FLOAT32",
        "Dimensionality": "1",
        "Dim0": str(n),
        "Encoding": encoding,
        "Endian": "LittleEndian",
        "ExternalFileName": external,
        "ExternalFileOffset": "0",
    } | said
    words = " ".join(f'{name}="{value}"' for name, value in attributes.items())
    array = f"<DataArray {words}><Data>{data}</Data></DataArray>"
    return f'<?xml version="1.0"?>{doctype}<GIFTI Version="1.0">{array}</GIFTI>'


@pytest.mark.parametrize("encoding", ["ASCII", "B64BIN", "B64GZ"])
def test_gifti_values_are_nibabels(tmp_path: Path, encoding: str) -> None:
    image = GiftiImage(
        darrays=[GiftiDataArray(values(1, 50), "NIFTI_INTENT_SHAPE", encoding=f"GIFTI_ENCODING_{encoding}")]
    )
    path = tmp_path / "a.gii"
    nibabel.save(image, path)
    found = read_gifti(path, "a.gii", 50)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, nibabel.load(path).darrays[0].data)


@pytest.mark.parametrize("endian", ["LittleEndian", "BigEndian"])
def test_gifti_with_values_in_a_file_beside_it(tmp_path: Path, endian: str) -> None:
    expected = values(2, 5)
    (tmp_path / "a.dat").write_bytes(expected.astype("<f4" if endian == "LittleEndian" else ">f4").tobytes())
    (tmp_path / "a.gii").write_text(gifti(encoding="ExternalFileBinary", external="a.dat", Endian=endian))
    np.testing.assert_array_equal(read_gifti(tmp_path / "a.gii", "a.gii", 5), expected)


def test_a_real_overlay_and_a_real_curv_file_are_nibabels() -> None:
    """The t1prep package carries both, written by CAT12's own tools."""
    spec = importlib.util.find_spec("t1prep")
    assert spec is not None
    templates = Path(spec.submodule_search_locations[0]) / "data" / "templates_surfaces_32k"
    overlay = templates / "lh.mc.freesurfer.gii"
    np.testing.assert_array_equal(read_gifti(overlay, "mc", N), nibabel.load(overlay).darrays[0].data)
    curv = templates / "rh.thickness.Template_T1"
    np.testing.assert_array_equal(read_curv(curv, "curv"), nibabel.freesurfer.read_morph_data(curv))


BOMB = base64.b64encode(zlib.compress(bytes(50_000_000))).decode()
BAD = {
    "out of the folder": (
        gifti(encoding="ExternalFileBinary", external="../secret.bin"),
        "ExternalFileName is",
    ),
    "absolute": (gifti(encoding="ExternalFileBinary", external="/etc/passwd"), "ExternalFileName is"),
    "back slashes": (gifti(encoding="ExternalFileBinary", external=r"..\secret.bin"), "ExternalFileName is"),
    "no name": (gifti(encoding="ExternalFileBinary"), "ExternalFileName is ''"),
    "not there": (
        gifti(encoding="ExternalFileBinary", external="none.dat"),
        "none.dat: the file cannot be read",
    ),
    "other size": (
        gifti(encoding="ExternalFileBinary", external="short.dat"),
        "short.dat has 12 bytes; 20 were",
    ),
    "a link out": (
        gifti(encoding="ExternalFileBinary", external="link.dat"),
        "link that leads out of the folder",
    ),
    "offset in words": (
        gifti(encoding="ExternalFileBinary", external="short.dat", ExternalFileOffset="-1"),
        "Offset is",
    ),
    "gz bomb": (gifti(BOMB, encoding="GZipBase64Binary"), "the data hold 21 bytes; 20 were expected"),
    "no base64": (gifti("!!!", encoding="Base64Binary"), "the packed data are damaged"),
    "no gz": (
        gifti(base64.b64encode(b"abc").decode(), encoding="GZipBase64Binary"),
        "the packed data are damaged",
    ),
    "too few": (gifti("1 2 3"), "the data hold 3 values; 5 were expected"),
    "a word": (gifti("1 2 3 4 x"), "holds 'x', which is not a number"),
    "another mesh": (gifti(n=99), "has the shape 99; 5 was expected"),
    "a huge header": (gifti(Dim0="2147483647"), "has the shape 2147483647"),
    "matrices": (gifti(Dim1="3"), "has the shape 5 x 3"),
    "integers": (gifti(DataType="NIFTI_TYPE_INT32"), "NIFTI_TYPE_FLOAT32 was expected"),
    "byte order": (gifti(Endian="Middle"), "the byte order is 'Middle'"),
    "encoding": (gifti(encoding="Rot13"), "the encoding 'Rot13' is not known"),
    "entities": (
        gifti("&e;", doctype='<!DOCTYPE GIFTI [<!ENTITY e "1">]>'),
        "declares a document type or entities",
    ),
    "root": ("<S></S>", "the XML root is 'S'; 'GIFTI' was expected"),
    "no array": ("<GIFTI></GIFTI>", "the file has 0 data arrays"),
}


@pytest.mark.parametrize("case", list(BAD))
def test_hostile_and_damaged_gifti_is_refused(tmp_path: Path, case: str) -> None:
    text, says = BAD[case]
    inside = tmp_path / "surf"
    made.write(tmp_path, {"secret.bin": bytes(20), "surf/short.dat": bytes(12), "surf/a.gii": text})
    (inside / "link.dat").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(InputError, match=says) as caught:
        read_gifti(inside / "a.gii", "a.gii", 5)
    assert str(caught.value).startswith("a.gii: ")


CURV = b"\xff\xff\xff" + struct.pack(">iii", 4, 2, 1) + np.arange(4, dtype=">f4").tobytes()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (CURV[:-1], "the header says 4 vertices with 1 value each, the file has 30 bytes; 31 were expected"),
        (CURV + b"x", "the file has 32 bytes"),
        (b"hello, this is text", "this is not a FreeSurfer curv file"),
        (b"", "this is not a FreeSurfer curv file"),
        (b"\xff\xff\xff" + struct.pack(">iii", 2**31 - 1, 2, 1), "the header says 2147483647 vertices"),
        (b"\xff\xff\xff" + struct.pack(">iii", -4, 2, 1), "the header says -4 vertices"),
    ],
)
def test_damaged_curv_files_are_refused(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "lh.thickness.a").write_bytes(content)
    with pytest.raises(InputError, match=says):
        read_curv(tmp_path / "lh.thickness.a", "lh.thickness.a")


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


TRIANGLES = np.array([[0, 1, 2], [1, 2, 3], [2, 3, 4]])


def with_mesh(folder: Path, name: str, data: np.ndarray, triangles: np.ndarray, external: bool) -> None:
    """Write an overlay with its mesh in the same file, as CAT12's resampling does."""
    arrays = [
        ("POINTSET", "FLOAT32", np.zeros((len(data), 3), "<f4")),
        ("TRIANGLE", "INT32", triangles.astype("<i4")),
        ("NONE", "FLOAT32", data.astype("<f4")),
    ]
    text, content = "", b""
    for intent, kind, values in arrays:
        dims = "".join(f' Dim{place}="{size}"' for place, size in enumerate(values.shape))
        where = f'ExternalFileName="{name}.dat" ExternalFileOffset="{len(content)}"' if external else ""
        how = "ExternalFileBinary" if external else "Base64Binary"
        data64 = "" if external else base64.b64encode(values.tobytes()).decode()
        text += (
            f'<DataArray Intent="NIFTI_INTENT_{intent}" DataType="NIFTI_TYPE_{kind}" Encoding="{how}"'
            f' Dimensionality="{values.ndim}" Endian="LittleEndian"'
            f' ArrayIndexingOrder="RowMajorOrder"{dims} {where}>'
            f"<Data>{data64}</Data></DataArray>"
        )
        content += values.tobytes()
    made.write(folder, {f"{name}.gii": f'<?xml version="1.0"?>{DOCTYPE}<GIFTI Version="1.0">{text}</GIFTI>'})
    if external:
        made.write(folder, {f"{name}.dat": content})


@pytest.mark.parametrize("external", [False, True])
def test_values_and_mesh_of_one_file(tmp_path: Path, external: bool) -> None:
    """CAT12 adds the values to the resampled surface, so its files hold points and triangles too."""
    with_mesh(tmp_path, "a", values(1, 5), TRIANGLES, external)
    np.testing.assert_array_equal(read_gifti(tmp_path / "a.gii", "a.gii", 5), values(1, 5))
    np.testing.assert_array_equal(read_triangles(tmp_path / "a.gii", "a.gii", 5), TRIANGLES)
    other = nibabel.load(tmp_path / "a.gii")  # nibabel reads the same
    np.testing.assert_array_equal(other.agg_data("triangle"), TRIANGLES)
    if external:
        with open(tmp_path / "a.dat", "ab") as stream:
            stream.write(b"more")
        with pytest.raises(InputError, match=r"a.dat has 120 bytes; 116 were expected"):
            read_gifti(tmp_path / "a.gii", "a.gii", 5)


def test_a_file_without_a_mesh_has_no_triangles_and_a_wrong_mesh_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.gii").write_text(gifti("1 2 3 4 5"))
    assert read_triangles(tmp_path / "a.gii", "a.gii", 5) is None
    with_mesh(tmp_path, "b", values(1, 5), TRIANGLES + 1, external=False)
    with pytest.raises(InputError, match=r"b.gii: a triangle of the mesh names no vertex"):
        read_triangles(tmp_path / "b.gii", "b.gii", 5)


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
