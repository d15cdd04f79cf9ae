"""The one error a user is meant to see."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

LONGEST = 1000  # letters of a sentence


class InputError(Exception):
    """Something a user gave is wrong.

    The message is one sentence that names the file, the place, the value, what was expected, and what to do.
    The command line prints it and exits with status 1; no traceback is shown. What stands in quotes is cut
    off after 80 letters, a word after 120, and a sentence in its middle: a cell may hold a text, or a damaged
    file, and a header questions.
    """

    def __init__(self, sentence: str) -> None:
        plain = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", sentence)
        cut = re.sub(r"(?<!\w)'([^']{80})[^'…][^']*'(?!\w)", r"'\1…'", plain)
        cut = re.sub(r"([^\s/]{120})[^\s/']+", r"\1…", cut)
        super().__init__(cut if len(cut) <= LONGEST else f"{cut[:600]}… {cut[-390:]}")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return " (is it 'known'?)" where a known name differs by case, zeros or a slip of the pen, else ""."""
    if len(name) > 100:  # searching would take minutes
        return ""
    names = list(known)
    plain = {one.lstrip("0").casefold(): one for one in names}
    near = plain.get(name.lstrip("0").casefold()) or next(iter(get_close_matches(name, names, 1, 0.8)), None)
    return f" (is it '{near}'?)" if near else ""


def repeated(names: Iterable[str]) -> list[str]:
    """Return the names that stand more than once, in their order."""
    return [name for name, count in Counter(names).items() if count > 1]


def listing(values: Sequence[object], most: int = 10) -> str:
    """Join values for a sentence, at most ten of them, saying how many more there are."""
    words = [
        str(value) if isinstance(value, Path) else shown(str(value), quoted=False) for value in values[:most]
    ]
    rest = len(values) - most
    return ", ".join(words) + (f" and {rest} more" if rest > 0 else "")


def shown(text: str, most: int = 80, quoted: bool = True) -> str:
    """Return a cell or name for a sentence: in quotes, cut to 80 letters, control characters escaped."""
    plain = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text[: most + 1])
    cut = f"{plain[:most]}…" if len(text) > most or len(plain) > most else plain
    return f"'{cut}'" if quoted else cut
