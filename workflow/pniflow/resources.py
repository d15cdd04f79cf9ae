"""Knowledge as data: gene sets, instruments, atlases, published claims, found by name and never by path."""

from __future__ import annotations

import contextlib
import contextvars
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pniflow.errors import InputError, listing, nearest

_HERE = Path(__file__).resolve().parent
_own: contextvars.ContextVar[Path | None] = contextvars.ContextVar("own resources", default=None)


@contextlib.contextmanager
def searched(folder: Path | str | None) -> Iterator[None]:
    """Let every `find` inside look into the user's own resources first, whoever calls it."""
    token = _own.set(Path(folder) if folder else None)
    try:
        yield
    finally:
        _own.reset(token)


def own() -> Path | None:
    """Return the user's own resources that `searched` named."""
    return _own.get()


def shipped(folder: str) -> Path:
    """Return a folder that pniflow ships (`resources`, `schemas`): beside the code or above it."""
    candidates = [_HERE / folder, _HERE.parent / folder, _HERE.parent.parent / folder]
    return next((path for path in candidates if path.is_dir()), candidates[-1])


def read_schema(name: str) -> dict[str, Any]:
    """Read a file of `schemas`: pniflow's own, so libyaml builds it without the checks of users' files."""
    import yaml

    document: dict[str, Any] = yaml.CSafeLoader((shipped("schemas") / name).read_bytes()).get_single_data()
    return document


def find(kind: str, name: str, folder: Path | str | None = None) -> Path:
    """Find a resource file by kind (`genes`, `instruments`, `atlases`, `published`) and name.

    Parameters
    ----------
    folder : path, optional
        The user's own resources (config key `resources`), searched before what pniflow ships.

    Raises
    ------
    InputError
        No such name; the sentence lists the names there are.
    """
    if not re.fullmatch(r"[A-Za-z0-9_]+", name):
        raise InputError(
            f"{kind}: '{name}' is not a resource name; use letters, digits and underscores, not a path."
        )
    places = [Path(place) for place in (folder, own()) if place]
    places.append(shipped("resources"))
    for place in places:
        for suffix in (".yaml", ".tsv"):
            path = place / kind / f"{name}{suffix}"
            if path.is_file():
                return path
    known = sorted({path.stem for place in places for path in (place / kind).glob("*.*")})
    raise InputError(f"{kind}: there is no '{name}'{nearest(name, known)}; known are {listing(known, 40)}.")
