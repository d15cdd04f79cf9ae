"""The report on paper: the same sections as the page, set by typst, with the same numbers as strings."""

from __future__ import annotations

import functools
import importlib.util
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

from pniflow.report.blocks import BANNER, Document, Fold, Link, Picture, Table, Text, plain

_HERE = Path(__file__).resolve().parent
_WIDTH, _LANDSCAPE, _HEIGHT = 482.0, 700.0, 600.0  # points that a page gives to a table or figure
_SIZE, _SMALLEST = 7.8, 5.8  # points of a table's type
_LETTER, _GAP = 0.49, 7.0  # width of a letter in its size, and between columns in points
_BOLD = 1.2  # letters that a bold one takes
_USUAL = re.compile(
    r"[\x20-\x7e\u00a0-\u024f\u0370-\u03ff\u0400-\u045f\u2010-\u2026\u2212\u221a\u2264\u2265]*"
)


def write_paper(report: Document, made: str) -> bytes:
    """Return the report as PDF; the same bytes for the same sections, on any machine."""
    paper, title = _Paper(), report.title
    written = [
        {"title": printable(section.title), "blocks": paper.blocks(section.blocks)}
        for section in report.sections
    ]
    if paper.appendix:
        written.append({"title": "Appendix", "blocks": paper.appendix})
    document = {
        "title": printable(title),
        "running": printable(title if len(title) <= 90 else f"{title[:89]}…"),
        "subtitle": printable(report.subtitle),
        "simulated": report.simulated,
        "banner": BANNER,
        "made": made,
        "afloat": False,
        "sections": written,
    }
    content, warnings = _set(document, paper.pictures)
    if warnings:  # no stable place for each figure: let them all float
        content, _ = _set({**document, "afloat": True}, paper.pictures)
    return content


def _set(document: Mapping[str, Any], pictures: Mapping[str, bytes]) -> tuple[bytes, Sequence[Any]]:
    """Return the PDF, and what typst warns of."""
    import typst

    files = {
        "main": (_HERE / "report.typ").read_bytes(),
        "report.json": json.dumps(document, ensure_ascii=False).encode("utf-8"),
        **pictures,
    }
    fonts = typst.Fonts(include_system_fonts=False, font_paths=[_fonts()])
    compiler: Any = typst.compile_with_warnings  # takes files by name too, which its stub does not say
    content, warnings = compiler(files, format="pdf", font_paths=fonts, pdf_standards=["ua-1"])
    return bytes(content), warnings


@dataclass
class _Paper:
    """What gathers while blocks are written: figures' files, and what stands in the appendix."""

    pictures: dict[str, bytes] = field(default_factory=dict)
    appendix: list[dict[str, Any]] = field(default_factory=list)

    def blocks(self, blocks: Sequence[Any]) -> list[dict[str, Any]]:
        """Return blocks as plain data; what a reader opens on the page stands in the appendix or a file."""
        written: list[dict[str, Any]] = []
        for block in blocks:
            if isinstance(block, Fold):
                name = printable(plain(block.summary))
                where = block.file or "the appendix"
                written.append({"kind": "paragraph", "style": "note", "text": [f"{name}: see {where}."]})
                if not block.file:
                    inner = self.blocks(block.blocks)
                    self.appendix += [{"kind": "heading", "text": name}, *inner]
            elif isinstance(block, Table):
                written.append(_table(block))
            elif isinstance(block, Picture):
                self.pictures[f"{block.name}.svg"] = block.svg
                written.append({**_picture(block), "number": len(self.pictures)})
            elif block.kind == "heading":
                written.append({"kind": "heading", "text": printable(block.text)})
            elif block.kind == "list":
                items = [{"mark": mark, "text": _text(text)} for mark, text in block.items]
                written.append({"kind": "list", "items": items})
            else:
                written.append({"kind": "paragraph", "style": block.style, "text": _text(block.text)})
        return written


def _text(text: Text) -> list[Any]:
    """Return a text as runs: strings, and pairs of text and address for links that leave the report."""
    runs: list[Any] = []
    for part in text:
        if isinstance(part, Link) and not part.target.startswith("#"):
            runs.append([printable(part.text), part.target])
        else:
            said = printable(part if isinstance(part, str) else part.text)
            if runs and isinstance(runs[-1], str):
                runs[-1] += said
            else:
                runs.append(said)
    return runs


def _table(table: Table) -> dict[str, Any]:
    widths, size, wide, lines = _measured(table)
    return {
        "kind": "table",
        "caption": _text(table.caption),
        "columns": [printable(column) for column in table.columns],
        "numeric": list(table.numeric),
        "rows": [
            {
                "head": _cell(row.head),
                "remark": printable(row.remark),
                "group": row.group,
                "cells": [_cell(cell) for cell in row.cells],
            }
            for row in table.rows
        ],
        "note": _text(table.note),
        "widths": widths,
        "size": size,
        "wide": wide,
        "short": sum(lines) <= 9,
        "whole": max(lines, default=0) <= 25,  # a row that may be longer goes on over pages
    }


