"""Own guarded readers of surface files against nibabel's; hostile files."""

from __future__ import annotations

import base64
import importlib.util
import struct
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pytest
from nibabel.gifti import GiftiDataArray, GiftiImage

import cat12_files as made
from cat12_files import CURV, TRIANGLES, N, gifti, values, with_mesh
from pniflow.errors import InputError
from pniflow.imaging.cat12.overlays import read_curv, read_gifti, read_triangles


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


def test_gifti_stored_as_a_row_has_the_same_values(tmp_path: Path) -> None:
    text = gifti("1 2 3 4 5", Dim0="1", Dim1="5", Dimensionality="2")
    (tmp_path / "a.gii").write_text(text)
    assert read_gifti(tmp_path / "a.gii", "a.gii", 5).tolist() == [1, 2, 3, 4, 5]
    with pytest.raises(InputError, match="the array has the shape 1 x 5; 4 was expected"):
        read_gifti(tmp_path / "a.gii", "a.gii", 4)


@pytest.mark.parametrize("value", ["inf", "nan"])
def test_a_surface_of_no_or_infinite_values_is_refused(tmp_path: Path, value: str) -> None:
    content = np.full(4, float(value), ">f4").tobytes()
    (tmp_path / "lh.thickness.a").write_bytes(
        b"\xff\xff\xff" + np.array([4, 2, 1], ">i4").tobytes() + content
    )
    with pytest.raises(InputError, match=r"lh.thickness.a: the surface holds (an infinite value|no number)"):
        read_curv(tmp_path / "lh.thickness.a", "lh.thickness.a")


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
