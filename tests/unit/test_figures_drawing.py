"""Figures: what is drawn is what the tables say, on its side, and files are the same on every run."""

from __future__ import annotations

import functools
import io
import json
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import stats

import made_results as made
from pniflow.figures import brain, style
from pniflow.figures.plot_associations import baseline_spread, choose_slopes, plot_associations
from pniflow.figures.plot_ctra_heatmap import plot_ctra_heatmap, standardized, used_genes
from pniflow.figures.plot_flow import plot_flow
from pniflow.figures.plot_paired_change import (
    choose_outcomes,
    estimate_lines,
    mean_interval,
    plot_paired_change,
    with_contrasts,
)
from pniflow.figures.plot_quality import plot_quality, shares
from pniflow.figures.plot_regions import choose_regions, in_percent, plot_regions, region_parts
from pniflow.figures.plot_standardized_change import (
    choose_effects,
    direction,
    intervals_of,
    plot_standardized_change,
)
from pniflow.files import read_table, write_table
from pniflow.words import estimate_rows

pytestmark = pytest.mark.xdist_group("figures")
NAMES = ("paired_change", "ctra_heatmap", "associations", "regions")


def draw_all(folder: Path, **study: object) -> dict[str, dict]:
    """Draw the four figures of the made-up results into a folder; return their descriptions."""
    path = made.write_study(folder, **study)
    write_table(made.estimates(), folder / "estimates.tsv", "estimates")
    write_table(made.measures(), folder / "measures.parquet", "measures")
    tables = {"measures": folder / "measures.parquet", "estimates": folder / "estimates.tsv", "study": path}
    blood = made.expression(folder)

    def out(name: str) -> dict[str, Path]:
        endings = {"figure": "svg", "image": "png", "description": "json"}
        return {part: folder / f"{name}.{ending}" for part, ending in endings.items()}

    plot_paired_change(**tables, **out("paired_change"))
    plot_associations(**tables, **out("associations"))
    plot_regions(**tables, **out("regions"))
    plot_ctra_heatmap(**blood, study=path, **out("ctra_heatmap"))
    return {name: json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in NAMES}


@functools.cache
def drawn_once() -> tuple[tempfile.TemporaryDirectory, dict[str, dict]]:
    """Draw the made-up results once for all tests; the folder goes away with the process."""
    folder = tempfile.TemporaryDirectory()
    return folder, draw_all(Path(folder.name))


@pytest.fixture(scope="module")
def drawn() -> tuple[Path, dict[str, dict]]:
    folder, about = drawn_once()
    return Path(folder.name), about


def test_each_figure_comes_as_vector_picture_and_description(drawn):
    folder, about = drawn
    for name in NAMES:
        root = ElementTree.parse(folder / f"{name}.svg").getroot()  # noqa: S314 (our own file)
        assert root.tag.endswith("svg")
        assert not [part for part in root.iter() if part.tag.endswith("script")]
        assert set(about[name]) == {
            "figure", "image", "title", "caption", "alt", "n", "keys", "simulated", "empty",
        }  # fmt: skip
        assert len(about[name]["alt"]) > 60
        assert about[name]["figure"] == f"{name}.svg"


def test_figures_are_as_wide_as_a_journals_column(drawn):
    folder, _ = drawn
    for name in NAMES:
        width = Image.open(folder / f"{name}.png").width
        assert width == pytest.approx(89 / 25.4 * 300, abs=1)


def test_files_are_the_same_bytes_in_another_folder(drawn, tmp_path):
    folder, _ = drawn
    draw_all(tmp_path)
    for name in NAMES:
        for ending in ("svg", "png", "json"):
            file = f"{name}.{ending}"
            assert (tmp_path / file).read_bytes() == (folder / file).read_bytes(), file


