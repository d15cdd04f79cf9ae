"""Report XML (`cat_*.xml`): whole-brain volumes, thickness, quality marks, version, settings, failure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from pniflow.errors import InputError
from pniflow.imaging.cat12.document import items, numbers, without_paths
from pniflow.imaging.ranges import range_of, require_possible

GRADES = ("A+", "A", "A-", "B+", "B", "B-", "C+", "C", "C-", "D+", "D", "D-", "E+", "E", "E-", "F")
WORST = 10.5  # mark that CAT12 gives at most
GLOBALS = ("tiv", "gm", "wm", "csf", "wmh", "mean_thickness", "sd_thickness", "stroke_lesion")
MARKS = {"iqr": "IQR", "siqr": "SIQR", "ncr": "NCR", "icr": "ICR", "res_rms": "res_RMS", "res_ecr": "res_ECR"}


class Report:
    """A report, looked up by tag and never by position."""

    def __init__(self, root: Element, source: str) -> None:
        self.root = root
        self.source = source

    def find(self, path: str) -> Element | None:
        """Return an element by its tags, `subjectmeasures/vol_TIV`."""
        element: Element | None = self.root
        for tag in path.split("/"):
            element = None if element is None else element.find(tag)  # by single tags: in C
        return element

    def vector(self, path: str) -> np.ndarray:
        """Return an element's numbers; empty where it is absent."""
        element = self.find(path)
        if element is None:
            return np.empty(0)
        if len(element):
            element = element[0]
        return numbers(element.text, self.source, path)

    def scalar(self, path: str) -> float:
        """Return an element's first number; NaN where it is absent or empty."""
        text = self.text(path)
        if text.replace(".", "", 1).isdecimal() and text.isascii():
            return float(text)  # nearly all are plain
        vector = self.vector(path)
        return float(vector[0]) if len(vector) else np.nan

    def text(self, path: str) -> str:
        """Return an element's text; blank where it is absent."""
        element = self.find(path)
        return "" if element is None else (element.text or "").strip()

    def failure(self) -> str:
        """Return why CAT12 stopped, in one line without paths; blank where the run is complete."""
        said = items(self.root.find("error")) or [
            words
            for words in [self.text("parameter/caterr/identifier"), self.text("parameter/caterr/message")]
            if words
        ]
        if said or self.root.find("parameter/caterr") is not None or self.root.find("error") is not None:
            return " ".join(["CAT12 stopped:", *without_paths(" ".join(said) or "no message").split()])
        total = self.scalar("subjectmeasures/vol_TIV")
        if total == 0 or not np.isfinite(total):
            return "CAT12's report holds no total intracranial volume"
        return ""

    def version(self) -> str:
        """Return version and revision: `r1247` (the oldest wrote only a revision), `12.8.1 r2040`, `26.0.rc3
        r3250`.
        """
        version, revision = self.text("software/version_cat"), self.text("software/revision_cat")
        if not revision:
            return f"r{version}" if version.isdigit() else version
        return f"{version} r{revision}"


def globals_of(report: Report) -> dict[str, Any]:
    """Return one row of `globals`, without the scan's name.

    `vol_abs_CGW` is [CSF GM WM WMH], in newer versions with a fifth element for stroke lesions, in ml.
    White-matter hyperintensities are `vol_abs_WMH` (since about r1727), before that `WMH_abs`, before that
    the fourth element.

    Raises
    ------
    InputError
        Fewer volumes than tissues, or a number that is impossible (`imaging.ranges`).
    """
    tissue = report.vector("subjectmeasures/vol_abs_CGW")
    if 0 < len(tissue) < 3:
        raise InputError(
            f"{report.source}: vol_abs_CGW holds {len(tissue)} values; those of CSF, GM and WM were expected."
        )
    csf, gm, wm, fourth, lesions = _filled(tissue, 5)
    wmh = [report.scalar("subjectmeasures/vol_abs_WMH"), report.scalar("subjectmeasures/WMH_abs"), fourth]
    mean_thickness, sd_thickness = _filled(report.vector("subjectmeasures/dist_thickness"), 2)
    row: dict[str, Any] = {
        "tiv": report.scalar("subjectmeasures/vol_TIV"),
        "gm": gm,
        "wm": wm,
        "csf": csf,
        "wmh": next((value for value in wmh if value == value), np.nan),
        "mean_thickness": mean_thickness,
        "cat_version": report.version(),
        "sd_thickness": sd_thickness,
        "stroke_lesion": lesions,
    }
    for name in GLOBALS:
        require_possible(row[name], name, f"{report.source}: {name.replace('mean_', 'the mean ')}")
    return row | settings(report)


