"""One list of what a study can have: questionnaires, assays, expression, and the kinds of images.

A modality is one row of `modalities.yaml` and a room of its own; its rules are `workflow/rules/<name>.smk`,
its section of study.yaml stands in `study.schema.yaml` or in `<name>.section.yaml` beside it, and so do the
contracts of its tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Table:
    """A table of a run.

    Attributes
    ----------
    name : str
        As the report and the plan call it.
    path : str
        Where it lies, below the results.
    rule : str
        The rule that writes it.
    contract : str
        Its contract in `workflow/schemas`, where its name is another.
    option : str
        Its option on the command line, where its name is another.
    about : str
        What it holds, where it has no contract.
    read_by : list of str
        Commands with a parameter `tables` that read it.
    """

    name: str
    path: str
    rule: str
    contract: str = ""
    option: str = ""
    about: str = ""
    read_by: Sequence[str] = ()

    @property
    def flag(self) -> str:
        """Its option with the dashes."""
        return "--" + (self.option or self.name).replace("_", "-")

    @property
    def schema(self) -> str:
        """The name of its contract."""
        return self.contract or self.name


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
    item : str
        What an exclusion of it is called that concerns all of its measures ("scan").
    prefix : str
        How names of its measures begin, where another modality speaks for their domain.
    raw : list of str
        Keys of study.yaml that name its raw files and folders.
    measures : list of str
        Measures whose names the stages fix.
    tables : list of Table
        Its tables that another stage reads.
    room : str
        The package of its commands.
    commands : list of str
        Its commands.
    """

    name: str
    key: str
    domain: str
    branch: str = ""
    made_by: str = ""
    label: str = ""
    phrase: str = ""
    item: str = ""
    prefix: str = ""
    raw: Sequence[str] = ()
    measures: Sequence[str] = ()
    tables: Sequence[Table] = ()
    room: str = ""
    commands: Sequence[str] = ()

    def present(self, study: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
        """Tell whether a study has it: whether something stands at its key."""
        found: Any = {**study, "config": config}
        *above, last = self.key.split(".")
        for part in above:
            found = found.get(part, {})
        return last in found and found[last] not in ([], {}, None)


def _listed() -> tuple[tuple[Modality, ...], tuple[Table, ...]]:
    """Read the list; pniflow's own, so libyaml builds it without the checks of users' files."""
    import yaml

    text = Path(__file__).with_suffix(".yaml").read_bytes()
    found: dict[str, Any] = yaml.CSafeLoader(text).get_single_data()
    rows = [{**row, "tables": [Table(**one) for one in row.get("tables", ())]} for row in found["modalities"]]
    return tuple(Modality(**row) for row in rows), tuple(Table(**row) for row in found["tables"])


MODALITIES, OF_EVERY_STUDY = _listed()
BRANCHES = {one.branch: one.label for one in MODALITIES if one.branch}
# Domain of a measure -> the modality that speaks for it.
DOMAINS = {one.domain: one for one in MODALITIES if one.phrase}


def present(study: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """Return the names of the modalities that a study has, in order."""
    return [one.name for one in MODALITIES if one.present(study, config)]