def test_simulated_data_say_so_on_the_picture(drawn, tmp_path):
    folder, about = drawn
    for name in NAMES:
        assert about[name]["simulated"] is True
        assert stamped(folder / f"{name}.png")
    out = {"figure": tmp_path / "a.svg", "image": tmp_path / "a.png", "description": tmp_path / "a.json"}
    study = made.write_study(tmp_path, simulated=False)
    plot_associations(estimates=folder / "estimates.tsv", study=study, **out)
    assert json.loads(out["description"].read_text())["simulated"] is False
    assert not stamped(out["image"])


def stamped(path: Path) -> bool:
    """Tell whether the stamp's colour stands in the top right corner."""
    corner = np.asarray(Image.open(path).convert("RGB"))[:60, -500:].astype(int)
    return bool((np.abs(corner - [0xA3, 0x3C, 0x00]).sum(axis=2) < 12).sum() > 100)


def test_keys_are_rows_of_the_estimates(drawn):
    _, about = drawn
    table = made.estimates()
    keys = set(table["model"] + "/" + table["outcome"] + "/" + table["term"])
    regions = [f"change_mri_thickness/{made.INSULA.format('anterior', s)}/session" for s in ("left", "right")]
    regions += [f"change_mri_volume/{made.VOLUME.format(side)}/session" for side in ("left", "right")]
    assert set(about["paired_change"]["keys"]) == {
        *(f"change_pro/{name}/session" for name in made.SCALES),
        "change_biology/ctra/session",
        "change_biology/log_hair_cortisol/session",
        *regions,  # what is not estimable has no panel
    }
    assert about["ctra_heatmap"]["keys"] == []
    for name in ("associations", "regions"):
        assert about[name]["keys"]
        assert set(about[name]["keys"]) <= keys
    assert "ctra_on_pss10/ctra/pss10_within" in about["associations"]["keys"]
    assert "ctra_on_pss10/ctra/age" not in about["associations"]["keys"]


def test_numbers_of_persons(drawn):
    _, about = drawn
    assert about["paired_change"]["n"] == 23
    assert about["ctra_heatmap"]["n"] == 23
    assert about["associations"]["n"] == 21


def test_the_ctras_sign_stands_on_each_figure_that_shows_it(drawn):
    _, about = drawn
    for name in NAMES:
        assert "higher ctra = more adverse" in about[name]["caption"].lower()


def test_no_estimates_make_a_sentence_instead_of_an_empty_picture(tmp_path):
    study = made.write_study(tmp_path)
    table = made.estimates()
    write_table(table[table["family"].isna()], tmp_path / "estimates.tsv", "estimates")
    write_table(made.measures(), tmp_path / "measures.parquet", "measures")
    files = {"figure": tmp_path / "a.svg", "image": tmp_path / "a.png", "description": tmp_path / "a.json"}
    both = {"estimates": tmp_path / "estimates.tsv", "study": study}
    for draw, tables in (
        (plot_paired_change, {**both, "measures": tmp_path / "measures.parquet"}),
        (plot_associations, both),
        (plot_regions, {**both, "measures": tmp_path / "measures.parquet"}),
    ):
        draw(**tables, **files)
        about = json.loads(files["description"].read_text())
        assert about["empty"] is True
        assert about["caption"].startswith("No ")


def test_three_sessions_and_a_label_full_of_markup(tmp_path):
    hostile = "<script>$\\frac{1}$</script> & ‮ {{ 7*7 }}"
    sessions = {"ses-pre": {"label": hostile}, "ses-post": {}, "ses-fu": {"label": "later"}}
    study = made.write_study(tmp_path, sessions=sessions)
    rows = [made.row("change", "pro_change", "pss10", f"session[ses-{s}]", -2.0, 1.0) for s in ("post", "fu")]
    write_table(pd.DataFrame(rows), tmp_path / "estimates.tsv", "estimates")
    write_table(
        made.measures(5, ("ses-pre", "ses-post", "ses-fu")), tmp_path / "measures.parquet", "measures"
    )
    files = {"figure": tmp_path / "a.svg", "image": tmp_path / "a.png", "description": tmp_path / "a.json"}
    plot_paired_change(
        measures=tmp_path / "measures.parquet", estimates=tmp_path / "estimates.tsv", study=study, **files
    )
    root = ElementTree.parse(files["figure"]).getroot()  # noqa: S314 (our own file)
    assert not [part for part in root.iter() if part.tag.endswith("script")]
    about = json.loads(files["description"].read_text())
    assert about["keys"] == ["change/pss10/session[ses-post]", "change/pss10/session[ses-fu]"]


