"""The output of every layer of a network for given images, for all that looks inside a network.

The emitted module returns its last output only, and its blocks hide what is between. Here the
layers are called one by one in the order of the graph, with the weights of that module and with the
same lines of torch code, so the outputs are the same to the bit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...compiler.network import Network, Node


class LayerOutputs:
    """Computes the outputs of layers. Gradients flow through them, if they are enabled."""

    def __init__(self, network: Network, module: nn.Module) -> None:
        """`module` is the emitted module of the network, as `load.live` constructs it; its mode,
        training or evaluation, is used as it is."""
        self.network = network
        self.module = module
        self._parts: dict[int, nn.Module] = {}
        self._calls = [
            self._call(node) if node.inputs and not node.aux else None for node in network.nodes
        ]

    def part(self, node: Node) -> nn.Module | None:
        """The module that computes a layer; None for sums and other operations without one."""
        return self._parts.get(node.index)

    def __call__(
        self,
        images: Tensor,
        wanted: Collection[Node] | None = None,
        given: Mapping[int, Tensor] | None = None,
    ) -> dict[int, Tensor]:
        """The outputs of layers by the index of their node, the input at 0 included: of all layers
        but auxiliary heads, or of those `wanted`. `given` are outputs to continue with instead of
        computing them. Nothing is computed that is not needed, and nothing is kept longer."""
        outputs = {**self._of_inputs(images, given or {}), **(given or {})}
        needed = self._needed(wanted, outputs)
        keep = None if wanted is None else {node.index for node in wanted}
        last_use = {
            source.index: node.index
            for node in self.network.nodes
            if node.index in needed and node.index not in outputs
            for source in node.inputs
        }
        for node in self.network.nodes:
            call = self._calls[node.index]
            if node.index not in needed or node.index in outputs or call is None:
                continue
            inputs = [outputs[source.index] for source in node.inputs]
            if node.op.inplace:  # the output before it is wanted, too
                inputs[0] = inputs[0].clone()
            outputs[node.index] = call(*inputs)
            if keep is not None:
                for source in node.inputs:
                    if last_use[source.index] == node.index and source.index not in keep:
                        outputs.pop(source.index, None)
        return outputs if keep is None else {index: outputs[index] for index in keep}

    def _of_inputs(self, images: Tensor, given: Collection[int]) -> dict[int, Tensor]:
        """The images of each input: of the first, if the others are given; else the channels of
        all are one after the other."""
        inputs = self.network.inputs
        if all(node.index in given for node in inputs[1:]):
            return {0: images}
        each = torch.split(images, [node.shape[0] for node in inputs], 1)
        return {node.index: own for node, own in zip(inputs, each, strict=True)}

    def _needed(self, wanted: Collection[Node] | None, given: Collection[int]) -> set[int]:
        if wanted is None:
            return {node.index for node in self.network.nodes if not node.aux}
        needed = {node.index for node in wanted}
        for node in reversed(self.network.nodes):
            if node.index in needed and node.index not in given:
                needed.update(source.index for source in node.inputs)
        return needed

    def _call(self, node: Node) -> Callable[..., Tensor]:
        """A layer as a function of its inputs."""
        text = node.torch
        names = [f"input{position}" for position in range(len(node.inputs))]
        expression = text.call.format(*names, m="part")
        # The module's own Python module has every helper that the text calls.
        scope: dict[str, Any] = dict(vars(sys.modules[type(self.module).__module__]))
        if text.module is not None:
            try:
                scope["part"] = self.module.get_submodule((node.shared or node).name)
            except AttributeError:  # a last softmax, which the module leaves to the loss
                scope["part"] = eval(str(text.module), scope)
            self._parts[node.index] = scope["part"]
        function: Callable[..., Tensor] = eval(f"lambda {', '.join(names)}: {expression}", scope)
        return function


def logits_of(network: Network) -> Node:
    """The layer whose output the loss takes: the last one, or the one before a last softmax."""
    last = network.output
    return last.inputs[0] if last.op.probabilities else last
