"""The images that a network is shown: files, matrices typed in, images of the spec's data."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...compiler.shapes import Shape, text
from ...dsl.diagnostics import Diagnostic, SpecError
from ..data.images.decode import decode
from ..data.images.image_file import BadImage, quiet
from ..data.loader.thread_pool import Progress, unwatched
from ..data.open import open_data
from ..inference.predict import found_in
from ..runtime.devices import using
from .subject import Subject

MAX_MATRIX = 4096
"""The most rows or columns of a matrix on the command line."""


@dataclass(frozen=True, eq=False)
class InputImage:
    """One image, as it is seen and as the network gets it."""

    name: str
    input: Tensor
    """Prepared: float32, channels x height x width, on the CPU."""
    pixels: Tensor | None
    """As it is seen, at the size of the input: uint8, channels x height x width; None for a matrix
    whose numbers are no levels of gray."""
    label: str | None = None
    """Its class, if it is known."""
    size: tuple[int, int] | None = None
    """Height and width of the file, before resize and crop."""


def from_files(subject: Subject, paths: Sequence[str]) -> list[InputImage]:
    """Images of files and folders; raises SpecError for files that are no images."""
    images, bad = [], []
    with quiet():
        for name, source in found_in(paths, subject.network.input.shape):
            try:
                if isinstance(source, BadImage):
                    raise source
                whole = decode(source, subject.preparation.channels)
                size = (whole.shape[-2], whole.shape[-1])
                images.append(_image(subject, name, subject.preparation.fit(whole), size=size))
            except BadImage as error:
                bad.append(Diagnostic("bad-image", f"{name}: {error.reason}"))
    if bad:
        raise SpecError(bad)
    if not images:
        raise SpecError([Diagnostic("no-images", f"there are no images in {', '.join(paths)}")])
    return images


def from_data(
    subject: Subject, numbers: Sequence[int], part: str = "val", progress: Progress = unwatched
) -> list[InputImage]:
    """Images of the spec's data by their number in a part; raises SpecError."""
    with using(subject.device):
        opened = open_data(subject.plan, subject.base, device=subject.device, progress=progress)
    if part not in opened.stores:
        message = f"the data has no part `{part}`"
        raise SpecError([Diagnostic("no-part", message, opened.plan.train.data.place("path"))])
    store = opened.stores[part]
    names = opened.dataset.classes
    images = []
    for number in numbers:
        if number >= len(store):
            message = f"there is no image {number}: the {part} part has {len(store):,}, from 0 on"
            raise SpecError([Diagnostic("no-image", message)])
        try:
            pixels = store.read(number)
        except BadImage as error:
            raise SpecError([Diagnostic("bad-image", str(error))]) from None
        label = store.labels[number]
        known = [int(label)] if label.ndim == 0 else label.nonzero().flatten().tolist()
        classes = ", ".join(names[each] for each in known)
        name = f"{part} {number}"
        if store.source.name(number) != f"#{number}":  # its file, or its number in all of the data
            name += f" ({store.source.name(number)})"
        images.append(_image(subject, name, pixels, label=classes))
    return images


def _image(
    subject: Subject,
    name: str,
    pixels: Tensor,
    *,
    label: str | None = None,
    size: tuple[int, int] | None = None,
) -> InputImage:
    return InputImage(name, subject.preparation.prepare(pixels[None])[0], pixels, label, size)


# ---- matrices --------------------------------------------------------------------------------


class NoMatrix(ValueError):
    """The text is not a matrix; it says why."""


def read_matrix(given: str) -> Tensor:
    """A matrix from text, as float32: numbers between spaces or commas, rows between semicolons,
    slashes or line ends. Raises NoMatrix."""
    lines = [line for line in re.split(r"[;/\n]", given) if line.strip(" ,\t[]")]
    rows = [re.split(r"[\s,]+", line.strip(" ,\t[]")) for line in lines]
    if not rows:
        raise NoMatrix("it is empty; write rows of numbers, like `1 2 3; 4 5 6`")
    widths = [len(row) for row in rows]
    if len(set(widths)) > 1:
        place = next(n for n, width in enumerate(widths) if width != widths[0])
        raise NoMatrix(
            f"its row {place + 1} has {widths[place]} numbers, and its first row has {widths[0]}"
        )
    if max(len(rows), widths[0]) > MAX_MATRIX:
        raise NoMatrix(f"it has more than {MAX_MATRIX} rows or columns; write it to a file")
    numbers = [[_number(word) for word in row] for row in rows]
    return torch.tensor(numbers, dtype=torch.float32)


def _number(word: str) -> float:
    try:
        number = float(word)
    except ValueError:
        raise NoMatrix(f"`{word[:20]}` is not a number") from None
    if not math.isfinite(number):
        raise NoMatrix(f"`{word}` is not a finite number")
    return number


def matrix_shape(matrices: Sequence[Tensor]) -> Shape:
    """The input shape that matrices need, one for each channel; raises NoMatrix."""
    sizes = {tuple(matrix.shape) for matrix in matrices}
    if len(sizes) > 1:
        both = " and ".join(sorted(text(size) for size in sizes))
        raise NoMatrix(f"the matrices of the channels differ in size: {both}")
    return (len(matrices), *sizes.pop())


def from_matrices(matrices: Sequence[Tensor]) -> InputImage:
    """An image of matrices, one for each channel; the network gets the numbers as they are."""
    image = torch.stack(list(matrices))
    levels = bool(((image >= 0) & (image <= 255) & (image == image.round())).all())
    pixels = image.to(torch.uint8) if levels else None
    return InputImage("matrix", image, pixels)
