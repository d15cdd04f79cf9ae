"""Whose a file is: BIDS entities, a pattern, what names have in common, CAT12's lists of time points."""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pniflow.errors import InputError, listing, shown
from pniflow.imaging.cat12 import document, matfile

_ENTITY = re.compile(r"(?:^|_)(r?sub|ses)-([^\W_]+)")
# BIDS has letters and digits alone; an id of letters that ends in a number may hold `_` and `-` as well.
_LONG = re.compile(r"(?:^|_)r?sub-([^\W_]+(?:-[^\W_]+)*(?:_[^\W_]+(?!-))*)(?=_ses-|$)")
_LONG_ID = re.compile(r"(?=.*[^\W\d_]).+[-_]\d+")
_OF_TOOLS = {"report", "label", "mri", "surf", "anat", "stats", "err"}


def entities(source: str) -> tuple[str | None, str | None]:
    """Return participant and session as BIDS names give them (`sub-01`, `ses-pre`), the file name before its
    folders.

    Raises
    ------
    InputError
        The file's name and a folder, or two folders, say two people.
    """
    folder, _, name = unicodedata.normalize("NFC", source).rpartition("/")
    named, placed = _told(name), _told_by_folders(folder)
    people = placed.get("sub", ())
    # A folder's name says where an id ends that the file's name goes on after.
    whole = next((one for one in people if f"sub-{one}_" in name or f"sub-{one}." in name), None)
    found = {key: named.get(key) or next(iter(placed.get(key, ())), None) for key in ("sub", "ses")}
    participant, session = whole or found["sub"], found["ses"]
    other = next((one for one in people if not whole and _alike(one) != _alike(participant or "")), None)
    if other:
        raise InputError(
            f"{shown(source, 200, quoted=False)}: the name says sub-{participant}, but a folder says"
            f" sub-{other}; move or rename the file, so that both say one participant."
        )
    return f"sub-{participant}" if participant else None, f"ses-{session}" if session else None


def say_misplaced(sessions: Mapping[str, str | None], known: Iterable[str] = ()) -> None:
    """Say on standard error which files (source -> session) lie in the folder of another session than theirs,
    which counts.
    """
    known, misplaced = tuple(known), []
    for source, session in sessions.items():
        folder = source.rpartition("/")[0]
        told = [f"ses-{one}" for one in _told_by_folders(folder).get("ses", ())] if session else []
        told += [one for one in (by_folders(source, known)[1],) if one and session]
        if any(_alike(one[4:]) != _alike(str(session)[4:]) for one in told):
            misplaced.append(f"{source}: {session}")
    if misplaced:
        print(
            f"{len(misplaced)} files lie in the folder of another session than their name says, which counts"
            f" ({listing(misplaced, 3)}).",
            file=sys.stderr,
        )


def _told(part: str) -> dict[str, str]:
    """Return what one name says: `sub`, `ses` -> value."""
    values: dict[str, str] = {}
    for key, value in _ENTITY.findall(part):
        values.setdefault(key[-3:], value)
    plain = "sub" not in values or f"sub-{values['sub']}_ses-" in part
    whole = None if plain else _LONG.search(part)
    if whole and _LONG_ID.fullmatch(whole[1]):
        values["sub"] = whole[1]
    return values


@functools.lru_cache(maxsize=4096)
def _told_by_folders(folder: str) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for part in folder.split("/"):
        for key, value in _told(part).items():
            values.setdefault(key, []).append(value)
    return values


def _alike(value: str) -> str:
    """Return an id as it is compared between names and folders: without case, and without leading zeros."""
    return value.casefold().lstrip("0")


def home(source: str) -> str:
    """Return the folder of the scan that a file belongs to: its own, without CAT12's `report`, `mri` ..."""
    parts = source.split("/")[:-1]
    return "/".join(parts[:-1] if parts and parts[-1] in _OF_TOOLS else parts)


