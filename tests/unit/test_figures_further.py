"""Figures of components, genes, slopes, windows, influence and choices; all figures are readable."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import made_results as made
from pniflow import words
from pniflow.figures.plot_associations import choose_slopes, plot_associations
from pniflow.figures.plot_ctra_components import changes_of, plot_ctra_components
from pniflow.figures.plot_ctra_heatmap import plot_ctra_heatmap
from pniflow.figures.plot_gene_forest import order_genes, plot_gene_forest
from pniflow.figures.plot_influence import choose_rows, plot_influence
from pniflow.figures.plot_paired_change import plot_paired_change
from pniflow.figures.plot_quality import plot_quality
from pniflow.figures.plot_regions import plot_regions
from pniflow.figures.plot_slopes import choose_pairs, deviations, person_means, plot_slopes
from pniflow.figures.plot_specification_curve import (
    choices_of,
    choose_curves,
    names_of,
    plot_specification_curve,
)
from pniflow.figures.plot_windows import plot_windows
from pniflow.files import write_table

pytestmark = [pytest.mark.xdist_group("figures"), pytest.mark.filterwarnings("error")]
UNUSUAL = {
    "ses-1": {"label": "Überprüfung vor dem Kurs — $x_1$", "day": 0},
    "ses-2": {"label": "после (post), Ωμέγα", "day": 56},
    "ses-3": {"label": "six months later & <b>more</b>", "day": 180},
}


def with_components(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the score's components and two of its variants to the measures."""
    ctra = frame[frame["measure"] == "ctra"]
    names = ("inflammatory", "interferon", "antibody", "ctra_balanced", "ctra_mean_log2")
    more = [ctra.assign(measure=name, value=ctra["value"] * (k + 2)) for k, name in enumerate(names)]
    return pd.concat([frame, *more], ignore_index=True)


def sensitivity() -> pd.DataFrame:
    """Variants of three estimates of the made-up results."""
    rows = []
    for model, family, outcome, term, estimate, error in (
        ("change_biology", "biology_change", "ctra", "session", -0.0123, 0.05),
        ("ctra_on_pss10", "ctra_within", "ctra", "pss10_within", -0.034, 0.011),
        ("ctra_on_pss10", "ctra_between", "ctra", "pss10_between", 0.012, 0.03),
    ):
        for name, shift, p, note in (
            ("leave_one_out_lowest", -0.5, 0.01, "without sub-004"),
            ("leave_one_out_highest", 0.8, 0.03, "without sub-011"),
            ("leave_one_out_largest_p", 0.8, 0.06, "without sub-011"),
            ("completers", 0.1, 0.01, None),
            ("ctra_balanced", 1.0, 0.01, None),
            ("ctra_mean_log2", -1.0, 0.01, None),
        ):
            one = made.row(
                model, family, outcome, term, estimate + shift * error, error, p_value=p, note=note
            )
            rows.append({"variant": name, **one, "role": "secondary"})
    frame = pd.DataFrame(rows)
    frame["singular"] = frame["singular"].astype("boolean")
    return frame


