"""models.yaml: structured terms, read, checked, expanded into one `Model` each. Nothing is evaluated."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pniflow import config
from pniflow.errors import InputError, listing, repeated
from pniflow.files import read_yaml

SESSION = "session"
TIME = "time"
BETWEEN_MINUS_WITHIN = "between_minus_within"
MAPS = ("surface", "voxels")  # keys of a model that is fitted at every vertex or voxel, and kinds of map
MAX_T = "max_t"  # adjustment of their families
PERSON_MEAN = "_person_mean"
TIV = "tiv"


@dataclass(frozen=True)
class Term:
    """One fixed term.

    Attributes
    ----------
    kind : str
        `variable` (numeric or categorical, as the data are), `split`, `interaction` or `polynomial`.
    variables : tuple of str
        One variable; for an interaction the names of the terms multiplied.
    centre, scale : float or str
        Numeric variables: `mean` (of the participants), `none` or a number; `sd`, `none` or a number.
    reference : str or None
        Categorical variables: the level the others are compared with.
    degree : int
        Of a polynomial.
    """

    kind: str
    variables: tuple[str, ...]
    centre: float | str = "mean"
    scale: float | str = "none"
    reference: str | None = None
    degree: int = 1

    @property
    def name(self) -> str:
        """Name of the term in the results."""
        return ":".join(self.variables)

    @property
    def rows(self) -> tuple[str, ...]:
        """Names a model may test: the term's own, or those of the two halves of a split."""
        return (f"{self.name}_within", f"{self.name}_between") if self.kind == "split" else (self.name,)


