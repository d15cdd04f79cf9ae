"""Speed of the CAT12 reader, as ratios to peers measured in the same run.

1. The twelve real people (PNIFLOW_REAL_DATA): reading report and label files against a bare expat pass over
the same bytes
   plus the conversion of their numbers, and against pandas.read_xml.
2. Simulated scans, XML to Parquet with all checks: MB/s of one core, peak memory (`--scans N`, default 3000).
"""

from __future__ import annotations

import argparse
import io
import os
import re
import resource
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from xml.parsers import expat

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow"))

from pniflow.imaging.cat12.document import parse  # noqa: E402
from pniflow.imaging.cat12.label_files import LabelReader  # noqa: E402
from pniflow.imaging.cat12.parse_cat12 import parse_cat12  # noqa: E402
from pniflow.imaging.cat12.report_xml import Report, globals_of, quality_of  # noqa: E402


def fastest(function: Callable[[], object], repeats: int = 15) -> float:
    """Return the least CPU time of several runs, in seconds: other work on the machine only ever adds."""
    times = []
    for _ in range(repeats):
        began = time.process_time()
        function()
        times.append(time.process_time() - began)
    return min(times)


def bare(documents: dict[str, bytes], vectors: list[str]) -> None:
    """Pass expat over all bytes without handlers, and convert all numbers."""
    for content in documents.values():
        expat.ParserCreate().Parse(content, True)
    for text in vectors:
        list(map(float, text.replace(";", " ").split()))


def pniflow(documents: dict[str, bytes]) -> None:
    """Read all files as parse-cat12 does, up to the arrays."""
    labels = LabelReader()
    for name, content in documents.items():
        if name.startswith("cat_"):
            report = Report(parse(content, name), name)
            if not report.failure():
                globals_of(report)
                quality_of(report)
        else:
            labels.read(content, name)


def by_pandas(documents: dict[str, bytes]) -> None:
    """Read all files as scripts found in the wild do: pandas.read_xml, then the numbers out of the cells."""
    import pandas as pd

    for name, content in documents.items():
        if name.startswith("cat_"):
            pd.read_xml(io.BytesIO(content), xpath=".//subjectmeasures", parser="etree")
            continue
        for atlas in ElementTree.fromstring(content):  # noqa: S314 (own files)
            names = [item.text for item in atlas.findall("names/item")]  # read_xml keeps one item of a list
            data = pd.read_xml(io.BytesIO(content), xpath=f"./{atlas.tag}/data", parser="etree")
            for column in data.columns:
                words = str(data[column].iloc[0]).strip("[]").replace(";", " ").split()
                pd.Series([float(word) for word in words], index=names)


def real(folder: Path) -> None:
    """Print the ratios for the real people."""
    documents = {path.name: path.read_bytes() for path in sorted(folder.glob("*/cat*.xml"))}
    vectors = vectors_of(documents)
    size = sum(map(len, documents.values())) / 1e6
    floor = fastest(lambda: bare(documents, vectors))
    ours = fastest(lambda: pniflow(documents))
    pandas_ = fastest(lambda: by_pandas(documents), 3)
    print(
        f"cat12: {len(documents)} real files, {size:.2f} MB: {size / ours:.0f} MB/s,"
        f" {ours / floor:.2f} x expat and numbers alone (goal: at most 2), pandas.read_xml"
        f" {pandas_ / ours:.0f} x slower"
    )


def vectors_of(documents: dict[str, bytes]) -> list[str]:
    """Return the texts of all vectors of numbers."""
    found = (re.findall(r">\[([-+0-9.eENaIinf;\s]*)\]<", content.decode()) for content in documents.values())
    return [text for texts in found for text in texts]


def simulated(scans: int) -> None:
    """Print the throughput from XML to Parquet for scans with random values in the genuine format."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        size = write_scans(folder / "cat12", scans) / 1e6
        paths = {name: folder / f"{name}.tsv" for name in ("globals", "quality")}
        began = time.process_time(), time.monotonic()
        parse_cat12([folder / "cat12"], regions=folder / "regions.parquet", **paths)
        cpu, wall = time.process_time() - began[0], time.monotonic() - began[1]
        some = {path.name: path.read_bytes() for path in sorted((folder / "cat12").glob("*/*.xml"))[:300]}
        vectors = vectors_of(some)
        floor = fastest(lambda: bare(some, vectors), 3) / sum(map(len, some.values())) * size * 1e6
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"cat12: {scans} simulated scans, {size:.0f} MB of XML to Parquet: {size / cpu:.0f} MB/s per core"
            f" (goal: 25; expat and numbers alone {size / floor:.0f}), {wall:.1f} s, peak memory"
            f" {memory:.2f} GiB (goal: 2)"
        )


def write_scans(folder: Path, scans: int) -> int:
    """Write scans made from the atlas tables: four atlases of volumes, three of surfaces, a report; return
    the bytes.
    """
    sys.path.insert(0, str(ROOT / "tests"))
    import cat12_files as made

    random = np.random.default_rng(1)
    names = {atlas: _names(atlas) for atlas in ("neuromorphometrics", "hammers", "lpba40", "cobra")}
    surfaces = {atlas: _names(atlas) for atlas in ("aparc_DK40", "aparc_HCP_MMP1", "aparc_a2009s")}
    (folder / "label").mkdir(parents=True)
    (folder / "report").mkdir()
    total = 0
    for scan in range(scans):
        stem = f"sub-{scan // 2:05d}_ses-{('pre', 'post')[scan % 2]}_T1w"

        def block(atlas: str, regions: list[str], tags: tuple[str, ...], shape: str) -> str:
            values = random.uniform(1, 9, (len(tags), len(regions))).tolist()
            return made.atlas(atlas, regions, dict(zip(tags, values, strict=True)), shape=shape)

        texts = {
            f"label/catROI_{stem}.xml": made.document(
                *(block(a, r, ("Vgm", "Vwm", "Vcsf"), "column") for a, r in names.items())
            ),
            f"label/catROIs_{stem}.xml": made.document(
                *(block(a, r, ("thickness",), "row") for a, r in surfaces.items())
            ),
            f"report/cat_{stem}.xml": made.report(further=_LOG),
        }
        for name, text in texts.items():
            total += (folder / name).write_bytes(text.encode())
    return total


_LOG = (
    "<catlog>"
    + "".join(f"<item>line {number} of the log of the run</item>\n" for number in range(400))
    + "</catlog>\n"
)


def _names(atlas: str) -> list[str]:
    lines = (ROOT / "resources" / "atlases" / f"{atlas}.tsv").read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    return [row[1] for row in rows if row[0] == "surface" or "r2041" in row[0]]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scans", type=int, default=3000)
    chosen = parser.parse_args()
    if os.environ.get("PNIFLOW_REAL_DATA"):
        real(Path(os.environ["PNIFLOW_REAL_DATA"]) / "cat12" / "ixi")
    simulated(chosen.scans)
