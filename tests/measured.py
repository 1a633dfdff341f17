"""What torch does with memory, measured on the CPU: what the analyses have to come to."""

from __future__ import annotations

import weakref
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


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


def kept_for_backward(model: nn.Module, images: Tensor, labels: Tensor) -> int:
    """Bytes of distinct storages, without weights, buffers, images and labels."""
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
        losses(model(images), labels)
    return sum(found.values())


def training_step(
    model: nn.Module, images: Tensor, labels: Tensor, optimizer: torch.optim.Optimizer
) -> None:
    result = model(images)  # held until the end, as usual: somebody may want to look at it
    losses(result, labels).backward()
    optimizer.step()


class LiveBytes(TorchDispatchMode):
    """Follows every storage from the operation that makes it until it is freed; unlike the
    allocator, not what operations need inside. Under it, torch never adds gradients in place."""

    def __init__(self, *there: Tensor) -> None:
        super().__init__()
        self.live = self.peak = 0
        self.known: set[int] = set()
        for tensor in there:
            self.meet(tensor)

    def meet(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self.known:
            return
        size = storage.nbytes()
        self.known.add(key)
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self.gone, key, size)

    def gone(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.live -= size

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.meet(leaf)
        return result
