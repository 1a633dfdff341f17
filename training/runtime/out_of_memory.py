"""The error for out of memory: what was too large, how much a batch needs, and a command that runs.

CUDA, cuDNN, cuBLAS and NCCL say in different words that a GPU has no memory left, and they do so
wherever something is moved there: while the network is set up, in a step, in the last evaluation.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from ...compiler.analysis.memory import Memory
from ...compiler.analysis.setting import LABELS, Device, Setting
from ...compiler.analysis.setting import Precision as PrecisionName
from ...compiler.plan.recompute import parts_of
from ...compiler.report.figures import data_size
from ...dsl.diagnostics import Diagnostic
from ..data.loader.memory_budget import computer_budget
from ..data.loader.store import InMemory
from ..data.opened import Opened
from ..optim.precision import FULL, Precision
from ..request import Request

SHARE = 0.9
"""The share of the free memory to plan with; the rest is for what the estimate leaves out."""

Phase = Literal["setup", "training", "evaluation"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Situation:
    """What is being trained, and where: what messages about errors need to know."""

    request: Request
    device: torch.device
    batch: int
    """Of one device."""
    world: int = 1
    """The number of processes."""
    data: Opened | None = None
    precision: Precision = FULL
    phase: Phase = "training"
    folder: Path | None = None
    """Of the run, once there are weights in it."""


def out_of_memory(situation: Situation, *, not_one_image: bool = False) -> Diagnostic:
    """The diagnostic for what does not fit into memory; `not_one_image`: it was tried with smaller
    and smaller parts of a batch."""
    request, device, batch = situation.request, situation.device, situation.batch
    train = request.plan.train
    memory = Memory(request.network, _setting(situation))
    have = _available(device)
    needed = memory.needed(batch) - memory.outside if _cuda(device) else memory.needed(batch)
    fits = memory.fit(int(have * SHARE) + (memory.outside if _cuda(device) else 0))
    notes = [
        f"a batch of {batch:,} needs an estimated {data_size(needed)}, and {data_size(have)} are"
        f" free; not counted: {memory.excluded}",
    ]
    if memory.setting.data:
        notes.append(f"{data_size(memory.setting.data)} of that are images of the data set")
    if fits >= batch:
        fits = batch // 2
        notes.append("by this estimate it should fit; other programs may use memory, too")
    if not_one_image:
        notes.append("it was computed in parts, down to single images, and did not fit either")
    what = f"a batch of {batch:,} images does not fit into the memory of {device}"
    if situation.phase == "evaluation" and situation.folder is not None:
        what = f"the last evaluation does not fit into the memory of {device}"
        notes.append("the training is done, and its weights are saved")
        arguments = ["cnn", "evaluate", str(situation.folder), "--device", "cpu"]
        help = f"evaluate them on the CPU: {shlex.join(arguments)}"
    elif fits < 1 or batch == 1 or not_one_image:
        help = "not even one image fits: make the input or the network smaller"
        if _cuda(device):
            help += _command(", or train on the CPU", situation, {}, "cpu")
    else:
        smaller = _dividing(batch, min(fits, batch - 1))
        batches = train.accumulate.batches * -(-batch // smaller)
        whole = smaller * situation.world
        help = (
            f"write `batch {whole}` and `accumulate {batches}`, for the same number of images in"
            " each step"
        )
        changes = {"train.batch": whole, "train.accumulate": batches}
        help += _command("", situation, changes)
    return Diagnostic(
        "out-of-memory", what, train.batch.place("size"), notes=tuple(notes), help=help
    )


def too_many_elements(situation: Situation) -> Diagnostic:
    """The diagnostic for a feature map that torch cannot index on a GPU."""
    train = situation.request.plan.train
    smaller = max(1, Memory(situation.request.network, _setting(situation)).largest_batch)
    smaller = _dividing(situation.batch, min(smaller, situation.batch))
    batches = train.accumulate.batches * -(-situation.batch // smaller)
    changes = {"train.batch": smaller * situation.world, "train.accumulate": batches}
    return Diagnostic(
        "batch-too-large",
        f"a batch of {situation.batch:,} images makes a feature map of 2^31 elements or more, which"
        f" torch cannot index on {situation.device}",
        train.batch.place("size"),
        help=f"write `batch {smaller * situation.world}` and `accumulate {batches}`"
        + _command("", situation, changes),
    )


def _command(
    words: str, situation: Situation, changes: Mapping[str, object], device: str = ""
) -> str:
    """The command that trains with changes; "" if the spec is in no file."""
    command = situation.request.command(changes, situation.world)
    if command is None:
        return ""
    device = device or (f"{situation.device}" if situation.device.index else "")
    return f"{words}: {shlex.join([*command, *(['--device', device] if device else [])])}"


def _setting(situation: Situation) -> Setting:
    plan, device = situation.request.plan, situation.device
    word: PrecisionName = situation.precision.word  # type: ignore[assignment]
    kind: Device = "cuda" if _cuda(device) else "cpu"
    names = plan.train.recompute.parts if plan.train.recompute else ()
    return Setting(
        word,
        plan.train.optimizer.memory,
        kind,
        ema=plan.train.ema is not None,
        lookahead=plan.train.lookahead is not None,
        anchor=plan.transfer is not None and plan.transfer.l2 is not None,
        accumulate=plan.train.accumulate.batches,
        processes=situation.world,
        data=_on_device(situation.data),
        recompute=tuple(parts_of(situation.request.network, names).values()),
    )


def _on_device(data: Opened | None) -> int:
    """Bytes of the data set on a GPU."""
    stores = [] if data is None else [s for s in data.stores.values() if isinstance(s, InMemory)]
    return sum(store.bytes_on_gpu + LABELS * len(store) for store in stores if store.bytes_on_gpu)


def _cuda(device: torch.device) -> bool:
    return device.type == "cuda"


def _available(device: torch.device) -> int:
    """The memory for training, with what it holds already: the data set, too."""
    if _cuda(device):
        try:
            free, total = torch.cuda.mem_get_info(device)
        except RuntimeError:  # there was not even room for CUDA itself
            return 0
        return min(total, free + torch.cuda.memory_reserved(device))
    return 4 * computer_budget()


def _dividing(batch: int, most: int) -> int:
    """The largest part of a batch that fits, if possible one that leaves no rest; else rounded
    down to a power of two or a multiple of 16."""
    for parts in range(-(-batch // most), min(batch, 2 * -(-batch // most)) + 1):
        if batch % parts == 0:
            return batch // parts
    return most // 16 * 16 if most >= 64 else 1 << (most.bit_length() - 1)
