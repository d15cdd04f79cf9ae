"""The stage itself: read, check, join, write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pniflow.cohort.branches import Branch, Gathered, made
from pniflow.cohort.roster import PLACE, enrol, with_numbers, without_excluded
from pniflow.errors import InputError
from pniflow.imaging.comparability import Kind
from pniflow.tables import read

if TYPE_CHECKING:
    import pandas as pd


def assemble_cohort(
    *,
    study: Path,
    participants: Path,
    sessions: Path,
    tables: Mapping[str, Path],
    minimum_quality: float = 60.0,
    allow_mixed: list[Kind] | None = None,
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
    tables : mapping of str to path
        What the stages made, by the names of `pniflow.tables`; `ctra` needs `samples`.
    minimum_quality : float
        Scans rated lower (SIQR, else IQR, in percent) are left out and listed.
    allow_mixed : list of str
        What may be mixed among scans: version, pipeline, scanner, thickness_definition; flagged in flow.tsv.
    allow_mixed_versions : bool
        The same as version and scanner.
    out : path
        Folder for the tables.

    Raises
    ------
    InputError
        Nobody is in the study; a row about a participant or session that the records do not know, a
        participant-session twice, two scans of one participant-session, scans that must not be mixed, or
        a table against its contract.
    """
    from pniflow import config
    from pniflow.cohort.dictionary import dictionary, dictionary_table
    from pniflow.contracts import read_table, write_table
    from pniflow.files import write_json

    if "ctra" in tables and "samples" not in tables:
        raise InputError(
            f"{tables['ctra']}: CTRA scores are joined through the samples table; give --samples too."
        )
    described = config.read_study(study)
    people = with_numbers(read_table(participants, "participants"), described["covariates"], participants)
    held = {name: read(path, name) for name, path in tables.items()}
    held = {name: without_excluded(table, people, described) for name, table in held.items()}
    places = {
        tables[name]: _places(table) for name, table in held.items() if set(PLACE) <= set(table.columns)
    }
    when = with_numbers(read_table(sessions, "sessions"), described["exposures"], sessions)
    roster = enrol(described, people, when, places, (participants, sessions))
    if roster.participants.empty:
        raise InputError(
            f"{participants}: nobody is in this study: no record, sample or scan names a participant; see "
            "whether the files that study.yaml names have rows."
        )
    allowed = {*(allow_mixed or ()), *(("version", "scanner") if allow_mixed_versions else ())}
    gathered = Gathered(described, roster, held, tables, minimum_quality, allowed)
    cohort = _joined(gathered, made(gathered))
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


def _joined(gathered: Gathered, branches: Mapping[str, Branch]) -> dict[str, pd.DataFrame]:
    """Join the branches and describe the whole: contract -> table."""
    import pandas as pd

    from pniflow.cohort import exclusions, flags, observations, participation, summaries

    study, roster = gathered.study, gathered.roster
    assessed = {name: summaries.places(branch.assessed, roster) for name, branch in branches.items()}
    usable = {
        name: summaries.places(branch.measures.dropna(subset=["value"]), roster)
        for name, branch in branches.items()
    }
    left = [pd.DataFrame(columns=exclusions.COLUMNS, dtype=object)]
    for name, branch in branches.items():
        left += [
            branch.exclusions,
            exclusions.of_silence(assessed[name], usable[name], branch.exclusions, name),
        ]
    excluded = roster.sort(pd.concat(left), "item", "rule")
    exposures = observations.of_exposures(roster.sessions, study["exposures"])
    measures = roster.sort(pd.concat([exposures, *(b.measures for b in branches.values())]), "measure")
    kept_out = [b.excluded_measures for b in branches.values() if b.excluded_measures is not None]
    none = pd.DataFrame(columns=[*observations.COLUMNS, "rule"], dtype=object)
    steps = flags.changes(measures, roster)
    odd = [pd.DataFrame(columns=flags.COLUMNS, dtype=object), flags.of_changes(steps), flags.of_retest(steps)]
    odd += [flags.of_values(measures), flags.of_copies(measures)]
    odd += [flag for branch in branches.values() for flag in branch.flags]
    odd += [flags.of_protocol(gathered.tables["protocol"])] if "protocol" in gathered.tables else []
    units = {name: about["unit"] for name, about in study["covariates"].items() if "unit" in about}
    return {
        "measures": measures,
        "excluded_measures": roster.sort(pd.concat([none, *kept_out]), "measure"),
        "participants": roster.participants,
        "exclusions": excluded,
        "flags": roster.sort(pd.concat(odd), "item", "rule"),
        "flow": summaries.flow(
            roster,
            assessed,
            usable,
            {name: b.note for name, b in branches.items()},
            gathered.tables.get("account"),
        ),
        "outcomes": participation.outcomes(roster, measures, assessed, excluded),
        "course": participation.course(roster.participants, units),
        "inclusion": participation.inclusion(roster, measures, usable, units),
        "table1": summaries.table1(roster, measures, units),
    }
