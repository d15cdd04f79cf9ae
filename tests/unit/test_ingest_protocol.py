"""How images were measured, what deviates between visits, and what must not be in a header."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest

from pniflow.contracts import read_table
from pniflow.errors import InputError
from pniflow.imaging.ingest_protocol import ingest_protocol

SAID = {
    "RepetitionTime": 2.3,
    "EchoTime": 0.003,
    "MagneticFieldStrength": 3,
    "ManufacturersModelName": "Prisma",
}


def image(
    folder: Path,
    name: str,
    *,
    voxel: float = 1.0,
    said: dict[str, object] | None = None,
    mirrored: bool = False,
    **header,
) -> Path:
    affine = np.diag([-voxel if mirrored else voxel, voxel, voxel, 1.0])
    made = nibabel.Nifti1Image(np.zeros((4, 5, 6), dtype=np.int16), affine)
    for key, text in header.items():
        made.header[key] = text
    path = folder / f"{name}.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(made, path)
    (folder / f"{name}.json").write_text(json.dumps(SAID | (said or {})))
    return path


def read(folder: Path) -> pd.DataFrame:
    ingest_protocol(folder=folder, protocol=folder.parent / "protocol.tsv")
    return read_table(folder.parent / "protocol.tsv", "protocol").set_index("source")


def test_headers_and_sidecars_become_a_row_per_image(tmp_path: Path) -> None:
    image(tmp_path / "bids", "sub-1/ses-pre/anat/sub-1_ses-pre_T1w", descrip=b"FSL5.0")
    image(tmp_path / "bids", "sub-1/ses-pre/anat/sub-1_ses-pre_FLAIR", mirrored=True)
    table = read(tmp_path / "bids")
    row = table.loc["sub-1/ses-pre/anat/sub-1_ses-pre_T1w.nii.gz"]
    assert row[["participant_id", "session_id", "suffix", "voxel_x"]].tolist() == [
        "sub-1",
        "ses-pre",
        "T1w",
        1.0,
    ]
    assert (row["orientation"], row["handedness"]) == ("RAS", "right")
    assert row[["repetition_time", "echo_time", "field_strength", "scanner_model"]].tolist() == [
        2.3,
        0.003,
        3,
        "Prisma",
    ]
    flair = table.loc["sub-1/ses-pre/anat/sub-1_ses-pre_FLAIR.nii.gz"]
    assert (flair["orientation"], flair["handedness"]) == ("LAS", "left")
    assert table[["within_person", "in_study"]].isna().all(axis=None)


def test_deviations_are_flagged_within_the_person_and_in_the_study(tmp_path: Path) -> None:
    for person in ("1", "2", "3"):
        for session in ("post", "pre"):
            other = person == "3" and session == "pre"
            said = {"ManufacturersModelName": "Skyra", "EchoTime": 0.0042} if other else {}
            name = f"sub-{person}/ses-{session}/anat/sub-{person}_ses-{session}_T1w"
            image(tmp_path / "bids", name, said=said, voxel=1.2 if other else 1.0)
    table = read(tmp_path / "bids")
    assert table["in_study"].notna().sum() == table["within_person"].notna().sum() == 1
    odd = table.loc["sub-3/ses-pre/anat/sub-3_ses-pre_T1w.nii.gz"]
    assert "voxels of 1.2 x 1.2 x 1.2 mm, not 1 mm isotropic" in odd["in_study"]
    assert "scanner_model Skyra differs from the person's first image Prisma" in odd["within_person"]
    assert "echo_time 0.0042 differs from the study's usual 0.003" in odd["in_study"]


def test_the_study_says_which_session_is_first_and_which_voxels_are_asked_for(tmp_path: Path) -> None:
    """By the alphabet ses-post would come first; 1.2 mm is what this study asks for."""
    for session, software in (("post", "XA30"), ("pre", "VE11C")):
        said = {"SoftwareVersions": software}
        image(tmp_path / "bids", f"sub-1/ses-{session}/anat/sub-1_ses-{session}_T1w", said=said, voxel=1.2)
    image(tmp_path / "bids", "sub-2/anat/sub-2_T1w", said={"SoftwareVersions": "VE11C"}, voxel=1.2)
    study = tmp_path / "study.yaml"
    study.write_text(
        "title: t\nsessions: {ses-pre: {}, ses-post: {}}\n"
        "images: {folder: bids, voxel_size: 1.2, session: ses-pre}\n"
    )
    ingest_protocol(folder=tmp_path / "bids", study=study, protocol=tmp_path / "p.tsv")
    table = read_table(tmp_path / "p.tsv", "protocol")
    assert table[["participant_id", "session_id"]].to_numpy().tolist() == [
        ["sub-1", "ses-pre"], ["sub-1", "ses-post"], ["sub-2", "ses-pre"],
    ]  # fmt: skip
    words = "software XA30 differs from {} VE11C"
    assert table["within_person"].fillna("").tolist() == ["", words.format("the person's first image"), ""]
    assert table["in_study"].fillna("").tolist() == ["", words.format("the study's usual"), ""]


def test_a_sidecar_in_a_folder_above_holds_and_the_nearer_goes_before(tmp_path: Path) -> None:
    for name in ("sub-1/ses-pre/anat/sub-1_ses-pre_T1w", "sub-2/ses-pre/anat/sub-2_ses-pre_T1w"):
        image(tmp_path / "bids", name).with_name(f"{Path(name).name}.json").unlink()
    (tmp_path / "bids/T1w.json").write_text('{"MagneticFieldStrength": 3, "SoftwareVersions": "VE11C"}')
    (tmp_path / "bids/FLAIR.json").write_text('{"SoftwareVersions": "of another kind"}')
    (tmp_path / "bids/sub-2/sub-2_T1w.json").write_text('{"SoftwareVersions": "XA30"}')
    table = read(tmp_path / "bids")
    assert table["field_strength"].tolist() == [3, 3]
    assert table["software"].tolist() == ["VE11C", "XA30"]


@pytest.mark.parametrize(
    ("header", "said", "says"),
    [
        ({}, {"PatientName": "Doe"}, "T1w.json: the key PatientName could identify a person"),
        ({}, {"PatientBirthDate": "1980"}, "T1w.json: the key PatientBirthDate could identify"),
        ({}, {"PatientSex": "F"}, "T1w.json: the key PatientSex could identify"),
        ({}, {"EchoTime": [0.002, "short"]}, "EchoTime is '.0.002, 'short'.'; a number was expected"),
        ({}, {"EchoTime": "short"}, "T1w.json: EchoTime is 'short'; a number was expected"),
    ],
)
def test_text_that_could_identify_a_person_is_refused_and_not_repeated(
    tmp_path: Path, header: dict[str, bytes], said: dict[str, object], says: str
) -> None:
    image(tmp_path / "bids", "sub-1/anat/sub-1_T1w", said=said, **header)
    with pytest.raises(InputError, match=says) as caught:
        read(tmp_path / "bids")
    assert "Doe" not in str(caught.value)
    assert not (tmp_path / "protocol.tsv").exists()


@pytest.mark.parametrize(
    "header",
    [
        {"descrip": b"Doe^Jane"},
        {"descrip": b"Jane Doe"},
        {"descrip": b"6.0.5 Jane"},
        {"aux_file": b"FSL 1980-02-28"},
        {"db_name": b"19800228"},
        {"intent_name": b"Jane"},
    ],
    ids=str,
)
def test_a_header_text_that_could_identify_a_person_is_flagged_by_its_place(
    tmp_path: Path, header: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing copies it, so it stops no study."""
    image(tmp_path / "bids", "sub-1/anat/sub-1_T1w", **header)
    table = read(tmp_path / "bids")
    assert table["header_texts"].tolist() == list(header)
    said = capsys.readouterr().err
    assert "1 images have header texts that could identify a person (sub-1/anat/sub-1_T1w.nii.gz)" in said
    for text in (said, (tmp_path / "protocol.tsv").read_text()):
        assert not any(word in text for word in ("Doe", "Jane", "1980"))


