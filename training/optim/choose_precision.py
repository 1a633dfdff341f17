"""Chooses the fastest precision and memory format (`precision auto`, `channels_last auto`).

On a CPU, a few steps are timed if the run is long enough for that to pay off. With `deterministic
on`, and on a GPU, the choice depends only on the hardware and the network.
"""

from __future__ import annotations

import copy
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
from .precision import Precision

WORTH_IT = 3 * 10**11
"""The multiply-adds of a run's forward passes below which timing takes longer than it saves."""

SHARE = 0.03
"""The timing of all options may use this share of the run's number of images."""

GAIN = 0.95
"""An option is chosen only if it takes at most this share of the time of plain float32."""

_SECONDS = 15.0
"""The time limit for timing; the batch is reduced if steps are slow."""
_ROUNDS = 3
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
    if device.type == "cuda":
        precision = options[-1]
        return Choice(precision, (_line(precision, "this GPU multiplies bf16 and fp16 faster"),))
    if macs < WORTH_IT:
        plain = options[0]
        why = "the run is too short for timing to pay off"
        return Choice(plain, (_line(plain, why),), warning)
    if train.deterministic.on:
        precision = options[-1] if bf16_is_fast(device) else options[0]
        why = "chosen by the device alone: deterministic runs do not time alternatives"
        return Choice(precision, (_line(precision, why),), warning)
    choice = _timed(network, module, device, batch, images, options, freeze)
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
    freeze: Callable[[nn.Module], object],
) -> Choice:
    """Times the options in turn, in several rounds, so that other load on the machine affects all
    of them equally."""
    affordable = int(SHARE * all_images / (_ROUNDS + 1))  # images of a round over all options
    if affordable < _ENOUGH * len(options):
        options = [options[0], options[-1]]
    copies = [copy.deepcopy(module) for _ in options]
    for precision, copied in zip(options, copies, strict=True):
        precision.lay_out(copied)
        freeze(copied.train())

    def seconds(index: int, images: Tensor) -> float:
        began = time.perf_counter()
        _step(copies[index], options[index], images, device)
        return time.perf_counter() - began

    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch, *network.input.shape, generator=generator)
    images = images[: max(_FEWEST, affordable // len(options))]
    images = images[: _affordable_batch(seconds, images, len(options))]
    for index in range(len(options)):
        seconds(index, images)  # warm-up: kernels are chosen and memory is allocated
    times: list[list[float]] = [[] for _ in options]
    for _ in range(_ROUNDS):
        for index in range(len(options)):
            times[index].append(seconds(index, images))
    medians = [statistics.median(each) for each in times]
    best = min(range(len(options)), key=medians.__getitem__)
    if medians[best] > GAIN * medians[0]:
        best = 0
    listed = ", ".join(
        f"{_name(precision)} {1000 * median:.0f} ms"
        for precision, median in zip(options, medians, strict=True)
    )
    return Choice(
        options[best],
        (_line(options[best], f"steps of {len(images)} images were timed: {listed}"),),
    )


def _step(module: nn.Module, precision: Precision, images: Tensor, device: torch.device) -> None:
    """The parts of a training step that take time."""
    with precision.autocast(device) or nullcontext():
        outputs = module(precision.laid_out(images))
    logits = outputs if isinstance(outputs, Tensor) else torch.cat(list(outputs))
    if logits.requires_grad:
        logits.float().log_softmax(1).mean().backward()  # type: ignore[no-untyped-call]
    module.zero_grad()


def _affordable_batch(seconds: Callable[[int, Tensor], float], images: Tensor, options: int) -> int:
    """The number of images with which timing stays within its time limit."""
    few = images[: max(1, len(images) // 16)]
    seconds(0, few)
    one = seconds(0, few) / len(few)
    steps = options * (_ROUNDS + 1)
    return max(min(len(images), 4), min(len(images), int(_SECONDS / steps / one)))


# ---- texts -----------------------------------------------------------------------------------


def _name(precision: Precision) -> str:
    return precision.word + (" channels_last" if precision.channels_last else "")


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
