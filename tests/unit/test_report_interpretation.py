"""How verdicts are written: no cause, no change, nothing missing."""

from __future__ import annotations

import functools
import itertools
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

import made_results as made
from made_results import one, one_variant
from models_data import one_model
from pniflow.models.specification import read_models
from pniflow.report import blocks as parts
from pniflow.report import interpretation
from pniflow.report.interpretation import Context
from pniflow.report.run_results import Results
from pniflow.report.sections import answers
from pniflow.report.sections.limits import limits
from pniflow.report.sections.methods import methods
from pniflow.text.estimates import estimates_of

SESSIONS = {"ses-pre": "before", "ses-post": "after"}


CONTEXT = Context(
    SESSIONS, {"pss10": "points", "ctra": "mean z", made.INSULA.format("anterior", "left"): "mm"}
)


BOUND = {"bound": 0.29889, "bound_sd": 0.5, "bound_session": "ses-pre"}


@functools.cache
def all_verdicts() -> list[str]:
    """Every branch of the sentences: kind of term, shown or not, up or down, with and without CTRA."""
    terms = [
        "session",
        "session[ses-post]",
        "pss10_within",
        "ctra_between",
        "age",
        "between_minus_within",
        "(intercept)",
    ]
    outcomes = ["pss10", "ctra", "inflammatory", made.INSULA.format("anterior", "left"), "log_hair_cortisol"]
    sentences = []
    for term, outcome, sign, p in itertools.product(terms, outcomes, (-1, 1), (0.001, 0.4, np.nan)):
        row = one(outcome=outcome, term=term, estimate=sign * 2.0, p_value=p, p_adjusted=p)
        sentences.append(parts.plain(interpretation.answer(row, CONTEXT)[1]))
    three = Context({**SESSIONS, "ses-fu": "week 20"}, {})
    for p, outcome in itertools.product((0.001, 0.4, np.nan), ("pss10", "ctra", "inflammatory")):
        for term, several in (("session", 2), ("site", 2), ("session", None), ("session[ses-fu]", None)):
            row = one(term=term, outcome=outcome, p_value=p, p_adjusted=np.nan, df_numerator=several)
            sentences.append(parts.plain(interpretation.answer(row, three)[1]))
    for p in (0.01, 0.4):
        row = one(p_value=0.5, p_adjusted=0.5)
        bound = one_variant("equivalence", row, p_value=p, **BOUND)
        test = Context(SESSIONS, {}, equivalence={row.key: bound})
        sentences.append(parts.plain(interpretation.answer(row, test)[1]))
    return sentences


FORBIDDEN = (
    r"no change|no difference|no effect|no association|unchanged|equal\b|cause|because|due to|effective"
    r"|efficac|led to|leads to|result(s|ed) in|improve|reduce|increase|decrease|impact|influence|prove"
    r"|confirm|significant|trend"
    r"|marginal|failed to|worked|benefit|works"
)


def test_no_verdict_claims_a_cause_or_no_change():
    sentences = all_verdicts()
    assert len(sentences) > 180
    for sentence in sentences:
        assert not re.search(FORBIDDEN, sentence, re.I), sentence


def test_no_verdict_shows_a_missing_number():
    for sentence in all_verdicts():
        assert not re.search(r"\bnan\b|None|NaT|<NA>|inf\b", sentence), sentence


def test_every_verdict_that_is_not_shown_says_so_and_gives_the_interval():
    for sentence in all_verdicts():
        if "could not be estimated" in sentence or "F(2," in sentence:
            continue
        assert "95\u00a0% CI" in sentence
        assert "n\u00a0=\u00a0" in sentence


def test_the_sign_stands_beside_every_ctra_number():
    for sentence in all_verdicts():
        if re.search("CTRA", sentence) and "could not be" not in sentence:
            assert "higher CTRA = more adverse" in sentence, sentence
        if re.match("Inflammatory", sentence) and "could not be" not in sentence:
            assert "higher = more expression" in sentence, sentence


