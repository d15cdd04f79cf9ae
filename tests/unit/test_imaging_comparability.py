"""Scans of other versions or settings are not mixed, and are named."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from pniflow.imaging.comparability import mixtures, one_spelling


def scans(**columns: list) -> pd.DataFrame:
    n = max(map(len, columns.values()))
    base = {
        "scan": [f"s{k}" for k in range(n)],
        "participant_id": [f"p{k}" for k in range(n)],
        "cat_version": [None] * n,
    }
    return pd.DataFrame(base | columns)


def mixed_versions(table: pd.DataFrame) -> list[str]:
    return [words for some in mixtures(table).values() for words in some]


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


def test_a_mixture_is_told_by_what_would_have_to_be_allowed() -> None:
    table = scans(
        cat_version=["12.6 r1450", "12.8 r2040"], longitudinal=[True, False], spm_version=["1", "2"]
    )
    kinds = {kind: len(said) for kind, said in mixtures(table, None, protocol("A", "B")).items()}
    assert kinds == {"version": 2, "pipeline": 1, "thickness_definition": 1, "scanner": 1}


def protocol(*makers: str, field: tuple[float, ...] = (3.0,), **more: list[str]) -> pd.DataFrame:
    count = max(len(makers), len(field))
    columns = {"manufacturer": [makers[k % len(makers)] for k in range(count)], "scanner_model": "Prisma"}
    columns |= {"field_strength": [field[k % len(field)] for k in range(count)], "software": "E11"}
    columns |= {"suffix": "T1w", "source": [f"i{k}" for k in range(count)]}
    return pd.DataFrame(columns | more)


def test_one_scanner_in_several_spellings_is_one() -> None:
    same = protocol("SIEMENS", "Siemens", "Siemens Healthineers", field=(2.89362, 3.0, 2.98))
    same["scanner_model"] = ["MAGNETOM Prisma", "Prisma", "PRISMA"]
    same["software"] = ["syngo MR E11", "E11", "syngo_MR_E11"]
    assert mixtures(scans(cat_version=[None]), None, same) == {}
    assert set(one_spelling(same)["field_strength"]) == {3.0}


@pytest.mark.parametrize(
    "other",
    [
        protocol("SIEMENS", "Philips"),
        protocol("Siemens", field=(1.494, 2.89362)),
        protocol("Siemens", field=(3.0, 7.0), scanner_model=["Prisma", "Prisma"]),
        protocol("Siemens", "SIEMENS", scanner_model=["Prisma", "Prisma_fit"]),
        protocol("Siemens", "SIEMENS", software=["syngo MR E11", "syngo MR XA30"]),
    ],
)
def test_two_scanners_stay_two(other: pd.DataFrame) -> None:
    assert len(mixtures(scans(cat_version=[None]), None, other)["scanner"]) == 1
