"""A first study.yaml and config.yaml for a lab's export, every guess marked as one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pniflow import files
from pniflow.errors import InputError
from pniflow.study.fields import Field, read_dictionary
from pniflow.study.guesses import (
    guess_covariates,
    guess_day,
    guess_instruments,
    guess_missing_codes,
    guess_samples,
    guess_sessions,
    guess_suffixes,
    guess_unit,
)
from pniflow.study.rawtables import RawTable, read_raw
from pniflow.study.redcap import is_labelled, names_of_labels


@dataclass
class Draft:
    """The lines of a study.yaml and what is to be told.

    Attributes
    ----------
    lines : list of str
        Of study.yaml.
    open : list of str
        What could not be guessed.
    """

    lines: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def add(self, indent: int, key: str, value: Any = "", comment: str = "") -> None:
        """Add a line `key: value  # comment`; without a value, lines that belong to it follow."""
        text = "" if value == "" else f" {_flow(value)}"
        self.lines.append(f"{' ' * indent}{_flow(key)}:{text}" + (f"  # {comment}" if comment else ""))


def new_study(
    *, export: Path, dictionary: Path, matrix: Path | None = None, cat12: Path | None = None, out: Path
) -> None:
    """Write a first study.yaml and config.yaml for a REDCap export, with every guess commented.

    Parameters
    ----------
    export : Path
        REDCap export (CSV).
    dictionary : Path
        Its data dictionary (CSV).
    matrix : Path, optional
        Gene expression matrix, genes by samples.
    cat12 : Path, optional
        Folder with CAT12's outputs.
    out : Path
        Folder to write study.yaml and config.yaml to; existing ones are not overwritten.

    Raises
    ------
    InputError
        A file is not what it should be, or the folder already has a study.
    """
    for name in ("study.yaml", "config.yaml"):
        if (out / name).exists():
            raise InputError(
                f"{out / name}: there is one already; it is not overwritten, so name another folder."
            )
    given = {"export": export, "dictionary": dictionary, "matrix": matrix, "cat12": cat12}
    places = {name: path.resolve() for name, path in given.items() if path is not None}
    for name, place in places.items():
        if not place.exists():
            raise InputError(f"{given[name]}: there is no such file or folder; correct --{name}.")
    data = Path(os.path.commonpath([str(place.parent) for place in places.values()]))
    if matrix is not None:
        data = Path(os.path.commonpath([data, out.resolve()]))
    inside = {name: place.relative_to(data).as_posix() for name, place in places.items()}
    draft, instruments = _redcap(read_raw(export), read_dictionary(dictionary, dictionary.name), inside)
    if matrix is not None:
        _expression(
            draft, matrix, inside["matrix"], (out.resolve() / "samples.tsv").relative_to(data).as_posix(), out
        )
    if cat12 is not None:
        _cat12(draft, cat12, inside["cat12"])
    files.write_text(out / "study.yaml", "\n".join([*draft.lines, ""]))
    files.write_text(
        out / "config.yaml", _config(os.path.relpath(data, out.resolve()), instruments, matrix, cat12)
    )
    print(f"Written: {out / 'study.yaml'} and {out / 'config.yaml'}. Read both; every guess has a comment.")
    for sentence in draft.open:
        print(f"Not guessed: {sentence}")
    print(f"Then try: snakemake -n --configfile {out / 'config.yaml'}")


def _flow(value: Any) -> str:
    """Write a value as YAML on one line; words that YAML would read otherwise are quoted."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if value is None:
        return "null"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    plain = value.replace("_", "").replace("-", "").replace("/", "").replace(".", "")
    words = {"yes", "no", "true", "false", "null", "on", "off", "y", "n", "none"}
    safe = plain.isalnum() and plain[:1].isalpha() and value[:1].isalpha() and value.lower() not in words
    return value if safe and value.isascii() else json.dumps(value, ensure_ascii=False)