def test_a_clear_change_in_words():
    row = one(p_value=0.0004, p_adjusted=0.0008, effect_size=-0.953)
    verdict, text = interpretation.answer(row, CONTEXT)
    assert verdict == interpretation.SHOWN
    assert parts.plain(text).replace("\u00a0", " ") == (
        "Perceived stress (PSS-10) was lower after than before (lower is better): mean difference −2.00"
        " points"
        " (95 % CI −3.04 to −0.96), p < .001, adjusted p < .001, Hedges g_av = −0.95, n = 21."
    )


def test_an_f_test_has_both_degrees_of_freedom_and_names_the_sessions():
    whole = one(term="session", estimate=np.nan, error=np.nan, statistic=40.531, df=43.12, df_numerator=2)
    each = [
        one(term="session[ses-post]", family=None, estimate=-2.0, conf_low=-3.04, conf_high=-0.96),
        one(term="session[ses-fu]", family=None, estimate=1.5, conf_low=0.46, conf_high=2.54),
    ]
    three = Context({**SESSIONS, "ses-fu": "week 20"}, {}, coefficients={whole.key: each})
    text = parts.plain(interpretation.answer(whole, three)[1]).replace("\u00a0", " ")
    assert text == (
        "Perceived stress (PSS-10) differed between the sessions (lower is better): F(2, 43.1) = 40.53,"
        " p = .010, adjusted p = .020, n = 21; after minus before: −2.00 points (95 % CI −3.04 to −0.96);"
        " week 20 minus before: 1.50 points (95 % CI 0.46 to 2.54)."
    )


def test_a_measure_of_two_of_three_sessions_is_compared_between_its_own():
    sessions = {"ses-pre": "before", "ses-post": "after", "ses-fu": "week 20"}
    own = Context(sessions, {}, measured={"pss10": ["ses-pre", "ses-post"], "gad7": ["ses-post", "ses-fu"]})
    assert "was lower after than before" in parts.plain(interpretation.answer(one(), own)[1])
    later = parts.plain(interpretation.answer(one(outcome="gad7"), own)[1])
    assert "was lower at the session “week 20” than after" in later


def test_equivalence_names_its_bound():
    found = [sentence for sentence in all_verdicts() if "equivalence" in sentence]
    said = "; equivalence within the declared bound of 0.2989 = 0.5 SD at “before” {} shown (p = {})."
    ends = [sentence.replace("\u00a0", " ").partition("n = 21")[2] for sentence in found]
    assert ends == [said.format("was", ".010"), said.format("was not", ".400")]


def test_the_adjusted_p_decides():
    row = one(p_value=0.04, p_adjusted=0.08)
    verdict, text = interpretation.answer(row, CONTEXT)
    assert verdict == interpretation.UNCLEAR
    assert "was not shown to differ between before and after" in parts.plain(text)
    assert interpretation.verdict(one(p_value=0.04, p_adjusted=np.nan), 0.05) == interpretation.SHOWN
    assert interpretation.verdict(one(p_value=0.05, p_adjusted=0.05), 0.05) == interpretation.UNCLEAR


def test_slopes_in_words():
    within = interpretation.answer(
        one(outcome="ctra", term="pss10_within", estimate=-0.03, error=0.01), CONTEXT
    )[1]
    assert parts.plain(within).startswith(
        "Within persons, the CTRA score was lower in sessions with higher perceived stress (PSS-10)"
        " (higher CTRA = more adverse): slope −0.030 mean z per point"
    )
    insula = made.INSULA.format("anterior", "left")
    between = interpretation.answer(
        one(outcome=insula, term="ctra_between", estimate=0.1, error=0.01), CONTEXT
    )[1]
    assert parts.plain(between).startswith(
        "Between persons, thickness of the left anterior insula was higher in those whose mean CTRA score"
        " was higher (higher CTRA = more adverse): slope 0.100 mm per mean z"
    )


