"""What instruments, assay, sequencer and scanner make of the people's states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pniflow.demo.population import CORTISOL_MEAN, CORTISOL_SD, People, mean_change, split
from pniflow.demo.scenario import DETECTION_LIMIT, Design, Facet, facets, genes, regions

# a component's share of the CTRA state; a gene's variance by its component, by person, by occasion
HEAVY, COMPONENT, PERSON, OCCASION = 0.75, 0.30, 0.30, 0.40
DEPTH = 12e6  # reads of a typical library
# where the noise is off: counts of the rarest gene; lowest level (log2 CPM) of a scored gene, above the floor
DEEP, LIFTED = 1e8, 5.0
# mm of left anterior insula per unit of the CTRA state; the right is its mirror
INSULA = {"within": 0.05, "between": 0.06}
SIGNS = {"inflammatory": 1, "interferon": -1, "antibody": -1}  # expression where the CTRA state is high
METRICS = ("gm_volume", "wm_volume", "csf_volume", "thickness")


def answer_items(design: Design, facet: Facet, state: np.ndarray) -> np.ndarray:
    """Turn states into codes as ticked (reversed items reversed), shape (participants, sessions, items)."""
    count = len(facet.items)
    level = facet.mean + mean_change(facet, design) + facet.sd * state
    if design.noise:
        random = design.stream(facet.name)
        taste = 0.8 * facet.item_noise * random.standard_normal((len(level), 1, count))
        drift = facet.item_noise * random.standard_normal((*level.shape, count))
        codes = np.clip(np.rint(level[..., None] + taste + drift), facet.minimum, facet.maximum)
    else:
        total = np.clip(np.rint(count * level), count * facet.minimum, count * facet.maximum)
        # the remainder falls on other items from person to person
        turn = (np.arange(count) + np.arange(len(level))[:, None, None]) % count
        codes = total[..., None] // count + (turn < total[..., None] % count)
    mirrored = np.isin(facet.items, facet.reversed)
    return np.where(mirrored, facet.minimum + facet.maximum - codes, codes)


def measure_cortisol(design: Design, state: np.ndarray) -> np.ndarray:
    """Return hair cortisol in pg/mg: log-normal, 10 % assay error, three decimals, also below the limit."""
    log = CORTISOL_MEAN + CORTISOL_SD * state
    if not design.noise:
        return np.asarray(np.exp(np.maximum(log, np.log(DETECTION_LIMIT))))
    return np.asarray(np.round(np.exp(log + 0.1 * design.stream("cortisol").standard_normal(state.shape)), 3))


def sequence(
    design: Design, people: People, state: np.ndarray, keep: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Draw read counts.

    Parameters
    ----------
    state : ndarray
        The adverse state behind the CTRA genes (participants, sessions).
    keep : ndarray of int
        Which genes of the table; the others enter the library size by their expectation.

    Returns
    -------
    counts : ndarray
        (participants, sessions, genes)
    library : ndarray
        Reads of all genes (participants, sessions).
    """
    table = genes()
    level, sd, shift, component = (
        table[column][keep] for column in ("level", "sd", "depletion", "component")
    )
    random = design.stream("expression")
    activity = np.zeros((*state.shape, len(keep)))
    for name, sign in SIGNS.items():
        own = np.sqrt(0.5) * (random.standard_normal((len(state), 1)) + random.standard_normal(state.shape))
        active = sign * HEAVY * state + 0.6 * own * design.noise
        activity[..., component == name] = np.sqrt(COMPONENT) * active[..., None]
    if not design.noise:
        level = np.where(np.isin(component, list(SIGNS)), np.maximum(level, LIFTED), level)
    else:
        activity += np.sqrt(PERSON) * random.standard_normal((len(state), 1, len(keep)))
        activity += np.sqrt(OCCASION) * random.standard_normal(activity.shape)
    log2 = level + sd * activity + design.depletion * shift * people.b_cell_depletion[:, None, None]
    if not design.noise:
        counts = np.rint(DEEP * 2 ** (log2 - log2.min()))
        return counts, counts.sum(axis=2)
    depth = DEPTH / 1e6 * np.exp(0.18 * random.standard_normal((*state.shape, 1)))
    counts = random.poisson(depth * 2**log2).astype(float)
    rest = np.setdiff1d(np.arange(len(table["level"])), keep)
    expected = np.sum(2 ** table["level"][rest] * np.exp((np.log(2) * table["sd"][rest]) ** 2 / 2))
    return counts, counts.sum(axis=2) + expected * depth[..., 0]


@dataclass
class Brains:
    """Numbers of the scans: participants x sessions, and x regions for the `sizes` of each metric."""

    keep: np.ndarray
    sizes: dict[str, np.ndarray]
    tissue: dict[str, np.ndarray]
    marks: dict[str, np.ndarray]
    mean_thickness: np.ndarray
    lesion_volume: np.ndarray
    lesion_count: np.ndarray


