"""The memory of a forward pass and of a training step, simulated operation by operation. In the
forward pass, an output exists from its computation until its last reader is done or, if autograd
keeps it, until the last backward operation that needs it. In the backward pass, gradients of
activations are freed likewise; those of weights stay. Gradients that pass unchanged (through a sum,
a concatenation, a `flatten`) take no new memory. Scratch memory of single operations is not
counted.
"""

from __future__ import annotations

from typing import NamedTuple

from ...dsl.gc_pause import gc_paused
from ..network import Network, Node
from ..ops.base import Kept
from ..shapes import size
from .kept import LABEL, SCALAR, loss, outputs, requires_grad, saved_tensors
from .peak import Bytes, Ledger, Peak
from .question import question
from .setting import Setting
from .storage import storages


def weight_bytes(node: Node) -> int:
    """Bytes of a node's weights and buffers."""
    return sum(size(weight.shape) * (weight.itemsize or 4) for weight in node.weights)


def trained_bytes(node: Node, setting: Setting) -> int:
    """Bytes of the gradients of a node's weights."""
    if node.index in setting.frozen:
        return 0
    return sum(4 * size(weight.shape) for weight in node.weights if weight.trainable)


@gc_paused()
def forward_peak(network: Network, setting: Setting) -> Peak:
    """Peak memory in evaluation: weights, images, and tensors in use between operations."""
    nodes = [node for node in network.nodes if not node.aux]
    amounts = _amounts(network, setting)
    ledger = Ledger(Bytes(sum(map(weight_bytes, nodes)), 4 * size(network.input.shape)))
    places = storages(network, training=False)
    last: dict[int, int] = {}
    for node in nodes:
        last[places[node.index]] = node.index
        for source in node.inputs:
            last[places[source.index]] = node.index
    last[places[network.output.index]] = len(network.nodes)
    last[0] = len(network.nodes)  # the images belong to the caller
    for node in nodes[1:]:
        index = node.index
        if places[index] == index:
            ledger.each += amounts[index]
        ledger.note("forward", index, _inside(node, setting))
        for place in {places[index], *[places[source.index] for source in node.inputs]}:
            if last[place] == index:
                ledger.each -= amounts[place]
    return ledger.peak()


def _inside(node: Node, setting: Setting) -> Bytes:
    """Intermediate results that an operation keeps in training: outputs of its parts, indices."""
    if node.op.kind == "dropout":
        return Bytes()
    kept = node.op.kept(node.shape, *node.input_shapes)
    return Bytes(0, setting.itemsize * kept.own + kept.fixed)


@gc_paused()
def training_peak(network: Network, setting: Setting) -> Peak:
    """Peak memory of one training step: forward, loss, backward, optimizer update."""
    return _Step(network, setting).peak()


def _amounts(network: Network, setting: Setting) -> list[int]:
    """Bytes of each output for one image."""
    return [setting.itemsize * size(node.shape) for node in network.nodes]


class _Gradient:
    """The memory of a gradient, and the number of outputs whose gradients share it."""

    __slots__ = ("amount", "holders")

    def __init__(self, amount: int) -> None:
        self.amount = amount
        self.holders = 0


