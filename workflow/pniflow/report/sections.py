"""The sections of the report, written from the tables of the run; what is absent leaves no gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pniflow import words
from pniflow.report import answers, described, sensitivity, tables
from pniflow.report.answers import Context
from pniflow.report.parts import Fold, Heading, Listing, Number, Paragraph, Picture, Section, Text

if TYPE_CHECKING:
    import pandas as pd

_BRANCHES = {
    "questionnaire": "questionnaires",
    "assay": "laboratory assays",
    "expression": "blood gene expression",
    "imaging": "MRI",
}


@dataclass
class Results:
    """Everything the report is written from.

    Attributes
    ----------
    study : dict
        The checked study.yaml.
    rows : list of dict
        Estimates, each with its key.
    variants : dict
        Key -> its rows of the sensitivity table.
    domains : dict
        Measure -> domain, of the measures there are.
    tables : dict
        Name -> table, of those that were given (flow, exclusions, table1, diagnostics, quality, ...).
    figures : dict
        Name -> figure.
    """

    study: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    context: Context
    variants: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    domains: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    figures: Mapping[str, Picture] = field(default_factory=dict)
    methods: Sequence[Any] = ()
    software: Sequence[Any] = ()
    claims: Sequence[Any] = ()


def all_sections(results: Results) -> list[Section]:
    """Return the sections that have something to say, in order."""
    written = [
        Section("answers", "Answers", _answers(results)),
        Section("participants", "Participants", _participants(results)),
        Section("change", "Change between the sessions", _change(results)),
        Section("ctra", "Gene expression (CTRA)", _ctra(results)),
        Section("associations", "Associations", _associations(results)),
        Section("mri", "Brain structure (MRI)", _mri(results)),
        Section("quality", "Quality and exclusions", _quality(results)),
        Section("sensitivity", "Sensitivity analyses", _sensitivity(results)),
        Section("claims", "Comparison with published claims", list(results.claims)),
        Section("methods", "Methods", list(results.methods)),
        Section("limits", "What this study cannot show", limits(results)),
        Section("estimates", "All estimates", _estimates(results)),
        Section("dictionary", "Data dictionary", _dictionary(results)),
        Section("software", "Software", list(results.software)),
    ]
    return [section for section in written if section.blocks]


def _answers(results: Results) -> list[Any]:
    blocks: list[Any] = []
    grouped = answers.families(results.rows)
    if not grouped:
        return [Paragraph(["No question was prespecified that the data of this study can answer."])]
    alpha = results.context.alpha
    blocks.append(Paragraph(_lead(results, grouped), "lead"))
    absent = absent_branches(results)
    if absent:
        blocks.append(Paragraph([absent]))
    blocks.append(tables.glance_table(grouped, results.context))
    blocks.append(
        Paragraph(
            [
                "“Shown” means that the p-value, adjusted within its family of tests where the plan says so,"
                " is below"
                f" {words.number(alpha, 2)}. Where something was not shown, the interval says which"
                " differences remain"
                " possible."
            ],
            "note",
        )
    )
    last = ""
    for family, rows in grouped.items():
        role = rows[0]["role"] or "further"
        leads = any(some[0]["role"] in ("primary", "secondary") for some in grouped.values())
        if leads and role == "exploratory" and last != "exploratory":
            rest = [name for name, some in grouped.items() if some[0]["role"] == "exploratory"]
            inner: list[Any] = []
            for name in rest:
                inner += _family_blocks(name, grouped[name], results.context)
            blocks.append(
                Fold(
                    [f"Exploratory questions ({words.plural(len(rest), 'family', 'families')} of tests)"],
                    inner,
                )
            )
            last = role
        elif role != "exploratory" or not leads:
            blocks += _family_blocks(family, rows, results.context)
            last = role
    return blocks


def _lead(results: Results, grouped: Mapping[str, Sequence[Mapping[str, Any]]]) -> Text:
    """Return the result in one or two sentences: the first role's families, counted."""
    alpha = results.context.alpha
    first = next(iter(grouped.values()))[0]["role"]
    rows = [row for some in grouped.values() if some[0]["role"] == first for row in some]
    clear, count = answers.tally(rows, alpha)
    text = (
        f"{_capital(first or 'prespecified')} question{'s' if count > 1 else ''}: shown in {clear} of {count}"
    )
    names = [
        words.inside(words.label(row["outcome"]).long)
        for row in rows
        if answers.verdict(row, alpha) == answers.SHOWN
    ]
    if names and len(names) <= 8:
        text += f" ({', '.join(dict.fromkeys(names))})"
    others = [row for some in grouped.values() if some[0]["role"] == "secondary" != first for row in some]
    text += "."
    if others:
        clear, count = answers.tally(others, alpha)
        text += f" Secondary questions: shown in {clear} of {count}."
    return [text]


