"""Maps as files: GIfTI by hemisphere, NIfTI, named so that CAT12, FreeSurfer and Workbench open them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pniflow import files
from pniflow.imaging.cat12.template import plain_word
from pniflow.maps.fit_maps import MapTest

if TYPE_CHECKING:
    import nibabel

INTENTS = {
    "estimate": "NIFTI_INTENT_ESTIMATE",
    "t": "NIFTI_INTENT_TTEST",
    "logp": "NIFTI_INTENT_LOG10PVAL",
    "logp_fwe": "NIFTI_INTENT_LOG10PVAL",
    "logp_tfce": "NIFTI_INTENT_LOG10PVAL",
}
"""Map -> its intent. The logp maps are -log10 p with the sign of the effect, as in CAT12 and FreeSurfer."""

_STRUCTURES = {"lh": "CortexLeft", "rh": "CortexRight"}


def maps_of(test: MapTest) -> dict[str, NDArray[np.float32]]:
    """Return the maps of one test; those that could not be made (no permutation) are left out."""
    maps = {"estimate": test.estimate, "t": test.statistic}
    sign = np.sign(test.estimate)
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, p in (("logp", test.p_value), ("logp_fwe", test.p_fwe), ("logp_tfce", test.p_tfce)):
            if np.isfinite(p).any():
                maps[name] = -np.log10(np.maximum(p, 1e-300)) * sign
    return {name: values.astype(np.float32) for name, values in maps.items()}


def volume_name(name: str, model: str, term: str) -> str:
    """Return the file name of one volume."""
    return f"{name}.{model}.{plain_word(term)}.nii.gz"


def write_surface(path: Path, values: NDArray[np.float32], half: str, name: str) -> None:
    """Write a map of one hemisphere as GIfTI: one array, no mesh.

    Parameters
    ----------
    half : str
        lh or rh.
    name : str
        The map, a key of INTENTS.
    """
    from nibabel.gifti.gifti import GiftiDataArray, GiftiImage, GiftiMetaData

    array = GiftiDataArray(
        values,
        intent=INTENTS[name],
        datatype="NIFTI_TYPE_FLOAT32",
        encoding="GIFTI_ENCODING_B64GZ",
        meta=GiftiMetaData({"Name": name}),
    )
    about = GiftiMetaData({"AnatomicalStructurePrimary": _STRUCTURES[half]})
    files.write_bytes(path, GiftiImage(meta=about, darrays=[array]).to_bytes())


def write_volume(path: Path, values: NDArray[np.float32], mask: nibabel.Nifti1Image, name: str) -> None:
    """Write a map as NIfTI on the grid of a mask; NaN outside of it.

    Parameters
    ----------
    values : (voxels,) array
        In the order of the mask's voxels (C order).
    """
    import nibabel

    inside = np.asarray(mask.dataobj) > 0
    volume = np.full(inside.shape, np.nan, dtype=np.float32)
    volume[inside] = values
    image: Any = nibabel.Nifti1Image(volume, mask.affine)
    image.header.set_intent(INTENTS[name], name=name)
    image.header.set_xyzt_units("mm")
    files.write_bytes(path, gzip.compress(image.to_bytes(), compresslevel=6, mtime=0))
