"""Paired change: each person's line from session to session, the mean, and the fitted model's estimate."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.figures import style
from pniflow.text import labels, numbers, wording
from pniflow.text.estimates import Estimate, coefficients, estimates_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_PANELS = 12
_BESIDE, _PLOT = 17.5, 26.0  # mm: left of a panel, its height


def plot_paired_change(
    about: Mapping[str, Any], measures: pd.DataFrame, estimates: pd.DataFrame
) -> style.Drawn | str:
    """Draw each person's change, with the mean and the model's estimate, one panel per measure.

    Shown are the outcomes of the primary families and, smallest first, of further families while there are
    at most twelve panels.
    """
    sessions = wording.session_words(about)
    shown = choose_outcomes(with_contrasts(estimates_of(estimates), list(sessions)))
    if not shown:
        return "No change between sessions was fitted in this study."
    values, units = values_of(measures, list(shown), list(sessions))
    nothing = np.full((0, len(sessions)), np.nan)
    above = max(len(fitted(estimate_lines(terms, "", sessions))) for terms in shown.values())
    drawn, panels = panel_grid(len(shown), list(sessions.values()), above)
    for axes, (outcome, terms) in zip(panels, shown.items(), strict=True):
        draw_panel(axes, outcome, values.get(outcome, nothing), terms, sessions, units.get(outcome))
    keys = [row.key for terms in shown.values() for row in terms]
    return style.Drawn(drawn, *_words(shown, units, sessions), n=most_persons(values), keys=keys)


def panel_grid(count: int, sessions: Sequence[str], above: int) -> tuple[Figure, list[Axes]]:
    """Return a figure of one column's width with panels, two beside each other where there are few sessions.

    Places are set in millimetres: matplotlib's own layout would take a third of the time.

    Parameters
    ----------
    above : int
        Lines of text above a panel.
    """
    columns = 1 if len(sessions) > 4 else min(2, count)
    lines = -(-count // columns)
    longest = max(len(style.shortened(label)) for label in sessions)
    under = 4 + 1.35 * longest if is_crowded(sessions) else 5.0
    over = 5.5 + 2.7 * max(above, 1)
    wide, tall = style.ONE_COLUMN / columns, over + _PLOT + under
    drawn = style.new_figure(style.ONE_COLUMN, 5 + tall * lines)
    places = [
        (place % columns * wide + _BESIDE, 5 + place // columns * tall + over) for place in range(count)
    ]
    return drawn, [style.axes_at(drawn, x, y, wide - _BESIDE - 2, _PLOT) for x, y in places]


def is_crowded(sessions: Sequence[str]) -> bool:
    """Return True where the sessions' labels do not fit beside each other under a panel."""
    return sum(len(session) for session in sessions) > 20


