"""Influence: how far each main estimate moves when one participant is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.errors import InputError
from pniflow.figures import style
from pniflow.text import labels, numbers, wording
from pniflow.text.estimates import Estimate, Variant, estimates_of, variants_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_ENDS = ("leave_one_out_lowest", "leave_one_out_highest")
_P = "leave_one_out_largest_p"
_MOST = 40
_BAR = "#8E979E"  # dark enough beside white paper, pale enough beneath the points


@dataclass(frozen=True)
class Shift:
    """An estimate and how far it moves when one participant is left out.

    Attributes
    ----------
    row : Estimate
        The estimate with everybody.
    ends : array (2,)
        Lowest and highest shift, in standard errors.
    who : str
        Who moves it most: the id, else the number.
    fragile : bool
        p is below .05 with everybody, not below without one.
    """

    row: Estimate
    ends: np.ndarray
    who: str
    fragile: bool

    @property
    def alone(self) -> bool:
        """Its label is the outcome's: it has no predictor."""
        return self.row.tested.kind in ("change", "level", "joint")

    @property
    def group(self) -> tuple[str, str]:
        """Kind and, of slopes, outcome: what a heading stands above."""
        return self.row.tested.kind, "" if self.alone else self.row.outcome


def plot_influence(
    about: Mapping[str, Any],
    sensitivity: pd.DataFrame,
    estimates: pd.DataFrame,
    participants: pd.DataFrame | None = None,
) -> style.Drawn | str:
    """Draw how far each main estimate moves, down and up, when any one participant is left out.

    Shown are the tests of primary and secondary families; where there are none, exploratory ones. Shifts are
    in units of the estimate's standard error, so that they share an axis. With the participants that the
    models were fitted to people are named by their id, else by the tables' number.

    Raises
    ------
    InputError
        The participants are fewer than the tables name.
    """
    variants = variants_of(sensitivity)
    people = None
    if participants is not None:
        people = [str(name) for name in participants["participant_id"]]
        largest = max((one.participant_number or 0 for one in variants), default=0)
        if largest > len(people):
            raise InputError(
                f"{participants.attrs['file']}: the table has {numbers.plural(len(people), 'participant')}, "
                f"but {sensitivity.attrs['file']} names participant {largest}; give the table that the "
                "models were fitted to."
            )
    shown = choose_rows(estimates_of(estimates), variants, people)
    if not shown:
        return "No estimate of this study was fitted again with each participant left out."
    sessions = wording.session_words(about)
    groups = list(dict.fromkeys(one.group for one in shown))
    drawn = style.new_figure(style.ONE_COLUMN, 32 + 3.7 * (len(shown) + len(groups)))
    _draw_influence(drawn.subplots(), shown, groups, list(sessions.values()))
    return style.Drawn(
        drawn,
        *_words(shown, sessions, people is not None),
        n=max(one.row.n_participants for one in shown),
        keys=[one.row.key for one in shown],
    )


def choose_rows(
    rows: Sequence[Estimate], variants: Sequence[Variant], people: Sequence[str] | None = None
) -> list[Shift]:
    """Return tested rows that were fitted without each participant.

    Parameters
    ----------
    people : list of str, optional
        Ids of the participants in the order of their numbers.
    """
    left_out: dict[str, dict[str, Variant]] = {}
    for one in variants:
        if one.variant in (*_ENDS, _P) and one.estimate is not None:
            left_out.setdefault(one.key, {})[one.variant] = one
    found = [
        _shift(row, row.std_error, left_out[row.key], people)
        for row in rows
        if row.family and row.std_error and left_out.get(row.key, {}).keys() >= set(_ENDS)
    ]
    main = [one for one in found if one.row.role in ("primary", "secondary")] or found
    order = list(dict.fromkeys(one.group for one in main))
    return sorted(main[:_MOST], key=lambda one: order.index(one.group))


def _shift(
    row: Estimate, error: float, left_out: Mapping[str, Variant], people: Sequence[str] | None
) -> Shift:
    lowest, highest = (left_out[name] for name in _ENDS)
    ends = np.array([(style.ends(one)[0] - style.ends(row)[0]) / error for one in (lowest, highest)])
    number = (highest if ends[1] > -ends[0] else lowest).participant_number
    who = "" if number is None else people[number - 1] if people else f"no. {number}"
    own, largest = row.p_value, left_out[_P].p_value if _P in left_out else None
    fragile = own is not None and largest is not None and own < 0.05 <= largest
    return Shift(row, ends, who, fragile)


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
    axes: Axes, rows: Sequence[Shift], groups: Sequence[tuple[str, str]], sessions: Sequence[str]
) -> None:
    label_texts: list[str] = []
    places, headings = [], []
    for group in groups:
        headings.append(len(label_texts))
        label_texts.append(heading(group, sessions))
        for one in (one for one in rows if one.group == group):
            places.append(len(label_texts))
            label_texts.append(style.row_name(one.row.outcome if one.alone else one.row.tested.of))
    style.forest(axes, label_texts)
    texts = axes.get_yticklabels()
    for line in headings:
        texts[line].set(weight="bold")
    place, shift = np.array(places), np.array([one.ends for one in rows])
    far = shift[np.arange(len(rows)), (shift[:, 1] > -shift[:, 0]).astype(int)]
    axes.hlines(place, shift[:, 0], shift[:, 1], colors=_BAR, linewidth=3.0)
    fragile = np.array([one.fragile for one in rows])
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
    for line, one in zip(places, rows, strict=True):
        axes.annotate(
            one.who[:14], (1, line), (3, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", va="center", size=style.SMALLEST, color=style.GREY,
        )  # fmt: skip
    sign = "\nCTRA: higher = more adverse" if any(one.row.outcome.startswith("ctra") for one in rows) else ""
    axes.set_xlabel(f"shift of the estimate\n(its standard errors){sign}")
    axes.figure.legend(handles, names, loc="outside lower left", ncols=2, columnspacing=1)


def _words(rows: Sequence[Shift], sessions: Mapping[str, str], named: bool) -> tuple[str, str]:
    """Return the caption and the alternative text."""
    number = "study number" if named else "the number of the row in participants.tsv"
    fragile = [one for one in rows if one.fragile]
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
    caption += style.sign(*(one.row.outcome for one in rows))
    parts = [
        f"{labels.label(one.row.outcome).short}, {wording.predictor(one.row.term, sessions)}:"
        f" {numbers.number(one.ends[0], 2)} to {numbers.number(one.ends[1], 2)}"
        + (f" (most: {one.who})" if one.who else "")
        for one in rows
    ]
    return (
        caption,
        f"Shifts of {numbers.plural(len(rows), 'estimate')} in standard errors. {'; '.join(parts)}.",
    )
