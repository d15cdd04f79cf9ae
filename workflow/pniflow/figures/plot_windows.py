"""Recall windows: the study days that each measure looks back on, laid against the intervention."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow import contracts
from pniflow.config import read_study
from pniflow.figures import style
from pniflow.figures.gallery import FIGURES
from pniflow.text import labels, numbers, wording

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE = FIGURES["windows"].title
_COLOURS = (style.BLUE, style.VERMILLION, style.GREEN, style.PURPLE, style.ORANGE, style.SKY)
Row = Mapping[str, Any]


def plot_windows(*, windows: Path, study: Path, figure: Path, image: Path, description: Path) -> None:
    """Draw the days that each instrument and assay looks back on at each session, and the intervention.

    Parameters
    ----------
    windows : Path
        Windows (contract windows).
    study : Path
        study.yaml.
    figure, image, description : Path
        The figure as SVG, as PNG, and its caption as JSON.
    """
    from pniflow.study.recall_windows import intervention_days

    about = read_study(study)
    rows = [
        row
        for row in numbers.records(contracts.read_table(windows, "windows"))
        if numbers.given(row["to_day"])
    ]
    paths = {"figure": figure, "image": image, "description": description}
    if not rows:
        sentence = "No session of this study has a day, so no window can be laid against the intervention."
        style.save_empty(_TITLE, sentence, about["simulated"], **paths)
        return
    during = intervention_days(about)
    sessions = wording.session_words(about)
    measures = list(dict.fromkeys(row["measure"] for row in rows))
    with style.drawing():
        drawn = style.new_figure(
            style.ONE_COLUMN, 26 + 2 * len(sessions) + max(4.6, 1.7 * len(sessions)) * len(measures)
        )
        axes = drawn.subplots()
        _draw_windows(axes, rows, measures, sessions, during)
        style.save(drawn, _describe(rows, measures, sessions, during, about["simulated"]), **paths)


def measure_name(measure: str) -> str:
    """Return a measure's short label; an instrument without a total score goes by its own name."""
    label = labels.label(measure).short
    if label == measure.replace("_", " "):
        key = labels.instrument_key(measure)
        label = re.sub(r"(?<=[A-Z])(?=\d)|_", "-", measure.upper()) if key else label
    return style.shortened(label[:1].upper() + label[1:], 34)


def _draw_windows(
    axes: Axes,
    rows: Sequence[Row],
    measures: Sequence[str],
    sessions: Mapping[str, str],
    during: tuple[float, float],
) -> None:
    if np.isfinite(during).all():
        axes.axvspan(*during, color="#DDEBD9", linewidth=0, zorder=0)
        axes.annotate(
            "intervention", (sum(during) / 2, 1), (0, 2), xycoords=("data", "axes fraction"),
            textcoords="offset points", ha="center", size=6.2,
        )  # fmt: skip
    aside = 0.22 if len(sessions) > 1 else 0.0
    handles = []
    for number, session in enumerate(sessions):
        colour = _COLOURS[number % len(_COLOURS)]
        at = aside * (number - (len(sessions) - 1) / 2) * 2 / max(len(sessions) - 1, 1)
        some = [row for row in rows if row["session_id"] == session]
        place = np.array([measures.index(row["measure"]) + at for row in some])
        end = np.array([row["to_day"] for row in some], dtype=float)
        begin = np.array(
            [np.nan if row["from_day"] is None else row["from_day"] for row in some], dtype=float
        )
        known, long = np.isfinite(begin), np.isfinite(begin) & (begin < end)
        axes.hlines(place[long], begin[long], end[long], color=colour, linewidth=3.2)
        axes.plot(
            end[known & ~long], place[known & ~long], "D", color=colour, markersize=3.4, linestyle="none"
        )
        axes.plot(
            end[~known], place[~known], "o", color=colour, markerfacecolor="white", markersize=3.6,
            linestyle="none",
        )  # fmt: skip
        handles.append(axes.plot([], [], color=colour, linewidth=3.2)[0])
    grey: dict[str, Any] = {"color": style.GREY, "markersize": 3.5, "linestyle": "none"}
    handles.append(axes.plot([], [], "D", **grey)[0])
    handles.append(axes.plot([], [], "o", markerfacecolor="white", **grey)[0])
    label_texts = [*(style.shortened(label) for label in sessions.values()), "a moment", "window not stated"]
    columns = 4 if sum(len(label) for label in label_texts) < 50 else 2
    axes.figure.legend(handles, label_texts, loc="outside lower center", ncols=columns, columnspacing=1)
    axes.set_yticks(np.arange(len(measures)), [measure_name(measure) for measure in measures])
    axes.set_ylim(len(measures) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=style.FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel("study day")


def _describe(
    rows: Sequence[Row],
    measures: Sequence[str],
    sessions: Mapping[str, str],
    during: tuple[float, float],
    simulated: bool,
) -> dict[str, Any]:
    span = f" (day {during[0]:g} to {during[1]:g})" if np.isfinite(during).all() else ""
    caption = (
        "Days that each measure looks back on at each session (bars); diamonds: a moment; open circles: the"
        f" measure states no window. The band is the intervention{span}. A window that begins before the"
        " intervention also holds days without it."
    )
    parts = []
    for measure in measures:
        per = {row["session_id"]: row for row in rows if row["measure"] == measure}
        texts = [f"{label} {_days(per[name])}" for name, label in sessions.items() if name in per]
        parts.append(f"{measure_name(measure)}: {', '.join(texts)}")
    alt = f"Windows of {numbers.plural(len(measures), 'measure')} in study days. {'; '.join(parts)}."
    return style.describe(
        title=_TITLE, caption=caption, alt=alt, n=len(measures), keys=[], simulated=simulated
    )


def _days(row: Row) -> str:
    begin, end = row["from_day"], row["to_day"]
    if begin is None:
        return f"day {numbers.number(end, 0)}, window not stated"
    if begin == end:
        return f"day {numbers.number(end, 0)}"
    return f"days {numbers.number(begin, 0)} to {numbers.number(end, 0)}"
