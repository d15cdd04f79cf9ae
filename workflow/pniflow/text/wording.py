"""Terms of models, sessions and notes in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pniflow.text.labels import label
from pniflow.text.numbers import MINUS, inside

_NAME = re.compile(
    r"(?<![\w.-])(?:ses-[A-Za-z0-9]+|[A-Za-z0-9]+(?:[._][A-Za-z0-9]+)+)(?![\w-])"
)  # as tables write it


@dataclass(frozen=True)
class TestedTerm:
    """A tested term taken apart.

    Attributes
    ----------
    kind : str
        change (a session against the baseline), joint (several sessions at once), within, between,
        difference (between minus within), level (the intercept), pooled (any other predictor).
    of : str
        The predictor, or for a change the session's name ("" where there are two sessions).
    """

    kind: str
    of: str


def term_of(term: str, sessions: int = 2) -> TestedTerm:
    """Take a term's name apart (`session`, `session[ses-fu]`, `pss10_within`, `ctra_between`, `pss10`)."""
    if term == "session":
        return TestedTerm("change", "") if sessions <= 2 else TestedTerm("joint", "session")
    inside = re.fullmatch(r"session\[(.+)\]", term)
    if inside:
        return TestedTerm("change", inside.group(1))
    if term == "(intercept)":
        return TestedTerm("level", "")
    if "between_minus_within" in term:
        return TestedTerm("difference", term.replace("between_minus_within", "").strip("_."))
    for kind in ("within", "between"):
        if term.endswith("_" + kind):
            return TestedTerm(kind, term[: -len(kind) - 1])
    return TestedTerm("pooled", term)


def session_words(study: Mapping[str, Any]) -> dict[str, str]:
    """Return session -> its label in words ("before"), in order of time; else the name without `ses-`."""
    return {
        name: (about or {}).get("label") or name.removeprefix("ses-")
        for name, about in study["sessions"].items()
    }


def predictor(term: str, sessions: Mapping[str, str]) -> str:
    """Return what an estimate is on: the sessions compared ("after minus before"), or the predictor."""
    known, labels = term_of(term, len(sessions)), list(sessions.values())
    if known.kind == "joint":
        return "session"
    if known.kind == "change":
        return f"{sessions.get(known.of, known.of) if known.of else labels[-1]} minus {labels[0]}"
    side = f", {known.kind}" if known.kind in ("within", "between") else ""
    name, _, level = (known.of or term).partition("[")
    return f"{label(name).long}{f': {level[:-1]}' if level else ''}{side}"


def remark(text: Any, sessions: Mapping[str, str]) -> str:
    """Write a note's sessions and measures by their labels ("since ses-pre" -> "since “before”"), - as −."""

    def said(found: re.Match[str]) -> str:
        name = found[0]
        if name in sessions:
            return f"“{sessions[name]}”"
        long = label(name).long
        return name if long == name.replace("_", " ") else inside(long)

    return re.sub(r"(?<![\w.-])-(?=\d)", MINUS, _NAME.sub(said, str(text or "")))
