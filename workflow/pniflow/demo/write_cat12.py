"""A CAT12 longitudinal output tree in the toolbox's own XML, and the lesion tables of LST-AI.

Format: root S, 15 digits, rows `[a b]`, columns `[a;b]`, cells as `item` (cat_io_xml of CAT12.8.1 r2041).
"""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

from pniflow.demo.observe import METRICS
from pniflow.demo.scenario import regions
from pniflow.demo.simulation import Study

VERSION, REVISION = "12.8.1", "2041"
# raw values that are rated 1 (best) and 6 (worst)
RATING = {"NCR": (0.0466, 0.3949), "ICR": (0.2178, 2.2338), "res_RMS": (0.5, 3.0), "res_ECR": (0.02, 1.0)}
TAGS = dict(zip(METRICS, ("Vgm", "Vwm", "Vcsf", "thickness"), strict=True))
# of one atlas: the text before its numbers; metric, rows of the region table, format of each; the text behind
Template = tuple[str, list[tuple[str, np.ndarray, str]], str]
HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<S>\n'


def write_cat12(study: Study, folder: Path) -> None:
    """Write reports and label files of every scan.

    A person with several scans goes through the longitudinal pipeline: `r` before the stem, and averages and
    `catlong` beside the first scan. A person with one scan does not.
    """
    design, scanned = study.design, study.presence.scanned
    volume, surface = _templates(volume=True), _templates(volume=False)
    for person, label in enumerate(design.labels):
        sessions = np.flatnonzero(scanned[person]).tolist()
        stems = [f"{label}_{design.session_ids[session]}_T1w" for session in sessions]
        anat = [folder / label / design.session_ids[session] / "anat" for session in sessions]
        for session, stem, place in zip(sessions, stems, anat, strict=True):
            name = f"r{stem}" if len(sessions) > 1 else stem
            sizes = _sizes(study, person, [session])
            _save(place / "report" / f"cat_{name}.xml", _report(study, person, [session], name))
            _save(place / "label" / f"catROI_{name}.xml", _labels(volume, sizes))
            _save(place / "label" / f"catROIs_{name}.xml", _labels(surface, sizes))
        if len(sessions) > 1:
            name, sizes = f"avg_{stems[0]}", _sizes(study, person, sessions)
            _save(anat[0] / "report" / f"cat_{name}.xml", _report(study, person, sessions, name))
            _save(anat[0] / "label" / f"catROIs_{name}.xml", _labels(surface, sizes))
            _save(anat[0] / "report" / f"catlong_{stems[0]}.xml", _long(stems))


def _sizes(study: Study, person: int, sessions: list[int]) -> dict[str, np.ndarray]:
    """Return region sizes by metric, averaged over sessions."""
    return {metric: values[person, sessions].mean(axis=0) for metric, values in study.brains.sizes.items()}


def _templates(volume: bool) -> list[Template]:
    """Return the text of a label file around its numbers, atlas by atlas."""
    table, result = regions(), []
    separator = ";" if volume else " "  # label files hold columns for volumes, rows for surfaces
    metrics = METRICS[:3] if volume else METRICS[3:]
    for atlas in dict.fromkeys(table["atlas"].tolist()):
        rows = np.flatnonzero(table["atlas"] == atlas)
        if volume != bool(np.isfinite(table["gm_volume"][rows]).any()):
            continue
        ids = ";".join(table["id"][rows].tolist())
        names = "".join(f"         <item>{escape(name)}</item>\n" for name in table["name"][rows].tolist())
        names = f"      <names>\n{names}      </names>\n"
        if not volume:
            names += "      <comments>\n         <item>cat_surf_surf2roi</item>\n      </comments>\n"
        version = f"      <version>{REVISION}</version>\n"
        before = f"   <{atlas}>\n      <ids>[{ids}]</ids>\n{names}{version}      <data>\n"
        parts = []
        for metric in metrics:
            known = np.isfinite(table[metric][rows])
            shape = separator.join("%.15g" if number else "NaN" for number in known)  # NaN: medial wall
            parts.append((metric, rows[known], f"         <{TAGS[metric]}>[{shape}]</{TAGS[metric]}>\n"))
        result.append((before, parts, f"      </data>\n   </{atlas}>\n"))
    return result


def _labels(templates: list[Template], sizes: dict[str, np.ndarray]) -> str:
    """Return a label file."""
    text = [HEAD]
    for before, parts, behind in templates:
        numbers = [shape % tuple(sizes[metric][rows].tolist()) for metric, rows, shape in parts]
        text += [before, *numbers, behind]
    return "".join([*text, "</S>\n"])


