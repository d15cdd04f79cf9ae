"""models.yaml: structured terms, read, checked, expanded into one `Model` each. Nothing is evaluated."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pniflow import config
from pniflow.errors import InputError, listing, repeated
from pniflow.files import read_yaml
from pniflow.models.study_data import PERSON_MEAN, SESSION, TIME
from pniflow.models.terms import BETWEEN, INTERCEPT, WITHIN, Term, read_term

BETWEEN_MINUS_WITHIN = "between_minus_within"
MAPS = ("surface", "voxels")  # keys of a model that is fitted at every vertex or voxel, and kinds of map
MAX_T = "max_t"  # adjustment of their families


@dataclass(frozen=True)
class Model:
    """One prespecified model: the same terms for each of its outcomes.

    A model of a map has one outcome, `surface.<measure>` or `voxels.<measure>`, and says so in `over`.
    `entry` and `general` are its name and terms as models.yaml has them, words of `for_each` in braces.
    """

    name: str
    outcomes: tuple[str, ...]
    terms: tuple[Term, ...]
    test: Mapping[str, str] = field(default_factory=dict)  # term -> family
    contrasts: Mapping[str, str | None] = field(default_factory=dict)  # name -> family, None where not tested
    random: bool = True  # an intercept for each participant
    sample: str = "all_available"
    requires: str | None = None
    equivalence: Mapping[str, Any] | None = None
    sensitivity: tuple[str, ...] = ()
    subgroups: tuple[str, ...] = ()
    over: str | None = None  # `surface` or `voxels`
    entry: str = ""
    general: tuple[Term, ...] = ()

    @property
    def variables(self) -> tuple[str, ...]:
        """Names that the terms need from the data (not the session, not the time)."""
        found = dict.fromkeys(name for term in self.terms for name in term.variables)
        return tuple(name for name in found if name not in (SESSION, TIME))

    @property
    def timed(self) -> bool:
        """Whether a term needs the sessions' days."""
        return any(TIME in term.variables for term in self.terms)

    @property
    def halves(self) -> list[tuple[str, str]]:
        """The within and the between row of each split term."""
        return [term.halves for term in self.terms if term.halves]

    @property
    def tested(self) -> tuple[str, ...]:
        """Names of the result rows that enter a family: terms and contrasts."""
        return (*self.test, *(name for name, family in self.contrasts.items() if family))


