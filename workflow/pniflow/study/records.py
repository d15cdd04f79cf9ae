"""A study's records as text: who, which session, and the named fields, wherever they came from."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pniflow.errors import InputError, listing
from pniflow.study.fields import Field
from pniflow.study.rawtables import numbers

if TYPE_CHECKING:
    import pandas as pd


Affix = tuple[str, str]  # what stands before and after a field's name in a table with columns per session
PLAIN: Affix = ("", "")


def affixes_of(rules: Mapping[str, Any]) -> dict[Affix, str]:
    """Return the affixes that study.yaml gives -> their session."""
    return {(before, ""): session for before, session in rules["prefixes"].items()} | {
        ("", after): session for after, session in rules["suffixes"].items()
    }


def wide_columns(
    fields: Mapping[str, str], sessions: Mapping[Affix, str], known: Container[str], source: str
) -> dict[str, tuple[str, Affix]]:
    """Return the columns that hold fields -> field and affix: the field itself, or one column per session.

    Raises
    ------
    InputError
        Of a session some items of an instrument have columns and others none.
    """
    found: dict[str, tuple[str, Affix]] = {}
    for base in fields:
        wide = {f"{affix[0]}{base}{affix[1]}": (base, affix) for affix in sessions}
        wide = {column: place for column, place in wide.items() if column in known}
        found |= {base: (base, PLAIN)} if base in known or not wide else wide
    asked = {(fields[base], affix) for base, affix in found.values() if affix != PLAIN}
    for base, key in fields.items():
        for before, after in (affix for affix in sessions if (key, affix) in asked):
            column = f"{before}{base}{after}"
            if key.startswith("instruments.") and column not in known:
                raise InputError(
                    f"{source}: there are other items of {key} with '{before or after}', but no column "
                    f"'{column}'; correct its name in the table, or the fields in study.yaml."
                )
    return found


@dataclass(frozen=True)
class Records:
    """Rows of named fields, as text.

    Attributes
    ----------
    source : str
        File name for sentences.
    participant, session, event : Series of str, shape (n,)
        Indexed by row in the file; session and event are blank where a row has none.
    cells : DataFrame of str, shape (n, fields)
        Trimmed text; blank is missing.
    fields : dict
        What is known of each field.
    anonymous : bool
        True where sentences must not name participants (their ids are to be replaced).
    header : tuple of str
        All columns of the file, to suggest one where a name is misspelt.
    reasons : dict
        Field name -> Series of str: why a cell is missing, where a declared code says it.
    """

    source: str
    participant: pd.Series
    session: pd.Series
    event: pd.Series
    cells: pd.DataFrame
    fields: Mapping[str, Field]
    anonymous: bool = False
    header: tuple[str, ...] = ()
    reasons: Mapping[str, pd.Series] = field(default_factory=dict)

    def where(self, row: int) -> str:
        """Name the row at a position: its participant and session, or its row in the file."""
        number = f"row {self.participant.index[row]}"
        if self.anonymous:
            return number
        session = self.session.iloc[row] or self.event.iloc[row]
        return f"participant {self.participant.iloc[row]}" + (f" {session}" if session else f" ({number})")

    def those(self, rows: Iterable[int]) -> str:
        """Name the rows at positions: ten of them, and how many more."""
        return listing([self.where(int(row)) for row in rows])

    def only(self, names: list[str]) -> Records:
        """Keep some fields."""
        return replace(self, cells=self.cells[names])

    def refuse_duplicates(self, occasion: pd.Series) -> None:
        """Refuse a participant that stands twice at one occasion (event and repeat)."""
        import pandas as pd

        keys = pd.DataFrame({"participant": self.participant, "occasion": occasion})
        again = keys.duplicated().to_numpy()
        if not again.any():
            return
        second = int(again.argmax())
        first = int((keys == keys.iloc[second]).all(axis=1).to_numpy().argmax())
        same = (self.cells.iloc[first] == self.cells.iloc[second]).all()
        what = (
            "the rows are the same, so remove one"
            if same
            else "they differ: two participants share one id, or one was entered twice"
        )
        who = "one participant" if self.anonymous else f"participant {self.participant.iloc[second]}"
        more = f" ({int(again.sum())} such rows)" if again.sum() > 1 else ""
        place = f" at {occasion.iloc[second].strip('/-')}" if occasion.iloc[second].strip("/-") else ""
        raise InputError(
            f"{self.source}: rows {keys.index[first]} and {keys.index[second]} are both {who}{place}; "
            f"{what}{more}."
        )

    def from_wide(self, wide: Mapping[str, tuple[str, Affix]], sessions: Mapping[Affix, str]) -> Records:
        """Turn columns of one session into rows of that session; others stay on a row without one.

        A session of which every column is blank is no row: in a wide export absence looks like that.

        Parameters
        ----------
        wide : dict
            Column -> its field and affix (`wide_columns`).
        sessions : dict
            Affix -> session (`affixes_of`).
        """
        import pandas as pd

        parts, fields = [], dict(self.fields)
        for affix in [PLAIN, *sessions]:
            mine = {c: base for c, (base, at) in wide.items() if at == affix and c in self.cells}
            cells = self.cells[list(mine)].rename(columns=mine)
            fields |= {base: replace(self.fields[name], name=base) for name, base in mine.items()}
            kept = (cells != "").any(axis=1) if affix in sessions else pd.Series(True, index=cells.index)
            session = pd.Series(sessions.get(affix, ""), index=cells.index, dtype="str")
            parts.append((self.participant[kept], session[kept], self.event[kept], cells[kept]))
        return replace(
            self,
            participant=pd.concat([part[0] for part in parts]),
            session=pd.concat([part[1] for part in parts]),
            event=pd.concat([part[2] for part in parts]),
            cells=pd.concat([part[3] for part in parts]).fillna("").astype("str"),
            fields=fields,
        )

    def without_missing_codes(self, codes: Mapping[str, str]) -> Records:
        """Blank the declared missing codes and keep their reasons.
        A code that is a number also counts as '-99.0'.
        """
        import pandas as pd

        reason = {str(float(code)): why for code, why in codes.items() if _is_number(code)} | dict(codes)
        cells, reasons = {}, {}
        for name in map(str, self.cells):
            text = self.cells[name]
            missing = text.isin(list(reason))
            if missing.any():
                reasons[name] = text.map(reason).astype("str").where(missing)
                text = text.where(~missing, "")
            cells[name] = text
        return replace(self, cells=pd.DataFrame(cells, index=self.cells.index), reasons=reasons)

    def per_session(self, names: list[str]) -> Records:
        """Unite the rows of each participant-session; two different values for one cell are refused."""
        import pandas as pd

        at = (self.session != "").to_numpy()
        kept = replace(
            self.only(names),
            participant=self.participant[at],
            session=self.session[at],
            event=self.event[at],
            cells=self.cells.loc[at, names],
            reasons={name: column[at] for name, column in self.reasons.items() if name in names},
        )
        keys = pd.DataFrame({"participant": kept.participant, "session": kept.session})
        if not keys.duplicated().any():
            return kept
        first = ~keys.duplicated().to_numpy()
        order = keys.groupby(["participant", "session"], sort=False).ngroup().to_numpy()
        united = {name: _united(kept.cells[name].to_numpy(dtype=object), order, kept, name) for name in names}
        reasons = {
            name: pd.Series(
                _first(column.to_numpy(dtype=object), order), index=kept.cells.index[first], dtype="str"
            )
            for name, column in kept.reasons.items()
        }
        return replace(
            kept,
            participant=kept.participant[first],
            session=kept.session[first],
            event=kept.event[first],
            cells=pd.DataFrame(united, index=kept.cells.index[first], dtype="str"),
            reasons=reasons,
        )

    def time_constant(self, name: str, event: str | None = None) -> Records:
        """Return one row per participant with its one value of a field (of one event or session)."""
        import pandas as pd

        at = np.ones(len(self.participant), dtype=bool)
        if event is not None:
            at = ((self.event == event) | (self.session == event)).to_numpy()
        at = at & (self.cells[name] != "").to_numpy()
        given = replace(
            self,
            participant=self.participant[at],
            session=self.session[at],
            event=self.event[at],
            cells=self.cells.loc[at, [name]],
        )
        order = given.participant.groupby(given.participant, sort=False).ngroup().to_numpy()
        values = _united(given.cells[name].to_numpy(dtype=object), order, given, name)
        first = ~given.participant.duplicated().to_numpy()
        return replace(
            given,
            participant=given.participant[first],
            session=given.session[first],
            event=given.event[first],
            cells=pd.DataFrame({name: values}, index=given.cells.index[first], dtype="str"),
        )

    def numeric(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return a field's numbers, and where it holds text that is none."""
        return numbers(self.cells[name])


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _united(
    values: NDArray[np.object_], order: NDArray[np.integer[Any]], records: Records, name: str
) -> NDArray[np.object_]:
    """Return the one non-blank value per group; refuse two that differ."""
    result = _first(values, order)
    differs = (values != "") & (values != result[order])
    if differs.any():
        raise InputError(
            f"{records.source}: the field '{name}' has two different values for "
            f"{records.those(np.flatnonzero(differs))}; correct the records, or say in "
            "study.yaml from which event or session (key from) or repeats it is taken."
        )
    return result


def _first(values: NDArray[np.object_], order: NDArray[np.integer[Any]]) -> NDArray[np.object_]:
    size = int(order.max()) + 1 if len(order) else 0
    result = np.full(size, "", dtype=object)
    given = np.array([value == value and value != "" for value in values], dtype=bool)
    # Written backwards, so that the first given value of each group is the one that stays.
    result[order[given][::-1]] = values[given][::-1]
    return result
