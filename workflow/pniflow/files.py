"""Reading and writing files: the only place where bytes meet the disk.

Writes are atomic (temporary file, fsync, rename), so a killed job never leaves half a file under its final
name, and deterministic, so the same numbers are the same bytes on every run.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pniflow import contracts
from pniflow.errors import InputError, repeated

if TYPE_CHECKING:
    import pandas as pd


@contextlib.contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is synced and renamed to `path`, else removed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb+") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write bytes atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path | str, text: str) -> None:
    """Write UTF-8 text atomically, with Unix line ends."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path | str, value: Any) -> None:
    """Write JSON atomically. NaN and infinities are refused: missing is null."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_text(path: Path | str) -> str:
    """Read UTF-8 text; say so in one sentence when the file is absent or not UTF-8."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(
            f"{path}: there is no such file; check the name in study.yaml or config.yaml."
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8 text; save the file as UTF-8.") from None


def read_json(path: Path | str) -> Any:
    """Read JSON; a malformed file is one sentence."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: line {error.lineno} is not JSON ({error.msg}).") from None


def read_yaml(path: Path | str) -> Any:
    """Read YAML with the safe loader; duplicate keys and malformed files are refused with their line."""
    import yaml

    class Loader(yaml.composer.Composer, yaml.CSafeLoader):
        """Safe loader that refuses a key given twice (YAML would silently keep the last); libyaml parses."""

        def __init__(self, stream: str) -> None:
            yaml.CSafeLoader.__init__(self, stream)
            yaml.composer.Composer.__init__(self)

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen: set[str] = set()
            for key, _ in node.value:
                line = key.start_mark.line + 1
                if not isinstance(key, yaml.ScalarNode):
                    raise InputError(
                        f"{path}: line {line} has a list or mapping as a key; a word was expected."
                    )
                if key.value in seen:
                    raise InputError(
                        f"{path}: line {line} gives the key '{key.value}' a second time; keep one."
                    )
                seen.add(key.value)
            return super().construct_mapping(node, deep)

        def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
            # Aliases of aliases grow without bound; nothing here needs them.
            if self.check_event(yaml.AliasEvent):
                alias: Any = self.peek_event()
                raise InputError(
                    f"{path}: line {alias.start_mark.line + 1} has an alias (*name); write the value out."
                )
            return super().compose_node(parent, index)

    text = read_text(path)
    try:
        return yaml.load(text, Loader)
    except RecursionError:
        raise InputError(f"{path}: the file is nested too deeply to be read.") from None
    except ValueError as error:
        raise InputError(f"{path}: the file holds a date or number that cannot be ({error}).") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark else "the file"
        raise InputError(
            f"{path}: {place} is not YAML ({getattr(error, 'problem', 'unreadable')})."
        ) from None


def write_table(frame: pd.DataFrame, path: Path | str, contract: str | None = None) -> None:
    """Write a table as .tsv or .parquet, atomically, after checking it against its contract.

    Parameters
    ----------
    frame : DataFrame
        The table. Its index is not written.
    path : path
        Ends in .tsv or .parquet. In .tsv missing is blank, floats are written so that they read back exactly.
    contract : str, optional
        Name of a contract in `workflow/schemas/`.
    """
    path = Path(path)
    if contract:
        frame = contracts.checked(frame, contract, str(path))
    with atomic_path(path) as temporary:
        if path.suffix == ".parquet":
            frame.to_parquet(temporary, index=False, compression="zstd")
        elif path.suffix == ".tsv":
            frame.to_csv(temporary, sep="\t", index=False, na_rep="", lineterminator="\n")
        else:
            raise InputError(f"{path}: tables are written as .tsv or .parquet; give one of these endings.")


def read_table(path: Path | str, contract: str | None = None) -> pd.DataFrame:
    """Read a .tsv or .parquet table and cast it to its contract.

    Without a contract every .tsv cell is text ("NA" stays "NA"), blank is missing.

    Raises
    ------
    InputError
        The file is absent, empty, ragged or against its contract; the sentence names row and column.
    """
    import pandas as pd

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file.")
    try:
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
        elif path.suffix == ".tsv":
            frame = _read_tsv(path)
        else:
            raise InputError(f"{path}: tables are .tsv or .parquet; convert the file or correct its ending.")
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: this is not a readable {path.suffix[1:]} table ({reason}).") from None
    return contracts.checked(frame, contract, str(path)) if contract else frame


def cells(lines: Iterable[str], delimiter: str, source: object) -> Iterator[list[str]]:
    """Yield the cells of each line of delimited text, quotes taken off.

    Raises
    ------
    InputError
        A quote that is opened and never closed, or a line end within a line.
    """
    try:
        yield from csv.reader(lines, delimiter=delimiter)
    except csv.Error as error:
        raise InputError(f"{source}: this is not a table ({str(error).partition(' - ')[0]}).") from None


def _read_tsv(path: Path) -> pd.DataFrame:
    """Read every cell of a .tsv as text; ragged rows and repeated columns are refused, never shifted."""
    import pandas as pd

    rows = cells(io.StringIO(read_text(path), newline=""), "\t", path)
    header = next(rows, [])
    if not any(header):
        raise InputError(f"{path}: the file is empty; a header line and rows were expected.")
    if again := repeated(header):
        raise InputError(f"{path}: column '{again[0]}' stands twice in the header; keep one.")
    try:
        # The default engine shifts rows that are too long and fills up short ones; pyarrow refuses both.
        return pd.read_csv(
            path,
            sep="\t",
            dtype="str",
            keep_default_na=False,
            na_values=[""],
            encoding="utf-8",
            engine="pyarrow",
        )
    except pd.errors.ParserError:
        ragged = ((place, row) for place, row in enumerate(rows, 2) if row and len(row) != len(header))
        place, row = next(ragged, (1, header))
        raise InputError(
            f"{path}: row {place} has {len(row)} cells where the header has {len(header)}; the file is "
            "cut off, or a text holds a tab or a quote; write it again."
        ) from None
