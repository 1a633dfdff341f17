"""Captures a module as a graph of torch operations, from which ONNX and .pt2 files are written."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from ...compiler.network import Network
from ...compiler.plan import plan
from .trained import Trained


class Predicting(nn.Module):
    """A network that outputs probabilities; its submodules keep their names."""

    def __init__(self, module: nn.Module, predict: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.__dict__["predict"] = predict  # not registered: the submodules are added below
        for name, child in module.named_children():
            self.add_module(name, child)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.__dict__["predict"](x)
        return result


def predicting(trained: Trained, multi_label: bool | None) -> nn.Module:
    """The module with the softmax or sigmoid that is part of the loss in training. `multi_label` is
    None if the weights do not say whether an image may have several classes."""
    module = trained.module
    if multi_label is None and hasattr(module, "predict"):
        predict: Callable[[Tensor], Tensor] = module.predict  # type: ignore[assignment]
        return Predicting(module, predict)
    if multi_label is None:
        multi_label = plan(trained.network, needs_data=False).train.loss.several_labels
    if multi_label:
        return Predicting(module, lambda images: module(images).sigmoid())
    return Predicting(module, lambda images: module(images).softmax(1))


def captured(module: nn.Module, network: Network, batch: int | None) -> ExportedProgram:
    """The module as a graph, for batches of any size or of the size `batch`."""
    images = torch.zeros(batch or 2, *network.input.shape)
    sizes = ({0: Dim("batch")},) if batch is None else None
    with torch.no_grad():
        program = torch.export.export(module, (images,), dynamic_shapes=sizes, strict=False)
    # The stack traces contain paths of this machine, so they are removed.
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    return program
