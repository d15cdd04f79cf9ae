"""Read the tables of a run and write the report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pniflow import __version__, files, words
from pniflow.config import read_study
from pniflow.errors import InputError
from pniflow.report import further, published_claims, trace
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
from pniflow.resources import searched

if TYPE_CHECKING:
    import pandas as pd

# What matplotlib writes; a drawing without it is as wide and high as a page gives it.
_SIZE = re.compile(rb'<svg[^>]*\bwidth="([0-9.]+)pt"[^>]*\bheight="([0-9.]+)pt"')


def render_report(
    *,
    study: Path,
    estimates: Path,
    out: Path,
    pdf: Path | None = None,
    references: Path | None = None,
    models: Path | None = None,
    measures: Path | None = None,
    sensitivity: Path | None = None,
    diagnostics: Path | None = None,
    participants: Path | None = None,
    flow: Path | None = None,
    exclusions: Path | None = None,
    table1: Path | None = None,
    genes: Path | None = None,
    globals: Path | None = None,
    quality: Path | None = None,
    course: Path | None = None,
    inclusion: Path | None = None,
    flags: Path | None = None,
    reliability: Path | None = None,
    dictionary: Path | None = None,
    windows: Path | None = None,
    scales: Path | None = None,
    normalization: Path | None = None,
    sample_quality: Path | None = None,
    over_genes: Path | None = None,
    gene_estimates: Path | None = None,
    design: Path | None = None,
    peaks: Path | None = None,
    clusters: Path | None = None,
    voxel_peaks: Path | None = None,
    voxel_clusters: Path | None = None,
    freesurfer: Path | None = None,
    protocol: Path | None = None,
    gene_set: str | None = None,
    variant: str | None = None,
    figures: list[Path] | None = None,
    published: list[str] | None = None,
    resources: Path | None = None,
) -> None:
    """Write the report: one HTML file that holds everything and loads nothing, and the same as PDF.

    Parameters
    ----------
    study : Path
        study.yaml.
    estimates : Path
        Estimates (contract estimates).
    out : Path
        The report as one HTML file.
    pdf : Path, optional
        The same report as PDF.
    references : Path, optional
        What the methods cite, as a BibTeX file.
    models : Path, optional
        models.yaml, by which the models were fitted.
    measures, sensitivity, diagnostics, participants, flow, exclusions, table1 : Path, optional
        Tables of the run by the contract of the same name.
    genes : Path, optional
        Genes of the CTRA score (contract ctra_genes).
    globals, quality : Path, optional
        Whole-brain numbers and quality of the scans.
    course, inclusion, flags, reliability, dictionary : Path, optional
        Descriptions by the contract of the same name.
    windows : Path, optional
        Days that each measure looks back on (contract windows).
    scales : Path, optional
        Scale scores (contract scales), of which those prorated and not scored are counted.
    normalization : Path, optional
        JSON that normalize-expression reports.
    sample_quality : Path, optional
        What speaks for and against each blood sample (contract sample_quality).
    over_genes, gene_estimates : Path, optional
        Analyses over the genes of the set, and gene by gene.
    design : Path, optional
        Errors and power of the design.
    peaks, clusters : Path, optional
        Peaks and clusters of the maps over the cortical surface.
    voxel_peaks, voxel_clusters : Path, optional
        Peaks and clusters of the maps voxel by voxel.
    freesurfer : Path, optional
        Regions of FreeSurfer's tables (contract regions).
    protocol : Path, optional
        How each image was measured (contract protocol).
    gene_set, variant : str, optional
        Gene set and variant of the CTRA score.
    figures : list of Path, optional
        The figures' descriptions (JSON); each SVG lies beside its description.
    published : list of str, optional
        Files of `resources/published` whose claims stand beside this study's estimates.
    resources : Path, optional
        The user's own resources: labels, instruments and published claims there come first.

    Raises
    ------
    InputError
        A table is absent or against its contract.
    """
    given = {
        "sensitivity": sensitivity,
        "diagnostics": diagnostics,
        "participants": participants,
        "flow": flow,
        "exclusions": exclusions,
        "table1": table1,
        "ctra_genes": genes,
        "globals": globals,
        "quality": quality,
        "course": course,
        "inclusion": inclusion,
        "flags": flags,
        "reliability": reliability,
        "dictionary": dictionary,
        "windows": windows,
        "scales": scales,
        "sample_quality": sample_quality,
        "over_genes": over_genes,
        "gene_estimates": gene_estimates,
        "design": design,
        "peaks": peaks,
        "clusters": clusters,
        "voxel_peaks": voxel_peaks,
        "voxel_clusters": voxel_clusters,
        "freesurfer": freesurfer,
        "protocol": protocol,
    }
    with searched(resources):
        documents = {
            "normalization": files.read_json(normalization) if normalization else {},
            "plan": files.read_yaml(models) if models else {},
            "gene_set": gene_set,
            "variant": variant,
            "published": published or [],
        }
        results = _results(
            study,
            estimates,
            {name: further.read(path, name) for name, path in given.items() if path},
            measures,
            documents,
            read_figures(figures or []),
        )
        front: dict[str, Any] = {
            "title": results.study["title"],
            "subtitle": f"{results.study['design'][:1].upper()}{results.study['design'][1:]}",
            "simulated": results.study["simulated"],
            "sections": all_sections(results),
        }
        about: dict[str, Any] = {
            "traces": _traces(results, given, documents["plan"]),
            "behind": trace.behind(estimates.parent.parent, models),
        }
    files.write_text(out, write_page(version=__version__, **about, **front))
    if references:
        files.write_text(references, results.bibliography.bibtex())
    if pdf:
        files.write_bytes(pdf, write_paper(made=f"Made by pniflow {__version__}", **front))


def _results(
    study: Path,
    estimates: Path,
    tables: Mapping[str, pd.DataFrame],
    measures: Path | None,
    documents: Mapping[str, Any],
    figures: Mapping[str, Picture],
) -> Results:
    """Gather what the report is written from."""
    about = read_study(study)
    rows = words.estimate_rows(files.read_table(estimates, "estimates"))
    sessions = words.session_words(about)
    units, domains, measured = _measures(measures, list(sessions))
    variants: dict[str, list[dict[str, Any]]] = {}
    for row in words.estimate_rows(tables["sensitivity"]) if "sensitivity" in tables else []:
        variants.setdefault(row["key"], []).append(row)
    equivalence = {
        key: row for key, some in variants.items() for row in some if row["variant"].startswith("equivalence")
    }
    context = Context(
        sessions,
        units,
        equivalence=equivalence,
        coefficients=words.coefficients(rows, list(sessions)),
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


def _traces(results: Results, given: Mapping[str, Path | None], plan: Mapping[str, Any]) -> list[Trace]:
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
        if path and name in trace.RULES:
            shown = f"{path.parent.name}/{path.name}"
            command = trace.RULES[name].replace("_", "-")
            facts = [
                ("file", shown),
                ("sha256", trace.digest(path).removeprefix("sha256 ")),
                ("rule", trace.RULES[name]),
                (
                    "command",
                    f"pniflow {command} (snakemake -n -p --forcerun {trace.RULES[name]} prints it)",
                ),
            ]
            traces.append(Trace(f"table-{name}", f"table {name}", facts))
    return traces


def _measures(
    path: Path | None, sessions: Sequence[str]
) -> tuple[dict[str, str], dict[str, str], dict[str, list[str]]]:
    """Return measure -> unit, measure -> domain and measure -> sessions with a value, in order of time."""
    if path is None:
        return {}, {}, {}
    table: pd.DataFrame = files.read_table(path, "measures")
    once = table.drop_duplicates("measure")
    known = set(table.dropna(subset=["value"])[["measure", "session_id"]].itertuples(index=False, name=None))
    measured = {name: [one for one in sessions if (name, one) in known] for name in once["measure"]}
    return words.units_of(table), dict(zip(once["measure"], once["domain"], strict=True)), measured


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
