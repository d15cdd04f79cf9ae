"""Methods and software, written from what was fitted and what the files say, never from a template."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any

from pniflow import __version__, words
from pniflow.report.parts import Heading, Listing, Paragraph, Row, Table

if TYPE_CHECKING:
    import pandas as pd

_PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "statsmodels",
    "nibabel",
    "matplotlib",
    "jinja2",
    "t1prep",
)
_NORMALIZED = {
    "reference_genes": "by the mean of stable reference genes (Eisenberg & Levanon 2013)",
    "cpm": "to counts per million",
    "none": "not at all (the data came normalized)",
}
_ADJUSTED = {
    "bh": "Benjamini-Hochberg (false discovery rate)",
    "holm": "Holm (family-wise error)",
    "none": "Not adjusted",
}


def methods(
    study: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    tables: Mapping[str, pd.DataFrame],
    documents: Mapping[str, Any],
) -> list[Any]:
    """Return the methods as headed paragraphs."""
    blocks: list[Any] = [Heading("Design"), Paragraph([_design(study)])]
    parts = {
        "Questionnaires": " ".join(filter(None, (_questionnaires(study, rows), _unverified(study)))),
        "Laboratory assays": _assays(study),
        "Gene expression": _expression(study, tables, documents),
        "MRI": _imaging(study, tables),
        "Statistics": _statistics(rows, tables),
        "Multiple tests": _multiplicity(rows, tables),
        "Missing data": _missing(rows),
    }
    for title, text in parts.items():
        if text:
            blocks += [Heading(title), Paragraph([text])]
    left_out = _left_out(tables)
    if left_out:
        text = "Planned in the models file and not fitted, because the study lacks the data:"
        blocks += [
            Heading("Planned and not fitted"),
            Paragraph([text]),
            Listing([("", [one]) for one in left_out]),
        ]
    return blocks


def _design(study: Mapping[str, Any]) -> str:
    sessions = []
    for name, about in study["sessions"].items():
        day = (about or {}).get("day")
        label = (about or {}).get("label") or name
        sessions.append(f"{label} (day {words.number(day, 0)})" if words.given(day) else label)
    return (
        f"Design: {study['design']}. Intervention: {study['intervention']}. Sessions: {', '.join(sessions)}."
    )


def _questionnaires(study: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    modelled = {row["outcome"] for row in rows} | {words.term_of(row["term"]).of for row in rows}
    scored: dict[str, list[str]] = {}
    for name in study.get("instruments", {}):
        key = words.instrument_key(name)
        if key is None:
            scored.setdefault("by a key file of the study's own", []).append(name)
            continue
        if modelled & set(key["scales"]):
            share = f"{key['missing']['minimum_share'] * 100:g}{words.NBSP}%"
            rule = f"where at least {share} of a scale's items were answered"
            scored.setdefault(rule, []).append(key["title"])
    if not scored:
        return ""
    listed = "; ".join(f"{_joined(names)}, {rule}" for rule, names in scored.items())
    return (
        f"Scored from items: {listed}. An item that was not answered counts as the person's mean of the"
        " scale,"
        " never as zero."
    )


def _unverified(study: Mapping[str, Any]) -> str:
    """Return the instruments whose key file marks the key or the rule for missing items as not confirmed."""
    marked: list[str] = []
    rules: list[str] = []
    for name in study.get("instruments", {}):
        key = words.instrument_key(name)
        if key is None:
            marked.append(f"{name} (a key file of the study's own)")
            continue
        if key["evidence"] != "verified":
            marked.append(f"{instrument(name)} ({key['evidence']})")
        if not key["missing"]["published"] and not key.get("totals_only"):
            rules.append(instrument(name))
    said = [f"Scoring key not verified by two sources: {'; '.join(marked)}."] if marked else []
    said += [f"Rule for missing items not stated by the authors of: {'; '.join(rules)}."] if rules else []
    return " ".join(said)


def instrument(name: str) -> str:
    """Return a measure's label; for an instrument without a total score, its own name."""
    label = words.label(name).long
    if label != name.replace("_", " "):
        return label
    key = words.instrument_key(name)
    return str(key["title"]) if key else label


def _assays(study: Mapping[str, Any]) -> str:
    sentences = []
    for name, about in study.get("assays", {}).items():
        scale = {"natural": "natural logarithm", "none": "as measured"}.get(about["log"], about["log"])
        limit = about.get("detection_limit")
        text = f"{name.replace('_', ' ')} in {about['unit']}, analysed as {scale}"
        if words.given(limit):
            stand = about["below_limit_as"].replace("_", " ").replace("sqrt2", "√2")
            text += f"; below the limit of detection ({limit:g} {about['unit']}) taken as {stand}"
        sentences.append(text)
    return f"{_joined(sentences)[:1].upper()}{_joined(sentences)[1:]}." if sentences else ""


