"""The report on paper: the page's numbers as strings, text as text, the same bytes everywhere."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd

import made_results as made
from conftest import lacking
from pniflow.contracts import write_table


def text_of(pdf: Path, *options: str) -> str:
    """Text of a PDF in the order in which it was set."""
    if shutil.which("pdftotext") is None:
        lacking("poppler", "pdftotext is not installed")
    done = subprocess.run(
        ["pdftotext", "-raw", "-enc", "UTF-8", *options, str(pdf), "-"], capture_output=True, check=True
    )
    return done.stdout.decode("utf-8")


def squeezed(text: str) -> str:
    """Text without white space, soft hyphens and end-of-line hyphens."""
    return re.sub(r"\s|\u00ad|-", "", text.replace("\ufb01", "fi").replace("\ufb03", "ffi"))


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
        row = made.row("change_pro", "pro_change", "pss10", "session", estimate, 0.8, p_value=p)
        number = 3 if variant == "leave_one_out_highest" else None
        variants.append(made.variant(variant, row, participant_number=number))
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
                "the study has no hippocampal subfields data",
            ),
        ],
        columns=["table", "model", "family", "outcome", "term", "quantity", "value", "note"],
    ).assign(conf_low=np.nan, conf_high=np.nan, adjust=["bh", None], participant_number=None)
    diagnostics = diagnostics.assign(lacking_data=[None, "hippocampal subfields"], lacking_measure=None)
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


def cells_of(page: Page, caption: str) -> list[list[str]]:
    """Rows of the table with a caption, each a list of its cells' text."""
    text = next(t for t in re.findall(r"<table>.*?</table>", page.rawdata_text, re.S) if caption in t)
    lines = re.findall(r"<tr[^>]*>.*?</tr>", text, re.S)[1:]
    found = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, re.S) for line in lines]
    return [[re.sub(r"<[^>]*>", "", cell).replace("\u00a0", " ").strip() for cell in line] for line in found]


HOSTILE = (
    "<script>alert(1)</script>\"' {{ 7*7 }} {% raw %} =cmd|'/c calc'!A1 ‮ <img src=x onerror=alert(2)> &amp;"
)
