"""CAT12's files to tables, scan by scan: regions, globals, quality; memory stays flat however many there
are.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pniflow import contracts
from pniflow.contracts import contract
from pniflow.errors import InputError, listing
from pniflow.imaging.atlases import metric, unknown_names
from pniflow.imaging.cat12 import document, exports, matfile
from pniflow.imaging.cat12.gather_cat12 import region_writer
from pniflow.imaging.cat12.label_files import AtlasValues, LabelReader, read_labels
from pniflow.imaging.cat12.report_xml import Report, globals_of, implausible, quality_of, quirks
from pniflow.imaging.cat12.scan_files import Scan, find_scans
from pniflow.imaging.naming import entities

if TYPE_CHECKING:
    import pandas as pd


def parse_cat12(
    paths: list[Path],
    *,
    regions: Path,
    globals: Path,
    quality: Path,
    scans: Path | None = None,
    batch: int | None = None,
    allow_failed_files: bool = False,
) -> None:
    """Read CAT12 outputs of any version into tidy tables.

    Parameters
    ----------
    paths : list of Path
        Files or folders; with a scans table, the one folder that its file names are relative to.
    regions : Path
        Table to write: one row per number in the label files.
    globals : Path
        Table to write: one row per scan, tissue volumes and mean thickness.
    quality : Path
        Table to write: one row per scan, status and image quality.
    scans : Path, optional
        Table made by index-cat12, which says whose each scan is; without it BIDS names do, or the scan is
        the participant.
    batch : int, optional
        Read only the scans of this batch.
    allow_failed_files : bool
        Succeed although a file cannot be read; the scan stands as failed in the quality table either way.

    Raises
    ------
    InputError
        No scans, or a file that cannot be read. The tables of the other scans are written first, unless
        there are none.
    """
    wanted = list(_scans(paths, scans, batch))
    parser = _Parser()
    rows: dict[str, list[dict[str, Any]]] = {"globals": [], "quality": []}
    refused: list[str] = []
    with region_writer(regions) as writer:
        for scan in wanted:
            who = {"scan": scan.name, "participant_id": scan.participant, "session_id": scan.session}
            try:
                read = parser.read(scan)
            except InputError as error:
                refused.append(str(error))
                rows["quality"].append(who | {"status": "failed", "reason": str(error)})
                continue
            rows["quality"].append(who | read.quality)
            if read.globals:
                run = {"longitudinal": scan.longitudinal, "longitudinal_model": scan.longitudinal_model}
                rows["globals"].append(who | read.globals | run)
            writer.add(scan, read.atlases, read.globals.get("cat_version", ""))
        if refused and len(refused) == len(wanted) and not allow_failed_files:
            raise InputError(_refusal(refused, len(wanted)))
    for name, path in (("globals", globals), ("quality", quality)):
        contracts.write_table(_frame(rows[name], name), path, name)
    if refused and not allow_failed_files:
        raise InputError(_refusal(refused, len(wanted)))


@dataclass
class _Read:
    """What the files of one scan say."""

    globals: dict[str, Any] = field(default_factory=dict)
    quality: dict[str, Any] = field(default_factory=lambda: {"status": "ok", "flags": ""})
    atlases: list[tuple[AtlasValues, bool, str]] = field(default_factory=list)


class _Parser:
    """Reads scans; keeps what is the same in every file."""

    def __init__(self) -> None:
        self.labels = LabelReader()
        self.tissues = functools.cache(exports.tissues)
        self.regions = functools.cache(exports.regions)

    def _report(self, path: Path, source: str) -> Report:
        content = document.read_bytes(path, source)
        parse = matfile.parse if path.suffix == ".mat" else document.parse
        return Report(parse(content, source), source)

    def _labels(self, path: Path, source: str) -> list[AtlasValues]:
        content = document.read_bytes(path, source)
        if path.suffix == ".mat":
            return read_labels(matfile.parse(content, source), source)
        return self.labels.read(content, source)

    def read(self, scan: Scan) -> _Read:
        """Read a scan's files; a run that CAT12 itself reports as failed yields no numbers."""
        read = _Read()
        flags = [] if "report" in scan.paths else ["no report"]
        if "report" in scan.paths:
            source = scan.sources["report"]
            report = self._report(scan.paths["report"], source)
            reason = report.failure()
            if reason:
                read.quality = {"status": "failed", "reason": f"{source}: {reason}"}
                return read
            read.globals = globals_of(report)
            read.quality |= quality_of(report)
            flags = quirks(report, read.globals["wmh_handling"])
        for kind in ("label_volume", "label_surface"):
            if kind not in scan.paths:
                flags.append(f"no {kind.replace('_', ' ')} file")
                continue
            source = scan.sources[kind]
            surface = kind == "label_surface"
            for atlas in self._labels(scan.paths[kind], source):
                read.atlases.append((atlas, surface, source))
                flags += atlas.notes
                unknown = unknown_names(atlas.atlas, atlas.names, surface)
                if unknown:
                    flags.append(f"{atlas.atlas}: {unknown} region names are in no table")
        flags += self._exports(scan, read)
        flags += implausible(read.globals)
        _refuse_repeated(read.atlases)
        read.quality["flags"] = "; ".join(flags)
        return read

    def _exports(self, scan: Scan, read: _Read) -> list[str]:
        """Add what CAT12's own tables hold of a scan, where the scan has no file of that kind."""
        used = []
        for source, path in sorted(scan.exports.items()):
            if path.name == "TIV.txt":
                if not read.globals:
                    read.globals = dict(self.tissues(path, source)[scan.stem])
                    used.append(source)
                continue
            atlas = self.regions(path, source)[scan.stem]
            surface = not any(tag.startswith(("V", "T")) for tag in atlas.values)
            if ("label_surface" if surface else "label_volume") not in scan.paths:
                read.atlases.append((atlas, surface, source))
                used.append(source)
        return [f"from CAT12's own tables: {listing(used)}"] if used else []


