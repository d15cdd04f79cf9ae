"""Sensitivity words that change rows, terms or scores and refit: each is a function from model to variant."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pniflow.imaging.ranges import implausible_measures
from pniflow.models.analysis import ModelFit, fit_groups, joined
from pniflow.models.results import Row, all_rows
from pniflow.models.specification import Model, Plan
from pniflow.models.study_data import PERSON_MEAN, SESSION, TIME, Cohort, Variable, read_cohort
from pniflow.models.terms import TIV, MainEffect, Split

if TYPE_CHECKING:
    import pandas as pd


CHOICES = " + "  # joins the choices of a variant


class NotPossible(Exception):
    """The data lack what a sensitivity analysis needs; the message is the reason."""


@dataclass(frozen=True)
class Sources:
    """Tables beside the measures that some words need; None where they were not given.

    Attributes
    ----------
    measures, participants : DataFrame
        What the cohort was read from.
    excluded : DataFrame or None
        Numbers that quality control left out (contract excluded_measures).
    scales : DataFrame or None
        Questionnaire scores with `prorated` (contract scales).
    samples : DataFrame or None
        Blood samples with `batch` (contract samples).
    assays : DataFrame or None
        Laboratory measures with `below_limit` (contract assay_scores).
    """

    measures: pd.DataFrame
    participants: pd.DataFrame
    excluded: pd.DataFrame | None = None
    scales: pd.DataFrame | None = None
    samples: pd.DataFrame | None = None
    assays: pd.DataFrame | None = None


@dataclass(frozen=True)
class Variant:
    """A model as a sensitivity analysis has it."""

    model: Model
    cohort: Cohort
    keep: NDArray[np.bool_] | None = None
    completers: bool = False
    note: str = ""


def refit(word: str, model: Model, cohort: Cohort, plan: Plan, sources: Sources) -> list[Row]:
    """Refit a model as a word says; return its tested rows with the word as variant.

    Raises
    ------
    NotPossible
        The data lack what the word needs.
    """
    return variant_rows(WORDS[word](model, cohort, sources), word, plan, [word])


def variant_rows(variant: Variant, name: str, plan: Plan, choices: Sequence[str]) -> list[Row]:
    """Fit a variant and return its tested rows, marked with its name and its choices."""
    fits, unfitted = fits_of(variant, plan)
    tested = {*variant.model.test, *variant.model.contrasts}
    rows = all_rows(variant.model, variant.cohort, plan, fits, unfitted)
    return [
        {
            **row,
            "variant": name,
            "choices": CHOICES.join(choices) or None,
            "note": joined(variant.note, row["note"]) or None,
        }
        for row in rows
        if row["term"] in tested
    ]


def subgroup_rows(model: Model, cohort: Cohort, plan: Plan) -> tuple[list[Row], list[tuple[str, str]]]:
    """Fit a model within each level of its declared subgroups: n, df and interval, no p-value and no verdict.

    Returns
    -------
    rows : list of mapping
    not_possible : list of (subgroup, reason)
    """
    rows: list[Row] = []
    lacking = []
    for name in model.subgroups:
        levels = cohort.variable(name).levels or ()
        for code, level in enumerate(levels):
            keep = cohort.variable(name).values == code
            label = f"subgroup {name}={level}"
            try:
                left = Variant(_without_terms(model, [name]), cohort, keep)
                found = variant_rows(left, label, plan, [label])
            except NotPossible as reason:
                lacking.append((label, str(reason)))
                continue
            if not found:
                lacking.append((label, "no tested term is left within it"))
            rows += [{**row, "statistic": np.nan, "p_value": np.nan} for row in found]
    return rows, lacking


_SAMPLES = ("completers", "without_b_cell_depleted", "without_interferon_treated", "without_recent_steroid")


def specification_rows(model: Model, cohort: Cohort, plan: Plan, sources: Sources) -> list[Row]:
    """Fit every combination of the declared choices of score, sample and terms: the specification curve."""
    declared = [word for word in model.sensitivity if word in WORDS]
    scores = [word for word in declared if word.startswith("ctra_")]
    samples = [word for word in declared if word in _SAMPLES]
    terms = [word for word in declared if word not in (*scores, *samples)]
    rows = []
    for chosen in itertools.product(*([None, *words] for words in (scores, samples, terms))):
        words = [word for word in chosen if word]
        label = "specification_curve: " + (CHOICES.join(words) or "as prespecified")
        with contextlib.suppress(NotPossible):
            rows += variant_rows(_composed(words, model, cohort, sources), label, plan, words)
    return rows


def _composed(words: Sequence[str], model: Model, cohort: Cohort, sources: Sources) -> Variant:
    whole = Variant(model, cohort)
    for word in words:
        step = WORDS[word](whole.model, whole.cohort, sources)
        masks = [mask for mask in (whole.keep, step.keep) if mask is not None]
        whole = replace(
            step,
            keep=np.logical_and.reduce(masks) if masks else None,
            completers=whole.completers or step.completers,
            note=joined(whole.note, step.note),
        )
    return whole


def fits_of(variant: Variant, plan: Plan) -> tuple[list[ModelFit], dict[str, tuple[str, int, int]]]:
    """Fit a variant; one of which no outcome can be fitted is not possible."""
    fits, unfitted = fit_groups(variant.model, variant.cohort, plan, variant.keep, variant.completers)
    if unfitted and not fits:
        raise NotPossible(joined(*(reason for reason, _, _ in unfitted.values())))
    return fits, unfitted


def _completers(model: Model, cohort: Cohort, sources: Sources) -> Variant:
    return Variant(model, cohort, completers=True, note="participants with a complete row at every session")


def _unadjusted(model: Model, cohort: Cohort, sources: Sources) -> Variant:
    wanted = {SESSION, TIME, *model.test}
    wanted |= {part for term in model.terms if term.name in model.test for part in term.factors}
    dropped = [
        term.name
        for term in model.terms
        if not wanted & set(term.rows) and not (term.halves and model.contrasts)
    ]
    if not dropped:
        raise NotPossible("the model has no covariates")
    return Variant(_without_terms(model, dropped), cohort, note=f"without {', '.join(dropped)}")


def _without_terms(model: Model, names: Sequence[str]) -> Model:
    """Return the model without some terms, the interactions they enter and the tests of them."""
    gone = {row for term in model.terms if term.name in names for row in (term.name, *term.rows)}
    kept = tuple(term for term in model.terms if term.name not in names and not set(term.factors) & gone)
    rows = {row for term in kept for row in term.rows}
    return replace(
        model,
        terms=kept,
        test={row: family for row, family in model.test.items() if row in rows or row == "(intercept)"},
        contrasts=model.contrasts if any(term.halves for term in kept) else {},
    )


def _without_tiv(model: Model, cohort: Cohort, sources: Sources) -> Variant:
    dropped = [term.name for term in model.terms if term.name.removesuffix(PERSON_MEAN) == TIV]
    if not dropped:
        raise NotPossible("the model has no TIV term")
    return Variant(_without_terms(model, dropped), cohort)


def _with_term(*names: str, split: bool = False) -> Callable[[Model, Cohort, Sources], Variant]:
    """Return the word that adds the first of some variables that the study has."""

    def variant(model: Model, cohort: Cohort, sources: Sources) -> Variant:
        name = next((name for name in names if cohort.has(name) and _given(cohort, name)), None)
        if name is None:
            raise NotPossible(f"the study has no {' or '.join(names)}")
        if name in model.variables or model.outcomes == (name,):
            raise NotPossible(f"'{name}' is in the model already")
        term = Split(name) if split else MainEffect(name)
        outcomes = tuple(outcome for outcome in model.outcomes if outcome != name)
        return Variant(
            replace(model, terms=(*model.terms, term), outcomes=outcomes), cohort, note=f"with {name}"
        )

    return variant


def _given(cohort: Cohort, name: str) -> bool:
    return bool((~np.isnan(cohort.variable(name).values)).any())


def _leukocyte_markers(model: Model, cohort: Cohort, sources: Sources) -> Variant:
    names = sorted(
        name for name in cohort.measures if name.startswith("log2_") and name not in model.outcomes
    )
    if not names:
        raise NotPossible("the study has no leukocyte marker genes (log2_*)")
    terms = tuple(MainEffect(name) for name in names)
    with_markers = replace(model, terms=(*model.terms, *terms), outcomes=_of_blood(model, cohort))
    return Variant(with_markers, cohort, note=f"with {', '.join(names)}")


def _of_blood(model: Model, cohort: Cohort) -> tuple[str, ...]:
    return tuple(name for name in model.outcomes if cohort.domains.get(name) == "expression")


def _without_people(*names: str) -> Callable[[Model, Cohort, Sources], Variant]:
    """Return the word that keeps rows without an exposure: a covariate that is no, a measure that is 0."""

    def variant(model: Model, cohort: Cohort, sources: Sources) -> Variant:
        known = [*cohort.covariates, *(one for one, domain in cohort.domains.items() if domain == "exposure")]
        name = next((name for name in names if name in known), None)
        if name is None:
            raise NotPossible(f"the study does not record {' or '.join(names)}")
        exposure = cohort.variable(name)
        free = exposure.values == 0
        if exposure.levels is not None:
            if "no" not in exposure.levels:
                raise NotPossible(f"'{name}' has no level 'no' (its levels: {', '.join(exposure.levels)})")
            free = exposure.values == exposure.levels.index("no")
        if free.all():
            raise NotPossible(f"no participant has {name}")
        count = len(np.unique(cohort.person[~free]))
        left = _without_terms(model, [name])
        note = f"{count} participants with {name} or without a record of it left out"
        dropped = f"; {name} is constant then and not a term" if left != model else ""
        return Variant(left, cohort, keep=free, note=note + dropped)

    return variant


def _score(measure: str) -> Callable[[Model, Cohort, Sources], Variant]:
    """Return the word that puts another score in the place of `ctra`, as outcome and as predictor."""

    def variant(model: Model, cohort: Cohort, sources: Sources) -> Variant:
        if measure not in cohort.measures:
            raise NotPossible(f"the measures have no '{measure}'")
        if "ctra" not in (*model.outcomes, *model.variables):
            raise NotPossible("the model has no ctra")
        outcomes = model.outcomes if "ctra" in model.variables else ("ctra",)
        swapped = replace(cohort, measures={**cohort.measures, "ctra": cohort.measures[measure]})
        unit = cohort.units.get(measure)
        return Variant(
            replace(model, outcomes=outcomes),
            swapped,
            note=f"ctra is {measure}" + (f", {unit}" if unit else ""),
        )

    return variant


def _half_rule_off(model: Model, cohort: Cohort, sources: Sources) -> Variant:
    scales = sources.scales
    if scales is None:
        raise NotPossible("the scales table, which says what was prorated, was not given")
    measures = dict(cohort.measures)
    lost = 0
    for name in dict.fromkeys([*model.outcomes, *model.variables]):
        here = scales[(scales["scale"] == name) & scales["prorated"].fillna(False).astype(bool)]
        rows = cells_of(cohort, here)
        rows = rows[rows >= 0]
        if len(rows):
            measures[name] = measures[name].copy()
            measures[name][rows] = np.nan
            lost += len(rows)
    note = f"{lost} prorated scores left out" if lost else "no score was prorated"
    return Variant(model, replace(cohort, measures=measures), note=note)


def _qc_failed_included(model: Model, cohort: Cohort, sources: Sources) -> Variant:
    import pandas as pd

    if sources.excluded is None:
        raise NotPossible("the numbers that quality control left out were not given")
    if not len(sources.excluded):
        raise NotPossible("no scan failed quality control")
    columns = list(sources.measures.columns)
    together = pd.concat([sources.measures, sources.excluded[columns]])
    everything = read_cohort(together, sources.participants, cohort.sessions[0], cohort.days)
    return Variant(model, everything, note="with scans that failed quality control")


def without_implausible(model: Model, cohort: Cohort, plan: Plan, sources: Sources) -> list[Row]:
    """Refit a model without the numbers that are flagged as implausible; no rows where it has none."""
    odd = implausible_measures(sources.measures)
    used = {name.removesuffix(PERSON_MEAN) for name in (*model.outcomes, *model.variables)}
    odd = odd[odd["measure"].isin(used)]
    measures, lost = dict(cohort.measures), 0
    for name, values in odd.groupby("measure", observed=True):
        rows = cells_of(cohort, values)
        rows = rows[rows >= 0]
        measures[str(name)] = measures[str(name)].copy()
        measures[str(name)][rows] = np.nan
        lost += len(rows)
    if not lost:
        return []
    note = f"{lost} implausible value{'s' if lost > 1 else ''} left out"
    variant = Variant(model, replace(cohort, measures=measures), note=note)
    return variant_rows(variant, "without_implausible", plan, ["without_implausible"])


def _batch(model: Model, cohort: Cohort, sources: Sources) -> Variant:
    samples = sources.samples
    if samples is None:
        raise NotPossible("the samples table, which has the batches, was not given")
    known = samples.dropna(subset=["batch"])
    levels = tuple(sorted(set(known["batch"].astype(str))))
    if len(levels) < 2:
        raise NotPossible("fewer than two batches are recorded")
    values = np.full(len(cohort.person), np.nan)
    rows = cells_of(cohort, known)
    codes = known["batch"].astype(str).map(levels.index).to_numpy(float)
    values[rows[rows >= 0]] = codes[rows >= 0]
    with_batch = replace(cohort, factors={**cohort.factors, "batch": Variable(values, levels)})
    term = MainEffect("batch")
    outcomes = _of_blood(model, cohort)
    return Variant(
        replace(model, terms=(*model.terms, term), outcomes=outcomes),
        with_batch,
        note="with batch of the sample",
    )


def _other_atlases(model: Model, cohort: Cohort, sources: Sources) -> Variant:
    def place(name: str) -> tuple[str, ...]:
        return tuple(name.split(".")[1:3]) if name.count(".") == 3 else ()

    wanted = {place(name) for name in model.outcomes} - {()}
    others = tuple(
        name for name in sorted(cohort.measures) if place(name) in wanted and name not in model.outcomes
    )
    if not others:
        raise NotPossible("the study has the outcome's regions in no other atlas")
    return Variant(
        replace(model, outcomes=others), cohort, note="other atlas or metric than the prespecified"
    )


def cells_of(cohort: Cohort, frame: pd.DataFrame) -> NDArray[np.intp]:
    """Return the cohort's row of each row of a table with participant_id and session_id; -1 for none."""
    people = {name: code for code, name in enumerate(cohort.participants)}
    visits = {name: code for code, name in enumerate(cohort.sessions)}
    rows = {(p, s): row for row, (p, s) in enumerate(zip(cohort.person, cohort.session, strict=True))}
    pairs = zip(frame["participant_id"].map(people), frame["session_id"].map(visits), strict=True)
    return np.array([rows.get(pair, -1) for pair in pairs], dtype=np.intp)


