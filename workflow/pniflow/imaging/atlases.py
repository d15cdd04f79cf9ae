"""Regions by their name: what CAT12's names mean in each version, which regions form a group, and left
against right.

The knowledge is in `resources/atlases`: one table per atlas, `groups.tsv` and `metrics.tsv`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pniflow import resources
from pniflow.errors import InputError, listing
from pniflow.imaging.ranges import ANY, Range, number, range_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Metric:
    """What a tag of CAT12 measures."""

    name: str
    unit: str
    range: Range = ANY


@dataclass(frozen=True)
class Region:
    """A region by its harmonized name and side; `known` is false for a name that is in no table."""

    name: str
    hemisphere: str
    known: bool = True


@resources.cached
def _atlas(name: str) -> list[dict[str, str]]:
    known = {path.stem for path in resources.files("atlases")}
    return resources.rows("atlases", name, "source_name", "region", "hemisphere") if name in known else []


@resources.cached
def _metrics() -> dict[str, Metric]:
    return {
        row["tag"]: Metric(row["metric"], row["unit"], _range(row))
        for row in resources.rows("atlases", "metrics")
    }


def _range(row: dict[str, str]) -> Range:
    """Return a measure's range; limits beside a measure of one's own go before the table of ranges."""
    known = range_of(row["metric"])
    least = number(row, "minimum") if row["minimum"] else known.minimum
    most = number(row, "maximum") if row["maximum"] else known.maximum
    return replace(known, minimum=least, maximum=most)


@resources.cached
def metric(tag: str) -> Metric:
    """Return what a tag (`Vgm`, `thickness`, `std_thickness`) measures; an unknown tag is its own name."""
    known = _metrics()
    if tag in known:
        return known[tag]
    statistic, _, rest = tag.partition("_")
    if statistic in ("mean", "median", "std") and rest in known:
        of = known[rest]
        if statistic == "mean":
            return of
        spread = replace(of.range, usual_from=0.0) if statistic == "std" else of.range
        return Metric(f"{of.name}_{statistic}", of.unit, spread)
    return Metric(tag, "unknown")


@resources.cached
def _regions(atlas: str) -> dict[str, Region]:
    return {row["source_name"]: Region(row["region"], row["hemisphere"]) for row in _atlas(_base(atlas))}


def _base(atlas: str) -> str:
    """Return the atlas that a name means: without CAT12's ending, without that of FreeSurfer's stream."""
    return re.sub(r"[._]freesurfer$|(?<=\w)_long$", "", atlas)


@resources.cached
def region(atlas: str, source_name: str, surface: bool) -> Region:
    """Return what a region's name means.

    A name that is in no table passes through: its side is read from the ways in which CAT12 writes sides (a
    leading l or r on surfaces, `Left `/`Right `, a last ` L`/` R`, a leading l or r before a capital), and
    `known` is false.
    """
    found = _regions(atlas).get(source_name)
    if found:
        return found
    spelled = re.fullmatch(r"(left|right)[ _](.+)", source_name, re.IGNORECASE)
    if spelled:
        return Region(spelled[2], spelled[1].lower(), known=False)
    last = re.fullmatch(r"(.+) ([LR])", source_name)
    if last:
        return Region(last[1], {"L": "left", "R": "right"}[last[2]], known=False)
    letter = re.fullmatch(r"([lr])(.+)" if surface else r"([lr])([A-Z0-9].*)", source_name)
    if letter:
        return Region(letter[2], {"l": "left", "r": "right"}[letter[1]], known=False)
    return Region(source_name, "both", known=False)


@resources.cached
def unknown_names(atlas: str, names: tuple[str, ...], surface: bool) -> int:
    """Count the names that are in no table."""
    return sum(not region(atlas, name, surface).known for name in names)


def ids_to_names(atlas: str, ids: Sequence[int], names: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Name regions by id where CAT12 had no table at hand and wrote `ROI001` or `RID4`.

    Ids differ between versions, so they are used only where all of them belong to one generation of the
    atlas.
    """
    generations: dict[str, dict[int, str]] = {}
    for row in _atlas(_base(atlas)):
        for generation in row.get("generation", "").split():
            generations.setdefault(generation, {})[int(row["id"])] = row["source_name"]
    fitting = [table for name, table in generations.items() if name != "surface" and set(ids) == set(table)]
    if len(ids) == len(names) and fitting:
        return tuple(fitting[-1][number] for number in ids), f"{atlas}: regions named by id"
    return tuple(names), f"{atlas}: regions have no names"


