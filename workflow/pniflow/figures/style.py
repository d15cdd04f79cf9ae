"""One look for all figures (a journal's sizes, colours safe for colour-blind readers), one way to files."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow import files
from pniflow.config import read_study
from pniflow.contracts import read_table
from pniflow.figures.gallery import FIGURES
from pniflow.tables import TABLES
from pniflow.text import labels, numbers

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pniflow.text.estimates import Estimate

ONE_COLUMN = 89.0  # mm, as most journals print
SMALLEST = 6.0  # pt; no text is smaller
MOST_VECTOR_LINES = 400  # beyond it persons' lines are drawn as pixels, so that files stay small

# Okabe and Ito's palette: told apart with any kind of colour vision.
BLACK, GREY, PALE, FAINT = "#000000", "#5F6468", "#B8BDC2", "#E6E8EA"
BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
)
DIVERGING = "RdBu_r"  # blue below, red above: safe for red-green colour blindness

_LOOK: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine draws the same
    "font.size": 6.5,
    "axes.titlesize": 7,
    "axes.labelsize": 6.5,
    "xtick.labelsize": 6.2,
    "ytick.labelsize": 6.2,
    "legend.fontsize": 6.2,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "axes.unicode_minus": True,
    "text.parse_math": False,  # a dollar sign in a label is a dollar sign
    "svg.fonttype": "path",
    "svg.hashsalt": "pniflow",  # ids in the file are then the same on every run
    "savefig.dpi": 300,
    "figure.dpi": 100,
}


@contextlib.contextmanager
def drawing() -> Iterator[None]:
    """Draw in the common look, whatever the user's own matplotlib settings are."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_LOOK)  # type: ignore[arg-type]
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of this size in millimetres (without pyplot, which is slow to import)."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width / 25.4, height / 25.4), layout="constrained")


def axes_at(drawn: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Return axes at this place of the figure, in millimetres from its upper left corner."""
    wide, high = 25.4 * drawn.get_figwidth(), 25.4 * drawn.get_figheight()
    return drawn.add_axes((left / wide, 1 - (top + height) / high, width / wide, height / high))


def stamp(figure: Figure, simulated: bool) -> None:
    """Say on the figure that the data are simulated, in a strip of its own at the top."""
    if simulated:
        strip = 4 / 25.4 / figure.get_figheight()
        engine = figure.get_layout_engine()
        if engine is not None:
            engine.set(rect=(0, 0, 1, 1 - strip))  # type: ignore[call-arg]
        figure.text(
            0.995,
            1 - strip / 4,
            "SIMULATED DATA",
            ha="right",
            va="top",
            size=6.5,
            weight="bold",
            color="#A33C00",
        )


def intervals(
    axes: Axes,
    places: Sequence[float] | np.ndarray,
    values: Sequence[Sequence[float] | np.ndarray] | np.ndarray,
    colour: str,
    marker: str = "o",
    filled: Sequence[bool] | np.ndarray | None = None,
    size: float = 3.8,
) -> None:
    """Draw estimates with intervals along the x axis, however many, as three artists.

    Parameters
    ----------
    places : array (n,)
        Where each stands on the y axis.
    values : array (n, 3)
        Estimate, lower and upper end; NaN is not drawn.
    filled : array (n,) of bool, optional
        Markers that are filled; the others are hollow. All, if not given.
    """
    place = np.asarray(places, dtype=float)
    middle, low, high = np.asarray(values, dtype=float).reshape(-1, 3).T
    full = np.ones(len(place), dtype=bool) if filled is None else np.asarray(filled, dtype=bool)
    ends = np.isfinite(low) & np.isfinite(high)
    axes.hlines(place[ends], low[ends], high[ends], colors=colour, linewidth=size / 3.5)
    for some, face in ((full, colour), (~full, "white")):
        if some.any():
            axes.plot(
                middle[some], place[some], marker, color=colour, markerfacecolor=face, markersize=size,
                linestyle="none",
            )  # fmt: skip


def forest(axes: Axes, label_texts: Sequence[str] | None) -> None:
    """Make axes those of a forest: labelled rows from the top, no spine, a pale grid, a line at zero."""
    zero_line(axes)
    axes.grid(axis="x", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    if label_texts is None:
        axes.set_yticks([])
    else:
        axes.set_yticks(np.arange(len(label_texts)), list(label_texts))
        axes.set_ylim(len(label_texts) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def t_quantile(df: int) -> float:
    """Return the 97.5 % quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(df, 0.975))


def shortened(text: str, longest: int = 24) -> str:
    """Return a label that fits its place: cut, with an ellipsis, where it is longer."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def wrapped(text: str, width: float, lines: int = 3) -> str:
    """Break a label into lines that fit a width in millimetres; what does not fit is cut."""
    import textwrap

    return "\n".join(
        textwrap.wrap(
            text, max(7, int(width / 1.35)), max_lines=lines, placeholder="…", break_on_hyphens=False
        )
    )


def few_ticks(axes: Axes, width: float) -> None:
    """Put round ticks on the x axis, three or more, but not many more than fit a width in millimetres."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at:.6g}".replace("-", numbers.MINUS)))
    axes.xaxis.set_major_locator(MaxNLocator(max(2, int(width / 6)), steps=[1, 2, 5, 10], min_n_ticks=3))


