"""The report: numbers are the tables', text is text, what is absent is named, and the page loads nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_figures_drawing import NAMES, drawn_once

import made_results as made
from called import call
from pniflow.errors import InputError
from pniflow.files import read_table, write_table
from pniflow.report.blocks import plain
from pniflow.report.interpretation import Context
from pniflow.report.published_claims import comparison
from pniflow.report.render_report import render_report
from pniflow.report.summarize_results import headline, summarize_results
from pniflow.resources import searched
from pniflow.words import estimate_rows

pytestmark = pytest.mark.xdist_group("figures")
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """A page as a list of elements: (tag, attributes, own text, path of tags)."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[dict] = []
        self.open: list[dict] = []
        self.rawdata_text = text
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        element = {"tag": tag, "at": dict(attrs), "text": "", "path": [one["tag"] for one in self.open]}
        element["classes"] = [one["at"].get("class") for one in self.open]
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()["tag"] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element["text"] += data

    def all(self, tag: str, **at: str) -> list[dict]:
        return [
            e for e in self.elements if e["tag"] == tag and all(e["at"].get(k) == v for k, v in at.items())
        ]

    @property
    def body(self) -> str:
        return self.all("body")[0]["text"]


FLOW = [
    ("enrolled", "all", None, 23, "participants in the records"),
    ("recorded", "all", "ses-pre", 23, None),
    ("assessed", "questionnaires", "ses-pre", 23, "anything was collected"),
    ("excluded", "questionnaires", "ses-pre", 1, None),
    ("usable", "questionnaires", "ses-pre", 22, None),
    ("complete", "questionnaires", None, 20, "at every session"),
    ("set of sessions", "questionnaires", "ses-pre+ses-post", 20, None),
]


def tables(folder: Path) -> dict[str, Path]:
    """Write the further tables of a run."""
    flow = pd.DataFrame(FLOW, columns=["step", "branch", "session_id", "n", "note"])
    exclusions = pd.DataFrame(
        [
            ("sub-001", "ses-pre", "scan sub-001_ses-pre", "quality below threshold", "SIQR 55 % < 60 %"),
            ("sub-002", "ses-pre", "scale gad7", "not answered", "0 of 7 items answered"),
            ("sub-003", "ses-post", "scale gad7", "not answered", "0 of 7 items answered"),
        ],
        columns=["participant_id", "session_id", "item", "rule", "reason"],
    )
    described = [
        ("age", "characteristic", "years", None, None, 23, 0, None, 45.04, 11.26, None),
        ("sex", "characteristic", None, None, "female", 23, 0, None, None, None, 100.0),
        ("pss10", "questionnaire", "points", "ses-pre", None, 23, 0, 21, 20.04, 5.3, None),
        ("pss10", "questionnaire", "points", "ses-post", None, 21, 2, 21, 15.96, 5.3, None),
    ]
    columns = [
        "measure",
        "domain",
        "unit",
        "session_id",
        "level",
        "n",
        "missing",
        "n_complete",
        "mean",
        "sd",
        "percent",
    ]
    table1 = pd.DataFrame(described, columns=columns)
    variants = []
    for variant, estimate, p in (("completers", -4.0, 0.01), ("leave_one_out_highest", -3.1, 0.06)):
        variants.append(
            {
                **made.row("change_pro", "pro_change", "pss10", "session", estimate, 0.8, p_value=p),
                "variant": variant,
            }
        )
    diagnostics = pd.DataFrame(
        [
            ("families", None, "pro_change", None, None, "m_planned", 6, "primary; adjustment bh"),
            (
                "models_left_out",
                "change_hippocampal_head",
                None,
                None,
                None,
                None,
                None,
                "the study has no hippocampal subfields",
            ),
        ],
        columns=["table", "model", "family", "outcome", "term", "quantity", "value", "note"],
    ).assign(conf_low=np.nan, conf_high=np.nan)
    frames = {
        "flow": flow,
        "exclusions": exclusions,
        "table1": table1,
        "sensitivity": pd.DataFrame(variants),
        "diagnostics": diagnostics,
        **descriptions(),
    }
    for name, frame in frames.items():
        write_table(frame, folder / f"{name}.tsv", name)
    return {name: folder / f"{name}.tsv" for name in frames}