def _report(study: Study, person: int, sessions: list[int], stem: str) -> str:
    """Return the report of a scan, or of the average over several."""
    brains = study.brains
    tissue = {name: float(values[person, sessions].mean()) for name, values in brains.tissue.items()}
    marks = {name: float(values[person, sessions].mean()) for name, values in brains.marks.items()}
    thickness = float(brains.mean_thickness[person, sessions].mean())
    classes = [tissue["csf"], tissue["gm"], tissue["wm"], 0.0, 0.0]  # with WMHC 2 the last two are empty
    total = sum(classes)
    raw = {name: best + (marks[name] - 1) / 5 * (worst - best) for name, (best, worst) in RATING.items()}
    return _REPORT.format(
        stem=stem,
        version=VERSION,
        revision=REVISION,
        raw="".join(f"      <{name}>{value:.15g}</{name}>\n" for name, value in raw.items()),
        marks="".join(f"      <{name}>{value:.15g}</{name}>\n" for name, value in marks.items()),
        classes=" ".join(f"{value:.15g}" for value in classes),
        relative=" ".join(f"{value / total:.15g}" for value in classes),
        wmh=tissue["wmh"],
        relative_wmh=tissue["wmh"] / total,
        total=total,
        thickness=thickness,
    )


_REPORT = (
    HEAD
    + """   <filedata>
      <path>.</path>
      <file>{stem}</file>
      <fname>./{stem}.nii</fname>
      <F>./{stem}.nii</F>
      <Fm>./mri/m{stem}.nii</Fm>
      <Fp0>./mri/p0{stem}.nii</Fp0>
      <fnames>./{stem}</fnames>
   </filedata>
   <parameter>
      <opts>
         <tpm>
            <item>TPM.nii</item>
         </tpm>
         <ngaus>[1 1 2 3 4 2]</ngaus>
         <affreg>mni</affreg>
         <biasstr>0.5</biasstr>
      </opts>
      <extopts>
         <gcutstr>2</gcutstr>
         <NCstr>-Inf</NCstr>
         <LASstr>0.5</LASstr>
         <WMHC>2</WMHC>
         <SLC>0</SLC>
         <restype>optimal</restype>
         <resval>[1 0.3]</resval>
         <species>human</species>
         <vox>1.5</vox>
         <pbtres>0.5</pbtres>
         <bids_yes>0</bids_yes>
         <report/>
      </extopts>
   </parameter>
   <qualitymeasures>
      <res_vx_vol>[1 1 1]</res_vx_vol>
      <res_vx_voli>[1 1 1]</res_vx_voli>
{raw}      <res_BB>0</res_BB>
      <tissue_weighting>T1</tissue_weighting>
   </qualitymeasures>
   <qualityratings>
{marks}      <res_BB>1</res_BB>
   </qualityratings>
   <software>
      <version_spm>7771</version_spm>
      <version_matlab>9.3</version_matlab>
      <version_cat>{version}</version_cat>
      <revision_cat>{revision}</revision_cat>
      <qamethod>cat12</qamethod>
   </software>
   <subjectmeasures>
      <vol_abs_CGW>[{classes}]</vol_abs_CGW>
      <vol_abs_WMH>{wmh:.15g}</vol_abs_WMH>
      <vol_rel_WMH>{relative_wmh:.15g}</vol_rel_WMH>
      <vol_TIV>{total:.15g}</vol_TIV>
      <vol_rel_CGW>[{relative}]</vol_rel_CGW>
      <dist_thickness>
         <item>[{thickness:.15g} 0.85]</item>
      </dist_thickness>
   </subjectmeasures>
   <ppe>
      <affreg>
         <skullstripped>[false]</skullstripped>
      </affreg>
   </ppe>
   <catlog>
      <item>CAT{version} r{revision}: {stem}</item>
   </catlog>
</S>
"""
)


def _long(stems: list[str]) -> str:
    """Return the subject report of the longitudinal pipeline: its time points in order."""
    scans = "".join(f"            <item>./{stem}.nii,1</item>\n" for stem in stems)
    body = f"      <subj>\n         <mov>\n{scans}         </mov>\n      </subj>\n"
    return f"{HEAD}   <parameter>\n{body}   </parameter>\n</S>\n"


def write_lesions(study: Study, folder: Path) -> None:
    """Write what LST-AI writes per scan: number of lesions, voxels of 1 mm, volume in mm3."""
    brains, design = study.brains, study.design
    for person, session in np.argwhere(study.presence.scanned):
        voxels = round(1000 * float(brains.lesion_volume[person, session]))
        line = f"{brains.lesion_count[person, session]},{voxels},{float(voxels)!r}\n"
        name = f"{design.labels[person]}_{design.session_ids[session]}_lesion_stats.csv"
        _save(folder / name, "Num_Lesions,Num_Vox,Lesion_Volume\n" + line)


def _save(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