def by_folders(source: str, sessions: Iterable[str]) -> tuple[str | None, str | None]:
    """Return participant and session as plain folders tell (`K01/T0/report/cat_T1w.xml`): one is named as a
    session of the study, the one beside it as the participant; None where two could be.
    """
    return _beside(unicodedata.normalize("NFC", home(source)), tuple(sessions))


@functools.lru_cache(maxsize=4096)
def _beside(folder: str, sessions: tuple[str, ...]) -> tuple[str | None, str | None]:
    names = {word: session for session in sessions for word in (session, session.removeprefix("ses-"))}
    parts = [part for part in folder.split("/") if part]
    places = [place for place, part in enumerate(parts) if part in names]
    if len(places) != 1:
        return None, None
    place = places[0]
    beside = [*parts[max(place - 1, 0) : place], *parts[place + 1 : place + 2]]
    return beside[0] if len(beside) == 1 else None, names[parts[place]]


def by_pattern(pattern: str | None, name: str, sessions: Iterable[str] = ()) -> tuple[str | None, str | None]:
    """Return participant and session as a pattern of the study file (`IXI{participant}-*-T1`) finds them; the
    session as BIDS writes it.

    A pattern with `/` is compared with as many folders above the name. Among several ways to split a name
    the one with a session of the study counts, and of these the one whose participant has no `_` or `-`.

    Raises
    ------
    InputError
        A name can be split in two ways that are as good.
    """
    if not pattern:
        return None, None
    words = unicodedata.normalize("NFC", name).split("/")
    name = "/".join(words[-1 - pattern.count("/") :])
    known = tuple(sessions)
    for form in _compiled(unicodedata.normalize("NFC", pattern), known):
        found = {(match["participant"], match.groupdict().get("session"))
                 for one in form if (match := one.fullmatch(name))}  # fmt: skip
        if len(found) > 1:
            first, second = sorted({str(person) for person, _ in found})[:2]
            raise InputError(
                f"{shown(name, quoted=False)}: by the pattern {shown(pattern)} the participant could be"
                f" {shown(first)} or {shown(second)}; give a pattern with fewer '*', or a table of scans."
            )
        for person, session in found:
            return person, "ses-" + session.removeprefix("ses-") if session else None
    return None, None


_PLAIN = r"[^\W_]+"
_ANY = r"[^\W_]+(?:[-_. ]+[^\W_]+)*"


@functools.cache
def _compiled(pattern: str, sessions: tuple[str, ...]) -> list[list[re.Pattern[str]]]:
    """Return a pattern's forms, best first; each is tried with the shortest and the longest participant."""
    bare = sorted({session.removeprefix("ses-") for session in sessions}, key=len, reverse=True)
    known = f"(?:ses-)?(?:{'|'.join(map(re.escape, bare))})" if bare else None
    free, any_free = r"(?:[^\W_]|-)+?", r"[^\W_][\w-]*?"
    forms = []
    for participant, session in ((_PLAIN, known), (_ANY, known), (_PLAIN, free), (_ANY, any_free)):
        if session is None:
            continue
        form = []
        for lazy in ("", "?"):
            text = re.escape(pattern).replace(r"\*", ".*?").replace(r"\?", ".")
            person = participant if participant == _PLAIN else participant + lazy
            text = text.replace(r"\{participant\}", f"(?P<participant>{person})", 1)
            form.append(re.compile(text.replace(r"\{session\}", f"(?P<session>{session})", 1)))
        forms.append(form[:1] if participant == _PLAIN else form)
    return forms


def unjoined(whose: Iterable[Mapping[str, str | None]], section: Mapping[str, Any], key: str) -> str:
    """Say what files that could not be joined lack, a participant or only a session, and what to do."""
    if any(one["participant_id"] for one in whose):
        way = f"give {key}.session if all are of one session, or {{session}} in {key}.pattern,"
        return f"has a session, though participants are told; {way}"
    pattern = section.get("pattern")
    if pattern:
        way = f"{key}.pattern {shown(pattern)} fits no name: correct it"
    else:
        way = f"give {key}.pattern (and {key}.session)"
    return f"could be joined to a participant and session; {way}"


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
