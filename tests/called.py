"""Call a command's function with its tables as keywords, as its options are written on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pniflow.tables import READS, TABLES


def call(function: Callable[..., None], **given: Any) -> None:
    """Call a function whose tables are one mapping; what has the name of a table's option is a table."""
    needed, further = READS[function.__name__]
    options = {TABLES[name].option or name: name for name in (*needed, *further)}
    tables: dict[str, Path] = {
        options[name]: Path(path) for name, path in given.items() if name in options and path is not None
    }
    function(tables=tables, **{name: value for name, value in given.items() if name not in options})