@dataclass(frozen=True)
class Family:
    """A family of tests."""

    name: str
    role: str
    adjust: str
    also: str | None = None
    expected_null: bool = False  # a negative control
    note: str | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that models.yaml prespecifies; models of maps stand apart from those of measures."""

    source: str
    models: tuple[Model, ...]
    families: Mapping[str, Family]
    reference: str | None
    days: Mapping[str, float]
    references: Mapping[str, Mapping[str, Any]]
    inference: str
    centred: bool
    alpha: float
    maps: tuple[Model, ...] = ()
    design_checks: Mapping[str, Any] = field(default_factory=dict)

    def model(self, name: str) -> Model | None:
        """Return the model of a name, or None."""
        return next((model for model in (*self.models, *self.maps) if model.name == name), None)


def read_models(path: Path | str) -> Plan:
    """Read models.yaml, check it against its schema and expand `for_each` and region groups.

    Raises
    ------
    InputError
        One sentence: an unknown key or word, a formula string, a family without a method, a model name given
        twice, a test of a term that the model does not have, an association model without the session and
        without a reason.
    """
    source = str(path)
    document = config.checked(read_yaml(path), "models", source)
    defaults = document["defaults"]
    families = {name: _family(name, **entry) for name, entry in document["families"].items()}
    models = [model for entry in document["models"] for model in _expanded(entry, defaults, source)]
    _check_names([model.name for model in models], source)
    for model in models:
        _check_families(model, families, source)
    return Plan(
        source=source,
        models=tuple(model for model in models if not model.over),
        families=families,
        reference=defaults["session"]["reference"],
        days=defaults["session"]["days"],
        references=document["references"],
        inference=defaults["method"]["inference"],
        centred=defaults["covariates"]["numeric"] == "centred_on_participants",
        alpha=defaults["alpha"],
        maps=tuple(model for model in models if model.over),
        design_checks=document["design_checks"],
    )


def _family(name: str, **entry: Any) -> Family:
    """Return a family; it is a negative control where the key `expect` is there, whose one value is null."""
    known = {key: value for key, value in entry.items() if key != "expect"}
    return Family(name=name, expected_null="expect" in entry, **known)


def _expanded(entry: Mapping[str, Any], defaults: Mapping[str, Any], source: str) -> list[Model]:
    """Return one model for each combination of the values under `for_each`."""
    choices = entry.get("for_each", {})
    for key in re.findall(r"{(\w+)}", entry["name"]):
        if key not in choices:
            raise InputError(
                f"{source}: model '{entry['name']}' names {{{key}}}, which is not under its for_each."
            )
    braces = {word: "{" + word + "}" for word in choices}
    general = _terms(_put(entry["fixed"], braces), f"{source}: model '{entry['name']}'")
    models = []
    for values in itertools.product(*choices.values()):
        chosen = dict(zip(choices, values, strict=True))
        own = {key: _put(value, chosen) for key, value in entry.items() if key not in ("for_each", "name")}
        name = entry["name"]
        for key, value in chosen.items():
            name = name.replace("{" + key + "}", value)
        model = _model(name, own, defaults, source)
        models.append(replace(model, entry=entry["name"], general=general))
    return models


def _put(value: Any, chosen: Mapping[str, str]) -> Any:
    """Replace the words of for_each, alone or with a suffix such as _within, by their values."""
    if isinstance(value, str) and ":" in value:  # an interaction
        return ":".join(_put(part, chosen) for part in value.split(":"))
    if isinstance(value, str):
        for word, name in chosen.items():
            for suffix in ("", WITHIN, BETWEEN, PERSON_MEAN):
                if value == word + suffix:
                    return name + suffix
        return value
    if isinstance(value, list):
        return [_put(one, chosen) for one in value]
    if isinstance(value, Mapping):
        return {key: _put(one, chosen) for key, one in value.items()}
    return value


def _model(name: str, entry: Mapping[str, Any], defaults: Mapping[str, Any], source: str) -> Model:
    where = f"{source}: model '{name}'"
    random = bool(entry.get("random", defaults.get("random", [{"intercept": "participant"}])))
    terms = _terms(entry["fixed"], where)
    names = [row for term in terms for row in term.rows]
    parts = [sorted(row.split(":")) for row in names]
    for row in names:
        if parts.count(sorted(row.split(":"))) > 1:
            raise InputError(f"{where} has the term '{row}' twice; keep one.")
    if random and SESSION not in names and TIME not in names and not entry.get("without_session"):
        raise InputError(
            f"{where} has no session term; add `session` to `fixed`, or give the reason as `without_session`."
        )
    for term in terms:
        _check_known(term.factors, [row for row in names if ":" not in row], f"{where}: an interaction")
    test: dict[str, str] = {}
    for family, tested in entry.get("test", {}).items():
        _check_known(tested, [*names, INTERCEPT], f"{where}: `test`")
        for row in tested:
            if test.setdefault(row, family) != family:
                raise InputError(f"{where} tests '{row}' in the families {test[row]} and {family}; name one.")
    contrasts = {
        one["name"]: None if one["family"] == "none" else one["family"] for one in entry.get("contrasts", [])
    }
    if contrasts and sum(term.halves is not None for term in terms) != 1:
        raise InputError(
            f"{where} has the contrast {BETWEEN_MINUS_WITHIN}, which needs exactly one split term."
        )
    over = next((kind for kind in MAPS if kind in entry), None)
    if over:
        _check_map(entry, test, where)
        outcomes = [f"{over}.{entry[over]}"]
    else:
        outcomes = [one for outcome in entry["outcomes"] for one in outcome_names(outcome)]
    return Model(
        name=name,
        outcomes=tuple(dict.fromkeys(outcomes)),
        terms=terms,
        test=test,
        contrasts=contrasts,
        random=random,
        sample=entry.get("sample", defaults.get("sample", {})).get("name", "all_available"),
        requires=entry.get("requires"),
        equivalence=entry.get("equivalence"),
        sensitivity=tuple(entry.get("sensitivity", ())),
        subgroups=tuple(entry.get("subgroups", ())),
        over=over,
    )


def _check_map(entry: Mapping[str, Any], test: Mapping[str, str], where: str) -> None:
    """Refuse what a model of a map cannot have."""
    for key in ("contrasts", "equivalence", "sensitivity", "subgroups"):
        if entry.get(key):
            raise InputError(f"{where} has `{key}`, which a model of a map cannot have; leave it out.")
    if not test or INTERCEPT in test:
        raise InputError(f"{where} is one of a map; name the terms under `test` that are to be mapped.")


def _terms(fixed: Sequence[Any], where: str) -> tuple[Term, ...]:
    """Return the terms of `fixed`; products come last, for they are made of the others' columns."""
    return tuple(sorted((read_term(entry, where) for entry in fixed), key=lambda term: bool(term.factors)))


def outcome_names(outcome: str | Mapping[str, Any]) -> list[str]:
    """Return the measures of an outcome: its name, or `<atlas>.<group>.<side>.<metric>` of a region group."""
    if isinstance(outcome, str):
        return [outcome]
    groups = [outcome["group"]] if isinstance(outcome["group"], str) else outcome["group"]
    sides = [outcome["hemisphere"]] if isinstance(outcome["hemisphere"], str) else outcome["hemisphere"]
    return [f"{outcome['atlas']}.{group}.{side}.{outcome['metric']}" for group in groups for side in sides]


def _check_names(names: Sequence[str], source: str) -> None:
    if twice := repeated(names):
        raise InputError(f"{source}: model name '{twice[0]}' is given twice; names must differ.")


def _check_known(given: Sequence[str], known: Sequence[str], what: str) -> None:
    for name in given:
        if name not in known:
            raise InputError(
                f"{what} names the term '{name}', which is not among its terms ({listing(known, 20)})."
            )


def _check_families(model: Model, families: Mapping[str, Family], source: str) -> None:
    named = [*model.test.values(), *(family for family in model.contrasts.values() if family)]
    for name in named:
        if name not in families:
            raise InputError(
                f"{source}: model '{model.name}' tests in the family '{name}', which is not among "
                "the families; add it there with its role and its method."
            )
        if bool(model.over) != (families[name].adjust == MAX_T):
            kind = "a map" if model.over else "measures"
            wanted = "`adjust: max_t`" if model.over else "another adjustment than max_t"
            raise InputError(
                f"{source}: model '{model.name}' is one of {kind}, but its family '{name}' has `adjust: "
                f"{families[name].adjust}`; {wanted} was expected."
            )
