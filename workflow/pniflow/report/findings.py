"""Change, CTRA, associations and MRI: tables and figures of the tested rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pniflow.report import estimate_tables, further, interpretation, robustness
from pniflow.report.blocks import Heading, Listing, Number, Paragraph
from pniflow.report.run_tables import Results, asked, figures, is_ctra, is_imaging, tested
from pniflow.text import labels

if TYPE_CHECKING:
    import pandas as pd


def change(results: Results) -> list[Any]:
    """Differences between the sessions."""
    rows = [row for row in tested(results, "change", "joint") if not is_imaging(results, row)]
    in_ctra = {
        name for name, some in interpretation.families(rows).items() if all(is_ctra(row) for row in some)
    }
    rows = [row for row in rows if row["family"] not in in_ctra]
    if not rows:
        return []
    label_texts = list(results.context.sessions.values())
    order = (
        f"{label_texts[-1]} minus {label_texts[0]}"
        if len(label_texts) == 2
        else f"each session minus {label_texts[0]}"
    )
    blocks = figures(results, "change")
    blocks.append(Paragraph(estimate_tables.reading_note(rows, results.context), "note"))
    for family, some in interpretation.families(rows).items():
        caption = f"{asked(family, some, results)} Differences ({order}); family {family}, {some[0]['role']}."
        blocks.append(estimate_tables.estimates_table(some, results.context, [caption]))
    return blocks


def ctra(results: Results) -> list[Any]:
    """CTRA and its components, with the sign convention first."""
    if "expression" not in results.domains.values():
        return []
    text = (
        f"Sign convention of every CTRA number in this report: {labels.CTRA_SIGN}. The components stand in"
        f" the direction of expression ({labels.COMPONENT_SIGN})."
    )
    blocks: list[Any] = [Paragraph([text])]
    genes = results.tables.get("ctra_genes")
    if genes is not None and len(genes):
        used = int((genes["status"] == "used").sum())
        lost = genes[genes["status"] != "used"]
        named = [f"{gene} ({status})" for gene, status in zip(lost["gene"], lost["status"], strict=True)]
        left_out = f"; left out: {', '.join(named)}." if named else "."
        noun = "gene" if len(genes) == 1 else "genes"
        counted: list[Any] = ["The score uses ", _genes(used, "used"), " of ", _genes(len(genes), "all")]
        blocks.append(Paragraph([*counted, f" {noun} of the set{left_out}"]))
        blocks += _left_out_by_filters(genes[genes["status"] == "used"])
    blocks += figures(results, "ctra")
    rows = [row for row in tested(results, "change", "joint") if is_ctra(row)]
    if rows:
        blocks.append(
            estimate_tables.estimates_table(
                rows, results.context, ["CTRA and its components between the sessions."]
            )
        )
    if "over_genes" in results.tables:
        blocks += further.over_genes(results.tables["over_genes"], results.context.sessions)
    if "gene_estimates" in results.tables:
        blocks += further.genes(results.tables["gene_estimates"], results.context.sessions)
    return blocks


def _genes(count: int, key: str) -> Number:
    return Number(str(count), key, "count", "ctra_genes")


def _left_out_by_filters(genes: pd.DataFrame) -> list[Any]:
    """List the genes that each sensitivity of the score leaves out."""
    filters = {
        "low_expression": "ctra_low_expression_filter",
        "low_variance": "ctra_variance_filter",
        "near_floor": "ctra_without_near_floor",
    }
    items: list[tuple[str, list[Any]]] = []
    for column, variant in filters.items():
        lost = list(genes["gene"][genes[column].eq(True)])
        text: list[Any] = [f"{robustness.label(variant)}: "]
        if lost:
            text += [_genes(len(lost), column), " of ", _genes(len(genes), "used"), f": {', '.join(lost)}."]
        items.append(("", text if lost else [*text, "none."]))
    return [Paragraph(["Genes that sensitivity analyses of the score leave out:"]), Listing(items)]


def associations(results: Results) -> list[Any]:
    """Slopes within and between persons."""
    rows = [
        row
        for row in tested(results, "within", "between", "difference", "pooled", "level")
        if not is_imaging(results, row)
    ]
    if not rows:
        return []
    text = (
        "Within persons: does a session with more of the predictor than the person's own mean have more of"
        " the outcome?"
        " Between persons: do persons with a higher mean have more of the outcome? The two can differ in"
        " sign, so they"
        " are never mixed, except in the models named pooled, which are shown because published analyses did"
        " so."
    )
    note = Paragraph(estimate_tables.reading_note(rows, results.context), "note")
    blocks = [Paragraph([text]), *figures(results, "associations"), note]
    for family, some in interpretation.families(rows).items():
        caption = f"{asked(family, some, results)} Slopes; family {family}, {some[0]['role']}."
        blocks.append(estimate_tables.estimates_table(some, results.context, [caption]))
    return blocks


def mri(results: Results) -> list[Any]:
    """Brain structure."""
    rows = [
        row
        for row in tested(results, "change", "joint", "within", "between", "difference", "pooled", "level")
        if is_imaging(results, row)
    ]
    maps = further.maps(results.tables, results.context.sessions)
    maps = [Heading("Peaks and clusters of the maps", "mri-maps"), *maps] if maps else []
    if not rows:
        return maps
    blocks = [
        *figures(results, "regions"),
        Paragraph(estimate_tables.reading_note(rows, results.context), "note"),
    ]
    for family, some in interpretation.families(rows).items():
        caption = f"{asked(family, some, results)} Family {family}, {some[0]['role']}."
        blocks.append(estimate_tables.estimates_table(some, results.context, [caption]))
    return [*blocks, *figures(results, "maps"), *maps]
