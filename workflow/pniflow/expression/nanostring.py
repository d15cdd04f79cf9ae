"""Counts of nanoString's panels: an instrument's file of a lane (RCC), and tables of several lanes.

A lane is one sample; of a PlexSet it is eight, whose probes have classes of their own (Endogenous1s to 8s)
and whose controls are shared. What speaks for and against a lane: resources/genes/lane_checks.tsv.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pniflow import files, resources
from pniflow.contracts import read_table
from pniflow.errors import InputError, listing, repeated, shown
from pniflow.expression.formats import Quantified, is_number, rcc_columns, sample_name
from pniflow.raw import gate

if TYPE_CHECKING:
    import pandas as pd

QUALITY = (
    *("instrument", "fov_share", "binding_density", "positive_linearity", "positive_factor"),
    "detection_margin",
)
"""Columns of the levels that tell of a sample's lane."""
_CLASS = re.compile(r"(Endogenous\d*|Housekeeping|Positive|Negative)([1-8]s)?")
# Concentration (fM) of the positive controls, where their names do not hold it.
_CONCENTRATION = {"A": 128.0, "B": 32.0, "C": 8.0, "D": 2.0, "E": 0.5, "F": 0.125}
_LOWEST = 0.5  # POS_F lies near the background; nSolver counts it neither for linearity nor for the factor
_ATTRIBUTES = {
    "fovcount": "fields",
    "fovcounted": "counted",
    "bindingdensity": "density",
    "scannerid": "scanner",
}


class Lane(NamedTuple):
    """A sample of a lane: its name, its counts, and what speaks for and against the lane."""

    sample: str
    counts: Quantified
    quality: dict[str, object]


class _Probe(NamedTuple):
    kind: str  # Endogenous, Housekeeping, Positive or Negative
    well: str  # 1s to 8s of a PlexSet, else blank
    name: str
    value: float


def read_rcc(path: Path) -> list[Lane]:
    """Read a lane's file: counts of the endogenous and housekeeping probes of <Code_Summary>.

    Returns
    -------
    list of Lane
        One; of a PlexSet eight, named FILE_S1 to FILE_S8.

    Raises
    ------
    InputError
        The file has no complete <Code_Summary>, a probe has no count, or one stands twice.
    """
    lines = [line.strip() for line in gate.read_text(path, str(path)).split("\n")]
    try:
        first, last = lines.index("<Code_Summary>"), lines.index("</Code_Summary>")
    except ValueError:
        raise InputError(f"{path}: the RCC file has no complete <Code_Summary>; export it again.") from None
    begin = lines.index("<Lane_Attributes>") + 1 if "<Lane_Attributes>" in lines else len(lines)
    lane = itertools.takewhile(lambda line: not line.startswith("<"), lines[begin:])
    about = dict(line.partition(",")[::2] for line in lane)
    rows = list(files.cells([line for line in lines[first + 2 : last] if line], ",", path))
    return _lanes(path, sample_name(path), _probes(path, rows, (0, 1, 3)), about)


def read_rcc_export(path: Path) -> list[Lane]:
    """Read a table of lanes: what the RCC collector tool exports, or nSolver, raw or normalized.

    Raises
    ------
    InputError
        The table names no sample's file, a probe has no count, or one stands twice.
    """
    lines = gate.read_text(path, str(path)).split("\n")
    start, delimiter, kind, name, begin = rcc_columns(lines)
    rows = [
        [cell.strip() for cell in row]
        for row in files.cells([line.rstrip("\r") for line in lines], delimiter, path)
    ]
    header = rows[start] if start < len(rows) else []
    named = {place: sample_name(Path(cell)) for place, cell in enumerate(header) if place >= begin and cell}
    if not named:
        raise InputError(f"{path}: the first line names no sample's file; export the table again.")
    # The collector tool writes what a lane has above its counts.
    above = {row[0]: row for row in rows if row and row[0] and not _CLASS.fullmatch(row[0])}
    return [
        lane
        for place, sample in named.items()
        for lane in _lanes(
            path,
            sample,
            _probes(path, rows, (kind, name, place)),
            {key: row[place] for key, row in above.items() if len(row) > place},
        )
    ]


def _probes(path: Path, rows: Sequence[Sequence[str]], places: tuple[int, int, int]) -> list[_Probe]:
    """Take one column of counts of rows with the probe's class and name; other classes are passed over."""
    kind, name, column = places
    probes = []
    for row in rows:
        found = _CLASS.fullmatch(row[kind]) if len(row) > kind else None
        if found is None:
            continue
        if len(row) <= max(places) or not is_number(row[column]):
            label = row[name] if len(row) > name else ""
            raise InputError(f"{path}: probe {shown(label)} has no count; a number was expected.")
        probes.append(_Probe(found[1].rstrip("0123456789"), found[2] or "", row[name], float(row[column])))
    return probes


