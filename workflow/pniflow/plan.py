"""What the workflow knows before it plans: checked config, study, where files are, and digests of code.

It depends on config.yaml, study.yaml and models.yaml alone; raw files are neither opened nor listed (but for
the names, sizes and times below folders of images, so that new ones are noticed).
"""

from __future__ import annotations

import fnmatch
import functools
import hashlib
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pniflow import resources
from pniflow.config import checked, read_study
from pniflow.errors import InputError, nearest, shown
from pniflow.files import read_yaml
from pniflow.modalities import MODALITIES, present
from pniflow.models.planning import require_possible
from pniflow.models.specification import read_models
from pniflow.raw.text_tables import file_of, names_beside, on_disk

_LIBRARY = Path(__file__).resolve().parent
_LONGEST = 255  # bytes that a file system gives a name
_PLACEHOLDER = re.compile(r"[{}]|<[a-z][a-z0-9_]*>")  # Snakemake's wildcards and path variables

# Keys of study.yaml that name a raw file or folder.
_RAW_KEYS = (
    *("redcap.export", "redcap.dictionary", "participants.file", "bids.paths"),
    *(key for one in MODALITIES for key in one.raw),
)


@dataclass(frozen=True)
class Plan:
    """A study as the workflow sees it; all paths are relative to the working directory.

    Attributes
    ----------
    config, study : dict
        Checked, with defaults filled in.
    study_file, models_file, data_folder : str
        Where they are.
    raw : dict of str to str
        Key of study.yaml (`redcap.export`, `assays.hair_cortisol`) -> raw file or folder.
    modalities : list of str
        What the study has, by the names of `pniflow.modalities`.
    """

    config: dict[str, Any]
    study: dict[str, Any]
    study_file: str
    models_file: str
    data_folder: str
    raw: dict[str, str]
    modalities: list[str]

    def quantifications(self) -> list[str]:
        """Return the files of one sample each, as folders, files and patterns; empty where there are none."""
        given = self.study.get("expression", {}).get("quantifications", [])
        return [
            os.path.join(self.data_folder, name) for name in ([given] if isinstance(given, str) else given)
        ]

    def absent(self) -> list[str]:
        """Return the keys whose raw file is not there (never for a simulated study, which is made first)."""
        return (
            []
            if self.config["simulate"]
            else [key for key, path in self.raw.items() if not os.path.exists(path)]
        )

    def require_raw(self) -> None:
        """Raise one sentence when a raw file is not there."""
        for key in self.absent():
            path = Path(self.raw[key])
            raise InputError(
                f"{self.study_file}: {key} names '{path}', which does not exist"
                f"{nearest(path.name, names_beside(path))}; correct the name there or the key 'data' in "
                "config.yaml (snakemake -n works without the data)."
            )

    def reads(self, *names: str, but: str = "") -> list[str]:
        """Return files of knowledge as rule inputs, so that a dry run shows them and an edit reruns the rule.

        Parameters
        ----------
        names, but : str
            Words separated by blanks: contracts and schemas by name (`estimates`, `study`), resources as
            `kind/name`, or `kind/*` and `kind/name_*` where what the data hold decides; without those of
            `but`.
        """
        with resources.searched(self.config["resources"]):
            out = {path for name in but.split() for path in _files(name)}
            found = dict.fromkeys(path for name in " ".join(names).split() for path in _files(name))
        return [os.path.relpath(path) for path in found if path not in out]

    def tracked(self) -> dict[str, str | list[str]]:
        """Return raw files as rule inputs; absent ones (dry run without data) are not tracked."""
        absent = self.absent()
        return {key: [] if key in absent else path for key, path in self.raw.items()}


