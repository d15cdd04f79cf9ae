"""The figure of voxels: estimates through the peak, an outline where the map differs, words that say so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import map_studies as made
from drawn_figures import draw
from pniflow.maps.fit_voxels import fit_voxels

STUDY = "title: a study\nsessions: {ses-pre: {label: before}, ses-post: {label: after}}\n"


def tables(folder: Path, effect: float, **change: str) -> dict[str, Path]:
    files = made.volumes(folder, 12, effect)
    if change:
        files["models"].write_text(files["models"].read_text().replace("gm_volume", "wm_volume"))
    fit_voxels(**files, permutations=60)
    (folder / "study.yaml").write_text(STUDY)
    return {"voxel_maps": files["maps"], "voxel_peaks": files["peaks"]}


@pytest.mark.parametrize("effect", [0.5, 0.0])
def test_an_effect_is_outlined_and_seen_through_the_glass(tmp_path: Path, effect: float) -> None:
    given = tables(tmp_path, effect)
    about = draw("voxels", tmp_path, study=tmp_path / "study.yaml", **given)
    assert about["keys"] == ["change/gm_volume/session"]
    assert about["n"] == 12
    again = draw("voxels", tmp_path, "b", study=tmp_path / "study.yaml", **given)
    for kind in ("figure", "image"):
        assert (tmp_path / about[kind]).read_bytes() == (tmp_path / again[kind]).read_bytes()
    assert "(after minus before)" in about["alt"]
    assert ("family-wise p is below .05 at" in about["alt"]) == bool(effect)
    assert ("none of the voxels is shown to differ" in about["alt"]) == (not effect)
    with Image.open(tmp_path / about["image"]) as image:
        red = np.asarray(image.convert("RGB")).astype(int)
    low = red[int(len(red) * 0.47) : int(len(red) * 0.78)]  # the glass brain
    assert ((low[..., 0] - low[..., 2] > 60).sum() > 50) == bool(effect)


def test_a_figure_without_a_map_says_why(tmp_path: Path) -> None:
    about = draw("voxels", tmp_path, study=tmp_path / "study.yaml", **tables(tmp_path, 0.0, of="wm_volume"))
    says = "No model of grey-matter images could be fitted in this study."
    assert (about["empty"], about["caption"]) == (True, says)
