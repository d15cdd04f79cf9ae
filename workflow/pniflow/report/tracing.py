"""Where a number comes from: its row, its model in words, the files behind it, the command that made it."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pniflow import files, words
from pniflow.errors import InputError

_MODELLED = ("cohort/measures.parquet", "cohort/participants.tsv", "models/estimates.tsv")


def trace(key: list[str], *, results: Path = Path("results"), models: Path | None = None) -> None:
    """Print where estimates come from.

    Parameters
    ----------
    key : list of str
        Keys as the report shows them: model/outcome/term.
    results : Path
        The run's results folder.
    models : Path, optional
        models.yaml of the run; a simulated study's is found in the results.

    Raises
    ------
    InputError
        There is no such key; the sentence names the most similar ones.
    """
    rows = {row["key"]: row for row in words.estimate_rows(_table(results, "estimates"))}
    path = results / "models" / "sensitivity.tsv"
    variants = words.estimate_rows(files.read_table(path, "sensitivity")) if path.is_file() else []
    written = models or results / "raw" / "models.yaml"
    plan = files.read_yaml(written) if written.is_file() else {}
    for one in key:
        if one not in rows:
            near = difflib.get_close_matches(one, rows, 3, 0.4)
            hint = f"; the nearest are {', '.join(near)}" if near else ""
            raise InputError(
                f"{results}/models/estimates.tsv: there is no row {one} (model/outcome/term){hint}."
            )
        others = [row for row in variants if row["key"] == one]
        print("\n".join([*describe(rows[one], others, plan), *_inputs(results), ""]))


def _table(results: Path, name: str) -> Any:
    return files.read_table(results / "models" / f"{name}.tsv", name)


def describe(
    row: Mapping[str, Any], variants: Sequence[Mapping[str, Any]], plan: Mapping[str, Any]
) -> list[str]:
    """Return the lines on one estimate: its row in full, its model, its sensitivity analyses."""
    label = words.label(row["outcome"])
    lines = [
        row["key"],
        "=" * len(row["key"]),
        f"outcome: {label.long}" + (f" ({label.unit})" if label.unit else ""),
    ]
    sign = words.sign_note(row["outcome"], words.term_of(row["term"]).of)
    lines += [f"sign: {sign}"] if sign else []
    for name, value in row.items():
        if name not in ("key", "model", "outcome", "term") and words.given(value):
            lines.append(f"{name}: {value}")
    model = find_model(str(row["model"]), plan)
    if model:
        lines += ["", f"model {row['model']}, as planned:", *formula(model, plan)]
    if variants:
        lines += ["", "sensitivity analyses (estimate, p):"]
        for one in variants:
            lines.append(
                f"  {one['variant']}: {words.number(one['estimate'], 4)}, p {words.p_value(one['p_value'])}"
            )
    return lines


def find_model(name: str, plan: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the planned model of a name, with `for_each` filled in."""
    for model in plan.get("models", []):
        choices = model.get("for_each", {})
        filled: list[dict[str, str]] = [{}]
        for word, values in choices.items():
            filled = [{**known, word: value} for known in filled for value in values]
        for values in filled:
            written = model["name"]
            for word, value in values.items():
                written = written.replace("{" + word + "}", value)
            if written == name:
                return {**model, "values": values}
    return None


def formula(model: Mapping[str, Any], plan: Mapping[str, Any], *, words_only: bool = False) -> list[str]:
    """Return a planned model in words: fixed terms, random intercept, sample, method.

    With `words_only` a predictor that stands for several keeps its word in braces.
    """
    defaults = plan.get("defaults", {})
    values = {word: f"{{{word}}}" for word in model["values"]} if words_only else model["values"]
    fixed = ", ".join(_term(term, values) for term in model["fixed"])
    random = model.get("random", defaults.get("random", []))
    method = defaults.get("method", {})
    sample = {**defaults.get("sample", {}), **model.get("sample", {})}
    return [
        f"  fixed: intercept{', ' if fixed else ''}{fixed}",
        "  random:"
        f" {'intercept per ' + ', '.join(part['intercept'] for part in random) if random else 'none'}",
        "  sample:"
        f" {', '.join(str(value).replace('_', ' ') for value in sample.values()) or 'all available'}",
        f"  method: {', '.join(str(value).replace('_', ' ') for value in method.values()) or 'not recorded'}",
    ]


def _term(term: Any, values: Mapping[str, str]) -> str:
    if isinstance(term, Mapping):
        (kind, of), *_ = term.items()
        named = [values.get(str(one), str(one)) for one in (of if isinstance(of, list) else [of])]
        if kind == "split":
            return f"{named[0]} split into within and between persons"
        return f"{' by '.join(named)}{'' if kind in ('variable', 'interaction') else f' ({kind})'}"
    return values.get(str(term), str(term))


def _inputs(results: Path) -> list[str]:
    """Return the files behind the estimates with their SHA-256, and the rule that wrote them."""
    lines = ["", "files (SHA-256):"]
    for name in _MODELLED:
        path = results / name
        if path.is_file():
            lines.append(f"  {name}: {hashlib.sha256(path.read_bytes()).hexdigest()}")
    return [
        *lines,
        "rule: fit_models (pniflow fit-models; snakemake -n -p --forcerun fit_models prints the command)",
    ]
