"""What there is of each participant at each session, and the image quality of the scans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow import files, words
from pniflow.config import read_study
from pniflow.figures import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_TITLE = "Data of each participant and quality of the scans"
_DOMAINS = {
    "questionnaire": "Questionnaires",
    "assay": "Assays",
    "expression": "Expression",
    "imaging": "MRI",
    "exposure": "Exposure",
}
_FEW = 60  # with more participants their names are not written


def plot_quality(
    *, measures: Path, participants: Path, study: Path, figure: Path, image: Path, description: Path
) -> None:
    """Draw which measures each participant has at each session, and the quality mark of each scan.

    Parameters
    ----------
    measures : Path
        Measures (contract measures).
    participants : Path
        Participants (contract participants).
    study : Path
        study.yaml.
    figure, image, description : Path
        The figure as SVG, as PNG, and its caption as JSON.
    """
    about = read_study(study)
    sessions = words.session_words(about)
    people = list(files.read_table(participants, "participants")["participant_id"])
    table = files.read_table(measures, "measures")
    domains = [name for name in _DOMAINS if name in set(table["domain"])]
    share = shares(table, people, list(sessions), domains)
    marks = table[table["measure"] == ("siqr" if (table["measure"] == "siqr").any() else "iqr")]
    with style.drawing():
        drawn = style.new_figure(style.TWO_COLUMNS, 34 + min(2.9 * len(people), 150))
        ratios = [2.4, 1.0] if len(marks) else [1.0]
        grid = drawn.subplots(1, len(ratios), width_ratios=ratios, squeeze=False)
        _draw_shares(grid[0, 0], share, people, domains, list(sessions.values()))
        if len(marks):
            _draw_marks(grid[0, 1], marks, sessions)
        text = _describe(share, people, domains, sessions, len(marks), about["simulated"])
        style.save(drawn, text, figure=figure, image=image, description=description)


def shares(
    table: pd.DataFrame, people: Sequence[str], sessions: Sequence[str], domains: Sequence[str]
) -> np.ndarray:
    """Return the share of a domain's measures that a participant has at a session.

    Returns
    -------
    array (people, domains, sessions)
        0 where there is none; of the measures that anyone has.
    """
    there = table.dropna(subset=["value"])
    total = there.groupby("domain")["measure"].nunique()
    result = np.zeros((len(people), len(domains), len(sessions)))
    person = {name: place for place, name in enumerate(people)}
    columns = (there[name] for name in ("participant_id", "domain", "session_id"))
    for (who, domain, session), count in Counter(zip(*columns, strict=True)).items():
        if who in person and session in sessions and domain in domains:
            place = person[who], domains.index(domain), sessions.index(session)
            result[place] = count / total[domain]
    return result


def _draw_shares(
    axes: Axes, share: np.ndarray, people: Sequence[str], domains: Sequence[str], sessions: Sequence[str]
) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("share", ["#FFFFFF", "#9CC9E8", style.BLUE])
    flat = share.reshape(len(people), -1)
    picture = axes.imshow(flat, cmap=colours, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    axes.set_xticks(np.arange(flat.shape[1]), list(sessions) * len(domains), rotation=45, ha="right")
    for place in range(len(domains) + 1):
        axes.axvline(place * len(sessions) - 0.5, color=style.BLACK, linewidth=0.6)
    for place, name in enumerate(domains):
        axes.text(
            (place + 0.5) * len(sessions) - 0.5, -0.8, _DOMAINS[name], ha="center", va="bottom", weight="bold"
        )
    if len(people) <= _FEW:
        axes.set_yticks(np.arange(len(people)), list(people), size=5.5)
    else:
        axes.set_yticks([])
        axes.set_ylabel(f"{len(people)} persons")
    axes.tick_params(length=0)
    bar = axes.figure.colorbar(picture, ax=axes, location="bottom", fraction=0.03, aspect=40, pad=0.02)
    bar.set_label("share of the branch's measures that are there (white: none)")
    bar.outline.set_linewidth(0.4)


def _draw_marks(axes: Axes, marks: pd.DataFrame, sessions: Mapping[str, str]) -> None:
    """Draw each scan's quality mark, a person's scans joined."""
    wide = marks.pivot(index="participant_id", columns="session_id", values="value").reindex(
        columns=list(sessions)
    )
    x = np.arange(len(sessions))
    for line in wide.to_numpy(dtype=float):
        axes.plot(x, line, "-o", color=style.GREY, linewidth=0.5, markersize=2, alpha=0.7)
    axes.set_xticks(x, list(sessions.values()))
    axes.set_xlim(-0.4, len(sessions) - 0.6)
    axes.invert_yaxis()
    axes.set_ylabel(f"{words.label(str(marks['measure'].iloc[0])).short} (1 best, 6 worst)")
    axes.set_title("Image quality", weight="bold")


def _describe(
    share: np.ndarray,
    people: Sequence[str],
    domains: Sequence[str],
    sessions: Mapping[str, str],
    scans: int,
    simulated: bool,
) -> dict[str, Any]:
    caption = (
        "Each row is a participant, each column a branch at a session; the darker, the more of the branch's"
        " measures are"
        " there; white where there is none."
    )
    if scans:
        caption += f" Right: CAT12's quality mark of {words.plural(scans, 'scan')}, higher up is better."
    some = (share > 0).sum(axis=0)
    parts = []
    for place, domain in enumerate(domains):
        counts = [f"{label}: {some[place, at]}" for at, label in enumerate(sessions.values())]
        parts.append(f"{_DOMAINS[domain]} {', '.join(counts)}")
    listed = "; ".join(parts)
    alt = f"Grid of {words.plural(len(people), 'participant')} by branch and session. With data: {listed}."
    return style.describe(title=_TITLE, caption=caption, alt=alt, n=len(people), keys=[], simulated=simulated)
