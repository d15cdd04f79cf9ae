"""What a simulated study is asked to be: size, effects, missingness, and the tables of what is measured."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pniflow.contracts import read_table
from pniflow.errors import InputError
from pniflow.resources import cached, find

SESSIONS = ("ses-pre", "ses-post", "ses-fu", "ses-fu2", "ses-fu3", "ses-fu4")
EVENTS = ("baseline", "week_8", "month_6", "month_12", "month_18", "month_24")
DAYS = (0, 56, 182, 365, 547, 730)
PROFILE = np.array(
    [0.0, 1.0, 0.9, 0.8, 0.8, 0.8]
)  # mean change at each session, in units of the change at the second
DETECTION_LIMIT = 0.5  # pg/mg of hair
LINKED = ("pss10", "ucla_loneliness_v3", "hair_cortisol")


@dataclass(frozen=True)
class Design:
    """Choices of one simulated study.

    Parameters
    ----------
    participants, sessions, sites : int
        Size.
    seed : int
        Every number follows from it.
    null : bool
        No mean change, no link between domains; variances and links among questionnaires stay.
    sign_pattern : str
        Sign of the within-person link of CTRA to distress: `conference` (inverse) or `paper` (positive).
    effect_size : float
        Improvement of each questionnaire facet, in standard deviations of the change (d_z).
    link : float
        Multiplies the planted links between domains.
    missingness : float
        Multiplies the shares that are missing; 0 gives complete data.
    depletion : float
        Multiplies the effect of B-cell depletion on B-cell genes.
    noise : bool
        False: no measurement error and no unexplained variance, so that planted values come back exactly.
    linked : tuple of str
        Which constructs drive CTRA.
    """

    participants: int = 23
    seed: int = 2024
    null: bool = False
    sign_pattern: str = "conference"
    sessions: int = 2
    sites: int = 1
    effect_size: float = 1.1
    link: float = 1.0
    missingness: float = 1.0
    depletion: float = 1.0
    noise: bool = True
    linked: tuple[str, ...] = LINKED

    def __post_init__(self) -> None:
        limits = {"participants": (4, 100_000), "sessions": (2, len(SESSIONS)), "sites": (1, 9)}
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise InputError(
                    f"--{name} is {getattr(self, name)}; a number from {low} to {high} was expected."
                )
        if not 0 <= self.missingness <= 5:
            raise InputError(f"--missingness is {self.missingness}; a factor from 0 to 5 was expected.")

    @property
    def session_ids(self) -> tuple[str, ...]:
        """Session labels in order of time."""
        return SESSIONS[: self.sessions]

    @property
    def change(self) -> float:
        """Planted d_z of the questionnaires."""
        return 0.0 if self.null else self.effect_size

    @property
    def strength(self) -> float:
        """Multiplier of links between domains."""
        return 0.0 if self.null else self.link

    @functools.cached_property
    def labels(self) -> list[str]:
        """Participant labels as in BIDS: sub-01, sub-02, ..."""
        width = max(2, len(str(self.participants)))
        return [f"sub-{number:0{width}d}" for number in range(1, self.participants + 1)]

    def stream(self, name: str) -> np.random.Generator:
        """Return the random numbers of one part, so that a change in one part moves no other."""
        return np.random.default_rng([self.seed, *name.encode()])


@dataclass(frozen=True)
class Facet:
    """The smallest scored part of an instrument. Loadings are on two latent factors."""

    name: str
    instrument: str
    items: tuple[int, ...]
    reversed: tuple[int, ...]
    minimum: int
    maximum: int
    mean: float
    sd: float
    distress: float
    interoception: float
    change: int

    @property
    def item_noise(self) -> float:
        """Standard deviation of one answer around the person's state."""
        return 0.55 * (self.maximum - self.minimum) / 4


@cached
def facets() -> tuple[Facet, ...]:
    """Read the facets; the simulator's own table, independent of the scoring keys that it tests."""
    table = read_table(find("demo", "facets")).fillna("")
    casts: dict[str, Callable[[str], Any]] = {"items": _integers, "reversed": _integers}
    casts |= dict.fromkeys(("minimum", "maximum", "change"), int)
    casts |= dict.fromkeys(("mean", "sd", "distress", "interoception"), float)
    columns = [table[name].map(casts.get(str(name), str)) for name in table]
    return tuple(Facet(*row) for row in zip(*columns, strict=True))


def _integers(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split())


@cached
def genes() -> dict[str, np.ndarray]:
    """Read the genes of the count matrix: symbol, component, level (log2 CPM), sd, depletion (log2 shift)."""
    return _columns("genes", ("level", "sd", "depletion"))


@cached
def regions() -> dict[str, np.ndarray]:
    """Read the regions of the label files: atlas, id, name, side, sizes, vertices, insula (share of link)."""
    sizes = ("gm_volume", "wm_volume", "csf_volume", "thickness", "vertices", "insula")
    return _columns("regions", sizes)


def _columns(name: str, numeric: tuple[str, ...]) -> dict[str, np.ndarray]:
    table = read_table(find("demo", name))
    text = {str(column): table[column].fillna("").to_numpy(str) for column in table if column not in numeric}
    return text | {column: table[column].astype(float).to_numpy() for column in numeric}
