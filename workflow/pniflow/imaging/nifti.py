"""The header of a NIfTI-1 image, read with guards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pniflow.errors import InputError

if TYPE_CHECKING:
    import nibabel

HEADER = 352
"""Bytes of a header with the four that tell of extensions."""


def header_of(content: bytes, source: str) -> nibabel.Nifti1Header:
    """Return the header at the beginning of an image's content.

    Raises
    ------
    InputError
        There is none, or it is damaged.
    """
    import nibabel

    nibabel.imageglobals.logger.disabled = True  # it prints what it thinks of a header
    try:
        header = nibabel.Nifti1Header(content[:348])
        if len(content) < HEADER or not 0 <= float(header["vox_offset"]) < np.inf:
            raise ValueError
    except (ValueError, nibabel.spatialimages.HeaderDataError, nibabel.wrapstruct.WrapStructError):
        raise InputError(f"{source}: this is no NIfTI-1 image, or its header is damaged.") from None
    return header
