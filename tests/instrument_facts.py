"""Keys written out a second time, by hand from the published sources, and scored one person at a time in
plain Python.

Nothing here reads `resources/instruments/`: a slip there or here makes the tests disagree.
"""

from __future__ import annotations

from fractions import Fraction

# instrument: number of items, smallest, largest response, reversed items,
# and scale -> (items, how). "1-4" is a run of items.
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
}  # fmt: skip


def numbers(text: str) -> list[int]:
    """'1-3 6' -> [1, 2, 3, 6]."""
    found: list[int] = []
    for part in text.split():
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def score(instrument: str, responses: list[int | None]) -> dict[str, float | None]:
    """Score one person exactly, with fractions; None is not answered,
    or too few answered (fewer than half).
    """
    _, low, high, turned, scales = FACTS[instrument]
    turned_items = set(numbers(turned))
    result: dict[str, float | None] = {}
    for scale, (items, how) in scales.items():
        wanted = numbers(items)
        given = [
            Fraction(low + high - response if item in turned_items else response)
            for item in wanted
            if (response := responses[item - 1]) is not None
        ]
        if 2 * len(given) < len(wanted):
            result[scale] = None
        else:
            mean = sum(given, Fraction(0)) / len(given)
            result[scale] = float(mean if how == "mean" else mean * len(wanted))
    return result
