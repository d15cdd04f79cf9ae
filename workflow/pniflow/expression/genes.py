"""Which row of a lab's file is which gene: the curated map, and gene sets as files.

Only the curated map is used. Free aliases collide ("AP-1" is five genes, "HGF" is IL6 and a growth factor),
so a name that is not a current symbol, a former symbol, an Ensembl or an Entrez id of the map is no match.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pniflow import resources
from pniflow.contracts import read_table
from pniflow.errors import InputError, listing

if TYPE_CHECKING:
    import pandas as pd


class Match(NamedTuple):
    """A gene, and the kind of identifier by which it was recognised."""

    gene: str
    kind: str


class GeneMap(NamedTuple):
    """Identifier -> gene, and names that belong to several genes."""

    genes: tuple[str, ...]
    names: dict[str, Match]
    ambiguous: dict[str, tuple[str, ...]]


@resources.cached
def gene_map() -> GeneMap:
    """Return the curated map: current and former symbols, Ensembl and Entrez ids."""
    tables = [read_table(path, "gene_map").fillna("") for path in resources.sources("genes", "gene_map")]
    rows = {row["gene"]: row for table in tables for row in table.to_dict("records")}
    names: dict[str, Match] = {}
    ambiguous: dict[str, tuple[str, ...]] = {}
    for gene, row in rows.items():
        identifiers = [
            (gene, "symbol"),
            (row["ensembl_gene_id"], "ensembl"),
            (row["entrez_gene_id"], "entrez"),
        ]
        identifiers += [(former, "former symbol") for former in _split(row["former_symbols"])]
        identifiers += [(other, "alternative ensembl") for other in _split(row["alternative_ensembl_ids"])]
        for identifier, kind in identifiers:
            # Some tables print C1orf43 in capitals. Il6, the mouse's, stays unknown.
            for spelling in {identifier, identifier.upper()} - {""}:
                names[spelling] = Match(gene, kind)
        for name in _split(row["ambiguous_names"]):
            ambiguous[name] = (*ambiguous.get(name, ()), gene)
    return GeneMap(tuple(rows), names, ambiguous)


def _split(cell: str) -> list[str]:
    return cell.split("|") if cell else []


def identify(labels: Iterable[str], known: GeneMap, entrez: bool = False) -> list[Match | None]:
    """Recognise each label, or not.

    Parameters
    ----------
    labels : iterable of str
        Row labels as in the file: `CXCL8`, `IL8`, `ENSG00000169429.6`, `ENSG00000169429|CXCL8`,
        `CXCL8_ENSG00000169429`, `3576`.
    known : GeneMap
        The curated map.
    entrez : bool
        Whether labels of digits are Entrez ids; otherwise they are numbers of no meaning.

    Returns
    -------
    list
        One Match, or None, per label. A label of several parts is recognised where its parts agree.
    """
    return [_identify(label, known.names, entrez) for label in labels]


def _identify(label: str, names: dict[str, Match], entrez: bool) -> Match | None:
    found = names.get(label)
    if found is None and label.startswith("ENSG"):
        found = names.get(label.partition(".")[0].partition("_")[0]) if "|" not in label else None
    if found is None and (place := label.find("ENSG")) > 0 and label[place - 1] in "_-.:; ":
        # TNF_ENSG00000232810, as labs join the two.
        label = f"{label[: place - 1]}|{label[place:]}"
    if found is None and "|" in label:
        cells = label.split("|")
        # IL6|3569; of more parts a number can be anything (GENCODE: the transcript's length).
        parts = {match for part in cells if (match := _identify(part, names, len(cells) == 2))}
        found = min(parts) if len({match.gene for match in parts}) == 1 else None
    if found is not None and found.kind == "entrez" and not entrez and "|" not in label:
        return None
    return found


class GeneSet(NamedTuple):
    """A gene set: genes in the file's order, with component and weight."""

    name: str
    genes: tuple[str, ...]
    components: tuple[str, ...]
    weights: tuple[float, ...]


COMPONENTS = ("inflammatory", "interferon", "antibody")


def read_gene_set(name: str) -> GeneSet:
    """Read a gene set (`ctra53`, `ctra12_core`, `inflammatory19`, `interferon31`, or the user's own).

    Raises
    ------
    InputError
        There is no such set, the file is against its contract, or a gene of it is not in the gene map.
    """
    path = resources.find("genes", name)
    table = read_table(path, "gene_set")
    unknown = [gene for gene in table["gene"] if gene not in gene_map().genes]
    if unknown:
        raise InputError(
            f"{path.name}: {listing(unknown)} is not a current symbol of resources/genes/gene_map.tsv; add"
            " it first, to a genes/gene_map.tsv of your own resources."
        )
    return GeneSet(name, tuple(table["gene"]), tuple(table["component"]), tuple(table["weight"]))


@resources.cached
def symbols(name: str) -> tuple[str, ...]:
    """Return the genes of a shipped list (`reference11`, `leukocyte8`)."""
    return tuple(read_table(resources.find("genes", name))["gene"])


def match_table(labels: Sequence[str], matches: Sequence[Match | None], known: GeneMap) -> pd.DataFrame:
    """Write down how each gene of the map was found.

    Parameters
    ----------
    labels, matches : sequences
        Row labels of the whole file, and what `identify` made of each.

    Returns
    -------
    DataFrame
        Contract gene_match: gene, status (found, renamed, ambiguous, absent), matched_by, identifiers, rows.
    """
    import pandas as pd

    by_gene: dict[str, list[tuple[str, str]]] = {gene: [] for gene in known.genes}
    doubtful: dict[str, list[str]] = {gene: [] for gene in known.genes}
    for label, match in zip(labels, matches, strict=True):
        if match is not None:
            by_gene[match.gene].append((label, match.kind))
        elif label in known.ambiguous:
            for gene in known.ambiguous[label]:
                doubtful[gene].append(label)
    rows = []
    for gene in known.genes:
        hits, kinds = by_gene[gene], sorted({kind for _, kind in by_gene[gene]})
        identifiers = [label for label, _ in hits] or doubtful[gene]
        status = (
            "renamed"
            if kinds == ["former symbol"]
            else "found"
            if hits
            else "ambiguous"
            if identifiers
            else "absent"
        )
        rows.append((gene, status, "|".join(kinds) or None, "|".join(identifiers) or None, len(hits)))
    return pd.DataFrame(rows, columns=["gene", "status", "matched_by", "identifiers", "rows"])


@resources.cached
def checks(role: str) -> tuple[str, ...]:
    """Return the genes of a sample check: female, male, b_cell, globin or genotype."""
    table = read_table(resources.find("genes", "sample_checks"))
    return tuple(table["gene"][table["role"] == role])
