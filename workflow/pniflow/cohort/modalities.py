"""The branches of a study (questionnaires, assays, ...): what was collected, what is usable, what is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pniflow.cohort import exclusions as left_out
from pniflow.cohort import observations
from pniflow.cohort import scans as scanning
from pniflow.cohort.roster import PLACE
from pniflow.errors import InputError, listing

if TYPE_CHECKING:
    import pandas as pd

Tables = Mapping[str, "pd.DataFrame"]
Paths = Mapping[str, Path]


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
    used : DataFrame, optional
        The scans or samples themselves.
    """

    assessed: pd.DataFrame
    measures: pd.DataFrame
    exclusions: pd.DataFrame
    note: str = ""
    excluded_measures: pd.DataFrame | None = None
    used: pd.DataFrame | None = None


def questionnaires(scales: pd.DataFrame) -> Branch:
    """Questionnaire scores; assessed is who answered at least one item."""
    answered = scales[scales["items_answered"] > 0]
    return Branch(answered[PLACE], observations.of_scales(scales), left_out.of_scales(scales))


def assays(scores: pd.DataFrame) -> Branch:
    """Laboratory measures; assessed is who was measured, be it below the limit or blank for its spread."""
    if "cv_percent" not in scores:
        scores = scores.assign(cv_percent=float("nan"))
    measured = scores[scores["value"].notna() | scores["below_limit"] | scores["cv_percent"].notna()]
    return Branch(measured[PLACE], observations.of_assays(scores), left_out.of_assays(scores), used=scores)


def expression(samples: pd.DataFrame, scores: pd.DataFrame | None, paths: Paths) -> Branch:
    """CTRA scores of blood samples; without scores every sample is listed as not scored.

    Raises
    ------
    InputError
        A score belongs to no sample, or two samples are of one participant-session.
    """
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
    exclusions = left_out.of_samples(samples, scores)
    noted = kept.merge(scores.reindex(columns=["sample_id", "note"]), on="sample_id", how="left")
    return Branch(samples[PLACE], observations.of_ctra(scores, samples), exclusions, used=noted)


def imaging(
    tables: Tables, paths: Paths, minimum_quality: float, allow_mixed_versions: bool, lesion_handling: str
) -> Branch:
    """Numbers of the scans that pass the quality gate.

    Raises
    ------
    InputError
        Tables disagree about a scan, a participant-session has two scans, CAT12 versions are mixed, or
        lesions were handled in another way than the study says.
    """
    import pandas as pd

    kinds = [name for name in ("scans", "quality", "globals", "regions") if name in tables]
    listed = scanning.scan_list({paths[name]: tables[name] for name in kinds})
    listed = scanning.sorted_out(listed, minimum_quality, allow_mixed_versions)
    processed = listed[listed["rule"].isna() | (listed["rule"] == scanning.GATE)]
    refuse_twice(processed, "scan", "scans", paths[kinds[0]])
    globals, regions = tables.get("globals"), tables.get("regions")
    if globals is not None:
        scanning.refuse_other_handling(processed, globals, lesion_handling, paths["globals"])
    note = scanning.compared(
        processed, globals, regions, allow_mixed_versions, paths[kinds[-1]], tables.get("protocol")
    )
    numbers = observations.of_scans(processed, regions, globals)
    exclusions = [left_out.of_scans(listed)]
    if scanning.thickness_differs(processed):
        numbers = numbers[~numbers["measure"].str.endswith("thickness")]
        exclusions.append(left_out.of_thickness(processed))
    gated = (
        numbers[PLACE].merge(processed[[*PLACE, "rule"]], on=PLACE, how="left")["rule"].to_numpy(dtype=object)
    )
    numbers = numbers.assign(rule=gated)
    unrated = processed[["siqr_percent", "iqr_percent"]].isna().all(axis=1).sum()
    note += f"; lesions before segmentation: {lesion_handling}"
    note += f"; image quality not recorded for {unrated} of {len(processed)} scans" if unrated else ""
    return Branch(
        listed.loc[~listed["average"], PLACE].dropna().drop_duplicates(),
        numbers[numbers["rule"].isna()].drop(columns="rule"),
        pd.concat(exclusions),
        note,
        numbers.dropna(subset=["rule"]),
        processed[processed["rule"].isna()],
    )


def freesurfer(regions: pd.DataFrame, gated: pd.DataFrame, allow_mixed_versions: bool, path: Path) -> Branch:
    """FreeSurfer's numbers; what CAT12 rated below the threshold is the same image, and is left out as well.

    Parameters
    ----------
    regions : DataFrame
        Contract regions, of FreeSurfer.
    gated : DataFrame
        participant_id, session_id, reason of the scans that the quality gate left out.
    allow_mixed_versions : bool
        Go on where versions or analyses are mixed, and say so.
    path : Path
        Where `regions` stands, for sentences.

    Raises
    ------
    InputError
        Two folders give one atlas of a participant-session, or versions are mixed.
    """
    import pandas as pd

    from pniflow.imaging.comparability import mixed_versions

    scans = regions[["scan", *PLACE]].drop_duplicates("scan")
    matched = scans.dropna(subset=PLACE)
    held = regions[regions["scan"].isin(matched["scan"])]
    given = held[["scan", "atlas", *PLACE]].drop_duplicates()
    for _, same in given.groupby("atlas", observed=True, sort=True):
        refuse_twice(same, "scan", "folders of FreeSurfer", path)
    mixed = mixed_versions(scans.assign(cat_version=None), held)
    if mixed and not allow_mixed_versions:
        raise InputError(scanning.refusal(mixed, path))
    numbers = observations.of_freesurfer(held)
    left = matched.merge(gated[[*PLACE, "reason"]], on=PLACE).assign(rule=scanning.GATE)
    lost = scans[scans[PLACE].isna().any(axis=1)]
    lost = lost.assign(
        rule="unmatched scan", reason="the name could not be matched to a participant and session"
    )
    flagged = numbers.merge(left[[*PLACE, "rule"]].drop_duplicates(), on=PLACE, how="left")
    return Branch(
        matched[PLACE].drop_duplicates(),
        flagged[flagged["rule"].isna()].drop(columns="rule"),
        left_out.of_scans(pd.concat([left, lost]), "freesurfer"),
        scanning.MIXED + " ".join(mixed) if mixed else "",
        flagged.dropna(subset=["rule"]),
    )


def lesions(table: pd.DataFrame) -> Branch:
    """Lesion load."""
    return Branch(
        table[PLACE], observations.of_lesions(table), table.iloc[:0].reindex(columns=left_out.COLUMNS)
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
