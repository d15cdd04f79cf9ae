"""Gene expression: the CTRA, its components, and what was asked over its genes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pniflow.report import estimate_tables
from pniflow.report.blocks import Fold, Listing, Number, Paragraph, Text
from pniflow.report.listed_tables import listed, terms
from pniflow.report.run_results import Results, is_ctra
from pniflow.text import labels

if TYPE_CHECKING:
    import pandas as pd

_ANALYSES = {
    "composite": "composite score (prespecified)",
    "nested_gene_model": "genes nested in samples",
    "per_gene_bootstrap": "mean over genes, bootstrap",
    "legacy_gls": "regression over genes (legacy, not for inference)",
}
_FILTERS = {  # column of the genes -> the sensitivity analysis that leaves them out
    "low_expression": "ctra_low_expression_filter",
    "low_variance": "ctra_variance_filter",
    "near_floor": "ctra_without_near_floor",
}


def ctra(results: Results) -> list[Any]:
    """CTRA and its components, with the sign convention first."""
    if "expression" not in results.domains.values():
        return []
    text = (
        f"Sign convention of every CTRA number in this report: {labels.CTRA_SIGN}. The components stand in"
        f" the direction of expression ({labels.COMPONENT_SIGN})."
    )
    blocks: list[Any] = [Paragraph([text]), *_genes_of_the_score(results), *results.figures_at("ctra")]
    rows = [row for row in results.of_kinds("change", "joint") if is_ctra(row)]
    if rows:
        caption = ["CTRA and its components between the sessions."]
        blocks.append(estimate_tables.estimates_table(rows, results.context, caption))
    return [*blocks, *over_genes(results), *by_gene(results)]


def _genes_of_the_score(results: Results) -> list[Any]:
    genes = results.filled("ctra_genes")
    if genes is None:
        return []
    used, lost = genes[genes["status"] == "used"], genes[genes["status"] != "used"]
    named = [f"{gene} ({status})" for gene, status in zip(lost["gene"], lost["status"], strict=True)]
    left_out = f"; left out: {', '.join(named)}." if named else "."
    noun = "gene" if len(genes) == 1 else "genes"
    counted: Text = ["The score uses ", _count(len(used), "used"), " of ", _count(len(genes), "all")]
    return [Paragraph([*counted, f" {noun} of the set{left_out}"]), *_left_out_by_filters(used)]


def _count(count: int, key: str) -> Number:
    return Number(str(count), key, "count", "ctra_genes")


def _left_out_by_filters(genes: pd.DataFrame) -> list[Any]:
    """List the genes that each sensitivity of the score leaves out."""
    items: list[tuple[str, Text]] = []
    for column, variant in _FILTERS.items():
        lost = list(genes["gene"][genes[column].eq(True)])
        found: Text = ["none."]
        if lost:
            found = [_count(len(lost), column), " of ", _count(len(genes), "used"), f": {', '.join(lost)}."]
        items.append(("", [f"{labels.variant(variant)}: ", *found]))
    return [Paragraph(["Genes that sensitivity analyses of the score leave out:"]), Listing(items)]


def over_genes(results: Results) -> list[Any]:
    """The prespecified composite beside the field's other ways of asking over genes."""
    table = results.filled("over_genes")
    if table is None:
        return []
    caption = (
        "The same question asked over the genes in several ways; the composite score is the prespecified one."
    )
    said = {"analysis": _analysis, "term": terms(results.sessions)}
    note = f"Estimates: change of the mean signed expression; {labels.CTRA_SIGN}."
    if table["evidence"].str.contains("FRED").any():
        note += " FRED13, FRED15: the published data GSE45330 and GSE55762, on which the tests were tried."
    return [Fold(["Other analyses over genes"], [listed(table, "over_genes", caption, note, said)])]


def _analysis(name: str) -> str:
    return _ANALYSES.get(name, name)


def by_gene(results: Results) -> list[Any]:
    """Every gene's estimates."""
    table = results.filled("gene_estimates")
    if table is None:
        return []
    note = f"Genes stand in the direction of expression ({labels.COMPONENT_SIGN})."
    said = {"term": terms(results.sessions)}
    block = listed(table, "gene_estimates", "Each gene by itself; exploratory.", note, said)
    return [Fold(["Gene by gene"], [block], "gene_estimates.tsv")]