def _filled(vector: np.ndarray, length: int) -> list[float]:
    """Return the first elements as floats, NaN where the vector is shorter."""
    return [*vector[:length].tolist(), *[np.nan] * (length - len(vector))]


def settings(report: Report) -> dict[str, str]:
    """Return the settings and software that decide what may be compared.

    They stand under `parameter/extopts` up to CAT12, under `parameter/vbm/extopts` in CAT26.
    """

    def setting(name: str) -> str:
        places = ("parameter/extopts/", "parameter/vbm/extopts/", "parameter/opts/")
        return next((text for place in places if (text := report.text(place + name))), "")

    matlab = report.text("software/version_matlab")
    return {
        "wmh_handling": setting("WMHC"),
        "lesion_handling": setting("SLC"),
        "voxel_size": setting("vox"),
        "spm_version": report.text("software/version_spm"),
        "software": f"MATLAB {matlab}" if matlab else _octave(report.text("software/version_octave")),
    }


def _octave(version: str) -> str:
    return f"Octave {version}" if version else ""


def quality_of(report: Report) -> dict[str, Any]:
    """Return one row of `quality`, without the scan's name: CAT12's marks as written, percent and grade made
    of them.
    """
    row: dict[str, Any] = {name: report.scalar(f"qualityratings/{tag}") for name, tag in MARKS.items()}
    for name in ("iqr", "siqr"):
        row[f"{name}_percent"] = percent(row[name])
        row[f"{name}_grade"] = grade(row[name])
    row["euler_number"] = report.scalar("qualitymeasures/SurfaceEulerNumber")
    row["warnings"] = warnings(report)
    return row


def quirks(report: Report, wmh_handling: str) -> list[str]:
    """Return what is known to be odd about the numbers of a report; they are passed on as they are.

    From CAT12's source, not from runs: with WMHC 2 the volume of white matter hyperintensities is added to
    grey matter (the comment there says white) in r1740 to r2041; surf_TSA adds the left surface twice in
    r1570 to r2041.
    """
    notes = []
    revision = re.search(r"r(\d+)$", report.version())
    number = int(revision[1]) if revision else 0
    if wmh_handling == "2" and 1740 <= number <= 2041:
        notes.append("white matter hyperintensities are counted to grey matter (WMHC 2)")
    if len(report.vector("subjectmeasures/surf_TSA")) and 1570 <= number <= 2041:
        notes.append("surf_TSA is twice the left surface area and not read")
    total, parts = report.scalar("subjectmeasures/vol_TIV"), report.vector("subjectmeasures/vol_abs_CGW")
    if len(parts) and abs(float(np.nansum(parts)) - total) > 0.005 * total:
        notes.append("tissue volumes do not add up to the intracranial volume")
    return notes


def implausible(globals: Mapping[str, Any]) -> list[str]:
    """Return which whole-brain numbers of a scan are possible but implausible, in words."""
    rules = {name: range_of(name) for name in GLOBALS if name in globals}
    return [
        f"{name} is {globals[name]:g} {rule.unit}, {rule.implausible_as(globals[name])}"
        for name, rule in rules.items()
        if rule.implausible(globals[name])
    ]


def warnings(report: Report) -> str:
    """Return the identifiers of CAT12's own warnings, joined by blanks."""
    found = []
    for kind in ("cat_warnings", "cat_qa_warnings"):
        for element in report.root.findall(f"software/{kind}//identifier"):
            found.append(re.sub(r"\s+", "_", without_paths((element.text or "").strip())))
    return " ".join(sorted({word for word in found if word}))


def percent(mark: float) -> float:
    """Turn a mark (1 best, 6 worst) into CAT12's percent: 105 - 10 x mark, within 0 and 100."""
    return min(max(105 - 10 * mark, 0.0), 100.0) if mark == mark else np.nan


def grade(mark: float) -> str:
    """Turn a mark into CAT12's grade, A+ to F; blank where there is no mark."""
    if mark != mark:
        return ""
    place = math.floor((min(max(mark, 0.0), WORST) + 2 / 3) * 3 - 3 + 0.5)
    return GRADES[min(max(place, 1), 16) - 1]
