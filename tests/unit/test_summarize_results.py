"""The headline in the terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import made_results as made
from pniflow.report.summarize_results import headline, summarize_results
from pniflow.text.estimates import estimates_of

pytestmark = pytest.mark.xdist_group("figures")


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
    rows = estimates_of(made.estimates())
    assert "CTRA: higher = more adverse" in headline(rows, {}, tmp_path / "report.html")
    without_blood = [row for row in rows if "ctra" not in row.key]
    assert "CTRA" not in headline(without_blood, {}, tmp_path / "report.html")


def test_the_headline_of_a_study_without_questions(tmp_path):
    text = headline([], {}, tmp_path / "report.html")
    assert "No prespecified question" in text
    assert "On paper" not in text
