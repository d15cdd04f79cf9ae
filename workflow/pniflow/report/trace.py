"""Where a number comes from: its row, its model in words, the files behind it, the command that made it."""

from __future__ import annotations

import difflib
import hashlib
import itertools
import shlex
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from pniflow import contracts
from pniflow.errors import InputError
from pniflow.models.specification import Model, Plan, read_models
from pniflow.models.terms import Term
from pniflow.report import interpretation
from pniflow.tables import READS, TABLES
from pniflow.text import labels, numbers
from pniflow.text.estimates import Estimate, Variant, estimates_of, variants_of

_INPUTS = {name: TABLES[name].path for name in itertools.chain(*READS["fit_models"])}
_OUTPUTS = ("estimates", "sensitivity", "diagnostics")
Facts = list[tuple[str, str]]


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
    path = results / "models" / "sensitivity.tsv"
    variants = variants_of(contracts.read_table(path, "sensitivity")) if path.is_file() else []
    # An outcome that the sensitivity analyses alone have is traced to the first of them, as in the report.
    rows: dict[str, Estimate] = {row.key: row for row in reversed(variants)}
    table = contracts.read_table(results / "models" / "estimates.tsv", "estimates")
    rows |= {row.key: row for row in estimates_of(table)}
    written = models or results / "raw" / "models.yaml"
    plan = read_models(written) if written.is_file() else None
    measures = results / _INPUTS["measures"]
    units = labels.units_of(contracts.read_table(measures, "measures")) if measures.is_file() else {}
    for one in key:
        if one not in rows:
            near = _nearest(one, list(rows))
            hint = f"; the nearest are {', '.join(near)}" if near else ""
            raise InputError(
                f"{results}/models/estimates.tsv: there is no row {one}{hint}. A key is model/outcome/term;"
                " all are listed in the report under all estimates."
            )
        others = [row for row in variants if row.key == one and row is not rows[one]]
        facts = [*describe(rows[one], others, plan, units), *behind(results, written)]
        print("\n".join([one, "=" * len(one), *(f"{name}: {value}" for name, value in facts), ""]))


def _nearest(key: str, known: Sequence[str]) -> list[str]:
    """Return the keys that look like a key, else those that have a part of this name."""
    near = difflib.get_close_matches(key, known, 3, 0.4)
    return near or [one for one in known if key.lower() in one.lower()][:3]


def describe(
    row: Estimate, variants: Sequence[Variant], plan: Plan | None, units: Mapping[str, str]
) -> Facts:
    """Return what there is to say on one estimate: its model, its row in full, its sensitivity analyses."""
    label = labels.label(row.outcome)
    unit = labels.unit_of(row.outcome, units)
    facts = [("outcome", label.long + (f" ({unit})" if unit else ""))]
    sign = labels.sign_note(row.outcome, row.tested.of)
    facts += [("sign", sign)] if sign else []
    model = plan.model(row.model) if plan else None
    if plan and model:
        facts += [("model, as planned", model.name), *formula(model, plan)]
    for field in contracts.contract(row.table)["fields"]:
        name, value = field["name"], getattr(row, field["name"])
        if name not in ("model", "outcome", "term") and numbers.given(value):
            facts.append((name, str(value)))
    for one in variants:
        said = f"{numbers.number(one.estimate, 4)}, {numbers.p_phrase(one.p_value)}"
        facts.append((f"sensitivity, {one.variant}", said))
    return facts


def tallies(rows: Sequence[Estimate], alpha: float) -> dict[str, Facts]:
    """Return what is counted of each family ("primary/pro_change") and of each role ("primary/")."""
    found: dict[str, Facts] = {}
    for family, some in interpretation.families(rows).items():
        role = some[0].role or ""
        facts = [(row.key, _outcome(row, alpha)) for row in some]
        found[f"{role}/{family}"] = facts
        found.setdefault(f"{role}/", []).extend(facts)
    return found


def _outcome(row: Estimate, alpha: float) -> str:
    verdict = interpretation.verdict(row, alpha)
    if verdict == interpretation.NONE:
        return "not estimable"
    adjusted = [numbers.p_phrase(row.p_adjusted, "adjusted p")] if row.p_adjusted is not None else []
    shown = "shown" if verdict == interpretation.SHOWN else "not shown"
    return ", ".join([shown, numbers.p_phrase(row.p_value), *adjusted])


def behind(results: Path, models: Path | None = None, read: Collection[Path] | None = None) -> Facts:
    """Return the files behind the estimates with their SHA-256, the rule that wrote them and its command.

    Names are those inside the results folder: the same wherever it lies. What the models were fitted to is
    among `read`; where nobody says it, those of its files that are there.
    """
    if read is None:
        # An expression table without a score was not used.
        unused = () if (results / "expression" / "ctra_scores.tsv").is_file() else ("samples",)
        read = [
            results / path
            for name, path in _INPUTS.items()
            if (results / path).is_file() and name not in unused
        ]
    there = {name: path for name, path in _INPUTS.items() if results / path in read}
    facts = [(f"input {path}", digest(results / path)) for path in there.values()]
    if models and models.is_file():
        facts.append((f"input {models.name}", digest(models)))
    facts.append(("output models/estimates.tsv", digest(results / "models" / "estimates.tsv")))
    mine = _resources(results / "models" / "diagnostics.tsv")
    options = [f"{TABLES[name].flag} results/{path}" for name, path in there.items()]
    options += ["--models models.yaml", *(f"--{name} results/models/{name}.tsv" for name in _OUTPUTS)]
    return [
        *((name, value) for name, value in facts if value),
        ("rule", "fit_models (snakemake -n -p --forcerun fit_models prints the command as it runs)"),
        ("command", f"pniflow {mine}fit-models {' '.join(options)}"),
    ]


def _resources(diagnostics: Path) -> str:
    """Return the option that named the user's own resources when the models were fitted, if any."""
    if not diagnostics.is_file():
        return ""
    table = contracts.read_table(diagnostics, "diagnostics")
    named = table["quantity"][table["table"] == "resources"]
    return "".join(f"--resources {shlex.quote(folder)} " for folder in named)


def digest(path: Path) -> str:
    """Return a file's SHA-256, "" for none."""
    return f"sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}" if path.is_file() else ""


def formula(model: Model, plan: Plan) -> Facts:
    """Return a planned model in words, as a reader needs them to fit it again."""
    mixed = f"reml, {plan.inference.replace('_', ' ')}"
    return [
        ("fixed", fixed(model.terms)),
        ("coding", coding(plan)),
        ("random", random(model)),
        ("sample", f"{model.sample.replace('_', ' ')}, complete on model terms"),
        ("method", mixed if model.random else "least squares"),
    ]


def fixed(terms: Sequence[Term]) -> str:
    """Return fixed terms in words, the intercept first."""
    return ", ".join(["intercept", *(term.written() for term in terms)])


def random(model: Model) -> str:
    """Return a model's random terms in words."""
    return "intercept per participant" if model.random else "none"


def coding(plan: Plan) -> str:
    """Return how variables are coded for which a term says nothing else."""
    numeric = "minus their mean over participants" if plan.centred else "as they are"
    return (
        f"{f'session against {plan.reference}; ' if plan.reference else ''}numeric variables {numeric}; "
        "categorical variables against the first of their levels by name"
    )
