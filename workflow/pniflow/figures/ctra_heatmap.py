"""The CTRA gene by gene: expression of each person and session, score above, mean change beside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow import files, words
from pniflow.config import read_study
from pniflow.figures import style
from pniflow.figures.paired_change import mean_interval

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TITLE = "CTRA genes by person and session"
_COMPONENTS = {"inflammatory": style.VERMILLION, "interferon": style.BLUE, "antibody": style.GREEN}
_LIMIT = 2.5  # colours end here; more extreme z keep the end's colour


def plot_ctra_heatmap(
    *,
    expression: Path,
    samples: Path,
    scores: Path,
    genes: Path,
    study: Path,
    figure: Path,
    image: Path,
    description: Path,
) -> None:
    """Draw the expression of the CTRA genes, genes by persons, one block per session.

    Parameters
    ----------
    expression : Path
        Normalized log2 expression, one row per gene, one column per sample.
    samples : Path
        Samples (contract samples).
    scores : Path
        CTRA scores (contract ctra_scores).
    genes : Path
        The genes of the score with component and weight, as score-ctra writes them.
    study : Path
        study.yaml.
    figure, image, description : Path
        The figure as SVG, as PNG, and its caption and keys as JSON.
    """
    about = read_study(study)
    paths = {"figure": figure, "image": image, "description": description}
    score = files.read_table(scores, "ctra_scores").set_index("sample_id")["ctra"]
    who = files.read_table(samples, "samples")
    who = who[who["sample_id"].isin(score.index)].drop_duplicates(["participant_id", "session_id"])
    listed = used_genes(files.read_table(genes, "ctra_genes"))
    levels = read_levels(expression, list(listed["gene"]), list(who["sample_id"]))
    listed = listed[listed["gene"].isin(levels.index)]
    sessions = {
        name: text for name, text in words.session_words(about).items() if name in set(who["session_id"])
    }
    if listed.empty or not sessions:
        sentence = "No gene of the score was found in the samples of this study."
        style.save_empty(_TITLE, sentence, about["simulated"], **paths)
        return
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
    with style.drawing():
        drawn = _draw(blocks, above, listed, list(sessions.values()))
        text = _describe(len(people), len(who), listed, list(sessions.values()), about["simulated"])
        style.save(drawn, text, **paths)


def used_genes(table: pd.DataFrame) -> pd.DataFrame:
    """Return gene, component and weight of the genes that entered the score, component by component."""
    used = table[table["status"] == "used"]
    rank = used["component"].map({name: place for place, name in enumerate(_COMPONENTS)})
    return used.assign(_rank=rank).sort_values(["_rank", "gene"], kind="stable").drop(columns="_rank")


def read_levels(path: Path, genes: Sequence[str], samples: Sequence[str]) -> pd.DataFrame:
    """Read the levels of some genes, one row per gene and one column per sample, in the samples' order."""
    import pyarrow.parquet as pq

    column = pq.read_schema(path).names[0]
    table = pq.read_table(path, columns=[column, *samples], filters=[(column, "in", list(genes))])
    frame = table.to_pandas().set_index(column)
    return frame.reindex([gene for gene in genes if gene in frame.index])[list(samples)]


def standardized(levels: np.ndarray) -> np.ndarray:
    """Return z of each gene (row) over all samples, ddof 1; a constant gene is 0 throughout."""
    centred = levels - np.nanmean(levels, axis=1, keepdims=True)
    spread = np.nanstd(levels, axis=1, ddof=1, keepdims=True)
    return np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0)


