"""What a network is shown: files, matrices typed in, images of the spec's data, noise.

A network of several inputs is shown something for each of them: files in their order, or by name,
`left=a.png right=b.png`. `input_arrays.py` reads what is not an image.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...compiler.network import Node
from ...compiler.shapes import Shape, axes_of, size, text
from ...dsl.diagnostics import Diagnostic, SpecError
from ..data.diagnostic import listed
from ..data.images.image_file import BadImage, quiet
from ..data.images.preprocessing import Preparation
from ..data.images.visible import shown_by, visible
from ..data.loader.thread_pool import Progress, unwatched
from ..data.open import open_data
from ..data.sources.file_names import clean
from ..inference.predict import found_in, nothing_in
from ..runtime.devices import using
from ..tasks.multi_task import MultiTask
from ..tasks.task import Task
from .input_arrays import numbers_in
from .subject import Subject

MAX_MATRIX = 4096
"""The most rows or columns of a matrix on the command line."""


@dataclass(frozen=True, eq=False)
class InputImage:
    """One image, as it is seen and as the network gets it; or a series, a volume, a vector. Of a
    network with several inputs, what the first one gets, with the `others`."""

    name: str
    input: Tensor
    """Prepared: float32, in the shape of the input, on the CPU."""
    pixels: Tensor | None
    """As it is seen, at the size of the input: uint8, channels x height x width; None for what is
    not an image, and for a matrix whose numbers are no levels of gray."""
    label: str | None = None
    """Its class, if it is known."""
    size: tuple[int, int] | None = None
    """Height and width of the file, before resize and crop."""
    origin: str = ""
    """How something that is not an image became the input, in words for the user."""
    others: tuple[InputImage, ...] = ()
    """What the further inputs get, in their order."""

    @property
    def parts(self) -> tuple[InputImage, ...]:
        """What each input gets."""
        return (self, *self.others)

    @property
    def title(self) -> str:
        """The names of all parts."""
        return " + ".join(dict.fromkeys(part.name for part in self.parts))


def from_files(subject: Subject, paths: Sequence[str]) -> list[InputImage]:
    """What files and folders have for the inputs; raises SpecError for files of another kind."""
    inputs = subject.network.inputs
    if len(inputs) == 1:
        return _for_input(subject, inputs[0], paths)
    by_input = [
        _for_input(subject, node, given)
        for node, given in zip(inputs, _divided(subject, paths), strict=True)
    ]
    counts = {node.name: len(each) for node, each in zip(inputs, by_input, strict=True)}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{count} for {name}" for name, count in counts.items())
        message = f"the inputs of {subject.network.name} do not get equally many: {listed}"
        raise SpecError([Diagnostic("several-inputs", message)])
    return [_joined(parts) for parts in zip(*by_input, strict=True)]


def _divided(subject: Subject, paths: Sequence[str]) -> list[list[str]]:
    """The files for each input: by name, or in the order of the inputs. Raises SpecError."""
    inputs = subject.network.inputs
    names = [node.name for node in inputs]
    given: dict[str, list[str]] = {name: [] for name in names}
    bare = []
    for path in paths:
        name, equals, rest = path.partition("=")
        if equals and name in given and not os.path.exists(path):
            given[name].append(rest)
        else:
            bare.append(path)
    if bare and len(bare) % len(inputs) == 0 and not any(given.values()):
        return [bare[place :: len(inputs)] for place in range(len(inputs))]
    if bare or not all(given.values()):
        listed = ", ".join(f"{node.name} {text(node.shape)}" for node in inputs)
        message = f"{subject.network.name} has {len(inputs)} inputs: {listed}"
        example = " ".join(f"{name}=FILE" for name in names)
        help = f"name a file for each, in this order, or `{example}`"
        raise SpecError([Diagnostic("several-inputs", message, help=help)])
    return list(given.values())


def _joined(parts: Sequence[InputImage]) -> InputImage:
    return replace(parts[0], others=tuple(parts[1:]))


def _for_input(subject: Subject, node: Node, paths: Sequence[str]) -> list[InputImage]:
    """What files and folders have for one input."""
    images: list[InputImage] = []
    bad = []
    with quiet():
        if len(node.shape) == 3 and subject.sample_preparation is None:
            preparation, _ = subject.preparation_for(node)
            for name, source in found_in(paths, node.shape):
                try:
                    if isinstance(source, BadImage):
                        raise source
                    whole = preparation.read(source)
                    size = (whole.shape[-2], whole.shape[-1])
                    images.append(
                        _image(subject, preparation, name, preparation.fit(whole), size=size)
                    )
                except BadImage as error:
                    bad.append(Diagnostic("bad-image", f"{name}: {error.reason}"))
        elif (recorded := subject.sample_preparation) is not None and node is subject.network.input:
            for name, source in found_in(paths, recorded.sample):
                try:
                    images.append(_sample(subject, recorded, name, recorded.read(source)))
                except BadImage as error:
                    bad.append(Diagnostic("bad-input", f"{name}: {error.reason}"))
        else:
            of_frames = subject.preparation_for(node)[0] if len(node.shape) == 4 else None
            for path in paths:
                try:
                    images += [
                        InputImage(each.name, each.values, None, origin=each.origin)
                        for each in numbers_in(path, node, of_frames)
                    ]
                except BadImage as error:
                    bad.append(Diagnostic("bad-input", f"{clean(path)}: {error.reason}"))
    if bad:
        raise SpecError(bad)
    if not images:
        raise SpecError([Diagnostic("no-images", nothing_in(paths))])
    return images


def noise(subject: Subject, seed: int = 0) -> InputImage:
    """Normal noise for each input."""
    generator = torch.Generator().manual_seed(seed)
    return _joined(
        [
            InputImage("noise", torch.randn(node.shape, generator=generator), None)
            for node in subject.network.inputs
        ]
    )


def from_data(
    subject: Subject, numbers: Sequence[int], part: str = "val", progress: Progress = unwatched
) -> list[InputImage]:
    """Images of the spec's data by their number in a part; raises SpecError."""
    subject.must_have_one_input("--image")
    with using(subject.device):
        opened = open_data(subject.plan, subject.base, device=subject.device, progress=progress)
    if part not in opened.stores:
        there = listed([f"`{name}`" for name in opened.stores])
        message = f"the data has no part `{part}`; it has {there}"
        raise SpecError([Diagnostic("no-part", message, opened.plan.train.data.place("path"))])
    store = opened.stores[part]
    images = []
    for number in numbers:
        if number >= len(store):
            message = f"there is no image {number}: the {part} part has {len(store):,}, from 0 on"
            raise SpecError([Diagnostic("no-image", message)])
        try:
            pixels = store.read(number)
        except BadImage as error:
            raise SpecError([Diagnostic("bad-image", str(error))]) from None
        label = _label(opened.task, store.labels[number])
        name = f"{part} {number}"
        if store.source.name(number) != f"#{number}":  # its file, or its number in all of the data
            name += f" ({store.source.name(number)})"
        pixels = pixels[: opened.preparation.channels]
        if opened.preparation.of_images:
            images.append(_image(subject, subject.preparation, name, pixels, label=label))
        else:
            prepared = subject.sample_preparation or opened.preparation
            images.append(_sample(subject, prepared, name, pixels, label=label))
    return images


