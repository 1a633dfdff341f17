"""What the networks that torchvision has too compute: the same as torchvision's, with its weights.

The weights are not copied by name but layer by layer, in the order in which the layers are carried
out; what kind each is and the shapes of its weights have to agree. Were two layers of one shape
exchanged, the outputs would differ. The images are as small as a network allows.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from interpreter import Interpreter
from measured import torchvision_models
from networks import gallery
from test_zoo import NETWORKS, PUBLISHED

TOLERANCE = 1e-9

QUICK = """
    alexnet vgg11 vgg11_bn resnet18 resnet50 resnext50_32x4d wide_resnet50_2 googlenet inception_v3
    densenet121 squeezenet1_1 mobilenet_v2 mobilenet_v3_small shufflenet_v2_x0_5 mnasnet0_5
    efficientnet_b0 efficientnet_v2_s regnet_x_400mf regnet_y_400mf convnext_tiny
""".split()
"""One of each family; the others are left to `make check-all`."""

TORCHVISION = [name for name, figures in PUBLISHED.items() if figures.gmacs is not None]

SIDE = {"inception_v3": 299}
"""Of the images, where 64 rows are too few: the auxiliary head has a 5x5 filter behind a pool."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.no_grad():
        yield
    torch.set_num_threads(before)


class Layer(NamedTuple):
    """A module with weights of its own, which those around it do not count."""

    module: nn.Module
    kind: str
    shapes: tuple[tuple[int, ...], ...]


def kind(module: nn.Module) -> str:
    for kind in (nn.modules.batchnorm._BatchNorm, nn.LayerNorm):
        if isinstance(module, kind):
            return kind.__name__
    # The same products: torchvision has some as the one, some as the other.
    return "weights" if isinstance(module, nn.Conv2d | nn.Linear) else "factors"


def layer(module: nn.Module) -> Layer:
    """In shapes, ones at the end are left out: 8x4x1x1 filters are the weights of a layer 4 -> 8."""
    shapes = []
    for tensor in own(module).values():
        shape = list(tensor.shape)
        while shape[-1:] == [1]:
            shape.pop()
        shapes.append(tuple(shape))
    return Layer(module, kind(module), tuple(shapes))


def own(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, not those of modules inside."""
    parameters, buffers = module.named_parameters(recurse=False), module.named_buffers(recurse=False)
    return {**dict(parameters), **dict(buffers)}


def is_dropout(module: nn.Module) -> bool:
    kinds = (nn.Dropout, nn.Dropout2d)
    return isinstance(module, kinds) or type(module).__name__ in ("DropPath", "StochasticDepth")


def theirs(name: str) -> nn.Module:
    """torchvision's, in double precision, with random weights of about the size of trained ones."""
    plain = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    with torch.device("meta"):
        model: nn.Module = getattr(torchvision_models(), name)(**plain)
    model = model.double().to_empty(device="cpu")
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, 0, (2 / module.weight[0].numel()) ** 0.5)
        elif "weight" in own(module):
            nn.init.normal_(own(module)["weight"], 1, 0.1)
        if own(module).get("bias") is not None:
            nn.init.normal_(own(module)["bias"], 0, 0.1)
        if "layer_scale" in own(module):  # at first so small that the block would not show
            nn.init.normal_(own(module)["layer_scale"], 0, 0.3)
    return model


def ours(name: str, side: int) -> Interpreter:
    """Without memory for its weights: it gets torchvision's."""
    network = gallery(str(NETWORKS[name].relative_to(NETWORKS[name].parents[1]).with_suffix("")),
                      input_shape=(3, side, side))
    with torch.device("meta"):
        return Interpreter(network)


def run(model: nn.Module, images: Tensor) -> tuple[list[Tensor], list[nn.Module]]:
    """The outputs, the network's own first, and the modules in the order of their ends."""
    order: list[nn.Module] = []

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        order.append(module)

    hooks = [module.register_forward_hook(note) for module in model.modules()]
    result = model(images)
    for hook in hooks:
        hook.remove()
    assert len(order) == len(set(order))
    outputs = [result] if isinstance(result, Tensor) else [r for r in result if r is not None]
    return outputs, order
