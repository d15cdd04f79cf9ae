"""The CTRA and its three components by session: each person's line, the mean, the model's estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pniflow import contracts
from pniflow.config import read_study
from pniflow.figures import style
from pniflow.figures.gallery import FIGURES
from pniflow.figures.plot_paired_change import (
    above_words,
    draw_panel,
    estimate_lines,
    fitted,
    panel_grid,
    values_of,
    with_contrasts,
)
from pniflow.text import labels, numbers, wording

_TITLE = FIGURES["ctra_components"].title
_MEASURES = ("ctra", *labels.CTRA_COMPONENTS)


def plot_ctra_components(
    *, measures: Path, estimates: Path, study: Path, figure: Path, image: Path, description: Path
) -> None:
    """Draw the CTRA score and its components, one panel each: persons' lines, mean, interval, estimate.

    The score counts upwards as more adverse; the components stand in the direction of expression.

    Parameters
    ----------
    measures : Path
        Measures (contract measures).
    estimates : Path
        Estimates (contract estimates).
    study : Path
        study.yaml.
    figure, image, description : Path
        The figure as SVG, as PNG, and its caption and keys as JSON.
    """
    about = read_study(study)
    sessions = wording.session_words(about)
    label_texts = list(sessions.values())
    values, units = values_of(contracts.read_table(measures, "measures"), _MEASURES, list(sessions))
    paths = {"figure": figure, "image": image, "description": description}
    if not values:
        sentence = "No CTRA score was computed in this study."
        style.save_empty(_TITLE, sentence, about["simulated"], **paths)
        return
    rows = with_contrasts(wording.estimate_rows(contracts.read_table(estimates, "estimates")), list(sessions))
    terms = changes_of(rows)
    with style.drawing():
        above = max((len(fitted(estimate_lines(some, "", sessions))) for some in terms.values()), default=0)
        drawn, panels = panel_grid(len(values), label_texts, above)
        for axes, (measure, table) in zip(panels, values.items(), strict=True):
            draw_panel(axes, measure, table, terms.get(measure, []), sessions, units.get(measure))
        style.save(drawn, _describe(values, terms, units, sessions, about["simulated"]), **paths)


def changes_of(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return measure -> the tested rows of its change, of the first model that tests it."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        kind = wording.row_term(row).kind
        estimable = numbers.given(row["estimate"]) or numbers.given(row["statistic"])
        if row["outcome"] in _MEASURES and row.get("family") and kind in ("change", "joint") and estimable:
            listed = found.setdefault(row["outcome"], [])
            if not listed or listed[0]["model"] == row["model"]:
                listed.append(row)
    return found


def _describe(
    values: Mapping[str, np.ndarray],
    terms: Mapping[str, Sequence[Mapping[str, Any]]],
    units: Mapping[str, str],
    sessions: Mapping[str, str],
    simulated: bool,
) -> dict[str, Any]:
    parts = []
    for measure in values:
        label = labels.label(measure)
        tested = measure in terms
        unit = labels.unit_of(measure, units)
        lines = estimate_lines(terms[measure], unit, sessions) if tested else ["change not tested"]
        parts.append(f"{label.long}: {'; '.join(lines)}.")
    above = above_words(list(terms.values()), sessions)
    above = f" Above each panel: {above}." if above else ""
    caption = (
        "The CTRA score and its components. Each thin line is a person; blue: mean with its 95 % confidence"
        f" interval at each session.{above} {labels.CTRA_SIGN[0].upper()}{labels.CTRA_SIGN[1:]}. Components"
        f" stand in the direction of expression: {labels.COMPONENT_SIGN}."
    )
    people = max(int(np.isfinite(table).any(axis=1).sum()) for table in values.values())
    return style.describe(
        title=_TITLE,
        caption=caption,
        alt=f"{numbers.plural(len(values), 'panel')} of lines from session to session. {' '.join(parts)}",
        n=people,
        keys=[row["key"] for measure in values for row in terms.get(measure, [])],
        simulated=simulated,
    )
