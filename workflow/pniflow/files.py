"""Reading and writing files: the only place where bytes meet the disk.

Writes are atomic (temporary file, fsync, rename), so a killed job never leaves half a file under its final
name, and deterministic, so the same numbers are the same bytes on every run.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pniflow.errors import InputError

if TYPE_CHECKING:
    pass


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
