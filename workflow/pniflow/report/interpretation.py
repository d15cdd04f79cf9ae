"""The answer to each prespecified question in one plain sentence, in words that hold.

A p-value at or above the level is never "no change": the sentence gives the interval and says what was not
shown. No verb claims a cause: the design has none to offer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pniflow.report import blocks
from pniflow.report.blocks import Number, Text
from pniflow.text import labels, numbers, wording
from pniflow.text.estimates import Estimate, Variant

SHOWN, UNCLEAR, NONE = "shown", "unclear", "none"  # verdicts


@dataclass(frozen=True)
class Context:
    """What sentences need beside the row.

    Attributes
    ----------
    sessions : dict
        Session -> its label, in order of time.
    units : dict
        Measure -> unit.
    alpha : float
        Level of the tests.
    equivalence : dict
        Key -> row of the equivalence test, where a bound was declared.
    coefficients : dict
        Key of an F test -> the rows of its coefficients.
    measured : dict
        Measure -> the sessions with a value of it, in order of time.
    """

    sessions: Mapping[str, str]
    units: Mapping[str, str]
    alpha: float = 0.05
    equivalence: Mapping[str, Variant] = field(default_factory=dict)
    coefficients: Mapping[str, Sequence[Estimate]] = field(default_factory=dict)
    measured: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def compared(self, outcome: str, later: str = "") -> tuple[str, str]:
        """Return the labels of the first session of an outcome and of the later one, else of its last."""
        own = self.measured.get(outcome) or list(self.sessions)
        return self.sessions[own[0]], self.sessions.get(later or own[-1], later)


def verdict(row: Estimate, alpha: float) -> str:
    """Return whether a difference was shown at the level, by the adjusted p where the plan adjusts."""
    if row.decisive_p is None:
        return NONE
    return SHOWN if row.decisive_p < alpha else UNCLEAR


def answer(row: Estimate, context: Context) -> tuple[str, Text]:
    """Return the verdict on one tested row and its sentence."""
    term = row.tested
    result = verdict(row, context.alpha)
    if result == NONE:
        what = f"{labels.subject(row.outcome)}: {_about(term)}"
        return NONE, [f"{what} could not be estimated ({reason(row)})."]
    if row.df_numerator:
        return result, _joint(row, term, context, result == SHOWN)
    higher = row.estimate is not None and row.estimate > 0
    direction = "higher" if higher else "lower"
    lead = _CLAUSES[term.kind](row.outcome, direction, result == SHOWN, term.of, context)
    return result, [*_signed(lead, row.outcome, term.of), ": ", *_figures(row, term, context), "."]


def reason(row: Estimate) -> str:
    """Return why a row could not be estimated."""
    return str(row.note) if row.note is not None else "no reason recorded"


def _about(term: wording.TestedTerm) -> str:
    if term.kind in ("change", "joint"):
        return "the difference between the sessions"
    if term.kind in ("level", "difference"):
        return {"level": "the mean", "difference": "the difference of the slopes"}[term.kind]
    return f"the relation with {_inside(term.of)}"


def _inside(measure: str) -> str:
    return numbers.inside(labels.subject(measure))


def _change(outcome: str, direction: str, clear: bool, of: str, context: Context) -> str:
    name, (first, later) = labels.subject(outcome), context.compared(outcome, of)
    if clear:
        return f"{name} was {direction} {at(later)} than {at(first)}"
    return f"{name} was not shown to differ between {quoted(first)} and {quoted(later)}"


def at(session: str) -> str:
    """Return a session's label as when something was."""
    return session if session in ("before", "after") else f"at the session {quoted(session)}"


def quoted(session: str) -> str:
    """Return a session's label as it stands in a sentence."""
    return session if session in ("before", "after") else f"“{session}”"


def _within(outcome: str, direction: str, clear: bool, of: str, context: Context) -> str:
    if clear:
        more = numbers.inside(labels.label(of).long)
        return f"Within persons, {_inside(outcome)} was {direction} in sessions with higher {more}"
    return (
        f"Within persons, {_inside(outcome)} was not shown to go with {_inside(of)} from session to session"
    )


def _between(outcome: str, direction: str, clear: bool, of: str, context: Context) -> str:
    mean = numbers.inside(labels.label(of).long)
    if clear:
        return f"Between persons, {_inside(outcome)} was {direction} in those whose mean {mean} was higher"
    return f"Between persons, {_inside(outcome)} was not shown to go with mean {mean}"


def _pooled(outcome: str, direction: str, clear: bool, of: str, context: Context) -> str:
    if clear:
        return (
            f"Over all sessions together, {_inside(outcome)} was {direction} where {_inside(of)} was higher"
        )
    return f"Over all sessions together, {_inside(outcome)} was not shown to go with {_inside(of)}"


def _difference(outcome: str, direction: str, clear: bool, of: str, context: Context) -> str:
    verb = f"was {direction} than" if clear else "was not shown to differ from"
    return f"For {_inside(outcome)}, the slope between persons {verb} the slope within persons"


def _level(outcome: str, direction: str, clear: bool, of: str, context: Context) -> str:
    if clear:
        return (
            f"{labels.subject(outcome)} was {'above' if direction == 'higher' else 'below'} zero on average"
        )
    return f"{labels.subject(outcome)} was not shown to differ from zero on average"


_CLAUSES = {
    "level": _level,
    "change": _change,
    "within": _within,
    "between": _between,
    "pooled": _pooled,
    "difference": _difference,
}


