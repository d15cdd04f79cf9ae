"""The figure of maps says why there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

import map_studies as made
from drawn_figures import draw
from pniflow.maps.fit_surface import fit_surface


@pytest.mark.parametrize(("fitted", "says"), [
    (False, "No model of the cortical surface could be fitted in this study."),
    (True, "Maps on the 164k mesh stand in files; no template of that mesh is at hand to draw them."),
])  # fmt: skip
def test_a_figure_without_a_map_says_why(tmp_path: Path, fitted: bool, says: str) -> None:
    models = [made.change() if fitted else made.change(surface="gyrification")]
    files = made.surfaces(tmp_path, 12, models)
    fit_surface(**files, permutations=19)
    (tmp_path / "study.yaml").write_text("title: a study\nsessions: {ses-pre: {}, ses-post: {}}\n")
    tables = {name: files[name] for name in ("maps", "peaks")}
    about = draw("surface", tmp_path, study=tmp_path / "study.yaml", **tables)
    assert (about["empty"], about["caption"], about["keys"]) == (True, says, [])
