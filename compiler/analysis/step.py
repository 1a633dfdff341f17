"""The memory of a forward pass and of a training step, simulated operation by operation. In the
forward pass, an output exists from its computation until its last reader is done or, if autograd
keeps it, until the last backward operation that needs it. In the backward pass, gradients of
activations are freed likewise; those of weights stay. Gradients that pass unchanged (through a sum,
a concatenation, a `flatten`) take no new memory. Scratch memory of single operations of torch is
not counted; that between those of a composite norm is. On a GPU, what the training loop keeps there
is counted, too (gpu.py), and each tensor is recorded, so that torch's allocator can be simulated
(caching_allocator.py).
"""

from __future__ import annotations

from typing import NamedTuple

from ...dsl.gc_pause import gc_paused
from ..network import Network, Node
from ..ops.base import Kept
from ..shapes import size
from .autocast import Width, widths
from .gpu import resident
from .hidden import orthogonalization_scratch
from .kept import LABEL, SCALAR, input_size, inputs_of, loss, outputs, requires_grad, saved_tensors
from .peak import Bytes, Event, Ledger, Peak
from .question import question
from .setting import Setting
from .storage import storages
from .weight_bytes import gradient_sizes, state_sizes, trained_bytes, weight_bytes


@gc_paused()
def forward_peak(network: Network, setting: Setting) -> Peak:
    """Peak memory in evaluation: weights, images, and tensors in use between operations."""
    nodes = [node for node in network.nodes if not node.aux]
    each_width = widths(network, setting)
    amounts = _amounts(network, each_width)
    ledger = Ledger(Bytes(sum(map(weight_bytes, nodes)), 4 * input_size(network)))
    places = storages(network, training=False)
    inside: dict[object, Bytes] = {}
    last: dict[int, int] = {}
    for node in nodes:
        last[places[node.index]] = node.index
        for source in node.inputs:
            last[places[source.index]] = node.index
    for kept in (*network.inputs, *[output.node for output in network.outputs]):
        last[places[kept.index]] = len(network.nodes)  # the caller's
    for node in nodes:
        index = node.index
        if not node.inputs:
            continue
        if places[index] == index:
            ledger.each += amounts[index]
        key = each_width[index], question(node)
        if key not in inside:
            inside[key] = _inside(node, each_width[index])
        ledger.note("forward", index, inside[key])
        for place in {places[index], *[places[source.index] for source in node.inputs]}:
            if last[place] == index:
                ledger.each -= amounts[place]
    return ledger.peak()


def _inside(node: Node, width: Width) -> Bytes:
    """Intermediate results that an operation keeps in training: outputs of its parts, indices."""
    if node.op.kind == "dropout":
        return Bytes()
    kept = node.op.kept(node.shape, *node.input_shapes)
    return Bytes(0, width.inside * kept.own + kept.fixed)


class TrainingStep(NamedTuple):
    peak: Peak
    """Its memory: in forward, loss, backward and optimizer update."""
    events: list[Event]
    """If they are recorded: the tensors that it allocates and frees, in order."""


@gc_paused()
def training_step(network: Network, setting: Setting, *, record: bool = False) -> TrainingStep:
    """The memory of one training step; with `record`, its tensors too."""
    step = _Step(network, setting, record)
    step.run()
    return TrainingStep(step.ledger.peak(), step.ledger.events or [])


def _amounts(network: Network, each_width: list[Width]) -> list[int]:
    """Bytes of each output for one image."""
    return [
        width.output * size(node.shape)
        for node, width in zip(network.nodes, each_width, strict=True)
    ]


class _Gradient:
    """The memory of a gradient, and the number of outputs whose gradients share it."""

    __slots__ = ("amount", "holders")

    def __init__(self, amount: int) -> None:
        self.amount = amount
        self.holders = 0