def sign_words(outcome: str, of: str) -> str:
    """Return in short which direction is which: the CTRA's sign where it takes part, else what is better."""
    short = []
    if outcome.startswith("ctra") or of.startswith("ctra"):
        short.append("higher CTRA = more adverse")
    if labels.sign_note(outcome) == labels.COMPONENT_SIGN:
        short.append(labels.COMPONENT_SIGN)
    better = labels.label(outcome).better
    if better and not outcome.startswith("ctra"):
        short.append(f"{better} is better")
    return "; ".join(short)


def _signed(lead: str, outcome: str, of: str) -> Text:
    sign = sign_words(outcome, of)
    return [f"{lead} ({sign})" if sign else lead]


def _figures(row: Estimate, term: wording.TestedTerm, context: Context) -> list[str | Number]:
    """Return estimate, interval, p, effect size and n as text."""
    what = "mean difference" if term.kind == "change" else "slope"
    what = {"difference": "difference of the slopes", "level": "mean"}.get(term.kind, what)
    text: list[str | Number] = [f"{what} ", blocks.estimate(row), unit_words(row, term, context)]
    if numbers.given(row.conf_low):
        text += [f" ({numbers.LEVEL} CI ", *blocks.interval(row), ")"]
    text += _p_values(row)
    if row.effect_size is not None and term.kind == "change":
        text += [
            f", {numbers.effect_kind(row.effect_size_kind)}{numbers.NBSP}={numbers.NBSP}",
            blocks.shown(row, "effect_size", 2),
        ]
    text += [f", n{numbers.NBSP}={numbers.NBSP}", blocks.count(row)]
    text += _equivalent(row, context)
    return text


def _p_values(row: Estimate) -> list[str | Number]:
    """Return p, and the adjusted p where the plan adjusts."""
    adjusted = [", adjusted ", *blocks.p_clause(row, "p_adjusted")] if row.p_adjusted is not None else []
    return [", ", *blocks.p_clause(row), *adjusted]


def unit_words(row: Estimate, term: wording.TestedTerm, context: Context) -> str:
    """Return the unit of an estimate: that of the outcome, for a slope per unit of the predictor."""
    unit = labels.unit_of(row.outcome, context.units)
    text = f" {unit}" if unit else ""
    if term.kind in ("within", "between", "pooled"):
        of = labels.unit_of(term.of, context.units)
        text += f" per {of.removesuffix('s') if of == 'points' else of}" if of else " per unit"
    return text


def _equivalent(row: Estimate, context: Context) -> list[str | Number]:
    """Return the result of the equivalence test, where a bound was declared."""
    test = context.equivalence.get(row.key)
    if test is None or test.p_value is None or test.bound is None:
        return []
    verb = "was" if test.p_value < context.alpha else "was not"
    p = Number(numbers.p_value(test.p_value), row.key, "p_value", "sensitivity")
    sign = "" if p.text[0] in "<>" else f"={numbers.NBSP}"
    bound = f"{test.bound:.4g}"
    if test.bound_sd is not None:
        session = test.bound_session or ""
        bound += f" = {test.bound_sd:g} SD at “{context.sessions.get(session, session)}”"
    return [f"; equivalence within the declared bound of {bound} {verb} shown (p{numbers.NBSP}{sign}", p, ")"]


def _joint(row: Estimate, term: wording.TestedTerm, context: Context, clear: bool) -> Text:
    """Return the sentence of an F test, with each of its coefficients."""
    verb = "differed" if clear else "was not shown to differ"
    over = "between the sessions" if term.kind == "joint" else f"with {_inside(term.of)}"
    lead = _signed(f"{labels.subject(row.outcome)} {verb} {over}", row.outcome, term.of)
    text: list[Any] = [*lead, ": ", *blocks.f_test(row), *_p_values(row)]
    text += [f", n{numbers.NBSP}={numbers.NBSP}", blocks.count(row)]
    for one in context.coefficients.get(row.key, ()):
        named = wording.predictor(one.term, context.sessions)
        unit = unit_words(one, term, context)
        text += [f"; {named}: ", blocks.estimate(one), unit]
        text += [f" ({numbers.LEVEL} CI ", *blocks.interval(one), ")"]
    return [*text, "."]


def families(rows: Sequence[Estimate]) -> dict[str, list[Estimate]]:
    """Return family -> its tested rows: primary families first, then secondary, then exploratory.

    Where a family tests several sessions at once, the joint row stands first.
    """
    grouped: dict[str, list[Estimate]] = {}
    for row in rows:
        if row.family is not None:
            grouped.setdefault(row.family, []).append(row)
    order: dict[str | None, int] = {"primary": 0, "secondary": 1, "exploratory": 2}
    return dict(sorted(grouped.items(), key=lambda family: order.get(family[1][0].role, 3)))


def is_control(row: Estimate) -> bool:
    """Tell whether a tested row is a negative control: its family is expected null in the plan."""
    return bool(row.expected_null)


def tally(rows: Sequence[Estimate], alpha: float) -> tuple[int, int]:
    """Return in how many of the tests a difference was shown, and how many tests there are."""
    return sum(verdict(row, alpha) == SHOWN for row in rows), len(rows)


def not_estimable(rows: Sequence[Estimate]) -> int:
    """Return how many of the tests could not be made."""
    return sum(row.decisive_p is None for row in rows)
