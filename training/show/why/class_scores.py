"""The score of each class for an image: what explanations of a prediction explain.

For a vector of logits it is the logit. For a map of logits (segmentation) it is the mean logit over
the positions that the class wins in the image as it is, or over all positions if it wins none
(Seg-Grad-CAM, Vinogradova et al., arXiv:2002.11434). The positions are chosen once, so the score
stays the same function when parts of the image are hidden.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ....compiler.shapes import size, text
from ....dsl.diagnostics import Diagnostic, SpecError
from ...inference.layer_outputs import logits_of
from ...tasks.probabilities import probabilities_of
from ..subject import Subject


class ClassScores:
    """The scores of all classes of a network, as seen from one image."""

    def __init__(self, subject: Subject, image: Tensor) -> None:
        """`image` is prepared: channels x height x width, on the subject's device; a series is one
        row high."""
        self.subject = subject
        self.node = logits_of(subject.network)
        must_have_classes(subject)
        self.count = self.node.shape[0]
        self.is_map = size(self.node.shape) > self.count
        output = subject.network.output.op
        self.independent = subject.multi_label or output.independent or self.count == 1
        with torch.no_grad():
            self._share: Tensor | None = None
            logits = self.logits(image[None])
            if self.is_map:
                won = _positions_won(logits[0], self.independent)
                self.area = won.flatten(1).mean(1).cpu()
                self._share = _weights(won)
            self.scores = self.of(logits)[0].cpu()
            self.probabilities = self.probabilities_of(logits)[0].cpu()
        subject.must_be_finite(self.scores, f"the output of {subject.network.name}")

    def logits(self, images: Tensor) -> Tensor:
        given = images.reshape(len(images), *self.subject.network.input.shape)
        return _as_map(self.subject.layers(given, [self.node])[self.node.index].float())

    def __call__(self, images: Tensor) -> Tensor:
        """The scores of prepared images: images x classes."""
        return self.of(self.logits(images))

    def of(self, logits: Tensor) -> Tensor:
        if self._share is None:
            return logits.flatten(1)
        logits = _as_map(logits)
        return torch.einsum("nchw,chw->nc", logits, self._share)

    def probabilities_of(self, logits: Tensor) -> Tensor:
        """Images x classes; for a map, the mean over the positions of the score."""
        if self._share is None:
            return probabilities_of(logits.flatten(1), self.independent)
        each = torch.sigmoid(logits) if self.independent else torch.softmax(logits, 1)
        return torch.einsum("nchw,chw->nc", each, self._share)

    def of_class(self, index: int) -> Callable[[Tensor], Tensor]:
        """The score of one class as a function of logits."""
        return partial(self._column, index)

    def _column(self, index: int, logits: Tensor) -> Tensor:
        return self.of(logits)[:, index]

    def best(self, most: int) -> list[int]:
        """The classes with the greatest probabilities; of a map, with the largest areas."""
        order = self.probabilities.argsort(descending=True, stable=True)
        if self.is_map:
            order = order[self.area[order].argsort(descending=True, stable=True)]
        return order[:most].tolist()


def _as_map(logits: Tensor) -> Tensor:
    """Logits for each step of a series as a map one row high; others as they are."""
    return logits[:, :, None] if logits.ndim == 3 else logits


def _positions_won(logits: Tensor, independent: bool) -> Tensor:
    """1 where a class wins, else 0: channels x height x width."""
    if independent:
        return (logits > 0).float()
    return torch.zeros_like(logits).scatter_(0, logits.argmax(0, keepdim=True), 1.0)


def _weights(won: Tensor) -> Tensor:
    """The weight of each position in the mean of each class."""
    count = won.sum((1, 2), keepdim=True)
    everywhere = torch.full_like(won, 1 / (won.shape[1] * won.shape[2]))
    return torch.where(count > 0, won / count.clamp(min=1), everywhere)


def must_have_classes(subject: Subject) -> None:
    """Raises SpecError if the network has no classes that could be explained."""
    subject.must_not_predict_numbers("an explanation")
    network = subject.network
    shape = network.output.shape
    if subject.learned == "fixed":
        message = f"{network.name} has no classes to explain: none of its layers learns"
        help = "a network that `cnn train` trained has classes"
        raise SpecError([Diagnostic("no-classes", message, help=help)])
    if len(shape) not in (1, len(network.input.shape)):
        message = f"the output of {network.name}, {text(shape)}, is not a score for each class"
        raise SpecError([Diagnostic("no-classes", message)])
