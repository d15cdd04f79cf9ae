"""Methods, written from what was fitted and what the files say, never from a template of what might be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pniflow.report.blocks import Heading, Link, Listing, Number, Paragraph, Text, joined, plain
from pniflow.report.run_results import Results
from pniflow.report.sections import statistics
from pniflow.text import labels, numbers

if TYPE_CHECKING:
    import pandas as pd

_NORMALIZED = {
    "reference_genes": "by the mean of stable reference genes",
    "cpm": "to counts per million",
    "tmm": "by trimmed means of M values (TMM)",
    "quantile": "to the mean distribution over samples (quantile)",
    "housekeeping": "by the panel's own housekeeping genes",
    "positive_controls": "by nanoString's positive controls (geometric mean of POS_A to POS_E)",
    "none": "not at all (the data came normalized)",
}
_VARIANTS = {
    "mean_z": "the mean over genes of weight times z of log2 expression, z over all samples",
    "mean_log2": "the mean over genes of weight times log2 expression",
    "balanced": "the mean z of the inflammatory genes minus the mean z of all its other genes",
}
_SCALES = {"grand_mean": "the reference's mean over samples", "million": "one million"}
_PROTOCOL = {  # column of the images' protocol -> its unit, None for a name
    "field_strength": "T",
    "manufacturer": None,
    "scanner_model": None,
    "repetition_time": "s",
    "echo_time": "s",
    "inversion_time": "s",
    "flip_angle": "°",
}
_BELOW = {"half_limit": "half of it", "limit_over_sqrt2": "the limit over √2", "missing": "missing"}
_SETTINGS = {  # column of the whole-brain numbers -> how the methods say it
    "longitudinal": "{} pipeline",
    "longitudinal_model": "longitudinal model {}",
    "spm_version": "SPM {}",
    "voxel_size": "normalized voxels of {} mm",
    "wmh_handling": "white matter hyperintensities by WMHC {}",
}
_RUNS = {True: "longitudinal", False: "cross-sectional"}
_LESIONS = {
    "none": "Lesions were not treated before segmentation",
    "not recorded": "How lesions were handled before segmentation is not recorded",
    "CAT12 SLC": "Lesions were handled by CAT12's own correction (SLC)",
}
_FEW = 3  # planned analyses of one reason that are named one by one


def methods(results: Results) -> list[Any]:
    """Return the methods as headed paragraphs."""
    blocks: list[Any] = [Heading("Design", "methods-design"), Paragraph([_design(results.study)])]
    parts: dict[tuple[str, str], Text] = {
        ("Questionnaires", "instruments"): _questionnaires(results),
        ("Laboratory assays", "assays"): _assays(results),
        ("Gene expression", "expression"): _expression(results),
        ("MRI", "mri"): _imaging(results),
        ("Exclusions", "exclusions"): _exclusions(results),
        ("Statistics", "statistics"): statistics.fitted(results),
        ("Multiple tests", "multiplicity"): statistics.multiplicity(results),
        ("Maps", "maps"): statistics.mapped(results),
        ("Sensitivity analyses", "sensitivity"): statistics.varied(results),
        ("Missing data", "missing"): statistics.missing(results),
    }
    for (title, anchor), text in parts.items():
        if text:
            blocks += [Heading(title, f"methods-{anchor}"), Paragraph(text)]
        if anchor == "statistics" and results.plan:
            blocks += statistics.models_by_family(results.rows, results.plan)
    left_out = _left_out(results)
    if left_out:
        planned: Text = ["Planned in the models file and not fitted, because the study lacks the data:"]
        blocks += [
            Heading("Planned and not fitted", "methods-not-fitted"),
            Paragraph(planned),
            Listing([("", [one]) for one in left_out]),
        ]
    return blocks


def _design(study: Mapping[str, Any]) -> str:
    sessions = []
    for name, about in study["sessions"].items():
        day = (about or {}).get("day")
        label = (about or {}).get("label") or name
        sessions.append(f"{label} (day {numbers.number(day, 0)})" if numbers.given(day) else label)
    return (
        f"Design: {study['design']}. Intervention: {study['intervention']}. Sessions: {', '.join(sessions)}."
    )


def _questionnaires(results: Results) -> Text:
    cite, study = results.bibliography.cite, results.study
    modelled = {name for row in results.rows for name in (row.outcome, row.tested.of)}
    scored: dict[str, list[str]] = {}
    for name in study.get("instruments", {}):
        key = labels.instrument_key(name)
        if key is None:
            scored.setdefault("by a key file of the study's own", []).append(name)
        elif modelled & set(key["scales"]):
            share = f"{key['missing']['minimum_share'] * 100:g}{numbers.NBSP}%"
            rule = f"where at least {share} of a scale's items were answered"
            scored.setdefault(rule, []).append(name)
    text: list[Any] = []
    if scored:
        cited = results.bibliography.cite_instrument
        by_rule = [
            [*joined([[_title(name), *cited(name)] for name in names], last=" and "), f", {rule}"]
            for rule, names in scored.items()
        ]
        text = ["Scored from items: ", *joined(by_rule, "; ")]
        text.append(
            ". An item that was not answered counts as the person's mean of the scale, never as zero."
        )
        if "reliability" in results.tables:
            text += [
                " Internal consistency is given as Cronbach's α", *cite("reliability"),
                " and McDonald's ω", *cite("omega"), ".",
            ]  # fmt: skip
    text.append((" " if text else "") + _unverified(study))
    return [part for part in text if part]


def _title(name: str) -> str:
    key = labels.instrument_key(name)
    return str(key["title"]) if key else name


def _unverified(study: Mapping[str, Any]) -> str:
    """Return the instruments whose key file marks the key or the rule for missing items as not confirmed."""
    marked: list[str] = []
    rules: list[str] = []
    for name in study.get("instruments", {}):
        key = labels.instrument_key(name)
        if key is None:
            marked.append(f"{name} (a key file of the study's own)")
            continue
        if key["evidence"] != "verified":
            marked.append(f"{labels.instrument(name)} ({key['evidence']})")
        if not key["missing"]["published"] and not key.get("totals_only"):
            rules.append(labels.instrument(name))
    said = [f"Scoring key not verified by two sources: {'; '.join(marked)}."] if marked else []
    said += [f"Rule for missing items not stated by the authors of: {'; '.join(rules)}."] if rules else []
    return " ".join(said)


def _assays(results: Results) -> Text:
    cite = results.bibliography.cite
    sentences: list[Any] = []
    for name, about in results.study.get("assays", {}).items():
        scale = {"natural": "natural logarithm", "none": "as measured"}.get(about["log"], about["log"])
        limit = about.get("detection_limit")
        text = f"{name.replace('_', ' ')} in {about['unit']}, analysed as {scale}"
        sentences.append(f"{text[:1].upper()}{text[1:]}")
        if numbers.given(limit):
            stand = _BELOW[about["below_limit_as"]]
            sentences.append(f"; below the limit of detection ({limit:g} {about['unit']}) taken as {stand}")
            if about["below_limit_as"] == "limit_over_sqrt2":
                sentences += cite("limit_sqrt2")
        sentences.append(". ")
    return sentences


_LEVELS = {"cpm": "counts per million", "intensity": "intensities of an array", "ct": "threshold cycles"}


def _expression(results: Results) -> Text:
    study, tables, cite = results.study, results.tables, results.bibliography.cite
    if "expression" not in study:
        return []
    unit = study["expression"]["unit"]
    text: list[Any] = [f"Levels came as {_LEVELS.get(unit, unit)}"]
    samples = tables.get("sample_quality")
    if samples is not None and samples["format"].notna().any():
        text.append(f" ({'; '.join(sorted(samples['format'].dropna().unique()))})")
    report = results.normalization
    if report.get("method"):
        text.append(f" and were normalized {_NORMALIZED.get(report['method'], report['method'])}")
        text += cite(report["method"])
        text.append(_reference(report))
        if numbers.given(report.get("floor")):
            share = f"{100 * report['floored_share']:.1f} % of the levels"
            text.append(f"; values below {report['floor']:g} ({share}) were set to it before log2")
    text.append(". ")
    genes = results.filled("ctra_genes")
    if genes is not None:
        used = genes[genes["status"] == "used"]
        counts = used["component"].value_counts(sort=False)
        of_each: list[Text] = [[Number(str(count), f"used/{name}", "count", "ctra_genes"), f" {name}"]
                               for name, count in counts.items()]  # fmt: skip
        name = results.gene_set
        chosen = f" of the set {name}" if name else ""
        how = _VARIANTS.get(results.variant or "mean_z", f"the variant {results.variant}")
        text += [
            f"The conserved transcriptional response to adversity (CTRA) of a sample is {how}; it rests on ",
            Number(str(len(used)), "used", "count", "ctra_genes"),
            f" gene{'' if len(used) == 1 else 's'}{chosen} (",
        ]
        text += [*joined(of_each), ")", *cite("ctra", *([name] if name else [])), ". "]
    return [*text, f"Sign: {labels.CTRA_SIGN}."]


def _reference(report: Mapping[str, Any]) -> str:
    """Say which reference genes were used, or were not enough, and what their mean is brought to."""
    found, missing = report["references_found"], report["references_missing"]
    text = ""
    if report["method"] == "reference_genes":
        text += (
            f" ({numbers.plural(len(found), 'gene')}{', without ' if missing else ''}{', '.join(missing)})"
        )
    elif report["method_asked"] == "reference_genes":
        text += f", as only {len(found)} of {len(found) + len(missing)} reference genes were found"
    return text + (f", brought to {_SCALES[report['scale']]}" if report["scale"] else "")


def _imaging(results: Results) -> Text:
    study, tables, cite = results.study, results.tables, results.bibliography.cite
    text: list[Any] = []
    if "cat12" in study:
        scans = tables.get("globals")
        versions = []
        if scans is not None and "cat_version" in scans:
            versions = sorted(str(version) for version in scans["cat_version"].dropna().unique())
        text += [
            "Region volumes and thickness were read from the outputs of CAT12 ",
            f"({', '.join(versions)})" if versions else "(version not recorded)",
            *cite("cat12"),
            "; within-person averages are never used as a time point."
            f" {_lesions(study['cat12']['lesion_handling'])}.",
            _run_of(scans, tables.get("quality")),
        ]
    text += _freesurfer(results, " " if text else "")
    regions = [labels.region_of(row.outcome) for row in results.rows]
    atlases = list(dict.fromkeys(region.atlas for region in regions if region))
    if atlases:
        named = [[labels.atlas(atlas), *cite(atlas, atlas.split("_")[0])] for atlas in atlases]
        text += [f"{' ' if text else ''}{'Atlas' if len(atlases) == 1 else 'Atlases'}: ", *joined(named), "."]
    text += [f"{' ' if text else ''}{said}" for said in _protocol(results)]
    if "lesions" in study:
        tool = cite("lst_ai") if "folder" in study["lesions"] else []
        source = "the output of LST-AI" if tool else "a table"
        text += [f"{' ' if text else ''}Lesion volumes were read from {source}", *tool, "."]
    return [part for part in text if part]


def _run_of(scans: pd.DataFrame | None, quality: pd.DataFrame | None) -> str:
    """Say how the scans were processed, each setting in all its values, and how they were rated."""
    said = []
    if scans is not None:
        for column, words in _SETTINGS.items():
            values = scans[column].dropna() if column in scans else scans.iloc[:0, 0]
            values = values.map(_RUNS) if column == "longitudinal" else values
            kinds = sorted(values.astype("str").unique())
            said += [words.format(_listed(kinds))] if kinds else []
    rated = None if quality is None else quality["siqr_percent"].dropna()
    if rated is not None and len(rated):
        said.append(f"image quality (SIQR) {min(rated):.1f} to {max(rated):.1f} %")
    return f" As the reports say: {'; '.join(said)}." if said else ""


def _lesions(handling: str) -> str:
    return _LESIONS.get(handling, f"Lesions were {handling} before segmentation")


def _freesurfer(results: Results, lead: str) -> list[str | Link]:
    """Return what was read of FreeSurfer's tables, of which version and stream."""
    table = results.filled("freesurfer")
    if table is None:
        return []
    versions = sorted(str(version) for version in table["cat_version"].dropna().unique())
    atlases = sorted(set(table["atlas"]))
    streams = (
        "; atlases that end in long are those of its longitudinal stream, and are never mixed with others"
    )
    named = ", ".join(atlases)
    return [
        f"{lead}Tables of FreeSurfer were read beside ({'; '.join(versions) or 'version not recorded'})",
        *results.bibliography.cite("freesurfer"),
        f": {named}{streams if any(name.endswith('_long') for name in atlases) else ''}.",
    ]


