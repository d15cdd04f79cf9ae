"""Raw files of every kind with something wrong in them: read, or refused in one sentence; nothing is left."""

from __future__ import annotations

import gzip
import io
import json
import random
import sys
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import nibabel
import numpy as np
import openpyxl
import pytest
from scipy.io import savemat

import cat12_files as cat12
import map_studies
from conftest import LONG
from expression_files import counts
from pniflow.errors import InputError
from pniflow.expression.ingest_expression import ingest_expression
from pniflow.imaging.cat12.gather_surfaces import gather_surfaces
from pniflow.imaging.cat12.gather_voxels import gather_voxels
from pniflow.imaging.cat12.index_cat12 import index_cat12
from pniflow.imaging.cat12.overlays import read_gifti, read_triangles
from pniflow.imaging.cat12.parse_cat12 import parse_cat12
from pniflow.imaging.ingest_freesurfer import ingest_freesurfer
from pniflow.imaging.ingest_lesions import ingest_lesions
from pniflow.imaging.ingest_protocol import ingest_protocol
from pniflow.study.ingest_study import ingest_study
from study_files import small_redcap, text_of, write_study
from workflow.listening.sitecustomize import module

COUNT = 2300 if LONG else 20
LIMIT = 10  # seconds of processor time that one file may take


class Kind(NamedTuple):
    """A kind of raw file: the one to change among those of a folder, and how it is read to a folder `out`."""

    file: str
    read: Callable[[Path, Path], object]


Made = Callable[[Path], Kind]


# -- What is done to a file ---------------------------------------------------------------------------------

ODD = [
    *(b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b'"', b"'", b"\t", b",", b";", b"\r", b"\n\n", b"#", b"<", b">"),
    *(b"&", b"{", b"]", b"=", b"1e308", b"-1e999", b"inf", b"NaN", b"-1", b"0", b"1_0", b"9" * 400),
    *("µ".encode("latin-1"), "ß名".encode(), b"[" * 2000, b" " * 5000, b"../", b"$(touch x)", b"%s{}"),
]


def changed(content: bytes, chance: random.Random) -> bytes:
    """Return content with one to three things wrong in it: of its bits, its bytes, its lines or its cells."""
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        size = max(len(content), 1)
        at = chance.randrange(size)
        end = min(at + chance.choice([1, 2, 4, 8, 64, 512]), size)
        match chance.randrange(12):
            case 0 if content:
                content = content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 :]
            case 1:
                content = content[:at] + bytes([chance.randrange(256)]) + content[at + 1 :]
            case 2:
                content = content[:at] + content[end:]
            case 3:
                content = content[:at]
            case 4:
                content = content[:end] + content[at:end] * chance.choice([1, 2, 50]) + content[end:]
            case 5:
                content = content[:at] + chance.choice(ODD) + content[end:]
            case 6:
                content = content[:at] + chance.choice(ODD) + content[at:]
            case 7:
                content = content[:at] + chance.randbytes(4) + content[at + 4 :]
            case _:
                content = lines_changed(content, chance)
    return content


def lines_changed(content: bytes, chance: random.Random) -> bytes:
    lines = content.split(b"\n")
    row, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    sign = max((b"\t", b",", b";", b" ", b">"), key=lines[row].count)
    cells = lines[row].split(sign)
    place = chance.randrange(len(cells))
    match chance.randrange(7):
        case 0:
            del lines[row]
        case 1:
            lines.insert(other, lines[row])
        case 2:
            lines[row], lines[other] = lines[other], lines[row]
        case 3:
            lines = lines[: row + 1]
        case kind:
            if kind == 4:
                del cells[place]
            elif kind == 5:
                cells.insert(place, cells[chance.randrange(len(cells))])
            else:
                cells[place] = chance.choice(ODD)
            lines[row] = sign.join(cells)
    return b"\n".join(lines)


