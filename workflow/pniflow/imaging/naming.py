"""Whose a file is: BIDS entities, a pattern, what names have in common, CAT12's lists of time points."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pniflow.errors import InputError
from pniflow.imaging.cat12 import document, matfile

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


def by_pattern(pattern: str | None, name: str) -> tuple[str | None, str | None]:
    """Return participant and session as a pattern of the study file (`IXI{participant}-*-T1`) finds them; the
    session as BIDS writes it.
    """
    match = _compiled(pattern).fullmatch(name) if pattern else None
    parts = match.groupdict() if match else {}
    session = parts.get("session")
    return parts.get("participant"), "ses-" + session.removeprefix("ses-") if session else None


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    words = {
        r"\{participant\}": "(?P<participant>[A-Za-z0-9]+)",
        r"\{session\}": "(?P<session>[A-Za-z0-9-]+?)",
    }
    text = re.escape(pattern).replace(r"\*", ".*?").replace(r"\?", ".")
    for word, group in words.items():
        text = text.replace(word, group)
    return re.compile(text)


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


class Place(NamedTuple):
    """Where an image stands in a list of time points: common start of the person's image names, its place
    among how many, the longitudinal model.
    """

    person: str | None = None
    place: int = 0
    points: int = 0
    model: str = ""


_MODELS = {"0": "developmental", "1": "plasticity", "2": "ageing", "3": "both"}


def time_points(paths: Iterable[Path]) -> dict[str, Place]:
    """Read catlong files, the .mat where there is no XML: image stem -> its place.

    They help where names do not tell; a damaged one is passed over, and said so.
    """
    order: dict[str, Place] = {}
    given = set(paths)
    for path in sorted(given):
        if path.suffix == ".mat" and path.with_suffix(".xml") in given:
            continue
        parse = matfile.parse if path.suffix == ".mat" else document.parse
        try:
            root = parse(document.read_bytes(path, path.name), path.name)
        except InputError as error:
            print(f"{error} The order of time points is not read from it.", file=sys.stderr)
            continue
        images = [image for element in root.iter("mov") for image in document.items(element)]
        names = [re.split(r"[\\/]", image)[-1].split(",")[0] for image in images]
        stems = [name.removesuffix(".gz").removesuffix(".nii") for name in names]
        person = common_start(stems) or path.stem.removeprefix("catlong_")
        model = next(
            (_MODELS.get((element.text or "").strip(), "") for element in root.iter("longmodel")), ""
        )
        order |= {stem: Place(person, place, len(stems), model) for place, stem in enumerate(stems)}
    return order
