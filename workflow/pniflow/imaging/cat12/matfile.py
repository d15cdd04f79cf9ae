"""The .mat twin of an XML file, where CAT12 wrote no XML (no Java): the same tree, so that all else is read
the same way.

MATLAB's format of version 5 to 7 is read here, and no general reader asked: scipy's believes the sizes that a
damaged file says, and takes the whole process with it.
"""

from __future__ import annotations

import math
import struct
import zlib
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from pniflow.errors import InputError

MAXIMUM_UNPACKED = 64 * 2**20
"""The most bytes a .mat file may unpack to; a real one unpacks to some 100 kB."""

_DEEPEST = 50
_MOST_ELEMENTS = 1_000_000

# Kinds of data, and of arrays ("MAT-File Format", MathWorks).
_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_ARRAY, _PACKED = 14, 15
_CELL, _STRUCT, _CHAR = 1, 2, 4
_NUMBERS = range(6, 16)


class _Damaged(Exception):
    """The bytes are not what the format asks for."""


class _Part(NamedTuple):
    """A piece of the file: what kind of data, and its bytes."""

    kind: int
    data: memoryview


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
        Not a MATLAB file, version 7.3, damaged, packed data that unpack beyond `MAXIMUM_UNPACKED`, no
        structure S.
    """
    if content[:20].startswith(b"MATLAB 7.3"):
        raise InputError(
            f"{source}: MATLAB files of version 7.3 are not read; save it with -v7 or give the XML file."
        )
    if not content.startswith(b"MATLAB 5.0 MAT-file"):
        raise InputError(f"{source}: this is not a MATLAB file.")
    reader = _Reader("<" if content[126:128] == b"IM" else ">")
    try:
        root = reader.variable(memoryview(content)[128:], b"S")
    except MemoryError:
        raise InputError(
            f"{source}: the file unpacks to more than {MAXIMUM_UNPACKED >> 20} MB; it is not read."
        ) from None
    except (_Damaged, zlib.error, UnicodeDecodeError, struct.error, ValueError) as error:
        raise InputError(f"{source}: the MATLAB file is damaged ({error}).") from None
    if root is None:
        raise InputError(f"{source}: the MATLAB file holds no structure S; CAT12 writes one.")
    return root


class _Reader:
    """Reads a file of one byte order; every size is held against the bytes that there are."""

    def __init__(self, order: str) -> None:
        self.order = order
        self.left = MAXIMUM_UNPACKED
        self.elements = 0

    def variable(self, data: memoryview, name: bytes) -> Element | None:
        """Return the structure of this name as a tree; None where there is none."""
        while len(data) > 0:
            part, data = self._part(data)
            if part.kind == _PACKED:
                part, _ = self._part(self._unpacked(part.data))
            if part.kind != _ARRAY or not len(part.data):
                continue
            kind, shape, called, _ = self._array(part.data)
            if called == name and kind == _STRUCT and math.prod(shape) == 1:
                root = Element("S")
                self._fill(root, part.data, 0)
                return root
        return None

    def _unpacked(self, packed: memoryview) -> memoryview:
        unpacker = zlib.decompressobj()
        unpacked = unpacker.decompress(packed, self.left + 1)
        self.left -= len(unpacked)
        if self.left < 0:
            raise MemoryError
        if not unpacker.eof:
            raise _Damaged("packed data end early")
        return memoryview(unpacked)

    def _part(self, data: memoryview) -> tuple[_Part, memoryview]:
        """Split off the first piece; one of up to 4 bytes stands in its own head."""
        if len(data) < 8:
            raise _Damaged("a part ends early")
        kind, size = struct.unpack_from(f"{self.order}II", data)
        start, end = 8, 8 + size
        if kind >> 16:
            kind, size = kind & 0xFFFF, kind >> 16
            start, end = 4, 8
            if size > 4:
                raise _Damaged("a small part has more than 4 bytes")
        elif kind != _PACKED:
            end += -size % 8
        if start + size > len(data):
            raise _Damaged("a part is longer than the file")
        return _Part(kind, data[start : start + size]), data[end:]

    def _array(self, data: memoryview) -> tuple[int, tuple[int, ...], bytes, memoryview]:
        """Read the head of an array: its kind, shape and name; return what follows too."""
        flags, data = self._part(data)
        if len(flags.data) < 4:
            raise _Damaged("an array has no flags")
        kind = struct.unpack_from(f"{self.order}I", flags.data)[0] & 0xFF
        sizes, data = self._part(data)
        shape = tuple(self._numbers(sizes).astype(int).tolist())
        if not shape or any(size < 0 for size in shape):
            raise _Damaged("an array has no shape")
        name, data = self._part(data)
        return kind, shape, bytes(name.data), data

    def _numbers(self, part: _Part) -> np.ndarray:
        if part.kind not in _TYPES:
            raise _Damaged(f"numbers of the kind {part.kind}")
        return np.frombuffer(part.data, dtype=self.order + _TYPES[part.kind])

    def _fill(self, element: Element, data: memoryview, depth: int) -> None:
        """Put an array into an element as CAT12's XML writer does; kinds it does not write stay out."""
        self.elements += 1
        if depth > _DEEPEST or self.elements > _MOST_ELEMENTS:
            raise _Damaged("too many parts")
        if not len(data):
            return
        kind, shape, _, data = self._array(data)
        count = math.prod(shape)
        if kind in (_STRUCT, _CELL) and count > 1 + len(data) // 8:
            raise _Damaged("an array has more elements than bytes")
        if kind == _STRUCT:
            self._structs(element, data, count, depth)
        elif kind == _CELL:
            self._cells(element, data, shape, depth)
        elif kind == _CHAR:
            text = self._text(self._part(data)[0])
            rows = shape[0] if len(text) == count else 1
            if rows > 1:
                for row in range(rows):
                    SubElement(element, "item").text = text[row::rows].rstrip()
            else:
                element.text = text
        elif kind in _NUMBERS:
            element.text = self._written(data, shape)

    def _written(self, data: memoryview, shape: tuple[int, ...]) -> str:
        """Return an array of numbers as text, row by row."""
        values, count = self._numbers(self._part(data)[0]), math.prod(shape)
        if len(values) != count:
            raise _Damaged(f"{len(values)} numbers for {count}")
        words = [_word(value) for value in values.reshape(shape, order="F").ravel().tolist()]
        return words[0] if count == 1 else f"[{';'.join(words)}]"

    def _cells(self, element: Element, data: memoryview, shape: tuple[int, ...], depth: int) -> None:
        table = min(shape) > 1  # a cell of rows and columns becomes tr and td
        places = [SubElement(element, "tr") for _ in range(shape[0])] if table else [element]
        for place in range(math.prod(shape)):
            part, data = self._part(data)
            cell = SubElement(places[place % len(places)], "td" if table else "item")
            self._fill(cell, part.data, depth + 1)

    def _structs(self, element: Element, data: memoryview, count: int, depth: int) -> None:
        size, data = self._part(data)
        length = self._numbers(size)
        names, data = self._part(data)
        if len(length) != 1 or length[0] < 1 or len(names.data) % length[0]:
            raise _Damaged("a structure's names have no length")
        step = int(length[0])
        starts = range(0, len(names.data), step)
        fields = [bytes(names.data[start : start + step]).split(b"\0")[0].decode() for start in starts]
        for _ in range(count):
            target = element if count == 1 else SubElement(element, "item")
            for field in fields:
                part, data = self._part(data)
                self._fill(SubElement(target, field), part.data, depth + 1)

    def _text(self, part: _Part) -> str:
        coding = _TEXTS.get(part.kind)
        if coding is None:
            raise _Damaged(f"text of the kind {part.kind}")
        if coding in ("utf-16", "utf-32"):
            coding += "-le" if self.order == "<" else "-be"
        return bytes(part.data).decode(coding)


def _word(value: float) -> str:
    """Write a number as MATLAB does: whole ones without a point, NaN in its letters."""
    return "NaN" if value != value else repr(value).removesuffix(".0")
