"""From a lab's raw tables to the study's tables: participants, sessions, samples, responses, assays."""

from __future__ import annotations

import hashlib
import hmac
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow import config, contracts
from pniflow.errors import InputError
from pniflow.modalities import MODALITIES
from pniflow.questionnaires.keys import read_key
from pniflow.raw import gate
from pniflow.raw.text_tables import inside
from pniflow.study.affixes import affixes_of
from pniflow.study.bids import unread_files
from pniflow.study.cells import account_of
from pniflow.study.covariates import cast, covariate_values, flagged
from pniflow.study.dates import DAY, since
from pniflow.study.laboratory import assays_of, read_sheets, samples_of
from pniflow.study.linkage import may_be_numbers, refuse_near, require_known, require_sessions
from pniflow.study.recall_windows import recall_windows
from pniflow.study.records import Records
from pniflow.study.responses import responses_of
from pniflow.study.rows import require_met, whole_people
from pniflow.study.sources import Sources, read_sources

if TYPE_CHECKING:
    import pandas as pd


def ingest_study(*, study: Path, data: Path, out: Path, windows: Path | None = None) -> None:
    """Read a study's raw tables and write its participants, sessions, samples, responses and assays.

    Parameters
    ----------
    study : Path
        The study's description (study.yaml).
    data : Path
        Folder with the raw files.
    out : Path
        Folder to write participants.tsv, sessions.tsv, samples.tsv, responses.parquet, assays.tsv and
        account.tsv (what became of every cell) to; a table of a branch that the study lacks is empty.
    windows : Path, optional
        Table to write with the days that each measure looks back on, against the intervention (contract
        windows).

    Raises
    ------
    InputError
        A file is not as described, a value is not as the data dictionary says, a field may not leave
        ingestion, or a cell with text would be in none of the tables.

    Notes
    -----
    Only the id, mapped events and the fields that study.yaml names are read at all; identifiers, free text
    and dates are refused even if named. Ages above 89 become 89.
    """
    described = config.read_study(study)
    _check_sessions(described)
    keys = {name: read_key(name) for name in described["instruments"]}
    sources, sheets = _of_the_study(
        read_sources(described, data, keys), read_sheets(described, data), described
    )
    notes: list[str] = []
    samples, assays = samples_of(sheets, described), assays_of(sheets, described, notes)
    register = _register(sources, sheets, described)
    tables = {
        "participants": _participants(sources, described, register),
        "sessions": _sessions(sources, sheets, described),
        "samples": samples,
        "responses": responses_of(sources, described, keys, notes),
        "assays": assays,
    }
    account = account_of(sources, sheets, described, keys, tables, unread_files(described, data))
    if described["pseudonymize"]:
        tables = _pseudonymized(tables, register, described, data)
    files = {
        name: out / f"{name}.{'parquet' if name == 'responses' else 'tsv'}" for name in (*tables, "account")
    }
    # All are checked before the first is written, so that a refusal leaves nothing.
    checked = {name: contracts.checked(one, name, str(files[name])) for name, one in tables.items()}
    for name, table in {**checked, "account": contracts.checked(account, "account", "account")}.items():
        contracts.write_table(table, files[name])
    if windows is not None:
        contracts.write_table(recall_windows(described), windows, "windows")
    everything = [*sources.records, *sheets.values()]
    numbered = (
        []
        if described["pseudonymize"]
        else [may_be_numbers(one.participant, one.source) for one in everything]
    )
    for note in [*list(filter(None, numbered))[:1], *notes]:
        print(note, file=sys.stderr)


def _of_the_study(
    sources: Sources, sheets: dict[str, Records], study: Mapping[str, Any]
) -> tuple[Sources, dict[str, Records]]:
    """Leave out people as a whole, and refuse rules under exclude that no file can meet."""
    everything = [*sources.records, *sheets.values()]
    headers = {one.source: one.header for one in everything}
    asides = [aside for one in everything for aside in one.aside]
    columns = [one.participant for one in everything] + [aside.participant for aside in asides]
    everybody = {name for column in columns for name in column.unique()}
    require_met(study, headers, everybody)
    people = whole_people(((aside.rule, aside.participant) for aside in asides), study)
    rest = Sources(tuple(sheets.values()), False).without_people(people, study).records
    return sources.without_people(people, study), dict(zip(sheets, rest, strict=True))


def _check_sessions(study: Mapping[str, Any]) -> None:
    redcap = study.get("redcap", {})
    if redcap:
        require_sessions(affixes_of(redcap).values(), study, "redcap.suffixes")
    for form, instances in redcap.get("repeats", {}).items():
        nested = [one if isinstance(one, Mapping) else {"": one} for one in instances.values()]
        require_sessions((to for one in nested for to in one.values()), study, f"redcap.repeats.{form}")
    for name, rule in study["instruments"].items():
        require_sessions(rule["sessions"], study, f"instruments.{name}.sessions")


def _register(sources: Sources, sheets: Mapping[str, Records], study: Mapping[str, Any]) -> list[str]:
    """Return all participants in order; with a register, one that stands elsewhere only is refused."""
    anonymous = bool(study["pseudonymize"])
    everything = [*sources.records, *sheets.values()]
    if sources.registers or study["tables"]:
        # Without a list of participants they are those of all tables together.
        lists = sources.records[:1] if sources.registers else sources.records
        register = {name for one in lists for name in one.participant.unique()}
        for one in everything:
            require_known(one.participant, register, one.source, anonymous)
    register = {name for one in everything for name in one.participant.unique()}
    refuse_near(((one.participant, one.source) for one in everything), anonymous)
    return sorted(register)


