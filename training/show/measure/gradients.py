"""The norm of the gradient at each layer before training: does learning reach the first layers?

One batch goes forward and back through the network with its initial weights, as in training (or
with those of a run: then it shows the end of its training). The gradient of the loss with respect
to the weights of each layer has a norm; if it shrinks from the last layer to the first by orders of
magnitude, the first layers do not learn (it vanishes), and if it grows, no learning rate suits all
layers (it explodes).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ....compiler.network import Node
from ....compiler.ops.worked import figure
from ....compiler.report.grid import Column, grid
from ....compiler.report.style import BOLD, Style, wrapped
from ....dsl.diagnostics import Diagnostic, SpecError
from ....dsl.printable import show as printable
from ...data.check_classes import check_classes
from ...data.loader.thread_pool import Progress, unwatched
from ...data.open import open_data
from ...inference.layer_outputs import logits_of
from ...optim.losses import plain_loss
from ...runtime.devices import using
from ..subject import SEED, Subject

_BATCH = 32
_BARS = 24

VANISHES, EXPLODES = 1e-3, 1e3
"""The ratio of the norm at the first layer to that at the last beyond which the text says so. A
healthy network stays within a factor of about 30 either way."""


@dataclass(frozen=True)
class LayerGradient:
    node: Node
    norm: float
    """The norm of the gradient with respect to all its trainable weights, over the square root of
    their number."""


@dataclass(frozen=True)
class Gradients:
    """The gradients of one network, first layer first."""

    subject: Subject
    layers: tuple[LayerGradient, ...]
    loss: float
    images: str
    """What it was measured on, in words."""

    @property
    def when(self) -> str:
        """Which weights it was measured with, in words."""
        return "with learned weights" if self.subject.learned == "learned" else "at the start"

    @property
    def ratio(self) -> float:
        """The norm at the first layer over that at the last but one: the last layer's own gradient
        depends on the loss alone."""
        inner = self.layers[:-1] or self.layers
        last = inner[-1].norm
        return inner[0].norm / last if last else math.inf


def measure_gradients(subject: Subject, progress: Progress = unwatched) -> Gradients:
    """Runs one batch of the spec's data; without data, of noise. Raises SpecError."""
    network = subject.network
    if len(network.outputs) > 1:
        names = ", ".join(output.name for output in network.outputs)
        message = (
            f"{network.name} has several outputs ({names}), and no loss says what they are for"
        )
        raise SpecError([Diagnostic("no-loss", message)])
    if len(network.output.shape) != 1:
        message = f"the output of {network.name} is a map: there is no loss to take the gradient of"
        raise SpecError([Diagnostic("no-loss", message)])
    weighted = [
        node
        for node in network.nodes
        if not node.aux
        and node.op.kind in ("conv", "linear")
        and any(w.trainable for w in node.weights)
    ]
    if not weighted:
        message = f"{network.name} has no weights to learn"
        raise SpecError([Diagnostic("no-weights", message)])
    images, labels, words = _batch(subject, progress)
    state = {name: value.clone() for name, value in subject.module.state_dict().items()}
    target = logits_of(network)
    try:
        with using(subject.device), torch.enable_grad():
            subject.module.train()
            torch.manual_seed(SEED)
            given = {index: each.to(subject.device) for index, each in images.items()}
            logits = subject.layers(given[0], [target], given)[target.index]
            loss = plain_loss(subject.plan.train.loss)(logits.float(), labels.to(subject.device))
            torch.autograd.backward(loss)
            layers = tuple(
                LayerGradient(node, _norm(subject.layers.part(node))) for node in weighted
            )
    finally:
        subject.module.zero_grad(set_to_none=True)
        subject.module.eval()
        subject.module.load_state_dict(state)
    return Gradients(subject, layers, float(loss.detach()), words)


def _norm(part: torch.nn.Module | None) -> float:
    assert part is not None
    gradients = [
        parameter.grad.double() for parameter in part.parameters() if parameter.grad is not None
    ]
    numbers = sum(each.numel() for each in gradients)
    squares = sum(float(each.square().sum()) for each in gradients)
    return math.sqrt(squares / numbers) if numbers else 0.0


