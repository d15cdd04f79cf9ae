"""Participants from enrolment to what can be used, branch by branch, counted from the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pniflow import files, words
from pniflow.config import read_study
from pniflow.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE = "Flow of participants"
BRANCHES = {
    "questionnaires": "Questionnaires",
    "assays": "Assays",
    "expression": "Gene expression",
    "imaging": "MRI",
    "freesurfer": "FreeSurfer",
    "lesions": "Lesions",
}
Counts = Mapping[tuple[str, str, str], int]


def plot_flow(*, flow: Path, study: Path, figure: Path, image: Path, description: Path) -> None:
    """Draw how many participants were enrolled, assessed and usable, in each branch at each session.

    Parameters
    ----------
    flow : Path
        Flow (contract flow).
    study : Path
        study.yaml.
    figure, image, description : Path
        The figure as SVG, as PNG, and its caption as JSON.
    """
    about = read_study(study)
    counts = counts_of(words.records(files.read_table(flow, "flow")))
    sessions = words.session_words(about)
    branches = [name for name in BRANCHES if any(branch == name for _, branch, _ in counts)]
    with style.drawing():
        width = style.TWO_COLUMNS if len(branches) > 2 else style.ONE_COLUMN
        drawn = style.new_figure(width, 34 + 17 * len(sessions))
        axes = drawn.add_subplot()
        axes.set(xlim=(0, max(len(branches), 1)), ylim=(-len(sessions) - 1.9, 1), xticks=[], yticks=[])
        axes.set_axis_off()
        _draw_all(axes, counts, branches, sessions)
        text = _describe(counts, branches, sessions, about["simulated"])
        style.save(drawn, text, figure=figure, image=image, description=description)


def counts_of(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str, str], int]:
    """Return (step, branch, session or "") -> participants, of the counts that were recorded."""
    return {
        (row["step"], row["branch"], row["session_id"] if words.given(row["session_id"]) else ""): int(
            row["n"]
        )
        for row in rows
        if words.given(row["n"])
    }


def _draw_all(axes: Axes, counts: Counts, branches: Sequence[str], sessions: Mapping[str, str]) -> None:
    middle = max(len(branches), 1) / 2
    lines = [f"Enrolled: {counts.get(('enrolled', 'all', ''), 0)}"]
    for step in ("course completed", "course not completed"):
        if (step, "all", "") in counts:
            lines.append(f"{step}: {counts[step, 'all', '']}")
    _box(axes, middle, 0.45, "\n".join(lines), style.BLACK)
    for place, branch in enumerate(branches):
        centre = place + 0.5
        axes.plot([middle, centre], [0.2, -0.42], color=style.GREY, linewidth=0.7, zorder=0)
        axes.text(centre, -0.6, BRANCHES[branch], ha="center", va="center", weight="bold", size=7.5)
        for line, (session, label) in enumerate(sessions.items(), start=1):
            numbers = {
                step: counts.get((step, branch, session)) for step in ("assessed", "excluded", "usable")
            }
            if numbers["assessed"] is None:
                continue
            text = f"{label}\nassessed {numbers['assessed']}"
            if numbers["excluded"]:
                text += f", excluded {numbers['excluded']}"
            _box(axes, centre, -0.3 - line, f"{text}\nusable {numbers['usable']}", style.BLUE)
        complete = counts.get(("complete", branch, ""))
        if complete is not None and len(sessions) > 1:
            _box(axes, centre, -1.3 - len(sessions), f"every session: {complete}", style.GREEN)


def _box(axes: Axes, x: float, y: float, text: str, colour: str) -> None:
    frame = {"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": colour, "linewidth": 0.9}
    axes.text(x, y, text, ha="center", va="center", size=6.5, linespacing=1.35, bbox=frame, zorder=3)


def _describe(
    counts: Counts, branches: Sequence[str], sessions: Mapping[str, str], simulated: bool
) -> dict[str, Any]:
    enrolled = counts.get(("enrolled", "all", ""), 0)
    caption = (
        "Participants counted from the data. Assessed: anything was collected at the session; usable: at"
        " least one value"
        " can be analysed; every session: usable at each of them. What was excluded stands in the list of"
        " exclusions."
    )
    parts = []
    for branch in branches:
        per = [
            f"{label}: {counts.get(('usable', branch, name), 0)} of"
            f" {counts.get(('assessed', branch, name), 0)}"
            for name, label in sessions.items()
        ]
        parts.append(f"{BRANCHES[branch]} usable of assessed, {', '.join(per)}")
    alt = f"Flow diagram. Enrolled: {enrolled}. {'; '.join(parts)}."
    return style.describe(title=_TITLE, caption=caption, alt=alt, n=enrolled, keys=[], simulated=simulated)