def _lanes(path: Path, sample: str, probes: list[_Probe], about: Mapping[str, str]) -> list[Lane]:
    """Divide a lane's probes among its samples."""
    genes = [probe for probe in probes if probe.kind in ("Endogenous", "Housekeeping")]
    if not genes:
        raise InputError(f"{path}: probe '' has no count; a number was expected.")
    wells = sorted({probe.well for probe in genes})
    if len(wells) > 1 and "" in wells:
        raise InputError(
            f"{path}: some probes are of a PlexSet's wells (Endogenous{wells[1]}), others are not; export the"
            " lanes of each panel apart."
        )
    quality = _quality(probes, about, plexed=wells != [""])
    lanes = []
    for well in wells:
        mine = [probe for probe in genes if probe.well == well]
        if twice := repeated(probe.name for probe in mine):
            raise InputError(f"{path}: the probe {listing(twice, 3)} stands more than once; keep one.")
        counts = Quantified(
            np.array([probe.name for probe in mine], dtype=object),
            np.array([probe.value for probe in mine]),
            tuple(probe.name for probe in mine if probe.kind == "Housekeeping"),
        )
        lanes.append(Lane(f"{sample}_S{well[0]}" if well else sample, counts, quality))
    return lanes


def _quality(probes: list[_Probe], about: Mapping[str, str], plexed: bool) -> dict[str, object]:
    """Gather what speaks for and against a lane; missing where the file does not say it.

    A PlexSet's positive controls are all of one concentration, one for each well, and tell nothing of a lane.
    """
    said = {
        _ATTRIBUTES.get(re.sub(r"\W|_", "", key).lower(), ""): text.strip() for key, text in about.items()
    }
    number = {key: float(text) if is_number(text) else np.nan for key, text in said.items()}
    fields, counted = number.get("fields", np.nan), number.get("counted", np.nan)
    scanner = said.get("scanner", "")
    positive = {} if plexed else _positives(probes)
    used = {conc: count for conc, count in positive.items() if conc >= _LOWEST}
    negative = np.array([] if plexed else [probe.value for probe in probes if probe.kind == "Negative"])
    # The limit of detection (nSolver): mean of the negative controls and two standard deviations.
    limit = negative.mean() + 2 * negative.std(ddof=1) if negative.size > 2 else np.nan
    return {
        # The fifth letter of a SPRINT's number is P (NanoStringNCTools).
        "instrument": (
            f"nCounter {'SPRINT' if scanner[4] == 'P' else 'MAX or FLEX'}" if scanner[4:] else None
        ),
        "fov_share": counted / fields if fields > 0 else np.nan,
        "binding_density": number.get("density", np.nan),
        "positive_linearity": _linearity(used),
        # Of all samples together, here the geometric mean (`table`).
        "positive_factor": float(np.exp(np.log([*used.values()]).mean()))
        if used and min(used.values()) > 0
        else np.nan,
        "detection_margin": positive.get(_LOWEST, np.nan) - limit,
    }


def _positives(probes: list[_Probe]) -> dict[float, float]:
    """Return the counts of the positive controls by concentration: POS_A(128), or POS_A."""
    found = {}
    for probe in probes:
        named = (
            re.fullmatch(r"POS_([A-F])(?:\(([0-9.]+)\))?", probe.name) if probe.kind == "Positive" else None
        )
        if named:
            told = named[2] if named[2] and is_number(named[2]) else None
            found[float(told) if told else _CONCENTRATION[named[1]]] = probe.value
    return {conc: count for conc, count in found.items() if conc > 0 and 0 <= count < np.inf}


def _linearity(counts: Mapping[float, float]) -> float:
    """Return R² of log2(count + 1) on log2 concentration; of counts that are all alike zero."""
    if len(counts) < 3:
        return np.nan
    x, y = np.log2([*counts]), np.log2(np.array([*counts.values()]) + 1)
    if np.ptp(y) == 0:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1] ** 2)


def table(lanes: Sequence[Lane], samples: Sequence[str]) -> pd.DataFrame:
    """Return the quality of samples' lanes (columns QUALITY), a row per sample in their order.

    `positive_factor` is the mean over samples of the lanes' geometric means of POS_A to POS_E, over the
    lane's own: what nSolver multiplies a lane's counts by.
    """
    import pandas as pd

    rows = {lane.sample: lane.quality for lane in lanes}
    frame = pd.DataFrame([rows[sample] for sample in samples], columns=list(QUALITY))
    frame["positive_factor"] = frame["positive_factor"].mean() / frame["positive_factor"]
    return frame


@resources.cached
def lane_checks() -> list[dict[str, object]]:
    """Return the bounds of a lane's measures: measure, instrument, low, high and flag of each row.

    Raises
    ------
    InputError
        A bound is no number.
    """
    rows = read_table(resources.find("genes", "lane_checks"), "lane_checks").to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in rows]
