"""Emitted modules go through what torch does with modules: compiling, exporting, tracing, lower
precision, other layouts, copies, files, devices, several processes."""

from __future__ import annotations

import copy
import io
import pickle
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributed import destroy_process_group, init_process_group
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

import dotcnn
from dotcnn.compiler.network import Network
from support import ROOT

from .gallery import small

SPECS = {
    "aux": """
        block unit(width, stride=1) { conv width 3x3 stride=stride same, bn, relu }
        network Aux {
          input 3x16x16
          unit 8
          first: aux weight=0.3 { pool avg global, flatten, fc 5 }
          unit 12 stride=2
          second: aux { pool avg 2x2, flatten, fc 8, relu, dropout 0.5, fc 5 }
          inception { | unit 4 | conv 4, unit 8 | pool max 3x3 stride=1 same, conv 4 }
          pool avg global, flatten, dropout 0.3, fc 5
        }""",
    "dense": """
        block layer(growth) {
          dense { bn, relu, conv 4*growth 1x1, bn, relu, conv growth 3x3 same }
        }
        network Dense {
          input 3x16x16
          conv 8 3x3 stride=2 same
          repeat 3 { layer 4 }
          conv channels/2 1x1, pool avg 2x2
          repeat 2 { layer 4 }
          bn, relu, pool avg global, flatten, fc 5, softmax
        }""",
    "shuffle": """
        block unit() {
          split {
            |
            | conv channels 1x1, bn, relu, depthwise 3x3 same, bn, conv channels 1x1, bn, relu
          }
          shuffle 2
        }
        network Shuffle {
          input 3x16x16
          conv 16 3x3 stride=2 same, bn, relu
          repeat 3 { unit }
          pool avg global, flatten, fc 5
        }""",
    "gates": """
        block se(ratio) {
          gate { pool avg global, conv channels//ratio, relu, conv channels*ratio, hardsigmoid }
        }
        network Gates {
          input 3x16x16
          conv 16 3x3 stride=2 same, bn, hardswish
          for width in [16, 24] {
            residual shortcut=match {
              conv 2*channels 1x1, bn, silu, depthwise 3x3 same, bn, silu, se 4, conv width 1x1, bn
            }
          }
          pool avg global, flatten, fc 5, sigmoid
        }""",
    "droppath": """
        network DropPath {
          input 3x16x16
          conv 12 4x4 stride=4, ln
          for p in [0.1, 0.2, 0.3] {
            residual {
              depthwise 7x7 same, ln, conv 4*channels 1x1, gelu, conv channels//4 1x1
              layerscale init=0.1, droppath p
            }
          }
          pool avg global, flatten, fc 5
        }""",
    "stochastic": """
        network Random {
          input 3x16x16
          conv 8 3x3 same, relu, pool stochastic 2x2
          dropout2d 0.2
          conv 8 3x3 same, relu
          filter blur same, pool mixed 2x2
          flatten, dropout 0.5, fc 5
        }""",
}
"""What is special about how networks run, as small as can be."""

GALLERY = """
    lenet5 alexnet vgg11_bn resnet18 resnet50 googlenet inception_v3 densenet121 squeezenet1_1
    mobilenet_v2 mobilenet_v3_small shufflenet_v2_x0_5 mnasnet0_5 efficientnet_b0 efficientnet_v2_s
    regnet_y_400mf convnext_tiny stochastic_depth pool_stochastic pool_wavelet pool_tree pool_spp
    unet_same
""".split()

ORDER_OF_THEIR_OWN = {"stochastic": ["conv2"], "pool_stochastic": ["conv2"], "pool_tree": ["conv2"]}
"""What comes behind pools that work on windows one by one: what they make has channels first."""


def each_network(*quick: str) -> pytest.MarkDecorator:
    slow = pytest.mark.slow
    names = [*SPECS, *GALLERY]
    return pytest.mark.parametrize(
        "name", [name if name in quick else pytest.param(name, marks=slow) for name in names]
    )


Run = Callable[[Tensor], Any]


def network(name: str) -> Network:
    return dotcnn.compile(SPECS[name]) if name in SPECS else small(name)