@dataclass(frozen=True)
class Model:
    """One prespecified model: the same terms for each of its outcomes.

    A model of a map has one outcome, `surface.<measure>` or `voxels.<measure>`, and says so in `over`.
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

    @property
    def variables(self) -> tuple[str, ...]:
        """Names that the terms need from the data (not the session, not the time)."""
        found = dict.fromkeys(
            name for term in self.terms if term.kind != "interaction" for name in term.variables
        )
        return tuple(name for name in found if name not in (SESSION, TIME))

    @property
    def tested(self) -> tuple[str, ...]:
        """Names of the result rows that enter a family: terms and contrasts."""
        return (*self.test, *(name for name, family in self.contrasts.items() if family))

    def term(self, name: str) -> Term | None:
        """Return the term of a name, or None."""
        return next((term for term in self.terms if term.name == name), None)


@dataclass(frozen=True)
class Family:
    """A family of tests."""

    name: str
    role: str
    adjust: str
    also: str | None = None
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
    raw = read_yaml(path)
    _refuse_formulas(raw, source)
    document = config.checked(raw, "models", source)
    defaults = document["defaults"]
    families = {name: Family(name=name, **entry) for name, entry in document["families"].items()}
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


_TERM_KEYS = {
    "split": set(),
    "variable": {"centre", "scale", "reference"},
    "interaction": set(),
    "polynomial": {"degree"},
}


def _refuse_formulas(raw: Any, source: str) -> None:
    """Say in a sentence what the schema cannot: formulas, odd terms, families without a method."""
    if not isinstance(raw, Mapping):
        raise InputError(f"{source}: a mapping with the keys version, families and models was expected.")
    families = raw.get("families")
    for name, family in families.items() if isinstance(families, Mapping) else ():
        if isinstance(family, Mapping) and "adjust" not in family:
            raise InputError(f"{source}: family '{name}' has no method; add `adjust: bh`, `holm` or `none`.")
    models = raw.get("models")
    for number, model in enumerate(models if isinstance(models, list) else ()):
        if not isinstance(model, Mapping):
            continue
        name = model.get("name", f"number {number + 1}")
        if "formula" in model:
            raise InputError(f"{source}: model '{name}' has a formula; list its terms under `fixed` instead.")
        over = [key for key in ("outcomes", *MAPS) if key in model]
        if len(over) != 1:
            raise InputError(
                f"{source}: model '{name}' has {' and '.join(over) or 'no outcomes'}; one of `outcomes`, "
                "`surface` and `voxels` was expected."
            )
        for key in ("outcomes", "fixed"):
            given = model.get(key)
            for entry in [given] if isinstance(given, str) else given if isinstance(given, list) else ():
                _refuse_entry(entry, key, f"{source}: model '{name}'")
            if isinstance(given, str):
                raise InputError(
                    f"{source}: model '{name}': `{key}` is '{given}'; a list was expected: [{given}]."
                )


def _refuse_entry(entry: Any, key: str, where: str) -> None:
    if isinstance(entry, str) and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.]*", entry):
        raise InputError(
            f"{where}: `{key}` has '{entry[:60]}', which is not a name; formula strings are not read: list "
            "the terms, with {split: x} or {interaction: [a, b]} where that is meant."
        )
    if key == "fixed" and not (isinstance(entry, str) or _is_term(entry)):
        raise InputError(
            f"{where}: `fixed` has '{entry}'; a name or one of {', '.join(_TERM_KEYS)} was expected."
        )
    if key == "outcomes" and not isinstance(entry, (str, Mapping)):
        raise InputError(f"{where}: `outcomes` has '{entry}'; a measure or a region group was expected.")
    values = {k: v for k, v in entry.items() if k != "reference"} if isinstance(entry, Mapping) else {}
    for value in values.values():
        for word in value if isinstance(value, list) else [value]:
            if isinstance(word, str) and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.\-]*", word):
                raise InputError(
                    f"{where}: `{key}` has '{word[:60]}', which is not a name; formula strings are not read."
                )


def _is_term(entry: Any) -> bool:
    """Tell whether a mapping has one kind of term and only its keys (unknown keys are the schema's)."""
    kinds = [key for key in _TERM_KEYS if isinstance(entry, Mapping) and key in entry]
    known = set().union(*_TERM_KEYS.values())
    return len(kinds) == 1 and not (set(entry) & known) - _TERM_KEYS[kinds[0]]


def _expanded(entry: Mapping[str, Any], defaults: Mapping[str, Any], source: str) -> list[Model]:
    """Return one model for each combination of the values under `for_each`."""
    choices = entry.get("for_each", {})
    for key in re.findall(r"{(\w+)}", entry["name"]):
        if key not in choices:
            raise InputError(
                f"{source}: model '{entry['name']}' names {{{key}}}, which is not under its for_each."
            )
    models = []
    for values in itertools.product(*choices.values()):
        chosen = dict(zip(choices, values, strict=True))
        own = {key: _put(value, chosen) for key, value in entry.items() if key not in ("for_each", "name")}
        name = entry["name"]
        for key, value in chosen.items():
            name = name.replace("{" + key + "}", value)
        models.append(_model(name, own, defaults, source))
    return models


def _put(value: Any, chosen: Mapping[str, str]) -> Any:
    """Replace the words of for_each, alone or with a suffix such as _within, by their values."""
    if isinstance(value, str) and ":" in value:  # an interaction
        return ":".join(_put(part, chosen) for part in value.split(":"))
    if isinstance(value, str):
        for word, name in chosen.items():
            for suffix in ("", "_within", "_between", PERSON_MEAN):
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
    given = [_term(one, where) for one in entry["fixed"]]
    terms = tuple(sorted(given, key=lambda term: term.kind == "interaction"))  # made of the others' columns
    names = [row for term in terms for row in term.rows]
    parts = [sorted(row.split(":")) for row in names]
    for row in names:
        if parts.count(sorted(row.split(":"))) > 1:
            raise InputError(f"{where} has the term '{row}' twice; keep one.")
    if any(term.variables == (TIV,) for term in terms):
        raise InputError(
            f"{where} has each session's TIV as a term, whose change is error of measurement; give "
            f"`{TIV}{PERSON_MEAN}` instead."
        )
    if random and SESSION not in names and TIME not in names and not entry.get("without_session"):
        raise InputError(
            f"{where} has no session term; add `session` to `fixed`, or give the reason as `without_session`."
        )
    for term in terms:
        if term.kind == "interaction":
            _check_known(term.variables, [row for row in names if ":" not in row], f"{where}: an interaction")
    test: dict[str, str] = {}
    for family, tested in entry.get("test", {}).items():
        _check_known(tested, [*names, "(intercept)"], f"{where}: `test`")
        for row in tested:
            if test.setdefault(row, family) != family:
                raise InputError(f"{where} tests '{row}' in the families {test[row]} and {family}; name one.")
    contrasts = {
        one["name"]: None if one["family"] == "none" else one["family"] for one in entry.get("contrasts", [])
    }
    if contrasts and sum(term.kind == "split" for term in terms) != 1:
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
    if not test or "(intercept)" in test:
        raise InputError(f"{where} is one of a map; name the terms under `test` that are to be mapped.")


def _term(entry: str | Mapping[str, Any], where: str) -> Term:
    if isinstance(entry, str):
        return Term("variable", (entry,))
    if "split" in entry:
        if entry["split"] == SESSION:
            raise InputError(
                f"{where} splits the session; only a measure that varies over time can be split."
            )
        return Term("split", (entry["split"],))
    if "interaction" in entry:
        return Term("interaction", tuple(entry["interaction"]))
    if "polynomial" in entry:
        if "degree" not in entry:
            raise InputError(
                f"{where} has a polynomial of '{entry['polynomial']}' without its degree; add `degree: 2`."
            )
        return Term("polynomial", (entry["polynomial"],), degree=entry["degree"])
    given = {key: entry[key] for key in ("centre", "scale", "reference") if key in entry}
    if entry["variable"] == SESSION and "reference" in given:
        raise InputError(
            f"{where} gives the session a reference of its own; the sessions have one for all models: "
            "defaults.session.reference."
        )
    return Term("variable", (entry["variable"],), **given)


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
