"""Mixed-effects models: every p-value of a study comes out of here.

`random_intercept` fits all outcomes that share a design at once, `lmm` fits one outcome with several grouping
factors or random slopes, `fit_lmm` is the latter's command, `fit_models` runs a study's structured models,
`check_design` simulates what its design can find, `fit_over_genes` sets the field's ways of regressing on
many genes side by side, `fit_surface` and `fit_voxels` fit models of maps.
"""

from __future__ import annotations

import importlib
from typing import Any

_COMMANDS = {
    "check_design": "design_checks",
    "fit_lmm": "single_fit",
    "fit_models": "prespecified",
    "fit_over_genes": "over_genes",
    "fit_surface": "vertices",
    "fit_voxels": "voxels",
}


def __getattr__(name: str) -> Any:
    """Import a command's function when it is asked for."""
    if name not in _COMMANDS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    function = getattr(importlib.import_module(f"{__name__}.{_COMMANDS[name]}"), name)
    globals()[name] = function
    return function
