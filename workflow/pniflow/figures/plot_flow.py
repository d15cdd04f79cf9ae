"""Participants from enrolment to what can be used, branch by branch, counted from the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.figures import style
from pniflow.modalities import BRANCHES
from pniflow.text import wording

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_NAMES, _LINE, _LAST = 23.0, 11.0, 12.0  # mm: names of branches, height of a branch, last column
_WORDED = 3  # sessions whose boxes have room for words
_COURSE = ("course completed", "course not completed")
_LEFT = ("people left out", "all", "")
Counts = Mapping[tuple[str, str, str], int]


def plot_flow(about: Mapping[str, Any], flow: pd.DataFrame) -> style.Drawn:
    """Draw how many participants were enrolled, assessed and usable, in each branch at each session."""
    counts = counts_of(flow)
    sessions = wording.session_words(about)
    branches = [name for name in BRANCHES if any(branch == name for _, branch, _ in counts)]
    width, height = style.ONE_COLUMN, _first(sessions) + _LINE * len(branches)
    drawn = style.new_figure(width, height + 4)
    axes = drawn.add_subplot()
    axes.set(xlim=(0, width), ylim=(height, 0))  # millimetres
    axes.set_axis_off()
    _draw_all(axes, counts, branches, sessions, width)
    enrolled = counts.get(("enrolled", "all", ""), 0)
    return style.Drawn(drawn, *_words(counts, branches, sessions), n=enrolled)


def counts_of(flow: pd.DataFrame) -> dict[tuple[str, str, str], int]:
    """Return (step, branch, session or "") -> participants, of counts that were recorded; rules together."""
    counts: dict[tuple[str, str, str], int] = {}
    known = flow.dropna(subset=["n"])
    for step, branch, session, n in zip(
        known["step"], known["branch"], known["session_id"].fillna(""), known["n"], strict=True
    ):
        counts[step, branch, session] = counts.get((step, branch, session), 0) + int(n)
    return counts


def _draw_all(
    axes: Axes, counts: Counts, branches: Sequence[str], sessions: Mapping[str, str], width: float
) -> None:
    """Draw the participants on top, then a line per branch: each session, and who is there at each."""
    lines = [f"Enrolled: {counts.get(('enrolled', 'all', ''), 0)}"]
    if _LEFT in counts:
        lines.insert(0, f"left out: {counts[_LEFT]}")
    for step in _COURSE:
        if (step, "all", "") in counts:
            lines.append(f"{step}: {counts[step, 'all', '']}")
    several = len(sessions) > 1
    wide = (width - _NAMES - _LAST * several) / len(sessions)
    across = _NAMES + (np.arange(len(sessions)) + 0.5) * wide
    narrow, first = len(sessions) > _WORDED, _first(sessions)
    names = [
        style.shortened(label, 9) if narrow else style.wrapped(label, wide, 2) for label in sessions.values()
    ]
    if several:
        across, names = np.append(across, width - _LAST / 2), [*names, "every\nsession"]
    axes.plot(
        across[[0, 0]], [6, first + _LINE * (len(branches) - 1)], color=style.GREY, linewidth=0.7, zorder=0
    )
    _box(axes, across[0], 6, "\n".join(lines), style.BLACK)
    for place, (x, name) in enumerate(zip(across, names, strict=True)):
        axes.text(
            x, first - 8.5 - 2 * narrow, name, ha="center", va="center", weight="bold", zorder=3,
            rotation=90 if narrow and place < len(sessions) else 0,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )  # fmt: skip
    for line, branch in enumerate(branches):
        y = first + _LINE * line
        axes.text(0, y, BRANCHES[branch], ha="left", va="center", weight="bold")
        axes.plot(across[[0, -1]], [y, y], color=style.GREY, linewidth=0.7, zorder=0)
        for x, session in zip(across, sessions, strict=False):
            if text := _told(counts, branch, session, narrow):
                _box(axes, x, y, text, style.BLUE, 0.2 if narrow else 0.4)
        complete = counts.get(("complete", branch, ""))
        if complete is not None and several:
            _box(axes, across[-1], y, str(complete), style.GREEN)


def _told(counts: Counts, branch: str, session: str, narrow: bool) -> str:
    """Return the counts of a branch at a session as lines; nothing where none was assessed."""
    assessed, excluded, usable = (
        counts.get((step, branch, session)) for step in ("assessed", "excluded", "usable")
    )
    if assessed is None:
        return ""
    if narrow:
        return f"{usable}\nof {assessed}"
    left_out = [f"{excluded} excluded"] if excluded else []
    return "\n".join([f"{assessed} assessed", *left_out, f"{usable} usable"])


def _first(sessions: Mapping[str, str]) -> float:
    """Return where the first branch stands, in millimetres; names of many sessions stand upright above it."""
    return 26.0 if len(sessions) <= _WORDED else 33.0


def _box(axes: Axes, x: float, y: float, text: str, colour: str, pad: float = 0.4) -> None:
    frame = {"boxstyle": f"round,pad={pad}", "facecolor": "white", "edgecolor": colour, "linewidth": 0.9}
    axes.text(x, y, text, ha="center", va="center", size=6.2, linespacing=1.25, bbox=frame, zorder=3)


def _words(counts: Counts, branches: Sequence[str], sessions: Mapping[str, str]) -> tuple[str, str]:
    """Return the caption and the alternative text."""
    enrolled = counts.get(("enrolled", "all", ""), 0)
    short = " (written as usable of assessed)" if len(sessions) > _WORDED else ""
    caption = (
        "Participants counted from the data. Assessed: anything was collected at the session; usable: at"
        f" least one value can be analysed{short}; every session: usable at each of them. What was"
        " excluded stands in the list of exclusions."
    )
    parts = []
    for branch in branches:
        per = [
            f"{label}: {counts.get(('usable', branch, name), 0)} of"
            f" {counts.get(('assessed', branch, name), 0)}"
            for name, label in sessions.items()
        ]
        if len(sessions) > 1:
            per.append(f"every session: {counts.get(('complete', branch, ''), 0)}")
        parts.append(f"{BRANCHES[branch]} usable of assessed, {', '.join(per)}")
    left = f", left out by the study before: {counts[_LEFT]}" if _LEFT in counts else ""
    if left:
        caption += " Left out: people whom study.yaml excludes; they are not among the enrolled."
    course = left + "".join(
        f", {step}: {counts[step, 'all', '']}" for step in _COURSE if (step, "all", "") in counts
    )
    return caption, f"Flow diagram. Enrolled: {enrolled}{course}. {'; '.join(parts)}."
