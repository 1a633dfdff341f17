"""The loops that training is compared with: plain torch, eager and compiled, on data in memory."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F

import dotcnn
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.trainer.callbacks import Callback, EpochRecord, Step

from .check import Setting
from .measure import Launches, launches, synchronize
from .training import images, images_for, without_report

PROFILED = 2
"""Steps that are profiled, of a bare loop and of ours."""

_DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class BareLoop:
    """A training loop as one writes it for a benchmark: images as bytes on the device, normalized
    there; autocast, channels_last, a fused optimizer; the loss is never read."""

    def __init__(
        self, name: str, side: int, batch: int, device: str, precision: str, compiled: bool
    ) -> None:
        self.device, self.batch, self.dtype = device, batch, _DTYPES[precision]
        kind = torch.device(device).type
        model: Any = dotcnn.load(name, input=(3, side, side)).to(device)
        self.model = model.to(memory_format=torch.channels_last) if kind == "cuda" else model
        self.forward = torch.compile(self.model) if compiled else self.model
        pixels, labels = images(4 * batch, (3, side, side), 10)
        self.pixels = torch.from_numpy(pixels).to(device)
        self.labels = torch.from_numpy(labels).to(device)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9, fused=True)

    def step(self) -> None:
        chosen = torch.randint(0, len(self.pixels), (self.batch,), device=self.device)
        pictures = self.pixels[chosen].float().sub_(127).div_(64)
        if self.device.startswith("cuda"):
            pictures = pictures.contiguous(memory_format=torch.channels_last)
        kind = torch.device(self.device).type
        with torch.autocast(kind, self.dtype) if self.dtype else nullcontext():
            outputs = self.forward(pictures)
        loss = F.cross_entropy(outputs.float(), self.labels[chosen])
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def images_per_second(self, steps: int) -> float:
        for _ in range(3):
            self.step()
        synchronize(self.device)
        began = time.perf_counter()
        for _ in range(steps):
            self.step()
        synchronize(self.device)
        return steps * self.batch / (time.perf_counter() - began)

    def launches(self) -> Launches:
        """Those of `PROFILED` steps."""
        return launches(lambda: [self.step() for _ in range(PROFILED)], self.device)


class OwnSpeed(Callback):
    """Of a run of three epochs: the first sets things up, the second is timed, and some steps of
    the third are profiled."""

    def __init__(self, device: str) -> None:
        self.epochs: list[EpochRecord] = []
        self.launches = Launches(device)

    @property
    def images_per_second(self) -> float:
        return self.epochs[1].images_per_second

    def epoch(self, record: EpochRecord) -> None:
        self.epochs.append(record)

    def step(self, step: Step) -> None:
        if step.epoch == 3 and step.batch == 1:
            self.launches.begin()
        elif step.epoch == 3 and step.batch == 1 + PROFILED:
            self.launches.end()


def ours(
    setting: Setting,
    name: str,
    side: int,
    batch: int,
    steps: int,
    precision: str,
    compiled: bool,
    **changes: object,
) -> OwnSpeed:
    """Trains a network of the gallery; `steps` are those of an epoch, more than `PROFILED`."""
    data = images_for(name, side, steps * batch)
    few = data[0][:batch], data[1][:batch]
    speed = OwnSpeed(setting.device)
    settings: dict[str, object] = {
        "train.batch": batch,
        "train.epochs": 3,
        "train.optimizer": "sgd lr=0.01 momentum=0.9",
        "train.precision": precision,
        "train.channels_last": "on" if setting.device.startswith("cuda") else "off",
        "train.compile": "on" if compiled else "off",
        "train.log": "off",
        "augment": "off",
        **changes,
    }
    for attempt in (settings, {k: v for k, v in settings.items() if k != "augment"}):
        try:
            with without_report():
                dotcnn.train(
                    name,
                    input=(3, side, side),
                    data={"train": data, "val": few},
                    output=setting.new_folder("speed"),
                    device=setting.device,
                    callback=speed,
                    set=attempt,
                )
            break
        except SpecError:
            if attempt is not settings:
                raise
    return speed
