"""config.yaml and study.yaml: read, checked against their schemas, defaults filled in. One sentence for what is wrong."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pniflow.errors import InputError
from pniflow.files import read_yaml
from pniflow.resources import shipped


@functools.cache
def schema(name: str) -> dict[str, Any]:
    """Return a schema of `workflow/schemas/` by name (`config`, `study`, `models`)."""
    return read_yaml(shipped("schemas") / f"{name}.schema.yaml")


def read_study(path: Path | str) -> dict[str, Any]:
    """Read and check a study.yaml.

    Raises
    ------
    InputError
        The file is absent, not YAML, or against the schema.
    """
    study = checked(read_yaml(path), "study", str(path))
    sessions = set(study["sessions"])
    named = {f"redcap.events.{event}": target for event, target in study.get("redcap", {}).get("events", {}).items()}
    named |= {f"expression.session_codes.{k}": v for k, v in study.get("expression", {}).get("session_codes", {}).items()}
    named["cat12.session"] = study.get("cat12", {}).get("session")
    for key, session in named.items():
        if session is not None and session not in sessions:
            known = ", ".join(study["sessions"])
            raise InputError(f"{path}: {key} is the session '{session}', which is not among the sessions ({known}).")
    return study


def checked(document: Any, name: str, source: str) -> dict[str, Any]:
    """Check a document against a schema and fill in the schema's defaults.

    Parameters
    ----------
    document : mapping
        What was read from YAML.
    name : str
        The schema.
    source : str
        The file, for the sentence.

    Raises
    ------
    InputError
        One sentence on the first violation: key, value, what was expected.
    """
    import jsonschema

    rules = schema(name)
    document = {} if document is None else document
    validator = jsonschema.Draft202012Validator(rules)
    violations = sorted(validator.iter_errors(document), key=lambda error: (len(error.absolute_path), str(error.absolute_path)))
    if violations:
        raise InputError(f"{source}: {_sentence(violations[0])}")
    return _filled(document, rules, rules)


def _sentence(error: Any) -> str:
    place = ".".join(str(part) for part in error.absolute_path)
    where = f"the key '{place}'" if place else "the file"
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        unknown = sorted(str(key) for key in error.instance if key not in known)
        return f"{where} has the unknown key '{unknown[0]}'; known keys are {', '.join(known)}."
    if error.validator == "required":
        absent = next(key for key in error.validator_value if key not in error.instance)
        return f"{where} lacks the key '{absent}'; add it (config/README.md lists the keys)."
    if error.validator == "type":
        wanted = error.validator_value if isinstance(error.validator_value, str) else " or ".join(error.validator_value)
        return f"{where} is {_shown(error.instance)}; {wanted} was expected."
    if error.validator == "enum":
        return f"{where} is {_shown(error.instance)}; one of {', '.join(map(str, error.validator_value))} was expected."
    return f"{where} is {_shown(error.instance)}, which does not fit the rule {error.validator}: {error.validator_value}."


def _shown(value: Any) -> str:
    text = str(value)
    return f"'{text[:60]}…'" if len(text) > 60 else f"'{text}'"


def _filled(value: Any, rules: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """Return the document with the schema's defaults filled in, in the schema's order of keys."""
    if "$ref" in rules:
        return _filled(value, functools.reduce(lambda node, key: node[key], rules["$ref"][2:].split("/"), root), root)
    if not isinstance(value, Mapping):
        return value
    known = rules.get("properties", {})
    further = rules.get("additionalProperties", {})
    result = {}
    for key, rule in known.items():
        if key in value:
            result[key] = _filled(value[key], rule, root)
        elif "default" in rule:
            result[key] = _filled(rule["default"], rule, root)
    for key in value:
        if key not in known:
            result[key] = _filled(value[key], further, root) if isinstance(further, Mapping) else value[key]
    return result
