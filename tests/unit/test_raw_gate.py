"""The gate: what a raw file may be, what is noted of it, and what is refused in one sentence."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import time
import zipfile
from pathlib import Path

import pytest

from pniflow.errors import InputError
from pniflow.raw import gate

TEXT = "id;größe\nA;1,5\n"


def test_what_was_read_is_noted_with_size_and_digest(tmp_path: Path) -> None:
    content = gzip.compress(b"x" * 5_000_000, 0)
    paths = [tmp_path / f"{number}.gz" for number in range(3)]
    for path in paths:
        path.write_bytes(content)
    gate.read_unpacked(paths[0])
    with gate.open_stream(paths[1]) as stream:
        while stream.read(100_000):
            pass
    noted = len(content), hashlib.sha256(content).hexdigest()
    assert gate.READ[paths[0]] == gate.READ[paths[1]] == noted
    assert gate.read_head(paths[2], 10) == b"x" * 10
    size, digest = gate.READ[paths[2]]
    assert size < len(content)
    assert digest == hashlib.sha256(content[:size]).hexdigest()
    gate.read_bytes(paths[2])
    gate.read_head(paths[2], 10)
    assert gate.READ[paths[2]] == noted


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_text_is_decoded_with_and_without_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "t.csv").write_bytes(TEXT.encode(encoding))
    assert gate.read_text(tmp_path / "t.csv") == TEXT
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(TEXT.encode(encoding)))
    assert gate.read_text(tmp_path / "t.csv.gz") == TEXT


def test_every_flipped_bit_of_a_packed_file_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    """Of a member's header the time and the system alone may be other; the checksum tells all else."""
    packed, path = gzip.compress(TEXT.encode() * 3, mtime=0), tmp_path / "t.csv.gz"
    for bit in range(8 * len(packed)):
        path.write_bytes(
            bytes([byte ^ (1 << bit % 8) * (place == bit // 8) for place, byte in enumerate(packed)])
        )
        for read in (gate.read_unpacked, lambda one: gate.open_stream(one).read()):
            try:
                found = read(path)
            except InputError:
                continue
            assert found in (TEXT.encode() * 3, path.read_bytes()), bit
            assert found == TEXT.encode() * 3 or bit < 16  # no packed file any more


def test_members_and_what_fills_up_a_block_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.gz"
    path.write_bytes(gzip.compress(b"one ") + gzip.compress(b"two") + bytes(512))
    assert gate.read_unpacked(path) == gate.open_stream(path).read() == b"one two"
    path.write_bytes(gzip.compress(b"one ") + b"something else")
    with pytest.raises(InputError, match=r"t.gz: the file cannot be read; it is packed, and damaged"):
        gate.read_unpacked(path)


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_lost_link(path: Path) -> None:
    path.symlink_to(path.parent / "gone")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (make_pipe, "a folder, a pipe or a device; a regular file was expected"),
        (make_device, "a folder, a pipe or a device; a regular file was expected"),
        (Path.mkdir, "a folder, a pipe or a device; a regular file was expected"),
        (make_lost_link, "a link that leads nowhere"),
        (lambda path: None, "there is no such file"),
    ],
)
def test_what_is_no_regular_file_is_one_sentence_at_once(tmp_path: Path, make, says: str) -> None:
    path = tmp_path / "x.csv"
    make(path)
    began = time.monotonic()
    for read in (
        gate.read_bytes,
        gate.read_text,
        gate.read_json,
        gate.open_zip,
        lambda one: gate.read_head(one, 9),
    ):
        with pytest.raises(InputError, match=f"x.csv: .*{says}"):
            read(path)
    with pytest.raises(InputError, match=says):
        gate.open_stream(path).read(1)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("name", ["a" * 1_000_000, "a" * 5000, "a\0b", "a\ud800b"])
def test_a_name_that_no_file_can_have_is_a_short_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        gate.read_bytes(tmp_path / name)
    assert len(str(caught.value)) < 300


def test_packed_and_unpacked_sizes_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(bytes(50_000_000)))
    with pytest.raises(InputError, match=r"t.csv.gz: the file unpacks to more than 16 MB"):
        gate.read_unpacked(path, largest=1 << 24)
    with pytest.raises(InputError, match="a line is longer than 64 MB"), gate.open_stream(path) as stream:
        path.write_bytes(gzip.compress(b"a" * 70_000_000, 1))
        list(gate.lines_of(stream, "t.csv.gz"))
    with open(tmp_path / "large.csv", "wb") as stream:
        stream.truncate(gate.LARGEST + 1)
    with pytest.raises(InputError, match=r"large.csv: the file is larger than 1024 MB"):
        gate.read_bytes(tmp_path / "large.csv")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": 1, "a": 2}', "the key 'a' is given a second time"),
        ('{"a": NaN}', "'NaN' stands for a number"),
        ('{"a": -Infinity}', "'-Infinity' stands for a number"),
        ('{"a": 1e999}', "'1e999' stands for a number"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ('{"a": ' * 100_000, "nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "a number has thousands of digits"),
        ('{"a": 1', "line 1 is not JSON"),
        ("\0", "zero bytes"),
    ],
)
def test_json_that_is_none_is_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(InputError, match=f"^t.json: .*{says}"):
        gate.read_json(tmp_path / "t.json")


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.xml", content)
    return path


def test_members_of_a_workbook_are_bounded_and_read_to_their_checksums(tmp_path: Path) -> None:
    path = zipped(tmp_path / "t.xlsx", a=b"<a>1</a>" * 100)
    content = path.read_bytes()
    assert isinstance(gate.open_zip(path), io.BytesIO)
    with pytest.raises(InputError, match="the workbook unpacks to more than"):
        gate.open_zip(path, largest=799)
    for place in range(30, 45):  # a member's name stands at 30, its packed bytes follow
        path.write_bytes(content[:place] + bytes([content[place] ^ 64]) + content[place + 1 :])
        with pytest.raises(InputError, match=r"t.xlsx: this is not a readable .xlsx workbook"):
            gate.open_zip(path)


@pytest.mark.parametrize(
    ("member", "says"),
    [
        (b"<!DOCTYPE a>" + b" " * 9, "a.xml declares a document type"),
        (b" " * 9000 + b"<!ENTITY a 'b'>", "a.xml declares a document type"),
        ('<?xml version="1.0" encoding="utf-16"?><a/>'.encode("utf-16"), "or an encoding"),
        (b'<?xml version="1.0" encoding="cp037"?><a/>', "or an encoding"),
        (b"<a><!--" + b">" * 40_000_000 + b"--></a>", "a comment or a tag without end"),
        (b"<a b='" + b">" * 40_000_000 + b"'/>", "a comment or a tag without end"),
        (b"<a><?b " + b">" * 40_000_000 + b"?></a>", "a comment or a tag without end"),
    ],
    ids=["type", "entity far below", "UTF-16", "EBCDIC", "comment", "attribute", "instruction"],
)
def test_xml_that_no_workbook_needs_is_refused_at_once(tmp_path: Path, member: bytes, says: str) -> None:
    began = time.monotonic()
    with pytest.raises(InputError, match=says):
        gate.open_zip(zipped(tmp_path / "t.xlsx", a=member))
    assert time.monotonic() - began < 5
