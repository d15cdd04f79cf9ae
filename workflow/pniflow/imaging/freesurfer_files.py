"""One person's files of FreeSurfer: statistics of aseg, aparc and other segmentations, lists of volumes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pniflow.errors import InputError
from pniflow.imaging.freesurfer_regions import SIDES, are_regions, most_common, parted, regions_of, unknown
from pniflow.imaging.freesurfer_tables import placed, side_of
from pniflow.imaging.naming import entities
from pniflow.raw import gate

_STATS = re.compile(r"(?:(?P<side>lh|rh)\.)?(?P<atlas>aseg|aparc(?:\.[\w.]+?)?)\.stats")
# Lists of names and volumes in the folder `mri`: `lh.hippoSfVolumes-T1.v10.txt` (FreeSurfer 6),
# `lh.hippoSfVolumes-T1.long.v21.txt` (7, longitudinal), `lh.amygNucVolumes-T1.v21.txt`,
# `lh.hippoSfVolumes-T1-T2.v21.txt` (another analysis than that of T1 alone), `brainstemSsVolumes.v12.txt`,
# `ThalamicNuclei.v12.T1.volumes.txt`
LISTS = re.compile(
    r"((lh|rh)\.(hippoSf|amygNuc)Volumes(-[\w-]+)?(\.long)?\.v\d+"
    r"|ThalamicNuclei(\.long)?(\.v\d+)?(\.[\w-]+)?(\.long)?\.volumes"
    r"|brainstemSs(Volumes|Labels)(\.long)?(\.v\d+)?(\.volumes)?)\.txt"
)
ENDING = ".stats"
# The numbers of the lists again in the folder `stats` (FreeSurfer 7).
_SUBFIELD_STATS = re.compile(
    r"(hipposubfields|amygdalar-nuclei)\.(lh|rh)\.[\w-]+(\.long)?\.v\d+\.stats"
    r"|thalamic-nuclei\.(lh|rh)\.v\d+\.[\w-]+(\.long)?\.stats|brainstem(\.long)?\.v\d+\.stats"
)
# Of others those of which a person has one, with the regions that they name.
_OTHERS = re.compile(
    r"(?:.+_)?(wmparc|sclimbic|samseg|synthseg(\.\w+)?|hypothalamic_subunits_volumes\.v\d+)\.stats"
)
LONGITUDINAL = "_long"
"""Ends the name of an atlas whose numbers the longitudinal stream made; they are never mixed with others."""

_APARC = {
    "ThickAvg": ("thickness", "mm", 1.0),
    "GrayVol": ("gm_volume", "ml", 1000.0),
    "SurfArea": ("area", "mm2", 1.0),
}
# Of the lines "# Measure" those of a hemisphere that are read.
_CORTEX = {"MeanThickness": ("thickness", "mm"), "WhiteSurfArea": ("area", "mm2")}
FILE, STATISTICS, TABLE = range(3)
"""Where a number may stand: what stands in the first is not looked up in those that follow."""


class Number(NamedTuple):
    """One number of a table of FreeSurfer; `analysis` is what must be alike to compare: version, images.

    `rank` is the kind of file that it stands in; `whole` marks a volume of the whole brain, which several
    tables may repeat.
    """

    subject: str
    atlas: str
    region: str
    source_name: str
    hemisphere: str
    metric: str
    value: float
    unit: str
    analysis: str = ""
    rank: int = FILE
    whole: bool = False


def kind_of_file(path: Path, source: str) -> str:
    """Tell how a person's own file is read, `list` or ENDING; blank: not.

    Told by the name that FreeSurfer gives it, else (wmparc, samseg) by the regions that it names.
    """
    if LISTS.fullmatch(path.name):
        return "list"
    if not path.name.endswith(ENDING):
        return ""
    known = _STATS.fullmatch(path.name) or _SUBFIELD_STATS.fullmatch(path.name)
    other = _OTHERS.fullmatch(path.name) and _has_volumes(path, source)
    return ENDING if known or other else ""


def read_file(path: Path, source: str, kind: str) -> Iterator[Number]:
    """Yield the numbers of a person's own file.

    Parameters
    ----------
    path : Path
        File.
    source : str
        Its name in sentences.
    kind : str
        What `kind_of_file` said.

    Raises
    ------
    InputError
        A file without its header or columns, a value that is no number or negative, subfields of which
        nothing tells the side.
    """
    text = gate.read_text(path, source)
    stats = _STATS.fullmatch(path.name)
    if stats:
        yield from _stats(text, source, stats["atlas"], SIDES.get(stats["side"] or "", ""), path)
    elif kind == ENDING:
        analysis = _analysis(path.name) or _program(text)
        yield from _of_volumes(_volumes(text, path, source), path, source, analysis, STATISTICS)
    else:
        yield from _of_volumes(_listed(text, source), path, source, _analysis(path.name), FILE)


def _has_volumes(path: Path, source: str) -> bool:
    """Tell whether a statistics file of any name holds volumes of known regions."""
    if not path.is_file():
        return False
    try:
        text = gate.read_text(path, source)
    except InputError:
        return False
    columns = _columns(text)
    if not columns:
        return are_regions(_of_samseg(text))
    if not {"StructName", "Volume_mm3"} <= set(columns):
        return False
    place = columns.index("StructName")
    lines = (line.split() for line in text.splitlines() if not line.startswith("#"))
    return are_regions([cells[place] for cells in lines if len(cells) > place])


def _listed(text: str, source: str) -> dict[str, str]:
    """Read a list of names and volumes."""
    found = {}
    for line in text.lstrip("\ufeff").splitlines():
        cells = line.replace(",", " ").replace(";", " ").split()
        if len(cells) != 2:
            raise InputError(f"{source}: the line '{line[:40]}' is not a name and a volume.")
        found[cells[0]] = cells[1]
    return found


def _volumes(text: str, path: Path, source: str) -> dict[str, str]:
    """Read a statistics file of volumes alone: region -> volume."""
    columns = _columns(text)
    if not columns and (found := _of_samseg(text)):
        return found
    if not columns and _SUBFIELD_STATS.fullmatch(path.name):
        return _unnamed(text, source)
    _require_columns(columns, ("StructName", "Volume_mm3"), source)
    return {row["StructName"]: row["Volume_mm3"] for row in _rows(text, columns, source)}


def _unnamed(text: str, source: str) -> dict[str, str]:
    """Read a statistics file of subfields whose columns have no names."""
    found = {}
    for line in text.splitlines():
        cells = line.split()
        if line.startswith("#") or not cells:
            continue
        if len(cells) != 5:
            raise InputError(
                f"{source}: the line '{line[:40]}' is not of index, id, voxels, volume and name."
            )
        found[cells[4]] = cells[3]
    return found


def _of_samseg(text: str) -> dict[str, str]:
    """Return the lines `# Measure Left-Hippocampus, 4200.0, mm^3` of SAMSEG."""
    return dict(re.findall(r"^# Measure ([^,\n]+), ([^,\s]+), mm\^3[ \t]*$", text, re.MULTILINE))


def _of_volumes(held: dict[str, str], path: Path, source: str, analysis: str, rank: int) -> Iterator[Number]:
    """Return the volumes of one person's file: whose they are says its folder, the side its own name."""
    name = path.name
    subject = person_of(path, source)
    known = regions_of(tuple(held))
    common = most_common(known.values())
    longitudinal = ".long." in name or (".long." in subject and common not in _SUBFIELDS)
    for written, cell in held.items():
        region = known.get(written) or unknown(written, common)
        if region.whole:
            continue
        side, source_name = placed(region, written, side_of(name), source)
        atlas = region.atlas + (LONGITUDINAL if longitudinal else "")
        metric = "wm_volume" if region.atlas.endswith("wmparc") else "volume"
        value = _value(cell, source, written) / 1000
        yield Number(subject, atlas, region.name, source_name, side, metric, value, "ml", analysis, rank)


