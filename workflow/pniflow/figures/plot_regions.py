"""Brain regions: estimates of left, right and left minus right as a forest, and thickness on the surface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pniflow import resources
from pniflow.figures import brain, style
from pniflow.figures.plot_paired_change import with_contrasts
from pniflow.text import labels, numbers, wording
from pniflow.text.estimates import Estimate, estimates_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_SIDES = {  # colour, marker, place beside the row's middle
    "left": (style.BLUE, "o", -0.24),
    "right": (style.VERMILLION, "s", 0.0),
    "left_minus_right": (style.GREY, "D", 0.24),
    "both": (style.BLACK, "o", 0.0),
}
_NAMES, _TOP, _ROW, _HEADING = 26.0, 21.0, 7.2, 19.0  # mm: labels, top of the forest, its rows, headings
_KINDS = ("change", "within", "between", "level")
_MOST = 4  # columns beside each other; changes at further sessions stand in the tables


class Column(NamedTuple):
    """What the estimates in a column of the forest are on."""

    kind: str
    predictor: str


class Regional(NamedTuple):
    """An estimate of a region group.

    Attributes
    ----------
    percent : array (3,)
        Estimate, low and high in percent of the mean at baseline, slopes per SD of the predictor.
    """

    row: Estimate
    region: labels.Region
    percent: np.ndarray

    @property
    def column(self) -> Column:
        """The column of the forest that it stands in."""
        return Column(self.row.tested.kind, self.row.tested.of)

    @property
    def place(self) -> tuple[str, str, str]:
        """Group, metric and atlas: the line of the forest that it stands in."""
        return self.region.group, self.region.metric, self.region.atlas

    @property
    def on_surface(self) -> bool:
        """It can be drawn on the cortical surface."""
        return brain.annotated(self.region.atlas) and self.region.side in ("left", "right")


def plot_regions(
    about: Mapping[str, Any], measures: pd.DataFrame, estimates: pd.DataFrame
) -> style.Drawn | str:
    """Draw the estimates of region groups by hemisphere, as a forest and on the cortical surface.

    All are drawn in percent of the region's mean at the first session, slopes per standard deviation of their
    predictor at the first session, so that regions and measures with different units share an axis.
    """
    sessions = wording.session_words(about)
    rows = choose_regions(with_contrasts(estimates_of(estimates), list(sessions)))
    found = in_percent(rows, measures[measures["session_id"] == next(iter(sessions))])
    if not found:
        return "No model of a brain region was fitted in this study."
    columns = columns_of(found)
    shown = [one for one in found if one.column in columns]
    left_out = len({one.column for one in found}) - len(columns)
    drawn = _draw(shown, columns, sessions)
    people = [one.row.n_participants for one in shown]
    words = _words(shown, people, left_out, sessions)
    return style.Drawn(drawn, *words, n=max(people), keys=[one.row.key for one in shown])


def choose_regions(rows: Sequence[Estimate]) -> list[tuple[Estimate, labels.Region]]:
    """Return tested rows of region groups, each with its region."""
    chosen: dict[tuple[str, str, str], tuple[Estimate, labels.Region]] = {}
    for row in rows:
        term, region = row.tested, labels.region_of(row.outcome)
        if term.kind == "level" and (region is None or region.side != "left_minus_right"):
            continue  # the mean of one side against zero is no question
        if row.family and region and term.kind in _KINDS and row.estimate is not None:
            chosen.setdefault((row.outcome, term.kind, term.of), (row, region))
    return list(chosen.values())


def in_percent(rows: Sequence[tuple[Estimate, labels.Region]], baseline: pd.DataFrame) -> list[Regional]:
    """Return the rows in percent of the mean at baseline, per SD of the predictor.

    A difference of sides is in percent of the mean of the two sides. Rows without a baseline are left out.
    """
    by_measure = baseline.groupby("measure")["value"]
    mean, spread = by_measure.mean().to_dict(), by_measure.std(ddof=1).to_dict()
    scaled = []
    for row, region in rows:
        sides = ("left", "right") if region.side == "left_minus_right" else (region.side,)
        names = [f"{region.atlas}.{region.group}.{side}.{region.metric}" for side in sides]
        level = float(np.mean([mean.get(name, np.nan) for name in names]))
        factor = 100 / level if level > 0 else np.nan
        if row.tested.kind in ("within", "between"):
            factor *= spread.get(row.tested.of, np.nan)
        scaled.append(Regional(row, region, factor * style.ends(row)))
    return [one for one in scaled if np.isfinite(one.percent[0])]


def columns_of(rows: Sequence[Regional]) -> list[Column]:
    """Return the columns: slopes and levels, and as many changes as fit beside them."""
    found = sorted(dict.fromkeys(one.column for one in rows), key=lambda column: _KINDS.index(column.kind))
    changes = [column for column in found if column.kind == "change"]
    others = found[len(changes) :]
    return [*changes[: max(_MOST - len(others), 1)], *others]


def _draw(rows: Sequence[Regional], columns: Sequence[Column], sessions: Mapping[str, str]) -> Figure:
    places = list(dict.fromkeys(one.place for one in rows))
    maps = [one for one in rows if one.on_surface]
    views = _views(maps)
    shown = [column for column in columns if any(one.column == column for one in maps)]
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
            some = [one for one in rows if one.column == column and one.region.side == side]
            if some:
                at = [places.index(one.place) + aside for one in some]
                style.intervals(axes, at, [one.percent for one in some], colour, marker, size=3.2)
                handles.setdefault(side.replace("_", " "), axes.lines[-1])
        style.few_ticks(axes, wide)
        axes.set_title(_heading(column, sessions, wide), weight="bold", size=6.5)
        per = "" if column.kind in ("change", "level") else f" per SD of {_predictor(column.predictor)}"
        axes.set_xlabel(style.wrapped(f"% of baseline{per}", wide - 2, 4))
    drawn.legend(handles.values(), handles.keys(), loc="upper left", ncols=len(handles))
    if any(column.predictor.startswith("ctra") for column in columns):
        middle = (_NAMES + style.ONE_COLUMN) / 2 / style.ONE_COLUMN
        drawn.text(middle, 1 - (beneath - 7) / height, "higher CTRA = more adverse", ha="center", size=6.5)
    if maps:
        _draw_maps(drawn, beneath, brain_height, maps, shown, views, sessions)
    return drawn


def _draw_maps(
    drawn: Figure,
    top: float,
    height: float,
    maps: Sequence[Regional],
    columns: Sequence[Column],
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

    most = max(abs(one.percent[0]) for one in maps) or 1.0
    norm, colours = Normalize(-most, most), matplotlib.colormaps[style.DIVERGING]
    atlas = maps[0].region.atlas
    parts = region_parts(atlas)
    sides = [(side, inner) for inner in views for side in ("left", "right")]
    wide = (style.ONE_COLUMN - _HEADING - 1) / len(sides)
    for line, column in enumerate(columns):
        here = [one for one in maps if one.column == column]
        for at, (side, inner) in enumerate(sides):
            axes = style.axes_at(drawn, _HEADING + at * wide, top + line * height, wide - 1, height - 2)
            values = {
                name: one.percent[0]
                for one in here
                if one.region.side == side and one.region.atlas == atlas
                for name in parts.get((one.region.group, one.region.metric), ())
            }
            brain.draw_brain(axes, side, atlas, values, norm, colours, inner)
            if line == 0:
                axes.set_title(f"{side},\n{'inner' if inner else 'outer'} side", size=6.2, pad=2)
            if at == 0:
                text = _heading(column, sessions, _HEADING - 3)
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


def _views(maps: Sequence[Regional]) -> list[bool]:
    """Return which sides of the hemisphere are worth drawing: False for the outer, True for the inner one."""
    if not maps:
        return []
    atlas = maps[0].region.atlas
    vertices, _, _, regions, names = brain.read_surface("left", atlas)
    parts = region_parts(atlas)
    middle = vertices[:, 0].mean()
    inner = set()
    for one in maps:
        members = [names.index(part) for part in parts.get((one.region.group, one.region.metric), ())]
        if members:
            inner.add(bool(vertices[np.isin(regions, members), 0].mean() > middle))
    return sorted(inner)


def _place(group: str, metric: str, atlas: str) -> str:
    what = metric.replace("_", " ").replace("gm ", "grey matter ")
    name = group.replace("_", " ")
    return f"{name[:1].upper()}{name[1:]}\n{what}"


def _predictor(name: str) -> str:
    return labels.label(name).short


def _heading(column: Column, sessions: Mapping[str, str], width: float) -> str:
    """Return what a column of the forest is about, in at most three lines of a width in millimetres."""
    kind, predictor = column
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


def _words(
    rows: Sequence[Regional], people: Sequence[int], left_out: int, sessions: Mapping[str, str]
) -> tuple[str, str]:
    """Return the caption and the alternative text."""
    columns = [one.column for one in rows]
    predictors = list(dict.fromkeys(of for kind, of in columns if of and kind != "change"))
    atlases = ", ".join(dict.fromkeys(labels.atlas(one.region.atlas) for one in rows))
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
    if any(one.on_surface for one in rows):
        caption += (
            " Below: the thickness estimates on the inflated surface; volumes of other atlases are not drawn."
        )
    parts = []
    for one in rows:
        middle, low, high = (numbers.number(end, 1) for end in one.percent)
        on = f"{labels.label(one.row.outcome).long}, {_kind(one.column, sessions)}"
        parts.append(f"{on}: {middle} % ({low} to {high})")
    alt = f"Forest plot of brain regions by hemisphere. {'; '.join(parts)}."
    return caption + style.sign(*predictors), alt


def _kind(column: Column, sessions: Mapping[str, str]) -> str:
    """Return what a row is: change (of several sessions: at which), within, between, level."""
    at = sessions.get(column.predictor, "") if column.kind == "change" else ""
    return f"{column.kind} at {at}" if at else column.kind
