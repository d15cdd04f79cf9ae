"""CAT12's own tables, for labs that kept nothing else: ROI_<atlas>_<measure>.csv and TIV.txt, either decimal
sign.
"""

from __future__ import annotations

import io
import re
from pathlib import Path, PureWindowsPath

import numpy as np

from pniflow import files
from pniflow.errors import InputError, repeated
from pniflow.imaging.atlases import metric
from pniflow.imaging.cat12.document import read_bytes
from pniflow.imaging.cat12.label_files import AtlasValues, in_range
from pniflow.imaging.ranges import require_possible
from pniflow.raw import gate

# Since 12.8.1 `ROI_hammers_Vgm.csv`, before `ROI_catROI_hammers_Vgm.csv` and
# `ROI_catROIs_aparc_DK40_thickness.csv`.
_NAME = re.compile(r"ROI_(?:catROIs?_)?(?P<atlas>.+?)_(?P<tag>(?:(?:mean|median|std)_)?[A-Za-z0-9]+)\.csv")
_TISSUES = ("tiv", "gm", "wm", "csf", "wmh")


def is_export(name: str) -> bool:
    """Tell whether a file is one of CAT12's own tables, by its name."""
    return bool(_NAME.fullmatch(name)) or name == "TIV.txt"


def is_foreign(path: Path, source: str) -> bool:
    """Tell whether a table only has the name of CAT12's: its first column is not 'names'."""
    return path.name != "TIV.txt" and not _is_header(_rows(path, source)[0])


def replaces(name: str) -> str | None:
    """Return the kind of file in whose place a table stands: report, label_volume, label_surface; None where
    the name is of no measure that CAT12 makes, so that the table is a lab's own.
    """
    named = _NAME.fullmatch(name)
    if named is None:
        return "report"
    if metric(named["tag"]).unit == "unknown":
        return None
    return "label_volume" if named["tag"].startswith(("V", "T")) else "label_surface"


def stems(path: Path, source: str) -> list[str]:
    """Return the scans that a table is about."""
    return list(tissues(path, source)) if path.name == "TIV.txt" else list(regions(path, source))


def regions(path: Path, source: str) -> dict[str, AtlasValues]:
    """Read a table of regions: scan -> the atlas's values of one measure.

    The list of atlases and names is that of CAT12's first person; a person without the file is a row of NaN.
    Numbers have four decimals; a blank cell is missing, as NaN is.

    Raises
    ------
    InputError
        No column of names, rows of another length than the header, a cell that is no number, a scan given
        twice.
    """
    named = _NAME.fullmatch(path.name)
    assert named is not None
    rows = _rows(path, source)
    if not _is_header(rows[0]):
        raise InputError(
            f"{source}: the first column of CAT12's table is 'names'; this one is another table."
        )
    names = tuple(rows[0][1:])
    twice = repeated(names)
    if twice:
        raise InputError(f"{source}: the header repeats {twice[0]}; each region may stand once.")
    result = {}
    for number, row in enumerate(rows[1:], start=2):
        stem = _stem(row[0])
        if stem in result:
            raise InputError(f"{source}: row {number} repeats the scan {stem}; each may stand once.")
        if len(row) != len(rows[0]):
            raise InputError(f"{source}: row {number} has {len(row)} cells, the header {len(rows[0])}.")
        values = np.array([_number(cell or "NaN", f"{source}: row {number}") for cell in row[1:]])
        place = f"row {number}, {named['atlas']}/{named['tag']}"
        odd = in_range(values, named["tag"], names, source, place)
        result[stem] = AtlasValues(
            named["atlas"], names, "", {named["tag"]: values}, ("values have four decimals", *odd)
        )
    return result


def tissues(path: Path, source: str) -> dict[str, dict[str, float]]:
    """Read TIV.txt: scan -> tiv, and gm, wm, csf, wmh where they are; the order there is not that of the XML.

    CAT12 writes no header; one that a lab added may name the columns in another order. Without scan names
    the lines could only be told by their order, so the file is not used.
    """
    result = {}
    order: tuple[str, ...] = _TISSUES
    for number, row in enumerate(_rows(path, source), start=1):
        cells = [cell for cell in row if cell]
        if number == 1 and (named := tuple(cell.lower() for cell in row[1:])) and {*named} <= {*_TISSUES}:
            order = named
            continue
        if not cells or _is_number(cells[0]):
            return {}
        if len(cells) not in (2, 6):
            raise InputError(
                f"{source}: row {number} has {len(cells)} cells; name and TIV, or name and five volumes."
            )
        values = [_number(cell, f"{source}: row {number}") for cell in cells[1:]]
        volumes = dict(zip(order, values, strict=False))
        for name, volume in volumes.items():
            require_possible(volume, name, f"{source}: row {number}: {name}")
        result[_stem(cells[0])] = volumes
    return result


def _is_header(row: list[str]) -> bool:
    return row[0].lower() in ("names", "name")


def _rows(path: Path, source: str) -> list[list[str]]:
    """Split a table by tab, else by ';' (then the decimal sign is a comma), else by comma; blank lines left
    out.
    """
    text = gate.decoded(read_bytes(path, source), source)
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = next((sign for sign in "\t;," if sign in first), "\t")
    lines = files.cells(io.StringIO(text, newline=None), delimiter, source)
    rows = [[" ".join(cell.split()) for cell in row] for row in lines if row]
    # The oldest exporter ends each line with a tab.
    return [row[:-1] if len(row) > 1 and not row[-1] and delimiter == "\t" else row for row in rows]


def _stem(name: str) -> str:
    base = PureWindowsPath(name.replace("/", "\\")).name
    return re.sub(r"^cat(?:ROIs?)?_|\.(?:xml|mat|nii)$", "", base)


def _is_number(cell: str) -> bool:
    return bool(re.fullmatch(r"[-+]?\d+(?:[.,]\d+)?(?:e[-+]?\d+)?|NaN", cell, re.IGNORECASE))


def _number(cell: str, place: str) -> float:
    value = float(cell.replace(",", ".")) if _is_number(cell) else np.inf
    if np.isinf(value):
        raise InputError(f"{place} holds '{cell[:40]}', which is not a number.")
    return value
