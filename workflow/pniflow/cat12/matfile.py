"""The .mat twin of an XML file, where CAT12 wrote no XML (no Java): the same tree, so that all else is read
the same way.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from pniflow.errors import InputError

MAXIMUM_UNPACKED = 64 * 2**20
"""The most bytes a .mat file may unpack to; a real one unpacks to some 100 kB."""

_COMPRESSED = 15


def parse(content: bytes, source: str) -> Element:
    """Read the variable `S` of a MATLAB file (version 5 to 7) as the tree that its XML twin holds.

    Parameters
    ----------
    content : bytes
        The file.
    source : str
        Its name, for sentences.

    Raises
    ------
    InputError
        Not a MATLAB file, version 7.3, packed data that unpack beyond `MAXIMUM_UNPACKED`, no variable S.
    """
    from scipy.io import loadmat

    if content[:20].startswith(b"MATLAB 7.3"):
        raise InputError(
            f"{source}: MATLAB files of version 7.3 are not read; save it with -v7 or give the XML file."
        )
    if not content.startswith(b"MATLAB 5.0 MAT-file"):
        raise InputError(f"{source}: this is not a MATLAB file.")
    _check_size(content, source)
    try:
        read = loadmat(io.BytesIO(content), variable_names=["S"], struct_as_record=False, squeeze_me=True)
    except Exception as error:  # scipy raises errors of many kinds on damaged files
        raise InputError(f"{source}: the MATLAB file is damaged ({type(error).__name__}).") from None
    if not hasattr(read.get("S"), "_fieldnames"):
        raise InputError(f"{source}: the MATLAB file holds no structure S; CAT12 writes one.")
    return _element(Element("S"), read["S"])


def _check_size(content: bytes, source: str) -> None:
    """Unpack packed parts in bounds before scipy does so without."""
    order = "<" if content[126:128] == b"IM" else ">"
    position, left = 128, MAXIMUM_UNPACKED
    while position + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, position)
        if kind == _COMPRESSED:
            unpacker = zlib.decompressobj()
            try:
                left -= len(unpacker.decompress(content[position + 8 : position + 8 + size], left + 1))
            except zlib.error:
                raise InputError(f"{source}: the MATLAB file is damaged (packed data).") from None
        if left < 0:
            raise InputError(
                f"{source}: the file unpacks to more than {MAXIMUM_UNPACKED >> 20} MB; it is not read."
            )
        position += 8 + size


def _element(element: Element, value: Any) -> Element:
    """Put a MATLAB value into an element as CAT12's XML writer does."""
    if hasattr(value, "_fieldnames"):
        for name in value._fieldnames:
            _element(SubElement(element, name), getattr(value, name))
    elif isinstance(value, np.ndarray) and value.dtype == object:
        for one in value.flat:
            _element(SubElement(element, "item"), one)
    elif isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        words = (repr(float(number)) for number in value.flat)
        element.text = f"[{';'.join(words).replace('nan', 'NaN')}]"
    elif isinstance(value, np.ndarray) and value.dtype.kind == "U":
        for one in value.flat:
            SubElement(element, "item").text = str(one)
    elif isinstance(value, str):
        element.text = value
    elif isinstance(value, (bool, int, float, np.number)):
        element.text = repr(float(value)) if not isinstance(value, int) else str(value)
    return element
