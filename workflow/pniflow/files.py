"""Reading and writing files: the only place where bytes meet the disk.

Writes are atomic (temporary file, fsync, rename), so a killed job never leaves half a file under its final
name, and deterministic, so the same numbers are the same bytes on every run.
"""

from __future__ import annotations

import contextlib
import csv
import json
import math
import os
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pniflow.errors import InputError, repeated, shown


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
    """Read UTF-8 text; say so in one sentence when the file is absent, no regular file, or not UTF-8."""
    try:
        # Not to wait for a pipe that nobody writes to.
        if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
            raise InputError(f"{path}: this is a pipe or a device; a regular file was expected.")
        return Path(path).read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(
            f"{path}: there is no such file; check the name in study.yaml or config.yaml."
        ) from None
    except OSError as error:
        raise InputError(f"{path}: the file cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8 text; save the file as UTF-8.") from None


def read_json(path: Path | str) -> Any:
    """Read JSON that pniflow wrote; as `parse_json`."""
    return parse_json(read_text(path), str(path))


def parse_json(text: str, name: str) -> Any:
    """Parse JSON: what is no JSON, or holds a key twice or a number that is none, is one sentence."""

    def number(word: str) -> float:
        value = float(word)
        if not math.isfinite(value):
            raise InputError(f"{name}: '{word[:40]}' stands for a number, which JSON has not; correct it.")
        return value

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if again := repeated(key for key, _ in pairs):
            raise InputError(f"{name}: the key '{again[0][:80]}' is given a second time; keep one.")
        return dict(pairs)

    try:
        return json.loads(text, parse_float=number, parse_constant=number, object_pairs_hook=mapping)
    except json.JSONDecodeError as error:
        raise InputError(f"{name}: line {error.lineno} is not JSON ({error.msg}).") from None
    except ValueError:
        raise InputError(f"{name}: a number has thousands of digits; correct it.") from None
    except RecursionError:
        raise InputError(f"{name}: the file is nested too deeply to be read.") from None


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
                        f"{path}: line {line} gives the key {shown(key.value)} a second time; keep one "
                        "(of a key given twice YAML takes the last)."
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

    text = unicodedata.normalize("NFC", read_text(path))  # as raw tables are
    try:
        return yaml.load(text, Loader)
    except RecursionError:
        raise InputError(f"{path}: the file is nested too deeply to be read.") from None
    except ValueError as error:
        reason = shown(str(error), quoted=False)
        raise InputError(f"{path}: the file holds a date or number that cannot be ({reason}).") from None
    except (LookupError, AttributeError):  # so fails what reads the word behind a tag
        raise InputError(
            f"{path}: the file holds a word that is not what its tag (as !!bool) says; leave the tag out."
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark else "the file"
        reason = shown(getattr(error, "problem", None) or "unreadable", quoted=False)
        raise InputError(f"{path}: {place} is not YAML ({reason}).") from None


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
