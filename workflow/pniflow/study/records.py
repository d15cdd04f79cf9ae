"""A study's records as text: who, which session, and the named fields, wherever they came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pniflow.errors import InputError, listing, shown
from pniflow.raw.number_marks import plain_numbers
from pniflow.raw.text_tables import RawTable, numbers
from pniflow.study.affixes import PLAIN, Affix
from pniflow.study.fields import Field
from pniflow.study.rows import Aside

if TYPE_CHECKING:
    import pandas as pd


LEFT_WAVE = "a wave that is left out"
UNNAMED = "no field named"


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
    key : str
        Where study.yaml names the file (tables.0).
    table : RawTable, optional
        The file, to say in what two rows differ; later its columns that were not read.
    aside : tuple of Aside
        What rules of study.yaml leave out.
    ruled : Series of str, optional, shape (n,)
        The rule by which a row has no session, where one says so (an event mapped to null).
    own : dict
        Instrument -> what is other in this table than study.yaml says under instruments; None where its
        columns are not meant.
    counts : dict
        Field -> (cells, cells with text) in the file.
    columns : collection of str
        Columns of the file that were read.
    part : ndarray of int, optional, shape (n,)
        Of rows made of columns per session, the place in `holds`.
    holds : tuple of dict of str to Field
        The fields that the file has for each of those sessions; other cells of such rows do not exist.
    forms : tuple of str
        Repeating instruments of which study.yaml does not say the sessions.
    decimal : str
        The mark of decimals in the file (`RawTable.decimal`).
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
    key: str = ""
    table: RawTable | None = None
    aside: tuple[Aside, ...] = ()
    ruled: pd.Series | None = None
    own: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    columns: frozenset[str] = frozenset()
    part: NDArray[np.intp] | None = None
    holds: tuple[Mapping[str, Field], ...] = ()
    forms: tuple[str, ...] = ()
    decimal: str = "."

    def where(self, row: int) -> str:
        """Name the row at a position: its participant and session, or its row in the file."""
        number = f"row {self.participant.index[row]}"
        if self.anonymous:
            return number
        session = self.session.iloc[row] or self.event.iloc[row]
        return f"participant {shown(self.participant.iloc[row], quoted=False)}" + (
            f" {session}" if session else f" ({number})"
        )

    def those(self, rows: Iterable[int]) -> str:
        """Name the rows at positions: ten of them, and how many more."""
        return listing([self.where(int(row)) for row in rows])

    def only(self, names: list[str]) -> Records:
        """Keep some fields."""
        reasons = {name: column for name, column in self.reasons.items() if name in names}
        return replace(self, cells=self.cells[names], reasons=reasons)

    def require_session(self, names: list[str], key: str) -> None:
        """Refuse values of a session on rows of which nothing says the session: they would be lost."""
        open_rows = self.session == ""
        if self.ruled is not None:
            open_rows &= self.ruled == ""
        given = (self.cells.loc[open_rows.to_numpy(), names] != "").to_numpy()
        if not given.any():
            return
        first, column = np.argwhere(given)[0]
        row = self.participant.index[open_rows.to_numpy()][first]
        raise InputError(
            f"{self.source}: {int(given.sum())} values of {key} (row {row}, column '{names[column]}', ...) "
            f"stand on rows of which nothing says the session; {self.remedy}."
        )

    @property
    def remedy(self) -> str:
        """Say which key of study.yaml gives rows their session."""
        section = self.key.split(".")[0]
        if section == "redcap":
            if self.forms:
                return (
                    f"say under redcap.repeats which session each instance of {listing(list(self.forms))} "
                    "is, or null to leave it out"
                )
            return "map events under redcap.events, or endings of field names under redcap.suffixes"
        if section == "tables":
            return f"name the column of the session (or the session of all rows) as {self.key}.session"
        if section == "bids":
            return "the table needs a column session_id"
        return "name the file under tables, with its session, or the columns' endings under suffixes"

    def once(self, occasion: pd.Series, keep: str | None = None) -> Records:
        """Return one row of a participant at each occasion (event and repeat, or session).

        Parameters
        ----------
        occasion : Series of str, shape (n,)
            At blank ones, too, a participant has one row.
        keep : str, optional
            Which of several rows stays (first, last, most_complete).

        Raises
        ------
        InputError
            There are several, and nothing says which one stays.
        """
        import pandas as pd

        keys = pd.DataFrame({"participant": self.participant, "occasion": occasion})
        again = keys.duplicated(keep="last" if keep == "last" else "first").to_numpy()
        if not again.any():
            return replace(self, table=self.table and self.table.without(self.columns))
        if keep is None:
            self._refuse_again(keys, again, occasion)
        if keep == "most_complete":
            filled = -(self.cells != "").to_numpy().sum(axis=1)
            order = np.argsort(filled, kind="stable")
            again = np.empty(len(keys), dtype=bool)
            again[order] = keys.iloc[order].duplicated().to_numpy()
        return self.without(
            again, f"{self.key}.keep", f"filled more than once; the {str(keep).replace('_', ' ')} is kept"
        )

    def without(self, rows: NDArray[np.bool_], rule: str, reason: str) -> Records:
        """Leave rows out by a rule of study.yaml."""
        if not rows.any():
            return self
        left = self.at(rows)
        asides = []
        for number, names in enumerate(left.holds or [left.cells]):
            at = np.ones(len(left.participant), dtype=bool) if left.part is None else left.part == number
            cells = left.cells.loc[at, [name for name in left.cells if name in names]]
            # The rows of a wide file are those of its first part.
            asides.append(
                Aside(rule, reason, left.participant[at], left.session[at], cells, rows=number == 0)
            )
        return replace(self.at(~rows), aside=(*self.aside, *asides))

    def at(self, rows: NDArray[np.bool_]) -> Records:
        """Return the records with some of their rows."""
        return replace(
            self,
            participant=self.participant[rows],
            session=self.session[rows],
            event=self.event[rows],
            cells=self.cells[rows],
            reasons={name: column[rows] for name, column in self.reasons.items()},
            ruled=None if self.ruled is None else self.ruled[rows],
            part=None if self.part is None else self.part[rows],
        )

    def exists(self, name: str) -> NDArray[np.bool_]:
        """Return the rows for which the file has a cell of a field."""
        if self.part is None:
            return np.ones(len(self.participant), dtype=bool)
        return np.array([name in one for one in self.holds], dtype=bool)[self.part]

    def known(self, name: str) -> list[Field]:
        """Return what is known of a field; of columns per session, of each that the rows are made of."""
        if self.part is None:
            return [self.fields[name]]
        return [self.holds[part][name] for part in np.unique(self.part) if name in self.holds[part]]

    def _refuse_again(self, keys: pd.DataFrame, again: NDArray[np.bool_], occasion: pd.Series) -> None:
        second = int(again.argmax())
        first = int((keys == keys.iloc[second]).all(axis=1).to_numpy().argmax())
        rows = int(keys.index[first]), int(keys.index[second])
        if self.table is not None:
            columns = self.table.differing(*rows)
        else:
            columns = list(self.cells.columns[(self.cells.iloc[first] != self.cells.iloc[second]).to_numpy()])
        what = "the rows are the same, so remove one"
        if columns:
            what = (
                "they differ: two participants share one id, or one was entered twice, or the column of the "
                f"session is not named (they differ in {listing(columns, 5)}); correct the table"
            )
            if self.key.startswith(("redcap", "participants", "tables")):
                what += f", or say which row stays ({self.key}.keep in study.yaml)"
        who = (
            "one participant"
            if self.anonymous
            else f"participant {shown(self.participant.iloc[second], quoted=False)}"
        )
        more = f" ({int(again.sum())} such rows)" if again.sum() > 1 else ""
        place = f" at {occasion.iloc[second].strip('/-')}" if occasion.iloc[second].strip("/-") else ""
        raise InputError(f"{self.source}: rows {rows[0]} and {rows[1]} are both {who}{place}; {what}{more}.")

    def from_wide(self, wide: Mapping[str, tuple[str, Affix]], sessions: Mapping[Affix, str]) -> Records:
        """Turn columns of one session into rows of that session; others stay on a row without one.

        A session of which every column is blank is no row: in a wide export absence looks like that. Columns
        of a wave that study.yaml leaves out are set aside.

        Parameters
        ----------
        wide : dict
            Column -> its field and affix (`wide_columns`).
        sessions : dict
            Affix -> session (`affixes_of`).
        """
        import pandas as pd

        parts, holds, fields = [], [], dict(self.fields)
        counts = {name: count for name, count in self.counts.items() if name not in wide}
        aside: list[Aside] = []
        for affix in dict.fromkeys([PLAIN, *sessions]):
            mine = {c: base for c, (base, at) in wide.items() if at == affix and c in self.cells}
            fields |= {base: replace(self.fields[name], name=base) for name, base in mine.items()}
            for name, base in mine.items():
                had, filled = counts.get(base, (0, 0))
                counts[base] = (had + self.counts[name][0], filled + self.counts[name][1])
            for one in self.aside:
                session = (
                    one.session.map(lambda _, at=affix: sessions[at]) if affix in sessions else one.session
                )
                cells = one.cells[list(mine)].rename(columns=mine)
                aside.append(replace(one, session=session.astype("str"), cells=cells, rows=affix == PLAIN))
            cells = self.cells[list(mine)].rename(columns=mine)
            session = self.session
            if affix in sessions:
                session = pd.Series(sessions[affix], index=cells.index, dtype="str")
            if affix != PLAIN and not sessions[affix]:
                rule = f"{self.key}.{'prefixes' if affix[0] else 'suffixes'}.{affix[0] or affix[1]}"
                aside.append(Aside(rule, LEFT_WAVE, self.participant, session, cells, rows=False))
                continue
            kept = np.ones(len(cells), dtype=bool)
            if affix != PLAIN:
                kept = (cells != "").any(axis=1).to_numpy()
                aside.append(Aside("", "", self.participant[~kept], session[~kept], cells[~kept], rows=False))
            ruled = self.ruled if affix == PLAIN and self.ruled is not None else self.event.map(lambda _: "")
            parts.append((self.participant[kept], session[kept], self.event[kept], cells[kept], ruled[kept]))
            holds.append({base: self.fields[name] for name, base in mine.items()})
        return replace(
            self,
            participant=pd.concat([part[0] for part in parts]),
            session=pd.concat([part[1] for part in parts]),
            event=pd.concat([part[2] for part in parts]),
            cells=pd.concat([part[3] for part in parts]).fillna("").astype("str"),
            fields=fields,
            ruled=pd.concat([part[4] for part in parts]).astype("str"),
            aside=tuple(aside),
            counts=counts,
            part=np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts]),
            holds=tuple(holds),
        )

    def without_missing_codes(self, codes: Mapping[str, str]) -> Records:
        """Blank the declared missing codes and keep their reasons.
        A code that is a number also counts as '-99.0'.
        """
        import pandas as pd

        if not codes:
            return self
        reason = {str(float(code)): why for code, why in codes.items() if _is_number(code)} | dict(codes)
        cells, reasons = {}, dict(self.reasons)
        for name in map(str, self.cells):
            text = self.cells[name]
            missing = text.isin(list(reason))
            if missing.any():
                said = text.map(reason).astype("str").where(missing)
                reasons[name] = said.where(missing, reasons[name]) if name in reasons else said
                text = text.where(~missing, "")
            cells[name] = text
        return replace(self, cells=pd.DataFrame(cells, index=self.cells.index), reasons=reasons)

    def per_session(self, names: list[str], key: str) -> Records:
        """Unite the rows of each participant-session; two different values for one cell are refused.

        Parameters
        ----------
        names : list of str
            Fields of a session.
        key : str
            Where study.yaml names them, for the sentence.

        Raises
        ------
        InputError
            A row has a value of a session, and nothing says which session it is.
        """
        import pandas as pd

        self.require_session(names, key)
        kept = self.only(names).at((self.session != "").to_numpy())
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
        given = self.only([name]).at(at)
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

    def with_points(self, name: str) -> Records:
        """Write a field's numbers with a decimal point; two readings are refused."""
        self.numeric(name)
        text = self.cells[name]
        distinct = list(text.unique())
        plain = dict(zip(distinct, plain_numbers(distinct, self._decimal(name)), strict=True))
        return replace(self, cells=self.cells.assign(**{name: text.map(plain)}), decimal=".")

    def _decimal(self, name: str) -> str:
        one = self.fields[name]
        # REDCap calculates and validates numbers: none of them has separators of thousands.
        checked = one.kind in ("calc", "slider") or one.validation.startswith(("number", "integer"))
        return ".," if checked else self.decimal

    def numeric(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return a field's numbers, and where it holds text that is none; two readings are refused."""
        return numbers(self.cells[name], self._decimal(name), f"{self.source}: column '{name}'")


def translated(values: pd.Series, meanings: Mapping[str, str | None]) -> pd.Series:
    """Return what each text means; blank for one that means nothing."""
    known = {text: meaning or "" for text, meaning in meanings.items()}
    return values.map(lambda text: known.get(text, "")).astype("str")


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
