"""The study's folder: raw files, study.yaml, config.yaml, models.yaml, truth.json, put in place at once."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pniflow.demo import truth
from pniflow.demo.scenario import DAYS, DETECTION_LIMIT, EVENTS, Design, facets
from pniflow.demo.simulation import Study, simulate
from pniflow.demo.write_cat12 import write_cat12, write_lesions
from pniflow.demo.write_tables import PREFIXES, write_cortisol, write_counts, write_redcap
from pniflow.errors import InputError
from pniflow.files import write_json, write_text
from pniflow.mixed import one_blas_thread
from pniflow.resources import shipped

LABELS = ("before", "after", "follow-up", "second follow-up", "third follow-up", "fourth follow-up")
MARK = "truth.json"  # a folder that holds it is a simulated study and may be replaced


def write_study(design: Design, out: Path, truth_participants: int) -> None:
    """Simulate a study and write it, with the truth.

    Raises
    ------
    InputError
        `out` holds files that are not a simulated study, or the population of the truth is too small.
    """
    if truth_participants != 0 and truth_participants < 100:
        raise InputError(f"--truth-participants is {truth_participants}; 0 or at least 100 was expected.")
    study = simulate(design)
    with _replaced(out) as folder:
        write_redcap(study, folder / "redcap")
        write_cortisol(study, folder / "assays" / "hair_cortisol.csv")
        write_counts(study, folder / "rna" / "counts.tsv.gz", folder / "rna" / "samples.tsv")
        write_cat12(study, folder / "cat12")
        write_lesions(study, folder / "lst_ai")
        models = _models()
        write_text(folder / "models.yaml", models.read_text(encoding="utf-8"))
        _write_yaml(folder / "study.yaml", study_description(design))
        _write_yaml(folder / "config.yaml", configuration())
        write_json(folder / MARK, truth_of(design, study, models, truth_participants))


def truth_of(design: Design, study: Study, models: Path, participants: int) -> dict[str, Any]:
    """Return the truth: what was planted, and what each model converges to."""
    result: dict[str, Any] = {"simulated": True, "design": asdict(design), "planted": truth.planted(design)}
    if participants:
        many = truth.population_of(design, participants, seed=design.seed + 1) if design.noise else study
        with one_blas_thread():
            estimates, d_z = truth.true_estimates(many, models)
        result |= {
            "population": {
                "participants": many.design.participants,
                "how": "models.yaml fitted on one simulated population, with its standard error",
                "ctra_scale": "z over all samples of that population",
            },
            "d_z": d_z,
            "zero_change_of_ctra": truth.zero_change(estimates),
            "estimates": estimates,
        }
    return result


def study_description(design: Design) -> dict[str, Any]:
    """Return study.yaml: for the default design that of the demo."""
    ids = design.session_ids
    covariates: dict[str, Any] = {
        "age": {"field": "age", "unit": "years"},
        "bmi": {"field": "bmi", "unit": "kg/m2"},
        "edss": {"field": "edss"},
        "b_cell_depletion": {"field": "b_cell_depletion", "coding": {"0": "no", "1": "yes"}},
        "completed_course": {"field": "completed_course", "coding": {"0": "no", "1": "yes"}},
    }
    if design.sites > 1:
        coding = {str(site + 1): f"site {site + 1}" for site in range(design.sites)}
        covariates["site"] = {"field": "site", "coding": coding}
    instruments = dict.fromkeys(facet.instrument for facet in facets())
    columns = {"participant": "participant_id", "session": "session_id"}
    return {
        "title": "Mindfulness-based stress reduction in multiple sclerosis (demo)",
        "simulated": True,
        "design": "single-arm, open-label, before and after",
        "intervention": "eight weeks of mindfulness-based stress reduction",
        "sessions": {name: {"label": LABELS[k], "day": DAYS[k]} for k, name in enumerate(ids)},
        "redcap": {
            "export": "redcap/export.csv",
            "dictionary": "redcap/dictionary.csv",
            "id": "record_id",
            "events": {f"{EVENTS[k]}_arm_1": name for k, name in enumerate(ids)},
            "missing_codes": {"-99": "refused", "-88": "not asked"},
        },
        "covariates": covariates,
        "instruments": {name: {"fields": f"{PREFIXES.get(name, name)}_{{item}}"} for name in instruments},
        "assays": {
            "hair_cortisol": {
                "file": "assays/hair_cortisol.csv",
                "columns": columns | {"value": "cortisol"},
                "unit": "pg/mg",
                "detection_limit": DETECTION_LIMIT,
                "below_limit_as": "half_limit",
                "log": "natural",
                "window": {"length_cm": 3},
            }
        },
        "expression": {
            "matrix": "rna/counts.tsv.gz",
            "unit": "counts",
            "samples": "rna/samples.tsv",
            "columns": {"sample": "sample_id", **columns, "batch": "batch"},
        },
        "cat12": {"folder": "cat12", "lesion_handling": "none"},
        "lesions": {"folder": "lst_ai"},
    }


def configuration() -> dict[str, Any]:
    """Return config.yaml: the demo's, for files that are there already."""
    return {
        "data": ".",
        "questionnaires": {"instruments": list(dict.fromkeys(facet.instrument for facet in facets()))},
        "expression": {
            "normalization": {"method": "reference_genes"},
            "ctra": {"gene_set": "ctra53", "variant": "mean_z"},
        },
        "cat12": {"batches": 2},
        "report": {"published": ["reference_study"]},
    }


def _models() -> Path:
    """Return the shipped models.yaml: in a clone in config/, in the wheel among the resources."""
    places = [shipped("config") / "models.yaml", shipped("resources") / "models.yaml"]
    return next(path for path in places if path.is_file())


def _write_yaml(path: Path, content: dict[str, Any]) -> None:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes the same mapping twice rather than an anchor."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    write_text(path, yaml.dump(content, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100))


@contextmanager
def _replaced(out: Path) -> Iterator[Path]:
    """Yield a temporary folder whose entries replace those of `out` at the end; a failure leaves nothing."""
    if any(path.is_file() for path in out.rglob("*")) and not (out / MARK).is_file():
        raise InputError(f"{out}: it holds files other than a simulated study; name a new or empty folder.")
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        yield temporary
        out.mkdir(exist_ok=True)
        for new in sorted(temporary.iterdir(), key=lambda path: path.name == MARK):
            old = out / new.name
            if old.is_dir():
                shutil.rmtree(old)
            new.replace(old)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