def _protocol(results: Results) -> list[str]:
    """Return for each kind of image the protocol that most have, and in how many something differs."""
    table = results.tables.get("protocol")
    if table is None:
        return []
    said = []
    for suffix, images in table.groupby("suffix", sort=False):
        usual = {name: images[name].mode() for name in ("voxel_x", "voxel_y", "voxel_z", *_PROTOCOL)}
        size = [f"{usual[f'voxel_{axis}'].iloc[0]:.3g}" for axis in "xyz" if len(usual[f"voxel_{axis}"])]
        parts = [f"voxels of {' by '.join(size)} mm"] if len(size) == 3 else []
        for name, unit in _PROTOCOL.items():
            if len(usual[name]):
                value = usual[name].iloc[0]
                shown = f"{value:g} {unit}".rstrip() if unit is not None else str(value)
                parts.append(f"{name.replace('_', ' ')} {shown}")
        differ = int(images[["within_person", "in_study"]].notna().any(axis=1).sum())
        said.append(
            f"{suffix} images ({len(images)}), as most were measured: {', '.join(parts) or 'not recorded'};"
            f" in {differ} something differs."
        )
    return said


def _exclusions(results: Results) -> Text:
    table = results.tables.get("exclusions")
    if table is None:
        return []
    if not len(table):
        return ["Nothing that was collected was left out."]
    counts = table["rule"].value_counts(sort=False).sort_index()
    by_rule: list[Text] = [
        [f"{rule} (", Number(str(count), f"{rule}/", "count", "exclusions"), ")"]
        for rule, count in counts.items()
    ]
    last = ". Each is listed with its reason under quality and exclusions."
    return ["Left out, by rule: ", *joined(by_rule, "; "), last]


