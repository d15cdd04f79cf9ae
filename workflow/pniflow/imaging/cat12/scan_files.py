"""The scans of a folder of CAT12: which files belong together, in any layout."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pniflow.errors import InputError, listing
from pniflow.imaging.cat12.exports import is_export, is_foreign, replaces, stems
from pniflow.imaging.naming import Place, entities, first_word, home, time_points
from pniflow.raw import gate

_NAME = re.compile(r"(?P<kind>catlong|catROIs|catROI|cat)_(?P<stem>.+)\.(?P<ending>xml|mat)")
COLUMNS = {"cat": "report", "catROI": "label_volume", "catROIs": "label_surface"}
# Modulated grey matter: `mwp1r` is written by the plasticity model, `mwmwp1r` by the ageing model.
_MODEL_FILE = re.compile(r"(?:s\d*)?(?P<kind>mwmwp1|mwp1)(?P<stem>r.+)\.nii(?:\.gz)?")


@dataclass
class Scan:
    """A scan: what one run of CAT12 on one image wrote.

    Attributes
    ----------
    stem : str
        File stem after `cat_`, `catROI_`, `catROIs_`.
    folder : str
        Folder of the scan where several scans have files of that stem; else blank.
    paths, sources : dict of str to Path, str
        report, label_volume, label_surface -> file, and its name relative to the folder that was given.
    exports : dict of str to Path
        CAT12's own tables that hold the scan, by that name; used for what the scan has no file of.
    """

    stem: str
    paths: dict[str, Path] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    participant: str | None = None
    session: str | None = None
    longitudinal: bool = False
    longitudinal_model: str = ""
    exports: dict[str, Path] = field(default_factory=dict)
    folder: str = ""

    @property
    def name(self) -> str:
        """Name of the scan in tables: its stem, after its folders where the stem alone is not its own."""
        return "_".join([*self.folder.split("/"), self.stem]) if self.folder else self.stem

    @property
    def source(self) -> str:
        """Name that tells whose it is: a file's, or where there is none the one in CAT12's tables."""
        return next(iter(self.sources.values()), self.stem)

    @property
    def average(self) -> bool:
        """Whether this is the within-person average of the longitudinal pipeline, which is never a time
        point.
        """
        return self.stem.startswith("avg_")


@dataclass
class Found:
    """What a search found: scans by name, lists of time points, and what tells longitudinal runs.

    `order` is what the lists of time points say of each image, `placed` the scans of a stem by folder.
    """

    scans: dict[str, Scan] = field(default_factory=dict)
    placed: dict[str, dict[str, Scan]] = field(default_factory=dict)
    time_points: list[Path] = field(default_factory=list)
    order: dict[str, Place] = field(default_factory=dict)
    models: dict[str, set[str]] = field(default_factory=dict)
    images: set[str] = field(default_factory=set)
    copies: list[str] = field(default_factory=list)
    exports: dict[str, Path] = field(default_factory=dict)
    t1prep: list[str] = field(default_factory=list)


def find_scans(paths: Sequence[Path]) -> Found:
    """Find CAT12's files below folders, or take files as given, and group them by scan.

    Where an XML file and its .mat twin lie side by side the XML is taken. Folders of CAT12's error reports
    (`err`) and hidden folders are passed over.

    Raises
    ------
    InputError
        A path does not exist, a given file is not named as CAT12 names its files, or two files of one name
        differ.
    """
    found, linked = Found(), list[str]()
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: there is no such file or folder.")
        if not path.is_file():
            linked += _take_folder(found, path)
        elif _NAME.fullmatch(path.name) or is_export(path.name):
            _take(found, path, path.name)
        else:
            raise InputError(
                f"{path.name}: this is no CAT12 file name; cat_*.xml, catROI_*.xml or catROIs_*.xml"
                " (or .mat) was expected."
            )
    if linked:
        print(f"Links to other folders are not followed: {listing(linked)}.", file=sys.stderr)
    if found.t1prep:
        print(f"Not read, for they are T1Prep's: {listing(found.t1prep)}.", file=sys.stderr)
    for stem, placed in found.placed.items():
        for scan in _apart(stem, placed, found.copies):
            if found.scans.setdefault(scan.name, scan) is not scan:
                raise InputError(
                    f"{scan.source}: another scan is named {scan.name} as well; rename the file."
                )
    _take_exports(found)
    found.order = time_points(found.time_points)
    longitudinal = longitudinal_stems(found)
    for scan in found.scans.values():
        scan.longitudinal = scan.stem in longitudinal
        scan.longitudinal_model = longitudinal_model(scan.stem, found) if scan.longitudinal else ""
    found.scans = dict(sorted(found.scans.items()))
    return found


def _take_folder(found: Found, path: Path) -> list[str]:
    """Take the files below a folder; return the names of folders that are links, which are not followed."""
    linked = list[str]()
    for place, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if name != "err" and not name.startswith("."))
        linked += [name for name in folders if Path(place, name).is_symlink()]
        for name in sorted(names):
            if _NAME.fullmatch(name) or name.endswith((".nii", ".nii.gz")) or is_export(name):
                file = Path(place, name)
                _take(found, file, file.relative_to(path).as_posix())
            elif name.startswith("ROI_") and name.endswith(".json"):
                found.t1prep.append(name)
    return linked


def _take(found: Found, path: Path, source: str) -> None:
    name = _NAME.fullmatch(path.name)
    model = _MODEL_FILE.fullmatch(path.name)
    if model:
        found.models.setdefault(model["stem"], set()).add(model["kind"])
    elif name and name["kind"] == "catlong":
        found.time_points.append(path)
    elif name:
        placed = found.placed.setdefault(name["stem"], {})
        scan = placed.setdefault(home(source), Scan(name["stem"]))
        column = COLUMNS[name["kind"]]
        other = scan.paths.get(column)
        if other is not None and other.suffix == path.suffix:
            if not gate.is_same(other, path):
                raise _twice(source, scan.sources[column])
            found.copies.append(source)
        elif other is None or path.suffix == ".xml":
            scan.paths[column] = path
            scan.sources[column] = source
    elif is_export(path.name):
        found.exports[source] = path
    elif path.name.endswith((".nii", ".nii.gz")):
        found.images.add(path.name.removesuffix(".gz").removesuffix(".nii"))


def _take_exports(found: Found) -> None:
    """Take the scans that CAT12's own tables hold; a table that cannot be read stops where a scan needs it.

    Raises
    ------
    InputError
        A damaged table, and a scan without the file in whose place it would stand; a table that names scans
        of which several have that name.
    """
    shared = {scan.stem for scan in found.scans.values() if scan.folder}
    damaged: list[tuple[str | None, InputError]] = []
    for source, path in found.exports.items():
        try:
            if is_foreign(path, source):
                print(
                    f"{source}: the first column is not 'names', so it is no table of CAT12.", file=sys.stderr
                )
                continue
            named = stems(path, source)
        except InputError as error:
            damaged.append((replaces(path.name), error))
            continue
        for stem in named:
            if stem in shared:
                raise InputError(
                    f"{source}: several scans are named {stem} in their folders; the table does not say which"
                    " one it means, so take it away."
                )
            found.scans.setdefault(stem, Scan(stem)).exports[source] = path
    points = [scan for scan in found.scans.values() if not scan.average]
    for kind, sentence in damaged:
        if not points or (kind and any(kind not in scan.paths for scan in points)):
            raise sentence
        print(f"{sentence} No scan needs this table, so it is not read.", file=sys.stderr)


def _twice(source: str, other: str) -> InputError:
    return InputError(
        f"{source}: a different file of this name is in {other}; a scan needs a name of its own, so rename it"
        " or keep one of the two."
    )


def _apart(stem: str, placed: dict[str, Scan], copies: list[str]) -> list[Scan]:
    """Return the scans that have files of one stem: one, wherever its files lie, or one in each folder.

    Raises
    ------
    InputError
        Two files of one person and session differ, or one report is in two scans' folders.
    """
    if len(placed) == 1:
        return list(placed.values())
    owners: dict[tuple[str | None, str | None], list[str]] = {}
    for folder in placed:
        owners.setdefault(entities(f"{folder}/{stem}"), []).append(folder)
    scans = []
    for (participant, _), folders in owners.items():
        same = [placed[folder] for folder in folders]
        differ = _differing(same)
        if differ and participant:
            raise _twice(*differ)
        if differ:
            scans += [replace(placed[folder], folder=folder) for folder in folders]
        else:
            alone = "" if len(owners) == 1 else folders[0]
            scans.append(replace(_joined(same, copies), folder=alone))
    _require_own_reports(scans)
    return scans


def _differing(scans: list[Scan]) -> tuple[str, str] | None:
    """Return the names of two files of one kind that differ; None where all are copies."""
    seen: dict[tuple[str, str], tuple[Path, str]] = {}
    for scan in scans:
        for column, path in scan.paths.items():
            other, source = seen.setdefault((column, path.suffix), (path, scan.sources[column]))
            if other is not path and not gate.is_same(other, path):
                return scan.sources[column], source
    return None


def _joined(scans: list[Scan], copies: list[str]) -> Scan:
    """Return the first scan with what only the others' folders hold; note the rest as copies."""
    first, *others = scans
    for scan in others:
        for column, path in scan.paths.items():
            held = first.paths.get(column)
            if held is not None and held.suffix == path.suffix:
                copies.append(scan.sources[column])
            elif held is None or path.suffix == ".xml":
                first.paths[column], first.sources[column] = path, scan.sources[column]
    return first


