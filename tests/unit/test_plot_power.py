"""The figure of the design's power shows the numbers of its table."""

from __future__ import annotations

import made_results
from drawn_figures import draw
from models_data import checks, one_model, study


def test_the_figure_shows_the_tables_numbers(tmp_path):
    """Caption and alternative text carry the effect found in 80 % of draws and the type-I error."""
    models = one_model(["pss10"], ["session"], test={"a_family": ["session"]})
    table = checks(tmp_path, *study(), models)
    about = made_results.write_study(tmp_path)
    words = draw("power", tmp_path, design=tmp_path / "design.tsv", study=about)
    own = table[table["method"] == "kenward_roger"]
    assert f"change {own['detectable_80'].iloc[0]:.2f} SD" in words["caption"]
    assert f"Kenward-Roger {own['rejection'].iloc[0]:.3f}" in words["alt"]
    assert words["n"] == 23 and (tmp_path / "a.png").stat().st_size > 10_000


def test_the_figure_of_several_iccs_joint_tests_and_nothing_to_show(tmp_path):
    """Each ICC has its panel; tests that could not be made are not drawn; none at all make a sentence."""

    def described(folder, data, models, **declared):
        checks(folder, *data, models, **declared)
        about = made_results.write_study(folder)
        return draw("power", folder, design=folder / "design.tsv", study=about)

    fixed = ["session", {"split": "gad7"}]
    models = one_model(["pss10"], fixed, test={"a_family": ["session", "gad7_within"]})
    sessions = ("ses-pre", "ses-post", "ses-fu")
    three = described(tmp_path / "3", study(sessions=sessions), models, icc=[0.2, 0.8])
    assert "ICC 0.2, 0.8" in three["caption"] and "slope within persons" in three["caption"]
    measures, people = study()
    people["age_again"] = people["age"]
    models = one_model(["pss10"], ["session", "age", "age_again"], test={"a_family": ["age_again"]})
    none = described(tmp_path / "0", (measures, people), models)
    assert none["empty"] and none["caption"] == "No test of this study could be simulated."
