"""CAT12 outputs, every version, made tidy: which scans there are, what their files say, what may be compared.

index, naming : which scans a folder holds, whose they are     parse : scan by scan to tables
document, matfile, report, labels, old_labels, exports : one file's bytes to numbers
atlases : region names, sides, groups                        tables : many rows to Parquet, batches joined
overlays, surfaces, voxels : maps of all scans                   template : CAT12's own surfaces and atlases
lesions : LST-AI, or any table    freesurfer, freesurfer_wide : its statistics, subfields, wide tables
protocol : how the images were measured                      comparability : what must not be mixed
"""

from __future__ import annotations

import importlib
from typing import Any

_PLACES = {
    "index_cat12": "index",
    "parse_cat12": "parse",
    "gather_cat12": "tables",
    "gather_surfaces": "surfaces",
    "gather_voxels": "voxels",
    "ingest_freesurfer": "freesurfer",
    "ingest_lesions": "lesions",
    "ingest_protocol": "protocol",
    "region_groups": "atlases",
    "mixed_images": "comparability",
    "mixed_versions": "comparability",
}

__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
