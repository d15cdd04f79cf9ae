"""The report on paper: the same sections as the page, set by typst, with the same numbers as strings."""

from __future__ import annotations

import functools
import importlib.util
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pniflow.report.parts import BANNER, Fold, Link, Picture, Section, Table, Text, plain

_HERE = Path(__file__).resolve().parent
_WIDTH, _LANDSCAPE, _HEIGHT = 482.0, 700.0, 600.0  # points that a page gives to a table or figure
_SIZE, _SMALLEST = 7.8, 5.8  # points of a table's type
_LETTER, _GAP = 0.52, 7.0  # width of a letter in its size, and between columns in points
_USUAL = re.compile(
    r"[\x20-\x7e\u00a0-\u024f\u0370-\u03ff\u0400-\u045f\u2010-\u2026\u2212\u221a\u2264\u2265]*"
)


def write_paper(
    *, title: str, subtitle: str, simulated: bool, sections: Sequence[Section], made: str
) -> bytes:
    """Return the report as PDF; the same bytes for the same sections, on any machine."""
    import typst

    paper = _Paper()
    written = [
        {"title": printable(section.title), "blocks": paper.blocks(section.blocks)} for section in sections
    ]
    if paper.appendix:
        written.append({"title": "Appendix", "blocks": paper.appendix})
    document = {
        "title": printable(title),
        "subtitle": printable(subtitle),
        "simulated": simulated,
        "banner": BANNER,
        "made": made,
        "sections": written,
    }
    files = {
        "main": (_HERE / "report.typ").read_bytes(),
        "report.json": json.dumps(document, ensure_ascii=False).encode("utf-8"),
        **paper.pictures,
    }
    fonts = typst.Fonts(include_system_fonts=False, font_paths=[_fonts()])
    compiler: Any = typst.compile  # takes files by name too, which its stub does not say
    return bytes(compiler(files, format="pdf", font_paths=fonts, pdf_standards=["ua-1"]))


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
                written.append(_picture(block))
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
    cells: list[list[str]] = [[] for _ in table.columns]
    for row in table.rows:
        if not row.group:
            for column, text in zip(cells, [row.head, *row.cells], strict=True):
                column.append(plain(text))
    # Letters that may not be broken: numbers and short texts whole, of other texts the longest word.
    heads = [round(1.2 * _longest([name])) for name in table.columns]  # bold
    words = [max(head, _longest(some)) for head, some in zip(heads, cells, strict=True)]
    whole = [max([head, *map(len, some)]) for head, some in zip(heads, cells, strict=True)]
    fixed = [
        (place > 0 and (place - 1 in table.numeric or letters <= 14)) or 20 < word == letters <= 40
        for place, (letters, word) in enumerate(zip(whole, words, strict=True))
    ]
    needed = sum(
        letters if stays else min(max(word, min(letters, 26)), 40)
        for letters, word, stays in zip(whole, words, fixed, strict=True)
    )
    gaps = _GAP * len(whole)
    size = min(_SIZE, (_WIDTH - gaps) / (needed * _LETTER))
    wide = size < _SMALLEST
    if wide:
        size = max(4.5, min(_SIZE, (_LANDSCAPE - gaps) / (needed * _LETTER)))
    widths = [
        {"pt": round(letters * _LETTER * size + _GAP, 1)}
        if stays
        else {"fr": max(10, word, min((sum(map(len, some)) / max(1, len(some)) + letters) / 2, 60))}
        for letters, word, stays, some in zip(whole, words, fixed, cells, strict=True)
    ]
    return {
        "kind": "table",
        "caption": _text(table.caption),
        "columns": [printable(column) for column in table.columns],
        "numeric": list(table.numeric),
        "rows": [
            {
                "head": _text(row.head),
                "remark": printable(row.remark),
                "group": row.group,
                "cells": [_text(cell) for cell in row.cells],
            }
            for row in table.rows
        ],
        "note": _text(table.note),
        "widths": widths,
        "size": round(size, 2),
        "wide": wide,
    }


def _longest(texts: Sequence[str]) -> int:
    """Return the letters of the longest word; a no-break space is part of one."""
    return max((len(word) for text in texts for word in text.split(" ")), default=0)


def _picture(picture: Picture) -> dict[str, Any]:
    scale = min(_WIDTH / picture.width, _HEIGHT / picture.height, 1.0 if picture.narrow else 10.0)
    return {
        "kind": "figure",
        "file": f"{picture.name}.svg",
        "title": printable(picture.title),
        "alt": printable(picture.alt),
        "caption": _text(picture.caption),
        "width": round(picture.width * scale, 1),
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