def mutated(name: str, content: bytes, chance: random.Random) -> bytes:
    """Change a file as it is, or (every other time) what is packed in it."""
    if chance.random() < 0.5:
        if name.endswith(".gz"):
            return gzip.compress(changed(gzip.decompress(content), chance), 1)
        if name.endswith(".xlsx"):
            made = io.BytesIO()
            with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w") as new:
                other = chance.choice(old.namelist())
                for member in old.namelist():
                    held = old.read(member)
                    new.writestr(member, changed(held, chance) if member == other else held)
            return made.getvalue()
    return changed(content, chance)


# -- The kinds: a study's tables ----------------------------------------------------------------------------

VISITS = text_of(
    ["id", "visit", *(f"pss10_{item}" for item in range(1, 11))],
    [[f"P{who}", visit, *[(who + item) % 5 for item in range(10)]] for who in range(1, 5) for visit in "ab"],
).encode()


def plain_study(name: str, content: bytes) -> Made:
    def make(folder: Path) -> Kind:
        (folder / name).write_bytes(content)
        (folder / "people.csv").write_text(
            "id,age\n" + "".join(f"P{who},{40 + who}\n" for who in range(1, 5))
        )
        table = {
            "file": name,
            "id": "id",
            "session": "visit",
            "session_codes": {"a": "ses-pre", "b": "ses-post"},
        }
        study = write_study(
            folder / "study.yaml",
            participants={"file": "people.csv", "id": "id"},
            tables=[table],
            covariates={"age": {"field": "age", "unit": "years"}},
            instruments={"pss10": {"fields": "pss10_{item}"}},
        )
        return Kind(name, lambda data, out: ingest_study(study=study, data=data, out=out))

    return make


def workbook(text: str = VISITS.decode()) -> bytes:
    book = openpyxl.Workbook()
    for line in text.splitlines():
        book.active.append([int(cell) if cell.isdigit() else cell for cell in line.split(",")])
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def redcap(name: str) -> Made:
    def make(folder: Path) -> Kind:
        study = write_study(folder / "study.yaml", **small_redcap(folder))
        return Kind(name, lambda data, out: ingest_study(study=study, data=data, out=out))

    return make


def assay(folder: Path) -> Kind:
    kind = plain_study("visits.csv", VISITS)(folder)
    rows = [f"P{who};{visit};{who},5" for who in range(1, 5) for visit in "ab"]
    (folder / "crp.csv").write_text("\n".join(["id;visit;crp", *rows, ""]))
    columns = {"participant": "id", "session": "visit", "value": "crp"}
    rule = {"file": "crp.csv", "columns": columns, "unit": "mg/l",
            "session_codes": {"a": "ses-pre", "b": "ses-post"}}  # fmt: skip
    study = write_study(
        folder / "study.yaml", participants={"file": "people.csv", "id": "id"}, assays={"crp": rule}
    )
    return kind._replace(file="crp.csv", read=lambda data, out: ingest_study(study=study, data=data, out=out))


def bids(name: str) -> Made:
    def make(folder: Path) -> Kind:
        items = [f"pss10_{item}" for item in range(1, 11)]
        rows = [[f"sub-{who}", f"ses-{visit}", *"0123401234"] for who in "123" for visit in ("pre", "post")]
        files = {
            "bids/participants.tsv": "participant_id\tage\nsub-1\t41\nsub-2\t42\nsub-3\t43\n",
            "bids/phenotype/pss.tsv": text_of(["participant_id", "session_id", *items], rows, "\t"),
            "bids/sub-1/sub-1_sessions.tsv": "session_id\nses-pre\nses-post\n",
        }
        cat12.write(folder, files)
        study = write_study(
            folder / "study.yaml",
            bids={"folder": "bids"},
            covariates={"age": {"field": "age", "unit": "years"}},
            instruments={"pss10": {"fields": "pss10_{item}"}},
        )
        return Kind(f"bids/{name}", lambda data, out: ingest_study(study=study, data=data, out=out))

    return make


# -- Expression ---------------------------------------------------------------------------------------------

GENES, COUNTS = counts(2, others=10)


