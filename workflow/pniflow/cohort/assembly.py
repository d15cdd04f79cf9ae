"""The stage itself: read, check, join, write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pniflow.cohort.branches import Branch
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
    lesions: Path | None = None,
    minimum_quality: float = 60.0,
    allow_mixed_versions: bool = False,
    out: Path,
) -> None:
    """Join all stages by participant and session; list what is left out, count and describe the cohort.

    Writes measures.parquet, excluded_measures.parquet, participants.tsv, flow.tsv, exclusions.tsv, table1.tsv
    and dictionary.json. Missing values stay missing.

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
    lesions : path, optional
        Lesion load by participant and session.
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
    from pniflow.cohort import summaries
    from pniflow.cohort.dictionary import dictionary
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
        "lesions": (lesions, "lesions"),
    }
    paths = {name: path for name, (path, _) in contracts.items() if path is not None}
    tables = {name: read_table(path, contracts[name][1]) for name, path in paths.items()}
    people = with_numbers(read_table(participants, "participants"), described["covariates"], participants)
    when = read_table(sessions, "sessions")
    places = {
        paths[name]: _places(table) for name, table in tables.items() if set(PLACE) <= set(table.columns)
    }
    roster = enrol(described, people, when, places, (participants, sessions))
    branches = _branches(described, tables, paths, minimum_quality, allow_mixed_versions)
    cohort = _joined(roster, branches)
    units = {name: about["unit"] for name, about in described["covariates"].items() if "unit" in about}
    out = Path(out)
    for name, table in cohort.items():
        ending = "parquet" if name.endswith("measures") else "tsv"
        write_table(table, out / f"{name}.{ending}", name)
    write_table(roster.participants, out / "participants.tsv", "participants")
    write_table(summaries.table1(roster, cohort["measures"], units), out / "table1.tsv", "table1")
    write_json(out / "dictionary.json", dictionary(described, cohort["measures"]))


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
    from pniflow.cohort import branches

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
    if there("lesions", "lesions"):
        made["lesions"] = branches.lesions(tables["lesions"])
    return made


def _joined(roster: Roster, branches: Mapping[str, Branch]) -> dict[str, pd.DataFrame]:
    """Join the branches: measures, excluded_measures, exclusions, flow."""
    import pandas as pd

    from pniflow.cohort import left_out, observations, summaries

    empty = pd.DataFrame(columns=observations.COLUMNS, dtype=object)
    assessed = {name: summaries.places(branch.assessed, roster) for name, branch in branches.items()}
    usable = {
        name: summaries.places(branch.measures.dropna(subset=["value"]), roster)
        for name, branch in branches.items()
    }
    exclusions = [empty.reindex(columns=left_out.COLUMNS)]
    for name, branch in branches.items():
        silent = left_out.of_silence(assessed[name], usable[name], branch.exclusions, name)
        exclusions += [branch.exclusions, silent]
    kept_out = [b.excluded_measures for b in branches.values() if b.excluded_measures is not None]
    return {
        "measures": roster.sort(pd.concat([empty, *(b.measures for b in branches.values())]), "measure"),
        "excluded_measures": roster.sort(pd.concat([empty.assign(rule=None), *kept_out]), "measure"),
        "exclusions": roster.sort(pd.concat(exclusions), "item", "rule"),
        "flow": summaries.flow(roster, assessed, usable, {name: b.note for name, b in branches.items()}),
    }