def _redcap(
    table: RawTable, fields: Mapping[str, Field], inside: Mapping[str, str]
) -> tuple[Draft, list[str]]:
    """Draft the study's sections that come from the export."""
    names = table.header
    if is_labelled(names, fields):
        names = tuple(names_of_labels(names, fields, table.name))
        table = RawTable(table.name, names, table._cells)
    draft = Draft()
    found = guess_instruments(fields)
    suffixes = guess_suffixes(found)
    sessions, events = guess_sessions(table, [name for one in found for name in one.fields], suffixes)
    draft.lines.append(
        "# A first draft: lines with a comment that begins with 'guess' want a look. Keys: config/README.md."
    )
    draft.add(0, "title", "My study", "the report's title: yours to write")
    draft.add(0, "design", "not recorded", "in words: single-arm, before and after")
    draft.add(0, "intervention", "not recorded", "in words: eight weeks of ...")
    draft.lines.append("")
    draft.add(0, "sessions", comment="in order of time; the first is the baseline")
    for session, label in sessions.items():
        day = guess_day(label)
        about = {"label": label} | ({} if day is None else {"day": day})
        draft.add(2, session, about, "guess" if day is not None else "guess; add the study day: day: 56")
    draft.lines.append("")
    draft.add(0, "redcap")
    draft.add(2, "export", inside["export"])
    draft.add(2, "dictionary", inside["dictionary"])
    draft.add(2, "id", next(iter(fields)), "guess: the first field of the dictionary")
    if events:
        draft.add(2, "events", comment="guess: null is an event without items of a questionnaire")
        for event, target in events.items():
            draft.lines.append(f"    {_flow(event)}: {_flow(target)}")
    elif suffixes:
        draft.add(
            2,
            "suffixes",
            dict(zip(suffixes, sessions, strict=True)),
            "guess: endings of field names",
        )
    codes = guess_missing_codes(table, fields)
    draft.add(2, "missing_codes", codes, "guess: codes found; say why each is missing")
    if "redcap_repeat_instrument" in names:
        draft.open.append(
            "there are repeating instruments; say under redcap.repeats which instance is which session."
        )
    draft.lines.append("")
    _covariates(draft, fields, {name for one in found for name in one.fields})
    _instruments(draft, found, fields)
    if fields[next(iter(fields))].identifier:
        draft.add(0, "pseudonymize", True, "the id is flagged as an identifier, so participants get new ids")
    if not found:
        draft.open.append("no questionnaire was recognized by its field names; add yours under instruments.")
    return draft, list(dict.fromkeys(one.instrument for one in found))


def _covariates(draft: Draft, fields: Mapping[str, Field], items: set[str]) -> None:
    guessed = guess_covariates(fields)
    draft.add(
        0,
        "covariates",
        "" if guessed else {},
        "guess by name; time-constant, carried from where they were asked",
    )
    for name, rule in guessed.items():
        draft.add(2, name, rule)
    used = {rule["field"] for rule in guessed.values()} | items
    if "age" not in guessed:
        draft.open.append(
            "no field looks like the age; the models adjust for age, bmi and b_cell_depletion where they "
            "are given."
        )
    others = [
        name for name, one in fields.items() if name not in used and not one.refusal and one.kind != "calc"
    ]
    draft.lines.append(
        f"  # {len(others)} further fields may be used as covariates or exposures; none leaves ingestion "
        "unless named."
    )
    draft.lines.append("")


def _instruments(draft: Draft, found: list[Any], fields: Mapping[str, Field]) -> None:
    draft.add(
        0,
        "instruments",
        "" if found else {},
        "guess by names and number of fields; {item} is the item's number",
    )
    for one in found:
        rule: dict[str, Any] = {"fields": one.named}
        if one.offset:
            rule["offset"] = one.offset
        draft.add(2, one.instrument, rule, one.comment)
        draft.open += one.open
    draft.lines.append("")


def _expression(draft: Draft, matrix: Path, name: str, sheet: str, out: Path) -> None:
    """Draft the expression section and a sample sheet to be completed."""
    unit, samples = guess_unit(matrix)
    text = [
        "sample_id\tparticipant_id\tsession_id\tbatch",
        *("\t".join(row) for row in guess_samples(samples)),
    ]
    files.write_text(out / "samples.tsv", "\n".join([*text, ""]))
    draft.add(0, "expression")
    draft.add(2, "matrix", name)
    draft.add(2, "unit", unit, "guess from the numbers: counts, tpm or log2")
    draft.add(2, "samples", sheet, "a draft with one row per sample; fill in participant, session and batch")
    columns = {
        "sample": "sample_id",
        "participant": "participant_id",
        "session": "session_id",
        "batch": "batch",
    }
    draft.add(2, "columns", columns)
    draft.lines.append("")
    draft.open.append(
        f"which participant and session each of the {len(samples)} samples is; fill in {out / 'samples.tsv'}."
    )


def _cat12(draft: Draft, folder: Path, name: str) -> None:
    draft.add(0, "cat12")
    draft.add(2, "folder", name)
    draft.add(2, "lesion_handling", "not recorded", "none, filled, or CAT12 SLC")
    first = next((path.name for path in sorted(folder.rglob("cat*.xml"))), None)
    if first is None:
        draft.open.append(f"there are no CAT12 reports or label files (cat_*.xml, catROI_*.xml) in {name}.")
    elif "sub-" not in first:
        draft.add(2, "pattern", None, "scan names are not as in BIDS: give {participant} and {session}")
        draft.open.append(
            "scans are not named as in BIDS (sub-01_ses-pre); give cat12.pattern or a table cat12.scans."
        )
    draft.lines.append("")


def _config(data: str, instruments: list[str], matrix: Path | None, cat12: Path | None) -> str:
    lines = [
        "# How the study is analysed; every key and its default: config/README.md. What the files are: "
        "study.yaml."
    ]
    lines += [f"data: {_flow(data)}", "", "questionnaires:", f"  instruments: {_flow(instruments)}"]
    if matrix is not None:
        lines += [
            "",
            "expression:",
            "  normalization:",
            "    method: reference_genes  # guess; log2 data: none",
        ]
    if cat12 is not None:
        lines += ["", "cat12:", "  batches: 2"]
    return "\n".join([*lines, ""])
