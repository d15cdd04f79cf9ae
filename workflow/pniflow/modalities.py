"""One list of what a study can have: questionnaires, assays, expression, and the kinds of images.

A modality is one row here and a room of its own; its rules are `workflow/rules/<name>.smk`, its tables stand
in `pniflow.tables`, its section of study.yaml in the schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Modality:
    """Something that a study can have or lack.

    Attributes
    ----------
    name : str
        Its name, and the name of its rules.
    key : str
        Where study.yaml (`config.`: config.yaml) speaks of it.
    domain : str
        Domain of its measures.
    branch : str
        Its name in the flow of participants, where it is a branch of it.
    made_by : str
        The function that makes the branch ("module:name"), from what the cohort gathers.
    label : str
        The branch's heading.
    phrase : str
        What a study without any measure of its domain is said to lack.
    raw : tuple of str
        Keys of study.yaml that name its raw files and folders.
    measures : tuple of str
        Measures whose names the stages fix.
    """

    name: str
    key: str
    domain: str
    branch: str = ""
    made_by: str = ""
    label: str = ""
    phrase: str = ""
    raw: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()

    def present(self, study: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
        """Tell whether a study has it: whether something stands at its key."""
        found: Any = {**study, "config": config}
        *above, last = self.key.split(".")
        for part in above:
            found = found.get(part, {})
        return last in found and found[last] not in ([], {}, None)


MODALITIES = (
    Modality(
        "questionnaires",
        "config.questionnaires.instruments",
        "questionnaire",
        branch="questionnaires",
        made_by="pniflow.cohort.branches:questionnaires",
        label="Questionnaires",
        phrase="questionnaires",
    ),
    Modality(
        "assays",
        "assays",
        "assay",
        branch="assays",
        made_by="pniflow.cohort.branches:assays",
        label="Assays",
        phrase="laboratory assays",
    ),
    Modality(
        "expression",
        "expression",
        "expression",
        branch="expression",
        made_by="pniflow.cohort.branches:expression",
        label="Gene expression",
        phrase="blood gene expression",
        raw=("expression.matrix", "expression.samples", "expression.tx2gene"),
        measures=(
            "ctra",
            "ctra_mean_z",
            "ctra_mean_log2",
            "ctra_balanced",
            "ctra_without_antibody",
            "ctra_without_interferon",
            "ctra_without_near_floor",
            "ctra_baseline_z",
            "ctra_low_expression_filter",
            "ctra_variance_filter",
            "inflammatory",
            "interferon",
            "antibody",
        ),
    ),
    Modality(
        "cat12",
        "cat12",
        "imaging",
        branch="imaging",
        made_by="pniflow.cohort.branches:imaging",
        label="MRI",
        phrase="MRI",
        raw=("cat12.folder", "cat12.scans"),
        measures=("tiv", "gm", "wm", "csf", "wmh", "mean_thickness", "siqr", "iqr"),
    ),
    Modality("surfaces", "cat12.surfaces", "imaging"),
    Modality("voxels", "cat12.voxels", "imaging"),
    Modality(
        "freesurfer",
        "freesurfer",
        "imaging",
        branch="freesurfer",
        made_by="pniflow.cohort.branches:freesurfer",
        label="FreeSurfer",
        raw=("freesurfer.folder",),
    ),
    Modality("images", "images", "imaging", raw=("images.folder",)),
    Modality(
        "lesions",
        "lesions",
        "imaging",
        branch="lesions",
        made_by="pniflow.cohort.branches:lesions",
        label="Lesions",
        raw=("lesions.folder", "lesions.file"),
        measures=("lesion_volume", "lesion_count"),
    ),
)
BRANCHES = {one.branch: one.label for one in MODALITIES if one.branch}
# Domain of a measure -> the modality that speaks for it.
DOMAINS = {one.domain: one for one in MODALITIES if one.phrase}


def present(study: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """Return the names of the modalities that a study has, in order."""
    return [one.name for one in MODALITIES if one.present(study, config)]
