"""Damaged and hostile CAT12 files: that scan is refused by name, the others go on, the exit status says
so.
"""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

import cat12_files as made
from conftest import LONG
from pniflow.contracts import read_table
from pniflow.errors import InputError
from pniflow.imaging.cat12 import matfile
from pniflow.imaging.cat12.document import MAXIMUM_BYTES
from pniflow.imaging.cat12.parse_cat12 import parse_cat12

INSULA = made.INSULA
LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE S [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY a{k} "{f"&a{k - 1};" * 10 if k else "&a;" * 10}">' for k in range(10))
    + "]><S>&a9;</S>"
)
EXTERNAL = '<?xml version="1.0"?><!DOCTYPE S [<!ENTITY e SYSTEM "file:///etc/hostname">]><S><x>&e;</x></S>'


def surface(names: list[str] = INSULA, **data: list[float | str]) -> str:
    return made.document(made.atlas("aparc_a2009s", names, {"thickness": [3.5, 3.25, 5.0, 4.75]} | data))


BAD: dict[str, tuple[str, str | bytes, str]] = {
    "truncated": (
        "label/catROIs_b.xml",
        surface()[: len(surface()) // 2],
        r"line \d+, column \d+: this is not XML",
    ),
    "not xml": ("report/cat_b.xml", "P K\x03\x04 no xml at all", "line 1, column 0: this is not XML"),
    "empty": ("report/cat_b.xml", "", "the file is empty"),
    "entity bomb": ("report/cat_b.xml", LAUGHS, "declares a document type or entities"),
    "external entity": ("report/cat_b.xml", EXTERNAL, "declares a document type or entities"),
    "utf-16": ("report/cat_b.xml", EXTERNAL.encode("utf-16"), "the file is not UTF-8 text"),
    "utf-7": ("report/cat_b.xml", '<?xml version="1.0" encoding="utf-7"?><S/>', "the file is not UTF-8 text"),
    "bytes that are no utf-8": ("report/cat_b.xml", b"<S>\xff\xfe</S>", "this is not XML"),
    "wrong root": (
        "report/cat_b.xml",
        made.report().replace("<S>", "<T>").replace("</S>", "</T>"),
        "root is 'T'",
    ),
    "lengths that disagree": (
        "label/catROIs_b.xml",
        surface(thickness=[3.5, 3.25, 5.0]),
        "aparc_a2009s/thickness has 3 values for 4 names",
    ),
    "ids that disagree": (
        "label/catROIs_b.xml",
        made.document(made.atlas("x", ["lA"], {"thickness": [1.0]}, ids=[1, 2])),
        "x has 2 ids for 1 names",
    ),
    "a word": (
        "label/catROIs_b.xml",
        surface(thickness=[3.5, "abc", 5.0, 4.75]),
        "holds 'abc', which is not a number",
    ),
    "digits with an underscore": (
        "label/catROIs_b.xml",
        surface(thickness=[3.5, "1_0", 5.0, 4.75]),
        "holds '1_0'",
    ),
    "infinite": (
        "label/catROIs_b.xml",
        surface(thickness=[3.5, "Inf", 5.0, 4.75]),
        "holds an infinite value",
    ),
    "thick": (
        "label/catROIs_b.xml",
        surface(thickness=[3.5, 3.25, 10.5, 4.75]),
        "lG_insular_short is 10.5 mm; at most 10",
    ),
    "negative thickness": (
        "label/catROIs_b.xml",
        surface(thickness=[-1.0, 3.25, 5.0, 4.75]),
        "is -1 mm; at least 0",
    ),
    "negative volume": (
        "label/catROI_b.xml",
        made.document(made.atlas("hammers", ["lIns", "rIns"], {"Vgm": [6.0, -0.5]})),
        "hammers/Vgm of rIns is -0.5 ml; at least 0 is possible",
    ),
    "negative tissue": ("report/cat_b.xml", made.report(tissue="[250 -600 500 0]"), "gm is -600 ml"),
    "two of three tissues": (
        "report/cat_b.xml",
        made.report(tissue="[250 600]"),
        "vol_abs_CGW holds 2 values",
    ),
    "thick cortex": ("report/cat_b.xml", made.report(thickness="[25 9]"), "the mean thickness is 25 mm"),
    "tiv in words": (
        "report/cat_b.xml",
        made.report(tiv="unknown"),
        "vol_TIV holds 'unknown', which is not a number",
    ),
    "a region twice": ("label/catROIs_b.xml", surface(names=[*INSULA[:3], INSULA[0]]), "the region .* twice"),
    "a measure twice": (
        "label/catROIs_b.xml",
        surface().replace("</data>", "<thickness>[1;2;3;4]</thickness></data>"),
        "aparc_a2009s/thickness stands twice in the file",
    ),
    "an atlas twice": (
        "label/catROIs_b.xml",
        made.document(*[made.atlas("x", ["lA"], {"thickness": [1.0]})] * 2),
        "the atlas x stands twice",
    ),
    "no atlas": ("label/catROIs_b.xml", made.document(), "holds no atlas"),
    "pniflow's own mark": (
        "label/catROIs_b.xml",
        surface().replace("<thickness>[", "<thickness>[@0] [", 1),
        "aparc_a2009s/thickness holds '@0]', which is not a number",
    ),
    "brackets without end": (
        "label/catROIs_b.xml",
        surface().replace("<thickness>", "<thickness>" + "1>[" * 100_000),
        "aparc_a2009s/thickness holds '1>",
    ),
    "names that do not close": ("label/catROIs_b.xml", surface().replace("</names>", ""), "this is not XML"),
    "names that close early": (
        "label/catROIs_b.xml",
        surface().replace("<item>", "</names><item>", 1),
        "this is not XML",
    ),
}


def parse(folder: Path, allow: bool = False) -> None:
    out = folder.parent / "out"
    paths = {"regions": out / "r.parquet", "globals": out / "g.tsv", "quality": out / "q.tsv"}
    parse_cat12([folder], **paths, allow_failed_files=allow)


@pytest.mark.parametrize("case", list(BAD))
def test_a_bad_file_fails_its_scan_and_no_other(tmp_path: Path, case: str) -> None:
    name, content, says = BAD[case]
    made.write(
        tmp_path / "cat12", made.good_scan("a") | made.good_scan("b") | made.good_scan("c") | {name: content}
    )
    with pytest.raises(InputError, match=says) as caught:
        parse(tmp_path / "cat12")
    sentence = str(caught.value)
    assert sentence.startswith(f"{name}: ")
    assert "cat12.allow_failed_files: true" in sentence
    assert "\n" not in sentence
    quality = read_table(tmp_path / "out" / "q.tsv", "quality").set_index("scan")
    assert quality["status"].to_dict() == {"a": "ok", "b": "failed", "c": "ok"}
    assert quality.loc["b", "reason"].startswith(f"{name}: ")
    assert set(read_table(tmp_path / "out" / "r.parquet", "regions")["scan"]) == {"a", "c"}
    assert set(read_table(tmp_path / "out" / "g.tsv", "globals")["scan"]) == {"a", "c"}


def test_failed_files_may_be_allowed(tmp_path: Path) -> None:
    made.write(tmp_path / "cat12", made.good_scan("a") | {"report/cat_b.xml": "no"})
    parse(tmp_path / "cat12", allow=True)
    assert list(read_table(tmp_path / "out" / "q.tsv", "quality")["status"]) == ["ok", "failed"]


def test_a_single_file_that_is_not_xml_ends_in_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    made.write(tmp_path, {"cat_b.xml": "hello"})
    done = command(tmp_path, str(tmp_path / "cat_b.xml"))
    assert done.returncode == 1
    assert done.stderr.startswith("cat_b.xml: line 1, column 0: this is not XML")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cat_b.xml"]


def test_the_exit_status_is_1_when_one_of_two_scans_fails(tmp_path: Path) -> None:
    made.write(tmp_path / "cat12", made.good_scan("a") | {"report/cat_b.xml": "no"})
    done = command(tmp_path, str(tmp_path / "cat12"))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert command(tmp_path, str(tmp_path / "cat12"), "--allow-failed-files").returncode == 0


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nothing", "there is no such file or folder"),
        ("notes.txt", "this is no CAT12 file name"),
        ("none", "no CAT12 files"),
    ],
)
def test_paths_that_hold_no_cat12_file(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "none").mkdir()
    done = command(tmp_path, str(tmp_path / name))
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_too_large_is_not_read_whole(tmp_path: Path) -> None:
    made.write(tmp_path / "cat12", made.good_scan("a"))
    with open(tmp_path / "cat12" / "report" / "cat_b.xml", "wb") as stream:
        stream.truncate(50 * MAXIMUM_BYTES)
    with pytest.raises(InputError, match=r"cat_b.xml: the file is larger than 16 MB"):
        parse(tmp_path / "cat12")


