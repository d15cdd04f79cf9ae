"""Files: a table reads back exactly, a killed writer leaves no half file, YAML says what it means."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pniflow import contracts, files
from pniflow.errors import InputError


def refused(folder: Path, content: str | bytes, name: str = "table.tsv", contract: str | None = None) -> str:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as caught:
        files.read_yaml(path) if name.endswith(".yaml") else contracts.read_table(path, contract)
    sentence = str(caught.value)
    assert sentence.startswith(str(path)) and sentence.endswith(".") and "\n" not in sentence
    return sentence.removeprefix(f"{path}: ")


def test_numbers_read_back_to_the_last_bit_from_text_and_parquet(tmp_path: Path) -> None:
    draws = np.random.default_rng(7)
    numbers = draws.standard_normal(20_000) * 10.0 ** draws.integers(-300, 300, 20_000)
    edges = [0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1, 1 / 3, 2**53 + 1.0, np.nan]
    frame = pd.DataFrame({"participant_id": "A", "session_id": "ses-pre", "value": [*numbers, *edges]})
    frame["measure"] = [f"m{place}" for place in range(len(frame))]
    frame = frame.assign(unit=None, domain="assay")
    for ending in ("tsv", "parquet"):
        contracts.write_table(frame, tmp_path / f"m.{ending}", "measures")
        back = contracts.read_table(tmp_path / f"m.{ending}", "measures")["value"].to_numpy()
        assert back.tobytes() == frame["value"].to_numpy().tobytes(), ending


@pytest.mark.parametrize("ending", ["tsv", "parquet"])
def test_text_reads_back_as_it_was(ending: str, tmp_path: Path) -> None:
    """Leading zeros, group codes that look missing, quotes, tabs, line ends, other alphabets."""
    words = [
        "001",
        "NA",
        "None",
        "nan",
        "null",
        'a "quoted" word',
        '"',
        "tab\there",
        "two\nlines",
        "Ωμέγα",
        " spaces ",
        None,
    ]
    frame = pd.DataFrame({"participant_id": [f"p{n}" for n in range(len(words))], "word": words})
    contracts.write_table(frame, tmp_path / f"t.{ending}", "participants")
    back = contracts.read_table(tmp_path / f"t.{ending}", "participants")["word"]
    assert [None if pd.isna(word) else word for word in back] == words


@pytest.mark.parametrize("ending", ["tsv", "parquet"])
def test_the_same_table_is_the_same_bytes(ending: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"participant_id": ["A", "B"], "age": [40.5, np.nan]})
    for name in ("one", "two"):
        contracts.write_table(frame, tmp_path / f"{name}.{ending}")
    assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"two.{ending}").read_bytes()


def test_a_byte_order_mark_is_not_part_of_the_first_column(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_bytes(b"\xef\xbb\xbfparticipant_id\nA\n")
    assert list(contracts.read_table(tmp_path / "t.tsv", "participants").columns) == ["participant_id"]


def test_windows_line_ends_are_line_ends(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_bytes(b"participant_id\tage\r\nA\t40\r\n")
    assert contracts.read_table(tmp_path / "t.tsv", "participants").values.tolist() == [["A", "40"]]


def test_a_row_with_a_cell_too_many_is_refused_not_shifted(tmp_path: Path) -> None:
    said = refused(tmp_path, "participant_id\tage\nA\t40\t1\nB\t50\t2\n")
    assert said.startswith("row 2 has 3 cells where the header has 2")


def test_a_row_cut_off_is_refused_not_filled_up(tmp_path: Path) -> None:
    said = refused(tmp_path, "participant_id\tage\tbmi\nA\t40\t20\nB\t50\n")
    assert said.startswith("row 3 has 2 cells where the header has 3")


def test_a_ragged_row_is_not_repeated_in_the_message(tmp_path: Path) -> None:
    assert "Smith" not in refused(tmp_path, "participant_id\tage\nSmith\t40\t1\n")


def test_a_column_given_twice_is_refused_not_renamed(tmp_path: Path) -> None:
    assert refused(tmp_path, "participant_id\tage\tage\nA\t40\t41\n").startswith("column 'age' stands twice")


@pytest.mark.parametrize("content", ["", "\n", "\ufeff"])
def test_an_empty_file_is_said_to_be_empty(content: str, tmp_path: Path) -> None:
    assert refused(tmp_path, content).startswith("the file is empty")


def test_a_quote_that_never_ends_and_a_line_end_within_a_line(tmp_path: Path) -> None:
    assert "not a table (field larger" in refused(tmp_path, '"participant_id\tage\n' + "A\t40\n" * 30_000)
    with pytest.raises(InputError, match=r"t.csv: this is not a table .new-line character"):
        list(files.cells(["a,b\rc,d"], ",", "t.csv"))


def test_bytes_that_are_no_text_or_no_parquet(tmp_path: Path) -> None:
    assert "byte 15 is not UTF-8 text" in refused(tmp_path, b"participant_id\n\xff\xfe\n")
    assert "not a readable parquet table" in refused(tmp_path, b"participant_id\n", "t.parquet")
    assert "tables are .tsv or .parquet" in refused(tmp_path, b"participant_id\n", "t.csv")


def test_an_absent_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        contracts.read_table(tmp_path / "absent.tsv")
    with pytest.raises(InputError, match="there is no such file"):
        files.read_yaml(tmp_path / "absent.yaml")
    with pytest.raises(InputError, match="there is no such file"):
        contracts.read_table(tmp_path)


def test_missing_is_null_in_json_and_never_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "x.json", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []
    files.write_json(tmp_path / "x.json", {"a": None, "ö": 1})
    assert (tmp_path / "x.json").read_bytes() == '{\n "a": null,\n "ö": 1\n}\n'.encode()


def test_an_error_while_writing_keeps_the_old_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("old")
    with pytest.raises(RuntimeError), files.atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.tsv"]


def test_a_written_file_has_the_rights_of_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        files.write_text(tmp_path / "t.txt", "x")
    finally:
        os.umask(old)
    assert (tmp_path / "t.txt").stat().st_mode & 0o777 == 0o640


def test_a_writer_killed_at_any_moment_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    """A child rewrites one file without end and is killed; the final name holds one whole text."""
    path = tmp_path / "t.txt"
    texts = {letter * 3_000_000 for letter in "ab"}
    child = textwrap.dedent(f"""
        from pniflow.files import write_text
        print("ready", flush=True)
        while True:
            for letter in "ab":
                write_text({str(path)!r}, letter * 3_000_000)
        """)
    for wait in (0.02, 0.05, 0.11):
        process = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        while not path.exists():
            pass
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        process.stdout.close()
        assert path.read_text() in texts


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3 gives the key 'a' a second time"),
        ("x:\n  a: 1\n  a: 2\n", "line 3 gives the key 'a' a second time"),
        ("a: [1, 2\n", "line 2 is not YAML"),
        ("a: 1\n b: 2\n", "line 2 is not YAML"),
        ("? [a, b]\n: 1\n", "line 1 has a list or mapping as a key"),
        ("? {a: b}\n: 1\n", "line 1 has a list or mapping as a key"),
        ("day: 2024-13-45\n", "a date or number that cannot be"),
        ("a: &x [1]\nb: *x\n", "line 2 has an alias"),
        ("a: !!python/object/apply:os.system ['true']\n", "line 1 is not YAML"),
        ("a: \x00\n", "is not YAML"),
    ],
)
def test_yaml_that_does_not_say_what_it_means_is_refused(text: str, says: str, tmp_path: Path) -> None:
    assert says in refused(tmp_path, text, "study.yaml")


def test_yaml_nested_without_end_is_refused(tmp_path: Path) -> None:
    assert "nested too deeply" in refused(tmp_path, "a: " + "[" * 5000, "study.yaml")


def test_yaml_bombs_do_not_grow(tmp_path: Path) -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    assert "has an alias" in refused(tmp_path, bomb, "study.yaml")
