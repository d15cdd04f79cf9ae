"""What measures, regions, atlases and scales are called, and in which direction they read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pniflow import modalities, resources
from pniflow.errors import InputError
from pniflow.files import read_yaml
from pniflow.text.numbers import given, unit_shown

if TYPE_CHECKING:
    import pandas as pd


CTRA_SIGN = "higher CTRA = more adverse: more inflammatory, less interferon and antibody gene expression"


COMPONENT_SIGN = "higher = more expression"


CTRA_COMPONENTS = ("inflammatory", "interferon", "antibody")


# Domain of a measure -> how its branch is called.
DOMAINS = {name: one.label for name, one in modalities.DOMAINS.items()} | {"exposure": "Exposure"}


_SIDES = {"left": "left", "right": "right", "left_minus_right": "left minus right", "both": "both sides"}


@dataclass(frozen=True)
class Label:
    """A measure in words.

    Attributes
    ----------
    long, short : str
        For prose and for axes.
    better : str
        "lower", "higher", or "" where neither is better.
    unit : str
        Unit, "" where none is recorded.
    """

    long: str
    short: str
    better: str = ""
    unit: str = ""


@resources.cached
def known(name: str) -> dict[str, dict[str, str]]:
    """Read a table of `resources/labels/`: first column -> row; the user's own rows replace shipped ones."""
    return {next(iter(row.values())): row for row in resources.rows("labels", name)}


@resources.cached
def instrument_key(name: str) -> dict[str, Any] | None:
    """Return an instrument's key file, the user's own before the shipped one; None where there is none."""
    try:
        key: dict[str, Any] = read_yaml(resources.find("instruments", name))
    except InputError:
        return None
    return key


def units_of(measures: pd.DataFrame) -> dict[str, str]:
    """Return measure -> its unit as printed, of the measures that have one."""
    once = measures.drop_duplicates("measure")
    units = zip(once["measure"], once["unit"], strict=True)
    return {str(name): unit_shown(unit) for name, unit in units if given(unit)}


def unit_of(measure: str, units: Mapping[str, str]) -> str:
    """Return a measure's unit as the data have it, else that of its label."""
    return units.get(measure) or label(measure).unit


@resources.cached
def label(measure: str) -> Label:
    """Return a measure's label: from `resources/labels`, the instrument, a region's name, or as it is."""
    row = known("measures").get(measure)
    scale = _scale(measure)
    if row:
        return Label(row["label"], row["short"], row["better"] or scale.better, unit_shown(row["unit"]))
    if scale.long:
        return scale
    region = region_of(measure)
    if region:
        metric = re.sub("^gm ", "grey matter ", region.metric.replace("_", " "))
        metric = re.sub("^wm ", "white matter ", metric)
        place = region.group.replace("_", " ")
        place = place if region.side == "left_minus_right" else f"{_SIDES[region.side]} {place}"
        lead = "left minus right " if region.side == "left_minus_right" else ""
        long = f"{lead}{metric} of the {place}"
        long = long[:1].upper() + long[1:]
        unit = "mm" if "thickness" in region.metric else "ml" if "volume" in region.metric else ""
        return Label(long, f"{region.group.replace('_', ' ')}, {_SIDES[region.side]}", "", unit)
    text = measure.replace("_", " ").strip()
    return Label(text, text)


def _scale(measure: str) -> Label:
    """Return the label of a questionnaire's scale from its key file; empty for other measures."""
    parts = measure.split("_")
    for count in range(len(parts), 0, -1):
        name = "_".join(parts[:count])
        key = instrument_key(name)
        scale = key["scales"].get(measure) if key else None
        if key and scale:
            title = scale.get("title") or (key["title"] if measure == name else " ".join(parts[count:]))
            better = {"better": "higher", "worse": "lower"}.get(scale["higher_is"], "")
            return Label(title[:1].upper() + title[1:], title, better, "points")
    return Label("", "")


@dataclass(frozen=True)
class Region:
    """The parts of a region group's measure name `<atlas>.<group>.<side>.<metric>`."""

    atlas: str
    group: str
    side: str
    metric: str


def atlas(name: str) -> str:
    """Return an atlas in words; one without a label by its name."""
    return known("atlases").get(name, {}).get("label", name)


def region_of(measure: str) -> Region | None:
    """Take a region group's measure name apart; None for other measures."""
    parts = measure.split(".")
    return Region(*parts) if len(parts) == 4 and parts[2] in _SIDES else None


def sign_note(*measures: str) -> str:
    """Return the sign convention that must stand beside numbers on these measures, else ""."""
    notes = []
    if any(measure.startswith("ctra") for measure in measures):
        notes.append(CTRA_SIGN)
    if any(measure in CTRA_COMPONENTS for measure in measures):
        notes.append(COMPONENT_SIGN)
    return "; ".join(notes)


def subject(measure: str) -> str:
    """Return a measure's label as the subject of a sentence."""
    text = label(measure).long
    return f"The {text}" if measure.startswith("ctra") else text


def item(name: str) -> str:
    """Return what was left out or flagged in words ("scale pss10" -> "Perceived stress (PSS-10)")."""
    kind, _, measure = name.partition(" ")
    return label(measure).long if kind in ("scale", "assay", "measure") else name


def instrument(name: str) -> str:
    """Return a measure's label; for an instrument without a total score, its own name."""
    long = label(name).long
    if long != name.replace("_", " "):
        return long
    key = instrument_key(name)
    return str(key["title"]) if key else long


def variant(name: str) -> str:
    """Return a sensitivity analysis in words."""
    row = known("variants").get(name)
    return row["label"] if row else name.replace("_", " ")
