"""Specification curve: a main estimate under every declared choice, sorted, with the choices below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.figures import style
from pniflow.figures.plot_associations import baseline_spread
from pniflow.figures.plot_paired_change import direction_words
from pniflow.text import labels, numbers, wording
from pniflow.text.estimates import Estimate, Variant, estimates_of, variants_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_KINDS = ("change", "within", "between", "pooled")
_TALLEST = 235.0  # mm, a journal's page
_NAMES, _CURVE_HEIGHT, _ROW = 44.0, 26.0, 3.1  # mm: choices' names, the curve, a choice
_LONGEST = 36  # characters of a choice's name


@dataclass(frozen=True)
class Curve:
    """One estimate under its specifications, sorted by the estimate.

    Attributes
    ----------
    row : Estimate
        The prespecified estimate: a change, or a slope within or between persons or pooled.
    values : array (specifications, 3)
        Estimate, lower and upper end, in SDs of the outcome (slopes: per SD of the predictor).
    choices : list of tuple of str
        What each specification chose; empty for the prespecified one.
    """

    row: Estimate
    values: np.ndarray
    choices: list[tuple[str, ...]]


def plot_specification_curve(
    about: Mapping[str, Any], sensitivity: pd.DataFrame, estimates: pd.DataFrame, measures: pd.DataFrame
) -> style.Drawn | str:
    """Draw main estimates under every declared choice, sorted, with the choices below each.

    Of the changes, slopes within and slopes between persons the one with the most specifications is shown;
    primary and secondary families come first. Estimates are in SDs of the outcome at the first session, so
    that scores with different units can be compared.
    """
    spread = baseline_spread(measures, next(iter(about["sessions"])))
    curves = choose_curves(estimates_of(estimates), variants_of(sensitivity), spread)
    if not curves:
        return "No estimate of this study was fitted under other choices."
    label_texts = list(wording.session_words(about).values())
    heights = [_height(curve) for curve in curves]
    drawn = style.new_figure(style.ONE_COLUMN, 5 + sum(heights))
    wide = style.ONE_COLUMN - _NAMES - 2
    for number, curve in enumerate(curves):
        top, tall = 5 + sum(heights[:number]), _ROW * len(names_of(curve))
        upper = style.axes_at(drawn, _NAMES, top + 9, wide, _CURVE_HEIGHT)
        below = style.axes_at(drawn, _NAMES, top + 11 + _CURVE_HEIGHT, wide, tall)
        _draw_curve(upper, curve, label_texts)
        _draw_choices(below, curve)
    return style.Drawn(
        drawn,
        *_words(curves, label_texts),
        n=max(curve.row.n_participants for curve in curves),
        keys=[curve.row.key for curve in curves],
    )


def choose_curves(
    rows: Sequence[Estimate], variants: Sequence[Variant], spread: Mapping[str, float]
) -> list[Curve]:
    """Return one curve per kind of term: of its estimates the one with the most specifications."""
    others: dict[str, list[Variant]] = {}
    for one in variants:
        if one.choices and np.isfinite(style.ends(one)).all():
            others.setdefault(one.key, []).append(one)
    best: dict[str, tuple[tuple[bool, int], Curve]] = {}
    for row in rows:
        kind, some = row.tested.kind, others.get(row.key)
        if not row.family or not some or kind not in _KINDS or row.estimate is None:
            continue
        curve = _curve(row, some, spread)
        rank = (row.role in ("primary", "secondary"), len(curve.choices))
        if len(curve.choices) > 1 and (kind not in best or rank > best[kind][0]):
            best[kind] = rank, curve
    chosen: list[Curve] = []
    for kind in _KINDS:
        if kind in best and sum(map(_height, chosen)) + _height(best[kind][1]) <= _TALLEST:
            chosen.append(best[kind][1])
    return chosen


def choices_of(choices: str | None) -> tuple[str, ...]:
    """Return the choices that a variant differs in from the prespecified analysis; none if it is no such."""
    return tuple(choices.split(" + ")) if choices else ()


def _curve(row: Estimate, some: Sequence[Variant], spread: Mapping[str, float]) -> Curve:
    found: dict[tuple[str, ...], np.ndarray] = {}
    scale = 1.0 if row.tested.kind == "change" else spread.get(row.tested.of, 1.0)
    for choices, one in [((), row), *((choices_of(one.choices), one) for one in some)]:
        outcome = next((name for name in choices if name in spread), row.outcome)
        factor = scale / spread[outcome] if outcome in spread else np.nan
        found.setdefault(choices, factor * style.ends(one))
    kept = {choices: values for choices, values in found.items() if np.isfinite(values[0])}
    order = sorted(kept, key=lambda choices: kept[choices][0])
    values = np.array([kept[choices] for choices in order]).reshape(-1, 3)
    return Curve(row, values, order)


def names_of(curve: Curve) -> list[str]:
    """Return the choices in a curve: as prespecified, then scores, then samples and terms."""
    found = list(dict.fromkeys(name for choices in curve.choices for name in choices))
    return ["", *sorted(found, key=lambda name: not name.startswith("ctra_"))]


def choice_label(name: str) -> str:
    """Return a choice in words."""
    known = labels.known("variants").get(name)
    label = known["label"] if known else name.replace("_", " ") or "as prespecified"
    return label if len(label) <= _LONGEST else label[: _LONGEST - 1] + "…"


def _height(curve: Curve) -> float:
    return 15 + _CURVE_HEIGHT + _ROW * len(names_of(curve))


def title_of(curve: Curve, sessions: Sequence[str]) -> str:
    """Return what a curve shows."""
    name, term = labels.label(curve.row.outcome).short, curve.row.tested
    if term.kind == "change":
        return f"Change of {name} ({sessions[-1]} minus {sessions[0]})"
    where = {"within": ", within persons", "between": ", between persons"}.get(term.kind, "")
    return f"{name} on {labels.label(term.of).short}{where}"


def _draw_curve(axes: Axes, curve: Curve, sessions: Sequence[str]) -> None:
    place = np.arange(len(curve.choices))
    middle, low, high = curve.values.T
    own = np.array([not choices for choices in curve.choices])
    axes.axhline(0, color=style.GREY, linewidth=0.7, zorder=0)
    width = float(np.clip(60 / len(place), 0.4, 1.2))
    for some, colour, marker, size in ((~own, style.BLUE, "o", 3.0), (own, style.VERMILLION, "D", 4.2)):
        axes.vlines(place[some], low[some], high[some], color=colour, linewidth=width)
        size = min(size, 3 * width + 0.6 + float(some[own].any()))
        axes.plot(place[some], middle[some], marker, color=colour, markersize=size, linestyle="none")
    axes.set(xlim=(-0.6, len(place) - 0.4), xticks=[])
    axes.spines["bottom"].set_visible(False)
    direction = direction_words(curve.row.outcome)
    per = "" if curve.row.tested.kind == "change" else " per SD"
    axes.set_ylabel(f"SD of outcome{per}" + (f"\n({direction})" if direction else ""))
    axes.set_title(style.shortened(title_of(curve, sessions), 52), weight="bold", size=6.8, loc="right")


def _draw_choices(axes: Axes, curve: Curve) -> None:
    names = names_of(curve)
    dots = [
        (place, names.index(name))
        for place, choices in enumerate(curve.choices)
        for name in (choices or ("",))
    ]
    x, y = np.array(dots).T
    own = y == 0
    size = float(np.clip(120 / len(curve.choices), 1.2, 3.6))
    axes.plot(x[~own], y[~own], "s", color=style.BLUE, markersize=size, linestyle="none")
    axes.plot(x[own], y[own], "D", color=style.VERMILLION, markersize=max(size, 3), linestyle="none")
    axes.set_yticks(np.arange(len(names)), [choice_label(name) for name in names], size=style.SMALLEST)
    axes.set(xlim=(-0.6, len(curve.choices) - 0.4), ylim=(len(names) - 0.5, -0.5), xticks=[])
    axes.hlines(
        np.arange(len(names) - 1) + 0.5, -0.6, len(curve.choices) - 0.4, color=style.FAINT, linewidth=0.5
    )
    axes.tick_params(axis="y", length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def _words(curves: Sequence[Curve], sessions: Sequence[str]) -> tuple[str, str]:
    """Return the caption and the alternative text."""
    caption = (
        "Each estimate under the declared choices, sorted, with 95 % intervals, in standard deviations of the"
        " outcome at the first session (slopes: per standard deviation of the predictor). Below: what each"
        " specification chose. Orange diamond: the prespecified analysis."
    )
    if not any(len(choices) > 1 for curve in curves for choices in curve.choices):
        caption += " Each specification differs from it in one choice."
    caption += style.sign(*(curve.row.outcome for curve in curves))
    parts = []
    for curve in curves:
        middle = curve.values[:, 0]
        positive = int((middle > 0).sum())
        parts.append(
            f"{title_of(curve, sessions)}: {numbers.plural(len(middle), 'specification')}, estimates"
            f" {numbers.number(middle.min(), 2)} to {numbers.number(middle.max(), 2)}, {positive} above zero"
        )
    return caption, f"Specification curves. {'; '.join(parts)}."