class _Step:
    """The simulation of a training step."""

    def __init__(self, network: Network, setting: Setting) -> None:
        self.network = network
        self.setting = setting
        self.nodes = network.nodes
        self.places = storages(network)
        self.requires_grad = requires_grad(network, setting.frozen)
        self.saved = saved_tensors(network, setting, self.places)
        self.amounts = _amounts(network, setting)
        self.weights = [trained_bytes(node, setting) for node in self.nodes]
        state = setting.optimizer.state * sum(self.weights)
        constant = sum(map(weight_bytes, self.nodes)) + state
        self.ledger = Ledger(Bytes(constant, 4 * size(network.input.shape) + LABEL))
        self.holders = self._holders()
        self.gradients: dict[int, tuple[_Gradient, bool]] = {}
        """By node: the gradient of its output so far, and whether it fills its memory."""
        self.flows: dict[object, _Flow] = {}

    def peak(self) -> Peak:
        for node in self.nodes[1:]:
            self._forward(node)
        for node in reversed(outputs(self.network)):
            if self.requires_grad[node.index]:
                self._loss(node)
        for node in reversed(self.nodes):
            if node.index in self.gradients:  # otherwise no loss depends on it
                self._backward(node)
        self._update_weights()
        return self.ledger.peak()

    def _holders(self) -> list[int]:
        """By storage: the number of operations that will release it."""
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
            self.ledger.each -= self.amounts[place]

    def _forward(self, node: Node) -> None:
        index = node.index
        if self.places[index] == index:
            self.ledger.each += self.amounts[index]
        self.ledger.take(self.saved[index].own)
        self.ledger.note("forward", index)
        self._let_go(self.places[index])
        for source in node.inputs:
            self._let_go(self.places[source.index])

    def _loss(self, node: Node) -> None:
        """A cross-entropy: forward, then directly backward to the logits."""
        logarithm = loss(node)
        gradient = _Gradient(self.amounts[node.index])
        in_fp32 = Bytes(0, logarithm.each)
        self.ledger.take(Bytes(2 * SCALAR, gradient.amount))  # the loss and what it keeps
        self.ledger.note("loss", node.index, logarithm.plus(in_fp32))
        gradient.holders = 1
        self.gradients[node.index] = gradient, True

    def _backward(self, node: Node) -> None:
        index, ledger = node.index, self.ledger
        output_gradient, _ = self.gradients.pop(index)
        flow = self._flow(node)
        input_gradients = []
        for source, (shared, fills) in zip(node.inputs, flow.inputs, strict=True):
            if not self.requires_grad[source.index]:
                continue
            gradient = output_gradient if shared else _Gradient(self.amounts[source.index])
            if not shared:
                ledger.each += gradient.amount
            gradient.holders += 1
            input_gradients.append((source.index, gradient, fills))
        ledger.fixed += self.weights[index]
        ledger.note("backward", index, flow.scratch)
        self._drop(output_gradient)
        kept = self.saved[index]
        ledger.give(kept.own)
        for place in kept.places:
            self._let_go(place)
        for target, gradient, fills in input_gradients:
            self._accumulate(target, gradient, fills)

    def _flow(self, node: Node) -> _Flow:
        key = question(node)
        flow = self.flows.get(key)
        if flow is None:
            flow = self.flows[key] = _flow(node, self.setting)
        return flow

    def _accumulate(self, target: int, gradient: _Gradient, fills: bool) -> None:
        before = self.gradients.get(target)
        if before is None:
            self.gradients[target] = gradient, fills
            return
        if before[1] and before[0].holders == 1:
            self._drop(gradient)  # accumulated into the existing gradient
            return
        total = _Gradient(self.amounts[target])
        total.holders = 1
        self.ledger.each += total.amount
        self.ledger.note("backward", target)
        self._drop(before[0])
        self._drop(gradient)
        self.gradients[target] = total, True

    def _drop(self, gradient: _Gradient) -> None:
        gradient.holders -= 1
        if not gradient.holders:
            self.ledger.each -= gradient.amount

    def _update_weights(self) -> None:
        copies = self.setting.optimizer.scratch
        if self.setting.device == "cuda":
            scratch = min(copies, 1) * sum(self.weights)
        else:
            sizes = (
                4 * size(weight.shape)
                for node in self.nodes
                for weight in node.weights
                if weight.trainable and node.index not in self.setting.frozen
            )
            scratch = copies * max(sizes, default=0)
        self.ledger.note("step", -1, Bytes(scratch))


class _Flow(NamedTuple):
    """How a gradient passes through an operation."""

    inputs: tuple[tuple[bool, bool], ...]
    """For each input: whether its gradient shares the memory of the output's gradient, and fills
    it.
    """
    scratch: Bytes
    """Bytes needed temporarily."""


def _flow(node: Node, setting: Setting) -> _Flow:
    op, shapes = node.op, node.input_shapes
    alike = [size(shape) == size(node.shape) for shape in shapes]
    if op.kind == "merge":
        if op.kept(node.shape, *shapes) == Kept():
            # A sum passes the gradient on, a concatenation passes on parts.
            return _Flow(tuple([(True, same) for same in alike]), Bytes())
        # The gradient of a broadcast factor has the full size before it is summed.
        full = 0 if all(alike) else setting.itemsize * size(node.shape)
        return _Flow(tuple([(False, True) for _ in alike]), Bytes(0, full))
    view = op.shares_storage and not op.inplace
    low = setting.precision != "fp32" and op.kind in ("conv", "linear")
    # The gradient of a weight has two bytes per element before it becomes fp32.
    scratch = Bytes(trained_bytes(node, setting) // 2 if low else 0)
    return _Flow(tuple([(view and same, True) for same in alike]), scratch)