def _left_out(results: Results) -> list[str]:
    """Return one line for each reason: the analyses by name where they are few, else counted by model."""
    reasons: dict[str, list[tuple[str, str, str]]] = {}
    for row in results.rows_of("diagnostics"):
        if row["table"] != "models_left_out":
            continue
        model, named = row["model"], row["outcome"] or ""
        planned = results.plan.model(model) if results.plan else None
        reason = row["note"]
        if row["lacking_data"]:
            reason = f"the study has no {row['lacking_data']} data"
        elif named and row["lacking_measure"] == named:
            reason = "the study has no such measure"
        reasons.setdefault(reason, []).append((model, planned.entry if planned else model, named))
    return [f"{_which(some)}: {reason}." for reason, some in reasons.items()]


def _which(analyses: Sequence[tuple[str, str, str]]) -> str:
    """Return models with their outcomes as text, counted by the name in the plan where more than three."""
    if len(analyses) <= _FEW:
        return _listed([f"{model} ({labels.label(of).long})" if of else model for model, _, of in analyses])
    counts = Counter(planned for _, planned, _ in analyses)
    return (
        f"{len(analyses)} analyses, by model {_listed([f'{one} ({count})' for one, count in counts.items()])}"
    )


def _listed(texts: Sequence[str]) -> str:
    """Return texts as a list in a sentence: "a, b and c"."""
    return plain(joined([[text] for text in texts], last=" and "))
