"""Values on a cortical surface: FreeSurfer's curv files and GIfTI, read with guards.

nibabel follows a GIfTI file's ExternalFileName anywhere, expands entities, and believes the sizes in a
header; these readers do not. A GIfTI file's own document type line, which names its DTD and nothing else, is
passed over.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import zlib
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from pniflow.cat12 import document
from pniflow.errors import InputError

MAXIMUM_VERTICES = 2_000_000
"""The most vertices of a surface that is read; CAT12's native surfaces have some 120,000 to 300,000."""

_DOCTYPE = re.compile(rb'<!DOCTYPE GIFTI SYSTEM "[^"<>]*">')
_TYPES = {"NIFTI_TYPE_FLOAT32": "f4"}
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
    size = _size(path, source)
    with open(path, "rb") as stream:
        head = stream.read(15)
        if len(head) < 15 or head[:3] != b"\xff\xff\xff":
            raise InputError(f"{source}: this is not a FreeSurfer curv file.")
        vertices, _, values = np.frombuffer(head[3:], dtype=">i4").tolist()
        if values != 1 or not 0 < vertices <= MAXIMUM_VERTICES or size != 15 + 4 * vertices:
            raise InputError(
                f"{source}: the header says {vertices} vertices with {values} value each, the file has"
                f" {size} bytes;"
                f" {15 + 4 * max(vertices, 0)} were expected."
            )
        return np.frombuffer(stream.read(4 * vertices), dtype=">f4").astype(np.float32)


def read_gifti(path: Path, source: str, vertices: int) -> np.ndarray:
    """Read the values of a GIfTI overlay (`s12.mesh.thickness.resampled_32k.<name>.gii`).

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
    content = document.read_bytes(path, source)
    root = document.tree(_DOCTYPE.sub(b"", content, count=1), source, "GIFTI")
    arrays = root.findall("DataArray")
    if len(arrays) != 1:
        raise InputError(
            f"{source}: the file has {len(arrays)} data arrays; one with a value per vertex was expected."
        )
    array = arrays[0]
    _check_shape(array, source, vertices)
    raw = _raw(array, path, source, 4 * vertices)
    if isinstance(raw, bytes):
        if len(raw) != 4 * vertices:
            raise InputError(f"{source}: the data hold {len(raw)} bytes; {4 * vertices} were expected.")
        return np.frombuffer(raw, dtype=_ENDIAN[array.attrib["Endian"]] + "f4").astype(np.float32)
    if len(raw) != vertices:
        raise InputError(f"{source}: the data hold {len(raw)} values; {vertices} were expected.")
    return raw.astype(np.float32)


def _check_shape(array: Element, source: str, vertices: int) -> None:
    said = array.attrib
    shape = [said.get(f"Dim{place}", "") for place in range(2)]
    if said.get("DataType") not in _TYPES:
        raise InputError(f"{source}: the values are {said.get('DataType')}; NIFTI_TYPE_FLOAT32 was expected.")
    if said.get("Endian") not in _ENDIAN:
        raise InputError(
            f"{source}: the byte order is '{said.get('Endian')}'; LittleEndian or BigEndian was expected."
        )
    if shape[0] != str(vertices) or shape[1] not in ("", "1"):
        raise InputError(
            f"{source}: the array has the shape {' x '.join(filter(None, shape))}; {vertices} was expected."
        )


def _raw(array: Element, path: Path, source: str, size: int) -> bytes | np.ndarray:
    """Return the values as bytes, or as numbers where they are written as text."""
    encoding = array.attrib.get("Encoding", "")
    text = array.findtext("Data") or ""
    if encoding == "ASCII":
        return document.numbers(text, source, "Data")
    if encoding == "ExternalFileBinary":
        return _external(array, path, source, size)
    if encoding not in ("Base64Binary", "GZipBase64Binary"):
        raise InputError(f"{source}: the encoding '{encoding}' is not known.")
    try:
        packed = base64.b64decode("".join(text.split()), validate=True)
        if encoding == "Base64Binary":
            return packed
        return zlib.decompressobj().decompress(packed, size + 1)  # one byte more than needed tells too many
    except (binascii.Error, zlib.error):
        raise InputError(f"{source}: the packed data are damaged.") from None


def _external(array: Element, path: Path, source: str, size: int) -> bytes:
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
    held = _size(beside, f"{source}: {name}")
    if held != int(offset) + size:
        raise InputError(f"{source}: {name} has {held} bytes; {int(offset) + size} were expected.")
    with open(beside, "rb") as stream:
        stream.seek(int(offset))
        return stream.read(size)


def _size(path: Path, source: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError as error:
        raise InputError(f"{source}: the file cannot be read ({error.strerror}).") from None
