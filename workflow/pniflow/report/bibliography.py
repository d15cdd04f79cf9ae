"""References: what the methods cite, numbered in the order of citation, as a list and as a BibTeX file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pniflow import files, resources
from pniflow.errors import InputError, nearest
from pniflow.report.blocks import Link, Listing, Paragraph, Text
from pniflow.text import labels

_DOI = re.compile(r"\bdoi:? ?(10\.\d{4,9}/[^\s\"<>,;]*[^\s\"<>,;.)])", re.IGNORECASE)
_FIELDS = (
    "author",
    "title",
    "journal",
    "booktitle",
    "editor",
    "publisher",
    "address",
    "volume",
    "pages",
    "year",
    "doi",
    "note",
)


class Bibliography:
    """Works cited so far.

    `cite` returns a link with the number of a work; a topic nobody wrote on is not cited.
    """

    def __init__(self) -> None:
        self.known: dict[str, dict[str, Any]] = {
            key: work
            for path in resources.sources("references", "references")
            for key, work in files.read_yaml(path).items()
        }
        self.cited: dict[str, Mapping[str, str]] = {}
        self.compared: dict[str, list[str]] = {}

    def cite(self, *topics: str) -> list[str | Link]:
        """Return " [1, 2]" for the works on topics, as parts of a text; empty where there is none."""
        found = [topic for topic in topics if topic in self.known]
        works = [work for topic in found for work in (topic, *self.known[topic].get("with", ()))]
        return self._cited({work: self.known[work] for work in works})

    def cite_instrument(self, name: str) -> list[str | Link]:
        """Return the publications that an instrument's key file names; without one, its sources in words.

        Raises
        ------
        InputError
            The key file names a publication that is not in the list.
        """
        key = labels.instrument_key(name)
        sources = key.get("sources", []) if key else []
        works = {source["work"]: self._work(source["work"], name) for source in sources if "work" in source}
        others = {f"{name}_{place}": _source(source["cite"]) for place, source in enumerate(sources, 1)
                  if "cite" in source}  # fmt: skip
        if key and works and others:
            self.compared[str(key["title"])] = [source["cite"] for source in sources if "cite" in source]
        return self._cited(works or others)

    def _work(self, key: str, instrument: str) -> Mapping[str, str]:
        if key in self.known:
            return self.known[key]
        raise InputError(
            f"instruments/{instrument}.yaml: sources: work is '{key}', which is not in"
            f" resources/references/references.yaml{nearest(key, self.known)};"
            " name a key of that file, or give the source in words as cite"
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

    def keys(self) -> list[Paragraph]:
        """Return what else the scoring keys of the cited instruments were compared with; no publication."""
        said = [f"{title}: {'; '.join(sources)}." for title, sources in self.compared.items()]
        lead = "Scoring keys were compared with these too. "
        return [Paragraph([lead + " ".join(said)], "note")] if said else []

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
        text = f"{', '.join(names).replace(', others', ', et al.')} ({work['year']}). {work['title']}. "
        text += _place(work)
    parts: list[str | Link] = [text if text.endswith(".") else f"{text}."]
    return (
        [*parts, " ", Link(f"doi:{work['doi']}", f"https://doi.org/{work['doi']}")]
        if "doi" in work
        else parts
    )


def _place(work: Mapping[str, str]) -> str:
    """Return where a work appeared: in a journal, in a book, or as a book."""
    pages = work.get("pages", "").replace("--", "–")
    if "journal" in work:
        return f"{work['journal']} {work['volume']}:{pages}"
    publisher = ": ".join(work[field] for field in ("address", "publisher") if field in work)
    if "booktitle" not in work:
        return publisher
    editors = ", ".join(_name(one) for one in work["editor"].split(" and "))
    return f"In: {editors} (editors). {work['booktitle']}. {publisher}, pages {pages}"


def _name(author: str) -> str:
    """Return "Kenward MG" for "Kenward, Michael G."."""
    last, _, first = author.partition(", ")
    return f"{last} {''.join(part[0] for part in re.split(r'[ -]', first))}" if first else last


def _entry(key: str, work: Mapping[str, Any]) -> str:
    places = {"journal": "article", "booktitle": "incollection", "publisher": "book"}
    kind = next((kind for place, kind in places.items() if place in work), "misc")
    lines = [f"  {field} = {{{_escaped(str(work[field]), field)}}}" for field in _FIELDS if field in work]
    return f"@{kind}{{{key},\n" + ",\n".join(lines) + "\n}\n"


def _escaped(text: str, field: str) -> str:
    """Escape what TeX would read as a command, and keep the capitals of a title; a DOI stays as it is."""
    text = " ".join(text.split())
    if field == "doi":
        return text
    text = re.sub(r"([#$%&_{}])", r"\\\1", text.replace("\\", r"\textbackslash "))
    if field == "author":  # an institution is no first and last name
        return " and ".join(
            f"{{{one}}}" if " " in one and "," not in one else one for one in text.split(" and ")
        )
    return re.sub(r"[^\W_]+(?:-[^\W_]+)*", _kept, text) if field in ("title", "booktitle") else text


def _kept(word: re.Match[str]) -> str:
    """Put braces around a word whose capitals a bibliography style would lower; it lowers no first letter."""
    capitals = word[0] if word.start() else word[0][1:]
    return word[0] if capitals == capitals.lower() else f"{{{word[0]}}}"
