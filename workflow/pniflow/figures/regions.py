"""Brain regions: estimates of left, right and left minus right as a forest, and thickness on the surface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow import files, resources, words
from pniflow.config import read_study
from pniflow.figures import brain, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_TITLE = "Brain regions by hemisphere"
_SIDES = {  # colour, marker, place beside the row's middle
    "left": (style.BLUE, "o", -0.24),
    "right": (style.ORANGE, "s", 0.0),
    "left_minus_right": (style.GREY, "D", 0.24),
    "both": (style.BLACK, "o", 0.0),
}
_KINDS = ("change", "within", "between", "level")


def plot_regions(
    *, measures: Path, estimates: Path, study: Path, figure: Path, image: Path, description: Path
) -> None:
    """Draw the estimates of region groups by hemisphere, as a forest and on the cortical surface.

    All are drawn in percent of the region's mean at the first session, slopes per standard deviation of their
    predictor at the first session, so that regions and measures with different units share an axis.

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
    rows = words.estimate_rows(files.read_table(estimates, "estimates"))
    shown = choose_regions(rows, len(about["sessions"]))
    table = files.read_table(measures, "measures")
    shown = in_percent(shown, table[table["session_id"] == next(iter(about["sessions"]))])
    paths = {"figure": figure, "image": image, "description": description}
    if not shown:
        sentence = "No model of a brain region was fitted in this study."
        style.save_empty(_TITLE, sentence, about["simulated"], **paths)
        return
    with style.drawing():
        drawn = _draw(shown, list(words.session_words(about).values()))
        style.save(drawn, _describe(shown, about["simulated"]), **paths)


def choose_regions(rows: Sequence[Mapping[str, Any]], sessions: int) -> list[dict[str, Any]]:
    """Return tested rows of region groups, with `kind`, `predictor` and `region` added."""
    chosen: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        term, region = words.term_of(row["term"], sessions), words.region_of(row["outcome"])
        if term.kind == "level" and (region is None or region.side != "left_minus_right"):
            continue  # the mean of one side against zero is no question
        if row.get("family") and region and term.kind in _KINDS and words.given(row["estimate"]):
            added = {**row, "kind": term.kind, "predictor": term.of, "region": region}
            chosen.setdefault((row["outcome"], term.kind, term.of), added)
    return list(chosen.values())


