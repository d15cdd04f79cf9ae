"""Standardized changes as a forest: measures with different units on one axis."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow import contracts
from pniflow.config import read_study
from pniflow.figures import style
from pniflow.figures.gallery import FIGURES
from pniflow.figures.plot_paired_change import with_contrasts
from pniflow.text import labels, numbers, wording

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE = FIGURES["standardized_change"].title
_MOST = 60
_LOOKS = {  # colour and marker, so that neither alone carries the meaning
    "towards better": (style.BLUE, "o"),
    "towards worse": (style.VERMILLION, "s"),
    "neither is better": (style.GREY, "D"),
}


def plot_standardized_change(
    *, estimates: Path, diagnostics: Path, study: Path, figure: Path, image: Path, description: Path
) -> None:
    """Draw the standardized change of every tested measure, with its interval, family by family.

    Parameters
    ----------
    estimates : Path
        Estimates (contract estimates).
    diagnostics : Path
        Diagnostics (contract diagnostics), which hold the intervals of the effect sizes.
    study : Path
        study.yaml.
    figure, image, description : Path
        The figure as SVG, as PNG, and its caption and keys as JSON.
    """
    about = read_study(study)
    sessions = wording.session_words(about)
    rows = with_contrasts(wording.estimate_rows(contracts.read_table(estimates, "estimates")), list(sessions))
    table = contracts.read_table(diagnostics, "diagnostics")
    shown = choose_effects(rows, intervals_of(numbers.records(table)))
    paths = {"figure": figure, "image": image, "description": description}
    if not shown:
        sentence = "No standardized change between two sessions was computed in this study."
        style.save_empty(_TITLE, sentence, about["simulated"], **paths)
        return
    with style.drawing():
        outcomes, terms = (len({row[name] for row in shown}) for name in ("outcome", "term"))
        drawn = style.new_figure(style.ONE_COLUMN, 26 + 3.7 * outcomes * max(1, 0.6 * terms))
        axes = drawn.subplots()
        draw_effects(axes, shown)
        kind = numbers.effect_kind(shown[0]["effect_size_kind"])
        axes.set_xlabel(style.wrapped(f"{kind}, {contrasts_shown(shown, sessions)}", 42, 4))
        style.save(drawn, _describe(shown, sessions, about["simulated"]), **paths)


def contrasts_shown(rows: Sequence[Mapping[str, Any]], sessions: Mapping[str, str]) -> str:
    """Return what was subtracted from what; of several sessions also their order within a row."""
    terms = list(dict.fromkeys(row["term"] for row in rows))
    if len(terms) == 1:
        return wording.predictor(terms[0], sessions)
    names = [
        sessions.get(name, name) or "between two" for name in (wording.term_of(term).of for term in terms)
    ]
    return f"each minus {next(iter(sessions.values()))} (from the top: {', '.join(names)})"


def intervals_of(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str, str], tuple[float, float]]:
    """Return (model, outcome, term) -> interval of Hedges' g_av, from the rows of diagnostics."""
    return {
        (row["model"], row["outcome"], row["term"]): (row["conf_low"], row["conf_high"])
        for row in rows
        if row["table"] == "effect_sizes" and row["quantity"] == "g_av"
    }


def choose_effects(
    rows: Sequence[Mapping[str, Any]],
    intervals: Mapping[tuple[str, str, str], tuple[float, float]],
) -> list[dict[str, Any]]:
    """Return changes with an effect size and its `interval`, in the plan's order; at most sixty measures."""
    chosen: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        change = wording.row_term(row).kind == "change"
        if row.get("family") and change and numbers.given(row["effect_size"]):
            interval = intervals.get((row["model"], row["outcome"], row["term"]), (np.nan, np.nan))
            chosen.setdefault(row["outcome"], {}).setdefault(row["term"], {**row, "interval": interval})
    return [row for terms in list(chosen.values())[:_MOST] for row in terms.values()]


def direction(row: Mapping[str, Any]) -> str:
    """Return whether a change points to the better, to the worse, or neither is known to be better."""
    better = labels.label(row["outcome"]).better
    if not better or row["outcome"].startswith("ctra"):
        return "neither is better"
    up = row["effect_size"] > 0
    return "towards better" if up == (better == "higher") else "towards worse"


def draw_effects(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw the forest, contrasts of a measure below each other, a thin line between families."""
    outcomes = list(dict.fromkeys(row["outcome"] for row in rows))
    terms = list(dict.fromkeys(row["term"] for row in rows))
    style.forest(axes, [style.row_name(outcome) for outcome in outcomes])
    directions = [direction(row) for row in rows]
    aside = np.linspace(-0.26, 0.26, len(terms)) if len(terms) > 1 else np.zeros(1)
    at = [outcomes.index(row["outcome"]) + aside[terms.index(row["term"])] for row in rows]
    handles = {}
    for name, (colour, marker) in _LOOKS.items():
        places = [place for place, of in enumerate(directions) if of == name]
        if places:
            values = [(rows[place]["effect_size"], *rows[place]["interval"]) for place in places]
            style.intervals(axes, [at[place] for place in places], values, colour, marker, size=3.4)
            handles[name] = axes.lines[-1]
    for before, row in itertools.pairwise(rows):
        if row["family"] != before["family"]:
            axes.axhline(outcomes.index(row["outcome"]) - 0.5, color=style.PALE, linewidth=0.5)
    axes.figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=3,
        columnspacing=1,
        handlelength=1.4,
    )


def _describe(
    rows: Sequence[Mapping[str, Any]], sessions: Mapping[str, str], simulated: bool
) -> dict[str, Any]:
    kinds = " or ".join(dict.fromkeys(numbers.effect_kind(row["effect_size_kind"]) for row in rows))
    people = [int(row["n_participants"]) for row in rows]
    caption = (
        f"Standardized change ({kinds}), {contrasts_shown(rows, sessions)}, with 95 % intervals where they"
        " could be computed (one that is shorter than its mark is hidden behind it); lines part the families"
        " of tests. Blue circles: change towards better; orange squares: towards worse; grey diamonds:"
        f" neither direction is better. {numbers.persons(people)}."
    )
    sign = labels.sign_note(*(row["outcome"] for row in rows))
    caption += f" {sign[0].upper()}{sign[1:]}." if sign else ""
    parts = [f"{_name(row, sessions)} {numbers.number(row['effect_size'], 2)}" for row in rows]
    return style.describe(
        title=_TITLE,
        caption=caption,
        alt=f"Forest plot of {numbers.plural(len(rows), 'standardized change')}: {', '.join(parts)}.",
        n=max(people),
        keys=[row["key"] for row in rows],
        simulated=simulated,
    )


def _name(row: Mapping[str, Any], sessions: Mapping[str, str]) -> str:
    """Return a row's measure, of several sessions also which."""
    session = wording.term_of(row["term"], len(sessions)).of
    return style.row_name(row["outcome"]) + (f" at {sessions.get(session, session)}" if session else "")
