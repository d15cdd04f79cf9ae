"""Contracts: a table is what it says it is, or the sentence says in which row and column it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pniflow import contracts
from pniflow.errors import InputError
from pniflow.resources import shipped

CONTRACTS = sorted(path.name.removesuffix(".table.yaml") for path in shipped("schemas").glob("*.table.yaml"))
MEASURE = {
    "participant_id": "A",
    "session_id": "ses-pre",
    "measure": "pss10",
    "value": "1",
    "unit": "",
    "domain": "x",
}


def measures(**changed: list[Any]) -> pd.DataFrame:
    """Two rows as read from text, with columns changed."""
    rows = pd.DataFrame([MEASURE, {**MEASURE, "measure": "gad7"}]).assign(unit=None)
    return rows.assign(**changed)


def sentence(frame: pd.DataFrame, name: str = "measures") -> str:
    with pytest.raises(InputError) as caught:
        contracts.checked(frame, name, "t.tsv")
    said = str(caught.value)
    assert said.startswith("t.tsv: ") and said.endswith(".") and "\n" not in said
    return said.removeprefix("t.tsv: ")


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_contract_is_well_formed(name: str) -> None:
    rules = yaml.safe_load((shipped("schemas") / f"{name}.table.yaml").read_text())
    assert rules["title"] == name
    assert rules["description"].strip()
    names = [field["name"] for field in rules["fields"]]
    assert len(set(names)) == len(names)
    assert set(rules.get("primaryKey", [])) <= set(names)
    assert rules.get("fieldsMatch", "equal") in ("equal", "superset")
    for field in rules["fields"]:
        assert field["description"].strip(), field["name"]
        assert field["type"] in ("string", "number", "integer", "boolean"), field["name"]
        assert set(field.get("constraints", {})) <= {"required", "enum", "minimum", "maximum", "pattern"}


def test_text_is_cast_to_the_types_of_the_contract() -> None:
    frame = pd.DataFrame(
        {
            "participant_id": ["001", "002"],
            "session_id": ["ses-pre", "ses-pre"],
            "scale": ["pss10", "pss10"],
            "score": ["12.5", None],
            "items_answered": ["10", "0"],
            "items_total": ["10", "10"],
            "prorated": ["true", "False"],
        }
    )
    cast = contracts.checked(frame, "scales", "t.tsv")
    assert [str(kind) for kind in cast.dtypes] == [
        "str",
        "str",
        "str",
        "float64",
        "Int64",
        "Int64",
        "boolean",
    ]
    assert cast["participant_id"].tolist() == ["001", "002"]
    assert cast["score"].iloc[0] == 12.5 and np.isnan(cast["score"].iloc[1])
    assert cast["prorated"].tolist() == [True, False]


def test_columns_come_in_the_order_of_the_contract_and_covariates_behind() -> None:
    frame = pd.DataFrame({"bmi": ["20"], "participant_id": ["A"], "age": ["40"]})
    assert list(contracts.checked(frame, "participants", "t.tsv").columns) == ["participant_id", "bmi", "age"]


def test_an_empty_table_keeps_its_types() -> None:
    cast = contracts.checked(measures().iloc[:0], "measures", "t.tsv")
    assert [str(kind) for kind in cast.dtypes] == ["str", "str", "str", "float64", "str", "str"]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"value": ["1", "many"]}, "row 3, column 'value' is 'many'; a number was expected."),
        ({"value": ["NaN", "1"]}, "row 2, column 'value' is 'NaN'; a number was expected."),
        (
            {"value": ["inf", "-inf"]},
            "row 2, column 'value' is 'inf'; a number was expected (and 1 more rows).",
        ),
        ({"value": [1.0, np.inf]}, "row 3, column 'value' is 'inf'; a number was expected."),
        ({"value": ["1,5", "1"]}, "row 2, column 'value' is '1,5'; a number was expected."),
        ({"participant_id": ["A", None]}, "row 3, column 'participant_id' is blank; a value is required."),
        (
            {"session_id": ["ses-pre", "pre"]},
            "row 3, column 'session_id' is 'pre'; text like ses-[A-Za-z0-9]+",
        ),
        (
            {"measure": ["pss10", "pss10"]},
            "row 3 repeats participant_id A, session_id ses-pre, measure pss10;",
        ),
        ({"colour": ["red", "blue"]}, "column 'colour' is not known; a table of measures has the columns"),
    ],
)
def test_a_wrong_cell_is_named_by_row_and_column(changed: dict[str, list[Any]], says: str) -> None:
    assert sentence(measures(**changed)).startswith(says)


def test_a_missing_column_is_named() -> None:
    assert sentence(measures().drop(columns="value")).startswith(
        "column 'value' is missing; a table of measures has"
    )


def test_constraints_hold_for_typed_columns_too() -> None:
    counts = pd.DataFrame(
        {"step": ["enrolled"], "branch": ["all"], "session_id": [None], "n": [-1], "note": ["x"]}
    )
    assert sentence(counts, "flow") == "row 2, column 'n' is '-1'; at least 0 was expected."
    assert "one of enrolled, course completed" in sentence(counts.assign(n=1, step="lost"), "flow")
    halves = counts.assign(n=1.5)
    assert sentence(halves, "flow") == "row 2, column 'n' is '1.5'; a whole number was expected."


def test_booleans_are_words_or_digits_and_nothing_else() -> None:
    frame = pd.DataFrame(
        {"participant_id": "A", "session_id": "ses-pre", "assay": "x", "value": "1", "unit": "u",
         "detection_limit": None, "below_limit": ["true", "False", "1", "0", "yes"]}
    )  # fmt: skip
    assert sentence(frame, "assays").startswith(
        "row 6, column 'below_limit' is 'yes'; true or false was expected"
    )
    cast = contracts.checked(frame.iloc[:4], "assays", "t.tsv")
    assert cast["below_limit"].tolist() == [True, False, True, False]


def test_a_long_cell_or_many_wrong_rows_stay_one_sentence() -> None:
    rows = pd.DataFrame([{**MEASURE, "measure": str(n), "value": "x"} for n in range(1000)]).assign(unit=None)
    assert sentence(rows) == "row 2, column 'value' is 'x'; a number was expected (and 999 more rows)."


@given(
    st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=30)
)
def test_no_number_is_lost_or_invented(numbers: list[float | None]) -> None:
    frame = pd.DataFrame([{**MEASURE, "measure": str(n)} for n in range(len(numbers))]).assign(unit=None)
    text = frame.assign(value=[None if number is None else repr(number) for number in numbers])
    for given_ in (text, frame.assign(value=pd.Series(numbers, dtype="float64"))):
        cast = contracts.checked(given_, "measures", "t.tsv")["value"]
        assert [None if np.isnan(number) else number for number in cast] == numbers