def test_panels_are_the_primary_family_then_the_small_ones():
    rows = [made.row("a", "big", f"m{i}", "session", 1, 1, role="secondary") for i in range(9)]
    rows += [made.row("b", "small", f"s{i}", "session", 1, 1, role="secondary") for i in range(2)]
    rows += [made.row("c", "first", f"p{i}", "session", 1, 1, role="primary") for i in range(6)]
    rows += [made.row("d", "slopes", "p0", "x_within", 1, 1, role="primary")]
    chosen = choose_outcomes(estimate_rows(pd.DataFrame(rows)))
    assert list(chosen) == [f"p{i}" for i in range(6)] + ["s0", "s1"]


def test_mean_and_interval_are_those_of_t():
    values = np.array([[1.0, 2.0], [2.0, np.nan], [4.0, 5.0], [9.0, 7.5]])
    mean, half = mean_interval(values)
    for column in range(2):
        there = values[np.isfinite(values[:, column]), column]
        low, high = stats.t.interval(0.95, len(there) - 1, np.mean(there), stats.sem(there))
        assert mean[column] - half[column] == pytest.approx(low, rel=1e-12)
        assert mean[column] + half[column] == pytest.approx(high, rel=1e-12)
    mean, half = mean_interval(np.array([[3.0, np.nan]]))
    assert mean[0] == 3
    assert np.isnan([half[0], mean[1]]).all()


def test_the_quantile_of_t_is_scipys():
    for df in (1, 2, 3, 4, 19, 22, 499, 1000):
        assert style.t_quantile(df) == pytest.approx(stats.t.ppf(0.975, df), rel=1e-12)


def test_expression_is_shown_as_z_over_all_samples():
    levels = np.random.default_rng(1).normal(5, 2, (4, 11))
    levels[2] = 7
    z = standardized(levels)
    assert z[[0, 1, 3]] == pytest.approx(stats.zscore(levels[[0, 1, 3]], axis=1, ddof=1), rel=1e-12)
    assert (z[2] == 0).all()


def test_genes_stand_by_component_and_absent_ones_are_not_drawn(tmp_path):
    table = pd.read_csv(made.expression(tmp_path)["genes"], sep="\t")
    shown = used_genes(table)
    assert list(shown["component"].unique()) == ["inflammatory", "interferon", "antibody"]
    assert "IGLL3P" not in set(shown["gene"])
    assert len(shown) == 11


def test_slopes_are_scaled_by_the_predictors_spread_at_the_first_session(tmp_path):
    frame = made.measures()
    write_table(frame, tmp_path / "m.parquet", "measures")
    spread = baseline_spread(read_table(tmp_path / "m.parquet", "measures"), "ses-pre")
    first = frame[(frame["measure"] == "pss10") & (frame["session_id"] == "ses-pre")]["value"]
    assert spread["pss10"] == pytest.approx(np.std(first, ddof=1), rel=1e-12)


def test_only_tested_slopes_of_no_region_are_associations():
    shown = choose_slopes(estimate_rows(made.estimates()))
    assert {row["outcome"] for row in shown} == {"ctra"}
    assert {row["kind"] for row in shown} == {"within", "between", "pooled"}
    assert len(shown) == 9


