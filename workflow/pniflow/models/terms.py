"""The kinds of fixed term: the keys each has in models.yaml, its columns, its result rows, its words.

A new kind is a class here, in `KINDS`, and its keys in `models.schema.yaml`; nothing else asks for a kind.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pniflow.errors import InputError, listing
from pniflow.models.study_data import PERSON_MEAN, SESSION, Variable

Array: TypeAlias = NDArray[np.float64]

INTERCEPT = "(intercept)"
TIV = "tiv"
WITHIN, BETWEEN = "_within", "_between"  # behind the name of a variable
_CONSTANT = 1e-12  # a spread below this share of the largest value is none


class NotEstimable(Exception):
    """The rows do not hold what a term or a model needs; the message is the reason."""


@dataclass(frozen=True)
class Part:
    """A result row of a term and the columns behind it.

    Attributes
    ----------
    name : str
        Result row.
    kind : str
        intercept, categorical, numeric, within, between or product.
    columns : mapping of str to (n,) float
        More than one where the row is a joint test; each then has a row of its own too.
    remark : str
        What a reader of these rows must know of the sample.
    """

    name: str
    kind: str
    columns: Mapping[str, Array]
    remark: str = ""


@dataclass(frozen=True)
class Sample:
    """The rows of one analysis, from which terms make their columns.

    Attributes
    ----------
    variables : mapping of str to Variable
        On all rows of the cohort.
    rows : (n,) int
        The cohort's rows that enter.
    person, session : (n,) int
        Codes of each row; persons are 0..people-1.
    centred : bool
        Whether a numeric variable without a centre of its own loses its mean over participants.
    """

    variables: Mapping[str, Variable]
    rows: NDArray[np.intp]
    person: NDArray[np.intp]
    session: NDArray[np.intp]
    centred: bool = True

    @cached_property
    def size(self) -> NDArray[np.intp]:
        """Rows of each person."""
        return np.bincount(self.person)

    def person_means(self, values: Array) -> Array:
        """Return each person's mean, (people,)."""
        means: Array = np.bincount(self.person, values) / self.size
        return means

    def numbers(self, name: str) -> Array:
        """Return a variable's values on the rows; refuse one with levels."""
        variable = self.variables[name]
        if variable.levels is not None:
            raise InputError(
                f"the term '{name}' has the levels {listing(variable.levels)}; a number was expected "
                "where a term is split, centred, scaled or a polynomial"
            )
        return variable.values[self.rows]

    def standardized(self, name: str, centre: float | str = "mean", scale: float | str = "none") -> Array:
        """Return a numeric variable minus its centre, divided by its scale; both are over participants."""
        values = _varying(name, self.numbers(name))
        means = self.person_means(values)
        if centre == "mean":
            centre = means.mean() if self.centred else 0.0
        centre = 0.0 if centre == "none" else centre
        if scale == "sd":
            if len(means) < 2 or np.ptp(means) == 0:
                raise NotEstimable(f"the participants' means of '{name}' have no SD to scale it by")
            scale = means.std(ddof=1)
        scale = 1.0 if scale == "none" else scale
        return (values - float(centre)) / float(scale)


def _varying(name: str, values: Array) -> Array:
    if np.ptp(values) <= _CONSTANT * np.abs(values).max():
        raise NotEstimable(f"the term '{name}' is constant over the complete rows ({len(values)})")
    return values


