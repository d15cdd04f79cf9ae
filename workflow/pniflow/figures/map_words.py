"""Tests of maps in words: what figures of the cortical surface and of grey matter say of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow.figures import style
from pniflow.text import labels, numbers, wording

if TYPE_CHECKING:
    import pandas as pd

MOST = 3  # tests drawn, a page of one column; further ones stand in the tables and files
LEVEL = 0.05
CORRECTIONS = {"logp_tfce": "threshold-free cluster enhancement", "logp_fwe": "max-T"}


@dataclass(frozen=True)
class Tested:
    """One test.

    Attributes
    ----------
    rows : list of mapping
        Of the peaks table, the largest statistic first.
    values, outlined : mapping of str to array
        Estimates, and what is outlined, by side (`volume` for voxels).
    found : mapping of str to (int, float)
        Correction in words -> vertices or voxels with p below .05, and the smallest p; the outlined one
        first.
    """

    rows: Sequence[Mapping[str, Any]]
    values: Mapping[str, np.ndarray]
    outlined: Mapping[str, np.ndarray]
    found: Mapping[str, tuple[int, float]]

    @classmethod
    def of(
        cls,
        rows: Sequence[Mapping[str, Any]],
        values: Mapping[str, np.ndarray],
        logs: Mapping[str, Mapping[str, np.ndarray]],
    ) -> Tested:
        """Make it of its estimates and of -log10 p (signed) by correction, the first of which is outlined."""
        outlined = {side: np.zeros(part.shape, dtype=bool) for side, part in values.items()}
        found: dict[str, tuple[int, float]] = {}
        for name, maps in logs.items():
            size = {side: np.abs(part) for side, part in maps.items()}
            below = {side: part > -np.log10(LEVEL) for side, part in size.items()}  # NaN is not
            outlined = outlined if found else below
            smallest = 10 ** -max(float(np.nanmax(part)) for part in size.values())
            found[CORRECTIONS[name]] = (int(sum(part.sum() for part in below.values())), smallest)
        return cls(rows, values, outlined, found)

    @property
    def first(self) -> Mapping[str, Any]:
        """The row of the largest statistic."""
        return self.rows[0]

    @property
    def key(self) -> str:
        """model/outcome/term."""
        return f"{self.first['model']}/{self.first['outcome']}/{self.first['term']}"

    @property
    def correction(self) -> str:
        """What is outlined, in words; empty where nothing was permuted."""
        return next(iter(self.found), "")

    @property
    def limit(self) -> float:
        """Where the scale of colours ends: .5 % of the estimates lie beyond."""
        given = np.concatenate([np.abs(side[np.isfinite(side)]) for side in self.values.values()])
        return float(np.quantile(given, 0.995)) or 1.0


def tests_of(peaks: pd.DataFrame) -> list[list[Mapping[str, Any]]]:
    """Return the rows of each test of a peaks table, in its order."""
    tests: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in numbers.records(peaks):
        tests.setdefault((row["model"], row["outcome"], row["term"]), []).append(row)
    return list(tests.values())


def question(row: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Return what a test asks ("change of thickness (after minus before)")."""
    outcome = numbers.inside(labels.label(row["outcome"]).long)
    sessions = wording.session_words(about)
    term = wording.term_of(row["term"], len(sessions))
    if term.kind == "change":
        return f"change of {outcome} ({wording.predictor(row['term'], sessions)})"
    if term.kind in ("within", "between"):
        return f"{outcome} on {labels.label(term.of).short} ({term.kind} persons)"
    return f"{outcome} on {labels.label(term.of).short}"


def heading(test: Tested, about: Mapping[str, Any]) -> str:
    asked = question(test.first, about)
    what = "no family-wise p"
    if test.found:
        count, _ = test.found[test.correction]
        what = "outlined: family-wise p < .05" if count else "family-wise p at least .05 everywhere"
    return f"{asked[0].upper()}{asked[1:]}; {what}"


def scale(row: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    unit = labels.label(row["outcome"]).unit
    term = wording.term_of(row["term"], len(about["sessions"]))
    per = "" if term.kind == "change" else f" per unit of {labels.label(term.of).short}"
    sign = "\nhigher CTRA = more adverse" if term.of.startswith("ctra") else ""
    return f"estimate{', ' if unit else ''}{unit}{per} (blue: less, red: more){sign}"


def closing(
    tests: Sequence[Tested], people: Sequence[int], fitted: int, about: Mapping[str, Any], element: str
) -> tuple[str, str]:
    """Return the end of a caption (persons, further tests, the sign), and each test's result in words."""
    words = f"{numbers.persons(people)}."
    if fitted > len(tests):
        words += f" The first {len(tests)} of {fitted} tests; all stand in the tables."
    predictors = [wording.term_of(test.first["term"]).of for test in tests]
    words += style.sign(*(name for name in predictors if name))
    return words, " ".join(said(test, about, element) for test in tests)


def said(test: Tested, about: Mapping[str, Any], element: str) -> str:
    """Return a test's result in words."""
    row = test.first
    place = f" ({row['region']})" if row["region"] else ""
    where = (
        f"the {row['hemisphere']} hemisphere{place}" if row["hemisphere"] != "both" else f"grey matter{place}"
    )
    parts = [
        f"by {name} family-wise p is below .05 at {count} of {int(row['elements'])} {element}"
        if count
        else f"by {name} none of the {element} is shown to differ"
        f" (smallest family-wise {numbers.p_phrase(smallest)})"
        for name, (count, smallest) in test.found.items()
    ] or ["no family-wise p"]
    largest = f"the largest statistic, t = {numbers.number(row['statistic'])}, lies in {where}"
    asked = question(row, about)
    return f"{asked[0].upper()}{asked[1:]}: {'; '.join([*parts, largest])}."
