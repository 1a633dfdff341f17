"""What the page knows of each layer: its texts, its values, its window, its weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite, prod
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ....compiler.analysis import Analysis
from ....compiler.analysis.field import Axis
from ....compiler.network import Network, Node
from ....compiler.ops.merge import Concat
from ....compiler.report.explain.layer import layer_lines
from ....compiler.report.wording import Wording, what_it_does
from ...inference.layer_outputs import LayerOutputs
from ..layer_figures import strongest, summary
from .arithmetic import Arithmetic, Part, add_weights
from .channels import REDUCED, Choice, copies, flat
from .derived import derived
from .encode import Pack


class Layers:
    """The layers of a network, as JSON and as packs of arrays."""

    def __init__(
        self,
        analysis: Analysis,
        layers: LayerOutputs,
        outputs: Mapping[int, Tensor],
        choice: Choice,
        arithmetic: Arithmetic,
    ) -> None:
        self.analysis = analysis
        self.network = analysis.network
        self.layers = layers
        self.arithmetic = arithmetic
        self.outputs = outputs
        self.choice = choice
        self._wording = Wording(analysis.network)
        self._values: dict[int, Tensor] = {}
        self._places = {index: set(shown) for index, shown in choice.channels.items()}
        self._last_use = {s.index: n.index for n in self.network.nodes for s in n.inputs}

    def __iter__(self) -> Iterator[tuple[dict[str, Any], Pack]]:
        """For each layer its JSON and its pack, in order."""
        for node in self.network.nodes:
            if node.index in self.outputs:
                yield self._layer(node)

    def _layer(self, node: Node) -> tuple[dict[str, Any], Pack]:
        pack = Pack()
        channels = self.choice.channels[node.index]
        data = {
            "index": node.index,
            "name": node.name,
            "what": self._wording.layer(node),
            "kind": node.op.kind,
            "shape": node.shape,
            "inputs": [source.index for source in node.inputs],
            "readers": self._readers(node),
            "about": what_it_does(node.op),
            "lines": layer_lines(self.analysis, node, brief=True),
            "figures": self._figures(node),
            "channels": None if len(channels) == node.shape[0] else channels,
            "flat": flat(node),
            "values": self._add_values(node, pack),
            "reduced": self._reduced(node, pack),
            "window": _window(node),
            "operation": self.arithmetic.operation(node) if node.inputs else None,
            "weights": self._weights(node, pack),
        }
        if len(self.network.inputs) == 1 and len(self.network.input.shape) > 1:
            data["field"] = [_axis(axis) for axis in self.analysis.fields[node.index]]
        data["arrays"] = pack.contents
        return data, pack

    def _readers(self, node: Node) -> list[int]:
        readers = self.network.consumers[node.index]
        return list(dict.fromkeys(each.index for each in readers if each.index in self.outputs))

    def _figures(self, node: Node) -> dict[str, Any]:
        figures = summary(node, self.outputs[node.index])
        return {
            "least": _number(figures.least),
            "mean": _number(figures.mean),
            "greatest": _number(figures.greatest),
            "zeros": _number(figures.zeros),
            "dead": figures.dead,
            "bad": figures.bad,
        }

    # ---- values ----

    def _shown(self, node: Node) -> Tensor:
        """The values in the page: images x channels, one row each."""
        channels = self.choice.channels[node.index]
        output = self.outputs[node.index].detach()
        if len(channels) < output.shape[1]:
            output = output[:, list(channels)]
        return output.float().cpu().reshape(len(output) * len(channels), prod(node.shape[1:]))

    def _add_values(self, node: Node, pack: Pack) -> dict[str, Any] | None:
        """Adds the values, or returns how they follow from those of the layer before."""
        if not self.choice.channels[node.index]:
            return None
        values = self._values[node.index] = self._shown(node)
        how = self._copied(node) or self._derived(node, values, pack)
        if how is None:
            # Of vectors, one row for each image.
            rows = values.reshape(len(self.outputs[node.index]), -1) if flat(node) else values
            pack.add_rows("values", rows, self.choice.exact)
            how = {}
        for source in node.inputs:
            if self._last_use.get(source.index) == node.index:
                self._values.pop(source.index, None)
        return how

    def _copied(self, node: Node) -> dict[str, Any] | None:
        """The layers and channels that a concat copies, if all of them are in the page."""
        if not isinstance(node.op, Concat):
            return None
        every = copies(node)
        shown = [every[channel] for channel in self.choice.channels[node.index]]
        if any(c not in self._places[source.index] for source, c in shown):
            return None
        return {"copies": [(source.index, channel) for source, channel in shown]}

    def _derived(self, node: Node, values: Tensor, pack: Pack) -> dict[str, Any] | None:
        if len(node.inputs) != 1 or node.inputs[0].index not in self._values:
            return None
        (source,) = node.inputs
        before = self._values[source.index]
        if before.numel() != values.numel():
            return None
        if torch.equal(before.flatten(), values.flatten()):
            return {"from": source.index}
        same = self.choice.channels[source.index] == self.choice.channels[node.index]
        follows = derived(before, values) if same and before.shape == values.shape else None
        if follows is None:
            return None
        if follows.a is not None and follows.b is not None:
            pack.add("a", follows.a)
            pack.add("b", follows.b)
            return {"from": source.index, "affine": True}
        return {"from": source.index, "low": follows.low, "high": follows.high}

    def _reduced(self, node: Node, pack: Pack) -> dict[str, Any] | None:
        """Of maps that are too large for the page: means of their pixels."""
        if node.index not in self.choice.reduced:
            return None
        output = self.outputs[node.index].detach()
        channels = strongest(output, REDUCED)
        side = self.choice.reduced[node.index]
        longer = max(node.shape[1:])
        height, width = (max(round(side * each / longer), 1) for each in node.shape[1:])
        maps = adaptive_avg_pool2d(output[:, channels].float().cpu(), (height, width))
        pack.add_rows("reduced", maps.flatten(0, 1).flatten(1), exact=False)
        return {"channels": channels, "size": (height, width)}

    # ---- how it computes ----

    def _weights(self, node: Node, pack: Pack) -> dict[str, Any]:
        module = self.layers.part(node)
        if module is None or not node.inputs:
            return {}
        (source, *_) = node.inputs
        return add_weights(
            Part(
                node,
                module.state_dict(),
                self.choice.channels[node.index],
                self.choice.channels[source.index],
                self.outputs[source.index],
                self.outputs[node.index],
                self.choice.exact,
                self.choice.complete,
                pack,
            )
        )


def _window(node: Node) -> dict[str, Any] | None:
    """What an output reads of the layer before, if it is more than one position."""
    window = node.window if node.inputs else None
    if window is None:
        return None
    if isinstance(window, str):
        return {"all": True}
    return {
        "size": window.size,
        "stride": [float(step) for step in window.stride],
        "start": [float(step) for step in window.start],
    }


def _axis(axis: Axis) -> dict[str, Any]:
    return {
        "first": axis.first,
        "last": axis.last,
        "step": int(axis.jump * len(axis.first)),
        "whole": axis.whole,
    }


def _number(value: float) -> float | str:
    return value if isfinite(value) else str(value)


def likely_derived(network: Network, outputs: Mapping[int, Tensor]) -> set[int]:
    """The layers whose first channel follows from the layer before."""
    found = set()
    for node in network.nodes:
        if node.index not in outputs or len(node.inputs) != 1:
            continue
        values, before = outputs[node.index], outputs[node.inputs[0].index]
        if values.shape == before.shape and derived(_first(before), _first(values)) is not None:
            found.add(node.index)
    return found


def _first(output: Tensor) -> Tensor:
    return output[:, :1].detach().float().reshape(len(output), -1)