def test_of_several_echoes_the_first_counts(tmp_path: Path) -> None:
    """BIDS lets EchoTime and FlipAngle be arrays."""
    said: dict[str, object] = {
        "EchoTime": [0.0017, 0.0036],
        "FlipAngle": [7, 7],
        "SoftwareVersions": ["a", "b"],
    }
    image(tmp_path / "bids", "sub-1/anat/sub-1_T1w", said=said)
    row = read(tmp_path / "bids").iloc[0]
    assert row[["echo_time", "flip_angle", "software"]].tolist() == [0.0017, 7, "a b"]


@pytest.mark.parametrize(
    "descrip",
    [
        b"?TR:2300.000 TE:2.980",
        b"Time=204815.847",
        b"GRAPPA 2",
        b"bet2",
        b"TE=2.98;Time=204815.847;phase=1",
        b"6.0.5:9e026117",
        b"3T 3D GR\\IR TR=2300ms/TE=2.98ms/FA=9deg 09-Mar-2019 10:22:11 ",
        b"SPM12 - 3D normalized",
    ],
    ids=["TR and TE", "time", "GRAPPA", "bet", "dcm2niix", "FSL 6", "SPM's DICOM import", "SPM"],
)
def test_what_converters_write_of_every_image_identifies_nobody(tmp_path: Path, descrip: bytes) -> None:
    """dcm2niix writes where the patient lay, and of the institution what BIDS recommends."""
    said: dict[str, object] = {
        "PatientPosition": "HFS", "InstitutionName": "Centre", "InstitutionAddress": "Main Street 1",
        "InstitutionalDepartmentName": "Department", "StationName": "MRC1", "ProtocolName": "MPRAGE",
    }  # fmt: skip
    image(tmp_path / "bids", "sub-1/anat/sub-1_T1w", said=said, descrip=descrip)
    table = read(tmp_path / "bids")
    assert table["field_strength"].tolist() == [3]
    assert table["header_texts"].isna().all()
    assert "Main Street" not in (tmp_path / "protocol.tsv").read_text()


