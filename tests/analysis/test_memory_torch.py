"""Bytes as predicted and as torch needs them on the CPU."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from dotcnn.compiler.analysis import Setting, caching_allocator
from dotcnn.compiler.analysis.autocast import width_of
from dotcnn.compiler.analysis.gpu import LOGITS_KEPT
from dotcnn.compiler.analysis.hidden import hidden_weights
from dotcnn.compiler.analysis.memory import Memory
from dotcnn.compiler.build.elaborate import elaborate
from dotcnn.compiler.network import Network
from dotcnn.compiler.ops.base import REGISTRY
from dotcnn.compiler.plan.optimizer import Adam, AdamW, Muon, Optimizer, RmsProp, Sgd
from dotcnn.compiler.shapes import size
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.program import GALLERY
from dotcnn.training.metrics import running_metrics
from dotcnn.training.optim.optimizers import make_optimizer, parameter_groups
from interpreter import Interpreter
from measured import (
    GpuAutocast,
    LiveBytes,
    kept_for_backward,
    losses,
    torchvision_models,
    training_step,
)
from networks import gallery, layers, program, write_nothing_over
from random_networks import specs
from typical import typical_of_torchvision

BATCH = 8

MODELS = {
    "alexnet": "alexnet/alexnet",
    "vgg16": "vgg/vgg16",
    "vgg16_bn": "vgg/vgg16_bn",
    "resnet18": "resnet/resnet18",
    "resnet50": "resnet/resnet50",
    "densenet121": "densenet/densenet121",
    "mobilenet_v2": "mobilenet/mobilenet_v2",
    "googlenet": "googlenet/googlenet",
}
"""By the name of torchvision."""

QUICK = ("alexnet", "resnet18", "mobilenet_v2")
EVERY = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in MODELS]


MIXED = [
    "conv 8 3x3 same, gn 4, relu, conv 8 3x3 same, residual { gn 4, relu, conv 8 }, relu",
    "conv 8 2x2 stride=2, ln, residual { depthwise 7x7 same, ln, conv 32, gelu, conv 8, layerscale,"
    " droppath 0.1 }, ln, conv 16 2x2 stride=2",
    "conv 8 3x3 same, pool max 2x2, upsample 2, conv 16, dropout 0.5",
    "conv 8, softplus, gate { pool avg global, conv channels, sigmoid }, layerscale, conv 4",
    "conv 8 3x3 same, dense { ln, gelu, conv 8 }, prelu per=channel, conv 4",
]


@cache
def predicted(name: str) -> Memory:
    return Memory(gallery(MODELS[name]))


def real(name: str) -> nn.Module:
    more: dict[str, Any] = {"init_weights": False} if name == "googlenet" else {}
    model: nn.Module = getattr(torchvision_models(), name)(**more)
    return model.train()


def batch(network: Network, images: int = BATCH) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(images, *network.input.shape), torch.zeros(images, dtype=torch.long)


def mixed(name: str) -> tuple[Network, nn.Module, tuple[Tensor, Tensor]]:
    """A small input for a network of the gallery, or for layers; the module, and a batch."""
    if "/" in name:
        network = gallery(name, input_shape=(3, 64, 64))
    else:
        network = layers(f"{name}, flatten, fc 3", input="3x16x16")
    return network, Interpreter(network).train(), batch(network, 4)


def in_a_step(
    model: nn.Module, forward: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor
) -> int:
    """The most bytes in use in a step, up to the update of the weights."""
    gc.collect()
    with LiveBytes(*tensors(model), images, labels) as live:
        output = forward(images)
        losses(output, labels).backward()
    return live.peak


def tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


@pytest.mark.parametrize("name", EVERY)
def test_what_torchvision_keeps_is_predicted_to_the_byte(name: str) -> None:
    memory = predicted(name)
    assert memory.kept.at(BATCH) == kept_for_backward(real(name), *batch(memory.network))


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_the_peak_of_a_step_is_predicted_within_1_percent(name: str) -> None:
    """The tensors alive, not what oneDNN allocates inside an operation: that depends on the
    processor (benchmarks/memory.py measures it)."""
    memory, model = predicted(name), real(name)
    peak = in_use(model, *batch(memory.network))
    assert memory.training.at(BATCH) == pytest.approx(peak, rel=0.01)


def test_googlenet_without_its_heads() -> None:
    text = (GALLERY / "googlenet" / "googlenet.cnn").read_text(encoding="utf-8")
    body = "\n".join(line for line in text.splitlines() if "aux" not in line)
    network = elaborate(program(body), input_shape=(3, 96, 96))
    model = torchvision_models().googlenet(aux_logits=False, init_weights=False).train()
    assert Memory(network).kept.at(BATCH) == kept_for_backward(model, *batch(network))


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS.values())
def test_what_is_kept_at_another_size(name: str) -> None:
    """Of all of them, though not as torchvision writes them."""
    network = gallery(name, input_shape=(3, 64, 64))
    assert Memory(network).kept.at(2) == kept_for_backward(Interpreter(network), *batch(network, 2))


@pytest.mark.parametrize(
    "name",
    [
        "alexnet/alexnet",
        "resnet/resnet18",
        "mobilenet/mobilenet_v2",
        pytest.param("densenet/densenet121", marks=pytest.mark.slow),
        pytest.param("convnext/convnext_tiny", marks=pytest.mark.slow),
        *MIXED[:4],
    ],
)
def test_half_precision_on_a_cpu(name: str) -> None:
    """What is kept, and the peak of a step. A layer scale has float32, and so has what it is added
    to, up to the next convolution."""
    network, model, (images, labels) = mixed(name)
    memory = Memory(network, Setting(precision="bf16"))

    def forward(images: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            output: Tensor = model(images)
        return output.float()

    assert memory.kept.at(4) == kept_for_backward(model, images, labels, forward)
    assert memory.training.at(4) == pytest.approx(
        in_a_step(model, forward, images, labels), rel=0.01
    )


@pytest.mark.parametrize("images", [1, 16])
@pytest.mark.parametrize(
    "directive",
    [
        Sgd.make(),
        Sgd.make(momentum=0.9),
        pytest.param(RmsProp.make(), marks=pytest.mark.slow),
        pytest.param(RmsProp.make(momentum=0.9, centered=True), marks=pytest.mark.slow),
        Adam.make(),
        AdamW.make(),
        AdamW.make(amsgrad=True),
    ],
    ids=str,
)
def test_optimizers(directive: Optimizer, images: int) -> None:
    network = gallery("resnet/resnet18", input_shape=(3, 64, 64))
    model, data = Interpreter(network), batch(network, images)
    kind = getattr(torch.optim, directive.torch_name)
    given = {name: directive.arguments[name] for name in directive.__dict__}
    optimizer = kind(model.parameters(), **given)
    training_step(model, *batch(network, 2), optimizer)  # its numbers exist from the first on
    optimizer.zero_grad()
    state = [n for numbers in optimizer.state.values() for n in numbers.values()]
    there = [*tensors(model), *data, *(n for n in state if isinstance(n, Tensor) and n.dim())]
    with LiveBytes(*there) as live:
        training_step(model, *data, optimizer)
    expected = Memory(network, Setting(optimizer=directive.memory)).training.at(images)
    assert expected == pytest.approx(live.peak, rel=0.01)


def test_muon() -> None:
    """Momentum for the matrices of hidden layers, AdamW's averages for all else; what the
    orthogonalization of both hidden layers needs at a time is the peak."""
    network = layers("flatten, fc 300, relu, fc 300, relu, fc 300, relu, fc 4", input="3x4x4")
    model, data = Interpreter(network), batch(network, 2)
    directive = Muon.make()
    hidden = [name for name, _ in model.named_parameters() if name[5] in "46" and "w" in name]
    assert len(hidden) == len(hidden_weights(network)) == 2
    groups = parameter_groups(model, directive, hidden=hidden)
    optimizer = make_optimizer(directive, groups, torch.device("cpu"))
    training_step(model, *data, optimizer)
    optimizer.zero_grad()
    state = [n for numbers in optimizer.state.values() for n in numbers.values() if n.dim()]
    with LiveBytes(*tensors(model), *data, *state) as live:
        training_step(model, *data, optimizer)
    memory = Memory(network, Setting(optimizer=directive.memory))
    assert memory.training.moment(2).phase == "step"
    assert memory.training.at(2) == pytest.approx(live.peak, rel=0.01)


# ---- to the byte, without what operations need inside -------------------------------------------


def in_use(model: nn.Module, images: Tensor, labels: Tensor) -> int:
    gc.collect()
    with LiveBytes(*tensors(model), images, labels) as live:
        training_step(model, images, labels, torch.optim.SGD(model.parameters(), lr=0.01))
    model.zero_grad()
    return live.peak


def in_use_forward(model: nn.Module, images: Tensor) -> int:
    gc.collect()
    with LiveBytes(*tensors(model), images) as live, torch.no_grad():
        model.eval()(images)
    model.train()
    return live.peak


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alexnet/alexnet", "vgg/vgg16_bn", "densenet/densenet121"])
def test_what_is_in_use_in_a_step(name: str) -> None:
    network = gallery(name, input_shape=(3, 64, 64))
    model, data = Interpreter(network), batch(network, 2)
    assert Memory(network).training.at(2) == in_use(model, *data)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["alexnet/alexnet", "vgg/vgg16_bn", "densenet/densenet121", "mobilenet/mobilenet_v2",
     "resnet/resnet18", "resnet/resnet50"],
)  # fmt: skip
@pytest.mark.parametrize("over", [True, False])
def test_what_is_in_use_in_evaluation(name: str, over: bool) -> None:
    network = gallery(name, input_shape=(3, 64, 64))
    if not over:
        write_nothing_over(network)
    model, (images, _) = Interpreter(network), batch(network, 2)
    assert Memory(network).forward.at(2) == in_use_forward(model, images)


COMPOSITE = (
    "layerscale", "scale", "rmsnorm", "simplenorm", "frn", "frn, tlu", "grn", "evonorm_b0",
    "evonorm_s0 8", "evonorm_s0 8 act=off", "lrn", "ln, relu", "instancenorm, relu", "square",
    "prelu per=channel",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("words", COMPOSITE)
def test_what_norms_of_several_operations_need(words: str) -> None:
    """To go back through them, too: what is between the operations of torch that they consist of.
    An activation does not overwrite a view, which would cost copies there."""
    body = f"conv 32 3x3 same, conv 32, {words}, conv 32 3x3 same, pool avg global, flatten, fc 3"
    network = layers(body, input="3x16x24")
    model, data = Interpreter(network), batch(network, 4)
    assert Memory(network).training.at(4) == pytest.approx(in_use(model, *data), rel=0.01)


# ---- on a GPU, as far as a CPU can tell ----------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("convnext/convnext_tiny", marks=pytest.mark.slow),
        pytest.param("densenet/densenet121", marks=pytest.mark.slow),
        pytest.param("efficientnet/efficientnet_b0", marks=pytest.mark.slow),
        pytest.param("resnet/resnet18", marks=pytest.mark.slow),
        *MIXED[:2],
        *[pytest.param(body, marks=pytest.mark.slow) for body in MIXED[2:]],
    ],
)
def test_autocast_of_a_gpu(name: str) -> None:
    """What is kept to the byte, and the peak of a step, where torch's list of operations in float32
    is applied on the CPU."""
    network, model, (images, labels) = mixed(name)
    memory = Memory(network, Setting("bf16", device="cuda"))

    def forward(images: Tensor) -> Tensor:
        with GpuAutocast():
            output: Tensor = model(images)
        return output.float()

    assert memory.kept.at(4) == kept_for_backward(model, images, labels, forward)
    logits = 4 * size(network.output.shape)
    loop = 4 * (2 * images[0].numel() + (LOGITS_KEPT - 1) * logits)  # bytes, earlier logits
    peak = in_a_step(model, forward, images, labels)
    assert memory.training.at(4) - loop == pytest.approx(peak, rel=5e-3)


WORDS = sorted(
    word
    for word, op in REGISTRY.items()
    # Without what has several inputs.
    if op.example.startswith(word)
    and not {"(", "{"} & set(op.example)
    and word not in ("crop", "input")
)


@pytest.mark.parametrize("width", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_autocast_says_torch(width: int) -> None:
    """The precision of every operation's output, by torch's own dispatch for CUDA."""
    if torch.version.cuda and not torch.cuda.is_available():
        pytest.skip("torch for CUDA asks for a driver")
    kinds = {2: torch.bfloat16, 4: torch.float32}
    torch.set_autocast_enabled("cuda", True)
    torch.set_autocast_dtype("cuda", torch.bfloat16)
    try:
        for word in WORDS:
            if word in ("bn", "evonorm_b0", "pool tree", "space_to_depth"):
                continue  # torch cannot trace them, or an index, where there is no CUDA
            network = layers(REGISTRY[word].example.partition(",")[0], input="16x32x32")
            model, node = Interpreter(network), network.nodes[-1]
            with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
                for module in model.modules():
                    for key, one in module._parameters.items():
                        if one is not None:  # with a gradient, torch would ask for CUDA, and abort
                            fake = torch.empty(one.shape, device="cuda")
                            module._parameters[key] = nn.Parameter(fake, requires_grad=False)
                    for key, one in module._buffers.items():
                        if one is not None:
                            fake = torch.empty(one.shape, dtype=one.dtype, device="cuda")
                            module._buffers[key] = fake
                images = torch.empty(2, 16, 32, 32, dtype=kinds[width], device="cuda")
                output = model(images)
            expected = kinds[width_of(node, [width], "cuda").output]
            assert output.dtype == expected, f"`autocast` of {word}"
    finally:
        torch.set_autocast_enabled("cuda", False)


@pytest.mark.parametrize("width", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_autocast_on_a_cpu_says_torch(width: int) -> None:
    kinds = {2: torch.bfloat16, 4: torch.float32}
    for word in WORDS:
        network = layers(REGISTRY[word].example.partition(",")[0], input="16x32x32")
        images = torch.randn(2, 16, 32, 32).to(kinds[width])
        with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
            output = Interpreter(network)(images)
        predicted = width_of(network.nodes[-1], [width], "cpu")
        assert output.dtype == kinds[predicted.output], f"`autocast` of {word}"


def test_the_allocator_has_the_constants_of_torch() -> None:
    header = Path(torch.__file__).parent / "include/c10/core/AllocatorConfig.h"
    text = header.read_text(encoding="utf-8") if header.exists() else ""
    if "kMinBlockSize" not in text:
        pytest.skip("this torch has them in a source file, which does not come with it")
    for name, value in (
        ("kMinBlockSize", caching_allocator.BLOCK),
        ("kSmallSize", caching_allocator.SMALL),
        ("kSmallBuffer", caching_allocator.SMALL_SEGMENT),
        ("kMinLargeAlloc", caching_allocator.OWN_SEGMENT),
        ("kRoundLarge", caching_allocator.ROUND_SEGMENT),
    ):
        assert f"constexpr size_t {name} = {value};" in text
    assert str(caching_allocator.LARGE_SEGMENT) in text


def test_as_many_logits_are_kept_as_counted() -> None:
    assert LOGITS_KEPT == running_metrics.OFTEN


@given(specs())
def test_what_any_network_keeps(text: str) -> None:
    try:
        network = elaborate(program(text))
    except SpecError:
        return
    flat = [node for node in network.nodes if node.op.word == "flatten"]
    maps = any(max(node.input_shapes[0][1:], default=1) > 1 for node in flat)
    if maps and any(node.op.word == "ln" for node in network.nodes):
        return  # its channels lie side by side, in the layers after it too: flattening makes a copy
    data = batch(network, 3)
    assert Memory(network).kept.at(3) == kept_for_backward(Interpreter(network), *data)
    write_nothing_over(network)
    assert Memory(network).kept.at(3) == kept_for_backward(Interpreter(network), *data)


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        "conv 4 3x3 same, bn, relu, conv 4 3x3 same, sigmoid",
        "conv 4 3x3 same, residual { bn, relu, conv 4 3x3 same }, relu, dropout 0.5",
        "conv 4 3x3 same, gate { pool avg global, conv channels, sigmoid }",
        "conv 4 3x3 same, dense { bn, relu, conv 8 3x3 same }, dense { conv 4 }, conv 8",
        "conv 8 3x3 same, split {\n| relu\n| conv 4\n}, shuffle 2",
        "conv 8 3x3 same, pool max 2x2, upsample 2, conv 16",
        "conv 4 3x3 same, inception {\n| conv 4\n| conv 8, relu\n| pool max 3x3 stride=1 same\n}",
    ],
)
def test_forms(body: str) -> None:
    """In a step, at most a sum of gradients apart, which torch does not work out in place here."""
    network = layers(f"{body}, flatten, fc 3", input="3x16x16")
    model, (images, labels) = Interpreter(network), batch(network, 4)
    memory = Memory(network)
    assert memory.forward.at(4) == in_use_forward(model, images)
    largest = max(memory.training.moment(4).each // 8, 4 * 8 * 16 * 16) * 4
    assert 0 <= in_use(model, images, labels) - memory.training.at(4) <= largest


@pytest.mark.slow
@pytest.mark.parametrize("name", typical_of_torchvision())
def test_what_networks_of_torchvision_keep(name: str) -> None:
    make = getattr(torchvision_models(), name)
    (path,) = GALLERY.rglob(f"{name}.cnn")
    plain = {"init_weights": False} if "inception" in name or "googlenet" in name else {}
    side = 299 if "inception" in name else 64
    network = gallery(f"{path.parent.name}/{name}", input_shape=(3, side, side))
    data = batch(network, 2)
    assert Memory(network).kept.at(2) == kept_for_backward(make(**plain).train(), *data)