class Term(ABC):
    """A fixed term.

    Subclasses are frozen dataclasses: the first field is the value of `key` in models.yaml, each further
    field a key that may stand beside it.
    """

    key: ClassVar[str]

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the term in the results."""

    @property
    def variables(self) -> tuple[str, ...]:
        """Names that it needs from the data."""
        return ()

    @property
    def factors(self) -> tuple[str, ...]:
        """Result rows of other terms that it multiplies."""
        return ()

    @property
    def rows(self) -> tuple[str, ...]:
        """Result rows that a model may test, whatever the data."""
        return (self.name,)

    @property
    def halves(self) -> tuple[str, str] | None:
        """The within and the between row of a term that has them."""
        return None

    def problem(self) -> str:
        """Say what is wrong with it whatever the data, as the end of a sentence; "" for nothing."""
        return ""

    def misfit(self, covariates: Mapping[str, list[str] | None]) -> str:
        """Say what is wrong with it in a study, as the end of a sentence; "" for nothing.

        Parameters
        ----------
        covariates : mapping of str to (list of str or None)
            Levels of each covariate's coding; None where it is a number.
        """
        return ""

    @abstractmethod
    def parts(self, sample: Sample, made: Mapping[str, Part]) -> list[Part]:
        """Make its result rows with their columns; `made` has those of the terms before it.

        Raises
        ------
        NotEstimable
            It is constant over the rows.
        InputError
            It is not of the type it should be; the sentence starts with the fact.
        """

    @abstractmethod
    def written(self) -> str:
        """Return the term in words, with all that a reader needs to repeat it."""


@dataclass(frozen=True)
class _OfVariable(Term):
    """A term made of one variable, whose name it bears."""

    variable: str

    @property
    def name(self) -> str:
        return self.variable

    @property
    def variables(self) -> tuple[str, ...]:
        return (self.variable,)

    def problem(self) -> str:
        if self.variable == TIV:
            return (
                "has each session's TIV as a term, whose change is error of measurement; give "
                f"`{TIV}{PERSON_MEAN}` instead"
            )
        return ""


@dataclass(frozen=True)
class MainEffect(_OfVariable):
    """A variable as it is: a slope if numeric, treatment coding if categorical.

    Attributes
    ----------
    centre, scale : float or str
        Numeric variables: `mean` (of the participants), `none` or a number; `sd` (of the participants'
        means), `none` or a number.
    reference : str or None
        Categorical variables: the level the others are compared with; by default the first there is.
    """

    key: ClassVar[str] = "variable"
    centre: float | str = "mean"
    scale: float | str = "none"
    reference: str | None = None

    def problem(self) -> str:
        if self.variable == SESSION and self.reference is not None:
            return (
                "gives the session a reference of its own; the sessions have one for all models: "
                "defaults.session.reference"
            )
        return super().problem()

    def misfit(self, covariates: Mapping[str, list[str] | None]) -> str:
        levels = covariates.get(self.variable)
        if self.reference is None or self.variable not in covariates:
            return ""
        if levels is None:
            return f"gives '{self.name}' the reference '{self.reference}', but it has no coding in study.yaml"
        if self.reference not in levels:
            return (
                f"gives '{self.name}' the reference '{self.reference}', which is not among the levels of its "
                f"coding in study.yaml ({listing(levels)})"
            )
        return ""

    def parts(self, sample: Sample, made: Mapping[str, Part]) -> list[Part]:
        variable = sample.variables[self.variable]
        if variable.levels is None or self.centre != "mean" or self.scale != "none":
            if variable.levels is None and self.reference is not None:
                raise InputError(
                    f"the term '{self.name}' has the reference '{self.reference}', but it is numeric; "
                    "leave the reference out"
                )
            values = sample.standardized(self.variable, self.centre, self.scale)
            return [Part(self.name, "numeric", {self.name: values})]
        codes = _varying(self.name, variable.values[sample.rows])
        columns = self._compared(codes, variable.levels)
        absent = self.reference is not None and not (codes == variable.levels.index(self.reference)).any()
        remark = f"the reference level '{self.reference}' of {self.name} has no rows here" if absent else ""
        return [Part(self.name, "categorical", columns, remark)]

    def _compared(self, codes: Array, levels: tuple[str, ...]) -> dict[str, Array]:
        """Return a column for each level but the reference; one alone has the term's name."""
        present = [code for code in range(len(levels)) if (codes == code).any()]
        if self.reference is not None and self.reference not in levels:
            raise InputError(
                f"the term '{self.name}' has the reference '{self.reference}', which is not among its levels "
                f"({listing(levels)})"
            )
        reference = present[0] if self.reference is None else levels.index(self.reference)
        others = [code for code in present if code != reference]
        if len(others) == 1:
            return {self.name: (codes == others[0]).astype(float)}
        return {f"{self.name}[{levels[code]}]": (codes == code).astype(float) for code in others}

    def written(self) -> str:
        said = [] if self.centre == "mean" else [f"centred at {self.centre}"]
        said = ["not centred"] if self.centre == "none" else said
        if self.scale != "none":
            said.append("in SDs of the participants" if self.scale == "sd" else f"in units of {self.scale}")
        said += [f"against {self.reference}"] if self.reference is not None else []
        return f"{self.name} ({', '.join(said)})" if said else self.name