def _family_blocks(family: str, rows: Sequence[Mapping[str, Any]], context: Context) -> list[Any]:
    clear, count = answers.tally(rows, context.alpha)
    known = [row for row in rows if words.given(row["p_adjusted"])]
    adjusted = any(row["p_adjusted"] != row["p_value"] for row in known) or len(known) == 1
    how = "adjusted within the family" if adjusted else "not adjusted"
    role = _capital(rows[0]["role"] or "further")
    note = f"{role} family {family}: {words.plural(count, 'test')}, {how}; shown in {clear}."
    return [
        Heading(words.question(family, rows, len(context.sessions))),
        Paragraph([note], "note"),
        Listing([answers.answer(row, context) for row in rows]),
    ]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def absent_branches(results: Results) -> str:
    """Return one sentence that names the branches the study does not have; "" where it has all."""
    there = set(results.domains.values())
    absent = [name for domain, name in _BRANCHES.items() if domain not in there]
    if not absent or not there:
        return ""
    listed = absent[0] if len(absent) == 1 else f"{', '.join(absent[:-1])} and no {absent[-1]}"
    return f"This study has no {listed}; nothing is reported on {'it' if len(absent) == 1 else 'them'}."


def _participants(results: Results) -> list[Any]:
    blocks: list[Any] = []
    flow = results.tables.get("flow")
    if flow is not None and len(flow):
        enrolled = flow.loc[(flow["step"] == "enrolled"), "n"]
        if len(enrolled) and words.given(enrolled.iloc[0]):
            number = Number(str(int(enrolled.iloc[0])), "enrolled/all/", "n", "flow")
            blocks.append(
                Paragraph([number, f" {'person was' if number.text == '1' else 'persons were'} enrolled."])
            )
        blocks += _figure(results, "flow")
        blocks.append(tables.flow_table(flow, results.context.sessions))
        blocks.append(Fold(["Every count of the flow"], [tables.flow_steps(flow, results.context.sessions)]))
    table1 = results.tables.get("table1")
    if table1 is not None and len(table1):
        modelled = {row["outcome"] for row in results.rows}
        modelled |= {words.term_of(row["term"]).of for row in results.rows}
        named = [name for name in table1["measure"].unique() if name in modelled]
        blocks.append(tables.paired_table(table1, results.context.sessions, named))
    if "course" in results.tables:
        blocks += described.course(results.tables["course"])
    if "windows" in results.tables:
        blocks += described.windows(results.tables["windows"], results.study, results.context.sessions)
    if "inclusion" in results.tables:
        blocks += described.inclusion(results.tables["inclusion"], tables.BRANCHES)
    return blocks


def _figure(results: Results, *names: str) -> list[Any]:
    return [results.figures[name] for name in names if name in results.figures]


def _tested(results: Results, *kinds: str) -> list[Mapping[str, Any]]:
    count = len(results.context.sessions)
    return [
        row
        for row in results.rows
        if words.given(row["family"]) and words.term_of(row["term"], count).kind in kinds
    ]


