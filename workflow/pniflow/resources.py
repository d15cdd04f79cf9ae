"""Knowledge as data: gene sets, instruments, atlases, published claims, found by name and never by path.

Within `searched(folder)` a user's own resources come first: a file there stands in the place of the shipped
one of its name; what stands in `labels`, `atlases`, `references` and the gene map adds to what is shipped, or
replaces the rows of its key.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from pniflow.errors import InputError, listing, nearest
from pniflow.files import read_text

_HERE = Path(__file__).resolve().parent
_ENDINGS = (".yaml", ".tsv")
_NAME = re.compile(r"[A-Za-z0-9_]+")  # what lies beside files of such names (._pss10.yaml) is no resource
_ADDED = ("labels", "atlases", "references", "genes/gene_map")  # kinds and tables to which a user's own add
_PAGES = {"instruments": "docs/questionnaires.md"}  # kind -> the page that says how to write one's own
# The user's own resources as they were named, and where they are.
_own: contextvars.ContextVar[tuple[Path, str] | None] = contextvars.ContextVar("own resources", default=None)
P = ParamSpec("P")
T = TypeVar("T")


@contextlib.contextmanager
def searched(folder: Path | str | None) -> Iterator[None]:
    """Let everything inside look into the user's own resources first.

    Raises
    ------
    InputError
        There is no such folder.
    """
    if folder and not os.path.isdir(folder):
        raise InputError(
            f"{folder}: there is no such folder of resources; correct its name, or leave it out."
        )
    token = _own.set((Path(folder), os.path.abspath(folder)) if folder else None)
    try:
        yield
    finally:
        _own.reset(token)


def own() -> Path | None:
    """Return the user's own resources that `searched` named."""
    named = _own.get()
    return named[0] if named else None


def cached(function: Callable[P, T]) -> Callable[P, T]:
    """Remember what a function of names found in the resources, for each folder of own ones apart."""
    found: Callable[..., T] = functools.lru_cache(10_000)(lambda _, *names, **more: function(*names, **more))

    @functools.wraps(function)
    def remembered(*names: P.args, **more: P.kwargs) -> T:
        return found(_own.get(), *names, **more)

    return remembered


def shipped(folder: str) -> Path:
    """Return a folder that pniflow ships (`resources`, `schemas`): beside the code or above it."""
    candidates = [_HERE / folder, _HERE.parent / folder, _HERE.parent.parent / folder]
    return next((path for path in candidates if path.is_dir()), candidates[-1])


def read_schema(name: str) -> dict[str, Any]:
    """Read a file of `schemas`: pniflow's own, so libyaml builds it without the checks of users' files."""
    import yaml

    document: dict[str, Any] = yaml.CSafeLoader((shipped("schemas") / name).read_bytes()).get_single_data()
    return document


def has_schema(name: str) -> bool:
    """Tell whether there is a file of this name among the schemas."""
    return (shipped("schemas") / name).is_file()


def find(kind: str, name: str) -> Path:
    """Find a resource file by kind (`genes`, `instruments`, `checklists`, `published`) and name.

    Raises
    ------
    InputError
        No such name; the sentence lists the names there are.
    """
    return sources(kind, name)[-1]


def sources(kind: str, name: str) -> list[Path]:
    """Return the files behind a name, one or, of what a user's own adds to, the shipped one and the own one.

    Raises
    ------
    InputError
        No such name; the sentence lists the names there are.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{kind}: '{name}' is not a resource name; use letters, digits and underscores, not a path."
        )
    there = [
        path for place in _places(kind) for end in _ENDINGS if (path := place / f"{name}{end}").is_file()
    ]
    if not there:
        known = [path.stem for path in files(kind)]
        page = f"; {_PAGES[kind]} says how to write one of your own" if kind in _PAGES else ""
        raise InputError(
            f"{kind}: there is no '{name}'{nearest(name, known)}; known are {listing(known, 60)}{page}."
        )
    return there if {kind, f"{kind}/{name}"} & {*_ADDED} else there[-1:]


def _places(kind: str) -> list[Path]:
    """Return the folders of a kind, the user's own last."""
    return [place / kind for place in (shipped("resources"), own()) if place]


def files(kind: str) -> list[Path]:
    """Return the files of a kind by name, each where `find` finds it."""
    found = {
        path.stem: path
        for place in _places(kind)
        for path in place.glob("*.*")
        if path.suffix in _ENDINGS and _NAME.fullmatch(path.stem)
    }
    return [found[name] for name in sorted(found)]


def rows(kind: str, name: str, *key: str) -> list[dict[str, str]]:
    """Read a table that a user's own adds to: shipped rows, then own ones, which replace those of their key.

    Parameters
    ----------
    key : str
        Columns that tell rows apart; without any, the first.

    Raises
    ------
    InputError
        There is no such table, or the own one has other columns.
    """
    found: list[dict[str, str]] = []
    head: list[str] = []
    for path in sources(kind, name):
        columns, given = _cells(path)
        head = head or [*key, *(column for column in columns if column not in key)]
        key = key or (head[0],)
        if not {*key} <= {*columns} <= {*head}:
            raise InputError(
                f"{path}: the columns are {listing(columns)}; of {listing(head, 20)}, tab-separated, "
                f"{listing(key)} and any others were expected."
            )
        anew = {tuple(row[column] for column in key) for row in given}
        found = [row for row in found if tuple(row[column] for column in key) not in anew]
        found += [dict.fromkeys(head, "") | row for row in given]
    return found


def _cells(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Return a table's columns and its rows, short ones filled up."""
    lines = [line for line in read_text(path).splitlines() if line] or [""]
    head = lines[0].split("\t")
    width = len(head)
    return head, [
        dict(zip(head, [*line.split("\t"), *[""] * width][:width], strict=True)) for line in lines[1:]
    ]
