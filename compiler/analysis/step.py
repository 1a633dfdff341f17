"""The memory of a forward pass and of a training step, walked through moment by moment.

Forward, an output is there from when it is computed until its last reader is done, or, if autograd
keeps it, until the backward pass of its last keeper. Backward, gradients come and go the same way;
those of weights stay. What flows past unchanged (through a sum, a concatenation, a `flatten`) is no
new memory. Scratch memory of single operations is not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..graph import Network, Node
from ..ops.base import Kept
from ..shapes import size
from .kept import LOSS_SCALARS, Saved, Setting, loss, outputs, saved, trained
from .peak import Bytes, Ledger, Peak
from .storage import storages

OPTIMIZER_STATE = {"sgd": 0, "momentum": 1, "rmsprop": 1, "adam": 2, "adamw": 2}
"""Numbers that are kept for each weight."""

OPTIMIZER_SCRATCH = {"sgd": 0, "momentum": 0, "rmsprop": 1, "adam": 2, "adamw": 2}
"""Copies of a weight that exist while it is changed: on the CPU, where one is done after the other,
of the largest; on a GPU, where torch changes all at once, of all (one copy there)."""


def weight_bytes(node: Node) -> int:
    """Of a node's weights and buffers."""
    return sum(size(weight.shape) * (weight.itemsize or 4) for weight in node.weights)


def trained_bytes(node: Node, setting: Setting) -> int:
    """Of the gradients of a node's weights."""
    if node.index in setting.frozen:
        return 0
    return sum(4 * size(weight.shape) for weight in node.weights if weight.trainable)


def forward_peak(network: Network, setting: Setting) -> Peak:
    """In evaluation: weights, images, and what is in use between operations."""
    nodes = [node for node in network.nodes if not node.aux]
    ledger = Ledger(Bytes(sum(map(weight_bytes, nodes)), 4 * size(network.input.shape)))
    places = storages(network, training=False)
    last: dict[int, int] = {}
    for node in nodes:
        last[places[node.index]] = node.index
        for source in node.inputs:
            last[places[source.index]] = node.index
    last[places[network.output.index]] = len(network.nodes)
    last[0] = len(network.nodes)  # the images are the user's
    for node in nodes[1:]:
        if places[node.index] == node.index:
            ledger.take(_output(node, setting))
        ledger.note("forward", node.index)
        for place in {places[node.index], *(places[source.index] for source in node.inputs)}:
            if last[place] == node.index:
                ledger.give(_output(network.nodes[place], setting))
    return ledger.peak()


def training_peak(network: Network, setting: Setting) -> Peak:
    """Of one step: forward, the loss, backward, the optimiser's change of the weights."""
    return _Step(network, setting).peak()


def _output(node: Node, setting: Setting) -> Bytes:
    return Bytes(0, setting.itemsize * size(node.shape))


def _hands_on(node: Node) -> bool:
    """Whether its output's gradient is, or holds, those of its inputs: a sum, a concatenation."""
    return node.op.kind == "merge" and node.op.kept(node.shape, *node.input_shapes) == Kept()


@dataclass(slots=True)
class _Gradient:
    """Memory of a gradient, and how many outputs' gradients lie in it."""

    amount: Bytes
    holders: int = 0


