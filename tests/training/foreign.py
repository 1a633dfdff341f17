"""Modules of others: torchvision's, and our networks with other names."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dotcnn.compiler.network import Network
from dotcnn.dsl.program import GALLERY
from dotcnn.training.weights.match import Match
from interpreter import Interpreter
from measured import torchvision_models
from networks import gallery

QUICK = """
    resnet18 googlenet squeezenet1_1 mobilenet_v3_small shufflenet_v2_x0_5 mnasnet0_5 regnet_y_400mf
""".split()
"""Small ones, of most families; the others are left to `make check-all`."""


class OnMeta(TorchFunctionMode):
    """Weights are shapes without memory. Unlike `torch.device("meta")`, it leaves alone what the
    RegNets compute their widths with."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        made = func in (torch.empty, torch.full, torch.ones, torch.zeros)
        return func(*args, **{**(kwargs or {}), **({"device": "meta"} if made else {})})


def side(name: str) -> int:
    """Of images: inception_v3's auxiliary head has a 5x5 filter behind a pool of 5x5."""
    return 299 if name == "inception_v3" else 64


def torchvision(name: str, **options: Any) -> nn.Module:
    if name in ("googlenet", "inception_v3"):
        options = {"init_weights": False, **options}
    with OnMeta():
        made: nn.Module = getattr(torchvision_models(), name)(**options)
    return made


def ours(name: str) -> Network:
    """The network of the gallery that is called like torchvision's, for small images."""
    (path,) = GALLERY.rglob(f"{name}.cnn")
    return gallery(f"{path.parent.name}/{name}", input_shape=(3, side(name), side(name)))


def fill(model: nn.Module, images: Tensor) -> None:
    """Random weights; what norms keep is that of these images, and some noise, so that numbers
    neither vanish nor grow."""
    model.to_empty(device="cpu").train()
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.dim() in (2, 4):
            bound = (6 / tensor[0].numel()) ** 0.5
            tensor.uniform_(-bound, bound)
        elif name.endswith(("running_var", "weight")):
            tensor.uniform_(0.8, 1.2)
        elif name.endswith("layer_scale"):
            tensor.uniform_(-0.5, 0.5)
        elif tensor.is_floating_point():
            tensor.uniform_(-0.2, 0.2)
        else:
            tensor.fill_(7)
    norms = [inner for inner in model.modules() if isinstance(inner, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    for inner in model.modules():
        if isinstance(getattr(inner, "p", None), float):
            inner.p = 0.0
    model(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        mean, variance = norm.running_mean, norm.running_var
        assert mean is not None
        assert variance is not None
        variance.copy_(variance.mean() * torch.empty_like(variance).uniform_(1, 3))
        mean += variance.sqrt() * torch.randn_like(mean) / 10
    model.eval()


class Foreign(nn.Module):
    """A network of ours, its modules called otherwise and put down in another order."""

    def __init__(self, network: Network, names: Mapping[str, str], order: Sequence[str]) -> None:
        super().__init__()
        with OnMeta():
            made = Interpreter(network)
        self.calls = made.calls
        self.network = network
        held = {network.nodes[int(index)].name: inner for index, inner in made.held.items()}
        for name in order:
            self.add_module(names[name], held.pop(name))
        self.others = nn.ModuleList(held.values())

    def forward(self, images: Tensor) -> Tensor | list[Tensor]:
        values = {0: images}
        for node in self.network.nodes[1:]:
            values[node.index] = self.calls[node.index](*(values[s.index] for s in node.inputs))
        heads = [head.node for head in self.network.aux] if self.training else []
        results = [values[node.index] for node in (self.network.output, *heads)]
        return results if heads else results[0]


def nameless(weights: Mapping[str, Tensor], seed: int = 0) -> dict[str, Tensor]:
    """In their order, under names of layers that say nothing at all, not even by counting."""
    chance = random.Random(seed)
    layers = dict.fromkeys(key.rpartition(".")[0] for key in weights)
    names = {layer: "".join(chance.choices(LETTERS, k=9)) for layer in layers}
    parts = {key: key.rpartition(".") for key in weights}
    return {f"{names[parts[key][0]]}.{parts[key][2]}": weights[key] for key in weights}


LETTERS = "ijklmnopqrstuvwxyz"
"""Those that do not count: `a` to `h` may."""


def holding(network: Network) -> list[str]:
    """The nodes with tensors."""
    return [node.name for node in network.nodes if node.weights]


def pairs(found: Match) -> dict[str, str]:
    """Theirs, by ours: the tensors that come from somewhere."""
    taken = ("matched", "reshaped", "adapted")
    return {row.target: row.source for row in found.rows if row.status in taken}


def layer_pairs(found: Match) -> dict[str, str]:
    """Likewise, layers."""
    return {row.layer: row.source_layer for row in found.rows if row.target in pairs(found)}


def statuses(found: Match) -> dict[str, str]:
    """Of layers of ours: that of their first tensor."""
    told: dict[str, str] = {}
    for row in found.rows:
        if row.target:
            told.setdefault(row.layer, row.status)
    return told
