"""The study's tables as a lab holds them: REDCap export and dictionary, hair cortisol, counts, samples."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from pniflow.demo.scenario import EVENTS, Facet, facets, genes
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
    facts, answers = _demographics(study), _answer_texts(study)
    header = ["record_id", "redcap_event_name", *facts, "demographics_complete"]
    for form, cells in answers.items():
        header += [*_fields(form, cells.shape[2]), f"{form}_complete"]
    _csv(folder / "export.csv", header, _records(study, facts, answers))
    _csv(folder / "dictionary.csv", DICTIONARY, _dictionary(study.design.sites))


def _demographics(study: Study) -> dict[str, list[str]]:
    """Return the fields asked at the first event, as text."""
    people = study.people
    facts = {
        "age": [f"{value:.0f}" for value in people.age],
        "bmi": [f"{value:.1f}" for value in people.bmi],
        "edss": [f"{value:.1f}" for value in people.edss],
        "b_cell_depletion": [str(int(value)) for value in people.b_cell_depletion],
        "completed_course": np.where(study.presence.attended.min(axis=1), "1", "0").tolist(),
    }
    return facts | ({"site": [str(value + 1) for value in people.site]} if study.design.sites > 1 else {})


def _forms() -> dict[str, list[Facet]]:
    """Return the facets of each instrument."""
    forms: dict[str, list[Facet]] = {}
    for facet in facets():
        forms.setdefault(facet.instrument, []).append(facet)
    return forms


def _answer_texts(study: Study) -> dict[str, np.ndarray]:
    """Return each instrument's cells in the order of its items; half of the missing ones hold a code."""
    texts = {}
    for form, parts in _forms().items():
        order = np.argsort(np.concatenate([facet.items for facet in parts]))
        codes = np.concatenate([study.answers[facet.name] for facet in parts], axis=2)[..., order]
        given = np.isfinite(codes)
        refused = ~given & (study.design.stream(f"refused {form}").random(codes.shape) < 0.5)
        asked = given.sum(axis=2, keepdims=True) > 0
        known = np.where(given, np.nan_to_num(codes).astype(int).astype(str), "")
        texts[form] = np.where(refused & asked, REFUSED, known)
    return texts


def _records(
    study: Study, facts: dict[str, list[str]], answers: dict[str, np.ndarray]
) -> Iterator[list[str]]:
    """Yield the rows of the export; there is none for a session that was not attended."""
    for person, label in enumerate(study.design.labels):
        for session in np.flatnonzero(study.presence.attended[person]):
            first = session == 0
            row = [label, f"{EVENTS[session]}_arm_1"]
            row += [*(values[person] if first else "" for values in facts.values()), "2" if first else ""]
            for cells in answers.values():
                own = cells[person, session].tolist()
                row += [*own, "2" if all(own) else "1" if any(own) else "0"]
            yield row


def _dictionary(sites: int) -> Iterator[list[str]]:
    """Yield the rows of the data dictionary."""
    yes_no = "0, No | 1, Yes"
    yield _entry("record_id", "demographics", "text", "Record")
    yield _entry("age", "demographics", "text", "Age (years)", limits=("integer", "18", "99"))
    yield _entry("bmi", "demographics", "text", "Body mass index (kg/m2)", limits=("number", "12", "70"))
    yield _entry("edss", "demographics", "text", "EDSS", limits=("number", "0", "10"))
    yield _entry("b_cell_depletion", "demographics", "radio", "B-cell-depleting treatment", yes_no)
    yield _entry("completed_course", "demographics", "radio", "Completed the course", yes_no)
    if sites > 1:
        choices = " | ".join(f"{site}, Site {site}" for site in range(1, sites + 1))
        yield _entry("site", "demographics", "radio", "Site", choices)
    for form, parts in _forms().items():
        codes = range(parts[0].minimum, parts[0].maximum + 1)
        options = " | ".join(f"{code}, Answer {code}" for code in codes)
        for item, name in enumerate(_fields(form, sum(len(facet.items) for facet in parts)), 1):
            yield _entry(name, form, "radio", f"Placeholder for item {item}", options)


def _fields(instrument: str, count: int) -> list[str]:
    return [f"{PREFIXES.get(instrument, instrument)}_{item}" for item in range(1, count + 1)]


def _entry(
    name: str, form: str, kind: str, label: str, choices: str = "", limits: Sequence[str] = ("", "", "")
) -> list[str]:
    return [name, form, "", kind, label, choices, "", *limits, *[""] * 8]


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
    batch = 1 + np.arange(design.participants) * 3 // design.participants  # a person's samples in one batch
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