class _Step:
    """A training step under way."""

    def __init__(self, network: Network, setting: Setting) -> None:
        self.network = network
        self.setting = setting
        self.nodes = network.nodes
        self.places = storages(network)
        self.flows = trained(network, setting.frozen)
        self.saved: list[Saved] = saved(network, setting, self.places)
        weights = sum(map(weight_bytes, self.nodes))
        self.gradients_in_all = sum(trained_bytes(node, setting) for node in self.nodes)
        state = OPTIMIZER_STATE[setting.optimizer] * self.gradients_in_all
        self.ledger = Ledger(Bytes(weights + state, 4 * size(network.input.shape)))
        self.holders = self._holders()
        self.gradients: dict[int, tuple[_Gradient, bool]] = {}
        """By node: the gradient of its output so far, and whether it is all of its memory."""

    def peak(self) -> Peak:
        for node in self.nodes[1:]:
            self._forward(node)
        for node in reversed(outputs(self.network)):
            if self.flows[node.index]:
                self._loss(node)
        for node in reversed(self.nodes):
            self._backward(node)
        self.gradients.clear()
        self._change_weights()
        return self.ledger.peak()

    def _holders(self) -> list[int]:
        """By place: how many will let go of it."""
        count = [0] * len(self.nodes)
        for node in self.nodes:
            count[self.places[node.index]] += 1  # itself, once it is computed
            for source in node.inputs:
                count[self.places[source.index]] += 1
            for place in self.saved[node.index].places:
                count[place] += 1
        for node in outputs(self.network):
            count[self.places[node.index]] += 1  # the user
        count[0] += 1
        return count

    def _let_go(self, place: int) -> None:
        self.holders[place] -= 1
        if not self.holders[place]:
            self.ledger.give(_output(self.nodes[place], self.setting))

    def _forward(self, node: Node) -> None:
        if self.places[node.index] == node.index:
            self.ledger.take(_output(node, self.setting))
        self.ledger.take(self.saved[node.index].own)
        self.ledger.note("forward", node.index)
        self._let_go(self.places[node.index])
        for source in node.inputs:
            self._let_go(self.places[source.index])

    def _loss(self, node: Node) -> None:
        """A cross-entropy: forward, and at once backward to the logits."""
        logarithm = loss(node)
        gradient = _output(node, self.setting)
        in_fp32 = Bytes(0, logarithm.each)
        self.ledger.note("loss", node.index, logarithm.plus(in_fp32).plus(gradient))
        self.ledger.take(gradient)
        self.ledger.take(Bytes(LOSS_SCALARS))
        self.gradients[node.index] = _Gradient(gradient, 1), True

    def _backward(self, node: Node) -> None:
        if node.index not in self.gradients:
            return  # nothing that is trained for depends on it
        arriving, _ = self.gradients.pop(node.index)
        made = [
            (source, *self._gradient(node, source, arriving))
            for source in node.inputs
            if self.flows[source.index]
        ]
        for _, gradient, _ in made:
            gradient.holders += 1
            if gradient is not arriving:
                self.ledger.take(gradient.amount)
        self.ledger.take(Bytes(trained_bytes(node, self.setting)))
        self.ledger.note("backward", node.index, self._scratch(node))
        self._drop(arriving)
        self.ledger.give(self.saved[node.index].own)
        for place in self.saved[node.index].places:
            self._let_go(place)
        for source, gradient, alone in made:
            self._accumulate(source, gradient, alone)

    def _gradient(self, node: Node, source: Node, arriving: _Gradient) -> tuple[_Gradient, bool]:
        """The gradient of an input, and whether it is all of its memory."""
        op = node.op
        alike = size(source.shape) == size(node.shape)
        if op.shares_storage and not op.inplace and alike:
            return arriving, True
        if _hands_on(node):
            return arriving, alike  # a sum hands it on, a concatenation hands on parts
        return _Gradient(_output(source, self.setting)), True

    def _scratch(self, node: Node) -> Bytes:
        """A product's gradient by a broadcast factor has the full size, before it is summed up."""
        if node.op.kind == "merge" and not _hands_on(node):
            if any(source.shape != node.shape for source in node.inputs):
                return _output(node, self.setting)
        elif self.setting.precision != "fp32" and node.op.kind in ("conv", "linear"):
            return Bytes(trained_bytes(node, self.setting) // 2)  # before it becomes fp32
        return Bytes()

    def _accumulate(self, source: Node, gradient: _Gradient, alone: bool) -> None:
        before = self.gradients.get(source.index)
        if before is None:
            self.gradients[source.index] = gradient, alone
            return
        if before[1] and before[0].holders == 1:
            self._drop(gradient)  # added to what is there
            return
        total = _Gradient(_output(source, self.setting), 1)
        self.ledger.take(total.amount)
        self.ledger.note("backward", source.index)
        self._drop(before[0])
        self._drop(gradient)
        self.gradients[source.index] = total, True

    def _drop(self, gradient: _Gradient) -> None:
        gradient.holders -= 1
        if not gradient.holders:
            self.ledger.give(gradient.amount)

    def _change_weights(self) -> None:
        copies = OPTIMIZER_SCRATCH[self.setting.optimizer]
        if self.setting.device == "cuda":
            scratch = min(copies, 1) * self.gradients_in_all
        else:
            sizes = (
                4 * size(weight.shape)
                for node in self.nodes
                for weight in node.weights
                if weight.trainable and node.index not in self.setting.frozen
            )
            scratch = copies * max(sizes, default=0)
        self.ledger.note("step", -1, Bytes(scratch))