def _refuse_repeated(atlases: list[tuple[AtlasValues, bool, str]]) -> None:
    """Refuse a measure of an atlas that both label files hold for the same region."""
    seen: dict[tuple[str, str, str], str] = {}
    for atlas, _, source in atlases:
        for tag in atlas.values:
            other = seen.setdefault((atlas.atlas, metric(tag).name, atlas.names[0]), source)
            if other != source:
                raise InputError(f"{source}: {atlas.atlas}/{tag} stands in {other} as well; keep one.")


def _scans(paths: Sequence[Path], scans: Path | None, batch: int | None) -> Iterator[Scan]:
    """Yield the scans to read, in order of their names."""
    if scans is None:
        yield from _found(paths)
        return
    if len(paths) != 1 or not paths[0].is_dir():
        raise InputError(
            f"{listing(paths, 3)}: with a scans table one folder was expected, to which its names are"
            " relative."
        )
    for row in contracts.read_table(scans, "scans").to_dict("records"):
        indexed = row["batch"] is not None and row["batch"] == row["batch"]
        if indexed and batch in (None, row["batch"]):
            yield _listed(row, paths[0])


def _found(paths: Sequence[Path]) -> Iterator[Scan]:
    """Yield the scans of the files found, without averages; their names say whose they are."""
    found = find_scans(paths)
    if not found.scans:
        raise InputError(
            f"{listing(paths, 3)}: there are no CAT12 files (cat_*.xml, catROI_*.xml, catROIs_*.xml)."
        )
    for scan in found.scans.values():
        if not scan.average:
            participant, scan.session = entities(next(iter(scan.sources.values()), scan.stem))
            scan.participant = participant or scan.stem
            yield scan


def _listed(row: Mapping[Any, Any], folder: Path) -> Scan:
    """Return the scan of a row of the scans table, its files below a folder."""
    scan = Scan(row["scan"], participant=_blank(row["participant_id"]), session=_blank(row["session_id"]))
    scan.longitudinal = bool(row["longitudinal"])
    scan.longitudinal_model = _blank(row.get("longitudinal_model")) or ""
    for kind in ("report", "label_volume", "label_surface"):
        name = _blank(row[kind])
        if name:
            scan.sources[kind] = name
            scan.paths[kind] = folder / name
    for name in (_blank(row.get("exports")) or "").split("|"):
        if name:
            scan.exports[name] = folder / name
    return scan


def _blank(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _refusal(refused: list[str], of: int) -> str:
    more = f" (and {len(refused) - 1} more of {of} scans)" if len(refused) > 1 else ""
    return (
        f"{refused[0]} This scan{more} stands as failed in the quality table; correct or remove the file,"
        " or go on without"
        " it with --allow-failed-files (cat12.allow_failed_files: true in config.yaml)."
    )


def _frame(rows: list[dict[str, Any]], name: str) -> pd.DataFrame:
    """Make a table of rows with all columns of its contract, also where there are no rows."""
    import pandas as pd

    columns = [entry["name"] for entry in contract(name)["fields"]]
    further = [key for key in dict.fromkeys(key for row in rows for key in row) if key not in columns]
    return pd.DataFrame(rows, columns=[*columns, *further])
