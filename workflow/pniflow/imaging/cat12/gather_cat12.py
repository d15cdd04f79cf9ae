"""Writing many rows: regions as Parquet row groups, collected as arrays and codes; batches joined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow import contracts, files
from pniflow.contracts import contract
from pniflow.errors import InputError
from pniflow.imaging.atlases import metric, region
from pniflow.imaging.cat12.label_files import AtlasValues
from pniflow.imaging.cat12.scan_files import Scan

if TYPE_CHECKING:
    import pyarrow as pa

# Rows per Parquet row group: some 20 MB in memory.
_ROWS = 200_000
_COLUMNS = tuple(entry["name"] for entry in contract("regions")["fields"])
_BY_MEASURE = ("scan", "participant_id", "session_id", "atlas", "metric", "unit", "cat_version", "source")


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
        frames = [contracts.read_table(table, name) for table in tables]
        filled = [frame for frame in frames if len(frame)] or frames[:1]
        contracts.write_table(pd.concat(filled, ignore_index=True), out / f"{name}.tsv", name)
    with _parquet_writer(out / "regions.parquet") as write:
        for table in _slices(regions):
            write(table)


@dataclass(frozen=True)
class _Layout:
    """The regions of an atlas as codes, in alphabetical order, and that order; its measures likewise.

    A measure is its tag and the codes of atlas, metric and unit.
    """

    measures: list[tuple[str, tuple[int, int, int]]]
    order: np.ndarray
    region: np.ndarray
    source_name: np.ndarray
    hemisphere: np.ndarray


class Regions:
    """Collects region rows and writes them as Parquet row groups.

    Texts are kept once, as codes: one code per row where it differs within a measure of an atlas (region,
    name, side), one code per measure where it does not.
    """

    def __init__(self, write: Any) -> None:
        self.write = write
        self.codes: dict[str, dict[str | None, int]] = {name: {} for name in _COLUMNS if name != "value"}
        self.layouts: dict[tuple[Any, ...], _Layout] = {}
        self.blocks: list[tuple[_Layout, np.ndarray]] = []
        self.measures: list[tuple[int, ...]] = []
        self.rows = 0

    def add(self, scan: Scan, atlases: list[tuple[AtlasValues, bool, str]], version: str) -> None:
        """Add a scan's numbers; atlases, metrics and regions by the alphabet, whatever their order in the
        file.
        """
        code = self._code
        whose = (
            code("scan", scan.name),
            code("participant_id", scan.participant),
            code("session_id", scan.session),
        )
        for atlas, surface, source in sorted(atlases, key=lambda entry: (entry[0].atlas, entry[1])):
            layout = self._layout(atlas, surface)
            origin = code("cat_version", atlas.version or version), code("source", source)
            for tag, measure in layout.measures:
                self.measures.append((*whose, *measure, *origin))
                self.blocks.append((layout, atlas.values[tag][layout.order]))
                self.rows += len(layout.order)
        if self.rows >= _ROWS:
            self.flush()

    def _code(self, column: str, text: str | None) -> int:
        known = self.codes[column]
        return known.setdefault(text, len(known))

    def _layout(self, atlas: AtlasValues, surface: bool) -> _Layout:
        key = (atlas.atlas, surface, atlas.names, *atlas.values)
        if key not in self.layouts:
            order = np.array(sorted(range(len(atlas.names)), key=atlas.names.__getitem__), dtype=np.intp)
            names = [atlas.names[place] for place in order]
            meant = [region(atlas.atlas, name, surface) for name in names]
            rules = sorted(((metric(tag), tag) for tag in atlas.values), key=lambda pair: pair[0].name)
            name = self._code("atlas", atlas.atlas)
            self.layouts[key] = _Layout(
                [
                    (tag, (name, self._code("metric", rule.name), self._code("unit", rule.unit)))
                    for rule, tag in rules
                ],
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
def region_writer(path: Path) -> Iterator[Regions]:
    """Yield a collector of region rows for a file; the file appears whole or not at all."""
    with _parquet_writer(path) as write:
        writer = Regions(write)
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
                            write_statistics=["scan"],
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
