"""Snakemake's own report of the demo: every figure and table is named and explained, without a network."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from conftest import lacking
from workflow.runs import in_clone, said

pytestmark = pytest.mark.xdist_group("demo")


@pytest.fixture(scope="module")
def report(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    run = in_clone("--report", path, directory=demo)
    assert run.returncode == 0, said(run)
    assert "Missing metadata" not in said(run)
    return path


def results_of(report: Path) -> dict[str, dict]:
    """What the report holds, by path in the run."""
    text = report.read_text(encoding="utf-8")
    part = text.partition('<script id="results">')[2].partition("</script>")[0]
    return json.JSONDecoder().raw_decode(part.partition("results = ")[2])[0]


def test_every_figure_table_and_the_report_have_a_label_and_a_caption(report, demo):
    found = results_of(report)
    wanted = {f"results/figures/{path.name}" for path in (demo / "results/figures").glob("*.svg")}
    wanted |= {f"results/report/report.{ending}" for ending in ("html", "pdf")}
    tables = ("cohort/table1", "cohort/flow", "cohort/exclusions", "models/estimates", "models/sensitivity")
    wanted |= {f"results/{name}.tsv" for name in tables}
    assert wanted <= set(found)
    for path, entry in found.items():
        assert len(entry["labels"]) == 1, path
        assert all(len(label) > 8 for label in entry["labels"].values()), path
        assert len(re.sub(r"<[^>]*>", "", entry["caption"])) > 40, path
    labels = [label for entry in found.values() for label in entry["labels"].items()]
    assert len(set(labels)) == len(labels)


def test_tables_stand_among_tables_and_figures_among_figures(report):
    text = report.read_text(encoding="utf-8")
    part = text.partition('<script id="categories">')[2].partition("categories = ")[2]
    categories = json.JSONDecoder().raw_decode(part)[0]
    assert set(categories) == {"Report", "Tables", "Figures"}
    endings = {"Tables": {".tsv"}, "Figures": {".svg"}, "Report": {".html", ".pdf"}}
    for category, groups in categories.items():
        assert {Path(path).suffix for paths in groups.values() for path in paths} == endings[category]


def test_captions_name_the_gene_set_of_the_config(report):
    entry = results_of(report)["results/expression/ctra_genes.tsv"]
    assert "ctra53" in entry["caption"]
    assert "{{" not in json.dumps(entry["caption"])


def test_the_command_of_a_trace_is_the_one_that_runs(demo):
    plan = in_clone("-n", "-p", "--forcerun", "fit_models", directory=demo)
    ran = re.search(r"pniflow fit-models .*", said(plan))
    page = (demo / "results/report/report.html").read_text(encoding="utf-8")
    shown = re.search(r"<dt>command</dt><dd>(pniflow fit-models --.*?)</dd>", page)
    assert ran is not None
    assert shown is not None
    assert re.sub(r"--models \S+/", "--models ", ran[0].partition(" 2> ")[0]) == shown[1]


def test_it_opens_offline_and_lists_the_figures(report):
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        lacking("chromium", "Chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(offline=True).new_page()
        trouble: list[str] = []
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("requestfailed", lambda request: trouble.append(request.url[:80]))
        page.on("console", lambda message: message.type == "error" and trouble.append(message.text))
        page.goto(report.as_uri())
        page.get_by_text("Figures", exact=True).first.click()
        page.get_by_text("Flow of participants").first.wait_for()
        browser.close()
    assert trouble == []