def in_percent(rows: Sequence[Mapping[str, Any]], baseline: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows with `percent` (estimate, low, high) of the mean at baseline, per SD of the predictor.

    A difference of sides is in percent of the mean of the two sides. Rows without a baseline are left out.
    """
    by_measure = baseline.groupby("measure")["value"]
    mean, spread = by_measure.mean().to_dict(), by_measure.std(ddof=1).to_dict()
    scaled = []
    for row in rows:
        region = row["region"]
        sides = ("left", "right") if region.side == "left_minus_right" else (region.side,)
        names = [f"{region.atlas}.{region.group}.{side}.{region.metric}" for side in sides]
        level = float(np.mean([mean.get(name, np.nan) for name in names]))
        factor = 100 / level if level > 0 else np.nan
        if row["kind"] in ("within", "between"):
            factor *= spread.get(row["predictor"], np.nan)
        percent = [
            factor * row[name] if words.given(row[name]) else np.nan
            for name in ("estimate", "conf_low", "conf_high")
        ]
        if np.isfinite(percent[0]):
            scaled.append({**row, "percent": percent})
    return scaled


def _draw(rows: Sequence[Mapping[str, Any]], sessions: Sequence[str]) -> Figure:
    from matplotlib.lines import Line2D

    places = list(
        dict.fromkeys((row["region"].group, row["region"].metric, row["region"].atlas) for row in rows)
    )
    columns = sorted(
        dict.fromkeys((row["kind"], row["predictor"]) for row in rows),
        key=lambda column: _KINDS.index(column[0]),
    )
    maps = [row for row in rows if _on_surface(row)]
    views = _views(maps)
    width = style.TWO_COLUMNS
    heights = [9.0 * len(places) + 14] + [24.0] * len(views)
    drawn = style.new_figure(width, sum(heights) + 12 + (10 if maps else 0))
    grid = drawn.add_gridspec(len(heights), 2 * len(columns), height_ratios=heights)
    first = None
    for number, column in enumerate(columns):
        axes = drawn.add_subplot(grid[0, 2 * number : 2 * number + 2], sharey=first)
        first = first or axes
        style.zero_line(axes)
        for row in rows:
            if (row["kind"], row["predictor"]) != column:
                continue
            colour, marker, aside = _SIDES[row["region"].side]
            at = places.index((row["region"].group, row["region"].metric, row["region"].atlas)) + aside
            middle, low, high = row["percent"]
            axes.plot([low, high], [at, at], color=colour, linewidth=1.1)
            axes.plot(middle, at, marker, color=colour, markersize=3.8)
        axes.set_ylim(len(places) - 0.4, -0.6)
        axes.set_title(_heading(*column, sessions), weight="bold", size=6.8)
        axes.set_xlabel(
            "% of baseline mean"
            + ("" if column[0] in ("change", "level") else f" per SD of {_predictor(column[1])}")
        )
        axes.grid(axis="x", color="#E6E8EA", linewidth=0.5)
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0, labelleft=number == 0)
        axes.spines["left"].set_visible(False)
    if first is not None:
        first.set_yticks(np.arange(len(places)), [_place(*place) for place in places])
    used = [side for side in _SIDES if any(row["region"].side == side for row in rows)]
    handles = [Line2D([], [], color=_SIDES[s][0], marker=_SIDES[s][1], markersize=3.8) for s in used]
    drawn.legend(handles, [s.replace("_", " ") for s in used], loc="outside upper left", ncols=len(used))
    if maps:
        _draw_maps(drawn, grid, maps, columns, views)
    return drawn


def _draw_maps(
    drawn: Any, grid: Any, maps: Sequence[Mapping[str, Any]], columns: Sequence[Any], views: Sequence[bool]
) -> None:
    """Draw under each column of the forest the left and right surface in the colours of its estimates."""
    import matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    most = max(abs(row["percent"][0]) for row in maps) or 1.0
    norm, colours = Normalize(-most, most), matplotlib.colormaps[style.DIVERGING]
    atlas = maps[0]["region"].atlas
    parts = region_parts(atlas)
    all_axes = []
    for line, inner in enumerate(views, start=1):
        for number, column in enumerate(columns):
            for offset, side in enumerate(("left", "right")):
                axes = drawn.add_subplot(grid[line, 2 * number + offset])
                values = {
                    part: row["percent"][0]
                    for row in maps
                    if (row["kind"], row["predictor"]) == column
                    and row["region"].side == side
                    and row["region"].atlas == atlas
                    for part in parts.get((row["region"].group, row["region"].metric), ())
                }
                brain.draw_brain(axes, side, atlas, values, norm, colours, inner)
                axes.set_title(f"{side}, {'inner' if inner else 'outer'} side", size=6, pad=2)
                all_axes.append(axes)
    bar = drawn.colorbar(
        ScalarMappable(norm, colours), ax=all_axes, location="bottom", fraction=0.08, aspect=60, pad=0.02
    )
    bar.set_label("thickness on the surface, % as in the column above (blue: less, red: more)")
    bar.outline.set_linewidth(0.4)


def region_parts(atlas: str) -> dict[tuple[str, str], list[str]]:
    """Return (group, metric) -> its regions in the annotation (`resources/atlases/groups.tsv`)."""
    table = files.read_table(resources.find("atlases", "groups"))
    table = table[table["atlas"] == atlas]
    parts: dict[tuple[str, str], list[str]] = {}
    for group, metric, region in zip(table["group"], table["metric"], table["region"], strict=True):
        parts.setdefault((group, metric), []).append(region)
    return parts


def _on_surface(row: Mapping[str, Any]) -> bool:
    return brain.annotated(row["region"].atlas) and row["region"].side in ("left", "right")


def _views(maps: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Return which sides of the hemisphere are worth drawing: False for the outer, True for the inner one."""
    if not maps:
        return []
    atlas = maps[0]["region"].atlas
    vertices, _, _, labels, names = brain.read_surface("left", atlas)
    parts = region_parts(atlas)
    middle = vertices[:, 0].mean()
    inner = set()
    for row in maps:
        members = [names.index(part) for part in parts.get((row["region"].group, row["region"].metric), ())]
        if members:
            inner.add(bool(vertices[np.isin(labels, members), 0].mean() > middle))
    return sorted(inner)


def _place(group: str, metric: str, atlas: str) -> str:
    what = metric.replace("_", " ").replace("gm ", "grey matter ")
    return f"{group.replace('_', ' ')}\n{what}"


def _predictor(name: str) -> str:
    return words.label(name).short


def _heading(kind: str, predictor: str, sessions: Sequence[str]) -> str:
    if kind == "level":
        return "Asymmetry\n(against zero)"
    if kind == "change":
        last = predictor.removeprefix("ses-") if predictor else sessions[-1]
        return f"Change\n({last} minus {sessions[0]})"
    return f"On {_predictor(predictor)}\n({kind} persons)"


def _describe(rows: Sequence[Mapping[str, Any]], simulated: bool) -> dict[str, Any]:
    people = [int(row["n_participants"]) for row in rows]
    predictors = list(
        dict.fromkeys(row["predictor"] for row in rows if row["predictor"] and row["kind"] != "change")
    )
    atlases = ", ".join(dict.fromkeys(row["region"].atlas for row in rows))
    caption = (
        "Estimates with 95 % confidence intervals for region groups on the left, on the right, and their"
        " difference (left minus right), in percent of the region's mean at the first session: so all regions"
        " share an axis."
    )
    if predictors:
        named = " and ".join(_predictor(name) for name in predictors)
        caption += (
            f" Slopes are per standard deviation of {named} at the first session, within persons (from"
            " session to"
            " session) and between persons (their means)."
        )
    caption += f" Atlases: {atlases}. {words.persons(people)}."
    if any(_on_surface(row) for row in rows):
        caption += (
            " Below: the thickness estimates on the inflated surface; volumes of other atlases are not drawn."
        )
    sign = words.sign_note(*predictors)
    caption += f" {sign[0].upper()}{sign[1:]}." if sign else ""
    alt = "; ".join(
        f"{words.label(row['outcome']).long}, {row['kind']}: {words.number(row['percent'][0], 1)} %"
        f" ({words.number(row['percent'][1], 1)} to {words.number(row['percent'][2], 1)})"
        for row in rows
    )
    return style.describe(
        title=_TITLE,
        caption=caption,
        alt=f"Forest plot of brain regions by hemisphere. {alt}.",
        n=max(people),
        keys=[row["key"] for row in rows],
        simulated=simulated,
    )
