"""Warnings about the order of layers: double activations, a bias before a norm, dropout at the
end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...dsl.diagnostics import Diagnostic, Edit, Label
from ..network import Network, Node
from ..shapes import Shape, axes_of, by, size
from .field import Field
from .warn import statement_text, warning


def double_activation(network: Network, _: list[Field]) -> Iterator[Diagnostic]:
    for node in network.nodes:
        if node.op.kind != "activation" or node.op.after_activation:
            continue
        before = node.inputs[0]
        if before.op.kind != "activation":
            continue
        same = node.op.word == before.op.word
        yield warning(
            "double-activation",
            f"`{node.op.word}` comes directly after "
            + ("another" if same else f"`{before.op.word}`"),
            node,
            notes=(
                f"{size(node.shape):,} numbers pass two activations, with no weights in between",
            ),
            labels=(Label(before.span, "the first"),),
            help=f"take one out, or put a layer between: `{_between(node.shape)}`",
        )


def _between(shape: Shape) -> str:
    """A layer that keeps a shape."""
    axes = axes_of(shape)
    return f"conv {shape[0]} {by((3,) * axes)} same" if axes else f"fc {shape[0]}"


def bias_before_norm(network: Network, _: list[Field]) -> Iterator[Diagnostic]:
    """Warns of a bias directly before a norm that subtracts each channel's mean, and the bias with
    it.
    """
    for node in network.nodes:
        if node.op.kind not in ("conv", "linear"):
            continue
        bias = next((w for w in node.weights if w.name == "bias" and w.trainable), None)
        after = network.value_consumers[node.index]
        if bias is None or not after or not all(map(_centers_channels, after)):
            continue
        mended = re.sub(r"\bbias\s*=\s*\w+", "bias=off", statement_text(node))
        if mended and mended == node.span.text:
            mended += " bias=off"
        yield warning(
            "bias-before-norm",
            f"the bias of `{node.op.word}` has no effect: `{after[0].op.word}` subtracts it again",
            node,
            notes=(
                f"{size(bias.shape):,} parameters are wasted: what is added to a whole channel is "
                "part of the mean that is subtracted",
            ),
            labels=(Label(after[0].span, "subtracts the mean of each channel"),),
            help=f"write `{mended}`" if mended else f"write `bias=off` at the `{node.op.word}`",
            edits=(Edit(node.span, mended),) if mended else (),
        )


def dropout_last(network: Network, _: list[Field]) -> Iterator[Diagnostic]:
    """Warns of dropout after the last layer with weights.

    Follows the output back through operations such as `flatten` and `softmax`.
    """
    for end in network.ends:
        node = end
        while node.inputs and node.op.kind in ("activation", "shape", "dropout"):
            if node.op.kind == "dropout":
                yield warning(
                    "dropout-last",
                    f"`{node.op.word}` comes after the last layer",
                    node,
                    notes=(
                        f"in training, it sets some of the {size(node.shape):,} outputs of the "
                        "network to zero, and no later layer can compensate",
                    ),
                    help="take it out, or move it before the last layer",
                )
            node = node.inputs[0]


def dropout_before_norm(network: Network, _: list[Field]) -> Iterator[Diagnostic]:
    for node in network.nodes:
        if node.op.kind != "dropout":
            continue
        norm = next((n for n in network.value_consumers[node.index] if _keeps_statistics(n)), None)
        if norm is None:
            continue
        yield warning(
            "dropout-before-norm",
            f"`{node.op.word}` comes directly before `{norm.op.word}`",
            node,
            notes=(
                "the norm measures a larger variance in training than in evaluation, where nothing "
                "is dropped",
            ),
            labels=(Label(norm.span, "measures the variance"),),
            help=f"write `{_text(norm)}, {_text(node)}`, so that it comes after",
        )


def _keeps_statistics(node: Node) -> bool:
    """Whether it uses different statistics in evaluation and in training."""
    return node.op.kind == "norm" and any(w.name == "running_var" for w in node.weights)


def _centers_channels(node: Node) -> bool:
    """Whether it subtracts the mean of each channel.

    (A layer or group norm subtracts a mean over several channels, and EvoNorm none: a bias before
    them changes the result.)
    """
    return node.op.absorbs_bias and _keeps_statistics(node)


def _text(node: Node) -> str:
    return statement_text(node) or node.op.word
