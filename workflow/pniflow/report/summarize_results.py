"""Closing words in the terminal: where the report is, the headline table, what was flagged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pniflow import contracts, files
from pniflow.report import blocks, interpretation
from pniflow.text import labels, numbers
from pniflow.text.estimates import Estimate, estimates_of

_MOST = 14


def summarize_results(*, results: Path = Path("results"), study: Path | None = None) -> None:
    """Print the headline results of a finished run.

    Parameters
    ----------
    results : Path
        The run's results folder.
    study : Path, optional
        study.yaml, for its title; a simulated study is found in the results.
    """
    rows = estimates_of(contracts.read_table(results / "models" / "estimates.tsv", "estimates"))
    about = _study(results, study)
    flags = _flags(results, rows)
    print(headline(rows, about, results / "report" / "report.html", flags))


def _study(results: Path, study: Path | None) -> Mapping[str, Any]:
    path = study or results / "raw" / "study.yaml"
    return files.read_yaml(path) if path.is_file() else {}


def headline(
    rows: Sequence[Estimate], study: Mapping[str, Any], report: Path, flags: Sequence[str] = ()
) -> str:
    """Return a short table of the primary and secondary questions, where the report is, and what was flagged.

    Parameters
    ----------
    rows : list of Estimate
        The estimates.
    study : mapping
        The study's description, or an empty one.
    report : Path
        The report.
    flags : list of str
        What a reader should know.
    """
    title = " ".join(str(study.get("title", "")).split())
    lines = [""]
    if title:
        lines += [title, "=" * min(len(title), 100)]
    if study.get("simulated"):
        lines.append("Simulated data: no statement about people follows from these numbers.")
    grouped = interpretation.families(rows)
    leading = sorted(
        (some for some in grouped.values() if some[0].role in ("primary", "secondary")),
        key=lambda some: (some[0].role != "primary", len(some)),
    )
    chosen = [row for some in leading or grouped.values() for row in some][:_MOST]
    total = sum(len(some) for some in grouped.values())
    if chosen:
        lines += ["", *_columns([_cells(row) for row in chosen])]
        lines.append("")
        signs = {labels.sign_note(row.outcome, row.tested.of) for row in chosen}
        said = "CTRA: higher = more adverse. " if any(labels.CTRA_SIGN in sign for sign in signs) else ""
        lines.append(f"{said}p: adjusted within its family where the plan says so.")
        if total > len(chosen):
            lines.append(f"{total - len(chosen)} further tests stand in the report.")
    else:
        lines.append("No prespecified question could be answered with these data.")
    lines += [f"Note: {flag}" for flag in flags]
    lines += ["", f"Report: {report}"]
    paper = report.with_suffix(".pdf")
    lines += [f"On paper: {paper}"] if paper.is_file() else []
    lines += (
        [f"Where a number comes from: click it there, or pniflow trace {chosen[0].key}"] if chosen else []
    )
    lines.append("")
    return "\n".join(lines)


def _cells(row: Estimate) -> list[str]:
    term = row.tested
    name = labels.label(row.outcome).short
    what = "change" if row.term.startswith("session") else f"on {labels.label(term.of).short}, {term.kind}"
    decimals = blocks.digits(row)
    low, high = (numbers.number(end, decimals) for end in (row.conf_low, row.conf_high))
    size, reach = numbers.number(row.estimate, decimals), f"[{low}, {high}]"
    if row.df_numerator:
        size, reach = blocks.plain(blocks.f_test(row)), ""
    verdict = {"shown": "shown", "unclear": "not shown", "none": "not estimable"}[
        interpretation.verdict(row, 0.05)
    ]
    return [f"{name}: {what}", size, reach, numbers.p_value(row.decisive_p), str(row.n_participants), verdict]


def _columns(cells: Sequence[Sequence[str]]) -> list[str]:
    head = ["", "estimate", "95 % interval", "p", "n", ""]
    table = [head, *cells]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    lines = []
    for row in table:
        first, *rest, last = row
        middle = "  ".join(text.rjust(width) for text, width in zip(rest, widths[1:-1], strict=True))
        lines.append(f"{first.ljust(widths[0])}  {middle}  {last}".rstrip())
    return [lines[0], "-" * max(len(line) for line in lines), *lines[1:]]


def _flags(results: Path, rows: Sequence[Estimate]) -> list[str]:
    """Return what should be looked at: what was left out, what could not be estimated, singular fits."""
    flags = []
    path = results / "cohort" / "exclusions.tsv"
    if path.is_file():
        exclusions = contracts.read_table(path, "exclusions")
        counts = exclusions[exclusions["rule"] != "average scan"].groupby("rule").size()
        if len(counts):
            listed = ", ".join(f"{rule}: {count}" for rule, count in counts.items())
            flags.append(f"left out by rule (exclusions.tsv): {listed}.")
    tested = [row for row in rows if row.family is not None]
    lost = sum(interpretation.verdict(row, 0.05) == interpretation.NONE for row in tested)
    if lost:
        flags.append(f"{numbers.plural(lost, 'planned test')} could not be estimated; the report says why.")
    controls = [row for row in tested if interpretation.is_control(row)]
    alarms = [row for row in controls if interpretation.verdict(row, 0.05) == interpretation.SHOWN]
    if alarms:
        named = ", ".join(labels.label(row.outcome).short for row in alarms)
        flags.append(f"shown in a negative control, where nothing is expected: {named}.")
    singular = sum(bool(row.singular) for row in tested)
    if singular:
        flags.append(
            f"in {numbers.plural(singular, 'tested estimate')} the variance between persons is estimated at"
            " zero."
        )
    return flags
