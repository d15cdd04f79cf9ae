"""The figure of sample quality shows every sample, and names those with a flag."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from drawn_figures import draw
from pniflow.figures.plot_samples import flag_lines, flagged

pytestmark = pytest.mark.xdist_group("figures")
CARRIED = [
    "sample_id", "participant_id", "session_id", "batch", "label", "format", "library_size", "detected_genes",
    "top_gene", "top_gene_share", "globin_share", "reference_level", "profile_correlation",
    "female_minus_male_genes", "sex_expressed", "sex_recorded", "b_cell_level", "b_cell_depletion",
    "own_distance", "other_distance", "other_participant", "flags",
]  # fmt: skip


def quality(people=6, **changes):
    """Sample quality of people at two sessions."""
    count = 2 * people
    table = pd.DataFrame(
        {
            "sample_id": [f"s{n}" for n in range(count)],
            "participant_id": np.repeat([f"p{n}" for n in range(people)], 2),
            "session_id": ["ses-pre", "ses-post"] * people,
            "library_size": np.linspace(5e6, 12e6, count),
            "detected_genes": np.arange(count) + 15000,
            "top_gene_share": np.linspace(0.02, 0.08, count),
            "reference_level": np.linspace(100, 140, count),
            "profile_correlation": np.linspace(0.96, 0.99, count),
        }
    ).assign(**changes)
    table = table.reindex(columns=[*CARRIED, *(set(changes) - set(CARRIED))])
    return table.astype({"flags": object})


def drawn(folder: Path, table: pd.DataFrame) -> dict:
    folder.mkdir(exist_ok=True)
    table.to_csv(folder / "q.tsv", sep="\t", index=False)
    sessions = {"ses-pre": {"label": "before"}, "ses-post": {"label": "after"}}
    study = {"title": "t", "simulated": True, "sessions": sessions}
    (folder / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    return draw("samples", folder, "f", sample_quality=folder / "q.tsv", study=folder / "study.yaml")


def test_the_description_says_how_many_and_in_which_range(tmp_path):
    table = quality()
    table.loc[3, "flags"] = "outlying library size"
    about = drawn(tmp_path, table)
    assert about["n"] == 6
    assert "12 blood samples" in about["caption"]
    assert "library size (million reads) 5 to 12" in about["alt"]
    assert "share of the most expressed gene (%) 2 to 8" in about["alt"]
    assert "mean of the reference genes (per million) 100 to 140" in about["alt"]
    assert about["alt"].endswith("Samples with a flag: 1.")
    assert about["simulated"]


def test_a_flag_is_drawn_in_its_own_colour(tmp_path):
    def red(folder):
        pixels = np.asarray(Image.open(folder / "f.png").convert("RGB"), dtype=int)
        return (np.abs(pixels - [0xD5, 0x5E, 0x00]).sum(axis=2) < 12).sum()

    drawn(tmp_path / "none", quality())
    table = quality()
    table.loc[3, "flags"] = "outlying share of one gene; sex differs from the record"
    drawn(tmp_path / "one", table)
    assert red(tmp_path / "none") == 0
    assert red(tmp_path / "one") > 50


def test_flags_go_to_the_measure_they_speak_of():
    table = pd.DataFrame({"flags": ["outlying profile; outlying library size", None, "outlying profile"]})
    assert list(flagged(table, ["outlying profile"])) == [True, False, True]
    assert list(flagged(table, ["outlying library size"])) == [True, False, False]


def test_flagged_samples_are_named_with_what_is_notable():
    table = quality()
    assert flag_lines(table) == ["No flag on any of 12 samples."]
    table.loc[[0, 5], "flags"] = ["nearer to another participant", "outlying profile"]
    assert flag_lines(table) == ["s0: nearer to another participant", "s5: outlying profile"]
    table["flags"] = "outlying profile"
    assert flag_lines(table)[-1] == "and 4 more samples (sample_quality.tsv)"


def test_an_excluded_sample_is_counted_and_not_drawn(tmp_path):
    table = quality(excluded=[None] * 11 + ["RNA degraded"])
    table.loc[11, ["library_size", "detected_genes", "top_gene_share", "reference_level"]] = np.nan
    about = drawn(tmp_path, table)
    assert "11 blood samples" in about["caption"]
    assert "1 sample that the study excludes is not shown" in about["caption"]


def test_log2_data_show_what_there_is(tmp_path):
    blank = dict.fromkeys(["library_size", "detected_genes", "top_gene_share"], np.nan)
    about = drawn(tmp_path, quality(**blank))
    assert "library size" not in about["alt"]
    assert "mean of the reference genes 100 to 140" in about["alt"]
    nothing = dict.fromkeys([*blank, "reference_level", "profile_correlation"], np.nan)
    assert drawn(tmp_path, quality(**nothing))["empty"]


def test_the_figure_has_the_same_bytes_on_every_run(tmp_path):
    drawn(tmp_path / "a", quality())
    drawn(tmp_path / "b", quality())
    for name in ("f.svg", "f.png", "f.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
