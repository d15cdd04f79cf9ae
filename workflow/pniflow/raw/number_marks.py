"""Marks of decimals and thousands: which of them a column of numbers has.

A separator of thousands never becomes a decimal point. The column's own numbers decide: 1,5 or 0,375 or
1.234,56 have a decimal comma, 1.5 or 1,234.56 a decimal point, and 1,234,567 separates thousands. Where
nothing shows it, 1,250 is a decimal if the file's delimiter goes with a decimal comma, else 1.250 is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_SINGLE = re.compile(r"[+-]?([0-9]*)([.,])([0-9]*)")
_GROUPED = re.compile(
    r"[+-]?[1-9][0-9]{0,2}([.,])[0-9]{3}(?:(?:\1[0-9]{3})+|(?=[.,]))(?:(?!\1)([.,])[0-9]*)?"
)
_HUNDREDS = re.compile(r"[1-9][0-9]{2}")
# Apostrophes and hard blanks between thousands cannot be anything else.
_SPACED = re.compile(r"[+-]?[1-9][0-9]{0,2}(['’\u00a0\u2009\u202f])[0-9]{3}(?:\1[0-9]{3})*(?:[.,][0-9]+)?")


def plain_numbers(texts: Sequence[str], decimal: str) -> list[str | None]:
    """Write the numbers of a column without separators of thousands and with a decimal point.

    Parameters
    ----------
    texts : sequence of str
        The column's texts; what is no number stays as it is.
    decimal : str
        Marks (of . and ,) that decimals have where the column does not show it; `.?` where
        the file tells little of them.

    Returns
    -------
    list of str or None
        None for a number that can be read in two ways.
    """
    plain = [_without_blanks(text) for text in texts]
    marked = {text for text in plain if "," in text or "." in text}
    single = {text: found for text in marked if (found := _SINGLE.fullmatch(text))}
    grouped = {text: found for text in marked if (found := _GROUPED.fullmatch(text))}
    double = {text for text, found in single.items() if _is_double(found[1], found[3])}
    decimals = {found[2] for text, found in single.items() if text not in double}
    decimals |= {found[2] for found in grouped.values() if found[2]}
    decimals |= {"." for text in marked if re.search(r"[.][0-9]*e", text, re.IGNORECASE)}
    thousands = {found[1] for found in grouped.values()}
    # Programs write 1.25 or 950.000, so that 1.250 beside 950 is 1250, or was typed by hand.
    typed = any(text.endswith("0") for text in double) and any(_HUNDREDS.fullmatch(text) for text in plain)

    def written(text: str) -> str | None:
        if text in double:
            mark = single[text][2]
            if decimals == {mark} and mark not in thousands:
                return text.replace(",", ".")
            if thousands == {mark} and mark not in decimals:
                return text.replace(mark, "")
            shown = decimals or thousands or mark not in decimal or (typed and decimal in (",", ".?"))
            return None if shown else text.replace(",", ".")
        if text in single:
            clear = "." not in decimals and "," not in thousands and single[text][3]
            return text.replace(",", ".") if clear else text
        if text in grouped:
            mark, point = grouped[text].groups()
            clear = mark not in decimals and point not in thousands
            return text.replace(mark, "").replace(",", ".") if clear else text
        return text

    return [written(text) if text in marked else text for text in plain]


def _is_double(before: str, behind: str) -> bool:
    """True where 1,250 could be 1250 or 1.25: three digits behind the mark, one to three before it."""
    return len(behind) == 3 and 0 < len(before) < 4 and before[0] != "0"


def _without_blanks(text: str) -> str:
    found = _SPACED.fullmatch(text)
    return text.replace(found[1], "") if found else text
