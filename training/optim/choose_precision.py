"""Chooses the fastest precision and memory format (`precision auto`, `channels_last auto`).

A few steps are timed if the run is long enough for that to pay off. Otherwise, and with
`deterministic on`, the choice depends only on the hardware.
"""

from __future__ import annotations

import copy
import math
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...compiler.analysis import analyse
from ...compiler.network import Network
from ...compiler.plan.plan import Train
from ..runtime.memory_errors import is_out_of_memory
from ..runtime.to_device import to_device
from .precision import Precision

WORTH_IT = 3 * 10**11
"""The multiply-adds of a run's forward passes below which timing takes longer than it saves, on a
CPU."""
WORTH_IT_ON_GPU = 10**15
"""The same on a GPU: about two minutes of training on one of 2020. It is not measured yet."""

SHARE = 0.03
"""The timing of all options may use this share of the run's number of images."""

GAIN = 0.95
"""An option is chosen only if it takes at most this share of the time of the usual one."""

_HOPELESS = 5.0
"""An option that takes this many times as long as the fastest one is not timed after its first
steps: a processor may have instructions for bf16 and no fast convolutions with them."""
_CERTAIN = 1.0
"""A first step of this many seconds is not repeated: setting it up takes a small part of that."""

_SECONDS = 15.0
"""The time limit for timing; the batch is reduced if steps are slow."""
_ROUNDS = 3
_STEPS_ON_GPU = 5
"""The number of steps that are timed together on a GPU, which works on one while the next one is
being started."""
_ENOUGH = 16
"""The number of images of a timed step. Smaller batches do not show which memory format is faster;
then only the most promising option is compared with plain float32."""
_FEWEST = 8

BF16 = torch.bfloat16


class Choice(NamedTuple):
    precision: Precision
    lines: tuple[str, ...]
    """The choice and its reason, in words."""
    warning: str = ""
    """A warning if the spec sets a precision that is slow on this device."""


def choose(
    network: Network,
    train: Train,
    module: nn.Module,
    device: torch.device,
    *,
    batch: int,
    images: int,
    freeze: Callable[[nn.Module], object] = lambda module: None,
) -> Choice:
    """Chooses precision and memory format. `batch` is the batch size of one device, `images` the
    number of images that go through the network in the whole run. `freeze` freezes layers in a copy
    of the module; the module itself is not changed."""
    options = _options(train, device)
    warning = _warning(options[0], device)
    if len(options) == 1:
        line = _line(options[0], _only(train, device, options[0]))
        return Choice(options[0], (line,), warning)
    macs = analyse(network).totals.macs * images
    promising = device.type == "cuda" and _has_tensor_cores(device, options[-1], train)
    usual = options[-1] if promising else options[0]
    if macs < (WORTH_IT_ON_GPU if device.type == "cuda" else WORTH_IT):
        why = "the run is too short for timing to pay off"
        if usual.dtype is not None:
            why = f"usually the fastest on such a GPU; {why}"
        return Choice(usual, (_line(usual, why),), warning)
    if train.deterministic.on:
        precision = options[-1] if bf16_is_fast(device) else usual
        why = "chosen by the device alone: deterministic runs do not time alternatives"
        return Choice(precision, (_line(precision, why),), warning)
    choice = _timed(network, module, device, batch, images, options, usual, freeze)
    if device.type == "cuda":
        torch.cuda.empty_cache()  # the copies of the network, and what their steps needed
    return choice._replace(warning=warning)


def _options(train: Train, device: torch.device) -> list[Precision]:
    """The options that a plan allows: plain float32 first, the most promising one last."""
    half = _half(train.precision.mode, device)
    modes: list[torch.dtype | None] = list(dict.fromkeys(half))
    layout = train.channels_last.mode
    layouts = [layout] if isinstance(layout, bool) else [False, True]
    if device.type == "mps" and train.channels_last.mode == "auto":
        layouts = [False]
    return [Precision(mode, layout) for mode in modes for layout in layouts]


def _half(mode: str, device: torch.device) -> list[torch.dtype | None]:
    if mode != "auto":
        return [Precision.of(mode, False).dtype]
    if device.type == "cuda":
        major, _ = torch.cuda.get_device_capability(device)
        if major >= 8:
            return [None, BF16]
        return [None, torch.float16] if major >= 7 else [None]
    return [None, BF16] if bf16_is_fast(device) else [None]


def _has_tensor_cores(device: torch.device, precision: Precision, train: Train) -> bool:
    """Whether the GPU has special hardware for a precision, whose kernels are written for
    channels_last."""
    major, _ = torch.cuda.get_device_capability(device)
    return major >= 7 if precision.dtype is not None else major >= 8 and train.precision.tf32


def bf16_is_fast(device: torch.device) -> bool:
    """Whether the processor or GPU multiplies bfloat16 natively."""
    if device.type != "cpu":
        return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.backends.mkldnn.is_available() and bool(  # type: ignore[no-untyped-call]
        torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    )


# ---- timing ----------------------------------------------------------------------------------


