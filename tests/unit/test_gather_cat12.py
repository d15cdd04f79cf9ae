"""Batches of scans become one set of tables, whatever the number of batches."""

from __future__ import annotations

from pathlib import Path

import pytest

import cat12_files as made
from cat12_files import index
from pniflow.contracts import read_table
from pniflow.imaging.cat12.gather_cat12 import gather_cat12
from pniflow.imaging.cat12.parse_cat12 import parse_cat12


@pytest.mark.parametrize("batches", [1, 2, 5, 9])
def test_the_bytes_do_not_depend_on_the_number_of_batches(tmp_path: Path, batches: int) -> None:
    for number in range(5):
        made.write(tmp_path / "cat12", made.good_scan(f"sub-{number}_ses-pre_T1w"))
    other = made.atlas("lpba40", ["lIns", "rIns"], {"Vgm": [6.0, 6.5]})
    own = made.atlas("mine", ["lA"], {"Vwm": [1.0]})
    made.write(tmp_path / "cat12", {"label/catROI_sub-3_ses-pre_T1w.xml": made.document(other, own)})
    index(tmp_path, batches=batches)
    parts: dict[str, list[Path]] = {"regions": [], "globals": [], "quality": []}
    for batch in range(1, batches + 1):
        out = tmp_path / str(batch)
        here = {"regions": out / "r.parquet", "globals": out / "g.tsv", "quality": out / "q.tsv"}
        parse_cat12([tmp_path / "cat12"], scans=tmp_path / "scans.tsv", batch=batch, **here)
        for name, path in here.items():
            parts[name].append(path)
    gather_cat12(**parts, out=tmp_path / "all")
    single = {
        "regions": tmp_path / "one.parquet",
        "globals": tmp_path / "one.tsv",
        "quality": tmp_path / "q.tsv",
    }
    parse_cat12([tmp_path / "cat12"], scans=tmp_path / "scans.tsv", **single)
    gather_cat12(**{name: [path] for name, path in single.items()}, out=tmp_path / "again")
    for name in ("regions.parquet", "globals.tsv", "quality.tsv"):
        assert (tmp_path / "all" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert len(read_table(tmp_path / "all" / "globals.tsv", "globals")) == 5
