"""A network as torch computes it, straight from the text that each operation gives, node by node.

Not what is emitted (blocks, loops, names): just enough to hold an analysis against what happens.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dotcnn.compiler.network import Network


class Interpreter(nn.Module):
    """Outputs that nobody needs any more are let go of, as a function's local names would be.

    Returns the output, or a list of several; in training, with those of the auxiliary heads.
    `stop` is the node to return instead.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.calls: list[Any] = []
        self.held = nn.ModuleDict()
        for node in network.nodes:
            scope: dict[str, Any] = {"torch": torch, "nn": nn, "F": F, "Tensor": Tensor}
            text = node.op.torch(node.shape, *node.input_shapes) if node.inputs else None
            if text is None:
                self.calls.append(None)
                continue
            exec(text.helper, scope)
            scope["m"] = None
            if text.module and node.shared:
                scope["m"] = self.held[str(node.shared.index)]
            elif text.module:
                scope["m"] = self.held[str(node.index)] = eval(str(text.module), scope)
            names = [f"x{n}" for n in range(len(node.inputs))]
            expression = text.call.format(*names, m="m")
            self.calls.append(eval(f"lambda {', '.join(names)}: {expression}", scope))
        self.last = [0] * len(network.nodes)
        for node in network.nodes:
            for source in node.inputs:
                self.last[source.index] = node.index

    def forward(self, *images: Tensor, stop: int | None = None) -> Any:
        heads = [head.node.index for head in self.network.aux] if self.training else []
        main = [output.node.index for output in self.network.outputs]
        wanted = [*(main if stop is None else [stop]), *heads]
        given = self.network.inputs
        values = {node.index: image for node, image in zip(given, images, strict=True)}
        for node in self.network.nodes:
            if node in given:
                continue
            if node.aux and not self.training and stop is None:
                continue
            inputs = [values[source.index] for source in node.inputs]
            values[node.index] = self.calls[node.index](*inputs)
            del inputs
            for index in {node.index, *(source.index for source in node.inputs)}:
                if self.last[index] <= node.index and index not in wanted:
                    del values[index]
            if node.index == stop:
                break
        results = [values[index] for index in wanted]
        return results if len(results) > 1 and stop is None else results[0]
