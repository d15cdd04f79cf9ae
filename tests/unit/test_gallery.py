"""All figures: each stands in the list, is readable, and is the same on every run."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import made_results as made
from called import call
from drawn_figures import by_gene, draw, draw_all, sensitivity, stamped, windows
from pniflow.contracts import write_table
from pniflow.figures.gallery import FIGURES
from pniflow.report.render_report import render_report
from report_pages import Page

pytestmark = [pytest.mark.xdist_group("figures"), pytest.mark.filterwarnings("error")]


def test_each_figure_comes_as_vector_picture_and_description(drawn):
    folder, about = drawn
    for name in about:
        root = ElementTree.parse(folder / f"{name}.svg").getroot()  # noqa: S314 (our own file)
        assert root.tag.endswith("svg")
        assert not [part for part in root.iter() if part.tag.endswith("script")]
        assert set(about[name]) == {
            "figure", "image", "title", "caption", "alt", "n", "keys", "simulated", "empty",
        }  # fmt: skip
        assert len(about[name]["alt"]) > 60
        assert about[name]["figure"] == f"{name}.svg"


def test_figures_are_as_wide_as_a_journals_column(drawn):
    folder, about = drawn
    for name in about:
        with Image.open(folder / f"{name}.png") as picture:
            assert picture.width == pytest.approx(89 / 25.4 * 300, abs=1)


def test_files_are_the_same_bytes_in_another_folder(drawn, tmp_path):
    folder, about = drawn
    draw_all(tmp_path)
    for name in about:
        for ending in ("svg", "png", "json"):
            file = f"{name}.{ending}"
            assert (tmp_path / file).read_bytes() == (folder / file).read_bytes(), file


def test_simulated_data_say_so_on_the_picture(drawn, tmp_path):
    folder, about = drawn
    for name in about:
        assert about[name]["simulated"] is True
        assert stamped(folder / f"{name}.png")
    study = made.write_study(tmp_path, simulated=False)
    real = draw("associations", tmp_path, estimates=folder / "estimates.tsv", study=study)
    assert real["simulated"] is False
    assert not stamped(tmp_path / "a.png")


UNUSUAL = {
    "ses-1": {"label": "Überprüfung vor dem Kurs — $x_1$", "day": 0},
    "ses-2": {"label": "после (post), Ωμέγα", "day": 56},
    "ses-3": {"label": "six months later & <b>more</b>", "day": 180},
}


def readable(folder: Path, names: set[str]) -> None:
    """Check that no text is below six points at one column's width, nothing is cut off, nothing is NaN."""
    for name in names:
        svg = (folder / f"{name}.svg").read_text(encoding="utf-8")
        svg = re.sub(r'base64,[^"]*', "", svg)  # pictures inside
        assert float(re.search(r'width="([\d.]+)pt"', svg).group(1)) == pytest.approx(
            89 * 72 / 25.4, abs=0.01
        )
        sizes = {float(size) for size in re.findall(r"scale\(([\d.]+) -[\d.]+\)", svg)}
        assert sizes, name
        assert min(sizes) >= 0.06, name
        assert "nan" not in svg.lower(), name
        picture = np.asarray(Image.open(folder / f"{name}.png").convert("L"))
        edges = (picture[0], picture[-1], picture[:, 0], picture[:, -1])
        assert all((edge > 250).all() for edge in edges), f"{name} is cut"


def test_every_figure_is_readable_at_one_columns_width(drawn):
    folder, about = drawn
    assert len(about) == 11
    assert not [name for name, one in about.items() if one["empty"]]
    readable(folder, set(about))


def test_what_is_said_of_a_figure_holds_no_missing_value(drawn):
    for name, one in drawn[1].items():
        text = f"{one['title']} {one['caption']} {one['alt']}"
        assert not re.search(r"\b(nan|None|inf)\b", text), name
        assert len(one["alt"]) > 60
        assert one["n"] > 0


