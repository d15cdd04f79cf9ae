"""The one error a user is meant to see."""

from __future__ import annotations

from collections.abc import Sequence


class InputError(Exception):
    """Something a user gave is wrong.

    The message is one sentence that names the file, the place, the value, what was expected, and what to do.
    The command line prints it and exits with status 1; no traceback is shown.
    """


def listing(values: Sequence[object], most: int = 10) -> str:
    """Join values for a sentence, at most ten of them, saying how many more there are."""
    shown = ", ".join(str(value) for value in values[:most])
    rest = len(values) - most
    return f"{shown} and {rest} more" if rest > 0 else shown