def made(name: str) -> tuple[nn.Module, Tensor]:
    """A module with weights as after some training, and images for it."""
    torch.manual_seed(0)
    found = network(name)
    module = dotcnn.load(found)
    images = torch.randn(3, *found.input.shape)
    with torch.no_grad():
        module(images)  # the norms see something
    return module, images


def run(module: Run, images: Tensor) -> list[Tensor]:
    """All that it returns, with the same random numbers each time."""
    torch.manual_seed(1)
    found = module(images.clone())
    return [found] if isinstance(found, Tensor) else list(found)


def learn(outputs: Sequence[Tensor]) -> None:
    """Gradients, by some loss."""
    torch.stack([output.float().square().mean() for output in outputs]).sum().backward()


def equal(found: Sequence[Tensor], wanted: Sequence[Tensor], tolerance: float = 0.0) -> None:
    assert len(found) == len(wanted)
    for one, two in zip(found, wanted, strict=True):
        scale = max(1.0, two.detach().abs().max().item())
        torch.testing.assert_close(one, two, rtol=0, atol=tolerance * scale)


# ---- compiled, exported, traced ------------------------------------------------------------------


@pytest.fixture
def _from_nothing() -> None:
    torch.compiler.reset()


@pytest.mark.slow
@each_network("aux", "stochastic")
@pytest.mark.usefixtures("_from_nothing")
def test_compile_takes_it_whole(name: str) -> None:
    """In evaluation and in training: no graph breaks, and the outputs are the same."""
    module, images = made(name)
    for training in (False, True):
        module.train(training)
        torch.compiler.reset()
        compiled = torch.compile(module, fullgraph=True, backend="eager")
        other = copy.deepcopy(module)
        equal(run(compiled, images), run(other, images))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="there is no C++ compiler")
@pytest.mark.usefixtures("_from_nothing")
@pytest.mark.parametrize("name", SPECS)
def test_compile_makes_programs_of_it(name: str) -> None:
    """By way of C++, which is what a user gets: the same but for the last digits."""
    module, images = made(name)
    module.eval()
    compiled = torch.compile(module, fullgraph=True)
    with torch.no_grad():
        equal(run(compiled, images), run(module, images), 1e-4)
    learn(run(torch.compile(module.train(), fullgraph=True), images))
    assert all(parameter.grad is not None for parameter in module.parameters())


@each_network("shuffle", "gates")
def test_export_takes_it(name: str) -> None:
    """For batches of any size."""
    module, images = made(name)
    module.eval()
    sizes = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(module, (images,), dynamic_shapes=sizes)
    with torch.no_grad():
        for batch in (images, images[:2]):
            equal(run(program.module(), batch), run(module, batch), 1e-6)


@each_network(*SPECS)
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_trace_takes_it(name: str) -> None:
    """What was traced with one batch runs another."""
    module, images = made(name)
    traced = torch.jit.trace(module.eval(), images[:2])
    with torch.no_grad():
        equal(run(traced, images), run(module, images), 1e-6)


# ---- lower precision, other layouts --------------------------------------------------------------


@each_network(*SPECS)
def test_autocast_runs_it(name: str) -> None:
    """Near to the outputs in single precision; gradients of all weights are numbers.

    How near depends on the processor, and on the network: a deep one whose norms have seen three
    images amplifies any rounding. That of its weights and images alone is the measure.
    """
    module, images = made(name)
    module.eval()
    rounded = copy.deepcopy(module)
    with torch.no_grad():
        wanted = run(module, images)
        with torch.autocast("cpu", torch.bfloat16):
            found = run(module, images)
        for parameter in rounded.parameters():
            parameter.copy_(parameter.bfloat16())
        nearby = run(rounded, images.bfloat16().float())
    assert [output.dtype for output in found] == [torch.bfloat16] * len(wanted)
    for output, exact, other in zip(found, wanted, nearby, strict=True):
        amplified = (other - exact).abs().max().item() / max(1.0, exact.abs().max().item())
        equal([output.float()], [exact], 0.1 + 4 * amplified)
    module.train()
    with torch.autocast("cpu", torch.bfloat16):
        outputs = run(module, images)
    learn(outputs)
    for key, parameter in module.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.dtype == torch.float32
        assert parameter.grad.isfinite().all(), key


