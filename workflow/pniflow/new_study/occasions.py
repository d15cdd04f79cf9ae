"""Sessions: when each was as far as its name or dates tell, which words mean the same, and their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

SCREENING, BEFORE, DURING, AFTER, LATER = range(5)
_STAGES = {
    LATER: r"fu|follow\w*|[ck]atamne\w*|nachsorge\w*|nachbeobacht\w*|later|sp(?:ä|ae)ter\w*|long ?term",
    AFTER: r"post\w*|nach\w*|after\w*|end|ende|endpoint|ending|final\w*|last|letzte\w*|clos(?:e|ing)\w*"
    r"|(?:ab)?schlu(?:ss|ß)\w*|complet\w*|finish\w*|discharge\w*|entlass\w*|exit|terminat\w*|outtake",
    DURING: r"mid|middle|mid(?:point|term|treatment|course)|mitte|zwischen\w*|interim\w*|during"
    r"|w(?:ä|ae)hrend|half(?:way)?|halbzeit",
    BEFORE: r"pre|pre(?:test|treatment|intervention|course|training)|pr(?:ä|ae)\w*|base|baseline\w*|bl|before"
    r"|vor|vor(?:her|ab|test|messung|befragung|erhebung|untersuchung|kurs|intervention)|intake|admission|aufnahme\w*"
    r"|eingang\w*|ausgangs\w*|start\w*|begin\w*|anfang\w*|entry|initial\w*",
    SCREENING: r"screen\w*|enrol\w*|eligib\w*|consent",
}  # fmt: skip
_COUNTS = (
    "one two three four five six seven eight nine ten eleven twelve",
    "ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
    "eine zwei drei vier fuenf sechs sieben acht neun zehn elf zwoelf",
    "einem zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
)
_NUMBERS = {word: n for words in _COUNTS for n, word in enumerate(words.split(), 1)}
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth",
    "erst zweit dritt viert fünft sechst siebt acht",
)
_PLACES = {word: n for words in _ORDINALS for n, word in enumerate(words.split(), 1)}
_UNITS = {"day": 1.0, "tag": 1.0, "week": 7.0, "wk": 7.0, "woche": 7.0, "month": 30.4, "monat": 30.4}
_UNITS |= {"mon": 30.4, "mo": 30.4, "year": 365.25, "jahr": 365.25, "yr": 365.25}
_LETTERS = {"d": "day", "w": "week", "m": "month", "y": "year"}
_LAST = r"final\w*|last|letzte\w*|endpoint|clos(?:e|ing)\w*|(?:ab)?schlu(?:ss|ß)\w*"
# What is numbered in order of time: T1, visit 2, Welle 3.
_SERIES = re.compile(
    r"t|tp|v|s|w|visite?|waves?|welle|time|point|timepoint|ses|session|sitzung|mzp|zeit|(?:mess)?zeitpunkt|survey|befragung"
    r"|erhebung|messung|assessment|measurement|phase|round|runde|event|part|teil|test|fragebogen|questionnaire"
)


@dataclass(frozen=True)
class When:
    """What a name says of the time: a stage, days (since the beginning, or within a stage), a place."""

    stage: int | None = None
    days: float | None = None
    place: tuple[str, int] | None = None  # what is numbered (blank: sessions), and its number
    last: bool = field(default=False, compare=False)  # a final visit is behind all that are numbered


@dataclass
class Occasions:
    """The sessions of a study, in order of time as far as it is known.

    Attributes
    ----------
    names : dict
        Word -> session (BIDS); words that mean one session share it.
    labels : dict
        Session -> its word in the order of the draft.
    unsettled : list of str
        Words of which nothing tells which is earlier.
    """

    names: dict[str, str]
    labels: dict[str, str] = field(default_factory=dict)
    unsettled: list[str] = field(default_factory=list)

    @property
    def settled(self) -> bool:
        """Whether the first session is known."""
        return next(iter(self.labels.values())) not in self.unsettled


def when(word: str) -> When:
    """Read what a session's name says of the time: baseline, T2, week 8, six months, Nachbefragung."""
    text = re.sub(r"(?<=[a-zäöü])(?=[A-Z])", " ", word).lower().replace("_", " ")
    text = re.sub(r"\b(fu|post)?(\d+)([dwmy])(fu|post)?\b", _spelt_out, text)
    text = re.sub(r"\b([dwmy])(\d+)\b", lambda match: f"{_LETTERS[match[1]]} {match[2]}", text)
    text = re.sub(rf"\b({'|'.join(_NUMBERS)})(tage?|wochen?|monate?|jahre?)\b", r"\1 \2", text)
    if dated := re.search(r"(?<!\d)(20\d\d)[- .]?([01]\d)[- .]?([0-3]\d)(?!\d)", text):
        return When(place=("date", int("".join(dated.groups()))))
    parts = re.findall(r"[^\W\d_]+|\d+", text)
    stage, last = _stage(" ".join(parts)), re.search(rf"\b(?:{_LAST})\b", text) is not None
    days, rest = _days(parts)
    if days is not None and rest and set(rest) <= {"after", "nach"}:
        stage, rest = None, []  # after eight weeks: of the study, not of the course
    return When(stage, days, _place(rest), last)


