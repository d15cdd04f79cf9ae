"""The branches of a study (questionnaires, assays, ...): what was collected, what is usable, what is not."""

from __future__ import annotations

import functools
import pkgutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pniflow.cohort import exclusions, observations
from pniflow.cohort import flags as second_look
from pniflow.cohort import scans as scanning
from pniflow.cohort.roster import PLACE, Roster
from pniflow.errors import InputError, listing
from pniflow.modalities import MODALITIES

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Gathered:
    """What the branches are made from.

    Attributes
    ----------
    study : dict
        The checked study.yaml.
    roster : Roster
        Who is in the study and at which sessions.
    tables, paths : dict
        Name (of `pniflow.tables`) -> table, and where it was read.
    minimum_quality : float
        Scans rated lower (in percent) are left out.
    allowed : collection of str
        Kinds of mixture (`imaging.comparability.Kind`) with which to go on and say so.
    """

    study: Mapping[str, Any]
    roster: Roster
    tables: Mapping[str, pd.DataFrame]
    paths: Mapping[str, Path]
    minimum_quality: float
    allowed: Collection[str]

    def has(self, name: str, section: str) -> bool:
        """Tell whether a table is there and has rows, or the study declares its section all the same."""
        return name in self.tables and (len(self.tables[name]) > 0 or bool(self.study.get(section)))

    @functools.cached_property
    def scans(self) -> pd.DataFrame | None:
        """All scans of CAT12, each with the rule that leaves it out; None without any."""
        kinds = [name for name in ("scans", "quality", "globals", "regions") if name in self.tables]
        if not any(self.has(name, "cat12") for name in kinds):
            return None
        listed = scanning.scan_list({self.paths[name]: self.tables[name] for name in kinds})
        return scanning.sorted_out(listed, self.minimum_quality, self.allowed)


@dataclass(frozen=True)
class Branch:
    """One branch of a study.

    Attributes
    ----------
    assessed : DataFrame
        participant_id, session_id where anything was collected.
    measures : DataFrame
        Its numbers that are used.
    exclusions : DataFrame
        What was left out.
    note : str
        What the reader of the flow must know about the branch.
    excluded_measures : DataFrame, optional
        Numbers that a quality rule left out, with the rule.
    flags : list of DataFrame
        What is used but deserves a second look.
    """

    assessed: pd.DataFrame
    measures: pd.DataFrame
    exclusions: pd.DataFrame
    note: str = ""
    excluded_measures: pd.DataFrame | None = None
    flags: Sequence[pd.DataFrame] = ()


def made(gathered: Gathered) -> dict[str, Branch]:
    """Make the branches that the study declares or has rows of, in the order of the modalities."""
    found = {one.branch: pkgutil.resolve_name(one.made_by)(gathered) for one in MODALITIES if one.branch}
    return {name: branch for name, branch in found.items() if branch is not None}


def questionnaires(gathered: Gathered) -> Branch | None:
    """Questionnaire scores; assessed is who answered at least one item."""
    if not gathered.has("scales", "instruments"):
        return None
    scales = gathered.tables["scales"]
    answered = scales[scales["items_answered"] > 0]
    return Branch(answered[PLACE], observations.of_scales(scales), exclusions.of_scales(scales))


def assays(gathered: Gathered) -> Branch | None:
    """Laboratory measures; assessed is who was measured, be it below the limit or blank for its spread."""
    if not gathered.has("assays", "assays"):
        return None
    scores = gathered.tables["assays"]
    if "cv_percent" not in scores:
        scores = scores.assign(cv_percent=float("nan"))
    measured = scores[scores["value"].notna() | scores["below_limit"] | scores["cv_percent"].notna()]
    return Branch(
        measured[PLACE],
        observations.of_assays(scores),
        exclusions.of_assays(scores),
        flags=[second_look.of_assays(scores), *_assay_batches(scores, gathered.roster)],
    )


def _assay_batches(scores: pd.DataFrame, roster: Roster) -> list[pd.DataFrame]:
    """Flag each laboratory measure whose plates go together with sessions or groups."""
    if "batch" not in scores:
        return []
    given = scores[scores["value"].notna()]
    return [
        second_look.of_batches(rows, str(name), roster.participants)
        for name, rows in given.groupby("measure", sort=False)
    ]


def expression(gathered: Gathered) -> Branch | None:
    """CTRA scores of blood samples; without scores every sample is listed as not scored.

    Raises
    ------
    InputError
        A score belongs to no sample, or two samples are of one participant-session.
    """
    if not gathered.has("samples", "expression"):
        return None
    samples, scores, paths = gathered.tables["samples"], gathered.tables.get("ctra"), gathered.paths
    if scores is None:
        scores = samples.iloc[:0].reindex(columns=["sample_id", "ctra", "genes_used", "genes_missing"])
    strange = ~scores["sample_id"].isin(samples["sample_id"])
    if strange.any():
        row = int(strange.to_numpy().argmax())
        raise InputError(
            f"{paths['ctra']}: row {row + 2} is about sample {scores['sample_id'].iloc[row]}, which "
            f"{paths['samples'].name} does not have; add it there with its participant and session."
        )
    kept = samples[samples["excluded"].isna()] if "excluded" in samples else samples
    refuse_twice(kept, "sample_id", "blood samples", paths["samples"])
    noted = kept.merge(scores.reindex(columns=["sample_id", "note"]), on="sample_id", how="left")
    return Branch(
        samples[PLACE],
        observations.of_ctra(scores, samples),
        exclusions.of_samples(samples, scores),
        flags=[
            second_look.of_batches(noted, "blood samples", gathered.roster.participants),
            second_look.of_scores(noted),
        ],
    )