def test_deep_nesting_is_no_crash(tmp_path: Path) -> None:
    deep = "<S>" + "<a>" * 200_000 + "</a>" * 200_000 + "</S>"
    made.write(tmp_path / "cat12", made.good_scan("a") | {"report/cat_b.xml": deep})
    began = time.monotonic()
    parse(tmp_path / "cat12", allow=True)
    assert time.monotonic() - began < 20
    assert list(read_table(tmp_path / "out" / "q.tsv", "quality")["status"]) == ["ok", "failed"]


def test_a_link_in_the_folder_that_leads_nowhere_fails_its_scan(tmp_path: Path) -> None:
    made.write(tmp_path / "cat12", made.good_scan("a"))
    (tmp_path / "cat12" / "report" / "cat_b.xml").symlink_to(tmp_path / "gone.xml")
    with pytest.raises(InputError, match=r"cat_b.xml: the file cannot be read"):
        parse(tmp_path / "cat12")


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).resolve().parents[2]
    words = ["--regions", "out/r.parquet", "--globals", "out/g.tsv", "--quality", "out/q.tsv"]
    return subprocess.run(
        [sys.executable, "-m", "pniflow.cli", "parse-cat12", *arguments, *words],
        cwd=folder,
        env={"PYTHONPATH": str(root / "workflow"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def mat(variables: dict[str, object], packed: bool = False) -> bytes:
    stream = io.BytesIO()
    savemat(stream, variables, do_compression=packed)
    return stream.getvalue()


BAD_MAT = {
    "not matlab": (b"hello", "this is not a MATLAB file"),
    "version 7.3": (b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + b" " * 100, "version 7.3 are not read"),
    "truncated": (mat({"S": {"subjectmeasures": {"vol_TIV": 1400.0}}})[:-40], "the MATLAB file is damaged"),
    "packed and truncated": (
        mat({"S": {"a": {"vol_TIV": np.arange(99.0)}}}, True)[:-9],
        "the MATLAB file is damaged",
    ),
    # Sizes that disagree with the bytes; scipy takes the whole process with it on files like these.
    "packed, bent and cut": (
        mat({"S": {"a": np.arange(99.0), "b": "text"}}, True)[:-20].replace(b"\x01", b"\x02"),
        "the MATLAB file is damaged",
    ),
    "a size beyond the file": (
        mat({"S": {"a": np.arange(99.0)}}).replace(struct.pack("<II", 9, 792), struct.pack("<II", 9, 2**31)),
        r"the MATLAB file is damaged .a part is longer than the file",
    ),
    "another number of values": (
        mat({"S": {"a": np.arange(99.0)}}).replace(struct.pack("<II", 1, 99), struct.pack("<II", 1, 999)),
        r"the MATLAB file is damaged .99 numbers for 999",
    ),
    "a million empty structures": (
        mat({"S": {"a": np.ones((1, 5), object)}}).replace(
            struct.pack("<II", 1, 5), struct.pack("<II", 999, 999)
        ),
        r"the MATLAB file is damaged .an array has more elements than bytes",
    ),
    "a bomb": (mat({"S": np.zeros(9 * 2**20)}, packed=True), "unpacks to more than 64 MB"),
    "no S": (mat({"T": {"a": 1.0}}), "holds no structure S"),
    "S is no structure": (mat({"S": 1.0}), "holds no structure S"),
}


@pytest.mark.parametrize("case", list(BAD_MAT))
def test_a_bad_mat_file_fails_its_scan_and_no_other(tmp_path: Path, case: str) -> None:
    content, says = BAD_MAT[case]
    made.write(tmp_path / "cat12", made.good_scan("a") | {"report/cat_b.mat": content})
    with pytest.raises(InputError, match=f"report/cat_b.mat: .*{says}"):
        parse(tmp_path / "cat12")
    assert list(read_table(tmp_path / "out" / "q.tsv", "quality")["status"]) == ["ok", "failed"]


@pytest.mark.long
def test_every_damaged_byte_of_a_mat_file_is_read_or_refused() -> None:
    """scipy's reader asks for gigabytes at some of them, and takes the whole process with it at others."""
    held = {"vol_TIV": 1400.0, "vol_abs_CGW": np.arange(5.0)}
    content = mat({"S": {"error": np.array(["one", "two"], object), "subjectmeasures": held}})
    refused = 0
    for place in range(128, len(content)):
        for byte in range(256) if LONG else (0, 14, 255):
            try:
                matfile.parse(content[:place] + bytes([byte]) + content[place + 1 :], "b.mat")
            except InputError as error:
                refused += 1
                assert "\n" not in str(error)
    assert refused > 500


def test_a_mark_beyond_all_bounds_is_the_worst_grade_and_stops_no_scan(tmp_path: Path) -> None:
    made.write(
        tmp_path / "cat12", {"report/cat_a.xml": made.report(marks="<IQR>1e308</IQR><SIQR>-1e308</SIQR>")}
    )
    parse(tmp_path / "cat12")
    quality = read_table(tmp_path / "out" / "q.tsv", "quality").iloc[0]
    assert quality[["status", "iqr_grade", "iqr_percent"]].tolist() == ["ok", "F", 0]


def test_a_sound_xml_goes_before_its_mat_twin(tmp_path: Path) -> None:
    made.write(tmp_path / "cat12", made.good_scan("a") | {"report/cat_a.mat": b"hello"})
    parse(tmp_path / "cat12")
    assert list(read_table(tmp_path / "out" / "q.tsv", "quality")["status"]) == ["ok"]
