"""Random studies in random layouts: every answer comes back, none other, and every cell is accounted for."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow.parquet import read_table

from conftest import LONG
from pniflow.errors import InputError
from pniflow.study.ingest_study import ingest_study
from random_files import write
from random_layouts import random_study
from random_mistakes import MISTAKES, Found
from random_sheets import BLANK, CODED, STORED
from random_studies import Study

COUNT, WRONG = (1450, 50) if LONG else (45, 5)
SEED = int(np.random.SeedSequence().generate_state(1)[0]) if LONG else 1


Rows = list[dict[str, Any]]


def tables_of(study: Study, folder: Path) -> dict[str, Rows]:
    """Write a study and ingest it; the rows of its tables, as text but for the responses."""
    path = write(study, folder)
    ingest_study(study=path, data=folder, out=folder / "out")
    tables: dict[str, Rows] = {}
    for name in ("participants", "sessions", "samples", "assays", "account"):
        with open(folder / f"out/{name}.tsv", encoding="utf-8", newline="") as stream:
            tables[name] = list(csv.DictReader(stream, delimiter="\t"))
    return tables | {"responses": read_table(folder / "out/responses.parquet").to_pylist()}


def answers(rows: Rows, column: str) -> dict[tuple[str, str, str, int], Any]:
    """Return what a column of the responses says of each item."""
    keys = ("participant_id", "session_id", "instrument", "item")
    return {tuple(row[key] for key in keys): row[column] for row in rows if row[column] is not None}


def values(rows: Rows, keys: list[str], names: list[str]) -> dict[tuple[str, ...], Any]:
    """Return the values of columns, by keys and column; numbers as numbers."""
    return {
        (*(row[key] for key in keys), name): as_number(row[name])
        for name in names
        for row in rows
        if row[name] != ""
    }


def as_number(text: str) -> str | float:
    """Return a number, or the word that it is not."""
    return float(text) if text.replace(".", "", 1).isdigit() else text


def assays(rows: Rows) -> Counter[tuple[str, str, str, float, bool]]:
    """Count assays with a value, or below the limit (-1 where the value is not known)."""
    return Counter(
        (row["participant_id"], row["session_id"], row["assay"], float(row["value"] or -1),
         row["below_limit"].lower() == "true")
        for row in rows if row["value"] or row["below_limit"].lower() == "true"
    )  # fmt: skip


def require_account(study: Study, account: Rows) -> None:
    """Every cell that was written is stored, blank, missing by a code or left out by its rule."""
    kinds = (STORED, BLANK, CODED, "left_out")
    found: dict[tuple[str, str], Counter[str]] = {}
    for row in account:
        numbers = {kind: int(row[kind]) for kind in kinds}
        assert int(row["cells"]) == sum(numbers.values()), row
        numbers[row["rule"]] = numbers.pop("left_out")
        found.setdefault((row["file"], row["field"]), Counter()).update(numbers)
    people = found.pop(("", ""))
    assert people[STORED] == len(study.members())
    for file, rows in study.rows().items():
        assert +found.pop((file, "")) == rows, file
    planted = study.account()
    assert set(found) == set(planted)
    for place, count in planted.items():
        said, nothing = +found[place], {one[1:]: n for one, n in count.items() if one.startswith("?")}
        sure = Counter({one: n for one, n in count.items() if not one.startswith("?")})
        assert said.total() == count.total() and said[STORED] == sure[STORED], place
        # A blank cell of a row that is left out may count with the rule.
        for kind in {*said, *sure}:
            most = sum(nothing.values()) if kind in (BLANK, CODED) else nothing.get(kind, 0)
            assert sure[kind] <= said[kind] <= sure[kind] + most, (place, kind)


def require_all(study: Study, tables: dict[str, Rows]) -> None:
    """Each table has what was planted, and nothing else."""
    truth = study.truth
    assert answers(tables["responses"], "value") == truth.answers
    assert answers(tables["responses"], "missing_reason") == truth.reasons
    assert values(tables["participants"], ["participant_id"], list(study.covariates)) == truth.covariates
    assert [one["participant_id"] for one in tables["participants"]] == study.members()
    exposures = list(study.sections.get("exposures", {}))
    assert values(tables["sessions"], ["participant_id", "session_id"], exposures) == truth.exposures
    assert assays(tables["assays"]) == truth.assays
    assert {
        one["sample_id"]: (one["participant_id"], one["session_id"], one.get("excluded", ""))
        for one in tables["samples"]
    } == truth.samples
    require_account(study, tables["account"])


@pytest.mark.long
@pytest.mark.parametrize("number", range(COUNT))
def test_a_study_comes_back_whole(number: int, tmp_path: Path) -> None:
    print("seed", SEED)
    study = random_study(np.random.default_rng([SEED, number]))
    require_all(study, tables_of(study, tmp_path))


@pytest.mark.long
@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("number", range(WRONG))
def test_a_mistake_is_refused_in_a_sentence_that_names_the_file(
    mistake: Callable[[Study], Found], number: int, tmp_path: Path
) -> None:
    """The study is otherwise right; nothing of it is written."""
    print("seed", SEED)
    files: Found = []
    while not files:
        number += WRONG
        study = random_study(np.random.default_rng([SEED, number, MISTAKES.index(mistake)]))
        files = mistake(study)
    with pytest.raises(InputError) as caught:
        tables_of(study, tmp_path)
    sentence = str(caught.value)
    assert any(file in sentence for file in files)
    assert sentence.endswith(".") and "\n" not in sentence
    assert not (tmp_path / "out").exists()