def _spelt_out(match: re.Match[str]) -> str:
    return f"{match[1] or ''} {match[2]} {_LETTERS[match[3]]}s {match[4] or ''}"


def _stage(text: str) -> int | None:
    for stage, shape in _STAGES.items():
        if re.search(rf"\b(?:{shape})\b", text):
            return stage
    return None


def _number(part: str) -> int | None:
    return int(part) if part.isdigit() else _NUMBERS.get(part)


def _days(parts: Sequence[str]) -> tuple[float | None, list[str]]:
    """Find a number beside a unit of time (week 8, six months); return the days, and the other parts."""
    for at, part in enumerate(parts):
        plain = part if part in _UNITS else re.sub(r"(s|n|en|e)$", "", part)
        unit = _UNITS.get(plain, _UNITS.get(plain + "e"))
        for near in (at + 1, at - 1) if plain == part else (at - 1, at + 1):
            number = _number(parts[near]) if unit and 0 <= near < len(parts) else None
            if unit and number is not None:
                return number * unit, [other for place, other in enumerate(parts) if place not in (at, near)]
    return None, list(parts)


def _place(parts: Sequence[str]) -> tuple[str, int] | None:
    for part in parts:
        for root, number in _PLACES.items():
            if re.fullmatch(rf"{root}(?:e[rsnm]?)?", part):
                return _kind([other for other in parts if other is not part]), number
    numbers = [part for part in parts if part.isdigit()] or [
        part for part in parts[1:] if re.fullmatch("[a-h]", part)
    ]
    if len(numbers) != 1:
        return None
    others = [part for part in parts if part is not numbers[0] and part not in ("st", "nd", "rd", "th")]
    number = int(numbers[0]) if numbers[0].isdigit() else ord(numbers[0]) - ord("a") + 1
    return _kind(others), number


def _kind(parts: Sequence[str]) -> str:
    """Return what is numbered; blank for sessions as such."""
    words = " ".join(parts)
    return "" if _stage(words) is not None or all(map(_SERIES.fullmatch, parts)) else words


def earlier(one: When, other: When) -> bool | None:
    """Tell whether a session was before another by their names; None where the names do not tell."""
    if one.stage is not None and other.stage is not None and one.stage != other.stage:
        return one.stage < other.stage
    if one.stage == other.stage:
        if one.days is not None and other.days is not None and one.days != other.days:
            return one.days < other.days
        if one.place and other.place and one.place[0] == other.place[0] and one.place[1] != other.place[1]:
            return one.place[1] < other.place[1]
        return None if one.stage is None else _bare_first(one, other)
    if one.stage is None:
        told = earlier(other, one)
        return None if told is None else not told
    if one.stage <= BEFORE or one.stage == LATER:
        return one.stage <= BEFORE if other != When() else (True if one.stage <= BEFORE else None)
    if one.last and other.place is not None:
        return False
    if one.stage == AFTER and one.days is None and other.days is not None and other.days >= 90:
        return True  # a course takes weeks
    return None


def _bare_first(one: When, other: When) -> bool | None:
    """Of one stage the one without a number is first: follow-up, follow-up 2."""
    numbered = [item.days is not None or item.place is not None for item in (one, other)]
    return numbered[1] if numbered[0] != numbered[1] else None


def guess_day(label: str, first: bool = True) -> int | None:
    """Guess the study day of a session from its name: baseline, day 14, week 8."""
    told = when(label)
    if told.stage in (SCREENING, BEFORE) and told.days is None and not (told.place and told.place[1] > 1):
        return 0 if first else None
    weeks = told.days is not None and told.days % 1 == 0 and told.stage is None
    return int(told.days) if weeks and told.days is not None else None


def united(vocabularies: Sequence[Sequence[str]]) -> dict[str, str]:
    """Return each word -> the word that stands for its session, over the vocabularies of several files.

    Words are one session where they are spelt alike or say the same of the time (pre, baseline). Where that
    does not place all words of a file, and there are as many sessions, they are paired in order, if both
    orders are known and no pair says different times.
    """
    stands: dict[str, str] = {}
    for words in sorted(vocabularies, key=len, reverse=True):
        heads = list(dict.fromkeys(stands.values()))
        alike = _alike(words, heads)
        left = [word for word in dict.fromkeys(words) if word not in alike]
        (mine, open_mine), (theirs, open_theirs) = ordered({*words}), ordered(heads)
        pairs = list(zip(mine, theirs, strict=False))
        if (
            left
            and 2 <= len(mine) == len(theirs)
            and not (open_mine or open_theirs or any(map(_differ, pairs)))
        ):
            alike = dict(pairs)
        stands |= {word: alike.get(word, word) for word in words if word not in stands}
    return stands


