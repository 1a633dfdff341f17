"""Modules of somebody else: torchvision's, and networks of ours under other names."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dotcnn.compiler.graph import Network
from dotcnn.dsl.program import GALLERY
from dotcnn.training.matching import Match, match
from interpreter import Interpreter
from measured import torchvision_models
from networks import gallery
from support import ROOT

with (ROOT / "tests" / "specs" / "published.csv").open(encoding="utf-8", newline="") as file:
    TORCHVISION = [row["model"] for row in csv.DictReader(file) if row["gmacs"]]

QUICK = """
    alexnet vgg11_bn resnet18 resnet50 googlenet inception_v3 densenet121 squeezenet1_1 mobilenet_v2
    mobilenet_v3_small shufflenet_v2_x0_5 mnasnet0_5 efficientnet_b0 regnet_x_400mf regnet_y_400mf
    convnext_tiny
""".split()
"""Some of each family."""


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


def fill(model: nn.Module) -> None:
    """Random weights, of a size that neither makes numbers vanish nor lets them grow."""
    model.to_empty(device="cpu")
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.dim() >= 2 and tensor.shape[1:] != (1, 1):
            bound = (6 / max(tensor[0].numel(), 1)) ** 0.5
            tensor.uniform_(-bound, bound)
        elif name.endswith("num_batches_tracked"):
            tensor.fill_(7)
        elif name.endswith(("running_var", "weight")):
            tensor.uniform_(0.8, 1.2)
        else:
            tensor.uniform_(-0.2, 0.2)


class Foreign(nn.Module):
    """A network, with modules of other names, put down in another order."""

    def __init__(self, network: Network, names: Mapping[str, str], order: Sequence[str]) -> None:
        super().__init__()
        self.calls = (made := Interpreter(network)).calls
        self.network = network
        for name in order:
            inner = made.held[str(network.by_name[name].index)]
            self.add_module(names[name], inner)

    def forward(self, images: Tensor) -> Tensor | list[Tensor]:
        values = {0: images}
        for node in self.network.nodes[1:]:
            values[node.index] = self.calls[node.index](*(values[s.index] for s in node.inputs))
        heads = [head.output for head in self.network.aux] if self.training else []
        results = [values[node.index] for node in (self.network.output, *heads)]
        return results if heads else results[0]


def holding(network: Network) -> list[str]:
    """The layers with tensors."""
    return [node.name for node in network.nodes if node.weights]


def computing(network: Network, found: Match) -> Interpreter:
    """Our network with what was found, all of it."""
    with OnMeta():
        model = Interpreter(network)
    index = {node.name: node.index for node in network.nodes}
    state = {}
    for key, tensor in found.state_dict().items():
        name = max((n for n in index if key.startswith(f"{n}.")), key=len)
        state[f"held.{index[name]}.{key.removeprefix(name + '.')}"] = tensor
    model.load_state_dict(state, assign=True)
    return model


def pairs(found: Match) -> dict[str, str]:
    """Theirs, by ours, of what comes from somewhere."""
    return {row.ours: row.theirs for row in found.rows if row.ours in found.state_dict()}


def layer_pairs(found: Match) -> dict[str, str]:
    return {row.layer: row.their_layer for row in found.rows if row.layer and row.their_layer}


def statuses(found: Match) -> dict[str, str]:
    """By layer of ours: that of its first tensor."""
    told: dict[str, str] = {}
    for row in found.rows:
        if row.ours:
            told.setdefault(row.layer, row.status)
    return told


def known_by_itself(network: Network) -> Match:
    with OnMeta():
        return match(network, Interpreter(network))


def here() -> Path:
    return Path(__file__).parent
