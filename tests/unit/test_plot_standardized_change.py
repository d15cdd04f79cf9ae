"""Standardized changes with their intervals, towards better or worse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import made_results as made
from drawn_figures import draw
from pniflow.contracts import write_table
from pniflow.figures.plot_standardized_change import (
    choose_effects,
    direction,
    intervals_of,
)
from pniflow.text.estimates import estimates_of

pytestmark = pytest.mark.xdist_group("figures")


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
        estimates_of(pd.DataFrame(rows)),
        intervals_of(pd.DataFrame([{**interval, "conf_low": -0.9, "conf_high": -0.1}])),
    )
    assert [effect.row.outcome for effect in shown] == ["pss10", "mhc_sf", "ctra"]
    assert shown[0].interval == (-0.9, -0.1)
    assert np.isnan(shown[1].interval).all()
    assert [direction(effect) for effect in shown] == ["towards better", "towards worse", "neither is better"]


SESSIONS = {"ses-pre": {"label": "before"}, "ses-post": {"label": "after"}, "ses-fu": {"label": "later"}}


def test_standardized_changes_of_three_sessions_are_drawn(tmp_path):
    rows = made.three_sessions()
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
    own = dict.fromkeys(("adjust", "participant_number", "lacking_data", "lacking_measure"))
    table = pd.DataFrame([interval], columns=list(columns)).assign(**own)
    write_table(table, tmp_path / "diagnostics.tsv", "diagnostics")
    study = made.write_study(tmp_path, sessions=SESSIONS)
    tables = {name: tmp_path / f"{name}.tsv" for name in ("estimates", "diagnostics")}
    about = draw("standardized_change", tmp_path, study=study, **tables)
    assert about["keys"] == ["change/pss10/session[ses-post]", "change/pss10/session[ses-fu]"]
    assert "Stress (PSS-10) at after \u22120.96, Stress (PSS-10) at later \u22120.86" in about["alt"]
    assert "each minus before (from the top: after, later)" in about["caption"]
