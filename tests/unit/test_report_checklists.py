"""Checklists point to what is in the report and say "not recorded" of the rest."""

from __future__ import annotations

import re

import pandas as pd
import pytest

import made_results as made
from pniflow.files import read_yaml
from pniflow.report.blocks import Heading, Link, Section, plain
from pniflow.report.interpretation import Context
from pniflow.report.run_results import Results
from pniflow.report.sections.checklists import MISSING, NAMES, checklists, recorded
from pniflow.resources import find

SECTIONS = [
    Section("answers", "Answers", []),
    Section("participants", "Participants", []),
    Section("methods", "Methods", [Heading("Design", "methods-design")]),
]
STUDY = {**made.STUDY, "intervention": "not recorded"}


def run(study, **more) -> Results:
    return Results(study, [], Context({}, {}), **more)


def filled(tables=None, domains=None, sections=SECTIONS) -> dict[str, dict[str, list]]:
    """Checklist -> item -> its last cell."""
    blocks = checklists(sections, run(STUDY, tables=tables or {}, domains=domains or {}))[1:]
    return {
        plain(fold.summary).partition(",")[0]: {plain(row.head): row.cells[1] for row in fold.blocks[0].rows}
        for fold in blocks
    }


def test_items_point_to_places_of_the_report_and_the_rest_is_not_recorded():
    strobe = filled()["STROBE"]
    assert strobe["1a"] == [Link("Methods: design", "#methods-design")]
    assert strobe["13a"] == [Link("Participants", "#participants")]
    assert strobe["13c"] == [MISSING]  # no figure
    assert strobe["22"] == [MISSING]


def test_a_place_counts_only_where_what_it_needs_is_recorded():
    assert filled()["TIDieR"]["1"] == [MISSING]  # the intervention is not recorded
    assert filled()["TIDieR"]["12"] == [MISSING]
    course = pd.DataFrame({"item": ["completed_course", "adverse_events"], "recorded": [True, False]})
    lists = filled({"course": course})
    assert plain(lists["TIDieR"]["12"]) == "Participants"
    assert lists["TREND"]["19"] == [MISSING]


def test_the_days_of_all_sessions_are_needed():
    assert recorded("days", run(made.STUDY))
    assert not recorded("days", run({"sessions": {"ses-a": {"day": 0}, "ses-b": {}}}))


def test_cobidas_is_for_studies_with_images():
    assert set(filled()) == {"STROBE", "TREND", "TIDieR"}
    assert set(filled(domains={"gm": "imaging"})) == {"STROBE", "TREND", "TIDieR", "COBIDAS"}


def test_the_summary_counts_the_items_with_a_place():
    fold = checklists(SECTIONS, run(STUDY))[1]
    placed = [row for row in fold.blocks[0].rows if row.cells[1] != [MISSING]]
    assert f"{len(placed)} of 34 items" in plain(fold.summary)


@pytest.mark.parametrize(("name", "count"), [("strobe", 34), ("trend", 22), ("tidier", 12), ("cobidas", 18)])
def test_a_checklist_has_all_its_items_once_and_places_that_can_be(name, count, root):
    listed = read_yaml(find("checklists", name))
    items = [str(item["item"]) for item in listed["items"]]
    assert len(items) == count
    assert name == "cobidas" or len(set(items)) == count
    assert set(NAMES) == {path.stem for path in (root / "resources" / "checklists").glob("*.yaml")}
    code = "".join(path.read_text() for path in (root / "workflow/pniflow/report").rglob("*.py"))
    figures = {
        path.stem.removeprefix("plot_") for path in (root / "workflow/pniflow/figures").glob("plot_*.py")
    }
    for item in listed["items"]:
        for place in item.get("where", []):
            kind, _, last = place.partition("-")
            if kind == "figure":
                assert last in figures
            else:
                assert re.search(rf'"{last or kind}"', code) or f'"{place}"' in code, place
