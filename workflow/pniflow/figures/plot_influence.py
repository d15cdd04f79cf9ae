"""Influence: how far each main estimate moves when one participant is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow import contracts
from pniflow.config import read_study
from pniflow.errors import InputError
from pniflow.figures import style
from pniflow.figures.gallery import FIGURES
from pniflow.text import labels, numbers, wording

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLE = FIGURES["influence"].title
_ENDS = ("leave_one_out_lowest", "leave_one_out_highest")
_P = "leave_one_out_largest_p"
_MOST = 40
_BAR = "#8E979E"  # dark enough beside white paper, pale enough beneath the points
Row = Mapping[str, Any]


def plot_influence(
    *,
    sensitivity: Path,
    estimates: Path,
    participants: Path | None = None,
    study: Path,
    figure: Path,
    image: Path,
    description: Path,
) -> None:
    """Draw how far each main estimate moves, down and up, when any one participant is left out.

    Shown are the tests of primary and secondary families; where there are none, exploratory ones. Shifts are
    in units of the estimate's standard error, so that they share an axis.

    Parameters
    ----------
    sensitivity : Path
        Sensitivity (contract sensitivity).
    estimates : Path
        Estimates (contract estimates).
    participants : Path, optional
        The participants that the models were fitted to (contract participants), to name by their id whom the
        tables name by number.
    study : Path
        study.yaml.
    figure, image, description : Path
        The figure as SVG, as PNG, and its caption and keys as JSON.

    Raises
    ------
    InputError
        The participants are fewer than the tables name.
    """
    about = read_study(study)
    rows = wording.estimate_rows(contracts.read_table(estimates, "estimates"))
    variants = numbers.records(contracts.read_table(sensitivity, "sensitivity"))
    people = _people(participants, variants, sensitivity) if participants else None
    shown = choose_rows(rows, variants, people)
    paths = {"figure": figure, "image": image, "description": description}
    if not shown:
        sentence = "No estimate of this study was fitted again with each participant left out."
        style.save_empty(_TITLE, sentence, about["simulated"], **paths)
        return
    sessions = wording.session_words(about)
    with style.drawing():
        groups = list(dict.fromkeys(row["group"] for row in shown))
        drawn = style.new_figure(style.ONE_COLUMN, 32 + 3.7 * (len(shown) + len(groups)))
        _draw_influence(drawn.subplots(), shown, groups, list(sessions.values()))
        style.save(drawn, _describe(shown, sessions, people is not None, about["simulated"]), **paths)


def _people(participants: Path, variants: Sequence[Row], sensitivity: Path) -> list[str]:
    """Return the ids of the participants in the table's order."""
    people = [str(name) for name in contracts.read_table(participants, "participants")["participant_id"]]
    largest = max((one["participant_number"] or 0 for one in variants), default=0)
    if largest > len(people):
        raise InputError(
            f"{participants}: the table has {numbers.plural(len(people), 'participant')}, but {sensitivity} "
            f"names participant {largest}; give the table that the models were fitted to."
        )
    return people


