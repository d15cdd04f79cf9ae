"""Small studies that lack much: what is left of one simulated study, taken from its tables to its page."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

import stages
from pniflow.contracts import field_names, write_table
from pniflow.figures import gallery
from pniflow.figures.style import command_of
from pniflow.modalities import present
from pniflow.tables import TABLES, read_by

OF_BRANCH = {
    "responses": "instruments",
    "values": "assays",
    "samples": "expression",
    "levels": "expression",
    "scans": "cat12",
    "regions": "cat12",
    "globals": "cat12",
    "quality": "cat12",
    "lesions": "lesions",
    "freesurfer": "freesurfer",
    "protocol": "images",
}
"""Tables that a study has only with a section of study.yaml."""
BRANCHES = tuple(dict.fromkeys(OF_BRANCH.values()))
OUTCOMES = {
    "instruments": "pss10",
    "assays": "log_hair_cortisol",
    "expression": "ctra",
    "cat12": "gm",
    "lesions": "lesion_volume",
    "freesurfer": "freesurfer_subfields_long.hippocampal_head.left.volume",
}
"""A measure of each branch that has some."""
_KEPT = (
    *("change_pro", "change_biology", "change_ctra_components", "ctra_on_{predictor}_pooled"),
    *("change_mri_thickness", "change_hippocampal_head", "insula_thickness_on_ctra", "control_change"),
)
_CONTRACTS = {"freesurfer": "regions", "values": "assays"}
_PATHS = {
    "enrolled": "study/participants.tsv",
    "sessions": "study/sessions.tsv",
    "values": "study/assays.tsv",
    "responses": "study/responses.parquet",
    "levels": "expression/levels.parquet",
}


@dataclass
class Study:
    """A study as it stands after its raw files were read.

    Attributes
    ----------
    about, models, config : dict
        study.yaml, models.yaml and config.yaml.
    tables : dict
        Name -> table.
    """

    about: dict[str, Any]
    models: dict[str, Any]
    config: dict[str, Any]
    tables: dict[str, pd.DataFrame]

    def copy(self) -> Study:
        """Return a study of its own."""
        documents = (copy.deepcopy(one) for one in (self.about, self.models, self.config))
        return Study(*documents, dict(self.tables))

    def keep(self, rows: Callable[[pd.DataFrame], Any]) -> Study:
        """Keep some rows of all tables that speak of participants."""
        for name, table in self.tables.items():
            if "participant_id" in table:
                self.tables[name] = table[rows(table)]
        held = self.tables["levels"]["sample_id"].isin(self.tables["samples"]["sample_id"])
        self.tables["levels"] = self.tables["levels"][held]
        return self

    def people(self, count: int) -> Study:
        """Keep the first few participants."""
        first = sorted(self.tables["participants"]["participant_id"])[:count]
        return self.keep(lambda table: table["participant_id"].isin(first))

    def seen(self, *sessions: str) -> Study:
        """Keep what was seen at some sessions."""
        return self.keep(
            lambda table: table["session_id"].isin(sessions) if "session_id" in table else [True] * len(table)
        )

    def of_sessions(self, *sessions: str) -> Study:
        """Keep some sessions, as if the study had no other."""
        self.about["sessions"] = {name: self.about["sessions"][name] for name in sessions}
        events = self.about["redcap"]["events"]
        self.about["redcap"]["events"] = {event: name for event, name in events.items() if name in sessions}
        return self.seen(*sessions)

    def branches(self, *names: str) -> Study:
        """Keep some branches."""
        for name in set(BRANCHES) - set(names):
            self.about.pop(name)
        return self

    def cross_sectional(self, *outcomes: str) -> Study:
        """Keep the first session, with one model of a single session."""
        model = {"name": "by_treatment", "outcomes": list(outcomes), "fixed": ["age", "b_cell_depletion"]}
        tests = {"pro_change": ["b_cell_depletion"]}
        self.models["models"] = [{**model, "test": tests, "random": []}]
        return self.of_sessions("ses-pre")

    def change(self, table: str, column: str, value: Any, where: str = "index == index") -> Study:
        """Give a column a value in some rows of a table."""
        own = self.tables[table] = self.tables[table].copy()
        own.loc[own.eval(where), column] = value
        return self


def full_study(folder: Path, whole: bool, people: int = 6) -> Study:
    """Simulate a study of three sessions with every branch, and read its tables before any is scored.

    `whole`: with every instrument and model of the demo, else with a few that are of each kind.
    """
    from pniflow.demo.simulate_study import simulate_study

    raw, work = folder / "raw", folder / "work"
    simulate_study(out=raw, participants=people, sessions=3, seed=5, truth_participants=0)
    stages.raw_to_measures(raw, work)
    paths = {name: f"study/{name}.tsv" for name in ("participants", "sessions", "samples")}
    paths |= {"values": "study/assays.tsv", "scans": "scans.tsv", "lesions": "lesions.tsv"}
    paths |= {name: f"cat12/{name}.tsv" for name in ("globals", "quality")}
    tables = {name: pd.read_csv(work / path, sep="\t") for name, path in paths.items()}
    for name, path in (("responses", "study/responses"), ("levels", "levels"), ("regions", "cat12/regions")):
        tables[name] = pd.read_parquet(work / f"{path}.parquet")
    tables["regions"] = tables["regions"].query("atlas in ('aparc_a2009s', 'neuromorphometrics')")
    tables["scans"] = tables["scans"][~tables["scans"]["average"]]
    place = tables["globals"][["scan", "participant_id", "session_id"]]
    tables["freesurfer"] = pd.concat(
        [place.assign(
            atlas="freesurfer_subfields_long", region="hippocampal_head", source_name=f"{side}.head",
            hemisphere=side, metric="volume", value=1.5 + 0.01 * (7 * place.index % 11), unit="ml",
            cat_version="T1 v21", source="stats/" + place["scan"],
        ) for side in ("left", "right")], ignore_index=True,
    )  # fmt: skip
    image = {"voxel_x": 1.0, "voxel_y": 1.0, "voxel_z": 1.0, "repetition_time": 2.3, "field_strength": 3.0}
    images = place.assign(suffix="T1w", **image, source=place["scan"] + ".nii.gz")
    tables["protocol"] = images.reindex(columns=field_names("protocol"))
    about, models, config = (
        yaml.safe_load((raw / f"{name}.yaml").read_text()) for name in ("study", "models", "config")
    )
    about |= {"freesurfer": {"folder": "freesurfer"}, "images": {"folder": "images"}}
    models["design_checks"]["draws"] = 100
    models["models"] = [one for one in models["models"] if not {"surface", "voxels"} & set(one)]
    if not whole:
        models["models"] = [one for one in models["models"] if one["name"] in _KEPT]
        config["questionnaires"]["instruments"] = ["pss10", "gad7"]
        scored = ("pss10", "gad7")
        models["models"][0]["outcomes"] = list(scored)
        for one in models["models"]:
            if "for_each" in one:
                one["for_each"] = {"predictor": ["pss10", "log_hair_cortisol"]}
        about["instruments"] = {name: about["instruments"][name] for name in scored}
        tables["responses"] = tables["responses"].query(f"instrument in {scored}")
    return Study(about, models, config, tables)


def run(study: Study, folder: Path, *, drawn: bool = True, pdf: bool = False) -> dict[str, Path]:
    """Take a study from its tables to its page as its run would; return where each table lies."""
    from pniflow.cohort.assemble_cohort import assemble_cohort
    from pniflow.config import read_study
    from pniflow.genes.fit_over_genes import fit_over_genes
    from pniflow.models.check_design import check_design
    from pniflow.models.fit_models import fit_models
    from pniflow.report.render_report import render_report
    from pniflow.study.recall_windows import recall_windows

    kinds, at = _written(study, folder)
    description, models = folder / "study.yaml", folder / "models.yaml"
    write_table(recall_windows(read_study(description)), at["windows"], "windows")
    _scored(study, kinds, at, description)

    def given(command: str) -> dict[str, Path]:
        return {name: at[name] for name in read_by(command, kinds)}

    assemble_cohort(
        study=description, participants=at["enrolled"], sessions=at["sessions"],
        tables=given("assemble_cohort"), out=folder / "cohort",
    )  # fmt: skip
    fit_models(
        tables=given("fit_models"), models=models,
        **{name: at[name] for name in ("estimates", "sensitivity", "diagnostics")},
    )  # fmt: skip
    cohort = {name: at[name] for name in ("measures", "participants")}
    check_design(**cohort, models=models, design=at["design"])
    if "expression" in kinds:
        fit_over_genes(
            expression=at["expression"], samples=at["samples"], **cohort, predictors=["session"],
            baseline=next(iter(study.about["sessions"])), legacy=True, draws=50, permutations=2,
            out=at["over_genes"], genes=at["gene_estimates"],
        )  # fmt: skip
    figures = [one for one in gallery.drawn(kinds) if one.name != "surface"] if drawn else []
    for figure in figures:
        command_of(figure.name)(
            tables={name: at[name] for name in figure.reads}, study=description,
            **{part: folder / f"figures/{figure.name}.{end}" for part, end in _ENDINGS.items()},
        )  # fmt: skip
    score = {"gene_set": "ctra53", "variant": "mean_z"} if "expression" in kinds else {}
    render_report(
        study=description, models=models, tables=given("render_report"), out=folder / "report/report.html",
        figures=[folder / f"figures/{figure.name}.json" for figure in figures],
        behind=list(given("fit_models").values()), references=folder / "report/references.bib",
        pdf=folder / "report/report.pdf" if pdf else None, published=["reference_study"], **score,
    )  # fmt: skip
    return at


_ENDINGS = {"figure": "svg", "image": "png", "description": "json"}


def _written(study: Study, folder: Path) -> tuple[list[str], dict[str, Path]]:
    """Write what the study has where a run has it; return its modalities and the place of every table."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in (("study", study.about), ("models", study.models)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    at = {name: folder / one.path for name, one in TABLES.items()}
    at |= {name: folder / path for name, path in _PATHS.items()}
    write_table(study.tables["participants"], at["enrolled"], "participants")
    write_table(study.tables["sessions"], at["sessions"], "sessions")
    write_table(pd.DataFrame(columns=field_names("account"), dtype=object), at["account"], "account")
    for name, section in OF_BRANCH.items():
        table = study.tables[name]
        if section in study.about or name == "samples":  # without expression an empty table of samples
            table = table if section in study.about else table.iloc[:0]
            write_table(table, at[name], _CONTRACTS.get(name, name))
    return present(study.about, study.config if "instruments" in study.about else {}), at


