"""One simulated study in memory: people, answers, concentrations, counts and scans, with what is missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pniflow.demo import absence, observe, population
from pniflow.demo import scenario as tables
from pniflow.demo.scenario import Design, facets


@dataclass
class Study:
    """A study as its instruments see it: participants x sessions (x items, genes); NaN is missing."""

    design: Design
    people: population.People
    presence: absence.Presence
    answers: dict[str, np.ndarray]
    cortisol: np.ndarray
    genes: np.ndarray
    counts: np.ndarray
    library: np.ndarray
    brains: observe.Brains
    ctra_state: np.ndarray


def simulate(design: Design, genes: np.ndarray | None = None, regions: np.ndarray | None = None) -> Study:
    """Draw a study.

    Parameters
    ----------
    design : Design
        What it is asked to be.
    genes, regions : ndarray of int, optional
        Which rows of the gene and region tables to draw; all by default.
    """
    genes = np.arange(len(tables.genes()["level"])) if genes is None else genes
    people = population.draw_people(design)
    states = population.draw_constructs(design)
    answers = {facet.name: observe.answer_items(design, facet, states[facet.name]) for facet in facets()}
    if not design.noise:
        states |= _realized(design, answers)
    ctra = population.draw_ctra_state(design, people, states)
    cortisol = observe.measure_cortisol(design, states["hair_cortisol"])
    counts, library = observe.sequence(design, people, ctra, genes)
    brains = observe.scan(design, people, ctra, regions)
    presence = absence.draw_presence(design, observe.answered(answers, "pss10").sum(axis=2)[:, 0])
    absence.blank_items(design, answers, presence.attended)
    cortisol = np.where(presence.hair, cortisol, np.nan)
    counts = np.where(presence.blood[..., None], counts, np.nan)
    return Study(design, people, presence, answers, cortisol, genes, counts, library, brains, ctra)


def _realized(design: Design, answers: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the states that whole-number answers stand for, so that links hold exactly on the scores."""
    result = {}
    for facet in facets():
        mean = observe.unreversed(facet, answers[facet.name]).mean(axis=2)
        result[facet.name] = (mean - facet.mean - population.mean_change(facet, design)) / facet.sd
    return result
