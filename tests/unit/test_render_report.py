"""The page: text is text, it loads nothing, and it can be read by everybody."""

from __future__ import annotations

import base64
import hashlib
import re
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

import made_results as made
from called import call
from pniflow.contracts import read_table, write_table
from pniflow.report.render_report import render_report
from report_pages import HOSTILE, Page

pytestmark = pytest.mark.xdist_group("figures")


def test_the_page_loads_nothing_and_runs_its_own_script_alone(page):
    assert [script["at"] for script in page.all("script")] == [{}]
    assert not page.all("link")
    assert not page.all("iframe")
    for element in page.elements:
        for name, value in element["at"].items():
            assert not name.startswith("on")
            assert name != "style"
            if name == "src":
                assert value.startswith("data:image/svg+xml;base64,")
            if name == "href":
                assert value.startswith(("#", "https://doi.org/10."))
    assert "url(" not in page.all("style")[0]["text"]
    assert "@import" not in page.all("style")[0]["text"]


def test_the_content_policy_allows_this_style_and_script_alone(page):
    policy = page.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["at"]["content"]
    digest = base64.b64encode(hashlib.sha256(page.all("style")[0]["text"].encode()).digest()).decode()
    assert policy.startswith("default-src 'none'")
    assert f"style-src 'sha256-{digest}'" in policy
    digest = base64.b64encode(hashlib.sha256(page.all("script")[0]["text"].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_the_page_can_be_read_by_machines_that_read_aloud(page):
    assert page.all("html")[0]["at"]["lang"] == "en"
    assert len(page.all("h1")) == len(page.all("main")) == len(page.all("nav")) == 1
    levels = [int(e["tag"][1]) for e in page.elements if re.fullmatch(r"h[1-6]", e["tag"])]
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    assert all(e["at"].get("scope") in ("col", "row", "rowgroup") for e in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(e["text"].strip() for e in page.all("caption"))
    assert all(len(e["at"]["alt"]) > 60 for e in page.all("img"))
    ids = [e["at"]["id"] for e in page.elements if "id" in e["at"]]
    assert len(ids) == len(set(ids))
    assert all(e["at"]["href"][1:] in ids for e in page.all("a") if e["at"]["href"][0] == "#")
    sections = [e["at"] for e in page.all("section")]
    assert all(at.get("aria-label") or at["aria-labelledby"] in ids for at in sections)


def test_tables_have_as_many_cells_as_columns(page):
    text = page.rawdata_text
    for table in re.findall(r"<table>.*?</table>", text, re.S):
        columns = table.count('scope="col"')
        for line in re.findall(r"<tr[^>]*>(?!<th scope=\"col\").*?</tr>", table, re.S):
            if "rowgroup" in line:
                assert f'colspan="{columns}"' in line
            else:
                assert line.count("<td") + line.count("<th") == columns


def test_no_section_is_empty_and_each_stands_in_the_navigation(page):
    titles = [e["text"].strip() for e in page.all("h2")]
    assert "; ".join(titles) == (
        "Answers; Participants; Change between the sessions; Gene expression (CTRA); Associations;"
        " Brain structure (MRI); Quality and exclusions; Sensitivity analyses; Comparison with published"
        " claims; Methods; What this study cannot show; All estimates; Data dictionary; Software;"
        " Reporting checklists; References"
    )
    assert [e["text"].strip() for e in page.all("li") if "nav" in e["path"]] == titles
    for section in page.all("section"):
        assert len(section["text"].strip()) > 60


def test_simulated_data_say_so_first(page):
    assert page.body.strip().startswith("To the content")
    banner = next(e for e in page.elements if e["at"].get("class") == "banner")
    assert "Simulated data" in banner["text"]


def test_contrast_is_enough_in_light_and_dark(page):
    style = page.all("style")[0]["text"]
    blocks = re.findall(r":root \{(.*?)\}", style, re.S)
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in blocks[:2])
    for theme in (light, dark):
        for ink, ground in (
            ("ink", "paper"), ("soft", "paper"), ("link", "paper"), ("ink", "band"), ("soft", "band"),
            ("warn-ink", "warn"), ("ink", "warn"),
        ):  # fmt: skip
            assert contrast(theme[ink], theme[ground]) >= 4.5, (ink, ground)
        for ink in ("shown", "unclear"):
            assert contrast(theme[ink], theme["band"]) >= 3


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours by WCAG 2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_same_bytes_in_another_folder(run, tmp_path):
    for name in ("one", "two"):
        call(render_report, **run, out=tmp_path / name / "report.html")
    assert (tmp_path / "one/report.html").read_bytes() == (tmp_path / "two/report.html").read_bytes()


def test_hostile_text_is_text(run, tmp_path):
    sessions = {"ses-pre": {"label": HOSTILE}, "ses-post": {"label": "after"}}
    study = made.write_study(tmp_path, title=HOSTILE, design=HOSTILE, intervention=HOSTILE, sessions=sessions)
    table = pd.concat(
        [
            made.estimates(),
            pd.DataFrame([made.row(HOSTILE, HOSTILE, HOSTILE, "session", -1, 0.3, note=HOSTILE)]),
        ]
    )
    write_table(table, tmp_path / "estimates.tsv", "estimates")
    measures = made.measures()
    measures.loc[measures["measure"] == "pss10", "unit"] = HOSTILE
    write_table(measures, tmp_path / "measures.parquet", "measures")
    exclusions = read_table(run["exclusions"], "exclusions").assign(reason=HOSTILE)
    write_table(exclusions, tmp_path / "exclusions.tsv", "exclusions")
    changed = {name: tmp_path / Path(run[name]).name for name in ("estimates", "measures", "exclusions")}
    call(render_report, **{**run, **changed, "study": study}, out=tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "alert" not in "".join(script["text"] for script in page.all("script"))
    assert len(page.all("script")) == 1
    assert {e["at"]["src"][:5] for e in page.all("img")} == {"data:"}
    assert page.all("h1")[0]["text"] == HOSTILE.replace("\u202e", "⟨U+202E⟩")
    assert page.all("title")[0]["text"] == HOSTILE.replace("\u202e", "⟨U+202E⟩")
    assert page.body.count("{{ 7*7 }}") > 5
    assert " 49 " not in page.body
    assert not [e for e in page.elements if any(name.startswith("on") for name in e["at"])]


def test_what_turns_a_line_round_is_named_instead(tmp_path):
    table = made.estimates().iloc[:1].assign(outcome="a\u202eb")
    write_table(table, tmp_path / "estimates.tsv", "estimates")
    study = made.write_study(tmp_path, title="one \u2067two")
    call(render_report, study=study, estimates=tmp_path / "estimates.tsv", out=tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not set(text) & set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    assert text.partition("<main")[2].count("a⟨U+202E⟩b") > 3
    assert "one ⟨U+2067⟩two" in text
