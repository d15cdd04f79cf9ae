"""The lines of a first study.yaml and config.yaml; what is not guessed is null, which no run accepts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pniflow.errors import listing
from pniflow.new_study.covariates import guess_covariates
from pniflow.new_study.occasions import BEFORE, SCREENING, Occasions, guess_day, when
from pniflow.new_study.questionnaires import Found
from pniflow.new_study.samples import Sheet
from pniflow.new_study.scans import Scans
from pniflow.new_study.tables import Guessed
from pniflow.study.fields import Field


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
        text = "" if value == "" else f" {flow(value)}"
        self.lines.append(f"{' ' * indent}{flow(key)}:{text}" + (f"  # {comment}" if comment else ""))


def flow(value: Any) -> str:
    """Write a value as YAML on one line; words that YAML would read otherwise are quoted."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if value is None:
        return "null"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    plain = value.replace("_", "").replace("-", "").replace("/", "").replace(".", "")
    words = {"yes", "no", "true", "false", "null", "on", "off", "y", "n", "none"}
    safe = plain.isalnum() and plain[:1].isalpha() and value[:1].isalpha() and value.lower() not in words
    return value if safe and value.isascii() else json.dumps(value, ensure_ascii=False)


def opening(draft: Draft, told: Occasions, origin: Mapping[str, str], measured: bool) -> None:
    """Draft what every study begins with.

    Parameters
    ----------
    draft : Draft
    told : Occasions
    origin : dict
        Word of a session -> the file that has it.
    measured : bool
        Whether something is measured at the sessions, so that their order must be settled before a run.
    """
    draft.lines.append(
        "# A first draft: lines with a comment that begins with 'guess' want a look. Keys: config/README.md."
    )
    draft.add(0, "title", "My study", "the report's title: yours to write")
    draft.add(0, "design", "not recorded", "in words: single-arm, before and after")
    draft.add(0, "intervention", "not recorded", "in words: eight weeks of ...")
    draft.lines.append("")
    draft.add(0, "sessions", comment="in order of time; the first is the baseline")
    day: int | None = None
    for place, (session, word) in enumerate(told.labels.items()):
        file = f" ({origin[word]})" if word in origin else ""
        if word in told.unsettled and measured:
            draft.add(
                2,
                session,
                {"label": f"{word}{file}", "day": None},
                "not guessed: its study day, and its place in the order of time",
            )
            continue
        guessed = guess_day(word, first=place == 0)
        day = guessed if guessed is not None and (day is None or guessed > day) else None
        about: dict[str, Any] = {"label": word} | ({} if day is None else {"day": day})
        draft.add(2, session, about, "guess" if day is not None else "guess; add the study day: day: 56")
    draft.lines.append("")
    if told.unsettled:
        files = [f"{word} ({origin[word]})" if word in origin else word for word in told.unsettled]
        draft.open.append(
            f"which session is first and which follow, of {listing(files)}; put them in order of time under "
            "sessions with the study day of each, or map words that mean the same to one session"
            + (
                "."
                if told.settled
                else ", and name the baseline in models.yaml (defaults.session.reference)."
            )
        )
    early = [word for word in told.labels.values() if when(word).stage in (SCREENING, BEFORE)]
    if {when(word).stage for word in early} == {SCREENING, BEFORE}:
        draft.open.append(
            f"which of {listing(early)} is the baseline; the first session counts as it, so map a "
            "screening to null if it is none."
        )


def covariates(
    draft: Draft, fields: Mapping[str, Field], items: set[str], arms: Sequence[str] = ()
) -> list[str]:
    """Draft the covariates; return their names."""
    guessed = guess_covariates(fields)
    draft.add(
        0,
        "covariates",
        "" if guessed else {},
        "guess by name; time-constant, carried from where they were asked",
    )
    for name, rule in guessed.items():
        draft.add(2, name, rule)
    if len(arms) > 1 and "arm" not in guessed:
        rule = {"field": "redcap_arm", "coding": {arm: f"arm_{arm}" for arm in arms}}
        draft.lines.append(f"  # arm: {flow(rule)}  # take the # away to compare the arms of the export")
        draft.open.append(
            f"whether the arms {listing(arms)} of the export are groups to be compared; if so, take the # "
            "from covariates.arm (under `covariates:` without {})."
        )
    used = {rule["field"] for rule in guessed.values()} | items
    if "age" not in guessed and fields:
        draft.open.append(
            "no field looks like the age; the models adjust for age, sex, bmi and b_cell_depletion where "
            "they are given."
        )
    others = [
        name for name, one in fields.items() if name not in used and not one.refusal and one.kind != "calc"
    ]
    draft.lines.append(
        f"  # {len(others)} further fields may be used as covariates or exposures; none leaves ingestion "
        "unless named."
    )
    draft.lines.append("")
    return list(guessed)