def test_percent_of_baseline_by_hand():
    left, right = (made.INSULA.format("anterior", side) for side in ("left", "right"))
    asymmetry = made.INSULA.format("anterior", "left_minus_right")
    rows = [
        made.row("change", "mri_change", left, "session", 0.03, 0.01),
        made.row("slope", "insula_ctra", left, "ctra_within", 0.06, 0.01),
        made.row("slope", "insula_ctra", asymmetry, "ctra_within", 0.05, 0.01),
    ]
    table = pd.DataFrame(
        {"measure": [left, left, right, right, "ctra", "ctra"], "value": [2.9, 3.1, 2.4, 2.6, 0, 1]}
    )
    shown = in_percent(choose_regions(estimate_rows(pd.DataFrame(rows))), table)
    spread = np.sqrt(0.5)
    assert [row["percent"][0] for row in shown] == pytest.approx(
        [100 * 0.03 / 3.0, 100 * 0.06 * spread / 3.0, 100 * 0.05 * spread / 2.75], rel=1e-12
    )
    assert shown[0]["percent"][1] == pytest.approx(100 * (0.03 - 2.086 * 0.01) / 3.0, rel=1e-12)


def test_a_row_that_was_not_estimable_is_not_drawn():
    rows = [made.row("m", "f", made.INSULA.format("anterior", "left"), "session", np.nan, np.nan)]
    assert choose_regions(estimate_rows(pd.DataFrame(rows))) == []


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_front_of_the_brain_points_outward_on_each_side(side):
    """Seen from outside, the front is at the left of a left hemisphere and at the right of a right one."""
    view = brain.render(side, "aparc_a2009s")
    columns = {
        name: np.nonzero(view.region == view.names.index(name))[1].mean()
        for name in ("G_front_middle", "Pole_occipital", "G_insular_short", "G_Ins_lg_and_S_cent_ins")
    }
    to_front = -1 if side == "left" else 1
    assert to_front * (columns["G_front_middle"] - columns["Pole_occipital"]) > 100
    assert to_front * (columns["G_insular_short"] - columns["G_Ins_lg_and_S_cent_ins"]) > 0


def test_up_is_up_and_inner_is_inner():
    view = brain.render("left", "aparc_a2009s")
    rows = {
        n: np.nonzero(view.region == view.names.index(n))[0].mean() for n in ("G_precentral", "Pole_temporal")
    }
    assert rows["G_precentral"] < rows["Pole_temporal"]
    inner = brain.render("left", "aparc_a2009s", inner=True)
    cuneus = inner.names.index("G_cuneus")
    assert (inner.region == cuneus).sum() > 5 * (view.region == cuneus).sum()


def test_a_view_has_no_empty_pixel():
    from scipy.ndimage import binary_fill_holes

    for side in ("left", "right"):
        view = brain.render(side, "aparc_a2009s")
        assert (binary_fill_holes(view.brain) == view.brain).all()


def test_a_value_colours_its_region_alone():
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import Normalize

    view = brain.render("left", "aparc_a2009s")
    region = view.region == view.names.index("G_insular_short")
    with style.drawing():
        drawn = style.new_figure(80, 60)
        drawn.set_layout_engine("none")
        axes = drawn.add_axes((0, 0, 1, 1))
        brain.draw_brain(
            axes, "left", "aparc_a2009s", {"G_insular_short": 1.0}, Normalize(-1, 1), colormaps["RdBu_r"]
        )
        picture = np.asarray(axes.images[0].get_array())
        FigureCanvasAgg(drawn).print_png(io.BytesIO())
    red = picture[..., 0] - picture[..., 2] > 0.1
    assert red[region].mean() > 0.6  # the rest of it is the outline
    assert not red[~region].any()


def test_rim_is_the_border_on_both_sides():
    group = np.array([[0, 0, 1, 1]] * 3)
    assert (brain.rim(group) == np.array([[False, True, True, False]] * 3)).all()


