"""Power and type-I error of the study's own design, from the simulated design checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.figures import style
from pniflow.text import numbers, wording

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_OWN = ("kenward_roger", "satterthwaite", "ols_t")
_KINDS = {  # name, colour, marker: neither colour nor marker alone carries the meaning
    "change": ("change", style.BLUE, "o"),
    "within": ("slope within persons", style.VERMILLION, "s"),
    "between": ("slope between persons", style.GREEN, "^"),
    "other": ("pooled and other terms", style.GREY, "D"),
}
_METHODS = {
    "kenward_roger": ("Kenward-Roger", "full"),
    "satterthwaite": ("Satterthwaite", "full"),
    "ols_t": ("t of least squares", "full"),
    "sign_flip": ("sign flips", "left"),
    "wald_z": ("Wald z", "none"),
}
_MOST = 3  # panels of power, one for each ICC

Row = Mapping[str, Any]


def plot_power(about: Mapping[str, Any], design: pd.DataFrame) -> style.Drawn | str:
    """Draw power against effect and type-I error of the prespecified tests."""
    made = design.dropna(subset=["rejection"])
    kinds = [kind_of(term, len(about["sessions"])) for term in made["term"]]
    rows = numbers.records(made.assign(kind=kinds))
    if not rows:
        return "No test of this study could be simulated."
    panels = list(dict.fromkeys(row["icc"] for row in rows if numbers.given(row["icc"])))[:_MOST] or [None]
    heights = [58] * len(panels) + [70]
    drawn = style.new_figure(style.ONE_COLUMN, 4 + sum(heights))
    axes = drawn.subplots(len(heights), 1, height_ratios=heights)
    for panel, icc in zip(axes, panels, strict=False):
        _draw_power(panel, [row for row in rows if icc is None or row["icc"] == icc])
        panel.set_title("Power" if icc is None else f"Power, ICC {icc:g}", loc="left")
    _draw_errors(axes[-1], rows)
    _name_marks(axes[-1], rows)
    return style.Drawn(drawn, *_words(rows), n=max(row["n_participants"] for row in rows))


def kind_of(term: str, sessions: int) -> str:
    """Return what a tested term is: change, within, between or other."""
    kind = wording.term_of(term, sessions).kind
    return kind if kind in _KINDS else "other"


def power_lines(rows: Sequence[Row]) -> dict[tuple[int, str], list[tuple[float, float]]]:
    """Return (design, term) -> effects and rejections of the study's own method, in order of effect."""
    lines: dict[tuple[int, str], list[tuple[float, float]]] = {}
    for row in rows:
        if row["method"] in _OWN:
            lines.setdefault((row["design"], row["term"]), []).append((row["effect"], row["rejection"]))
    return {key: sorted(points) for key, points in lines.items()}


def detectable(rows: Sequence[Row]) -> dict[tuple[str, str], tuple[float, float]]:
    """Return (kind, unit) -> smallest and largest effect found in 80 % of draws by the study's own method."""
    found: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row["method"] in _OWN and numbers.given(row["detectable_80"]):
            found.setdefault((row["kind"], row["effect_unit"]), []).append(row["detectable_80"])
    return {key: (min(values), max(values)) for key, values in found.items()}


def _draw_power(axes: Axes, rows: Sequence[Row]) -> None:
    kinds = {(row["design"], row["term"]): row["kind"] for row in rows}
    for key, points in power_lines(rows).items():
        _, colour, marker = _KINDS[kinds[key]]
        axes.plot(*zip(*points, strict=True), marker, linestyle="-", color=colour, markersize=2.6,
                  linewidth=0.7, alpha=0.6)  # fmt: skip
    level = max(row["alpha"] for row in rows)
    for share, name, side in ((0.8, "80 %", "left"), (level, "level", "right")):  # where no curve runs
        axes.axhline(share, color=style.GREY, linewidth=0.6, linestyle=(0, (4, 3)), zorder=0)
        axes.annotate(name, (side == "right", share), (2 if side == "left" else 0, 0),
                      xycoords=("axes fraction", "data"), textcoords="offset points", ha=side, va="bottom",
                      size=style.SMALLEST, color=style.GREY)  # fmt: skip
    axes.set(ylim=(0, 1.02), xlim=(0, None), xlabel="Effect (SD of the outcome; slopes: per SD of the term)")
    axes.set_ylabel("Share of simulated\noutcomes found")


