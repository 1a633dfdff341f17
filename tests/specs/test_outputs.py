"""What the networks that torchvision has too compute: the same as torchvision's, with its weights.

Weights are handed over layer by layer, in the order in which layers are carried out, not by name;
of what kind each is and the shapes of its weights have to agree. Were two layers of the same shapes
exchanged, the outputs would differ. Images are small: all networks end in pools of any size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dotcnn.dsl.program import GALLERY
from interpreter import Interpreter
from measured import torchvision_models
from networks import gallery
from typical import TORCHVISION, typical_of_torchvision

QUICK = """
    alexnet vgg11 resnet18 resnext50_32x4d googlenet densenet121 squeezenet1_1 mobilenet_v2
    mobilenet_v3_small shufflenet_v2_x0_5 mnasnet0_5 efficientnet_b0 regnet_y_400mf convnext_tiny
""".split()
"""Some of each family; the others are left to `make check-all`."""

TOLERANCE = 1e-9

Shapes = tuple[tuple[int, ...], ...]


def each_of(names: Iterable[str]) -> pytest.MarkDecorator:
    slow = [pytest.param(name, marks=pytest.mark.slow) for name in names if name not in QUICK]
    return pytest.mark.parametrize("name", [*QUICK, *slow])


@pytest.fixture(autouse=True)
def _as_little_as_possible() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.no_grad():
        yield
    torch.set_num_threads(threads)


def side(name: str) -> int:
    """Of the images: inception_v3's auxiliary head has a 5x5 filter behind a pool of 5x5."""
    return 299 if name == "inception_v3" else 64


# ---- both networks ------------------------------------------------------------------------------


MADE = (torch.empty, torch.full, torch.ones, torch.zeros)


class OnMeta(TorchFunctionMode):
    """Weights are shapes without memory. Unlike `torch.device("meta")`, it leaves alone what the
    RegNets compute their widths with."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        made = {"device": "meta"} if func in MADE else {}
        return func(*args, **{**(kwargs or {}), **made})


def theirs(name: str) -> nn.Module:
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    with OnMeta():
        model: nn.Module = getattr(torchvision_models(), name)(**options)
    return model.double()


def ours(name: str) -> Interpreter:
    (path,) = GALLERY.rglob(f"{name}.cnn")
    network = gallery(f"{path.parent.name}/{name}", input_shape=(3, side(name), side(name)))
    with OnMeta():
        return Interpreter(network).double()


def own(module: nn.Module) -> dict[str, Tensor]:
    """Its weights, not those of modules inside."""
    return {
        **dict(module.named_parameters(recurse=False)),
        **dict(module.named_buffers(recurse=False)),
    }


def is_dropout(module: nn.Module) -> bool:
    return type(module).__name__ in ("Dropout", "Dropout2d", "DropPath", "StochasticDepth")


def is_batch_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)


def run(model: nn.Module, images: Tensor) -> tuple[list[Tensor], list[nn.Module]]:
    """Outputs, the network's own first, and what has weights or is dropout, as it came to an end:
    ConvNeXt's blocks, with the factors of their last step, after what is inside them."""
    order: list[nn.Module] = []

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        order.append(module)

    def shortcut_last(block: nn.Module, inputs: Any, output: Any) -> None:
        shortcut = {*block.proj.modules()}
        order.sort(key=lambda module: module in shortcut)

    noted = [module for module in model.modules() if own(module) or is_dropout(module)]
    hooks = [module.register_forward_hook(note) for module in noted]
    # RegNet's blocks in torchvision begin with their shortcut; all other residuals end with it.
    blocks = [module for module in model.modules() if hasattr(module, "proj")]
    hooks += [block.register_forward_hook(shortcut_last) for block in blocks if block.proj]
    result = model(images)
    for hook in hooks:
        hook.remove()
    used = layers(order)
    assert len(used) == len({*used}) == len(layers(noted)), "not all weights are used once"
    if isinstance(result, Tensor):
        return [result], order
    if isinstance(result, tuple):  # torchvision's: named, and the last head first
        heads = sorted(name for name in result._fields if name != "logits")
        result = [getattr(result, name) for name in ("logits", *heads)]
    return result, order


def layers(order: Iterable[nn.Module]) -> list[nn.Module]:
    return [module for module in order if own(module)]


def signatures(order: Iterable[nn.Module]) -> list[tuple[str, Shapes]]:
    """What kind the layers are, and the shapes of their weights without ones at the end: a 1x1
    convolution and a fully connected layer are the same at each place, torchvision has both."""
    return [
        (kind(module), tuple(without_ones(tensor.shape) for tensor in own(module).values()))
        for module in layers(order)
    ]


