"""CAT12's files to tables, scan by scan: regions, globals, quality. Memory stays flat however many scans
there are.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

import numpy as np

from pniflow import files
from pniflow.cat12 import document, exports, matfile
from pniflow.cat12.atlases import metric, region, unknown_names
from pniflow.cat12.index import Scan, entities, find_scans
from pniflow.cat12.labels import AtlasValues, NameLists, read_labels
from pniflow.cat12.report import Report, globals_of, quality_of, quirks
from pniflow.contracts import contract
from pniflow.errors import InputError, listing

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# Rows per Parquet row group: some 20 MB in memory.
_ROWS = 200_000
_COLUMNS = tuple(entry["name"] for entry in contract("regions")["fields"])
_BY_MEASURE = ("scan", "participant_id", "session_id", "atlas", "metric", "unit", "cat_version", "source")


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
    globals_rows: list[dict[str, Any]] = []
    quality_rows: list[dict[str, Any]] = []
    refused: list[str] = []
    with _region_writer(regions) as writer:
        for scan in wanted:
            who = {"scan": scan.stem, "participant_id": scan.participant, "session_id": scan.session}
            try:
                read = parser.read(scan)
            except InputError as error:
                refused.append(str(error))
                quality_rows.append(who | {"status": "failed", "reason": str(error)})
                continue
            quality_rows.append(who | read.quality)
            if read.globals:
                run = {"longitudinal": scan.longitudinal, "longitudinal_model": scan.longitudinal_model}
                globals_rows.append(who | read.globals | run)
            writer.add(scan, read.atlases, read.globals.get("cat_version", ""))
        if refused and len(refused) == len(wanted) and not allow_failed_files:
            raise InputError(_refusal(refused, len(wanted)))
    files.write_table(_frame(globals_rows, "globals"), globals, "globals")
    files.write_table(_frame(quality_rows, "quality"), quality, "quality")
    if refused and not allow_failed_files:
        raise InputError(_refusal(refused, len(wanted)))


def gather_cat12(*, regions: list[Path], globals: list[Path], quality: list[Path], out: Path) -> None:
    """Join the tables of all batches; the bytes do not depend on how many batches there were.

    Parameters
    ----------
    regions : list of Path
        Tables of parse-cat12, in the order of the batches.
    globals : list of Path
        Tables of parse-cat12, in the order of the batches.
    quality : list of Path
        Tables of parse-cat12, in the order of the batches.
    out : Path
        Folder for regions.parquet, globals.tsv and quality.tsv.

    Raises
    ------
    InputError
        A table is absent or against its contract, or a scan stands in two of them.
    """
    import pandas as pd

    for name, tables in (("globals", globals), ("quality", quality)):
        frames = [files.read_table(table, name) for table in tables]
        filled = [frame for frame in frames if len(frame)] or frames[:1]
        files.write_table(pd.concat(filled, ignore_index=True), out / f"{name}.tsv", name)
    with _parquet_writer(out / "regions.parquet") as write:
        for table in _slices(regions):
            write(table)


@dataclass
class _Read:
    """What the files of one scan say."""

    globals: dict[str, Any] = field(default_factory=dict)
    quality: dict[str, Any] = field(default_factory=lambda: {"status": "ok", "flags": ""})
    atlases: list[tuple[AtlasValues, bool, str]] = field(default_factory=list)


class _Parser:
    """Reads scans; keeps the lists of region names, which are the same in every file."""

    def __init__(self) -> None:
        self.lists = NameLists()
        self.tissues = functools.cache(exports.tissues)
        self.regions = functools.cache(exports.regions)

    def _tree(self, path: Path, source: str) -> Element:
        content = document.read_bytes(path, source)
        if path.suffix == ".mat":
            return matfile.parse(content, source)
        return document.parse(content, source, self.lists.blocks)

    def read(self, scan: Scan) -> _Read:
        """Read a scan's files; a run that CAT12 itself reports as failed yields no numbers."""
        read = _Read()
        flags = [] if "report" in scan.paths else ["no report"]
        if "report" in scan.paths:
            source = scan.sources["report"]
            report = Report(self._tree(scan.paths["report"], source), source)
            reason = report.failure()
            if reason:
                read.quality = {"status": "failed", "reason": f"{source}: {reason}"}
                return read
            read.globals = globals_of(report)
            read.quality |= quality_of(report)
            flags = quirks(report)
        for kind in ("label_volume", "label_surface"):
            if kind not in scan.paths:
                flags.append(f"no {kind.replace('_', ' ')} file")
                continue
            source = scan.sources[kind]
            root = self._tree(scan.paths[kind], source)
            surface = kind == "label_surface"
            for atlas in read_labels(root, source, self.lists):
                read.atlases.append((atlas, surface, source))
                flags += atlas.notes
                unknown = unknown_names(atlas.atlas, atlas.names, surface)
                if unknown:
                    flags.append(f"{atlas.atlas}: {unknown} region names are in no table")
        flags += self._exports(scan, read)
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
        found = find_scans(paths)
        if not found.scans:
            raise InputError(
                f"{listing(paths, 3)}: there are no CAT12 files (cat_*.xml, catROI_*.xml, catROIs_*.xml)."
            )
        for stem, scan in found.scans.items():
            if not scan.average:
                participant, scan.session = entities(next(iter(scan.sources.values()), stem))
                scan.participant = participant or stem
                yield scan
        return
    if len(paths) != 1 or not paths[0].is_dir():
        raise InputError(
            f"{listing(paths, 3)}: with a scans table one folder was expected, to which its names are"
            " relative."
        )
    for row in files.read_table(scans, "scans").to_dict("records"):
        if (
            row["batch"] is None
            or row["batch"] != row["batch"]
            or (batch is not None and row["batch"] != batch)
        ):
            continue
        scan = Scan(row["scan"], participant=_blank(row["participant_id"]), session=_blank(row["session_id"]))
        scan.longitudinal = bool(row["longitudinal"])
        scan.longitudinal_model = _blank(row.get("longitudinal_model")) or ""
        for kind in ("report", "label_volume", "label_surface"):
            name = _blank(row[kind])
            if name:
                scan.sources[kind] = name
                scan.paths[kind] = paths[0] / name
        for name in (_blank(row.get("exports")) or "").split("|"):
            if name:
                scan.exports[name] = paths[0] / name
        yield scan


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