@each_network(*SPECS)
def test_channels_last_stays_so(name: str) -> None:
    """All that convolutions and norms are given, and the outputs are the same."""
    module, images = made(name)
    module.double().eval()
    images = images.double()
    with torch.no_grad():
        wanted = run(module, images)
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    others = []

    def look(key: str, image: Tensor) -> None:
        # Half of the channels are a view, which is contiguous in no order.
        if image.stride(1) != 1 and image.shape[1] != 1 and image.shape[2:] != (1, 1):
            others.append(key)

    for key, layer in module.named_modules():
        if isinstance(layer, nn.Conv2d | nn.BatchNorm2d):
            layer.register_forward_pre_hook(lambda _, given, key=key: look(key, given[0]))
    with torch.no_grad():
        equal(run(module, images.contiguous(memory_format=torch.channels_last)), wanted, 1e-12)
    assert others == ORDER_OF_THEIR_OWN.get(name, [])


# ---- copies, files, devices ----------------------------------------------------------------------


@each_network(*SPECS)
def test_a_copy_is_one_of_its_own(name: str) -> None:
    module, images = made(name)
    module.eval()
    with torch.no_grad():
        wanted = run(module, images)
        other = copy.deepcopy(module)
        equal(run(other, images), wanted)
        for parameter in other.parameters():
            parameter.zero_()
        equal(run(module, images), wanted)


@each_network(*SPECS)
def test_weights_go_through_files(name: str, tmp_path: Path) -> None:
    """Pickled, or as torch saves them and reads them without running anything."""
    module, images = made(name)
    with torch.no_grad():
        wanted = run(module.eval(), images)
    state = module.state_dict()
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    for weights in (pickle.loads(pickle.dumps(state)), torch.load(buffer, weights_only=True)):
        other = dotcnn.load(network(name)).eval()
        other.load_state_dict(weights)
        with torch.no_grad():
            equal(run(other, images), wanted)


@each_network(*SPECS)
def test_it_is_made_without_memory_and_filled(name: str) -> None:
    """On the meta device nothing is computed; weights loaded afterwards are all that it needs."""
    module, images = made(name)
    with torch.device("meta"):
        other = dotcnn.load(network(name))
    tensors = [*other.parameters(), *other.buffers()]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert [tuple(found.shape) for found in run(other.train(), images.to("meta"))]
    other.to_empty(device="cpu")
    with torch.no_grad():
        for tensor in (*other.parameters(), *other.buffers()):
            tensor.fill_(3)
        other.load_state_dict(module.state_dict())
        equal(run(other.eval(), images), run(module.eval(), images))


# ---- several processes ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SPECS, "googlenet"])
def test_two_processes_train_it_together(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No parameter is without use, those of auxiliary heads included: else the second step stops.
    Gradients are the mean of what each process comes to by itself."""
    monkeypatch.syspath_prepend(ROOT)  # the processes import this file by its name
    spawn(together, (name, str(tmp_path)), nprocs=2)
    shared, *alone = [torch.load(tmp_path / file) for file in ("shared.pt", "0.pt", "1.pt")]
    for key, gradient in shared.items():
        wanted = (alone[0][key] + alone[1][key]) / 2
        torch.testing.assert_close(
            gradient, wanted, rtol=1e-4, atol=1e-5 + wanted.abs().max() / 1e4
        )


def together(rank: int, name: str, folder: str) -> None:
    """What one of the processes does."""
    torch.set_num_threads(1)
    module, images = made(name)
    module.train()
    mine = images.roll(rank, 0) + rank
    alone = copy.deepcopy(module)
    learn(run(alone, mine))
    torch.save(gradients(alone), f"{folder}/{rank}.pt")
    init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    try:
        ours = DistributedDataParallel(module, find_unused_parameters=False)
        learn(run(ours, mine))
        if rank == 0:
            torch.save(gradients(module), f"{folder}/shared.pt")
        learn(run(ours, mine))
    finally:
        destroy_process_group()


def gradients(module: nn.Module) -> dict[str, Tensor]:
    found = {key: parameter.grad for key, parameter in module.named_parameters()}
    assert all(gradient is not None for gradient in found.values())
    return found  # type: ignore[return-value]
