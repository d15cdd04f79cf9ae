"""The report as one HTML file that loads nothing: style, script and figures inside, strict content policy."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pniflow.report.blocks import BANNER, Document, Link, Number, Text, Trace, plain

if TYPE_CHECKING:
    from markupsafe import Markup

_HERE = Path(__file__).resolve().parent
# Marks that turn the direction of all that follows, the report's own words and numbers too.
_TURNS = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def write_page(
    report: Document, *, traces: Sequence[Trace], behind: Sequence[tuple[str, str]], version: str
) -> str:
    """Return the page as HTML.

    Text from the study is text on the page: the template and `_Writer` escape everything.

    Parameters
    ----------
    report : Document
        The report.
    traces : list of Trace
        Where each number comes from, by its key.
    behind : list of (name, value)
        Files, rule and command behind every estimate.
    version : str
        Of pniflow.
    """
    import jinja2

    style, script = ((_HERE / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
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
    writer = _Writer({trace.title: trace.anchor for trace in traces})
    page = environment.get_template("report.html.j2").render(
        **vars(report),
        banner=BANNER,
        traces=traces,
        behind=behind,
        version=version,
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        write=writer.write,
        anchor=writer.anchor,
        sources=set,
    )
    return _TURNS.sub(lambda mark: f"⟨U+{ord(mark[0]):04X}⟩", page)


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


class _Writer:
    """Writes texts as HTML: words escaped, numbers and links as links to where they come from."""

    def __init__(self, anchors: Mapping[str, str]) -> None:
        from markupsafe import Markup, escape

        self.anchors, self.escape, self.markup = anchors, escape, Markup

    def anchor(self, key: str, table: str = "estimates") -> str:
        """Return the anchor of a number's trace: of its row, else of its table; "" without any."""
        if table == "estimates":
            return self.anchors.get(key, "")
        if table == "sensitivity":
            # An outcome analysed there alone, or a test named without its analysis, has a trace of its own.
            names = (key.rpartition("/")[0], key, f"sensitivity {key}", "table sensitivity")
            return next((self.anchors[name] for name in names if name in self.anchors), "")
        return self.anchors.get(f"{table} {key}") or self.anchors.get(f"table {table}", "")

    def _number(self, part: Number, reached: set[str] | None) -> str:
        escape = self.escape
        anchor = self.anchor(part.key, part.table)
        tag, target = ("a", f' href="#{escape(anchor)}"') if anchor else ("span", "")
        if anchor and (reached is None or anchor in reached):
            target += ' tabindex="-1"'
        elif reached is not None:
            reached.add(anchor)
        where = {"table": part.table, "key": part.key, "field": part.field}
        data = " ".join(f'data-{name}="{escape(value)}"' for name, value in where.items())
        return f'<{tag}{target} class="n" {data}>{escape(part.text)}</{tag}>'

    def write(self, text: Text, reached: set[str] | None = None) -> Markup:
        """Return a text as HTML.

        The keyboard stops once at each source of numbers that is not among those `reached`, which
        gathers them; without it, at none.
        """
        escape = self.escape
        written: list[str] = []
        for part in text:
            if isinstance(part, str):
                written.append(escape(part))
            elif isinstance(part, Link):
                written.append(f'<a href="{escape(part.target)}">{escape(part.text)}</a>')
            else:
                written.append(self._number(part, reached))
        return self.markup("".join(written))


def _data_uri(svg: bytes) -> str:
    # Fixed decimals and comments of the drawing program carry nothing; what is left is what is seen.
    text = re.sub(rb"<!--.*?-->", b"", svg, flags=re.S)
    return "data:image/svg+xml;base64," + base64.b64encode(text).decode("ascii")
