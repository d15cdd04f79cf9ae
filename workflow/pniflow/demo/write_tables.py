"""The study's tables as a lab holds them: REDCap export and dictionary, hair cortisol, counts, samples."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pniflow.demo.design import EVENTS, Facet, facets, genes
from pniflow.demo.simulation import Study

PREFIXES = {"ucla_loneliness_v3": "ucla", "mhc_sf": "mhc"}  # field names that differ from the instrument's
DICTIONARY = (
    "Variable / Field Name", "Form Name", "Section Header", "Field Type", "Field Label",
    "Choices, Calculations, OR Slider Labels", "Field Note", "Text Validation Type OR Show Slider Number",
    "Text Validation Min", "Text Validation Max", "Identifier?",
    "Branching Logic (Show field only if...)", "Required Field?", "Custom Alignment",
    "Question Number (surveys only)", "Matrix Group Name", "Matrix Ranking?", "Field Annotation",
)  # fmt: skip
REFUSED = "-99"


def write_redcap(study: Study, folder: Path) -> None:
    """Write `export.csv` (raw codes, a row per record and event) and `dictionary.csv`; no item wording."""
    fields = _items()
    demographics = ["age", "bmi", "edss", "b_cell_depletion", "completed_course"] + ["site"] * (
        study.design.sites > 1
    )
    forms = list(dict.fromkeys(facet.instrument for facet in facets()))
    header = ["record_id", "redcap_event_name", *demographics, "demographics_complete"]
    for form in forms:
        header += [_field(form, item) for item, facet in fields if facet.instrument == form] + [
            f"{form}_complete"
        ]
    _csv(folder / "export.csv", header, _records(study, demographics, forms, fields))
    rows = [_entry("record_id", "demographics", "text", "Record")]
    rows += [
        _entry("age", "demographics", "text", "Age (years)", validation=("integer", "18", "99")),
        _entry("bmi", "demographics", "text", "Body mass index (kg/m2)", validation=("number", "12", "70")),
        _entry("edss", "demographics", "text", "EDSS", validation=("number", "0", "10")),
        _entry("b_cell_depletion", "demographics", "radio", "B-cell-depleting treatment", "0, No | 1, Yes"),
        _entry("completed_course", "demographics", "radio", "Completed the course", "0, No | 1, Yes"),
    ]
    if study.design.sites > 1:
        choices = " | ".join(f"{site + 1}, Site {site + 1}" for site in range(study.design.sites))
        rows.append(_entry("site", "demographics", "radio", "Site", choices))
    for item, facet in fields:
        options = " | ".join(f"{code}, Answer {code}" for code in range(facet.minimum, facet.maximum + 1))
        name = _field(facet.instrument, item)
        rows.append(_entry(name, facet.instrument, "radio", f"Placeholder for item {item}", options))
    _csv(folder / "dictionary.csv", DICTIONARY, rows)


def _items() -> list[tuple[int, Facet]]:
    """Return every item with its facet, instrument by instrument in the order of the form."""
    order = list(dict.fromkeys(facet.instrument for facet in facets()))
    pairs = [(item, facet) for facet in facets() for item in facet.items]
    return sorted(pairs, key=lambda pair: (order.index(pair[1].instrument), pair[0]))


def _field(instrument: str, item: int) -> str:
    return f"{PREFIXES.get(instrument, instrument)}_{item}"


def _entry(
    name: str,
    form: str,
    kind: str,
    label: str,
    choices: str = "",
    validation: tuple[str, str, str] = ("", "", ""),
) -> list[str]:
    return [name, form, "", kind, label, choices, "", *validation, *[""] * 8]


def _records(
    study: Study, demographics: list[str], forms: list[str], fields: list[tuple[int, Facet]]
) -> Iterable[list[str]]:
    """Yield the rows of the export. A missing answer is blank or, as often, the code for a refused one."""
    people, design = study.people, study.design
    facts = {
        "age": [f"{value:.0f}" for value in people.age],
        "bmi": [f"{value:.1f}" for value in people.bmi],
        "edss": [f"{value:.1f}" for value in people.edss],
        "b_cell_depletion": [str(int(value)) for value in people.b_cell_depletion],
        "completed_course": np.where(study.presence.attended.min(axis=1), "1", "0").tolist(),
        "site": [str(value + 1) for value in people.site],
    }
    cells = {}
    for facet in facets():
        codes = study.answers[facet.name]
        refused = design.stream(f"refused {facet.name}").random(codes.shape) < 0.5
        given = np.isfinite(codes)
        asked = np.logical_or.reduce(given, axis=2, keepdims=True)
        text = np.where(given, np.nan_to_num(codes).astype(int).astype(str), "")
        cells[facet.name] = np.where(~given & refused & asked, REFUSED, text)
    for person, label in enumerate(design.labels):
        for session in np.flatnonzero(study.presence.attended[person]):
            row = [label, f"{EVENTS[session]}_arm_1"]
            row += [facts[name][person] if session == 0 else "" for name in demographics] + [
                "2" if session == 0 else ""
            ]
            for form in forms:
                own = [
                    cells[f.name][person, session, f.items.index(item)]
                    for item, f in fields
                    if f.instrument == form
                ]
                row += [*own, "2" if all(own) else "1" if any(own) else "0"]
            yield row


def write_cortisol(study: Study, path: Path) -> None:
    """Write hair cortisol in pg/mg, one row per sample."""
    labels, sessions = study.design.labels, study.design.session_ids
    rows = [
        [labels[person], sessions[session], repr(float(study.cortisol[person, session]))]
        for person, session in np.argwhere(np.isfinite(study.cortisol))
    ]
    _csv(path, ["participant_id", "session_id", "cortisol"], rows)


def write_counts(study: Study, matrix: Path, samples: Path) -> None:
    """Write the count matrix (genes x samples, gzip) and the sample table, in the order of sequencing."""
    design = study.design
    random = design.stream("samples")
    taken = np.argwhere(np.isfinite(study.counts[..., 0]))
    taken = taken[random.permutation(len(taken))]
    names = [f"R{number:0{max(3, len(str(len(taken))))}d}" for number in range(1, len(taken) + 1)]
    batch = (
        1 + np.arange(design.participants) * 3 // design.participants
    )  # both samples of a person in one batch
    rows = [
        f"{name}\t{design.labels[person]}\t{design.session_ids[session]}\tbatch{batch[person]}\n"
        for name, (person, session) in zip(names, taken, strict=True)
    ]
    _write(samples, ("sample_id\tparticipant_id\tsession_id\tbatch\n" + "".join(rows)).encode())
    counts = study.counts[taken[:, 0], taken[:, 1]].T.astype(np.int64)
    order = random.permutation(len(counts))
    symbols = genes()["symbol"][study.genes]
    lines = ["gene\t" + "\t".join(names)]
    lines += [f"{symbols[row]}\t" + "\t".join(map(str, counts[row].tolist())) for row in order]
    _write(matrix, gzip.compress("\n".join([*lines, ""]).encode(), compresslevel=4, mtime=0))


def _csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows(rows)
    _write(path, text.getvalue().encode())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
