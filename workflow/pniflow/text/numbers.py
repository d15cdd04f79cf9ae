"""Numbers, p-values and counts as people read them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar

if TYPE_CHECKING:
    import pandas as pd


T = TypeVar("T")
MINUS = "−"  # U+2212, as wide as a plus sign


NONE = "–"  # stands where there is no number


NBSP = "\u00a0"  # keeps a number and its sign or unit on one line


LEVEL = f"95{NBSP}%"


def unit_shown(text: str) -> str:
    """Write a unit's powers of a length as they are printed ("kg/m2" -> "kg/m²")."""
    raised = str.maketrans("23", "²³")
    return re.sub(
        r"(?<![A-Za-z0-9_])([cdkmµ]?m)([23])(?![A-Za-z0-9_])", lambda m: m[1] + m[2].translate(raised), text
    )


def persons(counts: Sequence[int]) -> str:
    """Write how many persons models rest on ("22 persons in each model", "17 to 23 persons in a model")."""
    low, high = min(counts), max(counts)
    return f"{plural(low, 'person')} in each model" if low == high else f"{low} to {high} persons in a model"


def inside(text: str) -> str:
    """Return a label as it stands inside a sentence: small first letter, unless it is an abbreviation."""
    return text[:1].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text


def given(value: T | None) -> TypeGuard[T]:
    """Return True for a value that can be shown (neither missing nor infinite)."""
    if value is None or str(value) in ("<NA>", "nan", "NaT", ""):
        return False
    return not isinstance(value, float) or math.isfinite(value)


def number(value: Any, decimals: int = 2) -> str:
    """Write a number with a true minus sign; never "−0.00", a dash where there is none."""
    if not given(value):
        return NONE
    text = f"{float(value):.{decimals}f}"
    if text.startswith("-"):
        text = MINUS + text[1:] if text.strip("-0.") else text[1:]
    return text


def decimals_for(std_error: Any, *values: Any) -> int:
    """Return decimals that show two digits of the standard error, more where a value would read as zero."""
    if not given(std_error) or float(std_error) <= 0:
        return 3
    decimals = min(max(0, 1 - math.floor(math.log10(float(std_error)))), 8)
    for value in values:
        while given(value) and decimals < 8 and 0 < abs(float(value)) < 0.5 * 10**-decimals:
            decimals += 1
    return decimals


def p_value(p: Any) -> str:
    """Write a p-value: three decimals, "< .001" below, more where rounding would cross .05, never 0 or 1."""
    if not given(p):
        return NONE
    p = float(p)
    if p < 0.001:
        return f"<{NBSP}.001"
    if p > 0.999:
        return f">{NBSP}.999"
    decimals = 3
    while decimals < 8 and (p < 0.05) != (round(p, decimals) < 0.05):
        decimals += 1
    return f"{p:.{decimals}f}"[1:]


def p_phrase(p: Any, symbol: str = "p") -> str:
    """Write "p = .049" or "p < .001"."""
    text = p_value(p)
    return f"{symbol}{NBSP}{text}" if text[0] in "<>" else f"{symbol}{NBSP}={NBSP}{text}"


def effect_kind(kind: Any) -> str:
    """Return an effect size's name without its explanation ("hedges_g_av (mean of …)" -> "Hedges g_av")."""
    name = str(kind).split(" (")[0] if given(kind) else ""
    who, _, symbol = name.partition("_")
    return f"{who.capitalize()} {symbol}" if who in ("hedges", "cohen") else name.replace("_", " ")


def plural(count: Any, one: str, many: str | None = None) -> str:
    """Write "1 person", "2 persons"."""
    count = int(count)
    return f"{count} {one if count == 1 else many or one + 's'}"


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table's rows as dicts, missing as None."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]
