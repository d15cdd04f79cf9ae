"""A first study.yaml and config.yaml for a lab's export, every guess marked as one."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pniflow import files, resources
from pniflow.errors import InputError, listing, nearest
from pniflow.study.fields import Field, read_dictionary
from pniflow.study.guesses import (
    Found,
    affix_keys,
    guess_affixes,
    guess_covariates,
    guess_day,
    guess_instruments,
    guess_missing_codes,
    guess_samples,
    guess_sessions,
    guess_unit,
    scan_sessions,
    session_names,
)
from pniflow.study.rawtables import RawTable, file_of, names_beside, read_raw
from pniflow.study.redcap import is_labelled, names_of_labels
from pniflow.study.table_guesses import Guessed, guess_assays, guess_table, in_time


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
    *,
    export: Path | None = None,
    dictionary: Path | None = None,
    tables: list[Path] | None = None,
    assays: list[Path] | None = None,
    matrix: Path | None = None,
    cat12: Path | None = None,
    out: Path,
) -> None:
    """Write a first study.yaml and config.yaml for what a lab has, with every guess commented.

    Parameters
    ----------
    export : Path, optional
        REDCap export (CSV).
    dictionary : Path, optional
        Its data dictionary (CSV).
    tables : list of Path, optional
        In place of an export tables of participants and questionnaires (CSV, TSV, .xlsx): a row per
        participant or per participant and session, columns per session, or a file per session.
    assays : list of Path, optional
        Tables of laboratory values with a row per participant and session.
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
    if (export is None) != (dictionary is None) or not (export or tables or assays or matrix or cat12):
        raise InputError("Give --export with its --dictionary, or --tables, or what else there is.")
    if export and tables:
        raise InputError("Give --export or --tables, and add what is left to study.yaml by hand.")
    given = {"export": [export], "dictionary": [dictionary], "matrix": [matrix], "cat12": [cat12]}
    given |= {"tables": [*(tables or [])], "assays": [*(assays or [])]}
    data, names = _placed(given, out if matrix is not None else None)
    inside = {name: names[paths[0]] for name, paths in given.items() if paths and paths[0] is not None}
    laboratory = [guess_assays(path, names[path]) for path in assays or []]
    if export is not None and dictionary is not None:
        draft, instruments = _redcap(read_raw(export), read_dictionary(dictionary, dictionary.name), inside)
        words = None
    else:
        plain = [guess_table(path, names[path]) for path in tables or []]
        words = _sessions_of([*plain, *(table for table, _, _ in laboratory)], scan_sessions(cat12))
        draft, instruments = _plain(plain, words)
    for table, rules, unsaid in laboratory:
        _assays(draft, table, rules, words)
        draft.open += unsaid
    if matrix is not None:
        _expression(
            draft, matrix, inside["matrix"], (out.resolve() / "samples.tsv").relative_to(data).as_posix(), out
        )
    if cat12 is not None:
        _cat12(draft, cat12, inside["cat12"])
    files.write_text(out / "study.yaml", "\n".join([*draft.lines, ""]))
    folders = {"data": data} | ({"resources": mine.resolve()} if (mine := resources.own()) else {})
    beside = {key: os.path.relpath(path, out.resolve()) for key, path in folders.items()}
    files.write_text(out / "config.yaml", _config(beside, instruments, matrix, cat12))
    print(f"Written: {out / 'study.yaml'} and {out / 'config.yaml'}. Read both; every guess has a comment.")
    for sentence in draft.open:
        print(f"Not guessed: {sentence}")
    flags = f"--configfile {shlex.quote(str(out / 'config.yaml'))} --directory {shlex.quote(str(out))}"
    print(f"Then try: snakemake -n {flags}")


def _placed(given: Mapping[str, Sequence[Path | None]], out: Path | None) -> tuple[Path, dict[Path, str]]:
    """Return the folder that holds all files (and `out`), and each file's name in it, with its sheet."""
    places: dict[Path, Path] = {}
    for name, paths in given.items():
        for path in filter(None, paths):
            places[path] = Path(file_of(str(path))).resolve()
            if not places[path].exists():
                near = nearest(path.name, names_beside(path))
                raise InputError(f"{path}: there is no such file or folder{near}; correct --{name}.")
    parents = [place.parent for place in places.values()] + ([out.resolve()] if out else [])
    data = Path(os.path.commonpath(parents))
    sheets = {path: str(path).removeprefix(file_of(str(path))) for path in places}
    return data, {path: place.relative_to(data).as_posix() + sheets[path] for path, place in places.items()}


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


def _opening(draft: Draft, sessions: Mapping[str, str]) -> None:
    """Draft what every study begins with."""
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


def _sessions_of(tables: Sequence[Guessed], scanned: list[str]) -> dict[str, str]:
    """Return the word for each session, of all tables and in order of time -> session.

    Sessions are named as the scans are where these are as many.
    """
    words = in_time({word for table in tables for word in table.words})
    words = words or [name.removeprefix("ses-") for name in in_time(set(scanned))] or ["only session"]
    names = in_time(set(scanned)) if len(set(scanned)) == len(words) else session_names(words)
    return dict(zip(words, names, strict=True))


