"""The demo's report in real Chromium, offline from a file: it loads nothing and serves everyone."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import made_results as made
from called import call
from conftest import lacking
from pniflow.contracts import write_table
from pniflow.report.render_report import render_report

pytestmark = pytest.mark.xdist_group("demo")
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 800}}
KEY = "change_pro/pss10/session"
HOSTILE = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> {{ 7*7 }} =cmd|'/c calc'!A1 \u202e"
    " javascript:alert(3)"
)


@pytest.fixture(scope="module")
def browser() -> Iterator:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        lacking("chromium", "Chromium is not installed")
    from playwright.sync_api import sync_playwright

    arguments = ["--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
    arguments += ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=path, args=arguments)
        yield running
        running.close()


@pytest.fixture(scope="module")
def report(demo: Path) -> str:
    return (demo / "results/report/report.html").as_uri()


@contextmanager
def opened(browser, address: str, size: str = "desktop", **options) -> Iterator:
    """Open a page; afterwards it has asked for itself alone and complained about nothing."""
    context = browser.new_context(offline=True, viewport=SIZES[size], **options)
    page = context.new_page()
    heard: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("dialog", lambda dialog: (heard.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    yield page
    context.close()
    assert heard == []
    assert [url.partition("#")[0] for url in asked if not url.startswith("data:")] == [address]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
def test_it_opens_offline_and_never_scrolls_sideways(browser, report, scheme, size):
    with opened(browser, report, size, color_scheme=scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == SIZES[size]["width"]
        assert page.evaluate(
            "[...document.images].every((image) => image.complete && image.naturalWidth > 0)"
        )
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 24, 27)"
        assert dark == (scheme == "dark")


@pytest.mark.parametrize(("scheme", "size"), [("light", "desktop"), ("dark", "phone")])
def test_axe_finds_nothing_serious(browser, report, scheme, size):
    import axe_playwright_python

    script = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
    with opened(browser, report, size, color_scheme=scheme, bypass_csp=True) as page:
        page.evaluate(
            "document.querySelectorAll('details:not(.screen)').forEach((one) => { one.open = true; })"
        )
        page.evaluate("location.hash = '#t1'")
        page.evaluate(script)
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
        grave = [one for one in found if one["impact"] in ("serious", "critical")]
        assert [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in grave] == []


def test_on_a_phone_the_column_that_stays_leaves_room_for_the_others(browser, report):
    with opened(browser, report, "phone") as page:
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        shares = page.evaluate(
            """[...document.querySelectorAll("main .wide")]
                 .filter((wide) => wide.scrollWidth > wide.clientWidth)
                 .map((wide) => wide.querySelector("tbody th[scope=row]").offsetWidth / wide.clientWidth)"""
        )
        assert len(shares) > 10
        assert max(shares) < 0.5
        assert page.evaluate(  # the table that is read first stands whole
            "(() => { const one = document.querySelector('#answers .wide');"
            " return one.scrollWidth <= one.clientWidth; })()"
        )


def column(table, place: int) -> list[str]:
    return [row.locator("td").nth(place).inner_text() for row in table.locator("tbody tr").all()]


def test_tables_sort_from_the_keyboard(browser, report):
    with opened(browser, report) as page:
        table = page.locator("#change table").first
        before = column(table, 0)
        head = table.locator("thead th").nth(1)
        wanted = sorted(before, key=lambda text: float(text.replace("−", "-")))
        for order, expected in (("ascending", wanted), ("descending", wanted[::-1]), (None, before)):
            head.locator("button").press("Enter")
            assert head.get_attribute("aria-sort") == order
            assert column(table, 0) == expected


def test_numbers_sort_as_numbers_and_what_has_none_comes_last(browser, report):
    shown = ["−3.5", "F(2, 43.1) = 40.5", "–", "< .001", ".045", "12 of 14"]
    with opened(browser, report) as page:
        table = page.locator("#change table").first
        table.locator("tbody").evaluate(
            """(body, shown) => {
                 body.replaceChildren(...shown.map((text) => {
                   const row = body.rows[0].cloneNode(true);
                   row.cells[1].textContent = text;
                   return row;
                 }));
               }""",
            shown,
        )
        head = table.locator("thead th").nth(1).locator("button")
        head.press("Enter")
        assert column(table, 0) == ["−3.5", "< .001", ".045", "12 of 14", "F(2, 43.1) = 40.5", "–"]
        head.press("Enter")
        assert column(table, 0) == ["F(2, 43.1) = 40.5", "12 of 14", ".045", "< .001", "−3.5", "–"]


def test_rows_stay_in_their_group(browser, report):
    with opened(browser, report) as page:
        table = page.locator("table", has=page.locator("tr.group")).first
        groups = table.locator("tr.group").all_inner_texts()
        first = table.locator("tbody tr").all_inner_texts()
        table.locator("thead button").first.press("Enter")
        after = table.locator("tbody tr").all_inner_texts()
        assert table.locator("tr.group").all_inner_texts() == groups
        assert sorted(after) == sorted(first)
        ends = [after.index(name) for name in groups]
        assert ends == [first.index(name) for name in groups]


def test_figures_enlarge_from_the_keyboard(browser, report):
    with opened(browser, report) as page:
        button = page.locator("figure button").nth(1)
        button.focus()
        page.keyboard.press("Enter")
        large = page.locator("dialog img")
        assert large.bounding_box()["width"] > button.bounding_box()["width"]
        assert large.get_attribute("alt")
        assert page.locator("dialog button").bounding_box()["height"] < 60
        page.keyboard.press("Escape")
        assert not page.locator("dialog").is_visible()
        assert button.evaluate("(one) => one === document.activeElement")


@pytest.mark.parametrize("size", list(SIZES))
def test_a_click_on_a_number_shows_where_it_comes_from(browser, report, size):
    with opened(browser, report, size) as page:
        number = page.locator(f'#change a.n[data-key="{KEY}"][data-field="estimate"]')
        number.scroll_into_view_if_needed()
        place = page.evaluate("scrollY")
        number.click()
        shown = page.locator("#traces").inner_text()
        for text in (KEY, "intercept per participant", "n_participants", "cohort/measures.parquet", "sha256"):
            assert text in shown
        assert "pniflow fit-models --measures results/cohort/measures.parquet" in shown
        assert page.evaluate("scrollY") == place
        page.keyboard.press("Escape")
        assert not page.locator("#traces").is_visible()
        assert number.evaluate("(one) => one === document.activeElement")


def test_the_source_of_each_answer_is_reached_by_the_keyboard(browser, report):
    with opened(browser, report) as page:
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        alone = page.evaluate(  # texts and rows whose numbers the keyboard never stops at
            """[...document.querySelectorAll("main p, main li, main figcaption, main tbody tr")]
                 .filter((one) => one.querySelector("a.n"))
                 .filter((one) => !one.querySelector("a.n:not([tabindex]), th > a[href^='#']"))
                 .map((one) => one.textContent)"""
        )
        assert alone == []
        answer = page.locator("#answers li a.n:not([tabindex])").first
        answer.press("Enter")
        assert page.locator("#traces").is_visible()


def test_without_javascript_everything_is_there(browser, report):
    with opened(browser, report, java_script_enabled=False) as page:
        assert page.locator("main button, dialog").count() == 0
        page.locator(f'#change tr[data-key="{KEY}"] th a').click()
        assert KEY in page.locator("#traces").inner_text()
        page.locator("#traces .close a").click()
        assert not page.locator("#traces").is_visible()
        page.locator("details summary").first.click()
        assert page.locator("details[open]").count() == 1
        page.locator('nav a[href="#methods"]').click()
        assert abs(page.locator("#methods").bounding_box()["y"]) < 5


def test_it_prints(browser, report, tmp_path):
    with opened(browser, report, color_scheme="dark") as page:
        page.evaluate("location.hash = '#t1'")
        page.emulate_media(media="print")
        assert not page.locator("nav").is_visible()
        assert not page.locator("#traces").is_visible()
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
        page.pdf(path=tmp_path / "printed.pdf", format="A4")
    pages = pages_of(tmp_path / "printed.pdf")
    assert 5 < len(pages) < 60
    for number, text in enumerate(pages, 1):
        assert "SIMULATED DATA" in text
        assert f"{number} of {len(pages)}" in text
    # A table that goes on over pages says its columns on each of them.
    heads = [text.count("What the count means") for text in pages]
    assert sum(heads) > 1
    assert max(heads) == 1


def pages_of(pdf: Path) -> list[str]:
    """Text of each page of a PDF."""
    if shutil.which("pdftotext") is None:
        lacking("poppler", "pdftotext is not installed")
    done = subprocess.run(["pdftotext", "-layout", str(pdf), "-"], capture_output=True, text=True, check=True)
    return done.stdout.rstrip("\f").split("\f")


def test_no_page_of_the_paper_is_left_empty(demo, tmp_path):
    if shutil.which("pdftoppm") is None:
        lacking("poppler", "pdftoppm is not installed")
    paper = demo / "results/report/report.pdf"
    subprocess.run(["pdftoppm", "-r", "40", "-gray", paper, tmp_path / "p"], capture_output=True, check=True)
    pages = sorted(tmp_path.glob("p-*.pgm"))
    assert len(pages) > 10
    for page in pages[:-1]:
        _, size, _, pixels = page.read_bytes().split(b"\n", 3)
        width, height = map(int, size.split())
        dark = np.frombuffer(pixels, np.uint8).reshape(height, width).min(axis=1) < 200
        body = dark[int(0.075 * height) : int(0.935 * height)]  # between running title and page number
        rows = np.concatenate([[-1], np.flatnonzero(body), [len(body)]])
        assert np.diff(rows).max() < 0.25 * len(body), page.name


def test_hostile_text_does_nothing(browser, tmp_path):
    sessions = {"ses-pre": {"label": HOSTILE}, "ses-post": {"label": "after"}}
    study = made.write_study(tmp_path, title=HOSTILE, design=HOSTILE, intervention=HOSTILE, sessions=sessions)
    row = made.row(HOSTILE, HOSTILE, HOSTILE, "session", -1, 0.3, note=HOSTILE)
    table = made.estimates().iloc[:6]
    table.loc[len(table)] = row
    write_table(table, tmp_path / "estimates.tsv", "estimates")
    call(render_report, study=study, estimates=tmp_path / "estimates.tsv", out=tmp_path / "report.html")
    with opened(browser, (tmp_path / "report.html").as_uri()) as page:
        shown = HOSTILE.replace("\u202e", "⟨U+202E⟩")
        assert page.locator("h1").inner_text() == shown
        assert "\u202e" not in page.content()
        assert "{{ 7*7 }}" in page.title()
        page.locator("#change a.n[data-field=estimate]").last.click()
        assert shown in page.locator("#traces").inner_text()


def test_the_policy_stops_what_is_not_the_reports_own(browser, report):
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto(report)
    stopped = page.evaluate(
        """() => new Promise((done) => {
             document.addEventListener("securitypolicyviolation", () => done(window.ran !== true));
             const script = document.createElement("script");
             script.textContent = "window.ran = true";
             document.body.append(script);
             setTimeout(() => done(false), 2000);
           })"""
    )
    context.close()
    assert stopped
