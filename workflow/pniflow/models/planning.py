"""What the study has: which models and outcomes can be planned, and which names are nowhere known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from pniflow import resources
from pniflow.errors import InputError, listing
from pniflow.files import read_yaml
from pniflow.modalities import DOMAINS, MODALITIES
from pniflow.models.specification import Model, Plan
from pniflow.models.study_data import PERSON_MEAN

if TYPE_CHECKING:
    from pniflow.models.study_data import Cohort

# Measures whose names the stages before this one fix, by domain.
_NAMED = {
    domain: [name for one in MODALITIES if one.domain == domain for name in one.measures]
    for domain in DOMAINS
}
_PREFIXED = {"log_": "assay", "log2_": "expression"}


class Lack(NamedTuple):
    """Why a study cannot have a model: in words, and the data or the measure that is not there."""

    reason: str
    data: str = ""
    measure: str = ""


def planned(plan: Plan, cohort: Cohort) -> tuple[list[Model], list[dict[str, str]]]:
    """Return the models the study can have, and what was left out with its reason.

    A branch that the study does not have is not planned: its models and outcomes are listed and do not count
    as tests. A name that neither the data nor any resource knows is an error.

    Returns
    -------
    models : list of Model
        With the outcomes the study has.
    left_out : list of mapping
        `model`, `outcome` (blank: the whole model), `reason`, `data` and `measure` that the study lacks.
    """
    models, left_out = [], []
    for name in plan.references:
        _lacking(name, cohort, f"{plan.source}: `references`")
    for model in plan.models:
        where = f"{plan.source}: model '{model.name}'"
        lack = _lacking_branch(model, cohort)
        lacking = {} if lack else {name: _lacking(name, cohort, where) for name in model.outcomes}
        present = tuple(name for name, why in lacking.items() if why is None)
        for name in model.variables if present else ():
            lack = lack or _lacking(name, cohort, where, covariate=True)
        if lack:
            left_out.append({"model": model.name, "outcome": "", **lack._asdict()})
            continue
        if present:
            _check_further(model, cohort, where)
            models.append(replace(model, outcomes=present))
        for name, why in lacking.items():
            if why is not None:
                left_out.append({"model": model.name, "outcome": name, **why._asdict()})
    return models, left_out


def require_declared(plan: Plan, study: Mapping[str, Any], modalities: Iterable[str]) -> None:
    """Refuse a covariate that study.yaml does not declare, before anything runs.

    Only models with an outcome of a branch that the study has are looked at, and only names that no branch
    could give: what the data hold is known when the cohort is there.
    """
    there = {one.domain for one in MODALITIES if one.name in set(modalities)}
    held = {**{domain: domain in there for domain in DOMAINS}, "exposure": bool(study["exposures"])}
    flags = {f"{name}_flag" for name in study["exposures"]}
    declared = {*study["covariates"], *study["exposures"], *study["assays"], *flags}
    for model in plan.models:
        bases = [name.removesuffix(PERSON_MEAN) for name in model.variables]
        domains = {name: _domain(name)[0] for name in (*model.outcomes, *bases)}
        known = {name: held.get(domain or "", True) for name, domain in domains.items()}
        if (
            model.requires
            or not any(known[name] for name in model.outcomes)
            or not all(map(known.get, bases))
        ):
            continue  # not planned: the study lacks a branch
        for name in bases:
            if name not in declared and domains[name] is None:
                raise InputError(
                    f"{plan.source}: model '{model.name}' has the term '{name}', which is no covariate of "
                    f"study.yaml; {_nearest(name, declared)}declare it there under covariates, or take the "
                    "term out in a models.yaml of your own beside config.yaml."
                )


def _check_further(model: Model, cohort: Cohort, where: str) -> None:
    """Refuse subgroups that nobody knows, and time without the sessions' days."""
    for name in model.subgroups:
        if name not in cohort.covariates or cohort.covariates[name].levels is None:
            raise InputError(f"{where} has the subgroup '{name}', which is not a categorical covariate.")
    if model.timed:
        for session in cohort.sessions:
            if session not in cohort.days:
                raise InputError(
                    f"{where} has the variable `time`, but defaults.session.days lacks '{session}'; add it."
                )


def _lacking_branch(model: Model, cohort: Cohort) -> Lack | None:
    if model.requires is None or model.requires in cohort.domains.values():
        return None
    if model.requires == "hippocampal_subfields":
        if set(model.outcomes) & set(cohort.measures):
            return None
        held = sorted({name.partition(".")[0] for name in cohort.measures if "_subfields" in name})
        if held:  # of the other stream of FreeSurfer, or of a version that has no head
            return Lack(f"the study's hippocampal subfields ({listing(held)}) hold none of its outcomes")
    data = model.requires.replace("_", " ")
    return Lack(f"the study has no {data} data", data)


def _lacking(name: str, cohort: Cohort, where: str, covariate: bool = False) -> Lack | None:
    """Return why the study lacks a name, None where it has it; raise where nothing knows it."""
    if name in cohort.measures or (covariate and cohort.has(name)):
        return None
    base = name.removesuffix(PERSON_MEAN) if covariate else name
    domain, certain = _domain(base)
    if domain is not None and domain not in cohort.domains.values():
        return Lack(f"the study has no {domain} data ('{base}')", domain)
    if domain is not None and certain:
        return Lack(f"the study has no measure '{base}'", measure=base)
    near = _nearest(base, [*cohort.measures, *(cohort.covariates if covariate else ())])
    kind = "neither a measure nor a covariate" if covariate else "not a measure"
    raise InputError(
        f"{where} names '{name}', which is {kind} of this study; {near}correct the name or leave it out, "
        "in a models.yaml of your own beside config.yaml."
    )


def _nearest(name: str, known: Iterable[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, sorted(known), n=3)
    return f"there is {listing(close)}; " if close else ""


def _domain(name: str) -> tuple[str | None, bool]:
    """Return the domain a name belongs to, and whether the name is surely one of it."""
    for domain, names in _NAMED.items():
        if name in names:
            return domain, True
    if name in _scales():
        return "questionnaire", True
    if name.count(".") == 3:
        atlas, group, _, metric = name.split(".")
        return "imaging", (group, atlas, metric) in _groups()
    for prefix, domain in _PREFIXED.items():
        if name.startswith(prefix):
            return domain, False
    return None, False


@resources.cached
def _scales() -> frozenset[str]:
    """Names of all scales of all instruments."""
    documents = (read_yaml(path) for path in resources.files("instruments"))
    return frozenset(
        str(name) for one in documents if isinstance(one, Mapping) for name in one.get("scales", {})
    )


@resources.cached
def _groups() -> frozenset[tuple[str, str, str]]:
    """Region groups there are, each with its atlas and its metric."""
    parts = resources.rows("atlases", "groups", "group", "atlas", "metric")
    return frozenset((row["group"], row["atlas"], row["metric"]) for row in parts)
