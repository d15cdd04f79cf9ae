"""A BIDS tree's tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pniflow.study.records import Records


def read_bids(study: Mapping[str, Any], data: Path, wanted: Mapping[str, str]) -> list[Records]:
    """Read participants, sessions and phenotype tables."""
    raise NotImplementedError