def choose_rows(
    rows: Sequence[Row], variants: Sequence[Row], people: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Return tested rows that were fitted without each participant.

    Parameters
    ----------
    people : list of str, optional
        Ids of the participants in the order of their numbers.

    Returns
    -------
    list of dict
        Rows of the estimates with `shift` (lowest, highest; in standard errors), `who` moves it most (the id,
        else the number), `fragile` (p below .05 with everybody, not below without one), `group` and `label`.
    """
    ends: dict[tuple[str, str, str], dict[str, Row]] = {}
    for one in variants:
        if one["variant"] in (*_ENDS, _P) and numbers.given(one["estimate"]):
            ends.setdefault((one["model"], one["outcome"], one["term"]), {})[one["variant"]] = one
    found = []
    for row in rows:
        left_out = ends.get((row["model"], row["outcome"], row["term"]), {})
        error = row["std_error"]
        if (
            not row.get("family")
            or not left_out.keys() >= set(_ENDS)
            or not numbers.given(error)
            or not error
        ):
            continue
        term = wording.row_term(row)
        low, high = ((left_out[name]["estimate"] - row["estimate"]) / error for name in _ENDS)
        number = left_out[_ENDS[int(high > -low)]]["participant_number"]
        largest: Any = left_out.get(_P, {}).get("p_value")
        own = term.kind in ("change", "level", "joint")
        found.append(
            {
                **row,
                "shift": (low, high),
                "who": _named(number, people),
                "fragile": row["p_value"] < 0.05 <= largest if numbers.given(largest) else False,
                "group": (term.kind, "" if own else row["outcome"]),
                "label": row["outcome"] if own else term.of,
            }
        )
    main = [row for row in found if row["role"] in ("primary", "secondary")] or found
    order = list(dict.fromkeys(row["group"] for row in main))
    return sorted(main[:_MOST], key=lambda row: order.index(row["group"]))


def _named(number: Any, people: Sequence[str] | None) -> str:
    if not numbers.given(number):
        return ""
    return people[int(number) - 1] if people else f"no. {int(number)}"


def heading(group: tuple[str, str], sessions: Sequence[str]) -> str:
    """Return what a group of rows is about."""
    kind, outcome = group
    if kind == "change":
        return f"Change ({sessions[-1]} minus {sessions[0]})" if len(sessions) == 2 else "Change"
    if kind == "level":
        return "Mean against zero"
    where = {"within": " within persons", "between": " between persons", "pooled": ", pooled"}.get(kind, "")
    return f"Slopes of {labels.label(outcome).short}{where}"


def _draw_influence(
    axes: Axes, rows: Sequence[dict[str, Any]], groups: Sequence[tuple[str, str]], sessions: Sequence[str]
) -> None:
    label_texts: list[str] = []
    places, headings = [], []
    for group in groups:
        headings.append(len(label_texts))
        label_texts.append(heading(group, sessions))
        for row in (row for row in rows if row["group"] == group):
            places.append(len(label_texts))
            label_texts.append(style.row_name(row["label"]))
    style.forest(axes, label_texts)
    texts = axes.get_yticklabels()
    for line in headings:
        texts[line].set(weight="bold")
    place, shift = np.array(places), np.array([row["shift"] for row in rows])
    far = shift[np.arange(len(rows)), (shift[:, 1] > -shift[:, 0]).astype(int)]
    axes.hlines(place, shift[:, 0], shift[:, 1], colors=_BAR, linewidth=3.0)
    fragile = np.array([row["fragile"] for row in rows])
    handles = [axes.plot([], [], color=_BAR, linewidth=3.0)[0]]
    names = ["without any one person"]
    for some, colour, marker, name in (
        (~fragile, style.BLUE, "o", "without the person named"),
        (fragile, style.VERMILLION, "s", "p not below .05 without one"),
    ):
        if some.any():
            handles += axes.plot(
                far[some], place[some], marker, color=colour, markersize=3.4, linestyle="none"
            )
            names.append(name)
    widest = float(np.abs(shift).max()) * 1.08 or 1.0
    axes.set_xlim(-widest, widest)
    for line, row in zip(places, rows, strict=True):
        axes.annotate(
            row["who"][:14], (1, line), (3, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", va="center", size=style.SMALLEST, color=style.GREY,
        )  # fmt: skip
    sign = "\nCTRA: higher = more adverse" if any(row["outcome"].startswith("ctra") for row in rows) else ""
    axes.set_xlabel(f"shift of the estimate\n(its standard errors){sign}")
    axes.figure.legend(handles, names, loc="outside lower left", ncols=2, columnspacing=1)


def _describe(
    rows: Sequence[dict[str, Any]], sessions: Mapping[str, str], named: bool, simulated: bool
) -> dict[str, Any]:
    number = "study number" if named else "the number of the row in participants.tsv"
    fragile = [row for row in rows if row["fragile"]]
    caption = (
        "How far each estimate moves when one participant is left out, down and up (bars), in units of the"
        " estimate's standard error; the point is the farther end, beside it the participant, by"
        f" {number}, who makes it."
    )
    if fragile:
        caption += (
            f" Squares: {len(fragile)} of {numbers.plural(len(rows), 'estimate')} whose unadjusted p is"
            " below .05 are not below it without one participant."
        )
    sign = labels.sign_note(*(row["outcome"] for row in rows))
    caption += f" {sign[0].upper()}{sign[1:]}." if sign else ""
    parts = [
        f"{labels.label(row['outcome']).short}, {wording.predictor(row['term'], sessions)}:"
        f" {numbers.number(row['shift'][0], 2)} to {numbers.number(row['shift'][1], 2)}"
        + (f" (most: {row['who']})" if row["who"] else "")
        for row in rows
    ]
    return style.describe(
        title=_TITLE,
        caption=caption,
        alt=f"Shifts of {numbers.plural(len(rows), 'estimate')} in standard errors. {'; '.join(parts)}.",
        n=max(int(row["n_participants"]) for row in rows),
        keys=[row["key"] for row in rows],
        simulated=simulated,
    )