def _is_ctra(row: Mapping[str, Any]) -> bool:
    return bool(words.sign_note(row["outcome"]))


def _asked(family: str, rows: Sequence[Mapping[str, Any]], results: Results) -> str:
    text = words.question(family, rows, len(results.context.sessions))
    return text if text.endswith("?") else f"{text}."


def _is_imaging(results: Results, row: Mapping[str, Any]) -> bool:
    return results.domains.get(row["outcome"]) == "imaging" or words.region_of(row["outcome"]) is not None


def _change(results: Results) -> list[Any]:
    rows = [row for row in _tested(results, "change", "joint") if not _is_imaging(results, row)]
    in_ctra = {name for name, some in answers.families(rows).items() if all(_is_ctra(row) for row in some)}
    rows = [row for row in rows if row["family"] not in in_ctra]
    if not rows:
        return []
    labels = list(results.context.sessions.values())
    order = f"{labels[-1]} minus {labels[0]}" if len(labels) == 2 else f"each session minus {labels[0]}"
    blocks = _figure(results, "paired_change", "standardized_change")
    blocks.append(Paragraph(tables.reading_note(rows), "note"))
    for family, some in answers.families(rows).items():
        caption = (
            f"{_asked(family, some, results)} Differences ({order}); family {family}, {some[0]['role']}."
        )
        blocks.append(tables.estimates_table(some, results.context, [caption]))
    return blocks


def _ctra(results: Results) -> list[Any]:
    if "expression" not in results.domains.values():
        return []
    text = (
        f"Sign convention of every CTRA number in this report: {words.CTRA_SIGN}. The components stand in the"
        f" direction of expression ({words.COMPONENT_SIGN})."
    )
    blocks: list[Any] = [Paragraph([text])]
    genes = results.tables.get("genes")
    if genes is not None and len(genes):
        used = int((genes["status"] == "used").sum())
        lost = genes[genes["status"] != "used"]
        text = f"The score uses {used} of {words.plural(len(genes), 'gene')} of the set"
        named = [f"{gene} ({status})" for gene, status in zip(lost["gene"], lost["status"], strict=True)]
        text += f"; left out: {', '.join(named)}." if named else "."
        blocks.append(Paragraph([text]))
    blocks += _figure(results, "ctra_components", "ctra_heatmap", "ctra_genes")
    rows = [row for row in _tested(results, "change", "joint") if _is_ctra(row)]
    if rows:
        blocks.append(
            tables.estimates_table(rows, results.context, ["CTRA and its components between the sessions."])
        )
    return blocks


