"""How measures, terms, numbers and p-values are written for people: in figures, report and terminal."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pniflow import modalities, resources
from pniflow.errors import InputError
from pniflow.files import read_yaml

if TYPE_CHECKING:
    import pandas as pd

MINUS = "−"  # U+2212, as wide as a plus sign
NONE = "–"  # stands where there is no number
NBSP = "\u00a0"  # keeps a number and its sign or unit on one line
LEVEL = f"95{NBSP}%"
CTRA_SIGN = "higher CTRA = more adverse: more inflammatory, less interferon and antibody gene expression"
COMPONENT_SIGN = "higher = more expression"
CTRA_COMPONENTS = ("inflammatory", "interferon", "antibody")
# Domain of a measure -> how its branch is called.
DOMAINS = {name: one.label for name, one in modalities.DOMAINS.items()} | {"exposure": "Exposure"}
_NAME = re.compile(
    r"(?<![\w.-])(?:ses-[A-Za-z0-9]+|[A-Za-z0-9]+(?:[._][A-Za-z0-9]+)+)(?![\w-])"
)  # as tables write it
_SIDES = {"left": "left", "right": "right", "left_minus_right": "left minus right", "both": "both sides"}


@dataclass(frozen=True)
class Label:
    """A measure in words.

    Attributes
    ----------
    long, short : str
        For prose and for axes.
    better : str
        "lower", "higher", or "" where neither is better.
    unit : str
        Unit, "" where none is recorded.
    """

    long: str
    short: str
    better: str = ""
    unit: str = ""


@resources.cached
def known(name: str) -> dict[str, dict[str, str]]:
    """Read a table of `resources/labels/`: first column -> row; the user's own rows replace shipped ones."""
    return {next(iter(row.values())): row for row in resources.rows("labels", name)}


@resources.cached
def instrument_key(name: str) -> dict[str, Any] | None:
    """Return an instrument's key file, the user's own before the shipped one; None where there is none."""
    try:
        key: dict[str, Any] = read_yaml(resources.find("instruments", name))
    except InputError:
        return None
    return key


def unit_shown(text: str) -> str:
    """Write a unit's powers of a length as they are printed ("kg/m2" -> "kg/m²")."""
    raised = str.maketrans("23", "²³")
    return re.sub(
        r"(?<![A-Za-z0-9_])([cdkmµ]?m)([23])(?![A-Za-z0-9_])", lambda m: m[1] + m[2].translate(raised), text
    )


def units_of(measures: pd.DataFrame) -> dict[str, str]:
    """Return measure -> its unit as printed, of the measures that have one."""
    once = measures.drop_duplicates("measure")
    units = zip(once["measure"], once["unit"], strict=True)
    return {str(name): unit_shown(unit) for name, unit in units if given(unit)}


def unit_of(measure: str, units: Mapping[str, str]) -> str:
    """Return a measure's unit as the data have it, else that of its label."""
    return units.get(measure) or label(measure).unit


@resources.cached
def label(measure: str) -> Label:
    """Return a measure's label: from `resources/labels`, the instrument, a region's name, or as it is."""
    row = known("measures").get(measure)
    scale = _scale(measure)
    if row:
        return Label(row["label"], row["short"], row["better"] or scale.better, unit_shown(row["unit"]))
    if scale.long:
        return scale
    region = region_of(measure)
    if region:
        metric = re.sub("^gm ", "grey matter ", region.metric.replace("_", " "))
        metric = re.sub("^wm ", "white matter ", metric)
        place = region.group.replace("_", " ")
        place = place if region.side == "left_minus_right" else f"{_SIDES[region.side]} {place}"
        lead = "left minus right " if region.side == "left_minus_right" else ""
        long = f"{lead}{metric} of the {place}"
        long = long[:1].upper() + long[1:]
        unit = "mm" if "thickness" in region.metric else "ml" if "volume" in region.metric else ""
        return Label(long, f"{region.group.replace('_', ' ')}, {_SIDES[region.side]}", "", unit)
    text = measure.replace("_", " ").strip()
    return Label(text, text)


def _scale(measure: str) -> Label:
    """Return the label of a questionnaire's scale from its key file; empty for other measures."""
    parts = measure.split("_")
    for count in range(len(parts), 0, -1):
        name = "_".join(parts[:count])
        key = instrument_key(name)
        scale = key["scales"].get(measure) if key else None
        if key and scale:
            title = scale.get("title") or (key["title"] if measure == name else " ".join(parts[count:]))
            better = {"better": "higher", "worse": "lower"}.get(scale["higher_is"], "")
            return Label(title[:1].upper() + title[1:], title, better, "points")
    return Label("", "")


@dataclass(frozen=True)
class Region:
    """The parts of a region group's measure name `<atlas>.<group>.<side>.<metric>`."""

    atlas: str
    group: str
    side: str
    metric: str


def atlas(name: str) -> str:
    """Return an atlas in words; one without a label by its name."""
    return known("atlases").get(name, {}).get("label", name)


def region_of(measure: str) -> Region | None:
    """Take a region group's measure name apart; None for other measures."""
    parts = measure.split(".")
    return Region(*parts) if len(parts) == 4 and parts[2] in _SIDES else None


