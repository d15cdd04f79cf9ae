"""Brain regions: estimates of left, right and left minus right as a forest, and thickness on the surface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow import contracts, resources
from pniflow.config import read_study
from pniflow.figures import brain, style
from pniflow.figures.gallery import FIGURES
from pniflow.figures.plot_paired_change import with_contrasts
from pniflow.text import labels, numbers, wording

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_TITLE = FIGURES["regions"].title
_SIDES = {  # colour, marker, place beside the row's middle
    "left": (style.BLUE, "o", -0.24),
    "right": (style.VERMILLION, "s", 0.0),
    "left_minus_right": (style.GREY, "D", 0.24),
    "both": (style.BLACK, "o", 0.0),
}
_NAMES, _TOP, _ROW, _HEADING = 26.0, 21.0, 7.2, 19.0  # mm: labels, top of the forest, its rows, headings
_KINDS = ("change", "within", "between", "level")
_MOST = 4  # columns beside each other; changes at further sessions stand in the tables


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
    sessions = wording.session_words(about)
    rows = with_contrasts(wording.estimate_rows(contracts.read_table(estimates, "estimates")), list(sessions))
    shown = choose_regions(rows)
    table = contracts.read_table(measures, "measures")
    shown = in_percent(shown, table[table["session_id"] == next(iter(about["sessions"]))])
    paths = {"figure": figure, "image": image, "description": description}
    if not shown:
        sentence = "No model of a brain region was fitted in this study."
        style.save_empty(_TITLE, sentence, about["simulated"], **paths)
        return
    columns = columns_of(shown)
    left_out = len({(row["kind"], row["predictor"]) for row in shown}) - len(columns)
    shown = [row for row in shown if (row["kind"], row["predictor"]) in columns]
    with style.drawing():
        drawn = _draw(shown, columns, sessions)
        style.save(drawn, _describe(shown, left_out, sessions, about["simulated"]), **paths)


def choose_regions(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return tested rows of region groups, with `kind`, `predictor` and `region` added."""
    chosen: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        term, region = wording.row_term(row), labels.region_of(row["outcome"])
        if term.kind == "level" and (region is None or region.side != "left_minus_right"):
            continue  # the mean of one side against zero is no question
        if row.get("family") and region and term.kind in _KINDS and numbers.given(row["estimate"]):
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
            factor * row[name] if numbers.given(row[name]) else np.nan
            for name in ("estimate", "conf_low", "conf_high")
        ]
        if np.isfinite(percent[0]):
            scaled.append({**row, "percent": percent})
    return scaled


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return (kind, predictor) of the columns: slopes and levels, and as many changes as fit beside them."""
    found = sorted(
        dict.fromkeys((row["kind"], row["predictor"]) for row in rows),
        key=lambda column: _KINDS.index(column[0]),
    )
    changes = [column for column in found if column[0] == "change"]
    others = found[len(changes) :]
    return [*changes[: max(_MOST - len(others), 1)], *others]


def _draw(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[tuple[str, str]], sessions: Mapping[str, str]
) -> Figure:
    places = list(
        dict.fromkeys((row["region"].group, row["region"].metric, row["region"].atlas) for row in rows)
    )
    maps = [row for row in rows if _on_surface(row)]
    views = _views(maps)
    shown = [column for column in columns if any((row["kind"], row["predictor"]) == column for row in maps)]
    tall, brain_height = _ROW * len(places), 25.0 / max(len(views), 1)
    beneath = _TOP + tall + 30
    height = beneath + len(shown) * brain_height + (16 if shown else 0)
    drawn = style.new_figure(style.ONE_COLUMN, height)
    wide = (style.ONE_COLUMN - _NAMES - 2) / len(columns)
    grid = [style.axes_at(drawn, _NAMES + at * wide, _TOP, wide - 3, tall) for at in range(len(columns))]
    handles: dict[str, Any] = {}
    for axes, column in zip(grid, columns, strict=True):
        style.forest(axes, [_place(*place) for place in places])
        axes.tick_params(axis="y", labelleft=axes is grid[0])
        for side, (colour, marker, aside) in _SIDES.items():
            some = [
                row for row in rows
                if (row["kind"], row["predictor"]) == column and row["region"].side == side
            ]  # fmt: skip
            if some:
                at = [
                    places.index((row["region"].group, row["region"].metric, row["region"].atlas)) + aside
                    for row in some
                ]
                style.intervals(axes, at, [row["percent"] for row in some], colour, marker, size=3.2)
                handles.setdefault(side.replace("_", " "), axes.lines[-1])
        style.few_ticks(axes, wide)
        axes.set_title(_heading(*column, sessions, wide), weight="bold", size=6.5)
        per = "" if column[0] in ("change", "level") else f" per SD of {_predictor(column[1])}"
        axes.set_xlabel(style.wrapped(f"% of baseline{per}", wide - 2, 4))
    drawn.legend(handles.values(), handles.keys(), loc="upper left", ncols=len(handles))
    if any(predictor.startswith("ctra") for _, predictor in columns):
        middle = (_NAMES + style.ONE_COLUMN) / 2 / style.ONE_COLUMN
        drawn.text(middle, 1 - (beneath - 7) / height, "higher CTRA = more adverse", ha="center", size=6.5)
    if maps:
        _draw_maps(drawn, beneath, brain_height, maps, shown, views, sessions)
    return drawn


def _draw_maps(
    drawn: Figure,
    top: float,
    height: float,
    maps: Sequence[Mapping[str, Any]],
    columns: Sequence[tuple[str, str]],
    views: Sequence[bool],
    sessions: Mapping[str, str],
) -> None:
    """Draw for each column of the forest the left and right surface in the colours of its estimates.

    Parameters
    ----------
    top, height : float
        Where the first line of brains begins and how high each is, in millimetres.
    """
    import matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    most = max(abs(row["percent"][0]) for row in maps) or 1.0
    norm, colours = Normalize(-most, most), matplotlib.colormaps[style.DIVERGING]
    atlas = maps[0]["region"].atlas
    parts = region_parts(atlas)
    sides = [(side, inner) for inner in views for side in ("left", "right")]
    wide = (style.ONE_COLUMN - _HEADING - 1) / len(sides)
    for line, column in enumerate(columns):
        here = [row for row in maps if (row["kind"], row["predictor"]) == column]
        for at, (side, inner) in enumerate(sides):
            axes = style.axes_at(drawn, _HEADING + at * wide, top + line * height, wide - 1, height - 2)
            values = {
                name: row["percent"][0]
                for row in here
                if row["region"].side == side and row["region"].atlas == atlas
                for name in parts.get((row["region"].group, row["region"].metric), ())
            }
            brain.draw_brain(axes, side, atlas, values, norm, colours, inner)
            if line == 0:
                axes.set_title(f"{side},\n{'inner' if inner else 'outer'} side", size=6.2, pad=2)
            if at == 0:
                text = _heading(column[0], column[1], sessions, _HEADING - 3)
                axes.annotate(
                    text, (0, 0.5), (-_HEADING * 72 / 25.4 + 3, 0), xycoords="axes fraction",
                    textcoords="offset points", va="center", weight="bold", size=6.2,
                )  # fmt: skip
    beside = style.axes_at(drawn, 12, top + len(columns) * height + 3, style.ONE_COLUMN - 24, 2)
    bar = drawn.colorbar(ScalarMappable(norm, colours), cax=beside, orientation="horizontal")
    bar.set_label("thickness on the surface, % as above (blue: less, red: more)")
    bar.outline.set_linewidth(0.4)


def region_parts(atlas: str) -> dict[tuple[str, str], list[str]]:
    """Return (group, metric) -> its regions in the annotation (`resources/atlases/groups.tsv`)."""
    parts: dict[tuple[str, str], list[str]] = {}
    for row in resources.rows("atlases", "groups", "group", "atlas", "metric"):
        if row["atlas"] == atlas:
            parts.setdefault((row["group"], row["metric"]), []).append(row["region"])
    return parts


def _on_surface(row: Mapping[str, Any]) -> bool:
    return brain.annotated(row["region"].atlas) and row["region"].side in ("left", "right")


def _views(maps: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Return which sides of the hemisphere are worth drawing: False for the outer, True for the inner one."""
    if not maps:
        return []
    atlas = maps[0]["region"].atlas
    vertices, _, _, label_texts, names = brain.read_surface("left", atlas)
    parts = region_parts(atlas)
    middle = vertices[:, 0].mean()
    inner = set()
    for row in maps:
        members = [names.index(part) for part in parts.get((row["region"].group, row["region"].metric), ())]
        if members:
            inner.add(bool(vertices[np.isin(label_texts, members), 0].mean() > middle))
    return sorted(inner)