def values_of(
    table: pd.DataFrame, measures: Sequence[str], sessions: Sequence[str]
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return measure -> values (people, sessions), and measure -> unit, in the order of `measures`."""
    table = table[table["measure"].isin(list(measures)) & table["session_id"].isin(list(sessions))]
    people = sorted(table["participant_id"].unique())
    values = {}
    for name in measures:
        part = table[table["measure"] == name]
        if part["value"].notna().any():
            wide = part.pivot(index="participant_id", columns="session_id", values="value")
            values[name] = wide.reindex(index=people, columns=list(sessions)).to_numpy(dtype=float)
    return values, labels.units_of(table)


def with_contrasts(rows: Sequence[Estimate], sessions: Sequence[str]) -> list[Estimate]:
    """Return the rows, each joint test of three or more sessions followed by its contrasts in time's order.

    The contrasts take the joint test's family and role; their own p-values belong to no family.
    """
    known = coefficients(rows, sessions)
    parts = {
        row.key: [replace(one, family=row.family, role=row.role) for one in known[row.key] if not one.family]
        for row in rows
        if row.family and row.tested.kind == "joint"
    }
    moved = {one.key for some in parts.values() for one in some}
    others = [row for row in rows if row.key not in moved]
    return [one for row in others for one in (row, *parts.get(row.key, ()))]


def is_change(row: Estimate) -> bool:
    """Return True for a tested change that could be estimated, between two sessions or over several."""
    return bool(row.family) and row.tested.kind in ("change", "joint") and row.estimated


def choose_outcomes(rows: Sequence[Estimate]) -> dict[str, list[Estimate]]:
    """Return outcome -> its tested change rows: primary families, then further ones, smallest first."""
    families: dict[str, dict[str, list[Estimate]]] = {}
    roles: dict[str, int] = {}
    for row in filter(is_change, rows):
        family = str(row.family)
        families.setdefault(family, {}).setdefault(row.outcome, []).append(row)
        rank = {"primary": 0, "secondary": 1}.get(str(row.role), 2)
        roles[family] = min(rank, roles.get(family, 2))
    order = sorted(families, key=lambda family: (roles[family], len(families[family]) * (roles[family] > 0)))
    chosen: dict[str, list[Estimate]] = {}
    for family in order:
        if chosen and roles[family] and len(chosen.keys() | families[family].keys()) > _MOST_PANELS:
            break
        for outcome, terms in families[family].items():
            chosen.setdefault(outcome, terms)
    return dict(list(chosen.items())[: 2 * _MOST_PANELS])


def mean_interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of each column and half the width of its 95 % t interval (missing left out).

    Parameters
    ----------
    values : array (people, sessions)

    Returns
    -------
    mean, half : array (sessions,)
        NaN where there are no values, half NaN below two.
    """
    there = np.isfinite(values)
    n = there.sum(axis=0)
    total = np.where(there, values, 0.0).sum(axis=0)
    mean = np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0)
    squares = (np.where(there, values - mean, 0.0) ** 2).sum(axis=0)
    variance = np.divide(squares, n - 1, out=np.full(n.shape, np.nan), where=n > 1)
    quantile = np.array([style.t_quantile(max(int(count) - 1, 1)) for count in n])
    return mean, quantile * np.sqrt(np.divide(variance, n, out=np.full(n.shape, np.nan), where=n > 1))


def draw_panel(
    axes: Axes,
    outcome: str,
    values: np.ndarray,
    terms: Sequence[Estimate],
    sessions: Mapping[str, str],
    unit: str | None,
) -> None:
    """Draw one measure: pale lines of persons, mean with 95 % interval, the estimate above."""
    about = labels.label(outcome)
    draw_persons(axes, values)
    lines = fitted(estimate_lines(terms, "", sessions)) if terms else []  # the unit stands at the axis
    style.head(axes, f"{about.short[:1].upper()}{about.short[1:]}", lines)
    crowded = is_crowded(list(sessions.values()))
    axes.set_xticks(
        np.arange(len(sessions)),
        [style.shortened(text) for text in sessions.values()],
        rotation=90 if crowded else 0,
    )
    axes.set_xlim(-0.4, len(sessions) - 0.6)
    axes.set_ylabel(with_direction(unit or about.unit or "value", outcome))


def draw_persons(axes: Axes, values: np.ndarray) -> None:
    """Draw each person's line from session to session, and the mean with its 95 % interval.

    Parameters
    ----------
    values : array (people, sessions)
        NaN where a person has no value.
    """
    from matplotlib.collections import LineCollection

    x = np.arange(values.shape[1], dtype=float)
    some = values[np.isfinite(values).any(axis=1)]
    complete = some[np.isfinite(some).sum(axis=1) > 1]
    paths = [np.column_stack([x, line])[np.isfinite(line)] for line in complete]
    heavy = len(paths) > style.MOST_VECTOR_LINES
    alpha = float(np.clip(25 / max(len(paths), 1), 0.08, 0.8))
    axes.add_collection(
        LineCollection(paths, colors=style.GREY, linewidths=0.5, alpha=alpha, rasterized=heavy)
    )
    where, height = np.nonzero(np.isfinite(some.T))[0], some.T[np.isfinite(some.T)]
    axes.plot(where, height, ".", color=style.GREY, markersize=2, alpha=alpha, rasterized=heavy)
    mean, half = mean_interval(values)
    aside = x + (np.where(x == 0, -0.16, 0.16) if len(x) <= 3 else 0)
    axes.plot(aside, mean, color=style.BLUE, linewidth=0.8, linestyle=(0, (3, 2)), zorder=3)
    axes.errorbar(
        aside, mean, yerr=half, fmt="o", color=style.BLUE, markersize=3.5, linewidth=1.3, capsize=2, zorder=4
    )


