"""Instruments as data: the key of a questionnaire, read from `resources/instruments/`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pniflow import config, files, resources
from pniflow.errors import InputError


@dataclass(frozen=True)
class Scale:
    """A scale of an instrument: its items (0-based), and how they are combined.

    Attributes
    ----------
    parts : tuple of ndarray
        The items in groups whose means count alike: one group, or in a mean of scales each scale's items.
    times : float
        What the result is multiplied by.
    """

    name: str
    items: NDArray[np.intp]
    score: str
    higher_is: str
    parts: tuple[NDArray[np.intp], ...]
    times: float


@dataclass(frozen=True)
class Key:
    """The key of an instrument.

    Attributes
    ----------
    items : int
        Number of items.
    low, high : float
        The range of a response; a reversed item is low + high - response.
    reversed : ndarray of bool, shape (items,)
        Reversed items.
    scales : tuple of Scale
        In the file's order.
    minimum_share : float
        Share of a scale's items that must be answered.
    document : dict
        The whole key file, checked and with defaults.
    """

    name: str
    items: int
    low: float
    high: float
    reversed: NDArray[np.bool_]
    scales: tuple[Scale, ...]
    minimum_share: float
    document: dict[str, Any]


def read_key(name: str) -> Key:
    """Read and check the key file of an instrument.

    Parameters
    ----------
    name : str
        The instrument.

    Raises
    ------
    InputError
        There is no such instrument, or its key contradicts itself; the sentence names the place.
    """
    path = resources.find("instruments", name)
    source = f"instruments/{path.name}"
    document = config.checked(files.read_yaml(path), "instrument", source)
    count = document["items"]
    numbered = {
        f"scales.{scale}": rule["items"]
        for scale, rule in document["scales"].items()
        if rule["items"] != "all"
    }
    numbered |= {
        f"response_codings.{coding}": items for coding, items in document["response_codings"].items()
    }
    numbered |= {"reversed": document["reversed"], "safety_items": document["safety_items"]}
    for place, items in numbered.items():
        beyond = [item for item in items if item > count]
        if beyond:
            raise InputError(
                f"{source}: {place} names item {beyond[0]}, but the instrument has {count} items."
            )
    if document["name"] != name:
        raise InputError(
            f"{source}: the name in the file is '{document['name']}'; '{name}' was expected, as the file is "
            "called."
        )
    for scale in document["scales"]:
        if scale != name and not scale.startswith(f"{name}_"):
            raise InputError(
                f"{source}: the scale '{scale}' should be called {name} (the total) or {name}_ and a word."
            )
    low, high = document["range"]
    if not low < high:
        raise InputError(f"{source}: range is {low} to {high}; the smallest response comes first.")
    return Key(
        name=name,
        items=count,
        low=float(low),
        high=float(high),
        reversed=_mask(document["reversed"], count),
        scales=_scales(document["scales"], count, source),
        minimum_share=float(document["missing"]["minimum_share"]),
        document=document,
    )


def _scales(rules: Mapping[str, dict[str, Any]], count: int, source: str) -> tuple[Scale, ...]:
    items = {
        name: np.arange(count) if rule["items"] == "all" else np.array(rule["items"], dtype=np.intp) - 1
        for name, rule in rules.items()
    }
    found = []
    for name, rule in rules.items():
        parts: tuple[NDArray[np.intp], ...] = (items[name],)
        if rule["score"] == "mean_of_scales":
            parts = tuple(items[other] for other in rules if other != name)
            if sorted(np.concatenate([*parts, []])) != sorted(items[name]):
                raise InputError(
                    f"{source}: scales.{name} is the mean of the other scales, so its items must be theirs, "
                    "each in one of them."
                )
        found.append(Scale(name, items[name], rule["score"], rule["higher_is"], parts, float(rule["times"])))
    return tuple(found)


def _mask(items: Sequence[int], count: int) -> NDArray[np.bool_]:
    mask = np.zeros(count, dtype=bool)
    mask[np.array(items, dtype=np.intp) - 1] = True
    return mask


def recoded(values: NDArray[np.float64], key: Key, coding: str | None, place: str) -> NDArray[np.float64]:
    """Turn around the items that a declared response coding holds the other way (HADS by position).

    Parameters
    ----------
    values : ndarray, shape (n, items)
        Responses within the instrument's range.
    coding : str or None
        One of the key file's `response_codings`; required where the file has any.
    place : str
        Where study.yaml says so, for the sentence.
    """
    known = key.document["response_codings"]
    if not known and coding is None:
        return values
    if coding not in known:
        given = "is missing" if coding is None else f"is '{coding}'"
        wanted = ", ".join(known) or "nothing (the key file knows only one coding)"
        raise InputError(f"study.yaml: {place}.response_coding {given}; expected was {wanted}.")
    return np.where(_mask(known[coding], key.items), key.low + key.high - values, values)
