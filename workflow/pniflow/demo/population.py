"""People, their states at each session, the links between domains. Arrays are participants x sessions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pniflow.demo.scenario import LINKED, PROFILE, Design, Facet, facets

STABLE = 0.7  # share of a construct's variance that lies between persons
WITHIN, BETWEEN = 0.8, 0.40  # CTRA per latent SD of a linked construct, within and between persons
OWN_PERSON, OWN_OCCASION = 0.9, 0.5  # SD of the CTRA state beside its links
CORTISOL_MEAN, CORTISOL_SD = np.log(2.1), 1.0  # log pg/mg
CORTISOL_DISTRESS = 0.5
AGE_SLOPE, BMI_SLOPE = 0.01, 0.02  # CTRA state per year and per kg/m2
FACTOR_CORRELATION = -0.4  # of distress and interoception


@dataclass
class People:
    """Time-constant facts of the participants, one entry each."""

    age: np.ndarray
    bmi: np.ndarray
    edss: np.ndarray
    b_cell_depletion: np.ndarray
    site: np.ndarray


def draw_people(design: Design) -> People:
    """Draw age 45±11 years, BMI, EDSS 2.0±1.2 in half steps, and 13 of 23 on B-cell depletion.

    These hold of the sample at hand, whatever its size, apart from rounding.
    """
    random, n = design.stream("people"), design.participants
    depleted = np.zeros(n, bool)
    depleted[random.permutation(n)[: round(n * 13 / 23)]] = True
    draws = random.standard_normal((3, n))
    age, bmi, edss = (draws - draws.mean(axis=1, keepdims=True)) / draws.std(axis=1, ddof=1, keepdims=True)
    return People(
        age=np.clip(np.rint(45 + 11 * age), 19, 79),
        bmi=np.clip(np.round(26.5 + 4.8 * bmi, 1), 17, 48),
        edss=np.clip(np.rint(2 * (2.0 + 1.2 * edss)) / 2, 0, 6),
        b_cell_depletion=depleted,
        site=np.arange(n) % design.sites,
    )


def draw_constructs(design: Design) -> dict[str, np.ndarray]:
    """Draw each construct's standardized state, without mean change.

    Returns
    -------
    dict
        Facet (and `hair_cortisol`) -> array (participants, sessions): a person part with variance STABLE
        and an occasion part with the rest, each with the correlations that two factors give.
    """
    table = facets()
    distress = np.array([facet.distress for facet in table] + [CORTISOL_DISTRESS * design.strength])
    interoception = np.array([facet.interoception for facet in table] + [0.0])
    shape = (design.participants, design.sessions)
    random = design.stream("constructs")
    person = _factors(random, (shape[0], 1), distress, interoception)
    occasion = _factors(random, shape, distress, interoception)
    if not design.noise:
        occasion -= occasion.mean(axis=0)  # so that the mean change is exactly the planted one
    states = np.sqrt(STABLE) * person + np.sqrt(1 - STABLE) * occasion
    names = [*(facet.name for facet in table), "hair_cortisol"]
    return {name: states[..., k] for k, name in enumerate(names)}


def _factors(
    random: np.random.Generator, shape: tuple[int, int], first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """Draw unit-variance variables that load on two correlated factors."""
    factors = random.standard_normal((*shape, 2))
    factors[..., 1] = (
        FACTOR_CORRELATION * factors[..., 0] + np.sqrt(1 - FACTOR_CORRELATION**2) * factors[..., 1]
    )
    common = factors[..., :1] * first + factors[..., 1:] * second
    unique = 1 - (first**2 + second**2 + 2 * FACTOR_CORRELATION * first * second)
    return np.asarray(common + np.sqrt(unique) * random.standard_normal((*shape, len(first))))


def mean_change(facet: Facet, design: Design) -> np.ndarray:
    """Return a facet's mean change at each session, in item units: d_z times the SD of its change."""
    answers = (facet.item_noise**2 + 1 / 12) / len(facet.items)
    spread = np.sqrt(2 * (facet.sd**2 * (1 - STABLE) + answers))
    return np.asarray(
        facet.change * design.change * spread * PROFILE[: design.sessions] + 0.0
    )  # no negative zero


def split(state: np.ndarray, centre: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Split a state, centred at each session, into the person's mean and the deviations from it."""
    deviation = state - centre
    between = deviation.mean(axis=1, keepdims=True)
    return between, deviation - between


def slopes(design: Design) -> dict[str, dict[str, float]]:
    """Return the planted links of the CTRA state to each linked construct, per latent SD."""
    sign = 1.0 if design.sign_pattern == "paper" else -1.0
    within, between = sign * WITHIN * design.strength, BETWEEN * design.strength
    return {name: {"within": within, "between": between} for name in LINKED if name in design.linked}


def draw_ctra_state(design: Design, people: People, states: dict[str, np.ndarray]) -> np.ndarray:
    """Draw the adverse state behind the CTRA genes: no mean change, linked to `states`.

    The linked constructs enter by their deviation from the session mean, so their own mean change moves
    nothing: regressed on the raw construct, the session then has the coefficient −slope x change.
    """
    total = np.zeros((design.participants, design.sessions))
    for name, slope in slopes(design).items():
        centre = 0.0 if design.noise else states[name].mean(axis=0)
        between, within = split(states[name], centre)
        total += slope["between"] * between + slope["within"] * within
    total += (AGE_SLOPE * (people.age - 45) + BMI_SLOPE * (people.bmi - 26.5))[:, None]
    if design.noise:
        random = design.stream("ctra")
        total += OWN_PERSON * random.standard_normal((design.participants, 1))
        total += OWN_OCCASION * random.standard_normal(total.shape)
    return total