def _participants(sources: Sources, study: Mapping[str, Any], register: Iterable[str]) -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame({"participant_id": pd.Series(list(register), dtype="str")})
    for name, rule in study["covariates"].items():
        values = covariate_values(sources.holding(rule["field"], "coding" not in rule), name, rule)
        table[name] = values.reindex(table["participant_id"]).to_numpy()
        if "coding" in rule:
            table[name] = table[name].astype("str")
    return table


def _sessions(sources: Sources, sheets: Mapping[str, Records], study: Mapping[str, Any]) -> pd.DataFrame:
    """Return the participant-sessions that any record knows, with study day and exposures."""
    import pandas as pd

    pairs = [
        pd.DataFrame({"participant_id": one.participant, "session_id": one.session})
        for one in (*sources.records, *sheets.values())
    ]
    table = (
        pd.concat(pairs, ignore_index=True)
        if pairs
        else pd.DataFrame(columns=["participant_id", "session_id"], dtype="str")
    )
    table = table[table["session_id"].fillna("") != ""].drop_duplicates()
    order = {name: place for place, name in enumerate(study["sessions"])}
    place = table["session_id"].map(order)
    table = (
        table.assign(place=place)
        .sort_values(["participant_id", "place"])
        .drop(columns="place")
        .reset_index(drop=True)
    )
    days = {name: rule.get("day", np.nan) for name, rule in study["sessions"].items()}
    table["day"] = table["session_id"].map(days).astype(float)
    for one in sources.records:
        if DAY in one.cells:
            dated = one.per_session([DAY], "redcap.dates.visit")
            values = pd.Series(
                dated.numeric(DAY)[0], index=pd.MultiIndex.from_arrays([dated.participant, dated.session])
            )
            table["day"] = values.reindex(
                pd.MultiIndex.from_frame(table[["participant_id", "session_id"]])
            ).to_numpy()
    for name, rule in study["exposures"].items():
        rule = rule if "field" in rule else rule | {"field": since(name)}
        one = sources.holding(rule["field"], "coding" not in rule)
        one = one.per_session([rule["field"]], f"exposures.{name}")
        index = pd.MultiIndex.from_arrays([one.participant, one.session])
        values = pd.Series(cast(one, rule, f"exposures.{name}", name), index=index)
        table[name] = values.reindex(
            pd.MultiIndex.from_frame(table[["participant_id", "session_id"]])
        ).to_numpy()
        if "flag" in rule:
            table[f"{name}_flag"] = flagged(table[name], rule)
    return table


def _pseudonymized(
    tables: dict[str, pd.DataFrame], register: list[str], study: Mapping[str, Any], data: Path
) -> dict[str, pd.DataFrame]:
    """Replace every participant's id, in an order that nobody without the export can work out."""
    named = [one.name for one in MODALITIES if one.domain == "imaging" and one.raw and one.name in study]
    if named:
        raise InputError(
            f"study.yaml: pseudonymize is true, but the scans under {named[0]} carry participants' ids in "
            "their names; give the scans new names first, and leave pseudonymize out."
        )
    source = _first_file(study)
    secret = hashlib.sha256(gate.read_bytes(inside(data, source, "redcap.export"), source)).digest()
    order = sorted(register, key=lambda name: hmac.digest(secret, name.encode(), "sha256"))
    width = max(3, len(str(len(order))))
    ids = {name: f"p{number:0{width}}" for number, name in enumerate(order, 1)}
    _refuse_ids_in_samples(tables["samples"], study)
    result = {}
    for name, table in tables.items():
        table = table.assign(participant_id=table["participant_id"].map(ids).astype("str"))
        keys = [column for column in ("participant_id",) if column in table]
        result[name] = table.sort_values(keys, kind="stable").reset_index(drop=True)
    return result


def _first_file(study: Mapping[str, Any]) -> str:
    """Return the study's first table of participants, whose content nobody without it can know."""
    files = [
        study[key][name] for key, name in (("redcap", "export"), ("participants", "file")) if key in study
    ]
    files += [one["file"] for one in study["tables"]]
    files += [f"{study['bids']['folder']}/participants.tsv"] if "bids" in study else []
    files += [study["expression"]["samples"]] if "expression" in study else []
    files += [one["file"] for one in study["assays"].values()]
    if not files:
        raise InputError("study.yaml: pseudonymize needs a table with participants.")
    return str(files[0])


def _refuse_ids_in_samples(samples: pd.DataFrame, study: Mapping[str, Any]) -> None:
    """A sample's name must not give away the id that was replaced."""
    parts = samples["sample_id"].str.split(r"[^A-Za-z0-9]+", regex=True)
    shown = [person in words for person, words in zip(samples["participant_id"], parts, strict=True)]
    if any(shown):
        raise InputError(
            f"{study['expression']['samples']}: pseudonymize is true, but {sum(shown)} sample names contain "
            "the participant's id; give the samples new names in this table and in the matrix."
        )