def _expression(
    study: Mapping[str, Any], tables: Mapping[str, pd.DataFrame], documents: Mapping[str, Any]
) -> str:
    if "expression" not in study:
        return ""
    sentences = [f"Levels came as {study['expression']['unit']}"]
    report = documents.get("normalization") or {}
    if report.get("method"):
        sentences[0] += f" and were normalized {_NORMALIZED.get(report['method'], report['method'])}"
    genes = tables.get("ctra_genes")
    if genes is not None and len(genes):
        used = genes[genes["status"] == "used"]
        counts = used["component"].value_counts(sort=False)
        parts = ", ".join(f"{count} {name}" for name, count in counts.items())
        sentences.append(
            f"The CTRA score of a sample is the mean over {words.plural(len(used), 'gene')} ({parts}) of"
            " weight times z of log2"
            " expression, z over all samples"
        )
    sentences.append(f"Sign: {words.CTRA_SIGN}")
    return ". ".join(sentences) + "."


def _imaging(study: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> str:
    if "cat12" not in study:
        return ""
    scans = tables.get("globals")
    versions = []
    if scans is not None and "cat_version" in scans:
        versions = sorted(str(version) for version in scans["cat_version"].dropna().unique())
    named = f"CAT12 ({', '.join(versions)})" if versions else "CAT12 (version not recorded)"
    return (
        f"Region volumes and thickness were read from the outputs of {named}; within-person averages are"
        " never used as a"
        f" time point. Lesions before segmentation: {study['cat12']['lesion_handling']}."
    )


def _statistics(rows: Sequence[Mapping[str, Any]], tables: Mapping[str, pd.DataFrame]) -> str:
    kinds = list(dict.fromkeys(str(row["method"]) for row in rows if words.given(row["method"])))
    if not kinds:
        return ""
    count = len({row["model"] for row in rows})
    text = f"{words.plural(count, 'model')}, fitted by {_joined(kinds)}."
    if any("REML" in kind for kind in kinds):
        text += " Mixed models have a random intercept per person; intervals are 95 %, tests are two-sided."
    if any(words.term_of(row["term"]).kind == "within" for row in rows):
        text += (
            " Predictors that vary over sessions are split into the person's mean (between) and the deviation"
            " from it"
            " (within), after removing session means."
        )
    singular = sum(
        bool(row["singular"]) for row in rows if words.given(row["singular"]) and words.given(row["family"])
    )
    if singular:
        text += (
            f" In {words.plural(singular, 'tested row')} the variance between persons was estimated at zero."
        )
    return text


def _multiplicity(rows: Sequence[Mapping[str, Any]], tables: Mapping[str, pd.DataFrame]) -> str:
    families = tables.get("diagnostics")
    if families is not None:
        families = families[(families["table"] == "families") & (families["quantity"] == "m_planned")]
    if families is None or not len(families):
        names = list(dict.fromkeys(row["family"] for row in rows if words.given(row["family"])))
        return (
            f"p-values are adjusted within {words.plural(len(names), 'family', 'families')} of tests."
            if names
            else ""
        )
    grouped: dict[str, list[str]] = {}
    for name, value, note in zip(families["family"], families["value"], families["note"], strict=True):
        adjust = re.search(r"adjustment (\w+)", str(note))
        how = _ADJUSTED.get(adjust.group(1), adjust.group(1)) if adjust else "adjustment not recorded"
        grouped.setdefault(how, []).append(f"{name} ({int(value)})")
    listed = "; ".join(f"{how}: {', '.join(names)}" for how, names in grouped.items())
    return f"Families of tests were declared beforehand, with their planned number of tests. {listed}."


def _missing(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    return (
        "Each model uses every row that has the outcome and all terms; nothing is imputed. This holds for"
        " mixed models if"
        " data are missing at random given what the model contains."
    )


def _left_out(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    table = tables.get("diagnostics")
    if table is None:
        return []
    table = table[table["table"] == "models_left_out"]
    reasons: dict[str, list[str]] = {}
    for model, outcome, note in zip(table["model"], table["outcome"], table["note"], strict=True):
        name = f"{model} ({words.label(outcome).long})" if words.given(outcome) else str(model)
        reasons.setdefault(str(note), []).append(name)
    return [f"{_joined(names)}: {reason}." for reason, names in reasons.items()]


def _joined(texts: Sequence[str]) -> str:
    texts = list(texts)
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def software() -> list[Any]:
    """Return the versions of pniflow and of the packages it runs on."""
    rows = [Row(["pniflow"], [[__version__]])]
    for package in _PACKAGES:
        try:
            rows.append(Row([package], [[metadata.version(package)]]))
        except metadata.PackageNotFoundError:
            continue
    return [Table(["Versions of the software that made this report."], ["Package", "Version"], rows)]