def imaging(gathered: Gathered) -> Branch | None:
    """Numbers of the scans that pass the quality gate.

    Raises
    ------
    InputError
        Tables disagree about a scan, a participant-session has two scans, CAT12 versions are mixed, or
        lesions were handled in another way than the study says.
    """
    import pandas as pd

    tables, paths, allowed = gathered.tables, gathered.paths, gathered.allowed
    listed = gathered.scans
    if listed is None:
        return None
    kinds = [name for name in ("scans", "quality", "globals", "regions") if name in tables]
    handling = gathered.study.get("cat12", {}).get("lesion_handling", "not recorded")
    processed = listed[listed["rule"].isna() | (listed["rule"] == scanning.GATE)]
    refuse_twice(processed, "scan", "scans", paths[kinds[0]])
    whole, regions = tables.get("globals"), tables.get("regions")
    if whole is not None:
        scanning.refuse_other_handling(processed, whole, handling, paths["globals"])
    note = scanning.compared(processed, whole, regions, allowed, paths[kinds[-1]], tables.get("protocol"))
    numbers = observations.of_scans(processed, regions, whole)
    if "label_regions" in tables:
        labelled = observations.of_labels(processed, tables["label_regions"])
        numbers = pd.concat([numbers, labelled], ignore_index=True)
    excluded = [exclusions.of_scans(listed)]
    if scanning.thickness_differs(processed) and "thickness_definition" not in allowed:
        numbers = numbers[~numbers["measure"].str.endswith("thickness")]
        excluded.append(exclusions.of_thickness(processed))
    gated = (
        numbers[PLACE].merge(processed[[*PLACE, "rule"]], on=PLACE, how="left")["rule"].to_numpy(dtype=object)
    )
    numbers = numbers.assign(rule=gated)
    unrated = processed[["siqr_percent", "iqr_percent"]].isna().all(axis=1).sum()
    note += f"; lesions before segmentation: {handling}"
    note += f"; image quality not recorded for {unrated} of {len(processed)} scans" if unrated else ""
    return Branch(
        listed.loc[~listed["average"], PLACE].dropna().drop_duplicates(),
        numbers[numbers["rule"].isna()].drop(columns="rule"),
        pd.concat(excluded),
        note,
        numbers.dropna(subset=["rule"]),
        [second_look.of_ratings(processed[processed["rule"].isna()], gathered.roster)],
    )


def freesurfer(gathered: Gathered) -> Branch | None:
    """FreeSurfer's numbers; what CAT12 rated below the threshold is the same image, and is left out as well.

    Raises
    ------
    InputError
        Two folders give one atlas of a participant-session, or versions are mixed.
    """
    import pandas as pd

    from pniflow.imaging.comparability import mixtures

    if not gathered.has("freesurfer", "freesurfer"):
        return None
    regions, path = gathered.tables["freesurfer"], gathered.paths["freesurfer"]
    scans = regions[["scan", *PLACE]].drop_duplicates("scan")
    matched = scans.dropna(subset=PLACE)
    held = regions[regions["scan"].isin(matched["scan"])]
    given = held[["scan", "atlas", *PLACE]].drop_duplicates()
    for _, same in given.groupby("atlas", observed=True, sort=True):
        refuse_twice(same, "scan", "folders of FreeSurfer", path)
    mixed = scanning.accepted(mixtures(scans.assign(cat_version=None), held), gathered.allowed, path)
    numbers = observations.of_freesurfer(held)
    rated = (
        scans.iloc[:0].reindex(columns=[*PLACE, "rule", "reason"])
        if gathered.scans is None
        else gathered.scans
    )
    gated = rated.loc[rated["rule"] == scanning.GATE, [*PLACE, "reason"]]
    left = matched.merge(gated, on=PLACE).assign(rule=scanning.GATE)
    lost = scans[scans[PLACE].isna().any(axis=1)]
    lost = lost.assign(
        rule="unmatched scan", reason="the name could not be matched to a participant and session"
    )
    flagged = numbers.merge(left[[*PLACE, "rule"]].drop_duplicates(), on=PLACE, how="left")
    return Branch(
        matched[PLACE].drop_duplicates(),
        flagged[flagged["rule"].isna()].drop(columns="rule"),
        exclusions.of_scans(pd.concat([left, lost]), "freesurfer"),
        mixed,
        flagged.dropna(subset=["rule"]),
    )


def lesions(gathered: Gathered) -> Branch | None:
    """Lesion load."""
    if not gathered.has("lesions", "lesions"):
        return None
    table = gathered.tables["lesions"]
    return Branch(
        table[PLACE], observations.of_lesions(table), table.iloc[:0].reindex(columns=exclusions.COLUMNS)
    )


def refuse_twice(frame: pd.DataFrame, name: str, kind: str, path: Path) -> None:
    """Refuse two things of one kind at one participant-session, naming them."""
    twice = frame[frame.duplicated(PLACE, keep=False)]
    if len(twice):
        who, when = twice.sort_values(PLACE)[PLACE].iloc[0]
        same = sorted(twice.loc[(twice["participant_id"] == who) & (twice["session_id"] == when), name])
        raise InputError(
            f"{path}: participant {who} has {len(same)} {kind} at session {when} ({listing(same)}); "
            "keep the one that counts, or give them different sessions."
        )
