"""Tables that stand beside the estimates: blood samples, genes, design, peaks and clusters.

They are shown as their columns come: a column that a later version adds is shown too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pniflow import contracts
from pniflow.report.blocks import TO, Fold, Number, Paragraph, Row, Table, Text
from pniflow.tables import TABLES
from pniflow.text import labels, numbers, wording

if TYPE_CHECKING:
    import pandas as pd

_MOST = 200  # rows shown; the rest stands in the file
_WORDS = {
    "std_error": "SE",
    "p_value": "p",
    "p_adjusted": "adjusted p",
    "p_fwe": "p (family-wise)",
    "p_tfce": "p (TFCE)",
    "p_permutation": "p (permutation)",
    "n_genes": "genes",
    "n_participants": "n",
    "participant_id": "participant",
    "session_id": "session",
    "conf_low": f"{numbers.LEVEL} interval",
    "detected_genes": "genes detected",
    "profile_correlation": "correlation with the others",
    "b_cell_level": "B-cell genes (log2)",
}
_ANALYSES = {
    "composite": "composite score (prespecified)",
    "nested_gene_model": "genes nested in samples",
    "per_gene_bootstrap": "mean over genes, bootstrap",
    "legacy_gls": "regression over genes (legacy, not for inference)",
}


_SHOWN = {
    "over_genes": "analysis term estimate conf_low conf_high std_error p_value p_permutation n_participants"
    " n_genes evidence",
    "gene_estimates": "gene component term estimate conf_low conf_high p_value p_adjusted n_participants",
    "clusters": "outcome term correction hemisphere region direction size extent extent_unit p_fwe p_tfce"
    " n_participants",
    "peaks": "outcome term hemisphere region x y z estimate conf_low conf_high p_value p_fwe p_tfce"
    " n_participants",
    "voxel_clusters": "outcome term correction region direction size extent extent_unit p_fwe p_tfce"
    " n_participants",
    "voxel_peaks": "outcome term region x y z estimate conf_low conf_high p_value p_fwe p_tfce"
    " n_participants",
}
_OWN = ("kenward_roger", "satterthwaite", "ols_t")  # inference of the prespecified analysis


def samples(table: pd.DataFrame, sessions: Mapping[str, str]) -> list[Any]:
    """How many blood samples were assessed and what was notable; nothing here was left out."""
    if not len(table):
        return []
    flagged = table[table["flags"].notna()]
    text: Text = [
        "Blood samples assessed: ", Number(str(len(table)), "all", "sample_id", "sample_quality"),
        "; with something notable: ", Number(str(len(flagged)), "all", "flags", "sample_quality"), ".",
    ]  # fmt: skip
    wanted = ["sample_id", "participant_id", "session_id", "detected_genes", "profile_correlation"]
    blocks: list[Any] = [Paragraph(text)]
    if len(flagged):
        said = {"session_id": lambda name: str(sessions.get(name, name))}
        columns = [name for name in [*wanted, "flags"] if name in table]
        caption = "Blood samples with something notable; a flag marks and never leaves out."
        blocks.append(listed(flagged[columns], "sample_quality", caption, "", said))
    return blocks


def over_genes(table: pd.DataFrame, sessions: Mapping[str, str]) -> list[Any]:
    """The prespecified composite beside the field's other ways of asking over genes.

    Parameters
    ----------
    table : DataFrame
        By the contract over_genes.
    sessions : dict
        Session -> its label, in order of time.
    """
    if not len(table):
        return []
    caption = (
        "The same question asked over the genes in several ways; the composite score is the prespecified one."
    )
    said = {"analysis": analysis_words, "term": _terms(sessions)}
    note = f"Estimates: change of the mean signed expression; {labels.CTRA_SIGN}."
    if table["evidence"].str.contains("FRED").any():
        note += " FRED13, FRED15: the published data GSE45330 and GSE55762, on which the tests were tried."
    return [Fold(["Other analyses over genes"], [listed(table, "over_genes", caption, note, said)])]


def analysis_words(name: str) -> str:
    """Return an analysis over genes in words."""
    return str(_ANALYSES.get(name, name))


def _terms(sessions: Mapping[str, str]) -> Callable[[str], str]:
    return lambda term: wording.predictor(str(term), sessions)


def genes(table: pd.DataFrame, sessions: Mapping[str, str]) -> list[Any]:
    """Every gene's estimates; `sessions` as for `over_genes`."""
    if not len(table):
        return []
    caption = "Each gene by itself; exploratory."
    note = f"Genes stand in the direction of expression ({labels.COMPONENT_SIGN})."
    return [
        Fold(
            ["Gene by gene"],
            [listed(table, "gene_estimates", caption, note, {"term": _terms(sessions)})],
            "gene_estimates.tsv",
        )
    ]


