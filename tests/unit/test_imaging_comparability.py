"""Scans of other versions or settings are not mixed, and are named."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from pniflow.imaging.comparability import mixed_versions


def scans(**columns: list) -> pd.DataFrame:
    n = max(map(len, columns.values()))
    base = {
        "scan": [f"s{k}" for k in range(n)],
        "participant_id": [f"p{k}" for k in range(n)],
        "cat_version": [None] * n,
    }
    return pd.DataFrame(base | columns)


def test_mixed_versions_name_the_scans() -> None:
    assert mixed_versions(scans(cat_version=["12.8.1 r2040", "12.8.1 r2040", None])) == []
    said = mixed_versions(scans(cat_version=["12.8.1 r2040", "26.0 r3300"]))
    assert said[0] == "The scans mix CAT12 versions (12.8.1 r2040: s0; 26.0 r3300: s1)."
    assert "definitions of cortical thickness (FreeSurfer-like distance: s0; projection-based: s1)" in said[1]


@pytest.mark.parametrize(
    ("column", "values", "what"),
    [
        ("longitudinal_model", ["plasticity", "ageing"], "longitudinal models .ageing: s1; plasticity: s0."),
        ("wmh_handling", ["1", "2"], "settings for white matter hyperintensities .WMHC. .1: s0; 2: s1."),
        ("lesion_handling", ["0", "1"], "settings for stroke lesions .SLC. .0: s0; 1: s1."),
        ("voxel_size", ["1", "1.5"], "voxel sizes .1: s0; 1.5: s1."),
        ("spm_version", ["7219", "7771"], "SPM versions .7219: s0; 7771: s1."),
    ],
)
def test_other_settings_that_must_be_alike_name_the_scans(column: str, values: list[str], what: str) -> None:
    assert mixed_versions(scans(**{column: [values[0], values[0], None]})) == []
    said = mixed_versions(scans(**{column: values}))
    assert len(said) == 1
    assert re.search(what, said[0])


def test_thickness_of_12_6_12_7_and_26_is_not_one_measure() -> None:
    assert len(mixed_versions(scans(cat_version=["12.7 r1720", "12.9 r2577"]))) == 1
    assert len(mixed_versions(scans(cat_version=["r1450", "12.7 r1720"]))) == 2


def test_longitudinal_and_cross_sectional_runs_do_not_mix_within_a_study() -> None:
    mixed = scans(participant_id=["a", "a", "b", "b"], longitudinal=[True, True, False, False])
    assert "mix runs of the longitudinal and the cross-sectional pipeline" in mixed_versions(mixed)[0]
    within = scans(participant_id=["a", "a"], longitudinal=[True, False])
    assert len(mixed_versions(within)) == 1
    single = scans(participant_id=["a", "a", "b"], longitudinal=[True, True, False])
    assert ".cross-sectional: s2; longitudinal: s0, s1." in re.sub(r"[()]", ".", mixed_versions(single)[0])
