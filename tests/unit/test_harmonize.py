"""ComBat for repeated scans: a scanner's effect goes, a person's and the session's stay."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pniflow.errors import InputError
from pniflow.models.harmonize import harmonize

FEATURES = ["f1", "f2", "f3", "f4"]


def study(path, seed=1, people=60, shift=3.0):
    """Each person twice, on one of two scanners each time; the second adds `shift`, the session adds 1."""
    rng = np.random.default_rng(seed)
    person, session = np.repeat(np.arange(people), 2), np.tile([0, 1], people)
    scanner = rng.integers(0, 2, 2 * people)
    level = 10 + 2 * rng.normal(size=(people, len(FEATURES)))
    values = level[person] + session[:, None] + shift * scanner[:, None]
    values += 0.3 * rng.normal(size=values.shape)
    table = pd.DataFrame(values, columns=FEATURES)
    table = table.assign(
        id=[f"p{one}" for one in person], session=session, scanner=scanner + 1, level=level[person, 0]
    )
    table.to_csv(path, index=False)
    return table


def call(path, out, **more):
    options = {"features": FEATURES, "batch": "scanner", "group": "id", "fixed": ["session"]} | more
    harmonize(data=path, out=out, **options)
    return pd.read_csv(out)


def test_the_scanner_goes_and_person_and_session_stay(tmp_path):
    table = study(tmp_path / "a.csv")
    found = call(tmp_path / "a.csv", tmp_path / "out.csv")
    change = found["f1"].to_numpy().reshape(-1, 2) @ [-1, 1]
    moved = table["scanner"].to_numpy().reshape(-1, 2) @ [-1, 1]
    assert np.mean(change) == pytest.approx(1, abs=0.15)
    assert np.mean(change[moved == 1]) == pytest.approx(np.mean(change[moved == -1]), abs=0.4)
    assert np.corrcoef(found["f1"] - found["session"], table["level"])[0, 1] > 0.95
    assert list(found.columns) == list(table.columns)


def test_a_row_with_a_missing_value_stays_blank(tmp_path):
    table = study(tmp_path / "a.csv")
    table.loc[3, "f2"] = np.nan
    table.to_csv(tmp_path / "a.csv", index=False)
    found = call(tmp_path / "a.csv", tmp_path / "out.csv")
    assert found.loc[3, FEATURES].isna().all() and found.drop(index=3)[FEATURES].notna().all(axis=None)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"features": ["f1"]}, "there are 1 features and 2 scanners"),
        ({"features": ["f1", "f9"]}, "there is no column 'f9'"),
        ({"features": ["f1", "f1"]}, "the column 'f1' is named twice"),
        ({"fixed": ["id"], "group": "session"}, "where a finite number was expected"),
        ({"batch": "session"}, "the column 'session' is named twice"),
        ({"batch": "session", "fixed": ["twin"]}, "scanners cannot be told from the fixed effects"),
        ({"features": ["f1", "f1_again"]}, "scanners cannot be told .* do not vary apart"),
    ],
)
def test_what_cannot_be_harmonized_is_one_sentence(tmp_path, more, words):
    table = study(tmp_path / "a.csv")
    table.assign(twin=table["session"], f1_again=table["f1"]).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(InputError, match=words):
        call(tmp_path / "a.csv", tmp_path / "out.csv", **more)
    assert not (tmp_path / "out.csv").exists()