def with_direction(text: str, outcome: str) -> str:
    """Return the words at an axis with the direction, broken so that a line is no longer than a panel."""
    first, equal, second = direction_words(outcome).partition(" = ")
    if not first:
        return style.wrapped(text, 25)
    short = style.wrapped(text, 25, 1)
    return f"{short}, {first} =\n{second}" if equal else f"{short},\n{first}"


def direction_words(outcome: str) -> str:
    """Return which direction is which, for the axis."""
    if outcome.startswith("ctra"):
        return "higher = more adverse"
    if outcome in labels.CTRA_COMPONENTS:
        return "higher = more expression"
    better = labels.label(outcome).better
    return f"{better} is better" if better else ""


def estimate_lines(
    terms: Sequence[Estimate], unit: str, sessions: Mapping[str, str] | None = None
) -> list[str]:
    """Return the text above a panel: for each contrast estimate and interval, a joint F, then p and n."""
    lines, joint = [], []
    for row in terms:
        if row.estimate is None:
            if row.statistic is not None:
                df = f"({row.df_numerator}, {numbers.number(row.df, 1)})" if row.df_numerator else ""
                joint.append(f"sessions: F{df} = {numbers.number(row.statistic, 2)}")
            continue
        decimals = numbers.decimals_for(row.std_error, row.conf_low, row.conf_high)
        middle, low, high = (numbers.number(end, decimals) for end in style.ends(row))
        term = wording.term_of(row.term)
        label = (sessions or {}).get(term.of) or term.of.removeprefix("ses-")
        lead = f"{style.shortened(label, 9)} " if term.kind == "change" and term.of else ""
        reach = f" [{low}, {high}]" if numbers.given(row.conf_low) else ""
        lines.append(f"{lead}{middle}{reach} {unit}".rstrip())
    tested = terms[0] if joint else terms[-1]
    if tested.p_value is None:
        p = "no test"
    elif tested.p_adjusted is None:
        p = numbers.p_phrase(tested.p_value)
    else:
        p = numbers.p_phrase(tested.p_adjusted, "adj. p")
    return [*lines, *joint, f"{p}, n = {tested.n_participants}"]


def fitted(lines: Sequence[str]) -> list[str]:
    """Return lines of text no longer than a panel is wide; an interval is not broken."""
    whole = [re.sub(r"\[(\S+) (\S+)\]", rf"[\1{numbers.NBSP}\2]", line) for line in lines]
    return [part for line in whole for part in textwrap.wrap(line, 30, subsequent_indent="   ")]


def above_words(terms: Sequence[Sequence[Estimate]], sessions: Mapping[str, str]) -> str:
    """Return what the text above the panels holds."""
    rows = [row for some in terms for row in some]
    first, *later = sessions.values()
    change = f"{later[0]} minus {first}" if len(later) == 1 else f"each session minus {first}"
    parts = []
    if any(row.estimate is not None for row in rows):
        parts.append(f"the model's estimate of the change ({change}) with its 95 % interval")
    if any(row.estimate is None for row in rows):
        parts.append("F and p of the sessions tested together")
    return "; ".join(parts)


def most_persons(values: Mapping[str, np.ndarray]) -> int:
    """Return how many persons have a value of one measure, of the measure that most have."""
    return max((int(np.isfinite(table).any(axis=1).sum()) for table in values.values()), default=0)


def _words(
    shown: Mapping[str, Sequence[Estimate]], units: Mapping[str, str], sessions: Mapping[str, str]
) -> tuple[str, str]:
    """Return the caption and the alternative text."""
    panels = []
    for outcome, terms in shown.items():
        lines = estimate_lines(terms, labels.unit_of(outcome, units), sessions)
        panels.append(f"{labels.label(outcome).long}: {'; '.join(lines)}.")
    caption = (
        "Each thin line is a person, each dot a session. Blue: mean with its 95 % confidence interval at each"
        f" session, from the values shown. Above each panel: {above_words(list(shown.values()), sessions)};"
        " adj. p is adjusted within the family of tests; n is the number of persons in the model."
        f"{style.sign(*shown)}"
    )
    counted = numbers.plural(len(shown), "panel")
    return caption, f"{counted} of lines from session to session. {' '.join(panels)}"
