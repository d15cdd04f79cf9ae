"""Columns of one session each: what stands before or after a field's name."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from pniflow.errors import InputError

Affix = tuple[str, str]  # what stands before and after a field's name in a table with columns per session
PLAIN: Affix = ("", "")


def affixes_of(rules: Mapping[str, Any]) -> dict[Affix, str]:
    """Return the affixes that study.yaml gives -> their session; blank for a wave that it leaves out."""
    return {(before, ""): session or "" for before, session in rules["prefixes"].items()} | {
        ("", after): session or "" for after, session in rules["suffixes"].items()
    }


def wide_columns(
    fields: Mapping[str, str], sessions: Mapping[Affix, str], known: Container[str], source: str
) -> dict[str, tuple[str, Affix]]:
    """Return the columns that hold fields -> field and affix: the field itself, or one column per session.

    Raises
    ------
    InputError
        Of a session some items of an instrument have columns and others none.
    """
    found: dict[str, tuple[str, Affix]] = {}
    for base in fields:
        wide = {f"{affix[0]}{base}{affix[1]}": (base, affix) for affix in sessions}
        wide = {column: place for column, place in wide.items() if column in known}
        # The field itself, unless its columns without a beginning or ending are those of a session, too.
        found |= wide if wide and (base not in known or PLAIN in sessions) else {base: (base, PLAIN)}
    asked = {(fields[base], at) for name, (base, at) in found.items() if at in sessions and name in known}
    for base, key in fields.items():
        for before, after in (affix for affix in sessions if (key, affix) in asked):
            column = f"{before}{base}{after}"
            if "instruments." in key and column not in known:
                at = f"with '{before or after}'" if before or after else "without beginning or ending"
                raise InputError(
                    f"{source}: there are other items of {key} {at}, but no column "
                    f"'{column}'; correct its name in the table, or the fields in study.yaml."
                )
    return found
