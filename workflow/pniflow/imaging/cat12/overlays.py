"""Values on a cortical surface: FreeSurfer's curv files and GIfTI, read with guards.

nibabel follows a GIfTI file's ExternalFileName anywhere, expands entities, and believes the sizes in a
header; these readers do not. A GIfTI file's own document type line, which names its DTD and nothing else, is
passed over.
"""

from __future__ import annotations

import base64
import os
import re
import zlib
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from pniflow.errors import InputError
from pniflow.imaging.cat12.document import numbers, read_bytes, tree
from pniflow.raw import gate

MAXIMUM_VERTICES = 2_000_000
"""The most vertices of a surface that is read; CAT12's native surfaces have some 120,000 to 300,000."""

_DOCTYPE = re.compile(rb'<!DOCTYPE GIFTI SYSTEM "[^"<>]*">')
_MESH = ("NIFTI_INTENT_POINTSET", "NIFTI_INTENT_TRIANGLE")  # CAT12 writes its mesh into the same file
_ENDIAN = {"LittleEndian": "<", "BigEndian": ">"}


def read_curv(path: Path, source: str) -> np.ndarray:
    """Read a FreeSurfer curv file (`lh.thickness.<name>`): magic ffffff, three counts, one float per vertex.

    Returns
    -------
    ndarray of float32, shape (vertices,)

    Raises
    ------
    InputError
        Another kind of file, or a size that disagrees with its header.
    """
    content = gate.read_bytes(path, source, 15 + 4 * MAXIMUM_VERTICES)
    if len(content) < 15 or content[:3] != b"\xff\xff\xff":
        raise InputError(f"{source}: this is not a FreeSurfer curv file.")
    vertices, _, values = np.frombuffer(content[3:15], dtype=">i4").tolist()
    if values != 1 or not 0 < vertices <= MAXIMUM_VERTICES or len(content) != 15 + 4 * vertices:
        raise InputError(
            f"{source}: the header says {vertices} vertices with {values} value each, the file has"
            f" {len(content)} bytes;"
            f" {15 + 4 * max(vertices, 0)} were expected."
        )
    return require_finite(np.frombuffer(content, dtype=">f4", offset=15).astype(np.float32), source)


def read_gifti(path: Path, source: str, vertices: int) -> np.ndarray:
    """Read the values of a GIfTI overlay (`s12.mesh.thickness.resampled_32k.<name>.gii`), not its mesh.

    Parameters
    ----------
    path : Path
        The file; values may stand in a `.dat` file beside it.
    source : str
        Its name, for sentences.
    vertices : int
        Number of vertices that the mesh has.

    Returns
    -------
    ndarray of float32, shape (vertices,)

    Raises
    ------
    InputError
        Entities, another root, more or fewer values, packed data that unpack to more, an outside file that
        is not a plain name in the same folder or has another size.
    """
    root = _root(path, source)
    arrays = [array for array in root.findall("DataArray") if array.attrib.get("Intent") not in _MESH]
    if len(arrays) != 1:
        raise InputError(
            f"{source}: the file has {len(arrays)} data arrays; one with a value per vertex was expected."
        )
    values = _values(root, arrays[0], path, source, (vertices,), "FLOAT32").astype(np.float32)
    return require_finite(values, source)


def require_finite(values: np.ndarray, source: str) -> np.ndarray:
    """Return a surface's values.

    Raises
    ------
    InputError
        One is infinite, or none is a number.
    """
    if np.isinf(values).any() or np.isnan(values).all():
        what = "an infinite value" if np.isinf(values).any() else "no number"
        raise InputError(f"{source}: the surface holds {what}; make it again in CAT12.")
    return values


def read_triangles(path: Path, source: str, vertices: int) -> np.ndarray | None:
    """Read the triangles of a GIfTI file that holds its mesh; None for a file without.

    Parameters
    ----------
    path, source : Path, str
        As in `read_gifti`.
    vertices : int
        Number of vertices that the mesh has.

    Returns
    -------
    ndarray of int32, shape (triangles, 3)
        Indices of vertices, from 0.

    Raises
    ------
    InputError
        As in `read_gifti`, and an index that names no vertex.
    """
    root = _root(path, source)
    for array in root.findall("DataArray"):
        if array.attrib.get("Intent") == "NIFTI_INTENT_TRIANGLE":
            count = array.attrib.get("Dim0", "")
            rows = int(count) if count.isdecimal() and len(count) < 9 else 0
            found = _values(root, array, path, source, (min(rows, 2 * vertices), 3), "INT32")
            if rows == 0 or found.min() < 0 or found.max() >= vertices:
                raise InputError(
                    f"{source}: a triangle of the mesh names no vertex; 0 to {vertices - 1} are."
                )
            if array.attrib.get("ArrayIndexingOrder") == "ColumnMajorOrder":
                return found.reshape(3, rows).T.astype(np.int32)
            return found.reshape(rows, 3).astype(np.int32)
    return None