def question(family: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the question a family of tests asks: the known one if that is what it tests, else its name."""
    row = known("families").get(family)
    kinds = {row_term(one).kind for one in rows}
    if row and kinds <= set(row["kinds"].split()):
        return row["question"]
    text = family.replace("_", " ")
    return f"{text[:1].upper()}{text[1:]}"


@dataclass(frozen=True)
class Term:
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


def term_of(term: str, sessions: int = 2) -> Term:
    """Take a term's name apart (`session`, `session[ses-fu]`, `pss10_within`, `ctra_between`, `pss10`)."""
    if term == "session":
        return Term("change", "") if sessions <= 2 else Term("joint", "session")
    inside = re.fullmatch(r"session\[(.+)\]", term)
    if inside:
        return Term("change", inside.group(1))
    if term == "(intercept)":
        return Term("level", "")
    if "between_minus_within" in term:
        return Term("difference", term.replace("between_minus_within", "").strip("_."))
    for kind in ("within", "between"):
        if term.endswith("_" + kind):
            return Term(kind, term[: -len(kind) - 1])
    return Term("pooled", term)


def row_term(row: Mapping[str, Any]) -> Term:
    """Take the term of an estimate's row apart: over several sessions it is joint where the row has an F."""
    return term_of(row["term"], 3 if row.get("df_numerator") else 2)


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


def sign_note(*measures: str) -> str:
    """Return the sign convention that must stand beside numbers on these measures, else ""."""
    notes = []
    if any(measure.startswith("ctra") for measure in measures):
        notes.append(CTRA_SIGN)
    if any(measure in CTRA_COMPONENTS for measure in measures):
        notes.append(COMPONENT_SIGN)
    return "; ".join(notes)


def subject(measure: str) -> str:
    """Return a measure's label as the subject of a sentence."""
    text = label(measure).long
    return f"The {text}" if measure.startswith("ctra") else text


def persons(counts: Sequence[int]) -> str:
    """Write how many persons models rest on ("22 persons in each model", "17 to 23 persons in a model")."""
    low, high = min(counts), max(counts)
    return f"{plural(low, 'person')} in each model" if low == high else f"{low} to {high} persons in a model"


def inside(text: str) -> str:
    """Return a label as it stands inside a sentence: small first letter, unless it is an abbreviation."""
    return text[:1].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text


def given(value: Any) -> bool:
    """Return True for a value that can be shown (neither missing nor infinite)."""
    if value is None or str(value) in ("<NA>", "nan", "NaT", ""):
        return False
    return not isinstance(value, float) or math.isfinite(value)


def number(value: Any, decimals: int = 2) -> str:
    """Write a number with a true minus sign; never "−0.00", a dash where there is none."""
    if not given(value):
        return NONE
    text = f"{float(value):.{decimals}f}"
    if text.startswith("-"):
        text = MINUS + text[1:] if text.strip("-0.") else text[1:]
    return text


def decimals_for(std_error: Any, *values: Any) -> int:
    """Return decimals that show two digits of the standard error, more where a value would read as zero."""
    if not given(std_error) or float(std_error) <= 0:
        return 3
    decimals = min(max(0, 1 - math.floor(math.log10(float(std_error)))), 8)
    for value in values:
        while given(value) and decimals < 8 and 0 < abs(float(value)) < 0.5 * 10**-decimals:
            decimals += 1
    return decimals


def p_value(p: Any) -> str:
    """Write a p-value: three decimals, "< .001" below, more where rounding would cross .05, never 0 or 1."""
    if not given(p):
        return NONE
    p = float(p)
    if p < 0.001:
        return f"<{NBSP}.001"
    if p > 0.999:
        return f">{NBSP}.999"
    decimals = 3
    while decimals < 8 and (p < 0.05) != (round(p, decimals) < 0.05):
        decimals += 1
    return f"{p:.{decimals}f}"[1:]


def p_phrase(p: Any, symbol: str = "p") -> str:
    """Write "p = .049" or "p < .001"."""
    text = p_value(p)
    return f"{symbol}{NBSP}{text}" if text[0] in "<>" else f"{symbol}{NBSP}={NBSP}{text}"


def effect_kind(kind: Any) -> str:
    """Return an effect size's name without its explanation ("hedges_g_av (mean of …)" -> "Hedges g_av")."""
    name = str(kind).split(" (")[0] if given(kind) else ""
    who, _, symbol = name.partition("_")
    return f"{who.capitalize()} {symbol}" if who in ("hedges", "cohen") else name.replace("_", " ")


def plural(count: Any, one: str, many: str | None = None) -> str:
    """Write "1 person", "2 persons"."""
    count = int(count)
    return f"{count} {one if count == 1 else many or one + 's'}"


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table's rows as dicts, missing as None."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def estimate_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return estimates as rows in the table's order, each with its `key` model/outcome/term."""
    return [{**row, "key": f"{row['model']}/{row['outcome']}/{row['term']}"} for row in records(frame)]


def coefficients(
    rows: Sequence[Mapping[str, Any]], sessions: Sequence[str]
) -> dict[str, list[Mapping[str, Any]]]:
    """Return the key of each F test -> the rows of its coefficients, sessions in order of time."""

    def place(row: Mapping[str, Any]) -> int:
        later = row_term(row).of
        return sessions.index(later) if later in sessions else 0

    return {
        row["key"]: sorted((one for one in rows if one["key"].startswith(f"{row['key']}[")), key=place)
        for row in rows
        if row["df_numerator"]
    }


def remark(text: Any, sessions: Mapping[str, str]) -> str:
    """Write a note's sessions and measures by their labels ("since ses-pre" -> "since “before”"), - as −."""

    def said(found: re.Match[str]) -> str:
        name = found[0]
        if name in sessions:
            return f"“{sessions[name]}”"
        long = label(name).long
        return name if long == name.replace("_", " ") else inside(long)

    return re.sub(r"(?<![\w.-])-(?=\d)", MINUS, _NAME.sub(said, str(text or "")))


def item(name: str) -> str:
    """Return what was left out or flagged in words ("scale pss10" -> "Perceived stress (PSS-10)")."""
    kind, _, measure = name.partition(" ")
    return label(measure).long if kind in ("scale", "assay", "measure") else name
