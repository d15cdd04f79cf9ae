"""One look for all figures: sizes of a journal page, colours safe for colour-blind readers, stable bytes."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pniflow import files

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ONE_COLUMN, TWO_COLUMNS = 88.0, 180.0  # mm, as most journals print

# Okabe and Ito's palette: told apart with any kind of colour vision.
BLACK, GREY, PALE = "#000000", "#5F6468", "#B8BDC2"
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
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
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


def zero_line(axes: Axes, vertical: bool = True) -> None:
    """Draw the line of no difference."""
    draw = axes.axvline if vertical else axes.axhline
    draw(0, color=GREY, linewidth=0.7, zorder=0)


def describe(
    *, title: str, caption: str, alt: str, n: int, keys: Sequence[str], simulated: bool, empty: bool = False
) -> dict[str, Any]:
    """Return what goes with a figure: caption, alternative text, n, keys of the estimates shown."""
    return {
        "title": title,
        "caption": caption,
        "alt": alt,
        "n": int(n),
        "keys": list(dict.fromkeys(keys)),
        "simulated": bool(simulated),
        "empty": empty,
    }


def save(drawn: Figure, about: Mapping[str, Any], *, figure: Path, image: Path, description: Path) -> None:
    """Write a figure as SVG and PNG and its description as JSON; no dates, so the bytes repeat."""
    stamp(drawn, about["simulated"])
    engine = drawn.get_layout_engine()
    if engine is not None and drawn.axes:  # lay out once for both files
        engine.execute(drawn)
    drawn.set_layout_engine("none")
    vector, raster = io.BytesIO(), io.BytesIO()
    drawn.savefig(vector, format="svg", metadata={"Date": None, "Creator": None, "Title": about["title"]})
    drawn.savefig(raster, format="png", metadata={"Software": None, "Title": about["title"]})
    files.write_bytes(figure, vector.getvalue())
    files.write_bytes(image, raster.getvalue())
    files.write_json(description, {"figure": Path(figure).name, "image": Path(image).name, **about})


def save_empty(title: str, sentence: str, simulated: bool, **paths: Path) -> None:
    """Write a figure that says why there is nothing to show; the report then says so in text only."""
    with drawing():
        drawn = new_figure(ONE_COLUMN, 25)
        drawn.text(0.5, 0.5, sentence, ha="center", va="center", wrap=True)
        about = describe(
            title=title, caption=sentence, alt=sentence, n=0, keys=[], simulated=simulated, empty=True
        )
        save(drawn, about, **paths)
