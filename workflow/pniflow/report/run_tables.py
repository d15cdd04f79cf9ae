"""What the report is written from, and the choices of rows that several sections share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pniflow.figures.gallery import FIGURES
from pniflow.report.bibliography import Bibliography
from pniflow.report.blocks import Picture
from pniflow.report.interpretation import Context
from pniflow.text import labels, numbers, wording

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class Results:
    """Everything the report is written from.

    Attributes
    ----------
    study : dict
        The checked study.yaml.
    rows : list of dict
        Estimates, each with its key.
    variants : dict
        Key -> its rows of the sensitivity table.
    domains : dict
        Measure -> domain, of the measures there are.
    tables : dict
        Name -> table, of those that were given (flow, exclusions, table1, diagnostics, quality, ...).
    figures : dict
        Name -> figure.
    """

    study: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    context: Context
    variants: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    domains: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    figures: Mapping[str, Picture] = field(default_factory=dict)
    methods: Sequence[Any] = ()
    software: Sequence[Any] = ()
    claims: Sequence[Any] = ()
    bibliography: Bibliography = field(default_factory=Bibliography)


def figures(results: Results, place: str) -> list[Any]:
    """Return the figures of a place of the report that there are, in the order of the gallery."""
    return [
        results.figures[one.name]
        for one in FIGURES.values()
        if one.place == place and one.name in results.figures
    ]


def tested(results: Results, *kinds: str) -> list[Mapping[str, Any]]:
    """Return the tested rows whose terms are of these kinds."""
    return [
        row for row in results.rows if numbers.given(row["family"]) and wording.row_term(row).kind in kinds
    ]


def is_ctra(row: Mapping[str, Any]) -> bool:
    """Tell whether a row's outcome is the CTRA or a component."""
    return bool(labels.sign_note(row["outcome"]))


def asked(family: str, rows: Sequence[Mapping[str, Any]], results: Results) -> str:
    """Return the question of a family as a sentence."""
    text = wording.question(family, rows)
    return text if text.endswith("?") else f"{text}."


def is_imaging(results: Results, row: Mapping[str, Any]) -> bool:
    """Tell whether a row's outcome was measured by MRI."""
    return results.domains.get(row["outcome"]) == "imaging" or labels.region_of(row["outcome"]) is not None
