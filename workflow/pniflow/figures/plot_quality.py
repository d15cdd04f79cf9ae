"""What there is of each participant at each session, and the image quality of the scans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.figures import style
from pniflow.figures.gallery import FIGURES
from pniflow.text import labels, numbers, wording

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_FEW = 60  # with more participants their names are not written


def plot_quality(about: Mapping[str, Any], measures: pd.DataFrame, participants: pd.DataFrame) -> style.Drawn:
    """Draw which measures each participant has at each session, and the quality mark of each scan."""
    sessions = wording.session_words(about)
    people = list(participants["participant_id"])
    domains = [name for name in labels.DOMAINS if name in set(measures["domain"])]
    share = shares(measures, people, list(sessions), domains)
    marks = measures[measures["measure"] == ("siqr" if (measures["measure"] == "siqr").any() else "iqr")]
    under = 1.35 * max(map(len, sessions.values())) if _is_crowded(domains, list(sessions.values())) else 0
    heights = [30 + min(2.6 * len(people), 150) + under] + [44] * bool(len(marks))
    drawn = style.new_figure(style.ONE_COLUMN, sum(heights))
    upper, *lower = drawn.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    _draw_shares(upper, share, people, domains, list(sessions.values()))
    for axes in lower:
        _draw_marks(axes, marks, sessions)
    title = f"{FIGURES['quality'].title} and quality of the scans" if len(marks) else ""
    words = _words(share, people, domains, sessions, len(marks))
    return style.Drawn(drawn, *words, n=len(people), title=title)


def shares(
    table: pd.DataFrame, people: Sequence[str], sessions: Sequence[str], domains: Sequence[str]
) -> np.ndarray:
    """Return the share of a domain's measures that a participant has at a session.

    Returns
    -------
    array (people, domains, sessions)
        0 where there is none; of the measures that anyone has.
    """
    there = table.dropna(subset=["value"])
    total = there.groupby("domain")["measure"].nunique()
    result = np.zeros((len(people), len(domains), len(sessions)))
    person = {name: place for place, name in enumerate(people)}
    columns = (there[name] for name in ("participant_id", "domain", "session_id"))
    for (who, domain, session), count in Counter(zip(*columns, strict=True)).items():
        if who in person and session in sessions and domain in domains:
            place = person[who], domains.index(domain), sessions.index(session)
            result[place] = count / total[domain]
    return result


def _is_crowded(domains: Sequence[str], sessions: Sequence[str]) -> bool:
    """Return True where the sessions' labels do not fit beside each other, once for each branch."""
    return len(domains) * sum(len(session) + 1 for session in sessions) > 62


def _draw_shares(
    axes: Axes, share: np.ndarray, people: Sequence[str], domains: Sequence[str], sessions: Sequence[str]
) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    # A little is told from nothing at a glance: colours begin well below white.
    colours = LinearSegmentedColormap.from_list("share", ["#CFE3F2", "#7DB8DE", style.BLUE]).with_extremes(
        under="#FFFFFF"
    )
    flat = share.reshape(len(people), -1)
    picture = axes.imshow(flat, cmap=colours, vmin=1e-9, vmax=1, aspect="auto", interpolation="nearest")
    axes.set_xticks(
        np.arange(flat.shape[1]),
        [style.shortened(text, 20) for text in sessions] * len(domains),
        rotation=90 if _is_crowded(domains, sessions) else 0,
        size=style.SMALLEST,
    )
    for place in range(len(domains) + 1):
        axes.axvline(place * len(sessions) - 0.5, color=style.BLACK, linewidth=0.6)
    for place, name in enumerate(domains):
        where = ((place + 0.5) / len(domains), 1)
        axes.annotate(
            labels.DOMAINS[name], where, (0, 2), xycoords="axes fraction", textcoords="offset points",
            ha="center", weight="bold", size=style.SMALLEST,
        )  # fmt: skip
    if len(people) <= _FEW:
        axes.set_yticks(np.arange(len(people)), list(people), size=style.SMALLEST)
        lines = np.arange(len(people) + 1) - 0.5
        axes.hlines(lines, -0.5, flat.shape[1] - 0.5, color=style.FAINT, linewidth=0.3)
    else:
        axes.set_yticks([])
        axes.set_ylabel(f"{len(people)} persons")
    axes.tick_params(length=0)
    bar = axes.figure.colorbar(picture, ax=axes, location="bottom", fraction=0.03, aspect=40, pad=0.02)
    bar.set_ticks([1e-9, 0.5, 1], labels=["a little", "half", "all"])
    bar.set_label("of the branch's measures are there (white: none)")
    bar.outline.set_linewidth(0.4)


def _draw_marks(axes: Axes, marks: pd.DataFrame, sessions: Mapping[str, str]) -> None:
    """Draw each scan's quality mark, a person's scans joined."""
    from matplotlib.collections import LineCollection

    wide = marks.pivot(index="participant_id", columns="session_id", values="value").reindex(
        columns=list(sessions)
    )
    x, values = np.arange(len(sessions), dtype=float), wide.to_numpy(dtype=float)
    paths = [np.column_stack([x, line])[np.isfinite(line)] for line in values]
    alpha = float(np.clip(25 / max(len(paths), 1), 0.1, 0.8))
    axes.add_collection(LineCollection(paths, colors=style.GREY, linewidths=0.5, alpha=alpha))
    axes.plot(x, values.T, ".", color=style.GREY, markersize=3, alpha=alpha)
    axes.set_xticks(x, [style.wrapped(text, 70 / len(sessions)) for text in sessions.values()])
    axes.set_xlim(-0.4, len(sessions) - 0.6)
    axes.invert_yaxis()
    axes.set_ylabel(f"{labels.label(str(marks['measure'].iloc[0])).short}\n(1 best, 6 worst)")


def _words(
    share: np.ndarray, people: Sequence[str], domains: Sequence[str], sessions: Mapping[str, str], scans: int
) -> tuple[str, str]:
    """Return the caption and the alternative text."""
    caption = (
        "Each row is a participant, each column a branch at a session; the darker, the more of the branch's"
        " measures are"
        " there; white where there is none."
    )
    if scans:
        caption += (
            f" Below: CAT12's quality mark of {numbers.plural(scans, 'scan')} in use, higher up is better."
        )
    some = (share > 0).sum(axis=0)
    parts = []
    for place, domain in enumerate(domains):
        counts = [f"{label}: {some[place, at]}" for at, label in enumerate(sessions.values())]
        parts.append(f"{labels.DOMAINS[domain]} {', '.join(counts)}")
    grid = f"Grid of {numbers.plural(len(people), 'participant')} by branch and session."
    return caption, f"{grid} With data: {'; '.join(parts)}."
