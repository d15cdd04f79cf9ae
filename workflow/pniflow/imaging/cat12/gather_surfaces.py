"""Cortical surfaces of all scans in one array: native thickness, or overlays resampled to the 32k or 164k
mesh.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pniflow import contracts, files
from pniflow.errors import InputError, listing
from pniflow.imaging.cat12 import template
from pniflow.imaging.cat12.overlays import read_curv, read_gifti, read_triangles
from pniflow.imaging.cat12.template import VERTICES
from pniflow.imaging.naming import home
from pniflow.imaging.ranges import VERTEX, MapCheck
from pniflow.raw import gate

if TYPE_CHECKING:
    import pandas as pd

SIDES = {"lh": "left", "rh": "right"}


def gather_surfaces(
    *,
    folder: Path,
    scans: Path,
    surfaces: Path,
    index: Path,
    measure: str = "thickness",
    mesh: Literal["32k", "164k", "native"] = "32k",
    smoothing: int = 12,
    quality: Path | None = None,
    triangles: Path | None = None,
) -> None:
    """Read one surface measure of all scans into one array, with a table that says where each scan stands in
    it.

    Parameters
    ----------
    folder : Path
        Folder with CAT12's outputs.
    scans : Path
        Table of scans (contract `scans`); scans without a batch are left out.
    surfaces : Path
        Array to write, .npy, float32. Resampled: one row per scan, left then right hemisphere, medial wall
        NaN (32k only). Native: all vertices of all scans one after another.
    index : Path
        Table to write (contract `surfaces`): scan, hemisphere, start and number of its values in the
        flattened array.
    measure : str
        Measure, as in the file names (thickness, gyrification).
    mesh : str
        32k, 164k, or native (FreeSurfer curv files, every scan with its own number of vertices).
    smoothing : int
        Smoothing of resampled files in mm, as in their names (s12.); 0 for files without.
    quality : Path, optional
        Quality of the scans (contract `quality`); scans that failed in CAT12 are left out.
    triangles : Path, optional
        Array to write, .npy, int32: the mesh that the values stand on, both hemispheres. 32k: the template's;
        164k: that of the first scan's file, without rows where it holds none.

    Raises
    ------
    InputError
        No files of that kind, a scan without its file, a damaged file, a file that leads out of the folder.
    """
    import pandas as pd

    table = usable_scans(contracts.read_table(scans, "scans"), quality)
    if not re.fullmatch(r"\w+", measure):
        raise InputError(
            f"measure: '{measure}' is no name of a surface measure; thickness, for example, is one."
        )
    found = _find(folder, measure, mesh, smoothing, shared_stems(table))
    absent = [scan for scan in table["scan"] if not found.get(scan)]
    if absent:
        raise InputError(
            f"{folder}: {len(absent)} of {len(table)} scans have no {_kind(measure, mesh, smoothing)}"
            f" ({listing(absent, 3)});"
            " resample the surfaces in CAT12, or choose another mesh or smoothing."
        )
    if table.empty:
        raise InputError(f"{scans}: no scan of the table is to be read.")
    # Sizes first, so that the array can be written in place and memory holds one scan at a time.
    parts = [
        (row.scan, row.participant_id, row.session_id, side, path)
        for row in table.itertuples()
        for side, path in found[str(row.scan)]
    ]
    sizes = [_length(path, side, mesh) for *_, side, path in parts]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).tolist()
    shape = (sum(sizes),) if mesh == "native" else (len(table), 2 * VERTICES[mesh])
    look, flags = MapCheck(VERTEX.get(measure, measure), "vertices"), []
    wall = {side: template.medial_wall(side) for side in template.HALVES} if mesh == "32k" else {}
    if wall:
        wall["both"] = np.concatenate([wall["left"], wall["right"]])
    blank: dict[str, int] = {}
    with files.atomic_path(surfaces) as temporary:
        array = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float32, shape=shape)
        flat = array.reshape(-1)
        for (scan, _, _, side, path), start, size in zip(parts, starts, sizes, strict=True):
            source = path.relative_to(folder).as_posix()
            values = read_curv(path, source) if mesh == "native" else read_gifti(path, source, size)
            if wall:
                values[wall[side]] = np.nan
            flags.append(look.flags(values, source))
            flat[start : start + size] = values
            blank[str(scan)] = blank.get(str(scan), 0) + int(np.isnan(values).sum())
        array.flush()
    columns = ["scan", "participant_id", "session_id", "hemisphere", "source"]
    rows = pd.DataFrame(
        [(*part[:4], part[4].relative_to(folder).as_posix()) for part in parts], columns=columns
    )
    contracts.write_table(rows.assign(start=starts, vertices=sizes, flags=flags), index, "surfaces")
    if triangles is not None:
        found_triangles = template.both_triangles() if mesh == "32k" else _triangles(parts[:2], sizes, folder)
        with files.atomic_path(triangles) as temporary, open(temporary, "wb") as stream:
            np.save(stream, found_triangles.astype(np.int32))
    say_flags(list(rows["source"]), flags)
    note = "medial wall NaN" if wall else "medial wall not masked: no mask of this mesh is at hand"
    print(f"{len(table)} scans, {_kind(measure, mesh, smoothing)}, {note}.", file=sys.stderr)
    say_blank(blank, "vertices")


def say_blank(blank: dict[str, int], what: str) -> None:
    """Name on standard error the scans without a value where others have one: nobody's counts there."""
    fewest = min(blank.values())
    lacking = [f"{scan} ({number})" for scan, number in blank.items() if number > fewest]
    if lacking:
        print(
            f"{len(lacking)} of {len(blank)} scans have more {what} without a value (NaN) than the others"
            f" ({listing(lacking, 3)}); no model uses these {what} of any scan.",
            file=sys.stderr,
        )


