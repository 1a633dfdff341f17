"""`syncs`: how often a training step makes the program wait for the device.

While the program waits, it launches nothing, and the GPU soon has nothing to do. A step may read
one number, the loss, once the step after it is launched. On a CPU, that read is counted; on a GPU
it is a wait for an event, which is not. On a CPU it cannot be told which tensors would be on a GPU:
optimizers and augmentations keep some numbers on the CPU on purpose, so their reads are listed
only.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from dotcnn.dsl.diagnostics import SpecError

from .cases import directives
from .check import Check, Facts, Setting, Skipped, require
from .training import NETWORK, AfterSteps, images, trained
from .waits import Waits

_FIRST, _STEPS = 3, 40
"""The first steps set things up; after 32, the running metrics are summed."""

_TRAIN = (
    "clip 1",
    "clip 1 by=value",
    "ema 0.99",
    "lookahead 3",
    "recompute layer2",
    "accumulate 2",
    "loss cross_entropy smoothing=0.1",
    "weights balanced",
    "precision bf16",
    "precision fp16",
    "channels_last",
)
"""Beside the optimizers, losses and schedules, what changes a step."""


def checks(setting: Setting) -> Iterator[Check]:
    kinds = [k for k in directives("train") if k.head() in ("optimizer", "loss", "schedule")]
    for line in dict.fromkeys([*_TRAIN, *(kind.shown() for kind in kinds)]):
        yield Check("train", line, partial(waits_of_a_step, setting, f"train {{ {line} }}"))
    for kind in directives("augment"):
        line = kind.shown().replace("256", "20")
        yield Check("augment", line, partial(waits_of_a_step, setting, f"augment {{ {line} }}"))


def waits_of_a_step(setting: Setting, sections: str) -> Facts:
    waits = Waits(setting.device)

    def action(done: int) -> None:
        if done == _FIRST:
            waits.begin()
        elif done == _FIRST + _STEPS:
            waits.end()

    accumulate = 2 if "accumulate" in sections else 1
    count = (_FIRST + _STEPS + 2) * accumulate * 2
    split = 1.25  # a fifth of the images is kept for validation
    try:
        trained(
            setting,
            NETWORK + sections,
            data=images(int(count * split) + 4),
            callback=AfterSteps(action),
            train__batch=2,
            train__epochs=1,
        )
    except SpecError as error:
        raise Skipped(error.diagnostics[0].message) from None
    finally:
        waits.end()
    gpu = setting.device.startswith("cuda")
    allowed = 0 if gpu else accumulate
    judged = gpu or not ("optimizer" in sections or sections.startswith("augment"))
    total = sum(waits.places.values())
    often = [f"{place} x {n / _STEPS:.3g}" for place, n in waits.places.most_common(3)]
    facts = {"waits in a step": total / _STEPS, "places": ", ".join(often)}
    require(total <= allowed * _STEPS or not judged, f"more than {allowed} in a step", facts)
    return facts