_SUBFIELDS = ("freesurfer_subfields", "freesurfer_amygdala")


def _analysis(name: str) -> str:
    """Return images and version that a file's name tells: `T1 v21`, `T1-T2 v21`, `v12`."""
    images = re.search(r"Volumes-([\w-]+)\.", name) or re.search(r"\.([\w-]*T\d[\w-]*)\.", name)
    default = "T1" if re.search("(hippoSf|amygNuc)Volumes", name) else ""
    version = re.search(r"\.(v\d+)\.", name)
    return " ".join(filter(None, [images[1] if images else default, version[1] if version else ""]))


def _program(text: str) -> str:
    """Return FreeSurfer's version that a statistics file names."""
    version = re.search(r"^# cvs_version (?:\$Id: \S+ )?(\d[\w.]*)", text, re.MULTILINE)
    return version[1] if version else ""


def person_of(path: Path, source: str) -> str:
    """Return the folder that a person's own file lies in, else the person that its own name tells.

    Where that folder does not tell the person, the folders above it that do stand before it
    (`sub-01/ses-1/stats`: sub-01_ses-1).
    """
    inside = path.parent.name in ("mri", "stats")
    if not inside and entities(path.name)[0]:
        return path.name.partition(".")[0]
    name = path.parent.parent.name if inside else path.parent.name
    above = source.split("/")[: -3 if inside else -2]
    if entities(f"{'/'.join(above)}/{name}") == entities(name):
        return name
    start = next(place for place, part in enumerate(above) if entities(part) != (None, None))
    return "_".join([*above[start:], name])


