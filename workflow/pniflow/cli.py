"""The command line: a command is a public function of its name, its options are the function's parameters.

Parameters before `*` are positional, keyword-only ones are `--flags`; help texts are the docstring's own.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import math
import os
import re
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pniflow import __version__
from pniflow.errors import InputError, nearest
from pniflow.figures.gallery import FIGURES, Figure
from pniflow.modalities import MODALITIES
from pniflow.resources import searched
from pniflow.tables import READS, TABLES, described

COMMANDS = {
    "simulate-study": "pniflow.demo",
    "new-study": "pniflow.new_study",
    "ingest-study": "pniflow.study",
    **{command: one.room for one in MODALITIES for command in one.commands},
    "assemble-cohort": "pniflow.cohort",
    "check-design": "pniflow.models",
    "fit-models": "pniflow.models",
    "fit-lmm": "pniflow.models",
    "harmonize": "pniflow.models",
    "fit-over-genes": "pniflow.genes",
    "fit-surface": "pniflow.maps",
    "fit-voxels": "pniflow.maps",
    **{f"plot-{name.replace('_', '-')}": "pniflow.figures" for name in FIGURES},
    "render-report": "pniflow.report",
    "summarize-results": "pniflow.report",
    "trace": "pniflow.report",
}


def _figure_of(command: str) -> Figure | None:
    """Return the figure that a command draws; None for other commands."""
    stage, _, name = command.replace("-", "_").partition("_")
    return FIGURES.get(name) if stage == "plot" else None


def function_of(command: str) -> Callable[..., None]:
    """Return the public function behind a command: the module of its name holds it."""
    name = command.replace("-", "_")
    if figure := _figure_of(command):
        from pniflow.figures.style import command_of

        return command_of(figure.name)
    function: Callable[..., None] = getattr(importlib.import_module(f"{COMMANDS[command]}.{name}"), name)
    return function


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 1 for bad input. Wrong usage exits with 2."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    asked = words[:1] in (["-h"], ["--help"])
    top = argparse.ArgumentParser(
        prog="pniflow",
        description="One command per rule of the workflow, and a few beside it.",
        epilog=_overview() if asked else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=__version__)
    _add_resources(top)
    top.add_argument("command", metavar="COMMAND", help="pniflow COMMAND --help explains one")
    top.add_argument("options", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    first = top.parse_args(words)
    chosen = first.command
    if chosen not in COMMANDS:
        top.error(f"there is no command '{chosen}'{nearest(chosen, COMMANDS)}; pniflow --help lists them.")
    # One thread for linear algebra, before it is loaded: the same bytes whatever the environment says.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
    function = function_of(chosen)
    parser = parser_of(function, chosen, explained=bool({"-h", "--help"} & {*first.options}))
    _add_resources(parser)
    options = vars(parser.parse_args(first.options))
    try:
        with searched(options.pop("resources") or first.resources):
            function(**_gathered(options))
    except InputError as error:
        return _refused(str(error))
    except OSError as error:
        return _refused(f"{error.filename or chosen}: {error.strerror or error}.")
    return 0


def _add_resources(parser: argparse.ArgumentParser) -> None:
    """Add the option of every command: it stands before the command or among its own options."""
    text = "Folder with further resources, searched before what pniflow ships."
    parser.add_argument("--resources", type=Path, metavar="PATH", help=text)


def _overview() -> str:
    """List the commands in the order of the data, each with the first sentence of its function."""
    texts = {name: (inspect.getdoc(function_of(name)) or "").split("\n\n")[0] for name in COMMANDS}
    return "commands:\n" + "\n".join(f"  {name:26}{' '.join(text.split())}" for name, text in texts.items())


def _refused(sentence: str) -> int:
    """Print what is wrong on one line, whatever characters a cell or file name brought along."""
    print("".join(letter if letter.isprintable() else " " for letter in sentence), file=sys.stderr)
    return 1


def parser_of(
    function: Callable[..., None], command: str, *, explained: bool = True
) -> argparse.ArgumentParser:
    """Derive a command's parser from its function's signature and numpydoc docstring.

    Tables are explained by their contracts, which are read only for this.
    """
    document = inspect.getdoc(function) or ""
    parser = argparse.ArgumentParser(
        prog=f"pniflow {command}", description=document.split("\n\n")[0], allow_abbrev=False
    )
    texts = _parameter_texts(document)
    hints = typing.get_type_hints(function)
    for name, parameter in inspect.signature(function).parameters.items():
        if typing.get_origin(hints[name]) is Mapping:
            _add_tables(parser, command, explained)
            continue
        required = parameter.default is inspect.Parameter.empty
        options = _options(hints[name])
        options["help"] = texts.get(name, "").replace("%", "%%")
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            options.pop("action", None)
            parser.add_argument(name, **(options | {"nargs": "+"} if "nargs" in options else options))
            continue
        if not required:
            options["default"] = parameter.default
            if parameter.default not in (None, False):
                options["help"] = (
                    f"{options['help']} (default: {str(parameter.default).replace('%', '%%')})".strip()
                )
        parser.add_argument("--" + name.replace("_", "-"), dest=name, required=required, **options)
    return parser


def _add_tables(parser: argparse.ArgumentParser, command: str, explained: bool) -> None:
    """Give each table that a command reads an option, explained by its contract."""
    figure = _figure_of(command)
    needed, further = (figure.reads, figure.optional) if figure else READS[command.replace("-", "_")]
    for name in dict.fromkeys((*needed, *further)):
        help = described(name).replace("%", "%%") if explained else None
        parser.add_argument(
            TABLES[name].flag,
            dest=f"tables.{name}",
            required=name not in further,
            type=Path,
            metavar="PATH",
            help=help,
        )


def _gathered(options: dict[str, Any]) -> dict[str, Any]:
    """Return a command's options with those that are tables in one mapping, as its function takes them."""
    named = {
        name.removeprefix("tables."): options.pop(name) for name in [*options] if name.startswith("tables.")
    }
    given = {name: path for name, path in named.items() if path is not None}
    return {**options, "tables": given} if named else options


def _options(hint: Any) -> dict[str, Any]:
    """Translate a type hint into argparse's words."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    if hint is bool:
        return {"action": "store_true"}
    if typing.get_origin(hint) is list:
        return {**_options(typing.get_args(hint)[0]), "nargs": "*", "action": "extend"}
    if typing.get_origin(hint) is Literal:
        return {"choices": typing.get_args(hint)}
    return {
        "type": _finite if hint is float else hint,
        "metavar": {Path: "PATH", int: "N", float: "X", str: "NAME"}[hint],
    }


def _finite(text: str) -> float:
    """Read a number; argparse turns the ValueError into its usage message."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _parameter_texts(document: str) -> dict[str, str]:
    """Read the numpydoc 'Parameters' section: name -> its text."""
    section = re.search(r"Parameters\n-+\n(.*?)(?:\n\n[A-Z]\w+\n-+\n|\Z)", document, re.S)
    texts: dict[str, str] = {}
    if section:
        for block in re.split(r"\n(?=\S)", section.group(1)):
            head, _, body = block.partition("\n")
            for name in head.split(":")[0].split(","):
                texts[name.strip()] = " ".join(body.split())
    return texts


if __name__ == "__main__":
    sys.exit(main())
