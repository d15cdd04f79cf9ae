"""Published claims are compared with the study's own estimates."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import made_results as made
from called import call
from pniflow.errors import InputError
from pniflow.report.blocks import plain
from pniflow.report.interpretation import Context
from pniflow.report.render_report import render_report
from pniflow.report.run_results import Results
from pniflow.report.sections.claims import claims
from pniflow.resources import searched
from pniflow.text.estimates import estimates_of

pytestmark = pytest.mark.xdist_group("figures")


def test_published_claims_name_direction_source_and_contradiction(page):
    table = next(e["text"] for e in page.all("table") if "Published claims" in e["text"])
    assert "CMSC 2023" in table
    assert "Sci Rep 2024" in table
    line = re.search(r"<tr data-key=\"ctra_on_pss10/ctra/pss10_within\">.*?</tr>", page.rawdata_text)
    lines = [
        m
        for m in re.findall(r"<tr data-key=.*?</tr>", page.rawdata_text)
        if "inversely related to change in stress" in m
    ]
    assert line
    assert len(lines) == 1
    assert ">yes, shown here<" in lines[0]
    assert ">inverse<" in lines[0]
    assert "higher CTRA = more adverse" in lines[0]
    pooled = [
        m for m in re.findall(r"<tr data-key=.*?</tr>", page.rawdata_text) if "related to worse stress" in m
    ]
    assert re.search(r">(no, the opposite was shown here|opposite sign, but not shown here)<", pooled[0])
    assert ">positive<" in pooled[0]
    assert "inverse relation" in page.body


def test_an_own_publication_without_contradictions_has_no_empty_list(tmp_path):
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "mine.yaml").write_text(
        "{name: mine, title: Mine, introduction: Own., sources: {A 2020: {citation: A (2020).}}, claims:"
        " [{claim: Stress lower, source: A 2020, direction: lower, keys: [change_pro/pss10/session]}]}"
    )
    row = made.row("change_pro", "pro_change", "pss10", "session", -3.0, 0.5)
    context = Context({"ses-pre": "before", "ses-post": "after"}, {}, 0.05)
    with searched(tmp_path):
        blocks = claims(Results({}, estimates_of(pd.DataFrame([row])), context, published=["mine"]))
    assert [block.kind for block in blocks] == ["paragraph", "table", "paragraph", "list"]
    assert plain(blocks[1].note).startswith("Direction compares signs of estimates; shown: adjusted p")


def test_a_claim_on_two_sessions_is_compared_with_the_second_of_three():
    joint = {**made.row("change_pro", "pro_change", "pss10", "session", -1.0, 0.5), "estimate": np.nan}
    second = made.row("change_pro", None, "pss10", "session[ses-post]", -2.0, 0.9)
    third = made.row("change_pro", None, "pss10", "session[ses-fu]", 3.0, 0.9)
    joint |= {"statistic": 4.3, "df_numerator": 2}
    rows = estimates_of(made.frame([joint, second, third]))
    sessions = {"ses-pre": "before", "ses-post": "after", "ses-fu": "week 20"}
    blocks = claims(Results({}, rows, Context(sessions, {}, 0.05), published=["reference_study"]))
    (line,) = next(block for block in blocks if block.kind == "table").rows
    assert plain(line.head).endswith("(Stress (PSS-10), after minus before)")
    assert line.trace == "change_pro/pss10/session[ses-post]"
    assert plain(line.cells[2]).startswith("−2.0")


def test_a_study_that_names_no_publication_is_compared_with_none(run, tmp_path):
    alone = {name: value for name, value in run.items() if name != "published"}
    call(render_report, **alone, out=tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "published claims" not in text
    assert "CMSC 2023" not in text


def test_an_unknown_publication_is_one_sentence(run, tmp_path):
    with pytest.raises(InputError, match="there is no 'other_study'; known are reference_study"):
        call(render_report, **{**run, "published": ["other_study"]}, out=tmp_path / "report.html")
