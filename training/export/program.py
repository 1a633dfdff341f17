"""Captures a module as a graph of torch operations, from which ONNX and .pt2 files are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from ...compiler.network import Network
from ...compiler.plan import plan
from ...dsl.diagnostics import Diagnostic, SpecError
from ..tasks.answer import Scale
from ..tasks.image_to_image import ImageToImage
from ..tasks.multi_task import MultiTask
from .trained import Trained


class Predicting(nn.Module):
    """A network that outputs something else, probabilities; its submodules keep their names."""

    def __init__(self, module: nn.Module, predict: Callable[..., object]) -> None:
        super().__init__()
        self.__dict__["predict"] = predict  # not registered: the submodules are added below
        for name, child in module.named_children():
            self.add_module(name, child)
        self.eval()

    def forward(self, *inputs: Tensor) -> object:
        return self.__dict__["predict"](*inputs)


class InUnits(Predicting):
    """A network that outputs numbers in the units of the data, without what its loss learns
    besides."""

    def __init__(self, module: nn.Module, scale: Scale) -> None:
        super().__init__(module, module)
        self.register_buffer("_means", torch.tensor(scale.means), persistent=False)
        self.register_buffer("_deviations", torch.tensor(scale.deviations), persistent=False)

    def forward(self, *inputs: Tensor) -> object:
        means, deviations = self.get_buffer("_means"), self.get_buffer("_deviations")
        return self.__dict__["predict"](*inputs)[:, : len(means)] * deviations + means


class AsImages(Predicting):
    """A network that outputs images: levels from 0 to 1."""

    def __init__(self, module: nn.Module, task: ImageToImage) -> None:
        super().__init__(module, module)
        self.__dict__["sigmoid"] = task.ends_in == "sigmoid"
        for name, numbers in (("_means", task.means), ("_deviations", task.deviations)):
            self.register_buffer(name, torch.tensor(numbers).view(-1, 1, 1), persistent=False)

    def forward(self, *inputs: Tensor) -> object:
        outputs = self.__dict__["predict"](*inputs)
        if self.__dict__["sigmoid"]:
            return outputs.sigmoid()
        levels = outputs * self.get_buffer("_deviations") + self.get_buffer("_means")
        return levels.clamp(0, 1)


def evaluating(
    trained: Trained,
    *,
    predict: bool,
    multi_label: bool | None,
    scale: Scale | None = None,
    images: ImageToImage | None = None,
    several: MultiTask | None = None,
) -> nn.Module:
    """The module as it is exported: with one output, or a tuple of those that exist in evaluation;
    with `predict`, of what they stand for. `scale` is that of the numbers that it predicts,
    `images` its task if it answers with images, `several` those of its outputs."""
    count = len(trained.network.outputs)
    if count == 1 and predict and images is not None:
        return AsImages(trained.module, images)
    if count == 1 and predict and scale is not None:
        return InUnits(trained.module, scale)
    if count == 1:
        return predicting(trained, multi_label) if predict else trained.module
    if predict and several is not None:
        tasks, network = several.each, trained.module

        def answers(*inputs: Tensor) -> tuple[Tensor, ...]:
            outputs = network(*inputs)[:count]
            return tuple(one.meaning(own) for one, own in zip(tasks, outputs, strict=True))

        return Predicting(trained.module, answers)
    if predict and not hasattr(trained.module, "predict"):
        message = "no output ends in `softmax` or `sigmoid`, so there is nothing to predict"
        raise SpecError([Diagnostic("export-predict", message, help="export it without --predict")])
    call: Callable[..., tuple[Tensor, ...]] = trained.module
    if predict:
        call = trained.module.predict  # type: ignore[assignment]
    return Predicting(trained.module, lambda *inputs: tuple(call(*inputs)[:count]))


def predicting(trained: Trained, multi_label: bool | None) -> nn.Module:
    """The module with the softmax or sigmoid that is part of the loss in training. `multi_label` is
    None if the weights do not say whether an image may have several classes."""
    module = trained.module
    if multi_label is None and hasattr(module, "predict"):
        predict: Callable[..., object] = module.predict  # type: ignore[assignment]
        return Predicting(module, predict)
    if multi_label is None:
        multi_label = plan(trained.network, needs_data=False).train.loss.several_labels
    if multi_label:
        return Predicting(module, lambda *inputs: module(*inputs).sigmoid())
    return Predicting(module, lambda *inputs: module(*inputs).softmax(1))


def captured(module: nn.Module, network: Network, batch: int | None) -> ExportedProgram:
    """The module as a graph, for batches of any size or of the size `batch`."""
    images = tuple(torch.zeros(batch or 2, *node.shape) for node in network.inputs)
    sizes: Any = None
    if batch is None:
        sizes = tuple({0: Dim("batch")} for _ in images)
        if isinstance(module, Predicting):  # its arguments are one tuple
            sizes = (sizes,)
    with torch.no_grad():
        program = torch.export.export(module, images, dynamic_shapes=sizes, strict=False)
    # The stack traces contain paths of this machine, so they are removed.
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    return program