class _Step:
    """The simulation of a training step."""

    def __init__(self, network: Network, setting: Setting, record: bool) -> None:
        self.network = network
        self.setting = setting
        self.gpu = setting.device == "cuda"
        self.nodes = network.nodes
        self.part_of = setting.part_of
        self.places = storages(network, part_of=self.part_of)
        self.requires_grad = requires_grad(network, setting.frozen)
        self.saved = saved_tensors(network, setting, self.places, self.requires_grad)
        self.widths = widths(network, setting)
        self.amounts = _amounts(network, self.widths)
        self.gradient_sizes = [gradient_sizes(node, setting) for node in self.nodes]
        self.pixels = input_size(network)
        self.ledger = Ledger(self._start(), record=record)
        self.part_inputs = [
            inputs_of(network, part, self.places, self.requires_grad) for part in setting.recompute
        ]
        self.again = [0] * len(self.nodes)
        """By storage that was computed again: the number of operations that will release it."""
        self.computed_again: set[int] = set()
        """The numbers of those parts."""
        self.holders = self._holders()
        self.gradients: dict[int, tuple[_Gradient, bool]] = {}
        """By node: the gradient of its output so far, and whether it fills its memory."""
        self.flows: dict[object, _Flow] = {}
        self.weight_gradients: list[tuple[object, int]] = []

    def _start(self) -> Bytes:
        """The memory in use before the step, with its images, except on a GPU."""
        if self.gpu:
            tensors = resident(self.network, self.setting)
            return Bytes(sum(t.fixed for t in tensors), sum(t.each for t in tensors))
        state = sum(state_sizes(self.network, self.setting))
        constant = sum(map(weight_bytes, self.nodes)) + state
        return Bytes(constant, 4 * self.pixels + LABEL)

    def run(self) -> None:
        if self.gpu:
            self._preprocess()
        for node in self.nodes:
            if node.inputs:
                self._forward(node)
        for node in reversed(outputs(self.network)):
            if self.requires_grad[node.index]:
                self._loss(node)
        for node in reversed(self.nodes):
            part = self.part_of.get(node.index)
            if node.index in self.gradients:  # otherwise no loss depends on it
                if part is not None and part not in self.computed_again:
                    self._compute_again(part)
                self._backward(node)
            if part is not None and node.index == min(self.setting.recompute[part]):
                for place in self.part_inputs[part]:
                    self._let_go(place)
        self._update_weights()

    def _preprocess(self) -> None:
        """Bytes become the network's input in float32. That of the step before is held until then,
        and so are both results of the arithmetic.
        """
        self.ledger.take("images as bytes", 0, self.pixels)
        self.ledger.take("images", 0, 4 * self.pixels)
        self.ledger.note("preprocessing", 0, Bytes(0, (4 + 4) * self.pixels))

    def _holders(self) -> list[int]:
        """By storage: the number of operations that will release it."""
        count = [0] * len(self.nodes)
        for node in self.nodes:
            count[self.places[node.index]] += 1  # itself, once it is computed
            for source in node.inputs:
                count[self.places[source.index]] += 1
            if node.index not in self.part_of:
                for place in self.saved[node.index].places:
                    count[place] += 1
        for inputs in self.part_inputs:
            for place in inputs:
                count[place] += 1
        for node in outputs(self.network):
            count[self.places[node.index]] += 1  # the user
        for node in self.network.inputs:
            count[node.index] += 1
        return count

    def _let_go(self, place: int) -> None:
        self.holders[place] -= 1
        if not self.holders[place]:
            self.ledger.give(place, 0, self.amounts[place])

    def _forward(self, node: Node) -> None:
        index = node.index
        if self.places[index] == index:
            self.ledger.take(index, 0, self.amounts[index])
        own = self.saved[index].own
        if index in self.part_of:
            self.ledger.note("forward", index, own)
        else:
            if own.each or own.fixed:
                self.ledger.take(("kept", index), *own)
            self.ledger.note("forward", index)
        self._let_go(self.places[index])
        for source in node.inputs:
            self._let_go(self.places[source.index])

    def _compute_again(self, number: int) -> None:
        """The forward pass of a part, just before its backward pass: what its operations keep now
        exists until they are done."""
        self.computed_again.add(number)
        part = self.setting.recompute[number]
        nodes = [self.nodes[index] for index in sorted(part)]
        for node in nodes:
            held = [place for place in self._touched(node) if place in part]
            for place in (*held, *self.saved[node.index].places):
                holders = self.again if place in part else self.holders
                holders[place] += 1
        for node in nodes:
            if self.places[node.index] == node.index:
                self.ledger.take(("again", node.index), 0, self.amounts[node.index])
            own = self.saved[node.index].own
            if own.each or own.fixed:
                self.ledger.take(("kept", node.index), *own)
            self.ledger.note("backward", node.index)
            for place in self._touched(node):
                if place in part:
                    self._let_go_again(place)

    def _touched(self, node: Node) -> list[int]:
        """The storages of the output and of the inputs of an operation."""
        return [self.places[each.index] for each in (node, *node.inputs)]

    def _let_go_again(self, place: int) -> None:
        self.again[place] -= 1
        if not self.again[place]:
            self.ledger.give(("again", place), 0, self.amounts[place])

    def _loss(self, node: Node) -> None:
        """A cross-entropy: forward, then directly backward to the logits."""
        logarithm = loss(node)
        gradient = _Gradient(self.amounts[node.index])
        in_fp32 = Bytes(0, logarithm.each)
        if self.widths[node.index].output < 4:
            # The loss is computed from a copy, which metrics keep.
            self.ledger.take(("logits", node.index), 0, logarithm.each)
        self.ledger.take(("loss", node.index), 2 * SCALAR, 0)  # and what it keeps
        self.ledger.take(gradient, 0, gradient.amount)
        self.ledger.note("loss", node.index, logarithm.plus(in_fp32))
        gradient.holders = 1
        self.gradients[node.index] = gradient, True

    def _backward(self, node: Node) -> None:
        index, ledger = node.index, self.ledger
        output_gradient, _ = self.gradients.pop(index)
        flow = self._flow(node)
        input_gradients: list[tuple[int, _Gradient, bool]] = []
        width = self.widths[index]
        converted: list[tuple[_Gradient, int, bool]] = []
        for position, (shared, fills, before) in enumerate(flow.inputs):
            source = node.inputs[position]
            if not self.requires_grad[source.index]:
                continue
            gradient = output_gradient if shared else _Gradient(self.amounts[source.index])
            # A conversion by autocast has a backward operation of its own, after this one.
            later = bool(before) and width.converts(position)
            if before:
                ledger.take((gradient, "before"), 0, before)
                converted.append((gradient, before, later))
            if not shared and not later:
                ledger.take(gradient, 0, gradient.amount)
            gradient.holders += 1
            input_gradients.append((source.index, gradient, fills))
        low = width.inside < 4 and node.op.autocast == "low"
        if not low:
            self._weight_gradients(node)
        ledger.note("backward", index, flow.scratch)
        self._drop(output_gradient)
        kept = self.saved[index]
        if kept.own.each or kept.own.fixed:
            ledger.give(("kept", index), *kept.own)
        for place in kept.places:
            if self.part_of.get(place) == self.part_of.get(index, -1):
                self._let_go_again(place)
            else:
                self._let_go(place)
        if low:
            self._weight_gradients(node)
            ledger.note("backward", index, flow.scratch)
        for gradient, before, later in converted:
            if later:
                ledger.take(gradient, 0, gradient.amount)
                ledger.note("backward", index)
            ledger.give((gradient, "before"), 0, before)
        for target, gradient, fills in input_gradients:
            self._accumulate(target, gradient, fills)

    def _weight_gradients(self, node: Node) -> None:
        """Those of one layer. They stay until the update; with accumulated batches, they are added
        to those that exist already.
        """
        for number, amount in enumerate(self.gradient_sizes[node.index]):
            tensor = ("gradient", node.index, number)
            self.ledger.take(tensor, amount, 0)
            if self.gpu and self.setting.accumulate > 1:
                self.ledger.note("backward", node.index)
                self.ledger.give(tensor, amount, 0)
            else:
                self.weight_gradients.append((tensor, amount))

    def _flow(self, node: Node) -> _Flow:
        width = self.widths[node.index]
        sources = tuple([self.widths[source.index].output for source in node.sources])
        key = width, sources, question(node)
        flow = self.flows.get(key)
        if flow is None:
            flow = self.flows[key] = _flow(node, self.setting, width, sources)
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
        self.ledger.take(total, 0, total.amount)
        self.ledger.note("backward", target)
        self._drop(before[0])
        self._drop(gradient)
        self.gradients[target] = total, True

    def _drop(self, gradient: _Gradient) -> None:
        gradient.holders -= 1
        if not gradient.holders:
            self.ledger.give(gradient, 0, gradient.amount)

    def _update_weights(self) -> None:
        optimizer = self.setting.optimizer
        if self.gpu:
            scratch = optimizer.gpu_scratch * sum(map(sum, self.gradient_sizes))
        else:
            scratch = optimizer.scratch * max(
                map(max, filter(None, self.gradient_sizes)), default=0
            )
        if optimizer.orthogonalizes:
            scratch = max(scratch, orthogonalization_scratch(self.network, self.setting))
        self.ledger.note("step", -1, Bytes(scratch))
        if self.gpu:
            for tensor, amount in self.weight_gradients:
                self.ledger.give(tensor, amount, 0)


