"""The gate: the only module that opens raw files.

A raw file is a regular file (or a link to one) of bounded size; what is packed is unpacked to a bounded size
and read to its checksum, and text is decoded here. What is wrong with a file as such is one sentence here, so
that readers behind the gate meet bytes or text and nothing else.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import hashlib
import io
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from pniflow.errors import InputError
from pniflow.files import parse_json

LARGEST = 1 << 30  # bytes that a file read as a whole may have, packed or not
LARGEST_STREAM = 1 << 36  # bytes of a table that is read piece by piece
LARGEST_JSON = 1 << 24
LONGEST_LINE = 1 << 26
_RATIO = 100  # to which a table read piece by piece may unpack beyond `LARGEST`; counts reach some ten
_PIECE = 1 << 20
_DAMAGED = (
    "the file cannot be read; it is packed, and damaged or cut off (its checksum fails): fetch it again."
)
_MAGIC = b"\x1f\x8b"

READ: dict[Path, tuple[int, str]] = {}
"""File -> (n, SHA-256 of its first n bytes) of all that this process has read; n is the file's size unless
only its head was read.
"""


def read_bytes(path: Path, name: str | None = None, largest: int = LARGEST) -> bytes:
    """Read a raw file as it is.

    Parameters
    ----------
    path : Path
        The file.
    name : str, optional
        Its name for sentences.
    largest : int, optional
        Bytes that it may have.

    Raises
    ------
    InputError
        There is no such file, it is no regular file (a folder, a pipe, a device), or it is larger.
    """
    return b"".join(_pieces(path, _shown(path, name), largest))


def read_unpacked(path: Path, name: str | None = None, largest: int = LARGEST) -> bytes:
    """Read a raw file, unpacked if its content is gzip, to its checksum.

    Raises
    ------
    InputError
        As `read_bytes`; or the packed file is damaged or cut off, or unpacks to more than `largest` bytes.
    """
    name = _shown(path, name)
    return b"".join(_unpacked(_pieces(path, name, largest), name, largest))


def read_text(path: Path, name: str | None = None, largest: int = LARGEST) -> str:
    """Read a raw file as text (`decoded`), unpacked if its content is gzip.

    Raises
    ------
    InputError
        As `read_unpacked` and `decoded`; or the name ends in .gz and the content is not packed.
    """
    name = _shown(path, name)
    content = read_bytes(path, name, largest)
    if content[:2] == _MAGIC:
        content = b"".join(_unpacked(iter([content]), name, largest))
    elif path.suffix == ".gz":
        raise InputError(f"{name}: {_DAMAGED}")
    return decoded(content, name)


def read_json(path: Path, name: str | None = None) -> Any:
    """Read JSON; a key given twice, a number that is none, or endless nesting is refused."""
    return parse_json(read_text(path, name, LARGEST_JSON), _shown(path, name))


def read_head(path: Path, size: int, name: str | None = None) -> bytes:
    """Read the first `size` bytes of a raw file, unpacked if its content is gzip; a checksum is not reached.

    Raises
    ------
    InputError
        As `read_unpacked`; the file may be of any size.
    """
    name = _shown(path, name)
    with contextlib.closing(_pieces(path, name, LARGEST_STREAM, piece=max(size, 1 << 12))) as pieces:
        content = b""
        for part in _unpacked(pieces, name, LARGEST_STREAM):
            content += part
            if len(content) >= size:
                break
    return content[:size]


def open_stream(path: Path, name: str | None = None) -> io.BufferedReader:
    """Open a raw file to be read piece by piece, unpacked if its content is gzip, to its checksum.

    Raises
    ------
    InputError
        As `read_unpacked`, when the first piece or a later one is read.
    """
    name = _shown(path, name)
    return io.BufferedReader(_Stream(path, name), _PIECE)


def lines_of(stream: io.BufferedIOBase, name: object) -> Iterator[bytes]:
    """Yield the lines of a stream; one without end is refused, not held."""
    while line := stream.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise InputError(f"{name}: a line is longer than {LONGEST_LINE >> 20} MB; this is not a table.")
        yield line


def open_zip(path: Path, name: str | None = None, largest: int = LARGEST) -> io.BytesIO:
    """Return a zip file (a workbook) whose members were all unpacked once, to their checksums.

    Raises
    ------
    InputError
        As `read_bytes`; or this is no zip file, a member is encrypted, packed in a way that workbooks are
        not, or damaged, the members unpack to more than `largest` bytes, or an XML member declares a document
        type or has a comment or tag that no program writes and a parser would take hours for.
    """
    name = _shown(path, name)
    content = io.BytesIO(read_bytes(path, name, largest))
    try:
        with zipfile.ZipFile(content) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > largest:
                raise InputError(
                    f"{name}: the workbook unpacks to more than {largest >> 20} MB; it is not read."
                )
            for member in members:
                if member.flag_bits & 1 or member.compress_type not in (
                    zipfile.ZIP_STORED,
                    zipfile.ZIP_DEFLATED,
                ):
                    raise InputError(f"{name}: the workbook has a password; save it without one.")
                unpacked = archive.read(member)
                if member.filename.lower().endswith((".xml", ".rels", ".vml")):
                    _require_harmless(unpacked, f"{name}: {member.filename[:80]}")
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError,
            RuntimeError, struct.error, OverflowError, MemoryError, IndexError, KeyError):  # fmt: skip
        raise InputError(
            f"{name}: this is not a readable .xlsx workbook; save the sheet as CSV and name that file."
        ) from None
    content.seek(0)
    return content


# In these a byte below 128 is the ASCII character.
_ASCII_LIKE = {b"utf-8", b"us-ascii", b"ascii", b"iso-8859-1", b"windows-1252"}
# Each is looked at again from its beginning whenever a parser gets another piece of it.
_ENDLESS = re.compile(rb"<!--(?!.{0,65536}?-->)|<\?(?!.{0,65536}?\?>)|<[^!?<][^<]{1048576}", re.DOTALL)


def declares_type(content: bytes) -> bool:
    """Tell whether XML has a document type or entities, which can name files or grow without bound."""
    return b"<!" in content and (b"<!DOCTYPE" in content or b"<!ENTITY" in content)


def has_plain_encoding(content: bytes) -> bool:
    """Tell whether XML is in an encoding in which no document type could hide from `declares_type`."""
    declared = re.match(rb"(?:\xef\xbb\xbf)?<\?xml[^>]*encoding=[\"']([^\"']*)", content)
    return b"\0" not in content and (not declared or declared[1].lower() in _ASCII_LIKE)


def _require_harmless(content: bytes, place: str) -> None:
    """Refuse XML with a document type (and with it entities), or with a comment or tag of many kilobytes."""
    if declares_type(content) or not has_plain_encoding(content):
        raise InputError(
            f"{place} declares a document type or an encoding that no workbook needs; it is not read."
        )
    if _ENDLESS.search(content):
        raise InputError(f"{place} holds a comment or a tag without end; save the workbook again.")


def is_same(path: Path, other: Path) -> bool:
    """Tell whether two raw files have the same content."""
    if not (os.path.isfile(path) and os.path.isfile(other)):
        return os.path.isfile(path) == os.path.isfile(other)
    return os.path.getsize(path) == os.path.getsize(other) and read_bytes(path) == read_bytes(other)


_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decoded(content: bytes, name: str) -> str:
    """Decode text: UTF-8 or UTF-16, with a byte order mark or without, else Windows-1252.

    Raises
    ------
    InputError
        It holds zero bytes, and so is no text.
    """
    encoding = "utf-8-sig"
    if content[:2] in _UTF16:
        encoding = "utf-16"
    elif len(content) > 2 and b"\0" in content[:4096]:
        # Of the two bytes of a letter of Latin script one is zero; which of them tells the order.
        head = content[:4096]
        zeros = [head[place::2].count(0) / max(len(head[place::2]), 1) for place in (0, 1)]
        if max(zeros) > 0.5 and min(zeros) < 0.1:
            encoding = "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    try:
        text = content.decode(encoding, errors="strict" if encoding == "utf-8-sig" else "replace")
    except UnicodeDecodeError:
        # Excel on Windows saves "CSV" in the local code page; five bytes of it are unassigned.
        text = content.decode("cp1252", errors="replace")
    if "\0" in text:
        raise InputError(f"{name}: this is not a text table (it holds zero bytes); save it as CSV (UTF-8).")
    return text


class _Stream(io.RawIOBase):
    """The unpacked content of a raw file."""

    def __init__(self, path: Path, name: str) -> None:
        self._raw = _pieces(path, name, LARGEST_STREAM, piece=_PIECE)
        self._pieces = _unpacked(self._raw, name, max(LARGEST, _RATIO * _size(path)))
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            self._left = memoryview(next(self._pieces, b""))
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def _size(path: Path) -> int:
    return os.path.getsize(path) if os.path.isfile(path) else 0


def _shown(path: Path, name: str | None) -> str:
    """Return a file's name for sentences; of a name without end the two ends."""
    name = str(name or path.name)
    return name if len(name) <= 400 else f"{name[:80]}...{name[-80:]}"


