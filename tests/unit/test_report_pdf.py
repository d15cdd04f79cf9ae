"""The report on paper: the page's numbers as strings, text as text, the same bytes everywhere."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

import made_results as made
from called import call
from pniflow.report import pdf as printed
from pniflow.report.blocks import (
    Document,
    Heading,
    Link,
    Listing,
    Number,
    Paragraph,
    Picture,
    Row,
    Section,
    Table,
)
from pniflow.report.render_report import render_report
from report_pages import HOSTILE, squeezed, text_of

pytestmark = pytest.mark.xdist_group("figures")


@pytest.fixture(scope="module")
def both(run, tmp_path_factory) -> tuple[str, str, Path]:
    folder = tmp_path_factory.mktemp("both")
    call(render_report, **run, out=folder / "report.html", pdf=folder / "report.pdf")
    return (folder / "report.html").read_text("utf-8"), text_of(folder / "report.pdf"), folder / "report.pdf"


def test_each_answer_stands_on_paper_as_on_the_page(both):
    page, paper, _ = both
    sentences = re.findall(r'<li class="(?:shown|unclear|none)">(.*?)</li>', page, re.S)
    assert len(sentences) > 20
    found = squeezed(paper)
    for sentence in sentences:
        said = re.sub(r"<[^>]*>", "", sentence).replace("&#39;", "'").replace("&lt;", "<")
        assert squeezed(said) in found, said


def test_each_row_of_each_table_stands_on_paper_as_on_the_page(both):
    page, paper, _ = both
    found = squeezed(paper)
    rows = 0
    for table in re.findall(r"<table>.*?</table>", page, re.S):
        if "as in estimates.tsv" in table or "as in sensitivity.tsv" in table or "every table" in table:
            continue  # these stand in their files
        for line in re.findall(r"<tr[^>]*><th scope=\"row\"[^>]*>.*?</tr>", table, re.S):
            cells = [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", line, re.S)]
            said = squeezed("".join(cells)).replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">")
            assert said in found, cells
            rows += 1
    assert rows > 80


def test_a_long_title_runs_on_one_line(tmp_path):
    title = "A very long title of a study " * 9
    content = printed.write_paper(Document(title, "S", False, shuffled(1)), "M")
    (tmp_path / "p.pdf").write_bytes(content)
    for page in text_of(tmp_path / "p.pdf").rstrip("\f").split("\f")[1:]:
        lines = page.splitlines()
        assert lines[0].startswith("A very long title of a study A")
        assert lines[0].endswith("…")
        assert "very long title" not in "".join(lines[1:])


def test_every_page_says_simulated(both):
    pages = both[1].rstrip("\f").split("\f")
    assert len(pages) > 4
    assert all("SIMULATED DATA" in page for page in pages)


def test_the_paper_is_tagged_titled_and_undated(both):
    content = both[2].read_bytes()
    assert b"pdfuaid" in content
    assert b"CreationDate" not in content
    assert b"/Alt" in content or b"StructTreeRoot" in content


def test_the_same_paper_in_another_folder(run, tmp_path):
    for name in ("one", "two"):
        call(render_report, **run, out=tmp_path / name / "r.html", pdf=tmp_path / name / "r.pdf")
    assert (tmp_path / "one/r.pdf").read_bytes() == (tmp_path / "two/r.pdf").read_bytes()


def paper_of(text: str, folder: Path) -> str:
    table = Table([text], ["Name", text], [Row([text], [[text]], remark=text), Row([text], [], group=True)])
    blocks = [
        Heading(text),
        Paragraph([text, Number("1.5", text, text)]),
        Listing([("shown", [text])]),
        table,
    ]
    content = printed.write_paper(Document(text, text, False, [Section("a", text, blocks)]), "made")
    (folder / "report.pdf").write_bytes(content)
    return text_of(folder / "report.pdf")


@pytest.mark.parametrize("text", [
    HOSTILE.replace("\u202e", ""), "#panic(\"x\") $x^2$ *b* _i_ `r` @cite <l> // c /* d */ \\u{41}",
    "#import \"/etc/passwd\": * #read(\"report.json\")", "Žluťoučký Ελλάδα Москва ½ µ → ≥",
])  # fmt: skip
def test_text_is_text_on_paper(text, tmp_path):
    assert squeezed(paper_of(text, tmp_path)).count(squeezed(text)) >= 7


def test_what_no_font_has_and_what_turns_lines_round_is_named(tmp_path):
    paper = squeezed(paper_of("a\u202eb 测\ue000", tmp_path))
    assert paper.count("a⟨U+202E⟩b⟨U+6D4B⟩⟨U+E000⟩") >= 7


def test_a_table_too_wide_for_the_page_lies_on_its_side(tmp_path):
    narrow = Table(["c"], ["a", "b"], [Row(["x"], [["1"]])], [0])
    wide = Table(["c"], ["a"] + ["column"] * 24, [Row(["x"], [["1.2345 to 2.3456"]] * 24)], range(24))
    assert [printed._table(table)["wide"] for table in (narrow, wide)] == [False, True]


def pages_of(blocks: list, folder: Path, *options: str) -> list[str]:
    """Text of each page of a paper of these blocks."""
    content = printed.write_paper(Document("T", "S", False, [Section("s", "First section", blocks)]), "M")
    (folder / "p.pdf").write_bytes(content)
    return text_of(folder / "p.pdf", *options).rstrip("\f").split("\f")


def test_a_short_table_stands_on_one_page(tmp_path):
    rows = [Row([f"line {number}"], [["1"]]) for number in range(4)]
    for lines in range(38, 46):  # wherever on the page it begins
        blocks = [*[Paragraph(["text"])] * lines, Table(["Short."], ["a", "b"], rows, [0])]
        pages = [page for page in pages_of(blocks, tmp_path) if "line" in page]
        assert len(pages) == 1, lines


def test_a_row_stands_on_one_page_unless_it_is_longer_than_pages_are(tmp_path):
    long = Table(["c"], ["Name", "Reason"], [Row(["a"], [["begins " + "word " * 120 + "ends"]])] * 6)
    for lines in range(20, 30):
        for page in pages_of([*[Paragraph(["text"])] * lines, long], tmp_path):
            assert page.count("begins") == page.count("ends"), lines
    endless = Table(["c"], ["Name", "Reason"], [Row(["a"], [["word " * 9000 + "ends"]])])
    assert "ends" in pages_of([endless], tmp_path)[-1]


def drawn(name: str, width: float, height: float) -> Picture:
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}pt" height="{height}pt"></svg>'
    return Picture(name, f"Title of {name}", svg.encode(), "a drawing", ["caption"], [], width, height)


@pytest.mark.parametrize("width", [240.0, 480.0])
def test_text_fills_the_page_before_a_figure_that_does_not_fit(width, tmp_path):
    figures = [drawn(f"drawing {number}", width, 520.0) for number in (1, 2, 3)]
    blocks = [*[Paragraph(["before"])] * 20, *figures, *[Paragraph(["after"])] * 60]
    pages = pages_of(blocks, tmp_path)
    lines = [page.count("before") + page.count("after") for page in pages]
    assert lines[0] > 36  # a page of nothing but text
    assert min(lines[:-1]) > 5
    assert re.findall(r"Figure (\d)\.", "".join(pages)) == ["1", "2", "3"]


@pytest.mark.parametrize("height", [100.0, 300.0, 520.0])
def test_a_figure_that_fits_stands_after_the_heading_of_its_section(height, tmp_path):
    blocks = [drawn("drawing", 480.0, height), *[Paragraph(["after"])] * 20]
    page = pages_of(blocks, tmp_path)[0]
    assert page.index("First section") < page.index("Figure 1.")


def test_a_heading_and_its_note_stay_with_the_first_of_what_follows(tmp_path):
    for lines in range(34, 44):
        listing = Listing([("shown", ["first answer"]), ("shown", ["second answer"])])
        blocks = [*[Paragraph(["text"])] * lines, Heading("Question?"), Paragraph(["note"], "note"), listing]
        pages = pages_of(blocks, tmp_path)
        (page,) = (page for page in pages if "Question?" in page)
        assert "first answer" in page, lines
        pages = pages_of([*blocks[:lines], Paragraph(["These are:"]), listing], tmp_path)
        (page,) = (page for page in pages if "These are:" in page)
        assert "first answer" in page, lines


def test_headings_with_a_paragraph_each_fill_the_page(tmp_path):
    parts = [block for _ in range(30) for block in (Heading("Part"), Paragraph(["many words " * 30]))]
    pages = pages_of([*[Paragraph(["text"])] * 20, *parts], tmp_path)
    assert "Part" in pages[0]


def shuffled(seed: int) -> list[Section]:
    """Sections of figures of many heights, paragraphs and tables, in an order drawn by the seed."""
    draw, sections, count = random.Random(seed), [], 0
    for number in range(5):
        blocks: list = []
        for _ in range(draw.randint(3, 9)):
            kind = draw.random()
            if kind < 0.4:
                count += 1
                width, height = draw.choice([240.0, 480.0]), draw.choice([80.0, 150.0, 250.0, 350.0, 500.0])
                blocks.append(drawn(f"drawing {count}", width, height))
            elif kind < 0.7:
                blocks += [Paragraph(["word " * draw.choice([20, 60, 150])])] * draw.randint(1, 4)
            else:
                rows = [Row([f"line {line}"], [["1"]]) for line in range(draw.randint(2, 30))]
                blocks.append(Table(["caption"], ["a", "b"], rows, [0]))
        sections.append(Section(f"s{number}", f"Section {number}", blocks))
    return sections


@pytest.mark.parametrize("seed", [11, 12, 117, 147])
def test_figures_stand_in_their_order_and_none_is_lost(seed, tmp_path):
    sections = shuffled(seed)
    wanted = sum(isinstance(block, Picture) for section in sections for block in section.blocks)
    content = printed.write_paper(Document("T", "S", False, sections), "M")
    (tmp_path / "p.pdf").write_bytes(content)
    pages = text_of(tmp_path / "p.pdf").split("\f")
    found = [
        (int(number), place)
        for place, page in enumerate(pages)
        for number in re.findall(r"Figure (\d+)\.", page)
    ]
    assert sorted(number for number, _ in found) == list(range(1, wanted + 1))
    assert [place for _, place in sorted(found)] == sorted(place for _, place in found)


def test_the_name_of_a_group_of_rows_stands_on_each_page_and_never_alone_at_its_foot(tmp_path):
    rows = [Row([f"line {number}"], [["1"]]) for number in range(90)]
    table = Table(["Long."], ["a", "b"], [Row(["one group"], [], group=True), *rows], [0])
    for lines in range(36, 44):
        pages = pages_of([*[Paragraph(["text"])] * lines, table], tmp_path)
        assert len(pages) > 2
        assert [page.count("one group") for page in pages] == [int("line" in page) for page in pages], lines


def test_a_long_name_stays_in_its_column(tmp_path):
    name = "neuromorphometrics.anterior_insula_and_operculum.left_minus_right.gm_volume"
    rows = [Row([name], [["second"], ["a reason of many words " * 6]])]
    boxes = pages_of([Table(["c"], ["Name", "Flag", "Reason"], rows)], tmp_path, "-bbox")[0]
    words = re.findall(r'xMin="([\d.]+)" .*?xMax="([\d.]+)".*?>(.*?)</word>', boxes)
    (second,) = (float(left) for left, _, word in words if word == "second")
    parts = [(float(right), word) for _, right, word in words if word in name and len(word) > 4]
    assert squeezed("".join(word for _, word in parts)) == squeezed(name)
    assert max(right for right, _ in parts) < second


def test_a_place_on_the_web_is_never_hyphenated(tmp_path):
    link = Link("doi:10.1093/clinids/supplementary", "https://doi.org/10.1093/clinids")
    for fill in range(70, 110):
        text = pages_of([Paragraph(["x" * fill, " ", link])], tmp_path)[0]
        assert "doi:10.1093/clinids/supplementary" in text.replace("\n", ""), fill


def test_links_to_the_web_stay_links_and_those_inside_are_text():
    text = [Link("inside", "#methods"), " ", Link("source", "https://doi.org/10.1/x")]
    assert printed._text(text) == ["inside ", ["source", "https://doi.org/10.1/x"]]


def test_a_study_without_any_estimate_has_a_paper(tmp_path):
    made.write_table(made.estimates().iloc[:0], tmp_path / "estimates.tsv", "estimates")
    study = made.write_study(tmp_path, simulated=False)
    paths = {"out": tmp_path / "r.html", "pdf": tmp_path / "r.pdf"}
    call(render_report, study=study, estimates=tmp_path / "estimates.tsv", **paths)
    text = text_of(paths["pdf"])
    assert "No question was prespecified" in text
    assert "SIMULATED" not in text