def read_plan(config_files: Sequence[Path | str], given: Mapping[str, Any]) -> Plan:
    """Read and check config.yaml, and the study.yaml and models.yaml beside it.

    Parameters
    ----------
    config_files : list of path
        Each adds to the one before it; study.yaml stands beside the last, and models.yaml where the study has
        its own.
    given : mapping
        What stands on the command line, which adds to the files.

    Raises
    ------
    InputError
        A key is unknown or given twice, or a value wrong, in one sentence.
    """
    config_file = os.path.relpath(config_files[-1])
    folder = os.path.dirname(config_file) or "."
    # Snakemake has read the files too; it keeps the last of two keys, and aliases.
    read = [read_yaml(os.path.relpath(path)) for path in config_files]
    full = checked(functools.reduce(_updated, [*read, given], {}), "config", config_file)
    study_file = os.path.normpath(os.path.join(folder, "study.yaml"))
    own_models = os.path.normpath(os.path.join(folder, "models.yaml"))
    data = "results/raw" if full["simulate"] else os.path.normpath(os.path.join(folder, full["data"]))
    if full["resources"]:
        full["resources"] = os.path.relpath(os.path.join(folder, full["resources"]))
    folders = {"study": folder, "data": data, "resources": full["resources"] or ".", "clone": str(_LIBRARY)}
    for kind, path in folders.items():
        if fault := _fault(path):
            raise InputError(f"{config_file}: the folder of the {kind} is {shown(path)}; {fault}: rename it.")
    study = read_study(study_file)
    for name in full["questionnaires"]["instruments"]:
        if name not in study["instruments"]:
            raise InputError(
                f"{study_file}: instruments lacks '{name}', which config.yaml wants scored; add its fields."
            )
    raw = {key: str(on_disk(Path(data, name))) for key, name in _raw_names(study, study_file)}
    own = os.path.lexists(own_models)
    models_file = own_models if own else os.path.relpath(shipped_models_file())
    held = present(study, full)
    with resources.searched(full["resources"]):
        _require_resources(full, study, (config_file, study_file))
        require_possible(read_models(models_file), study, full, held, own)
    return Plan(full, study, study_file, models_file, data, raw, held)


def _updated(config: Any, further: Any) -> Any:
    """Return a config with what a further file or the command line says, key by key."""
    if not isinstance(config, Mapping) or not isinstance(further, Mapping):
        return further
    return {**config, **{key: _updated(config.get(key), value) for key, value in further.items()}}


def _fault(path: str) -> str:
    """Say what a path should be that Snakemake, commands and the disk take as it stands; "" where it is."""
    if _PLACEHOLDER.search(path):
        return (
            "a name without braces and without words in angle brackets was expected, which Snakemake takes "
            "for placeholders"
        )
    if path.startswith("-") or "\0" in path:
        return "a name without a dash at its beginning and without the character 0 was expected"
    if any(len(os.fsencode(part)) > _LONGEST for part in path.split("/")):
        return f"a name of at most {_LONGEST} bytes was expected"
    return ""


def _require_resources(config: Mapping[str, Any], study: Mapping[str, Any], files: Sequence[str]) -> None:
    """Refuse names of resources that no folder has, before anything runs."""
    config_file, study_file = files
    for kind, names, place in (
        ("instruments", study["instruments"], f"{study_file}: instruments"),
        ("genes", [config["expression"]["ctra"]["gene_set"]], f"{config_file}: expression.ctra.gene_set"),
        ("published", config["report"]["published"], f"{config_file}: report.published"),
    ):
        for name in names:
            try:
                resources.find(kind, name)
            except InputError as error:
                raise InputError(f"{place}{str(error).removeprefix(kind)}") from None


def _files(name: str) -> list[Path]:
    """Return the files behind a name of `Plan.reads`."""
    kind, _, one = name.rpartition("/")
    if kind:
        every = [path.stem for path in resources.files(kind)] if "*" in one else [one]
        known = fnmatch.filter(every, one)
        return [path for found in known for path in resources.sources(kind, found)]
    found = sorted(resources.shipped("schemas").glob("*.table.yaml" if name == "*" else f"{name}.*.yaml"))
    if not found:
        raise ValueError(f"there is no schema '{name}'")
    return found


def shipped_models_file() -> Path:
    """Return the prespecified analyses that pniflow ships, for a study without a models.yaml of its own."""
    places = [
        resources.shipped("resources") / "models.yaml",
        _LIBRARY.parent.parent / "config" / "models.yaml",
    ]
    return next((place for place in places if place.is_file()), places[-1])


def _raw_names(study: Mapping[str, Any], study_file: str) -> Iterator[tuple[str, str]]:
    """Yield (key, file name) of each raw file, refusing names that leave the data folder."""
    found = [(key, _at(study, key)) for key in _RAW_KEYS]
    found += [(f"assays.{name}", assay["file"]) for name, assay in study["assays"].items()]
    given = study.get("expression", {}).get("quantifications", [])
    given = [given] if isinstance(given, str) else given
    found += [(f"expression.quantifications.{number}", _fixed(name)) for number, name in enumerate(given)]
    found += [(f"tables.{number}", table["file"]) for number, table in enumerate(study["tables"])]
    if "bids" in study:
        found.append(("bids.folder", str(PurePosixPath(study["bids"]["folder"]) / "participants.tsv")))
    for key, name in found:
        if name is None:
            continue
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise InputError(
                f"{study_file}: {key} is {shown(name)}; "
                "a name relative to the data folder, without '..', was expected."
            )
        if fault := _fault(f"./{name}"):
            raise InputError(f"{study_file}: {key} is {shown(name)}; {fault}: rename the file.")
        yield key, file_of(name)


