"""A first models.yaml: the change of what a study measures, and expression on it, for its sessions."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pniflow.new_study.scans import Scans
from pniflow.questionnaires.keys import read_key

_ADJUSTED = ("age", "sex", "bmi", "b_cell_depletion")
_REGIONS = (
    "{group: [hippocampus, amygdala, thalamus, anterior_cingulate, mid_cingulate], "
    "atlas: neuromorphometrics, metric: gm_volume, hemisphere: [left, right]}"
)
_INSULA = "{group: anterior_insula, atlas: aparc_a2009s, metric: thickness, hemisphere: [left, right]}"

_SCANNED = {"sample": "{name: mri_qc}"}
_VOXELS = _SCANNED | {"voxels": "gm_volume"}


@dataclass
class Measured:
    """What a study has, as far as the draft knows.

    Attributes
    ----------
    sessions : list of str
        In order of time.
    settled : bool
        Whether the first is known.
    instruments, assays : list of str
        Their names in study.yaml.
    covariates : list of str
        Covariates that vary.
    expression : bool
        Whether there is a matrix.
    scans : Scans
    """

    sessions: Sequence[str]
    settled: bool
    instruments: Sequence[str] = ()
    assays: Sequence[str] = ()
    covariates: Collection[str] = ()
    expression: bool = False
    scans: Scans = field(default_factory=lambda: Scans(""))


@dataclass
class _Draft:
    families: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)

    def family(self, name: str, role: str, adjust: str = "bh", further: str = "") -> None:
        line = f"  {name}: {{role: {role}, adjust: {adjust}{further}}}"
        self.families += [line] if line not in self.families else []

    def model(
        self, name: str, outcomes: Sequence[str], fixed: Sequence[str], test: str, more: Mapping[str, str]
    ) -> None:
        """Add a model; of `more` the sample and what it is for stand before its outcomes, the rest behind."""
        rules = {key: more[key] for key in ("for_each", "sample", "voxels") if key in more}
        rules |= {"outcomes": f"[{', '.join(outcomes)}]"} if outcomes else {}
        rules |= {"fixed": f"[{', '.join(fixed)}]", "test": test}
        rules |= {key: value for key, value in more.items() if key not in rules}
        self.models.append(f"  - name: {name}")
        for key, value in rules.items():
            lines = textwrap.wrap(f"{key}: {value}", 110, break_on_hyphens=False, break_long_words=False)
            self.models += [
                "    " + ("" if number == 0 else " " * 6) + line for number, line in enumerate(lines)
            ]


def draft_models(study: Measured) -> list[str]:
    """Return the lines of models.yaml; none where the study measures nothing that is known yet."""
    totals, scales = _scales(study.instruments)
    draft = _Draft()
    several = len(study.sessions) > 1
    adjusted = [name for name in _ADJUSTED if name in study.covariates]
    if several:
        _changes(draft, study, scales, totals)
    _on_expression(draft, study, [*totals, *(f"log_{name}" for name in study.assays)], several, adjusted)
    if not several:
        _levels(draft, study, scales, adjusted)
    if not draft.models:
        return []
    reference = study.sessions[0] if study.settled else "null"
    told = "the baseline" if study.settled else "not guessed: name the baseline"
    return [
        "# The prespecified analyses, a first draft: change them before you see the data (docs/guide.md).",
        "# The shipped config/models.yaml has more of them, with sensitivity analyses.",
        "version: 1",
        "defaults:",
        *([f"  session: {{reference: {reference}}}  # {told}"] if several else []),
        *([] if several else ["  random: []  # one session: least squares"]),
        "families:  # of tests, each adjusted by itself",
        *draft.families,
        "models:",
        *draft.models,
    ]


def _scales(instruments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the totals, and the scales to be analysed: a total where there is one, else the subscales."""
    totals, scales = [], []
    for name in instruments:
        own = [scale.name for scale in read_key(name).scales]
        totals += [name] if name in own else []
        scales += [name] if name in own else own
    return totals, scales