def _root(path: Path, source: str) -> Element:
    content = read_bytes(path, source)
    return tree(_DOCTYPE.sub(b"", content, count=1), source, "GIFTI")


def _values(
    root: Element, array: Element, path: Path, source: str, shape: tuple[int, ...], kind: str
) -> np.ndarray:
    """Return an array's numbers, flat, after checking that it has the shape and type that are expected."""
    _check_shape(array, source, shape, kind)
    count = int(np.prod(shape))
    raw = _raw(root, array, path, source, 4 * count)
    if isinstance(raw, bytes):
        if len(raw) != 4 * count:
            raise InputError(f"{source}: the data hold {len(raw)} bytes; {4 * count} were expected.")
        letter = "f4" if kind == "FLOAT32" else "i4"
        return np.frombuffer(raw, dtype=_ENDIAN[array.attrib["Endian"]] + letter)
    if len(raw) != count:
        raise InputError(f"{source}: the data hold {len(raw)} values; {count} were expected.")
    return raw


def _check_shape(array: Element, source: str, shape: tuple[int, ...], kind: str) -> None:
    said = array.attrib
    found = [said.get(f"Dim{place}", "") for place in range(2)]
    if len(shape) == 1 and found == ["1", str(shape[0])]:
        found.reverse()  # CAT12 writes some overlays as a row
    if said.get("DataType") != f"NIFTI_TYPE_{kind}":
        raise InputError(f"{source}: the values are {said.get('DataType')}; NIFTI_TYPE_{kind} was expected.")
    if said.get("Endian") not in _ENDIAN:
        raise InputError(
            f"{source}: the byte order is '{said.get('Endian')}'; LittleEndian or BigEndian was expected."
        )
    if found[0] != str(shape[0]) or (found[1] or "1") != str((*shape, 1)[1]):
        raise InputError(
            f"{source}: the array has the shape {' x '.join(filter(None, found))};"
            f" {' x '.join(map(str, shape))} was expected."
        )


def _raw(root: Element, array: Element, path: Path, source: str, size: int) -> bytes | np.ndarray:
    """Return the values as bytes, or as numbers where they are written as text."""
    encoding = array.attrib.get("Encoding", "")
    text = array.findtext("Data") or ""
    if encoding == "ASCII":
        return numbers(text, source, "Data")
    if encoding == "ExternalFileBinary":
        return _external(root, array, path, source, size)
    if encoding not in ("Base64Binary", "GZipBase64Binary"):
        raise InputError(f"{source}: the encoding '{encoding}' is not known.")
    try:
        packed = base64.b64decode("".join(text.split()), validate=True)
        if encoding == "Base64Binary":
            return packed
        return zlib.decompressobj().decompress(packed, size + 1)  # one byte more than needed tells too many
    except (ValueError, zlib.error):
        raise InputError(f"{source}: the packed data are damaged.") from None


def _needed(root: Element, name: str) -> int:
    """Return the bytes of an outside file that the arrays of the document name; all have 4 bytes a value."""
    needed = 0
    for array in root.findall("DataArray"):
        said = [array.attrib.get(key) or "0" for key in ("ExternalFileOffset", "Dim0", "Dim1")]
        if array.attrib.get("ExternalFileName") == name and all(
            word.isdecimal() and len(word) < 12 for word in said
        ):
            offset, rows, columns = map(int, said)
            needed = max(needed, offset + 4 * rows * max(columns, 1))
    return needed


def _external(root: Element, array: Element, path: Path, source: str, size: int) -> bytes:
    name = array.attrib.get("ExternalFileName", "")
    if not name or Path(name).name != name or "\\" in name or name.startswith("."):
        raise InputError(
            f"{source}: ExternalFileName is '{name[:60]}'; a plain file name in the same folder was"
            " expected, so it is not read."
        )
    beside = path.parent / name
    if beside.is_symlink() and beside.resolve().parent != path.resolve().parent:
        raise InputError(f"{source}: {name} is a link that leads out of the folder; it is not read.")
    offset = array.attrib.get("ExternalFileOffset") or "0"
    if not offset.isdecimal():
        raise InputError(f"{source}: ExternalFileOffset is '{offset[:20]}'; a number of bytes was expected.")
    held, needed = _size(beside, f"{source}: {name}"), max(_needed(root, name), int(offset) + size)
    if held != needed:
        raise InputError(f"{source}: {name} has {held} bytes; {needed} were expected.")
    return gate.read_bytes(beside, f"{source}: {name}")[int(offset) :][:size]


def _size(path: Path, source: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError as error:
        raise InputError(f"{source}: the file cannot be read ({error.strerror}).") from None