def _associations(results: Results) -> list[Any]:
    rows = [
        row
        for row in _tested(results, "within", "between", "difference", "pooled", "level")
        if not _is_imaging(results, row)
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
    note = Paragraph(tables.reading_note(rows), "note")
    blocks = [Paragraph([text]), *_figure(results, "associations"), note]
    for family, some in answers.families(rows).items():
        caption = f"{_asked(family, some, results)} Slopes; family {family}, {some[0]['role']}."
        blocks.append(tables.estimates_table(some, results.context, [caption]))
    return blocks


def _mri(results: Results) -> list[Any]:
    rows = [
        row
        for row in _tested(results, "change", "joint", "within", "between", "difference", "pooled", "level")
        if _is_imaging(results, row)
    ]
    if not rows:
        return []
    blocks = [*_figure(results, "regions"), Paragraph(tables.reading_note(rows), "note")]
    for family, some in answers.families(rows).items():
        caption = f"{_asked(family, some, results)} Family {family}, {some[0]['role']}."
        blocks.append(tables.estimates_table(some, results.context, [caption]))
    return blocks


def _quality(results: Results) -> list[Any]:
    blocks = _figure(results, "quality")
    exclusions = results.tables.get("exclusions")
    if exclusions is not None:
        if len(exclusions):
            blocks.append(tables.exclusion_counts(exclusions))
            listed = tables.exclusions_table(exclusions, results.context.sessions)
            blocks.append(Fold([f"The {words.plural(len(exclusions), 'exclusion')} one by one"], [listed]))
        else:
            blocks.append(Paragraph(["Nothing that was collected was left out."]))
    if "flags" in results.tables:
        blocks += described.flags(results.tables["flags"], results.context.sessions)
    if "scales" in results.tables:
        blocks += described.prorated(results.tables["scales"])
    if "reliability" in results.tables:
        blocks += described.reliability(results.tables["reliability"], results.context.sessions)
    alarms = [
        row["key"]
        for row in results.rows
        if answers.is_control(row) and answers.verdict(row, results.context.alpha) == answers.SHOWN
    ]
    if alarms:
        text = "A difference was shown in a negative control, where none is expected; look at this first:"
        blocks += [Paragraph([text]), Listing([("", [key]) for key in alarms])]
    flagged = [
        f"{row['key']}: {row['note']}"
        for row in results.rows
        if words.given(row["family"]) and (words.given(row["singular"]) and row["singular"])
    ]
    if flagged:
        text = "Fits in which the variance between persons was estimated at zero (singular), tested terms:"
        blocks += [Paragraph([text]), Listing([("", [one]) for one in flagged])]
    return blocks


def _sensitivity(results: Results) -> list[Any]:
    blocks = sensitivity.blocks(results.rows, results.variants, results.context)
    return [*_figure(results, "specification", "influence"), *blocks] if blocks else []


def limits(results: Results) -> list[Any]:
    """Return what this design cannot show, from what the study says of itself."""
    design = str(results.study["design"]).lower()
    people = [int(row["n_participants"]) for row in results.rows]
    items: list[Text] = []
    if results.study["simulated"]:
        items.append(["The data are simulated: nothing about people follows from them."])
    if "single" in design or "one arm" in design:
        items.append([
            "There is one arm and no control group: a difference between the sessions holds the passage of"
            " time,"
            " regression to the mean, repeated testing and expectation as well as anything the course may do."
            " It is a"
            " change and not an effect."
        ])  # fmt: skip
    if any(word in design for word in ("open", "unblind")):
        items.append(["Participants knew what they took part in: self-reports can follow expectation."])
    if people:
        text = f"Models rest on {min(people)} to {max(people)} persons"
        text += (
            ": intervals are wide, and a difference that was not shown may well be there."
            if max(people) < 100
            else "."
        )
        items.append([text])
    items.append([
        "Associations are observed, not made: a third quantity may stand behind both measures, and the"
        " direction is open."
    ])  # fmt: skip
    exploratory = sum(
        1 for row in results.rows if words.given(row["family"]) and row["role"] == "exploratory"
    )
    if exploratory:
        items.append([
            f"{words.plural(exploratory, 'test')} {'is' if exploratory == 1 else 'are'} exploratory: each"
            " family is"
            " adjusted by itself, so some will be below the level by chance."
        ])  # fmt: skip
    if any(words.term_of(row["term"]).kind == "between" for row in results.rows):
        items.append([
            "Slopes between persons rest on means of few sessions each and are drawn towards zero by their"
            " unreliability."
        ])  # fmt: skip
    return [Listing([("", text) for text in items])]


def _dictionary(results: Results) -> list[Any]:
    table = results.tables.get("dictionary")
    return described.dictionary(table) if table is not None else []


def _estimates(results: Results) -> list[Any]:
    if not results.rows:
        return []
    return [
        Paragraph(
            [
                "Each number in this report comes from a row of this table; names in the other tables link"
                " here."
            ]
        ),
        Fold(
            [f"All {words.plural(len(results.rows), 'coefficient')}"],
            [tables.all_estimates(results.rows)],
            "estimates.tsv",
        ),
    ]