def _require_own_reports(scans: list[Scan]) -> None:
    """Refuse a report that lies in the folders of two scans: a report holds the minute it was written."""
    seen: dict[int, list[Scan]] = {}
    for scan in scans if len(scans) > 1 else ():
        if path := scan.paths.get("report"):
            alike = seen.setdefault(path.stat().st_size, [])
            for other in alike:
                if gate.is_same(other.paths["report"], path):
                    raise InputError(
                        f"{scan.sources['report']}: the same file is in {other.sources['report']}; keep the"
                        " one in the folder of the scan that it is about."
                    )
            alike.append(scan)


def longitudinal_stems(found: Found) -> set[str]:
    """Return the stems of the longitudinal pipeline: averages, and those with the leading r that it writes.

    An image's own name may start with r. The r is the pipeline's when the name without it is a BIDS name, is
    an image in the folder, or begins with the same word as an image that the pipeline is known to have read:
    one with an average, in a list of time points, or with a map of the ageing model. It is also where any
    such sign exists, or maps of a leading r, and every scan starts with r and is no image by that name.
    """
    stems = {scan.stem for scan in found.scans.values()}
    points = {stem for stem in stems if not stem.startswith("avg_")}
    read = {stem.removeprefix("avg_") for stem in stems - points} | set(found.order)
    read |= {path.stem.removeprefix("catlong_") for path in found.time_points}
    read |= {stem[1:] for stem, kinds in found.models.items() if "mwmwp1" in kinds}
    if (read or found.models) and all(stem.startswith("r") and stem not in found.images for stem in points):
        return stems
    people = {first_word(stem) for stem in read}
    prefixed = {
        stem
        for stem in points
        if stem.startswith("r")
        and (stem[1:].startswith("sub-") or stem[1:] in found.images or first_word(stem[1:]) in people)
    }
    return prefixed | (stems - points)


def longitudinal_model(stem: str, found: Found) -> str:
    """Return the longitudinal model by the modulated grey-matter files beside a scan; blank where none are
    kept.
    """
    kinds = found.models.get(stem, set())
    names = {frozenset({"mwp1"}): "plasticity", frozenset({"mwmwp1"}): "ageing"}
    return "both" if len(kinds) == 2 else names.get(frozenset(kinds), "")
