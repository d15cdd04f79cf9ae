"""The CTRA gene by gene: expression of each person and session, score above, mean change beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.figures import style
from pniflow.figures.plot_paired_change import mean_interval
from pniflow.text import labels, numbers, wording

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COMPONENTS = {"inflammatory": style.VERMILLION, "interferon": style.BLUE, "antibody": style.GREEN}
_NAMES, _TOP = 18.0, 34.0  # mm: where the genes' names end, where the heatmap begins
_NARROW = 12.0  # mm: below it a session's name stands upright above its block
_LIMIT = 2.5  # colours end here; more extreme z keep the end's colour


def plot_ctra_heatmap(
    about: Mapping[str, Any],
    expression: Path,
    samples: pd.DataFrame,
    ctra: pd.DataFrame,
    ctra_genes: pd.DataFrame,
) -> style.Drawn | str:
    """Draw the expression of the CTRA genes, genes by persons, one block per session.

    The levels of the score's genes are read from the file of all genes.
    """
    score = ctra.set_index("sample_id")["ctra"]
    who = samples[samples["sample_id"].isin(score.index)].drop_duplicates(["participant_id", "session_id"])
    listed = used_genes(ctra_genes)
    levels = read_levels(expression, list(listed["gene"]), list(who["sample_id"]))
    listed = listed[listed["gene"].isin(levels.index)]
    there = set(who["session_id"])
    sessions = {name: text for name, text in wording.session_words(about).items() if name in there}
    if listed.empty or not sessions:
        return "No gene of the score was found in the samples of this study."
    z = standardized(levels.loc[listed["gene"]].to_numpy(dtype=float))
    ranks = score.reindex(who["sample_id"]).groupby(who["participant_id"].to_numpy()).mean()
    people = list(ranks.sort_values(kind="stable").index)
    place = {person: column for column, person in enumerate(people)}
    blocks = np.full((len(sessions), len(listed), len(people)), np.nan)
    above = np.full((len(sessions), len(people)), np.nan)
    at = [list(sessions).index(name) for name in who["session_id"]]
    column = [place[person] for person in who["participant_id"]]
    blocks[at, :, column] = z.T
    above[at, column] = score.reindex(who["sample_id"]).to_numpy(dtype=float)
    label_texts = list(sessions.values())
    drawn = _draw(blocks, above, listed, label_texts)
    return style.Drawn(drawn, *_words(len(people), len(who), listed, label_texts), n=len(people))


def used_genes(table: pd.DataFrame) -> pd.DataFrame:
    """Return gene, component and weight of the genes that entered the score, component by component."""
    used = table[table["status"] == "used"]
    rank = used["component"].map({name: place for place, name in enumerate(COMPONENTS)})
    return used.assign(_rank=rank).sort_values(["_rank", "gene"], kind="stable").drop(columns="_rank")


def read_levels(path: Path, genes: Sequence[str], samples: Sequence[str]) -> pd.DataFrame:
    """Read the levels of some genes, one row per gene and one column per sample, in the samples' order."""
    import pyarrow.parquet as pq

    column = pq.read_schema(path).names[0]
    table = pq.read_table(path, columns=[column, *samples], filters=[(column, "in", list(genes))])
    frame: pd.DataFrame = table.to_pandas().set_index(column)
    return frame.reindex([gene for gene in genes if gene in frame.index])[list(samples)]


def standardized(levels: np.ndarray) -> np.ndarray:
    """Return z of each gene (row) over all samples, ddof 1; a constant gene is 0 throughout."""
    centred = levels - np.nanmean(levels, axis=1, keepdims=True)
    spread = np.nanstd(levels, axis=1, ddof=1, keepdims=True)
    return np.asarray(np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0))


