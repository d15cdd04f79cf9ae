"""Versions of what made the report."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from pniflow import __version__
from pniflow.report.blocks import Paragraph, Row, Table
from pniflow.report.run_results import Results

_PACKAGES = ("numpy", "scipy", "pandas", "pyarrow", "nibabel", "matplotlib", "jinja2", "typst", "t1prep")


def software(results: Results) -> list[Any]:
    """Return the versions of pniflow and of the packages it runs on."""
    bibliography = results.bibliography
    rows = [Row(["pniflow"], [[__version__]])]
    for package in _PACKAGES:
        try:
            rows.append(Row([package, *bibliography.cite(package)], [[metadata.version(package)]]))
        except metadata.PackageNotFoundError:
            continue
    ran: list[Any] = ["The steps were run by Snakemake", *bibliography.cite("snakemake"), "."]
    table = Table(["Versions of the software that made this report."], ["Package", "Version"], rows)
    return [Paragraph(ran), table]
