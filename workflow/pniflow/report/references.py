"""References: what the methods cite, numbered in the order of citation, as a list and as a BibTeX file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pniflow import files, words
from pniflow.report.parts import Link, Listing, Text
from pniflow.resources import find

_DOI = re.compile(r"\bdoi:? ?(10\.\d{4,9}/[^\s\"<>,;]*[^\s\"<>,;.)])", re.IGNORECASE)
_FIELDS = ("author", "title", "journal", "publisher", "volume", "pages", "year", "doi", "note")


class Bibliography:
    """Works cited so far.

    `cite` returns a link with the number of a work; a topic nobody wrote on is not cited.
    """

    def __init__(self) -> None:
        self.known: dict[str, dict[str, str]] = files.read_yaml(find("references", "references"))
        self.cited: dict[str, Mapping[str, str]] = {}

    def cite(self, *topics: str) -> list[str | Link]:
        """Return " [1, 2]" for the works on topics, as parts of a text; empty where there is none."""
        return self._cited({topic: self.known[topic] for topic in topics if topic in self.known})

    def cite_instrument(self, name: str) -> list[str | Link]:
        """Return the sources of an instrument's key file."""
        key = words.instrument_key(name)
        sources = key.get("sources", []) if key else []
        return self._cited(
            {f"{name}_{place}": _source(source["cite"]) for place, source in enumerate(sources, 1)}
        )

    def _cited(self, works: Mapping[str, Mapping[str, str]]) -> list[str | Link]:
        parts: list[str | Link] = []
        for key, work in works.items():
            # The same work under another name keeps its number.
            doi = work.get("doi")
            same = next(
                (k for k, one in self.cited.items() if one == work or (doi and one.get("doi") == doi)), key
            )
            self.cited.setdefault(same, work)
            number = list(self.cited).index(same) + 1
            parts += [", " if parts else " [", Link(str(number), f"#ref-{number}")]
        return [*parts, "]"] if parts else []

    def listing(self) -> Listing:
        """Return the numbered list of works."""
        items: list[tuple[str, Text]] = []
        for number, work in enumerate(self.cited.values(), 1):
            items.append(("", [f"{number}. ", *_written(work)]))
        return Listing(items, anchors=[f"ref-{number}" for number in range(1, len(items) + 1)])

    def bibtex(self) -> str:
        """Return the works as a BibTeX file, by key."""
        return "\n".join(_entry(key, self.cited[key]) for key in sorted(self.cited))


def _source(text: str) -> dict[str, str]:
    """Return a source as a work: its words, and the DOI in them."""
    doi = _DOI.search(text)
    if doi is None:
        return {"title": text}
    return {"title": re.sub(r"[, ]+$", "", text[: doi.start()]) + text[doi.end() :], "doi": doi[1]}


def _written(work: Mapping[str, str]) -> list[str | Link]:
    """Return a work as a line of the list of references."""
    if "author" not in work:
        text = work["title"]
    else:
        names = [_name(one) for one in work["author"].split(" and ")]
        text = f"{', '.join(names).replace(', others', ' and others')} ({work['year']}). {work['title']}. "
        text += work.get("journal") or work.get("publisher", "")
        if "volume" in work:
            text += f" {work['volume']}:{work['pages'].replace('--', '–')}"
    parts: list[str | Link] = [text if text.endswith(".") else f"{text}."]
    return (
        [*parts, " ", Link(f"doi:{work['doi']}", f"https://doi.org/{work['doi']}")]
        if "doi" in work
        else parts
    )


def _name(author: str) -> str:
    """Return "Kenward MG" for "Kenward, Michael G."."""
    last, _, first = author.partition(", ")
    return f"{last} {''.join(part[0] for part in re.split(r'[ -]', first))}" if first else last


def _entry(key: str, work: Mapping[str, Any]) -> str:
    kind = "article" if "journal" in work else "book" if "publisher" in work else "misc"
    lines = [f"  {field} = {{{_escaped(str(work[field]), field)}}}" for field in _FIELDS if field in work]
    return f"@{kind}{{{key},\n" + ",\n".join(lines) + "\n}\n"


def _escaped(text: str, field: str) -> str:
    """Escape what TeX would read as a command; a DOI stays as it is."""
    text = " ".join(text.split())
    if field == "doi":
        return text
    return re.sub(r"([#$%&_{}])", r"\\\1", text.replace("\\", r"\textbackslash "))