@resources.cached
def group_parts() -> list[dict[str, str]]:
    """Return the parts of each region group in each atlas: rows of `groups.tsv`."""
    return resources.rows("atlases", "groups", "group", "atlas", "metric")


def require_group(atlas: str, group: str) -> None:
    """Refuse a region group that an atlas cannot form.

    Raises
    ------
    InputError
        Unknown atlas or group, or the atlas does not divide the region (DK40 has one insula, so no anterior
        insula).
    """
    parts = group_parts()
    groups = sorted({row["group"] for row in parts})
    if group not in groups:
        raise InputError(f"region groups: there is no group '{group}'; known are {listing(groups, 20)}.")
    able = sorted({row["atlas"] for row in parts if row["group"] == group})
    if _base(atlas) not in able:
        held = [row["region"] for row in parts if row["atlas"] == _base(atlas) and row["group"] == "insula"]
        whole = group.endswith("_insula") and "insula" in held
        why = "has the insula as one region" if whole else "does not outline it"
        raise InputError(
            f"region groups: the atlas {atlas} has no {group}, it {why}; use {listing(able, 20)}."
        )


def region_groups(regions: pd.DataFrame, wanted: Sequence[str] | None = None) -> pd.DataFrame:
    """Form region groups (anterior insula, hippocampus, ...) and their asymmetry for each scan.

    Parameters
    ----------
    regions : DataFrame
        Contract `regions`.
    wanted : sequence of str, optional
        `<atlas>.<group>` to form; one that the atlas cannot form is refused. Default: all that the data hold.

    Returns
    -------
    DataFrame
        participant_id, session_id, scan, measure, value, unit; measure is `<atlas>.<group>.<side>.<metric>`
        with side left, right or left_minus_right. Volumes are sums (ml). Thickness is the mean of the
        regions, weighted by the vertices each has on CAT12's 32k template (mm), because label files hold no
        areas. left_minus_right is left - right (mm) for thickness and (left - right) / (left + right) for
        volumes (unit 1). A group of which a part is missing or NaN is missing (NaN); one side
        alone has no asymmetry.

    Raises
    ------
    InputError
        A wanted group that the atlas cannot form.
    """
    import pandas as pd

    columns = ["participant_id", "session_id", "scan", "measure", "value", "unit"]
    groups = _definitions(wanted)
    keys = ["atlas", "metric", "region", "hemisphere"]
    held = regions.loc[
        regions["metric"].isin(groups["metric"].unique()) & regions["hemisphere"].isin(["left", "right"]),
        ["participant_id", "session_id", "scan", *keys, "value"],
    ]
    held = held.astype(dict.fromkeys(keys, "str"))
    named = held["atlas"].map({atlas: _base(atlas) for atlas in held["atlas"].unique()})
    joined = held.assign(written=held["atlas"], atlas=named).merge(groups, on=keys)
    if joined.empty:
        return pd.DataFrame(columns=columns).astype({"value": float})
    sides = _sides(joined)
    long = pd.concat([sides, _asymmetry(sides)], ignore_index=True)
    scans = held[["participant_id", "session_id", "scan"]].drop_duplicates("scan")
    return _measures(long, scans)


