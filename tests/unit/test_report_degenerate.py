"""Reports of studies that lack much or have much: nothing empty, nothing missing shown as a word."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import made_results as made
from called import call
from pniflow.contracts import write_table
from pniflow.report.render_report import render_report
from pniflow.text.estimates import estimates_of
from report_pages import Page, cells_of, squeezed, text_of

pytestmark = pytest.mark.xdist_group("figures")


BRANCHES = {
    "questionnaire": "no questionnaires",
    "assay": "no laboratory assays",
    "expression": "no blood gene expression",
    "imaging": "no MRI",
}


THREE = {name: {"label": label} for name, label in
         (("ses-pre", "before"), ("ses-post", "after"), ("ses-fu", "week 20"))}  # fmt: skip


def lacking(*domains: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Estimates and measures without some domains."""
    measures, table = made.measures(), made.estimates()
    lost = set(measures[measures["domain"].isin(domains)]["measure"])
    predictor = table["term"].str.replace(r"_(within|between)$", "", regex=True)
    gone = table["outcome"].isin(lost) | predictor.isin(lost)
    if "imaging" in domains:
        gone |= table["outcome"].str.contains(".", regex=False) | (table["outcome"] == "gm")
    return table[~gone], measures[~measures["measure"].isin(lost)]


def three_sessions() -> pd.DataFrame:
    """A joint F and two contrasts of each questionnaire."""
    rows = []
    for name in made.SCALES:
        joint = made.row("change", "pro_change", name, "session", -1.0, 0.5, role="primary")
        blank = dict.fromkeys(
            ("estimate", "std_error", "conf_low", "conf_high", "effect_size", "effect_size_kind")
        )
        rows.append(joint | blank | {"statistic": 4.321})
        for session in ("ses-post", "ses-fu"):
            rows.append(
                made.row("change", "pro_change", name, f"session[{session}]", -2.0, 0.9, role="primary")
            )
    return pd.DataFrame(rows)


def nothing_shown() -> pd.DataFrame:
    table = made.estimates()
    return table.assign(
        p_value=table["p_value"].clip(lower=0.2), p_adjusted=table["p_adjusted"].clip(lower=0.3)
    )


def renamed() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measures named in other scripts."""
    names = {"pss10": "стрес_шкала", "gad7": "angst_µ", "mfis": "κόπωση", "phq9": "测量"}
    table, measures = made.estimates(), made.measures()
    return table.assign(outcome=table["outcome"].replace(names)), measures.assign(
        measure=measures["measure"].replace(names)
    )


def two_sites() -> pd.DataFrame:
    """A covariate with two levels beside the session, and one more family on it."""
    sites = [made.row("change_pro", None, name, "site", 0.4, 0.9) for name in made.SCALES]
    sites += [
        made.row("site_difference", "site_change", "pss10", "site", 0.4, 0.9, p_value=0.65, p_adjusted=0.65)
    ]
    return pd.concat([made.estimates(), pd.DataFrame(sites)], ignore_index=True)


def unestimable() -> pd.DataFrame:
    """Not one test could be done."""
    blank = dict.fromkeys(
        ("p_value", "p_adjusted", "conf_low", "conf_high", "statistic", "df", "effect_size")
    )
    table = made.estimates().assign(estimate=np.nan, std_error=np.nan, note="not estimable: too few pairs")
    return table.assign(**blank, effect_size_kind=None)


ONLY_MRI = ["questionnaire", "assay", "expression"]
MANY = made.estimates().assign(n_participants=487)


CASES = {
    "without MRI": (lacking("imaging"), ["imaging"], {}),
    "without blood": (lacking("expression"), ["expression"], {}),
    "without questionnaires": (lacking("questionnaire"), ["questionnaire"], {}),
    "only MRI": (lacking(*ONLY_MRI), ONLY_MRI, {}),
    "three sessions": ((three_sessions(), made.measures(8, tuple(THREE))), [], {"sessions": THREE}),
    "two sites": ((two_sites(), made.measures()), [], {}),
    "500 people": ((MANY, made.measures(500)), [], {"simulated": False}),
    "other scripts": (renamed(), [], {"title": "Étude pilote: 正念 и стрес"}),
    "nothing shown": ((nothing_shown(), made.measures()), [], {}),
    "nothing estimable": ((unestimable(), made.measures()), [], {}),
}  # fmt: skip


@pytest.fixture(scope="module", params=list(CASES))
def report(request, tmp_path_factory) -> tuple[str, Page, str, pd.DataFrame]:
    """A case's name, its page, the text of its paper and its estimates."""
    (table, measures), _, changes = CASES[request.param]
    folder = tmp_path_factory.mktemp("case")
    write_table(table, folder / "estimates.tsv", "estimates")
    write_table(measures, folder / "measures.parquet", "measures")
    call(
        render_report,
        study=made.write_study(folder, **changes),
        estimates=folder / "estimates.tsv",
        measures=folder / "measures.parquet",
        out=folder / "report.html",
        pdf=folder / "report.pdf",
        references=folder / "references.bib",
    )
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    return request.param, page, text_of(folder / "report.pdf"), table


