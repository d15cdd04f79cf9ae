"""Estimates at every vertex of the cortical surface; what is significant over the whole map is outlined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.figures import brain, style
from pniflow.imaging.cat12.overlays import read_gifti
from pniflow.imaging.cat12.template import HALVES, VERTICES, map_name
from pniflow.text import labels, numbers, wording

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_MOST = 3  # tests drawn, a page of one column; further ones stand in the tables and files
_LEVEL = 0.05
_VIEWS = (("left", False), ("right", False), ("left", True), ("right", True))
_CORRECTIONS = {"logp_tfce": "threshold-free cluster enhancement", "logp_fwe": "max-T"}


@dataclass(frozen=True)
class Tested:
    """One test.

    Attributes
    ----------
    rows : list of mapping
        Of the peaks table, the largest statistic first.
    values, outlined : mapping of str to array
        Estimates, and what is outlined, by side.
    found : mapping of str to (int, float)
        Correction in words -> vertices with p below .05, and the smallest p; the outlined one first.
    """

    rows: Sequence[Mapping[str, Any]]
    values: Mapping[str, np.ndarray]
    outlined: Mapping[str, np.ndarray]
    found: Mapping[str, tuple[int, float]]

    @property
    def first(self) -> Mapping[str, Any]:
        """The row of the largest statistic."""
        return self.rows[0]

    @property
    def key(self) -> str:
        """model/outcome/term."""
        return f"{self.first['model']}/{self.first['outcome']}/{self.first['term']}"

    @property
    def correction(self) -> str:
        """What is outlined, in words; empty where nothing was permuted."""
        return next(iter(self.found), "")


def plot_surface(about: Mapping[str, Any], maps: Path, peaks: pd.DataFrame) -> style.Drawn | str:
    """Draw the estimates of surface models on the inflated cortex, with significant vertices outlined.

    Maps are those in the folder that fit-surface wrote (32k mesh).

    Raises
    ------
    InputError
        A map is absent or on another mesh.
    """
    tests: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in numbers.records(peaks):
        tests.setdefault((row["model"], row["outcome"], row["term"]), []).append(row)
    if not tests:
        return "No model of the cortical surface could be fitted in this study."
    if not any(maps.glob("lh.estimate.resampled_32k.*.gii")):
        return "Maps on the 164k mesh stand in files; no template of that mesh is at hand to draw them."
    shown = [_read(maps, found) for found in list(tests.values())[:_MOST]]
    people = [int(test.first["n_participants"]) for test in shown]
    words = _words(shown, people, len(tests), about)
    return style.Drawn(_draw(shown, about), *words, n=max(people), keys=[test.key for test in shown])


def _read(maps: Path, rows: Sequence[Mapping[str, Any]]) -> Tested:
    """Read one test's maps; the outline is that of TFCE, else of the largest statistic."""
    model, term = rows[0]["model"], rows[0]["term"]
    values = {side: _values(maps, half, "estimate", model, term) for side, half in HALVES.items()}
    outlined: dict[str, np.ndarray] = {side: np.zeros(len(part), dtype=bool) for side, part in values.items()}
    found: dict[str, tuple[int, float]] = {}
    for name, words_of in _CORRECTIONS.items():
        if not (maps / _file("lh", name, model, term)).is_file():
            continue
        size = {side: np.abs(_values(maps, half, name, model, term)) for side, half in HALVES.items()}
        below = {side: part > -np.log10(_LEVEL) for side, part in size.items()}  # NaN is not
        outlined = outlined if found else below
        smallest = 10 ** -max(float(np.nanmax(part)) for part in size.values())
        found[words_of] = (int(sum(part.sum() for part in below.values())), smallest)
    return Tested(rows, values, outlined, found)


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
        given = np.concatenate([np.abs(side[np.isfinite(side)]) for side in test.values.values()])
        most = float(np.quantile(given, 0.995)) or 1.0
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
        bar.set_label(_scale(test.first, about))
        bar.outline.set_linewidth(0.4)
        part.suptitle(style.wrapped(_heading(test, about), 78), size=7, weight="bold")
    return drawn


def _question(row: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Return what a test asks ("change of thickness (after minus before)")."""
    outcome = numbers.inside(labels.label(row["outcome"]).long)
    sessions = list(wording.session_words(about).values())
    term = wording.term_of(row["term"], len(sessions))
    if term.kind == "change":
        return f"change of {outcome} ({sessions[-1]} minus {sessions[0]})"
    if term.kind in ("within", "between"):
        return f"{outcome} on {labels.label(term.of).short} ({term.kind} persons)"
    return f"{outcome} on {labels.label(term.of).short}"


def _heading(test: Tested, about: Mapping[str, Any]) -> str:
    question = _question(test.first, about)
    what = "no family-wise p"
    if test.found:
        count, _ = test.found[test.correction]
        what = "outlined: family-wise p < .05" if count else "family-wise p at least .05 everywhere"
    return f"{question[0].upper()}{question[1:]}; {what}"


def _scale(row: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    unit = labels.label(row["outcome"]).unit
    term = wording.term_of(row["term"], len(about["sessions"]))
    per = "" if term.kind == "change" else f" per unit of {labels.label(term.of).short}"
    sign = "\nhigher CTRA = more adverse" if term.of.startswith("ctra") else ""
    return f"estimate{', ' if unit else ''}{unit}{per} (blue: less, red: more){sign}"


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
    caption += f" {numbers.persons(people)}."
    if fitted > len(tests):
        caption += f" The first {len(tests)} of {fitted} tests; all stand in the tables."
    predictors = [wording.term_of(test.first["term"]).of for test in tests]
    caption += style.sign(*(name for name in predictors if name))
    said = [_said(test, about) for test in tests]
    return caption, " ".join(["Maps of the cortex, both sides of both hemispheres.", *said])


def _said(test: Tested, about: Mapping[str, Any]) -> str:
    """Return a test's result in words."""
    row = test.first
    where = f"the {row['hemisphere']} hemisphere" + (f" ({row['region']})" if row["region"] else "")
    parts = [
        f"by {name} family-wise p is below .05 at {count} of {int(row['elements'])} vertices"
        if count
        else f"by {name} no vertex is shown to differ (smallest family-wise {numbers.p_phrase(smallest)})"
        for name, (count, smallest) in test.found.items()
    ] or ["no family-wise p"]
    largest = f"the largest statistic, t = {numbers.number(row['statistic'])}, lies in {where}"
    question = _question(row, about)
    return f"{question[0].upper()}{question[1:]}: {'; '.join([*parts, largest])}."
