"""A first study.yaml, config.yaml and models.yaml for what a lab has, every guess marked as one."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from pniflow import files, resources
from pniflow.errors import InputError, nearest
from pniflow.new_study import draft as drafting
from pniflow.new_study.draft import Draft
from pniflow.new_study.models import Measured, draft_models
from pniflow.new_study.occasions import occasions
from pniflow.new_study.plain_tables import PlainTables
from pniflow.new_study.redcap_export import Export, guess_export
from pniflow.new_study.samples import Sheet, find_sheet, guess_unit, named_samples, read_sheet
from pniflow.new_study.scans import Scans, guess_scans
from pniflow.new_study.tables import guess_assays, guess_table
from pniflow.raw.text_tables import file_of, names_beside, read_raw
from pniflow.study.fields import read_dictionary


def new_study(
    *,
    export: Path | None = None,
    dictionary: Path | None = None,
    tables: list[Path] | None = None,
    assays: list[Path] | None = None,
    matrix: Path | None = None,
    cat12: Path | None = None,
    out: Path,
) -> None:
    """Write a first study.yaml, config.yaml and models.yaml for what a lab has, with every guess commented.

    What could not be guessed is printed; where a run would need it, it stands in study.yaml as null, which is
    refused until it is filled in.

    Parameters
    ----------
    export : Path, optional
        REDCap export (CSV).
    dictionary : Path, optional
        Its data dictionary (CSV).
    tables : list of Path, optional
        In place of an export tables of participants and questionnaires (CSV, TSV, .xlsx): a row per
        participant or per participant and session, columns per session, or a file per session. One that lists
        the samples of the matrix is the sample sheet, beside an export too.
    assays : list of Path, optional
        Tables of laboratory values with a row per participant and session.
    matrix : Path, optional
        Gene expression matrix, genes by samples.
    cat12 : Path, optional
        Folder with CAT12's outputs.
    out : Path
        Folder to write study.yaml, config.yaml, models.yaml and, where there is no sample sheet, samples.tsv
        to; existing ones are not overwritten.

    Raises
    ------
    InputError
        A file is not what it should be, or the folder already has a study.
    """
    given = {"export": [export], "dictionary": [dictionary], "matrix": [matrix], "cat12": [cat12]}
    given |= {"tables": [*(tables or [])], "assays": [*(assays or [])]}
    _check(given, out)
    data, names = _placed(given, out if matrix is not None else None)
    unit, samples = guess_unit(matrix) if matrix is not None else (None, [])
    lists = {path: names[path] for path in tables or []}
    sheet_file = find_sheet(lists, samples) if samples else None
    lists.pop(sheet_file, None) if sheet_file else None
    alone = len(names) == 1
    source: Export | PlainTables
    if export is not None and dictionary is not None:
        if lists:
            raise InputError("Give --export or --tables, and add what is left to study.yaml by hand.")
        fields = read_dictionary(dictionary, dictionary.name)
        source = guess_export(read_raw(export), fields, names[export], names[dictionary])
    else:
        source = PlainTables([guess_table(path, name, alone) for path, name in lists.items()])
    laboratory = [guess_assays(path, names[path], alone) for path in assays or []]
    people = {*source.people, *(one for table, _, _ in laboratory for one in table.people)}
    scans = guess_scans(cat12, names[cat12], people) if cat12 is not None else Scans("")
    sheet = Sheet("", {})
    if samples:
        sheet = (
            read_sheet(sheet_file, names[sheet_file], samples, people)
            if sheet_file
            else named_samples(samples)
        )
        sheet = sheet.placed(out / "samples.tsv", data)
    if isinstance(source, PlainTables) and not source.tables:
        source.further = sheet.fields
    words = [*source.vocabularies, [*sheet.words.values()]]
    words += [[*table.words.values()] for table, _, _ in laboratory]
    told = occasions(words, {name: name for name in scans.sessions}, source.dates)
    draft = Draft()
    measured = bool(source.found or laboratory or samples or scans.names)
    drafting.opening(draft, told, source.origin, measured)
    drafting.exclusions(draft, source.exclude)
    covariates = source.draft(draft, told)
    for table, rules, unsaid in laboratory:
        drafting.assays(draft, table, rules, told.names)
        draft.open += unsaid
    if matrix is not None:
        drafting.expression(draft, names[matrix], unit, sheet, told.names)
    if cat12 is not None:
        drafting.cat12(draft, scans, list(told.labels))
    scored = list(dict.fromkeys(one.instrument for one in source.found))
    measures = [name for _, rules, _ in laboratory for name in rules]
    has = Measured(
        list(told.labels), told.settled or not measured, scored, measures, covariates, bool(samples), scans
    )
    written = {
        "study.yaml": draft.lines,
        "config.yaml": drafting.config(_folders(data, out), scored, matrix is not None, cat12 is not None),
    }
    written |= {"models.yaml": lines} if (lines := draft_models(has)) else {}
    written |= {"samples.tsv": sheet.lines(told.names, list(told.labels))} if sheet.rows else {}
    for name, text in written.items():
        files.write_text(out / name, "\n".join([*text, ""]))
    _tell(out, list(written), draft.open)


def _check(given: Mapping[str, Sequence[Path | None]], out: Path) -> None:
    """Refuse a folder that has a study, and what does not go together."""
    for name in ("study.yaml", "config.yaml", "models.yaml"):
        if (out / name).exists():
            raise InputError(
                f"{out / name}: there is one already; it is not overwritten, so name another folder."
            )
    there = {name for name, paths in given.items() if any(path is not None for path in paths)}
    if not there or len(there & {"export", "dictionary"}) == 1:
        raise InputError("Give --export with its --dictionary, or --tables, or what else there is.")


def _folders(data: Path, out: Path) -> dict[str, str]:
    """Return the folders that config.yaml names, as seen from it."""
    folders = {"data": data} | ({"resources": mine.resolve()} if (mine := resources.own()) else {})
    return {key: os.path.relpath(path, out.resolve()) for key, path in folders.items()}


def _tell(out: Path, written: Sequence[str], unsaid: Sequence[str]) -> None:
    """Say what was written, what was not guessed, and what to do next."""
    places = [str(out / name) for name in written]
    print(f"Written: {', '.join(places[:-1])} and {places[-1]}. Read them; every guess has a comment.")
    if "models.yaml" not in written:
        unsaid = [*unsaid, "what is to be analysed; no measure was recognized, so the shipped models hold."]
    for sentence in unsaid:
        print(f"Not guessed: {sentence}")
    flags = f"--configfile {shlex.quote(str(out / 'config.yaml'))} --directory {shlex.quote(str(out))}"
    print(f"Then try: snakemake -n {flags}")


def _placed(given: Mapping[str, Sequence[Path | None]], out: Path | None) -> tuple[Path, dict[Path, str]]:
    """Return the folder that holds all files (and `out`), and each file's name in it, with its sheet."""
    places: dict[Path, Path] = {}
    for name, paths in given.items():
        for path in filter(None, paths):
            places[path] = Path(file_of(str(path))).resolve()
            if not places[path].exists():
                near = nearest(path.name, names_beside(path))
                raise InputError(f"{path}: there is no such file or folder{near}; correct --{name}.")
    parents = [place.parent for place in places.values()] + ([out.resolve()] if out else [])
    data = Path(os.path.commonpath(parents))
    sheets = {path: str(path).removeprefix(file_of(str(path))) for path in places}
    return data, {path: place.relative_to(data).as_posix() + sheets[path] for path, place in places.items()}
