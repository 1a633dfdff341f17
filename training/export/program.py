"""A module as a graph of torch's operations: what ONNX and .pt2 are written from."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from ...compiler.network import Network
from ...compiler.plan import plan
from .trained import Trained


class Predicting(nn.Module):
    """A network whose output are probabilities; submodules keep their names."""

    def __init__(self, module: nn.Module, predict: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.__dict__["predict"] = predict  # not as a submodule: its own become ours
        for name, child in module.named_children():
            self.add_module(name, child)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.__dict__["predict"](x)
        return result


def predicting(trained: Trained, multi_label: bool | None) -> nn.Module:
    """With the softmax or sigmoid that training leaves to the loss. `multi_label` says whether an
    image may be of several classes, as far as the weights tell."""
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
    """For batches of any size, or of one."""
    images = torch.zeros(batch or 2, *network.input.shape)
    sizes = ({0: Dim("batch")},) if batch is None else None
    with torch.no_grad():
        program = torch.export.export(module, (images,), dynamic_shapes=sizes, strict=False)
    # Where each operation comes from, with the paths of this machine, is nobody else's business.
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    return program