def by_gene(terms: tuple[str, ...] = ("session", "pss10")) -> pd.DataFrame:
    """Estimates of eleven genes on some predictors."""
    rng = np.random.default_rng(5)
    rows = [
        {
            "gene": gene, "component": part, "weight": 1 if part == "inflammatory" else -1, "term": term,
            "unit": "z", "estimate": value, "std_error": 0.2, "df": 20.0, "statistic": value / 0.2,
            "p_value": 0.5, "p_adjusted": 0.9, "conf_low": value - 0.4, "conf_high": value + 0.4,
            "n_participants": 21, "n_samples": 42, "note": None,
        }
        for term in terms
        for part, genes in made.GENES.items()
        for gene, value in zip(genes, rng.normal(0, 0.5, len(genes)), strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def windows(sessions: tuple[str, ...] = ("ses-pre", "ses-post"), day: float = 56.0) -> pd.DataFrame:
    rows = []
    for place, session in enumerate(sessions):
        at = place * day
        rows += [
            ("pss10", session, at - 30, at, min(30.0, at), 1.0 if place else 0.0),
            ("maia2", session, np.nan, at, np.nan, np.nan),
            ("ctra", session, at, at, 0.0, np.nan),
        ]
    names = ["measure", "session_id", "from_day", "to_day", "overlap_days", "overlap_share"]
    return pd.DataFrame(rows, columns=names)


def draw_all(folder: Path, people: int = 23, **changes: object) -> dict[str, dict]:
    """Draw every figure that is made from tables of results; return the descriptions."""
    study = made.write_study(folder, **changes)
    sessions = tuple(json.loads(study.read_text(encoding="utf-8"))["sessions"])
    estimates = made.estimates()
    if len(sessions) > 2:
        split = estimates["term"] == "session"
        parts = [estimates[split].assign(term=f"session[{name}]") for name in sessions[1:]]
        estimates = pd.concat([estimates[~split], *parts], ignore_index=True)
    measures = with_components(made.measures(people, sessions))
    marks = measures[measures["measure"] == "pss10"].assign(
        measure="siqr", unit="mark", domain="imaging", value=2.5
    )
    tables = {
        "estimates": (estimates, "estimates.tsv", "estimates"),
        "measures": (pd.concat([measures, marks]), "measures.parquet", "measures"),
        "sensitivity": (sensitivity(), "sensitivity.tsv", "sensitivity"),
        "genes": (by_gene(), "gene_estimates.tsv", "gene_estimates"),
        "windows": (windows(sessions), "windows.tsv", "windows"),
        "participants": (
            pd.DataFrame({"participant_id": made.people(people)}), "participants.tsv", "participants",
        ),
    }  # fmt: skip
    path = {}
    for name, (frame, file, contract) in tables.items():
        path[name] = folder / file
        write_table(frame, path[name], contract)
    for draw, names in (
        (plot_paired_change, ("measures", "estimates")),
        (plot_associations, ("measures", "estimates")),
        (plot_regions, ("measures", "estimates")),
        (plot_slopes, ("measures", "estimates")),
        (plot_ctra_components, ("measures", "estimates")),
        (plot_quality, ("measures", "participants")),
        (plot_windows, ("windows",)),
        (plot_influence, ("sensitivity", "estimates")),
        (plot_specification_curve, ("sensitivity", "estimates", "measures")),
        (plot_gene_forest, ("gene_estimates",)),
    ):
        name = draw.__name__.removeprefix("plot_")
        draw(**{key: path[key] for key in names}, study=study, **out(folder, name))
    blood = made.expression(folder, people)
    if sessions == ("ses-pre", "ses-post"):
        plot_ctra_heatmap(**blood, study=study, **out(folder, "ctra_heatmap"))
    found = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in folder.glob("*.json")}
    return {name: about for name, about in found.items() if "caption" in about}


def out(folder: Path, name: str) -> dict[str, Path]:
    endings = {"figure": "svg", "image": "png", "description": "json"}
    return {part: folder / f"{name}.{ending}" for part, ending in endings.items()}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> tuple[Path, dict[str, dict]]:
    folder = tmp_path_factory.mktemp("figures")
    return folder, draw_all(folder)


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


def test_the_direction_stands_beside_every_ctra_figure(drawn):
    for name in ("slopes", "ctra_components", "influence", "specification_curve", "gene_forest"):
        assert "higher ctra = more adverse" in drawn[1][name]["caption"].lower(), name
    assert "higher = more expression" in drawn[1]["ctra_components"]["caption"]


def test_keys_are_rows_of_the_estimates(drawn):
    frame = made.estimates()
    keys = set(frame["model"] + "/" + frame["outcome"] + "/" + frame["term"])
    for name, one in drawn[1].items():
        assert set(one["keys"]) <= keys, name
    assert drawn[1]["ctra_components"]["keys"] == ["change_biology/ctra/session"]
    assert drawn[1]["influence"]["keys"] == drawn[1]["specification_curve"]["keys"] == [
        "change_biology/ctra/session", "ctra_on_pss10/ctra/pss10_within", "ctra_on_pss10/ctra/pss10_between",
    ]  # fmt: skip


def test_three_sessions_with_unusual_labels_and_500_persons_are_readable(tmp_path):
    about = draw_all(tmp_path, 500, sessions=UNUSUAL, title="Größe — исследование")
    assert not [name for name, one in about.items() if one["empty"]]
    readable(tmp_path, set(about))
    for file in tmp_path.glob("*.svg"):
        assert "<b>" not in file.read_text(encoding="utf-8")
        assert file.stat().st_size < 2_000_000, file.name


def test_a_study_without_results_says_so_in_a_sentence(tmp_path):
    study = made.write_study(tmp_path)
    frame = made.estimates()
    write_table(frame[frame["family"].isna()], tmp_path / "estimates.tsv", "estimates")
    write_table(sensitivity().head(0), tmp_path / "sensitivity.tsv", "sensitivity")
    other = made.measures()
    write_table(other[other["domain"] == "assay"], tmp_path / "measures.parquet", "measures")
    write_table(windows().assign(from_day=np.nan, to_day=np.nan), tmp_path / "windows.tsv", "windows")
    write_table(by_gene().assign(estimate=np.nan), tmp_path / "genes.tsv", "gene_estimates")
    both = {"estimates": tmp_path / "estimates.tsv", "measures": tmp_path / "measures.parquet"}
    varied = {"estimates": tmp_path / "estimates.tsv", "sensitivity": tmp_path / "sensitivity.tsv"}
    for draw, tables in (
        (plot_ctra_components, both),
        (plot_slopes, both),
        (plot_influence, varied),
        (plot_specification_curve, {**both, **varied}),
        (plot_windows, {"windows": tmp_path / "windows.tsv"}),
        (plot_gene_forest, {"gene_estimates": tmp_path / "genes.tsv"}),
    ):
        draw(**tables, study=study, **out(tmp_path, "a"))
        about = json.loads((tmp_path / "a.json").read_text())
        assert about["empty"] is True
        assert about["caption"].startswith("No ")


def test_components_take_the_change_of_the_first_model_that_tests_it():
    rows = [
        made.row("a", "f", "ctra", "session", 0.1, 0.1),
        made.row("b", "f", "ctra", "session", 0.2, 0.1),
        made.row("a", None, "interferon", "session", 0.1, 0.1),
        made.row("a", "f", "antibody", "session", np.nan, np.nan, statistic=None),
        made.row("a", "f", "pss10", "session", 0.1, 0.1),
    ]
    found = changes_of(words.estimate_rows(pd.DataFrame(rows)))
    assert {name: [row["key"] for row in some] for name, some in found.items()} == {
        "ctra": ["a/ctra/session"]
    }


def test_shifts_are_in_standard_errors_and_name_the_person_of_the_larger_one():
    rows = words.estimate_rows(made.estimates())
    shown = choose_rows(rows, words.records(sensitivity()))
    assert [row["key"] for row in shown] == [
        "change_biology/ctra/session", "ctra_on_pss10/ctra/pss10_within", "ctra_on_pss10/ctra/pss10_between",
    ]  # fmt: skip
    for row in shown:
        assert row["shift"] == pytest.approx((-0.5, 0.8), rel=1e-9)
        assert row["who"] == "sub-011"
    # p is .81, .0004 and .7 with everybody, and .06 without one.
    assert [row["fragile"] for row in shown] == [False, True, False]


def test_choices_are_what_differs_from_the_prespecified_analysis():
    assert choices_of("ctra_balanced") == ("ctra_balanced",)
    assert choices_of("specification_curve: as prespecified") == ()
    assert choices_of("specification_curve: completers + ctra_balanced") == ("completers", "ctra_balanced")
    for name in ("leave_one_out_lowest", "equivalence", "sign_flip_maxt", "permute_differences"):
        assert choices_of(name) == ()


def test_specifications_are_sorted_in_standard_deviations_of_their_own_score():
    spread = {"ctra": 0.5, "ctra_balanced": 2.0, "ctra_mean_log2": 1.0, "pss10": 4.0}
    curves = choose_curves(words.estimate_rows(made.estimates()), words.records(sensitivity()), spread)
    assert [curve.kind for curve in curves] == ["change", "within", "between"]
    change, within, _ = curves
    own, error = -0.0123, 0.05
    by_hand = {
        (): own / 0.5,
        ("completers",): (own + 0.1 * error) / 0.5,
        ("ctra_balanced",): (own + error) / 2,
        ("ctra_mean_log2",): (own - error) / 1,
    }
    assert change.choices == sorted(by_hand, key=by_hand.__getitem__)
    assert change.values[:, 0] == pytest.approx(sorted(by_hand.values()), rel=1e-12)
    assert within.values[within.choices.index(()), 0] == pytest.approx(-0.034 * 4 / 0.5, rel=1e-12)
    assert names_of(change) == ["", "ctra_mean_log2", "ctra_balanced", "completers"]


def test_a_score_without_a_spread_is_not_drawn_beside_the_others():
    curves = choose_curves(
        words.estimate_rows(made.estimates()), words.records(sensitivity()), {"ctra": 0.5, "pss10": 4.0}
    )
    for curve in curves:
        assert np.isfinite(curve.values).all()


def test_genes_stand_by_component_then_by_estimate():
    rows = words.records(by_gene())
    order = order_genes(rows, "session")
    first = {row["gene"]: row["estimate"] for row in rows if row["term"] == "session"}
    assert [gene for part in made.GENES.values() for gene in sorted(part, key=first.__getitem__)] == order


def test_persons_means_rest_on_sessions_with_both_values():
    x = np.array([[1.0, 3.0], [2.0, np.nan], [np.nan, 5.0]])
    y = np.array([[10.0, 20.0], [np.nan, 30.0], [7.0, 9.0]])
    a, b = person_means(x, y)
    assert (a.tolist(), b.tolist()) == ([2.0, 5.0], [15.0, 9.0])


def test_deviations_have_no_mean_in_any_session_or_person():
    rng = np.random.default_rng(3)
    x, y = rng.normal(5, 2, (40, 3)), rng.normal(0, 1, (40, 3))
    a, b = deviations(x, y)
    for one in (a, b):
        assert np.abs(one.mean(axis=0)).max() < 1e-12
        assert np.abs(one.mean(axis=1)).max() < 1e-12
    # With two sessions a person's two deviations are mirrored: half the change off the mean change.
    a, _ = deviations(x[:, :2], y[:, :2])
    change = x[:, 1] - x[:, 0]
    assert a[:, 1] == pytest.approx((change - change.mean()) / 2, abs=1e-12)
    assert a[:, 0] == pytest.approx(-a[:, 1], abs=1e-12)


def test_a_person_with_one_session_has_no_deviation():
    a, b = deviations(np.array([[1.0, np.nan], [1.0, 2.0]]), np.array([[1.0, 4.0], [0.0, 2.0]]))
    assert a.shape == b.shape == (1, 2)


def test_pairs_are_slopes_of_the_same_association_main_families_first():
    pairs = choose_pairs(choose_slopes(words.estimate_rows(made.estimates())))
    assert list(pairs) == [
        ("ctra", "pss10"), ("ctra", "ucla_loneliness_v3"), ("ctra", "log_hair_cortisol"),
    ]  # fmt: skip
    assert {kind for pair in pairs.values() for kind in pair} == {"within", "between"}


def test_windows_are_told_in_study_days(drawn):
    alt = drawn[1]["windows"]["alt"]
    assert "Stress (PSS-10): before days \u221230 to 0, after days 26 to 56" in alt
    assert "CTRA: before day 0, after day 56" in alt
    assert "MAIA-2: before day 0, window not stated" in alt
    assert "(day 0 to 56)" in drawn[1]["windows"]["caption"]