def _draw_errors(axes: Axes, rows: Sequence[Row]) -> None:
    null = [row for row in rows if row["effect"] == 0]
    kinds = [kind for kind in _KINDS if any(row["kind"] == kind for row in null)]
    methods = [method for method in _METHODS if any(row["method"] == method for row in null)]
    alpha, error = max(row["alpha"] for row in null), max(row["mc_error"] for row in null)
    axes.axvspan(alpha - 2 * error, alpha + 2 * error, color="#E6E8EA", linewidth=0, zorder=0)
    axes.axvline(alpha, color=style.GREY, linewidth=0.6, zorder=0)
    for place, kind in enumerate(kinds):
        for method in methods:
            shares = [row["rejection"] for row in null if row["kind"] == kind and row["method"] == method]
            height = place + 0.22 * (methods.index(method) - (len(methods) - 1) / 2)
            _, colour, marker = _KINDS[kind]
            look: dict[str, Any] = {"color": colour, "markersize": 4, "markeredgewidth": 0.7, "alpha": 0.7}
            heights = np.full(len(shares), height)
            axes.plot(shares, heights, marker, linestyle="none", fillstyle=_METHODS[method][1], **look)
    names = [_KINDS[kind][0].replace(" persons", "\npersons").replace(" other", "\nother") for kind in kinds]
    axes.set_yticks(np.arange(len(kinds)), names)
    axes.set(ylim=(len(kinds) - 0.4, -0.6), xlim=(0, None))
    axes.set(xlabel="Share found where there is nothing")
    axes.set_title("Type-I error", loc="left")
    axes.tick_params(axis="y", length=0)


def _name_marks(axes: Axes, rows: Sequence[Row]) -> None:
    """Write below both panels which colour and mark is which test, and how a mark is filled for a method."""
    kinds = [kind for kind in _KINDS if any(row["kind"] == kind for row in rows)]
    methods = [name for name in _METHODS if any(row["method"] == name and row["effect"] == 0 for row in rows)]
    marks = [
        axes.plot([], [], _KINDS[kind][2], linestyle="-", color=_KINDS[kind][1], markersize=3.5)[0]
        for kind in kinds
    ]
    marks += [
        axes.plot([], [], "o", color=style.BLACK, markersize=4, fillstyle=_METHODS[name][1],
                  markeredgewidth=0.7, linestyle="none")[0]
        for name in methods
    ]  # fmt: skip
    names = [*(_KINDS[kind][0] for kind in kinds), *(_METHODS[name][0] for name in methods)]
    axes.figure.legend(marks, names, loc="outside lower center", ncols=2, columnspacing=1.5)


def _words(rows: Sequence[Row]) -> tuple[str, str]:
    """Return the caption and the alternative text."""
    own = next(row["method"] for row in rows if row["method"] in _OWN)
    iccs = sorted({row["icc"] for row in rows if numbers.given(row["icc"])})
    draws = max(row["draws"] for row in rows)
    parts = []
    for (kind, unit), (low, high) in detectable(rows).items():
        size = (
            numbers.number(low)
            if round(low, 2) == round(high, 2)
            else f"{numbers.number(low)} to {numbers.number(high)}"
        )
        parts.append(f"{_KINDS[kind][0]} {size} {'SD per SD' if 'per SD' in unit else 'SD'}")
    errors = {
        name: [row["rejection"] for row in rows if row["effect"] == 0 and row["method"] == name]
        for name in (own, "wald_z")
    }
    level = ", ".join(
        f"{_METHODS[name][0]} {numbers.number(np.mean(shares), 3)}"
        for name, shares in errors.items()
        if shares
    )
    found = f"Found in 80 % of draws ({_METHODS[own][0]}): {'; '.join(parts) or 'not known'}."
    persons = numbers.persons([row["n_participants"] for row in rows])
    caption = (
        "Above: how often the prespecified tests find an effect of a declared size, one line for each design "
        "and term, with the people, visits and covariates of this study and simulated outcomes"
        + (f" (ICC {', '.join(f'{icc:g}' for icc in iccs)})" if iccs else "")
        + f". {found} Below: how often they reject where there is no effect (on average {level}); the band "
        f"is two Monte-Carlo errors of {draws} draws. Tests are not adjusted for their family, and no "
        f"observed effect enters. {persons[0].upper()}{persons[1:]}."
    )
    alt = f"Curves of power against effect and dots of type-I error. {found} Type-I error: {level}."
    return caption, alt
