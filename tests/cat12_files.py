"""Make CAT12 files for tests, as CAT12's writer makes them: `mat2str` numbers, cells as items, any order of
elements.
"""

from __future__ import annotations

import base64
import struct
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pandas as pd

from pniflow.contracts import read_table
from pniflow.imaging.cat12.index_cat12 import index_cat12

HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
INSULA = ["lS_circular_insula_ant", "rS_circular_insula_ant", "lG_insular_short", "rG_insular_short"]


def vector(values: list[float | str], shape: str = "column") -> str:
    """Write numbers as MATLAB does: `[1;2]`, `[1 2]`, and a single one bare."""
    words = [
        value if isinstance(value, str) else repr(float(value)).replace("nan", "NaN") for value in values
    ]
    return words[0] if len(words) == 1 else f"[{(';' if shape == 'column' else ' ').join(words)}]"


def atlas(
    name: str,
    names: list[str],
    data: dict[str, list[float | str]],
    *,
    ids: list[int] | None = None,
    version: str = "2041",
    shape: str = "column",
    order: tuple[str, ...] = ("ids", "names", "version", "data"),
) -> str:
    """Write one atlas element, its parts in the given order."""
    items = "".join(f"<item>{escape(one)}</item>\n" for one in names)
    parts = {
        "ids": f"<ids>{vector([str(n) for n in ids or range(1, len(names) + 1)])}</ids>\n",
        "names": f"<names>\n{items}</names>\n",
        "version": f"<version>{version}</version>\n",
        "comments": "<comments>\n<item>cat_surf_surf2roi</item>\n</comments>\n",
        "data": "<data>\n"
        + "".join(f"<{tag}>{vector(v, shape)}</{tag}>\n" for tag, v in data.items())
        + "</data>\n",
    }
    return f"<{name}>\n{''.join(parts[part] for part in order)}</{name}>\n"


def document(*elements: str, root: str = "S") -> str:
    """Put elements below a root."""
    return f"{HEAD}<{root}>\n{''.join(elements)}</{root}>\n"


def report(
    *,
    tissue: str = "[250 600 500 1.5 0]",
    tiv: str = "1351.5",
    thickness: str = "[2.5 0.9]",
    marks: str = "<NCR>2</NCR><ICR>1.5</ICR><res_RMS>2</res_RMS><IQR>2</IQR><SIQR>2.7</SIQR>",
    software: str = "<version_cat>12.8.1</version_cat><revision_cat>2041</revision_cat>",
    further: str = "",
) -> str:
    """Write a report with the few elements that matter."""
    return document(
        f"<software>{software}</software>\n",
        "<parameter><extopts><WMHC>2</WMHC><SLC>0</SLC><vox>1.5</vox></extopts></parameter>\n",
        f"<qualityratings>{marks}</qualityratings>\n",
        f"<subjectmeasures><vol_abs_CGW>{tissue}</vol_abs_CGW><vol_TIV>{tiv}</vol_TIV>"
        f"<dist_thickness><item>{thickness}</item></dist_thickness></subjectmeasures>\n",
        further,
    )


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Write files below a folder and return it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def good_scan(stem: str) -> dict[str, str]:
    """Return the three files of a scan that has nothing wrong with it."""
    thickness = [3.5, 3.25, 5.0, 4.75]
    return {
        f"report/cat_{stem}.xml": report(),
        f"label/catROI_{stem}.xml": document(
            atlas("neuromorphometrics", ["Right Hippocampus", "Left Hippocampus"], {"Vgm": [3.5, 3.25]})
        ),
        f"label/catROIs_{stem}.xml": document(
            atlas("aparc_a2009s", INSULA, {"thickness": thickness}, shape="row")
        ),
    }


STUDY = """
title: test
sessions: {{ses-pre: {{}}, ses-post: {{}}}}
cat12: {{folder: cat12, lesion_handling: none{more}}}
"""


def study(folder: Path, more: str = "") -> Path:
    path = folder / "study.yaml"
    path.write_text(STUDY.format(more=f", {more}" if more else ""))
    return path


def index(folder: Path, more: str = "", batches: int = 1) -> pd.DataFrame:
    index_cat12(
        folder=folder / "cat12", study=study(folder, more), batches=batches, scans=folder / "scans.tsv"
    )
    return read_table(folder / "scans.tsv", "scans").set_index("scan")


N = 32492  # vertices of a hemisphere
DOCTYPE = '<!DOCTYPE GIFTI SYSTEM "http://www.nitrc.org/frs/download.php/115/gifti.dtd">'


def values(seed: int, n: int = 2 * N) -> np.ndarray:
    return np.random.default_rng(seed).uniform(1, 5, n).astype(np.float32)


def gifti(
    data: str = "",
    *,
    n: int = 5,
    encoding: str = "ASCII",
    doctype: str = DOCTYPE,
    external: str = "",
    **said: str,
) -> str:
    """Write an overlay as CAT12's GIfTI toolbox does."""
    attributes = {
        "Intent": "NIFTI_INTENT_SHAPE",
        "DataType": "NIFTI_TYPE_FLOAT32",
        "Dimensionality": "1",
        "Dim0": str(n),
        "Encoding": encoding,
        "Endian": "LittleEndian",
        "ExternalFileName": external,
        "ExternalFileOffset": "0",
    } | said
    words = " ".join(f'{name}="{value}"' for name, value in attributes.items())
    array = f"<DataArray {words}><Data>{data}</Data></DataArray>"
    return f'<?xml version="1.0"?>{doctype}<GIFTI Version="1.0">{array}</GIFTI>'


CURV = b"\xff\xff\xff" + struct.pack(">iii", 4, 2, 1) + np.arange(4, dtype=">f4").tobytes()
TRIANGLES = np.array([[0, 1, 2], [1, 2, 3], [2, 3, 4]])


def with_mesh(folder: Path, name: str, data: np.ndarray, triangles: np.ndarray, external: bool) -> None:
    """Write an overlay with its mesh in the same file, as CAT12's resampling does."""
    arrays = [
        ("POINTSET", "FLOAT32", np.zeros((len(data), 3), "<f4")),
        ("TRIANGLE", "INT32", triangles.astype("<i4")),
        ("NONE", "FLOAT32", data.astype("<f4")),
    ]
    text, content = "", b""
    for intent, kind, values in arrays:
        dims = "".join(f' Dim{place}="{size}"' for place, size in enumerate(values.shape))
        where = f'ExternalFileName="{name}.dat" ExternalFileOffset="{len(content)}"' if external else ""
        how = "ExternalFileBinary" if external else "Base64Binary"
        data64 = "" if external else base64.b64encode(values.tobytes()).decode()
        text += (
            f'<DataArray Intent="NIFTI_INTENT_{intent}" DataType="NIFTI_TYPE_{kind}" Encoding="{how}"'
            f' Dimensionality="{values.ndim}" Endian="LittleEndian"'
            f' ArrayIndexingOrder="RowMajorOrder"{dims} {where}>'
            f"<Data>{data64}</Data></DataArray>"
        )
        content += values.tobytes()
    write(folder, {f"{name}.gii": f'<?xml version="1.0"?>{DOCTYPE}<GIFTI Version="1.0">{text}</GIFTI>'})
    if external:
        write(folder, {f"{name}.dat": content})
