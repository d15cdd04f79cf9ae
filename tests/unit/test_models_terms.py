"""A term knows itself: its keys, its columns, its result rows, its words; a new kind is a class and a key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import yaml

import made_results as made
from models_data import fitted, one_model, row, study
from pniflow import config
from pniflow.demo import truth
from pniflow.demo.scenario import Design
from pniflow.errors import InputError
from pniflow.models import terms
from pniflow.models.specification import read_models
from pniflow.models.terms import Interaction, MainEffect, Part, Polynomial, Split, read_term
from pniflow.report.blocks import plain
from pniflow.report.sections.statistics import models_by_family
from pniflow.report.trace import formula
from pniflow.text import wording


def plan_of(path, fixed, **defaults):
    """Write and read a plan with one model of these terms."""
    document = one_model(["pss10"], fixed, test={"a_family": ["session"]})
    document["defaults"] |= defaults
    path.write_text(yaml.safe_dump(document))
    return read_models(path)


@pytest.mark.parametrize(
    ("entry", "term", "said"),
    [
        ("age", MainEffect("age"), "age"),
        (
            {"variable": "bmi", "centre": 26.5, "scale": 4.5},
            MainEffect("bmi", centre=26.5, scale=4.5),
            "bmi (centred at 26.5, in units of 4.5)",
        ),
        (
            {"variable": "bmi", "centre": "none", "scale": "sd"},
            MainEffect("bmi", centre="none", scale="sd"),
            "bmi (not centred, in SDs of the participants)",
        ),
        ({"variable": "site", "reference": "b"}, MainEffect("site", reference="b"), "site (against b)"),
        ({"split": "pss10"}, Split("pss10"), "pss10 split into within and between persons"),
        ({"polynomial": "time", "degree": 3}, Polynomial("time", 3), "time (polynomial of degree 3)"),
        ({"interaction": ["session", "age"]}, Interaction(("session", "age")), "session by age"),
    ],
)
def test_an_entry_is_a_term_and_the_term_says_all_that_the_entry_says(entry, term, said):
    assert read_term(entry, "models.yaml") == term
    assert term.written() == said


def test_methods_and_trace_say_centre_scale_reference_and_degree(tmp_path):
    fixed = [
        "session",
        {"variable": "bmi", "centre": 26.5, "scale": 4.5},
        {"variable": "site", "reference": "b"},
        {"polynomial": "age", "degree": 2},
    ]
    plan = plan_of(tmp_path / "models.yaml", fixed)
    said = (
        "intercept, session, bmi (centred at 26.5, in units of 4.5), site (against b),"
        " age (polynomial of degree 2)"
    )
    facts = dict(formula(plan.models[0], plan))
    assert facts["fixed"] == said
    assert facts["coding"] == (
        "session against ses-pre; numeric variables minus their mean over participants; categorical variables"
        " against the first of their levels by name"
    )
    (table,) = models_by_family([made.one(model="a_model", family="a_family")], plan)
    assert plain(table.rows[0].cells[2]) == f"{said}; random: intercept per participant"
    assert facts["coding"] in plain(table.caption)


def test_numbers_that_the_plan_leaves_as_they_are_are_said_to_be_so(tmp_path):
    plan = plan_of(tmp_path / "models.yaml", ["session", "age"], covariates={"numeric": "as_is"})
    assert "numeric variables as they are" in dict(formula(plan.models[0], plan))["coding"]


@pytest.mark.parametrize("further", [{"scale": "sd"}, {"polynomial": "age", "degree": 2}, {"degree": 2}])
def test_a_key_of_another_kind_of_term_is_refused(further):
    with pytest.raises(InputError, match="one of split, variable, interaction, polynomial was expected"):
        read_term({"split": "pss10", **further}, "models.yaml: model 'm'")


@dataclass(frozen=True)
class Logarithm(terms._OfVariable):
    """The logarithm of a variable, by its base."""

    key: ClassVar[str] = "logarithm"
    base: float = 2.0

    @property
    def name(self):
        return f"log_of_{self.variable}"

    @property
    def rows(self):
        return (self.name,)

    def parts(self, sample, made):
        values = np.log(sample.numbers(self.variable)) / np.log(self.base)
        return [Part(self.name, "numeric", {self.name: values})]

    def written(self):
        return f"logarithm of {self.variable} to the base {self.base:g}"


def test_a_new_kind_of_term_is_a_class_and_its_keys_in_the_schema(tmp_path, monkeypatch):
    """Plan, fit, sensitivity, words and the simulator's truth take it as they take any other."""
    keys = config.schema("models")["$defs"]["term"]["properties"]
    monkeypatch.setitem(terms.KINDS, "logarithm", Logarithm)
    monkeypatch.setitem(keys, "logarithm", keys["polynomial"])
    monkeypatch.setitem(keys, "base", {"type": "number", "exclusiveMinimum": 1})
    document = one_model(
        ["pss10"],
        ["session", {"logarithm": "bmi", "base": 10}, {"interaction": ["session", "log_of_bmi"]}],
        test={"a_family": ["session", "log_of_bmi"]},
        sensitivity=["unadjusted", "leave_one_out"],
    )
    measures, participants = study()
    tables = fitted(tmp_path, measures, participants, document)
    by_hand = participants.assign(log_of_bmi=np.log10(participants["bmi"]))
    plain_terms = ["session", {"variable": "log_of_bmi", "centre": "none"}, document["models"][0]["fixed"][2]]
    as_covariate = one_model(["pss10"], plain_terms, test={"a_family": ["session", "log_of_bmi"]})
    expected = fitted(tmp_path / "by_hand", measures, by_hand, as_covariate)["estimates"]
    pd.testing.assert_frame_equal(tables["estimates"], expected)
    assert row(expected, term="log_of_bmi")["p_adjusted"] > 0
    assert "log_of_bmi" in set(tables["sensitivity"]["term"])

    plan = read_models(tmp_path / "models.yaml")
    assert dict(formula(plan.models[0], plan))["fixed"] == (
        "intercept, session, logarithm of bmi to the base 10, session by log_of_bmi"
    )
    assert wording.predictor("log_of_bmi", {"ses-pre": "before", "ses-post": "after"}) == "log of bmi"
    people = truth.population_of(replace(Design(), missingness=0.0), 400, 3)
    found, _ = truth.true_estimates(people, tmp_path / "models.yaml")
    assert [one["term"] for one in found] == ["(intercept)", "session", "log_of_bmi", "session:log_of_bmi"]