def test_what_could_not_be_estimated_says_why():
    row = one(
        p_value=np.nan, p_adjusted=np.nan, estimate=np.nan, error=np.nan, note="not estimable: too few pairs"
    )
    verdict, text = interpretation.answer(row, CONTEXT)
    assert verdict == interpretation.NONE
    assert "could not be estimated (not estimable: too few pairs)" in parts.plain(text)


def test_families_stand_primary_first_in_the_plans_order():
    grouped = interpretation.families(estimates_of(made.estimates()))
    assert next(iter(grouped)) == "pro_change"
    roles = [rows[0].role for rows in grouped.values()]
    assert roles == sorted(roles, key=["primary", "secondary", "exploratory"].index)
    assert interpretation.tally(grouped["pro_change"], 0.05) == (4, 6)


@pytest.mark.parametrize(
    ("counts", "says"),
    [((10, 10), "on 10 persons:"), ((1,), "on 1 person:"), ((9, 12), "on 9 to 12 persons:")],
)
def test_limits_name_equal_counts_once(counts, says):
    rows = [one(n_participants=count) for count in counts]
    results = Results({"design": "parallel", "simulated": False}, rows, Context({}, {}))
    told = [parts.plain(text) for block in limits(results) for _, text in block.items]
    assert any(text.startswith(f"Models rest {says}") for text in told)


def test_what_lacks_the_same_data_is_counted_in_one_line(tmp_path):
    def row(model, outcome, note, data=None, measure=None):
        return {
            "table": "models_left_out",
            "model": model,
            "outcome": outcome,
            "quantity": None,
            "lacking_data": data,
            "lacking_measure": measure,
            "note": note,
        }

    lost = [
        row("volume", f"gm_{n}", f"the study has no imaging data ('gm_{n}')", "imaging") for n in range(4)
    ]
    lost += [
        row("thickness", "mean_thickness", "the study has no imaging data ('mean_thickness')", "imaging")
    ]
    lost += [row("head", None, "the study has no hippocampal subfields data", "hippocampal subfields")]
    lost += [row("change", "pss10", "the study has no questionnaire data ('pss10')", "questionnaire")]
    names = ("pss10", "gad7", "mfis", "phq9")
    lost += [
        row(f"ctra_on_{name}", "ctra", f"the study has no assay data ('{name}')", "assay") for name in names
    ]
    lost += [
        row("expression", name, f"the study has no measure '{name}'", measure=name) for name in ("a", "b")
    ]
    model = {"name": "ctra_on_{predictor}", "for_each": {"predictor": list(names)}, "random": []}
    path = tmp_path / "models.yaml"
    path.write_text(yaml.safe_dump(one_model(["ctra"], ["predictor"], **model)))
    plan = read_models(path)
    study = {"design": "parallel", "intervention": "none", "sessions": {"ses-pre": {}}}
    results = Results(study, [], Context({}, {}), tables={"diagnostics": pd.DataFrame(lost)}, plan=plan)
    blocks = methods(results)
    assert [parts.plain(text) for _, text in blocks[-1].items] == [
        "5 analyses, by model volume (4) and thickness (1): the study has no imaging data.",
        "head: the study has no hippocampal subfields data.",
        "change (Perceived stress (PSS-10)): the study has no questionnaire data.",
        "4 analyses, by model ctra_on_{predictor} (4): the study has no assay data.",
        "expression (a) and expression (b): the study has no such measure.",
    ]


def test_a_family_that_is_not_adjusted_names_no_adjusted_p():
    rows = [one(outcome=name, p_value=p, p_adjusted=p) for name, p in (("pss10", 0.17), ("gad7", 0.41))]
    said = {}
    for adjusted in (0.17, 0.34):
        rows[0] = replace(rows[0], p_adjusted=adjusted)
        *_, listing = answers._family_blocks("f", rows, CONTEXT)
        said[adjusted] = "".join(parts.plain(text) for _, text in listing.items)
    assert "adjusted" not in said[0.17]
    assert "p\u00a0=\u00a0.170, adjusted p\u00a0=\u00a0.340" in said[0.34]
