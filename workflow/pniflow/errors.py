"""The one error a user is meant to see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class InputError(Exception):
    """Something a user gave is wrong.

    The message is one sentence that names the file, the place, the value, what was expected, and what to do.
    The command line prints it and exits with status 1; no traceback is shown.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """Return " (is it 'known'?)" where a known name differs by case, zeros or a slip of the pen, else ""."""
    names = list(known)
    plain = {one.lstrip("0").casefold(): one for one in names}
    near = plain.get(name.lstrip("0").casefold()) or next(iter(get_close_matches(name, names, 1, 0.8)), None)
    return f" (is it '{near}'?)" if near else ""


def repeated(names: Iterable[str]) -> list[str]:
    """Return the names that stand more than once, in their order."""
    return [name for name, count in Counter(names).items() if count > 1]


def listing(values: Sequence[object], most: int = 10) -> str:
    """Join values for a sentence, at most ten of them, saying how many more there are."""
    shown = ", ".join(str(value) for value in values[:most])
    rest = len(values) - most
    return f"{shown} and {rest} more" if rest > 0 else shown