@dataclass(frozen=True)
class Split(_OfVariable):
    """A measure that varies over time, in a within-person and a between-person term.

    It loses the mean of each session over the rows; the person's mean of that is the between column, the rest
    the within column, so a person with one session informs only the between slope.
    """

    key: ClassVar[str] = "split"

    @property
    def rows(self) -> tuple[str, ...]:
        return self.halves

    @property
    def halves(self) -> tuple[str, str]:
        return self.name + WITHIN, self.name + BETWEEN

    def problem(self) -> str:
        if self.variable == SESSION:
            return "splits the session; only a measure that varies over time can be split"
        return super().problem()

    def misfit(self, covariates: Mapping[str, list[str] | None]) -> str:
        return f"splits '{self.name}', which a participant has once" if self.variable in covariates else ""

    def parts(self, sample: Sample, made: Mapping[str, Part]) -> list[Part]:
        values, person, session = sample.numbers(self.variable), sample.person, sample.session
        seen = np.bincount(session)
        centred = values - (np.bincount(session, values) / np.maximum(seen, 1))[session]
        between = sample.person_means(centred)[person]
        within = np.where(sample.size[person] > 1, centred - between, 0.0)
        own = values - sample.person_means(values)[person]
        least = _CONSTANT * max(np.abs(centred).max(), np.abs(values).max())
        spreads = {"within": min(np.abs(within).max(), np.abs(own).max()), "between": np.ptp(between)}
        for name, (kind, spread) in zip(self.halves, spreads.items(), strict=True):
            if spread <= least:
                raise NotEstimable(
                    f"the term '{name}' is constant: '{self.name}' does not vary {kind} participants"
                )
        columns = zip(self.halves, spreads, (within, between), strict=True)
        return [Part(name, kind, {name: column}) for name, kind, column in columns]

    def written(self) -> str:
        return f"{self.name} split into within and between persons"


@dataclass(frozen=True)
class Polynomial(_OfVariable):
    """The powers of a numeric variable, centred as any other, tested together.

    Attributes
    ----------
    degree : int
        Highest power, at least 2.
    """

    key: ClassVar[str] = "polynomial"
    degree: int = 1

    def problem(self) -> str:
        if self.degree < 2:
            return f"has a polynomial of '{self.variable}' without its degree; add `degree: 2`"
        return super().problem()

    def parts(self, sample: Sample, made: Mapping[str, Part]) -> list[Part]:
        values = sample.standardized(self.variable)
        powers = {f"{self.name}[{power}]": values**power for power in range(1, self.degree + 1)}
        return [Part(self.name, "numeric", powers)]

    def written(self) -> str:
        return f"{self.name} (polynomial of degree {self.degree})"


@dataclass(frozen=True)
class Interaction(Term):
    """The product of terms that the model has: of their columns, each with each."""

    key: ClassVar[str] = "interaction"
    terms: tuple[str, ...]

    @property
    def name(self) -> str:
        return ":".join(self.terms)

    @property
    def factors(self) -> tuple[str, ...]:
        return self.terms

    def parts(self, sample: Sample, made: Mapping[str, Part]) -> list[Part]:
        products = {"": np.ones(len(sample.rows))}
        for factor in self.terms:
            products = {
                f"{left}:{name}" if left else name: values * column
                for left, values in products.items()
                for name, column in made[factor].columns.items()
            }
        for name, values in products.items():
            if np.ptp(values) == 0:
                raise NotEstimable(f"the term '{name}' is constant")
        return [Part(self.name, "product", products)]

    def written(self) -> str:
        return " by ".join(self.terms)


KINDS: dict[str, type[Term]] = {kind.key: kind for kind in (Split, MainEffect, Interaction, Polynomial)}


def read_term(entry: str | Mapping[str, Any], where: str) -> Term:
    """Return the term of an entry under `fixed`, which the schema has checked key by key.

    Raises
    ------
    InputError
        Not one kind of term with its own keys, or a term that makes no sense; `where` begins the sentence.
    """
    given = {MainEffect.key: entry} if isinstance(entry, str) else dict(entry)
    kinds = [key for key in KINDS if key in given]
    if len(kinds) == 1:
        kind: Any = KINDS[kinds[0]]
        value = given.pop(kind.key)
        if given.keys() <= {field.name for field in dataclasses.fields(kind)[1:]}:
            term: Term = kind(tuple(value) if isinstance(value, list) else value, **given)
            if problem := term.problem():
                raise InputError(f"{where} {problem}.")
            return term
    raise InputError(f"{where}: `fixed` has '{entry}'; a name or one of {', '.join(KINDS)} was expected.")


def parts_of(terms: Iterable[Term], sample: Sample) -> dict[str, Part]:
    """Return the result rows of the intercept and of some terms, products last, with their columns."""
    made = {INTERCEPT: Part(INTERCEPT, "intercept", {INTERCEPT: np.ones(len(sample.rows))})}
    for term in terms:
        made |= {part.name: part for part in term.parts(sample, made)}
    return made
