"""Standardized changes as a forest: measures with different units on one axis."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pniflow.figures import style
from pniflow.figures.plot_paired_change import with_contrasts
from pniflow.text import labels, numbers, wording
from pniflow.text.estimates import Estimate, estimates_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_MOST = 60
_LOOKS = {  # colour and marker, so that neither alone carries the meaning
    "towards better": (style.BLUE, "o"),
    "towards worse": (style.VERMILLION, "s"),
    "neither is better": (style.GREY, "D"),
}


class Effect(NamedTuple):
    """A change with its effect size and the interval of this."""

    row: Estimate
    size: float
    interval: tuple[float, float]


def plot_standardized_change(
    about: Mapping[str, Any], estimates: pd.DataFrame, diagnostics: pd.DataFrame
) -> style.Drawn | str:
    """Draw the standardized change of every tested measure, with its interval, family by family.

    The intervals of the effect sizes are those of the diagnostics.
    """
    sessions = wording.session_words(about)
    rows = with_contrasts(estimates_of(estimates), list(sessions))
    shown = choose_effects(rows, intervals_of(diagnostics))
    if not shown:
        return "No standardized change between two sessions was computed in this study."
    kinds = list(dict.fromkeys(numbers.effect_kind(one.row.effect_size_kind) for one in shown))
    contrasts = contrasts_shown([one.row for one in shown], sessions)
    outcomes, terms = len({one.row.outcome for one in shown}), len({one.row.term for one in shown})
    drawn = style.new_figure(style.ONE_COLUMN, 26 + 3.7 * outcomes * max(1, 0.6 * terms))
    axes = drawn.subplots()
    draw_effects(axes, shown)
    axes.set_xlabel(style.wrapped(f"{kinds[0]}, {contrasts}", 42, 4))
    people = [one.row.n_participants for one in shown]
    caption = (
        f"Standardized change ({' or '.join(kinds)}), {contrasts}, with 95 % intervals where they"
        " could be computed (one that is shorter than its mark is hidden behind it); lines part the families"
        " of tests. Blue circles: change towards better; orange squares: towards worse; grey diamonds:"
        f" neither direction is better. {numbers.persons(people)}."
        f"{style.sign(*(one.row.outcome for one in shown))}"
    )
    parts = [f"{_name(one.row, sessions)} {numbers.number(one.size, 2)}" for one in shown]
    alt = f"Forest plot of {numbers.plural(len(shown), 'standardized change')}: {', '.join(parts)}."
    return style.Drawn(drawn, caption, alt, n=max(people), keys=[one.row.key for one in shown])


def contrasts_shown(rows: Sequence[Estimate], sessions: Mapping[str, str]) -> str:
    """Return what was subtracted from what; of several sessions also their order within a row."""
    terms = list(dict.fromkeys(row.term for row in rows))
    if len(terms) == 1:
        return wording.predictor(terms[0], sessions)
    names = [
        sessions.get(name, name) or "between two" for name in (wording.term_of(term).of for term in terms)
    ]
    return f"each minus {next(iter(sessions.values()))} (from the top: {', '.join(names)})"


def intervals_of(diagnostics: pd.DataFrame) -> dict[tuple[str, str, str], tuple[float, float]]:
    """Return (model, outcome, term) -> interval of Hedges' g_av."""
    held = diagnostics[(diagnostics["table"] == "effect_sizes") & (diagnostics["quantity"] == "g_av")]
    keys = zip(held["model"], held["outcome"], held["term"], strict=True)
    return dict(zip(keys, zip(held["conf_low"], held["conf_high"], strict=True), strict=True))


def choose_effects(
    rows: Sequence[Estimate], intervals: Mapping[tuple[str, str, str], tuple[float, float]]
) -> list[Effect]:
    """Return changes with an effect size and its interval, in the plan's order; at most sixty measures."""
    chosen: dict[str, dict[str, Effect]] = {}
    for row in rows:
        if row.family and row.tested.kind == "change" and row.effect_size is not None:
            interval = intervals.get((row.model, row.outcome, row.term), (np.nan, np.nan))
            effect = Effect(row, row.effect_size, interval)
            chosen.setdefault(row.outcome, {}).setdefault(row.term, effect)
    return [effect for terms in list(chosen.values())[:_MOST] for effect in terms.values()]


def direction(effect: Effect) -> str:
    """Return whether a change points to the better, to the worse, or neither is known to be better."""
    better = labels.label(effect.row.outcome).better
    if not better or effect.row.outcome.startswith("ctra"):
        return "neither is better"
    return "towards better" if (effect.size > 0) == (better == "higher") else "towards worse"


def draw_effects(axes: Axes, effects: Sequence[Effect]) -> None:
    """Draw the forest, contrasts of a measure below each other, a thin line between families."""
    rows = [effect.row for effect in effects]
    outcomes = list(dict.fromkeys(row.outcome for row in rows))
    terms = list(dict.fromkeys(row.term for row in rows))
    style.forest(axes, [style.row_name(outcome) for outcome in outcomes])
    directions = [direction(effect) for effect in effects]
    aside = np.linspace(-0.26, 0.26, len(terms)) if len(terms) > 1 else np.zeros(1)
    at = [outcomes.index(row.outcome) + aside[terms.index(row.term)] for row in rows]
    handles = {}
    for name, (colour, marker) in _LOOKS.items():
        places = [place for place, of in enumerate(directions) if of == name]
        if places:
            values = [(effects[place].size, *effects[place].interval) for place in places]
            style.intervals(axes, [at[place] for place in places], values, colour, marker, size=3.4)
            handles[name] = axes.lines[-1]
    for before, row in itertools.pairwise(rows):
        if row.family != before.family:
            axes.axhline(outcomes.index(row.outcome) - 0.5, color=style.PALE, linewidth=0.5)
    axes.figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=3,
        columnspacing=1,
        handlelength=1.4,
    )


def _name(row: Estimate, sessions: Mapping[str, str]) -> str:
    """Return a row's measure, of several sessions also which."""
    session = wording.term_of(row.term, len(sessions)).of
    return style.row_name(row.outcome) + (f" at {sessions.get(session, session)}" if session else "")
