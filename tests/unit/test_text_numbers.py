"""How numbers, p-values, units and measures are written."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import made_results as made
from made_results import one
from pniflow.report import blocks as parts
from pniflow.text import labels, numbers, wording
from pniflow.text.estimates import question

SESSIONS = {"ses-pre": "before", "ses-post": "after"}


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0, "<\u00a0.001"),
        (0.00099, "<\u00a0.001"),
        (0.001, ".001"),
        (0.049, ".049"),
        (0.0496, ".0496"),
        (0.04996, ".04996"),
        (0.05, ".050"),
        (0.0504, ".050"),
        (0.5, ".500"),
        (0.9991, ">\u00a0.999"),
        (1.0, ">\u00a0.999"),
        (np.nan, "–"),
        (None, "–"),
    ],
)
def test_a_p_value_is_never_zero_and_never_rounded_across_the_level(p, text):
    assert numbers.p_value(p) == text


def test_every_p_keeps_its_side_of_the_level():
    for p in np.concatenate([np.linspace(0.0485, 0.0515, 601), np.random.default_rng(3).uniform(0, 1, 2000)]):
        text = numbers.p_value(float(p)).replace("\u00a0", "")
        shown = float(text.lstrip("<>"))
        if text[0] not in "<>":
            assert (shown < 0.05) == (p < 0.05)
            assert abs(shown - p) <= 0.5 * 10.0 ** -(len(text) - 1) + 1e-15


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (-1.25, 1, "−1.2"),
        (-0.004, 2, "0.00"),
        (-0.0, 2, "0.00"),
        (3, 0, "3"),
        (np.nan, 2, "–"),
        (math.inf, 2, "–"),
        (pd.NA, 2, "–"),
        (None, 1, "–"),
    ],
)
def test_minus_is_a_minus_sign_and_there_is_no_minus_zero(value, decimals, text):
    assert numbers.number(value, decimals) == text


@pytest.mark.parametrize(
    ("error", "values", "decimals"),
    [
        (1.2, (), 1),
        (0.12, (), 2),
        (0.0123, (), 3),
        (12.0, (), 0),
        (123.0, (), 0),
        (0.5, (0.0004,), 4),
        (np.nan, (), 3),
    ],
)
def test_decimals_show_two_digits_of_the_standard_error(error, values, decimals):
    assert numbers.decimals_for(error, *values) == decimals


def test_an_estimate_has_no_more_digits_than_its_error_allows():
    row = one(estimate=-0.00003, error=0.0202, conf_low=-0.03979, conf_high=0.03973)
    assert parts.estimate(row).text == "0.000"
    assert parts.plain(parts.interval(row, " to ")) == "−0.040 to 0.040"


def test_an_interval_that_excludes_zero_does_not_show_zero():
    row = one(estimate=0.101, error=0.05, conf_low=0.0003, conf_high=0.2)
    assert parts.plain(parts.interval(row, " to ")) == "0.0003 to 0.2000"


@pytest.mark.parametrize(
    ("term", "sessions", "kind", "of"),
    [
        ("session", 2, "change", ""),
        ("session", 3, "joint", "session"),
        ("session[ses-fu]", 3, "change", "ses-fu"),
        ("pss10_within", 2, "within", "pss10"),
        ("mhc_sf_eudaimonic_between", 2, "between", "mhc_sf_eudaimonic"),
        ("between_minus_within", 2, "difference", ""),
        ("pss10", 2, "pooled", "pss10"),
        ("(intercept)", 2, "level", ""),
    ],
)
def test_terms_are_taken_apart(term, sessions, kind, of):
    assert wording.term_of(term, sessions) == wording.TestedTerm(kind, of)


def test_a_familys_question_stands_only_where_it_is_what_was_tested():
    assert question("insula_asymmetry", [one(term="ctra_within")]).startswith("Did the left-right difference")
    assert question("insula_asymmetry", [one(term="(intercept)")]) == "Insula asymmetry"
    assert question("pro_change", [one(term="session")]).startswith("Did the questionnaires")
    assert question("my_family", [one()]) == "My family"


def test_region_names_become_words():
    assert (
        labels.label("aparc_a2009s.anterior_insula.left.thickness").long
        == "Thickness of the left anterior insula"
    )
    volume = labels.label("neuromorphometrics.hippocampus.right.gm_volume")
    assert volume.long == "Grey matter volume of the right hippocampus"
    assert volume.unit == "ml"
    asymmetry = labels.label("aparc_a2009s.anterior_insula.left_minus_right.thickness")
    assert asymmetry.long == "Left minus right thickness of the anterior insula"


def test_remarks_name_sessions_and_measures_by_their_labels():
    said = wording.remark(
        "without b_cell_depletion, tiv_person_mean; changed since ses-pre in sub-01", SESSIONS
    )
    assert said == "without B-cell depletion, tiv_person_mean; changed since “before” in sub-01"
    insula = made.INSULA.format("anterior", "left")
    assert (
        wording.remark(f"{insula} is left out.", SESSIONS)
        == "thickness of the left anterior insula is left out."
    )
    assert wording.remark("scan avg_sub-02_ses-pre_T1w, d = 0.51 at ses-x", SESSIONS) == (
        "scan avg_sub-02_ses-pre_T1w, d = 0.51 at ses-x"
    )
    assert (
        wording.remark("by -5.36 %; robust z -5, weights 1-2", SESSIONS)
        == "by −5.36 %; robust z −5, weights 1-2"
    )
    assert wording.remark(None, SESSIONS) == ""


def test_an_unknown_measure_keeps_its_name():
    assert labels.label("θ_émotion").long == "θ émotion"


def test_what_is_better_comes_from_the_instrument():
    better = {
        name: labels.label(name).better for name in ("pss10", "mhc_sf", "maia2_trusting", "mfis_physical")
    }
    assert better == {
        "pss10": "lower",
        "mhc_sf": "higher",
        "maia2_trusting": "higher",
        "mfis_physical": "lower",
    }
    assert labels.label("log_hair_cortisol").better == ""


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        ("kg/m2", "kg/m²"),
        ("mm3", "mm³"),
        ("mg per m2 and day", "mg per m² and day"),
        ("log2 counts", "log2 counts"),
        ("ctra_m2_score", "ctra_m2_score"),
        ("cm20", "cm20"),
        ("", ""),
    ],
)
def test_powers_of_a_length_are_raised(unit, shown):
    assert numbers.unit_shown(unit) == shown