def design(table: pd.DataFrame, sessions: Mapping[str, str]) -> list[Any]:
    """Errors and power of the prespecified tests in this design, found by simulation."""
    own = table[table["method"].isin(_OWN)]
    if not len(own):
        return []
    effects = sorted(effect for effect in own["effect"].unique() if effect)
    grouped: dict[tuple[Any, ...], dict[float, tuple[str, Mapping[str, Any]]]] = {}
    keys = _keys(own, "design")
    for key, row in zip(keys, numbers.records(own), strict=True):
        place = (row["outcomes"], row["term"], row["icc"], row["effect_unit"])
        grouped.setdefault(place, {})[row["effect"]] = (key, row)
    lines = []
    for (outcomes, term, _, unit), found in grouped.items():
        first, one = found.get(0.0) or next(iter(found.values()))
        cells: list[Text] = [[wording.predictor(str(term), sessions)]]
        cells += [[_number(one, name, first, "design")] for name in ("n_participants", "icc")]
        for effect in (0.0, *effects):
            shown = found.get(effect)
            cells.append([_share(*shown) if shown else numbers.NONE])
        cells += [[_number(one, "detectable_80", first, "design")], [unit]]
        lines.append(Row([_outcomes(outcomes)], cells))
    caption = [
        "What this design can show: share of simulated outcomes in which the prespecified test rejects,"
        " without an effect (type-I error) and at declared effects (power); not adjusted for the family."
    ]
    power = [f"power at {numbers.number(effect, 2)}" for effect in effects]
    columns = ["Outcomes", "Term", "n", "ICC", "type-I error", *power, "found in 80 %", "effect in"]
    block = Table(caption, columns, lines, range(1, len(columns) - 2))
    return [Fold(["Type-I error and power of each prespecified test"], [block])]


def _share(key: str, row: Mapping[str, Any]) -> Number:
    return Number(numbers.number(row["rejection"], 3), key, "rejection", "design")


def _outcomes(names: str) -> str:
    label_texts = list(dict.fromkeys(labels.label(name).short for name in str(names).split()))
    more = f" and {len(label_texts) - 2} more" if len(label_texts) > 2 else ""
    return "; ".join(label_texts[:2]) + more


def maps(tables: Mapping[str, pd.DataFrame], sessions: Mapping[str, str]) -> list[Any]:
    """Peaks and clusters of the maps over the cortical surface and voxel by voxel."""
    captions = {
        "clusters": "Clusters of vertices, over the cortical surface.",
        "peaks": "Peaks of the maps over the cortical surface.",
        "voxel_clusters": "Clusters of voxels, in the volume.",
        "voxel_peaks": "Peaks of the maps in the volume.",
    }
    note = "x, y and z: mm to the right, to the front and up, in the template's space."
    blocks: list[Any] = []
    for name, caption in captions.items():
        table = tables.get(name)
        if table is not None and len(table):
            said = {"term": _terms(sessions), "outcome": lambda outcome: labels.label(outcome).long}
            placed = name in ("peaks", "voxel_peaks") and table["x"].notna().any()
            blocks.append(listed(table, name, caption, note if placed else "", said))
        elif table is not None:
            where = "in the volume" if name.startswith("voxel") else "over the cortical surface"
            blocks.append(Paragraph([f"{caption.split(' ')[0]} {where}: none."]))
    return blocks


