"""The report as one HTML file that loads nothing: style and figures inside, strict content policy."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pniflow.report.parts import BANNER, Section, plain

_HERE = Path(__file__).resolve().parent


def write_page(
    *, title: str, subtitle: str, simulated: bool, sections: Sequence[Section], version: str
) -> str:
    """Return the page as HTML.

    The template escapes everything (autoescape): text from the study is text on the page.
    """
    import jinja2

    style = (_HERE / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    anchors = {
        row.trace: f"row-{number}"
        for number, row in enumerate(row for section in sections for row in _traced(section.blocks))
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["data_uri"] = _data_uri
    environment.filters["plain"] = plain
    return environment.get_template("report.html.j2").render(
        title=title,
        subtitle=subtitle,
        simulated=simulated,
        banner=BANNER,
        sections=sections,
        version=version,
        style=style,
        style_hash=digest,
        anchors=anchors,
    )


def _traced(blocks: Sequence[Any]) -> list[Any]:
    """Return the rows of the table of all estimates, which the other tables link to."""
    rows = []
    for block in blocks:
        if block.kind == "fold":
            rows += _traced(block.blocks)
        elif block.kind == "table" and block.anchored:
            rows += list(block.rows)
    return rows


def _data_uri(svg: bytes) -> str:
    # Fixed decimals and comments of the drawing program carry nothing; what is left is what is seen.
    text = re.sub(rb"<!--.*?-->", b"", svg, flags=re.S)
    return "data:image/svg+xml;base64," + base64.b64encode(text).decode("ascii")