def _at(study: Mapping[str, Any], key: str) -> Any:
    """Return what stands at a key (`cat12.labels.image`); None where the study lacks it."""
    found: Any = study
    for part in key.split("."):
        found = (found or {}).get(part)
    return found


def _fixed(pattern: str) -> str:
    """Return what a pattern names for certain: the folder before its first part with a wildcard."""
    parts = PurePosixPath(pattern).parts
    certain = next((number for number, part in enumerate(parts) if set("*?[") & set(part)), len(parts))
    # What stands behind the wildcard must not leave the data folder either.
    return str(PurePosixPath(*parts[:certain])) if ".." not in parts else pattern


def shell_prefix(library: str, deployed: bool) -> str:
    """Return what every command is prefixed with, so that `pniflow` is found and is this clone's.

    Parameters
    ----------
    library : str
        Folder that holds the package.
    deployed : bool
        True when Snakemake deploys an environment of its own, whose programs then come first.
    """
    own = f"export PYTHONPATH={word(os.path.abspath(library))}; "
    if deployed:
        return own + 'pniflow() {{ python -m pniflow.cli "$@"; }}; '
    return f"export PATH={word(os.path.dirname(sys.executable))}:$PATH; {own}"


def word(path: str) -> str:
    """Write a path as one word of a shell command, braces kept from Snakemake's formatting."""
    return shlex.quote(path).replace("{", "{{").replace("}", "}}")


def folder_digest(folder: str) -> str:
    """Return a digest of names, sizes and times below a folder, so that new scans rerun what reads them."""
    digest = hashlib.sha256()
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(place, name)
            try:
                status = os.stat(path)
            except OSError:  # a link that leads nowhere, as DataLad leaves for a file that it did not fetch
                status = os.lstat(path)
            entry = f"{os.path.relpath(place, folder)}/{name} {status.st_size} {status.st_mtime_ns}\n"
            digest.update(os.fsencode(entry))
    return digest.hexdigest()[:16]


def code_digest(stage: str, knowledge: Iterable[str]) -> str:
    """Return a digest of a stage's modules, the pniflow modules they import, and what knowledge they read.

    Snakemake does not see that a command's code changed; as a parameter of the rule this makes it rerun.
    It sees that an input is newer than the results; a file unpacked from an archive need not be.

    Parameters
    ----------
    stage : str
        Module or subpackage of pniflow (`expression`).
    knowledge : list of str
        Files of resources and schemas (`Plan.reads`).
    """
    files = [*sorted(_sources(stage)), *map(Path, knowledge)]
    return hashlib.sha256(b"".join(_contribution(path)[0] for path in files)).hexdigest()[:16]


def _sources(stage: str) -> set[Path]:
    """Return the modules a stage depends on by import."""
    waiting, seen = list(_modules(f"pniflow.{stage}")), set()
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting.extend(_contribution(path)[1])
    return seen


# To parse every module took half of a dry run's time.
_IMPORTS = re.compile(r"^[ ]*(?:from|import) (pniflow[\w.]*)(?: import (\([^)]*\)|[^\n]*))?", re.MULTILINE)


@functools.cache
def _contribution(path: Path) -> tuple[bytes, tuple[Path, ...]]:
    """Return a file's own digest and the files it leads to."""
    content = path.read_bytes()
    own = hashlib.sha256(path.name.encode() + content).digest()
    if path.suffix != ".py":
        return own, ()
    leads: list[Path] = []
    for module, names in _IMPORTS.findall(content.decode()):
        # Of a package the modules named, these alone; a function that it hands on may be anywhere in it.
        named = [_modules(f"{module}.{name}") for name in re.findall(r"\w+", names.split(" as ")[0])]
        leads.extend(file for files in named for file in files)
        leads.extend(() if named and all(named) else _modules(module))
    return own, tuple(leads)


_CODE = (".py", ".j2", ".css", ".js", ".typ", ".yaml")


@functools.cache
def _modules(name: str) -> tuple[Path, ...]:
    """Return the file of a module, or all files of a subpackage; nothing for what is not pniflow's."""
    first, _, rest = name.partition(".")
    if first != "pniflow" or not rest or not rest.replace(".", "_").isidentifier():
        return ()
    base = _LIBRARY.joinpath(*rest.split("."))
    if base.is_dir():
        return tuple(sorted(path for path in base.rglob("*") if path.suffix in _CODE))
    return tuple(path for end in _CODE if (path := base.with_suffix(end)).is_file())