def test_nothing_is_empty_and_nothing_missing_is_a_word(report):
    _, page, paper, _ = report
    for section in page.all("section"):
        assert len(section["text"].strip()) > 60, section["at"]
    for element in page.all("caption") + page.all("h2") + page.all("h3") + page.all("p", **{"class": "lead"}):
        assert element["text"].strip()
    body = page.body.partition('"use strict"')[0]
    for text in (body, paper):
        assert not re.search(r"\b(nan|NaN|None|NaT|inf|undefined)\b|<NA>", text)
    titles = [element["text"].strip() for element in page.all("h2")]
    lines = [line.strip() for line in paper.splitlines()]
    assert [title for title in titles if title not in lines] == []


def test_each_absent_branch_is_named_once_and_no_other(report):
    name, page, paper, _ = report
    said = re.findall(r"This study has ([^;]*); nothing is reported on (?:it|them)\.", page.body)
    absent = CASES[name][1]
    assert len(said) == (1 if absent else 0)
    for domain, words in BRANCHES.items():
        stem = words.removeprefix("no ")
        assert (stem in "".join(said)) == (domain in absent)
    if absent:
        assert squeezed(f"This study has {said[0]};") in squeezed(paper)


def test_every_number_of_the_page_equals_its_row(report):
    _, page, paper, table = report
    rows = {row.key: row for row in estimates_of(table)}
    numbers = [e for e in page.elements if e["at"].get("data-table") == "estimates"]
    assert len(numbers) > 50
    found = squeezed(paper)
    for element in numbers:
        row, text = rows[element["at"]["data-key"]], element["text"]
        value = getattr(row, element["at"]["data-field"])
        if text == "–":
            assert value is None or np.isnan(value)
            continue
        if text[0] in "<>":
            assert value < 0.001 if text[0] == "<" else value > 0.999
        else:
            shown = float(text.replace("−", "-"))
            assert abs(shown - value) <= 0.5 * 10.0 ** -len(text.partition(".")[2]) + 1e-9
        if "li" in element["path"]:
            assert squeezed(text) in found


def test_an_answer_is_shown_only_below_the_level(report):
    name, page, _, table = report
    tested = table[table["family"].notna()]
    shown = int((tested["p_adjusted"].fillna(tested["p_value"]) < 0.05).sum())
    assert len(page.all("li", **{"class": "shown"})) == shown
    if name.startswith("nothing"):
        assert shown == 0
        assert "shown in 0 of" in page.body


def test_names_of_files_and_keys_are_text_whatever_they_are(tmp_path):
    odd = tmp_path / "<b>&'quoted' {{x}} \u202e.tsv"
    write_table(made.estimates(), tmp_path / "estimates.tsv", "estimates")
    flow = [("enrolled", "all", None, 23, None)]
    write_table(pd.DataFrame(flow, columns=["step", "branch", "session_id", "n", "note"]), odd, "flow")
    study = made.write_study(tmp_path)
    call(render_report, study=study, estimates=tmp_path / "estimates.tsv", flow=odd, out=tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<b>" not in text
    assert odd.name.replace("\u202e", "⟨U+202E⟩") in Page(text).body


def test_the_page_is_whole_html(report):
    """Every element that is opened is closed, in order."""

    class Strict(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.stack: list[str] = []

        def handle_starttag(self, tag, attrs):
            if tag not in {"meta", "img", "br"}:
                self.stack.append(tag)

        def handle_endtag(self, tag):
            assert self.stack.pop() == tag

    parser = Strict()
    parser.feed(report[1].rawdata_text)
    assert parser.stack == []


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
    table, measures = lacking(*domains)
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
    joint = {"role": "primary", "p_value": 0.3, "p_adjusted": 0.3, "df_numerator": 2}
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