def _scored(study: Study, kinds: list[str], at: Mapping[str, Path], description: Path) -> None:
    """Score what the study has."""
    from pniflow.assays.score_assays import score_assays
    from pniflow.expression.assess_samples import assess_samples
    from pniflow.expression.normalize_expression import normalize_expression
    from pniflow.expression.score_ctra import score_ctra
    from pniflow.questionnaires.score_questionnaires import score_questionnaires

    if "questionnaires" in kinds:
        score_questionnaires(
            responses=at["responses"], instruments=study.config["questionnaires"]["instruments"],
            scales=at["scales"], reliability=at["reliability"],
        )  # fmt: skip
    if "assays" in kinds:
        score_assays(assays=at["values"], study=description, scores=at["assays"])
    if "expression" in kinds:
        blood = {
            "expression": at["expression"], "samples": at["samples"], "participants": at["enrolled"],
            "sessions": at["sessions"],
        }  # fmt: skip
        normalize_expression(levels=at["levels"], out=at["expression"], report=at["normalization"])
        score_ctra(
            **blood, normalization=at["normalization"], baseline=next(iter(study.about["sessions"])),
            parts=True, scores=at["ctra"], genes=at["ctra_genes"],
        )  # fmt: skip
        assess_samples(**blood, levels=at["levels"], out=at["sample_quality"])
