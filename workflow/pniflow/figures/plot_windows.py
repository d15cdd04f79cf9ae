"""Recall windows: the study days that each measure looks back on, laid against the intervention."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.figures import style
from pniflow.text import labels, numbers, wording

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_COLOURS = (style.BLUE, style.VERMILLION, style.GREEN, style.PURPLE, style.ORANGE, style.SKY)
Row = Mapping[str, Any]


def plot_windows(about: Mapping[str, Any], windows: pd.DataFrame) -> style.Drawn | str:
    """Draw the days that each instrument and assay looks back on at each session, and the intervention."""
    from pniflow.study.recall_windows import intervention_days

    rows = numbers.records(windows.dropna(subset=["to_day"]))
    if not rows:
        return "No session of this study has a day, so no window can be laid against the intervention."
    during = intervention_days(about)
    sessions = wording.session_words(about)
    measures = list(dict.fromkeys(row["measure"] for row in rows))
    drawn = style.new_figure(
        style.ONE_COLUMN, 26 + 2 * len(sessions) + max(4.6, 1.7 * len(sessions)) * len(measures)
    )
    _draw_windows(drawn.subplots(), rows, measures, sessions, during)
    return style.Drawn(drawn, *_words(rows, measures, sessions, during), n=len(measures))


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
        begin = np.array([row["from_day"] for row in some], dtype=float)  # NaN where there is none
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


def _words(
    rows: Sequence[Row], measures: Sequence[str], sessions: Mapping[str, str], during: tuple[float, float]
) -> tuple[str, str]:
    """Return the caption and the alternative text."""
    band = ""
    if np.isfinite(during).all():
        band = f" The band is the intervention (day {during[0]:g} to {during[1]:g})."
    caption = (
        "Days that each measure looks back on at each session (bars); diamonds: a moment; open circles: the"
        f" measure states no window.{band} A window that begins before the intervention also holds days"
        " without it."
    )
    parts = []
    for measure in measures:
        per = {row["session_id"]: row for row in rows if row["measure"] == measure}
        texts = [f"{label} {_days(per[name])}" for name, label in sessions.items() if name in per]
        parts.append(f"{measure_name(measure)}: {', '.join(texts)}")
    counted = numbers.plural(len(measures), "measure")
    return caption, f"Windows of {counted} in study days. {'; '.join(parts)}."


def _days(row: Row) -> str:
    begin, end = row["from_day"], row["to_day"]
    if begin is None:
        return f"day {numbers.number(end, 0)}, window not stated"
    if begin == end:
        return f"day {numbers.number(end, 0)}"
    return f"days {numbers.number(begin, 0)} to {numbers.number(end, 0)}"