def descriptions() -> dict[str, pd.DataFrame]:
    """Tables that describe: course, inclusion, reliability, flags, dictionary, windows, scales."""
    course = pd.DataFrame(
        {
            "item": ["completed_course", "home_practice", "relapses"],
            "level": ["yes", None, None],
            "recorded": [True, True, False],
            "n": [21, 20, None],
            "missing": [0, 3, None],
            "n_any": [None, 19, None],
            "mean": [None, 21.44, None],
            "sd": [None, 9.06, None],
            "minimum": [None, 0.0, None],
            "median": [None, 20.0, None],
            "maximum": [None, 45.0, None],
        }
    ).assign(unit=None, total=None, note="what it is")
    inclusion = pd.DataFrame(
        {
            "branch": ["imaging"],
            "variable": ["age"],
            "domain": ["characteristic"],
            "unit": ["years"],
            "n_included": [21],
            "mean_included": [44.14],
            "sd_included": [11.0],
            "n_others": [2],
            "mean_others": [50.5],
            "sd_others": [7.0],
            "standardized_difference": [-0.5],
        }
    ).assign(session_id=None, level=None)
    reliability = pd.DataFrame(
        {
            "scale": ["pss10", "pss10"],
            "session_id": "ses-pre",
            "item": [None, 1],
            "n": 22,
            "alpha": [0.8847, None],
        }
    ).assign(omega=0.8912, item_rest=None, first_component=None, lowest=0.0, highest=4.0, note=None)
    flags = pd.DataFrame(
        {"participant_id": ["sub-001"], "session_id": ["ses-post"], "item": ["measure tiv"], "value": [6.3]}
    ).assign(rule="implausible change", reason="changed by 2 %")
    dictionary = pd.DataFrame({"table": ["measures"], "column": ["value"], "description": ["The value."]})
    windows = pd.DataFrame(
        [
            ("pss10", "ses-pre", -30.0, 0.0, 0.0, 0.0),
            ("pss10", "ses-post", 26.0, 56.0, 30.0, 1.0),
            ("log_hair_cortisol", "ses-pre", -30.4, 0.0, 0.0, 0.0),
            ("log_hair_cortisol", "ses-post", 30.6, 61.0, 25.4, 0.836),
            ("maia2", "ses-pre", None, 0.0, None, None),
            ("maia2", "ses-post", None, None, None, None),
            ("gad7", "ses-pre", -14.0, 0.0, None, None),
            ("ctra", "ses-post", 56.0, 56.0, 0.0, None),
        ],
        columns=["measure", "session_id", "from_day", "to_day", "overlap_days", "overlap_share"],
    )
    scales = pd.DataFrame(
        [
            ("sub-001", "ses-pre", "pss10", 20.0, 10, 10, False),
            ("sub-001", "ses-post", "pss10", 17.5, 8, 10, True),
            ("sub-002", "ses-pre", "pss10", None, 3, 10, False),
            ("sub-001", "ses-pre", "gad7", 7.0, 6, 7, True),
            ("sub-001", "ses-post", "gad7", 8.0, 7, 7, False),
            ("sub-002", "ses-pre", "gad7", 3.5, 4, 7, True),
        ],
        columns=[
            *("participant_id", "session_id", "scale", "score"),
            *("items_answered", "items_total", "prorated"),
        ],
    )
    return {
        "windows": windows,
        "scales": scales,
        "course": course,
        "inclusion": inclusion,
        "reliability": reliability.assign(range_low=0.0, range_high=4.0),
        "flags": flags,
        "dictionary": dictionary.assign(type="number", unit=None, levels=None),
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A results folder with figures and all tables; the report's arguments."""
    folder = Path(drawn_once()[0].name)
    return {
        "study": folder / "study.yaml",
        "estimates": folder / "estimates.tsv",
        "measures": folder / "measures.parquet",
        "genes": folder / "genes.tsv",
        "published": ["reference_study"],
        "figures": [folder / f"{name}.json" for name in NAMES],
        **tables(tmp_path_factory.mktemp("run")),
    }


@pytest.fixture(scope="module")
def page(run, tmp_path_factory) -> Page:
    out = tmp_path_factory.mktemp("page") / "report.html"
    call(render_report, **run, out=out)
    return Page(out.read_text(encoding="utf-8"))


def value_of(text: str) -> float:
    return float(text.replace("−", "-").replace("\u00a0", " ").lstrip("<> "))


def counted(table: pd.DataFrame) -> list[dict]:
    """Tests, and those shown, of each family and of each role, from the table alone."""
    tested = table[table["family"].notna()]
    tested = tested.assign(shown=tested["p_adjusted"].fillna(tested["p_value"]) < 0.05)
    families = tested.groupby(["role", "family"])["shown"].agg(["size", "sum"])
    roles = tested.groupby("role")["shown"].agg(["size", "sum"])
    rows = [{"key": "/".join(key), "tests": n, "shown": k} for key, n, k in families.itertuples(name=None)]
    return rows + [{"key": f"{key}/", "tests": n, "shown": k} for key, n, k in roles.itertuples(name=None)]


def test_every_number_equals_its_table_at_its_shown_rounding(page, run):
    keyed = {"estimates": estimate_rows(read_table(run["estimates"], "estimates"))}
    keyed["sensitivity"] = estimate_rows(read_table(run["sensitivity"], "sensitivity"))
    for row in keyed["sensitivity"]:
        row["key"] += f"/{row['variant']}"
    # One estimate was varied, -4.2 in the study: completers -4.0, p .01; leave-one-out -3.1, p .06.
    keyed["sensitivity"] += [
        {"key": "change_pro/pss10/session/", "same_sign": 2, "below": 1, "tests": 2},
        {"key": "tested", "count": 1},
        {"key": "shown", "count": 0},
        {"key": "firm", "count": 0},
    ]
    keys = {
        "flow": ["step", "branch", "session_id"],
        "table1": ["measure", "session_id", "level"],
        "course": ["item", "level"],
        "inclusion": ["branch", "variable", "session_id", "level"],
        "reliability": ["scale", "session_id", "item"],
        "windows": ["measure", "session_id"],
    }
    for name, columns in keys.items():
        rows = read_table(run[name], name).astype(object).where(lambda t: t.notna(), None).to_dict("records")
        keyed[name] = [{**row, "key": "/".join(str(row[c] or "") for c in columns)} for row in rows]
    keyed["scales"] = [
        {"key": "all", "scale": 6, "prorated": 3, "score": 1},
        {"key": "pss10", "scale": 3, "prorated": 1, "score": 1},
        {"key": "gad7", "scale": 3, "prorated": 2, "score": 0},
    ]
    keyed["exclusions"] = [
        {"key": "not answered/", "count": 2},
        {"key": "quality below threshold/", "count": 1},
        {"key": "not answered/scale", "count": 2},
        {"key": "quality below threshold/scan", "count": 1},
        {"key": "all/", "count": 3},
    ]
    keyed["families"] = counted(made.estimates())
    # 12 genes of the score were used and one was absent; every family has its number in diagnostics.
    genes = read_table(run["genes"], "ctra_genes")
    used = genes[genes["status"] == "used"]
    keyed["ctra_genes"] = [{"key": "all", "count": len(genes)}, {"key": "used", "count": len(used)}]
    keyed["ctra_genes"] += [
        {"key": f"used/{name}", "count": int((used["component"] == name).sum())}
        for name in ("inflammatory", "interferon", "antibody")
    ]
    planned = read_table(run["diagnostics"], "diagnostics").query("quantity == 'm_planned'")
    keyed["diagnostics"] = [
        {"key": family, "m_planned": value}
        for family, value in zip(planned["family"], planned["value"], strict=True)
    ]
    lookup = {(name, row["key"]): row for name, rows in keyed.items() for row in rows}
    numbers = [e for e in page.elements if e["at"].get("data-field")]
    assert len(numbers) > 600
    assert {e["at"]["data-table"] for e in numbers} == set(keyed)
    for element in numbers:
        at, text = element["at"], element["text"]
        value = lookup[at["data-table"], at["data-key"]][at["data-field"]]
        if text == "–":
            assert value is None
        elif text[0] in "<>":
            assert value < 0.001 if text[0] == "<" else value > 0.999
        else:
            decimals = len(text.partition(".")[2])
            assert abs(value_of(text) - float(value)) <= 0.5 * 10.0**-decimals + 1e-9, (at, text, value)
            assert "-" not in text
        if at["data-field"].startswith("p_") and value is not None:
            assert (value_of(text) < 0.05) == (value < 0.05)


def test_a_click_on_a_number_shows_the_model_of_its_key(page):
    traces = {e["at"]["id"]: e for e in page.all("section", **{"class": "trace"})}
    keys = {e["text"]: e for e in page.all("p", **{"class": "key"})}
    numbers = [e for e in page.elements if e["at"].get("data-table") in ("estimates", "sensitivity")]
    assert len(numbers) > 300
    for element in numbers:
        trace = traces[element["at"]["href"][1:]]
        key = element["at"]["data-key"]
        if element["at"]["data-table"] == "sensitivity":
            key = key.rpartition("/")[0] or f"sensitivity {key}"
        assert trace["at"]["aria-label"] == f"Trace of {key}"
        assert key in keys
    for element in (e for e in page.elements if e["at"].get("data-table") == "families"):
        trace = traces[element["at"]["href"][1:]]["text"]
        shown = trace.count("shown, ") - trace.count("not shown, ")
        assert (
            int(element["text"])
            == {"shown": shown, "tests": trace.count("shown, ") + trace.count("not estimable")}[
                element["at"]["data-field"]
            ]
        )
    tables_of_a_run = ("flow", "course", "windows", "scales", "table1", "exclusions", "inclusion")
    others = [e for e in page.elements if e["at"].get("data-table") in tables_of_a_run]
    for element in others:
        trace = traces[element["at"]["href"][1:]]["text"]
        assert re.search(rf"/{element['at']['data-table']}\.tsvsha256[0-9a-f]{{64}}rule", trace)


def test_the_answers_hold_no_number_without_its_key(page):
    text = "".join(
        re.sub(r"<(span|a)[^>]*>.*?</\1>", "", match)
        for match in re.findall(r'<li class="(?:shown|unclear|none)">.*?</li>', page.rawdata_text)
    )
    text = re.sub(r"PSS-10|GAD-7|PHQ-9|version 3|95\u00a0%", "", text)
    assert not re.search(r"\d", text)


def test_every_tested_row_has_its_sentence(page):
    tested = made.estimates()["family"].notna().sum()
    assert len([e for e in page.all("li") if e["at"].get("class") in ("shown", "unclear", "none")]) == tested


def test_nothing_missing_is_shown_as_a_word(page):
    assert not re.search(r"\b(nan|NaN|None|NaT|inf)\b|<NA>", page.body)


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


def test_counts_add_up(page):
    rows = cells_of(page, "each rule left out")
    assert rows == [
        ["not answered", "scale", "2"],
        ["quality below threshold", "scan", "1"],
        ["all", "", "3"],
    ]
    listed = cells_of(page, "Everything that was collected and left out")
    assert len(listed) == 3
    assert listed[1][0].startswith("Anxiety (GAD-7) scale gad7")


def test_what_was_not_recorded_and_what_was_flagged_is_said(page):
    assert "Not recorded in this study: relapses." in page.body
    assert "Used, but worth a second look" in page.body
    assert "implausible change" in page.body
    assert "0.88 / 0.89 (n = 22)" in page.body
    assert "21.4 (9.1), 0.0 to 45.0" in page.body


def cells_of(page: Page, caption: str) -> list[list[str]]:
    """Rows of the table with a caption, each a list of its cells' text."""
    text = next(t for t in re.findall(r"<table>.*?</table>", page.rawdata_text, re.S) if caption in t)
    lines = re.findall(r"<tr[^>]*>.*?</tr>", text, re.S)[1:]
    found = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, re.S) for line in lines]
    return [[re.sub(r"<[^>]*>", "", cell).replace("\u00a0", " ").strip() for cell in line] for line in found]