@dataclass(frozen=True)
class _Layout:
    """The regions of an atlas as codes, in alphabetical order, and that order."""

    order: np.ndarray
    region: np.ndarray
    source_name: np.ndarray
    hemisphere: np.ndarray


class _Regions:
    """Collects region rows and writes them as Parquet row groups.

    Texts are kept once, as codes: one code per row where it differs within a measure of an atlas (region,
    name, side), one code per measure where it does not.
    """

    def __init__(self, write: Any) -> None:
        self.write = write
        self.codes: dict[str, dict[str | None, int]] = {name: {} for name in _COLUMNS if name != "value"}
        self.layouts: dict[tuple[str, bool, tuple[str, ...]], _Layout] = {}
        self.blocks: list[tuple[_Layout, np.ndarray]] = []
        self.measures: list[tuple[int, ...]] = []
        self.rows = 0

    def add(self, scan: Scan, atlases: list[tuple[AtlasValues, bool, str]], version: str) -> None:
        """Add a scan's numbers; atlases, metrics and regions by the alphabet, whatever their order in the
        file.
        """
        code = self._code
        whose = (
            code("scan", scan.stem),
            code("participant_id", scan.participant),
            code("session_id", scan.session),
        )
        for atlas, surface, source in sorted(atlases, key=lambda entry: (entry[0].atlas, entry[1])):
            layout = self._layout(atlas, surface)
            name = code("atlas", atlas.atlas)
            origin = code("cat_version", atlas.version or version), code("source", source)
            for tag in sorted(atlas.values, key=lambda tag: metric(tag).name):
                rule = metric(tag)
                self.measures.append(
                    (*whose, name, code("metric", rule.name), code("unit", rule.unit), *origin)
                )
                self.blocks.append((layout, atlas.values[tag][layout.order]))
                self.rows += len(layout.order)
        if self.rows >= _ROWS:
            self.flush()

    def _code(self, column: str, text: str | None) -> int:
        known = self.codes[column]
        return known.setdefault(text, len(known))

    def _layout(self, atlas: AtlasValues, surface: bool) -> _Layout:
        key = (atlas.atlas, surface, atlas.names)
        if key not in self.layouts:
            order = np.array(sorted(range(len(atlas.names)), key=atlas.names.__getitem__), dtype=np.intp)
            names = [atlas.names[place] for place in order]
            meant = [region(atlas.atlas, name, surface) for name in names]
            self.layouts[key] = _Layout(
                order,
                np.array([self._code("region", one.name) for one in meant], dtype=np.int32),
                np.array([self._code("source_name", name) for name in names], dtype=np.int32),
                np.array([self._code("hemisphere", one.hemisphere) for one in meant], dtype=np.int32),
            )
        return self.layouts[key]

    def flush(self) -> None:
        """Write what is collected as one row group."""
        import pyarrow as pa

        lengths = [len(values) for _, values in self.blocks]
        codes = np.array(self.measures, dtype=np.int32).reshape(-1, len(_BY_MEASURE)).T
        columns = {name: np.repeat(column, lengths) for name, column in zip(_BY_MEASURE, codes, strict=True)}
        for name in ("region", "source_name", "hemisphere"):
            parts = [getattr(layout, name) for layout, _ in self.blocks]
            columns[name] = np.concatenate([np.empty(0, dtype=np.int32), *parts])
        arrays = {name: self._texts(name, column) for name, column in columns.items()}
        values = np.concatenate([np.empty(0), *(values for _, values in self.blocks)])
        arrays["value"] = pa.array(values, from_pandas=True)
        self.blocks, self.measures, self.rows = [], [], 0
        self.write(pa.table({name: arrays[name] for name in _COLUMNS}))
        for name in ("scan", "participant_id", "source"):  # these grow with the scans
            self.codes[name] = {}

    def _texts(self, name: str, codes: np.ndarray) -> pa.DictionaryArray:
        """Return codes and the texts they stand for; the code of None is missing."""
        import pyarrow as pa

        missing = codes == self.codes[name].get(None, -1)
        texts = ["" if text is None else text for text in self.codes[name]]
        indices = pa.array(codes, mask=missing) if missing.any() else pa.array(codes)
        return pa.DictionaryArray.from_arrays(indices, pa.array(texts, pa.string()))


