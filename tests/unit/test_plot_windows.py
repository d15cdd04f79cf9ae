"""What each measure looks back on, in study days."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.xdist_group("figures"), pytest.mark.filterwarnings("error")]


def test_windows_are_told_in_study_days(drawn):
    alt = drawn[1]["windows"]["alt"]
    assert "Stress (PSS-10): before days \u221230 to 0, after days 26 to 56" in alt
    assert "CTRA: before day 0, after day 56" in alt
    assert "MAIA-2: before day 0, window not stated" in alt
    assert "(day 0 to 56)" in drawn[1]["windows"]["caption"]
