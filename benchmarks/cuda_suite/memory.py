"""`memory`: what training steps need, compared with what `cnn report` predicts for them.

requested is what tensors need, allocated what the allocator gives for them (rounded up), reserved
what it has taken from the driver: each has its prediction. The context of CUDA is in none of them.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import nullcontext, redirect_stdout
from functools import partial
from itertools import product
from typing import Any

import torch
from torch.nn.functional import cross_entropy

import dotcnn
from dotcnn import cli
from dotcnn.compiler.plan import plan
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.optim.optimizers import make_optimizer, parameter_groups
from dotcnn.training.trainer.callbacks import Callback

from .check import Check, Facts, Failed, Setting, Skipped, require
from .measure import MemoryLimit, peak_memory
from .training import images_for, without_report

NETWORKS = (
    "resnet50", "mobilenet_v2", "convnext_tiny", "vgg16_bn", "densenet121", "efficientnet_b0",
    "resnet18", "alexnet", "googlenet", "shufflenet_v2_x1_0", "regnet_y_400mf", "convmixer_768_32",
)  # fmt: skip
_PRECISIONS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
_OPTIMIZERS = {"momentum": "sgd momentum=0.9", "adamw": "adamw", "sgd": "sgd"}
"""As `--optimizer` names them, and as the section `train` does."""
_LIMITS = (("resnet50", "fp32"), ("resnet50", "bf16"), ("convnext_tiny", "bf16"),
           ("mobilenet_v2", "fp32"))  # fmt: skip
PARTS = "a batch is computed in"
"""What training says when memory has run out and it goes on."""
_WITHIN = 0.1
"""The prediction may be this far from the memory that is requested."""


def checks(setting: Setting) -> Iterator[Check]:
    for name, precision in _LIMITS[-1:] if setting.small else _LIMITS:
        title = f"{name}, {precision}"
        yield Check("the largest batch", title, partial(_largest_batch, setting, name, precision))
    networks, batches = (NETWORKS[1:2], [2]) if setting.small else (NETWORKS, [32, 128])
    for precision, batch, optimizer in product(_PRECISIONS, batches, _OPTIMIZERS):
        if setting.small and (precision == "fp16" or optimizer == "sgd"):
            continue
        for name in networks:
            title = f"{name}, {precision}, {optimizer}, {batch}"
            run = partial(_step, setting, name, precision, optimizer, batch)
            yield Check("a training step", title, run)


def _side(setting: Setting) -> int:
    return 64 if setting.small else 224


def report(setting: Setting, name: str, *options: str) -> Any:
    """What `cnn report` says, as data."""
    side, device = _side(setting), torch.device(setting.device).type
    arguments = ["report", name, "--input", f"3x{side}x{side}", "--device", device, *options]
    out = io.StringIO()
    with redirect_stdout(out):
        code = cli.main([*arguments, "--format", "json"])
    require(code == 0, f"cnn {' '.join(arguments)}: exit code {code}")
    return json.loads(out.getvalue())


def _step(setting: Setting, name: str, precision: str, optimizer: str, batch: int) -> Facts:
    said = report(
        setting, name, "--batch", str(batch), "--precision", precision, "--optimizer", optimizer
    )
    predicted = said["totals"]["memory"]["training_peak"]
    on_gpu = said["totals"]["memory"].get("gpu", {})
    device, side = torch.device(setting.device), _side(setting)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if 1.3 * predicted > free:
            raise Skipped(f"{predicted / 2**30:.1f} GiB are predicted, {free / 2**30:.1f} free")
    network = dotcnn.compile(name, input=(3, side, side))
    override = ("train", f"optimizer {_OPTIMIZERS[optimizer]}")
    train = plan(network, [_override(override)], needs_data=False).train

    def step() -> None:
        with torch.device(device):
            model = dotcnn.load(network).to(device)
        optimizer = make_optimizer(
            train.optimizer, parameter_groups(model, train.optimizer), device
        )
        scaler = torch.amp.GradScaler(device.type) if precision == "fp16" else None
        pictures = torch.randn(batch, 3, side, side, device=device)
        labels = torch.zeros(batch, dtype=torch.long, device=device)
        dtype = _PRECISIONS[precision]
        for _ in range(2):
            with torch.autocast(device.type, dtype) if dtype else nullcontext():
                outputs = model(pictures)
            several = [outputs] if isinstance(outputs, torch.Tensor) else list(outputs)
            loss = sum(cross_entropy(output.float(), labels) for output in several)
            assert isinstance(loss, torch.Tensor)
            (scaler.scale(loss) if scaler else loss).backward()
            if scaler:
                scaler.step(optimizer)
                scaler.update()
            else:
                optimizer.step()
            del outputs, several, loss
            optimizer.zero_grad()

    peaks = peak_memory(step, setting.device)
    facts = {
        "predicted MiB": predicted / 2**20,
        **{f"{key} MiB": value / 2**20 for key, value in peaks.items()},
        "requested / predicted": peaks["requested"] / predicted,
        **{
            f"{key} / predicted": peaks[key] / on_gpu[key]
            for key in ("allocated", "reserved")
            if key in peaks and key in on_gpu
        },
    }
    if setting.device.startswith("cuda"):
        off = abs(peaks["requested"] / predicted - 1)
        require(off <= _WITHIN, f"the prediction is off by {off:.0%}", facts)
    return facts


def _override(text: tuple[str, str]) -> Any:
    from dotcnn.compiler.language.overrides import read_override

    section, line = text
    head, _, rest = line.partition(" ")
    return read_override(f"{section}.{head}={rest}")[1]


# ---- the largest batch ---------------------------------------------------------------------------


def _largest_batch(setting: Setting, name: str, precision: str) -> Facts:
    """With a limit, the batch that `--fit` says can be trained; twice that is computed in parts, or
    else the batch that the error advises can be."""
    limit = 96 * 2**20 if setting.small else 6 * 2**30
    options = ["--precision", precision, "--optimizer", "adamw"]
    said = report(setting, name, "--fit", f"{limit // 2**20}MiB", *options)
    batch = said["batch"]
    require(batch > 0, f"not even one image fits into {limit // 2**20} MiB")
    facts: dict[str, object] = {"limit MiB": limit // 2**20, "batch": batch}
    problem = _trains(setting, name, precision, batch, limit)
    require(problem is None, f"the batch of --fit does not run: {problem}", facts)
    problem = _trains(setting, name, precision, 2 * batch, limit)
    if problem is None:
        raise Failed("twice the batch of --fit runs too", facts)
    if PARTS in problem:
        return {**facts, "twice that": problem}
    require("batch " in problem, f"no batch is advised: {problem}", facts)
    facts["advised"] = advised = int(problem.split("batch ")[1].split("`")[0].split()[0])
    problem = _trains(setting, name, precision, advised, limit)
    require(problem is None, f"the advised batch does not run: {problem}", facts)
    return facts


def _trains(setting: Setting, name: str, precision: str, batch: int, limit: int) -> str | None:
    """None; or the note that batches are computed in parts; or the help of the error."""
    notes: list[str] = []

    class Notes(Callback):
        def note(self, line: str) -> None:
            notes.append(line)

    side = _side(setting)
    data = images_for(name, side, 2 * batch)
    try:
        with MemoryLimit(setting.device, limit), without_report():
            dotcnn.train(
                name,
                input=(3, side, side),
                data={"train": data, "val": (data[0][:batch], data[1][:batch])},
                output=setting.new_folder("fit"),
                device=setting.device,
                callback=Notes(),
                set={
                    "train.batch": batch,
                    "train.epochs": 1,
                    "train.optimizer": "adamw",
                    "train.precision": precision,
                    "train.channels_last": "off",
                },
            )
    except SpecError as error:
        found = error.diagnostics[0]
        error.__traceback__ = error.__context__ = None
        return f"{found.code}: {found.help}"
    return next((line for line in notes if PARTS in line), None)