def _changes(draft: _Draft, study: Measured, scales: Sequence[str], totals: Sequence[str]) -> None:
    """Model the change of each measure, and where there are arms how they differ in it."""
    biology = [*(["ctra"] if study.expression else []), *(f"log_{name}" for name in study.assays)]
    further = {"sensitivity": "[completers, leave_one_out]"}
    for name, role, outcomes in (("questionnaires", "primary", scales), ("biology", "secondary", biology)):
        if outcomes:
            draft.family(f"{name}_change", "secondary" if "arm" in study.covariates else role)
            draft.model(f"change_{name}", outcomes, ["session"], f"{{{name}_change: [session]}}", further)
    if "arm" in study.covariates and (scales or biology):
        draft.family("difference_between_arms", "primary")
        terms = ["session", "arm", "{interaction: [session, arm]}"]
        test = '{difference_between_arms: ["session:arm"]}'
        draft.model("change_by_arm", [*scales, *biology], terms, test, further)
    if study.scans.names:
        brain = [*([_REGIONS] if study.scans.labels else []), "gm"]
        brain += [_INSULA, "mean_thickness"] if study.scans.surfaces else []
        draft.family("brain_change", "exploratory")
        draft.model("change_brain", brain, ["session"], "{brain_change: [session]}", _SCANNED)
        draft.family("negative_control", "exploratory", "none", ", expect: null")
        draft.model("control_change", ["tiv", "siqr"], ["session"], "{negative_control: [session]}", _SCANNED)
    if study.scans.voxels:
        draft.family("voxel_change", "exploratory", "max_t")
        draft.model("voxel_gm_volume_change", [], ["session"], "{voxel_change: [session]}", _VOXELS)


def _on_expression(
    draft: _Draft, study: Measured, predictors: Sequence[str], several: bool, adjusted: Sequence[str]
) -> None:
    """Model CTRA on each measure: within and between persons where there are several sessions."""
    if not (study.expression and predictors):
        return
    each = {"for_each": f"{{predictor: [{', '.join(predictors)}]}}"}
    if several:
        draft.family("ctra_within", "secondary")
        draft.family("ctra_between", "secondary")
        terms = ["session", "{split: predictor}", *adjusted]
        test = "{ctra_within: [predictor_within], ctra_between: [predictor_between]}"
    else:
        draft.family("ctra_on_measures", "primary")
        terms, test = ["predictor", *adjusted], "{ctra_on_measures: [predictor]}"
    draft.model('"ctra_on_{predictor}"', ["ctra"], terms, test, each)


def _levels(draft: _Draft, study: Measured, scales: Sequence[str], adjusted: Sequence[str]) -> None:
    """Model what was measured once on the covariates; without one its mean is estimated and not tested."""
    outcomes = [*scales, *(f"log_{name}" for name in study.assays), *(["ctra"] if study.expression else [])]
    terms = [*(["arm"] if "arm" in study.covariates else []), *adjusted]
    if outcomes:
        draft.family("measures", "exploratory")
        draft.model("measures", outcomes, terms, f"{{measures: [{', '.join(terms)}]}}" if terms else "{}", {})
    if study.scans.names:
        _brains(draft, study, terms)


def _brains(draft: _Draft, study: Measured, terms: Sequence[str]) -> None:
    """Model volumes, with the size of the head, and thickness on the covariates."""
    test = f"{{brain: [{', '.join(terms)}]}}" if terms else "{}"
    sized = [*terms, "tiv_person_mean"]
    draft.family("brain", "exploratory")
    draft.model("brain_volume", [*([_REGIONS] if study.scans.labels else []), "gm"], sized, test, _SCANNED)
    if study.scans.surfaces:
        draft.model("brain_thickness", [_INSULA, "mean_thickness"], terms, test, _SCANNED)
    if study.scans.voxels and terms:
        draft.family("voxels", "exploratory", "max_t")
        draft.model("voxel_gm_volume", [], sized, f"{{voxels: [{terms[0]}]}}", _VOXELS)