def levels(file: str, text: str | bytes, *, unit: str = "counts", many: bool = False, **more: object) -> Made:
    """Write a matrix, or a second sample's file beside the first one's."""

    def make(folder: Path) -> Kind:
        raw = folder / "raw"
        content = text.encode() if isinstance(text, str) else text
        content = gzip.compress(content, 1) if file.endswith(".gz") else content
        cat12.write(raw, {file.format("A"): content, **({file.format("B"): content} if many else {})})
        options = {key: folder / value if key == "tx2gene" else value for key, value in more.items()}
        (folder / "tx.csv").write_text(
            "TX,GENE\n" + "".join(f"T{n},{gene}\n" for n, gene in enumerate(GENES))
        )
        given = {"quantifications": [raw]} if many else {"matrix": raw / file}

        def read(_: Path, out: Path) -> None:
            ingest_expression(**given, unit=unit, out=out / "l.parquet", genes=out / "g.tsv", **options)

        name = "tx.csv" if more.get("changed") else f"raw/{file.format('A')}"
        options.pop("changed", None)
        return Kind(name, read)

    return make


def rows(form: str, head: str = "", names: list[str] = GENES) -> str:
    return head + "".join(
        form.format(name, *values) + "\n" for name, values in zip(names, COUNTS.tolist(), strict=True)
    )


TRANSCRIPTS = [f"T{number}" for number in range(len(GENES))]
SALMON = rows("{0}\t9\t9\t{1}\t{2}", "Name\tLength\tEffectiveLength\tTPM\tNumReads\n", TRANSCRIPTS)
KALLISTO = rows("{0}\t9\t9\t{1}\t{2}", "target_id\tlength\teff_length\test_counts\ttpm\n")
RSEM = rows(
    "{0}\tt\t9\t9\t{1}\t{2}\t1",
    "gene_id\ttranscript_id(s)\tlength\teffective_length\texpected_count\tTPM\tFPKM\n",
)
RCC_HEAD = (
    "<Header>\nFileVersion,1.7\n</Header>\n<Lane_Attributes>\nFovCount,280\nFovCounted,270\n"
    "ScannerID,1504C0267\nBindingDensity,0.66\n</Lane_Attributes>\n"
    "<Code_Summary>\nCodeClass,Name,Accession,Count\n"
)
CONTROLS = "Positive,POS_A(128),E,9000\nPositive,POS_C(8),E,600\nPositive,POS_E(0.5),E,40\n" + "".join(
    f"Negative,NEG_{n},E,{n}\n" for n in range(4)
)
RCC = rows("Endogenous,{0},NM_1,{1}", RCC_HEAD) + f"Housekeeping,TBP,NM_2,90\n{CONTROLS}</Code_Summary>\n"
PLEXSET = (
    RCC_HEAD
    + "".join(rows(f"Endogenous{well}s,{{0}},NM_1,{{1}}") for well in range(1, 9))
    + f"{CONTROLS}</Code_Summary>\n"
)
NSOLVER = rows(
    "{0},NM_1,Endogenous,50,{1},{2}", "Probe Name,Accession #,Class Name,% Samples above Threshold,A,B\n"
)
GDC = rows(
    "{0}\t{0}\tprotein_coding\t{1}\t{1}\t0\t{2}\t1\t1",
    "# gene-model: GENCODE v36\ngene_id\tgene_name\tgene_type\tunstranded\tstranded_first\tstranded_second\t"
    "tpm_unstranded\tfpkm_unstranded\tfpkm_uq_unstranded\nN_unmapped\t\t\t1\t2\t3\t\t\t\n",
)
SIGNALS = rows(
    "ILMN_1\t{0}\t{1}\t0.01\t{2}\t0.02",
    "[Sample Probe Profile]\nID\tSYMBOL\tA.AVG_Signal\tA.Detection Pval\tB.AVG_Signal\tB.Detection Pval\n",
)
MERGED = rows("{0}\t{0}\t{1}.25\t{2}.125", "gene_id\tgene_name\tA\tB\n")
PEOPLE = "".join(
    ",".join(map(str, row)) + "\n"
    for row in [
        ["id", "age", *GENES],
        *([f"P{n}", 41.5, *column] for n, column in enumerate(COUNTS.T.tolist())),
    ]
)
EXPORT = rows(
    "Endogenous,{0},NM_1,{1},{2}", "File Name,,,A.RCC,B.RCC\nGene RLF,,,x,x\nCodeClass,Name,Accession,,\n"
)
WELLS = "Block Type\t96\n\nWell\tSample Name\tTarget Name\tCT\n" + "".join(
    f"{n}\t{sample}\t{gene}\t{20 + n % 9}.5\n" for n, gene in enumerate(GENES[:30]) for sample in "AB"
)
PLATE = "[Sample Setup]\nWell\tSample Name\tTarget Name\tTask\n1\tA\tIL6\tUNKNOWN\n\n[Results]\n" + (
    "Well\tOmit\tSample Name\tTarget Name\tTask\tCT\n"
    + "".join(
        f"{n}\tfalse\t{sample}\t{gene}\tUNKNOWN\t{20 + n % 9}.5\n"
        for n, gene in enumerate(GENES[:30])
        for sample in "AB"
    )
    + "99\ttrue\tA\tIL6\tUNKNOWN\t40\n100\tfalse\twater\tIL6\tNTC\t39\n\nAnalysis Type\tSingleplex\n"
)
SERIES = (
    '!Series_title\t"blood"\n!series_matrix_table_begin\n'
    + rows('"{0}"\t{1}\t{2}', '"ID_REF"\t"GSM1"\t"GSM2"\n')
    + "!series_matrix_table_end\n"
)