@contextmanager
def _region_writer(path: Path) -> Iterator[_Regions]:
    with _parquet_writer(path) as write:
        writer = _Regions(write)
        yield writer
        writer.flush()


@contextmanager
def _parquet_writer(path: Path) -> Iterator[Any]:
    """Yield a function that appends a table as row groups; the file appears whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.suffix != ".parquet":
        raise InputError(f"{path}: regions are written as .parquet; give this ending.")
    with ExitStack() as opened:
        writers: list[pq.ParquetWriter] = []

        def write(table: pa.Table) -> None:
            if not writers:  # no file and no folder appear before there is something to write
                temporary = opened.enter_context(files.atomic_path(path))
                writers.append(
                    opened.enter_context(
                        pq.ParquetWriter(
                            temporary,
                            table.schema,
                            compression="zstd",
                            use_dictionary=[name for name in _COLUMNS if name != "value"],
                            store_schema=False,
                        )
                    )
                )
            writers[0].write_table(table, row_group_size=_ROWS)

        yield write
        if not writers:
            texts = [(name, pa.float64() if name == "value" else pa.string()) for name in _COLUMNS]
            write(pa.schema(texts).empty_table())


def _slices(tables: Sequence[Path]) -> Iterator[pa.Table]:
    """Yield the rows of several Parquet files in slices of a fixed number of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    held: list[pa.Table] = []
    rows = 0
    for path in tables:
        if not path.is_file():
            raise InputError(f"{path}: there is no such file.")
        try:
            with pq.ParquetFile(path) as stream:
                for group in range(stream.num_row_groups):
                    held.append(stream.read_row_group(group))
                    rows += held[-1].num_rows
                    while rows >= _ROWS:
                        whole = pa.concat_tables(held)
                        yield whole.slice(0, _ROWS).combine_chunks()
                        held, rows = [whole.slice(_ROWS)], rows - _ROWS
        except pa.ArrowInvalid as error:
            raise InputError(f"{path}: this is not a readable Parquet table ({error}).") from None
    if held and rows:
        yield pa.concat_tables(held).combine_chunks()