def _draw(blocks: np.ndarray, above: np.ndarray, genes: pd.DataFrame, sessions: Sequence[str]) -> Figure:
    from matplotlib.colors import Normalize

    count, change = len(sessions), len(sessions) > 1
    tall, beside = 2.35 * len(genes), 21 if change else 0
    wide = (style.ONE_COLUMN - _NAMES - 2 - beside) / count
    narrow = wide < _NARROW
    titles = [style.shortened(text, 28) if narrow else style.wrapped(text, wide) for text in sessions]
    top = _TOP + (max(0, 1.35 * max(map(len, titles)) - 6) if narrow else 0)
    drawn = style.new_figure(style.ONE_COLUMN, top + tall + 33)
    highest = float(np.max(np.abs(above), where=np.isfinite(above), initial=0)) * 1.1 or 1.0
    columns = np.arange(blocks.shape[2])
    for block in range(count):
        left = _NAMES + block * wide
        bars = style.axes_at(drawn, left, top - 16, wide - 2, 14)
        main = style.axes_at(drawn, left, top, wide - 2, tall)
        up = above[block] > 0
        for some, colour in ((up, style.VERMILLION), (~up & np.isfinite(above[block]), style.BLUE)):
            thick = 0.8 * (wide - 2) / len(columns) * 72 / 25.4
            bars.vlines(columns[some], 0, above[block][some], colors=colour, linewidth=thick)
        bars.set(xlim=(-0.5, len(columns) - 0.5), ylim=(-highest, highest), xticks=[])
        style.zero_line(bars, vertical=False)
        bars.set_title(titles[block], weight="bold", size=6.5, rotation=90 if narrow else 0)
        bars.tick_params(labelleft=block == 0)
        main.set_facecolor("#C9C9C9")
        picture = main.imshow(  # the last block's carries the colour bar
            blocks[block],
            cmap=style.DIVERGING,
            norm=Normalize(-_LIMIT, _LIMIT),
            aspect="auto",
            interpolation="nearest",
        )
        main.set(xticks=[], yticks=[])
        if block == 0:
            bars.set_ylabel("CTRA (higher\n= adverse)", size=style.SMALLEST)
            _gene_names(main, genes, wide - 2)
    drawn.text(
        (_NAMES + wide * count / 2) / style.ONE_COLUMN, 31.5 / (top + tall + 33),
        "persons, in each block\nin order of their mean CTRA", ha="center", va="top",
    )  # fmt: skip
    _component_names(drawn, genes)
    if change:
        axes = style.axes_at(drawn, style.ONE_COLUMN - beside + 1, top, beside - 3, tall)
        text = style.wrapped(f"of z ({sessions[-1]} minus {sessions[0]})", beside)
        _draw_change(axes, blocks[-1] - blocks[0], genes, text)
    under = style.axes_at(drawn, _NAMES, top + tall + 19, style.ONE_COLUMN - _NAMES - 6, 2)
    bar = drawn.colorbar(picture, cax=under, orientation="horizontal", extend="both")
    bar.set_label("z of log2 expression, each gene over all samples\n(blue: below its mean, red: above)")
    bar.outline.set_linewidth(0.4)
    return drawn


def _gene_names(axes: Axes, genes: pd.DataFrame, width: float) -> None:
    """Write gene names in their component's colour, with a bar in that colour, beside axes this wide (mm)."""
    axes.set_yticks(np.arange(len(genes)), list(genes["gene"]), size=style.SMALLEST)
    axes.tick_params(axis="y", length=0, pad=5)
    for text, component in zip(axes.get_yticklabels(), genes["component"], strict=True):
        text.set_color(COMPONENTS[component])
    for component, colour in COMPONENTS.items():
        rows = np.nonzero((genes["component"] == component).to_numpy())[0]
        if len(rows):
            ends = [rows[0] - 0.5, rows[-1] + 0.5]
            beside = axes.get_yaxis_transform()
            axes.plot(
                [-1 / width, -1 / width], ends, color=colour, linewidth=2, transform=beside, clip_on=False
            )


def _component_names(drawn: Figure, genes: pd.DataFrame) -> None:
    """Write in a legend on top each component with its number of genes and its sign in the score."""
    from matplotlib.lines import Line2D

    handles, names = [], []
    for component, colour in COMPONENTS.items():
        part = genes[genes["component"] == component]
        if len(part):
            sign = "+" if float(part["weight"].iloc[0]) > 0 else numbers.MINUS
            handles.append(Line2D([], [], color=colour, linewidth=3))
            names.append(f"{sign} {component} ({len(part)})")
    legend = drawn.legend(
        handles, names, loc="upper left", ncols=3, handlelength=0.8, columnspacing=1,
        title="Genes by component and weight in the score", title_fontsize=6.2, alignment="left",
    )  # fmt: skip
    for text, handle in zip(legend.get_texts(), handles, strict=True):
        text.set(color=handle.get_color(), weight="bold")


def _draw_change(axes: Axes, difference: np.ndarray, genes: pd.DataFrame, text: str) -> None:
    """Draw each gene's mean paired difference in z with its 95 % interval."""
    mean, half = mean_interval(difference.T)
    for component, colour in COMPONENTS.items():
        rows = np.nonzero((genes["component"] == component).to_numpy())[0]
        axes.errorbar(mean[rows], rows, xerr=half[rows], fmt="o", color=colour, markersize=2, linewidth=0.7)
    style.zero_line(axes)
    axes.set(ylim=(len(genes) - 0.5, -0.5), yticks=[])
    axes.spines["left"].set_visible(False)
    style.few_ticks(axes, 18)
    axes.set_xlabel(f"mean change\n{text}")


def _words(people: int, samples: int, genes: pd.DataFrame, sessions: Sequence[str]) -> tuple[str, str]:
    """Return the caption and the alternative text."""
    counts = genes["component"].value_counts()
    parts = ", ".join(f"{counts[name]} {name}" for name in COMPONENTS if name in counts)
    caption = (
        f"{numbers.plural(len(genes), 'gene')} of the score ({parts}) in {numbers.plural(samples, 'sample')}"
        f" of {numbers.plural(people, 'person')}; the same order of persons in each block, grey where there"
        " is no sample. The sign beside a component is its weight in the score. Bars: the score of each"
        f" sample; {labels.CTRA_SIGN}."
    )
    if len(sessions) > 1:
        caption += (
            f" Right: mean paired difference of z ({sessions[-1]} minus {sessions[0]}) with its 95 %"
            " interval, descriptive; tests are in the tables."
        )
    alt = (
        f"Heatmap of {len(genes)} genes by {numbers.plural(people, 'person')}, one block per session"
        f" ({', '.join(sessions)}); genes are grouped by component and persons ordered by their mean CTRA"
        " score."
    )
    return caption, alt