# -- Imaging ------------------------------------------------------------------------------------------------


def parsed(files: dict[str, str | bytes], file: str, **options: bool) -> Made:
    def make(folder: Path) -> Kind:
        cat12.write(folder / "cat12", files)
        out = {"regions": "r.parquet", "globals": "g.tsv", "quality": "q.tsv"}
        return Kind(
            f"cat12/{file}",
            lambda data, to: parse_cat12(
                [data / "cat12"], **{name: to / end for name, end in out.items()}, **options
            ),
        )

    return make


def mat() -> bytes:
    held = {"subjectmeasures": {"vol_TIV": 1400.0, "vol_abs_CGW": np.arange(1, 6) * 100.0}}
    stream = io.BytesIO()
    savemat(stream, {"S": held}, do_compression=True)
    return stream.getvalue()


def scans_listed(folder: Path) -> Kind:
    cat12.write(folder / "cat12", cat12.good_scan("a") | cat12.good_scan("b"))
    (folder / "scans.tsv").write_text("scan\tparticipant_id\tsession_id\na\tP1\tses-pre\nb\tP1\tses-post\n")
    study = cat12.study(folder, "scans: scans.tsv")
    return Kind(
        "scans.tsv",
        lambda data, out: index_cat12(folder=data / "cat12", study=study, batches=1, scans=out / "s.tsv"),
    )


def image(name: str) -> Made:
    def make(folder: Path) -> Kind:
        for stem in ("sub-1_ses-a", "sub-1_ses-b"):
            values = np.random.default_rng(1).uniform(0.2, 0.8, map_studies.SHAPE)
            map_studies.image(folder / "cat12" / name.format(stem), values)
        listed = map_studies.scans(folder, "sub-1_ses-a", "sub-1_ses-b")

        def read(data: Path, out: Path) -> None:
            gather_voxels(
                folder=data / "cat12",
                scans=listed,
                voxels=out / "v.npy",
                index=out / "v.tsv",
                mask=out / "m.nii.gz",
            )

        return Kind(f"cat12/{name.format('sub-1_ses-b')}", read)

    return make


def curv(folder: Path) -> Kind:
    cat12.write(folder / "cat12", {f"surf/{side}.thickness.sub-1_ses-a": cat12.CURV for side in ("lh", "rh")})
    listed = map_studies.scans(folder, "sub-1_ses-a")

    def read(data: Path, out: Path) -> None:
        gather_surfaces(
            folder=data / "cat12", scans=listed, surfaces=out / "t.npy", index=out / "t.tsv", mesh="native"
        )

    return Kind("cat12/surf/lh.thickness.sub-1_ses-a", read)