def region_measures(regions: pd.DataFrame) -> pd.DataFrame:
    """Return each region of a label image as a measure, and the asymmetry of what has two sides.

    Parameters
    ----------
    regions : DataFrame
        Contract `regions`.

    Returns
    -------
    DataFrame
        As `region_groups` does; a region without a side has the side both or midline.
    """
    import pandas as pd

    rows = regions.rename(columns={"atlas": "written", "region": "group"})
    rows = rows.astype(dict.fromkeys(("written", "group", "hemisphere", "metric"), "str"))
    sides = rows[[*_PLACE, "hemisphere", "value"]]
    long = pd.concat([sides, _asymmetry(sides)], ignore_index=True)
    return _measures(long, rows[["participant_id", "session_id", "scan"]].drop_duplicates("scan"))


def _measures(long: pd.DataFrame, scans: pd.DataFrame) -> pd.DataFrame:
    """Name the measures and their units, and say whose they are."""
    names = long["written"] + "." + long["group"] + "." + long["hemisphere"] + "." + long["metric"]
    ratio = (long["hemisphere"] == "left_minus_right") & (long["metric"] != "thickness")
    units = long["metric"].map({"thickness": "mm"}).fillna("ml").where(~ratio, "1")
    long = long.assign(measure=names, unit=units).merge(scans, on="scan")
    columns = ["participant_id", "session_id", "scan", "measure", "value", "unit"]
    return long.sort_values(["scan", "measure"], kind="stable")[columns].reset_index(drop=True)


def _definitions(wanted: Sequence[str] | None) -> pd.DataFrame:
    """Return a row per part of each group on each side: its weight, and how many parts there are."""
    import pandas as pd

    pairs = [name.partition(".")[::2] for name in wanted or ()]
    for atlas, group in pairs:
        require_group(atlas, group)
    weights = ("weight_left", "weight_right")
    parts = [row | {column: number(row, column) for column in weights} for row in group_parts()]
    groups = pd.DataFrame(parts).melt(
        ["group", "atlas", "generation", "metric", "region", "source"],
        weights,
        var_name="hemisphere",
        value_name="weight",
    )
    groups["hemisphere"] = groups["hemisphere"].str.removeprefix("weight_")
    if wanted is not None:
        chosen = [f"{_base(atlas)}.{group}" for atlas, group in pairs]
        groups = groups[(groups["atlas"] + "." + groups["group"]).isin(chosen)]
    definition = ["atlas", "group", "metric", "hemisphere", "source"]
    groups["parts"] = groups.groupby(definition)["region"].transform("size")
    return groups


_PLACE = ["scan", "written", "group", "metric"]


def _sides(joined: pd.DataFrame) -> pd.DataFrame:
    """Return each group on each side: the sum of its parts, for thickness their weighted mean; NaN where a
    part is missing. Of several definitions of a group the one that the scan has whole is taken.
    """
    weighted = joined.assign(weighted=joined["value"] * joined["weight"])
    sums = (
        weighted.groupby([*_PLACE, "hemisphere", "source"], sort=False, observed=True)
        .agg(
            weighted=("weighted", "sum"),
            found=("weighted", "count"),
            weight=("weight", "sum"),
            parts=("parts", "first"),
        )
        .reset_index()
    )
    thick = sums["metric"] == "thickness"
    value = sums["weighted"].where(~thick, sums["weighted"] / sums["weight"])
    sums["value"] = value.where(sums["found"] == sums["parts"])
    sums = sums.sort_values([*_PLACE, "hemisphere", "value"]).drop_duplicates([*_PLACE, "hemisphere"])
    return sums[[*_PLACE, "hemisphere", "value"]]


def _asymmetry(sides: pd.DataFrame) -> pd.DataFrame:
    """Return left - right for thickness and (left - right) / (left + right) for volumes, where both are."""
    import pandas as pd

    left, right = (
        sides[sides["hemisphere"] == side].set_index(_PLACE)["value"] for side in ("left", "right")
    )
    both = pd.concat({"left": left, "right": right}, axis=1, join="inner").reset_index()
    difference = both["left"] - both["right"]
    value = difference.where(both["metric"] == "thickness", difference / (both["left"] + both["right"]))
    return both[_PLACE].assign(hemisphere="left_minus_right", value=value)
