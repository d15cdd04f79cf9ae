"""Features come back from `harmonize` as R's longCombat makes them (lme4's optimizer is the floor)."""

from __future__ import annotations

import pandas as pd
import pytest

from pniflow import cli


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("case", "fixed"),
    [("two_sessions", ["age", "session"]), ("three_sessions_arms", ["age", "arm", "session", "arm_session"])],
)
def test_features_are_those_of_longcombat(oracle, case, fixed, tmp_path):
    table = pd.read_csv(oracle / "combat" / case / "data.csv")
    table.assign(arm_session=table["arm"] * table["session"]).to_csv(tmp_path / "data.csv", index=False)
    features = [name for name in table.columns if name[0] == "f"]
    words = ["harmonize", "--data", str(tmp_path / "data.csv"), "--features", *features, "--batch", "scanner"]
    words += ["--group", "id", "--fixed", *fixed, "--out", str(tmp_path / "out.csv")]
    assert cli.main(words) == 0
    found = pd.read_csv(tmp_path / "out.csv")
    wanted = pd.read_csv(oracle / "combat" / case / "harmonized.csv")
    for name in features:
        difference = (found[name] - wanted[f"{name}.combat"]).abs() / table[name].std()
        assert difference.max() < 1e-5
    assert found["id"].equals(table["id"])
