"""What is missing, and why: dropout, scans, hair and blood samples, items. At random given the baseline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pniflow.demo.scenario import Design, facets

DROPOUT, NEVER_SCANNED, NOT_RESCANNED = 2 / 23, 1 / 23, 4 / 21
NO_BLOOD, NO_HAIR, ITEM, QUESTIONNAIRE = 0.02, 0.03, 0.010, 0.005


@dataclass
class Presence:
    """True where something was observed, participants x sessions."""

    attended: np.ndarray
    blood: np.ndarray
    hair: np.ndarray
    scanned: np.ndarray


def draw_presence(design: Design, baseline: np.ndarray) -> Presence:
    """Draw who is absent where.

    Parameters
    ----------
    baseline : ndarray
        Baseline stress score; a higher one makes dropout likelier.

    Notes
    -----
    Shares are met exactly: of 23 people 21 complete the course, 22 are scanned at the first session, and of
    the completers all but 4 at the second, which leaves 17 with both.
    """
    random, n = design.stream("absence"), design.participants
    standard = (baseline - baseline.mean()) / (baseline.std() or 1.0)
    out = _chosen(random, DROPOUT * design.missingness * n, 0.5 * standard)
    last = np.where(out, random.integers(1, design.sessions, n), design.sessions)
    attended = np.arange(design.sessions) < last[:, None]
    scanned = attended.copy()
    for session in range(1, design.sessions):
        there = attended[:, session]
        count = NOT_RESCANNED * design.missingness * there.sum()
        scanned[_chosen(random, count, _among(there)), session] = False
    never = _among(scanned[:, 1:].sum(axis=1) == 0)
    scanned[_chosen(random, NEVER_SCANNED * design.missingness * n, never)] = False
    blood, hair = attended.copy(), attended.copy()
    for sample, share in ((blood, NO_BLOOD), (hair, NO_HAIR)):
        lost = _chosen(random, share * design.missingness * attended.sum(), _among(attended.ravel()))
        sample[lost.reshape(attended.shape)] = False
    return Presence(attended, blood, hair, scanned)


def _among(possible: np.ndarray) -> np.ndarray:
    """Return equal log odds for the possible entries, none for the others."""
    return np.where(possible, 0.0, -np.inf)


def _chosen(random: np.random.Generator, count: float, log_odds: np.ndarray) -> np.ndarray:
    """Choose round(count) entries without replacement, likelier at higher log odds, never at -inf."""
    chosen = np.zeros(len(log_odds), bool)
    ranks = np.argsort(-(log_odds + random.gumbel(size=len(log_odds))), kind="stable")
    possible = int(np.isfinite(log_odds).sum())
    chosen[ranks[: min(round(float(count)), possible)]] = True
    return chosen


def blank_items(design: Design, answers: dict[str, np.ndarray], attended: np.ndarray) -> None:
    """Blank single items and whole questionnaires in place, and everything at sessions not attended."""
    random = design.stream("items")
    skipped = {}
    for facet in facets():
        if facet.instrument not in skipped:
            skipped[facet.instrument] = random.random(attended.shape) < QUESTIONNAIRE * design.missingness
        codes = answers[facet.name]
        codes[random.random(codes.shape) < ITEM * design.missingness] = np.nan
        codes[skipped[facet.instrument] | ~attended] = np.nan
