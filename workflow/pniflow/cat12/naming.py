"""Whose a file is, by its name: BIDS entities, a pattern, what names have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

_ENTITY = re.compile(r"(?:^|[/_])(r?sub|ses)-([A-Za-z0-9]+)")


def entities(source: str) -> tuple[str | None, str | None]:
    """Return participant and session as BIDS names give them (`sub-01`, `ses-pre`), the file name before its
    folders.
    """
    values: dict[str, str] = {}
    for part in (PurePosixPath(source).name, PurePosixPath(source).parent.as_posix()):
        for key, value in _ENTITY.findall(
            part.removeprefix("catROIs_").removeprefix("catROI_").removeprefix("cat_")
        ):
            values.setdefault(key[-3:], value)
    participant, session = values.get("sub"), values.get("ses")
    return f"sub-{participant}" if participant else None, f"ses-{session}" if session else None


def compiled(pattern: str) -> re.Pattern[str]:
    """Turn a pattern of the study file (`IXI{participant}-*-T1`) into a regular expression."""
    words = {
        r"\{participant\}": "(?P<participant>[A-Za-z0-9]+)",
        r"\{session\}": "(?P<session>[A-Za-z0-9-]+?)",
    }
    text = re.escape(pattern).replace(r"\*", ".*?").replace(r"\?", ".")
    for word, group in words.items():
        text = text.replace(word, group)
    return re.compile(text)


def session_named(parts: Mapping[str, str]) -> str | None:
    """Return the session that a pattern found, as BIDS writes it."""
    return "ses-" + parts["session"].removeprefix("ses-") if parts.get("session") else None


def common_start(names: list[str]) -> str:
    """Return the parts that names begin with in common (`P7` of P7_t1, P7_t2); blank for a single name."""
    if len(names) < 2:
        return ""
    first, last = min(names), max(names)
    pairs = zip(first, last, strict=False)
    length = next((place for place, (one, other) in enumerate(pairs) if one != other), len(first))
    whole = re.fullmatch(r"(.+)[_. -][^_. -]*", first[:length])
    return whole[1] if whole else first[:length]


def first_word(name: str) -> str:
    """Return what stands before the first sign that parts a name: `P7` of P7_t1."""
    return re.split(r"[_. -]", name, maxsplit=1)[0]
