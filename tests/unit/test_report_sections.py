"""What the sections say: each number is its table's, counts add up, what is absent is named."""

from __future__ import annotations

import re
from dataclasses import asdict

import pandas as pd
import pytest

import made_results as made
from called import call
from pniflow.contracts import read_table
from pniflow.report.render_report import render_report
from pniflow.text.estimates import estimates_of, variants_of
from report_pages import Page, cells_of

pytestmark = pytest.mark.xdist_group("figures")


def value_of(text: str) -> float:
    return float(text.replace("−", "-").replace("\u00a0", " ").lstrip("<> "))


def counted(table: pd.DataFrame) -> list[dict]:
    """Tests, those shown and those not made, of each family and of each role, from the table alone."""
    tested = table[table["family"].notna()]
    p = tested["p_adjusted"].fillna(tested["p_value"])
    tested = tested.assign(tests=1, shown=p < 0.05, not_estimable=p.isna())
    names = ["tests", "shown", "not_estimable"]
    families, roles = (tested.groupby(by)[names].sum() for by in (["role", "family"], "role"))
    rows = [{"key": "/".join(key), **row} for key, row in families.to_dict("index").items()]
    return rows + [{"key": f"{key}/", **row} for key, row in roles.to_dict("index").items()]


def test_every_number_equals_its_table_at_its_shown_rounding(page, run):
    estimates = estimates_of(read_table(run["estimates"], "estimates"))
    variants = variants_of(read_table(run["sensitivity"], "sensitivity"))
    keyed = {"estimates": [{**asdict(row), "key": row.key} for row in estimates]}
    keyed["sensitivity"] = [{**asdict(row), "key": f"{row.key}/{row.variant}"} for row in variants]
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
        lost = trace.count("not estimable")
        counts = {"shown": shown, "tests": trace.count("shown, ") + lost, "not_estimable": lost}
        assert int(element["text"]) == counts[element["at"]["data-field"]]
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


def test_the_first_sentence_says_what_was_shown_and_in_which_direction(page):
    lead = page.all("p", **{"class": "lead"})[0]["text"]
    assert lead.startswith(
        "Primary questions: shown in 4 of 6 (lower after: depression (PHQ-9), fatigue (MFIS), loneliness"
        " (UCLA, version 3); higher after: well-being (MHC-SF)); not shown: a difference"
        " between before and after in perceived stress (PSS-10), anxiety (GAD-7). Secondary questions: "
    )
    assert lead.endswith("Higher CTRA = more adverse.")
