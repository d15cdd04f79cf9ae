"""CAT12's XML: bytes to a tree and to numbers, guarded.

The parser is expat in C. Files are from elsewhere, so document type declarations (and with them entities and
external files) are refused before parsing, and so are encodings in which one could hide.
"""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from pniflow.errors import InputError

MAXIMUM_BYTES = 16 * 2**20
"""The largest XML file that is read; a report or label file with many atlases has well under 2 MB."""

# In these a byte below 128 is the ASCII character, so that a search for "<!DOCTYPE" finds every one.
_ENCODINGS = {b"utf-8", b"us-ascii", b"ascii", b"iso-8859-1", b"windows-1252"}

# Attribute of the empty element that stands for a list of region names already parsed.
_KNOWN = "pniflow-known-names"


def read_bytes(path: Path, source: str) -> bytes:
    """Read a file whole, unless it is too large to be CAT12's.

    Raises
    ------
    InputError
        The file is absent, empty or larger than `MAXIMUM_BYTES`.
    """
    try:
        with open(path, "rb") as stream:
            large = os.fstat(stream.fileno()).st_size > MAXIMUM_BYTES
            content = b"" if large else stream.read()
    except OSError as error:
        raise InputError(f"{source}: the file cannot be read ({error.strerror}).") from None
    if large:
        raise InputError(
            f"{source}: the file is larger than {MAXIMUM_BYTES >> 20} MB; CAT12 writes no such file."
        )
    if not content or content.isspace():
        raise InputError(f"{source}: the file is empty; CAT12 was probably interrupted, run the scan again.")
    return content


def parse(content: bytes, source: str, blocks: dict[bytes, Element] | None = None) -> Element:
    """Parse a CAT12 XML file and return its root `S`.

    Parameters
    ----------
    content : bytes
        The file.
    source : str
        Its name, for sentences.
    blocks : dict, optional
        `<names>` blocks already parsed, by their bytes; lists of region names are the same in all files of a
        study and most of a label file, so each is parsed once and stands for itself in the files that follow.

    Raises
    ------
    InputError
        Not XML, another root, a document type declaration, another encoding.
    """
    _guard(content, source)
    known: list[Element] = []
    try:
        root = _tree(content if blocks is None else _with_known_names(content, blocks, known, source), source)
    except InputError:
        _tree(content, source)  # says the place in the file itself
        raise
    _check_root(root, source, "S")
    for holder in list(root.iter()) if known else ():
        for place, child in enumerate(holder):
            if _KNOWN in child.attrib:
                holder[place] = known[int(child.attrib[_KNOWN])]
    return root


def tree(content: bytes, source: str, root: str) -> Element:
    """Parse another XML file than CAT12's, with the same guards; `root` is what its root must be."""
    _guard(content, source)
    found = _tree(content, source)
    _check_root(found, source, root)
    return found


def _guard(content: bytes, source: str) -> None:
    declares = b"<!" in content and (b"<!DOCTYPE" in content or b"<!ENTITY" in content)
    if declares or _KNOWN.encode() in content:
        raise InputError(
            f"{source}: the file declares a document type or entities, which CAT12 never writes; it is not"
            " read."
        )
    declared = re.match(rb"(?:\xef\xbb\xbf)?<\?xml[^>]*encoding=[\"']([^\"']*)", content)
    if b"\0" in content or (declared and declared[1].lower() not in _ENCODINGS):
        raise InputError(f"{source}: the file is not UTF-8 text, as CAT12 writes it; it is not read.")


def _check_root(root: Element, source: str, expected: str) -> None:
    if root.tag != expected:
        raise InputError(f"{source}: the XML root is '{root.tag[:40]}'; '{expected}' was expected.")


def _tree(content: bytes, source: str) -> Element:
    try:
        return ElementTree.fromstring(content)  # noqa: S314 (document types are refused above)
    except ElementTree.ParseError as error:
        line, column = error.position
        reason = str(error).split(":")[0]
        raise InputError(f"{source}: line {line}, column {column}: this is not XML ({reason}).") from None
    except (ValueError, LookupError) as error:
        raise InputError(f"{source}: this is not XML ({error}).") from None


def _with_known_names(
    content: bytes, blocks: dict[bytes, Element], known: list[Element], source: str
) -> bytes:
    """Put an empty element in place of each `<names>` block; a new block must be well-formed by itself."""
    pieces = []
    position = 0
    while (start := content.find(b"<names>", position)) >= 0:
        end = content.find(b"</names>", start) + len(b"</names>")
        if end < start:
            break
        block = content[start:end]
        if block not in blocks:
            blocks[block] = _tree(block, source)
        pieces += [content[position:start], b'<names %s="%d"/>' % (_KNOWN.encode(), len(known))]
        known.append(blocks[block])
        position = end
    return b"".join([*pieces, content[position:]]) if pieces else content


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


def many_numbers(texts: dict[str, str | None], source: str) -> dict[str, np.ndarray]:
    """Read all vectors of a file at once: the same as `numbers` for each, three times as fast.

    Parameters
    ----------
    texts : dict of str to str
        Text by its place in the file.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not texts:
        return {}
    bodies = [
        (text or "").strip().removeprefix("[").removesuffix("]").replace(";", " ") for text in texts.values()
    ]
    words = pc.split_pattern(pa.array(bodies, pa.string()), " ")
    try:
        values = words.values.cast(pa.float64()).to_numpy(zero_copy_only=False)
        if np.isinf(values).any():
            raise ValueError
    except (pa.ArrowInvalid, ValueError):  # empty, irregularly spaced or no number: one by one, to say which
        return {place: numbers(text, source, place) for place, text in texts.items()}
    ends = words.offsets.to_numpy().tolist()
    return {place: values[start:end] for place, start, end in zip(texts, ends, ends[1:], strict=False)}


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
