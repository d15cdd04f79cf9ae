"""Change between the sessions: panels, means with intervals, the model's lines."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import made_results as made
from drawn_figures import draw
from pniflow.contracts import write_table
from pniflow.figures.plot_paired_change import (
    choose_outcomes,
    estimate_lines,
    mean_interval,
    with_contrasts,
)
from pniflow.text.estimates import estimates_of

pytestmark = pytest.mark.xdist_group("figures")


def test_three_sessions_and_a_label_full_of_markup(tmp_path):
    hostile = "<script>$\\frac{1}$</script> & ‮ {{ 7*7 }}"
    sessions = {"ses-pre": {"label": hostile}, "ses-post": {}, "ses-fu": {"label": "later"}}
    study = made.write_study(tmp_path, sessions=sessions)
    rows = [made.row("change", "pro_change", "pss10", f"session[ses-{s}]", -2.0, 1.0) for s in ("post", "fu")]
    write_table(pd.DataFrame(rows), tmp_path / "estimates.tsv", "estimates")
    write_table(
        made.measures(5, ("ses-pre", "ses-post", "ses-fu")), tmp_path / "measures.parquet", "measures"
    )
    tables = {"measures": tmp_path / "measures.parquet", "estimates": tmp_path / "estimates.tsv"}
    about = draw("paired_change", tmp_path, study=study, **tables)
    root = ElementTree.parse(tmp_path / "a.svg").getroot()  # noqa: S314 (our own file)
    assert not [part for part in root.iter() if part.tag.endswith("script")]
    assert about["keys"] == ["change/pss10/session[ses-post]", "change/pss10/session[ses-fu]"]


def test_panels_are_the_primary_family_then_the_small_ones():
    rows = [made.row("a", "big", f"m{i}", "session", 1, 1, role="secondary") for i in range(9)]
    rows += [made.row("b", "small", f"s{i}", "session", 1, 1, role="secondary") for i in range(2)]
    rows += [made.row("c", "first", f"p{i}", "session", 1, 1, role="primary") for i in range(6)]
    rows += [made.row("d", "slopes", "p0", "x_within", 1, 1, role="primary")]
    chosen = choose_outcomes(estimates_of(pd.DataFrame(rows)))
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
    about = draw("paired_change", tmp_path, **tables)
    assert about["keys"] == ["change/pss10/session"]
    assert "sessions: F = 1.23; adj. p\u00a0=\u00a0.400, n = 21" in about["alt"]


SESSIONS = {"ses-pre": {"label": "before"}, "ses-post": {"label": "after"}, "ses-fu": {"label": "later"}}


def test_contrasts_follow_their_joint_test_in_the_order_of_time():
    rows = with_contrasts(estimates_of(made.frame(made.three_sessions())), list(SESSIONS))
    assert [row.term for row in rows] == ["session", "session[ses-post]", "session[ses-fu]"]
    assert {(row.family, row.role) for row in rows} == {("f", rows[0].role)}
    lines = estimate_lines(rows, "points", {"ses-pre": "before", "ses-post": "after", "ses-fu": "later"})
    assert lines[0].startswith("after \u22126.40 [")
    assert lines[1].startswith("later \u22125.50 [")
    assert lines[2] == "sessions: F(2, 73.6) = 40.53"
    assert lines[3].startswith("adj. p\u00a0<\u00a0.001")


def test_a_session_tested_alone_has_no_contrasts():
    rows = estimates_of(pd.DataFrame([made.row("change", "f", "pss10", "session", -2.0, 1.0)]))
    assert with_contrasts(rows, list(SESSIONS)) == rows


def test_a_unit_is_that_of_the_data(tmp_path):
    row = made.row("change", "f", "log_hair_cortisol", "session", -0.3, 0.1)
    write_table(pd.DataFrame([row]), tmp_path / "estimates.tsv", "estimates")
    table = made.measures(6)
    table.loc[table["measure"] == "log_hair_cortisol", "unit"] = "ln nmol/l"
    write_table(table, tmp_path / "measures.parquet", "measures")
    tables = {"measures": tmp_path / "measures.parquet", "estimates": tmp_path / "estimates.tsv"}
    alt = draw("paired_change", tmp_path, study=made.write_study(tmp_path), **tables)["alt"]
    assert "Hair cortisol (log): −0.30 [−0.51, −0.09] ln nmol/l" in alt


def test_every_change_that_could_be_estimated_has_a_panel(drawn):
    about = drawn[1]["paired_change"]
    assert set(about["keys"]) == {
        *(f"change_pro/{name}/session" for name in made.SCALES),
        "change_biology/ctra/session",
        "change_biology/log_hair_cortisol/session",
        *(f"change_mri_thickness/{made.INSULA.format('anterior', s)}/session" for s in ("left", "right")),
        *(f"change_mri_volume/{made.VOLUME.format(side)}/session" for side in ("left", "right")),
    }
    assert about["n"] == 23
