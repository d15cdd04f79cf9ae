"""Associations as forests: slopes within persons and between persons stand apart, pooled ones below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow import contracts
from pniflow.config import read_study
from pniflow.figures import style
from pniflow.figures.gallery import FIGURES
from pniflow.figures.plot_paired_change import direction_words
from pniflow.text import labels, numbers, wording

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_TITLE = FIGURES["associations"].title
_KINDS = {
    "within": "Within persons\n(session to\nsession)",
    "between": "Between\npersons\n(their means)",
    "pooled": "Pooled\n(all sessions\ntogether)",
}
_COLOURS = {"within": style.BLUE, "between": style.VERMILLION, "pooled": style.GREY}


def plot_associations(
    *,
    estimates: Path,
    study: Path,
    measures: Path | None = None,
    figure: Path,
    image: Path,
    description: Path,
) -> None:
    """Draw the tested slopes of all outcomes that are no brain regions, within and between persons apart.

    Parameters
    ----------
    estimates : Path
        Estimates (contract estimates).
    study : Path
        study.yaml.
    measures : Path, optional
        Measures; with them slopes are drawn per standard deviation of the predictor at the first session, so
        that predictors with different units can be compared.
    figure, image, description : Path
        The figure as SVG, as PNG, and its caption and keys as JSON.
    """
    about = read_study(study)
    rows = wording.estimate_rows(contracts.read_table(estimates, "estimates"))
    shown = choose_slopes(rows)
    paths = {"figure": figure, "image": image, "description": description}
    if not shown:
        sentence = "No association was fitted in this study."
        style.save_empty(_TITLE, sentence, about["simulated"], **paths)
        return
    scale: dict[str, float] = {}
    units: dict[str, str] = {}
    if measures:
        table = contracts.read_table(measures, "measures")
        scale, units = baseline_spread(table, next(iter(about["sessions"]))), labels.units_of(table)
    outcomes = list(dict.fromkeys(row["outcome"] for row in shown))
    with style.drawing():
        blocks = [_block(shown, outcome) for outcome in outcomes]
        heights = [len(predictors) for predictors in blocks]
        drawn = style.new_figure(style.ONE_COLUMN, 6 + 28 * len(blocks) + 4.0 * sum(heights))
        kinds = [kind for kind in _KINDS if any(row["kind"] == kind for row in shown)]
        grid = drawn.subplots(len(blocks), len(kinds), sharex="row", height_ratios=heights, squeeze=False)
        for line, outcome in enumerate(outcomes):
            for axes, kind in zip(grid[line], kinds, strict=True):
                part = [row for row in shown if row["outcome"] == outcome and row["kind"] == kind]
                draw_forest(axes, part, blocks[line], scale, _COLOURS[kind], named=kind == kinds[0])
                axes.set_title(_KINDS[kind], weight="bold", size=6.5)
                style.few_ticks(axes, 62 / len(kinds))
            grid[line, len(kinds) // 2].set_xlabel(_axis_label(outcome, units, bool(scale)))
        style.save(drawn, _describe(shown, bool(scale), about["simulated"]), **paths)


def choose_slopes(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return tested slopes of outcomes that are no region groups, with `kind` and `predictor` added."""
    chosen = []
    for row in rows:
        term = wording.row_term(row)
        if row.get("family") and term.kind in _KINDS and not labels.region_of(row["outcome"]):
            chosen.append({**row, "kind": term.kind, "predictor": term.of})
    return chosen


def baseline_spread(measures: pd.DataFrame, session: str) -> dict[str, float]:
    """Return measure -> standard deviation over persons at one session (ddof 1)."""
    spread = measures[measures["session_id"] == session].groupby("measure")["value"].std(ddof=1)
    return {str(name): float(value) for name, value in spread.items() if value > 0}


def draw_forest(
    axes: Axes,
    rows: Sequence[Mapping[str, Any]],
    predictors: Sequence[str],
    scale: Mapping[str, float],
    colour: str,
    named: bool,
) -> None:
    """Draw estimates and intervals, one line per predictor; filled where the adjusted p is below .05."""
    style.forest(axes, [style.row_name(name) for name in predictors])
    axes.tick_params(axis="y", labelleft=named)
    places, values, clear = [], [], []
    for row in rows:
        factor = scale.get(row["predictor"], 1.0)
        parts = [row[name] for name in ("estimate", "conf_low", "conf_high")]
        places.append(predictors.index(row["predictor"]))
        values.append([factor * part if numbers.given(part) else np.nan for part in parts])
        p = row["p_adjusted"] if numbers.given(row["p_adjusted"]) else row["p_value"]
        clear.append(numbers.given(p) and p < 0.05)
    style.intervals(axes, places, values, colour, filled=clear)


def _block(rows: Sequence[Mapping[str, Any]], outcome: str) -> list[str]:
    return list(dict.fromkeys(row["predictor"] for row in rows if row["outcome"] == outcome))


def _axis_label(outcome: str, units: Mapping[str, str], scaled: bool) -> str:
    label = labels.label(outcome)
    unit = labels.unit_of(outcome, units)
    unit = f" ({unit})" if unit else ""
    direction = f"\n{direction_words(outcome)}" if direction_words(outcome) else ""
    return f"{label.short}{unit} per {'baseline SD' if scaled else 'unit'} of the predictor{direction}"


def _describe(rows: Sequence[Mapping[str, Any]], scaled: bool, simulated: bool) -> dict[str, Any]:
    per = (
        "per standard deviation of the predictor at the first session"
        if scaled
        else "per unit of the predictor"
    )
    outcomes = list(dict.fromkeys(row["outcome"] for row in rows))
    people = [int(row["n_participants"]) for row in rows]
    named = ", ".join(labels.label(outcome).long for outcome in outcomes)
    pooled = ""
    if any(row["kind"] == "pooled" for row in rows):
        pooled = " Pooled: one slope over all sessions, which mixes the two."
    caption = (
        f"Slopes of {named} on each predictor, {per}, with 95 % confidence intervals. Within persons: does a"
        " session with more of the predictor than the person's own mean have more of the outcome? Between"
        " persons: do persons with a higher mean have more of the outcome?"
        f"{pooled} Filled: adjusted p below .05. {numbers.persons(people)}."
    )
    sign = labels.sign_note(*outcomes)
    caption += f" {sign[0].upper()}{sign[1:]}." if sign else ""
    main = [row for row in rows if row["role"] != "exploratory" or len(rows) <= 12]
    alt = " ".join(
        f"{labels.label(row['outcome']).short} on {labels.label(row['predictor']).short},"
        f" {row['kind']}: {_numbers(row)}."
        for row in main
    )
    lead = f"Forest plot of {numbers.plural(len(rows), 'slope')} with intervals."
    if main and len(main) < len(rows):
        lead += f" The {len(main)} of the main families, per unit of the predictor:"
    return style.describe(
        title=_TITLE,
        caption=caption,
        alt=f"{lead} {alt}".strip(),
        n=max(people),
        keys=[row["key"] for row in rows],
        simulated=simulated,
    )


def _numbers(row: Mapping[str, Any]) -> str:
    decimals = numbers.decimals_for(row["std_error"], row["conf_low"], row["conf_high"])
    low, high = (numbers.number(row[end], decimals) for end in ("conf_low", "conf_high"))
    return f"{numbers.number(row['estimate'], decimals)} ({low} to {high}) per unit"