def test_region_groups_are_regions_of_the_annotation():
    names = brain.render("left", "aparc_a2009s").names
    parts = region_parts("aparc_a2009s")
    assert ("anterior_insula", "thickness") in parts
    assert all(part in names for some in parts.values() for part in some)


def out_files(folder: Path) -> dict[str, Path]:
    return {"figure": folder / "a.svg", "image": folder / "a.png", "description": folder / "a.json"}


def test_the_flow_figure_counts_what_the_flow_table_counts(tmp_path):
    rows = [
        ("enrolled", "all", None, 9),
        ("assessed", "imaging", "ses-pre", 8),
        ("excluded", "imaging", "ses-pre", 2),
        ("usable", "imaging", "ses-pre", 6),
        ("assessed", "imaging", "ses-post", 5),
        ("excluded", "imaging", "ses-post", 0),
        ("usable", "imaging", "ses-post", 5),
        ("complete", "imaging", None, 4),
    ]
    frame = pd.DataFrame(rows, columns=["step", "branch", "session_id", "n"]).assign(note=None)
    write_table(frame, tmp_path / "flow.tsv", "flow")
    study = made.write_study(tmp_path)
    plot_flow(flow=tmp_path / "flow.tsv", study=study, **out_files(tmp_path))
    about = json.loads((tmp_path / "a.json").read_text())
    assert about["n"] == 9
    counted = "MRI usable of assessed, before: 6 of 8, after: 5 of 5, every session: 4"
    assert about["alt"] == f"Flow diagram. Enrolled: 9. {counted}."
    assert stamped(tmp_path / "a.png")


def test_standardized_changes_stand_with_their_intervals(tmp_path):
    rows = [
        made.row("change", "f", "pss10", "session", -2.0, 1.0, effect_size=-0.5),
        made.row("change", "f", "mhc_sf", "session", -2.0, 1.0, effect_size=-0.2),
        made.row("change", "f", "ctra", "session", 0.1, 0.1, effect_size=0.3),
        made.row("change", None, "mfis", "session", 0.1, 0.1, effect_size=0.3),
        made.row("slope", "g", "ctra", "pss10_within", 0.1, 0.1, effect_size=0.3),
    ]
    interval = {
        "table": "effect_sizes",
        "quantity": "g_av",
        "model": "change",
        "outcome": "pss10",
        "term": "session",
    }
    shown = choose_effects(
        estimate_rows(pd.DataFrame(rows)),
        intervals_of([{**interval, "conf_low": -0.9, "conf_high": -0.1}]),
    )
    assert [row["outcome"] for row in shown] == ["pss10", "mhc_sf", "ctra"]
    assert shown[0]["interval"] == (-0.9, -0.1)
    assert np.isnan(shown[1]["interval"]).all()
    assert [direction(row) for row in shown] == ["towards better", "towards worse", "neither is better"]


def test_shares_of_a_branchs_measures_by_hand():
    frame = pd.DataFrame(
        [
            ("p1", "ses-pre", "pss10", 1.0, "questionnaire"),
            ("p1", "ses-pre", "mfis", np.nan, "questionnaire"),
            ("p2", "ses-pre", "mfis", 2.0, "questionnaire"),
            ("p2", "ses-pre", "pss10", 2.0, "questionnaire"),
            ("p2", "ses-post", "tiv", 1500.0, "imaging"),
        ],
        columns=["participant_id", "session_id", "measure", "value", "domain"],
    )
    share = shares(frame, ["p1", "p2", "p3"], ["ses-pre", "ses-post"], ["questionnaire", "imaging"])
    assert share.tolist() == [[[0.5, 0], [0, 0]], [[1, 0], [0, 1]], [[0, 0], [0, 0]]]


