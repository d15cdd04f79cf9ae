"""Resources: names and never paths, the user's own first."""

from __future__ import annotations

from pathlib import Path

import pytest

from pniflow import resources
from pniflow.errors import InputError


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a b", "", "x.yaml"])
def test_a_resource_is_a_name_and_never_a_path(name: str) -> None:
    with pytest.raises(InputError, match="is not a resource name"):
        resources.find("instruments", name)


def test_an_unknown_resource_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"instruments: there is no 'pss99'; known are .*pss10"):
        resources.find("instruments", "pss99")


def test_the_users_own_resources_come_first(tmp_path: Path) -> None:
    own = tmp_path / "instruments" / "pss10.yaml"
    own.parent.mkdir()
    own.write_text("name: pss10\n")
    assert resources.find("instruments", "pss10", tmp_path) == own
    assert resources.find("instruments", "gad7", tmp_path) != own