def _label(task: Task, label: Tensor) -> str | None:
    """The classes of an image; None if it has numbers, a mask, or several labels."""
    if task.dense or task.numbers or isinstance(task, MultiTask):
        return None
    known = [int(label)] if label.ndim == 0 else label.nonzero().flatten().tolist()
    return ", ".join(task.classes[each] for each in known)


def _sample(
    subject: Subject,
    preparation: Preparation,
    name: str,
    whole: Tensor,
    *,
    label: str | None = None,
) -> InputImage:
    """A series or a scan as the network gets it: cropped or padded, and normalized; or its
    spectrogram."""
    values = preparation.prepare(preparation.sizing(whole)[None])[0]
    have, wanted = tuple(whole.shape), preparation.sample
    steps = [] if have == wanted else [f"brought from {text(have)} to {text(wanted)}"]
    if preparation.spectrogram is not None:
        steps.append(f"then its `{preparation.spectrogram.word}`")
    steps.append("normalized")
    return InputImage(name, values, None, label, origin=", ".join(steps))


def _image(
    subject: Subject,
    preparation: Preparation,
    name: str,
    pixels: Tensor,
    *,
    label: str | None = None,
    size: tuple[int, int] | None = None,
) -> InputImage:
    prepared = preparation.prepare(pixels[None])[0]
    if pixels.is_floating_point() or subject.plan.evaluate.composite is not None:
        with shown_by(subject.plan):
            pixels = visible(pixels)
    return InputImage(name, prepared, pixels, label, size)


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


def matrix_shape(matrices: Sequence[Tensor], axes: int = 2) -> Shape:
    """The input shape that matrices need. Of a map there is one for each channel; of a volume one
    for each slice, of a series a row for each channel, of a vector a single row. Raises
    NoMatrix."""
    sizes = {tuple(matrix.shape) for matrix in matrices}
    if len(sizes) > 1:
        both = " and ".join(sorted(text(size) for size in sizes))
        raise NoMatrix(f"the matrices of the channels differ in size: {both}")
    ((rows, columns),) = sizes
    if axes == 1:
        return len(matrices) * rows, columns
    if axes == 0:
        return (len(matrices) * rows * columns,)
    return (1, len(matrices), rows, columns) if axes == 3 else (len(matrices), rows, columns)


def from_matrices(matrices: Sequence[Tensor], inputs: Sequence[Node] = ()) -> InputImage:
    """What matrices are for each input, in their order (by default, for an image); the network
    gets the numbers as they are. Raises NoMatrix."""
    if len(inputs) < 2:
        shape = matrix_shape(matrices, axes_of(inputs[0].shape) if inputs else 2)
        if inputs and shape != inputs[0].shape:
            raise NoMatrix(f"the input is {text(inputs[0].shape)}, not {text(shape)}")
        return _of_numbers(torch.stack(list(matrices)).view(shape))
    left, parts = list(matrices), []
    for node in inputs:
        own: list[Tensor] = []
        while left and sum(each.numel() for each in own) < size(node.shape):
            own.append(left.pop(0))
        shape = matrix_shape(own, axes_of(node.shape)) if own else ()
        if size(shape) != size(node.shape) or shape[-1] != node.shape[-1]:
            have = f", not {text(shape)}" if own else ": there is no matrix left for it"
            raise NoMatrix(f"the input `{node.name}` is {text(node.shape)}{have}")
        parts.append(_of_numbers(torch.stack(own).view(node.shape)))
    if left:
        raise NoMatrix(f"there are {len(left)} matrices more than the inputs take")
    return _joined(parts)


def _of_numbers(values: Tensor) -> InputImage:
    levels = bool(((values >= 0) & (values <= 255) & (values == values.round())).all())
    seen = values.to(torch.uint8) if levels and values.ndim == 3 else None
    return InputImage("matrix", values, seen)