def _kind(measure: str, mesh: str, smoothing: int) -> str:
    return (
        f"native {measure}"
        if mesh == "native"
        else f"{measure} resampled to {mesh}, smoothed by {smoothing} mm"
    )


def shared_stems(table: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Return the scans whose files are told from others' of the same name by their folder alone: folder and
    stem -> scan.
    """
    sources = table[["report", "label_volume", "label_surface"]].bfill(axis=1).iloc[:, 0].fillna("")
    found = {}
    for scan, source in zip(table["scan"], sources, strict=True):
        stem = re.sub(r"^cat(ROIs?)?_|\.(xml|mat)$", "", source.rpartition("/")[2])
        if source and stem != scan:
            found[home(source), stem] = scan
    return found


def _find(
    folder: Path, measure: str, mesh: str, smoothing: int, shared: dict[tuple[str, str], str]
) -> dict[str, list[tuple[str, Path]]]:
    """Return scan -> its files with their side: one of both hemispheres, or left and right."""
    resampled = "resampled_32k" if mesh == "32k" else "resampled"
    start = f"s{smoothing}." if smoothing else ""
    name = re.compile(
        rf"(?P<side>lh|rh)\.{measure}\.(?P<stem>(?!resampled).+?)"
        if mesh == "native"
        else rf"{re.escape(start)}(?P<side>mesh|lh|rh)\.{measure}\.{resampled}\.(?P<stem>.+)\.gii"
    )
    found: dict[str, dict[str, Path]] = {}
    for path in walk(folder):
        match = name.fullmatch(path.name)
        if match and not (mesh == "native" and path.suffix in (".gii", ".dat")):
            stem = shared.get((home(path.relative_to(folder).as_posix()), match["stem"]), match["stem"])
            other = found.setdefault(stem, {}).setdefault(SIDES.get(match["side"], "both"), path)
            if not is_copy(path, other):
                raise InputError(
                    f"{folder}: {path.name} is there twice ({other.parent.name}, {path.parent.name}); keep"
                    " one."
                )
    result = {}
    for stem, sides in found.items():
        if "both" in sides:
            result[stem] = [("both", sides["both"])]
        elif len(sides) == 2:
            result[stem] = [("left", sides["left"]), ("right", sides["right"])]
    return result


def is_copy(path: Path, other: Path) -> bool:
    """Tell whether a file is another's copy, with the values that stand beside a GIfTI file; or that file."""
    if path == other:
        return True
    return (
        path.name == other.name
        and gate.is_same(path, other)
        and gate.is_same(path.with_suffix(".dat"), other.with_suffix(".dat"))
    )


def walk(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder in a fixed order; error reports and hidden folders are passed over."""
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder.")
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "err" and not name.startswith("."))
        yield from (Path(place, name) for name in sorted(names))


def _length(path: Path, side: str, mesh: str) -> int:
    if mesh == "native":
        return len(read_curv(path, path.name))
    return VERTICES[mesh] * (2 if side == "both" else 1)


def say_flags(sources: Sequence[str], flags: Sequence[str]) -> None:
    """Say what is implausible about the files of maps."""
    for source, words in zip(sources, flags, strict=True):
        if words:
            print(f"{source}: {words}.", file=sys.stderr)


def usable_scans(scans: pd.DataFrame, quality: Path | None) -> pd.DataFrame:
    """Return the scans that are to be read; those that failed in CAT12 have no surfaces and are counted."""
    table = scans[scans["batch"].notna()]
    if quality is None:
        return table
    status = contracts.read_table(quality, "quality")
    failed = table["scan"].isin(status.loc[status["status"] == "failed", "scan"])
    if failed.any():
        print(f"{int(failed.sum())} failed scans have no surfaces and are left out.", file=sys.stderr)
    return table[~failed]


def _triangles(parts: Sequence[tuple[Any, ...]], sizes: Sequence[int], folder: Path) -> np.ndarray:
    """Return the mesh of the first scan: one file with both sides, or a left and a right one."""
    found: list[np.ndarray] = []
    start = 0
    for (_, _, _, side, path), size in zip(parts, sizes[:2], strict=True):
        if side == "both" and found:
            break  # the second scan's
        own = read_triangles(path, path.relative_to(folder).as_posix(), size)
        if own is None:
            return np.empty((0, 3), dtype=np.int32)
        found.append(own + start)
        start += size
        if side == "both":
            break
    return np.concatenate(found)