def listed(
    table: pd.DataFrame,
    name: str,
    caption: str,
    note: str = "",
    said: Mapping[str, Callable[[str], str]] | None = None,
) -> Table:
    """Return a table as it stands: text as text, numbers with sensible digits and the key of their row.

    Parameters
    ----------
    table : DataFrame
        The table.
    name : str
        Its name, and that of its contract where it has one.
    caption, note : str
        Words above and below.
    said : dict, optional
        Column -> how its texts are written.
    """
    import pandas as pd

    chosen = [column for column in _SHOWN.get(name, "").split() if column in table]
    kept = [column for column in chosen or table.columns if table[column].notna().any()]
    numeric = [column for column in kept if pd.api.types.is_numeric_dtype(table[column])
               and not pd.api.types.is_bool_dtype(table[column])]  # fmt: skip
    paired = {"conf_low", "conf_high"} <= set(numeric)
    columns = [column for column in kept if not (paired and column == "conf_high")]
    keys = _keys(table, name)
    lines = []
    for key, row in zip(keys[:_MOST], numbers.records(table.head(_MOST)), strict=True):
        for column, write in (said or {}).items():
            row[column] = write(str(row[column])) if column in row else ""
        cells = [_cell(row, column, key, name, column in numeric, paired) for column in columns]
        lines.append(Row(cells[0], cells[1:]))
    if len(table) > _MOST:
        note = f"{note} The first {_MOST} of {len(table)} rows; all stand in the file.".strip()
    places = [place for place, column in enumerate(columns[1:]) if column in numeric]
    titles = [column_words(column, paired) for column in columns]
    return Table([caption], titles, lines, places, [note] if note else ())


def _keys(table: pd.DataFrame, name: str) -> list[str]:
    """Return the key of each row: the primary key of the table's contract."""
    primary = contracts.contract(TABLES[name].schema)["primaryKey"]
    found = [column for column in primary if column in table]
    records = numbers.records(table[found]) if found else [{"row": place} for place in range(len(table))]
    return ["/".join("" if value is None else str(value) for value in row.values()) for row in records]


def column_words(column: str, paired: bool = False) -> str:
    """Return a column's name in words."""
    if column == "conf_low" and not paired:
        return "conf. low"
    text = _WORDS.get(column, column.replace("_", " "))
    return text if text.split(" ")[0] in ("p", "n") else text[:1].upper() + text[1:]


def _cell(row: Mapping[str, Any], column: str, key: str, table: str, numeric: bool, paired: bool) -> Text:
    if not numeric:
        value = row[column]
        if isinstance(value, bool):
            return ["yes" if value else "no"]
        return [str(value) if numbers.given(value) else ""]
    if column == "conf_low" and paired:
        return [_number(row, "conf_low", key, table), TO, _number(row, "conf_high", key, table)]
    return [_number(row, column, key, table)]


def _number(row: Mapping[str, Any], column: str, key: str, table: str) -> Number:
    value = row[column]
    if not numbers.given(value):
        return Number(numbers.NONE, key, column, table)
    if column == "p" or column.startswith("p_"):
        return Number(numbers.p_value(value), key, column, table)
    if float(value).is_integer() and abs(value) < 1e15:
        return Number(numbers.number(value, 0), key, column, table)
    return Number(numbers.number(value, numbers.decimals_for(_scale(row, column))), key, column, table)


def _scale(row: Mapping[str, Any], column: str) -> float:
    """Return what sets the digits: the standard error for an estimate and its interval, else the number."""
    if column in ("estimate", "conf_low", "conf_high") and numbers.given(row.get("std_error")):
        return float(row["std_error"])
    return abs(float(row[column])) / 10
