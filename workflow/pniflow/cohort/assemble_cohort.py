"""The stage itself: read, check, join, write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pniflow.cohort.modalities import Branch
from pniflow.cohort.roster import PLACE, Roster, enrol, with_numbers
from pniflow.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


def assemble_cohort(
    *,
    study: Path,
    participants: Path,
    sessions: Path,
    samples: Path | None = None,
    scales: Path | None = None,
    assays: Path | None = None,
    ctra: Path | None = None,
    scans: Path | None = None,
    regions: Path | None = None,
    globals: Path | None = None,
    quality: Path | None = None,
    freesurfer: Path | None = None,
    lesions: Path | None = None,
    protocol: Path | None = None,
    minimum_quality: float = 60.0,
    allow_mixed_versions: bool = False,
    out: Path,
) -> None:
    """Join all stages by participant and session; list what is left out, count and describe the cohort.

    Writes measures.parquet, excluded_measures.parquet (numbers that a quality rule left out),
    participants.tsv, exclusions.tsv, flags.tsv, flow.tsv, outcomes.tsv, course.tsv, inclusion.tsv,
    table1.tsv, dictionary.json and dictionary.tsv. Missing values stay missing.

    Parameters
    ----------
    study : path
        study.yaml.
    participants, sessions : path
        As ingested; empty tables where the study has no records (people are then those of samples and scans).
    samples : path, optional
        Blood samples.
    scales : path, optional
        Questionnaire scores.
    assays : path, optional
        Laboratory measures (assay scores).
    ctra : path, optional
        CTRA scores by sample; needs `samples`.
    scans : path, optional
        The index of scans; lists averages and unmatched scans.
    regions, globals, quality : path, optional
        What CAT12's files say of each scan.
    freesurfer : path, optional
        FreeSurfer's regions.
    lesions : path, optional
        Lesion load by participant and session.
    protocol : path, optional
        How the raw images were measured.
    minimum_quality : float
        Scans rated lower (SIQR, else IQR, in percent) are left out and listed.
    allow_mixed_versions : bool
        Accept scans of different CAT12 versions; flagged in flow.tsv.
    out : path
        Folder for the tables.

    Raises
    ------
    InputError
        A row about a participant or session that the records do not know, a participant-session twice, two
        scans of one participant-session, mixed CAT12 versions, or a table against its contract.
    """
    from pniflow import config
    from pniflow.cohort.dictionary import dictionary, dictionary_table
    from pniflow.files import read_table, write_json, write_table

    if ctra and not samples:
        raise InputError(f"{ctra}: CTRA scores are joined through the samples table; give --samples too.")
    described = config.read_study(study)
    contracts = {
        "samples": (samples, "samples"),
        "scales": (scales, "scales"),
        "assays": (assays, "assay_scores"),
        "ctra": (ctra, "ctra_scores"),
        "scans": (scans, "scans"),
        "quality": (quality, "quality"),
        "globals": (globals, "globals"),
        "regions": (regions, "regions"),
        "freesurfer": (freesurfer, "regions"),
        "lesions": (lesions, "lesions"),
        "protocol": (protocol, "protocol"),
    }
    paths = {name: path for name, (path, _) in contracts.items() if path is not None}
    tables = {name: read_table(path, contracts[name][1]) for name, path in paths.items()}
    places = {
        paths[name]: _places(table) for name, table in tables.items() if set(PLACE) <= set(table.columns)
    }
    people = with_numbers(read_table(participants, "participants"), described["covariates"], participants)
    when = with_numbers(read_table(sessions, "sessions"), described["exposures"], sessions)
    roster = enrol(described, people, when, places, (participants, sessions))
    branches = _branches(described, tables, paths, minimum_quality, allow_mixed_versions)
    cohort = _joined(roster, branches, described, tables.get("protocol"))
    words = dictionary(described, cohort["measures"])
    out = Path(out)
    for name, table in cohort.items():
        ending = "parquet" if name.endswith("measures") else "tsv"
        write_table(table, out / f"{name}.{ending}", name)
    write_table(dictionary_table(words), out / "dictionary.tsv", "dictionary")
    write_json(out / "dictionary.json", words)


def _places(table: pd.DataFrame) -> pd.DataFrame:
    """Return the participant-sessions of a table, each where it stands first."""
    return table[PLACE].dropna().drop_duplicates()


def _branches(
    study: Mapping[str, Any],
    tables: dict[str, pd.DataFrame],
    paths: dict[str, Path],
    minimum: float,
    mixed: bool,
) -> dict[str, Branch]:
    """Make the branches that the study declares or has rows of."""
    import pandas as pd

    from pniflow.cohort import exclusions as left_out
    from pniflow.cohort import modalities as branches
    from pniflow.cohort import scans

    def there(table: str, section: str) -> bool:
        return table in tables and (len(tables[table]) > 0 or bool(study.get(section)))

    lesions = study.get("cat12", {}).get("lesion_handling", "not recorded")
    made = {}
    if there("scales", "instruments"):
        made["questionnaires"] = branches.questionnaires(tables["scales"])
    if there("assays", "assays"):
        made["assays"] = branches.assays(tables["assays"])
    if there("samples", "expression"):
        made["expression"] = branches.expression(tables["samples"], tables.get("ctra"), paths)
    if any(there(name, "cat12") for name in ("scans", "quality", "globals", "regions")):
        made["imaging"] = branches.imaging(tables, paths, minimum, mixed, lesions)
    if there("freesurfer", "freesurfer"):
        rated = made["imaging"].exclusions if "imaging" in made else pd.DataFrame(columns=left_out.COLUMNS)
        gated = rated[rated["rule"] == scans.GATE]
        made["freesurfer"] = branches.freesurfer(tables["freesurfer"], gated, mixed, paths["freesurfer"])
    if there("lesions", "lesions"):
        made["lesions"] = branches.lesions(tables["lesions"])
    return made


def _joined(
    roster: Roster,
    branches: Mapping[str, Branch],
    study: Mapping[str, Any],
    protocol: pd.DataFrame | None,
) -> dict[str, pd.DataFrame]:
    """Join the branches and describe the whole: contract -> table."""
    import pandas as pd

    from pniflow.cohort import exclusions as left_out
    from pniflow.cohort import flags, observations, participation, summaries

    assessed = {name: summaries.places(branch.assessed, roster) for name, branch in branches.items()}
    usable = {
        name: summaries.places(branch.measures.dropna(subset=["value"]), roster)
        for name, branch in branches.items()
    }
    left = [pd.DataFrame(columns=left_out.COLUMNS, dtype=object)]
    for name, branch in branches.items():
        left += [
            branch.exclusions,
            left_out.of_silence(assessed[name], usable[name], branch.exclusions, name),
        ]
    exclusions = roster.sort(pd.concat(left), "item", "rule")
    exposures = observations.of_exposures(roster.sessions, study["exposures"])
    measures = roster.sort(pd.concat([exposures, *(b.measures for b in branches.values())]), "measure")
    kept_out = [b.excluded_measures for b in branches.values() if b.excluded_measures is not None]
    none = pd.DataFrame(columns=[*observations.COLUMNS, "rule"], dtype=object)
    steps = flags.changes(measures, roster)
    odd = [pd.DataFrame(columns=flags.COLUMNS, dtype=object), flags.of_changes(steps), flags.of_retest(steps)]
    used = {name: branch.used for name, branch in branches.items() if branch.used is not None}
    odd += [flags.of_assays(used["assays"])] if "assays" in used else []
    odd += [flags.of_ratings(used["imaging"], roster)] if "imaging" in used else []
    if "expression" in used:
        odd += [flags.of_batches(used["expression"]), flags.of_scores(used["expression"])]
    odd += [flags.of_protocol(protocol)] if protocol is not None else []
    units = {name: about["unit"] for name, about in study["covariates"].items() if "unit" in about}
    return {
        "measures": measures,
        "excluded_measures": roster.sort(pd.concat([none, *kept_out]), "measure"),
        "participants": roster.participants,
        "exclusions": exclusions,
        "flags": roster.sort(pd.concat(odd), "item", "rule"),
        "flow": summaries.flow(roster, assessed, usable, {name: b.note for name, b in branches.items()}),
        "outcomes": participation.outcomes(roster, measures, assessed, exclusions),
        "course": participation.course(roster.participants, units),
        "inclusion": participation.inclusion(roster, measures, usable, units),
        "table1": summaries.table1(roster, measures, units),
    }
