"""From a lab's raw tables to the study's tables: participants, sessions, samples, responses, assays."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow import config, contracts
from pniflow.errors import InputError
from pniflow.modalities import MODALITIES
from pniflow.questionnaires.keys import Key, read_key
from pniflow.study.covariates import cast, covariate_values, flagged
from pniflow.study.dates import DAY, since
from pniflow.study.laboratory import read_assays, read_samples
from pniflow.study.linkage import require_known, require_sessions
from pniflow.study.rawtables import inside
from pniflow.study.recall_windows import recall_windows
from pniflow.study.records import affixes_of
from pniflow.study.responses import item_fields, responses_of
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
        Folder to write participants.tsv, sessions.tsv, samples.tsv, responses.parquet and assays.tsv to; a
        table of a branch that the study lacks is empty.
    windows : Path, optional
        Table to write with the days that each measure looks back on, against the intervention (contract
        windows).

    Raises
    ------
    InputError
        A file is not as described, a value is not as the data dictionary says, or a field may not leave
        ingestion.

    Notes
    -----
    Only the id, mapped events and the fields that study.yaml names are read at all; identifiers, free text
    and dates are refused even if named. Ages above 89 become 89.
    """
    described = config.read_study(study)
    _check_sessions(described)
    keys = {name: read_key(name) for name in described["instruments"]}
    sources = read_sources(described, data, wanted_fields(described, keys))
    samples = read_samples(described, data)
    assays = read_assays(described, data)
    register = _register(sources, samples, assays, described)
    tables = {
        "participants": _participants(sources, described, register),
        "sessions": _sessions(sources, described, samples, assays),
        "samples": samples,
        "responses": responses_of(sources, described, keys),
        "assays": assays,
    }
    if described["pseudonymize"]:
        tables = _pseudonymized(tables, register, described, data)
    for name, table in tables.items():
        ending = "parquet" if name == "responses" else "tsv"
        contracts.write_table(table, out / f"{name}.{ending}", name)
    if windows is not None:
        contracts.write_table(recall_windows(described), windows, "windows")


def wanted_fields(study: Mapping[str, Any], keys: Mapping[str, Key]) -> dict[str, str]:
    """Return the allow-list: every field that study.yaml names -> where it names it."""
    wanted: dict[str, str] = {}
    for section in ("covariates", "exposures"):
        for name, rule in study[section].items():
            if "field" in rule:
                wanted.setdefault(rule["field"], f"{section}.{name}")
    for name, rule in study["instruments"].items():
        for one in item_fields(rule, keys[name]):
            wanted.setdefault(one, f"instruments.{name}")
        if "total" in rule:
            wanted.setdefault(rule["total"], f"instruments.{name}.total")
    return wanted


def _check_sessions(study: Mapping[str, Any]) -> None:
    redcap = study.get("redcap", {})
    if redcap:
        require_sessions(affixes_of(redcap).values(), study, "redcap.suffixes")
    for form, instances in redcap.get("repeats", {}).items():
        require_sessions(instances.values(), study, f"redcap.repeats.{form}")


def _register(
    sources: Sources, samples: pd.DataFrame, assays: pd.DataFrame, study: Mapping[str, Any]
) -> list[str]:
    """Return all participants in order; with a register, one that stands elsewhere only is refused."""
    elsewhere: list[tuple[pd.Series, str]] = []
    if "expression" in study:
        elsewhere.append(
            (samples["participant_id"].set_axis(samples.attrs["rows"]), study["expression"]["samples"])
        )
    for name, rule in study["assays"].items():
        rows = assays[assays["assay"] == name]
        elsewhere.append((rows["participant_id"].set_axis(rows["row"]), rule["file"]))
    del assays["row"]
    if sources.registers or study["tables"]:
        # Without a list of participants they are those of all tables together.
        lists = sources.records[:1] if sources.registers else sources.records
        register = {name for one in lists for name in one.participant}
        for one in sources.records:
            require_known(one.participant, register, one.source, one.anonymous)
        for ids, source in elsewhere:
            require_known(ids, register, source, bool(study["pseudonymize"]))
        return sorted(register)
    named = [one.participant for one in sources.records] + [ids for ids, _ in elsewhere]
    return sorted({name for ids in named for name in ids})


def _participants(sources: Sources, study: Mapping[str, Any], register: Iterable[str]) -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame({"participant_id": pd.Series(list(register), dtype="str")})
    for name, rule in study["covariates"].items():
        values = covariate_values(sources.holding(rule["field"]), name, rule)
        table[name] = values.reindex(table["participant_id"]).to_numpy()
        if "coding" in rule:
            table[name] = table[name].astype("str")
    return table


def _sessions(
    sources: Sources, study: Mapping[str, Any], samples: pd.DataFrame, assays: pd.DataFrame
) -> pd.DataFrame:
    """Return the participant-sessions that any record knows, with study day and exposures."""
    import pandas as pd

    pairs = [
        pd.DataFrame({"participant_id": one.participant, "session_id": one.session})
        for one in sources.records
    ]
    pairs += [table[["participant_id", "session_id"]] for table in (samples, assays)]
    table = (
        pd.concat(pairs, ignore_index=True)
        if pairs
        else pd.DataFrame(columns=["participant_id", "session_id"], dtype="str")
    )
    table = table[table["session_id"] != ""].drop_duplicates()
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
            dated = one.per_session([DAY])
            values = pd.Series(
                dated.numeric(DAY)[0], index=pd.MultiIndex.from_arrays([dated.participant, dated.session])
            )
            table["day"] = values.reindex(
                pd.MultiIndex.from_frame(table[["participant_id", "session_id"]])
            ).to_numpy()
    for name, rule in study["exposures"].items():
        rule = rule if "field" in rule else rule | {"field": since(name)}
        one = sources.holding(rule["field"]).per_session([rule["field"]])
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
    source = study.get("redcap", {}).get("export") or study.get("participants", {}).get("file")
    if source is None:
        raise InputError("study.yaml: pseudonymize needs a REDCap export or a participants table.")
    secret = hashlib.sha256(inside(data, source, "redcap.export").read_bytes()).digest()
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


def _refuse_ids_in_samples(samples: pd.DataFrame, study: Mapping[str, Any]) -> None:
    """A sample's name must not give away the id that was replaced."""
    parts = samples["sample_id"].str.split(r"[^A-Za-z0-9]+", regex=True)
    shown = [person in words for person, words in zip(samples["participant_id"], parts, strict=True)]
    if any(shown):
        raise InputError(
            f"{study['expression']['samples']}: pseudonymize is true, but {sum(shown)} sample names contain "
            "the participant's id; give the samples new names in this table and in the matrix."
        )
