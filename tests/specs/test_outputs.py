"""What the networks that torchvision has too compute: the same as torchvision's, with its weights.

Weights are handed over layer by layer, in the order in which layers are carried out, not by name;
of what kind each is and the shapes of its weights have to agree. Were two layers of the same shapes
exchanged, the outputs would differ. Images are small: all networks end in pools of any size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from interpreter import Interpreter
from measured import torchvision_models
from networks import gallery
from test_zoo import NETWORKS, PUBLISHED

TORCHVISION = [name for name, figures in PUBLISHED.items() if figures.gmacs is not None]

QUICK = """
    alexnet vgg11 vgg11_bn resnet18 resnet50 resnext50_32x4d wide_resnet50_2 googlenet inception_v3
    densenet121 squeezenet1_1 mobilenet_v2 mobilenet_v3_small shufflenet_v2_x0_5 mnasnet0_5
    efficientnet_b0 efficientnet_v2_s regnet_x_400mf regnet_y_400mf convnext_tiny
""".split()
"""Some of each family; the others are left to `make check-all`."""

TOLERANCE = 1e-9

Signature = tuple[str, tuple[tuple[int, ...], ...]]


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


class OnMeta(TorchFunctionMode):
    """Weights are shapes without memory. Unlike `torch.device("meta")`, it leaves alone what the
    RegNets compute their widths with."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        made = {"device": "meta"} if func in (torch.empty, torch.ones, torch.zeros) else {}
        return func(*args, **{**(kwargs or {}), **made})


def theirs(name: str) -> nn.Module:
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    with OnMeta():
        model: nn.Module = getattr(torchvision_models(), name)(**options)
    return model.double()


def ours(name: str) -> Interpreter:
    path = NETWORKS[name]
    spec = f"{path.parent.name}/{name}"
    with OnMeta():
        return Interpreter(gallery(spec, input_shape=(3, side(name), side(name)))).double()


def own(module: nn.Module) -> Mapping[str, Tensor]:
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
    """Outputs, the network's own first, and what has weights or is dropout, as it came to an end.

    ConvNeXt's blocks have the factors of their last step themselves.
    """
    order: list[nn.Module] = []

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        order.append(module)

    noted = [module for module in model.modules() if own(module) or is_dropout(module)]
    hooks = [module.register_forward_hook(note) for module in noted]
    result = model(images)
    for hook in hooks:
        hook.remove()
    assert len(order) == len(noted), "something has weights and is not used, or is used twice"
    if isinstance(result, Tensor):
        return [result], order
    # Ours in the order of the spec; torchvision names them, the last head first.
    named = result._asdict() if isinstance(result, tuple) else dict(enumerate(result))
    keys = list(named) if isinstance(result, list) else ["logits", *sorted({*named} - {"logits"})]
    return [named[key] for key in keys], order


def layers(order: list[nn.Module]) -> list[nn.Module]:
    return [module for module in order if own(module)]


def signature(module: nn.Module) -> Signature:
    """Its kind, and the shapes of its weights without ones at the end: a 1x1 convolution and a
    fully connected layer at each place are the same, and torchvision has the one or the other."""
    shapes = []
    for tensor in own(module).values():
        shape = tuple(tensor.shape)
        while shape[-1:] == (1,):
            shape = shape[:-1]
        shapes.append(shape)
    if is_batch_norm(module):
        return "batch norm", tuple(shapes)
    if isinstance(module, nn.LayerNorm):
        return "layer norm", tuple(shapes)
    return "products" if isinstance(module, nn.Conv2d | nn.Linear) else "factors", tuple(shapes)


# ---- what is set --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TORCHVISION)
def test_layers_and_their_settings_are_torchvisions(name: str) -> None:
    """The same layers in the same order, `eps` and `momentum` of norms, shares of dropouts."""
    images = torch.empty(2, 3, side(name), side(name), dtype=torch.float64, device="meta")
    (_, expected), (_, found) = run(theirs(name).train(), images), run(ours(name).train(), images)
    assert list(map(signature, layers(found))) == list(map(signature, layers(expected)))
    assert settings(found) == settings(expected)
    assert dropouts(found) == pytest.approx(dropouts(expected))


