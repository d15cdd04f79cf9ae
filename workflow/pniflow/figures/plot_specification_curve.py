"""Specification curve: a main estimate under every declared choice, sorted, with the choices below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow import contracts
from pniflow.config import read_study
from pniflow.figures import style
from pniflow.figures.gallery import FIGURES
from pniflow.figures.plot_associations import baseline_spread
from pniflow.figures.plot_paired_change import direction_words
from pniflow.text import labels, numbers, wording

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE = FIGURES["specification_curve"].title
_KINDS = ("change", "within", "between", "pooled")
_TALLEST = 235.0  # mm, a journal's page
_NAMES, _CURVE_HEIGHT, _ROW = 44.0, 26.0, 3.1  # mm: choices' names, the curve, a choice
_LONGEST = 36  # characters of a choice's name
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Curve:
    """One estimate under its specifications, sorted by the estimate.

    Attributes
    ----------
    row : mapping
        The prespecified row of the estimates.
    kind : str
        change, within, between or pooled.
    predictor : str
        Predictor of a slope.
    values : array (specifications, 3)
        Estimate, lower and upper end, in SDs of the outcome (slopes: per SD of the predictor).
    choices : list of tuple of str
        What each specification chose; empty for the prespecified one.
    """

    row: Row
    kind: str
    predictor: str
    values: np.ndarray
    choices: list[tuple[str, ...]]


def plot_specification_curve(
    *,
    sensitivity: Path,
    estimates: Path,
    measures: Path,
    study: Path,
    figure: Path,
    image: Path,
    description: Path,
) -> None:
    """Draw main estimates under every declared choice, sorted, with the choices below each.

    Of the changes, slopes within and slopes between persons the one with the most specifications is shown;
    primary and secondary families come first. Estimates are in SDs of the outcome at the first session, so
    that scores with different units can be compared.

    Parameters
    ----------
    sensitivity : Path
        Sensitivity (contract sensitivity).
    estimates : Path
        Estimates (contract estimates).
    measures : Path
        Measures (contract measures).
    study : Path
        study.yaml.
    figure, image, description : Path
        The figure as SVG, as PNG, and its caption and keys as JSON.
    """
    about = read_study(study)
    rows = wording.estimate_rows(contracts.read_table(estimates, "estimates"))
    variants = numbers.records(contracts.read_table(sensitivity, "sensitivity"))
    spread = baseline_spread(contracts.read_table(measures, "measures"), next(iter(about["sessions"])))
    curves = choose_curves(rows, variants, spread)
    paths = {"figure": figure, "image": image, "description": description}
    if not curves:
        sentence = "No estimate of this study was fitted under other choices."
        style.save_empty(_TITLE, sentence, about["simulated"], **paths)
        return
    label_texts = list(wording.session_words(about).values())
    heights = [_height(curve) for curve in curves]
    with style.drawing():
        drawn = style.new_figure(style.ONE_COLUMN, 5 + sum(heights))
        for number, curve in enumerate(curves):
            top = 5 + sum(heights[:number])
            upper = style.axes_at(drawn, _NAMES, top + 9, style.ONE_COLUMN - _NAMES - 2, _CURVE_HEIGHT)
            below = style.axes_at(
                drawn, _NAMES, top + 11 + _CURVE_HEIGHT, style.ONE_COLUMN - _NAMES - 2,
                _ROW * len(names_of(curve)),
            )  # fmt: skip
            _draw_curve(upper, curve, label_texts)
            _draw_choices(below, curve)
        style.save(drawn, _describe(curves, label_texts, about["simulated"]), **paths)


def choose_curves(rows: Sequence[Row], variants: Sequence[Row], spread: Mapping[str, float]) -> list[Curve]:
    """Return one curve per kind of term: of its estimates the one with the most specifications."""
    others: dict[tuple[str, str, str], list[tuple[tuple[str, ...], Row]]] = {}
    for one in variants:
        choices = choices_of(one)
        if choices and all(numbers.given(one[name]) for name in ("estimate", "conf_low", "conf_high")):
            others.setdefault((one["model"], one["outcome"], one["term"]), []).append((choices, one))
    best: dict[str, tuple[tuple[bool, int], Curve]] = {}
    for row in rows:
        term = wording.row_term(row)
        some = others.get((row["model"], row["outcome"], row["term"]), [])
        if not row.get("family") or not some or term.kind not in _KINDS or not numbers.given(row["estimate"]):
            continue
        curve = _curve(row, term, some, spread)
        rank = (row["role"] in ("primary", "secondary"), len(curve.choices))
        if len(curve.choices) > 1 and (term.kind not in best or rank > best[term.kind][0]):
            best[term.kind] = rank, curve
    chosen: list[Curve] = []
    for kind in _KINDS:
        if kind in best and sum(map(_height, chosen)) + _height(best[kind][1]) <= _TALLEST:
            chosen.append(best[kind][1])
    return chosen


def choices_of(variant: Row) -> tuple[str, ...]:
    """Return the choices that a variant differs in from the prespecified analysis; none if it is no such."""
    return tuple(variant["choices"].split(" + ")) if numbers.given(variant["choices"]) else ()


def _curve(
    row: Row,
    term: wording.TestedTerm,
    some: Sequence[tuple[tuple[str, ...], Row]],
    spread: Mapping[str, float],
) -> Curve:
    found: dict[tuple[str, ...], list[float]] = {}
    scale = 1.0 if term.kind == "change" else spread.get(term.of, 1.0)
    for choices, one in [((), row), *some]:
        outcome = next((name for name in choices if name in spread), row["outcome"])
        factor = scale / spread[outcome] if outcome in spread else np.nan
        ends = [
            one[name] if numbers.given(one[name]) else np.nan
            for name in ("estimate", "conf_low", "conf_high")
        ]
        found.setdefault(choices, [factor * end for end in ends])
    kept = {choices: values for choices, values in found.items() if np.isfinite(values[0])}
    order = sorted(kept, key=lambda choices: kept[choices][0])
    values = np.array([kept[choices] for choices in order]).reshape(-1, 3)
    return Curve(row, term.kind, term.of, values, order)


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
    name = labels.label(curve.row["outcome"]).short
    if curve.kind == "change":
        return f"Change of {name} ({sessions[-1]} minus {sessions[0]})"
    where = {"within": ", within persons", "between": ", between persons"}.get(curve.kind, "")
    return f"{name} on {labels.label(curve.predictor).short}{where}"


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
    direction = direction_words(curve.row["outcome"])
    per = "" if curve.kind == "change" else " per SD"
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


def _describe(curves: Sequence[Curve], sessions: Sequence[str], simulated: bool) -> dict[str, Any]:
    caption = (
        "Each estimate under the declared choices, sorted, with 95 % intervals, in standard deviations of the"
        " outcome at the first session (slopes: per standard deviation of the predictor). Below: what each"
        " specification chose. Orange diamond: the prespecified analysis."
    )
    if not any(len(choices) > 1 for curve in curves for choices in curve.choices):
        caption += " Each specification differs from it in one choice."
    sign = labels.sign_note(*(curve.row["outcome"] for curve in curves))
    caption += f" {sign[0].upper()}{sign[1:]}." if sign else ""
    parts = []
    for curve in curves:
        middle = curve.values[:, 0]
        positive = int((middle > 0).sum())
        parts.append(
            f"{title_of(curve, sessions)}: {numbers.plural(len(middle), 'specification')}, estimates"
            f" {numbers.number(middle.min(), 2)} to {numbers.number(middle.max(), 2)}, {positive} above zero"
        )
    return style.describe(
        title=_TITLE,
        caption=caption,
        alt=f"Specification curves. {'; '.join(parts)}.",
        n=max(int(curve.row["n_participants"]) for curve in curves),
        keys=[curve.row["key"] for curve in curves],
        simulated=simulated,
    )
