"""config.yaml and study.yaml: read, checked against their schemas, defaults filled in."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pniflow.errors import InputError, nearest, shown
from pniflow.files import read_yaml
from pniflow.modalities import DOMAINS, MODALITIES
from pniflow.resources import has_schema, read_schema


@functools.cache
def schema(name: str) -> dict[str, Any]:
    """Return a schema of `workflow/schemas/` by name (`config`, `study`, `models`).

    A modality's section of study.yaml may stand in a file of its own, `<modality>.section.yaml`; a model may
    require the data of any modality's domain.
    """
    found = read_schema(f"{name}.schema.yaml")
    if name == "study":
        own = {one.name: f"{one.name}.section.yaml" for one in MODALITIES}
        found["properties"] |= {key: read_schema(file) for key, file in own.items() if has_schema(file)}
    if name == "models":
        requires = found["properties"]["models"]["items"]["properties"]["requires"]
        requires["enum"] = [*DOMAINS, *requires["enum"]]
    return found


def read_study(path: Path | str) -> dict[str, Any]:
    """Read and check a study.yaml.

    Raises
    ------
    InputError
        The file is absent, not YAML, or against the schema.
    """
    study = checked(read_yaml(path), "study", str(path))
    days = [(about["day"], name) for name, about in study["sessions"].items() if "day" in about]
    for (before, first), (after, second) in itertools.pairwise(days):
        if after < before:
            raise InputError(
                f"{path}: sessions stand in order of time, but {shown(second, quoted=False)} (day {after}) "
                f"stands behind {shown(first, quoted=False)} (day {before}); change their order or days."
            )
    sessions = set(study["sessions"])
    named = {
        f"redcap.events.{event}": target
        for event, target in study.get("redcap", {}).get("events", {}).items()
    }
    named |= {
        f"expression.session_codes.{k}": v
        for k, v in study.get("expression", {}).get("session_codes", {}).items()
    }
    for modality in MODALITIES:
        named[f"{modality.name}.session"] = study.get(modality.name, {}).get("session")
    for key, session in named.items():
        if session is not None and session not in sessions:
            known = shown(", ".join(study["sessions"]), 400, quoted=False)
            raise InputError(
                f"{path}: {shown(key, quoted=False)} is the session {shown(session)}, which is not among the "
                f"sessions ({known})."
            )
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
    _refuse_odd(document, "", source)
    validator = jsonschema.Draft202012Validator(rules)
    violations = sorted(
        validator.iter_errors(document),
        key=lambda error: (len(error.absolute_path), str(error.absolute_path)),
    )
    if violations:
        raise InputError(f"{source}: {_sentence(violations[0], document)}")
    full: dict[str, Any] = _filled(document, rules, rules)
    return full


def _refuse_odd(value: Any, place: str, source: str) -> None:
    """Refuse what YAML makes of unquoted words and a schema lets pass: keys that are not text, .nan, .inf."""
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{source}: the key '{place}' is '{value}'; a finite number was expected.")
    if isinstance(value, list):
        for number, item in enumerate(value):
            _refuse_odd(item, f"{place}.{number}" if place else str(number), source)
    if isinstance(value, Mapping):
        for key, item in value.items():
            here = f"{place}.{shown(str(key), quoted=False)}".lstrip(".")
            if not isinstance(key, str):
                word = "the word there (yes, no, on, off)" if isinstance(key, bool) else shown(str(key))
                raise InputError(f"{source}: the key '{here}' is read as {_kind(key)}; put {word} in quotes.")
            _refuse_odd(item, here, source)


def _kind(value: Any) -> str:
    """Say what YAML made of a word: `no` is false, `01` a number."""
    words = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list"}
    return words.get(
        type(value), "nothing" if value is None else "a date" if hasattr(value, "year") else "a mapping"
    )


_TYPE_WORDS = {
    "object": "a mapping (key: value)",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}
_RULE_WORDS = {
    "minimum": "at least {} was expected",
    "maximum": "at most {} was expected",
    "exclusiveMinimum": "more than {} was expected",
    "exclusiveMaximum": "less than {} was expected",
    "minItems": "at least {} entries were expected",
    "maxItems": "at most {} entries were expected",
    "minProperties": "at least {} keys were expected",
    "minLength": "at least {} characters were expected",
    "uniqueItems": "each entry may stand once",
    "pattern": "text of the form {} was expected",
}


def _place(path: Iterable[str | int], document: Any) -> str:
    """Write a path with dots; an entry of a list by its name where it has one, else by its number."""
    parts = []
    for part in path:
        document = document[part]
        name = document.get("name") if isinstance(part, int) and isinstance(document, Mapping) else None
        short = name if isinstance(name, str) and name.isprintable() and len(name) <= 60 else ""
        parts.append(short or shown(str(part), quoted=False))
    return ".".join(parts)


def _sentence(error: Any, document: Any) -> str:
    place = _place(error.absolute_path, document)
    where = f"the key '{place}'" if place else "the file"
    if error.parent is None and "propertyNames" in error.absolute_schema_path:
        where = f"a key in '{place}'" if place else "a key of the file"
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        unknown = sorted(str(key) for key in error.instance if key not in known)
        for key in unknown:
            if key in error.schema.get("instead", {}):
                return f"{where} has the key '{key}', which is not read; {error.schema['instead'][key]}."
        near = nearest(unknown[0], known)
        return f"{where} has the unknown key {shown(unknown[0])}{near}; known keys are {', '.join(known)}."
    if error.validator == "required":
        absent = next(key for key in error.validator_value if key not in error.instance)
        choices = error.schema.get("properties", {}).get(absent, {}).get("enum")
        chosen = f", one of {', '.join(map(str, choices))}" if choices else ""
        return f"{where} lacks the key '{absent}'; add it{chosen} (config/README.md lists the keys)."
    if error.instance is None and error.validator in ("type", "oneOf"):
        about = error.schema.get("description", "").rstrip(".")
        expected = f"; expected is: {about}" if about else ""
        return f"{where}{_beside(error.absolute_path, document)} is left open (null){expected}; fill it in."
    if error.validator == "type":
        types = [error.validator_value] if isinstance(error.validator_value, str) else error.validator_value
        wanted = " or ".join(_TYPE_WORDS[kind] for kind in types)
        quote = f" (it is read as {_kind(error.instance)}: put it in quotes)" if types == ["string"] else ""
        listed = f": [{error.instance}]" if types == ["array"] and isinstance(error.instance, str) else ""
        return f"{where} is {_shown(error.instance)}; {wanted} was expected{quote}{listed}."
    if error.validator == "enum":
        choices = _choices(error.validator_value)
        near = nearest(str(error.instance), choices)
        wanted = f"one of {', '.join(choices)}" if len(choices) > 1 else choices[0]
        return f"{where} is {_shown(error.instance)}{near}; {wanted} was expected."
    if error.validator == "oneOf" and all(set(one) == {"required"} for one in error.validator_value):
        names = " or ".join(" with ".join(one["required"]) for one in error.validator_value)
        return f"{where} needs exactly one of these keys: {names}."
    if error.validator == "pattern" and "expected" in error.schema:
        return f"{where} is {_shown(error.instance)}, {error.schema['expected']}."
    if error.validator in _RULE_WORDS:
        examples = error.schema.get("examples") if error.validator == "pattern" else None
        rule_words = "text such as '{}' was expected" if examples else _RULE_WORDS[error.validator]
        expected = rule_words.format("' or '".join(examples) if examples else error.validator_value)
        return f"{where} is {_shown(error.instance)}; {expected}."
    rule = f"{error.validator}: {error.validator_value}"
    return f"{where} is {_shown(error.instance)}, which does not fit the rule {rule}."


def _beside(path: Sequence[str | int], document: Any) -> str:
    """Return the label or file that stands beside a key, in brackets, to say of what it is."""
    for part in list(path)[:-1]:
        document = document[part]
    told = (document.get(key) for key in ("label", "file")) if isinstance(document, Mapping) else ()
    return next((f" of {word[:80]}" for word in told if isinstance(word, str)), "")


def _choices(values: list[Any]) -> list[str]:
    """Return the values of an enum as YAML has them; null and the word are the same."""
    return list(dict.fromkeys("null" if value is None else str(value) for value in values))


def _shown(value: Any) -> str:
    return shown(str(value), 60)


def _filled(value: Any, rules: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """Return the document with the schema's defaults filled in, in the schema's order of keys."""
    if "$ref" in rules:
        return _filled(
            value, functools.reduce(lambda node, key: node[key], rules["$ref"][2:].split("/"), root), root
        )
    if isinstance(value, list) and "items" in rules:
        return [_filled(item, rules["items"], root) for item in value]
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


def describe() -> str:
    """Return config/README.md: every key of config.yaml, study.yaml and models.yaml, from their schemas."""
    parts = [
        "# Configuration",
        "",
        "Made from the schemas in `workflow/schemas/` (`python -m pniflow.config > config/README.md`); "
        "a test keeps it in step.",
        "",
        "A study is a folder with `config.yaml`, `study.yaml` and, if it has analyses of its own, "
        "`models.yaml`; run it with",
        "`snakemake --configfile FOLDER/config.yaml`. Without a config the simulated demo study in this "
        "folder runs. Unknown keys",
        "are refused. Nothing in these files is evaluated: models are structured terms, not formulas.",
    ]
    for name in ("config", "study", "models"):
        rules = schema(name)
        parts += [
            "",
            f"## {rules['title']}",
            "",
            rules["description"],
            "",
            "| key | what | default |",
            "|---|---|---|",
        ]
        parts += [f"| `{key}` | {text} | {default} |" for key, text, default in _rows(rules, rules, "")]
    return "\n".join(parts) + "\n"


def _rows(rules: Mapping[str, Any], root: Mapping[str, Any], prefix: str) -> list[tuple[str, str, str]]:
    """Return (key, description, default) of each key, nested keys behind their parent."""
    rows = []
    required = rules.get("required", [])
    for key, rule in rules.get("properties", {}).items():
        rule = _resolved(rule, root)
        text = rule.get("description", "").replace("|", "\\|")
        words = ", ".join(_choices(rule.get("enum", [])))
        default = (
            f"`{_yaml(rule['default'])}`" if "default" in rule else ("required" if key in required else "")
        )
        rows.append((f"{prefix}{key}", f"{text} One of: {words}." if words else text, default))
        rows += _rows(rule, root, f"{prefix}{key}.")
        further = rule.get("additionalProperties")
        if isinstance(further, Mapping):
            rows += _rows(further, root, f"{prefix}{key}.NAME.")
        entries = rule.get("items")
        if isinstance(entries, Mapping):
            rows += _rows(_resolved(entries, root), root, f"{prefix}{key}[].")
    return rows


def _resolved(rule: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a rule with what it refers to."""
    if "$ref" not in rule:
        return rule
    meant: Mapping[str, Any] = functools.reduce(
        lambda node, part: node[part], rule["$ref"][2:].split("/"), root
    )
    return {**meant, **rule}


def _yaml(value: Any) -> str:
    import json

    return json.dumps(value)


if __name__ == "__main__":
    print(describe(), end="")