def instruments(draft: Draft, found: Sequence[Found], sessions: Mapping[tuple[str, str], str]) -> None:
    """Draft the questionnaires; `sessions` tells those of beginnings and endings."""
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
        other = {
            sessions[affix]: {"fields": named} for affix, named in one.otherwise.items() if affix in sessions
        }
        if other:
            rule["sessions"] = other
        draft.add(2, one.instrument, rule, one.comment)
        draft.open += one.open
    draft.lines.append("")


def exclusions(draft: Draft, rules: Sequence[Mapping[str, Any]]) -> None:
    """Draft who and which rows do not belong to the study."""
    if not rules:
        return
    draft.add(0, "exclude", comment="guess: rows of nobody; each rule is counted in the flow")
    draft.lines += [f"  - {flow(rule)}" for rule in {flow(rule): rule for rule in rules}.values()]
    draft.lines.append("")


def assays(draft: Draft, table: Guessed, rules: Mapping[str, Any], sessions: Mapping[str, str]) -> None:
    """Draft laboratory values."""
    if "assays:" not in draft.lines:
        draft.add(0, "assays")
    codes = {word: sessions[meaning] for word, meaning in table.words.items()}
    for name, rule in rules.items():
        draft.add(2, name, comment="guess")
        for key, value in (rule | {"session_codes": codes}).items():
            draft.add(4, key, value)


def expression(
    draft: Draft, matrix: str, unit: str | None, sheet: Sheet, sessions: Mapping[str, str]
) -> None:
    """Draft the expression section."""
    draft.add(0, "expression")
    draft.add(2, "matrix", matrix)
    said = {"tpm": "guess: samples sum to a million; write cpm if these are counts per million"}
    unsure = (
        "not guessed: counts, tpm, cpm, intensity, log2 or ct" if unit is None else "guess from the numbers"
    )
    draft.add(2, "unit", unit, said.get(unit or "", unsure))
    if unit is None:
        draft.open.append(
            f"what the numbers of {matrix} are; write it at expression.unit: counts (estimated ones too), "
            "tpm, cpm (counts per million), intensity (of an array), log2 or ct (threshold cycles)."
        )
    drafted = "a draft with one row per sample" + ("; fill in what is blank" if sheet.open else "")
    draft.add(
        2, "samples", sheet.name, drafted if sheet.rows else "guess: it lists the samples of the matrix"
    )
    draft.add(2, "columns", sheet.columns, "" if sheet.rows else "guess")
    if sheet.words and not sheet.rows:
        codes = {word: sessions[meaning] for word, meaning in sheet.words.items()}
        draft.add(2, "session_codes", codes, "guess")
    draft.lines.append("")
    draft.open += sheet.open


def cat12(draft: Draft, scans: Scans, sessions: Sequence[str]) -> None:
    """Draft CAT12's section."""
    draft.add(0, "cat12")
    draft.add(2, "folder", scans.folder)
    draft.add(2, "lesion_handling", "not recorded", "none, filled with <tool>, or CAT12 SLC")
    if scans.names and not scans.bids:
        why = "guess" if scans.pattern else "scan names are not as in BIDS: give {participant} and {session}"
        draft.add(2, "pattern", scans.pattern or None, why)
    if scans.names and not scans.sessions and (scans.bids or scans.pattern):
        if len(sessions) == 1:
            draft.add(2, "session", sessions[0], "scan names hold none")
        else:
            draft.open.append(
                f"at which session the scans in {scans.folder} were made, whose names hold none; set "
                "cat12.session, or give a table cat12.scans."
            )
    if scans.voxels:
        draft.add(2, "voxels", scans.voxels, "guess: every scan has such an image; take it out to leave them")
    draft.lines.append("")
    draft.open += scans.open


def config(
    folders: Mapping[str, str], questionnaires: Sequence[str], expressed: bool, scanned: bool
) -> list[str]:
    """Return the lines of config.yaml."""
    lines = [
        "# How the study is analysed; every key and its default: config/README.md. What the files are: "
        "study.yaml."
    ]
    lines += [f"{key}: {flow(path)}" for key, path in folders.items()]
    lines += ["", "questionnaires:", f"  instruments: {flow(list(questionnaires))}"]
    if expressed:
        lines += [
            "",
            "expression:",
            "  normalization:",
            "    method: auto  # as the unit in study.yaml needs",
        ]
    if scanned:
        lines += ["", "cat12:", "  batches: 2"]
    return lines
