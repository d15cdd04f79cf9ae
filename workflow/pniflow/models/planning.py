"""What the study has: which models and outcomes can be planned, and which names are nowhere known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from pniflow import resources
from pniflow.errors import InputError, listing
from pniflow.files import read_yaml
from pniflow.modalities import DOMAINS, MODALITIES
from pniflow.models.specification import Model, Plan
from pniflow.models.study_data import PERSON_MEAN, SESSION, TIME

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


def require_possible(
    plan: Plan, study: Mapping[str, Any], config: Mapping[str, Any], modalities: Iterable[str], own: bool
) -> None:
    """Refuse models that the study cannot have, before anything runs.

    Only models with an outcome that the study has are looked at, and only what study.yaml and config.yaml
    decide: what the data hold is known when the cohort is there.

    Parameters
    ----------
    study, config : mapping
        Checked.
    modalities : list of str
        What the study has.
    own : bool
        Whether the plan is the study's own, not the one shipped.

    Raises
    ------
    InputError
        A reference that is no session of the study, an intercept per participant or a term of change with one
        session, `time` without a session's day, a name that is neither declared nor a measure, a level that
        a coding lacks, a number asked of levels.
    """
    remedy = (
        "correct it there."
        if own
        else "write a models.yaml of your own beside config.yaml (copy this file and change it, or take the "
        "draft of `pniflow new-study`)."
    )
    sessions = list(study["sessions"])
    if len(sessions) > 1 and plan.reference not in sessions:
        reference = f"defaults.session.reference is '{plan.reference}'" if plan.reference else "no reference"
        raise InputError(
            f"{plan.source}: {reference}, where one of the sessions of study.yaml was expected "
            f"({listing(sessions)}); {remedy}"
        )
    declared = _Declared.of(study, config, modalities)
    for name in plan.references:
        if not declared.knows(name):
            raise InputError(f"{plan.source}: `references` names '{name}', which is not a measure; {remedy}")
    for model in (*plan.models, *plan.maps):
        if model.requires:
            continue  # what the data hold decides
        where = f"{plan.source}: model '{model.name}'"
        _require_names(model, declared, where)
        if not declared.gives(model):
            continue
        wrong = [problem for term in model.terms if (problem := term.misfit(declared.covariates))]
        wrong += [
            f"has the subgroup '{name}', which is no covariate with a coding in study.yaml"
            for name in model.subgroups
            if declared.covariates.get(name) is None
        ]
        wrong += _problems_of_sessions(model, sessions, plan.days)
        if wrong:
            raise InputError(f"{where} {wrong[0]}; {remedy}")


@dataclass(frozen=True)
class _Declared:
    """What study.yaml and config.yaml say of the names that a model may have.

    Attributes
    ----------
    domains : set of str
        Those that the study has.
    measures : set of str
        Assays and exposures, as the cohort calls them.
    covariates : mapping of str to (list of str or None)
        Levels of each covariate's coding; None where it is a number.
    given : set of str
        Measures and maps that the study's branches give.
    own_atlas : str or None
        The study's label image, whose table decides what regions there are.
    """

    domains: set[str]
    measures: set[str]
    covariates: Mapping[str, list[str] | None]
    given: set[str]
    own_atlas: str | None = None

    @classmethod
    def of(cls, study: Mapping[str, Any], config: Mapping[str, Any], modalities: Iterable[str]) -> _Declared:
        there = [one for one in MODALITIES if one.name in set(modalities)]
        exposures = study["exposures"]
        measures = {
            name if about["log"] == "none" else f"log_{name}" for name, about in study["assays"].items()
        }
        measures |= {f"{name}_flag" for name, about in exposures.items() if "flag" in about}
        measures |= {
            name
            for name, about in exposures.items()
            if set(about.get("coding", {}).values()) <= {"yes", "no"}  # others are a measure by their flag
        }
        scored = config["questionnaires"]["instruments"]
        given = {scale for scale, instrument in _scales().items() if instrument in scored} | measures
        given |= {name for one in there for name in one.measures}
        images = study.get("cat12", {})
        kinds = {"surface": "surfaces", "voxels": "voxels"}
        given |= {f"{kind}.{images[key]['measure']}" for kind, key in kinds.items() if key in images}
        return cls(
            domains={one.domain for one in there} | ({"exposure"} if exposures else set()),
            measures=measures,
            covariates={
                name: list(about["coding"].values()) if "coding" in about else None
                for name, about in study["covariates"].items()
            },
            given=given,
            own_atlas=images.get("labels", {}).get("atlas"),
        )

    def gives(self, model: Model) -> bool:
        """Tell whether a model is surely planned: with one of its outcomes and all that its terms need."""
        bases = {name.removesuffix(PERSON_MEAN) for name in model.variables}
        return bool(self.given & {*model.outcomes}) and bases <= self.given | {*self.covariates}

    def lacks(self, name: str) -> bool:
        """Tell whether a name belongs to a branch that the study does not have."""
        domain = _domain(name)[0]
        return domain is not None and domain not in self.domains

    def knows(self, name: str) -> bool:
        """Tell whether a name is declared as a measure, or of a branch whose data decide."""
        domain, certain = _domain(name)
        if domain is None or (domain == "assay" and not self.lacks(name)):
            return name in self.measures
        certain |= domain == "imaging" and name.partition(".")[0] == self.own_atlas
        return certain or self.lacks(name) or domain == "expression"


def _require_names(model: Model, declared: _Declared, where: str) -> None:
    """Refuse an outcome or a term that nothing gives; a model of a branch that the study lacks may stand."""
    bases = [name.removesuffix(PERSON_MEAN) for name in model.variables]
    for name in () if model.over else model.outcomes:
        if not declared.knows(name):
            near = _nearest(name, [*declared.given, *declared.measures])
            raise InputError(
                f"{where} names '{name}', which is not a measure of this study; {near}correct the name or "
                "leave it out, in a models.yaml of your own beside config.yaml."
            )
    absent = [name not in declared.given if model.over else declared.lacks(name) for name in model.outcomes]
    if all(absent) or any(map(declared.lacks, bases)):
        return
    known = {*declared.covariates, *declared.measures}
    for name in model.variables:
        base = name.removesuffix(PERSON_MEAN)
        if name not in declared.covariates and not declared.knows(base):
            raise InputError(
                f"{where} has the term '{name}', which is no covariate of "
                f"study.yaml; {_nearest(base, known)}declare it there under covariates, or take the "
                "term out in a models.yaml of your own beside config.yaml."
            )


def _problems_of_sessions(model: Model, sessions: Sequence[str], days: Mapping[str, float]) -> list[str]:
    """Say what a model asks of the sessions that the study's have not."""
    if len(sessions) > 1:
        lacking = [name for name in sessions if name not in days] if model.timed else []
        return [f"has the variable `time`, but defaults.session.days lacks '{name}'" for name in lacking]
    changes = [t.name for t in model.terms if t.halves or {SESSION, TIME} & {*t.variables, *t.factors}]
    one = f"but study.yaml has one session ({sessions[0]})"
    problems = (
        [f"has an intercept for each participant, {one}, so give it `random: []`"] if model.random else []
    )
    return problems + [f"has the term '{name}', {one}" for name in changes]


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
def _scales() -> dict[str, str]:
    """Names of all scales, each with its instrument."""
    documents = ((path.stem, read_yaml(path)) for path in resources.files("instruments"))
    return {
        str(scale): name
        for name, one in documents
        if isinstance(one, Mapping)
        for scale in one.get("scales", {})
    }


@resources.cached
def _groups() -> frozenset[tuple[str, str, str]]:
    """Region groups there are, each with its atlas and its metric."""
    parts = resources.rows("atlases", "groups", "group", "atlas", "metric")
    return frozenset((row["group"], row["atlas"], row["metric"]) for row in parts)
