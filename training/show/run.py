"""Runs a network on images, and answers questions about any of its outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from ...compiler.network import Network, Node
from ...compiler.ops.worked import Element, Read, Worked
from ...compiler.report.figures import data_size, plural
from ...compiler.shapes import LINES, Shape, axes_of, size, text
from ...dsl.diagnostics import Diagnostic, SpecError
from ..data.loader.memory_budget import SHARE, computer_budget
from ..runtime.devices import using
from ..runtime.memory_errors import is_out_of_memory
from ..tasks.probabilities import probabilities_of
from .input_images import InputImage
from .subject import SEED, Subject


@dataclass(frozen=True, eq=False)
class Shown:
    """A network, the images that it was given, and the outputs of all its layers."""

    subject: Subject
    images: Sequence[InputImage]
    outputs: dict[int, Tensor]
    """By the index of the node: images x channels x …, on the CPU."""
    training: bool
    """Whether it was computed as in training."""

    def output(self, node: Node, image: int = 0) -> Tensor:
        """The output of a layer for one image."""
        return self.outputs[node.index][image]

    @property
    def probabilities(self) -> Tensor | None:
        """Images x classes; None if the network does not end in classes."""
        node = self.subject.network.output
        if len(self.subject.network.outputs) > 1 and not node.op.probabilities:
            return None  # which of them are classes, nothing says
        if self.subject.regression is not None:
            return None
        if node.shape[0] < 2 or size(node.shape) > node.shape[0] or self.subject.learned == "fixed":
            return None
        output = self.outputs[node.index].float().flatten(1)
        return (
            output if node.op.probabilities else probabilities_of(output, self.subject.multi_label)
        )

    @property
    def numbers(self) -> Tensor | None:
        """Images x numbers, in the units of the data; None if the network predicts no numbers."""
        task, output = self.subject.regression, self.outputs[self.subject.network.output.index]
        return task.answers(output.flatten(1)) if task is not None else None

    def worked(self, node: Node, at: tuple[int, ...], image: int = 0) -> Worked:
        """How one output of a layer is computed; raises SpecError for a position outside."""
        position = position_in(node, at)
        reads = [self._reader(node, each) for each in range(len(self.images))]
        module = self.subject.layers.part(node)
        tensors = {
            name: tensor.detach().cpu()
            for name, tensor in (module.state_dict().items() if module is not None else ())
        }

        def weight(name: str, index: tuple[int, ...]) -> float:
            return float(tensors[name][index])

        element = Element(
            position,
            node.shape,
            tuple([source.shape for source in node.sources]),
            reads[image],
            weight,
            training=self.training,
            others=[read for each, read in enumerate(reads) if each != image],
            actual=float(self.output(node, image)[position]),
        )
        return node.op.work_out(element)

    def _reader(self, node: Node, image: int) -> Read:
        inputs = [self.output(source, image) for source in node.inputs]

        def read(input: int, channel: int, *position: int) -> float:
            values = inputs[input]
            return float(values[channel] if values.ndim == 1 else values[(channel, *position)])

        return read


def run_network(subject: Subject, images: Sequence[InputImage], *, training: bool = False) -> Shown:
    """Computes the outputs of all layers; `training` as in training, with the same random draws
    each time. Raises SpecError if that is not possible."""
    network = subject.network
    given = batches(subject, images)
    _must_fit(network, len(images))
    state = {name: value.clone() for name, value in subject.module.state_dict().items()}
    try:
        with using(subject.device), torch.no_grad(), _fitting(len(images)):
            subject.module.train(training)
            torch.manual_seed(SEED)
            outputs = subject.layers(given[0], given=given)
    except ValueError as error:
        if not training:
            raise
        message = f"{network.name} cannot be computed as in training: {error}"
        help = "a batch norm needs several values of each channel: name several images"
        raise SpecError([Diagnostic("one-value", message, help=help)]) from None
    finally:
        subject.module.eval()
        if training:
            subject.module.load_state_dict(state)
    return Shown(subject, images, {index: each.cpu() for index, each in outputs.items()}, training)


def batches(subject: Subject, images: Sequence[InputImage]) -> dict[int, Tensor]:
    """What each input gets, by its index: images x channels x …, on the device."""
    return {
        node.index: torch.stack([image.parts[place].input for image in images]).to(subject.device)
        for place, node in enumerate(subject.network.inputs)
    }


def _must_fit(network: Network, images: int) -> None:
    """Raises SpecError if all maps need more memory than is free: on Linux the process would be
    killed without a word."""
    numbers = sum(size(node.shape) for node in network.nodes if not node.aux)
    needed, free = 4 * numbers * images, round(computer_budget() / SHARE)
    if needed > free:
        message = (
            f"all maps of {plural(images, 'image')} need {data_size(needed)} of memory, and"
            f" {data_size(free)} are free"
        )
        help = "give it fewer images, or a smaller --input"
        raise SpecError([Diagnostic("out-of-memory", message, help=help)])


@contextmanager
def _fitting(images: int) -> Iterator[None]:
    """A context in which running out of memory is a SpecError."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        message = f"all maps of {images} images do not fit into memory"
        help = "give it fewer images, or a smaller --input"
        raise SpecError([Diagnostic("out-of-memory", message, help=help)]) from None


def position_in(node: Node, at: Sequence[int]) -> tuple[int, ...]:
    """A position as the user writes it, in full; raises SpecError if it is not in the output."""
    shape = node.shape
    position = tuple(at)
    if len(shape) > 1 and len(position) == len(shape) - 1:
        position = (0, *position)
    inside = len(position) == len(shape) and all(
        place < side for place, side in zip(position, shape, strict=True)
    )
    if not inside:
        written = ",".join(map(str, at))
        message = f"the output of {node.name} is {text(shape)}: there is nothing at {written}"
        raise SpecError([Diagnostic("no-position", message, help=_positions(shape))])
    return position


def _positions(shape: Shape) -> str:
    last = ",".join(str(side - 1) for side in shape)
    if len(shape) == 1:
        return f"positions are numbers from 0 to {last}"
    where = ",".join(line[:-1] for line in LINES[axes_of(shape)])
    return f"write {where} or channel,{where}, from {','.join('0' * len(shape))} to {last}"
