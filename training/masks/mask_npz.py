"""Masks of series and scans as NumPy archives: class numbers, and the names of the classes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy
from torch import Tensor

_MARK = b"dotcnn mask"
_THEN = (1980, 1, 1, 0, 0, 0)
"""The date of all members: the same masks are the same bytes."""


def mask_npz(mask: Tensor, classes: Sequence[str]) -> bytes:
    """The bytes of a .npz file with `mask` (uint8, the axes of the sample) and `classes`. The mark
    that it is from here is not compressed, so that it is found (`mask_png.WRITTEN`)."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "written_by", numpy.array(_MARK), zipfile.ZIP_STORED)
        _add(archive, "classes", numpy.array([*classes]))
        _add(archive, "mask", mask.numpy())
    return file.getvalue()


def _add(archive: zipfile.ZipFile, name: str, array: Any, how: int = zipfile.ZIP_DEFLATED) -> None:
    content = io.BytesIO()
    numpy.save(content, array, allow_pickle=False)
    member = zipfile.ZipInfo(f"{name}.npy", _THEN)
    member.compress_type = how
    archive.writestr(member, content.getvalue())
