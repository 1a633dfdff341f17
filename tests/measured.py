"""What torch does with memory, measured on the CPU: what the analyses have to come to."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map_only

from dotcnn.benchmarks.cuda_suite import measure


def torchvision_models() -> ModuleType:
    """torchvision.models, also where the wheel of a GPU lies beside a torch of the CPU: it then
    registers fakes for operators that nobody has defined."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _KEPT_ALIVE.append(library)
    import torchvision.models

    return torchvision.models


_KEPT_ALIVE: list[Any] = []


def losses(result: Any, labels: Tensor) -> Tensor:
    """Cross-entropy of a result, with those of auxiliary heads where the model has some."""
    outputs = [result] if isinstance(result, Tensor) else [r for r in result if r is not None]
    return sum((nn.functional.cross_entropy(output, labels) for output in outputs), torch.zeros(()))


def kept_for_backward(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    forward: Callable[[Tensor], Any] | None = None,
) -> int:
    """Bytes of distinct storages, without weights, buffers, images and labels. `forward` runs the
    model otherwise than by calling it."""
    there = {*model.parameters(), *model.buffers(), images, labels}
    excluded = {tensor.untyped_storage().data_ptr() for tensor in there}
    found: dict[int, int] = {}
    alive = []  # else a storage is freed, and its address used again

    def pack(tensor: Tensor) -> Tensor:
        # Detached: what is kept would else keep what made it, and that this, for ever.
        alive.append(tensor.detach())
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in excluded:
            found[storage.data_ptr()] = storage.nbytes()
        return alive[-1]

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        losses((forward or model)(images), labels)
    return sum(found.values())


def training_step(
    model: nn.Module, images: Tensor, labels: Tensor, optimizer: torch.optim.Optimizer
) -> None:
    result = model(images)  # held until the end, as usual: somebody may want to look at it
    losses(result, labels).backward()
    optimizer.step()


class LiveBytes(measure.LiveBytes):
    """Unlike the allocator, it does not see what operations need inside. Under it, torch never adds
    gradients in place."""

    def __init__(self, *there: Tensor) -> None:
        super().__init__()
        for tensor in there:
            self.meet(tensor)


@cache
def autocast_lists() -> dict[str, set[str]]:
    """What autocast does with functions on a GPU, as torch's own header says: which take two bytes
    per element, which float32, and which the widest of their inputs."""
    header = Path(torch.__file__).parent / "include/ATen/autocast_mode.h"
    text = header.read_text(encoding="utf-8")
    lists: dict[str, set[str]] = {}
    for name, body in re.findall(r"#define AT_FORALL_(\w+)\(_\)((?:.*\\\n)*.*)", text):
        lists.setdefault(name, set()).update(re.findall(r"_\((\w+)", body))
    return {
        "low": lists["LOWER_PRECISION_FP"],
        "fp32": lists["FP32"] | lists["FP32_SET_OPT_DTYPE"],
        "widest": lists["PROMOTE"],
    }


class GpuAutocast(TorchFunctionMode):
    """Autocast to bf16 as on a GPU, but computed on the CPU. Functions that call others in Python
    (`F.lp_pool2d`) are not taken apart."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: dict[Tensor, Tensor] = {}
        """Converted once, as long as autocast is on."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name, lists = getattr(func, "__name__", ""), autocast_lists()
        if name == "dropout":  # on a GPU, its mask consists of bytes
            return torch.native_dropout(args[0], kwargs["p"], kwargs["training"])[0]
        if name in lists["low"]:
            args, kwargs = tree_map_only(Tensor, self.low, (args, kwargs))
        elif name in lists["fp32"]:
            args, kwargs = tree_map_only(Tensor, _full, (args, kwargs))
        elif name in lists["widest"]:
            kinds = {leaf.dtype for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
            if torch.float32 in kinds:
                args, kwargs = tree_map_only(Tensor, _full, (args, kwargs))
        return func(*args, **kwargs)

    def low(self, tensor: Tensor) -> Tensor:
        if tensor.dtype != torch.float32:
            return tensor
        if not (tensor.is_leaf and tensor.requires_grad):
            return tensor.bfloat16()
        if tensor not in self.weights:
            self.weights[tensor] = tensor.bfloat16()
        return self.weights[tensor]


def _full(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype == torch.bfloat16 else tensor