def test_the_time_a_measure_looks_back_on_is_laid_against_the_intervention(run, tmp_path):
    sessions = {"ses-pre": {"label": "before", "day": 0}, "ses-post": {"label": "after", "day": 61}}
    study = made.write_study(tmp_path, sessions=sessions, intervention_days=[0, 56])
    call(render_report, **{**run, "study": study}, out=tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    rows = cells_of(page, "against those of the intervention (day 0 to 56).")
    assert rows[2][0] == "Multidimensional Assessment of Interoceptive Awareness, version 2"
    assert [row[1:] for row in rows] == [
        [
            "days −30 to 0, outside the intervention",
            "days 26 to 56, wholly in the intervention (30 days)",
        ],
        [
            "days −30.4 to 0, outside the intervention",
            "days 30.6 to 61, partly in the intervention (25.4 days, share 0.84)",
        ],
        ["no window stated", "no window or no day stated"],
        ["days −14 to 0, days of the intervention not stated", "–"],
        ["–", "day 56, a moment"],
    ]


def test_prorated_and_missing_scores_are_counted(page):
    assert "Scale scores: 6; prorated: 3; could not be scored: 1." in page.body
    rows = cells_of(page, "Questionnaires by scale")
    assert [row[1:] for row in rows] == [["3", "1", "1"], ["3", "2", "0"]]


def test_keys_not_verified_by_two_sources_are_named(run, tmp_path):
    names = ("gad7", "strain_count", "bdi2", "our_own_list")
    instruments = {name: {"fields": name + "_{item}"} for name in names}
    study = made.write_study(tmp_path, instruments=instruments)
    call(render_report, **{**run, "study": study}, out=tmp_path / "report.html")
    body = Page((tmp_path / "report.html").read_text(encoding="utf-8")).body
    sentence = re.search(r"Scoring key not verified by two sources: ([^.]*)\.", body)
    assert sentence is not None
    assert sentence[1].endswith("(unverified); our_own_list (a key file of the study's own)")
    assert sentence[1].count("(unverified)") == 1
    assert "GAD-7" not in sentence[1]
    assert "Beck" not in sentence[1]
    assert "Rule for missing items not stated by the authors of: Anxiety (GAD-7)." in body


def test_without_their_tables_windows_and_scores_are_absent(run, tmp_path):
    given = {name: path for name, path in run.items() if name not in ("windows", "scales")}
    study = made.write_study(tmp_path, instruments={})
    call(render_report, **{**given, "study": study}, out=tmp_path / "report.html")
    body = Page((tmp_path / "report.html").read_text(encoding="utf-8")).body
    for text in ("looks back on", "rorated", "not verified by two sources"):
        assert text not in body


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


HOSTILE = (
    "<script>alert(1)</script>\"' {{ 7*7 }} {% raw %} =cmd|'/c calc'!A1 ‮ <img src=x onerror=alert(2)> &amp;"
)


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


def without(*domains: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Estimates and measures of a study that lacks domains."""
    measures = made.measures()
    lost = set(measures[measures["domain"].isin(domains)]["measure"])
    table = made.estimates()
    gone = table["outcome"].isin(lost) | table["term"].str.replace(
        r"_(within|between)$", "", regex=True
    ).isin(lost)
    if "imaging" in domains:
        gone |= table["outcome"].str.contains(".", regex=False) | (table["outcome"] == "gm")
    return table[~gone], measures[~measures["measure"].isin(lost)]


@pytest.mark.parametrize(
    ("domains", "sentence", "gone"),
    [
        (("imaging",), "This study has no MRI; nothing is reported on it.", "Brain structure (MRI)"),
        (
            ("expression",),
            "This study has no blood gene expression; nothing is reported on it.",
            "Gene expression (CTRA)",
        ),
        (
            ("questionnaire", "assay"),
            "This study has no questionnaires and no laboratory assays; nothing is reported on them.",
            "nothing",
        ),
        (
            ("questionnaire", "assay", "imaging"),
            "This study has no questionnaires, laboratory assays and no MRI; nothing is reported on them.",
            "Brain structure (MRI)",
        ),
    ],
)
def test_an_absent_branch_is_named_once_and_leaves_no_gap(domains, sentence, gone, tmp_path):
    table, measures = without(*domains)
    write_table(table, tmp_path / "estimates.tsv", "estimates")
    write_table(measures, tmp_path / "measures.parquet", "measures")
    study = made.write_study(tmp_path)
    call(
        render_report,
        study=study,
        estimates=tmp_path / "estimates.tsv",
        measures=tmp_path / "measures.parquet",
        out=tmp_path / "report.html",
    )
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.body.count(sentence) == 1
    assert gone not in [e["text"].strip() for e in page.all("h2")]
    assert not re.search(r"\b(nan|None)\b", page.body)
    for section in page.all("section"):
        assert len(section["text"].strip()) > 60


def test_a_study_without_any_estimate_still_has_a_report(tmp_path):
    write_table(made.estimates().iloc[:0], tmp_path / "estimates.tsv", "estimates")
    call(
        render_report,
        study=made.write_study(tmp_path),
        estimates=tmp_path / "estimates.tsv",
        out=tmp_path / "report.html",
    )
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "No question was prespecified that the data of this study can answer." in page.body
    assert "Sensitivity analyses" not in [e["text"].strip() for e in page.all("h2")]


def test_three_sessions_and_nothing_shown(tmp_path):
    sessions = {
        "ses-pre": {"label": "before"},
        "ses-post": {"label": "after"},
        "ses-fu": {"label": "week 20"},
    }
    blank = {
        "estimate": None,
        "std_error": None,
        "conf_low": None,
        "conf_high": None,
        "effect_size": None,
        "effect_size_kind": None,
    }
    joint = {"role": "primary", "p_value": 0.3, "p_adjusted": 0.3, "note": "F test of 2 coefficients"}
    rows = [
        made.row("change", "pro_change", "pss10", "session", 1.0, 1.0, **joint)
        | {**blank, "statistic": 1.234},
        made.row(
            "change",
            "pro_change",
            "pss10",
            "session[ses-fu]",
            -1.0,
            0.9,
            role="primary",
            p_value=0.2,
            p_adjusted=0.3,
        ),
    ]
    write_table(pd.DataFrame(rows), tmp_path / "estimates.tsv", "estimates")
    write_table(made.measures(5, tuple(sessions)), tmp_path / "measures.parquet", "measures")
    call(
        render_report,
        study=made.write_study(tmp_path, sessions=sessions),
        estimates=tmp_path / "estimates.tsv",
        measures=tmp_path / "measures.parquet",
        out=tmp_path / "report.html",
    )
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    body = page.body.replace("\u00a0", " ")
    assert "was not shown to differ between the sessions (lower is better): F(2, 20.0) = 1.23" in body
    assert "; week 20 minus before: −1.00 points" in body
    named = "a difference between the sessions in perceived stress (PSS-10); a difference between before and"
    assert f"not shown: {named} “week 20” in" in body
    assert cells_of(page, "Every coefficient, as in estimates.tsv")[0][3:5] == ["2, 20.0", "F = 1.23"]
    assert cells_of(page, "Differences (each session minus before)")[1][1] == "F(2, 20.0) = 1.23"
    (row,) = [row for row in cells_of(page, "Differences") if row[0].endswith(", week 20 minus before")][:1]
    assert row[1] == "−1.00"
    assert "was not shown to differ between before and “week 20”" in body
    assert "shown in 0 of 2" in body


def test_the_first_sentence_says_what_was_shown_and_in_which_direction(page):
    lead = page.all("p", **{"class": "lead"})[0]["text"]
    assert lead.startswith(
        "Primary questions: shown in 4 of 6 (lower after: depression (PHQ-9), fatigue (MFIS), loneliness"
        " (UCLA, version 3); higher after: well-being (MHC-SF)); not shown: a difference"
        " between before and after in perceived stress (PSS-10), anxiety (GAD-7). Secondary questions: "
    )
    assert lead.endswith("Higher CTRA = more adverse.")


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
        blocks = comparison(estimate_rows(pd.DataFrame([row])), context, ["mine"])
    assert [block.kind for block in blocks] == ["paragraph", "table", "paragraph", "list"]
    assert plain(blocks[1].note).startswith("Direction compares signs of estimates; shown: adjusted p")


def test_a_claim_on_two_sessions_is_compared_with_the_second_of_three():
    joint = {**made.row("change_pro", "pro_change", "pss10", "session", -1.0, 0.5), "estimate": np.nan}
    second = made.row("change_pro", None, "pss10", "session[ses-post]", -2.0, 0.9)
    third = made.row("change_pro", None, "pss10", "session[ses-fu]", 3.0, 0.9)
    joint |= {"statistic": 4.3, "note": "F test of 2 coefficients"}
    rows = estimate_rows(pd.DataFrame([joint, second, third]))
    sessions = {"ses-pre": "before", "ses-post": "after", "ses-fu": "week 20"}
    blocks = comparison(rows, Context(sessions, {}, 0.05), ["reference_study"])
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


def test_the_headline_in_the_terminal(run, tmp_path, capsys):
    results = tmp_path / "results"
    (results / "models").mkdir(parents=True)
    (results / "cohort").mkdir()
    for name in ("estimates", "exclusions"):
        target = results / ("models" if name == "estimates" else "cohort") / f"{name}.tsv"
        target.write_bytes(Path(run[name]).read_bytes())
    (results / "report").mkdir()
    (results / "report" / "report.pdf").write_bytes(b"")
    summarize_results(results=results, study=run["study"])
    text = capsys.readouterr().out
    assert "A made-up study" in text
    assert "Simulated data" in text
    assert f"Report: {results / 'report' / 'report.html'}" in text
    assert f"On paper: {results / 'report' / 'report.pdf'}" in text
    assert "pniflow trace change_pro/pss10/session" in text
    assert re.search(r"Stress \(PSS-10\): change +−4\.20 +\[−5\.87, −2\.53\] +\.500 +21 +not shown", text)
    assert "CTRA: on Stress (PSS-10), within" in text
    assert "higher = more adverse" in text
    assert "left out by rule (exclusions.tsv): not answered: 2, quality below threshold: 1" in text
    assert "1 planned test could not be estimated" in text
    assert max(len(line) for line in text.splitlines()) <= 110


def test_the_headline_names_the_sign_where_it_has_ctra_numbers(tmp_path):
    rows = estimate_rows(made.estimates())
    assert "CTRA: higher = more adverse" in headline(rows, {}, tmp_path / "report.html")
    without_blood = [row for row in rows if "ctra" not in row["key"]]
    assert "CTRA" not in headline(without_blood, {}, tmp_path / "report.html")


def test_the_headline_of_a_study_without_questions(tmp_path):
    text = headline([], {}, tmp_path / "report.html")
    assert "No prespecified question" in text
    assert "On paper" not in text
