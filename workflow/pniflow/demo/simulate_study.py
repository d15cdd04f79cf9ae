"""The command that writes a simulated study."""

from __future__ import annotations

from pathlib import Path
from typing import Literal


def simulate_study(
    *,
    out: Path,
    participants: int = 23,
    seed: int = 2024,
    null: bool = False,
    sign_pattern: Literal["conference", "paper"] = "conference",
    sessions: int = 2,
    sites: int = 1,
    effect_size: float = 1.1,
    link: float = 1.0,
    missingness: float = 1.0,
    noise_free: bool = False,
    truth_participants: int = 20_000,
) -> None:
    """Write a complete raw study: REDCap export, hair cortisol, RNA counts, CAT12 and LST-AI outputs, truth.

    Parameters
    ----------
    out : path
        Folder of the study; also gets study.yaml, config.yaml, models.yaml and truth.json.
    participants : int
        Number of participants.
    seed : int
        Seed of the random numbers; the same seed gives the same bytes.
    null : bool
        No mean change, no links between domains; variances and links among questionnaires stay.
    sign_pattern : str
        Within-person link of CTRA to stress, loneliness, cortisol: conference (inverse), paper (positive).
    sessions : int
        Sessions per participant, 2 to 6.
    sites : int
        Number of sites, 1 to 9; sites differ in scanner.
    effect_size : float
        Improvement of each questionnaire in standard deviations of its change (d_z).
    link : float
        Multiplies the planted links between domains.
    missingness : float
        Multiplies dropout, absent scans and samples, and blank items; 0 gives complete data.
    noise_free : bool
        No measurement error and no unexplained variance: planted values come back exactly.
    truth_participants : int
        People in the population on which the truth is computed; 0 leaves truth.json without estimates.
    """
    from pniflow.demo.scenario import Design
    from pniflow.demo.write_study import write_study

    design = Design(
        participants=participants,
        seed=seed,
        null=null,
        sign_pattern=sign_pattern,
        sessions=sessions,
        sites=sites,
        effect_size=effect_size,
        link=link,
        missingness=missingness,
        noise=not noise_free,
    )
    write_study(design, out, truth_participants)
