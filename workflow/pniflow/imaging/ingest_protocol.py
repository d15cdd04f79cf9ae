"""The images themselves: how each T1w and FLAIR image was measured, by its header and sidecar, and what
deviates.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pniflow import contracts
from pniflow.config import read_study
from pniflow.errors import InputError, listing, shown
from pniflow.imaging.comparability import one_spelling
from pniflow.imaging.naming import entities, say_misplaced
from pniflow.imaging.nifti import HEADER, header_of
from pniflow.raw import gate

if TYPE_CHECKING:
    import pandas as pd

# Sidecar key -> column; what decides whether images can be compared.
SIDECAR = {
    "RepetitionTime": "repetition_time",
    "EchoTime": "echo_time",
    "InversionTime": "inversion_time",
    "FlipAngle": "flip_angle",
    "MagneticFieldStrength": "field_strength",
    "Manufacturer": "manufacturer",
    "ManufacturersModelName": "scanner_model",
    "SoftwareVersions": "software",
    "ReceiveCoilName": "receive_coil",
}
TEXTS = {"manufacturer", "scanner_model", "software", "receive_coil"}

# What differs between two visits of one person matters most; sizes and times may round differently.
TOLERANCE = {"voxel_x": 0.01, "voxel_y": 0.01, "voxel_z": 0.01, "repetition_time": 0.005, "echo_time": 0.0005}
_TOLERANCE = 0.01

_IMAGE = re.compile(r"sub-.+_(?P<suffix>T1w|FLAIR)\.nii(?:\.gz)?")
# Of what converters write of a patient, the position in the scanner alone tells nothing; BIDS recommends keys
# of the institution.
_IDENTIFYING = re.compile(
    r"^(Patient(?!Position$)|Physician|Operator|Referring|Performing|Requesting|Other)|BirthDate"
)
# Header texts that converters and toolboxes write; anything else may be a person's.
_TOOLS = (
    "FSL|SPM|CAT|FreeSurfer|dcm2niix?|mri_convert|ANTs|ITK|AFNI|nibabel|NIfTI|4D|3D|MRIcro|Philips|GE|Siemens"
)
_SPM_DICOM = r"[\d.]+T \w+ [\w\\]+ TR=[\d.]+ms/TE=[\d.]+ms/FA=[\d.]+deg( \d\d-\w{3}-\d{4} [\d:.]+( Mosaic)?)?"
_FSL_6 = r"\d+\.\d+\.\d+(\.\d+)?(:[0-9a-f]+)?"
_MEASURED = r"\??((TR|TE|TI|FA|Time|phase|mb|dwell|GRAPPA|SENSE|iPAT|bet)[=: ]?[\d.]*(ms|s|deg)?[;:,/ ]*)+"
_HARMLESS = re.compile(rf"|({_TOOLS})[\w .:;=/()+-]*|{_MEASURED}|{_SPM_DICOM}|{_FSL_6}", re.IGNORECASE)
_DATE = re.compile(r"(19|20)\d\d[-./]?(0[1-9]|1[0-2])[-./]?(0[1-9]|[12]\d|3[01])|\^|@")
_LARGEST_EXTENSION = 2**20


def ingest_protocol(
    *, folder: Path, study: Path | None = None, protocol: Path, isotropic: float = 1.0
) -> None:
    """Read how each T1w and FLAIR image of a BIDS folder was measured, and flag what deviates.

    Headers only: no voxel is read. Nothing copies a header's texts; one that could identify a person is
    flagged by its place, not repeated. A sidecar's key that could is refused.

    Parameters
    ----------
    folder : Path
        A BIDS folder with sub-*/[ses-*/]anat images.
    study : Path, optional
        study.yaml: the order of sessions, the session of images whose names hold none, and the voxel size
        asked for (`images.session`, `images.voxel_size`).
    protocol : Path
        Table to write (contract `protocol`), a row per image.
    isotropic : float
        Voxel size that the protocol asks for (mm), without a study; others are flagged.

    Raises
    ------
    InputError
        No images, a file that is no NIfTI image, a header extension or a sidecar's key that could identify
        a person, a folder and a file name that say two people or sessions.
    """
    import pandas as pd

    described = read_study(study) if study else {"sessions": {}}
    section = described.get("images", {"voxel_size": isotropic})
    rows = [_row(path, source, suffix, folder) for path, source, suffix in _images(folder)]
    if not rows:
        raise InputError(
            f"{folder}: there are no images named sub-*_T1w.nii.gz or sub-*_FLAIR.nii.gz in this folder."
        )
    table = pd.DataFrame(rows)
    say_misplaced({row["source"]: row["session_id"] for row in rows})
    texts = table.loc[table["header_texts"].notna(), "source"]
    if len(texts):
        print(
            f"{len(texts)} images have header texts that could identify a person ({listing(list(texts), 3)});"
            " nothing copies them, but clear them before images are shared.",
            file=sys.stderr,
        )
    table["session_id"] = table["session_id"].fillna(section.get("session"))
    order = {name: place for place, name in enumerate(described["sessions"])}
    table = table.assign(place=table["session_id"].map(order)).sort_values(
        ["participant_id", "place", "session_id", "suffix", "source"], kind="stable"
    )
    table = table.drop(columns="place").reset_index(drop=True)
    contracts.write_table(deviations(table, section["voxel_size"]), protocol, "protocol")


def deviations(table: pd.DataFrame, isotropic: float | None) -> pd.DataFrame:
    """Add what deviates: `within_person`, from the person's first image of that kind; `in_study`, from
    isotropic voxels and from the most common value of the study.

    Parameters
    ----------
    table : DataFrame
        Contract `protocol`, sorted by participant and session.
    isotropic : float, optional
        Voxel size asked for, in mm.
    """
    import pandas as pd

    spelled = one_spelling(table)
    person: list[list[str]] = [[] for _ in range(len(table))]
    study: list[list[str]] = [[] for _ in range(len(table))]
    voxels = table[["voxel_x", "voxel_y", "voxel_z"]].to_numpy()
    unlike = np.abs(voxels - (np.nan if isotropic is None else isotropic)) > TOLERANCE["voxel_x"]
    for row in np.flatnonzero(unlike.any(axis=1)):
        size = " x ".join(f"{size:.3g}" for size in voxels[row])
        study[row].append(f"voxels of {size} mm, not {isotropic:g} mm isotropic")
    places = ("participant_id", "session_id", "suffix", "header_texts", "source")
    compared = [name for name in table.columns if name not in places]
    for name in compared:
        values = spelled[name]
        first = values.groupby([table["participant_id"], table["suffix"]]).transform("first")
        usual = values.groupby(table["suffix"]).transform(
            lambda group: group.mode().iloc[0] if group.notna().any() else None
        )
        for reference, whose, flags in (
            (first, "the person's first image", person),
            (usual, "the study's usual", study),
        ):
            if pd.api.types.is_numeric_dtype(values):
                differs = (values - reference).abs() > TOLERANCE.get(name, _TOLERANCE)
            else:
                differs = values.notna() & reference.notna() & (values != reference)
            for row in np.flatnonzero(differs.to_numpy(dtype=bool)):
                flags[row].append(f"{name} {values[row]} differs from {whose} {reference[row]}")
    return table.assign(within_person=["; ".join(words) for words in person]).assign(
        in_study=["; ".join(words) for words in study]
    )


def _images(folder: Path) -> Iterator[tuple[Path, str, str]]:
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder.")
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "derivatives" and not name.startswith("."))
        for name in sorted(names):
            image = _IMAGE.fullmatch(name)
            if image:
                path = Path(place, name)
                yield path, path.relative_to(folder).as_posix(), image["suffix"]


def _row(path: Path, source: str, suffix: str, folder: Path) -> dict[str, Any]:
    import nibabel

    header, texts = _header(path, source)
    shape = header.get_data_shape()
    if len(shape) < 3 or any(size != 1 for size in shape[3:]):
        raise InputError(f"{source}: the image has {len(shape)} dimensions; three were expected.")
    affine, sizes = _geometry(header, source)
    participant, session = entities(source)
    row: dict[str, Any] = {"participant_id": participant, "session_id": session, "suffix": suffix}
    row |= dict(zip(("voxel_x", "voxel_y", "voxel_z"), sizes, strict=True))
    row |= {
        "orientation": "".join(code or "?" for code in nibabel.orientations.aff2axcodes(affine)),
        "handedness": "right" if np.linalg.det(affine[:3, :3]) > 0 else "left",
    }
    return row | _sidecar(path, suffix, folder) | {"header_texts": texts, "source": source}


def _geometry(header: Any, source: str) -> tuple[np.ndarray, list[float]]:
    """Return the matrix from voxels to mm and the voxel sizes, which a header says twice."""
    try:
        affine = header.get_best_affine()
    except (ValueError, np.linalg.LinAlgError):
        affine = np.full((4, 4), np.nan)
    sizes = np.array(header.get_zooms()[:3], dtype=float)
    if not (np.isfinite(affine).all() and np.isfinite(sizes).all() and np.linalg.det(affine)):
        raise InputError(f"{source}: the header's voxel sizes or orientation are damaged.")
    drawn = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    if (np.abs(drawn - sizes) > TOLERANCE["voxel_x"]).any():
        said, meant = (" x ".join(f"{size:.3g}" for size in one) for one in (sizes, drawn))
        raise InputError(
            f"{source}: the header says voxels of {said} mm, its orientation matrix {meant} mm; correct the"
            " wrong one."
        )
    return affine, sizes.tolist()


def _header(path: Path, source: str) -> tuple[Any, str | None]:
    """Read a NIfTI-1 header, and which of its texts could identify a person; nothing beyond header and
    extensions is unpacked.
    """
    content = gate.read_head(path, HEADER, source)
    header = header_of(content, source)
    offset = float(header["vox_offset"])
    texts = []
    for name in ("descrip", "aux_file", "db_name", "intent_name"):
        text = bytes(header[name]).split(b"\0")[0].decode("latin-1").strip()
        if not _HARMLESS.fullmatch(text) or _DATE.search(text):
            texts.append(name)
    if content[348] != 0 and offset > HEADER:
        _check_extensions(path, source, offset, header.endianness)
    return header, ", ".join(texts) or None


def _check_extensions(path: Path, source: str, offset: float, order: str) -> None:
    """Refuse DICOM and comment extensions; they hold what a scanner knows of a person."""
    if not offset <= _LARGEST_EXTENSION:
        raise InputError(f"{source}: the header's extensions take {offset:.0f} bytes; at most 1 MB is read.")
    content = gate.read_head(path, int(offset), source)
    position = HEADER
    while position + 8 <= len(content):
        size, code = np.frombuffer(content[position : position + 8], dtype=f"{order}i4").tolist()
        if code in (2, 6) or size <= 0:
            raise InputError(
                f"{source}: the header has an extension (code {code}) that can hold a person's data;"
                " remove it."
            )
        position += size


def _sidecar(path: Path, suffix: str, folder: Path) -> dict[str, Any]:
    """Return what the JSON files of an image say, as far as it decides comparability; other keys are not
    copied.

    As BIDS has it, a file of that kind in a folder above holds for all images whose names have its entities,
    and one nearer to the image goes before.
    """
    parts = set(path.name.partition(".")[0].split("_"))
    row: dict[str, Any] = dict.fromkeys(SIDECAR.values())
    for place in [place for place in reversed(path.parents) if place == folder or folder in place.parents]:
        for beside in sorted(place.glob(f"*{suffix}.json"), key=lambda one: len(one.name)):
            if set(beside.stem.split("_")) <= parts:
                row |= _said(beside, beside.relative_to(folder).as_posix())
    return row


def _said(path: Path, name: str) -> dict[str, Any]:
    """Read one sidecar: what it says of the columns of `SIDECAR`."""
    said = gate.read_json(path, name)
    if not isinstance(said, dict):
        raise InputError(f"{name}: a JSON object was expected.")
    for key, value in said.items():
        if _IDENTIFYING.search(str(key)) and str(value).strip() not in ("", "None", "[]"):
            raise InputError(
                f"{name}: the key {key} could identify a person; remove it before the image is used."
            )
    row: dict[str, Any] = {}
    for key, column in SIDECAR.items():
        value = said.get(key)
        if value is None:
            continue
        if column in TEXTS:
            row[column] = " ".join(map(str, value)) if isinstance(value, list) else str(value)
            continue
        # BIDS lets the images of several echoes have an array; the first echo stands for them.
        several = value if isinstance(value, list) else [value]
        if any(isinstance(one, bool) or not isinstance(one, int | float) for one in several):
            raise InputError(f"{name}: {key} is {shown(str(value))}; a number was expected.")
        row[column] = several[0] if several else None
    return row
