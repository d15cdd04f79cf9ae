"""The sections of the report, written from the tables of the run; what is absent leaves no gap."""

from __future__ import annotations

from typing import Any

from pniflow.report import descriptives, estimate_tables, findings, further, interpretation, robustness
from pniflow.report.blocks import Fold, Listing, Number, Paragraph, Section, Text
from pniflow.report.checklists import checklists
from pniflow.report.limits import limits
from pniflow.report.opening import answers_section
from pniflow.report.run_tables import Results, figures
from pniflow.text import numbers, wording


def all_sections(results: Results) -> list[Section]:
    """Return the sections that have something to say, in order."""
    written = [
        Section("answers", "Answers", answers_section(results)),
        Section("participants", "Participants", _participants(results)),
        Section("change", "Change between the sessions", findings.change(results)),
        Section("ctra", "Gene expression (CTRA)", findings.ctra(results)),
        Section("associations", "Associations", findings.associations(results)),
        Section("mri", "Brain structure (MRI)", findings.mri(results)),
        Section("quality", "Quality and exclusions", _quality(results)),
        Section("sensitivity", "Sensitivity analyses", _sensitivity(results)),
        Section("claims", "Comparison with published claims", list(results.claims)),
        Section("methods", "Methods", list(results.methods)),
        Section("limits", "What this study cannot show", limits(results)),
        Section("estimates", "All estimates", _estimates(results)),
        Section("dictionary", "Data dictionary", _dictionary(results)),
        Section("software", "Software", list(results.software)),
    ]
    there = [section for section in written if section.blocks]
    bibliography = results.bibliography
    lists = checklists(there, results.study, results.tables, results.domains, bibliography)
    there.append(Section("checklists", "Reporting checklists", lists))
    return [*there, Section("references", "References", [bibliography.listing(), *bibliography.keys()])]


def _participants(results: Results) -> list[Any]:
    blocks: list[Any] = []
    flow = results.tables.get("flow")
    if flow is not None and len(flow):
        enrolled = flow.loc[(flow["step"] == "enrolled"), "n"]
        if len(enrolled) and numbers.given(enrolled.iloc[0]):
            number = Number(str(int(enrolled.iloc[0])), "enrolled/all/", "n", "flow")
            blocks.append(
                Paragraph([number, f" {'person was' if number.text == '1' else 'persons were'} enrolled."])
            )
        blocks += figures(results, "participants")
        blocks.append(
            Fold(["Every count of the flow"], [estimate_tables.flow_steps(flow, results.context.sessions)])
        )
    table1 = results.tables.get("table1")
    if table1 is not None and len(table1):
        modelled = {row["outcome"] for row in results.rows}
        modelled |= {wording.row_term(row).of for row in results.rows}
        named = [name for name in table1["measure"].unique() if name in modelled]
        blocks.append(estimate_tables.paired_table(table1, results.context.sessions, named))
    if "course" in results.tables:
        blocks += descriptives.course(results.tables["course"])
    if "windows" in results.tables:
        blocks += figures(results, "windows")
        blocks += descriptives.windows(results.tables["windows"], results.study, results.context.sessions)
    if "inclusion" in results.tables:
        blocks += descriptives.inclusion(results.tables["inclusion"])
    return blocks


def _quality(results: Results) -> list[Any]:
    blocks, sessions = figures(results, "quality"), results.context.sessions
    exclusions, flags = results.tables.get("exclusions"), results.tables.get("flags")
    if exclusions is not None and len(exclusions):
        caption = "Everything that was collected and left out, with the rule and the reason."
        blocks.append(estimate_tables.exclusion_counts(exclusions))
        listed = estimate_tables.second_look(exclusions, sessions, caption, "Rule")
        blocks.append(Fold(["The exclusions one by one"], [listed]))
    elif exclusions is not None:
        blocks.append(Paragraph(["Nothing that was collected was left out."]))
    if flags is not None and len(flags):
        caption = "Used, but worth a second look; nothing here was left out."
        blocks.append(estimate_tables.second_look(flags, sessions, caption, "Flag"))
    if "sample_quality" in results.tables:
        blocks += further.samples(results.tables["sample_quality"], sessions)
    if "scales" in results.tables:
        blocks += descriptives.prorated(results.tables["scales"])
    if "reliability" in results.tables:
        blocks += descriptives.reliability(results.tables["reliability"], sessions)
    return [*blocks, *_alarms(results)]


def _alarms(results: Results) -> list[Any]:
    """Name negative controls in which a difference was shown, and fits at the edge of what can be fitted."""
    blocks: list[Any] = []
    found = [
        interpretation.answer(row, results.context) for row in results.rows if interpretation.is_control(row)
    ]
    alarms = [one for one in found if one[0] == interpretation.SHOWN]
    if alarms:
        text = "A difference was shown in a negative control, where none is expected; look at this first:"
        blocks += [Paragraph([text]), Listing(alarms)]
    singular: list[tuple[str, Text]] = []
    for row in results.rows:
        if numbers.given(row["family"]) and numbers.given(row["singular"]) and row["singular"]:
            name = estimate_tables.row_name(row, wording.row_term(row))
            note = wording.remark(row["note"], results.context.sessions)
            singular.append(("", [f"{name} ({row['key']}): {note}"]))
    if singular:
        text = "Fits in which the variance between persons was estimated at zero (singular), tested terms:"
        blocks += [Paragraph([text]), Listing(singular)]
    return blocks


def _sensitivity(results: Results) -> list[Any]:
    blocks = robustness.blocks(results.rows, results.variants, results.context)
    if blocks:
        blocks = [*figures(results, "robustness"), *blocks]
    blocks += figures(results, "design")
    if "design" in results.tables:
        blocks += further.design(results.tables["design"], results.context.sessions)
    return blocks


def _dictionary(results: Results) -> list[Any]:
    table = results.tables.get("dictionary")
    return descriptives.dictionary(table) if table is not None else []


def _estimates(results: Results) -> list[Any]:
    if not results.rows:
        return []
    return [
        Paragraph(
            [
                "Each estimate in this report is a row of estimates.tsv, here in full; pniflow trace KEY says"
                " where it comes from, as does a click on it on the page."
            ]
        ),
        Fold(
            ["Every coefficient of every model"],
            [estimate_tables.all_estimates(results.rows)],
            "estimates.tsv",
        ),
    ]