def test_the_quality_figure_is_drawn_with_and_without_scans(tmp_path):
    frame = made.measures(6)
    marks = frame[frame["measure"] == "pss10"].assign(
        measure="siqr", unit="mark", domain="imaging", value=2.5
    )
    study = made.write_study(tmp_path)
    write_table(
        pd.DataFrame({"participant_id": made.people(6)}), tmp_path / "participants.tsv", "participants"
    )
    for name, table in (
        ("with", pd.concat([frame, marks])),
        ("without", frame[frame["domain"] != "imaging"]),
    ):
        write_table(table, tmp_path / f"{name}.parquet", "measures")
        plot_quality(
            measures=tmp_path / f"{name}.parquet",
            participants=tmp_path / "participants.tsv",
            study=study,
            **out_files(tmp_path),
        )
        about = json.loads((tmp_path / "a.json").read_text())
        assert about["n"] == 6
        assert ("quality mark of 10 scans" in about["caption"]) == (name == "with")
        assert ("scans" in about["title"]) == (name == "with")
        assert "Questionnaires before: 6, after: 4" in about["alt"]


def test_sessions_tested_together_are_drawn_with_their_f(tmp_path):
    sessions = {f"ses-{day}": {"label": f"day {day}, six hours after the meal"} for day in range(1, 6)}
    blank = dict.fromkeys(
        ("estimate", "std_error", "conf_low", "conf_high", "effect_size", "effect_size_kind")
    )
    row = {
        **made.row("change", "f", "pss10", "session", 1.0, 1.0, p_adjusted=0.4),
        **blank,
        "statistic": 1.234,
    }
    write_table(pd.DataFrame([row]), tmp_path / "estimates.tsv", "estimates")
    write_table(made.measures(6, tuple(sessions)), tmp_path / "measures.parquet", "measures")
    study = made.write_study(tmp_path, sessions=sessions)
    tables = {
        "measures": tmp_path / "measures.parquet",
        "estimates": tmp_path / "estimates.tsv",
        "study": study,
    }
    plot_paired_change(**tables, **out_files(tmp_path))
    about = json.loads((tmp_path / "a.json").read_text())
    assert about["keys"] == ["change/pss10/session"]
    assert "sessions: F = 1.23; adj. p\u00a0=\u00a0.400, n = 21" in about["alt"]


def test_an_asymmetry_against_zero_is_drawn_and_one_side_is_not():
    rows = [
        made.row("m", "f", made.INSULA.format("anterior", side), "(intercept)", 0.1, 0.05)
        for side in ("left", "left_minus_right")
    ]
    shown = choose_regions(estimate_rows(pd.DataFrame(rows)))
    assert [(row["kind"], row["region"].side) for row in shown] == [("level", "left_minus_right")]


def three_sessions() -> list[dict]:
    """Rows of a change as fit-models writes them: a joint F in a family, its contrasts in none."""
    f = {
        **dict.fromkeys(("estimate", "std_error", "conf_low", "conf_high", "effect_size")),
        "statistic": 40.532,
    }
    joint = {**made.row("change", "f", "pss10", "session", 1, 1, p_adjusted=0.0004), **f, "df": 73.64}
    rows = [{**joint, "note": "F test of 2 coefficients"}]
    for session, change, g in (("fu", -5.5, -0.86), ("post", -6.4, -0.96)):  # in the order of their names
        term = f"session[ses-{session}]"
        rows.append(made.row("change", None, "pss10", term, change, 0.77, effect_size=g, p_adjusted=None))
    return rows


SESSIONS = {"ses-pre": {"label": "before"}, "ses-post": {"label": "after"}, "ses-fu": {"label": "later"}}