def _draw(blocks: np.ndarray, above: np.ndarray, genes: pd.DataFrame, sessions: Sequence[str]) -> Figure:
    from matplotlib.colors import Normalize

    count, rows, change = len(sessions), len(genes), len(sessions) > 1
    heights = [14, 2.2 * rows, 2.2]
    drawn = style.new_figure(style.TWO_COLUMNS, 28 + sum(heights))
    ratios = [1.0] * count + [0.21 * count if change else 0.25]
    grid = drawn.add_gridspec(3, len(ratios), width_ratios=ratios, height_ratios=heights)
    highest = float(np.max(np.abs(above), where=np.isfinite(above), initial=0)) * 1.1 or 1.0
    columns = np.arange(blocks.shape[2])
    for block in range(count):
        top, main = drawn.add_subplot(grid[0, block]), drawn.add_subplot(grid[1, block])
        colours = np.where(above[block] > 0, style.VERMILLION, style.BLUE)
        top.bar(columns, np.nan_to_num(above[block]), color=colours, width=0.8)
        top.set(xlim=(-0.5, len(columns) - 0.5), ylim=(-highest, highest), xticks=[])
        style.zero_line(top, vertical=False)
        top.set_title(_wrapped(sessions[block], count), weight="bold", size=7.5 if count < 4 else 6)
        top.tick_params(labelleft=block == 0)
        main.set_facecolor("#DDDDDD")
        norm = Normalize(-_LIMIT, _LIMIT)
        picture = main.imshow(  # the last block's carries the colour bar
            blocks[block],
            cmap=style.DIVERGING,
            norm=norm,
            aspect="auto",
            interpolation="nearest",
            rasterized=True,
        )
        main.set(xticks=[], yticks=[])
        if block == (count - 1) // 2:
            main.set_xlabel("persons, in each block in order of their mean CTRA")
        if block == 0:
            top.set_ylabel("CTRA score")
            _gene_names(main, genes)
    _component_names(drawn.add_subplot(grid[0, -1]), genes)
    if change:
        text = _wrapped(f"{sessions[-1]} minus {sessions[0]}", 3)
        _draw_change(drawn.add_subplot(grid[1, -1]), blocks[-1] - blocks[0], genes, text)
    bar = drawn.colorbar(
        picture, cax=drawn.add_subplot(grid[2, :count]), orientation="horizontal", extend="both"
    )
    bar.set_label("z of log2 expression, each gene over all samples (blue: below its mean, red: above)")
    bar.outline.set_linewidth(0.4)
    return drawn


def _wrapped(text: str, blocks: int) -> str:
    """Break a session's label into lines that fit over its block."""
    import textwrap

    return textwrap.fill(text, max(8, 60 // blocks))


def _gene_names(axes: Axes, genes: pd.DataFrame) -> None:
    """Write gene names in their component's colour, with a bar in that colour."""
    axes.set_yticks(np.arange(len(genes)), list(genes["gene"]), size=5)
    axes.tick_params(axis="y", length=0, pad=6)
    for text, component in zip(axes.get_yticklabels(), genes["component"], strict=True):
        text.set_color(_COMPONENTS[component])
    for component, colour in _COMPONENTS.items():
        rows = np.nonzero((genes["component"] == component).to_numpy())[0]
        if len(rows):
            ends = [rows[0] - 0.5, rows[-1] + 0.5]
            beside = axes.get_yaxis_transform()
            axes.plot([-0.018, -0.018], ends, color=colour, linewidth=3, transform=beside, clip_on=False)


def _component_names(axes: Axes, genes: pd.DataFrame) -> None:
    """Write each component with its number of genes and its sign in the score."""
    axes.set_axis_off()
    axes.text(0, 1, "Weight in the score", va="top", size=6.5, transform=axes.transAxes)
    for place, (component, colour) in enumerate(_COMPONENTS.items(), start=1):
        part = genes[genes["component"] == component]
        if len(part):
            sign = "+" if float(part["weight"].iloc[0]) > 0 else words.MINUS
            text = f"{sign} {component} ({len(part)})"
            axes.text(
                0, 1 - 0.3 * place, text, va="top", color=colour, weight="bold", transform=axes.transAxes
            )


def _draw_change(axes: Axes, difference: np.ndarray, genes: pd.DataFrame, text: str) -> None:
    """Draw each gene's mean paired difference in z with its 95 % interval."""
    mean, half = mean_interval(difference.T)
    for component, colour in _COMPONENTS.items():
        rows = np.nonzero((genes["component"] == component).to_numpy())[0]
        axes.errorbar(mean[rows], rows, xerr=half[rows], fmt="o", color=colour, markersize=2, linewidth=0.7)
    style.zero_line(axes)
    axes.set(ylim=(len(genes) - 0.5, -0.5), yticks=[])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"mean change of z\n({text})")


def _describe(
    people: int, samples: int, genes: pd.DataFrame, sessions: Sequence[str], simulated: bool
) -> dict[str, Any]:
    counts = genes["component"].value_counts()
    parts = ", ".join(f"{counts[name]} {name}" for name in _COMPONENTS if name in counts)
    caption = (
        f"{words.plural(len(genes), 'gene')} of the score ({parts}) in {words.plural(samples, 'sample')} of"
        f" {words.plural(people, 'person')}; the same order of persons in each block, grey where there is"
        " no sample. The sign beside a component is its weight in the score. Bars: the score of each sample;"
        f" {words.CTRA_SIGN}."
    )
    if len(sessions) > 1:
        caption += (
            f" Right: mean paired difference of z ({sessions[-1]} minus {sessions[0]}) with its 95 %"
            " interval, descriptive; tests are in the tables."
        )
    alt = (
        f"Heatmap of {len(genes)} genes by {people} persons, one block per session ({', '.join(sessions)});"
        " genes are grouped by component and persons ordered by their mean CTRA score."
    )
    return style.describe(title=_TITLE, caption=caption, alt=alt, n=people, keys=[], simulated=simulated)