def gifti(external: bool, file: str) -> Made:
    def make(folder: Path) -> Kind:
        cat12.with_mesh(folder, "mesh", np.arange(5.0), cat12.TRIANGLES, external)

        def read(data: Path, _: Path) -> None:
            read_gifti(data / "mesh.gii", "mesh.gii", 5)
            read_triangles(data / "mesh.gii", "mesh.gii", 5)

        return Kind(file, read)

    return make


def protocol(file: str) -> Made:
    def make(folder: Path) -> Kind:
        path = folder / "bids/sub-1/ses-a/anat/sub-1_ses-a_T1w.nii.gz"
        path.parent.mkdir(parents=True)
        made = nibabel.Nifti1Image(np.zeros((4, 5, 6), dtype=np.int16), np.eye(4))
        made.header.extensions.append(nibabel.nifti1.Nifti1Extension(4, b"x" * 40))
        nibabel.save(made, path)
        said = {
            "RepetitionTime": 2.3,
            "EchoTime": 0.003,
            "Manufacturer": "x",
            "ImageType": ["a", {"b": None}],
        }
        path.with_name("sub-1_ses-a_T1w.json").write_text(json.dumps(said, indent=1))
        return Kind(
            f"bids/sub-1/ses-a/anat/{file}",
            lambda data, out: ingest_protocol(folder=data / "bids", protocol=out / "p.tsv"),
        )

    return make


def freesurfer(file: str, text: str) -> Made:
    def make(folder: Path) -> Kind:
        cat12.write(folder / "fs", {file: text})
        return Kind(
            f"fs/{file}", lambda data, out: ingest_freesurfer(folder=data / "fs", regions=out / "f.parquet")
        )

    return make


ASEG = """# Measure lhCortex, lhCortexVol, Left hemisphere cortical gray matter volume, 250000.5, mm^3
# ColHeaders  Index SegId NVoxels Volume_mm3 StructName normMean
  1   4  100  10500.5  Left-Lateral-Ventricle  30.1
 12  17  100   4200.0  Left-Hippocampus  60.0
"""
APARC = (
    "# ColHeaders StructName NumVert SurfArea GrayVol ThickAvg\nbankssts 900 600 1500 2.4\ninsula 2 3 4 3.1\n"
)
WIDE = "Measure:volume\tLeft-Hippocampus\tBrain-Stem\nsub-1_ses-a\t4200.0\t21000.0\nsub-2_ses-a\t\t9.5\n"
ACROSS = "Measure:volume;a;b\nBrain-Stem;2,5;1\nCSF;2,0;1,5\n"
SIDE = "Subject left_CA1-head left_Whole_hippocampus\nsub-1_ses-a 5.5 30.25\nsub-2_ses-a 5 NA\n"
SUBFIELDS = "subfield,volume_mm^3,subject,hemisphere\nCA1,34.5,bert,left\nCA3,678.9,bert,right\n"


def lesions(folder: Path) -> Kind:
    cat12.write(
        folder / "lst", {"sub-1_ses-a_lesion_stats.csv": "Num_Lesions,Num_Vox,Lesion_Volume\n3,30,33.5\n"}
    )
    return Kind(
        "lst/sub-1_ses-a_lesion_stats.csv",
        lambda data, out: ingest_lesions(folder=data / "lst", lesions=out / "l.tsv"),
    )


def lesion_table(folder: Path) -> Kind:
    (folder / "mine.csv").write_text("id;visit;TLV;n\nA;1;2,5;3\nA;2;;\nB;1;0,25;1\n")
    columns = {"participant": "id", "session": "visit", "volume": "TLV", "count": "n"}
    codes = {"1": "ses-pre", "2": "ses-post"}
    section = {"file": "mine.csv", "columns": columns, "unit": "ml", "session_codes": codes}
    study = write_study(folder / "study.yaml", lesions=section)
    return Kind(
        "mine.csv",
        lambda data, out: ingest_lesions(folder=data / "mine.csv", study=study, lesions=out / "l.tsv"),
    )


def lst(folder: Path) -> Kind:
    kind = lesion_table(folder)
    (folder / kind.file).write_text("FileName,TLV,N\nples_lpa_mrsub-1_ses-pre_FLAIR.nii,12.5,20\n")
    columns = {"participant": "FileName", "session": "FileName", "volume": "TLV", "count": "N"}
    write_study(folder / "study.yaml", lesions={"file": kind.file, "columns": columns, "unit": "ml"})
    return kind


