"""Small raw studies written to a folder, as a lab would hold them; used by several test files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

HEADER = (
    "Variable / Field Name",
    "Form Name",
    "Section Header",
    "Field Type",
    "Field Label",
    "Choices, Calculations, OR Slider Labels",
    "Field Note",
    "Text Validation Type OR Show Slider Number",
    "Text Validation Min",
    "Text Validation Max",
    "Identifier?",
    "Branching Logic (Show field only if...)",
    "Required Field?",
    "Custom Alignment",
    "Question Number (surveys only)",
    "Matrix Group Name",
    "Matrix Ranking?",
    "Field Annotation",
)


def field(name: str, kind: str = "text", **more: str) -> dict[str, str]:
    """One row of a data dictionary."""
    row = dict.fromkeys(HEADER, "")
    row |= {
        "Variable / Field Name": name,
        "Form Name": "form",
        "Field Type": kind,
        "Field Label": f"Label of {name}",
    }
    names = {"choices": HEADER[5], "validation": HEADER[7], "low": HEADER[8], "high": HEADER[9]}
    names |= {"identifier": HEADER[10], "label": HEADER[4], "form": HEADER[1]}
    return row | {names[key]: value for key, value in more.items()}


def items(prefix: str, count: int, low: int, high: int) -> list[dict[str, str]]:
    """The items of an instrument, with placeholder labels."""
    choices = " | ".join(f"{code}, Answer {code}" for code in range(low, high + 1))
    return [field(f"{prefix}_{item}", "radio", choices=choices) for item in range(1, count + 1)]


def text_of(header: Sequence[str], rows: Iterable[Sequence[Any]], delimiter: str = ",") -> str:
    """CSV text."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()


def write_dictionary(path: Path, fields: Iterable[Mapping[str, str]]) -> None:
    """Write a data dictionary."""
    path.write_text(text_of(HEADER, ([row[name] for name in HEADER] for row in fields)), encoding="utf-8")


def write_rows(
    path: Path, rows: Sequence[Mapping[str, Any]], encoding: str = "utf-8", delimiter: str = ","
) -> None:
    """Write records; the columns are those of the first row."""
    header = list(rows[0])
    path.write_text(
        text_of(header, ([row[name] for name in header] for row in rows), delimiter), encoding=encoding
    )


class _WithoutAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def write_study(path: Path, **sections: Any) -> Path:
    """Write a study.yaml with two sessions and the given sections."""
    document = {"title": "A study", "sessions": {"ses-pre": {"day": 0}, "ses-post": {"day": 56}}} | sections
    path.write_text(
        yaml.dump(document, Dumper=_WithoutAliases, sort_keys=False, allow_unicode=True), encoding="utf-8"
    )
    return path


EVENTS = {"baseline_arm_1": "ses-pre", "week_8_arm_1": "ses-post"}


def small_redcap(folder: Path, participants: Sequence[str] = ("001", "002", "003")) -> dict[str, Any]:
    """Write a longitudinal export with PSS-10 and return what belongs into study.yaml.

    The dictionary also holds an identifier, free text, a date and a note.
    """
    fields = [
        field("record_id"),
        field("full_name", identifier="y"),
        field("remarks", "notes"),
        field("visit_date", validation="date_ymd"),
        field("nickname"),
        field("age", validation="integer", low="18", high="120"),
        field("group", "radio", choices="NA, North America | None, No group | 1, Europe"),
        *items("pss10", 10, 0, 4),
    ]
    rng = np.random.default_rng(3)
    rows = []
    for number, person in enumerate(participants):
        for event in EVENTS:
            first = event == "baseline_arm_1"
            row = {"record_id": person, "redcap_event_name": event}
            row |= {"full_name": "Erika Mustermann" if first else "", "remarks": "called Erika, she is fine"}
            row |= {"visit_date": "2024-03-01" if first else "2024-04-26", "nickname": "Eri" if first else ""}
            row |= {
                "age": str(40 + number) if first else "",
                "group": ["NA", "None", "1"][number % 3] if first else "",
            }
            row |= {f"pss10_{item}": str(rng.integers(0, 5)) for item in range(1, 11)}
            row |= {"form_complete": "2"}
            rows.append(row)
    write_dictionary(folder / "dictionary.csv", fields)
    write_rows(folder / "export.csv", rows)
    return {
        "redcap": {
            "export": "export.csv",
            "dictionary": "dictionary.csv",
            "events": dict(EVENTS),
            "missing_codes": {"-99": "refused"},
        },
        "covariates": {
            "age": {"field": "age", "unit": "years"},
            "group": {"field": "group", "coding": {"NA": "america", "None": "none", "1": "europe"}},
        },
        "instruments": {"pss10": {"fields": "pss10_{item}"}},
    }


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read what `write_rows` wrote, to change it."""
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