def _batch(subject: Subject, progress: Progress) -> tuple[dict[int, Tensor], Tensor, str]:
    """What each input gets, by its index, with labels; and what it is, in words."""
    network = subject.network
    if subject.has_data:
        subject.must_see_one_image("--gradients with data")
        with using(subject.device):
            opened = open_data(
                subject.plan, subject.base, device=torch.device("cpu"), progress=progress
            )
        wrong = check_classes(network, subject.plan, opened.dataset)
        if wrong is not None:
            raise SpecError([wrong])
        images, labels, _ = next(iter(opened.training(batch=_BATCH, seed=SEED)(0)))
        words = f"{len(images)} training images of {opened.dataset.name}"
        return {0: opened.preparation.prepare(images)}, labels, words
    generator = torch.Generator().manual_seed(SEED)
    noise = {
        node.index: torch.randn(_BATCH, *node.shape, generator=generator) for node in network.inputs
    }
    classes = network.output.shape[0]
    labels = torch.randint(0, classes, (_BATCH,), generator=generator)
    if subject.plan.train.loss.several_labels:
        labels = torch.nn.functional.one_hot(labels, classes).float()
    return noise, labels, f"{_BATCH} images of noise with random labels (--data takes real ones)"


# ---- text --------------------------------------------------------------------------------------


def gradient_lines(gradients: Gradients, style: Style) -> Iterator[str]:
    """A row for each layer with weights, with a bar in powers of ten."""
    name = gradients.subject.network.name
    head = f"{name}: gradients {gradients.when}, on {gradients.images}"
    yield from wrapped(printable(head), style, code=BOLD)
    yield from wrapped(
        f"loss {figure(gradients.loss)}; norm per weight (root mean square); a bar that is shorter"
        " by 4 is a tenth",
        style,
    )
    yield ""
    finite = [each.norm for each in gradients.layers if each.norm > 0 and math.isfinite(each.norm)]
    most = math.log10(max(finite)) if finite else 0.0
    columns: list[Column[LayerGradient]] = [
        Column("layer", lambda row: row.node.name, yields=1, least=12, optional=False),
        Column("gradient", lambda row: f"{row.norm:.2e}", True, optional=False),
        Column("", lambda row: _bar(row.norm, most)),
    ]
    yield from grid([columns], gradients.layers, style)
    yield ""
    yield from wrapped(verdict(gradients), style, code="")


def _bar(norm: float, most: float) -> str:
    if not norm or not math.isfinite(norm):
        return ""
    return "#" * max(round(_BARS + 4 * (math.log10(norm) - most)), 1)


def verdict(gradients: Gradients) -> str:
    """What the figures say, in one sentence."""
    ratio = gradients.ratio
    first = gradients.layers[0].node.name
    if not math.isfinite(ratio) or any(not math.isfinite(each.norm) for each in gradients.layers):
        return "The gradients are not finite, or zero: nothing can be learned from here."
    if ratio < VANISHES:
        return (
            f"It vanishes: at {first} the gradient is {figure(ratio)} of that at the last layers,"
            " so these learn and the first do not. Residual blocks, batch norm, or relu with"
            " `init he` keep it."
        )
    if ratio > EXPLODES:
        return (
            f"It explodes: at {first} the gradient is {figure(ratio)} times larger than at the last"
            " layers. Residual blocks or smaller initial weights keep it."
        )
    return f"At {first} it is {figure(ratio)} times that of the last layers: all of them learn."


def comparison_lines(several: Sequence[Gradients], style: Style) -> Iterator[str]:
    """One row for each network."""
    columns: list[Column[Gradients]] = [
        Column("network", lambda row: row.subject.network.name, yields=1, least=12, optional=False),
        Column("layers", lambda row: str(len(row.layers)), True),
        Column("first layer", lambda row: f"{row.layers[0].norm:.2e}", True),
        Column("last but one", lambda row: f"{row.layers[-2:][0].norm:.2e}", True),
        Column("first / last", lambda row: figure(row.ratio), True, optional=False),
    ]
    yield from grid([columns], several, style)


def gradients_data(gradients: Gradients) -> dict[str, Any]:
    """The gradients of a network, for JSON."""
    return {
        "network": gradients.subject.network.name,
        "weights": gradients.subject.learned,
        "images": gradients.images,
        "loss": gradients.loss,
        "first_over_last": gradients.ratio,
        "verdict": verdict(gradients),
        "layers": [{"name": each.node.name, "norm": each.norm} for each in gradients.layers],
    }