GOOD = {name.replace("_b", "_sub-1_ses-a"): text for name, text in cat12.good_scan("b").items()}
POINTS = cat12.document("<parameter><mov><item>x.nii</item></mov></parameter>")
REGIONS = "names,lHip,rHip\na,2.5,2.25\nb,3,NaN\n"
KINDS: dict[str, Made] = {
    "csv": plain_study("visits.csv", VISITS),
    "packed csv": plain_study("visits.csv.gz", gzip.compress(VISITS, 1)),
    "workbook": plain_study("visits.xlsx", workbook()),
    "list of people": lambda folder: plain_study("v.csv", VISITS)(folder)._replace(file="people.csv"),
    "REDCap export": redcap("export.csv"),
    "REDCap dictionary": redcap("dictionary.csv"),
    "assay": assay,
    "BIDS participants": bids("participants.tsv"),
    "BIDS phenotype": bids("phenotype/pss.tsv"),
    "BIDS sessions": bids("sub-1/sub-1_sessions.tsv"),
    "matrix": levels("m.csv", rows("{},{},{}", "gene,A,B\n")),
    "packed matrix": levels("m.tsv.gz", rows("{}\t{}\t{}", "gene\tA\tB\n")),
    "matrix in a workbook": levels("m.xlsx", workbook(rows("{},{},{}", "gene,A,B\n"))),
    "matrix in UTF-16": levels("m.csv", rows("{},{},{}", "gene,A,B\n").encode("utf-16")),
    "estimated counts": levels("m.tsv", MERGED),
    "people in rows": levels("m.csv", PEOPLE),
    "GenomeStudio": levels("m.txt", SIGNALS, unit="intensity"),
    "GDC": levels("{}.rna_seq.augmented_star_gene_counts.tsv", GDC, many=True),
    "GEO series matrix": levels("s.txt", SERIES),
    "salmon": levels("{}.quant.sf", SALMON, many=True, tx2gene="tx.csv"),
    "tx2gene": levels("{}.quant.sf", SALMON, many=True, tx2gene="tx.csv", changed=True),
    "kallisto": levels("{}/abundance.tsv", KALLISTO, many=True),
    "RSEM": levels("{}.genes.results", RSEM, many=True),
    "STAR": levels("{}ReadsPerGene.out.tab", rows("{0}\t{1}\t0\t{1}", "N_unmapped\t1\t2\t3\n"), many=True),
    "htseq": levels("{}.counts.txt", rows("{0}\t{1}") + "__no_feature\t9\n", many=True),
    "RCC": levels("{}.RCC", RCC, many=True),
    "PlexSet": levels("{}.RCC", PLEXSET, many=True),
    "RCC export": levels("export.csv", EXPORT),
    "nSolver export": levels("export.csv", NSOLVER),
    "wells": levels("wells.txt", WELLS, unit="ct"),
    "plate": levels("plate.txt", PLATE, unit="ct"),
    "CAT12 report": parsed(GOOD, "report/cat_sub-1_ses-a.xml"),
    "CAT12 report (.mat)": parsed({"report/cat_sub-1_ses-a.mat": mat()}, "report/cat_sub-1_ses-a.mat"),
    "CAT12 volumes": parsed(GOOD, "label/catROI_sub-1_ses-a.xml"),
    "CAT12 surfaces": parsed(GOOD, "label/catROIs_sub-1_ses-a.xml"),
    "CAT12 table of regions": parsed({"ROI_hammers_Vgm.csv": REGIONS}, "ROI_hammers_Vgm.csv"),
    "CAT12 table of tissues": parsed({"TIV.txt": "/d/cat_a.xml\t1400.5\t650\t500\t250\t0.25\n"}, "TIV.txt"),
    "CAT12 reports of one name": parsed(
        {f"sub-1/ses-{visit}/report/cat_T1w.xml": cat12.report(tiv=f"140{n}") for visit, n in ("a1", "b2")},
        "sub-1/ses-b/report/cat_T1w.xml",
        allow_failed_files=True,  # the tables of the other scan are kept
    ),
    "CAT12 time points": parsed(GOOD | {"report/catlong_x.xml": POINTS}, "report/catlong_x.xml"),
    "list of scans": scans_listed,
    "NIfTI": image("smwp1{}.nii"),
    "packed NIfTI": image("smwp1{}.nii.gz"),
    "curv": curv,
    "GIfTI": gifti(False, "mesh.gii"),
    "GIfTI with its values beside": gifti(True, "mesh.gii"),
    "values beside GIfTI": gifti(True, "mesh.dat"),
    "image": protocol("sub-1_ses-a_T1w.nii.gz"),
    "sidecar": protocol("sub-1_ses-a_T1w.json"),
    "aseg": freesurfer("sub-1_ses-a/stats/aseg.stats", ASEG),
    "aseg below the person": freesurfer("sub-1/ses-a/stats/aseg.stats", ASEG),
    "aparc": freesurfer("sub-1_ses-a/stats/lh.aparc.stats", APARC),
    "wide table": freesurfer("aseg.txt", WIDE),
    "subfields": freesurfer("sub-1_ses-a/mri/lh.hippoSfVolumes-T1.v21.txt", "CA1-head 520.0\nCA3 5.5\n"),
    "list of volumes": freesurfer("sub-1_ses-a/mri/ThalamicNuclei.v13.T1.volumes.txt", "Left-AV 110.0\n"),
    "samseg": freesurfer("sub-1_ses-a/samseg.stats", "# Measure Left-Caudate, 3500.0, mm^3\n"),
    "table of one side": freesurfer("lh.subfields.txt", SIDE),
    "table with people in columns": freesurfer("aseg.txt", ACROSS),
    "table of the cortex": freesurfer("lh.csv", "lh.aparc.area,lh_insula_area\na,2.5\nb,3.125\n"),
    "table of subfields": freesurfer("subfields.csv", SUBFIELDS),
    "lesions": lesions,
    "LST": lst,
    "table of lesions": lesion_table,
}  # fmt: skip