def _alike(words: Sequence[str], heads: Sequence[str]) -> dict[str, str]:
    """Pair words that are spelt alike, then those that say the same, where there is one of each."""
    found: dict[str, str] = {}
    for key in (_spelt, _told):
        new = {word: key(word) for word in words if word not in found}
        there = {head: key(head) for head in heads if head not in found.values()}
        for word, mine in new.items():
            same = [head for head, theirs in there.items() if mine and mine == theirs]
            if len(same) == 1 == list(new.values()).count(mine):
                found[word] = same[0]
    return found


def _differ(pair: tuple[str, str]) -> bool:
    """Tell whether two words cannot be one session: T1 and T3, week 4 and week 8, pre and post."""
    one, other = when(pair[0]), when(pair[1])
    if one.stage is not None and other.stage is not None and one.stage != other.stage:
        return True
    if one.days is not None and other.days is not None and one.stage == other.stage:
        return one.days != other.days
    series = [re.sub(r"\d", "", _spelt(word)) for word in pair]
    return (
        one.place is not None
        and other.place is not None
        and series[0] == series[1]
        and one.place != other.place
    )


def _spelt(word: str) -> str:
    return re.sub(r"^ses|[\W_]", "", word.casefold())


def _told(word: str) -> When | None:
    told = when(word)
    return None if told == When() else told


def ordered(
    words: Collection[str], dated: Callable[[str, str], bool | None] = lambda one, other: None
) -> tuple[list[str], list[str]]:
    """Order words for sessions by what they and their dates say.

    Parameters
    ----------
    words : collection of str
    dated : function, optional
        Of two words: whether the first was before the other by dates; None where there are none.

    Returns
    -------
    ordered, unsettled : list of str
        All words; those whose place nothing tells, or of which names and dates say different things.
    """
    before = {}
    for one, other in combinations(words, 2):
        told = [earlier(when(one), when(other)), dated(one, other)]
        given = {answer for answer in told if answer is not None}
        if len(given) == 1:
            before[(one, other) if given == {True} else (other, one)] = True
    left, result, unsettled = sorted(words, key=lambda word: (*_rank(word), word)), [], []
    while left:
        free = [word for word in left if not any((other, word) in before for other in left)] or left
        if len(free) > 1:
            unsettled += [word for word in free if word not in unsettled]
        result.append(free[0])
        left.remove(free[0])
    return result, unsettled


def _rank(word: str) -> tuple[float, float, int]:
    told = when(word)
    return (
        DURING if told.stage is None else told.stage,
        told.days or 0.0,
        told.place[1] if told.place else 0,
    )


def session_names(words: Sequence[str], settled: bool = True) -> list[str]:
    """Name sessions as in BIDS: the first ses-pre where it is known, then of two the other ses-post."""
    if settled and len(words) <= 2:
        return ["ses-pre", "ses-post"][: len(words)]
    plain = [re.sub(r"[^a-z0-9]", "", word.lower()) or f"s{at}" for at, word in enumerate(words, 1)]
    names = ["pre", *plain[1:]] if settled else plain
    return [f"ses-{name}" if names.index(name) == at else f"ses-{name}{at}" for at, name in enumerate(names)]


def occasions(
    vocabularies: Sequence[Sequence[str]],
    fixed: Mapping[str, str],
    dates: Mapping[str, Mapping[str, Mapping[str, str]]],
) -> Occasions:
    """Make the sessions of a study from the words of all its files.

    Parameters
    ----------
    vocabularies : list of list of str
        The words of each file (or of several files that ask the same).
    fixed : dict
        Word -> session whose name is given, since scans bear it.
    dates : dict
        Column -> word -> person -> date (YYYY-MM-DD).
    """
    stands = united([words for words in (*vocabularies, list(fixed)) if words])
    heads = list(dict.fromkeys(stands.values())) or ["only session"]
    words, unsettled = ordered(heads, _by_dates(dates, stands))
    given = {stands[word]: session for word, session in fixed.items()}
    names = dict(zip(words, session_names(words, words[0] not in unsettled), strict=True)) | given
    of_word = {word: names[head] for word, head in stands.items()} or {words[0]: names[words[0]]}
    return Occasions(of_word, {names[word]: word for word in words}, unsettled)


def _by_dates(
    dates: Mapping[str, Mapping[str, Mapping[str, str]]], stands: Mapping[str, str]
) -> Callable[[str, str], bool | None]:
    """Return a function that tells which of two sessions was earlier by dates.

    A column speaks where all persons with two different dates agree; columns that disagree say nothing.
    """
    seen: dict[str, dict[str, dict[str, str]]] = {}
    for column, words in dates.items():
        for word, of in words.items():
            if word in stands:
                seen.setdefault(column, {}).setdefault(stands[word], {}).update(of)

    def dated(one: str, other: str) -> bool | None:
        answers: set[bool | None] = set()
        for words in seen.values():
            first, second = words.get(one, {}), words.get(other, {})
            both = [person for person in first.keys() & second.keys() if first[person] != second[person]]
            told = {first[person] < second[person] for person in both}
            answers |= told if len(told) == 1 else {None} if told else set()
        return answers.pop() if len(answers) == 1 else None

    return dated