def kind(module: nn.Module) -> str:
    if is_batch_norm(module):
        return "batch norm"
    if isinstance(module, nn.LayerNorm):
        return "layer norm"
    return "products" if isinstance(module, nn.Conv2d | nn.Linear) else "factors"


def without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    while shape[-1:] == (1,):
        shape = shape[:-1]
    return tuple(shape)


# ---- what is set --------------------------------------------------------------------------------


@each_of(TORCHVISION)
def test_layers_and_their_settings_are_torchvisions(name: str) -> None:
    """The same layers in the same order, `eps` and `momentum` of norms, shares of dropouts."""
    images = torch.empty(2, 3, side(name), side(name), dtype=torch.float64, device="meta")
    _, expected = run(theirs(name).train(), images)
    found = list(ours(name).held.values())
    assert signatures(found) == signatures(expected)
    assert attributes(found, "eps") == attributes(expected, "eps")
    momenta = attributes(expected, "momentum")
    assert attributes(found, "momentum") == pytest.approx(momenta, rel=1e-12)
    shares = [p for p in attributes(expected, "p") if p]
    assert [p for p in attributes(found, "p") if p] == pytest.approx(shares)


def attributes(order: Iterable[nn.Module], name: str) -> list[float]:
    return [getattr(module, name) for module in order if hasattr(module, name)]


# ---- what is computed ---------------------------------------------------------------------------


@each_of(typical_of_torchvision())
def test_outputs_are_those_of_torchvision_with_its_weights(name: str) -> None:
    """In training, those of auxiliary heads and what norms keep of the batch too; in evaluation."""
    assert all(found <= TOLERANCE for found in differences(name))


def differences(name: str) -> tuple[float, float]:
    """The largest in training, where dropout leaves out nothing, and in evaluation."""
    torch.manual_seed(0)
    source, target = theirs(name).train(), ours(name).train()
    fill(source)
    images = torch.randn(2, 3, side(name), side(name), dtype=torch.float64)

    expected, order = run(source, images)
    given, taking = layers(order), layers(target.held.values())
    assert signatures(given) == signatures(taking)
    hand_over(given, taking)
    simplify(target)
    found, _ = run(target, images)
    in_training = difference(
        [*found, *(buffer for module in taking for buffer in module.buffers())],
        [*expected, *(buffer for module in given for buffer in module.buffers(recurse=False))],
    )

    for module in filter(is_batch_norm, given):
        mean, variance = own(module)["running_mean"], own(module)["running_var"]
        variance.copy_(variance.mean() * torch.empty_like(variance).uniform_(1, 3))
        mean += variance.sqrt() * torch.randn_like(mean) / 10
    hand_over(given, taking)
    source.eval(), target.eval()
    return in_training, difference([target(images)], [source(images)])


def simplify(model: nn.Module) -> None:
    """Dropout leaves out nothing; norms forget what they kept, and keep of the next batch all."""
    for module in model.modules():
        if is_dropout(module):
            module.p = 0.0
        if is_batch_norm(module):
            module.reset_running_stats()
            module.momentum = 1.0


def fill(model: nn.Module) -> None:
    """Random weights, of a size that neither makes numbers vanish nor lets them grow."""
    model.to_empty(device="cpu")
    simplify(model)
    for module in model.modules():
        weights = own(module)
        if isinstance(module, nn.Conv2d | nn.Linear):
            bound = (6 / weights["weight"][0].numel()) ** 0.5
            weights["weight"].uniform_(-bound, bound)
        elif "weight" in weights:
            weights["weight"].uniform_(0.8, 1.2)
        if "bias" in weights:
            weights["bias"].uniform_(-0.2, 0.2)
        if "layer_scale" in weights:  # at first so small that the blocks would not show
            weights["layer_scale"].uniform_(-0.5, 0.5)


def hand_over(given: list[nn.Module], taking: list[nn.Module]) -> None:
    """Parameters are shared: the largest network has 5 GB of them. What norms keep is copied."""
    for source, target in zip(given, taking, strict=True):
        pairs = zip(own(source).values(), own(target).items(), strict=True)
        state = {
            name: (tensor if isinstance(tensor, nn.Parameter) else tensor.clone()).view(like.shape)
            for tensor, (name, like) in pairs
        }
        target.load_state_dict(state, assign=True)


def difference(found: list[Tensor], expected: list[Tensor]) -> float:
    """The largest; the first is the output, which has to say something."""
    assert 0.01 < expected[0].std() < 100
    largest = [(a - b).abs().max().double() for a, b in zip(found, expected, strict=True)]
    return float(torch.stack(largest).max())  # unlike Python's, it lets no NaN pass