opened_by: dict[str, set[str]] = {}


def listen(event: str, arguments: tuple) -> None:
    if event == "open" and isinstance(arguments[0], str) and arguments[0] in opened_by:
        opened_by[arguments[0]].add(module())


sys.addaudithook(listen)


@pytest.mark.parametrize("name", list(KINDS))
def test_the_gate_alone_opens_it(name: str, tmp_path: Path) -> None:
    kind = KINDS[name](tmp_path)
    path = str(tmp_path / kind.file)
    opened_by[path] = set()
    (tmp_path / "out").mkdir()
    kind.read(tmp_path, tmp_path / "out")
    assert opened_by.pop(path) == {"pniflow.raw.gate"}


@pytest.mark.long
@pytest.mark.parametrize("name", list(KINDS))
def test_a_changed_file_is_read_or_refused_in_one_sentence(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sentence names what is wrong; no warning stands beside it, and no file is left."""
    kind = KINDS[name](tmp_path)
    out, path = tmp_path / "out", tmp_path / kind.file
    out.mkdir()
    original = path.read_bytes()
    kind.read(tmp_path, out)
    seed = random.SystemRandom().randrange(10**9) if LONG else 1
    for number in range(COUNT):
        for left in out.iterdir():
            left.unlink()
        content = mutated(path.name, original, random.Random(f"{name} {seed} {number}"))
        path.write_bytes(content)
        began = time.process_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                kind.read(tmp_path, out)
        except InputError as error:
            sentence = str(error)
            assert sentence.endswith("."), (seed, number, sentence)
            assert "\n" not in sentence and len(sentence) < 2000, (seed, number, sentence)
            assert list(out.iterdir()) == [], (seed, number, sentence)
        except Exception as error:
            raise AssertionError(f"{name}, seed {seed}, number {number}: {content[:300]!r}") from error
        assert time.process_time() - began < LIMIT, (seed, number)
        if number % 100 == 0:
            capsys.readouterr()
