"""CAT12's XML: bytes to a tree and to numbers, guarded.

The parser is expat in C. Files are from elsewhere, so document type declarations (and with them entities and
external files) are refused before parsing, and so are encodings in which one could hide.
"""

from __future__ import annotations

import contextlib
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from pniflow.errors import InputError
from pniflow.raw import gate

MAXIMUM_BYTES = 16 * 2**20
"""The largest XML file that is read; a report or label file with many atlases has well under 2 MB."""


def read_bytes(path: Path, source: str) -> bytes:
    """Read a file whole, unless it is too large to be CAT12's.

    Raises
    ------
    InputError
        The file is absent, empty or larger than `MAXIMUM_BYTES`.
    """
    content = gate.read_bytes(path, source, MAXIMUM_BYTES)
    if not content or content.isspace():
        raise InputError(f"{source}: the file is empty; CAT12 was probably interrupted, run the scan again.")
    return content


def parse(content: bytes, source: str) -> Element:
    """Parse a CAT12 XML file and return its root `S`, without a report's log, which is not read.

    Parameters
    ----------
    content : bytes
        The file.
    source : str
        Its name, for sentences.

    Raises
    ------
    InputError
        Not XML, another root, a document type declaration, another encoding.
    """
    before, _, rest = content.partition(b"<catlog>")
    after = rest.partition(b"</catlog>")[2]
    if after and b"<!" not in content:
        with contextlib.suppress(InputError):  # the whole file then says the place
            return tree(before + after, source, "S")
    return tree(content, source, "S")


def tree(content: bytes, source: str, root: str) -> Element:
    """Parse another XML file than CAT12's, with the same guards; `root` is what its root must be."""
    guard(content, source)
    found = _tree(content, source)
    if found.tag != root:
        raise InputError(f"{source}: the XML root is '{found.tag[:40]}'; '{root}' was expected.")
    return found


def guard(content: bytes, source: str) -> None:
    """Refuse a file with a document type or entities, or in an encoding in which one could hide."""
    if gate.declares_type(content):
        raise InputError(
            f"{source}: the file declares a document type or entities, which CAT12 never writes; it is not"
            " read."
        )
    if not gate.has_plain_encoding(content):
        raise InputError(f"{source}: the file is not UTF-8 text, as CAT12 writes it; it is not read.")


def _tree(content: bytes, source: str) -> Element:
    try:
        return ElementTree.fromstring(content)  # noqa: S314 (document types are refused above)
    except ElementTree.ParseError as error:
        line, column = error.position
        reason = str(error).split(":")[0]
        raise InputError(f"{source}: line {line}, column {column}: this is not XML ({reason}).") from None
    except (ValueError, LookupError) as error:
        raise InputError(f"{source}: this is not XML ({error}).") from None


def numbers(text: str | None, source: str, place: str) -> np.ndarray:
    """Read what MATLAB's mat2str wrote: a scalar, `[1 2 NaN]`, `[1;2;3]`; row and column are the same.

    Returns
    -------
    ndarray of float64, shape (n,)
        Empty for no text or `[]`. NaN is kept.

    Raises
    ------
    InputError
        A word that is no number, or an infinite one.
    """
    body = (text or "").strip()
    if not body.startswith("[") and body.replace(".", "", 1).isdecimal() and body.isascii():
        return np.array([float(body)])  # most numbers of a report are plain scalars
    if body.startswith("[") and body.endswith("]"):
        body = body[1:-1]
    words = body.replace(";", " ").split()
    try:
        if "_" in body:
            raise ValueError
        values = np.array(words, dtype=np.float64)
    except ValueError:
        wrong = next((word for word in words if not _is_number(word)), body)
        raise InputError(f"{source}: {place} holds '{wrong[:40]}', which is not a number.") from None
    if np.isinf(values).any():
        raise InputError(f"{source}: {place} holds an infinite value; CAT12 writes NaN where it has none.")
    return values


def many_numbers(texts: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray] | None:
    """Read many vectors at once: the same as `numbers` for each, several times as fast.

    Parameters
    ----------
    texts : sequence of bytes
        What stands between the brackets.

    Returns
    -------
    values : ndarray of float64
        The numbers of all vectors, one after the other.
    ends : ndarray of int, length n + 1
        Where each vector begins, and the end.

    None where there are no texts or one is empty, irregularly spaced or no number; `numbers` says which.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    together = b" ".join(texts).replace(b";", b" ")
    try:
        words = pc.split_pattern(pa.array([together], pa.string()), " ").values
        values = words.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return None
    lengths = [text.count(b";") + text.count(b" ") + 1 for text in texts]
    return None if np.isinf(values).any() else (values, np.cumsum([0, *lengths]))


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return "_" not in word


def items(element: Element | None) -> list[str]:
    """Return the texts of an element's `<item>` children (a cell array), or its own text as the only one."""
    if element is None:
        return []
    if len(element):
        return [(child.text or "").strip() for child in element if child.tag == "item"]
    return [element.text.strip()] if element.text and element.text.strip() else []


def without_paths(text: str) -> str:
    """Shorten paths to their last part: reports hold the paths of whoever ran CAT12, and those hold names."""
    return re.sub(r"(?:[A-Za-z]:)?(?:[\\/][^\s\\/:;,'\"()]+)*[\\/](?=[^\s\\/])", "", text)