class _Flow(NamedTuple):
    """How a gradient passes through an operation."""

    inputs: tuple[tuple[bool, bool, int], ...]
    """For each input: whether its gradient shares the memory of the output's gradient, and fills
    it; and the bytes of the gradient before it is converted to the precision of the input, if it
    has another one.
    """
    scratch: Bytes
    """Bytes needed temporarily."""


def _flow(node: Node, setting: Setting, width: Width, sources: tuple[int, ...]) -> _Flow:
    op, shapes = node.op, tuple([source.shape for source in node.sources])
    alike = [size(shape) == size(node.shape) for shape in shapes]
    before = [
        width.inside * size(shape) if source != width.inside else 0
        for shape, source in zip(shapes, sources, strict=True)
    ]
    if op.kind == "merge":
        if op.kept(node.shape, *shapes) == Kept():
            # A sum passes the gradient on, a concatenation passes on parts.
            same = [source == width.output for source in sources]
            return _Flow(tuple(zip(same, alike, [0] * len(same), strict=True)), Bytes())
        # The gradient of a broadcast factor has the full size before it is summed.
        full = 0 if all(alike) else width.inside * size(node.shape)
        return _Flow(tuple([(False, True, each) for each in before]), Bytes(0, full))
    if op.passes_gradient:
        same = [source == width.output for source in sources]
        return _Flow(tuple(zip(same, alike, [0] * len(same), strict=True)), Bytes())
    view = op.shares_storage and not op.inplace
    low = setting.precision != "fp32" and op.kind in ("conv", "linear")
    # The gradient of a weight has two bytes per element before it becomes fp32.
    scratch = Bytes(trained_bytes(node, setting) // 2 if low else 0)
    own = op.kept(node.shape, *shapes).scratch
    if own:
        scratch = Bytes(0, width.inside * own)
    flows = [
        (view and same, True, 0 if view else each) for same, each in zip(alike, before, strict=True)
    ]
    return _Flow(tuple(flows), scratch)
