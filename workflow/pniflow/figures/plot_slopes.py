"""Association plots: within persons and between persons apart, each with the fitted model's slope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.figures import style
from pniflow.figures.plot_associations import choose_slopes
from pniflow.figures.plot_paired_change import estimate_lines, values_of, with_direction
from pniflow.text import labels, numbers
from pniflow.text.estimates import Estimate, estimates_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_MOST = 4  # pairs of panels
_LINE = 46.5  # mm: height of a pair
_COLOURS = {"within": style.BLUE, "between": style.VERMILLION}
Pair = dict[str, Estimate]


def plot_slopes(
    about: Mapping[str, Any], measures: pd.DataFrame, estimates: pd.DataFrame
) -> style.Drawn | str:
    """Draw the main associations: deviations of the sessions at the left, persons' means at the right.

    Shown are the slopes of primary and secondary families, at most four pairs; where there are none,
    exploratory ones.
    """
    pairs = choose_pairs(choose_slopes(estimates_of(estimates)))
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    values, _ = values_of(measures, names, list(about["sessions"]))
    pairs = {pair: slopes for pair, slopes in pairs.items() if all(name in values for name in pair)}
    if not pairs:
        return "No association within and between persons was fitted in this study."
    drawn = style.new_figure(style.ONE_COLUMN, 6 + _LINE * len(pairs))
    for place, ((outcome, predictor), slopes) in enumerate(pairs.items()):
        top = 16 + _LINE * place
        line = [style.axes_at(drawn, left, top, 27, 25) for left in (17, 59)]
        x, y = values[predictor], values[outcome]
        _draw_within(line[0], *deviations(x, y), slopes["within"])
        _draw_between(line[1], *person_means(x, y), slopes["between"])
        line[0].set_ylabel(with_direction(labels.label(outcome).short, outcome))
    rows = [row for pair in pairs.values() for row in pair.values()]
    people = max(row.n_participants for row in rows)
    return style.Drawn(drawn, *_words(rows), n=people, keys=[row.key for row in rows])


def choose_pairs(slopes: Sequence[Estimate]) -> dict[tuple[str, str], Pair]:
    """Return (outcome, predictor) -> its slope within and its slope between persons; main families first."""
    pairs: dict[tuple[str, str], Pair] = {}
    for row in slopes:
        if row.tested.kind in _COLOURS and row.estimate is not None:
            pairs.setdefault((row.outcome, row.tested.of), {}).setdefault(row.tested.kind, row)
    both = {pair: found for pair, found in pairs.items() if len(found) == len(_COLOURS)}
    main = {pair: found for pair, found in both.items() if found["within"].role in ("primary", "secondary")}
    return dict(list((main or both).items())[:_MOST])


def person_means(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each person's mean over the sessions with both values.

    Parameters
    ----------
    x, y : array (people, sessions)
        NaN where there is no value.

    Returns
    -------
    x, y : array (people with at least one such session,)
    """
    both = np.isfinite(x) & np.isfinite(y)
    count = both.sum(axis=1)
    some = count > 0
    means = [np.where(both, one, 0.0).sum(axis=1)[some] / count[some] for one in (x, y)]
    return means[0], means[1]


def deviations(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return deviations from the session's mean, then from the person's own mean, as the models centre.

    Returns
    -------
    x, y : array (people with two sessions or more, sessions)
        NaN where either value is missing.
    """
    both = np.isfinite(x) & np.isfinite(y)
    centred = []
    for one in (x, y):
        values = np.where(both, one, np.nan)
        there = both.sum(axis=0)
        session = np.where(there > 0, np.nansum(values, axis=0) / np.maximum(there, 1), np.nan)
        off = values - session
        person = np.nansum(off, axis=1) / np.maximum(both.sum(axis=1), 1)
        centred.append(off - person[:, None])
    several = both.sum(axis=1) > 1
    return centred[0][several], centred[1][several]


def _draw_within(axes: Axes, x: np.ndarray, y: np.ndarray, row: Estimate) -> None:
    from matplotlib.collections import LineCollection

    paths = [np.column_stack([a, b])[np.isfinite(a)] for a, b in zip(x, y, strict=True)]
    alpha = float(np.clip(25 / max(len(paths), 1), 0.1, 0.7))
    heavy = len(paths) > style.MOST_VECTOR_LINES
    axes.add_collection(
        LineCollection(paths, colors=style.GREY, linewidths=0.5, alpha=alpha, rasterized=heavy)
    )
    axes.plot(x.ravel(), y.ravel(), ".", color=style.GREY, markersize=2.2, alpha=alpha, rasterized=heavy)
    _slope(axes, (0.0, 0.0), x, row)
    axes.set_xlabel(f"{labels.label(row.tested.of).short}:\nsession minus own mean")


def _draw_between(axes: Axes, x: np.ndarray, y: np.ndarray, row: Estimate) -> None:
    alpha = float(np.clip(60 / max(len(x), 1), 0.15, 0.8))
    heavy = len(x) > style.MOST_VECTOR_LINES
    axes.plot(x, y, "o", color=style.GREY, markersize=2.6, markeredgewidth=0, alpha=alpha, rasterized=heavy)
    if len(x):
        _slope(axes, (float(x.mean()), float(y.mean())), x, row)
    axes.set_xlabel(f"{labels.label(row.tested.of).short}:\nperson's mean")


def _slope(axes: Axes, through: tuple[float, float], x: np.ndarray, row: Estimate) -> None:
    """Draw the model's slope through a point over the range of x, its numbers above."""
    kind = row.tested.kind
    if np.isfinite(x).any():
        ends = np.array([np.nanmin(x), np.nanmax(x)])
        height = through[1] + style.ends(row)[0] * (ends - through[0])
        axes.plot(ends, height, color=_COLOURS[kind], linewidth=1.4)
    style.head(axes, f"{kind.capitalize()} persons", estimate_lines([row], ""), _COLOURS[kind])


def _words(rows: Sequence[Estimate]) -> tuple[str, str]:
    """Return the caption and the alternative text."""
    caption = (
        "Left: each session's deviation from the session's mean and then from the person's own mean, a"
        " person's sessions joined; right: persons' means. Lines: slopes of the fitted model, which also"
        " holds its other terms (the points are not adjusted for them). Above: slope per unit of the"
        " predictor with its 95 % interval; adj. p is adjusted within the family of tests."
        f"{style.sign(*(row.outcome for row in rows))}"
    )
    parts = [
        f"{labels.label(row.outcome).short} on {labels.label(row.tested.of).short}, {row.tested.kind}"
        f" persons: {'; '.join(estimate_lines([row], ''))}."
        for row in rows
    ]
    counted = numbers.plural(len(rows) // len(_COLOURS), "pair")
    return caption, f"{counted} of scatter plots with slopes. {' '.join(parts)}"
