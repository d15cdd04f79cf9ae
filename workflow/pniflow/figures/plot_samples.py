"""Quality of the blood samples: how deep, how even, how like the others, and which are notable."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pniflow.figures import style
from pniflow.text import numbers, wording

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_FEW = 8  # more flagged samples are counted, not named


class Panel(NamedTuple):
    """One measure of quality: column, factor to what is shown, axis, and the flags that speak of it."""

    column: str
    factor: float
    axis: str
    flags: tuple[str, ...]
    decades: bool = False


PANELS = (
    Panel(
        "library_size",
        1e-6,
        "library size (million reads)",
        ("fewer than 5 million reads", "outlying library size"),
        True,
    ),
    Panel("detected_genes", 1.0, "detected genes", ("outlying number of detected genes",)),
    Panel("top_gene_share", 100.0, "share of the most expressed gene (%)", ("outlying share of one gene",)),
    Panel("reference_level", 1.0, "mean of the reference genes", ("outlying reference genes",), True),
    Panel(
        "profile_correlation",
        1.0,
        "correlation with the other samples' mean profile",
        ("outlying profile", "profile correlation below 0.85"),
    ),
)


def plot_samples(about: Mapping[str, Any], sample_quality: pd.DataFrame) -> style.Drawn | str:
    """Draw each blood sample's library size, detected genes, reference genes and profile, and name flags."""
    table, left = sample_quality, 0
    if "excluded" in table:
        left = int(table["excluded"].notna().sum())
        table = table[table["excluded"].isna()]
    unit = about.get("expression", {}).get("unit")
    panels = [_named(panel, table, unit) for panel in PANELS if table[panel.column].notna().any()]
    if not panels:
        return "Nothing is known of the samples' quality."
    there = set(table["session_id"])
    sessions = {name: text for name, text in wording.session_words(about).items() if name in there}
    listed = flag_lines(table)
    heights = [12.0 + 3.2 * len(sessions)] * len(panels) + [3.6 * len(listed) + 5]
    drawn = style.new_figure(style.ONE_COLUMN, 6 + sum(heights))
    *upper, last = drawn.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axes, panel in zip(upper, panels, strict=True):
        _draw_panel(axes, table, panel, sessions)
    _write_flags(last, listed)
    words = _words(table, panels, list(sessions.values()), left)
    return style.Drawn(drawn, *words, n=table["participant_id"].nunique())


def flagged(table: pd.DataFrame, flags: Sequence[str]) -> np.ndarray:
    """Tell which samples have one of these flags."""
    return np.array(
        [bool(set(cell.split("; ")) & set(flags)) for cell in table["flags"].fillna("")], dtype=bool
    )


def flag_lines(table: pd.DataFrame, width: int = 66) -> list[str]:
    """Return the lines that name flagged samples and what is notable of each."""
    notable = table.dropna(subset=["flags"])
    if notable.empty:
        return [f"No flag on any of {numbers.plural(len(table), 'sample')}."]
    named = notable.head(_FEW)
    lines: list[str] = []
    for sample, flags in zip(named["sample_id"], named["flags"], strict=True):
        lines += textwrap.wrap(f"{sample}: {flags}", width, subsequent_indent="   ")
    rest = len(notable) - len(named)
    return [*lines, f"and {numbers.plural(rest, 'more sample')} (sample_quality.tsv)"] if rest else lines


def _draw_panel(axes: Axes, table: pd.DataFrame, panel: Panel, sessions: Mapping[str, str]) -> None:
    """Draw a row of points per session; samples flagged for this measure stand out and are named."""
    values = table[panel.column].to_numpy(dtype=float) * panel.factor
    row = table["session_id"].map({name: place for place, name in enumerate(sessions)}).to_numpy(dtype=float)
    # Points of a row are spread evenly, in an order that has nothing to do with their values.
    height = row + 0.6 * ((np.arange(len(values)) * 0.618034) % 1 - 0.5)
    marked = flagged(table, panel.flags)
    alpha = float(np.clip(40 / max(len(values), 1), 0.15, 0.8))
    axes.plot(values[~marked], height[~marked], "o", color=style.GREY, markersize=2.6, alpha=alpha, mew=0)
    axes.plot(values[marked], height[marked], "D", color=style.VERMILLION, markersize=3.2)
    if (
        panel.decades
        and (values[np.isfinite(values)] > 0).all()
        and np.nanmax(values) > 5 * np.nanmin(values)
    ):
        axes.set_xscale("log")
    else:
        style.few_ticks(axes, 40)
    if 0 < marked.sum() <= _FEW:
        for place in np.flatnonzero(marked):
            axes.annotate(
                table["sample_id"].iloc[place], (values[place], height[place]), (0, 3),
                textcoords="offset points", ha="center", color=style.VERMILLION, size=style.SMALLEST,
            )  # fmt: skip
    axes.set_yticks(range(len(sessions)), list(sessions.values()), size=style.SMALLEST)
    axes.set_ylim(len(sessions) - 0.4, -0.75)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=style.FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel(panel.axis)


def _named(panel: Panel, table: pd.DataFrame, unit: str | None) -> Panel:
    """Return the panel with its measure in words; the reference genes of counts and TPM are per million."""
    linear = panel.column == "reference_level" and table["top_gene_share"].notna().any()
    per_million = linear and unit != "intensity"
    return panel._replace(axis=f"{panel.axis} (per million)") if per_million else panel


def _rounded(value: float) -> str:
    """Return a number with three digits; of a large one all that stand before the point."""
    text = f"{value:.3g}" if abs(value) < 999.5 else f"{value:.0f}"
    return text.replace("-", numbers.MINUS)


def _write_flags(axes: Axes, lines: Sequence[str]) -> None:
    """Write the list of flags below the panels."""
    axes.set_axis_off()
    from matplotlib.transforms import blended_transform_factory

    where = blended_transform_factory(axes.figure.transFigure, axes.transAxes)
    axes.text(0.01, 1, "\n".join(lines), transform=where, va="top", size=style.SMALLEST, in_layout=False)


def _words(
    table: pd.DataFrame, panels: Sequence[Panel], sessions: Sequence[str], left: int
) -> tuple[str, str]:
    """Return the caption and the alternative text."""
    notable = table["flags"].notna().sum()
    caption = (
        f"Each point is one of {numbers.plural(len(table), 'blood sample')}, a row per session; points are"
        " spread within a row so that they can be told apart. Red diamonds, with the sample's name: flagged"
        " for this measure. Flags mark a sample, none drops it."
    )
    if left:
        caption += f" {numbers.plural(left, 'sample')} that the study excludes"
        caption += " is not shown." if left == 1 else " are not shown."
    spans = []
    for panel in panels:
        values = table[panel.column].to_numpy(dtype=float) * panel.factor
        spans.append(f"{panel.axis} {_rounded(np.nanmin(values))} to {_rounded(np.nanmax(values))}")
    alt = (
        f"Points of {numbers.plural(len(table), 'blood sample')} by session ({', '.join(sessions)}):"
        f" {'; '.join(spans)}. Samples with a flag: {notable}."
    )
    return caption, alt