@pytest.mark.parametrize("order", "<>")
def test_a_single_volume_in_four_dimensions_is_an_image(tmp_path: Path, order: str) -> None:
    path = image(tmp_path / "bids", "sub-1/anat/sub-1_T1w")
    header = nibabel.Nifti1Header(endianness=order)
    for size, dimensions in ((1, 1), (2, 0)):
        nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6, size), f"{order}i2"), np.eye(4), header), path)
        if dimensions:
            assert read(tmp_path / "bids")["voxel_x"].tolist() == [1]
        else:
            with pytest.raises(InputError, match="the image has 4 dimensions; three were expected"):
                read(tmp_path / "bids")


@pytest.mark.parametrize("order", "<>")
def test_a_dicom_extension_is_refused(tmp_path: Path, order: str) -> None:
    path = image(tmp_path / "bids", "sub-1/anat/sub-1_T1w")
    header = nibabel.Nifti1Header(endianness=order)
    header.extensions.append(nibabel.nifti1.Nifti1Extension(6, b"Doe Jane"))
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6), f"{order}i2"), np.eye(4), header), path)
    with pytest.raises(InputError, match=r"extension .code 6. that can hold a person's data"):
        read(tmp_path / "bids")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"hello", "this is no NIfTI-1 image"),
        (bytes(400), "this is no NIfTI-1 image"),
        (gzip.compress(bytes(10)), "this is no NIfTI-1 image"),
        (b"\x1f\x8b" + b"broken", "the file cannot be read"),
        (gzip.compress(bytes(200_000_000), 1), "this is no NIfTI-1 image"),
    ],
    ids=["text", "zeros", "short", "damaged gz", "bomb"],
)
def test_files_that_are_no_images(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "bids" / "sub-1" / "anat" / "sub-1_T1w.nii.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"sub-1/anat/sub-1_T1w.nii.gz: {says}"):
        read(tmp_path / "bids")


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("srow_x", np.nan, "the header's voxel sizes or orientation are damaged"),
        ("srow_x", 0, "the header's voxel sizes or orientation are damaged"),
        (
            "srow_x",
            [2, 0, 0, 0],
            "the header says voxels of 1 x 1 x 1 mm, its orientation matrix 2 x 1 x 1 mm",
        ),
    ],
)
def test_damaged_geometry_is_one_sentence(tmp_path: Path, field: str, value: object, says: str) -> None:
    path = image(tmp_path / "bids", "sub-1/anat/sub-1_T1w")
    content = gzip.decompress(path.read_bytes())
    header = nibabel.Nifti1Header(content[:348])
    header[field] = value
    header["sform_code"] = 1
    path.write_bytes(gzip.compress(header.binaryblock + content[348:]))
    with pytest.raises(InputError, match=says):
        read(tmp_path / "bids")


def test_a_folder_without_images(tmp_path: Path) -> None:
    (tmp_path / "bids").mkdir()
    with pytest.raises(InputError, match="there are no images"):
        read(tmp_path / "bids")