WORDS: dict[str, Callable[[Model, Cohort, Sources], Variant]] = {
    "completers": _completers,
    "unadjusted": _unadjusted,
    "without_tiv": _without_tiv,
    "lesion_volume": _with_term("lesion_volume"),
    "mean_thickness": _with_term("mean_thickness"),
    "b_cell_depletion": _with_term("b_cell_depletion"),
    "quality_change": _with_term("siqr", "iqr", split=True),
    "leukocyte_markers": _leukocyte_markers,
    "without_b_cell_depleted": _without_people("b_cell_depletion"),
    "without_interferon_treated": _without_people("interferon_treated", "interferon_beta"),
    "without_recent_steroid": _without_people("recent_steroid", "recent_steroids"),
    "ctra_mean_log2": _score("ctra_mean_log2"),
    "ctra_balanced": _score("ctra_balanced"),
    "ctra_without_antibody": _score("ctra_without_antibody"),
    "ctra_without_interferon": _score("ctra_without_interferon"),
    "ctra_without_near_floor": _score("ctra_without_near_floor"),
    "ctra_baseline_z": _score("ctra_baseline_z"),
    "ctra_low_expression_filter": _score("ctra_low_expression_filter"),
    "ctra_variance_filter": _score("ctra_variance_filter"),
    "half_rule_off": _half_rule_off,
    "qc_failed_included": _qc_failed_included,
    "batch": _batch,
    "other_atlases": _other_atlases,
}