def test_contrasts_follow_their_joint_test_in_the_order_of_time():
    rows = with_contrasts(estimate_rows(pd.DataFrame(three_sessions())), list(SESSIONS))
    assert [row["term"] for row in rows] == ["session", "session[ses-post]", "session[ses-fu]"]
    assert {(row["family"], row["role"]) for row in rows} == {("f", rows[0]["role"])}
    lines = estimate_lines(rows, "points", {"ses-pre": "before", "ses-post": "after", "ses-fu": "later"})
    assert lines[0].startswith("after \u22126.40 [")
    assert lines[1].startswith("later \u22125.50 [")
    assert lines[2] == "sessions: F(2, 73.6) = 40.53"
    assert lines[3].startswith("adj. p\u00a0<\u00a0.001")


def test_a_session_tested_alone_has_no_contrasts():
    rows = estimate_rows(pd.DataFrame([made.row("change", "f", "pss10", "session", -2.0, 1.0)]))
    assert with_contrasts(rows, list(SESSIONS)) == rows


def test_standardized_changes_of_three_sessions_are_drawn(tmp_path):
    rows = three_sessions()
    write_table(pd.DataFrame(rows), tmp_path / "estimates.tsv", "estimates")
    columns = (
        "table",
        "model",
        "family",
        "outcome",
        "term",
        "quantity",
        "value",
        "conf_low",
        "conf_high",
        "note",
    )
    interval = ("effect_sizes", "change", None, "pss10", "session[ses-post]", "g_av", -0.96, -1.3, -0.6, None)
    write_table(pd.DataFrame([interval], columns=list(columns)), tmp_path / "diagnostics.tsv", "diagnostics")
    plot_standardized_change(
        estimates=tmp_path / "estimates.tsv", diagnostics=tmp_path / "diagnostics.tsv",
        study=made.write_study(tmp_path, sessions=SESSIONS), **out_files(tmp_path),
    )  # fmt: skip
    about = json.loads((tmp_path / "a.json").read_text())
    assert about["keys"] == ["change/pss10/session[ses-post]", "change/pss10/session[ses-fu]"]
    assert "Stress (PSS-10) at after \u22120.96, Stress (PSS-10) at later \u22120.86" in about["alt"]
    assert "each minus before (from the top: after, later)" in about["caption"]


def test_the_flow_of_six_sessions_fits_one_column(tmp_path):
    sessions = {f"ses-{place}": {"label": f"month {place}"} for place in range(1, 7)}
    rows = [("enrolled", "all", None, 500), ("complete", "imaging", None, 400)]
    for session in sessions:
        rows += [(step, "imaging", session, 500 - loss) for step, loss in (("assessed", 0), ("usable", 20))]
    frame = pd.DataFrame(rows, columns=["step", "branch", "session_id", "n"]).assign(note=None)
    write_table(frame, tmp_path / "flow.tsv", "flow")
    study = made.write_study(tmp_path, sessions=sessions)
    plot_flow(flow=tmp_path / "flow.tsv", study=study, **out_files(tmp_path))
    picture = np.asarray(Image.open(tmp_path / "a.png").convert("L"))
    assert picture.shape[1] == int(89 / 25.4 * 300)
    edges = (picture[0], picture[-1], picture[:, 0], picture[:, -1])
    assert all((edge > 250).all() for edge in edges)
    assert "usable of assessed" in json.loads((tmp_path / "a.json").read_text())["caption"]


def test_a_unit_is_that_of_the_data(tmp_path):
    row = made.row("change", "f", "log_hair_cortisol", "session", -0.3, 0.1)
    write_table(pd.DataFrame([row]), tmp_path / "estimates.tsv", "estimates")
    table = made.measures(6)
    table.loc[table["measure"] == "log_hair_cortisol", "unit"] = "ln nmol/l"
    write_table(table, tmp_path / "measures.parquet", "measures")
    plot_paired_change(
        measures=tmp_path / "measures.parquet",
        estimates=tmp_path / "estimates.tsv",
        study=made.write_study(tmp_path),
        **out_files(tmp_path),
    )
    alt = json.loads((tmp_path / "a.json").read_text())["alt"]
    assert "Hair cortisol (log): −0.30 [−0.51, −0.09] ln nmol/l" in alt