def settings(order: list[nn.Module]) -> list[tuple[float, float | None]]:
    return [(m.eps, getattr(m, "momentum", None)) for m in order if hasattr(m, "eps")]


def dropouts(order: list[nn.Module]) -> list[float]:
    return [m.p for m in order if is_dropout(m) and m.p]


# ---- what is computed ---------------------------------------------------------------------------


def fill(model: nn.Module) -> None:
    """Random weights of about the size that a network is trained with; dropout leaves out nothing."""
    model.to_empty(device="cpu")
    for module in model.modules():
        if is_dropout(module):
            module.p = 0.0
        if is_batch_norm(module):
            module.reset_running_stats()
            module.momentum = 1.0  # what is kept is of the last batch alone
        weights = own(module)
        if isinstance(module, nn.Conv2d | nn.Linear):
            bound = (6 / module.weight[0].numel()) ** 0.5
            module.weight.uniform_(-bound, bound)
        elif "weight" in weights:
            weights["weight"].uniform_(0.8, 1.2)
        if "bias" in weights:
            weights["bias"].uniform_(-0.2, 0.2)
        if "layer_scale" in weights:  # at first so small that the blocks would not show
            weights["layer_scale"].uniform_(-0.5, 0.5)


def hand_over(source: nn.Module, target: nn.Module) -> None:
    """Parameters are shared, the largest network would else need 10 GB; what norms keep is copied."""
    pairs = zip(own(source).values(), own(target).items(), strict=True)
    state = {
        name: (tensor if isinstance(tensor, nn.Parameter) else tensor.clone()).reshape(empty.shape)
        for tensor, (name, empty) in pairs
    }
    target.load_state_dict(state, assign=True)


def difference(one: list[Tensor], other: list[Tensor]) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(one, other, strict=True))


def kept(order: list[nn.Module]) -> list[Tensor]:
    return [buffer for module in order for buffer in module.buffers(recurse=False)]


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in TORCHVISION]
)
def test_outputs_are_those_of_torchvision_with_its_weights(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    """In training, with all heads and what norms keep of the batch; then, with other statistics,
    in evaluation."""
    torch.manual_seed(0)
    source, target = theirs(name), ours(name)
    fill(source)
    images = torch.randn(2, 3, side(name), side(name), dtype=torch.float64)

    expected, order = run(source.train(), images)
    given, taking = layers(order), list(layers(list(target.held.values())))
    assert list(map(signature, given)) == list(map(signature, taking))
    for one, other in zip(given, taking, strict=True):
        hand_over(one, other)
    for module in target.modules():
        if is_dropout(module):
            module.p = 0.0
        if is_batch_norm(module):
            module.reset_running_stats()
            module.momentum = 1.0
    found, _ = run(target.train(), images)
    assert all(0.05 < output.std() < 50 for output in expected), "they would say nothing"
    in_training = difference(found, expected)
    record_property("in training", in_training)
    assert in_training <= TOLERANCE
    if kept(given):
        assert difference(kept(taking), kept(given)) <= TOLERANCE

    for module in given:
        if is_batch_norm(module):
            module.running_mean += module.running_var.sqrt() * torch.randn_like(module.running_mean) / 10
            module.running_var *= torch.empty_like(module.running_var).uniform_(0.5, 1.5)
    for one, other in zip(given, taking, strict=True):
        hand_over(one, other)
    expected, found = [source.eval()(images)], [target.eval()(images)]
    assert all(0.05 < output.std() < 50 for output in expected), "they would say nothing"
    in_evaluation = difference(found, expected)
    record_property("in evaluation", in_evaluation)
    assert in_evaluation <= TOLERANCE
