"""Genes of the score, one by one."""

from __future__ import annotations

import pytest

import made_results as made
from drawn_figures import by_gene
from pniflow.figures.plot_gene_forest import order_genes
from pniflow.text import numbers

pytestmark = [pytest.mark.xdist_group("figures"), pytest.mark.filterwarnings("error")]


def test_genes_stand_by_component_then_by_estimate():
    rows = numbers.records(by_gene())
    order = order_genes(rows, "session")
    first = {row["gene"]: row["estimate"] for row in rows if row["term"] == "session"}
    assert [gene for part in made.GENES.values() for gene in sorted(part, key=first.__getitem__)] == order