def _pieces(path: Path, name: str, largest: int, piece: int = 0) -> Generator[bytes, None, None]:
    """Yield the bytes of a raw file as they are, in one piece or in pieces, and note what was read."""
    try:
        # Not to wait for a pipe that nobody writes to.
        handle = os.open(os.fspath(path), os.O_RDONLY | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: {_unopened(path, error)}") from None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise InputError(f"{name}: this is a folder, a pipe or a device; a regular file was expected.")
    digest, size = hashlib.sha256(), 0
    with open(handle, "rb", buffering=0) as stream:
        if status.st_size > largest:
            raise InputError(f"{name}: the file is larger than {largest >> 20} MB; it is not read.")
        try:
            while part := stream.read(piece or status.st_size + 1):
                size += len(part)
                digest.update(part)
                yield part
        except OSError as error:
            raise InputError(f"{name}: the file cannot be read ({error.strerror}).") from None
        finally:
            if size >= READ.get(path, (0, ""))[0]:
                READ[path] = size, digest.hexdigest()


def _unopened(path: Path, error: Exception) -> str:
    """Say why a file cannot be opened."""
    if not isinstance(error, OSError):
        return "no file can have this name; correct it."
    if os.path.islink(path) and not os.path.exists(path):
        return "the file cannot be read (it is a link that leads nowhere); fetch what it leads to."
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "there is no such file; correct its name."
    return f"the file cannot be read ({error.strerror})."


def _unpacked(pieces: Iterator[bytes], name: str, largest: int) -> Iterator[bytes]:
    """Yield the content of a file of which pieces are given, unpacked to the checksum if it is gzip."""
    first = next(pieces, b"")
    while 0 < len(first) < len(_MAGIC) and (more := next(pieces, b"")):
        first += more
    if first[:2] != _MAGIC:
        if first:
            yield first
        yield from pieces
        return
    size = 0
    unpack = zlib.decompressobj(wbits=31)
    piece = first
    try:
        while piece:
            while True:
                if unpack.eof:
                    # Another part follows, or zeros that fill up a tape's block.
                    piece = piece.lstrip(b"\0")
                    if not piece:
                        break
                    unpack = zlib.decompressobj(wbits=31)
                part = unpack.decompress(piece, _PIECE)
                size += len(part)
                if size > largest:
                    raise InputError(
                        f"{name}: the file unpacks to more than {largest >> 20} MB; it is not read."
                    )
                if part:
                    yield part
                piece = unpack.unused_data if unpack.eof else unpack.unconsumed_tail
                if not piece and len(part) < _PIECE:
                    break
            piece = next(pieces, b"")
        if not unpack.eof:
            raise EOFError
    except (zlib.error, EOFError):
        raise InputError(f"{name}: {_DAMAGED}") from None
