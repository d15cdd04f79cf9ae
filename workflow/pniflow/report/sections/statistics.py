"""The statistical methods in words, from the rows that were fitted and the plan they were fitted by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pniflow.report.blocks import Number, Row, Table, Text, joined
from pniflow.report.run_results import Results
from pniflow.report.trace import coding, fixed, random
from pniflow.text import labels, numbers
from pniflow.text.estimates import Estimate

if TYPE_CHECKING:
    from pniflow.models.specification import Plan

_ADJUSTED = {
    "bh": "Benjamini-Hochberg (false discovery rate)",
    "holm": "Holm (family-wise error)",
    "max_t": "the largest statistic of a map by permutation",
    "none": "not adjusted",
}
_METHODS = {  # method of an estimate -> topics that are cited
    "OLS, t": (),
    "REML, Kenward-Roger": ("reml", "kenward_roger"),
    "REML, Satterthwaite": ("reml", "satterthwaite"),
}


def fitted(results: Results) -> Text:
    """Return how models were fitted and tested, from the rows themselves."""
    rows, cite = [row for row in results.rows if row.estimated], results.bibliography.cite
    kinds = list(dict.fromkeys(row.method for row in rows))
    if not kinds:
        return ["No planned model could be fitted to these data."] if results.rows else []
    cited = [[kind, *cite(*_METHODS[kind])] for kind in kinds]
    text: list[Any] = ["Models were fitted by ", *joined(cited, last=" and "), "."]
    if any("reml" in _METHODS[kind] for kind in kinds):
        text.append(
            f" Mixed models have a random intercept per person; intervals are {numbers.LEVEL},"
            " tests two-sided."
        )
    if any(row.tested.kind == "within" for row in rows):
        text += [
            " Predictors that vary over sessions are split into the person's mean (between) and the deviation"
            " from it (within), after removing session means", *cite("within_between"), ".",
        ]  # fmt: skip
    for size in dict.fromkeys(row.effect_size_kind for row in rows):
        if size and size.startswith("hedges_g_av"):
            text += [f" Standardized changes are {numbers.effect_kind(size)}", *cite("hedges_g_av"), "."]
    if any(row.singular for row in rows if row.family is not None):
        text.append(
            " Fits in which the variance between persons was estimated at zero are listed under quality and"
            " exclusions."
        )
    return text


def models_by_family(rows: Sequence[Estimate], plan: Plan) -> list[Any]:
    """Return a table of the models behind each family of tests, as planned and fitted."""
    seen: dict[tuple[str, str], tuple[dict[str, None], dict[str, None]]] = {}
    for row in rows:
        model = plan.model(row.model) if row.family is not None else None
        if model:
            key = (model.entry, f"{fixed(model.general)}; random: {random(model)}")
            families, outcomes = seen.setdefault(key, ({}, {}))
            families[f"{row.family} ({row.role})"] = None
            outcomes[labels.label(row.outcome).short] = None
    lines = [
        Row([name], [["; ".join(families)], ["; ".join(outcomes)], [terms]])
        for (name, terms), (families, outcomes) in seen.items()
    ]
    caption = [
        "The models and the families of tests they serve, as the models file names them: outcomes, fixed"
        " terms (a name in braces stands for each of several predictors), random terms. Coding, where a"
        f" term does not say another: {coding(plan)}."
    ]
    return [Table(caption, ["Model", "Families", "Outcomes", "Terms"], lines)] if lines else []


def multiplicity(results: Results) -> Text:
    """Return how p-values are adjusted, family by family."""
    cite = results.bibliography.cite
    families = results.tables.get("diagnostics")
    if families is not None:
        families = families[(families["table"] == "families") & (families["quantity"] == "m_planned")]
    if families is None or not len(families):
        count = len({row.family for row in results.tested})
        counted = numbers.plural(count, "family", "families")
        return [f"p-values are adjusted within {counted} of tests."] if count else []
    grouped: dict[str, list[Text]] = {}
    for name, value, adjust in zip(families["family"], families["value"], families["adjust"], strict=True):
        number = Number(str(int(value)), str(name), "m_planned", "diagnostics")
        grouped.setdefault(str(adjust), []).append([f"{name} (", number, ")"])
    adjusted: list[Text] = [
        [_ADJUSTED.get(adjust, "adjustment not recorded"), *cite(adjust), " for ", *joined(names)]
        for adjust, names in grouped.items()
    ]
    lead = "Families of tests, as the models file declares them, with their number of tests: "
    return [lead, *joined(adjusted, "; "), "."]


def mapped(results: Results) -> Text:
    """Return how p-values over whole maps were made."""
    cite = results.bibliography.cite
    found = [results.filled(name) for name in ("peaks", "voxel_peaks")]
    some = [table for table in found if table is not None]
    text: list[Any] = []
    if any(table["p_fwe"].notna().any() for table in some):
        text += [" of the largest statistic", *cite("map_maxt")]
    if any(table["p_tfce"].notna().any() for table in some):
        text += [" and" if text else "", " after threshold-free cluster enhancement", *cite("tfce")]
    lead = "Over each whole map, p is family-wise by permutation of persons"
    return [lead, *cite("sign_flip"), ":", *text, "."] if text else []


def varied(results: Results) -> Text:
    """Return which sensitivity analyses were done, and how many could not be."""
    table, cite = results.filled("sensitivity"), results.bibliography.cite
    names = [] if table is None else dict.fromkeys(table["variant"])
    cited = [[labels.variant(name), *cite(name)] for name in names]
    text: list[Any] = ["Beside each prespecified estimate, where it applies: ", *joined(cited, "; "), "."]
    text = text if cited else []
    diagnostics = results.tables.get("diagnostics")
    lost = 0 if diagnostics is None else int((diagnostics["table"] == "sensitivity_not_possible").sum())
    if lost:
        number = Number(str(lost), "sensitivity_not_possible", "count", "diagnostics")
        lead = f"{' ' if text else ''}Asked for and not possible with these data, with reasons in"
        text += [f"{lead} diagnostics.tsv: ", number, "."]
    return text


def missing(results: Results) -> Text:
    """Return what was done about missing data."""
    if not results.rows:
        return []
    return [
        "Each model uses every row that has the outcome and all terms; no missing score or measure is"
        " imputed. Estimates of mixed models are valid if data are missing at random given what the model"
        " contains",
        *results.bibliography.cite("missing_at_random"),
        ".",
    ]
