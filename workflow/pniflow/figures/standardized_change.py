"""Standardized changes as a forest: measures with different units on one axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow import files, words
from pniflow.config import read_study
from pniflow.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE = "Standardized change of each measure"
_MOST = 60
_LOOKS = {  # colour and marker, so that neither alone carries the meaning
    "towards better": (style.BLUE, "o"),
    "towards worse": (style.VERMILLION, "s"),
    "neither is better": (style.GREY, "D"),
}


def plot_standardized_change(
    *, estimates: Path, diagnostics: Path, study: Path, figure: Path, image: Path, description: Path
) -> None:
    """Draw the standardized change of every tested measure, with its interval, family by family.

    Parameters
    ----------
    estimates : Path
        Estimates (contract estimates).
    diagnostics : Path
        Diagnostics (contract diagnostics), which hold the intervals of the effect sizes.
    study : Path
        study.yaml.
    figure, image, description : Path
        The figure as SVG, as PNG, and its caption and keys as JSON.
    """
    about = read_study(study)
    rows = words.estimate_rows(files.read_table(estimates, "estimates"))
    table = files.read_table(diagnostics, "diagnostics")
    shown = choose_effects(rows, intervals_of(words.records(table)), len(about["sessions"]))
    paths = {"figure": figure, "image": image, "description": description}
    if not shown:
        sentence = "No standardized change between two sessions was computed in this study."
        style.save_empty(_TITLE, sentence, about["simulated"], **paths)
        return
    labels = list(words.session_words(about).values())
    with style.drawing():
        drawn = style.new_figure(style.ONE_COLUMN, 18 + 3.9 * len(shown))
        axes = drawn.subplots()
        draw_effects(axes, shown)
        kind = words.effect_kind(shown[0]["effect_size_kind"])
        axes.set_xlabel(f"{kind}, {labels[-1]} minus {labels[0]}")
        style.save(drawn, _describe(shown, labels, about["simulated"]), **paths)


def intervals_of(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], tuple[float, float]]:
    """Return (model, outcome) -> interval of Hedges' g_av, from the rows of diagnostics."""
    return {
        (row["model"], row["outcome"]): (row["conf_low"], row["conf_high"])
        for row in rows
        if row["table"] == "effect_sizes" and row["quantity"] == "g_av"
    }


def choose_effects(
    rows: Sequence[Mapping[str, Any]], intervals: Mapping[tuple[str, str], tuple[float, float]], sessions: int
) -> list[dict[str, Any]]:
    """Return tested changes with an effect size and its `interval`, in the plan's order, at most sixty."""
    chosen: dict[str, dict[str, Any]] = {}
    for row in rows:
        change = words.term_of(row["term"], sessions).kind == "change"
        if row.get("family") and change and words.given(row["effect_size"]):
            interval = intervals.get((row["model"], row["outcome"]), (np.nan, np.nan))
            chosen.setdefault(row["outcome"], {**row, "interval": interval})
    return list(chosen.values())[:_MOST]


def direction(row: Mapping[str, Any]) -> str:
    """Return whether a change points to the better, to the worse, or neither is known to be better."""
    better = words.label(row["outcome"]).better
    if not better or row["outcome"].startswith("ctra"):
        return "neither is better"
    up = row["effect_size"] > 0
    return "towards better" if up == (better == "higher") else "towards worse"


def draw_effects(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw the forest, a thin line between families."""
    style.forest(axes, [style.row_name(row["outcome"]) for row in rows])
    directions = [direction(row) for row in rows]
    handles = {}
    for name, (colour, marker) in _LOOKS.items():
        places = [place for place, of in enumerate(directions) if of == name]
        if places:
            values = [(rows[place]["effect_size"], *rows[place]["interval"]) for place in places]
            style.intervals(axes, places, values, colour, marker)
            handles[name] = axes.lines[-1]
    for place in range(1, len(rows)):
        if rows[place]["family"] != rows[place - 1]["family"]:
            axes.axhline(place - 0.5, color=style.PALE, linewidth=0.5)
    axes.legend(
        handles.values(),
        handles.keys(),
        loc="lower center",
        bbox_to_anchor=(0.4, 1),
        ncols=3,
        columnspacing=1,
        handlelength=1.4,
    )


def _describe(rows: Sequence[Mapping[str, Any]], labels: Sequence[str], simulated: bool) -> dict[str, Any]:
    kinds = " or ".join(dict.fromkeys(words.effect_kind(row["effect_size_kind"]) for row in rows))
    people = [int(row["n_participants"]) for row in rows]
    caption = (
        f"Standardized change ({labels[-1]} minus {labels[0]}; {kinds}) with 95 % intervals"
        " where they"
        " could be computed; lines part the families of tests. Blue circles: change towards better; orange"
        " squares:"
        f" towards worse; grey diamonds: neither direction is better. {words.persons(people)}."
    )
    sign = words.sign_note(*(row["outcome"] for row in rows))
    caption += f" {sign[0].upper()}{sign[1:]}." if sign else ""
    parts = [f"{words.label(row['outcome']).short} {words.number(row['effect_size'], 2)}" for row in rows]
    return style.describe(
        title=_TITLE,
        caption=caption,
        alt=f"Forest plot of {words.plural(len(rows), 'standardized change')}: {', '.join(parts)}.",
        n=max(people),
        keys=[row["key"] for row in rows],
        simulated=simulated,
    )
