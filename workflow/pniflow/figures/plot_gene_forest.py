"""The score's genes one by one: each gene's estimate with its interval, component by component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.figures import style
from pniflow.figures.plot_ctra_heatmap import COMPONENTS
from pniflow.text import labels, numbers, wording

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_NAMES, _TOP, _ROW = 16.0, 20.0, 2.35  # mm: where the genes' names end, top of the forest, height of a gene
_MOST = 3  # predictors beside each other
Row = Mapping[str, Any]


def plot_gene_forest(about: Mapping[str, Any], gene_estimates: pd.DataFrame) -> style.Drawn | str:
    """Draw each gene's estimate and interval in the direction of expression, one column per predictor."""
    scored = gene_estimates["component"].isin(list(COMPONENTS))
    rows = numbers.records(gene_estimates[scored].dropna(subset=["estimate"]))
    if not rows:
        return "No gene of the score could be related to a predictor in this study."
    sessions = wording.session_words(about)
    days = list(sessions)
    terms = sorted(  # sessions in time's order, whatever that of their names
        dict.fromkeys(row["term"] for row in rows),
        key=lambda term: days.index(wording.term_of(term).of) if wording.term_of(term).of in days else -1,
    )
    shown = terms[:_MOST]
    ordered = order_genes(rows, shown[0])
    drawn = _draw(rows, shown, ordered, sessions)
    people = max(int(row["n_participants"]) for row in rows)
    return style.Drawn(drawn, *_words(rows, terms, ordered, sessions), n=people)


def order_genes(rows: Sequence[Row], term: str) -> list[str]:
    """Return the genes component by component, in each from the smallest estimate to the largest."""
    known = {row["gene"]: row["estimate"] for row in rows if row["term"] == term}
    component = {row["gene"]: row["component"] for row in rows}
    return sorted(
        component, key=lambda gene: (list(COMPONENTS).index(component[gene]), known.get(gene, np.inf), gene)
    )


def predictor(term: str, sessions: Mapping[str, str]) -> str:
    """Return what a column of the forest shows."""
    if wording.term_of(term, len(sessions)).kind in ("change", "joint"):
        return wording.predictor(term, sessions)
    return f"per unit of {labels.label(term).short}"


def _draw(
    rows: Sequence[Row], terms: Sequence[str], genes: Sequence[str], sessions: Mapping[str, str]
) -> Figure:
    from matplotlib.lines import Line2D

    tall = _ROW * len(genes)
    wide = (style.ONE_COLUMN - _NAMES - 2) / len(terms)
    titles = [style.wrapped(predictor(term, sessions), wide, 5) for term in terms]
    top = _TOP + 2.6 * max(title.count("\n") for title in titles)
    drawn = style.new_figure(style.ONE_COLUMN, top + tall + 14)
    component = {row["gene"]: row["component"] for row in rows}
    handles = {}
    for number, term in enumerate(terms):
        axes = style.axes_at(drawn, _NAMES + number * wide, top, wide - 3, tall)
        style.forest(axes, genes)
        axes.set_ylim(len(genes) - 0.5, -0.5)
        axes.tick_params(axis="y", labelleft=number == 0, labelsize=style.SMALLEST)
        for text in axes.get_yticklabels():
            text.set_color(COMPONENTS[component[text.get_text()]])
        for name, colour in COMPONENTS.items():
            part = [row for row in rows if row["term"] == term and row["component"] == name]
            if part:
                style.intervals(
                    axes,
                    [genes.index(row["gene"]) for row in part],
                    [[row[end] for end in ("estimate", "conf_low", "conf_high")] for row in part],
                    colour,
                    filled=[numbers.given(row["p_adjusted"]) and row["p_adjusted"] < 0.05 for row in part],
                    size=2.8,
                )
                sign = "+" if part[0]["weight"] > 0 else numbers.MINUS
                handles[f"{sign} {name}"] = Line2D([], [], color=colour, linewidth=2.5)
        unit = next(row["unit"] for row in rows if row["term"] == term)
        axes.set_title(titles[number], weight="bold", size=6.5)
        style.few_ticks(axes, wide)
        axes.set_xlabel(f"expression ({unit})\nright: more")
    drawn.legend(
        handles.values(), handles.keys(), loc="upper left", bbox_to_anchor=(0, 1 - 4 / (top + tall + 14)),
        ncols=3, handlelength=1, columnspacing=1, title="Component and its weight in the score",
        title_fontsize=6.2, alignment="left",
    )  # fmt: skip
    return drawn


def _words(
    rows: Sequence[Row], terms: Sequence[str], genes: Sequence[str], sessions: Mapping[str, str]
) -> tuple[str, str]:
    """Return the caption and the alternative text."""
    parts, clear = [], 0
    for term in terms[:_MOST]:
        here = [row for row in rows if row["term"] == term]
        clear += sum(numbers.given(row["p_adjusted"]) and row["p_adjusted"] < 0.05 for row in here)
        up = sum(row["estimate"] > 0 for row in here)
        parts.append(
            f"{predictor(term, sessions)}: {up} of {numbers.plural(len(here), 'estimate')} above zero"
        )
    left_out = "; ".join(predictor(term, sessions) for term in terms[_MOST:])
    caption = (
        f"Estimates with 95 % intervals of {numbers.plural(len(genes), 'gene')} of the score, one by one, in"
        " the direction of expression (right: more expression). A gene of weight + raises the score with its"
        f" expression, one of weight {numbers.MINUS} lowers it; {labels.CTRA_SIGN}. Filled: p adjusted over"
        f" the genes below .05 ({numbers.plural(clear, 'estimate')}). Exploratory; the score is the"
        " prespecified outcome."
    )
    if left_out:
        caption += f" Not shown: {left_out}."
    return caption, f"Forest plot of {numbers.plural(len(genes), 'gene')} by component. {'; '.join(parts)}."
