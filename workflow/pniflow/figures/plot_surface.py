"""Estimates at every vertex of the cortical surface; what is significant over the whole map is outlined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.figures import brain, map_words, style
from pniflow.figures.map_words import Tested
from pniflow.imaging.cat12.overlays import read_gifti
from pniflow.imaging.cat12.template import HALVES, VERTICES, map_name

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_VIEWS = (("left", False), ("right", False), ("left", True), ("right", True))


def plot_surface(about: Mapping[str, Any], maps: Path, peaks: pd.DataFrame) -> style.Drawn | str:
    """Draw the estimates of surface models on the inflated cortex, with significant vertices outlined.

    Maps are those in the folder that fit-surface wrote (32k mesh).

    Raises
    ------
    InputError
        A map is absent or on another mesh.
    """
    tests = map_words.tests_of(peaks)
    if not tests:
        return "No model of the cortical surface could be fitted in this study."
    if not any(maps.glob("lh.estimate.resampled_32k.*.gii")):
        return "Maps on the 164k mesh stand in files; no template of that mesh is at hand to draw them."
    shown = [_read(maps, found) for found in tests[: map_words.MOST]]
    people = [int(test.first["n_participants"]) for test in shown]
    words = _words(shown, people, len(tests), about)
    return style.Drawn(_draw(shown, about), *words, n=max(people), keys=[test.key for test in shown])


def _read(maps: Path, rows: Sequence[Mapping[str, Any]]) -> Tested:
    """Read one test's maps; the outline is that of TFCE, else of the largest statistic."""
    model, term = rows[0]["model"], rows[0]["term"]
    values = {side: _values(maps, half, "estimate", model, term) for side, half in HALVES.items()}
    logs = {
        name: {side: _values(maps, half, name, model, term) for side, half in HALVES.items()}
        for name in map_words.CORRECTIONS
        if (maps / _file("lh", name, model, term)).is_file()
    }
    return Tested.of(rows, values, logs)


def _file(half: str, name: str, model: str, term: str) -> str:
    return map_name(half, name, "32k", model, term)


def _values(maps: Path, half: str, name: str, model: str, term: str) -> np.ndarray:
    file = _file(half, name, model, term)
    return read_gifti(maps / file, file, VERTICES["32k"])


def _draw(tests: Sequence[Tested], about: Mapping[str, Any]) -> Figure:
    import matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    colours = matplotlib.colormaps[style.DIVERGING]
    drawn = style.new_figure(style.ONE_COLUMN, 76.0 * len(tests) + 4)
    parts = drawn.subfigures(len(tests), 1, squeeze=False)[:, 0]
    for part, test in zip(parts, tests, strict=True):
        most = test.limit
        norm = Normalize(-most, most, clip=True)
        axes = part.subplots(2, 2).ravel()
        for place, (side, inner) in zip(axes, _VIEWS, strict=True):
            brain.draw_vertices(place, side, test.values[side], test.outlined[side], norm, colours, inner)
            place.set_title(f"{side}, {'inner' if inner else 'outer'} side", size=6, pad=2)
        bar = part.colorbar(
            ScalarMappable(norm, colours),
            ax=list(axes),
            location="bottom",
            fraction=0.05,
            aspect=36,
            pad=0.02,
            extend="both",
        )
        bar.set_label(map_words.scale(test.first, about))
        bar.outline.set_linewidth(0.4)
        part.suptitle(style.wrapped(map_words.heading(test, about), 78), size=7, weight="bold")
    return drawn


def _words(
    tests: Sequence[Tested], people: Sequence[int], fitted: int, about: Mapping[str, Any]
) -> tuple[str, str]:
    """Return the caption and the alternative text."""
    correction = next((test.correction for test in tests if test.correction), "")
    caption = (
        "Estimates at every vertex of the inflated cortical surface, from the models that regions have; the"
        " medial wall is grey. Colours are not thresholded; the scale ends where 0.5 % of the vertices lie"
        " beyond it."
    )
    if correction:
        caption += (
            " Black outlines hold vertices whose family-wise p, over both hemispheres together and by"
            f" permutation of persons ({correction}), is below .05."
        )
    closing, said = map_words.closing(tests, people, fitted, about, "vertices")
    return f"{caption} {closing}", f"Maps of the cortex, both sides of both hemispheres. {said}"
