"""The lines of a laboratory's file, whatever it is packed or written in."""

from __future__ import annotations

import codecs
import io
import re
from pathlib import Path

from pniflow.errors import InputError
from pniflow.raw import gate

_HEAD = 1 << 16  # bytes that tell a file's encoding


def first_lines(
    path: Path, most: int = 100, most_bytes: int | None = 4 << 20, content: bytes | None = None
) -> list[str]:
    """Return the first lines of a text file, without line ends; at least three where lines are long.

    `content` is what `as_text` returned, where that is known.
    """
    lines: list[str] = []
    seen = 0
    try:
        with opened(path, content or as_text(path)) as stream:
            for line in gate.lines_of(stream, path):
                seen += len(line)
                lines.append(line.decode("utf-8-sig").rstrip("\r\n"))
                if len(lines) >= most or (most_bytes is not None and seen >= most_bytes and len(lines) > 2):
                    break
    except UnicodeDecodeError:
        raise InputError(
            f"{path}: this is not UTF-8 text, plain or gzip; export the matrix as a tab-separated or"
            " comma-separated file."
        ) from None
    return lines


def as_text(path: Path) -> bytes | None:
    """Return a workbook's first sheet, or text in UTF-16 or Windows-1252, as UTF-8; None of UTF-8 text.

    Raises
    ------
    InputError
        As `spreadsheet.read_sheet` and `gate.read_text`.
    """
    head = gate.read_head(path, _HEAD, str(path))
    if head.startswith(b"PK\3\4"):
        from pniflow.raw.spreadsheet import read_sheet

        columns = read_sheet(path, str(path))
        rows = ["\t".join(map(_cell, row)) for row in zip(*columns, strict=True)]
        # A title above the header stands alone in its row.
        above = next((number for number, row in enumerate(rows) if _filled(row) > 1), 0)
        return "".join(f"{'#' if number < above else ''}{row}\n" for number, row in enumerate(rows)).encode()
    try:
        # A character that the head cuts off is no error.
        codecs.getincrementaldecoder("utf-8")().decode(head)
        plain = b"\0" not in head
    except UnicodeDecodeError:
        plain = False
    return None if plain else gate.read_text(path, str(path)).lstrip("\ufeff").encode()


def _filled(row: str) -> int:
    return sum(bool(cell.strip()) for cell in row.split("\t"))


def _cell(text: str) -> str:
    return re.sub(r'[\t\r\n"]+', " ", text)


def opened(path: Path, content: bytes | None) -> io.BufferedIOBase:
    """Open what `as_text` returned, or the file itself."""
    return gate.open_stream(path, str(path)) if content is None else io.BytesIO(content)