def _timed(
    network: Network,
    module: nn.Module,
    device: torch.device,
    batch: int,
    all_images: int,
    options: Sequence[Precision],
    usual: Precision,
    freeze: Callable[[nn.Module], object],
) -> Choice:
    """Times the options in turn, in several rounds, so that other load on the machine affects all
    of them equally. An option that does not fit into memory is not chosen. `usual` is what is
    chosen if no other one is faster."""
    affordable = int(SHARE * all_images / (_ROUNDS + 1))  # images of a round over all options
    if affordable < _ENOUGH * len(options):
        options = [options[0], options[-1]]
    copies = [_copied(module, device) for _ in options]
    for precision, copied in zip(options, copies, strict=True):
        precision.lay_out(copied)
        freeze(copied.train())

    def seconds(index: int, images: Tensor) -> float:
        try:
            return _seconds(lambda: _step(copies[index], options[index], images, device), device)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            copies[index].zero_grad()
            return math.inf

    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch, *network.sample, generator=generator)
    images = to_device(images, device)
    images = images[: max(_FEWEST, affordable // len(options))]
    of_image = _seconds_of_image(seconds, images, len(options))
    timed = [i for i, each in enumerate(of_image) if each <= _HOPELESS * min(of_image)]
    together = (_ROUNDS + 1) * sum(of_image[index] for index in timed)
    images = images[: max(min(len(images), 4), int(_SECONDS / together))]
    for index in timed:
        seconds(index, images)  # warm-up: kernels are chosen and memory is allocated
    times: list[list[float]] = [
        [] if i in timed else [s * len(images)] for i, s in enumerate(of_image)
    ]
    for _ in range(_ROUNDS):
        for index in timed:
            times[index].append(seconds(index, images))
    medians = [statistics.median(each) for each in times]
    best, before = min(range(len(options)), key=medians.__getitem__), options.index(usual)
    if math.isinf(medians[best]) or medians[best] > GAIN * medians[before]:
        best = before
    listed = ", ".join(
        f"{_name(precision)} {_milliseconds(medians[index], exact=index in timed)}"
        for index, precision in enumerate(options)
    )
    return Choice(
        options[best],
        (_line(options[best], f"steps of {len(images)} images were timed: {listed}"),),
    )


def _copied(module: nn.Module, device: torch.device) -> nn.Module:
    return copy.deepcopy(module).to(device)


def _seconds(step: Callable[[], object], device: torch.device) -> float:
    """The time of a step. A GPU only queues it: the clock starts and stops when it has no work."""
    on_gpu = device.type == "cuda"
    steps = _STEPS_ON_GPU if on_gpu else 1
    if on_gpu:
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    for _ in range(steps):
        step()
    if on_gpu:
        torch.cuda.synchronize(device)
    return (time.perf_counter() - began) / steps


def _step(module: nn.Module, precision: Precision, images: Tensor, device: torch.device) -> None:
    """The parts of a training step that take time."""
    with precision.autocast(device) or nullcontext():
        outputs = module(precision.laid_out(images))
    each = (outputs,) if isinstance(outputs, Tensor) else outputs
    loss = torch.stack([one.float().log_softmax(1).mean() for one in each]).sum()
    if loss.requires_grad:
        loss.backward()  # type: ignore[no-untyped-call]
    module.zero_grad()


def _seconds_of_image(
    seconds: Callable[[int, Tensor], float], images: Tensor, options: int
) -> list[float]:
    """About how long each option takes for an image, by a step or two of few images."""
    few = images[: max(1, len(images) // 16)]
    firsts = ((index, seconds(index, few)) for index in range(options))
    steps = [first if first > _CERTAIN else seconds(index, few) for index, first in firsts]
    return [step / len(few) for step in steps]


# ---- texts -----------------------------------------------------------------------------------


def _name(precision: Precision) -> str:
    return precision.word + (" channels_last" if precision.channels_last else "")


def _milliseconds(seconds: float, *, exact: bool) -> str:
    if math.isinf(seconds):
        return "out of memory"
    text = f"{1000 * seconds:.0f} ms" if seconds > 0.01 else f"{1000 * seconds:.2g} ms"
    return text if exact else f"about {text}"


def _line(precision: Precision, why: str) -> str:
    layout = "on" if precision.channels_last else "off"
    return f"precision {precision.word}, channels_last {layout}: {why}"


def _warning(precision: Precision, device: torch.device) -> str:
    half = precision.dtype == torch.float16 or not bf16_is_fast(device)
    if device.type != "cpu" or precision.dtype is None or not half:
        return ""
    return (
        f"this processor has no instructions for {precision.word}, which is several times slower on"
        " it than fp32: `precision auto` would choose fp32"
    )


def _only(train: Train, device: torch.device, precision: Precision) -> str:
    if train.precision.mode != "auto" and train.channels_last.mode != "auto":
        return "as the spec says"
    if train.precision.mode == "auto":
        return f"no alternative is faster on {device.type}"
    return f"the spec says {train.precision.mode}"
