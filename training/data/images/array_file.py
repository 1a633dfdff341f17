"""Reads images from a .npy or .npz file, for a network with a given input shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from ....compiler.shapes import Shape, text
from ...untrusted.bad_file import BadFile
from ...untrusted.npz import open_npz, read_npy
from ..diagnostic import listed
from ..sources.unfit import Unfit
from .arrays import as_images
from .color_modes import in_channels
from .image_file import BadImage

ENDINGS = (".npy", ".npz")

_USUAL = ("x_test", "test_x", "X_test", "x", "X", "images", "image", "x_val", "x_train", "X_train")


def images_in_file(path: Path, shape: Shape) -> Tensor:
    """The images of a file: uint8, images x channels x height x width; raises BadImage."""
    try:
        images = as_images(_as_batch(array_in(path), shape), shape)
        return in_channels(images, shape[0])
    except (BadFile, Unfit, ValueError) as error:
        raise BadImage(str(error)) from None


def array_in(path: Path) -> Any:
    """The array of a file; of several in a .npz file, that with a usual name for images. Raises
    BadImage or BadFile."""
    if path.suffix.lower() == ".npy":
        return read_npy(path)
    with open_npz(path) as arrays:
        names = list(arrays)
        usual = names if len(names) == 1 else [name for name in _USUAL if name in arrays]
        if not usual:
            there = listed([f"`{name}`" for name in names])
            raise BadImage(f"it has no array named `x_test`, `x` or `images`: it has {there}")
        return arrays[usual[0]]


def _as_batch(array: Any, shape: Shape) -> Any:
    """Makes a single image a batch of one. Three axes are one image if one of them is channels."""
    if array.ndim == 4:
        return array
    if array.ndim == 2 or (array.ndim == 3 and shape[0] in (array.shape[0], array.shape[2])):
        return array[None]
    if array.ndim == 3 and shape[0] == 1:
        return array
    if array.ndim == 3 and {1, 3} & {array.shape[0], array.shape[2]}:
        return array[None]
    raise BadImage(
        f"an array of {text(array.shape) or 'one number'} is not images of {text(shape)}"
    )
