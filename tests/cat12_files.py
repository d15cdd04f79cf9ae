"""Make CAT12 files for tests, as CAT12's writer makes them: `mat2str` numbers, cells as items, any order of
elements.
"""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

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