def head(axes: Axes, title: str, lines: Sequence[str], colour: str = BLACK) -> None:
    """Write a title and lines of text above axes, beginning above the labels of the y axis."""
    where: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "in_layout": False}
    up = 3 + 7.6 * max(len(lines), 1)  # above the end of a long label of the y axis
    size = 7 if len(title) <= 20 else 6.2
    axes.annotate(shortened(title, 25), (0, 1), (-25, up), weight="bold", size=size, color=colour, **where)
    axes.annotate("\n".join(lines), (0, 1), (-25, 3), size=SMALLEST, linespacing=1.15, **where)


def row_name(measure: str) -> str:
    """Return a measure's short label beside a row, with the CTRA's direction or what a region's number is."""
    text, region = labels.label(measure).short, labels.region_of(measure)
    about = f" ({region.metric.rpartition('_')[2]})" if region else ""
    text = shortened(text, 34 - len(about))
    return f"{text[:1].upper()}{text[1:]}{' (higher: adverse)' if measure == 'ctra' else about}"


def zero_line(axes: Axes, vertical: bool = True) -> None:
    """Draw the line of no difference."""
    draw = axes.axvline if vertical else axes.axhline
    draw(0, color=GREY, linewidth=0.7, zorder=0)


def sign(*measures: str) -> str:
    """Return the sign convention that must stand beside measures as a caption's sentence, else ""."""
    note = labels.sign_note(*measures)
    return f" {note[0].upper()}{note[1:]}." if note else ""


def ends(row: Estimate) -> np.ndarray:
    """Return an estimate with the lower and upper end of its interval, NaN where there is none."""
    return np.array([row.estimate, row.conf_low, row.conf_high], dtype=float)


@dataclass(frozen=True)
class Drawn:
    """A figure and what is said of it.

    Attributes
    ----------
    figure : Figure
        As matplotlib has it.
    caption, alt : str
        What it shows, and what it says to those who do not see it.
    n : int
        How many persons (or what else it counts) it shows.
    keys : sequence of str
        The estimates that it shows, as model/outcome/term.
    title : str
        Its title, where that is not the gallery's.
    empty : bool
        There was nothing to show; the report then says so in text only.
    """

    figure: Figure
    caption: str
    alt: str
    n: int
    keys: Sequence[str] = ()
    title: str = ""
    empty: bool = False


def command_of(name: str) -> Callable[..., None]:
    """Return the command of a figure: it reads the figure's tables, draws it and writes it.

    Its function takes the checked study.yaml (`about`), then each table that the gallery lists: a frame by
    its contract, or the path of what has none. It returns a sentence where there is nothing to show.
    """
    module = importlib.import_module(f"pniflow.figures.plot_{name}")
    shown: Callable[..., Drawn | str] = getattr(module, f"plot_{name}")

    def command(
        *, tables: Mapping[str, Path], study: Path, figure: Path, image: Path, description: Path
    ) -> None:
        about = read_study(study)
        with drawing():
            drawn = shown(about, **{table: _read(path, table) for table, path in tables.items()})
            if isinstance(drawn, str):
                drawn = _empty(drawn)
            title, simulated = drawn.title or FIGURES[name].title, bool(about["simulated"])
            stamp(drawn.figure, simulated)
            _write(drawn.figure, title, figure, image)
        words = {
            "figure": Path(figure).name,
            "image": Path(image).name,
            "title": title,
            "caption": drawn.caption,
            "alt": drawn.alt,
            "n": int(drawn.n),
            "keys": list(dict.fromkeys(drawn.keys)),
            "simulated": simulated,
            "empty": drawn.empty,
        }
        files.write_json(description, words)

    command.__module__, command.__name__ = shown.__module__, shown.__name__
    command.__doc__ = f"{(inspect.getdoc(shown) or '').partition(_SECTION)[0]}{_SECTION}{_OPTIONS}"
    return command


_SECTION = "\n\nParameters\n----------\n"
_OPTIONS = """tables : mapping of str to path
    What it reads.
study : Path
    study.yaml.
figure, image, description : Path
    The figure as SVG, as PNG, and its caption, alternative text and keys as JSON.
"""


def _read(path: Path, name: str) -> pd.DataFrame | Path:
    """Read a table by its contract; it knows its file, for sentences. What has no contract is its path."""
    if TABLES[name].about:
        return path
    frame = read_table(path, TABLES[name].schema)
    frame.attrs["file"] = str(path)
    return frame


def _empty(sentence: str) -> Drawn:
    """Draw the sentence that says why there is nothing to show."""
    drawn = new_figure(ONE_COLUMN, 25)
    drawn.text(0.5, 0.5, sentence, ha="center", va="center", wrap=True)
    return Drawn(drawn, sentence, sentence, 0, empty=True)


def _write(drawn: Figure, title: str, figure: Path, image: Path) -> None:
    """Write a figure as SVG and PNG; no dates, so the bytes repeat."""
    engine = drawn.get_layout_engine()
    if engine is not None and any(axes.get_subplotspec() for axes in drawn.axes):  # once for both files
        engine.execute(drawn)
    drawn.set_layout_engine(None)  # "none" would draw once more before each file
    vector, raster = io.BytesIO(), io.BytesIO()
    drawn.savefig(vector, format="svg", metadata={"Date": None, "Creator": None, "Title": title})
    drawn.savefig(
        raster,
        format="png",
        metadata={"Software": None, "Title": title},
        pil_kwargs={"compress_level": 4},  # half the time of the default for a tenth more bytes
    )
    files.write_bytes(figure, vector.getvalue())
    files.write_bytes(image, raster.getvalue())
