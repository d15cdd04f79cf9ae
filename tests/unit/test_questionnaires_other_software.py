"""Scores agree with another implementation: BioPsyKit 0.14.0 (pss, phq, hads), run on the responses made
here.

It was also run on 2,000 random respondents each, without a difference. It sums missing items as zero, so only
complete responses are compared.
"""

from __future__ import annotations

import numpy as np
import pytest

from pniflow.questionnaires.keys import read_key, recoded
from pniflow.questionnaires.response_matrices import reverse
from pniflow.questionnaires.score_questionnaires import score_scale

BIOPSYKIT = {
    "pss10": [18, 24, 20, 16, 22, 18, 24, 20],
    "pss10_helplessness": [6, 19, 12, 10, 13, 6, 19, 12],
    "pss10_self_efficacy": [12, 5, 8, 6, 9, 12, 5, 8],
    "phq9": [19, 15, 19, 15, 19, 15, 19, 15],
    "hads_anxiety": [16, 16, 16, 16, 16, 16, 16, 16],
    "hads_depression": [10, 13, 8, 11, 10, 13, 8, 11],
}


@pytest.mark.parametrize(("name", "coding"), [("pss10", None), ("phq9", None), ("hads", "agreement")])
def test_scores_are_those_of_biopsykit(name: str, coding: str | None) -> None:
    key = read_key(name)
    spread = int(key.high - key.low) + 1
    people, items = np.arange(1, 9)[:, None], np.arange(1, key.items + 1)
    responses = key.low + (7 * people + 3 * items + people * items**2) % spread
    keyed = reverse(recoded(responses.astype(float), key, coding, name), key)
    ours = {scale.name: score_scale(keyed, scale, key.minimum_share)[0].tolist() for scale in key.scales}
    assert ours == {scale: BIOPSYKIT[scale] for scale in ours}
