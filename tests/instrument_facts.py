"""Keys written out a second time, by hand from the published sources, and scored one person at a time in
plain Python.

Nothing here reads `resources/instruments/`: a slip there or here makes the tests disagree.
"""

from __future__ import annotations

from fractions import Fraction

# instrument: number of items, smallest, largest response, reversed items,
# and scale -> (items, how). "1-4" is a run of items; "|" parts the items of a mean of means;
# "sum x2" is twice the sum.
FACTS: dict[str, tuple[int, int, int, str, dict[str, tuple[str, str]]]] = {
    "pss10": (10, 0, 4, "4 5 7 8", {
        "pss10": ("1-10", "sum"),
        "pss10_helplessness": ("1-3 6 9-10", "sum"),
        "pss10_self_efficacy": ("4 5 7 8", "sum"),
    }),
    "gad7": (7, 0, 3, "", {"gad7": ("1-7", "sum")}),
    "phq9": (9, 0, 3, "", {"phq9": ("1-9", "sum")}),
    "mfis": (21, 0, 4, "", {
        "mfis": ("1-21", "sum"),
        "mfis_physical": ("4 6 7 10 13 14 17 20 21", "sum"),
        "mfis_cognitive": ("1 2 3 5 11 12 15 16 18 19", "sum"),
        "mfis_psychosocial": ("8 9", "sum"),
    }),
    "ucla_loneliness_v3": (20, 1, 4, "1 5 6 9 10 15 16 19 20", {"ucla_loneliness_v3": ("1-20", "sum")}),
    "mhc_sf": (14, 0, 5, "", {
        "mhc_sf": ("1-14", "sum"),
        "mhc_sf_hedonic": ("1-3", "sum"),
        "mhc_sf_eudaimonic": ("4-14", "sum"),
        "mhc_sf_social": ("4-8", "sum"),
        "mhc_sf_psychological": ("9-14", "sum"),
    }),
    "maia2": (37, 0, 5, "5-12 15", {
        "maia2_noticing": ("1-4", "mean"),
        "maia2_not_distracting": ("5-10", "mean"),
        "maia2_not_worrying": ("11-15", "mean"),
        "maia2_attention_regulation": ("16-22", "mean"),
        "maia2_emotional_awareness": ("23-27", "mean"),
        "maia2_self_regulation": ("28-31", "mean"),
        "maia2_body_listening": ("32-34", "mean"),
        "maia2_trusting": ("35-37", "mean"),
    }),
    "pss4": (4, 0, 4, "2 3", {"pss4": ("1-4", "sum")}),
    "pss14": (14, 0, 4, "4-7 9 10 13", {"pss14": ("1-14", "sum")}),
    "hads": (14, 0, 3, "", {
        "hads_anxiety": ("1 3 5 7 9 11 13", "sum"),
        "hads_depression": ("2 4 6 8 10 12 14", "sum"),
    }),
    "mfis5": (5, 0, 4, "", {"mfis5": ("1-5", "sum")}),
    "fss": (9, 1, 7, "", {"fss": ("1-9", "mean")}),
    "maia": (32, 0, 5, "5-9", {
        "maia_noticing": ("1-4", "mean"),
        "maia_not_distracting": ("5-7", "mean"),
        "maia_not_worrying": ("8-10", "mean"),
        "maia_attention_regulation": ("11-17", "mean"),
        "maia_emotional_awareness": ("18-22", "mean"),
        "maia_self_regulation": ("23-26", "mean"),
        "maia_body_listening": ("27-29", "mean"),
        "maia_trusting": ("30-32", "mean"),
    }),
    "stai_state": (20, 1, 4, "1 2 5 8 10 11 15 16 19 20", {"stai_state": ("1-20", "sum")}),
    "stai_trait": (20, 1, 4, "1 3 6 7 10 13 14 16 19", {"stai_trait": ("1-20", "sum")}),
    "wemwbs": (14, 1, 5, "", {"wemwbs": ("1-14", "sum")}),
    "ffmq39": (39, 1, 5, "12 16 22 5 8 13 18 23 28 34 38 3 10 14 17 25 30 35 39", {
        "ffmq39": ("1-39", "sum"),
        "ffmq39_observing": ("1 6 11 15 20 26 31 36", "sum"),
        "ffmq39_describing": ("2 7 12 16 22 27 32 37", "sum"),
        "ffmq39_acting_with_awareness": ("5 8 13 18 23 28 34 38", "sum"),
        "ffmq39_nonjudging": ("3 10 14 17 25 30 35 39", "sum"),
        "ffmq39_nonreactivity": ("4 9 19 21 24 29 33", "sum"),
    }),
    "ffmq15": (15, 1, 5, "7 3 8 13 4 9 14", {
        "ffmq15_observing": ("1 6 11", "sum"),
        "ffmq15_describing": ("2 7 12", "sum"),
        "ffmq15_acting_with_awareness": ("3 8 13", "sum"),
        "ffmq15_nonjudging": ("4 9 14", "sum"),
        "ffmq15_nonreactivity": ("5 10 15", "sum"),
    }),
    "maas": (15, 1, 6, "", {"maas": ("1-15", "mean")}),
    "scs": (26, 1, 5, "1 8 11 16 21 4 13 18 25 2 6 20 24", {
        "scs": ("5 12 19 23 26 | 1 8 11 16 21 | 3 7 10 15 | 4 13 18 25 | 9 14 17 22 | 2 6 20 24", "mean"),
        "scs_self_kindness": ("5 12 19 23 26", "mean"),
        "scs_reduced_self_judgment": ("1 8 11 16 21", "mean"),
        "scs_common_humanity": ("3 7 10 15", "mean"),
        "scs_reduced_isolation": ("4 13 18 25", "mean"),
        "scs_mindfulness": ("9 14 17 22", "mean"),
        "scs_reduced_over_identification": ("2 6 20 24", "mean"),
    }),
    "scs_sf": (12, 1, 5, "11 12 4 8 1 9", {"scs_sf": ("1-12", "mean")}),
    "dass21": (21, 0, 3, "", {
        "dass21_depression": ("3 5 10 13 16 17 21", "sum x2"),
        "dass21_anxiety": ("2 4 7 9 15 19 20", "sum x2"),
        "dass21_stress": ("1 6 8 11 12 14 18", "sum x2"),
    }),
    "panas": (20, 1, 5, "", {
        "panas_positive": ("1 3 5 9 10 12 14 16 17 19", "sum"),
        "panas_negative": ("2 4 6 7 8 11 13 15 18 20", "sum"),
    }),
    "panas_german": (20, 1, 5, "", {
        "panas_german_positive": ("1 3 4 6 10 11 13 15 17 18", "sum"),
        "panas_german_negative": ("2 5 7 8 9 12 14 16 19 20", "sum"),
    }),
    "ces_d": (20, 0, 3, "4 8 12 16", {"ces_d": ("1-20", "sum")}),
    "who5": (5, 0, 5, "", {"who5": ("1-5", "sum"), "who5_percent": ("1-5", "sum x4")}),
    "isi": (7, 0, 4, "", {"isi": ("1-7", "sum")}),
    "psqi": (7, 0, 3, "", {"psqi": ("1-7", "sum")}),
    "promis_depression_8a": (8, 1, 5, "", {"promis_depression_8a": ("1-8", "sum")}),
    "promis_depression_8b": (8, 1, 5, "", {"promis_depression_8b": ("1-8", "sum")}),
    "promis_anxiety_8a": (8, 1, 5, "", {"promis_anxiety_8a": ("1-8", "sum")}),
    "promis_fatigue_8a": (8, 1, 5, "", {"promis_fatigue_8a": ("1-8", "sum")}),
    "promis_pain_interference_8a": (8, 1, 5, "", {"promis_pain_interference_8a": ("1-8", "sum")}),
    "promis_sleep_disturbance_8a": (8, 1, 5, "", {"promis_sleep_disturbance_8a": ("1-8", "sum")}),
}  # fmt: skip
# How few missing items a scale bears where it is not half of them.
MOST_MISSING = {"ces_d": 4, "psqi": 0}


def numbers(text: str) -> list[int]:
    """'1-3 6' -> [1, 2, 3, 6]."""
    found: list[int] = []
    for part in text.replace("|", " ").split():
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def score(instrument: str, responses: list[int | None]) -> dict[str, float | None]:
    """Score one person exactly, with fractions; None is not answered,
    or too few answered (fewer than half, where MOST_MISSING names no other rule).
    """
    _, low, high, turned, scales = FACTS[instrument]
    turned_items = set(numbers(turned))
    result: dict[str, float | None] = {}
    for scale, (items, how) in scales.items():
        combined, _, times = how.partition(" x")
        means: list[Fraction] = []
        for wanted in map(numbers, items.split("|")):
            given = [
                Fraction(low + high - response if item in turned_items else response)
                for item in wanted
                if (response := responses[item - 1]) is not None
            ]
            if len(wanted) - len(given) <= MOST_MISSING.get(instrument, len(wanted) // 2):
                means.append(sum(given, Fraction(0)) / len(given))
        if len(means) < len(items.split("|")):
            result[scale] = None
        else:
            mean = sum(means, Fraction(0)) / len(means)
            result[scale] = float(
                (mean if combined == "mean" else mean * len(numbers(items))) * int(times or 1)
            )
    return result
