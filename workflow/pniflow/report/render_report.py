"""Read the tables of a run and write the report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pniflow import __version__, files
from pniflow.config import read_study
from pniflow.errors import InputError
from pniflow.models.specification import Plan, read_models
from pniflow.report import published_claims, trace
from pniflow.report.bibliography import Bibliography
from pniflow.report.blocks import Picture, Trace
from pniflow.report.html import write_page
from pniflow.report.interpretation import Context
from pniflow.report.methods import methods
from pniflow.report.pdf import write_paper
from pniflow.report.robustness import FIRMNESS, firmness
from pniflow.report.run_tables import Results
from pniflow.report.sections import all_sections
from pniflow.report.software import software
from pniflow.tables import TABLES, read
from pniflow.text import labels, wording

if TYPE_CHECKING:
    import pandas as pd

_ASIDE = ("estimates", "measures", "normalization")  # not shown as tables
# Tables of which no number of the report is a cell.
_UNTRACED = (*_ASIDE, "participants", "globals", "quality", "freesurfer", "protocol")
# What matplotlib writes; a drawing without it is as wide and high as a page gives it.
_SIZE = re.compile(rb'<svg[^>]*\bwidth="([0-9.]+)pt"[^>]*\bheight="([0-9.]+)pt"')


def render_report(
    *,
    study: Path,
    tables: Mapping[str, Path],
    out: Path,
    pdf: Path | None = None,
    references: Path | None = None,
    models: Path | None = None,
    gene_set: str | None = None,
    variant: str | None = None,
    figures: list[Path] | None = None,
    published: list[str] | None = None,
) -> None:
    """Write the report: one HTML file that holds everything and loads nothing, and the same as PDF.

    Parameters
    ----------
    study : Path
        study.yaml.
    tables : mapping of str to Path
        Tables of the run by their names in `pniflow.tables`: estimates, and what else there is.
    out : Path
        The report as one HTML file.
    pdf : Path, optional
        The same report as PDF.
    references : Path, optional
        What the methods cite, as a BibTeX file.
    models : Path, optional
        models.yaml, by which the models were fitted.
    gene_set, variant : str, optional
        Gene set and variant of the CTRA score.
    figures : list of Path, optional
        The figures' descriptions (JSON); each SVG lies beside its description.
    published : list of str, optional
        Files of `resources/published` whose claims stand beside this study's estimates.

    Raises
    ------
    InputError
        A table is absent or against its contract.
    """
    documents: dict[str, Any] = {
        "plan": read_models(models) if models else None,
        "gene_set": gene_set,
        "variant": variant,
        "published": published or [],
    }
    held = {name: read(path, name) for name, path in tables.items()}
    results = _results(study, held, documents, read_figures(figures or []))
    front: dict[str, Any] = {
        "title": results.study["title"],
        "subtitle": f"{results.study['design'][:1].upper()}{results.study['design'][1:]}",
        "simulated": results.study["simulated"],
        "sections": all_sections(results),
    }
    about: dict[str, Any] = {
        "traces": _traces(results, tables, documents["plan"]),
        "behind": trace.behind(tables["estimates"].parent.parent, models),
    }
    files.write_text(out, write_page(version=__version__, **about, **front))
    if references:
        files.write_text(references, results.bibliography.bibtex())
    if pdf:
        files.write_bytes(pdf, write_paper(made=f"Made by pniflow {__version__}", **front))


def _results(
    study: Path, held: dict[str, Any], documents: Mapping[str, Any], figures: Mapping[str, Picture]
) -> Results:
    """Gather what the report is written from."""
    about = read_study(study)
    rows = wording.estimate_rows(held["estimates"])
    tables = {name: table for name, table in held.items() if name not in _ASIDE}
    documents = {**documents, "normalization": held.get("normalization", {})}
    sessions = wording.session_words(about)
    units, domains, measured = _measures(held.get("measures"), list(sessions))
    variants: dict[str, list[dict[str, Any]]] = {}
    for row in wording.estimate_rows(tables["sensitivity"]) if "sensitivity" in tables else []:
        variants.setdefault(row["key"], []).append(row)
    equivalence = {
        key: row for key, some in variants.items() for row in some if row["variant"] == "equivalence"
    }
    context = Context(
        sessions,
        units,
        equivalence=equivalence,
        coefficients=wording.coefficients(rows, list(sessions)),
        measured=measured,
    )
    bibliography = Bibliography()
    written = {
        "methods": methods(about, rows, tables, documents, bibliography),
        "software": software(bibliography),
        "claims": published_claims.comparison(rows, context, documents["published"]),
    }
    return Results(
        study=about,
        rows=rows,
        context=context,
        variants=variants,
        domains=domains,
        tables=tables,
        figures=figures,
        bibliography=bibliography,
        **written,
    )


def _traces(results: Results, given: Mapping[str, Path], plan: Plan | None) -> list[Trace]:
    """Return where each number comes from: one trace for each estimate and for each other table."""
    traces = [
        Trace(
            f"t{place}",
            row["key"],
            trace.describe(row, results.variants.get(row["key"], ()), plan, results.context.units),
        )
        for place, row in enumerate(results.rows)
    ]
    known = {row["key"] for row in results.rows}
    for place, (key, rows) in enumerate(results.variants.items()):
        if key not in known:  # an outcome that the sensitivity analyses alone have
            facts = trace.describe(rows[0], rows[1:], plan, results.context.units)
            traces.append(Trace(f"v{place}", key, facts))
    for place, (key, facts) in enumerate(trace.tallies(results.rows, results.context.alpha).items()):
        traces.append(Trace(f"f{place}", f"families {key}", facts))
    found = firmness(results.rows, results.variants, results.context.alpha)
    for place, (name, facts) in enumerate(found.items() if found["tested"] else ()):
        what = ("counted", f"{FIRMNESS[name]}, by their sensitivity analyses")
        traces.append(Trace(f"s{place}", f"sensitivity {name}", [what, *facts]))
    for name, path in given.items():
        if name in _UNTRACED:
            continue
        rule = TABLES[name].rule
        facts = [
            ("file", f"{path.parent.name}/{path.name}"),
            ("sha256", trace.digest(path).removeprefix("sha256 ")),
            ("rule", rule),
            (
                "command",
                f"pniflow {rule.replace('_', '-')} (snakemake -n -p --forcerun {rule} prints it)",
            ),
        ]
        traces.append(Trace(f"table-{name}", f"table {name}", facts))
    return traces


def _measures(
    table: pd.DataFrame | None, sessions: Sequence[str]
) -> tuple[dict[str, str], dict[str, str], dict[str, list[str]]]:
    """Return measure -> unit, measure -> domain and measure -> sessions with a value, in order of time."""
    if table is None:
        return {}, {}, {}
    once = table.drop_duplicates("measure")
    known = set(table.dropna(subset=["value"])[["measure", "session_id"]].itertuples(index=False, name=None))
    measured = {name: [one for one in sessions if (name, one) in known] for name in once["measure"]}
    return labels.units_of(table), dict(zip(once["measure"], once["domain"], strict=True)), measured


def read_figures(paths: list[Path]) -> Mapping[str, Picture]:
    """Read figures by their descriptions; those that have nothing to show are left out."""
    pictures = {}
    for path in paths:
        about = files.read_json(path)
        if about.get("empty"):
            continue
        vector = Path(path).parent / Path(about["figure"]).name
        if not vector.is_file():
            raise InputError(
                f"{path}: the figure {about['figure']} is not beside its description; draw it again."
            )
        name, svg = Path(path).stem, vector.read_bytes()
        size = _SIZE.search(svg)
        pictures[name] = Picture(
            name=name,
            title=about["title"],
            svg=svg,
            alt=about["alt"],
            caption=[about["caption"]],
            keys=about["keys"],
            width=float(size[1]) if size else Picture.width,
            height=float(size[2]) if size else Picture.height,
        )
    return pictures