def _named(atlas: str, subject: str) -> str:
    """Return the atlas's name here: `freesurfer_aparc_a2009s_long` for aparc.a2009s of a longitudinal run."""
    return f"freesurfer_{atlas.replace('.', '_')}" + (LONGITUDINAL if ".long." in subject else "")


def _columns(text: str) -> list[str]:
    header = re.search(r"^# ColHeaders\s+(.+)$", text, re.MULTILINE)
    return header[1].split() if header else []


def _require_columns(columns: list[str], wanted: Iterable[str], source: str) -> None:
    if not columns:
        raise InputError(
            f"{source}: the line '# ColHeaders' is missing; this is no statistics file of FreeSurfer."
        )
    for column in wanted:
        if column not in columns:
            raise InputError(f"{source}: column '{column}' is missing in '# ColHeaders'.")


def _stats(text: str, source: str, atlas: str, side: str, path: Path) -> Iterator[Number]:
    """Read aseg.stats or a statistics file of the cortex by the columns that its header names."""
    columns = _columns(text)
    kinds = _APARC if side else {"Volume_mm3": ("volume", "ml", 1000.0)}
    _require_columns(columns, ("StructName", *kinds), source)
    named = re.search(r"^# subjectname\s+(\S+)", text, re.MULTILINE)
    alone = named and path.parent.name != "stats"
    subject = named[1] if named and alone else person_of(path, source)
    atlas = _named(atlas, subject)
    analysis = _program(text)
    for name, (cell, unit) in _measures(text).items():
        if side and name in _CORTEX:
            metric, unit = _CORTEX[name]
            value = _value(cell, source, name)
            yield Number(subject, atlas, name, f"{side[:1]}h.{name}", side, metric, value, unit, analysis)
        elif not side and unit == "mm^3":
            name = "eTIV" if name == "EstimatedTotalIntraCranialVol" else name
            region, where = parted(name)
            value = _value(cell, source, name) / 1000
            yield Number(subject, atlas, region, name, where or "both", "volume", value, "ml", analysis)
    for row in _rows(text, columns, source):
        region, where = (row["StructName"], side) if side else parted(row["StructName"])
        source_name = f"{side[:1]}h.{row['StructName']}" if side else row["StructName"]
        for column, (metric, unit, divisor) in kinds.items():
            value = _value(row[column], source, row["StructName"]) / divisor
            yield Number(subject, atlas, region, source_name, where or "both", metric, value, unit, analysis)


def _rows(text: str, columns: list[str], source: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a statistics file below its header, each as column -> cell."""
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        cells = line.split()
        if len(cells) != len(columns):
            raise InputError(
                f"{source}: the row '{line[:40]}' has {len(cells)} cells, the header {len(columns)}."
            )
        yield dict(zip(columns, cells, strict=True))


def _measures(text: str) -> dict[str, tuple[str, str]]:
    """Return the lines `# Measure Field, Name, words, 1.5, mm`: name -> value and unit.

    FreeSurfer forgets a comma after some names.
    """
    lines = re.findall(r"^# Measure [^,\n]+, (\w[^\s,]*).*?([^\s,]+), (\S+)[ \t]*$", text, re.MULTILINE)
    return {name: (value, unit) for name, value, unit in lines}


def _value(cell: str, source: str, name: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise InputError(f"{source}: {name} is '{cell[:40]}'; a number was expected.") from None
    if not 0 <= value < np.inf:
        raise InputError(f"{source}: {name} is {cell[:40]}; zero or more was expected.")
    return value
