"""A module as a graph of torch's operations: what ONNX and .pt2 are written from."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from ...compiler.network import Network
from ...dsl.diagnostics import Diagnostic, SpecError
from .trained import Trained


class Predicting(nn.Module):
    """What a network predicts, as its output; submodules go by the names that they have there."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.__dict__["whole"] = module  # no submodule: its own are to be ours
        for name, child in module.named_children():
            self.add_module(name, child)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.__dict__["whole"].predict(x)
        return result


def answering(trained: Trained, predict: bool) -> nn.Module:
    """The module whose output is exported."""
    if not predict:
        return trained.module
    if not hasattr(trained.module, "predict"):
        message = f"{trained.network.name} ends in its logits: there is nothing to predict with"
        help = "end the network in `softmax`, or `sigmoid`, which training leaves to the loss"
        span = trained.network.output.span
        raise SpecError([Diagnostic("export-predict", message, span, help=help)])
    return Predicting(trained.module)


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