def _measured(table: Table) -> tuple[list[float], float, bool, list[int]]:
    """Return a table's widths in points, size of type, whether it lies on its side, and its rows' lines.

    A column has room for what may not be broken: numbers and short texts whole, of other texts the
    longest word. What the page has left goes to usual texts until they stand whole, then to heads.
    """
    rows = [row for row in table.rows if not row.group]
    texts = [[f"{plain(row.head)} {row.remark}" for row in rows]]
    texts += [[plain(row.cells[place]) for row in rows] for place in range(len(table.columns) - 1)]
    lows: list[float] = []
    usual: list[float] = []
    heads: list[float] = []
    for place, (name, some) in enumerate(zip(table.columns, texts, strict=True)):
        lengths = [len(text) for text in some] or [0]
        whole = max(lengths)
        stays = place > 0 and (place - 1 in table.numeric or whole <= 14)
        low = whole if stays else min(max(_longest(some), min(whole, 20)), 40)
        lows.append(max(1, low, _BOLD * _longest([name])))
        usual.append(max(lows[-1], min((whole + sum(lengths) / len(lengths)) / 2, 60)))
        heads.append(max(usual[-1], min(_BOLD * len(name), 24)))
    gaps = _GAP * len(lows)
    size = min(_SIZE, (_WIDTH - gaps) / (sum(lows) * _LETTER))
    wide = size < _SMALLEST
    page = _LANDSCAPE if wide else _WIDTH
    if wide:
        size = max(4.5, min(_SIZE, (page - gaps) / (sum(lows) * _LETTER)))
    room = (page - gaps) / (size * _LETTER)
    letters = _shared(_shared(lows, usual, room), heads, room)
    left = room - sum(letters)
    if left < 0.25 * room:  # a table that nearly fills the page ends where the page ends
        letters[usual.index(max(usual))] += left
    lines = [
        max(ceil(len(text) / width) for text, width in zip(row, letters, strict=True))
        for row in zip(*texts, strict=True)
    ]
    return [round(some * _LETTER * size + _GAP, 1) for some in letters], round(size, 2), wide, lines


def _shared(lows: Sequence[float], highs: Sequence[float], room: float) -> list[float]:
    """Return each column's letters: its lowest, and its part of what is left towards its highest."""
    wanted = sum(highs) - sum(lows)
    part = min(1.0, max(0.0, room - sum(lows)) / wanted) if wanted else 0.0
    fits = min(1.0, room / sum(lows))
    return [low * fits + (high - low) * part for low, high in zip(lows, highs, strict=True)]


def _cell(text: Text) -> list[Any]:
    """Return a table's text as runs, with places to break in names that are longer than a column."""
    runs = [run if isinstance(run, str) else [_breakable(run[0]), run[1]] for run in _text(text)]
    return [_breakable(run) if isinstance(run, str) else run for run in runs]


def _breakable(text: str) -> str:
    return re.sub(r"\S{25,}", lambda name: re.sub(r"([._/=-])(?=\w)", "\\1\u200b", name[0]), text)


def _longest(texts: Sequence[str]) -> int:
    """Return the letters of the longest word, which a no-break space and a space before a point join."""
    words = (word for text in texts for word in re.split(r"[ \u200b](?!\.)", _breakable(text)))
    return max(map(len, words), default=0)


def _picture(picture: Picture) -> dict[str, Any]:
    scale = min(_WIDTH / picture.width, _HEIGHT / picture.height, 1.0 if picture.narrow else 10.0)
    return {
        "kind": "figure",
        "file": f"{picture.name}.svg",
        "title": printable(picture.title),
        "alt": printable(picture.alt),
        "caption": _text(picture.caption),
        "width": round(picture.width * scale, 1),
        "narrow": picture.narrow,
    }


def printable(text: str) -> str:
    """Return a text with characters that no font here has, or that turn the line round, named by number."""
    if _USUAL.fullmatch(text):
        return text
    return "".join(one if _in_fonts(one) else f"⟨U+{ord(one):04X}⟩" for one in text.replace("\n", " "))


@functools.cache
def _in_fonts(letter: str) -> bool:
    if _USUAL.fullmatch(letter):
        return True
    if unicodedata.category(letter) in ("Cc", "Cf", "Co", "Cn", "Cs"):
        return letter == "\u00ad"
    return ord(letter) in _letters()


@functools.cache
def _letters() -> frozenset[int]:
    """Return the characters of the font that stands in where the text's own has none."""
    from fontTools.ttLib import TTFont

    return frozenset(TTFont(_fonts() / "DejaVuSans.ttf", lazy=True).getBestCmap())


def _fonts() -> Path:
    """Return the folder of the fonts that come with matplotlib: the same in every locked environment."""
    found = importlib.util.find_spec("matplotlib")
    places = found.submodule_search_locations if found else None
    return Path(next(iter(places or [""]))) / "mpl-data" / "fonts" / "ttf"