def scan(design: Design, people: People, state: np.ndarray, keep: np.ndarray | None = None) -> Brains:
    """Draw region sizes (ml, mm), tissue volumes, quality marks and lesions.

    Head size and a person's general thickness are shared by all regions. The anterior insula follows the
    CTRA state, thicker on the left and thinner on the right, within and between persons.
    """
    keep = np.arange(len(regions()["name"])) if keep is None else keep
    random, noise = design.stream("brains"), float(design.noise)
    person, every = (len(state), 1), state.shape
    old, site = (people.age - 45)[:, None], people.site[:, None]
    head, cortex = random.standard_normal(person), noise * random.standard_normal(person)
    general = 0.10 * cortex - 0.004 * old - 0.05 * site
    between, within = split(state, 0.0 if design.noise else state.mean(axis=0))
    link = design.strength * (INSULA["between"] * between + INSULA["within"] * within)
    spread = 0.8 * random.standard_normal(person) + 0.05 * random.standard_normal(every)
    volume = 4.0 * np.exp(noise * spread)
    return Brains(
        keep=keep,
        sizes=_sizes(random, {k: v[keep] for k, v in regions().items()}, head, general, old, link, noise),
        tissue=_tissue(random, every, head, old, noise),
        marks=_marks(random, every, site, noise),
        mean_thickness=2.6 + general + noise * 0.012 * random.standard_normal(every),
        lesion_volume=np.rint(1000 * volume) / 1000,  # whole voxels of 1 mm3
        lesion_count=1 + random.poisson(4 * np.broadcast_to(volume[:, :1], every)),
    )


def _sizes(
    random: np.random.Generator,
    table: dict[str, np.ndarray],
    head: np.ndarray,
    general: np.ndarray,
    old: np.ndarray,
    link: np.ndarray,
    noise: float,
) -> dict[str, np.ndarray]:
    """Draw the size of each region (participants, sessions, regions) by metric."""
    side = np.select([table["side"] == "left", table["side"] == "right"], [1.0, -1.0])
    shift = link[..., None] * np.nan_to_num(table["insula"]) * side
    sizes = {}
    for metric in METRICS:
        own = random.standard_normal((len(link), 1, len(side)))
        occasion = random.standard_normal((*link.shape, len(side)))
        if metric == "thickness":
            sizes[metric] = (
                table[metric] + general[..., None] + noise * (0.12 * own + 0.04 * occasion) + shift
            )
        else:
            growth = 0.003 if metric == "csf_volume" else -0.002
            relative = (0.09 * head + growth * old)[..., None] + noise * (0.06 * own + 0.012 * occasion)
            sizes[metric] = table[metric] * (1 + relative) + (shift if metric == "gm_volume" else 0.0)
    return sizes


def _tissue(
    random: np.random.Generator, every: tuple[int, ...], head: np.ndarray, old: np.ndarray, noise: float
) -> dict[str, np.ndarray]:
    """Draw whole-brain volumes in ml: csf + gm + wm is the total; wm holds the hyperintensities (WMHC 2)."""
    total = 1400 * (1 + 0.09 * head) * (1 + noise * 0.003 * random.standard_normal(every))
    share = noise * np.array([0.006, 0.005]) * random.standard_normal((len(old), 1, 2))
    share = share + noise * 0.002 * random.standard_normal((*every, 2))
    gm = total * (0.430 - 0.0010 * old + share[..., 0])
    wm = total * (0.365 - 0.0002 * old + share[..., 1])
    wmh = total * 0.002 * np.exp(noise * 0.3 * random.standard_normal((len(old), 1)))
    return {"csf": total - gm - wm, "gm": gm, "wm": wm, "wmh": wmh}


def _marks(
    random: np.random.Generator, every: tuple[int, ...], site: np.ndarray, noise: float
) -> dict[str, np.ndarray]:
    """Draw CAT12 quality marks (1 best, 6 worst); IQR and SIQR are its eighth-power means of them."""
    draw = noise * random.standard_normal((*every, 3))
    marks = {
        "NCR": 1.95 + 0.1 * site + 0.12 * draw[..., 0],
        "ICR": 1.80 + 0.10 * draw[..., 1],
        "res_RMS": np.full(every, 2.0),
        "res_ECR": 2.40 + 0.15 * draw[..., 2],
    }
    mean = {"IQR": ("NCR", "res_RMS"), "SIQR": ("NCR", "res_RMS", "res_ECR")}
    return marks | {
        name: np.mean([marks[k] ** 8 for k in parts], axis=0) ** (1 / 8) for name, parts in mean.items()
    }


def unreversed(facet: Facet, codes: np.ndarray) -> np.ndarray:
    """Mirror the reversed items about the middle of the range."""
    return np.where(np.isin(facet.items, facet.reversed), facet.minimum + facet.maximum - codes, codes)


def answered(answers: dict[str, np.ndarray], *prefixes: str) -> np.ndarray:
    """Return all items of the facets whose names start so, unreversed, side by side."""
    return np.concatenate(
        [unreversed(f, answers[f.name]) for f in facets() if f.name.startswith(prefixes)], axis=2
    )
