"""Notes are for people: code writes and prints them, and never looks into them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from workflow.runs import ROOT

FREE = {"note", "notes", "reason"}  # columns and attributes that hold words for people
LOOKS = {  # methods of text, of its columns and of patterns
    *("startswith", "endswith", "split", "rsplit", "splitlines", "partition", "rpartition", "find", "rfind"),
    *("index", "rindex", "count", "replace", "removeprefix", "removesuffix", "translate", "lower", "upper"),
    *("casefold", "strip", "isin", "contains", "match", "fullmatch", "search", "findall", "finditer", "sub"),
    *("subn", "extract", "extractall", "map"),
}
PASSES = {  # what gives a note on as it is
    *("str", "zip", "list", "tuple", "set", "dict", "sorted"),
    *("dropna", "unique", "fillna", "astype", "to_numpy"),
}
HOLDS = (ast.BoolOp, ast.BinOp, ast.JoinedStr, ast.FormattedValue, ast.Tuple, ast.List, ast.Set, ast.Starred)


def looks_into(source: str) -> list[tuple[int, str]]:
    """Return the places (line, code) where a program looks into the words of a note.

    A note is `x["note"]`, `x.get("note")`, `x.note`; so is what it is assigned to or looped over as, through
    str(), `or`, f-strings and the like. To look into it is to search, split or change it, to compare it, or
    to ask what is in it; whether there is one may be asked.
    """
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    inner = {id(node) for one in functions for node in ast.walk(one)}
    rest = [node for node in ast.walk(tree) if id(node) not in inner]
    found = [place for one in functions for place in _places(list(ast.walk(one)))]
    return sorted(set(found + list(_places(rest))))


def _places(nodes: list[ast.AST]) -> Iterator[tuple[int, str]]:
    names: set[str] = set()
    known = -1
    while len(names) > known:
        known = len(names)
        for node in nodes:
            names |= set(_bound(node, names))
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOOKS:
            looked = [node.func.value, *node.args]
        elif isinstance(node, ast.Compare) and not all(
            isinstance(one, ast.Constant) and one.value is None for one in node.comparators
        ):
            looked = [node.left, *node.comparators]
        elif isinstance(node, ast.Match):
            looked = [node.subject]
        elif isinstance(node, ast.Subscript):
            looked = [node.value] if isinstance(node.slice, ast.Slice) else [node.slice]
        else:
            continue
        if any(_is_note(one, names) for one in looked):
            yield node.lineno, ast.unparse(node)


def _is_note(node: ast.AST, names: set[str]) -> bool:
    """Tell whether an expression is a note or holds its words."""
    if isinstance(node, ast.Name):
        return node.id in names
    if isinstance(node, ast.Constant):
        return False
    if isinstance(node, ast.Attribute):
        return node.attr in FREE or (node.attr == "str" and _is_note(node.value, names))
    if isinstance(node, ast.Subscript):
        named = isinstance(node.slice, ast.Constant) and node.slice.value in FREE
        return named or _is_note(node.value, names)
    if isinstance(node, ast.Call):
        first = node.args[0] if node.args else None
        method = isinstance(node.func, ast.Attribute)
        if method and node.func.attr in ("get", "pop") and isinstance(first, ast.Constant):
            return first.value in FREE
        called = node.func.attr if method else getattr(node.func, "id", "")
        if called not in PASSES | LOOKS:
            return False  # what a function makes of it
        return any(_is_note(one, names) for one in [*([node.func.value] if method else []), *node.args])
    if isinstance(node, ast.IfExp):
        return _is_note(node.body, names) or _is_note(node.orelse, names)
    if isinstance(node, ast.NamedExpr):
        return _is_note(node.value, names)
    if isinstance(node, HOLDS):
        return any(_is_note(one, names) for one in ast.iter_child_nodes(node))
    return False


def _bound(node: ast.AST, names: set[str]) -> Iterator[str]:
    """Yield the names that an assignment or a loop binds to notes."""
    pairs: list[tuple[ast.AST, ast.AST | None]] = []
    if isinstance(node, ast.Assign):
        pairs = [(target, node.value) for target in node.targets]
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign, ast.NamedExpr)):
        pairs = [(node.target, node.value)]
    elif isinstance(node, (ast.For, ast.comprehension)):
        pairs = [(node.target, node.iter)]
    for target, value in pairs:
        zipped = isinstance(value, ast.Call) and getattr(value.func, "id", "") == "zip"
        several = value.args if zipped else value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
        if isinstance(target, ast.Tuple) and len(several) == len(target.elts):
            parts = list(zip(target.elts, several, strict=True))
        else:
            parts = [(target, value)]
        for name, part in parts:
            if part is not None and _is_note(part, names):
                bound = name.elts if isinstance(name, ast.Tuple) else [name]
                yield from (one.id for one in bound if isinstance(one, ast.Name))


@pytest.mark.parametrize(
    "code",
    [
        'several = PATTERN.search(str(row.get("note") or ""))',
        'who = re.search(r"without (sub-.+)", left_out["note"] or "")',
        'declared = re.search("bound ([^;]+)", str(test["note"]))',
        'control = given(row["note"]) and "expected null" in str(row["note"])',
        "for a, b, note in zip(t['a'], t['b'], t['note'], strict=True):\n    re.search('x', str(note))",
        "def f():\n    note = tests.notes[i][k]\n    return [w.startswith('s') for w in note.split('; ')]",
        'beside = [one for one in changes if PAIRED in str(base[one, SESSION]["note"])]',
        'parts = sorted({part for note in t["note"].dropna() for part in note.split("; ")})',
        'reason = re.sub("x", "", str(note := row["note"]))',
        'same = row["note"] == "singular"',
        'some = table[table["note"].str.contains("singular")]',
        'first = row["note"][:8]',
        'kind = KINDS[row["note"]]',
        'match family.note:\n    case "expected null":\n        pass',
        'counted = table["note"].isin(["a"])',
    ],
)
def test_a_look_into_a_note_is_found(code: str) -> None:
    assert looks_into(code) != []


@pytest.mark.parametrize(
    "code",
    [
        'row["note"] = joined(fit.note, "singular")',
        'cells = [row["note"] or ""] if words.given(row["note"]) else []',
        'lost = table["note"].isna() | (row["note"] is None)',
        "text = f\"{row['note']}; more\"\nprint(text)",
        'said = words.remark(row["note"], sessions)\nif said == "x":\n    pass',
        'notes = []\nnotes.append("x")\nif "x" in notes:\n    pass',
        "for name, note in zip(t['a'], t['note'], strict=True):\n    print(note, name == 'x')",
    ],
)
def test_writing_and_printing_a_note_is_no_look(code: str) -> None:
    assert looks_into(code) == []


def test_no_code_looks_into_a_note() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {code}"
        for path in sorted((ROOT / "workflow").rglob("*.py"))
        if any(word in (text := path.read_text(encoding="utf-8")) for word in FREE)
        for line, code in looks_into(text)
    ]
    assert found == []