def test_three_sessions_with_unusual_labels_and_500_persons_are_readable(tmp_path):
    about = draw_all(tmp_path, 500, sessions=UNUSUAL, title="Größe — исследование")
    assert not [name for name, one in about.items() if one["empty"]]
    readable(tmp_path, set(about))
    for file in tmp_path.glob("*.svg"):
        assert "<b>" not in file.read_text(encoding="utf-8")
        assert file.stat().st_size < 2_000_000, file.name


def test_keys_are_rows_of_the_estimates(drawn):
    frame = made.estimates()
    keys = set(frame["model"] + "/" + frame["outcome"] + "/" + frame["term"])
    for name, one in drawn[1].items():
        assert set(one["keys"]) <= keys, name


def test_the_direction_stands_beside_every_ctra_figure(drawn):
    for name in (
        *("paired_change", "ctra_heatmap", "associations", "regions"),
        *("slopes", "ctra_components", "influence", "specification_curve", "gene_forest"),
    ):
        assert "higher ctra = more adverse" in drawn[1][name]["caption"].lower(), name


def test_a_study_without_results_says_so_in_a_sentence(tmp_path):
    study = made.write_study(tmp_path)
    frame = made.estimates()
    other = made.measures()
    path = {}
    for name, table, file in (
        ("estimates", frame[frame["family"].isna()], "estimates.tsv"),
        ("sensitivity", sensitivity().head(0), "sensitivity.tsv"),
        ("measures", other, "all.parquet"),
        ("assays", other[other["domain"] == "assay"], "measures.parquet"),
        ("windows", windows().assign(from_day=np.nan, to_day=np.nan), "windows.tsv"),
        ("gene_estimates", by_gene().assign(estimate=np.nan), "genes.tsv"),
    ):
        path[name] = tmp_path / file
        write_table(table, path[name], "measures" if file.endswith(".parquet") else name)
    both = {name: path[name] for name in ("estimates", "measures")}
    fewer = {"estimates": path["estimates"], "measures": path["assays"]}
    varied = {name: path[name] for name in ("estimates", "sensitivity")}
    for name, tables in (
        ("paired_change", both),
        ("associations", {"estimates": path["estimates"]}),
        ("regions", both),
        ("ctra_components", fewer),
        ("slopes", fewer),
        ("influence", varied),
        ("specification_curve", {**fewer, **varied}),
        ("windows", {"windows": path["windows"]}),
        ("gene_forest", {"gene_estimates": path["gene_estimates"]}),
    ):
        about = draw(name, tmp_path, study=study, **tables)
        assert about["empty"] is True
        assert about["caption"].startswith("No ")


def test_the_list_holds_every_figure_that_there_is(root):
    for folder, ending in (("workflow/pniflow/figures", ""), ("tests/unit", "test_")):
        files = (root / folder).glob(f"{ending}plot_*.py")
        assert {file.stem.removeprefix(f"{ending}plot_") for file in files} == set(FIGURES)


@pytest.mark.parametrize("name", list(FIGURES))
def test_a_figure_is_a_function_of_its_name_of_the_study_and_its_tables(name):
    module = importlib.import_module(f"pniflow.figures.plot_{name}")
    function = getattr(module, f"plot_{name}")
    assert function.__module__ == module.__name__
    taken = inspect.signature(function).parameters
    assert {*taken} == {"about", *FIGURES[name].reads}
    optional = {table for table in taken if taken[table].default is None}
    assert optional == set(FIGURES[name].optional)


def test_the_report_has_a_place_for_every_figure(drawn, run, tmp_path):
    folder, about = drawn
    for name in FIGURES:
        shutil.copy(folder / "paired_change.svg", tmp_path / f"{name}.svg")
        one = {**about["paired_change"], "title": f"This is {name}.", "figure": f"{name}.svg"}
        (tmp_path / f"{name}.json").write_text(json.dumps(one))
    figures = [tmp_path / f"{name}.json" for name in FIGURES]
    call(render_report, **{**run, "figures": figures}, out=tmp_path / "report.html")
    body = Page((tmp_path / "report.html").read_text(encoding="utf-8")).body
    assert [name for name in FIGURES if f"This is {name}." not in body] == []
