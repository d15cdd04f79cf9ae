"""The CTRA and its three components by session: each person's line, the mean, the model's estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pniflow.figures import style
from pniflow.figures.plot_paired_change import (
    above_words,
    draw_panel,
    estimate_lines,
    fitted,
    is_change,
    most_persons,
    panel_grid,
    values_of,
    with_contrasts,
)
from pniflow.text import labels, numbers, wording
from pniflow.text.estimates import Estimate, estimates_of

if TYPE_CHECKING:
    import pandas as pd

_MEASURES = ("ctra", *labels.CTRA_COMPONENTS)


def plot_ctra_components(
    about: Mapping[str, Any], measures: pd.DataFrame, estimates: pd.DataFrame
) -> style.Drawn | str:
    """Draw the CTRA score and its components, one panel each: persons' lines, mean, interval, estimate.

    The score counts upwards as more adverse; the components stand in the direction of expression.
    """
    sessions = wording.session_words(about)
    values, units = values_of(measures, _MEASURES, list(sessions))
    if not values:
        return "No CTRA score was computed in this study."
    terms = changes_of(with_contrasts(estimates_of(estimates), list(sessions)))
    above = max((len(fitted(estimate_lines(some, "", sessions))) for some in terms.values()), default=0)
    drawn, panels = panel_grid(len(values), list(sessions.values()), above)
    for axes, (measure, table) in zip(panels, values.items(), strict=True):
        draw_panel(axes, measure, table, terms.get(measure, []), sessions, units.get(measure))
    keys = [row.key for measure in values for row in terms.get(measure, [])]
    words = _words(list(values), terms, units, sessions)
    return style.Drawn(drawn, *words, n=most_persons(values), keys=keys)


def changes_of(rows: Sequence[Estimate]) -> dict[str, list[Estimate]]:
    """Return measure -> the tested rows of its change, of the first model that tests it."""
    found: dict[str, list[Estimate]] = {}
    for row in filter(is_change, rows):
        if row.outcome in _MEASURES:
            listed = found.setdefault(row.outcome, [])
            if not listed or listed[0].model == row.model:
                listed.append(row)
    return found


def _words(
    measures: Sequence[str],
    terms: Mapping[str, Sequence[Estimate]],
    units: Mapping[str, str],
    sessions: Mapping[str, str],
) -> tuple[str, str]:
    """Return the caption and the alternative text."""
    parts = []
    for measure in measures:
        unit = labels.unit_of(measure, units)
        lines = ["change not tested"]
        if measure in terms:
            lines = estimate_lines(terms[measure], unit, sessions)
        parts.append(f"{labels.label(measure).long}: {'; '.join(lines)}.")
    mark = "Each thin line is a person" if len(sessions) > 1 else "Each dot is a person"
    above = above_words(list(terms.values()), sessions)
    above = f" Above each panel: {above}." if above else ""
    caption = (
        f"The CTRA score and its components. {mark}; blue: mean with its 95 % confidence"
        f" interval at each session.{above}{style.sign('ctra')} Components stand in the direction of"
        f" expression: {labels.COMPONENT_SIGN}."
    )
    counted = numbers.plural(len(measures), "panel")
    drawn = "lines from session to session" if len(sessions) > 1 else "dots at one session"
    return caption, f"{counted} of {drawn}. {' '.join(parts)}"
