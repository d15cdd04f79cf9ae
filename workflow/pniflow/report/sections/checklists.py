"""Reporting checklists, filled in as far as this report goes; the rest says "not recorded"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pniflow import files
from pniflow.report.blocks import Fold, Link, Paragraph, Row, Section, Table, Text, joined
from pniflow.report.run_results import Results
from pniflow.resources import find
from pniflow.text import numbers

NAMES = ("strobe", "trend", "tidier", "cobidas")
MISSING = "not recorded"


def checklists(sections: Sequence[Section], results: Results) -> list[Any]:
    """Return the checklists that fit the study, each folded; items point to places of these sections."""
    places = _places(sections)
    blocks: list[Any] = []
    for name in NAMES:
        listed = files.read_yaml(find("checklists", name))
        if listed.get("branch") not in (None, *results.domains.values()):
            continue
        lines, filled = [], 0
        for item in listed["items"]:
            where = [place for place in item.get("where", []) if place in places]
            known = all(recorded(need, results) for need in item.get("needs", []))
            filled += bool(where and known)
            links = [[Link(places[place], f"#{place}")] for place in where if known]
            cell = joined(links, "; ") or [MISSING]
            lines.append(Row([str(item["item"])], [[item["topic"]], cell]))
        summary = f"{listed['title']}: {filled} of {len(lines)} items have a place in this report"
        caption: Text = [f"{listed['title']}", *results.bibliography.cite(listed["reference"]), "."]
        note = [f"{listed['source']} Topics are in our own words."]
        table = Table(caption, ["Item", "Topic", "Where in this report"], lines, note=note)
        blocks.append(Fold([summary], [table]))
    text = (
        "A place in the report is named where the item is written of there; whether it is written of well"
        f" enough is for people to judge. What the study's files do not hold says “{MISSING}”: it belongs"
        " into the manuscript."
    )
    return [Paragraph([text]), *blocks] if blocks else []


def _places(sections: Sequence[Section]) -> dict[str, str]:
    """Return anchor -> title of every place of the report."""
    places: dict[str, str] = {}
    for section in sections:
        places[section.anchor] = section.title
        for block in section.blocks:
            if block.kind == "heading" and block.anchor:
                places[block.anchor] = f"{section.title}: {numbers.inside(block.text)}"
            elif block.kind == "figure":
                places[f"figure-{block.name}"] = f"Figure: {numbers.inside(block.title)}"
    return places


def recorded(need: str, results: Results) -> bool:
    """Tell whether something is recorded: a word of study.yaml, the days, or an item of the course."""
    kind, _, item = need.partition(".")
    if kind == "course":
        course = results.tables.get("course")
        return course is not None and bool((course["recorded"] & (course["item"] == item)).any())
    if kind == "days":
        return all(numbers.given((about or {}).get("day")) for about in results.study["sessions"].values())
    return str(results.study.get(kind, MISSING)) != MISSING