def _place(group: str, metric: str, atlas: str) -> str:
    what = metric.replace("_", " ").replace("gm ", "grey matter ")
    name = group.replace("_", " ")
    return f"{name[:1].upper()}{name[1:]}\n{what}"


def _predictor(name: str) -> str:
    return labels.label(name).short


def _heading(kind: str, predictor: str, sessions: Mapping[str, str], width: float) -> str:
    """Return what a column of the forest is about, in at most three lines of a width in millimetres."""
    label_texts = list(sessions.values())
    first, last = label_texts[0], label_texts[-1]
    if kind == "level":
        text = "Asymmetry (against zero)"
    elif kind == "change":
        known = predictor or len(sessions) == 2  # else whichever two sessions the region was measured at
        text = f"{sessions.get(predictor, last)} minus {first}" if known else "between two sessions"
        text = style.wrapped(text, width)
        return f"Change\n{text}"
    else:
        text = f"On {_predictor(predictor)} ({kind} persons)"
    return style.wrapped(text, width)


def _describe(
    rows: Sequence[Mapping[str, Any]], left_out: int, sessions: Mapping[str, str], simulated: bool
) -> dict[str, Any]:
    people = [int(row["n_participants"]) for row in rows]
    predictors = list(
        dict.fromkeys(row["predictor"] for row in rows if row["predictor"] and row["kind"] != "change")
    )
    atlases = ", ".join(dict.fromkeys(labels.atlas(row["region"].atlas) for row in rows))
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
    if left_out:
        caption += " Changes at further sessions stand in the tables."
    caption += f" Atlases: {atlases}. {numbers.persons(people)}."
    if any(_on_surface(row) for row in rows):
        caption += (
            " Below: the thickness estimates on the inflated surface; volumes of other atlases are not drawn."
        )
    sign = labels.sign_note(*predictors)
    caption += f" {sign[0].upper()}{sign[1:]}." if sign else ""
    alt = "; ".join(
        f"{labels.label(row['outcome']).long}, {_kind(row, sessions)}:"
        f" {numbers.number(row['percent'][0], 1)} %"
        f" ({numbers.number(row['percent'][1], 1)} to {numbers.number(row['percent'][2], 1)})"
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


def _kind(row: Mapping[str, Any], sessions: Mapping[str, str]) -> str:
    """Return what a row is: change (of several sessions: at which), within, between, level."""
    at = sessions.get(row["predictor"], "") if row["kind"] == "change" else ""
    return f"{row['kind']} at {at}" if at else row["kind"]
