"""Read the tables of a run and write the report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pniflow import __version__, files
from pniflow.config import read_study
from pniflow.errors import InputError
from pniflow.models.specification import read_models
from pniflow.report import trace
from pniflow.report.blocks import Document, Picture, Section, Trace
from pniflow.report.html import write_page
from pniflow.report.interpretation import Context
from pniflow.report.pdf import write_paper
from pniflow.report.run_results import Results
from pniflow.report.sections.all_estimates import all_estimates
from pniflow.report.sections.answers import answers
from pniflow.report.sections.associations import associations
from pniflow.report.sections.change import change
from pniflow.report.sections.checklists import checklists
from pniflow.report.sections.claims import claims
from pniflow.report.sections.ctra import ctra
from pniflow.report.sections.data_dictionary import data_dictionary
from pniflow.report.sections.limits import limits
from pniflow.report.sections.methods import methods
from pniflow.report.sections.mri import mri
from pniflow.report.sections.participants import participants
from pniflow.report.sections.quality import quality
from pniflow.report.sections.sensitivity import FIRMNESS, firmness, sensitivity
from pniflow.report.sections.software import software
from pniflow.tables import TABLES, read
from pniflow.text import labels, wording
from pniflow.text.estimates import Variant, coefficients, estimates_of, variants_of

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
    behind: list[Path] | None = None,
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
    behind : list of Path, optional
        What the models were fitted to; without it, what of that lies beside the estimates.
    published : list of str, optional
        Files of `resources/published` whose claims stand beside this study's estimates.

    Raises
    ------
    InputError
        A table is absent or against its contract.
    """
    held = {name: read(path, name) for name, path in tables.items()}
    results = _results(
        study,
        held,
        figures=read_figures(figures or []),
        plan=read_models(models) if models else None,
        gene_set=gene_set,
        variant=variant,
        published=published or (),
    )
    about = results.study
    subtitle = f"{about['design'][:1].upper()}{about['design'][1:]}"
    report = Document(about["title"], subtitle, about["simulated"], all_sections(results))
    facts = trace.behind(tables["estimates"].parent.parent, models, behind)
    page = write_page(report, traces=_traces(results, tables), behind=facts, version=__version__)
    files.write_text(out, page)
    if references:
        files.write_text(references, results.bibliography.bibtex())
    if pdf:
        files.write_bytes(pdf, write_paper(report, f"Made by pniflow {__version__}"))


def all_sections(results: Results) -> list[Section]:
    """Return the sections that have something to say, in the order of the page."""
    written = [
        Section("answers", "Answers", answers(results)),
        Section("participants", "Participants", participants(results)),
        Section("change", "Change between the sessions", change(results)),
        Section("ctra", "Gene expression (CTRA)", ctra(results)),
        Section("associations", "Associations", associations(results)),
        Section("mri", "Brain structure (MRI)", mri(results)),
        Section("quality", "Quality and exclusions", quality(results)),
        Section("sensitivity", "Sensitivity analyses", sensitivity(results)),
        Section("claims", "Comparison with published claims", claims(results)),
        Section("methods", "Methods", methods(results)),
        Section("limits", "What this study cannot show", limits(results)),
        Section("estimates", "All estimates", all_estimates(results)),
        Section("dictionary", "Data dictionary", data_dictionary(results)),
        Section("software", "Software", software(results)),
    ]
    there = [section for section in written if section.blocks]
    there.append(Section("checklists", "Reporting checklists", checklists(there, results)))
    works = results.bibliography
    return [*there, Section("references", "References", [works.listing(), *works.keys()])]


def _results(study: Path, held: dict[str, Any], **more: Any) -> Results:
    """Gather what the report is written from."""
    about = read_study(study)
    rows = estimates_of(held["estimates"])
    sessions = wording.session_words(about)
    units, domains, measured = _measures(held.get("measures"), list(sessions))
    variants: dict[str, list[Variant]] = {}
    for row in variants_of(held["sensitivity"]) if "sensitivity" in held else []:
        variants.setdefault(row.key, []).append(row)
    context = Context(
        sessions,
        units,
        equivalence={
            key: row for key, some in variants.items() for row in some if row.variant == "equivalence"
        },
        coefficients=coefficients(rows, list(sessions)),
        measured=measured,
    )
    return Results(
        study=about,
        rows=rows,
        context=context,
        variants=variants,
        domains=domains,
        tables={name: table for name, table in held.items() if name not in _ASIDE},
        normalization=held.get("normalization", {}),
        **more,
    )


def _traces(results: Results, given: Mapping[str, Path]) -> list[Trace]:
    """Return where each number comes from: one trace for each estimate and for each other table."""
    plan, units, variants = results.plan, results.context.units, results.variants
    traces = [
        Trace(f"t{place}", row.key, trace.describe(row, variants.get(row.key, ()), plan, units))
        for place, row in enumerate(results.rows)
    ]
    known = {row.key for row in results.rows}
    for place, (key, rows) in enumerate(variants.items()):
        if key not in known:  # an outcome that the sensitivity analyses alone have
            traces.append(Trace(f"v{place}", key, trace.describe(rows[0], rows[1:], plan, units)))
    for place, (key, facts) in enumerate(trace.tallies(results.rows, results.context.alpha).items()):
        traces.append(Trace(f"f{place}", f"families {key}", facts))
    found = firmness(results.rows, variants, results.context.alpha)
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
            ("command", f"pniflow {rule.replace('_', '-')} (snakemake -n -p --forcerun {rule} prints it)"),
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