def _plain(tables: Sequence[Guessed], words: Mapping[str, str]) -> tuple[Draft, list[str]]:
    """Draft the study's sections that come from plain tables."""
    draft = Draft()
    _opening(draft, {session: word for word, session in words.items()})
    found = {one.instrument: one for table in reversed(tables) for one in reversed(table.found)}
    register = next(
        (table for table in tables if table.once and not table.session and len(table.words) != 1), None
    )
    if register is not None:
        draft.add(0, "participants", comment="the table that lists the participants")
        _table(draft, register, {k: v for k, v in register.session_keys(words).items() if k != "session"})
    others = [table for table in tables if table is not register]
    if others:
        draft.add(0, "tables")
    for table in others:
        start = len(draft.lines)
        _table(draft, table, table.session_keys(words), 4)
        draft.lines[start] = "  - " + draft.lines[start].lstrip()
    draft.lines.append("")
    _covariates(draft, {name: one for table in tables for name, one in table.fields.items()}, set())
    _instruments(draft, list(reversed(found.values())))
    if tables and not found:
        draft.open.append("no questionnaire was recognized by its column names; add yours under instruments.")
    return draft, list(reversed(found))


def _table(draft: Draft, table: Guessed, keys: Mapping[str, Any], indent: int = 2) -> None:
    draft.add(indent, "file", table.name)
    draft.add(indent, "id", table.id, "guess: the column with the participant")
    for key, value in keys.items():
        draft.add(indent, key, value, "guess")
    if table.missing:
        codes = dict.fromkeys(table.missing, "not stated")
        draft.add(indent, "missing_codes", codes, "guess: codes found; say why each is missing")


def _assays(draft: Draft, table: Guessed, rules: Mapping[str, Any], words: Mapping[str, str] | None) -> None:
    """Draft laboratory values; after a REDCap export the sessions' words are left to be mapped."""
    if "assays:" not in draft.lines:
        draft.add(0, "assays")
    for name, rule in rules.items():
        draft.add(2, name, comment="guess")
        codes = {word: words[word] for word in table.words} if words else None
        for key, value in (rule | ({"session_codes": codes} if codes else {})).items():
            draft.add(4, key, value)
        if codes is None:
            draft.open.append(
                f"which session each word in the column '{table.session}' of {table.name} is "
                f"({listing(table.words)}); write it at assays.{name}.session_codes."
            )


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
    affixes = guess_affixes(found)
    sessions, events = guess_sessions(table, [name for one in found for name in one.fields], affixes)
    _opening(draft, sessions)
    draft.add(0, "redcap")
    draft.add(2, "export", inside["export"])
    draft.add(2, "dictionary", inside["dictionary"])
    draft.add(2, "id", next(iter(fields)), "guess: the first field of the dictionary")
    if events:
        draft.add(2, "events", comment="guess: null is an event without items of a questionnaire")
        for event, target in events.items():
            draft.lines.append(f"    {_flow(event)}: {_flow(target)}")
    else:
        for key, named in affix_keys(dict(zip(affixes, sessions, strict=False))).items():
            draft.add(2, key, named, "guess: beginnings or endings of field names")
    codes = guess_missing_codes(table, fields)
    draft.add(2, "missing_codes", codes, "guess: codes found; say why each is missing")
    if "redcap_repeat_instrument" in names:
        draft.open.append(
            "there are repeating instruments; say under redcap.repeats which instance is which session."
        )
    draft.lines.append("")
    _covariates(draft, fields, {name for one in found for name in one.fields})
    _instruments(draft, found)
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
    if "age" not in guessed and fields:
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


def _instruments(draft: Draft, found: Sequence[Found]) -> None:
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
    draft.add(2, "lesion_handling", "not recorded", "none, filled with <tool>, or CAT12 SLC")
    first = next((path.name for path in sorted(folder.rglob("cat*.xml"))), None)
    if first is None:
        draft.open.append(f"there are no CAT12 reports or label files (cat_*.xml, catROI_*.xml) in {name}.")
    elif "sub-" not in first:
        draft.add(2, "pattern", None, "scan names are not as in BIDS: give {participant} and {session}")
        draft.open.append(
            "scans are not named as in BIDS (sub-01_ses-pre); give cat12.pattern or a table cat12.scans."
        )
    draft.lines.append("")


def _config(
    folders: Mapping[str, str], instruments: list[str], matrix: Path | None, cat12: Path | None
) -> str:
    lines = [
        "# How the study is analysed; every key and its default: config/README.md. What the files are: "
        "study.yaml."
    ]
    lines += [f"{key}: {_flow(path)}" for key, path in folders.items()]
    lines += ["", "questionnaires:", f"  instruments: {_flow(instruments)}"]
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
