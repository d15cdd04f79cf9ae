"""Tables of the run that are shown as their columns come: a column that a later version adds is shown too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pniflow.report.blocks import TO, Number, Row, Table, Text
from pniflow.report.run_results import TableRow, rows_of
from pniflow.text import numbers, wording

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


def terms(sessions: Mapping[str, str]) -> Callable[[str], str]:
    """Return how a table writes its terms: what each is on."""
    return lambda term: wording.predictor(str(term), sessions)


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
    lines = []
    for row in rows_of(table.head(_MOST), name):
        cells = [_cell(row, column, column in numeric, paired, said or {}) for column in columns]
        lines.append(Row(cells[0], cells[1:]))
    if len(table) > _MOST:
        note = f"{note} The first {_MOST} of {len(table)} rows; all stand in the file.".strip()
    places = [place for place, column in enumerate(columns[1:]) if column in numeric]
    titles = [column_words(column, paired) for column in columns]
    return Table([caption], titles, lines, places, [note] if note else ())


def column_words(column: str, paired: bool = False) -> str:
    """Return a column's name in words."""
    if column == "conf_low" and not paired:
        return "conf. low"
    text = _WORDS.get(column, column.replace("_", " "))
    return text if text.split(" ")[0] in ("p", "n") else text[:1].upper() + text[1:]


def _cell(
    row: TableRow, column: str, numeric: bool, paired: bool, said: Mapping[str, Callable[[str], str]]
) -> Text:
    value = row[column]
    if column in said:
        return [said[column](str(value))]
    if numeric:
        if column == "conf_low" and paired:
            return [as_it_stands(row, column), TO, as_it_stands(row, "conf_high")]
        return [as_it_stands(row, column)]
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    return [str(value) if numbers.given(value) else ""]


def as_it_stands(row: TableRow, column: str) -> Number:
    """Return a number with digits that fit it, those of its standard error where it has one."""
    value = row[column]
    if column == "p" or column.startswith("p_"):
        return Number(numbers.p_value(value), row.key, column, row.table)
    if not numbers.given(value) or (float(value).is_integer() and abs(value) < 1e15):
        return row.number(column)
    error = row.cells.get("std_error") if column in ("estimate", "conf_low", "conf_high") else None
    return row.number(column, numbers.decimals_for(error if numbers.given(error) else abs(value) / 10))
