"""Associations as forests: slopes within persons and between persons stand apart, pooled ones below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pniflow.figures import style
from pniflow.figures.plot_paired_change import direction_words
from pniflow.text import labels, numbers
from pniflow.text.estimates import Estimate, estimates_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_KINDS = {
    "within": "Within persons\n(session to\nsession)",
    "between": "Between\npersons\n(their means)",
    "pooled": "Pooled\n(all sessions\ntogether)",
}
_COLOURS = {"within": style.BLUE, "between": style.VERMILLION, "pooled": style.GREY}


def plot_associations(
    about: Mapping[str, Any], estimates: pd.DataFrame, measures: pd.DataFrame | None = None
) -> style.Drawn | str:
    """Draw the tested slopes of all outcomes that are no brain regions, within and between persons apart.

    With measures slopes are drawn per standard deviation of the predictor at the first session, so that
    predictors with different units can be compared.
    """
    shown = choose_slopes(estimates_of(estimates))
    made = [row for row in shown if row.estimated]
    if not made:
        return "No association was fitted in this study."
    scale: dict[str, float] = {}
    units: dict[str, str] = {}
    if measures is not None:
        scale, units = baseline_spread(measures, next(iter(about["sessions"]))), labels.units_of(measures)
    blocks = {  # the predictors of each outcome
        outcome: list(dict.fromkeys(row.tested.of for row in shown if row.outcome == outcome))
        for outcome in dict.fromkeys(row.outcome for row in shown)
    }
    heights = [len(predictors) for predictors in blocks.values()]
    drawn = style.new_figure(style.ONE_COLUMN, 6 + 28 * len(blocks) + 4.0 * sum(heights))
    kinds = [kind for kind in _KINDS if any(row.tested.kind == kind for row in shown)]
    grid = drawn.subplots(len(blocks), len(kinds), sharex="row", height_ratios=heights, squeeze=False)
    for line, (outcome, predictors) in zip(grid, blocks.items(), strict=True):
        for axes, kind in zip(line, kinds, strict=True):
            part = [row for row in shown if row.outcome == outcome and row.tested.kind == kind]
            draw_forest(axes, part, predictors, scale, _COLOURS[kind], named=kind == kinds[0])
            axes.set_title(_KINDS[kind], weight="bold", size=6.5)
            style.few_ticks(axes, 62 / len(kinds))
        line[len(kinds) // 2].set_xlabel(_axis_label(outcome, units, bool(scale)))
    people = [row.n_participants for row in made]
    words = _words(shown, list(blocks), people, bool(scale))
    return style.Drawn(drawn, *words, n=max(people), keys=[row.key for row in shown])


def choose_slopes(rows: Sequence[Estimate]) -> list[Estimate]:
    """Return tested slopes of outcomes that are no region groups."""
    return [
        row for row in rows
        if row.family and row.tested.kind in _KINDS and not labels.region_of(row.outcome)
    ]  # fmt: skip


def baseline_spread(measures: pd.DataFrame, session: str) -> dict[str, float]:
    """Return measure -> standard deviation over persons at one session (ddof 1)."""
    spread = measures[measures["session_id"] == session].groupby("measure")["value"].std(ddof=1)
    return {str(name): float(value) for name, value in spread.items() if value > 0}


def draw_forest(
    axes: Axes,
    rows: Sequence[Estimate],
    predictors: Sequence[str],
    scale: Mapping[str, float],
    colour: str,
    named: bool,
) -> None:
    """Draw estimates and intervals, one line per predictor; filled where the adjusted p is below .05."""
    style.forest(axes, [style.row_name(name) for name in predictors])
    axes.tick_params(axis="y", labelleft=named)
    places = [predictors.index(row.tested.of) for row in rows]
    values = [scale.get(row.tested.of, 1.0) * style.ends(row) for row in rows]
    ps = [row.p_value if row.p_adjusted is None else row.p_adjusted for row in rows]
    style.intervals(axes, places, values, colour, filled=[p is not None and p < 0.05 for p in ps])


def _axis_label(outcome: str, units: Mapping[str, str], scaled: bool) -> str:
    label = labels.label(outcome)
    unit = labels.unit_of(outcome, units)
    unit = f" ({unit})" if unit else ""
    direction = f"\n{direction_words(outcome)}" if direction_words(outcome) else ""
    text = f"{label.short}{unit} per {'baseline SD' if scaled else 'unit'} of the predictor"
    return f"{style.wrapped(text, 72)}{direction}"


def _words(
    rows: Sequence[Estimate], outcomes: Sequence[str], people: Sequence[int], scaled: bool
) -> tuple[str, str]:
    """Return the caption and the alternative text."""
    per = (
        "per standard deviation of the predictor at the first session"
        if scaled
        else "per unit of the predictor"
    )
    named = ", ".join(labels.label(outcome).long for outcome in outcomes)
    pooled = ""
    if any(row.tested.kind == "pooled" for row in rows):
        pooled = " Pooled: one slope over all sessions, which mixes the two."
    lost = "" if all(row.estimated for row in rows) else " No marker: not estimable."
    caption = (
        f"Slopes of {named} on each predictor, {per}, with 95 % confidence intervals. Within persons: does a"
        " session with more of the predictor than the person's own mean have more of the outcome? Between"
        " persons: do persons with a higher mean have more of the outcome?"
        f"{pooled} Filled: adjusted p below .05.{lost} {numbers.persons(people)}.{style.sign(*outcomes)}"
    )
    main = [row for row in rows if row.role != "exploratory" or len(rows) <= 12]
    alt = " ".join(
        f"{labels.label(row.outcome).short} on {labels.label(row.tested.of).short},"
        f" {row.tested.kind}: {_numbers(row)}."
        for row in main
    )
    lead = f"Forest plot of {numbers.plural(len(rows), 'slope')} with intervals."
    if main and len(main) < len(rows):
        lead += f" The {len(main)} of the main families, per unit of the predictor:"
    return caption, f"{lead} {alt}".strip()


def _numbers(row: Estimate) -> str:
    if not row.estimated:
        return "not estimable"
    decimals = numbers.decimals_for(row.std_error, row.conf_low, row.conf_high)
    middle, low, high = (numbers.number(end, decimals) for end in style.ends(row))
    return f"{middle} ({low} to {high}) per unit"
