"""`records`: whole recipes. airbench94, its accuracy and seconds; resnet50, its images a second.

The goals: 94 % on CIFAR-10 within 1.5 times the seconds of the reference's own program on the same
GPU (`--reference FILE`, `--data FOLDER`); and 90 % of the images a second of a compiled loop.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from functools import partial

import dotcnn
from dotcnn.training.trainer.callbacks import Callback

from .check import Check, Facts, Setting, Skipped, require
from .loops import BareLoop, ours
from .run import run_program
from .training import images, without_report

_GOAL, _RATIO = 0.94, 0.9
_SEEDS = 3


def checks(setting: Setting) -> Iterator[Check]:
    yield Check("airbench94", "reference", partial(_reference, setting))
    for seed in range(1 if setting.small else _SEEDS):
        yield Check("airbench94", f"seed {seed}", partial(_airbench, setting, seed))
    for compiled in (False,) if setting.small else (True, False):
        title = f"resnet50, {'compiled' if compiled else 'eager'}"
        yield Check("images per second", title, partial(_resnet50, setting, compiled))


def _reference(setting: Setting) -> Facts:
    """The whole time of a program of somebody else, which prints what it reaches."""
    if setting.reference is None:
        raise Skipped("no program is given: --reference FILE")
    began = time.perf_counter()
    result = run_program([sys.executable, setting.reference], setting, 120)
    seconds = time.perf_counter() - began
    require(result.code == 0, f"exit code {result.code}: {result.last}")
    return {"process s": seconds, "prints": " / ".join(result.out.strip().splitlines()[-3:])}


def _airbench(setting: Setting, seed: int) -> Facts:
    """With CIFAR-10 if it is given; else with images drawn at random, for the seconds alone."""
    count = 512 if setting.small else 50_000
    random_images = images(count, (3, 32, 32), 10)
    val = tuple(part[: max(64, count // 5)] for part in random_images)
    changes: dict[str, object] = {"train.seed": seed}
    if setting.small:
        changes |= {"train.epochs": 1, "train.batch": 64, "train.compile": "off"}
    began = time.perf_counter()
    with without_report():
        result = dotcnn.train(
            "airbench94",
            data=setting.data or {"train": random_images, "val": val},
            output=setting.new_folder("airbench94"),
            device=setting.device,
            callback=Callback(),
            set=changes,
        )
    facts = {
        "data": "CIFAR-10" if setting.data else "random images",
        "top1": result.metrics["top1"],
        "training s": result.seconds,
        "all s": time.perf_counter() - began,
    }
    if setting.data and not setting.small:
        require(result.metrics["top1"] >= _GOAL - 0.005, "94 % are not reached", facts)
    return facts


def _resnet50(setting: Setting, compiled: bool) -> Facts:
    """On data in memory: ours beside a bare loop, both compiled or both not."""
    gpu = setting.device.startswith("cuda")
    name, side, batch, steps = ("resnet50", 224, 256, 20) if gpu else ("resnet50", 32, 4, 4)
    precision = "bf16" if gpu else "fp32"
    theirs = BareLoop(name, side, batch, setting.device, precision, compiled)
    bare = theirs.images_per_second(steps)
    del theirs
    own = ours(setting, name, side, batch, steps, precision, compiled).images_per_second
    facts = {"ours": own, "bare loop": bare, "ratio": own / bare}
    require(own >= _RATIO * bare or not gpu, f"less than {_RATIO:.0%} of a bare loop", facts)
    return facts
